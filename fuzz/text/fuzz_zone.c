/* A compiled time zone file, and times through it. */
#include "base/assert.h"
#include "text/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text_zone *z;
    if (text_zone_parse(slice_make(data, size), &z))
        return 0;
    for (int64_t t = -INT64_C(5000000000); t < INT64_C(5000000000); t += 333333333) {
        struct text_zone_local l = text_zone_at(z, t);
        base_assert(l.offset_s >= -93600 && l.offset_s <= 93600 && l.name);
        int64_t utc = text_zone_to_utc(z, t);
        base_assert(utc >= t - 93600 && utc <= t + 93600);
    }
    text_zone_free(z);
    return 0;
}
