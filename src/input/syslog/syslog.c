#include "input/syslog/syslog.h"

#include <time.h>

#include "base/counter.h"
#include "base/mem.h"
#include "decode/syslog.h"
#include "input/connection.h"
#include "pipe/kit.h"
#include "text/go_time.h"

#define HEADER_MAX 2048 /* room for a header in front of the longest line */

enum { REFUSED_TOO_LONG, REFUSED_EMPTY, REFUSED_CUT, REFUSED_STORE, REFUSED_COUNT };
#define REFUSED(reason)                                                                            \
    {                                                                                              \
        .name = "pharos_syslog_refused_total",                                                     \
        .help = "Syslog messages that were not taken, or not whole, by reason.",                   \
        .labels = "reason=\"" reason "\""                                                          \
    }
static struct counter refused[REFUSED_COUNT] = {
    [REFUSED_TOO_LONG] = REFUSED("too_long"), /* over limits.line_size */
    [REFUSED_EMPTY] = REFUSED("empty"),
    [REFUSED_CUT] = REFUSED("cut"),     /* a datagram larger than UDP carries: its begin is kept */
    [REFUSED_STORE] = REFUSED("store"), /* the disk is full, or memory */
};
static struct counter messages[] = {
    {.name = "pharos_syslog_messages_total",
     .help = "Syslog messages received.",
     .labels = "transport=\"udp\""},
    {.name = "pharos_syslog_messages_total",
     .help = "Syslog messages received.",
     .labels = "transport=\"tcp\""},
};

struct input_syslog {
    struct input_env env;
    size_t message_max;
    bool local;       /* zone */
    int32_t offset_s; /* when it is not */
    struct net_stream_server *tcp;
    struct net_udp *udp;
    struct pipe_kits *kits; /* their decoders are decode_syslog */
};

struct connection {
    struct input_connection base;
    bool skip_line; /* up to the next newline */
    size_t skip;    /* bytes of a message that is too long */
};

static struct pipe_kit *take_kit(struct input_syslog *s)
{
    struct pipe_kit *kit = pipe_kit_take(s->kits, SLICE(""));
    struct decode_syslog *d = kit->decoder;
    d->received_ns = s->env.os->ops->now_ns(s->env.os);
    d->offset_s = s->offset_s;
    time_t now = (time_t)(d->received_ns / NS_PER_SEC);
    struct tm tm;
    if (s->local && localtime_r(&now, &tm))
        d->offset_s = (int32_t)tm.tm_gmtoff;
    return kit;
}

static void deinit_decoder(void *decoder)
{
    decode_syslog_deinit(decoder);
}

/* The sink counts rows that it refuses. */
static void on_ack(void *ctx, int err, const struct pipe_result *result)
{
    (void)result;
    if (err)
        counter_add(&refused[REFUSED_STORE], (int64_t)(uintptr_t)ctx);
}

static void on_stored(struct input_connection *c, int err, size_t not_taken, void *ctx)
{
    (void)c;
    (void)not_taken;
    on_ack(ctx, err, NULL);
}

static void take(struct input_syslog *s, struct decode_syslog *d, struct slice message,
                 struct data_event_batch *batch, bool tcp)
{
    counter_add(&messages[tcp], 1);
    if (message.len > s->message_max)
        counter_add(&refused[REFUSED_TOO_LONG], 1);
    else if (!decode_syslog_message(d, message, batch))
        counter_add(&refused[REFUSED_EMPTY], 1);
}

/* --- TCP --- */

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

/* What is left of a message that is too long: how many bytes go. */
static size_t skip(struct connection *conn, struct slice bytes)
{
    size_t n = MIN(conn->skip, bytes.len);
    conn->skip -= n;
    if (conn->skip_line) {
        ptrdiff_t newline = slice_find_char(bytes, '\n');
        conn->skip_line = newline < 0;
        n = newline < 0 ? bytes.len : (size_t)newline + 1;
    }
    return n;
}

