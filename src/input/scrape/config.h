/* A parsed scrape configuration. Immutable and counted: targets hold on to the one they were made
 * from. */
#ifndef INPUT_SCRAPE_CONFIG_H
#define INPUT_SCRAPE_CONFIG_H

#include <stdatomic.h>

#include "decode/prom_text.h"
#include "discovery/config.h"
#include "input/scrape/scrape.h"
#include "pipe/relabel.h"

struct input__scrape_param {
    struct slice name, value;
};

struct input__scrape_job {
    struct slice name;
    int64_t interval_ns, timeout_ns;
    struct slice interval_text, timeout_text;
    struct slice metrics_path, scheme;
    const char *accept;        /* header */
    struct slice protocols[8]; /* what it is made of: scrape_protocols, none = the default ones */
    size_t protocol_count;
    const char *escaping; /* of names; NULL = as the validation scheme has it */
    struct decode_text_histograms histograms;
    bool legacy_names; /* metric_name_validation_scheme */
    const char *fallback_protocol;
    bool honor_labels, honor_timestamps, track_timestamps_staleness, compression, extra_metrics,
        strict_openmetrics;
    int64_t body_size_limit;
    int64_t sample_limit, label_limit, label_name_length_limit, label_value_length_limit,
        target_limit, keep_dropped_targets;
    const struct input__scrape_param *params;
    size_t param_count;
    struct discovery_http http;
    struct pipe_relabel relabel, metric_relabel;
    struct discovery_config discovery;
    struct slice yaml;     /* as it was written, secrets masked */
    struct slice identity; /* the YAML below this job and global, as text: what a change is */
};

struct input_scrape_config {
    struct arena *arena;
    _Atomic int refs;
    struct data_labels external_labels;
    int64_t evaluation_interval_ns;
    struct input__scrape_job *jobs;
    size_t job_count;
};

struct input_scrape_config *input__scrape_config_ref(struct input_scrape_config *config);

#endif
