/* Expressions over the fields of a span. Types are checked as far as they are known. */
#include "base/mem.h"
#include "lang/traceql/parser.h"

const struct traceql_intrinsic_info traceql__intrinsics[] = {
    {TRACEQL_I_DURATION, "duration", "span:duration", TRACEQL_DURATION},
    {TRACEQL_I_NAME, "name", "span:name", TRACEQL_STRING},
    {TRACEQL_I_STATUS, "status", "span:status", TRACEQL_STATUS},
    {TRACEQL_I_STATUS_MESSAGE, "statusMessage", "span:statusMessage", TRACEQL_STRING},
    {TRACEQL_I_KIND, "kind", "span:kind", TRACEQL_SPAN_KIND},
    {TRACEQL_I_SPAN_ID, NULL, "span:id", TRACEQL_STRING},
    {TRACEQL_I_PARENT_ID, NULL, "span:parentID", TRACEQL_STRING},
    {TRACEQL_I_CHILD_COUNT, "childCount", "span:childCount", TRACEQL_INT},
    {TRACEQL_I_TRACE_ID, NULL, "trace:id", TRACEQL_STRING},
    {TRACEQL_I_ROOT_NAME, "rootName", "trace:rootName", TRACEQL_STRING},
    {TRACEQL_I_ROOT_SERVICE, "rootServiceName", "trace:rootService", TRACEQL_STRING},
    {TRACEQL_I_TRACE_DURATION, "traceDuration", "trace:duration", TRACEQL_DURATION},
    {TRACEQL_I_EVENT_NAME, NULL, "event:name", TRACEQL_STRING},
    {TRACEQL_I_EVENT_SINCE_START, NULL, "event:timeSinceStart", TRACEQL_DURATION},
    {TRACEQL_I_LINK_TRACE, NULL, "link:traceID", TRACEQL_STRING},
    {TRACEQL_I_LINK_SPAN, NULL, "link:spanID", TRACEQL_STRING},
    {TRACEQL_I_SCOPE_NAME, NULL, "instrumentation:name", TRACEQL_STRING},
    {TRACEQL_I_SCOPE_VERSION, NULL, "instrumentation:version", TRACEQL_STRING},
    {TRACEQL_I_NESTED_LEFT, "nestedSetLeft", NULL, TRACEQL_INT},
    {TRACEQL_I_NESTED_RIGHT, "nestedSetRight", NULL, TRACEQL_INT},
    {TRACEQL_I_NESTED_PARENT, "nestedSetParent", NULL, TRACEQL_INT},
    {TRACEQL_I_PARENT, "parent", NULL, TRACEQL_NIL},
};
const size_t traceql__intrinsic_count = ARRAY_LEN(traceql__intrinsics);

const struct traceql_intrinsic_info *traceql__intrinsic_find(struct slice name)
{
    for (size_t i = 0; i < traceql__intrinsic_count; i++) {
        const struct traceql_intrinsic_info *t = &traceql__intrinsics[i];
        if ((t->name && slice_eq_cstr(name, t->name)) ||
            (t->scoped && slice_eq_cstr(name, t->scoped)))
            return t;
    }
    return NULL;
}

const struct traceql_intrinsic_info *traceql__intrinsic_get(enum traceql_intrinsic id)
{
    for (size_t i = 0; i < traceql__intrinsic_count; i++) {
        if (traceql__intrinsics[i].id == id)
            return &traceql__intrinsics[i];
    }
    return NULL;
}

enum traceql_kind traceql__type_of(const struct traceql_query *q, const struct traceql_expr *e)
{
    if (e->kind == TRACEQL_EXPR_OP)
        return e->type;
    if (e->kind == TRACEQL_EXPR_VALUE)
        return e->value.kind;
    const struct traceql_field *f = &q->fields.items[e->field];
    return f->intrinsic ? traceql__intrinsic_get(f->intrinsic)->kind : TRACEQL_NIL;
}

bool traceql__has_field(const struct traceql_expr *e)
{
    return e->kind == TRACEQL_EXPR_FIELD || (e->kind == TRACEQL_EXPR_OP && e->has_field);
}

/* What is known of an operator once its operands are; they may not be too many above each other. */
static int settle(struct traceql_parser *p, struct traceql_expr *e)
{
    enum traceql_kind a = traceql__type_of(p->query, e->a),
                      b = e->b ? traceql__type_of(p->query, e->b) : a;
    e->has_field = traceql__has_field(e->a) || (e->b && traceql__has_field(e->b));
    e->height = 1 + MAX(e->a->height, e->b ? e->b->height : 0);
    if (e->op >= TRACEQL_EQ && e->op <= TRACEQL_NOT)
        e->type = TRACEQL_BOOL;
    else if (a == TRACEQL_NIL || b == TRACEQL_NIL)
        e->type = a == TRACEQL_NIL ? b : a;
    else
        e->type = a == b ? a : TRACEQL_FLOAT;
    return e->height > TRACEQL__HEIGHT_MAX
               ? traceql__fail(p->lex.text, p->diag, e->begin,
                               "the expression has more than %d operators in a row",
                               TRACEQL__HEIGHT_MAX)
               : 0;
}

