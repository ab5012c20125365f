/* The way in: limits, head, log, acknowledgement; and the log's way back at start. */
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

/* What one batch holds of one shard, on its way into the log. */
struct record {
    struct buf defs, rows;
    size_t def_count, row_count;
    int64_t last_ts;
    uint32_t last_ref;
};

enum { ROW_HISTOGRAM = 1 };

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

static void put_row(struct record *rec, const struct store__series *series, int64_t ts,
                    double value, struct slice histogram)
{
    char *begin = buf_reserve(&rec->rows, 32), *at = begin;
    at = codec_put_varint(at, codec_zigzag((int64_t)series->ref - (int64_t)rec->last_ref) << 1 |
                                  (histogram.ptr ? ROW_HISTOGRAM : 0));
    at = codec_put_varint(at, codec_zigzag((int64_t)((uint64_t)ts - (uint64_t)rec->last_ts)));
    codec_store64(at, codec_double_bits(value));
    at += 8;
    rec->rows.len += (size_t)(at - begin);
    if (histogram.ptr) {
        codec_append_varint(&rec->rows, histogram.len);
        buf_append_slice(&rec->rows, histogram);
    }
    rec->last_ref = series->ref;
    rec->last_ts = ts;
    rec->row_count++;
}

static void define(struct record *rec, struct store__series *series, uint64_t segment)
{
    if (series->wal_segment == segment)
        return;
    series->wal_segment = segment;
    codec_append_varint(&rec->defs, series->ref);
    codec_append_varint(&rec->defs, series->key.len);
    buf_append_slice(&rec->defs, series->key);
    rec->def_count++;
}

static void frame_record(const struct record *rec, struct buf *out)
{
    buf_clear(out);
    codec_append_varint(out, rec->def_count);
    buf_append_slice(out, buf_slice(&rec->defs));
    codec_append_varint(out, rec->row_count);
    buf_append_slice(out, buf_slice(&rec->rows));
}

/* The samples of `batch` that belong to `shard`. */
static void append_shard(struct store *s, struct store__shard *shard,
                         const struct data_metric_batch *b, struct store__series **resolved,
                         const uint32_t *rows, size_t row_count, int64_t now, struct ticket *t)
{
    static struct store__series refused_series; /* stands for a series that may not be */
    struct store_append_result *r = &t->result;
    struct record rec = {0};
    struct buf payload = {0}, histogram = {0};
    int64_t oldest = s->config.retention_ns == INT64_MAX ? INT64_MIN : now - s->config.retention_ns,
            newest;
    if (__builtin_add_overflow(now, s->config.future_ns, &newest))
        newest = INT64_MAX;
    pthread_mutex_lock(&shard->lock);
    uint64_t segment = store_wal_segment(s->wal);
    for (size_t k = 0; k < row_count; k++) {
        uint32_t row = rows[k], index = b->sample_series.items[row];
        int64_t ts = b->sample_ts.items[row];
        struct slice labels_key = b->series.items[index].key;
        struct store__series *series = resolved[index];
        if (!series) {
            struct hash128 id = store__series_id(b->tenant, b->series.items[index].id);
            series = store__head_find(shard, id);
            if (!series) {
                if (check_labels(s, labels_key, r, 0))
                    series = &refused_series;
                else if (s->series_count >= s->config.series_max)
                    series = NULL;
                else
                    series = store__head_add(s, shard, id, b->tenant, labels_key);
            }
            resolved[index] = series ? series : &refused_series;
            if (!series) {
                /* Counted row by row below; the reason is told apart by the labels being fine. */
                refuse(r, STORE_REFUSED_SERIES_LIMIT, 1, "a new series is over the limit",
                       labels_key, "limits.series");
                continue;
            }
        }
        if (series == &refused_series) {
            if (!check_labels(s, labels_key, r, 1))
                refuse(r, STORE_REFUSED_SERIES_LIMIT, 1, "a new series is over the limit",
                       labels_key, "limits.series");
            continue;
        }
        if (ts < oldest) {
            refuse(r, STORE_REFUSED_TOO_OLD, 1, "a sample is older than the retention", labels_key,
                   "retention.metrics");
            continue;
        }
        if (ts > newest) {
            refuse(r, STORE_REFUSED_TOO_NEW, 1, "a sample is too far in the future", labels_key,
                   "limits.future");
            continue;
        }
        struct slice packed = {NULL, 0};
        double value = b->sample_value.items[row];
        const struct data_histogram *h =
            b->sample_histogram.len ? b->sample_histogram.items[row] : NULL;
        if (h) {
            buf_clear(&histogram);
            store_histogram_encode(h, &histogram);
            packed = buf_slice(&histogram);
            r->histograms_accepted++;
        } else {
            r->samples_accepted++;
        }
        define(&rec, series, segment);
        put_row(&rec, series, ts, value, packed);
        store__head_push(shard, series, ts, value, packed);
        series->last_append_ns = now;
    }
    counter_add(&store__counters[STORE__APPENDED], (int64_t)rec.row_count);
    if (rec.row_count) {
        t->left++;
        frame_record(&rec, &payload);
        int err;
        while ((err = store_wal_append(s->wal, segment, STORE_WAL_SAMPLES, buf_slice(&payload),
                                       ticket_done, t)) == ERR_AGAIN) {
            /* The segment changed under us: its successor has to know the series too. */
            segment = store_wal_segment(s->wal);
            buf_clear(&rec.defs);
            rec.def_count = 0;
            for (size_t k = 0; k < row_count; k++) {
                struct store__series *series = resolved[b->sample_series.items[rows[k]]];
                if (series && series != &refused_series)
                    define(&rec, series, segment);
            }
            frame_record(&rec, &payload);
        }
        if (err) {
            /* Not logged: what it would have defined has to be defined again. */
            for (size_t k = 0; k < row_count; k++) {
                struct store__series *series = resolved[b->sample_series.items[rows[k]]];
                if (series && series != &refused_series)
                    series->wal_segment = UINT64_MAX;
            }
            ticket_done(t, err);
        }
    }
    pthread_mutex_unlock(&shard->lock);
    buf_deinit(&rec.defs);
    buf_deinit(&rec.rows);
    buf_deinit(&payload);
    buf_deinit(&histogram);
}

