/* A request whose body becomes batches: decoded at once when it is small and on a worker else,
 * handed to the sink, and answered on its loop when all of it is durable (or is not to be). What a
 * door does by itself is in two functions; it embeds this as the first member of its own state. */
#ifndef API_PUSH_H
#define API_PUSH_H

#include <stdatomic.h>

#include "api/api_priv.h"
#include "pipe/kit.h"

#define API__PUSH_INLINE_BYTES ((size_t)128 << 10) /* larger bodies are decoded on a worker */

struct api__push {
    struct api *api;
    struct net_request *req;
    struct net_loop *loop;
    struct slice tenant;
    struct pipe_kits *event_kits;  /* of log lines */
    struct pipe_kits *metric_kits; /* NULL: the door has no metrics */
    /* Any thread; fills the kits' batches, of which `metrics` is NULL without metric_kits. An error
     * has its words in p->diag, and nothing is stored then. */
    int (*decode)(struct api__push *p, struct pipe_kit *events, struct pipe_kit *metrics);
    /* On the loop, once; frees p. */
    void (*answer)(struct api__push *p);

    /* Set by the door: a small body is decoded on a worker too. */
    bool on_worker;

    /* For `answer`: */
    int decode_err;
    struct diag diag;
    int store_err; /* of either batch: the sender is to come again */
    struct pipe_result events, metrics;

    /* Private. */
    _Atomic int waiting;
    int errs[2];
};

/* Fills in what every push has; the door sets kits and functions, then starts it. */
void api__push_init(struct api__push *p, struct api_call *call, struct slice tenant);
void api__push_start(struct api__push *p);

/* Why the store as a whole took nothing. */
const char *api__push_store_words(const struct api__push *p);

#endif
