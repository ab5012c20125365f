/* Expressions: selectors, aggregations, operators. Stages of a pipeline are in parser_stage.c. */
#include "lang/logql/parser.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "codec/number.h"
#include "lang/logql/line.h"

const char *const logql__range_names[LOGQL_RANGE_OP_COUNT] = {
    "rate",
    "rate_counter",
    "count_over_time",
    "bytes_rate",
    "bytes_over_time",
    "avg_over_time",
    "sum_over_time",
    "min_over_time",
    "max_over_time",
    "stdvar_over_time",
    "stddev_over_time",
    "quantile_over_time",
    "first_over_time",
    "last_over_time",
    "absent_over_time",
};

const struct logql_aggregate logql__aggregates[] = {
    {"sum", QUERY_SUM, NULL, false},
    {"avg", QUERY_AVG, NULL, false},
    {"count", QUERY_COUNT, NULL, false},
    {"min", QUERY_MIN, NULL, false},
    {"max", QUERY_MAX, NULL, false},
    {"stddev", QUERY_STDDEV, NULL, false},
    {"stdvar", QUERY_STDVAR, NULL, false},
    {"topk", QUERY_TOPK, NULL, true},
    {"bottomk", QUERY_BOTTOMK, NULL, true},
    {"approx_topk", QUERY_TOPK, NULL, true},
    {"sort", -1, "sort", false},
    {"sort_desc", -1, "sort_desc", false},
    {NULL, 0, NULL, false},
};

/* --- words --- */

int logql__advance(struct logql_parser *p)
{
    return logql_lex(&p->lex, &p->now);
}

bool logql__is_op(const struct logql_parser *p, const char *op)
{
    return p->now.kind == LOGQL_T_OP && slice_eq_cstr(p->now.text, op);
}

bool logql__is_word(const struct logql_parser *p, const char *word)
{
    return p->now.kind == LOGQL_T_IDENT && slice_eq_cstr(p->now.text, word);
}

struct logql_token logql__peek(const struct logql_parser *p)
{
    struct logql_lexer l = p->lex;
    struct logql_token t;
    l.diag = NULL;
    if (logql_lex(&l, &t))
        t = (struct logql_token){.kind = LOGQL_T_EOF};
    return t;
}

bool logql__peek_op(const struct logql_parser *p, const char *op)
{
    struct logql_token t = logql__peek(p);
    return t.kind == LOGQL_T_OP && slice_eq_cstr(t.text, op);
}

static bool is_keyword(struct slice word)
{
    static const char *const keywords[] = {
        "by",          "without",     "bool",         "on",     "ignoring", "group_left",
        "group_right", "or",          "and",          "unless", "json",     "regexp",
        "logfmt",      "line_format", "label_format", "unpack", "pattern",  "decolorize",
        "drop",        "keep",        "unwrap",       "offset"};
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
        if (slice_eq_cstr(word, keywords[i]))
            return true;
    }
    return false;
}

int logql__unexpected(struct logql_parser *p, const char *expected)
{
    char what[80];
    const struct logql_token *t = &p->now;
    static const char *const kinds[] = {"$end",  "IDENTIFIER", "STRING",      "NUMBER", "DURATION",
                                        "BYTES", "RANGE",      "PARSER_FLAG", ""};
    bool as_is = t->kind == LOGQL_T_OP || (t->kind == LOGQL_T_IDENT && is_keyword(t->text)) ||
                 (logql__is_word(p, "ip") && logql__peek_op(p, "("));
    struct slice name = as_is ? t->text : slice_cstr(kinds[t->kind]);
    snprintf(what, sizeof(what), "%.*s", SLICE_FMT(name));
    return logql_fail(p->lex.text, p->diag, t->begin, "syntax error: unexpected %s%s%s", what,
                      expected ? ", expecting " : "", expected ? expected : "");
}

