/* Reading a row group. */
#include "codec/bytes.h"
#include "store/event/block.h"
#include "store/event/part_priv.h"
#include "store/event/part_write_priv.h"
#include "store/event/sum.h"

static bool skip_runs(struct store_group *g, struct slice *in)
{
    uint64_t count;
    if (!codec_take_varint(in, &count) || !count || count > g->entry.rows)
        return false;
    g->run_count = count;
    g->runs = *in;
    return !codec_ints_skip(in, count) && !codec_ints_skip(in, count);
}

int store_group_unpack_runs(struct store_group *g)
{
    size_t count = g->run_count;
    struct slice in = g->runs;
    if (g->run_stream)
        return 0;
    int64_t *v = mem_alloc(count * sizeof(*v));
    uint32_t *streams = mem_alloc(count * sizeof(*streams)),
             *ends = mem_alloc(count * sizeof(*ends));
    bool ok = !codec_ints_decode(&in, v, count);
    for (size_t i = 0; i < count && ok; i++) {
        ok = v[i] >= g->entry.stream_min && v[i] <= g->entry.stream_max;
        streams[i] = (uint32_t)v[i];
    }
    ok = ok && !codec_ints_decode(&in, v, count);
    uint32_t end = 0;
    for (size_t i = 0; i < count && ok; i++) {
        ok = v[i] > 0 && v[i] <= (int64_t)(g->entry.rows - end);
        end += ok ? (uint32_t)v[i] : 0;
        ends[i] = end;
    }
    mem_free(v);
    if (!ok || end != g->entry.rows) {
        mem_free(streams);
        mem_free(ends);
        return ERR_CORRUPT;
    }
    g->run_stream = streams;
    g->run_end = ends;
    return 0;
}

/* Columns of the rows, or of a table, whose data begins at *at of the group's. */
static bool take_infos(struct store_group *g, struct slice *in, uint32_t rows, uint64_t *at)
{
    uint64_t count;
    if (!codec_take_varint(in, &count) || count > in->len)
        return false;
    size_t room = g->all_count + count;
    g->columns = mem_realloc(g->columns, MAX(room, (size_t)1) * sizeof(*g->columns));
    g->column_at = mem_realloc(g->column_at, MAX(room, (size_t)1) * sizeof(*g->column_at));
    for (uint64_t i = 0; i < count; i++) {
        struct store_column_info *c = &g->columns[g->all_count];
        uint64_t field;
        *c = (struct store_column_info){0};
        if (!codec_take_varint(in, &field) || field >= g->part->field_count ||
            !store_column_info_take(in, c) || c->present > rows ||
            c->meta_len > g->entry.data_len - *at ||
            c->pages_len > g->entry.data_len - *at - c->meta_len)
            return false;
        c->field = (uint32_t)field;
        g->column_at[g->all_count++] = *at;
        *at += c->meta_len + c->pages_len;
    }
    return true;
}

/* Each takes several bytes of the header, so that their number is bounded by its length. */
static bool take_table(struct store_group *g, struct slice *in, uint64_t *at)
{
    struct store_group_table *t = &g->tables[g->table_count];
    uint64_t rows, owners_len;
    if (!in->len || (unsigned char)in->ptr[0] > DATA_CHILD_LINK)
        return false;
    *t = (struct store_group_table){
        .kind = (enum data_event_child_kind)in->ptr[0], .first = g->all_count, .owners_at = *at};
    *in = slice_from(*in, 1);
    if (!codec_take_varint(in, &rows) || !rows || rows > STORE_GROUP_ROWS_MAX ||
        !codec_take_varint(in, &owners_len) || owners_len > g->entry.data_len - *at ||
        owners_len > UINT32_MAX || in->len < 8)
        return false;
    t->rows = (uint32_t)rows;
    t->owners_len = (uint32_t)owners_len;
    t->owners_sum = codec_load64(in->ptr);
    *in = slice_from(*in, 8);
    *at += owners_len;
    if (!take_infos(g, in, t->rows, at))
        return false;
    t->end = g->all_count;
    enum data_event_scope scope = t->kind == DATA_CHILD_EVENT ? DATA_SCOPE_EVENT : DATA_SCOPE_LINK;
    for (size_t i = t->first; i < t->end; i++) {
        uint32_t field = g->columns[i].field;
        if (field < DATA_EVENT_INTRINSIC_COUNT ? !field || field >= DATA_CHILD_FIELD_COUNT
                                               : g->part->fields[field].scope != scope)
            return false;
    }
    g->table_count++;
    return true;
}

