/* A batch as rows: labels spelled out, types found, native histograms taken apart for formats that
 * do not know them. */
#include <math.h>
#include <stdlib.h>

#include "data/histogram_math.h"
#include "output/output_priv.h"

#define FAMILIES_MAX 200000

struct output__types {
    pthread_mutex_t lock;
    struct map *families;
};

struct output__types *output__types_new(void)
{
    struct output__types *t = mem_calloc(1, sizeof(*t));
    pthread_mutex_init(&t->lock, NULL);
    t->families = map_new();
    return t;
}

void output__types_free(struct output__types *t)
{
    pthread_mutex_destroy(&t->lock);
    map_free(t->families);
    mem_free(t);
}

void output__types_learn(struct output__types *t, const struct data_metric_batch *batch)
{
    if (!batch->metadata.len)
        return;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < batch->metadata.len; i++) {
        const struct data_batch_metadata *m = &batch->metadata.items[i];
        if (m->type != DATA_METRIC_UNKNOWN &&
            (map_count(t->families) < FAMILIES_MAX || map_get(t->families, m->metric)))
            map_put(t->families, m->metric, NULL)->value.u64 = (uint64_t)m->type;
    }
    pthread_mutex_unlock(&t->lock);
}

static enum data_metric_type get(struct output__types *t, struct slice name)
{
    struct map_entry *e = map_get(t->families, name);
    return e ? (enum data_metric_type)e->value.u64 : DATA_METRIC_UNKNOWN;
}

enum data_metric_type output__type_of(struct output__types *t, struct slice name)
{
    static const char *const parts[] = {"_count", "_sum", "_bucket"};
    pthread_mutex_lock(&t->lock);
    enum data_metric_type type = get(t, name);
    for (size_t i = 0; i < ARRAY_LEN(parts) && type == DATA_METRIC_UNKNOWN; i++) {
        struct slice part = slice_cstr(parts[i]);
        if (!slice_ends_with(name, part))
            continue;
        enum data_metric_type whole = get(t, slice_first(name, name.len - part.len));
        if (whole == DATA_METRIC_HISTOGRAM || whole == DATA_METRIC_SUMMARY)
            type = DATA_METRIC_COUNTER;
    }
    /* OpenMetrics' families of counters are named without it. */
    if (type == DATA_METRIC_UNKNOWN && slice_ends_with(name, SLICE("_total")) &&
        get(t, slice_first(name, name.len - 6)) == DATA_METRIC_COUNTER)
        type = DATA_METRIC_COUNTER;
    pthread_mutex_unlock(&t->lock);
    return type;
}

struct walk {
    const struct output__settings *settings;
    struct arena *arena;
    void (*each)(void *ctx, const struct output__row *row);
    void *ctx;
    data_histogram_bucket_list buckets;
    struct data_labels_builder builder;
};

/* One series of the batch, looked up once. */
struct known {
    struct data_labels labels;
    struct slice name;
    enum data_metric_type type;
    bool is_known, is_left_out, is_refused, is_told;
};

/* Labels as they go: with the output's own, relabelled. */
static void spell_out(struct walk *w, struct output__types *types, struct slice key,
                      struct known *out)
{
    const struct output__settings *s = w->settings;
    out->is_known = true;
    if (data_labels_decode(key, w->arena, &out->labels)) {
        out->is_left_out = true;
        return;
    }
    out->type = output__type_of(types, data_labels_get(out->labels, SLICE(DATA_METRIC_NAME)));
    if (s->labels.count || s->relabel.count || s->prefix[0]) {
        struct data_labels set;
        data_labels_builder_from(&w->builder, out->labels);
        for (size_t i = 0; i < s->labels.count; i++) {
            if (!data_labels_builder_get(&w->builder, s->labels.items[i].name).len)
                data_labels_builder_set(&w->builder, s->labels.items[i].name,
                                        s->labels.items[i].value);
        }
        enum pipe_relabel_verdict v = pipe_relabel_apply(&s->relabel, &w->builder, w->arena, NULL);
        out->is_left_out = v == PIPE_RELABEL_DROPPED;
        out->is_refused = v == PIPE_RELABEL_REFUSED;
        if (s->prefix[0] && !out->is_left_out) {
            struct slice name = data_labels_builder_get(&w->builder, SLICE(DATA_METRIC_NAME));
            data_labels_builder_set(&w->builder, SLICE(DATA_METRIC_NAME),
                                    arena_printf(w->arena, "%s%.*s", s->prefix, SLICE_FMT(name)));
        }
        if (!out->is_left_out && !data_labels_builder_finish(&w->builder, &set, NULL))
            out->labels = data_labels_copy(w->arena, set);
    }
    out->name = data_labels_get(out->labels, SLICE(DATA_METRIC_NAME));
    out->is_left_out |= !out->name.len;
}

