/* Putting a row group together: columns, filter, header. */
#include "base/assert.h"
#include "codec/bytes.h"
#include "store/event/block.h"
#include "store/event/part_write_priv.h"
#include "store/event/split.h"

void store_group_builder_deinit(struct store_group_builder *g)
{
    vec_free(&g->ts);
    vec_free(&g->stream);
    for (size_t i = 0; i < g->column_count; i++) {
        vec_free(&g->columns[i].rows);
        vec_free(&g->columns[i].values);
    }
    mem_free(g->columns);
    *g = (struct store_group_builder){0};
}

void store_group_clear(struct store_group_builder *g)
{
    vec_clear(&g->ts);
    vec_clear(&g->stream);
    for (size_t i = 0; i < g->column_count; i++) {
        vec_clear(&g->columns[i].rows);
        vec_clear(&g->columns[i].values);
    }
    g->raw_bytes = 0;
}

void store_group_add(struct store_group_builder *g, uint32_t field, uint32_t row,
                     struct data_value value)
{
    if (field >= g->column_count) {
        size_t count = MAX((size_t)field + 1, g->column_count * 2);
        g->columns = mem_realloc(g->columns, count * sizeof(*g->columns));
        memset(g->columns + g->column_count, 0, (count - g->column_count) * sizeof(*g->columns));
        g->column_count = count;
    }
    struct store_group_values *c = &g->columns[field];
    g->raw_bytes += data_value_has_text(value.kind) ? value.text.len : 8;
    if (c->rows.len && c->rows.items[c->rows.len - 1] == row) {
        c->values.items[c->values.len - 1] = value;
        return;
    }
    vec_push(&c->rows, row);
    vec_push(&c->values, value);
}

/* --- filter --- */

static void add_values(struct store_filter_builder *f, uint64_t name,
                       const struct store_group_values *c)
{
    const struct data_value *last = NULL;
    for (size_t i = 0; i < c->values.len; i++) {
        const struct data_value *v = &c->values.items[i];
        if (data_value_has_text(v->kind) && !(last && data_value_eq(*v, *last)))
            store_filter_add(f, store_filter_value(name, v->text));
        last = v;
    }
}

static void build_filter(struct store_event_writer *w, const struct store_group_builder *g)
{
    store_filter_clear(&w->filter);
    for (uint32_t field = 0; field < g->column_count; field++) {
        const struct store_group_values *c = &g->columns[field];
        if (!c->rows.len || field == STORE_FIELD_CHILDREN || field == DATA_EVENT_PARENT_ID ||
            (field == DATA_EVENT_SPAN_ID && w->table == DATA_EVENT_SPANS))
            continue;
        if (field == DATA_EVENT_LINE) {
            for (size_t i = 0; i < c->values.len; i++)
                if (data_value_has_text(c->values.items[i].kind))
                    store_filter_add_words(&w->filter, c->values.items[i].text);
        } else {
            add_values(&w->filter, w->field_hashes.items[field], c);
        }
    }
}

/* --- columns and header --- */

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
    codec_append_varint(out, in->column_count);
    for (size_t i = 0; i < in->column_count; i++) {
        codec_append_varint(out, in->columns[i].field);
        store_column_info_put(&in->columns[i], out);
    }
}

/* Span ids of all rows, for parents to point to; NULL when a row has none. */
static char *span_ids_of(const struct store_group_builder *g)
{
    if (g->column_count <= DATA_EVENT_PARENT_ID)
        return NULL;
    const struct store_group_values *c = &g->columns[DATA_EVENT_SPAN_ID];
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
        g->column_count > level_field ? &g->columns[level_field] : &none;
    const struct store_group_values *lines = g->column_count ? &g->columns[DATA_EVENT_LINE] : &none;
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
    for (uint32_t field = 0; field < g->column_count; field++) {
        const struct store_group_values *c = &g->columns[field];
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
    head.columns = mem_calloc(g->column_count, sizeof(*head.columns));
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
    store__group_header(&head, &header);
    build_filter(w, g);
    store_filter_write(&w->filter, &filter);
    tally(w, g);
    int err = store__writer_put_group(w, &e, buf_slice(&header), buf_slice(&data), &filter, diag);
    mem_free(head.run_stream);
    mem_free(head.run_end);
    mem_free(head.columns);
    buf_deinit(&data);
    buf_deinit(&header);
    buf_deinit(&filter);
    return err;
}
