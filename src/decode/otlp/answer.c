/* What the sender is told: an Export...Response, or a google.rpc.Status. */
#include <stdio.h>

#include "codec/json_write.h"
#include "decode/otlp/otlp_priv.h"

#define RETRY_AFTER_S 5

/* google.rpc.Code */
enum {
    GRPC_OK = 0,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_NOT_FOUND = 5,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
    GRPC_UNAUTHENTICATED = 16
};

static int grpc_code(int http_status)
{
    switch (http_status) {
    case 200: return GRPC_OK;
    case 400: return GRPC_INVALID_ARGUMENT;
    case 401: return GRPC_UNAUTHENTICATED;
    case 403: return GRPC_PERMISSION_DENIED;
    case 404: return GRPC_NOT_FOUND;
    case 405:
    case 415:
    case 501: return GRPC_UNIMPLEMENTED;
    case 413: return GRPC_RESOURCE_EXHAUSTED;
    case 429:
    case 502:
    case 503:
    case 504: return GRPC_UNAVAILABLE;
    default: return GRPC_INTERNAL;
    }
}

/* Only 429, 502, 503 and 504 are repeated by senders; whatever may pass is one of them. */
static int http_status_of(int err)
{
    switch (err) {
    case 0: return 200;
    case ERR_INVALID:
    case ERR_CORRUPT: return 400;
    case ERR_TOO_LARGE: return 413;
    case ERR_UNSUPPORTED: return 415;
    case ERR_LIMIT: return 429;
    default: return 503;
    }
}

static void append_status(enum decode_otlp_encoding encoding, int code, const char *message,
                          int retry_after_s, struct buf *out)
{
    if (encoding == DECODE_OTLP_JSON) {
        struct codec_json_writer w;
        codec_json_init(&w, out);
        codec_json_begin_object(&w);
        codec_json_put_int(&w, "code", code);
        codec_json_put_string(&w, "message", slice_cstr(message));
        if (retry_after_s) {
            char delay[32];
            snprintf(delay, sizeof(delay), "%ds", retry_after_s);
            codec_json_key(&w, SLICE("details"));
            codec_json_begin_array(&w);
            codec_json_begin_object(&w);
            codec_json_put_string(&w, "@type", SLICE("type.googleapis.com/google.rpc.RetryInfo"));
            codec_json_put_string(&w, "retryDelay", slice_cstr(delay));
            codec_json_end_object(&w);
            codec_json_end_array(&w);
        }
        codec_json_end_object(&w);
        return;
    }
    codec_pb_put_varint(out, 1, (uint64_t)code);
    codec_pb_put_bytes(out, 2, slice_cstr(message));
    if (retry_after_s) {
        size_t any = codec_pb_begin(out, 3);
        codec_pb_put_bytes(out, 1, SLICE("type.googleapis.com/google.rpc.RetryInfo"));
        size_t info = codec_pb_begin(out, 2), delay = codec_pb_begin(out, 1);
        codec_pb_put_varint(out, 1, (uint64_t)retry_after_s);
        codec_pb_end(out, delay);
        codec_pb_end(out, info);
        codec_pb_end(out, any);
    }
}

static void append_response(enum decode_otlp_signal signal, enum decode_otlp_encoding encoding,
                            size_t rejected, const char *message, struct buf *out)
{
    static const char *const fields[] = {[DECODE_OTLP_METRICS] = "rejectedDataPoints",
                                         [DECODE_OTLP_LOGS] = "rejectedLogRecords",
                                         [DECODE_OTLP_TRACES] = "rejectedSpans"};
    if (encoding == DECODE_OTLP_PROTOBUF) {
        if (!rejected && !message[0])
            return;
        size_t mark = codec_pb_begin(out, 1);
        if (rejected)
            codec_pb_put_varint(out, 1, rejected);
        codec_pb_put_bytes(out, 2, slice_cstr(message));
        codec_pb_end(out, mark);
        return;
    }
    struct codec_json_writer w;
    codec_json_init(&w, out);
    codec_json_begin_object(&w);
    if (rejected || message[0]) {
        char number[32];
        snprintf(number, sizeof(number), "%zu", rejected);
        codec_json_key(&w, SLICE("partialSuccess"));
        codec_json_begin_object(&w);
        codec_json_put_string(&w, fields[signal], slice_cstr(number));
        codec_json_put_string(&w, "errorMessage", slice_cstr(message));
        codec_json_end_object(&w);
    }
    codec_json_end_object(&w);
}

