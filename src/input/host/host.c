/* The frame of the host collectors: reading, emitting, and the timer. */
#include "input/host/host.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/counter.h"
#include "base/log.h"
#include "input/host/host_priv.h"

#define FILE_BYTES_MAX  ((size_t)4 << 20)   /* no kernel file we read comes near */
#define DESCRIBE_NS     (3600 * NS_PER_SEC) /* metadata is sent again after this */
#define INTERVAL_MIN_NS (100 * NS_PER_MS)

static struct counter counters[] = {
    {.name = "pharos_host_collections_total", .help = "Collections of the host's metrics."},
    {.name = "pharos_host_collect_seconds_total",
     .help = "Time spent collecting the host's metrics.",
     .scale = 1e-9},
    {.name = "pharos_host_skipped_total",
     .help = "Collections left out because the one before still ran."},
};
enum { COLLECTIONS, COLLECT_SECONDS, SKIPPED };

struct input_host {
    struct host__ctx ctx;
    struct data_metric_batch *batch;
    int64_t described_at_ns;

    struct net_loop *loop;
    struct net_timer *timer; /* loop thread only */
    struct task_pool *pool;
    struct pipe_sink *sink;
    int64_t (*now_ns)(void *ctx);
    void *now_ctx;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    bool running; /* a collection is queued or at work */
    bool stopping;
    bool timer_gone;
    _Atomic int64_t interval_ns;
};

void input_host_config_init(struct input_host_config *config)
{
    *config = (struct input_host_config){
        .interval_ns = 10 * NS_PER_SEC,
        .job = "node",
        .proc_path = "/proc",
        .sys_path = "/sys",
        .rootfs_path = "",
        .processes_max = 15,
        .cgroups_max = 200,
    };
}

struct input_host *input_host_new(const struct input_host_config *config)
{
    counter_register(counters, ARRAY_LEN(counters));
    struct input_host *h = mem_calloc(1, sizeof(*h));
    char host[256] = "localhost";
    gethostname(host, sizeof(host) - 1);
    struct input_host_config *c = &h->ctx.config;
    *c = *config;
    c->job = mem_strdup(config->job ? config->job : "node");
    c->instance = mem_strdup(config->instance ? config->instance : host);
    c->proc_path = mem_strdup(config->proc_path ? config->proc_path : "/proc");
    c->sys_path = mem_strdup(config->sys_path ? config->sys_path : "/sys");
    c->rootfs_path = mem_strdup(config->rootfs_path ? config->rootfs_path : "");
    h->ctx.described = map_new();
    h->ctx.users = map_new();
    h->interval_ns = c->interval_ns;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->idle, NULL);
    return h;
}

void input_host_free(struct input_host *h)
{
    if (!h)
        return;
    struct input_host_config *c = &h->ctx.config;
    const char *strings[] = {c->job, c->instance, c->proc_path, c->sys_path, c->rootfs_path};
    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        mem_free((void *)(uintptr_t)strings[i]);
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(h->ctx.users, &pos));)
        mem_free(e->value.ptr);
    map_free(h->ctx.users);
    map_free(h->ctx.described);
    host__processes_free(h->ctx.processes);
    data_labels_builder_deinit(&h->ctx.labels);
    buf_deinit(&h->ctx.file);
    buf_deinit(&h->ctx.path);
    buf_deinit(&h->ctx.name);
    data_metric_batch_free(h->batch);
    pthread_cond_destroy(&h->idle);
    pthread_mutex_destroy(&h->lock);
    mem_free(h);
}

/* --- reading --- */

