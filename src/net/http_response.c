/* The response: status line, headers, whole or streamed bodies, compressed where it pays. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "net/http_priv.h"

#define COMPRESS_MIN 1024 /* smaller bodies fit a packet anyway */

const char *net__status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } rows[] = {{200, "OK"},
                {202, "Accepted"},
                {204, "No Content"},
                {301, "Moved Permanently"},
                {302, "Found"},
                {304, "Not Modified"},
                {307, "Temporary Redirect"},
                {400, "Bad Request"},
                {401, "Unauthorized"},
                {403, "Forbidden"},
                {404, "Not Found"},
                {405, "Method Not Allowed"},
                {406, "Not Acceptable"},
                {408, "Request Timeout"},
                {409, "Conflict"},
                {413, "Content Too Large"},
                {415, "Unsupported Media Type"},
                {417, "Expectation Failed"},
                {422, "Unprocessable Content"},
                {429, "Too Many Requests"},
                {431, "Request Header Fields Too Large"},
                {499, "Client Closed Request"},
                {500, "Internal Server Error"},
                {501, "Not Implemented"},
                {503, "Service Unavailable"},
                {504, "Gateway Timeout"},
                {505, "HTTP Version Not Supported"},
                {507, "Insufficient Storage"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].status == status)
            return rows[i].text;
    }
    return "Status";
}

static void add_field(struct buf *out, const char *name, struct slice value)
{
    buf_append_cstr(out, name);
    buf_append_cstr(out, ": ");
    for (size_t i = 0; i < value.len; i++) {
        /* No way to smuggle a line into the headers. */
        char c = value.ptr[i];
        buf_append_char(out, c == '\r' || c == '\n' ? ' ' : c);
    }
    buf_append_cstr(out, "\r\n");
}

void net_response_header(struct net_request *req, const char *name, struct slice value)
{
    if (req->h2 && req->complete)
        return; /* a gRPC call whose deadline passed before its handler was done */
    base_assert(!req->answered);
    add_field(&req->extra_headers, name, value);
    if (slice_eq_nocase(slice_cstr(name), SLICE("content-encoding")))
        req->has_encoding_header = true;
}

void net_response_trailer(struct net_request *req, const char *name, struct slice value)
{
    if (req->h2 && req->complete)
        return;
    base_assert(!req->complete);
    add_field(&req->out_trailers, name, value);
}

/* The quality the peer gives a coding: -1 not named, else 0..1000. */
static int quality(struct slice accept, struct slice coding)
{
    struct slice item;
    int star = -1;
    while (accept.len && slice_split(&accept, ',', &item)) {
        struct slice name, rest = slice_trim(item), param;
        int q = 1000;
        slice_split(&rest, ';', &name);
        while (rest.ptr && slice_split(&rest, ';', &param)) {
            param = slice_trim(param);
            if (slice_starts_with(param, SLICE("q="))) {
                char text[16] = {0};
                memcpy(text, param.ptr + 2, MIN(param.len - 2, sizeof(text) - 1));
                q = (int)(strtod(text, NULL) * 1000);
            }
        }
        name = slice_trim(name);
        if (slice_eq_nocase(name, coding))
            return q;
        if (slice_eq_cstr(name, "*"))
            star = q;
    }
    return star;
}

