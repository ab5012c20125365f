/* Host collectors: this machine's CPU, memory, disks, file systems, network, processes, control
 * groups, sensors and clock, read straight from /proc and /sys.
 *
 * Metric and label names, units and types are node_exporter's, so that its dashboards and rules
 * work as they are (labels job and instance added); control groups carry cAdvisor's container_*
 * names, the busiest processes pharos_process_*. Nothing here blocks on the network; file systems
 * that hang (dead NFS) are kept to a thread of the worker pool. */
#ifndef INPUT_HOST_HOST_H
#define INPUT_HOST_HOST_H

#include "base/diag.h"
#include "base/task.h"
#include "data/metric_batch.h"
#include "net/loop.h"
#include "pipe/sink.h"

struct input_host;

struct input_host_config {
    int64_t interval_ns;     /* between collections; default 10 s */
    const char *job;         /* label job; default "node" */
    const char *instance;    /* label instance; default the host name */
    const char *proc_path;   /* default "/proc" */
    const char *sys_path;    /* default "/sys" */
    const char *rootfs_path; /* prefix put before mount points when they are asked for their size;
                                default "" */
    size_t processes_max; /* so many by CPU and so many by memory are kept; default 15; 0 = none */
    size_t cgroups_max;   /* control groups reported; default 200; 0 = none */
};

/* Sets the defaults (instance stays NULL = host name). */
void input_host_config_init(struct input_host_config *config);

/* Config strings are copied. */
struct input_host *input_host_new(const struct input_host_config *config);
void input_host_free(struct input_host *h); /* stopped first; NULL is fine */

/* Adds everything that can be read now to `batch`, all with timestamp now_ns. What the kernel does
 * not offer is left out. One thread at a time. */
void input_host_collect(struct input_host *h, struct data_metric_batch *batch, int64_t now_ns);

/* Collects every interval into `sink` (aligned to whole intervals of the clock) on a worker of
 * `pool`, at once the first time. `now_ns` is the clock. */
void input_host_start(struct input_host *h, struct net_loop *loop, struct task_pool *pool,
                      struct pipe_sink *sink, int64_t (*now_ns)(void *ctx), void *now_ctx);
/* Returns when no collection runs any more. Not from the loop's thread. */
void input_host_stop(struct input_host *h);
/* Takes effect with the next collection. Thread-safe. */
void input_host_set_interval(struct input_host *h, int64_t interval_ns);

#endif
