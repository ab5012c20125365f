/* Writing an event part: groups as they come, then filters, tables and footer. */
#include <stdlib.h>

#include "base/assert.h"
#include "codec/bytes.h"
#include "codec/compress.h"
#include "store/event/block.h"
#include "store/event/part_write_priv.h"
#include "store/event/stream_hints.h"

#define FILTERS_AT_A_TIME ((size_t)40 << 20)
#define FIELD_TABLE_MIN   256
#define TALLY_ROWS        8 /* rows a tally has on average, or they are not worth it */

int store_part_stream_cmp(const struct store_part_stream *a, const struct store_part_stream *b)
{
    int c = slice_cmp(a->tenant, b->tenant);
    return c ? c : slice_cmp(a->key, b->key);
}

static int by_minute(const void *a, const void *b)
{
    const struct store_event_tally *x = a, *y = b;
    if (x->minute != y->minute)
        return x->minute < y->minute ? -1 : 1;
    if (x->stream != y->stream)
        return x->stream < y->stream ? -1 : 1;
    return (x->level > y->level) - (x->level < y->level);
}

void store_tally_sort(store_tally_list *list)
{
    size_t kept = 0;
    if (list->len)
        qsort(list->items, list->len, sizeof(*list->items), by_minute);
    for (size_t i = 0; i < list->len; i++) {
        if (kept && !by_minute(&list->items[kept - 1], &list->items[i])) {
            list->items[kept - 1].rows += list->items[i].rows;
            list->items[kept - 1].bytes += list->items[i].bytes;
        } else {
            list->items[kept++] = list->items[i];
        }
    }
    list->len = kept;
}

static int put(struct store_event_writer *w, struct slice bytes, struct diag *diag)
{
    int err = w->os->ops->write_at(w->file, w->size, bytes.ptr, bytes.len, diag);
    if (!err)
        w->size += bytes.len;
    return err;
}

int store_event_part_create(struct os *os, const char *path, enum data_event_table table,
                            const struct store_part_stream *streams, size_t stream_count,
                            int zstd_level, struct store_event_writer **out, struct diag *diag)
{
    struct os_file *file;
    int err = os->ops->open(os, path, OS_READ | OS_WRITE | OS_CREATE | OS_TRUNC, &file, diag);
    if (err)
        return err;
    struct store_event_writer *w = mem_calloc(1, sizeof(*w));
    w->os = os;
    w->file = file;
    w->table = table;
    w->streams = streams;
    w->stream_count = stream_count;
    w->zstd_level = zstd_level;
    w->filter.bits = table == DATA_EVENT_SPANS ? STORE_FILTER_BITS_SPANS : STORE_FILTER_BITS;
    w->field_table_size = FIELD_TABLE_MIN;
    w->field_table = mem_calloc(w->field_table_size, sizeof(*w->field_table));
    for (uint32_t i = 0; i < DATA_EVENT_INTRINSIC_COUNT; i++) {
        struct slice name = slice_cstr(data_event_intrinsic_name(i));
        vec_push(&w->fields, ((struct data_event_field){DATA_SCOPE_INTRINSIC, name}));
        vec_push(&w->field_hashes, store_filter_field(name));
    }
    for (uint32_t i = 0; i < DATA_CHILD_FIELD_COUNT; i++)
        w->child_hashes[i] = store_filter_field(slice_cstr(store_child_field_name(i)));
    w->names = arena_new(0, NULL);
    char header[STORE__EVENTS_HEADER] = STORE__EVENTS_MAGIC;
    err = put(w, slice_make(header, sizeof(header)), diag);
    if (err) {
        store_event_writer_abandon(w);
        return err;
    }
    *out = w;
    return 0;
}

static size_t field_slot(const struct store_event_writer *w, enum data_event_scope scope,
                         struct slice name)
{
    size_t mask = w->field_table_size - 1, at = hash64(name.ptr, name.len, scope) & mask;
    for (; w->field_table[at]; at = (at + 1) & mask) {
        const struct data_event_field *f = &w->fields.items[w->field_table[at] - 1];
        if (f->scope == scope && slice_eq(f->name, name))
            break;
    }
    return at;
}

