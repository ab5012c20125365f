/* Snapshots are opened as any store and hold what was there at their moment; a store that is being
 * loaded says so. */
#include "os/sim.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define T0 (1700000000 * NS_PER_SEC)

static struct store *new_at(struct os_sim *sim, const char *dir)
{
    struct store_config config;
    store_config_init(&config);
    config.dir = dir;
    config.background = false;
    config.shard_count = 2;
    config.retention_ns = INT64_MAX;
    config.disk_reserve_bytes = 0;
    return store_new(&config, os_sim_os(sim), NULL);
}

static struct store *open_at(struct os_sim *sim, const char *dir)
{
    struct store *s = new_at(sim, dir);
    struct diag d;
    diag_init(&d);
    if (store_load(s, &d))
        fail_msg("%s", d.msg);
    return s;
}

static void put(struct store *s, int from, int to)
{
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    for (int i = from; i < to; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i % 7);
        struct data_label l[] = {{SLICE("__name__"), SLICE("m")}, {SLICE("n"), slice_cstr(text)}};
        uint32_t series = data_metric_batch_add_series(b, (struct data_labels){l, 2});
        data_metric_batch_add_sample(b, series, T0 + i * NS_PER_SEC, i);
    }
    data_metric_batch_add_metadata(b, SLICE("m"), DATA_METRIC_GAUGE, SLICE("s"), SLICE("help"));
    store_append_metrics(s, b, NULL, NULL);
    store_sync(s);
    data_metric_batch_free(b);
}

static size_t count(struct store *s, double *out_sum)
{
    struct store_source *src = store_metrics(s);
    struct store_select_req req = {
        .tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX};
    struct store_selection *sel;
    struct store_samples samples = {0};
    struct diag d;
    size_t n = 0;
    diag_init(&d);
    *out_sum = 0;
    assert_int_equal(src->ops->select(src, &req, &sel, &d), 0);
    for (size_t i = 0; i < src->ops->selection_count(sel); i++) {
        assert_int_equal(src->ops->selection_read(sel, i, INT64_MIN, INT64_MAX, &samples, &d), 0);
        n += samples.count;
        for (size_t k = 0; k < samples.count; k++)
            *out_sum += samples.value[k];
    }
    store_samples_free(&samples);
    src->ops->selection_free(sel);
    return n;
}

static void a_snapshot_is_a_store(void **state)
{
    (void)state;
    struct os_sim *sim = os_sim_new(1);
    struct diag d;
    char name[64], all[64], dir[200];
    double sum;
    diag_init(&d);
    os_sim_set_now(sim, T0 + 1000 * NS_PER_SEC);
    struct store *s = open_at(sim, "data");
    put(s, 0, 50);
    store_maintain(s, true, NULL);
    put(s, 50, 100);
    assert_int_equal(store_snapshot(s, false, name, sizeof(name), &d), 0);
    if (store_snapshot(s, true, all, sizeof(all), &d))
        fail_msg("%s", d.msg);
    assert_int_equal(strncmp(all, "20231114T", 9), 0);
    /* What happens later is not in it: more samples, merges, and the files they remove. */
    for (int i = 100; i < 150; i += 10) {
        put(s, i, i + 10);
        store_maintain(s, true, NULL);
    }
    assert_int_equal(count(s, &sum), 150);
    store_close(s);
    os_sim_power_off(sim);
    os_sim_restart(sim);
    snprintf(dir, sizeof(dir), "data/snapshots/%s", name);
    s = open_at(sim, dir);
    assert_int_equal(count(s, &sum), 50);
    store_close(s);
    snprintf(dir, sizeof(dir), "data/snapshots/%s", all);
    s = open_at(sim, dir);
    assert_int_equal(count(s, &sum), 100);
    assert_true(sum == 99 * 100 / 2);
    struct arena *arena = arena_new(0, NULL);
    struct store_metadata *metadata;
    size_t n;
    store_metrics(s)->ops->metadata(store_metrics(s), SLICE("default"), SLICE("m"), arena,
                                    &metadata, &n, NULL);
    assert_int_equal(n, 1);
    arena_free(arena);
    put(s, 200, 210);
    assert_int_equal(count(s, &sum), 110);
    store_close(s);
    s = open_at(sim, "data");
    assert_int_equal(count(s, &sum), 150);
    store_close(s);
    os_sim_free(sim);
}

static void count_name(const char *name, void *ctx)
{
    (void)name;
    ++*(size_t *)ctx;
}

/* Whatever fails while it is made: the store is as before, and there is a whole snapshot or none.
 */
static void a_failed_snapshot_leaves_nothing(void **state)
{
    (void)state;
    bool failed = true;
    for (uint64_t k = 1; failed; k++) {
        struct os_sim *sim = os_sim_new(k);
        struct diag d;
        char name[64];
        double sum;
        size_t names = 0;
        diag_init(&d);
        os_sim_set_now(sim, T0 + 1000 * NS_PER_SEC);
        struct store *s = open_at(sim, "data");
        put(s, 0, 50);
        store_maintain(s, true, NULL);
        put(s, 50, 100);
        os_sim_fail_at(sim, k, ERR_IO);
        failed = store_snapshot(s, true, name, sizeof(name), &d) != 0;
        os_sim_fail_at(sim, 0, 0);
        if (failed) {
            char parts[200];
            snprintf(parts, sizeof(parts), "data/snapshots/%s/parts", name);
            os_sim_os(sim)->ops->list(os_sim_os(sim), parts, count_name, &names, NULL);
            assert_int_equal(names, 0);
        }
        store_close(s);
        s = open_at(sim, "data");
        assert_int_equal(count(s, &sum), 100);
        store_close(s);
        os_sim_free(sim);
        assert_true(k < 100);
    }
}

static int acked;

static void on_ack(void *ctx, int err, const struct store_append_result *result)
{
    (void)ctx;
    (void)result;
    acked = err;
}

static void loading_is_told(void **state)
{
    (void)state;
    struct os_sim *sim = os_sim_new(1);
    struct diag d;
    double sum;
    uint64_t done, total;
    os_sim_set_now(sim, T0 + 1000 * NS_PER_SEC);
    struct store *s = open_at(sim, "data");
    put(s, 0, 50);
    os_sim_power_off(sim);
    store_close(s);
    os_sim_restart(sim);
    s = new_at(sim, "data");
    struct store_source *src = store_metrics(s);
    struct store_select_req req = {
        .tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX};
    struct store_selection *sel;
    struct store_source_stats stats;
    diag_init(&d);
    assert_int_equal(src->ops->select(src, &req, &sel, &d), ERR_AGAIN);
    assert_int_equal(store_health(s, &d), ERR_AGAIN);
    assert_non_null(strstr(d.msg, "the log is being read"));
    assert_int_equal(store_maintain(s, true, &d), ERR_AGAIN);
    src->ops->stats(src, &stats);
    assert_int_equal(stats.samples, 0);
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    store_append_metrics(s, b, on_ack, NULL);
    data_metric_batch_free(b);
    assert_int_equal(acked, ERR_AGAIN);
    store_load_progress(s, &done, &total);
    assert_int_equal(total, 0);
    diag_init(&d);
    assert_int_equal(store_load(s, &d), 0);
    store_load_progress(s, &done, &total);
    assert_true(total > 1024 && done == total);
    assert_int_equal(store_health(s, &d), 0);
    assert_int_equal(count(s, &sum), 50);
    store_close(s);
    os_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_is_a_store),
        cmocka_unit_test(a_failed_snapshot_leaves_nothing),
        cmocka_unit_test(loading_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
