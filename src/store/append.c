/* The way in: limits, head, log, acknowledgement. */
#include <stdio.h>

#include "base/assert.h"
#include "codec/bytes.h"
#include "codec/utf8.h"
#include "store/store_priv.h"

#define SPACE_CHECK_NS NS_PER_SEC

/* One append's parts in flight: one record a shard. */
struct ticket {
    _Atomic int left, err;
    void (*ack)(void *ctx, int err, const struct store_append_result *result);
    void *ctx;
    struct store_append_result result;
};

static void ticket_done(void *arg, int err)
{
    struct ticket *t = arg;
    if (err) {
        int none = 0;
        atomic_compare_exchange_strong(&t->err, &none, err);
    }
    if (--t->left == 0) {
        if (t->ack)
            t->ack(t->ctx, t->err, &t->result);
        mem_free(t);
    }
}

static void refuse(struct store_append_result *r, enum store_refusal why, size_t count,
                   const char *text, struct slice labels_key, const char *setting)
{
    r->refused[why] += count;
    counter_add(&store__counters[STORE__REFUSED_INVALID + (int)why], (int64_t)count);
    if (r->first_refusal.code)
        return;
    struct arena *arena = arena_new(512, NULL);
    struct data_labels labels;
    struct buf name = {0};
    if (!data_labels_decode(labels_key, arena, &labels))
        data_labels_print(labels, &name);
    diag_set(&r->first_refusal, ERR_INVALID, "%s%s%s%s: series %.*s", text, setting ? " (" : "",
             setting ? setting : "", setting ? ")" : "", (int)MIN(name.len, (size_t)400),
             buf_cstr(&name));
    buf_deinit(&name);
    arena_free(arena);
}

/* 0, or why a series with this label key cannot be. */
static int check_labels(const struct store *s, struct slice key, struct store_append_result *r,
                        size_t samples)
{
    struct arena *arena = arena_new(1024, NULL);
    struct data_labels labels;
    int bad = 0;
    if (data_labels_decode(key, arena, &labels) || !labels.count) {
        refuse(r, STORE_REFUSED_INVALID, samples, "a series needs labels, sorted, each name once",
               key, NULL);
        bad = 1;
    } else if (labels.count > s->config.label_count_max) {
        refuse(r, STORE_REFUSED_LABEL_LIMIT, samples, "too many labels", key, "limits.label_count");
        bad = 1;
    }
    for (size_t i = 0; !bad && i < labels.count; i++) {
        struct data_label l = labels.items[i];
        if (l.name.len > s->config.label_bytes_max || l.value.len > s->config.label_bytes_max) {
            refuse(r, STORE_REFUSED_LABEL_LIMIT, samples, "a label name or value is too long", key,
                   "limits.label_bytes");
            bad = 1;
        } else if (!codec_utf8_valid(l.name) || !codec_utf8_valid(l.value) ||
                   slice_find_char(l.name, '\0') >= 0) {
            refuse(r, STORE_REFUSED_INVALID, samples, "label names and values must be valid UTF-8",
                   key, NULL);
            bad = 1;
        }
    }
    arena_free(arena);
    return bad;
}

struct store_series *store__register(struct store *s, struct store__shard *shard, struct hash128 id,
                                     struct slice tenant, struct slice labels_key)
{
    struct arena *arena = arena_new(1024, NULL);
    struct data_labels labels;
    struct store_series *series = NULL;
    if (!data_labels_decode(labels_key, arena, &labels)) {
        series = store_shard_add(&shard->head, id, tenant, labels);
        series->ref = s->next_ref++;
        store__arrived(s, shard, store_shard_slot_of(&shard->head, id));
        counter_set(&store__counters[STORE__SERIES], (int64_t)++s->series_count);
    }
    arena_free(arena);
    return series;
}

static struct store_series refused_series; /* stands for a series that may not be */

/* One batch on its way into one shard. */
struct share {
    struct store *s;
    struct store__shard *shard;
    const struct data_metric_batch *b;
    const struct hash128 *ids;
    struct store_series **resolved;
    int64_t now, oldest, newest;
    uint64_t segment;
    struct ticket *ticket;
    struct store__record rec;
    struct buf histogram;
};