static bool take_header(struct store_group *g, struct slice in)
{
    uint64_t ts_len, tables = 0;
    if (!skip_runs(g, &in) || !codec_take_varint(&in, &ts_len) || ts_len > g->entry.data_len ||
        ts_len > UINT32_MAX || in.len < 8)
        return false;
    g->ts_len = (uint32_t)ts_len;
    g->ts_sum = codec_load64(in.ptr);
    in = slice_from(in, 8);
    uint64_t at = ts_len;
    if (!take_infos(g, &in, g->entry.rows, &at))
        return false;
    g->column_count = g->all_count;
    if (in.len && (!codec_take_varint(&in, &tables) || tables > in.len))
        return false;
    g->tables = mem_calloc(tables, sizeof(*g->tables));
    for (uint64_t i = 0; i < tables; i++) {
        if (!take_table(g, &in, &at))
            return false;
    }
    return at == g->entry.data_len;
}

int store_group_open_header(const struct store_event_part *p, size_t i, struct store_group *out)
{
    *out = (struct store_group){.part = p, .entry = store_event_part_group(p, i)};
    struct slice header = slice_make(p->bytes.ptr + out->entry.header_at, out->entry.header_len);
    if (store_sum_matches(header.ptr, header.len, 0, out->entry.header_sum) &&
        take_header(out, header))
        return 0;
    store_group_close(out);
    return ERR_CORRUPT;
}

int store_group_open(const struct store_event_part *p, size_t i, struct store_group *out)
{
    int err = store_group_open_header(p, i, out);
    if (!err)
        err = store_group_unpack_runs(out);
    if (err)
        store_group_close(out);
    return err;
}

void store_group_close(struct store_group *g)
{
    mem_free(g->run_stream);
    mem_free(g->run_end);
    mem_free(g->columns);
    mem_free(g->column_at);
    mem_free(g->tables);
    *g = (struct store_group){0};
}

int store_group_times(const struct store_group *g, int64_t *out)
{
    struct slice in = slice_make(g->part->bytes.ptr + g->entry.data_at, g->ts_len);
    if (!store_sum_matches(in.ptr, in.len, 0, g->ts_sum) ||
        codec_ints_decode(&in, out, g->entry.rows))
        return ERR_CORRUPT;
    return 0;
}

int store_group_owners(const struct store_group *g, const struct store_group_table *table,
                       uint32_t *out)
{
    struct slice in =
        slice_make(g->part->bytes.ptr + g->entry.data_at + table->owners_at, table->owners_len);
    int64_t *v = mem_alloc(table->rows * sizeof(*v));
    bool ok = store_sum_matches(in.ptr, in.len, 0, table->owners_sum) &&
              !codec_ints_decode(&in, v, table->rows);
    for (uint32_t i = 0; i < table->rows && ok; i++) {
        ok = v[i] >= (i ? v[i - 1] : 0) && v[i] < (int64_t)g->entry.rows;
        out[i] = (uint32_t)v[i];
    }
    mem_free(v);
    return ok ? 0 : ERR_CORRUPT;
}