static bool fits(enum traceql_op op, enum traceql_kind kind)
{
    if (kind == TRACEQL_NIL)
        return true;
    switch (op) {
    case TRACEQL_EQ:
    case TRACEQL_NE: return true;
    case TRACEQL_LT:
    case TRACEQL_LE:
    case TRACEQL_GT:
    case TRACEQL_GE: return traceql__is_number(kind) || kind == TRACEQL_STRING;
    case TRACEQL_MATCH:
    case TRACEQL_NOT_MATCH: return kind == TRACEQL_STRING;
    case TRACEQL_AND:
    case TRACEQL_OR:
    case TRACEQL_NOT: return kind == TRACEQL_BOOL;
    default: return traceql__is_number(kind);
    }
}

static struct slice text_of(const struct traceql_parser *p, size_t begin, size_t end)
{
    return slice_first(slice_trim(slice_make(p->lex.text.ptr + begin, end - begin)), 120);
}

int traceql__check_types(struct traceql_parser *p, enum traceql_op op, enum traceql_kind a,
                         enum traceql_kind b, size_t begin, size_t end)
{
    struct slice text = text_of(p, begin, end);
    if (a != TRACEQL_NIL && b != TRACEQL_NIL && a != b &&
        !(traceql__is_number(a) && traceql__is_number(b)))
        return traceql__fail(p->lex.text, p->diag, begin,
                             "binary operations must operate on the same type: %.*s",
                             SLICE_FMT(text));
    if (!fits(op, a) || !fits(op, b))
        return traceql__fail(p->lex.text, p->diag, begin,
                             "illegal operation for the given types: %.*s", SLICE_FMT(text));
    return 0;
}

/* --- fields --- */

static struct slice print_field(struct traceql_parser *p, const struct traceql_field *f)
{
    static const char *const scopes[TRACEQL_SCOPE_COUNT] = {".",      "span.", "resource.",
                                                            "event.", "link.", "instrumentation."};
    struct buf text = {0};
    /* A digit behind the dot begins a number, a scope behind parent. is one. */
    bool quote = !f->parent && !f->scope && f->name.ptr[0] >= '0' && f->name.ptr[0] <= '9';
    quote |= f->parent && !f->scope &&
             (slice_starts_with(f->name, SLICE("span.")) ||
              slice_starts_with(f->name, SLICE("resource.")));
    for (size_t i = 0; i < f->name.len; i++)
        quote |=
            (unsigned char)f->name.ptr[i] <= ' ' || strchr("{}()=~!<>&|^,\"\\", f->name.ptr[i]);
    if (f->parent)
        buf_append_cstr(&text, "parent.");
    if (!f->parent || f->scope)
        buf_append_cstr(&text, scopes[f->scope]);
    if (quote)
        buf_append_char(&text, '"');
    for (size_t i = 0; i < f->name.len; i++) {
        if (quote && (f->name.ptr[i] == '"' || f->name.ptr[i] == '\\'))
            buf_append_char(&text, '\\');
        buf_append_char(&text, f->name.ptr[i]);
    }
    if (quote)
        buf_append_char(&text, '"');
    struct slice out = arena_slice(p->arena, buf_slice(&text));
    buf_deinit(&text);
    return out;
}

static size_t intern(struct traceql_parser *p, struct traceql_field f)
{
    struct traceql_query *q = p->query;
    for (size_t i = 0; i < q->fields.len; i++) {
        const struct traceql_field *o = &q->fields.items[i];
        if (o->scope == f.scope && o->intrinsic == f.intrinsic && o->parent == f.parent &&
            (f.intrinsic || slice_eq(o->name, f.name)))
            return i;
    }
    if (!f.intrinsic)
        f.text = print_field(p, &f);
    f.source = SIZE_MAX;
    vec_push(&q->fields, f);
    return q->fields.len - 1;
}

static struct traceql_expr *node(struct traceql_parser *p, enum traceql_expr_kind kind,
                                 size_t begin)
{
    struct traceql_expr *e = ARENA_NEW(p->arena, struct traceql_expr);
    e->kind = kind;
    e->begin = begin;
    e->end = p->now.end;
    return e;
}

