/* Carbon's relay-rules.conf as outputs: one a destination, with relabelling that keeps what the
 * rules send there. */
#ifndef SERVER_CARBON_RELAY_H
#define SERVER_CARBON_RELAY_H

#include "output/output.h"
#include "server/config.h"

/* The outputs of `outputs:` and those of graphite.relay_rules_file. diag has file and line. */
int server_outputs_parse(const struct server_config *config, struct output_config **out,
                         struct diag *diag);
/* Only the file, as the YAML of a map of outputs, appended. */
int server_carbon_relay_yaml(struct slice text, const char *file, struct buf *out,
                             struct diag *diag);

#endif
