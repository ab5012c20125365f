#include "pipe/span_graph_priv.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/counter.h"
#include "base/hash.h"
#include "base/mem.h"
#include "pipe/tally_priv.h"

#define SHARDS    16
#define SLOTS_MIN 64

/* The values of a row; dimensions follow, the client's, then the server's. */
enum { CLIENT, SERVER, CONNECTION, FIXED_VALUES };
enum { COUNT_TOTAL, COUNT_FAILED };
enum { SECONDS_SERVER, SECONDS_CLIENT, SECONDS_MESSAGING };

static const double bounds[] = {0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8};

/* A side that waits. Lists and table of its shard go by it. */
struct waiting {
    struct hash128 key;
    struct waiting *next_in_slot, *older, *newer;
    int64_t since_ns;
    bool is_client, is_messaging, failed;
    char trace_id[16], span_id[8];
    int64_t start_ns, duration_ns;
    double weight;
    struct slice tenant, service, peer, *dimensions; /* behind it */
};

struct shard {
    pthread_mutex_t lock;
    struct waiting **slots;
    size_t slot_count, count, max;
    struct waiting *oldest, *newest;
    char pad[64];
};

struct pipe__span_graph {
    struct pipe__tally *tally;
    size_t dimension_count;
    int64_t wait_ns;
    struct slice names[FIXED_VALUES + 2 * PIPE_SPAN_DIMENSIONS];
    struct arena *arena;
    struct shard shards[SHARDS];
};

struct pipe__span_graph *pipe__span_graph_new(const struct pipe_span_metrics_config *config,
                                              const struct slice *dimensions,
                                              size_t dimension_count, struct budget *series)
{
    struct pipe__span_graph *g = mem_calloc(1, sizeof(*g));
    g->arena = arena_new(1024, NULL);
    g->dimension_count = dimension_count;
    g->wait_ns = config->wait_ns;
    g->names[CLIENT] = SLICE("client");
    g->names[SERVER] = SLICE("server");
    g->names[CONNECTION] = SLICE("connection_type");
    for (size_t i = 0; i < dimension_count; i++) {
        g->names[FIXED_VALUES + i] =
            arena_printf(g->arena, "client_%.*s", SLICE_FMT(dimensions[i]));
        g->names[FIXED_VALUES + dimension_count + i] =
            arena_printf(g->arena, "server_%.*s", SLICE_FMT(dimensions[i]));
    }
    struct pipe__tally_config c = {
        .label_names = {g->names},
        .label_count = FIXED_VALUES + 2 * dimension_count,
        .overflow_label = {SLICE("metric_overflow")},
        .counter_count = 2,
        .histogram_count = 3,
        .output_count = 5,
        .outputs = {{SLICE("traces_service_graph_request_total"), SLICE(""),
                     SLICE("Calls from one service to another."), PIPE__TALLY_COUNTER, COUNT_TOTAL,
                     0},
                    {SLICE("traces_service_graph_request_failed_total"), SLICE(""),
                     SLICE("Calls of which one side ended in an error."), PIPE__TALLY_COUNTER,
                     COUNT_FAILED, 0},
                    {SLICE("traces_service_graph_request_server_seconds"), SLICE("seconds"),
                     SLICE("How long calls took as the server saw it."), PIPE__TALLY_HISTOGRAM,
                     SECONDS_SERVER, 0},
                    {SLICE("traces_service_graph_request_client_seconds"), SLICE("seconds"),
                     SLICE("How long calls took as the client saw it."), PIPE__TALLY_HISTOGRAM,
                     SECONDS_CLIENT, 0},
                    {SLICE("traces_service_graph_request_messaging_system_seconds"),
                     SLICE("seconds"),
                     SLICE("From a message's sending to the start of its consumer."),
                     PIPE__TALLY_HISTOGRAM, SECONDS_MESSAGING, 0, true}},
        .classic = config->histograms != PIPE_SPAN_NATIVE,
        .native = config->histograms != PIPE_SPAN_CLASSIC,
        .series = series,
        .idle_ns = config->idle_ns};
    for (size_t i = 0; i < c.histogram_count; i++) {
        c.histograms[i].bounds = bounds;
        c.histograms[i].bound_count = ARRAY_LEN(bounds);
    }
    g->tally = pipe__tally_new(&c);
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&g->shards[i].lock, NULL);
        g->shards[i].max = (size_t)MAX(config->edges_max / SHARDS, 1);
    }
    return g;
}

