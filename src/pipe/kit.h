/* Memory for decoding, kept from one body to the next: a batch, bytes to work in, and what a
 * decoder keeps between bodies. Idle kits wait in a pool; one that grew large is freed instead.
 *
 *     struct pipe_kit *kit = pipe_kit_take(kits, tenant);
 *     ... decode into kit->events, hand it to a sink ...
 *     pipe_kit_give(kits, kit);
 */
#ifndef PIPE_KIT_H
#define PIPE_KIT_H

#include "base/buf.h"
#include "data/event_batch.h"
#include "data/metric_batch.h"

enum pipe_kit_kind { PIPE_KIT_METRICS, PIPE_KIT_LOGS, PIPE_KIT_SPANS };

struct pipe_kit {
    struct data_event_batch *events;   /* empty; NULL in kits for metrics */
    struct data_metric_batch *metrics; /* the same for events */
    struct buf scratch;
    void *decoder; /* the pool's decoder_bytes, zero in a new kit */
    /* Private. */
    struct slice own_tenant;
    struct pipe_kit *next;
};

struct pipe_kits;

/* decoder_deinit (may be NULL) frees what hangs on a decoder, not its own bytes. */
struct pipe_kits *pipe_kits_new(enum pipe_kit_kind kind, size_t decoder_bytes,
                                void (*decoder_deinit)(void *decoder));
/* All kits must have been given back. NULL is fine. */
void pipe_kits_free(struct pipe_kits *kits);
/* Thread-safe. `tenant` must live until the kit is given back; empty = "default". */
struct pipe_kit *pipe_kit_take(struct pipe_kits *kits, struct slice tenant);
void pipe_kit_give(struct pipe_kits *kits, struct pipe_kit *kit);

#endif
