/* Datagram sockets on loops: recvmmsg until the kernel has no more.
 *
 * A socket that wakes its loop for every few datagrams, thousands of times a second, costs more in
 * wake-ups than in datagrams. It is looked at every millisecond then, for as long as that finds
 * some, unless so many come that their buffer might not hold a millisecond of them. */
#include "net/udp.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/counter.h"
#include "base/mem.h"
#include "net/listen.h"
#include "net/loop_priv.h"
#include "net/url.h"

#define ROUNDS_MAX      16 /* batches of one wake-up, so that others on the loop get their turn */
#define LAST_ROUNDS_MAX 4096
#define BUSY_WAKE_UPS   4  /* within a millisecond: from there on the clock wakes */
#define IDLE_TICKS      4  /* without a datagram: from there on the kernel does */
#define TICK_MAX        96 /* datagrams of one tick; beyond that waiting would risk some */
#define CONTROL_BYTES   CMSG_SPACE(sizeof(uint32_t))

enum { DATAGRAMS, BYTES, DROPPED, CUT, COUNTER_COUNT };

struct udp_socket {
    struct net_udp *udp;
    size_t index;
    struct net_loop *loop;
    uv_poll_t poll;
    uv_timer_t timer; /* takes the place of poll while many come */
    uint64_t wake_ms; /* of the last wake-ups by the kernel */
    unsigned wake_ups, idle_ticks;
    size_t received; /* datagrams, of this wake-up */
    int open;        /* handles */
    int fd;
    uint32_t overflow; /* the kernel's count as last seen */
    char *buffers;     /* NET_UDP_BATCH of datagram_bytes_max */
    struct mmsghdr messages[NET_UDP_BATCH];
    struct iovec vectors[NET_UDP_BATCH];
    struct sockaddr_storage from[NET_UDP_BATCH];
    struct net_datagram batch[NET_UDP_BATCH];
    char control[NET_UDP_BATCH][CONTROL_BYTES];
};

struct net_udp {
    struct net_udp_config config; /* strings owned */
    const char *unix_path;        /* into config.listen, or NULL */
    uint16_t port;
    size_t count, receive_buffer;
    struct udp_socket **sockets;
    struct counter counters[COUNTER_COUNT];
    char counter_label[96];
    uv_sem_t done;
};

static void take_overflow(struct udp_socket *s, struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
            continue;
        uint32_t now;
        memcpy(&now, CMSG_DATA(c), sizeof(now));
        counter_add(&s->udp->counters[DROPPED], (uint32_t)(now - s->overflow));
        s->overflow = now;
    }
}

/* One batch; false when the kernel has no more. */
static bool receive(struct udp_socket *s)
{
    struct net_udp *udp = s->udp;
    int n = recvmmsg(s->fd, s->messages, NET_UDP_BATCH, MSG_DONTWAIT, NULL);
    int64_t bytes = 0, cut = 0;
    if (n <= 0)
        return n < 0 && errno == EINTR;
    for (int i = 0; i < n; i++) {
        struct msghdr *m = &s->messages[i].msg_hdr;
        struct net_datagram *d = &s->batch[i];
        d->bytes = slice_make(s->vectors[i].iov_base, s->messages[i].msg_len);
        d->from = m->msg_name;
        d->from_len = m->msg_namelen;
        d->cut = m->msg_flags & MSG_TRUNC;
        bytes += s->messages[i].msg_len;
        cut += d->cut;
    }
    s->received += (size_t)n;
    take_overflow(s, &s->messages[n - 1].msg_hdr);
    counter_add(&udp->counters[DATAGRAMS], n);
    counter_add(&udp->counters[BYTES], bytes);
    if (cut)
        counter_add(&udp->counters[CUT], cut);
    udp->config.on_batch(s->index, s->batch, (size_t)n, udp->config.ctx);
    for (int i = 0; i < n; i++) { /* what the kernel wrote over */
        s->messages[i].msg_hdr.msg_namelen = sizeof(s->from[i]);
        s->messages[i].msg_hdr.msg_controllen = CONTROL_BYTES;
    }
    return n == NET_UDP_BATCH;
}

