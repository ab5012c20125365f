/* Times as Go's package time writes and reads them, by layouts like "2006-01-02T15:04:05Z07:00".
 * Zones are UTC and fixed offsets. */
#ifndef TEXT_GO_TIME_H
#define TEXT_GO_TIME_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

struct text_go_time {
    int64_t ns;       /* since 1970 */
    int32_t offset_s; /* of its zone, east of Greenwich */
};

struct text_go_date {
    int64_t year;
    int month, day, hour, minute, second, nanosecond; /* month and day from 1 */
    int weekday;                                      /* 0 = Sunday */
    int yearday;                                      /* from 1 */
};

/* The fields of a time in its zone. */
void text_go_time_date(struct text_go_time t, struct text_go_date *out);
void text_go_time_format(struct text_go_time t, struct slice layout, struct buf *out);
/* `offset_s` is the zone of texts that name none. ERR_INVALID with Go's words. */
int text_go_time_parse(struct slice layout, struct slice text, int32_t offset_s,
                       struct text_go_time *out, struct diag *diag);
/* "UTC", "Local" (which is UTC), "", "GMT", "+02:00", "-0700". False for others. */
bool text_go_zone_parse(struct slice name, int32_t *out_offset_s);

#endif
