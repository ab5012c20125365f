/* Merge: neighbouring parts of a day become one; deletion: a part is written again without what
 * goes. Full groups are copied as they are; small ones that lie side by side are put together. */
#include <stdlib.h>

#include "store/event/events_priv.h"

#define MERGE_WIDTH    4 /* so many neighbours of a day and level make one of the next level */
#define PARTS_PER_DAY  12
#define PART_BYTES_MAX ((uint64_t)1 << 30)
#define RUN_ROWS_MAX   (4 * STORE_GROUP_ROWS_MAX)
#define RUN_RAW_MAX    (4 * STORE__GROUP_RAW_MAX)
#define ZSTD_MERGED    3

/* A group unpacked, to be put together with others. */
struct source {
    struct store_event_part *part;
    struct store_group group;
    int64_t *ts;
    struct store_column *columns;
    uint32_t *fields;  /* of the output */
    uint32_t **owners; /* of each table */
    const uint32_t *stream_map;
};

struct merge {
    struct store__events *e;
    struct store__event_output *o;
    const store__event_part_list *in;
    VEC(struct store_part_stream) streams;
    uint32_t **stream_map; /* of each part */
    struct arena *arena;   /* stream names */
    struct arena *texts;   /* of the run at hand */
    VEC(struct source) run;
    size_t run_rows, run_raw;
    store_keep_fn keep;
    void *keep_ctx;
    struct diag *diag;
};

/* --- streams --- */

struct place {
    struct store_part_stream stream;
    uint32_t part, at;
};

static int by_stream(const void *a, const void *b)
{
    return store_part_stream_cmp(&((const struct place *)a)->stream,
                                 &((const struct place *)b)->stream);
}

static int unite_streams(struct merge *m)
{
    VEC(struct place) all = {0};
    int err = 0;
    for (uint32_t i = 0; i < m->in->len && !err; i++) {
        const struct store_event_part *p = m->in->items[i];
        size_t count = store_event_part_stream_count(p), n;
        struct store_part_stream *s;
        m->stream_map[i] = mem_alloc(count * sizeof(**m->stream_map));
        for (size_t k = 0; k < count && !err; k += STORE_STREAM_PAGE) {
            err = store_event_part_streams(p, k / STORE_STREAM_PAGE, m->arena, &s, &n);
            for (size_t j = 0; j < n && !err; j++)
                vec_push(&all, ((struct place){s[j], i, (uint32_t)(k + j)}));
        }
        if (err)
            store__event_quarantine(m->e, m->in->items[i]);
    }
    if (!err && all.len)
        qsort(all.items, all.len, sizeof(*all.items), by_stream);
    for (size_t i = 0; i < all.len && !err; i++) {
        if (!i || by_stream(&all.items[i - 1], &all.items[i]))
            vec_push(&m->streams, all.items[i].stream);
        m->stream_map[all.items[i].part][all.items[i].at] = (uint32_t)m->streams.len - 1;
    }
    vec_free(&all);
    return err;
}

/* --- runs of small groups --- */

static void close_source(struct source *s)
{
    for (size_t i = 0; s->columns && i < s->group.all_count; i++)
        store_column_free(&s->columns[i]);
    for (size_t i = 0; s->owners && i < s->group.table_count; i++)
        mem_free(s->owners[i]);
    mem_free(s->owners);
    mem_free(s->columns);
    mem_free(s->fields);
    mem_free(s->ts);
    store_group_close(&s->group);
}

