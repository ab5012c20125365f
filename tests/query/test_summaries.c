/* Answers out of summaries of blocks against those of the samples themselves, bit for bit: long
 * windows over parts of several days with resets at their borders, values that cannot be summed up
 * exactly, markers, NaN and infinities, late and repeated samples, deletions, and a head behind. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../random.h"
#include "answers.h"
#include "base/mem.h"
#include "codec/bytes.h"
#include "lang/promql/promql.h"
#include "os/pool.h"
#include "os/sim.h"
#include "query/grid.h"
#include "store/store.h"
#include "store/summary.h"

#define DAY_NS   (86400 * NS_PER_SEC)
#define START_NS (19700 * DAY_NS)
#define SERIES   24
#define ROUNDS   6
#define ASKED    60

static double unit(void)
{
    return (double)(rnd() >> 11) / 9007199254740992.0;
}

enum shape {
    CONSTANT,
    INTEGERS,
    NEGATIVE,
    DECIMALS,
    NOISE,
    COUNTER,
    RESTARTS, /* a counter that begins anew every few thousand samples */
    HUGE_ONES,
    DECIMAL_COUNTER,
    SPARSE,
    ODD, /* now and then */
    SHAPES
};

static double next_value(enum shape shape, double before)
{
    static const double odd[] = {NAN, INFINITY, -INFINITY, -0.0};
    switch (shape) {
    case CONSTANT: return 3;
    case INTEGERS: return floor(unit() * 1000) * 4096;
    case NEGATIVE: return floor(unit() * 1000) - 700;
    case DECIMALS: return floor(unit() * 10000) / 100;
    case NOISE: return unit() - 0.5;
    case COUNTER: return before + (double)(rnd() % 100);
    case RESTARTS: return rnd() % 700 == 0 ? (double)(rnd() % 3) : before + (double)(rnd() % 5);
    case HUGE_ONES: return floor(unit() * 1e15) - (double)(rnd() % 2) * 1e15;
    case DECIMAL_COUNTER:
        return rnd() % 900 == 0 ? 0.25 : floor(before * 100 + (double)(rnd() % 900) + 0.5) / 100;
    case SPARSE: return rnd() % 200 ? before : before + 1;
    default: return rnd() % 500 ? floor(unit() * 50) : odd[rnd() % ARRAY_LEN(odd)];
    }
}

static struct data_labels labels_of(int i, char text[2][16])
{
    static const char *const names[] = {"a_total", "b", "c_bucket"};
    static struct data_label labels[3];
    snprintf(text[0], 16, "%d", i);
    snprintf(text[1], 16, "t%d", i % 4);
    labels[0] = (struct data_label){SLICE("__name__"), slice_cstr(names[i % 3])};
    labels[1] = (struct data_label){SLICE("n"), slice_cstr(text[0])};
    labels[2] = (struct data_label){SLICE("t"), slice_cstr(text[1])};
    return (struct data_labels){labels, 3};
}

struct world {
    struct os_sim *sim;
    struct store *store;
    double value[SERIES];
    enum shape shape[SERIES];
    int64_t now_ns, step_ns;
};

/* One scrape after the other; some series are not there for a while, some end with a marker. */
static void scrape(struct world *w, int rounds, bool late)
{
    for (int at = 0; at < rounds;) {
        struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
        uint32_t ref[SERIES];
        for (int i = 0; i < SERIES; i++) {
            char text[2][16];
            ref[i] = data_metric_batch_add_series(b, labels_of(i, text));
        }
        for (int k = 0; k < 200 && at < rounds; k++, at++) {
            w->now_ns += w->step_ns;
            int64_t jitter = rnd() % 2 ? (int64_t)(rnd() % 3000) * NS_PER_MS : 0;
            for (int i = 0; i < SERIES; i++) {
                double v = w->value[i] = next_value(w->shape[i], w->value[i]);
                int64_t ts = w->now_ns + (i % 4 == 1 ? jitter : 0);
                if (isnan(v) || isinf(v))
                    w->value[i] = 1;
                if (i % 6 == 5 && at / 50 % 9 == 3) /* a gap, told by a marker as a rule */
                    v = at % 50 == 0 ? data_stale_nan() : NAN;
                if (i % 6 == 5 && at / 50 % 9 == 3 && at % 50)
                    continue;
                if (late && rnd() % 3000 == 0)
                    ts -= (int64_t)(rnd() % 86400) * NS_PER_SEC / 3 * (rnd() % 2 ? 1 : 3);
                data_metric_batch_add_sample(b, ref[i], ts, v);
            }
        }
        store_append_metrics(w->store, b, NULL, NULL);
        data_metric_batch_free(b);
        assert_int_equal(store_sync(w->store), 0);
        if (rnd() % 3 == 0)
            assert_int_equal(store_maintain(w->store, true, NULL), 0);
    }
}

