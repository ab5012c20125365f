/* Groups of rules evaluated step by step over series in memory. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "alert/group.h"
#include "base/log.h"
#include "base/mem.h"
#include "lang/promql/series_notation.h"
#include "store/memory.h"

struct world {
    struct store_memory *memory;
    struct pipe_sink sink;
    struct alert_env env;
    struct alert_rules *rules;
    struct alert_group *group;
    VEC(char *) sent;
};

static void take(struct pipe_sink *sink, const struct data_metric_batch *batch, pipe_ack_fn ack,
                 void *ctx)
{
    struct world *w = BASE_CONTAINER_OF(sink, struct world, sink);
    struct arena *arena = arena_new(0, NULL);
    struct pipe_result result = {0};
    for (size_t i = 0; i < batch->sample_ts.len; i++) {
        struct data_labels labels;
        assert_int_equal(data_labels_decode(batch->series.items[batch->sample_series.items[i]].key,
                                            arena, &labels),
                         0);
        store_memory_add(w->memory, labels, batch->sample_ts.items[i], batch->sample_value.items[i],
                         NULL);
    }
    arena_free(arena);
    ack(ctx, 0, &result);
}

static int64_t seconds(int64_t s)
{
    return s * NS_PER_SEC;
}

static void load(struct world *w, const char *text)
{
    char path[] = "/tmp/test-group-XXXXXX";
    struct alert_rules_options options = {0};
    struct diag d;
    int fd = mkstemp(path);
    diag_init(&d);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    struct slice pattern = slice_cstr(path);
    if (alert_rules_load(&pattern, 1, NULL, &options, &w->rules, &d))
        fail_msg("%s", d.msg);
    unlink(path);
    w->group = alert_group_new(w->rules, &w->rules->groups[0]);
}

static void begin(struct world *w, const char *rules)
{
    *w = (struct world){.memory = store_memory_new(), .sink = {.metrics = take}};
    log_set_level(LOG_LEVEL_ERROR);
    w->env = (struct alert_env){.source = store_memory_face(w->memory),
                                .sink = &w->sink,
                                .tenant = SLICE("default"),
                                .external_url = "http://x.example/p",
                                .resend_delay_ns = seconds(60)};
    load(w, rules);
}

static void finish(struct world *w)
{
    alert_group_free(w->group);
    alert_rules_free(w->rules);
    store_memory_free(w->memory);
    for (size_t i = 0; i < w->sent.len; i++)
        mem_free(w->sent.items[i]);
    vec_free(&w->sent);
}

static void put(struct world *w, const char *series, int64_t at_s, double v)
{
    struct arena *arena = arena_new(0, NULL);
    struct slice line = slice_cstr(series);
    struct data_labels labels;
    assert_int_equal(promql_parse_series_labels(&line, arena, &labels, NULL), 0);
    store_memory_add(w->memory, labels, seconds(at_s), v, NULL);
    arena_free(arena);
}

static void note(void *ctx, const struct alert_rule *rule, const struct alert_active *a)
{
    struct world *w = ctx;
    struct buf text = {0};
    buf_printf(&text, "%.*s %s %lld", SLICE_FMT(rule->name), alert_state_name(a->state),
               (long long)((a->resolved_ns ? a->resolved_ns : a->valid_until_ns) / NS_PER_SEC));
    vec_push(&w->sent, mem_strdup(buf_cstr(&text)));
    buf_deinit(&text);
}

static void eval(struct world *w, int64_t at_s)
{
    alert_group_eval(w->group, &w->env, seconds(at_s), note, w);
}

static struct alert_active *alert_of(struct world *w, size_t rule)
{
    size_t pos = 0;
    struct map_entry *e = map_next(w->group->states[rule].active, &pos);
    return e ? e->value.ptr : NULL;
}

/* The value an expression has at a time, as text; "" when nothing. */
static void expect_gives(struct world *w, const char *expr, int64_t at_s, const char *want)
{
    struct arena *arena = arena_new(0, NULL);
    struct query_result r = {0};
    struct buf text = {0};
    struct diag d;
    diag_init(&d);
    const struct alert__room room = {arena, arena, NULL};
    if (alert__query_text(&w->env, &alert_promql, slice_cstr(expr), seconds(at_s), &room, &r, &d))
        fail_msg("%s: %s", expr, d.msg);
    for (size_t i = 0; i < r.series_count; i++)
        buf_printf(&text, "%s%g", i ? " " : "", query_point_at(&r.series[i], 0).value);
    if (strcmp(buf_cstr(&text), want) != 0)
        fail_msg("%s at %lld: %s, wanted %s", expr, (long long)at_s, buf_cstr(&text), want);
    buf_deinit(&text);
    arena_free(arena);
}

