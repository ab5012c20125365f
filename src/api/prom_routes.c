/* The prometheus door's table, and the main door's own. */
#include "api/api_priv.h"

static const struct api_route prometheus_routes[] = {
    {API_GET | API_POST, "/api/v1/query", api__prom_query},
    {API_GET | API_POST, "/api/v1/query_range", api__prom_query_range},
    {API_GET | API_POST, "/api/v1/query_exemplars", api__prom_query_exemplars},
    {API_GET | API_POST, "/api/v1/format_query", api__prom_format_query},
    {API_GET | API_POST, "/api/v1/parse_query", api__prom_parse_query},
    {API_GET | API_POST, "/api/v1/series", api__prom_series},
    {API_GET | API_POST, "/api/v1/labels", api__prom_labels},
    {API_GET, "/api/v1/label/:name/values", api__prom_label_values},
    {API_GET, "/api/v1/metadata", api__prom_metadata},
    {API_GET, "/api/v1/targets", api__prom_targets},
    {API_GET, "/api/v1/targets/metadata", api__prom_targets_metadata},
    {API_GET, "/api/v1/targets/relabel_steps", api__prom_targets_relabel_steps},
    {API_GET, "/api/v1/scrape_pools", api__prom_scrape_pools},
    {API_GET, "/api/v1/rules", api__prom_rules},
    {API_GET, "/api/v1/alerts", api__prom_alerts},
    {API_GET, "/api/v1/alertmanagers", api__prom_alertmanagers},
    {API_GET, "/api/v1/status/config", api__prom_status_config},
    {API_GET, "/api/v1/status/flags", api__prom_status_flags},
    {API_GET, "/api/v1/status/runtimeinfo", api__prom_status_runtimeinfo},
    {API_GET, "/api/v1/status/buildinfo", api__prom_status_buildinfo},
    {API_GET, "/api/v1/status/tsdb", api__prom_status_tsdb},
    {API_GET, "/api/v1/status/walreplay", api__prom_status_walreplay},
    {API_GET, "/api/v1/features", api__prom_features},
    {API_GET, "/api/v1/notifications", api__prom_notifications},
    {API_GET, "/api/v1/notifications/live", api__prom_notifications_live},
    {API_POST | API_PUT, "/api/v1/admin/tsdb/delete_series", api__prom_admin_delete},
    {API_POST | API_PUT, "/api/v1/admin/tsdb/clean_tombstones", api__prom_admin_clean},
    {API_POST, "/api/v1/read", api__prom_read},
    {API_POST, "/api/v1/write", api__prom_write},
    {API_GET, "/version", api__prom_version},
    /* the Pushgateway's */
    {API_PUT, "/metrics/job/*", api__push_put},
    {API_POST, "/metrics/job/*", api__push_post},
    {API_DELETE, "/metrics/job/*", api__push_delete},
    {API_PUT, "/metrics/job@base64/*", api__push_put},
    {API_POST, "/metrics/job@base64/*", api__push_post},
    {API_DELETE, "/metrics/job@base64/*", api__push_delete},
    {API_PUT, "/api/v1/admin/wipe", api__push_wipe},
    {API_GET, "/api/v1/metrics", api__push_list},
    {API_GET, "/federate", api__prom_federate},
    {API_GET, "/-/healthy", api__healthy},
    {API_GET, "/-/ready", api__ready},
    {API_POST | API_PUT, "/-/reload", api__reload},
    {API_GET, "/metrics", api__metrics},
};

const struct api_door api_door_prometheus = {
    .name = "prometheus",
    .routes = prometheus_routes,
    .route_count = ARRAY_LEN(prometheus_routes),
    .cors = true,
};

const struct api_route api__pharos_routes[] = {
    {API_GET, "/api/pharos/v1/status", api__pharos_status},
    {API_GET | API_POST, "/api/pharos/v1/explain", api__pharos_explain},
    {API_GET, "/-/healthy", api__healthy},
    {API_GET, "/-/ready", api__ready},
    {API_POST | API_PUT, "/-/reload", api__reload},
    {API_GET, "/metrics", api__metrics},
};
const size_t api__pharos_route_count = ARRAY_LEN(api__pharos_routes);
