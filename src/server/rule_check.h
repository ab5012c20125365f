/* Prometheus rule files: shape and expressions. */
#ifndef SERVER_RULE_CHECK_H
#define SERVER_RULE_CHECK_H

#include "base/diag.h"
#include "text/yaml.h"

/* Reports every problem; returns how many. `path` is for the messages. */
size_t server_rules_check(const char *path, const struct text_yaml *root,
                          void (*report)(const struct diag *diag));

#endif
