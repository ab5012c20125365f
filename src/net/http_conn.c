/* A connection: bytes in, requests out to the handler one at a time, responses back. While a
 * request is being answered the parser rests, and what the peer pipelines behind it waits in
 * `ahead`. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "net/http_priv.h"

#define LINGER_NS (2 * NS_PER_SEC)

void net__conn_set_deadline(struct net__conn *c, int64_t timeout_ns)
{
    c->deadline_ns = timeout_ns ? net__loop_now(c->acceptor->loop) + timeout_ns : 0;
}

static struct net_http_server *server_of(struct net__conn *c)
{
    return c->acceptor->server;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct net__conn *c = handle->data;
    struct net_http_server *server = server_of(c);
    if (c->request)
        net__request_free(c->request);
    net__h2_free(c->h2);
    net__ws_free(c->ws);
    net__tls_session_free(c->tls);
    buf_deinit(&c->ahead);
    buf_deinit(&c->out);
    buf_deinit(&c->writing);
    *(c->prev ? &c->prev->next : &c->acceptor->conns) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    if (!c->acceptor->conns)
        uv_timer_stop(&c->acceptor->sweep);
    server->open_count--;
    counter_set(&server->counters[NET__OPEN], (int64_t)server->open_count);
    mem_free(c);
}

/* The handle goes at once, unless the handler still has the request: then when it answered. */
void net__conn_close_when_free(struct net__conn *c)
{
    bool with_handler =
        c->request && c->state == NET__CLOSING && !c->request->complete && c->handle_closed;
    if (c->h2)
        with_handler = net__h2_live(c->h2) > 0;
    if (!with_handler && !uv_is_closing((uv_handle_t *)&c->tcp))
        uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
}

void net__conn_close(struct net__conn *c)
{
    bool answering = c->state == NET__ANSWER && c->request && !c->request->complete;
    if (c->state != NET__CLOSING)
        uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = false;
    c->state = NET__CLOSING;
    c->deadline_ns = 0;
    if (answering) {
        /* handle_closed doubles as "waiting for the handler". */
        c->handle_closed = true;
        if (c->request->on_abort) {
            void (*fn)(void *) = c->request->on_abort;
            c->request->on_abort = NULL;
            fn(c->request->abort_ctx);
        }
        if (c->request && c->request->on_drain) {
            void (*fn)(void *) = c->request->on_drain;
            c->request->on_drain = NULL;
            fn(c->request->drain_ctx);
        }
    }
    if (c->h2)
        net__h2_abort_all(c);
    net__conn_close_when_free(c);
}

size_t net__conn_queued(const struct net__conn *c)
{
    return c->out.len + (c->write_pending ? c->writing.len : 0);
}

static void on_written(uv_write_t *req, int status)
{
    struct net__conn *c = req->data;
    counter_add(&server_of(c)->counters[NET__BYTES_OUT], (int64_t)c->writing.len);
    buf_clear(&c->writing);
    if (c->writing.cap > NET__HIGH_WATER)
        buf_deinit(&c->writing);
    c->write_pending = false;
    if (status < 0) {
        net__conn_close(c);
        return;
    }
    net__conn_flush(c);
}

static void start_linger(struct net__conn *c)
{
    int fd;
    c->state = NET__LINGER;
    c->linger = c->close_after_write = false;
    net__conn_set_deadline(c, LINGER_NS);
    if (!uv_fileno((uv_handle_t *)&c->tcp, &fd))
        shutdown(fd, SHUT_WR);
    net__conn_start_reading(c);
}

/* Writes what is queued; false when the connection broke. */
static bool write_out(struct net__conn *c)
{
    struct buf swap = c->writing;
    c->writing = c->out;
    c->out = swap;
    uv_buf_t b = uv_buf_init(c->writing.ptr, (unsigned)c->writing.len);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
    if (n == (int)c->writing.len) {
        counter_add(&server_of(c)->counters[NET__BYTES_OUT], n);
        buf_clear(&c->writing);
        return true;
    }
    if (n > 0)
        b = uv_buf_init(c->writing.ptr + n, (unsigned)(c->writing.len - (size_t)n));
    c->write_req.data = c;
    c->write_pending = true;
    net__conn_set_deadline(c, server_of(c)->config.limits.write_timeout_ns);
    if ((n < 0 && n != UV_EAGAIN) ||
        uv_write(&c->write_req, (uv_stream_t *)&c->tcp, &b, 1, on_written)) {
        c->write_pending = false;
        net__conn_close(c);
        return false;
    }
    return true;
}

