/* Times in log lines and documents, in the forms that loggers write them. All of them nanoseconds
 * since 1970. */
#ifndef DECODE_TIMESTAMP_H
#define DECODE_TIMESTAMP_H

#include "base/slice.h"

/* ISO 8601 and RFC 3339, lenient where loggers are: 2024-01-02[(T| )03[:04[:05[(.|,)123456789]]]][
 * ] [Z|+02|+0200|+02:00]. Without a zone it is UTC. Digits beyond nanoseconds are cut off, a leap
 * second is the second after. *out_len is what the time takes at the begin of `s`. ERR_INVALID: it
 * begins with none. */
int decode_timestamp_iso(struct slice s, int64_t *out_ns, size_t *out_len);
/* RFC 3164's "Jan  2 03:04:05", and "Jan  2 2024 03:04:05.123": its length, 0 when `s` begins with
 * none. Without a year the one that puts it nearest behind now, at most a day ahead. `offset_s`:
 * east of Greenwich, of times that name no zone. */
size_t decode_timestamp_bsd(struct slice s, int64_t now_ns, int32_t offset_s, int64_t *out_ns);
/* Any time that `s` begins with: the two above (with at least hours and minutes), 2009/11/10
 * 23:00:00, 10/Oct/2000:13:55:36 -0700, Wed Oct 11 14:32:52 2000, klog's I0102 15:04:05.000000, and
 * seconds (with a fraction), milli-, micro- or nanoseconds since 1970 of today's size. */
bool decode_timestamp_any(struct slice s, int64_t now_ns, int32_t offset_s, int64_t *out_ns,
                          size_t *out_len);
/* The first such time in the first 256 bytes of a line; bare numbers only at its begin or behind
 * ts=, time= and timestamp=. */
bool decode_timestamp_of_line(struct slice line, int64_t now_ns, int32_t offset_s, int64_t *out_ns);
/* Since 1970 in seconds, milliseconds, microseconds or nanoseconds, as its size tells. `exact`: the
 * same as an integer, or 0. */
bool decode_timestamp_of_number(double v, int64_t exact, int64_t *out_ns);
/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar; month and day from 1. */
int64_t decode_timestamp_days(int64_t year, int month, int day);
/* Days of a month, from 1. */
int decode_timestamp_month_days(int64_t year, int month);
/* Two digits at `at`, or -1. */
int decode_timestamp_two(struct slice s, size_t at);

#endif
