/* Beginning a scan: what it sees, which streams match, and what indexes can be asked. */
#include "base/hash.h"
#include "codec/base64.h"
#include "codec/number.h"
#include "store/event/scan_priv.h"
#include "store/event/stream_hints.h"
#include "text/regex.h"

#define HEAD_PIECE_ROWS STORE_GROUP_ROWS_MAX

struct slice scan__label(struct data_labels labels, struct slice name)
{
    struct slice v = data_labels_get(labels, name);
    for (size_t i = 0; !v.ptr && i < labels.count; i++) {
        if (data_event_name_matches(labels.items[i].name, name))
            v = labels.items[i].value;
    }
    return v;
}

bool scan__labels_match(struct data_labels labels, const struct store_matcher *matchers,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct slice v = scan__label(labels, matchers[i].name);
        if (!store_matcher_matches(&matchers[i], v.ptr ? v : SLICE("")))
            return false;
    }
    return true;
}

int scan__check(struct store_event_cursor *c, struct diag *diag)
{
    const struct store_event_limits *l = &c->req.select.limits;
    struct os *os = c->e->s->os;
    if (l->cancelled && *l->cancelled)
        return diag_set(diag, ERR_CANCELLED, "the query was cancelled");
    if (l->deadline_ns && os->ops->monotonic_ns(os) > l->deadline_ns)
        return diag_set(diag, ERR_TIMEOUT, "the query takes longer than it may%s%s%s",
                        l->deadline_setting ? " (" : "",
                        l->deadline_setting ? l->deadline_setting : "",
                        l->deadline_setting ? ")" : "");
    if (!l->scan_rows_max && !l->scan_bytes_max)
        return 0;
    pthread_mutex_lock(&c->lock);
    uint64_t rows = c->stats.rows_scanned, bytes = c->stats.bytes_scanned;
    pthread_mutex_unlock(&c->lock);
    if (l->scan_rows_max && rows > l->scan_rows_max)
        return diag_set(diag, ERR_LIMIT, "the query looks at more than %llu rows (%s)",
                        (unsigned long long)l->scan_rows_max,
                        l->scan_rows_setting ? l->scan_rows_setting : "its limit");
    if (l->scan_bytes_max && bytes > l->scan_bytes_max)
        return diag_set(diag, ERR_LIMIT, "the query reads more than %llu bytes (%s)",
                        (unsigned long long)l->scan_bytes_max,
                        l->scan_bytes_setting ? l->scan_bytes_setting : "its limit");
    return 0;
}

int scan__charge(struct store_event_cursor *c, struct scan__open *o, size_t bytes,
                 struct diag *diag)
{
    struct budget *b = c->req.select.limits.memory;
    if (b && !budget_take(b, (int64_t)bytes))
        return scan__no_memory(&c->req.select, diag);
    o->charged += b ? bytes : 0;
    return 0;
}

/* --- streams --- */

static uint32_t *stream_slot(struct store_event_cursor *c, struct hash128 id)
{
    size_t mask = c->stream_table_size - 1, at = id.lo & mask;
    while (c->stream_table[at] && !hash128_eq(c->streams[c->stream_table[at] - 1].id, id))
        at = (at + 1) & mask;
    return &c->stream_table[at];
}

/* UINT32_MAX when no memory is left. */
static uint32_t add_stream(struct store_event_cursor *c, struct slice key, struct hash128 id)
{
    uint32_t *slot = stream_slot(c, id);
    if (*slot)
        return *slot - 1;
    if (c->stream_count * 2 >= c->stream_table_size) {
        mem_free(c->stream_table);
        c->stream_table_size *= 2;
        c->stream_table = mem_calloc(c->stream_table_size, sizeof(*c->stream_table));
        for (size_t i = 0; i < c->stream_count; i++)
            *stream_slot(c, c->streams[i].id) = (uint32_t)i + 1;
        slot = stream_slot(c, id);
    }
    struct data_labels labels = {NULL, 0};
    struct slice copy = arena_slice(c->arena, key);
    if (!copy.ptr || data_labels_decode(copy, c->arena, &labels) == ERR_NOMEM)
        return UINT32_MAX;
    c->streams[c->stream_count] = (struct store_event_stream){labels, id};
    *slot = (uint32_t)++c->stream_count;
    return *slot - 1;
}

