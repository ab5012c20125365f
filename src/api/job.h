/* Work for one request on the worker pool, and its answer streamed back.
 *
 *     handler (loop) -> api_job_start -> work (worker) -> first bytes -> loop writes them
 *                                        produce (worker) <- peer has read enough <-'
 *
 * A job whose peer goes away is cancelled: `cancelled` turns true and whatever looks at it stops.
 * Gated jobs (queries) run at most limits.query.concurrency at a time; the others wait in order. */
#ifndef API_JOB_H
#define API_JOB_H

#include <stdatomic.h>

#include "api/api_priv.h"

struct api_job {
    struct api *api;
    struct net_request *req; /* its slices may be read by the work; answers only by job.c */
    struct slice tenant;
    struct store_event_source *logs; /* of the tenant, or of several; set by Loki's door */
    struct arena *arena;             /* the job's own, charged to `memory` */
    struct arena *call_arena;        /* not charged: parameters */
    struct budget memory;
    struct api_limits limits;
    _Atomic bool cancelled;
    /* Of the clock CLOCK_MONOTONIC. Whatever queries has the latter from limits.query.timeout;
     * other work does not look at it. */
    int64_t started_ns, deadline_ns;
    void *state; /* of the endpoint */

    /* Set by work: */
    int status;                   /* 0 = 200 */
    const char *content_type;     /* NULL = application/json */
    const char *content_encoding; /* the answer is in it already; NULL = as the client likes */
    struct buf out;
    /* Appends more to `out`; true when that was the last. Called on a worker while out is small. */
    bool (*produce)(struct api_job *job);
    /* Frees what `state` holds; may be NULL. On a worker, once, before the answer is complete. */
    void (*cleanup)(struct api_job *job);

    void (*work)(struct api_job *job);
    bool flush; /* set by produce: what there is goes out now; of a gRPC stream, one message */
    /* Set by produce: nothing more for now; it is called again after api_job_wake, which whatever
     * works for the job meanwhile must call, also when `cancelled` turns true. */
    bool park;
    struct net_grpc_call *grpc; /* NULL: HTTP. What `out` holds of an error is text alone */
    const struct api__grpc_rest *rest;
    bool gated_to_end; /* keeps its place until the last produce, which is where it works */
    bool gated, begun, last;
    _Atomic int parked; /* enum of job.c */
    struct net_loop *loop;
    struct api_job *next, *prev, *next_waiting;
};

/* A new job for the call, answered already (and NULL) when the queue is full. Set state and so on,
 * then start it. */
struct api_job *api_job_new(struct api_call *call, void (*work)(struct api_job *job));
void api_job_start(struct api_job *job, bool gated);
/* For `work`: the answer is this error. */
void api_job_error(struct api_job *job, enum api_error type, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Same from an error code and its words. */
void api_job_fail(struct api_job *job, int err, const struct diag *diag);

/* Ends the pause that `park` asked for, or the next one when there is none yet. Any thread, while
 * the job lives. */
void api_job_wake(struct api_job *job);

int64_t api__monotonic_ns(void);
/* INT64_MAX at most. */
int64_t api__deadline_ns(int64_t from_ns, int64_t timeout_ns);
/* Registers the counters. */
void api__job_init(void);

#endif