static struct slice read_path(struct host__ctx *ctx)
{
    buf_clear(&ctx->file);
    int fd = open(buf_cstr(&ctx->path), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return (struct slice){NULL, 0};
    ssize_t n;
    do {
        char *at = buf_reserve(&ctx->file, 4096);
        n = read(fd, at, ctx->file.cap - ctx->file.len);
        if (n > 0)
            ctx->file.len += (size_t)n;
    } while (n > 0 && ctx->file.len < FILE_BYTES_MAX);
    close(fd);
    if (n < 0)
        return (struct slice){NULL, 0};
    buf_cstr(&ctx->file);
    return buf_slice(&ctx->file);
}

static void set_path(struct host__ctx *ctx, const char *root, const char *fmt, va_list ap)
{
    buf_clear(&ctx->path);
    buf_append_cstr(&ctx->path, root);
    buf_vprintf(&ctx->path, fmt, ap);
}

struct slice host__read(struct host__ctx *ctx, const char *root, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_path(ctx, root, fmt, ap);
    va_end(ap);
    return read_path(ctx);
}

bool host__read_line(struct host__ctx *ctx, char *out, size_t out_size, const char *root,
                     const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_path(ctx, root, fmt, ap);
    va_end(ap);
    struct slice text = slice_trim(read_path(ctx));
    host__text(out, out_size, text);
    return text.len > 0;
}

bool host__read_number(struct host__ctx *ctx, double *out, const char *root, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_path(ctx, root, fmt, ap);
    va_end(ap);
    struct slice text = read_path(ctx);
    if (!text.len)
        return false;
    char *end;
    if (slice_starts_with(text, SLICE("0x")))
        *out = (double)strtoull(text.ptr, &end, 16);
    else
        *out = strtod(text.ptr, &end);
    return end != text.ptr;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void host__each_entry(struct host__ctx *ctx,
                      void (*fn)(struct host__ctx *ctx, const char *name, void *arg), void *arg,
                      const char *root, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_path(ctx, root, fmt, ap);
    va_end(ap);
    DIR *dir = opendir(buf_cstr(&ctx->path));
    if (!dir)
        return;
    VEC(char *) names = {0};
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] != '.')
            vec_push(&names, mem_strdup(e->d_name));
    }
    closedir(dir);
    if (names.len)
        qsort(names.items, names.len, sizeof(char *), by_name);
    for (size_t i = 0; i < names.len; i++) {
        fn(ctx, names.items[i], arg);
        mem_free(names.items[i]);
    }
    vec_free(&names);
}

bool host__line(struct slice *rest, struct slice *line)
{
    return rest->len && slice_split(rest, '\n', line);
}

bool host__word(struct slice *line, struct slice *word)
{
    size_t i = 0;
    while (i < line->len && (line->ptr[i] == ' ' || line->ptr[i] == '\t' || line->ptr[i] == '\n'))
        i++;
    size_t begin = i;
    while (i < line->len && line->ptr[i] != ' ' && line->ptr[i] != '\t' && line->ptr[i] != '\n')
        i++;
    *word = slice_make(line->ptr + begin, i - begin);
    *line = slice_from(*line, i);
    return word->len > 0;
}

uint64_t host__u64(struct slice word)
{
    uint64_t v = 0;
    for (size_t i = 0; i < word.len && word.ptr[i] >= '0' && word.ptr[i] <= '9'; i++)
        v = v * 10 + (uint64_t)(word.ptr[i] - '0');
    return v;
}

double host__double(struct slice word)
{
    bool integer = word.len > 0 && word.len < 19;
    for (size_t i = 0; integer && i < word.len; i++)
        integer = word.ptr[i] >= '0' && word.ptr[i] <= '9';
    if (integer)
        return (double)host__u64(word);
    char text[64];
    host__text(text, sizeof(text), word);
    return strtod(text, NULL);
}

void host__text(char *out, size_t out_size, struct slice s)
{
    size_t n = MIN(s.len, out_size - 1);
    if (n)
        memcpy(out, s.ptr, n);
    out[n] = '\0';
}

/* --- emitting --- */

static void put(struct host__ctx *ctx, struct slice name, enum data_metric_type type,
                const char *help, double value, va_list ap)
{
    struct data_labels_builder *b = &ctx->labels;
    data_labels_builder_reset(b);
    data_labels_builder_add(b, SLICE(DATA_METRIC_NAME), name);
    data_labels_builder_add(b, SLICE("job"), slice_cstr(ctx->config.job));
    data_labels_builder_add(b, SLICE("instance"), slice_cstr(ctx->config.instance));
    for (const char *label; (label = va_arg(ap, const char *));)
        data_labels_builder_add(b, slice_cstr(label), slice_cstr(va_arg(ap, const char *)));
    struct data_labels labels;
    if (data_labels_builder_finish(b, &labels, NULL))
        return; /* only a label given twice in our own code gets here */
    uint32_t series = data_metric_batch_add_series(ctx->batch, labels);
    data_metric_batch_add_sample(ctx->batch, series, ctx->now_ns, value);
    bool first;
    map_put(ctx->described, name, &first);
    if (first)
        data_metric_batch_add_metadata(ctx->batch, name, type, SLICE(""), slice_cstr(help));
}

void host__put(struct host__ctx *ctx, const struct host_metric *m, double value, ...)
{
    va_list ap;
    va_start(ap, value);
    put(ctx, slice_cstr(m->name), m->type, m->help, value, ap);
    va_end(ap);
}