int scan__live_stream(struct store_event_cursor *c, const struct store_stream *s, uint32_t *out)
{
    pthread_mutex_lock(&c->lock);
    *out = add_stream(c, s->key, s->labels_id);
    pthread_mutex_unlock(&c->lock);
    return *out == UINT32_MAX ? ERR_NOMEM : 0;
}

int scan__part_stream(struct store_event_cursor *c, struct scan__part *p, uint32_t ordinal,
                      uint32_t *out)
{
    int err = 0;
    pthread_mutex_lock(&c->lock);
    if (!p->index[ordinal]) {
        int64_t page = ordinal / STORE_STREAM_PAGE;
        size_t n;
        if (p->cached_page != page) {
            arena_reset(p->page_arena);
            err = store_event_part_streams(p->part, (size_t)page, p->page_arena, &p->page, &n);
            p->cached_page = err ? -1 : page;
        }
        if (!err) {
            struct slice key = p->page[ordinal % STORE_STREAM_PAGE].key;
            p->index[ordinal] = add_stream(c, key, data_labels_key_hash(key)) + 1;
            err = p->index[ordinal] ? 0 : ERR_NOMEM;
        }
    }
    *out = p->index[ordinal] - 1;
    pthread_mutex_unlock(&c->lock);
    return err;
}

static void match_page(struct scan__part *p, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        p->match[i / 64] |= UINT64_C(1) << i % 64;
    p->matched += end - begin;
}

/* --- labels that meet a clause --- */

static bool asks_label(const struct store_event_predicate *p)
{
    return p->field.scopes & STORE_SCOPE_BIT(DATA_SCOPE_STREAM);
}

static void look_at_labels(struct store_event_cursor *c, struct scan__part *p,
                           struct data_labels labels)
{
    struct buf scratch = {0};
    for (size_t i = 0; i < c->req.clause_count; i++) {
        const struct store_event_clause *k = c->clauses[i].clause;
        for (size_t n = 0; c->clauses[i].asks_streams && n < k->count && !p->labels_may[i]; n++) {
            if (!asks_label(&k->any[n]))
                continue;
            struct slice v = scan__label(labels, k->any[n].field.name);
            p->labels_may[i] =
                v.ptr && store_event_satisfies(&k->any[n], data_value_string(v), &scratch);
        }
    }
    buf_deinit(&scratch);
}

/* The same of a page of streams that is not unpacked. */
static void look_at_hints(struct store_event_cursor *c, struct scan__part *p,
                          const struct store_stream_hints *hints, size_t page)
{
    const struct store_event_select *req = &c->req.select;
    for (size_t i = 0; i < c->req.clause_count; i++) {
        const struct store_event_clause *k = c->clauses[i].clause;
        for (size_t n = 0; c->clauses[i].asks_streams && n < k->count && !p->labels_may[i]; n++) {
            if (!asks_label(&k->any[n]))
                continue;
            const struct store_matcher m = {
                .name = k->any[n].field.name, .op = STORE_MATCH_EQ, .value = k->any[n].value.text};
            p->labels_may[i] = k->any[n].op != STORE_EVENT_EQ || k->any[n].kinds ||
                               store_stream_hint(hints, page, req->tenant, req->t_min_ns,
                                                 req->t_max_ns, &m, 1) != STORE_HINT_NONE;
        }
    }
}

