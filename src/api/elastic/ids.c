#include "api/elastic/ids.h"

#include <pthread.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"

#define FIRST_SLOTS 1024

/* 96 bits for the document, 32 for its content; a key of zeros is a free slot. */
struct known {
    uint64_t hi;
    uint32_t lo, print;
};

struct generation {
    struct known *slots; /* open addressing */
    size_t size, used;
};

struct claimed {
    const void *owner;
    uint32_t print;
    uint32_t claims; /* that are not settled */
};

struct elastic_ids {
    size_t count_max; /* of a generation */
    pthread_mutex_t lock;
    struct generation now, before;
    struct map *claims; /* key -> struct claimed */
    /* Held while a tenant is restored. */
    pthread_mutex_t restore_lock;
    struct generation restored;
    struct map *tenants; /* that are */
};

struct elastic_ids *elastic_ids_new(size_t count_max)
{
    struct elastic_ids *ids = mem_calloc(1, sizeof(*ids));
    ids->count_max = MAX(count_max / 2, (size_t)1);
    ids->claims = map_new();
    ids->tenants = map_new();
    pthread_mutex_init(&ids->lock, NULL);
    pthread_mutex_init(&ids->restore_lock, NULL);
    return ids;
}

void elastic_ids_free(struct elastic_ids *ids)
{
    size_t pos = 0;
    if (!ids)
        return;
    for (struct map_entry *e; (e = map_next(ids->claims, &pos));)
        mem_free(e->value.ptr);
    map_free(ids->claims);
    map_free(ids->tenants);
    mem_free(ids->now.slots);
    mem_free(ids->before.slots);
    mem_free(ids->restored.slots);
    pthread_mutex_destroy(&ids->lock);
    pthread_mutex_destroy(&ids->restore_lock);
    mem_free(ids);
}

static struct known hash_of(struct elastic_ids_key k)
{
    struct buf key = {0};
    buf_append_slice(&key, k.tenant);
    buf_append_char(&key, 0);
    buf_append_slice(&key, k.index);
    buf_append_char(&key, 0);
    buf_append_slice(&key, k.id);
    struct hash128 h = hash128(key.ptr, key.len);
    buf_deinit(&key);
    /* 0 is for free slots */
    return (struct known){.hi = h.hi, .lo = (uint32_t)h.lo | !h.hi};
}

static bool is_free(struct known k)
{
    return !k.lo && !k.hi;
}

