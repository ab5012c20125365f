/* What bounds the store: the disk's reserve, retention by age and by size. */
#include "os/sim.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "quiet.h"

#define DAY_NS   (86400 * NS_PER_SEC)
#define START_NS (19700 * DAY_NS + DAY_NS / 2)

struct world {
    struct os_sim *sim;
    struct os *os;
    struct store_config config;
    struct store *store;
};

static void begin(struct world *w)
{
    *w = (struct world){.sim = os_sim_new(1)};
    w->os = os_sim_os(w->sim);
    os_sim_set_now(w->sim, START_NS);
    store_config_init(&w->config);
    w->config.dir = "data";
    w->config.background = false;
    w->config.shard_count = 1;
    w->config.retention_ns = INT64_MAX;
    w->config.disk_reserve_bytes = 0;
}

static void open_store(struct world *w)
{
    struct diag d;
    diag_init(&d);
    assert_int_equal(store_open(&w->config, w->os, NULL, &w->store, &d), 0);
}

static void end(struct world *w)
{
    store_close(w->store);
    os_sim_free(w->sim);
}

struct ack {
    int err;
    size_t accepted, too_old;
    char words[256];
};

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    struct ack *a = ctx;
    a->err = err;
    a->accepted = r->samples_accepted;
    a->too_old = r->refused[STORE_REFUSED_TOO_OLD];
    snprintf(a->words, sizeof(a->words), "%s", r->first_refusal.msg);
}

/* `count` samples, a second apart, from `ts` on. */
static struct ack append(struct world *w, int64_t ts, size_t count)
{
    struct ack ack = {.err = 1};
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    struct data_label labels[] = {{SLICE("__name__"), SLICE("m")}};
    uint32_t index = data_metric_batch_add_series(b, (struct data_labels){labels, 1});
    for (size_t i = 0; i < count; i++)
        data_metric_batch_add_sample(b, index, ts + (int64_t)i * NS_PER_SEC,
                                     (double)(i * i % 977) / 7);
    store_append_metrics(w->store, b, on_ack, &ack);
    data_metric_batch_free(b);
    store_sync(w->store);
    return ack;
}

/* Day of the oldest sample that can be read, INT64_MAX when there is none; *out_count samples. */
static int64_t oldest_day(struct world *w, size_t *out_count)
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
    int64_t day = INT64_MAX;
    *out_count = 0;
    assert_int_equal(src->ops->select(src, &req, &sel, NULL), 0);
    if (src->ops->selection_count(sel)) {
        assert_int_equal(src->ops->selection_read(sel, 0, INT64_MIN, INT64_MAX, &samples, NULL), 0);
        *out_count = samples.count;
        if (samples.count)
            day = samples.ts[0] / DAY_NS;
    }
    store_samples_free(&samples);
    src->ops->selection_free(sel);
    return day;
}

static void fill_days(struct world *w, int days)
{
    for (int i = days - 1; i >= 0; i--)
        assert_int_equal(append(w, START_NS - i * DAY_NS - 2000 * NS_PER_SEC, 2000).err, 0);
    assert_int_equal(store_maintain(w->store, true, NULL), 0);
}

static void old_days_go_by_age(void **state)
{
    (void)state;
    struct world w;
    size_t count;
    begin(&w);
    w.config.retention_ns = 3 * DAY_NS + DAY_NS / 2;
    open_store(&w);
    fill_days(&w, 4);
    assert_int_equal(oldest_day(&w, &count), START_NS / DAY_NS - 3);
    assert_int_equal(count, 8000);
    struct ack a = append(&w, START_NS - 4 * DAY_NS, 5);
    assert_int_equal(a.too_old, 5);
    assert_non_null(strstr(a.words, "retention.metrics"));
    for (int day = 1; day <= 5; day++) {
        os_sim_set_now(w.sim, START_NS + day * DAY_NS);
        assert_int_equal(store_maintain(w.store, false, NULL), 0);
        int64_t oldest = oldest_day(&w, &count);
        assert_true(oldest >= (START_NS + day * DAY_NS - w.config.retention_ns) / DAY_NS);
        assert_int_equal(count, day < 4 ? 2000 * (4 - day) : 0);
    }
    end(&w);
}

static void old_days_go_by_size(void **state)
{
    (void)state;
    struct world w;
    struct store_source_stats stats;
    size_t count;
    begin(&w);
    open_store(&w);
    fill_days(&w, 6);
    store_metrics(w.store)->ops->stats(store_metrics(w.store), &stats);
    assert_int_equal(stats.parts, 6);
    store_close(w.store);
    /* Room for two days and a half: two stay. The last day stays, however small the limit. */
    const int64_t limits[] = {(int64_t)(stats.disk_bytes - stats.wal_bytes) * 5 / 12, 1};
    const size_t left[] = {2, 1};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        w.config.retention_bytes = limits[i];
        open_store(&w);
        assert_int_equal(store_maintain(w.store, true, NULL), 0);
        assert_int_equal(oldest_day(&w, &count), START_NS / DAY_NS - (int64_t)left[i] + 1);
        assert_int_equal(count, left[i] * 2000);
        store_close(w.store);
    }
    open_store(&w);
    end(&w);
}

static void set_filler(struct world *w, uint64_t bytes)
{
    struct os_file *f;
    assert_int_equal(
        w->os->ops->open(w->os, "filler", OS_READ | OS_WRITE | OS_CREATE | OS_TRUNC, &f, NULL), 0);
    assert_int_equal(w->os->ops->truncate(f, bytes, NULL), 0);
    w->os->ops->close(f);
}

static void the_reserve_is_kept(void **state)
{
    (void)state;
    struct world w;
    struct diag d;
    size_t count;
    begin(&w);
    os_sim_set_capacity(w.sim, 2 << 20);
    w.config.disk_reserve_bytes = 400 << 10;
    open_store(&w);
    assert_int_equal(append(&w, START_NS - 2000 * NS_PER_SEC, 2000).err, 0);
    set_filler(&w, (2 << 20) - (350 << 10));
    struct ack a = append(&w, START_NS - DAY_NS, 10);
    assert_int_equal(a.err, ERR_NOSPACE);
    assert_int_equal(a.accepted, 0);
    assert_non_null(strstr(a.words, "store.disk_reserve"));
    diag_init(&d);
    assert_int_equal(store_health(w.store, &d), ERR_NOSPACE);
    (void)oldest_day(&w, &count);
    assert_int_equal(count, 2000); /* reads go on */
    /* The reserve is there for this: what is in memory gets into a part. */
    assert_int_equal(store_maintain(w.store, true, NULL), 0);
    (void)oldest_day(&w, &count);
    assert_int_equal(count, 2000);
    /* A little above the reserve is not enough to begin again, well above is. */
    set_filler(&w, (2 << 20) - (470 << 10));
    assert_int_equal(append(&w, START_NS - DAY_NS, 10).err, ERR_NOSPACE);
    set_filler(&w, (2 << 20) - (600 << 10));
    assert_int_equal(append(&w, START_NS - DAY_NS, 10).err, 0);
    assert_int_equal(store_health(w.store, NULL), 0);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_days_go_by_age),
        cmocka_unit_test(old_days_go_by_size),
        cmocka_unit_test(the_reserve_is_kept),
    };
    log_set_writer(drop_line, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
