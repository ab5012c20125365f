/* HTTP/2 over real sockets: what serves, what is refused, what attacks. */
#include "h2_client.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/compress.h"
#include "net/http_server.h"

#define STREAMS_MAX 40

static struct net_loops *loops;
static struct net_http_server *server;
static uint16_t port;
static _Atomic int aborted, big_left, handled;
static struct net_request *_Atomic held; /* the last one of /hold, until a test takes it */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct net_request *unanswered[STREAMS_MAX + 8]; /* under the lock */

struct big {
    struct net_request *req;
    int left;
};

static void send_big(void *ctx)
{
    static char block[64 << 10];
    struct big *b = ctx;
    while (b->left) {
        big_left = --b->left;
        if (!net_respond_write(b->req, slice_make(block, sizeof(block)))) {
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

/* Puts `to` where `from` is. */
static void note(struct net_request *from, struct net_request *to)
{
    size_t i = 0;
    pthread_mutex_lock(&lock);
    while (i < ARRAY_LEN(unanswered) && unanswered[i] != from)
        i++;
    assert_true(i < ARRAY_LEN(unanswered));
    unanswered[i] = to;
    pthread_mutex_unlock(&lock);
}

static void answer_held(void *ctx)
{
    note(ctx, NULL);
    net_respond_text(ctx, 200, "late");
}

static void handle(struct net_request *req, void *ctx)
{
    struct slice path = net_request_path(req);
    (void)ctx;
    handled++;
    if (slice_eq_cstr(path, "/echo")) {
        net_respond(req, 200, "application/octet-stream", net_request_body(req));
    } else if (slice_eq_cstr(path, "/param")) {
        struct slice a = net_request_param(req, "a"), h = net_request_header(req, "host");
        net_response_header(req, "X-Seen", net_request_header(req, "cookie"));
        net_response_header(req, "Connection", SLICE("close"));
        net_respond_text(req, 200, "%.*s|%.*s|%.*s", SLICE_FMT(a), SLICE_FMT(h),
                         SLICE_FMT(net_request_method_name(req)));
    } else if (slice_eq_cstr(path, "/text")) {
        struct buf text = {0};
        for (int i = 0; i < 5000; i++)
            buf_append_cstr(&text, "hello ");
        net_respond(req, 200, "text/plain", buf_slice(&text));
        buf_deinit(&text);
    } else if (slice_eq_cstr(path, "/trailers")) {
        net_respond_begin(req, 200, "text/plain");
        net_respond_write(req, SLICE("body"));
        net_response_trailer(req, "X-Back", net_request_trailer(req, "x-trailer"));
        net_respond_end(req);
    } else if (slice_eq_cstr(path, "/big")) {
        struct big *b = arena_alloc(net_request_arena(req), sizeof(*b));
        *b = (struct big){req, 640};
        net_respond_begin(req, 200, "application/octet-stream");
        send_big(b);
    } else if (slice_eq_cstr(path, "/hold")) {
        net_request_on_abort(req, on_abort, NULL);
        note(NULL, req);
        held = req;
    } else {
        net_respond_text(req, 404, "no %.*s\n", SLICE_FMT(path));
    }
}

static int start(void **state)
{
    struct diag d;
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
                   .streams_max = STREAMS_MAX},
    };
    (void)state;
    diag_init(&d);
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
    /* What a test that failed left: the server's stop would wait for it. */
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < ARRAY_LEN(unanswered); i++) {
        if (unanswered[i])
            net_loop_post(net_request_loop(unanswered[i]), answer_held, unanswered[i]);
    }
    pthread_mutex_unlock(&lock);
    net_http_server_stop(server, NS_PER_SEC);
    net_loops_stop(loops, 0);
    return 0;
}

/* The request that /hold keeps. */
static struct net_request *take_held(struct h2_client *c)
{
    struct net_request *req;
    h2_send(c);
    for (int i = 0; i < 12000 && !held; i++)
        poll(NULL, 0, 5);
    req = held;
    held = NULL;
    assert_non_null(req);
    return req;
}

static void expect_alive(void)
{
    struct h2_client *c = h2_connect(port);
    struct h2_answer *a = h2_wait(c, h2_request(c, "GET", "/param?a=1", NULL, NULL));
    assert_int_equal(a->status, 200);
    h2_close(c);
}

