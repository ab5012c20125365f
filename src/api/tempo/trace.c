/* Traces by their id: version 1 is a Trace, version 2 has it in a TraceByIDResponse. */
#include "api/otlp/spans.h"
#include "api/tempo/door_priv.h"
#include "codec/pb.h"
#include "decode/otlp/encode.h"

struct trace_state {
    char id[16];
    bool protobuf, v2;
    struct store_event_chunk chunk;
};

static void put_json(const struct trace_state *st, struct slice message, struct buf *out)
{
    struct buf json = {0};
    (void)decode_otlp_print_mapping(DECODE_OTLP_TRACES, message, &json);
    if (st->v2) {
        buf_append_cstr(out, "{\"trace\":");
        buf_append_slice(out, buf_slice(&json));
        buf_append_cstr(out, ",\"metrics\":{}}");
    } else {
        /* Version 1 names the list as OTLP did in its youth. */
        static const struct slice key = SLICE_INIT("{\"resourceSpans\":");
        buf_append_cstr(out, "{\"batches\":");
        buf_append_slice(out, slice_from(buf_slice(&json), key.len));
    }
    buf_deinit(&json);
}

static void work(struct api_job *job)
{
    struct trace_state *st = job->state;
    struct slice id = slice_make(st->id, sizeof(st->id));
    struct buf message = {0};
    struct diag diag;
    diag_init(&diag);
    int err = api__traces_load(job, &id, 1, &st->chunk, &diag);
    if (err) {
        api__plain_job_fail(job, err, &diag);
        return;
    }
    if (!st->chunk.count) {
        api__plain_job_error(job, 404, "trace not found");
        return;
    }
    api__otlp_put_spans(&st->chunk, &message);
    if (!st->protobuf) {
        put_json(st, buf_slice(&message), &job->out);
    } else {
        job->content_type = "application/protobuf";
        if (st->v2) {
            codec_pb_put_bytes(&job->out, 1, buf_slice(&message));
            codec_pb_put_bytes(&job->out, 2, SLICE(""));
        } else {
            buf_append_slice(&job->out, buf_slice(&message));
        }
    }
    buf_deinit(&message);
}

static void cleanup(struct api_job *job)
{
    struct trace_state *st = job->state;
    store_event_chunk_free(&st->chunk);
}

static void start(struct api_call *call, bool v2)
{
    struct net_request *req = call->req;
    struct trace_state *st = ARENA_NEW(net_request_arena(req), struct trace_state);
    struct api_job *job;
    if (!api__trace_id_read(call->args[0], st->id)) {
        api__plain_error(req, 400, "a trace id has 1 to 32 hexadecimal digits, not \"%.*s\"",
                         SLICE_FMT(slice_first(call->args[0], 80)));
        return;
    }
    st->v2 = v2;
    st->protobuf = slice_find(net_request_header(req, "accept"), SLICE("protobuf")) >= 0;
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
