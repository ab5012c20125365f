/* Flush: the head's blocks become parts, one a day. */
#include <stdlib.h>

#include "store/event/events_priv.h"

struct stream_place {
    const struct store_stream *stream;
    uint32_t ordinal;
};

struct flush {
    struct store__events *e;
    store__event_block_list blocks; /* set aside; the table's references */
    struct store__event_ref *refs;
    size_t count;
    VEC(struct store_part_stream) streams;
    VEC(struct stream_place) places; /* by address */
    uint32_t **fields;               /* of each block: its numbers -> the part's; by need */
    struct arena *lines;             /* of the group at hand, side by side */
};

static int by_address(const void *a, const void *b)
{
    const struct stream_place *x = a, *y = b;
    return (x->stream > y->stream) - (x->stream < y->stream);
}

static int by_name(const void *a, const void *b)
{
    const struct store_stream *x = ((const struct stream_place *)a)->stream,
                              *y = ((const struct stream_place *)b)->stream;
    int c = slice_cmp(x->tenant, y->tenant);
    return c ? c : slice_cmp(x->key, y->key);
}

static void collect_streams(struct flush *f)
{
    for (size_t i = 0; i < f->blocks.len; i++) {
        for (uint32_t k = 0; k < f->blocks.items[i]->stream_count; k++)
            vec_push(&f->places, ((struct stream_place){f->blocks.items[i]->streams[k], 0}));
    }
    size_t kept = 0;
    qsort(f->places.items, f->places.len, sizeof(*f->places.items), by_address);
    for (size_t i = 0; i < f->places.len; i++) {
        if (!kept || f->places.items[kept - 1].stream != f->places.items[i].stream)
            f->places.items[kept++] = f->places.items[i];
    }
    f->places.len = kept;
    qsort(f->places.items, kept, sizeof(*f->places.items), by_name);
    for (uint32_t i = 0; i < kept; i++) {
        const struct store_stream *s = f->places.items[i].stream;
        f->places.items[i].ordinal = i;
        vec_push(&f->streams, ((struct store_part_stream){.tenant = s->tenant, .key = s->key}));
    }
    qsort(f->places.items, kept, sizeof(*f->places.items), by_address);
}

static void collect_rows(struct flush *f)
{
    for (size_t i = 0; i < f->blocks.len; i++)
        f->count += f->blocks.items[i]->row_count;
    f->refs = mem_alloc(f->count * sizeof(*f->refs));
    size_t n = 0;
    for (uint32_t i = 0; i < f->blocks.len; i++) {
        const struct store_event_block *b = f->blocks.items[i];
        uint32_t *ordinals = mem_alloc(b->stream_count * sizeof(*ordinals));
        for (uint32_t k = 0; k < b->stream_count; k++) {
            struct stream_place key = {b->streams[k], 0};
            const struct stream_place *at =
                bsearch(&key, f->places.items, f->places.len, sizeof(*f->places.items), by_address);
            ordinals[k] = at->ordinal;
        }
        for (uint32_t row = 0; row < b->row_count; row++)
            f->refs[n++] = (struct store__event_ref){.ts = b->rows[row].ts,
                                                     .stream = ordinals[b->rows[row].stream],
                                                     .source = i,
                                                     .row = row,
                                                     .bytes = b->rows[row].length};
        mem_free(ordinals);
    }
}

