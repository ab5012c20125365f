/* Time zones: UTC, fixed offsets and the names of the tz database ("Europe/Berlin"), read from the
 * system's compiled files (RFC 8536). After the last change a file lists (2037 in Debian's) the
 * last offset holds. Immutable. */
#ifndef TEXT_ZONE_H
#define TEXT_ZONE_H

#include "base/diag.h"
#include "base/slice.h"

struct text_zone;

/* ERR_INVALID: no such zone, with words. "" is UTC. The files are in /usr/share/zoneinfo or where
 * TZDIR says. */
int text_zone_load(struct slice name, struct text_zone **out, struct diag *diag);
/* Of a file's content; for tests. ERR_CORRUPT. */
int text_zone_parse(struct slice bytes, struct text_zone **out);
void text_zone_free(struct text_zone *z); /* NULL is fine */

struct text_zone_local {
    int32_t offset_s; /* east of Greenwich */
    bool is_dst;
    const char *name; /* "CET"; lives as long as the zone */
};
/* A NULL zone is UTC. */
struct text_zone_local text_zone_at(const struct text_zone *z, int64_t utc_s);
/* Seconds since 1970 of a local time given as if it were UTC. Of two (when clocks go back) the
 * one without daylight saving; one that never was is read with the offset without it. */
int64_t text_zone_to_utc(const struct text_zone *z, int64_t local_s);

#endif
