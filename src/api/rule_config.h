/* Rule groups changed over HTTP, as Loki's and Mimir's rulers take them: YAML in, YAML out, errors
 * as plain text. Facts: grafana.com/docs/loki/latest/reference/loki-http-api/#ruler and Mimir's
 * /config/v1/rules. Each door says which language its groups are in. */
#ifndef API_RULE_CONFIG_H
#define API_RULE_CONFIG_H

#include "alert/language.h"
#include "api/router.h"

/* GET: all groups of the tenant; args: namespace, group, as many as there are. */
void api__rule_config_list(struct api_call *call, const struct alert_language *language);
/* POST: a group, into the namespace args[0]. */
void api__rule_config_put(struct api_call *call, const struct alert_language *language);
/* DELETE: a namespace, or the group in it. */
void api__rule_config_delete(struct api_call *call, const struct alert_language *language);

#endif
