/* Spans in formats other than OTLP: rewritten as an OTLP export request and taken like one. */
#ifndef API_SPAN_PUSH_H
#define API_SPAN_PUSH_H

#include "api/api_priv.h"

/* Appends the request in protobuf; texts in `arena`. ERR_INVALID with words. */
typedef int (*api__span_convert)(struct slice body, struct arena *arena, struct buf *out,
                                 struct diag *diag);

/* Answers with `status` and no body once the spans are durable, also when some of them were
 * refused; 400 when all were, or the body is damaged; 503 with Retry-After when it may be tried
 * again. */
void api__span_push(struct api_call *call, api__span_convert convert, int status);

/* The same for a gRPC call (`ctx`: the mount), whose answer is an empty message; INVALID_ARGUMENT
 * or UNAVAILABLE with RetryInfo. */
void api__span_push_grpc(struct net_grpc_call *call, void *ctx, api__span_convert convert);

#endif