static void append_metadata(struct store *s, const struct data_metric_batch *b, struct ticket *t)
{
    struct buf payload = {0}, key = {0};
    pthread_mutex_lock(&s->parts_lock);
    for (size_t i = 0; i < b->metadata.len; i++) {
        const struct data_batch_metadata *m = &b->metadata.items[i];
        bool added;
        buf_clear(&key);
        buf_append_slice(&key, b->tenant);
        buf_append_char(&key, '\0');
        buf_append_slice(&key, m->metric);
        t->result.metadata_accepted++;
        if (map_count(s->metadata) > s->config.series_max)
            continue;
        struct map_entry *e = map_put(s->metadata, buf_slice(&key), &added);
        struct store_metadata *old = e->value.ptr;
        if (old && old->type == m->type && slice_eq(old->unit, m->unit) &&
            slice_eq(old->help, m->help))
            continue;
        if (old) {
            mem_free((void *)(uintptr_t)old->help.ptr);
            mem_free((void *)(uintptr_t)old->unit.ptr);
        } else {
            old = mem_calloc(1, sizeof(*old));
            e->value.ptr = old;
        }
        old->type = m->type;
        old->help = slice_make(mem_dup(m->help.ptr, m->help.len), m->help.len);
        old->unit = slice_make(mem_dup(m->unit.ptr, m->unit.len), m->unit.len);
        const struct slice parts[] = {buf_slice(&key), m->unit, m->help};
        buf_append_char(&payload, (char)m->type);
        for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
            codec_append_varint(&payload, parts[k].len);
            buf_append_slice(&payload, parts[k]);
        }
    }
    if (payload.len) {
        t->left++;
        int err;
        do {
            err = store_wal_append(s->wal, store_wal_segment(s->wal), STORE_WAL_METADATA,
                                   buf_slice(&payload), ticket_done, t);
        } while (err == ERR_AGAIN);
        if (err)
            ticket_done(t, err);
    }
    pthread_mutex_unlock(&s->parts_lock);
    buf_deinit(&payload);
    buf_deinit(&key);
}

int store_health(struct store *s, struct diag *diag)
{
    int64_t now = s->os->ops->monotonic_ns(s->os);
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
    if (store_health(s, &health) == ERR_NOSPACE && s->space.code) {
        diag_set(&t->result.first_refusal, ERR_NOSPACE, "%s", health.msg);
        ticket_done(t, ERR_NOSPACE);
        return;
    }
    int64_t now = s->os->ops->now_ns(s->os);
    size_t rows = b->sample_ts.len;
    struct store__series **resolved = mem_calloc(b->series.len, sizeof(*resolved));
    uint32_t *order = mem_alloc(rows * sizeof(*order)),
             *begin = mem_calloc(s->shard_count + 2, sizeof(*begin));
    /* Counting sort by shard; the order within a shard stays. */
    uint32_t *shard_of = mem_alloc(b->series.len * sizeof(*shard_of));
    for (size_t i = 0; i < b->series.len; i++)
        shard_of[i] =
            (uint32_t)(store__series_id(b->tenant, b->series.items[i].id).hi % s->shard_count);
    for (size_t i = 0; i < rows; i++)
        begin[shard_of[b->sample_series.items[i]] + 2]++;
    for (size_t i = 2; i < s->shard_count + 2; i++)
        begin[i] += begin[i - 1];
    for (size_t i = 0; i < rows; i++)
        order[begin[shard_of[b->sample_series.items[i]] + 1]++] = (uint32_t)i;
    for (size_t i = 0; i < s->shard_count; i++) {
        if (begin[i + 1] > begin[i])
            append_shard(s, &s->shards[i], b, resolved, order + begin[i], begin[i + 1] - begin[i],
                         now, t);
    }
    if (b->metadata.len)
        append_metadata(s, b, t);
    mem_free(resolved);
    mem_free(order);
    mem_free(begin);
    mem_free(shard_of);
    ticket_done(t, 0);
}

/* --- replay --- */

