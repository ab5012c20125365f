/* What `json` and `logfmt` find is told by the shapes of lines where a store keeps these as
 * columns: the answers are those of parsing each line, whatever the lines are, faults included. */
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/log.h"
#include "lang/logql/run.h"
#include "memory_events.h"
#include "store_world.h"

#define DAY      (1700006400 * NS_PER_SEC) /* begins */
#define FAMILIES 10
#define LINES    4500
#define GAP      (NS_PER_SEC / 3)

static uint64_t state_now;
static unsigned below(unsigned n)
{
    state_now = hash_u64(state_now + 0x9e3779b97f4a7c15);
    return (unsigned)(state_now % n);
}

/* --- lines --- */

enum kind { CODE, NUMBER, DECIMAL, HEX, WORD, TEXT, TRUTH, NULLS, ODD, INNER, LIST, EMPTY, KINDS };

static const char *const names[] = {"status", "n",    "lat", "id",  "w",      "msg",
                                    "app",    "meta", "a.b", "a_b", "status", "user_2"};

/* What all lines of a family have; how often a value is not as the others are. */
struct family {
    bool json;
    unsigned count, dirt;
    enum kind kinds[8];
    const char *keys[8];
    const char *before, *after;
};

static struct family family(void)
{
    static const char *const ends[] = {"", "", "", "", " ", " x", ","};
    struct family f = {.json = below(5) > 1, .count = 2 + below(6)};
    static const unsigned dirts[] = {0, 0, 0, 3, 400};
    f.dirt = dirts[below(ARRAY_LEN(dirts))];
    for (unsigned i = 0; i < f.count; i++) {
        f.kinds[i] = (enum kind)below(below(3) ? ODD : KINDS);
        f.keys[i] = names[below(3) ? i : below(ARRAY_LEN(names))];
    }
    f.before = f.json || below(3) ? "" : "2024-01-02T03:04:05Z start ";
    f.after = ends[below(ARRAY_LEN(ends))];
    return f;
}

static void put_value(struct buf *out, enum kind kind, bool json)
{
    static const char *const words[] = {"alpha", "beta", "gamma/3", "x=1", "true"};
    static const char *const odd[] = {"\\\"", "\\u00e9", "\xff",   "\xc3\xa4", "\\\\", "\\x",
                                      "",     "null",    "-0",     "01",       "1e5",  "\t",
                                      "a b",  "=",       "\"q\" ", "5ms"};
    static const char *const scalars[] = {"01", "1e5", "-", "nul", "1.", "\"t\"", "-0", "12ms", ""};
    const char *quote = json || below(3) == 0 ? "\"" : "";
    switch (kind) {
    case CODE: buf_printf(out, "%u", 200 + 100 * below(4)); break;
    case NUMBER: buf_printf(out, "%d", (int)below(100000) - 2000); break;
    case DECIMAL: buf_printf(out, "%u.%02u", below(400), below(100)); break;
    case HEX:
        buf_printf(out, "%s%016llx%s", json ? "\"" : "",
                   (unsigned long long)hash_u64(below(1 << 30)), json ? "\"" : "");
        break;
    case WORD: buf_printf(out, "\"%s\"", words[below(ARRAY_LEN(words))]); break;
    case TEXT:
        buf_printf(out, "\"took %u ms for %s %c%c\"", below(500), words[below(3)], 'a' + below(26),
                   'a' + below(26));
        break;
    case TRUTH: buf_append_cstr(out, below(2) ? "true" : "false"); break;
    case NULLS: buf_printf(out, below(3) ? "%u" : "null", below(50)); break;
    case ODD:
        if (json && below(2))
            buf_append_cstr(out, scalars[below(ARRAY_LEN(scalars))]);
        else
            buf_printf(out, "%s%s%s", quote, odd[below(ARRAY_LEN(odd))], quote);
        break;
    case INNER:
        buf_printf(out, json ? "{\"b\":%u,\"c\":\"%s\"}" : "%u%s", below(9), words[below(2)]);
        break;
    case LIST:
        buf_printf(out, json ? "[%u,\"%s\"]" : "\"%u,%s\"", below(9), words[below(2)]);
        break;
    default: buf_append_cstr(out, "\"\""); break;
    }
}

static void put_line(struct buf *out, const struct family *f)
{
    buf_append_cstr(out, f->before);
    if (f->json)
        buf_append_char(out, '{');
    for (unsigned i = 0; i < f->count; i++) {
        enum kind kind = f->dirt && !below(f->dirt) ? ODD : f->kinds[i];
        if (i)
            buf_append_char(out, f->json ? ',' : ' ');
        buf_printf(out, f->json ? "\"%s\":" : "%s=", f->keys[i]);
        put_value(out, kind, f->json);
    }
    if (f->json && (!f->dirt || below(f->dirt)))
        buf_append_char(out, '}');
    buf_append_cstr(out, f->after);
}

/* --- both sources --- */

struct world {
    struct store_world of;
    struct memory_events *memory;
};