int logql__fail(struct logql_parser *p, const char *fmt, ...)
{
    char msg[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    return diag_set(p->diag, ERR_INVALID, "%s", msg);
}

int logql__expect_op(struct logql_parser *p, const char *op, const char *expected)
{
    if (!logql__is_op(p, op))
        return logql__unexpected(p, expected);
    return logql__advance(p);
}

int logql__expect_string(struct logql_parser *p, struct slice *out, const char *expected)
{
    if (p->now.kind != LOGQL_T_STRING)
        return logql__unexpected(p, expected);
    *out = p->now.text;
    return logql__advance(p);
}

bool logql__at_name(const struct logql_parser *p)
{
    return p->now.kind == LOGQL_T_IDENT || p->now.kind == LOGQL_T_STRING;
}

static int parse_raw_name(struct logql_parser *p, struct slice *out)
{
    struct slice text = p->lex.text;
    if (!logql__at_name(p) || !p->now.text.len)
        return logql__unexpected(p, "IDENTIFIER");
    *out = p->now.text;
    if (p->now.kind == LOGQL_T_STRING)
        return logql__advance(p);
    size_t begin = p->now.begin, end = p->now.end;
    /* k8s.pod.name: without spaces between */
    while (end + 1 < text.len && text.ptr[end] == '.') {
        int err = logql__advance(p);
        if (err || !logql__is_op(p, "."))
            return err ? err : logql__unexpected(p, NULL);
        err = logql__advance(p);
        if (err || p->now.kind != LOGQL_T_IDENT || p->now.begin != end + 1)
            return err ? err : logql__unexpected(p, "IDENTIFIER");
        end = p->now.end;
        *out = slice_make(text.ptr + begin, end - begin);
    }
    return logql__advance(p);
}

int logql__parse_name(struct logql_parser *p, struct slice *out)
{
    int err = parse_raw_name(p, out);
    if (!err)
        *out = logql_sanitize(p->arena, *out);
    return err;
}

int logql__parse_number(struct logql_parser *p, double *out, struct slice *text)
{
    size_t begin = p->now.begin;
    double sign = logql__is_op(p, "-") ? -1 : 1;
    if (logql__is_op(p, "-") || logql__is_op(p, "+")) {
        int err = logql__advance(p);
        if (err)
            return err;
    }
    if (p->now.kind != LOGQL_T_NUMBER)
        return logql__unexpected(p, "NUMBER");
    *out = sign * p->now.number;
    if (text)
        *text = slice_make(p->lex.text.ptr + begin, p->now.end - begin);
    return logql__advance(p);
}

int logql__compile(struct logql_parser *p, struct slice pattern, unsigned flags,
                   struct text_regex **out, struct diag *diag)
{
    int err = text_regex_compile(pattern, flags, out, diag);
    if (!err)
        vec_push(&p->regexes, *out);
    return err;
}

int logql__enter(struct logql_parser *p)
{
    if (++p->depth > LOGQL__DEPTH_MAX)
        return logql__fail(p, "the query is nested deeper than %d levels", LOGQL__DEPTH_MAX);
    return 0;
}

static struct logql_expr *new_expr(struct logql_parser *p, enum logql_kind kind, size_t begin)
{
    struct logql_expr *e = ARENA_NEW(p->arena, struct logql_expr);
    e->kind = kind;
    e->begin = begin;
    logql_place(p->lex.text, begin, &e->line, &e->col);
    return e;
}

/* --- selectors --- */

int logql__parse_matcher_value(struct logql_parser *p, struct slice name, struct store_matcher *out)
{
    static const char *const ops[] = {"=", "!=", "=~", "!~"};
    int op = -1, err;
    for (int i = 0; i < 4; i++) {
        if (logql__is_op(p, ops[i]))
            op = i;
    }
    if (op < 0)
        return logql__unexpected(p, "= or =~ or !~ or !=");
    *out = (struct store_matcher){.op = (enum store_match_op)op, .name = name};
    if ((err = logql__advance(p)) || (err = logql__expect_string(p, &out->value, "STRING")))
        return err;
    if (op >= STORE_MATCH_RE) {
        struct text_regex *regex;
        struct diag d;
        diag_init(&d);
        if (logql__compile(p, out->value, TEXT_REGEX_ANCHORED, &regex, &d))
            return logql__fail(p, "%s", d.msg);
        out->regex = regex;
    }
    return 0;
}

static int parse_selector(struct logql_parser *p, struct logql_expr **out)
{
    VEC(struct store_matcher) matchers = {0};
    struct logql_expr *e = new_expr(p, LOGQL_LOG, p->now.begin);
    int err = logql__expect_op(p, "{", "{");
    while (!err && !logql__is_op(p, "}")) {
        struct store_matcher m;
        struct slice name;
        if (!logql__at_name(p))
            err = logql__unexpected(p, matchers.len ? "IDENTIFIER" : "IDENTIFIER or }");
        if (err || (err = parse_raw_name(p, &name)) ||
            (err = logql__parse_matcher_value(p, name, &m)))
            break;
        vec_push(&matchers, m);
        if (logql__is_op(p, "}"))
            break;
        if (!logql__is_op(p, ","))
            err = logql__unexpected(p, "} or ,");
        else if (!(err = logql__advance(p)) && logql__is_op(p, "}"))
            err = logql__unexpected(p, "IDENTIFIER");
    }
    e->matcher_count = matchers.len;
    e->matchers = arena_dup(p->arena, matchers.items, matchers.len * sizeof(*matchers.items));
    vec_free(&matchers);
    e->end = p->now.end;
    *out = e;
    return err ? err : logql__advance(p);
}

static int parse_stages(struct logql_parser *p, struct logql_expr *e)
{
    struct logql_stage **tail = &e->stages;
    int err = 0;
    while (*tail)
        tail = &(*tail)->next;
    while (!err && logql__at_stage(p))
        err = logql__parse_stage(p, &tail);
    return err;
}

/* --- aggregations over ranges of a log --- */

static int parse_unwrap(struct logql_parser *p, struct logql_expr *range)
{
    static const struct {
        const char *name;
        enum logql_convert convert;
    } conversions[] = {{"duration", LOGQL_CONVERT_DURATION},
                       {"duration_seconds", LOGQL_CONVERT_DURATION},
                       {"bytes", LOGQL_CONVERT_BYTES}};
    struct logql_unwrap *u = ARENA_NEW(p->arena, struct logql_unwrap);
    int err = logql__advance(p); /* | */
    if (!err)
        err = logql__advance(p); /* unwrap */
    if (!err && p->now.kind == LOGQL_T_IDENT && logql__peek_op(p, "(")) {
        size_t i = 0;
        while (i < ARRAY_LEN(conversions) && !logql__is_word(p, conversions[i].name))
            i++;
        if (i == ARRAY_LEN(conversions))
            return logql__unexpected(p, "IDENTIFIER or BYTES_CONV or DURATION_CONV or "
                                        "DURATION_SECONDS_CONV");
        u->convert = conversions[i].convert;
        u->convert_name = p->now.text;
        if ((err = logql__advance(p)) || (err = logql__advance(p)) ||
            (err = logql__parse_name(p, &u->name)))
            return err;
        err = logql__expect_op(p, ")", ")");
    } else if (!err) {
        err = logql__parse_name(p, &u->name);
    }
    struct logql_stage **tail = &u->filters;
    while (!err && logql__is_op(p, "|")) {
        err = logql__parse_stage(p, &tail);
        if (!err && u->filters) {
            struct logql_stage *last = u->filters;
            while (last->next)
                last = last->next;
            if (last->kind != LOGQL_STAGE_LABEL_FILTER)
                return logql__fail(p, "only label filters may stand behind unwrap");
        }
    }
    range->unwrap = u;
    return err;
}

/* What stands between the parentheses of rate(...): a selector with stages, range, offset and
 * unwrap, in either order and maybe in parentheses of its own. */
static int parse_log_range(struct logql_parser *p, struct logql_expr *range)
{
    int err = logql__enter(p);
    if (err)
        return err;
    if (logql__is_op(p, "(")) {
        if ((err = logql__advance(p)) || (err = parse_log_range(p, range)))
            return err;
        err = logql__expect_op(p, ")", range->range_ns ? ")" : NULL);
    } else {
        err = parse_selector(p, &range->args[0]);
    }
    while (!err) {
        if (p->now.kind == LOGQL_T_RANGE && !range->range_ns) {
            range->range_ns = p->now.ns;
            err = logql__advance(p);
        } else if (logql__is_word(p, "offset") && range->range_ns && !range->has_offset) {
            if ((err = logql__advance(p)))
                break;
            if (p->now.kind != LOGQL_T_DURATION)
                return logql__unexpected(p, "DURATION");
            range->has_offset = true;
            range->offset_ns = p->now.ns;
            err = logql__advance(p);
        } else if (logql__is_op(p, "|") && !range->unwrap) {
            struct logql_token next = logql__peek(p);
            if (next.kind == LOGQL_T_IDENT && slice_eq_cstr(next.text, "unwrap"))
                err = parse_unwrap(p, range);
            else
                err = parse_stages(p, range->args[0]);
            /* A stage named unwrap ends parse_stages before it. */
        } else if (logql__at_stage(p) && !range->unwrap) {
            err = parse_stages(p, range->args[0]);
        } else {
            break;
        }
    }
    p->depth--;
    return err;
}

static int parse_grouping(struct logql_parser *p, struct logql_expr *e)
{
    VEC(struct slice) names = {0};
    e->has_grouping = true;
    e->without = logql__is_word(p, "without");
    int err = logql__advance(p);
    if (!err)
        err = logql__expect_op(p, "(", "(");
    while (!err && !logql__is_op(p, ")")) {
        struct slice name;
        if ((err = logql__parse_name(p, &name)))
            break;
        vec_push(&names, name);
        if (logql__is_op(p, ")"))
            break;
        err = logql__expect_op(p, ",", ") or ,");
        if (!err && logql__is_op(p, ")"))
            err = logql__unexpected(p, "IDENTIFIER");
    }
    e->grouping_count = names.len;
    e->grouping = arena_dup(p->arena, names.items, names.len * sizeof(*names.items));
    vec_free(&names);
    return err ? err : logql__advance(p);
}

static bool at_grouping(const struct logql_parser *p)
{
    return logql__is_word(p, "by") || logql__is_word(p, "without");
}

static int check_range(struct logql_parser *p, const struct logql_expr *e)
{
    static const uint32_t with_unwrap =
        1u << LOGQL_RATE | 1u << LOGQL_RATE_COUNTER | 1u << LOGQL_AVG | 1u << LOGQL_SUM |
        1u << LOGQL_MIN | 1u << LOGQL_MAX | 1u << LOGQL_STDVAR | 1u << LOGQL_STDDEV |
        1u << LOGQL_QUANTILE | 1u << LOGQL_FIRST | 1u << LOGQL_LAST | 1u << LOGQL_ABSENT;
    static const uint32_t without_unwrap = 1u << LOGQL_RATE | 1u << LOGQL_COUNT |
                                           1u << LOGQL_BYTES_RATE | 1u << LOGQL_BYTES |
                                           1u << LOGQL_ABSENT;
    static const uint32_t grouped = 1u << LOGQL_AVG | 1u << LOGQL_MIN | 1u << LOGQL_MAX |
                                    1u << LOGQL_STDVAR | 1u << LOGQL_STDDEV | 1u << LOGQL_QUANTILE |
                                    1u << LOGQL_FIRST | 1u << LOGQL_LAST;
    const char *name = logql__range_names[e->range_op];
    uint32_t bit = 1u << e->range_op;
    if (e->range_op == LOGQL_QUANTILE && !e->has_param)
        return logql__fail(p, "parameter required for operation %s", name);
    if (e->range_op != LOGQL_QUANTILE && e->has_param)
        return logql__fail(p, "parameter %.*s not supported for operation %s",
                           SLICE_FMT(e->param_text), name);
    if (!((e->unwrap ? with_unwrap : without_unwrap) & bit))
        return logql__fail(p, "invalid aggregation %s %s unwrap", name,
                           e->unwrap ? "with" : "without");
    if (e->has_grouping && !(grouped & bit))
        return logql__fail(p, "grouping not allowed for %s aggregation", name);
    return 0;
}

static int parse_range(struct logql_parser *p, enum logql_range_op op, struct logql_expr **out)
{
    struct logql_expr *e = new_expr(p, LOGQL_RANGE, p->now.begin);
    int err;
    e->range_op = op;
    if ((err = logql__advance(p)) || (err = logql__expect_op(p, "(", "(")))
        return err;
    if (p->now.kind == LOGQL_T_NUMBER) {
        e->has_param = true;
        if ((err = logql__parse_number(p, &e->param, &e->param_text)) ||
            (err = logql__expect_op(p, ",", ",")))
            return err;
    }
    if (!logql__is_op(p, "{") && !logql__is_op(p, "("))
        return logql__unexpected(p, op == LOGQL_QUANTILE ? "NUMBER or { or (" : "{ or (");
    if ((err = parse_log_range(p, e)))
        return err;
    if (!e->range_ns)
        return logql__unexpected(p, "RANGE");
    if ((err = logql__expect_op(p, ")", ")")))
        return err;
    if (at_grouping(p) && (err = parse_grouping(p, e)))
        return err;
    e->end = p->now.begin;
    *out = e;
    return check_range(p, e);
}

/* --- aggregations over vectors --- */

static int parse_expr(struct logql_parser *p, int min_precedence, struct logql_expr **out);

static int parse_metric(struct logql_parser *p, int min_precedence, struct logql_expr **out)
{
    struct logql_token first = p->now;
    int err = parse_expr(p, min_precedence, out);
    if (!err && (*out)->kind == LOGQL_LOG) {
        p->now = first;
        return logql__unexpected(p, NULL);
    }
    return err;
}

static int check_aggregate(struct logql_parser *p, const struct logql_expr *e)
{
    const struct logql_aggregate *a = e->aggregate;
    int64_t k;
    if (!a->takes_param) {
        return e->has_param ? logql__fail(p, "unsupported parameter for operation %s(%.*s,",
                                          a->name, SLICE_FMT(e->param_text))
                            : 0;
    }
    if (!e->has_param)
        return logql__fail(p, "parameter required for operation %s", a->name);
    if (!codec_text_to_int(e->param_text, &k))
        return logql__fail(p, "invalid parameter %s(%.*s,", a->name, SLICE_FMT(e->param_text));
    if (k <= 0)
        return logql__fail(p, "invalid parameter (must be greater than 0) %s(%.*s", a->name,
                           SLICE_FMT(e->param_text));
    if (strcmp(a->name, "approx_topk") == 0 && e->has_grouping)
        return logql__fail(p, "grouping not allowed for %s aggregation", a->name);
    return 0;
}

static int parse_aggregate(struct logql_parser *p, const struct logql_aggregate *a,
                           struct logql_expr **out)
{
    struct logql_expr *e = new_expr(p, LOGQL_AGGREGATE, p->now.begin);
    int err = logql__advance(p);
    e->aggregate = a;
    if (!err && at_grouping(p))
        err = parse_grouping(p, e);
    if (!err)
        err = logql__expect_op(p, "(", "(");
    if (!err && p->now.kind == LOGQL_T_NUMBER && logql__peek_op(p, ",")) {
        e->has_param = true;
        err = logql__parse_number(p, &e->param, &e->param_text);
        if (!err)
            err = logql__advance(p);
    }
    if (!err)
        err = parse_metric(p, 0, &e->args[0]);
    if (!err)
        err = logql__expect_op(p, ")", ")");
    if (!err && !e->has_grouping && at_grouping(p))
        err = parse_grouping(p, e);
    e->end = p->now.begin;
    *out = e;
    return err ? err : check_aggregate(p, e);
}

static int parse_label_replace(struct logql_parser *p, struct logql_expr **out)
{
    struct logql_expr *e = new_expr(p, LOGQL_LABEL_REPLACE, p->now.begin);
    struct slice *const parts[] = {&e->dst, &e->replacement, &e->src, &e->regex};
    struct text_regex *regex;
    struct diag d;
    int err;
    diag_init(&d);
    if ((err = logql__advance(p)) || (err = logql__expect_op(p, "(", "(")) ||
        (err = parse_metric(p, 0, &e->args[0])))
        return err;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if ((err = logql__expect_op(p, ",", ",")) ||
            (err = logql__expect_string(p, parts[i], "STRING")))
            return err;
    }
    if ((err = logql__expect_op(p, ")", ")")))
        return err;
    if (logql__compile(p, e->regex, TEXT_REGEX_ANCHORED, &regex, &d))
        return logql__fail(p, "invalid regex in label_replace: %s", d.msg);
    e->end = p->now.begin;
    *out = e;
    return 0;
}

