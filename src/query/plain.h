/* Instant selectors and windows over one series step by step, histograms included. */
#ifndef QUERY_PLAIN_H
#define QUERY_PLAIN_H

#include "query/scan.h"

/* Hints of histograms that have none, from what came before. */
void query__find_resets(struct query_exec *x, struct store_samples *s);
/* Takes the staleness markers out and returns how many samples are left; how many of these are
 * histograms. */
size_t query__clean(struct store_samples *s, size_t *out_histograms);
/* How many samples the row shows. */
size_t query__plain_instant(struct query_exec *x, const struct query_node *n,
                            const struct store_samples *samples, struct query_row *row);
int query__plain_windows(struct query_exec *x, const struct query_node *n,
                         const struct query_samples *run, const struct query_grid *params,
                         struct query_row *row);

#endif
