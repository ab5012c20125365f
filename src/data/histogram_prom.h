/* Native histograms as Prometheus' protobuf has them: prometheus.Histogram of remote read and
 * remote write 1, the same fields in io.prometheus.write.v2.Histogram. */
#ifndef DATA_HISTOGRAM_PROM_H
#define DATA_HISTOGRAM_PROM_H

#include "base/buf.h"
#include "data/histogram.h"

/* Appends field `number` holding the message. */
void data_histogram_put_prom(struct buf *out, uint32_t number, const struct data_histogram *h,
                             int64_t ts_ms);

#endif
