/* The end of an interval: what the shards gathered becomes series and paths, and goes to the sink.
 */
#include "base/mem.h"
#include "input/statsd/statsd_priv.h"

#define SWEEP_CELLS 2048 /* looked at in one turn of a shard's lock */

static bool is_stored(const struct input_statsd *s, enum input_statsd_view view)
{
    return s->config.names == INPUT_STATSD_BOTH ||
           (s->config.names == INPUT_STATSD_LABELS) == (view == INPUT_STATSD_AS_LABELS);
}

bool statsd__wants(const struct input_statsd *s, enum input_statsd_view view)
{
    return is_stored(s, view) ||
           (s->config.forward && s->config.forward_wants(s->config.forward_ctx, view));
}

void statsd__view(struct input_statsd *s, enum input_statsd_view view)
{
    s->batch = s->batches[view];
}

void statsd__emit(struct input_statsd *s, struct slice label_key, int64_t ts_ns, double value)
{
    uint32_t at = data_metric_batch_add_series_key(s->batch, label_key);
    data_metric_batch_add_sample(s->batch, at, ts_ns, value);
}

void statsd__batch_send(struct input_statsd *s)
{
    enum input_statsd_view view = s->batch == s->batches[INPUT_STATSD_AS_PATHS]
                                      ? INPUT_STATSD_AS_PATHS
                                      : INPUT_STATSD_AS_LABELS;
    if (s->batch->sample_ts.len || s->batch->metadata.len) {
        if (is_stored(s, view))
            s->env.sink->metrics(s->env.sink, s->batch, NULL, NULL);
        if (s->config.forward)
            s->config.forward(s->config.forward_ctx, view, s->batch);
    }
    data_metric_batch_reset(s->batch);
}

void statsd__batch_room(struct input_statsd *s)
{
    if (s->batch->sample_ts.len >= STATSD_BATCH_SAMPLES ||
        s->batch->metadata.len >= STATSD_BATCH_SAMPLES)
        statsd__batch_send(s);
}

static void resolve(struct input_statsd *s, struct statsd_shard *shard, struct statsd_entry *e)
{
    if (e->series && e->series->is_dead) {
        statsd__series_unref(e->series);
        e->series = NULL;
    }
    if (e->path && e->path->is_dead) {
        statsd__path_unref(e->path);
        e->path = NULL;
    }
    if (!e->series && s->wants[INPUT_STATSD_AS_LABELS] && !e->refused)
        statsd__labels_resolve(s, shard, e);
    if (!e->path && s->wants[INPUT_STATSD_AS_PATHS] && !e->refused)
        statsd__paths_resolve(s, e);
}

static void take_shard(struct input_statsd *s, struct statsd_shard *shard, int64_t ts_ns)
{
    pthread_mutex_lock(&shard->lock);
    unsigned old = shard->epoch;
    shard->epoch ^= 1;
    pthread_mutex_unlock(&shard->lock);
    /* From here on the old slots and lists are ours alone. */
    bool labels = s->wants[INPUT_STATSD_AS_LABELS], paths = s->wants[INPUT_STATSD_AS_PATHS];
    statsd_timed_list *timed = &shard->timed[old];
    statsd__view(s, INPUT_STATSD_AS_LABELS);
    statsd_entry_list *touched = &shard->touched[old];
    for (size_t i = 0; i < touched->len; i++) {
        struct statsd_entry *e = touched->items[i];
        struct statsd_slot *slot = &e->slots[old];
        e->seen_flush = (uint32_t)s->flushes;
        e->is_found = true;
        e->last_samples = slot->samples;
        if (s->config.key_flush_interval_ns)
            statsd__key_flush_count(s, e, slot->samples);
        resolve(s, shard, e);
        if (!slot->only_timed) {
            if (e->series && labels)
                statsd__labels_merge(s, e, slot, ts_ns);
            if (e->path && paths)
                statsd__paths_merge(s, e, slot, ts_ns);
        }
    }
    for (size_t i = 0; i < timed->len; i++) {
        if (timed->items[i].entry->series && labels) {
            statsd__view(s, INPUT_STATSD_AS_LABELS);
            statsd__batch_room(s);
            statsd__labels_timed(s, &timed->items[i]);
        }
        if (timed->items[i].entry->path && paths) {
            statsd__view(s, INPUT_STATSD_AS_PATHS);
            statsd__batch_room(s);
            statsd__paths_timed(s, &timed->items[i]);
        }
    }
    for (size_t i = 0; i < touched->len; i++)
        statsd__slot_reset(&s->limits, touched->items[i]->kind, &touched->items[i]->slots[old]);
    touched->len = timed->len = 0;
    if (touched->cap > 65536)
        vec_free(touched);
    vec_free(timed);
}

