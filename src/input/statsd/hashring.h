/* Which daemon gets a name: the ring that the Node daemon's proxy uses (npm's hashring 3.2 with
 * MD5, 40 points a node, no replicas), so that both send the same names to the same daemons. */
#ifndef INPUT_STATSD_HASHRING_H
#define INPUT_STATSD_HASHRING_H

#include "base/slice.h"

struct statsd_ring {
    struct statsd_ring_point {
        uint32_t value;
        uint32_t node;
    } * points; /* ascending */
    size_t count;
};

/* `names`: "host:port" of each node; those of which is_in says no are left out. Zero it first, or
 * replace one; no node gives an empty ring. */
void statsd__ring_build(struct statsd_ring *ring, const char *const *names, const bool *is_in,
                        size_t count);
void statsd__ring_deinit(struct statsd_ring *ring);
/* Index of the node for this name, or -1 when there is none. */
ptrdiff_t statsd__ring_get(const struct statsd_ring *ring, struct slice name);

#endif
