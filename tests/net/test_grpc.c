/* The gRPC server with a plain HTTP/2 client: framing, compression, statuses, deadlines. */
#include "h2_client.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/base64.h"
#include "codec/compress.h"
#include "codec/pb.h"
#include "net/grpc.h"

static struct net_loops *loops;
static struct net_http_server *server;
static uint16_t port;
static _Atomic int aborted, sent;
static struct net_grpc_call *_Atomic held; /* the last one, until a test takes it */
static struct net_grpc_call
    *_Atomic open_call; /* not ended yet: a server's stop would wait for it */

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

static void *echo_elsewhere(void *call)
{
    echo(call, NULL);
    return NULL;
}

static void echo_from_thread(struct net_grpc_call *call, void *ctx)
{
    pthread_t thread;
    (void)ctx;
    pthread_create(&thread, NULL, echo_elsewhere, call);
    pthread_detach(thread);
}

static void fail_oddly(struct net_grpc_call *call, void *ctx)
{
    (void)ctx;
    net_response_header(net_grpc_request(call), "X-Meta", SLICE("data"));
    net_grpc_fail(call, NET_GRPC_FAILED_PRECONDITION, "100%% of \xc3\xa4\nlines");
}

static void fail_full(struct net_grpc_call *call, void *ctx)
{
    (void)ctx;
    net_grpc_fail_retry(call, NET_GRPC_UNAVAILABLE, 1500 * NS_PER_MS, "the disk is full");
}

static void on_abort(void *ctx)
{
    (void)ctx;
    aborted++;
}

static void hold(struct net_grpc_call *call, void *ctx)
{
    (void)ctx;
    net_request_on_abort(net_grpc_request(call), on_abort, NULL);
    open_call = call;
    held = call;
}

struct many {
    struct net_grpc_call *call;
    int left;
};

static void send_many(void *ctx)
{
    static char text[20000];
    struct many *m = ctx;
    while (m->left) {
        m->left--;
        sent++;
        memset(text, 'a' + m->left % 26, sizeof(text));
        if (!net_grpc_send(m->call, slice_make(text, sizeof(text)))) {
            net_respond_on_drain(net_grpc_request(m->call), send_many, m);
            return;
        }
    }
    net_grpc_end(m->call, NET_GRPC_OK, SLICE(""));
}

static void many(struct net_grpc_call *call, void *ctx)
{
    struct many *m = ARENA_NEW(net_request_arena(net_grpc_request(call)), struct many);
    (void)ctx;
    *m = (struct many){call, 200};
    send_many(m);
}

static void some_then_fail(struct net_grpc_call *call, void *ctx)
{
    (void)ctx;
    net_grpc_send(call, SLICE("one"));
    net_grpc_end(call, NET_GRPC_ABORTED, SLICE("no more"));
}

static const struct net_grpc_method methods[] = {
    {"/test.Echo/Echo", echo},           {"/test.Echo/Thread", echo_from_thread},
    {"/test.Echo/Odd", fail_oddly},      {"/test.Echo/Full", fail_full},
    {"/test.Echo/Hold", hold},           {"/test.Echo/Many", many},
    {"/test.Echo/Some", some_then_fail},
};

static void handle(struct net_request *req, void *ctx)
{
    (void)ctx;
    if (net_request_header(req, "x-denied").ptr) {
        net_respond_text(req, 401, "who are you?\n");
    } else if (net_request_header(req, "x-busy").ptr) {
        net_response_header(req, "Retry-After", SLICE("7"));
        net_respond_text(req, 503, "busy\n");
    } else if (net_grpc_is(req)) {
        net_grpc_serve(req, methods, ARRAY_LEN(methods), NULL);
    } else {
        net_respond_text(req, 200, "no gRPC\n");
    }
}