static int by_day(const void *a, const void *b)
{
    const struct store__event_ref *x = a, *y = b;
    int64_t dx = store__day_of(x->ts), dy = store__day_of(y->ts);
    if (dx != dy)
        return dx < dy ? -1 : 1;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static bool is_one_day(const struct flush *f)
{
    int64_t t_min = INT64_MAX, t_max = INT64_MIN;
    for (size_t i = 0; i < f->blocks.len; i++) {
        t_min = MIN(t_min, f->blocks.items[i]->t_min);
        t_max = MAX(t_max, f->blocks.items[i]->t_max);
    }
    return store__day_of(t_min) == store__day_of(t_max);
}

/* The end of the rows of the first one's day. */
static size_t day_end(const struct flush *f, size_t begin)
{
    if (!begin && is_one_day(f))
        return f->count;
    size_t end = begin;
    while (end < f->count && store__day_of(f->refs[end].ts) == store__day_of(f->refs[begin].ts))
        end++;
    return end;
}

/* The part's number of a block's field. */
static const uint32_t *fields_of(struct flush *f, struct store_event_writer *w, uint32_t block)
{
    const struct store_event_block *b = f->blocks.items[block];
    if (f->fields[block])
        return f->fields[block];
    uint32_t *map = mem_alloc(b->field_count * sizeof(*map));
    for (uint32_t i = 0; i < DATA_EVENT_INTRINSIC_COUNT; i++)
        map[i] = i;
    for (uint32_t i = DATA_EVENT_INTRINSIC_COUNT; i < b->field_count; i++) {
        struct data_event_field own = b->fields[i - DATA_EVENT_INTRINSIC_COUNT];
        map[i] = store_event_writer_field(w, own.scope, own.name);
    }
    return f->fields[block] = map;
}

static void forget_fields(struct flush *f)
{
    for (size_t i = 0; i < f->blocks.len; i++) {
        mem_free(f->fields[i]);
        f->fields[i] = NULL;
    }
}

static struct store__span_key *span_keys(const struct flush *f, const struct store__event_ref *refs,
                                         size_t count)
{
    struct store__span_key *keys = mem_calloc(count, sizeof(*keys));
    for (uint32_t i = 0; i < count; i++) {
        struct store_event_block_fields at =
            store_event_block_row_fields(f->blocks.items[refs[i].source], refs[i].row);
        uint32_t field;
        struct data_value v;
        keys[i].at = i;
        keys[i].ts = refs[i].ts;
        while (store_event_block_next_field(&at, &field, &v)) {
            if (field == DATA_EVENT_TRACE_ID && v.text.len == 16)
                memcpy(keys[i].trace, v.text.ptr, 16);
            else if (field == DATA_EVENT_SPAN_ID && v.text.len == 8)
                memcpy(keys[i].span, v.text.ptr, 8);
            else if (field == DATA_EVENT_PARENT_ID && v.text.len == 8) {
                memcpy(keys[i].parent, v.text.ptr, 8);
                keys[i].has_parent = true;
            }
        }
    }
    return keys;
}

/* Rows of one stream lie all over the blocks. */
static void prefetch(const struct flush *f, const struct store__event_ref *refs, uint32_t i,
                     size_t count)
{
    if (i + 16 < count) {
        const struct store_event_block *b = f->blocks.items[refs[i + 16].source];
        __builtin_prefetch(&b->rows[refs[i + 16].row]);
    }
    if (i + 8 < count) {
        const struct store_event_block *b = f->blocks.items[refs[i + 8].source];
        const char *at = b->payload + b->rows[refs[i + 8].row].offset;
        for (int line = 0; line < 5; line++)
            __builtin_prefetch(at + 64 * line);
    }
}

static int write_group(struct flush *f, struct store_event_writer *w, struct store_group_builder *g,
                       const struct store__event_ref *refs, size_t count, struct diag *diag)
{
    store_group_clear(g);
    arena_reset(f->lines);
    for (uint32_t i = 0; i < count; i++) {
        prefetch(f, refs, i, count);
        const uint32_t *map = fields_of(f, w, refs[i].source);
        struct store_event_block_fields at =
            store_event_block_row_fields(f->blocks.items[refs[i].source], refs[i].row);
        uint32_t field;
        struct data_value v;
        vec_push(&g->ts, refs[i].ts);
        vec_push(&g->stream, refs[i].stream);
        while (store_event_block_next_field(&at, &field, &v)) {
            if (field == STORE_FIELD_CHILDREN) {
                /* It was looked at when it came; a replayed record may have anything. */
                (void)store_event_writer_children(w, g, i, v.text);
                continue;
            }
            /* They are gone through several times, where they lie all over the blocks. */
            if (field == DATA_EVENT_LINE)
                v.text.ptr = arena_dup(f->lines, v.text.ptr, v.text.len);
            store_group_add(g, map[field], i, v);
        }
    }
    return store_event_writer_group(w, g, diag);
}

static int write_day(struct flush *f, struct store__event_output *o, struct store__event_ref *refs,
                     size_t count, struct diag *diag)
{
    struct store__span_key *keys =
        f->e->table == DATA_EVENT_SPANS ? span_keys(f, refs, count) : NULL;
    struct store_group_builder g = {0};
    store__end_list ends = {0};
    store__event_arrange(refs, count, keys, &ends);
    mem_free(keys);
    int err = store__event_output_begin(o, store__day_of(refs[0].ts), f->streams.items,
                                        f->streams.len, diag);
    if (!err) {
        size_t begin = 0;
        for (size_t i = 0; i < ends.len && !err; i++) {
            err = write_group(f, o->writer, &g, refs + begin, ends.items[i] - begin, diag);
            begin = ends.items[i];
        }
        err = store__event_output_end(o, err, diag);
    }
    forget_fields(f);
    store_group_builder_deinit(&g);
    vec_free(&ends);
    return err;
}

/* Everything in the head, and a new segment of the log for what comes now. */
static uint64_t set_aside(struct store__events *e)
{
    pthread_mutex_lock(&e->view_lock);
    for (size_t i = 0; i < e->shard_count; i++)
        pthread_mutex_lock(&e->shards[i].lock);
    uint64_t low_water = store_wal_rotate(e->s->wal);
    for (size_t i = 0; i < e->shard_count; i++) {
        store__event_block_list *blocks = &e->shards[i].blocks;
        for (size_t k = 0; k < blocks->len; k++)
            vec_push(&e->flushing, blocks->items[k]);
        vec_clear(blocks);
        pthread_mutex_unlock(&e->shards[i].lock);
    }
    pthread_mutex_unlock(&e->view_lock);
    return low_water;
}

static int by_position(const void *a, const void *b)
{
    uint64_t x = (*(struct store_event_block *const *)a)->position,
             y = (*(struct store_event_block *const *)b)->position;
    return (x > y) - (x < y);
}

int store__event_flush(struct store__events *e, struct diag *diag)
{
    int64_t begun = e->s->os->ops->monotonic_ns(e->s->os);
    uint64_t low_water = set_aside(e);
    struct flush f = {.e = e, .lines = arena_new(0, NULL)};
    struct store__event_output o = {.e = e, .order = store__event_next_id(e->s), .zstd_level = 1};
    store__event_part_list none = {0};
    /* Only this thread changes the list. */
    for (size_t i = 0; i < e->flushing.len; i++)
        vec_push(&f.blocks, e->flushing.items[i]);
    int err = 0;
    if (f.blocks.len) {
        qsort(f.blocks.items, f.blocks.len, sizeof(*f.blocks.items), by_position);
        f.fields = mem_calloc(f.blocks.len, sizeof(*f.fields));
        collect_streams(&f);
        collect_rows(&f);
        /* As they are, they lie in the order of arrival. */
        if (!is_one_day(&f))
            qsort(f.refs, f.count, sizeof(*f.refs), by_day);
        for (size_t i = 0, end; i < f.count && !err; i = end) {
            end = day_end(&f, i);
            err = write_day(&f, &o, f.refs + i, end - i, diag);
        }
    }
    err = store__event_output_finish(&o, err, diag);
    if (!err)
        err = store__event_replace(e, &o.fresh, &none, true, low_water, diag);
    if (!err) {
        store__event_count(e->table, STORE__EVENT_FLUSHES, 1);
        store__event_count(e->table, STORE__EVENT_FLUSH_NS,
                           e->s->os->ops->monotonic_ns(e->s->os) - begun);
    }
    arena_free(f.lines);
    mem_free(f.fields);
    mem_free(f.refs);
    vec_free(&f.blocks);
    vec_free(&f.streams);
    vec_free(&f.places);
    vec_free(&o.fresh);
    return err;
}
