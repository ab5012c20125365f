/* Kept answers against answers computed anew, bit for bit, while samples come in, late ones among
 * them, and go; over a real store on a simulated disk. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "../random.h"
#include "answers.h"
#include "base/counter.h"
#include "base/mem.h"
#include "lang/promql/promql.h"
#include "os/sim.h"
#include "query/cache.h"
#include "store/store.h"

#define T0     (INT64_C(1700000000) * NS_PER_SEC)
#define ROUNDS 300
#define SERIES 12

static const struct promql_options options = {.experimental = true};

static int plan(void *ctx, const struct query_steps *steps, struct arena *arena,
                struct query_plan **out, struct diag *diag)
{
    const struct answer *a = ctx;
    return promql_plan(a->expr, steps, &options, arena, out, diag);
}

static void ask(struct query_cache *cache, struct store *s, const char *text,
                const struct query_steps *steps, struct answer *a)
{
    const struct query_env env = {.source = store_metrics(s), .tenant = SLICE("default")};
    if (!cache) {
        answer_ask(a, text, steps, &env);
        return;
    }
    answer_parse(a, text);
    const struct query_cached q = {.key = slice_cstr(text), .plan = plan, .ctx = a};
    a->err = query_cache_run(cache, &q, steps, &env, a->arena, &a->result, &a->diag);
}

/* What comes in during a round: samples of some series at `now` and a little before, and now and
 * then something old. */
static void append(struct store *s, int64_t now)
{
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    for (int i = 0; i < SERIES; i++) {
        char text[8];
        if (rnd() % 10 == 0)
            continue;
        snprintf(text, sizeof(text), "%d", i % 4);
        struct data_label l[] = {{SLICE("__name__"), i < 8 ? SLICE("m_total") : SLICE("g")},
                                 {SLICE("n"), slice_cstr(text)},
                                 {SLICE("t"), i < 4 ? SLICE("a") : SLICE("b")}};
        uint32_t series = data_metric_batch_add_series(b, (struct data_labels){l, 3});
        int64_t ts = now - (int64_t)(rnd() % 8) * NS_PER_SEC;
        double v = rnd() % 20 ? (double)(rnd() % 1000) / 10 : data_stale_nan();
        data_metric_batch_add_sample(b, series, ts, v);
        if (rnd() % 400 == 0)
            data_metric_batch_add_sample(b, series, now - (int64_t)(rnd() % 2000) * NS_PER_SEC, v);
    }
    store_append_metrics(s, b, NULL, NULL);
    store_sync(s);
    data_metric_batch_free(b);
}

static void delete_some(struct store *s, int64_t now)
{
    const struct store_matcher m = {STORE_MATCH_EQ, SLICE("n"), SLICE("2"), NULL};
    const struct store_select_req req = {.tenant = SLICE("default"),
                                         .t_min_ns = now - (int64_t)(rnd() % 1000) * NS_PER_SEC,
                                         .t_max_ns = now - 100 * NS_PER_SEC,
                                         .matchers = &m,
                                         .matcher_count = 1};
    assert_int_equal(store_delete_metrics(s, &req, NULL), 0);
}

static void count_kept(const struct counter *c, void *ctx)
{
    int64_t *steps = ctx;
    if (slice_eq_cstr(slice_cstr(c->name), "pharos_query_cache_steps_total"))
        steps[slice_eq_cstr(slice_cstr(c->labels), "from=\"cache\"")] += counter_get(c);
}

