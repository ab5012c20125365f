/* Carbon's listeners: lines over TCP and UDP (2003), pickles (2004) and protobuf (2005) in frames
 * with their length in front. A connection is never ended for bad data: it is counted by its reason
 * (pharos_carbon_refused_total), and the last of them is in the log, at most once a minute.
 *
 * Senders get no acknowledgement, as carbon gives none; a connection is not read on while four of
 * its batches wait for the disk, so that a slow disk slows the senders down and nothing piles up.
 */
#ifndef INPUT_CARBON_CARBON_H
#define INPUT_CARBON_CARBON_H

#include "codec/json_write.h"
#include "input/input.h"
#include "net/http_server.h"

struct input_carbon;
struct input_carbon_filter; /* input/carbon/filter.h */

enum input_carbon_kind { INPUT_CARBON_LINES, INPUT_CARBON_PICKLE, INPUT_CARBON_PROTOBUF };

struct input_carbon_config {
    enum input_carbon_kind kind;
    const char *name;                 /* of the door */
    const char *listen;               /* host:port; lines are taken over UDP on the same port too */
    const struct net_tls_config *tls; /* NULL: plain */
    struct input_carbon_filter *filter; /* carbon's rules; NULL = none; outlives this */
    size_t line_bytes_max;              /* 0 = 64 KiB */
    size_t frame_bytes_max;             /* 0 = 8 MiB */
    size_t connections_max;             /* 0 = 20000 */
    int64_t idle_timeout_ns;            /* 0 = never */
};

/* ERR_EXISTS when the port is taken. Strings are copied. */
int input_carbon_start(const struct input_env *env, const struct input_carbon_config *config,
                       struct input_carbon **out, struct diag *diag);
uint16_t input_carbon_port(const struct input_carbon *c);
/* Takes what has arrived, then closes and frees. Not from a loop's thread. NULL is fine. */
void input_carbon_stop(struct input_carbon *c);

/* What came, from whom, what was refused and why, as one JSON object; some may be NULL. */
void input_carbon_look(struct input_carbon *const *all, size_t count, struct codec_json_writer *w);

#endif
