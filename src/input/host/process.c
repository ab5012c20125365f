/* Processes: how many in which state, and the busiest ones by CPU and by memory
 * (proc(5): /proc/<pid>/stat, /proc/<pid>/io, /etc/passwd for names). */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/vec.h"
#include "input/host/host_priv.h"

struct process {
    uint32_t pid;
    char state;
    char comm[20];
    uint64_t start_ticks; /* with the pid the identity: pids are reused */
    uint64_t cpu_ticks;
    uint64_t cpu_delta; /* since the last collection */
    uint64_t rss_pages;
    uint64_t threads;
    bool keep;
};

/* What was seen last time, sorted by pid. */
struct host_process_state {
    VEC(struct process) before, now;
};

void host__processes_free(struct host_process_state *state)
{
    if (!state)
        return;
    vec_free(&state->before);
    vec_free(&state->now);
    mem_free(state);
}

/* "pid (comm) S ppid ...": comm may hold spaces and parentheses, so the last ')' ends it. */
static bool parse_stat(struct slice text, struct process *p)
{
    ptrdiff_t open = slice_find_char(text, '(');
    const char *close = text.len ? memrchr(text.ptr, ')', text.len) : NULL;
    if (open < 0 || !close || close < text.ptr + open)
        return false;
    host__text(p->comm, sizeof(p->comm),
               slice_make(text.ptr + open + 1, (size_t)(close - text.ptr - open - 1)));
    struct slice rest = slice_from(text, (size_t)(close - text.ptr) + 1), word;
    /* Field numbers of proc(5), the state being 3. */
    for (int field = 3; field <= 24 && host__word(&rest, &word); field++) {
        switch (field) {
        case 3: p->state = word.ptr[0]; break;
        case 14: p->cpu_ticks = host__u64(word); break;
        case 15: p->cpu_ticks += host__u64(word); break;
        case 20: p->threads = host__u64(word); break;
        case 22: p->start_ticks = host__u64(word); break;
        case 24: p->rss_pages = host__u64(word); return true;
        }
    }
    return false;
}

static void add_process(struct host__ctx *ctx, const char *name, void *arg)
{
    struct host_process_state *state = arg;
    if (name[0] < '0' || name[0] > '9')
        return;
    struct process p = {.pid = (uint32_t)host__u64(slice_cstr(name))};
    if (parse_stat(host__read(ctx, ctx->config.proc_path, "/%s/stat", name), &p))
        vec_push(&state->now, p);
}

static int by_pid(const void *a, const void *b)
{
    uint32_t x = ((const struct process *)a)->pid, y = ((const struct process *)b)->pid;
    return (x > y) - (x < y);
}

static int by_cpu(const void *a, const void *b)
{
    uint64_t x = ((const struct process *)a)->cpu_delta, y = ((const struct process *)b)->cpu_delta;
    return (x < y) - (x > y);
}

static int by_memory(const void *a, const void *b)
{
    uint64_t x = ((const struct process *)a)->rss_pages, y = ((const struct process *)b)->rss_pages;
    return (x < y) - (x > y);
}

static const char *user_name(struct host__ctx *ctx, uid_t uid, char *out, size_t out_size)
{
    snprintf(out, out_size, "%u", (unsigned)uid);
    struct map_entry *known = map_get(ctx->users, slice_cstr(out));
    if (known)
        return known->value.ptr;
    /* The file is small and read once a new uid: name:x:uid:... */
    struct slice rest = host__read(ctx, ctx->config.rootfs_path, "/etc/passwd"), line;
    char *name = mem_strdup(out);
    while (host__line(&rest, &line)) {
        struct slice user, skip, id;
        if (slice_split(&line, ':', &user) && slice_split(&line, ':', &skip) &&
            slice_split(&line, ':', &id) && slice_eq_cstr(id, out)) {
            mem_free(name);
            name = mem_calloc(1, user.len + 1);
            memcpy(name, user.ptr, user.len);
            break;
        }
    }
    map_put(ctx->users, slice_cstr(out), NULL)->value.ptr = name;
    return name;
}

