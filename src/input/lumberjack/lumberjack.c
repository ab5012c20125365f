#include "input/lumberjack/lumberjack.h"

#include "base/counter.h"
#include "base/log.h"
#include "base/mem.h"
#include "decode/lumberjack.h"
#include "input/connection.h"
#include "pipe/kit.h"

enum { REFUSED_TOO_LONG, REFUSED_INVALID, REFUSED_EVENT, REFUSED_STORE, REFUSED_COUNT };
#define REFUSED(reason)                                                                            \
    {                                                                                              \
        .name = "pharos_lumberjack_refused_total",                                                 \
        .help = "Frames and events of Lumberjack that were not taken, by reason.",                 \
        .labels = "reason=\"" reason "\""                                                          \
    }
static struct counter refused[REFUSED_COUNT] = {
    [REFUSED_TOO_LONG] = REFUSED("too_long"),
    [REFUSED_INVALID] = REFUSED("invalid"), /* frames: the connection ended */
    [REFUSED_EVENT] = REFUSED("event"),     /* no JSON object: acknowledged, and left out */
    [REFUSED_STORE] = REFUSED("store"),     /* sent again */
};
static struct counter events = {.name = "pharos_lumberjack_events_total",
                                .help = "Events of Lumberjack received."};

struct input_lumberjack {
    struct input_env env;
    size_t frame_max;
    struct net_stream_server *tcp;
    struct pipe_kits *kits; /* their decoders are decode_lumberjack */
};

struct connection {
    struct input_connection base;
    /* What a decoder knows of the connection, between its turns. */
    uint32_t window, pending, sequence;
    /* A window without a row to wait for, behind batches under way. */
    bool owes;
    uint32_t owed_sequence;
    char owed_version;
};

/* A batch on its way, and the window that ends in it. */
struct window {
    bool is_full;
    uint32_t sequence;
    char version;
    size_t rows;
};

static void deinit_decoder(void *decoder)
{
    decode_lumberjack_deinit(decoder);
}

static void acknowledge(struct net_stream *stream, char version, uint32_t sequence)
{
    char frame[6] = {
        version,       'A', (char)(sequence >> 24), (char)(sequence >> 16), (char)(sequence >> 8),
        (char)sequence};
    net_stream_write(stream, slice_make(frame, sizeof(frame)));
}

/* In the order that they were sent: whoever comes here after a failure finds the stream closed. */
static void on_stored(struct input_connection *c, int err, size_t not_taken, void *ctx)
{
    struct window *w = ctx;
    (void)not_taken; /* sent again they would be refused again; the sink counts them */
    if (err)
        counter_add(&refused[REFUSED_STORE], (int64_t)w->rows);
    if (c->stream && err) {
        c->is_broken = true;
        net_stream_close(c->stream);
    } else if (c->stream && w->is_full && !c->is_broken) {
        acknowledge(c->stream, w->version, w->sequence);
    }
    struct connection *conn = (struct connection *)c;
    if (c->stream && conn->owes && !c->is_broken && !input_connection_is_waiting(c)) {
        conn->owes = false;
        acknowledge(c->stream, conn->owed_version, conn->owed_sequence);
    }
    mem_free(w);
}

static void on_open(struct net_stream *stream, void *ctx)
{
    (void)ctx;
    input_connection_open(stream, sizeof(struct connection), NULL);
}

static void on_close(struct net_stream *stream, void *ctx)
{
    (void)ctx;
    input_connection_close(stream);
}

static void give_up(struct net_stream *stream, int reason, const char *why)
{
    counter_add(&refused[reason], 1);
    LOG_WARN("lumberjack", "connection ended", LOG_STR("peer", net_stream_peer(stream)),
             LOG_STR("error", why));
    net_stream_close(stream);
}