static int open_source(struct merge *m, uint32_t part, size_t group, struct source *out)
{
    *out = (struct source){.part = m->in->items[part], .stream_map = m->stream_map[part]};
    int err = store_group_open(out->part, group, &out->group);
    if (err)
        return err;
    struct store_group *g = &out->group;
    out->ts = mem_alloc(g->entry.rows * sizeof(*out->ts));
    out->columns = mem_calloc(g->all_count, sizeof(*out->columns));
    out->fields = mem_calloc(g->all_count, sizeof(*out->fields));
    out->owners = mem_calloc(g->table_count, sizeof(*out->owners));
    err = store_group_times(g, out->ts);
    size_t span = store_group_find(g, DATA_EVENT_SPAN_ID);
    if (!err && span != SIZE_MAX)
        err = store_group_column(g, span, NULL, &out->columns[span]);
    for (size_t i = 0; i < g->table_count && !err; i++) {
        out->owners[i] = mem_alloc(g->tables[i].rows * sizeof(**out->owners));
        err = store_group_owners(g, &g->tables[i], out->owners[i]);
    }
    for (size_t i = 0; i < g->all_count && !err; i++) {
        if (i != span)
            err = store_group_column(g, i, span != SIZE_MAX ? &out->columns[span] : NULL,
                                     &out->columns[i]);
        /* All pages now: damage is found before anything is written. */
        if (!err)
            err = store_column_unpack(&out->columns[i]);
        if (!err) {
            struct data_event_field f = store_event_part_field(out->part, g->columns[i].field);
            out->fields[i] = f.scope == DATA_SCOPE_INTRINSIC
                                 ? g->columns[i].field
                                 : store_event_writer_field(m->o->writer, f.scope, f.name);
        }
    }
    if (err)
        close_source(out);
    return err;
}

/* The row's events or links in a table. */
static int put_children(struct merge *m, struct store_group_builder *g, uint32_t at,
                        struct source *s, size_t table, uint32_t row)
{
    const struct store_group_table *t = &s->group.tables[table];
    const uint32_t *owners = s->owners[table];
    for (uint32_t i = store_group_first_of(owners, t->rows, row); i < t->rows && owners[i] == row;
         i++) {
        uint32_t child = store_group_add_child(g, at, t->kind);
        for (size_t k = t->first; k < t->end; k++) {
            struct data_value v;
            int err = store_column_get(&s->columns[k], i, m->texts, &v);
            if (err)
                return err;
            if (v.kind)
                store_group_add_child_value(g, t->kind, s->fields[k], child, v);
        }
    }
    return 0;
}

static int put_row(struct merge *m, struct store_group_builder *g, uint32_t at,
                   const struct store__event_ref *ref)
{
    struct source *s = &m->run.items[ref->source];
    vec_push(&g->ts, ref->ts);
    vec_push(&g->stream, ref->stream);
    for (size_t i = 0; i < s->group.column_count; i++) {
        struct data_value v;
        int err = store_column_get(&s->columns[i], ref->row, m->texts, &v);
        if (!err && v.kind && s->fields[i] == STORE_FIELD_CHILDREN)
            err = store_event_writer_children(m->o->writer, g, at, v.text);
        else if (!err && v.kind)
            store_group_add(g, s->fields[i], at, v);
        if (err)
            return err;
    }
    for (size_t i = 0; i < s->group.table_count; i++) {
        int err = put_children(m, g, at, s, i, ref->row);
        if (err)
            return err;
    }
    return 0;
}

static int span_key(struct source *s, uint32_t row, struct arena *arena,
                    struct store__span_key *out)
{
    static const uint32_t fields[] = {DATA_EVENT_TRACE_ID, DATA_EVENT_SPAN_ID,
                                      DATA_EVENT_PARENT_ID};
    char *to[] = {out->trace, out->span, out->parent};
    for (int i = 0; i < 3; i++) {
        struct data_value v = {0};
        size_t column = store_group_find(&s->group, fields[i]);
        int err = column == SIZE_MAX ? 0 : store_column_get(&s->columns[column], row, arena, &v);
        if (err)
            return err;
        if (v.kind == DATA_VALUE_BYTES && v.text.len == (i ? 8 : 16)) {
            memcpy(to[i], v.text.ptr, v.text.len);
            out->has_parent |= i == 2;
        }
    }
    out->ts = s->ts[row];
    return 0;
}

static int collect(struct merge *m, struct store__event_ref *refs, struct store__span_key *keys,
                   size_t *out_count)
{
    size_t n = 0;
    for (uint32_t i = 0; i < m->run.len; i++) {
        struct source *s = &m->run.items[i];
        size_t run = 0;
        bool *keep = NULL;
        uint32_t bytes = (uint32_t)(s->group.entry.raw_bytes / s->group.entry.rows) + 1;
        if (m->keep) {
            keep = mem_alloc(s->group.entry.rows);
            int err = m->keep(m->keep_ctx, &s->group, keep);
            if (err) {
                mem_free(keep);
                return err;
            }
        }
        for (uint32_t row = 0; row < s->group.entry.rows; row++) {
            while (row >= s->group.run_end[run])
                run++;
            if (keep && !keep[row])
                continue;
            refs[n] = (struct store__event_ref){.ts = s->ts[row],
                                                .stream = s->stream_map[s->group.run_stream[run]],
                                                .source = i,
                                                .row = row,
                                                .bytes = bytes};
            if (keys) {
                int err = span_key(s, row, m->texts, &keys[n]);
                if (err) {
                    mem_free(keep);
                    return err;
                }
                keys[n].at = (uint32_t)n;
            }
            n++;
        }
        mem_free(keep);
    }
    *out_count = n;
    return 0;
}

