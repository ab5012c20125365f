/* Everything at once on the real disk: appenders, readers, flushes and merges; meant for the thread
 * sanitizer. At the end, and after opening again, each acknowledged sample is there. */
#include "os/os.h"
#include "os/pool.h"
#include "store/store.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"

#define APPENDERS 3
#define BATCHES   600
#define SERIES    8 /* shared by all appenders */
#define START_NS  (1700000000 * NS_PER_SEC)

struct world {
    struct store *store;
    _Atomic int acked, failed, appending;
    _Atomic int rounds;
    int reads; /* the reader's own */
    _Atomic bool wrong;
};

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    struct world *w = ctx;
    atomic_fetch_add(err || r->samples_accepted != SERIES ? &w->failed : &w->acked, 1);
}

static double value_of(int series, int64_t at)
{
    return (double)(series * 100000 + at);
}

struct appender {
    struct world *w;
    int number;
};

static void *append_all(void *arg)
{
    struct appender *a = arg;
    for (int i = 0; i < BATCHES; i++) {
        struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
        int64_t at = (int64_t)i * APPENDERS + a->number;
        for (int s = 0; s < SERIES; s++) {
            char name[] = {(char)('0' + s), '\0'};
            struct data_label labels[] = {{SLICE("__name__"), SLICE("m")},
                                          {SLICE("n"), slice_cstr(name)}};
            uint32_t index = data_metric_batch_add_series(b, (struct data_labels){labels, 2});
            data_metric_batch_add_sample(b, index, START_NS + at * NS_PER_SEC, value_of(s, at));
        }
        store_append_metrics(a->w->store, b, on_ack, a->w);
        data_metric_batch_free(b);
        /* Not all before the first flush. */
        for (int round = a->w->rounds; i % 20 == 19 && a->w->rounds == round;)
            sched_yield();
    }
    atomic_fetch_sub(&a->w->appending, 1);
    return NULL;
}

/* Number of samples; notes any that is not what was written. */
static size_t read_all(struct world *w)
{
    struct store_source *src = store_metrics(w->store);
    struct store_matcher m = {.op = STORE_MATCH_EQ, .name = SLICE("__name__"), .value = SLICE("m")};
    struct store_select_req req = {.tenant = SLICE("default"),
                                   .t_min_ns = INT64_MIN,
                                   .t_max_ns = INT64_MAX,
                                   .matchers = &m,
                                   .matcher_count = 1};
    struct store_selection *sel;
    struct store_samples samples = {0};
    size_t sum = 0;
    if (src->ops->select(src, &req, &sel, NULL)) {
        w->wrong = true;
        return 0;
    }
    for (size_t i = 0; i < src->ops->selection_count(sel); i++) {
        struct slice n = data_labels_get(src->ops->selection_labels(sel, i), SLICE("n"));
        if (src->ops->selection_read(sel, i, INT64_MIN, INT64_MAX, &samples, NULL))
            w->wrong = true;
        for (size_t k = 0; k < samples.count; k++) {
            if (samples.value[k] !=
                    value_of(n.ptr[0] - '0', (samples.ts[k] - START_NS) / NS_PER_SEC) ||
                (k && samples.ts[k - 1] >= samples.ts[k]))
                w->wrong = true;
        }
        sum += samples.count;
    }
    store_samples_free(&samples);
    src->ops->selection_free(sel);
    return sum;
}

static void *read_on(void *arg)
{
    struct world *w = arg;
    size_t before = 0;
    while (atomic_load(&w->appending)) {
        size_t n = read_all(w);
        if (n < before)
            w->wrong = true; /* what was seen does not go away while flushed or merged */
        before = n;
        w->reads++;
    }
    return NULL;
}

static void *maintain_on(void *arg)
{
    struct world *w = arg;
    while (atomic_load(&w->appending)) {
        if (store_maintain(w->store, true, NULL))
            w->wrong = true;
        w->rounds++;
    }
    return NULL;
}

static void open_store(struct world *w, const char *dir, struct task_pool *pool)
{
    struct store_config config;
    struct diag d;
    diag_init(&d);
    store_config_init(&config);
    config.dir = dir;
    config.retention_ns = INT64_MAX;
    config.disk_reserve_bytes = 0;
    config.flush_interval_ns = NS_PER_SEC;
    config.shard_count = 2;
    if (store_open(&config, os_real(), pool, &w->store, &d))
        fail_msg("%s", d.msg);
}

static void all_at_once(void **state)
{
    (void)state;
    char dir[] = "/tmp/pharos-store-XXXXXX", command[64];
    assert_non_null(mkdtemp(dir));
    struct task_pool *pool = os_pool_new(2);
    struct world w = {.appending = APPENDERS};
    struct appender appenders[APPENDERS];
    pthread_t threads[APPENDERS + 2];
    open_store(&w, dir, pool);
    for (int i = 0; i < APPENDERS; i++) {
        appenders[i] = (struct appender){&w, i};
        assert_int_equal(pthread_create(&threads[i], NULL, append_all, &appenders[i]), 0);
    }
    assert_int_equal(pthread_create(&threads[APPENDERS], NULL, read_on, &w), 0);
    assert_int_equal(pthread_create(&threads[APPENDERS + 1], NULL, maintain_on, &w), 0);
    for (int i = 0; i < APPENDERS + 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(read_all(&w), APPENDERS * BATCHES * SERIES);
    store_close(w.store); /* all acknowledgements have come then */
    assert_int_equal(w.failed, 0);
    assert_int_equal(w.acked, APPENDERS * BATCHES);
    open_store(&w, dir, pool);
    assert_int_equal(read_all(&w), APPENDERS * BATCHES * SERIES);
    assert_false(w.wrong);
    print_message("%d rounds of maintenance, %d reads meanwhile\n", (int)w.rounds, w.reads);
    store_close(w.store);
    os_pool_free(pool);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
