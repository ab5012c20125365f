/* Jaeger's collectors: batches of spans in Thrift over HTTP, in protobuf over gRPC. */
#include "api/jaeger/door_priv.h"
#include "api/span_push.h"
#include "decode/jaeger/jaeger.h"

static int convert_binary(struct slice body, struct arena *arena, struct buf *out,
                          struct diag *diag)
{
    (void)arena;
    return decode_jaeger_spans(DECODE_JAEGER_BATCH_BINARY, body, out, diag);
}

static int convert_compact(struct slice body, struct arena *arena, struct buf *out,
                           struct diag *diag)
{
    (void)arena;
    return decode_jaeger_spans(DECODE_JAEGER_BATCH_COMPACT, body, out, diag);
}

static int convert_protobuf(struct slice body, struct arena *arena, struct buf *out,
                            struct diag *diag)
{
    (void)arena;
    return decode_jaeger_spans(DECODE_JAEGER_PROTOBUF, body, out, diag);
}

void jaeger__collect(struct api_call *call)
{
    struct slice type = net_request_header(call->req, "content-type");
    ptrdiff_t semicolon = slice_find_char(type, ';');
    if (semicolon >= 0)
        type = slice_trim(slice_first(type, (size_t)semicolon));
    if (slice_eq_nocase(type, SLICE("application/x-thrift")) ||
        slice_eq_nocase(type, SLICE("application/vnd.apache.thrift.binary")))
        api__span_push(call, convert_binary, 202);
    else if (slice_eq_nocase(type, SLICE("application/vnd.apache.thrift.compact")))
        api__span_push(call, convert_compact, 202);
    else
        api__plain_error(call->req, 415,
                         "Unsupported content type: \"%.*s\"; application/x-thrift and "
                         "application/vnd.apache.thrift.binary (or .compact) are taken",
                         SLICE_FMT(slice_first(type, 100)));
}

void jaeger__post_spans(struct net_grpc_call *call, void *ctx)
{
    api__span_push_grpc(call, ctx, convert_protobuf);
}
