/* Where running sums of delta temporality go on from: the last samples in the store. */
#include <stdlib.h>

#include "api/otlp/export.h"
#include "base/map.h"
#include "base/mem.h"

/* Of all series of a metric that share the labels of those looked for. */
#define SERIES_MAX 1000000

struct search {
    struct store_source *source;
    struct slice tenant;
    int64_t t_min_ns, t_max_ns;
    struct pipe_delta_last *out;
    struct arena *arena;
    struct map *by_key; /* key of a series to its index */
    struct store_samples samples;
};

static int by_name(const void *a, const void *b)
{
    return slice_cmp(data_labels_get(*(const struct data_labels *)a, SLICE(DATA_METRIC_NAME)),
                     data_labels_get(*(const struct data_labels *)b, SLICE(DATA_METRIC_NAME)));
}

/* What all of them have: for one series its whole label set, for a new process' series its job and
 * instance. */
static size_t common_labels(const struct data_labels *group, size_t count,
                            struct store_matcher *out)
{
    size_t n = 0;
    for (size_t i = 0; i < group[0].count; i++) {
        struct data_label l = group[0].items[i];
        bool shared = true;
        for (size_t k = 1; k < count && shared; k++)
            shared = slice_eq(data_labels_get(group[k], l.name), l.value);
        if (shared)
            out[n++] =
                (struct store_matcher){.op = STORE_MATCH_EQ, .name = l.name, .value = l.value};
    }
    return n;
}

static int read_last(struct search *s, struct store_selection *sel, size_t i,
                     struct pipe_delta_last *out, struct diag *diag)
{
    struct store_samples *samples = &s->samples;
    int err = s->source->ops->selection_read(sel, i, s->t_min_ns, s->t_max_ns, samples, diag);
    if (err || !samples->count)
        return err;
    size_t last = samples->count - 1;
    *out = (struct pipe_delta_last){.is_found = true,
                                    .ts_ns = samples->ts[last],
                                    .start_ns = samples->start ? samples->start[last] : 0};
    const struct data_histogram *h = samples->histogram ? samples->histogram[last] : NULL;
    if (h)
        out->histogram = data_histogram_copy(s->arena, h);
    else
        out->value = samples->value[last];
    return 0;
}

static int find_group(struct search *s, const struct data_labels *group, size_t count,
                      struct diag *diag)
{
    const struct store_source_ops *ops = s->source->ops;
    struct store_matcher *matchers =
        arena_alloc(s->arena, (group[0].count + 1) * sizeof(*matchers));
    struct store_select_req req = {.tenant = s->tenant,
                                   .t_min_ns = s->t_min_ns,
                                   .t_max_ns = s->t_max_ns,
                                   .matchers = matchers,
                                   .matcher_count = common_labels(group, count, matchers),
                                   .series_max = SERIES_MAX,
                                   .any_order = true};
    struct store_selection *sel;
    struct buf key = {0};
    int err = ops->select(s->source, &req, &sel, diag);
    if (err)
        return err;
    size_t n = ops->selection_count(sel);
    for (size_t i = 0; i < n && !err; i++) {
        buf_clear(&key);
        data_labels_encode(ops->selection_labels(sel, i), &key);
        const struct map_entry *e = map_get(s->by_key, buf_slice(&key));
        if (e)
            err = read_last(s, sel, i, &s->out[e->value.u64], diag);
    }
    ops->selection_free(sel);
    buf_deinit(&key);
    return err;
}

static int find(void *ctx, struct slice tenant, const struct data_batch_series *const *series,
                size_t count, int64_t t_min_ns, int64_t t_max_ns, struct arena *arena,
                struct pipe_delta_last *out)
{
    struct api *api = ctx;
    struct search s = {.source = api->source,
                       .tenant = tenant,
                       .t_min_ns = t_min_ns,
                       .t_max_ns = t_max_ns,
                       .out = out,
                       .arena = arena,
                       .by_key = map_new()};
    struct data_labels *wanted = arena_alloc(arena, (count + 1) * sizeof(*wanted));
    struct diag diag;
    int err = 0;
    diag_init(&diag);
    for (size_t i = 0; i < count && !err; i++) {
        err = data_labels_decode(series[i]->key, arena, &wanted[i]);
        map_put(s.by_key, series[i]->key, NULL)->value.u64 = i;
    }
    if (!err)
        qsort(wanted, count, sizeof(*wanted), by_name);
    for (size_t from = 0, to; from < count && !err; from = to) {
        for (to = from + 1; to < count && !by_name(&wanted[from], &wanted[to]);)
            to++;
        err = find_group(&s, wanted + from, to - from, &diag);
    }
    store_samples_free(&s.samples);
    map_free(s.by_key);
    return err;
}

struct pipe_delta *api__otlp_delta_new(struct api *api, const struct api_limits *limits)
{
    return pipe_delta_new(&(struct pipe_delta_config){.series_max = (size_t)limits->delta_series,
                                                      .idle_ns = limits->delta_idle_ns,
                                                      .find = find,
                                                      .ctx = api});
}
