/* Text to a checked tree: precedence climbing; types are checked as nodes are made. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "lang/promql/ast.h"
#include "lang/promql/lexer.h"
#include "text/regex.h"

#define DEPTH_MAX 200

struct parser {
    struct promql_lexer lex;
    struct promql_token now; /* not yet taken */
    size_t last_end;         /* of the token taken last */
    const struct promql_options *options;
    struct arena *arena;
    struct diag *diag;
    unsigned depth;
    VEC(struct text_regex *) regexes; /* freed when the parse fails */
};

const char *promql__type_name(enum query_type type)
{
    static const char *const names[] = {"scalar", "instant vector", "range vector", "string"};
    return names[type];
}

static int fail_at(struct parser *p, size_t begin, size_t end, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static int fail_at(struct parser *p, size_t begin, size_t end, const char *fmt, ...)
{
    char msg[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    return promql_fail(p->lex.text, p->diag, begin, end, "%s", msg);
}

static int advance(struct parser *p)
{
    p->last_end = p->now.end;
    return promql_lex(&p->lex, &p->now);
}

static bool is_op(const struct parser *p, const char *op)
{
    return p->now.kind == PROMQL_T_OP && slice_eq_cstr(p->now.text, op);
}

static bool is_word(const struct parser *p, const char *word)
{
    return p->now.kind == PROMQL_T_IDENT && slice_eq_nocase(p->now.text, slice_cstr(word));
}

static int unexpected(struct parser *p, const char *context)
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
    return fail_at(p, t->begin, t->end, "unexpected %s%s%s", what, *context ? " in " : "", context);
}

static int expect_op(struct parser *p, const char *op, const char *context)
{
    if (!is_op(p, op))
        return unexpected(p, context);
    return advance(p);
}

static struct promql_expr *new_expr(struct parser *p, enum promql_kind kind, enum query_type type,
                                    size_t begin)
{
    struct promql_expr *e = ARENA_NEW(p->arena, struct promql_expr);
    e->kind = kind;
    e->type = type;
    e->begin = begin;
    promql_place(p->lex.text, begin, &e->line, &e->col);
    return e;
}

static void set_args(struct parser *p, struct promql_expr *e, struct promql_expr **args,
                     size_t count)
{
    e->args = arena_dup(p->arena, args, count * sizeof(*args));
    e->arg_count = count;
}

static int parse_expr(struct parser *p, int min_precedence, struct promql_expr **out);

/* What comes behind the word, without taking anything. */
static bool followed_by(struct parser *p, const char *const *ops)
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

static int add_matcher(struct parser *p, struct promql_expr *e, enum store_match_op op,
                       struct slice name, struct slice value, size_t begin)
{
    struct store_matcher m = {.op = op, .name = name, .value = value};
    if (op == STORE_MATCH_RE || op == STORE_MATCH_NRE) {
        struct text_regex *re;
        struct diag d;
        diag_init(&d);
        if (text_regex_compile(value, TEXT_REGEX_ANCHORED, &re, &d))
            return fail_at(p, begin, p->last_end, "%s", d.msg);
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

static int parse_matchers(struct parser *p, struct promql_expr *e)
{
    int err = expect_op(p, "{", "");
    while (!err && !is_op(p, "}")) {
        struct promql_token name = p->now;
        if (name.kind != PROMQL_T_IDENT && name.kind != PROMQL_T_STRING)
            return unexpected(p, "label matching, expected identifier or \"}\"");
        if ((err = advance(p)))
            return err;
        enum store_match_op op;
        if (is_op(p, "=")) {
            op = STORE_MATCH_EQ;
        } else if (is_op(p, "!=")) {
            op = STORE_MATCH_NE;
        } else if (is_op(p, "=~")) {
            op = STORE_MATCH_RE;
        } else if (is_op(p, "!~")) {
            op = STORE_MATCH_NRE;
        } else if (name.kind == PROMQL_T_STRING && (is_op(p, ",") || is_op(p, "}"))) {
            if (has_name(e))
                return fail_at(p, name.begin, name.end,
                               "metric name must not be set twice: \"%.*s\" or \"%.*s\"",
                               SLICE_FMT(e->name), SLICE_FMT(name.text));
            e->name = name.text;
            err = add_matcher(p, e, STORE_MATCH_EQ, SLICE(DATA_METRIC_NAME), name.text, name.begin);
            if (!err && is_op(p, ","))
                err = advance(p);
            continue;
        } else {
            return unexpected(p, "label matching, expected label matching operator");
        }
        if ((err = advance(p)))
            return err;
        if (p->now.kind != PROMQL_T_STRING)
            return unexpected(p, "label matching, expected string");
        struct slice value = p->now.text;
        if ((err = advance(p)))
            return err;
        if (slice_eq_cstr(name.text, DATA_METRIC_NAME) && e->name.len)
            return fail_at(p, e->begin, p->last_end,
                           "metric name must not be set twice: \"%.*s\" or \"%.*s\"",
                           SLICE_FMT(e->name), SLICE_FMT(value));
        err = add_matcher(p, e, op, arena_slice(p->arena, name.text), value, name.begin);
        if (!err && !is_op(p, "}"))
            err = is_op(p, ",") ? advance(p)
                                : unexpected(p, "label matching, expected \",\" or \"}\"");
    }
    return err ? err : advance(p);
}

static int parse_selector(struct parser *p, struct promql_expr **out)
{
    struct promql_expr *e = new_expr(p, PROMQL_SELECTOR, QUERY_TYPE_VECTOR, p->now.begin);
    int err = 0;
    if (p->now.kind == PROMQL_T_IDENT) {
        e->name = arena_slice(p->arena, p->now.text);
        err = add_matcher(p, e, STORE_MATCH_EQ, SLICE(DATA_METRIC_NAME), e->name, p->now.begin);
        if (!err)
            err = advance(p);
    }
    if (!err && is_op(p, "{"))
        err = parse_matchers(p, e);
    if (err)
        return err;
    e->end = p->last_end;
    bool any = false;
    for (size_t i = 0; i < e->matcher_count && !any; i++)
        any = !store_matcher_matches(&e->matchers[i], SLICE(""));
    if (!any)
        return fail_at(p, e->begin, e->end,
                       "vector selector must contain at least one non-empty matcher");
    *out = e;
    return 0;
}

static const struct {
    const char *text;
    enum query_binary_op op;
    int precedence;
} operators[] = {
    {"or", QUERY_OR, 1},         {"and", QUERY_AND, 2},     {"unless", QUERY_UNLESS, 2},
    {"==", QUERY_EQ, 3},         {"!=", QUERY_NE, 3},       {"</", QUERY_TRIM_UPPER, 3},
    {">/", QUERY_TRIM_LOWER, 3}, {"<=", QUERY_LE, 3},       {"<", QUERY_LT, 3},
    {">=", QUERY_GE, 3},         {">", QUERY_GT, 3},        {"+", QUERY_ADD, 4},
    {"-", QUERY_SUB, 4},         {"*", QUERY_MUL, 5},       {"/", QUERY_DIV, 5},
    {"%", QUERY_MOD, 5},         {"atan2", QUERY_ATAN2, 5}, {"^", QUERY_POW, 6},
};

static int find_operator(const struct parser *p)
{
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        bool word = operators[i].text[0] >= 'a';
        if (word ? is_word(p, operators[i].text) : is_op(p, operators[i].text))
            return (int)i;
    }
    return -1;
}

/* --- modifiers behind an expression --- */

static struct promql_duration *new_duration(struct parser *p, enum promql_duration_op op,
                                            size_t begin)
{
    struct promql_duration *d = ARENA_NEW(p->arena, struct promql_duration);
    d->op = op;
    d->begin = begin;
    return d;
}

static int parse_duration_expr(struct parser *p, int min_precedence, const char *context,
                               struct promql_duration **out);

/* step(), range(), min_of(a, b), max_of(a, b) */
static int parse_duration_call(struct parser *p, const char *context, struct promql_duration **out)
{
    static const struct {
        const char *name;
        enum promql_duration_op op;
        int args;
    } calls[] = {{"step", PROMQL_D_STEP, 0},
                 {"range", PROMQL_D_RANGE, 0},
                 {"min_of", PROMQL_D_MIN, 2},
                 {"max_of", PROMQL_D_MAX, 2}};
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        if (!is_word(p, calls[i].name))
            continue;
        struct promql_duration *d = new_duration(p, calls[i].op, p->now.begin);
        int err = advance(p);
        if (!err)
            err = expect_op(p, "(", context);
        for (int k = 0; k < calls[i].args && !err; k++) {
            if (k)
                err = expect_op(p, ",", context);
            if (!err)
                err = parse_duration_expr(p, 0, context, k ? &d->right : &d->left);
        }
        if (!err)
            err = expect_op(p, ")", context);
        d->end = p->last_end;
        *out = d;
        return err;
    }
    return unexpected(p, context);
}

/* With a sign in front if need be. */
static int parse_duration_unit(struct parser *p, const char *context, int sign_binds,
                               struct promql_duration **out)
{
    struct promql_duration *d;
    int err;
    if (++p->depth > DEPTH_MAX)
        return fail_at(p, p->now.begin, p->now.end,
                       "the expression is nested too deeply (%d levels at most)", DEPTH_MAX);
    if (is_op(p, "-") || is_op(p, "+")) {
        d = new_duration(p, is_op(p, "-") ? PROMQL_D_NEGATE : PROMQL_D_PLUS, p->now.begin);
        err = advance(p);
        if (!err)
            err = sign_binds ? parse_duration_expr(p, sign_binds, context, &d->left)
                             : parse_duration_unit(p, context, 0, &d->left);
    } else if (is_op(p, "(")) {
        d = new_duration(p, PROMQL_D_PAREN, p->now.begin);
        err = advance(p);
        if (!err)
            err = parse_duration_expr(p, 0, context, &d->left);
        if (!err)
            err = expect_op(p, ")", context);
    } else if (p->now.kind == PROMQL_T_NUMBER) {
        d = new_duration(p, PROMQL_D_NUMBER, p->now.begin);
        d->seconds = p->now.is_duration ? (double)p->now.duration_ns / 1e9 : p->now.number;
        d->is_duration = p->now.is_duration;
        err = advance(p);
    } else {
        err = parse_duration_call(p, context, &d);
    }
    p->depth--;
    if (err)
        return err;
    d->end = p->last_end;
    *out = d;
    return 0;
}

static int parse_duration_expr(struct parser *p, int min_precedence, const char *context,
                               struct promql_duration **out)
{
    static const enum promql_duration_op ops[] = {
        [QUERY_ADD] = PROMQL_D_ADD, [QUERY_SUB] = PROMQL_D_SUB, [QUERY_MUL] = PROMQL_D_MUL,
        [QUERY_DIV] = PROMQL_D_DIV, [QUERY_MOD] = PROMQL_D_MOD, [QUERY_POW] = PROMQL_D_POW};
    int err = parse_duration_unit(p, context, 6, out);
    while (!err) {
        int which = find_operator(p);
        if (which < 0 || operators[which].op > QUERY_POW ||
            operators[which].precedence < min_precedence)
            break;
        struct promql_duration *d = new_duration(p, ops[operators[which].op], (*out)->begin);
        d->left = *out;
        int next = operators[which].precedence + (d->op == PROMQL_D_POW ? 0 : 1);
        if ((err = advance(p)) || (err = parse_duration_expr(p, next, context, &d->right)))
            break;
        d->end = d->right->end;
        *out = d;
    }
    return err;
}

/* What can be told before the steps of the query are known. */
static int check_positive(struct parser *p, const struct promql_duration *d, size_t begin)
{
    int64_t ns;
    struct diag why;
    diag_init(&why);
    if (promql__duration_varies(d))
        return 0;
    if (promql__duration_value(d, NULL, &ns, &why))
        return fail_at(p, begin, p->last_end, "%s", why.msg);
    if (ns <= 0)
        return fail_at(p, begin, p->last_end, "duration must be greater than 0");
    return 0;
}

static int parse_range(struct parser *p, struct promql_expr **io)
{
    struct promql_expr *inner = *io;
    size_t begin = p->now.begin;
    struct promql_duration *range = NULL, *step = NULL;
    bool subquery = false;
    int err = advance(p);
    if (!err)
        err = parse_duration_expr(p, 0, "range specification, expected duration", &range);
    if (!err && is_op(p, ":")) {
        subquery = true;
        err = advance(p);
        if (!err && !is_op(p, "]"))
            err = parse_duration_expr(p, 0, "subquery selector, expected duration or \"]\"", &step);
    }
    if (!err)
        err = expect_op(p, "]", "range specification");
    if (err)
        return err;
    struct promql_expr *e =
        new_expr(p, subquery ? PROMQL_SUBQUERY : PROMQL_MATRIX, QUERY_TYPE_MATRIX, inner->begin);
    e->range = range;
    e->step = step;
    e->end = p->last_end;
    if ((err = check_positive(p, range, begin)) || (step && (err = check_positive(p, step, begin))))
        return err;
    if (subquery) {
        if (inner->type != QUERY_TYPE_VECTOR && inner->type != QUERY_TYPE_SCALAR)
            return fail_at(p, inner->begin, inner->end,
                           "subquery is only allowed on instant vector, got %s instead",
                           promql__type_name(inner->type));
        if (inner->type == QUERY_TYPE_SCALAR && inner->kind != PROMQL_PAREN &&
            inner->kind != PROMQL_CALL)
            return fail_at(p, inner->begin, inner->end,
                           "subquery is only allowed on instant vector, got scalar instead");
    } else {
        if (inner->kind != PROMQL_SELECTOR)
            return fail_at(p, inner->begin, e->end, "ranges only allowed for vector selectors");
        if (inner->offset)
            return fail_at(p, inner->begin, e->end, "no offset modifiers allowed before range");
        if (inner->at != PROMQL_AT_NONE)
            return fail_at(p, inner->begin, e->end, "no @ modifiers allowed before range");
    }
    set_args(p, e, &inner, 1);
    *io = e;
    return 0;
}

/* Where offset and @ go: the selector itself, also inside of a range. */
static struct promql_expr *timed(struct promql_expr *e)
{
    if (e->kind == PROMQL_MATRIX)
        return e->args[0];
    return e->kind == PROMQL_SELECTOR || e->kind == PROMQL_SUBQUERY ? e : NULL;
}

static int parse_offset(struct parser *p, struct promql_expr *e)
{
    size_t begin = p->now.begin;
    struct promql_duration *offset = NULL;
    int64_t ns;
    struct diag why;
    diag_init(&why);
    int err = advance(p);
    /* Operators behind it belong to the expression: an offset's own stand in parentheses. */
    if (!err)
        err = parse_duration_unit(p, "offset, expected number or duration", 0, &offset);
    if (!err && !promql__duration_varies(offset) && promql__duration_value(offset, NULL, &ns, &why))
        err = fail_at(p, begin, p->last_end, "%s", why.msg);
    if (err)
        return err;
    struct promql_expr *to = timed(e);
    if (!to)
        return fail_at(p, begin, p->last_end,
                       "offset modifier must be preceded by an instant vector selector or range "
                       "vector selector or a subquery");
    if (to->offset)
        return fail_at(p, begin, p->last_end, "offset may not be set multiple times");
    to->offset = offset;
    e->end = p->last_end;
    return 0;
}

static int parse_at(struct parser *p, struct promql_expr *e)
{
    size_t begin = p->now.begin;
    enum promql_at at = PROMQL_AT_TIME;
    double seconds = 0;
    int err = advance(p);
    if (err)
        return err;
    if (is_word(p, "start") || is_word(p, "end")) {
        at = is_word(p, "start") ? PROMQL_AT_START : PROMQL_AT_END;
        if (!(err = advance(p)) && !(err = expect_op(p, "(", "@")))
            err = expect_op(p, ")", "@");
    } else {
        bool negative = is_op(p, "-");
        if (negative || is_op(p, "+"))
            err = advance(p);
        if (!err && p->now.kind == PROMQL_T_NUMBER) {
            seconds = negative ? -p->now.number : p->now.number;
            err = advance(p);
        } else if (!err && (is_word(p, "inf") || is_word(p, "nan"))) {
            return fail_at(p, begin, p->now.end, "timestamp out of bounds for @ modifier: %.*s",
                           SLICE_FMT(p->now.text));
        } else if (!err) {
            return unexpected(p, "@, expected timestamp");
        }
    }
    if (err)
        return err;
    struct promql_expr *to = timed(e);
    if (!to)
        return fail_at(p, begin, p->last_end,
                       "@ modifier must be preceded by an instant vector selector or range vector "
                       "selector or a subquery");
    if (to->at != PROMQL_AT_NONE)
        return fail_at(p, begin, p->last_end, "@ <timestamp> may not be set multiple times");
    if (fabs(seconds) > 9.2e9)
        return fail_at(p, begin, p->last_end, "timestamp out of bounds for @ modifier: %f",
                       seconds);
    to->at = at;
    to->at_ns = (int64_t)llround(seconds * 1000) * NS_PER_MS;
    e->end = p->last_end;
    return 0;
}

/* anchored and smoothed: what lies just outside of a range counts too. */
static int parse_extended(struct parser *p, struct promql_expr *e)
{
    bool smoothed = is_word(p, "smoothed");
    const char *word = smoothed ? "smoothed" : "anchored";
    if (!p->options->experimental)
        return fail_at(p, p->now.begin, p->now.end,
                       "the modifiers anchored and smoothed are experimental and must be enabled "
                       "with promql.experimental");
    struct promql_expr *to = timed(e);
    if (!to || to->kind == PROMQL_SUBQUERY)
        return fail_at(p, e->begin, p->now.end,
                       "%s modifier can only be used with vector or range vector selectors", word);
    if (!smoothed && e->kind != PROMQL_MATRIX)
        return fail_at(p, e->begin, p->now.end,
                       "anchored modifier can only be used with range vector selectors");
    if (to->anchored || to->smoothed)
        return fail_at(p, e->begin, p->now.end,
                       "anchored and smoothed modifiers cannot be used together");
    to->smoothed = smoothed;
    to->anchored = !smoothed;
    int err = advance(p);
    e->end = p->last_end;
    return err;
}

static int parse_postfix(struct parser *p, struct promql_expr **io)
{
    int err = 0;
    while (!err) {
        if (is_op(p, "["))
            err = parse_range(p, io);
        else if (is_word(p, "offset"))
            err = parse_offset(p, *io);
        else if (is_op(p, "@"))
            err = parse_at(p, *io);
        else if (is_word(p, "anchored") || is_word(p, "smoothed"))
            err = parse_extended(p, *io);
        else
            break;
    }
    return err;
}

/* --- calls and aggregations --- */

static const struct {
    const char *name;
    enum query_aggregate aggregate;
    bool has_param, experimental;
} aggregates[] = {
    {"sum", QUERY_SUM, false, false},
    {"avg", QUERY_AVG, false, false},
    {"count", QUERY_COUNT, false, false},
    {"min", QUERY_MIN, false, false},
    {"max", QUERY_MAX, false, false},
    {"group", QUERY_GROUP, false, false},
    {"stddev", QUERY_STDDEV, false, false},
    {"stdvar", QUERY_STDVAR, false, false},
    {"topk", QUERY_TOPK, true, false},
    {"bottomk", QUERY_BOTTOMK, true, false},
    {"count_values", QUERY_COUNT_VALUES, true, false},
    {"quantile", QUERY_QUANTILE, true, false},
    {"limitk", QUERY_LIMITK, true, true},
    {"limit_ratio", QUERY_LIMIT_RATIO, true, true},
};

static int find_aggregate(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(aggregates); i++) {
        if (slice_eq_nocase(name, slice_cstr(aggregates[i].name)))
            return (int)i;
    }
    return -1;
}