static int match_part(struct store_event_cursor *c, struct scan__part *p, struct diag *diag)
{
    const struct store_event_select *req = &c->req.select;
    size_t count = store_event_part_stream_count(p->part), n;
    struct arena *arena = arena_new(0, NULL);
    struct store_part_stream *s;
    int err = 0;
    p->match = mem_calloc(count / 64 + 1, sizeof(*p->match));
    p->index = mem_calloc(count + 1, sizeof(*p->index));
    p->page_arena = arena_new(0, NULL);
    p->cached_page = -1;
    p->labels_may = mem_calloc(c->req.clause_count + 1, sizeof(*p->labels_may));
    struct store_stream_hints *hints = NULL;
    if (store_stream_hints_open(p->part, &hints))
        store__event_quarantine(c->e, p->part);
    for (size_t i = 0; i < count && !err; i += STORE_STREAM_PAGE) {
        enum store_hint hint =
            store_stream_hint(hints, i / STORE_STREAM_PAGE, req->tenant, req->t_min_ns,
                              req->t_max_ns, req->matchers, req->matcher_count);
        if (hint == STORE_HINT_NONE)
            continue;
        if (hint == STORE_HINT_ALL) {
            match_page(p, i, MIN(i + STORE_STREAM_PAGE, count));
            look_at_hints(c, p, hints, i / STORE_STREAM_PAGE);
            continue;
        }
        arena_reset(arena);
        err = store_event_part_streams(p->part, i / STORE_STREAM_PAGE, arena, &s, &n);
        if (err == ERR_CORRUPT) {
            store__event_quarantine(c->e, p->part);
            err = 0;
            continue;
        }
        for (size_t k = 0; k < n && !err; k++) {
            struct data_labels labels;
            if (!slice_eq(s[k].tenant, req->tenant) || s[k].t_min > req->t_max_ns ||
                s[k].t_max < req->t_min_ns || data_labels_decode(s[k].key, arena, &labels) ||
                !scan__labels_match(labels, req->matchers, req->matcher_count))
                continue;
            p->match[(i + k) / 64] |= UINT64_C(1) << (i + k) % 64;
            p->matched++;
            look_at_labels(c, p, labels);
        }
        err = err ? err : scan__check(c, diag);
    }
    store_stream_hints_free(hints);
    arena_free(arena);
    return err;
}

/* --- what indexes can be asked --- */

static bool is_intrinsic(const struct store_event_field *f, uint32_t *out)
{
    *out = f->intrinsic;
    return f->scopes == STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC);
}

/* A value whose text is this: the text itself, or bytes that print so. *out_number: numbers may,
 * which filters do not have. */
static void probe_text(struct store_filter_probe *probe, uint64_t name, struct slice text,
                       bool *out_number)
{
    struct buf bytes = {0}, again = {0};
    double number;
    store_filter_probe_value(probe, name, text);
    if (text.len % 4 == 0 && !codec_base64_decode(text, &bytes)) {
        codec_base64_append(&again, buf_slice(&bytes), CODEC_BASE64_STANDARD);
        if (slice_eq(buf_slice(&again), text))
            store_filter_probe_value(probe, name, buf_slice(&bytes));
    }
    *out_number |= codec_text_to_double(text, &number, NULL) || slice_eq_cstr(text, "true") ||
                   slice_eq_cstr(text, "false");
    buf_deinit(&bytes);
    buf_deinit(&again);
}

/* What filters know the field's values by; false when they do not. */
static bool filter_name(const struct store_event_field *f, enum data_event_table table,
                        uint64_t *out, enum data_value_kind *out_kind)
{
    uint32_t id;
    *out_kind = DATA_VALUE_NULL;
    if (store_event_is_of_children(*f)) {
        if (f->intrinsic)
            *out_kind = f->intrinsic == DATA_CHILD_TRACE_ID || f->intrinsic == DATA_CHILD_SPAN_ID
                            ? DATA_VALUE_BYTES
                            : DATA_VALUE_STRING;
        *out = store_filter_field(f->intrinsic ? slice_cstr(store_child_field_name(f->intrinsic))
                                               : f->name);
        return true;
    }
    if (!is_intrinsic(f, &id)) {
        *out = store_filter_field(f->name);
        return true;
    }
    *out_kind = data_event_intrinsic_kind(id);
    *out = store_filter_field(slice_cstr(data_event_intrinsic_name(id)));
    return id != DATA_EVENT_PARENT_ID && !(id == DATA_EVENT_SPAN_ID && table == DATA_EVENT_SPANS);
}