void host__put_named(struct host__ctx *ctx, const char *name, enum data_metric_type type,
                     const char *help, double value, ...)
{
    va_list ap;
    va_start(ap, value);
    put(ctx, slice_cstr(name), type, help, value, ap);
    va_end(ap);
}

/* --- collecting --- */

void input_host_collect(struct input_host *h, struct data_metric_batch *batch, int64_t now_ns)
{
    static void (*const collectors[])(struct host__ctx *) = {
        host__collect_cpu,        host__collect_memory, host__collect_disk,
        host__collect_filesystem, host__collect_netdev, host__collect_netstat,
        host__collect_sensors,    host__collect_system, host__collect_processes,
        host__collect_cgroups,
    };
    if (now_ns - h->described_at_ns > DESCRIBE_NS) {
        map_clear(h->ctx.described);
        h->described_at_ns = now_ns;
    }
    h->ctx.batch = batch;
    h->ctx.now_ns = now_ns;
    for (size_t i = 0; i < ARRAY_LEN(collectors); i++)
        collectors[i](&h->ctx);
    static const struct host_metric up =
        HOST_GAUGE("up", "1 while the source of these metrics answers.");
    host__put(&h->ctx, &up, 1, NULL);
    h->ctx.batch = NULL;
}

/* On a worker. */
static void collect_task(void *arg)
{
    struct input_host *h = arg;
    int64_t now = h->now_ns(h->now_ctx);
    int64_t interval = h->interval_ns;
    if (!h->batch)
        h->batch = data_metric_batch_new(SLICE("default"));
    data_metric_batch_reset(h->batch);
    /* On whole intervals, so that timestamps of all series line up and compress to nothing. */
    input_host_collect(h, h->batch, now - now % (interval < NS_PER_SEC ? interval : NS_PER_SEC));
    h->sink->metrics(h->sink, h->batch, NULL, NULL);
    counter_add(&counters[COLLECTIONS], 1);
    counter_add(&counters[COLLECT_SECONDS], h->now_ns(h->now_ctx) - now);
    pthread_mutex_lock(&h->lock);
    h->running = false;
    pthread_cond_broadcast(&h->idle);
    pthread_mutex_unlock(&h->lock);
}

static int64_t until_next(struct input_host *h)
{
    int64_t interval = h->interval_ns, now = h->now_ns(h->now_ctx);
    return interval - now % interval;
}

static void on_timer(void *arg)
{
    struct input_host *h = arg;
    net_timer_stop(h->timer); /* it has fired; a one-shot stays ours until stopped */
    h->timer = NULL;
    pthread_mutex_lock(&h->lock);
    bool stopping = h->stopping, busy = h->running;
    if (!stopping && !busy)
        h->running = true;
    pthread_mutex_unlock(&h->lock);
    if (stopping)
        return;
    if (busy)
        counter_add(&counters[SKIPPED], 1); /* a file system hangs; better a gap than a queue */
    else
        h->pool->submit(h->pool, TASK_BACKGROUND, collect_task, h);
    h->timer = net_timer_start(h->loop, until_next(h), 0, on_timer, h);
}

static void start_on_loop(void *arg)
{
    on_timer(arg);
}

void input_host_start(struct input_host *h, struct net_loop *loop, struct task_pool *pool,
                      struct pipe_sink *sink, int64_t (*now_ns)(void *ctx), void *now_ctx)
{
    h->loop = loop;
    h->pool = pool;
    h->sink = sink;
    h->now_ns = now_ns;
    h->now_ctx = now_ctx;
    net_loop_post(loop, start_on_loop, h);
}

static void stop_on_loop(void *arg)
{
    struct input_host *h = arg;
    net_timer_stop(h->timer);
    h->timer = NULL;
    pthread_mutex_lock(&h->lock);
    h->timer_gone = true;
    pthread_cond_broadcast(&h->idle);
    pthread_mutex_unlock(&h->lock);
}

void input_host_stop(struct input_host *h)
{
    if (!h || !h->loop)
        return;
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    pthread_mutex_unlock(&h->lock);
    net_loop_post(h->loop, stop_on_loop, h);
    pthread_mutex_lock(&h->lock);
    while (h->running || !h->timer_gone)
        pthread_cond_wait(&h->idle, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

void input_host_set_interval(struct input_host *h, int64_t interval_ns)
{
    h->interval_ns = MAX(interval_ns, INTERVAL_MIN_NS);
}
