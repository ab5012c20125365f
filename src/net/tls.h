/* TLS for connections (OpenSSL over memory buffers), with certificates that can be reloaded. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/buf.h"
#include "base/diag.h"
#include "net/http_server.h"

struct net__tls;         /* a server's certificates */
struct net__tls_session; /* one connection */

/* `http`: offers HTTP/2 and HTTP/1.1 by ALPN. */
int net__tls_new(const struct net_tls_config *config, bool http, struct net__tls **out,
                 struct diag *diag);
void net__tls_free(struct net__tls *tls);
/* Reads the files again; on error the old ones stay. Thread-safe. */
int net__tls_reload(struct net__tls *tls, struct diag *diag);

struct net__tls_session *net__tls_accept(struct net__tls *tls);
void net__tls_session_free(struct net__tls_session *s);
/* Takes bytes from the network, appends plain bytes to `plain` and bytes for the network to `wire`.
 * False when the connection is broken (then `wire` may hold an alert); *eof when the peer said
 * goodbye. */
bool net__tls_read(struct net__tls_session *s, struct slice wire_in, struct buf *plain,
                   struct buf *wire, bool *eof);
/* Encrypts. */
bool net__tls_write(struct net__tls_session *s, struct slice plain, struct buf *wire);
/* The peer chose HTTP/2 (ALPN); known once there are plain bytes. */
bool net__tls_is_h2(const struct net__tls_session *s);
bool net__tls_verified(const struct net__tls_session *s);

#endif
