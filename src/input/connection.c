#include "input/connection.h"

#include <stdio.h>

#include "base/mem.h"
#include "net/url.h"

/* A batch on its way to the disk. */
struct input_sent {
    struct input_connection *conn;
    input_stored_fn done;
    void *ctx;
    bool is_settled;
    int err;
    size_t refused;
    struct input_sent *next; /* handed over after it */
};

void *input_connection_open(struct net_stream *stream, size_t size,
                            void (*deinit)(struct input_connection *c))
{
    struct input_connection *c = mem_calloc(1, size);
    c->stream = stream;
    c->loop = net_stream_loop(stream);
    c->refs = 1;
    c->deinit = deinit;
    net_stream_set_state(stream, c);
    return c;
}

static void unref(struct input_connection *c)
{
    if (--c->refs)
        return;
    if (c->deinit)
        c->deinit(c);
    mem_free(c);
}

void input_connection_close(struct net_stream *stream)
{
    struct input_connection *c = net_stream_state(stream);
    c->stream = NULL;
    unref(c);
}

/* Fates are told in the order that batches were handed over in. */
static void stored(void *ctx)
{
    struct input_sent *s = ctx;
    struct input_connection *c = s->conn;
    s->is_settled = true;
    c->refs++; /* while this looks at it */
    while ((s = c->first) && s->is_settled) {
        c->first = s->next;
        c->waiting--;
        if (s->done)
            s->done(c, s->err, s->refused, s->ctx);
        mem_free(s);
        unref(c);
    }
    if (c->stream && c->paused && c->waiting < INPUT_CONNECTION_WAITING) {
        c->paused = false;
        net_stream_resume(c->stream);
    }
    unref(c);
}

static void on_ack(void *ctx, int err, const struct pipe_result *result)
{
    struct input_sent *s = ctx;
    s->err = err;
    s->refused = result ? pipe_result_refused(result) : 0;
    net_loop_post(s->conn->loop, stored, s);
}

static struct input_sent *begin(struct input_connection *c, input_stored_fn done, void *ctx)
{
    struct input_sent *s = mem_calloc(1, sizeof(*s));
    s->conn = c;
    s->done = done;
    s->ctx = ctx;
    if (!c->first)
        c->last = &c->first;
    *c->last = s;
    c->last = &s->next;
    c->refs++;
    if (++c->waiting >= INPUT_CONNECTION_WAITING && c->stream && !c->paused) {
        c->paused = true;
        net_stream_pause(c->stream);
    }
    return s;
}

bool input_connection_is_waiting(const struct input_connection *c)
{
    return c->waiting > 0;
}

void input_connection_logs(struct input_connection *c, struct pipe_sink *sink,
                           const struct data_event_batch *batch, input_stored_fn done, void *ctx)
{
    sink->logs(sink, batch, on_ack, begin(c, done, ctx));
}

void input_connection_metrics(struct input_connection *c, struct pipe_sink *sink,
                              const struct data_metric_batch *batch, input_stored_fn done,
                              void *ctx)
{
    sink->metrics(sink, batch, on_ack, begin(c, done, ctx));
}

int input_udp_beside(struct net_loops *loops, const char *listen, uint16_t port,
                     struct net_udp_config *udp, struct net_udp **out, struct diag *diag)
{
    char host[256], address[300];
    uint16_t ignored;
    int err = net_address_parse(slice_cstr(listen), host, sizeof(host), &ignored, diag);
    if (err)
        return err;
    bool v6 = strchr(host, ':') != NULL;
    snprintf(address, sizeof(address), v6 ? "[%s]:%u" : "%s:%u", host[0] ? host : "0.0.0.0", port);
    udp->listen = address;
    err = net_udp_start(loops, udp, out, diag);
    udp->listen = NULL;
    return err;
}

struct slice input_peer_address(const char *peer)
{
    struct slice s = slice_cstr(peer);
    const char *colon = strrchr(peer, ':');
    if (colon)
        s.len = (size_t)(colon - peer);
    if (s.len > 1 && s.ptr[0] == '[')
        s = slice_make(s.ptr + 1, s.len - 2);
    return s;
}
