/* Rules and alerts of the running server: from the configuration to the room alert. */
#ifndef SERVER_RULES_H
#define SERVER_RULES_H

#include "alert/manager.h"
#include "alert/notify.h"
#include "server/config.h"
#include "server/prometheus_yml.h"

struct server_rules;
struct server_rules_next; /* a configuration read and checked, not yet in force */

struct server_rules_env {
    struct net_loops *loops;
    struct task_pool *pool;
    struct store_source *source;
    struct pipe_sink *sink;
    struct os *os;
    const char *external_url; /* when rules.external_url is empty; outlives it */
};

/* The rule files of a configuration, absolute or from the working directory; in `arena`. */
int server_rules_patterns(const struct server_config *config,
                          const struct server_prometheus_yml *yml, struct arena *arena,
                          struct slice **out, size_t *out_count, struct diag *diag);
/* global.evaluation_interval and rule_query_offset. */
int server_rules_options(const struct server_config *config,
                         const struct server_prometheus_yml *yml, struct alert_rules_options *out,
                         struct diag *diag);

int server_rules_read(const struct server_config *config, struct server_rules_next **out,
                      struct diag *diag);
void server_rules_next_free(struct server_rules_next *next); /* NULL is fine */
/* Takes `next` over. */
struct server_rules *server_rules_start(const struct server_rules_env *env,
                                        const struct server_config *config,
                                        struct server_rules_next *next);
void server_rules_apply(struct server_rules *r, const struct server_config *config,
                        struct server_rules_next *next);
void server_rules_stop(struct server_rules *r); /* NULL is fine */

void server_rules_each(struct server_rules *r, void (*each)(void *arg, const struct alert_group *g),
                       void *arg);
void server_rules_alertmanagers(struct server_rules *r, alert_peer_fn each, void *arg);

#endif
