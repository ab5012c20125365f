#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/budget.h"
#include "base/mem.h"

#define ALIGN         ((size_t)16)
#define BLOCK_DEFAULT ((size_t)16 << 10)
#define BLOCK_MAX     ((size_t)1 << 20)

struct block {
    struct block *next;
    size_t size; /* usable bytes behind the header */
    char data[] __attribute__((aligned(16)));
};

struct arena {
    struct block *head; /* the block being filled; older ones behind it */
    size_t used;        /* of head */
    size_t next_size;
    size_t total;
    struct budget *budget;
};

struct arena *arena_new(size_t block_size, struct budget *budget)
{
    struct arena *a = mem_calloc(1, sizeof(*a));
    a->next_size = block_size ? block_size : BLOCK_DEFAULT;
    a->budget = budget;
    return a;
}

static void release(struct arena *a, struct block *b)
{
    a->total -= b->size;
    if (a->budget)
        budget_give(a->budget, (int64_t)b->size);
    mem_free(b);
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    while (a->head) {
        struct block *next = a->head->next;
        release(a, a->head);
        a->head = next;
    }
    mem_free(a);
}

void arena_reset(struct arena *a)
{
    struct block *keep = NULL;
    for (struct block *b = a->head, *next; b; b = next) {
        next = b->next;
        if (!keep || b->size > keep->size) {
            if (keep)
                release(a, keep);
            keep = b;
        } else {
            release(a, b);
        }
    }
    if (keep)
        keep->next = NULL;
    a->head = keep;
    a->used = 0;
}

static bool grow(struct arena *a, size_t need)
{
    size_t size = MAX(need, a->next_size);
    if (a->budget && !budget_take(a->budget, (int64_t)size))
        return false;
    struct block *b = mem_alloc(sizeof(*b) + size);
    b->size = size;
    a->total += size;
    b->next = a->head;
    a->head = b;
    a->used = 0;
    a->next_size = MIN(a->next_size * 2, MAX(BLOCK_MAX, a->next_size));
    return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size_t rounded = (size + ALIGN - 1) & ~(ALIGN - 1);
    if (!rounded)
        rounded = ALIGN;
    if ((!a->head || a->head->size - a->used < rounded) && !grow(a, rounded))
        return NULL;
    void *p = a->head->data + a->used;
    a->used += rounded;
    return p;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *p = arena_alloc(a, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

void *arena_dup(struct arena *a, const void *ptr, size_t size)
{
    void *p = arena_alloc(a, size);
    if (p && size)
        memcpy(p, ptr, size);
    return p;
}

struct slice arena_slice(struct arena *a, struct slice s)
{
    char *p = arena_alloc(a, s.len + 1);
    if (!p)
        return (struct slice){NULL, 0};
    if (s.len)
        memcpy(p, s.ptr, s.len);
    p[s.len] = '\0';
    return (struct slice){p, s.len};
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_dup(a, s, strlen(s) + 1);
}

struct slice arena_printf(struct arena *a, const char *fmt, ...)
{
    char small[256];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n < 0)
        return (struct slice){NULL, 0};
    if ((size_t)n < sizeof(small))
        return arena_slice(a, slice_make(small, (size_t)n));
    char *p = arena_alloc(a, (size_t)n + 1);
    if (!p)
        return (struct slice){NULL, 0};
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return (struct slice){p, (size_t)n};
}

bool arena_join(struct arena *a, struct arena *from)
{
    struct block *last = from->head;
    if (a->budget != from->budget) {
        if (a->budget && !budget_take(a->budget, (int64_t)from->total))
            return false;
        if (from->budget)
            budget_give(from->budget, (int64_t)from->total);
    }
    while (last && last->next)
        last = last->next;
    if (last && a->head) {
        last->next = a->head->next;
        a->head->next = from->head;
    } else if (last) {
        a->head = from->head;
        a->used = from->used;
    }
    a->total += from->total;
    mem_free(from);
    return true;
}

size_t arena_size(const struct arena *a)
{
    return a->total;
}
