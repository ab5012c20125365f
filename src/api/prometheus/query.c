/* query, query_range, and EXPLAIN: parameters -> promql -> query -> JSON in steps. */
#include <stdio.h>

#include "api/job.h"
#include "api/params.h"
#include "api/prometheus/door_priv.h"
#include "api/prometheus/encode.h"
#include "lang/promql/promql.h"

#define POINTS_A_STEP   4096 /* encoded between two looks at the buffer */
#define ANNOTATIONS_MAX 10
/* Times beyond this (years 1823..2116) are taken as this, so that sums of them fit. */
#define TIME_FAR_NS (INT64_C(1) << 62)

struct query_state {
    struct slice text;
    struct query_steps steps;
    struct promql_options options;
    size_t limit;
    bool cached; /* answers may come from the cache and go into it */
    bool stats, step_stats, explain;
    struct slice odd_stats; /* a value of `stats` that Prometheus means to refuse one day */

    struct promql_expr *expr, *count_expr;
    struct query_result result;
    bool cut;
    int64_t run_ns, wait_ns;
    struct query_result samples; /* looked at, one value a step; none: they were not counted */
    size_t series, point;        /* the next to be encoded */
    enum { PART_FLOATS, PART_HISTOGRAMS } part;
    bool part_begun, series_begun;
};

static int64_t monotonic(void *ctx)
{
    (void)ctx;
    return api__monotonic_ns();
}

/* --- encoding --- */

static void put_point(struct query_point p, struct buf *out)
{
    buf_append_char(out, '[');
    api_encode_time(p.ts_ns, out);
    buf_append_char(out, ',');
    if (p.histogram)
        api_encode_histogram(p.histogram, out);
    else
        api_encode_value(p.value, out);
    buf_append_char(out, ']');
}

struct put_list {
    struct buf *out;
    const char *key;
    bool any;
};

static void put_string(struct put_list *list, struct slice text)
{
    if (list->any)
        buf_append_char(list->out, ',');
    else
        buf_printf(list->out, ",\"%s\":[", list->key);
    list->any = true;
    codec_json_append_string(list->out, text);
}

/* Annotations of the query; too many are counted instead. */
static void put_annotations(struct put_list *list, const struct slice *texts, size_t count,
                            const char *kind)
{
    size_t shown = MIN(count, (size_t)ANNOTATIONS_MAX);
    char more[64];
    for (size_t i = 0; i < shown; i++)
        put_string(list, texts[i]);
    if (count > shown) {
        snprintf(more, sizeof(more), "%zu more %s annotations omitted", count - shown, kind);
        put_string(list, slice_cstr(more));
    }
}

static void put_warnings(struct query_state *st, struct buf *out)
{
    const struct query_result *r = &st->result;
    struct put_list warnings = {.out = out, .key = "warnings"};
    struct put_list infos = {.out = out, .key = "infos"};
    put_annotations(&warnings, r->warnings, r->warning_count, "warning");
    if (st->cut)
        put_string(&warnings, SLICE("results truncated due to limit"));
    if (st->odd_stats.len) {
        struct buf text = {0};
        buf_printf(&text,
                   "value \"%.*s\" for parameter \"stats\" is deprecated and will be rejected in "
                   "the next major release, use \"true\" or \"all\"",
                   SLICE_FMT(st->odd_stats));
        put_string(&warnings, buf_slice(&text));
        buf_deinit(&text);
    }
    buf_append_cstr(out, warnings.any ? "]" : "");
    put_annotations(&infos, r->infos, r->info_count, "info");
    buf_append_cstr(out, infos.any ? "]" : "");
}

static void put_seconds(const char *key, int64_t ns, bool first, struct buf *out)
{
    buf_printf(out, "%s\"%s\":%.9f", first ? "" : ",", key, (double)ns / 1e9);
}

/* As Prometheus' querySamples: a pair for each step when all is asked for, and their sum. */
static void put_samples(const struct query_state *st, struct buf *out)
{
    const struct query_stats *used = &st->result.stats;
    const struct query_series *s = st->samples.series_count ? &st->samples.series[0] : NULL;
    double total = 0;
    buf_append_cstr(out, "\"samples\":{");
    for (size_t i = 0; s && i < s->count; i++) {
        struct query_point p = query_point_at(s, i);
        total += p.value;
        if (!st->step_stats)
            continue;
        buf_append_cstr(out, i ? ",[" : "\"totalQueryableSamplesPerStep\":[[");
        api_encode_time(p.ts_ns, out);
        buf_printf(out, ",%.0f]", p.value);
    }
    buf_append_cstr(out, s && s->count && st->step_stats ? "]," : "");
    buf_printf(out, "\"totalQueryableSamples\":%.0f,\"samplesRead\":%llu,\"peakSamples\":%llu}",
               s ? total : (double)used->samples_read, (unsigned long long)used->samples_read,
               (unsigned long long)used->peak_samples);
}

