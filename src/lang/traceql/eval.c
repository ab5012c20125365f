#include "lang/traceql/eval.h"

#include "codec/hex.h"

static uint32_t intrinsic_column(enum traceql_intrinsic i)
{
    switch (i) {
    case TRACEQL_I_DURATION: return DATA_EVENT_DURATION;
    case TRACEQL_I_NAME: return DATA_EVENT_NAME;
    case TRACEQL_I_STATUS: return DATA_EVENT_STATUS;
    case TRACEQL_I_STATUS_MESSAGE: return DATA_EVENT_STATUS_MESSAGE;
    case TRACEQL_I_KIND: return DATA_EVENT_KIND;
    case TRACEQL_I_SPAN_ID: return DATA_EVENT_SPAN_ID;
    case TRACEQL_I_PARENT_ID:
    case TRACEQL_I_NESTED_PARENT:
    case TRACEQL_I_PARENT: return DATA_EVENT_PARENT_ID;
    case TRACEQL_I_TRACE_ID: return DATA_EVENT_TRACE_ID;
    case TRACEQL_I_SCOPE_NAME: return DATA_EVENT_SCOPE_NAME;
    case TRACEQL_I_SCOPE_VERSION: return DATA_EVENT_SCOPE_VERSION;
    default: return DATA_EVENT_NONE;
    }
}

/* false: nothing is read for it. */
static bool source_of(const struct traceql_field *f, struct store_event_field *out)
{
    static const uint32_t scopes[TRACEQL_SCOPE_COUNT] = {
        [TRACEQL_SCOPE_NONE] = STORE_SCOPE_BIT(DATA_SCOPE_ATTRIBUTE) |
                               STORE_SCOPE_BIT(DATA_SCOPE_RESOURCE) |
                               STORE_SCOPE_BIT(DATA_SCOPE_STREAM),
        [TRACEQL_SCOPE_SPAN] = STORE_SCOPE_BIT(DATA_SCOPE_ATTRIBUTE),
        [TRACEQL_SCOPE_RESOURCE] =
            STORE_SCOPE_BIT(DATA_SCOPE_RESOURCE) | STORE_SCOPE_BIT(DATA_SCOPE_STREAM),
        [TRACEQL_SCOPE_INSTRUMENTATION] = STORE_SCOPE_BIT(DATA_SCOPE_SCOPE)};
    if (f->intrinsic) {
        uint32_t id = intrinsic_column(f->intrinsic);
        *out = STORE_EVENT_INTRINSIC(id);
        return id != DATA_EVENT_NONE;
    }
    *out = (struct store_event_field){.scopes = scopes[f->scope], .name = f->name};
    return out->scopes != 0;
}

bool traceql__child_field(const struct traceql_field *f, struct store_event_field *out)
{
    static const struct {
        enum data_event_scope scope;
        uint32_t field;
    } own[TRACEQL_INTRINSIC_COUNT] = {
        [TRACEQL_I_EVENT_NAME] = {DATA_SCOPE_EVENT, DATA_CHILD_NAME},
        [TRACEQL_I_EVENT_SINCE_START] = {DATA_SCOPE_EVENT, DATA_CHILD_TIME},
        [TRACEQL_I_LINK_TRACE] = {DATA_SCOPE_LINK, DATA_CHILD_TRACE_ID},
        [TRACEQL_I_LINK_SPAN] = {DATA_SCOPE_LINK, DATA_CHILD_SPAN_ID}};
    enum data_event_scope scope = f->scope == TRACEQL_SCOPE_EVENT  ? DATA_SCOPE_EVENT
                                  : f->scope == TRACEQL_SCOPE_LINK ? DATA_SCOPE_LINK
                                                                   : own[f->intrinsic].scope;
    *out = (struct store_event_field){
        .scopes = STORE_SCOPE_BIT(scope), .intrinsic = own[f->intrinsic].field, .name = f->name};
    return scope == DATA_SCOPE_EVENT || scope == DATA_SCOPE_LINK;
}

void traceql__reads_make(struct traceql_query *q, struct traceql_reads *out)
{
    *out = (struct traceql_reads){.count = TRACEQL_READ_COUNT};
    out->fields =
        ARENA_ARRAY(q->arena, struct store_event_field, TRACEQL_READ_COUNT + q->fields.len);
    out->child_fields = ARENA_ARRAY(q->arena, struct store_event_field, q->fields.len);
    out->fields[TRACEQL_READ_NAME] = STORE_EVENT_INTRINSIC(DATA_EVENT_NAME);
    out->fields[TRACEQL_READ_DURATION] = STORE_EVENT_INTRINSIC(DATA_EVENT_DURATION);
    out->fields[TRACEQL_READ_STATUS] = STORE_EVENT_INTRINSIC(DATA_EVENT_STATUS);
    out->fields[TRACEQL_READ_TRACE_ID] = STORE_EVENT_INTRINSIC(DATA_EVENT_TRACE_ID);
    for (size_t i = 0; i < q->fields.len; i++) {
        struct traceql_field *f = &q->fields.items[i];
        f->source = SIZE_MAX;
        if (source_of(f, &out->fields[out->count]))
            f->source = out->count++;
        out->child_count += traceql__child_field(f, &out->child_fields[out->child_count]);
        /* What a span has without its trace: whether it is a root at least. */
        out->trace |= f->parent || f->intrinsic >= TRACEQL_I_ROOT_NAME;
    }
}

