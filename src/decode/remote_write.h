/* Prometheus remote write, 1.0 (prometheus.WriteRequest) and 2.0 (io.prometheus.write.v2.Request):
 * the body straight into a metric batch, and the answer the protocol wants.
 * Specification: prometheus.io/docs/specs/prw/remote_write_spec and .../remote_write_spec_2_0.
 *
 * The bytes are walked once, without a message tree. A body whose protobuf is damaged is refused as
 * a whole, with the offset. A series or sample that breaks the data model is refused alone: it is
 * counted with its reason, the first one is described, and the rest goes on. Unsorted labels are
 * sorted, labels with an empty value are dropped; both are no reason to refuse. */
#ifndef DECODE_REMOTE_WRITE_H
#define DECODE_REMOTE_WRITE_H

#include "base/buf.h"
#include "base/diag.h"
#include "data/metric_batch.h"

enum decode_write_version { DECODE_WRITE_V1 = 1, DECODE_WRITE_V2 = 2 };

enum decode_write_refusal {
    DECODE_WRITE_NO_NAME,       /* no __name__ */
    DECODE_WRITE_BAD_LABEL,     /* empty label name, not UTF-8 */
    DECODE_WRITE_DUP_LABEL,     /* a label name given twice */
    DECODE_WRITE_BAD_REF,       /* 2.0: a reference beyond the symbols, or half a pair */
    DECODE_WRITE_BAD_HISTOGRAM, /* a native histogram that contradicts itself */
    DECODE_WRITE_MIXED,         /* 2.0: a series with samples and histograms */
    DECODE_WRITE_EMPTY,         /* 2.0: a series with neither */
    DECODE_WRITE_BAD_TIME,      /* a timestamp that does not fit nanoseconds (years 1678..2261) */
    DECODE_WRITE_REFUSED_COUNT
};
/* "missing_name", "duplicate_label", ... for counters and messages. */
const char *decode_write_refusal_name(enum decode_write_refusal reason);

struct decode_write_result {
    enum decode_write_version version;
    /* What went into the batch. */
    size_t series, samples, histograms, exemplars, metadata;
    /* What did not. A series refused for its labels takes all its samples with it. */
    size_t refused_series, refused_samples, refused_histograms, refused_exemplars;
    size_t refused[DECODE_WRITE_REFUSED_COUNT]; /* series, histograms or exemplars, by reason */
    struct diag first_refusal;                  /* code 0 when nothing was refused */
};

struct decode_write_request {
    struct slice content_type;     /* header, may be empty: 1.0 */
    struct slice content_encoding; /* header; empty counts as snappy, as Prometheus does it */
    /* Still compressed when the encoding is snappy, plain otherwise (the HTTP server has inflated
     * gzip, deflate and zstd). */
    struct slice body;
    size_t inflated_bytes_max; /* limit after snappy; 0 = 256 MiB */
};

/* Appends to `batch`; afterwards it does not point into the body. `scratch` holds the inflated body
 * and may be reused from call to call (one thread at a time).
 * 0, also when single series were refused. ERR_UNSUPPORTED: content type or encoding (415).
 * ERR_INVALID: damaged body, diag has the byte range. ERR_TOO_LARGE: over the limit. After an error
 * the batch's content is of no use. */
int decode_remote_write(const struct decode_write_request *req, struct buf *scratch,
                        struct data_metric_batch *batch, struct decode_write_result *out,
                        struct diag *diag);
/* The two messages, uncompressed. `out` is reset. */
int decode_remote_write_v1(struct slice message, struct data_metric_batch *batch,
                           struct decode_write_result *out, struct diag *diag);
int decode_remote_write_v2(struct slice message, struct data_metric_batch *batch,
                           struct decode_write_result *out, struct diag *diag);

/* --- the answer --- */

/* What became of the batch: a struct pipe_result in numbers (pipe lies above this room). */
struct decode_write_stored {
    int err; /* of the batch as a whole, 0 = durable but for what is refused below */
    size_t samples, histograms, exemplars; /* written */
    size_t refused;                        /* by the store */
    const char *first_refusal;             /* NULL or "" when unknown */
};

#define DECODE_WRITE_HEADERS_MAX 5

struct decode_write_answer {
    int status; /* 204, 400, 413, 415, 500, 503 */
    size_t header_count;
    struct {
        const char *name;
        char value[24];
    } headers[DECODE_WRITE_HEADERS_MAX];
    char body[2048]; /* plain text, "" for 204 */
};

/* `decode_err` and `diag` are decode_remote_write's; `result` is what it filled (it holds the
 * version also after an error); `stored` is NULL when the batch never reached the store.
 * 204 only when everything was written; 400 with what was refused and why when part or all of the
 * content is bad (a sender must not repeat it); 5xx when repeating the same request makes sense. */
void decode_write_answer(int decode_err, const struct diag *diag,
                         const struct decode_write_result *result,
                         const struct decode_write_stored *stored, struct decode_write_answer *out);

#endif
