#include "query/binary_histogram.h"

#include "data/histogram_math.h"

static const char *const signs[] = {"+", "-",  "*", "/",  "%",  "^",  "atan2", "==", "!=",
                                    "<", "<=", ">", ">=", "</", ">/", "and",   "or", "unless"};

static void incompatible(struct query_exec *x, const struct query_node *n, struct query_operand a,
                         struct query_operand b)
{
    query__info(x, n, "incompatible sample types encountered for binary operator \"%s\": %s %s %s",
                signs[n->binary], a.h ? "histogram" : "float", signs[n->binary],
                b.h ? "histogram" : "float");
}

static int add_or_subtract(struct query_exec *x, const struct query_node *n,
                           const struct data_histogram *a, const struct data_histogram *b,
                           struct query_row *row, size_t step)
{
    bool minus = n->binary == QUERY_SUB;
    struct data_histogram_sum sum = {0};
    unsigned flags = 0;
    int err = 0;
    data_histogram_sum_start(&sum, a);
    if (data_histogram_sum_add(&sum, b, minus ? -1 : 1, &flags)) {
        query__warn(x, n, "incompatible bucket layout encountered for binary operator %s",
                    signs[n->binary]);
    } else {
        const char *what = minus ? "subtraction" : "addition";
        if (flags & DATA_HISTOGRAM_RESETS_COLLIDE)
            query__warn(x, n, "conflicting counter resets during histogram %s", what);
        if (flags & DATA_HISTOGRAM_RECONCILED)
            query__info(x, n, "mismatched custom buckets were reconciled during %s", what);
        if (minus)
            sum.reset_hint = DATA_RESET_GAUGE;
        err = query__put_histogram(x, row, step, data_histogram_sum_finish(&sum, x->arena));
    }
    data_histogram_sum_free(&sum);
    return err;
}

static int scale(struct query_exec *x, const struct query_node *n, const struct data_histogram *h,
                 double by, struct query_row *row, size_t step)
{
    struct data_histogram_sum sum = {0};
    data_histogram_sum_start(&sum, h);
    if (n->binary == QUERY_DIV)
        data_histogram_sum_divide(&sum, by);
    else
        data_histogram_sum_scale(&sum, by);
    int err = query__put_histogram(x, row, step, data_histogram_sum_finish(&sum, x->arena));
    data_histogram_sum_free(&sum);
    return err;
}

int query__binary_histogram(struct query_exec *x, const struct query_node *n,
                            struct query_operand a, struct query_operand b, struct query_row *row,
                            size_t step)
{
    enum query_binary_op op = n->binary;
    if (a.h && b.h && (op == QUERY_ADD || op == QUERY_SUB))
        return add_or_subtract(x, n, a.h, b.h, row, step);
    if (a.h && b.h && (op == QUERY_EQ || op == QUERY_NE)) {
        bool holds = data_histogram_equal(a.h, b.h) == (op == QUERY_EQ);
        if (n->return_bool)
            query__put_float(row, step, holds);
        else if (holds)
            return query__put_histogram(x, row, step, a.h);
        return 0;
    }
    if (a.h && !b.h && (op == QUERY_MUL || op == QUERY_DIV))
        return scale(x, n, a.h, b.v, row, step);
    if (!a.h && b.h && op == QUERY_MUL)
        return scale(x, n, b.h, a.v, row, step);
    if (a.h && !b.h && (op == QUERY_TRIM_UPPER || op == QUERY_TRIM_LOWER))
        return query__put_histogram(
            x, row, step, data_histogram_trim(x->arena, a.h, b.v, op == QUERY_TRIM_LOWER));
    incompatible(x, n, a, b);
    return 0;
}
