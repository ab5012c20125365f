#include "alert/notify.h"

#include <pthread.h>

#include "alert/pack.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/json_write.h"
#include "discovery/client.h"
#include "discovery/peers.h"
#include "net/http_client.h"
#include "pipe/relabel.h"
#include "text/duration.h"

#define BATCH_MAX_DEFAULT 256
#define LOOK_EVERY_NS     (5 * NS_PER_SEC)

static struct counter sent = {.name = "pharos_notifications_sent_total",
                              .help = "Alerts posted to an Alertmanager, counted for each."};
static struct counter errors = {.name = "pharos_notifications_errors_total",
                                .help = "Alerts in posts that an Alertmanager did not take."};
static struct counter dropped_full = {
    .name = "pharos_notifications_dropped_total",
    .help = "Alerts that were given up, by reason: the queue was full, or no Alertmanager took "
            "them. Firing ones are sent again.",
    .labels = "reason=\"queue_full\""};
static struct counter dropped_refused = {.name = "pharos_notifications_dropped_total",
                                         .labels = "reason=\"not_taken\""};
static struct counter dropped_relabel = {.name = "pharos_notifications_dropped_total",
                                         .labels = "reason=\"relabelling_refused\""};
static struct counter queue_length = {.name = "pharos_notifications_queue_length",
                                      .help = "Alerts waiting to be posted.",
                                      .kind = COUNTER_GAUGE};
static struct counter discovered = {.name = "pharos_notifications_alertmanagers_discovered",
                                    .help = "Alertmanagers alerts are posted to.",
                                    .kind = COUNTER_GAUGE};

struct alert_notify_config {
    struct arena *arena;
    struct pipe_relabel relabel; /* alert_relabel_configs */
    VEC(struct discovery_peers *) peers;
};

struct waiting {
    struct data_labels labels, annotations;
    int64_t starts_ns, ends_ns;
    char *generator_url;
    int64_t bytes;
};

/* How posting to one address of one entry of `alertmanagers` goes. */
struct delivery {
    size_t entry;
    char *url, *error; /* error: of the last post, NULL = none */
    int64_t answered_ns, taken_ns;
};

struct alert_notifier {
    struct alert_notifier_env env;
    struct net_client *client; /* loop thread only, and the next */
    struct discovery_client *sender;
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t changed;
    struct alert_notify_config *config; /* NULL: nobody to tell */
    struct data_labels external_labels;
    VEC(struct waiting) queue;
    size_t head;                         /* of the queue: what is before is gone */
    int64_t queue_max, bytes_max, bytes; /* bytes: of what waits */
    size_t in_flight;                    /* posts of the batch on its way */
    size_t batch_size;                   /* alerts in it */
    bool batch_taken;                    /* somebody took it */
    bool stopping, stopped;
    /* Where the Alertmanagers were when last looked for, one arena for all of it. */
    struct arena *view_arena;
    struct discovery_peers_view *views;
    int64_t looked_ns;
    VEC(struct delivery) deliveries; /* of addresses that are in the views */
};

/* --- configuration --- */

void alert_notify_config_free(struct alert_notify_config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->peers.len; i++)
        discovery_peers_free(c->peers.items[i]);
    vec_free(&c->peers);
    pipe_relabel_deinit(&c->relabel);
    arena_free(c->arena);
    mem_free(c);
}

static int parse(const struct alert_notify_source *source, struct alert_notify_config *c,
                 struct diag *diag)
{
    static const char *const keys[] = {"alert_relabel_configs", "alertmanagers", NULL};
    const struct text_yaml *map = source->alerting;
    if (text_yaml_is_null(map))
        return 0;
    int err = text_yaml_check_keys(map, "alerting", keys, diag);
    const struct text_yaml *list = text_yaml_get(map, "alertmanagers");
    if (!err)
        err = pipe_relabel_parse(text_yaml_get(map, "alert_relabel_configs"), c->arena, &c->relabel,
                                 diag);
    if (!err && !text_yaml_is_null(list) && list->kind != TEXT_YAML_LIST)
        err = text_yaml_error(list, diag, ERR_INVALID, "alertmanagers takes a list");
    for (size_t i = 0; !err && !text_yaml_is_null(list) && i < list->count; i++) {
        struct discovery_peers_source one = {list->items[i], source->base_dir,
                                             source->ignore_unsupported};
        struct discovery_peers *peers;
        err = discovery_peers_new(&one, &peers, diag);
        if (!err)
            vec_push(&c->peers, peers);
    }
    return err;
}

