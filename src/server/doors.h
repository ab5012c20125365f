/* The doors: one row each. Only rows that are built can be opened; the others are known by name, so
 * that a configuration may already mention them. */
#ifndef SERVER_DOORS_H
#define SERVER_DOORS_H

#include "api/api.h"
#include "base/types.h"

enum server_door_id {
    SERVER_DOOR_MAIN,
    SERVER_DOOR_PROMETHEUS,
    SERVER_DOOR_ALERTMANAGER,
    SERVER_DOOR_LOKI,
    SERVER_DOOR_TEMPO,
    SERVER_DOOR_OTLP,
    SERVER_DOOR_OTLP_GRPC,
    SERVER_DOOR_JAEGER,
    SERVER_DOOR_JAEGER_GRPC,
    SERVER_DOOR_JAEGER_COLLECTOR,
    SERVER_DOOR_JAEGER_COLLECTOR_GRPC,
    SERVER_DOOR_JAEGER_COMPACT,
    SERVER_DOOR_JAEGER_BINARY,
    SERVER_DOOR_ZIPKIN,
    SERVER_DOOR_INFLUXDB,
    SERVER_DOOR_STATSD,
    SERVER_DOOR_GRAPHITE,
    SERVER_DOOR_GRAPHITE_PICKLE,
    SERVER_DOOR_GRAPHITE_PROTOBUF,
    SERVER_DOOR_GRAPHITE_HTTP,
    SERVER_DOOR_ELASTIC,
    SERVER_DOOR_SYSLOG,
    SERVER_DOOR_GELF,
    SERVER_DOOR_FORWARD,
    SERVER_DOOR_LUMBERJACK,
    SERVER_DOOR_COUNT
};

struct server_door {
    const char *name;
    uint16_t port;      /* its standard one */
    const char *prefix; /* on the main door; NULL = not HTTP */
    const char *speaks;
    bool built;
    const struct api_door *routes; /* NULL: the main door, a raw one, or not built */
    bool raw; /* no HTTP: an input listens, and tells what became of it (server_doors_set) */
};

extern const struct server_door server_doors[SERVER_DOOR_COUNT];

struct server_config;
struct server_doors;

/* Opens every door that the configuration wants. A port in use is no error but a warning and a
 * `failed` state; only the main door must open: when its port was not chosen by the user, the next
 * free one of ten is taken. `mounts` lie in the result. */
int server_doors_open(struct net_loops *loops, struct api *api, const struct server_config *config,
                      struct server_doors **out, struct diag *diag);
/* Takes over what a reload may change: certificates, `insecure`. Words of what failed go to the
 * log. */
void server_doors_reload(struct server_doors *doors, const struct server_config *config);
/* Drains and frees. */
void server_doors_close(struct server_doors *doors, int64_t drain_ns);
void server_doors_each(struct server_doors *doors,
                       void (*each)(void *arg, const struct api_door_status *d), void *arg);
/* What became of a raw door. `listen` and `detail` are copied. */
void server_doors_set(struct server_doors *doors, enum server_door_id id, enum api_door_state state,
                      const char *listen, const char *detail);
/* A raw door is open: the host of `listen` and the port it got. */
void server_doors_opened(struct server_doors *doors, enum server_door_id id, const char *listen,
                         uint16_t port);
/* The configuration wants this door open. */
bool server_doors_wants(const struct server_config *config, enum server_door_id id);
uint16_t server_doors_main_port(const struct server_doors *doors);
/* "127.0.0.1:3000" of a door that is open, or NULL. */
const char *server_doors_address(const struct server_doors *doors, enum server_door_id id);
bool server_doors_is_tls(const struct server_doors *doors, enum server_door_id id);

/* ERR_DENIED when a door would be reachable from other machines without authentication. */
int server_doors_check(const struct server_config *config, bool has_auth, struct diag *diag);

#endif
