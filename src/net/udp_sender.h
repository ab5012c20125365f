/* Datagrams out to one address: a connected socket that never waits. */
#ifndef NET_UDP_SENDER_H
#define NET_UDP_SENDER_H

#include "base/diag.h"
#include "base/slice.h"

struct net_udp_sender;

/* "127.0.0.1:8125", "[::1]:8125", "collector:8125": the name is looked up now, which may block.
 * ERR_INVALID, or ERR_NOT_FOUND for a name that nobody knows. */
int net_udp_sender_open(struct slice address, struct net_udp_sender **out, struct diag *diag);
/* One datagram; false: it was not taken (no room in the kernel, too long), or the one before it
 * found nobody there: one of them is lost. Any thread. */
bool net_udp_sender_send(struct net_udp_sender *s, struct slice bytes);
void net_udp_sender_close(struct net_udp_sender *s); /* NULL is fine */

#endif
