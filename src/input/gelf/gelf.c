#include "input/gelf/gelf.h"

#include <string.h>

#include "base/counter.h"
#include "base/log.h"
#include "base/mem.h"
#include "decode/gelf.h"
#include "input/connection.h"
#include "input/gelf/chunks.h"
#include "pipe/kit.h"

#define CHUNK_TIMEOUT_NS (5 * NS_PER_SEC) /* the specification's */

enum {
    REFUSED_TOO_LONG,
    REFUSED_INVALID,
    REFUSED_CHUNKS,
    REFUSED_CUT,
    REFUSED_STORE,
    REFUSED_COUNT
};
#define REFUSED(reason)                                                                            \
    {                                                                                              \
        .name = "pharos_gelf_refused_total",                                                       \
        .help = "GELF messages that were not taken, by reason.", .labels = "reason=\"" reason "\"" \
    }
static struct counter refused[REFUSED_COUNT] = {
    [REFUSED_TOO_LONG] = REFUSED("too_long"), /* over limits.field_size, also when decompressed */
    [REFUSED_INVALID] = REFUSED("invalid"),   /* no JSON object with a short_message */
    [REFUSED_CHUNKS] = REFUSED("chunks"),     /* some did not come in time */
    [REFUSED_CUT] = REFUSED("cut"),           [REFUSED_STORE] = REFUSED("store"),
};
static struct counter messages[] = {
    {.name = "pharos_gelf_messages_total",
     .help = "GELF messages received.",
     .labels = "transport=\"udp\""},
    {.name = "pharos_gelf_messages_total",
     .help = "GELF messages received.",
     .labels = "transport=\"tcp\""},
};

struct input_gelf {
    struct input_env env;
    size_t message_max;
    struct net_stream_server *tcp;
    struct net_udp *udp;
    struct pipe_kits *kits; /* their decoders are decode_gelf */
    struct gelf_chunks *chunks;
};

struct connection {
    struct input_connection base;
    bool skip; /* up to the next NUL */
};

static void deinit_decoder(void *decoder)
{
    decode_gelf_deinit(decoder);
}

static struct pipe_kit *take_kit(struct input_gelf *g)
{
    struct pipe_kit *kit = pipe_kit_take(g->kits, SLICE(""));
    struct decode_gelf *d = kit->decoder;
    d->now_ns = g->env.os->ops->now_ns(g->env.os);
    d->unpacked_bytes_max = g->message_max;
    return kit;
}

static void take(struct input_gelf *g, struct pipe_kit *kit, struct slice message, bool tcp)
{
    struct diag why;
    diag_init(&why);
    counter_add(&messages[tcp], 1);
    int err = message.len > g->message_max
                  ? ERR_TOO_LARGE
                  : decode_gelf_message(kit->decoder, message, kit->events, &why);
    if (err)
        counter_add(&refused[err == ERR_TOO_LARGE ? REFUSED_TOO_LONG : REFUSED_INVALID], 1);
    if (err && err != ERR_TOO_LARGE)
        LOG_DEBUG("gelf", "message refused", LOG_STR("error", why.msg));
}

static void on_ack(void *ctx, int err, const struct pipe_result *result)
{
    (void)result; /* the sink counts rows that it refuses */
    if (err)
        counter_add(&refused[REFUSED_STORE], (int64_t)(uintptr_t)ctx);
}

