/* Bump allocation with one lifetime: a request, a query, a batch, a configuration.
 *
 * Memory is freed all at once. An arena belongs to one thread at a time. With a budget attached,
 * every new block is charged to it and arena_alloc returns NULL when the budget is used up; without
 * one, allocation never fails. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"
#include "base/types.h"

struct arena;
struct budget;

/* `block_size` 0 takes the default (16 KiB, doubling up to 1 MiB). `budget` may be NULL. */
struct arena *arena_new(size_t block_size, struct budget *budget);
void arena_free(struct arena *a); /* NULL is fine */
/* Forgets all allocations but keeps the largest block for reuse. */
void arena_reset(struct arena *a);
/* Uninitialised bytes aligned to 16. size 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_calloc(struct arena *a, size_t count, size_t size);
void *arena_dup(struct arena *a, const void *ptr, size_t size);
/* A copy with a NUL behind it (not counted in len). ptr is NULL only when the budget is used up. */
struct slice arena_slice(struct arena *a, struct slice s);
char *arena_strdup(struct arena *a, const char *s);
struct slice arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* What was allocated in `from`, which is freed, lives in `a` from now on. False, with nothing
 * changed, when a has another budget and that is used up. */
bool arena_join(struct arena *a, struct arena *from) BASE_MUST_USE;
/* Bytes held from the heap, used or not. */
size_t arena_size(const struct arena *a);

#define ARENA_NEW(a, type)          ((type *)arena_calloc((a), 1, sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_calloc((a), (count), sizeof(type)))

#endif
