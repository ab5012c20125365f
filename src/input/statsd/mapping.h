/* statsd_exporter's mapping file: rules that turn dotted names into metric names and labels.
 * Specification: github.com/prometheus/statsd_exporter, README, "Metric Mapping and
 * Configuration" (v0.30). Not thread-safe but for reading; matching changes nothing. */
#ifndef INPUT_STATSD_MAPPING_H
#define INPUT_STATSD_MAPPING_H

#include "base/arena.h"
#include "base/buf.h"
#include "data/labels.h"
#include "input/statsd/line.h"

enum statsd_observer {
    STATSD_OBSERVER_NATIVE, /* an exponential histogram */
    STATSD_OBSERVER_SUMMARY,
    STATSD_OBSERVER_HISTOGRAM, /* fixed buckets */
};

struct statsd_rule {
    _Atomic int refs; /* the mapping's and those of series */
    enum statsd_observer observer;
    bool is_drop, honor_labels;
    int64_t ttl_ns; /* 0: not said */
    double scale;   /* 1: not said */
    struct slice help;
    double *quantiles; /* ascending as written */
    size_t quantile_count;
    double *buckets; /* upper bounds, ascending, without +Inf */
    size_t bucket_count;
    int64_t max_age_ns; /* of a summary's observations */
    size_t age_buckets;
    int64_t matched; /* names */
};

struct statsd_mapping;

/* ERR_INVALID with the place. NULL text (len 0): no file; timers are native histograms then, with a
 * file they are summaries unless it says otherwise, as in statsd_exporter. */
int statsd__mapping_parse(struct slice text, struct statsd_mapping **out, struct diag *diag);
void statsd__mapping_free(struct statsd_mapping *m); /* NULL is fine */
size_t statsd__mapping_count(const struct statsd_mapping *m);

struct statsd_mapped {
    struct statsd_rule *rule; /* never NULL: what the defaults say when nothing matched */
    bool is_matched;
    bool overran;      /* an expression could not be tried to the end: it is not known what fits */
    struct slice name; /* of a match, expanded and escaped */
    const struct data_label *labels; /* in the arena */
    size_t label_count;
};
void statsd__mapping_match(const struct statsd_mapping *m, struct slice name, enum statsd_kind kind,
                           struct arena *arena, struct statsd_mapped *out);
void statsd__rule_ref(struct statsd_rule *rule);
void statsd__rule_unref(struct statsd_rule *rule);

#endif