int alert_notify_config_parse(const struct alert_notify_source *source,
                              struct alert_notify_config **out, struct diag *diag)
{
    struct alert_notify_config *c = mem_calloc(1, sizeof(*c));
    c->arena = arena_new(0, NULL);
    int err = parse(source, c, diag);
    *out = err ? NULL : c;
    if (err)
        alert_notify_config_free(c);
    return err;
}

/* --- the queue --- */

static void free_waiting(struct waiting *w)
{
    alert__unpack(&w->labels);
    alert__unpack(&w->annotations);
    mem_free(w->generator_url);
}

static size_t queued(const struct alert_notifier *n)
{
    return n->queue.len - n->head;
}

/* Gives back what is before the head once it is most of the queue. */
static void compact(struct alert_notifier *n)
{
    if (n->head <= 1024 || n->head * 2 <= n->queue.len)
        return;
    n->queue.len -= n->head;
    memmove(n->queue.items, n->queue.items + n->head, n->queue.len * sizeof(*n->queue.items));
    n->head = 0;
}

/* Forgets the first `count`. */
static void pop(struct alert_notifier *n, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        n->bytes -= n->queue.items[n->head].bytes;
        free_waiting(&n->queue.items[n->head++]);
    }
    compact(n);
    counter_set(&queue_length, (int64_t)queued(n));
}

static int64_t size_of(struct data_labels l)
{
    size_t bytes = l.count * sizeof(*l.items);
    for (size_t i = 0; i < l.count; i++)
        bytes += l.items[i].name.len + l.items[i].value.len;
    return (int64_t)bytes;
}

/* The oldest give way; what is on its way stays. */
static void make_room(struct alert_notifier *n, int64_t bytes)
{
    while (queued(n) > n->batch_size &&
           ((int64_t)queued(n) >= n->queue_max || n->bytes + bytes > n->bytes_max)) {
        struct waiting *first = &n->queue.items[n->head], *oldest = first + n->batch_size;
        n->bytes -= oldest->bytes;
        free_waiting(oldest);
        memmove(first + 1, first, n->batch_size * sizeof(*first));
        n->head++;
        compact(n);
        counter_add(&dropped_full, 1);
    }
}

/* An alert whose rules cannot be applied is not sent: where it would go nobody knows. */
static bool relabelled(const struct pipe_relabel *relabel, struct data_labels_builder *b,
                       struct arena *arena)
{
    struct diag diag;
    diag_init(&diag);
    enum pipe_relabel_verdict v = pipe_relabel_apply(relabel, b, arena, &diag);
    if (v == PIPE_RELABEL_REFUSED) {
        counter_add(&dropped_relabel, 1);
        LOG_WARN("alert", "an alert is not sent", LOG_STR("error", diag.msg));
    }
    return v == PIPE_RELABEL_KEPT;
}