static int parse_names(struct parser *p, struct slice **out, size_t *out_count)
{
    VEC(struct slice) names = {0};
    int err = expect_op(p, "(", "grouping opts");
    while (!err && !is_op(p, ")")) {
        if (p->now.kind != PROMQL_T_IDENT && p->now.kind != PROMQL_T_STRING) {
            err = unexpected(p, "grouping opts, expected label");
            break;
        }
        vec_push(&names, arena_slice(p->arena, p->now.text));
        err = advance(p);
        if (!err && !is_op(p, ")"))
            err = is_op(p, ",") ? advance(p)
                                : unexpected(p, "grouping opts, expected \",\" or \")\"");
    }
    if (!err)
        err = advance(p);
    *out = arena_dup(p->arena, names.items, names.len * sizeof(*names.items));
    *out_count = names.len;
    vec_free(&names);
    return err;
}

static int parse_args(struct parser *p, struct promql_expr *e, const char *context)
{
    VEC(struct promql_expr *) args = {0};
    int err = expect_op(p, "(", context);
    while (!err && !is_op(p, ")")) {
        struct promql_expr *arg;
        if ((err = parse_expr(p, 0, &arg)))
            break;
        vec_push(&args, arg);
        if (is_op(p, ",")) {
            size_t begin = p->now.begin;
            err = advance(p);
            if (!err && is_op(p, ")"))
                err = fail_at(p, begin, p->now.end,
                              "trailing commas not allowed in function call args");
        } else if (!is_op(p, ")")) {
            err = unexpected(p, context);
        }
    }
    if (!err)
        err = advance(p);
    set_args(p, e, args.items, args.len);
    vec_free(&args);
    e->end = p->last_end;
    return err;
}

