/* Jaeger's spans (github.com/jaegertracing/jaeger-idl: jaeger.thrift, agent.thrift, api_v2's
 * model.proto) as an OTLP export request, so that they are taken by the same rules. The process
 * becomes the resource, logs become events (their field "event" the name), references links with
 * opentracing.ref_type, except the first one that names the parent; span.kind, error,
 * otel.status_code, otel.status_description, w3c.tracestate and the names of the library go where
 * OTLP has a place for them (OpenTelemetry's mapping, "Jaeger" in its specification). Microseconds
 * become nanoseconds; ids of 64 bits get zeros in front. */
#ifndef DECODE_JAEGER_JAEGER_H
#define DECODE_JAEGER_JAEGER_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

enum decode_jaeger_encoding {
    DECODE_JAEGER_BATCH_BINARY,  /* a Batch in Thrift's binary protocol: the collector's HTTP */
    DECODE_JAEGER_BATCH_COMPACT, /* in its compact protocol */
    DECODE_JAEGER_AGENT_BINARY,  /* a call of Agent.emitBatch: the agent's datagrams */
    DECODE_JAEGER_AGENT_COMPACT,
    DECODE_JAEGER_PROTOBUF, /* PostSpansRequest: the collector's gRPC */
};

/* Appends the request in protobuf. ERR_INVALID with the place when the body is damaged: then
 * nothing is appended. ERR_UNSUPPORTED: another call than emitBatch. */
int decode_jaeger_spans(enum decode_jaeger_encoding encoding, struct slice body, struct buf *out,
                        struct diag *diag);

#endif
