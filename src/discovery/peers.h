/* Servers that something is sent to, as Prometheus' configuration describes Alertmanagers: how to
 * reach them, and where they are: static lists, files, HTTP answers and DNS records, relabelled.
 * Specification:
 * prometheus.io/docs/prometheus/latest/configuration/configuration/#alertmanager_config. One thread
 * at a time. */
#ifndef DISCOVERY_PEERS_H
#define DISCOVERY_PEERS_H

#include "net/http_client.h"
#include "net/loop.h"
#include "os/os.h"
#include "pipe/relabel.h"
#include "text/yaml.h"

struct discovery_peers;

struct discovery_peers_source {
    const struct text_yaml *map; /* one entry of alertmanagers */
    const char *base_dir;        /* of relative paths; NULL = the working directory */
    bool ignore_unsupported;     /* leaves out what is not built instead of refusing it */
};

/* ERR_INVALID with line and column. The node is not needed afterwards. */
int discovery_peers_new(const struct discovery_peers_source *source, struct discovery_peers **out,
                        struct diag *diag);
void discovery_peers_free(struct discovery_peers *p); /* NULL is fine */
/* Rules for what is sent to these servers only (alert_relabel_configs of the entry). */
const struct pipe_relabel *discovery_peers_payload_relabel(const struct discovery_peers *p);
int64_t discovery_peers_timeout_ns(const struct discovery_peers *p);

/* Begins to ask servers and DNS where they are; `changed` is called on the loop when that is
 * somewhere else. Without it they are where static lists and files say. On the loop's thread. */
void discovery_peers_start(struct discovery_peers *p, struct os *os, struct net_loop *loop,
                           struct net_client *client, void (*changed)(void *ctx), void *ctx);
/* The end of that, before the peers are freed. On the loop's thread. */
void discovery_peers_stop(struct discovery_peers *p);

struct discovery_peers_view {
    struct slice *urls; /* with the path to post to; none twice */
    size_t url_count;
    struct slice *dropped; /* what relabelling left out */
    size_t dropped_count;
};
/* Where they are now, reading the files anew; while one of them is bad the old content stays. All
 * of *out is in `arena`. */
void discovery_peers_look(struct discovery_peers *p, struct os *os, struct arena *arena,
                          struct discovery_peers_view *out);
/* How to reach them (discovery/client.h). */
const struct discovery_http *discovery_peers_http(const struct discovery_peers *p);

#endif
