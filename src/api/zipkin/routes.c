/* Zipkin's door: its table, the collector, and what is small. */
#include "api/span_push.h"
#include "api/zipkin/door_priv.h"
#include "decode/zipkin.h"

static int convert_json(struct slice body, struct arena *arena, struct buf *out, struct diag *diag)
{
    return decode_zipkin_spans(DECODE_ZIPKIN_JSON, body, arena, out, diag);
}

static int convert_protobuf(struct slice body, struct arena *arena, struct buf *out,
                            struct diag *diag)
{
    return decode_zipkin_spans(DECODE_ZIPKIN_PROTOBUF, body, arena, out, diag);
}

static void collect(struct api_call *call)
{
    struct slice type = net_request_header(call->req, "content-type");
    bool protobuf = slice_find(type, SLICE("protobuf")) >= 0;
    api__span_push(call, protobuf ? convert_protobuf : convert_json, 202);
}

static int convert_v1(struct slice body, struct arena *arena, struct buf *out, struct diag *diag)
{
    return decode_zipkin_spans(DECODE_ZIPKIN_JSON_V1, body, arena, out, diag);
}

static void collect_v1(struct api_call *call)
{
    if (slice_find(net_request_header(call->req, "content-type"), SLICE("thrift")) >= 0)
        api__plain_error(call->req, 415,
                         "version 1 of Zipkin's spans is taken as JSON, not in Thrift");
    else
        api__span_push(call, convert_v1, 202);
}

static void config(struct api_call *call)
{
    api__respond_json(call->req, 200,
                      SLICE("{\"environment\":\"\",\"queryLimit\":10,\"defaultLookback\":900000,"
                            "\"searchEnabled\":true,\"dependency\":{\"enabled\":true,"
                            "\"lowErrorRate\":0.5,\"highErrorRate\":0.75},\"logsUrl\":null,"
                            "\"supportUrl\":null,\"archivePostUrl\":null,\"archiveUrl\":null,"
                            "\"basepath\":\"/zipkin\",\"suggestLens\":false}"));
}

static void health(struct api_call *call)
{
    if (call->api->ready)
        api__respond_json(call->req, 200,
                          SLICE("{\"status\":\"UP\",\"zipkin\":{\"status\":\"UP\"}}"));
    else
        api__respond_json(call->req, 503, SLICE("{\"status\":\"DOWN\"}"));
}

static void info(struct api_call *call)
{
    struct buf out = {0};
    buf_printf(&out, "{\"zipkin\":{\"version\":\"3.4.0\"},\"pharos\":{\"version\":\"%s\"}}",
               call->api->host->version);
    api__respond_json(call->req, 200, buf_slice(&out));
    buf_deinit(&out);
}

static void nothing(struct api_call *call)
{
    api__respond_json(call->req, 200, SLICE("[]"));
}

static const struct api_route routes[] = {
    {API_POST, "/api/v2/spans", collect},
    {API_POST, "/api/v1/spans", collect_v1},
    {API_GET, "/api/v2/services", zipkin__services},
    {API_GET, "/api/v2/spans", zipkin__span_names},
    {API_GET, "/api/v2/remoteServices", zipkin__remote_services},
    {API_GET, "/api/v2/traces", zipkin__traces},
    {API_GET, "/api/v2/trace/:id", zipkin__trace},
    {API_GET, "/api/v2/traceMany", zipkin__trace_many},
    {API_GET, "/api/v2/dependencies", zipkin__dependencies},
    {API_GET, "/api/v2/autocompleteKeys", nothing},
    {API_GET, "/api/v2/autocompleteValues", nothing},
    {API_GET, "/config.json", config},
    {API_GET, "/zipkin/config.json", config},
    {API_GET, "/health", health, true},
    {API_GET, "/info", info},
    {API_GET, "/metrics", api__metrics},
};

static void refuse(struct net_request *req, int status, const char *message)
{
    api__plain_error(req, status, "%s", message);
}

const struct api_door api_door_zipkin = {
    .name = "zipkin",
    .routes = routes,
    .route_count = ARRAY_LEN(routes),
    .cors = true,
    .refuse = refuse,
};
