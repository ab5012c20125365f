/* The repeater: packets as they came go on to other daemons, over UDP, or over one TCP connection
 * each with a bounded buffer. It never waits; what is not taken is counted
 * (pharos_statsd_repeat_failed_packets_total). */
#ifndef INPUT_STATSD_REPEAT_H
#define INPUT_STATSD_REPEAT_H

#include "input/input.h"

struct statsd_repeat;

/* "host:port, tcp://host:port, ..."; *out is NULL for "". Names of UDP targets are looked up now.
 */
int statsd__repeat_new(const struct input_env *env, const char *targets, struct statsd_repeat **out,
                       struct diag *diag);
void statsd__repeat_free(struct statsd_repeat *r); /* not from a loop thread; NULL is fine */
/* One packet. Any thread. */
void statsd__repeat_packet(struct statsd_repeat *r, struct slice packet);
/* What came over a stream, in packets of whole lines. */
void statsd__repeat_stream(struct statsd_repeat *r, struct slice bytes);

#endif
