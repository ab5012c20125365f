/* Elasticsearch's door: its table. The last rows take what no other does. */
#include "api/elastic/door_priv.h"

#define WRITE (API_POST | API_PUT)
#define HIDE  (WRITE | API_DELETE)

static const struct api_route routes[] = {
    {API_GET, "/", elastic__info, true},
    {WRITE, "/_bulk", elastic__bulk},
    {API_GET, "/_license", elastic__license, true},
    {API_GET, "/_xpack", elastic__xpack, true},
    {API_GET, "/_cluster/health", elastic__health, true},
    {API_GET, "/_cluster/health/*", elastic__health, true},
    {API_GET, "/_nodes", elastic__nodes, true},
    {API_GET, "/_nodes/*", elastic__nodes, true},
    {API_GET, "/_cat/*", elastic__cat, true},
    {API_GET, "/_index_template/:name", elastic__index_template, true},
    {API_GET, "/_template/:name", elastic__named, true},
    {API_GET, "/_component_template/:name", elastic__named, true},
    {API_GET, "/_ingest/pipeline/:name", elastic__named, true},
    {API_GET, "/_ilm/policy/:name", elastic__named, true},
    {API_GET, "/_data_stream/:name", elastic__data_stream, true},
    {API_POST | API_PUT, "/_monitoring/bulk", elastic__monitoring},
    {API_GET | API_POST, "/_search", elastic__search},
    {API_GET | API_POST, "/_msearch", elastic__search},
    {API_GET | API_POST, "/_count", elastic__search},
    {WRITE, "/_refresh", elastic__shards},
    {WRITE, "/:index/_bulk", elastic__bulk_index},
    {API_POST, "/:index/_doc", elastic__doc},
    {WRITE, "/:index/_doc/:id", elastic__doc_id},
    {WRITE, "/:index/_create/:id", elastic__create_id},
    {API_GET | API_POST, "/:index/_search", elastic__search},
    {API_GET | API_POST, "/:index/_count", elastic__search},
    {API_GET | API_POST, "/:index/_refresh", elastic__shards},
    {API_GET | API_POST, "/:index/_flush", elastic__shards},
    {API_GET, "/:index", elastic__exists, true},
    {API_PUT, "/:index", elastic__ack},
    {HIDE, "/_index_template/*", elastic__ack},
    {HIDE, "/_template/*", elastic__ack},
    {HIDE, "/_component_template/*", elastic__ack},
    {HIDE, "/_ingest/*", elastic__pipeline},
    {HIDE, "/_ilm/*", elastic__ack},
    {HIDE, "/_data_stream/*", elastic__ack},
    {HIDE, "/_alias/*", elastic__ack},
    {HIDE, "/_cluster/*", elastic__ack},
    {API_GET | API_POST | API_PUT | API_DELETE | API_PATCH, "/*", elastic__missing},
};

static void prepare(struct api *api, struct net_request *req)
{
    (void)api;
    net_response_header(req, "X-Elastic-Product", SLICE("Elasticsearch"));
}

static void refuse(struct net_request *req, int status, const char *message)
{
    if (status == 401) /* is answered before prepare */
        net_response_header(req, "X-Elastic-Product", SLICE("Elasticsearch"));
    elastic__respond_error(req, status,
                           status == 401   ? "security_exception"
                           : status == 405 ? "illegal_argument_exception"
                                           : "resource_not_found_exception",
                           "%s", message);
}

const struct api_door api_door_elastic = {
    .name = "elastic",
    .routes = routes,
    .route_count = ARRAY_LEN(routes),
    .prepare = prepare,
    .refuse = refuse,
};
