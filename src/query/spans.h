/* Where the windows of all steps lie in one column of times. Computed once a column: series that
 * were scraped together have the same times, and share it. */
#ifndef QUERY_SPANS_H
#define QUERY_SPANS_H

#include "base/budget.h"
#include "base/hash.h"
#include "base/types.h"

/* The windows a node asks for: step s sees (T - range, T] with T = first_ns + s * step_ns. */
struct query__windows {
    int64_t first_ns, step_ns, range_ns;
    size_t steps;
    bool per_second; /* factors for rate, not for increase */
};

/* Indexes are valid at every step in [lo, hi), also where a window is empty or short: the masks
 * tell. */
struct query__span {
    struct hash128 id;
    size_t lo, hi;         /* outside, every window is empty; lo == hi when all are */
    uint32_t *first;       /* of a window's samples, the first */
    uint32_t *last;        /* and the last */
    uint8_t *any, *two;    /* 1 where a window has a sample; at least two */
    size_t two_lo, two_hi; /* of the windows with at least two the first, and behind the last */
    bool any_all, two_all; /* at every step in [lo, hi); in [two_lo, two_hi) */
    /* Within [even_lo, even_hi) first and last go up by `stride` from step to step. */
    size_t even_lo, even_hi;
    uint32_t stride;

    /* Made when first asked for. */
    double *sampled, *to_start, *to_end, *factor; /* see query__span_extrapolation */
    double least_sampled, most_to_start;          /* of all windows of at least two samples */
    bool one_factor;                              /* the same in [even_lo, even_hi) */
    double *apart;                                /* seconds between the last two samples */
};

#define QUERY__SPAN_BYTES (2 * sizeof(uint32_t) + 2 + 5 * sizeof(double)) /* a step, at most */

/* One thread's spans, for one node. Zero it, set `windows`. */
struct query__spans {
    struct query__windows windows;
    struct query__span **table; /* by id; power of two */
    size_t size, count, bytes;
    struct budget *memory;     /* what is kept is charged to; may be NULL */
    struct query__span *spare; /* for what the cache has no room for */
};

/* Of times in ascending order; at most INT32_MAX of them. `id` tells columns apart, zero: it is not
 * known. Valid until the next call. */
struct query__span *query__span_of(struct query__spans *s, const int64_t *ts, size_t count,
                                   struct hash128 id);
/* Seconds between first and last sample, from the window's start to the first sample (at most
 * half an average interval when there is a gap), from the last to its end, and the factor a change
 * is multiplied with unless it is a counter that would have started within the window. `place`:
 * the samples' places among all, NULL when none are left out. */
void query__span_extrapolation(const struct query__spans *s, struct query__span *p,
                               const int64_t *ts, const uint32_t *place);
void query__span_apart(const struct query__spans *s, struct query__span *p, const int64_t *ts);
void query__spans_free(struct query__spans *s);

#endif