/* Adds what a row that satisfies the predicate must have, unless a label of its stream does; false
 * when nothing is certain. *out_late: it is only where a group has no values of other kinds. */
static bool probe_predicate(struct store_filter_probe *probe, const struct store_event_predicate *p,
                            enum data_event_table table, bool *out_late)
{
    uint32_t id;
    uint64_t name;
    enum data_value_kind kind;
    if (p->absent || p->mismatch)
        return false;
    if (p->kinds) {
        *out_late = true;
        return true;
    }
    if (is_intrinsic(&p->field, &id) && id == DATA_EVENT_LINE) {
        bool is_text = p->value.kind == DATA_VALUE_STRING;
        if (is_text && (p->op == STORE_EVENT_CONTAINS || p->op == STORE_EVENT_EQ))
            store_filter_probe_contains(probe, p->value.text);
        else if (p->op == STORE_EVENT_MATCH && p->literal_count)
            for (size_t i = 0; i < p->literal_count; i++)
                store_filter_probe_contains(probe, p->literals[i]);
        else
            return false;
        return !probe->useless;
    }
    if (!filter_name(&p->field, table, &name, &kind))
        return false;
    if (p->op == STORE_EVENT_IN && p->set_count <= 1024) {
        bool twice =
            table == DATA_EVENT_SPANS && is_intrinsic(&p->field, &id) && id == DATA_EVENT_TRACE_ID;
        for (size_t i = 0; i < p->set_count; i++) {
            if (twice)
                store_filter_probe_id(probe, name, p->set[i]);
            else if (kind == DATA_VALUE_BYTES || kind == DATA_VALUE_STRING)
                store_filter_probe_value(probe, name, p->set[i]);
            else
                probe_text(probe, name, p->set[i], out_late);
        }
        return true;
    }
    if (p->op != STORE_EVENT_EQ || !data_value_has_text(p->value.kind) ||
        (kind == DATA_VALUE_BYTES && p->value.kind != DATA_VALUE_BYTES))
        return false;
    if (p->as_text && kind != DATA_VALUE_STRING && p->value.kind != DATA_VALUE_BYTES)
        probe_text(probe, name, p->value.text, out_late);
    else
        store_filter_probe_value(probe, name, p->value.text);
    return true;
}

static void make_probes(struct store_event_cursor *c)
{
    c->clauses = mem_calloc(c->req.clause_count, sizeof(*c->clauses));
    for (size_t i = 0; i < c->req.clause_count; i++) {
        struct scan__clause *k = &c->clauses[i];
        bool late = false, ok = true;
        k->clause = &c->req.clauses[i];
        for (size_t n = 0; n < k->clause->count && ok; n++) {
            ok = probe_predicate(&k->probe, &k->clause->any[n], c->e->table, &late);
            k->asks_streams |= asks_label(&k->clause->any[n]);
            k->of_tables |= store_event_is_of_children(k->clause->any[n].field);
        }
        k->use_probe = ok && !late;
        k->late_probe = ok && late;
        k->asks_streams &= ok;
    }
}

/* --- pieces --- */

static void add_head_pieces(struct store_event_cursor *c)
{
    const store__event_block_list *blocks = &c->view.blocks;
    for (uint32_t i = 0, end; i < blocks->len; i = end) {
        struct scan__piece p = {INT64_MAX, INT64_MIN, UINT32_MAX, 0, i, 0};
        size_t rows = 0;
        for (end = i; end < blocks->len; end++) {
            const struct store_event_block *b = blocks->items[end];
            if (end > i && rows + b->row_count > HEAD_PIECE_ROWS)
                break;
            rows += b->row_count;
            p.t_min = MIN(p.t_min, b->t_min);
            p.t_max = MAX(p.t_max, b->t_max);
        }
        p.block_end = end;
        vec_push(&c->pieces, p);
    }
}

