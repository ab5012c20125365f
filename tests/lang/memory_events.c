#include "memory_events.h"

#include <stdlib.h>

#include "base/mem.h"
#include "data/event_batch.h"

struct row {
    int64_t ts_ns;
    uint32_t stream;
    struct slice line;
    struct data_label *fields;
    size_t field_count;
};

struct memory_events {
    struct store_event_source face;
    struct arena *arena;
    VEC(struct store_event_stream) streams;
    VEC(struct row) rows;
    size_t morsel;
};

struct store_event_cursor {
    struct memory_events *m;
    const struct store_event_scan *scan;
    VEC(size_t) rows; /* that satisfy the scan, oldest first */
    size_t at;
    struct store_event_stats stats;
};

static struct memory_events *of(struct store_event_source *src)
{
    return BASE_CONTAINER_OF(src, struct memory_events, face);
}

static bool next_pair(struct slice *rest, struct data_label *out)
{
    struct slice one;
    if (!rest->ptr || !slice_split(rest, ',', &one) || !one.len)
        return false;
    ptrdiff_t eq = slice_find_char(one, '=');
    out->name = slice_first(one, (size_t)eq);
    out->value = slice_from(one, (size_t)eq + 1);
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->ts_ns != y->ts_ns ? (x->ts_ns < y->ts_ns ? -1 : 1)
                                : (x->stream > y->stream) - (x->stream < y->stream);
}

void memory_events_add(struct memory_events *m, const char *labels, int64_t ts_ns, const char *line,
                       const char *metadata)
{
    struct data_labels_builder b = {0};
    struct data_labels set;
    struct data_label pair;
    struct slice rest = arena_slice(m->arena, slice_cstr(labels));
    while (next_pair(&rest, &pair))
        data_labels_builder_add(&b, pair.name, pair.value);
    data_labels_builder_finish(&b, &set, NULL);
    uint32_t stream = 0;
    while (stream < m->streams.len && !data_labels_eq(m->streams.items[stream].labels, set))
        stream++;
    if (stream == m->streams.len)
        vec_push(&m->streams,
                 ((struct store_event_stream){.labels = data_labels_copy(m->arena, set),
                                              .id = {.hi = stream}}));
    data_labels_builder_deinit(&b);
    struct row row = {.ts_ns = ts_ns,
                      .stream = stream,
                      .line = arena_slice(m->arena, slice_cstr(line)),
                      .fields = ARENA_ARRAY(m->arena, struct data_label, 16)};
    rest = metadata ? arena_slice(m->arena, slice_cstr(metadata)) : (struct slice){NULL, 0};
    while (next_pair(&rest, &pair))
        row.fields[row.field_count++] = pair;
    vec_push(&m->rows, row);
    /* Keeps them in order; there are few. */
    for (size_t i = m->rows.len - 1; i && by_time(&m->rows.items[i - 1], &m->rows.items[i]) > 0;
         i--) {
        struct row other = m->rows.items[i];
        m->rows.items[i] = m->rows.items[i - 1];
        m->rows.items[i - 1] = other;
    }
}

static struct data_value value_of(const struct memory_events *m, const struct row *row,
                                  struct store_event_field f)
{
    if (f.scopes == STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC)) {
        if (f.intrinsic == DATA_EVENT_LINE)
            return data_value_string(row->line);
        for (size_t i = 0; i < row->field_count; i++) {
            if (f.intrinsic == DATA_EVENT_LEVEL && slice_eq_cstr(row->fields[i].name, "level"))
                return data_value_string(row->fields[i].value);
        }
        return (struct data_value){0};
    }
    struct data_labels labels = m->streams.items[row->stream].labels;
    for (size_t i = 0; (f.scopes & STORE_SCOPE_BIT(DATA_SCOPE_STREAM)) && i < labels.count; i++) {
        if (data_event_name_matches(labels.items[i].name, f.name))
            return data_value_string(labels.items[i].value);
    }
    for (size_t i = 0; (f.scopes & STORE_SCOPES_FIELDS) && i < row->field_count; i++) {
        if (!slice_eq_cstr(row->fields[i].name, "level") &&
            data_event_name_matches(row->fields[i].name, f.name))
            return data_value_string(row->fields[i].value);
    }
    return (struct data_value){0};
}

