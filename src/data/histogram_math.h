/* What can be computed with native histograms: buckets with their bounds, sums and differences of
 * histograms of different layouts, counter resets, estimates, trimming.
 * Semantics: Prometheus' native histogram specification and its PromQL functions. */
#ifndef DATA_HISTOGRAM_MATH_H
#define DATA_HISTOGRAM_MATH_H

#include "base/vec.h"
#include "data/histogram.h"
#include "data/kahan.h"

/* --- buckets --- */

struct data_histogram_bucket {
    double lower, upper, count;
};
typedef VEC(struct data_histogram_bucket) data_histogram_bucket_list;

static inline bool data_histogram_is_custom(const struct data_histogram *h)
{
    return h->schema == DATA_HISTOGRAM_SCHEMA_CUSTOM;
}
/* Upper bound of the bucket `index` of the positive side. */
double data_histogram_bound(const struct data_histogram *h, int64_t index);
/* Replaces *out by all buckets, ascending, the zero bucket (when it counts anything) among them. */
void data_histogram_buckets(const struct data_histogram *h, data_histogram_bucket_list *out);

/* --- sums --- */

/* What happened when two histograms met. */
enum {
    DATA_HISTOGRAM_RECONCILED = 1,     /* custom bounds differ: those in common were kept */
    DATA_HISTOGRAM_RESETS_COLLIDE = 2, /* one says counter reset, the other says none */
};

struct data_histogram_item {
    int64_t index;
    struct data_kahan count;
};
typedef VEC(struct data_histogram_item) data_histogram_side;

/* A histogram being added up. Zero it, or data_histogram_sum_start it; free it in the end. */
struct data_histogram_sum {
    bool started;
    int32_t schema;
    uint8_t reset_hint;
    double zero_threshold;
    struct data_kahan zero_count, count, sum;
    data_histogram_side positive, negative; /* ascending by index */
    VEC(double) custom_bounds;
};

void data_histogram_sum_start(struct data_histogram_sum *s, const struct data_histogram *h);
void data_histogram_sum_free(struct data_histogram_sum *s);
/* Bytes on the heap. */
size_t data_histogram_sum_bytes(const struct data_histogram_sum *s);
/* Adds h times `sign` (1 or -1): layouts are brought to the coarser schema, the wider zero bucket,
 * the custom bounds in common. The first one added starts the sum. *flags (may be NULL) gathers
 * what happened. ERR_INVALID: exponential and custom buckets cannot meet. */
int data_histogram_sum_add(struct data_histogram_sum *s, const struct data_histogram *h,
                           double sign, unsigned *flags);
/* A negative factor makes a gauge. */
void data_histogram_sum_scale(struct data_histogram_sum *s, double factor);
/* Dividing by 0 leaves no buckets. */
void data_histogram_sum_divide(struct data_histogram_sum *s, double divisor);
/* The histogram of it, without empty buckets, in the arena; NULL only when its budget is used up.
 */
struct data_histogram *data_histogram_sum_finish(const struct data_histogram_sum *s,
                                                 struct arena *arena);

/* --- comparing --- */

/* True when h cannot continue the counter that stood at `previous`. */
bool data_histogram_is_reset(const struct data_histogram *h, const struct data_histogram *previous);
/* Equal in everything but hint and layout of empty buckets. */
bool data_histogram_equal(const struct data_histogram *a, const struct data_histogram *b);

/* --- estimates --- */

/* The phi-quantile; NaN for an empty histogram, -Inf and +Inf for a phi outside of [0, 1].
 * *out_nan_skew is set when observations of NaN moved or spoilt the answer. */
double data_histogram_quantile(const struct data_histogram *h, double phi,
                               data_histogram_bucket_list *scratch, bool *out_nan_skew);
/* The share of observations between two bounds. */
double data_histogram_fraction(const struct data_histogram *h, double lower, double upper,
                               data_histogram_bucket_list *scratch);
/* Population variance, every bucket standing for its middle. */
double data_histogram_variance(const struct data_histogram *h, data_histogram_bucket_list *scratch);
/* The observations up to (`keep_upper` false) or from the cutoff on, the sum estimated anew. What
 * loses nothing is returned as it is. NULL only when the arena's budget is used up. */
const struct data_histogram *data_histogram_trim(struct arena *arena,
                                                 const struct data_histogram *h, double cutoff,
                                                 bool keep_upper);

#endif
