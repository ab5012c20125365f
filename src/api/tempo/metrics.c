/* TraceQL metrics: series over steps that end when their time is, or one value each. */
#include <math.h>

#include "api/tempo/metrics_priv.h"
#include "codec/hex.h"
#include "codec/json_write.h"
#include "lang/traceql/traceql.h"
#include "text/go_string.h"

#define SINCE_DEFAULT     (3600 * NS_PER_SEC)
#define POINTS_MAX        10000
#define EXEMPLARS_DEFAULT 100
#define SERIES_A_STEP     16 /* encoded between two looks at the buffer */

static int64_t monotonic(void *ctx)
{
    (void)ctx;
    return api__monotonic_ns();
}

static void cleanup(struct api_job *job)
{
    struct tempo__metrics *st = job->state;
    traceql_query_free(st->parsed);
    st->parsed = NULL;
    tempo__stream_free(&st->stream);
}

/* --- encoding --- */

void tempo__put_number(double v, struct buf *out)
{
    if (isfinite(v))
        codec_append_double(out, v, CODEC_DOUBLE_JSON);
    else
        buf_append_cstr(out, isnan(v) ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
}

static void put_label(struct data_label l, bool first, struct buf *out)
{
    struct traceql_value v = traceql_label_value(l.value);
    buf_append_cstr(out, first ? "{\"key\":" : ",{\"key\":");
    codec_json_append_string(out, l.name);
    buf_append_cstr(out, ",\"value\":");
    if (v.kind == TRACEQL_NIL)
        buf_append_cstr(out, "{\"stringValue\":\"nil\"}");
    else
        tempo__put_value(v, out);
    buf_append_char(out, '}');
}

void tempo__put_labels(const struct traceql_query *q, struct data_labels labels, struct buf *out)
{
    struct slice name;
    bool first = true;
    buf_append_char(out, '[');
    for (size_t k = 0; traceql_group_name(q, k, &name); k++) {
        for (size_t i = 0; i < labels.count; i++) {
            if (!slice_eq(labels.items[i].name, name))
                continue;
            put_label(labels.items[i], first, out);
            first = false;
        }
    }
    for (size_t i = 0; i < labels.count; i++) {
        bool done = false;
        for (size_t k = 0; !done && traceql_group_name(q, k, &name); k++)
            done = slice_eq(labels.items[i].name, name);
        if (!done)
            put_label(labels.items[i], first, out);
        first = false;
    }
    buf_append_char(out, ']');
}

static bool is_plain_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
              (i && c >= '0' && c <= '9')))
            return false;
    }
    return name.len > 0;
}

/* {name="x", "span.n"="int(5)"}: as Prometheus writes a series. */
static void put_prom_labels(struct data_labels labels, struct buf *out)
{
    struct buf text = {0}, value = {0};
    buf_append_char(&text, '{');
    for (size_t i = 0; i < labels.count; i++) {
        const char *quote = is_plain_name(labels.items[i].name) ? "" : "\"";
        struct traceql_value v = traceql_label_value(labels.items[i].value);
        buf_clear(&value);
        traceql_value_text(v, &value);
        struct slice shown = buf_slice(&value);
        bool nil =
            v.kind == TRACEQL_NIL || (v.kind == TRACEQL_STRING && slice_eq_cstr(shown, "nil"));
        buf_printf(&text, "%s%s%.*s%s=", i ? ", " : "", quote, SLICE_FMT(labels.items[i].name),
                   quote);
        if (nil)
            buf_append_cstr(&text, "\"<nil>\"");
        else if (v.kind == TRACEQL_INT)
            buf_printf(&text, "\"int(%.*s)\"", SLICE_FMT(shown));
        else
            text_go_quote(shown.len ? shown : SLICE("<empty>"), &text);
    }
    buf_append_char(&text, '}');
    codec_json_append_string(out, buf_slice(&text));
    buf_deinit(&text);
    buf_deinit(&value);
}

void tempo__put_exemplars(const struct traceql_exemplars *all, size_t series, struct buf *out)
{
    bool more = false;
    for (size_t i = 0; i < all->count; i++) {
        const struct traceql_exemplar *e = &all->items[i];
        if (e->series != series)
            continue;
        buf_append_cstr(out, more ? "," : ",\"exemplars\":[");
        buf_append_cstr(out, "{\"labels\":[{\"key\":\"trace:id\",\"value\":{\"stringValue\":\"");
        codec_append_hex(out, slice_make(e->trace_id, sizeof(e->trace_id)));
        buf_append_cstr(out, "\"}}],\"value\":");
        tempo__put_number(e->value, out);
        buf_printf(out, ",\"timestampMs\":\"%lld\"}", (long long)(e->ts_ns / NS_PER_MS));
        more = true;
    }
    if (more)
        buf_append_char(out, ']');
}

