/* Which rules of a group may run beside each other, and that it makes no difference. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "alert/group.h"
#include "base/log.h"
#include "base/mem.h"
#include "lang/promql/series_notation.h"
#include "os/pool.h"
#include "store/memory.h"

static struct alert_rules *load(const char *text, const struct alert_language *language)
{
    char path[] = "/tmp/test-order-XXXXXX";
    struct alert_rules_options options = {.language = language, .promql.experimental = true};
    struct alert_rules *rules = NULL;
    struct diag d;
    int fd = mkstemp(path);
    diag_init(&d);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    struct slice pattern = slice_cstr(path);
    if (alert_rules_load(&pattern, 1, NULL, &options, &rules, &d))
        fail_msg("%s", d.msg);
    unlink(path);
    return rules;
}

/* The batches as "0 2|1". */
static void expect_in(const struct alert_language *language, const char *rules, const char *want)
{
    struct buf text = {0}, got = {0};
    struct alert_order order;
    buf_printf(&text, "groups: [{name: g, rules: [%s]}]", rules);
    struct alert_rules *loaded = load(buf_cstr(&text), language);
    alert__order_init(&order, &loaded->groups[0]);
    for (size_t b = 0, i = 0; b < order.batch_count; b++) {
        buf_append_cstr(&got, b ? "|" : "");
        for (bool first = true; i < order.ends[b]; i++, first = false)
            buf_printf(&got, first ? "%u" : " %u", order.rules[i]);
    }
    if (strcmp(buf_cstr(&got), want) != 0)
        fail_msg("%s: %s, wanted %s", rules, buf_cstr(&got), want);
    alert__order_deinit(&order);
    alert_rules_free(loaded);
    buf_deinit(&got);
    buf_deinit(&text);
}

static void expect(const char *rules, const char *want)
{
    expect_in(&alert_promql, rules, want);
}

static void rules_that_share_nothing_are_one_batch(void **state)
{
    (void)state;
    expect("{record: a, expr: m}", "0");
    expect("{record: a, expr: m}, {record: b, expr: m * 2}, {alert: C, expr: 'n > 1'}", "0 1 2");
    expect_in(&alert_logql,
              "{record: a, expr: 'sum(rate({x=\"1\"}[1m]))'}, {record: b, expr: "
              "'sum(rate({x=\"1\"}[1m]))'}",
              "0 1");
}

static void a_rule_waits_for_what_it_reads(void **state)
{
    (void)state;
    expect("{record: a, expr: m}, {record: b, expr: 'rate(a[5m])'}, {record: c, expr: m}", "0 2|1");
    expect("{record: a, expr: m}, {record: b, expr: a}, {record: c, expr: b + a}, "
           "{alert: D, expr: c > 1}, {record: e, expr: a}",
           "0|1 4|2|3");
    expect("{record: a, expr: m}, {record: b, expr: '{__name__=\"a\"}'}", "0|1");
    expect("{record: a, expr: m}, {record: b, expr: '{\"a\"}'}", "0|1");
    expect("{record: a, expr: m}, {record: b, expr: 'sum(max_over_time(a[1h:1m]))'}", "0|1");
    expect("{record: 'job:a', expr: m}, {record: b, expr: '{__name__=~\"job:.*\"}'}", "0|1");
    expect("{record: 'job:a', expr: m}, {record: b, expr: '{__name__=~\"pod:.*\"}'}", "0 1");
    expect("{record: a, expr: m}, {record: b, expr: '{__name__!=\"a\",x=\"1\"}'}", "0 1");
    expect("{record: a, expr: m}, {record: b, expr: '{__name__!=\"c\",x=\"1\"}'}", "0|1");
    expect("{record: target_info, expr: m}, {record: b, expr: m}", "0 1");
    expect("{record: target_info, expr: m}, {record: b, expr: info(m)}", "0|1");
}

static void a_rule_waits_for_those_that_read_its_old_value(void **state)
{
    (void)state;
    expect("{record: b, expr: a}, {record: a, expr: m}", "0|1");
    expect("{record: b, expr: a + b}, {record: a, expr: m + b}", "0|1");
    expect("{record: a, expr: m + a}, {record: b, expr: m + b}", "0 1");
}

