/* Selecting rows in memory: block by block, row by row. */
#include "store/event/scan_priv.h"

struct data_event_field scan__block_field(const void *block, uint32_t i)
{
    const struct store_event_block *b = block;
    if (i < DATA_EVENT_INTRINSIC_COUNT)
        return (struct data_event_field){DATA_SCOPE_INTRINSIC,
                                         slice_cstr(data_event_intrinsic_name(i))};
    return b->fields[i - DATA_EVENT_INTRINSIC_COUNT];
}

struct job {
    struct store_event_cursor *c;
    struct scan__open *o;
    const struct store_event_block *b;
    struct scan__field *fields; /* of each predicate, clause by clause */
    struct data_value *values;  /* of the row at hand, by field */
    VEC(struct scan__hit) hits;
    VEC(struct scan__head_row) rows;
};

static size_t predicate_count(const struct store_event_cursor *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->req.clause_count; i++)
        n += c->req.clauses[i].count;
    return n;
}

static struct data_value value_of(const struct job *j, const struct scan__field *f,
                                  struct data_labels labels)
{
    struct slice label = f->stream ? scan__label(labels, f->name) : (struct slice){NULL, 0};
    if (label.ptr && f->stream_first)
        return data_value_string(label);
    for (uint32_t k = 0; k < f->count; k++) {
        if (j->values[f->columns[k]].kind)
            return j->values[f->columns[k]];
    }
    return label.ptr ? data_value_string(label) : (struct data_value){0};
}

/* Of the row at hand. */
static bool children_satisfy(struct job *j, const struct store_event_predicate *p)
{
    const struct data_value *packed = &j->values[STORE_FIELD_CHILDREN];
    struct store_event_children all = {0};
    arena_reset(j->o->texts);
    if (packed->kind && scan__unpack_children(packed->text, 0, j->o->texts, &all))
        return false;
    return store_event_children_satisfy(p, &all, 0, &j->o->scratch);
}

static bool row_satisfies(struct job *j, struct data_labels labels)
{
    const struct scan__field *f = j->fields;
    for (size_t i = 0; i < j->c->req.clause_count; i++) {
        const struct store_event_clause *clause = &j->c->req.clauses[i];
        bool any = false;
        for (size_t k = 0; k < clause->count; k++, f++) {
            if (any)
                continue;
            any = store_event_is_of_children(clause->any[k].field)
                      ? children_satisfy(j, &clause->any[k])
                      : store_event_satisfies(&clause->any[k], value_of(j, f, labels),
                                              &j->o->scratch);
        }
        if (!any)
            return false;
    }
    return true;
}

/* What every row has to contain is not in the block at all. */
static bool block_may(const struct job *j)
{
    if (j->b->row_count < 4)
        return true;
    for (size_t i = 0; i < j->c->req.clause_count; i++) {
        const struct store_event_clause *clause = &j->c->req.clauses[i];
        const struct store_event_predicate *p = clause->any;
        if (clause->count == 1 && p->op == STORE_EVENT_CONTAINS && !p->absent &&
            p->field.scopes == STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC) &&
            p->field.intrinsic == DATA_EVENT_LINE &&
            slice_find(slice_make(j->b->payload, j->b->payload_len), p->value.text) < 0)
            return false;
    }
    return true;
}

static void take_row(struct job *j, uint32_t block, uint32_t row, uint32_t stream)
{
    vec_push(&j->hits, ((struct scan__hit){j->b->rows[row].ts, stream, (uint32_t)j->rows.len}));
    vec_push(&j->rows, ((struct scan__head_row){block, row}));
}

static int select_block(struct job *j, uint32_t block)
{
    const struct store_event_select *req = &j->c->req.select;
    const struct store_event_block *b = j->b = j->c->view.blocks.items[block];
    size_t n = 0;
    int err = 0;
    if (!slice_eq(b->tenant, req->tenant) || !block_may(j))
        return 0;
    /* UINT32_MAX: does not match; otherwise its place in the cursor's list. */
    uint32_t *streams = mem_alloc(b->stream_count * sizeof(*streams));
    bool any = false;
    for (uint32_t i = 0; i < b->stream_count; i++) {
        bool matches = scan__labels_match(b->streams[i]->labels, req->matchers, req->matcher_count);
        streams[i] = UINT32_MAX;
        if (matches && !err)
            err = scan__live_stream(j->c, b->streams[i], &streams[i]);
        any |= matches;
    }
    bool filtered = j->c->req.clause_count > 0;
    any = any && !err;
    if (any && filtered) {
        for (size_t i = 0; i < j->c->req.clause_count; i++) {
            for (size_t k = 0; k < j->c->req.clauses[i].count; k++)
                scan__resolve(&j->c->req.clauses[i].any[k].field, b->field_count, scan__block_field,
                              b, &j->fields[n++]);
        }
        j->values = mem_calloc(b->field_count, sizeof(*j->values));
    }
    for (uint32_t row = 0; any && row < b->row_count; row++) {
        const struct store_event_block_row *r = &b->rows[row];
        if (streams[r->stream] == UINT32_MAX || r->ts < req->t_min_ns || r->ts > req->t_max_ns)
            continue;
        if (!filtered) {
            take_row(j, block, row, streams[r->stream]);
            continue;
        }
        struct store_event_block_fields at = store_event_block_row_fields(b, row);
        uint32_t field;
        struct data_value v;
        while (store_event_block_next_field(&at, &field, &v))
            j->values[field] = v;
        if (row_satisfies(j, b->streams[r->stream]->labels))
            take_row(j, block, row, streams[r->stream]);
        at = store_event_block_row_fields(b, row);
        while (store_event_block_next_field(&at, &field, &v))
            j->values[field].kind = DATA_VALUE_NULL;
    }
    mem_free(j->values);
    j->values = NULL;
    mem_free(streams);
    return err;
}

int scan__open_blocks(struct store_event_cursor *c, uint32_t piece, struct scan__open **out,
                      struct diag *diag)
{
    const struct scan__piece *at = &c->pieces.items[piece];
    uint64_t rows = 0, bytes = 0;
    *out = NULL;
    int err = scan__check(c, diag);
    if (err)
        return err;
    struct scan__open *o = mem_calloc(1, sizeof(*o));
    struct job j = {.c = c, .o = o};
    o->piece = at;
    o->number = piece;
    o->texts = arena_new(0, NULL);
    j.fields = mem_alloc(predicate_count(c) * sizeof(*j.fields));
    for (uint32_t i = at->block_begin; i < at->block_end && !err; i++) {
        err = select_block(&j, i) ? scan__no_memory(&c->req.select, diag) : 0;
        rows += c->view.blocks.items[i]->row_count;
        bytes += c->view.blocks.items[i]->payload_len;
        if (i % 256 == 0 && !err)
            err = scan__check(c, diag);
    }
    if (!err)
        err =
            scan__charge(c, o, j.hits.len * (sizeof(*j.hits.items) + sizeof(*j.rows.items)), diag);
    pthread_mutex_lock(&c->lock);
    c->stats.rows_scanned += rows;
    c->stats.head_rows += rows;
    c->stats.bytes_scanned += bytes;
    c->stats.raw_bytes_scanned += bytes;
    pthread_mutex_unlock(&c->lock);
    o->hits = j.hits.items;
    o->count = j.hits.len;
    o->head_rows = j.rows.items;
    mem_free(j.fields);
    if (err || !o->count) {
        scan__close(c, o);
        return err;
    }
    *out = o;
    return 0;
}
