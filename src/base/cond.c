#include "base/cond.h"

#include <errno.h>
#include <time.h>

void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

bool cond_wait_for(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t wait_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t until_ns = until.tv_sec * NS_PER_SEC + until.tv_nsec + MAX(wait_ns, 0);
    until.tv_sec = until_ns / NS_PER_SEC;
    until.tv_nsec = until_ns % NS_PER_SEC;
    return pthread_cond_timedwait(cond, lock, &until) != ETIMEDOUT;
}

int64_t cond_next_turn(int64_t now_ns, int64_t interval_ns)
{
    int64_t wait_ns = interval_ns - now_ns % interval_ns;
    return wait_ns < interval_ns / 2 ? wait_ns + interval_ns : wait_ns;
}
