/* LogQL's answers over a few lines in memory. A query's answer is printed: streams as
 * "{labels} ts:line ts:line", numbers as "{labels} ts:value ...", in order, joined by "; ". Times
 * are seconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/number.h"
#include "lang/logql/run.h"
#include "memory_events.h"

static struct memory_events *make_source(void)
{
    struct memory_events *m = memory_events_new();
    const int64_t s = NS_PER_SEC;
    memory_events_add(m, "app=web,pod=a", 10 * s, "v=1 s=200", "level=info,user=u1");
    memory_events_add(m, "app=web,pod=a", 20 * s, "v=2 s=500", "level=error,user=u2");
    memory_events_add(m, "app=web,pod=b", 20 * s, "v=4 s=200", "level=info,user=u1");
    memory_events_add(m, "app=web,pod=b", 30 * s, "v=8 s=404", "level=warn");
    memory_events_add(m, "app=db", 25 * s, "{\"q\":\"select\",\"ms\":\"12ms\",\"n\":{\"k\":3}}",
                      NULL);
    memory_events_add(m, "app=db", 35 * s, "broken {", NULL);
    memory_events_add(m, "app=db,k8s.node=n1", 40 * s, "c=10", "a.b=dotted");
    memory_events_add(m, "app=db,k8s.node=n1", 50 * s, "c=25", NULL);
    memory_events_add(m, "app=db,k8s.node=n1", 60 * s, "c=5", NULL);
    return m;
}

static void put_labels(struct data_labels labels, struct buf *out)
{
    buf_append_char(out, '{');
    for (size_t i = 0; i < labels.count; i++)
        buf_printf(out, "%s%.*s=%.*s", i ? "," : "", SLICE_FMT(labels.items[i].name),
                   SLICE_FMT(labels.items[i].value));
    buf_append_char(out, '}');
}

struct question {
    const char *query;
    int start, end, step; /* s; step 0: a log query, or an instant one when start == end */
    const char *expected;
};

static void answer_lines(const struct logql_expr *e, const struct question *q,
                         const struct logql_env *env, struct arena *arena, struct buf *out,
                         struct diag *d)
{
    const struct logql_select select = {.start_ns = q->start * NS_PER_SEC,
                                        .end_ns = q->end * NS_PER_SEC,
                                        .forward = q->step >= 0,
                                        .limit = q->step < 0 ? (uint64_t)-q->step : 0};
    struct logql_streams r;
    if (logql_select_run(e, &select, env, arena, &r, d))
        return;
    for (size_t i = 0; i < r.count; i++) {
        buf_append_cstr(out, i ? "; " : "");
        put_labels(r.streams[i].labels, out);
        for (size_t k = 0; k < r.streams[i].count; k++)
            buf_printf(out, " %lld:%.*s", (long long)(r.streams[i].entries[k].ts_ns / NS_PER_SEC),
                       SLICE_FMT(r.streams[i].entries[k].line));
    }
}

static void answer_numbers(const struct logql_expr *e, const struct question *q,
                           const struct logql_env *env, struct arena *plans, struct arena *arena,
                           struct budget *memory, struct buf *out, struct diag *d)
{
    const struct query_steps steps = {.start_ns = q->start * NS_PER_SEC,
                                      .end_ns = q->end * NS_PER_SEC,
                                      .step_ns = q->step * NS_PER_SEC,
                                      .instant = q->start == q->end};
    const struct query_env qenv = {.tenant = SLICE("default"), .series_max = 100, .memory = memory};
    struct query_plan *plan;
    struct query_result r;
    struct logql_stats stats = {0};
    if (logql_plan(e, &steps, env, plans, &plan, &stats, d) || query_run(plan, &qenv, arena, &r, d))
        return;
    if (r.kind == QUERY_SCALAR)
        codec_append_double(out, r.scalar.value, CODEC_DOUBLE_PLAIN);
    for (size_t i = 0; i < r.series_count; i++) {
        buf_append_cstr(out, i ? "; " : "");
        put_labels(r.series[i].labels, out);
        for (size_t k = 0; k < r.series[i].count; k++) {
            struct query_point at = query_point_at(&r.series[i], k);
            buf_printf(out, " %lld:", (long long)(at.ts_ns / NS_PER_SEC));
            codec_append_double(out, at.value, CODEC_DOUBLE_PLAIN);
        }
    }
}