static void put_tail(struct api_job *job)
{
    struct query_state *st = job->state;
    struct buf *out = &job->out;
    if (st->stats) {
        buf_append_cstr(out, ",\"stats\":{\"timings\":{");
        put_seconds("evalTotalTime", st->run_ns, true, out);
        put_seconds("resultSortTime", 0, false, out);
        put_seconds("queryPreparationTime", 0, false, out);
        put_seconds("innerEvalTime", st->run_ns, false, out);
        put_seconds("execQueueTime", st->wait_ns, false, out);
        put_seconds("execTotalTime", st->run_ns + st->wait_ns, false, out);
        buf_append_cstr(out, "},");
        put_samples(st, out);
        buf_append_char(out, '}');
    }
    buf_append_char(out, '}');
    put_warnings(st, out);
    buf_append_char(out, '}');
}

static bool produce_vector(struct api_job *job)
{
    struct query_state *st = job->state;
    if (st->series == st->result.series_count) {
        buf_append_char(&job->out, ']');
        put_tail(job);
        return true;
    }
    const struct query_series *s = &st->result.series[st->series];
    buf_append_cstr(&job->out, st->series++ ? ",{\"metric\":" : "{\"metric\":");
    api_encode_labels(s->labels, &job->out);
    if (s->count) {
        buf_append_cstr(&job->out,
                        query_point_at(s, 0).histogram ? ",\"histogram\":" : ",\"value\":");
        put_point(query_point_at(s, 0), &job->out);
    }
    buf_append_char(&job->out, '}');
    return false;
}

/* Floats first, then histograms, each list only when it has something. */
static bool produce_matrix(struct api_job *job)
{
    struct query_state *st = job->state;
    struct buf *out = &job->out;
    if (st->series == st->result.series_count) {
        buf_append_char(out, ']');
        put_tail(job);
        return true;
    }
    const struct query_series *s = &st->result.series[st->series];
    if (!st->series_begun) {
        buf_append_cstr(out, st->series ? ",{\"metric\":" : "{\"metric\":");
        api_encode_labels(s->labels, out);
        st->series_begun = true;
        st->part = PART_FLOATS;
        st->part_begun = false;
        st->point = 0;
    }
    size_t end = MIN(s->count, st->point + POINTS_A_STEP);
    for (; st->point < end; st->point++) {
        struct query_point p = query_point_at(s, st->point);
        if ((p.histogram != NULL) != (st->part == PART_HISTOGRAMS))
            continue;
        if (st->part_begun)
            buf_append_char(out, ',');
        else
            buf_append_cstr(out, st->part == PART_FLOATS ? ",\"values\":[" : ",\"histograms\":[");
        st->part_begun = true;
        put_point(p, out);
    }
    if (st->point < s->count)
        return false;
    if (st->part_begun)
        buf_append_char(out, ']');
    if (st->part == PART_FLOATS) {
        st->part = PART_HISTOGRAMS;
        st->part_begun = false;
        st->point = 0;
        return false;
    }
    buf_append_char(out, '}');
    st->series_begun = false;
    st->series++;
    return false;
}

static bool produce_single(struct api_job *job)
{
    struct query_state *st = job->state;
    const struct query_result *r = &st->result;
    if (r->kind == QUERY_SCALAR) {
        put_point(r->scalar, &job->out);
    } else {
        buf_append_char(&job->out, '[');
        api_encode_time(st->steps.start_ns, &job->out);
        buf_append_char(&job->out, ',');
        codec_json_append_string(&job->out, r->string);
        buf_append_char(&job->out, ']');
    }
    put_tail(job);
    return true;
}

static void begin_answer(struct api_job *job)
{
    static const char *const kinds[] = {[QUERY_SCALAR] = "scalar",
                                        [QUERY_STRING] = "string",
                                        [QUERY_VECTOR] = "vector",
                                        [QUERY_MATRIX] = "matrix"};
    struct query_state *st = job->state;
    struct query_result *r = &st->result;
    bool rows = r->kind == QUERY_VECTOR || r->kind == QUERY_MATRIX;
    if (rows && st->limit && r->series_count > st->limit) {
        r->series_count = st->limit;
        st->cut = true;
    }
    buf_printf(&job->out, "{\"status\":\"success\",\"data\":{\"resultType\":\"%s\",\"result\":%s",
               kinds[r->kind], rows ? "[" : "");
    job->produce = !rows                     ? produce_single
                   : r->kind == QUERY_VECTOR ? produce_vector
                                             : produce_matrix;
}

