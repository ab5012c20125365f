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
void query__total_free(struct query_histogram_total *t);

#endif
