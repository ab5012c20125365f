/* The multiplexed endpoint: reading the request, running its queries side by side, and sending each
 * answer when it is there.
 *
 * Helpers, tasks of the pool, take queries in turn. The job itself holds no thread while it waits
 * for them: the helper that is done with a query wakes it. Helpers end when the peer reads slower
 * than answers come; the job starts them again when there is room. */
#include "api/query_multi.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "api/params.h"
#include "api/time_ref.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/json_dom.h"

#define QUERIES_MAX   1000
#define TEXT_MAX      (64 << 10)
#define BODY_MAX      (1 << 20)
#define POINTS_AUTO   1000
#define WAITING_BYTES ((size_t)16 << 20) /* answers that the peer has not taken */
#define NOBODY        SIZE_MAX

static const struct api_language *const languages[] = {
    &api_language_promql, &api_language_logql, &api_language_traceql, &api_language_graphite};

size_t api_language_count(void)
{
    return ARRAY_LEN(languages);
}

const struct api_language *api_language_at(size_t i)
{
    return languages[i];
}

const struct api_language *api_language_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(languages); i++) {
        if (slice_eq_cstr(name, languages[i]->name))
            return languages[i];
    }
    return NULL;
}

struct item {
    struct slice id, lang, text;
    int64_t from_ns, to_ns, step_ns, timeout_ns;
    size_t limit;
    bool instant, exemplars, explain, stats, align, partial;
    size_t same_as; /* the first identical one; NOBODY = none */
    struct buf out; /* its lines */
    struct item *next_done;
};

/* Shared by the job and its helpers; the last one frees it. */
struct multi {
    _Atomic int refs;
    struct api_job *job; /* alive while anything runs: `cleanup` waits */
    struct api *api;
    struct task_pool *pool;
    struct slice tenant;
    struct api_limits limits;
    struct query_shared *shared;
    struct arena *arena; /* of the items; the request's body may go earlier */
    struct item *items;
    size_t count;
    int64_t begun_ns, deadline_ns;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    size_t next, running, helpers, done_bytes;
    struct item *done, **done_end;
};

static void multi_release(struct multi *m)
{
    if (atomic_fetch_sub(&m->refs, 1) != 1)
        return;
    for (size_t i = 0; i < m->count; i++)
        buf_deinit(&m->items[i].out);
    query_shared_free(m->shared);
    arena_free(m->arena);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->changed);
    mem_free(m);
}

/* --- one query --- */

static int64_t monotonic(void *ctx)
{
    (void)ctx;
    return api__monotonic_ns();
}

static void put_id(struct slice id, struct buf *out)
{
    buf_append_cstr(out, "{\"id\":");
    codec_json_append_string(out, id);
}

static void put_error(enum api_error kind, const char *words, struct buf *out)
{
    static const char *const names[] = {
        [API_BAD_DATA] = "bad_data",      [API_EXECUTION] = "execution",
        [API_CANCELED] = "canceled",      [API_TIMEOUT] = "timeout",
        [API_INTERNAL] = "internal",      [API_NOT_FOUND] = "not_found",
        [API_UNAVAILABLE] = "unavailable"};
    buf_printf(out, ",\"error\":{\"type\":\"%s\",\"message\":", names[kind]);
    codec_json_append_string(out, slice_cstr(words));
    buf_printf(out, ",\"status\":%d}", api__error_status(kind));
}

/* The steps of a query; *out_words says what is wrong with it. */
static int read_steps(const struct item *it, int64_t points_max, struct query_steps *s,
                      struct diag *diag)
{
    *s = (struct query_steps){.start_ns = it->to_ns, .end_ns = it->to_ns, .instant = true};
    if (it->instant)
        return 0;
    if (it->to_ns < it->from_ns)
        return diag_set(diag, ERR_INVALID, "\"to\" is before \"from\"");
    s->instant = false;
    s->start_ns = it->from_ns;
    s->step_ns = it->step_ns;
    if (!s->step_ns) { /* as many points as a wide panel has pixels, not below a second */
        s->step_ns = (it->to_ns - it->from_ns) / POINTS_AUTO;
        s->step_ns = MAX((s->step_ns + NS_PER_SEC - 1) / NS_PER_SEC, 1) * NS_PER_SEC;
    }
    if (s->step_ns < 0)
        return diag_set(diag, ERR_INVALID, "\"step_ms\" is negative");
    if (it->align) {
        s->start_ns -= ((s->start_ns % s->step_ns) + s->step_ns) % s->step_ns;
        s->end_ns -= ((s->end_ns % s->step_ns) + s->step_ns) % s->step_ns;
    }
    if (points_max &&
        (uint64_t)(s->end_ns - s->start_ns) / (uint64_t)s->step_ns >= (uint64_t)points_max)
        return api_too_fine(points_max,
                            "Try a larger step_ms or a shorter range, or raise limits.query.points",
                            diag);
    return 0;
}