static int parse_grouping(struct parser *p, struct promql_expr *e)
{
    if (!is_word(p, "by") && !is_word(p, "without"))
        return 0;
    if (e->has_grouping)
        return unexpected(p, "aggregation");
    e->has_grouping = true;
    e->without = is_word(p, "without");
    int err = advance(p);
    if (!err)
        err = parse_names(p, &e->grouping, &e->grouping_count);
    e->end = p->last_end;
    return err;
}

static int parse_aggregate(struct parser *p, int which, struct promql_expr **out)
{
    struct promql_expr *e = new_expr(p, PROMQL_AGGREGATE, QUERY_TYPE_VECTOR, p->now.begin);
    e->aggregate = aggregates[which].aggregate;
    int err = advance(p);
    if (!err)
        err = parse_grouping(p, e);
    if (!err)
        err = parse_args(p, e, "aggregation");
    if (!err)
        err = parse_grouping(p, e);
    if (err)
        return err;
    *out = e;
    size_t want = aggregates[which].has_param ? 2 : 1;
    if (!e->arg_count)
        return fail_at(p, e->begin, e->end, "no arguments for aggregate expression provided");
    if (e->arg_count != want)
        return fail_at(
            p, e->begin, e->end,
            "wrong number of arguments for aggregate expression provided, expected %zu, got %zu",
            want, e->arg_count);
    if (aggregates[which].experimental && !p->options->experimental)
        return fail_at(p, e->begin, e->end,
                       "%s() is experimental and must be enabled with promql.experimental",
                       aggregates[which].name);
    if (want == 2) {
        struct promql_expr *param = e->args[0];
        e->args[0] = e->args[1];
        e->args[1] = param;
        enum query_type type =
            e->aggregate == QUERY_COUNT_VALUES ? QUERY_TYPE_STRING : QUERY_TYPE_SCALAR;
        if (param->type != type)
            return fail_at(p, param->begin, param->end,
                           "expected type %s in aggregation parameter, got %s",
                           promql__type_name(type), promql__type_name(param->type));
    }
    if (e->args[0]->type != QUERY_TYPE_VECTOR)
        return fail_at(p, e->args[0]->begin, e->args[0]->end,
                       "expected type instant vector in aggregation expression, got %s",
                       promql__type_name(e->args[0]->type));
    return 0;
}

