/* Native histograms as text: the notation of Prometheus' test scripts and unit tests of rules
 * ({{schema:1 sum:4 count:3 buckets:[1 2] offset:-1}}), and the short form that becomes a label
 * value ({count:3, sum:4, (0.5,1]:1}). */
#ifndef DATA_HISTOGRAM_NOTATION_H
#define DATA_HISTOGRAM_NOTATION_H

#include "base/buf.h"
#include "base/slice.h"
#include "data/histogram.h"

/* Keys: schema, sum, count, z_bucket, z_bucket_w, buckets, offset, n_buckets, n_offset,
 * custom_values, counter_reset_hint (unknown, reset, not_reset, gauge). Everything else, or a key
 * given twice, is an error with a message. Nothing is checked beyond the notation. */
int data_histogram_parse(struct slice text, struct arena *arena, struct data_histogram **out,
                         struct diag *diag);
/* As Prometheus prints a float histogram. */
void data_histogram_print(const struct data_histogram *h, struct buf *out);

#endif
