/* One request on an HTTP/2 session, and its response. */
#include <stdio.h>

#include "base/assert.h"
#include "net/h2_priv.h"

#define FIELDS_MAX 64 /* of one response, beside our own */

struct net_request *net__h2_request_new(struct net__h2 *h2, int32_t id)
{
    struct net_request *req = net__request_new(h2->conn);
    struct net__h2_stream *st = mem_calloc(1, sizeof(*st));
    req->h2 = st;
    req->keep_alive = true;
    st->id = id;
    st->progress_ns = net__loop_now(h2->conn->acceptor->loop);
    st->next = h2->first;
    if (st->next)
        st->next->h2->prev = req;
    h2->first = req;
    h2->live++;
    return req;
}

void net__h2_release(struct net_request *req)
{
    struct net__conn *c = req->conn;
    struct net__h2 *h2 = c->h2;
    struct net__h2_stream *st = req->h2;
    *(st->prev ? &st->prev->h2->next : &h2->first) = st->next;
    if (st->next)
        st->next->h2->prev = st->prev;
    buf_deinit(&st->queue);
    net__request_free(req);
    if (!--h2->live)
        h2->idle_since_ns = net__loop_now(c->acceptor->loop);
    if (c->state == NET__CLOSING)
        net__conn_close_when_free(c);
}

static void release_when_done(struct net_request *req)
{
    struct net__h2_stream *st = req->h2;
    if (st->gone && !st->pins && (req->complete || !st->dispatched))
        net__h2_release(req);
}

void net__h2_pin(struct net_request *req)
{
    req->h2->pins++;
}

void net__h2_unpin(struct net_request *req)
{
    base_assert(req->h2->pins);
    req->h2->pins--;
    release_when_done(req);
}

static void unlist_ready(struct net_request *req)
{
    struct net__h2 *h2 = req->conn->h2;
    struct net_request *before = NULL;
    for (struct net_request *r = h2->ready_first; r; before = r, r = r->h2->next_ready) {
        if (r != req)
            continue;
        *(before ? &before->h2->next_ready : &h2->ready_first) = req->h2->next_ready;
        if (h2->ready_last == req)
            h2->ready_last = before;
        return;
    }
}

void net__h2_stream_gone(struct net_request *req)
{
    struct net__h2_stream *st = req->h2;
    if (st->gone)
        return;
    st->gone = true;
    if (st->ready)
        unlist_ready(req);
    st->ready = false;
    buf_deinit(&st->queue);
    st->queue_at = 0;
    st->pins++; /* through the calls */
    if (st->dispatched && (!req->complete || st->pins > 1)) {
        void (*abort_fn)(void *) = req->on_abort;
        req->on_abort = NULL;
        if (abort_fn)
            abort_fn(req->abort_ctx);
        void (*drain_fn)(void *) = req->complete ? NULL : req->on_drain;
        req->on_drain = NULL;
        if (drain_fn)
            drain_fn(req->drain_ctx);
    }
    net__h2_unpin(req);
}

/* --- the request --- */

static struct net__span append(struct net__fields *f, struct slice s)
{
    struct net__span span = {(uint32_t)f->text.len, (uint32_t)s.len};
    buf_append_slice(&f->text, s);
    return span;
}

static void append_field(struct net__fields *f, struct slice name, struct slice value)
{
    struct net__span n = append(f, name), v = append(f, value);
    vec_push(&f->items, ((struct net__header){n.at, n.len, v.at, v.len}));
}

void net__h2_field(struct net_request *req, struct slice name, struct slice value)
{
    struct net__h2_stream *st = req->h2;
    struct net__fields *f = net__request_fields(req);
    if (st->dispatched || st->reject_status)
        return;
    st->head_bytes += name.len + value.len + 32; /* as RFC 9113 counts a header list */
    if (st->head_bytes > req->conn->acceptor->server->config.limits.header_bytes_max) {
        st->reject_status = 431;
        return;
    }
    if (!name.len || name.ptr[0] != ':')
        append_field(f, name, value);
    else if (slice_eq_cstr(name, ":method"))
        st->method = append(f, value);
    else if (slice_eq_cstr(name, ":path"))
        req->target = append(f, value);
    else if (slice_eq_cstr(name, ":authority"))
        append_field(f, SLICE("host"), value);
}

