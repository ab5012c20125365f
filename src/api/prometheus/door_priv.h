/* Handlers of the prometheus door's table (routes.c); each in the file its name says. */
#ifndef API_PROMETHEUS_DOOR_PRIV_H
#define API_PROMETHEUS_DOOR_PRIV_H

#include "api/api_priv.h"

void api__prom_query(struct api_call *call);
void api__prom_query_range(struct api_call *call);
void api__prom_query_exemplars(struct api_call *call);
void api__prom_format_query(struct api_call *call);
void api__prom_parse_query(struct api_call *call);
void api__prom_series(struct api_call *call);
void api__prom_labels(struct api_call *call);
void api__prom_label_values(struct api_call *call);
void api__prom_metadata(struct api_call *call);
void api__prom_search_metric_names(struct api_call *call);
void api__prom_search_label_names(struct api_call *call);
void api__prom_search_label_values(struct api_call *call);
void api__prom_openapi(struct api_call *call);
void api__prom_targets(struct api_call *call);
void api__prom_targets_metadata(struct api_call *call);
void api__prom_targets_relabel_steps(struct api_call *call);
void api__prom_scrape_pools(struct api_call *call);
void api__prom_scrape_pools_config(struct api_call *call);
void api__prom_status_self_metrics(struct api_call *call);
void api__prom_status_tsdb_blocks(struct api_call *call);
void api__prom_rules(struct api_call *call);
void api__prom_alerts(struct api_call *call);
void api__prom_rule_list(struct api_call *call);
void api__prom_rule_put(struct api_call *call);
void api__prom_rule_delete(struct api_call *call);
void api__prom_alertmanagers(struct api_call *call);
void api__prom_status_config(struct api_call *call);
void api__prom_status_flags(struct api_call *call);
void api__prom_status_runtimeinfo(struct api_call *call);
void api__prom_status_buildinfo(struct api_call *call);
void api__prom_status_tsdb(struct api_call *call);
void api__prom_status_walreplay(struct api_call *call);
void api__prom_features(struct api_call *call);
void api__prom_notifications(struct api_call *call);
void api__prom_notifications_live(struct api_call *call);
void api__prom_admin_delete(struct api_call *call);
void api__prom_admin_clean(struct api_call *call);
void api__prom_admin_snapshot(struct api_call *call);
void api__prom_version(struct api_call *call);
void api__prom_federate(struct api_call *call);
void api__prom_read(struct api_call *call);
void api__prom_write(struct api_call *call);
/* query.c: query_run of a range query, by way of the answers that are kept (query/cache.h) */
struct promql_expr;
struct promql_options;
int api__prom_run_kept(struct api *api, const struct promql_expr *expr, struct slice text,
                       const struct promql_options *options, const struct query_steps *steps,
                       const struct query_env *env, struct arena *arena, struct query_result *out,
                       struct diag *diag);
/* push.c: the Pushgateway's paths */
void api__push_put(struct api_call *call);
void api__push_post(struct api_call *call);
void api__push_delete(struct api_call *call);
void api__push_wipe(struct api_call *call);
void api__push_list(struct api_call *call);

#endif