/* --- running --- */

static void cleanup(struct api_job *job)
{
    struct query_state *st = job->state;
    promql_expr_free(st->expr);
    promql_expr_free(st->count_expr);
    st->expr = st->count_expr = NULL;
}

static void parse_failed(struct api_job *job, const struct diag *diag)
{
    struct buf text = {0};
    promql_error_text(diag, &text);
    api_job_error(job, API_BAD_DATA, "invalid parameter \"query\": %s", buf_cstr(&text));
    buf_deinit(&text);
}

static void answer_explain(struct api_job *job, const struct query_plan *plan)
{
    struct query_state *st = job->state;
    struct codec_json_writer w;
    struct buf text = {0};
    query_explain(plan, &text);
    api__begin(&w, &job->out);
    codec_json_begin_object(&w);
    codec_json_put_string(&w, "language", SLICE("promql"));
    codec_json_put_string(&w, "type", slice_cstr(promql_type(st->expr)));
    codec_json_put_string(&w, "plan", buf_slice(&text));
    codec_json_end_object(&w);
    codec_json_end_object(&w);
    buf_deinit(&text);
}

/* --- kept answers --- */

struct planner {
    const struct promql_expr *expr;
    const struct promql_options *options;
};

static int plan_for(void *ctx, const struct query_steps *steps, struct arena *arena,
                    struct query_plan **out, struct diag *diag)
{
    const struct planner *p = ctx;
    return promql_plan(p->expr, steps, p->options, arena, out, diag);
}

int api__prom_run_kept(struct api *api, const struct promql_expr *expr, struct slice text,
                       const struct promql_options *options, const struct query_steps *steps,
                       const struct query_env *env, struct arena *arena, struct query_result *out,
                       struct diag *diag)
{
    struct buf key = {0};
    struct planner p = {expr, options};
    /* What an answer depends on beside the data and the steps. */
    buf_append_char(&key, (char)(options->experimental | options->delayed_name_removal << 1));
    buf_append(&key, &options->lookback_ns, sizeof(options->lookback_ns));
    buf_append(&key, &env->tenant.len, sizeof(env->tenant.len));
    buf_append_slice(&key, env->tenant);
    buf_append_slice(&key, text);
    const struct query_cached q = {.key = buf_slice(&key), .plan = plan_for, .ctx = &p};
    int err = query_cache_run(api->cache, &q, steps, env, arena, out, diag);
    buf_deinit(&key);
    return err;
}

/* What the query looked at. It is counted by a query of its own, so that those without statistics
 * pay nothing; when that one does not come through, what was read is told. */
static void count_samples(struct api_job *job, const struct query_env *env)
{
    struct query_state *st = job->state;
    struct promql_options options = st->options;
    struct query_plan *plan = NULL;
    struct buf text = {0};
    if (!promql_count_samples(st->expr, &text))
        buf_append_cstr(&text, "vector(0)");
    struct slice own = arena_slice(job->call_arena, buf_slice(&text));
    options.nesting += options.nesting ? 100 : 0;
    if (!promql_parse(own, &options, job->call_arena, &st->count_expr, NULL) &&
        !promql_plan(st->count_expr, &st->steps, &options, job->call_arena, &plan, NULL) &&
        query_run(plan, env, job->arena, &st->samples, NULL))
        st->samples = (struct query_result){0};
    buf_deinit(&text);
}

static void query_work(struct api_job *job)
{
    struct query_state *st = job->state;
    struct query_plan *plan = NULL;
    struct diag diag;
    diag_init(&diag);
    int64_t begun_ns = api__monotonic_ns();
    st->wait_ns = begun_ns - job->started_ns;
    if (promql_parse(st->text, &st->options, job->call_arena, &st->expr, &diag)) {
        parse_failed(job, &diag);
        return;
    }
    if (promql_plan(st->expr, &st->steps, &st->options, job->call_arena, &plan, &diag)) {
        api_job_error(job, API_BAD_DATA, "invalid parameter \"query\": %s", diag.msg);
        return;
    }
    if (st->explain) {
        answer_explain(job, plan);
        return;
    }
    struct query_env env = {.source = job->api->source,
                            .tenant = job->tenant,
                            .pool = job->api->pool,
                            .memory = &job->memory,
                            .samples_max = (size_t)job->limits.query_samples,
                            .series_max = (size_t)job->limits.query_series,
                            .cancelled = &job->cancelled,
                            .deadline_ns = job->deadline_ns,
                            .now_ns = monotonic};
    int err = st->cached ? api__prom_run_kept(job->api, st->expr, st->text, &st->options,
                                              &st->steps, &env, job->arena, &st->result, &diag)
                         : query_run(plan, &env, job->arena, &st->result, &diag);
    st->run_ns = api__monotonic_ns() - begun_ns;
    if (!err && st->stats)
        count_samples(job, &env);
    if (err == ERR_INVALID && !job->cancelled)
        api_job_error(job, API_EXECUTION, "%s", diag.msg); /* the query is well formed */
    else if (err)
        api_job_fail(job, err, &diag);
    else
        begin_answer(job);
}

