/* /api/datasources: Pharos' own doors as data sources, and the ways through to them. */
#include <stdio.h>

#include "api/grafana/grafana_priv.h"

#define ALIAS_ID INT64_C(1000) /* the number of the first provisioned one */

/* `below`: where a plugin's resource calls lead within the door. */
static const struct grafana_source sources[] = {
    {"prometheus", "prometheus", "prometheus", "", 1},
    {"loki", "loki", "loki", "/loki/api/v1", 2},
    {"tempo", "tempo", "tempo", "", 3},
    {"alertmanager", "alertmanager", "alertmanager", "", 4},
    {"jaeger", "jaeger", "jaeger", "", 5},
    {"zipkin", "zipkin", "zipkin", "", 6},
    {"influxdb", "influxdb", "influxdb", "", 7},
    {"graphite", "graphite", "graphite", "", 8},
    {"elasticsearch", "elasticsearch", "elastic", "", 9},
};

static const char *title_of(const struct grafana_source *s)
{
    static const char *const titles[] = {"Prometheus",   "Loki",     "Tempo",
                                         "Alertmanager", "Jaeger",   "Zipkin",
                                         "InfluxDB",     "Graphite", "Elasticsearch"};
    return titles[s - sources];
}

/* Those whose door is there. */
static bool is_there(const struct grafana_source *s)
{
    return api__door(slice_cstr(s->door)) != NULL;
}

static size_t aliases_of(const struct api_host *host, const struct api_source_alias **out)
{
    return host && host->source_aliases ? host->source_aliases(host->ctx, out) : 0;
}

const char *api_source_type(struct slice type)
{
    static const char *const prometheus[] = {
        "mimir", "grafana-amazonprometheus-datasource", "grafana-azureprometheus-datasource",
        "victoriametrics-metrics-datasource", "victoriametrics-datasource"};
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        if (slice_eq_cstr(type, sources[i].type))
            return sources[i].type;
    }
    for (size_t i = 0; i < ARRAY_LEN(prometheus); i++) {
        if (slice_eq_cstr(type, prometheus[i]))
            return sources[0].type;
    }
    return NULL;
}

static const struct grafana_source *of_type(struct slice type)
{
    const char *known = api_source_type(type);
    for (size_t i = 0; known && i < ARRAY_LEN(sources); i++) {
        if (is_there(&sources[i]) && sources[i].type == known)
            return &sources[i];
    }
    return NULL;
}

/* What a provisioned one is called in addresses. */
static struct slice alias_uid(const struct api_source_alias *a)
{
    return slice_cstr(a->uid[0] ? a->uid : a->name);
}

/* By uid, name or number; *alias is the provisioned one it is, or NULL. */
static const struct grafana_source *find(const struct api_host *host, struct slice key,
                                         const struct api_source_alias **alias)
{
    const struct api_source_alias *all = NULL;
    size_t count = aliases_of(host, &all);
    *alias = NULL;
    for (size_t i = 0; i < count && key.len; i++) {
        char id[24];
        snprintf(id, sizeof(id), "%lld", (long long)(ALIAS_ID + (int64_t)i));
        if (slice_eq(key, alias_uid(&all[i])) || slice_eq_cstr(key, all[i].name) ||
            slice_eq_cstr(key, id)) {
            *alias = &all[i];
            return of_type(slice_cstr(all[i].type));
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(sources) && key.len; i++) {
        char id[24];
        snprintf(id, sizeof(id), "%lld", (long long)sources[i].id);
        if (is_there(&sources[i]) &&
            (slice_eq_cstr(key, sources[i].uid) ||
             slice_eq_nocase(key, slice_cstr(title_of(&sources[i]))) || slice_eq_cstr(key, id)))
            return &sources[i];
    }
    return NULL;
}

const struct grafana_source *grafana__source(const struct api_host *host, struct slice uid,
                                             struct slice type)
{
    const struct api_source_alias *alias;
    const struct grafana_source *s = find(host, uid, &alias);
    if (!s)
        s = of_type(type);
    return s ? s : &sources[0];
}

/* `alias` is NULL for the door itself. */
static void put_source(struct grafana *g, const struct grafana_source *s,
                       const struct api_source_alias *alias)
{
    const struct api_source_alias *all = NULL;
    struct codec_json_writer *w = &g->w;
    size_t count = aliases_of(g->job->api->host, &all);
    bool other_default = false;
    for (size_t i = 0; i < count; i++)
        other_default |= all[i].is_default;
    struct slice host = net_request_header(g->req, "host");
    codec_json_begin_object(w);
    codec_json_put_int(w, "id", alias ? ALIAS_ID + (int64_t)(alias - all) : s->id);
    codec_json_put_string(w, "uid", alias ? alias_uid(alias) : slice_cstr(s->uid));
    codec_json_put_int(w, "orgId", 1);
    codec_json_put_string(w, "name", slice_cstr(alias ? alias->name : title_of(s)));
    codec_json_put_string(w, "type", slice_cstr(s->type));
    codec_json_put_string(w, "typeName", slice_cstr(title_of(s)));
    codec_json_put_string(w, "typeLogoUrl", SLICE(""));
    codec_json_put_string(w, "access", SLICE("proxy"));
    codec_json_put_string(w, "url",
                          arena_printf(g->arena, "%s://%.*s/%s",
                                       net_request_is_tls(g->req) ? "https" : "http",
                                       SLICE_FMT(host), s->door));
    codec_json_put_string(w, "user", SLICE(""));
    codec_json_put_string(w, "database", SLICE(""));
    codec_json_put_bool(w, "basicAuth", false);
    codec_json_put_string(w, "basicAuthUser", SLICE(""));
    codec_json_put_bool(w, "withCredentials", false);
    codec_json_put_bool(w, "isDefault",
                        alias ? alias->is_default : s == &sources[0] && !other_default);
    codec_json_key(w, SLICE("jsonData"));
    codec_json_begin_object(w);
    if (s == &sources[0])
        codec_json_put_string(w, "httpMethod", SLICE("POST"));
    codec_json_end_object(w);
    codec_json_key(w, SLICE("secureJsonFields"));
    codec_json_begin_object(w);
    codec_json_end_object(w);
    codec_json_put_int(w, "version", 1);
    codec_json_put_bool(w, "readOnly", true);
    codec_json_end_object(w);
}

/* The doors, then the provisioned ones. */
static void each_source(struct grafana *g,
                        void (*put)(struct grafana *g, const struct grafana_source *s,
                                    const struct api_source_alias *alias))
{
    const struct api_source_alias *all = NULL;
    size_t count = aliases_of(g->job->api->host, &all);
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        bool taken = false; /* its name is */
        for (size_t k = 0; k < count; k++)
            taken |= strcmp(all[k].name, title_of(&sources[i])) == 0 ||
                     slice_eq_cstr(alias_uid(&all[k]), sources[i].uid);
        if (is_there(&sources[i]) && !taken)
            put(g, &sources[i], NULL);
    }
    for (size_t i = 0; i < count; i++) {
        const struct grafana_source *s = of_type(slice_cstr(all[i].type));
        if (s)
            put(g, s, &all[i]);
    }
}

