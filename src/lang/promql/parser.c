/* Text to a checked tree: precedence climbing; types are checked as nodes are made. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "lang/promql/parser.h"
#include "text/regex.h"

#define CHAIN_MAX 1000 /* a + b + ...: as deep a tree, which is walked recursively */

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

int promql__unexpected(struct promql_parser *p, const char *context)
{
    const struct promql_token *t = &p->now;
    char what[160];
    switch (t->kind) {
    case PROMQL_T_EOF: snprintf(what, sizeof(what), "end of input"); break;
    case PROMQL_T_NUMBER:
        snprintf(
            what, sizeof(what), "number \"%.*s\"",
            SLICE_FMT(slice_first(slice_make(p->lex.text.ptr + t->begin, t->end - t->begin), 80)));
        break;
    case PROMQL_T_STRING:
        snprintf(what, sizeof(what), "string \"%.*s\"", SLICE_FMT(slice_first(t->text, 80)));
        break;
    case PROMQL_T_IDENT:
        snprintf(what, sizeof(what), "identifier \"%.*s\"", SLICE_FMT(slice_first(t->text, 80)));
        break;
    default: snprintf(what, sizeof(what), "\"%.*s\"", SLICE_FMT(t->text)); break;
    }
    return promql__fail_at(p, t->begin, t->end, "unexpected %s%s%s", what, *context ? " in " : "",
                           context);
}

