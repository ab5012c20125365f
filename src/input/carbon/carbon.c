#include "input/carbon/carbon.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/counter.h"
#include "base/log.h"
#include "decode/carbon/carbon.h"
#include "input/connection.h"
#include "pipe/kit.h"

#define FRAME_MAX        (8u << 20)
#define NO_FRAME         (256u << 20) /* a length beyond this is no length */
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

struct input_carbon {
    struct input_env env;
    enum input_carbon_kind kind;
    char name[64];
    size_t line_max, frame_max;
    struct net_stream_server *tcp;
    struct net_udp *udp;
    struct pipe_kits *kits; /* their decoders are decode_carbon */
    _Atomic int64_t reported_ns;
};

struct connection {
    struct input_connection base;
    struct input_carbon *carbon;
    bool skip_line; /* up to the next newline */
    size_t skip;    /* bytes of a frame that is too large */
};

static void deinit_decoder(void *decoder)
{
    decode_carbon_deinit(decoder);
}

static struct pipe_kit *take_kit(struct input_carbon *c)
{
    struct pipe_kit *kit = pipe_kit_take(c->kits, SLICE(""));
    ((struct decode_carbon *)kit->decoder)->now_ns = c->env.os->ops->now_ns(c->env.os);
    return kit;
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
    int64_t before = atomic_load(&c->reported_ns);
    bool due = (!before || d->now_ns - before >= REPORT_PERIOD_NS) &&
               atomic_compare_exchange_strong(&c->reported_ns, &before, d->now_ns);
    if (due)
        LOG_WARN("carbon", "points refused (told once a minute)", LOG_STR("door", c->name),
                 LOG_STR("reason", decode_carbon_refusal_name((enum decode_carbon_refusal)last)),
                 LOG_STR("example", d->example), LOG_INT("count", total));
}

/* Counts what was decoded and makes the kit ready for the next chunk. */
static void give_kit(struct input_carbon *c, struct pipe_kit *kit)
{
    struct decode_carbon *d = kit->decoder;
    counter_add(&points[c->kind], (int64_t)d->points);
    report(c, d);
    d->points = 0;
    memset(d->refused, 0, sizeof(d->refused));
    pipe_kit_give(c->kits, kit);
}

static void on_open(struct net_stream *s, void *ctx)
{
    struct connection *conn = input_connection_open(s, sizeof(*conn), NULL);
    conn->carbon = ctx;
}

static void on_close(struct net_stream *s, void *ctx)
{
    (void)ctx;
    input_connection_close(s);
}

static size_t take_lines(struct connection *conn, struct pipe_kit *k, struct slice bytes, bool end)
{
    size_t skipped = 0;
    if (conn->skip_line) {
        ptrdiff_t nl = slice_find_char(bytes, '\n');
        if (nl < 0)
            return bytes.len;
        conn->skip_line = false;
        skipped = (size_t)nl + 1;
    }
    return skipped + decode_carbon_lines(k->decoder, slice_from(bytes, skipped), end, k->metrics);
}

static size_t take_frames(struct connection *conn, struct pipe_kit *k, struct slice bytes)
{
    struct input_carbon *c = conn->carbon;
    size_t at = MIN(conn->skip, bytes.len);
    conn->skip -= at;
    while (bytes.len - at >= 4) {
        const unsigned char *p = (const unsigned char *)bytes.ptr + at;
        size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (len > c->frame_max) {
            decode_carbon__refuse(k->decoder, DECODE_CARBON_SIZE, slice_from(bytes, at));
            if (len > NO_FRAME) { /* somebody speaks another protocol: there is no next frame */
                net_stream_close(conn->base.stream);
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
            (void)decode_carbon_pickle(k->decoder, frame, k->metrics);
        else
            (void)decode_carbon_protobuf(k->decoder, frame, k->metrics);
        at += 4 + len;
    }
    return at;
}

static size_t on_bytes(struct net_stream *s, struct slice bytes, bool end, void *ctx)
{
    struct input_carbon *c = ctx;
    struct connection *conn = net_stream_state(s);
    struct pipe_kit *k = take_kit(c);
    size_t taken = c->kind == INPUT_CARBON_LINES ? take_lines(conn, k, bytes, end)
                                                 : take_frames(conn, k, bytes);
    /* The sink counts what failed; there is nobody to tell. */
    if (k->metrics->sample_ts.len)
        input_connection_metrics(&conn->base, c->env.sink, k->metrics, NULL, NULL);
    give_kit(c, k);
    return taken;
}

static size_t on_overflow(struct net_stream *s, struct slice bytes, void *ctx)
{
    struct input_carbon *c = ctx;
    struct connection *conn = net_stream_state(s);
    struct pipe_kit *k = take_kit(c);
    decode_carbon__refuse(k->decoder, DECODE_CARBON_SIZE, bytes);
    conn->skip_line = true;
    give_kit(c, k);
    return bytes.len;
}

static void on_batch(size_t socket, const struct net_datagram *datagrams, size_t count, void *ctx)
{
    struct input_carbon *c = ctx;
    struct pipe_kit *k = take_kit(c);
    (void)socket;
    for (size_t i = 0; i < count; i++)
        decode_carbon_lines(k->decoder, datagrams[i].bytes, !datagrams[i].cut, k->metrics);
    if (k->metrics->sample_ts.len)
        c->env.sink->metrics(c->env.sink, k->metrics, NULL, NULL);
    give_kit(c, k);
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
    c->kits = pipe_kits_new(PIPE_KIT_METRICS, sizeof(struct decode_carbon), deinit_decoder);
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
    struct net_udp_config udp = {.name = c->name, .on_batch = on_batch, .ctx = c};
    if (!err && lines)
        err = input_udp_beside(env->loops, config->listen, net_stream_server_port(c->tcp), &udp,
                               &c->udp, diag);
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
    pipe_kits_free(c->kits);
    mem_free(c);
}