static int start(void **state)
{
    struct diag d;
    struct net_http_config config = {
        .name = "test",
        .listen = "127.0.0.1:0",
        .handler = handle,
        .limits = {.body_bytes_max = 1 << 20, .inflated_bytes_max = 2 << 20},
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
    if (open_call) /* a test failed before it could end it */
        net_grpc_fail(open_call, NET_GRPC_INTERNAL, "the test failed");
    net_http_server_stop(server, NS_PER_SEC);
    net_loops_stop(loops, 0);
    return 0;
}

static void add_message(struct buf *out, bool compressed, struct slice message)
{
    char prefix[5] = {compressed, (char)(message.len >> 24), (char)(message.len >> 16),
                      (char)(message.len >> 8), (char)message.len};
    buf_append(out, prefix, 5);
    buf_append_slice(out, message);
}

/* Takes the next message off `rest`; the flag in *out_compressed. */
static struct slice next_message(struct slice *rest, bool *out_compressed)
{
    const unsigned char *p = (const unsigned char *)rest->ptr;
    assert_true(rest->len >= 5);
    size_t len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
    *out_compressed = p[0];
    assert_true(len <= rest->len - 5);
    struct slice message = slice_first(slice_from(*rest, 5), len);
    *rest = slice_from(*rest, 5 + len);
    return message;
}

#define CALL_HEADERS "content-type", "application/grpc", "te", "trailers"

static struct h2_answer *call_with(struct h2_client *c, const char *path,
                                   const char *const *headers, struct slice body, size_t step)
{
    static const char *const plain[] = {CALL_HEADERS, NULL};
    struct h2_body b = {.bytes = body, .step = step};
    return h2_wait(c, h2_request(c, "POST", path, headers ? headers : plain, &b));
}

static void expect_status(struct h2_answer *a, int status, const char *message)
{
    const char *got = h2_field(a, "grpc-status");
    assert_int_equal(a->status, 200);
    assert_string_equal(h2_field(a, "content-type"), "application/grpc");
    got = h2_field(a, "grpc-status");
    if (!got || atoi(got) != status)
        fail_msg("grpc-status %s instead of %d: %s", got ? got : "absent", status,
                 a->fields.len ? buf_cstr(&a->fields) : "");
    got = h2_field(a, "grpc-message");
    if (message && (!got || !strstr(got, message)))
        fail_msg("grpc-message \"%s\" instead of \"%s\"", got ? got : "", message);
}

static void expect_message(struct h2_answer *a, struct slice want)
{
    struct slice rest = buf_slice(&a->body);
    bool compressed;
    expect_status(a, 0, NULL);
    assert_null(h2_field(a, "grpc-message"));
    assert_true(slice_eq(next_message(&rest, &compressed), want));
    assert_false(compressed);
    assert_int_equal(rest.len, 0);
}

static void unary_calls(void **state)
{
    static const char *const paths[] = {"/test.Echo/Echo", "/test.Echo/Thread"};
    struct h2_client *c = h2_connect(port);
    struct buf body = {0};
    char *big = mem_calloc(1, 900000);
    (void)state;
    memset(big, 'b', 900000);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        buf_clear(&body);
        add_message(&body, false, SLICE("hello"));
        expect_message(call_with(c, paths[i], NULL, buf_slice(&body), 0), SLICE("hello"));
        expect_message(call_with(c, paths[i], NULL, buf_slice(&body), 1), SLICE("hello"));
        buf_clear(&body);
        add_message(&body, false, SLICE(""));
        expect_message(call_with(c, paths[i], NULL, buf_slice(&body), 0), SLICE(""));
        buf_clear(&body);
        add_message(&body, false, slice_make(big, 900000));
        expect_message(call_with(c, paths[i], NULL, buf_slice(&body), 0), slice_make(big, 900000));
    }
    int32_t ids[200];
    buf_clear(&body);
    add_message(&body, false, SLICE("at once"));
    static const char *const headers[] = {CALL_HEADERS, "grpc-timeout", "10S", NULL};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        struct h2_body b = {.bytes = buf_slice(&body)};
        ids[i] = h2_request(c, "POST", paths[i % 2], headers, &b);
    }
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        expect_message(h2_wait(c, ids[i]), SLICE("at once"));
    buf_deinit(&body);
    mem_free(big);
    h2_close(c);
}

