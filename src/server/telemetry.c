#include "server/telemetry.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cond.h"
#include "base/counter.h"
#include "base/mem.h"
#include "codec/number.h"

#define METADATA_EVERY 40 /* rounds */

struct server_telemetry {
    struct server_telemetry_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool started, stopping;
};

/* One value on its way out. */
struct value {
    const char *name, *help, *labels; /* labels: a="b",c="d" or NULL */
    bool is_counter;
    double v;
};
typedef void (*value_fn)(void *ctx, const struct value *v);

struct each {
    value_fn fn;
    void *ctx;
};

static void from_counter(const struct counter *c, void *ctx)
{
    const struct each *e = ctx;
    struct value v = {.name = c->name,
                      .help = c->help,
                      .labels = c->labels,
                      .is_counter = c->kind == COUNTER_TOTAL,
                      .v = (double)counter_get(c) * (c->scale != 0 ? c->scale : 1)};
    e->fn(e->ctx, &v);
}

static void put(const struct each *e, bool is_counter, const char *name, const char *help, double v)
{
    e->fn(e->ctx, &(struct value){.name = name, .help = help, .is_counter = is_counter, .v = v});
}

static size_t count_fds(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n > 3 ? n - 3 : 0; /* ".", "..", the directory itself */
}

static void put_process(struct server_telemetry *t, const struct each *e)
{
    struct rusage ru;
    struct rlimit limit;
    unsigned long virtual_pages = 0, resident_pages = 0;
    long page = sysconf(_SC_PAGESIZE);
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%lu %lu", &virtual_pages, &resident_pages) != 2)
            virtual_pages = resident_pages = 0;
        fclose(f);
    }
    if (!getrusage(RUSAGE_SELF, &ru))
        put(e, true, "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
            (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
                (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
    if (!getrlimit(RLIMIT_NOFILE, &limit))
        put(e, false, "process_max_fds", "Maximum number of open file descriptors.",
            (double)limit.rlim_cur);
    put(e, false, "process_open_fds", "Number of open file descriptors.", (double)count_fds());
    put(e, false, "process_resident_memory_bytes", "Resident memory size in bytes.",
        (double)resident_pages * (double)page);
    put(e, false, "pharos_heap_used_bytes", "Bytes of memory handed out by the heap.",
        (double)mem_heap().used);
    put(e, false, "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        (double)t->config.started_ns / 1e9);
    put(e, false, "process_virtual_memory_bytes", "Virtual memory size in bytes.",
        (double)virtual_pages * (double)page);
}

static void put_store(struct server_telemetry *t, const struct each *e)
{
    struct store_source_stats s = {0};
    if (!t->config.source)
        return;
    t->config.source->ops->stats(t->config.source, &s);
    put(e, false, "pharos_store_size_bytes", "Bytes of parts on disk.", (double)s.disk_bytes);
    put(e, false, "pharos_store_log_size_bytes", "Bytes of write-ahead log on disk.",
        (double)s.wal_bytes);
    put(e, false, "pharos_store_memory_size_bytes", "Bytes of samples held in memory.",
        (double)s.memory_bytes);
    put(e, false, "pharos_store_active_series", "Series the store knows.", (double)s.series);
    put(e, false, "pharos_store_part_count", "Parts on disk.", (double)s.parts);
    put(e, false, "pharos_store_head_sample_count", "Samples not yet in parts.",
        (double)s.head_samples);
}

static void each_value(struct server_telemetry *t, value_fn fn, void *ctx)
{
    struct each e = {fn, ctx};
    char build[200];
    counter_each(from_counter, &e);
    put_store(t, &e);
    snprintf(build, sizeof(build), "version=\"%s\",revision=\"%s\"", t->config.version,
             t->config.revision);
    fn(ctx, &(struct value){.name = "pharos_build_info",
                            .help = "1, with the version as labels.",
                            .labels = build,
                            .v = 1});
    put(&e, false, "pharos_config_last_reload_successful",
        "Whether the last reading of the configuration succeeded.", *t->config.reload_ok);
    put(&e, false, "pharos_config_last_reload_success_timestamp_seconds",
        "When the configuration in force was read.", (double)(*t->config.reload_ns) / 1e9);
    put_process(t, &e);
}

/* --- text --- */

struct print {
    struct buf *out;
    const char *last;
};

static void print_value(void *ctx, const struct value *v)
{
    struct print *p = ctx;
    if (!p->last || strcmp(p->last, v->name) != 0) {
        buf_printf(p->out, "# HELP %s ", v->name);
        for (const char *h = v->help ? v->help : ""; *h; h++) {
            if (*h == '\n' || *h == '\\')
                buf_append_char(p->out, '\\');
            buf_append_char(p->out, *h == '\n' ? 'n' : *h);
        }
        buf_printf(p->out, "\n# TYPE %s %s\n", v->name, v->is_counter ? "counter" : "gauge");
        p->last = v->name;
    }
    buf_append_cstr(p->out, v->name);
    if (v->labels && v->labels[0])
        buf_printf(p->out, "{%s}", v->labels);
    buf_append_char(p->out, ' ');
    codec_append_double(p->out, v->v, CODEC_DOUBLE_GENERAL);
    buf_append_char(p->out, '\n');
}

void server_telemetry_print(struct server_telemetry *t, struct buf *out)
{
    struct print p = {.out = out};
    each_value(t, print_value, &p);
}

/* --- into the store --- */

struct collect {
    struct server_telemetry *t;
    struct data_metric_batch *batch;
    struct data_labels_builder labels;
    int64_t now_ns;
    bool with_metadata;
    const char *last;
};

/* `a="b",c="d"` as counters carry it; our own text, so nothing is checked but its shape. */
static void add_pairs(struct collect *c, const char *pairs)
{
    struct slice rest = slice_cstr(pairs), name;
    while (rest.len && slice_split(&rest, '=', &name) && rest.len && rest.ptr[0] == '"') {
        size_t end = 1;
        struct buf value = {0};
        while (end < rest.len && rest.ptr[end] != '"') {
            if (rest.ptr[end] == '\\' && end + 1 < rest.len)
                end++;
            buf_append_char(&value, rest.ptr[end++]);
        }
        data_labels_builder_set(&c->labels, name, arena_slice(c->batch->arena, buf_slice(&value)));
        buf_deinit(&value);
        rest = slice_from(rest, end + 1);
        if (rest.len && rest.ptr[0] == ',')
            rest = slice_from(rest, 1);
    }
}

static void store_value(void *ctx, const struct value *v)
{
    struct collect *c = ctx;
    struct data_labels labels;
    data_labels_builder_reset(&c->labels);
    data_labels_builder_set(&c->labels, SLICE(DATA_METRIC_NAME), slice_cstr(v->name));
    data_labels_builder_set(&c->labels, SLICE("job"), SLICE("pharos"));
    data_labels_builder_set(&c->labels, SLICE("instance"), slice_cstr(c->t->config.instance));
    /* The names point into v->labels, which only lives for this call: the key is copied below. */
    if (v->labels)
        add_pairs(c, v->labels);
    if (data_labels_builder_finish(&c->labels, &labels, NULL))
        return;
    uint32_t series = data_metric_batch_add_series(c->batch, labels);
    data_metric_batch_add_sample(c->batch, series, c->now_ns, v->v);
    if (c->with_metadata && (!c->last || strcmp(c->last, v->name) != 0))
        data_metric_batch_add_metadata(c->batch, arena_slice(c->batch->arena, slice_cstr(v->name)),
                                       v->is_counter ? DATA_METRIC_COUNTER : DATA_METRIC_GAUGE,
                                       SLICE(""), slice_cstr(v->help));
    c->last = v->name;
}

void server_telemetry_collect(struct server_telemetry *t, struct data_metric_batch *batch,
                              bool with_metadata, int64_t now_ns)
{
    struct collect c = {.t = t, .batch = batch, .now_ns = now_ns, .with_metadata = with_metadata};
    store_value(&c, &(struct value){.name = "up", .help = "1 while Pharos runs.", .v = 1});
    each_value(t, store_value, &c);
    data_labels_builder_deinit(&c.labels);
}

static void *thread_main(void *arg)
{
    struct server_telemetry *t = arg;
    struct data_metric_batch *batch = data_metric_batch_new(SLICE("default"));
    int64_t interval_ns = t->config.interval_ns;
    unsigned round = 0;
    pthread_setname_np(pthread_self(), "telemetry");
    pthread_mutex_lock(&t->lock);
    while (!t->stopping) {
        pthread_mutex_unlock(&t->lock);
        int64_t now_ns = t->config.now_ns(t->config.now_ctx);
        data_metric_batch_reset(batch);
        server_telemetry_collect(t, batch, round++ % METADATA_EVERY == 0, now_ns);
        t->config.sink->metrics(t->config.sink, batch, NULL, NULL);
        mem_trim();
        struct timespec at;
        clock_gettime(CLOCK_REALTIME, &at);
        int64_t wait_ns = cond_next_turn(at.tv_sec * NS_PER_SEC + at.tv_nsec, interval_ns);
        pthread_mutex_lock(&t->lock);
        while (!t->stopping && cond_wait_for(&t->wake, &t->lock, wait_ns))
            ;
    }
    pthread_mutex_unlock(&t->lock);
    data_metric_batch_free(batch);
    return NULL;
}

struct server_telemetry *server_telemetry_new(const struct server_telemetry_config *config)
{
    struct server_telemetry *t = mem_calloc(1, sizeof(*t));
    t->config = *config;
    pthread_mutex_init(&t->lock, NULL);
    cond_init(&t->wake);
    return t;
}

void server_telemetry_start(struct server_telemetry *t)
{
    t->started = !pthread_create(&t->thread, NULL, thread_main, t);
}

void server_telemetry_free(struct server_telemetry *t)
{
    if (!t)
        return;
    if (t->started) {
        pthread_mutex_lock(&t->lock);
        t->stopping = true;
        pthread_cond_signal(&t->wake);
        pthread_mutex_unlock(&t->lock);
        pthread_join(t->thread, NULL);
    }
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}
