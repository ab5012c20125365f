#include "pipe/span_info_priv.h"

#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"
#include "pipe/span_graph_priv.h"

#define NAME "traces_target_info"

struct target {
    size_t tenant_len; /* at the front of the entry's key; the label key follows */
    int64_t touched_ns;
};

struct pipe__span_info {
    pthread_mutex_t lock;
    struct map *targets;
    struct budget *series;
    int64_t idle_ns;
};

struct pipe__span_info *pipe__span_info_new(struct budget *series, int64_t idle_ns)
{
    struct pipe__span_info *info = mem_calloc(1, sizeof(*info));
    pthread_mutex_init(&info->lock, NULL);
    info->targets = map_new();
    info->series = series;
    info->idle_ns = idle_ns;
    return info;
}

void pipe__span_info_free(struct pipe__span_info *info)
{
    struct map_entry *e;
    if (!info)
        return;
    for (size_t pos = 0; (e = map_next(info->targets, &pos));)
        mem_free(e->value.ptr);
    map_free(info->targets);
    pthread_mutex_destroy(&info->lock);
    mem_free(info);
}

void pipe__span_info_take(struct pipe__span_info *info, struct slice tenant,
                          struct data_labels labels, int64_t now_ns)
{
    struct data_labels_builder builder = {0};
    struct data_labels named;
    struct buf key = {0};
    data_labels_builder_from(&builder, labels);
    data_labels_builder_set(&builder, SLICE(DATA_METRIC_NAME), SLICE(NAME));
    if (!data_labels_builder_finish(&builder, &named, NULL)) {
        bool room = true;
        buf_append_slice(&key, tenant);
        data_labels_encode(named, &key);
        pthread_mutex_lock(&info->lock);
        struct map_entry *e = map_get(info->targets, buf_slice(&key));
        if (!e && (room = budget_take(info->series, 1))) {
            e = map_put(info->targets, buf_slice(&key), NULL);
            struct target *t = e->value.ptr = mem_calloc(1, sizeof(*t));
            t->tenant_len = tenant.len;
        }
        if (e)
            ((struct target *)e->value.ptr)->touched_ns = now_ns;
        pthread_mutex_unlock(&info->lock);
        if (!room)
            pipe__span_count(PIPE__SPAN_LOST);
    }
    buf_deinit(&key);
    data_labels_builder_deinit(&builder);
}

static struct data_metric_batch *batch_of(struct map *batches, struct slice tenant,
                                          bool with_metadata)
{
    bool added;
    struct map_entry *e = map_put(batches, tenant, &added);
    if (added) {
        e->value.ptr = data_metric_batch_new(tenant);
        if (with_metadata)
            data_metric_batch_add_metadata(e->value.ptr, SLICE(NAME), DATA_METRIC_GAUGE, SLICE(""),
                                           SLICE("1, with what is known of a sender of spans."));
    }
    return e->value.ptr;
}

void pipe__span_info_write(struct pipe__span_info *info, struct pipe_sink *sink, int64_t now_ns,
                           bool with_metadata)
{
    struct map *batches = map_new(), *kept = map_new();
    struct map_entry *e;
    pthread_mutex_lock(&info->lock);
    for (size_t pos = 0; (e = map_next(info->targets, &pos));) {
        struct target *t = e->value.ptr;
        bool ends = now_ns - t->touched_ns > info->idle_ns;
        struct data_metric_batch *b =
            batch_of(batches, slice_first(e->key, t->tenant_len), with_metadata);
        uint32_t series = data_metric_batch_add_series_key(
            b, arena_slice(b->arena, slice_from(e->key, t->tenant_len)));
        data_metric_batch_add_sample(b, series, now_ns, ends ? data_stale_nan() : 1);
        if (ends) {
            mem_free(t);
            budget_give(info->series, 1);
        } else {
            map_put(kept, e->key, NULL)->value.ptr = t;
        }
    }
    map_free(info->targets);
    info->targets = kept;
    pthread_mutex_unlock(&info->lock);
    for (size_t pos = 0; (e = map_next(batches, &pos));) {
        sink->metrics(sink, e->value.ptr, NULL, NULL);
        data_metric_batch_free(e->value.ptr);
    }
    map_free(batches);
}