static void compressed_messages(void **state)
{
    static const struct {
        enum codec_compression kind;
        const char *name;
    } rows[] = {{CODEC_GZIP, "gzip"}, {CODEC_DEFLATE, "deflate"}, {CODEC_ZSTD, "zstd"}};
    struct h2_client *c = h2_connect(port);
    struct buf body = {0}, packed = {0}, plain = {0};
    char *zeros = mem_calloc(1, 3 << 20);
    bool compressed;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *headers[] = {CALL_HEADERS, "grpc-encoding", rows[i].name, NULL};
        buf_clear(&packed);
        buf_clear(&body);
        codec_compress(rows[i].kind, 0, SLICE("squeezed"), &packed);
        add_message(&body, true, buf_slice(&packed));
        expect_message(call_with(c, "/test.Echo/Thread", headers, buf_slice(&body), 0),
                       SLICE("squeezed"));
        /* Named but not used for this message. */
        buf_clear(&body);
        add_message(&body, false, SLICE("loose"));
        expect_message(call_with(c, "/test.Echo/Echo", headers, buf_slice(&body), 0),
                       SLICE("loose"));
        buf_clear(&packed);
        buf_clear(&body);
        codec_compress(rows[i].kind, 0, slice_make(zeros, 3 << 20), &packed);
        add_message(&body, true, buf_slice(&packed));
        expect_status(call_with(c, "/test.Echo/Echo", headers, buf_slice(&body), 0), 8,
                      "limits.http.inflated_bytes");
        buf_clear(&body);
        add_message(&body, true, SLICE("junk"));
        expect_status(call_with(c, "/test.Echo/Echo", headers, buf_slice(&body), 0), 3,
                      "the message: ");
        /* The answer in what the client accepts. */
        const char *accept[] = {CALL_HEADERS, "grpc-accept-encoding", rows[i].name, NULL};
        buf_clear(&body);
        add_message(&body, false, slice_make(zeros, 100000));
        struct h2_answer *a = call_with(c, "/test.Echo/Echo", accept, buf_slice(&body), 0);
        expect_status(a, 0, NULL);
        struct slice rest = buf_slice(&a->body), message = next_message(&rest, &compressed);
        bool want = rows[i].kind != CODEC_DEFLATE;
        assert_int_equal(compressed, want);
        if (want) {
            assert_string_equal(h2_field(a, "grpc-encoding"), rows[i].name);
            buf_clear(&plain);
            assert_int_equal(codec_decompress(rows[i].kind, message, 1 << 20, &plain, NULL), 0);
            message = buf_slice(&plain);
        }
        assert_int_equal(message.len, 100000);
    }
    const char *snappy[] = {CALL_HEADERS, "grpc-encoding", "snappy", NULL};
    buf_clear(&body);
    add_message(&body, true, SLICE("x"));
    struct h2_answer *a = call_with(c, "/test.Echo/Echo", snappy, buf_slice(&body), 0);
    expect_status(a, 12, "snappy is not known");
    assert_non_null(strstr(h2_field(a, "grpc-accept-encoding"), "gzip"));
    expect_status(call_with(c, "/test.Echo/Echo", NULL, buf_slice(&body), 0), 13, "marked");
    mem_free(zeros);
    buf_deinit(&body);
    buf_deinit(&packed);
    buf_deinit(&plain);
    h2_close(c);
}

static void broken_calls(void **state)
{
    struct h2_client *c = h2_connect(port);
    struct buf body = {0};
    (void)state;
    expect_status(call_with(c, "/test.Echo/Echo", NULL, SLICE(""), 0), 3, "one message");
    expect_status(call_with(c, "/test.Echo/Echo", NULL, SLICE("\0\0\0"), 0), 3, "one message");
    expect_status(call_with(c, "/test.Echo/Echo", NULL, SLICE("\0\0\0\0\5abc"), 0), 3, "5 bytes");
    expect_status(call_with(c, "/test.Echo/Echo", NULL,
                            SLICE("\0\xff\xff\xff\xff"
                                  "abc"),
                            0),
                  3, "4294967295 bytes");
    expect_status(call_with(c, "/test.Echo/Echo", NULL, SLICE("\2\0\0\0\0"), 0), 13, "0 or 1");
    add_message(&body, false, SLICE("one"));
    add_message(&body, false, SLICE("two"));
    expect_status(call_with(c, "/test.Echo/Echo", NULL, buf_slice(&body), 0), 3, "one message");
    buf_clear(&body);
    add_message(&body, false, SLICE("x"));
    expect_status(call_with(c, "/test.Echo/None", NULL, buf_slice(&body), 0), 12,
                  "/test.Echo/None");
    expect_status(call_with(c, "/", NULL, buf_slice(&body), 0), 12, NULL);
    static const char *const bad_times[] = {"", "S", "5", "123456789S", "-1S", "5x", "1 S"};
    for (size_t i = 0; i < ARRAY_LEN(bad_times); i++) {
        const char *headers[] = {CALL_HEADERS, "grpc-timeout", bad_times[i], NULL};
        expect_status(call_with(c, "/test.Echo/Echo", headers, buf_slice(&body), 0), 13,
                      "grpc-timeout");
    }
    char *huge = mem_calloc(1, 2 << 20);
    buf_clear(&body);
    add_message(&body, false, slice_make(huge, 2 << 20));
    expect_status(call_with(c, "/test.Echo/Echo", NULL, buf_slice(&body), 0), 8,
                  "limits.http.body_bytes");
    mem_free(huge);
    buf_deinit(&body);
    h2_close(c);
}

