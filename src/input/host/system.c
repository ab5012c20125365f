/* The machine as a whole: name, kernel, distribution, clock, entropy, file handles. */
#include <stdio.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>

#include "input/host/host_priv.h"

static void collect_uname(struct host__ctx *ctx)
{
    static const struct host_metric uname_info = HOST_GAUGE(
        "node_uname_info", "Labeled system information as provided by the uname system call.");
    struct utsname u;
    if (uname(&u) == 0)
        host__put(ctx, &uname_info, 1, "domainname", u.domainname, "machine", u.machine, "nodename",
                  u.nodename, "release", u.release, "sysname", u.sysname, "version", u.version,
                  NULL);
}

/* KEY=value or KEY="value" lines. */
static void collect_os_release(struct host__ctx *ctx)
{
    static const char *const keys[] = {"ID",      "ID_LIKE",          "NAME",      "PRETTY_NAME",
                                       "VERSION", "VERSION_CODENAME", "VERSION_ID"};
    static const struct host_metric
        info =
            HOST_GAUGE("node_os_info",
                       "A metric with a constant '1' value labeled by the fields of os-release."),
        version = HOST_GAUGE("node_os_version",
                             "Metric containing the major.minor part of the OS version.");
    char values[ARRAY_LEN(keys)][128] = {{0}};
    struct slice rest = host__read(ctx, ctx->config.rootfs_path, "/etc/os-release"), line;
    if (!rest.ptr)
        return;
    while (host__line(&rest, &line)) {
        ptrdiff_t eq = slice_find_char(line, '=');
        if (eq < 0)
            continue;
        struct slice value = slice_trim(slice_from(line, (size_t)eq + 1));
        if (value.len >= 2 && (value.ptr[0] == '"' || value.ptr[0] == '\''))
            value = slice_make(value.ptr + 1, value.len - 2);
        for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
            if (slice_eq_cstr(slice_first(line, (size_t)eq), keys[i]))
                host__text(values[i], sizeof(values[i]), value);
        }
    }
    host__put(ctx, &info, 1, "id", values[0], "id_like", values[1], "name", values[2],
              "pretty_name", values[3], "version", values[4], "version_codename", values[5],
              "version_id", values[6], NULL);
    if (values[6][0])
        host__put(ctx, &version, host__double(slice_cstr(values[6])), "id", values[0], "id_like",
                  values[1], "name", values[2], NULL);
}

static void collect_time(struct host__ctx *ctx)
{
    static const struct host_metric now = HOST_GAUGE("node_time_seconds",
                                                     "System time in seconds since epoch (1970)."),
                                    offset = HOST_GAUGE("node_time_zone_offset_seconds",
                                                        "System time zone offset in seconds.");
    host__put(ctx, &now, (double)ctx->now_ns / 1e9, NULL);
    time_t t = (time_t)(ctx->now_ns / NS_PER_SEC);
    struct tm tm;
    if (localtime_r(&t, &tm)) {
        char zone[32];
        snprintf(zone, sizeof(zone), "%s", tm.tm_zone ? tm.tm_zone : "");
        host__put(ctx, &offset, (double)tm.tm_gmtoff, "time_zone", zone, NULL);
    }
}

