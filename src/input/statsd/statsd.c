/* Life of the daemon: settings, listeners, the timer of the flush. */
#include "input/statsd/statsd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "input/statsd/statsd_priv.h"
#include "os/file.h"

#define DATAGRAM_BYTES_MAX 65535
#define MAPPING_BYTES_MAX  (16 << 20)

enum { LINES, SAMPLES, RATES, FLUSHES, SKIPPED, EVENTS, COUNTER_COUNT };
static struct counter counters[COUNTER_COUNT] = {
    [LINES] = {.name = "pharos_statsd_lines_total", .help = "StatsD lines received."},
    [SAMPLES] = {.name = "pharos_statsd_samples_total", .help = "Samples in them."},
    [RATES] = {.name = "pharos_statsd_rates_out_of_range_total",
               .help = "Sample rates not above 0 or over 1, taken as 1."},
    [FLUSHES] = {.name = "pharos_statsd_flushes_total", .help = "Intervals handed over."},
    [SKIPPED] = {.name = "pharos_statsd_flushes_skipped_total",
                 .help = "Intervals joined with the next because the one before took too long."},
    [EVENTS] = {.name = "pharos_statsd_events_total",
                .help = "DogStatsD events and service checks taken."},
};
static struct counter refused[STATSD_REASON_COUNT];
static char refused_labels[STATSD_REASON_COUNT][48];

static void register_counters(void)
{
    counter_register(counters, COUNTER_COUNT);
    for (int i = 1; i < STATSD_REASON_COUNT; i++) {
        if (refused[i].registered)
            continue;
        snprintf(refused_labels[i], sizeof(refused_labels[i]), "reason=\"%s\"",
                 statsd_reason_name((enum statsd_reason)i));
        refused[i].name = "pharos_statsd_refused_total";
        refused[i].help = "Lines and samples that were not taken, by reason.";
        refused[i].labels = refused_labels[i];
    }
    counter_register(refused + 1, STATSD_REASON_COUNT - 1);
}

/* --- receiving --- */

struct feed {
    struct input_statsd *s;
    struct statsd_shard *shard;
    const char *peer;                  /* NULL: of the datagram */
    const struct net_datagram *packet; /* NULL: a stream */
    struct data_event_batch *events;   /* NULL: none yet */
    int64_t refused;                   /* lines, of all packets of the turn */
};

static int64_t wall_ns(struct input_statsd *s)
{
    return s->env.os->ops->now_ns(s->env.os);
}

void statsd__refuse(struct input_statsd *s, struct statsd_shard *shard, enum statsd_reason reason,
                    struct slice line, const char *peer, int64_t count)
{
    statsd__shard_refuse(shard, reason, line, peer, wall_ns(s));
    shard->refusals[reason].count += count - 1;
    counter_add(&refused[reason], count);
    s->bad_lines += reason != STATSD_DROPPED ? count : 0;
}

static void on_refused(void *ctx, enum statsd_reason reason, struct slice line)
{
    struct feed *f = ctx;
    char text[64];
    const char *peer = f->peer;
    if (!peer) {
        net_datagram_peer(f->packet, text, sizeof(text));
        peer = text;
    }
    f->refused++;
    statsd__refuse(f->s, f->shard, reason, line, peer, 1);
}

static enum statsd_reason on_sample(void *ctx, const struct statsd_sample *sample)
{
    struct feed *f = ctx;
    if (statsd__shard_waits(f->shard))
        statsd__shard_settle(f->shard, on_refused, f);
    return statsd__shard_add(f->shard, sample);
}

static void on_plain(void *ctx, const struct statsd_sample *sample, struct slice line)
{
    struct feed *f = ctx;
    statsd__shard_add_soon(f->shard, sample, line);
    if (f->shard->waiting_count == STATSD_AHEAD)
        statsd__shard_settle(f->shard, on_refused, f);
}

/* Packets of one batch under one turn of the shard's lock. */
struct turn {
    struct feed feed;
    struct statsd_parser *parser;
    int64_t lines, samples, rates, wall_ns;
};

