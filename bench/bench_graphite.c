/* Graphite's language over a store, without sockets: the index of paths, and a render.
 *
 *   bench_graphite [paths] [dir] [series]      defaults: 1000000 /tmp/bench_graphite 1000
 *
 * The paths are dcN.hostM.K.metric, 20 kinds with 5 metrics a host (cpu among them). Prints CPU
 * milliseconds: the index made whole, brought up to date after ten new series, globs; and sumSeries
 * and others over series of 600 points. Removes its directory. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "decode/carbon/carbon.h"
#include "kit.h"
#include "lang/graphite/graphite.h"
#include "os/os.h"
#include "store/store.h"

static double cpu_ms(void)
{
    return bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) * 1e3;
}

static struct store *store;
static struct data_metric_batch *batch;
static struct decode_carbon decoder;
static int64_t now_s;

static void flush(void)
{
    store_append_metrics(store, batch, NULL, NULL);
    data_metric_batch_reset(batch);
}

static void point(const char *name, double value, int64_t ts)
{
    char line[200];
    int n = snprintf(line, sizeof(line), "%s %g %lld", name, value, (long long)ts);
    decode_carbon_line(&decoder, slice_make(line, (size_t)n), batch);
    if (batch->sample_ts.len >= 10000)
        flush();
}

static void die(const char *what, const struct diag *d)
{
    fprintf(stderr, "%s: %s\n", what, d->msg);
    exit(1);
}

static void find(struct graphite_index *x, const char *glob)
{
    struct arena *arena = arena_new(0, NULL);
    struct graphite_node *nodes;
    size_t count;
    struct diag d;
    diag_init(&d);
    double begin = cpu_ms();
    if (graphite_index_find(x, SLICE("default"), slice_cstr(glob), 0, arena, &nodes, &count, &d))
        die(glob, &d);
    printf("find %-24s %8.2f ms, %zu nodes\n", glob, cpu_ms() - begin, count);
    arena_free(arena);
}

static void render(struct graphite_index *x, const char *target)
{
    struct budget memory;
    struct diag d;
    double best = 1e9;
    diag_init(&d);
    budget_init(&memory, NULL, INT64_MAX, "none");
    for (int i = 0; i < 5; i++) {
        struct graphite_request req = {.source = store_metrics(store),
                                       .tenant = SLICE("default"),
                                       .index = x,
                                       .start_s = now_s - 600 * 60,
                                       .end_s = now_s,
                                       .now_s = now_s,
                                       .xff = __builtin_nan(""),
                                       .memory = &memory};
        struct graphite_run *run = NULL;
        struct graphite_list list;
        struct slice text = slice_cstr(target);
        double begin = cpu_ms();
        if (graphite_run_targets(&req, &text, 1, &run, &list, &d))
            die(target, &d);
        double took = cpu_ms() - begin;
        best = took < best ? took : best;
        if (!i)
            printf("render %-40s %zu series of %zu points", target, list.len,
                   list.len ? list.items[0]->count : 0);
        graphite_run_free(run);
    }
    printf(", %.2f ms\n", best);
}

int main(int argc, char **argv)
{
    size_t paths = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000, n = 0;
    const char *dir = argc > 2 ? argv[2] : "/tmp/bench_graphite";
    int series = argc > 3 ? atoi(argv[3]) : 1000;
    struct store_config config;
    struct diag d;
    char name[100], command[300];
    log_set_level(LOG_LEVEL_WARN);
    diag_init(&d);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command))
        return 1;
    store_config_init(&config);
    config.dir = dir;
    config.durability = STORE_DURABILITY_OS;
    config.background = false;
    if (store_open(&config, os_real(), NULL, &store, &d))
        die("store", &d);
    batch = data_metric_batch_new(SLICE("default"));
    now_s = (int64_t)time(NULL) / 60 * 60;
    for (size_t host = 0; n < paths; host++) {
        for (size_t k = 0; k < 100 && n < paths; k++, n++) {
            snprintf(name, sizeof(name),
                     k / 5 ? "dc%zu.host%zu.kind%zu.m%zu" : "dc%zu.host%zu.cpu.m%zu%zu", host % 10,
                     host, k / 5, k % 5);
            point(name, 1, now_s);
        }
    }
    flush();
    struct graphite_index *x = graphite_index_new();
    double begin = cpu_ms();
    if (graphite_index_refresh(x, store_metrics(store), SLICE("default"), NULL, &d))
        die("index", &d);
    printf("index of %zu paths made whole: %.0f ms\n", paths, cpu_ms() - begin);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++) {
            snprintf(name, sizeof(name), "dc1.new%d.cpu.round%d", i, round);
            point(name, 1, now_s);
        }
        flush();
        begin = cpu_ms();
        if (graphite_index_refresh(x, store_metrics(store), SLICE("default"), NULL, &d))
            die("index", &d);
        printf("up to date after 10 new paths: %.3f ms\n", cpu_ms() - begin);
    }
    find(x, "*.*.cpu.*");
    find(x, "dc1.*.cpu.m0*");
    find(x, "*.host7?.kind[1-3].{m1,m2}");
    find(x, "**.round2");
    for (int i = 600; i >= 0; i--) {
        for (int s = 0; s < series; s++) {
            snprintf(name, sizeof(name), "bench.g%d.s%d", s % 20, s);
            point(name, s + (600 - i) % 17 * .5, now_s - i * 60);
        }
    }
    flush();
    if (graphite_index_refresh(x, store_metrics(store), SLICE("default"), NULL, &d))
        die("index", &d);
    render(x, "bench.*.*");
    render(x, "sumSeries(bench.*.*)");
    render(x, "groupByNode(bench.*.*,1,'max')");
    render(x, "movingAverage(bench.*.*,10)");
    render(x, "movingMax(bench.*.*,60)");
    render(x, "movingMedian(bench.*.*,60)");
    render(x, "perSecond(bench.*.*)");
    render(x, "sumSeries(perSecond(bench.*.*))");
    render(x, "limit(sortByMaxima(bench.*.*),10)");
    render(x, "aggregate(bench.*.*,'median')");
    render(x, "stddevSeries(bench.*.*)");
    render(x, "aggregate(bench.*.*,'sum',0.5)");
    render(x, "summarize(bench.*.*,'1h')");
    graphite_index_free(x);
    data_metric_batch_free(batch);
    decode_carbon_deinit(&decoder);
    store_close(store);
    return system(command) != 0;
}
