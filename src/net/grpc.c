/* gRPC over HTTP/2: message framing, statuses in trailers, deadlines. */
#include "net/grpc.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "codec/base64.h"
#include "codec/pb.h"
#include "net/h2_priv.h"

#define PREFIX_BYTES     5 /* compressed flag and length before each message */
#define COMPRESS_MIN     1024
#define HEALTH_BYTES_MAX 4096
#define TEXT_MAX         1024 /* of grpc-message: it travels as a header */
#define ACCEPTED         "identity,gzip,deflate,zstd"

struct net_grpc_call {
    struct net_request *req;
    void *ctx;
    const struct net_grpc_method *methods; /* for health checks */
    size_t method_count;
    struct slice message;            /* in the request's body */
    enum codec_compression encoding; /* of the message */
    enum codec_compression answer_encoding;
    struct buf plain; /* the message decompressed */
    int64_t plain_charged, deadline_ns;
    bool decoded, done; /* done: the client has its status */
};

bool net_grpc_is(const struct net_request *req)
{
    return req->is_grpc;
}

bool net__grpc_type(const struct net_request *req)
{
    struct slice type = net_request_header(req, "content-type");
    ptrdiff_t semicolon = slice_find_char(type, ';');
    if (semicolon >= 0)
        type = slice_trim(slice_first(type, (size_t)semicolon));
    return slice_eq_nocase(type, SLICE("application/grpc")) ||
           slice_eq_nocase(type, SLICE("application/grpc+proto"));
}

enum net_grpc_status net_grpc_status_of(int err)
{
    switch (err) {
    case 0: return NET_GRPC_OK;
    case ERR_INVALID: return NET_GRPC_INVALID_ARGUMENT;
    case ERR_NOMEM:
    case ERR_LIMIT:
    case ERR_TOO_LARGE: return NET_GRPC_RESOURCE_EXHAUSTED;
    case ERR_NOT_FOUND: return NET_GRPC_NOT_FOUND;
    case ERR_EXISTS: return NET_GRPC_ALREADY_EXISTS;
    case ERR_NOSPACE:
    case ERR_AGAIN:
    case ERR_CLOSED: return NET_GRPC_UNAVAILABLE;
    case ERR_CORRUPT: return NET_GRPC_DATA_LOSS;
    case ERR_CANCELLED: return NET_GRPC_CANCELLED;
    case ERR_TIMEOUT: return NET_GRPC_DEADLINE_EXCEEDED;
    case ERR_UNSUPPORTED: return NET_GRPC_UNIMPLEMENTED;
    case ERR_CONFLICT: return NET_GRPC_FAILED_PRECONDITION;
    case ERR_DENIED: return NET_GRPC_PERMISSION_DENIED;
    default: return NET_GRPC_INTERNAL;
    }
}

/* gRPC's HTTP status is always 200; Pharos' counters see what it would have been. */
static int http_of(enum net_grpc_status status)
{
    switch (status) {
    case NET_GRPC_OK: return 200;
    case NET_GRPC_UNAUTHENTICATED: return 401;
    case NET_GRPC_PERMISSION_DENIED: return 403;
    case NET_GRPC_NOT_FOUND:
    case NET_GRPC_UNIMPLEMENTED: return 404;
    case NET_GRPC_UNKNOWN:
    case NET_GRPC_INTERNAL:
    case NET_GRPC_DATA_LOSS: return 500;
    case NET_GRPC_UNAVAILABLE: return 503;
    default: return 400;
    }
}

static enum net_grpc_status status_of_http(int http)
{
    switch (http) {
    case 400:
    case 415:
    case 422: return NET_GRPC_INVALID_ARGUMENT;
    case 401: return NET_GRPC_UNAUTHENTICATED;
    case 403: return NET_GRPC_PERMISSION_DENIED;
    case 404:
    case 405:
    case 501: return NET_GRPC_UNIMPLEMENTED;
    case 408:
    case 504: return NET_GRPC_DEADLINE_EXCEEDED;
    case 413:
    case 431: return NET_GRPC_RESOURCE_EXHAUSTED;
    case 429:
    case 503:
    case 507: return NET_GRPC_UNAVAILABLE;
    case 499: return NET_GRPC_CANCELLED;
    default: return http >= 500 ? NET_GRPC_INTERNAL : NET_GRPC_UNKNOWN;
    }
}

/* --- status and trailers --- */

