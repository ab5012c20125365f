/* Hashing of bytes. XXH3: fast and well spread, not keyed; maps over input use a random seed. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/slice.h"
#include "base/types.h"

struct hash128 {
    uint64_t lo, hi;
};

uint64_t hash64(const void *ptr, size_t len, uint64_t seed);
struct hash128 hash128(const void *ptr, size_t len);
/* XXH64 without a seed, where others rely on its value. */
uint64_t hash_xxh64(const void *ptr, size_t len);

static inline bool hash128_eq(struct hash128 a, struct hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

/* Mixes an integer key (splitmix64 finaliser). */
static inline uint64_t hash_u64(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

#endif
