/* Inside of the HTTP server: connection and request, for the files http_*.c. */
#ifndef NET_HTTP_PRIV_H
#define NET_HTTP_PRIV_H

#include <llhttp/llhttp.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/counter.h"
#include "base/vec.h"
#include "codec/compress.h"
#include "net/http_server.h"
#include "net/loop_priv.h"
#include "net/tls.h"
#include "net/url.h"

#define NET__HIGH_WATER                                                                            \
    ((size_t)1 << 20) /* queued response bytes at which writers are told to wait */
#define NET__LOW_WATER      ((size_t)256 << 10) /* and at which they may go on */
#define NET__PIPELINE_BYTES ((size_t)64 << 10)  /* read ahead while a request is being answered */

struct net__conn;
struct net__h2;        /* an HTTP/2 session on a connection */
struct net__h2_stream; /* and one request on it */

enum net__counter {
    NET__ACCEPTED,
    NET__REFUSED,
    NET__OPEN,
    NET__2XX,
    NET__4XX,
    NET__5XX,
    NET__BYTES_IN,
    NET__BYTES_OUT,
    NET__TIMEOUTS,
    NET__H2_CONNS,
    NET__H2_REFUSED,
    NET__H2_ABUSE,
    NET__WS_OPEN,
    NET__COUNTER_COUNT
};

/* What a server has on one loop. */
struct net__acceptor {
    struct net_http_server *server;
    struct net_loop *loop;
    uv_tcp_t listener;
    uv_timer_t sweep; /* looks for connections past their deadline; runs while there are any */
    struct net__conn *conns;
    bool closing;
};

struct net_http_server {
    struct net_http_config config; /* strings owned */
    struct net__tls *tls;          /* NULL: plain */
    uint16_t port;
    size_t acceptor_count;
    struct net__acceptor *acceptors;
    struct budget body_memory;
    _Atomic size_t open_count;     /* connections */
    _Atomic size_t live_acceptors; /* not yet closed */
    struct counter counters[NET__COUNTER_COUNT];
    char counter_label[96];
    uv_sem_t stopped;
};

struct net__span {
    uint32_t at, len;
};

struct net__header {
    uint32_t name_at, name_len, value_at, value_len; /* into the text of its fields */
};

/* Header or trailer fields: their bytes one after the other, and where each is. */
struct net__fields {
    struct buf text;
    VEC(struct net__header) items;
};

struct net_request {
    struct net__conn *conn;
    struct arena *arena;
    enum net_method method;
    struct slice method_name, path, query; /* into head.text */
    struct net__fields head;               /* the target is in its text, too */
    struct net__span target;
    struct net__fields trailers;
    struct buf body;
    size_t body_charged; /* taken from server->body_memory */
    struct net_param *params;
    size_t param_count;
    bool params_parsed;
    bool http10, keep_alive, expect_continue;
    bool head_done; /* what comes now are trailers */
    bool is_grpc;   /* asked for as gRPC, over HTTP/2 */
    char peer[64];
    struct net__h2_stream *h2; /* NULL: HTTP/1 */

    /* response */
    struct buf extra_headers, out_trailers; /* "Name: value\r\n" each */
    bool has_encoding_header;
    bool answered; /* begun */
    bool chunked, complete;
    struct codec_stream *compressor;
    bool flush_each; /* each write can be read at the other end at once */
    void (*on_abort)(void *ctx);
    void *abort_ctx;
    void (*on_drain)(void *ctx);
    void *drain_ctx;
};

enum net__state {
    NET__IDLE, /* between requests */
    NET__HEAD, /* reading request line and headers */
    NET__BODY,
    NET__ANSWER, /* the handler has the request */
    NET__H2,     /* HTTP/2: the session knows */
    NET__WS,     /* upgraded to WebSocket */
    NET__LINGER, /* answered and shut down; what the peer still sends is read and dropped, so that
                  * the kernel does not reset the connection before the answer was read */
    NET__CLOSING,
};

struct net__conn {
    struct net__acceptor *acceptor;
    struct net__conn *prev, *next;
    uv_tcp_t tcp;
    llhttp_t parser;
    enum net__state state;
    struct net__tls_session *tls;
    struct net__h2 *h2;          /* NULL: HTTP/1 */
    struct net_ws *ws;           /* NULL: none */
    struct net_request *request; /* HTTP/1: being read or answered */
    bool sniffed;                /* it was decided which version this is */
    uint8_t preface_len;         /* so many bytes looked like HTTP/2's preface and were held back */
    struct buf ahead;            /* bytes read behind the request in hand */
    size_t head_bytes;           /* of the request being read */
    struct buf out;              /* to be written next */
    struct buf writing;          /* given to the kernel */
    uv_write_t write_req;
    bool write_pending, reading, close_after_write, linger, peer_closed, handle_closed, in_parse;
    int reject_status; /* a callback of the parser found a reason to refuse */
    char reject_text[200];
    int64_t deadline_ns; /* of the state in hand; 0 = none */
    int64_t waiting_since_ns;
};

