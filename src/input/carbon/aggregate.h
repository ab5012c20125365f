/* What aggregation-rules.conf asks for: points of several names become one a frequency. As carbon's
 * aggregator: points are gathered by the interval their time lies in; each frequency the intervals
 * that got points since are computed (again), and forgotten after five. One lock; any thread. */
#ifndef INPUT_CARBON_AGGREGATE_H
#define INPUT_CARBON_AGGREGATE_H

#include "input/carbon/rules.h"

struct carbon_aggregator;

/* Of names, and of values that percentiles hold. */
struct carbon_aggregator *carbon_aggregator_new(size_t names_max, size_t values_max);
void carbon_aggregator_free(struct carbon_aggregator *a); /* NULL is fine */
/* False: over a limit. */
bool carbon_aggregator_add(struct carbon_aggregator *a, const struct carbon_aggregate *to,
                           int64_t now_s, int64_t ts_s, double value);
/* Calls `each` for what is due; with `all` for whatever got points. */
void carbon_aggregator_flush(struct carbon_aggregator *a, int64_t now_s, bool all,
                             void (*each)(void *ctx, struct slice name, int64_t ts_s, double value),
                             void *ctx);

#endif
