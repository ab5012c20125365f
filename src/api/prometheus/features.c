/* features: what a client may rely on, in Prometheus' names and order. */
#include <stdlib.h>

#include "api/prometheus/door_priv.h"
#include "query/functions.h"

enum feature_state { FEATURE_OFF, FEATURE_ON, FEATURE_ADMIN, FEATURE_EXPERIMENTAL, FEATURE_NAMES };

struct feature {
    const char *name;
    enum feature_state state;
};

#define OFF FEATURE_OFF
#define ON  FEATURE_ON

static const struct feature api_features[] = {
    {"admin", FEATURE_ADMIN},
    {"exclude_alerts", ON},
    {"label_values_match", ON},
    {"lifecycle", ON},
    {"openapi_3.1", ON},
    {"openapi_3.2", ON},
    {"otlp_write_receiver", ON},
    {"query_stats", ON},
    {"query_warnings", ON},
    {"remote_write_receiver", ON},
    {"search", ON},
    {"search_fuzz_alg_jarowinkler", ON},
    {"search_fuzz_alg_subsequence", ON},
    {"time_range_labels", ON},
    {"time_range_series", ON},
};

static const struct feature otlp_features[] = {{"delta_conversion", ON},
                                               {"native_delta_ingestion", OFF}};

static const struct feature server_features[] = {
    {"agent_mode", OFF}, {"auto_reload_config", OFF}, {"server_mode", ON}, {"stringlabels", OFF}};

static const struct feature promql_features[] = {
    {"anchored", FEATURE_EXPERIMENTAL},
    {"at_modifier", ON},
    {"bool", ON},
    {"by", ON},
    {"delayed_name_removal", FEATURE_NAMES},
    {"duration_expr", ON},
    {"fill", FEATURE_EXPERIMENTAL},
    {"fill_left", FEATURE_EXPERIMENTAL},
    {"fill_right", FEATURE_EXPERIMENTAL},
    {"group_left", ON},
    {"group_right", ON},
    {"ignoring", ON},
    {"negative_offset", ON},
    {"offset", ON},
    {"on", ON},
    {"per_query_lookback_delta", ON},
    {"per_step_stats", OFF},
    {"smoothed", FEATURE_EXPERIMENTAL},
    {"subqueries", ON},
    {"type_and_unit_labels", OFF},
    {"without", ON},
};

static const struct feature operators[] = {
    {"!=", ON},
    {"!~", ON},
    {"%", ON},
    {"*", ON},
    {"+", ON},
    {"-", ON},
    {"/", ON},
    {"<", ON},
    {"</", ON},
    {"<=", ON},
    {"==", ON},
    {"=~", ON},
    {">", ON},
    {">/", ON},
    {">=", ON},
    {"@", ON},
    {"^", ON},
    {"and", ON},
    {"atan2", ON},
    {"avg", ON},
    {"bottomk", ON},
    {"count", ON},
    {"count_values", ON},
    {"group", ON},
    {"limit_ratio", FEATURE_EXPERIMENTAL},
    {"limitk", FEATURE_EXPERIMENTAL},
    {"max", ON},
    {"min", ON},
    {"or", ON},
    {"quantile", ON},
    {"stddev", ON},
    {"stdvar", ON},
    {"sum", ON},
    {"topk", ON},
    {"unless", ON},
};

static const struct feature rule_features[] = {
    {"concurrent_rule_eval", OFF}, {"keep_firing_for", ON}, {"query_offset", ON}};

static const struct feature scrape_features[] = {{"extra_scrape_metrics", ON},
                                                 {"start_timestamp_zero_ingestion", OFF},
                                                 {"type_and_unit_labels", OFF}};

static const struct feature discoveries[] = {
    {"aws", OFF},        {"azure", OFF},       {"consul", OFF},      {"digitalocean", OFF},
    {"dns", ON},         {"docker", OFF},      {"dockerswarm", OFF}, {"ec2", OFF},
    {"ecs", OFF},        {"elasticache", OFF}, {"eureka", OFF},      {"file", ON},
    {"gce", OFF},        {"hetzner", OFF},     {"http", ON},         {"ionos", OFF},
    {"kubernetes", OFF}, {"kuma", OFF},        {"lightsail", OFF},   {"linode", OFF},
    {"marathon", OFF},   {"msk", OFF},         {"nerve", OFF},       {"nomad", OFF},
    {"oci", OFF},        {"openstack", OFF},   {"outscale", OFF},    {"ovhcloud", OFF},
    {"puppetdb", OFF},   {"rds", OFF},         {"scaleway", OFF},    {"serverset", OFF},
    {"stackit", OFF},    {"static", ON},       {"triton", OFF},      {"uyuni", OFF},
    {"vultr", OFF},
};

