/* OTLP over HTTP: the routes, and browsers. */
#include "api/otlp/http.h"

#include <stdio.h>

#include "api/otlp/export.h"
#include "api/otlp/grpc.h"
#include "api/otlp/settings.h"
#include "base/mem.h"

struct http_export {
    struct api__otlp_export x;
    struct net_request *req;
    struct net_loop *loop;
};

/* Consumes the answer. */
static void respond(struct net_request *req, struct decode_otlp_answer *a)
{
    if (a->retry_after_s) {
        char seconds[16];
        snprintf(seconds, sizeof(seconds), "%d", a->retry_after_s);
        net_response_header(req, "Retry-After", slice_cstr(seconds));
    }
    net_respond(req, a->http_status, a->content_type, buf_slice(&a->body));
    decode_otlp_answer_deinit(a);
}

static void respond_error(struct net_request *req, enum decode_otlp_encoding encoding, int status,
                          const char *message)
{
    struct decode_otlp_answer a;
    decode_otlp_answer_error(encoding, status, message, &a);
    respond(req, &a);
}

static void answer(void *ctx)
{
    struct http_export *h = ctx;
    respond(h->req, &h->x.answer);
    mem_free(h);
}

static void on_done(struct api__otlp_export *x)
{
    struct http_export *h = (struct http_export *)x;
    net_loop_post(h->loop, answer, h);
}

static void work(void *ctx)
{
    api__otlp_export(ctx);
}

static void take(struct api_call *call, enum decode_otlp_signal signal)
{
    struct net_request *req = call->req;
    struct api *api = call->api;
    enum decode_otlp_encoding encoding;
    struct diag diag;
    diag_init(&diag);
    if (decode_otlp_content_type(net_request_header(req, "content-type"), &encoding, &diag)) {
        respond_error(req, DECODE_OTLP_JSON, 415, diag.msg);
        return;
    }
    if (!api->ready) {
        respond_error(req, encoding, 503, "Pharos is not ready yet");
        return;
    }
    struct slice tenant;
    if (!api__tenant_read(req, &tenant)) {
        respond_error(req, encoding, 400, API__TENANT_RULE);
        return;
    }
    struct http_export *h = mem_calloc(1, sizeof(*h));
    h->x = (struct api__otlp_export){
        .api = api,
        .signal = signal,
        .encoding = encoding,
        .is_snappy = slice_eq_nocase(slice_trim(net_request_header(req, "content-encoding")),
                                     SLICE("snappy")),
        .body = net_request_body(req),
        .tenant = tenant,
        .done = on_done};
    h->req = req;
    h->loop = net_request_loop(req);
    /* Metrics may have to look for sums in the store. */
    if (h->x.body.len > API__OTLP_INLINE_BYTES || signal == DECODE_OTLP_METRICS)
        api->pool->submit(api->pool, TASK_INTERACTIVE, work, h);
    else
        api__otlp_export(&h->x);
}

void api__otlp_metrics(struct api_call *call)
{
    take(call, DECODE_OTLP_METRICS);
}

void api__otlp_logs(struct api_call *call)
{
    take(call, DECODE_OTLP_LOGS);
}

static void traces(struct api_call *call)
{
    take(call, DECODE_OTLP_TRACES);
}

static void refuse(struct net_request *req, int status, const char *message)
{
    enum decode_otlp_encoding encoding;
    if (decode_otlp_content_type(net_request_header(req, "content-type"), &encoding, NULL))
        encoding = DECODE_OTLP_JSON;
    respond_error(req, encoding, status, message);
}

static void profiles(struct api_call *call)
{
    refuse(call->req, 501, "Pharos does not take profiles yet");
}

/* --- browsers --- */

/* A star in the pattern stands for any text, as in front of ".example.com". */
static bool origin_matches(struct slice pattern, struct slice origin)
{
    ptrdiff_t star = slice_find_char(pattern, '*');
    if (star < 0)
        return slice_eq_nocase(pattern, origin);
    struct slice before = slice_first(pattern, (size_t)star),
                 after = slice_from(pattern, (size_t)star + 1);
    return origin.len >= before.len + after.len &&
           slice_eq_nocase(slice_first(origin, before.len), before) &&
           slice_eq_nocase(slice_from(origin, origin.len - after.len), after);
}

static void set_cors(struct api *api, struct net_request *req)
{
    struct slice origin = net_request_header(req, "origin");
    if (!origin.len)
        return;
    struct api_otlp_settings *s = api__otlp_settings(api);
    bool allowed = false;
    for (size_t i = 0; i < s->cors_origin_count && !allowed; i++)
        allowed = origin_matches(s->cors_origins[i], origin);
    if (s->cors_origin_count)
        net_response_header(req, "Vary", SLICE("Origin"));
    if (allowed) {
        net_response_header(req, "Access-Control-Allow-Origin", origin);
        struct slice asked = net_request_header(req, "access-control-request-headers");
        if (net_request_method(req) == NET_OPTIONS) {
            net_response_header(req, "Access-Control-Allow-Methods", SLICE("POST"));
            if (s->cors_headers.len || asked.len)
                net_response_header(req, "Access-Control-Allow-Headers",
                                    s->cors_headers.len ? s->cors_headers : asked);
            net_response_header(req, "Access-Control-Max-Age", SLICE("7200"));
        }
    }
    api_otlp_settings_free(s);
}

static const struct api_route routes[] = {
    {API_POST, "/v1/metrics", api__otlp_metrics},
    {API_POST, "/v1/logs", api__otlp_logs},
    {API_POST, "/v1/traces", traces},
    {API_POST, "/v1development/profiles", profiles},
    {API_POST, "/v1/profiles", profiles},
    {API_GET, "/-/healthy", api__healthy},
    {API_GET, "/-/ready", api__ready},
};

const struct api_door api_door_otlp = {
    .name = "otlp",
    .routes = routes,
    .route_count = ARRAY_LEN(routes),
    .prepare = set_cors,
    .refuse = refuse,
    .grpc = api__otlp_grpc,
    .grpc_count = API__OTLP_GRPC_COUNT,
};