void alert_notifier_push(struct alert_notifier *n, const struct alert_notice *notice)
{
    struct data_labels_builder b = {0};
    struct arena *arena = arena_new(1024, NULL);
    struct data_labels labels;
    pthread_mutex_lock(&n->lock);
    if (!n->config || !n->config->peers.len || n->stopping)
        goto out;
    data_labels_builder_from(&b, notice->labels);
    for (size_t i = 0; i < n->external_labels.count; i++) {
        struct data_label l = n->external_labels.items[i];
        if (!data_labels_builder_get(&b, l.name).len)
            data_labels_builder_set(&b, l.name, l.value);
    }
    if (!relabelled(&n->config->relabel, &b, arena) ||
        data_labels_builder_finish(&b, &labels, NULL) || !labels.count)
        goto out;
    int64_t bytes = (int64_t)(sizeof(struct waiting) + notice->generator_url.len) +
                    size_of(labels) + size_of(notice->annotations);
    make_room(n, bytes);
    struct waiting w = {.labels = alert__pack(labels.items, labels.count),
                        .annotations =
                            alert__pack(notice->annotations.items, notice->annotations.count),
                        .starts_ns = notice->starts_ns,
                        .ends_ns = notice->ends_ns,
                        .generator_url = mem_alloc(notice->generator_url.len + 1),
                        .bytes = bytes};
    memcpy(w.generator_url, notice->generator_url.len ? notice->generator_url.ptr : "",
           notice->generator_url.len);
    w.generator_url[notice->generator_url.len] = 0;
    vec_push(&n->queue, w);
    n->bytes += bytes;
    counter_set(&queue_length, (int64_t)queued(n));
out:
    pthread_mutex_unlock(&n->lock);
    data_labels_builder_deinit(&b);
    arena_free(arena);
}

/* --- posting; loop thread --- */

static void put_labels(struct codec_json_writer *w, const char *key, struct data_labels labels)
{
    codec_json_key(w, slice_cstr(key));
    codec_json_begin_object(w);
    for (size_t i = 0; i < labels.count; i++) {
        codec_json_key(w, labels.items[i].name);
        codec_json_string(w, labels.items[i].value);
    }
    codec_json_end_object(w);
}

static void put_time(struct codec_json_writer *w, const char *key, int64_t ns)
{
    struct buf text = {0};
    if (!ns)
        return;
    text_time_print(ns - ns % NS_PER_MS, &text);
    codec_json_put_string(w, key, buf_slice(&text));
    buf_deinit(&text);
}

/* The batch as JSON for one entry's Alertmanagers; 0 when relabelling left nothing. */
static size_t encode(struct alert_notifier *n, const struct pipe_relabel *relabel, size_t count,
                     struct buf *out)
{
    struct data_labels_builder b = {0};
    struct arena *arena = arena_new(0, NULL);
    struct codec_json_writer w;
    size_t done = 0;
    codec_json_init(&w, out);
    codec_json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        const struct waiting *one = &n->queue.items[n->head + i];
        struct data_labels labels = one->labels;
        if (relabel->count) {
            data_labels_builder_from(&b, labels);
            if (!relabelled(relabel, &b, arena) || data_labels_builder_finish(&b, &labels, NULL) ||
                !labels.count)
                continue;
        }
        done++;
        codec_json_begin_object(&w);
        put_labels(&w, "annotations", one->annotations);
        put_time(&w, "endsAt", one->ends_ns);
        put_time(&w, "startsAt", one->starts_ns);
        codec_json_put_string(&w, "generatorURL", slice_cstr(one->generator_url));
        put_labels(&w, "labels", labels);
        codec_json_end_object(&w);
    }
    codec_json_end_array(&w);
    data_labels_builder_deinit(&b);
    arena_free(arena);
    return done;
}

struct post {
    struct alert_notifier *notifier;
    char *url;
    size_t entry;
    size_t count;
};

/* --- how it went, by Alertmanager; the lock is held --- */

static struct delivery *find_delivery(struct alert_notifier *n, size_t entry, struct slice url)
{
    for (size_t i = 0; i < n->deliveries.len; i++) {
        struct delivery *d = &n->deliveries.items[i];
        if (d->entry == entry && slice_eq_cstr(url, d->url))
            return d;
    }
    return NULL;
}

static bool in_views(const struct alert_notifier *n, const struct delivery *d)
{
    if (!n->config || !n->views || d->entry >= n->config->peers.len)
        return false;
    const struct discovery_peers_view *v = &n->views[d->entry];
    for (size_t k = 0; k < v->url_count; k++) {
        if (slice_eq_cstr(v->urls[k], d->url))
            return true;
    }
    return false;
}

static void free_delivery(struct delivery *d)
{
    mem_free(d->url);
    mem_free(d->error);
}

/* Forgets addresses that are gone. */
static void prune_deliveries(struct alert_notifier *n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n->deliveries.len; i++) {
        if (in_views(n, &n->deliveries.items[i]))
            n->deliveries.items[kept++] = n->deliveries.items[i];
        else
            free_delivery(&n->deliveries.items[i]);
    }
    n->deliveries.len = kept;
}