static void serves_many_streams(void **state)
{
    struct h2_client *c = h2_connect(port);
    char *big = mem_calloc(1, 900000);
    int32_t ids[STREAMS_MAX];
    (void)state;
    for (size_t i = 0; i < 900000; i++)
        big[i] = (char)(i * 31 >> 3);
    const char *headers[] = {"cookie", "a=1", "cookie", "b=2", NULL};
    struct h2_answer *a = h2_wait(c, h2_request(c, "GET", "/param?a=x%20y", headers, NULL));
    assert_int_equal(a->status, 200);
    assert_string_equal(buf_cstr(&a->body), "x y|h|GET");
    assert_string_equal(h2_field(a, "x-seen"), "a=1; b=2");
    assert_null(h2_field(a, "connection"));
    assert_non_null(h2_field(a, "date"));
    assert_string_equal(h2_field(a, "content-length"), "9");
    for (int i = 0; i < STREAMS_MAX; i++) {
        struct h2_body body = {.bytes = slice_make(big + i, i % 4 ? 1000 : 800000),
                               .step = (size_t)(i % 3) * 777};
        ids[i] = h2_request(c, "POST", "/echo", NULL, &body);
    }
    for (int i = 0; i < STREAMS_MAX; i++) {
        a = h2_wait(c, ids[i]);
        assert_int_equal(a->status, 200);
        assert_true(slice_eq(buf_slice(&a->body), slice_make(big + i, i % 4 ? 1000 : 800000)));
    }
    a = h2_wait(c, h2_request(c, "HEAD", "/text", NULL, NULL));
    assert_int_equal(a->status, 200);
    assert_string_equal(h2_field(a, "content-length"), "30000");
    assert_int_equal(a->body.len, 0);
    const char *gzip[] = {"accept-encoding", "gzip", NULL};
    a = h2_wait(c, h2_request(c, "GET", "/text", gzip, NULL));
    assert_string_equal(h2_field(a, "content-encoding"), "gzip");
    assert_true(a->body.len < 1000);
    a = h2_wait(c, h2_request(c, "GET", "/nope", NULL, NULL));
    assert_int_equal(a->status, 404);
    mem_free(big);
    h2_close(c);
}

