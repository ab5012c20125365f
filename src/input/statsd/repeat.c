#include "input/statsd/repeat.h"

#include <pthread.h>

#include "base/buf.h"
#include "base/counter.h"
#include "base/mem.h"
#include "net/dial.h"
#include "net/udp_sender.h"
#include "net/url.h"

#define PACKET_BYTES 1432 /* fits an Ethernet frame; of what came over a stream */
#define BUFFER_BYTES ((size_t)4 << 20)
#define PAUSE_NS     (500 * NS_PER_MS) /* after a connection that failed */

static struct counter sent = {.name = "pharos_statsd_repeated_packets_total",
                              .help = "Packets sent on to statsd.repeat_to, each one counted."};
static struct counter lost = {.name = "pharos_statsd_repeat_failed_packets_total",
                              .help =
                                  "Packets that could not be sent on: nobody there, or no room."};

struct target {
    struct statsd_repeat *repeat;
    struct net_udp_sender *udp; /* NULL: over TCP */
    char *address;
    pthread_mutex_t lock; /* of the next four */
    struct buf waiting;
    int64_t waiting_packets;
    bool busy; /* the loop has been told, or is at it */
    /* the loop's */
    struct buf going;
    int64_t going_packets;
    struct net_dial *dial;
    struct net_timer *timer;
};

struct statsd_repeat {
    struct net_loop *loop;
    struct target *targets;
    size_t count;
    pthread_mutex_t stop_lock;
    pthread_cond_t stopped;
    bool stopping, is_stopped;
};

/* --- TCP; loop thread --- */

static void pump(void *ctx);

static void on_pause_over(void *ctx)
{
    struct target *t = ctx;
    net_timer_stop(t->timer);
    t->timer = NULL;
    pump(t);
}

static void on_sent(void *ctx, int err, const char *why)
{
    struct target *t = ctx;
    (void)why;
    counter_add(err ? &lost : &sent, t->going_packets);
    if (t->repeat->stopping)
        return;
    if (err)
        t->timer = net_timer_start(t->repeat->loop, PAUSE_NS, 0, on_pause_over, t);
    else
        net_loop_post(t->repeat->loop, pump, t);
}

static void pump(void *ctx)
{
    struct target *t = ctx;
    struct net_dial_config config = {.address = t->address};
    if (t->repeat->stopping)
        return;
    pthread_mutex_lock(&t->lock);
    struct buf free_one = t->going;
    t->going = t->waiting;
    t->going_packets = t->waiting_packets;
    t->waiting = free_one;
    t->waiting_packets = 0;
    buf_clear(&t->waiting);
    t->busy = t->going.len > 0;
    pthread_mutex_unlock(&t->lock);
    if (!t->going.len)
        return;
    if (!t->dial)
        (void)!net_dial_new(t->repeat->loop, &config, &t->dial, NULL); /* it was checked */
    net_dial_send(t->dial, buf_slice(&t->going), on_sent, t);
}

static void stop_on_loop(void *ctx)
{
    struct statsd_repeat *r = ctx;
    r->stopping = true;
    for (size_t i = 0; i < r->count; i++) {
        net_timer_stop(r->targets[i].timer);
        net_dial_free(r->targets[i].dial);
    }
    pthread_mutex_lock(&r->stop_lock);
    r->is_stopped = true;
    pthread_cond_broadcast(&r->stopped);
    pthread_mutex_unlock(&r->stop_lock);
}

/* --- life --- */

static int add_target(struct statsd_repeat *r, struct slice text, struct diag *diag)
{
    struct target *t = &r->targets[r->count++];
    char host[256];
    uint16_t port;
    t->repeat = r;
    pthread_mutex_init(&t->lock, NULL);
    if (!slice_starts_with(text, SLICE("tcp://")))
        return net_udp_sender_open(text, &t->udp, diag);
    struct buf address = {0};
    size_t len;
    buf_append_slice(&address, slice_from(text, 6));
    buf_append_char(&address, '\0');
    t->address = buf_take(&address, &len);
    return net_peer_parse(slice_from(text, 6), host, sizeof(host), &port, diag);
}