static void alerts_pass_through_their_states(void **state)
{
    struct world w;
    (void)state;
    begin(&w, "groups: [{name: g, interval: 10s, rules: [{alert: A, expr: 'm > 1', for: 20s, "
              "keep_firing_for: 20s}]}]");
    alert_group_set_restored(w.group);
    put(&w, "m", 100, 2);
    eval(&w, 100);
    assert_int_equal(alert_of(&w, 0)->state, ALERT_PENDING);
    expect_gives(&w, "ALERTS{alertstate=\"pending\"}", 100, "1");
    expect_gives(&w, "ALERTS_FOR_STATE", 100, "100");
    eval(&w, 110);
    assert_int_equal(w.sent.len, 0);
    eval(&w, 120);
    assert_int_equal(alert_of(&w, 0)->state, ALERT_FIRING);
    expect_gives(&w, "ALERTS{alertstate=\"pending\"}", 120, "");
    expect_gives(&w, "ALERTS{alertstate=\"firing\"}", 120, "1");
    assert_int_equal(w.sent.len, 1);
    assert_string_equal(w.sent.items[0], "A firing 360"); /* 4 times the resend delay later */
    eval(&w, 180);
    assert_int_equal(w.sent.len, 1); /* not yet again */
    eval(&w, 190);
    assert_int_equal(w.sent.len, 2);
    put(&w, "m", 200, 0);
    eval(&w, 200);
    assert_int_equal(alert_of(&w, 0)->state, ALERT_FIRING); /* kept */
    assert_int_equal(alert_of(&w, 0)->keep_firing_since_ns, seconds(200));
    eval(&w, 220);
    assert_int_equal(alert_of(&w, 0)->state, ALERT_INACTIVE);
    expect_gives(&w, "ALERTS", 220, "");
    assert_int_equal(w.sent.len, 3);
    assert_string_equal(w.sent.items[2], "A inactive 220");
    eval(&w, 300);
    assert_int_equal(w.sent.len, 4); /* its end is told again */
    eval(&w, 220 + 901);
    assert_null(alert_of(&w, 0)); /* and forgotten after a quarter of an hour */
    finish(&w);
}

static void a_pending_alert_that_ends_was_never_there(void **state)
{
    struct world w;
    (void)state;
    begin(&w, "groups: [{name: g, rules: [{alert: A, expr: 'm > 1', for: 20s}]}]");
    alert_group_set_restored(w.group);
    put(&w, "m", 100, 2);
    eval(&w, 100);
    put(&w, "m", 110, 0);
    eval(&w, 110);
    assert_null(alert_of(&w, 0));
    assert_int_equal(w.sent.len, 0);
    finish(&w);
}

static void recorded_series_end_when_they_vanish(void **state)
{
    struct world w;
    (void)state;
    begin(&w, "groups: [{name: g, rules: [{record: r, expr: 'm > 1', labels: {a: '', b: c}}, "
              "{record: s, expr: 'r * 2'}]}]");
    put(&w, "m{a=\"1\"}", 100, 2);
    put(&w, "m{x=\"2\"}", 100, 3);
    eval(&w, 100);
    expect_gives(&w, "sort(r{b=\"c\"})", 100, "2 3");
    expect_gives(&w, "sum(s)", 100, "10"); /* sees what the rule before it wrote */
    put(&w, "m{a=\"1\"}", 110, 0);
    eval(&w, 110);
    expect_gives(&w, "r", 110, "3");
    expect_gives(&w, "s", 110, "6");
    finish(&w);
}

