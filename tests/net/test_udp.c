/* Datagrams: batches over several sockets, what is cut, what the kernel drops. */
#include "net/udp.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static struct net_loops *loops;
static _Atomic int64_t count, bytes, cut, by_socket[4], batches;
static _Atomic bool from_loopback;

static void on_batch(size_t socket, const struct net_datagram *d, size_t n, void *ctx)
{
    char peer[64];
    (void)ctx;
    batches++;
    by_socket[socket] += (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        bytes += (int64_t)d[i].bytes.len;
        cut += d[i].cut;
    }
    net_datagram_peer(&d[0], peer, sizeof(peer));
    from_loopback = slice_starts_with(slice_cstr(peer), SLICE("127.0.0.1:"));
    count += (int64_t)n;
}

static struct net_udp *open_udp(const char *listen, size_t sockets, size_t max, size_t buffer)
{
    struct net_udp *udp;
    struct diag d;
    struct net_udp_config config = {.name = "test",
                                    .listen = listen,
                                    .sockets = sockets,
                                    .datagram_bytes_max = max,
                                    .receive_buffer_bytes = buffer,
                                    .on_batch = on_batch};
    diag_init(&d);
    count = bytes = cut = batches = 0;
    memset((void *)by_socket, 0, sizeof(by_socket));
    if (net_udp_start(loops, &config, &udp, &d))
        fail_msg("%s", d.msg);
    return udp;
}

static int dial(uint16_t port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void wait_count(int64_t want)
{
    for (int i = 0; i < 12000 && count < want; i++)
        poll(NULL, 0, 5);
    assert_int_equal(count, want);
}

static void batches_over_sockets(void **state)
{
    struct net_udp *udp = open_udp("127.0.0.1:0", 3, 0, 0);
    (void)state;
    assert_int_equal(net_udp_sockets(udp), 3);
    assert_true(net_udp_receive_buffer(udp) > 0);
    for (int i = 0; i < 60; i++) { /* senders are spread by their ports */
        int fd = dial(net_udp_port(udp));
        for (int k = 0; k < 5; k++)
            assert_int_equal(send(fd, "hello", 5, 0), 5);
        close(fd);
    }
    wait_count(300);
    assert_int_equal(bytes, 1500);
    assert_true(from_loopback);
    assert_true(by_socket[0] > 0 && by_socket[1] > 0 && by_socket[2] > 0);
    struct net_udp_stats stats = net_udp_stats(udp);
    assert_int_equal(stats.datagrams, 300);
    assert_int_equal(stats.bytes, 1500);
    assert_int_equal(stats.dropped, 0);
    /* The largest there is, and none at all. */
    static char huge[65507];
    int fd = dial(net_udp_port(udp));
    assert_int_equal(send(fd, huge, sizeof(huge), 0), sizeof(huge));
    assert_int_equal(send(fd, huge, 0, 0), 0);
    wait_count(302);
    assert_int_equal(bytes, 1500 + 65507);
    assert_int_equal(cut, 0);
    close(fd);
    net_udp_stop(udp);
}

static void long_ones_are_cut(void **state)
{
    struct net_udp *udp = open_udp("127.0.0.1:0", 1, 100, 0);
    char text[101] = {0};
    (void)state;
    int fd = dial(net_udp_port(udp));
    send(fd, text, 100, 0);
    send(fd, text, 101, 0);
    wait_count(2);
    assert_int_equal(bytes, 200);
    assert_int_equal(cut, 1);
    assert_int_equal(net_udp_stats(udp).cut, 1);
    close(fd);
    net_udp_stop(udp);
}

static _Atomic bool blocked, go;

static void block(void *ctx)
{
    (void)ctx;
    blocked = true;
    while (!go)
        poll(NULL, 0, 1);
}

static void drops_of_the_kernel_are_counted(void **state)
{
    struct net_udp *udp = open_udp("127.0.0.1:0", 1, 0, 4096);
    char text[1000] = {0};
    (void)state;
    net_loop_post(net_loops_at(loops, 0), block, NULL);
    while (!blocked)
        poll(NULL, 0, 1);
    int fd = dial(net_udp_port(udp));
    for (int i = 0; i < 1000; i++)
        assert_int_equal(send(fd, text, sizeof(text), 0), sizeof(text));
    go = true;
    for (int i = 0; i < 12000 && net_udp_stats(udp).dropped + count < 1001; i++) {
        if (i == 20) /* what is received next tells of the drops before */
            assert_int_equal(send(fd, text, sizeof(text), 0), sizeof(text));
        poll(NULL, 0, 5);
    }
    struct net_udp_stats stats = net_udp_stats(udp);
    assert_int_equal(stats.dropped + stats.datagrams, 1001);
    assert_true(stats.dropped > 900);
    close(fd);
    net_udp_stop(udp);
}

static void a_stop_takes_what_is_there(void **state)
{
    struct net_udp *udp = open_udp("127.0.0.1:0", 1, 0, 0);
    (void)state;
    blocked = go = false;
    net_loop_post(net_loops_at(loops, 0), block, NULL);
    while (!blocked)
        poll(NULL, 0, 1);
    int fd = dial(net_udp_port(udp));
    for (int i = 0; i < 200; i++)
        assert_int_equal(send(fd, "x", 1, 0), 1);
    go = true;
    net_udp_stop(udp);
    assert_int_equal(count, 200);
    assert_true(batches <= 100);
    close(fd);
}

static void unix_datagrams(void **state)
{
    char dir[] = "/tmp/pharos-udp-XXXXXX", listen[100], peer[64];
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct diag d;
    struct net_udp *second;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/sock", dir);
    snprintf(listen, sizeof(listen), "unix:%s", a.sun_path);
    struct net_udp *udp = open_udp(listen, 0, 0, 0);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(send(fd, "abc", 3, 0), 3);
    wait_count(100);
    assert_int_equal(bytes, 300);
    struct net_datagram none = {.from = (struct sockaddr *)&a, .from_len = 2};
    net_datagram_peer(&none, peer, sizeof(peer));
    assert_string_equal(peer, "unix");
    struct net_udp_config config = {.name = "x", .listen = listen, .on_batch = on_batch};
    diag_init(&d);
    assert_int_equal(net_udp_start(loops, &config, &second, &d), ERR_EXISTS);
    net_udp_stop(udp);
    assert_int_equal(access(a.sun_path, F_OK), -1);
    close(fd);
    rmdir(dir);
}

static void a_taken_port_is_said(void **state)
{
    struct net_udp *udp = open_udp("127.0.0.1:0", 2, 0, 0), *second;
    char listen[32];
    struct diag d;
    (void)state;
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", net_udp_port(udp));
    struct net_udp_config config = {.name = "x", .listen = listen, .on_batch = on_batch};
    diag_init(&d);
    assert_int_equal(net_udp_start(loops, &config, &second, &d), ERR_EXISTS);
    assert_non_null(strstr(d.msg, "is held by test_udp"));
    net_udp_stop(udp);
}

static int start(void **state)
{
    struct diag d;
    (void)state;
    diag_init(&d);
    return net_loops_start(2, &loops, &d);
}

static int stop(void **state)
{
    (void)state;
    net_loops_stop(loops, 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_over_sockets),
        cmocka_unit_test(long_ones_are_cut),
        cmocka_unit_test(drops_of_the_kernel_are_counted),
        cmocka_unit_test(a_stop_takes_what_is_there),
        cmocka_unit_test(unix_datagrams),
        cmocka_unit_test(a_taken_port_is_said),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