static int add_part_pieces(struct store_event_cursor *c, struct diag *diag)
{
    const struct store_event_select *req = &c->req.select;
    int err = 0;
    for (uint32_t i = 0; i < c->view.parts.len; i++)
        store_event_part_prefetch_streams(c->view.parts.items[i]);
    for (uint32_t i = 0; i < c->view.parts.len && !err; i++) {
        struct scan__part *p = &c->parts[i];
        p->part = c->view.parts.items[i];
        err = match_part(c, p, diag);
        c->stream_max += p->matched;
        for (size_t k = 0; p->matched && k < c->req.clause_count; k++) {
            if ((c->clauses[k].use_probe || c->clauses[k].late_probe) && scan__may_probe(c, p, k))
                store_event_part_prefetch(p->part, &c->clauses[k].probe);
        }
        for (uint32_t g = 0; g < store_event_part_group_count(p->part) && !err; g++) {
            struct store_group_entry e = store_event_part_group(p->part, g);
            if (e.t_min > req->t_max_ns || e.t_max < req->t_min_ns)
                continue;
            c->stats.groups++;
            if (p->matched)
                vec_push(&c->pieces, ((struct scan__piece){e.t_min, e.t_max, i, g, 0, 0}));
            else
                c->stats.skipped_by_stream++;
        }
    }
    return err;
}

static void keep_later(store__event_block_list *blocks, uint64_t after)
{
    size_t kept = 0;
    for (size_t i = 0; i < blocks->len; i++) {
        if (blocks->items[i]->position > after)
            blocks->items[kept++] = blocks->items[i];
        else
            store_event_block_unref(blocks->items[i]);
    }
    blocks->len = kept;
}

int scan__open_cursor(struct store_event_source *src, const struct store_event_scan *req,
                      struct store_event_cursor **out, struct diag *diag)
{
    struct store__events *e = BASE_CONTAINER_OF(src, struct store__events, source);
    int err = store__check_loaded(e->s, diag);
    if (err)
        return err;
    struct store_event_cursor *c = mem_calloc(1, sizeof(*c));
    c->e = e;
    c->req = *req;
    pthread_mutex_init(&c->lock, NULL);
    c->arena = arena_new(0, req->select.limits.memory);
    c->stream_table_size = 256;
    c->stream_table = mem_calloc(c->stream_table_size, sizeof(*c->stream_table));
    store__event_view_take(e, req->select.t_min_ns, req->select.t_max_ns, req->after_position > 0,
                           &c->view);
    if (req->after_position)
        keep_later(&c->view.blocks, req->after_position);
    c->parts = mem_calloc(c->view.parts.len, sizeof(*c->parts));
    make_probes(c);
    err = add_part_pieces(c, diag);
    add_head_pieces(c);
    for (size_t i = 0; i < c->view.blocks.len; i++)
        c->stream_max += c->view.blocks.items[i]->stream_count;
    c->streams = mem_alloc((c->stream_max + 1) * sizeof(*c->streams));
    if (err) {
        scan__close_cursor(c);
        return err;
    }
    *out = c;
    return 0;
}

void scan__close_cursor(struct store_event_cursor *c)
{
    for (size_t i = 0; i < c->open.len; i++)
        scan__close(c, c->open.items[i]);
    for (size_t i = 0; i < c->view.parts.len; i++) {
        mem_free(c->parts[i].match);
        mem_free(c->parts[i].index);
        mem_free(c->parts[i].labels_may);
        arena_free(c->parts[i].page_arena);
    }
    for (size_t i = 0; i < c->req.clause_count; i++)
        store_filter_probe_deinit(&c->clauses[i].probe);
    vec_free(&c->open);
    vec_free(&c->pieces);
    mem_free(c->parts);
    mem_free(c->clauses);
    mem_free(c->order);
    mem_free(c->streams);
    mem_free(c->stream_table);
    arena_free(c->arena);
    store__event_view_free(&c->view);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}