/* NULL, and counted by the caller, when the series may not be. */
static struct store_series *resolve(struct share *x, uint32_t index)
{
    struct store *s = x->s;
    struct store_series *series = store_shard_find(&x->shard->head, x->ids[index]);
    if (series)
        return series;
    if (check_labels(s, x->b->series.items[index].key, &x->ticket->result, 0) ||
        s->series_count >= s->config.series_max)
        return NULL;
    return store__register(s, x->shard, x->ids[index], x->b->tenant, x->b->series.items[index].key);
}

static void append_row(struct share *x, uint32_t row)
{
    const struct data_metric_batch *b = x->b;
    struct store_append_result *r = &x->ticket->result;
    uint32_t index = b->sample_series.items[row];
    int64_t ts = b->sample_ts.items[row];
    struct store_series *series = x->resolved[index];
    if (BASE_UNLIKELY(series == &refused_series)) {
        struct slice key = b->series.items[index].key;
        if (!check_labels(x->s, key, r, 1))
            refuse(r, STORE_REFUSED_SERIES_LIMIT, 1, "a new series is over the limit", key,
                   "limits.series");
        return;
    }
    if (BASE_UNLIKELY(ts < x->oldest)) {
        refuse(r, STORE_REFUSED_TOO_OLD, 1, "a sample is older than the retention",
               b->series.items[index].key, "retention.metrics");
        return;
    }
    if (BASE_UNLIKELY(ts > x->newest)) {
        refuse(r, STORE_REFUSED_TOO_NEW, 1, "a sample is too far in the future",
               b->series.items[index].key, "limits.future");
        return;
    }
    struct slice packed = {NULL, 0};
    double value = b->sample_value.items[row];
    int64_t start = b->sample_start.len ? b->sample_start.items[row] : 0;
    const struct data_histogram *h =
        b->sample_histogram.len ? b->sample_histogram.items[row] : NULL;
    if (h) {
        buf_clear(&x->histogram);
        store_histogram_encode(h, &x->histogram);
        packed = buf_slice(&x->histogram);
        r->histograms_accepted++;
    } else {
        r->samples_accepted++;
    }
    store__record_define(&x->rec, &x->shard->head, series, x->segment);
    store__record_row(&x->rec, series, ts, value, packed, start);
    store_shard_push(&x->shard->head, series, ts, value, packed, start);
    series->last_append_s = (uint32_t)(x->now / NS_PER_SEC);
}

/* A series lies in three places far apart in memory: its table's slot, its record, its tail. They
 * are asked for together, a few series ahead of their use. */
#define AHEAD 16

static void append_rows(struct share *x, const uint32_t *rows, size_t count)
{
    const uint32_t *series_of = x->b->sample_series.items;
    struct store_shard *head = &x->shard->head;
    for (size_t i = 0; i < count; i += AHEAD) {
        size_t end = MIN(i + AHEAD, count);
        for (size_t k = i; k < end && head->table_size; k++)
            __builtin_prefetch(&head->table[store_shard_slot(head, x->ids[series_of[rows[k]]])]);
        for (size_t k = i; k < end && head->table_size; k++) {
            uint32_t slot = head->table[store_shard_slot(head, x->ids[series_of[rows[k]]])];
            if (slot)
                __builtin_prefetch(
                    &head->pages.items[(slot - 1) / STORE__PAGE][(slot - 1) % STORE__PAGE]);
        }
        for (size_t k = i; k < end; k++) {
            uint32_t index = series_of[rows[k]];
            if (!x->resolved[index]) {
                struct store_series *series = resolve(x, index);
                x->resolved[index] = series ? series : &refused_series;
            }
            const char *tail = (const char *)x->resolved[index]->now;
            if (tail) {
                __builtin_prefetch(tail, 1);
                __builtin_prefetch(tail + 64, 1);
                __builtin_prefetch(tail + 128, 1);
            }
        }
        for (size_t k = i; k < end; k++)
            append_row(x, rows[k]);
    }
}

/* The record goes into the segment in which its series are defined; when that changed meanwhile,
 * they are defined again. */
