/* Listening sockets: one a loop on the same port, and who holds a port that is taken. */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <sys/socket.h>

#include "base/diag.h"
#include "base/types.h"

/* Binds `count` stream sockets to host:port with SO_REUSEPORT (they share connections), after
 * making sure that nobody else listens there; port 0 takes a free one for all. ERR_EXISTS names the
 * holder. */
int net__listen(const char *host, uint16_t port, size_t count, int *out_fds, uint16_t *out_port,
                struct diag *diag);
/* The same for datagrams. */
int net__bind_udp(const char *host, uint16_t port, size_t count, int *out_fds, uint16_t *out_port,
                  struct diag *diag);
/* Binds a socket of that type (SOCK_STREAM, SOCK_DGRAM) to a file, whose mode is set. A socket that
 * nobody listens on any more is replaced; ERR_EXISTS for one in use and for other files. */
int net__bind_unix(const char *path, int type, unsigned mode, int *out_fd, struct diag *diag);
/* The path behind "unix:", or NULL. */
const char *net__unix_path(const char *listen);
/* "127.0.0.1:51234", "[::1]:51234", or "unix" for what has no such address. */
void net__address_text(const struct sockaddr *a, char *out, size_t out_size);
/* "nginx (pid 123)", or "" when it cannot be found out. */
void net__port_holder(int type, uint16_t port, char *out, size_t out_size);

#endif
