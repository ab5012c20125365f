/* Samples of delta temporality made cumulative: what a sender counted since its last report is
 * added to what was there before (the model of OpenTelemetry's delta-to-cumulative processor).
 *
 * One running sum a series, in memory; a series seen for the first time is looked up where the
 * samples are stored (config.find), so that sums go on over restarts, and a sum that nobody adds to
 * for a while is forgotten and found again. A gap between two reports is nothing special: the sum
 * goes on. A report that is not later than the last one is refused: it is a repetition, or came too
 * late to be added without being taken for a reset. */
#ifndef PIPE_DELTA_H
#define PIPE_DELTA_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/hash.h"
#include "data/metric_batch.h"

struct pipe_delta;

/* The last stored sample of a series. */
struct pipe_delta_last {
    bool is_found;
    int64_t ts_ns, start_ns;
    double value;
    const struct data_histogram *histogram; /* NULL: a float */
};

struct pipe_delta_config {
    size_t series_max; /* sums in memory */
    int64_t idle_ns;   /* when a sum is forgotten, and how far back one is looked for */
    /* Fills out[i] for series[i], from samples in the range (both ends included). May block; called
     * from pipe_delta_apply without a lock. An error leaves the series as never seen. */
    int (*find)(void *ctx, struct slice tenant, const struct data_batch_series *const *series,
                size_t count, int64_t t_min_ns, int64_t t_max_ns, struct arena *arena,
                struct pipe_delta_last *out);
    void *ctx;
};

enum pipe_delta_refusal {
    PIPE_DELTA_OUT_OF_ORDER, /* not later than the last one of its series */
    PIPE_DELTA_SERIES_LIMIT, /* a new series over series_max */
    PIPE_DELTA_MIXED,        /* a histogram whose buckets cannot be added to those before */
    PIPE_DELTA_REFUSED_COUNT
};
/* "out_of_order", "series_limit", "mixed_histograms". */
const char *pipe_delta_refusal_name(enum pipe_delta_refusal reason);

/* Zero it before the first use; free it in the end. */
struct pipe_delta_result {
    size_t refused[PIPE_DELTA_REFUSED_COUNT]; /* samples */
    size_t refused_points; /* that they come from: runs of samples of one DATA_DELTA_FIRST */
    struct diag first_refusal;
    VEC(struct hash128) touched; /* the sums this batch changed */
};
size_t pipe_delta_refused(const struct pipe_delta_result *r); /* sum */
void pipe_delta_result_free(struct pipe_delta_result *r);

struct pipe_delta *pipe_delta_new(const struct pipe_delta_config *config);
void pipe_delta_free(struct pipe_delta *d); /* NULL is fine */
/* Replaces the delta samples of the batch by cumulative ones, in place; refused ones are taken out,
 * all other samples stay as they are. Thread-safe. */
void pipe_delta_apply(struct pipe_delta *d, struct data_metric_batch *batch, int64_t now_ns,
                      struct pipe_delta_result *out);
/* The batch was not stored: its sums are found again from what is. Thread-safe. */
void pipe_delta_forget(struct pipe_delta *d, const struct pipe_delta_result *result);
size_t pipe_delta_count(struct pipe_delta *d); /* sums in memory */

#endif
