/* Traces by their id: version 1 is a Trace, version 2 has it in a TraceByIDResponse, and may be
 * asked for some spans of it. */
#include "api/otlp/spans.h"
#include "api/tempo/door_priv.h"
#include "base/map.h"
#include "codec/hex.h"
#include "codec/number.h"
#include "codec/pb.h"
#include "decode/otlp/encode.h"

struct trace_state {
    char id[16];
    bool protobuf, v2, ancestors;
    struct slice query;                  /* which spans; empty: all */
    int64_t match_depth, ancestor_depth; /* -1: all the way */
    int64_t start_ns, end_ns;
    struct traceql_query *parsed;
    struct store_event_chunk chunk;
    bool *keep; /* NULL: all */
};

static void put_json(const struct trace_state *st, struct slice message, struct buf *out)
{
    struct buf json = {0};
    (void)decode_otlp_print_mapping(DECODE_OTLP_TRACES, message, &json);
    if (st->v2) {
        buf_append_cstr(out, "{\"trace\":");
        buf_append_slice(out, buf_slice(&json));
        buf_append_cstr(out,
                        st->keep ? ",\"metrics\":{},\"status\":\"PARTIAL\"}" : ",\"metrics\":{}}");
    } else {
        /* Version 1 names the list as OTLP did in its youth. */
        static const struct slice key = SLICE_INIT("{\"resourceSpans\":");
        buf_append_cstr(out, "{\"batches\":");
        buf_append_slice(out, slice_from(buf_slice(&json), key.len));
    }
    buf_deinit(&json);
}

/* --- some spans --- */

/* Ids of the trace's spans that meet the condition. */
static int find_matches(struct api_job *job, struct slice condition, struct map *out,
                        struct diag *diag)
{
    struct trace_state *st = job->state;
    const struct traceql_search search = {
        .start_ns = INT64_MIN, .end_ns = INT64_MAX, .limit = 1, .spans = st->chunk.count};
    struct traceql_result found = {0};
    struct traceql_query *q = NULL;
    struct traceql_env env;
    struct buf text = {0};
    tempo__env(job, &env);
    buf_append_cstr(&text, "{ trace:id = \"");
    codec_append_hex(&text, slice_make(st->id, sizeof(st->id)));
    buf_printf(&text, "\" && (%.*s) }", SLICE_FMT(condition));
    int err =
        traceql_parse(arena_slice(job->call_arena, buf_slice(&text)), job->call_arena, &q, diag);
    if (!err)
        err = traceql_search_run(q, &search, &env, job->arena, &found, diag);
    for (size_t i = 0; !err && found.count && i < found.traces[0].set_count; i++) {
        const struct traceql_found_set *set = &found.traces[0].sets[i];
        for (size_t k = 0; k < set->span_count; k++)
            (void)map_put(out, set->spans[k].id, NULL);
    }
    traceql_query_free(q);
    buf_deinit(&text);
    return err;
}

/* The row above, or `row` itself for one without. Rows are depth first. */
static size_t parent_of(const struct store_event_chunk *c, size_t row)
{
    size_t at = row;
    while (c->depth[row] && at-- > 0) {
        if (c->depth[at] < c->depth[row])
            return at;
    }
    return row;
}

static bool is_within(int64_t levels, int64_t most)
{
    return most < 0 || levels <= most;
}

static void keep_around(struct trace_state *st, size_t row)
{
    const struct store_event_chunk *c = &st->chunk;
    st->keep[row] = true;
    for (size_t i = row + 1; i <= row + c->descendants[row] && i < c->count; i++)
        st->keep[i] |= is_within(c->depth[i] - c->depth[row], st->match_depth);
    if (!st->ancestors)
        return;
    for (size_t up = parent_of(c, row), at = row; up != at; at = up, up = parent_of(c, at)) {
        if (!is_within(c->depth[row] - c->depth[up], st->ancestor_depth))
            break;
        st->keep[up] = true;
    }
}

static int choose_spans(struct api_job *job, struct slice condition, struct diag *diag)
{
    struct trace_state *st = job->state;
    const struct data_value *id = api__traces_column(&st->chunk, DATA_EVENT_SPAN_ID);
    struct map *matches = map_new();
    bool all = true;
    int err = find_matches(job, condition, matches, diag);
    st->keep = ARENA_ARRAY(job->arena, bool, st->chunk.count + 1);
    if (!err && !st->keep)
        err = ERR_NOMEM;
    for (size_t i = 0; !err && i < st->chunk.count; i++) {
        if (map_get(matches, id[i].text))
            keep_around(st, i);
    }
    for (size_t i = 0; !err && i < st->chunk.count; i++)
        all &= st->keep[i];
    if (all)
        st->keep = NULL;
    map_free(matches);
    return err;
}