/* The query of an item; arenas are the caller's. */
static struct api_query query_of(struct multi *m, const struct item *it, struct budget *memory)
{
    struct api_query q = {.api = m->api,
                          .tenant = m->tenant,
                          .text = it->text,
                          .from_ns = it->from_ns,
                          .to_ns = it->to_ns,
                          .limit = it->limit,
                          .explain = it->explain,
                          .exemplars = it->exemplars,
                          .stats = it->stats,
                          .partial = it->partial,
                          .limits = m->limits};
    q.env = (struct query_env){.source = m->api->source,
                               .tenant = m->tenant,
                               .pool = m->api->pool,
                               .memory = memory,
                               .samples_max = (size_t)m->limits.query_samples,
                               .series_max = (size_t)m->limits.query_series,
                               .cancelled = &m->job->cancelled,
                               .deadline_ns = m->deadline_ns,
                               .now_ns = monotonic,
                               .shared = m->shared};
    return q;
}

static void run_language(struct multi *m, struct item *it, struct buf *out)
{
    const struct api_language *lang = api_language_find(it->lang);
    struct budget memory;
    struct diag diag;
    struct buf body = {0};
    int64_t begun_ns = api__monotonic_ns();
    diag_init(&diag);
    budget_init(&memory, &m->api->queries_memory, m->limits.query_memory_bytes,
                "limits.query.memory");
    struct api_query q = query_of(m, it, &memory);
    q.arena = arena_new(0, &memory);
    q.plan_arena = arena_new(4096, NULL);
    if (it->timeout_ns > 0)
        q.env.deadline_ns = MIN(q.env.deadline_ns, begun_ns + it->timeout_ns);
    int err = read_steps(it, m->limits.query_points, &q.steps, &diag);
    if (!err && !lang) {
        q.error = API_NOT_FOUND;
        q.has_error = true;
        err = diag_set(&diag, ERR_UNSUPPORTED, "there is no query language \"%.*s\" here",
                       SLICE_FMT(it->lang));
    }
    if (!err)
        err = lang->run(&q, &body, &diag);
    if (err)
        put_error(m->job->cancelled ? API_CANCELED
                  : q.has_error     ? q.error
                                    : api__error_of(err),
                  diag.code ? diag.msg : err_name(err), out);
    else
        buf_append_slice(out, buf_slice(&body));
    if (it->stats)
        buf_printf(out,
                   ",\"stats\":{\"seconds\":%.6f,\"wait_seconds\":%.6f,\"samples\":%llu,"
                   "\"series\":%llu,\"peak_samples\":%llu,\"memory_bytes\":%lld}",
                   (double)(api__monotonic_ns() - begun_ns) / 1e9,
                   (double)(begun_ns - m->begun_ns) / 1e9, (unsigned long long)q.used.samples_read,
                   (unsigned long long)q.used.series_selected,
                   (unsigned long long)q.used.peak_samples, (long long)memory.peak);
    buf_deinit(&body);
    arena_free(q.arena);
    arena_free(q.plan_arena);
    budget_drain(&memory);
}

/* The line of a query, and of those that are the same. */
static void run_item(struct multi *m, size_t i)
{
    struct item *it = &m->items[i];
    struct buf *out = &it->out;
    put_id(it->id, out);
    run_language(m, it, out);
    buf_append_cstr(out, "}\n");
    for (size_t k = i + 1; k < m->count; k++) {
        if (m->items[k].same_as != i)
            continue;
        put_id(m->items[k].id, out);
        buf_append_cstr(out, ",\"same_as\":");
        codec_json_append_string(out, it->id);
        buf_append_cstr(out, "}\n");
    }
}

/* --- side by side --- */

