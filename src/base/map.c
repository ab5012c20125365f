/* Entries lie in an array in insertion order; a power-of-two table of (hash, entry index) slots
 * points into it. Removal leaves a hole in the array and a tombstone in the table, both swept when
 * the table is rebuilt. */
#include "base/map.h"

#include <stdatomic.h>
#include <time.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

#define SLOT_EMPTY UINT32_MAX
#define SLOT_DEAD  (UINT32_MAX - 1)

struct slot {
    uint32_t hash; /* upper half of the key's hash */
    uint32_t entry;
};

struct map {
    struct slot *slots;
    struct map_entry *entries;
    size_t slot_count; /* power of two, or 0 */
    size_t entry_len, entry_cap;
    size_t live;
    size_t used_slots; /* live + dead */
    uint64_t seed;
};

struct map *map_new(void)
{
    /* The seed only has to differ between processes, so that no input can aim at one chain. */
    static _Atomic uint64_t seed;
    if (!atomic_load(&seed)) {
        struct timespec ts;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        atomic_store(&seed, hash_u64((uint64_t)ts.tv_nsec ^ (uint64_t)(uintptr_t)&ts) | 1);
    }
    struct map *m = mem_calloc(1, sizeof(*m));
    m->seed = atomic_load(&seed);
    return m;
}

void map_clear(struct map *m)
{
    for (size_t i = 0; i < m->entry_len; i++)
        mem_free((void *)(uintptr_t)m->entries[i].key.ptr);
    mem_free(m->slots);
    mem_free(m->entries);
    uint64_t seed = m->seed;
    *m = (struct map){.seed = seed};
}

void map_free(struct map *m)
{
    if (!m)
        return;
    map_clear(m);
    mem_free(m);
}

size_t map_count(const struct map *m)
{
    return m->live;
}

static struct slot *find_slot(const struct map *m, struct slice key, uint64_t hash)
{
    if (!m->slot_count)
        return NULL;
    size_t mask = m->slot_count - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct slot *s = &m->slots[i];
        if (s->entry == SLOT_EMPTY)
            return NULL;
        if (s->entry != SLOT_DEAD && s->hash == (uint32_t)(hash >> 32) &&
            slice_eq(m->entries[s->entry].key, key))
            return s;
    }
}

struct map_entry *map_get(const struct map *m, struct slice key)
{
    struct slot *s = find_slot(m, key, hash64(key.ptr, key.len, m->seed));
    return s ? &m->entries[s->entry] : NULL;
}

static void link_entry(struct map *m, uint32_t entry, uint64_t hash)
{
    size_t mask = m->slot_count - 1;
    size_t i = hash & mask;
    while (m->slots[i].entry != SLOT_EMPTY)
        i = (i + 1) & mask;
    m->slots[i] = (struct slot){.hash = (uint32_t)(hash >> 32), .entry = entry};
    m->used_slots++;
}

static void rebuild(struct map *m)
{
    size_t count = 16;
    while (count < m->live * 2 + 2)
        count *= 2;
    size_t kept = 0;
    for (size_t i = 0; i < m->entry_len; i++) {
        if (m->entries[i].key.ptr)
            m->entries[kept++] = m->entries[i];
    }
    m->entry_len = kept;
    mem_free(m->slots);
    m->slots = mem_alloc(count * sizeof(*m->slots));
    memset(m->slots, 0xff, count * sizeof(*m->slots));
    m->slot_count = count;
    m->used_slots = 0;
    for (size_t i = 0; i < kept; i++) {
        struct slice key = m->entries[i].key;
        link_entry(m, (uint32_t)i, hash64(key.ptr, key.len, m->seed));
    }
}

struct map_entry *map_put(struct map *m, struct slice key, bool *out_added)
{
    uint64_t hash = hash64(key.ptr, key.len, m->seed);
    struct slot *s = find_slot(m, key, hash);
    if (out_added)
        *out_added = !s;
    if (s)
        return &m->entries[s->entry];
    if ((m->used_slots + 1) * 4 > m->slot_count * 3)
        rebuild(m);
    if (m->entry_len == m->entry_cap) {
        m->entry_cap = m->entry_cap ? m->entry_cap * 2 : 8;
        base_assert(m->entry_cap < SLOT_DEAD);
        m->entries = mem_realloc(m->entries, m->entry_cap * sizeof(*m->entries));
    }
    char *copy = mem_alloc(key.len + 1);
    if (key.len)
        memcpy(copy, key.ptr, key.len);
    copy[key.len] = '\0';
    struct map_entry *e = &m->entries[m->entry_len];
    *e = (struct map_entry){.key = {copy, key.len}};
    link_entry(m, (uint32_t)m->entry_len, hash);
    m->entry_len++;
    m->live++;
    return e;
}

bool map_remove(struct map *m, struct slice key)
{
    struct slot *s = find_slot(m, key, hash64(key.ptr, key.len, m->seed));
    if (!s)
        return false;
    struct map_entry *e = &m->entries[s->entry];
    mem_free((void *)(uintptr_t)e->key.ptr);
    e->key = (struct slice){NULL, 0};
    s->entry = SLOT_DEAD;
    m->live--;
    return true;
}

struct map_entry *map_next(const struct map *m, size_t *pos)
{
    while (*pos < m->entry_len) {
        struct map_entry *e = &m->entries[(*pos)++];
        if (e->key.ptr)
            return e;
    }
    return NULL;
}
