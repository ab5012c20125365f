/* Windows and instants that look beyond their edges: the selectors' modifiers anchored and smoothed
 * (Prometheus' proposal PROM-52). */
#ifndef QUERY_EXTENDED_H
#define QUERY_EXTENDED_H

#include "query/scan.h"

/* rate, increase, delta, changes or resets over all windows of a series, whose samples reach one
 * lookback beyond them. */
int query__sweep_extended(struct query_exec *x, const struct query_node *n,
                          const struct query_samples *run, struct query_row *row);
/* The value at each step, interpolated between the samples around it. */
int query__smoothed_instant(struct query_exec *x, const struct query_node *n,
                            const struct query_samples *run, struct query_row *row,
                            size_t *out_found);

#endif