void tempo__put_samples(const struct query_series *s, struct buf *out)
{
    for (size_t i = 0; i < s->count; i++) {
        buf_printf(out, "%s{\"timestampMs\":\"%lld\",\"value\":", i ? "," : "",
                   (long long)(query_point_at(s, i).ts_ns / NS_PER_MS));
        tempo__put_number(query_point_at(s, i).value, out);
        buf_append_char(out, '}');
    }
}

static void put_series(const struct tempo__metrics *st, size_t at, struct buf *out)
{
    const struct query_series *s = &st->result.series[at];
    buf_append_cstr(out, "{\"labels\":");
    tempo__put_labels(st->parsed, s->labels, out);
    if (st->instant) {
        buf_append_cstr(out, ",\"value\":");
        tempo__put_number(query_point_at(s, 0).value, out);
        buf_append_char(out, '}'); /* no promLabels: readers that are strict know them no more */
        return;
    }
    buf_append_cstr(out, ",\"samples\":[");
    tempo__put_samples(s, out);
    buf_append_char(out, ']');
    tempo__put_exemplars(&st->exemplars, at, out);
    buf_append_cstr(out, ",\"promLabels\":");
    put_prom_labels(s->labels, out);
    buf_append_char(out, '}');
}

static bool produce(struct api_job *job)
{
    struct tempo__metrics *st = job->state;
    size_t end = MIN(st->result.series_count, st->at + SERIES_A_STEP);
    for (; st->at < end; st->at++) {
        buf_append_cstr(&job->out, st->at ? "," : "");
        put_series(st, st->at, &job->out);
    }
    if (st->at < st->result.series_count)
        return false;
    buf_append_cstr(&job->out, "],");
    tempo__put_stats(&st->stats, &job->out);
    buf_append_char(&job->out, '}');
    return true;
}

/* --- running --- */

int tempo__metrics_eval(struct api_job *job, const struct query_steps *steps, struct arena *arena,
                        struct diag *diag)
{
    struct tempo__metrics *st = job->state;
    const struct query_env env = {.tenant = job->tenant,
                                  .pool = job->api->pool,
                                  .memory = &job->memory,
                                  .samples_max = (size_t)job->limits.query_samples,
                                  .series_max = (size_t)job->limits.query_series,
                                  .cancelled = &job->cancelled,
                                  .deadline_ns = job->deadline_ns,
                                  .now_ns = monotonic};
    struct query_plan *plan;
    int err = traceql_plan(st->parsed, steps, st->step_ns, &st->env, job->call_arena, &plan,
                           &st->stats, &st->exemplars, diag);
    if (!err && st->explain) {
        struct buf text = {0};
        query_explain(plan, &text);
        buf_append_cstr(&job->out, "{\"language\":\"traceql\",\"plan\":");
        codec_json_append_string(&job->out, buf_slice(&text));
        buf_append_char(&job->out, '}');
        buf_deinit(&text);
        return 0;
    }
    if (!err)
        err = query_run(plan, &env, arena, &st->result, diag);
    if (!err)
        err = traceql_finish(st->parsed, st->step_ns, &st->result, &st->exemplars, arena, diag);
    return err;
}

static void work(struct api_job *job)
{
    struct tempo__metrics *st = job->state;
    const struct query_steps steps = {.start_ns =
                                          st->instant ? st->end_ns : st->start_ns + st->step_ns,
                                      .end_ns = st->end_ns,
                                      .step_ns = st->step_ns,
                                      .instant = st->instant};
    struct diag diag;
    double number;
    bool wanted = true;
    diag_init(&diag);
    tempo__env(job, &st->env);
    if (traceql_parse(st->query, job->call_arena, &st->parsed, &diag)) {
        tempo__parse_error(job, &diag);
        return;
    }
    if (traceql_hint_bool(st->parsed, SLICE("exemplars"), &wanted) && !wanted)
        st->exemplars_max = 0;
    if (traceql_hint_number(st->parsed, SLICE("exemplars"), &number))
        st->exemplars_max = (int64_t)MIN(MAX(number, 0.0), (double)EXEMPLARS_DEFAULT);
    st->exemplars.max = st->instant ? 0 : (size_t)st->exemplars_max;
    if (job->grpc && !st->instant && traceql_is_metrics(st->parsed)) {
        tempo__stream_open(st);
        job->produce = tempo__stream_produce;
        return;
    }
    int err = tempo__metrics_eval(job, &steps, job->arena, &diag);
    if (err) {
        api__plain_job_fail(job, err, &diag);
    } else if (!st->explain) {
        buf_append_cstr(&job->out, "{\"series\":[");
        job->produce = produce;
    }
}

