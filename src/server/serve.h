/* The running server: everything in order of its life. */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include <pthread.h>

#include "api/api.h"
#include "net/loop.h"
#include "os/os.h"
#include "server/config.h"
#include "server/inputs.h"
#include "server/provision.h"
#include "server/rules.h"
#include "server/sink.h"
#include "server/span_metrics.h"
#include "server/telemetry.h"
#include "store/catalog.h"
#include "store/store.h"

struct server {
    struct server_config_source source;
    struct os *os;
    struct task_pool *pool;
    struct net_loops *loops;
    struct store *store;
    struct store_catalog *catalog; /* NULL: could not be opened */
    struct output_set *outputs;
    struct server_sink sink;
    struct server_span_metrics *span_metrics; /* before the sink */
    struct server_sink statsd_sink; /* the store alone: outputs take StatsD's views by name */
    struct api *api;
    struct api_host host;
    struct server_doors *doors;
    struct server_inputs *inputs;
    struct server_rules *rules;
    struct server_rules_next *first_rules; /* while it starts */
    struct server_provision *provision;    /* NULL without a catalogue */
    struct server_telemetry *telemetry;
    pthread_mutex_t
        lock; /* of both below; held while they are read by others than the main thread */
    struct server_config *config;
    bool stopping; /* nothing is reloaded any more */
    char hostname[256], cwd[4096], instance[300], data_dir[4096], external_url[340], logs_url[340];
};

/* host.c: answers what the endpoints ask (api/api.h). */
void server_host_init(struct server *s);
void server_fill_catalog_limits(const struct server_config *c, struct store_catalog_config *out);
void server_fill_limits(const struct server_config *c, struct api_limits *out);
/* Reads the configuration again and applies what can be; the old one stays when it is bad. Any
 * thread but a loop's. */
int server_reload(struct server *s, struct diag *diag);

/* snapshot.c: store_snapshot with the catalogue and the rules given over HTTP. */
int server_snapshot(struct server *s, bool with_head, char *out_name, size_t out_size,
                    struct diag *diag);

/* banner.c: what a person sees at the start (a terminal), or log lines. */
void server_banner(struct server *s);

#endif
