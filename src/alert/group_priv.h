/* What the evaluation of recording and of alerting rules share. */
#ifndef ALERT_GROUP_PRIV_H
#define ALERT_GROUP_PRIV_H

#include "alert/group.h"

/* One evaluation of a rule. */
struct evaluation {
    struct alert_group *group;
    const struct alert_env *env;
    int64_t ts_ns, sample_ns; /* sample_ns: without the query offset */
    const struct alert_language *language;
    struct arena *arena; /* trees, plans, texts */
    struct budget memory;
    struct arena *query_arena; /* of the queries, charged to memory */
    struct data_metric_batch *batch;
    struct map *series; /* keys the rule gave */
};

/* The environment with the group's tenant. */
struct alert_env alert__env_of(const struct alert_group *g, const struct alert_env *env);
/* Adds a sample of the rule; false when the set was there already. */
bool alert__put(struct evaluation *e, struct data_labels labels, double value,
                const struct data_histogram *histogram);
/* The alerting half of an evaluation. Takes the group's lock while it changes the state. */
int alert__eval_alert(struct evaluation *e, const struct alert_rule *rule,
                      struct alert_rule_state *state, const struct query_result *result,
                      struct diag *diag);
void alert__send(struct evaluation *e, const struct alert_rule *rule,
                 struct alert_rule_state *state, alert_send_fn send, void *ctx);
void alert__active_free(struct alert_active *a);
void alert__active_clear(struct map *active);
/* {__name__=name, alertname, the rule's and the alert's labels, alertstate when not NULL}. Points
 * into the builder. */
int alert__series_labels(const struct alert_rule *rule, const struct alert_active *a,
                         const char *name, const char *state, struct data_labels_builder *b,
                         struct data_labels *out);

#endif
