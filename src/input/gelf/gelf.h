/* GELF's listeners: UDP (whole, chunked, compressed messages) and TCP (messages that end in NUL) on
 * one port. What is not taken is counted: pharos_gelf_refused_total by reason. Senders get no
 * acknowledgement; TCP is read as fast as the disk takes it (input/connection.h). */
#ifndef INPUT_GELF_GELF_H
#define INPUT_GELF_GELF_H

#include "input/input.h"
#include "net/http_server.h"

struct input_gelf;

struct input_gelf_config {
    const char *name;                 /* of the door */
    const char *listen;               /* host:port */
    const struct net_tls_config *tls; /* of TCP; NULL: plain */
    size_t message_bytes_max;         /* also when decompressed */
    size_t chunk_bytes_max; /* of messages whose chunks have not all come; the oldest give way */
};

/* ERR_EXISTS when the port is taken. Strings are copied. */
int input_gelf_start(const struct input_env *env, const struct input_gelf_config *config,
                     struct input_gelf **out, struct diag *diag);
uint16_t input_gelf_port(const struct input_gelf *g);
int input_gelf_reload_tls(struct input_gelf *g, struct diag *diag);
/* NULL is fine. Not from a loop thread. */
void input_gelf_stop(struct input_gelf *g);

#endif
