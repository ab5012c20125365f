/* Remote-write load: batches of samples over loopback, and what they cost.
 *
 *     bench_ingest --url http://127.0.0.1:9090/api/v1/write [--pid PID]
 *                  [--seconds 10 | --requests N] [--start UNIX_SECONDS] [--connections 2]
 *                  [--series 10000] [--shape node|service]
 *
 * Every connection has its own series (shapes.h), and sends one sample of each in a request, one
 * request after the other, each acknowledged. Timestamps go on by 15 s from 20 h ago. Prints one
 * line of JSON; with --pid also the CPU time the server took, from /proc/<pid>/stat. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/vec.h"
#include "codec/compress.h"
#include "kit.h"
#include "shapes.h"

struct options {
    char host[64], path[256];
    int port, seconds, requests, connections, series, pid;
    int64_t start_s; /* of the first samples; 0 = 20 h ago */
    const struct bench_shape *shape;
};

struct sender {
    const struct options *o;
    int index;
    pthread_t thread;
    struct buf message;   /* uncompressed request */
    VEC(size_t) value_at; /* where each sample's 8 value bytes lie */
    VEC(size_t) time_at;  /* and its timestamp, a varint of 6 bytes */
    uint64_t samples, requests, bytes;
    int failed_status;
    char failed_text[300];
};

static _Atomic bool stop;

static void put_varint(struct buf *b, uint64_t v)
{
    while (v > 0x7f) {
        buf_append_char(b, (char)(v & 0x7f) | (char)0x80);
        v >>= 7;
    }
    buf_append_char(b, (char)v);
}

static void put_bytes(struct buf *b, int field, struct slice s)
{
    put_varint(b, (uint64_t)field << 3 | 2);
    put_varint(b, s.len);
    buf_append_slice(b, s);
}

static void put_label(struct buf *series, const char *name, const char *value)
{
    struct buf label = {0};
    put_bytes(&label, 1, slice_cstr(name));
    put_bytes(&label, 2, slice_cstr(value));
    put_bytes(series, 1, buf_slice(&label));
    buf_deinit(&label);
}

static void patch_time(char *at, int64_t ms)
{
    uint64_t v = (uint64_t)ms; /* 2^35 <= ms < 2^42: six bytes until the year 2109 */
    for (int i = 0; i < 6; i++, v >>= 7)
        at[i] = (char)((v & 0x7f) | (i < 5 ? 0x80 : 0));
}

static void build(struct sender *s)
{
    for (int i = 0; i < s->o->series; i++) {
        struct buf series = {0}, sample = {0};
        struct bench_labels labels = {.count = 0};
        s->o->shape->labels(s->index, i, &labels);
        for (int k = 0; k < labels.count; k++)
            put_label(&series, labels.items[k].name, labels.items[k].value);
        buf_append_char(&sample, 1 << 3 | 1);
        size_t value_off = sample.len;
        buf_append(&sample, "\0\0\0\0\0\0\0\0", 8);
        buf_append_char(&sample, 2 << 3);
        size_t time_off = sample.len;
        buf_append(&sample, "\0\0\0\0\0\0", 6);
        put_varint(&series, 2 << 3 | 2);
        put_varint(&series, sample.len);
        size_t sample_off = series.len;
        buf_append_slice(&series, buf_slice(&sample));
        put_varint(&s->message, 1 << 3 | 2);
        put_varint(&s->message, series.len);
        vec_push(&s->value_at, s->message.len + sample_off + value_off);
        vec_push(&s->time_at, s->message.len + sample_off + time_off);
        buf_append_slice(&s->message, buf_slice(&series));
        buf_deinit(&series);
        buf_deinit(&sample);
    }
}

static void patch(struct sender *s, int round, int64_t ms)
{
    for (size_t i = 0; i < s->value_at.len; i++) {
        double v = s->o->shape->value(s->index, (int)i, round);
        memcpy(s->message.ptr + s->value_at.items[i], &v, 8);
        patch_time(s->message.ptr + s->time_at.items[i],
                   ms + s->o->shape->phase_ms(s->index, (int)i));
    }
}