static void put_process(struct host__ctx *ctx, const struct process *p)
{
    static const struct host_metric
        cpu = HOST_COUNTER("pharos_process_cpu_seconds_total",
                           "CPU time of one of the busiest processes."),
        rss = HOST_GAUGE("pharos_process_resident_memory_bytes",
                         "Resident memory of one of the busiest processes."),
        read_bytes = HOST_COUNTER("pharos_process_read_bytes_total",
                                  "Bytes one of the busiest processes fetched from storage."),
        written = HOST_COUNTER("pharos_process_written_bytes_total",
                               "Bytes one of the busiest processes sent to storage."),
        threads = HOST_GAUGE("pharos_process_threads", "Threads of one of the busiest processes.");
    char pid[16], path[4096], uid_text[16];
    snprintf(pid, sizeof(pid), "%u", p->pid);
    snprintf(path, sizeof(path), "%s/%s", ctx->config.proc_path, pid);
    struct stat st;
    const char *user =
        stat(path, &st) == 0 ? user_name(ctx, st.st_uid, uid_text, sizeof(uid_text)) : "";
#define PROCESS_LABELS "comm", p->comm, "pid", pid, "user", user, NULL
    host__put(ctx, &cpu, (double)p->cpu_ticks / (double)sysconf(_SC_CLK_TCK), PROCESS_LABELS);
    host__put(ctx, &rss, (double)p->rss_pages * (double)sysconf(_SC_PAGESIZE), PROCESS_LABELS);
    host__put(ctx, &threads, (double)p->threads, PROCESS_LABELS);
    /* Only readable for our own processes, or as root. */
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/%s/io", pid), line, key, value;
    while (host__line(&rest, &line)) {
        if (!host__word(&line, &key) || !host__word(&line, &value))
            continue;
        if (slice_eq_cstr(key, "read_bytes:"))
            host__put(ctx, &read_bytes, host__double(value), PROCESS_LABELS);
        else if (slice_eq_cstr(key, "write_bytes:"))
            host__put(ctx, &written, host__double(value), PROCESS_LABELS);
    }
#undef PROCESS_LABELS
}

static void put_summary(struct host__ctx *ctx, const struct host_process_state *state)
{
    static const struct host_metric pids = HOST_GAUGE("node_processes_pids", "Number of PIDs"),
                                    threads = HOST_GAUGE("node_processes_threads",
                                                         "Allocated threads in system"),
                                    states = HOST_GAUGE("node_processes_state",
                                                        "Number of processes in each state.");
    size_t count[26] = {0};
    uint64_t thread_count = 0;
    for (size_t i = 0; i < state->now.len; i++) {
        const struct process *p = &state->now.items[i];
        thread_count += p->threads;
        if (p->state >= 'A' && p->state <= 'Z')
            count[p->state - 'A']++;
    }
    host__put(ctx, &pids, (double)state->now.len, NULL);
    host__put(ctx, &threads, (double)thread_count, NULL);
    for (char c = 'A'; c <= 'Z'; c++) {
        char name[2] = {c, 0};
        if (count[c - 'A'])
            host__put(ctx, &states, (double)count[c - 'A'], "state", name, NULL);
    }
}

void host__collect_processes(struct host__ctx *ctx)
{
    if (!ctx->config.processes_max)
        return;
    if (!ctx->processes)
        ctx->processes = mem_calloc(1, sizeof(*ctx->processes));
    struct host_process_state *state = ctx->processes;
    vec_clear(&state->now);
    host__each_entry(ctx, add_process, state, ctx->config.proc_path, "/");
    if (!state->now.len)
        return;
    qsort(state->now.items, state->now.len, sizeof(struct process), by_pid);
    for (size_t i = 0; i < state->now.len; i++) {
        struct process *p = &state->now.items[i];
        const struct process *old =
            state->before.len
                ? bsearch(p, state->before.items, state->before.len, sizeof(*p), by_pid)
                : NULL;
        p->cpu_delta = old && old->start_ticks == p->start_ticks ? p->cpu_ticks - old->cpu_ticks
                                                                 : p->cpu_ticks;
        p->keep = false;
    }
    put_summary(ctx, state);
    size_t top = MIN(ctx->config.processes_max, state->now.len);
    qsort(state->now.items, state->now.len, sizeof(struct process), by_cpu);
    for (size_t i = 0; i < top; i++)
        state->now.items[i].keep = state->now.items[i].cpu_delta > 0;
    qsort(state->now.items, state->now.len, sizeof(struct process), by_memory);
    for (size_t i = 0; i < top; i++)
        state->now.items[i].keep |= state->now.items[i].rss_pages > 0;
    qsort(state->now.items, state->now.len, sizeof(struct process), by_pid);
    for (size_t i = 0; i < state->now.len; i++) {
        if (state->now.items[i].keep)
            put_process(ctx, &state->now.items[i]);
    }
    vec_clear(&state->before);
    for (size_t i = 0; i < state->now.len; i++)
        vec_push(&state->before, state->now.items[i]);
}
