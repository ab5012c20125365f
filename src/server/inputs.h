/* What collects by itself: this machine's metrics, and scraping. */
#ifndef SERVER_INPUTS_H
#define SERVER_INPUTS_H

#include "api/api.h"
#include "server/config.h"

struct server_inputs;

struct server_inputs_env {
    struct net_loops *loops;
    struct task_pool *pool;
    struct pipe_sink *sink;
    struct os *os;
    const char *hostname;
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

#endif