static bool is_compressible(const char *type)
{
    static const char *const prefixes[] = {
        "text/",     "application/json",        "application/javascript", "application/xml",
        "image/svg", "application/openmetrics", "application/x-ndjson"};
    if (strncmp(type, "text/event-stream", 17) == 0)
        return false; /* a compressor would hold events back */
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (strncmp(type, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return false;
}

static enum codec_compression negotiate(struct net_request *req, const char *type)
{
    struct slice accept = net_request_header(req, "accept-encoding");
    if (!accept.len || req->has_encoding_header || !type || !is_compressible(type))
        return CODEC_IDENTITY;
    int zstd = quality(accept, SLICE("zstd")), gzip = quality(accept, SLICE("gzip")),
        deflate = quality(accept, SLICE("deflate"));
    if (zstd > 0 && zstd >= MAX(gzip, deflate))
        return CODEC_ZSTD;
    if (gzip > 0 && gzip >= deflate)
        return CODEC_GZIP;
    return deflate > 0 ? CODEC_DEFLATE : CODEC_IDENTITY;
}

struct slice net__coding_name(enum codec_compression coding)
{
    return coding == CODEC_ZSTD      ? SLICE("zstd")
           : coding == CODEC_DEFLATE ? SLICE("deflate")
                                     : SLICE("gzip");
}

void net__response_begun(struct net_request *req, int status)
{
    enum net__counter which = status >= 500 ? NET__5XX : status >= 400 ? NET__4XX : NET__2XX;
    counter_add(&req->conn->acceptor->server->counters[which], 1);
    req->answered = true;
}

static bool has_body(const struct net_request *req, int status)
{
    return req->method != NET_HEAD && status != 204 && status != 304;
}

/* length < 0: streamed. */
static void send_head(struct net_request *req, int status, const char *type,
                      enum codec_compression coding, bool vary, int64_t length)
{
    struct net__conn *c = req->conn;
    struct buf head = {0};
    if (req->h2) {
        net__h2_send_head(req, status, type, coding, vary, length, length && has_body(req, status));
        return;
    }
    net__response_begun(req, status);
    if (c->acceptor->closing)
        req->keep_alive = false;
    if (length < 0 && req->http10)
        req->keep_alive = false; /* its end is the connection's end */
    buf_printf(&head, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, net__status_text(status),
               net__loop_date(c->acceptor->loop));
    if (type)
        buf_printf(&head, "Content-Type: %s\r\n", type);
    if (coding != CODEC_IDENTITY)
        buf_printf(&head, "Content-Encoding: %.*s\r\n", SLICE_FMT(net__coding_name(coding)));
    if (vary)
        buf_append_cstr(&head, "Vary: Accept-Encoding\r\n");
    if (length >= 0 && status != 204 && status != 304)
        buf_printf(&head, "Content-Length: %lld\r\n", (long long)length);
    else if (length < 0 && !req->http10)
        buf_append_cstr(&head, "Transfer-Encoding: chunked\r\n");
    if (!req->keep_alive)
        buf_append_cstr(&head, "Connection: close\r\n");
    else if (req->http10)
        buf_append_cstr(&head, "Connection: keep-alive\r\n");
    buf_append_slice(&head, buf_slice(&req->extra_headers));
    buf_append_cstr(&head, "\r\n");
    net__conn_send(c, buf_slice(&head));
    buf_deinit(&head);
}

static void finish(struct net_request *req)
{
    req->complete = true;
    if (req->h2)
        net__h2_answered(req);
    else
        net__conn_answered(req->conn);
}

void net_respond(struct net_request *req, int status, const char *type, struct slice body)
{
    if (req->is_grpc) { /* its deadline may have answered it already */
        net__grpc_refuse(req, status, body);
        return;
    }
    base_assert(!req->answered);
    enum codec_compression coding =
        body.len >= COMPRESS_MIN ? negotiate(req, type) : CODEC_IDENTITY;
    bool vary = type && is_compressible(type) && !req->has_encoding_header;
    struct buf packed = {0};
    if (coding != CODEC_IDENTITY) {
        codec_compress(coding, 1, body, &packed);
        if (packed.len < body.len)
            body = buf_slice(&packed);
        else
            coding = CODEC_IDENTITY;
    }
    send_head(req, status, type, coding, vary, (int64_t)body.len);
    if (has_body(req, status)) {
        if (req->h2)
            net__h2_send_body(req, body);
        else
            net__conn_send(req->conn, body);
    }
    buf_deinit(&packed);
    finish(req);
}

void net_respond_text(struct net_request *req, int status, const char *fmt, ...)
{
    struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    net_respond(req, status, "text/plain; charset=utf-8", buf_slice(&text));
    buf_deinit(&text);
}

void net_respond_begin(struct net_request *req, int status, const char *type)
{
    base_assert(!req->answered);
    enum codec_compression coding = negotiate(req, type);
    if (coding != CODEC_IDENTITY && req->method != NET_HEAD)
        req->compressor = codec_stream_new(coding, 1);
    /* Lines that go out one by one are for a peer that waits for each. */
    req->flush_each = type && strncmp(type, "application/x-ndjson", 20) == 0;
    req->chunked = !req->http10 && !req->h2;
    send_head(req, status, type, coding, type && is_compressible(type), -1);
}

static void send_chunk(struct net_request *req, struct slice bytes)
{
    if (!bytes.len || req->method == NET_HEAD)
        return;
    if (req->h2) {
        net__h2_send_body(req, bytes);
        return;
    }
    char size[24];
    if (req->chunked) {
        int n = snprintf(size, sizeof(size), "%zx\r\n", bytes.len);
        net__conn_send(req->conn, slice_make(size, (size_t)n));
    }
    net__conn_send(req->conn, bytes);
    if (req->chunked)
        net__conn_send(req->conn, SLICE("\r\n"));
}

bool net_respond_write(struct net_request *req, struct slice chunk)
{
    struct net__conn *c = req->conn;
    base_assert(req->answered && !req->complete);
    if (req->compressor && chunk.len) {
        struct buf packed = {0};
        codec_stream_push(req->compressor, chunk, req->flush_each, false, &packed);
        send_chunk(req, buf_slice(&packed));
        buf_deinit(&packed);
    } else {
        send_chunk(req, chunk);
    }
    if (req->h2)
        return net__h2_flush(req);
    if (c->state == NET__CLOSING)
        return true; /* dropped: the peer is gone and nobody has to wait */
    if (!c->in_parse)
        net__conn_flush(c);
    return net__conn_queued(c) < NET__HIGH_WATER;
}

void net_respond_on_drain(struct net_request *req, void (*fn)(void *ctx), void *ctx)
{
    req->on_drain = fn;
    req->drain_ctx = ctx;
    if (req->h2)
        net__h2_drain_wanted(req);
}

void net_respond_end(struct net_request *req)
{
    struct net__conn *c = req->conn;
    base_assert(req->answered && !req->complete);
    if (req->compressor) {
        struct buf packed = {0};
        codec_stream_push(req->compressor, SLICE(""), false, true, &packed);
        send_chunk(req, buf_slice(&packed));
        buf_deinit(&packed);
    }
    if (req->chunked && req->method != NET_HEAD) {
        net__conn_send(c, SLICE("0\r\n"));
        net__conn_send(c, buf_slice(&req->out_trailers));
        net__conn_send(c, SLICE("\r\n"));
    }
    req->on_drain = NULL;
    finish(req);
}
