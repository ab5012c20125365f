/* The store alone, without sockets and decoding: samples shaped like node_exporter's through
 * store_append_metrics in batches of 10,000, durably acknowledged, on the real disk.
 *
 *   bench_store [series] [rounds] [dir]      defaults: 100000 240 /tmp/bench_store
 *
 * Every target has 1,000 series; a round is one scrape of every target, 15 s after the one before,
 * at a time that is off by some milliseconds but shared by the target's series. Prints CPU time and
 * wall time a sample, memory a series, bytes on disk a sample, the time of a replay, and reading
 * speeds. Ends by itself and removes its directory. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "kit.h"
#include "os/os.h"
#include "store/store.h"

#define TARGET_SERIES 1000
#define BATCH_TARGETS 10
#define STEP_NS       (15 * NS_PER_SEC)

static double rss_bytes(void)
{
    long pages = 0, total;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &total, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

struct gen {
    double value;
    uint8_t kind;
};

/* 45 % constant, 12 % sparse buckets, 20 % counters, 8 % byte counters, 5 % memory, the rest
 * gauges, 1 % noise. */
static void gen_init(struct gen *g, size_t i)
{
    unsigned r = (unsigned)(i * 2654435761u % 100);
    g->kind = r < 45   ? 0
              : r < 57 ? 1
              : r < 67 ? 2
              : r < 77 ? 3
              : r < 85 ? 4
              : r < 90 ? 5
              : r < 99 ? 6
                       : 7;
    g->value = g->kind == 0 ? (double)(bench_rnd() % 3) : (double)(bench_rnd() % 1000000);
    if (g->kind == 5)
        g->value = (double)((bench_rnd() % 1000000) * 4096);
    if (g->kind == 6)
        g->value = (double)(bench_rnd() % 10000) / 100;
}

static double gen_next(struct gen *g)
{
    uint64_t r = bench_rnd();
    switch (g->kind) {
    case 1: g->value += r % 40 == 0 ? 1 : 0; break;
    case 2: g->value = (double)(int64_t)(g->value * 100 + (double)(r % 1500) + 0.5) / 100; break;
    case 3: g->value += (double)(r % 7); break;
    case 4: g->value += (double)(r % 200000); break;
    case 5: g->value += (double)((int64_t)(r % 401) - 200) * 4096; break;
    case 6: g->value = (double)(int64_t)(g->value * 100 + (double)(r % 101) - 50) / 100; break;
    case 7: g->value = (double)(r >> 11) / 9007199254740992.0; break;
    default: break;
    }
    return g->value;
}

static _Atomic size_t acked, failed;

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    (void)ctx;
    if (err || r->first_refusal.code) {
        if (!failed)
            fprintf(stderr, "refused: %s\n", r->first_refusal.msg);
        failed++;
    }
    acked++;
}

static struct data_metric_batch *make_batch(size_t first, size_t count)
{
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    for (size_t i = first; i < first + count; i++) {
        char name[64], instance[64], cpu[16], device[32];
        size_t m = i % TARGET_SERIES, target = i / TARGET_SERIES;
        snprintf(name, sizeof(name), "node_metric_%zu_total", m / 8);
        snprintf(instance, sizeof(instance), "host-%05zu.example.com:9100", target);
        snprintf(cpu, sizeof(cpu), "%zu", m % 8);
        snprintf(device, sizeof(device), "dev%zu", m % 4);
        struct data_label l[] = {{SLICE("__name__"), slice_cstr(name)},
                                 {SLICE("cluster"), SLICE("production")},
                                 {SLICE("cpu"), slice_cstr(cpu)},
                                 {SLICE("device"), slice_cstr(device)},
                                 {SLICE("instance"), slice_cstr(instance)},
                                 {SLICE("job"), SLICE("node")},
                                 {SLICE("mode"), SLICE("idle")},
                                 {SLICE("region"), SLICE("eu-central-1")}};
        data_metric_batch_add_series(b, (struct data_labels){l, ARRAY_LEN(l)});
        data_metric_batch_add_sample(b, (uint32_t)(i - first), 0, 0);
    }
    return b;
}

static void drain(size_t want)
{
    while (acked < want)
        nanosleep(&(struct timespec){0, 200000}, NULL);
}