static void fill(struct world *w)
{
    struct family families[FAMILIES];
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    struct buf line = {0};
    for (int i = 0; i < FAMILIES; i++)
        families[i] = family();
    for (uint32_t i = 0; i < LINES; i++) {
        unsigned app = below(3);
        char labels[40], metadata[40];
        bool has_app = below(4) == 0, has_meta = below(4) == 0;
        int64_t ts = DAY + (int64_t)i * GAP + 1;
        snprintf(labels, sizeof(labels), has_app ? "job=j%u,app=x" : "job=j%u", app);
        snprintf(metadata, sizeof(metadata), has_meta ? "meta=m%u" : "%.0u", below(3) * has_meta);
        buf_clear(&line);
        put_line(&line, &families[below(FAMILIES)]);
        memory_events_add(w->memory, labels, ts, buf_cstr(&line), metadata);
        char job[4] = {'j', (char)('0' + app), 0};
        struct data_label l[] = {{SLICE("app"), SLICE("x")}, {SLICE("job"), slice_cstr(job)}};
        data_event_batch_add_row(b,
                                 data_event_batch_add_stream(
                                     b, (struct data_labels){has_app ? l : l + 1, has_app ? 2 : 1}),
                                 ts);
        data_event_put(b, DATA_EVENT_LINE,
                       data_value_string(data_event_batch_copy(b, buf_slice(&line))));
        if (has_meta) {
            uint32_t field = data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("meta"));
            data_event_put(b, field,
                           data_value_string(data_event_batch_copy(b, slice_cstr(metadata + 5))));
        }
    }
    store_world_append(&w->of, b);
    store_world_flush(&w->of);
    buf_deinit(&line);
}

static void world_new(struct world *w)
{
    store_world_begin(&w->of, DAY + 86400 * NS_PER_SEC, 3);
    w->memory = memory_events_new();
    memory_events_set_morsel(w->memory, 4096);
    fill(w);
}

static void world_free(struct world *w)
{
    store_world_end(&w->of);
    memory_events_free(w->memory);
}

/* --- questions --- */

static struct store_event_source *source_of(struct world *w, int way)
{
    return way ? memory_events_face(w->memory) : store_events(w->of.store, DATA_EVENT_LOGS);
}

static uint64_t numbers(struct world *w, int way, const char *query, struct buf *out)
{
    struct arena *arena = arena_new(0, NULL);
    struct task_pool *pool = way ? NULL : w->of.pool;
    const struct logql_env env = {
        .source = source_of(w, way), .tenant = SLICE("default"), .pool = pool};
    const struct query_env qenv = {.tenant = SLICE("default"), .series_max = 20000, .pool = pool};
    const struct query_steps steps = {.start_ns = DAY + 100 * NS_PER_SEC,
                                      .end_ns = DAY + 3000 * NS_PER_SEC,
                                      .step_ns = 290 * NS_PER_SEC};
    struct logql_expr *e;
    struct query_plan *plan;
    struct query_result r = {0};
    struct logql_stats stats = {0};
    struct diag d;
    diag_init(&d);
    if (logql_parse(slice_cstr(query), arena, &e, &d))
        fail_msg("%s: %s", query, d.msg);
    int err = logql_plan(e, &steps, &env, arena, &plan, &stats, &d);
    err = err ? err : query_run(plan, &qenv, arena, &r, &d);
    /* Which of the faulty lines is told depends on the order. */
    buf_printf(out, "%d\n", err);
    for (size_t i = 0; i < r.series_count && !err; i++) {
        for (size_t k = 0; k < r.series[i].labels.count; k++)
            buf_printf(out, "%.*s=%.*s ", SLICE_FMT(r.series[i].labels.items[k].name),
                       SLICE_FMT(r.series[i].labels.items[k].value));
        for (size_t k = 0; k < r.series[i].count; k++) {
            struct query_point p = query_point_at(&r.series[i], k);
            buf_printf(out, "%lld:%.10g ", (long long)p.ts_ns, p.value);
        }
        buf_append_char(out, '\n');
    }
    logql_expr_free(e);
    arena_free(arena);
    return stats.scan.lines_told;
}

static uint64_t lines(struct world *w, int way, const char *query, uint64_t limit, struct buf *out)
{
    struct arena *arena = arena_new(0, NULL);
    const struct logql_env env = {
        .source = source_of(w, way), .tenant = SLICE("default"), .pool = way ? NULL : w->of.pool};
    const struct logql_select select = {
        .start_ns = DAY, .end_ns = DAY + 86400 * NS_PER_SEC, .limit = limit};
    struct logql_expr *e;
    struct logql_streams r;
    struct diag d;
    diag_init(&d);
    if (logql_parse(slice_cstr(query), arena, &e, &d))
        fail_msg("%s: %s", query, d.msg);
    assert_int_equal(logql_select_run(e, &select, &env, arena, &r, &d), 0);
    for (size_t i = 0; i < r.count; i++) {
        for (size_t k = 0; k < r.streams[i].labels.count; k++)
            buf_printf(out, "%.*s=%.*s ", SLICE_FMT(r.streams[i].labels.items[k].name),
                       SLICE_FMT(r.streams[i].labels.items[k].value));
        for (size_t k = 0; k < r.streams[i].count; k++)
            buf_printf(out, "%lld:%.*s\n", (long long)r.streams[i].entries[k].ts_ns,
                       SLICE_FMT(r.streams[i].entries[k].line));
    }
    logql_expr_free(e);
    arena_free(arena);
    return r.stats.scan.lines_told;
}

