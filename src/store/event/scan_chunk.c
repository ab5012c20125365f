/* Rows into chunks: the columns asked for, or all that occur, copied so that they outlive what they
 * came from. */
#include "base/hash.h"
#include "store/event/scan_priv.h"

int scan__fill_no_memory(const struct scan__filling *f)
{
    const struct budget *b = f->c->req.select.limits.memory;
    return diag_set(f->diag, ERR_NOMEM, "the query needs more memory than it may use (%s)",
                    b && b->setting ? b->setting : "its limit");
}

bool scan__fill_value(struct scan__filling *f, struct data_value v, struct data_value *out)
{
    *out = v;
    if (data_value_has_text(v.kind)) {
        /* Empty texts need no room, but a pointer. */
        char *p = arena_dup(f->out->arena, v.text.ptr, v.text.len);
        if (!p)
            return false;
        out->text.ptr = p;
    }
    return true;
}

static struct data_value *new_values(struct scan__filling *f)
{
    return arena_calloc(f->out->arena, f->count, sizeof(struct data_value));
}

/* The chunk's column of a field, added when it is new; for all_fields. */
static struct data_value *column_of(struct scan__filling *f, struct data_event_field field,
                                    uint32_t intrinsic)
{
    for (size_t i = 0; i < f->columns.len; i++) {
        const struct store_event_column *k = &f->columns.items[i];
        if (k->scope == field.scope && slice_eq(k->name, field.name))
            return (struct data_value *)(uintptr_t)k->values;
    }
    struct data_value *values = new_values(f);
    struct slice name = arena_slice(f->out->arena, field.name);
    if (values && name.ptr)
        vec_push(&f->columns, ((struct store_event_column){field.scope, intrinsic, name, values}));
    return name.ptr ? values : NULL;
}

int scan__fill_rows(struct scan__filling *f, struct scan__open *o, size_t column,
                    const uint32_t *rows, size_t count, struct data_value *values,
                    bool only_missing)
{
    int err = scan__load(f->c, o, column, f->diag);
    if (err)
        return err;
    struct store_column *k = &o->columns[column];
    struct data_value *dict = NULL;
    if (k->form == STORE_COLUMN_DICT) {
        dict = arena_alloc(f->out->arena, k->dict_count * sizeof(*dict));
        for (uint32_t i = 0; dict && i < k->dict_count; i++) {
            if (!scan__fill_value(f, k->dict[i], &dict[i]))
                return scan__fill_no_memory(f);
        }
        if (!dict)
            return scan__fill_no_memory(f);
    }
    for (size_t i = 0; i < count; i++) {
        struct data_value v;
        if (only_missing && values[i].kind)
            continue;
        if (dict) {
            uint32_t at = store_column_index(k, rows[i]);
            if (at != UINT32_MAX)
                values[i] = dict[k->ints ? k->ints[at] : 0];
            continue;
        }
        bool printed = k->style != STORE_STYLE_NONE || k->form == STORE_COLUMN_SPLIT;
        err = store_column_get(k, rows[i], f->out->arena, &v);
        if (err)
            return err == ERR_NOMEM ? scan__fill_no_memory(f) : err;
        if (printed)
            values[i] = v;
        else if (v.kind && !scan__fill_value(f, v, &values[i]))
            return scan__fill_no_memory(f);
    }
    return 0;
}

/* The group's rows that were picked. */
static uint32_t *rows_of(const struct scan__filling *f, const struct scan__share *s)
{
    uint32_t *rows = mem_alloc((s->end - s->begin) * sizeof(*rows));
    for (size_t i = s->begin; i < s->end; i++)
        rows[i - s->begin] = s->open->hits[f->picks[i].hit].row;
    return rows;
}

static int copy_labels(struct scan__filling *f, const struct scan__share *s, struct slice name,
                       struct data_value *values, bool only_missing)
{
    for (size_t i = s->begin; i < s->end; i++) {
        if (only_missing && values[i].kind)
            continue;
        /* Labels stay as long as the cursor; the chunk may live longer than that. */
        struct slice v =
            scan__label(f->c->streams[s->open->hits[f->picks[i].hit].stream].labels, name);
        if (v.ptr && !scan__fill_value(f, data_value_string(v), &values[i]))
            return scan__fill_no_memory(f);
    }
    return 0;
}