static void failures_change_nothing(void **state)
{
    struct world w;
    (void)state;
    begin(&w, "groups: [{name: g, limit: 1, rules: [{record: r, expr: m}, {record: one, expr: "
              "'label_replace(m, \"a\", \"\", \"\", \"\") * 1'}, {record: same, expr: m, labels: "
              "{a: x}}, "
              "{alert: A, expr: m}, {record: t, expr: 'm[5m]'}]}]");
    alert_group_set_restored(w.group);
    put(&w, "m{a=\"1\"}", 100, 2);
    eval(&w, 100);
    expect_gives(&w, "r", 100, "2");
    assert_int_equal(w.group->states[0].health, ALERT_HEALTH_OK);
    assert_non_null(alert_of(&w, 3));
    put(&w, "m{a=\"2\"}", 110, 3);
    eval(&w, 110);
    assert_string_equal(w.group->states[0].last_error, "exceeded limit of 1 with 2 series");
    assert_string_equal(w.group->states[2].last_error,
                        "vector contains metrics with the same labelset after applying rule "
                        "labels");
    assert_string_equal(w.group->states[3].last_error, "exceeded limit of 1 with 2 alerts");
    assert_string_equal(w.group->states[4].last_error, "rule result is not a vector or scalar");
    assert_null(alert_of(&w, 3));    /* over the limit: all of them are let go */
    expect_gives(&w, "r", 110, "2"); /* no staleness either */
    finish(&w);
}

static void the_query_offset_moves_queries_and_samples(void **state)
{
    struct world w;
    (void)state;
    begin(&w, "groups: [{name: g, query_offset: 1m, rules: [{record: r, expr: m}, {alert: A, expr: "
              "'m > 1'}]}]");
    alert_group_set_restored(w.group);
    put(&w, "m", 100, 5);
    put(&w, "m", 150, 7);
    eval(&w, 160);
    expect_gives(&w, "r", 100, "5");
    expect_gives(&w, "timestamp(r)", 160, "100");
    expect_gives(&w, "timestamp(ALERTS)", 160, "100");
    assert_int_equal(alert_of(&w, 1)->active_ns, seconds(160));
    finish(&w);
}

static void too_many_alerts_are_refused(void **state)
{
    struct world w;
    (void)state;
    begin(&w, "groups: [{name: g, rules: [{alert: A, expr: m}]}]");
    w.env.alerts_max = 1;
    put(&w, "m{a=\"1\"}", 100, 5);
    put(&w, "m{a=\"2\"}", 100, 5);
    eval(&w, 100);
    assert_string_equal(w.group->states[0].last_error,
                        "the rule has 2 alerts, more than limits.alerts (1) allows");
    assert_null(alert_of(&w, 0));
    finish(&w);
}

static void texts_are_templates(void **state)
{
    struct world w;
    (void)state;
    begin(&w, "groups: [{name: g, rules: [{alert: A, expr: m, labels: {l: '{{ $labels.a }}!'}, "
              "annotations: {t: '{{ define \"x\" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ tmpl \"x\" "
              "(args 2 \"b\") }} {{ $externalLabels.e }} {{ pathPrefix }} {{ externalURL }}', "
              "u: '{{ toDuration 3661.5 }} {{ now }} {{ humanizeTimestamp 1.5 }}', "
              "v: '{{ label \"a\" (query \"m\" | first) }}{{ strvalue (query \"m\" | first) }}', "
              "w: '{{ value 1 }}', x: '{{ humanize \"x\" }}', y: ''}}]}]");
    static const struct data_label external[] = {{SLICE_INIT("e"), SLICE_INIT("f")}};
    static const char *const want[] = {
        "2-b f /p http://x.example/p",
        "1h1m1.5s 100 1970-01-01 00:00:01.5 +0000 UTC",
        "1",
        "<error expanding template: error executing template __alert_A: template: "
        "__alert_A:1:115: executing \"__alert_A\" at <value>: error calling value: wrong type for "
        "value; expected *template.sample; got int>",
        "<error expanding template: error executing template __alert_A: template: "
        "__alert_A:1:115: executing \"__alert_A\" at <humanize>: error calling humanize: "
        "strconv.ParseFloat: parsing \"x\": invalid syntax>",
        ""};
    w.env.external_labels = (struct data_labels){external, 1};
    put(&w, "m{a=\"1\"}", 100, 2);
    eval(&w, 100);
    struct alert_active *a = alert_of(&w, 0);
    assert_non_null(a);
    assert_true(slice_eq_cstr(data_labels_get(a->labels, SLICE("l")), "1!"));
    assert_int_equal(a->annotations.count, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        if (!slice_eq_cstr(a->annotations.items[i].value, want[i]))
            fail_msg("%.*s, wanted %s", SLICE_FMT(a->annotations.items[i].value), want[i]);
    }
    finish(&w);
}

