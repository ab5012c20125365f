#include "api/span_push.h"

#include <stdio.h>

#include "api/otlp/export.h"
#include "api/plain.h"
#include "base/mem.h"

struct push {
    struct api__otlp_export x; /* first */
    struct net_request *req;
    struct net_grpc_call *call; /* NULL: over HTTP */
    struct net_loop *loop;
    api__span_convert convert;
    int status, err;
    struct diag diag;
    struct buf request;
    struct arena *arena;
};

/* What the sender is told when nothing of it was taken. */
static const char *refusal(const struct push *p)
{
    return p->err ? p->diag.msg
           : p->x.result.items && p->x.result.refused == p->x.result.items
               ? p->x.result.first_refusal.msg
               : NULL;
}

static void answer_http(const struct push *p)
{
    const struct decode_otlp_answer *a = &p->x.answer;
    char seconds[16];
    if (!p->err && a->http_status != 200) {
        if (a->retry_after_s) {
            snprintf(seconds, sizeof(seconds), "%d", a->retry_after_s);
            net_response_header(p->req, "Retry-After", slice_cstr(seconds));
        }
        api__plain_error(p->req, a->http_status, "%s", a->message);
    } else if (refusal(p)) {
        api__plain_error(p->req, 400, "%s", refusal(p));
    } else {
        net_respond(p->req, p->status, NULL, SLICE(""));
    }
}

static void answer_grpc(const struct push *p)
{
    const struct decode_otlp_answer *a = &p->x.answer;
    if (!p->err && a->grpc_status && a->retry_after_s)
        net_grpc_fail_retry(p->call, (enum net_grpc_status)a->grpc_status,
                            a->retry_after_s * NS_PER_SEC, "%s", a->message);
    else if (!p->err && a->grpc_status)
        net_grpc_fail(p->call, (enum net_grpc_status)a->grpc_status, "%s", a->message);
    else if (refusal(p))
        net_grpc_fail(p->call, p->err ? net_grpc_status_of(p->err) : NET_GRPC_INVALID_ARGUMENT,
                      "%s", refusal(p));
    else
        net_grpc_reply(p->call, SLICE(""));
}

static void answer(void *ctx)
{
    struct push *p = ctx;
    if (p->call)
        answer_grpc(p);
    else
        answer_http(p);
    if (!p->err)
        decode_otlp_answer_deinit(&p->x.answer);
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
    struct slice body = net_request_body(p->req);
    p->err = p->call ? net_grpc_message(p->call, &body, &p->diag) : 0;
    if (!p->err)
        p->err = p->convert(body, p->arena, &p->request, &p->diag);
    p->x.body = buf_slice(&p->request);
    if (p->err)
        net_loop_post(p->loop, answer, p);
    else
        api__otlp_export(&p->x); /* p may be gone after this */
}

static void begin(struct api *api, struct net_request *req, struct net_grpc_call *call,
                  struct slice tenant, api__span_convert convert, int status)
{
    struct push *p = mem_calloc(1, sizeof(*p));
    p->x = (struct api__otlp_export){.api = api,
                                     .signal = DECODE_OTLP_TRACES,
                                     .encoding = DECODE_OTLP_PROTOBUF,
                                     .tenant = tenant,
                                     .done = on_done};
    p->req = req;
    p->call = call;
    p->loop = net_request_loop(req);
    p->convert = convert;
    p->status = status;
    p->arena = arena_new(0, NULL);
    diag_init(&p->diag);
    if (net_request_body(req).len > API__OTLP_INLINE_BYTES)
        api->pool->submit(api->pool, TASK_INTERACTIVE, work, p);
    else
        work(p);
}

void api__span_push(struct api_call *call, api__span_convert convert, int status)
{
    struct slice tenant;
    if (api__tenant_read(call->req, &tenant))
        begin(call->api, call->req, NULL, tenant, convert, status);
    else
        api__plain_error(call->req, 400, "%s", API__TENANT_RULE);
}

void api__span_push_grpc(struct net_grpc_call *call, void *ctx, api__span_convert convert)
{
    struct api_mount *mount = ctx;
    struct slice tenant;
    if (api__tenant_read(net_grpc_request(call), &tenant))
        begin(mount->api, net_grpc_request(call), call, tenant, convert, 0);
    else
        net_grpc_fail(call, NET_GRPC_INVALID_ARGUMENT, "%s", API__TENANT_RULE);
}
