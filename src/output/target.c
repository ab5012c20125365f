/* One output: encoding into its queue, and from the queue to its target, one payload at a time. */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "codec/compress.h"
#include "output/output_priv.h"
#include "text/yaml.h"

#define BYTES_MAX      (1 << 20) /* of a payload, unless its format says less */
#define PAUSE_FIRST_NS (200 * NS_PER_MS)
#define PAUSE_MAX_NS   (30 * NS_PER_SEC)

static const char *const drop_names[OUTPUT__DROP_COUNT] = {
    "queue_full", "too_old",       "refused",        "not_representable",
    "stopped",    "not_delivered", "damaged_on_disk"};

static const char *const loss_names[OUTPUT__SPOOL_LOSSES] = {"cut_off", "damaged", "other_settings",
                                                             "not_readable"};

static int64_t wall_ns(const struct output__target *t)
{
    return t->env->os->ops->now_ns(t->env->os);
}

static void count(struct output__target *t, size_t which, int64_t n)
{
    counter_add(&t->counters[which], n);
}

void output__drop(struct output__target *t, enum output__drop why, size_t samples)
{
    count(t, OUTPUT__COUNTERS + (size_t)why, (int64_t)samples);
}

const struct output__format *output__format_of(const struct output__settings *s)
{
    switch (s->type) {
    case OUTPUT__GRAPHITE: return s->protocol ? &output__pickle : &output__graphite;
    case OUTPUT__INFLUXDB: return &output__influx;
    case OUTPUT__REMOTE_WRITE:
        return s->version ? &output__remote_write_2 : &output__remote_write_1;
    case OUTPUT__OTLP: return s->transport == OUTPUT__GRPC ? &output__otlp_grpc : &output__otlp;
    case OUTPUT__DOGSTATSD: return &output__dogstatsd;
    default: return &output__console;
    }
}

static void register_counters(struct output__target *t)
{
    static const struct counter rows[OUTPUT__COUNTERS] = {
        [OUTPUT__COUNT_SENT] = {.name = "pharos_output_sent_samples_total",
                                .help = "Samples that an output's target took."},
        [OUTPUT__COUNT_BYTES] = {.name = "pharos_output_sent_bytes_total",
                                 .help = "Bytes of them, as sent."},
        [OUTPUT__COUNT_REQUESTS] = {.name = "pharos_output_requests_total",
                                    .help = "Requests or writes that went well."},
        [OUTPUT__COUNT_FAILED] = {.name = "pharos_output_failed_requests_total",
                                  .help = "Requests or writes that did not; they are tried again "
                                          "unless the target refused them."},
        [OUTPUT__COUNT_WAITING] = {.name = "pharos_output_queue_samples",
                                   .help = "Samples waiting to be sent.",
                                   .kind = COUNTER_GAUGE},
        [OUTPUT__COUNT_WAITING_BYTES] = {.name = "pharos_output_queue_bytes",
                                         .help = "Bytes of them, in memory.",
                                         .kind = COUNTER_GAUGE},
        [OUTPUT__COUNT_DISK_BYTES] = {.name = "pharos_output_queue_disk_bytes",
                                      .help = "Bytes of them on the disk.",
                                      .kind = COUNTER_GAUGE},
    };
    int n = snprintf(t->labels, sizeof(t->labels), "output=\"");
    for (const char *c = t->settings->name; *c && n < (int)sizeof(t->labels) - 2; c++)
        t->labels[n++] = *c == '"' || *c == '\\' || *c == '\n' ? '_' : *c;
    snprintf(t->labels + n, sizeof(t->labels) - (size_t)n, "\"");
    memcpy(t->counters, rows, sizeof(rows));
    for (size_t i = 0; i < OUTPUT__COUNTERS; i++)
        t->counters[i].labels = t->labels;
    for (size_t i = 0; i < OUTPUT__DROP_COUNT; i++) {
        struct counter *c = &t->counters[OUTPUT__COUNTERS + i];
        snprintf(t->drop_labels[i], sizeof(t->drop_labels[i]), "%s,reason=\"%s\"", t->labels,
                 drop_names[i]);
        c->name = "pharos_output_dropped_samples_total";
        c->help = "Samples that were given up, by reason.";
        c->labels = t->drop_labels[i];
    }
    for (size_t i = 0; i < OUTPUT__SPOOL_LOSSES; i++) {
        snprintf(t->loss_labels[i], sizeof(t->loss_labels[i]), "%s,reason=\"%s\"", t->labels,
                 loss_names[i]);
        t->losses[i] = (struct counter){
            .name = "pharos_output_lost_segments_total",
            .help = "Files of the queue on the disk of which something was lost at the start; how "
                    "many samples they had there is not known.",
            .labels = t->loss_labels[i]};
    }
    counter_register(t->counters, ARRAY_LEN(t->counters));
    counter_register(t->losses, ARRAY_LEN(t->losses));
}