int promql__expect_op(struct promql_parser *p, const char *op, const char *context)
{
    if (!promql__is_op(p, op))
        return promql__unexpected(p, context);
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

static bool has_name(const struct promql_expr *e)
{
    for (size_t i = 0; i < e->matcher_count; i++) {
        if (slice_eq_cstr(e->matchers[i].name, DATA_METRIC_NAME) &&
            e->matchers[i].op == STORE_MATCH_EQ)
            return true;
    }
    return false;
}

static int parse_matchers(struct promql_parser *p, struct promql_expr *e)
{
    int err = promql__expect_op(p, "{", "");
    while (!err && !promql__is_op(p, "}")) {
        struct promql_token name = p->now;
        if (name.kind != PROMQL_T_IDENT && name.kind != PROMQL_T_STRING)
            return promql__unexpected(p, "label matching, expected identifier or \"}\"");
        if ((err = promql__advance(p)))
            return err;
        enum store_match_op op;
        if (promql__is_op(p, "=")) {
            op = STORE_MATCH_EQ;
        } else if (promql__is_op(p, "!=")) {
            op = STORE_MATCH_NE;
        } else if (promql__is_op(p, "=~")) {
            op = STORE_MATCH_RE;
        } else if (promql__is_op(p, "!~")) {
            op = STORE_MATCH_NRE;
        } else if (name.kind == PROMQL_T_STRING &&
                   (promql__is_op(p, ",") || promql__is_op(p, "}"))) {
            if (has_name(e))
                return promql__fail_at(p, name.begin, name.end,
                                       "metric name must not be set twice: \"%.*s\" or \"%.*s\"",
                                       SLICE_FMT(e->name), SLICE_FMT(name.text));
            e->name = name.text;
            e->name_inside = true;
            err = promql__add_matcher(p, e, STORE_MATCH_EQ, SLICE(DATA_METRIC_NAME), name.text,
                                      name.begin);
            if (!err && promql__is_op(p, ","))
                err = promql__advance(p);
            continue;
        } else {
            return promql__unexpected(p, "label matching, expected label matching operator");
        }
        if ((err = promql__advance(p)))
            return err;
        if (p->now.kind != PROMQL_T_STRING)
            return promql__unexpected(p, "label matching, expected string");
        struct slice value = p->now.text;
        if ((err = promql__advance(p)))
            return err;
        if (slice_eq_cstr(name.text, DATA_METRIC_NAME) && e->name.len)
            return promql__fail_at(p, e->begin, p->last_end,
                                   "metric name must not be set twice: \"%.*s\" or \"%.*s\"",
                                   SLICE_FMT(e->name), SLICE_FMT(value));
        err = promql__add_matcher(p, e, op, arena_slice(p->arena, name.text), value, name.begin);
        if (!err && !promql__is_op(p, "}"))
            err = promql__is_op(p, ",")
                      ? promql__advance(p)
                      : promql__unexpected(p, "label matching, expected \",\" or \"}\"");
    }
    return err ? err : promql__advance(p);
}

static int parse_selector(struct promql_parser *p, struct promql_expr **out)
{
    struct promql_expr *e = promql__new_expr(p, PROMQL_SELECTOR, QUERY_TYPE_VECTOR, p->now.begin);
    bool any = p->labels_only;
    int err = 0;
    p->labels_only = false;
    if (p->now.kind == PROMQL_T_IDENT) {
        e->name = arena_slice(p->arena, p->now.text);
        err = promql__add_matcher(p, e, STORE_MATCH_EQ, SLICE(DATA_METRIC_NAME), e->name,
                                  p->now.begin);
        if (!err)
            err = promql__advance(p);
    }
    if (!err && promql__is_op(p, "{"))
        err = parse_matchers(p, e);
    if (err)
        return err;
    e->end = p->last_end;
    for (size_t i = 0; i < e->matcher_count && !any; i++)
        any = !store_matcher_matches(&e->matchers[i], SLICE(""));
    if (!any && !p->options->empty_selectors)
        return promql__fail_at(p, e->begin, e->end,
                               "vector selector must contain at least one non-empty matcher");
    *out = e;
    return 0;
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

static int parse_primary(struct promql_parser *p, struct promql_expr **out)
{
    static const char *const call[] = {"(", NULL},
                             *const aggregate[] = {"(", "by", "without", NULL},
                             *const never_names[] = {"bool", "on", "ignoring", "group_left",
                                                     "group_right"};
    struct promql_token t = p->now;
    struct promql_expr *e;
    int err;
    switch (t.kind) {
    case PROMQL_T_NUMBER:
        e = promql__new_expr(p, PROMQL_NUMBER, QUERY_TYPE_SCALAR, t.begin);
        e->number = t.number;
        e->is_duration = t.is_duration;
        e->end = t.end;
        *out = e;
        return promql__advance(p);
    case PROMQL_T_STRING:
        e = promql__new_expr(p, PROMQL_STRING, QUERY_TYPE_STRING, t.begin);
        e->string = t.text;
        e->end = t.end;
        *out = e;
        return promql__advance(p);
    case PROMQL_T_IDENT: {
        int which = promql__find_aggregate(t.text);
        if (which >= 0 && promql__followed_by(p, aggregate))
            return promql__parse_aggregate(p, which, out);
        if (promql__followed_by(p, call))
            return promql__parse_call(p, out);
        if (slice_eq_nocase(t.text, SLICE("inf")) || slice_eq_nocase(t.text, SLICE("nan"))) {
            e = promql__new_expr(p, PROMQL_NUMBER, QUERY_TYPE_SCALAR, t.begin);
            e->number = (t.text.ptr[0] | 32) == 'i' ? INFINITY : NAN;
            e->end = t.end;
            *out = e;
            return promql__advance(p);
        }
        for (size_t i = 0; i < ARRAY_LEN(never_names); i++) {
            if (slice_eq_nocase(t.text, slice_cstr(never_names[i])))
                return promql__fail_at(p, t.begin, t.end, "unexpected <%s>", never_names[i]);
        }
        return parse_selector(p, out);
    }
    case PROMQL_T_OP:
        if (promql__is_op(p, "{"))
            return parse_selector(p, out);
        if (promql__is_op(p, "(")) {
            struct promql_expr *inner;
            if ((err = promql__advance(p)) || (err = promql__parse_expr(p, 0, &inner)))
                return err;
            if (!promql__is_op(p, ")"))
                return p->now.kind == PROMQL_T_EOF
                           ? promql__fail_at(p, t.begin, p->now.end, "unclosed left parenthesis")
                           : promql__unexpected(p, "");
            e = promql__new_expr(p, PROMQL_PAREN, inner->type, t.begin);
            promql__set_args(p, e, &inner, 1);
            err = promql__advance(p);
            e->end = p->last_end;
            *out = e;
            return err;
        }
        break;
    case PROMQL_T_EOF:
        if (!slice_trim(p->lex.text).len)
            return promql__fail_at(p, 0, 0, "no expression found in input");
        break;
    }
    return promql__unexpected(p, "");
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
    if (inner->type != QUERY_TYPE_SCALAR && inner->type != QUERY_TYPE_VECTOR)
        return promql__fail_at(
            p, inner->begin, inner->end,
            "unary expression only allowed on expressions of type scalar or instant "
            "vector, got \"%s\"",
            promql__type_name(inner->type));
    e->type = inner->type;
    e->end = inner->end;
    promql__set_args(p, e, &inner, 1);
    *out = e;
    return 0;
}

/* --- binary operators --- */

static int parse_fill(struct promql_parser *p, struct promql_expr *e)
{
    static const char *const paren[] = {"(", NULL};
    while ((promql__is_word(p, "fill") || promql__is_word(p, "fill_left") ||
            promql__is_word(p, "fill_right")) &&
           promql__followed_by(p, paren)) {
        bool left = !promql__is_word(p, "fill_right"), right = !promql__is_word(p, "fill_left"),
             negative = false;
        if (!p->options->experimental)
            return promql__fail_at(
                p, p->now.begin, p->now.end,
                "the fill modifiers are experimental and must be enabled with promql.experimental");
        int err = promql__advance(p);
        if (!err)
            err = promql__expect_op(p, "(", "fill modifier");
        if (!err && (promql__is_op(p, "-") || promql__is_op(p, "+"))) {
            negative = promql__is_op(p, "-");
            err = promql__advance(p);
        }
        if (err)
            return err;
        double v;
        if (p->now.kind == PROMQL_T_NUMBER)
            v = p->now.number;
        else if (promql__is_word(p, "inf") || promql__is_word(p, "nan"))
            v = promql__is_word(p, "inf") ? INFINITY : NAN;
        else
            return promql__unexpected(p, "fill modifier, expected number");
        v = negative ? -v : v;
        if ((err = promql__advance(p)) || (err = promql__expect_op(p, ")", "fill modifier")))
            return err;
        if (left) {
            e->has_fill_left = true;
            e->fill_left = v;
        }
        if (right) {
            e->has_fill_right = true;
            e->fill_right = v;
        }
    }
    return 0;
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
            if (promql__is_op(p, "("))
                err = promql__parse_names(p, &e->include, &e->include_count);
        }
    }
    return err ? err : parse_fill(p, e);
}