void net__conn_flush(struct net__conn *c)
{
    if (c->write_pending || c->state == NET__CLOSING || c->state == NET__LINGER)
        return;
    do {
        if (c->h2)
            net__h2_pump(c);
        else if (c->ws)
            net__ws_pump(c);
        if (!c->out.len)
            break;
        if (!write_out(c))
            return;
    } while ((c->h2 || c->ws) && !c->write_pending);
    if (c->h2 || c->ws) {
        if (c->h2)
            net__h2_after_flush(c);
        else
            net__ws_after_flush(c);
        if (c->write_pending || c->state == NET__CLOSING)
            return;
    }
    struct net_request *req = c->request;
    if (req && req->on_drain && net__conn_queued(c) <= NET__LOW_WATER) {
        void (*fn)(void *) = req->on_drain;
        req->on_drain = NULL;
        fn(req->drain_ctx);
        return;
    }
    if (!c->write_pending && !c->out.len) {
        if (c->close_after_write && c->linger && !c->peer_closed)
            start_linger(c);
        else if (c->close_after_write)
            net__conn_close(c);
        else if (c->state == NET__ANSWER)
            c->deadline_ns = 0; /* the handler's time is its own business */
    }
}

void net__conn_send(struct net__conn *c, struct slice bytes)
{
    if (c->state == NET__CLOSING)
        return;
    if (!c->tls)
        buf_append_slice(&c->out, bytes);
    else if (!net__tls_write(c->tls, bytes, &c->out))
        net__conn_close(c);
}

/* --- the parser's callbacks --- */

static struct net__conn *conn_of(llhttp_t *p)
{
    return BASE_CONTAINER_OF(p, struct net__conn, parser);
}

