/* Mounts, dispatch, authentication, and the life of the api object. */
#include "api/api.h"

#include <stdio.h>

#include "api/auth.h"
#include "api/elastic/door_priv.h"
#include "api/grafana/routes.h"
#include "api/grpc_rest.h"
#include "api/job.h"
#include "api/loki/door_priv.h"
#include "api/otlp/export.h"
#include "api/prometheus/write.h"
#include "base/counter.h"
#include "base/mem.h"
#include "lang/graphite/graphite.h"

struct api *api_new(const struct api_config *config)
{
    struct api *api = mem_calloc(1, sizeof(*api));
    api->source = config->source;
    api->spans = config->spans;
    api->logs = config->logs;
    api->sink = config->sink;
    api->pool = config->pool;
    api->catalog = config->catalog;
    api->host = config->host;
    api->limits = config->limits;
    api->waiting_end = &api->waiting;
    api->cache = query_cache_new((size_t)config->limits.query_cache_bytes);
    api->graphite = graphite_index_new();
    pthread_mutex_init(&api->lock, NULL);
    budget_init(&api->queries_memory, NULL, config->limits.queries_memory_bytes,
                "limits.query.memory_total");
    api__job_init();
    api__write_init(api);
    api__otlp_init(api, &config->limits);
    loki__init(api);
    elastic__init(api);
    return api;
}

void api_free(struct api *api)
{
    if (!api)
        return;
    api_auth_free(api->auth);
    query_cache_free(api->cache);
    graphite_index_free(api->graphite);
    graphite_schemas_unref(api->graphite_schemas);
    api__write_free(api);
    api__otlp_free(api);
    loki__free(api);
    elastic__free(api);
    pthread_mutex_destroy(&api->lock);
    mem_free(api);
}

struct api_limits api__limits(struct api *api)
{
    pthread_mutex_lock(&api->lock);
    struct api_limits l = api->limits;
    pthread_mutex_unlock(&api->lock);
    return l;
}

void api_set_limits(struct api *api, const struct api_limits *limits)
{
    pthread_mutex_lock(&api->lock);
    api->limits = *limits;
    pthread_mutex_unlock(&api->lock);
    query_cache_resize(api->cache, (size_t)limits->query_cache_bytes);
}

void api_set_auth(struct api *api, struct api_auth *auth)
{
    pthread_mutex_lock(&api->lock);
    struct api_auth *old = api->auth;
    api->auth = auth;
    pthread_mutex_unlock(&api->lock);
    api_auth_free(old);
}

int64_t api_queries_running(struct api *api)
{
    pthread_mutex_lock(&api->lock);
    int64_t n = api->running;
    pthread_mutex_unlock(&api->lock);
    return n;
}

struct budget *api_queries_budget(struct api *api)
{
    return &api->queries_memory;
}

int64_t api_queries_memory(struct api *api)
{
    return atomic_load(&api->queries_memory.used);
}

int64_t api_query_cache_bytes(struct api *api)
{
    return (int64_t)query_cache_bytes(api->cache);
}

void api_set_ready(struct api *api, bool ready)
{
    api->ready = ready;
}

void api_cancel_all(struct api *api)
{
    api->stopping = true;
    pthread_mutex_lock(&api->lock);
    for (struct api_job *job = api->jobs; job; job = job->next)
        job->cancelled = true;
    pthread_mutex_unlock(&api->lock);
    loki__tails_stop(api);
}

bool api__tenant_is_good(struct slice id)
{
    bool good = id.len <= 150;
    for (size_t i = 0; i < id.len && good; i++) {
        char c = id.ptr[i];
        good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               (c && strchr("!-_.*'()", c));
    }
    return good && !slice_eq_cstr(id, ".") && !slice_eq_cstr(id, "..");
}

bool api__tenant_read(struct net_request *req, struct slice *out)
{
    struct slice id = net_request_header(req, "x-scope-orgid");
    *out = id.len ? id : SLICE(API__DEFAULT_TENANT);
    return api__tenant_is_good(id);
}

struct slice api__tenant(struct net_request *req)
{
    struct slice tenant;
    if (api__tenant_read(req, &tenant))
        return tenant;
    api__respond_error(req, API_BAD_DATA, "%s", API__TENANT_RULE);
    return (struct slice){NULL, 0};
}

