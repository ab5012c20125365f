/* Rule files as `pharos check` reads them: every problem with its place. */
#ifndef SERVER_RULE_CHECK_H
#define SERVER_RULE_CHECK_H

#include "base/diag.h"
#include "server/config.h"
#include "text/yaml.h"

/* Reports every problem; returns how many. `path` is for the messages. */
size_t server_rules_check(const char *path, const struct text_yaml *root,
                          const struct alert_language *language,
                          void (*report)(const struct diag *diag));
/* The same for the files that a configuration names, and for its section alerting. */
size_t server_rules_check_config(const struct server_config *config,
                                 void (*report)(const struct diag *diag));

#endif
