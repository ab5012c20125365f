#include "server/doors.h"

#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/url.h"
#include "server/config.h"

#define MAIN_PORT_TRIES 10

/* clang-format off */
const struct server_door server_doors[SERVER_DOOR_COUNT] = {
    [SERVER_DOOR_MAIN] = {"main", 3000, "", "the web UI, Pharos' own API, every HTTP door under its prefix", true, NULL},
    [SERVER_DOOR_PROMETHEUS] = {"prometheus", 9090, "/prometheus", "query API, remote write and read, federation, Pushgateway paths", true, &api_door_prometheus},
    [SERVER_DOOR_ALERTMANAGER] = {"alertmanager", 9093, "/alertmanager", "Alertmanager API v2", false, NULL},
    [SERVER_DOOR_LOKI] = {"loki", 3100, "/loki", "push, query, tail", true, &api_door_loki},
    [SERVER_DOOR_TEMPO] = {"tempo", 3200, "/tempo", "search, trace by id, TraceQL", true, &api_door_tempo},
    [SERVER_DOOR_OTLP] = {"otlp", 4318, "/otlp", "traces, metrics, logs over HTTP", true, &api_door_otlp},
    [SERVER_DOOR_OTLP_GRPC] = {"otlp_grpc", 4317, NULL, "the same over gRPC", true, &api_door_otlp},
    [SERVER_DOOR_JAEGER] = {"jaeger", 16686, "/jaeger", "query API, and spans as its collector takes them", true, &api_door_jaeger},
    [SERVER_DOOR_JAEGER_GRPC] = {"jaeger_grpc", 16685, NULL, "query API over gRPC", true, &api_door_jaeger},
    [SERVER_DOOR_JAEGER_COLLECTOR] = {"jaeger_collector", 14268, NULL, "spans in Thrift over HTTP", true, &api_door_jaeger},
    [SERVER_DOOR_JAEGER_COLLECTOR_GRPC] = {"jaeger_collector_grpc", 14250, NULL, "spans over gRPC", true, &api_door_jaeger},
    [SERVER_DOOR_JAEGER_COMPACT] = {"jaeger_compact", 6831, NULL, "spans for its agent, compact Thrift over UDP", true, NULL, true},
    [SERVER_DOOR_JAEGER_BINARY] = {"jaeger_binary", 6832, NULL, "the same, binary Thrift", true, NULL, true},
    [SERVER_DOOR_ZIPKIN] = {"zipkin", 9411, "/zipkin", "collector and query API", true, &api_door_zipkin},
    [SERVER_DOOR_INFLUXDB] = {"influxdb", 8086, "/influxdb", "line protocol, InfluxQL, Flux", false, NULL},
    [SERVER_DOOR_STATSD] = {"statsd", 8125, NULL, "StatsD and its tag dialects, UDP and TCP", true, NULL, true},
    [SERVER_DOOR_GRAPHITE] = {"graphite", 2003, NULL, "carbon's lines, over TCP and UDP", true, NULL, true},
    [SERVER_DOOR_GRAPHITE_PICKLE] = {"graphite_pickle", 2004, NULL, "carbon's pickles", true, NULL, true},
    [SERVER_DOOR_GRAPHITE_PROTOBUF] = {"graphite_protobuf", 2005, NULL, "carbon's protobuf", true, NULL, true},
    [SERVER_DOOR_GRAPHITE_HTTP] = {"graphite_http", 8080, "/graphite", "render, find, tags, events", true, &api_door_graphite},
    [SERVER_DOOR_ELASTIC] = {"elastic", 9200, "/elastic", "bulk and what Beats, Logstash and clients ask on connecting", true, &api_door_elastic},
    [SERVER_DOOR_SYSLOG] = {"syslog", 1514, NULL, "RFC 5424 and RFC 3164, UDP and TCP", true, NULL, true},
    [SERVER_DOOR_GELF] = {"gelf", 12201, NULL, "GELF, UDP and TCP", true, NULL, true},
    [SERVER_DOOR_FORWARD] = {"forward", 24224, NULL, "Fluentd's forward protocol", true, NULL, true},
    [SERVER_DOOR_LUMBERJACK] = {"lumberjack", 5044, NULL, "Lumberjack, as Beats speak it to Logstash", true, NULL, true},
};
/* clang-format on */

struct open_door {
    enum api_door_state state;
    char listen[300], detail[400];
    struct api_mount mount;
    struct net_http_server *server;
    bool tls;
};

struct server_doors {
    struct open_door doors[SERVER_DOOR_COUNT];
};

static bool is_off(const char *listen)
{
    return !listen[0] || strcmp(listen, "off") == 0;
}

