/* Tempo's door: its table, and what is small. */
#include "api/tempo/door_priv.h"
#include "codec/json_write.h"

static void echo(struct api_call *call)
{
    net_respond(call->req, 200, "text/plain; charset=utf-8", SLICE("echo"));
}

static void buildinfo(struct api_call *call)
{
    const struct api_host *host = call->api->host;
    struct buf out = {0};
    struct codec_json_writer w;
    /* The version is that of the API spoken: clients choose by it what they ask for. */
    codec_json_init(&w, &out);
    codec_json_begin_object(&w);
    api__put_text(&w, "version", "3.0.2");
    api__put_text(&w, "revision", host->revision);
    api__put_text(&w, "branch", "HEAD");
    api__put_text(&w, "buildUser", "pharos");
    api__put_text(&w, "buildDate", host->build_date);
    api__put_text(&w, "goVersion", "");
    codec_json_end_object(&w);
    api__respond_json(call->req, 200, buf_slice(&out));
    buf_deinit(&out);
}

static void version(struct api_call *call)
{
    net_respond_text(call->req, 200, "tempo, version 3.0.2 (Pharos %s)\n",
                     call->api->host->version);
}

static void ready(struct api_call *call)
{
    if (call->api->ready)
        net_respond_text(call->req, 200, "ready\n");
    else
        net_respond_text(call->req, 503, "Pharos is not ready yet\n");
}

#define BOTH (API_GET | API_POST)

static const struct api_route routes[] = {
    {API_GET, "/api/echo", echo, true},
    {API_GET, "/api/traces/:id", tempo__trace},
    {API_GET, "/api/v2/traces/:id", tempo__trace_v2},
    {BOTH, "/api/search", tempo__search},
    {BOTH, "/api/search/tags", tempo__tags},
    {BOTH, "/api/v2/search/tags", tempo__tags_v2},
    {BOTH, "/api/search/tag/:tag/values", tempo__tag_values},
    {BOTH, "/api/v2/search/tag/:tag/values", tempo__tag_values_v2},
    {BOTH, "/api/metrics/query_range", tempo__query_range},
    {BOTH, "/api/metrics/query", tempo__query},
    {BOTH, "/api/metrics/explain", tempo__explain},
    {API_GET, "/api/status/buildinfo", buildinfo},
    {API_GET, "/status/version", version},
    {API_GET, "/ready", ready, true},
    {API_GET, "/metrics", api__metrics},
};

static void refuse(struct net_request *req, int status, const char *message)
{
    api__plain_error(req, status, "%s", message);
}

const struct api_door api_door_tempo = {
    .name = "tempo",
    .routes = routes,
    .route_count = ARRAY_LEN(routes),
    .grpc = tempo__grpc,
    .grpc_count = TEMPO__GRPC_COUNT,
    .rest = tempo__rest,
    .rest_count = TEMPO__GRPC_COUNT,
    .cors = true,
    .refuse = refuse,
};
