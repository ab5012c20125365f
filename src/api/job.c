#include "api/grpc_rest.h"

#include <stdarg.h>
#include <time.h>

#include "base/counter.h"
#include "base/mem.h"

static struct counter counters[] = {
    {.name = "pharos_query_active", .help = "Queries running now.", .kind = COUNTER_GAUGE},
    {.name = "pharos_query_waiting",
     .help = "Queries waiting for a place (limits.query.concurrency).",
     .kind = COUNTER_GAUGE},
    {.name = "pharos_queries_total", .help = "Queries answered.", .labels = "result=\"ok\""},
    {.name = "pharos_queries_total", .help = "Queries answered.", .labels = "result=\"error\""},
    {.name = "pharos_queries_total", .help = "Queries answered.", .labels = "result=\"canceled\""},
    {.name = "pharos_queries_total", .help = "Queries answered.", .labels = "result=\"timeout\""},
    {.name = "pharos_query_duration_seconds_total",
     .help = "Time spent on queries, their waiting included.",
     .scale = 1e-9},
};
enum { ACTIVE, WAITING, OK, FAILED, CANCELED, TIMED_OUT, DURATION };

#define STEP_BYTES  ((size_t)256 << 10) /* encoded at a time */
#define WHOLE_BYTES ((size_t)256 << 20) /* of an answer that is rewritten as a whole */

void api__job_init(void)
{
    counter_register(counters, ARRAY_LEN(counters));
}

int64_t api__monotonic_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

int64_t api__deadline_ns(int64_t from_ns, int64_t timeout_ns)
{
    int64_t at_ns;
    return __builtin_add_overflow(from_ns, MAX(timeout_ns, 0), &at_ns) ? INT64_MAX : at_ns;
}

struct api_job *api_job_new(struct api_call *call, void (*work)(struct api_job *job))
{
    struct api *api = call->api;
    struct api_job *job = mem_calloc(1, sizeof(*job));
    job->api = api;
    job->req = call->req;
    job->loop = net_request_loop(call->req);
    job->call_arena = net_request_arena(call->req);
    job->work = work;
    job->grpc = call->grpc;
    job->rest = call->rest;
    job->limits = api__limits(api);
    job->started_ns = api__monotonic_ns();
    job->deadline_ns = api__deadline_ns(job->started_ns, job->limits.query_timeout_ns);
    budget_init(&job->memory, &api->queries_memory, job->limits.query_memory_bytes,
                "limits.query.memory");
    job->arena = arena_new(4096, &job->memory);
    return job;
}

/* Everything but the answer's bytes; before the request (and its arena) is gone. */
static void release(struct api_job *job)
{
    if (job->cleanup)
        job->cleanup(job);
    job->cleanup = NULL;
    arena_free(job->arena);
    job->arena = NULL;
    budget_drain(&job->memory);
}

static void job_free(struct api_job *job)
{
    struct api *api = job->api;
    buf_deinit(&job->out);
    pthread_mutex_lock(&api->lock);
    *(job->prev ? &job->prev->next : &api->jobs) = job->next;
    if (job->next)
        job->next->prev = job->prev;
    pthread_mutex_unlock(&api->lock);
    mem_free(job);
}

static void deliver(void *ctx);
static void run(void *ctx);

/* A place is free: the next one that waits takes it. */
static void leave_gate(struct api_job *job)
{
    struct api *api = job->api;
    int result = job->cancelled                                  ? CANCELED
                 : job->status == api__error_status(API_TIMEOUT) ? TIMED_OUT
                 : job->status                                   ? FAILED
                                                                 : OK;
    counter_add(&counters[result], 1);
    counter_add(&counters[DURATION], api__monotonic_ns() - job->started_ns);
    pthread_mutex_lock(&api->lock);
    struct api_job *next = api->waiting;
    if (next && api->running <= MAX(api->limits.query_concurrency, 1)) {
        api->waiting = next->next_waiting;
        if (!api->waiting)
            api->waiting_end = &api->waiting;
        api->waiting_count--;
    } else {
        next = NULL;
        api->running--;
    }
    counter_set(&counters[ACTIVE], api->running);
    counter_set(&counters[WAITING], api->waiting_count);
    pthread_mutex_unlock(&api->lock);
    if (next)
        api->pool->submit(api->pool, TASK_INTERACTIVE, run, next);
}

static void fill(struct api_job *job)
{
    bool rewritten = job->rest && job->rest->answer;
    size_t most = rewritten ? WHOLE_BYTES : STEP_BYTES;
    job->last = !job->produce;
    job->flush = job->park = false;
    while (!job->last && job->out.len < most && !job->cancelled && !job->flush && !job->park)
        job->last = job->produce(job);
    if (rewritten && !job->last && !job->cancelled) {
        api_job_error(job, API_EXECUTION, "the answer is larger than %zu bytes", WHOLE_BYTES);
        job->last = true;
    }
    if (rewritten && job->last && !job->status && !job->cancelled)
        api__grpc_rest_convert(job);
    if (job->cancelled)
        job->last = true;
    if (job->last && job->gated && job->gated_to_end)
        leave_gate(job);
    if (job->last)
        release(job);
}