static void percent_encode(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len && i < TEXT_MAX; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c <= 0x7e && c != '%')
            buf_append_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* google.rpc.Status with a RetryInfo. */
static void encode_retry(enum net_grpc_status status, struct slice text, int64_t retry_ns,
                         struct buf *out)
{
    codec_pb_put_varint(out, 1, (uint64_t)status);
    codec_pb_put_bytes(out, 2, slice_first(text, TEXT_MAX));
    size_t any = codec_pb_begin(out, 3);
    codec_pb_put_bytes(out, 1, SLICE("type.googleapis.com/google.rpc.RetryInfo"));
    size_t info = codec_pb_begin(out, 2);
    size_t duration = codec_pb_begin(out, 1);
    codec_pb_put_varint(out, 1, (uint64_t)(retry_ns / NS_PER_SEC));
    codec_pb_put_varint(out, 2, (uint64_t)(retry_ns % NS_PER_SEC));
    codec_pb_end(out, duration);
    codec_pb_end(out, info);
    codec_pb_end(out, any);
}

/* The status as the last word: in trailers, or alone in the headers when nothing was sent yet. */
static void send_status(struct net_request *req, enum net_grpc_status status, struct slice text,
                        struct slice details)
{
    void (*add)(struct net_request *, const char *, struct slice) =
        req->answered ? net_response_trailer : net_response_header;
    char number[12];
    snprintf(number, sizeof(number), "%d", status);
    add(req, "grpc-status", slice_cstr(number));
    if (text.len) {
        struct buf encoded = {0};
        percent_encode(text, &encoded);
        add(req, "grpc-message", buf_slice(&encoded));
        buf_deinit(&encoded);
    }
    if (details.len) {
        struct buf encoded = {0};
        codec_base64_append(&encoded, details, CODEC_BASE64_STANDARD);
        while (encoded.len && encoded.ptr[encoded.len - 1] == '=')
            encoded.len--;
        add(req, "grpc-status-details-bin", buf_slice(&encoded));
        buf_deinit(&encoded);
    }
    if (!req->answered) {
        req->h2->counted_as = http_of(status);
        net__h2_send_head(req, 200, "application/grpc", CODEC_IDENTITY, false, -1, false);
    }
    req->complete = true;
    net__h2_answered(req);
}

static void let_go(struct net_grpc_call *call);

/* Seconds of a Retry-After among the headers of a refusal, or 0. */
static int64_t retry_after(const struct net_request *req)
{
    struct slice lines = buf_slice(&req->extra_headers), line, name;
    while (lines.ptr && slice_split(&lines, '\n', &line)) {
        if (!slice_split(&line, ':', &name) || !slice_eq_nocase(name, SLICE("retry-after")))
            continue;
        int64_t seconds = 0;
        struct slice value = slice_trim(line);
        for (size_t i = 0; i < value.len && i < 9 && value.ptr[i] >= '0' && value.ptr[i] <= '9';
             i++)
            seconds = seconds * 10 + (value.ptr[i] - '0');
        return seconds;
    }
    return 0;
}

void net__grpc_refuse(struct net_request *req, int http_status, struct slice text)
{
    enum net_grpc_status status = status_of_http(http_status);
    struct net_grpc_call *call = req->h2->grpc; /* its method answers so */
    struct buf details = {0};
    int64_t seconds = retry_after(req);
    text = slice_trim(text);
    if (seconds > 0)
        encode_retry(status, text, seconds * NS_PER_SEC, &details);
    if (!call || !call->done)
        send_status(req, status, text, buf_slice(&details));
    buf_deinit(&details);
    if (call) {
        call->done = true;
        let_go(call);
    }
}

/* --- the call --- */

/* The handler ended it: whatever the client has heard, the request may go. */
static void let_go(struct net_grpc_call *call)
{
    struct net_request *req = call->req;
    if (call->plain_charged)
        budget_give(&req->conn->acceptor->server->body_memory, call->plain_charged);
    call->plain_charged = 0;
    buf_deinit(&call->plain);
    net__h2_unpin(req);
}

