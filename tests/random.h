/* Numbers that look random and are the same in every run. One thread only. */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include "base/hash.h"

static inline uint64_t rnd(void)
{
    static uint64_t seed = 7;
    seed += UINT64_C(0x9e3779b97f4a7c15);
    return hash_u64(seed);
}

#endif
