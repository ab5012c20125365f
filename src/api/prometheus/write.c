/* Remote write: body -> decode -> sink, acknowledged when the store says that it is durable.
 *
 * Bodies up to INLINE_BYTES are decoded on the loop thread, larger ones on a worker, so that one
 * sender's backlog does not hold up everybody's requests. */
#include "api/prometheus/write.h"
#include "api/job.h"
#include "api/prometheus/door_priv.h"
#include "base/counter.h"
#include "base/mem.h"
#include "decode/remote_write.h"

#define INLINE_BYTES ((size_t)1 << 20)

static struct counter counters[] = {
    {.name = "pharos_remote_write_requests_total",
     .help = "Remote-write requests answered.",
     .labels = "result=\"ok\""},
    {.name = "pharos_remote_write_requests_total",
     .help = "Remote-write requests answered.",
     .labels = "result=\"refused\""},
    {.name = "pharos_remote_write_requests_total",
     .help = "Remote-write requests answered.",
     .labels = "result=\"failed\""},
    {.name = "pharos_ingest_refused_samples_total",
     .help = "Samples that were not taken, by reason.",
     .labels = "reason=\"malformed\""},
};
enum { COUNT_OK, COUNT_REFUSED, COUNT_FAILED, COUNT_MALFORMED };

void api__write_init(struct api *api)
{
    api->write_kits = pipe_kits_new(PIPE_KIT_METRICS, 0, NULL);
    counter_register(counters, ARRAY_LEN(counters));
}

void api__write_free(struct api *api)
{
    pipe_kits_free(api->write_kits);
}

struct write {
    struct api *api;
    struct net_request *req;
    struct net_loop *loop;
    struct slice tenant;
    struct decode_write_request in;
    struct decode_write_result result;
    struct diag diag;
    int decode_err;
    bool stored;
    int store_err;
    struct pipe_result store_result;
};

static void answer(void *ctx)
{
    struct write *w = ctx;
    struct decode_write_answer a;
    struct decode_write_stored stored = {.err = w->store_err,
                                         .samples = w->store_result.samples_accepted,
                                         .histograms = w->store_result.histograms_accepted,
                                         .exemplars = w->store_result.exemplars_accepted,
                                         .refused = pipe_result_refused(&w->store_result),
                                         .first_refusal = w->store_result.first_refusal.msg};
    decode_write_answer(w->decode_err, &w->diag, &w->result, w->stored ? &stored : NULL, &a);
    bool has_retry = false;
    for (size_t i = 0; i < a.header_count; i++) {
        net_response_header(w->req, a.headers[i].name, slice_cstr(a.headers[i].value));
        has_retry |= slice_eq_nocase(slice_cstr(a.headers[i].name), SLICE("retry-after"));
    }
    if (a.status == 503 && !has_retry)
        net_response_header(w->req, "Retry-After", SLICE("5"));
    counter_add(&counters[a.status >= 500   ? COUNT_FAILED
                          : a.status >= 400 ? COUNT_REFUSED
                                            : COUNT_OK],
                1);
    counter_add(&counters[COUNT_MALFORMED],
                (int64_t)(w->result.refused_samples + w->result.refused_histograms));
    if (a.status == 204)
        net_respond(w->req, 204, NULL, SLICE(""));
    else
        net_respond(w->req, a.status, "text/plain; charset=utf-8", slice_cstr(a.body));
    mem_free(w);
}

static void on_ack(void *ctx, int err, const struct pipe_result *result)
{
    struct write *w = ctx;
    w->stored = true;
    w->store_err = err;
    if (result)
        w->store_result = *result;
    net_loop_post(w->loop, answer, w);
}

static void decode_and_store(void *ctx)
{
    struct write *w = ctx;
    struct api *api = w->api;
    struct pipe_kit *kit = pipe_kit_take(api->write_kits, w->tenant);
    diag_init(&w->diag);
    w->decode_err = decode_remote_write(&w->in, &kit->scratch, kit->metrics, &w->result, &w->diag);
    const struct data_metric_batch *b = kit->metrics;
    if (w->decode_err || !(b->sample_ts.len || b->metadata.len || b->exemplars.len)) {
        w->stored = !w->decode_err; /* nothing is soon stored */
        net_loop_post(w->loop, answer, w);
    } else {
        api->sink->metrics(api->sink, kit->metrics, on_ack, w); /* w may be gone after this */
    }
    pipe_kit_give(api->write_kits, kit);
}

void api__prom_write(struct api_call *call)
{
    struct net_request *req = call->req;
    struct slice tenant = api__tenant(req);
    if (!tenant.ptr)
        return;
    struct write *w = mem_calloc(1, sizeof(*w));
    w->api = call->api;
    w->req = req;
    w->loop = net_request_loop(req);
    w->tenant = tenant;
    w->in.content_type = net_request_header(req, "content-type");
    w->in.content_encoding = net_request_header(req, "content-encoding");
    w->in.body = net_request_body(req);
    if (w->in.body.len > INLINE_BYTES)
        call->api->pool->submit(call->api->pool, TASK_INTERACTIVE, decode_and_store, w);
    else
        decode_and_store(w);
}
