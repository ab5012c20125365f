/* Records of the domain name system (RFC 1035, RFC 2782), asked without holding up the loop: each
 * question has a thread of its own while it waits. Names are looked for as resolv.conf says. */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "base/diag.h"
#include "base/slice.h"
#include "net/loop.h"

enum net_dns_type {
    NET_DNS_A = 1,
    NET_DNS_NS = 2,
    NET_DNS_MX = 15,
    NET_DNS_AAAA = 28,
    NET_DNS_SRV = 33
};

struct net_dns_record {
    struct slice target; /* an address, or a name with its last dot */
    int port;            /* SRV */
};

struct net_dns_answer {
    int err; /* ERR_IO, ERR_TIMEOUT: with words in diag. That a name has no such record is none */
    const struct diag *diag;
    const struct net_dns_record *records;
    size_t count;
};

struct net_dns_query;
typedef void (*net_dns_fn)(const struct net_dns_answer *answer, void *ctx);

/* Asks; `fn` is called on the loop's thread, never before this returns, and the query is gone then.
 * `server` is "1.2.3.4:53", NULL = those of resolv.conf. On the loop's thread. */
struct net_dns_query *net_dns_ask(struct net_loop *loop, const char *server, struct slice name,
                                  int type, net_dns_fn fn, void *ctx);
/* `fn` is not called any more. On the loop's thread. */
void net_dns_cancel(struct net_dns_query *query);
/* Whether it is an address and port as `server` takes them. */
bool net_dns_server_ok(const char *server);

#endif
