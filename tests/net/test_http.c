/* The HTTP server over real sockets, and the client against it. */
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/url.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/compress.h"

static struct net_loops *loops;
static struct net_http_server *server;
static uint16_t port;
static _Atomic int aborted, big_left;
static struct net_request *_Atomic held;

struct big {
    struct net_request *req;
    int left;
};

static void send_big(void *ctx)
{
    static char block[64 << 10];
    struct big *b = ctx;
    while (b->left) {
        b->left--;
        if (!net_respond_write(b->req, slice_make(block, sizeof(block)))) {
            big_left = b->left;
            net_respond_on_drain(b->req, send_big, b);
            return;
        }
    }
    net_respond_end(b->req);
}

static void on_abort(void *ctx)
{
    (void)ctx;
    aborted++;
}

static void handle(struct net_request *req, void *ctx)
{
    (void)ctx;
    struct slice path = net_request_path(req);
    if (slice_eq_cstr(path, "/echo")) {
        net_respond(req, 200, "application/octet-stream", net_request_body(req));
    } else if (slice_eq_cstr(path, "/param")) {
        struct slice a = net_request_param(req, "a"), b = net_request_param_at(req, "b", 1);
        net_respond_text(req, 200, "%.*s|%.*s", SLICE_FMT(a), SLICE_FMT(b));
    } else if (slice_eq_cstr(path, "/text")) {
        struct buf text = {0};
        for (int i = 0; i < 5000; i++)
            buf_append_cstr(&text, "hello ");
        net_respond(req, 200, "text/plain", buf_slice(&text));
        buf_deinit(&text);
    } else if (slice_eq_cstr(path, "/big")) {
        struct big *b = arena_alloc(net_request_arena(req), sizeof(*b));
        *b = (struct big){req, 640};
        net_respond_begin(req, 200, "application/octet-stream");
        send_big(b);
    } else if (slice_eq_cstr(path, "/hold")) {
        net_request_on_abort(req, on_abort, NULL);
        held = req;
    } else if (slice_eq_cstr(path, "/redirect")) {
        net_response_header(req, "Location", SLICE("/echo"));
        net_respond_text(req, 302, "there");
    } else if (slice_eq_cstr(path, "/auth")) {
        struct slice auth = net_request_header(req, "authorization");
        net_respond_text(req, 200, "%.*s", SLICE_FMT(auth));
    } else {
        net_respond_text(req, 404, "no %.*s\n", SLICE_FMT(path));
    }
}

