/* Durations and sizes as LogQL's literals and label values spell them. */
#ifndef LANG_LOGQL_UNITS_H
#define LANG_LOGQL_UNITS_H

#include "base/buf.h"
#include "base/slice.h"

/* Go's time.ParseDuration: [-+]?(digits[.digits](ns|us|µs|ms|s|m|h))+ or 0. False when it is none
 * or does not fit. */
bool logql_duration_parse(struct slice s, int64_t *out_ns);
/* Appends what is wrong with one, in Go's words. */
void logql_duration_problem(struct slice s, struct buf *out);
/* The same, or Prometheus' form, which knows d, w and y. */
bool logql_duration_literal(struct slice s, int64_t *out_ns);
/* Sizes as go-humanize reads them: a number, then B, kB, KB, KiB, ... up to EB and EiB, in any case
 * and with a space between. A number alone is one of bytes. */
bool logql_bytes_parse(struct slice s, double *out);
/* Appends what is wrong with one, in go-humanize's words. */
void logql_bytes_problem(struct slice s, struct buf *out);
/* Go's time.Duration.String: 1m30s, 1.5s, 250ms. */
void logql_duration_print(int64_t ns, struct buf *out);

#endif