/* --- sending; loop thread --- */

static void pump(void *arg);

static void on_pause_over(void *arg)
{
    struct output__target *t = arg;
    net_timer_stop(t->timer);
    t->timer = NULL;
    pump(t);
}

static void pump(void *arg)
{
    struct output__target *t = arg;
    struct output__payload *p = NULL;
    if (t->timer || t->closing)
        return;
    pthread_mutex_lock(&t->lock);
    if (!t->in_flight) {
        p = output__queue_first(t, pump);
        t->in_flight = p != NULL;
        if (!t->head)
            pthread_cond_broadcast(&t->changed);
    }
    pthread_mutex_unlock(&t->lock);
    if (p)
        t->sender->send(t->sender_state, p);
}

static void tell_when_gone(struct output__target *t)
{
    pthread_mutex_lock(&t->lock);
    if (t->closing && t->closed && !t->in_flight) {
        t->gone = true;
        pthread_cond_broadcast(&t->changed);
    }
    pthread_mutex_unlock(&t->lock);
}

/* Trouble is said when it begins and when it is over. */
static void log_outcome(struct output__target *t, enum output__outcome outcome)
{
    static const char *const words[] = {
        [OUTPUT__TRY_AGAIN] = "sending failed; it is tried again",
        [OUTPUT__REFUSED] = "the target refused what it was sent; it is not sent again",
        [OUTPUT__LOST] = "not all that was sent arrived"};
    if (outcome == OUTPUT__SENT && t->troubled)
        LOG_INFO("output", "sending works again", LOG_STR("output", t->settings->name));
    else if (outcome != OUTPUT__SENT && !t->troubled)
        LOG_WARN("output", words[outcome], LOG_STR("output", t->settings->name),
                 LOG_STR("error", t->last_error));
    t->troubled = outcome != OUTPUT__SENT;
}

static void count_outcome(struct output__target *t, enum output__outcome outcome, size_t lost)
{
    struct output__payload *p = t->head;
    if (outcome == OUTPUT__SENT || outcome == OUTPUT__LOST) {
        count(t, OUTPUT__COUNT_SENT, (int64_t)(p->samples - lost));
        count(t, OUTPUT__COUNT_BYTES, (int64_t)p->bytes.len);
        count(t, OUTPUT__COUNT_REQUESTS, 1);
        output__drop(t, OUTPUT__DROP_LOST, lost);
        t->last_sent_ns = wall_ns(t);
    } else {
        count(t, OUTPUT__COUNT_FAILED, 1);
        if (outcome == OUTPUT__REFUSED)
            output__drop(t, OUTPUT__DROP_REFUSED, p->samples);
    }
}

void output__target_done(struct output__target *t, enum output__outcome outcome, const char *why,
                         int64_t more)
{
    pthread_mutex_lock(&t->lock);
    t->in_flight = false;
    t->failing = outcome == OUTPUT__TRY_AGAIN;
    if (outcome != OUTPUT__SENT) {
        t->last_failed_ns = wall_ns(t);
        snprintf(t->last_error, sizeof(t->last_error), "%s", why);
    }
    if (outcome != OUTPUT__TRY_AGAIN || !t->closing) { /* else it was cancelled */
        count_outcome(t, outcome, outcome == OUTPUT__LOST ? (size_t)more : 0);
        log_outcome(t, outcome);
    }
    if (outcome != OUTPUT__TRY_AGAIN)
        output__queue_pop(t);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    if (t->closing) {
        tell_when_gone(t);
    } else if (outcome == OUTPUT__TRY_AGAIN) {
        t->pause_ns = t->pause_ns ? MIN(2 * t->pause_ns, PAUSE_MAX_NS) : PAUSE_FIRST_NS;
        int64_t pause = MAX(t->pause_ns, MIN(more, 10 * PAUSE_MAX_NS));
        t->timer = net_timer_start(t->loop, pause, 0, on_pause_over, t);
    } else {
        t->pause_ns = 0;
        net_loop_post(t->loop, pump, t); /* not from within the sender */
    }
}