/* %s: json, logfmt and the like. */
static const char *const metric_queries[] = {
    "sum by (status) (count_over_time({job=~\".+\"} | %s [5m]))",
    "sum by (status, w, app) (count_over_time({job=~\".+\"} | %s [5m]))",
    "sum by (a_b, a_b_c, msg_b) (count_over_time({job=~\".+\"} | %s [5m]))",
    "sum by (meta, n) (count_over_time({job=\"j1\"} | %s [5m]))",
    "sum by (msg) (rate({job=~\".+\"} | %s | __error__=\"\" [5m]))",
    "sum by (__error__) (count_over_time({job=~\".+\"} | %s | __error__!=\"\" [5m]))",
    "sum by (app_extracted) (count_over_time({job=~\".+\"} | %s | __error__=\"\" [5m]))",
    "sum by (w) (count_over_time({job=~\".+\"} | %s | status >= 300 and lat < 200 [5m]))",
    "sum by (w) (count_over_time({job=~\".+\"} | %s | lat < 200, status=400 | __error__=\"\" "
    "[5m]))",
    ("sum by (status) (count_over_time({job=~\".+\"} | %s | w=~\"alpha|x.*\" or n > 5 | "
     "app=\"x\" [5m]))"),
    "sum by (status) (count_over_time({job=~\".+\"} | %s | app=\"x\" | meta!=\"m1\" [5m]))",
    "sum by (user_2) (count_over_time({job=~\".+\"} |= \"alpha\" | %s | drop w [5m]))",
    "sum by (w) (sum_over_time({job=~\".+\"} | %s | unwrap n | __error__=\"\" [5m]))",
    "max_over_time({job=~\".+\"} | %s | __error__=\"\" | unwrap lat [5m]) by (app)",
    "quantile_over_time(0.9, {job=~\".+\"} | %s | unwrap lat [5m]) by (status)",
    "avg_over_time({job=\"j2\"} | %s | keep meta, lat | unwrap lat [5m]) by (meta)",
};
static const char *const line_queries[] = {
    "{job=~\".+\"} | %s | status=400 and lat > 100",
    "{job=~\".+\"} | %s | w=\"alpha\" | n > 90000",
    "{job=~\".+\"} | %s | __error__!=\"\"",
    "{job=~\".+\"} | %s | lat > 100 | __error__!=\"\"",
    "{job=~\".+\"} | %s | app=\"x\" | meta=\"m2\" | line_format \"{{.status}}\"",
    "{job=~\".+\"} | %s | msg=~\"took 4.*\"",
};
static const char *const parsers[] = {
    "json",
    "logfmt",
    "logfmt --strict",
    "logfmt --keep-empty",
    "json status=\"status\", w=\"w\", lat=\"lat\", n=\"n\"",
    "json a_b=\"msg.b\", status=\"a.b\", w=\"[\\\"a.b\\\"]\", n=\"n[0]\", lat=\"lat\"",
    "logfmt w=\"w\", status=\"a_b\", lat, n",
};

static void answers_are_those_of_parsing(void **state)
{
    (void)state;
    uint64_t told = 0;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct world w;
        state_now = seed * 7919;
        world_new(&w);
        for (size_t q = 0; q < ARRAY_LEN(metric_queries) + ARRAY_LEN(line_queries); q++) {
            bool metric = q < ARRAY_LEN(metric_queries);
            for (size_t k = 0; k < ARRAY_LEN(parsers); k++) {
                struct buf a = {0}, b = {0};
                char query[400];
                snprintf(query, sizeof(query),
                         metric ? metric_queries[q] : line_queries[q - ARRAY_LEN(metric_queries)],
                         parsers[k]);
                told += metric ? numbers(&w, 0, query, &a) : lines(&w, 0, query, 0, &a);
                if (metric)
                    numbers(&w, 1, query, &b);
                else
                    lines(&w, 1, query, 0, &b);
                if (!slice_eq(buf_slice(&a), buf_slice(&b)))
                    fail_msg("seed %d, %s:\n%.3000s\n--- by parsing:\n%.3000s", (int)seed, query,
                             buf_cstr(&a), buf_cstr(&b));
                buf_clear(&a);
                buf_clear(&b);
                if (!metric) {
                    lines(&w, 0, query, 20, &a);
                    lines(&w, 1, query, 20, &b);
                    if (!slice_eq(buf_slice(&a), buf_slice(&b)))
                        fail_msg("seed %d, %s, 20 lines", (int)seed, query);
                }
                buf_deinit(&a);
                buf_deinit(&b);
            }
        }
        world_free(&w);
    }
    printf("# %llu told\n", (unsigned long long)told);
    assert_true(told > 20 * LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_parsing),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