static void put_named(struct grafana *g, const struct grafana_source *s,
                      const struct api_source_alias *alias)
{
    codec_json_key(&g->w, slice_cstr(alias ? alias->name : title_of(s)));
    put_source(g, s, alias);
}

void grafana__put_sources_map(struct grafana *g)
{
    codec_json_begin_object(&g->w);
    each_source(g, put_named);
    codec_json_end_object(&g->w);
}

static void source_list(struct grafana *g)
{
    codec_json_begin_array(&g->w);
    each_source(g, put_source);
    codec_json_end_array(&g->w);
}

static const struct grafana_source *asked(struct grafana *g, const struct api_source_alias **alias)
{
    const struct grafana_source *s = find(g->job->api->host, grafana__arg(g, 0), alias);
    if (!s)
        grafana__fail(g, 404, NULL, "Data source not found");
    return s;
}

static void source_get(struct grafana *g)
{
    const struct api_source_alias *alias;
    const struct grafana_source *s = asked(g, &alias);
    if (s)
        put_source(g, s, alias);
}

static void source_id(struct grafana *g)
{
    const struct api_source_alias *alias, *all = NULL;
    const struct grafana_source *s = asked(g, &alias);
    if (!s)
        return;
    (void)aliases_of(g->job->api->host, &all);
    codec_json_begin_object(&g->w);
    codec_json_put_int(&g->w, "id", alias ? ALIAS_ID + (int64_t)(alias - all) : s->id);
    codec_json_end_object(&g->w);
}

static void source_health(struct grafana *g)
{
    const struct api_source_alias *alias;
    const struct grafana_source *s = asked(g, &alias);
    if (!s)
        return;
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "message",
                          arena_printf(g->arena, "Successfully queried the %s API.", title_of(s)));
    codec_json_put_string(&g->w, "status", SLICE("OK"));
    codec_json_end_object(&g->w);
}

static void source_fixed(struct grafana *g)
{
    grafana__fail(g, 403, NULL,
                  "data sources are Pharos' own doors and cannot be added, changed or deleted; "
                  "dashboards find them by type, whatever uid they name");
}

/* The rest of the path behind `segments` of it, as it came: its encoding is the door's business. */
static struct slice rest_of(struct slice path, size_t segments)
{
    size_t i = 0;
    while (i < path.len && segments) {
        i++;
        while (i < path.len && path.ptr[i] != '/')
            i++;
        segments--;
    }
    return slice_from(path, i);
}

static void pass_on(struct api_call *call, bool resource)
{
    const struct api_source_alias *alias;
    const struct grafana_source *s = find(call->api->host, call->args[0], &alias);
    size_t before = 5; /* /api/datasources/uid/U/resources, .../proxy/uid/U */
    struct buf path = {0};
    if (!s) {
        struct slice msg = SLICE("{\"message\":\"Data source not found\"}");
        api__respond_json(call->req, 404, msg);
        return;
    }
    if (resource)
        buf_append_cstr(&path, s->below);
    buf_append_slice(&path, rest_of(call->path, before));
    if (!path.len || path.ptr[0] != '/')
        buf_append_char(&path, '/');
    api__dispatch_door(call->api, api__door(slice_cstr(s->door)),
                       arena_slice(net_request_arena(call->req), buf_slice(&path)), call->req);
    buf_deinit(&path);
}

void grafana__source_proxy(struct api_call *call)
{
    pass_on(call, false);
}

void grafana__source_resource(struct api_call *call)
{
    pass_on(call, true);
}

GRAFANA_HANDLER(source_list)
GRAFANA_HANDLER(source_get)
GRAFANA_HANDLER(source_id)
GRAFANA_HANDLER(source_health)
GRAFANA_HANDLER(source_fixed)
