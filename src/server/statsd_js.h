/* The Node StatsD daemon's config.js (and its proxy's), as settings of Pharos. */
#ifndef SERVER_STATSD_JS_H
#define SERVER_STATSD_JS_H

#include "server/config.h"

/* Sets what the file says; what Pharos has no setting for becomes a warning. `name` is for
 * messages. ERR_INVALID with file, line and column. */
int server_statsd_js_apply(const char *name, struct slice text, struct server_config *config,
                           struct diag *diag);

#endif
