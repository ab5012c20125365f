/* LogQL over the store itself: on all threads the lines, their order and the numbers are those of
 * one thread, and what is counted without reading rows is what reading them gives. */
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/log.h"
#include "lang/logql/run.h"
#include "store_world.h"

#define DAY   (1700006400 * NS_PER_SEC) /* begins */
#define LINES 30000
#define GAP   (NS_PER_SEC / 5)

static uint64_t state_now = 31;
static unsigned below(unsigned n)
{
    state_now = hash_u64(state_now + 0x9e3779b97f4a7c15);
    return (unsigned)(state_now % n);
}

/* Late ones, equal times, whole minutes, and lines without a level. */
static void append(struct store_world *w, uint32_t begin, uint32_t end)
{
    static const char *const words[] = {"alpha", "beta", "gamma"};
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    for (uint32_t i = begin; i < end; i++) {
        struct data_label l[] = {{SLICE("app"), slice_cstr(words[i % 3])},
                                 {SLICE("k8s.pod"), i % 2 ? SLICE("a") : SLICE("b")}};
        int64_t ts = DAY + (int64_t)(i - below(200) * (i > 200)) / 4 * 4 * GAP;
        if (below(20) == 0)
            ts = DAY + (int64_t)(i / 300) * 60 * NS_PER_SEC;
        data_event_batch_add_row(b, data_event_batch_add_stream(b, (struct data_labels){l, 2}), ts);
        struct slice line =
            below(30)
                ? arena_printf(b->arena, "{\"n\":%u,\"code\":%u,\"w\":\"%s\",\"id\":\"%016llx\"}",
                               i, below(4) * 100, words[below(3)], (unsigned long long)hash_u64(i))
                : SLICE("no JSON");
        data_event_put(b, DATA_EVENT_LINE, data_value_string(line));
        /* An id of its own in each hundredth: intrinsic, as a field, as a label of the stream. */
        uint64_t id[2] = {hash_u64(i), hash_u64(i + 1)};
        if (i % 100 == 0)
            data_event_put(b, DATA_EVENT_TRACE_ID,
                           data_value_bytes(data_event_batch_copy(b, slice_make(id, 16))));
        if (i % 100 == 1)
            data_event_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("trace.id")),
                           data_value_string(arena_printf(b->arena, "order-%u", i)));
        if (below(9))
            data_event_put(
                b, DATA_EVENT_LEVEL,
                data_value_string(data_event_level_name((enum data_event_level)below(5))));
    }
    store_world_append(w, b);
}

static int begin(void **state)
{
    struct store_world *w = mem_calloc(1, sizeof(*w));
    store_world_begin(w, DAY + 86400 * NS_PER_SEC, 4);
    for (uint32_t i = 0; i < LINES; i += LINES / 10) {
        append(w, i, i + LINES / 10);
        if (i < LINES * 9 / 10)
            store_world_flush(w);
    }
    *state = w;
    return 0;
}

static int end(void **state)
{
    store_world_end(*state);
    mem_free(*state);
    return 0;
}

static void put_lines(const struct logql_streams *r, struct buf *out)
{
    for (size_t i = 0; i < r->count; i++) {
        for (size_t k = 0; k < r->streams[i].labels.count; k++)
            buf_printf(out, "%.*s=%.*s ", SLICE_FMT(r->streams[i].labels.items[k].name),
                       SLICE_FMT(r->streams[i].labels.items[k].value));
        for (size_t k = 0; k < r->streams[i].count; k++)
            buf_printf(out, "%lld:%.*s\n", (long long)r->streams[i].entries[k].ts_ns,
                       SLICE_FMT(r->streams[i].entries[k].line));
    }
}

