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
/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar; month and day from 1. */
int64_t decode_timestamp_days(int64_t year, int month, int day);
/* Days of a month, from 1. */
int decode_timestamp_month_days(int64_t year, int month);
/* Two digits at `at`, or -1. */
int decode_timestamp_two(struct slice s, size_t at);

#endif
