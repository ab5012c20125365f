/* Outputs: what sends metrics on to other systems, any number of them at once. Each has its own
 * format, queue and way to its target, so that one that hangs holds up nobody else.
 *
 * A batch handed over is encoded at once, for every output that wants it, and waits as bytes. What
 * a target does not take is tried again with growing pauses until it is too old; a queue that is
 * full gives up its oldest. Both are counted by reason. */
#ifndef OUTPUT_OUTPUT_H
#define OUTPUT_OUTPUT_H

#include "base/task.h"
#include "codec/json_write.h"
#include "data/event_batch.h"
#include "data/metric_batch.h"
#include "net/loop.h"
#include "os/os.h"
#include "text/yaml.h"

/* Where a batch comes from: which outputs take it. */
enum output_source {
    OUTPUT_ANY,           /* any door, scraping, the host */
    OUTPUT_STATSD_LABELS, /* StatsD's flush as series that add up */
    OUTPUT_STATSD_PATHS,  /* StatsD's flush under the names of the Node daemon */
    OUTPUT_CARBON,        /* carbon's ports, which OUTPUT_ANY sees as well */
    OUTPUT_LOGS,
    OUTPUT_TRACES,
    OUTPUT_SOURCE_COUNT
};

struct output_config; /* the map `outputs:`, read and checked */

/* ERR_INVALID with line and column. `outputs` may be NULL; it is not needed afterwards. */
int output_config_parse(const struct text_yaml *outputs, struct output_config **out,
                        struct diag *diag);
void output_config_free(struct output_config *config); /* NULL is fine */

struct output_env {
    struct net_loops *loops;
    struct task_pool *pool;
    struct os *os;
    const char *version; /* of Pharos, for User-Agent */
    const char *dir;     /* where what was not sent waits over a restart; NULL = nowhere */
};

struct output_set;

/* Takes the configuration. */
struct output_set *output_set_new(const struct output_env *env, struct output_config *config);
/* The same while running: outputs whose settings did not change go on with their queues. Not from a
 * loop thread, nor on two threads at once. */
void output_set_apply(struct output_set *set, struct output_config *config);
/* Tries for up to drain_ns to send what waits, then ends. Not from a loop thread; NULL is fine. */
void output_set_stop(struct output_set *set, int64_t drain_ns);

/* Somebody takes what comes from there. Any thread, cheap. */
bool output_set_wants(struct output_set *set, enum output_source source);
/* Any thread; the batch stays the caller's. */
void output_set_metrics(struct output_set *set, enum output_source source,
                        const struct data_metric_batch *batch);
/* The same of log lines or spans. */
void output_set_events(struct output_set *set, const struct data_event_batch *batch);
/* An array with what each one sent, holds and dropped. Any thread. */
void output_set_look(struct output_set *set, struct codec_json_writer *w);

/* The settings of one output as a Markdown table, for the documentation. */
void output_print_reference(struct buf *out);

#endif
