/* Jaeger's gRPC services: the collector, and both versions of the query service over the endpoints
 * of version 3 (github.com/jaegertracing/jaeger-idl: api_v2/query.proto,
 * api_v3/query_service.proto).
 */
#include "api/jaeger/door_priv.h"

static const struct api__grpc_param query_fields[] = {
    {1, API__GRPC_TEXT, "query.serviceName", NULL},
    {2, API__GRPC_TEXT, "query.operationName", NULL},
    {3, API__GRPC_JSON, "query.attributes", NULL},
    {4, API__GRPC_TIMESTAMP, "query.startTimeMin", NULL},
    {5, API__GRPC_TIMESTAMP, "query.startTimeMax", NULL},
    {6, API__GRPC_DURATION, "query.durationMin", NULL},
    {7, API__GRPC_DURATION, "query.durationMax", NULL},
    {8, API__GRPC_NUMBER, "query.searchDepth", NULL},
    {0}};
static const struct api__grpc_param find_params[] = {{1, API__GRPC_MESSAGE, "", query_fields}, {0}};
static const struct api__grpc_param id_params[] = {{1, API__GRPC_HEX, "/", NULL}, {0}};
static const struct api__grpc_param text_id_params[] = {{1, API__GRPC_TEXT, "/", NULL}, {0}};
static const struct api__grpc_param operation_params[] = {
    {1, API__GRPC_TEXT, "service", NULL}, {2, API__GRPC_TEXT, "spanKind", NULL}, {0}};
static const struct api__grpc_param range_params[] = {
    {1, API__GRPC_TIMESTAMP, "startTime", NULL}, {2, API__GRPC_TIMESTAMP, "endTime", NULL}, {0}};

CODEC_PROTO_DEFINE(services, CODEC_PROTO_MANY("services", 1, STRING));
CODEC_PROTO_DEFINE(operation, CODEC_PROTO_ONE("name", 1, STRING),
                   CODEC_PROTO_ONE("spanKind", 2, STRING));
CODEC_PROTO_DEFINE(operations, CODEC_PROTO_SUBS("operations", 1, operation));
CODEC_PROTO_DEFINE(operations_v2, CODEC_PROTO_SUBS("operations", 2, operation));
CODEC_PROTO_DEFINE(dependency, CODEC_PROTO_ONE("parent", 1, STRING),
                   CODEC_PROTO_ONE("child", 2, STRING), CODEC_PROTO_ONE("callCount", 3, UINT));
CODEC_PROTO_DEFINE(dependencies, CODEC_PROTO_SUBS("dependencies", 1, dependency));
CODEC_PROTO_DEFINE(service_summary, CODEC_PROTO_ONE("name", 1, STRING),
                   CODEC_PROTO_ONE("spanCount", 2, UINT),
                   CODEC_PROTO_ONE("errorSpanCount", 3, UINT));
CODEC_PROTO_DEFINE(summary, CODEC_PROTO_ONE("traceId", 1, STRING),
                   CODEC_PROTO_ONE("rootServiceName", 2, STRING),
                   CODEC_PROTO_ONE("rootOperationName", 3, STRING),
                   CODEC_PROTO_ONE("minStartTimeUnixNano", 4, FIXED64),
                   CODEC_PROTO_ONE("maxEndTimeUnixNano", 5, FIXED64),
                   CODEC_PROTO_ONE("spanCount", 6, UINT),
                   CODEC_PROTO_ONE("errorSpanCount", 7, UINT),
                   CODEC_PROTO_ONE("orphanSpanCount", 8, UINT),
                   CODEC_PROTO_SUBS("services", 9, service_summary));
CODEC_PROTO_DEFINE(summaries, CODEC_PROTO_SUBS("summaries", 1, summary));

#define V2 "/jaeger.api_v2.QueryService/"
#define V3 "/jaeger.api_v3.QueryService/"
const struct api__grpc_rest jaeger__rest[JAEGER__REST_COUNT] = {
    {V2 "GetTrace", jaeger__trace_v2, id_params, NULL, true},
    {V2 "FindTraces", jaeger__traces_v2, find_params, NULL, true},
    {V2 "GetServices", jaeger__services_v3, NULL, &services, false},
    {V2 "GetOperations", jaeger__operations_v3, operation_params, &operations_v2, false},
    {V2 "GetDependencies", jaeger__dependencies_v3, range_params, &dependencies, false},
    {V3 "GetTrace", jaeger__trace_v3, text_id_params, NULL, true},
    {V3 "FindTraces", jaeger__traces_v3, find_params, NULL, true},
    {V3 "GetServices", jaeger__services_v3, NULL, &services, false},
    {V3 "GetOperations", jaeger__operations_v3, operation_params, &operations, false},
    {V3 "GetDependencies", jaeger__dependencies_v3, range_params, &dependencies, false},
    {V3 "FindTraceSummaries", jaeger__summaries, find_params, &summaries, true},
};

const struct net_grpc_method jaeger__grpc[JAEGER__GRPC_COUNT] = {
    {"/jaeger.api_v2.CollectorService/PostSpans", jaeger__post_spans},
    {V2 "GetTrace", api__grpc_rest},
    {V2 "FindTraces", api__grpc_rest},
    {V2 "GetServices", api__grpc_rest},
    {V2 "GetOperations", api__grpc_rest},
    {V2 "GetDependencies", api__grpc_rest},
    {V3 "GetTrace", api__grpc_rest},
    {V3 "FindTraces", api__grpc_rest},
    {V3 "GetServices", api__grpc_rest},
    {V3 "GetOperations", api__grpc_rest},
    {V3 "GetDependencies", api__grpc_rest},
    {V3 "FindTraceSummaries", api__grpc_rest},
};