uint32_t store_event_writer_field(struct store_event_writer *w, enum data_event_scope scope,
                                  struct slice name)
{
    size_t at = field_slot(w, scope, name);
    if (w->field_table[at])
        return w->field_table[at] - 1;
    if (w->fields.len * 2 >= w->field_table_size) {
        w->field_table_size *= 2;
        mem_free(w->field_table);
        w->field_table = mem_calloc(w->field_table_size, sizeof(*w->field_table));
        for (size_t i = DATA_EVENT_INTRINSIC_COUNT; i < w->fields.len; i++)
            w->field_table[field_slot(w, w->fields.items[i].scope, w->fields.items[i].name)] =
                (uint32_t)i + 1;
        at = field_slot(w, scope, name);
    }
    name = arena_slice(w->names, name);
    vec_push(&w->fields, ((struct data_event_field){scope, name}));
    vec_push(&w->field_hashes, store_filter_field(name));
    w->field_table[at] = (uint32_t)w->fields.len;
    return (uint32_t)w->fields.len - 1;
}

/* --- filters --- */

static int by_size(const void *a, const void *b)
{
    const struct store__pending_filter *x = a, *y = b;
    if (x->twice != y->twice)
        return x->twice ? 1 : -1;
    if (x->bytes.len != y->bytes.len)
        return x->bytes.len < y->bytes.len ? -1 : 1;
    return (x->group > y->group) - (x->group < y->group);
}

static int write_class(struct store_event_writer *w, const struct store__pending_filter *f,
                       size_t count, struct diag *diag)
{
    uint32_t blocks = (uint32_t)(f[0].bytes.len / STORE_FILTER_BLOCK);
    uint32_t twice = f[0].twice ? STORE__EVENTS_IDS_TWICE : 0;
    struct store__events_filter_class c = {w->size, blocks | twice, (uint32_t)count};
    struct buf out = {0};
    for (uint32_t j = 0; j < blocks; j++) {
        size_t begin = out.len;
        for (size_t i = 0; i < count; i++)
            buf_append(&out, f[i].bytes.ptr + (size_t)j * STORE_FILTER_BLOCK, STORE_FILTER_BLOCK);
        codec_append32(&out, (uint32_t)hash64(out.ptr + begin, out.len - begin, 0));
    }
    for (size_t i = 0; i < count; i++) {
        w->groups.items[f[i].group].filter_class = (uint32_t)w->classes.len;
        w->groups.items[f[i].group].filter_slot = (uint32_t)i;
    }
    vec_push(&w->classes, c);
    int err = put(w, buf_slice(&out), diag);
    buf_deinit(&out);
    return err;
}

static int write_filters(struct store_event_writer *w, struct diag *diag)
{
    int err = 0;
    if (w->pending.len)
        qsort(w->pending.items, w->pending.len, sizeof(*w->pending.items), by_size);
    for (size_t i = 0, end; i < w->pending.len && !err; i = end) {
        end = i;
        while (end < w->pending.len && end - i < 128 &&
               w->pending.items[end].twice == w->pending.items[i].twice &&
               w->pending.items[end].bytes.len == w->pending.items[i].bytes.len)
            end++;
        err = write_class(w, w->pending.items + i, end - i, diag);
    }
    for (size_t i = 0; i < w->pending.len; i++)
        buf_deinit(&w->pending.items[i].bytes);
    vec_clear(&w->pending);
    w->pending_bytes = 0;
    return err;
}

int store__writer_put_group(struct store_event_writer *w, struct store_group_entry *e,
                            struct slice header, struct slice data, struct buf *filter,
                            bool ids_twice, struct diag *diag)
{
    e->header_at = w->size;
    e->header_len = (uint32_t)header.len;
    e->header_sum = hash64(header.ptr, header.len, 0);
    int err = put(w, header, diag);
    e->data_at = w->size;
    e->data_len = data.len;
    if (!err)
        err = put(w, data, diag);
    if (err)
        return err;
    vec_push(&w->groups, *e);
    vec_push(&w->pending, ((struct store__pending_filter){w->groups.len - 1, ids_twice, *filter}));
    w->has_twice |= ids_twice;
    w->pending_bytes += filter->len;
    *filter = (struct buf){0};
    return w->pending_bytes > FILTERS_AT_A_TIME ? write_filters(w, diag) : 0;
}

/* --- copying --- */

