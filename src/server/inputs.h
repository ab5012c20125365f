/* What collects by itself: this machine's metrics, and scraping. */
#ifndef SERVER_INPUTS_H
#define SERVER_INPUTS_H

#include "api/api.h"
#include "output/output.h"
#include "server/config.h"

struct server_inputs;

struct server_inputs_env {
    struct net_loops *loops;
    struct task_pool *pool;
    struct pipe_sink *sink, *statsd_sink;
    struct output_set *outputs; /* get StatsD's flushes too */
    struct server_doors *doors; /* told what became of raw doors */
    struct os *os;
    const char *hostname;
    const char *data_dir;
};

int server_inputs_start(const struct server_inputs_env *env, const struct server_config *config,
                        struct server_inputs **out, struct diag *diag);
/* Checks the scrape settings of a configuration without starting anything. */
int server_inputs_check(const struct server_config *config, struct diag *diag);
/* Takes over a new configuration; on error nothing changed. */
int server_inputs_reload(struct server_inputs *inputs, const struct server_config *config,
                         struct diag *diag);
void server_inputs_stop(struct server_inputs *inputs); /* NULL is fine */
void server_inputs_targets(struct server_inputs *inputs,
                           void (*each)(void *arg, const struct api_target *t), void *arg);
void server_inputs_pools(struct server_inputs *inputs,
                         void (*each)(void *arg, const struct api_pool *p), void *arg);
void server_inputs_target_metadata(struct server_inputs *inputs, struct slice metric,
                                   void (*each)(void *arg, const struct api_target_metadata *m),
                                   void *arg);
int server_inputs_relabel_rules(struct server_inputs *inputs, struct slice pool,
                                void (*each)(void *arg, const struct pipe_relabel_rule *rule),
                                void *arg);
int server_inputs_pool_yaml(struct server_inputs *inputs, struct slice pool, struct buf *out);
struct data_labels server_inputs_external_labels(struct server_inputs *inputs, struct arena *arena);

/* False: StatsD is not received. */
bool server_inputs_statsd(struct server_inputs *inputs, struct codec_json_writer *w);
/* The same of carbon's ports. */
bool server_inputs_carbon(struct server_inputs *in, struct codec_json_writer *w);

int server_inputs_push(struct server_inputs *inputs, const struct api_push_request *req,
                       struct diag *diag);
int server_inputs_push_wipe(struct server_inputs *inputs, struct slice tenant, struct diag *diag);
void server_inputs_push_groups(struct server_inputs *inputs, struct slice tenant,
                               void (*each)(void *arg, const struct api_push_group *g), void *arg);

#endif