static void forget_run(struct merge *m)
{
    for (size_t i = 0; i < m->run.len; i++)
        close_source(&m->run.items[i]);
    vec_clear(&m->run);
    m->run_rows = m->run_raw = 0;
    arena_reset(m->texts);
}

/* The run's rows as new groups. */
static int write_run(struct merge *m)
{
    struct store__event_ref *refs = mem_alloc(m->run_rows * sizeof(*refs));
    struct store__span_key *keys =
        m->e->table == DATA_EVENT_SPANS ? mem_calloc(m->run_rows, sizeof(*keys)) : NULL;
    struct store_group_builder g = {0};
    store__end_list ends = {0};
    size_t count = 0, begin = 0;
    int err = collect(m, refs, keys, &count);
    if (!err)
        store__event_arrange(refs, count, keys, &ends);
    for (size_t i = 0; i < ends.len && !err; i++) {
        store_group_clear(&g);
        for (size_t k = begin; k < ends.items[i] && !err; k++)
            err = put_row(m, &g, (uint32_t)(k - begin), &refs[k]);
        if (!err)
            err = store_event_writer_group(m->o->writer, &g, m->diag);
        begin = ends.items[i];
    }
    store_group_builder_deinit(&g);
    vec_free(&ends);
    mem_free(refs);
    mem_free(keys);
    forget_run(m);
    return err;
}

/* A damaged group is left out, loudly; the file is kept. */
static int tolerate(struct merge *m, uint32_t part, int err)
{
    if (err != ERR_CORRUPT)
        return err;
    store__event_quarantine(m->e, m->in->items[part]);
    return 0;
}

static int take_group(struct merge *m, uint32_t part, size_t group)
{
    struct store_event_part *p = m->in->items[part];
    struct store_group_entry e = store_event_part_group(p, group);
    struct source s;
    int err = open_source(m, part, group, &s);
    if (err)
        return tolerate(m, part, err);
    vec_push(&m->run, s);
    m->run_rows += e.rows;
    m->run_raw += e.raw_bytes;
    return m->run_rows >= RUN_ROWS_MAX || m->run_raw >= RUN_RAW_MAX ? write_run(m) : 0;
}

/* Packed events and links become tables. */
static bool must_unpack(struct store_event_part *p, size_t group)
{
    struct store_group g;
    if (store_event_part_info(p)->table != DATA_EVENT_SPANS || store_event_part_has_tables(p) ||
        store_group_open(p, group, &g))
        return false;
    bool packed = store_group_find(&g, STORE_FIELD_CHILDREN) != SIZE_MAX;
    store_group_close(&g);
    return packed;
}

static bool is_full(const struct store_group_entry *e)
{
    return e->rows >= STORE_GROUP_ROWS_MAX / 2 || e->raw_bytes >= STORE__GROUP_RAW_MAX / 2;
}

static int write_all(struct merge *m, store_touches_fn touches)
{
    int err = 0;
    for (uint32_t i = 0; i < m->in->len && !err; i++) {
        struct store_event_part *p = m->in->items[i];
        for (size_t g = 0; g < store_event_part_group_count(p) && !err; g++) {
            struct store_group_entry e = store_event_part_group(p, g);
            bool changes = touches && touches(m->keep_ctx, p, g);
            if (!changes && (is_full(&e) || touches) && !must_unpack(p, g)) {
                /* What came before stays before. */
                err = m->run.len ? write_run(m) : 0;
                if (!err)
                    err = tolerate(
                        m, i,
                        store_event_writer_copy(m->o->writer, p, g, m->stream_map[i], m->diag));
            } else {
                err = take_group(m, i, g);
            }
        }
    }
    return !err && m->run.len ? write_run(m) : err;
}

