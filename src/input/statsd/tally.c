/* Who sends how much: counted beside each datagram in a small table of the shard, without a lock of
 * its own and without text, and handed over to the bounded table of all senders when another
 * address needs the place or somebody looks. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "input/statsd/statsd_priv.h"

static void hand_over(struct input_statsd *s, struct statsd_tally *t)
{
    char host[INET6_ADDRSTRLEN], peer[INET6_ADDRSTRLEN + 8] = "unix";
    if (t->len > 1) {
        inet_ntop(t->len == 4 ? AF_INET : AF_INET6, t->address, host, sizeof(host));
        snprintf(peer, sizeof(peer), "%s:0", host); /* its port is of no interest */
    }
    input_senders_add(s->udp_senders, peer, t->samples, t->refused, t->last_ns);
    t->len = 0;
}

void statsd__tally(struct input_statsd *s, struct statsd_shard *shard, const struct sockaddr *from,
                   int64_t samples, int64_t refused)
{
    const void *address = "";
    uint8_t len = 1;
    if (from && from->sa_family == AF_INET) {
        address = &((const struct sockaddr_in *)(const void *)from)->sin_addr;
        len = 4;
    } else if (from && from->sa_family == AF_INET6) {
        address = &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
        len = 16;
    }
    uint32_t low;
    memcpy(&low, (const char *)address + (len > 4 ? 12 : 0), len > 1 ? 4 : 1);
    if (len == 1)
        low = 0;
    struct statsd_tally *t =
        &shard->tallies[(low * UINT32_C(2654435769)) >> 26 & (STATSD_TALLIES - 1)];
    if (BASE_UNLIKELY(t->len != len || memcmp(t->address, address, len) != 0)) {
        if (t->len)
            hand_over(s, t);
        *t = (struct statsd_tally){.len = len};
        memcpy(t->address, address, len);
    }
    t->samples += samples;
    t->refused += refused;
    t->last_ns = shard->wall_ns;
}

void statsd__tally_flush(struct input_statsd *s, struct statsd_shard *shard)
{
    for (size_t i = 0; i < STATSD_TALLIES; i++) {
        if (shard->tallies[i].len)
            hand_over(s, &shard->tallies[i]);
    }
}
