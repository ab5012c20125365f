/* query, query_range and EXPLAIN: parameters -> logql -> lines or numbers -> JSON in steps. */
#include <stdlib.h>

#include "api/loki/door_priv.h"
#include "api/loki/protobuf.h"
#include "api/prometheus/encode.h"
#include "codec/number.h"

#define POINTS_MAX     11000
#define LINES_A_STEP   512 /* encoded between two looks at the buffer */
#define DEFAULT_LIMIT  100
#define DEFAULT_POINTS 250 /* of a range whose step is not given */

struct query_state {
    struct slice text;
    struct logql_env env;
    struct query_steps steps;
    struct logql_select select;
    bool explain, flagged; /* categorize-labels was asked for */
    bool protobuf;
    bool legacy; /* the shape from before 1.0 */
    bool may_be_partial;
    struct logql_partial partial;

    struct logql_expr *expr;
    struct logql_streams lines;
    struct query_result numbers;
    struct logql_stats stats;
    int64_t run_ns, wait_ns;
    size_t at, entry; /* the next to be encoded */
    bool begun;
};

static int64_t monotonic(void *ctx)
{
    (void)ctx;
    return api__monotonic_ns();
}

/* --- encoding --- */

static void put_tail(struct api_job *job)
{
    struct query_state *st = job->state;
    buf_append_cstr(&job->out, ",\"stats\":");
    loki__put_stats(&st->stats, st->run_ns, st->wait_ns, &job->out);
    buf_append_cstr(&job->out, st->legacy ? "}" : "}}");
}

static bool produce_lines(struct api_job *job)
{
    struct query_state *st = job->state;
    struct buf *out = &job->out;
    if (st->at == st->lines.count) {
        buf_append_char(out, ']');
        put_tail(job);
        return true;
    }
    const struct logql_stream *s = &st->lines.streams[st->at];
    if (!st->entry) {
        buf_append_cstr(out, st->at ? "," : "");
        loki__put_stream(s->labels, st->legacy, out);
    }
    size_t end = MIN(s->count, st->entry + LINES_A_STEP);
    for (; st->entry < end; st->entry++) {
        if (st->entry)
            buf_append_char(out, ',');
        loki__put_entry(&s->entries[st->entry], st->legacy, st->flagged, out);
    }
    if (st->entry == s->count) {
        buf_append_cstr(out, "]}");
        st->entry = 0;
        st->at++;
    }
    return false;
}

static void put_point(struct query_point p, struct buf *out)
{
    buf_append_char(out, '[');
    api_encode_time(p.ts_ns, out);
    buf_append_cstr(out, ",\"");
    codec_append_double(out, p.value, CODEC_DOUBLE_PLAIN);
    buf_append_cstr(out, "\"]");
}

static bool produce_numbers(struct api_job *job)
{
    struct query_state *st = job->state;
    struct buf *out = &job->out;
    if (st->at == st->numbers.series_count) {
        buf_append_char(out, ']');
        put_tail(job);
        return true;
    }
    const struct query_series *s = &st->numbers.series[st->at];
    if (!st->entry) {
        buf_append_cstr(out, st->at ? ",{\"metric\":" : "{\"metric\":");
        api_encode_labels(s->labels, out);
        buf_append_cstr(out, st->steps.instant ? ",\"value\":" : ",\"values\":[");
    }
    size_t end = MIN(s->count, st->entry + LINES_A_STEP);
    for (; st->entry < end; st->entry++) {
        if (st->entry)
            buf_append_char(out, ',');
        put_point(query_point_at(s, st->entry), out);
    }
    if (st->entry == s->count) {
        buf_append_cstr(out, st->steps.instant ? "}" : "]}");
        st->entry = 0;
        st->at++;
    }
    return false;
}

static bool produce_scalar(struct api_job *job)
{
    struct query_state *st = job->state;
    put_point(st->numbers.scalar, &job->out);
    put_tail(job);
    return true;
}

static void put_protobuf(struct api_job *job, const char *type);