static void receive_all(struct udp_socket *s)
{
    s->received = 0;
    for (int i = 0; i < ROUNDS_MAX && receive(s); i++) {
    }
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_tick(uv_timer_t *timer)
{
    struct udp_socket *s = timer->data;
    receive_all(s);
    s->idle_ticks = s->received ? 0 : s->idle_ticks + 1;
    if (s->idle_ticks < IDLE_TICKS && s->received <= TICK_MAX)
        return;
    s->wake_ups = 0;
    uv_timer_stop(&s->timer);
    uv_poll_start(&s->poll, UV_READABLE, on_readable);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct udp_socket *s = poll->data;
    uint64_t now = uv_now(&s->loop->uv);
    (void)status; /* an error is read and forgotten by the next receive */
    (void)events;
    receive_all(s);
    if (now != s->wake_ms) {
        s->wake_ms = now;
        s->wake_ups = 0;
    }
    if (++s->wake_ups < BUSY_WAKE_UPS || s->received > TICK_MAX / 2)
        return;
    s->idle_ticks = 0;
    uv_poll_stop(&s->poll);
    uv_timer_start(&s->timer, on_tick, 1, 1);
}

static void on_closed(uv_handle_t *handle)
{
    struct udp_socket *s = handle->data;
    struct net_udp *udp = s->udp;
    if (--s->open)
        return;
    close(s->fd);
    mem_free(s->buffers);
    mem_free(s);
    uv_sem_post(&udp->done);
}

static void start_on_loop(void *ctx)
{
    struct udp_socket *s = ctx;
    s->poll.data = s->timer.data = s;
    base_assert(!uv_poll_init(&s->loop->uv, &s->poll, s->fd));
    uv_timer_init(&s->loop->uv, &s->timer);
    s->open = 2;
    uv_poll_start(&s->poll, UV_READABLE, on_readable);
    uv_sem_post(&s->udp->done);
}

static void stop_on_loop(void *ctx)
{
    struct udp_socket *s = ctx;
    uv_poll_stop(&s->poll);
    for (int i = 0; i < LAST_ROUNDS_MAX && receive(s); i++) {
    }
    uv_timer_stop(&s->timer);
    uv_close((uv_handle_t *)&s->timer, on_closed);
    uv_close((uv_handle_t *)&s->poll, on_closed);
}

static void add_socket(struct net_udp *udp, size_t i, struct net_loop *loop, int fd)
{
    struct udp_socket *s = mem_calloc(1, sizeof(*s));
    size_t max = udp->config.datagram_bytes_max;
    int on = 1, bytes = (int)MIN(udp->config.receive_buffer_bytes, INT32_MAX / 2);
    socklen_t len = sizeof(bytes);
    s->udp = udp;
    s->index = i;
    s->loop = loop;
    s->fd = fd;
    s->buffers = mem_alloc(NET_UDP_BATCH * max);
    for (size_t k = 0; k < NET_UDP_BATCH; k++) {
        struct msghdr *m = &s->messages[k].msg_hdr;
        s->vectors[k] = (struct iovec){s->buffers + k * max, max};
        m->msg_iov = &s->vectors[k];
        m->msg_iovlen = 1;
        m->msg_name = &s->from[k];
        m->msg_namelen = sizeof(s->from[k]);
        m->msg_control = s->control[k];
        m->msg_controllen = CONTROL_BYTES;
    }
    setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    if (!getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &len))
        udp->receive_buffer = (size_t)bytes;
    udp->sockets[i] = s;
    net_loop_post(loop, start_on_loop, s);
}

