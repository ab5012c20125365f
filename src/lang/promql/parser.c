/* Text to a tree: precedence climbing. Its types are checked by check.c. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "lang/promql/parser.h"
#include "text/regex.h"

#define DEPTH_MAX 200
#define CHAIN     5 /* times as many operators: a + b + ... is as deep a tree, walked recursively */

const char *promql__type_name(enum query_type type)
{
    static const char *const names[] = {"scalar", "instant vector", "range vector", "string"};
    return names[type];
}

int promql__fail_at(struct promql_parser *p, size_t begin, size_t end, const char *fmt, ...)
{
    char msg[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    return promql_fail(p->lex.text, p->diag, begin, end, "%s", msg);
}

int promql__advance(struct promql_parser *p)
{
    p->last_end = p->now.end;
    return promql_lex(&p->lex, &p->now);
}

bool promql__is_op(const struct promql_parser *p, const char *op)
{
    return p->now.kind == PROMQL_T_OP && slice_eq_cstr(p->now.text, op);
}

bool promql__is_word(const struct promql_parser *p, const char *word)
{
    return p->now.kind == PROMQL_T_IDENT && slice_eq_nocase(p->now.text, slice_cstr(word));
}

int promql__unexpected(struct promql_parser *p)
{
    struct buf what = {0};
    promql_describe(&p->lex, &p->now, &what);
    int err = promql__fail_at(p, p->now.begin, p->now.end, "unexpected %s%s%s%s%s", buf_cstr(&what),
                              *p->context.in ? " in " : "", p->context.in,
                              *p->context.expected ? ", expected " : "", p->context.expected);
    buf_deinit(&what);
    return err;
}

struct promql_context promql__enter(struct promql_parser *p, const char *in, const char *expected)
{
    struct promql_context before = p->context;
    p->context = (struct promql_context){in, expected};
    return before;
}

int promql__expect_op(struct promql_parser *p, const char *op)
{
    return promql__is_op(p, op) ? promql__advance(p) : promql__unexpected(p);
}

bool promql__is_number(const struct promql_parser *p)
{
    return p->now.kind == PROMQL_T_NUMBER ||
           (p->now.kind == PROMQL_T_IDENT && p->now.word == PROMQL_W_NUMBER);
}

int promql__take_number(struct promql_parser *p, double *out, bool *out_is_duration)
{
    const struct promql_token *t = &p->now;
    struct slice raw = slice_make(p->lex.text.ptr + t->begin, t->end - t->begin);
    if (t->wrong && !t->is_duration)
        return promql__fail_at(p, t->begin, t->end,
                               "error parsing number: strconv.ParseFloat: parsing \"%.*s\": %s",
                               SLICE_FMT(slice_first(raw, 400)), t->wrong);
    if (t->wrong && t->unit.len)
        return promql__fail_at(p, t->begin, t->end, "%s \"%.*s\" in duration \"%.*s\"", t->wrong,
                               SLICE_FMT(t->unit), SLICE_FMT(raw));
    if (t->wrong) {
        bool shown = t->wrong[strlen(t->wrong) - 1] == ':';
        return promql__fail_at(p, t->begin, t->end, shown ? "%s \"%.*s\"" : "%s", t->wrong,
                               SLICE_FMT(raw));
    }
    *out_is_duration = t->is_duration;
    *out = t->kind == PROMQL_T_NUMBER ? t->number : (raw.ptr[0] | 32) == 'i' ? INFINITY : NAN;
    return promql__advance(p);
}

struct promql_expr *promql__new_expr(struct promql_parser *p, enum promql_kind kind,
                                     enum query_type type, size_t begin)
{
    struct promql_expr *e = ARENA_NEW(p->arena, struct promql_expr);
    e->kind = kind;
    e->type = type;
    e->begin = begin;
    promql_place(p->lex.text, begin, &e->line, &e->col);
    return e;
}

void promql__set_args(struct promql_parser *p, struct promql_expr *e, struct promql_expr **args,
                      size_t count)
{
    e->args = arena_dup(p->arena, args, count * sizeof(*args));
    e->arg_count = count;
    for (size_t i = 0; i < count; i++)
        e->depth = MAX(e->depth, args[i]->depth + 1);
}

/* What comes behind the word, without taking anything. */
bool promql__followed_by(struct promql_parser *p, const char *const *ops)
{
    struct promql_lexer ahead = p->lex;
    struct promql_token t;
    struct diag d;
    diag_init(&d);
    ahead.diag = &d;
    if (promql_lex(&ahead, &t))
        return false;
    for (; *ops; ops++) {
        if ((t.kind == PROMQL_T_OP && slice_eq_cstr(t.text, *ops)) ||
            (t.kind == PROMQL_T_IDENT && slice_eq_nocase(t.text, slice_cstr(*ops))))
            return true;
    }
    return false;
}

/* --- selectors --- */

int promql__add_matcher(struct promql_parser *p, struct promql_expr *e, enum store_match_op op,
                        struct slice name, struct slice value, size_t begin)
{
    struct store_matcher m = {.op = op, .name = name, .value = value};
    if (op == STORE_MATCH_RE || op == STORE_MATCH_NRE) {
        struct text_regex *re;
        struct diag d;
        diag_init(&d);
        if (text_regex_compile(value, TEXT_REGEX_ANCHORED, &re, &d))
            return promql__fail_at(p, begin, p->last_end, "%s", d.msg);
        vec_push(&p->regexes, re);
        m.regex = re;
    }
    struct store_matcher *grown = ARENA_ARRAY(p->arena, struct store_matcher, e->matcher_count + 1);
    if (e->matcher_count)
        memcpy(grown, e->matchers, e->matcher_count * sizeof(*grown));
    grown[e->matcher_count++] = m;
    e->matchers = grown;
    return 0;
}

static int parse_matcher(struct promql_parser *p, struct promql_expr *e)
{
    static const struct {
        const char *text;
        enum store_match_op op;
    } ops[] = {{"=", STORE_MATCH_EQ},
               {"!=", STORE_MATCH_NE},
               {"=~", STORE_MATCH_RE},
               {"!~", STORE_MATCH_NRE}};
    struct promql_token name = p->now;
    if (name.kind != PROMQL_T_IDENT && name.kind != PROMQL_T_STRING)
        return promql__unexpected(p);
    int err = promql__advance(p);
    size_t k = 0;
    while (k < ARRAY_LEN(ops) && !promql__is_op(p, ops[k].text))
        k++;
    if (err)
        return err;
    if (k == ARRAY_LEN(ops)) {
        promql__enter(p, "label matching", "label matching operator");
        if (name.kind == PROMQL_T_IDENT)
            return promql__unexpected(p);
        if (!e->name.len) {
            e->name = name.text;
            e->name_inside = true;
        }
        return promql__add_matcher(p, e, STORE_MATCH_EQ, SLICE(DATA_METRIC_NAME), name.text,
                                   name.begin);
    }
    if ((err = promql__advance(p)))
        return err;
    struct promql_token value = p->now;
    promql__enter(p, "label matching", "string");
    if (value.kind != PROMQL_T_STRING)
        return promql__unexpected(p);
    if ((err = promql__add_matcher(p, e, ops[k].op, arena_slice(p->arena, name.text), value.text,
                                   name.begin)))
        return err;
    return promql__advance(p);
}

static int parse_matchers(struct promql_parser *p, struct promql_expr *e)
{
    struct promql_context before = promql__enter(p, "label matching", "identifier or \"}\"");
    int err = promql__advance(p);
    while (!err && !promql__is_op(p, "}")) {
        if ((err = parse_matcher(p, e)))
            break;
        promql__enter(p, "label matching", "\",\" or \"}\"");
        if (promql__is_op(p, "}"))
            break;
        err = promql__expect_op(p, ",");
        promql__enter(p, "label matching", "identifier or \"}\"");
    }
    p->context = before;
    return err ? err : promql__advance(p);
}

static int parse_selector(struct promql_parser *p, struct promql_expr **out)
{
    struct promql_expr *e = promql__new_expr(p, PROMQL_SELECTOR, QUERY_TYPE_VECTOR, p->now.begin);
    int err = 0;
    if (p->now.kind == PROMQL_T_IDENT) {
        e->name = arena_slice(p->arena, p->now.text);
        err = promql__add_matcher(p, e, STORE_MATCH_EQ, SLICE(DATA_METRIC_NAME), e->name,
                                  p->now.begin);
        if (!err)
            err = promql__advance(p);
    }
    if (!err && promql__is_op(p, "{"))
        err = parse_matchers(p, e);
    e->end = p->last_end;
    *out = e;
    return err;
}

const struct promql_operator promql__operators[PROMQL__OPERATORS] = {
    {"or", QUERY_OR, 1},         {"and", QUERY_AND, 2},     {"unless", QUERY_UNLESS, 2},
    {"==", QUERY_EQ, 3},         {"!=", QUERY_NE, 3},       {"</", QUERY_TRIM_UPPER, 3},
    {">/", QUERY_TRIM_LOWER, 3}, {"<=", QUERY_LE, 3},       {"<", QUERY_LT, 3},
    {">=", QUERY_GE, 3},         {">", QUERY_GT, 3},        {"+", QUERY_ADD, 4},
    {"-", QUERY_SUB, 4},         {"*", QUERY_MUL, 5},       {"/", QUERY_DIV, 5},
    {"%", QUERY_MOD, 5},         {"atan2", QUERY_ATAN2, 5}, {"^", QUERY_POW, 6},
};

int promql__find_operator(const struct promql_parser *p)
{
    for (size_t i = 0; i < PROMQL__OPERATORS; i++) {
        bool word = promql__operators[i].text[0] >= 'a';
        if (word ? promql__is_word(p, promql__operators[i].text)
                 : promql__is_op(p, promql__operators[i].text))
            return (int)i;
    }
    return -1;
}

/* --- primaries --- */

/* The keywords that no metric may be called by. */
static bool is_never_name(const struct promql_parser *p)
{
    static const char *const never[] = {"bool",       "on",          "ignoring",
                                        "group_left", "group_right", "atan2"};
    for (size_t i = 0; i < ARRAY_LEN(never); i++) {
        if (promql__is_word(p, never[i]))
            return true;
    }
    return false;
}

bool promql__starts_expr(const struct promql_parser *p)
{
    if (p->now.kind == PROMQL_T_OP)
        return strchr("+-({", p->now.text.ptr[0]) != NULL;
    return p->now.kind != PROMQL_T_EOF && !is_never_name(p);
}

static int parse_name(struct promql_parser *p, struct promql_expr **out)
{
    static const char *const call[] = {"(", NULL}, *const aggregate[] = {"(", "by", "without",
                                                                         NULL};
    int which = promql__find_aggregate(p->now.text);
    bool callable = p->now.word == PROMQL_W_NAME || p->now.word == PROMQL_W_CALL;
    if (which >= 0 && promql__followed_by(p, aggregate))
        return promql__parse_aggregate(p, which, out);
    if (callable && promql__followed_by(p, call))
        return promql__parse_call(p, out);
    return is_never_name(p) ? promql__unexpected(p) : parse_selector(p, out);
}

static int parse_only_selector(struct promql_parser *p, struct promql_expr **out)
{
    bool named = p->now.kind == PROMQL_T_IDENT && !is_never_name(p);
    return named || promql__is_op(p, "{") ? parse_selector(p, out) : promql__unexpected(p);
}

static int parse_paren(struct promql_parser *p, struct promql_expr **out)
{
    size_t begin = p->now.begin;
    struct promql_expr *inner, *e;
    int err = promql__advance(p);
    if (err || (err = promql__parse_expr(p, 0, &inner)))
        return err;
    if (!promql__is_op(p, ")"))
        return promql__unexpected(p);
    e = promql__new_expr(p, PROMQL_PAREN, inner->type, begin);
    promql__set_args(p, e, &inner, 1);
    err = promql__advance(p);
    e->end = p->last_end;
    *out = e;
    return err;
}

static int parse_primary(struct promql_parser *p, struct promql_expr **out)
{
    struct promql_token t = p->now;
    if (promql__is_number(p)) {
        struct promql_expr *e = promql__new_expr(p, PROMQL_NUMBER, QUERY_TYPE_SCALAR, t.begin);
        e->end = t.end;
        *out = e;
        return promql__take_number(p, &e->number, &e->is_duration);
    }
    if (t.kind == PROMQL_T_STRING) {
        struct promql_expr *e = promql__new_expr(p, PROMQL_STRING, QUERY_TYPE_STRING, t.begin);
        e->string = t.text;
        e->end = t.end;
        *out = e;
        return promql__advance(p);
    }
    if (t.kind == PROMQL_T_IDENT)
        return parse_name(p, out);
    if (promql__is_op(p, "{"))
        return parse_selector(p, out);
    return promql__is_op(p, "(") ? parse_paren(p, out) : promql__unexpected(p);
}

static int parse_unary(struct promql_parser *p, struct promql_expr **out)
{
    if (!promql__is_op(p, "+") && !promql__is_op(p, "-")) {
        int err = parse_primary(p, out);
        return err ? err : promql__parse_postfix(p, out);
    }
    struct promql_expr *inner,
        *e = promql__new_expr(p, PROMQL_UNARY, QUERY_TYPE_SCALAR, p->now.begin);
    e->negative = promql__is_op(p, "-");
    int err = promql__advance(p);
    /* As tight as multiplication: -1^2 is -(1^2), -1*2 is (-1)*2. */
    if (!err)
        err = promql__parse_expr(p, 6, &inner);
    if (err)
        return err;
    if (inner->kind == PROMQL_NUMBER) { /* a signed number is one */
        inner->number = e->negative ? -inner->number : inner->number;
        inner->begin = e->begin;
        inner->line = e->line;
        inner->col = e->col;
        *out = inner;
        return 0;
    }
    e->type = inner->type;
    e->end = inner->end;
    promql__set_args(p, e, &inner, 1);
    *out = e;
    return 0;
}

/* --- binary operators --- */

/* (1), (-1) */
static int parse_fill_value(struct promql_parser *p, double *out)
{
    bool is_duration, negative;
    int err = promql__advance(p);
    if (!err)
        err = promql__expect_op(p, "(");
    negative = promql__is_op(p, "-");
    if (!err && (negative || promql__is_op(p, "+")))
        err = promql__advance(p);
    if (!err)
        err = promql__is_number(p) ? promql__take_number(p, out, &is_duration)
                                   : promql__unexpected(p);
    *out = negative ? -*out : *out;
    return err ? err : promql__expect_op(p, ")");
}

/* fill(1), or a value for each side in either order. */
static int parse_fill(struct promql_parser *p, struct promql_expr *e)
{
    int err = 0;
    double v = 0;
    while (!err && p->now.word == PROMQL_W_KEYWORD) {
        bool both = promql__is_word(p, "fill"), left = promql__is_word(p, "fill_left");
        if (!(both && !e->has_fill_left && !e->has_fill_right) && !(left && !e->has_fill_left) &&
            !(promql__is_word(p, "fill_right") && !e->has_fill_right))
            break;
        if ((err = parse_fill_value(p, &v)))
            break;
        if (both || left) {
            e->has_fill_left = true;
            e->fill_left = v;
        }
        if (!left) {
            e->has_fill_right = true;
            e->fill_right = v;
        }
    }
    return err;
}

static int parse_matching(struct promql_parser *p, struct promql_expr *e)
{
    int err = 0;
    if (promql__is_word(p, "bool")) {
        e->return_bool = true;
        if ((err = promql__advance(p)))
            return err;
    }
    if (promql__is_word(p, "on") || promql__is_word(p, "ignoring")) {
        e->has_matching = true;
        e->on = promql__is_word(p, "on");
        if ((err = promql__advance(p)) ||
            (err = promql__parse_names(p, &e->matching, &e->matching_count)))
            return err;
        if (promql__is_word(p, "group_left") || promql__is_word(p, "group_right")) {
            e->has_group = true;
            e->cardinality =
                promql__is_word(p, "group_left") ? QUERY_MANY_TO_ONE : QUERY_ONE_TO_MANY;
            if ((err = promql__advance(p)))
                return err;
            if (promql__is_op(p, "(") || !promql__starts_expr(p))
                err = promql__parse_names(p, &e->include, &e->include_count);
        }
    }
    return err ? err : parse_fill(p, e);
}

int promql__too_deep(struct promql_parser *p)
{
    return promql__fail_at(p, p->now.begin, p->now.end,
                           "the expression is nested too deeply (%u levels at most: "
                           "limits.query.nesting)",
                           p->depth_max);
}

int promql__parse_expr(struct promql_parser *p, int min_precedence, struct promql_expr **out)
{
    if (++p->depth > p->depth_max)
        return promql__too_deep(p);
    int err = parse_unary(p, out);
    while (!err) {
        int which = promql__find_operator(p);
        if (which < 0 || promql__operators[which].precedence < min_precedence ||
            !promql__operators[which].precedence)
            break;
        struct promql_expr *sides[2] = {*out, NULL};
        struct promql_expr *e =
            promql__new_expr(p, PROMQL_BINARY, QUERY_TYPE_SCALAR, (*out)->begin);
        e->op = promql__operators[which].op;
        e->cardinality = e->op >= QUERY_AND ? QUERY_MANY_TO_MANY : QUERY_ONE_TO_ONE;
        int next = promql__operators[which].precedence + (e->op == QUERY_POW ? 0 : 1);
        if ((err = promql__advance(p)) || (err = parse_matching(p, e)) ||
            (err = promql__parse_expr(p, next, &sides[1])))
            break;
        promql__set_args(p, e, sides, 2);
        e->end = sides[1]->end;
        e->type = sides[0]->type == QUERY_TYPE_SCALAR && sides[1]->type == QUERY_TYPE_SCALAR
                      ? QUERY_TYPE_SCALAR
                      : QUERY_TYPE_VECTOR;
        if ((e->has_fill_left || e->has_fill_right) && !p->options->experimental)
            err = promql__fail_at(p, e->begin, e->end,
                                  "binop fill modifiers are experimental and not enabled "
                                  "(promql.experimental)");
        else if (e->depth > CHAIN * p->depth_max)
            err =
                promql__fail_at(p, e->begin, e->end,
                                "the expression chains too many operators (%u at most: five times "
                                "limits.query.nesting)",
                                CHAIN * p->depth_max);
        *out = e;
    }
    p->depth--;
    return err;
}

int promql_parse(struct slice text, const struct promql_options *options, struct arena *arena,
                 struct promql_expr **out, struct diag *diag)
{
    struct diag own;
    diag_init(&own);
    struct promql_parser p = {.options = options,
                              .depth_max = options->nesting ? options->nesting : DEPTH_MAX,
                              .arena = arena,
                              .diag = diag ? diag : &own,
                              .context = {"", ""}};
    p.lex = (struct promql_lexer){.text = text, .arena = arena, .diag = p.diag};
    int err = promql_lex(&p.lex, &p.now);
    if (!err && options->selector_only)
        err = parse_only_selector(&p, out);
    else if (!err && p.now.kind == PROMQL_T_EOF)
        err = promql__fail_at(&p, 0, 0, "no expression found in input");
    else if (!err)
        err = promql__parse_expr(&p, 0, out);
    if (!err && p.now.kind != PROMQL_T_EOF)
        err = promql__unexpected(&p);
    if (!err)
        err = promql__check(&p, *out);
    if (err)
        *out = NULL; /* its regular expressions are freed here */
    for (size_t i = 0; err && i < p.regexes.len; i++)
        text_regex_free(p.regexes.items[i]);
    vec_free(&p.regexes);
    return err;
}

void promql_error_text(const struct diag *diag, struct buf *out)
{
    if (diag->line)
        buf_printf(out, "%u:%u: parse error: %s", diag->line, diag->col, diag->msg);
    else
        buf_append_cstr(out, diag->msg);
}

void promql_matchers_free(struct store_matcher *matchers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        text_regex_free((struct text_regex *)(uintptr_t)matchers[i].regex);
        matchers[i].regex = NULL;
    }
}