static void turn_begin(struct turn *t, struct input_statsd *s, size_t shard, const char *peer)
{
    t->feed = (struct feed){.s = s, .shard = &s->shards[shard], .peer = peer};
    t->parser = &s->parsers[shard];
    pthread_mutex_lock(&t->feed.shard->lock);
    t->feed.shard->now_ns = s->env.os->ops->monotonic_ns(s->env.os);
    t->feed.shard->wall_ns = t->wall_ns = wall_ns(s);
    t->parser->ctx = &t->feed;
    t->lines = t->parser->lines;
    t->samples = t->parser->samples;
    t->rates = t->parser->rates_out_of_range;
}

static void turn_end(struct turn *t, int64_t packets)
{
    struct statsd_parser *p = t->parser;
    struct input_statsd *s = t->feed.s;
    int64_t lines = p->lines - t->lines, samples = p->samples - t->samples,
            rates = p->rates_out_of_range - t->rates;
    if (s->proxy)
        statsd__proxy_flush(s->proxy, (size_t)(t->feed.shard - s->shards));
    pthread_mutex_unlock(&t->feed.shard->lock);
    counter_add(&counters[LINES], lines);
    counter_add(&counters[SAMPLES], samples);
    if (rates)
        counter_add(&counters[RATES], rates);
    atomic_fetch_add_explicit(&s->packets, packets, memory_order_relaxed);
    s->last_message_ns = t->wall_ns;
    if (t->feed.events) {
        counter_add(&counters[EVENTS], (int64_t)t->feed.events->rows.len);
        s->env.sink->logs(s->env.sink, t->feed.events, NULL, NULL);
        data_event_batch_free(t->feed.events);
    }
}

/* One packet, added up or sent on. */
static void take_packet(struct turn *t, struct slice packet)
{
    struct input_statsd *s = t->feed.s;
    if (!s->proxy) {
        statsd_parse(t->parser, packet);
        if (statsd__shard_waits(t->feed.shard))
            statsd__shard_settle(t->feed.shard, on_refused, &t->feed);
        return;
    }
    size_t homeless;
    t->parser->lines += (int64_t)statsd__proxy_lines(s->proxy, (size_t)(t->feed.shard - s->shards),
                                                     packet, &homeless);
    for (size_t i = 0; i < homeless; i++)
        on_refused(&t->feed, STATSD_NO_NODE, packet);
}

static void on_datagrams(size_t socket, const struct net_datagram *d, size_t count, void *ctx)
{
    struct input_statsd *s = ctx;
    struct turn t;
    turn_begin(&t, s, socket % s->shard_count, NULL);
    for (size_t i = 0; i < count; i++) {
        int64_t before = t.parser->lines, bad = t.feed.refused;
        t.feed.packet = &d[i];
        if (d[i].cut)
            on_refused(&t.feed, STATSD_TOO_LONG, d[i].bytes);
        else if (d[i].bytes.len)
            take_packet(&t, d[i].bytes);
        bad = t.feed.refused - bad;
        statsd__tally(s, t.feed.shard, d[i].from, MAX(t.parser->lines - before - bad, 0), bad);
    }
    turn_end(&t, (int64_t)count);
    for (size_t i = 0; s->repeat && i < count; i++)
        statsd__repeat_packet(s->repeat, d[i].bytes);
}

void input_statsd_feed(struct input_statsd *s, size_t shard, struct slice packet, const char *peer)
{
    struct turn t;
    turn_begin(&t, s, shard % s->shard_count, peer);
    take_packet(&t, packet);
    int64_t good = MAX(t.parser->lines - t.lines - t.feed.refused, 0);
    turn_end(&t, 1);
    input_senders_add(s->tcp_senders, peer, good, t.feed.refused, t.wall_ns);
}

static size_t shard_of(struct input_statsd *s, struct net_stream *stream)
{
    size_t i = 0;
    while (i + 1 < s->shard_count && net_loops_at(s->env.loops, i) != net_stream_loop(stream))
        i++;
    return i;
}

/* Whole lines; at the end of the connection what is there. */
static size_t on_bytes(struct net_stream *stream, struct slice bytes, bool end, void *ctx)
{
    struct input_statsd *s = ctx;
    const char *last = bytes.len ? memrchr(bytes.ptr, '\n', bytes.len) : NULL;
    size_t n = end ? bytes.len : last ? (size_t)(last - bytes.ptr) + 1 : 0;
    if (n && s->repeat)
        statsd__repeat_stream(s->repeat, slice_first(bytes, n));
    if (n)
        input_statsd_feed(ctx, shard_of(ctx, stream), slice_first(bytes, n),
                          net_stream_peer(stream));
    return n;
}

