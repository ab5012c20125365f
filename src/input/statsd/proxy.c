#include "input/statsd/proxy.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "input/statsd/hashring.h"
#include "net/dial.h"
#include "net/udp_sender.h"

#define DATAGRAM_BYTES 1432 /* fits an Ethernet frame */

struct node {
    struct statsd_proxy *proxy;
    char *name;  /* "host:port" */
    char *admin; /* "host:adminport"; NULL: not asked */
    struct net_udp_sender *sender;
    _Atomic int64_t lines, packets, lost;
    /* the loop's */
    struct net_dial *dial;
    bool waiting; /* for an answer */
};

struct statsd_proxy {
    struct input_env env;
    struct node *nodes;
    size_t count, shards;
    int64_t interval_ns;
    struct buf *gathered;  /* a shard's by a node */
    pthread_rwlock_t lock; /* of the next three */
    struct statsd_ring ring;
    const char **names;
    bool *is_up;
    struct net_loop *loop;
    struct net_timer *timer;
    pthread_mutex_t stop_lock;
    pthread_cond_t stopped;
    bool is_stopped;
};

/* --- which are up --- */

static void set_up(struct node *n, bool up)
{
    struct statsd_proxy *p = n->proxy;
    size_t at = (size_t)(n - p->nodes);
    pthread_rwlock_wrlock(&p->lock);
    bool changed = p->is_up[at] != up;
    if (changed) {
        p->is_up[at] = up;
        statsd__ring_build(&p->ring, p->names, p->is_up, p->count);
    }
    pthread_rwlock_unlock(&p->lock);
    if (changed)
        LOG_WARN("statsd",
                 up ? "a daemon is back in the proxy's ring"
                    : "a daemon leaves the proxy's ring: its admin port does not say up",
                 LOG_STR("daemon", n->name));
}

static void on_answer(void *ctx, struct slice bytes)
{
    struct node *n = ctx;
    if (!n->waiting)
        return;
    n->waiting = false;
    set_up(n, slice_find(bytes, SLICE("up")) >= 0);
}

static void on_asked(void *ctx, int err, const char *why)
{
    struct node *n = ctx;
    (void)why;
    if (err && err != ERR_CANCELLED) {
        n->waiting = false;
        set_up(n, false);
    }
}

static void free_dial(struct node *n)
{
    net_dial_free(n->dial);
    n->dial = NULL;
}

/* A connection of its own for each question. */
static void ask(struct node *n)
{
    struct net_dial_config config = {
        .address = n->admin, .timeout_ns = n->proxy->interval_ns, .on_bytes = on_answer, .ctx = n};
    if (!n->admin)
        return;
    if (n->waiting) /* no answer since the last time */
        set_up(n, false);
    free_dial(n);
    n->waiting = true;
    if (!net_dial_new(n->proxy->loop, &config, &n->dial, NULL))
        net_dial_send(n->dial, SLICE("health\r\n"), on_asked, n);
}

static void on_timer(void *ctx)
{
    struct statsd_proxy *p = ctx;
    for (size_t i = 0; i < p->count; i++)
        ask(&p->nodes[i]);
}

static void start_on_loop(void *ctx)
{
    struct statsd_proxy *p = ctx;
    on_timer(p);
    p->timer = net_timer_start(p->loop, p->interval_ns, p->interval_ns, on_timer, p);
}

static void stop_on_loop(void *ctx)
{
    struct statsd_proxy *p = ctx;
    net_timer_stop(p->timer);
    for (size_t i = 0; i < p->count; i++)
        free_dial(&p->nodes[i]);
    pthread_mutex_lock(&p->stop_lock);
    p->is_stopped = true;
    pthread_cond_broadcast(&p->stopped);
    pthread_mutex_unlock(&p->stop_lock);
}

/* --- life --- */

static int add_node(struct statsd_proxy *p, struct slice text, struct diag *diag)
{
    struct node *n = &p->nodes[p->count];
    struct slice host = text, port = text;
    const char *last = text.len ? memrchr(text.ptr, ':', text.len) : NULL;
    size_t colons = 0;
    ptrdiff_t bracket = slice_find_char(text, ']');
    for (size_t i = bracket < 0 ? 0 : (size_t)bracket; i < text.len; i++)
        colons += text.ptr[i] == ':';
    if (colons < 1 || colons > 2)
        return diag_set(diag, ERR_INVALID,
                        "statsd.proxy.nodes: \"%.*s\": host:port:adminport is expected, or "
                        "host:port without health checks",
                        SLICE_FMT(text));
    if (colons == 2) {
        port = slice_from(text, (size_t)(last - text.ptr) + 1);
        text.len = (size_t)(last - text.ptr);
        host =
            slice_first(text, (size_t)((const char *)memrchr(text.ptr, ':', text.len) - text.ptr));
        struct buf admin = {0};
        size_t len;
        buf_printf(&admin, "%.*s:%.*s", SLICE_FMT(host), SLICE_FMT(port));
        buf_append_char(&admin, '\0');
        n->admin = buf_take(&admin, &len);
    }
    struct buf name = {0};
    size_t len;
    buf_append_slice(&name, text);
    buf_append_char(&name, '\0');
    n->name = buf_take(&name, &len);
    n->proxy = p;
    p->names[p->count] = n->name;
    p->is_up[p->count] = true; /* until it is asked */
    p->count++;
    int err = net_udp_sender_open(text, &n->sender, diag);
    if (err)
        diag_wrap(diag, "statsd.proxy.nodes");
    return err;
}

