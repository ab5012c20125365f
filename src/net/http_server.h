/* HTTP/1.1 and HTTP/2 server (RFC 9110, 9112, 9113): keep-alive, pipelining, chunked bodies,
 * Expect, request bodies in gzip, deflate, zstd and snappy, compressed and streamed responses with
 * backpressure, TLS with reload, and a limit on everything. HTTP/2 is taken with prior knowledge
 * (its preface) and, over TLS, by ALPN; handlers need not know.
 *
 * A handler runs on the connection's loop thread with the whole request body, decompressed. It
 * answers at once or later; it must answer exactly once. Long work belongs on the worker pool, the
 * answer comes back through net_loop_post(net_request_loop(req), ...). */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/slice.h"
#include "net/loop.h"

struct net_http_server;
struct net_request;

enum net_method {
    NET_GET,
    NET_HEAD,
    NET_POST,
    NET_PUT,
    NET_DELETE,
    NET_PATCH,
    NET_OPTIONS,
    NET_METHOD_OTHER
};

struct net_http_limits {
    size_t header_bytes_max;   /* request line and headers; 431 beyond. default 64 KiB */
    size_t body_bytes_max;     /* as sent; 413 beyond. default 64 MiB */
    size_t inflated_bytes_max; /* after decompression; 413 beyond. default 256 MiB */
    int64_t header_timeout_ns; /* from the first byte to the last header; 408. default 10 s */
    int64_t body_timeout_ns;   /* without any progress while a body is expected. default 30 s */
    int64_t idle_timeout_ns;   /* keep-alive between requests. default 120 s */
    int64_t write_timeout_ns;  /* without progress while the peer reads. default 60 s */
    size_t streams_max;        /* requests of one HTTP/2 connection at once. default 250 */
    size_t connections_max;    /* over all loops; more are answered 503 and closed. default 20000 */
    size_t body_memory_max;    /* all bodies in memory together; 503 beyond. default 1 GiB */
};

struct net_tls_config {
    const char *cert_file, *key_file;
    const char *client_ca_file; /* NULL: no client certificates asked */
};

struct net_http_config {
    const char *name;   /* of the door, for logs and counters */
    const char *listen; /* "127.0.0.1:9090", "[::1]:9090", "0.0.0.0:80", port 0 = any free */
    struct net_http_limits limits;    /* zero fields take the defaults */
    const struct net_tls_config *tls; /* NULL: plain */
    /* Called for every complete request on the loop thread. */
    void (*handler)(struct net_request *req, void *ctx);
    void *ctx;
};

/* Listens on every loop (SO_REUSEPORT). ERR_EXISTS with the holder's name and pid in the diag (when
 * it can be found out) if the port is taken. Config strings are copied. */
int net_http_server_start(struct net_loops *loops, const struct net_http_config *config,
                          struct net_http_server **out, struct diag *diag);
/* The bound port (for listen port 0). */
uint16_t net_http_server_port(const struct net_http_server *server);
/* Reads certificate files again; on error the old ones stay in use. Thread-safe. */
int net_http_server_reload_tls(struct net_http_server *server, struct diag *diag);
/* Stops listening; connections end after the request in hand or at drain_ns; then frees. */
void net_http_server_stop(struct net_http_server *server, int64_t drain_ns);

/* --- the request; slices live until the response is complete --- */
enum net_method net_request_method(const struct net_request *req);
struct slice net_request_method_name(const struct net_request *req);
struct slice net_request_path(const struct net_request *req);  /* raw, without the query */
struct slice net_request_query(const struct net_request *req); /* raw, without '?' */
/* Value of the first header of that name (any case), or ptr NULL. */
struct slice net_request_header(const struct net_request *req, const char *name);
/* Iterates headers: false at the end. */
bool net_request_header_next(const struct net_request *req, size_t *pos, struct slice *name,
                             struct slice *value);
/* Same for the fields behind the body. */
struct slice net_request_trailer(const struct net_request *req, const char *name);
/* Decompressed according to Content-Encoding, except "snappy" and "identity", which stay as sent
 * (in Prometheus' and Loki's protocols snappy is block format and belongs to the decoder). */
struct slice net_request_body(const struct net_request *req);
/* Lives as long as the request; for whatever the handler needs. */
struct arena *net_request_arena(struct net_request *req);
struct net_loop *net_request_loop(const struct net_request *req);
/* "127.0.0.1:51234" */
struct slice net_request_peer(const struct net_request *req);
/* TLS client's certificate was verified. */
bool net_request_is_tls(const struct net_request *req);
/* Called once on the loop thread if the peer goes away before the response is complete, so that
 * work can be cancelled. The handler must still answer (the answer is dropped). */
void net_request_on_abort(struct net_request *req, void (*fn)(void *ctx), void *ctx);

/* --- parameters: query string plus, for POST, an application/x-www-form-urlencoded body --- */
/* First value, percent-decoded, in the request's arena; ptr NULL when absent. */
struct slice net_request_param(struct net_request *req, const char *name);
/* One more parameter, behind the others; the value is copied. For requests whose parameters come
 * by other ways than a URL. */
void net_request_param_add(struct net_request *req, const char *name, struct slice value);
/* All values of `name` in order: i-th, or ptr NULL. */
struct slice net_request_param_at(struct net_request *req, const char *name, size_t i);

/* --- the response; loop thread only --- */
/* Headers go first; name and value are copied. */
void net_response_header(struct net_request *req, const char *name, struct slice value);
/* A field behind the body of a streamed response, before net_respond_end; copied. Peers of HTTP/1.0
 * do not get it. */
void net_response_trailer(struct net_request *req, const char *name, struct slice value);
/* The whole answer at once. Body is copied or compressed before the call returns. Content-Encoding
 * is negotiated for compressible content types unless the handler set that header itself. */
void net_respond(struct net_request *req, int status, const char *content_type, struct slice body);
void net_respond_text(struct net_request *req, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Streamed: begin, any number of writes, end. A write queues; when more than the high-water mark is
 * queued it returns false and `on_drain` is called once the peer has read enough. */
void net_respond_begin(struct net_request *req, int status, const char *content_type);
bool net_respond_write(struct net_request *req, struct slice chunk);
void net_respond_on_drain(struct net_request *req, void (*fn)(void *ctx), void *ctx);
void net_respond_end(struct net_request *req);

#endif
