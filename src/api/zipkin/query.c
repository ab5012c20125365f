/* Zipkin's queries. A search is TraceQL underneath: all conditions are on one span. */
#include "api/zipkin/door_priv.h"
#include "codec/json_write.h"
#include "codec/number.h"

#define LIMIT_DEFAULT 10
#define LIMIT_MAX     10000
#define LOOKBACK      (7 * 86400000) /* ms; without a lookback */
#define MANY_MAX      1000

struct zipkin_state {
    struct buf query; /* TraceQL */
    struct slice ids_text, id_text;
    const char *field;
    int64_t start_ns, end_ns, limit;
    struct store_event_chunk chunk;
    size_t at;
};

static void cleanup(struct api_job *job)
{
    struct zipkin_state *st = job->state;
    buf_deinit(&st->query);
    store_event_chunk_free(&st->chunk);
}

static int param_int(struct net_request *req, const char *name, int64_t fallback, int64_t *out,
                     struct diag *diag)
{
    struct slice text = net_request_param(req, name);
    *out = fallback;
    if (!text.len || (codec_text_to_int(text, out) && *out >= 0))
        return 0;
    return diag_set(diag, ERR_INVALID, "invalid %s: a number that is not negative is expected",
                    name);
}

/* endTs and lookback, in ms. */
static int param_range(struct api_call *call, struct zipkin_state *st, struct diag *diag)
{
    int64_t now_ms = call->api->host->now_ns(call->api->host->ctx) / NS_PER_MS, end, lookback;
    int err = param_int(call->req, "endTs", now_ms + 60000, &end, diag);
    if (!err)
        err = param_int(call->req, "lookback", LOOKBACK, &lookback, diag);
    if (err)
        return err;
    if (__builtin_mul_overflow(end, INT64_C(1000000), &st->end_ns))
        st->end_ns = INT64_MAX;
    if (lookback > end || __builtin_mul_overflow(end - lookback, INT64_C(1000000), &st->start_ns))
        st->start_ns = 0;
    return 0;
}

static void start(struct api_call *call, struct zipkin_state *st, void (*work)(struct api_job *))
{
    struct api_job *job = api__traces_job(call, work);
    if (!job) {
        buf_deinit(&st->query);
        return;
    }
    job->state = st;
    job->cleanup = cleanup;
    api_job_start(job, true);
}

static void refuse(struct api_call *call, struct zipkin_state *st, const struct diag *diag)
{
    buf_deinit(&st->query);
    api__plain_error(call->req, 400, "%s", diag->msg);
}

/* --- traces --- */

static bool produce(struct api_job *job)
{
    struct zipkin_state *st = job->state;
    if (st->at < st->chunk.count) {
        size_t end = api__trace_end(&st->chunk, st->at);
        buf_append_cstr(&job->out, st->at ? "," : "");
        zipkin__put_trace(&st->chunk, st->at, end, &job->out);
        st->at = end;
        return false;
    }
    buf_append_char(&job->out, ']');
    return true;
}

static void answer_traces(struct api_job *job, const struct slice *ids, size_t count)
{
    struct zipkin_state *st = job->state;
    struct diag diag;
    diag_init(&diag);
    int err = count ? api__traces_load(job, ids, count, &st->chunk, &diag) : 0;
    if (err) {
        api__plain_job_fail(job, err, &diag);
        return;
    }
    buf_append_char(&job->out, '[');
    job->produce = produce;
}

static void traces_work(struct api_job *job)
{
    struct zipkin_state *st = job->state;
    struct slice *ids = NULL;
    size_t count;
    struct diag diag;
    diag_init(&diag);
    int err = api__traces_find(job, buf_slice(&st->query), st->start_ns, st->end_ns,
                               (size_t)st->limit, &ids, &count, &diag);
    if (err)
        api__plain_job_fail(job, err, &diag);
    else
        answer_traces(job, ids, count);
}

/* "error and http.method=GET": a tag with that value, or a tag or annotation of that name. */
static void add_annotations(struct slice text, struct buf *out)
{
    while (text.len) {
        ptrdiff_t and = slice_find(text, SLICE(" and "));
        struct slice term = slice_trim(and < 0 ? text : slice_first(text, (size_t) and));
        ptrdiff_t eq = slice_find_char(term, '=');
        struct slice key = eq < 0 ? term : slice_trim(slice_first(term, (size_t)eq)),
                     value = eq < 0 ? SLICE("") : slice_trim(slice_from(term, (size_t)eq + 1));
        text = and < 0 ? SLICE("") : slice_from(text, (size_t) and +5);
        if (!key.len)
            continue;
        buf_append_cstr(out, " && (");
        if (eq < 0) {
            api__traceql_attribute(key, out);
            buf_append_cstr(out, " != nil || event:name = ");
            api__traceql_quote(key, out);
            buf_append_cstr(out, slice_eq_cstr(key, "error") ? " || status = error" : "");
        } else {
            api__traceql_equal(key, value, out);
        }
        buf_append_char(out, ')');
    }
}