/* Under the lock: the next one to run, or NOBODY. */
static size_t take(struct multi *m)
{
    while (m->next < m->count && m->items[m->next].same_as != NOBODY)
        m->next++;
    if (m->next >= m->count || m->job->cancelled)
        return NOBODY;
    m->running++;
    return m->next++;
}

/* Under the lock. */
static void finish(struct multi *m, size_t i)
{
    struct item *it = &m->items[i];
    m->running--;
    m->done_bytes += it->out.len;
    it->next_done = NULL;
    *m->done_end = it;
    m->done_end = &it->next_done;
    api_job_wake(m->job); /* it cannot end before the lock is released */
    pthread_cond_broadcast(&m->changed);
}

/* Runs one query, then stands at the end of the pool's queue again: others have their turn. */
static void help(void *ctx)
{
    struct multi *m = ctx;
    pthread_mutex_lock(&m->lock);
    size_t i = m->done_bytes > WAITING_BYTES ? NOBODY : take(m);
    if (i != NOBODY) {
        pthread_mutex_unlock(&m->lock);
        run_item(m, i);
        pthread_mutex_lock(&m->lock);
        finish(m, i);
    }
    bool more = i != NOBODY && m->next < m->count;
    m->helpers -= !more;
    pthread_mutex_unlock(&m->lock);
    if (more)
        m->pool->submit(m->pool, TASK_INTERACTIVE, help, m);
    else
        multi_release(m);
}

/* Under the lock: as many helpers as there is work and workers for. */
static void start_helpers(struct multi *m)
{
    size_t wanted = MIN(MAX(m->pool->width, (size_t)1), m->count - m->next);
    while (m->helpers < wanted) {
        m->helpers++;
        atomic_fetch_add(&m->refs, 1);
        m->pool->submit(m->pool, TASK_INTERACTIVE, help, m);
    }
}

/* Gives what is done; the last time with the end. */
static bool produce(struct api_job *job)
{
    struct multi *m = job->state;
    pthread_mutex_lock(&m->lock);
    for (struct item *it = m->done; it; it = it->next_done) {
        buf_append_slice(&job->out, buf_slice(&it->out));
        buf_deinit(&it->out);
    }
    m->done = NULL;
    m->done_end = &m->done;
    m->done_bytes = 0;
    while (m->next < m->count && m->items[m->next].same_as != NOBODY)
        m->next++;
    bool last = m->next == m->count && !m->running;
    if (!last)
        start_helpers(m);
    pthread_mutex_unlock(&m->lock);
    if (last)
        buf_printf(&job->out, "{\"done\":true,\"queries\":%zu,\"seconds\":%.6f}\n", m->count,
                   (double)(api__monotonic_ns() - m->begun_ns) / 1e9);
    else
        job->park = true;
    return last;
}

static void cleanup(struct api_job *job)
{
    struct multi *m = job->state;
    pthread_mutex_lock(&m->lock);
    m->next = m->count;
    while (m->running)
        pthread_cond_wait(&m->changed, &m->lock);
    pthread_mutex_unlock(&m->lock);
    multi_release(m);
}

/* --- the request --- */

static int read_time(const struct codec_json *v, const char *key, int64_t now_ns, bool up,
                     int64_t *out, struct diag *diag)
{
    const struct codec_json *t = codec_json_get(v, key);
    if (!t || t->kind == CODEC_JSON_NULL)
        return 0;
    if (t->kind == CODEC_JSON_NUMBER && fabs(t->number) < 4.6e12) {
        *out = (int64_t)(t->number * 1e6); /* ms, perhaps with a fraction */
        if (t->number == floor(t->number))
            *out = (int64_t)t->number * NS_PER_MS;
        return 0;
    }
    if (t->kind == CODEC_JSON_STRING && !api_time_ref(t->text, now_ns, up, out))
        return 0;
    return diag_set(diag, ERR_INVALID,
                    "\"%s\" is milliseconds since 1970, or text as \"now-1h\"; here it is %.*s",
                    key, SLICE_FMT(t->text));
}

static int read_ms(const struct codec_json *v, const char *key, int64_t *out_ns, struct diag *diag)
{
    const struct codec_json *n = codec_json_get(v, key);
    if (!n || n->kind == CODEC_JSON_NULL)
        return 0;
    if (n->kind != CODEC_JSON_NUMBER || !(n->number >= 1) || n->number > 1e13)
        return diag_set(diag, ERR_INVALID, "\"%s\" is a number of milliseconds from 1 up", key);
    *out_ns = (int64_t)n->number * NS_PER_MS;
    return 0;
}

