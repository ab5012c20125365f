/* Raw byte streams: a listener on TCP (with or without TLS) or a Unix socket whose connections
 * speak a protocol of lines or frames (carbon, StatsD, syslog). The caller takes whole lines or
 * frames from a buffer; what is not whole yet stays in it. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/diag.h"
#include "base/slice.h"
#include "net/http_server.h"
#include "net/loop.h"

struct net_stream_server;
struct net_stream; /* one connection; lives on one loop */

struct net_stream_config {
    const char *name; /* of the door, for counters and logs */
    /* "127.0.0.1:2003", "[::1]:2003", port 0 = any free; "unix:/run/x.sock" (replaced when nobody
     * listens on it, removed at the stop) */
    const char *listen;
    unsigned unix_mode;               /* of the socket's file; 0 = 0666 */
    const struct net_tls_config *tls; /* NULL: plain */
    size_t buffer_bytes_max;          /* what one line or frame may take. 0 = 64 KiB */
    size_t queue_bytes_max;           /* unsent bytes at which the connection ends. 0 = 4 MiB */
    size_t connections_max;           /* more are closed at once. 0 = 20000 */
    int64_t idle_timeout_ns;          /* without a byte from the peer. 0 = never */

    /* All on the connection's loop thread. `on_open` may be NULL. */
    void (*on_open)(struct net_stream *s, void *ctx);
    /* Everything buffered; returns how many bytes were taken, from the front. The rest is shown
     * again with what comes behind it; `end`: nothing will (a last line without its end). A full
     * buffer of which nothing is taken is handed to `on_overflow`. */
    size_t (*on_bytes)(struct net_stream *s, struct slice bytes, bool end, void *ctx);
    /* A line or frame larger than buffer_bytes_max: returns how many bytes to throw away; 0 or
     * NULL ends the connection. */
    size_t (*on_overflow)(struct net_stream *s, struct slice bytes, void *ctx);
    /* The connection is gone: frees what net_stream_set_state keeps. May be NULL. */
    void (*on_close)(struct net_stream *s, void *ctx);
    void *ctx;
};

/* Listens on every loop; ERR_EXISTS when the address is taken. Config strings are copied. Counts as
 * pharos_stream_*{door="name"}. */
int net_stream_server_start(struct net_loops *loops, const struct net_stream_config *config,
                            struct net_stream_server **out, struct diag *diag);
uint16_t net_stream_server_port(const struct net_stream_server *server);
/* Reads certificate files again; on error the old ones stay in use. Thread-safe. */
int net_stream_server_reload_tls(struct net_stream_server *server, struct diag *diag);
/* Stops listening, takes what has arrived already, closes all connections, frees; no callback runs
 * after it returned. Not from a loop thread. NULL is fine. */
void net_stream_server_stop(struct net_stream_server *server);

/* --- the connection; loop thread only --- */
void net_stream_set_state(struct net_stream *s, void *state);
void *net_stream_state(const struct net_stream *s);
struct net_loop *net_stream_loop(const struct net_stream *s);
/* "127.0.0.1:51234", or "unix"; lives as long as the connection. */
const char *net_stream_peer(struct net_stream *s);
/* Queues; copied. ERR_LIMIT: more than queue_bytes_max is unsent and the connection ends. */
int net_stream_write(struct net_stream *s, struct slice bytes);
/* Backpressure: no on_bytes until resumed. */
void net_stream_pause(struct net_stream *s);
void net_stream_resume(struct net_stream *s);
/* Ends it once what is queued is written; on_bytes is not called again. Allowed in callbacks. */
void net_stream_close(struct net_stream *s);

#endif
