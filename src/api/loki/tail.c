/* Live tail: a WebSocket that lines are sent over as they arrive. The store is looked at in short
 * turns, on a worker; only what arrived since the last turn is read.
 *
 * A turn begins by noting the store's position, and the next one reads what lies behind it. Lines
 * that arrive meanwhile are read by both: what the last turn sent is remembered and left out. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api/loki/door_priv.h"
#include "api/prometheus/encode.h"
#include "base/hash.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/websocket.h"
#include "text/duration.h"

#define TURN_NS       (200 * NS_PER_MS)
#define TAIL_FOR_NS   (3600 * NS_PER_SEC) /* then the client has to come again */
#define DELAY_MAX_S   5
#define STOP_S        5 /* that the end of the server waits for tails */
#define DEFAULT_LIMIT 100
#define TURN_LINES    5000 /* of one turn; more are dropped, and told */
#define TURN_DROPPED  1000 /* so many of those that are dropped are told */
#define MEMORY_MAX    ((int64_t)64 << 20)

struct tail {
    struct api *api;
    struct net_ws *ws;       /* NULL once it is closed */
    struct net_timer *timer; /* loop */
    struct net_loop *loop;
    bool busy;              /* a turn is on a worker */
    bool legacy;            /* the shape from before 1.0 */
    bool flagged;           /* labels by category */
    _Atomic bool cancelled; /* closed: ends the turn */
    struct arena *arena;    /* of the query */
    struct slice tenant;
    struct store_event_source *source;
    struct logql_expr *expr;
    int64_t begun_ns, delay_ns, start_ns;
    uint64_t limit;
    bool first;
    uint64_t position;
    VEC(struct hash128) sent; /* by the last turn */
    VEC(struct hash128) sending;

    /* of the turn */
    struct buf frame;
    bool has_frame, failed;
    char problem[400];
};

static void tail_free(struct tail *t)
{
    logql_expr_free(t->expr);
    vec_free(&t->sent);
    vec_free(&t->sending);
    buf_deinit(&t->frame);
    arena_free(t->arena);
    pthread_mutex_lock(&t->api->lock);
    if (!--t->api->loki_tails)
        pthread_cond_broadcast(&t->api->loki_no_tails);
    pthread_mutex_unlock(&t->api->lock);
    mem_free(t);
}

static struct hash128 identity(const struct logql_stream *s, const struct logql_entry *e,
                               struct buf *key)
{
    buf_clear(key);
    buf_append(key, &e->ts_ns, sizeof(e->ts_ns));
    data_labels_encode(s->labels, key);
    buf_append_slice(key, e->line);
    return hash128(key->ptr, key->len);
}

