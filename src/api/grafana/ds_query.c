/* /api/ds/query: queries as Grafana's panels and scripts send them, answered as data frames. */
#include <math.h>
#include <stdio.h>

#include "api/grafana/ds_query.h"
#include "api/prometheus/encode.h"
#include "api/query_multi.h"
#include "api/time_ref.h"
#include "text/duration.h"

#define QUERIES_MAX     200
#define POINTS_MAX      11000
#define INTERVAL_MS     15000
#define SCRAPE_INTERVAL (15 * NS_PER_SEC)

struct range {
    int64_t from_ns, to_ns;
};

/* One query, as it is run. */
struct target {
    struct slice ref_id, legend;
    struct range range;
    int64_t step_ns;
    bool instant;
    struct slice text; /* variables filled */
};

/* --- variables that Grafana's server fills --- */

static void put_duration(int64_t ns, struct buf *out)
{
    if (ns % NS_PER_SEC)
        buf_printf(out, "%lldms", (long long)(ns / NS_PER_MS));
    else
        buf_printf(out, "%llds", (long long)(ns / NS_PER_SEC));
}

static void put_variable(struct slice name, const struct target *t, struct buf *out)
{
    int64_t range_ns = t->range.to_ns - t->range.from_ns;
    int64_t rate_ns = MAX(t->step_ns + SCRAPE_INTERVAL, 4 * SCRAPE_INTERVAL);
    if (slice_eq_cstr(name, "__interval"))
        put_duration(t->step_ns, out);
    else if (slice_eq_cstr(name, "__interval_ms"))
        buf_printf(out, "%lld", (long long)(t->step_ns / NS_PER_MS));
    else if (slice_eq_cstr(name, "__rate_interval"))
        put_duration(rate_ns, out);
    else if (slice_eq_cstr(name, "__rate_interval_ms"))
        buf_printf(out, "%lld", (long long)(rate_ns / NS_PER_MS));
    else if (slice_eq_cstr(name, "__range"))
        buf_printf(out, "%llds", (long long)(range_ns / NS_PER_SEC));
    else if (slice_eq_cstr(name, "__range_s"))
        buf_printf(out, "%lld", (long long)(range_ns / NS_PER_SEC));
    else if (slice_eq_cstr(name, "__range_ms"))
        buf_printf(out, "%lld", (long long)(range_ns / NS_PER_MS));
    else
        buf_printf(out, "$%.*s", SLICE_FMT(name));
}

static void fill_variables(struct slice text, const struct target *t, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        size_t begin = i + 1, n = 0;
        if (text.ptr[i] != '$') {
            buf_append_char(out, text.ptr[i]);
            continue;
        }
        bool braces = begin < text.len && text.ptr[begin] == '{';
        begin += braces;
        while (begin + n < text.len && (text.ptr[begin + n] == '_' ||
                                        (text.ptr[begin + n] >= 'a' && text.ptr[begin + n] <= 'z')))
            n++;
        struct slice name = slice_make(text.ptr + begin, n);
        bool closed = !braces || (begin + n < text.len && text.ptr[begin + n] == '}');
        if (!closed || !slice_starts_with(name, SLICE("__"))) {
            buf_append_char(out, '$');
            continue;
        }
        put_variable(name, t, out);
        i = begin + n + braces - 1;
    }
}

/* --- frames --- */

/* "{{job}} of {{instance}}" filled from the labels. */
static void put_legend(struct slice legend, struct data_labels labels, struct buf *out)
{
    while (legend.len) {
        ptrdiff_t at = slice_find(legend, SLICE("{{"));
        ptrdiff_t end = at < 0 ? -1 : slice_find(slice_from(legend, (size_t)at), SLICE("}}"));
        if (at < 0 || end < 0) {
            buf_append_slice(out, legend);
            return;
        }
        buf_append(out, legend.ptr, (size_t)at);
        struct slice name = slice_trim(slice_make(legend.ptr + at + 2, (size_t)end - 2));
        buf_append_slice(out, data_labels_get(labels, name));
        legend = slice_from(legend, (size_t)(at + end + 2));
    }
}

