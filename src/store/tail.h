/* The tail of a series: its samples that are in no part yet. The youngest lie in a stream of bytes,
 * two to four a sample, appended to one by one; whenever enough have come they are packed into a
 * block. One allocation a tail, in the order of arrival, unsorted. */
#ifndef STORE_TAIL_H
#define STORE_TAIL_H

#include "base/arena.h"
#include "store/run.h"

#define STORE_TAIL_SEAL_SAMPLES 256

struct store_tail_blocks;

/* One a series: every byte counts. */
struct store_tail {
    struct store_tail_blocks *blocks; /* older than the stream; NULL = none */
    int64_t t_min;
    int64_t last_ts;    /* of the sample appended last */
    int64_t last_delta; /* to the one before it in the stream */
    int64_t last_value; /* its decimal integer, or its bits */
    uint32_t len, cap;  /* of the stream */
    uint32_t ahead_s;   /* seconds, rounded up, by which an earlier one is later than the last */
    uint16_t stream_samples;
    uint8_t decimals, flags;
    char stream[]; /* with start timestamps the last of them comes first */
};

/* No sample is later; exact while they come in order. */
int64_t store_tail_t_max(const struct store_tail *t);
/* Appends to *t, which is NULL or grows (and moves). hist: a packed histogram or ptr NULL; copied.
 * Returns the bytes of memory it took more. */
size_t store_tail_push(struct store_tail **t, int64_t ts, double value, struct slice hist,
                       int64_t start);
void store_tail_free(struct store_tail *t); /* NULL is fine */
/* What comes later is put behind `a`; both are given up. */
struct store_tail *store_tail_join(struct store_tail *a, struct store_tail *b);
/* A copy for a reader of [t_min, t_max]: blocks without a sample in it are left out. */
struct store_tail *store_tail_copy(const struct store_tail *t, int64_t t_min, int64_t t_max,
                                   struct arena *arena);
/* Appends all of it, oldest first; histograms point into t. *facts loses what is not true of these
 * values (enum codec_doubles_fact). */
int store_tail_read(const struct store_tail *t, struct store_run *out, unsigned *facts);
size_t store_tail_samples(const struct store_tail *t);

#endif
