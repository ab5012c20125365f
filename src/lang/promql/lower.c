/* From the tree to the plan: after this nothing knows PromQL. */
#include <math.h>

#include "base/assert.h"
#include "lang/promql/ast.h"

#define LOOKBACK_DEFAULT (300 * NS_PER_SEC)
#define SUBQUERY_STEP_NS (60 * NS_PER_SEC) /* Prometheus' default evaluation interval */

struct lowering {
    struct arena *arena;
    const struct query_steps *steps;
    const struct promql_options *options;
    struct diag *diag;
    int err;          /* the first one: a duration that cannot be */
    bool find_resets; /* below histogram_count and the like: counts alone are asked for */
};

static const struct promql_expr *strip(const struct promql_expr *e)
{
    while (e->kind == PROMQL_PAREN)
        e = e->args[0];
    return e;
}

static struct query_node *node(struct lowering *l, const struct promql_expr *e, enum query_op op)
{
    struct query_node *n = ARENA_NEW(l->arena, struct query_node);
    n->op = op;
    n->pos_begin = e->begin;
    n->pos_end = e->end;
    n->line = e->line;
    n->col = e->col;
    n->is_scalar = e->type == QUERY_TYPE_SCALAR;
    return n;
}

static void set_args(struct lowering *l, struct query_node *n, struct query_node **args,
                     size_t count)
{
    n->args = arena_dup(l->arena, args, count * sizeof(*args));
    n->arg_count = count;
}

static int64_t duration_of(struct lowering *l, const struct promql_expr *at,
                           const struct promql_duration *d, bool positive)
{
    int64_t ns = 0;
    struct diag why;
    diag_init(&why);
    int err = promql__duration_value(d, l->steps, &ns, &why);
    if (!err && positive && ns <= 0)
        err = diag_set(&why, ERR_INVALID, "duration must be greater than 0");
    if (err) /* Prometheus' form here: bytes, from nought */
        diag_set(l->diag, ERR_INVALID, "%zu:%zu: %s", d->begin, d->end, why.msg);
    l->err = l->err ? l->err : err;
    return err ? NS_PER_SEC : ns;
}

static void set_time(struct lowering *l, struct query_selector *sel,
                     const struct promql_expr *timed)
{
    sel->offset_ns = timed->offset ? duration_of(l, timed, timed->offset, false) : 0;
    sel->has_at = timed->at != PROMQL_AT_NONE;
    sel->at_ns = timed->at == PROMQL_AT_START ? l->steps->start_ns
                 : timed->at == PROMQL_AT_END ? l->steps->end_ns
                                              : timed->at_ns;
}

static int64_t lookback_of(const struct lowering *l)
{
    return l->options->lookback_ns ? l->options->lookback_ns : LOOKBACK_DEFAULT;
}

static void set_selector(struct lowering *l, struct query_node *n, const struct promql_expr *e)
{
    n->selector.matchers = e->matchers;
    n->selector.matcher_count = e->matcher_count;
    n->selector.lookback_ns = lookback_of(l);
    n->selector.find_resets = l->find_resets;
    n->selector.anchored = e->anchored;
    n->selector.smoothed = e->smoothed;
    set_time(l, &n->selector, e);
}

static struct query_node *lower(struct lowering *l, const struct promql_expr *e);

/* A function over a range: of a selector or a subquery. `params` are its scalar arguments. */
static struct query_node *lower_window(struct lowering *l, const struct promql_expr *call,
                                       const struct query_function *f,
                                       const struct promql_expr *range, struct query_node **params,
                                       size_t param_count)
{
    struct query_node *n = node(l, call, QUERY_WINDOW), *args[8];
    n->function = f;
    range = strip(range);
    n->range_ns = duration_of(l, range, range->range, true);
    if (range->kind == PROMQL_SUBQUERY) {
        n->subquery = true;
        n->inner_step_ns =
            range->step ? duration_of(l, range, range->step, true) : SUBQUERY_STEP_NS;
        set_time(l, &n->selector, range);
        args[0] = lower(l, range->args[0]);
    } else {
        set_selector(l, n, range->args[0]);
        args[0] = node(l, range->args[0],
                       QUERY_TEXT); /* stands for the selector: its place in the text */
    }
    for (size_t i = 0; i < param_count && i < 7; i++)
        args[1 + i] = params[i];
    set_args(l, n, args, 1 + param_count);
    return n;
}

