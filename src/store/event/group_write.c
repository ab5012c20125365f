/* Putting a row group together: columns, filter, header. */
#include "base/assert.h"
#include "codec/bytes.h"
#include "store/event/block.h"
#include "store/event/part_write_priv.h"
#include "store/event/split.h"
#include "store/events.h"

static void free_columns(struct store_group_columns *c)
{
    for (size_t i = 0; i < c->count; i++) {
        vec_free(&c->items[i].rows);
        vec_free(&c->items[i].values);
    }
    mem_free(c->items);
}

static void clear_columns(struct store_group_columns *c)
{
    for (size_t i = 0; i < c->count; i++) {
        vec_clear(&c->items[i].rows);
        vec_clear(&c->items[i].values);
    }
}

void store_group_builder_deinit(struct store_group_builder *g)
{
    vec_free(&g->ts);
    vec_free(&g->stream);
    free_columns(&g->columns);
    for (int kind = 0; kind < 2; kind++) {
        vec_free(&g->children[kind].owners);
        free_columns(&g->children[kind].columns);
    }
    *g = (struct store_group_builder){0};
}

void store_group_clear(struct store_group_builder *g)
{
    vec_clear(&g->ts);
    vec_clear(&g->stream);
    clear_columns(&g->columns);
    for (int kind = 0; kind < 2; kind++) {
        vec_clear(&g->children[kind].owners);
        clear_columns(&g->children[kind].columns);
    }
    g->raw_bytes = 0;
}

static uint64_t add_value(struct store_group_columns *columns, uint32_t field, uint32_t row,
                          struct data_value value)
{
    if (field >= columns->count) {
        size_t count = MAX((size_t)field + 1, columns->count * 2);
        columns->items = mem_realloc(columns->items, count * sizeof(*columns->items));
        memset(columns->items + columns->count, 0,
               (count - columns->count) * sizeof(*columns->items));
        columns->count = count;
    }
    struct store_group_values *c = &columns->items[field];
    if (c->rows.len && c->rows.items[c->rows.len - 1] == row) {
        c->values.items[c->values.len - 1] = value;
    } else {
        vec_push(&c->rows, row);
        vec_push(&c->values, value);
    }
    return data_value_has_text(value.kind) ? value.text.len : 8;
}

void store_group_add(struct store_group_builder *g, uint32_t field, uint32_t row,
                     struct data_value value)
{
    g->raw_bytes += add_value(&g->columns, field, row, value);
}

uint32_t store_group_add_child(struct store_group_builder *g, uint32_t row,
                               enum data_event_child_kind kind)
{
    vec_push(&g->children[kind].owners, row);
    return (uint32_t)g->children[kind].owners.len - 1;
}

void store_group_add_child_value(struct store_group_builder *g, enum data_event_child_kind kind,
                                 uint32_t field, uint32_t child, struct data_value value)
{
    g->raw_bytes += add_value(&g->children[kind].columns, field, child, value);
}

/* --- filter --- */

static void add_values(struct store_filter_builder *f, uint64_t name,
                       const struct store_group_values *c, bool twice)
{
    const struct data_value *last = NULL;
    for (size_t i = 0; i < c->values.len; i++) {
        const struct data_value *v = &c->values.items[i];
        if (data_value_has_text(v->kind) && !(last && data_value_eq(*v, *last))) {
            uint64_t hash = store_filter_value(name, v->text);
            store_filter_add(f, hash);
            if (twice)
                store_filter_add(f, store_filter_again(hash));
        }
        last = v;
    }
}

/* Trace ids of spans are in it twice, but for what is written as earlier versions did. */
static bool build_filter(struct store_event_writer *w, const struct store_group_builder *g)
{
    bool packed = g->columns.count > STORE_FIELD_CHILDREN &&
                  g->columns.items[STORE_FIELD_CHILDREN].rows.len,
         twice = w->table == DATA_EVENT_SPANS && !packed;
    store_filter_clear(&w->filter);
    for (int kind = 0; kind < 2; kind++) {
        const struct store_group_columns *all = &g->children[kind].columns;
        for (uint32_t field = 0; field < all->count; field++) {
            if (all->items[field].rows.len)
                add_values(&w->filter,
                           field < DATA_CHILD_FIELD_COUNT ? w->child_hashes[field]
                                                          : w->field_hashes.items[field],
                           &all->items[field], false);
        }
    }
    for (uint32_t field = 0; field < g->columns.count; field++) {
        const struct store_group_values *c = &g->columns.items[field];
        if (!c->rows.len || field == DATA_EVENT_PARENT_ID ||
            (field == DATA_EVENT_SPAN_ID && w->table == DATA_EVENT_SPANS))
            continue;
        if (field == DATA_EVENT_LINE) {
            for (size_t i = 0; i < c->values.len; i++)
                if (data_value_has_text(c->values.items[i].kind))
                    store_filter_add_words(&w->filter, c->values.items[i].text);
        } else {
            add_values(&w->filter, w->field_hashes.items[field], c,
                       twice && field == DATA_EVENT_TRACE_ID);
        }
    }
    return twice;
}