/* The admin port deletes what it is told to, for anybody who reaches it. */
static int check_statsd_admin(const struct server_config *config, struct diag *diag)
{
    const char *listen = config->statsd.admin_listen;
    char host[256];
    uint16_t port;
    if (!server_doors_wants(config, SERVER_DOOR_STATSD) || is_off(listen))
        return 0;
    if (net_address_parse(slice_cstr(listen), host, sizeof(host), &port, diag)) {
        diag_wrap(diag, "statsd.admin.listen");
        return ERR_INVALID;
    }
    if (!net_address_is_loopback(host) && !config->doors[SERVER_DOOR_STATSD].insecure)
        return diag_set(diag, ERR_DENIED,
                        "statsd.admin.listen: %s can be reached from other machines, and its "
                        "protocol knows no passwords: set doors.statsd.insecure to true if that "
                        "is meant",
                        listen);
    return 0;
}

int server_doors_check(const struct server_config *config, bool has_auth, struct diag *diag)
{
    for (int id = 0; id < SERVER_DOOR_COUNT; id++) {
        const struct server_door_config *d = &config->doors[id];
        char host[256];
        uint16_t port;
        if (!server_doors[id].built || is_off(d->listen) || (has_auth && !server_doors[id].raw) ||
            d->insecure || (id != SERVER_DOOR_MAIN && config->doors_all == 1))
            continue;
        if (net_address_parse(slice_cstr(d->listen), host, sizeof(host), &port, diag))
            return ERR_INVALID;
        if (!net_address_is_loopback(host) && server_doors[id].raw)
            return diag_set(diag, ERR_DENIED,
                            "doors.%s.listen: %s can be reached from other machines, and its "
                            "protocol knows no passwords: set doors.%s.insecure to true if that "
                            "is meant",
                            server_doors[id].name, d->listen, server_doors[id].name);
        if (!net_address_is_loopback(host)) {
            const char *section = id == SERVER_DOOR_MAIN ? "" : "doors.";
            return diag_set(diag, ERR_DENIED,
                            "%s%s.listen: %s can be reached from other machines: configure "
                            "auth.users or auth.tokens, or set %s%s.insecure to true",
                            section, server_doors[id].name, d->listen, section,
                            server_doors[id].name);
        }
    }
    return check_statsd_admin(config, diag);
}

static int open_at(struct net_loops *loops, const struct server_config *config, int id,
                   struct open_door *door, const char *listen, struct diag *diag)
{
    const struct server_door_config *d = &config->doors[id];
    struct net_tls_config tls = {d->tls_cert_file, d->tls_key_file,
                                 d->tls_client_ca_file[0] ? d->tls_client_ca_file : NULL};
    struct net_http_config http = {
        .name = server_doors[id].name,
        .listen = listen,
        .limits = {.header_bytes_max = (size_t)config->http_header_bytes,
                   .body_bytes_max = (size_t)config->http_body_bytes,
                   .inflated_bytes_max = (size_t)config->http_inflated_bytes,
                   .body_memory_max = (size_t)config->http_body_memory,
                   .connections_max = (size_t)config->http_connections,
                   .streams_max = (size_t)config->http_streams,
                   .idle_timeout_ns = config->http_idle_timeout_ns},
        .tls = d->tls_cert_file[0] ? &tls : NULL,
        .handler = api_handle,
        .ctx = &door->mount,
    };
    door->tls = http.tls != NULL;
    return net_http_server_start(loops, &http, &door->server, diag);
}

static void set_listen(struct open_door *door, const char *host, uint16_t port)
{
    bool v6 = strchr(host, ':') != NULL;
    snprintf(door->listen, sizeof(door->listen), v6 ? "[%s]:%u" : "%s:%u",
             host[0] ? host : "0.0.0.0", port);
}

static int open_door(struct net_loops *loops, struct api *api, const struct server_config *config,
                     int id, struct open_door *door, struct diag *diag)
{
    const struct server_door *row = &server_doors[id];
    const char *listen = config->doors[id].listen;
    char host[256];
    uint16_t port;
    struct diag why;
    door->mount.api = api;
    door->mount.door = row->routes;
    door->mount.insecure = config->doors[id].insecure;
    snprintf(door->listen, sizeof(door->listen), "%s", is_off(listen) ? "" : listen);
    if (!row->built || is_off(listen) || (id != SERVER_DOOR_MAIN && config->doors_all == 1)) {
        door->state = API_DOOR_OFF;
        snprintf(door->detail, sizeof(door->detail), "%s",
                 !row->built         ? "not built yet"
                 : config->doors_all ? "doors.all is off"
                                     : "off in the configuration");
        if (!row->built)
            door->listen[0] = 0;
        return 0;
    }
    int err = net_address_parse(slice_cstr(listen), host, sizeof(host), &port, diag);
    if (err)
        return err;
    if (row->raw) {
        door->state = API_DOOR_OFF;
        snprintf(door->detail, sizeof(door->detail), "starting");
        return 0;
    }
    diag_init(&why);
    err = open_at(loops, config, id, door, listen, &why);
    for (int i = 1; err == ERR_EXISTS && id == SERVER_DOOR_MAIN && !config->main_listen_set &&
                    i <= MAIN_PORT_TRIES;
         i++) {
        char next[300];
        struct diag ignored;
        diag_init(&ignored);
        snprintf(next, sizeof(next), "%s:%u", host, port + i);
        err = open_at(loops, config, id, door, next, &ignored);
        if (!err)
            snprintf(door->detail, sizeof(door->detail), "%s; took the next free port", why.msg);
    }
    if (err) {
        door->state = API_DOOR_FAILED;
        snprintf(door->detail, sizeof(door->detail), "%s", why.msg);
        if (id != SERVER_DOOR_MAIN)
            return 0;
        diag_set(diag, err, "main.listen: %s; choose another with --set main.listen=127.0.0.1:PORT",
                 why.msg);
        return err;
    }
    door->state = API_DOOR_OPEN;
    set_listen(door, host, net_http_server_port(door->server));
    return 0;
}

