/* Listening sockets: one a loop on the same port, and who holds a port that is taken. */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include "base/diag.h"
#include "base/types.h"

/* Binds `count` stream sockets to host:port with SO_REUSEPORT (they share connections), after
 * making sure that nobody else listens there; port 0 takes a free one for all. ERR_EXISTS names the
 * holder. */
int net__listen(const char *host, uint16_t port, size_t count, int *out_fds, uint16_t *out_port,
                struct diag *diag);
/* "nginx (pid 123)", or "" when it cannot be found out. */
void net__port_holder(uint16_t port, char *out, size_t out_size);

#endif