static void world_open(struct world *w)
{
    struct store_config config;
    struct diag diag;
    diag_init(&diag);
    store_config_init(&config);
    config.dir = "data";
    config.background = false;
    config.retention_ns = INT64_MAX;
    config.future_ns = INT64_MAX;
    config.shard_count = 2;
    if (store_open(&config, os_sim_os(w->sim), NULL, &w->store, &diag))
        fail_msg("%s", diag.msg);
}

static const char *const functions[] = {
    "rate",          "increase",        "delta",          "irate",           "idelta",
    "changes",       "resets",          "sum_over_time",  "avg_over_time",   "min_over_time",
    "max_over_time", "count_over_time", "last_over_time", "first_over_time", "present_over_time",
    "rate",          "increase",        "sum_over_time",  "avg_over_time",   "stddev_over_time"};
static const char *const selectors[] = {"a_total", "b", "c_bucket", "{t=~\"t[012]\"}",
                                        "a_total{n!=\"3\"}"};
static const char *const modifiers[] = {"", "", "", " offset 7h", " @ 1702166400", " offset -5h"};

#define ANY(list) list[rnd() % ARRAY_LEN(list)]

static void ask(char *out, size_t size)
{
    static const int ranges[] = {300, 3600, 6 * 3600, 86400, 2 * 86400, 86400 + 7, 4 * 86400};
    const char *f = ANY(functions);
    char inner[256];
    snprintf(inner, sizeof(inner), "%s(%s[%ds]%s)", f, ANY(selectors), ANY(ranges), ANY(modifiers));
    switch (rnd() % 8) {
    case 0: snprintf(out, size, "sum by (t) (%s)", inner); break;
    case 1: snprintf(out, size, "max(%s)", inner); break;
    case 2: snprintf(out, size, "%s", ANY(selectors)); break;
    case 3: snprintf(out, size, "avg_over_time(sum by (t) (%s)[1d:9h])", inner); break;
    default: snprintf(out, size, "%s", inner); break;
    }
}

static size_t points;

static void compare_many(struct world *w, struct task_pool *pool)
{
    struct store_source *source = store_metrics(w->store);
    for (int i = 0; i < ASKED; i++) {
        static const int64_t by[] = {7, 600, 3600, 6 * 3600, 86400};
        char text[600];
        struct query_steps steps = {.step_ns = ANY(by) * NS_PER_SEC};
        steps.start_ns = w->now_ns - (int64_t)(rnd() % (5 * 86400)) * NS_PER_SEC +
                         (rnd() % 2 ? (int64_t)(rnd() % NS_PER_SEC) : 0);
        steps.end_ns = steps.start_ns + (rnd() % 3 ? (int64_t)(rnd() % 12) * steps.step_ns : 0);
        ask(text, sizeof(text));
        points += answer_three_ways(text, &steps, source, pool, 0);
    }
}

