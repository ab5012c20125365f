/* PromQL as a language of the multiplexed endpoint. */
#include <stdlib.h>

#include "api/prometheus/door_priv.h"
#include "api/prometheus/encode.h"
#include "api/query_multi.h"
#include "lang/promql/promql.h"

static int bad(struct api_query *q, enum api_error kind)
{
    q->error = kind;
    q->has_error = true;
    return ERR_INVALID;
}

static int parse(struct api_query *q, struct promql_options *options, struct promql_expr **out,
                 struct diag *diag)
{
    struct buf text = {0};
    struct diag why;
    diag_init(&why);
    *options =
        (struct promql_options){.experimental = q->limits.promql_experimental,
                                .nesting = (unsigned)q->limits.query_nesting,
                                .delayed_name_removal = q->limits.promql_delayed_name_removal,
                                .lookback_ns = q->limits.lookback_ns};
    int err = promql_parse(q->text, options, q->plan_arena, out, &why);
    if (!err)
        return 0;
    promql_error_text(&why, &text);
    diag_set(diag, err, "invalid parameter \"query\": %s", buf_cstr(&text));
    buf_deinit(&text);
    return err == ERR_INVALID ? bad(q, API_BAD_DATA) : err;
}

/* --- exemplars --- */

struct find {
    struct api_query *q;
    VEC(struct store_exemplar) rows;
    int err;
    struct diag *diag;
};

static void find_exemplars(void *ctx, const struct store_matcher *matchers, size_t count)
{
    struct find *f = ctx;
    struct api_query *q = f->q;
    struct store_select_req req = {.tenant = q->tenant,
                                   .t_min_ns = q->steps.start_ns,
                                   .t_max_ns = q->steps.end_ns,
                                   .matchers = matchers,
                                   .matcher_count = count,
                                   .series_max = q->env.series_max,
                                   .memory = q->env.memory,
                                   .cancelled = q->env.cancelled};
    struct store_exemplar *rows;
    size_t n;
    if (f->err)
        return;
    f->err = q->env.source->ops->exemplars(q->env.source, &req, q->arena, &rows, &n, f->diag);
    for (size_t i = 0; !f->err && i < n; i++)
        vec_push(&f->rows, rows[i]);
}

static int compare(const void *pa, const void *pb)
{
    const struct store_exemplar *a = pa, *b = pb;
    int c = data_labels_cmp(a->series, b->series);
    return c ? c : (a->ts_ns > b->ts_ns) - (a->ts_ns < b->ts_ns);
}

static void put_exemplar(const struct store_exemplar *e, struct buf *out)
{
    buf_append_cstr(out, "{\"labels\":");
    api_encode_labels(e->labels, out);
    buf_append_cstr(out, ",\"value\":");
    api_put_number(e->value, out);
    buf_printf(out, ",\"time\":%lld}", (long long)(e->ts_ns / NS_PER_MS));
}

static int put_exemplars(struct api_query *q, const struct promql_expr *expr, struct buf *out,
                         struct diag *diag)
{
    struct find f = {.q = q, .diag = diag};
    promql_each_selector(expr, find_exemplars, &f);
    if (f.rows.len)
        qsort(f.rows.items, f.rows.len, sizeof(*f.rows.items), compare);
    buf_append_cstr(out, ",\"exemplars\":[");
    for (size_t i = 0; i < f.rows.len && !f.err; i++) {
        const struct store_exemplar *e = &f.rows.items[i], *before = i ? e - 1 : NULL;
        bool same_series = before && !data_labels_cmp(e->series, before->series);
        if (same_series && e->ts_ns == before->ts_ns && e->value == before->value)
            continue; /* two selectors may name the same series */
        if (same_series) {
            buf_append_char(out, ',');
        } else {
            buf_append_cstr(out, i ? "]},{\"labels\":" : "{\"labels\":");
            api_encode_labels(e->series, out);
            buf_append_cstr(out, ",\"exemplars\":[");
        }
        put_exemplar(e, out);
    }
    buf_append_cstr(out, f.rows.len ? "]}]" : "]");
    vec_free(&f.rows);
    return f.err;
}

static void put_plan(const struct query_plan *plan, struct buf *out)
{
    struct buf text = {0};
    query_explain(plan, &text);
    buf_append_cstr(out, ",\"plan\":");
    codec_json_append_string(out, buf_slice(&text));
    buf_deinit(&text);
}

static int plan_query(struct api_query *q, struct promql_options *options,
                      struct promql_expr **out_expr, struct query_plan **out, struct diag *diag)
{
    struct diag why;
    diag_init(&why);
    int err = parse(q, options, out_expr, diag);
    if (!err && promql_plan(*out_expr, &q->steps, options, q->plan_arena, out, &why)) {
        diag_set(diag, why.code, "invalid parameter \"query\": %s", why.msg);
        err = why.code == ERR_INVALID ? bad(q, API_BAD_DATA) : why.code;
    }
    return err;
}

static int run_plan(struct api_query *q, const struct query_plan *plan, struct query_result *out,
                    struct diag *diag)
{
    int err = query_run(plan, &q->env, q->arena, out, diag);
    return err == ERR_INVALID ? bad(q, API_EXECUTION) : err; /* the query is well formed */
}

static int run_kept(struct api_query *q, const struct promql_expr *expr,
                    const struct promql_options *options, struct query_result *out,
                    struct diag *diag)
{
    int err =
        api__prom_run_kept(q->api, expr, q->text, options, &q->steps, &q->env, q->arena, out, diag);
    return err == ERR_INVALID ? bad(q, API_EXECUTION) : err;
}

static int run(struct api_query *q, struct buf *out, struct diag *diag)
{
    struct promql_expr *expr = NULL;
    struct query_plan *plan = NULL;
    struct query_result result = {0};
    struct promql_options options;
    int err = plan_query(q, &options, &expr, &plan, diag);
    if (!err && q->explain) {
        put_plan(plan, out);
    } else if (!err) {
        /* What was answered a moment ago is gone on with; statistics are of the whole. */
        err = q->stats ? run_plan(q, plan, &result, diag)
                       : run_kept(q, expr, &options, &result, diag);
        if (!err)
            err = api_put_columns(q, &result, out, diag);
        if (!err && q->exemplars)
            err = put_exemplars(q, expr, out, diag);
    }
    promql_expr_free(expr);
    return err;
}

static void expect(struct api_query *q)
{
    struct promql_expr *expr = NULL;
    struct query_plan *plan = NULL;
    struct promql_options options;
    if (!plan_query(q, &options, &expr, &plan, NULL))
        query_shared_expect(q->env.shared, plan);
    promql_expr_free(expr);
}

const struct api_language api_language_promql = {"promql", "prometheus", run, expect};
