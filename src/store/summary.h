/* Summaries of blocks: what the functions over long windows need to know of a block of samples, so
 * that it need not be decoded. Only of what is exact: a summary never gives other bits than the
 * samples themselves (docs/formats/part.md has the bytes). */
#ifndef STORE_SUMMARY_H
#define STORE_SUMMARY_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"
#include "store/source.h"

#define STORE_SUMMARY_SAMPLES 128 /* blocks of fewer have none: they are as quickly decoded */

/* Of `count` >= 1 values; out->knows is 0 when one of them is NaN (a marker too), infinite or -0.
 * Leaves out->at alone. */
void store_summary_make(const double *values, size_t count, struct store_summary *out);

/* The summaries of one series, one behind the other: zero it before the first. */
struct store_summary_chain {
    int64_t last;
    int decimals;
};
void store_summary_encode(struct store_summary_chain *c, const struct store_summary *s,
                          struct buf *out);
/* Cuts the next one, of a block of `count` samples, off *in. ERR_CORRUPT when it is none. */
int store_summary_decode(struct store_summary_chain *c, struct slice *in, uint32_t count,
                         struct store_summary *out);

#endif
