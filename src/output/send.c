/* The ways to a target that are not HTTP: one TCP connection; datagrams and standard output, which
 * may block (names are looked up, a terminal is slow) and so belong to the pool. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "net/dial.h"
#include "net/udp_sender.h"
#include "output/output_priv.h"

/* --- TCP --- */

struct tcp {
    struct output__target *target;
    struct net_dial *dial;
};

static void *tcp_open(struct output__target *t)
{
    struct tcp *s = mem_calloc(1, sizeof(*s));
    struct net_dial_config config = {.address = t->settings->address,
                                     .timeout_ns = t->settings->timeout_ns};
    s->target = t;
    (void)!net_dial_new(t->loop, &config, &s->dial, NULL); /* the address was checked */
    return s;
}

static void tcp_done(void *ctx, int err, const char *why)
{
    struct tcp *s = ctx;
    output__target_done(s->target, err ? OUTPUT__TRY_AGAIN : OUTPUT__SENT, why, 0);
}

static void tcp_send(void *state, const struct output__payload *p)
{
    struct tcp *s = state;
    net_dial_send(s->dial, p->bytes, tcp_done, s);
}

static void tcp_close(void *state)
{
    struct tcp *s = state;
    net_dial_free(s->dial);
    mem_free(s);
}

const struct output__sender output__send_tcp = {tcp_open, tcp_send, tcp_close};

/* --- the pool: UDP and standard output --- */

struct pooled {
    struct output__target *target;
    const struct output__payload *payload;
    struct net_udp_sender *udp;
    bool busy, closed;
    enum output__outcome outcome;
    size_t lost; /* samples */
    char why[400];
};

static void *pool_open(struct output__target *t)
{
    struct pooled *s = mem_calloc(1, sizeof(*s));
    s->target = t;
    return s;
}

static void pool_free(struct pooled *s)
{
    net_udp_sender_close(s->udp);
    mem_free(s);
}

static void pool_done(void *ctx)
{
    struct pooled *s = ctx;
    struct output__target *t = s->target;
    char why[sizeof(s->why)];
    enum output__outcome outcome = s->outcome;
    int64_t lost = (int64_t)s->lost;
    memcpy(why, s->why, sizeof(why));
    s->busy = false;
    if (s->closed)
        pool_free(s);
    output__target_done(t, outcome, why, outcome == OUTPUT__LOST ? lost : 0);
}

static int write_all(struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = write(STDOUT_FILENO, bytes.ptr, bytes.len);
        if (n < 0 && errno != EINTR)
            return errno;
        bytes = slice_from(bytes, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

/* Whole lines, as many as fit. A line longer than a datagram goes alone. */
static struct slice cut_datagram(struct slice *rest, size_t max)
{
    size_t n = MIN(rest->len, max);
    const char *last = n < rest->len ? memrchr(rest->ptr, '\n', n) : NULL;
    if (n < rest->len && !last)
        last = memchr(rest->ptr, '\n', rest->len);
    if (last)
        n = (size_t)(last - rest->ptr) + 1;
    struct slice out = slice_first(*rest, n);
    *rest = slice_from(*rest, n);
    return out;
}

/* What is lost on the way is lost: sending it again would double what did arrive. */
static void send_datagrams(struct pooled *s)
{
    struct output__target *t = s->target;
    struct slice rest = s->payload->bytes;
    struct diag why;
    size_t count = 0, lost = 0;
    diag_init(&why);
    if (!s->udp && net_udp_sender_open(slice_cstr(t->settings->address), &s->udp, &why)) {
        s->outcome = OUTPUT__TRY_AGAIN; /* the name is looked up anew then */
        snprintf(s->why, sizeof(s->why), "%s", why.msg);
        return;
    }
    for (; rest.len; count++) {
        struct slice one = cut_datagram(&rest, (size_t)t->settings->packet_bytes);
        lost += !net_udp_sender_send(s->udp, one);
        if (count % 64 == 63)
            usleep(1000); /* a whole flush at once is more than receivers' buffers take */
    }
    if (lost) {
        s->outcome = OUTPUT__LOST;
        s->lost = s->payload->samples * lost / count;
        snprintf(s->why, sizeof(s->why), "%s: %zu of %zu datagrams were not taken",
                 t->settings->address, lost, count);
    }
}

static void pool_task(void *ctx)
{
    struct pooled *s = ctx;
    s->outcome = OUTPUT__SENT;
    s->why[0] = 0;
    if (s->target->settings->transport == OUTPUT__UDP) {
        send_datagrams(s);
    } else {
        int err = write_all(s->payload->bytes);
        s->outcome = err ? OUTPUT__REFUSED : OUTPUT__SENT;
        if (err)
            snprintf(s->why, sizeof(s->why), "standard output: %s", strerror(err));
    }
    net_loop_post(s->target->loop, pool_done, s);
}

static void pool_send(void *state, const struct output__payload *p)
{
    struct pooled *s = state;
    s->payload = p;
    s->busy = true;
    s->target->env->pool->submit(s->target->env->pool, TASK_BACKGROUND, pool_task, s);
}

static void pool_close(void *state)
{
    struct pooled *s = state;
    s->closed = true;
    if (!s->busy)
        pool_free(s);
}

const struct output__sender output__send_pool = {pool_open, pool_send, pool_close};
