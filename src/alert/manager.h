/* All groups of rules at work: when each is evaluated, by whom, and what happens on reload. */
#ifndef ALERT_MANAGER_H
#define ALERT_MANAGER_H

#include "alert/group.h"
#include "alert/notify.h"

struct alert_manager;

struct alert_manager_env {
    struct alert_env eval; /* but for external_labels and external_url, which apply() sets */
    struct task_pool *pool;
    struct os *os;
    struct alert_notifier *notifier; /* may be NULL; outlives the manager */
    int64_t outage_tolerance_ns, grace_ns;
};

/* Starts the thread that keeps the time. */
struct alert_manager *alert_manager_new(const struct alert_manager_env *env);

/* What a reload may change. Texts are copied. */
struct alert_manager_settings {
    struct data_labels external_labels;
    const char *external_url; /* of the Prometheus door */
    const char *logs_url;     /* of the page that takes LogQL in `expr` */
    int64_t resend_delay_ns;
    int64_t timeout_ns, query_memory_bytes;
    size_t samples_max, series_max, alerts_max, concurrency;
    uint64_t log_rows_max, log_bytes_max;
    struct promql_options promql;
};
/* Runs these rules from now on (takes the references over; NULL = none), with these settings (NULL:
 * those before). Groups that did not change go on undisturbed, changed ones keep the state of their
 * unchanged rules, and series of groups that are gone end. The first call, which has settings,
 * restores what was pending or firing before the restart. Evaluations of changed groups are
 * cancelled and change nothing any more. Any thread; one caller at a time. */
void alert_manager_apply(struct alert_manager *m, struct alert_rules *const *sets, size_t set_count,
                         const struct alert_manager_settings *settings);
/* Nothing is evaluated from now on, and what is being evaluated ends soon. Any thread. */
void alert_manager_cancel(struct alert_manager *m);
/* Returns when nothing is evaluated any more; frees. NULL is fine. */
void alert_manager_free(struct alert_manager *m);

/* Calls `each` for every group, by file and name; while it runs the group's state stands still. */
void alert_manager_each(struct alert_manager *m,
                        void (*each)(void *arg, const struct alert_group *g), void *arg);

#endif
