/* Search: TraceQL, or tags as logfmt, to traces with the spans that matched. */
#include <math.h>

#include "api/tempo/door_priv.h"
#include "codec/hex.h"
#include "codec/json_write.h"
#include "codec/number.h"
#include "lang/traceql/traceql.h"
#include "text/go_string.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     262144
#define SPANS_DEFAULT 3
#define SPANS_MAX     100
#define TRACES_A_STEP 64 /* encoded between two looks at the buffer */
#define NO_ROOT       "<root span not yet received>"
#define STEP_TRACES   64 /* that a stream looks at between two looks at the clock */

struct search_state {
    struct slice query;
    struct traceql_search search;
    struct traceql_query *parsed;
    struct traceql_result result;
    size_t at;
    struct traceql_env env; /* of a stream: */
    struct traceql_searching *searching;
};

static void put_span(const struct traceql_span *s, struct buf *out)
{
    buf_append_cstr(out, "{\"spanID\":\"");
    codec_append_hex(out, s->id);
    buf_append_char(out, '"');
    if (s->name.len) {
        buf_append_cstr(out, ",\"name\":");
        codec_json_append_string(out, s->name);
    }
    buf_printf(out, ",\"startTimeUnixNano\":\"%lld\",\"durationNanos\":\"%lld\"",
               (long long)s->start_ns, (long long)s->duration_ns);
    if (s->attribute_count) {
        buf_append_cstr(out, ",\"attributes\":");
        tempo__put_attributes(s->attributes, s->attribute_count, out);
    }
    buf_append_char(out, '}');
}

static void put_set(const struct traceql_found_set *s, struct buf *out)
{
    buf_append_cstr(out, "{\"spans\":[");
    for (size_t i = 0; i < s->span_count; i++) {
        buf_append_cstr(out, i ? "," : "");
        put_span(&s->spans[i], out);
    }
    buf_printf(out, "],\"matched\":%zu", s->matched);
    if (s->attribute_count) {
        buf_append_cstr(out, ",\"attributes\":");
        tempo__put_attributes(s->attributes, s->attribute_count, out);
    }
    buf_append_char(out, '}');
}

static void put_text(const char *key, struct slice s, struct buf *out)
{
    if (!s.len)
        return;
    buf_printf(out, ",\"%s\":", key);
    codec_json_append_string(out, s);
}

void tempo__put_trace(const struct traceql_found *t, struct buf *out)
{
    char id[32];
    size_t zeros = 0;
    codec_hex_to_text(slice_make(t->id, sizeof(t->id)), id);
    while (zeros < sizeof(id) - 1 && id[zeros] == '0')
        zeros++;
    buf_printf(out, "{\"traceID\":\"%.*s\"", (int)(sizeof(id) - zeros), id + zeros);
    put_text("rootServiceName", t->root_service.ptr ? t->root_service : SLICE(NO_ROOT), out);
    put_text("rootTraceName", t->root_name.ptr ? t->root_name : SLICE(NO_ROOT), out);
    buf_printf(out, ",\"startTimeUnixNano\":\"%lld\"", (long long)t->start_ns);
    if (t->duration_ns >= 1000000)
        buf_printf(out, ",\"durationMs\":%lld",
                   (long long)MIN(t->duration_ns / 1000000, UINT32_MAX));
    if (t->set_count) { /* what clients older than spanSets read */
        buf_append_cstr(out, ",\"spanSet\":");
        put_set(&t->sets[0], out);
    }
    buf_append_cstr(out, ",\"spanSets\":[");
    for (size_t i = 0; i < t->set_count; i++) {
        buf_append_cstr(out, i ? "," : "");
        put_set(&t->sets[i], out);
    }
    buf_append_cstr(out, "],\"serviceStats\":{");
    for (size_t i = 0; i < t->service_count; i++) {
        buf_append_cstr(out, i ? "," : "");
        codec_json_append_string(out, t->services[i].name);
        buf_printf(out, ":{\"spanCount\":%u", t->services[i].spans);
        if (t->services[i].errors)
            buf_printf(out, ",\"errorCount\":%u", t->services[i].errors);
        buf_append_char(out, '}');
    }
    buf_append_cstr(out, "}}");
}

