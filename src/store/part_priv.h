/* Layout of a part, shared by its writer and its reader. */
#ifndef STORE_PART_PRIV_H
#define STORE_PART_PRIV_H

#include "store/part.h"

#define STORE__PART_MAGIC   "PHPART\x02\0"
#define STORE__PART_END     "PHPEND\x02\0"
#define STORE__PART_HEADER  16
#define STORE__PART_TRAILER 32 /* footer offset, entries, checksum, end magic */
#define STORE__PART_ENTRY   32 /* id and version, flags, offset, length, checksum */
#define STORE__PART_PAGE    ((size_t)64 << 10)
#define STORE__PART_GROUP   16 /* series a group */

enum store__section {
    STORE__SECTION_STATS = 1,
    STORE__SECTION_PAGES,
    STORE__SECTION_TIMES,
    STORE__SECTION_SERIES,
    STORE__SECTION_GROUPS,
    STORE__SECTION_NAMES,
    STORE__SECTION_PAIRS,
    STORE__SECTION_STRINGS,
    STORE__SECTION_POSTINGS,
    STORE__SECTION_SUMMARIES,
    STORE__SECTION_END
};

enum { STORE__SECTION_CRITICAL = 1 };

/* Without it a part is as good, but slower: it is in no file of before, and nothing when empty. */
static inline bool store__section_is_optional(uint32_t id)
{
    return id == STORE__SECTION_SUMMARIES;
}

/* The tables of fixed-size entries, as they lie in the file (little endian, any alignment). */
struct store__stats {
    uint64_t series, pairs, samples, exemplars;
    int64_t t_min, t_max;
};
struct store__page {
    uint64_t end, sum; /* begins where the one before ends */
};
struct store__times {
    uint64_t offset;
    uint32_t len, count;
    int64_t first, last;
};
struct store__name {
    uint32_t string, len, first_pair, reserved;
};
struct store__pair {
    uint32_t string, len, postings, series;
};

/* The pair's postings and everything behind them, and the number of its series. */
void store__part_postings(const struct store_part *p, uint32_t ordinal, struct slice *out,
                          uint32_t *out_count);

#endif