static int copy_filter(const struct store_event_part *p, const struct store_group_entry *e,
                       struct buf *out, bool *out_twice)
{
    struct store__events_filter_class c =
        store__filter_class(p->sections[STORE__EVENTS_FILTERS], e->filter_class, out_twice);
    size_t row = (size_t)c.count * STORE_FILTER_BLOCK + 4;
    for (uint32_t j = 0; j < c.blocks; j++) {
        const char *at = p->bytes.ptr + c.at + j * row;
        if ((uint32_t)hash64(at, row - 4, 0) != codec_load32(at + row - 4))
            return ERR_CORRUPT;
        buf_append(out, at + (size_t)e->filter_slot * STORE_FILTER_BLOCK, STORE_FILTER_BLOCK);
    }
    return 0;
}

/* Every stored byte is checked: damage must not be given a fresh checksum. */
static int check_columns(const struct store_group *g)
{
    int err = 0;
    struct store_column spans = {0};
    size_t span = store_group_find(g, DATA_EVENT_SPAN_ID);
    if (span != SIZE_MAX)
        err = store_group_column(g, span, NULL, &spans);
    for (size_t i = 0; i < g->all_count && !err; i++) {
        struct store_column c;
        err = store_group_column(g, i, &spans, &c);
        if (err)
            break;
        err = store_column_check(&c);
        store_column_free(&c);
    }
    store_column_free(&spans);
    for (size_t i = 0; i < g->table_count && !err; i++) {
        uint32_t *owners = mem_alloc(g->tables[i].rows * sizeof(*owners));
        err = store_group_owners(g, &g->tables[i], owners);
        mem_free(owners);
    }
    return err;
}

int store_event_writer_copy(struct store_event_writer *w, struct store_event_part *p, size_t group,
                            const uint32_t *stream_map, struct diag *diag)
{
    struct store_group g;
    struct buf header = {0}, filter = {0};
    bool twice = false;
    size_t tallies = w->tallies.len;
    int err = store_group_open(p, group, &g);
    if (err)
        return err;
    for (size_t i = 0; i < g.run_count; i++)
        g.run_stream[i] = stream_map[g.run_stream[i]];
    struct store_group_entry e = g.entry;
    e.stream_min = stream_map[e.stream_min];
    e.stream_max = stream_map[e.stream_max];
    err = check_columns(&g);
    if (!err)
        err = copy_filter(p, &e, &filter, &twice);
    if (!err)
        err = store_group_tally(&g, &w->tallies);
    if (!err) {
        w->has_tables |= g.table_count > 0;
        for (size_t i = 0; i < g.all_count; i++) {
            struct data_event_field f = store_event_part_field(p, g.columns[i].field);
            if (f.scope != DATA_SCOPE_INTRINSIC)
                g.columns[i].field = store_event_writer_field(w, f.scope, f.name);
        }
        struct store__group_header_in head = {.run_stream = g.run_stream,
                                              .run_end = g.run_end,
                                              .run_count = g.run_count,
                                              .ts_len = g.ts_len,
                                              .ts_sum = g.ts_sum,
                                              .columns = g.columns,
                                              .column_count = g.column_count,
                                              .tables = g.tables,
                                              .table_count = g.table_count};
        store__group_header(&head, &header);
        err = store__writer_put_group(w, &e, buf_slice(&header),
                                      slice_make(p->bytes.ptr + g.entry.data_at, e.data_len),
                                      &filter, twice, diag);
    } else {
        w->tallies.len = tallies;
    }
    buf_deinit(&header);
    buf_deinit(&filter);
    store_group_close(&g);
    return err;
}

/* --- tables and footer --- */

struct footer {
    struct store_event_writer *w;
    struct buf entries;
    uint64_t sections;
    struct diag *diag;
    int err;
};

static void section(struct footer *f, enum store__events_section id, struct slice bytes)
{
    struct store__events_section_entry e = {(uint32_t)id, 1, f->w->size, bytes.len,
                                            hash64(bytes.ptr, bytes.len, 0)};
    if (!f->err)
        f->err = put(f->w, bytes, f->diag);
    buf_append(&f->entries, &e, sizeof(e));
    f->sections++;
}

static void put_fields(struct store_event_writer *w, struct buf *out)
{
    codec_append_varint(out, w->fields.len - DATA_EVENT_INTRINSIC_COUNT);
    for (size_t i = DATA_EVENT_INTRINSIC_COUNT; i < w->fields.len; i++) {
        buf_append_char(out, (char)w->fields.items[i].scope);
        codec_append_varint(out, w->fields.items[i].name.len);
        buf_append_slice(out, w->fields.items[i].name);
    }
}