static void read_all(struct store *s, const char *what, struct slice metric_prefix)
{
    struct store_source *src = store_metrics(s);
    struct store_matcher m = {
        .op = STORE_MATCH_EQ, .name = SLICE("__name__"), .value = metric_prefix};
    struct store_select_req req = {.tenant = SLICE("default"),
                                   .t_min_ns = INT64_MIN,
                                   .t_max_ns = INT64_MAX,
                                   .matchers = &m,
                                   .matcher_count = metric_prefix.len ? 1 : 0};
    struct store_selection *sel;
    struct store_samples samples = {0};
    double t0 = bench_clock_s(CLOCK_MONOTONIC), c0 = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
    struct diag d;
    diag_init(&d);
    if (src->ops->select(src, &req, &sel, &d)) {
        fprintf(stderr, "select: %s\n", d.msg);
        exit(1);
    }
    double t1 = bench_clock_s(CLOCK_MONOTONIC), sum = 0;
    size_t n = src->ops->selection_count(sel), count = 0;
    for (size_t i = 0; i < n; i++) {
        if (src->ops->selection_read(sel, i, INT64_MIN, INT64_MAX, &samples, &d))
            exit(1);
        count += samples.count;
        if (samples.count)
            sum += samples.value[samples.count - 1];
    }
    double t2 = bench_clock_s(CLOCK_MONOTONIC);
    src->ops->selection_free(sel);
    store_samples_free(&samples);
    printf("%-34s %8zu series: select %.1f ms (%.0f ns a series), read %zu samples %.1f ms "
           "(%.2f ns a sample), cpu %.1f ms%s\n",
           what, n, (t1 - t0) * 1e3, n ? (t1 - t0) * 1e9 / (double)n : 0, count, (t2 - t1) * 1e3,
           count ? (t2 - t1) * 1e9 / (double)count : 0,
           (bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - c0) * 1e3, sum == 0.125 ? "!" : "");
}

static uint64_t disk_bytes(struct store *s, uint64_t *out_wal, uint64_t *out_memory)
{
    struct store_source_stats stats;
    store_metrics(s)->ops->stats(store_metrics(s), &stats);
    if (out_wal)
        *out_wal = stats.wal_bytes;
    if (out_memory)
        *out_memory = stats.memory_bytes;
    return stats.disk_bytes - stats.wal_bytes;
}

