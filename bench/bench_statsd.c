/* StatsD lines: parsing and adding up on one core, without sockets; or as a sender of datagrams.
 *
 *     bench_statsd [lines a packet] [names] [million lines]
 *     bench_statsd names COUNT
 *     bench_statsd send PORT [lines a packet] [packets] [packets a second]
 *
 * The first is flushed every 10 M lines; the second says what so many counters hold in memory.
 *
 * Lines are what clients send: half counters, a quarter timers, gauges and counters with tags. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "input/statsd/statsd.h"
#include "kit.h"

static void ignore(struct pipe_sink *sink, const struct data_metric_batch *batch, pipe_ack_fn ack,
                   void *ctx)
{
    (void)sink;
    (void)batch;
    (void)ack;
    (void)ctx;
}

static void put_line(struct buf *out, size_t i, size_t names)
{
    uint64_t r = (i * UINT64_C(0x9e3779b97f4a7c15)) >> 20;
    size_t name = r % names;
    switch (i % 8) {
    case 0:
    case 1:
        buf_printf(out, "shop.web%zu.requests.t%zu:%zu|ms\n", name % 97, name,
                   (size_t)(r >> 8) % 900);
        return;
    case 2:
        buf_printf(out, "shop.web%zu.queue.q%zu:%zu|g\n", name % 97, name, (size_t)(r >> 8) % 100);
        return;
    case 3: buf_printf(out, "shop.hits:1|c|#host:web%zu,route:r%zu\n", name % 97, name); return;
    default: buf_printf(out, "shop.web%zu.hits.c%zu:1|c\n", name % 97, name);
    }
}

/* As many different packets as make the names come in any order. */
static struct buf *make_packets(size_t lines, size_t names, size_t count)
{
    struct buf *packets = mem_calloc(count, sizeof(*packets));
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < lines; k++)
            put_line(&packets[i], i * lines + k, names);
        packets[i].len--; /* the last line needs no end */
    }
    return packets;
}

static size_t resident_bytes(void)
{
    size_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%*s %zu", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static struct input_statsd *open_statsd(struct pipe_sink *sink)
{
    struct input_env env = {.os = os_real(), .sink = sink};
    struct input_statsd_config c = {.flush_interval_ns = 10 * NS_PER_SEC,
                                    .flush_counts = true,
                                    .sanitize = true,
                                    .names_max = 100000000,
                                    .line_bytes_max = 4096,
                                    .memory_max = INT64_C(1) << 32,
                                    .percentiles = "90"};
    struct input_statsd *s;
    return input_statsd_new(&env, &c, &s, NULL) ? NULL : s;
}

static int hold_names(size_t names)
{
    struct pipe_sink sink = {.metrics = ignore};
    struct input_statsd *s = open_statsd(&sink);
    size_t before = resident_bytes();
    for (size_t i = 0; s && i < names; i++) {
        char line[64];
        int n = snprintf(line, sizeof(line), "shop.web%zu.hits.c%zu:1|c", i % 97, i);
        input_statsd_feed(s, 0, slice_make(line, (size_t)n), "bench");
    }
    size_t fed = resident_bytes();
    input_statsd_flush(s, NS_PER_SEC);
    printf("%zu counters: %.0f MiB in tables, %.0f MiB with their series\n", names,
           (double)(fed - before) / (1 << 20), (double)(resident_bytes() - before) / (1 << 20));
    input_statsd_stop(s);
    return 0;
}

static int add_up(size_t lines, size_t names, double millions)
{
    struct pipe_sink sink = {.metrics = ignore};
    struct input_statsd *s = open_statsd(&sink);
    size_t count = MAX(20 * names / lines, (size_t)2000), sent = 0, flushes = 0;
    size_t packets_wanted = (size_t)(millions * 1e6) / lines;
    struct buf *packets = make_packets(lines, names, count);
    for (size_t i = 0; i < count; i++) /* every name is known before the clock runs */
        input_statsd_feed(s, 0, buf_slice(&packets[i]), "bench");
    input_statsd_flush(s, NS_PER_SEC);
    double begun = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID), flushing = 0;
    for (size_t i = 0; i < packets_wanted; i++) {
        input_statsd_feed(s, 0, buf_slice(&packets[i % count]), "bench");
        sent += lines;
        if (sent >= 10000000 * (flushes + 1)) {
            double before = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
            input_statsd_flush(s, (int64_t)(++flushes + 1) * 10 * NS_PER_SEC);
            flushing += bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - before;
        }
    }
    double all = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - begun;
    printf("%zu lines a packet, %zu names: %.1f M lines/s of CPU, %.0f ns a line; %zu flushes of "
           "%.1f ms each\n",
           lines, names, (double)sent / (all - flushing) / 1e6,
           (all - flushing) / (double)sent * 1e9, flushes,
           flushes ? flushing / (double)flushes * 1e3 : 0);
    input_statsd_stop(s);
    for (size_t i = 0; i < count; i++)
        buf_deinit(&packets[i]);
    mem_free(packets);
    return 0;
}

static int send_packets(uint16_t port, size_t lines, size_t total, double rate)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    size_t count = 2000;
    struct buf *packets = make_packets(lines, 1000, count);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
        return 1;
    double begun = bench_clock_s(CLOCK_MONOTONIC);
    for (size_t i = 0; i < total; i++) {
        const struct buf *p = &packets[i % count];
        if (send(fd, p->ptr, p->len, 0) < 0)
            perror("send");
        for (;;) { /* no faster than asked */
            if ((double)i <= (bench_clock_s(CLOCK_MONOTONIC) - begun) * rate)
                break;
            usleep(200);
        }
    }
    printf("%zu packets, %zu lines\n", total, total * lines);
    close(fd);
    for (size_t i = 0; i < count; i++)
        buf_deinit(&packets[i]);
    mem_free(packets);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "send") == 0)
        return send_packets((uint16_t)atoi(argv[2]), argc > 3 ? strtoul(argv[3], NULL, 10) : 40,
                            argc > 4 ? strtoul(argv[4], NULL, 10) : 100000,
                            argc > 5 ? atof(argv[5]) : 1e9);
    if (argc > 2 && strcmp(argv[1], "names") == 0)
        return hold_names(strtoul(argv[2], NULL, 10));
    return add_up(argc > 1 ? strtoul(argv[1], NULL, 10) : 40,
                  argc > 2 ? strtoul(argv[2], NULL, 10) : 1000, argc > 3 ? atof(argv[3]) : 20);
}
