/* A store of events on a simulated disk, and threads, for tests of languages over the store. */
#ifndef TESTS_LANG_STORE_WORLD_H
#define TESTS_LANG_STORE_WORLD_H

#include "os/pool.h"
#include "os/sim.h"
#include "store/events.h"

struct store_world {
    struct os_sim *sim;
    struct store *store;
    struct task_pool *pool;
};

/* Empty, nothing in the background, at that time. */
void store_world_begin(struct store_world *w, int64_t now_ns, unsigned threads);
/* Durable and with no row refused, or the test fails. Takes the batch. */
void store_world_append(struct store_world *w, struct data_event_batch *b);
/* What was appended becomes a part. */
void store_world_flush(struct store_world *w);
void store_world_end(struct store_world *w);

#endif
