/* What the files of Zipkin's door share. Errors are plain text. */
#ifndef API_ZIPKIN_DOOR_PRIV_H
#define API_ZIPKIN_DOOR_PRIV_H

#include "api/traces.h"

/* Appends the span in a row of a chunk with all fields as Zipkin's JSON, version 2. */
void zipkin__put_span(const struct store_event_chunk *c, size_t row, struct buf *out);
/* [span, ...]: rows [first, end). */
void zipkin__put_trace(const struct store_event_chunk *c, size_t first, size_t end,
                       struct buf *out);

void zipkin__traces(struct api_call *call);
void zipkin__trace(struct api_call *call);
void zipkin__trace_many(struct api_call *call);
void zipkin__services(struct api_call *call);
void zipkin__span_names(struct api_call *call);
void zipkin__remote_services(struct api_call *call);
void zipkin__dependencies(struct api_call *call);

#endif
