/* A connection of the HTTP server fed with whatever comes: HTTP/1, HTTP/2 with gRPC, WebSocket.
 * The first byte says in how large pieces the rest arrives. The real server code on a loop that
 * this thread turns, over a socket in the abstract name space. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/grpc.h"
#include "net/http_priv.h"
#include "net/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct net_loop loop;
static struct net_http_server server;
static struct net__acceptor acceptor;
static struct sockaddr_un address = {.sun_family = AF_UNIX};

static void on_message(struct net_ws *ws, bool text, struct slice message, void *ctx)
{
    (void)ctx;
    net_ws_send(ws, text, message);
}

static void echo(struct net_grpc_call *call, void *ctx)
{
    struct slice message;
    struct diag diag;
    (void)ctx;
    diag_init(&diag);
    int err = net_grpc_message(call, &message, &diag);
    if (err)
        net_grpc_fail(call, net_grpc_status_of(err), "%s", diag.msg);
    else
        net_grpc_reply(call, message);
}

static void stream(struct net_grpc_call *call, void *ctx)
{
    (void)ctx;
    net_grpc_send(call, SLICE("one"));
    net_grpc_send(call, SLICE("two"));
    net_grpc_end(call, NET_GRPC_OK, SLICE(""));
}

static void handle(struct net_request *req, void *ctx)
{
    static const struct net_grpc_method methods[] = {{"/a.B/C", echo}, {"/a.B/D", stream}};
    static const struct net_ws_config ws = {.on_message = on_message, .message_bytes_max = 1 << 16};
    struct slice path = net_request_path(req);
    (void)ctx;
    if (net_grpc_is(req)) {
        net_grpc_serve(req, methods, ARRAY_LEN(methods), NULL);
    } else if (net_ws_is_upgrade(req)) {
        net_ws_accept(req, &ws);
    } else if (slice_eq_cstr(path, "/s")) {
        net_respond_begin(req, 200, "text/plain");
        net_respond_write(req, net_request_body(req));
        net_response_trailer(req, "X-T", net_request_trailer(req, "x-t"));
        net_respond_end(req);
    } else {
        net_request_param(req, "a");
        net_response_header(req, "X-Peer", net_request_peer(req));
        net_respond(req, 200, "text/plain", net_request_body(req));
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    if (!status)
        net__conn_accept(listener->data);
}

static void on_sweep(uv_timer_t *timer)
{
    net__conn_sweep(BASE_CONTAINER_OF(timer, struct net__acceptor, sweep));
}

static void set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
    snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "pharos-fuzz-%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
        abort();
    uv_loop_init(&loop.uv);
    uv_mutex_init(&loop.lock);
    loop.thread = uv_thread_self();
    loop.date_second = -1;
    loop.posted_tail = &loop.posted;
    loop.read_buffer = mem_alloc(NET__READ_BYTES);
    server.config.name = "fuzz";
    server.config.handler = handle;
    server.config.limits = (struct net_http_limits){.header_bytes_max = 1 << 14,
                                                    .body_bytes_max = 1 << 20,
                                                    .inflated_bytes_max = 1 << 20,
                                                    .header_timeout_ns = NS_PER_SEC,
                                                    .body_timeout_ns = NS_PER_SEC,
                                                    .idle_timeout_ns = NS_PER_SEC,
                                                    .write_timeout_ns = NS_PER_SEC,
                                                    .streams_max = 16,
                                                    .connections_max = 8,
                                                    .body_memory_max = 1 << 22};
    budget_init(&server.body_memory, NULL, 1 << 22, "limits.http.body_memory");
    acceptor.server = &server;
    acceptor.loop = &loop;
    uv_timer_init(&loop.uv, &acceptor.sweep);
    acceptor.sweep.data = (void *)(uintptr_t)on_sweep;
    uv_tcp_init(&loop.uv, &acceptor.listener);
    acceptor.listener.data = &acceptor;
    if (uv_tcp_open(&acceptor.listener, fd) ||
        uv_listen((uv_stream_t *)&acceptor.listener, 8, on_connection))
        abort();
}

static void turn(int fd)
{
    static char drop[1 << 16];
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    while (recv(fd, drop, sizeof(drop), MSG_DONTWAIT) > 0) {
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!acceptor.server)
        set_up();
    if (!size)
        return 0;
    size_t step = data[0] ? (size_t)data[0] * 7 : size;
    struct slice rest = slice_from(slice_make(data, size), 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
        abort();
    turn(fd);
    while (rest.len) {
        ssize_t n = send(fd, rest.ptr, MIN(rest.len, step), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            break; /* it was ended */
        if (n > 0)
            rest = slice_from(rest, (size_t)n);
        turn(fd);
    }
    turn(fd);
    if (acceptor.conns && size % 2)
        net__conn_sweep(&acceptor);
    close(fd);
    for (int i = 0; acceptor.conns; i++) {
        uv_run(&loop.uv, UV_RUN_NOWAIT);
        if (i > 1000)
            abort(); /* every handler answers at once: nothing may stay */
    }
    if (server.body_memory.used || server.open_count)
        abort();
    return 0;
}