static const struct feature template_functions[] = {
    {"args", ON},
    {"externalURL", ON},
    {"first", ON},
    {"graphLink", ON},
    {"humanize", ON},
    {"humanize1024", ON},
    {"humanizeDuration", ON},
    {"humanizePercentage", ON},
    {"humanizeTimestamp", ON},
    {"label", ON},
    {"match", ON},
    {"now", ON},
    {"parseDuration", ON},
    {"pathPrefix", ON},
    {"query", ON},
    {"reReplaceAll", ON},
    {"safeHtml", ON},
    {"sortByLabel", ON},
    {"stripDomain", ON},
    {"stripPort", ON},
    {"strvalue", ON},
    {"tableLink", ON},
    {"title", ON},
    {"toDuration", ON},
    {"toLower", ON},
    {"toTime", ON},
    {"toUpper", ON},
    {"urlQueryEscape", ON},
    {"value", ON},
};

static const struct feature tsdb_features[] = {
    {"delayed_compaction", OFF}, {"exemplar_storage", ON},  {"histograms_st_encoding", OFF},
    {"isolation", ON},           {"native_histograms", ON}, {"st_storage", ON},
    {"use_uncached_io", OFF},    {"xor2_encoding", OFF},
};

static const struct feature ui_features[] = {{"ui_v2", OFF}, {"ui_v3", OFF}};

#define CATEGORY(name, list)                                                                       \
    {                                                                                              \
        name, list, ARRAY_LEN(list)                                                                \
    }
static const struct {
    const char *name;
    const struct feature *list; /* NULL: the functions of the language */
    size_t count;
} categories[] = {
    CATEGORY("api", api_features),
    CATEGORY("otlp_receiver", otlp_features),
    CATEGORY("prometheus", server_features),
    CATEGORY("promql", promql_features),
    {"promql_functions", NULL, 0},
    CATEGORY("promql_operators", operators),
    CATEGORY("rules", rule_features),
    CATEGORY("scrape", scrape_features),
    CATEGORY("service_discovery_providers", discoveries),
    CATEGORY("templating_functions", template_functions),
    CATEGORY("tsdb", tsdb_features),
    CATEGORY("ui", ui_features),
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct feature *)a)->name, ((const struct feature *)b)->name);
}

static void put_list(const struct feature *list, size_t count, const bool *on,
                     struct codec_json_writer *w)
{
    for (size_t i = 0; i < count; i++)
        codec_json_put_bool(w, list[i].name, on[list[i].state]);
}

static void put_functions(const bool *on, struct arena *arena, struct codec_json_writer *w)
{
    const struct query_function *f;
    size_t count = 0;
    while (query_function_at(count))
        count++;
    struct feature *list = ARENA_ARRAY(arena, struct feature, count);
    for (size_t i = 0; (f = query_function_at(i)); i++)
        list[i] = (struct feature){f->name, f->experimental ? FEATURE_EXPERIMENTAL : FEATURE_ON};
    qsort(list, count, sizeof(*list), by_name);
    put_list(list, count, on, w);
}

void api__prom_features(struct api_call *call)
{
    struct api_limits l = api__limits(call->api);
    const bool on[] = {[FEATURE_ON] = true,
                       [FEATURE_ADMIN] = l.admin_api,
                       [FEATURE_EXPERIMENTAL] = l.promql_experimental,
                       [FEATURE_NAMES] = l.promql_delayed_name_removal};
    struct buf out = {0};
    struct codec_json_writer w;
    api__begin(&w, &out);
    codec_json_begin_object(&w);
    for (size_t i = 0; i < ARRAY_LEN(categories); i++) {
        codec_json_key(&w, slice_cstr(categories[i].name));
        codec_json_begin_object(&w);
        if (categories[i].list)
            put_list(categories[i].list, categories[i].count, on, &w);
        else
            put_functions(on, net_request_arena(call->req), &w);
        codec_json_end_object(&w);
    }
    codec_json_end_object(&w);
    api__respond(call->req, &w);
}
