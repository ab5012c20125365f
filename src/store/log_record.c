/* What the head writes into the log, and reads back at start (docs/formats/wal.md). */
#include "base/assert.h"
#include "codec/bytes.h"
#include "store/event/events_priv.h"

/* Of a row, in the low bits of its first number. */
enum {
    ROW_HISTOGRAM = 1,
    ROW_SAME_TIME = 2, /* as the row before */
    ROW_INTEGER = 4,   /* the value as a zigzag varint instead of eight bytes */
    ROW_START = 8,
    ROW_BITS = 4,
};

#define INTEGER_MAX 9007199254740992.0

void store__record_row(struct store__record *rec, const struct store_series *series, int64_t ts,
                       double value, struct slice histogram, int64_t start)
{
    char *begin = buf_reserve(&rec->rows, 6 * CODEC_VARINT_MAX), *at = begin;
    unsigned flags = (histogram.ptr ? ROW_HISTOGRAM : 0) |
                     (ts == rec->last_ts ? ROW_SAME_TIME : 0) | (start ? ROW_START : 0);
    int64_t integer = 0;
    if (value > -INTEGER_MAX && value < INTEGER_MAX) {
        integer = (int64_t)value;
        /* -0 is none */
        if (codec_double_bits((double)integer) == codec_double_bits(value))
            flags |= ROW_INTEGER;
    }
    at = codec_put_varint(
        at, codec_zigzag((int64_t)series->ref - (int64_t)rec->last_ref) << ROW_BITS | flags);
    if (!(flags & ROW_SAME_TIME))
        at = codec_put_varint(at, codec_zigzag((int64_t)((uint64_t)ts - (uint64_t)rec->last_ts)));
    if (flags & ROW_START)
        at = codec_put_varint(at, codec_zigzag((int64_t)((uint64_t)ts - (uint64_t)start)));
    if (flags & ROW_HISTOGRAM) {
        at = codec_put_varint(at, histogram.len);
    } else if (flags & ROW_INTEGER) {
        at = codec_put_varint(at, codec_zigzag(integer));
    } else {
        codec_store64(at, codec_double_bits(value));
        at += 8;
    }
    rec->rows.len += (size_t)(at - begin);
    if (histogram.ptr)
        buf_append_slice(&rec->rows, histogram);
    rec->last_ref = series->ref;
    rec->last_ts = ts;
    rec->row_count++;
}

void store__record_define(struct store__record *rec, const struct store_shard *sh,
                          struct store_series *series, uint64_t segment)
{
    if (series->wal_segment == (uint32_t)segment)
        return;
    series->wal_segment = (uint32_t)segment;
    codec_append_varint(&rec->defs, series->ref);
    struct buf key = {0};
    store_shard_key(sh, series, &key);
    codec_append_varint(&rec->defs, key.len);
    buf_append_slice(&rec->defs, buf_slice(&key));
    buf_deinit(&key);
    rec->def_count++;
}

void store__record_frame(const struct store__record *rec, struct buf *out)
{
    buf_clear(out);
    codec_append_varint(out, rec->def_count);
    buf_append_slice(out, buf_slice(&rec->defs));
    codec_append_varint(out, rec->row_count);
    buf_append_slice(out, buf_slice(&rec->rows));
}

void store__record_exemplar(struct buf *out, const struct store_shard *sh,
                            const struct store_series *series, int64_t ts, double value,
                            struct slice labels_key)
{
    struct buf key = {0};
    store_shard_key(sh, series, &key);
    codec_append_varint(out, key.len);
    buf_append_slice(out, buf_slice(&key));
    codec_append_varint(out, codec_zigzag(ts));
    codec_append64(out, codec_double_bits(value));
    codec_append_varint(out, labels_key.len);
    buf_append_slice(out, labels_key);
    buf_deinit(&key);
}

/* --- replay --- */

