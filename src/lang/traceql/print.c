#include <math.h>

#include "codec/number.h"
#include "lang/traceql/ast.h"

/* A sign in front of a product or a power is read as that of all of it. */
static bool has_sign(const struct traceql_expr *e)
{
    if (e->kind == TRACEQL_EXPR_OP)
        return !e->b;
    return e->kind == TRACEQL_EXPR_VALUE &&
           (e->value.kind == TRACEQL_FLOAT ? signbit(e->value.d) != 0
                                           : traceql__is_number(e->value.kind) && e->value.i < 0);
}

static void print_expr(const struct traceql_query *q, const struct traceql_expr *e, bool inner,
                       struct buf *out)
{
    switch (e->kind) {
    case TRACEQL_EXPR_VALUE: traceql__value_print(e->value, out); return;
    case TRACEQL_EXPR_FIELD: buf_append_slice(out, q->fields.items[e->field].text); return;
    case TRACEQL_EXPR_OP: break;
    }
    if (!e->b) {
        buf_append_cstr(out, traceql__op_name(e->op));
        print_expr(q, e->a, true, out);
        return;
    }
    if (inner)
        buf_append_char(out, '(');
    bool sign = e->op >= TRACEQL_MUL && e->op <= TRACEQL_POW && has_sign(e->a);
    buf_append_cstr(out, sign ? "(" : "");
    print_expr(q, e->a, true, out);
    buf_printf(out, sign ? ") %s " : " %s ", traceql__op_name(e->op));
    print_expr(q, e->b, true, out);
    if (inner)
        buf_append_char(out, ')');
}

void traceql__print_expr(const struct traceql_query *q, const struct traceql_expr *e,
                         struct buf *out)
{
    print_expr(q, e, false, out);
}

static void print_scalar(const struct traceql_query *q, const struct traceql_scalar *s, bool inner,
                         struct buf *out)
{
    static const char *const names[] = {"count", "min", "max", "avg", "sum"};
    switch (s->kind) {
    case TRACEQL_SCALAR_VALUE: traceql__value_print(s->value, out); return;
    case TRACEQL_SCALAR_AGGREGATE:
        if (s->pipeline) {
            buf_append_char(out, '(');
            traceql__print_pipeline(q, s->pipeline, out);
            buf_append_cstr(out, " | ");
        }
        buf_printf(out, "%s(", names[s->aggregate]);
        if (s->expr)
            traceql__print_expr(q, s->expr, out);
        buf_append_cstr(out, s->pipeline ? "))" : ")");
        return;
    case TRACEQL_SCALAR_OP: break;
    }
    if (inner)
        buf_append_char(out, '(');
    print_scalar(q, s->a, true, out);
    buf_printf(out, " %s ", traceql__op_name(s->op));
    print_scalar(q, s->b, true, out);
    if (inner)
        buf_append_char(out, ')');
}

void traceql__print_scalar(const struct traceql_query *q, const struct traceql_scalar *s,
                           struct buf *out)
{
    print_scalar(q, s, false, out);
}

static void print_set(const struct traceql_query *q, const struct traceql_set *s, bool inner,
                      struct buf *out)
{
    switch (s->kind) {
    case TRACEQL_SET_FILTER:
        buf_append_cstr(out, "{ ");
        if (s->expr)
            traceql__print_expr(q, s->expr, out);
        else
            buf_append_cstr(out, "true");
        buf_append_cstr(out, " }");
        return;
    case TRACEQL_SET_PIPELINE:
        buf_append_char(out, '(');
        traceql__print_pipeline(q, s->pipeline, out);
        buf_append_char(out, ')');
        return;
    case TRACEQL_SET_OP: break;
    }
    if (inner)
        buf_append_char(out, '(');
    print_set(q, s->a, true, out);
    buf_printf(out, " %s ", traceql__op_name(s->op));
    print_set(q, s->b, true, out);
    if (inner)
        buf_append_char(out, ')');
}

static void print_list(const struct traceql_query *q, const struct traceql_expr *const *exprs,
                       size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        buf_append_cstr(out, i ? ", " : "");
        traceql__print_expr(q, exprs[i], out);
    }
}