static bool send_all(int fd, struct slice b)
{
    while (b.len) {
        ssize_t n = send(fd, b.ptr, b.len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        b = slice_from(b, (size_t)n);
    }
    return true;
}

/* One answer's status; its body (by Content-Length) into text. 0 when the connection broke. */
static int read_answer(int fd, char *text, size_t size)
{
    char head[4096];
    size_t len = 0;
    const char *end = NULL;
    while (!end && len < sizeof(head) - 1) {
        ssize_t n = recv(fd, head + len, sizeof(head) - 1 - len, 0);
        if (n <= 0)
            return 0;
        len += (size_t)n;
        head[len] = 0;
        end = strstr(head, "\r\n\r\n");
    }
    if (!end)
        return 0;
    const char *cl = strcasestr(head, "\r\nContent-Length:");
    size_t body = cl && cl < end ? strtoul(cl + 17, NULL, 10) : 0;
    size_t have = len - (size_t)(end + 4 - head);
    snprintf(text, size, "%s", end + 4);
    while (have < body) {
        char rest[4096];
        ssize_t n = recv(fd, rest, MIN(sizeof(rest), body - have), 0);
        if (n <= 0)
            return 0;
        have += (size_t)n;
    }
    return (int)strtol(head + 9, NULL, 10);
}

static int dial(const struct options *o)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, o->host, &a.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&a, sizeof(a))) {
        fprintf(stderr, "bench_ingest: %s:%d: %s\n", o->host, o->port, strerror(errno));
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void *run(void *arg)
{
    struct sender *s = arg;
    int64_t ms = (s->o->start_s ? s->o->start_s : (int64_t)time(NULL) - 20 * 3600) * 1000;
    struct buf request = {0}, packed = {0};
    int fd = dial(s->o);
    for (int round = 0; fd >= 0 && !stop && !(s->o->requests && round >= s->o->requests);
         round++, ms += 15000) {
        patch(s, round, ms);
        buf_clear(&packed);
        codec_compress(CODEC_SNAPPY, 0, buf_slice(&s->message), &packed);
        buf_clear(&request);
        buf_printf(&request,
                   "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/x-protobuf\r\n"
                   "Content-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   s->o->path, s->o->host, s->o->port, packed.len);
        buf_append_slice(&request, buf_slice(&packed));
        s->failed_status = -1;
        if (!send_all(fd, buf_slice(&request)))
            break;
        int status = read_answer(fd, s->failed_text, sizeof(s->failed_text));
        s->failed_status = status;
        if (status != 204 && status != 200)
            break;
        s->failed_status = 0;
        s->samples += s->value_at.len;
        s->requests++;
        s->bytes += packed.len;
    }
    if (fd >= 0)
        close(fd);
    buf_deinit(&request);
    buf_deinit(&packed);
    return NULL;
}

static double cpu_seconds(int pid)
{
    char path[64], line[1024] = {0};
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *f = pid ? fopen(path, "re") : NULL;
    if (!f)
        return 0;
    if (fgets(line, sizeof(line), f)) {
        const char *p = strrchr(line, ')');
        if (p && sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                        &system) != 2)
            user = system = 0;
    }
    fclose(f);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static bool parse_url(const char *url, struct options *o)
{
    return sscanf(url, "http://%63[0-9.]:%d%255s", o->host, &o->port, o->path) == 3;
}

int main(int argc, char **argv)
{
    struct options o = {
        .seconds = 10, .connections = 2, .series = 10000, .shape = bench_shape_find("node")};
    bool has_url = false;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--url") == 0)
            has_url = parse_url(argv[i + 1], &o);
        else if (strcmp(argv[i], "--pid") == 0)
            o.pid = (int)strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0)
            o.seconds = (int)strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--requests") == 0)
            o.requests = (int)strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--start") == 0)
            o.start_s = strtoll(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--connections") == 0)
            o.connections = (int)strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--series") == 0)
            o.series = (int)strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--shape") == 0)
            o.shape = bench_shape_find(argv[i + 1]);
        else
            has_url = false, i = argc;
    }
    if (!has_url || !o.shape || o.connections < 1 || o.series < 1 || o.seconds < 1 ||
        o.seconds > 3600) {
        fprintf(stderr, "usage: bench_ingest --url http://127.0.0.1:PORT/PATH [--pid PID] "
                        "[--seconds N | --requests N] [--start S] [--connections N] [--series N] "
                        "[--shape node|service]\n");
        return 2;
    }
    struct sender *senders = mem_calloc((size_t)o.connections, sizeof(*senders));
    for (int i = 0; i < o.connections; i++) {
        senders[i].o = &o;
        senders[i].index = i;
        build(&senders[i]);
    }
    double cpu = cpu_seconds(o.pid), begun = bench_clock_s(CLOCK_MONOTONIC);
    for (int i = 0; i < o.connections; i++)
        pthread_create(&senders[i].thread, NULL, run, &senders[i]);
    struct timespec step = {0, 50000000};
    while (!o.requests && bench_clock_s(CLOCK_MONOTONIC) - begun < o.seconds)
        nanosleep(&step, NULL);
    stop = !o.requests;
    uint64_t samples = 0, bytes = 0, requests = 0;
    int failed = 0;
    for (int i = 0; i < o.connections; i++) {
        pthread_join(senders[i].thread, NULL);
        samples += senders[i].samples;
        bytes += senders[i].bytes;
        requests += senders[i].requests;
        if (senders[i].failed_status) {
            fprintf(stderr, "bench_ingest: connection %d ended with %d: %s\n", i,
                    senders[i].failed_status, senders[i].failed_text);
            failed = 1;
        }
        buf_deinit(&senders[i].message);
        vec_free(&senders[i].value_at);
        vec_free(&senders[i].time_at);
    }
    double took = bench_clock_s(CLOCK_MONOTONIC) - begun;
    cpu = cpu_seconds(o.pid) - cpu;
    printf("{\"samples\":%llu,\"requests\":%llu,\"seconds\":%.3f,\"samples_per_s\":%.0f,"
           "\"wire_bytes_per_sample\":%.2f",
           (unsigned long long)samples, (unsigned long long)requests, took, (double)samples / took,
           samples ? (double)bytes / (double)samples : 0);
    if (o.pid)
        printf(",\"server_cpu_s\":%.2f,\"samples_per_cpu_s\":%.0f", cpu,
               cpu > 0 ? (double)samples / cpu : 0);
    printf("}\n");
    mem_free(senders);
    return failed;
}
