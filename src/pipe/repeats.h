/* Spans that are sent again: a sender that heard no answer in time sends its request once more, and
 * everything that counts spans would count them twice. This sink before another one remembers the
 * spans that were stored last, by a fingerprint, and passes over those that come again unchanged:
 * same tenant, ids, kind, times, status and size. They are acknowledged like the first time. A span
 * that comes again with other content passes. Log lines and samples pass.
 *
 * What is remembered is what is durable; it is forgotten oldest first, and with the process. */
#ifndef PIPE_REPEATS_H
#define PIPE_REPEATS_H

#include "pipe/sink.h"

struct pipe_repeats;

/* `spans_max`: how many are remembered at least, 8 bytes each and up to six times that. `next`
 * outlives it. */
struct pipe_repeats *pipe_repeats_new(size_t spans_max, struct pipe_sink *next);
/* Thread-safe. */
struct pipe_sink *pipe_repeats_sink(struct pipe_repeats *r);
/* No call is running and no acknowledgement is missing. NULL is fine. */
void pipe_repeats_free(struct pipe_repeats *r);

#endif