static void begin_answer(struct api_job *job, const char *type, bool (*produce)(struct api_job *))
{
    struct query_state *st = job->state;
    if (st->protobuf) {
        put_protobuf(job, type);
        return;
    }
    if (st->legacy && produce != produce_lines) {
        api__plain_job_error(job, 400,
                             "legacy endpoints only support streams result type, current type is "
                             "%s",
                             type);
        return;
    }
    if (st->legacy) {
        buf_append_cstr(&job->out, "{\"streams\":[");
        job->produce = produce;
        return;
    }
    buf_append_cstr(&job->out, "{\"status\":\"success\",");
    if (st->partial.cut) {
        struct buf text = {0};
        logql_partial_text(&st->partial, &text);
        buf_append_cstr(&job->out, "\"warnings\":[");
        codec_json_append_string(&job->out, buf_slice(&text));
        buf_append_cstr(&job->out, "],");
        buf_deinit(&text);
    }
    buf_printf(&job->out, "\"data\":{\"resultType\":\"%s\",%s\"result\":%s", type,
               st->flagged ? "\"encodingFlags\":[\"categorize-labels\"]," : "",
               produce == produce_scalar ? "" : "[");
    job->produce = produce;
}

/* --- the same as protobuf --- */

/* An answer in one piece is as large again: charged, as what it is made of. */
static bool may_hold(struct api_job *job, uint64_t bytes)
{
    if (budget_take(&job->memory, (int64_t)MIN(bytes, (uint64_t)INT64_MAX)))
        return true;
    api__plain_job_error(job, 400,
                         "the answer as protobuf needs more memory than limits.query.memory "
                         "allows; ask for fewer lines, or for JSON");
    return false;
}

static uint64_t size_of_lines(const struct logql_streams *lines)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < lines->count; i++) {
        const struct logql_stream *s = &lines->streams[i];
        for (size_t k = 0; k < s->labels.count; k++)
            bytes += s->labels.items[k].name.len + s->labels.items[k].value.len + 8;
        for (size_t k = 0; k < s->count; k++) {
            bytes += s->entries[k].line.len + 32;
            for (size_t n = 0; n < s->entries[k].label_count; n++)
                bytes += s->entries[k].labels[n].name.len + s->entries[k].labels[n].value.len + 8;
        }
    }
    return bytes;
}

static uint64_t size_of_numbers(const struct query_result *r)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < r->series_count; i++) {
        bytes += r->series[i].count * 20;
        for (size_t k = 0; k < r->series[i].labels.count; k++)
            bytes += r->series[i].labels.items[k].name.len + r->series[i].labels.items[k].value.len;
    }
    return bytes;
}

static void put_numbers(struct api_job *job, const char *type, const struct loki__pb_about *about)
{
    struct query_state *st = job->state;
    struct loki__pb_prom p;
    loki__pb_prom_begin(&p, type, &job->out);
    if (st->numbers.kind == QUERY_SCALAR) {
        loki__pb_prom_series(&p, (struct data_labels){0});
        loki__pb_prom_point(&p, st->numbers.scalar.ts_ns, st->numbers.scalar.value);
        loki__pb_prom_series_end(&p);
    }
    for (size_t i = 0; i < st->numbers.series_count; i++) {
        const struct query_series *s = &st->numbers.series[i];
        loki__pb_prom_series(&p, s->labels);
        for (size_t k = 0; k < s->count; k++)
            loki__pb_prom_point(&p, query_point_at(s, k).ts_ns, query_point_at(s, k).value);
        loki__pb_prom_series_end(&p);
    }
    loki__pb_prom_end(&p, about);
}

static void put_protobuf(struct api_job *job, const char *type)
{
    struct query_state *st = job->state;
    bool lines = slice_eq_cstr(slice_cstr(type), "streams");
    struct loki__pb_about about = {
        .stats = &st->stats, .run_ns = st->run_ns, .wait_ns = st->wait_ns};
    struct buf text = {0};
    if (!may_hold(job, lines ? size_of_lines(&st->lines) : size_of_numbers(&st->numbers)))
        return;
    if (st->partial.cut) {
        logql_partial_text(&st->partial, &text);
        about.warning = buf_slice(&text);
    }
    job->content_type = LOKI__PROTOBUF_TYPE;
    if (lines)
        loki__pb_streams(&st->lines, &st->select, &about, &job->out);
    else
        put_numbers(job, type, &about);
    buf_deinit(&text);
}

/* --- running --- */

