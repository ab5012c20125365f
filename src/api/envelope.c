/* Prometheus' answer envelope and its error types. */
#include <stdarg.h>

#include "api/api_priv.h"
#include "api/prometheus/encode.h"
#include "text/duration.h"

static const struct {
    const char *name;
    int status;
} errors[] = {
    [API_BAD_DATA] = {"bad_data", 400},       [API_EXECUTION] = {"execution", 422},
    [API_CANCELED] = {"canceled", 499},       [API_TIMEOUT] = {"timeout", 503},
    [API_INTERNAL] = {"internal", 500},       [API_NOT_FOUND] = {"not_found", 404},
    [API_UNAVAILABLE] = {"unavailable", 503}, /* Prometheus says 500, its documentation 503 */
};

int api__error_status(enum api_error type)
{
    return errors[type].status;
}

enum api_error api__error_of(int err)
{
    switch (err) {
    case ERR_INVALID: return API_BAD_DATA;
    case ERR_CANCELLED: return API_CANCELED;
    case ERR_TIMEOUT: return API_TIMEOUT;
    case ERR_AGAIN:
    case ERR_CLOSED: return API_UNAVAILABLE;
    case ERR_IO:
    case ERR_NOSPACE:
    case ERR_CORRUPT: return API_INTERNAL;
    default: return API_EXECUTION;
    }
}

void api__error_json(enum api_error type, struct slice msg, struct buf *out)
{
    struct codec_json_writer w;
    codec_json_init(&w, out);
    codec_json_begin_object(&w);
    codec_json_put_string(&w, "status", SLICE("error"));
    codec_json_put_string(&w, "errorType", slice_cstr(errors[type].name));
    codec_json_put_string(&w, "error", msg);
    codec_json_end_object(&w);
}

void api__respond_json(struct net_request *req, int status, struct slice body)
{
    net_respond(req, status, "application/json", body);
}

void api__respond_error(struct net_request *req, enum api_error type, const char *fmt, ...)
{
    struct buf msg = {0}, out = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&msg, fmt, ap);
    va_end(ap);
    api__error_json(type, buf_slice(&msg), &out);
    api__respond_json(req, errors[type].status, buf_slice(&out));
    buf_deinit(&msg);
    buf_deinit(&out);
}

void api__begin(struct codec_json_writer *w, struct buf *out)
{
    codec_json_init(w, out);
    codec_json_begin_object(w);
    codec_json_put_string(w, "status", SLICE("success"));
    codec_json_key(w, SLICE("data"));
}

void api__respond(struct net_request *req, struct codec_json_writer *w)
{
    codec_json_end_object(w);
    api__respond_json(req, 200, buf_slice(w->out));
    buf_deinit(w->out);
}

void api__put_text(struct codec_json_writer *w, const char *key, const char *value)
{
    codec_json_put_string(w, key, slice_cstr(value ? value : ""));
}

/* Zero times print as Go's zero time. */
void api__put_time(struct codec_json_writer *w, const char *key, int64_t ts_ns)
{
    struct buf b = {0};
    if (ts_ns)
        text_time_print(ts_ns, &b);
    else
        buf_append_cstr(&b, "0001-01-01T00:00:00Z");
    codec_json_put_string(w, key, buf_slice(&b));
    buf_deinit(&b);
}

void api__put_labels(struct codec_json_writer *w, const char *key, struct data_labels labels)
{
    struct buf b = {0};
    api_encode_labels(labels, &b);
    codec_json_key(w, slice_cstr(key));
    codec_json_raw(w, buf_slice(&b));
    buf_deinit(&b);
}

void api__put_duration(struct codec_json_writer *w, const char *key, int64_t ns)
{
    struct buf b = {0};
    text_duration_print(ns, &b);
    codec_json_put_string(w, key, buf_slice(&b));
    buf_deinit(&b);
}
