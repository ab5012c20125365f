/* WebSocket server (RFC 6455): turns a request for an upgrade into a channel of text and binary
 * messages both ways. Fragments are put together, pings answered, silent peers found by pings of
 * our own. No extensions. Everything on the connection's loop thread; other threads hand over with
 * net_loop_post(net_ws_loop(ws), ...).
 *
 * A request that net_ws_accept took is answered: it and its slices must not be used again. */
#ifndef NET_WEBSOCKET_H
#define NET_WEBSOCKET_H

#include "net/http_server.h"

struct net_ws;

enum net_ws_close {
    NET_WS_NORMAL = 1000,
    NET_WS_GOING_AWAY = 1001,
    NET_WS_PROTOCOL_ERROR = 1002,
    NET_WS_UNSUPPORTED = 1003,
    NET_WS_NO_STATUS = 1005, /* in on_close only: the peer's close frame had none */
    NET_WS_ABNORMAL = 1006,  /* in on_close only: gone without a close frame */
    NET_WS_BAD_DATA = 1007,  /* text that is not UTF-8 */
    NET_WS_POLICY = 1008,
    NET_WS_TOO_BIG = 1009,
    NET_WS_INTERNAL = 1011,
    NET_WS_TRY_LATER = 1013,
};

struct net_ws_config {
    const char *protocol;     /* Sec-WebSocket-Protocol to choose when offered; NULL = none */
    size_t message_bytes_max; /* of the peer's messages; 1009 beyond. 0 = 1 MiB */
    size_t queue_bytes_max;   /* unsent bytes; net_ws_send refuses beyond. 0 = 4 MiB */
    int64_t ping_interval_ns; /* a peer silent for two of them is gone. 0 = 30 s */
    /* A whole message; valid during the call. NULL: messages are thrown away. */
    void (*on_message)(struct net_ws *ws, bool text, struct slice message, void *ctx);
    /* After net_ws_send refused, or queued more than half of queue_bytes_max: there is room again.
     * May be NULL. */
    void (*on_drain)(struct net_ws *ws, void *ctx);
    /* Exactly once, at the end, whoever ended it; `ws` is freed after. */
    void (*on_close)(struct net_ws *ws, int code, struct slice reason, void *ctx);
    void *ctx;
};

/* GET with Upgrade: websocket. */
bool net_ws_is_upgrade(const struct net_request *req);
/* Answers 101, or 400 or 426 with a reason: then NULL, and on_close is not called. `config` is
 * copied. Headers set with net_response_header go out with the 101. */
struct net_ws *net_ws_accept(struct net_request *req, const struct net_ws_config *config);

/* Queues one message; copied. ERR_LIMIT: the peer is too slow and queue_bytes_max would be passed,
 * nothing was queued; ERR_CLOSED: closing. Text must be UTF-8. */
int net_ws_send(struct net_ws *ws, bool text, struct slice message);
/* Bytes not sent yet. */
size_t net_ws_queued(const struct net_ws *ws);
/* Starts the closing handshake; on_close follows (at the latest after some seconds). Allowed in
 * callbacks. `reason` is cut at 123 bytes. */
void net_ws_close(struct net_ws *ws, int code, const char *reason);
struct net_loop *net_ws_loop(const struct net_ws *ws);

#endif