static int start(void **state)
{
    (void)state;
    struct diag d;
    diag_init(&d);
    struct net_http_config config = {
        .name = "test",
        .listen = "127.0.0.1:0",
        .handler = handle,
        .limits = {.header_bytes_max = 4096,
                   .body_bytes_max = 1 << 20,
                   .inflated_bytes_max = 2 << 20,
                   .header_timeout_ns = 1500 * NS_PER_MS,
                   .body_timeout_ns = 1500 * NS_PER_MS,
                   .idle_timeout_ns = 20 * NS_PER_SEC,
                   .connections_max = 3000},
    };
    if (net_loops_start(2, &loops, &d) || net_http_server_start(loops, &config, &server, &d)) {
        print_error("%s\n", d.msg);
        return -1;
    }
    port = net_http_server_port(server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    net_http_server_stop(server, NS_PER_SEC);
    net_loops_stop(loops, 0);
    return 0;
}

static int dial(void)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval timeout = {.tv_sec = 60};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void send_all(int fd, struct slice s)
{
    while (s.len) {
        ssize_t n = send(fd, s.ptr, s.len, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* refused in the middle: the test looks at the answer */
        s = slice_from(s, (size_t)n);
    }
}

/* Everything until the peer closes. */
static struct buf read_all(int fd)
{
    struct buf out = {0};
    for (;;) {
        ssize_t n = recv(fd, buf_reserve(&out, 65536), 65536, 0);
        if (n <= 0)
            break;
        out.len += (size_t)n;
    }
    buf_cstr(&out);
    return out;
}

static struct buf talk(struct slice request)
{
    int fd = dial();
    send_all(fd, request);
    struct buf out = read_all(fd);
    close(fd);
    return out;
}

static void expect(struct slice request, const char *status_line, const char *contains)
{
    struct buf out = talk(request);
    if (!slice_starts_with(buf_slice(&out), slice_cstr(status_line)) || !strstr(out.ptr, contains))
        fail_msg("wanted %s and \"%s\", got:\n%s", status_line, contains, out.ptr);
    buf_deinit(&out);
}

static void serves_and_keeps_alive(void **state)
{
    (void)state;
    struct buf out = talk(SLICE("GET /param?a=x%20y+z&b=1&b=%C3%A4 HTTP/1.1\r\nHost: h\r\n\r\n"
                                "POST /param HTTP/1.1\r\nHost: h\r\nContent-Type: "
                                "application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=q"
                                "GET /nope HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    const char *first = strstr(out.ptr, "x y z|\xc3\xa4"), *second = strstr(out.ptr, "q|"),
               *third = strstr(out.ptr, "no /nope");
    assert_true(first && second && third && first < second && second < third);
    assert_non_null(strstr(out.ptr, "Date: "));
    buf_deinit(&out);
}

static void takes_bodies_byte_by_byte(void **state)
{
    (void)state;
    struct slice request = SLICE(
        "POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\n");
    int fd = dial();
    for (size_t i = 0; i < request.len; i++)
        send_all(fd, slice_make(request.ptr + i, 1));
    struct buf out = read_all(fd);
    assert_non_null(strstr(out.ptr, "\r\n\r\nhello world"));
    buf_deinit(&out);
    close(fd);
    /* Expect: the body only after the go-ahead. */
    fd = dial();
    send_all(fd, SLICE("POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: "
                       "100-continue\r\nContent-Length: 2\r\n\r\n"));
    char reply[64] = {0};
    assert_true(recv(fd, reply, sizeof(reply) - 1, 0) > 0);
    assert_string_equal(reply, "HTTP/1.1 100 Continue\r\n\r\n");
    send_all(fd, SLICE("ok"));
    out = read_all(fd);
    assert_non_null(strstr(out.ptr, "\r\n\r\nok"));
    buf_deinit(&out);
    close(fd);
}

static void refuses_what_is_malformed(void **state)
{
    (void)state;
    expect(SLICE("NONSENSE\r\n\r\n"), "HTTP/1.1 400", "malformed HTTP request at byte");
    expect(SLICE("GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 400", "Host");
    expect(SLICE("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: "
                 "chunked\r\n\r\n0\r\n\r\n"),
           "HTTP/1.1 400", "malformed");
    expect(
        SLICE(
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        "HTTP/1.1 400", "malformed");
    expect(SLICE("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
           "HTTP/1.1 400", "malformed");
    expect(
        SLICE(
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx"),
        "HTTP/1.1 415", "br is not supported");
    expect(SLICE("POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Encoding: "
                 "gzip\r\nContent-Length: 4\r\n\r\njunk"),
           "HTTP/1.1 400", "the body");
    expect(SLICE("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n"),
           "HTTP/1.1 413", "limits.http.body_bytes");
    expect(SLICE("GET / HTTP/1.1\r\nHost: h\r\nExpect: a miracle\r\n\r\n"), "HTTP/1.1 417",
           "a miracle");
}

static void bounds_headers_bodies_and_bombs(void **state)
{
    (void)state;
    struct buf request = {0};
    buf_append_cstr(&request, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 2000; i++)
        buf_printf(&request, "X-%d: y\r\n", i);
    expect(buf_slice(&request), "HTTP/1.1 431", "limits.http.header_bytes");
    /* A chunked body without a stated length. */
    buf_clear(&request);
    buf_append_cstr(&request,
                    "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 300; i++) {
        buf_append_cstr(&request, "1000\r\n");
        memset(buf_reserve(&request, 4096), 'x', 4096);
        request.len += 4096;
        buf_append_cstr(&request, "\r\n");
    }
    expect(buf_slice(&request), "HTTP/1.1 413", "limits.http.body_bytes");
    static const struct {
        enum codec_compression kind;
        const char *name;
    } codings[] = {{CODEC_GZIP, "gzip"}, {CODEC_DEFLATE, "deflate"}, {CODEC_ZSTD, "zstd"}};
    struct buf zeros = {0}, packed = {0};
    memset(buf_reserve(&zeros, 50 << 20), 0, 50 << 20);
    for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
        for (int bomb = 0; bomb < 2; bomb++) {
            buf_clear(&packed);
            buf_clear(&request);
            codec_compress(codings[i].kind, 0, slice_make(zeros.ptr, bomb ? 50 << 20 : 1000),
                           &packed);
            buf_printf(&request,
                       "POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Encoding: "
                       "%s\r\nContent-Length: %zu\r\n\r\n",
                       codings[i].name, packed.len);
            buf_append_slice(&request, buf_slice(&packed));
            expect(buf_slice(&request), bomb ? "HTTP/1.1 413" : "HTTP/1.1 200",
                   bomb ? "limits.http.inflated_bytes" : "Content-Length: 1000");
        }
    }
    buf_deinit(&zeros);
    buf_deinit(&packed);
    buf_deinit(&request);
}

static void slow_senders_are_ended(void **state)
{
    (void)state;
    expect(SLICE("GET / HTTP/1.1\r\nHost"), "HTTP/1.1 408", "limits.http.header_timeout");
    expect(SLICE("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"), "HTTP/1.1 408",
           "limits.http.body_timeout");
}

static void old_and_odd_forms(void **state)
{
    (void)state;
    expect(SLICE("GET /param?a=1 HTTP/1.0\r\n\r\n"), "HTTP/1.1 200", "Connection: close");
    expect(SLICE("GET http://other/param?a=abs HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
           "HTTP/1.1 200", "abs|");
    struct buf out = talk(SLICE("HEAD /text HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    assert_non_null(strstr(out.ptr, "Content-Length: 30000"));
    assert_true(slice_ends_with(buf_slice(&out), SLICE("\r\n\r\n")));
    buf_deinit(&out);
}

static void compresses_when_asked(void **state)
{
    (void)state;
    struct buf out = talk(SLICE("GET /text HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br, zstd;q=0.5, "
                                "gzip\r\nConnection: close\r\n\r\n"));
    assert_non_null(strstr(out.ptr, "Content-Encoding: gzip"));
    assert_non_null(strstr(out.ptr, "Vary: Accept-Encoding"));
    ptrdiff_t at = slice_find(buf_slice(&out), SLICE("\r\n\r\n"));
    struct buf plain = {0};
    assert_int_equal(codec_decompress(CODEC_GZIP, slice_from(buf_slice(&out), (size_t)at + 4),
                                      100000, &plain, NULL),
                     0);
    assert_int_equal(plain.len, 30000);
    buf_deinit(&plain);
    buf_deinit(&out);
}

static void a_slow_reader_does_not_fill_memory(void **state)
{
    (void)state;
    int fd = dial();
    big_left = 0;
    send_all(fd, SLICE("GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    /* Nothing is read: the handler is made to wait once the sockets and the high-water mark are
     * full. */
    for (int i = 0; i < 12000 && !big_left; i++)
        usleep(5000);
    assert_true(big_left > 0);
    size_t total = 0;
    char *block = mem_alloc(1 << 20);
    for (ssize_t n; (n = recv(fd, block, 1 << 20, 0)) > 0;)
        total += (size_t)n;
    assert_true(total > 640 * (64 << 10) && total < 650 * (64 << 10));
    mem_free(block);
    close(fd);
}

static void answer_held(void *ctx)
{
    net_respond_text(ctx, 200, "late");
}

static void wait_for(_Atomic int *value, int wanted)
{
    for (int i = 0; i < 12000 && *value != wanted; i++)
        usleep(5000);
    assert_int_equal(*value, wanted);
}

static struct net_request *wait_held(void)
{
    for (int i = 0; i < 12000 && !held; i++)
        usleep(5000);
    assert_non_null(held);
    struct net_request *req = held;
    held = NULL;
    return req;
}

static void handlers_may_answer_later(void **state)
{
    (void)state;
    int fd = dial();
    send_all(fd, SLICE("GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /param?a=next HTTP/1.1\r\nHost: "
                       "h\r\nConnection: close\r\n\r\n"));
    struct net_request *req = wait_held();
    net_loop_post(net_request_loop(req), answer_held, req);
    struct buf out = read_all(fd);
    assert_true(strstr(out.ptr, "late") && strstr(out.ptr, "next|") &&
                strstr(out.ptr, "late") < strstr(out.ptr, "next|"));
    buf_deinit(&out);
    close(fd);
    /* The peer goes away: the handler is told, and its answer is dropped. */
    fd = dial();
    send_all(fd, SLICE("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"));
    req = wait_held();
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    int before = aborted;
    close(fd);
    wait_for(&aborted, before + 1);
    net_loop_post(net_request_loop(req), answer_held, req);
}

static void many_idle_connections_are_bounded(void **state)
{
    (void)state;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int count = files.rlim_cur > 8000 ? 3000 : (int)files.rlim_cur / 3;
    int *fds = mem_calloc((size_t)count, sizeof(int));
    for (int i = 0; i < count; i++)
        fds[i] = dial();
    /* The limit of this server; one more is told so. Each of its loops takes connections at its own
     * pace, so the limit is reached a moment after the last of them was made. */
    bool told = count != 3000;
    for (int i = 0; !told && i < 3000; i++) {
        struct buf out = talk(SLICE("GET /param HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
        told = slice_starts_with(buf_slice(&out), SLICE("HTTP/1.1 503")) &&
               strstr(out.ptr, "limits.http.connections");
        buf_deinit(&out);
        if (!told)
            usleep(20000);
    }
    for (int i = 0; i < count; i++)
        close(fds[i]);
    mem_free(fds);
    assert_true(told);
    /* And room again once they are gone. */
    for (int i = 0; i < 3000; i++) {
        struct buf out =
            talk(SLICE("GET /param?a=ok HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
        bool ok = out.len && strstr(out.ptr, "ok|");
        buf_deinit(&out);
        if (ok)
            return;
        usleep(20000);
    }
    fail_msg("the server did not recover");
}

static void a_taken_port_names_its_holder(void **state)
{
    (void)state;
    char listen[64], self[64];
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", port);
    snprintf(self, sizeof(self), "(pid %d)", (int)getpid());
    struct net_http_config config = {.name = "second", .listen = listen, .handler = handle};
    struct net_http_server *second;
    struct diag d;
    diag_init(&d);
    assert_int_equal(net_http_server_start(loops, &config, &second, &d), ERR_EXISTS);
    assert_non_null(strstr(d.msg, self));
}

static void urls_are_read_strictly(void **state)
{
    (void)state;
    struct arena *a = arena_new(0, NULL);
    struct slice out;
    assert_int_equal(net_url_decode(SLICE("a%2Fb%"), false, a, &out, NULL), ERR_INVALID);
    assert_int_equal(net_url_decode(SLICE("%zz"), false, a, &out, NULL), ERR_INVALID);
    assert_int_equal(net_url_decode(SLICE("%41"), false, a, &out, NULL), 0);
    assert_true(slice_eq_cstr(out, "A"));
    char host[64];
    uint16_t p;
    assert_int_equal(net_address_parse(SLICE("[::1]:80"), host, sizeof(host), &p, NULL), 0);
    assert_true(net_address_is_loopback(host) && p == 80);
    assert_int_equal(net_address_parse(SLICE(":9090"), host, sizeof(host), &p, NULL), 0);
    assert_false(net_address_is_loopback(host));
    static const char *const bad[] = {
        "", "80", "host:", "host:x", "127.0.0.1:65536", "::1:80", "example.com:1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(net_address_parse(slice_cstr(bad[i]), host, sizeof(host), &p, NULL),
                         ERR_INVALID);
    arena_free(a);
}

/* --- the client --- */

struct outcome {
    _Atomic int done;
    int err, status;
    char body[256], message[256];
};

static void on_done(const struct net_client_response *resp, void *ctx)
{
    struct outcome *o = ctx;
    o->err = resp->err;
    o->status = resp->status;
    snprintf(o->body, sizeof(o->body), "%.*s", SLICE_FMT(resp->body));
    snprintf(o->message, sizeof(o->message), "%s", resp->diag->msg);
    o->done = 1;
}

struct job {
    struct net_client *client;
    struct net_client_request req;
    struct outcome *out;
    struct net_client_call *call;
    _Atomic int ready;
};

static void make_client(void *ctx)
{
    struct job *j = ctx;
    assert_int_equal(net_client_new(net_loops_at(loops, 0), &j->client, NULL), 0);
    j->ready = 1;
}

static void start_call(void *ctx)
{
    struct job *j = ctx;
    j->call = net_client_send(j->client, &j->req, on_done, j->out);
    j->ready = 1;
}

static void free_client(void *ctx)
{
    struct job *j = ctx;
    net_client_free(j->client);
    j->ready = 1;
}

static void on_loop(struct job *j, void (*fn)(void *))
{
    j->ready = 0;
    net_loop_post(net_loops_at(loops, 0), fn, j);
    wait_for(&j->ready, 1);
}

static struct outcome call(struct job *j, const char *path, struct net_client_request req)
{
    char url[128];
    struct outcome o = {0};
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
    req.url = url;
    j->req = req;
    j->out = &o;
    on_loop(j, start_call);
    wait_for(&o.done, 1);
    return o;
}

static void the_client_fetches(void **state)
{
    (void)state;
    struct job j = {0};
    on_loop(&j, make_client);
    struct outcome o =
        call(&j, "/echo", (struct net_client_request){.method = "POST", .body = SLICE("ping")});
    assert_int_equal(o.status, 200);
    assert_string_equal(o.body, "ping");
    o = call(&j, "/text", (struct net_client_request){.accept_compressed = true});
    assert_true(o.status == 200 && strncmp(o.body, "hello hello", 11) == 0);
    o = call(&j, "/text", (struct net_client_request){.response_bytes_max = 1000});
    assert_int_equal(o.err, ERR_TOO_LARGE);
    o = call(&j, "/redirect", (struct net_client_request){.follow_redirects = true});
    assert_int_equal(o.status, 200);
    o = call(&j, "/redirect", (struct net_client_request){.follow_redirects = false});
    assert_int_equal(o.status, 302);
    o = call(&j, "/auth", (struct net_client_request){.username = "u", .password = "p"});
    assert_string_equal(o.body, "Basic dTpw");
    o = call(&j, "/auth", (struct net_client_request){.bearer_token = "tok"});
    assert_string_equal(o.body, "Bearer tok");
    o = call(&j, "/hold", (struct net_client_request){.timeout_ns = 200 * NS_PER_MS});
    assert_int_equal(o.err, ERR_TIMEOUT);
    struct net_request *req = wait_held();
    net_loop_post(net_request_loop(req), answer_held, req);
    /* Cancelled by freeing the client. */
    struct outcome pending = {0};
    char url[128];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/hold", port);
    j.req = (struct net_client_request){.url = url};
    j.out = &pending;
    on_loop(&j, start_call);
    req = wait_held();
    on_loop(&j, free_client);
    assert_int_equal(pending.err, ERR_CANCELLED);
    net_loop_post(net_request_loop(req), answer_held, req);
}

static void the_blocking_client_fetches(void **state)
{
    (void)state;
    struct arena *a = arena_new(0, NULL);
    char url[128];
    struct net_client_response resp;
    struct diag d;
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/param?a=1", port);
    diag_init(&d);
    assert_int_equal(net_client_fetch(&(struct net_client_request){.url = url}, a, &resp, &d), 0);
    assert_true(resp.status == 200 && slice_eq_cstr(resp.body, "1|"));
    assert_int_equal(
        net_client_fetch(&(struct net_client_request){.url = "http://127.0.0.1:1/"}, a, &resp, &d),
        ERR_CLOSED);
    assert_true(d.msg[0] != 0);
    arena_free(a);
}

static void tls_serves_and_reloads(void **state)
{
    (void)state;
    char dir[] = "/tmp/pharos-tls-XXXXXX", cmd[512], cert[64], key[64], url[64];
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    snprintf(
        cmd, sizeof(cmd),
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout %s -out "
        "%s -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 >/dev/null 2>&1",
        key, cert);
    assert_int_equal(system(cmd), 0);
    struct net_tls_config tls = {.cert_file = cert, .key_file = key};
    struct net_http_config config = {
        .name = "tls", .listen = "127.0.0.1:0", .handler = handle, .tls = &tls};
    struct net_http_server *secure;
    struct diag d;
    diag_init(&d);
    if (net_http_server_start(loops, &config, &secure, &d))
        fail_msg("%s", d.msg);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/text", net_http_server_port(secure));
    struct arena *a = arena_new(0, NULL);
    struct net_client_response resp;
    struct net_client_tls trust = {.ca_file = cert};
    assert_int_equal(
        net_client_fetch(&(struct net_client_request){.url = url, .tls = &trust}, a, &resp, &d), 0);
    assert_int_equal(resp.body.len, 30000);
    /* Not trusted without its authority. */
    assert_int_not_equal(net_client_fetch(&(struct net_client_request){.url = url}, a, &resp, NULL),
                         0);
    /* A bad file is refused and the old certificate goes on. */
    snprintf(cmd, sizeof(cmd), "cp %s %s.good && echo junk > %s", cert, cert, cert);
    assert_int_equal(system(cmd), 0);
    assert_int_equal(net_http_server_reload_tls(secure, NULL), ERR_INVALID);
    snprintf(cmd, sizeof(cmd), "cp %s.good %s", cert, cert);
    assert_int_equal(system(cmd), 0);
    assert_int_equal(
        net_client_fetch(&(struct net_client_request){.url = url, .tls = &trust}, a, &resp, NULL),
        0);
    assert_int_equal(net_http_server_reload_tls(secure, NULL), 0);
    assert_int_equal(
        net_client_fetch(&(struct net_client_request){.url = url, .tls = &trust}, a, &resp, NULL),
        0);
    net_http_server_stop(secure, 0);
    arena_free(a);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    assert_int_equal(system(cmd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_and_keeps_alive),
        cmocka_unit_test(takes_bodies_byte_by_byte),
        cmocka_unit_test(refuses_what_is_malformed),
        cmocka_unit_test(bounds_headers_bodies_and_bombs),
        cmocka_unit_test(slow_senders_are_ended),
        cmocka_unit_test(old_and_odd_forms),
        cmocka_unit_test(compresses_when_asked),
        cmocka_unit_test(a_slow_reader_does_not_fill_memory),
        cmocka_unit_test(handlers_may_answer_later),
        cmocka_unit_test(many_idle_connections_are_bounded),
        cmocka_unit_test(a_taken_port_names_its_holder),
        cmocka_unit_test(urls_are_read_strictly),
        cmocka_unit_test(the_client_fetches),
        cmocka_unit_test(the_blocking_client_fetches),
        cmocka_unit_test(tls_serves_and_reloads),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
