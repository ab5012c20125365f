/* The tail of a series: its samples that are in no part yet. The youngest lie in a stream of bytes,
 * two to four a sample, appended to one by one; whenever enough have come they are packed into a
 * block. One allocation a tail, in the order of arrival, unsorted. */
#ifndef STORE_TAIL_H
#define STORE_TAIL_H

#include "base/arena.h"
#include "store/run.h"

#define STORE_TAIL_SEAL_SAMPLES 256

struct store_tail_blocks;

struct store_tail {
    struct store_tail_blocks *blocks; /* older than the stream; NULL = none */
    int64_t t_min, t_max;
    int64_t last_ts, last_delta, last_start;
    double last_value;
    int64_t last_decimal;
    uint32_t len, cap; /* of the stream */
    uint16_t stream_samples;
    uint8_t decimals;
    char stream[];
};

/* Appends to *t, which is NULL or grows (and moves). hist: a packed histogram or ptr NULL; copied.
 * Returns the bytes of memory it took more. */
size_t store_tail_push(struct store_tail **t, int64_t ts, double value, struct slice hist,
                       int64_t start);
void store_tail_free(struct store_tail *t); /* NULL is fine */
/* What comes later is put behind `a`; both are given up. */
struct store_tail *store_tail_join(struct store_tail *a, struct store_tail *b);
/* A copy for a reader. */
struct store_tail *store_tail_copy(const struct store_tail *t, struct arena *arena);
/* Appends all of it, oldest first; histograms point into t. */
int store_tail_read(const struct store_tail *t, struct store_run *out);
size_t store_tail_samples(const struct store_tail *t);

#endif
