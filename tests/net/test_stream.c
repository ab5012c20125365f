/* Raw stream listeners: lines in pieces, too long, too fast, over TCP, Unix sockets and TLS. */
#include "net/stream.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "h2_client.h"

static struct net_loops *loops;
static struct net_stream_server *server;
static uint16_t port;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct buf seen; /* "line|" each, under the lock */
static _Atomic int opened, closed, overflows;
static struct net_stream *_Atomic paused;

static void on_open(struct net_stream *s, void *ctx)
{
    (void)ctx;
    opened++;
    net_stream_set_state(s, mem_calloc(1, 1));
}

static void on_close(struct net_stream *s, void *ctx)
{
    (void)ctx;
    mem_free(net_stream_state(s));
    closed++;
}

static void note(struct slice line)
{
    pthread_mutex_lock(&lock);
    buf_append_slice(&seen, line);
    buf_append_char(&seen, '|');
    pthread_mutex_unlock(&lock);
}

static size_t on_lines(struct net_stream *s, struct slice bytes, bool end, void *ctx)
{
    size_t taken = 0;
    (void)ctx;
    for (ptrdiff_t n; (n = slice_find_char(slice_from(bytes, taken), '\n')) >= 0;) {
        struct slice line = slice_first(slice_from(bytes, taken), (size_t)n);
        taken += (size_t)n + 1;
        note(line);
        if (slice_eq_cstr(line, "pause")) {
            net_stream_pause(s);
            paused = s;
            return taken;
        }
        if (slice_eq_cstr(line, "quit")) {
            net_stream_write(s, SLICE("bye\n"));
            net_stream_close(s);
            return taken;
        }
        if (slice_eq_cstr(line, "flood")) {
            static char block[1 << 20];
            while (!net_stream_write(s, slice_make(block, sizeof(block)))) {
            }
            return taken;
        }
        if (slice_eq_cstr(line, "who"))
            net_stream_write(s, slice_cstr(net_stream_peer(s)));
    }
    if (end && taken < bytes.len) {
        note(slice_from(bytes, taken));
        taken = bytes.len;
    }
    return taken;
}

static size_t on_overflow(struct net_stream *s, struct slice bytes, void *ctx)
{
    (void)s;
    (void)ctx;
    overflows++;
    return bytes.ptr[0] == '!' ? 0 : bytes.len;
}

static struct net_stream_config config_at(const char *listen)
{
    return (struct net_stream_config){.name = "test",
                                      .listen = listen,
                                      .buffer_bytes_max = 1000,
                                      .queue_bytes_max = 8 << 20,
                                      .connections_max = 10,
                                      .on_open = on_open,
                                      .on_bytes = on_lines,
                                      .on_overflow = on_overflow,
                                      .on_close = on_close};
}

