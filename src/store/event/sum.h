/* Checksums of stored bytes. When fuzzing they always match, so that what lies behind them is
 * reached. Header only. */
#ifndef STORE_EVENT_SUM_H
#define STORE_EVENT_SUM_H

#include "base/hash.h"

static inline bool store_sum_matches(const void *ptr, size_t len, uint64_t seed, uint64_t sum)
{
#ifdef PHAROS_FUZZ
    (void)ptr;
    (void)len;
    (void)seed;
    (void)sum;
    return true;
#else
    return hash64(ptr, len, seed) == sum;
#endif
}

#endif