static int reject(struct net__conn *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int reject(struct net__conn *c, int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    c->reject_status = status;
    vsnprintf(c->reject_text, sizeof(c->reject_text), fmt, ap);
    va_end(ap);
    return HPE_USER;
}

static int on_begin(llhttp_t *p)
{
    struct net__conn *c = conn_of(p);
    c->request = net__request_new(c);
    c->state = NET__HEAD;
    c->head_bytes = 0;
    net__conn_set_deadline(c, server_of(c)->config.limits.header_timeout_ns);
    return 0;
}

static int add_head(struct net__conn *c, const char *at, size_t len)
{
    size_t max = server_of(c)->config.limits.header_bytes_max;
    c->head_bytes += len;
    if (c->head_bytes > max)
        return reject(c, 431,
                      "the request line and headers are larger than the allowed %zu bytes "
                      "(limits.http.header_bytes)",
                      max);
    buf_append(&net__request_fields(c->request)->text, at, len);
    return 0;
}

static int on_url(llhttp_t *p, const char *at, size_t len)
{
    struct net__conn *c = conn_of(p);
    c->request->target.len += (uint32_t)len;
    return add_head(c, at, len);
}

static int on_header_field(llhttp_t *p, const char *at, size_t len)
{
    struct net__conn *c = conn_of(p);
    struct net__fields *f = net__request_fields(c->request);
    /* A value of length zero gets no callback; `value_at` 0 tells that a name is still growing. */
    struct net__header *last = f->items.len ? &f->items.items[f->items.len - 1] : NULL;
    if (!last || last->value_at) {
        c->head_bytes += 16; /* so that many tiny headers count too */
        vec_push(&f->items, ((struct net__header){.name_at = (uint32_t)f->text.len}));
        last = &f->items.items[f->items.len - 1];
    }
    last->name_len += (uint32_t)len;
    return add_head(c, at, len);
}

static int on_header_value(llhttp_t *p, const char *at, size_t len)
{
    struct net__conn *c = conn_of(p);
    struct net__fields *f = net__request_fields(c->request);
    struct net__header *last = &f->items.items[f->items.len - 1];
    if (!last->value_at)
        last->value_at = (uint32_t)f->text.len;
    last->value_len += (uint32_t)len;
    return add_head(c, at, len);
}

static int on_header_value_complete(llhttp_t *p)
{
    struct net__fields *f = net__request_fields(conn_of(p)->request);
    struct net__header *last = &f->items.items[f->items.len - 1];
    if (!last->value_at)
        last->value_at = (uint32_t)f->text.len;
    return 0;
}

static int on_chunk_extension(llhttp_t *p, const char *at, size_t len)
{
    struct net__conn *c = conn_of(p);
    (void)at;
    c->head_bytes += len;
    if (c->head_bytes > server_of(c)->config.limits.header_bytes_max)
        return reject(c, 431, "chunk extensions are larger than limits.http.header_bytes allows");
    return 0;
}

static int on_headers_complete(llhttp_t *p)
{
    struct net__conn *c = conn_of(p);
    struct net_request *req = c->request;
    const struct net_http_limits *limits = &server_of(c)->config.limits;
    req->http10 = p->http_major < 1 || (p->http_major == 1 && p->http_minor == 0);
    req->keep_alive = llhttp_should_keep_alive(p);
    if (p->http_major != 1)
        return reject(c, 505, "HTTP/1.1 is spoken here");
    int status =
        net__request_head_done(req, slice_cstr(llhttp_method_name((llhttp_method_t)p->method)),
                               c->reject_text, sizeof(c->reject_text));
    if (status) {
        c->reject_status = status;
        return HPE_USER;
    }
    if ((p->flags & F_CONTENT_LENGTH) && p->content_length > limits->body_bytes_max)
        return reject(
            c, 413,
            "the body of %llu bytes is larger than the allowed %zu (limits.http.body_bytes)",
            (unsigned long long)p->content_length, limits->body_bytes_max);
    if (req->expect_continue && !req->http10)
        net__conn_send(c, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    c->state = NET__BODY;
    c->parser.upgrade = 0; /* its handler may; else it is answered as any other */
    net__conn_set_deadline(c, limits->body_timeout_ns);
    return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
    struct net__conn *c = conn_of(p);
    /* llhttp counts the length down as the body comes. */
    uint64_t whole =
        p->flags & F_CONTENT_LENGTH ? p->content_length + c->request->body.len + len : 0;
    int status =
        net__request_body_add(c->request, at, len, whole, c->reject_text, sizeof(c->reject_text));
    if (status) {
        c->reject_status = status;
        return HPE_USER;
    }
    net__conn_set_deadline(c, server_of(c)->config.limits.body_timeout_ns);
    return 0;
}

static int on_complete(llhttp_t *p)
{
    (void)p;
    return HPE_PAUSED; /* dispatched when the parser has returned */
}

static const llhttp_settings_t *parser_settings(void)
{
    static const llhttp_settings_t settings = {
        .on_message_begin = on_begin,
        .on_url = on_url,
        .on_header_field = on_header_field,
        .on_header_value = on_header_value,
        .on_header_value_complete = on_header_value_complete,
        .on_chunk_extension_name = on_chunk_extension,
        .on_chunk_extension_value = on_chunk_extension,
        .on_headers_complete = on_headers_complete,
        .on_body = on_body,
        .on_message_complete = on_complete,
    };
    return &settings;
}

/* --- from bytes to requests --- */

/* Answers a request that cannot be served and closes: what follows cannot be told from its body. */
static void refuse(struct net__conn *c, int status, const char *text)
{
    uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = false;
    buf_clear(&c->ahead);
    if (!c->request)
        c->request = net__request_new(c);
    c->request->keep_alive = false;
    c->linger = true;
    c->state = NET__ANSWER;
    net_respond_text(c->request, status, "%s\n", text);
}

static void dispatch(struct net__conn *c)
{
    struct net_http_server *server = server_of(c);
    int status = net__request_body_done(c->request, c->reject_text, sizeof(c->reject_text));
    if (status) {
        c->state = NET__ANSWER;
        net_respond_text(c->request, status, "%s\n", c->reject_text);
        return;
    }
    c->state = NET__ANSWER;
    c->deadline_ns = 0;
    server->config.handler(c->request, server->config.ctx);
}

static void feed_http1(struct net__conn *c, struct slice bytes)
{
    size_t total = bytes.len;
    while (bytes.len && (c->state == NET__IDLE || c->state == NET__HEAD || c->state == NET__BODY)) {
        c->in_parse = true;
        llhttp_errno_t err = llhttp_execute(&c->parser, bytes.ptr, bytes.len);
        c->in_parse = false;
        if (err == HPE_OK)
            return;
        const char *at = llhttp_get_error_pos(&c->parser);
        size_t used =
            at >= bytes.ptr && at <= bytes.ptr + bytes.len ? (size_t)(at - bytes.ptr) : bytes.len;
        bytes = slice_from(bytes, used);
        if (err == HPE_PAUSED) {
            llhttp_resume(&c->parser);
            dispatch(c);
            continue;
        }
        if (c->reject_status) {
            refuse(c, c->reject_status, c->reject_text);
        } else {
            const char *why = llhttp_get_error_reason(&c->parser);
            char text[200];
            snprintf(text, sizeof(text), "malformed HTTP request at byte %zu of this read: %s",
                     total - bytes.len, why && *why ? why : llhttp_errno_name(err));
            refuse(c, 400, text);
        }
        return;
    }
    if (bytes.len && c->state == NET__WS)
        net__ws_feed(c, bytes);
    if (bytes.len && c->state == NET__ANSWER) {
        buf_append_slice(&c->ahead, bytes);
        if (c->ahead.len >= NET__PIPELINE_BYTES && c->reading) {
            uv_read_stop((uv_stream_t *)&c->tcp);
            c->reading = false;
        }
    }
}

/* The first bytes tell the version: HTTP/2 with prior knowledge begins with a preface that is no
 * request of HTTP/1. What looks like its beginning waits for the rest. */
static void sniff(struct net__conn *c, struct slice bytes)
{
    size_t held = c->preface_len, n = held, max = sizeof(net__h2_preface) - 1, i = 0;
    while (n < max && i < bytes.len && bytes.ptr[i] == net__h2_preface[n])
        n++, i++;
    if (n < max && i == bytes.len) {
        c->preface_len = (uint8_t)n;
        return;
    }
    c->sniffed = true;
    if (n == max)
        net__h2_start(c);
    struct slice before = slice_make(net__h2_preface, held);
    if (c->h2) {
        net__h2_feed(c, before);
        net__h2_feed(c, bytes);
    } else {
        feed_http1(c, before);
        feed_http1(c, bytes);
    }
}

static void feed(struct net__conn *c, struct slice bytes)
{
    if (!c->sniffed && bytes.len && c->tls && net__tls_is_h2(c->tls)) {
        c->sniffed = true;
        net__h2_start(c);
    }
    if (!c->sniffed && bytes.len)
        sniff(c, bytes);
    else if (c->h2)
        net__h2_feed(c, bytes);
    else if (c->state == NET__WS)
        net__ws_feed(c, bytes);
    else
        feed_http1(c, bytes);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct net__conn *c = handle->data;
    (void)suggested;
    *out = uv_buf_init(c->acceptor->loop->read_buffer, NET__READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct net__conn *c = stream->data;
    if (n == 0)
        return;
    if (n < 0) {
        /* A peer that has gone, or closed its half: a handler at work is told, as its answer may be
         * wanted by nobody. What it answers is still sent if it can be. */
        uv_read_stop(stream);
        c->reading = false;
        c->peer_closed = true;
        if (n == UV_EOF && c->state == NET__ANSWER && c->request && !c->request->complete) {
            c->request->keep_alive = false;
            if (c->request->on_abort) {
                void (*fn)(void *) = c->request->on_abort;
                c->request->on_abort = NULL;
                fn(c->request->abort_ctx);
            }
            return;
        }
        if (n == UV_EOF && c->state != NET__LINGER && (c->write_pending || c->out.len)) {
            c->close_after_write = true;
            return;
        }
        net__conn_close(c);
        return;
    }
    counter_add(&server_of(c)->counters[NET__BYTES_IN], n);
    if (c->state == NET__LINGER)
        return;
    struct slice bytes = slice_make(b->base, (size_t)n);
    if (!c->tls) {
        feed(c, bytes);
        net__conn_flush(c);
        return;
    }
    struct buf plain = {0};
    bool eof = false;
    if (!net__tls_read(c->tls, bytes, &plain, &c->out, &eof)) {
        c->close_after_write = true;
        buf_deinit(&plain);
        net__conn_flush(c);
        return;
    }
    feed(c, buf_slice(&plain));
    buf_deinit(&plain);
    net__conn_flush(c);
}

void net__conn_start_reading(struct net__conn *c)
{
    if (!c->reading && !c->peer_closed && c->state != NET__CLOSING) {
        c->reading = true;
        uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    }
}

void net__conn_answered(struct net__conn *c)
{
    struct net_request *req = c->request;
    bool keep = req->keep_alive && !c->acceptor->closing;
    if (c->state == NET__CLOSING) {
        c->handle_closed = false;
        net__conn_close_when_free(c);
        return;
    }
    net__request_free(req);
    c->request = NULL;
    if (!keep) {
        c->close_after_write = true;
        uv_read_stop((uv_stream_t *)&c->tcp);
        c->reading = false;
        net__conn_flush(c);
        return;
    }
    c->state = NET__IDLE;
    net__conn_set_deadline(c, server_of(c)->config.limits.idle_timeout_ns);
    /* On with what was pipelined; not from within the parser's own loop, which goes on by itself.
     */
    if (c->ahead.len && !c->in_parse) {
        struct buf ahead = c->ahead;
        c->ahead = (struct buf){0};
        feed_http1(c, buf_slice(&ahead));
        buf_deinit(&ahead);
    }
    if (c->peer_closed && c->state == NET__IDLE)
        c->close_after_write = true;
    net__conn_start_reading(c);
    net__conn_flush(c);
}

void net__conn_accept(struct net__acceptor *a)
{
    struct net_http_server *server = a->server;
    struct net__conn *c = mem_calloc(1, sizeof(*c));
    c->acceptor = a;
    c->tcp.data = c;
    uv_tcp_init(&a->loop->uv, &c->tcp);
    bool first = !a->conns;
    c->next = a->conns;
    if (c->next)
        c->next->prev = c;
    a->conns = c;
    counter_add(&server->counters[NET__ACCEPTED], 1);
    counter_set(&server->counters[NET__OPEN], (int64_t)++server->open_count);
    if (uv_accept((uv_stream_t *)&a->listener, (uv_stream_t *)&c->tcp)) {
        net__conn_close(c);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    llhttp_init(&c->parser, HTTP_REQUEST, parser_settings());
    if (server->tls)
        c->tls = net__tls_accept(server->tls);
    if (first)
        uv_timer_start(&a->sweep, (uv_timer_cb)a->sweep.data, 250, 250);
    if (server->open_count > server->config.limits.connections_max) {
        counter_add(&server->counters[NET__REFUSED], 1);
        char text[120];
        snprintf(text, sizeof(text), "more than %zu connections (limits.http.connections)",
                 server->config.limits.connections_max);
        if (c->tls)
            net__conn_close(c); /* no words before the handshake */
        else
            refuse(c, 503, text);
        return;
    }
    /* The first request's headers are due from the start: who connects and says nothing is idle. */
    net__conn_set_deadline(c, server->config.limits.idle_timeout_ns);
    net__conn_start_reading(c);
}

void net__conn_sweep(struct net__acceptor *a)
{
    int64_t now = net__loop_now(a->loop);
    for (struct net__conn *c = a->conns, *next; c; c = next) {
        next = c->next;
        if (c->h2 && c->state == NET__H2) {
            net__h2_sweep(c, now);
            if (c->state != NET__H2)
                continue;
        } else if (c->ws && c->state == NET__WS) {
            net__ws_sweep(c, now);
            if (c->state != NET__WS)
                continue;
        }
        if (!c->deadline_ns || now < c->deadline_ns || c->state == NET__CLOSING)
            continue;
        counter_add(&a->server->counters[NET__TIMEOUTS], 1);
        if (c->state == NET__HEAD)
            refuse(c, 408, "the headers took longer than limits.http.header_timeout allows");
        else if (c->state == NET__BODY)
            refuse(c, 408, "the body stalled for longer than limits.http.body_timeout allows");
        else
            net__conn_close(c); /* idle, or not reading its answer */
    }
}
