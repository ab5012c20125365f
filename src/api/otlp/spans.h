/* Rows of spans as OTLP again. */
#ifndef API_OTLP_SPANS_H
#define API_OTLP_SPANS_H

#include "base/buf.h"
#include "store/events.h"

/* Appends an ExportTraceServiceRequest (the same bytes as TracesData) with the chunk's spans, by
 * resource and scope, each in the chunk's order. The chunk has all fields and the children. */
void api__otlp_put_spans(const struct store_event_chunk *c, struct buf *out);

#endif