/* error: NULL = taken. */
static void note_delivery(struct alert_notifier *n, size_t entry, const char *url,
                          const char *error)
{
    struct delivery *d = find_delivery(n, entry, slice_cstr(url));
    if (!d) {
        d = vec_add(&n->deliveries);
        d->entry = entry;
        d->url = mem_strdup(url);
    }
    d->answered_ns = n->env.os->ops->now_ns(n->env.os);
    if (!error)
        d->taken_ns = d->answered_ns;
    mem_free(d->error);
    d->error = error ? mem_strdup(error) : NULL;
}

static void answer_error(const struct net_client_response *resp, struct buf *out)
{
    struct slice body = slice_first(resp->body, 200);
    if (resp->err)
        buf_append_cstr(out, resp->diag && resp->diag->msg[0] ? resp->diag->msg : "no answer");
    else
        buf_printf(out, "answered %d%s%.*s", (int)resp->status, body.len ? ": " : "",
                   SLICE_FMT(body));
}

static void send_batch(struct alert_notifier *n);

static void on_answer(const struct net_client_response *resp, void *ctx)
{
    struct post *p = ctx;
    struct alert_notifier *n = p->notifier;
    bool ok = !resp->err && resp->status / 100 == 2;
    if (resp->err != ERR_CANCELLED && !ok) {
        struct slice body = slice_first(resp->body, 200);
        LOG_WARN("alert", "alerts were not taken", LOG_STR("alertmanager", p->url),
                 LOG_INT("count", p->count), LOG_INT("status", resp->status),
                 LOG_STR("error", resp->err && resp->diag ? resp->diag->msg : ""),
                 LOG_SLICE("answer", body));
    }
    counter_add(&sent, (int64_t)p->count);
    if (!ok)
        counter_add(&errors, (int64_t)p->count);
    struct buf error = {0};
    if (!ok)
        answer_error(resp, &error);
    pthread_mutex_lock(&n->lock);
    if (resp->err != ERR_CANCELLED)
        note_delivery(n, p->entry, p->url, ok ? NULL : buf_cstr(&error));
    n->batch_taken |= ok;
    if (!--n->in_flight) {
        if (!n->batch_taken)
            counter_add(&dropped_refused, (int64_t)n->batch_size);
        pop(n, n->batch_size);
        n->batch_size = 0;
        if (!n->stopping)
            send_batch(n);
    }
    pthread_mutex_unlock(&n->lock);
    buf_deinit(&error);
    mem_free(p->url);
    mem_free(p);
}

/* Looks for the Alertmanagers, at most every few seconds. Lock held. */
static void look(struct alert_notifier *n)
{
    int64_t now_ns = n->env.os->ops->monotonic_ns(n->env.os);
    size_t count = 0;
    if (!n->config || (n->view_arena && now_ns - n->looked_ns < LOOK_EVERY_NS))
        return;
    arena_free(n->view_arena);
    n->view_arena = arena_new(0, NULL);
    n->views = ARENA_ARRAY(n->view_arena, struct discovery_peers_view, n->config->peers.len + 1);
    for (size_t i = 0; i < n->config->peers.len; i++) {
        discovery_peers_look(n->config->peers.items[i], n->env.os, n->view_arena, &n->views[i]);
        count += n->views[i].url_count;
    }
    n->looked_ns = now_ns;
    prune_deliveries(n);
    counter_set(&discovered, (int64_t)count);
}

