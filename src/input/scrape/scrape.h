/* Prometheus scraping: scrape_configs as in prometheus.yml, with the discovery of the
 * room of that name.
 * Specification: prometheus.io/docs/prometheus/latest/configuration/configuration/.
 *
 * A configuration is parsed into one immutable object; applying another keeps every target running
 * whose labels, address and settings stayed the same. */
#ifndef INPUT_SCRAPE_SCRAPE_H
#define INPUT_SCRAPE_SCRAPE_H

#include "data/metric_batch.h"
#include "input/input.h"
#include "pipe/relabel.h"

struct input_scrape;
struct input_scrape_config;

struct input_scrape_source {
    /* Nodes of prometheus.yml (or of pharos.yml, which has the same keys); any may be NULL. */
    const struct text_yaml *global, *scrape_configs;
    const char *file;     /* for messages; may be NULL */
    const char *base_dir; /* of relative paths; NULL = the working directory */
    /* Leaves out discovery methods and settings that are not built (with a warning in the log)
     * instead of refusing the file. */
    bool ignore_unsupported;
};

/* ERR_INVALID with line and column; unknown keys come with the nearest known one. ERR_UNSUPPORTED
 * for what Prometheus has and Pharos has not. The nodes are not needed afterwards. */
int input_scrape_config_parse(const struct input_scrape_source *source,
                              struct input_scrape_config **out, struct diag *diag);
void input_scrape_config_free(struct input_scrape_config *config); /* NULL is fine */
/* global's external_labels and evaluation_interval, for whoever needs them (rules, federation). */
struct data_labels input_scrape_config_external_labels(const struct input_scrape_config *config);
int64_t input_scrape_config_evaluation_interval(const struct input_scrape_config *config);

int input_scrape_new(const struct input_env *env, struct input_scrape **out, struct diag *diag);
/* Takes the configuration over and returns at once; the first targets are scraped at their offset
 * within the interval. Any thread. */
void input_scrape_apply(struct input_scrape *s, struct input_scrape_config *config);
/* Returns when nothing runs any more; frees. No staleness markers: a restart is no end. Not from a
 * loop's thread. */
void input_scrape_stop(struct input_scrape *s);

/* --- what the API shows --- */

enum input_scrape_health {
    INPUT_SCRAPE_UNKNOWN,
    INPUT_SCRAPE_UP,
    INPUT_SCRAPE_DOWN,
    INPUT_SCRAPE_HEALTH_COUNT
};
const char *input_scrape_health_name(enum input_scrape_health health); /* "up", ... */

struct input_scrape_target_view {
    struct data_labels discovered, labels;
    struct slice pool, url, last_error; /* last_error "" when the last scrape went well */
    int64_t last_scrape_ns;             /* 0 = not yet */
    int64_t last_duration_ns, interval_ns, timeout_ns;
    size_t last_samples; /* of the last scrape */
    enum input_scrape_health health;
};

struct input_scrape_dropped_view {
    struct data_labels discovered;
    struct slice pool;
};

struct input_scrape_pool_view {
    struct slice name;
    size_t active, dropped;
    struct slice last_error; /* of discovery; "" when all is well */
};

struct input_scrape_view {
    struct input_scrape_target_view *targets;
    size_t target_count;
    struct input_scrape_dropped_view *dropped; /* at most keep_dropped_targets a pool */
    size_t dropped_count;
    struct input_scrape_pool_view *pools;
    size_t pool_count;
};

/* A copy of the state in `arena`, pools in the order of the file. Any thread. */
void input_scrape_look(struct input_scrape *s, struct arena *arena, struct input_scrape_view *out);

struct input_scrape_metadata_view {
    struct data_labels target; /* labels of the target */
    struct data_batch_metadata metadata;
};
/* What the targets say about their metrics; `metric` "" = all. Any thread. */
void input_scrape_look_metadata(struct input_scrape *s, struct slice metric, struct arena *arena,
                                struct input_scrape_metadata_view **out, size_t *out_count);

/* Calls `each` with the relabelling rules of a pool's targets in order; ERR_NOT_FOUND. Any thread.
 */
int input_scrape_relabel_rules(struct input_scrape *s, struct slice pool,
                               void (*each)(void *arg, const struct pipe_relabel_rule *rule),
                               void *arg);
/* The pool's entry of scrape_configs as it was written, secrets masked; ERR_NOT_FOUND. */
int input_scrape_pool_yaml(struct input_scrape *s, struct slice pool, struct buf *out);
/* global.external_labels in force, in `arena`. Any thread. */
struct data_labels input_scrape_external_labels(struct input_scrape *s, struct arena *arena);

/* --- for tests --- */

/* Without timers: nothing is scraped or discovered again until told. Before the first apply. */
void input_scrape_set_manual(struct input_scrape *s);
/* Scrapes every target once, with this timestamp, looking for changed files before; returns when
 * all of it is in the sink. Not from a loop's thread. */
void input_scrape_run_once(struct input_scrape *s, int64_t now_ns);

#endif