/* When the first selector below looks: what is asked about it is asked as of that time. */
static bool find_time(struct lowering *l, const struct promql_expr *e, struct query_selector *out)
{
    struct query_selector own = *out, here = {0};
    if (e->kind == PROMQL_SELECTOR || e->kind == PROMQL_SUBQUERY) {
        set_time(l, &here, e);
        if (here.has_at)
            own = here;
        else
            own.offset_ns += here.offset_ns;
    }
    if (e->kind == PROMQL_SELECTOR)
        *out = own;
    bool found = e->kind == PROMQL_SELECTOR;
    for (size_t i = 0; i < e->arg_count && !found; i++) {
        struct query_selector below = own;
        found = find_time(l, e->args[i], &below);
        if (found)
            *out = below;
    }
    return found;
}

const struct store_matcher promql__target_info = {
    .op = STORE_MATCH_EQ, .name = SLICE_INIT(DATA_METRIC_NAME), .value = SLICE_INIT("target_info")};

/* info(): the info series are looked up at the times of what they are asked for. */
static struct query_node *lower_info(struct lowering *l, const struct promql_expr *e)
{
    struct query_node *n = node(l, e, QUERY_CALL), *args[2];
    n->function = e->function;
    args[0] = lower(l, e->args[0]);
    args[1] = node(l, e, QUERY_INSTANT);
    args[1]->is_scalar = false;
    find_time(l, e->args[0], &args[1]->selector);
    args[1]->selector.lookback_ns = lookback_of(l);
    args[1]->selector.matchers = e->arg_count > 1 ? e->args[1]->matchers : &promql__target_info;
    args[1]->selector.matcher_count = e->arg_count > 1 ? e->args[1]->matcher_count : 1;
    set_args(l, n, args, 2);
    return n;
}

static struct query_node *lower_call_args(struct lowering *l, const struct promql_expr *e)
{
    const struct query_function *f = e->function;
    struct query_node *params[8] = {NULL};
    if (f->window) {
        const struct promql_expr *range = NULL;
        size_t count = 0;
        for (size_t i = 0; i < e->arg_count; i++) {
            if (e->args[i]->type == QUERY_TYPE_MATRIX)
                range = e->args[i];
            else if (count < 7)
                params[count++] = lower(l, e->args[i]);
        }
        return lower_window(l, e, f, range, params, count);
    }
    if (f->joins_info)
        return lower_info(l, e);
    struct query_node *n = node(l, e, QUERY_CALL);
    struct query_node **args = ARENA_ARRAY(l->arena, struct query_node *, e->arg_count);
    n->function = f;
    for (size_t i = 0; i < e->arg_count; i++) {
        if (e->args[i]->type ==
            QUERY_TYPE_MATRIX) /* absent_over_time: absent, of what is present */
            args[i] = lower_window(l, e, query_function_find(SLICE("present_over_time")),
                                   e->args[i], NULL, 0);
        else
            args[i] = lower(l, e->args[i]);
    }
    if (slice_eq_cstr(slice_cstr(f->name), "timestamp") && args[0]->op == QUERY_INSTANT)
        args[0]->selector.timestamps = true;
    if (slice_eq_cstr(slice_cstr(f->name), "start_timestamp") && args[0]->op == QUERY_INSTANT)
        args[0]->selector.starts = true;
    set_args(l, n, args, e->arg_count);
    return n;
}

/* Where nothing but counts and sums of histograms is asked for, Prometheus tells resets from sample
 * to sample; where buckets count it takes the hints as they are stored. */
static bool finds_resets(bool above, const struct query_function *f)
{
    static const char *const counts[] = {"histogram_count", "histogram_sum", "histogram_avg"};
    static const char *const buckets[] = {"histogram_quantile", "histogram_quantiles",
                                          "histogram_fraction"};
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(f->name, counts[i]) == 0)
            return true;
        if (strcmp(f->name, buckets[i]) == 0)
            return false;
    }
    return above;
}

static struct query_node *lower_call(struct lowering *l, const struct promql_expr *e)
{
    bool above = l->find_resets;
    l->find_resets = finds_resets(above, e->function);
    struct query_node *n = lower_call_args(l, e);
    l->find_resets = above;
    return n;
}