static void selectors_without_a_name_read_everything(void **state)
{
    (void)state;
    expect("{record: a, expr: m}, {record: b, expr: '{job=\"x\"}'}, {record: c, expr: m}, "
           "{record: d, expr: m}",
           "0|1|2 3");
    expect("{record: b, expr: '{job=\"x\"}'}, {record: c, expr: '{job=\"x\"}'}", "0|1");
}

static void alerts_are_read_by_their_series(void **state)
{
    (void)state;
    expect("{alert: A, expr: m}, {alert: B, expr: m}, {record: c, expr: 'count(ALERTS)'}, "
           "{alert: D, expr: m}",
           "0 1|2|3");
    expect("{alert: A, expr: m}, {record: c, expr: 'ALERTS_FOR_STATE'}", "0|1");
    expect("{alert: A, expr: m}, {record: c, expr: '{__name__=~\"ALERT.*\"}'}", "0|1");
    /* A query in a text is as one in the expression, and may ask anything. */
    expect("{record: a, expr: m}, {alert: B, expr: n, annotations: {x: '{{ query \"a\" }}'}}, "
           "{record: c, expr: m}",
           "0|1|2");
    expect("{record: a, expr: m}, {alert: B, expr: n, annotations: {x: 'query \"a\"'}}", "0 1");
}

static void what_may_write_one_series_keeps_its_order(void **state)
{
    (void)state;
    expect("{record: a, expr: m}, {record: a, expr: n}", "0|1");
    expect("{record: a, expr: m, labels: {x: '1'}}, {record: a, expr: n, labels: {x: '2'}}", "0 1");
    expect("{record: a, expr: m, labels: {x: '1'}}, {record: a, expr: n, labels: {y: '2'}}", "0|1");
    expect("{alert: A, expr: m, labels: {x: '1'}}, {alert: A, expr: n, labels: {x: '2'}}", "0 1");
    expect("{alert: A, expr: m, labels: {x: '{{ $value }}'}}, {alert: A, expr: n, labels: {x: "
           "'2'}}",
           "0|1");
}

/* --- both ways --- */

/* The store in memory is no one else's while it is asked or written to. */
static pthread_mutex_t memory_lock = PTHREAD_MUTEX_INITIALIZER;
static struct store_memory *memory;

static int locked_select(struct store_source *src, const struct store_select_req *req,
                         struct store_selection **out, struct diag *diag)
{
    struct store_source *inner = store_memory_face(memory);
    (void)src;
    pthread_mutex_lock(&memory_lock);
    int err = inner->ops->select(inner, req, out, diag);
    pthread_mutex_unlock(&memory_lock);
    return err;
}

static int locked_read(struct store_selection *sel, size_t i, int64_t t_min_ns, int64_t t_max_ns,
                       struct store_samples *out, struct diag *diag)
{
    pthread_mutex_lock(&memory_lock);
    int err = store_memory_face(memory)->ops->selection_read(sel, i, t_min_ns, t_max_ns, out, diag);
    pthread_mutex_unlock(&memory_lock);
    return err;
}

struct world {
    struct pipe_sink sink;
    struct alert_env env;
    size_t sent;
};

static void take(struct pipe_sink *sink, const struct data_metric_batch *batch, pipe_ack_fn ack,
                 void *ctx)
{
    struct arena *arena = arena_new(0, NULL);
    struct pipe_result result = {0};
    (void)sink;
    pthread_mutex_lock(&memory_lock);
    for (size_t i = 0; i < batch->sample_ts.len; i++) {
        struct data_labels labels;
        assert_int_equal(data_labels_decode(batch->series.items[batch->sample_series.items[i]].key,
                                            arena, &labels),
                         0);
        store_memory_add(memory, labels, batch->sample_ts.items[i], batch->sample_value.items[i],
                         NULL);
    }
    pthread_mutex_unlock(&memory_lock);
    arena_free(arena);
    ack(ctx, 0, &result);
}

static void note(void *ctx, const struct alert_rule *rule, const struct alert_active *a)
{
    struct world *w = ctx;
    (void)rule;
    (void)a;
    w->sent++;
}

static void put(const char *series, int64_t at_s, double v)
{
    struct arena *arena = arena_new(0, NULL);
    struct slice line = slice_cstr(series);
    struct data_labels labels;
    assert_int_equal(promql_parse_series_labels(&line, arena, &labels, NULL), 0);
    store_memory_add(memory, labels, at_s * NS_PER_SEC, v, NULL);
    arena_free(arena);
}

