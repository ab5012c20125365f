/* Loki's push: protobuf (logproto.PushRequest) or JSON, also in the form of /api/prom/push,
 * straight into a batch of events. Specification: grafana.com/docs/loki "Ingest logs";
 * pkg/push/push.proto.
 *
 * A stream's labels are labels of the batch's stream, with service_name added when it is missing.
 * Structured metadata are attributes of the row, but trace_id and span_id, where they are ids in
 * lower-case hexadecimal, and detected_level, where it is a level, are intrinsics; the level is
 * looked for where the sender gives none. An entry equal to the one before it is left out, as Loki
 * does it. */
#ifndef DECODE_LOKI_PUSH_H
#define DECODE_LOKI_PUSH_H

#include "base/buf.h"
#include "base/diag.h"
#include "data/event_batch.h"

enum decode_loki_refusal {
    DECODE_LOKI_MISSING_LABELS,
    DECODE_LOKI_INVALID_LABELS,   /* no label set, or a name that is none */
    DECODE_LOKI_DUPLICATE_LABELS, /* a name twice */
    DECODE_LOKI_BAD_TIME,         /* beyond the year 2262 */
    DECODE_LOKI_REFUSED_COUNT
};
/* "missing_labels", ...: Loki's names where it has one. */
const char *decode_loki_refusal_name(enum decode_loki_refusal reason);

struct decode_loki_request {
    struct slice content_type;     /* header; application/json, anything else is protobuf */
    struct slice content_encoding; /* header; the HTTP server has inflated gzip and deflate */
    struct slice body;
    size_t inflated_bytes_max; /* after snappy */
};

struct decode_loki_result {
    size_t streams, lines;                     /* in the batch */
    size_t line_bytes, metadata_bytes;         /* of them */
    size_t duplicates;                         /* left out */
    size_t refused[DECODE_LOKI_REFUSED_COUNT]; /* lines, by reason */
    size_t refused_lines;                      /* all of them */
    struct diag first_refusal;                 /* code 0 when nothing was refused */
};

/* Appends to `batch`, which points into the body and `scratch`. 0, also when single streams were
 * refused. ERR_INVALID: damaged body, diag says where. ERR_TOO_LARGE: over the limit. */
int decode_loki_push(const struct decode_loki_request *req, struct buf *scratch,
                     struct data_event_batch *batch, struct decode_loki_result *out,
                     struct diag *diag);

#endif
