/* Prometheus' chunks of samples: XOR for floats, and the two for native histograms. Bytes as in
 * prometheus/tsdb/docs/format/chunks.md (the data of a chunk, without length and checksum).
 *
 * Timestamps travel in milliseconds; ours in nanoseconds are rounded down. */
#ifndef DECODE_PROM_CHUNK_H
#define DECODE_PROM_CHUNK_H

#include "base/buf.h"
#include "base/diag.h"
#include "data/histogram.h"

#define DECODE_CHUNK_SAMPLES 120 /* a chunk's usual length; 65,535 is the format's limit */

/* As the enum of the protobuf messages numbers them. */
enum decode_chunk_encoding {
    DECODE_CHUNK_XOR = 1,
    DECODE_CHUNK_HISTOGRAM = 2,
    DECODE_CHUNK_FLOAT_HISTOGRAM = 3
};

/* Appends one chunk of `count` (1..65535) samples. */
void decode_chunk_put_floats(const int64_t *ts_ns, const double *value, size_t count,
                             struct buf *out);
/* Appends one chunk of as many of the `count` (at least 1) histograms as fit into one: same kind
 * and bucket layout, no counter reset between them, no staleness marker unless alone. Returns how
 * many. `previous` is the histogram before these, or NULL: a counter reset since is noted in the
 * chunk. */
size_t decode_chunk_put_histograms(const int64_t *ts_ns, const struct data_histogram *const *h,
                                   size_t count, const struct data_histogram *previous,
                                   enum decode_chunk_encoding *out_encoding, struct buf *out);

/* Calls `each` for every sample of a float chunk. ERR_CORRUPT when it is damaged. */
int decode_chunk_read_floats(struct slice chunk,
                             void (*each)(void *ctx, int64_t ts_ms, double value), void *ctx,
                             struct diag *diag);

#endif
