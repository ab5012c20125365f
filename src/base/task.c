#include "base/task.h"

static void inline_submit(struct task_pool *pool, enum task_class cls, void (*fn)(void *ctx),
                          void *ctx)
{
    (void)pool;
    (void)cls;
    fn(ctx);
}

static void inline_parallel(struct task_pool *pool, enum task_class cls, size_t count, size_t width,
                            void (*fn)(void *ctx, size_t i), void *ctx)
{
    (void)pool;
    (void)cls;
    (void)width;
    for (size_t i = 0; i < count; i++)
        fn(ctx, i);
}

struct task_pool *task_pool_inline(void)
{
    static struct task_pool pool = {
        .submit = inline_submit, .parallel = inline_parallel, .width = 1};
    return &pool;
}
