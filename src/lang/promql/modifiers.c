/* What stands behind a selector or subquery: ranges, offset, @, anchored and smoothed; and the
 * durations in them, which may be calculated. */
#include <math.h>
#include <stdio.h>

#include "lang/promql/parser.h"

#define SECONDS_MAX 9.2233720368e9 /* what fits an int64_t of nanoseconds */

static struct promql_duration *new_duration(struct promql_parser *p, enum promql_duration_op op,
                                            size_t begin)
{
    struct promql_duration *d = ARENA_NEW(p->arena, struct promql_duration);
    d->op = op;
    d->begin = begin;
    return d;
}

static int parse_duration_expr(struct promql_parser *p, int min_precedence,
                               struct promql_duration **out);

/* step(), range(), min_of(a, b), max_of(a, b) */
static int parse_duration_call(struct promql_parser *p, struct promql_duration **out)
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
        if (!promql__is_word(p, calls[i].name))
            continue;
        struct promql_duration *d = new_duration(p, calls[i].op, p->now.begin);
        int err = promql__advance(p);
        if (!err)
            err = promql__expect_op(p, "(");
        for (int k = 0; k < calls[i].args && !err; k++) {
            if (k)
                err = promql__expect_op(p, ",");
            if (!err)
                err = parse_duration_expr(p, 0, k ? &d->right : &d->left);
        }
        if (!err)
            err = promql__expect_op(p, ")");
        d->end = p->last_end;
        *out = d;
        return err;
    }
    return promql__unexpected(p);
}

static bool is_literal(const struct promql_duration *d)
{
    return promql__duration_is_plain(d);
}

static double literal_seconds(const struct promql_duration *d)
{
    return d->op == PROMQL_D_NUMBER   ? d->seconds
           : d->op == PROMQL_D_NEGATE ? -d->left->seconds
                                      : d->left->seconds;
}

/* With a sign in front if need be. */
static int parse_duration_unit(struct promql_parser *p, int sign_binds,
                               struct promql_duration **out)
{
    struct promql_duration *d;
    int err;
    if (++p->depth > p->depth_max)
        return promql__too_deep(p);
    if (promql__is_op(p, "-") || promql__is_op(p, "+")) {
        d = new_duration(p, promql__is_op(p, "-") ? PROMQL_D_NEGATE : PROMQL_D_PLUS, p->now.begin);
        err = promql__advance(p);
        if (!err)
            err = sign_binds ? parse_duration_expr(p, sign_binds, &d->left)
                             : parse_duration_unit(p, 0, &d->left);
    } else if (promql__is_op(p, "(")) {
        d = new_duration(p, PROMQL_D_PAREN, p->now.begin);
        err = promql__advance(p);
        if (!err)
            err = parse_duration_expr(p, 0, &d->left);
        if (!err)
            err = promql__expect_op(p, ")");
    } else if (promql__is_number(p)) {
        bool exact = p->now.is_duration;
        int64_t ns = p->now.duration_ns;
        d = new_duration(p, PROMQL_D_NUMBER, p->now.begin);
        size_t end = p->now.end;
        err = promql__take_number(p, &d->seconds, &d->is_duration);
        if (exact)
            d->seconds = (double)ns / 1e9;
        if (!err && fabs(d->seconds) > SECONDS_MAX)
            err = promql__fail_at(p, d->begin, end, "duration out of range");
    } else {
        err = parse_duration_call(p, &d);
    }
    p->depth--;
    if (err)
        return err;
    d->end = p->last_end;
    *out = d;
    return 0;
}

