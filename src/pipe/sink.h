/* Where data goes when an input is done with it: the store, or an output's queue. Inputs know only
 * this interface; `server` installs the implementation. */
#ifndef PIPE_SINK_H
#define PIPE_SINK_H

#include "base/diag.h"
#include "data/event_batch.h"
#include "data/metric_batch.h"

/* Why single samples, series or events of a batch were refused. */
enum pipe_refusal {
    PIPE_REFUSED_INVALID,      /* labels or values break the data model */
    PIPE_REFUSED_TOO_OLD,      /* older than retention */
    PIPE_REFUSED_TOO_NEW,      /* further in the future than limits.future */
    PIPE_REFUSED_SERIES_LIMIT, /* a new series over limits.series */
    PIPE_REFUSED_LABEL_LIMIT,  /* too many or too long labels */
    PIPE_REFUSED_STREAM_LIMIT, /* of events: a new stream over limits.streams */
    PIPE_REFUSED_LINE_SIZE,    /* a line longer than limits.line_size */
    PIPE_REFUSED_FIELD_LIMIT,  /* too many or too long fields */
    PIPE_REFUSED_COUNT
};
/* "too_old", ... for counters and messages. */
const char *pipe_refusal_name(enum pipe_refusal reason);

struct pipe_result {
    size_t samples_accepted, histograms_accepted, exemplars_accepted, metadata_accepted;
    size_t logs_accepted, spans_accepted;
    size_t refused[PIPE_REFUSED_COUNT]; /* samples, lines or spans, by reason */
    struct diag first_refusal; /* message with the series' or stream's labels, for the answer */
};

size_t pipe_result_refused(const struct pipe_result *r); /* sum */

/* Called exactly once when the batch's fate is durable (err 0) or it failed as a whole
 * (ERR_NOSPACE: disk full, ERR_IO, ERR_NOMEM: overloaded, try again). Any thread; never inside
 * the call to the sink itself unless err != 0, or nothing of the batch was left to store. */
typedef void (*pipe_ack_fn)(void *ctx, int err, const struct pipe_result *result);

struct pipe_sink {
    /* Takes the batch's content before it returns (the caller may reset it then); `ack` may be NULL
     * for data whose protocol acknowledges nothing. Thread-safe. */
    void (*metrics)(struct pipe_sink *sink, const struct data_metric_batch *batch, pipe_ack_fn ack,
                    void *ctx);
    /* The same for log lines and for spans. */
    void (*logs)(struct pipe_sink *sink, const struct data_event_batch *batch, pipe_ack_fn ack,
                 void *ctx);
    void (*spans)(struct pipe_sink *sink, const struct data_event_batch *batch, pipe_ack_fn ack,
                  void *ctx);
    /* The notes of log lines (data_event_batch_note) that it has, for readers that start; texts in
     * the arena. ERR_AGAIN: not known yet. NULL: it keeps none. */
    int (*notes)(struct pipe_sink *sink, struct slice prefix, struct arena *arena,
                 struct data_event_note **out, size_t *out_count);
};

#endif