void statsd__entry_forget(struct statsd_shard *shard, struct statsd_entry *e)
{
    if (e->series)
        statsd__series_unref(e->series);
    if (e->path)
        statsd__path_unref(e->path);
    statsd__shard_remove(shard, e);
}

/* Names that nobody sends any more leave the tables, a few cells at a time so that receiving goes
 * on; one that a removal moves is found in the next round. */
static void sweep(struct input_statsd *s, struct statsd_shard *shard, int64_t idle_flushes)
{
    for (size_t at = 0, end = 1; at < end; at += SWEEP_CELLS) {
        pthread_mutex_lock(&shard->lock);
        end = shard->cap;
        for (size_t i = at; i < MIN(at + SWEEP_CELLS, end); i++) {
            struct statsd_entry *e = shard->cells[i].entry;
            if (e && !e->slots[0].is_touched && !e->slots[1].is_touched && e->is_found &&
                (uint32_t)s->flushes - e->seen_flush > idle_flushes)
                statsd__entry_forget(shard, e);
        }
        pthread_mutex_unlock(&shard->lock);
    }
}

void statsd__forget_names(struct input_statsd *s)
{
    for (size_t i = 0; i < s->shard_count; i++) {
        struct statsd_shard *shard = &s->shards[i];
        pthread_mutex_lock(&shard->lock);
        for (size_t k = 0; k < shard->cap; k++) {
            struct statsd_entry *e = shard->cells[k].entry;
            if (!e)
                continue;
            if (e->series)
                statsd__series_unref(e->series);
            e->series = NULL;
            e->refused = STATSD_OK;
        }
        pthread_mutex_unlock(&shard->lock);
    }
}

void statsd__views_free(struct input_statsd *s)
{
    for (size_t i = 0; i < s->series.len; i++)
        statsd__series_free(s->series.items[i]);
    for (size_t i = 0; i < s->paths.len; i++)
        statsd__path_free(s->paths.items[i]);
    vec_free(&s->series);
    vec_free(&s->paths);
}

void statsd__flush(struct input_statsd *s, int64_t ts_ns)
{
    int64_t begun = s->env.os->ops->monotonic_ns(s->env.os);
    pthread_mutex_lock(&s->lock);
    s->flushes++;
    for (int view = 0; view < INPUT_STATSD_VIEWS; view++)
        s->wants[view] = statsd__wants(s, (enum input_statsd_view)view);
    s->limits.keep_values = s->wants[INPUT_STATSD_AS_PATHS];
    for (size_t i = 0; i < s->shard_count; i++)
        take_shard(s, &s->shards[i], ts_ns);
    if (s->wants[INPUT_STATSD_AS_LABELS]) {
        statsd__view(s, INPUT_STATSD_AS_LABELS);
        statsd__labels_emit(s, ts_ns);
    }
    if (s->wants[INPUT_STATSD_AS_PATHS]) {
        statsd__view(s, INPUT_STATSD_AS_PATHS);
        statsd__paths_emit(s, ts_ns);
    }
    for (int view = INPUT_STATSD_VIEWS - 1; view >= 0; view--) {
        statsd__view(s, (enum input_statsd_view)view);
        statsd__batch_send(s);
    }
    int64_t idle = s->config.expire_ns / s->config.flush_interval_ns + 1;
    if (s->config.expire_ns && s->flushes % MAX(idle / 4, 1) == 0) {
        for (size_t i = 0; i < s->shard_count; i++)
            sweep(s, &s->shards[i], idle);
    }
    if (s->config.key_flush_interval_ns)
        statsd__key_flush_write(s, ts_ns);
    s->last_flush_ns = ts_ns;
    s->flush_took_ns = s->env.os->ops->monotonic_ns(s->env.os) - begun;
    pthread_mutex_unlock(&s->lock);
}
