/* What goes with samples: exemplars and start timestamps, from the way in to the way out, over
 * flushes, merges, crashes and deletion. And formats of other versions. */
#include "os/sim.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define T0 (1700000000 * NS_PER_SEC)

struct world {
    struct os_sim *sim;
    struct store *store;
    size_t exemplars_max;
    struct store_append_result last;
    int last_err;
};

static int try_open(struct world *w, struct diag *d)
{
    struct store_config config;
    diag_init(d);
    store_config_init(&config);
    config.background = false;
    config.shard_count = 1;
    config.retention_ns = INT64_MAX;
    config.disk_reserve_bytes = 0;
    if (w->exemplars_max)
        config.exemplars_max = w->exemplars_max;
    return store_open(&config, os_sim_os(w->sim), NULL, &w->store, d);
}

static void open_it(struct world *w)
{
    struct diag d;
    if (try_open(w, &d))
        fail_msg("%s", d.msg);
}

static void begin(struct world *w)
{
    w->sim = os_sim_new(1);
    os_sim_set_now(w->sim, T0);
    open_it(w);
}

static void end(struct world *w)
{
    store_close(w->store);
    os_sim_free(w->sim);
}

static void crash(struct world *w)
{
    os_sim_power_off(w->sim);
    store_close(w->store);
    os_sim_restart(w->sim);
    open_it(w);
}

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    struct world *w = ctx;
    w->last = *r;
    w->last_err = err;
}

static uint32_t add_series(struct data_metric_batch *b, const char *name)
{
    struct data_label l = {SLICE("__name__"), slice_cstr(name)};
    return data_metric_batch_add_series(b, (struct data_labels){&l, 1});
}

static void add_exemplar(struct data_metric_batch *b, uint32_t series, int64_t ts, int number)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", number);
    struct data_label l = {SLICE("trace_id"), slice_cstr(text)};
    data_metric_batch_add_exemplar(b, series, ts, number, (struct data_labels){&l, 1});
}

static void send(struct world *w, struct data_metric_batch *b)
{
    w->last_err = -1;
    store_append_metrics(w->store, b, on_ack, w);
    store_sync(w->store);
    assert_int_equal(w->last_err, 0);
    data_metric_batch_free(b);
}

static void put(struct world *w, const char *name, int64_t ts, int number)
{
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    uint32_t series = add_series(b, name);
    data_metric_batch_add_sample(b, series, ts, number);
    add_exemplar(b, series, ts, number);
    send(w, b);
}

/* Numbers of the exemplars of one metric in a range, as a decimal row. */
static const char *list(struct world *w, const char *name, int64_t t_min, int64_t t_max)
{
    static char out[512];
    struct store_source *src = store_metrics(w->store);
    struct store_matcher m = {
        .op = STORE_MATCH_EQ, .name = SLICE("__name__"), .value = slice_cstr(name)};
    struct store_select_req req = {.tenant = SLICE("default"),
                                   .t_min_ns = t_min,
                                   .t_max_ns = t_max,
                                   .matchers = &m,
                                   .matcher_count = 1};
    struct arena *arena = arena_new(0, NULL);
    struct store_exemplar *found;
    size_t count;
    struct diag d;
    diag_init(&d);
    out[0] = '\0';
    assert_int_equal(src->ops->exemplars(src, &req, arena, &found, &count, &d), 0);
    for (size_t i = 0; i < count && strlen(out) < 400; i++) {
        struct slice id = data_labels_get(found[i].labels, SLICE("trace_id"));
        assert_true(slice_eq_cstr(data_labels_get(found[i].series, SLICE("__name__")), name));
        snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%.*s", i ? " " : "", (int)id.len,
                 id.ptr);
    }
    arena_free(arena);
    return out;
}

static void maintain(struct world *w)
{
    struct diag d;
    diag_init(&d);
    if (store_maintain(w->store, true, &d))
        fail_msg("%s", d.msg);
}

static void exemplars_stay(void **state)
{
    (void)state;
    struct world w = {0};
    begin(&w);
    for (int i = 0; i < 3; i++)
        put(&w, "m", T0 + i * NS_PER_SEC, i);
    put(&w, "other", T0, 9);
    assert_int_equal(w.last.exemplars_accepted, 1);
    assert_string_equal(list(&w, "m", INT64_MIN, INT64_MAX), "0 1 2");
    crash(&w);
    assert_string_equal(list(&w, "m", INT64_MIN, INT64_MAX), "0 1 2");
    maintain(&w);
    assert_string_equal(list(&w, "m", INT64_MIN, INT64_MAX), "0 1 2");
    /* Five flushes make a merge. */
    for (int i = 3; i < 8; i++) {
        put(&w, "m", T0 + i * NS_PER_SEC, i);
        maintain(&w);
    }
    struct store_source_stats stats;
    store_metrics(w.store)->ops->stats(store_metrics(w.store), &stats);
    assert_true(stats.parts < 5);
    crash(&w);
    assert_string_equal(list(&w, "m", INT64_MIN, INT64_MAX), "0 1 2 3 4 5 6 7");
    assert_string_equal(list(&w, "m", T0 + 2 * NS_PER_SEC, T0 + 4 * NS_PER_SEC), "2 3 4");
    assert_string_equal(list(&w, "other", INT64_MIN, INT64_MAX), "9");
    struct store_matcher m = {.op = STORE_MATCH_EQ, .name = SLICE("__name__"), .value = SLICE("m")};
    struct store_select_req req = {.tenant = SLICE("default"),
                                   .t_min_ns = T0 + 3 * NS_PER_SEC,
                                   .t_max_ns = INT64_MAX,
                                   .matchers = &m,
                                   .matcher_count = 1};
    assert_int_equal(store_delete_metrics(w.store, &req, NULL), 0);
    assert_string_equal(list(&w, "m", INT64_MIN, INT64_MAX), "0 1 2");
    assert_string_equal(list(&w, "other", INT64_MIN, INT64_MAX), "9");
    end(&w);
}

