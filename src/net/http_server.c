/* Listening, accepting and stopping. */
#include "net/http_server.h"

#include <stdio.h>
#include <unistd.h>

#include "net/http_priv.h"
#include "net/listen.h"
#include "net/websocket.h"

static void fill_defaults(struct net_http_limits *l)
{
#define DEFAULT(field, value)                                                                      \
    if (!l->field)                                                                                 \
    l->field = (value)
    DEFAULT(header_bytes_max, (size_t)64 << 10);
    DEFAULT(body_bytes_max, (size_t)64 << 20);
    DEFAULT(inflated_bytes_max, (size_t)256 << 20);
    DEFAULT(header_timeout_ns, 10 * NS_PER_SEC);
    DEFAULT(body_timeout_ns, 30 * NS_PER_SEC);
    DEFAULT(idle_timeout_ns, 120 * NS_PER_SEC);
    DEFAULT(write_timeout_ns, 60 * NS_PER_SEC);
    DEFAULT(streams_max, 250);
    DEFAULT(connections_max, 20000);
    DEFAULT(body_memory_max, (size_t)1 << 30);
#undef DEFAULT
}

static void on_connection(uv_stream_t *listener, int status)
{
    if (status == 0)
        net__conn_accept(listener->data);
}

static void on_sweep(uv_timer_t *timer)
{
    net__conn_sweep(BASE_CONTAINER_OF(timer, struct net__acceptor, sweep));
}

struct start {
    struct net__acceptor *acceptor;
    int fd, result;
    uv_sem_t done;
};

static void start_on_loop(void *ctx)
{
    struct start *s = ctx;
    struct net__acceptor *a = s->acceptor;
    a->listener.data = a;
    uv_tcp_init(&a->loop->uv, &a->listener);
    uv_timer_init(&a->loop->uv, &a->sweep);
    a->sweep.data = (void *)(uintptr_t)on_sweep;
    s->result = uv_tcp_open(&a->listener, s->fd);
    if (!s->result)
        s->result = uv_listen((uv_stream_t *)&a->listener, 1024, on_connection);
    uv_sem_post(&s->done);
}

static void make_counters(struct net_http_server *s)
{
    static const struct {
        const char *name, *help;
        enum counter_kind kind;
    } rows[NET__COUNTER_COUNT] = {
        [NET__ACCEPTED] = {"pharos_http_connections_total", "Connections accepted.", COUNTER_TOTAL},
        [NET__REFUSED] = {"pharos_http_connections_refused_total",
                          "Connections over limits.http.connections.", COUNTER_TOTAL},
        [NET__OPEN] = {"pharos_http_connections_open", "Connections open now.", COUNTER_GAUGE},
        [NET__2XX] = {"pharos_http_responses_ok_total", "Responses with a status below 400.",
                      COUNTER_TOTAL},
        [NET__4XX] = {"pharos_http_responses_client_error_total", "Responses with a status of 4xx.",
                      COUNTER_TOTAL},
        [NET__5XX] = {"pharos_http_responses_server_error_total", "Responses with a status of 5xx.",
                      COUNTER_TOTAL},
        [NET__BYTES_IN] = {"pharos_http_received_bytes_total", "Bytes read from connections.",
                           COUNTER_TOTAL},
        [NET__BYTES_OUT] = {"pharos_http_sent_bytes_total", "Bytes written to connections.",
                            COUNTER_TOTAL},
        [NET__TIMEOUTS] = {"pharos_http_timeouts_total",
                           "Connections ended for being slow or idle.", COUNTER_TOTAL},
        [NET__H2_CONNS] = {"pharos_http2_connections_total", "Connections that speak HTTP/2.",
                           COUNTER_TOTAL},
        [NET__H2_REFUSED] = {"pharos_http2_streams_refused_total",
                             "Requests over limits.http.streams.", COUNTER_TOTAL},
        [NET__H2_ABUSE] = {"pharos_http2_connections_broken_total",
                           "HTTP/2 connections ended for breaking the protocol or for floods.",
                           COUNTER_TOTAL},
        [NET__WS_OPEN] = {"pharos_websockets_open", "WebSocket channels open now.", COUNTER_GAUGE},
    };
    snprintf(s->counter_label, sizeof(s->counter_label), "door=\"%s\"", s->config.name);
    for (size_t i = 0; i < NET__COUNTER_COUNT; i++)
        s->counters[i] = (struct counter){.name = rows[i].name,
                                          .help = rows[i].help,
                                          .kind = rows[i].kind,
                                          .labels = s->counter_label};
    counter_register(s->counters, NET__COUNTER_COUNT);
}