/* HTTP/2 may send a cookie in crumbs; handlers see the whole one (RFC 9113, 8.2.3). */
static void join_cookies(struct net__fields *f)
{
    struct buf whole = {0};
    size_t first = SIZE_MAX, kept = 0, count = 0;
    for (size_t i = 0; i < f->items.len; i++) {
        struct net__header h = f->items.items[i];
        if (slice_eq_cstr(slice_make(f->text.ptr + h.name_at, h.name_len), "cookie")) {
            if (count++)
                buf_append_cstr(&whole, "; ");
            buf_append(&whole, f->text.ptr + h.value_at, h.value_len);
            if (first != SIZE_MAX)
                continue;
            first = kept;
        }
        f->items.items[kept++] = h;
    }
    if (count > 1) {
        struct net__span span = append(f, buf_slice(&whole));
        f->items.len = kept;
        f->items.items[first].value_at = span.at;
        f->items.items[first].value_len = span.len;
    }
    buf_deinit(&whole);
}

bool net__h2_fields_refused(struct net_request *req)
{
    struct net__h2_stream *st = req->h2;
    char why[200];
    if (!st->reject_status || st->dispatched)
        return false;
    snprintf(why, sizeof(why),
             "headers and trailers are larger than the allowed %zu bytes "
             "(limits.http.header_bytes)",
             req->conn->acceptor->server->config.limits.header_bytes_max);
    net__h2_refuse(req, st->reject_status, why);
    return true;
}

void net__h2_head_done(struct net_request *req)
{
    struct net__h2_stream *st = req->h2;
    const struct net_http_limits *limits = &req->conn->acceptor->server->config.limits;
    char why[200];
    if (net__h2_fields_refused(req))
        return;
    join_cookies(&req->head);
    int status = net__request_head_done(req, net__span_slice(req, st->method), why, sizeof(why));
    req->is_grpc = net__grpc_type(req);
    struct slice length = net_request_header(req, "content-length");
    uint64_t whole = 0;
    for (size_t i = 0; i < length.len && whole <= limits->body_bytes_max; i++)
        whole = whole * 10 + (uint64_t)(length.ptr[i] - '0');
    if (!status && whole > limits->body_bytes_max) {
        snprintf(why, sizeof(why),
                 "the body of %.*s bytes is larger than the allowed %zu (limits.http.body_bytes)",
                 SLICE_FMT(length), limits->body_bytes_max);
        status = 413;
    }
    if (status) {
        net__h2_refuse(req, status, why);
    } else if (req->expect_continue) {
        nghttp2_nv go_on = {(uint8_t *)":status", (uint8_t *)"100", 7, 3, NGHTTP2_NV_FLAG_NONE};
        nghttp2_submit_headers(req->conn->h2->session, NGHTTP2_FLAG_NONE, st->id, NULL, &go_on, 1,
                               NULL);
    }
}

void net__h2_refuse(struct net_request *req, int status, const char *text)
{
    req->h2->dispatched = true;
    net_respond_text(req, status, "%s\n", text);
}

void net__h2_set_expiry(struct net_request *req, int64_t at_ns, void (*fn)(struct net_request *req))
{
    req->h2->expiry_ns = at_ns;
    req->h2->on_expiry = fn;
}

/* --- the response --- */

static nghttp2_nv make_nv(struct slice name, struct slice value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.ptr, (uint8_t *)(uintptr_t)value.ptr, name.len,
                        value.len, NGHTTP2_NV_FLAG_NONE};
}

/* What belongs to a connection of HTTP/1 has no place in HTTP/2. */
static bool is_hop_field(struct slice name)
{
    static const char *const names[] = {"connection", "keep-alive", "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq_cstr(name, names[i]))
            return true;
    }
    return false;
}