struct data_event_field store_group_child_field(const struct store_group *g,
                                                const struct store_group_table *table,
                                                size_t column, uint32_t *out_intrinsic)
{
    uint32_t field = g->columns[column].field;
    *out_intrinsic = field < DATA_EVENT_INTRINSIC_COUNT ? field : 0;
    if (*out_intrinsic)
        return (struct data_event_field){table->kind == DATA_CHILD_EVENT ? DATA_SCOPE_EVENT
                                                                         : DATA_SCOPE_LINK,
                                         slice_cstr(store_child_field_name(field))};
    return g->part->fields[field];
}

/* Of the rows, or of the table that the column belongs to. */
static uint32_t total_of(const struct store_group *g, size_t column)
{
    for (size_t i = 0; i < g->table_count; i++) {
        if (column >= g->tables[i].first && column < g->tables[i].end)
            return g->tables[i].rows;
    }
    return g->entry.rows;
}

size_t store_group_find(const struct store_group *g, uint32_t field)
{
    for (size_t i = 0; i < g->column_count; i++) {
        if (g->columns[i].field == field)
            return i;
    }
    return SIZE_MAX;
}

int store_group_column(const struct store_group *g, size_t column, const struct store_column *spans,
                       struct store_column *out)
{
    const struct store_column_info *c = &g->columns[column];
    const char *at = g->part->bytes.ptr + g->entry.data_at + g->column_at[column];
    struct store_column_context context = {.spans = spans};
    int64_t *times = NULL;
    int err = 0;
    *out = (struct store_column){0};
    /* Lines and parents are no events'. */
    if (column >= g->column_count &&
        (c->form == STORE_COLUMN_SPLIT || c->form == STORE_COLUMN_PARENT))
        return ERR_CORRUPT;
    if (c->form == STORE_COLUMN_SPLIT) {
        context.times = times = mem_alloc(g->entry.rows * sizeof(*times));
        err = store_group_times(g, times);
    }
    if (!err)
        err = store_column_decode(c, total_of(g, column), slice_make(at, c->meta_len),
                                  slice_make(at + c->meta_len, c->pages_len), &context, out);
    if (err)
        mem_free(times);
    else
        out->own_times = times;
    return err;
}

size_t store_group_column_bytes(const struct store_group *g, size_t column)
{
    return g->columns[column].meta_len + g->columns[column].pages_len;
}

int store_group_tally(const struct store_group *g, store_tally_list *out)
{
    enum data_event_table table = g->part->info.table;
    size_t level = store_group_find(g, table == DATA_EVENT_LOGS ? DATA_EVENT_LEVEL
                                                                : (uint32_t)DATA_EVENT_STATUS);
    size_t line = store_group_find(g, DATA_EVENT_LINE);
    struct store_column levels = {0}, lines = {0};
    struct arena *arena = arena_new(0, NULL);
    int64_t *ts = mem_alloc(g->entry.rows * sizeof(*ts));
    int err = store_group_times(g, ts);
    if (!err && level != SIZE_MAX)
        err = store_group_column(g, level, NULL, &levels);
    if (!err && line != SIZE_MAX)
        err = store_group_column(g, line, NULL, &lines);
    uint32_t *lengths = mem_alloc(((size_t)lines.present + 1) * sizeof(*lengths));
    if (!err && lines.present)
        err = store_column_lengths(&lines, lengths);
    size_t run = 0;
    for (uint32_t row = 0; row < g->entry.rows && !err; row++) {
        struct data_value v = {0};
        uint64_t bytes = 0;
        while (row >= g->run_end[run])
            run++;
        if (levels.present)
            err = store_column_get(&levels, row, arena, &v);
        uint32_t i = lines.present ? store_column_index(&lines, row) : UINT32_MAX;
        if (i != UINT32_MAX)
            bytes = lengths[i];
        store__tally_add(out, ts[row], g->run_stream[run], store_event_level_code(table, v), bytes);
    }
    store_column_free(&levels);
    store_column_free(&lines);
    arena_free(arena);
    mem_free(lengths);
    mem_free(ts);
    return err;
}
