/* CPU time, load, scheduler, interrupts: /proc/stat, /proc/loadavg, /proc/schedstat,
 * /proc/net/softnet_stat, /sys/devices/system/cpu/. */
#include <stdio.h>

#include "input/host/host_priv.h"

/* USER_HZ is 100 on every architecture Linux runs Pharos on. */
#define TICKS_PER_SEC 100.0

static const char *const modes[] = {"user",   "nice", "system",  "idle",
                                    "iowait", "irq",  "softirq", "steal"};

static const struct host_metric cpu_seconds =
    HOST_COUNTER("node_cpu_seconds_total", "Seconds the CPUs spent in each mode.");
static const struct host_metric guest_seconds = HOST_COUNTER(
    "node_cpu_guest_seconds_total", "Seconds the CPUs spent in guests (VMs) for each mode.");
static const struct host_metric intr =
    HOST_COUNTER("node_intr_total", "Total number of interrupts serviced.");
static const struct host_metric ctxt =
    HOST_COUNTER("node_context_switches_total", "Total number of context switches.");
static const struct host_metric forks = HOST_COUNTER("node_forks_total", "Total number of forks.");
static const struct host_metric boot =
    HOST_GAUGE("node_boot_time_seconds", "Node boot time, in unixtime.");
static const struct host_metric running =
    HOST_GAUGE("node_procs_running", "Number of processes in runnable state.");
static const struct host_metric blocked =
    HOST_GAUGE("node_procs_blocked", "Number of processes blocked waiting for I/O to complete.");

static void put_cpu_line(struct host__ctx *ctx, struct slice cpu, struct slice line)
{
    char name[16];
    host__text(name, sizeof(name), cpu);
    struct slice word;
    for (size_t i = 0; i < ARRAY_LEN(modes) && host__word(&line, &word); i++)
        host__put(ctx, &cpu_seconds, host__double(word) / TICKS_PER_SEC, "cpu", name, "mode",
                  modes[i], NULL);
    if (host__word(&line, &word))
        host__put(ctx, &guest_seconds, host__double(word) / TICKS_PER_SEC, "cpu", name, "mode",
                  "user", NULL);
    if (host__word(&line, &word))
        host__put(ctx, &guest_seconds, host__double(word) / TICKS_PER_SEC, "cpu", name, "mode",
                  "nice", NULL);
}

static void collect_stat(struct host__ctx *ctx)
{
    static const struct {
        const char *key;
        const struct host_metric *metric;
    } singles[] = {{"intr", &intr},
                   {"ctxt", &ctxt},
                   {"processes", &forks},
                   {"btime", &boot},
                   {"procs_running", &running},
                   {"procs_blocked", &blocked}};
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/stat");
    struct slice line, key, value;
    while (host__line(&rest, &line)) {
        if (!host__word(&line, &key))
            continue;
        if (key.len > 3 && slice_starts_with(key, SLICE("cpu"))) {
            put_cpu_line(ctx, slice_from(key, 3), line);
            continue;
        }
        for (size_t i = 0; i < ARRAY_LEN(singles); i++) {
            if (slice_eq_cstr(key, singles[i].key) && host__word(&line, &value))
                host__put(ctx, singles[i].metric, host__double(value), NULL);
        }
    }
}

static void collect_load(struct host__ctx *ctx)
{
    static const struct host_metric load[] = {HOST_GAUGE("node_load1", "1m load average."),
                                              HOST_GAUGE("node_load5", "5m load average."),
                                              HOST_GAUGE("node_load15", "15m load average.")};
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/loadavg"), word;
    for (size_t i = 0; i < ARRAY_LEN(load) && host__word(&rest, &word); i++)
        host__put(ctx, &load[i], host__double(word), NULL);
}

