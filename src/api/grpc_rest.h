/* gRPC methods that mean what an endpoint of HTTP means: the request's fields become that one's
 * parameters, its JSON becomes the answer's message, by tables. So a method is a row here, and no
 * query is answered in two places.
 *
 * An endpoint whose row has no table looks at api_job.grpc and gives messages itself. */
#ifndef API_GRPC_REST_H
#define API_GRPC_REST_H

#include "api/job.h"
#include "codec/proto_json.h"

enum api__grpc_kind {
    API__GRPC_TEXT,
    API__GRPC_NUMBER,    /* as decimal digits; 0 is left out */
    API__GRPC_MS,        /* a number of milliseconds: "15ms" */
    API__GRPC_NS,        /* of nanoseconds */
    API__GRPC_HEX,       /* bytes as hexadecimal digits */
    API__GRPC_TIMESTAMP, /* google.protobuf.Timestamp as RFC 3339 */
    API__GRPC_DURATION,  /* google.protobuf.Duration: "15ns" */
    API__GRPC_LOGFMT,    /* map<string, string>: a="x" b="y" */
    API__GRPC_JSON,      /* map<string, string>: {"a":"x","b":"y"} */
    API__GRPC_MESSAGE    /* its fields are parameters too */
};

struct api__grpc_param {
    uint32_t number; /* 0 ends the list */
    enum api__grpc_kind kind;
    const char *name; /* "/": it is the path's first parameter */
    const struct api__grpc_param *sub;
};

struct api__grpc_rest {
    const char *path;                         /* "/package.Service/Method" */
    api_handler handler;                      /* the endpoint */
    const struct api__grpc_param *params;     /* NULL: none */
    const struct codec_proto_message *answer; /* of its JSON; NULL: it gives messages itself */
    bool stream;                              /* the method answers with any number of messages */
};

/* The method of a request's path in a door's table, as the handler of its struct net_grpc_method;
 * ctx is the struct api_mount. */
void api__grpc_rest(struct net_grpc_call *call, void *ctx);

/* The row of a method's path, whatever door's it is, and the door. */
const struct api__grpc_rest *api__grpc_rest_find(struct slice path, const struct api_door **out);

/* For job.c. The job's JSON becomes the message; on a worker. */
void api__grpc_rest_convert(struct api_job *job);
/* Sends what the job has; true when the client takes more at once. The call ends with the last. */
bool api__grpc_rest_deliver(struct api_job *job);

#endif
