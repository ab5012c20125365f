#include "input/forward/forward.h"

#include <string.h>

#include "base/counter.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/hex.h"
#include "codec/msgpack.h"
#include "decode/fluent.h"
#include "input/connection.h"
#include "net/digest.h"
#include "pipe/kit.h"

#define NONCE_BYTES 32 /* in hexadecimal: some clients take it for text */

enum { REFUSED_TOO_LONG, REFUSED_INVALID, REFUSED_KEY, REFUSED_STORE, REFUSED_COUNT };
#define REFUSED(reason)                                                                            \
    {                                                                                              \
        .name = "pharos_forward_refused_total",                                                    \
        .help = "Messages of Fluentd's forward protocol that were not taken, by reason.",          \
        .labels = "reason=\"" reason "\""                                                          \
    }
static struct counter refused[REFUSED_COUNT] = {
    [REFUSED_TOO_LONG] = REFUSED("too_long"),
    [REFUSED_INVALID] = REFUSED("invalid"),
    [REFUSED_KEY] = REFUSED("shared_key"), /* connections */
    [REFUSED_STORE] = REFUSED("store"), /* to be sent again when an acknowledgement was asked for */
};
static struct counter counts[] = {
    {.name = "pharos_forward_messages_total", .help = "Messages received."},
    {.name = "pharos_forward_events_total", .help = "Events in them."},
};

struct input_forward {
    struct input_env env;
    size_t message_max;
    char *shared_key, *hostname;
    struct net_stream_server *tcp;
    struct pipe_kits *kits; /* their decoders are decode_fluent */
};

struct connection {
    struct input_connection base;
    struct input_forward *forward;
    bool is_known; /* it showed that it knows the key, or nobody asks */
    char nonce[NONCE_BYTES];
};

/* Chunks to be acknowledged, ready as bytes. */
struct acks {
    struct buf bytes;
    size_t rows;
};

static void deinit_decoder(void *decoder)
{
    decode_fluent_deinit(decoder);
}

static void put_ack(struct buf *out, struct slice chunk)
{
    codec_msgpack_put_map(out, 1);
    codec_msgpack_put_string(out, SLICE("ack"));
    codec_msgpack_put_string(out, chunk);
}

static void on_stored(struct input_connection *c, int err, size_t not_taken, void *ctx)
{
    struct acks *acks = ctx;
    (void)not_taken; /* sent again they would be refused again; the sink counts them */
    if (err)
        counter_add(&refused[REFUSED_STORE], (int64_t)acks->rows);
    if (c->stream && err && acks->bytes.len)
        net_stream_close(c->stream);
    else if (c->stream && acks->bytes.len)
        net_stream_write(c->stream, buf_slice(&acks->bytes));
    buf_deinit(&acks->bytes);
    mem_free(acks);
}

/* --- who is there --- */

/* sha512(salt + host + nonce + key) in hexadecimal. */
static void digest(const struct connection *conn, struct slice salt, struct slice host,
                   char out[128])
{
    struct buf text = {0};
    uint8_t bytes[64];
    buf_append_slice(&text, salt);
    buf_append_slice(&text, host);
    buf_append(&text, conn->nonce, NONCE_BYTES);
    buf_append_cstr(&text, conn->forward->shared_key);
    net_sha512(buf_slice(&text), bytes);
    codec_hex_to_text(slice_make(bytes, sizeof(bytes)), out);
    buf_deinit(&text);
}

static void greet(struct connection *conn)
{
    struct buf out = {0};
    struct os *os = conn->forward->env.os;
    char random[NONCE_BYTES / 2];
    os->ops->random(os, random, sizeof(random));
    codec_hex_to_text(slice_make(random, sizeof(random)), conn->nonce);
    codec_msgpack_put_array(&out, 2);
    codec_msgpack_put_string(&out, SLICE("HELO"));
    codec_msgpack_put_map(&out, 3);
    codec_msgpack_put_string(&out, SLICE("nonce"));
    codec_msgpack_put_string(&out, slice_make(conn->nonce, NONCE_BYTES));
    codec_msgpack_put_string(&out, SLICE("auth"));
    codec_msgpack_put_string(&out, SLICE(""));
    codec_msgpack_put_string(&out, SLICE("keepalive"));
    codec_msgpack_put_bool(&out, true);
    net_stream_write(conn->base.stream, buf_slice(&out));
    buf_deinit(&out);
}

static bool same(struct slice a, struct slice b)
{
    unsigned char differ = a.len != b.len;
    for (size_t i = 0; i < MIN(a.len, b.len); i++) /* no telling from its time where */
        differ |= (unsigned char)(a.ptr[i] ^ b.ptr[i]);
    return !differ;
}

/* ["PING", host, salt, digest, user, password] -> ["PONG", ok, why, host, digest] */
static void answer_ping(struct connection *conn, struct slice message)
{
    struct input_forward *f = conn->forward;
    struct codec_msgpack v;
    struct slice parts[4] = {0}, in = message;
    struct buf out = {0};
    char expected[128], own[128];
    int err = codec_msgpack_take(&in, &v);
    bool array = !err && v.kind == CODEC_MSGPACK_ARRAY && v.count >= 4;
    for (size_t i = 0; array && !err && i < 4; i++) {
        err = codec_msgpack_take(&in, &v);
        parts[i] = v.text;
    }
    bool ping = array && !err && slice_eq_cstr(parts[0], "PING");
    digest(conn, parts[2], parts[1], expected);
    conn->is_known = ping && same(parts[3], slice_make(expected, sizeof(expected)));
    codec_msgpack_put_array(&out, 5);
    codec_msgpack_put_string(&out, SLICE("PONG"));
    codec_msgpack_put_bool(&out, conn->is_known);
    codec_msgpack_put_string(&out, conn->is_known ? SLICE("") : SLICE("shared_key mismatch"));
    codec_msgpack_put_string(&out, slice_cstr(f->hostname));
    digest(conn, parts[2], slice_cstr(f->hostname), own);
    codec_msgpack_put_string(&out, conn->is_known ? slice_make(own, sizeof(own)) : SLICE(""));
    net_stream_write(conn->base.stream, buf_slice(&out));
    buf_deinit(&out);
    if (conn->is_known)
        return;
    counter_add(&refused[REFUSED_KEY], 1);
    LOG_WARN("forward", "a sender does not know the shared key",
             LOG_STR("peer", net_stream_peer(conn->base.stream)));
    net_stream_close(conn->base.stream);
}

