/* Inside of an HTTP/2 session, for the files h2*.c and grpc.c. */
#ifndef NET_H2_PRIV_H
#define NET_H2_PRIV_H

#include <nghttp2/nghttp2.h>

#include "net/http_priv.h"

/* Queued bytes of one response at which its writer is told to wait, and to go on. Smaller than
 * those of a connection, as one connection has many responses. */
#define NET__H2_HIGH_WATER (NET__HIGH_WATER / 4)
#define NET__H2_LOW_WATER  (NET__LOW_WATER / 4)

struct net__h2 {
    struct net__conn *conn;
    nghttp2_session *session;
    struct net_request *first; /* all that live */
    size_t live;
    struct net_request *ready_first, *ready_last; /* whole, not with the handler yet */
    struct buf plain;                             /* to be encrypted */
    int64_t control_frames; /* frames that ask for work without a request, less what time forgave */
    int64_t idle_since_ns, last_read_ns;
    bool pinged, broken, drain_wanted, in_drain, notice_sent, goaway_sent;
};

struct net__h2_stream {
    struct net_request *prev, *next, *next_ready;
    int32_t id;
    struct net__span method;
    size_t head_bytes;
    int reject_status; /* found while reading the headers */
    struct buf queue;  /* of the response's body; bytes before queue_at were sent */
    size_t queue_at;
    unsigned pins;
    int counted_as;  /* status for the counters when the one sent says nothing (gRPC); 0 = it */
    bool ready;      /* in the list of that name */
    bool dispatched; /* with the handler, or refused */
    bool peer_ended; /* the whole request is here */
    bool ended;      /* the queue's end is the body's end */
    bool deferred;   /* nghttp2 waits for more of the body */
    bool gone;       /* the stream is closed: the peer hears no more */
    bool reset;      /* by us, as the peer does not read */
    bool drain_due;
    int64_t progress_ns; /* when something moved last */
    int64_t reset_at_ns; /* answered, but the peer has not ended; 0 = not so */
    int64_t expiry_ns;
    void (*on_expiry)(struct net_request *req);
    struct net_grpc_call *grpc; /* NULL: none */
};

static inline size_t net__h2_queued(const struct net_request *req)
{
    return req->h2->queue.len - req->h2->queue_at;
}

/* h2_stream.c */
struct net_request *net__h2_request_new(struct net__h2 *h2, int32_t id);
/* Takes the request out of the session and frees it. */
void net__h2_release(struct net_request *req);
/* The peer hears no more of it: tells a handler at work, else frees it. */
void net__h2_stream_gone(struct net_request *req);
/* One field of the request's head or trailers. */
void net__h2_field(struct net_request *req, struct slice name, struct slice value);
/* True when its fields were too many and it was answered so. */
bool net__h2_fields_refused(struct net_request *req);
/* All fields of the head are here, the body not yet. */
void net__h2_head_done(struct net_request *req);
/* Answers a request that does not get to its handler. */
void net__h2_refuse(struct net_request *req, int status, const char *text);

#endif