static int check_call(struct parser *p, struct promql_expr *e)
{
    const struct query_function *f = e->function;
    size_t least = (size_t)f->arg_count,
           most = f->variadic < 0 ? SIZE_MAX : least + (size_t)f->variadic;
    if (e->arg_count < least || e->arg_count > most) {
        const char *how = f->variadic ? (e->arg_count < least ? "at least " : "at most ") : "";
        size_t want = e->arg_count < least ? least : most;
        return fail_at(p, e->begin, e->end, "expected %s%zu argument(s) in call to \"%s\", got %zu",
                       how, want, f->name, e->arg_count);
    }
    for (size_t i = 0; i < e->arg_count; i++) {
        const struct promql_expr *of = timed(e->args[i]);
        if (e->args[i]->kind == PROMQL_MATRIX && (of->anchored || of->smoothed) &&
            !(of->smoothed ? f->smoothed : f->anchored))
            return fail_at(
                p, e->begin, e->end, "%s modifier can only be used with: %s - not with %s",
                of->smoothed ? "smoothed" : "anchored",
                of->smoothed ? "delta, increase, rate" : "changes, delta, increase, rate, resets",
                f->name);
        /* Optional and repeated arguments have the type behind the compulsory ones. */
        size_t slot = MIN(i, least);
        if (e->args[i]->type != f->args[slot])
            return fail_at(p, e->args[i]->begin, e->args[i]->end,
                           "expected type %s in call to function \"%s\", got %s",
                           promql__type_name(f->args[slot]), f->name,
                           promql__type_name(e->args[i]->type));
    }
    return 0;
}

