#include "base/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDLE_BYTES_MAX ((size_t)16 << 20) /* and an eighth of what is used */

BASE_NORETURN static void out_of_memory(size_t size)
{
    fprintf(stderr, "pharos: out of memory allocating %zu bytes\n", size);
    abort();
}

void *mem_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p)
        out_of_memory(size);
    return p;
}

void *mem_calloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        out_of_memory(size);
    return p;
}

void *mem_realloc(void *ptr, size_t size)
{
    void *p = realloc(ptr, size ? size : 1);
    if (!p)
        out_of_memory(size);
    return p;
}

void *mem_dup(const void *ptr, size_t size)
{
    void *p = mem_alloc(size);
    if (size)
        memcpy(p, ptr, size);
    return p;
}

char *mem_strdup(const char *s)
{
    return mem_dup(s, strlen(s) + 1);
}

void mem_free(void *ptr)
{
    free(ptr);
}

void *mem_alloc_aligned(size_t align, size_t size)
{
    size_t rounded = (size + align - 1) & ~(align - 1);
    void *p = aligned_alloc(align, rounded ? rounded : align);
    if (!p)
        out_of_memory(size);
    return p;
}

struct mem_heap mem_heap(void)
{
    struct mallinfo2 info = mallinfo2();
    struct mem_heap heap = {.used = info.uordblks + info.hblkhd};
    unsigned long virtual_pages, resident, shared;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%lu %lu %lu", &virtual_pages, &resident, &shared) == 3)
        heap.resident = (resident - MIN(shared, resident)) * (size_t)sysconf(_SC_PAGESIZE);
    if (f)
        fclose(f);
    return heap;
}

void mem_trim(void)
{
    struct mem_heap heap = mem_heap();
    if (heap.resident > heap.used + heap.used / 8 + IDLE_BYTES_MAX)
        malloc_trim(0);
}
