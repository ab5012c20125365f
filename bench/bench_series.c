/* Fills a store's directory with series for bench_query, 15 s apart, from 1700000000 on.
 *
 *     bench_series DIR histograms SERIES HOURS     h{n}: native histograms of 24 buckets that grow
 *     bench_series DIR pairs SERIES HOURS          a{n} and b{n}: counters
 *
 * Ends when all is in parts on the disk. The directory must be empty. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "kit.h"
#include "os/os.h"
#include "store/store.h"

#define START_NS (INT64_C(1700000000) * NS_PER_SEC)
#define BUCKETS  24
#define AT_ONCE  20 /* samples of each series in a batch */

static _Atomic int failed;
static _Atomic size_t acked;

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    (void)ctx;
    if (err || r->first_refusal.code) {
        fprintf(stderr, "bench_series: %s\n", r->first_refusal.msg);
        failed = 1;
    }
    acked++;
}

static void add_histogram(struct data_metric_batch *b, uint32_t series, int64_t ts, double *counts)
{
    static struct data_histogram_span span = {-4, BUCKETS};
    struct data_histogram h = {.schema = 2,
                               .zero_threshold = 0x1p-128,
                               .positive_spans = &span,
                               .positive_span_count = 1,
                               .positive = counts,
                               .positive_count = BUCKETS,
                               .is_integer = true};
    for (int i = 0; i < BUCKETS; i++) {
        uint64_t r = bench_rnd();
        counts[i] += (double)(r % (uint64_t)(1 + BUCKETS - abs(i - 8)));
        h.count += counts[i];
        h.sum += counts[i] * exp2((i - 4) / 4.0);
    }
    data_metric_batch_add_histogram(b, series, ts, &h);
}

static uint32_t add_series(struct data_metric_batch *b, const char *name, int n)
{
    char number[16], instance[32];
    snprintf(number, sizeof(number), "%d", n);
    snprintf(instance, sizeof(instance), "host-%04d:9100", n / 100);
    const struct data_label labels[] = {{SLICE("__name__"), slice_cstr(name)},
                                        {SLICE("instance"), slice_cstr(instance)},
                                        {SLICE("job"), n % 2 ? SLICE("api") : SLICE("web")},
                                        {SLICE("n"), slice_cstr(number)}};
    return data_metric_batch_add_series(b, (struct data_labels){labels, ARRAY_LEN(labels)});
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: bench_series DIR histograms|pairs SERIES HOURS\n");
        return 2;
    }
    bool histograms = !strcmp(argv[2], "histograms");
    int series = (int)strtol(argv[3], NULL, 10);
    int samples = (int)(strtod(argv[4], NULL) * 240);
    struct store_config config;
    struct store *store;
    struct diag diag;
    diag_init(&diag);
    store_config_init(&config);
    config.dir = argv[1];
    config.retention_ns = INT64_MAX;
    config.head_bytes_max = (size_t)1 << 40;
    config.flush_interval_ns = INT64_MAX / 4;
    if (store_open(&config, os_real(), NULL, &store, &diag)) {
        fprintf(stderr, "bench_series: %s\n", diag.msg);
        return 1;
    }
    double *counts = mem_calloc((size_t)series * BUCKETS, sizeof(*counts));
    size_t sent = 0;
    for (int from = 0; from < samples && !failed; from += AT_ONCE) {
        for (int first = 0; first < series; first += 1000) {
            struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
            for (int n = first; n < MIN(first + 1000, series); n++) {
                uint32_t a = add_series(b, histograms ? "h" : "a", n),
                         c = histograms ? 0 : add_series(b, "b", n);
                for (int i = from; i < MIN(from + AT_ONCE, samples); i++) {
                    int64_t ts = START_NS + (int64_t)i * 15 * NS_PER_SEC;
                    if (histograms) {
                        add_histogram(b, a, ts, counts + (size_t)n * BUCKETS);
                        continue;
                    }
                    data_metric_batch_add_sample(b, a, ts, (double)i * (n % 7));
                    data_metric_batch_add_sample(b, c, ts, (double)i + n);
                }
            }
            store_append_metrics(store, b, on_ack, NULL);
            for (sent++; acked < sent;)
                usleep(200);
            data_metric_batch_free(b);
        }
        if (from % 2400 == 0 && store_maintain(store, true, &diag)) {
            fprintf(stderr, "bench_series: %s\n", diag.msg);
            failed = 1;
        }
    }
    if (!failed && store_maintain(store, true, &diag)) {
        fprintf(stderr, "bench_series: %s\n", diag.msg);
        failed = 1;
    }
    store_close(store);
    mem_free(counts);
    return failed;
}