static void frame(struct net_grpc_call *call, struct slice message)
{
    struct net_request *req = call->req;
    struct buf packed = {0};
    char prefix[PREFIX_BYTES] = {0};
    if (call->answer_encoding != CODEC_IDENTITY && message.len >= COMPRESS_MIN) {
        codec_compress(call->answer_encoding, 1, message, &packed);
        prefix[0] = packed.len < message.len;
        if (prefix[0])
            message = buf_slice(&packed);
    }
    for (int i = 0; i < 4; i++)
        prefix[1 + i] = (char)(message.len >> (24 - 8 * i));
    net__h2_send_body(req, slice_make(prefix, sizeof(prefix)));
    net__h2_send_body(req, message);
    buf_deinit(&packed);
}

static void begin(struct net_grpc_call *call)
{
    struct net_request *req = call->req;
    if (req->answered)
        return;
    if (call->answer_encoding != CODEC_IDENTITY)
        net_response_header(req, "grpc-encoding",
                            call->answer_encoding == CODEC_ZSTD ? SLICE("zstd") : SLICE("gzip"));
    net__h2_send_head(req, 200, "application/grpc", CODEC_IDENTITY, false, -1, true);
}

static void finish(struct net_grpc_call *call, bool has_message, struct slice message,
                   enum net_grpc_status status, struct slice text, struct slice details)
{
    if (!call->done) {
        call->done = true;
        if (has_message) {
            if (message.len < COMPRESS_MIN)
                call->answer_encoding = CODEC_IDENTITY;
            begin(call);
            frame(call, message);
        }
        send_status(call->req, status, text, details);
    }
    let_go(call);
}

/* An answer on its way to the call's loop. */
struct posted {
    struct net_grpc_call *call;
    enum net_grpc_status status;
    bool has_message;
    struct buf message, text, details;
};

static void run_posted(void *ctx)
{
    struct posted *p = ctx;
    finish(p->call, p->has_message, buf_slice(&p->message), p->status, buf_slice(&p->text),
           buf_slice(&p->details));
    buf_deinit(&p->message);
    buf_deinit(&p->text);
    buf_deinit(&p->details);
    mem_free(p);
}

static void answer(struct net_grpc_call *call, bool has_message, struct slice message,
                   enum net_grpc_status status, struct slice text, struct slice details)
{
    struct net_loop *loop = net_request_loop(call->req);
    if (net_loop_is_current(loop)) {
        finish(call, has_message, message, status, text, details);
        return;
    }
    struct posted *p = mem_calloc(1, sizeof(*p));
    p->call = call;
    p->status = status;
    p->has_message = has_message;
    buf_append_slice(&p->message, message);
    buf_append_slice(&p->text, text);
    buf_append_slice(&p->details, details);
    net_loop_post(loop, run_posted, p);
}

void net_grpc_reply(struct net_grpc_call *call, struct slice message)
{
    answer(call, true, message, NET_GRPC_OK, SLICE(""), SLICE(""));
}

static void fail(struct net_grpc_call *call, enum net_grpc_status status, int64_t retry_ns,
                 const char *fmt, va_list ap)
{
    struct buf text = {0}, details = {0};
    buf_vprintf(&text, fmt, ap);
    if (retry_ns > 0)
        encode_retry(status, buf_slice(&text), retry_ns, &details);
    answer(call, false, SLICE(""), status, buf_slice(&text), buf_slice(&details));
    buf_deinit(&text);
    buf_deinit(&details);
}

void net_grpc_fail(struct net_grpc_call *call, enum net_grpc_status status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fail(call, status, 0, fmt, ap);
    va_end(ap);
}

void net_grpc_fail_retry(struct net_grpc_call *call, enum net_grpc_status status, int64_t retry_ns,
                         const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fail(call, status, retry_ns, fmt, ap);
    va_end(ap);
}

void net_grpc_fail_details(struct net_grpc_call *call, enum net_grpc_status status,
                           struct slice text, struct slice status_message)
{
    answer(call, false, SLICE(""), status, text, status_message);
}

bool net_grpc_send(struct net_grpc_call *call, struct slice message)
{
    if (call->done)
        return true; /* the client stopped waiting */
    begin(call);
    frame(call, message);
    return net__h2_flush(call->req);
}

void net_grpc_end(struct net_grpc_call *call, enum net_grpc_status status, struct slice text)
{
    finish(call, false, SLICE(""), status, text, SLICE(""));
}

struct net_request *net_grpc_request(struct net_grpc_call *call)
{
    return call->req;
}

int64_t net_grpc_deadline_ns(const struct net_grpc_call *call)
{
    return call->deadline_ns;
}