static int check_binary(struct promql_parser *p, struct promql_expr *e)
{
    enum query_type l = e->args[0]->type, r = e->args[1]->type;
    bool comparison = e->op >= QUERY_EQ && e->op <= QUERY_GE, set = e->op >= QUERY_AND;
    for (int i = 0; i < 2; i++) {
        if (e->args[i]->type != QUERY_TYPE_SCALAR && e->args[i]->type != QUERY_TYPE_VECTOR)
            return promql__fail_at(
                p, e->args[i]->begin, e->args[i]->end,
                "binary expression must contain only scalar and instant vector types");
    }
    size_t at = e->args[0]->end; /* of the operator, where Prometheus points at */
    while (at < e->args[1]->begin && strchr(" \t\r\n", p->lex.text.ptr[at]))
        at++;
    if (e->return_bool && !comparison)
        return promql__fail_at(p, at, e->args[1]->begin,
                               "bool modifier can only be used on comparison operators");
    if (comparison && !e->return_bool && l == QUERY_TYPE_SCALAR && r == QUERY_TYPE_SCALAR)
        return promql__fail_at(p, at, e->args[1]->begin,
                               "comparisons between scalars must use BOOL modifier");
    if (set && (l == QUERY_TYPE_SCALAR || r == QUERY_TYPE_SCALAR))
        return promql__fail_at(p, e->begin, e->end,
                               "set operator \"%s\" not allowed in binary scalar expression",
                               e->op == QUERY_AND  ? "and"
                               : e->op == QUERY_OR ? "or"
                                                   : "unless");
    if (set && e->has_group)
        return promql__fail_at(p, e->begin, e->end, "no grouping allowed for \"%s\" operation",
                               e->op == QUERY_AND  ? "and"
                               : e->op == QUERY_OR ? "or"
                                                   : "unless");
    if (set && (e->has_fill_left || e->has_fill_right))
        return promql__fail_at(p, e->begin, e->end,
                               "filling in missing series not allowed for set operators");
    if ((l != QUERY_TYPE_VECTOR || r != QUERY_TYPE_VECTOR) && (e->matching_count || e->has_group))
        return promql__fail_at(p, e->begin, e->end,
                               "vector matching only allowed between instant vectors");
    for (size_t i = 0; e->on && i < e->include_count; i++) {
        for (size_t k = 0; k < e->matching_count; k++) {
            if (slice_eq(e->include[i], e->matching[k]))
                return promql__fail_at(
                    p, e->begin, e->end,
                    "label \"%.*s\" must not occur in ON and GROUP clause at once",
                    SLICE_FMT(e->include[i]));
        }
    }
    e->type =
        l == QUERY_TYPE_SCALAR && r == QUERY_TYPE_SCALAR ? QUERY_TYPE_SCALAR : QUERY_TYPE_VECTOR;
    return 0;
}

int promql__parse_expr(struct promql_parser *p, int min_precedence, struct promql_expr **out)
{
    if (++p->depth > PROMQL__DEPTH_MAX)
        return promql__fail_at(p, p->now.begin, p->now.end,
                               "the expression is nested too deeply (%d levels at most)",
                               PROMQL__DEPTH_MAX);
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
        err = e->depth > CHAIN_MAX
                  ? promql__fail_at(p, e->begin, e->end,
                                    "the expression chains too many operators (%d at most)",
                                    CHAIN_MAX)
                  : check_binary(p, e);
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
    struct promql_parser p = {.options = options, .arena = arena, .diag = diag ? diag : &own};
    p.lex = (struct promql_lexer){.text = text, .arena = arena, .diag = p.diag};
    int err = promql_lex(&p.lex, &p.now);
    if (!err)
        err = promql__parse_expr(&p, 0, out);
    if (!err && p.now.kind != PROMQL_T_EOF)
        err = promql__unexpected(&p, "");
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
    struct promql_options options = {.empty_selectors = true};
    struct promql_expr *e;
    int err = promql_parse(text, &options, arena, &e, diag);
    if (err)
        return err;
    if (e->kind != PROMQL_SELECTOR || e->offset || e->at != PROMQL_AT_NONE) {
        promql_expr_free(e);
        return promql_fail(text, diag, 0, text.len,
                           "a series selector is expected, like up{job=\"x\"}");
    }
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
}
