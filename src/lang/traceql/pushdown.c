/* What the store can look for. Everything given must be necessary: rows that it lets through are
 * looked at again. */
#include "codec/hex.h"
#include "codec/json_write.h"
#include "lang/traceql/eval.h"

#define CLAUSES_MAX      32
#define ALTERNATIVES_MAX 64

struct clauses {
    struct store_event_clause items[CLAUSES_MAX];
    size_t count;
};

struct pushdown {
    const struct traceql_query *q;
    struct arena *arena;
};

static void of_expr(const struct pushdown *p, const struct traceql_expr *e, struct clauses *out);

static void add(const struct pushdown *p, const struct store_event_predicate *any, size_t count,
                struct clauses *out)
{
    if (out->count == CLAUSES_MAX || !count)
        return;
    out->items[out->count].any = arena_dup(p->arena, any, count * sizeof(*any));
    out->items[out->count++].count = count;
}

/* Every pair of a clause of one side with one of the other: (a1 or b1) and (a1 or b2) ... */
static void either(const struct pushdown *p, const struct clauses *a, const struct clauses *b,
                   struct clauses *out)
{
    for (size_t i = 0; i < a->count; i++) {
        for (size_t k = 0; k < b->count; k++) {
            struct store_event_predicate any[ALTERNATIVES_MAX];
            size_t n = a->items[i].count, m = b->items[k].count;
            if (n + m > ALTERNATIVES_MAX)
                continue;
            memcpy(any, a->items[i].any, n * sizeof(*any));
            memcpy(any + n, b->items[k].any, m * sizeof(*any));
            add(p, any, n + m, out);
        }
    }
}

static bool store_op(enum traceql_op op, enum store_event_op *out)
{
    switch (op) {
    case TRACEQL_EQ: *out = STORE_EVENT_EQ; return true;
    case TRACEQL_NE: *out = STORE_EVENT_NE; return true;
    case TRACEQL_LT: *out = STORE_EVENT_LT; return true;
    case TRACEQL_LE: *out = STORE_EVENT_LE; return true;
    case TRACEQL_GT: *out = STORE_EVENT_GT; return true;
    case TRACEQL_GE: *out = STORE_EVENT_GE; return true;
    case TRACEQL_MATCH: *out = STORE_EVENT_MATCH; return true;
    case TRACEQL_NOT_MATCH: *out = STORE_EVENT_NOT_MATCH; return true;
    default: return false;
    }
}

static bool to_data(struct traceql_value v, struct data_value *out)
{
    switch (v.kind) {
    case TRACEQL_STRING: *out = data_value_string(v.text); return true;
    case TRACEQL_INT:
    case TRACEQL_DURATION:
    case TRACEQL_STATUS:
    case TRACEQL_SPAN_KIND: *out = data_value_int(v.i); return true;
    case TRACEQL_FLOAT: *out = data_value_double(v.d); return true;
    case TRACEQL_BOOL: *out = data_value_bool(v.i != 0); return true;
    default: return false;
    }
}

static bool of_id(const struct pushdown *p, const struct traceql_field *f, enum traceql_op op,
                  struct traceql_value v, struct clauses *out)
{
    struct store_event_predicate one = {.op = STORE_EVENT_IN};
    size_t len = 8;
    switch (f->intrinsic) {
    case TRACEQL_I_TRACE_ID:
        one.field = STORE_EVENT_INTRINSIC(DATA_EVENT_TRACE_ID);
        len = 16;
        break;
    case TRACEQL_I_SPAN_ID: one.field = STORE_EVENT_INTRINSIC(DATA_EVENT_SPAN_ID); break;
    case TRACEQL_I_PARENT_ID: one.field = STORE_EVENT_INTRINSIC(DATA_EVENT_PARENT_ID); break;
    case TRACEQL_I_LINK_TRACE: len = 16; /* fallthrough */
    case TRACEQL_I_LINK_SPAN: (void)traceql__child_field(f, &one.field); break;
    default: return false;
    }
    char *bytes = arena_alloc(p->arena, len);
    if (op != TRACEQL_EQ || v.kind != TRACEQL_STRING || !codec_text_to_bytes(v.text, bytes, len))
        return true;
    struct slice *set = ARENA_NEW(p->arena, struct slice);
    *set = slice_make(bytes, len);
    one.set = set;
    one.set_count = 1;
    add(p, &one, 1, out);
    return true;
}