static int parse_call(struct parser *p, struct promql_expr **out)
{
    struct promql_token name = p->now;
    const struct query_function *f = query_function_find(name.text);
    if (!f)
        return fail_at(p, name.begin, name.end, "unknown function with name \"%.*s\"",
                       SLICE_FMT(name.text));
    struct promql_expr *e = new_expr(p, PROMQL_CALL, f->returns, name.begin);
    e->function = f;
    int err = advance(p);
    if (!err)
        err = parse_args(p, e, "function call");
    if (!err && f->experimental && !p->options->experimental)
        err = fail_at(p, name.begin, name.end, "function \"%s\" is not enabled", f->name);
    if (!err)
        err = check_call(p, e);
    *out = e;
    return err;
}

/* --- primaries --- */

static int parse_primary(struct parser *p, struct promql_expr **out)
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
        e = new_expr(p, PROMQL_NUMBER, QUERY_TYPE_SCALAR, t.begin);
        e->number = t.number;
        e->is_duration = t.is_duration;
        e->end = t.end;
        *out = e;
        return advance(p);
    case PROMQL_T_STRING:
        e = new_expr(p, PROMQL_STRING, QUERY_TYPE_STRING, t.begin);
        e->string = t.text;
        e->end = t.end;
        *out = e;
        return advance(p);
    case PROMQL_T_IDENT: {
        int which = find_aggregate(t.text);
        if (which >= 0 && followed_by(p, aggregate))
            return parse_aggregate(p, which, out);
        if (followed_by(p, call))
            return parse_call(p, out);
        if (slice_eq_nocase(t.text, SLICE("inf")) || slice_eq_nocase(t.text, SLICE("nan"))) {
            e = new_expr(p, PROMQL_NUMBER, QUERY_TYPE_SCALAR, t.begin);
            e->number = (t.text.ptr[0] | 32) == 'i' ? INFINITY : NAN;
            e->end = t.end;
            *out = e;
            return advance(p);
        }
        for (size_t i = 0; i < ARRAY_LEN(never_names); i++) {
            if (slice_eq_nocase(t.text, slice_cstr(never_names[i])))
                return fail_at(p, t.begin, t.end, "unexpected <%s>", never_names[i]);
        }
        return parse_selector(p, out);
    }
    case PROMQL_T_OP:
        if (is_op(p, "{"))
            return parse_selector(p, out);
        if (is_op(p, "(")) {
            struct promql_expr *inner;
            if ((err = advance(p)) || (err = parse_expr(p, 0, &inner)))
                return err;
            if (!is_op(p, ")"))
                return p->now.kind == PROMQL_T_EOF
                           ? fail_at(p, t.begin, p->now.end, "unclosed left parenthesis")
                           : unexpected(p, "");
            e = new_expr(p, PROMQL_PAREN, inner->type, t.begin);
            set_args(p, e, &inner, 1);
            err = advance(p);
            e->end = p->last_end;
            *out = e;
            return err;
        }
        break;
    case PROMQL_T_EOF:
        if (!slice_trim(p->lex.text).len)
            return fail_at(p, 0, 0, "no expression found in input");
        break;
    }
    return unexpected(p, "");
}

