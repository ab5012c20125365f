/* Jaeger's queries, older and version 3. A search is TraceQL underneath. */
#include <stdlib.h>

#include "api/jaeger/door_priv.h"
#include "api/otlp/spans.h"
#include "codec/json_read.h"
#include "codec/json_write.h"
#include "codec/number.h"
#include "decode/otlp/encode.h"
#include "lang/traceql/traceql.h"
#include "text/duration.h"

#define LIMIT_DEFAULT   20
#define LIMIT_MAX       1500
#define SPANS_A_MESSAGE 256

struct jaeger_state {
    struct buf query; /* TraceQL */
    const char *field;
    char id[16];
    bool v3, model; /* version 3's shapes; spans as gRPC's version 2 has them */
    bool summaries;
    int64_t start_ns, end_ns, limit;
    struct store_event_chunk chunk;
    size_t at;
};

static void cleanup(struct api_job *job)
{
    struct jaeger_state *st = job->state;
    buf_deinit(&st->query);
    store_event_chunk_free(&st->chunk);
}

/* {"data":null,...,"errors":[{"code":404,"msg":""}]}, or version 3's {"error":{...}} */
static void put_error(bool v3, int status, const char *message, struct buf *out)
{
    if (v3) {
        buf_printf(out, "{\"error\":{\"grpcCode\":%d,\"httpCode\":%d,\"message\":",
                   status == 404   ? 5
                   : status == 400 ? 3
                                   : 13,
                   status);
        codec_json_append_string(out, slice_cstr(message));
        buf_printf(out, ",\"httpStatus\":\"%s\"}}",
                   status == 404   ? "Not Found"
                   : status == 400 ? "Bad Request"
                                   : "Internal Server Error");
        return;
    }
    buf_printf(
        out,
        "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":%d,\"msg\":",
        status);
    codec_json_append_string(out, slice_cstr(message));
    buf_append_cstr(out, "}]}");
}

static void job_error(struct api_job *job, int status, const char *message)
{
    struct jaeger_state *st = job->state;
    buf_clear(&job->out);
    if (job->grpc)
        buf_append_cstr(&job->out, message);
    else
        put_error(st->v3, status, message, &job->out);
    job->status = status;
    job->produce = NULL;
}

static void job_fail(struct api_job *job, int err, const struct diag *diag)
{
    job_error(job, err == ERR_INVALID || err == ERR_LIMIT || err == ERR_NOMEM ? 400 : 500,
              diag->code ? diag->msg : err_name(err));
}

static void refuse(struct api_call *call, struct jaeger_state *st, const char *message)
{
    struct buf out = {0};
    if (call->grpc)
        buf_append_cstr(&out, message);
    else
        put_error(st->v3, 400, message, &out);
    api__respond_json(call->req, 400, buf_slice(&out));
    buf_deinit(&out);
    buf_deinit(&st->query);
}

/* Everything is kept alike, for as long as the retention says: what Jaeger answers without a second
 * store. */
void jaeger__archive(struct api_call *call)
{
    struct buf out = {0};
    put_error(false, 500, "archive span storage was not configured", &out);
    api__respond_json(call->req, 500, buf_slice(&out));
    buf_deinit(&out);
}

static void start(struct api_call *call, struct jaeger_state *st, void (*work)(struct api_job *))
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

static struct jaeger_state *state_new(struct api_call *call, bool v3)
{
    struct jaeger_state *st = ARENA_NEW(net_request_arena(call->req), struct jaeger_state);
    st->v3 = v3;
    st->start_ns = INT64_MIN;
    st->end_ns = INT64_MAX;
    return st;
}

static void put_tail(size_t total, struct buf *out)
{
    buf_printf(out, "],\"total\":%zu,\"limit\":0,\"offset\":0,\"errors\":null}", total);
}

/* --- names --- */

static void services_work(struct api_job *job)
{
    struct jaeger_state *st = job->state;
    struct slice *values = NULL;
    size_t count;
    struct diag diag;
    diag_init(&diag);
    int err = api__traces_values(job, buf_slice(&st->query), st->field, st->start_ns, st->end_ns,
                                 &values, &count, &diag);
    if (err) {
        job_fail(job, err, &diag);
        return;
    }
    buf_append_cstr(&job->out, st->v3 ? "{\"services\":[" : "{\"data\":[");
    api__put_texts(values, count, &job->out);
    if (st->v3)
        buf_append_cstr(&job->out, "]}");
    else
        put_tail(count, &job->out);
}