static void kept_is_computed(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "rate(m_total[1m])",
        "sum by (t) (rate(m_total[2m]))",
        "topk(1, g)",
        "max_over_time(sum(rate(m_total[1m]))[5m:30s])",
        "m_total offset -1m",
        "absent(g{n=\"2\"})",
        "increase(m_total[1m] smoothed)",
        "time() - timestamp(g)",
        "g @ end()",
        "g + end()",
        "rate(m_total[range()])",
        "rate(g[1m])", /* with an annotation */
        "count by (n) ({__name__=~\".+\"})",
    };
    struct os_sim *sim = os_sim_new(1);
    struct store_config config;
    struct store *s;
    struct diag d;
    size_t most = 0;
    diag_init(&d);
    os_sim_set_now(sim, T0);
    store_config_init(&config);
    config.dir = "data";
    config.background = false;
    config.shard_count = 2;
    config.retention_ns = INT64_MAX;
    config.disk_reserve_bytes = 0;
    if (store_open(&config, os_sim_os(sim), NULL, &s, &d))
        fail_msg("%s", d.msg);
    struct query_cache *cache = query_cache_new(1 << 20);
    for (int64_t round = 0; round < ROUNDS; round++) {
        int64_t now = T0 + round * 10 * NS_PER_SEC;
        os_sim_set_now(sim, now);
        append(s, now);
        if (rnd() % 40 == 0)
            store_maintain(s, true, NULL);
        if (rnd() % 60 == 0)
            delete_some(s, now);
        for (int i = 0; i < 6; i++) {
            const char *text = queries[rnd() % ARRAY_LEN(queries)];
            int64_t step = (rnd() % 2 ? 15 : 60) * NS_PER_SEC, back = (int64_t)(1 + rnd() % 3) * 20;
            int64_t end = (now + 60 * NS_PER_SEC * (int64_t)(rnd() % 5 == 0)) / step * step;
            struct query_steps steps = {end - back * step, end, step, false};
            struct answer want, got;
            ask(NULL, s, text, &steps, &want);
            ask(cache, s, text, &steps, &got);
            answer_compare(&want, &got, ANSWER_NAN_BITS);
            answer_free(&want);
            answer_free(&got);
        }
        most = MAX(most, query_cache_bytes(cache));
        if (round == ROUNDS / 2) {
            query_cache_resize(cache, 0);
            assert_int_equal(query_cache_bytes(cache), 0);
            query_cache_resize(cache, 400 << 10);
            most = 0;
        }
    }
    assert_in_range(most, 1, 400 << 10);
    int64_t steps[2] = {0};
    counter_each(count_kept, steps);
    assert_true(steps[1] > 10000);
    assert_true(steps[0] > 1000);
    query_cache_free(cache);
    store_close(s);
    os_sim_free(sim);
}

/* What the source says of its changes covers what was done, as far back as it says anything. */
static void changes_are_told(void **state)
{
    (void)state;
    enum { MANY = 9000 };
    struct os_sim *sim = os_sim_new(1);
    struct store_config config;
    struct store *s;
    static int64_t at[MANY];
    os_sim_set_now(sim, T0);
    store_config_init(&config);
    config.dir = "data";
    config.background = false;
    config.retention_ns = INT64_MAX;
    config.future_ns = INT64_MAX / 2;
    config.disk_reserve_bytes = 0;
    assert_int_equal(store_open(&config, os_sim_os(sim), NULL, &s, NULL), 0);
    struct store_source *src = store_metrics(s);
    uint64_t begin = src->ops->changes(src);
    assert_int_equal(src->ops->changed_from(src, begin), INT64_MAX);
    size_t told = 0;
    for (int i = 0; i < MANY; i++) {
        struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
        struct data_label l[] = {{SLICE("__name__"), SLICE("m")}};
        at[i] = T0 + (int64_t)i * 6 * NS_PER_SEC -
                (rnd() % 1000 ? 0 : (int64_t)(rnd() % 3000) * NS_PER_SEC);
        uint32_t series = data_metric_batch_add_series(b, (struct data_labels){l, 1});
        data_metric_batch_add_sample(b, series, at[i], i);
        store_append_metrics(s, b, NULL, NULL);
        data_metric_batch_free(b);
        int since = (int)(rnd() % (uint64_t)(i + 1));
        if (rnd() % 2)
            since = MAX(i - since % 100, 0);
        int64_t first = INT64_MAX, says = src->ops->changed_from(src, begin + (uint64_t)since);
        for (int k = since; k <= i; k++)
            first = MIN(first, at[k]);
        assert_true(says <= first);
        if (says != INT64_MIN) {
            told++;
            assert_true(says > first - 10 * NS_PER_SEC);
        } else {
            assert_true(i - since > 1000);
        }
    }
    assert_in_range(told, MANY / 2, MANY - 1);
    store_sync(s);
    assert_int_equal(src->ops->changed_from(src, src->ops->changes(src)), INT64_MAX);
    store_close(s);
    os_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kept_is_computed),
                                       cmocka_unit_test(changes_are_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
