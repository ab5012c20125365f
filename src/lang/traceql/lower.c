/* Metrics queries to a plan: functions over spans are sources of rows, all above them is the common
 * plan's. */
#include "codec/number.h"
#include "lang/traceql/metrics.h"

struct lowering {
    struct traceql_query *q;
    const struct traceql_env *env;
    struct arena *arena;
    int64_t range_ns;
    struct traceql_stats *stats;
    struct traceql_exemplars *exemplars;
    size_t functions;
};

static struct query_node *lower(struct lowering *l, const struct traceql_metric *m);

static struct query_node *node(struct lowering *l, const struct traceql_metric *m, enum query_op op)
{
    struct query_node *n = ARENA_NEW(l->arena, struct query_node);
    n->op = op;
    n->pos_begin = m->begin;
    n->pos_end = m->end;
    return n;
}

static void set_args(struct lowering *l, struct query_node *n, struct query_node *a,
                     struct query_node *b)
{
    struct query_node *const args[2] = {a, b};
    n->args = arena_dup(l->arena, args, sizeof(args));
    n->arg_count = 2;
}

static struct query_node *number(struct lowering *l, const struct traceql_metric *m, double v)
{
    struct query_node *n = node(l, m, QUERY_NUMBER);
    n->number = v;
    n->is_scalar = true;
    return n;
}

static struct query_node *lower_function(struct lowering *l, const struct traceql_metric *m)
{
    struct query_node *n = node(l, m, QUERY_ROWS);
    struct traceql_metrics *rows = ARENA_NEW(l->arena, struct traceql_metrics);
    *rows = (struct traceql_metrics){.rows = {traceql__metrics_eval, traceql__metrics_explain},
                                     .query = l->q,
                                     .metric = m,
                                     .env = l->env,
                                     .range_ns = l->range_ns,
                                     .stats = l->stats,
                                     .exemplars = l->exemplars,
                                     .functions = l->functions};
    n->rows = &rows->rows;
    return n;
}

/* Series have labels beyond the function's name. */
static bool is_grouped(const struct traceql_metric *m)
{
    while (m->kind == TRACEQL_METRIC_TOPK || m->kind == TRACEQL_METRIC_BOTTOMK)
        m = m->a;
    if (m->kind == TRACEQL_METRIC_OP)
        return is_grouped(m->a) || is_grouped(m->b);
    return m->kind == TRACEQL_METRIC_FUNCTION &&
           (m->by_count || m->function >= TRACEQL_QUANTILE_OVER_TIME);
}

static enum query_binary_op binary_op(enum traceql_op op)
{
    static const enum query_binary_op ops[] = {
        [TRACEQL_ADD] = QUERY_ADD,        [TRACEQL_SUB] = QUERY_SUB, [TRACEQL_MUL] = QUERY_MUL,
        [TRACEQL_DIV] = QUERY_DIV_OR_NAN, [TRACEQL_MOD] = QUERY_MOD, [TRACEQL_POW] = QUERY_POW,
        [TRACEQL_EQ] = QUERY_EQ,          [TRACEQL_NE] = QUERY_NE,   [TRACEQL_LT] = QUERY_LT,
        [TRACEQL_LE] = QUERY_LE,          [TRACEQL_GT] = QUERY_GT,   [TRACEQL_GE] = QUERY_GE};
    return ops[op];
}

static struct query_node *lower_binary(struct lowering *l, const struct traceql_metric *m)
{
    struct query_node *a = lower(l, m->a), *b = lower(l, m->b), *n = node(l, m, QUERY_BINARY);
    n->binary = binary_op(m->op);
    n->cardinality = QUERY_ONE_TO_ONE;
    set_args(l, n, a, b);
    /* One series without labels goes with each of the other side's. */
    if (!a->is_scalar && !b->is_scalar && is_grouped(m->a) != is_grouped(m->b)) {
        n->on = true;
        n->cardinality = is_grouped(m->a) ? QUERY_MANY_TO_ONE : QUERY_ONE_TO_MANY;
    }
    return n;
}

static struct query_node *lower(struct lowering *l, const struct traceql_metric *m)
{
    struct query_node *n;
    switch (m->kind) {
    case TRACEQL_METRIC_FUNCTION: return lower_function(l, m);
    case TRACEQL_METRIC_OP: return lower_binary(l, m);
    case TRACEQL_METRIC_TOPK:
    case TRACEQL_METRIC_BOTTOMK:
        n = node(l, m, QUERY_AGGREGATE);
        n->aggregate = m->kind == TRACEQL_METRIC_TOPK ? QUERY_TOPK : QUERY_BOTTOMK;
        set_args(l, n, lower(l, m->a), number(l, m, m->number));
        return n;
    case TRACEQL_METRIC_NUMBER: break;
    }
    return number(l, m, m->number);
}

static size_t count_functions(const struct traceql_metric *m)
{
    return !m                                   ? 0
           : m->kind == TRACEQL_METRIC_FUNCTION ? 1
                                                : count_functions(m->a) + count_functions(m->b);
}

int traceql_plan(struct traceql_query *q, const struct query_steps *steps, int64_t range_ns,
                 const struct traceql_env *env, struct arena *arena, struct query_plan **out,
                 struct traceql_stats *stats, struct traceql_exemplars *exemplars,
                 struct diag *diag)
{
    struct lowering l = {q, env, arena, range_ns, stats, exemplars, count_functions(q->metric)};
    *out = NULL;
    if (!q->metric)
        return diag_set(diag, ERR_INVALID,
                        "not a metrics query: it ends in no function such as rate()");
    struct query_plan *plan = ARENA_NEW(arena, struct query_plan);
    plan->steps = *steps;
    plan->kind = QUERY_VECTOR;
    plan->root = lower(&l, q->metric);
    *out = plan;
    return 0;
}

struct traceql_value traceql_label_value(struct slice text)
{
    struct slice rest = slice_from(text, 1);
    struct traceql_value out = {0};
    if (!text.len)
        return out;
    switch (text.ptr[0]) {
    case 'i': out.kind = TRACEQL_INT; break;
    case 'b': return traceql__bool(slice_eq_cstr(rest, "true"));
    case 'd': out.kind = TRACEQL_DURATION; break;
    case 't': out.kind = TRACEQL_STATUS; break;
    case 'k': out.kind = TRACEQL_SPAN_KIND; break;
    case 'n': return out;
    case 'f':
        out.kind = TRACEQL_FLOAT;
        return codec_text_to_double(rest, &out.d, NULL) ? out : traceql__text(rest);
    default: return traceql__text(rest);
    }
    return codec_text_to_int(rest, &out.i) ? out : traceql__text(rest);
}
