#include "api/span_push.h"

#include <stdio.h>

#include "api/otlp/export.h"
#include "api/plain.h"
#include "base/mem.h"

struct push {
    struct api__otlp_export x; /* first */
    struct net_request *req;
    struct net_loop *loop;
    api__span_convert convert;
    int status, err;
    struct diag diag;
    struct buf request;
    struct arena *arena;
};

static void answer(void *ctx)
{
    struct push *p = ctx;
    struct decode_otlp_answer *a = &p->x.answer;
    char seconds[16];
    if (p->err) {
        api__plain_error(p->req, 400, "%s", p->diag.msg);
    } else if (a->http_status != 200) {
        if (a->retry_after_s) {
            snprintf(seconds, sizeof(seconds), "%d", a->retry_after_s);
            net_response_header(p->req, "Retry-After", slice_cstr(seconds));
        }
        api__plain_error(p->req, a->http_status, "%s", a->message);
    } else if (p->x.result.items && p->x.result.refused == p->x.result.items) {
        api__plain_error(p->req, 400, "%s", p->x.result.first_refusal.msg);
    } else {
        net_respond(p->req, p->status, NULL, SLICE(""));
    }
    if (!p->err)
        decode_otlp_answer_deinit(a);
    buf_deinit(&p->request);
    arena_free(p->arena);
    mem_free(p);
}

static void on_done(struct api__otlp_export *x)
{
    struct push *p = (struct push *)x;
    net_loop_post(p->loop, answer, p);
}

static void work(void *ctx)
{
    struct push *p = ctx;
    p->err = p->convert(net_request_body(p->req), p->arena, &p->request, &p->diag);
    p->x.body = buf_slice(&p->request);
    if (p->err)
        net_loop_post(p->loop, answer, p);
    else
        api__otlp_export(&p->x); /* p may be gone after this */
}

void api__span_push(struct api_call *call, api__span_convert convert, int status)
{
    struct net_request *req = call->req;
    struct slice tenant;
    if (!api__tenant_read(req, &tenant)) {
        api__plain_error(req, 400, "%s", API__TENANT_RULE);
        return;
    }
    struct push *p = mem_calloc(1, sizeof(*p));
    p->x = (struct api__otlp_export){.api = call->api,
                                     .signal = DECODE_OTLP_TRACES,
                                     .encoding = DECODE_OTLP_PROTOBUF,
                                     .tenant = tenant,
                                     .done = on_done};
    p->req = req;
    p->loop = net_request_loop(req);
    p->convert = convert;
    p->status = status;
    p->arena = arena_new(0, NULL);
    diag_init(&p->diag);
    if (net_request_body(req).len > API__OTLP_INLINE_BYTES)
        call->api->pool->submit(call->api->pool, TASK_INTERACTIVE, work, p);
    else
        work(p);
}
