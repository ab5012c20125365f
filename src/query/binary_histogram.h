/* Binary operators where at least one side is a histogram. */
#ifndef QUERY_BINARY_HISTOGRAM_H
#define QUERY_BINARY_HISTOGRAM_H

#include "query/grid.h"

struct query_operand {
    double v;
    const struct data_histogram *h; /* NULL for a float */
};

/* Puts what comes out, if anything, at the row's step; what cannot be combined leaves nothing but
 * an annotation. ERR_NOMEM only. */
int query__binary_histogram(struct query_exec *x, const struct query_node *n,
                            struct query_operand a, struct query_operand b, struct query_row *row,
                            size_t step);

#endif