/* "cpu0 0 0 0 0 0 0 <running ns> <waiting ns> <timeslices>" */
static void collect_schedstat(struct host__ctx *ctx)
{
    static const struct host_metric run = HOST_COUNTER(
        "node_schedstat_running_seconds_total", "Number of seconds CPU spent running a process.");
    static const struct host_metric wait =
        HOST_COUNTER("node_schedstat_waiting_seconds_total",
                     "Number of seconds spent by processing waiting for this CPU.");
    static const struct host_metric slices =
        HOST_COUNTER("node_schedstat_timeslices_total", "Number of timeslices executed by CPU.");
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/schedstat"), line, key, word;
    while (host__line(&rest, &line)) {
        if (!host__word(&line, &key) || key.len <= 3 || !slice_starts_with(key, SLICE("cpu")))
            continue;
        char cpu[16];
        host__text(cpu, sizeof(cpu), slice_from(key, 3));
        uint64_t field[9] = {0};
        for (size_t i = 0; i < ARRAY_LEN(field) && host__word(&line, &word); i++)
            field[i] = host__u64(word);
        host__put(ctx, &run, (double)field[6] / 1e9, "cpu", cpu, NULL);
        host__put(ctx, &wait, (double)field[7] / 1e9, "cpu", cpu, NULL);
        host__put(ctx, &slices, (double)field[8], "cpu", cpu, NULL);
    }
}

static uint64_t hex_of(struct slice word)
{
    uint64_t v = 0;
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            break;
        v = v << 4 | (uint64_t)digit;
    }
    return v;
}

/* One line a CPU, hexadecimal columns; column 13 names the CPU on kernels that have it. */
static void collect_softnet(struct host__ctx *ctx)
{
    static const struct {
        size_t column;
        struct host_metric metric;
    } columns[] = {
        {0, HOST_COUNTER("node_softnet_processed_total", "Number of processed packets")},
        {1, HOST_COUNTER("node_softnet_dropped_total", "Number of dropped packets")},
        {2, HOST_COUNTER("node_softnet_times_squeezed_total",
                         "Number of times processing packets ran out of quota")},
        {9, HOST_COUNTER("node_softnet_received_rps_total",
                         "Number of times cpu woken up received_rps")},
        {10, HOST_COUNTER("node_softnet_flow_limit_count_total",
                          "Number of times flow limit has been reached")},
    };
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/net/softnet_stat"), line, word;
    for (unsigned row = 0; host__line(&rest, &line); row++) {
        uint64_t field[13] = {0};
        size_t count = 0;
        while (count < ARRAY_LEN(field) && host__word(&line, &word))
            field[count++] = hex_of(word);
        char cpu[16];
        snprintf(cpu, sizeof(cpu), "%u", count == 13 ? (unsigned)field[12] : row);
        for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
            if (columns[i].column < count)
                host__put(ctx, &columns[i].metric, (double)field[columns[i].column], "cpu", cpu,
                          NULL);
        }
    }
}

static void collect_frequency(struct host__ctx *ctx, const char *name, void *arg)
{
    static const struct {
        const char *file;
        struct host_metric metric;
    } files[] = {
        {"scaling_cur_freq", HOST_GAUGE("node_cpu_scaling_frequency_hertz",
                                        "Current scaled CPU thread frequency in hertz.")},
        {"scaling_min_freq", HOST_GAUGE("node_cpu_scaling_frequency_min_hertz",
                                        "Minimum scaled CPU thread frequency in hertz.")},
        {"scaling_max_freq", HOST_GAUGE("node_cpu_scaling_frequency_max_hertz",
                                        "Maximum scaled CPU thread frequency in hertz.")},
        {"cpuinfo_min_freq",
         HOST_GAUGE("node_cpu_frequency_min_hertz", "Minimum CPU thread frequency in hertz.")},
        {"cpuinfo_max_freq",
         HOST_GAUGE("node_cpu_frequency_max_hertz", "Maximum CPU thread frequency in hertz.")},
    };
    (void)arg;
    if (name[0] != 'c' || name[1] != 'p' || name[2] != 'u' || name[3] < '0' || name[3] > '9')
        return;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        double khz;
        if (host__read_number(ctx, &khz, ctx->config.sys_path, "/devices/system/cpu/%s/cpufreq/%s",
                              name, files[i].file))
            host__put(ctx, &files[i].metric, khz * 1000, "cpu", name + 3, NULL);
    }
}

void host__collect_cpu(struct host__ctx *ctx)
{
    collect_stat(ctx);
    collect_load(ctx);
    collect_schedstat(ctx);
    collect_softnet(ctx);
    host__each_entry(ctx, collect_frequency, NULL, ctx->config.sys_path, "/devices/system/cpu");
}