/* --- what waits --- */

static void grow(struct shard *s)
{
    if (s->slot_count && s->count < s->slot_count)
        return;
    size_t count = s->slot_count ? s->slot_count * 2 : SLOTS_MIN;
    struct waiting **slots = mem_calloc(count, sizeof(struct waiting *));
    for (struct waiting *w = s->oldest; w; w = w->newer) {
        size_t at = w->key.hi & (count - 1);
        w->next_in_slot = slots[at];
        slots[at] = w;
    }
    mem_free(s->slots);
    s->slots = slots;
    s->slot_count = count;
}

static void unlink_waiting(struct shard *s, struct waiting *w)
{
    struct waiting **at = &s->slots[w->key.hi & (s->slot_count - 1)];
    while (*at != w)
        at = &(*at)->next_in_slot;
    *at = w->next_in_slot;
    *(w->older ? &w->older->newer : &s->oldest) = w->newer;
    *(w->newer ? &w->newer->older : &s->newest) = w->older;
    s->count--;
}

static void add_waiting(struct shard *s, struct waiting *w)
{
    grow(s);
    struct waiting **at = &s->slots[w->key.hi & (s->slot_count - 1)];
    w->next_in_slot = *at;
    *at = w;
    w->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = w;
    s->newest = w;
    s->count++;
}

static struct slice keep(char **to, struct slice text)
{
    struct slice kept = {*to, MIN(text.len, (size_t)PIPE__TALLY_VALUE_BYTES)};
    if (kept.len)
        memcpy(*to, text.ptr, kept.len);
    *to += kept.len;
    return kept;
}

static struct waiting *waiting_new(const struct pipe__span_graph *g,
                                   const struct pipe__span_side *side, struct hash128 key,
                                   int64_t now_ns)
{
    size_t text = side->tenant.len + side->service.len + side->peer.len;
    for (size_t i = 0; i < g->dimension_count; i++)
        text += side->dimensions[i].len;
    struct waiting *w = mem_alloc(sizeof(*w) + g->dimension_count * sizeof(struct slice) + text);
    *w = (struct waiting){.key = key,
                          .since_ns = now_ns,
                          .is_client = side->is_client,
                          .is_messaging = side->is_messaging,
                          .failed = side->failed,
                          .start_ns = side->start_ns,
                          .duration_ns = side->duration_ns,
                          .weight = side->weight};
    memcpy(w->trace_id, side->trace_id.ptr, 16);
    memcpy(w->span_id, side->span_id.ptr, 8);
    w->dimensions = (struct slice *)(void *)(w + 1);
    char *to = (char *)(w->dimensions + g->dimension_count);
    w->tenant = keep(&to, side->tenant);
    w->service = keep(&to, side->service);
    w->peer = keep(&to, side->peer);
    for (size_t i = 0; i < g->dimension_count; i++)
        w->dimensions[i] = keep(&to, side->dimensions[i]);
    return w;
}

/* --- calls --- */

struct call {
    struct slice tenant, client, server, connection;
    const struct slice *client_dimensions, *server_dimensions; /* NULL: none */
    bool failed, is_messaging;
    int64_t client_ns, server_ns, transfer_ns;
    double weight;
    struct slice trace_id, span_id;
};

