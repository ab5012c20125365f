/* What the files of Jaeger's door share. */
#ifndef API_JAEGER_DOOR_PRIV_H
#define API_JAEGER_DOOR_PRIV_H

#include "api/traces.h"

/* {"traceID":..,"spans":[..],"processes":{..},"warnings":null}: rows [first, end) of a chunk with
 * all fields, as the older API has them. */
void jaeger__put_trace(const struct store_event_chunk *c, size_t first, size_t end,
                       struct buf *out);

/* Spans come in. */
void jaeger__collect(struct api_call *call);
#define JAEGER__GRPC_COUNT 1
extern const struct net_grpc_method jaeger__grpc[JAEGER__GRPC_COUNT];

void jaeger__services(struct api_call *call);
void jaeger__service_operations(struct api_call *call);
void jaeger__operations(struct api_call *call);
void jaeger__traces(struct api_call *call);
void jaeger__trace(struct api_call *call);
void jaeger__dependencies(struct api_call *call);
/* Version 3: traces are OTLP. */
void jaeger__services_v3(struct api_call *call);
void jaeger__operations_v3(struct api_call *call);
void jaeger__traces_v3(struct api_call *call);
void jaeger__trace_v3(struct api_call *call);

#endif
