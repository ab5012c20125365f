/* PromQL: parse, print, plan and run over a handful of series. Any text ends in a result or an
 * error within its budget, and what is printed parses again. */
#include <math.h>
#include <stdlib.h>

#include "lang/promql/promql.h"
#include "store/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store_memory *make_source(void)
{
    struct store_memory *m = store_memory_new();
    static const char *const names[] = {"a", "b", "c_bucket"}, *const jobs[] = {"x", "y"};
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        for (size_t j = 0; j < ARRAY_LEN(jobs); j++) {
            struct data_label l[] = {{SLICE("__name__"), slice_cstr(names[n])},
                                     {SLICE("job"), slice_cstr(jobs[j])},
                                     {SLICE("le"), j ? SLICE("1") : SLICE("+Inf")}};
            for (int i = 0; i < 20; i++)
                store_memory_add(m, (struct data_labels){l, 3}, i * 15 * NS_PER_SEC,
                                 i % 7 == 6 ? NAN : (double)(i * (int)(n + 1) % 11), NULL);
        }
    }
    return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct store_memory *source;
    if (!source)
        source = make_source();
    if (size > 4000)
        return 0;
    struct budget memory;
    budget_init(&memory, NULL, 32 << 20, "limits.query.memory");
    struct arena *arena = arena_new(0, NULL), *run = arena_new(0, &memory);
    const struct promql_options options = {.experimental = true, .delayed_name_removal = size & 1};
    struct promql_expr *expr, *again;
    struct query_plan *plan;
    struct query_result result;
    struct diag d;
    diag_init(&d);
    if (!promql_parse(slice_make(data, size), &options, arena, &expr, &d)) {
        struct buf text = {0};
        promql_print(expr, &text);
        diag_init(&d);
        if (!promql_parse(buf_slice(&text), &options, arena, &again, &d))
            promql_expr_free(again);
        struct query_steps steps = {.start_ns = 100 * NS_PER_SEC,
                                    .end_ns = (100 + (int64_t)(size % 5) * 30) * NS_PER_SEC,
                                    .step_ns = 30 * NS_PER_SEC,
                                    .instant = size % 5 == 0};
        const struct query_env env = {.source = store_memory_face(source),
                                      .tenant = SLICE("default"),
                                      .samples_max = 20000,
                                      .memory = &memory};
        if (!promql_plan(expr, &steps, &options, arena, &plan, NULL)) {
            query_run(plan, &env, run, &result, NULL);
            buf_clear(&text);
            query_explain(plan, &text);
        }
        promql_expr_free(expr);
        buf_deinit(&text);
    }
    arena_free(run);
    arena_free(arena);
    return 0;
}
