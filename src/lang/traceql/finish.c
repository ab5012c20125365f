/* Answers of metrics queries as Tempo gives them: points that are no number are none, what
 * arithmetic left without labels has a name, exemplars are where their series are drawn. */
#include <math.h>
#include <stdlib.h>

#include "lang/traceql/metrics.h"
#include "query/query.h"

/* --- points --- */

/* False: out of memory. */
static bool drop_nans(struct query_series *s, struct arena *arena)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        kept += !isnan(query_point_at(s, i).value);
    if (kept == s->count)
        return true;
    uint32_t *at = ARENA_ARRAY(arena, uint32_t, kept + 1);
    if (!at)
        return false;
    kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!isnan(query_point_at(s, i).value))
            at[kept++] = s->at ? s->at[i] : (uint32_t)i;
    }
    s->at = at;
    s->count = kept;
    return true;
}

/* --- names --- */

/* Of a series without labels: "rate", "(rate / count_over_time)". */
static void put_name(const struct traceql_metric *m, struct buf *out)
{
    if (m->kind == TRACEQL_METRIC_FUNCTION) {
        buf_append_cstr(out, traceql__metric_names[m->function]);
    } else if (m->kind != TRACEQL_METRIC_OP || m->b->kind == TRACEQL_METRIC_NUMBER) {
        put_name(m->a, out);
    } else if (m->a->kind == TRACEQL_METRIC_NUMBER) {
        put_name(m->b, out);
    } else {
        buf_append_char(out, '(');
        put_name(m->a, out);
        buf_printf(out, " %s ", traceql__op_name(m->op));
        put_name(m->b, out);
        buf_append_char(out, ')');
    }
}

static bool set_name(const struct traceql_metric *m, struct query_series *s, struct arena *arena)
{
    struct buf name = {0};
    struct data_label *label = ARENA_ARRAY(arena, struct data_label, 1);
    if (!label)
        return false;
    put_name(m, &name);
    label->name = SLICE(DATA_METRIC_NAME);
    label->value = traceql__label_text(traceql__text(buf_slice(&name)), arena);
    s->labels = (struct data_labels){.items = label, .count = 1};
    buf_deinit(&name);
    return true;
}

static const struct traceql_metric *grouped(const struct traceql_metric *m)
{
    if (!m || m->kind == TRACEQL_METRIC_FUNCTION)
        return m && m->by_count ? m : NULL;
    const struct traceql_metric *a = grouped(m->a);
    return a ? a : grouped(m->b);
}

bool traceql_group_name(const struct traceql_query *q, size_t i, struct slice *out)
{
    const struct traceql_metric *m = grouped(q->metric);
    if (!m || i >= m->by_count)
        return false;
    *out = q->fields.items[m->by[i]->field].text;
    return true;
}

/* --- exemplars --- */

/* What became of an exemplar's value above the function it is of. False: that is not below m, or
 * the value did not meet a comparison. NAN: it went together with other series. */
static bool value_above(const struct traceql_metric *m, const struct traceql_exemplar *e,
                        double *out)
{
    double v;
    if (m->kind == TRACEQL_METRIC_FUNCTION) {
        *out = e->value;
        return m == e->function;
    }
    if (m->kind != TRACEQL_METRIC_OP)
        return m->kind != TRACEQL_METRIC_NUMBER && value_above(m->a, e, out);
    bool left = value_above(m->a, e, &v);
    if (!left && !value_above(m->b, e, &v))
        return false;
    const struct traceql_metric *other = left ? m->b : m->a;
    struct traceql_value a = {.kind = TRACEQL_FLOAT, .d = v};
    struct traceql_value b = {.kind = TRACEQL_FLOAT, .d = other->number};
    if (other->kind != TRACEQL_METRIC_NUMBER) {
        *out = NAN;
        return true;
    }
    if (traceql__is_compare(m->op)) {
        *out = v;
        return isnan(v) || traceql__compare(m->op, a, b, NULL);
    }
    a = left ? traceql__calculate(m->op, a, b) : traceql__calculate(m->op, b, a);
    *out = a.kind == TRACEQL_FLOAT ? a.d : NAN;
    return true;
}

static bool is_of(const struct traceql_exemplar *e, struct data_labels labels)
{
    bool quantiles = e->function->function == TRACEQL_QUANTILE_OVER_TIME;
    size_t k = 0;
    for (size_t i = 0; i < labels.count; i++) {
        struct data_label l = labels.items[i];
        if (slice_eq_cstr(l.name, DATA_METRIC_NAME) || (quantiles && slice_eq_cstr(l.name, "p")))
            continue;
        if (k == e->labels.count || !slice_eq(l.name, e->labels.items[k].name) ||
            !slice_eq(l.value, e->labels.items[k].value))
            return false;
        k++;
    }
    return k == e->labels.count;
}

/* The value at the step that a time counts for. */
static bool point_of(const struct query_series *s, int64_t ts_ns, int64_t step_ns, double *out)
{
    size_t lo = 0, hi = s->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (query_point_at(s, mid).ts_ns < ts_ns)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == s->count || query_point_at(s, lo).ts_ns - ts_ns >= step_ns)
        return false;
    *out = query_point_at(s, lo).value;
    return true;
}

/* Of several quantiles it is with the nearest one. */
static bool place(const struct traceql_metric *root, const struct query_result *r, int64_t step_ns,
                  struct traceql_exemplar *e)
{
    double value, point, nearest = INFINITY;
    bool found = false;
    if (!value_above(root, e, &value))
        return false;
    for (size_t i = 0; i < r->series_count; i++) {
        if (!is_of(e, r->series[i].labels) || !point_of(&r->series[i], e->ts_ns, step_ns, &point))
            continue;
        double distance = isnan(value) ? 0 : fabs(value - point);
        if (found && !(distance < nearest))
            continue;
        found = true;
        nearest = distance;
        e->series = i;
        e->value = isnan(value) ? point : value;
    }
    return found;
}

static int by_time(const void *a, const void *b)
{
    const struct traceql_exemplar *x = a, *y = b;
    return x->ts_ns != y->ts_ns ? (x->ts_ns > y->ts_ns) - (x->ts_ns < y->ts_ns)
                                : memcmp(x->trace_id, y->trace_id, sizeof(x->trace_id));
}

int traceql_finish(const struct traceql_query *q, int64_t step_ns, struct query_result *r,
                   struct traceql_exemplars *exemplars, struct arena *arena, struct diag *diag)
{
    size_t kept = 0;
    bool room = true;
    for (size_t i = 0; i < r->series_count && room; i++) {
        struct query_series s = r->series[i];
        room = drop_nans(&s, arena) && (s.labels.count || set_name(q->metric, &s, arena));
        if (room && s.count)
            r->series[kept++] = s;
    }
    if (!room)
        return diag_set(diag, ERR_NOMEM,
                        "the query needs more memory than it may use (limits.query.memory)");
    r->series_count = kept;
    kept = 0;
    for (size_t i = 0; exemplars && i < exemplars->count; i++) {
        if (place(q->metric, r, step_ns, &exemplars->items[i]))
            exemplars->items[kept++] = exemplars->items[i];
    }
    if (exemplars && (exemplars->count = kept))
        qsort(exemplars->items, kept, sizeof(*exemplars->items), by_time);
    return 0;
}
