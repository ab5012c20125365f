/* The ruler: groups of LogQL rules. */
#include "api/prometheus/rules.h"
#include "api/loki/door_priv.h"
#include "api/rule_config.h"

void loki__rule_list(struct api_call *call)
{
    api__rule_config_list(call, &alert_logql);
}

void loki__rule_put(struct api_call *call)
{
    api__rule_config_put(call, &alert_logql);
}

void loki__rule_delete(struct api_call *call)
{
    api__rule_config_delete(call, &alert_logql);
}

void loki__rules(struct api_call *call)
{
    api__rules(call, &alert_logql);
}

void loki__alerts(struct api_call *call)
{
    api__alerts(call, &alert_logql);
}
