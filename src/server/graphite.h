/* Graphite's settings that come from carbon's files. */
#ifndef SERVER_GRAPHITE_H
#define SERVER_GRAPHITE_H

#include "lang/graphite/graphite.h"
#include "server/config.h"

/* graphite.schemas_file and graphite.aggregation_file; *out is NULL when there are none. diag has
 * file and line. */
int server_graphite_schemas(const struct server_config *config, struct graphite_schemas **out,
                            struct diag *diag);

/* Is it one of carbon's files, by its name (storage-schemas.conf, rewrite-rules.conf, ...)? */
bool server_graphite_is_file(const char *path);
int server_graphite_check_file(const char *path, struct slice text, struct diag *diag);

#endif