struct replay_ref {
    struct store_series *series;
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

static bool find_or_register(struct store *s, struct slice key, struct replay_ref *out)
{
    struct slice tenant, labels_key;
    if (!store_series_key_split(key, &tenant, &labels_key))
        return false;
    struct hash128 id = store__series_id(tenant, data_labels_key_hash(labels_key));
    out->shard = &s->shards[store__shard_index(s, id)];
    out->series = store_shard_find(&out->shard->head, id);
    if (!out->series)
        out->series = store__register(s, out->shard, id, tenant, labels_key);
    return out->series != NULL;
}

static bool replay_row(struct slice *in, int64_t *last_ref, int64_t *last_ts, uint32_t now_s)
{
    uint64_t head, v;
    if (!codec_take_varint(in, &head))
        return false;
    int64_t start = 0;
    double value = 0;
    struct slice packed = {NULL, 0};
    *last_ref += codec_unzigzag(head >> ROW_BITS);
    if (!(head & ROW_SAME_TIME)) {
        if (!codec_take_varint(in, &v))
            return false;
        *last_ts = (int64_t)((uint64_t)*last_ts + (uint64_t)codec_unzigzag(v));
    }
    if (head & ROW_START) {
        if (!codec_take_varint(in, &v))
            return false;
        start = (int64_t)((uint64_t)*last_ts - (uint64_t)codec_unzigzag(v));
    }
    if (head & ROW_HISTOGRAM) {
        if (!codec_take_text(in, &packed))
            return false;
    } else if (head & ROW_INTEGER) {
        if (!codec_take_varint(in, &v))
            return false;
        value = (double)codec_unzigzag(v);
    } else {
        if (in->len < 8)
            return false;
        value = codec_load_double(in->ptr);
        *in = slice_from(*in, 8);
    }
    const struct replay_ref *to = get_ref(*last_ref);
    if (!to)
        return true; /* its definition was lost with a damaged record: reported by the log */
    store_shard_push(&to->shard->head, to->series, *last_ts, value, packed, start);
    to->series->last_append_s = now_s;
    return true;
}

static bool replay_samples(struct store *s, struct slice in)
{
    uint64_t count, ref;
    if (!codec_take_varint(&in, &count))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        struct slice key;
        struct replay_ref to;
        if (!codec_take_varint(&in, &ref) || ref > UINT32_MAX || !codec_take_text(&in, &key) ||
            !find_or_register(s, key, &to))
            return false;
        set_ref((uint32_t)ref, to);
    }
    if (!codec_take_varint(&in, &count))
        return false;
    int64_t last_ref = 0, last_ts = 0;
    uint32_t now_s = (uint32_t)(s->os->ops->now_ns(s->os) / NS_PER_SEC);
    for (uint64_t i = 0; i < count; i++) {
        if (!replay_row(&in, &last_ref, &last_ts, now_s))
            return false;
    }
    return true;
}

static bool replay_exemplars(struct store *s, uint64_t segment, struct slice in)
{
    while (in.len) {
        struct slice key, labels;
        struct replay_ref to;
        uint64_t zz;
        if (!codec_take_text(&in, &key) || !codec_take_varint(&in, &zz) || in.len < 8)
            return false;
        double value = codec_load_double(in.ptr);
        in = slice_from(in, 8);
        if (!codec_take_text(&in, &labels) || !find_or_register(s, key, &to))
            return false;
        size_t dropped;
        store_shard_push_exemplar(
            &to.shard->head, store_shard_slot_of(&to.shard->head, to.series->id),
            codec_unzigzag(zz), value, labels, segment,
            MAX(s->config.exemplars_max / s->shard_count, (size_t)1), &dropped);
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
    /* Some keep the log for longer than others need it: what is in parts already is not read again.
     */
    if (segment < (type == STORE_WAL_LOGS    ? s->manifest.event_low_water[DATA_EVENT_LOGS]
                   : type == STORE_WAL_SPANS ? s->manifest.event_low_water[DATA_EVENT_SPANS]
                                             : s->manifest.wal_low_water))
        return 0;
    switch (type) {
    case STORE_WAL_LOGS: return store__events_replay(s, DATA_EVENT_LOGS, payload);
    case STORE_WAL_SPANS: return store__events_replay(s, DATA_EVENT_SPANS, payload);
    case STORE_WAL_SAMPLES: return replay_samples(s, payload) ? 0 : ERR_CORRUPT;
    case STORE_WAL_METADATA: return store__metadata_replay(s, segment, payload) ? 0 : ERR_CORRUPT;
    case STORE_WAL_EXEMPLARS: return replay_exemplars(s, segment, payload) ? 0 : ERR_CORRUPT;
    case STORE_WAL_SAMPLES_1: return ERR_UNSUPPORTED;
    }
    return 0; /* a later version's record: nothing of ours */
}