static void services(struct api_call *call, bool v3)
{
    struct jaeger_state *st = state_new(call, v3);
    st->field = "resource.service.name";
    start(call, st, services_work);
}

void jaeger__services(struct api_call *call)
{
    services(call, false);
}

void jaeger__services_v3(struct api_call *call)
{
    services(call, true);
}

void jaeger__service_operations(struct api_call *call)
{
    struct jaeger_state *st = state_new(call, false);
    st->field = "name";
    buf_append_cstr(&st->query, "{ resource.service.name = ");
    api__traceql_quote(call->args[0], &st->query);
    buf_append_cstr(&st->query, " }");
    start(call, st, services_work);
}

static const char *const kinds[] = {"unspecified", "internal", "server",
                                    "client",      "producer", "consumer"};

static void operations_work(struct api_job *job)
{
    struct jaeger_state *st = job->state;
    struct diag diag;
    size_t total = 0;
    diag_init(&diag);
    buf_append_cstr(&job->out, st->v3 ? "{\"operations\":[" : "{\"data\":[");
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct buf query = {0};
        struct slice *names = NULL;
        size_t count;
        if (st->field && strcmp(st->field, kinds[k]) != 0)
            continue;
        buf_printf(&query, "%.*s && kind = %s }", SLICE_FMT(buf_slice(&st->query)), kinds[k]);
        int err = api__traces_values(job, buf_slice(&query), "name", st->start_ns, st->end_ns,
                                     &names, &count, &diag);
        buf_deinit(&query);
        if (err) {
            job_fail(job, err, &diag);
            return;
        }
        for (size_t i = 0; i < count; i++) {
            buf_append_cstr(&job->out, total++ ? ",{\"name\":" : "{\"name\":");
            codec_json_append_string(&job->out, names[i]);
            buf_printf(&job->out, ",\"spanKind\":\"%s\"}", k ? kinds[k] : "");
        }
    }
    if (st->v3)
        buf_append_cstr(&job->out, "]}");
    else
        put_tail(total, &job->out);
}

static void operations(struct api_call *call, bool v3)
{
    struct jaeger_state *st = state_new(call, v3);
    struct slice kind = net_request_param(call->req, "spanKind");
    struct slice service = net_request_param(call->req, "service");
    if (!kind.ptr)
        kind = net_request_param(call->req, "span_kind");
    if (!service.len) {
        refuse(call, st, "parameter 'service' is required");
        return;
    }
    for (size_t i = 0; kind.len && i < ARRAY_LEN(kinds); i++) {
        if (slice_eq_nocase(kind, slice_cstr(kinds[i])))
            st->field = kinds[i];
    }
    buf_append_cstr(&st->query, "{ resource.service.name = ");
    api__traceql_quote(service, &st->query);
    start(call, st, operations_work);
}

void jaeger__operations(struct api_call *call)
{
    operations(call, false);
}

void jaeger__operations_v3(struct api_call *call)
{
    operations(call, true);
}

/* --- traces --- */

static bool produce(struct api_job *job)
{
    struct jaeger_state *st = job->state;
    if (st->at < st->chunk.count) {
        size_t end = api__trace_end(&st->chunk, st->at);
        buf_append_cstr(&job->out, st->at ? "," : "");
        jaeger__put_trace(&st->chunk, st->at, end, &job->out);
        st->at = end;
        return false;
    }
    put_tail(0, &job->out);
    return true;
}

/* A gRPC stream: some spans of one trace a message. */
static bool produce_messages(struct api_job *job)
{
    struct jaeger_state *st = job->state;
    size_t end = MIN(api__trace_end(&st->chunk, st->at), st->at + SPANS_A_MESSAGE);
    if (st->model)
        jaeger__put_model(&st->chunk, st->at, end, &job->out);
    else
        api__otlp_put_rows(&st->chunk, st->at, end, NULL, &job->out);
    st->at = end;
    job->flush = true;
    return st->at == st->chunk.count;
}

static bool produce_summaries(struct api_job *job)
{
    struct jaeger_state *st = job->state;
    if (st->at < st->chunk.count) {
        size_t end = api__trace_end(&st->chunk, st->at);
        buf_append_cstr(&job->out, st->at ? "," : "");
        jaeger__put_summary(&st->chunk, st->at, end, &job->out);
        st->at = end;
        return false;
    }
    buf_append_cstr(&job->out, "]}");
    return true;
}

