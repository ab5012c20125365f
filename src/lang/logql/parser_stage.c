/* Stages of a pipeline: line filters, parsers, label filters, formats. */
#include "base/buf.h"
#include "lang/logql/ip.h"
#include "lang/logql/parser.h"
#include "lang/logql/pattern.h"
#include "lang/logql/units.h"

static const char *const line_ops[] = {"|=", "!=", "|~", "!~", "|>", "!>"};

const char *logql__line_op_name(enum logql_line_op op)
{
    return line_ops[op];
}

const char *logql__compare_name(enum logql_compare op)
{
    static const char *const names[] = {"==", "!=", "<", "<=", ">", ">="};
    return names[op];
}

const char *logql__match_name(enum store_match_op op)
{
    static const char *const names[] = {"=", "!=", "=~", "!~"};
    return names[op];
}

bool logql__at_stage(const struct logql_parser *p)
{
    if (logql__is_op(p, "|")) {
        struct logql_token next = logql__peek(p);
        return !(next.kind == LOGQL_T_IDENT && slice_eq_cstr(next.text, "unwrap"));
    }
    for (size_t i = 0; i < ARRAY_LEN(line_ops); i++) {
        if (logql__is_op(p, line_ops[i]))
            return true;
    }
    return false;
}

/* --- line filters --- */

static int check_needle(struct logql_parser *p, enum logql_line_op op, struct logql_needle *n)
{
    struct diag d;
    diag_init(&d);
    if (n->is_ip) {
        struct logql_ip_range range;
        if (op > LOGQL_NOT_CONTAINS)
            return logql__fail(p, "ip: invalid operation: ip() goes with |= and != alone");
        if (!logql_ip_range_parse(n->text, &range))
            return logql__fail(p, "ip: invalid pattern: \"%.*s\"", SLICE_FMT(n->text));
    } else if (op == LOGQL_MATCHES || op == LOGQL_NOT_MATCHES) {
        if (logql__compile(p, n->text, 0, &n->regex, &d))
            return logql__fail(p, "%s", d.msg);
    } else if (op >= LOGQL_PATTERN) {
        struct logql_pattern pattern;
        if (logql_pattern_parse(n->text, true, p->arena, &pattern, &d))
            return logql__fail(p, "%s", d.msg);
    }
    return 0;
}

static int parse_needle(struct logql_parser *p, enum logql_line_op op, struct logql_needle *out)
{
    int err;
    *out = (struct logql_needle){0};
    if (logql__is_word(p, "ip") && logql__peek_op(p, "(")) {
        out->is_ip = true;
        if ((err = logql__advance(p)) || (err = logql__advance(p)) ||
            (err = logql__expect_string(p, &out->text, "STRING")) ||
            (err = logql__expect_op(p, ")", ")")))
            return err;
    } else if ((err = logql__expect_string(p, &out->text, "STRING or ip"))) {
        return err;
    }
    return check_needle(p, op, out);
}

static struct logql_stage *new_stage(struct logql_parser *p, enum logql_stage_kind kind,
                                     struct logql_stage ***tail)
{
    struct logql_stage *s = ARENA_NEW(p->arena, struct logql_stage);
    s->kind = kind;
    s->begin = p->now.begin;
    **tail = s;
    *tail = &s->next;
    return s;
}

static int parse_line_filter(struct logql_parser *p, struct logql_stage ***tail)
{
    VEC(struct logql_needle) needles = {0};
    size_t op = 0;
    while (!logql__is_op(p, line_ops[op]))
        op++;
    struct logql_stage *s = new_stage(p, LOGQL_STAGE_LINE, tail);
    s->line_op = (enum logql_line_op)op;
    int err;
    do {
        struct logql_needle n;
        if ((err = logql__advance(p)) || (err = parse_needle(p, s->line_op, &n)))
            break;
        vec_push(&needles, n);
    } while (logql__is_word(p, "or"));
    s->needle_count = needles.len;
    s->needles = arena_dup(p->arena, needles.items, needles.len * sizeof(*needles.items));
    vec_free(&needles);
    return err;
}

/* --- label filters --- */