/* --- encoding --- */

static void seal(struct output__target *t)
{
    struct buf packed = {0};
    if (!t->building_samples)
        return;
    if (t->format->end && t->settings->from < OUTPUT__FROM_LOGS)
        t->format->end(t->format_state, &t->building);
    struct slice bytes = buf_slice(&t->building);
    if (t->settings->transport == OUTPUT__HTTP && t->settings->compress &&
        t->format->content_encoding && strcmp(t->format->content_encoding, "gzip") == 0) {
        codec_compress(CODEC_GZIP, 0, bytes, &packed);
        bytes = buf_slice(&packed);
    }
    output__queue_push(t, bytes, t->building_samples, wall_ns(t));
    buf_deinit(&packed);
    buf_clear(&t->building);
    t->building_samples = 0;
    if (t->building.cap > 4 * BYTES_MAX)
        buf_deinit(&t->building);
}

static size_t payload_max(const struct output__target *t)
{
    return MIN(t->format->bytes_max ? t->format->bytes_max : (size_t)BYTES_MAX,
               (size_t)(t->settings->queue_bytes / 4));
}

static void add_row(void *ctx, const struct output__row *row)
{
    struct output__target *t = ctx;
    size_t max = payload_max(t);
    if (!t->building_samples && t->format->begin && !t->building.len)
        t->format->begin(t->format_state, &t->building);
    if (row->is_refused || !t->format->row(t->format_state, row, &t->building)) {
        output__drop(t, OUTPUT__DROP_NO_FORM, 1);
        return;
    }
    if (++t->building_samples >= (size_t)t->settings->batch_samples || t->building.len >= max)
        seal(t);
}

void output__target_take(struct output__target *t, struct output__types *types,
                         const struct data_metric_batch *batch)
{
    pthread_mutex_lock(&t->encode_lock);
    output__rows(t->settings, t->format, types, batch, add_row, t);
    seal(t);
    pthread_mutex_unlock(&t->encode_lock);
    net_loop_post(t->loop, pump, t);
}

void output__target_take_events(struct output__target *t, const struct data_event_batch *batch)
{
    pthread_mutex_lock(&t->encode_lock);
    for (size_t row = 0; row < batch->rows.len; row += t->building_samples, seal(t))
        t->building_samples =
            output__otlp_events(t->settings, batch, row, payload_max(t), &t->building);
    pthread_mutex_unlock(&t->encode_lock);
    net_loop_post(t->loop, pump, t);
}

/* --- life --- */

static void on_tick(void *arg)
{
    output__queue_tick(arg);
}

static void open_sender(void *arg)
{
    struct output__target *t = arg;
    t->sender_state = t->sender->open(t);
    t->tick = net_timer_start(t->loop, NS_PER_SEC, NS_PER_SEC, on_tick, t);
    pump(t);
}

struct output__target *output__target_new(const struct output_env *env,
                                          struct output_config *config,
                                          const struct output__settings *settings)
{
    struct output__target *t = mem_calloc(1, sizeof(*t));
    t->env = env;
    t->config = config;
    atomic_fetch_add(&config->refs, 1);
    t->settings = settings;
    t->format = output__format_of(settings);
    t->sender = settings->transport == OUTPUT__TCP ? &output__send_tcp
                : settings->transport == OUTPUT__HTTP || settings->transport == OUTPUT__GRPC
                    ? &output__send_http
                    : &output__send_pool;
    t->loop = net_loops_pick(env->loops);
    t->tail = &t->head;
    pthread_mutex_init(&t->encode_lock, NULL);
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (t->format->create)
        t->format_state = t->format->create(settings);
    register_counters(t);
    output__queue_open(t);
    net_loop_post(t->loop, open_sender, t);
    return t;
}

/* A pause is cut short: there is little time left. */
static void hurry(void *arg)
{
    struct output__target *t = arg;
    if (t->timer)
        on_pause_over(t);
}

void output__target_stop_begin(struct output__target *t)
{
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    t->failing = false;
    pthread_mutex_unlock(&t->lock);
    net_loop_post(t->loop, hurry, t);
}

static void close_sender(void *arg)
{
    struct output__target *t = arg;
    t->closing = true;
    net_timer_stop(t->timer);
    net_timer_stop(t->tick);
    t->timer = t->tick = NULL;
    t->sender->close(t->sender_state);
    t->closed = true;
    tell_when_gone(t);
}

