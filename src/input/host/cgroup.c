/* Control groups (version 2, or the version 1 controllers), with cAdvisor's metric names: label id
 * is the group's path, as cAdvisor's. */
#include <stdio.h>

#include "base/vec.h"
#include "input/host/host_priv.h"

#define DEPTH_MAX 6

static const struct host_metric
    cpu_usage = HOST_COUNTER("container_cpu_usage_seconds_total",
                             "Cumulative cpu time consumed in seconds."),
    cpu_user = HOST_COUNTER("container_cpu_user_seconds_total",
                            "Cumulative user cpu time consumed in seconds."),
    cpu_system = HOST_COUNTER("container_cpu_system_seconds_total",
                              "Cumulative system cpu time consumed in seconds."),
    cpu_periods = HOST_COUNTER("container_cpu_cfs_periods_total",
                               "Number of elapsed enforcement period intervals."),
    cpu_throttled_periods = HOST_COUNTER("container_cpu_cfs_throttled_periods_total",
                                         "Number of throttled period intervals."),
    cpu_throttled = HOST_COUNTER("container_cpu_cfs_throttled_seconds_total",
                                 "Total time duration the container has been throttled."),
    memory_usage = HOST_GAUGE(
        "container_memory_usage_bytes",
        "Current memory usage in bytes, including all memory regardless of when it was accessed"),
    memory_working =
        HOST_GAUGE("container_memory_working_set_bytes", "Current working set in bytes."),
    memory_rss = HOST_GAUGE("container_memory_rss", "Size of RSS in bytes."),
    memory_cache = HOST_GAUGE("container_memory_cache", "Number of bytes of page cache memory."),
    memory_limit =
        HOST_GAUGE("container_spec_memory_limit_bytes", "Memory limit for the container."),
    memory_failures = HOST_COUNTER("container_oom_events_total",
                                   "Count of out of memory events observed for the container"),
    io_read = HOST_COUNTER("container_fs_reads_bytes_total", "Cumulative count of bytes read"),
    io_write = HOST_COUNTER("container_fs_writes_bytes_total", "Cumulative count of bytes written"),
    process_count =
        HOST_GAUGE("container_processes", "Number of processes running inside the container.");

struct walk {
    VEC(char *) groups; /* paths below the root, "" for the root itself */
    size_t max;
    const char *root; /* below sys_path: where the directories are listed */
    const char *parent;
    int depth;
};

static void walk_group(struct host__ctx *ctx, struct walk *w, const char *path, int depth);

static void walk_child(struct host__ctx *ctx, const char *name, void *arg)
{
    struct walk *w = arg;
    /* Files hold a dot before their controller's word ("cpu.stat") or have no cgroup.procs below.
     */
    char path[2048], probe[2600];
    snprintf(path, sizeof(path), "%s/%s", w->parent, name);
    snprintf(probe, sizeof(probe), "%s/cgroup.procs", path);
    FILE *f = NULL;
    char full[4096];
    snprintf(full, sizeof(full), "%s%s%s", ctx->config.sys_path, w->root, probe);
    f = fopen(full, "re");
    if (!f)
        return;
    fclose(f);
    const char *parent = w->parent;
    int depth = w->depth;
    walk_group(ctx, w, path, depth + 1);
    w->parent = parent;
    w->depth = depth;
}

static void walk_group(struct host__ctx *ctx, struct walk *w, const char *path, int depth)
{
    if (w->groups.len >= w->max || depth > DEPTH_MAX)
        return;
    vec_push(&w->groups, mem_strdup(path));
    w->parent = path;
    w->depth = depth;
    host__each_entry(ctx, walk_child, w, ctx->config.sys_path, "%s%s", w->root, path);
}

/* The number behind `key` in a file of "key number" lines; false when it is not there. */
static bool field(struct slice text, const char *key, double *out)
{
    struct slice line, name, value;
    while (host__line(&text, &line)) {
        if (host__word(&line, &name) && slice_eq_cstr(name, key) && host__word(&line, &value)) {
            *out = host__double(value);
            return true;
        }
    }
    return false;
}

static void put_field(struct host__ctx *ctx, struct slice text, const char *key, double scale,
                      const struct host_metric *m, const char *id)
{
    double v;
    if (field(text, key, &v))
        host__put(ctx, m, v * scale, "id", id, NULL);
}