/* Three threads, one after the other. */
static void in_turn(struct task_pool *pool, enum task_class cls, size_t count, size_t width,
                    void (*fn)(void *ctx, size_t i), void *ctx)
{
    for (size_t i = count; i-- > 0;)
        fn(ctx, i);
}
static struct task_pool three = {.parallel = in_turn, .width = 3};

/* `memory` and `pool` may be NULL: what the answer may use. */
static int answer(struct memory_events *m, const struct question *q, struct budget *memory,
                  struct task_pool *pool, struct buf *out)
{
    struct arena *plans = arena_new(0, NULL), *arena = arena_new(256, memory);
    const struct logql_env env = {.source = memory_events_face(m),
                                  .tenant = SLICE("default"),
                                  .pool = pool,
                                  .limits = {.memory = memory}};
    struct logql_expr *e = NULL;
    struct diag d;
    diag_init(&d);
    if (!logql_parse(slice_cstr(q->query), plans, &e, &d)) {
        if (logql_is_log(e))
            answer_lines(e, q, &env, arena, out, &d);
        else
            answer_numbers(e, q, &env, plans, arena, memory, out, &d);
    }
    if (d.code)
        buf_printf(out, "error: %.*s", (int)strcspn(d.msg, "\n"), d.msg);
    logql_expr_free(e);
    arena_free(arena);
    arena_free(plans);
    return d.code;
}