static void answer_traces(struct api_job *job, const struct slice *ids, size_t count)
{
    struct jaeger_state *st = job->state;
    struct buf message = {0};
    struct diag diag;
    diag_init(&diag);
    int err = count ? api__traces_load(job, ids, count, &st->chunk, &diag) : 0;
    if (err) {
        job_fail(job, err, &diag);
    } else if (!st->chunk.count && buf_slice(&st->query).len == 0) {
        job_error(job, 404, "trace not found");
    } else if (st->summaries) {
        buf_append_cstr(&job->out, "{\"summaries\":[");
        job->produce = produce_summaries;
    } else if (job->grpc) {
        job->produce = st->chunk.count ? produce_messages : NULL;
    } else if (st->v3) {
        api__otlp_put_spans(&st->chunk, &message);
        buf_append_cstr(&job->out, "{\"result\":");
        (void)decode_otlp_print_json(DECODE_OTLP_TRACES, buf_slice(&message), &job->out);
        buf_append_char(&job->out, '}');
    } else {
        buf_append_cstr(&job->out, "{\"data\":[");
        job->produce = produce;
    }
    buf_deinit(&message);
}

static void trace_work(struct api_job *job)
{
    struct jaeger_state *st = job->state;
    struct slice id = slice_make(st->id, sizeof(st->id));
    answer_traces(job, &id, 1);
}

static void trace(struct api_call *call, bool v3, bool model)
{
    struct jaeger_state *st = state_new(call, v3);
    st->model = model;
    if (api__trace_id_read(call->args[0], st->id))
        start(call, st, trace_work);
    else
        refuse(call, st, "a trace id has 1 to 32 hexadecimal digits");
}

void jaeger__trace(struct api_call *call)
{
    trace(call, false, false);
}

void jaeger__trace_v3(struct api_call *call)
{
    trace(call, true, false);
}

void jaeger__trace_v2(struct api_call *call)
{
    trace(call, true, true);
}

static void traces_work(struct api_job *job)
{
    struct jaeger_state *st = job->state;
    struct slice *ids = NULL;
    size_t count;
    struct diag diag;
    diag_init(&diag);
    int err = api__traces_find(job, buf_slice(&st->query), st->start_ns, st->end_ns,
                               (size_t)st->limit, &ids, &count, &diag);
    if (err)
        job_fail(job, err, &diag);
    else
        answer_traces(job, ids, count);
}

/* One tag: of the span or its process, or of an event; numbers and booleans by value too. */
static void add_tag(struct slice key, struct slice value, struct buf *out)
{
    bool word = slice_eq_cstr(value, "true") || slice_eq_cstr(value, "false");
    if (slice_eq_cstr(key, "error") && word) {
        buf_printf(out, " && status %s error", value.len == 4 ? "=" : "!=");
        return;
    }
    for (size_t i = 0; slice_eq_cstr(key, "span.kind") && i < ARRAY_LEN(kinds); i++) {
        if (slice_eq_nocase(value, slice_cstr(kinds[i]))) {
            buf_printf(out, " && kind = %s", kinds[i]);
            return;
        }
    }
    buf_append_cstr(out, " && (");
    api__traceql_equal(key, value, out);
    buf_append_cstr(out, " || event");
    api__traceql_attribute(key, out);
    buf_append_cstr(out, " = ");
    api__traceql_quote(value, out);
    buf_append_char(out, ')');
}

static int add_tags(struct slice json, struct arena *arena, struct buf *out, struct diag *diag)
{
    struct codec_json_reader r = codec_json_reader(json, arena, diag);
    struct slice key, value;
    if (!json.len)
        return 0;
    (void)codec_json_read_object(&r);
    while (codec_json_next_key(&r, &key)) {
        enum codec_json_kind kind;
        if (!codec_json_peek(&r, &kind))
            break;
        if (kind == CODEC_JSON_STRING ? codec_json_read_string(&r, &value)
                                      : codec_json_read_raw(&r, &value))
            add_tag(key, value, out);
    }
    return codec_json_read_end(&r);
}

