#include "lang/logql/rows.h"

#include <stdlib.h>

#include "base/mem.h"

void logql_rows_init(struct logql_rows *r, const struct logql_pipeline *pipeline, int64_t now_ns)
{
    *r = (struct logql_rows){.pipeline = pipeline};
    r->arena = arena_new(0, NULL);
    r->names = arena_new(0, NULL);
    logql_line_init(&r->line);
    r->line.now_ns = now_ns;
    logql_line_init(&r->tried);
    if (pipeline->derive)
        r->tests = mem_calloc(pipeline->derive->test_count + 1, sizeof(*r->tests));
}

void logql_rows_deinit(struct logql_rows *r)
{
    logql_line_deinit(&r->line);
    logql_line_deinit(&r->tried);
    mem_free(r->tests);
    vec_free(&r->columns);
    vec_free(&r->streams);
    arena_free(r->arena);
    arena_free(r->names);
    buf_deinit(&r->scratch);
}

void logql_rows_scan(const struct logql_pipeline *p, struct store_event_scan *out)
{
    out->clauses = p->clauses;
    out->clause_count = p->clause_count;
    out->all_fields = p->all_fields;
    out->fields = p->all_fields ? NULL : p->fields;
    out->field_count = p->all_fields ? 0 : p->field_count;
    out->derive = p->derive ? &p->derive->scan : NULL;
}

static void add_column(struct logql_rows *r, size_t column, struct slice name, uint32_t intrinsic)
{
    vec_push(&r->columns, ((struct logql_rows_column){column, name, intrinsic}));
}

static void add_columns(struct logql_rows *r, const struct store_event_chunk *c)
{
    const struct logql_pipeline *p = r->pipeline;
    r->chunk = c;
    r->line_column = SIZE_MAX;
    vec_clear(&r->columns);
    arena_reset(r->names);
    if (!p->all_fields) {
        for (size_t i = 0; i < p->field_count; i++) {
            bool intrinsic = p->fields[i].scopes == STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC);
            if (!p->field_names[i].len)
                r->line_column = i;
            else
                add_column(r, i, p->field_names[i],
                           intrinsic ? p->fields[i].intrinsic : UINT32_MAX);
        }
        return;
    }
    for (size_t i = 0; i < c->column_count; i++) {
        const struct store_event_column *col = &c->columns[i];
        if (col->scope != DATA_SCOPE_INTRINSIC) {
            add_column(r, i, logql_sanitize(r->names, col->name), UINT32_MAX);
            continue;
        }
        struct slice name = logql_intrinsic_label(col->intrinsic);
        if (col->intrinsic == DATA_EVENT_LINE)
            r->line_column = i;
        else if (name.len)
            add_column(r, i, name, col->intrinsic);
    }
}

void logql_rows_chunk(struct logql_rows *r, const struct store_event_chunk *c)
{
    const struct logql_derive *d = r->pipeline->derive;
    add_columns(r, c);
    r->tests_stream = UINT32_MAX;
    for (size_t i = 0; d && i < d->test_count; i++) {
        struct logql_rows_test *t = &r->tests[i];
        *t = (struct logql_rows_test){0};
        for (size_t k = 0; k < r->columns.len; k++) {
            if (!slice_eq(r->columns.items[k].name, d->tests[i].filter->name))
                continue;
            t->off = t->column_count == ARRAY_LEN(t->columns);
            if (t->off)
                break;
            t->columns[t->column_count++] = r->columns.items[k].column;
        }
    }
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct logql_label *)a)->name, ((const struct logql_label *)b)->name);
}

void logql_rows_forget_streams(struct logql_rows *r)
{
    vec_clear(&r->streams);
    arena_reset(r->arena);
}

const struct logql_rows_stream *logql_rows_stream(struct logql_rows *r, uint32_t stream)
{
    while (r->streams.len <= stream)
        vec_add(&r->streams);
    struct logql_rows_stream *s = &r->streams.items[stream];
    if (s->made)
        return s;
    struct data_labels labels = r->chunk->streams[stream].labels;
    s->made = true;
    s->labels = ARENA_ARRAY(r->arena, struct logql_label, labels.count);
    for (size_t i = 0; i < labels.count; i++) {
        struct slice name = logql_sanitize(r->arena, labels.items[i].name);
        size_t k = 0;
        while (k < s->count && !slice_eq(s->labels[k].name, name))
            k++;
        if (k == s->count)
            s->labels[s->count++] = (struct logql_label){name, labels.items[i].value, LOGQL_STREAM};
    }
    qsort(s->labels, s->count, sizeof(*s->labels), by_name);
    return s;
}