static void collect_v2(struct host__ctx *ctx, const char *path, const char *id)
{
    const char *sys = ctx->config.sys_path;
    struct slice text = host__read(ctx, sys, "/fs/cgroup%s/cpu.stat", path);
    put_field(ctx, text, "usage_usec", 1e-6, &cpu_usage, id);
    put_field(ctx, text, "user_usec", 1e-6, &cpu_user, id);
    put_field(ctx, text, "system_usec", 1e-6, &cpu_system, id);
    put_field(ctx, text, "nr_periods", 1, &cpu_periods, id);
    put_field(ctx, text, "nr_throttled", 1, &cpu_throttled_periods, id);
    put_field(ctx, text, "throttled_usec", 1e-6, &cpu_throttled, id);
    double used, inactive = 0, v;
    if (host__read_number(ctx, &used, sys, "/fs/cgroup%s/memory.current", path)) {
        host__put(ctx, &memory_usage, used, "id", id, NULL);
        text = host__read(ctx, sys, "/fs/cgroup%s/memory.stat", path);
        field(text, "inactive_file", &inactive);
        host__put(ctx, &memory_working, used > inactive ? used - inactive : 0, "id", id, NULL);
        put_field(ctx, text, "anon", 1, &memory_rss, id);
        put_field(ctx, text, "file", 1, &memory_cache, id);
        text = host__read(ctx, sys, "/fs/cgroup%s/memory.events", path);
        put_field(ctx, text, "oom_kill", 1, &memory_failures, id);
    }
    /* "max" means none: cAdvisor says 0. */
    char limit[32];
    if (host__read_line(ctx, limit, sizeof(limit), sys, "/fs/cgroup%s/memory.max", path))
        host__put(ctx, &memory_limit, host__double(slice_cstr(limit)), "id", id, NULL);
    if (host__read_number(ctx, &v, sys, "/fs/cgroup%s/pids.current", path))
        host__put(ctx, &process_count, v, "id", id, NULL);
    /* "8:0 rbytes=1 wbytes=2 rios=3 ..." a device. */
    text = host__read(ctx, sys, "/fs/cgroup%s/io.stat", path);
    if (text.ptr && text.len) {
        double read_sum = 0, write_sum = 0;
        struct slice line, word;
        while (host__line(&text, &line)) {
            while (host__word(&line, &word)) {
                if (slice_starts_with(word, SLICE("rbytes=")))
                    read_sum += host__double(slice_from(word, 7));
                else if (slice_starts_with(word, SLICE("wbytes=")))
                    write_sum += host__double(slice_from(word, 7));
            }
        }
        host__put(ctx, &io_read, read_sum, "id", id, NULL);
        host__put(ctx, &io_write, write_sum, "id", id, NULL);
    }
}

static void collect_v1(struct host__ctx *ctx, const char *path, const char *id)
{
    const char *sys = ctx->config.sys_path;
    double v, inactive = 0;
    if (host__read_number(ctx, &v, sys, "/fs/cgroup/cpuacct%s/cpuacct.usage", path))
        host__put(ctx, &cpu_usage, v / 1e9, "id", id, NULL);
    struct slice text = host__read(ctx, sys, "/fs/cgroup/cpu%s/cpu.stat", path);
    put_field(ctx, text, "nr_periods", 1, &cpu_periods, id);
    put_field(ctx, text, "nr_throttled", 1, &cpu_throttled_periods, id);
    put_field(ctx, text, "throttled_time", 1e-9, &cpu_throttled, id);
    if (host__read_number(ctx, &v, sys, "/fs/cgroup/memory%s/memory.usage_in_bytes", path)) {
        host__put(ctx, &memory_usage, v, "id", id, NULL);
        text = host__read(ctx, sys, "/fs/cgroup/memory%s/memory.stat", path);
        field(text, "total_inactive_file", &inactive);
        host__put(ctx, &memory_working, v > inactive ? v - inactive : 0, "id", id, NULL);
        put_field(ctx, text, "total_rss", 1, &memory_rss, id);
        put_field(ctx, text, "total_cache", 1, &memory_cache, id);
    }
}

void host__collect_cgroups(struct host__ctx *ctx)
{
    if (!ctx->config.cgroups_max)
        return;
    bool unified =
        host__read(ctx, ctx->config.sys_path, "/fs/cgroup/cgroup.controllers").ptr != NULL;
    struct walk w = {.max = ctx->config.cgroups_max,
                     .root = unified ? "/fs/cgroup" : "/fs/cgroup/memory"};
    walk_group(ctx, &w, "", 0);
    for (size_t i = 0; i < w.groups.len; i++) {
        const char *path = w.groups.items[i], *id = path[0] ? path : "/";
        if (unified)
            collect_v2(ctx, path, id);
        else
            collect_v1(ctx, path, id);
        mem_free(w.groups.items[i]);
    }
    vec_free(&w.groups);
}