/* --- columns and header --- */

static void put_infos(const struct store_column_info *columns, size_t count, struct buf *out)
{
    codec_append_varint(out, count);
    for (size_t i = 0; i < count; i++) {
        codec_append_varint(out, columns[i].field);
        store_column_info_put(&columns[i], out);
    }
}

void store__group_header(const struct store__group_header_in *in, struct buf *out)
{
    int64_t *v = mem_alloc(MAX(in->run_count, (size_t)1) * sizeof(*v));
    codec_append_varint(out, in->run_count);
    for (size_t i = 0; i < in->run_count; i++)
        v[i] = in->run_stream[i];
    codec_ints_encode(v, in->run_count, out);
    for (size_t i = 0; i < in->run_count; i++)
        v[i] = (int64_t)in->run_end[i] - (i ? (int64_t)in->run_end[i - 1] : 0);
    codec_ints_encode(v, in->run_count, out);
    mem_free(v);
    codec_append_varint(out, in->ts_len);
    codec_append64(out, in->ts_sum);
    put_infos(in->columns, in->column_count, out);
    if (in->table_count)
        codec_append_varint(out, in->table_count);
    for (size_t i = 0; i < in->table_count; i++) {
        const struct store_group_table *t = &in->tables[i];
        buf_append_char(out, (char)t->kind);
        codec_append_varint(out, t->rows);
        codec_append_varint(out, t->owners_len);
        codec_append64(out, t->owners_sum);
        put_infos(in->columns + t->first, t->end - t->first, out);
    }
}

/* Span ids of all rows, for parents to point to; NULL when a row has none. */
static char *span_ids_of(const struct store_group_builder *g)
{
    if (g->columns.count <= DATA_EVENT_PARENT_ID)
        return NULL;
    const struct store_group_values *c = &g->columns.items[DATA_EVENT_SPAN_ID];
    if (c->rows.len != g->ts.len)
        return NULL;
    char *ids = mem_alloc(c->rows.len * 8);
    for (size_t i = 0; i < c->rows.len; i++) {
        if (c->values.items[i].kind != DATA_VALUE_BYTES || c->values.items[i].text.len != 8) {
            mem_free(ids);
            return NULL;
        }
        memcpy(ids + i * 8, c->values.items[i].text.ptr, 8);
    }
    return ids;
}

static uint64_t line_bytes(struct data_value v)
{
    return data_value_has_text(v.kind) ? v.text.len : 0;
}

static void tally(struct store_event_writer *w, const struct store_group_builder *g)
{
    uint32_t level_field = w->table == DATA_EVENT_LOGS ? DATA_EVENT_LEVEL : DATA_EVENT_STATUS;
    static const struct store_group_values none;
    const struct store_group_values *levels =
        g->columns.count > level_field ? &g->columns.items[level_field] : &none;
    const struct store_group_values *lines =
        g->columns.count ? &g->columns.items[DATA_EVENT_LINE] : &none;
    size_t at_level = 0, at_line = 0;
    for (uint32_t row = 0; row < g->ts.len; row++) {
        struct data_value level = {0};
        uint64_t bytes = 0;
        if (at_level < levels->rows.len && levels->rows.items[at_level] == row)
            level = levels->values.items[at_level++];
        if (at_line < lines->rows.len && lines->rows.items[at_line] == row)
            bytes = line_bytes(lines->values.items[at_line++]);
        store__tally_add(&w->tallies, g->ts.items[row], g->stream.items[row],
                         store_event_level_code(w->table, level), bytes);
    }
}

