/* Appenders, readers, flushes, merges and deletions of events at once, on the real disk; meant for
 * the thread sanitizer. At the end, and after opening again, each acknowledged row is there once.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "os/os.h"
#include "os/pool.h"
#include "store/events.h"

#define APPENDERS 3
#define BATCHES   150
#define ROWS      20
#define START_NS  (1700000000 * NS_PER_SEC)

struct world {
    struct store *store;
    struct task_pool *pool;
    _Atomic int acked, failed, appending;
    _Atomic bool wrong;
};

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    struct world *w = ctx;
    atomic_fetch_add(err || r->rows_accepted != ROWS ? &w->failed : &w->acked, 1);
}

struct appender {
    struct world *w;
    int number;
};

static void *append_all(void *arg)
{
    struct appender *a = arg;
    for (int i = 0; i < BATCHES; i++) {
        struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
        char name[16];
        snprintf(name, sizeof(name), "%d", i % 5);
        struct data_label label = {SLICE("n"), slice_cstr(name)};
        uint32_t s = data_event_batch_add_stream(b, (struct data_labels){&label, 1});
        for (int k = 0; k < ROWS; k++) {
            data_event_batch_add_row(b, s, START_NS + (i * ROWS + k) * NS_PER_MS);
            data_event_put(b, DATA_EVENT_LINE, data_value_string(SLICE("a line of text")));
            data_event_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("who")),
                           data_value_int(a->number));
        }
        store_append_events(a->w->store, b, on_ack, a->w);
        data_event_batch_free(b);
    }
    a->w->appending--;
    return NULL;
}

struct morsels {
    struct world *w;
    struct store_event_source *src;
    struct store_event_cursor *c;
    _Atomic size_t rows;
};

static void read_morsel(void *ctx, size_t i)
{
    struct morsels *m = ctx;
    struct store_event_chunk chunk = {0};
    if (m->src->ops->morsel_read(m->c, i, &chunk, NULL))
        m->w->wrong = true;
    for (size_t k = 0; k < chunk.count; k++) {
        struct data_label l = chunk.streams[chunk.stream[k]].labels.items[0];
        if (!slice_eq_cstr(l.name, "n") || chunk.columns[0].values[k].kind != DATA_VALUE_STRING)
            m->w->wrong = true;
    }
    m->rows += chunk.count;
    store_event_chunk_free(&chunk);
}

static size_t read_all(struct world *w)
{
    struct store_event_source *src = store_events(w->store, DATA_EVENT_LOGS);
    struct store_event_field line = STORE_EVENT_INTRINSIC(DATA_EVENT_LINE);
    struct store_event_predicate p = {
        .op = STORE_EVENT_CONTAINS, .field = line, .value = data_value_string(SLICE("of text"))};
    struct store_event_clause clause = {&p, 1};
    struct store_event_scan s = {
        .select = {.tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX},
        .clauses = &clause,
        .clause_count = 1,
        .fields = &line,
        .field_count = 1};
    struct morsels m = {.w = w, .src = src};
    if (src->ops->scan(src, &s, &m.c, NULL)) {
        w->wrong = true;
        return 0;
    }
    w->pool->parallel(w->pool, TASK_INTERACTIVE, src->ops->morsel_count(m.c), 4, read_morsel, &m);
    src->ops->close(m.c);
    return m.rows;
}

static void *read_often(void *arg)
{
    struct world *w = arg;
    size_t last = 0;
    while (w->appending) {
        size_t now = read_all(w);
        if (now < last || now % ROWS)
            w->wrong = true; /* rows never go away, and come an append at a time */
        last = now;
        sched_yield();
    }
    return NULL;
}

static void *maintain_often(void *arg)
{
    struct world *w = arg;
    while (w->appending) {
        if (store_maintain(w->store, true, NULL))
            w->wrong = true;
        sched_yield();
    }
    return NULL;
}

static void open_store(struct world *w, const char *dir)
{
    struct store_config config;
    struct diag d;
    diag_init(&d);
    store_config_init(&config);
    config.dir = dir;
    config.retention_ns = config.retention_logs_ns = INT64_MAX;
    config.disk_reserve_bytes = 0;
    if (store_open(&config, os_real(), w->pool, &w->store, &d))
        fail_msg("%s", d.msg);
}

static void all_at_once(void **state)
{
    (void)state;
    char dir[] = "/tmp/pharos-event-threads-XXXXXX", command[100];
    assert_non_null(mkdtemp(dir));
    struct world w = {.pool = os_pool_new(2), .appending = APPENDERS};
    struct appender a[APPENDERS];
    pthread_t threads[APPENDERS + 2];
    open_store(&w, dir);
    for (int i = 0; i < APPENDERS; i++) {
        a[i] = (struct appender){&w, i};
        pthread_create(&threads[i], NULL, append_all, &a[i]);
    }
    pthread_create(&threads[APPENDERS], NULL, read_often, &w);
    pthread_create(&threads[APPENDERS + 1], NULL, maintain_often, &w);
    for (int i = 0; i < APPENDERS + 2; i++)
        pthread_join(threads[i], NULL);
    while (w.acked + w.failed < APPENDERS * BATCHES)
        sched_yield();
    assert_int_equal(w.failed, 0);
    assert_int_equal(read_all(&w), APPENDERS * BATCHES * ROWS);
    store_close(w.store);
    open_store(&w, dir);
    assert_int_equal(read_all(&w), APPENDERS * BATCHES * ROWS);
    assert_false(w.wrong);
    store_close(w.store);
    os_pool_free(w.pool);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_at_once)};
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
