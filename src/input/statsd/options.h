/* What the Graphite view does with a name: percentiles, statistics, histogram bins, how long it is
 * shown when nobody sends it. From the settings, and for single names from `statsd.overrides` and
 * `statsd.histogram`. */
#ifndef INPUT_STATSD_OPTIONS_H
#define INPUT_STATSD_OPTIONS_H

#include "input/statsd/line.h"
#include "input/statsd/statsd.h"

struct statsd_bin {
    double bound;      /* values below it; INFINITY: all others */
    struct slice name; /* "bin_0_1", "bin_inf" */
};

struct statsd_options {
    double *percentiles;
    size_t percentile_count;
    struct slice *metrics; /* statistics of timers that are wanted; none: all */
    size_t metric_count;
    struct statsd_bin *bins;
    size_t bin_count;
    bool delete_idle[STATSD_KIND_COUNT]; /* left out at once when idle, instead of repeated */
    int64_t
        gauge_flushes; /* with delete_idle: how many flushes a gauge is shown after its sample */
    int64_t expire_ns; /* 0 = never */
};

struct statsd_option_set;

/* All in `arena`, strings copied. ERR_INVALID with the place. */
int statsd__options_new(const struct input_statsd_config *config, struct arena *arena,
                        struct statsd_option_set **out, struct diag *diag);
/* Of a name with its ";tag=value". Never NULL; lives as long as the set. */
const struct statsd_options *statsd__options_of(const struct statsd_option_set *set,
                                                struct slice path);
/* calculatedTimerMetrics: whether "upper_90" and the like is wanted. */
bool statsd__options_want(const struct statsd_options *o, struct slice stat);

#endif
