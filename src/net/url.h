/* URLs as requests carry them: percent decoding, query strings and forms (WHATWG URL, section 5).
 */
#ifndef NET_URL_H
#define NET_URL_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/slice.h"

struct net_param {
    struct slice name, value;
};

/* %XX, and '+' as a space when plus_is_space. ERR_INVALID names the bad escape and its place. */
int net_url_decode(struct slice s, bool plus_is_space, struct arena *arena, struct slice *out,
                   struct diag *diag);
/* Appends everything but [A-Za-z0-9-_.~] as %XX. */
struct buf;
void net_url_encode(struct slice s, struct buf *out);
/* "a=1&b=%20": in order; a name without '=' has an empty value. */
int net_form_parse(struct slice s, struct arena *arena, struct net_param **out, size_t *out_count,
                   struct diag *diag);
/* "127.0.0.1:9090", "[::1]:80", ":80" (any address), "localhost:80". host is NUL-terminated. */
int net_address_parse(struct slice s, char *host, size_t host_size, uint16_t *out_port,
                      struct diag *diag);
/* Where to send to: the same with any host name, which is not looked up; no host or port 0 is an
 * error. */
int net_peer_parse(struct slice s, char *host, size_t host_size, uint16_t *out_port,
                   struct diag *diag);
/* The address cannot be reached from another machine. */
bool net_address_is_loopback(const char *host);

#endif