/* --- the job --- */

/* False: it was answered. */
static bool read_condition(struct api_job *job, struct buf *out)
{
    struct trace_state *st = job->state;
    struct diag diag;
    diag_init(&diag);
    if (!st->query.len)
        return true;
    if (traceql_parse(st->query, job->call_arena, &st->parsed, &diag)) {
        tempo__parse_error(job, &diag);
        return false;
    }
    if (traceql_print_condition(st->parsed, out))
        return true;
    api__plain_job_error(job, 400,
                         "invalid q: a single filter of spans is taken, as { status = error }; no "
                         "pipelines, no structure, nothing of the trace as a whole");
    return false;
}

static void answer(struct api_job *job)
{
    struct trace_state *st = job->state;
    struct buf message = {0};
    api__otlp_put_rows(&st->chunk, 0, st->chunk.count, st->keep, &message);
    if (!st->protobuf) {
        put_json(st, buf_slice(&message), &job->out);
    } else {
        job->content_type = "application/protobuf";
        if (st->v2) {
            codec_pb_put_bytes(&job->out, 1, buf_slice(&message));
            codec_pb_put_bytes(&job->out, 2, SLICE(""));
            if (st->keep)
                codec_pb_put_varint(&job->out, 3, 1); /* PARTIAL */
        } else {
            buf_append_slice(&job->out, buf_slice(&message));
        }
    }
    buf_deinit(&message);
}

static void work(struct api_job *job)
{
    struct trace_state *st = job->state;
    struct slice id = slice_make(st->id, sizeof(st->id));
    struct buf condition = {0};
    struct diag diag;
    diag_init(&diag);
    if (read_condition(job, &condition)) {
        int err = api__traces_load_in(job, &id, 1, st->start_ns, st->end_ns, &st->chunk, &diag);
        if (!err && st->chunk.count && condition.len)
            err = choose_spans(job, buf_slice(&condition), &diag);
        if (err)
            api__plain_job_fail(job, err, &diag);
        else if (!st->chunk.count)
            api__plain_job_error(job, 404, "trace not found");
        else
            answer(job);
    }
    buf_deinit(&condition);
}

static void cleanup(struct api_job *job)
{
    struct trace_state *st = job->state;
    traceql_query_free(st->parsed);
    st->parsed = NULL;
    store_event_chunk_free(&st->chunk);
}

static int read_depth(struct net_request *req, const char *name, int64_t fallback, int64_t *out,
                      struct diag *diag)
{
    struct slice text = net_request_param(req, name);
    *out = fallback;
    if (text.len && (!codec_text_to_int(text, out) || *out < -1))
        return diag_set(diag, ERR_INVALID, "invalid %s: a number of levels is expected, or -1",
                        name);
    return 0;
}

static int read_params(struct net_request *req, struct trace_state *st, struct diag *diag)
{
    int err = tempo__param_range(req, &st->start_ns, &st->end_ns, diag);
    if (err || !st->v2)
        return err;
    st->query = slice_trim(net_request_param(req, "q"));
    if (!st->query.len)
        return 0;
    st->ancestors = slice_eq_nocase(net_request_param(req, "keep_hierarchy"), SLICE("true")) ||
                    slice_eq_cstr(net_request_param(req, "keep_hierarchy"), "1");
    if ((err = read_depth(req, "match_depth", 0, &st->match_depth, diag)) || !st->ancestors)
        return err;
    return read_depth(req, "ancestor_depth", -1, &st->ancestor_depth, diag);
}

static void start(struct api_call *call, bool v2)
{
    struct net_request *req = call->req;
    struct trace_state *st = ARENA_NEW(net_request_arena(req), struct trace_state);
    struct api_job *job;
    struct diag diag;
    diag_init(&diag);
    if (!api__trace_id_read(call->args[0], st->id)) {
        api__plain_error(req, 400, "a trace id has 1 to 32 hexadecimal digits, not \"%.*s\"",
                         SLICE_FMT(slice_first(call->args[0], 80)));
        return;
    }
    st->v2 = v2;
    st->protobuf = slice_find(net_request_header(req, "accept"), SLICE("protobuf")) >= 0;
    if (read_params(req, st, &diag)) {
        api__plain_error(req, 400, "%s", diag.msg);
        return;
    }
    if (!(job = api__traces_job(call, work)))
        return;
    job->state = st;
    job->cleanup = cleanup;
    api_job_start(job, true);
}

void tempo__trace(struct api_call *call)
{
    start(call, false);
}

void tempo__trace_v2(struct api_call *call)
{
    start(call, true);
}