static void lines_on_all_threads(void **state)
{
    struct store_world *w = *state;
    static const char *const queries[] = {
        "{app=~\".+\"} | json | n > 29000 | keep app",
        "{app=~\".+\"} | json | n < 500 | keep app",
        "{app=\"beta\"} | json | code=300 | w=\"gamma\" | keep code",
        "{app=~\".+\"} |= \"alpha\" | json | code >= 200 | keep w",
        "{app=~\".+\"} |~ \"no +JSON\" | keep k8s_pod",
        "{app=~\".+\"} |= \"JSON\"",
        "{app=~\".+\"} | json | __error__=\"JSONParserErr\" | keep app",
        "{app=\"none\"} | json | n > 1",
    };
    for (size_t q = 0; q < ARRAY_LEN(queries) * 6; q++) {
        static const uint64_t limits[] = {7, 1500, 0};
        struct buf answers[2] = {{0}};
        struct arena *arena = arena_new(0, NULL);
        struct logql_expr *e;
        assert_int_equal(logql_parse(slice_cstr(queries[q / 6]), arena, &e, NULL), 0);
        for (int way = 0; way < 2; way++) {
            const struct logql_env env = {.source = store_events(w->store, DATA_EVENT_LOGS),
                                          .tenant = SLICE("default"),
                                          .pool = way ? w->pool : NULL};
            const struct logql_select select = {.start_ns = DAY,
                                                .end_ns = DAY + 86400 * NS_PER_SEC,
                                                .forward = q & 1,
                                                .limit = limits[q / 2 % 3]};
            struct logql_streams r;
            assert_int_equal(logql_select_run(e, &select, &env, arena, &r, NULL), 0);
            put_lines(&r, &answers[way]);
        }
        if (!slice_eq(buf_slice(&answers[0]), buf_slice(&answers[1])))
            fail_msg("%s: lines differ", queries[q / 6]);
        assert_true(answers[0].len || slice_find(slice_cstr(queries[q / 6]), SLICE("none")) >= 0);
        buf_deinit(&answers[0]);
        buf_deinit(&answers[1]);
        logql_expr_free(e);
        arena_free(arena);
    }
}

static void put_numbers(struct store_world *w, const char *query, const struct query_steps *steps,
                        struct task_pool *pool, struct buf *out, uint64_t *out_rows)
{
    struct arena *arena = arena_new(0, NULL);
    const struct logql_env env = {.source = store_events(w->store, DATA_EVENT_LOGS),
                                  .tenant = SLICE("default"),
                                  .pool = pool};
    const struct query_env qenv = {.tenant = SLICE("default"), .series_max = 1000, .pool = pool};
    struct logql_expr *e;
    struct query_plan *plan;
    struct query_result r;
    struct logql_stats stats = {0};
    assert_int_equal(logql_parse(slice_cstr(query), arena, &e, NULL), 0);
    assert_int_equal(logql_plan(e, steps, &env, arena, &plan, &stats, NULL), 0);
    assert_int_equal(query_run(plan, &qenv, arena, &r, NULL), 0);
    for (size_t i = 0; i < r.series_count; i++) {
        for (size_t k = 0; k < r.series[i].labels.count; k++)
            buf_printf(out, "%.*s=%.*s ", SLICE_FMT(r.series[i].labels.items[k].name),
                       SLICE_FMT(r.series[i].labels.items[k].value));
        for (size_t k = 0; k < r.series[i].count; k++) {
            struct query_point p = query_point_at(&r.series[i], k);
            buf_printf(out, "%lld:%.10g ", (long long)p.ts_ns, p.value);
        }
    }
    *out_rows = stats.scan.rows_scanned;
    logql_expr_free(e);
    arena_free(arena);
}