static int fill_group_field(struct scan__filling *f, const struct scan__share *s,
                            const uint32_t *rows, const struct store_event_field *field,
                            struct data_value *values)
{
    struct scan__field r;
    scan__resolve(field, s->open->group.column_count, scan__group_field, &s->open->group, &r);
    bool begun = false;
    int err = 0;
    if (r.stream && r.stream_first) {
        err = copy_labels(f, s, r.name, values, false);
        begun = true;
    }
    for (uint32_t k = 0; k < r.count && !err; k++) {
        err = scan__fill_rows(f, s->open, r.columns[k], rows, s->end - s->begin, values + s->begin,
                              begun);
        begun = true;
    }
    if (!err && r.stream && !r.stream_first)
        err = copy_labels(f, s, r.name, values, begun);
    return err;
}

static bool is_line(const struct store_event_field *f)
{
    return f->scopes == STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC) && f->intrinsic == DATA_EVENT_LINE;
}

/* Lines: what is asked of them without putting them together, or themselves. */
static int fill_lines(struct scan__filling *f, const struct scan__share *s, const uint32_t *rows,
                      struct data_value *values)
{
    struct scan__open *o = s->open;
    size_t column = store_group_find(&o->group, DATA_EVENT_LINE), n = 0, count = s->end - s->begin;
    if (column == SIZE_MAX)
        return 0;
    int err = scan__load(f->c, o, column, f->diag);
    if (err)
        return err;
    struct store_column *k = &o->columns[column];
    if (k->form != STORE_COLUMN_SPLIT)
        return scan__fill_rows(f, o, column, rows, count, values + s->begin, false);
    uint32_t *at = mem_alloc((count + 1) * sizeof(*at)), *to = mem_alloc((count + 1) * sizeof(*to));
    for (size_t i = 0; i < count; i++) {
        at[n] = store_column_index(k, rows[i]);
        to[n] = (uint32_t)(s->begin + i);
        n += at[n] != UINT32_MAX;
    }
    const struct scan__derive what = {
        f->want->derive, f->out->arena, f->derived, f->told, at, to, n};
    err = scan__derive(k, &what);
    n = 0;
    for (size_t i = 0; i < count && !err; i++) {
        n += f->told[s->begin + i];
        if (!f->told[s->begin + i])
            err = store_column_get(k, rows[i], f->out->arena, &values[s->begin + i]);
    }
    pthread_mutex_lock(&f->c->lock);
    f->c->stats.lines_told += n;
    pthread_mutex_unlock(&f->c->lock);
    mem_free(at);
    mem_free(to);
    return err == ERR_NOMEM ? scan__fill_no_memory(f) : err;
}

static int fill_group(struct scan__filling *f, const struct scan__share *s)
{
    const struct store_group *g = &s->open->group;
    uint32_t *rows = rows_of(f, s);
    int err = 0;
    for (size_t i = 0; !f->want->all_fields && i < f->want->field_count && !err; i++) {
        struct data_value *values = (struct data_value *)(uintptr_t)f->columns.items[i].values;
        err = f->told && is_line(&f->want->fields[i])
                  ? fill_lines(f, s, rows, values)
                  : fill_group_field(f, s, rows, &f->want->fields[i], values);
    }
    for (size_t i = 0; f->want->all_fields && i < g->column_count && !err; i++) {
        uint32_t field = g->columns[i].field;
        if (field == STORE_FIELD_CHILDREN)
            continue;
        struct data_value *values = column_of(f, store_event_part_field(g->part, field), field);
        err = values ? scan__fill_rows(f, s->open, i, rows, s->end - s->begin, values + s->begin,
                                       false)
                     : scan__fill_no_memory(f);
    }
    mem_free(rows);
    return err;
}

/* --- rows in memory --- */

