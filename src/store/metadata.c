/* What the senders say of their metrics: type, unit, help. In the log, in the manifest, in memory.
 */
#include <stdlib.h>

#include "codec/bytes.h"
#include "store/store_priv.h"

/* What the map holds of tenant \0 metric. */
struct entry {
    struct store_metadata is; /* unit and help owned */
    uint64_t segment;         /* of the log: where it was written last */
};

static bool says(const struct entry *e, enum data_metric_type type, struct slice unit,
                 struct slice help)
{
    return e->is.type == type && slice_eq(e->is.unit, unit) && slice_eq(e->is.help, help);
}

static void free_texts(struct entry *e)
{
    mem_free((void *)(uintptr_t)e->is.unit.ptr);
    mem_free((void *)(uintptr_t)e->is.help.ptr);
}

static struct entry *put(struct store *s, struct slice key, enum data_metric_type type,
                         struct slice unit, struct slice help)
{
    struct map_entry *at = map_put(s->metadata, key, NULL);
    struct entry *e = at->value.ptr;
    if (e && says(e, type, unit, help))
        return e;
    if (e)
        free_texts(e);
    else
        e = at->value.ptr = mem_calloc(1, sizeof(*e));
    e->is.type = type;
    e->is.unit = slice_make(mem_dup(unit.ptr, unit.len), unit.len);
    e->is.help = slice_make(mem_dup(help.ptr, help.len), help.len);
    e->segment = UINT64_MAX;
    return e;
}

static void pack(struct slice key, const struct store_metadata *m, struct buf *out)
{
    const struct slice texts[] = {key, m->unit, m->help};
    buf_append_char(out, (char)m->type);
    for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
        codec_append_varint(out, texts[k].len);
        buf_append_slice(out, texts[k]);
    }
}

static void key_of(const struct data_metric_batch *b, size_t i, struct buf *out)
{
    buf_clear(out);
    buf_append_slice(out, b->tenant);
    buf_append_char(out, '\0');
    buf_append_slice(out, b->metadata.items[i].metric);
}

/* Everything of the batch that is not in this segment yet. */
static void pack_news(struct store *s, const struct data_metric_batch *b, uint64_t segment,
                      struct buf *out)
{
    struct buf key = {0};
    buf_clear(out);
    for (size_t i = 0; i < b->metadata.len; i++) {
        const struct data_batch_metadata *m = &b->metadata.items[i];
        key_of(b, i, &key);
        if (map_count(s->metadata) >= s->config.series_max &&
            !map_get(s->metadata, buf_slice(&key)))
            continue;
        struct entry *e = put(s, buf_slice(&key), m->type, m->unit, m->help);
        if (e->segment == segment)
            continue;
        e->segment = segment;
        pack(buf_slice(&key), &e->is, out);
    }
    buf_deinit(&key);
}

int store__metadata_append(struct store *s, const struct data_metric_batch *b,
                           void (*done)(void *ctx, int err), void *ctx)
{
    struct buf payload = {0};
    int err;
    pthread_mutex_lock(&s->parts_lock);
    do {
        uint64_t segment = store_wal_segment(s->wal);
        pack_news(s, b, segment, &payload);
        /* Nothing new is written too: its acknowledgement is that of what was said before in this
         * segment, which may not be durable yet. */
        err = store_wal_append(s->wal, segment, STORE_WAL_METADATA, buf_slice(&payload), done, ctx);
    } while (err == ERR_AGAIN);
    struct buf key = {0};
    for (size_t i = 0; err && i < b->metadata.len; i++) {
        key_of(b, i, &key);
        struct map_entry *e = map_get(s->metadata, buf_slice(&key));
        if (e)
            ((struct entry *)e->value.ptr)->segment = UINT64_MAX;
    }
    pthread_mutex_unlock(&s->parts_lock);
    buf_deinit(&key);
    buf_deinit(&payload);
    return err;
}

bool store__metadata_replay(struct store *s, uint64_t segment, struct slice in)
{
    while (in.len) {
        enum data_metric_type type = (enum data_metric_type)(unsigned char)in.ptr[0];
        struct slice key, unit, help;
        in = slice_from(in, 1);
        if (type >= DATA_METRIC_TYPE_COUNT || !codec_take_text(&in, &key) ||
            !codec_take_text(&in, &unit) || !codec_take_text(&in, &help))
            return false;
        put(s, key, type, unit, help)->segment = segment;
    }
    return true;
}

void store__metadata_pack(struct store *s, struct buf *out)
{
    size_t pos = 0;
    buf_clear(out);
    pthread_mutex_lock(&s->parts_lock);
    for (struct map_entry *e; (e = map_next(s->metadata, &pos));)
        pack(e->key, &((const struct entry *)e->value.ptr)->is, out);
    pthread_mutex_unlock(&s->parts_lock);
}

void store__metadata_free(struct store *s)
{
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(s->metadata, &pos));) {
        free_texts(e->value.ptr);
        mem_free(e->value.ptr);
    }
    map_free(s->metadata);
}

static int by_metric(const void *a, const void *b)
{
    return slice_cmp(((const struct store_metadata *)a)->metric,
                     ((const struct store_metadata *)b)->metric);
}

int store__list_metadata(struct store_source *src, struct slice tenant, struct slice metric,
                         struct arena *arena, struct store_metadata **out, size_t *out_count,
                         struct diag *diag)
{
    struct store *s = BASE_CONTAINER_OF(src, struct store, source);
    int err = store__check_loaded(s, diag);
    if (err)
        return err;
    pthread_mutex_lock(&s->parts_lock);
    struct store_metadata *list = ARENA_ARRAY(arena, struct store_metadata, map_count(s->metadata));
    size_t n = 0, pos = 0;
    for (struct map_entry *e; (e = map_next(s->metadata, &pos));) {
        struct slice rest = e->key, whose;
        slice_split(&rest, '\0', &whose);
        if (!slice_eq(whose, tenant) || (metric.ptr && !slice_eq(rest, metric)))
            continue;
        const struct store_metadata *m = &((const struct entry *)e->value.ptr)->is;
        list[n++] = (struct store_metadata){.metric = arena_slice(arena, rest),
                                            .unit = arena_slice(arena, m->unit),
                                            .help = arena_slice(arena, m->help),
                                            .type = m->type};
    }
    pthread_mutex_unlock(&s->parts_lock);
    if (n)
        qsort(list, n, sizeof(*list), by_metric);
    *out = list;
    *out_count = n;
    return 0;
}