/* A root has no parent. */
static bool of_nested_parent(const struct pushdown *p, const struct traceql_field *f,
                             enum traceql_op op, struct traceql_value v, struct clauses *out)
{
    if (f->intrinsic != TRACEQL_I_NESTED_PARENT)
        return false;
    if (v.kind == TRACEQL_INT &&
        ((op == TRACEQL_LT && v.i == 0) || (op == TRACEQL_EQ && v.i == -1))) {
        struct store_event_predicate one = {.op = STORE_EVENT_HAS, .absent = true};
        one.field = STORE_EVENT_INTRINSIC(DATA_EVENT_PARENT_ID);
        add(p, &one, 1, out);
    }
    return true;
}

/* Any value of an array may be the one: what could be in its text stays in. */
static void array_too(const struct pushdown *p, enum traceql_op op, struct traceql_value v,
                      struct store_event_predicate *out)
{
    struct buf text = {0};
    *out = (struct store_event_predicate){
        .field = out->field, .op = STORE_EVENT_HAS, .kinds = 1u << DATA_VALUE_JSON};
    if (v.kind == TRACEQL_STRING && op == TRACEQL_EQ) {
        codec_json_append_string(&text, v.text);
        out->op = STORE_EVENT_CONTAINS;
        out->value = data_value_string(arena_slice(p->arena, buf_slice(&text)));
    }
    buf_deinit(&text);
}

static void of_compare(const struct pushdown *p, const struct traceql_expr *e, size_t field,
                       enum traceql_op op, struct traceql_value v, struct clauses *out)
{
    const struct traceql_field *f = &p->q->fields.items[field];
    struct store_event_predicate any[2] = {0};
    size_t n = 1;
    static const uint32_t both = STORE_SCOPE_BIT(DATA_SCOPE_ATTRIBUTE) |
                                 STORE_SCOPE_BIT(DATA_SCOPE_RESOURCE) |
                                 STORE_SCOPE_BIT(DATA_SCOPE_STREAM);
    if (f->parent || of_id(p, f, op, v, out) || of_nested_parent(p, f, op, v, out))
        return;
    switch (f->intrinsic) {
    case TRACEQL_NO_INTRINSIC:
        any[0].field.name = f->name;
        any[0].field.scopes =
            f->scope == TRACEQL_SCOPE_NONE       ? both
            : f->scope == TRACEQL_SCOPE_SPAN     ? STORE_SCOPE_BIT(DATA_SCOPE_ATTRIBUTE)
            : f->scope == TRACEQL_SCOPE_RESOURCE ? both & ~STORE_SCOPE_BIT(DATA_SCOPE_ATTRIBUTE)
            : f->scope == TRACEQL_SCOPE_INSTRUMENTATION ? STORE_SCOPE_BIT(DATA_SCOPE_SCOPE)
                                                        : 0;
        (void)(any[0].field.scopes || traceql__child_field(f, &any[0].field));
        break;
    case TRACEQL_I_EVENT_NAME:
    case TRACEQL_I_EVENT_SINCE_START: (void)traceql__child_field(f, &any[0].field); break;
    case TRACEQL_I_DURATION: any[0].field = STORE_EVENT_INTRINSIC(DATA_EVENT_DURATION); break;
    case TRACEQL_I_NAME: any[0].field = STORE_EVENT_INTRINSIC(DATA_EVENT_NAME); break;
    case TRACEQL_I_STATUS: any[0].field = STORE_EVENT_INTRINSIC(DATA_EVENT_STATUS); break;
    case TRACEQL_I_STATUS_MESSAGE:
        any[0].field = STORE_EVENT_INTRINSIC(DATA_EVENT_STATUS_MESSAGE);
        break;
    case TRACEQL_I_KIND: any[0].field = STORE_EVENT_INTRINSIC(DATA_EVENT_KIND); break;
    case TRACEQL_I_SCOPE_NAME: any[0].field = STORE_EVENT_INTRINSIC(DATA_EVENT_SCOPE_NAME); break;
    case TRACEQL_I_SCOPE_VERSION:
        any[0].field = STORE_EVENT_INTRINSIC(DATA_EVENT_SCOPE_VERSION);
        break;
    default: return;
    }
    if (v.kind == TRACEQL_NIL) {
        if (!e->literal_nil || f->intrinsic)
            return;
        any[0].op = STORE_EVENT_HAS;
        any[0].absent = op == TRACEQL_EQ;
        add(p, any, 1, out);
        return;
    }
    if (!store_op(op, &any[0].op) || !to_data(v, &any[0].value))
        return;
    any[0].regex = e->regex;
    if (f->intrinsic && !store_event_is_of_children(any[0].field))
        any[0].absent = traceql__compare(op, traceql__missing(f->intrinsic), v, e->regex);
    any[1].field = any[0].field;
    if (!f->intrinsic && !slice_eq_cstr(f->name, "service.name")) {
        array_too(p, op, v, &any[1]);
        n = 2;
    }
    add(p, any, n, out);
}

