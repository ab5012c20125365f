/* Routes: method and path pattern to handler. Tables are static; matching allocates nothing but
 * decoded parameters in the request's arena. */
#ifndef API_ROUTER_H
#define API_ROUTER_H

#include "base/buf.h"
#include "base/slice.h"
#include "net/http_server.h"

#define API_GET      1u /* HEAD too */
#define API_POST     2u
#define API_PUT      4u
#define API_DELETE   8u
#define API_PATCH    16u
#define API_ARGS_MAX 4

struct api;
struct api_door;
struct api__grpc_rest;
struct net_grpc_call;

/* One request on its way to a handler. Lives in the request's arena. */
struct api_call {
    struct api *api;
    const struct api_door *door;
    struct net_request *req;
    struct slice path;               /* below the door's mount point, still percent-encoded */
    struct slice args[API_ARGS_MAX]; /* the pattern's parameters in order, decoded */
    size_t arg_count;
    /* A gRPC call that this endpoint answers (api/grpc_rest.h), or NULL. */
    struct net_grpc_call *grpc;
    const struct api__grpc_rest *rest;
};

/* Runs on the request's loop thread; answers now or later, exactly once. */
typedef void (*api_handler)(struct api_call *call);

struct api_route {
    unsigned methods;
    /* "/api/v1/label/:name/values"; ":x" takes one non-empty segment, a final "*" the rest. */
    const char *pattern;
    api_handler handler;
    bool early; /* also while the server is not ready yet */
};

enum api_match { API_MATCH_OK, API_MATCH_NO_PATH, API_MATCH_NO_METHOD, API_MATCH_BAD_PATH };

/* Finds the row for method and call->path and fills call->args. On API_MATCH_NO_METHOD *out_allowed
 * is the union of the methods that the path knows. BAD_PATH: a parameter is not properly
 * percent-encoded. */
enum api_match api_route_match(const struct api_route *routes, size_t count, enum net_method method,
                               struct api_call *call, struct arena *arena,
                               const struct api_route **out, unsigned *out_allowed);
/* "GET, HEAD, POST, OPTIONS" */
void api_route_allow(unsigned methods, struct buf *out);

#endif
