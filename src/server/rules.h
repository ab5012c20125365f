/* Rules and alerts of the running server: from the configuration to the room alert. */
#ifndef SERVER_RULES_H
#define SERVER_RULES_H

#include "alert/manager.h"
#include "alert/notify.h"
#include "alert/rule_store.h"
#include "server/config.h"
#include "server/prometheus_yml.h"

struct server_rules;
struct server_rules_next; /* a configuration read and checked, not yet in force */

struct server_rules_env {
    struct net_loops *loops;
    struct task_pool *pool; /* of the queries: rules get as many threads of their own at least */
    struct store_source *source;
    struct store_event_source *logs;
    struct pipe_sink *sink;
    struct budget *memory_total; /* of all queries; outlives it */
    struct os *os;
    const char *data_dir;     /* the groups given over HTTP are below it */
    const char *external_url; /* when rules.external_url is empty; outlives it */
    const char *logs_url;     /* of the page that takes LogQL in `expr`; outlives it */
};

/* The rule files of a configuration, absolute or from the working directory; in `arena`. */
struct server_rule_patterns {
    struct slice *promql, *logql;
    size_t promql_count, logql_count;
};
int server_rules_patterns(const struct server_config *config,
                          const struct server_prometheus_yml *yml, struct arena *arena,
                          struct server_rule_patterns *out, struct diag *diag);
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
/* Evaluates nothing from now on; a call that waits for an evaluation goes on. */
void server_rules_cancel(struct server_rules *r);
void server_rules_stop(struct server_rules *r); /* NULL is fine */

/* The groups given over HTTP (alert/rule_store.h), and what changes them: in force on return. Any
 * thread; they block. */
int server_rules_list(struct server_rules *r, const struct alert_rule_place *place, struct buf *out,
                      struct diag *diag);
int server_rules_put(struct server_rules *r, const struct alert_rule_place *place,
                     const struct text_yaml *group, struct diag *diag);
int server_rules_delete(struct server_rules *r, const struct alert_rule_place *place,
                        struct diag *diag);

void server_rules_each(struct server_rules *r, void (*each)(void *arg, const struct alert_group *g),
                       void *arg);
void server_rules_alertmanagers(struct server_rules *r, alert_peer_fn each, void *arg);

#endif