static struct slice value_text(struct logql_rows *r, const struct logql_rows_column *c,
                               struct data_value v)
{
    if (v.kind == DATA_VALUE_STRING || v.kind == DATA_VALUE_JSON)
        return v.text;
    buf_clear(&r->scratch);
    if (c->intrinsic != UINT32_MAX)
        store_event_text(STORE_EVENT_INTRINSIC(c->intrinsic), v, &r->scratch);
    else
        data_value_print(v, &r->scratch);
    return arena_slice(r->line.arena, buf_slice(&r->scratch));
}

/* Row i with its stream's labels and fields. */
static void load(struct logql_rows *r, size_t i)
{
    const struct store_event_chunk *c = r->chunk;
    struct logql_line *l = &r->line;
    struct slice text = SLICE("");
    if (r->line_column != SIZE_MAX) {
        struct data_value v = c->columns[r->line_column].values[i];
        if (v.kind == DATA_VALUE_STRING)
            text = v.text;
    }
    logql_line_begin(l, c->ts[i], text);
    const struct logql_rows_stream *s = logql_rows_stream(r, c->stream[i]);
    vec_reserve(&l->labels, s->count);
    memcpy(l->labels.items, s->labels, s->count * sizeof(*s->labels));
    l->labels.len = s->count;
    if (c->told && c->told[i]) {
        l->told = c->derived;
        l->told_row = i;
    }
    for (size_t k = 0; k < r->columns.len; k++) {
        const struct logql_rows_column *col = &r->columns.items[k];
        struct data_value v = c->columns[col->column].values[i];
        if (v.kind != DATA_VALUE_NULL)
            logql_line_add_metadata(l, col->name, value_text(r, col, v));
    }
}

/* --- tests of what is told --- */

/* The stream or a field has a label of that name: it hides what is found in the line. */
static bool is_hidden(struct logql_rows *r, const struct logql_rows_test *t, size_t i)
{
    for (size_t k = 0; k < t->column_count; k++) {
        if (r->chunk->columns[t->columns[k]].values[i].kind)
            return true;
    }
    return t->off || t->in_stream;
}

static void look_at_stream(struct logql_rows *r, uint32_t stream)
{
    const struct logql_derive *d = r->pipeline->derive;
    const struct logql_rows_stream *s = logql_rows_stream(r, stream);
    for (size_t i = 0; i < d->test_count; i++) {
        r->tests[i].in_stream = false;
        for (size_t k = 0; k < s->count; k++)
            r->tests[i].in_stream |= slice_eq(s->labels[k].name, d->tests[i].filter->name);
    }
    r->tests_stream = stream;
}

static void try_value(struct logql_rows *r, const struct logql_filter *f, struct logql_rows_test *t,
                      struct data_value v)
{
    if (t->known && t->value.kind == v.kind && t->value.text.ptr == v.text.ptr &&
        t->value.text.len == v.text.len)
        return;
    logql_line_begin(&r->tried, 0, SLICE(""));
    if (v.kind)
        logql_line_add(&r->tried, f->name, v.text);
    t->passes = logql__filter_passes(f, &r->tried);
    t->value = v;
    t->known = true;
}

/* False: one of the filters behind the parser drops the line, whatever the others say. */
static bool passes_tests(struct logql_rows *r, size_t i)
{
    const struct logql_derive *d = r->pipeline->derive;
    if (r->chunk->stream[i] != r->tests_stream)
        look_at_stream(r, r->chunk->stream[i]);
    for (size_t k = 0; k < d->test_count; k++) {
        const struct logql_filter *f = d->tests[k].filter;
        struct logql_rows_test *t = &r->tests[k];
        if (is_hidden(r, t, i))
            continue;
        try_value(r, f, t, r->chunk->derived[d->tests[k].column][i]);
        if (!t->passes)
            return false;
    }
    return true;
}

bool logql_rows_run(struct logql_rows *r, size_t i)
{
    const struct logql_derive *d = r->pipeline->derive;
    if (d && d->test_count && r->chunk->told && r->chunk->told[i] && !passes_tests(r, i))
        return false;
    load(r, i);
    return logql_pipeline_run(r->pipeline, &r->line);
}