static int parse_vector(struct logql_parser *p, struct logql_expr **out)
{
    struct logql_expr *e = new_expr(p, LOGQL_VECTOR, p->now.begin);
    int err;
    if ((err = logql__advance(p)) || (err = logql__expect_op(p, "(", "(")) ||
        (err = logql__parse_number(p, &e->number, NULL)) || (err = logql__expect_op(p, ")", ")")))
        return err;
    e->end = p->now.begin;
    *out = e;
    return 0;
}

/* --- operators --- */

static const struct {
    const char *text;
    enum query_binary_op op;
    int precedence;
} operators[] = {{"or", QUERY_OR, 1}, {"and", QUERY_AND, 2}, {"unless", QUERY_UNLESS, 2},
                 {"==", QUERY_EQ, 3}, {"!=", QUERY_NE, 3},   {"<", QUERY_LT, 3},
                 {"<=", QUERY_LE, 3}, {">", QUERY_GT, 3},    {">=", QUERY_GE, 3},
                 {"+", QUERY_ADD, 4}, {"-", QUERY_SUB, 4},   {"*", QUERY_MUL, 5},
                 {"/", QUERY_DIV, 5}, {"%", QUERY_MOD, 5},   {"^", QUERY_POW, 6}};

const char *logql__operator_name(enum query_binary_op op)
{
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (operators[i].op == op)
            return operators[i].text;
    }
    return "?";
}