const struct data_value *traceql__column(const struct traceql_rows *r, size_t read)
{
    return r->chunk->columns[r->offset + read].values;
}

static struct traceql_value hex(const struct traceql_rows *r, struct slice id)
{
    char *text = arena_alloc(r->arena, id.len * 2 + 1);
    if (!text)
        return (struct traceql_value){0};
    codec_hex_to_text(id, text);
    return traceql__text(slice_make(text, id.len * 2));
}

struct slice traceql__service(const struct store_event_chunk *c, size_t row)
{
    return data_labels_get(c->streams[c->stream[row]].labels, SLICE("service_name"));
}

struct traceql_value traceql__missing(enum traceql_intrinsic i)
{
    const struct traceql_intrinsic_info *info = traceql__intrinsic_get(i);
    if (!info || info->kind == TRACEQL_NIL)
        return (struct traceql_value){0};
    return info->kind == TRACEQL_STRING ? traceql__text(SLICE("")) : traceql__int(info->kind, 0);
}

/* Of a span's events or links, those that have it. */
static struct traceql_value of_children(const struct traceql_rows *r,
                                        const struct store_event_field *field,
                                        const struct traceql_field *f, size_t row)
{
    const struct store_event_children *all = r->chunk->children ? &r->chunk->children[row] : NULL;
    size_t n = 0;
    if (!all || !all->count)
        return (struct traceql_value){0};
    struct traceql_value *items = ARENA_ARRAY(r->arena, struct traceql_value, all->count);
    for (size_t i = 0; items && i < all->count; i++) {
        struct data_value v =
            store_event_child_value(all, &all->items[i], r->chunk->ts[row], *field);
        if (v.kind == DATA_VALUE_NULL)
            continue;
        items[n++] = f->intrinsic == TRACEQL_I_EVENT_SINCE_START
                         ? traceql__int(TRACEQL_DURATION, v.i)
                     : v.kind == DATA_VALUE_BYTES ? hex(r, v.text)
                                                  : traceql__value_of(v, r->arena);
    }
    if (n <= 1)
        return n ? items[0] : (struct traceql_value){0};
    struct traceql_value out = {.kind = TRACEQL_LIST, .any = true};
    out.list.items = items;
    out.list.count = n;
    return out;
}

/* A row whose topmost span is no root hangs in the air: its place is not known. */
static bool is_connected(const struct traceql_rows *r, size_t at)
{
    const struct traceql_trace *t = r->trace;
    const struct data_value *parent_id = r->chunk->columns[2].values;
    while (t->parent[at] != TRACEQL_NO_ROW)
        at = t->parent[at];
    return parent_id[t->first + at].kind == DATA_VALUE_NULL;
}

static int64_t nested_left(const struct traceql_rows *r, size_t at)
{
    return 2 * (int64_t)at - (int64_t)r->chunk->depth[r->trace->first + at] + 1;
}

static struct traceql_value of_trace(const struct traceql_rows *r, enum traceql_intrinsic i,
                                     size_t row)
{
    const struct traceql_trace *t = r->trace;
    size_t at = row - t->first;
    switch (i) {
    case TRACEQL_I_ROOT_NAME:
        return t->root_name.ptr ? traceql__text(t->root_name) : (struct traceql_value){0};
    case TRACEQL_I_ROOT_SERVICE:
        return t->root_service.ptr ? traceql__text(t->root_service) : (struct traceql_value){0};
    case TRACEQL_I_TRACE_DURATION: return traceql__int(TRACEQL_DURATION, t->end_ns - t->start_ns);
    case TRACEQL_I_CHILD_COUNT: return traceql__int(TRACEQL_INT, t->children[at]);
    case TRACEQL_I_NESTED_LEFT:
    case TRACEQL_I_NESTED_RIGHT: {
        int64_t left = nested_left(r, at);
        if (!is_connected(r, at))
            return traceql__int(TRACEQL_INT, 0);
        return traceql__int(TRACEQL_INT, i == TRACEQL_I_NESTED_LEFT
                                             ? left
                                             : left + 2 * (int64_t)r->chunk->descendants[row] + 1);
    }
    case TRACEQL_I_NESTED_PARENT:
        if (!is_connected(r, at))
            return traceql__int(TRACEQL_INT, 0);
        return traceql__int(TRACEQL_INT,
                            t->parent[at] == TRACEQL_NO_ROW ? -1 : nested_left(r, t->parent[at]));
    default: return (struct traceql_value){0};
    }
}

