/* Rows of spans as OTLP again. */
#ifndef API_OTLP_SPANS_H
#define API_OTLP_SPANS_H

#include "base/buf.h"
#include "store/events.h"

/* Appends an ExportTraceServiceRequest (the same bytes as TracesData) with the chunk's spans, by
 * resource and scope, each in the chunk's order. The chunk has all fields and the children. */
void api__otlp_put_spans(const struct store_event_chunk *c, struct buf *out);
/* Rows [first, end) of it; `keep` (may be NULL) says of each row of the chunk whether it counts. */
void api__otlp_put_rows(const struct store_event_chunk *c, size_t first, size_t end,
                        const bool *keep, struct buf *out);

#endif
