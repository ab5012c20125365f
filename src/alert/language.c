#include "alert/language.h"

#include "alert/group.h"
#include "lang/logql/run.h"

static int fail_parse(void (*words)(const struct diag *diag, struct buf *out), struct diag *diag,
                      int err)
{
    struct buf text = {0};
    words(diag, &text);
    diag_init(diag);
    diag_set(diag, err, "%s", buf_cstr(&text));
    buf_deinit(&text);
    return err;
}

/* --- PromQL --- */

static int promql_tree(struct slice text, const struct promql_options *promql, struct arena *arena,
                       void **out, struct diag *diag)
{
    struct promql_expr *expr = NULL;
    int err = promql_parse(text, promql, arena, &expr, diag);
    *out = expr;
    return err ? fail_parse(promql_error_text, diag, err) : 0;
}

static void promql_text(const void *tree, struct buf *out)
{
    promql_print(tree, out);
}

static void promql_free(void *tree)
{
    promql_expr_free(tree);
}

static void promql_selectors(const void *tree,
                             void (*each)(void *ctx, const struct store_matcher *matchers,
                                          size_t count),
                             void *ctx)
{
    promql_each_selector(tree, each, ctx);
}

static int promql_lower(const void *tree, const struct alert_env *env,
                        const struct query_env *query, const struct query_steps *steps,
                        struct arena *arena, struct query_plan **out, struct diag *diag)
{
    (void)query;
    return promql_plan(tree, steps, &env->promql, arena, out, diag);
}

const struct alert_language alert_promql = {.name = "promql",
                                            .parse = promql_tree,
                                            .print = promql_text,
                                            .free = promql_free,
                                            .each_selector = promql_selectors,
                                            .plan = promql_lower};

/* --- LogQL --- */

static int logql_tree(struct slice text, const struct promql_options *promql, struct arena *arena,
                      void **out, struct diag *diag)
{
    struct logql_expr *expr = NULL;
    (void)promql;
    int err = logql_parse(text, arena, &expr, diag);
    if (err)
        return fail_parse(logql_error_text, diag, err);
    if (logql_is_log(expr)) {
        logql_expr_free(expr);
        return diag_set(diag, ERR_INVALID,
                        "the expression gives log lines; a rule needs numbers, such as "
                        "sum(count_over_time(%.*s [5m]))",
                        SLICE_FMT(slice_first(text, 200)));
    }
    *out = expr;
    return 0;
}

static void logql_text(const void *tree, struct buf *out)
{
    logql_print(tree, out);
}

static void logql_free(void *tree)
{
    logql_expr_free(tree);
}

static int logql_lower(const void *tree, const struct alert_env *env, const struct query_env *query,
                       const struct query_steps *steps, struct arena *arena,
                       struct query_plan **out, struct diag *diag)
{
    if (!env->logs)
        return diag_set(diag, ERR_UNSUPPORTED, "there are no log lines here to ask");
    struct logql_env *own = ARENA_NEW(arena, struct logql_env);
    struct logql_stats *stats = ARENA_NEW(arena, struct logql_stats);
    *own = (struct logql_env){.source = env->logs,
                              .tenant = env->tenant,
                              .pool = env->pool,
                              .limits = {.memory = query->memory,
                                         .scan_rows_max = env->log_rows_max,
                                         .scan_rows_setting = "limits.logs.scan_rows",
                                         .scan_bytes_max = env->log_bytes_max,
                                         .scan_bytes_setting = "limits.logs.scan_bytes",
                                         .deadline_ns = query->deadline_ns,
                                         .cancelled = env->cancelled},
                              .now_ns = steps->end_ns};
    return logql_plan(tree, steps, own, arena, out, stats, diag);
}

const struct alert_language alert_logql = {.name = "logql",
                                           .parse = logql_tree,
                                           .print = logql_text,
                                           .free = logql_free,
                                           .plan = logql_lower};

const struct alert_language *alert_language_find(struct slice name)
{
    static const struct alert_language *const all[] = {&alert_promql, &alert_logql};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (slice_eq_cstr(name, all[i]->name))
            return all[i];
    }
    return NULL;
}