static size_t on_bytes(struct net_stream *stream, struct slice bytes, bool end, void *ctx)
{
    struct input_syslog *s = ctx;
    struct connection *conn = net_stream_state(stream);
    struct pipe_kit *kit = take_kit(s);
    struct decode_syslog *d = kit->decoder;
    struct slice message;
    size_t at = skip(conn, bytes), taken;
    enum decode_syslog_frame frame = DECODE_SYSLOG_WHOLE;
    d->peer = input_peer_address(net_stream_peer(stream));
    while (at < bytes.len && frame != DECODE_SYSLOG_MORE) {
        frame = decode_syslog_frame(slice_from(bytes, at), end, s->message_max, &message, &taken);
        if (frame == DECODE_SYSLOG_MORE)
            break;
        if (frame == DECODE_SYSLOG_WHOLE) {
            take(s, d, message, kit->events, true);
        } else {
            counter_add(&messages[1], 1);
            counter_add(&refused[REFUSED_TOO_LONG], 1);
            conn->skip = taken - MIN(taken, bytes.len - at);
            taken -= conn->skip;
        }
        at += taken;
    }
    size_t rows = kit->events->rows.len;
    if (rows)
        input_connection_logs(&conn->base, s->env.sink, kit->events, on_stored,
                              (void *)(uintptr_t)rows);
    pipe_kit_give(s->kits, kit);
    return at;
}

static size_t on_overflow(struct net_stream *stream, struct slice bytes, void *ctx)
{
    struct connection *conn = net_stream_state(stream);
    (void)ctx;
    counter_add(&messages[1], 1);
    counter_add(&refused[REFUSED_TOO_LONG], 1);
    conn->skip_line = true;
    return bytes.len;
}

/* --- UDP --- */

static void on_batch(size_t socket, const struct net_datagram *datagrams, size_t count, void *ctx)
{
    struct input_syslog *s = ctx;
    struct pipe_kit *kit = take_kit(s);
    struct decode_syslog *d = kit->decoder;
    (void)socket;
    for (size_t i = 0; i < count; i++) {
        char peer[64];
        net_datagram_peer(&datagrams[i], peer, sizeof(peer));
        d->peer = data_event_batch_copy(kit->events, input_peer_address(peer));
        if (datagrams[i].cut)
            counter_add(&refused[REFUSED_CUT], 1);
        take(s, d, datagrams[i].bytes, kit->events, false);
    }
    size_t rows = kit->events->rows.len;
    if (rows)
        s->env.sink->logs(s->env.sink, kit->events, on_ack, (void *)(uintptr_t)rows);
    pipe_kit_give(s->kits, kit);
}

int input_syslog_start(const struct input_env *env, const struct input_syslog_config *config,
                       struct input_syslog **out, struct diag *diag)
{
    struct input_syslog *s = mem_calloc(1, sizeof(*s));
    struct slice zone = slice_cstr(config->zone ? config->zone : "local");
    *out = NULL;
    s->env = *env;
    s->message_max = config->message_bytes_max + HEADER_MAX;
    s->local = slice_eq_cstr(zone, "local");
    s->kits = pipe_kits_new(PIPE_KIT_LOGS, sizeof(struct decode_syslog), deinit_decoder);
    counter_register(refused, ARRAY_LEN(refused));
    counter_register(messages, ARRAY_LEN(messages));
    struct net_stream_config tcp = {.name = config->name,
                                    .listen = config->listen,
                                    .tls = config->tls,
                                    .buffer_bytes_max = s->message_max + 16,
                                    .on_open = on_open,
                                    .on_bytes = on_bytes,
                                    .on_overflow = on_overflow,
                                    .on_close = on_close,
                                    .ctx = s};
    int err = 0;
    if (!s->local && !text_go_zone_parse(zone, &s->offset_s))
        err = diag_set(diag, ERR_INVALID,
                       "syslog.zone: \"%.*s\" is no zone: local, UTC or an offset like +02:00 is "
                       "expected",
                       SLICE_FMT(zone));
    if (!err)
        err = net_stream_server_start(env->loops, &tcp, &s->tcp, diag);
    struct net_udp_config udp = {.name = config->name, .on_batch = on_batch, .ctx = s};
    if (!err)
        err = input_udp_beside(env->loops, config->listen, net_stream_server_port(s->tcp), &udp,
                               &s->udp, diag);
    if (err) {
        input_syslog_stop(s);
        return err;
    }
    *out = s;
    return 0;
}

uint16_t input_syslog_port(const struct input_syslog *s)
{
    return net_stream_server_port(s->tcp);
}

int input_syslog_reload_tls(struct input_syslog *s, struct diag *diag)
{
    return net_stream_server_reload_tls(s->tcp, diag);
}

void input_syslog_stop(struct input_syslog *s)
{
    if (!s)
        return;
    net_udp_stop(s->udp);
    net_stream_server_stop(s->tcp);
    pipe_kits_free(s->kits);
    mem_free(s);
}