static int fill_block_row(struct scan__filling *f, const struct store_event_block *b, uint32_t row,
                          size_t at, struct data_labels labels, const struct scan__field *fields,
                          struct data_value *scratch)
{
    struct store_event_block_fields it = store_event_block_row_fields(b, row);
    uint32_t field;
    struct data_value v;
    if (f->want->all_fields) {
        while (store_event_block_next_field(&it, &field, &v)) {
            if (field == STORE_FIELD_CHILDREN)
                continue;
            struct data_value *values = column_of(f, scan__block_field(b, field), field);
            if (!values || !scan__fill_value(f, v, &values[at]))
                return scan__fill_no_memory(f);
        }
        return 0;
    }
    while (store_event_block_next_field(&it, &field, &v))
        scratch[field] = v;
    for (size_t i = 0; i < f->want->field_count; i++) {
        struct data_value *to = (struct data_value *)(uintptr_t)f->columns.items[i].values + at;
        struct slice label =
            fields[i].stream ? scan__label(labels, fields[i].name) : (struct slice){NULL, 0};
        v = (struct data_value){0};
        if (label.ptr && fields[i].stream_first)
            v = data_value_string(label);
        for (uint32_t k = 0; k < fields[i].count && !v.kind; k++)
            v = scratch[fields[i].columns[k]];
        if (!v.kind && label.ptr)
            v = data_value_string(label);
        if (!scan__fill_value(f, v, to))
            return scan__fill_no_memory(f);
    }
    it = store_event_block_row_fields(b, row);
    while (store_event_block_next_field(&it, &field, &v))
        scratch[field].kind = DATA_VALUE_NULL;
    return 0;
}

static int fill_blocks(struct scan__filling *f, const struct scan__share *s)
{
    struct scan__field *fields = mem_alloc(f->want->field_count * sizeof(*fields));
    struct data_value *scratch = NULL;
    const struct store_event_block *last = NULL;
    int err = 0;
    for (size_t i = s->begin; i < s->end && !err; i++) {
        const struct scan__hit *hit = &s->open->hits[f->picks[i].hit];
        struct scan__head_row at = s->open->head_rows[hit->row];
        const struct store_event_block *b = f->c->view.blocks.items[at.block];
        if (b != last) {
            for (size_t k = 0; k < f->want->field_count; k++)
                scan__resolve(&f->want->fields[k], b->field_count, scan__block_field, b,
                              &fields[k]);
            mem_free(scratch);
            scratch = mem_calloc(b->field_count, sizeof(*scratch));
            last = b;
        }
        err = fill_block_row(f, b, at.row, i, f->c->streams[hit->stream].labels, fields, scratch);
    }
    mem_free(fields);
    mem_free(scratch);
    return err;
}

/* --- all together --- */

static int fill_values(struct scan__filling *f)
{
    int err = 0;
    for (size_t i = 0, end; i < f->count && !err; i = end) {
        for (end = i; end < f->count && f->picks[end].open == f->picks[i].open; end++) {
        }
        struct scan__share s = {f->picks[i].open, i, end};
        err = s.open->group.part ? fill_group(f, &s) : fill_blocks(f, &s);
    }
    return err;
}

static int make_derived(struct scan__filling *f)
{
    const struct store_event_derive *d = f->want->derive;
    if (!d)
        return 0;
    f->told = arena_calloc(f->out->arena, f->count + 1, sizeof(*f->told));
    f->derived = arena_calloc(f->out->arena, d->count + 1, sizeof(struct data_value *));
    if (!f->told || !f->derived)
        return scan__fill_no_memory(f);
    for (size_t i = 0; i < d->count; i++) {
        f->derived[i] = new_values(f);
        if (!f->derived[i])
            return scan__fill_no_memory(f);
    }
    f->out->told = f->told;
    f->out->derived = (const struct data_value *const *)f->derived;
    return 0;
}

int scan__fill(struct store_event_cursor *c, const struct scan__pick *picks, size_t count,
               struct store_event_chunk *out, struct diag *diag)
{
    const struct scan__want want = {c->req.fields, c->req.field_count, c->req.all_fields,
                                    c->req.children, c->req.all_fields ? NULL : c->req.derive};
    int err = scan__fill_want(c, &want, picks, count, out, diag);
    pthread_mutex_lock(&c->lock);
    c->stats.rows_delivered += count;
    pthread_mutex_unlock(&c->lock);
    return err;
}