static void run(void *ctx)
{
    struct api_job *job = ctx;
    if (job->cancelled)
        api_job_error(job, API_CANCELED, "query was canceled");
    else
        job->work(job);
    if (job->gated && !job->gated_to_end)
        leave_gate(job);
    fill(job);
    net_loop_post(job->loop, deliver, job);
}

static void run_more(void *ctx)
{
    struct api_job *job = ctx;
    fill(job);
    net_loop_post(job->loop, deliver, job);
}

static void go_on(void *ctx)
{
    struct api_job *job = ctx;
    job->api->pool->submit(job->api->pool, TASK_INTERACTIVE, run_more, job);
}

/* Whether a job is at work, pauses, or need not pause because it was woken before. */
enum { JOB_ACTIVE, JOB_PARKED, JOB_WOKEN };

void api_job_wake(struct api_job *job)
{
    int was = JOB_PARKED;
    if (atomic_compare_exchange_strong(&job->parked, &was, JOB_ACTIVE)) {
        go_on(job);
        return;
    }
    was = JOB_ACTIVE;
    (void)atomic_compare_exchange_strong(&job->parked, &was, JOB_WOKEN);
}

/* True when the job pauses now; whoever wakes it has it from here on. */
static bool pause_job(struct api_job *job)
{
    int was = JOB_ACTIVE;
    if (!job->park || job->cancelled)
        return false;
    if (atomic_compare_exchange_strong(&job->parked, &was, JOB_PARKED))
        return true;
    job->parked = JOB_ACTIVE;
    return false;
}

static void on_abort(void *ctx)
{
    struct api_job *job = ctx;
    job->cancelled = true;
    api_job_wake(job);
}

static void go_on_later(struct api_job *job, bool room)
{
    if (!room && !job->cancelled)
        net_respond_on_drain(job->req, go_on, job);
    else if (!pause_job(job))
        go_on(job);
}

static void deliver_grpc(struct api_job *job)
{
    bool room = api__grpc_rest_deliver(job);
    if (job->last)
        job_free(job);
    else
        go_on_later(job, room);
}

/* On the loop: writes what there is. */
static void deliver(void *ctx)
{
    struct api_job *job = ctx;
    if (job->grpc) {
        deliver_grpc(job);
        return;
    }
    int status = job->status ? job->status : 200;
    const char *type = status == 204       ? NULL
                       : job->content_type ? job->content_type
                                           : "application/json";
    if (!job->begun && job->content_encoding)
        net_response_header(job->req, "Content-Encoding", slice_cstr(job->content_encoding));
    if (!job->begun && job->last) {
        net_respond(job->req, status, type, buf_slice(&job->out));
        job_free(job);
        return;
    }
    if (!job->begun) {
        job->begun = true;
        net_respond_begin(job->req, status, type);
    }
    bool room = net_respond_write(job->req, buf_slice(&job->out));
    buf_clear(&job->out);
    if (job->last) {
        net_respond_end(job->req);
        job_free(job);
    } else {
        go_on_later(job, room);
    }
}

void api_job_start(struct api_job *job, bool gated)
{
    struct api *api = job->api;
    bool wait = false, refuse = false;
    job->gated = gated;
    net_request_on_abort(job->req, on_abort, job);
    pthread_mutex_lock(&api->lock);
    job->next = api->jobs;
    if (api->jobs)
        api->jobs->prev = job;
    api->jobs = job;
    if (api->stopping) {
        refuse = true;
    } else if (gated && api->running < MAX(api->limits.query_concurrency, 1)) {
        api->running++;
    } else if (gated && api->waiting_count < api->limits.query_queue) {
        wait = true;
        *api->waiting_end = job;
        api->waiting_end = &job->next_waiting;
        api->waiting_count++;
    } else if (gated) {
        refuse = true;
    }
    bool stopping = api->stopping;
    counter_set(&counters[ACTIVE], api->running);
    counter_set(&counters[WAITING], api->waiting_count);
    pthread_mutex_unlock(&api->lock);
    if (refuse) {
        net_response_header(job->req, "Retry-After", SLICE("1"));
        if (stopping)
            api_job_error(job, API_UNAVAILABLE, "Pharos is shutting down");
        else
            api_job_error(
                job, API_UNAVAILABLE,
                "too many queries are running and waiting (limits.query.concurrency %lld, "
                "limits.query.queue %lld); try again",
                (long long)job->limits.query_concurrency, (long long)job->limits.query_queue);
        job->last = true;
        release(job);
        deliver(job);
    } else if (!wait) {
        api->pool->submit(api->pool, TASK_INTERACTIVE, run, job);
    }
}

void api_job_error(struct api_job *job, enum api_error type, const char *fmt, ...)
{
    struct buf msg = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&msg, fmt, ap);
    va_end(ap);
    buf_clear(&job->out);
    job->produce = NULL;
    job->status = api__error_status(type);
    if (job->grpc)
        buf_append_slice(&job->out, buf_slice(&msg));
    else
        api__error_json(type, buf_slice(&msg), &job->out);
    buf_deinit(&msg);
}

void api_job_fail(struct api_job *job, int err, const struct diag *diag)
{
    const char *msg = diag && diag->code ? diag->msg : err_name(err);
    if (job->cancelled)
        err = ERR_CANCELLED;
    api_job_error(job, api__error_of(err), "%s", msg);
}
