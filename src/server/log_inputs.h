/* What brings log lines in beside the HTTP doors: syslog, GELF, Fluentd's forward protocol,
 * Lumberjack, log files, the journal. */
#ifndef SERVER_LOG_INPUTS_H
#define SERVER_LOG_INPUTS_H

#include "input/input.h"
#include "server/config.h"
#include "server/doors.h"

struct server_log_inputs;

/* Everything that can be said of their settings without starting them. */
int server_log_inputs_check(const struct server_config *config, struct diag *diag);
/* A port in use is no error: the door stays closed and says why. `env`, and what it points to,
 * lives longer. */
int server_log_inputs_start(const struct input_env *env, const struct server_config *config,
                            const char *data_dir, const char *hostname, struct server_doors *doors,
                            struct server_log_inputs **out, struct diag *diag);
/* Takes over inputs.* and certificates; after an error what was there goes on. */
int server_log_inputs_reload(struct server_log_inputs *in, const struct server_config *config,
                             struct diag *diag);
void server_log_inputs_stop(struct server_log_inputs *in); /* NULL is fine */

#endif