int scan__fill_want(struct store_event_cursor *c, const struct scan__want *want,
                    const struct scan__pick *picks, size_t count, struct store_event_chunk *out,
                    struct diag *diag)
{
    struct scan__filling f = {
        .c = c, .want = want, .out = out, .picks = picks, .count = count, .diag = diag};
    struct budget *budget = c->req.select.limits.memory;
    if (out->arena && out->budget == budget) {
        arena_reset(out->arena);
    } else {
        arena_free(out->arena);
        out->arena = arena_new(0, budget);
    }
    *out = (struct store_event_chunk){.arena = out->arena, .budget = budget, .count = count};
    int64_t *ts = arena_alloc(out->arena, count * sizeof(*ts));
    uint32_t *stream = arena_alloc(out->arena, count * sizeof(*stream));
    if (!ts || !stream)
        return scan__fill_no_memory(&f);
    for (size_t i = 0; i < count; i++) {
        ts[i] = picks[i].open->hits[picks[i].hit].ts;
        stream[i] = picks[i].open->hits[picks[i].hit].stream;
    }
    out->ts = ts;
    out->stream = stream;
    out->streams = c->streams;
    int err = 0;
    for (size_t i = 0; i < want->field_count && !want->all_fields && !err; i++) {
        const struct store_event_field *field = &want->fields[i];
        struct store_event_column k = {.name = field->name, .values = new_values(&f)};
        if (field->scopes == STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC)) {
            k.intrinsic = field->intrinsic;
            k.name = slice_cstr(data_event_intrinsic_name(field->intrinsic));
        } else {
            k.scope = DATA_SCOPE_ATTRIBUTE;
        }
        vec_push(&f.columns, k);
        err = k.values ? 0 : scan__fill_no_memory(&f);
    }
    if (!err)
        err = make_derived(&f);
    if (!err && count)
        err = fill_values(&f);
    if (!err && want->children)
        err = scan__fill_children(&f);
    out->columns = arena_dup(out->arena, f.columns.items, f.columns.len * sizeof(*f.columns.items));
    out->column_count = f.columns.len;
    vec_free(&f.columns);
    pthread_mutex_lock(&c->lock);
    out->stream_count = c->stream_count;
    pthread_mutex_unlock(&c->lock);
    if (!err && !out->columns)
        err = scan__fill_no_memory(&f);
    if (err == ERR_CORRUPT)
        diag_set(diag, err, "a part is damaged where rows that were found lie");
    return err;
}

static const void *permuted(struct arena *arena, const void *from, size_t size, const uint32_t *at,
                            size_t count)
{
    char *to = arena_alloc(arena, count * size);
    for (size_t i = 0; to && i < count; i++)
        memcpy(to + i * size, (const char *)from + at[i] * size, size);
    return to;
}

int scan__permute(struct store_event_chunk *c, size_t derived_count, const uint32_t *at,
                  size_t count)
{
    struct store_event_column *columns =
        arena_dup(c->arena, c->columns, c->column_count * sizeof(*columns));
    c->ts = permuted(c->arena, c->ts, sizeof(*c->ts), at, count);
    c->stream = permuted(c->arena, c->stream, sizeof(*c->stream), at, count);
    if (c->children)
        c->children = permuted(c->arena, c->children, sizeof(*c->children), at, count);
    bool ok = columns && c->ts && c->stream;
    for (size_t i = 0; ok && i < c->column_count; i++) {
        columns[i].values =
            permuted(c->arena, columns[i].values, sizeof(*columns[i].values), at, count);
        ok = columns[i].values != NULL;
    }
    if (c->told)
        c->told = permuted(c->arena, c->told, sizeof(*c->told), at, count);
    const struct data_value **derived =
        c->told ? arena_calloc(c->arena, derived_count + 1, sizeof(*derived)) : NULL;
    for (size_t i = 0; derived && i < derived_count; i++) {
        derived[i] = permuted(c->arena, c->derived[i], sizeof(**derived), at, count);
        ok = ok && derived[i];
    }
    ok = ok && (!c->derived || (c->told && derived));
    c->derived = derived;
    c->columns = columns;
    c->count = count;
    return ok ? 0 : ERR_NOMEM;
}
