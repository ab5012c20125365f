#include "base/vec.h"

#include "base/assert.h"

void vec_grow_(void **items, size_t *cap, size_t need, size_t item_size)
{
    size_t new_cap = *cap ? *cap : 8;
    while (new_cap < need)
        new_cap *= 2;
    size_t bytes;
    bool overflow = __builtin_mul_overflow(new_cap, item_size, &bytes);
    base_assert(!overflow);
    *items = mem_realloc(*items, bytes);
    *cap = new_cap;
}