static bool is_compare(const struct logql_parser *p, enum logql_compare *out)
{
    static const struct {
        const char *text;
        enum logql_compare op;
    } ops[] = {{"=", LOGQL_EQ},  {"==", LOGQL_EQ}, {"!=", LOGQL_NE}, {"<", LOGQL_LT},
               {"<=", LOGQL_LE}, {">", LOGQL_GT},  {">=", LOGQL_GE}};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (logql__is_op(p, ops[i].text)) {
            *out = ops[i].op;
            return true;
        }
    }
    return false;
}

static int parse_number_filter(struct logql_parser *p, struct logql_filter *f)
{
    f->text = p->now.text;
    if (p->now.kind == LOGQL_T_DURATION) {
        f->kind = LOGQL_FILTER_DURATION;
        f->number = (double)p->now.ns;
        return logql__advance(p);
    }
    if (p->now.kind == LOGQL_T_BYTES) {
        f->kind = LOGQL_FILTER_BYTES;
        f->number = p->now.number;
        return logql__advance(p);
    }
    f->kind = LOGQL_FILTER_NUMBER;
    if (p->now.kind != LOGQL_T_NUMBER && !logql__is_op(p, "-") && !logql__is_op(p, "+"))
        return logql__unexpected(p, "BYTES or DURATION or NUMBER");
    return logql__parse_number(p, &f->number, &f->text);
}

static int parse_comparison(struct logql_parser *p, struct logql_filter **out)
{
    struct logql_filter *f = ARENA_NEW(p->arena, struct logql_filter);
    int err = logql__parse_name(p, &f->name);
    *out = f;
    if (err)
        return err;
    bool plain = logql__is_op(p, "=") || logql__is_op(p, "!=");
    struct logql_token next = logql__peek(p);
    if (logql__is_op(p, "=~") || logql__is_op(p, "!~") || (plain && next.kind == LOGQL_T_STRING)) {
        f->kind = LOGQL_FILTER_STRING;
        return logql__parse_matcher_value(p, f->name, &f->matcher);
    }
    if (!is_compare(p, &f->compare))
        return logql__unexpected(p, NULL);
    if ((err = logql__advance(p)))
        return err;
    if (plain && logql__is_word(p, "ip") && logql__peek_op(p, "(")) {
        struct logql_ip_range range;
        f->kind = LOGQL_FILTER_IP;
        if ((err = logql__advance(p)) || (err = logql__advance(p)) ||
            (err = logql__expect_string(p, &f->text, "STRING")) ||
            (err = logql__expect_op(p, ")", ")")))
            return err;
        return logql_ip_range_parse(f->text, &range)
                   ? 0
                   : logql__fail(p, "ip: invalid pattern: \"%.*s\"", SLICE_FMT(f->text));
    }
    return parse_number_filter(p, f);
}

static int parse_filter_primary(struct logql_parser *p, struct logql_filter **out)
{
    int err;
    if (!logql__is_op(p, "("))
        return parse_comparison(p, out);
    if ((err = logql__advance(p)) || (err = logql__parse_filter(p, 0, out)))
        return err;
    return logql__expect_op(p, ")", ")");
}

/* `and` binds tighter than `or`. A comma or a space is an `and` too, but takes everything behind
 * it, as Loki's grammar does: a or b, c is a or (b, c). */
int logql__parse_filter(struct logql_parser *p, int min_precedence, struct logql_filter **out)
{
    int err = logql__enter(p);
    if (err || (err = parse_filter_primary(p, out)))
        return err;
    for (;;) {
        bool is_or = logql__is_word(p, "or"), is_and = logql__is_word(p, "and"),
             comma = logql__is_op(p, ",");
        bool beside =
            !is_or && !is_and && !comma && (p->now.kind == LOGQL_T_IDENT || logql__is_op(p, "("));
        int precedence = is_or ? 1 : is_and ? 2 : 3;
        if (!(is_or || is_and || comma || beside) || precedence < min_precedence)
            break;
        struct logql_filter *f = ARENA_NEW(p->arena, struct logql_filter);
        f->kind = is_or ? LOGQL_FILTER_OR : LOGQL_FILTER_AND;
        f->comma = comma || beside;
        f->left = *out;
        if ((!beside && (err = logql__advance(p))) ||
            (err = logql__parse_filter(p, precedence == 3 ? 0 : precedence + 1, &f->right)))
            return err;
        *out = f;
    }
    p->depth--;
    return 0;
}

