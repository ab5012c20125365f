/* Block devices: /proc/diskstats (Documentation/admin-guide/iostats.rst in the kernel). */
#include "input/host/host_priv.h"

#define SECTOR_BYTES 512.0

static const struct {
    size_t field; /* behind the device name */
    double scale;
    struct host_metric metric;
} columns[] = {
    {0, 1,
     HOST_COUNTER("node_disk_reads_completed_total",
                  "The total number of reads completed successfully.")},
    {1, 1, HOST_COUNTER("node_disk_reads_merged_total", "The total number of reads merged.")},
    {2, SECTOR_BYTES,
     HOST_COUNTER("node_disk_read_bytes_total", "The total number of bytes read successfully.")},
    {3, 1e-3,
     HOST_COUNTER("node_disk_read_time_seconds_total",
                  "The total number of seconds spent by all reads.")},
    {4, 1,
     HOST_COUNTER("node_disk_writes_completed_total",
                  "The total number of writes completed successfully.")},
    {5, 1, HOST_COUNTER("node_disk_writes_merged_total", "The number of writes merged.")},
    {6, SECTOR_BYTES,
     HOST_COUNTER("node_disk_written_bytes_total",
                  "The total number of bytes written successfully.")},
    {7, 1e-3,
     HOST_COUNTER("node_disk_write_time_seconds_total",
                  "This is the total number of seconds spent by all writes.")},
    {8, 1, HOST_GAUGE("node_disk_io_now", "The number of I/Os currently in progress.")},
    {9, 1e-3, HOST_COUNTER("node_disk_io_time_seconds_total", "Total seconds spent doing I/Os.")},
    {10, 1e-3,
     HOST_COUNTER("node_disk_io_time_weighted_seconds_total",
                  "The weighted # of seconds spent doing I/Os.")},
    {11, 1,
     HOST_COUNTER("node_disk_discards_completed_total",
                  "The total number of discards completed successfully.")},
    {12, 1,
     HOST_COUNTER("node_disk_discards_merged_total", "The total number of discards merged.")},
    {13, 1,
     HOST_COUNTER("node_disk_discarded_sectors_total",
                  "The total number of sectors discarded successfully.")},
    {14, 1e-3,
     HOST_COUNTER("node_disk_discard_time_seconds_total",
                  "This is the total number of seconds spent by all discards.")},
    {15, 1,
     HOST_COUNTER("node_disk_flush_requests_total",
                  "The total number of flush requests completed successfully")},
    {16, 1e-3,
     HOST_COUNTER("node_disk_flush_requests_time_seconds_total",
                  "This is the total number of seconds spent by all flush requests.")},
};

static bool is_digits(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    }
    return s.len > 0;
}

static size_t digits_at_end(struct slice s)
{
    size_t n = 0;
    while (n < s.len && s.ptr[s.len - 1 - n] >= '0' && s.ptr[s.len - 1 - n] <= '9')
        n++;
    return n;
}

/* RAM disks, loops, floppies and partitions: ram0 loop3 fd0 sda1 hdb2 vda1 xvda1 nvme0n1p2. */
static bool is_excluded(struct slice device)
{
    static const char *const prefixes[] = {"ram", "loop", "fd"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        struct slice p = slice_cstr(prefixes[i]);
        if (slice_starts_with(device, p) && is_digits(slice_from(device, p.len)))
            return true;
    }
    size_t digits = digits_at_end(device);
    if (!digits)
        return false;
    struct slice stem = slice_first(device, device.len - digits);
    if (slice_starts_with(device, SLICE("nvme")))
        return slice_ends_with(stem, SLICE("p")) && slice_find_char(stem, 'n') >= 0;
    struct slice disk = slice_starts_with(stem, SLICE("xvd")) ? slice_from(stem, 1) : stem;
    return disk.len == 3 && disk.ptr[1] == 'd' &&
           (disk.ptr[0] == 'h' || disk.ptr[0] == 's' || disk.ptr[0] == 'v' || disk.ptr[0] == 'x') &&
           disk.ptr[2] >= 'a' && disk.ptr[2] <= 'z';
}

void host__collect_disk(struct host__ctx *ctx)
{
    static const struct host_metric info =
        HOST_GAUGE("node_disk_info", "Info of /sys/block/<block_device>.");
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/diskstats"), line, major, minor,
                 name, word;
    while (host__line(&rest, &line)) {
        if (!host__word(&line, &major) || !host__word(&line, &minor) || !host__word(&line, &name) ||
            is_excluded(name))
            continue;
        char device[64], major_text[16], minor_text[16];
        host__text(device, sizeof(device), name);
        host__text(major_text, sizeof(major_text), major);
        host__text(minor_text, sizeof(minor_text), minor);
        host__put(ctx, &info, 1, "device", device, "major", major_text, "minor", minor_text, NULL);
        for (size_t i = 0; i < ARRAY_LEN(columns) && host__word(&line, &word); i++)
            host__put(ctx, &columns[i].metric, host__double(word) * columns[i].scale, "device",
                      device, NULL);
    }
}
