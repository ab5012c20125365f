#include "api/elastic/ids.h"

#include <pthread.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"

#define FIRST_SLOTS 1024

/* Hashes in slots (open addressing); {0, 0} is free, {0, 1} was released. */
struct generation {
    struct hash128 *slots;
    size_t size, used; /* used: released ones too */
};

struct elastic_ids {
    size_t count_max; /* of a generation */
    pthread_mutex_t lock;
    struct generation now, before;
};

struct elastic_ids *elastic_ids_new(size_t count_max)
{
    struct elastic_ids *ids = mem_calloc(1, sizeof(*ids));
    ids->count_max = MAX(count_max / 2, (size_t)1);
    pthread_mutex_init(&ids->lock, NULL);
    return ids;
}

void elastic_ids_free(struct elastic_ids *ids)
{
    if (!ids)
        return;
    mem_free(ids->now.slots);
    mem_free(ids->before.slots);
    pthread_mutex_destroy(&ids->lock);
    mem_free(ids);
}

static struct hash128 hash_of(struct slice tenant, struct slice index, struct slice id)
{
    struct buf key = {0};
    buf_append_slice(&key, tenant);
    buf_append_char(&key, 0);
    buf_append_slice(&key, index);
    buf_append_char(&key, 0);
    buf_append_slice(&key, id);
    struct hash128 h = hash128(key.ptr, key.len);
    buf_deinit(&key);
    if (!h.lo) /* is for free slots */
        h.lo = 1;
    return h;
}

static bool is_free(struct hash128 h)
{
    return !h.lo && !h.hi;
}

/* Its slot, or the free one that it would get; NULL: there are no slots. */
static struct hash128 *find(const struct generation *g, struct hash128 h)
{
    if (!g->size)
        return NULL;
    size_t at = h.hi & (g->size - 1);
    while (!is_free(g->slots[at]) && !hash128_eq(g->slots[at], h))
        at = (at + 1) & (g->size - 1);
    return &g->slots[at];
}

static bool has(const struct generation *g, struct hash128 h)
{
    struct hash128 *slot = find(g, h);
    return slot && !is_free(*slot);
}

static void grow(struct generation *g)
{
    struct generation larger = {.size = g->size ? g->size * 2 : FIRST_SLOTS};
    larger.slots = mem_calloc(larger.size, sizeof(*larger.slots));
    for (size_t i = 0; i < g->size; i++) {
        if (g->slots[i].lo) {
            *find(&larger, g->slots[i]) = g->slots[i];
            larger.used++;
        }
    }
    mem_free(g->slots);
    *g = larger;
}

bool elastic_ids_claim(struct elastic_ids *ids, struct slice tenant, struct slice index,
                       struct slice id)
{
    struct hash128 h = hash_of(tenant, index, id);
    pthread_mutex_lock(&ids->lock);
    bool known = has(&ids->now, h) || has(&ids->before, h);
    if (!known) {
        if (ids->now.used >= ids->count_max) {
            mem_free(ids->before.slots);
            ids->before = ids->now;
            ids->now = (struct generation){0};
        }
        if (ids->now.used * 4 >= ids->now.size * 3)
            grow(&ids->now);
        *find(&ids->now, h) = h;
        ids->now.used++;
    }
    pthread_mutex_unlock(&ids->lock);
    return !known;
}

void elastic_ids_release(struct elastic_ids *ids, struct slice tenant, struct slice index,
                         struct slice id)
{
    struct hash128 h = hash_of(tenant, index, id);
    pthread_mutex_lock(&ids->lock);
    struct generation *both[] = {&ids->now, &ids->before};
    for (size_t i = 0; i < 2; i++) {
        if (has(both[i], h))
            *find(both[i], h) = (struct hash128){0, 1};
    }
    pthread_mutex_unlock(&ids->lock);
}
