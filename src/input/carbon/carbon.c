#include "input/carbon/carbon.h"

#include <pthread.h>
#include <stdio.h>

#include "base/counter.h"
#include "base/log.h"
#include "decode/carbon/carbon.h"
#include "net/stream.h"
#include "net/udp.h"
#include "net/url.h"

#define FRAME_MAX        (8u << 20)
#define NO_FRAME         (256u << 20) /* a length beyond this is no length */
#define WAITING_MAX      4
#define REPORT_PERIOD_NS (60 * NS_PER_SEC)

#define REFUSED(reason)                                                                            \
    {                                                                                              \
        .name = "pharos_carbon_refused_total",                                                     \
        .help = "Lines and points sent to carbon's ports that were not taken, by reason.",         \
        .labels = "reason=\"" reason "\""                                                          \
    }
static struct counter refused[DECODE_CARBON_REFUSAL_COUNT] = {
    [DECODE_CARBON_FIELDS] = REFUSED("fields"),
    [DECODE_CARBON_NAME] = REFUSED("name"),
    [DECODE_CARBON_TAGS] = REFUSED("tags"),
    [DECODE_CARBON_VALUE] = REFUSED("value"),
    [DECODE_CARBON_NAN] = REFUSED("nan"),
    [DECODE_CARBON_TIMESTAMP] = REFUSED("timestamp"),
    [DECODE_CARBON_SIZE] = REFUSED("size"),
    [DECODE_CARBON_PICKLE] = REFUSED("pickle"),
    [DECODE_CARBON_PROTOBUF] = REFUSED("protobuf"),
};
static struct counter points[] = {
    [INPUT_CARBON_LINES] = {.name = "pharos_carbon_points_total",
                            .help = "Points read from carbon's protocols.",
                            .labels = "protocol=\"line\""},
    [INPUT_CARBON_PICKLE] = {.name = "pharos_carbon_points_total",
                             .help = "Points read from carbon's protocols.",
                             .labels = "protocol=\"pickle\""},
    [INPUT_CARBON_PROTOBUF] = {.name = "pharos_carbon_points_total",
                               .help = "Points read from carbon's protocols.",
                               .labels = "protocol=\"protobuf\""},
};

/* What decoding one chunk needs; idle ones wait in a list. */
struct kit {
    struct decode_carbon decode;
    struct data_metric_batch *batch;
    struct kit *next;
};

struct input_carbon {
    struct input_env env;
    enum input_carbon_kind kind;
    char name[64];
    size_t line_max, frame_max;
    struct net_stream_server *tcp;
    struct net_udp *udp;
    pthread_mutex_t lock; /* of what follows */
    struct kit *kits;
    int64_t reported_ns;
};

/* Outlives its connection while batches wait for the disk. */
struct connection {
    struct input_carbon *carbon;
    struct net_stream *stream; /* NULL when it is gone; loop thread */
    struct net_loop *loop;
    int refs, waiting; /* loop thread */
    bool paused;
    bool skip_line; /* up to the next newline */
    size_t skip;    /* bytes of a frame that is too large */
};

static struct kit *take_kit(struct input_carbon *c)
{
    pthread_mutex_lock(&c->lock);
    struct kit *k = c->kits;
    if (k)
        c->kits = k->next;
    pthread_mutex_unlock(&c->lock);
    if (!k) {
        k = mem_calloc(1, sizeof(*k));
        k->batch = data_metric_batch_new(SLICE("default"));
    }
    k->decode.now_ns = c->env.os->ops->now_ns(c->env.os);
    return k;
}

