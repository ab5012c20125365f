/* What the files of Jaeger's door share. */
#ifndef API_JAEGER_DOOR_PRIV_H
#define API_JAEGER_DOOR_PRIV_H

#include "api/grpc_rest.h"
#include "api/traces.h"

/* {"traceID":..,"spans":[..],"processes":{..},"warnings":null}: rows [first, end) of a chunk with
 * all fields, as the older API has them. */
void jaeger__put_trace(const struct store_event_chunk *c, size_t first, size_t end,
                       struct buf *out);

/* Spans come in. */
void jaeger__collect(struct api_call *call);
void jaeger__post_spans(struct net_grpc_call *call, void *ctx);

void jaeger__services(struct api_call *call);
void jaeger__service_operations(struct api_call *call);
void jaeger__operations(struct api_call *call);
void jaeger__traces(struct api_call *call);
void jaeger__trace(struct api_call *call);
void jaeger__dependencies(struct api_call *call);
void jaeger__archive(struct api_call *call);
/* Version 3: traces are OTLP. */
void jaeger__services_v3(struct api_call *call);
void jaeger__operations_v3(struct api_call *call);
void jaeger__traces_v3(struct api_call *call);
void jaeger__trace_v3(struct api_call *call);
void jaeger__summaries(struct api_call *call);
void jaeger__dependencies_v3(struct api_call *call);
/* The same as gRPC's version 2 has them. */
void jaeger__traces_v2(struct api_call *call);
void jaeger__trace_v2(struct api_call *call);

/* Methods of gRPC, and the endpoints that answer some. */
#define JAEGER__GRPC_COUNT 12
#define JAEGER__REST_COUNT 11
extern const struct net_grpc_method jaeger__grpc[JAEGER__GRPC_COUNT];
extern const struct api__grpc_rest jaeger__rest[JAEGER__REST_COUNT];

/* Everything that is a tag of a span, of its process, or a field of a log, in the order of the
 * older API. */
typedef void (*jaeger__tag_fn)(void *ctx, struct slice key, struct data_value value);
void jaeger__span_tags(const struct store_event_chunk *c, size_t row, jaeger__tag_fn fn, void *ctx);
void jaeger__process_tags(const struct store_event_chunk *c, size_t row, jaeger__tag_fn fn,
                          void *ctx);
void jaeger__log_fields(const struct store_event_children *all,
                        const struct data_event_child *event, jaeger__tag_fn fn, void *ctx);
/* SpansResponseChunk of version 2: rows [first, end). */
void jaeger__put_model(const struct store_event_chunk *c, size_t first, size_t end,
                       struct buf *out);
/* A TraceSummary of version 3 as JSON: the trace in rows [first, end). */
void jaeger__put_summary(const struct store_event_chunk *c, size_t first, size_t end,
                         struct buf *out);

#endif
