#include "api/push.h"

void api__push_init(struct api__push *p, struct api_call *call, struct slice tenant)
{
    p->api = call->api;
    p->req = call->req;
    p->loop = net_request_loop(call->req);
    p->tenant = tenant;
    p->waiting = 1; /* the decoding */
    diag_init(&p->diag);
}

static void answer(void *ctx)
{
    struct api__push *p = ctx;
    p->store_err = p->errs[0] ? p->errs[0] : p->errs[1];
    p->answer(p);
}

/* One part is done; with the last it may be answered, and p may be gone. */
static void settle(struct api__push *p)
{
    if (atomic_fetch_sub(&p->waiting, 1) == 1)
        net_loop_post(p->loop, answer, p);
}

static void events_acked(void *ctx, int err, const struct pipe_result *result)
{
    struct api__push *p = ctx;
    p->errs[0] = err;
    if (result)
        p->events = *result;
    settle(p);
}

static void metrics_acked(void *ctx, int err, const struct pipe_result *result)
{
    struct api__push *p = ctx;
    p->errs[1] = err;
    if (result)
        p->metrics = *result;
    settle(p);
}

static void run(void *ctx)
{
    struct api__push *p = ctx;
    struct pipe_sink *sink = p->api->sink;
    struct pipe_kits *event_kits = p->event_kits, *metric_kits = p->metric_kits;
    struct pipe_kit *events = pipe_kit_take(event_kits, p->tenant);
    struct pipe_kit *metrics = metric_kits ? pipe_kit_take(metric_kits, p->tenant) : NULL;
    p->decode_err = p->decode(p, events, metrics);
    if (!p->decode_err && events->events->rows.len) {
        atomic_fetch_add(&p->waiting, 1);
        sink->logs(sink, events->events, events_acked, p);
    }
    if (!p->decode_err && metrics && metrics->metrics->sample_ts.len) {
        atomic_fetch_add(&p->waiting, 1);
        sink->metrics(sink, metrics->metrics, metrics_acked, p);
    }
    settle(p); /* p may be gone after this */
    pipe_kit_give(event_kits, events);
    if (metrics)
        pipe_kit_give(metric_kits, metrics);
}

void api__push_start(struct api__push *p)
{
    if (p->on_worker || net_request_body(p->req).len > API__PUSH_INLINE_BYTES)
        p->api->pool->submit(p->api->pool, TASK_INTERACTIVE, run, p);
    else
        run(p);
}

const char *api__push_store_words(const struct api__push *p)
{
    return p->events.first_refusal.code    ? p->events.first_refusal.msg
           : p->metrics.first_refusal.code ? p->metrics.first_refusal.msg
           : p->store_err == ERR_NOSPACE   ? "the disk is full"
                                           : err_name(p->store_err);
}