static int read_flag(const struct codec_json *v, const char *key, bool *out, struct diag *diag)
{
    const struct codec_json *b = codec_json_get(v, key);
    if (!b || b->kind == CODEC_JSON_NULL)
        return 0;
    if (b->kind != CODEC_JSON_BOOL)
        return diag_set(diag, ERR_INVALID, "\"%s\" is true or false", key);
    *out = b->boolean;
    return 0;
}

static int read_item(const struct codec_json *v, struct item *it, int64_t now_ns, struct diag *diag)
{
    const struct codec_json *limit = codec_json_get(v, "limit");
    struct slice type = codec_json_get_string(v, "type"), lang = codec_json_get_string(v, "lang");
    if (v->kind != CODEC_JSON_OBJECT)
        return diag_set(diag, ERR_INVALID, "a query is an object");
    it->id = codec_json_get_string(v, "id");
    it->text = codec_json_get_string(v, "query");
    it->lang = lang.ptr ? lang : SLICE("promql");
    it->same_as = NOBODY;
    it->align = true;
    if (!it->id.ptr || !it->text.ptr)
        return diag_set(diag, ERR_INVALID, "a query has the texts \"id\" and \"query\"");
    if (it->text.len > TEXT_MAX || it->id.len > 1000)
        return diag_set(diag, ERR_INVALID, "a query has at most %d bytes, its id 1000", TEXT_MAX);
    if (type.ptr && !slice_eq_cstr(type, "range") && !slice_eq_cstr(type, "instant"))
        return diag_set(diag, ERR_INVALID, "\"type\" is range or instant, here it is %.*s",
                        SLICE_FMT(type));
    it->instant = type.ptr && slice_eq_cstr(type, "instant");
    if (limit && limit->kind == CODEC_JSON_NUMBER && limit->number >= 0 && limit->number < 1e15)
        it->limit = (size_t)limit->number;
    else if (limit && limit->kind != CODEC_JSON_NULL)
        return diag_set(diag, ERR_INVALID, "\"limit\" is a number of series, 0 = all");
    int err = read_time(v, "from", now_ns, false, &it->from_ns, diag);
    if (!err)
        err = read_time(v, "to", now_ns, true, &it->to_ns, diag);
    if (!err)
        err = read_ms(v, "step_ms", &it->step_ns, diag);
    if (!err)
        err = read_ms(v, "timeout_ms", &it->timeout_ns, diag);
    if (!err)
        err = read_flag(v, "explain", &it->explain, diag);
    if (!err)
        err = read_flag(v, "stats", &it->stats, diag);
    if (!err)
        err = read_flag(v, "exemplars", &it->exemplars, diag);
    if (!err)
        err = read_flag(v, "partial", &it->partial, diag);
    return err ? err : read_flag(v, "align", &it->align, diag);
}

/* Which ones are the same but for their id. */
static void find_twins(struct multi *m)
{
    struct map *seen = map_new();
    struct buf key = {0};
    for (size_t i = 0; i < m->count; i++) {
        struct item *it = &m->items[i];
        bool added;
        buf_clear(&key);
        buf_printf(&key, "%lld %lld %lld %lld %zu %d%d%d%d%d%d %.*s ", (long long)it->from_ns,
                   (long long)it->to_ns, (long long)it->step_ns, (long long)it->timeout_ns,
                   it->limit, it->instant, it->exemplars, it->explain, it->stats, it->align,
                   it->partial, SLICE_FMT(it->lang));
        buf_append_slice(&key, it->text);
        struct map_entry *e = map_put(seen, buf_slice(&key), &added);
        if (added)
            e->value.u64 = i;
        else
            it->same_as = (size_t)e->value.u64;
    }
    map_free(seen);
    buf_deinit(&key);
}