static void answers_are_those_of_the_samples(void **state)
{
    (void)state;
    struct task_pool *pool = os_pool_new(3);
    for (int round = 0; round < ROUNDS; round++) {
        struct world w = {.sim = os_sim_new(1000 + (uint64_t)round),
                          .now_ns = START_NS + (int64_t)(rnd() % 86400) * NS_PER_SEC,
                          .step_ns = 30 * (1 + (int64_t)(rnd() % 2)) * NS_PER_SEC};
        for (int i = 0; i < SERIES; i++)
            w.shape[i] = (enum shape)((i + (int)(rnd() % 2)) % SHAPES);
        world_open(&w);
        bool late = round % 2;
        scrape(&w, 5000, late);
        assert_int_equal(store_maintain(w.store, true, NULL), 0);
        compare_many(&w, pool);
        scrape(&w, 500, late);
        if (round % 3 == 2) {
            const struct store_matcher m = {
                .op = STORE_MATCH_EQ, .name = SLICE("t"), .value = SLICE("t1")};
            const struct store_select_req req = {.tenant = SLICE("default"),
                                                 .matchers = &m,
                                                 .matcher_count = 1,
                                                 .t_min_ns = w.now_ns - 2 * DAY_NS,
                                                 .t_max_ns = w.now_ns - 2 * DAY_NS / 3};
            assert_int_equal(store_delete_metrics(w.store, &req, NULL), 0);
        }
        compare_many(&w, pool);
        store_close(w.store);
        os_sim_free(w.sim);
    }
    os_pool_free(pool);
    assert_true(points > 10000);
}

/* What a window that covers it asks of a block is answered without reading it. */
static void long_windows_read_few_samples(void **state)
{
    (void)state;
    struct world w = {.sim = os_sim_new(5), .now_ns = START_NS, .step_ns = 30 * NS_PER_SEC};
    for (int i = 0; i < SERIES; i++)
        w.shape[i] = i % 2 ? COUNTER : INTEGERS;
    world_open(&w);
    scrape(&w, 3 * 2880, false);
    bool did = true;
    while (did) {
        size_t before, after;
        struct arena *arena = arena_new(0, NULL);
        struct store_part_view *views;
        before = store_parts(w.store, arena, &views);
        assert_int_equal(store_maintain(w.store, true, NULL), 0);
        after = store_parts(w.store, arena, &views);
        did = after < before;
        arena_free(arena);
    }
    struct store_source *source = store_metrics(w.store);
    struct store_selection *sel;
    const struct store_matcher m = {.op = STORE_MATCH_EQ, .name = SLICE("t"), .value = SLICE("t0")};
    const struct store_windows windows = {
        .first_ns = w.now_ns, .step_ns = 1, .range_ns = w.now_ns - START_NS, .count = 1};
    const struct store_select_req req = {.tenant = SLICE("default"),
                                         .matchers = &m,
                                         .matcher_count = 1,
                                         .t_min_ns = START_NS,
                                         .t_max_ns = w.now_ns};
    struct store_samples samples = {
        .share_times = true, .windows = &windows, .wants = STORE_KNOWS_ENDS};
    assert_int_equal(source->ops->select(source, &req, &sel, NULL), 0);
    assert_int_equal(source->ops->selection_count(sel), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(source->ops->selection_read(sel, i, START_NS, w.now_ns, &samples, NULL),
                         0);
        assert_non_null(samples.place);
        assert_true(samples.summary_count > 0);
        assert_int_equal(samples.place[samples.count - 1] - samples.place[0] + 1, 3 * 2880);
        assert_true(samples.count < 1000);
    }
    store_samples_free(&samples);
    source->ops->selection_free(sel);
    store_close(w.store);
    os_sim_free(w.sim);
}

/* --- summaries by themselves --- */

