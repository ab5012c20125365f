#include "input/carbon/carbon.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/counter.h"
#include "base/log.h"
#include "decode/carbon/carbon.h"
#include "input/carbon/filter.h"
#include "input/connection.h"
#include "input/senders.h"
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
    [DECODE_CARBON_BLACKLIST] = REFUSED("blacklist"),
    [DECODE_CARBON_WHITELIST] = REFUSED("whitelist"),
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

/* The last one refused for a reason. */
struct refusal {
    int64_t count, at_ns;
    char example[DECODE_CARBON_EXAMPLE], sender[64];
};

#define NAMES_SHOWN 50

struct input_carbon {
    struct input_env env;
    enum input_carbon_kind kind;
    char name[64];
    size_t line_max, frame_max;
    struct net_stream_server *tcp;
    struct net_udp *udp;
    struct input_carbon_filter *filter; /* may be NULL */
    struct pipe_kits *kits;             /* their decoders are struct decoder */
    _Atomic int64_t reported_ns;
    struct input_senders *senders;
    pthread_mutex_t lock; /* of what follows */
    int64_t points, chunks, last_ns;
    struct refusal refusals[DECODE_CARBON_REFUSAL_COUNT];
    char names[NAMES_SHOWN][100]; /* seen lately, a ring */
    size_t name_at;
};

struct connection {
    struct input_connection base;
    struct input_carbon *carbon;
    bool skip_line; /* up to the next newline */
    size_t skip;    /* bytes of a frame that is too large */
};

struct decoder {
    struct decode_carbon decode; /* first: a kit's decoder is it */
    struct carbon_scratch scratch;
};

static void deinit_decoder(void *decoder)
{
    struct decoder *d = decoder;
    decode_carbon_deinit(&d->decode);
    carbon_scratch_deinit(&d->scratch);
}

static struct pipe_kit *take_kit(struct input_carbon *c)
{
    struct pipe_kit *kit = pipe_kit_take(c->kits, SLICE(""));
    struct decoder *d = kit->decoder;
    d->decode.now_ns = c->env.os->ops->now_ns(c->env.os);
    carbon_scratch_begin(&d->scratch, c->filter, &d->decode);
    return kit;
}

/* One name a chunk, so that it costs nothing. */
static void note_name(struct input_carbon *c, const struct data_metric_batch *b)
{
    struct arena *arena = arena_new(512, NULL);
    struct data_labels labels;
    if (!data_labels_decode(b->series.items[b->series.len - 1].key, arena, &labels)) {
        struct slice name =
            slice_first(data_labels_get(labels, SLICE(DATA_METRIC_NAME)), sizeof(c->names[0]) - 1);
        bool known = false;
        for (size_t i = 0; i < NAMES_SHOWN && !known; i++)
            known = slice_eq_cstr(name, c->names[i]);
        if (!known)
            snprintf(c->names[c->name_at++ % NAMES_SHOWN], sizeof(c->names[0]), "%.*s",
                     SLICE_FMT(name));
    }
    arena_free(arena);
}

static int64_t note(struct input_carbon *c, const struct pipe_kit *kit, const char *peer)
{
    const struct decode_carbon *d = kit->decoder;
    int64_t total = 0;
    pthread_mutex_lock(&c->lock);
    c->points += (int64_t)d->points;
    c->chunks++;
    c->last_ns = d->now_ns;
    for (int i = 0; i < DECODE_CARBON_REFUSAL_COUNT; i++) {
        struct refusal *r = &c->refusals[i];
        if (!d->refused[i])
            continue;
        total += (int64_t)d->refused[i];
        r->count += (int64_t)d->refused[i];
        r->at_ns = d->now_ns;
        snprintf(r->example, sizeof(r->example), "%s", d->example[i]);
        snprintf(r->sender, sizeof(r->sender), "%s", peer);
    }
    if (kit->metrics->series.len)
        note_name(c, kit->metrics);
    pthread_mutex_unlock(&c->lock);
    if (d->points || total)
        input_senders_add(c->senders, peer, (int64_t)d->points, total, d->now_ns);
    return total;
}