static int add_duration(struct slice text, const char *op, struct buf *out, struct diag *diag)
{
    int64_t ns;
    if (!text.len)
        return 0;
    if (!traceql_duration_parse(text, &ns))
        return diag_set(diag, ERR_INVALID,
                        "\"%.*s\" is no duration; \"1.2s\" or \"100ms\" would be one",
                        SLICE_FMT(slice_first(text, 60)));
    buf_printf(out, " && duration %s %lldns", op, (long long)ns);
    return 0;
}

static struct slice either(struct net_request *req, const char *a, const char *b)
{
    struct slice s = net_request_param(req, a);
    return s.ptr ? s : net_request_param(req, b);
}

static int param_us(struct net_request *req, const char *name, int64_t *io_ns, struct diag *diag)
{
    struct slice text = net_request_param(req, name);
    int64_t us;
    if (!text.len)
        return 0;
    if (!codec_text_to_int(text, &us) || __builtin_mul_overflow(us, (int64_t)NS_PER_US, io_ns))
        return diag_set(diag, ERR_INVALID, "%s: microseconds since 1970 are expected", name);
    return 0;
}

static int param_rfc(struct slice text, const char *name, int64_t *out_ns, struct diag *diag)
{
    if (text.len && text_time_parse(text, out_ns))
        return diag_set(diag, ERR_INVALID, "malformed parameter %s: RFC 3339 is expected", name);
    return 0;
}

static int read_limit(struct slice text, struct jaeger_state *st, struct diag *diag)
{
    st->limit = LIMIT_DEFAULT;
    if (text.len && (!codec_text_to_int(text, &st->limit) || st->limit < 1))
        return diag_set(diag, ERR_INVALID, "the number of traces has to be positive");
    st->limit = MIN(st->limit, LIMIT_MAX);
    return 0;
}

static int read_traces(struct api_call *call, struct jaeger_state *st, struct diag *diag)
{
    struct net_request *req = call->req;
    struct buf *q = &st->query;
    int err;
    buf_append_cstr(q, "{ true");
    if (st->v3) {
        api__traceql_and_equal(q, "resource.service.name",
                               either(req, "query.serviceName", "query.service_name"));
        api__traceql_and_equal(q, "name",
                               either(req, "query.operationName", "query.operation_name"));
        if ((err = add_tags(net_request_param(req, "query.attributes"), net_request_arena(req), q,
                            diag)) ||
            (err = add_duration(either(req, "query.durationMin", "query.duration_min"), ">=", q,
                                diag)) ||
            (err = add_duration(either(req, "query.durationMax", "query.duration_max"), "<=", q,
                                diag)) ||
            (err = param_rfc(either(req, "query.startTimeMin", "query.start_time_min"),
                             "query.startTimeMin", &st->start_ns, diag)) ||
            (err = param_rfc(either(req, "query.startTimeMax", "query.start_time_max"),
                             "query.startTimeMax", &st->end_ns, diag)) ||
            (err = read_limit(either(req, "query.searchDepth", "query.num_traces"), st, diag)))
            return err;
    } else {
        api__traceql_and_equal(q, "resource.service.name", net_request_param(req, "service"));
        api__traceql_and_equal(q, "name", net_request_param(req, "operation"));
        for (size_t i = 0;; i++) { /* tag=key:value, any number of them */
            struct slice tag = net_request_param_at(req, "tag", i);
            if (!tag.ptr)
                break;
            ptrdiff_t colon = slice_find_char(tag, ':');
            if (colon <= 0)
                return diag_set(diag, ERR_INVALID,
                                "malformed 'tag' parameter, expecting key:value");
            add_tag(slice_first(tag, (size_t)colon), slice_from(tag, (size_t)colon + 1), q);
        }
        if ((err = add_tags(net_request_param(req, "tags"), net_request_arena(req), q, diag)) ||
            (err = add_duration(net_request_param(req, "minDuration"), ">=", q, diag)) ||
            (err = add_duration(net_request_param(req, "maxDuration"), "<=", q, diag)) ||
            (err = param_us(req, "start", &st->start_ns, diag)) ||
            (err = param_us(req, "end", &st->end_ns, diag)) ||
            (err = read_limit(net_request_param(req, "limit"), st, diag)))
            return err;
    }
    buf_append_cstr(q, " }");
    return 0;
}

