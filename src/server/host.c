/* The server's side of struct api_host, and reloading. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/counter.h"
#include "base/log.h"
#include "server/graphite.h"
#include "server/otlp.h"
#include "server/outputs.h"
#include "server/serve.h"
#include "server/version.h"
#include "store/events.h"
#include "text/regex.h"

static void host_doors(void *ctx, void (*each)(void *arg, const struct api_door_status *d),
                       void *arg)
{
    struct server *s = ctx;
    if (s->doors)
        server_doors_each(s->doors, each, arg);
}

static void host_limits(void *ctx, void (*each)(void *arg, const struct api_limit_status *l),
                        void *arg)
{
    struct server *s = ctx;
    struct store_source_stats stats = {0};
    store_metrics(s->store)->ops->stats(store_metrics(s->store), &stats);
    pthread_mutex_lock(&s->lock);
    const struct server_config *c = s->config;
    const struct api_limit_status rows[] = {
        {"limits.series", "series", "active series; new ones beyond are refused", c->series_max,
         (int64_t)stats.series},
        {"retention.size", "bytes", "the oldest days go when the store is larger; 0 = no limit",
         c->retention_bytes, (int64_t)(stats.disk_bytes + stats.wal_bytes)},
        {"store.head_memory", "bytes", "samples in memory before they are written out",
         c->head_bytes_max, (int64_t)stats.memory_bytes},
        {"limits.query.concurrency", "queries", "queries running at once", c->query_concurrency,
         api_queries_running(s->api)},
        {"limits.query.memory_total", "bytes", "memory of all queries together",
         c->query_memory_total, api_queries_memory(s->api)},
        {"limits.query.memory", "bytes", "memory of one query", c->query_memory, -1},
        {"limits.query.cache", "bytes", "kept answers of range queries", c->query_cache,
         api_query_cache_bytes(s->api)},
        {"limits.query.samples", "samples", "samples one query may hold at once", c->query_samples,
         -1},
        {"limits.query.timeout", "ns", "a query that takes longer ends", c->query_timeout_ns, -1},
        {"limits.http.body_bytes", "bytes", "a request's body as sent", c->http_body_bytes, -1},
    };
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        each(arg, &rows[i]);
}

static void host_config_yaml(void *ctx, struct buf *out)
{
    struct server *s = ctx;
    pthread_mutex_lock(&s->lock);
    server_config_print_yaml(s->config, out);
    pthread_mutex_unlock(&s->lock);
}

static void host_flags(void *ctx, void (*each)(void *arg, const char *key, struct slice value),
                       void *arg)
{
    struct server *s = ctx;
    pthread_mutex_lock(&s->lock);
    server_config_each(s->config, each, arg);
    pthread_mutex_unlock(&s->lock);
}

static void host_targets(void *ctx, void (*each)(void *arg, const struct api_target *t), void *arg)
{
    struct server *s = ctx;
    if (s->inputs)
        server_inputs_targets(s->inputs, each, arg);
}

static void host_scrape_pools(void *ctx, void (*each)(void *arg, const struct api_pool *p),
                              void *arg)
{
    struct server *s = ctx;
    if (s->inputs)
        server_inputs_pools(s->inputs, each, arg);
}

static void host_target_metadata(void *ctx, struct slice metric,
                                 void (*each)(void *arg, const struct api_target_metadata *m),
                                 void *arg)
{
    struct server *s = ctx;
    if (s->inputs)
        server_inputs_target_metadata(s->inputs, metric, each, arg);
}

static int host_relabel_rules(void *ctx, struct slice pool,
                              void (*each)(void *arg, const struct pipe_relabel_rule *rule),
                              void *arg)
{
    struct server *s = ctx;
    return s->inputs ? server_inputs_relabel_rules(s->inputs, pool, each, arg) : ERR_NOT_FOUND;
}

static int host_pool_yaml(void *ctx, struct slice pool, struct buf *out)
{
    struct server *s = ctx;
    return s->inputs ? server_inputs_pool_yaml(s->inputs, pool, out) : ERR_NOT_FOUND;
}

static bool host_statsd(void *ctx, struct codec_json_writer *w)
{
    struct server *s = ctx;
    return s->inputs && server_inputs_statsd(s->inputs, w);
}

static void host_outputs(void *ctx, struct codec_json_writer *w)
{
    struct server *s = ctx;
    output_set_look(s->outputs, w);
}

static bool host_carbon(void *ctx, struct codec_json_writer *w)
{
    struct server *s = ctx;
    return s->inputs && server_inputs_carbon(s->inputs, w);
}

static struct data_labels host_external_labels(void *ctx, struct arena *arena)
{
    struct server *s = ctx;
    return s->inputs ? server_inputs_external_labels(s->inputs, arena) : (struct data_labels){0};
}

static int host_delete_metrics(void *ctx, const struct store_select_req *req, struct diag *diag)
{
    struct server *s = ctx;
    return store_delete_metrics(s->store, req, diag);
}

static int host_delete_logs(void *ctx, const struct store_event_scan *what, uint64_t *out_rows,
                            struct diag *diag)
{
    struct server *s = ctx;
    return store_delete_events(s->store, DATA_EVENT_LOGS, what, out_rows, diag);
}

static int host_snapshot(void *ctx, bool with_head, char *out_name, size_t out_size,
                         struct diag *diag)
{
    struct server *s = ctx;
    return server_snapshot(s, with_head, out_name, out_size, diag);
}

static size_t host_source_aliases(void *ctx, const struct api_source_alias **out)
{
    struct server *s = ctx;
    return s->provision ? server_provision_sources(s->provision, out) : 0;
}

static size_t host_parts(void *ctx, struct arena *arena, struct store_part_view **out)
{
    struct server *s = ctx;
    return store_parts(s->store, arena, out);
}

static int not_ready(struct diag *diag)
{
    return diag_set(diag, ERR_AGAIN, "not ready yet");
}

static void host_rule_groups(void *ctx, void (*each)(void *arg, const struct alert_group *g),
                             void *arg)
{
    struct server *s = ctx;
    if (s->rules)
        server_rules_each(s->rules, each, arg);
}

static int host_rule_list(void *ctx, const struct alert_rule_place *place, struct buf *out,
                          struct diag *diag)
{
    struct server *s = ctx;
    return s->rules ? server_rules_list(s->rules, place, out, diag) : not_ready(diag);
}

static int host_rule_put(void *ctx, const struct alert_rule_place *place,
                         const struct text_yaml *group, struct diag *diag)
{
    struct server *s = ctx;
    return s->rules ? server_rules_put(s->rules, place, group, diag) : not_ready(diag);
}

static int host_rule_delete(void *ctx, const struct alert_rule_place *place, struct diag *diag)
{
    struct server *s = ctx;
    return s->rules ? server_rules_delete(s->rules, place, diag) : not_ready(diag);
}

static void host_alertmanagers(void *ctx, alert_peer_fn each, void *arg)
{
    struct server *s = ctx;
    if (s->rules)
        server_rules_alertmanagers(s->rules, each, arg);
}

static int host_push(void *ctx, const struct api_push_request *req, struct diag *diag)
{
    struct server *s = ctx;
    if (!s->inputs)
        return not_ready(diag);
    return server_inputs_push(s->inputs, req, diag);
}

static int host_push_wipe(void *ctx, struct slice tenant, struct diag *diag)
{
    struct server *s = ctx;
    if (!s->inputs)
        return not_ready(diag);
    return server_inputs_push_wipe(s->inputs, tenant, diag);
}

static void host_push_groups(void *ctx, struct slice tenant,
                             void (*each)(void *arg, const struct api_push_group *g), void *arg)
{
    struct server *s = ctx;
    if (s->inputs)
        server_inputs_push_groups(s->inputs, tenant, each, arg);
}

static int host_dashboard_changes(void *ctx, const struct store_dashboard *before,
                                  struct store_dashboard *after, struct diag *diag)
{
    struct server *s = ctx;
    return s->provision ? server_provision_changes(s->provision, before, after, diag) : 0;
}

static void host_metrics(void *ctx, struct buf *out)
{
    struct server *s = ctx;
    if (s->telemetry)
        server_telemetry_print(s->telemetry, out);
}

static int host_reload(void *ctx, struct diag *diag)
{
    return server_reload(ctx, diag);
}

static int host_health(void *ctx, struct diag *diag)
{
    struct server *s = ctx;
    return store_health(s->store, diag);
}

static void host_load_progress(void *ctx, uint64_t *out_done, uint64_t *out_total)
{
    struct server *s = ctx;
    store_load_progress(s->store, out_done, out_total);
}

static int64_t host_now(void *ctx)
{
    struct server *s = ctx;
    return s->os->ops->now_ns(s->os);
}

void server_host_init(struct server *s)
{
    s->host.ctx = s;
    s->host.doors = host_doors;
    s->host.limits = host_limits;
    s->host.config_yaml = host_config_yaml;
    s->host.flags = host_flags;
    s->host.targets = host_targets;
    s->host.scrape_pools = host_scrape_pools;
    s->host.target_metadata = host_target_metadata;
    s->host.rule_list = host_rule_list;
    s->host.rule_put = host_rule_put;
    s->host.rule_delete = host_rule_delete;
    s->host.relabel_rules = host_relabel_rules;
    s->host.pool_yaml = host_pool_yaml;
    s->host.statsd = host_statsd;
    s->host.outputs = host_outputs;
    s->host.carbon = host_carbon;
    s->host.external_labels = host_external_labels;
    s->host.rule_groups = host_rule_groups;
    s->host.alertmanagers = host_alertmanagers;
    s->host.snapshot = host_snapshot;
    s->host.source_aliases = host_source_aliases;
    s->host.parts = host_parts;
    s->host.delete_metrics = host_delete_metrics;
    s->host.delete_logs = host_delete_logs;
    s->host.push = host_push;
    s->host.push_wipe = host_push_wipe;
    s->host.push_groups = host_push_groups;
    s->host.dashboard_changes = host_dashboard_changes;
    s->host.metrics = host_metrics;
    s->host.reload = host_reload;
    s->host.load_progress = host_load_progress;
    s->host.health = host_health;
    s->host.now_ns = host_now;
    s->host.started_ns = s->os->ops->now_ns(s->os);
    s->host.retention_ns = s->config->retention_metrics_ns;
    s->host.version = SERVER_VERSION;
    s->host.revision = SERVER_REVISION;
    s->host.build_date = "";
    s->host.hostname = s->hostname;
    s->host.data_dir = s->data_dir;
    s->host.cwd = s->cwd;
    s->host.reload_ok = true;
    s->host.reload_ns = s->host.started_ns;
}

void server_fill_limits(const struct server_config *c, struct api_limits *out)
{
    *out = (struct api_limits){
        .query_samples = c->query_samples,
        .query_series = c->query_series,
        .query_memory_bytes = c->query_memory,
        .queries_memory_bytes = c->query_memory_total,
        .query_points = c->query_points,
        .query_cache_bytes = c->query_cache,
        .query_timeout_ns = c->query_timeout_ns,
        .query_concurrency = c->query_concurrency,
        .query_queue = c->query_queue,
        .query_nesting = c->query_nesting,
        .log_entries = c->log_entries,
        .log_scan_rows = c->log_scan_rows,
        .log_scan_bytes = c->log_scan_bytes,
        .log_tails = c->log_tails,
        .elastic_metrics = c->elastic_metrics,
        .lookback_ns = c->lookback_ns,
        .promql_experimental = c->promql_experimental == 1,
        .promql_delayed_name_removal = c->promql_delayed_name_removal == 1,
        .admin_api = c->prometheus_admin_api == 1,
        .delta_series = c->delta_series,
        .delta_idle_ns = c->delta_idle_ns,
    };
}

void server_fill_catalog_limits(const struct server_config *c, struct store_catalog_config *out)
{
    out->bytes_max = (size_t)c->dashboard_bytes_max;
    out->versions_max = (size_t)c->dashboard_versions;
}

int server_reload(struct server *s, struct diag *diag)
{
    struct server_config *next = NULL;
    struct server_rules_next *rules = NULL;
    struct api_auth *auth = NULL;
    struct api_otlp_settings *otlp = NULL;
    struct graphite_schemas *schemas = NULL;
    struct output_config *outputs = NULL;
    struct api_limits limits;
    struct store_catalog_config catalog = {0};
    struct buf restart = {0};
    char text[1200];
    pthread_mutex_lock(&s->lock);
    int err = s->stopping ? diag_set(diag, ERR_DENIED, "the server is stopping")
                          : server_config_load(&s->source, &next, diag);
    if (!err)
        err = server_config_auth(next, &auth, diag);
    if (!err)
        err = server_otlp_settings(next, &otlp, diag);
    if (!err)
        err = server_graphite_schemas(next, &schemas, diag);
    if (!err)
        err = server_rules_read(next, &rules, diag);
    if (!err)
        err = server_outputs_parse(next, &outputs, diag);
    if (!err && (err = server_inputs_reload(s->inputs, next, diag)))
        output_config_free(outputs);
    if (err) {
        s->host.reload_ok = false;
        s->host.reload_failed_ns = s->os->ops->now_ns(s->os);
        pthread_mutex_unlock(&s->lock);
        api_auth_free(auth);
        api_otlp_settings_free(otlp);
        graphite_schemas_unref(schemas);
        server_rules_next_free(rules);
        server_config_free(next);
        LOG_ERROR("server", "configuration not reloaded, the old one stays in force",
                  LOG_STR("error", diag_str(diag, text, sizeof(text))));
        return err;
    }
    server_config_restart_keys(s->config, next, &restart);
    server_fill_limits(next, &limits);
    api_set_limits(s->api, &limits);
    text_regex_set_effort((uint32_t)next->regex_effort);
    server_fill_catalog_limits(next, &catalog);
    if (s->catalog)
        store_catalog_set_limits(s->catalog, &catalog);
    api_set_auth(s->api, auth);
    api_set_otlp(s->api, otlp);
    api_set_graphite(s->api, schemas);
    server_doors_reload(s->doors, next);
    server_rules_apply(s->rules, next, rules);
    output_set_apply(s->outputs, outputs);
    log_set_level((enum log_level)next->log_level);
    struct server_config *old = s->config;
    s->config = next;
    s->host.reload_ok = true;
    s->host.reload_ns = s->os->ops->now_ns(s->os);
    for (size_t i = 0; i < next->warnings.len; i++)
        LOG_WARN("server", next->warnings.items[i]);
    pthread_mutex_unlock(&s->lock);
    server_config_free(old);
    if (restart.len)
        LOG_WARN("server", "these settings changed and take effect after a restart",
                 LOG_SLICE("keys", buf_slice(&restart)));
    LOG_INFO("server", "configuration reloaded");
    buf_deinit(&restart);
    return 0;
}
