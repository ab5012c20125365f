/* LogQL as a language of the multiplexed endpoint: numbers as columns, lines by stream. */
#include "api/loki/door_priv.h"
#include "api/prometheus/encode.h"
#include "api/query_multi.h"

#define LINES_DEFAULT 1000

static int bad(struct api_query *q, enum api_error kind)
{
    q->error = kind;
    q->has_error = true;
    return ERR_INVALID;
}

/* What is missing, as text in the query's arena; ptr NULL: nothing. */
static struct slice warning_of(struct api_query *q, const struct logql_partial *p)
{
    struct buf text = {0};
    if (p->cut)
        logql_partial_text(p, &text);
    struct slice own = p->cut ? arena_slice(q->plan_arena, buf_slice(&text)) : (struct slice){0};
    buf_deinit(&text);
    return own;
}

/* `,"kind":"streams","streams":[{"labels":{},"times":["<ns>"],"lines":[""]}]`: newest first. */
static int put_streams(struct api_query *q, const struct logql_streams *r, struct buf *out)
{
    buf_append_cstr(out, ",\"kind\":\"streams\",\"streams\":[");
    for (size_t i = 0; i < r->count; i++) {
        const struct logql_stream *s = &r->streams[i];
        buf_append_cstr(out, i ? ",{\"labels\":" : "{\"labels\":");
        api_encode_labels(s->labels, out);
        buf_append_cstr(out, ",\"times\":[");
        for (size_t k = 0; k < s->count; k++)
            buf_printf(out, k ? ",\"%lld\"" : "\"%lld\"", (long long)s->entries[k].ts_ns);
        buf_append_cstr(out, "],\"lines\":[");
        for (size_t k = 0; k < s->count; k++) {
            buf_append_cstr(out, k ? "," : "");
            codec_json_append_string(out, s->entries[k].line);
        }
        buf_append_cstr(out, "]}");
    }
    buf_append_char(out, ']');
    return 0;
}

static int run_lines(struct api_query *q, const struct logql_expr *expr,
                     const struct logql_env *env, struct buf *out, struct diag *diag)
{
    /* The last step is part of the range. */
    const struct logql_select select = {.start_ns = q->steps.start_ns,
                                        .end_ns = q->steps.end_ns + q->steps.step_ns,
                                        .limit = q->limit ? q->limit : LINES_DEFAULT};
    struct logql_streams lines;
    int err = logql_select_run(expr, &select, env, q->arena, &lines, diag);
    q->used.samples_read = lines.stats.scan.rows_scanned;
    if (err == ERR_INVALID)
        return bad(q, API_EXECUTION);
    struct slice warning = env->partial ? warning_of(q, env->partial) : (struct slice){0};
    if (!err && warning.ptr) {
        buf_append_cstr(out, ",\"warnings\":[");
        codec_json_append_string(out, warning);
        buf_append_char(out, ']');
    }
    if (!err && q->taker)
        return q->taker->lines(q->taker, q, &lines, diag);
    return err ? err : put_streams(q, &lines, out);
}

static int run_numbers(struct api_query *q, const struct logql_expr *expr,
                       const struct logql_env *env, struct arena *arena, struct buf *out,
                       struct diag *diag)
{
    struct logql_stats stats = {0};
    struct query_result result = {0};
    struct query_plan *plan;
    int err = logql_plan(expr, &q->steps, env, arena, &plan, &stats, diag);
    if (err)
        return err == ERR_INVALID ? bad(q, API_BAD_DATA) : err;
    if (q->explain) {
        struct buf text = {0};
        query_explain(plan, &text);
        buf_append_cstr(out, ",\"plan\":");
        codec_json_append_string(out, buf_slice(&text));
        buf_deinit(&text);
        return 0;
    }
    err = query_run(plan, &q->env, q->arena, &result, diag);
    q->used.samples_read = stats.scan.rows_scanned;
    if (err == ERR_INVALID)
        return bad(q, API_EXECUTION);
    if (err || !env->partial || !env->partial->cut)
        return err ? err : api_put_columns(q, &result, out, diag);
    logql_partial_trim(env->partial, &q->steps, &result);
    struct slice warning = warning_of(q, env->partial);
    result.warnings = &warning; /* LogQL has no others */
    result.warning_count = 1;
    return api_put_columns(q, &result, out, diag);
}

static int run(struct api_query *q, struct buf *out, struct diag *diag)
{
    struct api_host *host = q->api->host;
    struct logql_partial partial = {0};
    struct logql_env env = {.source = q->api->logs,
                            .tenant = q->tenant,
                            .pool = q->env.pool,
                            .limits = {.memory = q->env.memory,
                                       .scan_rows_max = (uint64_t)q->limits.log_scan_rows,
                                       .scan_rows_setting = "limits.logs.scan_rows",
                                       .scan_bytes_max = (uint64_t)q->limits.log_scan_bytes,
                                       .scan_bytes_setting = "limits.logs.scan_bytes",
                                       .deadline_ns = q->env.deadline_ns,
                                       .deadline_setting = "limits.query.timeout",
                                       .cancelled = q->env.cancelled},
                            .now_ns = host->now_ns(host->ctx)};
    struct logql_expr *expr = NULL;
    struct diag why;
    if (q->partial)
        loki__allow_partial(&env, &partial);
    if (q->partial && q->env.deadline_ns)
        q->env.deadline_ns = loki__partial_deadline_ns(q->env.deadline_ns);
    diag_init(&why);
    if (!q->api->logs)
        return diag_set(diag, ERR_UNSUPPORTED, "this Pharos has no store for logs");
    struct arena *arena = q->plan_arena;
    if (logql_parse(q->text, arena, &expr, &why)) {
        struct buf text = {0};
        logql_error_text(&why, &text);
        diag_set(diag, ERR_INVALID, "%s", buf_cstr(&text));
        buf_deinit(&text);
        return bad(q, API_BAD_DATA);
    }
    bool lines = logql_is_log(expr);
    int err;
    if (lines && q->steps.instant) {
        diag_set(diag, ERR_INVALID, "a log query wants a range: start and end");
        err = bad(q, API_BAD_DATA);
    } else if (lines && q->explain) {
        struct buf text = {0};
        err = logql_select_explain(expr, arena, &text, diag);
        err = err == ERR_INVALID ? bad(q, API_BAD_DATA) : err;
        if (!err) {
            buf_append_cstr(out, ",\"plan\":");
            codec_json_append_string(out, buf_slice(&text));
        }
        buf_deinit(&text);
    } else if (lines) {
        err = run_lines(q, expr, &env, out, diag);
    } else {
        err = run_numbers(q, expr, &env, arena, out, diag);
    }
    logql_expr_free(expr);
    return err;
}

const struct api_language api_language_logql = {"logql", "loki", run};