static void print_stage(const struct traceql_query *q, const struct traceql_stage *s,
                        struct buf *out)
{
    switch (s->kind) {
    case TRACEQL_STAGE_SET: print_set(q, s->set, false, out); return;
    case TRACEQL_STAGE_SCALAR: traceql__print_scalar(q, s->scalar, out); return;
    case TRACEQL_STAGE_COALESCE: buf_append_cstr(out, "coalesce("); break;
    case TRACEQL_STAGE_BY: buf_append_cstr(out, "by("); break;
    case TRACEQL_STAGE_SELECT: buf_append_cstr(out, "select("); break;
    }
    print_list(q, s->exprs, s->expr_count, out);
    buf_append_char(out, ')');
}

void traceql__print_pipeline(const struct traceql_query *q, const struct traceql_pipeline *p,
                             struct buf *out)
{
    for (size_t i = 0; i < p->count; i++) {
        buf_append_cstr(out, i ? " | " : "");
        print_stage(q, &p->stages[i], out);
    }
}

static void print_function(const struct traceql_query *q, const struct traceql_metric *m,
                           struct buf *out)
{
    traceql__print_pipeline(q, m->pipeline, out);
    buf_printf(out, " | %s(", traceql__metric_names[m->function]);
    if (m->function == TRACEQL_COMPARE) {
        buf_append_char(out, '{');
        if (m->expr)
            traceql__print_expr(q, m->expr, out);
        buf_printf(out, "}, %lld", (long long)m->top);
        if (m->compare_end_ns)
            buf_printf(out, ", %lld, %lld", (long long)m->compare_start_ns,
                       (long long)m->compare_end_ns);
    } else if (m->expr) {
        traceql__print_expr(q, m->expr, out);
    }
    for (size_t i = 0; i < m->quantile_count; i++) {
        buf_append_cstr(out, ", ");
        codec_append_double(out, m->quantiles[i], CODEC_DOUBLE_JSON);
    }
    buf_append_char(out, ')');
    if (m->by_count) {
        buf_append_cstr(out, " by(");
        print_list(q, m->by, m->by_count, out);
        buf_append_char(out, ')');
    }
}

static void print_metric(const struct traceql_query *q, const struct traceql_metric *m, bool inner,
                         struct buf *out)
{
    if (inner && m->kind != TRACEQL_METRIC_NUMBER)
        buf_append_char(out, '(');
    switch (m->kind) {
    case TRACEQL_METRIC_NUMBER:
        traceql__value_print((struct traceql_value){.kind = TRACEQL_FLOAT, .d = m->number}, out);
        break;
    case TRACEQL_METRIC_FUNCTION: print_function(q, m, out); break;
    case TRACEQL_METRIC_TOPK:
    case TRACEQL_METRIC_BOTTOMK:
        print_metric(q, m->a, false, out);
        buf_printf(out, " | %s(%.0f)", m->kind == TRACEQL_METRIC_TOPK ? "topk" : "bottomk",
                   m->number);
        break;
    case TRACEQL_METRIC_OP: {
        bool compares = traceql__is_compare(m->op);
        print_metric(q, m->a, !compares, out);
        buf_printf(out, " %s ", traceql__op_name(m->op));
        print_metric(q, m->b, true, out);
        break;
    }
    }
    if (inner && m->kind != TRACEQL_METRIC_NUMBER)
        buf_append_char(out, ')');
}

void traceql_print(const struct traceql_query *q, struct buf *out)
{
    if (q->metric)
        print_metric(q, q->metric, false, out);
    else
        traceql__print_pipeline(q, q->pipeline, out);
    for (size_t i = 0; i < q->hint_count; i++) {
        buf_append_cstr(out, i ? ", " : " with(");
        buf_append_slice(out, q->hints[i].name);
        buf_append_char(out, '=');
        traceql__value_print(q->hints[i].value, out);
    }
    if (q->hint_count)
        buf_append_char(out, ')');
}

static bool asks_about_trace(const struct traceql_field *f)
{
    return f->intrinsic == TRACEQL_I_TRACE_ID ||
           (f->intrinsic >= TRACEQL_I_ROOT_NAME && f->intrinsic <= TRACEQL_I_TRACE_DURATION);
}

bool traceql_print_condition(const struct traceql_query *q, struct buf *out)
{
    const struct traceql_pipeline *p = q->pipeline;
    if (!p || p->count != 1 || p->stages[0].kind != TRACEQL_STAGE_SET ||
        p->stages[0].set->kind != TRACEQL_SET_FILTER)
        return false;
    for (size_t i = 0; i < q->fields.len; i++) {
        if (asks_about_trace(&q->fields.items[i]))
            return false;
    }
    if (p->stages[0].set->expr)
        traceql__print_expr(q, p->stages[0].set->expr, out);
    else
        buf_append_cstr(out, "true");
    return true;
}