static void make_counters(struct net_udp *udp)
{
    static const char *const rows[COUNTER_COUNT][2] = {
        [DATAGRAMS] = {"pharos_udp_datagrams_total", "Datagrams received."},
        [BYTES] = {"pharos_udp_received_bytes_total", "Bytes in datagrams received."},
        [DROPPED] = {"pharos_udp_dropped_total",
                     "Datagrams the kernel dropped because its receive buffer was full."},
        [CUT] = {"pharos_udp_cut_total", "Datagrams longer than the buffer for one."},
    };
    snprintf(udp->counter_label, sizeof(udp->counter_label), "door=\"%s\"", udp->config.name);
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        udp->counters[i] =
            (struct counter){.name = rows[i][0], .help = rows[i][1], .labels = udp->counter_label};
    counter_register(udp->counters, COUNTER_COUNT);
}

int net_udp_start(struct net_loops *loops, const struct net_udp_config *config,
                  struct net_udp **out, struct diag *diag)
{
    const char *path = net__unix_path(config->listen);
    char host[64];
    uint16_t port = 0;
    size_t count = path ? 1 : config->sockets ? config->sockets : net_loops_count(loops);
    int *fds = mem_calloc(count, sizeof(*fds)), err;
    if (path)
        err = net__bind_unix(path, SOCK_DGRAM, config->unix_mode, fds, diag);
    else if (!(err =
                   net_address_parse(slice_cstr(config->listen), host, sizeof(host), &port, diag)))
        err = net__bind_udp(host, port, count, fds, &port, diag);
    if (err) {
        mem_free(fds);
        return err;
    }
    struct net_udp *udp = mem_calloc(1, sizeof(*udp));
    udp->config = *config;
    udp->config.name = mem_strdup(config->name);
    udp->config.listen = mem_strdup(config->listen);
    if (!udp->config.datagram_bytes_max)
        udp->config.datagram_bytes_max = 65535;
    if (!udp->config.receive_buffer_bytes)
        udp->config.receive_buffer_bytes = (size_t)8 << 20;
    udp->unix_path = net__unix_path(udp->config.listen);
    udp->port = port;
    udp->count = count;
    udp->sockets = mem_calloc(count, sizeof(*udp->sockets));
    make_counters(udp);
    uv_sem_init(&udp->done, 0);
    *out = udp; /* callbacks may run before this returns */
    for (size_t i = 0; i < count; i++)
        add_socket(udp, i, net_loops_at(loops, i % net_loops_count(loops)), fds[i]);
    for (size_t i = 0; i < count; i++)
        uv_sem_wait(&udp->done);
    mem_free(fds);
    return 0;
}

void net_udp_stop(struct net_udp *udp)
{
    if (!udp)
        return;
    for (size_t i = 0; i < udp->count; i++)
        net_loop_post(udp->sockets[i]->loop, stop_on_loop, udp->sockets[i]);
    for (size_t i = 0; i < udp->count; i++)
        uv_sem_wait(&udp->done);
    uv_sem_destroy(&udp->done);
    if (udp->unix_path)
        unlink(udp->unix_path);
    counter_unregister(udp->counters, COUNTER_COUNT);
    mem_free((void *)(uintptr_t)udp->config.name);
    mem_free((void *)(uintptr_t)udp->config.listen);
    mem_free(udp->sockets);
    mem_free(udp);
}

uint16_t net_udp_port(const struct net_udp *udp)
{
    return udp->port;
}

size_t net_udp_sockets(const struct net_udp *udp)
{
    return udp->count;
}

size_t net_udp_receive_buffer(const struct net_udp *udp)
{
    return udp->receive_buffer;
}

struct net_udp_stats net_udp_stats(const struct net_udp *udp)
{
    return (struct net_udp_stats){.datagrams = counter_get(&udp->counters[DATAGRAMS]),
                                  .bytes = counter_get(&udp->counters[BYTES]),
                                  .dropped = counter_get(&udp->counters[DROPPED]),
                                  .cut = counter_get(&udp->counters[CUT])};
}

void net_datagram_peer(const struct net_datagram *d, char *out, size_t out_size)
{
    struct sockaddr_storage a = {0};
    memcpy(&a, d->from, MIN((size_t)d->from_len, sizeof(a)));
    net__address_text((const struct sockaddr *)&a, out, out_size);
}