static int start(void **state)
{
    struct diag d;
    struct net_stream_config config = config_at("127.0.0.1:0");
    (void)state;
    diag_init(&d);
    if (net_loops_start(2, &loops, &d) || net_stream_server_start(loops, &config, &server, &d)) {
        print_error("%s\n", d.msg);
        return -1;
    }
    port = net_stream_server_port(server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    net_stream_server_stop(server);
    net_loops_stop(loops, 0);
    buf_deinit(&seen);
    return opened == closed ? 0 : -1;
}

static bool has_seen(const char *text)
{
    pthread_mutex_lock(&lock);
    bool yes = seen.len && strcmp(buf_cstr(&seen), text) == 0;
    pthread_mutex_unlock(&lock);
    return yes;
}

static void expect_seen(const char *text)
{
    for (int i = 0; i < 12000 && !has_seen(text); i++)
        poll(NULL, 0, 5);
    if (!has_seen(text))
        fail_msg("seen: %s, not %s", seen.len ? buf_cstr(&seen) : "", text);
    pthread_mutex_lock(&lock);
    buf_clear(&seen);
    pthread_mutex_unlock(&lock);
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void expect_end(int fd)
{
    char c[1 << 12];
    ssize_t n;
    while ((n = recv(fd, c, sizeof(c), 0)) > 0) {
    }
    assert_true(n == 0 || errno == ECONNRESET);
    close(fd);
}

static void lines_in_pieces(void **state)
{
    (void)state;
    int fd = h2_dial(port);
    say(fd, "one\ntw");
    expect_seen("one|");
    say(fd, "o\n");
    expect_seen("two|");
    for (const char *p = "three\nfour\nfi"; *p; p++)
        say(fd, (char[]){*p, 0});
    expect_seen("three|four|");
    shutdown(fd, SHUT_WR);
    expect_seen("fi|");
    expect_end(fd);
}

static void answers_and_closes(void **state)
{
    char reply[64] = {0};
    (void)state;
    int fd = h2_dial(port);
    say(fd, "who\n");
    assert_true(recv(fd, reply, sizeof(reply) - 1, 0) > 0);
    assert_true(slice_starts_with(slice_cstr(reply), SLICE("127.0.0.1:")));
    say(fd, "quit\nafter\n");
    memset(reply, 0, sizeof(reply));
    assert_true(recv(fd, reply, sizeof(reply) - 1, 0) > 0);
    assert_string_equal(reply, "bye\n");
    expect_end(fd);
    expect_seen("who|quit|");
}

static void long_lines_are_bounded(void **state)
{
    char text[3001];
    (void)state;
    memset(text, 'x', 3000);
    text[3000] = 0;
    overflows = 0;
    int fd = h2_dial(port);
    say(fd, text);
    for (int i = 0; i < 12000 && !overflows; i++)
        poll(NULL, 0, 5);
    assert_true(overflows > 0);
    say(fd, "\nnext\n");
    for (int i = 0; i < 12000 && !has_seen("|next|"); i++)
        poll(NULL, 0, 5);
    expect_seen("|next|");
    /* Without anything to throw away the connection ends. */
    text[0] = '!';
    say(fd, text);
    expect_end(fd);
}

static void resume(void *ctx)
{
    net_stream_resume(ctx);
}

static void pausing_holds_bytes_back(void **state)
{
    (void)state;
    int fd = h2_dial(port);
    say(fd, "a\npause\nb\nc\n");
    expect_seen("a|pause|");
    say(fd, "d\n");
    shutdown(fd, SHUT_WR);
    poll(NULL, 0, 50);
    assert_false(has_seen("b|"));
    struct net_stream *s = paused;
    net_loop_post(net_stream_loop(s), resume, s);
    expect_seen("b|c|d|");
    expect_end(fd);
}

static void peers_that_do_not_read_are_ended(void **state)
{
    (void)state;
    int fd = h2_dial(port), before = closed;
    say(fd, "flood\n");
    for (int i = 0; i < 12000 && closed == before; i++)
        poll(NULL, 0, 5);
    assert_int_equal(closed, before + 1);
    close(fd);
    expect_seen("flood|");
}

static void connections_are_bounded(void **state)
{
    int fds[10];
    (void)state;
    for (int i = 0; i < 12000 && opened != closed; i++)
        poll(NULL, 0, 5);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = h2_dial(port);
        say(fds[i], "x");
    }
    for (int i = 0; i < 12000 && opened - closed < 10; i++)
        poll(NULL, 0, 5);
    expect_end(h2_dial(port));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    expect_seen("x|x|x|x|x|x|x|x|x|x|");
}

static void idle_connections_end(void **state)
{
    struct net_stream_config config = config_at("127.0.0.1:0");
    struct net_stream_server *other;
    struct diag d;
    (void)state;
    diag_init(&d);
    config.idle_timeout_ns = 100 * NS_PER_MS;
    assert_int_equal(net_stream_server_start(loops, &config, &other, &d), 0);
    expect_end(h2_dial(net_stream_server_port(other)));
    net_stream_server_stop(other);
}

static void unix_sockets(void **state)
{
    char dir[] = "/tmp/pharos-stream-XXXXXX", listen[100];
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct net_stream_server *other, *second;
    struct diag d;
    struct stat st;
    char reply[16] = {0};
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/sock", dir);
    snprintf(listen, sizeof(listen), "unix:%s", a.sun_path);
    struct net_stream_config config = config_at(listen);
    config.unix_mode = 0600;
    for (int round = 0; round < 2; round++) {
        diag_init(&d);
        assert_int_equal(net_stream_server_start(loops, &config, &other, &d), 0);
        assert_int_equal(stat(a.sun_path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(net_stream_server_start(loops, &config, &second, &d), ERR_EXISTS);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        say(fd, "who\n");
        assert_true(recv(fd, reply, sizeof(reply) - 1, 0) > 0);
        assert_string_equal(reply, "unix");
        say(fd, "left");
        poll(NULL, 0, 20);
        net_stream_server_stop(other);
        expect_seen("who|left|");
        close(fd);
        assert_int_equal(access(a.sun_path, F_OK), -1);
        /* A socket that a dead process left behind is replaced. */
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        close(fd);
    }
    unlink(a.sun_path);
    /* But no other file. */
    FILE *f = fopen(a.sun_path, "w");
    fclose(f);
    diag_init(&d);
    assert_int_equal(net_stream_server_start(loops, &config, &second, &d), ERR_EXISTS);
    assert_int_equal(access(a.sun_path, F_OK), 0);
    unlink(a.sun_path);
    rmdir(dir);
}

static void tls_streams(void **state)
{
    char dir[] = "/tmp/pharos-stream-XXXXXX", cmd[600], cert[64], key[64];
    struct net_stream_server *secure;
    struct diag d;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    snprintf(cmd, sizeof(cmd),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout %s "
             "-out %s -days 2 -subj /CN=localhost >/dev/null 2>&1",
             key, cert);
    assert_int_equal(system(cmd), 0);
    struct net_tls_config tls = {.cert_file = cert, .key_file = key};
    struct net_stream_config config = config_at("127.0.0.1:0");
    config.tls = &tls;
    diag_init(&d);
    if (net_stream_server_start(loops, &config, &secure, &d))
        fail_msg("%s", d.msg);
    snprintf(cmd, sizeof(cmd),
             "printf 'one\\nquit\\n' | timeout 20 openssl s_client -quiet -connect 127.0.0.1:%u "
             "2>/dev/null | grep -q bye",
             net_stream_server_port(secure));
    assert_int_equal(system(cmd), 0);
    expect_seen("one|quit|");
    snprintf(cmd, sizeof(cmd),
             "printf 'one\\ntwo' | timeout 20 openssl s_client -quiet -no_ign_eof -connect "
             "127.0.0.1:%u >/dev/null 2>&1",
             net_stream_server_port(secure));
    assert_int_equal(system(cmd), 0);
    expect_seen("one|two|");
    /* Who does not speak TLS is not heard. */
    int fd = h2_dial(net_stream_server_port(secure));
    say(fd, "plain text\n");
    expect_end(fd);
    assert_int_equal(net_stream_server_reload_tls(secure, NULL), 0);
    net_stream_server_stop(secure);
    assert_int_equal(seen.len, 0);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    assert_int_equal(system(cmd), 0);
}

static void a_taken_port_is_said(void **state)
{
    char listen[32];
    struct net_stream_server *other;
    struct diag d;
    (void)state;
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", port);
    struct net_stream_config config = config_at(listen);
    diag_init(&d);
    assert_int_equal(net_stream_server_start(loops, &config, &other, &d), ERR_EXISTS);
    assert_non_null(strstr(d.msg, "is held by"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_in_pieces),
        cmocka_unit_test(answers_and_closes),
        cmocka_unit_test(long_lines_are_bounded),
        cmocka_unit_test(pausing_holds_bytes_back),
        cmocka_unit_test(peers_that_do_not_read_are_ended),
        cmocka_unit_test(connections_are_bounded),
        cmocka_unit_test(idle_connections_end),
        cmocka_unit_test(unix_sockets),
        cmocka_unit_test(tls_streams),
        cmocka_unit_test(a_taken_port_is_said),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
