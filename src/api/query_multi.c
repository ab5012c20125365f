/* The multiplexed endpoint: running a request's queries side by side, expressions when what they
 * are made of is there, and sending each answer when it is there.
 *
 * Helpers, tasks of the pool, take queries in turn. The job itself holds no thread while it waits
 * for them: the helper that is done with a query wakes it. Helpers end when the peer reads slower
 * than answers come; the job starts them again when there is room. */
#include <stdio.h>

#include "api/job.h"
#include "api/params.h"
#include "api/query_multi_priv.h"
#include "base/mem.h"

#define POINTS_AUTO   1000
#define WAITING_BYTES ((size_t)16 << 20) /* answers that the peer has not taken */

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

static void multi_release(struct multi *m)
{
    if (atomic_fetch_sub(&m->refs, 1) != 1)
        return;
    for (size_t i = 0; i < m->count; i++) {
        multi__unkeep(&m->items[i]);
        buf_deinit(&m->items[i].out);
        buf_deinit(&m->items[i].words);
    }
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
static int read_steps(const struct multi_item *it, int64_t points_max, struct query_steps *s,
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
static struct api_query query_of(struct multi *m, const struct multi_item *it,
                                 struct budget *memory)
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

/* Runs a query in its language; what its users need is kept. */
static int run_language(struct multi *m, struct multi_item *it, struct api_query *q,
                        struct buf *out, struct diag *diag)
{
    const struct api_language *lang = api_language_find(it->lang);
    struct multi_keeper keeper;
    if (it->kept) {
        multi__keeper_init(&keeper, it);
        *(it->hide ? &q->taker : &q->watcher) = &keeper.face;
    }
    if (it->timeout_ns > 0)
        q->env.deadline_ns =
            MIN(q->env.deadline_ns, api__deadline_ns(api__monotonic_ns(), it->timeout_ns));
    int err = read_steps(it, m->limits.query_points, &q->steps, diag);
    if (!err && !lang) {
        q->error = API_NOT_FOUND;
        q->has_error = true;
        err = diag_set(diag, ERR_UNSUPPORTED, "there is no query language \"%.*s\" here",
                       SLICE_FMT(it->lang));
    }
    return err ? err : lang->run(q, out, diag);
}

/* Appends the members of an item's answer. */
static void run_one(struct multi *m, struct multi_item *it, struct buf *out)
{
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
    if (it->user_count || it->expression)
        multi__keep(m, it);
    if (it->expression)
        it->err = multi__run_expression(m, it, &body, &it->kind, &diag);
    else
        it->err = run_language(m, it, &q, &body, &diag);
    if (it->err && !it->expression)
        it->kind = q.has_error ? q.error : api__error_of(it->err);
    if (it->err && m->job->cancelled)
        it->kind = API_CANCELED;
    if (it->err) {
        buf_append_cstr(&it->words, diag.code ? diag.msg : err_name(it->err));
        put_error(it->kind, buf_cstr(&it->words), out);
    } else {
        buf_append_slice(out, buf_slice(&body));
    }
    if (it->stats)
        buf_printf(out,
                   ",\"stats\":{\"seconds\":%.6f,\"wait_seconds\":%.6f,\"samples\":%llu,"
                   "\"series\":%llu,\"peak_samples\":%llu,\"memory_bytes\":%lld}",
                   (double)(api__monotonic_ns() - begun_ns) / 1e9,
                   (double)(begun_ns - m->begun_ns) / 1e9, (unsigned long long)q.used.samples_read,
                   (unsigned long long)q.used.series_selected,
                   (unsigned long long)q.used.peak_samples,
                   (long long)(it->expression ? it->memory.peak : memory.peak));
    buf_deinit(&body);
    arena_free(q.arena);
    arena_free(q.plan_arena);
    budget_drain(&memory);
    if (!it->user_count)
        multi__unkeep(it);
}

/* The line of a query, and of those that are the same; none of what is hidden. */
static void run_item(struct multi *m, size_t i)
{
    struct multi_item *it = &m->items[i], *shown = NULL;
    struct buf unseen = {0};
    for (size_t k = i; k < m->count && !shown; k++) {
        if ((k == i || m->items[k].same_as == i) && !m->items[k].hide)
            shown = &m->items[k];
    }
    if (!shown) {
        run_one(m, it, &unseen);
        buf_deinit(&unseen);
        return;
    }
    it->hide = false; /* for a twin */
    put_id(shown->id, &it->out);
    run_one(m, it, &it->out);
    buf_append_cstr(&it->out, "}\n");
    for (size_t k = i + 1; k < m->count; k++) {
        if (m->items[k].same_as != i || m->items[k].hide || &m->items[k] == shown)
            continue;
        put_id(m->items[k].id, &it->out);
        buf_append_cstr(&it->out, ",\"same_as\":");
        codec_json_append_string(&it->out, shown->id);
        buf_append_cstr(&it->out, "}\n");
    }
}

/* --- side by side --- */

/* Under the lock: the next one to run, or NOBODY. */
static size_t take(struct multi *m)
{
    if (m->stopped || m->next == m->ready_end || m->job->cancelled)
        return NOBODY;
    m->running++;
    return m->ready[m->next++];
}

/* An expression is computed: what it was made of is not needed for it any more. */
static void release_inputs(struct multi *m, const struct multi_item *it)
{
    for (size_t k = 0; k < it->input_count; k++) {
        struct multi_item *input = &m->items[it->inputs[k].item];
        pthread_mutex_lock(&m->lock);
        bool last = --input->users_left == 0;
        pthread_mutex_unlock(&m->lock);
        if (last)
            multi__unkeep(input);
    }
}

/* Under the lock. What waited for it alone comes next: others are behind it, too. */
static void finish(struct multi *m, size_t i)
{
    struct multi_item *it = &m->items[i];
    m->running--;
    m->left--;
    m->done_bytes += it->out.len;
    it->next_done = NULL;
    *m->done_end = it;
    m->done_end = &it->next_done;
    for (size_t k = 0; k < it->user_count; k++) {
        if (--m->items[it->users[k]].waits == 0)
            m->ready[--m->next] = it->users[k];
    }
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
        release_inputs(m, &m->items[i]);
        pthread_mutex_lock(&m->lock);
        finish(m, i);
    }
    bool more = i != NOBODY && m->next < m->ready_end;
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
    size_t wanted = MIN(MAX(m->pool->width, (size_t)1), m->ready_end - m->next);
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
    for (struct multi_item *it = m->done; it; it = it->next_done) {
        buf_append_slice(&job->out, buf_slice(&it->out));
        buf_deinit(&it->out);
    }
    m->done = NULL;
    m->done_end = &m->done;
    m->done_bytes = 0;
    bool last = !m->left;
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
    m->stopped = true;
    while (m->running)
        pthread_cond_wait(&m->changed, &m->lock);
    pthread_mutex_unlock(&m->lock);
    multi_release(m);
}

/* What several queries will read is read once. */
static void announce(struct multi *m)
{
    m->shared =
        query_shared_new(m->api->source, &m->api->queries_memory, m->limits.query_memory_bytes);
    for (size_t i = 0; i < m->count; i++) {
        const struct api_language *lang = api_language_find(m->items[i].lang);
        struct api_query q = query_of(m, &m->items[i], NULL);
        if (m->items[i].same_as != NOBODY || m->items[i].explain || m->items[i].expression ||
            !m->items[i].wanted || !lang || !lang->expect ||
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
    int err = multi__read(m, net_request_body(job->req), &diag);
    if (err) {
        api_job_error(job, API_BAD_DATA, "%s", diag_str(&diag, text, sizeof(text)));
        return;
    }
    multi__link(m);
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
    m->deadline_ns = job->deadline_ns;
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
