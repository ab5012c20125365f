#include "server/span_metrics.h"

#include <pthread.h>
#include <time.h>

#include "base/cond.h"
#include "base/mem.h"
#include "pipe/repeats.h"

struct server_span_metrics {
    struct pipe_repeats *repeats;      /* NULL: off */
    struct pipe_span_metrics *metrics; /* behind it; NULL: off */
    struct pipe_sink *sink;
    int64_t interval_ns;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool started, stopping;
};

struct server_span_metrics *server_span_metrics_new(const struct server_config *config,
                                                    struct pipe_sink *next,
                                                    int64_t (*now_ns)(void *ctx), void *ctx)
{
    struct pipe_span_metrics_config c = config->span_metrics;
    struct server_span_metrics *m = mem_calloc(1, sizeof(*m));
    m->sink = next;
    if (c.calls || c.graph) {
        c.now_ns = now_ns;
        c.ctx = ctx;
        m->metrics = pipe_span_metrics_new(&c, next);
        m->sink = pipe_span_metrics_sink(m->metrics);
    }
    if (config->repeated_spans) {
        m->repeats = pipe_repeats_new((size_t)config->repeated_spans, m->sink);
        m->sink = pipe_repeats_sink(m->repeats);
    }
    m->interval_ns = config->span_metrics_interval_ns;
    pthread_mutex_init(&m->lock, NULL);
    cond_init(&m->wake);
    return m;
}

struct pipe_sink *server_span_metrics_sink(struct server_span_metrics *m)
{
    return m->sink;
}

static void *thread_main(void *arg)
{
    struct server_span_metrics *m = arg;
    pthread_setname_np(pthread_self(), "span-metrics");
    pthread_mutex_lock(&m->lock);
    while (!m->stopping) {
        struct timespec at;
        clock_gettime(CLOCK_REALTIME, &at);
        int64_t now_ns = at.tv_sec * NS_PER_SEC + at.tv_nsec;
        int64_t wait_ns = cond_next_turn(now_ns, m->interval_ns);
        while (!m->stopping && cond_wait_for(&m->wake, &m->lock, wait_ns))
            ;
        pthread_mutex_unlock(&m->lock);
        pipe_span_metrics_write(m->metrics); /* the last one too */
        pthread_mutex_lock(&m->lock);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

void server_span_metrics_start(struct server_span_metrics *m)
{
    if (m && m->metrics)
        m->started = !pthread_create(&m->thread, NULL, thread_main, m);
}

void server_span_metrics_stop(struct server_span_metrics *m)
{
    if (!m || !m->started)
        return;
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    m->started = false;
}

void server_span_metrics_free(struct server_span_metrics *m)
{
    if (!m)
        return;
    pipe_repeats_free(m->repeats);
    pipe_span_metrics_free(m->metrics);
    pthread_cond_destroy(&m->wake);
    pthread_mutex_destroy(&m->lock);
    mem_free(m);
}
