/* Carbon's relay-rules.conf as outputs: one a destination, with relabelling that keeps what the
 * rules send there. */
#ifndef SERVER_CARBON_RELAY_H
#define SERVER_CARBON_RELAY_H

#include "base/buf.h"
#include "base/diag.h"

/* The file's text as the YAML of a map of outputs, appended. */
int server_carbon_relay_yaml(struct slice text, const char *file, struct buf *out,
                             struct diag *diag);

#endif