static const struct question questions[] = {
    /* lines */
    {"{app=\"web\",pod=\"a\"}", 0, 100, 0,
     "{app=web,detected_level=error,pod=a,user=u2} 20:v=2 s=500; "
     "{app=web,detected_level=info,pod=a,user=u1} 10:v=1 s=200"},
    {"{app=\"web\"} | keep app", 0, 100, 0,
     "{app=web} 10:v=1 s=200 20:v=2 s=500 20:v=4 s=200 30:v=8 s=404"},
    {"{app=\"web\"} | keep app", 10, 20, 0, "{app=web} 10:v=1 s=200"},
    {"{app=\"web\"} | keep app", 0, 100, -2, "{app=web} 30:v=8 s=404 20:v=4 s=200"},
    {"{app=\"web\"} |= \"s=200\" | keep app", 0, 100, -1, "{app=web} 20:v=4 s=200"},
    {"{app=\"web\"} | logfmt | s>=400 | keep s", 0, 100, 0,
     "{s=404} 30:v=8 s=404; "
     "{s=500} 20:v=2 s=500"},
    {"{app=\"web\"} | user=\"u1\" | keep pod", 0, 100, 0,
     "{pod=a} 10:v=1 s=200; {pod=b} 20:v=4 s=200"},
    {"{app=\"web\"} | user!=\"u1\" | keep pod", 0, 100, 0,
     "{pod=a} 20:v=2 s=500; {pod=b} 30:v=8 s=404"},
    {"{app=\"web\"} | detected_level=~\"warn|error\" | keep pod", 0, 100, 0,
     "{pod=a} 20:v=2 s=500; {pod=b} 30:v=8 s=404"},
    {"{app=\"web\"} | detected_level!=\"info\" | keep pod", 0, 100, 0,
     "{pod=a} 20:v=2 s=500; {pod=b} 30:v=8 s=404"},
    {"{app=\"web\"} | pod=\"a\" or user=\"\" | keep pod", 0, 100, 0,
     "{pod=a} 10:v=1 s=200 20:v=2 s=500; {pod=b} 30:v=8 s=404"},
    {"{app=\"db\"} | a_b=\"dotted\"", 0, 100, 0, "{a_b=dotted,app=db,k8s_node=n1} 40:c=10"},
    {"{k8s_node=\"n1\"} | \"a.b\"=\"dotted\" | keep a_b", 0, 100, 0, "{a_b=dotted} 40:c=10"},
    {"{app=\"db\"} | json | __error__=\"\" | keep q, n_k", 0, 100, 0,
     "{n_k=3,q=select} 25:{\"q\":\"select\",\"ms\":\"12ms\",\"n\":{\"k\":3}}"},
    {"{app=\"db\"} | line_format \"{{bad}}\"", 0, 100, 0,
     "error: invalid line template: template: line:1: function \"bad\" not defined"},
    {"{app=\"none\"}", 0, 100, 0, ""},
    /* counting: windows are (T - range, T] */
    {"sum(count_over_time({app=\"web\"}[10s]))", 0, 50, 10, "{} 10:1 20:2 30:1"},
    {"sum by (pod) (count_over_time({app=\"web\"}[20s]))", 10, 50, 10,
     "{pod=a} 10:1 20:2 30:1; {pod=b} 20:1 30:2 40:1"},
    {"sum without (user,detected_level) (count_over_time({app=\"web\"}[20s]))", 20, 20, 0,
     "{app=web,pod=a} 20:2; {app=web,pod=b} 20:1"},
    {"count_over_time({app=\"web\"}[1m])", 30, 30, 0,
     "{app=web,detected_level=error,pod=a,user=u2} 30:1; "
     "{app=web,detected_level=info,pod=a,user=u1} 30:1; "
     "{app=web,detected_level=info,pod=b,user=u1} 30:1; {app=web,detected_level=warn,pod=b} 30:1"},
    {"sum(rate({app=\"web\"}[10s]))", 20, 20, 0, "{} 20:0.2"},
    {"sum(bytes_over_time({app=\"web\"}[1m]))", 60, 60, 0, "{} 60:36"},
    {"sum(bytes_rate({app=\"web\"}[1m]))", 60, 60, 0, "{} 60:0.6"},
    {"sum(bytes_over_time({app=\"web\"} | line_format \"x\" [1m]))", 60, 60, 0, "{} 60:4"},
    {"sum(count_over_time({app=\"web\"} | line_format \"{{bad}}\" [1m]))", 60, 60, 0, "{} 60:4"},
    {"sum(count_over_time({app=\"web\"}[10s] offset 10s))", 10, 50, 10, "{} 20:1 30:2 40:1"},
    {"sum(count_over_time({app=\"web\"}[10s] offset -10s))", 10, 50, 10, "{} 10:2 20:1"},
    {"sum(count_over_time({app=\"web\"} |= \"s=200\" [1m]))", 60, 60, 0, "{} 60:2"},
    {"sum by (detected_level) (count_over_time({app=\"web\"}[1m])) > 1", 60, 60, 0,
     "{detected_level=info} 60:2"},
    {"sum by (s) (count_over_time({app=\"web\"} | logfmt [1m]))", 60, 60, 0,
     "{s=200} 60:2; {s=404} 60:1; {s=500} 60:1"},
    {"sum by (q) (count_over_time({app=\"db\"} |= \"broken\" | json [1m]))", 60, 60, 0,
     "error: pipeline error: 'JSONParserErr' for series: '{__error__=\"JSONParserErr\", "
     "__error_details__=\"JSON: a value is expected\", app=\"db\"}'."},
    /* no label is asked for: the parser is not run, as Loki does it */
    {"sum(count_over_time({app=\"db\"} |= \"broken\" | json [1m]))", 60, 60, 0, "{} 60:1"},
    {"sum(count_over_time({app=\"db\"} | json | __error__=\"\" [1m]))", 60, 60, 0, "{} 60:1"},
    {"sum(count_over_time({app=\"db\"} | json | drop __error__, __error_details__ [1m]))", 60, 60,
     0, "{} 60:5"},
    {"absent_over_time({app=\"none\",pod=~\"x\"}[10s])", 10, 20, 10, "{app=none} 10:1 20:1"},
    {"absent_over_time({app=\"web\"}[10s])", 10, 50, 10, "{app=web} 40:1 50:1"},
    /* values */
    {"sum by (pod) (sum_over_time({app=\"web\"} | logfmt | unwrap v [1m]))", 60, 60, 0,
     "{pod=a} 60:3; {pod=b} 60:12"},
    {"sum(rate({app=\"web\"} | logfmt | unwrap v [1m]))", 60, 60, 0, "{} 60:0.25"},
    {"avg_over_time({app=\"web\"} | logfmt | unwrap v [1m]) by (pod)", 60, 60, 0,
     "{pod=a} 60:1.5; {pod=b} 60:6"},
    {"max_over_time({app=\"web\"} | logfmt | unwrap v [20s]) by (app)", 10, 50, 10,
     "{app=web} 10:1 20:4 30:8 40:8"},
    {"min_over_time({app=\"web\"} | logfmt | unwrap v [1m]) without (user,detected_level,s,pod)",
     60, 60, 0, "{app=web} 60:1"},
    {"first_over_time({app=\"web\"} | logfmt | unwrap v [1m]) by (app)", 60, 60, 0,
     "{app=web} 60:1"},
    {"last_over_time({app=\"web\"} | logfmt | unwrap v [1m]) by (app)", 60, 60, 0,
     "{app=web} 60:8"},
    {"quantile_over_time(0.5, {app=\"web\"} | logfmt | unwrap v [1m]) by (app)", 60, 60, 0,
     "{app=web} 60:3"},
    {"stdvar_over_time({app=\"web\"} | logfmt | unwrap v [1m]) by (pod)", 60, 60, 0,
     "{pod=a} 60:0.25; {pod=b} 60:4"},
    {"sum(sum_over_time({app=\"db\"} | json | __error__=\"\" | unwrap duration(ms) [1m]))", 60, 60,
     0, "{} 60:0.012"},
    {"sum(sum_over_time({app=\"db\"} | json | __error__=\"\" | unwrap ms [1m]))", 60, 60, 0,
     "error: pipeline error: 'SampleExtractionErr' for series: "
     "'{__error__=\"SampleExtractionErr\", __error_details__=\"strconv.ParseFloat: parsing "
     "\\\"12ms\\\": invalid syntax\", app=\"db\"}'."},
    {"sum(sum_over_time({app=\"db\"} | json | unwrap ms | __error__=\"\" [1m]))", 60, 60, 0, ""},
    {"sum(rate_counter({app=\"db\"} | logfmt | unwrap c [30s]))", 60, 60, 0, "{} 60:0.25"},
    {"absent_over_time({app=\"web\"} | logfmt | unwrap v [10s])", 40, 40, 0, "{app=web} 40:1"},
    /* above */
    {"topk(1, sum by (pod) (count_over_time({app=\"web\"} | logfmt | s=200 [1m])))", 20, 20, 0,
     "{pod=a} 20:1"},
    {"topk(2, sum by (app) (count_over_time({app=~\".+\"}[1m])) % (sum by (app) "
     "(count_over_time({app=~\".+\"}[1m])) - 4))",
     60, 60, 0, "{app=db} 60:0"},
    {"bottomk(2, sum(count_over_time({app=\"web\"}[1m])) / 0)", 60, 60, 0, ""},
    {"sum(count_over_time({app=\"web\"}[1m])) / sum(count_over_time({app=\"db\"}[1m]))", 60, 60, 0,
     "{} 60:0.8"},
    {"sum(count_over_time({app=\"web\"}[1m])) / 0", 60, 60, 0, "{} 60:NaN"},
    {"sum(count_over_time({app=\"web\"}[1m])) % 0", 60, 60, 0, "{} 60:NaN"},
    {"sum by (app) (count_over_time({app=~\".+\"}[1m])) and on (app) sum by (app) "
     "(count_over_time({pod=\"a\"}[1m]))",
     60, 60, 0, "{app=web} 60:4"},
    {"sort_desc(sum by (app) (count_over_time({app=~\".+\"}[1m])))", 60, 60, 0,
     "{app=db} 60:5; {app=web} 60:4"},
    {"sort(sum by (app) (count_over_time({app=~\".+\"}[1m])))", 60, 60, 0,
     "{app=web} 60:4; {app=db} 60:5"},
    {"label_replace(sum by (app) (count_over_time({app=\"web\"}[1m])), \"x\", \"${1}y\", \"app\", "
     "\"(w).*\")",
     60, 60, 0, "{app=web,x=wy} 60:4"},
    {"avg(sum by (app) (count_over_time({app=~\".+\"}[1m])))", 60, 60, 0, "{} 60:4.5"},
    {"max(sum by (app) (count_over_time({app=~\".+\"}[1m])))", 60, 60, 0, "{} 60:5"},
    {"min(sum by (app) (count_over_time({app=~\".+\"}[1m])))", 60, 60, 0, "{} 60:4"},
    {"stddev(sum by (app) (count_over_time({app=~\".+\"}[1m])))", 60, 60, 0, "{} 60:0.5"},
    {"stdvar(sum by (app) (count_over_time({app=~\".+\"}[1m])))", 60, 60, 0, "{} 60:0.25"},
    {"count(sum by (app) (count_over_time({app=~\".+\"}[1m])))", 60, 60, 0, "{} 60:2"},
    {"bottomk(1, sum by (app) (count_over_time({app=~\".+\"}[1m])))", 60, 60, 0, "{app=web} 60:4"},
    {"sum by (app) (count_over_time({app=~\".+\"}[1m])) <= 4", 60, 60, 0, "{app=web} 60:4"},
    {"sum by (app) (count_over_time({app=~\".+\"}[1m])) <= bool 4", 60, 60, 0,
     "{app=db} 60:0; {app=web} 60:1"},
    {"sum by (app) (count_over_time({app=~\".+\"}[1m])) unless on (app) sum by (app) "
     "(count_over_time({pod=\"a\"}[1m]))",
     60, 60, 0, "{app=db} 60:5"},
    {"sum by (app) (count_over_time({app=~\".+\"}[1m])) * ignoring (pod) group_right sum by (app, "
     "pod) (count_over_time({app=\"web\"}[1m]))",
     60, 60, 0, "{app=web,pod=a} 60:8; {app=web,pod=b} 60:8"},
    {"sort_desc(sum by (app) (count_over_time({app=~\".+\"}[1m]))) + 1", 60, 60, 0,
     "{app=db} 60:6; {app=web} 60:5"},
    {"stddev_over_time({app=\"web\"} | logfmt | unwrap v [1m]) by (pod)", 60, 60, 0,
     "{pod=a} 60:0.5; {pod=b} 60:2"},
    {"sum(sum_over_time({app=\"db\"} | json | __error__=\"\" | unwrap duration_seconds(ms) [1m]))",
     60, 60, 0, "{} 60:0.012"},
    {"sum by (q) (count_over_time({app=\"db\"} |= \"broken\" | json | label_format "
     "__preserve_error__=\"true\" [1m]))",
     60, 60, 0, "{} 60:1"},
    {"vector(1)+vector(1)", 4, 4, 0, "{} 4:2"},
    {"1+1", 4, 4, 0, "2"},
    {"approx_topk(1, sum by (app) (count_over_time({app=~\".+\"}[1m])))", 60, 60, 0,
     "{app=db} 60:5"},
    {"approx_topk(1, sum by (app) (count_over_time({app=~\".+\"}[1m])))", 60, 120, 10,
     "error: approx_topk is only supported on instant queries"},
};

