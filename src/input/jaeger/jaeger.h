/* What Jaeger's agent takes: batches of spans in datagrams, in Thrift's compact (6831) or binary
 * protocol (6832). Senders get no answer; what is not taken is counted in
 * pharos_jaeger_refused_total by reason, and in pharos_udp_dropped_total what the kernel dropped.
 */
#ifndef INPUT_JAEGER_JAEGER_H
#define INPUT_JAEGER_JAEGER_H

#include "input/input.h"

struct input_jaeger;

struct input_jaeger_config {
    bool compact;       /* else binary */
    const char *name;   /* of the door */
    const char *listen; /* host:port */
};

/* ERR_EXISTS when the port is taken. Strings are copied. */
int input_jaeger_start(const struct input_env *env, const struct input_jaeger_config *config,
                       struct input_jaeger **out, struct diag *diag);
uint16_t input_jaeger_port(const struct input_jaeger *j);
/* Takes what has arrived, then frees. Not from a loop's thread. NULL is fine. */
void input_jaeger_stop(struct input_jaeger *j);

#endif