/* {"query":{"serviceName":"x",...}}: what version 3 takes as a body too. */
static int read_body(struct api_call *call, struct diag *diag)
{
    struct codec_json_reader r =
        codec_json_reader(net_request_body(call->req), net_request_arena(call->req), diag);
    struct slice key, inner, value;
    (void)codec_json_read_object(&r);
    while (codec_json_next_key(&r, &key)) {
        if (!slice_eq_cstr(key, "query") || codec_json_read_null(&r))
            continue;
        (void)codec_json_read_object(&r);
        while (codec_json_next_key(&r, &inner)) {
            enum codec_json_kind kind;
            struct buf name = {0};
            if (!codec_json_peek(&r, &kind))
                break;
            buf_printf(&name, "query.%.*s", SLICE_FMT(inner));
            if (kind == CODEC_JSON_STRING ? codec_json_read_string(&r, &value)
                                          : codec_json_read_raw(&r, &value))
                net_request_param_add(call->req, buf_cstr(&name),
                                      kind == CODEC_JSON_NULL ? SLICE("") : value);
            buf_deinit(&name);
        }
    }
    return codec_json_read_end(&r);
}

static void traces(struct api_call *call, bool v3, bool model, bool summaries)
{
    struct jaeger_state *st = state_new(call, v3);
    struct diag diag;
    diag_init(&diag);
    st->model = model;
    st->summaries = summaries;
    if (v3 && !call->grpc && net_request_method(call->req) == NET_POST && read_body(call, &diag)) {
        refuse(call, st, diag.msg);
        return;
    }
    if (!v3 && net_request_param(call->req, "traceID").len) {
        call->args[0] = net_request_param(call->req, "traceID");
        trace(call, false, false);
        return;
    }
    if (read_traces(call, st, &diag))
        refuse(call, st, diag.msg);
    else
        start(call, st, traces_work);
}

void jaeger__traces(struct api_call *call)
{
    traces(call, false, false, false);
}

void jaeger__traces_v3(struct api_call *call)
{
    traces(call, true, false, false);
}

void jaeger__traces_v2(struct api_call *call)
{
    traces(call, true, true, false);
}

void jaeger__summaries(struct api_call *call)
{
    traces(call, true, false, true);
}

/* --- dependencies --- */

static void dependencies_work(struct api_job *job)
{
    struct jaeger_state *st = job->state;
    struct api__dependency *all = NULL;
    size_t count;
    struct diag diag;
    diag_init(&diag);
    int err = api__traces_dependencies(job, st->start_ns, st->end_ns, &all, &count, &diag);
    if (err) {
        job_fail(job, err, &diag);
        return;
    }
    buf_append_cstr(&job->out, st->v3 ? "{\"dependencies\":[" : "{\"data\":[");
    for (size_t i = 0; i < count; i++) {
        buf_append_cstr(&job->out, i ? "," : "");
        api__put_dependency(&all[i], &job->out);
        /* 64 bits are a text in protobuf's JSON */
        buf_printf(&job->out, st->v3 ? ",\"callCount\":\"%llu\"}" : ",\"callCount\":%llu}",
                   (unsigned long long)all[i].calls);
    }
    if (st->v3)
        buf_append_cstr(&job->out, "]}");
    else
        put_tail(count, &job->out);
}

void jaeger__dependencies_v3(struct api_call *call)
{
    struct jaeger_state *st = state_new(call, true);
    struct diag diag;
    diag_init(&diag);
    if (param_rfc(either(call->req, "startTime", "start_time"), "startTime", &st->start_ns,
                  &diag) ||
        param_rfc(either(call->req, "endTime", "end_time"), "endTime", &st->end_ns, &diag))
        refuse(call, st, diag.msg);
    else
        start(call, st, dependencies_work);
}

void jaeger__dependencies(struct api_call *call)
{
    struct jaeger_state *st = state_new(call, false);
    int64_t end_ms, lookback_ms = 86400000;
    struct slice lookback = net_request_param(call->req, "lookback");
    if (!codec_text_to_int(net_request_param(call->req, "endTs"), &end_ms) ||
        (lookback.len && !codec_text_to_int(lookback, &lookback_ms)) ||
        __builtin_mul_overflow(end_ms, INT64_C(1000000), &st->end_ns) ||
        __builtin_mul_overflow(end_ms - lookback_ms, INT64_C(1000000), &st->start_ns)) {
        refuse(call, st, "endTs and lookback are milliseconds");
        return;
    }
    start(call, st, dependencies_work);
}
