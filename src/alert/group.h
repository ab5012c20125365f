/* One group of rules at work: evaluating it at an instant, and the state between evaluations.
 * Semantics: Prometheus' rules package (states, staleness, limits, restoring), to the comparison.
 *
 * One evaluation of a group at a time (its rules may be spread over threads); looking at it is
 * allowed to any thread. */
#ifndef ALERT_GROUP_H
#define ALERT_GROUP_H

#include <pthread.h>

#include "alert/order.h"
#include "alert/rules.h"
#include "base/map.h"
#include "pipe/sink.h"
#include "query/query.h"
#include "store/events.h"

/* What evaluation needs of the world. Outlives the groups; everything in it is thread-safe. */
struct alert_env {
    struct store_source *source;
    struct store_event_source *logs; /* what LogQL asks; may be NULL */
    struct pipe_sink *sink;
    struct task_pool *pool; /* of queries; may be NULL */
    struct slice tenant;
    struct promql_options promql;
    struct budget *memory_total; /* of all queries; may be NULL */
    int64_t query_memory_bytes;  /* of one; 0 = no limit */
    size_t samples_max, series_max;
    uint64_t log_rows_max;  /* lines that one query may look at; 0 = no limit */
    uint64_t log_bytes_max; /* as stored, that one may read */
    size_t alerts_max;      /* of one rule: limits.alerts; 0 = no limit */
    size_t concurrency; /* rules of a group beside each other; 0, 1 = one by one (pool needed) */
    int64_t timeout_ns; /* of one query; 0 = none */
    int64_t (*monotonic_ns)(void *ctx);
    void *clock_ctx;
    const _Atomic bool *cancelled; /* may be NULL */
    struct data_labels external_labels;
    const char *external_url;
    int64_t resend_delay_ns;
};

enum alert_state { ALERT_INACTIVE, ALERT_PENDING, ALERT_FIRING };
const char *alert_state_name(enum alert_state state); /* "inactive", "pending", "firing" */

enum alert_health { ALERT_HEALTH_UNKNOWN, ALERT_HEALTH_OK, ALERT_HEALTH_ERR };
const char *alert_health_name(enum alert_health health); /* "unknown", "ok", "err" */

struct alert_active {
    enum alert_state state;
    struct data_labels labels, annotations; /* one allocation each */
    double value;
    const char *value_text; /* a histogram's; NULL = value */
    int64_t active_ns, fired_ns, resolved_ns, keep_firing_since_ns, last_sent_ns,
        valid_until_ns; /* 0 = never */
    bool seen;          /* scratch of an evaluation */
};

struct alert_rule_state {
    enum alert_health health;
    char *last_error; /* NULL: none */
    int64_t duration_ns, last_eval_ns;
    bool restored;        /* alerts: their series are written */
    struct map *active;   /* alerts: canonical key of the labels -> struct alert_active * */
    struct map *previous; /* canonical keys of the series of the last evaluation */
};

struct alert_group {
    struct alert_rules *rules; /* counted */
    const struct alert_group_def *def;
    struct alert_order order; /* what of it may run beside each other */
    pthread_mutex_t lock;     /* of the state below, against views and rules beside each other */
    struct alert_rule_state *states;
    int64_t duration_ns, last_eval_ns;
    int64_t last_samples, last_failures; /* of the last evaluation */
    VEC(struct slice) stale; /* keys of series whose rules are gone: ended by the next evaluation */
};

struct alert_group *alert_group_new(struct alert_rules *rules, const struct alert_group_def *def);
void alert_group_free(struct alert_group *g); /* NULL is fine */
/* Takes the state of rules of the same name and labels; what has no heir ends as stale. `from` is
 * not used afterwards but for freeing. */
void alert_group_inherit(struct alert_group *g, struct alert_group *from);
/* Alerts are written from the first evaluation on, without looking for what was before. */
void alert_group_set_restored(struct alert_group *g);

/* Alerts to be told about, during the call; one at a time. */
typedef void (*alert_send_fn)(void *ctx, const struct alert_rule *rule,
                              const struct alert_active *alert);
/* Evaluates all rules at ts_ns as if in order, writes the results into the sink and hands over what
 * is to be sent (send may be NULL). Errors are in the states. */
void alert_group_eval(struct alert_group *g, const struct alert_env *env, int64_t ts_ns,
                      alert_send_fn send, void *ctx);
/* Sets back when alerts became active from ALERTS_FOR_STATE, as of `now_ns`. */
void alert_group_restore(struct alert_group *g, const struct alert_env *env, int64_t now_ns,
                         int64_t outage_tolerance_ns, int64_t grace_ns);
/* Writes staleness markers at ts_ns for everything the group wrote last. */
void alert_group_end_series(struct alert_group *g, const struct alert_env *env, int64_t ts_ns);

/* Where a query has its memory. */
struct alert__room {
    struct arena *plan;    /* of trees and plans; cannot be used up */
    struct arena *result;  /* may be charged to `memory` */
    struct budget *memory; /* may be NULL */
};
/* A query at one instant: a vector (a scalar becomes one without labels). *out refers to the room.
 */
int alert__query(const struct alert_env *env, const struct alert_language *language,
                 const void *expr, int64_t ts_ns, const struct alert__room *room,
                 struct query_result *out, struct diag *diag);
int alert__query_text(const struct alert_env *env, const struct alert_language *language,
                      struct slice text, int64_t ts_ns, const struct alert__room *room,
                      struct query_result *out, struct diag *diag);

#endif
