/* Heap allocation for small, fixed-size needs: these never return NULL, the process stops when
 * memory is gone. Input-sized allocations go through a budget (base/budget.h) and can fail.
 * Thread-safe. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/types.h"

void *mem_alloc(size_t size);                /* uninitialised */
void *mem_calloc(size_t count, size_t size); /* zeroed; aborts on overflow of count * size */
void *mem_realloc(void *ptr, size_t size);
void *mem_dup(const void *ptr, size_t size);
char *mem_strdup(const char *s);
void mem_free(void *ptr);
/* Rounds up for SIMD readers: `size` bytes aligned to `align` (a power of two). Free with mem_free.
 */
void *mem_alloc_aligned(size_t align, size_t size);

struct mem_heap {
    size_t used, resident; /* bytes handed out, and of memory that is no file's */
};
/* resident is 0 where it cannot be told. */
struct mem_heap mem_heap(void);
/* Gives pages of the heap that nothing is on back to the system when they are many: peaks of
 * queries and merges leave them behind. Takes milliseconds with a large heap. */
void mem_trim(void);

#endif
