/* gRPC server (gRPC over HTTP/2, github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md) on top of
 * net_request: one message in, one message out (unary) or many out (server streaming).
 *
 * A door's handler asks net_grpc_is() after it has authenticated the request as any other, and
 * hands it to net_grpc_serve() with its table of methods. Messages are bytes; protobuf is the
 * caller's. Whatever else answers a gRPC request through net_respond (authentication, limits, an
 * unknown path, a method's own handler) reaches the client as the gRPC status that fits the HTTP
 * one, so refusals need no code of their own; a call is ended by it.
 *
 *     static void export_traces(struct net_grpc_call *call, void *ctx)   on the loop thread
 *     {
 *         pool->submit(pool, TASK_INTERACTIVE, decode_and_store, call);
 *     }
 *     static void decode_and_store(void *arg)                            on a worker
 *     {
 *         struct slice message;
 *         if ((err = net_grpc_message(call, &message, &diag)))
 *             net_grpc_fail(call, net_grpc_status_of(err), "%s", diag.msg);
 *         else
 *             net_grpc_reply(call, answer);
 *     }
 */
#ifndef NET_GRPC_H
#define NET_GRPC_H

#include "net/http_server.h"

struct net_grpc_call;

enum net_grpc_status {
    NET_GRPC_OK = 0,
    NET_GRPC_CANCELLED = 1,
    NET_GRPC_UNKNOWN = 2,
    NET_GRPC_INVALID_ARGUMENT = 3,
    NET_GRPC_DEADLINE_EXCEEDED = 4,
    NET_GRPC_NOT_FOUND = 5,
    NET_GRPC_ALREADY_EXISTS = 6,
    NET_GRPC_PERMISSION_DENIED = 7,
    NET_GRPC_RESOURCE_EXHAUSTED = 8,
    NET_GRPC_FAILED_PRECONDITION = 9,
    NET_GRPC_ABORTED = 10,
    NET_GRPC_OUT_OF_RANGE = 11,
    NET_GRPC_UNIMPLEMENTED = 12,
    NET_GRPC_INTERNAL = 13,
    NET_GRPC_UNAVAILABLE = 14,
    NET_GRPC_DATA_LOSS = 15,
    NET_GRPC_UNAUTHENTICATED = 16,
};

struct net_grpc_method {
    const char *path; /* "/package.Service/Method" */
    /* On the loop thread with the whole request; ends the call exactly once, at once or later, with
     * net_grpc_reply, net_grpc_fail or net_grpc_end. */
    void (*handler)(struct net_grpc_call *call, void *ctx);
};

/* An HTTP/2 request whose Content-Type is application/grpc or application/grpc+proto. */
bool net_grpc_is(const struct net_request *req);
/* Answers the request by the method of its path; `methods` outlives the call. Paths of no method
 * get UNIMPLEMENTED; /grpc.health.v1.Health/Check is answered for the services of the table
 * (SERVING or NOT_FOUND). Loop thread only. */
void net_grpc_serve(struct net_request *req, const struct net_grpc_method *methods, size_t count,
                    void *ctx);

/* --- the call; valid until it is ended --- */
/* Its headers are the call's metadata (net_request_header), its arena lives as long as the call.
 * net_request_on_abort tells when the client cancelled, went away or the deadline passed; the
 * handler still ends the call (that answer is dropped). Metadata for the client goes through
 * net_response_header, on the loop thread, before the first message. */
struct net_request *net_grpc_request(struct net_grpc_call *call);
/* The message of the request, decompressed (identity, gzip, deflate, zstd). Decompression happens
 * in here, so call it on a worker when messages may be large; any one thread at a time.
 * ERR_INVALID: damaged; ERR_TOO_LARGE: beyond limits.http.inflated_bytes; ERR_NOMEM:
 * limits.http.body_memory. */
int net_grpc_message(struct net_grpc_call *call, struct slice *out, struct diag *diag);
/* When the client stops waiting (grpc-timeout), on the clock CLOCK_MONOTONIC; 0 = never. */
int64_t net_grpc_deadline_ns(const struct net_grpc_call *call);

/* --- the answer; any thread, everything is copied or sent before the call returns --- */
/* Unary: the message with status OK. Ends the call. */
void net_grpc_reply(struct net_grpc_call *call, struct slice message);
/* Ends the call with a status and words for it. */
void net_grpc_fail(struct net_grpc_call *call, enum net_grpc_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Same, and asks the client to try again after `retry_ns` (google.rpc.RetryInfo in
 * grpc-status-details-bin): UNAVAILABLE, or RESOURCE_EXHAUSTED, which clients of OTLP retry only
 * with this detail. */
void net_grpc_fail_retry(struct net_grpc_call *call, enum net_grpc_status status, int64_t retry_ns,
                         const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Same with details of the caller's: `status_message` is an encoded google.rpc.Status. */
void net_grpc_fail_details(struct net_grpc_call *call, enum net_grpc_status status,
                           struct slice text, struct slice status_message);
/* The status for an enum err: ERR_INVALID INVALID_ARGUMENT, ERR_TOO_LARGE, ERR_NOMEM and ERR_LIMIT
 * RESOURCE_EXHAUSTED, ERR_NOSPACE and ERR_AGAIN UNAVAILABLE, ... */
enum net_grpc_status net_grpc_status_of(int err);

/* --- server streaming; loop thread only --- */
/* One message more. False: the client is behind; go on when net_respond_on_drain of the call's
 * request says so (the message is queued nevertheless). */
bool net_grpc_send(struct net_grpc_call *call, struct slice message);
/* No more messages. Ends the call; NET_GRPC_OK wants no text. */
void net_grpc_end(struct net_grpc_call *call, enum net_grpc_status status, struct slice text);

#endif