/* http_conn.c */
void net__conn_accept(struct net__acceptor *a);
void net__conn_send(struct net__conn *c, struct slice bytes);
void net__conn_flush(struct net__conn *c);
void net__conn_close(struct net__conn *c);
size_t net__conn_queued(const struct net__conn *c);
/* The response in hand is complete: on with the next request, or close. */
void net__conn_answered(struct net__conn *c);
void net__conn_sweep(struct net__acceptor *a);
void net__conn_start_reading(struct net__conn *c);
/* Closes the handle of a closing connection unless a handler still has a request of it. */
void net__conn_close_when_free(struct net__conn *c);
/* Something moved: the write timeout begins anew while there is something to write. */
void net__conn_set_deadline(struct net__conn *c, int64_t timeout_ns);

/* http_request.c */
struct net_request *net__request_new(struct net__conn *c);
void net__request_free(struct net_request *req);
/* The first callback for a field: a header, or behind the body a trailer. */
struct net__fields *net__request_fields(struct net_request *req);
struct slice net__span_slice(const struct net_request *req, struct net__span span);
/* As Content-Encoding has it: gzip, deflate or zstd. */
struct slice net__coding_name(enum codec_compression coding);
/* After the headers: splits the target, finds out about encodings. `method_name` outlives the
 * request. Returns 0 or an HTTP status with the reason in `why`. */
int net__request_head_done(struct net_request *req, struct slice method_name, char *why,
                           size_t why_size);
/* More of the body; `length` is the whole as announced, or 0. Same result. */
int net__request_body_add(struct net_request *req, const void *ptr, size_t len, uint64_t length,
                          char *why, size_t why_size);
/* After the body: decompresses. Same result. */
int net__request_body_done(struct net_request *req, char *why, size_t why_size);

/* http_response.c */
const char *net__status_text(int status);
/* Marks the answer as begun and counts it. */
void net__response_begun(struct net_request *req, int status);

/* h2.c: the session */
extern const char net__h2_preface[24 + 1];
/* The connection goes on as HTTP/2; its preface comes with the bytes to feed. */
void net__h2_start(struct net__conn *c);
void net__h2_free(struct net__h2 *h2);
void net__h2_feed(struct net__conn *c, struct slice bytes);
/* Moves what may be sent into the connection's queue, up to its high-water mark. */
void net__h2_pump(struct net__conn *c);
/* After writing: wakes handlers that wait, ends what has ended. */
void net__h2_after_flush(struct net__conn *c);
/* The peer is gone for all requests; those with handlers live until they are answered. */
void net__h2_abort_all(struct net__conn *c);
/* Requests that are not freed yet. */
size_t net__h2_live(const struct net__h2 *h2);
/* Announces the end; true while requests or output are left. */
bool net__h2_drain(struct net__conn *c);
/* Timeouts, about four times a second. */
void net__h2_sweep(struct net__conn *c, int64_t now_ns);

/* h2_stream.c: a request and its response */
/* What the peer never hears of does not change anything: all of these know that it may be gone. */
void net__h2_send_head(struct net_request *req, int status, const char *type,
                       enum codec_compression coding, bool vary, int64_t length, bool has_body);
void net__h2_send_body(struct net_request *req, struct slice bytes);
void net__h2_answered(struct net_request *req);
/* Its on_drain was set. */
void net__h2_drain_wanted(struct net_request *req);
/* True while the peer keeps up. */
bool net__h2_flush(struct net_request *req);
/* The request outlives its answer until unpinned as often. */
void net__h2_pin(struct net_request *req);
void net__h2_unpin(struct net_request *req);
/* fn(req) once at that time of the loop's clock, unless it is answered by then. */
void net__h2_set_expiry(struct net_request *req, int64_t at_ns,
                        void (*fn)(struct net_request *req));

/* websocket.c */
void net__ws_feed(struct net__conn *c, struct slice bytes);
/* As for HTTP/2. */
void net__ws_pump(struct net__conn *c);
void net__ws_after_flush(struct net__conn *c);
void net__ws_sweep(struct net__conn *c, int64_t now_ns);
/* The connection is closed: says so. NULL is fine. */
void net__ws_free(struct net_ws *ws);

/* grpc.c */
bool net__grpc_type(const struct net_request *req);
/* The answer to a gRPC request that is an HTTP error: as a status of gRPC. */
void net__grpc_refuse(struct net_request *req, int http_status, struct slice text);

#endif