static void log_rows(struct share *x, const uint32_t *rows, size_t count)
{
    struct buf payload = {0};
    int err;
    x->ticket->left++;
    store__record_frame(&x->rec, &payload);
    while ((err = store_wal_append(x->s->wal, x->segment, STORE_WAL_SAMPLES, buf_slice(&payload),
                                   ticket_done, x->ticket)) == ERR_AGAIN) {
        x->segment = store_wal_segment(x->s->wal);
        buf_clear(&x->rec.defs);
        x->rec.def_count = 0;
        for (size_t k = 0; k < count; k++) {
            struct store_series *series = x->resolved[x->b->sample_series.items[rows[k]]];
            if (series && series != &refused_series)
                store__record_define(&x->rec, &x->shard->head, series, x->segment);
        }
        store__record_frame(&x->rec, &payload);
    }
    if (err) {
        /* Not logged: what it would have defined has to be defined again. */
        for (size_t k = 0; k < count; k++) {
            struct store_series *series = x->resolved[x->b->sample_series.items[rows[k]]];
            if (series && series != &refused_series)
                series->wal_segment = UINT32_MAX;
        }
        ticket_done(x->ticket, err);
    }
    buf_deinit(&payload);
}

/* An exemplar without a time of its own has that of its series' last sample in the batch. */
static int64_t exemplar_time(const struct data_metric_batch *b, const struct data_batch_exemplar *e,
                             int64_t now)
{
    if (e->ts_ns)
        return e->ts_ns;
    for (size_t i = b->sample_ts.len; i-- > 0;) {
        if (b->sample_series.items[i] == e->series)
            return b->sample_ts.items[i];
    }
    return now;
}

/* As in Prometheus, an exemplar that cannot be kept is counted, but fails nothing. */
static bool take_exemplar(struct share *x, const struct data_batch_exemplar *e, struct buf *labels,
                          struct buf *payload)
{
    struct store_shard *head = &x->shard->head;
    struct store_series *series = store_shard_find(head, x->ids[e->series]);
    int64_t ts = exemplar_time(x->b, e, x->now);
    size_t max = x->s->config.exemplars_max / x->s->shard_count, dropped = 0;
    buf_clear(labels);
    data_labels_encode(e->labels, labels);
    if (!series || !max || ts < x->oldest || ts > x->newest ||
        labels->len > x->s->config.label_bytes_max)
        return false;
    if (store_shard_push_exemplar(head, store_shard_slot_of(head, series->id), ts, e->value,
                                  buf_slice(labels), x->segment, max, &dropped))
        store__record_exemplar(payload, head, series, ts, e->value, buf_slice(labels));
    counter_add(&store__counters[STORE__EXEMPLARS_DROPPED], (int64_t)dropped);
    series->last_append_s = (uint32_t)(x->now / NS_PER_SEC);
    return true;
}

static void append_exemplars(struct share *x)
{
    const struct data_metric_batch *b = x->b;
    struct buf payload = {0}, labels = {0};
    size_t count = 0;
    x->segment = store_wal_segment(x->s->wal);
    for (size_t i = 0; i < b->exemplars.len; i++) {
        const struct data_batch_exemplar *e = &b->exemplars.items[i];
        if (&x->s->shards[store__shard_index(x->s, x->ids[e->series])] != x->shard)
            continue;
        bool taken = take_exemplar(x, e, &labels, &payload);
        counter_add(&store__counters[taken ? STORE__EXEMPLARS : STORE__EXEMPLARS_REFUSED], 1);
        count += taken;
    }
    x->ticket->result.exemplars_accepted += count;
    if (count) {
        /* Those that were there before are acknowledged with what wrote them: in this segment. */
        int err;
        x->ticket->left++;
        while ((err = store_wal_append(x->s->wal, x->segment, STORE_WAL_EXEMPLARS,
                                       buf_slice(&payload), ticket_done, x->ticket)) == ERR_AGAIN)
            x->segment = store_wal_segment(x->s->wal);
        if (err) {
            map_clear(x->shard->head.last_exemplar);
            ticket_done(x->ticket, err);
        }
    }
    buf_deinit(&payload);
    buf_deinit(&labels);
}

static void append_shard(struct store *s, struct share *x, const uint32_t *rows, size_t count,
                         bool exemplars)
{
    pthread_mutex_lock(&x->shard->lock);
    x->segment = store_wal_segment(s->wal);
    buf_reserve(&x->rec.rows, count * 8);
    append_rows(x, rows, count);
    counter_add(&store__counters[STORE__APPENDED], (int64_t)x->rec.row_count);
    if (x->rec.row_count)
        log_rows(x, rows, count);
    if (exemplars)
        append_exemplars(x);
    pthread_mutex_unlock(&x->shard->lock);
    buf_deinit(&x->rec.defs);
    buf_deinit(&x->rec.rows);
    buf_deinit(&x->histogram);
}