void zipkin__traces(struct api_call *call)
{
    struct net_request *req = call->req;
    struct zipkin_state *st = ARENA_NEW(net_request_arena(req), struct zipkin_state);
    int64_t shortest, longest;
    struct diag diag;
    diag_init(&diag);
    if (param_range(call, st, &diag) || param_int(req, "limit", LIMIT_DEFAULT, &st->limit, &diag) ||
        param_int(req, "minDuration", 0, &shortest, &diag) ||
        param_int(req, "maxDuration", 0, &longest, &diag)) {
        refuse(call, st, &diag);
        return;
    }
    st->limit = MIN(MAX(st->limit, 1), LIMIT_MAX);
    buf_append_cstr(&st->query, "{ true");
    api__traceql_and_equal(&st->query, "resource.service.name",
                           net_request_param(req, "serviceName"));
    api__traceql_and_equal(&st->query, "name", net_request_param(req, "spanName"));
    api__traceql_and_equal(&st->query, "span.peer.service",
                           net_request_param(req, "remoteServiceName"));
    if (shortest)
        buf_printf(&st->query, " && duration >= %lldus", (long long)shortest);
    if (longest)
        buf_printf(&st->query, " && duration <= %lldus", (long long)longest);
    add_annotations(net_request_param(req, "annotationQuery"), &st->query);
    buf_append_cstr(&st->query, " }");
    start(call, st, traces_work);
}

static void trace_work(struct api_job *job)
{
    struct zipkin_state *st = job->state;
    struct slice id = st->id_text;
    struct diag diag;
    diag_init(&diag);
    int err = api__traces_load(job, &id, 1, &st->chunk, &diag);
    if (err)
        api__plain_job_fail(job, err, &diag);
    else if (!st->chunk.count)
        api__plain_job_error(job, 404, "no span of this trace is stored");
    else
        zipkin__put_trace(&st->chunk, 0, st->chunk.count, &job->out);
}

void zipkin__trace(struct api_call *call)
{
    struct zipkin_state *st = ARENA_NEW(net_request_arena(call->req), struct zipkin_state);
    char *id = arena_alloc(net_request_arena(call->req), 16);
    if (!api__trace_id_read(call->args[0], id)) {
        api__plain_error(call->req, 400, "a trace id has 1 to 32 hexadecimal digits");
        return;
    }
    st->id_text = slice_make(id, 16);
    start(call, st, trace_work);
}

static void many_work(struct api_job *job)
{
    struct zipkin_state *st = job->state;
    struct slice rest = st->ids_text, one;
    VEC(struct slice) ids = {0};
    while (slice_split(&rest, ',', &one) && ids.len < MANY_MAX) {
        char *id = arena_alloc(job->call_arena, 16);
        if (!api__trace_id_read(slice_trim(one), id)) {
            api__plain_job_error(job, 400, "\"%.*s\" is no trace id",
                                 SLICE_FMT(slice_first(one, 60)));
            vec_free(&ids);
            return;
        }
        vec_push(&ids, slice_make(id, 16));
    }
    answer_traces(job, ids.items, ids.len);
    vec_free(&ids);
}

void zipkin__trace_many(struct api_call *call)
{
    struct zipkin_state *st = ARENA_NEW(net_request_arena(call->req), struct zipkin_state);
    st->ids_text = net_request_param(call->req, "traceIds");
    if (!st->ids_text.len) {
        api__plain_error(call->req, 400, "traceIds parameter is empty");
        return;
    }
    start(call, st, many_work);
}

/* --- names --- */

static void values_work(struct api_job *job)
{
    struct zipkin_state *st = job->state;
    struct slice *values = NULL;
    size_t count;
    struct diag diag;
    diag_init(&diag);
    int err = api__traces_values(job, buf_slice(&st->query), st->field, INT64_MIN, INT64_MAX,
                                 &values, &count, &diag);
    if (err) {
        api__plain_job_fail(job, err, &diag);
        return;
    }
    buf_append_char(&job->out, '[');
    api__put_texts(values, count, &job->out);
    buf_append_char(&job->out, ']');
}

static void names(struct api_call *call, const char *field)
{
    struct zipkin_state *st = ARENA_NEW(net_request_arena(call->req), struct zipkin_state);
    st->field = field;
    buf_append_cstr(&st->query, "{ true");
    api__traceql_and_equal(&st->query, "resource.service.name",
                           net_request_param(call->req, "serviceName"));
    buf_append_cstr(&st->query, " }");
    start(call, st, values_work);
}

void zipkin__services(struct api_call *call)
{
    names(call, "resource.service.name");
}

void zipkin__span_names(struct api_call *call)
{
    names(call, "name");
}

void zipkin__remote_services(struct api_call *call)
{
    names(call, "span.peer.service");
}

/* --- dependencies --- */

static void dependencies_work(struct api_job *job)
{
    struct zipkin_state *st = job->state;
    struct api__dependency *all = NULL;
    size_t count;
    struct diag diag;
    diag_init(&diag);
    int err = api__traces_dependencies(job, st->start_ns, st->end_ns, &all, &count, &diag);
    if (err) {
        api__plain_job_fail(job, err, &diag);
        return;
    }
    buf_append_char(&job->out, '[');
    for (size_t i = 0; i < count; i++) {
        buf_append_cstr(&job->out, i ? "," : "");
        api__put_dependency(&all[i], &job->out);
        buf_printf(&job->out, ",\"callCount\":%llu", (unsigned long long)all[i].calls);
        if (all[i].errors)
            buf_printf(&job->out, ",\"errorCount\":%llu", (unsigned long long)all[i].errors);
        buf_append_char(&job->out, '}');
    }
    buf_append_char(&job->out, ']');
}

void zipkin__dependencies(struct api_call *call)
{
    struct zipkin_state *st = ARENA_NEW(net_request_arena(call->req), struct zipkin_state);
    struct diag diag;
    diag_init(&diag);
    if (!net_request_param(call->req, "endTs").len)
        diag_set(&diag, ERR_INVALID, "endTs is missing: milliseconds since 1970");
    if (diag.code || param_range(call, st, &diag))
        refuse(call, st, &diag);
    else
        start(call, st, dependencies_work);
}