static int read_request(struct multi *m, struct slice body, struct diag *diag)
{
    struct api_host *host = m->api->host;
    struct codec_json root;
    struct item shared = {0};
    int64_t now_ns = host->now_ns(host->ctx) / NS_PER_MS * NS_PER_MS;
    if (body.len > BODY_MAX)
        return diag_set(diag, ERR_INVALID, "the request has %zu bytes, %d may be", body.len,
                        BODY_MAX);
    int err = codec_json_parse(arena_slice(m->arena, body), m->arena, &root, diag);
    const struct codec_json *list = err ? NULL : codec_json_get(&root, "queries");
    if (err)
        return err;
    if (!list || list->kind != CODEC_JSON_ARRAY)
        return diag_set(diag, ERR_INVALID, "the request is an object with a list \"queries\"");
    if (list->count > QUERIES_MAX)
        return diag_set(diag, ERR_INVALID, "there are %zu queries, %d may be", list->count,
                        QUERIES_MAX);
    shared.from_ns = now_ns - 3600 * NS_PER_SEC;
    shared.to_ns = now_ns;
    err = read_time(&root, "from", now_ns, false, &shared.from_ns, diag);
    if (!err)
        err = read_time(&root, "to", now_ns, true, &shared.to_ns, diag);
    if (!err)
        err = read_flag(&root, "stats", &shared.stats, diag);
    if (!err)
        err = read_flag(&root, "explain", &shared.explain, diag);
    if (!err)
        err = read_flag(&root, "partial", &shared.partial, diag);
    m->items = ARENA_ARRAY(m->arena, struct item, list->count + 1);
    for (size_t i = 0; i < list->count && !err; i++) {
        m->items[i] = shared;
        err = read_item(&list->items[i], &m->items[i], now_ns, diag);
        if (err)
            diag_wrap(diag, "queries[%zu]", i);
        m->count = i + 1;
    }
    return err;
}

/* What several queries will read is read once. */
static void announce(struct multi *m)
{
    m->shared =
        query_shared_new(m->api->source, &m->api->queries_memory, m->limits.query_memory_bytes);
    for (size_t i = 0; i < m->count; i++) {
        const struct api_language *lang = api_language_find(m->items[i].lang);
        struct api_query q = query_of(m, &m->items[i], NULL);
        if (m->items[i].same_as != NOBODY || m->items[i].explain || !lang || !lang->expect ||
            read_steps(&m->items[i], m->limits.query_points, &q.steps, NULL))
            continue;
        q.plan_arena = arena_new(4096, NULL);
        lang->expect(&q);
        arena_free(q.plan_arena);
    }
}

static void work(struct api_job *job)
{
    struct multi *m = job->state;
    struct diag diag;
    char text[1200];
    diag_init(&diag);
    int err = read_request(m, net_request_body(job->req), &diag);
    if (err) {
        api_job_error(job, API_BAD_DATA, "%s", diag_str(&diag, text, sizeof(text)));
        return;
    }
    find_twins(m);
    if (m->count > 1)
        announce(m);
    job->content_type = "application/x-ndjson";
    job->produce = produce;
}

void api__pharos_query(struct api_call *call)
{
    struct slice tenant = api__tenant(call->req);
    struct slice type = net_request_header(call->req, "content-type");
    if (!tenant.ptr)
        return;
    if (!slice_eq_nocase(slice_first(type, 16), SLICE("application/json"))) {
        api__respond_error(call->req, API_BAD_DATA,
                           "a body is expected as Content-Type: application/json here");
        return;
    }
    struct api_job *job = api_job_new(call, work);
    struct multi *m = mem_calloc(1, sizeof(*m));
    m->refs = 1;
    m->job = job;
    m->api = call->api;
    m->pool = call->api->pool;
    m->tenant = tenant;
    m->limits = job->limits;
    m->arena = arena_new(0, NULL);
    m->begun_ns = job->started_ns;
    m->deadline_ns = job->started_ns + job->limits.query_timeout_ns;
    m->done_end = &m->done;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->changed, NULL);
    job->tenant = tenant;
    job->state = m;
    job->cleanup = cleanup;
    job->gated_to_end = true;
    net_response_header(call->req, "X-Content-Type-Options", SLICE("nosniff"));
    api_job_start(job, true);
}

void api__pharos_languages(struct api_call *call)
{
    struct codec_json_writer w;
    struct buf out = {0};
    codec_json_init(&w, &out);
    codec_json_begin_array(&w);
    for (size_t i = 0; i < ARRAY_LEN(languages); i++) {
        codec_json_begin_object(&w);
        codec_json_put_string(&w, "lang", slice_cstr(languages[i]->name));
        codec_json_put_string(&w, "door", slice_cstr(languages[i]->door));
        codec_json_end_object(&w);
    }
    codec_json_end_array(&w);
    api__respond_json(call->req, 200, buf_slice(&out));
    buf_deinit(&out);
}
