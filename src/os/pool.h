/* The worker pool behind base/task.h: a fixed number of threads, three priority classes. */
#ifndef OS_POOL_H
#define OS_POOL_H

#include "base/task.h"

/* `threads` 0 = one a core, and two at least. Free ends the queued work first. */
struct task_pool *os_pool_new(size_t threads);
void os_pool_free(struct task_pool *pool);

#endif