static size_t on_overflow(struct net_stream *stream, struct slice bytes, void *ctx)
{
    struct input_statsd *s = ctx;
    struct turn t;
    turn_begin(&t, s, shard_of(s, stream), net_stream_peer(stream));
    on_refused(&t.feed, STATSD_TOO_LONG, bytes);
    turn_end(&t, 0);
    return bytes.len; /* its rest will look like a bad line; the connection stays */
}

static enum statsd_reason on_event(void *ctx, struct slice line)
{
    struct feed *f = ctx;
    if (!f->events)
        f->events = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    return statsd__event(line, wall_ns(f->s), f->events);
}

/* --- the flush's timer --- */

static int64_t until_next(struct input_statsd *s)
{
    int64_t interval = s->config.flush_interval_ns;
    return interval - wall_ns(s) % interval;
}

static void flush_task(void *arg)
{
    struct input_statsd *s = arg;
    statsd__flush(s, s->due_ns);
    counter_add(&counters[FLUSHES], 1);
    pthread_mutex_lock(&s->timer_lock);
    s->flushing = false;
    pthread_cond_broadcast(&s->timer_idle);
    pthread_mutex_unlock(&s->timer_lock);
}

static void arm(struct input_statsd *s);

static void on_timer(void *arg)
{
    struct input_statsd *s = arg;
    net_timer_stop(s->timer);
    s->timer = NULL;
    pthread_mutex_lock(&s->timer_lock);
    bool stopping = s->stopping, busy = s->flushing;
    /* On whole intervals, so that roll-ups of all hosts coincide, and never twice on the same,
     * where the second would replace the first: a timer can be early by the clock of the wall. */
    int64_t now = wall_ns(s), due = now - now % s->config.flush_interval_ns;
    bool early = due == s->due_ns;
    if (!stopping && !busy && !early) {
        s->flushing = true;
        s->due_ns = due;
    }
    pthread_mutex_unlock(&s->timer_lock);
    if (stopping)
        return;
    if (!early && busy)
        counter_add(&counters[SKIPPED], 1);
    else if (!early)
        s->env.pool->submit(s->env.pool, TASK_BACKGROUND, flush_task, s);
    arm(s);
}

static void arm(struct input_statsd *s)
{
    s->timer = net_timer_start(s->timer_loop, until_next(s), 0, on_timer, s);
}

static void start_timer(void *arg)
{
    arm(arg);
}

static void stop_timer(void *arg)
{
    struct input_statsd *s = arg;
    net_timer_stop(s->timer);
    s->timer = NULL;
    pthread_mutex_lock(&s->timer_lock);
    s->timer_gone = true;
    pthread_cond_broadcast(&s->timer_idle);
    pthread_mutex_unlock(&s->timer_lock);
}

/* --- settings --- */

static int read_mapping(const char *path, struct input_statsd *s, struct statsd_mapping **out,
                        struct diag *diag)
{
    struct buf text = {0};
    if (!path[0])
        return statsd__mapping_parse(SLICE(""), out, diag);
    int err = os_file_read(s->env.os, path, MAPPING_BYTES_MAX, &text, diag);
    if (!err && !text.len)
        err = diag_set(diag, ERR_INVALID, "the file is empty; mappings: is expected");
    if (!err)
        err = statsd__mapping_parse(buf_slice(&text), out, diag);
    if (err) {
        diag_set_file(diag, path);
        diag_wrap(diag, "statsd.mapping_file");
    }
    buf_deinit(&text);
    return err;
}

static void copy_strings(struct input_statsd *s)
{
    const char **strings[] = {
        &s->config.listen,        &s->config.admin_listen,  &s->config.unix_datagram,
        &s->config.unix_stream,   &s->config.percentiles,   &s->config.repeat_to,
        &s->config.mapping_file,  &s->config.global_prefix, &s->config.prefix_counter,
        &s->config.prefix_timer,  &s->config.prefix_gauge,  &s->config.prefix_set,
        &s->config.global_suffix, &s->config.prefix_stats,  &s->config.key_flush_log,
        &s->config.proxy_nodes};
    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        *strings[i] = arena_strdup(s->arena, *strings[i] ? *strings[i] : "");
}