/* All series, one a line with all samples. */
static void print_all(struct world *w, struct buf *out)
{
    struct arena *arena = arena_new(0, NULL);
    const struct alert__room room = {arena, arena, NULL};
    struct query_result r = {0};
    for (int64_t at_s = 0; at_s <= 100; at_s += 10) {
        assert_int_equal(alert__query_text(&w->env, &alert_promql, SLICE("{__name__=~\".+\"}"),
                                           at_s * NS_PER_SEC, &room, &r, NULL),
                         0);
        for (size_t i = 0; i < r.series_count; i++) {
            buf_printf(out, "%lld ", (long long)at_s);
            for (size_t k = 0; k < r.series[i].labels.count; k++)
                buf_printf(out, "%.*s=%.*s ", SLICE_FMT(r.series[i].labels.items[k].name),
                           SLICE_FMT(r.series[i].labels.items[k].value));
            buf_printf(out, "%g\n", query_point_at(&r.series[i], 0).value);
        }
    }
    arena_free(arena);
}

/* Chains of rules, between them others. */
static void run(struct task_pool *pool, size_t concurrency, struct buf *out, size_t *sent)
{
    struct world w = {.sink = {.metrics = take}};
    struct buf text = {0};
    memory = store_memory_new();
    struct store_source_ops ops = *store_memory_face(memory)->ops;
    ops.select = locked_select;
    ops.selection_read = locked_read;
    struct store_source face = {.ops = &ops};
    log_set_level(LOG_LEVEL_ERROR);
    w.env = (struct alert_env){.source = &face,
                               .sink = &w.sink,
                               .tenant = SLICE("default"),
                               .external_url = "http://x.example/p",
                               .pool = pool,
                               .concurrency = concurrency,
                               .resend_delay_ns = 60 * NS_PER_SEC};
    buf_append_cstr(&text, "groups: [{name: g, interval: 10s, rules: [");
    for (int i = 0; i < 20; i++)
        buf_printf(&text,
                   "{record: 'c%d', expr: c%d + %d}, {record: r, expr: m * %d, labels: {i: '%d'}}, "
                   "{alert: A, expr: m > %d, labels: {i: '%d'}}, ",
                   i, i ? i - 1 : 0, i, i, i, i % 3, i);
    buf_append_cstr(&text, "{record: sum, expr: count(ALERTS) + sum(r) + c7}, "
                           "{record: old, expr: late * 2}, {record: late, expr: m + 1}]}]");
    struct alert_rules *rules = load(buf_cstr(&text), &alert_promql);
    struct alert_group *group = alert_group_new(rules, &rules->groups[0]);
    alert_group_set_restored(group);
    put("c0", 0, 1);
    for (int64_t at_s = 10; at_s <= 100; at_s += 10) {
        put("m", at_s, (double)(at_s % 40) / 10);
        alert_group_eval(group, &w.env, at_s * NS_PER_SEC, note, &w);
        for (size_t i = 0; i < group->def->rule_count; i++)
            assert_int_equal(group->states[i].health, ALERT_HEALTH_OK);
    }
    print_all(&w, out);
    *sent = w.sent;
    alert_group_free(group);
    alert_rules_free(rules);
    store_memory_free(memory);
    buf_deinit(&text);
}

static void beside_each_other_gives_the_same(void **state)
{
    struct buf one = {0}, many = {0};
    struct task_pool *pool = os_pool_new(4);
    size_t sent_one, sent_many;
    (void)state;
    run(NULL, 0, &one, &sent_one);
    run(pool, 4, &many, &sent_many);
    assert_string_equal(buf_cstr(&one), buf_cstr(&many));
    assert_int_equal(sent_one, sent_many);
    assert_true(one.len > 10000);
    assert_true(sent_one > 20);
    os_pool_free(pool);
    buf_deinit(&one);
    buf_deinit(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_that_share_nothing_are_one_batch),
        cmocka_unit_test(a_rule_waits_for_what_it_reads),
        cmocka_unit_test(a_rule_waits_for_those_that_read_its_old_value),
        cmocka_unit_test(selectors_without_a_name_read_everything),
        cmocka_unit_test(alerts_are_read_by_their_series),
        cmocka_unit_test(what_may_write_one_series_keeps_its_order),
        cmocka_unit_test(beside_each_other_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