int net_http_server_start(struct net_loops *loops, const struct net_http_config *config,
                          struct net_http_server **out, struct diag *diag)
{
    char host[64];
    uint16_t port;
    int err = net_address_parse(slice_cstr(config->listen), host, sizeof(host), &port, diag);
    if (err)
        return err;
    struct net_http_server *s = mem_calloc(1, sizeof(*s));
    s->config = *config;
    s->config.tls = NULL;
    fill_defaults(&s->config.limits);
    s->acceptor_count = net_loops_count(loops);
    int *fds = mem_calloc(s->acceptor_count, sizeof(*fds));
    if (config->tls)
        err = net__tls_new(config->tls, true, &s->tls, diag);
    if (!err)
        err = net__listen(host, port, s->acceptor_count, fds, &s->port, diag);
    if (err) {
        net__tls_free(s->tls);
        mem_free(fds);
        mem_free(s);
        return err;
    }
    s->config.name = mem_strdup(config->name);
    s->config.listen = mem_strdup(config->listen);
    budget_init(&s->body_memory, NULL, (int64_t)s->config.limits.body_memory_max,
                "limits.http.body_memory");
    make_counters(s);
    uv_sem_init(&s->stopped, 0);
    s->live_acceptors = s->acceptor_count;
    s->acceptors = mem_calloc(s->acceptor_count, sizeof(*s->acceptors));
    for (size_t i = 0; i < s->acceptor_count; i++) {
        s->acceptors[i].server = s;
        s->acceptors[i].loop = net_loops_at(loops, i);
        struct start start = {.acceptor = &s->acceptors[i], .fd = fds[i]};
        uv_sem_init(&start.done, 0);
        net_loop_post(s->acceptors[i].loop, start_on_loop, &start);
        uv_sem_wait(&start.done);
        uv_sem_destroy(&start.done);
        if (start.result)
            err = diag_set(diag, ERR_IO, "cannot listen on %s: %s", config->listen,
                           uv_strerror(start.result));
    }
    mem_free(fds);
    if (err) {
        net_http_server_stop(s, 0);
        return err;
    }
    *out = s;
    return 0;
}

uint16_t net_http_server_port(const struct net_http_server *s)
{
    return s->port;
}

int net_http_server_reload_tls(struct net_http_server *s, struct diag *diag)
{
    return s->tls ? net__tls_reload(s->tls, diag) : 0;
}

static void on_acceptor_closed(uv_handle_t *handle)
{
    struct net__acceptor *a = BASE_CONTAINER_OF(handle, struct net__acceptor, sweep);
    if (--a->server->live_acceptors == 0)
        uv_sem_post(&a->server->stopped);
}

/* Runs on its loop until the connections have ended or the time is up. */
struct stop {
    struct net__acceptor *acceptor;
    uv_timer_t timer;
    int64_t deadline_ns;
};

static void on_stop_closed(uv_handle_t *handle)
{
    struct stop *stop = handle->data;
    struct net__acceptor *a = stop->acceptor;
    mem_free(stop);
    uv_close((uv_handle_t *)&a->sweep, on_acceptor_closed);
}

static void stop_tick(uv_timer_t *timer)
{
    struct stop *stop = timer->data;
    struct net__acceptor *a = stop->acceptor;
    bool late = net__loop_now(a->loop) >= stop->deadline_ns;
    for (struct net__conn *c = a->conns, *next; c; c = next) {
        next = c->next;
        if (c->ws && c->state == NET__WS && !late) {
            net_ws_close(c->ws, NET_WS_GOING_AWAY, "the server stops");
            continue;
        }
        bool busy = c->h2 && c->state == NET__H2
                        ? net__h2_drain(c)
                        : c->state == NET__ANSWER || c->write_pending || c->out.len;
        if (c->state == NET__CLOSING)
            continue;
        if (!busy || late)
            net__conn_close(c);
    }
    if (!a->conns) {
        uv_timer_stop(timer);
        uv_close((uv_handle_t *)timer, on_stop_closed);
    }
}

static void stop_on_loop(void *ctx)
{
    struct stop *stop = ctx;
    struct net__acceptor *a = stop->acceptor;
    a->closing = true;
    uv_timer_stop(&a->sweep);
    if (!uv_is_closing((uv_handle_t *)&a->listener))
        uv_close((uv_handle_t *)&a->listener, NULL);
    stop->deadline_ns += net__loop_now(a->loop);
    stop->timer.data = stop;
    uv_timer_init(&a->loop->uv, &stop->timer);
    uv_timer_start(&stop->timer, stop_tick, 0, 10);
}

void net_http_server_stop(struct net_http_server *s, int64_t drain_ns)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->acceptor_count; i++) {
        struct stop *stop = mem_calloc(1, sizeof(*stop));
        stop->acceptor = &s->acceptors[i];
        stop->deadline_ns = drain_ns;
        net_loop_post(s->acceptors[i].loop, stop_on_loop, stop);
    }
    uv_sem_wait(&s->stopped);
    uv_sem_destroy(&s->stopped);
    counter_unregister(s->counters, NET__COUNTER_COUNT);
    net__tls_free(s->tls);
    mem_free((void *)(uintptr_t)s->config.name);
    mem_free((void *)(uintptr_t)s->config.listen);
    mem_free(s->acceptors);
    mem_free(s);
}