/* --- dispatch --- */

/* Doors that are planned; their paths are no pages of the UI. */
static const char *const planned_prefixes[] = {"alertmanager", "influxdb", "statsd"};

static void set_cors(struct net_request *req)
{
    if (!net_request_header(req, "origin").ptr)
        return;
    net_response_header(req, "Access-Control-Allow-Headers",
                        SLICE("Accept, Authorization, Content-Type, Origin"));
    net_response_header(req, "Access-Control-Allow-Methods", SLICE("GET, POST, OPTIONS"));
    net_response_header(req, "Access-Control-Allow-Origin", SLICE("*"));
    net_response_header(req, "Access-Control-Expose-Headers", SLICE("Date"));
}

static void respond_no_method(const struct api_door *door, struct net_request *req,
                              unsigned allowed)
{
    struct buf allow = {0}, msg = {0}, out = {0};
    api_route_allow(allowed, &allow);
    net_response_header(req, "Allow", buf_slice(&allow));
    buf_printf(&msg, "%.*s is not allowed here; allowed: %.*s",
               SLICE_FMT(net_request_method_name(req)), SLICE_FMT(buf_slice(&allow)));
    if (door && door->refuse) {
        door->refuse(req, 405, buf_cstr(&msg));
    } else {
        api__error_json(API_BAD_DATA, buf_slice(&msg), &out);
        api__respond_json(req, 405, buf_slice(&out));
    }
    buf_deinit(&allow);
    buf_deinit(&msg);
    buf_deinit(&out);
}

/* True when it answered or handed the request on. `path` is below the mount point. */
static bool dispatch(struct api *api, const struct api_door *door, const struct api_route *routes,
                     size_t count, struct slice path, struct net_request *req)
{
    struct api_call *call = ARENA_NEW(net_request_arena(req), struct api_call);
    const struct api_route *route;
    unsigned allowed;
    call->api = api;
    call->door = door;
    call->req = req;
    call->path = path;
    switch (api_route_match(routes, count, net_request_method(req), call, net_request_arena(req),
                            &route, &allowed)) {
    case API_MATCH_NO_PATH: return false;
    case API_MATCH_BAD_PATH:
        api__respond_error(req, API_BAD_DATA, "the path %.*s is not properly percent-encoded",
                           SLICE_FMT(path));
        return true;
    case API_MATCH_NO_METHOD:
        if (net_request_method(req) != NET_OPTIONS) {
            respond_no_method(door, req, allowed);
            return true;
        }
        struct buf allow = {0};
        api_route_allow(allowed, &allow);
        net_response_header(req, "Allow", buf_slice(&allow));
        buf_deinit(&allow);
        net_respond(req, 204, NULL, SLICE(""));
        return true;
    case API_MATCH_OK: break;
    }
    if (!api->ready && !route->early && slice_starts_with(path, SLICE("/api/"))) {
        net_response_header(req, "Retry-After", SLICE("1"));
        if (api->stopping)
            net_response_header(req, "X-Prometheus-Stopping", SLICE("true"));
        net_respond_text(req, 503, "Service Unavailable");
        return true;
    }
    route->handler(call);
    return true;
}

static bool is_door_prefix(struct slice path, const char *name)
{
    size_t n = strlen(name);
    return path.len > n && path.ptr[0] == '/' && memcmp(path.ptr + 1, name, n) == 0 &&
           (path.len == n + 1 || path.ptr[n + 1] == '/');
}

void api__dispatch_door(struct api *api, const struct api_door *door, struct slice path,
                        struct net_request *req)
{
    if (door->cors && slice_starts_with(path, SLICE("/api/")))
        set_cors(req);
    if (door->prepare)
        door->prepare(api, req);
    if (dispatch(api, door, door->routes, door->route_count, path, req))
        return;
    if (net_request_method(req) == NET_OPTIONS)
        net_respond(req, 204, NULL, SLICE(""));
    else if (slice_eq_cstr(path, "/") || !path.len)
        net_respond_text(req, 200,
                         "This is Pharos' %s door. The web UI is on the main door "
                         "(http://127.0.0.1:3000 unless configured otherwise).\n",
                         door->name);
    else if (door->refuse)
        door->refuse(req, 404, "this door has no such path");
    else
        api__respond_error(req, API_NOT_FOUND, "the %s door has no path %.*s", door->name,
                           SLICE_FMT(path));
}