/* An alert that waits an hour, after an outage: when does it count as active? */
static void expect_restored(int64_t active_s, int64_t down_s, int64_t now_s, int64_t want_s)
{
    struct world w;
    begin(&w, "groups: [{name: g, rules: [{alert: A, expr: m, for: 1h}]}]");
    put(&w, "m", now_s, 1);
    put(&w, "ALERTS_FOR_STATE{alertname=\"A\"}", down_s, (double)active_s);
    eval(&w, now_s);
    expect_gives(&w, "ALERTS", now_s, ""); /* nothing is written before */
    alert_group_restore(w.group, &w.env, seconds(now_s), seconds(3600), seconds(600));
    assert_int_equal(alert_of(&w, 0)->active_ns, seconds(want_s));
    eval(&w, now_s + 1);
    expect_gives(&w, "count(ALERTS)", now_s + 1, "1");
    finish(&w);
}

static void waiting_is_restored(void **state)
{
    (void)state;
    expect_restored(5000, 5600, 6000, 5400); /* the outage does not count */
    expect_restored(5000, 8300, 8400, 5400); /* nearly over: the grace period remains */
    expect_restored(5000, 8700, 8800, 5000); /* it was firing */
    expect_restored(5000, 5600, 9300, 9300); /* too long ago: begins anew */
    expect_restored(5000, 5600, 9200, 8600); /* just not too long ago */
}

static void states_are_inherited(void **state)
{
    struct world w;
    struct alert_rules *rules;
    (void)state;
    begin(&w, "groups: [{name: g, rules: [{alert: A, expr: m, for: 1h}, {record: r, expr: m}, "
              "{record: gone, expr: m}]}]");
    alert_group_set_restored(w.group);
    put(&w, "m", 100, 1);
    eval(&w, 100);
    struct alert_group *old = w.group;
    rules = w.rules;
    load(&w,
         "groups: [{name: g, rules: [{record: r, expr: m + 1}, {alert: A, expr: m, for: 2h}]}]");
    alert_group_set_restored(w.group);
    alert_group_inherit(w.group, old);
    alert_group_free(old);
    alert_rules_free(rules);
    assert_int_equal(alert_of(&w, 1)->active_ns, seconds(100));
    eval(&w, 110);
    assert_int_equal(alert_of(&w, 1)->active_ns, seconds(100));
    expect_gives(&w, "r", 110, "2");
    expect_gives(&w, "gone", 110, "");
    alert_group_end_series(w.group, &w.env, seconds(120));
    expect_gives(&w, "r", 120, "");
    expect_gives(&w, "ALERTS", 120, "");
    finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alerts_pass_through_their_states),
        cmocka_unit_test(a_pending_alert_that_ends_was_never_there),
        cmocka_unit_test(recorded_series_end_when_they_vanish),
        cmocka_unit_test(failures_change_nothing),
        cmocka_unit_test(the_query_offset_moves_queries_and_samples),
        cmocka_unit_test(too_many_alerts_are_refused),
        cmocka_unit_test(texts_are_templates),
        cmocka_unit_test(waiting_is_restored),
        cmocka_unit_test(states_are_inherited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