int store_health(struct store *s, struct diag *diag)
{
    int64_t now = s->os->ops->monotonic_ns(s->os);
    int loading = store__check_loaded(s, diag);
    if (loading)
        return loading;
    pthread_mutex_lock(&s->space_lock);
    if (!s->space_checked_ns || now - s->space_checked_ns > SPACE_CHECK_NS ||
        !s->config.background) {
        uint64_t available, total;
        struct diag d;
        diag_init(&d);
        s->space_checked_ns = now;
        if (!s->os->ops->space(s->os, s->config.dir, &available, &total, &d)) {
            uint64_t reserve = (uint64_t)s->config.disk_reserve_bytes;
            /* Room to go on again is asked for with a margin, so that it does not flap. */
            if (s->space.code)
                reserve += reserve / 4;
            diag_init(&s->space);
            if (available < reserve)
                diag_set(&s->space, ERR_NOSPACE,
                         "the disk under %s has %llu bytes free, %lld are kept in reserve "
                         "(store.disk_reserve): nothing is taken in until there is room",
                         s->config.dir, (unsigned long long)available,
                         (long long)s->config.disk_reserve_bytes);
        }
    }
    int err = s->space.code;
    if (err)
        diag_set(diag, err, "%s", s->space.msg);
    pthread_mutex_unlock(&s->space_lock);
    return err ? err : store_wal_health(s->wal, diag);
}

void store_append_metrics(struct store *s, const struct data_metric_batch *b,
                          void (*ack)(void *ctx, int err, const struct store_append_result *result),
                          void *ctx)
{
    struct ticket *t = mem_calloc(1, sizeof(*t));
    t->ack = ack;
    t->ctx = ctx;
    t->left = 1; /* ours, until everything is staged */
    struct diag health;
    diag_init(&health);
    int ill = store_health(s, &health);
    if (ill == ERR_AGAIN || (ill == ERR_NOSPACE && s->space.code)) {
        diag_set(&t->result.first_refusal, ill, "%s", health.msg);
        ticket_done(t, ill);
        return;
    }
    struct share x = {.s = s, .b = b, .now = s->os->ops->now_ns(s->os), .ticket = t};
    size_t rows = b->sample_ts.len;
    x.oldest = s->config.retention_ns == INT64_MAX ? INT64_MIN : x.now - s->config.retention_ns;
    if (__builtin_add_overflow(x.now, s->config.future_ns, &x.newest))
        x.newest = INT64_MAX;
    struct store_series **resolved = mem_calloc(b->series.len, sizeof(*resolved));
    struct hash128 *ids = mem_alloc(b->series.len * sizeof(*ids));
    uint32_t *order = mem_alloc(rows * sizeof(*order)),
             *begin = mem_calloc(s->shard_count + 2, sizeof(*begin));
    /* Counting sort by shard; the order within a shard stays. */
    uint32_t *shard_of = mem_alloc(b->series.len * sizeof(*shard_of));
    for (size_t i = 0; i < b->series.len; i++) {
        ids[i] = store__series_id(b->tenant, b->series.items[i].id);
        shard_of[i] = (uint32_t)store__shard_index(s, ids[i]);
    }
    for (size_t i = 0; i < rows; i++)
        begin[shard_of[b->sample_series.items[i]] + 2]++;
    for (size_t i = 2; i < s->shard_count + 2; i++)
        begin[i] += begin[i - 1];
    for (size_t i = 0; i < rows; i++)
        order[begin[shard_of[b->sample_series.items[i]] + 1]++] = (uint32_t)i;
    for (size_t i = 0; i < s->shard_count; i++) {
        struct share one = x;
        one.shard = &s->shards[i];
        one.ids = ids;
        one.resolved = resolved;
        if (begin[i + 1] > begin[i] || b->exemplars.len)
            append_shard(s, &one, order + begin[i], begin[i + 1] - begin[i], b->exemplars.len > 0);
    }
    if (b->metadata.len) {
        t->result.metadata_accepted = b->metadata.len;
        t->left++;
        int err = store__metadata_append(s, b, ticket_done, t);
        if (err)
            ticket_done(t, err);
    }
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < rows; i++)
        first = MIN(first, b->sample_ts.items[i]);
    if (rows)
        store__changed(s, first);
    mem_free(resolved);
    mem_free(ids);
    mem_free(order);
    mem_free(begin);
    mem_free(shard_of);
    ticket_done(t, 0);
}
