/* Native histograms: exponential (schema -4..8) and custom-bucket (schema -53), integer or float.
 * Counts are held as doubles, absolute per bucket (no deltas); integer histograms are marked so.
 * Semantics: Prometheus' native histogram specification. */
#ifndef DATA_HISTOGRAM_H
#define DATA_HISTOGRAM_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/types.h"

#define DATA_HISTOGRAM_SCHEMA_CUSTOM (-53)

enum data_counter_reset { DATA_RESET_UNKNOWN, DATA_RESET_YES, DATA_RESET_NO, DATA_RESET_GAUGE };

/* `offset`: gap to the previous span's end (first span: the bucket index itself). */
struct data_histogram_span {
    int32_t offset;
    uint32_t length;
};

struct data_histogram {
    int32_t schema;
    uint8_t reset_hint; /* enum data_counter_reset */
    bool is_integer;
    bool is_stale; /* the staleness marker as a histogram (its sum is the stale NaN) */
    double zero_threshold, zero_count, count, sum;
    struct data_histogram_span *positive_spans, *negative_spans;
    uint32_t positive_span_count, negative_span_count;
    double *positive, *negative; /* one count a bucket, in span order */
    uint32_t positive_count, negative_count;
    double *custom_bounds; /* schema -53: upper bounds, ascending, without +Inf */
    uint32_t custom_bound_count;
};

/* Deep copy; NULL only when the arena's budget is used up. */
struct data_histogram *data_histogram_copy(struct arena *arena, const struct data_histogram *h);
/* Spans fit the buckets, bounds ascend, the schema is known, counts are not negative (unless a
 * gauge). */
int data_histogram_check(const struct data_histogram *h, struct diag *diag);
/* The same observations in the coarser exponential schema `schema` (-4..8, below h's own): buckets
 * are merged, runs without a gap become one span. NULL with a diag when h contradicts itself or its
 * schema is not exponential. The result is checked. */
struct data_histogram *data_histogram_reduce(struct arena *arena, const struct data_histogram *h,
                                             int32_t schema, struct diag *diag);
/* Bit for bit the same. */
bool data_histogram_identical(const struct data_histogram *a, const struct data_histogram *b);

#endif