static int parse_duration_expr(struct promql_parser *p, int min_precedence,
                               struct promql_duration **out)
{
    static const enum promql_duration_op ops[] = {
        [QUERY_ADD] = PROMQL_D_ADD, [QUERY_SUB] = PROMQL_D_SUB, [QUERY_MUL] = PROMQL_D_MUL,
        [QUERY_DIV] = PROMQL_D_DIV, [QUERY_MOD] = PROMQL_D_MOD, [QUERY_POW] = PROMQL_D_POW};
    int err = parse_duration_unit(p, 6, out);
    while (!err) {
        int which = promql__find_operator(p);
        if (which < 0 || promql__operators[which].op > QUERY_POW ||
            promql__operators[which].precedence < min_precedence)
            break;
        struct promql_duration *d =
            new_duration(p, ops[promql__operators[which].op], (*out)->begin);
        d->left = *out;
        int next = promql__operators[which].precedence + (d->op == PROMQL_D_POW ? 0 : 1);
        size_t at = p->now.begin;
        if ((err = promql__advance(p)) || (err = parse_duration_expr(p, next, &d->right)))
            break;
        d->end = d->right->end;
        *out = d;
        if ((d->op == PROMQL_D_DIV || d->op == PROMQL_D_MOD) && is_literal(d->right) &&
            literal_seconds(d->right) == 0)
            err = promql__fail_at(p, at, at + 1,
                                  d->op == PROMQL_D_DIV ? "division by zero" : "modulo by zero");
    }
    return err;
}

/* A literal must be more than nothing; what is calculated is looked at when the steps are known. */
static int parse_positive(struct promql_parser *p, struct promql_duration **out)
{
    int err = parse_duration_expr(p, 0, out);
    if (!err && is_literal(*out) && !(literal_seconds(*out) > 0))
        err = promql__fail_at(p, (*out)->begin, (*out)->end, "duration must be greater than 0");
    return err;
}

static int parse_range(struct promql_parser *p, struct promql_expr **io)
{
    struct promql_expr *inner = *io;
    struct promql_duration *range = NULL, *step = NULL;
    bool subquery = false;
    size_t bracket = p->now.begin;
    struct promql_context before =
        promql__enter(p, "subquery or range selector", "number, duration, step(), or range()");
    int err = promql__advance(p);
    if (!err)
        err = parse_positive(p, &range);
    promql__enter(p, "subquery or range", "\":\" or \"]\"");
    if (!err && promql__is_op(p, ":")) {
        subquery = true;
        promql__enter(p, "subquery selector", "number, duration, step(), range(), or \"]\"");
        err = promql__advance(p);
        if (!err && !promql__is_op(p, "]"))
            err = parse_positive(p, &step);
        promql__enter(p, "subquery selector", "\"]\"");
    }
    if (!err && !promql__is_op(p, "]"))
        err = promql__unexpected(p);
    p->context = before;
    if (err)
        return err;
    const char *wrong = subquery ? NULL
                        : inner->kind != PROMQL_SELECTOR
                            ? "ranges only allowed for vector selectors"
                        : inner->offset               ? "no offset modifiers allowed before range"
                        : inner->at != PROMQL_AT_NONE ? "no @ modifiers allowed before range"
                                                      : NULL;
    if (wrong)
        return promql__fail_at(p, bracket, p->now.end, "%s", wrong);
    struct promql_expr *e = promql__new_expr(p, subquery ? PROMQL_SUBQUERY : PROMQL_MATRIX,
                                             QUERY_TYPE_MATRIX, inner->begin);
    err = promql__advance(p);
    e->range = range;
    e->step = step;
    e->end = p->last_end;
    promql__set_args(p, e, &inner, 1);
    *io = e;
    return err;
}

/* Where offset and @ go: the selector itself, also inside of a range. */
struct promql_expr *promql__timed(struct promql_expr *e)
{
    if (e->kind == PROMQL_MATRIX)
        return e->args[0];
    return e->kind == PROMQL_SELECTOR || e->kind == PROMQL_SUBQUERY ? e : NULL;
}

static int parse_offset(struct promql_parser *p, struct promql_expr *e)
{
    struct promql_duration *offset = NULL;
    struct promql_context before =
        promql__enter(p, "offset", "number, duration, step(), or range()");
    int err = promql__advance(p);
    /* Operators behind it belong to the expression: an offset's own stand in parentheses. */
    if (!err)
        err = parse_duration_unit(p, 0, &offset);
    p->context = before;
    if (err)
        return err;
    struct promql_expr *to = promql__timed(e);
    if (!to)
        return promql__fail_at(
            p, e->begin, p->last_end,
            "offset modifier must be preceded by an instant vector selector or range "
            "vector selector or a subquery");
    if (to->offset)
        return promql__fail_at(p, e->begin, p->last_end, "offset may not be set multiple times");
    to->offset = offset;
    e->end = p->last_end;
    return 0;
}

