#include "api/otlp/grpc.h"

#include "api/otlp/export.h"
#include "base/mem.h"

struct grpc_export {
    struct api__otlp_export x;
    struct net_grpc_call *call;
};

static void on_done(struct api__otlp_export *x)
{
    struct grpc_export *g = (struct grpc_export *)x;
    struct decode_otlp_answer *a = &x->answer;
    if (!a->grpc_status)
        net_grpc_reply(g->call, buf_slice(&a->body));
    else if (a->retry_after_s)
        net_grpc_fail_retry(g->call, (enum net_grpc_status)a->grpc_status,
                            a->retry_after_s * NS_PER_SEC, "%s", a->message);
    else
        net_grpc_fail(g->call, (enum net_grpc_status)a->grpc_status, "%s", a->message);
    decode_otlp_answer_deinit(a);
    mem_free(g);
}

static void work(void *ctx)
{
    struct grpc_export *g = ctx;
    struct diag diag;
    diag_init(&diag);
    int err = net_grpc_message(g->call, &g->x.body, &diag);
    if (!err) {
        api__otlp_export(&g->x);
        return;
    }
    net_grpc_fail(g->call, net_grpc_status_of(err), "%s", diag.msg);
    mem_free(g);
}

static void take(struct net_grpc_call *call, struct api_mount *mount,
                 enum decode_otlp_signal signal)
{
    struct net_request *req = net_grpc_request(call);
    struct slice tenant;
    if (!api__tenant_read(req, &tenant)) {
        net_grpc_fail(call, NET_GRPC_INVALID_ARGUMENT, "%s", API__TENANT_RULE);
        return;
    }
    struct grpc_export *g = mem_calloc(1, sizeof(*g));
    g->x = (struct api__otlp_export){.api = mount->api,
                                     .signal = signal,
                                     .encoding = DECODE_OTLP_PROTOBUF,
                                     .tenant = tenant,
                                     .done = on_done};
    g->call = call;
    if (net_request_body(req).len > API__OTLP_INLINE_BYTES || signal == DECODE_OTLP_METRICS)
        mount->api->pool->submit(mount->api->pool, TASK_INTERACTIVE, work, g);
    else
        work(g);
}

static void metrics(struct net_grpc_call *call, void *ctx)
{
    take(call, ctx, DECODE_OTLP_METRICS);
}

static void logs(struct net_grpc_call *call, void *ctx)
{
    take(call, ctx, DECODE_OTLP_LOGS);
}

static void traces(struct net_grpc_call *call, void *ctx)
{
    take(call, ctx, DECODE_OTLP_TRACES);
}

static void profiles(struct net_grpc_call *call, void *ctx)
{
    (void)ctx;
    net_grpc_fail(call, NET_GRPC_UNIMPLEMENTED, "Pharos does not take profiles yet");
}

#define COLLECTOR "/opentelemetry.proto.collector."

const struct net_grpc_method api__otlp_grpc[API__OTLP_GRPC_COUNT] = {
    {COLLECTOR "metrics.v1.MetricsService/Export", metrics},
    {COLLECTOR "logs.v1.LogsService/Export", logs},
    {COLLECTOR "trace.v1.TraceService/Export", traces},
    {COLLECTOR "profiles.v1development.ProfilesService/Export", profiles},
};
