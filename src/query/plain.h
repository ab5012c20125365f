/* Instant selectors and windows over one series step by step, histograms included. What is made
 * lies in the arena of `x`, annotations are added to it. */
#ifndef QUERY_PLAIN_H
#define QUERY_PLAIN_H

#include "query/scan.h"

/* Fills a row, which has no values yet, with what an INSTANT or WINDOW node makes of the samples of
 * a series, whose labels it has. *samples is used up. *out_count is the number of samples that
 * count against the limits: those in windows, or that an instant selector shows; 0: there is no
 * row. */
int query__plain_row(struct query_exec *x, const struct query_node *n,
                     const struct query_grid *params, struct store_samples *samples,
                     struct query_row *row, size_t *out_count);
int query__plain_windows(struct query_exec *x, const struct query_node *n,
                         const struct query_samples *run, const struct query_grid *params,
                         struct query_row *row);

#endif