static void on_stored(struct input_connection *c, int err, size_t not_taken, void *ctx)
{
    (void)c;
    (void)not_taken;
    on_ack(ctx, err, NULL);
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

static size_t on_bytes(struct net_stream *stream, struct slice bytes, bool end, void *ctx)
{
    struct input_gelf *g = ctx;
    struct connection *conn = net_stream_state(stream);
    struct pipe_kit *kit = take_kit(g);
    size_t at = 0;
    while (at < bytes.len) {
        struct slice rest = slice_from(bytes, at);
        ptrdiff_t nul = slice_find_char(rest, 0);
        if (nul < 0 && !end)
            break;
        struct slice message = nul < 0 ? rest : slice_first(rest, (size_t)nul);
        at += message.len + (nul >= 0);
        if (conn->skip)
            conn->skip = false;
        else if (slice_trim(message).len)
            take(g, kit, message, true);
    }
    size_t rows = kit->events->rows.len;
    if (rows)
        input_connection_logs(&conn->base, g->env.sink, kit->events, on_stored,
                              (void *)(uintptr_t)rows);
    pipe_kit_give(g->kits, kit);
    return at;
}

static size_t on_overflow(struct net_stream *stream, struct slice bytes, void *ctx)
{
    struct connection *conn = net_stream_state(stream);
    (void)ctx;
    if (!conn->skip) {
        counter_add(&messages[1], 1);
        counter_add(&refused[REFUSED_TOO_LONG], 1);
    }
    conn->skip = true;
    return bytes.len;
}

/* --- UDP --- */

static void take_datagram(struct input_gelf *g, struct pipe_kit *kit, const struct net_datagram *d)
{
    struct decode_gelf_chunk chunk;
    size_t expired = 0;
    char peer[64];
    int err = decode_gelf_chunk(d->bytes, &chunk);
    if (err == ERR_NOT_FOUND) {
        if (d->cut)
            counter_add(&refused[REFUSED_CUT], 1);
        else
            take(g, kit, d->bytes, false);
        return;
    }
    if (err) {
        counter_add(&refused[REFUSED_INVALID], 1);
        return;
    }
    net_datagram_peer(d, peer, sizeof(peer));
    struct decode_gelf *decoder = kit->decoder;
    if (gelf_chunks_add(g->chunks, slice_cstr(peer), &chunk, decoder->now_ns, g->message_max,
                        &kit->scratch, &expired))
        take(g, kit, data_event_batch_copy(kit->events, buf_slice(&kit->scratch)), false);
    counter_add(&refused[REFUSED_CHUNKS], (int64_t)expired);
}

static void on_batch(size_t socket, const struct net_datagram *datagrams, size_t count, void *ctx)
{
    struct input_gelf *g = ctx;
    struct pipe_kit *kit = take_kit(g);
    (void)socket;
    for (size_t i = 0; i < count; i++)
        take_datagram(g, kit, &datagrams[i]);
    size_t rows = kit->events->rows.len;
    if (rows)
        g->env.sink->logs(g->env.sink, kit->events, on_ack, (void *)(uintptr_t)rows);
    pipe_kit_give(g->kits, kit);
}

/* --- life --- */

int input_gelf_start(const struct input_env *env, const struct input_gelf_config *config,
                     struct input_gelf **out, struct diag *diag)
{
    struct input_gelf *g = mem_calloc(1, sizeof(*g));
    *out = NULL;
    g->env = *env;
    g->message_max = config->message_bytes_max;
    g->kits = pipe_kits_new(PIPE_KIT_LOGS, sizeof(struct decode_gelf), deinit_decoder);
    g->chunks = gelf_chunks_new(config->chunk_bytes_max, CHUNK_TIMEOUT_NS);
    counter_register(refused, ARRAY_LEN(refused));
    counter_register(messages, ARRAY_LEN(messages));
    struct net_stream_config tcp = {.name = config->name,
                                    .listen = config->listen,
                                    .tls = config->tls,
                                    .buffer_bytes_max = g->message_max + 1,
                                    .on_open = on_open,
                                    .on_bytes = on_bytes,
                                    .on_overflow = on_overflow,
                                    .on_close = on_close,
                                    .ctx = g};
    struct net_udp_config udp = {.name = config->name, .on_batch = on_batch, .ctx = g};
    int err = net_stream_server_start(env->loops, &tcp, &g->tcp, diag);
    if (!err)
        err = input_udp_beside(env->loops, config->listen, net_stream_server_port(g->tcp), &udp,
                               &g->udp, diag);
    if (err) {
        input_gelf_stop(g);
        return err;
    }
    *out = g;
    return 0;
}

uint16_t input_gelf_port(const struct input_gelf *g)
{
    return net_stream_server_port(g->tcp);
}

int input_gelf_reload_tls(struct input_gelf *g, struct diag *diag)
{
    return net_stream_server_reload_tls(g->tcp, diag);
}

void input_gelf_stop(struct input_gelf *g)
{
    if (!g)
        return;
    net_udp_stop(g->udp);
    net_stream_server_stop(g->tcp);
    gelf_chunks_free(g->chunks);
    pipe_kits_free(g->kits);
    mem_free(g);
}
