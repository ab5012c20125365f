/* Telling Alertmanagers: alerts wait in a bounded queue and are posted in batches to every
 * configured Alertmanager (API v2).
 * Specification: github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml, and the section
 * `alerting` of prometheus.yml. Lost posts are made up for by sending again: rules hand a firing
 * alert over every resend delay. */
#ifndef ALERT_NOTIFY_H
#define ALERT_NOTIFY_H

#include "base/diag.h"
#include "data/labels.h"
#include "net/loop.h"
#include "os/os.h"
#include "text/yaml.h"

struct alert_notifier;
struct alert_notify_config; /* parsed; owned by whoever parsed it until it is applied */

struct alert_notify_source {
    const struct text_yaml *alerting; /* NULL or null: nobody to tell */
    const char *base_dir;
    bool ignore_unsupported;
};

/* ERR_INVALID with line and column. The node is not needed afterwards. */
int alert_notify_config_parse(const struct alert_notify_source *source,
                              struct alert_notify_config **out, struct diag *diag);
void alert_notify_config_free(struct alert_notify_config *config); /* NULL is fine */

struct alert_notifier_env {
    struct net_loop *loop;
    struct os *os;
    const char *version;     /* for User-Agent */
    int64_t queue_max;       /* alerts waiting; the oldest give way */
    int64_t queue_bytes_max; /* memory of them */
    size_t batch_max;        /* alerts in one post; 0 = 256 */
};

struct alert_notifier *alert_notifier_new(const struct alert_notifier_env *env);
/* Takes the configuration over. Any thread. */
void alert_notifier_apply(struct alert_notifier *n, struct alert_notify_config *config,
                          struct data_labels external_labels);
void alert_notifier_set_limits(struct alert_notifier *n, int64_t queue_max,
                               int64_t queue_bytes_max);
/* Stops and frees; what waits is dropped. Not from a loop's thread. NULL is fine. */
void alert_notifier_free(struct alert_notifier *n);

struct alert_notice {
    struct data_labels labels, annotations;
    int64_t starts_ns, ends_ns;
    struct slice generator_url;
};
/* Queues one alert (copied) after relabelling. Any thread; never blocks on the network. */
void alert_notifier_push(struct alert_notifier *n, const struct alert_notice *notice);
/* Posts what waits soon. Any thread. */
void alert_notifier_flush(struct alert_notifier *n);

/* One Alertmanager and how posting to it goes. Times are of the wall clock, 0 = never yet. */
struct alert_peer {
    struct slice url;    /* with the path that is posted to */
    bool dropped;        /* by relabelling: nothing is posted to it */
    int64_t answered_ns; /* when the last post ended, well or not */
    int64_t taken_ns;    /* when one was taken last */
    const char *error;   /* of the last post; NULL: it was taken, or there was none */
};
/* Every Alertmanager in use, and those that relabelling dropped. Texts live during the call. Any
 * thread. */
typedef void (*alert_peer_fn)(void *arg, const struct alert_peer *peer);
void alert_notifier_each(struct alert_notifier *n, alert_peer_fn each, void *arg);

#endif