static bool produce(struct api_job *job)
{
    struct search_state *st = job->state;
    size_t end = MIN(st->result.count, st->at + TRACES_A_STEP);
    for (; st->at < end; st->at++) {
        buf_append_cstr(&job->out, st->at ? "," : "");
        tempo__put_trace(&st->result.traces[st->at], &job->out);
    }
    if (st->at < st->result.count)
        return false;
    buf_append_cstr(&job->out, "],");
    tempo__put_stats(&st->result.stats, &job->out);
    buf_append_char(&job->out, '}');
    return true;
}

/* One message of a stream: what was found since the last one. */
static void put_message(struct api_job *job, const struct traceql_result *r)
{
    struct buf json = {0};
    buf_append_cstr(&json, "{\"traces\":[");
    for (size_t i = 0; i < r->count; i++) {
        buf_append_cstr(&json, i ? "," : "");
        tempo__put_trace(&r->traces[i], &json);
    }
    buf_append_cstr(&json, "],");
    tempo__put_stats(&r->stats, &json);
    buf_append_char(&json, '}');
    tempo__put_message(buf_slice(&json), tempo__search_answer, &job->out);
    buf_deinit(&json);
}

/* Until there is something to tell. */
static bool stream(struct api_job *job)
{
    struct search_state *st = job->state;
    int64_t begin = api__monotonic_ns();
    struct traceql_result r;
    bool done = false;
    VEC(struct traceql_found) found = {0};
    struct diag diag;
    diag_init(&diag);
    int err = 0;
    while (!err && !done && api__monotonic_ns() - begin < TEMPO__TELL_NS) {
        err = traceql_search_step(st->searching, STEP_TRACES, &r, &done, &diag);
        for (size_t i = 0; !err && i < r.count; i++)
            vec_push(&found, r.traces[i]);
    }
    if (err) {
        vec_free(&found);
        api__plain_job_fail(job, err, &diag);
        return true;
    }
    r.traces = found.items;
    r.count = found.len;
    put_message(job, &r);
    vec_free(&found);
    job->flush = true;
    return done;
}

static void work(struct api_job *job)
{
    struct search_state *st = job->state;
    struct traceql_env env;
    struct diag diag;
    diag_init(&diag);
    tempo__env(job, &env);
    if (traceql_parse(st->query, job->call_arena, &st->parsed, &diag)) {
        tempo__parse_error(job, &diag);
        return;
    }
    int err;
    if (job->grpc) {
        st->env = env;
        err = traceql_search_open(st->parsed, &st->search, &st->env, job->arena, &st->searching,
                                  &diag);
        if (err)
            api__plain_job_fail(job, err, &diag);
        else
            job->produce = stream;
        return;
    }
    err = traceql_search_run(st->parsed, &st->search, &env, job->arena, &st->result, &diag);
    if (err) {
        api__plain_job_fail(job, err, &diag);
        return;
    }
    buf_append_cstr(&job->out, "{\"traces\":[");
    job->produce = produce;
}

static void cleanup(struct api_job *job)
{
    struct search_state *st = job->state;
    traceql_search_close(st->searching);
    st->searching = NULL;
    traceql_query_free(st->parsed);
    st->parsed = NULL;
}

static void put_field(struct slice key, struct buf *out)
{
    static const char *const known[][2] = {{"name", "name"},
                                           {"status.message", "statusMessage"},
                                           {"root.name", "rootName"},
                                           {"root.service.name", "rootServiceName"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (slice_eq_cstr(key, known[i][0])) {
            buf_append_cstr(out, known[i][1]);
            return;
        }
    }
    buf_append_cstr(out, ".\"");
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '"' || key.ptr[i] == '\\')
            buf_append_char(out, '\\');
        buf_append_char(out, key.ptr[i]);
    }
    buf_append_char(out, '"');
}