static int parse_unary(struct parser *p, struct promql_expr **out)
{
    if (!is_op(p, "+") && !is_op(p, "-")) {
        int err = parse_primary(p, out);
        return err ? err : parse_postfix(p, out);
    }
    struct promql_expr *inner, *e = new_expr(p, PROMQL_UNARY, QUERY_TYPE_SCALAR, p->now.begin);
    e->negative = is_op(p, "-");
    int err = advance(p);
    /* As tight as multiplication: -1^2 is -(1^2), -1*2 is (-1)*2. */
    if (!err)
        err = parse_expr(p, 6, &inner);
    if (err)
        return err;
    if (inner->type != QUERY_TYPE_SCALAR && inner->type != QUERY_TYPE_VECTOR)
        return fail_at(p, inner->begin, inner->end,
                       "unary expression only allowed on expressions of type scalar or instant "
                       "vector, got \"%s\"",
                       promql__type_name(inner->type));
    e->type = inner->type;
    e->end = inner->end;
    set_args(p, e, &inner, 1);
    *out = e;
    return 0;
}

/* --- binary operators --- */

static int parse_fill(struct parser *p, struct promql_expr *e)
{
    static const char *const paren[] = {"(", NULL};
    while ((is_word(p, "fill") || is_word(p, "fill_left") || is_word(p, "fill_right")) &&
           followed_by(p, paren)) {
        bool left = !is_word(p, "fill_right"), right = !is_word(p, "fill_left"), negative = false;
        if (!p->options->experimental)
            return fail_at(
                p, p->now.begin, p->now.end,
                "the fill modifiers are experimental and must be enabled with promql.experimental");
        int err = advance(p);
        if (!err)
            err = expect_op(p, "(", "fill modifier");
        if (!err && (is_op(p, "-") || is_op(p, "+"))) {
            negative = is_op(p, "-");
            err = advance(p);
        }
        if (err)
            return err;
        double v;
        if (p->now.kind == PROMQL_T_NUMBER)
            v = p->now.number;
        else if (is_word(p, "inf") || is_word(p, "nan"))
            v = is_word(p, "inf") ? INFINITY : NAN;
        else
            return unexpected(p, "fill modifier, expected number");
        v = negative ? -v : v;
        if ((err = advance(p)) || (err = expect_op(p, ")", "fill modifier")))
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

static int parse_matching(struct parser *p, struct promql_expr *e)
{
    int err = 0;
    if (is_word(p, "bool")) {
        e->return_bool = true;
        if ((err = advance(p)))
            return err;
    }
    if (is_word(p, "on") || is_word(p, "ignoring")) {
        e->has_matching = true;
        e->on = is_word(p, "on");
        if ((err = advance(p)) || (err = parse_names(p, &e->matching, &e->matching_count)))
            return err;
        if (is_word(p, "group_left") || is_word(p, "group_right")) {
            e->has_group = true;
            e->cardinality = is_word(p, "group_left") ? QUERY_MANY_TO_ONE : QUERY_ONE_TO_MANY;
            if ((err = advance(p)))
                return err;
            if (is_op(p, "("))
                err = parse_names(p, &e->include, &e->include_count);
        }
    }
    return err ? err : parse_fill(p, e);
}

static int check_binary(struct parser *p, struct promql_expr *e)
{
    enum query_type l = e->args[0]->type, r = e->args[1]->type;
    bool comparison = e->op >= QUERY_EQ && e->op <= QUERY_GE, set = e->op >= QUERY_AND;
    for (int i = 0; i < 2; i++) {
        if (e->args[i]->type != QUERY_TYPE_SCALAR && e->args[i]->type != QUERY_TYPE_VECTOR)
            return fail_at(p, e->args[i]->begin, e->args[i]->end,
                           "binary expression must contain only scalar and instant vector types");
    }
    if (e->return_bool && !comparison)
        return fail_at(p, e->begin, e->end,
                       "bool modifier can only be used on comparison operators");
    if (comparison && !e->return_bool && l == QUERY_TYPE_SCALAR && r == QUERY_TYPE_SCALAR)
        return fail_at(p, e->begin, e->end, "comparisons between scalars must use BOOL modifier");
    if (set && (l == QUERY_TYPE_SCALAR || r == QUERY_TYPE_SCALAR))
        return fail_at(p, e->begin, e->end,
                       "set operator \"%s\" not allowed in binary scalar expression",
                       e->op == QUERY_AND  ? "and"
                       : e->op == QUERY_OR ? "or"
                                           : "unless");
    if (set && e->has_group)
        return fail_at(p, e->begin, e->end, "no grouping allowed for \"%s\" operation",
                       e->op == QUERY_AND  ? "and"
                       : e->op == QUERY_OR ? "or"
                                           : "unless");
    if (set && (e->has_fill_left || e->has_fill_right))
        return fail_at(p, e->begin, e->end,
                       "filling in missing series not allowed for set operators");
    if ((l != QUERY_TYPE_VECTOR || r != QUERY_TYPE_VECTOR) && (e->matching_count || e->has_group))
        return fail_at(p, e->begin, e->end, "vector matching only allowed between instant vectors");
    for (size_t i = 0; e->on && i < e->include_count; i++) {
        for (size_t k = 0; k < e->matching_count; k++) {
            if (slice_eq(e->include[i], e->matching[k]))
                return fail_at(p, e->begin, e->end,
                               "label \"%.*s\" must not occur in ON and GROUP clause at once",
                               SLICE_FMT(e->include[i]));
        }
    }
    e->type =
        l == QUERY_TYPE_SCALAR && r == QUERY_TYPE_SCALAR ? QUERY_TYPE_SCALAR : QUERY_TYPE_VECTOR;
    return 0;
}

static int parse_expr(struct parser *p, int min_precedence, struct promql_expr **out)
{
    if (++p->depth > DEPTH_MAX)
        return fail_at(p, p->now.begin, p->now.end,
                       "the expression is nested too deeply (%d levels at most)", DEPTH_MAX);
    int err = parse_unary(p, out);
    while (!err) {
        int which = find_operator(p);
        if (which < 0 || operators[which].precedence < min_precedence ||
            !operators[which].precedence)
            break;
        struct promql_expr *sides[2] = {*out, NULL};
        struct promql_expr *e = new_expr(p, PROMQL_BINARY, QUERY_TYPE_SCALAR, (*out)->begin);
        e->op = operators[which].op;
        e->cardinality = e->op >= QUERY_AND ? QUERY_MANY_TO_MANY : QUERY_ONE_TO_ONE;
        int next = operators[which].precedence + (e->op == QUERY_POW ? 0 : 1);
        if ((err = advance(p)) || (err = parse_matching(p, e)) ||
            (err = parse_expr(p, next, &sides[1])))
            break;
        set_args(p, e, sides, 2);
        e->end = sides[1]->end;
        err = check_binary(p, e);
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
    struct parser p = {.options = options, .arena = arena, .diag = diag ? diag : &own};
    p.lex = (struct promql_lexer){.text = text, .arena = arena, .diag = p.diag};
    int err = promql_lex(&p.lex, &p.now);
    if (!err)
        err = parse_expr(&p, 0, out);
    if (!err && p.now.kind != PROMQL_T_EOF)
        err = unexpected(&p, "");
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
    struct promql_options options = {0};
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