static const char *content_type_of(enum decode_otlp_encoding encoding)
{
    return encoding == DECODE_OTLP_JSON ? "application/json" : "application/x-protobuf";
}

void decode_otlp_answer_error(enum decode_otlp_encoding encoding, int http_status,
                              const char *message, struct decode_otlp_answer *out)
{
    memset(out, 0, sizeof(*out));
    out->http_status = http_status;
    out->grpc_status = grpc_code(http_status);
    out->retry_after_s = out->grpc_status == GRPC_UNAVAILABLE ? RETRY_AFTER_S : 0;
    out->content_type = content_type_of(encoding);
    snprintf(out->message, sizeof(out->message), "%s", message);
    append_status(encoding, out->grpc_status, out->message, out->retry_after_s, &out->body);
}

/* "3 of 100 data points refused (invalid_timestamp 2, by the store 1). First: ..." */
static void describe(enum decode_otlp_signal signal, const struct decode_otlp_result *r,
                     const struct decode_otlp_stored *s, size_t rejected, char *out, size_t size)
{
    static const char *const nouns[] = {[DECODE_OTLP_METRICS] = "data points",
                                        [DECODE_OTLP_LOGS] = "log records",
                                        [DECODE_OTLP_TRACES] = "spans"};
    struct buf text = {0};
    const char *comma = "";
    buf_printf(&text, "%zu of %zu %s refused (", rejected, r->items, nouns[signal]);
    for (int i = 0; i < DECODE_OTLP_REFUSED_COUNT; i++) {
        if (!r->refused_by[i])
            continue;
        buf_printf(&text, "%s%s %zu", comma, decode_otlp_refusal_name((enum decode_otlp_refusal)i),
                   r->refused_by[i]);
        comma = ", ";
    }
    if (s->unordered) {
        buf_printf(&text, "%sdelta out of order %zu", comma, s->unordered);
        comma = ", ";
    }
    if (s->refused)
        buf_printf(&text, "%sby the store %zu%s", comma, s->refused,
                   signal == DECODE_OTLP_METRICS ? " samples" : "");
    buf_printf(&text, "); the rest is stored. First: %s",
               r->first_refusal.code ? r->first_refusal.msg
               : s->first_refusal    ? s->first_refusal
                                     : "");
    snprintf(out, size, "%s", buf_cstr(&text));
    buf_deinit(&text);
}

void decode_otlp_answer(enum decode_otlp_signal signal, enum decode_otlp_encoding encoding,
                        int decode_err, const struct diag *diag,
                        const struct decode_otlp_result *result,
                        const struct decode_otlp_stored *stored, struct decode_otlp_answer *out)
{
    int err = decode_err ? decode_err : stored ? stored->err : ERR_AGAIN;
    if (err) {
        const char *why = decode_err && diag && diag->code ? diag->msg
                          : stored && stored->first_refusal && stored->first_refusal[0]
                              ? stored->first_refusal
                              : err_name(err);
        decode_otlp_answer_error(encoding, http_status_of(err), why, out);
        return;
    }
    memset(out, 0, sizeof(*out));
    out->http_status = 200;
    out->content_type = content_type_of(encoding);
    /* One data point may be many samples: never more points than there were. */
    size_t rejected = MIN(result->refused + stored->refused + stored->unordered, result->items);
    char message[1024] = "";
    if (rejected)
        describe(signal, result, stored, rejected, message, sizeof(message));
    append_response(signal, encoding, rejected, message, &out->body);
}

void decode_otlp_answer_deinit(struct decode_otlp_answer *a)
{
    buf_deinit(&a->body);
}