static enum traceql_op mirrored(enum traceql_op op)
{
    switch (op) {
    case TRACEQL_LT: return TRACEQL_GT;
    case TRACEQL_LE: return TRACEQL_GE;
    case TRACEQL_GT: return TRACEQL_LT;
    case TRACEQL_GE: return TRACEQL_LE;
    default: return op;
    }
}

static void of_expr(const struct pushdown *p, const struct traceql_expr *e, struct clauses *out)
{
    if (e->kind == TRACEQL_EXPR_FIELD) {
        of_compare(p, e, e->field, TRACEQL_EQ, traceql__bool(true), out);
    } else if (e->kind == TRACEQL_EXPR_OP && e->op == TRACEQL_AND) {
        of_expr(p, e->a, out);
        of_expr(p, e->b, out);
    } else if (e->kind == TRACEQL_EXPR_OP && e->op == TRACEQL_OR) {
        struct clauses a = {0}, b = {0};
        of_expr(p, e->a, &a);
        of_expr(p, e->b, &b);
        either(p, &a, &b, out);
    } else if (e->kind == TRACEQL_EXPR_OP && traceql__is_compare(e->op)) {
        if (e->a->kind == TRACEQL_EXPR_FIELD && e->b->kind == TRACEQL_EXPR_VALUE)
            of_compare(p, e, e->a->field, e->op, e->b->value, out);
        else if (e->b->kind == TRACEQL_EXPR_FIELD && e->a->kind == TRACEQL_EXPR_VALUE &&
                 e->op != TRACEQL_MATCH && e->op != TRACEQL_NOT_MATCH)
            of_compare(p, e, e->b->field, mirrored(e->op), e->a->value, out);
    }
}

static void of_pipeline(const struct pushdown *p, const struct traceql_pipeline *pipeline,
                        struct clauses *out);

/* How well a side narrows things down. */
static size_t rank(const struct clauses *c)
{
    size_t out = 0;
    for (size_t i = 0; i < c->count; i++) {
        enum store_event_op op = c->items[i].any[0].op;
        out += op == STORE_EVENT_EQ || op == STORE_EVENT_IN ? 4 : op == STORE_EVENT_NE ? 1 : 2;
    }
    return out;
}

static void of_set(const struct pushdown *p, const struct traceql_set *s, struct clauses *out)
{
    struct clauses a = {0}, b = {0};
    if (s->kind == TRACEQL_SET_FILTER) {
        if (s->expr)
            of_expr(p, s->expr, out);
        return;
    }
    if (s->kind == TRACEQL_SET_PIPELINE) {
        of_pipeline(p, s->pipeline, out);
        return;
    }
    if (s->op < TRACEQL_NOT_CHILD || s->op > TRACEQL_NOT_SIBLING)
        of_set(p, s->a, &a);
    of_set(p, s->b, &b);
    if (s->op == TRACEQL_OR) {
        either(p, &a, &b, out);
        return;
    }
    /* Both sides have spans of their own: one of them is looked for. */
    const struct clauses *best = rank(&a) > rank(&b) ? &a : &b;
    for (size_t i = 0; i < best->count; i++)
        add(p, best->items[i].any, best->items[i].count, out);
}

static void of_pipeline(const struct pushdown *p, const struct traceql_pipeline *pipeline,
                        struct clauses *out)
{
    for (size_t i = 0; i < pipeline->count; i++) {
        const struct traceql_stage *s = &pipeline->stages[i];
        if (s->kind == TRACEQL_STAGE_SELECT || s->kind == TRACEQL_STAGE_BY)
            continue;
        if (s->kind != TRACEQL_STAGE_SET || (i && s->set->kind != TRACEQL_SET_FILTER))
            return;
        of_set(p, s->set, out);
        if (s->set->kind != TRACEQL_SET_FILTER)
            return;
    }
}

void traceql__pushdown(const struct traceql_query *q, const struct traceql_pipeline *p,
                       struct store_event_clause **out, size_t *out_count)
{
    struct pushdown push = {q, q->arena};
    struct clauses all = {0};
    of_pipeline(&push, p, &all);
    *out = arena_dup(q->arena, all.items, all.count * sizeof(*all.items));
    *out_count = all.count;
}
