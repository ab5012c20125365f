#include "net/udp_sender.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/url.h"

struct net_udp_sender {
    int fd;
};

int net_udp_sender_open(struct slice address, struct net_udp_sender **out, struct diag *diag)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV}, *found = NULL;
    char host[256], service[8];
    uint16_t port;
    *out = NULL;
    int err = net_peer_parse(address, host, sizeof(host), &port, diag);
    if (err)
        return err;
    snprintf(service, sizeof(service), "%u", port);
    int why = getaddrinfo(host, service, &hints, &found);
    if (why)
        return diag_set(diag, ERR_NOT_FOUND, "\"%.*s\": %s", SLICE_FMT(address), gai_strerror(why));
    int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen)) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    if (fd < 0)
        return diag_set(diag, ERR_IO, "\"%.*s\": %m", SLICE_FMT(address));
    *out = mem_calloc(1, sizeof(**out));
    (*out)->fd = fd;
    return 0;
}

bool net_udp_sender_send(struct net_udp_sender *s, struct slice bytes)
{
    ssize_t n = sendto(s->fd, bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
    bool refused = n < 0 && errno == ECONNREFUSED; /* the answer to an earlier one */
    if (refused)
        (void)!sendto(s->fd, bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
    return !refused && n == (ssize_t)bytes.len;
}

void net_udp_sender_close(struct net_udp_sender *s)
{
    if (!s)
        return;
    close(s->fd);
    mem_free(s);
}