static void cleanup(struct api_job *job)
{
    struct query_state *st = job->state;
    logql_expr_free(st->expr);
    st->expr = NULL;
}

static void run_lines(struct api_job *job)
{
    struct query_state *st = job->state;
    struct diag diag;
    diag_init(&diag);
    st->select.categorize = st->flagged;
    int err = logql_select_run(st->expr, &st->select, &st->env, job->arena, &st->lines, &diag);
    st->run_ns = api__monotonic_ns() - st->run_ns;
    st->stats = st->lines.stats;
    if (err)
        api__plain_job_fail(job, err, &diag);
    else
        begin_answer(job, "streams", produce_lines);
}

static int by_labels(const void *a, const void *b)
{
    return data_labels_cmp(((const struct query_series *)a)->labels,
                           ((const struct query_series *)b)->labels);
}

static void run_numbers(struct api_job *job)
{
    struct query_state *st = job->state;
    struct query_plan *plan;
    struct diag diag;
    diag_init(&diag);
    struct query_env env = {.tenant = job->tenant,
                            .pool = job->api->pool,
                            .memory = &job->memory,
                            .samples_max = (size_t)job->limits.query_samples,
                            .series_max = (size_t)job->limits.query_series,
                            .cancelled = &job->cancelled,
                            .deadline_ns = st->may_be_partial
                                               ? loki__partial_deadline_ns(job->deadline_ns)
                                               : job->deadline_ns,
                            .now_ns = monotonic};
    bool lines = logql_is_log(st->expr);
    struct buf text = {0};
    int err = lines ? logql_select_explain(st->expr, job->call_arena, &text, &diag)
                    : logql_plan(st->expr, &st->steps, &st->env, job->call_arena, &plan, &st->stats,
                                 &diag);
    if (!err && st->explain) {
        struct codec_json_writer w;
        if (!lines)
            query_explain(plan, &text);
        api__begin(&w, &job->out);
        codec_json_begin_object(&w);
        codec_json_put_string(&w, "language", SLICE("logql"));
        codec_json_put_string(&w, "plan", buf_slice(&text));
        codec_json_end_object(&w);
        codec_json_end_object(&w);
        buf_deinit(&text);
        return;
    }
    if (!err)
        err = query_run(plan, &env, job->arena, &st->numbers, &diag);
    st->run_ns = api__monotonic_ns() - st->run_ns;
    st->flagged = false;
    if (!err)
        logql_partial_trim(&st->partial, &st->steps, &st->numbers);
    if (err) {
        api__plain_job_fail(job, err, &diag);
    } else if (st->numbers.kind == QUERY_SCALAR) {
        begin_answer(job, "scalar", produce_scalar);
    } else {
        if (st->steps.instant && !logql_is_sorted(st->expr) && st->numbers.series_count)
            qsort(st->numbers.series, st->numbers.series_count, sizeof(*st->numbers.series),
                  by_labels);
        begin_answer(job, st->steps.instant ? "vector" : "matrix", produce_numbers);
    }
}

static void query_work(struct api_job *job)
{
    struct query_state *st = job->state;
    struct diag diag;
    diag_init(&diag);
    st->run_ns = api__monotonic_ns();
    st->wait_ns = st->run_ns - job->started_ns;
    loki__env(job, &st->env);
    if (st->may_be_partial)
        loki__allow_partial(&st->env, &st->partial);
    if (logql_parse(st->text, job->call_arena, &st->expr, &diag)) {
        loki__job_parse_error(job, &diag);
        return;
    }
    if (logql_is_log(st->expr) && !st->explain) {
        if (st->steps.instant)
            api__plain_job_error(job, 400,
                                 "log queries are not supported as an instant query type, "
                                 "please change your query to a range query type");
        else
            run_lines(job);
        return;
    }
    run_numbers(job);
}

/* query, and what an older client gives as regexp. */
static struct slice query_text(struct api_call *call)
{
    struct slice query = net_request_param(call->req, "query"),
                 regexp = net_request_param(call->req, "regexp");
    struct arena *arena = net_request_arena(call->req);
    if (!regexp.len)
        return query.ptr ? query : SLICE("");
    struct buf text = {0};
    buf_append_slice(&text, query);
    buf_append_cstr(&text, " |~ ");
    codec_json_append_string(&text, regexp);
    struct slice out = arena_slice(arena, buf_slice(&text));
    buf_deinit(&text);
    return out;
}

