/* The settings of OTLP's door from the configuration. */
#ifndef SERVER_OTLP_H
#define SERVER_OTLP_H

#include "api/otlp/settings.h"
#include "server/config.h"

/* From the section `otlp`, or, when there is none, that of prometheus.config_file. diag has file,
 * line and column. */
int server_otlp_settings(const struct server_config *config, struct api_otlp_settings **out,
                         struct diag *diag);

#endif