static int64_t near(int64_t t_ns)
{
    return MAX(MIN(t_ns, TIME_FAR_NS), -TIME_FAR_NS);
}

static int read_steps(struct net_request *req, int64_t points_max, struct query_steps *s,
                      struct diag *diag)
{
    int err = api_param_time(req, "start", true, 0, &s->start_ns, diag);
    if (!err)
        err = api_param_time(req, "end", true, 0, &s->end_ns, diag);
    s->start_ns = near(s->start_ns);
    s->end_ns = near(s->end_ns);
    if (!err && s->end_ns < s->start_ns)
        err = diag_set(diag, ERR_INVALID,
                       "invalid parameter \"end\": end timestamp must not be before start time");
    if (!err)
        err = api_param_duration(req, "step", true, 0, &s->step_ns, diag);
    if (!err && s->step_ns <= 0)
        err = diag_set(diag, ERR_INVALID,
                       "invalid parameter \"step\": zero or negative query resolution step widths "
                       "are not accepted. Try a positive integer");
    if (!err && points_max &&
        (uint64_t)(s->end_ns - s->start_ns) / (uint64_t)s->step_ns > (uint64_t)points_max)
        err = api_too_fine(points_max,
                           "Try decreasing the query resolution (?step=XX) or raising "
                           "limits.query.points",
                           diag);
    return err;
}

static void start_query(struct api_call *call, bool range, bool explain)
{
    struct net_request *req = call->req;
    struct query_state *st = ARENA_NEW(net_request_arena(req), struct query_state);
    struct api_limits limits = api__limits(call->api);
    struct slice stats = net_request_param(req, "stats");
    int64_t timeout_ns, now_ns = call->api->host->now_ns(call->api->host->ctx);
    struct diag diag;
    diag_init(&diag);
    struct slice tenant = api__tenant(req);
    if (!tenant.ptr)
        return;
    now_ns -= now_ns % NS_PER_MS;
    int err = api_param_limit(req, "limit", &st->limit, &diag);
    if (!err && range) {
        err = read_steps(req, limits.query_points, &st->steps, &diag);
    } else if (!err) {
        err = api_param_time(req, "time", false, now_ns, &st->steps.start_ns, &diag);
        st->steps.start_ns = near(st->steps.start_ns);
        st->steps.end_ns = st->steps.start_ns;
        st->steps.instant = true;
    }
    if (!err)
        err =
            api_param_duration(req, "timeout", false, limits.query_timeout_ns, &timeout_ns, &diag);
    if (!err)
        err = api_param_duration(req, "lookback_delta", false, limits.lookback_ns,
                                 &st->options.lookback_ns, &diag);
    if (!err && st->options.lookback_ns <= 0)
        err = diag_set(&diag, ERR_INVALID,
                       "invalid parameter \"lookback_delta\": a positive duration is expected");
    if (err) {
        api__respond_error(req, API_BAD_DATA, "%s", diag.msg);
        return;
    }
    st->text = net_request_param(req, "query");
    if (!st->text.ptr)
        st->text = SLICE("");
    st->stats = stats.len > 0;
    st->step_stats = slice_eq_cstr(stats, "all");
    if (st->stats && !slice_eq_cstr(stats, "true") && !slice_eq_cstr(stats, "all"))
        st->odd_stats = stats;
    st->explain = explain;
    st->cached = range && !st->stats && !net_request_param(req, "nocache").len;
    st->options.experimental = limits.promql_experimental;
    st->options.nesting = (unsigned)limits.query_nesting;
    st->options.delayed_name_removal = limits.promql_delayed_name_removal;
    struct api_job *job = api_job_new(call, query_work);
    job->tenant = tenant;
    job->state = st;
    job->cleanup = cleanup;
    job->deadline_ns = api__deadline_ns(job->started_ns, MIN(timeout_ns, limits.query_timeout_ns));
    api_job_start(job, true);
}

void api__prom_query(struct api_call *call)
{
    start_query(call, false, false);
}

void api__prom_query_range(struct api_call *call)
{
    start_query(call, true, false);
}

void api__pharos_explain(struct api_call *call)
{
    start_query(call, net_request_param(call->req, "start").len > 0, true);
}
