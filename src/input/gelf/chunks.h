/* Chunks of GELF messages put together. Thread-safe. */
#ifndef INPUT_GELF_CHUNKS_H
#define INPUT_GELF_CHUNKS_H

#include "base/buf.h"
#include "decode/gelf.h"

struct gelf_chunks;

/* `expired` is called with how many messages were given up. */
struct gelf_chunks *gelf_chunks_new(size_t bytes_max, int64_t timeout_ns);
void gelf_chunks_free(struct gelf_chunks *c);
/* Takes a chunk of the sender's message. True: it was the last one, `out` has the message. *expired
 * gets how many messages were given up: their time was over (the protocol's five seconds), or there
 * was no more room. */
bool gelf_chunks_add(struct gelf_chunks *c, struct slice sender,
                     const struct decode_gelf_chunk *chunk, int64_t now_ns, size_t bytes_max,
                     struct buf *out, size_t *expired);

#endif
