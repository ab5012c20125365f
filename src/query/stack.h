/* Histograms of a group added up at every step, as rows of them come. */
#ifndef QUERY_STACK_H
#define QUERY_STACK_H

#include "query/grid.h"

struct query__stack;

/* Of `steps` sums, which are charged to `memory` (may be NULL) as they grow. In the arena but for
 * the sums; NULL without memory. */
struct query__stack *query__stack_new(struct arena *arena, size_t steps, struct budget *memory);
void query__stack_free(struct query__stack *s); /* NULL is fine */
/* Nothing is kept of h. `row` is told of when it does not fit to those before. False without
 * memory. Different steps may be added to by different threads. */
bool query__stack_add(struct query__stack *s, size_t step, const struct data_histogram *h,
                      uint32_t row);
/* Whether a row did not fit, and which one. */
bool query__stack_misfit(const struct query__stack *s, size_t step, uint32_t *out_row);
/* The sum or average of n, an AGGREGATE, goes into the row, with what is to be said about it. With
 * floats beside them there is none. `metric` is that of the row that does not fit. */
int query__stack_put(struct query__stack *s, struct query_exec *x, const struct query_node *n,
                     size_t step, bool floats, struct slice metric, struct query_row *row);

#endif
