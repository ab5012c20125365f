/* One PromQL range query, again and again, in this process over a store's directory: for profilers.
 *
 *     bench_query DIR QUERY START END STEP [REPEAT [WIDTH]]     seconds since 1970; WIDTH threads
 *
 * Prints the CPU time of one run (best and median), the wall time of the best, the memory it held
 * at most, series and samples. The store must not be in use. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "kit.h"
#include "lang/promql/promql.h"
#include "os/os.h"
#include "os/pool.h"
#include "store/store.h"

static int by_size(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

static int run_once(struct store *store, struct task_pool *pool, const char *text,
                    const struct query_steps *steps, struct query_stats *stats, size_t *series,
                    int64_t *peak)
{
    static const struct promql_options options = {.experimental = true};
    struct diag diag;
    struct promql_expr *expr = NULL;
    struct query_plan *plan;
    struct query_result result;
    struct budget memory;
    budget_init(&memory, NULL, 0, NULL);
    struct arena *arena = arena_new(0, &memory);
    struct query_env env = {.source = store_metrics(store),
                            .tenant = SLICE("default"),
                            .pool = pool,
                            .memory = &memory};
    diag_init(&diag);
    int err = promql_parse(slice_cstr(text), &options, arena, &expr, &diag);
    if (!err)
        err = promql_plan(expr, steps, &options, arena, &plan, &diag);
    if (!err)
        err = query_run(plan, &env, arena, &result, &diag);
    if (err) {
        fprintf(stderr, "bench_query: %s\n", diag.msg);
    } else {
        *stats = result.stats;
        *peak = memory.peak;
        *series = result.series_count;
    }
    promql_expr_free(expr);
    arena_free(arena);
    return err;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: bench_query DIR QUERY START END STEP [REPEAT [WIDTH]]\n");
        return 2;
    }
    struct query_steps steps = {.start_ns = strtoll(argv[3], NULL, 10) * NS_PER_SEC,
                                .end_ns = strtoll(argv[4], NULL, 10) * NS_PER_SEC,
                                .step_ns = strtoll(argv[5], NULL, 10) * NS_PER_SEC};
    int repeat = argc > 6 ? (int)strtol(argv[6], NULL, 10) : 5, err = 0;
    struct task_pool *pool = os_pool_new(argc > 7 ? (size_t)strtoul(argv[7], NULL, 10) : 1);
    struct store_config config;
    struct store *store;
    struct diag diag;
    diag_init(&diag);
    store_config_init(&config);
    config.dir = argv[1];
    config.background = false;
    config.retention_ns = INT64_MAX;
    if (store_open(&config, os_real(), pool, &store, &diag)) {
        fprintf(stderr, "bench_query: %s\n", diag.msg);
        return 1;
    }
    double *ms = mem_calloc((size_t)MAX(repeat, 1), sizeof(*ms));
    struct query_stats stats = {0};
    size_t series = 0;
    int64_t peak = 0;
    double wall = 1e9;
    for (int i = 0; i < repeat && !err; i++) {
        double begun = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID), at = bench_clock_s(CLOCK_MONOTONIC);
        err = run_once(store, pool, argv[2], &steps, &stats, &series, &peak);
        ms[i] = (bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - begun) * 1e3;
        wall = MIN(wall, (bench_clock_s(CLOCK_MONOTONIC) - at) * 1e3);
    }
    if (!err && repeat > 0) {
        qsort(ms, (size_t)repeat, sizeof(*ms), by_size);
        printf("%8.2f ms best %8.2f median %8.2f wall  %.1f MiB  %zu rows of %llu series, %llu "
               "samples\n",
               ms[0], ms[repeat / 2], wall, (double)peak / (1 << 20), series,
               (unsigned long long)stats.series_selected, (unsigned long long)stats.samples_read);
    }
    mem_free(ms);
    store_close(store);
    os_pool_free(pool);
    return err != 0;
}