static void post_to(struct alert_notifier *n, size_t entry, struct slice url,
                    const struct buf *body, size_t count)
{
    const struct discovery_peers *peers = n->config->peers.items[entry];
    const struct net_client_header headers[] = {
        {SLICE_INIT("Content-Type"), SLICE_INIT("application/json")},
        {SLICE_INIT("User-Agent"), slice_cstr(n->env.version)}};
    struct arena *arena = arena_new(0, NULL);
    struct post *p = mem_calloc(1, sizeof(*p));
    struct net_client_request req = {.method = "POST",
                                     .url = arena_slice(arena, url).ptr,
                                     .headers = headers,
                                     .header_count = ARRAY_LEN(headers),
                                     .body = buf_slice(body),
                                     .timeout_ns = discovery_peers_timeout_ns(peers)};
    struct diag diag;
    diag_init(&diag);
    p->notifier = n;
    p->url = mem_strdup(req.url);
    p->entry = entry;
    p->count = count;
    if (discovery_client_send(n->sender, discovery_peers_http(peers), &req, on_answer, p, NULL,
                              &diag)) {
        LOG_WARN("alert", "an Alertmanager cannot be asked", LOG_STR("alertmanager", p->url),
                 LOG_STR("error", diag.msg));
        counter_add(&errors, (int64_t)count);
        note_delivery(n, entry, p->url, diag.msg);
        mem_free(p->url);
        mem_free(p);
    } else {
        n->in_flight++;
    }
    arena_free(arena);
}

/* Starts the next batch. Lock held. */
static void send_batch(struct alert_notifier *n)
{
    size_t max = n->env.batch_max ? n->env.batch_max : BATCH_MAX_DEFAULT;
    while (!n->in_flight && queued(n) && n->client) {
        size_t count = MIN(queued(n), max);
        n->batch_size = count;
        n->batch_taken = false;
        look(n);
        for (size_t i = 0; n->config && i < n->config->peers.len; i++) {
            const struct discovery_peers *peers = n->config->peers.items[i];
            struct buf body = {0};
            size_t encoded = encode(n, discovery_peers_payload_relabel(peers), count, &body);
            for (size_t k = 0; encoded && k < n->views[i].url_count; k++)
                post_to(n, i, n->views[i].urls[k], &body, encoded);
            buf_deinit(&body);
        }
        if (!n->in_flight) { /* nobody to tell */
            pop(n, count);
            counter_add(&dropped_refused, (int64_t)count);
            n->batch_size = 0;
        }
    }
}

static void flush_on_loop(void *ctx)
{
    struct alert_notifier *n = ctx;
    pthread_mutex_lock(&n->lock);
    if (!n->stopping)
        send_batch(n);
    pthread_mutex_unlock(&n->lock);
}

void alert_notifier_flush(struct alert_notifier *n)
{
    pthread_mutex_lock(&n->lock);
    bool go = queued(n) && !n->in_flight && !n->stopping;
    pthread_mutex_unlock(&n->lock);
    if (go)
        net_loop_post(n->env.loop, flush_on_loop, n);
}

/* --- life --- */

static void begin_on_loop(void *ctx)
{
    struct alert_notifier *n = ctx;
    struct diag diag;
    diag_init(&diag);
    if (net_client_new(n->env.loop, &n->client, &diag))
        LOG_ERROR("alert", "alerts cannot be sent", LOG_STR("error", diag.msg));
    else
        n->sender = discovery_client_new(n->env.os, n->client);
}

struct alert_notifier *alert_notifier_new(const struct alert_notifier_env *env)
{
    struct alert_notifier *n = mem_calloc(1, sizeof(*n));
    n->env = *env;
    n->queue_max = env->queue_max;
    n->bytes_max = env->queue_bytes_max;
    pthread_mutex_init(&n->lock, NULL);
    pthread_cond_init(&n->changed, NULL);
    counter_register(&sent, 1);
    counter_register(&errors, 1);
    counter_register(&dropped_full, 1);
    counter_register(&dropped_refused, 1);
    counter_register(&dropped_relabel, 1);
    counter_register(&queue_length, 1);
    counter_register(&discovered, 1);
    net_loop_post(env->loop, begin_on_loop, n);
    return n;
}

/* Discovery lives on the loop: there the old one ends and the new one begins. */
struct swap {
    struct alert_notifier *notifier;
    struct alert_notify_config *old;
};

static void stop_discovery(struct alert_notify_config *c)
{
    for (size_t i = 0; c && i < c->peers.len; i++)
        discovery_peers_stop(c->peers.items[i]);
}