int store__event_rewrite(struct store__event_output *o, const store__event_part_list *in,
                         store_touches_fn touches, store_keep_fn keep, void *ctx, struct diag *diag)
{
    struct merge m = {.e = o->e,
                      .o = o,
                      .in = in,
                      .arena = arena_new(0, NULL),
                      .texts = arena_new(0, NULL),
                      .keep = keep,
                      .keep_ctx = ctx,
                      .diag = diag};
    m.stream_map = mem_calloc(in->len, sizeof(*m.stream_map));
    int err = unite_streams(&m);
    if (err)
        diag_set(diag, err, "a part's table of streams is damaged");
    if (!err)
        err = store__event_output_begin(o, store_event_part_info(in->items[0])->day,
                                        m.streams.items, m.streams.len, diag);
    if (!err) {
        err = write_all(&m, touches);
        err = store__event_output_end(o, err, diag);
    }
    err = store__event_output_finish(o, err, diag);
    if (!err)
        err = store__event_replace(o->e, &o->fresh, in, false, 0, diag);
    forget_run(&m);
    vec_free(&m.run);
    vec_free(&m.streams);
    for (size_t i = 0; i < in->len; i++)
        mem_free(m.stream_map[i]);
    mem_free(m.stream_map);
    arena_free(m.arena);
    arena_free(m.texts);
    return err;
}

/* --- which --- */

static uint64_t bytes_of(const store__event_part_list *parts, size_t begin, size_t end)
{
    uint64_t bytes = 0;
    for (size_t i = begin; i < end; i++)
        bytes += store_event_part_info(parts->items[i])->bytes;
    return bytes;
}

/* As many neighbours from `begin` on as fit into one part. */
static size_t fitting(const store__event_part_list *parts, size_t begin, size_t end)
{
    size_t n = begin;
    while (n < end && bytes_of(parts, begin, n + 1) <= PART_BYTES_MAX)
        n++;
    return n;
}

/* [*begin, *end) belong together; false when there is nothing to do. */
static bool pick(const store__event_part_list *parts, size_t *begin, size_t *end)
{
    for (size_t day = 0, day_end; day < parts->len; day = day_end) {
        const struct store_event_part_info *first = store_event_part_info(parts->items[day]);
        for (day_end = day; day_end < parts->len &&
                            store_event_part_info(parts->items[day_end])->day == first->day;
             day_end++) {
        }
        for (size_t i = day, run_end; i < day_end; i = run_end) {
            uint32_t level = store_event_part_info(parts->items[i])->level;
            for (run_end = i;
                 run_end < day_end && store_event_part_info(parts->items[run_end])->level == level;
                 run_end++) {
            }
            for (size_t k = i; k + MERGE_WIDTH <= run_end; k++) {
                *begin = k;
                *end = fitting(parts, k, run_end);
                if (*end - *begin >= MERGE_WIDTH)
                    return true;
            }
        }
        /* Levels that alternate: small ones among their neighbours. */
        for (size_t i = day; day_end - day > PARTS_PER_DAY && i < day_end; i++) {
            *begin = i;
            *end = fitting(parts, i, day_end);
            if (*end - *begin >= MERGE_WIDTH)
                return true;
        }
    }
    return false;
}

int store__event_merge_once(struct store__events *e, bool *out_did, struct diag *diag)
{
    store__event_part_list parts = store__event_pin(e), in = {0};
    size_t begin, end;
    *out_did = pick(&parts, &begin, &end);
    int err = 0;
    if (*out_did) {
        int64_t begun = e->s->os->ops->monotonic_ns(e->s->os);
        struct store__event_output o = {.e = e, .zstd_level = ZSTD_MERGED};
        for (size_t i = begin; i < end; i++) {
            const struct store_event_part_info *info = store_event_part_info(parts.items[i]);
            vec_push(&in, parts.items[i]);
            o.order = MAX(o.order, info->order);
            o.level = MAX(o.level, info->level + 1);
        }
        err = store__event_rewrite(&o, &in, NULL, NULL, NULL, diag);
        if (!err) {
            store__event_count(e->table, STORE__EVENT_MERGES, 1);
            store__event_count(e->table, STORE__EVENT_MERGE_NS,
                               e->s->os->ops->monotonic_ns(e->s->os) - begun);
        }
        vec_free(&o.fresh);
    }
    vec_free(&in);
    store__event_unpin(&parts);
    return err;
}
