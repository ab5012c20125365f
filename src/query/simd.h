/* The loops that cost: each as plain C and for AVX2, with the same results bit for bit. */
#ifndef QUERY_SIMD_H
#define QUERY_SIMD_H

#include "base/types.h"

enum {
    QUERY__HAS_STALE = 1, /* a staleness marker */
    QUERY__HAS_NAN = 2,   /* any NaN, markers too */
    QUERY__HAS_MINUS_ZERO = 4,
    QUERY__HAS_DROP = 8,      /* a value below the one before */
    QUERY__HAS_FRACTION = 16, /* a value that is no integer; set for infinities and NaN */
};

/* Windows of consecutive steps: the i-th sees v[first[i]] .. v[last[i]]. */
struct query__bounds {
    const uint32_t *first, *last;
    size_t n;
    uint32_t stride; /* both go up by so much from step to step; 0: by anything */
};

/* What counters are extrapolated with, one a step (query__span_extrapolation). */
struct query__stretch {
    const double *sampled, *to_start, *to_end, *factor;
    double range_s; /* what rate divides by; 0 for increase */
};

struct query__simd {
    const char *name;
    /* What there is among n values, and the greatest magnitude (undefined with NaN). */
    unsigned (*look)(const double *v, size_t n, double *out_max);
    /* The indices of values below the one before; returns how many. */
    size_t (*drops)(const double *v, size_t n, uint32_t *out);
    /* out[i] = v[at[i]] */
    void (*pick)(const double *v, const uint32_t *at, size_t n, double *out);
    /* out[i] = v[last[i]] - v[first[i]] */
    void (*change)(const double *v, const struct query__bounds *b, double *out);
    /* out[i] = (v[last[i]] - v[first[i]]) * factor[i], or always *factor. */
    void (*scaled)(const double *v, const struct query__bounds *b, const double *factor,
                   bool one_factor, double *out);
    /* out[i] (a counter's increase by its samples) extrapolated; with `fresh` that increase is the
     * change, and out[i] is only written. */
    void (*counter)(const double *v, const struct query__bounds *b, const struct query__stretch *e,
                    bool fresh, double *out);
    /* The compensated sums of v[first[i]] .. v[last[i]]. */
    void (*window_sums)(const double *v, const uint32_t *first, const uint32_t *last, size_t n,
                        double *out_sum, double *out_c);
    /* One more value for n compensated sums, n minima, n maxima. */
    void (*add)(const double *v, size_t n, double *sum, double *c);
    void (*least)(const double *v, size_t n, double *m);
    void (*most)(const double *v, size_t n, double *m);
};

extern const struct query__simd query__simd_plain;
/* The best this processor has. */
const struct query__simd *query__simd(void);

#endif