/* --- stages behind a pipe --- */

/* a, b="c", ...: what json and logfmt are to extract. */
static int parse_extractions(struct logql_parser *p, struct logql_stage *s)
{
    VEC(struct logql_pair) pairs = {0};
    int err = 0;
    while (!err && logql__at_name(p)) {
        struct logql_pair pair = {0};
        if ((err = logql__parse_name(p, &pair.name)))
            break;
        pair.value = pair.name;
        if (logql__is_op(p, "=")) {
            if ((err = logql__advance(p)) || (err = logql__expect_string(p, &pair.value, "STRING")))
                break;
        }
        vec_push(&pairs, pair);
        if (!logql__is_op(p, ","))
            break;
        err = logql__advance(p);
        if (!err && !logql__at_name(p))
            err = logql__unexpected(p, "IDENTIFIER");
    }
    s->pair_count = pairs.len;
    s->pairs = arena_dup(p->arena, pairs.items, pairs.len * sizeof(*pairs.items));
    vec_free(&pairs);
    return err;
}

static int parse_logfmt(struct logql_parser *p, struct logql_stage *s)
{
    while (p->now.kind == LOGQL_T_FLAG) {
        if (slice_eq_cstr(p->now.text, "strict"))
            s->strict = true;
        else if (slice_eq_cstr(p->now.text, "keep-empty"))
            s->keep_empty = true;
        else
            return logql__fail(p, "unknown flag --%.*s: logfmt knows --strict and --keep-empty",
                               SLICE_FMT(p->now.text));
        int err = logql__advance(p);
        if (err)
            return err;
    }
    return parse_extractions(p, s);
}

/* The names of the groups; text_regex_compile has checked the syntax. */
static int regexp_groups(struct logql_parser *p, struct logql_stage *s)
{
    size_t named = 0;
    s->group_count = text_regex_group_count(s->regex);
    s->groups = ARENA_ARRAY(p->arena, struct slice, s->group_count);
    for (size_t i = 1; i < s->group_count; i++) {
        struct slice name = text_regex_group_name(s->regex, i);
        if (!name.len)
            continue;
        if (!data_label_name_is_legacy(name))
            return logql__fail(p, "invalid regexp parser: invalid extracted label name '%.*s'",
                               SLICE_FMT(name));
        s->groups[i] = name;
        named++;
    }
    return named ? 0
                 : logql__fail(p, "invalid regexp parser: at least one named capture must be "
                                  "supplied");
}

static int parse_regexp(struct logql_parser *p, struct logql_stage *s)
{
    struct diag d;
    diag_init(&d);
    int err = logql__expect_string(p, &s->text, "STRING");
    if (err)
        return err;
    if (logql__compile(p, s->text, 0, &s->regex, &d)) {
        /* Go and PCRE name this one differently. */
        bool twice = strstr(d.msg, "duplicate") || strstr(d.msg, "same name");
        return logql__fail(p, "invalid regexp parser: %s%s",
                           twice ? "duplicate extracted label name: " : "", d.msg);
    }
    return regexp_groups(p, s);
}

static int parse_pattern(struct logql_parser *p, struct logql_stage *s)
{
    struct logql_pattern pattern;
    struct diag d;
    diag_init(&d);
    int err = logql__expect_string(p, &s->text, "STRING");
    if (!err && logql_pattern_parse(s->text, false, p->arena, &pattern, &d))
        return logql__fail(p, "invalid pattern parser: %s", d.msg);
    return err;
}

static int parse_label_format(struct logql_parser *p, struct logql_stage *s)
{
    VEC(struct logql_pair) pairs = {0};
    int err;
    for (;;) {
        struct logql_pair pair = {0};
        if ((err = logql__parse_name(p, &pair.name)) || (err = logql__expect_op(p, "=", "=")))
            break;
        if (p->now.kind == LOGQL_T_STRING) {
            pair.value = p->now.text;
            err = logql__advance(p);
        } else {
            pair.rename = true;
            err = logql__parse_name(p, &pair.value);
        }
        if (err)
            break;
        if (slice_eq_cstr(pair.name, "__error__")) {
            err = logql__fail(p, "__error__ cannot be formatted");
            break;
        }
        for (size_t i = 0; i < pairs.len && !err; i++) {
            if (slice_eq(pairs.items[i].name, pair.name))
                err = logql__fail(
                    p, "multiple label name '%.*s' not allowed in a single format operation",
                    SLICE_FMT(pair.name));
        }
        vec_push(&pairs, pair);
        if (err || !logql__is_op(p, ","))
            break;
        if ((err = logql__advance(p)))
            break;
    }
    s->pair_count = pairs.len;
    s->pairs = arena_dup(p->arena, pairs.items, pairs.len * sizeof(*pairs.items));
    vec_free(&pairs);
    return err;
}