static void put_part(struct walk *w, const struct output__row *whole, const char *suffix,
                     struct slice bound, double value)
{
    struct output__row row = *whole;
    struct data_labels set;
    data_labels_builder_from(&w->builder, whole->labels);
    row.name = arena_printf(w->arena, "%.*s%s", SLICE_FMT(whole->name), suffix);
    data_labels_builder_set(&w->builder, SLICE(DATA_METRIC_NAME), row.name);
    if (bound.len)
        data_labels_builder_set(&w->builder, SLICE("le"), bound);
    if (data_labels_builder_finish(&w->builder, &set, NULL))
        return;
    row.labels = set;
    row.type = DATA_METRIC_COUNTER;
    row.histogram = NULL;
    row.value = value;
    w->each(w->ctx, &row);
}

/* A native histogram in classic parts. */
static void put_parts(struct walk *w, const struct output__row *row)
{
    const struct data_histogram *h = row->histogram;
    char text[CODEC_DOUBLE_TEXT_MAX];
    double below = 0;
    if (h->is_stale)
        return;
    data_histogram_buckets(h, &w->buckets);
    for (size_t i = 0; i < w->buckets.len; i++) {
        const struct data_histogram_bucket *b = &w->buckets.items[i];
        below += b->count;
        if (isinf(b->upper))
            break;
        struct slice bound =
            slice_make(text, codec_double_to_text(b->upper, CODEC_DOUBLE_GENERAL, text));
        put_part(w, row, "_bucket", bound, below);
    }
    put_part(w, row, "_bucket", SLICE("+Inf"), h->count);
    put_part(w, row, "_sum", SLICE(""), h->sum);
    put_part(w, row, "_count", SLICE(""), h->count);
}

/* The batch's exemplars by series. */
struct exemplars {
    const struct data_batch_exemplar **sorted;
    size_t count;
};

static int by_series(const void *a, const void *b)
{
    const struct data_batch_exemplar *x = *(const struct data_batch_exemplar *const *)a,
                                     *y = *(const struct data_batch_exemplar *const *)b;
    return x->series != y->series ? (x->series > y->series) - (x->series < y->series)
                                  : (x->ts_ns > y->ts_ns) - (x->ts_ns < y->ts_ns);
}

static void sort_exemplars(const struct data_metric_batch *batch, struct arena *arena,
                           struct exemplars *out)
{
    out->count = batch->exemplars.len;
    out->sorted = ARENA_ARRAY(arena, const struct data_batch_exemplar *, out->count + 1);
    for (size_t i = 0; i < out->count; i++)
        out->sorted[i] = &batch->exemplars.items[i];
    if (out->count)
        qsort(out->sorted, out->count, sizeof(*out->sorted), by_series);
}

static void add_exemplars(const struct exemplars *all, uint32_t series, struct output__row *row)
{
    size_t low = 0, high = all->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (all->sorted[mid]->series < series)
            low = mid + 1;
        else
            high = mid;
    }
    row->exemplars = all->sorted + low;
    while (low < all->count && all->sorted[low++]->series == series)
        row->exemplar_count++;
}

void output__rows(const struct output__settings *settings, const struct output__format *format,
                  struct output__types *types, const struct data_metric_batch *batch,
                  void (*each)(void *ctx, const struct output__row *row), void *ctx)
{
    struct walk w = {.settings = settings, .arena = arena_new(0, NULL), .each = each, .ctx = ctx};
    struct exemplars exemplars = {0};
    if (settings->exemplars && format->exemplars)
        sort_exemplars(batch, w.arena, &exemplars);
    struct known *known = ARENA_ARRAY(w.arena, struct known, batch->series.len + 1);
    for (size_t i = 0; i < batch->sample_ts.len; i++) {
        uint32_t at = batch->sample_series.items[i];
        struct known *k = &known[at];
        if (!k->is_known)
            spell_out(&w, types, batch->series.items[at].key, k);
        if (k->is_left_out)
            continue;
        struct output__row row = {
            .labels = k->labels,
            .name = k->name,
            .is_refused = k->is_refused,
            .type = k->type,
            .ts_ns = batch->sample_ts.items[i],
            .start_ns = batch->sample_start.len ? batch->sample_start.items[i] : 0,
            .value = batch->sample_value.items[i],
            .histogram = batch->sample_histogram.len ? batch->sample_histogram.items[i] : NULL};
        if (row.histogram && !settings->native_histograms)
            continue;
        if (!k->is_told)
            add_exemplars(&exemplars, at, &row);
        k->is_told = true;
        bool stale = row.histogram ? row.histogram->is_stale : data_is_stale(row.value);
        if (stale && !format->stale)
            continue;
        if (row.histogram && !format->histograms && !row.is_refused)
            put_parts(&w, &row);
        else
            each(ctx, &row);
    }
    vec_free(&w.buckets);
    data_labels_builder_deinit(&w.builder);
    arena_free(w.arena);
}
