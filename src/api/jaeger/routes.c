/* Jaeger's door: its table. */
#include "api/jaeger/door_priv.h"

static const struct api_route routes[] = {
    {API_GET, "/api/services", jaeger__services},
    {API_GET, "/api/services/:service/operations", jaeger__service_operations},
    {API_GET, "/api/operations", jaeger__operations},
    {API_GET, "/api/traces", jaeger__traces},
    {API_POST, "/api/traces", jaeger__collect},
    {API_GET, "/api/traces/:id", jaeger__trace},
    {API_GET, "/api/dependencies", jaeger__dependencies},
    {API_POST, "/api/archive/:id", jaeger__archive},
    {API_GET, "/api/v3/services", jaeger__services_v3},
    {API_GET, "/api/v3/operations", jaeger__operations_v3},
    {API_GET, "/api/v3/traces", jaeger__traces_v3},
    {API_POST, "/api/v3/traces", jaeger__traces_v3},
    {API_GET, "/api/v3/traces/:id", jaeger__trace_v3},
    {API_GET | API_POST, "/api/v3/trace-summaries", jaeger__summaries},
    {API_GET, "/api/v3/dependencies", jaeger__dependencies_v3},
    {API_GET, "/metrics", api__metrics},
};

const struct api_door api_door_jaeger = {
    .name = "jaeger",
    .routes = routes,
    .route_count = ARRAY_LEN(routes),
    .grpc = jaeger__grpc,
    .grpc_count = JAEGER__GRPC_COUNT,
    .rest = jaeger__rest,
    .rest_count = JAEGER__REST_COUNT,
    .cors = true,
};
