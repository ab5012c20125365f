/* WebSocket channels with a client made of bytes. */
#include "net/websocket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "h2_client.h"

static struct net_loops *loops;
static struct net_http_server *server;
static uint16_t port;
static _Atomic int closes, close_code, drains;
static char close_reason[128];
static struct net_ws *_Atomic last;
static struct net_request *_Atomic held;

static void on_message(struct net_ws *ws, bool text, struct slice message, void *ctx)
{
    (void)ctx;
    if (slice_eq_cstr(message, "close me"))
        net_ws_close(ws, NET_WS_POLICY, "as asked");
    else
        assert_int_equal(net_ws_send(ws, text, message), 0);
}

static void on_drain(struct net_ws *ws, void *ctx)
{
    (void)ctx;
    (void)ws;
    drains++;
}

static void on_close(struct net_ws *ws, int code, struct slice reason, void *ctx)
{
    (void)ctx;
    assert_int_equal(net_ws_send(ws, true, SLICE("x")), ERR_CLOSED);
    snprintf(close_reason, sizeof(close_reason), "%.*s", SLICE_FMT(reason));
    close_code = code;
    if (last == ws)
        last = NULL;
    closes++;
}

static void accept_it(struct net_request *req)
{
    static const struct net_ws_config config = {.protocol = "tail.v1",
                                                .message_bytes_max = 100000,
                                                .queue_bytes_max = 8 << 20,
                                                .on_message = on_message,
                                                .on_drain = on_drain,
                                                .on_close = on_close};
    struct net_ws_config c = config;
    if (net_request_param(req, "hasty").ptr)
        c.ping_interval_ns = 800 * NS_PER_MS;
    net_response_header(req, "X-More", SLICE("yes"));
    last = net_ws_accept(req, &c);
}

static void accept_held(void *ctx)
{
    held = NULL;
    accept_it(ctx);
}

static void handle(struct net_request *req, void *ctx)
{
    (void)ctx;
    if (slice_eq_cstr(net_request_path(req), "/later"))
        held = req;
    else if (slice_eq_cstr(net_request_path(req), "/ws"))
        accept_it(req);
    else
        net_respond_text(req, 200, "plain\n");
}

static int start(void **state)
{
    struct diag d;
    struct net_http_config config = {.name = "test", .listen = "127.0.0.1:0", .handler = handle};
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
    if (held) /* a test failed before it was answered */
        net_loop_post(net_request_loop(held), accept_held, held);
    if (server)
        net_http_server_stop(server, NS_PER_SEC);
    net_loops_stop(loops, 0);
    return 0;
}

#define HANDSHAKE(path)                                                                            \
    "GET " path " HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, "           \
    "Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: "            \
    "13\r\nSec-WebSocket-Protocol: other, tail.v1\r\n\r\n"

static void say(int fd, struct slice s)
{
    assert_int_equal(send(fd, s.ptr, s.len, MSG_NOSIGNAL), (ssize_t)s.len);
}

static void read_exactly(int fd, void *dst, size_t len)
{
    assert_int_equal(recv(fd, dst, len, MSG_WAITALL), (ssize_t)len);
}

/* The head of the answer, byte by byte so that no frame behind it is taken. */
static void read_head(int fd, char *out, size_t size)
{
    size_t n = 0;
    while (n < 4 || memcmp(out + n - 4, "\r\n\r\n", 4)) {
        assert_true(n + 1 < size);
        read_exactly(fd, out + n++, 1);
    }
    out[n] = 0;
}