static int decode(struct net_grpc_call *call, size_t max, struct slice *out, struct diag *diag)
{
    struct net_http_server *server = call->req->conn->acceptor->server;
    *out = call->message;
    if (call->encoding == CODEC_IDENTITY)
        return 0;
    if (!call->decoded) {
        struct diag why;
        diag_init(&why);
        int err = codec_decompress(call->encoding, call->message, max, &call->plain, &why);
        if (err == ERR_TOO_LARGE)
            return diag_set(diag, err,
                            "the message is larger than %zu bytes when decompressed "
                            "(limits.http.inflated_bytes)",
                            max);
        if (err)
            return diag_set(diag, ERR_INVALID, "the message: %s", why.msg);
        if (!budget_take(&server->body_memory, (int64_t)call->plain.cap))
            return diag_set(diag, ERR_NOMEM,
                            "all request bodies together reached limits.http.body_memory");
        call->plain_charged = (int64_t)call->plain.cap;
        call->decoded = true;
    }
    *out = buf_slice(&call->plain);
    return 0;
}

int net_grpc_message(struct net_grpc_call *call, struct slice *out, struct diag *diag)
{
    return decode(call, call->req->conn->acceptor->server->config.limits.inflated_bytes_max, out,
                  diag);
}

/* --- from a request to a call --- */

/* "100m" to ns; false when malformed. */
static bool parse_timeout(struct slice s, int64_t *out_ns)
{
    static const struct {
        char unit;
        int64_t ns;
    } units[] = {{'H', 3600 * NS_PER_SEC},
                 {'M', 60 * NS_PER_SEC},
                 {'S', NS_PER_SEC},
                 {'m', NS_PER_MS},
                 {'u', 1000},
                 {'n', 1}};
    int64_t n = 0;
    if (s.len < 2 || s.len > 9)
        return false;
    for (size_t i = 0; i + 1 < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        n = n * 10 + (s.ptr[i] - '0');
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (units[i].unit == s.ptr[s.len - 1]) {
            *out_ns = n > INT64_MAX / 2 / units[i].ns ? INT64_MAX / 2 : n * units[i].ns;
            return true;
        }
    }
    return false;
}

static void on_deadline(struct net_request *req)
{
    struct net_grpc_call *call = req->h2->grpc;
    void (*abort_fn)(void *) = req->on_abort;
    req->on_abort = NULL;
    if (!call->done) {
        call->done = true;
        send_status(req, NET_GRPC_DEADLINE_EXCEEDED, SLICE("the deadline passed"), SLICE(""));
    }
    if (abort_fn) /* the request is pinned until its handler ends the call */
        abort_fn(req->abort_ctx);
}

static enum codec_compression choose_encoding(const struct net_request *req)
{
    struct slice accept = net_request_header(req, "grpc-accept-encoding"), item;
    bool gzip = false;
    while (accept.ptr && slice_split(&accept, ',', &item)) {
        item = slice_trim(item);
        if (slice_eq_cstr(item, "zstd"))
            return CODEC_ZSTD;
        gzip |= slice_eq_cstr(item, "gzip");
    }
    return gzip ? CODEC_GZIP : CODEC_IDENTITY;
}

/* Takes the one message out of the body. Returns OK or the status with words. */
static enum net_grpc_status take_message(struct net_grpc_call *call, char *why, size_t why_size)
{
    struct net_request *req = call->req;
    struct slice body = net_request_body(req), coding = net_request_header(req, "grpc-encoding");
    const unsigned char *p = (const unsigned char *)body.ptr;
    if (body.len < PREFIX_BYTES) {
        snprintf(why, why_size, "a call of this method has one message; %zu bytes came", body.len);
        return NET_GRPC_INVALID_ARGUMENT;
    }
    uint64_t len = (uint64_t)p[1] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 8 | p[4];
    if (len != body.len - PREFIX_BYTES) {
        snprintf(why, why_size,
                 "the prefix says that the message has %llu bytes, but %zu follow it: one message "
                 "a call is taken",
                 (unsigned long long)len, body.len - PREFIX_BYTES);
        return NET_GRPC_INVALID_ARGUMENT;
    }
    call->message = slice_from(body, PREFIX_BYTES);
    if (p[0] == 0)
        return NET_GRPC_OK;
    if (p[0] != 1) {
        snprintf(why, why_size, "a message's first byte is 0 or 1, not %u", p[0]);
        return NET_GRPC_INTERNAL;
    }
    if (slice_eq_cstr(coding, "gzip")) {
        call->encoding = CODEC_GZIP;
    } else if (slice_eq_cstr(coding, "deflate")) {
        call->encoding = CODEC_DEFLATE;
    } else if (slice_eq_cstr(coding, "zstd")) {
        call->encoding = CODEC_ZSTD;
    } else if (!coding.len || slice_eq_cstr(coding, "identity")) {
        snprintf(why, why_size, "the message is marked as compressed, but grpc-encoding says not");
        return NET_GRPC_INTERNAL;
    } else {
        net_response_header(req, "grpc-accept-encoding", SLICE(ACCEPTED));
        snprintf(why, why_size, "grpc-encoding: %.*s is not known; %s are", SLICE_FMT(coding),
                 ACCEPTED);
        return NET_GRPC_UNIMPLEMENTED;
    }
    return NET_GRPC_OK;
}