static struct traceql_value of_span(const struct traceql_rows *r, const struct traceql_field *f,
                                    size_t row)
{
    const struct traceql_intrinsic_info *info;
    struct data_value v = {0};
    if (f->source != SIZE_MAX)
        v = traceql__column(r, f->source)[row];
    if (!f->intrinsic)
        return v.kind == DATA_VALUE_BYTES ? hex(r, v.text) : traceql__value_of(v, r->arena);
    if (v.kind == DATA_VALUE_NULL)
        return traceql__missing(f->intrinsic);
    info = traceql__intrinsic_get(f->intrinsic);
    if (v.kind == DATA_VALUE_BYTES)
        return hex(r, v.text);
    return v.kind == DATA_VALUE_INT ? traceql__int(info->kind, v.i) : traceql__text(v.text);
}

struct traceql_value traceql__field(const struct traceql_rows *r, size_t field, size_t row)
{
    const struct traceql_field *f = &r->query->fields.items[field];
    if (f->parent) {
        uint32_t parent = r->trace->parent[row - r->trace->first];
        if (parent == TRACEQL_NO_ROW)
            return (struct traceql_value){0};
        row = r->trace->first + parent;
    }
    if (f->intrinsic >= TRACEQL_I_ROOT_NAME && f->intrinsic != TRACEQL_I_PARENT)
        return of_trace(r, f->intrinsic, row);
    struct store_event_field child;
    if (traceql__child_field(f, &child))
        return of_children(r, &child, f, row);
    return of_span(r, f, row);
}

static struct traceql_value logical(const struct traceql_rows *r, const struct traceql_expr *e,
                                    size_t row)
{
    bool a = traceql__is_true(traceql__eval(r, e->a, row));
    if (a == (e->op == TRACEQL_OR))
        return traceql__bool(a);
    return traceql__bool(traceql__is_true(traceql__eval(r, e->b, row)));
}

struct traceql_value traceql__eval(const struct traceql_rows *r, const struct traceql_expr *e,
                                   size_t row)
{
    struct traceql_value a, b;
    switch (e->kind) {
    case TRACEQL_EXPR_VALUE: return e->value;
    case TRACEQL_EXPR_FIELD: return traceql__field(r, e->field, row);
    case TRACEQL_EXPR_OP: break;
    }
    if (e->op == TRACEQL_AND || e->op == TRACEQL_OR)
        return logical(r, e, row);
    a = traceql__eval(r, e->a, row);
    if (e->op == TRACEQL_NOT) /* of what is missing or no bool, nothing is known */
        return a.kind == TRACEQL_BOOL ? traceql__bool(!a.i) : (struct traceql_value){0};
    if (e->op == TRACEQL_NEG) {
        b = traceql__int(a.kind == TRACEQL_DURATION ? TRACEQL_DURATION : TRACEQL_INT, 0);
        return traceql__calculate(TRACEQL_SUB, b, a);
    }
    if (e->literal_nil)
        return traceql__bool((a.kind == TRACEQL_NIL) == (e->op == TRACEQL_EQ));
    b = traceql__eval(r, e->b, row);
    return traceql__is_compare(e->op) ? traceql__bool(traceql__compare(e->op, a, b, e->regex))
                                      : traceql__calculate(e->op, a, b);
}

void traceql__trace_make(const struct traceql_rows *r, size_t first, size_t count,
                         struct arena *arena, struct traceql_trace *out)
{
    const struct store_event_chunk *c = r->chunk;
    const struct data_value *duration = traceql__column(r, TRACEQL_READ_DURATION),
                            *name = traceql__column(r, TRACEQL_READ_NAME),
                            *parent_id = c->columns[2].values;
    uint32_t *parent = ARENA_ARRAY(arena, uint32_t, count),
             *children = ARENA_ARRAY(arena, uint32_t, count);
    *out = (struct traceql_trace){.first = first, .count = count, .root = SIZE_MAX};
    if (!parent || !children)
        return;
    for (size_t i = 0; i < count; i++) {
        size_t row = first + i;
        int64_t end = c->ts[row];
        /* Depth first: the parent is the row before, or above of that one. */
        uint32_t p = i ? (uint32_t)(i - 1) : TRACEQL_NO_ROW;
        while (p != TRACEQL_NO_ROW && c->depth[first + p] + 1 > c->depth[row])
            p = parent[p];
        parent[i] = c->depth[row] ? p : TRACEQL_NO_ROW;
        if (parent[i] != TRACEQL_NO_ROW)
            children[parent[i]]++;
        if (duration[row].kind == DATA_VALUE_INT)
            end += duration[row].i;
        if (!i || c->ts[row] < out->start_ns)
            out->start_ns = c->ts[row];
        if (!i || end > out->end_ns)
            out->end_ns = end;
        if (out->root == SIZE_MAX && parent_id[row].kind == DATA_VALUE_NULL)
            out->root = i;
    }
    out->parent = parent;
    out->children = children;
    if (out->root != SIZE_MAX) {
        const struct data_value *n = &name[first + out->root];
        out->root_name = n->kind == DATA_VALUE_STRING && n->text.ptr ? n->text : SLICE("");
        out->root_service = traceql__service(c, first + out->root);
    }
}
