/* What all streams of a page of a part's table have in common, so that a selector rarely has to
 * unpack pages: labels that are the same in all, names of the others, and a filter of their values.
 * Made when a part has more than one page. */
#ifndef STORE_EVENT_STREAM_HINTS_H
#define STORE_EVENT_STREAM_HINTS_H

#include "store/event/part.h"
#include "store/source.h"

/* Appends the section; stats: first and last minute of each stream's rows (first > last: none). */
void store_stream_hints_write(const struct store_part_stream *streams, size_t count,
                              const int64_t *first, const int64_t *last, struct buf *out);

struct store_stream_hints;
/* NULL when the part has none. ERR_CORRUPT. */
int store_stream_hints_open(const struct store_event_part *p, struct store_stream_hints **out);
void store_stream_hints_free(struct store_stream_hints *h); /* NULL is fine */

enum store_hint { STORE_HINT_NONE, STORE_HINT_SOME, STORE_HINT_ALL };
/* Which streams of the page a selection has, as far as can be told; times are ns, both included.
 * SOME without hints. ALL may have streams without rows in the range. */
enum store_hint store_stream_hint(const struct store_stream_hints *h, size_t page,
                                  struct slice tenant, int64_t t_min, int64_t t_max,
                                  const struct store_matcher *matchers, size_t matcher_count);

#endif