static bool was_sent(const struct tail *t, struct hash128 id)
{
    for (size_t i = 0; i < t->sent.len; i++) {
        if (t->sent.items[i].lo == id.lo && t->sent.items[i].hi == id.hi)
            return true;
    }
    return false;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The time of the last line that is sent; what comes later is dropped. */
static int64_t last_sent(const struct logql_streams *r)
{
    VEC(int64_t) times = {0};
    if (r->entry_count <= TURN_LINES)
        return INT64_MAX;
    for (size_t i = 0; i < r->count; i++) {
        for (size_t k = 0; k < r->streams[i].count; k++)
            vec_push(&times, r->streams[i].entries[k].ts_ns);
    }
    qsort(times.items, times.len, sizeof(*times.items), by_time);
    int64_t last = times.items[TURN_LINES - 1];
    vec_free(&times);
    return last;
}

/* "null", or the lines that were too many. */
static void put_dropped(const struct tail *t, const struct logql_streams *r, int64_t last_ns,
                        struct buf *out)
{
    bool any = false;
    struct buf text = {0};
    for (size_t i = 0; i < r->count; i++) {
        const struct logql_stream *s = &r->streams[i];
        for (size_t k = 0; k < s->count; k++) {
            if (s->entries[k].ts_ns <= last_ns)
                continue;
            buf_append_cstr(out, any ? "," : "[");
            buf_append_cstr(out, t->legacy ? "{\"Timestamp\":\"" : "{\"timestamp\":\"");
            if (t->legacy)
                text_time_print(s->entries[k].ts_ns, out);
            else
                buf_printf(out, "%lld", (long long)s->entries[k].ts_ns);
            buf_append_cstr(out, t->legacy ? "\",\"Labels\":" : "\",\"labels\":");
            buf_clear(&text);
            data_labels_print(s->labels, &text);
            if (t->legacy)
                codec_json_append_string(out, buf_slice(&text));
            else
                api_encode_labels(s->labels, out);
            buf_append_char(out, '}');
            any = true;
        }
    }
    buf_append_cstr(out, any ? "]" : "null");
    buf_deinit(&text);
}

static void put_frame(struct tail *t, const struct logql_streams *r)
{
    struct buf key = {0};
    int64_t last_ns = last_sent(r);
    bool any = false;
    buf_clear(&t->frame);
    vec_clear(&t->sending);
    buf_append_cstr(&t->frame, "{\"streams\":[");
    for (size_t i = 0; i < r->count; i++) {
        const struct logql_stream *s = &r->streams[i];
        bool begun = false;
        for (size_t k = 0; k < s->count; k++) {
            struct hash128 id = identity(s, &s->entries[k], &key);
            vec_push(&t->sending, id);
            if (was_sent(t, id) || s->entries[k].ts_ns > last_ns)
                continue;
            if (!begun) {
                buf_append_cstr(&t->frame, any ? "," : "");
                loki__put_stream(s->labels, t->legacy, &t->frame);
            }
            buf_append_cstr(&t->frame, begun ? "," : "");
            loki__put_entry(&s->entries[k], t->legacy, t->flagged, &t->frame);
            begun = any = true;
        }
        if (begun)
            buf_append_cstr(&t->frame, "]}");
    }
    buf_append_cstr(&t->frame, "],\"dropped_entries\":");
    put_dropped(t, r, last_ns, &t->frame);
    if (t->flagged)
        buf_append_cstr(&t->frame, ",\"encodingFlags\":[\"categorize-labels\"]");
    buf_append_char(&t->frame, '}');
    t->has_frame = any;
    vec_clear(&t->sent);
    for (size_t i = 0; i < t->sending.len; i++)
        vec_push(&t->sent, t->sending.items[i]);
    buf_deinit(&key);
}

static void turn_done(void *ctx);

static void turn(void *ctx)
{
    struct tail *t = ctx;
    struct api *api = t->api;
    struct store_event_source *src = t->source;
    int64_t now_ns = api->host->now_ns(api->host->ctx);
    struct budget memory;
    struct logql_streams r;
    struct diag diag;
    diag_init(&diag);
    budget_init(&memory, &api->queries_memory, MEMORY_MAX, "limits.query.memory_total");
    struct arena *arena = arena_new(0, &memory);
    uint64_t position = src->ops->position(src);
    const struct logql_env env = {.source = src,
                                  .tenant = t->tenant,
                                  .limits = {.memory = &memory, .cancelled = &t->cancelled},
                                  .now_ns = now_ns};
    /* The first turn shows what there is already; later ones only what came. */
    const struct logql_select select = {.start_ns = t->start_ns,
                                        .end_ns = INT64_MAX,
                                        .forward = !t->first,
                                        .limit = t->first ? t->limit : TURN_LINES + TURN_DROPPED,
                                        .categorize = t->flagged,
                                        .after_position = t->first ? 0 : t->position};
    int err = logql_select_run(t->expr, &select, &env, arena, &r, &diag);
    if (err) {
        t->failed = true;
        snprintf(t->problem, sizeof(t->problem), "%s", diag.msg);
    } else {
        /* Oldest first within a stream, as a terminal shows it. */
        for (size_t i = 0; i < r.count && t->first; i++) {
            struct logql_stream *s = &r.streams[i];
            for (size_t a = 0, b = s->count; a + 1 < b; a++, b--) {
                struct logql_entry e = s->entries[a];
                s->entries[a] = s->entries[b - 1];
                s->entries[b - 1] = e;
            }
        }
        put_frame(t, &r);
        t->first = false;
        t->position = position;
    }
    arena_free(arena);
    budget_drain(&memory);
    net_loop_post(t->loop, turn_done, t);
}

/* On the loop. */
static void turn_done(void *ctx)
{
    struct tail *t = ctx;
    t->busy = false;
    if (!t->ws) {
        tail_free(t);
        return;
    }
    if (t->failed) {
        net_ws_close(t->ws, NET_WS_INTERNAL, t->problem);
        return;
    }
    if (t->has_frame && net_ws_send(t->ws, true, buf_slice(&t->frame)) == ERR_LIMIT)
        net_ws_close(t->ws, NET_WS_TRY_LATER, "the client reads too slowly");
    t->has_frame = false;
}

static void on_timer(void *ctx)
{
    struct tail *t = ctx;
    if (t->busy || !t->ws)
        return;
    if (t->api->stopping || !t->api->ready) {
        net_ws_close(t->ws, NET_WS_GOING_AWAY, "Pharos is shutting down");
        return;
    }
    if (api__monotonic_ns() - t->begun_ns > TAIL_FOR_NS) {
        net_ws_close(t->ws, NET_WS_NORMAL, "reached tail max duration limit");
        return;
    }
    t->busy = true;
    t->api->pool->submit(t->api->pool, TASK_INTERACTIVE, turn, t);
}

static void on_close(struct net_ws *ws, int code, struct slice reason, void *ctx)
{
    struct tail *t = ctx;
    t->ws = NULL;
    t->cancelled = true;
    net_timer_stop(t->timer);
    t->timer = NULL;
    if (!t->busy)
        tail_free(t);
}

static bool take_place(struct api *api, int64_t most)
{
    pthread_mutex_lock(&api->lock);
    bool ok = !most || api->loki_tails < most;
    api->loki_tails += ok;
    pthread_mutex_unlock(&api->lock);
    return ok;
}

/* Each ends itself within a turn of its timer once the api is stopping. */
void loki__tails_stop(struct api *api)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_S;
    pthread_mutex_lock(&api->lock);
    while (api->loki_tails && !pthread_cond_timedwait(&api->loki_no_tails, &api->lock, &until))
        continue;
    pthread_mutex_unlock(&api->lock);
}

