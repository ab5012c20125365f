/* The worker pool's face: query morsels, merges and big decodes are handed to it. Implemented by
 * os/pool.h; rooms below `os`'s users get a `struct task_pool *` from their owner. */
#ifndef BASE_TASK_H
#define BASE_TASK_H

#include "base/types.h"

enum task_class { TASK_INTERACTIVE, TASK_ALERTING, TASK_BACKGROUND, TASK_CLASS_COUNT };

struct task_pool {
    /* Queues fn(ctx) to run once on some worker. Any thread may call. */
    void (*submit)(struct task_pool *pool, enum task_class cls, void (*fn)(void *ctx), void *ctx);
    /* Runs fn(ctx, i) for every i in [0, count) on up to `width` threads, the caller among them,
     * and returns when all are done. May be called from a worker (the caller helps, so no
     * deadlock). */
    void (*parallel)(struct task_pool *pool, enum task_class cls, size_t count, size_t width,
                     void (*fn)(void *ctx, size_t i), void *ctx);
    size_t width; /* number of worker threads */
};

/* A pool that runs everything on the calling thread at once; for tests and small tools. */
struct task_pool *task_pool_inline(void);

#endif
