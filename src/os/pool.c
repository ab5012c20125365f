/* Fixed worker threads, one queue a class, the most urgent class first. */
#include "os/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/mem.h"

struct job {
    struct job *next;
    void (*fn)(void *ctx);
    void *ctx;
};

struct pool {
    struct task_pool face;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct job *head[TASK_CLASS_COUNT], **tail[TASK_CLASS_COUNT];
    bool stopping;
    size_t thread_count;
    pthread_t threads[];
};

static struct job *take(struct pool *p)
{
    for (int c = 0; c < TASK_CLASS_COUNT; c++) {
        struct job *j = p->head[c];
        if (j) {
            p->head[c] = j->next;
            if (!j->next)
                p->tail[c] = &p->head[c];
            return j;
        }
    }
    return NULL;
}

static void *work(void *arg)
{
    struct pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct job *j = take(p);
        if (j) {
            pthread_mutex_unlock(&p->lock);
            j->fn(j->ctx);
            mem_free(j);
            pthread_mutex_lock(&p->lock);
        } else if (p->stopping) {
            break;
        } else {
            pthread_cond_wait(&p->work, &p->lock);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void pool_submit(struct task_pool *face, enum task_class cls, void (*fn)(void *ctx),
                        void *ctx)
{
    struct pool *p = (struct pool *)face;
    struct job *j = mem_calloc(1, sizeof(*j));
    j->fn = fn;
    j->ctx = ctx;
    pthread_mutex_lock(&p->lock);
    *p->tail[cls] = j;
    p->tail[cls] = &j->next;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

/* A loop over [0, count) that any number of threads take indexes from. Lives until the last helper
 * let go of it, which may be after the caller returned: a helper may be queued long behind. */
struct spread {
    _Atomic size_t next, done, refs;
    size_t count;
    void (*fn)(void *ctx, size_t i);
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t all_done;
};

static void spread_release(struct spread *s)
{
    if (atomic_fetch_sub(&s->refs, 1) == 1) {
        pthread_mutex_destroy(&s->lock);
        pthread_cond_destroy(&s->all_done);
        mem_free(s);
    }
}

static void spread_run(struct spread *s)
{
    for (size_t i; (i = atomic_fetch_add(&s->next, 1)) < s->count;) {
        s->fn(s->ctx, i);
        if (atomic_fetch_add(&s->done, 1) + 1 == s->count) {
            pthread_mutex_lock(&s->lock);
            pthread_cond_broadcast(&s->all_done);
            pthread_mutex_unlock(&s->lock);
        }
    }
}

static void spread_help(void *arg)
{
    struct spread *s = arg;
    spread_run(s);
    spread_release(s);
}

static void pool_parallel(struct task_pool *face, enum task_class cls, size_t count, size_t width,
                          void (*fn)(void *ctx, size_t i), void *ctx)
{
    if (!count)
        return;
    size_t helpers = MIN(MIN(width, count), face->width + 1);
    if (helpers <= 1) {
        for (size_t i = 0; i < count; i++)
            fn(ctx, i);
        return;
    }
    helpers--; /* the caller is one */
    struct spread *s = mem_calloc(1, sizeof(*s));
    s->count = count;
    s->fn = fn;
    s->ctx = ctx;
    s->refs = helpers + 1;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->all_done, NULL);
    for (size_t i = 0; i < helpers; i++)
        pool_submit(face, cls, spread_help, s);
    spread_run(s);
    pthread_mutex_lock(&s->lock);
    while (s->done < count)
        pthread_cond_wait(&s->all_done, &s->lock);
    pthread_mutex_unlock(&s->lock);
    spread_release(s);
}

struct task_pool *os_pool_new(size_t threads)
{
    if (!threads)
        threads = (size_t)MAX(sysconf(_SC_NPROCESSORS_ONLN), 2);
    struct pool *p = mem_calloc(1, sizeof(*p) + threads * sizeof(p->threads[0]));
    p->face =
        (struct task_pool){.submit = pool_submit, .parallel = pool_parallel, .width = threads};
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    for (int c = 0; c < TASK_CLASS_COUNT; c++)
        p->tail[c] = &p->head[c];
    for (; p->thread_count < threads; p->thread_count++) {
        if (pthread_create(&p->threads[p->thread_count], NULL, work, p))
            break;
    }
    return &p->face;
}

void os_pool_free(struct task_pool *face)
{
    struct pool *p = (struct pool *)face;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}
