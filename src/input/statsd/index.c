#include "input/statsd/index.h"

#include "base/hash.h"
#include "base/mem.h"

#define CAP_MIN 64

uint64_t statsd__index_hash(struct slice key)
{
    uint64_t h = hash64(key.ptr, key.len, 0);
    return h ? h : 1;
}

struct statsd_index_cell *statsd__index_get(const struct statsd_index *x, uint64_t hash,
                                            struct slice key)
{
    if (!x->cap)
        return NULL;
    for (size_t i = hash & (x->cap - 1); x->cells[i].hash; i = (i + 1) & (x->cap - 1)) {
        if (x->cells[i].hash == hash && (!x->is || x->is(x->cells[i].value, key)))
            return &x->cells[i];
    }
    return NULL;
}

static struct statsd_index_cell *free_cell(const struct statsd_index *x, uint64_t hash)
{
    size_t i = hash & (x->cap - 1);
    while (x->cells[i].hash)
        i = (i + 1) & (x->cap - 1);
    return &x->cells[i];
}

struct statsd_index_cell *statsd__index_put(struct statsd_index *x, uint64_t hash, struct slice key)
{
    struct statsd_index_cell *cell = statsd__index_get(x, hash, key);
    if (cell)
        return cell;
    if ((x->count + 1) * 4 > x->cap * 3) {
        struct statsd_index_cell *old = x->cells;
        size_t old_cap = x->cap;
        x->cap = old_cap ? old_cap * 2 : CAP_MIN;
        x->cells = mem_calloc(x->cap, sizeof(*x->cells));
        for (size_t i = 0; i < old_cap; i++) {
            if (old[i].hash)
                *free_cell(x, old[i].hash) = old[i];
        }
        mem_free(old);
    }
    x->count++;
    cell = free_cell(x, hash);
    *cell = (struct statsd_index_cell){hash, 0};
    return cell;
}

void statsd__index_remove(struct statsd_index *x, struct statsd_index_cell *cell)
{
    size_t mask = x->cap - 1, i = (size_t)(cell - x->cells);
    x->count--;
    /* Those behind move up, so that no search ends early. */
    for (size_t k = (i + 1) & mask; x->cells[k].hash; k = (k + 1) & mask) {
        if (((k - x->cells[k].hash) & mask) >= ((k - i) & mask)) {
            x->cells[i] = x->cells[k];
            i = k;
        }
    }
    x->cells[i].hash = 0;
}