int main(int argc, char **argv)
{
    size_t series = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 240;
    const char *dir = argc > 3 ? argv[3] : "/tmp/bench_store";
    size_t per_batch = TARGET_SERIES * BATCH_TARGETS;
    struct store_config config;
    struct store *s;
    struct diag d;
    char command[512];
    diag_init(&d);
    series = series / per_batch * per_batch;
    if (!series || !rounds || strlen(dir) > 400 || strchr(dir, '\'')) {
        fprintf(stderr, "usage: bench_store [series] [rounds] [dir]\n");
        return 2;
    }
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    if (system(command))
        return 1;
    size_t batches = series / per_batch;
    struct data_metric_batch **batch = mem_calloc(batches, sizeof(*batch));
    struct gen *gen = mem_calloc(series, sizeof(*gen));
    for (size_t i = 0; i < batches; i++)
        batch[i] = make_batch(i * per_batch, per_batch);
    for (size_t i = 0; i < series; i++)
        gen_init(&gen[i], i);
    store_config_init(&config);
    config.dir = dir;
    config.retention_ns = INT64_MAX;
    config.flush_interval_ns = INT64_MAX / 4; /* flushes are timed on their own */
    config.head_bytes_max = (size_t)1 << 40;
    if (store_open(&config, os_real(), NULL, &s, &d)) {
        fprintf(stderr, "%s\n", d.msg);
        return 1;
    }
    int64_t t0 = os_real()->ops->now_ns(os_real()) - (int64_t)rounds * STEP_NS;
    double append_cpu = 0, gen_cpu = 0, rss0 = rss_bytes(), rss40 = 0, rss1 = 0;
    double cpu0 = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID), wall0 = bench_clock_s(CLOCK_MONOTONIC);
    double first_cpu = 0;
    for (size_t r = 0; r < rounds; r++) {
        for (size_t i = 0; i < batches; i++) {
            double g0 = bench_clock_s(CLOCK_THREAD_CPUTIME_ID);
            for (size_t k = 0; k < per_batch; k++) {
                static int64_t ts;
                if (k % TARGET_SERIES == 0)
                    ts = (t0 + (int64_t)r * STEP_NS) / NS_PER_MS * NS_PER_MS +
                         ((int64_t)(bench_rnd() % 11) - 5) * NS_PER_MS;
                batch[i]->sample_ts.items[k] = ts;
                batch[i]->sample_value.items[k] = gen_next(&gen[i * per_batch + k]);
            }
            double g1 = bench_clock_s(CLOCK_THREAD_CPUTIME_ID);
            store_append_metrics(s, batch[i], on_ack, NULL);
            append_cpu += bench_clock_s(CLOCK_THREAD_CPUTIME_ID) - g1;
            gen_cpu += g1 - g0;
        }
        if (r == 0) {
            drain(batches);
            rss1 = rss_bytes();
            first_cpu = append_cpu;
            append_cpu = 0;
        }
        if (r == 39) {
            drain((r + 1) * batches);
            rss40 = rss_bytes();
        }
    }
    drain(rounds * batches);
    double samples = (double)series * (double)rounds, later = (double)series * (double)(rounds - 1);
    double cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu0 - gen_cpu,
           wall = bench_clock_s(CLOCK_MONOTONIC) - wall0 - gen_cpu;
    uint64_t wal, memory;
    disk_bytes(s, &wal, &memory);
    printf("%zu series x %zu rounds, batches of %zu, %zu refused\n", series, rounds, per_batch,
           (size_t)failed);
    printf("registration: %.0f ns a series on the appending thread\n",
           first_cpu * 1e9 / (double)series);
    printf("append: %.1f ns a sample on the appending thread; all-in %.1f ns CPU, %.1f ns wall a "
           "sample (%.2f M samples/s a core)\n",
           later > 0 ? append_cpu * 1e9 / later : 0, cpu * 1e9 / samples, wall * 1e9 / samples,
           samples / cpu / 1e6);
    printf("log: %.2f bytes a sample\n", (double)wal / samples);
    printf("memory a series: %.0f bytes after 1 sample, %.0f after 40, %.0f after %zu\n",
           (rss1 - rss0) / (double)series, rss40 ? (rss40 - rss0) / (double)series : 0,
           (rss_bytes() - rss0) / (double)series, rounds);
    read_all(s, "head, one metric", SLICE("node_metric_7_total"));

    double f0 = bench_clock_s(CLOCK_MONOTONIC), fc = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
    if (store_maintain(s, true, &d)) {
        fprintf(stderr, "flush: %s\n", d.msg);
        return 1;
    }
    printf("flush: %.2f s, %.1f ns CPU a sample; %.3f bytes a sample on disk\n",
           bench_clock_s(CLOCK_MONOTONIC) - f0,
           (bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - fc) * 1e9 / samples,
           (double)disk_bytes(s, NULL, NULL) / samples);
    malloc_trim(0);
    printf("memory a series after the flush: %.0f bytes\n", (rss_bytes() - rss0) / (double)series);
    read_all(s, "parts, one metric", SLICE("node_metric_7_total"));
    read_all(s, "parts, everything", SLICE(""));
    double o0 = bench_clock_s(CLOCK_MONOTONIC);
    store_close(s);
    double o1 = bench_clock_s(CLOCK_MONOTONIC);
    if (store_open(&config, os_real(), NULL, &s, &d)) {
        fprintf(stderr, "%s\n", d.msg);
        return 1;
    }
    printf("close %.3f s, open with parts %.3f s\n", o1 - o0, bench_clock_s(CLOCK_MONOTONIC) - o1);
    size_t before = acked;
    for (size_t r = 0; r < 8; r++) {
        for (size_t i = 0; i < batches; i++) {
            for (size_t k = 0; k < per_batch; k++)
                batch[i]->sample_ts.items[k] += STEP_NS / 100;
            store_append_metrics(s, batch[i], on_ack, NULL);
        }
    }
    drain(before + 8 * batches);
    /* A copy of the log, as a crash would leave it. */
    snprintf(command, sizeof(command),
             "rm -rf '%s.replay' && mkdir '%s.replay' && cp -r '%s/wal' "
             "'%s/parts' '%s/MANIFEST'* '%s.replay/'",
             dir, dir, dir, dir, dir, dir);
    if (!system(command)) {
        struct store *again;
        char path[512];
        snprintf(path, sizeof(path), "%s.replay", dir);
        config.dir = path;
        double p0 = bench_clock_s(CLOCK_MONOTONIC), pc = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
        if (store_open(&config, os_real(), NULL, &again, &d)) {
            fprintf(stderr, "%s\n", d.msg);
            return 1;
        }
        double n = 8.0 * (double)series, p1 = bench_clock_s(CLOCK_MONOTONIC);
        printf("replay: %.3f s, %.1f ns CPU a sample (%.2f M samples/s, registration included)\n",
               p1 - p0, (bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - pc) * 1e9 / n,
               n / (p1 - p0) / 1e6);
        store_close(again);
    }
    store_close(s);
    for (size_t i = 0; i < batches; i++)
        data_metric_batch_free(batch[i]);
    mem_free(batch);
    mem_free(gen);
    snprintf(command, sizeof(command), "rm -rf '%s' '%s.replay'", dir, dir);
    return system(command) != 0;
}