/* One tag as a condition. Whether a value is text, a number or true is not said: any of them. */
static void put_tag(struct slice key, struct slice value, struct buf *out)
{
    struct buf field = {0};
    double number;
    if (slice_eq_cstr(key, "status.code") &&
        (slice_eq_cstr(value, "error") || slice_eq_cstr(value, "ok") ||
         slice_eq_cstr(value, "unset"))) {
        buf_printf(out, "status = %.*s", SLICE_FMT(value));
        return;
    }
    put_field(key, &field);
    buf_printf(out, "(%s = ", buf_cstr(&field));
    text_go_quote(value, out);
    if (field.ptr[0] == '.' && (slice_eq_cstr(value, "true") || slice_eq_cstr(value, "false"))) {
        buf_printf(out, " || %s = %.*s", buf_cstr(&field), SLICE_FMT(value));
    } else if (field.ptr[0] == '.' && codec_text_to_double(value, &number, NULL) &&
               isfinite(number)) {
        buf_printf(out, " || %s = ", buf_cstr(&field));
        codec_append_double(out, number, CODEC_DOUBLE_JSON);
    }
    if (slice_eq_cstr(key, "error") && slice_eq_cstr(value, "true"))
        buf_append_cstr(out, " || status = error");
    buf_append_char(out, ')');
    buf_deinit(&field);
}

/* `service.name=shop http.path="/a b"` as a filter. */
static int filter_of_tags(struct slice tags, struct buf *out, struct diag *diag)
{
    buf_append_cstr(out, "{ ");
    for (size_t n = 0; (tags = slice_trim(tags)).len; n++) {
        ptrdiff_t eq = slice_find_char(tags, '=');
        struct slice key = slice_first(tags, (size_t)MAX(eq, 0)), value;
        struct buf text = {0};
        size_t end = 0;
        if (eq <= 0 || slice_find_char(key, ' ') >= 0)
            return diag_set(
                diag, ERR_INVALID,
                "invalid tags: logfmt is expected, as in tags=service.name=shop%%20a=b");
        value = slice_from(tags, (size_t)eq + 1);
        if (value.len && value.ptr[0] == '"') {
            for (end = 1; end < value.len && value.ptr[end] != '"'; end++)
                end += value.ptr[end] == '\\';
            end = MIN(end + 1, value.len);
            if (text_go_unquote(slice_first(value, end), &text))
                return diag_set(diag, ERR_INVALID, "invalid tags: a quote is missing");
        } else {
            while (end < value.len && value.ptr[end] != ' ')
                end++;
            buf_append_slice(&text, slice_first(value, end));
        }
        tags = slice_from(value, end);
        buf_append_cstr(out, n ? " && " : "");
        put_tag(key, buf_slice(&text), out);
        buf_deinit(&text);
    }
    buf_append_cstr(out, " }");
    return 0;
}

static int read_query(struct api_call *call, struct search_state *st, struct diag *diag)
{
    struct slice tags = net_request_param(call->req, "tags");
    struct buf text = {0};
    st->query = net_request_param(call->req, "q");
    if (st->query.len && tags.len)
        return diag_set(diag, ERR_INVALID,
                        "invalid request: can't specify tags and q in the same query");
    if (!tags.len)
        return 0;
    int err = filter_of_tags(tags, &text, diag);
    st->query = arena_slice(net_request_arena(call->req), buf_slice(&text));
    buf_deinit(&text);
    return err;
}

static int read_params(struct api_call *call, struct search_state *st, struct diag *diag)
{
    struct net_request *req = call->req;
    struct traceql_search *s = &st->search;
    int64_t limit, spans;
    int err;
    if ((err = read_query(call, st, diag)) ||
        (err = tempo__param_range(req, &s->start_ns, &s->end_ns, diag)) ||
        (err = tempo__param_count(req, "limit", LIMIT_DEFAULT, LIMIT_MAX, &limit, diag)) ||
        (err = tempo__param_count(req, "spss", SPANS_DEFAULT, SPANS_MAX, &spans, diag)) ||
        (err = tempo__param_duration(req, "minDuration", 0, &s->min_ns, diag)) ||
        (err = tempo__param_duration(req, "maxDuration", 0, &s->max_ns, diag)))
        return err;
    if (s->max_ns && s->max_ns < s->min_ns)
        return diag_set(diag, ERR_INVALID, "invalid maxDuration: must be greater than minDuration");
    s->limit = (size_t)limit;
    s->spans = (size_t)spans;
    return 0;
}

void tempo__search(struct api_call *call)
{
    struct search_state *st = ARENA_NEW(net_request_arena(call->req), struct search_state);
    struct api_job *job;
    struct diag diag;
    diag_init(&diag);
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
