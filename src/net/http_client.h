/* HTTP client for scraping, remote write, webhooks and object storage (libcurl multi, driven by a
 * net_loop). Connections are kept and reused. */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "base/diag.h"
#include "base/slice.h"
#include "net/loop.h"

struct net_client;
struct net_client_call;

struct net_client_tls {
    const char *ca_file, *cert_file, *key_file; /* any may be NULL */
    /* Asked for and checked instead of the URL's host; NULL = the URL's. */
    const char *server_name;
    int min_version, max_version; /* 10 to 13 for TLS 1.0 to 1.3; 0 = the library's */
    bool insecure_skip_verify;
};

struct net_client_header {
    struct slice name, value;
};

struct net_client_request {
    const char *method; /* "GET" when NULL */
    const char *url;
    const struct net_client_header *headers;
    size_t header_count;
    struct slice body;               /* copied */
    const char *username, *password; /* basic auth when username is not NULL */
    const char *bearer_token;
    const char *proxy_url;
    const struct net_client_tls *tls;
    bool follow_redirects;
    bool http2; /* for gRPC: without TLS at once, with it by ALPN; trailers are among the headers */
    bool accept_compressed; /* offers gzip/deflate and inflates */
    int64_t timeout_ns;     /* whole call; 0 = 30 s */
    size_t
        response_bytes_max; /* after inflating; 0 = 64 MiB; more ends the call with ERR_TOO_LARGE */
};

struct net_client_response {
    int err;    /* 0, or ERR_TIMEOUT, ERR_CLOSED, ERR_TOO_LARGE, ERR_IO ...; then diag says */
    int status; /* HTTP status when err is 0 */
    struct slice content_type;
    struct slice body; /* valid during the callback */
    size_t wire_bytes; /* as received */
    int64_t duration_ns;
    const struct diag *diag;
    /* First header of that name, or ptr NULL. */
    struct slice (*header)(const struct net_client_response *resp, const char *name);
    void *priv;
};

int net_client_new(struct net_loop *loop, struct net_client **out, struct diag *diag);
/* Cancels calls in flight (their callbacks see ERR_CANCELLED) and frees. Loop thread. */
void net_client_free(struct net_client *client);
/* Starts a call; `done` is called exactly once on the loop thread. Loop thread only. Strings are
 * copied. */
struct net_client_call *
net_client_send(struct net_client *client, const struct net_client_request *req,
                void (*done)(const struct net_client_response *resp, void *ctx), void *ctx);
/* `done` is called with ERR_CANCELLED before this returns. */
void net_client_cancel(struct net_client_call *call);

/* Blocking call without a loop, for command-line tools. The response's memory is in `arena`. */
struct arena;
int net_client_fetch(const struct net_client_request *req, struct arena *arena,
                     struct net_client_response *out, struct diag *diag);

#endif
