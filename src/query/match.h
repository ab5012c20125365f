/* Which rows of two operands meet: those whose labels, of those that an operator matches by, are
 * the same. */
#ifndef QUERY_MATCH_H
#define QUERY_MATCH_H

#include "query/grid.h"

/* The rows of one operand by their signature: those of `id` are rows[begin[id]] to
 * rows[begin[id + 1]], in the order they have in the grid. */
struct query__side {
    struct query_grid *grid;
    uint32_t *ids, *begin, *rows;
};

/* Rows meet when their signatures have the same number. */
struct query__match {
    struct query_exec *x;
    const struct query_node *n; /* BINARY */
    struct query__side side[2];
    size_t count; /* of signatures, in the order in which they are first met */
    uint64_t charged;
};

/* The labels that decide, for messages and results. In the run's arena. */
struct data_labels query__signature(struct query_exec *x, const struct query_node *n,
                                    struct data_labels labels);
/* *out is freed by query__match_free, also after errors (ERR_NOMEM). */
int query__match_init(struct query_exec *x, const struct query_node *n, struct query_grid *first,
                      struct query_grid *second, struct query__match *out);
void query__match_free(struct query__match *m);

#endif
