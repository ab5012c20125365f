/* Syslog's listeners: UDP and TCP on one port, TCP with TLS when it has a certificate. Senders get
 * no acknowledgement, as the protocol has none; a connection is not read on while four of its
 * batches wait for the disk, so that a slow disk slows the senders down. What is not taken is
 * counted: pharos_syslog_refused_total by reason, pharos_udp_dropped_total for what the kernel
 * dropped. */
#ifndef INPUT_SYSLOG_SYSLOG_H
#define INPUT_SYSLOG_SYSLOG_H

#include "input/input.h"
#include "net/http_server.h"

struct input_syslog;

struct input_syslog_config {
    const char *name;                 /* of the door */
    const char *listen;               /* host:port */
    const struct net_tls_config *tls; /* of TCP; NULL: plain */
    size_t message_bytes_max;
    /* The zone of times that name none: "local" (this machine's), or one that text_go_zone_parse
     * knows. */
    const char *zone;
};

/* ERR_EXISTS when the port is taken; ERR_INVALID: there is no such zone. Strings are copied. */
int input_syslog_start(const struct input_env *env, const struct input_syslog_config *config,
                       struct input_syslog **out, struct diag *diag);
uint16_t input_syslog_port(const struct input_syslog *s);
/* Reads certificate files again; on error the old ones stay in use. */
int input_syslog_reload_tls(struct input_syslog *s, struct diag *diag);
/* Takes what has arrived, then frees; NULL is fine. Not from a loop thread. */
void input_syslog_stop(struct input_syslog *s);

#endif