static void takes_bytes_one_by_one(void **state)
{
    struct buf wire = {0};
    char reply[512];
    ssize_t got = 0;
    (void)state;
    buf_append_cstr(&wire, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    h2_frame(&wire, NGHTTP2_SETTINGS, 0, 0, SLICE(""));
    /* GET http / of host h, from HPACK's static table. */
    h2_frame(&wire, NGHTTP2_HEADERS, 5, 1, SLICE("\x82\x86\x84\x41\x01h"));
    int fd = h2_dial(port);
    for (size_t i = 0; i < wire.len; i++)
        assert_int_equal(send(fd, wire.ptr + i, 1, MSG_NOSIGNAL), 1);
    while (got < (ssize_t)sizeof(reply) && !memmem(reply, (size_t)got, "no /", 4)) {
        ssize_t n = recv(fd, reply + got, sizeof(reply) - (size_t)got, 0);
        assert_true(n > 0);
        got += n;
    }
    close(fd);
    buf_deinit(&wire);
}

static void trailers_go_both_ways(void **state)
{
    struct h2_client *c = h2_connect(port);
    struct h2_body body = {.bytes = SLICE("x"), .trailer = "there and back"};
    struct h2_answer *a = h2_wait(c, h2_request(c, "POST", "/trailers", NULL, &body));
    (void)state;
    assert_int_equal(a->status, 200);
    assert_string_equal(buf_cstr(&a->body), "body");
    assert_string_equal(h2_field(a, "x-back"), "there and back");
    h2_close(c);
}

static void a_slow_reader_does_not_fill_memory(void **state)
{
    struct h2_client *c = h2_connect(port);
    (void)state;
    big_left = 0;
    int32_t id = h2_request(c, "GET", "/big", NULL, NULL);
    struct h2_answer *a = h2_answer_of(c, id);
    while (!a->body.len)
        assert_true(h2_turn(c));
    /* The window of 64 KiB is all the server may send; its handler waits. */
    poll(NULL, 0, 50);
    assert_true(big_left > 600);
    a = h2_wait(c, id);
    assert_int_equal(a->status, 200);
    assert_int_equal(a->body.len, 640 * (64 << 10));
    h2_close(c);
}

static void refuses_what_is_too_much(void **state)
{
    struct h2_client *c = h2_connect(port);
    char *huge = mem_calloc(1, 3 << 20);
    struct h2_answer *a;
    (void)state;
    memset(huge, 'x', 3 << 20);
    char *value = mem_calloc(1, 4001);
    memset(value, 'v', 4000);
    const char *many[] = {"x-long", value, "x-more", value, NULL};
    a = h2_wait(c, h2_request(c, "GET", "/param", many, NULL));
    assert_int_equal(a->status, 431);
    assert_non_null(strstr(buf_cstr(&a->body), "limits.http.header_bytes"));
    struct h2_body trailed = {.bytes = SLICE("x"), .trailer = value};
    const char *half[] = {"x-long", value + 2000, NULL};
    a = h2_wait(c, h2_request(c, "POST", "/trailers", half, &trailed));
    assert_int_equal(a->status, 431);
    /* By its stated length before a byte came, and by what came. */
    const char *length[] = {"content-length", "3145728", NULL};
    struct h2_body body = {.bytes = slice_make(huge, 3 << 20)};
    a = h2_wait(c, h2_request(c, "POST", "/echo", length, &body));
    assert_int_equal(a->status, 413);
    assert_non_null(strstr(buf_cstr(&a->body), "limits.http.body_bytes"));
    a = h2_wait(c, h2_request(c, "POST", "/echo", NULL, &body));
    assert_int_equal(a->status, 413);
    assert_non_null(strstr(buf_cstr(&a->body), "limits.http.body_bytes"));
    struct buf bomb = {0};
    codec_compress(CODEC_GZIP, 0, slice_make(huge, 3 << 20), &bomb);
    const char *gzip[] = {"content-encoding", "gzip", NULL};
    body = (struct h2_body){.bytes = buf_slice(&bomb)};
    a = h2_wait(c, h2_request(c, "POST", "/echo", gzip, &body));
    assert_int_equal(a->status, 413);
    const char *br[] = {"content-encoding", "br", NULL};
    a = h2_wait(c, h2_request(c, "POST", "/echo", br, &body));
    assert_int_equal(a->status, 415);
    /* The connection lives on. */
    a = h2_wait(c, h2_request(c, "GET", "/param?a=1", NULL, NULL));
    assert_int_equal(a->status, 200);
    body = (struct h2_body){.bytes = SLICE("stalls"), .open = true};
    a = h2_wait(c, h2_request(c, "POST", "/echo", NULL, &body));
    assert_int_equal(a->status, 408);
    assert_non_null(strstr(buf_cstr(&a->body), "limits.http.body_timeout"));
    buf_deinit(&bomb);
    mem_free(value);
    mem_free(huge);
    h2_close(c);
}

static void a_reset_stream_aborts_its_handler(void **state)
{
    struct h2_client *c = h2_connect(port);
    (void)state;
    aborted = 0;
    int32_t id = h2_request(c, "GET", "/hold", NULL, NULL);
    struct net_request *req = take_held(c);
    nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    struct h2_answer *a = h2_wait(c, h2_request(c, "GET", "/param?a=1", NULL, NULL));
    assert_int_equal(a->status, 200);
    assert_int_equal(aborted, 1);
    net_loop_post(net_request_loop(req), answer_held, req);
    /* And the same when the whole connection goes. */
    h2_request(c, "GET", "/hold", NULL, NULL);
    a = h2_wait(c, h2_request(c, "GET", "/param?a=1", NULL, NULL));
    req = take_held(c);
    h2_close(c);
    for (int i = 0; i < 12000 && aborted < 2; i++)
        poll(NULL, 0, 5);
    assert_int_equal(aborted, 2);
    net_loop_post(net_request_loop(req), answer_held, req);
    expect_alive();
}

static void streams_are_bounded(void **state)
{
    struct h2_client *c = h2_connect(port);
    struct net_request *reqs[STREAMS_MAX];
    (void)state;
    for (int i = 0; i < STREAMS_MAX; i++) {
        int32_t id = h2_request(c, "GET", "/hold", NULL, NULL);
        reqs[i] = take_held(c);
        /* Reset: gone for the protocol, but its handler works on. */
        nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    }
    struct h2_answer *a = h2_wait(c, h2_request(c, "GET", "/param?a=1", NULL, NULL));
    assert_int_equal(a->status, 0);
    assert_int_equal(a->error, NGHTTP2_REFUSED_STREAM);
    for (int i = 0; i < STREAMS_MAX; i++)
        net_loop_post(net_request_loop(reqs[i]), answer_held, reqs[i]);
    for (int i = 0; i < 1000; i++) {
        a = h2_wait(c, h2_request(c, "GET", "/param?a=1", NULL, NULL));
        if (a->status == 200)
            break;
    }
    assert_int_equal(a->status, 200);
    h2_close(c);
}

static void malformed_frames_end_the_connection(void **state)
{
    static const struct {
        uint8_t type, flags;
        uint32_t stream;
        struct slice payload;
        uint32_t error;
    } rows[] = {
        {NGHTTP2_DATA, 0, 0, SLICE_INIT("x"), NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_DATA, 0, 1, SLICE_INIT("x"), NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_DATA, 8, 1, SLICE_INIT("\xff"), NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_HEADERS, 4, 0, SLICE_INIT("\x82"), NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_HEADERS, 4, 2, SLICE_INIT("\x82\x86\x84"), NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_HEADERS, 4, 1, SLICE_INIT("\xff\xff\xff\xff\xff\xff\xff"),
         NGHTTP2_COMPRESSION_ERROR},
        {NGHTTP2_HEADERS, 8 | 4, 1, SLICE_INIT("\x20\x82"), NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_RST_STREAM, 0, 1, SLICE_INIT("abcd"), NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_RST_STREAM, 0, 1, SLICE_INIT("abc"), NGHTTP2_FRAME_SIZE_ERROR},
        {NGHTTP2_SETTINGS, 0, 0, SLICE_INIT("abc"), NGHTTP2_FRAME_SIZE_ERROR},
        {NGHTTP2_SETTINGS, 0, 1, SLICE_INIT(""), NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_SETTINGS, 0, 0, SLICE_INIT("\0\4\xff\xff\xff\xff"), NGHTTP2_FLOW_CONTROL_ERROR},
        {NGHTTP2_PUSH_PROMISE, 4, 1, SLICE_INIT("\0\0\0\2\x82"), NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_PING, 0, 0, SLICE_INIT("short"), NGHTTP2_FRAME_SIZE_ERROR},
        {NGHTTP2_PING, 0, 1, SLICE_INIT("12345678"), NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_GOAWAY, 0, 0, SLICE_INIT("abc"), NGHTTP2_FRAME_SIZE_ERROR},
        {NGHTTP2_WINDOW_UPDATE, 0, 0, SLICE_INIT("\0\0\0\0"), NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_WINDOW_UPDATE, 0, 0, SLICE_INIT("\x7f\xff\xff\xff"), NGHTTP2_FLOW_CONTROL_ERROR},
        {NGHTTP2_CONTINUATION, 4, 1, SLICE_INIT("\x82"), NGHTTP2_PROTOCOL_ERROR},
    };
    struct buf wire = {0};
    uint32_t error;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&wire);
        buf_append_cstr(&wire, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        h2_frame(&wire, NGHTTP2_SETTINGS, 0, 0, SLICE(""));
        h2_frame(&wire, rows[i].type, rows[i].flags, rows[i].stream, rows[i].payload);
        error = 0;
        if (!h2_raw(port, buf_slice(&wire), &error) || error != rows[i].error)
            fail_msg("row %zu: GOAWAY with %u instead of %u", i, error, rows[i].error);
    }
    /* No SETTINGS first; a frame larger than allowed. */
    buf_clear(&wire);
    buf_append_cstr(&wire, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    h2_frame(&wire, NGHTTP2_PING, 0, 0, SLICE("12345678"));
    assert_true(h2_raw(port, buf_slice(&wire), &error));
    buf_clear(&wire);
    buf_append_cstr(&wire, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    h2_frame(&wire, NGHTTP2_SETTINGS, 0, 0, SLICE(""));
    buf_append_slice(&wire, SLICE("\xff\xff\xff\0\0\0\0\0\1"));
    assert_true(h2_raw(port, buf_slice(&wire), &error));
    assert_int_equal(error, NGHTTP2_FRAME_SIZE_ERROR);
    buf_deinit(&wire);
    expect_alive();
}

static void floods_end_the_connection(void **state)
{
    struct buf wire = {0};
    uint32_t error = 0;
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        buf_clear(&wire);
        buf_append_cstr(&wire, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        h2_frame(&wire, NGHTTP2_SETTINGS, 0, 0, SLICE(""));
        if (kind == 4) /* a head without end */
            h2_frame(&wire, NGHTTP2_HEADERS, 0, 1, SLICE("\x82"));
        if (kind == 3)
            h2_frame(&wire, NGHTTP2_HEADERS, 4, 1, SLICE("\x83\x86\x84\x41\x01h"));
        for (uint32_t i = 0; i < 12000; i++) {
            if (kind == 0)
                h2_frame(&wire, NGHTTP2_PING, 0, 0, SLICE("12345678"));
            if (kind == 1)
                h2_frame(&wire, NGHTTP2_SETTINGS, 0, 0, SLICE("\0\3\0\0\0\1"));
            if (kind == 2) { /* rapid reset */
                h2_frame(&wire, NGHTTP2_HEADERS, 5, 2 * i + 1, SLICE("\x82\x86\x84\x41\x01h"));
                h2_frame(&wire, NGHTTP2_RST_STREAM, 0, 2 * i + 1, SLICE("\0\0\0\x08"));
            }
            if (kind == 3)
                h2_frame(&wire, NGHTTP2_DATA, 0, 1, SLICE(""));
            if (kind == 4)
                h2_frame(&wire, NGHTTP2_CONTINUATION, 0, 1, SLICE("\x82"));
        }
        int before = handled;
        error = 0;
        if (!h2_raw(port, buf_slice(&wire), &error) || !error)
            fail_msg("flood %d was not ended: error %u", kind, error);
        /* A stream that was reset in the same read never reaches a handler. */
        assert_true(handled - before < 1100);
    }
    buf_deinit(&wire);
    expect_alive();
}

static void http1_is_still_told_apart(void **state)
{
    static const char *const requests[] = {
        "PRI /x HTTP/1.1\r\nHost: h\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\nxx",
        "PUT /param?a=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        char reply[1024] = {0};
        size_t got = 0;
        int fd = h2_dial(port);
        for (const char *p = requests[i]; *p; p++)
            send(fd, p, 1, MSG_NOSIGNAL);
        for (ssize_t n; got < sizeof(reply) - 1 &&
                        (n = recv(fd, reply + got, sizeof(reply) - 1 - got, 0)) > 0;)
            got += (size_t)n;
        close(fd);
        const char *want = i == 2 ? "HTTP/1.1 200" : "HTTP/1.1 400";
        if (!slice_starts_with(slice_cstr(reply), slice_cstr(want)))
            fail_msg("%s was answered: %s", requests[i], reply);
    }
}

static void trailers_of_http1_are_no_headers(void **state)
{
    struct buf wire = {0}, in = {0};
    (void)state;
    buf_append_cstr(&wire, "POST /trailers HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n");
    for (int i = 0; i < 60; i++)
        buf_printf(&wire, "X-Fill-%d: yyyyyyyyyyyyyyyyyyyy\r\n", i);
    buf_append_cstr(&wire, "X-Trailer: kept apart\r\n\r\n");
    int fd = h2_dial(port);
    assert_int_equal(send(fd, wire.ptr, wire.len, MSG_NOSIGNAL), (ssize_t)wire.len);
    for (ssize_t n; (n = recv(fd, buf_reserve(&in, 4096), 4096, 0)) > 0;)
        in.len += (size_t)n;
    close(fd);
    assert_non_null(strstr(buf_cstr(&in), "4\r\nbody\r\n0\r\nX-Back: kept apart\r\n\r\n"));
    buf_deinit(&wire);
    buf_deinit(&in);
}

static void *stopper(void *arg)
{
    (void)arg;
    struct net_http_server *s = server;
    server = NULL;
    net_http_server_stop(s, 5 * NS_PER_SEC);
    return NULL;
}

static void a_stop_lets_requests_finish(void **state)
{
    struct h2_client *c = h2_connect(port);
    pthread_t thread;
    (void)state;
    int32_t id = h2_request(c, "GET", "/hold", NULL, NULL);
    struct net_request *req = take_held(c);
    pthread_create(&thread, NULL, stopper, NULL);
    while (!c->goaway)
        assert_true(h2_turn(c));
    assert_int_equal(c->goaway_error, NGHTTP2_NO_ERROR);
    net_loop_post(net_request_loop(req), answer_held, req);
    struct h2_answer *a = h2_wait(c, id);
    assert_int_equal(a->status, 200);
    assert_string_equal(buf_cstr(&a->body), "late");
    pthread_join(thread, NULL);
    h2_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_many_streams),
        cmocka_unit_test(takes_bytes_one_by_one),
        cmocka_unit_test(trailers_go_both_ways),
        cmocka_unit_test(a_slow_reader_does_not_fill_memory),
        cmocka_unit_test(refuses_what_is_too_much),
        cmocka_unit_test(a_reset_stream_aborts_its_handler),
        cmocka_unit_test(streams_are_bounded),
        cmocka_unit_test(malformed_frames_end_the_connection),
        cmocka_unit_test(floods_end_the_connection),
        cmocka_unit_test(http1_is_still_told_apart),
        cmocka_unit_test(trailers_of_http1_are_no_headers),
        cmocka_unit_test(a_stop_lets_requests_finish),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
