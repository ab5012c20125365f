/* Values, times, labels and histograms as Prometheus' JSON spells them. All append. */
#ifndef API_PROMETHEUS_ENCODE_H
#define API_PROMETHEUS_ENCODE_H

#include "base/buf.h"
#include "data/histogram.h"
#include "data/labels.h"

/* Seconds with three decimals, or none when the millisecond is zero: 1700000000.123, 12. */
void api_encode_time(int64_t ts_ns, struct buf *out);
/* In quotes: plain decimals, exponents below 1e-6 and from 1e21 ("1e-07"), "NaN", "+Inf". */
void api_encode_value(double v, struct buf *out);
/* {"name":"value",...} */
void api_encode_labels(struct data_labels labels, struct buf *out);
/* {"count":"..","sum":"..","buckets":[[rule,"low","high","count"],...]}; empty buckets are left
 * out, and "buckets" when there is none. rule: 0 (low,high], 1 [low,high), 2 (low,high), 3
 * [low,high]. */
void api_encode_histogram(const struct data_histogram *h, struct buf *out);

#endif