/* Takes "Name: value\r\n" lines apart, making the names lower-case in place. */
static size_t parse_lines(struct buf *lines, nghttp2_nv *out, size_t max)
{
    size_t n = 0;
    for (size_t at = 0; at < lines->len && n < max;) {
        struct slice rest = slice_from(buf_slice(lines), at);
        size_t len = (size_t)slice_find(rest, SLICE("\r\n"));
        struct slice line = slice_first(rest, len);
        size_t name_len = (size_t)slice_find_char(line, ':');
        for (size_t i = 0; i < name_len; i++) {
            char *c = lines->ptr + at + i;
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c + 32);
        }
        if (!is_hop_field(slice_first(line, name_len)))
            out[n++] =
                make_nv(slice_first(line, name_len), slice_trim(slice_from(line, name_len + 1)));
        at += len + 2;
    }
    return n;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *dst, size_t max,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct net_request *req = source->ptr;
    struct net__h2_stream *st = req->h2;
    size_t n = MIN(net__h2_queued(req), max);
    (void)user;
    if (!n && !st->ended) {
        st->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n) {
        memcpy(dst, st->queue.ptr + st->queue_at, n);
        st->queue_at += n;
        st->progress_ns = net__loop_now(req->conn->acceptor->loop);
    }
    if (st->queue_at == st->queue.len) {
        st->queue_at = 0;
        buf_clear(&st->queue);
        if (st->ended) {
            *flags |= NGHTTP2_DATA_FLAG_EOF;
            if (req->out_trailers.len) {
                nghttp2_nv nv[FIELDS_MAX];
                size_t count = parse_lines(&req->out_trailers, nv, FIELDS_MAX);
                *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
                nghttp2_submit_trailer(session, id, nv, count);
            }
        }
    }
    return (ssize_t)n;
}

void net__h2_send_head(struct net_request *req, int status, const char *type,
                       enum codec_compression coding, bool vary, int64_t length, bool has_body)
{
    struct net__h2_stream *st = req->h2;
    nghttp2_nv nv[FIELDS_MAX + 8];
    char code[12], size[24];
    size_t n = 0;
    net__response_begun(req, st->counted_as ? st->counted_as : status);
    if (st->gone)
        return;
    snprintf(code, sizeof(code), "%d", status);
    nv[n++] = make_nv(SLICE(":status"), slice_cstr(code));
    nv[n++] = make_nv(SLICE("date"), slice_cstr(net__loop_date(req->conn->acceptor->loop)));
    if (type)
        nv[n++] = make_nv(SLICE("content-type"), slice_cstr(type));
    if (coding != CODEC_IDENTITY)
        nv[n++] = make_nv(SLICE("content-encoding"), net__coding_name(coding));
    if (vary)
        nv[n++] = make_nv(SLICE("vary"), SLICE("accept-encoding"));
    if (length >= 0 && status != 204 && status != 304) {
        snprintf(size, sizeof(size), "%lld", (long long)length);
        nv[n++] = make_nv(SLICE("content-length"), slice_cstr(size));
    }
    n += parse_lines(&req->extra_headers, nv + n, FIELDS_MAX);
    nghttp2_data_provider body = {.source = {.ptr = req}, .read_callback = read_body};
    st->progress_ns = net__loop_now(req->conn->acceptor->loop);
    if (nghttp2_submit_response(req->conn->h2->session, st->id, nv, n, has_body ? &body : NULL))
        nghttp2_submit_rst_stream(req->conn->h2->session, NGHTTP2_FLAG_NONE, st->id,
                                  NGHTTP2_INTERNAL_ERROR);
}

static void resume(struct net_request *req)
{
    if (req->h2->deferred) {
        req->h2->deferred = false;
        nghttp2_session_resume_data(req->conn->h2->session, req->h2->id);
    }
}

void net__h2_send_body(struct net_request *req, struct slice bytes)
{
    struct net__h2_stream *st = req->h2;
    if (st->gone || req->method == NET_HEAD || !bytes.len)
        return;
    if (!net__h2_queued(req))
        st->progress_ns = net__loop_now(req->conn->acceptor->loop);
    if (st->queue_at >= st->queue.len / 2 && st->queue_at) {
        buf_consume(&st->queue, st->queue_at);
        st->queue_at = 0;
    }
    buf_append_slice(&st->queue, bytes);
    resume(req);
}

void net__h2_drain_wanted(struct net_request *req)
{
    req->conn->h2->drain_wanted = true;
}

bool net__h2_flush(struct net_request *req)
{
    struct net__h2_stream *st = req->h2;
    if (!req->conn->in_parse) {
        st->pins++; /* the peer may reset it now */
        net__conn_flush(req->conn);
        st->pins--;
    }
    return st->gone || net__h2_queued(req) < NET__H2_HIGH_WATER;
}

void net__h2_answered(struct net_request *req)
{
    struct net__conn *c = req->conn;
    struct net__h2_stream *st = req->h2;
    req->on_drain = NULL;
    st->on_expiry = NULL;
    st->ended = true;
    if (st->gone) {
        release_when_done(req);
        return;
    }
    resume(req);
    if (!c->in_parse)
        net__conn_flush(c);
}