static int parse_labels(struct logql_parser *p, struct slice **out, size_t *out_count)
{
    VEC(struct slice) names = {0};
    int err = logql__expect_op(p, "(", "(");
    while (!err && !logql__is_op(p, ")")) {
        struct slice name;
        if ((err = logql__parse_name(p, &name)))
            break;
        vec_push(&names, name);
        if (!logql__is_op(p, ")"))
            err = logql__expect_op(p, ",", ") or ,");
    }
    *out_count = names.len;
    *out = arena_dup(p->arena, names.items, names.len * sizeof(*names.items));
    vec_free(&names);
    return err ? err : logql__advance(p);
}

static int parse_matching(struct logql_parser *p, struct logql_expr *e)
{
    int err = 0;
    if (logql__is_word(p, "bool")) {
        if (e->op < QUERY_EQ || e->op > QUERY_GE)
            return logql__unexpected(p, NULL);
        e->return_bool = true;
        err = logql__advance(p);
    }
    if (!err && (logql__is_word(p, "on") || logql__is_word(p, "ignoring"))) {
        e->has_matching = true;
        e->on = logql__is_word(p, "on");
        if ((err = logql__advance(p)) || (err = parse_labels(p, &e->matching, &e->matching_count)))
            return err;
        bool left = logql__is_word(p, "group_left");
        if (left || logql__is_word(p, "group_right")) {
            e->has_group = true;
            e->cardinality = left ? QUERY_MANY_TO_ONE : QUERY_ONE_TO_MANY;
            if ((err = logql__advance(p)))
                return err;
            if (logql__is_op(p, "("))
                err = parse_labels(p, &e->include, &e->include_count);
        }
    }
    return err;
}