static bool read_constant(struct slice word, struct traceql_value *out)
{
    *out = (struct traceql_value){0};
    if (slice_eq_cstr(word, "nil"))
        return true;
    if (slice_eq_cstr(word, "true") || slice_eq_cstr(word, "false")) {
        *out = traceql__bool(word.len == 4);
        return true;
    }
    for (int i = 0; i < 6; i++) {
        if (i < 3 && slice_eq_cstr(word, traceql__status_name(i))) {
            *out = traceql__int(TRACEQL_STATUS, i);
            return true;
        }
        if (slice_eq_cstr(word, traceql__kind_name(i))) {
            *out = traceql__int(TRACEQL_SPAN_KIND, i);
            return true;
        }
    }
    return false;
}

static int parse_primary(struct traceql_parser *p, struct traceql_expr **out)
{
    const struct traceql_intrinsic_info *intrinsic;
    struct traceql_value constant;
    struct traceql_token t = p->now;
    int err;
    switch (t.kind) {
    case TRACEQL_T_VALUE:
        *out = node(p, TRACEQL_EXPR_VALUE, t.begin);
        (*out)->value = t.value;
        return traceql__advance(p);
    case TRACEQL_T_ATTRIBUTE:
        *out = node(p, TRACEQL_EXPR_FIELD, t.begin);
        (*out)->field =
            intern(p, (struct traceql_field){.scope = t.scope, .parent = t.parent, .name = t.text});
        return traceql__advance(p);
    case TRACEQL_T_IDENT:
        intrinsic = traceql__intrinsic_find(t.text);
        if (intrinsic) {
            *out = node(p, TRACEQL_EXPR_FIELD, t.begin);
            (*out)->field = intern(
                p,
                (struct traceql_field){.intrinsic = intrinsic->id, .name = t.text, .text = t.text});
        } else if (read_constant(t.text, &constant)) {
            *out = node(p, TRACEQL_EXPR_VALUE, t.begin);
            (*out)->value = constant;
        } else {
            return traceql__unexpected(p, NULL);
        }
        return traceql__advance(p);
    default: break;
    }
    if (!traceql__is_op(p, "("))
        return traceql__unexpected(p, NULL);
    if ((err = traceql__advance(p)) || (err = traceql__parse_expr(p, out)))
        return err;
    return traceql__expect(p, ")");
}

static int parse_binary(struct traceql_parser *p, int min, struct traceql_expr **out);

static int parse_unary(struct traceql_parser *p, struct traceql_expr **out)
{
    size_t begin = p->now.begin;
    bool is_not = traceql__is_op(p, "!");
    int err;
    if (!is_not && !traceql__is_op(p, "-"))
        return parse_primary(p, out);
    if ((err = traceql__enter(p)) || (err = traceql__advance(p)))
        return err;
    struct traceql_expr *e = node(p, TRACEQL_EXPR_OP, begin);
    e->op = is_not ? TRACEQL_NOT : TRACEQL_NEG;
    if ((err = parse_binary(p, 5, &e->a)))
        return err;
    p->depth--;
    e->end = e->a->end;
    enum traceql_kind kind = traceql__type_of(p->query, e->a);
    if (!fits(e->op, kind))
        return traceql__fail(p->lex.text, p->diag, begin,
                             "illegal operation for the given type: %.*s",
                             SLICE_FMT(text_of(p, begin, e->end)));
    if ((err = settle(p, e)))
        return err;
    /* A number with its sign is one literal. */
    if (!is_not && e->a->kind == TRACEQL_EXPR_VALUE && traceql__is_number(kind)) {
        e->kind = TRACEQL_EXPR_VALUE;
        e->value = e->a->value;
        if (kind == TRACEQL_FLOAT)
            e->value.d = 0 - e->value.d; /* there is one zero */
        else
            e->value.i = -e->value.i;
    }
    *out = e;
    return 0;
}

/* Ids have zeros in front that may be left out, and digits of either case. */
static void normalise_id(struct traceql_parser *p, const struct traceql_expr *field,
                         struct traceql_expr *value)
{
    if (field->kind != TRACEQL_EXPR_FIELD || value->kind != TRACEQL_EXPR_VALUE ||
        value->value.kind != TRACEQL_STRING)
        return;
    enum traceql_intrinsic i = p->query->fields.items[field->field].intrinsic;
    size_t len = i == TRACEQL_I_TRACE_ID || i == TRACEQL_I_LINK_TRACE ? 32
                 : i == TRACEQL_I_SPAN_ID || i == TRACEQL_I_PARENT_ID || i == TRACEQL_I_LINK_SPAN
                     ? 16
                     : 0;
    struct slice s = value->value.text;
    if (!len || !s.len || s.len > len)
        return;
    char *full = arena_alloc(p->arena, len);
    memset(full, '0', len);
    for (size_t k = 0; k < s.len; k++) {
        char c = s.ptr[k];
        full[len - s.len + k] = (char)(c >= 'A' && c <= 'F' ? c | 32 : c);
    }
    value->value.text = slice_make(full, len);
}