int statsd__repeat_new(const struct input_env *env, const char *targets, struct statsd_repeat **out,
                       struct diag *diag)
{
    struct slice rest = slice_cstr(targets), item;
    size_t max = 1;
    int err = 0;
    *out = NULL;
    if (!rest.len)
        return 0;
    counter_register(&sent, 1);
    counter_register(&lost, 1);
    for (size_t i = 0; i < rest.len; i++)
        max += rest.ptr[i] == ',';
    struct statsd_repeat *r = mem_calloc(1, sizeof(*r));
    r->targets = mem_calloc(max, sizeof(*r->targets));
    pthread_mutex_init(&r->stop_lock, NULL);
    pthread_cond_init(&r->stopped, NULL);
    if (env->loops)
        r->loop = net_loops_at(env->loops, 0);
    while (!err && slice_split(&rest, ',', &item)) {
        if (slice_trim(item).len)
            err = add_target(r, slice_trim(item), diag);
    }
    if (err) {
        diag_wrap(diag, "statsd.repeat_to");
        statsd__repeat_free(r);
    } else {
        *out = r;
    }
    return err;
}

void statsd__repeat_free(struct statsd_repeat *r)
{
    if (!r)
        return;
    if (r->loop) {
        net_loop_post(r->loop, stop_on_loop, r);
        pthread_mutex_lock(&r->stop_lock);
        while (!r->is_stopped)
            pthread_cond_wait(&r->stopped, &r->stop_lock);
        pthread_mutex_unlock(&r->stop_lock);
    }
    for (size_t i = 0; i < r->count; i++) {
        struct target *t = &r->targets[i];
        net_udp_sender_close(t->udp);
        mem_free(t->address);
        buf_deinit(&t->waiting);
        buf_deinit(&t->going);
        pthread_mutex_destroy(&t->lock);
    }
    mem_free(r->targets);
    pthread_mutex_destroy(&r->stop_lock);
    pthread_cond_destroy(&r->stopped);
    mem_free(r);
}

/* --- sending --- */

static void over_tcp(struct target *t, struct slice packet)
{
    bool tell = false, taken = false;
    pthread_mutex_lock(&t->lock);
    if (t->repeat->loop && t->waiting.len + packet.len + 1 <= BUFFER_BYTES) {
        buf_append_slice(&t->waiting, packet);
        if (packet.len && packet.ptr[packet.len - 1] != '\n')
            buf_append_char(&t->waiting, '\n');
        t->waiting_packets++;
        taken = true;
        tell = !t->busy;
        t->busy = true;
    }
    pthread_mutex_unlock(&t->lock);
    if (!taken)
        counter_add(&lost, 1);
    if (tell)
        net_loop_post(t->repeat->loop, pump, t);
}

void statsd__repeat_packet(struct statsd_repeat *r, struct slice packet)
{
    for (size_t i = 0; i < r->count; i++) {
        struct target *t = &r->targets[i];
        if (!t->udp)
            over_tcp(t, packet);
        else
            counter_add(net_udp_sender_send(t->udp, packet) ? &sent : &lost, 1);
    }
}

void statsd__repeat_stream(struct statsd_repeat *r, struct slice bytes)
{
    while (bytes.len) {
        size_t n = MIN(bytes.len, (size_t)PACKET_BYTES);
        const char *last = n < bytes.len ? memrchr(bytes.ptr, '\n', n) : NULL;
        if (last)
            n = (size_t)(last - bytes.ptr) + 1;
        else if (n < bytes.len && (last = memchr(bytes.ptr + n, '\n', bytes.len - n)))
            n = (size_t)(last - bytes.ptr) + 1; /* one long line */
        else
            n = bytes.len;
        statsd__repeat_packet(r, slice_first(bytes, n));
        bytes = slice_from(bytes, n);
    }
}