static const struct api_door *const doors[] = {
    &api_door_prometheus, &api_door_otlp,  &api_door_loki,   &api_door_graphite,
    &api_door_elastic,    &api_door_tempo, &api_door_jaeger, &api_door_zipkin};

const struct api_door *api__door(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(doors); i++) {
        if (slice_eq_cstr(name, doors[i]->name))
            return doors[i];
    }
    return NULL;
}

/* The host and port of an origin or of a Host header, without a scheme. */
static struct slice authority(struct slice s)
{
    ptrdiff_t at = slice_find(s, SLICE("://"));
    return at < 0 ? s : slice_from(s, (size_t)at + 3);
}

bool api__is_cross_site(struct net_request *req)
{
    struct slice site = net_request_header(req, "sec-fetch-site");
    struct slice origin = net_request_header(req, "origin");
    if (site.ptr)
        return !slice_eq_nocase(site, SLICE("same-origin")) &&
               !slice_eq_nocase(site, SLICE("none"));
    return origin.ptr && !slice_eq_nocase(authority(origin), net_request_header(req, "host"));
}

/* What only reads is for the browser to guard: it shows no answer to the other site. */
static bool is_forged(struct net_request *req)
{
    enum net_method m = net_request_method(req);
    return m != NET_GET && m != NET_HEAD && m != NET_OPTIONS && api__is_cross_site(req);
}

static void handle_main(struct api_mount *mount, struct net_request *req)
{
    struct api *api = mount->api;
    struct slice path = net_request_path(req);
    for (size_t i = 0; i < ARRAY_LEN(doors); i++) {
        if (is_door_prefix(path, doors[i]->name)) {
            struct slice below = slice_from(path, strlen(doors[i]->name) + 1);
            if (doors[i]->paths_say_name && slice_starts_with(below, SLICE("/api/v1/")))
                below = path;
            api__dispatch_door(api, doors[i], below, req);
            return;
        }
    }
    if (is_forged(req)) {
        api__respond_json(req, 403,
                          SLICE("{\"message\":\"a page of another site may not send this "
                                "(Origin or Sec-Fetch-Site)\"}"));
        return;
    }
    if (dispatch(api, NULL, api__pharos_routes, api__pharos_route_count, path, req) ||
        dispatch(api, NULL, grafana__routes, grafana__route_count, path, req))
        return;
    for (size_t i = 0; i < ARRAY_LEN(planned_prefixes); i++) {
        if (is_door_prefix(path, planned_prefixes[i])) {
            api__respond_error(req, API_NOT_FOUND, "the %s door is not built yet",
                               planned_prefixes[i]);
            return;
        }
    }
    if (slice_starts_with(path, SLICE("/api/")) || slice_starts_with(path, SLICE("/apis/")) ||
        slice_starts_with(path, SLICE("/-/"))) {
        api__respond_error(req, API_NOT_FOUND, "the main door has no path %.*s", SLICE_FMT(path));
        return;
    }
    struct api_call call = {.api = mount->api, .req = req, .path = path};
    api__ui(&call);
}

const struct api__grpc_rest *api__grpc_rest_find(struct slice path, const struct api_door **out)
{
    for (size_t i = 0; i < ARRAY_LEN(doors); i++) {
        for (size_t k = 0; k < doors[i]->rest_count; k++) {
            *out = doors[i];
            if (slice_eq_cstr(path, doors[i]->rest[k].path))
                return &doors[i]->rest[k];
        }
    }
    return NULL;
}

/* Paths of gRPC have no prefix: the main door has every door's methods. */
static const struct api_door *grpc_door(const struct api_mount *mount, struct slice path)
{
    if (mount->door)
        return mount->door;
    for (size_t i = 0; i < ARRAY_LEN(doors); i++) {
        for (size_t k = 0; k < doors[i]->grpc_count; k++) {
            if (slice_eq_cstr(path, doors[i]->grpc[k].path))
                return doors[i];
        }
    }
    return &api_door_otlp;
}