static double compute(enum query_binary_op op, double a, double b)
{
    switch (op) {
    case QUERY_ADD: return a + b;
    case QUERY_SUB: return a - b;
    case QUERY_MUL: return a * b;
    case QUERY_DIV: return b == 0 ? NAN : a / b;
    case QUERY_MOD: return b == 0 ? NAN : fmod(a, b);
    case QUERY_POW: return pow(a, b);
    case QUERY_EQ: return a == b;
    case QUERY_NE: return a != b;
    case QUERY_LT: return a < b;
    case QUERY_LE: return a <= b;
    case QUERY_GT: return a > b;
    case QUERY_GE: return a >= b;
    default: return 0;
    }
}

static int finish_binary(struct logql_parser *p, struct logql_expr *e, struct logql_expr **io)
{
    struct logql_expr *l = e->args[0], *r = e->args[1];
    bool set = e->op == QUERY_AND || e->op == QUERY_OR || e->op == QUERY_UNLESS;
    const char *name = logql__operator_name(e->op);
    if (set) {
        e->cardinality = QUERY_MANY_TO_MANY;
        for (int i = 0; i < 2; i++) {
            if (e->args[i]->kind == LOGQL_NUMBER)
                return logql__fail(p,
                                   "unexpected literal for %s leg of logical/set binary operation "
                                   "(%s): %f",
                                   i ? "right" : "left", name, e->args[i]->number);
        }
        if (e->has_group)
            return logql__fail(p, "no grouping allowed for set operation \"%s\"", name);
    }
    if (l->kind == LOGQL_NUMBER && r->kind == LOGQL_NUMBER) {
        e->kind = LOGQL_NUMBER;
        e->number = compute(e->op, l->number, r->number);
        e->args[0] = e->args[1] = NULL;
    } else if ((l->kind == LOGQL_NUMBER || r->kind == LOGQL_NUMBER) && e->has_matching) {
        return logql__fail(p, "vector matching only allowed between vectors");
    }
    e->depth = 1 + MAX(l->depth, r->depth);
    if (e->depth > LOGQL__DEPTH_MAX)
        return logql__fail(p, "the query is nested deeper than %d levels", LOGQL__DEPTH_MAX);
    *io = e;
    return 0;
}