int server_doors_open(struct net_loops *loops, struct api *api, const struct server_config *config,
                      struct server_doors **out, struct diag *diag)
{
    struct server_doors *doors = mem_calloc(1, sizeof(*doors));
    int err = 0;
    *out = NULL;
    for (int id = 0; id < SERVER_DOOR_COUNT && !err; id++) {
        struct open_door *door = &doors->doors[id];
        err = open_door(loops, api, config, id, door, diag);
        if (!err && door->detail[0] && door->state != API_DOOR_OFF)
            LOG_WARN("server", door->state == API_DOOR_FAILED ? "door stays closed" : "door moved",
                     LOG_STR("door", server_doors[id].name), LOG_STR("listen", door->listen),
                     LOG_STR("why", door->detail));
    }
    if (err) {
        server_doors_close(doors, 0);
        return err;
    }
    *out = doors;
    return 0;
}

void server_doors_reload(struct server_doors *doors, const struct server_config *config)
{
    for (int id = 0; id < SERVER_DOOR_COUNT; id++) {
        struct open_door *door = &doors->doors[id];
        struct diag diag;
        if (!door->server)
            continue;
        diag_init(&diag);
        door->mount.insecure = config->doors[id].insecure;
        if (door->tls && net_http_server_reload_tls(door->server, &diag))
            LOG_ERROR("server", "certificates not reloaded, the old ones stay in use",
                      LOG_STR("door", server_doors[id].name), LOG_STR("error", diag.msg));
    }
}

static int64_t monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

void server_doors_close(struct server_doors *doors, int64_t drain_ns)
{
    if (!doors)
        return;
    int64_t end_ns = monotonic_ns() + drain_ns; /* for all of them */
    for (int id = 0; id < SERVER_DOOR_COUNT; id++)
        net_http_server_stop(doors->doors[id].server, MAX(end_ns - monotonic_ns(), 0));
    mem_free(doors);
}

void server_doors_each(struct server_doors *doors,
                       void (*each)(void *arg, const struct api_door_status *d), void *arg)
{
    for (int id = 0; id < SERVER_DOOR_COUNT; id++) {
        const struct open_door *door = &doors->doors[id];
        struct api_door_status s = {.name = server_doors[id].name,
                                    .listen = door->listen,
                                    .detail = door->detail,
                                    .prefix = server_doors[id].prefix,
                                    .speaks = server_doors[id].speaks,
                                    .state = door->state};
        each(arg, &s);
    }
}

void server_doors_set(struct server_doors *doors, enum server_door_id id, enum api_door_state state,
                      const char *listen, const char *detail)
{
    struct open_door *door = &doors->doors[id];
    snprintf(door->listen, sizeof(door->listen), "%s", listen);
    snprintf(door->detail, sizeof(door->detail), "%s", detail);
    door->state = state;
    if (state == API_DOOR_FAILED)
        LOG_WARN("server", "door stays closed", LOG_STR("door", server_doors[id].name),
                 LOG_STR("listen", door->listen), LOG_STR("why", door->detail));
}

void server_doors_opened(struct server_doors *doors, enum server_door_id id, const char *listen,
                         uint16_t port)
{
    char address[300];
    const char *colon = strrchr(listen, ':');
    snprintf(address, sizeof(address), "%.*s:%u", (int)(colon - listen), listen, port);
    server_doors_set(doors, id, API_DOOR_OPEN, address, "");
}

bool server_doors_wants(const struct server_config *config, enum server_door_id id)
{
    return server_doors[id].built && !is_off(config->doors[id].listen) &&
           (id == SERVER_DOOR_MAIN || config->doors_all != 1);
}

uint16_t server_doors_main_port(const struct server_doors *doors)
{
    return net_http_server_port(doors->doors[SERVER_DOOR_MAIN].server);
}

const char *server_doors_address(const struct server_doors *doors, enum server_door_id id)
{
    return doors->doors[id].state == API_DOOR_OPEN ? doors->doors[id].listen : NULL;
}

bool server_doors_is_tls(const struct server_doors *doors, enum server_door_id id)
{
    return doors->doors[id].tls;
}
