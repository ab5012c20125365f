/* Rule groups that were given over HTTP, as Loki's and Mimir's rulers keep them: by language,
 * tenant and namespace, each namespace one file of groups below the data directory, so that people
 * can read them. A write is whole or not there, and durable when it returns. */
#ifndef ALERT_RULE_STORE_H
#define ALERT_RULE_STORE_H

#include "alert/rules.h"
#include "os/os.h"

struct alert_rule_store;

struct alert_rule_place {
    const struct alert_language *language;
    struct slice tenant, name_space, group; /* name_space, group: empty = all, where that is said */
};

/* `dir` is made on the first write. */
struct alert_rule_store *alert_rule_store_new(struct os *os, const char *dir);
void alert_rule_store_free(struct alert_rule_store *s); /* NULL is fine */

/* All functions below: any thread, one at a time. They block. */

/* Puts a group into a namespace, in the place of the one of its name; `group` is a map as it stands
 * under `groups` of a rule file. ERR_INVALID: it is no good group; ERR_TOO_LARGE: the namespace
 * would have more than `bytes_max` bytes. */
int alert_rule_store_put(struct alert_rule_store *s, const struct alert_rule_place *place,
                         const struct text_yaml *group, const struct alert_rules_options *options,
                         size_t bytes_max, struct diag *diag);
/* Takes out a group, or the whole namespace when place->group is empty. ERR_NOT_FOUND. */
int alert_rule_store_delete(struct alert_rule_store *s, const struct alert_rule_place *place,
                            struct diag *diag);
/* Appends the groups of the tenant as YAML: a map of namespaces to lists of groups; with a group in
 * `place` that group alone. ERR_NOT_FOUND when there is none. */
int alert_rule_store_list(struct alert_rule_store *s, const struct alert_rule_place *place,
                          struct buf *out, struct diag *diag);
/* All groups of all tenants. What cannot be read is left out and logged. `options` without language
 * and tenant. The file of a group is its namespace. */
int alert_rule_store_load(struct alert_rule_store *s, const struct alert_rules_options *options,
                          struct alert_rules **out, struct diag *diag);

#endif