static void report(struct input_carbon *c, const struct decode_carbon *d, int64_t total)
{
    int last = -1;
    for (int i = 0; i < DECODE_CARBON_REFUSAL_COUNT; i++) {
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
                 LOG_STR("example", d->example[last]), LOG_INT("count", total));
}

/* Counts what was decoded and makes the kit ready for the next chunk. */
static void give_kit(struct input_carbon *c, struct pipe_kit *kit, const char *peer)
{
    struct decode_carbon *d = kit->decoder;
    carbon_scratch_end(&((struct decoder *)kit->decoder)->scratch);
    counter_add(&points[c->kind], (int64_t)d->points);
    report(c, d, note(c, kit, peer));
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
    char peer[64]; /* a frame that is none closes the connection */
    snprintf(peer, sizeof(peer), "%s", net_stream_peer(s));
    size_t taken = c->kind == INPUT_CARBON_LINES ? take_lines(conn, k, bytes, end)
                                                 : take_frames(conn, k, bytes);
    /* The sink counts what failed; there is nobody to tell. */
    if (k->metrics->sample_ts.len)
        input_connection_metrics(&conn->base, c->env.sink, k->metrics, NULL, NULL);
    give_kit(c, k, peer);
    return taken;
}

static size_t on_overflow(struct net_stream *s, struct slice bytes, void *ctx)
{
    struct input_carbon *c = ctx;
    struct connection *conn = net_stream_state(s);
    struct pipe_kit *k = take_kit(c);
    decode_carbon__refuse(k->decoder, DECODE_CARBON_SIZE, bytes);
    conn->skip_line = true;
    give_kit(c, k, net_stream_peer(s));
    return bytes.len;
}

static void on_batch(size_t socket, const struct net_datagram *datagrams, size_t count, void *ctx)
{
    struct input_carbon *c = ctx;
    (void)socket;
    /* Datagrams of one sender after the other share a batch. */
    for (size_t i = 0; i < count;) {
        struct pipe_kit *k = take_kit(c);
        char peer[64], other[64];
        net_datagram_peer(&datagrams[i], peer, sizeof(peer));
        do {
            decode_carbon_lines(k->decoder, datagrams[i].bytes, !datagrams[i].cut, k->metrics);
            if (++i < count)
                net_datagram_peer(&datagrams[i], other, sizeof(other));
        } while (i < count && strcmp(peer, other) == 0);
        if (k->metrics->sample_ts.len)
            c->env.sink->metrics(c->env.sink, k->metrics, NULL, NULL);
        give_kit(c, k, peer);
    }
}