static int parse_drop(struct logql_parser *p, struct logql_stage *s)
{
    VEC(struct logql_pair) pairs = {0};
    int err;
    for (;;) {
        struct logql_pair pair = {0};
        if ((err = logql__parse_name(p, &pair.name)))
            break;
        if (logql__is_op(p, "=") || logql__is_op(p, "!=") || logql__is_op(p, "=~") ||
            logql__is_op(p, "!~")) {
            pair.has_matcher = true;
            if ((err = logql__parse_matcher_value(p, pair.name, &pair.matcher)))
                break;
        }
        vec_push(&pairs, pair);
        if (!logql__is_op(p, ","))
            break;
        if ((err = logql__advance(p)))
            break;
    }
    s->pair_count = pairs.len;
    s->pairs = arena_dup(p->arena, pairs.items, pairs.len * sizeof(*pairs.items));
    vec_free(&pairs);
    return err;
}

static int parse_piped(struct logql_parser *p, struct logql_stage ***tail)
{
    static const struct {
        const char *word;
        enum logql_stage_kind kind;
    } words[] = {{"json", LOGQL_STAGE_JSON},
                 {"logfmt", LOGQL_STAGE_LOGFMT},
                 {"regexp", LOGQL_STAGE_REGEXP},
                 {"pattern", LOGQL_STAGE_PATTERN},
                 {"unpack", LOGQL_STAGE_UNPACK},
                 {"line_format", LOGQL_STAGE_LINE_FORMAT},
                 {"label_format", LOGQL_STAGE_LABEL_FORMAT},
                 {"decolorize", LOGQL_STAGE_DECOLORIZE},
                 {"drop", LOGQL_STAGE_DROP},
                 {"keep", LOGQL_STAGE_KEEP}};
    struct logql_token next = logql__peek(p);
    enum logql_stage_kind kind = LOGQL_STAGE_LABEL_FILTER;
    /* A label may be called like a stage: then a comparison follows. */
    bool compared = next.kind == LOGQL_T_OP && next.text.len && strchr("=!<>", next.text.ptr[0]);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (logql__is_word(p, words[i].word) &&
            !(compared && !slice_eq_cstr(next.text, "!=") && !slice_eq_cstr(next.text, "!~") &&
              !slice_eq_cstr(next.text, "!>")))
            kind = words[i].kind;
    }
    struct logql_stage *s = new_stage(p, kind, tail);
    int err;
    if (kind == LOGQL_STAGE_LABEL_FILTER)
        return logql__parse_filter(p, 0, &s->filter);
    if ((err = logql__advance(p)))
        return err;
    switch (kind) {
    case LOGQL_STAGE_JSON: return parse_extractions(p, s);
    case LOGQL_STAGE_LOGFMT: return parse_logfmt(p, s);
    case LOGQL_STAGE_REGEXP: return parse_regexp(p, s);
    case LOGQL_STAGE_PATTERN: return parse_pattern(p, s);
    case LOGQL_STAGE_LINE_FORMAT: return logql__expect_string(p, &s->text, "STRING");
    case LOGQL_STAGE_LABEL_FORMAT: return parse_label_format(p, s);
    case LOGQL_STAGE_DROP:
    case LOGQL_STAGE_KEEP: return parse_drop(p, s);
    default: return 0;
    }
}

int logql__parse_stage(struct logql_parser *p, struct logql_stage ***tail)
{
    int err;
    if (!logql__is_op(p, "|"))
        return parse_line_filter(p, tail);
    if ((err = logql__advance(p)))
        return err;
    if (!logql__at_name(p) && !logql__is_op(p, "("))
        return logql__unexpected(p, NULL);
    return parse_piped(p, tail);
}