static bool satisfies(const struct memory_events *m, const struct row *row,
                      const struct store_event_scan *scan, struct buf *scratch)
{
    struct data_labels labels = m->streams.items[row->stream].labels;
    if (row->ts_ns < scan->select.t_min_ns || row->ts_ns > scan->select.t_max_ns)
        return false;
    for (size_t i = 0; i < scan->select.matcher_count; i++) {
        const struct store_matcher *matcher = &scan->select.matchers[i];
        struct slice value = SLICE("");
        for (size_t k = 0; k < labels.count; k++) {
            if (data_event_name_matches(labels.items[k].name, matcher->name))
                value = labels.items[k].value;
        }
        if (!store_matcher_matches(matcher, value))
            return false;
    }
    for (size_t i = 0; i < scan->clause_count; i++) {
        bool any = false;
        for (size_t k = 0; k < scan->clauses[i].count && !any; k++) {
            const struct store_event_predicate *p = &scan->clauses[i].any[k];
            any = store_event_satisfies(p, value_of(m, row, p->field), scratch);
        }
        if (!any)
            return false;
    }
    return true;
}

static int scan(struct store_event_source *src, const struct store_event_scan *req,
                struct store_event_cursor **out, struct diag *diag)
{
    struct memory_events *m = of(src);
    struct store_event_cursor *c = mem_calloc(1, sizeof(*c));
    struct buf scratch = {0};
    c->m = m;
    c->scan = req;
    for (size_t i = 0; i < m->rows.len; i++) {
        c->stats.rows_scanned++;
        if (satisfies(m, &m->rows.items[i], req, &scratch))
            vec_push(&c->rows, i);
    }
    buf_deinit(&scratch);
    *out = c;
    return 0;
}

/* All fields that rows have, as columns. */
static void all_columns(const struct store_event_cursor *c, size_t first, size_t count,
                        struct store_event_chunk *out)
{
    const struct memory_events *m = c->m;
    struct store_event_column *columns = ARENA_ARRAY(out->arena, struct store_event_column, 64);
    size_t n = 2;
    columns[0] =
        (struct store_event_column){DATA_SCOPE_INTRINSIC, DATA_EVENT_LINE, {NULL, 0}, NULL};
    columns[1] =
        (struct store_event_column){DATA_SCOPE_INTRINSIC, DATA_EVENT_LEVEL, {NULL, 0}, NULL};
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &m->rows.items[c->rows.items[first + i]];
        for (size_t k = 0; k < row->field_count; k++) {
            size_t at = 2;
            while (at < n && !slice_eq(columns[at].name, row->fields[k].name))
                at++;
            if (at == n && !slice_eq_cstr(row->fields[k].name, "level"))
                columns[n++] =
                    (struct store_event_column){DATA_SCOPE_ATTRIBUTE, 0, row->fields[k].name, NULL};
        }
    }
    out->columns = columns;
    out->column_count = n;
}

static void read_rows(const struct store_event_cursor *c, size_t first, size_t count,
                      struct store_event_chunk *out)
{
    const struct memory_events *m = c->m;
    if (!out->arena)
        out->arena = arena_new(0, NULL);
    arena_reset(out->arena);
    int64_t *ts = ARENA_ARRAY(out->arena, int64_t, count);
    uint32_t *stream = ARENA_ARRAY(out->arena, uint32_t, count);
    for (size_t i = 0; i < count; i++) {
        ts[i] = m->rows.items[c->rows.items[first + i]].ts_ns;
        stream[i] = m->rows.items[c->rows.items[first + i]].stream;
    }
    out->count = count;
    out->ts = ts;
    out->stream = stream;
    out->streams = m->streams.items;
    out->stream_count = m->streams.len;
    out->column_count = c->scan->field_count;
    out->columns = ARENA_ARRAY(out->arena, struct store_event_column, c->scan->field_count + 1);
    if (c->scan->all_fields)
        all_columns(c, first, count, out);
    for (size_t k = 0; k < out->column_count; k++) {
        struct store_event_column *col = (struct store_event_column *)(uintptr_t)&out->columns[k];
        struct store_event_field f;
        if (!c->scan->all_fields)
            f = c->scan->fields[k];
        else if (col->scope == DATA_SCOPE_INTRINSIC)
            f = STORE_EVENT_INTRINSIC(col->intrinsic);
        else
            f = (struct store_event_field){.scopes = STORE_SCOPES_FIELDS, .name = col->name};
        struct data_value *values = ARENA_ARRAY(out->arena, struct data_value, count);
        for (size_t i = 0; i < count; i++)
            values[i] = value_of(m, &m->rows.items[c->rows.items[first + i]], f);
        col->values = values;
    }
}

