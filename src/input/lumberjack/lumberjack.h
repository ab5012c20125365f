/* Lumberjack (decode/lumberjack.h) over TCP, as Beats' Logstash output and Logstash's own speak it.
 * A window is acknowledged once all its events are durable; when they could not be stored, or the
 * frames are damaged, the connection ends without, and the sender sends the window again. Counters:
 * pharos_lumberjack_*. */
#ifndef INPUT_LUMBERJACK_LUMBERJACK_H
#define INPUT_LUMBERJACK_LUMBERJACK_H

#include "input/input.h"
#include "net/http_server.h"

struct input_lumberjack;

struct input_lumberjack_config {
    const char *name;                 /* of the door */
    const char *listen;               /* host:port */
    const struct net_tls_config *tls; /* NULL: plain */
    size_t frame_bytes_max;           /* also when decompressed */
};

/* ERR_EXISTS when the port is taken. Strings are copied. */
int input_lumberjack_start(const struct input_env *env,
                           const struct input_lumberjack_config *config,
                           struct input_lumberjack **out, struct diag *diag);
uint16_t input_lumberjack_port(const struct input_lumberjack *l);
int input_lumberjack_reload_tls(struct input_lumberjack *l, struct diag *diag);
/* NULL is fine. Not from a loop thread. */
void input_lumberjack_stop(struct input_lumberjack *l);

#endif
