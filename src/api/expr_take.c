#include "api/expr_take.h"

#include "lang/graphite/graphite.h"

static int no_memory(struct diag *diag)
{
    return diag_set(diag, ERR_NOMEM, "the answer is larger than limits.query.memory");
}

int api_expr_take(const struct api_query *q, const struct query_result *r, struct arena *arena,
                  struct expr_set *out, struct diag *diag)
{
    const struct query_series one = {
        .value = &r->scalar.value, .start_ns = r->scalar.ts_ns, .count = 1};
    bool scalar = r->kind == QUERY_SCALAR;
    size_t count = scalar ? 1 : r->kind == QUERY_STRING ? 0 : r->series_count;
    out->is_numbers = true;
    for (size_t i = 0; i < count; i++) {
        const struct query_series *from = scalar ? &one : &r->series[i];
        struct expr_series *s = expr_set_add(out, arena, from->labels, from->count, false);
        if (!s)
            return no_memory(diag);
        s->single = q->steps.instant && from->count == 1;
        for (size_t k = 0; k < from->count; k++) {
            struct query_point p = query_point_at(from, k);
            s->ts_ns[k] = p.ts_ns;
            s->value[k] = p.histogram ? expr_null() : p.value;
        }
    }
    out->no_data = !out->count;
    return 0;
}

static double value_of(const struct graphite_series *s, size_t i)
{
    return s->values[i] != s->values[i] ? expr_null() : s->values[i];
}

/* The last value that is there, else the last one. */
static size_t last_of(const struct graphite_series *s)
{
    size_t i = s->count;
    while (i > 1 && s->values[i - 1] != s->values[i - 1])
        i--;
    return i ? i - 1 : 0;
}

int api_expr_take_targets(const struct api_query *q, const struct graphite_list *list,
                          struct arena *arena, struct expr_set *out, struct diag *diag)
{
    out->is_numbers = true;
    for (size_t i = 0; i < list->len; i++) {
        const struct graphite_series *from = list->items[i];
        bool single = q->steps.instant && from->count;
        size_t count = single ? 1 : from->count, begin = single ? last_of(from) : 0;
        struct data_label *tags = ARENA_ARRAY(arena, struct data_label, from->tag_count + 1);
        for (size_t k = 0; tags && k < from->tag_count; k++)
            tags[k] = (struct data_label){from->tags[k].name, from->tags[k].value};
        struct data_labels labels = {tags, tags ? from->tag_count : 0};
        struct expr_series *s = tags ? expr_set_add(out, arena, labels, count, false) : NULL;
        if (!s)
            return no_memory(diag);
        s->single = single;
        for (size_t k = 0; k < count; k++) {
            s->ts_ns[k] = (from->start + (int64_t)(begin + k) * from->step) * NS_PER_SEC;
            s->value[k] = value_of(from, begin + k);
        }
        s->name = arena_slice(arena, from->name);
    }
    out->no_data = !out->count;
    return 0;
}
