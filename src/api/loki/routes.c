/* Loki's door: its table. */
#include "api/loki/door_priv.h"
#include "api/otlp/http.h"
#include "api/prometheus/door_priv.h"

#define BOTH (API_GET | API_POST)

static const struct api_route loki_routes[] = {
    {API_POST, "/loki/api/v1/push", loki__push},
    {API_POST, "/loki/api/v1/push/", loki__push},
    {API_POST, "/api/prom/push", loki__push},
    {API_POST, "/otlp/v1/logs", api__otlp_logs},
    {BOTH, "/loki/api/v1/query", loki__query},
    {BOTH, "/loki/api/v1/query_range", loki__query_range},
    {BOTH, "/loki/api/v1/explain", loki__explain},
    {BOTH, "/loki/api/v1/labels", loki__labels},
    {BOTH, "/loki/api/v1/label", loki__labels},
    {BOTH, "/loki/api/v1/label/:name/values", loki__label_values},
    {BOTH, "/loki/api/v1/series", loki__series},
    {BOTH, "/loki/api/v1/index/stats", loki__index_stats},
    {BOTH, "/loki/api/v1/index/shards", loki__index_shards},
    {BOTH, "/loki/api/v1/index/volume", loki__volume},
    {BOTH, "/loki/api/v1/index/volume_range", loki__volume_range},
    {BOTH, "/loki/api/v1/detected_labels", loki__detected_labels},
    {BOTH, "/loki/api/v1/detected_fields", loki__detected_fields},
    {BOTH, "/loki/api/v1/detected_field/:name/values", loki__detected_field_values},
    {BOTH, "/loki/api/v1/patterns", loki__patterns},
    {API_GET, "/loki/api/v1/tail", loki__tail},
    {API_POST | API_PUT, "/loki/api/v1/delete", loki__delete_add},
    {API_GET, "/loki/api/v1/delete", loki__delete_list},
    {API_DELETE, "/loki/api/v1/delete", loki__delete_cancel},
    {BOTH, "/loki/api/v1/format_query", loki__format_query},
    {API_GET, "/loki/api/v1/status/buildinfo", loki__buildinfo},
    {API_GET, "/loki/api/v1/drilldown-limits", loki__drilldown_limits},
    {API_GET, "/loki/api/v1/rules", loki__rule_list},
    {API_GET, "/loki/api/v1/rules/:namespace", loki__rule_list},
    {API_GET, "/loki/api/v1/rules/:namespace/:group", loki__rule_list},
    {API_POST, "/loki/api/v1/rules/:namespace", loki__rule_put},
    {API_DELETE, "/loki/api/v1/rules/:namespace", loki__rule_delete},
    {API_DELETE, "/loki/api/v1/rules/:namespace/:group", loki__rule_delete},
    {API_GET, "/api/prom/rules", loki__rule_list},
    {API_GET, "/api/prom/rules/:namespace", loki__rule_list},
    {API_GET, "/api/prom/rules/:namespace/:group", loki__rule_list},
    {API_POST, "/api/prom/rules/:namespace", loki__rule_put},
    {API_DELETE, "/api/prom/rules/:namespace", loki__rule_delete},
    {API_DELETE, "/api/prom/rules/:namespace/:group", loki__rule_delete},
    {API_GET, "/prometheus/api/v1/rules", loki__rules},
    {API_GET, "/prometheus/api/v1/alerts", loki__alerts},
    /* before 1.0 */
    {BOTH, "/api/prom/query", loki__query_legacy},
    {BOTH, "/api/prom/label", loki__labels_legacy},
    {BOTH, "/api/prom/label/:name/values", loki__label_values_legacy},
    {BOTH, "/api/prom/series", loki__series},
    {API_GET, "/api/prom/tail", loki__tail_legacy},
    {API_GET, "/ready", loki__ready, true},
    {API_GET, "/config", loki__config},
    {API_GET, "/metrics", api__metrics},
};

const struct api_door api_door_loki = {
    .name = "loki",
    .routes = loki_routes,
    .route_count = ARRAY_LEN(loki_routes),
    .paths_say_name = true,
};