/* --- the connection --- */

static void on_open(struct net_stream *stream, void *ctx)
{
    struct connection *conn = input_connection_open(stream, sizeof(*conn), NULL);
    conn->forward = ctx;
    conn->is_known = !conn->forward->shared_key[0];
    if (!conn->is_known)
        greet(conn);
}

static void on_close(struct net_stream *stream, void *ctx)
{
    (void)ctx;
    input_connection_close(stream);
}

static void give_up(struct connection *conn, int reason, const char *why)
{
    counter_add(&refused[reason], 1);
    LOG_WARN("forward", "connection ended", LOG_STR("peer", net_stream_peer(conn->base.stream)),
             LOG_STR("error", why));
    net_stream_close(conn->base.stream);
}

static size_t on_bytes(struct net_stream *stream, struct slice bytes, bool end, void *ctx)
{
    struct input_forward *f = ctx;
    struct connection *conn = net_stream_state(stream);
    struct pipe_kit *kit = pipe_kit_take(f->kits, SLICE(""));
    struct decode_fluent *d = kit->decoder;
    struct acks *acks = mem_calloc(1, sizeof(*acks));
    size_t at = 0, len;
    struct diag why;
    (void)end; /* what is cut off then is not acknowledged */
    diag_init(&why);
    d->now_ns = f->env.os->ops->now_ns(f->env.os);
    d->unpacked_bytes_max = f->message_max;
    while (at < bytes.len) {
        int err = codec_msgpack_length(slice_from(bytes, at), &len);
        if (err == ERR_AGAIN)
            break;
        struct slice message = slice_make(bytes.ptr + at, err ? 0 : len);
        if (!err && !conn->is_known) {
            at += len;
            answer_ping(conn, message);
            if (!conn->is_known) {
                at = bytes.len;
                break;
            }
            continue;
        }
        if (!err && message.ptr[0] == (char)0xc0) { /* nil: a heartbeat */
            at += len;
            continue;
        }
        counter_add(&counts[0], 1);
        if (!err)
            err = decode_fluent_message(d, message, kit->events, &why);
        if (err) {
            give_up(conn, REFUSED_INVALID, why.code ? why.msg : "it does not speak MessagePack");
            at = bytes.len;
            break;
        }
        counter_add(&counts[1], (int64_t)d->rows);
        if (d->chunk.ptr)
            put_ack(&acks->bytes, d->chunk);
        at += len;
    }
    acks->rows = kit->events->rows.len;
    if (acks->rows) {
        input_connection_logs(&conn->base, f->env.sink, kit->events, on_stored, acks);
    } else { /* chunks without events are durable already */
        if (acks->bytes.len && conn->base.stream)
            net_stream_write(conn->base.stream, buf_slice(&acks->bytes));
        buf_deinit(&acks->bytes);
        mem_free(acks);
    }
    pipe_kit_give(f->kits, kit);
    return at;
}

static size_t on_overflow(struct net_stream *stream, struct slice bytes, void *ctx)
{
    (void)bytes;
    (void)ctx;
    give_up(net_stream_state(stream), REFUSED_TOO_LONG,
            "a message over limits.forward.message_size");
    return 0;
}

int input_forward_start(const struct input_env *env, const struct input_forward_config *config,
                        struct input_forward **out, struct diag *diag)
{
    struct input_forward *f = mem_calloc(1, sizeof(*f));
    *out = NULL;
    f->env = *env;
    f->message_max = config->message_bytes_max;
    f->shared_key = mem_strdup(config->shared_key);
    f->hostname = mem_strdup(config->hostname);
    f->kits = pipe_kits_new(PIPE_KIT_LOGS, sizeof(struct decode_fluent), deinit_decoder);
    counter_register(refused, ARRAY_LEN(refused));
    counter_register(counts, ARRAY_LEN(counts));
    struct net_stream_config tcp = {.name = config->name,
                                    .listen = config->listen,
                                    .tls = config->tls,
                                    .buffer_bytes_max = f->message_max,
                                    .on_open = on_open,
                                    .on_bytes = on_bytes,
                                    .on_overflow = on_overflow,
                                    .on_close = on_close,
                                    .ctx = f};
    int err = net_stream_server_start(env->loops, &tcp, &f->tcp, diag);
    if (err) {
        input_forward_stop(f);
        return err;
    }
    *out = f;
    return 0;
}

uint16_t input_forward_port(const struct input_forward *f)
{
    return net_stream_server_port(f->tcp);
}

int input_forward_reload_tls(struct input_forward *f, struct diag *diag)
{
    return net_stream_server_reload_tls(f->tcp, diag);
}

void input_forward_stop(struct input_forward *f)
{
    if (!f)
        return;
    net_stream_server_stop(f->tcp);
    pipe_kits_free(f->kits);
    mem_free(f->shared_key);
    mem_free(f->hostname);
    mem_free(f);
}
