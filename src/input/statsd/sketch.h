/* Observations as an exponential histogram that can be added to others: the state behind native
 * histograms and quantiles. Starts with buckets 2^(1/2^schema) wide and halves the resolution
 * whenever more than STATSD_SKETCH_BUCKETS would be needed. */
#ifndef INPUT_STATSD_SKETCH_H
#define INPUT_STATSD_SKETCH_H

#include "data/histogram.h"

#define STATSD_SKETCH_SCHEMA  4 /* 4.4 % wide: an estimate is off by 2.2 % at most */
#define STATSD_SKETCH_BUCKETS 160

struct statsd_sketch_side {
    int32_t first; /* index of counts[0]; bucket i holds (base^(i-1), base^i] */
    uint32_t len;  /* of counts; 0 = nothing */
    uint32_t cap;
    double *counts;
};

/* Zero it, then statsd__sketch_init. */
struct statsd_sketch {
    int32_t schema;
    double zero, count, sum;
    struct statsd_sketch_side positive, negative;
};

void statsd__sketch_init(struct statsd_sketch *s, int32_t schema);
void statsd__sketch_deinit(struct statsd_sketch *s);
/* Forgets the observations, keeps memory and schema. */
void statsd__sketch_clear(struct statsd_sketch *s);
/* `value` finite, `weight` above 0. */
void statsd__sketch_add(struct statsd_sketch *s, double value, double weight);
void statsd__sketch_merge(struct statsd_sketch *s, const struct statsd_sketch *from);
/* As a native histogram in the arena, empty buckets left out. */
struct data_histogram *statsd__sketch_histogram(const struct statsd_sketch *s, struct arena *arena);
size_t statsd__sketch_bytes(const struct statsd_sketch *s);

#endif
