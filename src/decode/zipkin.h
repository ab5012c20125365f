/* Zipkin's spans, version 2 (github.com/openzipkin/zipkin-api: zipkin2-api.yaml, zipkin.proto) and
 * the JSON of version 1 (zipkin-api.yaml: both sides of a call may be one span there and become
 * two), as an OTLP export request, so that they are taken by the same rules. Services become
 * resources, tags attributes, annotations events; the remote endpoint becomes peer.service,
 * network.peer.address and network.peer.port; a tag "error" the status (OpenTelemetry's mapping,
 * "Zipkin" in its specification). */
#ifndef DECODE_ZIPKIN_H
#define DECODE_ZIPKIN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"

enum decode_zipkin_encoding { DECODE_ZIPKIN_JSON, DECODE_ZIPKIN_PROTOBUF, DECODE_ZIPKIN_JSON_V1 };

/* Appends the request in protobuf. ERR_INVALID with the place when the whole is damaged; a span
 * whose ids are none is passed on without them, to be refused alone. `arena` is for texts. */
int decode_zipkin_spans(enum decode_zipkin_encoding encoding, struct slice body,
                        struct arena *arena, struct buf *out, struct diag *diag);

#endif