static void report(struct input_carbon *c, const struct decode_carbon *d)
{
    int64_t total = 0;
    int last = -1;
    for (int i = 0; i < DECODE_CARBON_REFUSAL_COUNT; i++) {
        total += (int64_t)d->refused[i];
        if (d->refused[i]) {
            counter_add(&refused[i], (int64_t)d->refused[i]);
            last = i;
        }
    }
    if (!total)
        return;
    pthread_mutex_lock(&c->lock);
    bool due = !c->reported_ns || d->now_ns - c->reported_ns >= REPORT_PERIOD_NS;
    if (due)
        c->reported_ns = d->now_ns;
    pthread_mutex_unlock(&c->lock);
    if (due)
        LOG_WARN("carbon", "points refused (told once a minute)", LOG_STR("door", c->name),
                 LOG_STR("reason", decode_carbon_refusal_name((enum decode_carbon_refusal)last)),
                 LOG_STR("example", d->example), LOG_INT("count", total));
}

/* Counts what was decoded and makes the kit ready for the next chunk. */
static void give_kit(struct input_carbon *c, struct kit *k)
{
    counter_add(&points[c->kind], (int64_t)k->decode.points);
    report(c, &k->decode);
    k->decode.points = 0;
    memset(k->decode.refused, 0, sizeof(k->decode.refused));
    data_metric_batch_reset(k->batch);
    pthread_mutex_lock(&c->lock);
    k->next = c->kits;
    c->kits = k;
    pthread_mutex_unlock(&c->lock);
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
    struct connection *conn = ctx;
    (void)err; /* the sink counts what failed; there is nobody to tell */
    (void)result;
    net_loop_post(conn->loop, stored, conn);
}

static void on_open(struct net_stream *s, void *ctx)
{
    struct connection *conn = mem_calloc(1, sizeof(*conn));
    conn->carbon = ctx;
    conn->stream = s;
    conn->loop = net_stream_loop(s);
    conn->refs = 1;
    net_stream_set_state(s, conn);
}

static void on_close(struct net_stream *s, void *ctx)
{
    struct connection *conn = net_stream_state(s);
    (void)ctx;
    conn->stream = NULL;
    unref(conn);
}

static size_t take_lines(struct connection *conn, struct kit *k, struct slice bytes, bool end)
{
    size_t skipped = 0;
    if (conn->skip_line) {
        ptrdiff_t nl = slice_find_char(bytes, '\n');
        if (nl < 0)
            return bytes.len;
        conn->skip_line = false;
        skipped = (size_t)nl + 1;
    }
    return skipped + decode_carbon_lines(&k->decode, slice_from(bytes, skipped), end, k->batch);
}

static size_t take_frames(struct connection *conn, struct kit *k, struct slice bytes)
{
    struct input_carbon *c = conn->carbon;
    size_t at = MIN(conn->skip, bytes.len);
    conn->skip -= at;
    while (bytes.len - at >= 4) {
        const unsigned char *p = (const unsigned char *)bytes.ptr + at;
        size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (len > c->frame_max) {
            decode_carbon__refuse(&k->decode, DECODE_CARBON_SIZE, slice_from(bytes, at));
            if (len > NO_FRAME) { /* somebody speaks another protocol: there is no next frame */
                net_stream_close(conn->stream);
                return bytes.len;
            }
            size_t here = MIN(len, bytes.len - at - 4);
            conn->skip = len - here;
            at += 4 + here;
            continue;
        }
        if (bytes.len - at - 4 < len)
            break;
        struct slice frame = slice_make(p + 4, len);
        /* What is bad in it is counted; the next frame is as good as any. */
        if (c->kind == INPUT_CARBON_PICKLE)
            (void)decode_carbon_pickle(&k->decode, frame, k->batch);
        else
            (void)decode_carbon_protobuf(&k->decode, frame, k->batch);
        at += 4 + len;
    }
    return at;
}

static size_t on_bytes(struct net_stream *s, struct slice bytes, bool end, void *ctx)
{
    struct input_carbon *c = ctx;
    struct connection *conn = net_stream_state(s);
    struct kit *k = take_kit(c);
    size_t taken = c->kind == INPUT_CARBON_LINES ? take_lines(conn, k, bytes, end)
                                                 : take_frames(conn, k, bytes);
    if (k->batch->sample_ts.len) {
        conn->refs++;
        if (++conn->waiting >= WAITING_MAX && !end && conn->stream) {
            conn->paused = true;
            net_stream_pause(s);
        }
        c->env.sink->metrics(c->env.sink, k->batch, on_ack, conn);
    }
    give_kit(c, k);
    return taken;
}