static void answers(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (int way = 0; way < 4; way++) {
        struct memory_events *m = make_source();
        memory_events_set_morsel(m, way & 1 ? 1000 : 1 + way / 2);
        for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
            struct buf out = {0};
            answer(m, &questions[i], NULL, way & 2 ? &three : NULL, &out);
            if (!slice_eq_cstr(buf_slice(&out), questions[i].expected)) {
                print_message("%s\n  gives    <%s>\n  expected <%s>\n", questions[i].query,
                              buf_cstr(&out), questions[i].expected);
                wrong++;
            }
            buf_deinit(&out);
        }
        memory_events_free(m);
    }
    assert_int_equal(wrong, 0);
}

/* However little memory there is: an answer, or an error that names the setting. */
static void memory_may_end_anywhere(void **state)
{
    (void)state;
    struct memory_events *m = make_source();
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        bool done = false;
        for (int64_t limit = 1; !done; limit += 1 + limit / 3) {
            struct budget memory;
            struct buf out = {0};
            budget_init(&memory, NULL, limit, "limits.query.memory");
            int err = answer(m, &questions[i], &memory, limit & 1 ? &three : NULL, &out);
            done = err != ERR_NOMEM;
            if (!done && slice_find(buf_slice(&out), SLICE("limits.query.memory")) < 0)
                fail_msg("%s with %lld bytes: %s", questions[i].query, (long long)limit,
                         buf_cstr(&out));
            assert_int_equal(memory.used, 0);
            buf_deinit(&out);
        }
    }
    memory_events_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers),
                                       cmocka_unit_test(memory_may_end_anywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
