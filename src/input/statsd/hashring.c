#include "input/statsd/hashring.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "pipe/md5.h"

#define POINTS 40
#define WEIGHT 100

static uint32_t hash(struct slice text)
{
    uint8_t digest[16];
    pipe_md5(text, digest);
    return (uint32_t)digest[3] << 24 | (uint32_t)digest[2] << 16 | (uint32_t)digest[1] << 8 |
           digest[0];
}

static int by_value(const void *a, const void *b)
{
    const struct statsd_ring_point *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node); /* a stable sort of what was in order */
}

void statsd__ring_build(struct statsd_ring *ring, const char *const *names, const bool *is_in,
                        size_t count)
{
    size_t nodes = 0;
    statsd__ring_deinit(ring);
    for (size_t i = 0; i < count; i++)
        nodes += is_in[i];
    if (!nodes)
        return;
    /* Its floating-point steps, one by one: they round. */
    double share = (double)WEIGHT / (double)(WEIGHT * nodes);
    size_t each = (size_t)floor(share * POINTS * (double)nodes);
    ring->points = mem_calloc(nodes * each + 1, sizeof(*ring->points));
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; is_in[i] && k < each; k++) {
            char text[320];
            int n = snprintf(text, sizeof(text), "%s-%zu", names[i], k);
            ring->points[ring->count++] = (struct statsd_ring_point){
                hash(slice_make(text, MIN((size_t)n, sizeof(text) - 1))), (uint32_t)i};
        }
    }
    qsort(ring->points, ring->count, sizeof(*ring->points), by_value);
}

void statsd__ring_deinit(struct statsd_ring *ring)
{
    mem_free(ring->points);
    *ring = (struct statsd_ring){0};
}

ptrdiff_t statsd__ring_get(const struct statsd_ring *ring, struct slice name)
{
    size_t lo = 0, hi = ring->count;
    uint32_t h;
    if (!ring->count)
        return -1;
    h = hash(name);
    while (lo < hi) { /* the first point that is not below it; behind the last comes the first */
        size_t mid = (lo + hi) / 2;
        if (ring->points[mid].value < h)
            lo = mid + 1;
        else
            hi = mid;
    }
    return ring->points[lo == ring->count ? 0 : lo].node;
}
