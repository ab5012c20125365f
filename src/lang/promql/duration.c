/* Durations that are calculated. */
#include <math.h>

#include "codec/number.h"
#include "lang/promql/ast.h"
#include "text/duration.h"

bool promql__duration_varies(const struct promql_duration *d)
{
    return d && (d->op == PROMQL_D_STEP || d->op == PROMQL_D_RANGE ||
                 promql__duration_varies(d->left) || promql__duration_varies(d->right));
}

/* In seconds, as numbers in a query are. */
static int evaluate(const struct promql_duration *d, const struct query_steps *steps, double *out,
                    struct diag *diag)
{
    double a = 0, b = 0;
    int err = d->left ? evaluate(d->left, steps, &a, diag) : 0;
    if (!err && d->right)
        err = evaluate(d->right, steps, &b, diag);
    if (err)
        return err;
    switch (d->op) {
    case PROMQL_D_NUMBER: *out = d->seconds; return 0;
    case PROMQL_D_STEP:
        *out = steps && !steps->instant ? (double)steps->step_ns / 1e9 : 0;
        return 0;
    case PROMQL_D_RANGE:
        *out = steps ? (double)(steps->end_ns - steps->start_ns) / 1e9 : 0;
        return 0;
    case PROMQL_D_MIN: *out = fmin(a, b); return 0;
    case PROMQL_D_MAX: *out = fmax(a, b); return 0;
    case PROMQL_D_NEGATE: *out = -a; return 0;
    case PROMQL_D_PLUS:
    case PROMQL_D_PAREN: *out = a; return 0;
    case PROMQL_D_ADD: *out = a + b; return 0;
    case PROMQL_D_SUB: *out = a - b; return 0;
    case PROMQL_D_MUL: *out = a * b; return 0;
    case PROMQL_D_DIV:
        *out = a / b;
        return b == 0 ? diag_set(diag, ERR_INVALID, "division by zero") : 0;
    case PROMQL_D_MOD:
        *out = fmod(a, b);
        return b == 0 ? diag_set(diag, ERR_INVALID, "modulo by zero") : 0;
    case PROMQL_D_POW: *out = pow(a, b); return 0;
    }
    return 0;
}

int promql__duration_value(const struct promql_duration *d, const struct query_steps *steps,
                           int64_t *out_ns, struct diag *diag)
{
    double seconds;
    int err = evaluate(d, steps, &seconds, diag);
    if (err)
        return err;
    if (!(fabs(seconds) <= 9.2e9))
        return diag_set(diag, ERR_INVALID, "duration out of range");
    *out_ns = (int64_t)llround(seconds * 1000) * NS_PER_MS;
    return 0;
}

bool promql__duration_is_plain(const struct promql_duration *d)
{
    if (d->op == PROMQL_D_NEGATE || d->op == PROMQL_D_PLUS)
        d = d->left;
    return d->op == PROMQL_D_NUMBER;
}

const char *promql__duration_op_name(enum promql_duration_op op)
{
    static const char *const names[] = {
        [PROMQL_D_NUMBER] = "",    [PROMQL_D_STEP] = "step",  [PROMQL_D_RANGE] = "range",
        [PROMQL_D_MIN] = "min_of", [PROMQL_D_MAX] = "max_of", [PROMQL_D_NEGATE] = "-",
        [PROMQL_D_PLUS] = "+",     [PROMQL_D_PAREN] = "",     [PROMQL_D_ADD] = "+",
        [PROMQL_D_SUB] = "-",      [PROMQL_D_MUL] = "*",      [PROMQL_D_DIV] = "/",
        [PROMQL_D_MOD] = "%",      [PROMQL_D_POW] = "^"};
    return names[op];
}

static void print(const struct promql_duration *d, bool top, struct buf *out)
{
    switch (d->op) {
    case PROMQL_D_NUMBER:
        if (d->is_duration || top)
            text_duration_print((int64_t)llround(d->seconds * 1000) * NS_PER_MS, out);
        else
            codec_append_double(out, d->seconds, CODEC_DOUBLE_PLAIN);
        return;
    case PROMQL_D_STEP:
    case PROMQL_D_RANGE: buf_printf(out, "%s()", promql__duration_op_name(d->op)); return;
    case PROMQL_D_MIN:
    case PROMQL_D_MAX:
        buf_printf(out, "%s(", promql__duration_op_name(d->op));
        print(d->left, false, out);
        buf_append_cstr(out, ", ");
        print(d->right, false, out);
        buf_append_char(out, ')');
        return;
    case PROMQL_D_NEGATE:
        buf_append_char(out, '-');
        print(d->left, top && d->left->op == PROMQL_D_NUMBER, out);
        return;
    case PROMQL_D_PLUS: print(d->left, top && d->left->op == PROMQL_D_NUMBER, out); return;
    case PROMQL_D_PAREN:
        buf_append_char(out, '(');
        print(d->left, false, out);
        buf_append_char(out, ')');
        return;
    default:
        print(d->left, false, out);
        buf_printf(out, " %s ", promql__duration_op_name(d->op));
        print(d->right, false, out);
    }
}

/* A plain number is a duration in seconds; within an expression it is a number. */
void promql__duration_print(const struct promql_duration *d, struct buf *out)
{
    print(d, true, out);
}
