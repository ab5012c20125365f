/* A function over the windows of one series, all steps at once: a row. */
#ifndef QUERY_SWEEP_H
#define QUERY_SWEEP_H

#include "query/functions.h"
#include "query/simd.h"
#include "query/spans.h"

/* Steps outside [lo, hi) have no value; within, `has` tells unless all of them have. */
struct query__row {
    double *value; /* one a step; undefined where there is none */
    uint8_t *has;
    size_t lo, hi;
    bool all;
};

/* Samples in ascending order, with staleness markers. */
struct query__column {
    const int64_t *ts;
    const double *v;
    size_t count;
    struct hash128 times_id; /* as in struct store_samples, and what is known of values too */
    bool ordinary, integers;
    const struct store_summary *summaries; /* of samples that are left out, as there too */
    size_t summary_count;
    const uint32_t *place;
};

/* How a function gets its rows: a kernel for whole rows, or its own for one window after another.
 */
enum query__kernel {
    QUERY__EACH_WINDOW,
    QUERY__LAST,
    QUERY__FIRST,
    QUERY__COUNT,
    QUERY__PRESENT,
    QUERY__RATE, /* and increase */
    QUERY__DELTA,
    QUERY__IRATE,
    QUERY__IDELTA,
    QUERY__CHANGES,
    QUERY__RESETS,
    QUERY__SUM,
    QUERY__AVG,
    QUERY__MIN,
    QUERY__MAX
};

/* Of one thread, for one node. */
struct query__sweep {
    query_window_fn window; /* NULL: the newest sample (an instant selector) */
    enum query__kernel kernel;
    const struct query__simd *simd;
    bool no_nans;                /* as in struct query_selector */
    const double *param[2];      /* one a step, or NULL */
    int64_t eval_ns;             /* evaluation time of step 0, which offset does not move */
    const struct query_env *env; /* asked now and then whether to go on; NULL: always */
    struct query__spans spans;
    double *scratch;
    size_t scratch_len;
    /* A column without markers. */
    int64_t *clean_ts;
    double *clean_v;
    uint32_t *clean_place;
    size_t clean_cap;
    VEC(struct store_summary) clean_summaries;
};

/* "rate", ... for EXPLAIN; NULL when each window is computed by itself. */
const char *query__kernel_name(query_window_fn window);
/* `windows` must not overflow: query__windows_of checks. */
void query__sweep_init(struct query__sweep *w, query_window_fn window,
                       const struct query__windows *windows);
void query__sweep_free(struct query__sweep *w);
/* What must be known of samples that are left out (enum store_knows). */
unsigned query__sweep_wants(const struct query__sweep *w);
/* Whether what is known of those left out is enough for this series; else it has to be read whole.
 * Puts into the places of the ends what the function needs to see there. */
bool query__sweep_serves(const struct query__sweep *w, struct store_samples *s);
/* An instant selector's newest sample may be a marker, which is no value; windows pass over them.
 * Returns how many samples there are without those passed over; when there is none, there is no
 * row. row->value and row->has are the caller's.
 */
size_t query__sweep_row(struct query__sweep *w, const struct query__column *column,
                        struct query__row *row);

#endif
