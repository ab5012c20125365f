#include "nhcb.h"

#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "codec/number.h"

struct bucket {
    double bound;
    const struct promql_series_value *values;
    size_t count;
};

struct one {
    struct data_labels labels;
    VEC(struct bucket) buckets;
    struct bucket total, sum;
};

struct nhcb {
    struct arena *arena;
    struct map *known;
    VEC(struct one *) all;
};

struct nhcb *nhcb_new(void)
{
    struct nhcb *n = mem_calloc(1, sizeof(*n));
    n->arena = arena_new(0, NULL);
    n->known = map_new();
    return n;
}

void nhcb_free(struct nhcb *n)
{
    for (size_t i = 0; i < n->all.len; i++)
        vec_free(&n->all.items[i]->buckets);
    vec_free(&n->all);
    map_free(n->known);
    arena_free(n->arena);
    mem_free(n);
}

static struct one *find(struct nhcb *n, struct data_labels labels, struct slice name)
{
    struct data_labels_builder b = {0};
    struct data_labels base;
    struct buf key = {0};
    bool added;
    data_labels_builder_from(&b, labels);
    data_labels_builder_set(&b, SLICE(DATA_METRIC_NAME), name);
    data_labels_builder_set(&b, SLICE("le"), SLICE(""));
    if (data_labels_builder_finish(&b, &base, NULL))
        abort();
    base = data_labels_copy(n->arena, base);
    data_labels_builder_deinit(&b);
    data_labels_encode(base, &key);
    struct map_entry *e = map_put(n->known, buf_slice(&key), &added);
    buf_deinit(&key);
    if (added) {
        struct one *fresh = ARENA_NEW(n->arena, struct one);
        fresh->labels = base;
        vec_push(&n->all, fresh);
        e->value.ptr = fresh;
    }
    return e->value.ptr;
}

void nhcb_take(struct nhcb *n, struct data_labels labels, const struct promql_series_value *values,
               size_t count)
{
    static const char *const suffixes[] = {"_bucket", "_count", "_sum"};
    struct slice name = data_labels_get(labels, SLICE(DATA_METRIC_NAME));
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        struct slice suffix = slice_cstr(suffixes[i]);
        struct bucket b = {.values = values, .count = count};
        if (!slice_ends_with(name, suffix))
            continue;
        if (i == 0 && !codec_text_to_double(data_labels_get(labels, SLICE("le")), &b.bound, NULL))
            return;
        struct one *o = find(n, labels, slice_first(name, name.len - suffix.len));
        if (i == 0)
            vec_push(&o->buckets, b);
        else
            *(i == 1 ? &o->total : &o->sum) = b;
        return;
    }
}

static int by_bound(const void *a, const void *b)
{
    double p = ((const struct bucket *)a)->bound, q = ((const struct bucket *)b)->bound;
    return (p > q) - (p < q);
}

static bool value_at(const struct bucket *b, size_t i, double *out)
{
    if (i >= b->count || b->values[i].missing || b->values[i].histogram)
        return false;
    *out = b->values[i].value;
    return true;
}

static void add_one(struct nhcb *n, struct one *o, size_t i, struct store_memory *to, int64_t ts)
{
    double bounds[64], counts[65], before = 0, v;
    uint32_t bound_count = 0, count = 0;
    bool any = false, has_total = value_at(&o->total, i, &v);
    double total = has_total ? v : 0, sum = 0;
    for (size_t k = 0; k < o->buckets.len && count < 64; k++) {
        const struct bucket *b = &o->buckets.items[k];
        if (!value_at(b, i, &v))
            continue;
        any = true;
        if (isinf(b->bound)) {
            total = has_total ? total : v;
            has_total = true;
            continue;
        }
        bounds[bound_count++] = b->bound;
        counts[count++] = v - before;
        before = v;
    }
    any |= has_total;
    if (value_at(&o->sum, i, &v)) {
        sum = v;
        any = true;
    }
    if (!any)
        return;
    if (!has_total)
        total = before;
    counts[count++] = total - before;
    struct data_histogram_span span = {0, count};
    struct data_histogram h = {.schema = DATA_HISTOGRAM_SCHEMA_CUSTOM,
                               .count = total,
                               .sum = sum,
                               .positive_spans = &span,
                               .positive_span_count = 1,
                               .positive = counts,
                               .positive_count = count,
                               .custom_bounds = bounds,
                               .custom_bound_count = bound_count};
    (void)n;
    store_memory_add(to, o->labels, ts, 0, &h);
}

void nhcb_add(struct nhcb *n, struct store_memory *to, int64_t step_ns)
{
    for (size_t i = 0; i < n->all.len; i++) {
        struct one *o = n->all.items[i];
        size_t longest = MAX(o->total.count, o->sum.count);
        for (size_t k = 0; k < o->buckets.len; k++)
            longest = MAX(longest, o->buckets.items[k].count);
        if (o->buckets.len)
            qsort(o->buckets.items, o->buckets.len, sizeof(struct bucket), by_bound);
        for (size_t k = 0; k < longest; k++)
            add_one(n, o, k, to, (int64_t)k * step_ns);
    }
}