static void count_call(struct pipe__span_graph *g, const struct call *c, int64_t now_ns)
{
    struct slice values[FIXED_VALUES + 2 * PIPE_SPAN_DIMENSIONS] = {
        [CLIENT] = c->client, [SERVER] = c->server, [CONNECTION] = c->connection};
    for (size_t i = 0; i < g->dimension_count; i++) {
        if (c->client_dimensions)
            values[FIXED_VALUES + i] = c->client_dimensions[i];
        if (c->server_dimensions)
            values[FIXED_VALUES + g->dimension_count + i] = c->server_dimensions[i];
    }
    bool overflow;
    struct pipe__tally_row *row = pipe__tally_lock(g->tally, c->tenant, values, now_ns, &overflow);
    if (overflow)
        pipe__span_count(row ? PIPE__SPAN_OVERFLOW : PIPE__SPAN_LOST);
    if (!row)
        return;
    struct pipe__tally_exemplar from = {c->trace_id, c->span_id, now_ns};
    double n = c->weight;
    pipe__tally_add(row, COUNT_TOTAL, n);
    pipe__tally_add(row, COUNT_FAILED, c->failed ? n : 0);
    pipe__tally_observe(g->tally, row, SECONDS_SERVER, (double)c->server_ns / 1e9, n, &from);
    pipe__tally_observe(g->tally, row, SECONDS_CLIENT, (double)c->client_ns / 1e9, n, &from);
    if (c->is_messaging)
        pipe__tally_observe(g->tally, row, SECONDS_MESSAGING, (double)c->transfer_ns / 1e9, n,
                            &from);
    pipe__tally_unlock(g->tally, row);
}

/* A side whose other one does not come. */
static void expire(struct pipe__span_graph *g, struct waiting *w, int64_t now_ns)
{
    if (w->is_client && w->peer.len) {
        struct call c = {.tenant = w->tenant,
                         .client = w->service,
                         .server = w->peer,
                         .connection = SLICE("virtual_node"),
                         .client_dimensions = w->dimensions,
                         .failed = w->failed,
                         .client_ns = w->duration_ns,
                         .server_ns = w->duration_ns, /* all that is known of it */
                         .weight = w->weight,
                         .trace_id = slice_make(w->trace_id, 16),
                         .span_id = slice_make(w->span_id, 8)};
        pipe__span_count(PIPE__SPAN_VIRTUAL);
        count_call(g, &c, now_ns);
    } else {
        pipe__span_count(PIPE__SPAN_EXPIRED);
    }
    mem_free(w);
}

static void count_pair(struct pipe__span_graph *g, const struct waiting *w,
                       const struct pipe__span_side *side, int64_t now_ns)
{
    int64_t client_start = w->is_client ? w->start_ns : side->start_ns,
            server_start = w->is_client ? side->start_ns : w->start_ns,
            client_ns = w->is_client ? w->duration_ns : side->duration_ns;
    struct call c = {.tenant = side->tenant,
                     .client = w->is_client ? w->service : side->service,
                     .server = w->is_client ? side->service : w->service,
                     .client_dimensions = w->is_client ? w->dimensions : side->dimensions,
                     .server_dimensions = w->is_client ? side->dimensions : w->dimensions,
                     .failed = w->failed || side->failed,
                     .is_messaging = w->is_messaging || side->is_messaging,
                     .client_ns = client_ns,
                     .server_ns = w->is_client ? side->duration_ns : w->duration_ns,
                     .weight = MAX(w->weight, side->weight),
                     .trace_id = side->trace_id,
                     .span_id = side->span_id};
    int64_t sent;
    if (__builtin_add_overflow(client_start, client_ns, &sent) || sent > server_start)
        sent = server_start;
    if (__builtin_sub_overflow(server_start, sent, &c.transfer_ns))
        c.transfer_ns = 0;
    c.connection = c.is_messaging ? SLICE("messaging_system") : SLICE("");
    pipe__span_count(PIPE__SPAN_PAIRED);
    count_call(g, &c, now_ns);
}