static int parse_primary(struct logql_parser *p, struct logql_expr **out)
{
    struct logql_expr *e;
    int err;
    if (p->now.kind == LOGQL_T_NUMBER || logql__is_op(p, "+") || logql__is_op(p, "-")) {
        e = new_expr(p, LOGQL_NUMBER, p->now.begin);
        err = logql__parse_number(p, &e->number, NULL);
        e->end = p->now.begin;
        *out = e;
        return err;
    }
    if (logql__is_op(p, "(")) {
        if ((err = logql__advance(p)) || (err = parse_expr(p, 0, out)))
            return err;
        return logql__expect_op(p, ")", NULL);
    }
    if (logql__is_op(p, "{")) {
        err = parse_selector(p, out);
        return err ? err : parse_stages(p, *out);
    }
    struct logql_token next = logql__peek(p);
    bool call = next.kind == LOGQL_T_OP && slice_eq_cstr(next.text, "(");
    bool grouped = next.kind == LOGQL_T_IDENT &&
                   (slice_eq_cstr(next.text, "by") || slice_eq_cstr(next.text, "without"));
    if (p->now.kind == LOGQL_T_IDENT && (call || grouped)) {
        for (const struct logql_aggregate *a = logql__aggregates; a->name; a++) {
            if (logql__is_word(p, a->name))
                return parse_aggregate(p, a, out);
        }
        for (int i = 0; i < LOGQL_RANGE_OP_COUNT; i++) {
            if (call && logql__is_word(p, logql__range_names[i]))
                return parse_range(p, (enum logql_range_op)i, out);
        }
        if (call && logql__is_word(p, "label_replace"))
            return parse_label_replace(p, out);
        if (call && logql__is_word(p, "vector"))
            return parse_vector(p, out);
    }
    return logql__unexpected(p, NULL);
}