static bool is_same(struct known a, struct known b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

/* --- what is known --- */

/* Its slot, or the free one that it would get. */
static struct known *slot_of(const struct generation *g, struct known k)
{
    size_t at = k.hi & (g->size - 1);
    while (!is_free(g->slots[at]) && !is_same(g->slots[at], k))
        at = (at + 1) & (g->size - 1);
    return &g->slots[at];
}

/* NULL when it is not there. */
static struct known *find(const struct generation *g, struct known k)
{
    struct known *slot = g->size ? slot_of(g, k) : NULL;
    return slot && !is_free(*slot) ? slot : NULL;
}

static void grow(struct generation *g)
{
    struct generation larger = {.size = g->size ? g->size * 2 : FIRST_SLOTS, .used = g->used};
    larger.slots = mem_calloc(larger.size, sizeof(*larger.slots));
    for (size_t i = 0; i < g->size; i++) {
        if (!is_free(g->slots[i]))
            *slot_of(&larger, g->slots[i]) = g->slots[i];
    }
    mem_free(g->slots);
    *g = larger;
}

static void put(struct generation *g, struct known k)
{
    struct known *there = find(g, k);
    if (there) {
        there->print = k.print;
        return;
    }
    if (g->used * 4 >= g->size * 3)
        grow(g);
    *slot_of(g, k) = k;
    g->used++;
}

static void remember(struct elastic_ids *ids, struct known k)
{
    if (ids->now.used >= ids->count_max && !find(&ids->now, k)) {
        mem_free(ids->before.slots);
        ids->before = ids->now;
        ids->now = (struct generation){0};
    }
    put(&ids->now, k);
}

/* --- claims --- */

static struct slice bytes_of(const struct known *k)
{
    return slice_make((const char *)k, sizeof(k->hi) + sizeof(k->lo));
}

static enum elastic_ids_answer look(struct elastic_ids *ids, const void *owner, struct known k,
                                    bool again)
{
    struct map_entry *entry = map_get(ids->claims, bytes_of(&k));
    const struct claimed *claimed = entry ? entry->value.ptr : NULL;
    const struct known *known = find(&ids->now, k);
    if (claimed && claimed->owner != owner)
        return ELASTIC_IDS_BUSY;
    if (!known)
        known = find(&ids->before, k);
    if (!claimed && !known)
        return ELASTIC_IDS_NEW;
    return again && (claimed ? claimed->print : known->print) != k.print ? ELASTIC_IDS_NEW
                                                                         : ELASTIC_IDS_KNOWN;
}

enum elastic_ids_answer elastic_ids_claim(struct elastic_ids *ids, const void *owner,
                                          struct elastic_ids_key key, struct slice content,
                                          bool again)
{
    struct known k = hash_of(key);
    k.print = (uint32_t)hash64(content.ptr, content.len, 0);
    pthread_mutex_lock(&ids->lock);
    enum elastic_ids_answer answer = look(ids, owner, k, again);
    if (answer == ELASTIC_IDS_NEW) {
        struct map_entry *entry = map_put(ids->claims, bytes_of(&k), NULL);
        if (!entry->value.ptr)
            entry->value.ptr = mem_calloc(1, sizeof(struct claimed));
        struct claimed *claimed = entry->value.ptr;
        claimed->owner = owner;
        claimed->print = k.print;
        claimed->claims++;
    }
    pthread_mutex_unlock(&ids->lock);
    return answer;
}

void elastic_ids_settle(struct elastic_ids *ids, struct elastic_ids_key key, bool stored)
{
    struct known k = hash_of(key);
    pthread_mutex_lock(&ids->lock);
    struct map_entry *entry = map_get(ids->claims, bytes_of(&k));
    struct claimed *claimed = entry ? entry->value.ptr : NULL;
    if (claimed) {
        k.print = claimed->print;
        if (stored)
            remember(ids, k);
        if (!--claimed->claims) {
            mem_free(claimed);
            map_remove(ids->claims, bytes_of(&k));
        }
    }
    pthread_mutex_unlock(&ids->lock);
}

/* --- what was stored before --- */

bool elastic_ids_needs_restore(struct elastic_ids *ids, struct slice tenant)
{
    pthread_mutex_lock(&ids->lock);
    bool needs = !map_get(ids->tenants, tenant);
    pthread_mutex_unlock(&ids->lock);
    return needs;
}

bool elastic_ids_begin_restore(struct elastic_ids *ids, struct slice tenant)
{
    if (!elastic_ids_needs_restore(ids, tenant))
        return false;
    pthread_mutex_lock(&ids->restore_lock);
    if (elastic_ids_needs_restore(ids, tenant))
        return true;
    pthread_mutex_unlock(&ids->restore_lock);
    return false;
}

void elastic_ids_end_restore(struct elastic_ids *ids, struct slice tenant)
{
    pthread_mutex_lock(&ids->lock);
    map_put(ids->tenants, tenant, NULL);
    pthread_mutex_unlock(&ids->lock);
    pthread_mutex_unlock(&ids->restore_lock);
}

static struct known hash_of_restored(struct elastic_ids_key key, int64_t ts_ns, struct slice line)
{
    struct known k = hash_of(key);
    k.print = (uint32_t)hash64(line.ptr, line.len, (uint64_t)ts_ns);
    return k;
}

void elastic_ids_restore(struct elastic_ids *ids, struct elastic_ids_key key, int64_t ts_ns,
                         struct slice line)
{
    struct known k = hash_of_restored(key, ts_ns, line);
    pthread_mutex_lock(&ids->lock);
    if (!find(&ids->restored, k)) /* the newest comes first */
        put(&ids->restored, k);
    pthread_mutex_unlock(&ids->lock);
}

bool elastic_ids_may_be_restored(struct elastic_ids *ids, struct elastic_ids_key key)
{
    struct known k = hash_of(key);
    pthread_mutex_lock(&ids->lock);
    bool known = find(&ids->restored, k);
    pthread_mutex_unlock(&ids->lock);
    return known;
}

bool elastic_ids_is_restored(struct elastic_ids *ids, struct elastic_ids_key key, int64_t ts_ns,
                             struct slice line)
{
    struct known k = hash_of_restored(key, ts_ns, line);
    pthread_mutex_lock(&ids->lock);
    const struct known *known = find(&ids->restored, k);
    bool same = known && known->print == k.print;
    pthread_mutex_unlock(&ids->lock);
    return same;
}
