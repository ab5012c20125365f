/* What stands behind a selector or subquery: ranges, offset, @, anchored and smoothed; and the
 * durations in them, which may be calculated. */
#include <math.h>

#include "lang/promql/parser.h"

static struct promql_duration *new_duration(struct promql_parser *p, enum promql_duration_op op,
                                            size_t begin)
{
    struct promql_duration *d = ARENA_NEW(p->arena, struct promql_duration);
    d->op = op;
    d->begin = begin;
    return d;
}

static int parse_duration_expr(struct promql_parser *p, int min_precedence, const char *context,
                               struct promql_duration **out);

/* step(), range(), min_of(a, b), max_of(a, b) */
static int parse_duration_call(struct promql_parser *p, const char *context,
                               struct promql_duration **out)
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
            err = promql__expect_op(p, "(", context);
        for (int k = 0; k < calls[i].args && !err; k++) {
            if (k)
                err = promql__expect_op(p, ",", context);
            if (!err)
                err = parse_duration_expr(p, 0, context, k ? &d->right : &d->left);
        }
        if (!err)
            err = promql__expect_op(p, ")", context);
        d->end = p->last_end;
        *out = d;
        return err;
    }
    return promql__unexpected(p, context);
}

/* With a sign in front if need be. */
static int parse_duration_unit(struct promql_parser *p, const char *context, int sign_binds,
                               struct promql_duration **out)
{
    struct promql_duration *d;
    int err;
    if (++p->depth > PROMQL__DEPTH_MAX)
        return promql__fail_at(p, p->now.begin, p->now.end,
                               "the expression is nested too deeply (%d levels at most)",
                               PROMQL__DEPTH_MAX);
    if (promql__is_op(p, "-") || promql__is_op(p, "+")) {
        d = new_duration(p, promql__is_op(p, "-") ? PROMQL_D_NEGATE : PROMQL_D_PLUS, p->now.begin);
        err = promql__advance(p);
        if (!err)
            err = sign_binds ? parse_duration_expr(p, sign_binds, context, &d->left)
                             : parse_duration_unit(p, context, 0, &d->left);
    } else if (promql__is_op(p, "(")) {
        d = new_duration(p, PROMQL_D_PAREN, p->now.begin);
        err = promql__advance(p);
        if (!err)
            err = parse_duration_expr(p, 0, context, &d->left);
        if (!err)
            err = promql__expect_op(p, ")", context);
    } else if (p->now.kind == PROMQL_T_NUMBER) {
        d = new_duration(p, PROMQL_D_NUMBER, p->now.begin);
        d->seconds = p->now.is_duration ? (double)p->now.duration_ns / 1e9 : p->now.number;
        d->is_duration = p->now.is_duration;
        err = promql__advance(p);
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

static int parse_duration_expr(struct promql_parser *p, int min_precedence, const char *context,
                               struct promql_duration **out)
{
    static const enum promql_duration_op ops[] = {
        [QUERY_ADD] = PROMQL_D_ADD, [QUERY_SUB] = PROMQL_D_SUB, [QUERY_MUL] = PROMQL_D_MUL,
        [QUERY_DIV] = PROMQL_D_DIV, [QUERY_MOD] = PROMQL_D_MOD, [QUERY_POW] = PROMQL_D_POW};
    int err = parse_duration_unit(p, context, 6, out);
    while (!err) {
        int which = promql__find_operator(p);
        if (which < 0 || promql__operators[which].op > QUERY_POW ||
            promql__operators[which].precedence < min_precedence)
            break;
        struct promql_duration *d =
            new_duration(p, ops[promql__operators[which].op], (*out)->begin);
        d->left = *out;
        int next = promql__operators[which].precedence + (d->op == PROMQL_D_POW ? 0 : 1);
        if ((err = promql__advance(p)) || (err = parse_duration_expr(p, next, context, &d->right)))
            break;
        d->end = d->right->end;
        *out = d;
    }
    return err;
}

/* What can be told before the steps of the query are known. */
static int check_positive(struct promql_parser *p, const struct promql_duration *d, size_t begin)
{
    int64_t ns;
    struct diag why;
    diag_init(&why);
    if (promql__duration_varies(d))
        return 0;
    if (promql__duration_value(d, NULL, &ns, &why))
        return promql__fail_at(p, begin, p->last_end, "%s", why.msg);
    if (ns <= 0)
        return promql__fail_at(p, begin, p->last_end, "duration must be greater than 0");
    return 0;
}

static int parse_range(struct promql_parser *p, struct promql_expr **io)
{
    struct promql_expr *inner = *io;
    struct promql_duration *range = NULL, *step = NULL;
    bool subquery = false;
    int err = promql__advance(p);
    size_t range_begin = p->now.begin, step_begin = 0;
    if (!err)
        err = parse_duration_expr(p, 0, "range specification, expected duration", &range);
    if (!err && promql__is_op(p, ":")) {
        subquery = true;
        err = promql__advance(p);
        step_begin = p->now.begin;
        if (!err && !promql__is_op(p, "]"))
            err = parse_duration_expr(p, 0, "subquery selector, expected duration or \"]\"", &step);
    }
    if (!err)
        err = promql__expect_op(p, "]", "range specification");
    if (err)
        return err;
    struct promql_expr *e = promql__new_expr(p, subquery ? PROMQL_SUBQUERY : PROMQL_MATRIX,
                                             QUERY_TYPE_MATRIX, inner->begin);
    e->range = range;
    e->step = step;
    e->end = p->last_end;
    if ((err = check_positive(p, range, range_begin)) ||
        (step && (err = check_positive(p, step, step_begin))))
        return err;
    if (subquery) {
        if (inner->type != QUERY_TYPE_VECTOR && inner->type != QUERY_TYPE_SCALAR)
            return promql__fail_at(p, inner->begin, inner->end,
                                   "subquery is only allowed on instant vector, got %s instead",
                                   promql__type_name(inner->type));
        if (inner->type == QUERY_TYPE_SCALAR && inner->kind != PROMQL_PAREN &&
            inner->kind != PROMQL_CALL)
            return promql__fail_at(
                p, inner->begin, inner->end,
                "subquery is only allowed on instant vector, got scalar instead");
    } else {
        if (inner->kind != PROMQL_SELECTOR)
            return promql__fail_at(p, inner->begin, e->end,
                                   "ranges only allowed for vector selectors");
        if (inner->offset)
            return promql__fail_at(p, inner->begin, e->end,
                                   "no offset modifiers allowed before range");
        if (inner->at != PROMQL_AT_NONE)
            return promql__fail_at(p, inner->begin, e->end, "no @ modifiers allowed before range");
    }
    promql__set_args(p, e, &inner, 1);
    *io = e;
    return 0;
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
    size_t begin = p->now.begin;
    struct promql_duration *offset = NULL;
    int64_t ns;
    struct diag why;
    diag_init(&why);
    int err = promql__advance(p);
    /* Operators behind it belong to the expression: an offset's own stand in parentheses. */
    if (!err)
        err = parse_duration_unit(p, "offset, expected number or duration", 0, &offset);
    if (!err && !promql__duration_varies(offset) && promql__duration_value(offset, NULL, &ns, &why))
        err = promql__fail_at(p, begin, p->last_end, "%s", why.msg);
    if (err)
        return err;
    struct promql_expr *to = promql__timed(e);
    if (!to)
        return promql__fail_at(
            p, begin, p->last_end,
            "offset modifier must be preceded by an instant vector selector or range "
            "vector selector or a subquery");
    if (to->offset)
        return promql__fail_at(p, begin, p->last_end, "offset may not be set multiple times");
    to->offset = offset;
    e->end = p->last_end;
    return 0;
}

static int parse_at(struct promql_parser *p, struct promql_expr *e)
{
    size_t begin = p->now.begin;
    enum promql_at at = PROMQL_AT_TIME;
    double seconds = 0;
    int err = promql__advance(p);
    if (err)
        return err;
    if (promql__is_word(p, "start") || promql__is_word(p, "end")) {
        at = promql__is_word(p, "start") ? PROMQL_AT_START : PROMQL_AT_END;
        if (!(err = promql__advance(p)) && !(err = promql__expect_op(p, "(", "@")))
            err = promql__expect_op(p, ")", "@");
    } else {
        bool negative = promql__is_op(p, "-");
        if (negative || promql__is_op(p, "+"))
            err = promql__advance(p);
        if (!err && p->now.kind == PROMQL_T_NUMBER) {
            seconds = negative ? -p->now.number : p->now.number;
            err = promql__advance(p);
        } else if (!err && (promql__is_word(p, "inf") || promql__is_word(p, "nan"))) {
            return promql__fail_at(p, begin, p->now.end,
                                   "timestamp out of bounds for @ modifier: %.*s",
                                   SLICE_FMT(p->now.text));
        } else if (!err) {
            return promql__unexpected(p, "@, expected timestamp");
        }
    }
    if (err)
        return err;
    struct promql_expr *to = promql__timed(e);
    if (!to)
        return promql__fail_at(
            p, begin, p->last_end,
            "@ modifier must be preceded by an instant vector selector or range vector "
            "selector or a subquery");
    if (to->at != PROMQL_AT_NONE)
        return promql__fail_at(p, begin, p->last_end,
                               "@ <timestamp> may not be set multiple times");
    if (fabs(seconds) > 9.2e9)
        return promql__fail_at(p, begin, p->last_end, "timestamp out of bounds for @ modifier: %f",
                               seconds);
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
    if (!p->options->experimental)
        return promql__fail_at(
            p, p->now.begin, p->now.end,
            "the modifiers anchored and smoothed are experimental and must be enabled "
            "with promql.experimental");
    struct promql_expr *to = promql__timed(e);
    if (!to || to->kind == PROMQL_SUBQUERY)
        return promql__fail_at(p, e->begin, p->now.end,
                               "%s modifier can only be used with vector or range vector selectors",
                               word);
    if (!smoothed && e->kind != PROMQL_MATRIX)
        return promql__fail_at(p, e->begin, p->now.end,
                               "anchored modifier can only be used with range vector selectors");
    if (to->anchored || to->smoothed)
        return promql__fail_at(p, e->begin, p->now.end,
                               "anchored and smoothed modifiers cannot be used together");
    to->smoothed = smoothed;
    to->anchored = !smoothed;
    int err = promql__advance(p);
    e->end = p->last_end;
    return err;
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
