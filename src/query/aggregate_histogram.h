/* Sums and averages of many histograms, for aggregations over series and over time. */
#ifndef QUERY_AGGREGATE_HISTOGRAM_H
#define QUERY_AGGREGATE_HISTOGRAM_H

#include "data/histogram_math.h"
#include "query/grid.h"

struct query_histogram_total {
    struct data_histogram_sum sum;
    struct data_histogram_sum mean; /* in use from where the sum overflowed */
    bool incremental, incompatible, reset_seen, no_reset_seen;
    unsigned flags;
    size_t count;
};

/* Zero the total first. Nothing is kept of h. */
void query__total_add(struct query_histogram_total *t, const struct data_histogram *h);
/* Annotations for what happened while adding, except for `incompatible`. */
void query__total_tell(const struct query_histogram_total *t, struct query_exec *x,
                       const struct query_node *at);
/* The sum or the average; NULL when memory is used up. */
const struct data_histogram *query__total_finish(struct query_histogram_total *t, bool average,
                                                 struct arena *arena);
/* The same into a row of n, an AGGREGATE, after the annotations; nothing when they do not fit. */
int query__total_put(struct query_histogram_total *t, struct query_exec *x,
                     const struct query_node *n, size_t step, struct query_row *row);
/* Bytes on the heap. */
size_t query__total_bytes(const struct query_histogram_total *t);
/* Annotations of an aggregation: a histogram (of the metric, if it has one) that does not fit to
 * those before; floats among histograms; histograms that are left out. */
void query__tell_misfit(struct query_exec *x, const struct query_node *n, struct slice metric);
void query__tell_mixed_group(struct query_exec *x, const struct query_node *n);
void query__tell_left_out(struct query_exec *x, const struct query_node *n);
void query__total_free(struct query_histogram_total *t);

#endif