/* What Tempo takes when no step is given: a nice one with about 240 in the range, of whole seconds
 * from a minute on. */
static int64_t default_step(int64_t range_ns)
{
    static const int64_t nice[] = {3600, 300, 60, 15, 5, 1};
    int64_t step = range_ns / 240;
    for (size_t i = 0; i < ARRAY_LEN(nice) && range_ns >= 60 * NS_PER_SEC; i++) {
        int64_t n = nice[i] * NS_PER_SEC;
        if (step >= n)
            return step / n * n;
    }
    if (range_ns >= 60 * NS_PER_SEC)
        return NS_PER_SEC;
    return MAX(step / (50 * NS_PER_MS), 1) * 50 * NS_PER_MS;
}

/* A whole number of steps away from 0. */
static int64_t align(int64_t ts_ns, int64_t step_ns, bool up)
{
    int64_t rest = ts_ns % step_ns;
    if (rest < 0)
        rest += step_ns;
    return rest ? ts_ns - rest + (up ? step_ns : 0) : ts_ns;
}

static int read_params(struct api_call *call, struct tempo__metrics *st, struct diag *diag)
{
    struct net_request *req = call->req;
    int64_t now_ns = call->api->host->now_ns(call->api->host->ctx), since;
    int err;
    st->query = net_request_param(req, "q");
    if (!st->query.len)
        st->query = net_request_param(req, "query");
    if (!st->query.len)
        return diag_set(diag, ERR_INVALID, "invalid request: q is missing");
    if ((err = tempo__param_duration(req, "since", SINCE_DEFAULT, &since, diag)) ||
        (err = tempo__param_time(req, "end", now_ns, &st->end_ns, diag)) ||
        (err = tempo__param_time(req, "start", st->end_ns - since, &st->start_ns, diag)))
        return err;
    int64_t range;
    if (__builtin_sub_overflow(st->end_ns, st->start_ns, &range) || range <= 0)
        return diag_set(diag, ERR_INVALID, "invalid range: end has to be after start");
    st->exemplars_max = EXEMPLARS_DEFAULT;
    if (net_request_param(req, "exemplars").len &&
        !slice_eq_cstr(net_request_param(req, "exemplars"), "0") &&
        (err = tempo__param_count(req, "exemplars", EXEMPLARS_DEFAULT, INT32_MAX,
                                  &st->exemplars_max, diag)))
        return err;
    if (slice_eq_cstr(net_request_param(req, "exemplars"), "0"))
        st->exemplars_max = 0;
    st->exemplars_max = MIN(st->exemplars_max, EXEMPLARS_DEFAULT);
    if (st->instant) {
        st->step_ns = range;
        return 0;
    }
    if ((err = tempo__param_duration(req, "step", default_step(range), &st->step_ns, diag)))
        return err;
    if (st->step_ns <= 0)
        return diag_set(diag, ERR_INVALID, "invalid step: must be greater than 0");
    if (range / st->step_ns > POINTS_MAX)
        return diag_set(diag, ERR_INVALID,
                        "exceeded maximum resolution of %d points per series; try a longer step",
                        POINTS_MAX);
    st->start_ns = align(st->start_ns, st->step_ns, false) - st->step_ns;
    st->end_ns = align(st->end_ns, st->step_ns, true);
    return 0;
}

static void start(struct api_call *call, bool instant, bool explain)
{
    struct tempo__metrics *st = ARENA_NEW(net_request_arena(call->req), struct tempo__metrics);
    struct api_job *job;
    struct diag diag;
    diag_init(&diag);
    st->instant = instant;
    st->explain = explain;
    if (read_params(call, st, &diag)) {
        api__plain_error(call->req, 400, "%s", diag.msg);
        return;
    }
    if (!(job = api__traces_job(call, work)))
        return;
    job->state = st;
    job->cleanup = cleanup;
    job->gated_to_end = job->grpc != NULL;
    api_job_start(job, true);
}

void tempo__query_range(struct api_call *call)
{
    start(call, false, false);
}

void tempo__query(struct api_call *call)
{
    start(call, true, false);
}

void tempo__explain(struct api_call *call)
{
    start(call, false, true);
}
