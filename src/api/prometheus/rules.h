/* Groups of rules and their alerts as Prometheus shows them, for each door that does. */
#ifndef API_PROMETHEUS_RULES_H
#define API_PROMETHEUS_RULES_H

#include "alert/language.h"
#include "api/router.h"

/* Of the tenant and the language; endpoints /api/v1/rules and /api/v1/alerts. */
void api__rules(struct api_call *call, const struct alert_language *language);
void api__alerts(struct api_call *call, const struct alert_language *language);

#endif