static struct query_node *lower_binary(struct lowering *l, const struct promql_expr *e)
{
    struct query_node *n = node(l, e, QUERY_BINARY),
                      *args[2] = {lower(l, e->args[0]), lower(l, e->args[1])};
    n->binary = e->op;
    n->return_bool = e->return_bool;
    n->cardinality = e->cardinality;
    n->on = e->on;
    n->matching = e->matching;
    n->matching_count = e->matching_count;
    n->include = e->include;
    n->include_count = e->include_count;
    n->has_fill_left = e->has_fill_left;
    n->has_fill_right = e->has_fill_right;
    n->fill_left = e->fill_left;
    n->fill_right = e->fill_right;
    set_args(l, n, args, 2);
    return n;
}

static struct query_node *lower_unary(struct lowering *l, const struct promql_expr *e)
{
    struct query_node *inner = lower(l, e->args[0]);
    if (!e->negative)
        return inner;
    struct query_node *n = node(l, e, QUERY_BINARY), *minus = node(l, e, QUERY_NUMBER),
                      *args[2] = {minus, inner};
    minus->number = -1;
    minus->is_scalar = true;
    n->binary = QUERY_MUL;
    n->cardinality = QUERY_ONE_TO_ONE;
    set_args(l, n, args, 2);
    return n;
}

static struct query_node *lower(struct lowering *l, const struct promql_expr *e)
{
    struct query_node *n;
    switch (e->kind) {
    case PROMQL_NUMBER:
        n = node(l, e, QUERY_NUMBER);
        n->number = e->number;
        return n;
    case PROMQL_STRING:
        n = node(l, e, QUERY_TEXT);
        n->text = e->string;
        return n;
    case PROMQL_SELECTOR:
        n = node(l, e, QUERY_INSTANT);
        set_selector(l, n, e);
        return n;
    case PROMQL_CALL: return lower_call(l, e);
    case PROMQL_AGGREGATE: {
        struct query_node *args[2] = {NULL};
        n = node(l, e, QUERY_AGGREGATE);
        n->aggregate = e->aggregate;
        n->without = e->without;
        n->grouping = e->grouping;
        n->grouping_count = e->grouping_count;
        for (size_t i = 0; i < e->arg_count && i < 2; i++)
            args[i] = lower(l, e->args[i]);
        set_args(l, n, args, e->arg_count);
        return n;
    }
    case PROMQL_BINARY: return lower_binary(l, e);
    case PROMQL_UNARY: return lower_unary(l, e);
    case PROMQL_PAREN: return lower(l, e->args[0]);
    case PROMQL_MATRIX:
    case PROMQL_SUBQUERY: break; /* only below a function, or at the top */
    }
    base_assert(!"a range where none may be");
    return NULL;
}

int promql_plan(const struct promql_expr *e, const struct query_steps *steps,
                const struct promql_options *options, struct arena *arena, struct query_plan **out,
                struct diag *diag)
{
    static const enum query_kind kinds[] = {QUERY_SCALAR, QUERY_VECTOR, QUERY_MATRIX, QUERY_STRING};
    struct lowering l = {.arena = arena, .steps = steps, .options = options, .diag = diag};
    struct query_plan *plan = ARENA_NEW(arena, struct query_plan);
    if (!steps->instant && e->type != QUERY_TYPE_SCALAR && e->type != QUERY_TYPE_VECTOR)
        return diag_set(
            diag, ERR_INVALID,
            "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
            promql__type_name(e->type));
    plan->steps = *steps;
    plan->kind = kinds[e->type];
    plan->delayed_name_removal = options->delayed_name_removal;
    const struct promql_expr *top = strip(e);
    if (top->kind == PROMQL_MATRIX) {
        plan->raw_samples = true;
        plan->root = node(&l, top, QUERY_WINDOW);
        plan->root->range_ns = duration_of(&l, top, top->range, true);
        plan->root->function = query_function_find(SLICE("last_over_time"));
        set_selector(&l, plan->root, top->args[0]);
    } else if (top->kind == PROMQL_SUBQUERY) {
        /* Its inner expression, at its own steps. */
        int64_t step = top->step ? duration_of(&l, top, top->step, true) : SUBQUERY_STEP_NS;
        struct query_selector when = {0};
        set_time(&l, &when, top);
        int64_t end = (when.has_at ? when.at_ns : steps->start_ns) - when.offset_ns,
                first = end - duration_of(&l, top, top->range, true), start = first / step * step;
        while (start <= first)
            start += step;
        plan->steps =
            (struct query_steps){.start_ns = start, .end_ns = MAX(end, start), .step_ns = step};
        plan->root = lower(&l, top->args[0]);
    } else {
        plan->root = lower(&l, e);
    }
    *out = plan;
    return l.err;
}
