/* Mounted file systems: /proc/1/mounts (the host's, even from a container with the host's /proc)
 * and statvfs of each. */
#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "input/host/host_priv.h"

static const char *const excluded_types[] = {
    "autofs",     "binfmt_misc", "bpf",       "cgroup",   "cgroup2",   "configfs",
    "debugfs",    "devpts",      "devtmpfs",  "fusectl",  "hugetlbfs", "iso9660",
    "mqueue",     "nsfs",        "overlay",   "proc",     "procfs",    "pstore",
    "rpc_pipefs", "securityfs",  "selinuxfs", "squashfs", "sysfs",     "tracefs"};
/* A mount point at or below one of these. */
static const char *const excluded_points[] = {"/dev", "/proc", "/run", "/sys", "/mnt", "/media"};
/* Below one of these, at any depth of at least one. */
static const char *const excluded_below[] = {"/var/lib/docker/", "/var/lib/containers/storage/"};

static bool is_excluded(struct slice point, struct slice type)
{
    for (size_t i = 0; i < ARRAY_LEN(excluded_types); i++) {
        /* An overlay as root is what a container sees as its disk: shown, unlike other overlays. */
        if (slice_eq_cstr(type, excluded_types[i]) &&
            !(slice_eq_cstr(type, "overlay") && slice_eq_cstr(point, "/")))
            return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(excluded_points); i++) {
        struct slice p = slice_cstr(excluded_points[i]);
        if (slice_starts_with(point, p) && (point.len == p.len || point.ptr[p.len] == '/'))
            return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(excluded_below); i++) {
        if (slice_starts_with(point, slice_cstr(excluded_below[i])))
            return true;
    }
    return false;
}

/* The kernel writes space, tab, newline and backslash as \040, \011, \012, \134. */
static void unescape(char *out, size_t out_size, struct slice s)
{
    size_t len = 0;
    for (size_t i = 0; i < s.len && len + 1 < out_size; i++) {
        char c = s.ptr[i];
        if (c == '\\' && i + 3 < s.len) {
            c = (char)((s.ptr[i + 1] - '0') * 64 + (s.ptr[i + 2] - '0') * 8 + (s.ptr[i + 3] - '0'));
            i += 3;
        }
        out[len++] = c;
    }
    out[len] = '\0';
}

static bool has_option(struct slice options, const char *wanted)
{
    struct slice one;
    while (slice_split(&options, ',', &one)) {
        if (slice_eq_cstr(one, wanted))
            return true;
    }
    return false;
}

static void put_filesystem(struct host__ctx *ctx, const char *device, const char *point,
                           const char *type, bool readonly)
{
    static const struct host_metric
        size = HOST_GAUGE("node_filesystem_size_bytes", "Filesystem size in bytes."),
        free_bytes = HOST_GAUGE("node_filesystem_free_bytes", "Filesystem free space in bytes."),
        avail = HOST_GAUGE("node_filesystem_avail_bytes",
                           "Filesystem space available to non-root users in bytes."),
        files = HOST_GAUGE("node_filesystem_files", "Filesystem total file nodes."),
        files_free = HOST_GAUGE("node_filesystem_files_free", "Filesystem total free file nodes."),
        read_only = HOST_GAUGE("node_filesystem_readonly", "Filesystem read-only status."),
        error =
            HOST_GAUGE("node_filesystem_device_error",
                       "Whether an error occurred while getting statistics for the given device.");
    char path[4352];
    snprintf(path, sizeof(path), "%s%s", ctx->config.rootfs_path, point);
    struct statvfs st;
    bool failed = statvfs(path, &st) != 0;
#define FS_LABELS "device", device, "fstype", type, "mountpoint", point, NULL
    host__put(ctx, &error, failed, FS_LABELS);
    host__put(ctx, &read_only, readonly, FS_LABELS);
    if (failed)
        return;
    double block = (double)st.f_frsize;
    host__put(ctx, &size, (double)st.f_blocks * block, FS_LABELS);
    host__put(ctx, &free_bytes, (double)st.f_bfree * block, FS_LABELS);
    host__put(ctx, &avail, (double)st.f_bavail * block, FS_LABELS);
    host__put(ctx, &files, (double)st.f_files, FS_LABELS);
    host__put(ctx, &files_free, (double)st.f_ffree, FS_LABELS);
#undef FS_LABELS
}

void host__collect_filesystem(struct host__ctx *ctx)
{
    struct slice text = host__read(ctx, ctx->config.proc_path, "/1/mounts");
    if (!text.ptr)
        text = host__read(ctx, ctx->config.proc_path, "/self/mounts");
    /* A mount point may be mounted over; only the last one there can be seen. */
    struct map *last = map_new();
    struct slice rest = text, line, word[4];
    for (int pass = 0; pass < 2; pass++) {
        rest = text;
        for (uint64_t n = 1; host__line(&rest, &line); n++) {
            bool whole = true;
            for (size_t i = 0; i < ARRAY_LEN(word); i++)
                whole = whole && host__word(&line, &word[i]);
            if (!whole || is_excluded(word[1], word[2]))
                continue;
            if (pass == 0) {
                map_put(last, word[1], NULL)->value.u64 = n;
            } else if (map_get(last, word[1])->value.u64 == n) {
                char device[1024], point[4096], type[64];
                unescape(device, sizeof(device), word[0]);
                unescape(point, sizeof(point), word[1]);
                host__text(type, sizeof(type), word[2]);
                put_filesystem(ctx, device, point, type, has_option(word[3], "ro"));
            }
        }
    }
    map_free(last);
}