static size_t on_overflow(struct net_stream *s, struct slice bytes, void *ctx)
{
    struct input_carbon *c = ctx;
    struct connection *conn = net_stream_state(s);
    struct kit *k = take_kit(c);
    decode_carbon__refuse(&k->decode, DECODE_CARBON_SIZE, bytes);
    conn->skip_line = true;
    give_kit(c, k);
    return bytes.len;
}

static void on_batch(size_t socket, const struct net_datagram *datagrams, size_t count, void *ctx)
{
    struct input_carbon *c = ctx;
    struct kit *k = take_kit(c);
    (void)socket;
    for (size_t i = 0; i < count; i++)
        decode_carbon_lines(&k->decode, datagrams[i].bytes, !datagrams[i].cut, k->batch);
    if (k->batch->sample_ts.len)
        c->env.sink->metrics(c->env.sink, k->batch, NULL, NULL);
    give_kit(c, k);
}

static int start_udp(struct input_carbon *c, const struct input_carbon_config *config,
                     struct diag *diag)
{
    char host[256], listen[300];
    uint16_t port;
    int err = net_address_parse(slice_cstr(config->listen), host, sizeof(host), &port, diag);
    if (err)
        return err;
    bool v6 = strchr(host, ':') != NULL;
    snprintf(listen, sizeof(listen), v6 ? "[%s]:%u" : "%s:%u", host[0] ? host : "0.0.0.0",
             net_stream_server_port(c->tcp));
    struct net_udp_config udp = {.name = c->name, .listen = listen, .on_batch = on_batch, .ctx = c};
    return net_udp_start(c->env.loops, &udp, &c->udp, diag);
}

int input_carbon_start(const struct input_env *env, const struct input_carbon_config *config,
                       struct input_carbon **out, struct diag *diag)
{
    struct input_carbon *c = mem_calloc(1, sizeof(*c));
    c->env = *env;
    c->kind = config->kind;
    c->line_max = config->line_bytes_max ? config->line_bytes_max : DECODE_CARBON_LINE_MAX;
    c->frame_max = config->frame_bytes_max ? config->frame_bytes_max : FRAME_MAX;
    snprintf(c->name, sizeof(c->name), "%s", config->name);
    pthread_mutex_init(&c->lock, NULL);
    counter_register(refused, ARRAY_LEN(refused));
    counter_register(points, ARRAY_LEN(points));
    bool lines = config->kind == INPUT_CARBON_LINES;
    struct net_stream_config tcp = {.name = c->name,
                                    .listen = config->listen,
                                    .tls = config->tls,
                                    .buffer_bytes_max = lines ? c->line_max : c->frame_max + 4,
                                    .connections_max = config->connections_max,
                                    .on_open = on_open,
                                    .on_bytes = on_bytes,
                                    .on_overflow = lines ? on_overflow : NULL,
                                    .on_close = on_close,
                                    .ctx = c};
    int err = net_stream_server_start(env->loops, &tcp, &c->tcp, diag);
    if (!err && lines)
        err = start_udp(c, config, diag);
    if (err) {
        input_carbon_stop(c);
        c = NULL;
    }
    *out = c;
    return err;
}

uint16_t input_carbon_port(const struct input_carbon *c)
{
    return net_stream_server_port(c->tcp);
}

void input_carbon_stop(struct input_carbon *c)
{
    if (!c)
        return;
    net_udp_stop(c->udp);
    net_stream_server_stop(c->tcp);
    while (c->kits) {
        struct kit *k = c->kits;
        c->kits = k->next;
        decode_carbon_deinit(&k->decode);
        data_metric_batch_free(k->batch);
        mem_free(k);
    }
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}
