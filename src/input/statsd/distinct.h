/* How many distinct members a set has: exact up to STATSD_DISTINCT_EXACT, an estimate (HyperLogLog,
 * 0.8 % standard error) beyond. Members are hashed to 64 bits. */
#ifndef INPUT_STATSD_DISTINCT_H
#define INPUT_STATSD_DISTINCT_H

#include "base/slice.h"
#include "base/types.h"

#define STATSD_DISTINCT_EXACT 4096

/* Zero it before use. */
struct statsd_distinct {
    uint64_t *hashes; /* open addressing; 0 = free */
    uint32_t count, cap;
    bool has_zero;
    uint8_t *registers; /* of HyperLogLog, once there are too many */
};

void statsd__distinct_deinit(struct statsd_distinct *d);
void statsd__distinct_clear(struct statsd_distinct *d); /* keeps small memory */
void statsd__distinct_add(struct statsd_distinct *d, struct slice member);
void statsd__distinct_merge(struct statsd_distinct *d, const struct statsd_distinct *from);
double statsd__distinct_count(const struct statsd_distinct *d);
size_t statsd__distinct_bytes(const struct statsd_distinct *d);

#endif