void store__tally_add(store_tally_list *list, int64_t ts, uint32_t stream, uint32_t level,
                      uint64_t bytes)
{
    const int64_t minute_ns = 60 * NS_PER_SEC;
    /* A minute ends with its last ns and the next one's first: as windows of queries do. */
    int64_t minute = store_floor_div(ts, minute_ns) - (ts % minute_ns == 0);
    if (list->len) {
        struct store_event_tally *last = &list->items[list->len - 1];
        if (last->minute == minute && last->stream == stream && last->level == level) {
            last->rows++;
            last->bytes += bytes;
            return;
        }
    }
    vec_push(list, ((struct store_event_tally){minute, stream, level, 1, bytes}));
}

static void put_columns(struct store_event_writer *w, const struct store_group_builder *g,
                        struct store__group_header_in *head, struct buf *data)
{
    char *span_ids = w->table == DATA_EVENT_SPANS ? span_ids_of(g) : NULL;
    for (uint32_t field = 0; field < g->columns.count; field++) {
        const struct store_group_values *c = &g->columns.items[field];
        if (!c->rows.len)
            continue;
        struct store_column_in in = {.total = (uint32_t)g->ts.len,
                                     .count = c->rows.len,
                                     .rows = c->rows.items,
                                     .values = c->values.items,
                                     .level = w->zstd_level,
                                     .span_ids = field == DATA_EVENT_PARENT_ID ? span_ids : NULL,
                                     .split = field == DATA_EVENT_LINE ? STORE_SPLIT_DEPTH_MAX : 0,
                                     .times = g->ts.items};
        struct store_column_info *info = &head->columns[head->column_count++];
        store_column_encode(&in, data, info);
        info->field = field;
    }
    mem_free(span_ids);
}

/* --- events and links --- */

static size_t first_from(const struct store_group_values *c, uint32_t row)
{
    size_t lo = 0, hi = c->rows.len;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c->rows.items[mid] < row)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Children [begin, end) of a kind; the infos of their columns go to `infos`. */
static void put_table(struct store_event_writer *w, const struct store_group_children *all,
                      uint32_t begin, uint32_t end, struct store_group_table *t,
                      struct store_column_info *infos, struct buf *data)
{
    uint32_t *rows = mem_alloc((end - begin) * sizeof(*rows));
    int64_t *owners = mem_alloc((end - begin) * sizeof(*owners));
    t->rows = end - begin;
    for (uint32_t i = begin; i < end; i++)
        owners[i - begin] = all->owners.items[i];
    size_t at = data->len;
    codec_ints_encode(owners, t->rows, data);
    t->owners_len = (uint32_t)(data->len - at);
    t->owners_sum = hash64(data->ptr + at, t->owners_len, 0);
    for (uint32_t field = 0; field < all->columns.count; field++) {
        const struct store_group_values *c = &all->columns.items[field];
        size_t from = first_from(c, begin), count = first_from(c, end) - from;
        if (!count)
            continue;
        for (size_t i = 0; i < count; i++)
            rows[i] = c->rows.items[from + i] - begin;
        struct store_column_in in = {.total = t->rows,
                                     .count = count,
                                     .rows = rows,
                                     .values = c->values.items + from,
                                     .level = w->zstd_level};
        store_column_encode(&in, data, &infos[t->end]);
        infos[t->end++].field = field;
    }
    mem_free(rows);
    mem_free(owners);
}

static size_t tables_of(const struct store_group_children *all)
{
    return (all->owners.len + STORE_GROUP_ROWS_MAX - 1) / STORE_GROUP_ROWS_MAX;
}

/* More columns than are in the rows' and in all tables. */
static size_t columns_max(const struct store_group_builder *g)
{
    return g->columns.count + tables_of(&g->children[0]) * g->children[0].columns.count +
           tables_of(&g->children[1]) * g->children[1].columns.count;
}

static struct store_group_table *put_tables(struct store_event_writer *w,
                                            const struct store_group_builder *g,
                                            struct store__group_header_in *head, struct buf *data)
{
    size_t count = tables_of(&g->children[0]) + tables_of(&g->children[1]);
    struct store_group_table *tables = mem_calloc(count, sizeof(*tables));
    size_t columns = head->column_count;
    for (int kind = 0; kind < 2; kind++) {
        const struct store_group_children *all = &g->children[kind];
        for (size_t i = 0; i < all->owners.len; i += STORE_GROUP_ROWS_MAX) {
            struct store_group_table *t = &tables[head->table_count++];
            *t = (struct store_group_table){
                .kind = (enum data_event_child_kind)kind, .first = columns, .end = columns};
            put_table(w, all, (uint32_t)i, (uint32_t)MIN(i + STORE_GROUP_ROWS_MAX, all->owners.len),
                      t, head->columns, data);
            columns = t->end;
        }
    }
    head->tables = tables;
    w->has_tables |= count > 0;
    return tables;
}

