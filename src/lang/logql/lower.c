/* Metric expressions to the plan of query/plan.h. Only the aggregation over a range is LogQL's own;
 * all above it are PromQL's kernels. */
#include <math.h>

#include "lang/logql/range.h"
#include "query/functions.h"

struct lowering {
    struct arena *arena;
    const struct logql_env *env;
    struct logql_stats *stats;
    struct diag *diag;
    bool instant;
    int err;
};

static struct query_node *lower(struct lowering *l, const struct logql_expr *e,
                                const struct logql_expr *parent);

static struct query_node *node(struct lowering *l, const struct logql_expr *e, enum query_op op)
{
    struct query_node *n = ARENA_NEW(l->arena, struct query_node);
    n->op = op;
    n->pos_begin = e->begin;
    n->pos_end = e->end;
    n->line = e->line;
    n->col = e->col;
    return n;
}

static void set_args(struct lowering *l, struct query_node *n, struct query_node *const *args,
                     size_t count)
{
    n->args = arena_dup(l->arena, args, count * sizeof(*args));
    n->arg_count = count;
}

static struct query_node *number(struct lowering *l, const struct logql_expr *e, double v)
{
    struct query_node *n = node(l, e, QUERY_NUMBER);
    n->number = v;
    n->is_scalar = true;
    return n;
}

/* Whether lines may be put together by the aggregation's labels at once: the sum of sums is the sum
 * of all, and so on. */
static bool may_group(const struct logql_expr *range, const struct logql_expr *parent)
{
    if (!parent || parent->kind != LOGQL_AGGREGATE)
        return false;
    switch (range->range_op) {
    case LOGQL_COUNT:
    case LOGQL_RATE:
    case LOGQL_BYTES:
    case LOGQL_BYTES_RATE:
    case LOGQL_SUM: return parent->aggregate->query == QUERY_SUM;
    case LOGQL_MIN: return parent->aggregate->query == QUERY_MIN && !range->has_grouping;
    case LOGQL_MAX: return parent->aggregate->query == QUERY_MAX && !range->has_grouping;
    default: return false;
    }
}

static struct query_node *lower_range(struct lowering *l, const struct logql_expr *e,
                                      const struct logql_expr *parent)
{
    struct query_node *n = node(l, e, QUERY_ROWS);
    struct logql_range *range = ARENA_NEW(l->arena, struct logql_range);
    struct logql_pipeline *pipeline;
    const struct logql_expr *grouping = e->has_grouping ? e : may_group(e, parent) ? parent : NULL;
    *range = (struct logql_range){.rows = {logql__range_eval, logql__range_explain},
                                  .expr = e,
                                  .env = l->env,
                                  .grouping = {.without = true},
                                  .stats = l->stats};
    if (grouping)
        range->grouping = (struct logql_grouping){grouping->without, grouping->grouping,
                                                  grouping->grouping_count};
    if (e->range_op == LOGQL_ABSENT)
        range->grouping = (struct logql_grouping){0};
    const struct logql_pipeline_options options = {
        .counts = true,
        .bytes = e->range_op == LOGQL_BYTES || e->range_op == LOGQL_BYTES_RATE,
        .all_labels = range->grouping.without,
        .labels = range->grouping.names,
        .label_count = range->grouping.without ? 0 : range->grouping.count};
    int err = logql_pipeline_new(e->args[0], e->unwrap, &options, l->arena, &pipeline, l->diag);
    if (err && !l->err)
        l->err = err;
    range->pipeline = pipeline;
    n->rows = &range->rows;
    return n;
}

static struct query_node *lower_call(struct lowering *l, const struct logql_expr *e,
                                     const char *function, struct query_node *const *args,
                                     size_t count)
{
    struct query_node *n = node(l, e, QUERY_CALL);
    n->function = query_function_find(slice_cstr(function));
    set_args(l, n, args, count);
    return n;
}

/* LogQL ranks no NaN: it is left out, by a comparison that every other value passes. */
static struct query_node *without_nan(struct lowering *l, const struct logql_expr *e,
                                      struct query_node *arg)
{
    struct query_node *n = node(l, e, QUERY_BINARY), *args[2] = {arg, number(l, e, -INFINITY)};
    n->binary = QUERY_GE;
    set_args(l, n, args, 2);
    return n;
}