static int read_direction(struct api_call *call, struct query_state *st, struct diag *diag)
{
    struct slice direction = net_request_param(call->req, "direction");
    st->select.forward = slice_eq_nocase(direction, SLICE("forward"));
    if (direction.len && !st->select.forward && !slice_eq_nocase(direction, SLICE("backward")))
        return diag_set(diag, ERR_INVALID, "invalid direction '%.*s'", SLICE_FMT(direction));
    return 0;
}

static int read_limit(struct api_call *call, struct query_state *st, struct diag *diag)
{
    int64_t limit, most = api__limits(call->api).log_entries;
    int err = loki__param_count(call->req, "limit", DEFAULT_LIMIT, &limit, diag);
    if (!err && limit == 0)
        err = diag_set(diag, ERR_INVALID, "limit must be a positive value");
    if (!err && most && limit > most)
        err = diag_set(diag, ERR_INVALID,
                       "max entries limit per query exceeded, limit > max_entries_limit_per_query "
                       "(%lld > %lld) (limits.logs.entries)",
                       (long long)limit, (long long)most);
    st->select.limit = (uint64_t)limit;
    return err;
}

static int read_range(struct api_call *call, struct query_state *st, struct diag *diag)
{
    int64_t start, end, step;
    int err = loki__param_range(call, 3600 * NS_PER_SEC, &start, &end, diag);
    if (err)
        return err;
    uint64_t length = (uint64_t)end - (uint64_t)start;
    int64_t fallback = MAX((int64_t)(length / NS_PER_SEC) / DEFAULT_POINTS, 1) * NS_PER_SEC;
    if ((err = loki__param_duration(call->req, "step", fallback, &step, diag)) ||
        (err = loki__param_duration(call->req, "interval", 0, &st->select.interval_ns, diag)))
        return err;
    if (step <= 0)
        return diag_set(diag, ERR_INVALID,
                        "zero or negative query resolution step widths are not "
                        "accepted. Try a positive integer");
    if (st->select.interval_ns < 0)
        return diag_set(diag, ERR_INVALID, "interval must be >= 0");
    if (length / (uint64_t)step > POINTS_MAX)
        return diag_set(diag, ERR_INVALID,
                        "exceeded maximum resolution of 11,000 points per time series. Try "
                        "increasing the value of the step parameter");
    st->steps = (struct query_steps){.start_ns = start, .end_ns = end, .step_ns = step};
    st->select.start_ns = start;
    st->select.end_ns = end;
    return 0;
}

static void start(struct api_call *call, bool instant, bool explain, bool legacy)
{
    struct query_state *st = ARENA_NEW(net_request_arena(call->req), struct query_state);
    struct diag diag;
    int64_t now_ns = call->api->host->now_ns(call->api->host->ctx), time;
    diag_init(&diag);
    st->text = query_text(call);
    st->flagged = loki__wants_categories(call->req);
    st->explain = explain;
    st->legacy = legacy;
    st->flagged &= !legacy;
    int err = read_direction(call, st, &diag);
    if (!err)
        err = loki__param_partial(call->req, &st->may_be_partial, &diag);
    if (!err)
        err = read_limit(call, st, &diag);
    if (!err && instant) {
        err = loki__param_time(call->req, "time", now_ns, &time, &diag);
        st->steps = (struct query_steps){.start_ns = time, .end_ns = time, .instant = true};
    } else if (!err) {
        err = read_range(call, st, &diag);
    }
    if (err) {
        api__plain_error(call->req, 400, "%s", diag.msg);
        return;
    }
    if (!loki__form_read(call->req, &st->protobuf))
        return;
    struct api_job *job = loki__job_new(call, query_work);
    if (!job)
        return;
    job->state = st;
    job->cleanup = cleanup;
    api_job_start(job, true);
}

void loki__query(struct api_call *call)
{
    start(call, true, false, false);
}

void loki__query_range(struct api_call *call)
{
    start(call, false, false, false);
}

void loki__explain(struct api_call *call)
{
    start(call, false, true, false);
}

void loki__query_legacy(struct api_call *call)
{
    start(call, false, false, true);
}