struct stream_stat {
    uint64_t rows, bytes;
    int64_t first, last; /* minutes */
};

/* Rows and time of each stream, from the tallies: minutes are exact enough. */
static struct stream_stat *stream_stats(const struct store_event_writer *w)
{
    struct stream_stat *stats = mem_calloc(w->stream_count, sizeof(*stats));
    for (size_t i = 0; i < w->tallies.len; i++) {
        const struct store_event_tally *t = &w->tallies.items[i];
        struct stream_stat *s = &stats[t->stream];
        s->first = s->rows ? MIN(s->first, t->minute) : t->minute;
        s->last = s->rows ? MAX(s->last, t->minute) : t->minute;
        s->rows += t->rows;
        s->bytes += t->bytes;
    }
    return stats;
}

static void put_hints(const struct store_event_writer *w, const struct stream_stat *stats,
                      struct buf *out)
{
    int64_t *first = mem_alloc(w->stream_count * sizeof(*first)),
            *last = mem_alloc(w->stream_count * sizeof(*last));
    for (size_t i = 0; i < w->stream_count; i++) {
        first[i] = stats[i].rows ? stats[i].first : 1;
        last[i] = stats[i].rows ? stats[i].last : 0;
    }
    store_stream_hints_write(w->streams, w->stream_count, first, last, out);
    mem_free(first);
    mem_free(last);
}

static int put_streams(struct store_event_writer *w, struct buf *table, struct buf *hints,
                       struct diag *diag)
{
    struct stream_stat *stats = stream_stats(w);
    struct buf raw = {0}, out = {0};
    int err = 0;
    for (size_t i = 0; i < w->stream_count && !err; i += STORE_STREAM_PAGE) {
        buf_clear(&raw);
        buf_clear(&out);
        for (size_t k = i; k < MIN(i + STORE_STREAM_PAGE, w->stream_count); k++) {
            const struct store_part_stream *s = &w->streams[k];
            codec_append_varint(&raw, s->tenant.len);
            buf_append_slice(&raw, s->tenant);
            codec_append_varint(&raw, s->key.len);
            buf_append_slice(&raw, s->key);
            codec_append_varint(&raw, stats[k].rows);
            codec_append_varint(&raw, stats[k].bytes);
            codec_append_varint(&raw, codec_zigzag(stats[k].first));
            codec_append_varint(&raw, codec_zigzag(stats[k].last));
        }
        codec_compress(CODEC_ZSTD, w->zstd_level, buf_slice(&raw), &out);
        struct store__events_stream_page page = {w->size, hash64(out.ptr, out.len, 0),
                                                 (uint32_t)out.len, (uint32_t)raw.len};
        buf_append(table, &page, sizeof(page));
        err = put(w, buf_slice(&out), diag);
    }
    if (w->stream_count > STORE_STREAM_PAGE)
        put_hints(w, stats, hints);
    buf_deinit(&raw);
    buf_deinit(&out);
    mem_free(stats);
    return err;
}

static void put_tallies(const store_tally_list *list, struct buf *out)
{
    int64_t *v = mem_alloc(MIN(list->len, (size_t)CODEC_COLUMN_MAX) * sizeof(*v) + 8);
    codec_append_varint(out, list->len);
    for (size_t i = 0; i < list->len; i += CODEC_COLUMN_MAX) {
        size_t n = MIN(list->len - i, (size_t)CODEC_COLUMN_MAX);
        const struct store_event_tally *t = list->items + i;
        for (int column = 0; column < 5; column++) {
            for (size_t k = 0; k < n; k++)
                v[k] = column == 0   ? t[k].minute
                       : column == 1 ? (int64_t)t[k].stream
                       : column == 2 ? (int64_t)t[k].level
                       : column == 3 ? (int64_t)t[k].rows
                                     : (int64_t)t[k].bytes;
            codec_ints_encode(v, n, out);
        }
    }
    mem_free(v);
}