/* A target shows its latest exemplar with every scrape. */
static void repetitions_are_one(void **state)
{
    (void)state;
    struct world w = {0};
    begin(&w);
    for (int i = 0; i < 5; i++) {
        struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
        uint32_t series = add_series(b, "m");
        data_metric_batch_add_sample(b, series, T0 + i * NS_PER_SEC, i);
        add_exemplar(b, series, 0, 7); /* no time of its own */
        send(&w, b);
        assert_int_equal(w.last.exemplars_accepted, 1);
        if (i == 2)
            crash(&w);
    }
    assert_string_equal(list(&w, "m", INT64_MIN, INT64_MAX), "7");
    assert_string_equal(list(&w, "m", T0, T0), "7"); /* as old as the sample it came with */
    end(&w);
}

static void too_many_give_way(void **state)
{
    (void)state;
    struct world w = {.exemplars_max = 8};
    begin(&w);
    for (int i = 0; i < 20; i++)
        put(&w, "m", T0 + i * NS_PER_SEC, i);
    const char *found = list(&w, "m", INT64_MIN, INT64_MAX);
    size_t count = 1;
    for (const char *p = found; *p; p++)
        count += *p == ' ';
    assert_in_range(count, 5, 8);
    assert_string_equal(found + strlen(found) - 5, "18 19");
    /* One without a series, and one from the far future, fail nothing. */
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    add_exemplar(b, add_series(b, "nowhere"), T0, 1);
    add_exemplar(b, add_series(b, "m"), T0 + 86400 * NS_PER_SEC, 1);
    send(&w, b);
    assert_int_equal(w.last.exemplars_accepted, 0);
    assert_int_equal(w.last.first_refusal.code, 0);
    end(&w);
}

static void check_starts(struct world *w)
{
    struct store_source *src = store_metrics(w->store);
    struct store_matcher m = {
        .op = STORE_MATCH_RE, .name = SLICE("__name__"), .value = SLICE(".*")};
    struct store_select_req req = {
        .tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX, .matchers = &m};
    struct store_selection *sel;
    struct store_samples s = {0};
    struct diag d;
    diag_init(&d);
    assert_int_equal(src->ops->select(src, &req, &sel, &d), 0);
    assert_int_equal(src->ops->selection_count(sel), 2);
    for (size_t i = 0; i < 2; i++) {
        bool with = slice_eq_cstr(
            data_labels_get(src->ops->selection_labels(sel, i), SLICE("__name__")), "with");
        assert_int_equal(src->ops->selection_read(sel, i, T0 + 100 * NS_PER_SEC, INT64_MAX, &s, &d),
                         0);
        assert_int_equal(s.count, 1900);
        for (size_t k = 0; k < s.count; k++) {
            int64_t n = (s.ts[k] - T0) / NS_PER_SEC;
            if (with)
                assert_int_equal(s.start[k], n % 5 ? T0 + n / 500 * NS_PER_MS : 0);
            else
                assert_null(s.start);
        }
    }
    store_samples_free(&s);
    src->ops->selection_free(sel);
}

static void starts_stay(void **state)
{
    (void)state;
    struct world w = {0};
    begin(&w);
    os_sim_set_now(w.sim, T0 + 2000 * NS_PER_SEC);
    for (int from = 0; from < 2000; from += 100) {
        struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
        uint32_t with = add_series(b, "with"), without = add_series(b, "without");
        for (int64_t i = from; i < from + 100; i++) {
            data_metric_batch_add_sample(b, with, T0 + i * NS_PER_SEC, (double)i);
            if (i % 5)
                data_metric_batch_set_start(b, T0 + i / 500 * NS_PER_MS);
            data_metric_batch_add_sample(b, without, T0 + i * NS_PER_SEC, (double)i);
        }
        send(&w, b);
        if (from == 500)
            maintain(&w);
    }
    check_starts(&w);
    crash(&w);
    check_starts(&w);
    maintain(&w);
    check_starts(&w);
    crash(&w);
    check_starts(&w);
    end(&w);
}

static char part[64];

static void on_file(const char *name, void *ctx)
{
    (void)ctx;
    snprintf(part, sizeof(part), "data/parts/%s", name);
}

static void other_versions_are_refused(void **state)
{
    (void)state;
    struct world w = {0};
    struct diag d;
    struct os_stat st;
    begin(&w);
    put(&w, "m", T0, 1);
    maintain(&w);
    store_close(w.store);
    struct os *os = os_sim_os(w.sim);
    assert_int_equal(os->ops->list(os, "data/parts", on_file, NULL, NULL), 0);
    assert_int_equal(os->ops->stat(os, part, &st, NULL), 0);
    /* 2 ^ 3 = 1 at both ends */
    for (int bit = 0; bit < 2; bit++) {
        assert_true(os_sim_flip(w.sim, part, 6, (unsigned)bit));
        assert_true(os_sim_flip(w.sim, part, (uint64_t)st.size - 2, (unsigned)bit));
    }
    assert_int_equal(try_open(&w, &d), ERR_UNSUPPORTED);
    assert_non_null(strstr(d.msg, "format version 1, this program reads version 2"));
    os_sim_free(w.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exemplars_stay),
        cmocka_unit_test(repetitions_are_one),
        cmocka_unit_test(too_many_give_way),
        cmocka_unit_test(starts_stay),
        cmocka_unit_test(other_versions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
