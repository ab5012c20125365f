/* OTLP 1.x (opentelemetry-proto 1.11): export requests of every signal, in protobuf or JSON,
 * straight into batches, and the answer the protocol wants, over HTTP and gRPC alike.
 * Specification: opentelemetry.io/docs/specs/otlp; the translation of metrics is that of Prometheus
 * 3.x (its otlptranslator), see docs/otlp.md.
 *
 * The protobuf is walked in place, without a message tree; JSON is rewritten as protobuf first, so
 * both encodings mean the same by construction. Damaged bytes refuse the whole request with the
 * place. An item (data point, log record, span) that breaks a rule is refused alone: counted with
 * its reason, the first one described, and the rest goes on. No call blocks or keeps state; a
 * scratch belongs to one thread at a time. */
#ifndef DECODE_OTLP_OTLP_H
#define DECODE_OTLP_OTLP_H

#include "base/buf.h"
#include "base/diag.h"
#include "data/event_batch.h"
#include "data/metric_batch.h"
#include "decode/otlp/translation.h"

enum decode_otlp_signal { DECODE_OTLP_METRICS, DECODE_OTLP_LOGS, DECODE_OTLP_TRACES };
enum decode_otlp_encoding { DECODE_OTLP_PROTOBUF, DECODE_OTLP_JSON };

/* AnyValue within AnyValue; deeper ones refuse their item. */
#define DECODE_OTLP_DEPTH 24

/* Attributes of one data point, or of a resource or scope where they become labels: as many as
 * limits.label_count can be set to. */
#define DECODE_OTLP_LABELS 1000
/* Buckets of one explicit histogram, each of which is a series. */
#define DECODE_OTLP_BUCKETS 4096

enum decode_otlp_refusal {
    DECODE_OTLP_BAD_NAME,        /* a metric's name is empty or holds no letter or digit */
    DECODE_OTLP_BAD_TIME,        /* no timestamp, or beyond the year 2261 */
    DECODE_OTLP_BAD_ATTRIBUTE,   /* an attribute without a key, or whose key makes no label */
    DECODE_OTLP_BAD_TEMPORALITY, /* a sum or histogram that is neither delta nor cumulative */
    DECODE_OTLP_NO_VALUE,        /* a number without a value, a metric without a kind of data */
    DECODE_OTLP_BAD_HISTOGRAM,   /* counts, bounds or scale that contradict each other */
    DECODE_OTLP_BAD_ID,          /* a trace or span id that is zero or of a wrong length */
    DECODE_OTLP_TOO_DEEP,        /* attributes or a body nested deeper than DECODE_OTLP_DEPTH */
    DECODE_OTLP_TOO_MANY,        /* more attributes or buckets than the limits above */
    DECODE_OTLP_TOO_LARGE,       /* the request's series have more labels than it can be worth:
                                    64 MiB and eight times its own size */
    DECODE_OTLP_REFUSED_COUNT
};
/* "invalid_name", ... for counters and messages. */
const char *decode_otlp_refusal_name(enum decode_otlp_refusal reason);

struct decode_otlp_result {
    size_t items;   /* data points, log records or spans in the request */
    size_t refused; /* of them, by the decoder */
    size_t refused_by[DECODE_OTLP_REFUSED_COUNT];
    struct diag first_refusal; /* code 0 when nothing was refused */
    size_t repaired_texts;     /* strings that were no UTF-8: their bytes became U+FFFD */
    size_t clamped_durations;  /* spans that end before they start: kept with duration 0 */
};

/* Working memory, kept from call to call. */
struct decode_otlp_scratch;
struct decode_otlp_scratch *decode_otlp_scratch_new(void);
void decode_otlp_scratch_free(struct decode_otlp_scratch *s); /* NULL is fine */
/* Bytes it holds on to. */
size_t decode_otlp_scratch_size(const struct decode_otlp_scratch *s);

/* "application/x-protobuf", "application/json; charset=utf-8"; ERR_UNSUPPORTED for any other. */
int decode_otlp_content_type(struct slice content_type, enum decode_otlp_encoding *out,
                             struct diag *diag);

/* An ExportMetricsServiceRequest appended to `batch`, which afterwards does not point into the
 * body. Times are cut to milliseconds. Samples of delta temporality are marked
 * (data_metric_batch_set_delta): pipe/delta.h makes them cumulative.
 * 0, also when single points were refused. ERR_INVALID: damaged body. */
int decode_otlp_metrics(enum decode_otlp_encoding encoding, struct slice body,
                        const struct decode_otlp_translation *translation,
                        struct decode_otlp_scratch *scratch, struct data_metric_batch *batch,
                        struct decode_otlp_result *out, struct diag *diag);

/* ExportLogsServiceRequest and ExportTraceServiceRequest appended to a batch of that table.
 *
 * The resource makes the stream: the attributes that Loki makes labels of (decode/otlp/stream.h
 * says which), under their sanitised names; without service.name there is service_name all the
 * same. All other attributes of resource and scope are sets of the batch, with their types. Texts
 * of the batch point into `body` and the scratch: both stay as they are until the batch was handed
 * on or reset. `received_ns` is the time of a log record that has none of its own. */
int decode_otlp_logs(enum decode_otlp_encoding encoding, struct slice body, int64_t received_ns,
                     struct decode_otlp_scratch *scratch, struct data_event_batch *batch,
                     struct decode_otlp_result *out, struct diag *diag);
int decode_otlp_spans(enum decode_otlp_encoding encoding, struct slice body,
                      struct decode_otlp_scratch *scratch, struct data_event_batch *batch,
                      struct decode_otlp_result *out, struct diag *diag);

/* --- the answer --- */

/* What became of the batch (pipe lies above this room). */
struct decode_otlp_stored {
    int err;          /* of the batch as a whole; 0 = durable but for what is refused below */
    size_t refused;   /* items, or samples of metrics */
    size_t unordered; /* points of delta temporality that could not be added up */
    const char *first_refusal; /* NULL or "" when unknown */
};

struct decode_otlp_answer {
    int http_status;          /* 200, 400, 413, 415, 429, 500, 503 */
    int grpc_status;          /* google.rpc.Code */
    int retry_after_s;        /* 0 = none: Retry-After, or RetryInfo in gRPC */
    const char *content_type; /* of the HTTP body */
    char message[1024];       /* grpc-message; "" when all is well */
    struct buf body;          /* an Export...Response for 200, else a google.rpc.Status */
};

/* `decode_err` and `diag` are the decoder's, `result` is what it filled; `stored` is NULL when the
 * batch never reached the store. Partial success is 200 with counts and the first reason. 400 and
 * 413 must not be repeated by the client, 503 may. */
void decode_otlp_answer(enum decode_otlp_signal signal, enum decode_otlp_encoding encoding,
                        int decode_err, const struct diag *diag,
                        const struct decode_otlp_result *result,
                        const struct decode_otlp_stored *stored, struct decode_otlp_answer *out);
/* A google.rpc.Status with this HTTP status. */
void decode_otlp_answer_error(enum decode_otlp_encoding encoding, int http_status,
                              const char *message, struct decode_otlp_answer *out);
void decode_otlp_answer_deinit(struct decode_otlp_answer *a);

#endif