int input_carbon_start(const struct input_env *env, const struct input_carbon_config *config,
                       struct input_carbon **out, struct diag *diag)
{
    struct input_carbon *c = mem_calloc(1, sizeof(*c));
    c->env = *env;
    c->kind = config->kind;
    c->filter = config->filter;
    c->line_max = config->line_bytes_max ? config->line_bytes_max : DECODE_CARBON_LINE_MAX;
    c->frame_max = config->frame_bytes_max ? config->frame_bytes_max : FRAME_MAX;
    snprintf(c->name, sizeof(c->name), "%s", config->name);
    c->senders = input_senders_new(0);
    pthread_mutex_init(&c->lock, NULL);
    c->kits = pipe_kits_new(PIPE_KIT_METRICS, sizeof(struct decoder), deinit_decoder);
    counter_register(refused, ARRAY_LEN(refused));
    counter_register(points, ARRAY_LEN(points));
    bool lines = config->kind == INPUT_CARBON_LINES;
    struct net_stream_config tcp = {.name = c->name,
                                    .listen = config->listen,
                                    .tls = config->tls,
                                    .buffer_bytes_max = lines ? c->line_max : c->frame_max + 4,
                                    .connections_max = config->connections_max,
                                    .idle_timeout_ns = config->idle_timeout_ns,
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
    input_senders_free(c->senders);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

/* --- what the API shows --- */

static const char *expected(enum decode_carbon_refusal reason)
{
    static const char *const texts[DECODE_CARBON_REFUSAL_COUNT] = {
        [DECODE_CARBON_FIELDS] = "a line has three fields: name, value, timestamp",
        [DECODE_CARBON_NAME] = "a name is UTF-8 and not only dots",
        [DECODE_CARBON_TAGS] = "tags are ;tag=value, each once, without ;!^= in the tag",
        [DECODE_CARBON_VALUE] = "a value is a decimal number",
        [DECODE_CARBON_NAN] = "a value is not NaN",
        [DECODE_CARBON_TIMESTAMP] = "a timestamp is in seconds since 1970, or -1 for now",
        [DECODE_CARBON_SIZE] = "a line has at most 64 KiB, a frame 8 MiB",
        [DECODE_CARBON_PICKLE] = "a pickle holds lists, tuples, texts and numbers only",
        [DECODE_CARBON_PROTOBUF] = "a frame is a Payload of carbon.proto",
        [DECODE_CARBON_BLACKLIST] = "graphite.blacklist_file matches the name",
        [DECODE_CARBON_WHITELIST] = "graphite.whitelist_file does not match the name"};
    return texts[reason];
}

void input_carbon_look(struct input_carbon *const *all, size_t count, struct codec_json_writer *w)
{
    static const char *const kinds[] = {"line", "pickle", "protobuf"};
    int64_t points_all = 0, last = 0;
    struct refusal refusals[DECODE_CARBON_REFUSAL_COUNT] = {0};
    codec_json_begin_object(w);
    codec_json_put_bool(w, "receiving", true);
    codec_json_key(w, SLICE("listeners"));
    codec_json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        struct input_carbon *c = all[i];
        if (!c)
            continue;
        pthread_mutex_lock(&c->lock);
        points_all += c->points;
        last = MAX(last, c->last_ns);
        codec_json_begin_object(w);
        codec_json_put_string(w, "kind", slice_cstr(kinds[c->kind]));
        codec_json_put_int(w, "port", input_carbon_port(c));
        codec_json_put_int(w, "points", c->points);
        if (c->udp) {
            struct net_udp_stats stats = net_udp_stats(c->udp);
            codec_json_put_int(w, "datagrams", stats.datagrams);
            codec_json_put_int(w, "dropped_by_kernel", stats.dropped);
            codec_json_put_int(w, "cut", stats.cut);
        }
        codec_json_end_object(w);
        for (int k = 0; k < DECODE_CARBON_REFUSAL_COUNT; k++) {
            int64_t total = refusals[k].count + c->refusals[k].count;
            if (c->refusals[k].at_ns > refusals[k].at_ns)
                refusals[k] = c->refusals[k];
            refusals[k].count = total;
        }
        pthread_mutex_unlock(&c->lock);
    }
    codec_json_end_array(w);
    codec_json_put_int(w, "points", points_all);
    codec_json_put_int(w, "last_message_ms", last / NS_PER_MS);
    codec_json_key(w, SLICE("refused"));
    codec_json_begin_array(w);
    for (int k = 0; k < DECODE_CARBON_REFUSAL_COUNT; k++) {
        if (!refusals[k].count)
            continue;
        codec_json_begin_object(w);
        codec_json_put_string(
            w, "reason", slice_cstr(decode_carbon_refusal_name((enum decode_carbon_refusal)k)));
        codec_json_put_string(w, "expected", slice_cstr(expected((enum decode_carbon_refusal)k)));
        codec_json_put_int(w, "total", refusals[k].count);
        codec_json_put_string(w, "example", slice_cstr(refusals[k].example));
        codec_json_put_string(w, "sender", slice_cstr(refusals[k].sender));
        codec_json_put_int(w, "at_ms", refusals[k].at_ns / NS_PER_MS);
        codec_json_end_object(w);
    }
    codec_json_end_array(w);
    codec_json_key(w, SLICE("senders"));
    codec_json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        if (all[i])
            input_senders_look(all[i]->senders, kinds[all[i]->kind], 20, w);
    }
    codec_json_end_array(w);
    codec_json_key(w, SLICE("names_seen"));
    codec_json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        if (!all[i])
            continue;
        pthread_mutex_lock(&all[i]->lock);
        for (size_t k = 0; k < NAMES_SHOWN; k++) {
            if (all[i]->names[k][0])
                codec_json_string(w, slice_cstr(all[i]->names[k]));
        }
        pthread_mutex_unlock(&all[i]->lock);
    }
    codec_json_end_array(w);
    codec_json_end_object(w);
}