int input_statsd_new(const struct input_env *env, const struct input_statsd_config *config,
                     struct input_statsd **out, struct diag *diag)
{
    struct input_statsd *s = mem_calloc(1, sizeof(*s));
    *out = NULL;
    s->env = *env;
    s->config = *config;
    s->config.histogram = s->config.overrides = NULL; /* not to be kept */
    s->arena = arena_new(0, NULL);
    copy_strings(s);
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->timer_lock, NULL);
    pthread_cond_init(&s->timer_idle, NULL);
    s->limits = (struct statsd_limits){
        .names_max = (size_t)config->names_max,
        .name_bytes_max = (size_t)MIN(config->line_bytes_max, UINT16_MAX),
        .memory_max = config->memory_max,
        .keep_values = statsd__wants(s, INPUT_STATSD_AS_PATHS),
        .is_node = config->parser == INPUT_STATSD_NODE,
        .is_washed = config->parser == INPUT_STATSD_NODE && config->sanitize};
    s->shard_count = env->loops ? net_loops_count(env->loops) : 1;
    s->shards = mem_calloc(s->shard_count, sizeof(*s->shards));
    s->parsers = mem_calloc(s->shard_count, sizeof(*s->parsers));
    for (size_t i = 0; i < s->shard_count; i++) {
        statsd__shard_init(&s->shards[i], &s->limits);
        s->parsers[i] = (struct statsd_parser){.is_node = s->limits.is_node,
                                               .keep_names = !config->sanitize,
                                               .gauges_absolute = config->gauge_sign == 1,
                                               .on_sample = on_sample,
                                               .on_plain = on_plain,
                                               .on_event = on_event,
                                               .on_refused = on_refused};
    }
    s->series_index.is = statsd__series_is;
    s->path_map = map_new();
    s->udp_senders = input_senders_new(0);
    s->tcp_senders = input_senders_new(0);
    for (int view = 0; view < INPUT_STATSD_VIEWS; view++)
        s->batches[view] = data_metric_batch_new(SLICE("default"));
    s->batch = s->batches[INPUT_STATSD_AS_LABELS];
    s->started_ns = s->last_flush_ns = wall_ns(s);
    s->due_ns = s->started_ns - s->started_ns % s->config.flush_interval_ns;
    s->last_message_ns = s->started_ns;
    register_counters();
    int err = statsd__options_new(config, s->arena, &s->options, diag);
    if (!err)
        err = statsd__repeat_new(env, s->config.repeat_to, &s->repeat, diag);
    if (!err)
        err = read_mapping(s->config.mapping_file, s, &s->mapping, diag);
    if (!err && s->config.proxy_nodes[0])
        err = statsd__proxy_new(env, s->config.proxy_nodes, config->proxy_check_interval_ns,
                                s->shard_count, &s->proxy, diag);
    if (err) {
        input_statsd_stop(s);
        return err;
    }
    *out = s;
    return 0;
}

static bool is_off(const char *listen)
{
    return !listen[0] || strcmp(listen, "off") == 0;
}

static int listen_stream(struct input_statsd *s, const char *listen, struct net_stream_server **out,
                         struct diag *diag)
{
    struct net_stream_config config = {.name = "statsd",
                                       .listen = listen,
                                       .buffer_bytes_max = DATAGRAM_BYTES_MAX,
                                       .idle_timeout_ns = s->config.idle_timeout_ns,
                                       .on_bytes = on_bytes,
                                       .on_overflow = on_overflow,
                                       .ctx = s};
    return net_stream_server_start(s->env.loops, &config, out, diag);
}

static int listen_datagrams(struct input_statsd *s, const char *listen, struct net_udp **out,
                            struct diag *diag)
{
    struct net_udp_config config = {.name = "statsd",
                                    .listen = listen,
                                    .datagram_bytes_max = DATAGRAM_BYTES_MAX,
                                    .receive_buffer_bytes = (size_t)s->config.receive_buffer_bytes,
                                    .on_batch = on_datagrams,
                                    .ctx = s};
    return net_udp_start(s->env.loops, &config, out, diag);
}

static void close_all(struct input_statsd *s)
{
    net_stream_server_stop(s->admin);
    net_udp_stop(s->udp);
    net_udp_stop(s->unix_udp);
    net_stream_server_stop(s->tcp);
    net_stream_server_stop(s->unix_tcp);
    s->admin = s->tcp = s->unix_tcp = NULL;
    s->udp = s->unix_udp = NULL;
}

