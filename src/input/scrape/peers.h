/* Servers that something is sent to, as Prometheus' configuration describes Alertmanagers: how to
 * reach them, and where they are: static lists and files, relabelled.
 * Specification:
 * prometheus.io/docs/prometheus/latest/configuration/configuration/#alertmanager_config. One thread
 * at a time. */
#ifndef INPUT_SCRAPE_PEERS_H
#define INPUT_SCRAPE_PEERS_H

#include "net/http_client.h"
#include "os/os.h"
#include "pipe/relabel.h"
#include "text/yaml.h"

struct input_peers;

struct input_peers_source {
    const struct text_yaml *map; /* one entry of alertmanagers */
    const char *base_dir;        /* of relative paths; NULL = the working directory */
    bool ignore_unsupported;     /* leaves out what is not built instead of refusing it */
};

/* ERR_INVALID with line and column. The node is not needed afterwards. */
int input_peers_new(const struct input_peers_source *source, struct input_peers **out,
                    struct diag *diag);
void input_peers_free(struct input_peers *p); /* NULL is fine */
/* Rules for what is sent to these servers only (alert_relabel_configs of the entry). */
const struct pipe_relabel *input_peers_payload_relabel(const struct input_peers *p);
int64_t input_peers_timeout_ns(const struct input_peers *p);

struct input_peers_view {
    struct slice *urls; /* with the path to post to; none twice */
    size_t url_count;
    struct slice *dropped; /* what relabelling left out */
    size_t dropped_count;
};
/* Where they are now, reading the files anew; while one of them is bad the old content stays. All
 * of *out is in `arena`. */
void input_peers_look(struct input_peers *p, struct os *os, struct arena *arena,
                      struct input_peers_view *out);
/* Fills credentials, certificates and headers into a request; all of it in `arena`. */
int input_peers_request(const struct input_peers *p, struct os *os, struct arena *arena,
                        struct net_client_request *req, struct diag *diag);

#endif