static void on_discovered(void *ctx)
{
    struct alert_notifier *n = ctx;
    pthread_mutex_lock(&n->lock);
    n->looked_ns = INT64_MIN / 2; /* the next look is a fresh one */
    pthread_mutex_unlock(&n->lock);
}

static void swap_on_loop(void *ctx)
{
    struct swap *s = ctx;
    struct alert_notifier *n = s->notifier;
    stop_discovery(s->old);
    alert_notify_config_free(s->old);
    mem_free(s);
    /* Only this thread frees a configuration that was in force. */
    pthread_mutex_lock(&n->lock);
    struct alert_notify_config *c = n->stopping ? NULL : n->config;
    pthread_mutex_unlock(&n->lock);
    for (size_t i = 0; c && n->client && i < c->peers.len; i++)
        discovery_peers_start(c->peers.items[i], n->env.os, n->env.loop, n->client, on_discovered,
                              n);
}

void alert_notifier_apply(struct alert_notifier *n, struct alert_notify_config *config,
                          struct data_labels external_labels)
{
    struct swap *swap = mem_calloc(1, sizeof(*swap));
    pthread_mutex_lock(&n->lock);
    swap->notifier = n;
    swap->old = n->config;
    n->config = config;
    alert__unpack(&n->external_labels);
    n->external_labels = alert__pack(external_labels.items, external_labels.count);
    arena_free(n->view_arena);
    n->view_arena = NULL;
    n->views = NULL;
    look(n);
    pthread_mutex_unlock(&n->lock);
    net_loop_post(n->env.loop, swap_on_loop, swap);
}

void alert_notifier_set_limits(struct alert_notifier *n, int64_t queue_max, int64_t queue_bytes_max)
{
    pthread_mutex_lock(&n->lock);
    n->queue_max = queue_max;
    n->bytes_max = queue_bytes_max;
    pthread_mutex_unlock(&n->lock);
}

static void end_on_loop(void *ctx)
{
    struct alert_notifier *n = ctx;
    pthread_mutex_lock(&n->lock);
    struct alert_notify_config *c = n->config;
    pthread_mutex_unlock(&n->lock);
    stop_discovery(c);
    discovery_client_free(n->sender);
    n->sender = NULL;
    net_client_free(n->client); /* calls in flight see ERR_CANCELLED */
    n->client = NULL;
    pthread_mutex_lock(&n->lock);
    n->stopped = true;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
}

void alert_notifier_free(struct alert_notifier *n)
{
    if (!n)
        return;
    pthread_mutex_lock(&n->lock);
    n->stopping = true;
    pthread_mutex_unlock(&n->lock);
    net_loop_post(n->env.loop, end_on_loop, n);
    pthread_mutex_lock(&n->lock);
    while (!n->stopped)
        pthread_cond_wait(&n->changed, &n->lock);
    pthread_mutex_unlock(&n->lock);
    pop(n, queued(n));
    vec_free(&n->queue);
    alert_notify_config_free(n->config);
    alert__unpack(&n->external_labels);
    arena_free(n->view_arena);
    for (size_t i = 0; i < n->deliveries.len; i++)
        free_delivery(&n->deliveries.items[i]);
    vec_free(&n->deliveries);
    pthread_mutex_destroy(&n->lock);
    pthread_cond_destroy(&n->changed);
    mem_free(n);
}

void alert_notifier_each(struct alert_notifier *n, alert_peer_fn each, void *arg)
{
    pthread_mutex_lock(&n->lock);
    look(n);
    for (size_t i = 0; n->config && i < n->config->peers.len; i++) {
        for (size_t k = 0; k < n->views[i].url_count; k++) {
            struct alert_peer peer = {.url = n->views[i].urls[k]};
            const struct delivery *d = find_delivery(n, i, peer.url);
            if (d) {
                peer.answered_ns = d->answered_ns;
                peer.taken_ns = d->taken_ns;
                peer.error = d->error;
            }
            each(arg, &peer);
        }
        for (size_t k = 0; k < n->views[i].dropped_count; k++)
            each(arg, &(struct alert_peer){.url = n->views[i].dropped[k], .dropped = true});
    }
    pthread_mutex_unlock(&n->lock);
}
