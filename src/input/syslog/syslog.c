#include "input/syslog/syslog.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/counter.h"
#include "base/mem.h"
#include "decode/syslog.h"
#include "net/stream.h"
#include "net/udp.h"
#include "net/url.h"
#include "text/go_time.h"

#define WAITING_MAX 4
#define HEADER_MAX  2048 /* room for a header in front of the longest line */

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

/* What decoding needs; idle ones wait in a list. */
struct kit {
    struct decode_syslog decode;
    struct data_event_batch *batch;
    struct kit *next;
};

struct input_syslog {
    struct input_env env;
    size_t message_max;
    bool local;       /* zone */
    int32_t offset_s; /* when it is not */
    struct net_stream_server *tcp;
    struct net_udp *udp;
    pthread_mutex_t lock; /* of kits */
    struct kit *kits;
};

/* Outlives its connection while batches wait for the disk. */
struct connection {
    struct input_syslog *syslog;
    struct net_stream *stream; /* NULL when it is gone; loop thread */
    struct net_loop *loop;
    int refs, waiting; /* loop thread */
    bool paused;
    bool skip_line; /* up to the next newline */
    size_t skip;    /* bytes of a message that is too long */
};

/* A batch on its way to the disk. */
struct sent {
    struct connection *conn; /* NULL: datagrams */
    size_t rows;
};

static struct kit *take_kit(struct input_syslog *s)
{
    pthread_mutex_lock(&s->lock);
    struct kit *k = s->kits;
    if (k)
        s->kits = k->next;
    pthread_mutex_unlock(&s->lock);
    if (!k) {
        k = mem_calloc(1, sizeof(*k));
        k->batch = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    }
    k->decode.received_ns = s->env.os->ops->now_ns(s->env.os);
    k->decode.offset_s = s->offset_s;
    time_t now = (time_t)(k->decode.received_ns / NS_PER_SEC);
    struct tm tm;
    if (s->local && localtime_r(&now, &tm))
        k->decode.offset_s = (int32_t)tm.tm_gmtoff;
    return k;
}

static void give_kit(struct input_syslog *s, struct kit *k)
{
    data_event_batch_reset(k->batch);
    pthread_mutex_lock(&s->lock);
    k->next = s->kits;
    s->kits = k;
    pthread_mutex_unlock(&s->lock);
}

static void unref(struct connection *conn)
{
    if (--conn->refs == 0)
        mem_free(conn);
}

static void stored(void *ctx)
{
    struct connection *conn = ctx;
    conn->waiting--;
    if (conn->stream && conn->paused && conn->waiting < WAITING_MAX) {
        conn->paused = false;
        net_stream_resume(conn->stream);
    }
    unref(conn);
}

static void on_ack(void *ctx, int err, const struct pipe_result *result)
{
    struct sent *sent = ctx;
    (void)result; /* the sink counts rows that it refuses */
    if (err)
        counter_add(&refused[REFUSED_STORE], (int64_t)sent->rows);
    if (sent->conn)
        net_loop_post(sent->conn->loop, stored, sent->conn);
    mem_free(sent);
}

static void store(struct input_syslog *s, struct kit *k, struct connection *conn)
{
    if (k->batch->rows.len) {
        struct sent *sent = mem_calloc(1, sizeof(*sent));
        sent->conn = conn;
        sent->rows = k->batch->rows.len;
        s->env.sink->logs(s->env.sink, k->batch, on_ack, sent);
    }
    give_kit(s, k);
}

/* Of "127.0.0.1:514" and "[::1]:514" the address. */
static struct slice without_port(const char *peer)
{
    struct slice s = slice_cstr(peer);
    const char *colon = strrchr(peer, ':');
    if (colon)
        s.len = (size_t)(colon - peer);
    if (s.len > 1 && s.ptr[0] == '[')
        s = slice_make(s.ptr + 1, s.len - 2);
    return s;
}

static void take(struct input_syslog *s, struct kit *k, struct slice message, bool tcp)
{
    counter_add(&messages[tcp], 1);
    if (message.len > s->message_max)
        counter_add(&refused[REFUSED_TOO_LONG], 1);
    else if (!decode_syslog_message(&k->decode, message, k->batch))
        counter_add(&refused[REFUSED_EMPTY], 1);
}

/* --- TCP --- */

static void on_open(struct net_stream *stream, void *ctx)
{
    struct connection *conn = mem_calloc(1, sizeof(*conn));
    conn->syslog = ctx;
    conn->stream = stream;
    conn->loop = net_stream_loop(stream);
    conn->refs = 1;
    net_stream_set_state(stream, conn);
}

static void on_close(struct net_stream *stream, void *ctx)
{
    struct connection *conn = net_stream_state(stream);
    (void)ctx;
    conn->stream = NULL;
    unref(conn);
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
    struct kit *k = take_kit(s);
    struct slice message;
    size_t at = skip(conn, bytes), taken;
    enum decode_syslog_frame frame = DECODE_SYSLOG_WHOLE;
    k->decode.peer = without_port(net_stream_peer(stream));
    while (at < bytes.len && frame != DECODE_SYSLOG_MORE) {
        frame = decode_syslog_frame(slice_from(bytes, at), end, s->message_max, &message, &taken);
        if (frame == DECODE_SYSLOG_MORE)
            break;
        if (frame == DECODE_SYSLOG_WHOLE) {
            take(s, k, message, true);
        } else {
            counter_add(&messages[1], 1);
            counter_add(&refused[REFUSED_TOO_LONG], 1);
            conn->skip = taken - MIN(taken, bytes.len - at);
            taken -= conn->skip;
        }
        at += taken;
    }
    if (k->batch->rows.len) {
        conn->refs++;
        if (++conn->waiting >= WAITING_MAX && !end) {
            conn->paused = true;
            net_stream_pause(stream);
        }
    }
    store(s, k, conn);
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
    struct kit *k = take_kit(s);
    (void)socket;
    for (size_t i = 0; i < count; i++) {
        char peer[64];
        net_datagram_peer(&datagrams[i], peer, sizeof(peer));
        k->decode.peer = data_event_batch_copy(k->batch, without_port(peer));
        if (datagrams[i].cut)
            counter_add(&refused[REFUSED_CUT], 1);
        take(s, k, datagrams[i].bytes, false);
    }
    store(s, k, NULL);
}

static int start_udp(struct input_syslog *s, const struct input_syslog_config *config,
                     struct diag *diag)
{
    char host[256], listen[300];
    uint16_t port;
    int err = net_address_parse(slice_cstr(config->listen), host, sizeof(host), &port, diag);
    if (err)
        return err;
    bool v6 = strchr(host, ':') != NULL;
    snprintf(listen, sizeof(listen), v6 ? "[%s]:%u" : "%s:%u", host[0] ? host : "0.0.0.0",
             net_stream_server_port(s->tcp));
    struct net_udp_config udp = {
        .name = config->name, .listen = listen, .on_batch = on_batch, .ctx = s};
    return net_udp_start(s->env.loops, &udp, &s->udp, diag);
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
    pthread_mutex_init(&s->lock, NULL);
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
    if (!err)
        err = start_udp(s, config, diag);
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
    while (s->kits) {
        struct kit *k = s->kits;
        s->kits = k->next;
        decode_syslog_deinit(&k->decode);
        data_event_batch_free(k->batch);
        mem_free(k);
    }
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}
