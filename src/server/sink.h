/* The sink that ends in the store: counts what is taken and what is refused. */
#ifndef SERVER_SINK_H
#define SERVER_SINK_H

#include "output/output.h"
#include "pipe/sink.h"
#include "store/store.h"

struct server_sink {
    struct pipe_sink sink; /* first: handed to inputs */
    struct store *store;
    struct output_set *outputs; /* get what is stored as well; NULL: nobody does */
};

/* The store outlives the sink. */
void server_sink_init(struct server_sink *s, struct store *store);
/* Samples taken since the start. */
int64_t server_sink_samples(void);

#endif