static int finish_op(struct traceql_parser *p, struct traceql_expr *e)
{
    int err = traceql__check_types(p, e->op, traceql__type_of(p->query, e->a),
                                   traceql__type_of(p->query, e->b), e->begin, e->end);
    if (err)
        return err;
    if (e->op == TRACEQL_EQ || e->op == TRACEQL_NE) {
        normalise_id(p, e->a, e->b);
        normalise_id(p, e->b, e->a);
        bool a = e->a->kind == TRACEQL_EXPR_VALUE && e->a->value.kind == TRACEQL_NIL;
        bool b = e->b->kind == TRACEQL_EXPR_VALUE && e->b->value.kind == TRACEQL_NIL;
        e->literal_nil = a != b;
        if (a && !b) { /* the literal stands behind */
            struct traceql_expr *swap = e->a;
            e->a = e->b;
            e->b = swap;
        }
    }
    if (e->op != TRACEQL_MATCH && e->op != TRACEQL_NOT_MATCH)
        return 0;
    if (e->b->kind != TRACEQL_EXPR_VALUE)
        return traceql__fail(p->lex.text, p->diag, e->b->begin,
                             "a regular expression has to be a literal: %.*s",
                             SLICE_FMT(text_of(p, e->begin, e->end)));
    struct diag why;
    diag_init(&why);
    if (text_regex_compile(e->b->value.text, TEXT_REGEX_ANCHORED, &e->regex, &why))
        return traceql__fail(p->lex.text, p->diag, e->b->begin, "invalid regex: %.*s: %s",
                             SLICE_FMT(text_of(p, e->begin, e->end)), why.msg);
    vec_push(&p->query->regexes, e->regex);
    return 0;
}

static enum traceql_op op_of(struct slice text)
{
    static const enum traceql_op ops[] = {
        TRACEQL_ADD, TRACEQL_SUB, TRACEQL_MUL,   TRACEQL_DIV,       TRACEQL_MOD, TRACEQL_POW,
        TRACEQL_EQ,  TRACEQL_NE,  TRACEQL_LT,    TRACEQL_LE,        TRACEQL_GT,  TRACEQL_GE,
        TRACEQL_AND, TRACEQL_OR,  TRACEQL_MATCH, TRACEQL_NOT_MATCH,
    };
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (slice_eq_cstr(text, traceql__op_name(ops[i])))
            return ops[i];
    }
    return TRACEQL_OP_COUNT;
}

static int parse_binary(struct traceql_parser *p, int min, struct traceql_expr **out)
{
    int precedence, err = parse_unary(p, out);
    while (!err && (precedence = traceql__precedence(&p->now)) >= min) {
        enum traceql_op op = op_of(p->now.text);
        if (op == TRACEQL_OP_COUNT)
            return traceql__unexpected(p, NULL);
        struct traceql_expr *e = node(p, TRACEQL_EXPR_OP, (*out)->begin);
        e->op = op;
        e->a = *out;
        if ((err = traceql__enter(p)) || (err = traceql__advance(p)) ||
            (err = parse_binary(p, op == TRACEQL_POW ? precedence : precedence + 1, &e->b)))
            return err;
        p->depth--;
        e->end = e->b->end;
        if (!(err = finish_op(p, e)))
            err = settle(p, e);
        *out = e;
    }
    return err;
}

int traceql__parse_expr(struct traceql_parser *p, struct traceql_expr **out)
{
    int err = traceql__enter(p);
    if (!err)
        err = parse_binary(p, 1, out);
    p->depth--;
    return err;
}

int traceql__parse_list(struct traceql_parser *p, bool fields, const struct traceql_expr ***out,
                        size_t *out_count)
{
    VEC(const struct traceql_expr *) items = {0};
    int err;
    do {
        struct traceql_expr *e;
        err = items.len ? traceql__advance(p) : 0;
        if (err || (err = traceql__parse_expr(p, &e)))
            break;
        if (fields && e->kind != TRACEQL_EXPR_FIELD) {
            err = traceql__fail(p->lex.text, p->diag, e->begin,
                                "syntax error: unexpected %.*s, expecting a field",
                                SLICE_FMT(text_of(p, e->begin, e->end)));
            break;
        }
        vec_push(&items, e);
    } while (traceql__is_op(p, ","));
    *out = arena_dup(p->arena, items.items, items.len * sizeof(*items.items));
    *out_count = items.len;
    vec_free(&items);
    return err;
}
