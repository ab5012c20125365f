/* Pushed metrics, as Prometheus' Pushgateway takes them: short-lived jobs leave their last values
 * in a group, and the group's values stay current until it is deleted. Every interval all of them
 * are appended again, as if a Prometheus scraped a Pushgateway with honor_labels. Groups are files
 * below one directory and survive a restart.
 * Specification: github.com/prometheus/pushgateway, README. */
#ifndef INPUT_PUSH_PUSH_H
#define INPUT_PUSH_PUSH_H

#include "data/metric_batch.h"
#include "input/input.h"

struct input_push;

/* Reads the groups in `dir` (made when there is none); one that is damaged is put aside with a
 * warning. `dir` is copied. */
int input_push_new(const struct input_env *env, const char *dir, int64_t interval_ns,
                   struct input_push **out, struct diag *diag);
void input_push_set_interval(struct input_push *p, int64_t interval_ns);
/* Returns when nothing runs any more; frees. Not from a loop's thread. NULL is fine. */
void input_push_stop(struct input_push *p);

enum input_push_action {
    INPUT_PUSH_REPLACE, /* PUT: the group becomes what is pushed */
    INPUT_PUSH_MERGE,   /* POST: only metrics of the same names are replaced */
    INPUT_PUSH_DELETE
};

struct input_push_request {
    enum input_push_action action;
    struct slice tenant;
    struct data_labels grouping; /* with job; put on every metric in place of its own */
    struct slice content_type;   /* text 0.0.4 unless it names another exposition format */
    struct slice body;
};

/* Blocks until the group is on the disk. ERR_INVALID: the body is no exposition, has timestamps,
 * gives a series twice, or gives a metric another type than a group that exists (then the group's
 * push_failure_time_seconds tells). Any thread but a loop's. */
int input_push_apply(struct input_push *p, const struct input_push_request *req, struct diag *diag);
/* Deletes all groups of the tenant. */
int input_push_wipe(struct input_push *p, struct slice tenant, struct diag *diag);

/* --- what the API shows --- */

struct input_push_series {
    struct data_labels labels; /* with __name__ */
    double value;
    const struct data_histogram *histogram; /* NULL: a float */
};

struct input_push_family {
    struct slice name, help;
    enum data_metric_type type;
    struct input_push_series *series;
    size_t series_count;
};

struct input_push_group {
    struct data_labels labels;
    int64_t pushed_ns, failed_ns; /* the last time that went well, or not; 0 = never */
    struct input_push_family *families;
    size_t family_count;
};

/* A copy in `arena`, the oldest group first. Any thread. */
void input_push_look(struct input_push *p, struct slice tenant, struct arena *arena,
                     struct input_push_group **out, size_t *out_count);

#endif
