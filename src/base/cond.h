/* Waiting on a condition for a time: by the clock that nobody sets, so that a step of the wall
 * clock neither ends a wait nor stretches it by hours. */
#ifndef BASE_COND_H
#define BASE_COND_H

#include <pthread.h>

#include "base/types.h"

/* Instead of pthread_cond_init; destroyed as usual. */
void cond_init(pthread_cond_t *cond);
/* Lock held. False when the time is up; true when woken, now and then for no reason. */
bool cond_wait_for(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t wait_ns);

/* How long from now_ns of the wall clock to the next multiple of the interval that is at least half
 * of one away: clocks differ a little, and one who woke just before a multiple has had its turn. */
int64_t cond_next_turn(int64_t now_ns, int64_t interval_ns);

#endif