void output__target_stop_end(struct output__target *t, int64_t deadline_ns)
{
    struct timespec until = {deadline_ns / NS_PER_SEC, deadline_ns % NS_PER_SEC};
    pthread_mutex_lock(&t->lock);
    while (t->head && !t->failing &&
           pthread_cond_timedwait(&t->changed, &t->lock, &until) != ETIMEDOUT) {
    }
    t->ending = true; /* nothing is posted to the loop from here on but this */
    pthread_mutex_unlock(&t->lock);
    net_loop_post(t->loop, close_sender, t);
    pthread_mutex_lock(&t->lock);
    while (!t->gone)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
    int64_t lost;
    if (!output__queue_close(t, &lost)) {
        LOG_WARN("output", "stopped with samples that were not sent; they are lost",
                 LOG_STR("output", t->settings->name), LOG_INT("samples", lost));
        output__drop(t, OUTPUT__DROP_STOPPED, (size_t)lost);
    }
    counter_unregister(t->counters, ARRAY_LEN(t->counters));
    counter_unregister(t->losses, ARRAY_LEN(t->losses));
    if (t->format->destroy)
        t->format->destroy(t->format_state);
    buf_deinit(&t->building);
    pthread_mutex_destroy(&t->encode_lock);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->changed);
    output_config_free(t->config);
    mem_free(t);
}

void output__target_look(struct output__target *t, struct codec_json_writer *w)
{
    static const char *const type_names[] = {"graphite", "influxdb",  "remote_write",
                                             "otlp",     "dogstatsd", "console"};
    static const char *const from_names[] = {"all", "statsd", "carbon", "logs", "traces"};
    struct buf url = {0};
    codec_json_begin_object(w);
    codec_json_put_string(w, "name", slice_cstr(t->settings->name));
    codec_json_put_string(w, "type", slice_cstr(type_names[t->settings->type]));
    text_yaml_mask_url(slice_cstr(t->settings->url), &url);
    codec_json_put_string(w, "url", buf_slice(&url));
    buf_deinit(&url);
    codec_json_put_string(w, "from", slice_cstr(from_names[t->settings->from]));
    pthread_mutex_lock(&t->lock);
    codec_json_put_bool(w, "failing", t->failing);
    codec_json_put_string(w, "last_error", slice_cstr(t->last_error));
    codec_json_put_int(w, "last_failed_ms", t->last_failed_ns / NS_PER_MS);
    codec_json_put_int(w, "last_sent_ms", t->last_sent_ns / NS_PER_MS);
    codec_json_put_int(w, "queue_samples", t->samples);
    codec_json_put_int(w, "queue_bytes", t->bytes);
    codec_json_put_int(w, "queue_bytes_max", t->settings->queue_bytes);
    codec_json_put_int(w, "queue_disk_bytes", t->disk_bytes);
    codec_json_put_int(w, "queue_disk_bytes_max", t->spool ? t->settings->disk_bytes : 0);
    codec_json_put_string(w, "disk_error",
                          slice_cstr(t->spool_failed && t->head ? t->spool_error : ""));
    codec_json_put_int(w, "oldest_ms", t->head ? t->head->made_ns / NS_PER_MS : 0);
    pthread_mutex_unlock(&t->lock);
    codec_json_put_int(w, "sent_samples", counter_get(&t->counters[OUTPUT__COUNT_SENT]));
    codec_json_put_int(w, "sent_bytes", counter_get(&t->counters[OUTPUT__COUNT_BYTES]));
    codec_json_put_int(w, "requests", counter_get(&t->counters[OUTPUT__COUNT_REQUESTS]));
    codec_json_put_int(w, "failed_requests", counter_get(&t->counters[OUTPUT__COUNT_FAILED]));
    codec_json_key(w, SLICE("dropped"));
    codec_json_begin_object(w);
    for (size_t i = 0; i < OUTPUT__DROP_COUNT; i++)
        codec_json_put_int(w, drop_names[i], counter_get(&t->counters[OUTPUT__COUNTERS + i]));
    codec_json_end_object(w);
    codec_json_key(w, SLICE("lost_segments"));
    codec_json_begin_object(w);
    for (size_t i = 0; i < OUTPUT__SPOOL_LOSSES; i++)
        codec_json_put_int(w, loss_names[i], counter_get(&t->losses[i]));
    codec_json_end_object(w);
    codec_json_end_object(w);
}