static void swap(void *items, size_t size, size_t a, size_t b)
{
    char other[64], *at = items;
    memcpy(other, at + a * size, size);
    memcpy(at + a * size, at + b * size, size);
    memcpy(at + b * size, other, size);
}

static void reverse(struct store_event_chunk *c, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        swap((void *)(uintptr_t)c->ts, sizeof(*c->ts), i, count - 1 - i);
        swap((void *)(uintptr_t)c->stream, sizeof(*c->stream), i, count - 1 - i);
        for (size_t k = 0; k < c->column_count; k++)
            swap((void *)(uintptr_t)c->columns[k].values, sizeof(*c->columns[k].values), i,
                 count - 1 - i);
    }
}

static int next(struct store_event_cursor *c, struct store_event_chunk *out, struct diag *diag)
{
    size_t count = MIN(c->m->morsel, c->rows.len - c->at);
    c->at += count;
    if (c->scan->order == STORE_EVENT_OLDEST_FIRST) {
        read_rows(c, c->at - count, count, out);
        return 0;
    }
    read_rows(c, c->rows.len - c->at, count, out);
    reverse(out, count);
    return 0;
}

static size_t morsel_count(struct store_event_cursor *c)
{
    return (c->rows.len + c->m->morsel - 1) / c->m->morsel;
}

static void morsel_times(struct store_event_cursor *c, size_t i, int64_t *t_min_ns,
                         int64_t *t_max_ns)
{
    size_t first = i * c->m->morsel, end = MIN(first + c->m->morsel, c->rows.len);
    *t_min_ns = c->m->rows.items[c->rows.items[first]].ts_ns;
    *t_max_ns = c->m->rows.items[c->rows.items[end - 1]].ts_ns;
}

static int morsel_read(struct store_event_cursor *c, size_t i, struct store_event_chunk *out,
                       struct diag *diag)
{
    size_t first = i * c->m->morsel;
    read_rows(c, first, MIN(c->m->morsel, c->rows.len - first), out);
    return 0;
}

static void cursor_stats(struct store_event_cursor *c, struct store_event_stats *out)
{
    *out = c->stats;
}

static void close_cursor(struct store_event_cursor *c)
{
    vec_free(&c->rows);
    mem_free(c);
}

static uint32_t caps(struct store_event_source *src)
{
    return STORE_EVENT_CAP_PREDICATES;
}

struct memory_events *memory_events_new(void)
{
    static const struct store_event_ops ops = {.caps = caps,
                                               .scan = scan,
                                               .next = next,
                                               .morsel_count = morsel_count,
                                               .morsel_times = morsel_times,
                                               .morsel_read = morsel_read,
                                               .cursor_stats = cursor_stats,
                                               .close = close_cursor};
    struct memory_events *m = mem_calloc(1, sizeof(*m));
    m->face.ops = &ops;
    m->arena = arena_new(0, NULL);
    m->morsel = 2;
    return m;
}

void memory_events_set_morsel(struct memory_events *m, size_t rows)
{
    m->morsel = rows;
}

void memory_events_free(struct memory_events *m)
{
    vec_free(&m->streams);
    vec_free(&m->rows);
    arena_free(m->arena);
    mem_free(m);
}

struct store_event_source *memory_events_face(struct memory_events *m)
{
    return &m->face;
}
