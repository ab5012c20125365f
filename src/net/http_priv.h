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

struct net__header {
    uint32_t name_at, name_len, value_at, value_len; /* into request.head */
};

struct net_request {
    struct net__conn *conn;
    struct arena *arena;
    enum net_method method;
    struct slice method_name, path, query; /* into head */
    struct buf head;                       /* target and headers, one after the other */
    uint32_t target_len;
    VEC(struct net__header) headers;
    struct buf body;
    size_t body_charged; /* taken from server->body_memory */
    struct net_param *params;
    size_t param_count;
    bool params_parsed;
    bool http10, keep_alive, expect_continue;
    char peer[64];

    /* response */
    struct buf extra_headers;
    bool has_encoding_header;
    bool answered; /* begun */
    bool chunked, complete;
    struct codec_stream *compressor;
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
    struct net_request *request; /* being read or answered */
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

/* http_request.c */
struct net_request *net__request_new(struct net__conn *c);
void net__request_free(struct net_request *req);
/* After the headers: splits the target, finds out about encodings. Returns 0 or an HTTP status with
 * the reason in `why`. */
int net__request_head_done(struct net_request *req, char *why, size_t why_size);
/* After the body: decompresses. Same result. */
int net__request_body_done(struct net_request *req, char *why, size_t why_size);

/* http_response.c */
const char *net__status_text(int status);

#endif
