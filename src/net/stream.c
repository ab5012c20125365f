/* Raw stream connections: bytes into a buffer, from there to the caller, what it does not take
 * stays. */
#include "net/stream.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/counter.h"
#include "base/mem.h"
#include "net/listen.h"
#include "net/loop_priv.h"
#include "net/tls.h"
#include "net/url.h"

#define SWEEP_MS        500
#define CLOSE_WAIT_NS   (5 * NS_PER_SEC) /* for the peer to read what is queued */
#define LAST_ROUNDS_MAX 1024

enum { ACCEPTED, OPEN, REFUSED, BYTES_IN, BYTES_OUT, OVERFLOWS, TIMEOUTS, COUNTER_COUNT };

union handle {
    uv_handle_t any;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

struct acceptor {
    struct net_stream_server *server;
    struct net_loop *loop;
    union handle listener;
    uv_timer_t sweep;
    struct net_stream *streams;
    int fd;
    bool closing, listener_closed;
};

struct net_stream_server {
    struct net_stream_config config; /* strings owned */
    const char *unix_path;           /* into config.listen, or NULL */
    struct net__tls *tls;            /* NULL: plain */
    uint16_t port;
    size_t acceptor_count;
    struct acceptor *acceptors;
    _Atomic size_t open_count;
    struct counter counters[COUNTER_COUNT];
    char counter_label[96];
    uv_sem_t done;
};

struct net_stream {
    struct acceptor *acceptor;
    struct net_stream *prev, *next;
    union handle handle;
    struct net__tls_session *tls;
    struct buf in; /* not taken yet */
    void *state;
    int64_t heard_ns, close_at_ns;
    size_t unsent;
    bool opened, reading, paused, ended, closing, in_deliver;
    char peer[64];
};

struct write {
    uv_write_t req;
    struct net_stream *stream;
    struct buf bytes;
};

static struct net_stream_config *config_of(struct net_stream *s)
{
    return &s->acceptor->server->config;
}

static int64_t now_of(struct net_stream *s)
{
    return net__loop_now(s->acceptor->loop);
}

static void count(struct net_stream *s, int which, int64_t n)
{
    counter_add(&s->acceptor->server->counters[which], n);
}

/* --- the end --- */

static void finish_acceptor(struct acceptor *a);

static void on_stream_closed(uv_handle_t *handle)
{
    struct net_stream *s = handle->data;
    struct acceptor *a = s->acceptor;
    if (s->opened && config_of(s)->on_close)
        config_of(s)->on_close(s, config_of(s)->ctx);
    *(s->prev ? &s->prev->next : &a->streams) = s->next;
    if (s->next)
        s->next->prev = s->prev;
    count(s, OPEN, -1);
    a->server->open_count--;
    net__tls_session_free(s->tls);
    buf_deinit(&s->in);
    mem_free(s);
    finish_acceptor(a);
}

static void close_now(struct net_stream *s)
{
    s->closing = true;
    if (!uv_is_closing(&s->handle.any))
        uv_close(&s->handle.any, on_stream_closed);
}

void net_stream_close(struct net_stream *s)
{
    if (s->closing)
        return;
    s->closing = true;
    uv_read_stop(&s->handle.stream);
    s->reading = false;
    s->close_at_ns = now_of(s) + CLOSE_WAIT_NS;
    if (!s->unsent)
        close_now(s);
}

/* --- writing --- */

static void on_written(uv_write_t *req, int status)
{
    struct write *w = BASE_CONTAINER_OF(req, struct write, req);
    struct net_stream *s = w->stream;
    s->unsent -= w->bytes.len;
    if (!status)
        count(s, BYTES_OUT, (int64_t)w->bytes.len);
    buf_deinit(&w->bytes);
    mem_free(w);
    if (status < 0 || (s->closing && !s->unsent))
        close_now(s);
}

static void write_wire(struct net_stream *s, struct buf *bytes)
{
    if (!bytes->len || uv_is_closing(&s->handle.any)) {
        buf_deinit(bytes);
        return;
    }
    struct write *w = mem_calloc(1, sizeof(*w));
    w->stream = s;
    w->bytes = *bytes;
    *bytes = (struct buf){0};
    s->unsent += w->bytes.len;
    uv_buf_t b = uv_buf_init(w->bytes.ptr, (unsigned)w->bytes.len);
    if (uv_write(&w->req, &s->handle.stream, &b, 1, on_written)) {
        s->unsent -= w->bytes.len;
        buf_deinit(&w->bytes);
        mem_free(w);
        close_now(s);
    }
}

int net_stream_write(struct net_stream *s, struct slice bytes)
{
    struct buf wire = {0};
    if (s->closing)
        return ERR_CLOSED;
    if (s->unsent + bytes.len > config_of(s)->queue_bytes_max) {
        close_now(s);
        return ERR_LIMIT;
    }
    if (!s->tls) {
        buf_append_slice(&wire, bytes);
    } else if (!net__tls_write(s->tls, bytes, &wire)) {
        buf_deinit(&wire);
        close_now(s);
        return ERR_CLOSED;
    }
    write_wire(s, &wire);
    return 0;
}

/* --- reading --- */

/* Hands bytes to the caller; returns what it leaves. */
static struct slice offer(struct net_stream *s, struct slice bytes)
{
    struct net_stream_config *config = config_of(s);
    while (bytes.len && !s->closing && !s->paused) {
        size_t taken = config->on_bytes(s, bytes, s->ended, config->ctx);
        base_assert(taken <= bytes.len);
        bytes = slice_from(bytes, taken);
        if (s->closing || s->paused || bytes.len < config->buffer_bytes_max)
            break;
        if (taken)
            continue; /* it may want the rest at once: there is a buffer full of it */
        count(s, OVERFLOWS, 1);
        taken = config->on_overflow ? config->on_overflow(s, bytes, config->ctx) : 0;
        base_assert(taken <= bytes.len);
        if (!taken)
            net_stream_close(s);
        bytes = slice_from(bytes, taken);
    }
    return bytes;
}

/* `fresh` lies outside of the buffer; with an empty one it is not copied unless it must stay. */
static void deliver(struct net_stream *s, struct slice fresh)
{
    if (s->in_deliver) { /* resumed from within on_bytes: the outer one goes on */
        buf_append_slice(&s->in, fresh);
        return;
    }
    s->in_deliver = true;
    if (s->in.len) {
        buf_append_slice(&s->in, fresh);
        struct slice rest = offer(s, buf_slice(&s->in));
        buf_consume(&s->in, s->in.len - rest.len);
    } else {
        struct slice rest = offer(s, fresh);
        buf_append_slice(&s->in, rest);
    }
    if (!s->in.len && s->in.cap > NET__READ_BYTES)
        buf_deinit(&s->in);
    s->in_deliver = false;
    if (s->ended && !s->paused)
        net_stream_close(s);
}

/* Bytes from the network. */
static void take_wire(struct net_stream *s, struct slice wire)
{
    s->heard_ns = now_of(s);
    count(s, BYTES_IN, (int64_t)wire.len);
    if (!s->tls) {
        deliver(s, wire);
        return;
    }
    struct buf plain = {0}, reply = {0};
    bool eof = false, ok = net__tls_read(s->tls, wire, &plain, &reply, &eof);
    write_wire(s, &reply);
    s->ended = s->ended || eof;
    if (plain.len || eof)
        deliver(s, buf_slice(&plain));
    buf_deinit(&plain);
    if (!ok)
        net_stream_close(s);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct net_stream *s = handle->data;
    (void)suggested;
    *out = uv_buf_init(s->acceptor->loop->read_buffer, NET__READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct net_stream *s = stream->data;
    if (n > 0) {
        take_wire(s, slice_make(b->base, (size_t)n));
    } else if (n < 0) {
        uv_read_stop(stream);
        s->reading = false;
        s->ended = true;
        deliver(s, SLICE(""));
    }
}

static void start_reading(struct net_stream *s)
{
    if (s->reading || s->ended || s->closing || s->paused)
        return;
    s->reading = true;
    uv_read_start(&s->handle.stream, on_alloc, on_read);
}

void net_stream_pause(struct net_stream *s)
{
    s->paused = true;
    if (s->reading)
        uv_read_stop(&s->handle.stream);
    s->reading = false;
}

void net_stream_resume(struct net_stream *s)
{
    if (!s->paused || s->closing)
        return;
    s->paused = false;
    s->heard_ns = now_of(s);
    deliver(s, SLICE(""));
    start_reading(s);
}

void net_stream_set_state(struct net_stream *s, void *state)
{
    s->state = state;
}

void *net_stream_state(const struct net_stream *s)
{
    return s->state;
}

struct net_loop *net_stream_loop(const struct net_stream *s)
{
    return s->acceptor->loop;
}

const char *net_stream_peer(struct net_stream *s)
{
    if (!s->peer[0]) {
        struct sockaddr_storage a = {0};
        socklen_t len = sizeof(a);
        int fd;
        if (!uv_fileno(&s->handle.any, &fd))
            getpeername(fd, (struct sockaddr *)&a, &len);
        net__address_text((const struct sockaddr *)&a, s->peer, sizeof(s->peer));
    }
    return s->peer;
}

/* --- accepting --- */

static void on_sweep(uv_timer_t *timer)
{
    struct acceptor *a = timer->data;
    int64_t now = net__loop_now(a->loop), idle_ns = a->server->config.idle_timeout_ns;
    for (struct net_stream *s = a->streams, *next; s; s = next) {
        next = s->next;
        if (s->closing ? now >= s->close_at_ns
                       : idle_ns && !s->paused && now - s->heard_ns >= idle_ns) {
            count(s, TIMEOUTS, 1);
            close_now(s);
        }
    }
}

static void init_handle(struct net_loop *loop, bool is_unix, union handle *h)
{
    if (is_unix)
        uv_pipe_init(&loop->uv, &h->pipe, 0);
    else
        uv_tcp_init(&loop->uv, &h->tcp);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct acceptor *a = listener->data;
    struct net_stream_server *server = a->server;
    if (status)
        return;
    struct net_stream *s = mem_calloc(1, sizeof(*s));
    s->acceptor = a;
    init_handle(a->loop, server->unix_path, &s->handle);
    s->handle.any.data = s;
    s->next = a->streams;
    if (s->next)
        s->next->prev = s;
    a->streams = s;
    server->open_count++;
    count(s, ACCEPTED, 1);
    count(s, OPEN, 1);
    if (uv_accept(listener, &s->handle.stream)) {
        close_now(s);
        return;
    }
    if (server->open_count > server->config.connections_max) {
        count(s, REFUSED, 1);
        close_now(s);
        return;
    }
    if (server->tls)
        s->tls = net__tls_accept(server->tls);
    s->heard_ns = now_of(s);
    s->opened = true;
    if (server->config.on_open)
        server->config.on_open(s, server->config.ctx);
    start_reading(s);
}

struct start {
    struct acceptor *acceptor;
    int result;
};

static void start_on_loop(void *ctx)
{
    struct start *start = ctx;
    struct acceptor *a = start->acceptor;
    bool is_unix = a->server->unix_path;
    init_handle(a->loop, is_unix, &a->listener);
    a->listener.any.data = a;
    uv_timer_init(&a->loop->uv, &a->sweep);
    a->sweep.data = a;
    start->result =
        is_unix ? uv_pipe_open(&a->listener.pipe, a->fd) : uv_tcp_open(&a->listener.tcp, a->fd);
    if (!start->result)
        start->result = uv_listen(&a->listener.stream, 1024, on_connection);
    uv_timer_start(&a->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    uv_sem_post(&a->server->done);
}

static void make_counters(struct net_stream_server *server)
{
    static const struct {
        const char *name, *help;
        enum counter_kind kind;
    } rows[COUNTER_COUNT] = {
        [ACCEPTED] = {"pharos_stream_connections_total", "Connections accepted.", COUNTER_TOTAL},
        [OPEN] = {"pharos_stream_connections_open", "Connections open now.", COUNTER_GAUGE},
        [REFUSED] = {"pharos_stream_connections_refused_total",
                     "Connections over the limit of the listener.", COUNTER_TOTAL},
        [BYTES_IN] = {"pharos_stream_received_bytes_total", "Bytes read from connections.",
                      COUNTER_TOTAL},
        [BYTES_OUT] = {"pharos_stream_sent_bytes_total", "Bytes written to connections.",
                       COUNTER_TOTAL},
        [OVERFLOWS] = {"pharos_stream_overflows_total", "Lines or frames larger than the buffer.",
                       COUNTER_TOTAL},
        [TIMEOUTS] = {"pharos_stream_timeouts_total", "Connections ended for being idle or slow.",
                      COUNTER_TOTAL},
    };
    snprintf(server->counter_label, sizeof(server->counter_label), "door=\"%s\"",
             server->config.name);
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        server->counters[i] = (struct counter){.name = rows[i].name,
                                               .help = rows[i].help,
                                               .kind = rows[i].kind,
                                               .labels = server->counter_label};
    counter_register(server->counters, COUNTER_COUNT);
}

static void fill_defaults(struct net_stream_config *c)
{
    if (!c->buffer_bytes_max)
        c->buffer_bytes_max = (size_t)64 << 10;
    if (!c->queue_bytes_max)
        c->queue_bytes_max = (size_t)4 << 20;
    if (!c->connections_max)
        c->connections_max = 20000;
}

/* One file descriptor for each loop. */
static int open_sockets(struct net_stream_server *server, int *fds, struct diag *diag)
{
    char host[64];
    uint16_t port;
    int err;
    if (!server->unix_path) {
        err = net_address_parse(slice_cstr(server->config.listen), host, sizeof(host), &port, diag);
        return err ? err
                   : net__listen(host, port, server->acceptor_count, fds, &server->port, diag);
    }
    err = net__bind_unix(server->unix_path, SOCK_STREAM, server->config.unix_mode, fds, diag);
    for (size_t i = 1; !err && i < server->acceptor_count; i++)
        fds[i] = dup(fds[0]); /* one queue of connections, taken from by all loops */
    return err;
}

static void free_server(struct net_stream_server *server)
{
    net__tls_free(server->tls);
    mem_free((void *)(uintptr_t)server->config.name);
    mem_free((void *)(uintptr_t)server->config.listen);
    mem_free(server->acceptors);
    mem_free(server);
}

int net_stream_server_start(struct net_loops *loops, const struct net_stream_config *config,
                            struct net_stream_server **out, struct diag *diag)
{
    struct net_stream_server *server = mem_calloc(1, sizeof(*server));
    size_t n = net_loops_count(loops);
    int *fds = mem_calloc(n, sizeof(*fds)), err = 0;
    server->config = *config;
    server->config.tls = NULL;
    server->config.name = mem_strdup(config->name);
    server->config.listen = mem_strdup(config->listen);
    fill_defaults(&server->config);
    server->unix_path = net__unix_path(server->config.listen);
    server->acceptor_count = n;
    server->acceptors = mem_calloc(n, sizeof(*server->acceptors));
    if (config->tls)
        err = net__tls_new(config->tls, false, &server->tls, diag);
    if (!err)
        err = open_sockets(server, fds, diag);
    if (err) {
        free_server(server);
        mem_free(fds);
        return err;
    }
    make_counters(server);
    uv_sem_init(&server->done, 0);
    *out = server; /* connections may come before this returns */
    for (size_t i = 0; i < n; i++) {
        struct acceptor *a = &server->acceptors[i];
        struct start start = {.acceptor = a};
        a->server = server;
        a->loop = net_loops_at(loops, i);
        a->fd = fds[i];
        net_loop_post(a->loop, start_on_loop, &start);
        uv_sem_wait(&server->done);
        if (start.result && !err)
            err = diag_set(diag, ERR_IO, "cannot listen on %s: %s", config->listen,
                           uv_strerror(start.result));
    }
    mem_free(fds);
    if (err) {
        net_stream_server_stop(server);
        *out = NULL;
    }
    return err;
}

uint16_t net_stream_server_port(const struct net_stream_server *server)
{
    return server->port;
}

int net_stream_server_reload_tls(struct net_stream_server *server, struct diag *diag)
{
    return server->tls ? net__tls_reload(server->tls, diag) : 0;
}

/* --- stopping --- */

static void on_sweep_closed(uv_handle_t *handle)
{
    struct acceptor *a = handle->data;
    uv_sem_post(&a->server->done);
}

/* The last step, once the listener and all connections are closed. */
static void finish_acceptor(struct acceptor *a)
{
    if (a->closing && a->listener_closed && !a->streams)
        uv_close((uv_handle_t *)&a->sweep, on_sweep_closed);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct acceptor *a = handle->data;
    a->listener_closed = true;
    finish_acceptor(a);
}

/* What the kernel holds already is taken. */
static void read_last(struct net_stream *s)
{
    int fd;
    if (s->ended || s->closing || s->paused || uv_fileno(&s->handle.any, &fd))
        return;
    for (int i = 0; i < LAST_ROUNDS_MAX && !s->closing; i++) {
        ssize_t n = read(fd, s->acceptor->loop->read_buffer, NET__READ_BYTES);
        if (n <= 0)
            break;
        take_wire(s, slice_make(s->acceptor->loop->read_buffer, (size_t)n));
    }
    s->ended = true;
    deliver(s, SLICE(""));
}

static void stop_on_loop(void *ctx)
{
    struct acceptor *a = ctx;
    a->closing = true;
    uv_close(&a->listener.any, on_listener_closed);
    for (struct net_stream *s = a->streams, *next; s; s = next) {
        next = s->next;
        read_last(s);
        close_now(s);
    }
}

void net_stream_server_stop(struct net_stream_server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < server->acceptor_count; i++)
        net_loop_post(server->acceptors[i].loop, stop_on_loop, &server->acceptors[i]);
    for (size_t i = 0; i < server->acceptor_count; i++)
        uv_sem_wait(&server->done);
    uv_sem_destroy(&server->done);
    if (server->unix_path)
        unlink(server->unix_path);
    counter_unregister(server->counters, COUNTER_COUNT);
    free_server(server);
}