static void collect_timex(struct host__ctx *ctx)
{
    struct timex tx = {.modes = 0};
    int state = adjtimex(&tx);
    if (state < 0)
        return;
    double unit = tx.status & STA_NANO ? 1e-9 : 1e-6;
    const double ppm = 65536e6; /* kernel frequencies are parts per million with 16 fraction bits */
    const struct {
        struct host_metric metric;
        double value;
    } rows[] = {
        {HOST_GAUGE("node_timex_sync_status",
                    "Is clock synchronized to a reliable server (1 = yes, 0 = no)."),
         state != TIME_ERROR},
        {HOST_GAUGE("node_timex_status", "Value of the status array bits."), tx.status},
        {HOST_GAUGE("node_timex_offset_seconds",
                    "Time offset in between local system and reference clock."),
         (double)tx.offset * unit},
        {HOST_GAUGE("node_timex_frequency_adjustment_ratio", "Local clock frequency adjustment."),
         1 + (double)tx.freq / ppm},
        {HOST_GAUGE("node_timex_maxerror_seconds", "Maximum error in seconds."),
         (double)tx.maxerror / 1e6},
        {HOST_GAUGE("node_timex_estimated_error_seconds", "Estimated error in seconds."),
         (double)tx.esterror / 1e6},
        {HOST_GAUGE("node_timex_loop_time_constant", "Phase-locked loop time constant."),
         (double)tx.constant},
        {HOST_GAUGE("node_timex_tick_seconds", "Seconds between clock ticks."),
         (double)tx.tick / 1e6},
        {HOST_GAUGE("node_timex_pps_frequency_hertz", "Pulse per second frequency."),
         (double)tx.ppsfreq / ppm},
        {HOST_GAUGE("node_timex_pps_jitter_seconds", "Pulse per second jitter."),
         (double)tx.jitter * unit},
        {HOST_GAUGE("node_timex_pps_shift_seconds", "Pulse per second interval duration."),
         (double)tx.shift},
        {HOST_GAUGE("node_timex_pps_stability_hertz",
                    "Pulse per second stability, average of recent frequency changes."),
         (double)tx.stabil / ppm},
        {HOST_COUNTER("node_timex_pps_jitter_total",
                      "Pulse per second count of jitter limit exceeded events."),
         (double)tx.jitcnt},
        {HOST_COUNTER("node_timex_pps_calibration_total",
                      "Pulse per second count of calibration intervals."),
         (double)tx.calcnt},
        {HOST_COUNTER("node_timex_pps_error_total",
                      "Pulse per second count of calibration errors."),
         (double)tx.errcnt},
        {HOST_COUNTER("node_timex_pps_stability_exceeded_total",
                      "Pulse per second count of stability limit exceeded events."),
         (double)tx.stbcnt},
        {HOST_GAUGE("node_timex_tai_offset_seconds", "International Atomic Time (TAI) offset."),
         tx.tai},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        host__put(ctx, &rows[i].metric, rows[i].value, NULL);
}

static void collect_kernel_limits(struct host__ctx *ctx)
{
    static const struct {
        const char *file;
        struct host_metric metric;
    } files[] = {
        {"kernel/random/entropy_avail",
         HOST_GAUGE("node_entropy_available_bits", "Bits of available entropy.")},
        {"kernel/random/poolsize",
         HOST_GAUGE("node_entropy_pool_size_bits", "Bits of entropy pool.")},
        {"kernel/threads-max",
         HOST_GAUGE("node_processes_max_threads", "Limit of threads in the system")},
        {"kernel/pid_max", HOST_GAUGE("node_processes_max_processes", "Number of max PIDs limit")},
    };
    static const struct host_metric
        allocated = HOST_GAUGE("node_filefd_allocated", "File descriptor statistics: allocated."),
        maximum = HOST_GAUGE("node_filefd_maximum", "File descriptor statistics: maximum."),
        selinux = HOST_GAUGE("node_selinux_enabled", "SELinux is enabled, 1 is true, 0 is false");
    double v;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (host__read_number(ctx, &v, ctx->config.proc_path, "/sys/%s", files[i].file))
            host__put(ctx, &files[i].metric, v, NULL);
    }
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/sys/fs/file-nr"), word[3];
    if (host__word(&rest, &word[0]) && host__word(&rest, &word[1]) && host__word(&rest, &word[2])) {
        double max = host__double(word[2]);
        host__put(ctx, &allocated, host__double(word[0]), NULL);
        host__put(ctx, &maximum, max, NULL);
    }
    host__put(ctx, &selinux,
              host__read_number(ctx, &v, ctx->config.sys_path, "/fs/selinux/enforce"), NULL);
}

void host__collect_system(struct host__ctx *ctx)
{
    collect_uname(ctx);
    collect_os_release(ctx);
    collect_time(ctx);
    collect_timex(ctx);
    collect_kernel_limits(ctx);
}