static int parse_expr(struct logql_parser *p, int min_precedence, struct logql_expr **out)
{
    int err = logql__enter(p);
    if (err || (err = parse_primary(p, out)))
        return err;
    while ((*out)->kind != LOGQL_LOG) {
        size_t i = 0;
        while (i < ARRAY_LEN(operators) && !logql__is_op(p, operators[i].text) &&
               !logql__is_word(p, operators[i].text))
            i++;
        if (i == ARRAY_LEN(operators) || operators[i].precedence < min_precedence)
            break;
        struct logql_expr *e = new_expr(p, LOGQL_BINARY, (*out)->begin);
        e->op = operators[i].op;
        e->args[0] = *out;
        if ((err = logql__advance(p)) || (err = parse_matching(p, e)) ||
            (err = parse_metric(p, operators[i].precedence + (e->op != QUERY_POW), &e->args[1])))
            return err;
        e->end = e->args[1]->end;
        if ((err = finish_binary(p, e, out)))
            return err;
    }
    p->depth--;
    return 0;
}

/* --- the face --- */

static int check_selectors(struct logql_parser *p, const struct logql_expr *e)
{
    if (e->kind == LOGQL_LOG) {
        for (size_t i = 0; i < e->matcher_count; i++) {
            if (!store_matcher_matches(&e->matchers[i], SLICE("")))
                return 0;
        }
        return logql__fail(
            p, "queries require at least one regexp or equality matcher that does not have an "
               "empty-compatible value. For instance, app=~\".*\" does not meet this requirement, "
               "but app=~\".+\" will");
    }
    for (size_t i = 0; i < ARRAY_LEN(e->args); i++) {
        int err = e->args[i] ? check_selectors(p, e->args[i]) : 0;
        if (err)
            return err;
    }
    return 0;
}

