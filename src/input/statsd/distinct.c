#include "input/statsd/distinct.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define HLL_BITS 14
#define HLL_SIZE (1u << HLL_BITS)

void statsd__distinct_deinit(struct statsd_distinct *d)
{
    mem_free(d->hashes);
    mem_free(d->registers);
    *d = (struct statsd_distinct){0};
}

void statsd__distinct_clear(struct statsd_distinct *d)
{
    mem_free(d->registers);
    d->registers = NULL;
    d->count = 0;
    d->has_zero = false;
    if (d->hashes)
        memset(d->hashes, 0, d->cap * sizeof(*d->hashes));
}

static void register_hash(struct statsd_distinct *d, uint64_t h)
{
    uint64_t rest = h << HLL_BITS;
    uint8_t rank = rest ? (uint8_t)(__builtin_clzll(rest) + 1) : 64 - HLL_BITS + 1;
    uint8_t *r = &d->registers[h >> (64 - HLL_BITS)];
    if (rank > *r)
        *r = rank;
}

static void estimate_from_now_on(struct statsd_distinct *d)
{
    d->registers = mem_calloc(HLL_SIZE, 1);
    for (uint32_t i = 0; i < d->cap; i++) {
        if (d->hashes[i])
            register_hash(d, d->hashes[i]);
    }
    if (d->has_zero)
        register_hash(d, 0);
    mem_free(d->hashes);
    d->hashes = NULL;
    d->count = d->cap = 0;
}

static void put(uint64_t *hashes, uint32_t cap, uint64_t h, uint32_t *count)
{
    uint32_t i = (uint32_t)h & (cap - 1);
    while (hashes[i] && hashes[i] != h)
        i = (i + 1) & (cap - 1);
    *count += !hashes[i];
    hashes[i] = h;
}

static void add_hash(struct statsd_distinct *d, uint64_t h)
{
    if (d->registers) {
        register_hash(d, h);
        return;
    }
    if (!h) {
        d->has_zero = true;
        return;
    }
    if (d->count * 2 >= d->cap) {
        uint32_t cap = d->cap ? d->cap * 2 : 8, count = 0;
        uint64_t *hashes = mem_calloc(cap, sizeof(*hashes));
        for (uint32_t i = 0; i < d->cap; i++) {
            if (d->hashes[i])
                put(hashes, cap, d->hashes[i], &count);
        }
        mem_free(d->hashes);
        d->hashes = hashes;
        d->cap = cap;
    }
    put(d->hashes, d->cap, h, &d->count);
    if (d->count > STATSD_DISTINCT_EXACT)
        estimate_from_now_on(d);
}

void statsd__distinct_add(struct statsd_distinct *d, struct slice member)
{
    add_hash(d, hash64(member.ptr, member.len, 0));
}

void statsd__distinct_merge(struct statsd_distinct *d, const struct statsd_distinct *from)
{
    if (from->registers) {
        if (!d->registers)
            estimate_from_now_on(d);
        for (uint32_t i = 0; i < HLL_SIZE; i++)
            d->registers[i] = MAX(d->registers[i], from->registers[i]);
        return;
    }
    for (uint32_t i = 0; i < from->cap; i++) {
        if (from->hashes[i])
            add_hash(d, from->hashes[i]);
    }
    if (from->has_zero)
        add_hash(d, 0);
}

double statsd__distinct_count(const struct statsd_distinct *d)
{
    if (!d->registers)
        return d->count + d->has_zero;
    double sum = 0, zeros = 0, m = HLL_SIZE;
    for (uint32_t i = 0; i < HLL_SIZE; i++) {
        sum += ldexp(1, -d->registers[i]);
        zeros += !d->registers[i];
    }
    double estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    return round(estimate <= 2.5 * m && zeros > 0 ? m * log(m / zeros) : estimate);
}

size_t statsd__distinct_bytes(const struct statsd_distinct *d)
{
    return d->cap * sizeof(*d->hashes) + (d->registers ? HLL_SIZE : 0);
}