static void put_entities(const struct query_series *s, struct buf *out)
{
    static const char *const names[] = {"NaN", "Inf", "NegInf"};
    struct buf lists[3] = {{0}};
    for (size_t i = 0; i < s->count; i++) {
        struct query_point p = query_point_at(s, i);
        double v = p.value;
        if (p.histogram || isfinite(v))
            continue;
        struct buf *list = &lists[isnan(v) ? 0 : v > 0 ? 1 : 2];
        buf_printf(list, list->len ? ",%zu" : "%zu", i);
    }
    if (lists[0].len || lists[1].len || lists[2].len) {
        bool first = true;
        buf_append_cstr(out, ",\"entities\":[null,{");
        for (int k = 0; k < 3; k++) {
            if (!lists[k].len)
                continue;
            buf_printf(out, "%s\"%s\":[%s]", first ? "" : ",", names[k], buf_cstr(&lists[k]));
            first = false;
        }
        buf_append_cstr(out, "}]");
    }
    for (int k = 0; k < 3; k++)
        buf_deinit(&lists[k]);
}

static void put_frame(const struct target *t, const struct query_series *s, const char *kind,
                      struct buf *out)
{
    struct buf name = {0};
    bool named = t->legend.len && !slice_eq_cstr(t->legend, "__auto");
    if (named)
        put_legend(t->legend, s->labels, &name);
    buf_append_cstr(out, "{\"schema\":{\"refId\":");
    codec_json_append_string(out, t->ref_id);
    buf_printf(
        out,
        ",\"meta\":{\"type\":\"%s\",\"typeVersion\":[0,1],\"custom\":{\"resultType\":\"%s\"},"
        "\"executedQueryString\":",
        t->instant ? "numeric-multi" : "timeseries-multi", kind);
    struct buf query = {0};
    buf_printf(&query, "Expr: %.*s\nStep: ", SLICE_FMT(t->text));
    put_duration(t->step_ns, &query);
    codec_json_append_string(out, buf_slice(&query));
    buf_deinit(&query);
    buf_printf(out,
               "},\"fields\":[{\"name\":\"Time\",\"type\":\"time\",\"typeInfo\":{\"frame\":"
               "\"time.Time\"},\"config\":{\"interval\":%lld}},{\"name\":\"Value\",\"type\":"
               "\"number\",\"typeInfo\":{\"frame\":\"float64\"},\"labels\":",
               (long long)(t->step_ns / NS_PER_MS));
    api_encode_labels(s->labels, out);
    buf_append_cstr(out, ",\"config\":{");
    if (named) {
        buf_append_cstr(out, "\"displayNameFromDS\":");
        codec_json_append_string(out, buf_slice(&name));
    }
    buf_append_cstr(out, "}}]},\"data\":{\"values\":[[");
    for (size_t i = 0; i < s->count; i++)
        buf_printf(out, i ? ",%lld" : "%lld", (long long)(query_point_at(s, i).ts_ns / NS_PER_MS));
    buf_append_cstr(out, "],[");
    for (size_t i = 0; i < s->count; i++) {
        struct query_point p = query_point_at(s, i);
        buf_append_cstr(out, i ? "," : "");
        if (p.histogram || !isfinite(p.value))
            buf_append_cstr(out, "null"); /* what it is instead is told by `entities` */
        else
            api_put_number(p.value, out);
    }
    buf_append_cstr(out, "]]");
    put_entities(s, out);
    buf_append_cstr(out, "}}");
    buf_deinit(&name);
}

static void put_frames(const struct target *t, const struct query_result *r, bool *first,
                       struct buf *out)
{
    static const char *const kinds[] = {[QUERY_SCALAR] = "scalar",
                                        [QUERY_STRING] = "string",
                                        [QUERY_VECTOR] = "vector",
                                        [QUERY_MATRIX] = "matrix"};
    struct query_series one = {.value = &r->scalar.value, .start_ns = r->scalar.ts_ns, .count = 1};
    bool single = r->kind == QUERY_SCALAR;
    size_t count = single ? 1 : r->kind == QUERY_STRING ? 0 : r->series_count;
    for (size_t i = 0; i < count; i++) {
        buf_append_cstr(out, *first ? "" : ",");
        *first = false;
        put_frame(t, single ? &one : &r->series[i], kinds[r->kind], out);
    }
}