/* True when the call is known without another side. */
static bool is_alone(struct pipe__span_graph *g, const struct pipe__span_side *side, int64_t now_ns)
{
    struct call c = {.tenant = side->tenant,
                     .failed = side->failed,
                     .client_ns = side->duration_ns,
                     .server_ns = side->duration_ns,
                     .weight = side->weight,
                     .trace_id = side->trace_id,
                     .span_id = side->span_id};
    if (side->is_client && side->database.len) {
        c.client = side->service;
        c.server = side->database;
        c.connection = SLICE("database");
        c.client_dimensions = side->dimensions;
        pipe__span_count(PIPE__SPAN_PAIRED);
    } else if (!side->is_client && !side->call_id.len) {
        c.client = side->peer.len ? side->peer : SLICE("user");
        c.server = side->service;
        c.connection = SLICE("virtual_node");
        c.server_dimensions = side->dimensions;
        pipe__span_count(PIPE__SPAN_VIRTUAL);
    } else {
        return false;
    }
    count_call(g, &c, now_ns);
    return true;
}

static bool is_over(const struct pipe__span_graph *g, const struct waiting *w, int64_t now_ns)
{
    return now_ns - w->since_ns > g->wait_ns;
}

void pipe__span_graph_take(struct pipe__span_graph *g, const struct pipe__span_side *side,
                           int64_t now_ns)
{
    if (is_alone(g, side, now_ns))
        return;
    char id[24];
    memcpy(id, side->trace_id.ptr, 16);
    memcpy(id + 16, side->call_id.ptr, 8);
    struct hash128 key = hash128(id, sizeof(id)),
                   tenant = hash128(side->tenant.ptr, side->tenant.len);
    key.lo ^= tenant.lo;
    key.hi ^= tenant.hi;
    struct shard *s = &g->shards[key.lo % SHARDS];
    struct waiting *w, *over[2] = {NULL, NULL};
    pthread_mutex_lock(&s->lock);
    for (w = s->slot_count ? s->slots[key.hi & (s->slot_count - 1)] : NULL; w;
         w = w->next_in_slot) {
        if (hash128_eq(w->key, key))
            break;
    }
    bool is_pair = w && w->is_client != side->is_client;
    if (w)
        unlink_waiting(s, w); /* a repetition takes the place of what it repeats */
    if (!is_pair) {
        mem_free(w);
        bool full = s->count >= s->max;
        for (size_t i = 0; i < ARRAY_LEN(over) && s->oldest; i++) {
            if (!is_over(g, s->oldest, now_ns) && !(full && !i))
                break;
            if (!is_over(g, s->oldest, now_ns))
                pipe__span_count(PIPE__SPAN_EVICTED);
            over[i] = s->oldest;
            unlink_waiting(s, over[i]);
        }
        add_waiting(s, waiting_new(g, side, key, now_ns));
    }
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < ARRAY_LEN(over) && over[i]; i++)
        expire(g, over[i], now_ns);
    if (is_pair) {
        count_pair(g, w, side, now_ns);
        mem_free(w);
    }
}

void pipe__span_graph_write(struct pipe__span_graph *g, struct pipe_sink *sink, int64_t now_ns,
                            bool with_metadata)
{
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &g->shards[i];
        for (;;) {
            pthread_mutex_lock(&s->lock);
            struct waiting *w = s->oldest && is_over(g, s->oldest, now_ns) ? s->oldest : NULL;
            if (w)
                unlink_waiting(s, w);
            pthread_mutex_unlock(&s->lock);
            if (!w)
                break;
            expire(g, w, now_ns);
        }
    }
    pipe__tally_write(g->tally, sink, now_ns, with_metadata);
}

void pipe__span_graph_free(struct pipe__span_graph *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        for (struct waiting *w = g->shards[i].oldest, *next; w; w = next) {
            next = w->newer;
            mem_free(w);
        }
        mem_free(g->shards[i].slots);
        pthread_mutex_destroy(&g->shards[i].lock);
    }
    pipe__tally_free(g->tally);
    arena_free(g->arena);
    mem_free(g);
}