static bool has_service(const struct net_grpc_call *call, struct slice name)
{
    for (size_t i = 0; i < call->method_count; i++) {
        struct slice path = slice_cstr(call->methods[i].path + 1);
        if (slice_starts_with(path, name) && path.len > name.len && path.ptr[name.len] == '/')
            return true;
    }
    return false;
}

/* grpc.health.v1.Health/Check. */
static void check_health(struct net_grpc_call *call, void *ctx)
{
    struct diag diag;
    struct slice message, service = SLICE("");
    (void)ctx;
    diag_init(&diag);
    /* Decompressed here on the loop, for anybody who asks: what names no service is not read. */
    int err = decode(call, HEALTH_BYTES_MAX, &message, &diag);
    if (err == ERR_TOO_LARGE || message.len > HEALTH_BYTES_MAX) {
        net_grpc_fail(call, NET_GRPC_INVALID_ARGUMENT, "a health check has at most %d bytes",
                      HEALTH_BYTES_MAX);
        return;
    }
    if (err) {
        net_grpc_fail(call, net_grpc_status_of(err), "%s", diag.msg);
        return;
    }
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            service = f.bytes;
    }
    if (r.failed)
        net_grpc_fail(call, NET_GRPC_INVALID_ARGUMENT, "this is no HealthCheckRequest");
    else if (service.len && !has_service(call, service))
        net_grpc_fail(call, NET_GRPC_NOT_FOUND, "no service %.*s here", SLICE_FMT(service));
    else
        net_grpc_reply(call, SLICE("\x08\x01")); /* status: SERVING */
}

void net_grpc_serve(struct net_request *req, const struct net_grpc_method *methods, size_t count,
                    void *ctx)
{
    struct slice path = net_request_path(req);
    void (*handler)(struct net_grpc_call *, void *) = NULL;
    base_assert(req->is_grpc);
    for (size_t i = 0; i < count && !handler; i++) {
        if (slice_eq_cstr(path, methods[i].path))
            handler = methods[i].handler;
    }
    if (slice_eq_cstr(path, "/grpc.health.v1.Health/Check"))
        handler = check_health;
    if (req->method != NET_POST) {
        net_respond_text(req, 405, "gRPC calls are POST requests");
        return;
    }
    if (!handler) {
        net_respond_text(req, 404, "unknown method %.*s", SLICE_FMT(path));
        return;
    }
    struct net_grpc_call *call = ARENA_NEW(req->arena, struct net_grpc_call);
    *call = (struct net_grpc_call){.req = req,
                                   .ctx = ctx,
                                   .methods = methods,
                                   .method_count = count,
                                   .answer_encoding = choose_encoding(req)};
    req->h2->grpc = call;
    struct slice timeout = net_request_header(req, "grpc-timeout");
    int64_t timeout_ns;
    char why[200];
    net__h2_pin(req);
    enum net_grpc_status status = take_message(call, why, sizeof(why));
    if (status) {
        net_grpc_fail(call, status, "%s", why);
        return;
    }
    if (timeout.ptr) {
        if (!parse_timeout(timeout, &timeout_ns)) {
            net_grpc_fail(call, NET_GRPC_INTERNAL,
                          "grpc-timeout: %.*s is not up to eight digits and a unit H M S m u n",
                          SLICE_FMT(timeout));
            return;
        }
        call->deadline_ns = net__loop_now(net_request_loop(req)) + timeout_ns;
        net__h2_set_expiry(req, call->deadline_ns, on_deadline);
    }
    handler(call, ctx);
}