void promql_expr_free(struct promql_expr *e)
{
    if (!e)
        return;
    promql_matchers_free(e->matchers, e->matcher_count);
    for (size_t i = 0; i < e->arg_count; i++)
        promql_expr_free(e->args[i]);
}

const char *promql_type(const struct promql_expr *e)
{
    static const char *const names[] = {"scalar", "vector", "matrix", "string"};
    return names[e->type];
}

int promql_parse_selector(struct slice text, struct arena *arena, struct store_matcher **out,
                          size_t *out_count, struct diag *diag)
{
    struct promql_options options = {.empty_selectors = true, .selector_only = true};
    struct promql_expr *e;
    int err = promql_parse(text, &options, arena, &e, diag);
    if (err)
        return err;
    *out = e->matchers;
    *out_count = e->matcher_count;
    return 0;
}

void promql_each_selector(const struct promql_expr *e,
                          void (*each)(void *ctx, const struct store_matcher *matchers,
                                       size_t count),
                          void *ctx)
{
    if (!e)
        return;
    if (e->kind == PROMQL_SELECTOR)
        each(ctx, e->matchers, e->matcher_count);
    for (size_t i = 0; i < e->arg_count; i++)
        promql_each_selector(e->args[i], each, ctx);
    if (e->kind == PROMQL_CALL && e->function->joins_info && e->arg_count == 1)
        each(ctx, &promql__target_info, 1);
}