static int finish(struct logql_parser *p, int err, struct logql_expr **out)
{
    if (!err && p->now.kind != LOGQL_T_EOF)
        err = logql__unexpected(p, NULL);
    if (err) {
        for (size_t i = 0; i < p->regexes.len; i++)
            text_regex_free(p->regexes.items[i]);
        *out = NULL;
    } else {
        (*out)->regexes =
            arena_dup(p->arena, p->regexes.items, p->regexes.len * sizeof(*p->regexes.items));
        (*out)->regex_count = p->regexes.len;
        (*out)->text = p->lex.text;
    }
    vec_free(&p->regexes);
    return err;
}

static int begin(struct logql_parser *p, struct slice text, struct arena *arena, struct diag *diag)
{
    bool fits = text.len <= LOGQL_TEXT_MAX;
    text = fits ? text : SLICE("");
    *p = (struct logql_parser){
        .lex = {.text = arena_slice(arena, text), .arena = arena, .diag = diag},
        .arena = arena,
        .diag = diag};
    return fits ? logql__advance(p)
                : logql__fail(p, "the query is longer than %zu bytes", LOGQL_TEXT_MAX);
}

int logql_parse(struct slice text, struct arena *arena, struct logql_expr **out, struct diag *diag)
{
    struct logql_parser p;
    *out = NULL;
    int err = begin(&p, text, arena, diag);
    if (!err)
        err = parse_expr(&p, 0, out);
    if (!err && p.now.kind == LOGQL_T_EOF)
        err = check_selectors(&p, *out);
    return finish(&p, err, out);
}

int logql_parse_selector(struct slice text, bool allow_empty, struct arena *arena,
                         struct logql_expr **out, struct diag *diag)
{
    struct logql_parser p;
    *out = NULL;
    int err = begin(&p, text, arena, diag);
    if (!err)
        err = parse_selector(&p, out);
    if (!err && !allow_empty && p.now.kind == LOGQL_T_EOF)
        err = check_selectors(&p, *out);
    return finish(&p, err, out);
}

void logql_expr_free(struct logql_expr *e)
{
    for (size_t i = 0; e && i < e->regex_count; i++)
        text_regex_free(e->regexes[i]);
    if (e)
        e->regex_count = 0;
}

void logql_error_text(const struct diag *diag, struct buf *out)
{
    if (diag->line)
        buf_printf(out, "parse error at line %u, col %u: %s", diag->line, diag->col, diag->msg);
    else
        buf_printf(out, "parse error : %s", diag->msg);
}

bool logql_is_log(const struct logql_expr *e)
{
    return e->kind == LOGQL_LOG;
}

bool logql_is_selector(const struct logql_expr *e)
{
    return e->kind == LOGQL_LOG && !e->stages;
}

const struct store_matcher *logql_matchers(const struct logql_expr *e, size_t *out_count)
{
    while (e->kind != LOGQL_LOG) {
        const struct logql_expr *next =
            e->args[0] && e->args[0]->kind != LOGQL_NUMBER && e->args[0]->kind != LOGQL_VECTOR
                ? e->args[0]
                : e->args[1];
        if (!next) {
            *out_count = 0;
            return NULL;
        }
        e = next;
    }
    *out_count = e->matcher_count;
    return e->matchers;
}
