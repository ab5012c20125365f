/* Memory, paging and pressure: /proc/meminfo, /proc/vmstat, /proc/pressure/. */
#include <stdio.h>

#include "input/host/host_priv.h"

/* "MemTotal:  24 kB" -> node_memory_MemTotal_bytes; "Active(anon):" -> Active_anon; lines without a
 * unit (HugePages_Total) keep their number and get no suffix. */
static void collect_meminfo(struct host__ctx *ctx)
{
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/meminfo"), line, key, value, unit;
    while (host__line(&rest, &line)) {
        if (!host__word(&line, &key) || !host__word(&line, &value))
            continue;
        bool in_kib = host__word(&line, &unit) && slice_eq_cstr(unit, "kB");
        char name[128] = "node_memory_";
        size_t len = strlen(name);
        for (size_t i = 0; i < key.len && len < sizeof(name) - 8; i++) {
            char c = key.ptr[i];
            if (c == '(')
                name[len++] = '_';
            else if (c != ')' && c != ':')
                name[len++] = c;
        }
        snprintf(name + len, sizeof(name) - len, "%s", in_kib ? "_bytes" : "");
        host__put_named(ctx, name, DATA_METRIC_GAUGE, "Memory information field of /proc/meminfo.",
                        host__double(value) * (in_kib ? 1024 : 1), NULL);
    }
}

static void collect_vmstat(struct host__ctx *ctx)
{
    static const char *const wanted[] = {"oom_kill", "pgpgin",  "pgpgout",   "pswpin",
                                         "pswpout",  "pgfault", "pgmajfault"};
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/vmstat"), line, key, value;
    while (host__line(&rest, &line)) {
        if (!host__word(&line, &key) || !host__word(&line, &value))
            continue;
        for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
            if (!slice_eq_cstr(key, wanted[i]))
                continue;
            char name[64];
            snprintf(name, sizeof(name), "node_vmstat_%s", wanted[i]);
            host__put_named(ctx, name, DATA_METRIC_UNKNOWN, "Field of /proc/vmstat.",
                            host__double(value), NULL);
        }
    }
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=123" in microseconds. */
static void collect_pressure(struct host__ctx *ctx)
{
    static const struct {
        const char *file, *kind;
        struct host_metric metric;
    } rows[] = {
        {"cpu", "some",
         HOST_COUNTER("node_pressure_cpu_waiting_seconds_total",
                      "Total time in seconds that processes have waited for CPU time")},
        {"io", "some",
         HOST_COUNTER("node_pressure_io_waiting_seconds_total",
                      "Total time in seconds that processes have waited due to IO congestion")},
        {"io", "full",
         HOST_COUNTER("node_pressure_io_stalled_seconds_total",
                      "Total time in seconds no process could make progress due to IO congestion")},
        {"memory", "some",
         HOST_COUNTER("node_pressure_memory_waiting_seconds_total",
                      "Total time in seconds that processes have waited for memory")},
        {"memory", "full",
         HOST_COUNTER(
             "node_pressure_memory_stalled_seconds_total",
             "Total time in seconds no process could make progress due to memory congestion")},
        {"irq", "full",
         HOST_COUNTER(
             "node_pressure_irq_stalled_seconds_total",
             "Total time in seconds no process could make progress due to IRQ congestion")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice rest = host__read(ctx, ctx->config.proc_path, "/pressure/%s", rows[i].file);
        struct slice line, word;
        while (host__line(&rest, &line)) {
            if (!host__word(&line, &word) || !slice_eq_cstr(word, rows[i].kind))
                continue;
            while (host__word(&line, &word)) {
                if (slice_starts_with(word, SLICE("total=")))
                    host__put(ctx, &rows[i].metric, host__double(slice_from(word, 6)) / 1e6, NULL);
            }
        }
    }
}

void host__collect_memory(struct host__ctx *ctx)
{
    collect_meminfo(ctx);
    collect_vmstat(ctx);
    collect_pressure(ctx);
}