static void handle_grpc(struct api_mount *mount, struct net_request *req)
{
    const struct api_door *door = grpc_door(mount, net_request_path(req));
    if (mount->api->ready) {
        net_grpc_serve(req, door->grpc, door->grpc_count, mount);
        return;
    }
    net_response_header(req, "Retry-After", SLICE("1"));
    net_respond_text(req, 503, "Pharos is not ready yet");
}

static void handle_allowed(struct api_mount *mount, struct net_request *req)
{
    if (net_grpc_is(req))
        handle_grpc(mount, req);
    else if (mount->door)
        api__dispatch_door(mount->api, mount->door, net_request_path(req), req);
    else
        handle_main(mount, req);
}

void api__login(struct api_call *call, char *out, size_t out_size)
{
    struct api *api = call->api;
    pthread_mutex_lock(&api->lock);
    struct api_auth *auth = api_auth_hold(api->auth);
    pthread_mutex_unlock(&api->lock);
    struct slice header = net_request_header(call->req, "authorization");
    if (!auth || !header.ptr || !api_auth_name(auth, header, out, out_size))
        snprintf(out, out_size, "admin");
    api_auth_free(auth);
}

static void respond_denied(const struct api_mount *mount, struct net_request *req)
{
    static const char why[] = "Unauthorized: a user or a bearer token of the settings auth.users "
                              "and auth.tokens is needed";
    net_response_header(req, "WWW-Authenticate",
                        SLICE("Basic realm=\"pharos\", charset=\"UTF-8\""));
    if (mount->door && mount->door->refuse)
        mount->door->refuse(req, 401, why);
    else
        net_respond_text(req, 401, "%s\n", why);
}

/* A password on its way through the slow hash. */
struct auth_wait {
    struct api_mount *mount;
    struct net_request *req;
    struct net_loop *loop;
    struct api_auth *auth;
    struct slice header;
    enum api_auth_result result;
};

static void auth_done(void *ctx)
{
    struct auth_wait *w = ctx;
    api_auth_free(w->auth);
    if (w->result == API_AUTH_OK)
        handle_allowed(w->mount, w->req);
    else
        respond_denied(w->mount, w->req);
    mem_free(w);
}

static void auth_work(void *ctx)
{
    struct auth_wait *w = ctx;
    w->result = api_auth_check(w->auth, w->header, true);
    net_loop_post(w->loop, auth_done, w);
}

/* Load balancers ask these without credentials. */
static bool is_open_path(struct slice path)
{
    return slice_eq_cstr(path, "/-/healthy") || slice_eq_cstr(path, "/-/ready") ||
           slice_eq_cstr(path, "/grpc.health.v1.Health/Check") ||
           /* Public dashboards: the token in the path is what lets in. The page and its files hold
            * nothing that is not in every copy of this program. */
           slice_starts_with(path, SLICE("/api/public/dashboards/")) ||
           slice_starts_with(path, SLICE("/public-dashboards/")) ||
           slice_starts_with(path, SLICE("/assets/")) || slice_eq_cstr(path, "/favicon.svg");
}

/* Browsers ask without credentials what they may send; the answer is headers only. */
static bool is_preflight(struct net_request *req)
{
    return net_request_method(req) == NET_OPTIONS && net_request_header(req, "origin").ptr &&
           net_request_header(req, "access-control-request-method").ptr;
}

void api_handle(struct net_request *req, void *ctx)
{
    struct api_mount *mount = ctx;
    struct api *api = mount->api;
    pthread_mutex_lock(&api->lock);
    struct api_auth *auth = api_auth_hold(api->auth);
    pthread_mutex_unlock(&api->lock);
    if (!auth || mount->insecure || is_open_path(net_request_path(req)) || is_preflight(req)) {
        api_auth_free(auth);
        handle_allowed(mount, req);
        return;
    }
    struct slice header = net_request_header(req, "authorization");
    enum api_auth_result r = api_auth_check(auth, header, false);
    if (r == API_AUTH_SLOW) {
        struct auth_wait *w = mem_calloc(1, sizeof(*w));
        *w = (struct auth_wait){.mount = mount,
                                .req = req,
                                .loop = net_request_loop(req),
                                .auth = auth,
                                .header = header};
        api->pool->submit(api->pool, TASK_INTERACTIVE, auth_work, w);
        return;
    }
    api_auth_free(auth);
    if (r == API_AUTH_OK)
        handle_allowed(mount, req);
    else
        respond_denied(mount, req);
}
