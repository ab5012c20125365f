/* Out to others: datagrams that never wait, and a TCP connection that is made again when it broke.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/dial.h"
#include "net/udp_sender.h"

static struct net_loops *loops;

static int bound(int type, uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, type, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static struct net_udp_sender *open_sender(const char *host, uint16_t port)
{
    char address[64];
    struct net_udp_sender *s;
    struct diag d;
    diag_init(&d);
    snprintf(address, sizeof(address), "%s:%u", host, port);
    if (net_udp_sender_open(slice_cstr(address), &s, &d))
        fail_msg("%s", d.msg);
    return s;
}

static void test_datagrams(void **state)
{
    static char large[70000];
    char in[100];
    uint16_t port;
    (void)state;
    int fd = bound(SOCK_DGRAM, &port);
    struct net_udp_sender *s = open_sender("localhost", port);
    assert_true(net_udp_sender_send(s, SLICE("a:1|c")));
    assert_int_equal(recv(fd, in, sizeof(in), 0), 5);
    assert_memory_equal(in, "a:1|c", 5);
    assert_true(net_udp_sender_send(s, SLICE(""))); /* an empty one is one, too */
    assert_int_equal(recv(fd, in, sizeof(in), 0), 0);
    assert_false(net_udp_sender_send(s, slice_make(large, sizeof(large)))); /* too long for UDP */
    assert_true(net_udp_sender_send(s, SLICE("b")));
    assert_int_equal(recv(fd, in, sizeof(in), 0), 1);
    net_udp_sender_close(s);
    close(fd);
}

static void test_nobody_there(void **state)
{
    uint16_t port;
    char in[10];
    (void)state;
    close(bound(SOCK_DGRAM, &port));
    struct net_udp_sender *s = open_sender("127.0.0.1", port);
    bool taken = true;
    for (int i = 0; i < 100 && taken; i++) /* the kernel hears of it a moment later */
        taken = net_udp_sender_send(s, SLICE("x"));
    assert_false(taken);
    /* Once somebody is there, it arrives without opening anew. */
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    for (int i = 0; i < 100 && !taken; i++) /* the first one hears what became of the last */
        taken = net_udp_sender_send(s, SLICE("y"));
    assert_true(taken);
    assert_int_equal(recv(fd, in, sizeof(in), 0), 1);
    assert_int_equal(in[0], 'y');
    net_udp_sender_close(s);
    net_udp_sender_close(NULL);
    close(fd);
}

static void test_addresses(void **state)
{
    static const char *const bad[] = {
        "", "nohost", ":8125", "127.0.0.1:0", "127.0.0.1:x", "127.0.0.1:70000"};
    struct net_udp_sender *s;
    struct diag d;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        diag_init(&d);
        assert_int_equal(net_udp_sender_open(slice_cstr(bad[i]), &s, &d), ERR_INVALID);
        assert_null(s);
        assert_true(d.msg[0]);
    }
    diag_init(&d);
    assert_int_equal(net_udp_sender_open(SLICE("no.such.host.invalid:1"), &s, &d), ERR_NOT_FOUND);
}

