/* Layout of an event part, shared by its writer and its reader. */
#ifndef STORE_EVENT_PART_PRIV_H
#define STORE_EVENT_PART_PRIV_H

#include <stdatomic.h>

#include "store/event/part.h"

#define STORE__EVENTS_MAGIC   "PHEVNT\x01\0"
#define STORE__EVENTS_END     "PHEVEN\x01\0"
#define STORE__EVENTS_HEADER  16
#define STORE__EVENTS_TRAILER 32 /* footer offset, sections, checksum, end magic */

enum store__events_section {
    STORE__EVENTS_STATS = 1,
    STORE__EVENTS_FIELDS,
    STORE__EVENTS_STREAM_PAGES,
    STORE__EVENTS_GROUPS,
    STORE__EVENTS_FILTERS,
    STORE__EVENTS_OLD_TOTALS, /* of minutes that begin with their first ns; not used any more */
    STORE__EVENTS_OLD_TALLIES,
    STORE__EVENTS_FORMS, /* u64: the greatest form of a column; missing in the first version */
    STORE__EVENTS_TOTALS,
    STORE__EVENTS_TALLIES,      /* missing when there are too many */
    STORE__EVENTS_STREAM_HINTS, /* when there are several pages of streams */
    STORE__EVENTS_SECTION_END
};

/* As they lie in the file (little endian, any alignment). */
struct store__events_section_entry {
    uint32_t id, flags;
    uint64_t at, len, sum;
};
struct store__events_stats {
    uint64_t table, rows, raw_bytes, streams;
    int64_t t_min, t_max;
};
struct store__events_stream_page {
    uint64_t at, sum;
    uint32_t len, raw;
};
/* Filters of one size side by side: row j holds block j of each, and a checksum. */
struct store__events_filter_class {
    uint64_t at;
    uint32_t blocks, count;
};
/* In `blocks` as it lies there: trace ids are in these filters twice. */
#define STORE__EVENTS_IDS_TWICE 0x80000000u
static inline struct store__events_filter_class store__filter_class(struct slice classes, size_t i,
                                                                    bool *out_twice)
{
    struct store__events_filter_class c;
    memcpy(&c, classes.ptr + i * sizeof(c), sizeof(c));
    *out_twice = c.blocks & STORE__EVENTS_IDS_TWICE;
    c.blocks &= ~STORE__EVENTS_IDS_TWICE;
    return c;
}

struct store_event_part {
    _Atomic uint32_t refs;
    _Atomic bool doomed;
    struct os *os;
    struct os_file *file;
    struct slice bytes; /* mapped */
    char *path;
    struct store_event_part_info info;
    struct store__events_stats stats;
    struct slice sections[STORE__EVENTS_SECTION_END];
    bool has_tables; /* no group has packed events and links */
    struct data_event_field *fields;
    size_t field_count;
    /* Rows of filters that were found whole, a bit each; of each class the first. */
    _Atomic uint64_t *checked;
    uint64_t *checked_first;
};

#endif