static struct query_node *lower_aggregate(struct lowering *l, const struct logql_expr *e)
{
    struct query_node *args[2] = {lower(l, e->args[0], e)};
    if (strcmp(e->aggregate->name, "approx_topk") == 0 && !l->instant && !l->err)
        l->err = diag_set(l->diag, ERR_INVALID, "approx_topk is only supported on instant queries");
    if (e->aggregate->query < 0)
        return l->instant ? lower_call(l, e, e->aggregate->function, args, 1) : args[0];
    if (e->aggregate->query == QUERY_TOPK || e->aggregate->query == QUERY_BOTTOMK)
        args[0] = without_nan(l, e, args[0]);
    struct query_node *n = node(l, e, QUERY_AGGREGATE);
    n->aggregate = (enum query_aggregate)e->aggregate->query;
    n->without = e->without;
    n->grouping = e->grouping;
    n->grouping_count = e->grouping_count;
    if (e->has_param)
        args[1] = number(l, e, e->param);
    set_args(l, n, args, 1 + e->has_param);
    return n;
}

static struct query_node *lower_binary(struct lowering *l, const struct logql_expr *e)
{
    struct query_node *n = node(l, e, QUERY_BINARY),
                      *args[2] = {lower(l, e->args[0], NULL), lower(l, e->args[1], NULL)};
    n->binary = e->op == QUERY_DIV ? QUERY_DIV_OR_NAN : e->op;
    n->return_bool = e->return_bool;
    n->cardinality = e->cardinality;
    n->on = e->on;
    n->matching = e->matching;
    n->matching_count = e->matching_count;
    n->include = e->include;
    n->include_count = e->include_count;
    set_args(l, n, args, 2);
    return n;
}

static struct query_node *text(struct lowering *l, const struct logql_expr *e, struct slice s)
{
    struct query_node *n = node(l, e, QUERY_TEXT);
    n->text = s;
    return n;
}

static struct query_node *lower(struct lowering *l, const struct logql_expr *e,
                                const struct logql_expr *parent)
{
    struct query_node *args[5];
    switch (e->kind) {
    case LOGQL_RANGE: return lower_range(l, e, parent);
    case LOGQL_AGGREGATE: return lower_aggregate(l, e);
    case LOGQL_BINARY: return lower_binary(l, e);
    case LOGQL_VECTOR:
        args[0] = number(l, e, e->number);
        return lower_call(l, e, "vector", args, 1);
    case LOGQL_LABEL_REPLACE:
        args[0] = lower(l, e->args[0], NULL);
        args[1] = text(l, e, e->dst);
        args[2] = text(l, e, e->replacement);
        args[3] = text(l, e, e->src);
        args[4] = text(l, e, e->regex);
        return lower_call(l, e, "label_replace", args, 5);
    case LOGQL_LOG: /* the parser lets none through */
    case LOGQL_NUMBER: break;
    }
    return number(l, e, e->number);
}

int logql_plan(const struct logql_expr *e, const struct query_steps *steps,
               const struct logql_env *env, struct arena *arena, struct query_plan **out,
               struct logql_stats *stats, struct diag *diag)
{
    struct lowering l = {
        .arena = arena, .env = env, .stats = stats, .diag = diag, .instant = steps->instant};
    struct query_plan *plan = ARENA_NEW(arena, struct query_plan);
    if (e->kind == LOGQL_LOG)
        return diag_set(diag, ERR_INVALID,
                        "log queries are not supported as an instant query type, "
                        "please change your query to a range query type");
    plan->steps = *steps;
    plan->kind = e->kind == LOGQL_NUMBER ? QUERY_SCALAR : QUERY_VECTOR;
    plan->root = lower(&l, e, NULL);
    *out = plan;
    return l.err;
}

bool logql_is_sorted(const struct logql_expr *e)
{
    if (e->kind == LOGQL_BINARY) /* numbers on one side leave the rows of the other in place */
        return (e->args[0]->kind == LOGQL_NUMBER && logql_is_sorted(e->args[1])) ||
               (e->args[1]->kind == LOGQL_NUMBER && logql_is_sorted(e->args[0]));
    return e->kind == LOGQL_AGGREGATE && e->aggregate->query < 0;
}