static int read_params(struct api_call *call, struct tail *t, struct diag *diag)
{
    int64_t now_ns = call->api->host->now_ns(call->api->host->ctx), delay, limit;
    int err = loki__param_time(call->req, "start", now_ns - 3600 * NS_PER_SEC, &t->start_ns, diag);
    if (!err)
        err = loki__param_count(call->req, "limit", DEFAULT_LIMIT, &limit, diag);
    if (!err)
        err = loki__param_count(call->req, "delay_for", 0, &delay, diag);
    if (!err && delay > DELAY_MAX_S)
        err = diag_set(diag, ERR_INVALID, "delay_for can't be greater than %d", DELAY_MAX_S);
    if (err)
        return err;
    t->limit = (uint64_t)CLAMP(limit, 1, TURN_LINES);
    t->delay_ns = delay * NS_PER_SEC;
    struct slice query = net_request_param(call->req, "query");
    err = logql_parse(query.ptr ? query : SLICE(""), t->arena, &t->expr, diag);
    if (err) {
        struct buf text = {0};
        logql_error_text(diag, &text);
        diag_init(diag);
        diag_set(diag, err, "%s", buf_cstr(&text));
        buf_deinit(&text);
    } else if (!logql_is_log(t->expr)) {
        err = diag_set(diag, ERR_INVALID, "only log queries can be tailed");
    }
    return err;
}

static void start(struct api_call *call, bool legacy)
{
    struct api *api = call->api;
    struct net_request *req = call->req;
    struct diag diag;
    diag_init(&diag);
    /* Browsers let any page open a WebSocket, and read what comes. */
    if (api__is_cross_site(req)) {
        api__plain_error(req, 403,
                         "a page of another site may not tail (Origin or Sec-Fetch-Site)");
        return;
    }
    int64_t most = api__limits(api).log_tails;
    if (!take_place(api, most)) {
        api__plain_error(req, 429,
                         "max concurrent tail requests limit exceeded, count > limit "
                         "(%lld > %lld) (limits.logs.tails)",
                         (long long)most + 1, (long long)most);
        return;
    }
    struct tail *t = mem_calloc(1, sizeof(*t));
    t->api = api;
    t->legacy = legacy;
    t->flagged = !legacy && loki__wants_categories(req);
    t->arena = arena_new(0, NULL);
    t->loop = net_request_loop(req);
    if (!loki__source_read(call, t->arena, &t->source, &t->tenant)) {
        tail_free(t);
        return;
    }
    t->begun_ns = api__monotonic_ns();
    t->first = true;
    if (read_params(call, t, &diag)) {
        api__plain_error(req, 400, "%s", diag.msg);
        tail_free(t);
        return;
    }
    const struct net_ws_config config = {.on_close = on_close, .ctx = t};
    t->ws = net_ws_accept(req, &config);
    if (!t->ws) {
        tail_free(t);
        return;
    }
    t->timer = net_timer_start(t->loop, 0, MAX(TURN_NS, t->delay_ns), on_timer, t);
}

void loki__tail(struct api_call *call)
{
    start(call, false);
}

void loki__tail_legacy(struct api_call *call)
{
    start(call, true);
}