int statsd__proxy_new(const struct input_env *env, const char *nodes, int64_t check_interval_ns,
                      size_t shards, struct statsd_proxy **out, struct diag *diag)
{
    struct statsd_proxy *p = mem_calloc(1, sizeof(*p));
    struct slice rest = slice_cstr(nodes), item;
    size_t max = 1;
    int err = 0;
    *out = NULL;
    for (size_t i = 0; i < rest.len; i++)
        max += rest.ptr[i] == ',';
    p->env = *env;
    p->interval_ns = check_interval_ns;
    p->shards = shards;
    p->nodes = mem_calloc(max, sizeof(*p->nodes));
    p->names = mem_calloc(max, sizeof(*p->names));
    p->is_up = mem_calloc(max, sizeof(*p->is_up));
    pthread_rwlock_init(&p->lock, NULL);
    pthread_mutex_init(&p->stop_lock, NULL);
    pthread_cond_init(&p->stopped, NULL);
    while (!err && rest.len && slice_split(&rest, ',', &item)) {
        if (slice_trim(item).len)
            err = add_node(p, slice_trim(item), diag);
    }
    p->gathered = mem_calloc(p->count * shards + 1, sizeof(*p->gathered));
    statsd__ring_build(&p->ring, p->names, p->is_up, p->count);
    if (err)
        statsd__proxy_free(p);
    else
        *out = p;
    return err;
}

void statsd__proxy_start(struct statsd_proxy *p)
{
    p->loop = net_loops_at(p->env.loops, 0);
    net_loop_post(p->loop, start_on_loop, p);
}

void statsd__proxy_free(struct statsd_proxy *p)
{
    if (!p)
        return;
    if (p->loop) {
        net_loop_post(p->loop, stop_on_loop, p);
        pthread_mutex_lock(&p->stop_lock);
        while (!p->is_stopped)
            pthread_cond_wait(&p->stopped, &p->stop_lock);
        pthread_mutex_unlock(&p->stop_lock);
    }
    for (size_t i = 0; i < p->count * p->shards; i++)
        buf_deinit(&p->gathered[i]);
    for (size_t i = 0; i < p->count; i++) {
        net_udp_sender_close(p->nodes[i].sender);
        mem_free(p->nodes[i].name);
        mem_free(p->nodes[i].admin);
    }
    statsd__ring_deinit(&p->ring);
    mem_free(p->gathered);
    mem_free(p->nodes);
    mem_free(p->names);
    mem_free(p->is_up);
    pthread_rwlock_destroy(&p->lock);
    pthread_mutex_destroy(&p->stop_lock);
    pthread_cond_destroy(&p->stopped);
    mem_free(p);
}

/* --- sending --- */

static void send_on(struct node *n, struct buf *gathered)
{
    n->packets++;
    if (!net_udp_sender_send(n->sender, buf_slice(gathered)))
        n->lost++;
    buf_clear(gathered);
}

size_t statsd__proxy_lines(struct statsd_proxy *p, size_t shard, struct slice packet,
                           size_t *out_homeless)
{
    size_t lines = 0;
    struct slice line;
    *out_homeless = 0;
    pthread_rwlock_rdlock(&p->lock);
    while (packet.len && slice_split(&packet, '\n', &line)) {
        if (!line.len)
            continue;
        lines++;
        ptrdiff_t colon = slice_find_char(line, ':');
        ptrdiff_t at =
            statsd__ring_get(&p->ring, colon < 0 ? line : slice_first(line, (size_t)colon));
        if (at < 0) {
            ++*out_homeless;
            continue;
        }
        struct node *n = &p->nodes[at];
        struct buf *b = &p->gathered[shard * p->count + (size_t)at];
        if (b->len && b->len + 1 + line.len > DATAGRAM_BYTES)
            send_on(n, b);
        if (b->len)
            buf_append_char(b, '\n');
        buf_append_slice(b, line);
        n->lines++;
    }
    pthread_rwlock_unlock(&p->lock);
    return lines;
}

void statsd__proxy_flush(struct statsd_proxy *p, size_t shard)
{
    for (size_t i = 0; i < p->count; i++) {
        struct buf *b = &p->gathered[shard * p->count + i];
        if (b->len)
            send_on(&p->nodes[i], b);
    }
}

void statsd__proxy_names(struct statsd_proxy *p, struct buf *out)
{
    pthread_rwlock_rdlock(&p->lock);
    for (size_t i = 0; i < p->count; i++) {
        if (p->is_up[i])
            buf_printf(out, "%s ", p->names[i]);
    }
    pthread_rwlock_unlock(&p->lock);
}

void statsd__proxy_look(struct statsd_proxy *p, struct codec_json_writer *w)
{
    codec_json_begin_array(w);
    pthread_rwlock_rdlock(&p->lock);
    for (size_t i = 0; i < p->count; i++) {
        struct node *n = &p->nodes[i];
        codec_json_begin_object(w);
        codec_json_put_string(w, "daemon", slice_cstr(n->name));
        codec_json_put_bool(w, "checked", n->admin != NULL);
        codec_json_put_bool(w, "up", p->is_up[i]);
        codec_json_put_int(w, "lines", n->lines);
        codec_json_put_int(w, "packets", n->packets);
        codec_json_put_int(w, "lost_packets", n->lost);
        codec_json_end_object(w);
    }
    pthread_rwlock_unlock(&p->lock);
    codec_json_end_array(w);
}
