/* One trace by its id, as OTLP. */
#include "api/otlp/http.h"
#include "api/otlp/spans.h"
#include "api/traces.h"
#include "decode/otlp/encode.h"

struct trace_state {
    char id[16];
    bool protobuf;
    struct store_event_chunk chunk;
};

static void work(struct api_job *job)
{
    struct trace_state *st = job->state;
    struct slice id = slice_make(st->id, sizeof(st->id));
    struct diag diag;
    diag_init(&diag);
    int err = api__traces_load(job, &id, 1, &st->chunk, &diag);
    if (err) {
        api_job_fail(job, err, &diag);
        return;
    }
    if (!st->chunk.count) {
        api_job_error(job, API_NOT_FOUND, "no span of this trace is stored");
        return;
    }
    struct buf message = {0};
    api__otlp_put_spans(&st->chunk, &message);
    if (st->protobuf) {
        job->content_type = "application/x-protobuf";
        buf_append_slice(&job->out, buf_slice(&message));
    } else {
        (void)decode_otlp_print_json(DECODE_OTLP_TRACES, buf_slice(&message), &job->out);
    }
    buf_deinit(&message);
}

static void cleanup(struct api_job *job)
{
    struct trace_state *st = job->state;
    store_event_chunk_free(&st->chunk);
}

void api__otlp_trace(struct api_call *call)
{
    struct net_request *req = call->req;
    struct trace_state *st = ARENA_NEW(net_request_arena(req), struct trace_state);
    struct slice accept = net_request_header(req, "accept"), tenant = api__tenant(req);
    if (!tenant.ptr)
        return;
    if (!api__trace_id_read(call->args[0], st->id)) {
        api__respond_error(req, API_BAD_DATA, "a trace id has 1 to 32 hexadecimal digits");
        return;
    }
    st->protobuf = slice_find(accept, SLICE("protobuf")) >= 0;
    struct api_job *job = api_job_new(call, work);
    if (!job)
        return;
    job->tenant = tenant;
    job->state = st;
    job->cleanup = cleanup;
    api_job_start(job, true);
}
