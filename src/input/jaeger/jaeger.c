#include "input/jaeger/jaeger.h"

#include "base/counter.h"
#include "base/mem.h"
#include "decode/jaeger/jaeger.h"
#include "decode/otlp/otlp.h"
#include "net/udp.h"
#include "pipe/kit.h"

enum { REFUSED_DAMAGED, REFUSED_UNKNOWN, REFUSED_CUT, REFUSED_SPAN, REFUSED_STORE, REFUSED_COUNT };
#define REFUSED(reason)                                                                            \
    {                                                                                              \
        .name = "pharos_jaeger_refused_total",                                                     \
        .help = "Datagrams, and single spans of them, for Jaeger's agent that were not taken, by " \
                "reason.",                                                                         \
        .labels = "reason=\"" reason "\""                                                          \
    }
static struct counter refused[REFUSED_COUNT] = {
    [REFUSED_DAMAGED] = REFUSED("damaged"),
    [REFUSED_UNKNOWN] = REFUSED("unknown_call"), /* emitZipkinBatch */
    [REFUSED_CUT] = REFUSED("cut"),              /* larger than UDP carries */
    [REFUSED_SPAN] = REFUSED("invalid_span"),    /* ids or times that are none */
    [REFUSED_STORE] = REFUSED("store"),          /* the disk is full, or memory */
};

struct input_jaeger {
    struct input_env env;
    enum decode_jaeger_encoding encoding;
    struct net_udp *udp;
    struct pipe_kits *kits;
};

struct decoder {
    struct decode_otlp_scratch *scratch;
};

static void deinit_decoder(void *decoder)
{
    decode_otlp_scratch_free(((struct decoder *)decoder)->scratch);
}

/* The sink counts spans that it refuses. */
static void on_ack(void *ctx, int err, const struct pipe_result *result)
{
    (void)result;
    if (err)
        counter_add(&refused[REFUSED_STORE], (int64_t)(uintptr_t)ctx);
}

/* Requests one behind the other are one request. */
static void on_batch(size_t socket, const struct net_datagram *datagrams, size_t count, void *ctx)
{
    struct input_jaeger *j = ctx;
    struct pipe_kit *kit = pipe_kit_take(j->kits, SLICE(""));
    struct decoder *d = kit->decoder;
    struct decode_otlp_result result;
    (void)socket;
    memset(&result, 0, sizeof(result));
    buf_clear(&kit->scratch);
    for (size_t i = 0; i < count; i++) {
        int err = datagrams[i].cut
                      ? ERR_TOO_LARGE
                      : decode_jaeger_spans(j->encoding, datagrams[i].bytes, &kit->scratch, NULL);
        if (err)
            counter_add(&refused[err == ERR_TOO_LARGE     ? REFUSED_CUT
                                 : err == ERR_UNSUPPORTED ? REFUSED_UNKNOWN
                                                          : REFUSED_DAMAGED],
                        1);
    }
    if (!d->scratch)
        d->scratch = decode_otlp_scratch_new();
    if (decode_otlp_spans(DECODE_OTLP_PROTOBUF, buf_slice(&kit->scratch), d->scratch, kit->events,
                          &result, NULL))
        counter_add(&refused[REFUSED_DAMAGED], 1);
    if (result.refused)
        counter_add(&refused[REFUSED_SPAN], (int64_t)result.refused);
    size_t rows = kit->events->rows.len;
    if (rows)
        j->env.sink->spans(j->env.sink, kit->events, on_ack, (void *)(uintptr_t)rows);
    pipe_kit_give(j->kits, kit);
}

int input_jaeger_start(const struct input_env *env, const struct input_jaeger_config *config,
                       struct input_jaeger **out, struct diag *diag)
{
    struct input_jaeger *j = mem_calloc(1, sizeof(*j));
    struct net_udp_config udp = {
        .name = config->name, .listen = config->listen, .on_batch = on_batch, .ctx = j};
    j->env = *env;
    j->encoding = config->compact ? DECODE_JAEGER_AGENT_COMPACT : DECODE_JAEGER_AGENT_BINARY;
    j->kits = pipe_kits_new(PIPE_KIT_SPANS, sizeof(struct decoder), deinit_decoder);
    counter_register(refused, ARRAY_LEN(refused));
    *out = NULL;
    int err = net_udp_start(env->loops, &udp, &j->udp, diag);
    if (err) {
        input_jaeger_stop(j);
        return err;
    }
    *out = j;
    return 0;
}

uint16_t input_jaeger_port(const struct input_jaeger *j)
{
    return net_udp_port(j->udp);
}

void input_jaeger_stop(struct input_jaeger *j)
{
    if (!j)
        return;
    net_udp_stop(j->udp);
    pipe_kits_free(j->kits);
    mem_free(j);
}