/* The same with a filter that all lines pass is read row by row. */
static void counts_are_those_of_rows(void **state)
{
    struct store_world *w = *state;
    static const char *const queries[] = {
        "sum(count_over_time({app=~\".+\"}%s[%s]))",
        "sum by (detected_level) (count_over_time({app=~\".+\"}%s[%s]))",
        "sum by (app, detected_level) (rate({k8s_pod=\"a\"}%s[%s]))",
        "sum by (k8s_pod) (bytes_over_time({app=\"beta\"}%s[%s]))",
        "sum by (nothing) (bytes_rate({app=\"beta\"}%s[%s]))",
        "absent_over_time({app=\"beta\"}%s[%s])",
    };
    static const struct {
        const char *range;
        int64_t start_s, step_s, count;
        bool reads; /* windows cut minutes all over */
    } shapes[] = {
        {"1m", 60, 60, 99, false},  {"10m", 601, 600, 9, false}, {"1h", 3600, 60, 40, false},
        {"2h", 6017, 1, 1, false},  {"30s", 60, 60, 50, true},   {"45s", 7, 10, 90, true},
        {"7m", 411, 660, 7, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(queries) * ARRAY_LEN(shapes); i++) {
        size_t k = i % ARRAY_LEN(shapes);
        struct buf answers[3] = {{0}};
        uint64_t rows[3];
        for (int way = 0; way < 3; way++) {
            char query[200];
            const struct query_steps steps = {
                .start_ns = DAY + shapes[k].start_s * NS_PER_SEC,
                .end_ns = DAY + (shapes[k].start_s + (shapes[k].count - 1) * shapes[k].step_s) *
                                    NS_PER_SEC,
                .step_ns = shapes[k].step_s * NS_PER_SEC,
                .instant = shapes[k].count == 1};
            snprintf(query, sizeof(query), queries[i / ARRAY_LEN(shapes)], way ? "" : "|= \"\" ",
                     shapes[k].range);
            put_numbers(w, query, &steps, way == 2 ? w->pool : NULL, &answers[way], &rows[way]);
        }
        for (int way = 1; way < 3; way++) {
            if (!slice_eq(buf_slice(&answers[0]), buf_slice(&answers[way])))
                fail_msg("%s [%s]: numbers differ:\n%s\n%s", queries[i / ARRAY_LEN(shapes)],
                         shapes[k].range, buf_cstr(&answers[0]), buf_cstr(&answers[way]));
            if (!shapes[k].reads && rows[way] > rows[0] * 2 / 3)
                fail_msg("%s [%s]: %llu rows read of %llu", queries[i / ARRAY_LEN(shapes)],
                         shapes[k].range, (unsigned long long)rows[way],
                         (unsigned long long)rows[0]);
        }
        for (int way = 0; way < 3; way++)
            buf_deinit(&answers[way]);
    }
}

/* --- parts of answers --- */

/* The limit that way number `i` has; all of them end the reading somewhere. */
static struct store_event_limits limits_of(size_t i)
{
    static const uint64_t rows[] = {1, 4000, 11000, 25000};
    struct store_event_limits l = {0};
    if (i == 0)
        l.deadline_ns = 1; /* long ago */
    else if (i % 2)
        l.scan_rows_max = rows[i / 2 % ARRAY_LEN(rows)];
    else
        l.scan_bytes_max = rows[i / 2 % ARRAY_LEN(rows)] * 2;
    return l;
}
#define LIMITS 9

static const struct logql_stream *same_stream(const struct logql_streams *r, struct data_labels l)
{
    for (size_t i = 0; i < r->count; i++) {
        if (data_labels_eq(r->streams[i].labels, l))
            return &r->streams[i];
    }
    return NULL;
}

/* What is there is the front of the whole answer, and all of it up to the edge that is told. */
static void check_lines(const struct logql_streams *whole, const struct logql_streams *part,
                        const struct logql_partial *p, bool forward)
{
    size_t found = 0;
    for (size_t i = 0; i < whole->count; i++) {
        const struct logql_stream *w = &whole->streams[i], *s = same_stream(part, w->labels);
        size_t n = s ? s->count : 0;
        found += s != NULL;
        assert_true(n <= w->count);
        for (size_t k = 0; k < w->count; k++) {
            if (k < n) {
                assert_true(w->entries[k].ts_ns == s->entries[k].ts_ns);
                assert_true(slice_eq(w->entries[k].line, s->entries[k].line));
            } else {
                assert_true(p->cut);
                assert_true(!p->has_edge || (forward ? w->entries[k].ts_ns >= p->edge_ns
                                                     : w->entries[k].ts_ns <= p->edge_ns));
            }
        }
    }
    assert_int_equal(found, part->count);
    if (p->cut && !p->has_edge)
        assert_int_equal(part->entry_count, 0);
}

static void parts_of_lines(void **state)
{
    struct store_world *w = *state;
    static const char *const queries[] = {"{app=~\".+\"} | json | n >= 0 | keep app",
                                          "{app=~\".+\"} |= \"JSON\"", "{app=\"beta\"}"};
    size_t cuts = 0, lines = 0;
    for (size_t q = 0; q < ARRAY_LEN(queries) * LIMITS * 4; q++) {
        struct arena *arena = arena_new(0, NULL);
        struct logql_partial partial = {0};
        struct logql_streams whole, part;
        struct logql_expr *e;
        struct logql_env env = {.source = store_events(w->store, DATA_EVENT_LOGS),
                                .tenant = SLICE("default"),
                                .pool = q & 1 ? w->pool : NULL};
        const struct logql_select select = {
            .start_ns = DAY, .end_ns = DAY + 86400 * NS_PER_SEC, .forward = q & 2};
        assert_int_equal(logql_parse(slice_cstr(queries[q / (4 * LIMITS)]), arena, &e, NULL), 0);
        assert_int_equal(logql_select_run(e, &select, &env, arena, &whole, NULL), 0);
        env.limits = limits_of(q / 4 % LIMITS);
        env.partial = &partial;
        assert_int_equal(logql_select_run(e, &select, &env, arena, &part, NULL), 0);
        check_lines(&whole, &part, &partial, select.forward);
        if (!partial.cut)
            assert_int_equal(part.entry_count, whole.entry_count);
        cuts += partial.cut;
        lines += partial.cut && part.entry_count;
        env.partial = NULL;
        /* An error without, unless threads began the last pieces before any of them was counted. */
        if (partial.cut && !logql_select_run(e, &select, &env, arena, &part, NULL)) {
            assert_non_null(env.pool);
            assert_int_equal(part.entry_count, whole.entry_count);
        }
        logql_expr_free(e);
        arena_free(arena);
    }
    assert_true(cuts > 20 && lines > 10);
}

/* Steps that are there have the value of the whole answer, and from exact_from on none is missing.
 */
static void check_numbers(const struct query_result *whole, const struct query_result *part,
                          const struct logql_partial *p)
{
    size_t i = 0;
    for (size_t k = 0; k < whole->series_count; k++) {
        const struct query_series *w = &whole->series[k], *s = NULL;
        if (i < part->series_count && data_labels_eq(part->series[i].labels, w->labels))
            s = &part->series[i++];
        size_t n = 0;
        for (size_t a = 0; a < w->count; a++) {
            struct query_point x = query_point_at(w, a);
            if (x.ts_ns < p->exact_from_ns)
                continue;
            assert_true(s && n < s->count);
            struct query_point y = query_point_at(s, n++);
            assert_true(x.ts_ns == y.ts_ns && x.value == y.value);
        }
        assert_true(!s || n == s->count);
    }
    assert_int_equal(i, part->series_count);
}

static void parts_of_numbers(void **state)
{
    struct store_world *w = *state;
    static const char *const queries[] = {
        "sum by (app) (count_over_time({app=~\".+\"} |~ \"JS.N\" [5m]))",
        "sum by (w) (sum_over_time({app=~\".+\"} | json | unwrap code | __error__=\"\" [3m] offset "
        "1m))",
        "sum(count_over_time({app=~\".+\"}[90s]))",
        "sum by (app) (count_over_time({app=\"beta\"} |= \"J\" [5m])) or sum by (app) "
        "(count_over_time({app=\"alpha\"} |= \"J\" [2m]))",
        "absent_over_time({app=\"beta\"} |= \"gamma\" |= \"300\" [1m])"};
    const struct query_steps steps = {
        .start_ns = DAY + 17, .end_ns = DAY + 5990 * NS_PER_SEC, .step_ns = 45 * NS_PER_SEC};
    size_t trimmed = 0;
    for (size_t q = 0; q < ARRAY_LEN(queries) * LIMITS * 2; q++) {
        struct arena *arena = arena_new(0, NULL);
        struct logql_partial partial = {0};
        struct query_result whole, part;
        struct query_plan *plan;
        struct logql_expr *e;
        struct logql_stats stats = {0};
        struct logql_env env = {.source = store_events(w->store, DATA_EVENT_LOGS),
                                .tenant = SLICE("default"),
                                .pool = q & 1 ? w->pool : NULL};
        const struct query_env qenv = {
            .tenant = SLICE("default"), .series_max = 1000, .pool = env.pool};
        assert_int_equal(logql_parse(slice_cstr(queries[q / (2 * LIMITS)]), arena, &e, NULL), 0);
        assert_int_equal(logql_plan(e, &steps, &env, arena, &plan, &stats, NULL), 0);
        assert_int_equal(query_run(plan, &qenv, arena, &whole, NULL), 0);
        env.limits = limits_of(q / 2 % LIMITS);
        env.partial = &partial;
        assert_int_equal(query_run(plan, &qenv, arena, &part, NULL), 0);
        logql_partial_trim(&partial, &steps, &part);
        trimmed += partial.trimmed;
        if (!partial.cut)
            partial.exact_from_ns = INT64_MIN;
        if (!partial.cut || partial.trimmed)
            check_numbers(&whole, &part, &partial);
        logql_expr_free(e);
        arena_free(arena);
    }
    assert_true(trimmed > 10);
}

/* Ids are found by the filters of groups, wherever they may be. */
static void ids_by_the_index(void **state)
{
    struct store_world *w = *state;
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    struct data_label l[] = {{SLICE("app"), SLICE("delta")},
                             {SLICE("trace_id"), SLICE("1f2e3d4c5b6a79880123456789abcdef")}};
    for (int i = 0; i < 500; i++) {
        data_event_batch_add_row(b, data_event_batch_add_stream(b, (struct data_labels){l, 2}),
                                 DAY + i * GAP);
        data_event_put(b, DATA_EVENT_LINE, data_value_string(SLICE("of this stream")));
    }
    store_world_append(w, b);
    store_world_flush(w);
    char by_bytes[33] = "", other[33] = "";
    uint64_t id[2] = {hash_u64(4200), hash_u64(4201)};
    for (int i = 0; i < 16; i++)
        snprintf(by_bytes + 2 * i, 3, "%02x", ((unsigned char *)id)[i]);
    memcpy(other, by_bytes, 32);
    other[0] = other[0] == '0' ? '1' : '0';
    const struct {
        const char *id, *op;
        size_t lines;
        bool skips;
    } cases[] = {
        {by_bytes, "=", 1, true},
        {other, "=", 0, true},
        {"order-5501", "=", 1, true},
        {"order-5502", "=", 0, true},
        {"1f2e3d4c5b6a79880123456789abcdef", "=", 500, false},
        {"1F2E3D4C5B6A79880123456789ABCDEF", "=", 0, true},
        {"order-5.01", "=~", 10, false},
        {"", "!=", 800 + 500 - 200, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char query[200];
        struct arena *arena = arena_new(0, NULL);
        const struct logql_env env = {.source = store_events(w->store, DATA_EVENT_LOGS),
                                      .tenant = SLICE("default")};
        const struct logql_select select = {.start_ns = DAY, .end_ns = DAY + 86400 * NS_PER_SEC};
        struct logql_expr *e;
        struct logql_streams r;
        snprintf(query, sizeof(query), "{app=~\".+\"} | trace_id%s\"%s\"", cases[i].op,
                 cases[i].id);
        assert_int_equal(logql_parse(slice_cstr(query), arena, &e, NULL), 0);
        assert_int_equal(logql_select_run(e, &select, &env, arena, &r, NULL), 0);
        if (r.entry_count != cases[i].lines)
            fail_msg("%s: %zu lines", query, r.entry_count);
        if (cases[i].skips && r.stats.scan.groups_opened > 1)
            fail_msg("%s: %d of %d groups", query, (int)r.stats.scan.groups_opened,
                     (int)r.stats.scan.groups);
        assert_true(r.stats.scan.groups > 3);
        logql_expr_free(e);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_on_all_threads, begin, end),
        cmocka_unit_test_setup_teardown(counts_are_those_of_rows, begin, end),
        cmocka_unit_test_setup_teardown(parts_of_lines, begin, end),
        cmocka_unit_test_setup_teardown(parts_of_numbers, begin, end),
        cmocka_unit_test_setup_teardown(ids_by_the_index, begin, end),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