/* What asks for another try: RetryInfo in google.rpc.Status. Returns the nanoseconds. */
static int64_t retry_ns(struct h2_answer *a, uint64_t *out_code)
{
    const char *details = h2_field(a, "grpc-status-details-bin");
    struct buf raw = {0};
    int64_t ns = 0;
    assert_non_null(details);
    assert_null(strchr(details, '='));
    assert_int_equal(codec_base64_decode(slice_cstr(details), &raw), 0);
    struct codec_pb_reader status = codec_pb_reader(buf_slice(&raw));
    struct codec_pb_field f, g;
    while (codec_pb_next(&status, &f)) {
        if (f.number == 1)
            *out_code = f.num;
        if (f.number != 3)
            continue;
        struct codec_pb_reader any = codec_pb_reader(f.bytes);
        while (codec_pb_next(&any, &f)) {
            if (f.number == 1)
                assert_true(slice_eq_cstr(f.bytes, "type.googleapis.com/google.rpc.RetryInfo"));
            if (f.number != 2)
                continue;
            struct codec_pb_reader info = codec_pb_reader(f.bytes);
            assert_true(codec_pb_next(&info, &g) && g.number == 1);
            struct codec_pb_reader duration = codec_pb_reader(g.bytes);
            while (codec_pb_next(&duration, &g))
                ns += (int64_t)g.num * (g.number == 1 ? NS_PER_SEC : 1);
        }
    }
    assert_false(status.failed);
    buf_deinit(&raw);
    return ns;
}

static void statuses_and_details(void **state)
{
    struct h2_client *c = h2_connect(port);
    struct buf body = {0};
    uint64_t code = 0;
    (void)state;
    add_message(&body, false, SLICE("x"));
    struct h2_answer *a = call_with(c, "/test.Echo/Odd", NULL, buf_slice(&body), 0);
    expect_status(a, 9, "100%25 of %C3%A4%0Alines");
    assert_string_equal(h2_field(a, "x-meta"), "data");
    a = call_with(c, "/test.Echo/Full", NULL, buf_slice(&body), 0);
    expect_status(a, 14, "the disk is full");
    assert_int_equal(retry_ns(a, &code), 1500 * NS_PER_MS);
    assert_int_equal(code, 14);
    /* What HTTP refuses is a status of gRPC, too. */
    const char *denied[] = {CALL_HEADERS, "x-denied", "1", NULL};
    expect_status(call_with(c, "/test.Echo/Echo", denied, buf_slice(&body), 0), 16, "who are you?");
    const char *busy[] = {CALL_HEADERS, "x-busy", "1", NULL};
    a = call_with(c, "/test.Echo/Echo", busy, buf_slice(&body), 0);
    expect_status(a, 14, "busy");
    assert_int_equal(retry_ns(a, &code), 7 * NS_PER_SEC);
    /* Not gRPC. */
    const char *text[] = {"content-type", "application/grpc-web", NULL};
    a = call_with(c, "/test.Echo/Echo", text, buf_slice(&body), 0);
    assert_null(h2_field(a, "grpc-status"));
    assert_string_equal(buf_cstr(&a->body), "no gRPC\n");
    buf_deinit(&body);
    h2_close(c);
}

static struct net_grpc_call *take_held(struct h2_client *c)
{
    struct net_grpc_call *call;
    h2_send(c);
    for (int i = 0; i < 12000 && !held; i++)
        poll(NULL, 0, 5);
    call = held;
    held = NULL;
    assert_non_null(call);
    return call;
}

static void wait_aborted(int want)
{
    for (int i = 0; i < 12000 && aborted < want; i++)
        poll(NULL, 0, 5);
    assert_int_equal(aborted, want);
}

static void deadlines_and_cancelling(void **state)
{
    struct h2_client *c = h2_connect(port);
    struct buf body = {0};
    (void)state;
    aborted = 0;
    add_message(&body, false, SLICE("x"));
    const char *headers[] = {CALL_HEADERS, "grpc-timeout", "50m", NULL};
    expect_status(call_with(c, "/test.Echo/Hold", headers, buf_slice(&body), 0), 4, "deadline");
    wait_aborted(1);
    /* The handler is late: its answer is dropped, with whatever it has to say. */
    struct net_grpc_call *call = take_held(c);
    assert_true(net_grpc_deadline_ns(call) > 0);
    open_call = NULL;
    net_grpc_reply(call, SLICE("too late"));
    struct h2_body b = {.bytes = buf_slice(&body)};
    static const char *const plain[] = {CALL_HEADERS, NULL};
    int32_t id = h2_request(c, "POST", "/test.Echo/Hold", plain, &b);
    call = take_held(c);
    assert_int_equal(net_grpc_deadline_ns(call), 0);
    nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    expect_message(call_with(c, "/test.Echo/Echo", NULL, buf_slice(&body), 0), SLICE("x"));
    wait_aborted(2);
    open_call = NULL;
    net_grpc_fail(call, NET_GRPC_CANCELLED, "heard");
    /* The connection goes while the handler works. */
    b = (struct h2_body){.bytes = buf_slice(&body)};
    h2_request(c, "POST", "/test.Echo/Hold", plain, &b);
    call = take_held(c);
    h2_close(c);
    wait_aborted(3);
    open_call = NULL;
    net_grpc_reply(call, SLICE("nobody"));
    buf_deinit(&body);
}

