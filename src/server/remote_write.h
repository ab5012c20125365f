/* The section remote_write of a prometheus.yml, as outputs.
 * Followed: prometheus.io/docs/prometheus/latest/configuration/configuration/#remote_write; words
 * of errors are Prometheus'. */
#ifndef SERVER_REMOTE_WRITE_H
#define SERVER_REMOTE_WRITE_H

#include "data/labels.h"
#include "text/yaml.h"

/* A map as `outputs:` has it, one entry for each of the list (NULL: there are none), in `arena`.
 * external_labels go with everything; paths are from `dir` ("" = the working directory, else with a
 * slash at its end). What Pharos does not have is refused when `strict`, else left out with a line
 * in the log. */
int server_remote_write_outputs(const struct text_yaml *list, struct data_labels external_labels,
                                const char *dir, bool strict, struct arena *arena,
                                struct text_yaml **out, struct diag *diag);

#endif
