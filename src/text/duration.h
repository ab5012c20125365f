/* Durations, sizes and times as people write them. All in nanoseconds or bytes. */
#ifndef TEXT_DURATION_H
#define TEXT_DURATION_H

#include "base/buf.h"
#include "base/slice.h"

/* Prometheus' form: whole numbers with y w d h m s ms, each unit at most once, largest first
 * ("1h30m"); "0" alone. y = 365 d. 0 or ERR_INVALID (also when it does not fit). */
int text_duration_parse(struct slice s, int64_t *out_ns);
/* Prometheus' spelling of whole milliseconds: "1h30m", "0s", "15ms". */
void text_duration_print(int64_t ns, struct buf *out);
/* "512MiB", "1.5GB", "100000", "64k": bytes; KiB/MiB/GiB/TiB and Ki.. are powers of 1024, kB.. of
 * 1000. */
int text_size_parse(struct slice s, int64_t *out_bytes);
/* RFC 3339 with optional fraction, or seconds since 1970 as a decimal number: nanoseconds since
 * 1970. Seconds are taken to the millisecond, as Prometheus' API does. ERR_INVALID when neither. */
int text_time_parse(struct slice s, int64_t *out_ns);
/* RFC 3339 in UTC with as many fraction digits as needed. */
void text_time_print(int64_t ns, struct buf *out);

#endif