static void streams_of_messages(void **state)
{
    struct h2_client *c = h2_connect(port);
    struct buf body = {0};
    bool compressed;
    (void)state;
    sent = 0;
    add_message(&body, false, SLICE("x"));
    struct h2_body b = {.bytes = buf_slice(&body)};
    static const char *const plain[] = {CALL_HEADERS, NULL};
    int32_t id = h2_request(c, "POST", "/test.Echo/Many", plain, &b);
    struct h2_answer *a = h2_answer_of(c, id);
    while (!a->body.len)
        assert_true(h2_turn(c));
    poll(NULL, 0, 50);
    assert_true(sent < 50); /* 64 KiB of window and what may be queued */
    h2_wait(c, id);
    expect_status(a, 0, NULL);
    struct slice rest = buf_slice(&a->body);
    for (int i = 199; i >= 0; i--) {
        struct slice m = next_message(&rest, &compressed);
        assert_int_equal(m.len, 20000);
        assert_int_equal(m.ptr[19999], 'a' + i % 26);
    }
    assert_int_equal(rest.len, 0);
    a = call_with(c, "/test.Echo/Some", NULL, buf_slice(&body), 0);
    expect_status(a, 10, "no more");
    rest = buf_slice(&a->body);
    assert_true(slice_eq_cstr(next_message(&rest, &compressed), "one"));
    buf_deinit(&body);
    h2_close(c);
}

static void health_checks(void **state)
{
    struct h2_client *c = h2_connect(port);
    struct buf body = {0};
    (void)state;
    add_message(&body, false, SLICE(""));
    expect_message(call_with(c, "/grpc.health.v1.Health/Check", NULL, buf_slice(&body), 0),
                   SLICE("\x08\x01"));
    buf_clear(&body);
    add_message(&body, false, SLICE("\x0a\x09test.Echo"));
    expect_message(call_with(c, "/grpc.health.v1.Health/Check", NULL, buf_slice(&body), 0),
                   SLICE("\x08\x01"));
    buf_clear(&body);
    add_message(&body, false, SLICE("\x0a\x08test.Ech"));
    expect_status(call_with(c, "/grpc.health.v1.Health/Check", NULL, buf_slice(&body), 0), 5,
                  "test.Ech");
    buf_clear(&body);
    add_message(&body, false, SLICE("\x0a\x7f"));
    expect_status(call_with(c, "/grpc.health.v1.Health/Check", NULL, buf_slice(&body), 0), 3, NULL);
    static char zeros[1 << 20];
    struct buf packed = {0};
    buf_clear(&body);
    add_message(&body, false, slice_make(zeros, 5000));
    expect_status(call_with(c, "/grpc.health.v1.Health/Check", NULL, buf_slice(&body), 0), 3,
                  "at most 4096 bytes");
    buf_clear(&body);
    codec_compress(CODEC_GZIP, 0, slice_make(zeros, sizeof(zeros)), &packed);
    add_message(&body, true, buf_slice(&packed));
    const char *gzip[] = {CALL_HEADERS, "grpc-encoding", "gzip", NULL};
    expect_status(call_with(c, "/grpc.health.v1.Health/Check", gzip, buf_slice(&body), 0), 3,
                  "at most 4096 bytes");
    buf_deinit(&packed);
    expect_status(call_with(c, "/grpc.health.v1.Health/Watch", NULL, buf_slice(&body), 0), 12,
                  NULL);
    buf_deinit(&body);
    h2_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unary_calls),
        cmocka_unit_test(compressed_messages),
        cmocka_unit_test(broken_calls),
        cmocka_unit_test(statuses_and_details),
        cmocka_unit_test(deadlines_and_cancelling),
        cmocka_unit_test(streams_of_messages),
        cmocka_unit_test(health_checks),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