static void put_all_tallies(struct footer *f, uint64_t rows)
{
    struct store_event_writer *w = f->w;
    struct buf out = {0};
    store_tally_list totals = {0};
    store_tally_sort(&w->tallies);
    for (size_t i = 0; i < w->tallies.len; i++) {
        vec_push(&totals, w->tallies.items[i]);
        totals.items[i].stream = 0;
    }
    store_tally_sort(&totals);
    put_tallies(&totals, &out);
    section(f, STORE__EVENTS_TOTALS, buf_slice(&out));
    if (w->tallies.len < 1000 || w->tallies.len * TALLY_ROWS <= rows) {
        buf_clear(&out);
        put_tallies(&w->tallies, &out);
        section(f, STORE__EVENTS_TALLIES, buf_slice(&out));
    }
    buf_deinit(&out);
    vec_free(&totals);
}

static struct store__events_stats stats_of(const struct store_event_writer *w)
{
    struct store__events_stats s = {
        .table = w->table, .streams = w->stream_count, .t_min = INT64_MAX, .t_max = INT64_MIN};
    for (size_t i = 0; i < w->groups.len; i++) {
        const struct store_group_entry *e = &w->groups.items[i];
        s.rows += e->rows;
        s.raw_bytes += e->raw_bytes;
        s.t_min = MIN(s.t_min, e->t_min);
        s.t_max = MAX(s.t_max, e->t_max);
    }
    return s;
}

int store_event_writer_finish(struct store_event_writer *w, struct store_event_part_info *info,
                              struct diag *diag)
{
    struct footer f = {.w = w, .diag = diag};
    struct buf bytes = {0}, hints = {0};
    struct store__events_stats stats = stats_of(w);
    f.err = write_filters(w, diag);
    if (!f.err)
        f.err = put_streams(w, &bytes, &hints, diag);
    section(&f, STORE__EVENTS_STREAM_PAGES, buf_slice(&bytes));
    if (hints.len)
        section(&f, STORE__EVENTS_STREAM_HINTS, buf_slice(&hints));
    section(&f, STORE__EVENTS_STATS, slice_make(&stats, sizeof(stats)));
    buf_clear(&bytes);
    put_fields(w, &bytes);
    section(&f, STORE__EVENTS_FIELDS, buf_slice(&bytes));
    section(&f, STORE__EVENTS_GROUPS,
            slice_make(w->groups.items, w->groups.len * sizeof(*w->groups.items)));
    section(&f, STORE__EVENTS_FILTERS,
            slice_make(w->classes.items, w->classes.len * sizeof(*w->classes.items)));
    put_all_tallies(&f, stats.rows);
    uint64_t forms = w->has_twice    ? STORE_COLUMN_IDS_TWICE
                     : w->has_tables ? STORE_COLUMN_TABLES
                                     : STORE_COLUMN_SPLIT;
    section(&f, STORE__EVENTS_FORMS, slice_make(&forms, sizeof(forms)));
    char trailer[STORE__EVENTS_TRAILER];
    uint64_t sum = hash64(f.entries.ptr, f.entries.len, f.sections);
    codec_store64(trailer, w->size);
    codec_store64(trailer + 8, f.sections);
    codec_store64(trailer + 16, sum);
    memcpy(trailer + 24, STORE__EVENTS_END, 8);
    buf_append(&f.entries, trailer, sizeof(trailer));
    if (!f.err)
        f.err = put(w, buf_slice(&f.entries), diag);
    if (!f.err)
        f.err = w->os->ops->sync(w->file, diag);
    info->table = w->table;
    info->t_min_ns = stats.t_min;
    info->t_max_ns = stats.t_max;
    info->rows = stats.rows;
    info->raw_bytes = stats.raw_bytes;
    info->bytes = w->size;
    info->footer_sum = sum;
    buf_deinit(&bytes);
    buf_deinit(&hints);
    buf_deinit(&f.entries);
    store_event_writer_abandon(w);
    return f.err;
}

void store_event_writer_abandon(struct store_event_writer *w)
{
    w->os->ops->close(w->file);
    for (size_t i = 0; i < w->pending.len; i++)
        buf_deinit(&w->pending.items[i].bytes);
    vec_free(&w->pending);
    vec_free(&w->fields);
    vec_free(&w->field_hashes);
    vec_free(&w->groups);
    vec_free(&w->classes);
    vec_free(&w->tallies);
    store_filter_builder_deinit(&w->filter);
    arena_free(w->names);
    mem_free(w->field_table);
    mem_free(w);
}