/* --- one TCP connection --- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct net_dial *dial;
    const char *address;
    struct slice bytes;
    int calls, err;
    char why[200], heard[100];
    size_t heard_len;
    bool freed;
} t = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void tell(void)
{
    pthread_cond_broadcast(&t.changed);
    pthread_mutex_unlock(&t.lock);
}

static void on_bytes(void *ctx, struct slice bytes)
{
    (void)ctx;
    pthread_mutex_lock(&t.lock);
    size_t n = MIN(bytes.len, sizeof(t.heard) - t.heard_len);
    memcpy(t.heard + t.heard_len, bytes.ptr, n);
    t.heard_len += n;
    tell();
}

static void on_done(void *ctx, int err, const char *why)
{
    (void)ctx;
    pthread_mutex_lock(&t.lock);
    t.calls++;
    t.err = err;
    snprintf(t.why, sizeof(t.why), "%s", why);
    tell();
}

static void open_dial(void *ctx)
{
    struct net_dial_config config = {
        .address = t.address, .timeout_ns = 300 * NS_PER_MS, .on_bytes = on_bytes};
    (void)ctx;
    assert_int_equal(net_dial_new(net_loops_at(loops, 0), &config, &t.dial, NULL), 0);
}

static void send_it(void *ctx)
{
    (void)ctx;
    net_dial_send(t.dial, t.bytes, on_done, NULL);
}

static void free_dial(void *ctx)
{
    (void)ctx;
    net_dial_free(t.dial);
    pthread_mutex_lock(&t.lock);
    t.freed = true;
    tell();
}

static int send_and_wait(struct slice bytes)
{
    pthread_mutex_lock(&t.lock);
    int before = t.calls;
    t.bytes = bytes;
    net_loop_post(net_loops_at(loops, 0), send_it, NULL);
    while (t.calls == before)
        pthread_cond_wait(&t.changed, &t.lock);
    int err = t.err;
    pthread_mutex_unlock(&t.lock);
    return err;
}

static void begin(const char *host, uint16_t port)
{
    static char address[64];
    snprintf(address, sizeof(address), "%s:%u", host, port);
    t.address = address;
    t.heard_len = 0;
    t.freed = false;
    net_loop_post(net_loops_at(loops, 0), open_dial, NULL);
}

static void end(void)
{
    net_loop_post(net_loops_at(loops, 0), free_dial, NULL);
    pthread_mutex_lock(&t.lock);
    while (!t.freed)
        pthread_cond_wait(&t.changed, &t.lock);
    pthread_mutex_unlock(&t.lock);
}

static void test_connects_again(void **state)
{
    char in[100];
    uint16_t port;
    (void)state;
    int server = bound(SOCK_STREAM, &port);
    assert_int_equal(listen(server, 8), 0);
    begin("localhost", port);
    assert_int_equal(send_and_wait(SLICE("one")), 0);
    int conn = accept(server, NULL, NULL);
    assert_int_equal(recv(conn, in, sizeof(in), 0), 3);
    assert_int_equal(send_and_wait(SLICE("two")), 0); /* the same connection */
    assert_int_equal(recv(conn, in, sizeof(in), 0), 3);
    assert_int_equal(send(conn, "answer", 6, 0), 6);
    pthread_mutex_lock(&t.lock);
    while (t.heard_len < 6)
        pthread_cond_wait(&t.changed, &t.lock);
    pthread_mutex_unlock(&t.lock);
    assert_memory_equal(t.heard, "answer", 6);
    close(conn); /* noticed at once, or at the next send, which then fails */
    int err = send_and_wait(SLICE("three"));
    if (err)
        assert_int_equal(send_and_wait(SLICE("three")), 0);
    conn = accept(server, NULL, NULL);
    assert_int_equal(recv(conn, in, sizeof(in), 0), 5);
    end();
    close(conn);
    close(server);
}

static void test_failures(void **state)
{
    static char large[8 << 20];
    uint16_t port;
    (void)state;
    int server = bound(SOCK_STREAM, &port); /* not listening */
    begin("127.0.0.1", port);
    assert_int_equal(send_and_wait(SLICE("x")), ERR_CLOSED);
    assert_non_null(strstr(t.why, "connecting"));
    end();
    assert_int_equal(listen(server, 8), 0);
    begin("127.0.0.1", port); /* reads nothing: no progress */
    assert_int_equal(send_and_wait(slice_make(large, sizeof(large))), ERR_TIMEOUT);
    end();
    begin("no.such.host.invalid", port);
    int err = send_and_wait(SLICE("x"));
    assert_true(err == ERR_NOT_FOUND || err == ERR_TIMEOUT);
    end();
    begin("127.0.0.1", port);
    pthread_mutex_lock(&t.lock);
    t.bytes = slice_make(large, sizeof(large));
    pthread_mutex_unlock(&t.lock);
    net_loop_post(net_loops_at(loops, 0), send_it, NULL);
    end(); /* while it is on its way */
    assert_int_equal(t.err, ERR_CANCELLED);
    close(server);
}

static int set_up(void **state)
{
    (void)state;
    return net_loops_start(1, &loops, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    net_loops_stop(loops, 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_datagrams), cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_connects_again),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
