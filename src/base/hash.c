#define XXH_INLINE_ALL
#include "base/hash.h"

#include <xxhash.h>

uint64_t hash64(const void *ptr, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(ptr, len, seed);
}

struct hash128 hash128(const void *ptr, size_t len)
{
    XXH128_hash_t h = XXH3_128bits(ptr, len);
    return (struct hash128){h.low64, h.high64};
}

uint64_t hash_xxh64(const void *ptr, size_t len)
{
    return XXH64(ptr, len, 0);
}
