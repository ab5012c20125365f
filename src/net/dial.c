#include "net/dial.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/loop_priv.h"
#include "net/url.h"

#define TIMEOUT_DEFAULT_NS (10 * NS_PER_SEC)

/* A connection on its own, so that it can close in peace while the next one is made. */
struct link {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    uv_getaddrinfo_t lookup;
    struct net_dial *owner; /* NULL: let go of */
    bool looking, has_tcp, open;
};

struct net_dial {
    struct net_loop *loop;
    struct net_dial_config config;
    char host[256], service[8];
    struct link *link;
    struct net_timer *timer;
    struct slice bytes;
    void (*done)(void *ctx, int err, const char *why);
    void *done_ctx;
};

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

/* Its callbacks find no owner any more; freed when the loop is through with it. */
static void let_go(struct net_dial *d)
{
    struct link *l = d->link;
    if (!l)
        return;
    d->link = NULL;
    l->owner = NULL;
    if (l->has_tcp)
        uv_close((uv_handle_t *)&l->tcp, on_closed);
    else if (l->looking)
        uv_cancel((uv_req_t *)&l->lookup); /* its callback frees */
    else
        mem_free(l);
}

static void finish(struct net_dial *d, int err, const char *why)
{
    void (*done)(void *, int, const char *) = d->done;
    net_timer_stop(d->timer);
    d->timer = NULL;
    d->done = NULL;
    if (err)
        let_go(d);
    if (done)
        done(d->done_ctx, err, why);
}

static void fail(struct net_dial *d, int err, const char *what, int status)
{
    char text[400];
    snprintf(text, sizeof(text), "%s: %s: %s", d->config.address, what, uv_strerror(status));
    finish(d, err, text);
}

static void on_timeout(void *ctx)
{
    struct net_dial *d = ctx;
    char text[400];
    snprintf(text, sizeof(text), "%s: no progress for %lld ms", d->config.address,
             (long long)(d->config.timeout_ns / NS_PER_MS));
    finish(d, ERR_TIMEOUT, text);
}

static void start_timer(struct net_dial *d)
{
    net_timer_stop(d->timer);
    d->timer = net_timer_start(d->loop, d->config.timeout_ns, 0, on_timeout, d);
}

static void on_written(uv_write_t *req, int status)
{
    struct link *l = req->data;
    if (!l->owner)
        return;
    if (status)
        fail(l->owner, ERR_CLOSED, "writing", status);
    else
        finish(l->owner, 0, "");
}

static void fail_later(void *ctx)
{
    struct net_dial *d = ctx;
    char text[400];
    snprintf(text, sizeof(text), "%s: nothing can be sent there", d->config.address);
    finish(d, ERR_CLOSED, text);
}

static void fail_soon(struct net_dial *d)
{
    net_timer_stop(d->timer);
    d->timer = net_timer_start(d->loop, 0, 0, fail_later, d);
}

static void write_bytes(struct net_dial *d)
{
    struct link *l = d->link;
    uv_buf_t out = uv_buf_init((char *)(uintptr_t)d->bytes.ptr, (unsigned)d->bytes.len);
    l->write.data = l;
    start_timer(d);
    if (uv_write(&l->write, (uv_stream_t *)&l->tcp, &out, 1, on_written))
        fail_soon(d);
}

static void give_buffer(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
    struct link *l = handle->data;
    (void)hint;
    *out = uv_buf_init(l->owner ? l->owner->loop->read_buffer : NULL,
                       l->owner ? (unsigned)NET__READ_BYTES : 0);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
    struct link *l = stream->data;
    struct net_dial *d = l->owner;
    if (!d || !n)
        return;
    if (n > 0) {
        if (d->config.on_bytes)
            d->config.on_bytes(d->config.ctx, slice_make(in->base, (size_t)n));
    } else if (d->done) {
        fail(d, ERR_CLOSED, "the peer closed the connection", (int)n);
    } else {
        let_go(d); /* the next send connects anew */
    }
}

static void on_connected(uv_connect_t *req, int status)
{
    struct link *l = req->data;
    if (!l->owner)
        return;
    if (status) {
        fail(l->owner, ERR_CLOSED, "connecting", status);
        return;
    }
    l->open = true;
    uv_tcp_nodelay(&l->tcp, 1);
    uv_read_start((uv_stream_t *)&l->tcp, give_buffer, on_read);
    write_bytes(l->owner);
}

static void on_found(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct link *l = req->data;
    l->looking = false;
    if (!l->owner) {
        mem_free(l);
    } else if (status) {
        fail(l->owner, ERR_NOT_FOUND, "looking up the name", status);
    } else {
        uv_tcp_init(&l->owner->loop->uv, &l->tcp);
        l->tcp.data = l->connect.data = l;
        l->has_tcp = true;
        int r = uv_tcp_connect(&l->connect, &l->tcp, found->ai_addr, on_connected);
        if (r)
            fail(l->owner, ERR_CLOSED, "connecting", r);
    }
    uv_freeaddrinfo(found);
}

int net_dial_new(struct net_loop *loop, const struct net_dial_config *config, struct net_dial **out,
                 struct diag *diag)
{
    struct net_dial *d = mem_calloc(1, sizeof(*d));
    uint16_t port;
    *out = NULL;
    int err = net_peer_parse(slice_cstr(config->address), d->host, sizeof(d->host), &port, diag);
    if (err) {
        mem_free(d);
        return err;
    }
    snprintf(d->service, sizeof(d->service), "%u", port);
    d->loop = loop;
    d->config = *config;
    d->config.address = mem_strdup(config->address);
    if (!d->config.timeout_ns)
        d->config.timeout_ns = TIMEOUT_DEFAULT_NS;
    *out = d;
    return 0;
}

void net_dial_send(struct net_dial *d, struct slice bytes,
                   void (*done)(void *ctx, int err, const char *why), void *ctx)
{
    base_assert(!d->done);
    d->bytes = bytes;
    d->done = done;
    d->done_ctx = ctx;
    if (d->link) {
        write_bytes(d);
        return;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct link *l = d->link = mem_calloc(1, sizeof(*l));
    l->owner = d;
    l->lookup.data = l;
    start_timer(d);
    l->looking = !uv_getaddrinfo(&d->loop->uv, &l->lookup, on_found, d->host, d->service, &hints);
    if (!l->looking)
        fail_soon(d);
}

void net_dial_hang_up(struct net_dial *d)
{
    base_assert(!d->done);
    let_go(d);
}

void net_dial_free(struct net_dial *d)
{
    if (!d)
        return;
    if (d->done)
        finish(d, ERR_CANCELLED, "cancelled");
    let_go(d);
    mem_free((void *)(uintptr_t)d->config.address);
    mem_free(d);
}
