/* Who sends how much: a bounded table by address, kept by an input for its page. When it is full,
 * whoever sent least gives way, so that the largest stay. Thread-safe, a short lock. */
#ifndef INPUT_SENDERS_H
#define INPUT_SENDERS_H

#include "base/types.h"
#include "codec/json_write.h"

struct input_senders;

struct input_senders *input_senders_new(size_t max); /* 0 = 1000 */
void input_senders_free(struct input_senders *s);    /* NULL is fine */
/* `peer` is host:port; the port is left out. */
void input_senders_add(struct input_senders *s, const char *peer, int64_t points, int64_t refused,
                       int64_t now_ns);
/* Objects {kind, address, points, refused, last_ms} into an array that is open, those that sent
 * most first, at most `max`. */
void input_senders_look(struct input_senders *s, const char *kind, size_t max,
                        struct codec_json_writer *w);

#endif
