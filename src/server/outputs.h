/* Where metrics are sent on to: from the configuration and the files it names. */
#ifndef SERVER_OUTPUTS_H
#define SERVER_OUTPUTS_H

#include "output/output.h"
#include "server/config.h"

/* The outputs of `outputs:`, those of graphite.relay_rules_file and the remote_write of
 * prometheus.config_file. diag has file and line. */
int server_outputs_parse(const struct server_config *config, struct output_config **out,
                         struct diag *diag);

#endif