const char *store_child_field_name(uint32_t field)
{
    static const char *const names[DATA_CHILD_FIELD_COUNT] = {
        [0] = "",
        [DATA_CHILD_NAME] = "event:name",
        [DATA_CHILD_TIME] = "event:time",
        [DATA_CHILD_TRACE_ID] = "link:traceID",
        [DATA_CHILD_SPAN_ID] = "link:spanID",
        [DATA_CHILD_TRACE_STATE] = "link:traceState",
        [DATA_CHILD_FLAGS] = "link:flags",
        [DATA_CHILD_DROPPED] = "dropped"};
    return names[field];
}

int store_event_writer_children(struct store_event_writer *w, struct store_group_builder *g,
                                uint32_t row, struct slice packed)
{
    struct data_event_child *items;
    struct data_event_attr *attrs;
    struct slice *names;
    size_t count, name_count;
    struct arena *arena = arena_new(4096, NULL);
    bool ok = store_children_decode(packed, 0, arena, &items, &count, &attrs, &names, &name_count);
    for (size_t i = 0; ok && i < count; i++) {
        const struct data_event_child *c = &items[i];
        enum data_event_scope scope =
            c->kind == DATA_CHILD_EVENT ? DATA_SCOPE_EVENT : DATA_SCOPE_LINK;
        struct store_event_children all = {items, count, attrs, names};
        uint32_t child = store_group_add_child(g, row, c->kind);
        for (uint32_t f = 1; f < DATA_CHILD_FIELD_COUNT; f++) {
            struct store_event_field own = {.scopes = STORE_SCOPE_BIT(scope), .intrinsic = f};
            struct data_value v = store_event_child_value(&all, c, 0, own);
            if (v.kind)
                store_group_add_child_value(g, c->kind, f, child, v);
        }
        for (uint32_t k = c->first; k < c->first + c->count; k++)
            store_group_add_child_value(g, c->kind,
                                        store_event_writer_field(w, scope, names[attrs[k].field]),
                                        child, attrs[k].value);
    }
    arena_free(arena);
    return ok ? 0 : ERR_CORRUPT;
}

int store_event_writer_group(struct store_event_writer *w, struct store_group_builder *g,
                             struct diag *diag)
{
    uint32_t rows = (uint32_t)g->ts.len;
    base_assert(rows && rows <= STORE_GROUP_ROWS_MAX && g->stream.len == rows);
    struct store_group_entry e = {.rows = rows,
                                  .raw_bytes = g->raw_bytes,
                                  .t_min = INT64_MAX,
                                  .t_max = INT64_MIN,
                                  .stream_min = UINT32_MAX};
    struct store__group_header_in head = {0};
    struct buf data = {0}, header = {0}, filter = {0};
    head.run_stream = mem_alloc(rows * sizeof(*head.run_stream));
    head.run_end = mem_alloc(rows * sizeof(*head.run_end));
    head.columns = mem_calloc(columns_max(g), sizeof(*head.columns));
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t s = g->stream.items[i];
        int64_t ts = g->ts.items[i];
        if (!i || s != g->stream.items[i - 1])
            head.run_stream[head.run_count++] = s;
        head.run_end[head.run_count - 1] = i + 1;
        e.t_min = MIN(e.t_min, ts);
        e.t_max = MAX(e.t_max, ts);
        e.stream_min = MIN(e.stream_min, s);
        e.stream_max = MAX(e.stream_max, s);
    }
    codec_ints_encode(g->ts.items, rows, &data);
    head.ts_len = (uint32_t)data.len;
    head.ts_sum = hash64(data.ptr, data.len, 0);
    put_columns(w, g, &head, &data);
    struct store_group_table *tables = put_tables(w, g, &head, &data);
    store__group_header(&head, &header);
    bool twice = build_filter(w, g);
    store_filter_write(&w->filter, &filter);
    tally(w, g);
    int err =
        store__writer_put_group(w, &e, buf_slice(&header), buf_slice(&data), &filter, twice, diag);
    mem_free(head.run_stream);
    mem_free(head.run_end);
    mem_free(head.columns);
    mem_free(tables);
    buf_deinit(&data);
    buf_deinit(&header);
    buf_deinit(&filter);
    return err;
}
