/* Datagrams in batches: n sockets sharing one address (SO_REUSEPORT), one recvmmsg after the other
 * until the kernel has no more, and its count of datagrams that it dropped because nobody took them
 * in time (SO_RXQ_OVFL). UDP over IPv4 and IPv6, and datagram sockets in the file system. */
#ifndef NET_UDP_H
#define NET_UDP_H

#include <sys/socket.h>

#include "base/diag.h"
#include "base/slice.h"
#include "net/loop.h"

struct net_udp;

struct net_datagram {
    struct slice bytes;          /* valid during the callback */
    const struct sockaddr *from; /* of the sender */
    socklen_t from_len;
    bool cut; /* longer than datagram_bytes_max: the rest is lost */
};

struct net_udp_config {
    const char *name; /* of the door, for counters and logs */
    /* "127.0.0.1:8125", "[::1]:514", port 0 = any free; "unix:/run/statsd.sock" (one socket, the
     * file is replaced when nobody listens on it, and removed at the stop) */
    const char *listen;
    unsigned unix_mode;          /* of the socket's file; 0 = 0666 */
    size_t sockets;              /* 0 = one a loop; socket i lives on loop i mod count */
    size_t datagram_bytes_max;   /* 0 = 65535, the most UDP can carry */
    size_t receive_buffer_bytes; /* of each socket in the kernel; 0 = 8 MiB. Beyond
                                  * net.core.rmem_max only with CAP_NET_ADMIN */
    /* On the socket's loop thread, `socket` in [0, sockets): what arrived since the last call, at
     * most NET_UDP_BATCH. */
    void (*on_batch)(size_t socket, const struct net_datagram *datagrams, size_t count, void *ctx);
    void *ctx;
};

#define NET_UDP_BATCH 64

struct net_udp_stats {
    int64_t datagrams, bytes;
    int64_t dropped; /* by the kernel, as of the last datagram received */
    int64_t cut;
};

/* Counts as pharos_udp_*{door="name"} too. ERR_EXISTS when the port is taken. Config strings are
 * copied. */
int net_udp_start(struct net_loops *loops, const struct net_udp_config *config,
                  struct net_udp **out, struct diag *diag);
uint16_t net_udp_port(const struct net_udp *udp);
size_t net_udp_sockets(const struct net_udp *udp);
/* What the kernel gave as receive buffer, in bytes (twice what was asked is normal on Linux). */
size_t net_udp_receive_buffer(const struct net_udp *udp);
/* Thread-safe. */
struct net_udp_stats net_udp_stats(const struct net_udp *udp);
/* Reads what the kernel still holds, then closes and frees; no callback runs after it returned. Not
 * from a loop thread. NULL is fine. */
void net_udp_stop(struct net_udp *udp);
/* "127.0.0.1:51234", or "unix". */
void net_datagram_peer(const struct net_datagram *d, char *out, size_t out_size);

#endif