int input_statsd_start(struct input_statsd *s, struct diag *diag)
{
    char at[400];
    int err = 0;
    if (!is_off(s->config.listen)) {
        err = listen_datagrams(s, s->config.listen, &s->udp, diag);
        if (!err) { /* a port that the kernel chose is the same for both */
            const char *colon = strrchr(s->config.listen, ':');
            snprintf(at, sizeof(at), "%.*s:%u",
                     colon ? (int)(colon - s->config.listen) : (int)strlen(s->config.listen),
                     s->config.listen, net_udp_port(s->udp));
            err = listen_stream(s, at, &s->tcp, diag);
        }
    }
    if (!err && s->config.unix_datagram[0]) {
        snprintf(at, sizeof(at), "unix:%s", s->config.unix_datagram);
        err = listen_datagrams(s, at, &s->unix_udp, diag);
    }
    if (!err && s->config.unix_stream[0]) {
        snprintf(at, sizeof(at), "unix:%s", s->config.unix_stream);
        err = listen_stream(s, at, &s->unix_tcp, diag);
    }
    if (!err && !is_off(s->config.admin_listen))
        err = statsd__admin_start(s, diag);
    if (err) {
        close_all(s);
        return err;
    }
    if (s->proxy)
        statsd__proxy_start(s->proxy);
    s->timer_loop = net_loops_at(s->env.loops, 0);
    net_loop_post(s->timer_loop, start_timer, s);
    return 0;
}

int input_statsd_reload(struct input_statsd *s, const struct input_statsd_config *config,
                        struct diag *diag)
{
    struct statsd_mapping *next = NULL;
    int err = read_mapping(config->mapping_file, s, &next, diag);
    if (err)
        return err;
    pthread_mutex_lock(&s->lock);
    struct statsd_mapping *before = s->mapping;
    s->mapping = next;
    statsd__forget_names(s);
    pthread_mutex_unlock(&s->lock);
    statsd__mapping_free(before);
    return 0;
}

static void stop_flushing(struct input_statsd *s)
{
    if (!s->timer_loop)
        return;
    pthread_mutex_lock(&s->timer_lock);
    s->stopping = true;
    pthread_mutex_unlock(&s->timer_lock);
    net_loop_post(s->timer_loop, stop_timer, s);
    pthread_mutex_lock(&s->timer_lock);
    while (s->flushing || !s->timer_gone)
        pthread_cond_wait(&s->timer_idle, &s->timer_lock);
    pthread_mutex_unlock(&s->timer_lock);
    int64_t now = wall_ns(s);
    statsd__flush(s, now - now % NS_PER_MS);
}

void input_statsd_stop(struct input_statsd *s)
{
    if (!s)
        return;
    close_all(s);
    stop_flushing(s);
    statsd__proxy_free(s->proxy);
    statsd__key_flush_free(s);
    for (size_t i = 0; i < s->shard_count; i++) {
        struct statsd_shard *shard = &s->shards[i];
        for (size_t k = 0; k < shard->cap; k++) { /* let go before the views go */
            struct statsd_entry *e = shard->cells[k].entry;
            if (e && e->series)
                statsd__series_unref(e->series);
            if (e && e->path)
                statsd__path_unref(e->path);
        }
        statsd__shard_deinit(shard);
        buf_deinit(&s->parsers[i].scratch);
    }
    statsd__views_free(s);
    statsd__repeat_free(s->repeat);
    for (int view = 0; view < INPUT_STATSD_VIEWS; view++)
        data_metric_batch_free(s->batches[view]);
    statsd__mapping_free(s->mapping);
    mem_free(s->families.cells);
    mem_free(s->series_index.cells);
    map_free(s->path_map);
    input_senders_free(s->udp_senders);
    input_senders_free(s->tcp_senders);
    mem_free(s->shards);
    mem_free(s->parsers);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->timer_lock);
    pthread_cond_destroy(&s->timer_idle);
    arena_free(s->arena);
    mem_free(s);
}

void input_statsd_flush(struct input_statsd *s, int64_t ts_ns)
{
    statsd__flush(s, ts_ns);
}

uint16_t input_statsd_port(const struct input_statsd *s)
{
    return s->udp ? net_udp_port(s->udp) : 0;
}

uint16_t input_statsd_admin_port(const struct input_statsd *s)
{
    return s->admin ? net_stream_server_port(s->admin) : 0;
}