static int parse_at_time(struct promql_parser *p, double *out)
{
    bool negative = promql__is_op(p, "-"), is_duration;
    int err = negative || promql__is_op(p, "+") ? promql__advance(p) : 0;
    if (!err)
        err = promql__is_number(p) ? promql__take_number(p, out, &is_duration)
                                   : promql__unexpected(p);
    *out = negative ? -*out : *out;
    return err;
}

static int parse_at(struct promql_parser *p, struct promql_expr *e)
{
    enum promql_at at = PROMQL_AT_TIME;
    double seconds = 0;
    struct promql_context before = promql__enter(p, "@", "timestamp");
    int err = promql__advance(p);
    if (!err && (promql__is_word(p, "start") || promql__is_word(p, "end"))) {
        at = promql__is_word(p, "start") ? PROMQL_AT_START : PROMQL_AT_END;
        if (!(err = promql__advance(p)) && !(err = promql__expect_op(p, "(")))
            err = promql__expect_op(p, ")");
    } else if (!err) {
        err = parse_at_time(p, &seconds);
    }
    p->context = before;
    if (err)
        return err;
    if (!(fabs(seconds) < 9223372036854775808.0)) {
        char text[400]; /* as Go prints it */
        if (isfinite(seconds))
            snprintf(text, sizeof(text), "%f", seconds);
        else
            snprintf(text, sizeof(text), "%s",
                     isnan(seconds) ? "NaN"
                     : seconds > 0  ? "+Inf"
                                    : "-Inf");
        return promql__fail_at(p, e->begin, e->end, "timestamp out of bounds for @ modifier: %s",
                               text);
    }
    struct promql_expr *to = promql__timed(e);
    if (!to)
        return promql__fail_at(
            p, e->begin, p->last_end,
            "@ modifier must be preceded by an instant vector selector or range vector "
            "selector or a subquery");
    if (to->at != PROMQL_AT_NONE)
        return promql__fail_at(p, e->begin, p->last_end,
                               "@ <timestamp> may not be set multiple times");
    seconds = fmax(fmin(seconds, SECONDS_MAX), -SECONDS_MAX); /* as far as times go */
    to->at = at;
    to->at_ns = (int64_t)llround(seconds * 1000) * NS_PER_MS;
    e->end = p->last_end;
    return 0;
}

/* anchored and smoothed: what lies just outside of a range counts too. */
static int parse_extended(struct promql_parser *p, struct promql_expr *e)
{
    bool smoothed = promql__is_word(p, "smoothed");
    const char *word = smoothed ? "smoothed" : "anchored";
    int err = promql__advance(p);
    if (err)
        return err;
    if (!p->options->experimental)
        return promql__fail_at(p, e->begin, e->end,
                               "%s modifier is experimental and not enabled (promql.experimental)",
                               word);
    struct promql_expr *to = promql__timed(e);
    if (!to || to->kind == PROMQL_SUBQUERY)
        return promql__fail_at(p, e->begin, e->end,
                               to ? "%s modifier is not supported for subqueries"
                                  : "%s modifier not implemented",
                               word);
    to->smoothed |= smoothed;
    to->anchored |= !smoothed;
    if (to->anchored && to->smoothed)
        return promql__fail_at(p, e->begin, e->end,
                               "anchored and smoothed modifiers cannot be used together");
    e->end = p->last_end;
    return 0;
}

int promql__parse_postfix(struct promql_parser *p, struct promql_expr **io)
{
    int err = 0;
    while (!err) {
        if (promql__is_op(p, "["))
            err = parse_range(p, io);
        else if (promql__is_word(p, "offset"))
            err = parse_offset(p, *io);
        else if (promql__is_op(p, "@"))
            err = parse_at(p, *io);
        else if (promql__is_word(p, "anchored") || promql__is_word(p, "smoothed"))
            err = parse_extended(p, *io);
        else
            break;
    }
    return err;
}