struct replay_ref {
    struct store__series *series;
    struct store__shard *shard;
};

#define REF_PAGE 1024

/* What the references of a segment stand for, in pages: after long churn only few of a great range
 * of numbers are in use. */
struct replay_refs {
    uint64_t segment;
    VEC(struct replay_ref *) pages; /* NULL or REF_PAGE items */
};
static _Thread_local struct replay_refs replaying;

static void forget_refs(void)
{
    for (size_t i = 0; i < replaying.pages.len; i++)
        mem_free(replaying.pages.items[i]);
    vec_clear(&replaying.pages);
}

void store__replay_end(void)
{
    forget_refs();
    vec_free(&replaying.pages);
    replaying.segment = 0;
}

static void set_ref(uint32_t ref, struct replay_ref to)
{
    size_t page = ref / REF_PAGE;
    while (replaying.pages.len <= page)
        vec_push(&replaying.pages, NULL);
    if (!replaying.pages.items[page])
        replaying.pages.items[page] = mem_calloc(REF_PAGE, sizeof(struct replay_ref));
    replaying.pages.items[page][ref % REF_PAGE] = to;
}

/* NULL when nothing defined it. */
static const struct replay_ref *get_ref(int64_t ref)
{
    if (ref < 0 || (uint64_t)ref / REF_PAGE >= replaying.pages.len)
        return NULL;
    const struct replay_ref *page = replaying.pages.items[ref / REF_PAGE];
    return page && page[ref % REF_PAGE].series ? &page[ref % REF_PAGE] : NULL;
}

static bool take_text(struct slice *in, struct slice *out)
{
    uint64_t len;
    if (!codec_take_varint(in, &len) || len > in->len)
        return false;
    *out = slice_first(*in, (size_t)len);
    *in = slice_from(*in, (size_t)len);
    return true;
}

static bool replay_samples(struct store *s, struct slice in)
{
    uint64_t count, ref, zz;
    if (!codec_take_varint(&in, &count))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        struct slice key, tenant, labels_key;
        if (!codec_take_varint(&in, &ref) || ref > UINT32_MAX || !take_text(&in, &key) ||
            !store_series_key_split(key, &tenant, &labels_key))
            return false;
        struct hash128 id = store__series_id(tenant, data_labels_key_hash(labels_key));
        struct store__shard *shard = store__shard_of(s, id);
        struct store__series *series = store__head_find(shard, id);
        if (!series)
            series = store__head_add(s, shard, id, tenant, labels_key);
        if (!series)
            return false;
        set_ref((uint32_t)ref, (struct replay_ref){series, shard});
    }
    if (!codec_take_varint(&in, &count))
        return false;
    int64_t last_ref = 0, last_ts = 0, now = s->os->ops->now_ns(s->os);
    for (uint64_t i = 0; i < count; i++) {
        if (!codec_take_varint(&in, &zz))
            return false;
        bool histogram = zz & ROW_HISTOGRAM;
        last_ref += codec_unzigzag(zz >> 1);
        if (!codec_take_varint(&in, &zz) || in.len < 8)
            return false;
        last_ts = (int64_t)((uint64_t)last_ts + (uint64_t)codec_unzigzag(zz));
        double value = codec_load_double(in.ptr);
        in = slice_from(in, 8);
        struct slice packed = {NULL, 0};
        if (histogram && !take_text(&in, &packed))
            return false;
        const struct replay_ref *to = get_ref(last_ref);
        if (!to)
            continue; /* its definition was lost with a damaged record: reported by the log */
        store__head_push(to->shard, to->series, last_ts, value, packed);
        to->series->last_append_ns = now;
    }
    return true;
}

static bool replay_metadata(struct store *s, struct slice in)
{
    while (in.len) {
        enum data_metric_type type = (enum data_metric_type)(unsigned char)in.ptr[0];
        struct slice key, unit, help;
        in = slice_from(in, 1);
        if (type >= DATA_METRIC_TYPE_COUNT || !take_text(&in, &key) || !take_text(&in, &unit) ||
            !take_text(&in, &help))
            return false;
        struct map_entry *e = map_put(s->metadata, key, NULL);
        struct store_metadata *m = e->value.ptr;
        if (m) {
            mem_free((void *)(uintptr_t)m->unit.ptr);
            mem_free((void *)(uintptr_t)m->help.ptr);
        } else {
            m = mem_calloc(1, sizeof(*m));
            e->value.ptr = m;
        }
        m->type = type;
        m->unit = slice_make(mem_dup(unit.ptr, unit.len), unit.len);
        m->help = slice_make(mem_dup(help.ptr, help.len), help.len);
    }
    return true;
}

int store__replay(enum store_wal_type type, uint64_t segment, struct slice payload, void *arg)
{
    struct store *s = arg;
    if (replaying.segment != segment) {
        forget_refs();
        replaying.segment = segment;
    }
    switch (type) {
    case STORE_WAL_SAMPLES: return replay_samples(s, payload) ? 0 : ERR_CORRUPT;
    case STORE_WAL_METADATA: return replay_metadata(s, payload) ? 0 : ERR_CORRUPT;
    }
    return 0; /* a later version's record: nothing of ours */
}