/* --- running --- */

static int64_t monotonic(void *ctx)
{
    (void)ctx;
    return api__monotonic_ns();
}

static int run_target(struct api_job *job, const struct target *t, bool *first, struct buf *out,
                      enum api_error *kind, struct diag *diag)
{
    struct query_result result = {0};
    struct budget memory;
    budget_init(&memory, &job->api->queries_memory, job->limits.query_memory_bytes,
                "limits.query.memory");
    struct api_query q = {
        .api = job->api,
        .tenant = job->tenant,
        .text = t->text,
        .limits = job->limits,
        .arena = arena_new(0, &memory),
        .plan_arena = arena_new(4096, NULL),
        .steps = {.start_ns = t->range.to_ns, .end_ns = t->range.to_ns, .instant = t->instant}};
    q.env = (struct query_env){.source = job->api->source,
                               .tenant = job->tenant,
                               .pool = job->api->pool,
                               .memory = &memory,
                               .samples_max = (size_t)job->limits.query_samples,
                               .series_max = (size_t)job->limits.query_series,
                               .cancelled = &job->cancelled,
                               .deadline_ns = job->deadline_ns,
                               .now_ns = monotonic};
    if (!t->instant) {
        q.steps.step_ns = t->step_ns;
        q.steps.start_ns = t->range.from_ns / t->step_ns * t->step_ns;
        q.steps.end_ns = t->range.to_ns / t->step_ns * t->step_ns;
    }
    int err = api_promql_eval(&q, &result, diag);
    if (!err)
        put_frames(t, &result, first, out);
    *kind = q.has_error ? q.error : api__error_of(err);
    arena_free(q.arena);
    arena_free(q.plan_arena);
    budget_drain(&memory);
    return err;
}

/* intervalMs of the query or of the whole, else by the points that are wanted. */
static int64_t step_of(const struct codec_json *v, const struct codec_json *whole,
                       const struct range *range)
{
    int64_t range_ns = range->to_ns - range->from_ns, min_ns;
    int64_t points = grafana__int(v, "maxDataPoints", grafana__int(whole, "maxDataPoints", 0));
    int64_t ms = grafana__int(v, "intervalMs", grafana__int(whole, "intervalMs", 0));
    int64_t step_ns = ms > 0 && ms < INT64_MAX / NS_PER_MS ? ms * NS_PER_MS
                      : points > 0                         ? range_ns / points
                                                           : INTERVAL_MS * NS_PER_MS;
    struct slice interval = grafana__string(v, "interval");
    if (interval.len && !text_duration_parse(interval, &min_ns))
        step_ns = MAX(step_ns, min_ns);
    step_ns = MAX(step_ns, range_ns / (POINTS_MAX - 1));
    return MAX(step_ns / NS_PER_MS, 1) * NS_PER_MS;
}

static void put_failure(struct buf *out, enum api_error kind, const char *words)
{
    int status = api__error_status(kind);
    buf_append_cstr(out, "{\"error\":");
    codec_json_append_string(out, slice_cstr(words));
    buf_printf(out, ",\"errorSource\":\"downstream\",\"status\":%d,\"frames\":[]}", status);
}