static size_t on_bytes(struct net_stream *stream, struct slice bytes, bool end, void *ctx)
{
    struct input_lumberjack *l = ctx;
    struct connection *conn = net_stream_state(stream);
    struct pipe_kit *kit = pipe_kit_take(l->kits, SLICE(""));
    struct decode_lumberjack *d = kit->decoder;
    struct window *w = mem_calloc(1, sizeof(*w));
    struct diag why;
    size_t at = 0, taken = 0;
    int err = 0;
    (void)end; /* what is cut off then is not acknowledged */
    diag_init(&why);
    d->now_ns = l->env.os->ops->now_ns(l->env.os);
    d->unpacked_bytes_max = d->event_bytes_max = l->frame_max;
    d->window = conn->window;
    d->pending = conn->pending;
    d->sequence = conn->sequence;
    d->rows = d->refused = 0;
    while (at < bytes.len && !err) {
        bool full = false;
        err = decode_lumberjack_frame(d, slice_from(bytes, at), kit->events, &taken, &full, &why);
        if (!err)
            at += taken;
        if (full) {
            w->is_full = true;
            w->sequence = d->sequence;
            w->version = d->version;
        }
    }
    conn->window = d->window;
    conn->pending = d->pending;
    conn->sequence = d->sequence;
    counter_add(&events, (int64_t)(d->rows + d->refused));
    counter_add(&refused[REFUSED_EVENT], (int64_t)d->refused);
    if (err && err != ERR_AGAIN) {
        give_up(stream, err == ERR_TOO_LARGE ? REFUSED_TOO_LONG : REFUSED_INVALID, why.msg);
        at = bytes.len;
    }
    w->rows = kit->events->rows.len;
    if (w->rows) {
        input_connection_logs(&conn->base, l->env.sink, kit->events, on_stored, w);
    } else {
        if (w->is_full) {
            conn->owes = true;
            conn->owed_sequence = w->sequence;
            conn->owed_version = w->version;
        }
        if (conn->owes && conn->base.stream && !input_connection_is_waiting(&conn->base)) {
            conn->owes = false;
            acknowledge(stream, conn->owed_version, conn->owed_sequence);
        }
        mem_free(w);
    }
    pipe_kit_give(l->kits, kit);
    return at;
}

static size_t on_overflow(struct net_stream *stream, struct slice bytes, void *ctx)
{
    (void)bytes;
    (void)ctx;
    give_up(stream, REFUSED_TOO_LONG, "a frame over limits.lumberjack.frame_size");
    return 0;
}

int input_lumberjack_start(const struct input_env *env,
                           const struct input_lumberjack_config *config,
                           struct input_lumberjack **out, struct diag *diag)
{
    struct input_lumberjack *l = mem_calloc(1, sizeof(*l));
    *out = NULL;
    l->env = *env;
    l->frame_max = config->frame_bytes_max;
    l->kits = pipe_kits_new(PIPE_KIT_LOGS, sizeof(struct decode_lumberjack), deinit_decoder);
    counter_register(refused, ARRAY_LEN(refused));
    counter_register(&events, 1);
    struct net_stream_config tcp = {.name = config->name,
                                    .listen = config->listen,
                                    .tls = config->tls,
                                    .buffer_bytes_max = l->frame_max + 16,
                                    .on_open = on_open,
                                    .on_bytes = on_bytes,
                                    .on_overflow = on_overflow,
                                    .on_close = on_close,
                                    .ctx = l};
    int err = net_stream_server_start(env->loops, &tcp, &l->tcp, diag);
    if (err) {
        input_lumberjack_stop(l);
        return err;
    }
    *out = l;
    return 0;
}

uint16_t input_lumberjack_port(const struct input_lumberjack *l)
{
    return net_stream_server_port(l->tcp);
}

int input_lumberjack_reload_tls(struct input_lumberjack *l, struct diag *diag)
{
    return net_stream_server_reload_tls(l->tcp, diag);
}

void input_lumberjack_stop(struct input_lumberjack *l)
{
    if (!l)
        return;
    net_stream_server_stop(l->tcp);
    pipe_kits_free(l->kits);
    mem_free(l);
}