static void check_summary(const double *v, size_t count, const struct store_summary *s)
{
    double min = v[0], max = v[0];
    struct data_kahan sum = {0};
    uint32_t changes = 0, drops = 0;
    bool ordinary = true, integers = true;
    for (size_t i = 0; i < count; i++) {
        ordinary = ordinary && isfinite(v[i]) && !(v[i] == 0 && signbit(v[i]));
        integers = integers && v[i] == trunc(v[i]);
        min = fmin(min, v[i]);
        max = fmax(max, v[i]);
        data_kahan_add(&sum, v[i]);
        if (i && v[i] < v[i - 1]) {
            if (s->knows & STORE_KNOWS_RESETS)
                assert_true(same_value(s->before[drops], v[i - 1]));
            drops++;
        }
        changes += i && v[i] != v[i - 1];
    }
    assert_int_equal(!!s->knows, ordinary);
    if (!ordinary)
        return;
    assert_int_equal(s->count, count);
    assert_true(same_value(s->first, v[0]) && same_value(s->last, v[count - 1]));
    assert_true(same_value(s->min, min) && same_value(s->max, max));
    assert_int_equal(s->changes, changes);
    assert_int_equal(s->drops, drops);
    assert_int_equal(!!(s->knows & STORE_KNOWS_INTEGERS), integers);
    assert_int_equal(!!(s->knows & STORE_KNOWS_RESETS), drops <= STORE_SUMMARY_DROPS);
    if (s->knows & STORE_KNOWS_SUM) {
        assert_true(integers);
        assert_true(same_value(s->sum, sum.sum) && sum.c == 0);
    }
}

static void summaries_come_back(void **state)
{
    (void)state;
    enum { MOST = 300, BLOCKS = 9 };
    static double v[BLOCKS][MOST];
    for (int round = 0; round < 3000; round++) {
        struct store_summary_chain chain = {0};
        struct buf bytes = {0};
        size_t count[BLOCKS];
        for (size_t b = 0; b < BLOCKS; b++) {
            enum shape shape = (enum shape)(rnd() % SHAPES);
            double at = rnd() % 2 ? 0 : floor(unit() * 1e6) / 8;
            struct store_summary s = {0};
            count[b] = 1 + rnd() % MOST;
            for (size_t i = 0; i < count[b]; i++) {
                at = next_value(shape, at);
                v[b][i] = at;
                if (!isfinite(at))
                    at = 1;
            }
            store_summary_make(v[b], count[b], &s);
            check_summary(v[b], count[b], &s);
            store_summary_encode(&chain, &s, &bytes);
        }
        struct slice in = buf_slice(&bytes);
        chain = (struct store_summary_chain){0};
        for (size_t b = 0; b < BLOCKS; b++) {
            struct store_summary s;
            assert_int_equal(store_summary_decode(&chain, &in, (uint32_t)count[b], &s), 0);
            check_summary(v[b], count[b], &s);
        }
        assert_int_equal(in.len, 0);
        /* Cut short anywhere it is damage, not a crash. */
        chain = (struct store_summary_chain){0};
        in = slice_first(buf_slice(&bytes), bytes.len - 1);
        int err = 0;
        for (size_t b = 0; b < BLOCKS && !err; b++) {
            struct store_summary s;
            err = store_summary_decode(&chain, &in, (uint32_t)count[b], &s);
        }
        assert_int_equal(err, ERR_CORRUPT);
        buf_deinit(&bytes);
    }
}

static void sums_are_told_where_they_are_exact(void **state)
{
    (void)state;
    double v[200];
    struct store_summary s = {0};
    for (size_t i = 0; i < 200; i++)
        v[i] = (double)((i * 7919) % 1000);
    store_summary_make(v, 200, &s);
    assert_true(s.knows & STORE_KNOWS_SUM);
    v[3] = 9e15; /* two hundred of these would be rounded */
    store_summary_make(v, 200, &s);
    assert_false(s.knows & STORE_KNOWS_SUM);
    v[3] = 0.5;
    store_summary_make(v, 200, &s);
    assert_false(s.knows & STORE_KNOWS_SUM);
    v[3] = data_stale_nan();
    store_summary_make(v, 200, &s);
    assert_int_equal(s.knows, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(summaries_come_back),
        cmocka_unit_test(sums_are_told_where_they_are_exact),
        cmocka_unit_test(long_windows_read_few_samples),
        cmocka_unit_test(answers_are_those_of_the_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