/* The answer of one query; *bad when it failed. */
static void answer_query(struct grafana *g, const struct codec_json *v, const struct range *range,
                         struct buf *out, bool *bad)
{
    const struct codec_json *ds = codec_json_get(v, "datasource");
    struct slice uid = ds && ds->kind == CODEC_JSON_OBJECT   ? grafana__string(ds, "uid")
                       : ds && ds->kind == CODEC_JSON_STRING ? ds->text
                                                             : SLICE("");
    struct slice type = grafana__string(ds, "type"), text = grafana__string(v, "expr");
    const struct grafana_source *source = grafana__source(g->job->api->host, uid, type);
    bool instant = grafana__bool(v, "instant", false);
    bool wants_range = grafana__bool(v, "range", !instant);
    struct buf frames = {0}, filled = {0};
    struct diag diag;
    enum api_error kind = API_BAD_DATA;
    bool first = true;
    int err = 0;
    diag_init(&diag);
    if (!text.len)
        text = grafana__string(v, "query");
    if (!slice_eq_cstr(slice_cstr(source->type), "prometheus"))
        err = diag_set(&diag, ERR_UNSUPPORTED,
                       "data source type %s is not answered here yet; ask its own door, /%s",
                       source->type, source->door);
    if (!err && !text.len)
        err = diag_set(&diag, ERR_INVALID, "the query has no \"expr\"");
    for (int pass = 0; pass < 2 && !err; pass++) {
        struct target t = {.ref_id = grafana__string(v, "refId"),
                           .legend = grafana__string(v, "legendFormat"),
                           .range = *range,
                           .step_ns = step_of(v, g->body, range),
                           .instant = pass == 1};
        if (pass ? !instant : !wants_range)
            continue;
        buf_clear(&filled);
        fill_variables(text, &t, &filled);
        t.text = arena_slice(g->arena, buf_slice(&filled));
        err = run_target(g->job, &t, &first, &frames, &kind, &diag);
    }
    if (err) {
        put_failure(out, err == ERR_UNSUPPORTED ? API_NOT_FOUND : kind,
                    diag.code ? diag.msg : err_name(err));
        *bad = true;
    } else {
        buf_append_cstr(out, "{\"status\":200,\"frames\":[");
        buf_append_slice(out, buf_slice(&frames));
        buf_append_cstr(out, "]}");
    }
    buf_deinit(&frames);
    buf_deinit(&filled);
}

static int read_range(const struct codec_json *body, int64_t now_ns, struct range *out,
                      struct diag *diag)
{
    static const char *const keys[] = {"from", "to"};
    int64_t *const to[] = {&out->from_ns, &out->to_ns};
    *out = (struct range){now_ns - 3600 * NS_PER_SEC, now_ns};
    for (int i = 0; i < 2; i++) {
        const struct codec_json *v = codec_json_get(body, keys[i]);
        if (!v || v->kind == CODEC_JSON_NULL)
            continue;
        if ((v->kind != CODEC_JSON_STRING && v->kind != CODEC_JSON_NUMBER) ||
            api_time_ref(v->text, now_ns, i == 1, to[i]))
            return diag_set(diag, ERR_INVALID,
                            "\"%s\" is milliseconds since 1970, or text as \"now-1h\"", keys[i]);
    }
    return out->to_ns < out->from_ns ? diag_set(diag, ERR_INVALID, "\"to\" is before \"from\"") : 0;
}

void grafana__answer_queries(struct grafana *g, const struct codec_json *queries,
                             const struct codec_json *times)
{
    struct api_job *job = g->job;
    struct api_host *host = job->api->host;
    struct range range;
    struct buf *out = &job->out;
    bool bad = false, first = true;
    if (!queries || queries->kind != CODEC_JSON_ARRAY || !queries->count) {
        grafana__fail(g, 400, NULL, "no queries found");
        return;
    }
    if (queries->count > QUERIES_MAX) {
        grafana__fail(g, 400, NULL, "there are %zu queries, %d may be", queries->count,
                      QUERIES_MAX);
        return;
    }
    int err = read_range(times, host->now_ns(host->ctx), &range, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    job->deadline_ns = job->started_ns + job->limits.query_timeout_ns;
    buf_append_cstr(out, "{\"results\":{");
    for (size_t i = 0; i < queries->count; i++) {
        const struct codec_json *v = &queries->items[i];
        struct slice ref = grafana__string(v, "refId");
        if (grafana__bool(v, "hide", false))
            continue;
        buf_append_cstr(out, first ? "" : ",");
        first = false;
        codec_json_append_string(out, ref.len ? ref : SLICE("A"));
        buf_append_char(out, ':');
        answer_query(g, v, &range, out, &bad);
    }
    buf_append_cstr(out, "}}");
    job->status = bad ? 400 : 200; /* as Grafana: some failed */
}

static void ds_query(struct grafana *g)
{
    grafana__answer_queries(g, codec_json_get(g->body, "queries"), g->body);
}

void grafana__ds_query(struct api_call *call)
{
    struct slice tenant = api__tenant(call->req);
    if (tenant.ptr)
        grafana__start_query(call, ds_query, tenant);
}
