/* One outgoing TCP connection that is made when something is to be sent and made again after it
 * broke. For protocols that answer nothing (carbon's), or a line (health checks). */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "base/diag.h"
#include "base/slice.h"
#include "net/loop.h"

struct net_dial;

struct net_dial_config {
    const char *address; /* "host:port", "[::1]:2003"; copied */
    int64_t timeout_ns;  /* for connecting and for writing, each. 0 = 10 s */
    /* What the peer says, or NULL: thrown away. Loop thread. */
    void (*on_bytes)(void *ctx, struct slice bytes);
    void *ctx; /* of on_bytes */
};

/* Loop thread only, as all of these. ERR_INVALID: no such address. Nothing is connected yet. */
int net_dial_new(struct net_loop *loop, const struct net_dial_config *config, struct net_dial **out,
                 struct diag *diag);
/* Sends one piece after connecting, when need be; one at a time. `bytes` must stay until `done`,
 * which is called exactly once, never inside of this call: err 0 when the kernel took all of it,
 * else ERR_TIMEOUT, ERR_CLOSED or ERR_NOT_FOUND (the name) with words. What the kernel took may
 * still be lost when the peer goes away. */
void net_dial_send(struct net_dial *d, struct slice bytes,
                   void (*done)(void *ctx, int err, const char *why), void *ctx);
/* Closes the connection; the next send makes a new one. Not while one is on its way. */
void net_dial_hang_up(struct net_dial *d);
/* `done` of what is on its way is called with ERR_CANCELLED before this returns. NULL is fine. */
void net_dial_free(struct net_dial *d);

#endif
