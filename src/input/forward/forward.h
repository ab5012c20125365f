/* Fluentd's forward protocol over TCP (decode/fluent.h), as Fluent Bit, Fluentd and its client
 * libraries send it. A message that asks for it (option chunk) is acknowledged once its rows are
 * durable; when they could not be stored the connection ends without, and the sender sends them
 * again. With a shared key senders prove that they know it first. Counters: pharos_forward_*. */
#ifndef INPUT_FORWARD_FORWARD_H
#define INPUT_FORWARD_FORWARD_H

#include "input/input.h"
#include "net/http_server.h"

struct input_forward;

struct input_forward_config {
    const char *name;                 /* of the door */
    const char *listen;               /* host:port */
    const struct net_tls_config *tls; /* NULL: plain */
    const char *shared_key;           /* "" = nobody is asked */
    const char *hostname;             /* what this end calls itself */
    size_t message_bytes_max;         /* also when decompressed */
};

/* ERR_EXISTS when the port is taken. Strings are copied. */
int input_forward_start(const struct input_env *env, const struct input_forward_config *config,
                        struct input_forward **out, struct diag *diag);
uint16_t input_forward_port(const struct input_forward *f);
int input_forward_reload_tls(struct input_forward *f, struct diag *diag);
/* NULL is fine. Not from a loop thread. */
void input_forward_stop(struct input_forward *f);

#endif
