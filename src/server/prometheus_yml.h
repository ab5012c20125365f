/* The parts of prometheus.yml that Pharos uses, or the keys of the same name in pharos.yml. */
#ifndef SERVER_PROMETHEUS_YML_H
#define SERVER_PROMETHEUS_YML_H

#include "server/config.h"

struct server_prometheus_yml {
    const char *file; /* for messages; NULL: settings from the command line alone */
    bool own_file;    /* it is prometheus.config_file */
    char dir[4096];   /* its folder with a slash, "" = the working directory */
    const struct text_yaml *global, *scrape_configs, *rule_files, *alerting, *otlp;
    const struct text_yaml *remote_write; /* of the file alone */
};

/* Nodes live in `arena` and in `config`. `strict`: what is not built is an error and not a line in
 * the log. */
int server_prometheus_yml_read(const struct server_config *config, bool strict, struct arena *arena,
                               struct server_prometheus_yml *out, struct diag *diag);

#endif
