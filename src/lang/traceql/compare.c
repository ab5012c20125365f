/* compare(): how often each value of each attribute occurs among the spans selected, and among the
 * others (the baseline). */
#include <stdlib.h>

#include "lang/traceql/metrics.h"

#define META "__meta_type"

static const char *const scope_prefix[DATA_SCOPE_COUNT] = {[DATA_SCOPE_ATTRIBUTE] = "span.",
                                                           [DATA_SCOPE_RESOURCE] = "resource.",
                                                           [DATA_SCOPE_SCOPE] = "instrumentation.",
                                                           [DATA_SCOPE_STREAM] = "resource."};

/* Counts one for the value (NIL: for all values together). */
static int add(struct traceql_worker *w, const char *type, const char *prefix, struct slice name,
               struct traceql_value v, size_t step)
{
    bool added;
    buf_clear(&w->key);
    buf_append(&w->key, type, strlen(type) + 1);
    buf_append(&w->key, prefix, strlen(prefix));
    buf_append_slice(&w->key, name);
    buf_append_char(&w->key, 0);
    traceql__key_put(v, &w->key);
    struct traceql_series *s = traceql__series(w, &added);
    if (!s)
        return traceql__no_room(w);
    if (added) {
        struct data_labels_builder b = {0};
        struct slice full = arena_printf(w->arena, "%s%.*s", prefix, SLICE_FMT(name));
        data_labels_builder_set(&b, SLICE(META),
                                traceql__label_text(traceql__text(slice_cstr(type)), w->arena));
        data_labels_builder_set(&b, full, traceql__label_text(v, w->arena));
        (void)data_labels_builder_finish(&b, &s->labels, NULL);
        s->labels = data_labels_copy(w->arena, s->labels);
        data_labels_builder_deinit(&b);
    }
    s->count[step]++;
    return 0;
}

static int add_both(struct traceql_worker *w, bool selected, const char *prefix, struct slice name,
                    struct traceql_value v, size_t step)
{
    const struct traceql_value nil = {0};
    int err = add(w, selected ? "selection" : "baseline", prefix, name, v, step);
    return err ? err
               : add(w, selected ? "selection_total" : "baseline_total", prefix, name, nil, step);
}

static const char *intrinsic(uint32_t id, enum traceql_kind *out_kind)
{
    *out_kind = id == DATA_EVENT_KIND     ? TRACEQL_SPAN_KIND
                : id == DATA_EVENT_STATUS ? TRACEQL_STATUS
                                          : TRACEQL_STRING;
    return id == DATA_EVENT_KIND     ? "kind"
           : id == DATA_EVENT_STATUS ? "status"
           : id == DATA_EVENT_NAME   ? "name"
                                     : "statusMessage";
}

int traceql__compare_add(struct traceql_worker *w, const struct traceql_rows *rows, size_t row,
                         size_t step)
{
    const struct traceql_run *r = w->run;
    const struct traceql_metric *m = r->m->metric;
    int64_t ts = rows->chunk->ts[row];
    bool selected = (!m->expr || traceql__is_true(traceql__eval(rows, m->expr, row))) &&
                    (!m->compare_end_ns || (ts > m->compare_start_ns && ts <= m->compare_end_ns));
    struct data_labels stream = rows->chunk->streams[rows->chunk->stream[row]].labels;
    int err = 0;
    for (size_t i = 0; i < stream.count && !err; i++) {
        struct slice name = stream.items[i].name;
        if (slice_eq_cstr(name, "service_name"))
            name = SLICE("service.name");
        err = add_both(w, selected, "resource.", name, traceql__text(stream.items[i].value), step);
    }
    for (size_t i = 0; i < r->field_count && !err; i++) {
        const struct store_event_field_info *f = &r->fields[i];
        struct data_value v = traceql__column(rows, r->reads.count - r->field_count + i)[row];
        enum traceql_kind kind;
        if (v.kind == DATA_VALUE_NULL)
            continue;
        if (f->scope == DATA_SCOPE_INTRINSIC) {
            const char *name = intrinsic(f->intrinsic, &kind);
            err = add_both(w, selected, "", slice_cstr(name),
                           v.kind == DATA_VALUE_INT ? traceql__int(kind, v.i)
                                                    : traceql__value_of(v, NULL),
                           step);
        } else {
            err = add_both(w, selected, scope_prefix[f->scope], f->name, traceql__value_of(v, NULL),
                           step);
        }
    }
    return err;
}

/* --- the most frequent values of each attribute --- */

struct ranked {
    struct slice type, name;
    double total;
    size_t at;
    struct data_labels labels;
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    int c = slice_cmp(x->name, y->name);
    if (!c)
        c = slice_cmp(x->type, y->type);
    if (!c && x->total != y->total)
        c = x->total > y->total ? -1 : 1;
    return c ? c : data_labels_cmp(x->labels, y->labels);
}

void traceql__compare_cut(struct traceql_worker *w)
{
    size_t top = (size_t)w->run->m->metric->top, n = w->all.len, kept = 0, rank = 0;
    struct ranked *all = mem_calloc(n + 1, sizeof(*all));
    VEC(struct traceql_series) out = {0};
    for (size_t i = 0; i < n; i++) {
        const struct traceql_series *s = &w->all.items[i];
        all[i] = (struct ranked){.at = i, .labels = s->labels};
        for (size_t k = 0; k < s->labels.count; k++) {
            if (slice_eq_cstr(s->labels.items[k].name, META))
                all[i].type = s->labels.items[k].value;
            else
                all[i].name = s->labels.items[k].name;
        }
        for (size_t k = 0; k < w->run->steps; k++)
            all[i].total += s->count[k];
    }
    if (n)
        qsort(all, n, sizeof(*all), by_rank);
    for (size_t i = 0; i < n; i++) {
        bool same =
            i && slice_eq(all[i].name, all[i - 1].name) && slice_eq(all[i].type, all[i - 1].type);
        rank = same ? rank + 1 : 0;
        if (rank < top)
            vec_push(&out, w->all.items[all[i].at]);
    }
    for (; kept < out.len; kept++)
        w->all.items[kept] = out.items[kept];
    w->all.len = out.len;
    vec_free(&out);
    mem_free(all);
}
