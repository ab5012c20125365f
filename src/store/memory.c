#include "store/memory.h"

#include <stdlib.h>

#include "base/map.h"
#include "data/histogram_math.h"

struct sample {
    int64_t ts, start;
    double value;
    const struct data_histogram *histogram;
};

struct series {
    struct data_labels labels;
    VEC(struct sample) samples;
};

struct store_memory {
    struct store_source face;
    struct arena *arena;
    struct map *by_key;
    VEC(struct series *) series;
};

struct store_selection {
    VEC(struct series *) series;
};

static struct store_memory *of(struct store_source *src)
{
    return BASE_CONTAINER_OF(src, struct store_memory, face);
}

static int by_labels(const void *a, const void *b)
{
    return data_labels_cmp((*(struct series *const *)a)->labels,
                           (*(struct series *const *)b)->labels);
}

static bool matches(const struct series *s, const struct store_select_req *req)
{
    for (size_t i = 0; i < req->matcher_count; i++) {
        struct slice v = data_labels_get(s->labels, req->matchers[i].name);
        if (!store_matcher_matches(&req->matchers[i], v.ptr ? v : SLICE("")))
            return false;
    }
    for (size_t i = 0; i < s->samples.len; i++) {
        if (s->samples.items[i].ts >= req->t_min_ns && s->samples.items[i].ts <= req->t_max_ns)
            return true;
    }
    return false;
}

static int memory_select(struct store_source *src, const struct store_select_req *req,
                         struct store_selection **out, struct diag *diag)
{
    (void)diag;
    struct store_memory *m = of(src);
    struct store_selection *sel = mem_calloc(1, sizeof(*sel));
    for (size_t i = 0; i < m->series.len; i++) {
        if (matches(m->series.items[i], req))
            vec_push(&sel->series, m->series.items[i]);
    }
    if (sel->series.len)
        qsort(sel->series.items, sel->series.len, sizeof(struct series *), by_labels);
    *out = sel;
    return 0;
}

static size_t memory_count(const struct store_selection *sel)
{
    return sel->series.len;
}

static struct data_labels memory_labels(const struct store_selection *sel, size_t i)
{
    return sel->series.items[i]->labels;
}

static int memory_read(struct store_selection *sel, size_t i, int64_t t_min, int64_t t_max,
                       struct store_samples *out, struct diag *diag)
{
    (void)diag;
    const struct series *s = sel->series.items[i];
    bool histograms = false, starts = false;
    for (size_t k = 0; k < s->samples.len; k++) {
        histograms |= s->samples.items[k].histogram != NULL;
        starts |= s->samples.items[k].start != 0;
    }
    store_samples_reserve(out, s->samples.len, histograms, starts);
    out->count = 0;
    for (size_t k = 0; k < s->samples.len; k++) {
        const struct sample *one = &s->samples.items[k];
        if (one->ts < t_min || one->ts > t_max)
            continue;
        out->ts[out->count] = one->ts;
        out->value[out->count] = one->value;
        if (histograms)
            out->histogram[out->count] = one->histogram;
        if (starts)
            out->start[out->count] = one->start;
        out->count++;
    }
    return 0;
}

static void memory_free(struct store_selection *sel)
{
    vec_free(&sel->series);
    mem_free(sel);
}

struct store_memory *store_memory_new(void)
{
    static const struct store_source_ops ops = {.select = memory_select,
                                                .selection_count = memory_count,
                                                .selection_labels = memory_labels,
                                                .selection_read = memory_read,
                                                .selection_free = memory_free};
    struct store_memory *m = mem_calloc(1, sizeof(*m));
    m->face.ops = &ops;
    m->arena = arena_new(0, NULL);
    m->by_key = map_new();
    return m;
}

void store_memory_clear(struct store_memory *m)
{
    for (size_t i = 0; i < m->series.len; i++)
        vec_free(&m->series.items[i]->samples);
    vec_clear(&m->series);
    map_clear(m->by_key);
    arena_reset(m->arena);
}

void store_memory_free(struct store_memory *m)
{
    store_memory_clear(m);
    vec_free(&m->series);
    map_free(m->by_key);
    arena_free(m->arena);
    mem_free(m);
}

struct store_source *store_memory_face(struct store_memory *m)
{
    return &m->face;
}

static struct series *series_of(struct store_memory *m, struct data_labels labels)
{
    struct buf key = {0};
    bool added;
    data_labels_encode(labels, &key);
    struct map_entry *e = map_put(m->by_key, buf_slice(&key), &added);
    if (added) {
        struct series *s = ARENA_NEW(m->arena, struct series);
        s->labels = data_labels_copy(m->arena, labels);
        vec_push(&m->series, s);
        e->value.ptr = s;
    }
    buf_deinit(&key);
    return e->value.ptr;
}

void store_memory_add(struct store_memory *m, struct data_labels labels, int64_t ts_ns,
                      double value, const struct data_histogram *histogram)
{
    struct series *s = series_of(m, labels);
    struct data_histogram *own = histogram ? data_histogram_copy(m->arena, histogram) : NULL;
    const struct data_histogram *before =
        s->samples.len ? s->samples.items[s->samples.len - 1].histogram : NULL;
    /* As a store does: it says where it saw that the counter went on. */
    if (own && before && own->reset_hint == DATA_RESET_UNKNOWN &&
        before->reset_hint != DATA_RESET_GAUGE && own->schema == before->schema &&
        !data_histogram_is_reset(own, before))
        own->reset_hint = DATA_RESET_NO;
    vec_push(&s->samples, ((struct sample){ts_ns, 0, value, own}));
}

void store_memory_set_start(struct store_memory *m, struct data_labels labels, int64_t start_ns)
{
    struct series *s = series_of(m, labels);
    s->samples.items[s->samples.len - 1].start = start_ns;
}

bool store_memory_newest(struct store_memory *m, struct data_labels labels, int64_t *out_ns)
{
    struct series *s = series_of(m, labels);
    if (s->samples.len)
        *out_ns = s->samples.items[s->samples.len - 1].ts;
    return s->samples.len > 0;
}