static int open_ws(const char *handshake)
{
    char head[1024];
    int fd = h2_dial(port);
    say(fd, slice_cstr(handshake));
    read_head(fd, head, sizeof(head));
    if (!slice_starts_with(slice_cstr(head), SLICE("HTTP/1.1 101 Switching Protocols\r\n")) ||
        !strstr(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") ||
        !strstr(head, "Sec-WebSocket-Protocol: tail.v1\r\n") || !strstr(head, "X-More: yes\r\n"))
        fail_msg("%s", head);
    return fd;
}

/* A frame as clients send it: masked. */
static void put_frame(struct buf *out, int first_byte, struct slice payload)
{
    static const char mask[4] = {0x12, 0x34, 0x56, 0x78};
    buf_append_char(out, (char)first_byte);
    if (payload.len < 126) {
        buf_append_char(out, (char)(0x80 | payload.len));
    } else if (payload.len < 65536) {
        buf_append_char(out, (char)(0x80 | 126));
        buf_append_char(out, (char)(payload.len >> 8));
        buf_append_char(out, (char)payload.len);
    } else {
        buf_append_char(out, (char)(0x80 | 127));
        for (int i = 7; i >= 0; i--)
            buf_append_char(out, (char)((uint64_t)payload.len >> (8 * i)));
    }
    buf_append(out, mask, 4);
    for (size_t i = 0; i < payload.len; i++)
        buf_append_char(out, payload.ptr[i] ^ mask[i % 4]);
}

static void say_frame(int fd, int first_byte, struct slice payload)
{
    struct buf b = {0};
    put_frame(&b, first_byte, payload);
    say(fd, buf_slice(&b));
    buf_deinit(&b);
}

/* The next frame of the server; its first byte. */
static int read_frame(int fd, struct buf *payload)
{
    unsigned char h[2], more[8];
    read_exactly(fd, h, 2);
    assert_int_equal(h[1] & 0x80, 0);
    uint64_t len = h[1];
    if (len >= 126) {
        size_t n = len == 126 ? 2 : 8;
        read_exactly(fd, more, n);
        len = 0;
        for (size_t i = 0; i < n; i++)
            len = len << 8 | more[i];
    }
    buf_clear(payload);
    if (len) {
        read_exactly(fd, buf_reserve(payload, len), len);
        payload->len = len;
    }
    return h[0];
}

static void expect_frame(int fd, int first_byte, struct slice payload)
{
    struct buf b = {0};
    assert_int_equal(read_frame(fd, &b), first_byte);
    if (!slice_eq(buf_slice(&b), payload))
        fail_msg("got %.*s", (int)MIN(b.len, 200), b.ptr);
    buf_deinit(&b);
}

static void expect_close(int fd, int before, int code)
{
    char c;
    assert_int_equal(recv(fd, &c, 1, 0), 0);
    close(fd);
    for (int i = 0; i < 12000 && closes == before; i++)
        poll(NULL, 0, 5);
    assert_int_equal(closes, before + 1);
    assert_int_equal(close_code, code);
}

static void messages_go_both_ways(void **state)
{
    int fd = open_ws(HANDSHAKE("/ws")), before = closes;
    static char big[90000];
    (void)state;
    memset(big, 'b', sizeof(big));
    say_frame(fd, 0x81, SLICE("hello"));
    expect_frame(fd, 0x81, SLICE("hello"));
    say_frame(fd, 0x82, SLICE("\0\xff"));
    expect_frame(fd, 0x82, SLICE("\0\xff"));
    say_frame(fd, 0x81, SLICE(""));
    expect_frame(fd, 0x81, SLICE(""));
    say_frame(fd, 0x82, slice_make(big, sizeof(big)));
    expect_frame(fd, 0x82, slice_make(big, sizeof(big)));
    say_frame(fd, 0x82, slice_make(big, 300));
    expect_frame(fd, 0x82, slice_make(big, 300));
    /* A message in fragments, a ping between them, all byte by byte. */
    struct buf wire = {0};
    put_frame(&wire, 0x01, SLICE("one "));
    put_frame(&wire, 0x89, SLICE("are you there?"));
    put_frame(&wire, 0x00, SLICE("two "));
    put_frame(&wire, 0x80, SLICE("three"));
    for (size_t i = 0; i < wire.len; i++)
        say(fd, slice_make(wire.ptr + i, 1));
    buf_deinit(&wire);
    expect_frame(fd, 0x8a, SLICE("are you there?"));
    expect_frame(fd, 0x81, SLICE("one two three"));
    say_frame(fd, 0x88,
              SLICE("\x03\xe8"
                    "that is all"));
    expect_frame(fd, 0x88,
                 SLICE("\x03\xe8"
                       "that is all"));
    expect_close(fd, before, NET_WS_NORMAL);
    assert_string_equal(close_reason, "that is all");
}

static void either_side_may_close(void **state)
{
    int fd = open_ws(HANDSHAKE("/ws")), before = closes;
    (void)state;
    say_frame(fd, 0x81, SLICE("close me"));
    expect_frame(fd, 0x88,
                 SLICE("\x03\xf0"
                       "as asked"));
    say_frame(fd, 0x88, SLICE("\x03\xf0"));
    expect_close(fd, before, NET_WS_POLICY);
    fd = open_ws(HANDSHAKE("/ws"));
    before = closes;
    say_frame(fd, 0x88, SLICE(""));
    expect_frame(fd, 0x88, SLICE(""));
    expect_close(fd, before, NET_WS_NO_STATUS);
    fd = open_ws(HANDSHAKE("/ws"));
    before = closes;
    shutdown(fd, SHUT_WR);
    expect_close(fd, before, NET_WS_ABNORMAL);
}

static void faults_are_told(void **state)
{
    static char huge[100001];
    static const struct {
        int first_byte;
        struct slice payload;
        const char *code;
        int number;
    } rows[] = {
        {0x81, SLICE_INIT("bad \xff utf-8"), "\x03\xef", NET_WS_BAD_DATA},
        {0x82, {huge, sizeof(huge)}, "\x03\xf1", NET_WS_TOO_BIG},
        {0xc1, SLICE_INIT("reserved bit"), "\x03\xea", NET_WS_PROTOCOL_ERROR},
        {0x83, SLICE_INIT("reserved opcode"), "\x03\xea", NET_WS_PROTOCOL_ERROR},
        {0x80, SLICE_INIT("continues nothing"), "\x03\xea", NET_WS_PROTOCOL_ERROR},
        {0x09, SLICE_INIT("ping in fragments"), "", NET_WS_PROTOCOL_ERROR},
        {0x89, {huge, 126}, "", NET_WS_PROTOCOL_ERROR},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fd = open_ws(HANDSHAKE("/ws")), before = closes;
        struct buf b = {0};
        say_frame(fd, rows[i].first_byte, rows[i].payload);
        int first_byte = read_frame(fd, &b);
        /* For broken control frames wslay closes without a code. */
        if (first_byte != 0x88 || !slice_eq_cstr(slice_first(buf_slice(&b), 2), rows[i].code))
            fail_msg("row %zu: frame %x, %zu bytes", i, first_byte, b.len);
        buf_deinit(&b);
        expect_close(fd, before, rows[i].number);
    }
}

/* RFC 6455 5.1: whole, byte by byte, and behind a frame that is as it should be. */
static void unmasked_frames_are_refused(void **state)
{
    static const struct slice frames[] = {SLICE_INIT("\x81\x02hi"), SLICE_INIT("\x89\x00"),
                                          SLICE_INIT("\x82\x7e\x01\x00")};
    (void)state;
    for (size_t i = 0; i < 3 * ARRAY_LEN(frames); i++) {
        int fd = open_ws(HANDSHAKE("/ws")), before = closes;
        struct slice frame = frames[i % ARRAY_LEN(frames)];
        struct buf wire = {0};
        if (i / ARRAY_LEN(frames) == 2)
            put_frame(&wire, 0x8a, SLICE("first"));
        buf_append_slice(&wire, frame);
        if (i / ARRAY_LEN(frames) == 1) {
            for (size_t k = 0; k < 2; k++)
                say(fd, slice_make(wire.ptr + k, 1));
        } else {
            say(fd, buf_slice(&wire));
        }
        expect_frame(fd, 0x88,
                     SLICE("\x03\xea"
                           "frames of clients are masked"));
        expect_close(fd, before, NET_WS_PROTOCOL_ERROR);
        buf_deinit(&wire);
    }
}

struct burst {
    struct net_ws *ws;
    int sent, result;
    _Atomic bool done;
};

static void send_until_full(void *ctx)
{
    static char block[1 << 16];
    struct burst *b = ctx;
    while (!(b->result = net_ws_send(b->ws, false, slice_make(block, sizeof(block)))))
        b->sent++;
    b->done = true;
}

static void slow_readers_are_bounded(void **state)
{
    int fd = open_ws(HANDSHAKE("/ws")), before = closes;
    struct burst burst = {0};
    struct buf b = {0};
    (void)state;
    while (!(burst.ws = last)) /* the client may have its 101 before the server has its channel */
        poll(NULL, 0, 1);
    drains = 0;
    net_loop_post(net_ws_loop(burst.ws), send_until_full, &burst);
    while (!burst.done)
        poll(NULL, 0, 1);
    assert_int_equal(burst.result, ERR_LIMIT);
    assert_true(burst.sent >= (8 << 20) / (1 << 16) - 1);
    for (int i = 0; i < burst.sent; i++) {
        assert_int_equal(read_frame(fd, &b), 0x82);
        assert_int_equal(b.len, 1 << 16);
    }
    say_frame(fd, 0x81, SLICE("still there"));
    expect_frame(fd, 0x81, SLICE("still there"));
    assert_true(drains >= 1);
    say_frame(fd, 0x88, SLICE("\x03\xe8"));
    expect_frame(fd, 0x88, SLICE("\x03\xe8"));
    expect_close(fd, before, NET_WS_NORMAL);
    buf_deinit(&b);
}

static void silent_peers_are_found(void **state)
{
    int fd = open_ws(HANDSHAKE("/ws?hasty=1")), before = closes;
    (void)state;
    expect_frame(fd, 0x89, SLICE(""));
    say_frame(fd, 0x8a, SLICE(""));
    expect_frame(fd, 0x89, SLICE(""));
    char c[64];
    while (recv(fd, c, sizeof(c), 0) > 0) {
    }
    close(fd);
    for (int i = 0; i < 12000 && closes == before; i++)
        poll(NULL, 0, 5);
    assert_int_equal(close_code, NET_WS_ABNORMAL);
}

static void a_flood_of_pings_is_bounded(void **state)
{
    int fd = open_ws(HANDSHAKE("/ws")), before = closes;
    static char data[125];
    struct buf wire = {0};
    (void)state;
    for (int i = 0; i < 1000; i++)
        put_frame(&wire, 0x89, slice_make(data, sizeof(data)));
    for (int i = 0; i < 12000 && closes == before; i++) {
        if (send(fd, wire.ptr, wire.len, MSG_NOSIGNAL) <= 0)
            break;
    }
    for (int i = 0; i < 12000 && closes == before; i++)
        poll(NULL, 0, 5);
    assert_int_equal(closes, before + 1);
    close(fd);
    buf_deinit(&wire);
}

static void accepted_later(void **state)
{
    char head[1024];
    int fd = h2_dial(port), before = closes;
    struct buf wire = {0};
    (void)state;
    /* What a hasty client sends before it has its answer is not lost. */
    buf_append_cstr(&wire, HANDSHAKE("/later"));
    put_frame(&wire, 0x81, SLICE("early"));
    say(fd, buf_slice(&wire));
    while (!held)
        poll(NULL, 0, 1);
    struct net_request *req = held;
    net_loop_post(net_request_loop(req), accept_held, req);
    read_head(fd, head, sizeof(head));
    assert_non_null(strstr(head, " 101 "));
    expect_frame(fd, 0x81, SLICE("early"));
    say_frame(fd, 0x81, SLICE("then"));
    expect_frame(fd, 0x81, SLICE("then"));
    close(fd);
    for (int i = 0; i < 12000 && closes == before; i++)
        poll(NULL, 0, 5);
    assert_int_equal(close_code, NET_WS_ABNORMAL);
    buf_deinit(&wire);
}

static void bad_handshakes(void **state)
{
    static const struct {
        const char *head;
        const char *status, *text;
    } rows[] = {
        {"GET /ws HTTP/1.1\r\nHost: h\r\n\r\n", "426", "Upgrade: websocket"},
        {"POST /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Content-Length: 0\r\n\r\n",
         "426", "Upgrade: websocket"},
        {"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n",
         "426", "Sec-WebSocket-Version: 13"},
        {"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dG9vIHNob3J0\r\nSec-WebSocket-Version: 13\r\n\r\n",
         "400", "Sec-WebSocket-Key"},
        {"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
         "200", "plain"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf in = {0};
        int fd = h2_dial(port);
        say(fd, slice_cstr(rows[i].head));
        /* The connection goes on as HTTP. */
        say(fd, SLICE("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
        for (ssize_t n; (n = recv(fd, buf_reserve(&in, 4096), 4096, 0)) > 0;)
            in.len += (size_t)n;
        close(fd);
        if (strncmp(buf_cstr(&in) + 9, rows[i].status, 3) || !strstr(in.ptr, rows[i].text) ||
            !slice_ends_with(buf_slice(&in), SLICE("plain\n")))
            fail_msg("row %zu: %s", i, in.ptr);
        buf_deinit(&in);
    }
}

static void *stopper(void *arg)
{
    (void)arg;
    struct net_http_server *s = server;
    server = NULL;
    net_http_server_stop(s, 5 * NS_PER_SEC);
    return NULL;
}

static void a_stop_says_goodbye(void **state)
{
    int fd = open_ws(HANDSHAKE("/ws")), before = closes;
    pthread_t thread;
    struct buf b = {0};
    (void)state;
    pthread_create(&thread, NULL, stopper, NULL);
    assert_int_equal(read_frame(fd, &b), 0x88);
    assert_int_equal(memcmp(b.ptr, "\x03\xe9", 2), 0);
    say_frame(fd, 0x88, SLICE("\x03\xe9"));
    pthread_join(thread, NULL);
    expect_close(fd, before, NET_WS_GOING_AWAY);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_go_both_ways),
        cmocka_unit_test(either_side_may_close),
        cmocka_unit_test(faults_are_told),
        cmocka_unit_test(unmasked_frames_are_refused),
        cmocka_unit_test(slow_readers_are_bounded),
        cmocka_unit_test(silent_peers_are_found),
        cmocka_unit_test(a_flood_of_pings_is_bounded),
        cmocka_unit_test(accepted_later),
        cmocka_unit_test(bad_handshakes),
        cmocka_unit_test(a_stop_says_goodbye),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
