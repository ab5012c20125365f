/* Series as test scripts and unit tests of rules write them: a metric with labels, then values.
 *
 *     http_requests_total{job="api"}  0+10x100 _ stale {{schema:0 count:2 sum:3 buckets:[2]}}x5
 *
 * a number, stale, _ (nothing), a histogram (data/histogram_notation.h); axN is a and N more of it,
 * a+bxN and a-bxN go up or down by b, _xN is N times nothing. */
#ifndef LANG_PROMQL_SERIES_NOTATION_H
#define LANG_PROMQL_SERIES_NOTATION_H

#include "base/arena.h"
#include "base/diag.h"
#include "data/histogram.h"
#include "data/labels.h"

struct promql_series_value {
    bool missing;
    double value;
    const struct data_histogram *histogram; /* NULL for a float */
};

/* The metric in front; *line is left at what follows it. */
int promql_parse_series_labels(struct slice *line, struct arena *arena, struct data_labels *out,
                               struct diag *diag);
/* All values of the line. At most 1,000,000. */
int promql_parse_series_values(struct slice line, struct arena *arena,
                               struct promql_series_value **out, size_t *out_count,
                               struct diag *diag);

#endif
