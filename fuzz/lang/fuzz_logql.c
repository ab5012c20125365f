/* LogQL: parse, print, plan and run over a handful of lines. Any text ends in an answer or an error
 * within its budget, and what is printed reads as the same. */
#include <stdlib.h>

#include "../../tests/lang/memory_events.h"
#include "lang/logql/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct memory_events *make_source(void)
{
    static const char *const lines[] = {
        "a=1 b=\"x y\" c= d=5ms e=10KB ip=10.0.0.1",
        "{\"a\":1,\"b\":\"x\",\"c\":{\"d\":[1,\"\\u00e4\"]},\"_entry\":\"in=1\"}",
        "10.0.0.1 - \"GET /x?y=1\" 200 [2001:db8::1]",
        "\x1b[31mred\x1b[0m {{ broken \" = = ",
        "",
    };
    struct memory_events *m = memory_events_new();
    for (int i = 0; i < 20; i++)
        memory_events_add(m, i % 2 ? "a=x,b=y" : "a=x", i * 7 * NS_PER_SEC,
                          lines[i % ARRAY_LEN(lines)], i % 3 ? "level=info,d=7" : NULL);
    return m;
}

static void run(const struct logql_expr *e, size_t size)
{
    static struct memory_events *source;
    if (!source)
        source = make_source();
    struct budget memory;
    budget_init(&memory, NULL, 32 << 20, "limits.query.memory");
    struct arena *arena = arena_new(0, &memory), *plans = arena_new(0, NULL);
    const struct logql_env env = {.source = memory_events_face(source), .tenant = SLICE("default")};
    struct logql_streams streams;
    struct diag d;
    diag_init(&d);
    if (logql_is_log(e)) {
        const struct logql_select select = {.start_ns = 0,
                                            .end_ns = 1000 * NS_PER_SEC,
                                            .limit = size % 7,
                                            .forward = size & 1,
                                            .categorize = size & 2};
        logql_select_run(e, &select, &env, arena, &streams, &d);
    } else {
        const struct query_steps steps = {.start_ns = 60 * NS_PER_SEC,
                                          .end_ns = (60 + (int64_t)(size % 5) * 30) * NS_PER_SEC,
                                          .step_ns = 30 * NS_PER_SEC,
                                          .instant = size % 5 == 0};
        const struct query_env qenv = {
            .tenant = SLICE("default"), .memory = &memory, .series_max = 50};
        struct query_plan *plan;
        struct query_result result;
        struct logql_stats stats = {0};
        struct buf text = {0};
        if (!logql_plan(e, &steps, &env, plans, &plan, &stats, &d)) {
            query_run(plan, &qenv, arena, &result, &d);
            query_explain(plan, &text);
        }
        buf_deinit(&text);
    }
    arena_free(arena);
    arena_free(plans);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 2000)
        return 0;
    struct arena *arena = arena_new(0, NULL);
    struct logql_expr *expr, *again;
    struct buf text = {0}, second = {0};
    struct diag d;
    diag_init(&d);
    if (!logql_parse(slice_make(data, size), arena, &expr, &d)) {
        logql_print(expr, &text);
        diag_init(&d);
        /* Numbers that are none (1/0) print as no literal. */
        if (!logql_parse(buf_slice(&text), arena, &again, &d)) {
            logql_print(again, &second);
            if (!slice_eq(buf_slice(&text), buf_slice(&second)))
                abort();
            logql_expr_free(again);
        }
        buf_clear(&text);
        logql_format(expr, &text);
        run(expr, size);
        logql_expr_free(expr);
    } else {
        logql_error_text(&d, &text);
    }
    buf_deinit(&text);
    buf_deinit(&second);
    arena_free(arena);
    return 0;
}
