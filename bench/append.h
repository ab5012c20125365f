/* Events into a store as fast as it takes them. One thread only. */
#ifndef BENCH_APPEND_H
#define BENCH_APPEND_H

#include "store/events.h"

/* Waits until the store has room, hands the batch over and frees it. A refusal ends the program. */
void bench_append(struct store *st, struct store_event_source *src, struct data_event_batch *b);
/* Until all is durable. */
void bench_append_wait(void);

#endif
