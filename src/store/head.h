/* The head: series in memory, found by id and by label, with their tails. One shard's share of
 * them; its lock is the caller's to hold. */
#ifndef STORE_HEAD_H
#define STORE_HEAD_H

#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"
#include "store/part.h"
#include "store/source.h"
#include "store/tail.h"

/* The tenant is a pair like the labels, with an empty name: it comes first, and no label can be
 * taken for it. */
#define STORE_TENANT_NAME SLICE("")

struct store_series {
    struct hash128 id;
    struct store_tail *now, *flushing;
    const uint32_t *pairs; /* in the shard's pair list, sorted by name; the tenant first */
    uint32_t pair_count;
    uint32_t ref;         /* in the log */
    uint32_t wal_segment; /* low half of the number of the one its definition was logged in last */
    uint32_t last_append_s; /* by the clock */
};

/* A value of a label name, and the series that have it. */
struct store_head_pair {
    struct slice value; /* the map's */
    uint32_t name;      /* index in names */
    uint32_t len, cap;
    uint32_t *series; /* ascending slots, unless slots were used again */
};

struct store_head_name {
    struct slice name;  /* the map's */
    struct map *values; /* value -> index in pairs */
};

/* An exemplar that is in no part yet. */
struct store_head_exemplar {
    uint32_t slot;
    int64_t ts;
    double value;
    struct slice labels; /* canonical key; owned */
};
typedef VEC(struct store_head_exemplar) store_head_exemplar_list;

struct store_shard {
    uint32_t *table; /* slot + 1 by id; power of two */
    size_t table_size;
    VEC(struct store_series *) pages; /* of STORE__PAGE series: they never move */
    uint32_t slots;                   /* ever used */
    VEC(uint32_t) free_slots;
    size_t count;

    struct map *name_of; /* name -> index in names */
    VEC(struct store_head_name) names;
    VEC(struct store_head_pair) pairs;
    struct arena *lists; /* the series' pair lists, cut from pieces */
    uint32_t *list_room;
    size_t list_left;
    store_head_exemplar_list exemplars, flushing_exemplars;
    struct map *last_exemplar; /* slot -> of its latest exemplar: hash, segment */
    size_t samples, flushing_samples, bytes;
    /* Of what is pending, set aside or not; t_min > t_max = nothing. */
    int64_t t_min, t_max, flushing_t_min, flushing_t_max;
};

#define STORE__PAGE 1024

void store_shard_init(struct store_shard *sh);
void store_shard_deinit(struct store_shard *sh);

/* NULL for a slot that is free. */
static inline struct store_series *store_shard_series(const struct store_shard *sh, uint32_t slot)
{
    struct store_series *s = &sh->pages.items[slot / STORE__PAGE][slot % STORE__PAGE];
    return s->pairs ? s : NULL;
}

static inline size_t store_shard_slot(const struct store_shard *sh, struct hash128 id)
{
    return id.lo & (sh->table_size - 1);
}

struct store_series *store_shard_find(const struct store_shard *sh, struct hash128 id);
/* The labels are copied. Not there yet. */
struct store_series *store_shard_add(struct store_shard *sh, struct hash128 id, struct slice tenant,
                                     struct data_labels labels);
void store_shard_push(struct store_shard *sh, struct store_series *series, int64_t ts, double value,
                      struct slice histogram, int64_t start);
/* One that says what the series' latest one said is not taken again: targets show an exemplar until
 * they have another. With `max` waiting to be flushed the oldest give way, counted in *out_dropped.
 * labels: canonical key, copied. True when it has to be written to this segment of the log. */
bool store_shard_push_exemplar(struct store_shard *sh, uint32_t slot, int64_t ts, double value,
                               struct slice labels, uint64_t segment, size_t max,
                               size_t *out_dropped);
void store_exemplars_clear(store_head_exemplar_list *list);
/* Everything pending is set aside to be flushed, behind what an earlier flush could not write. */
void store_shard_set_aside(struct store_shard *sh);
/* What was set aside is in parts now. */
void store_shard_flushed(struct store_shard *sh);
/* Its slot. */
uint32_t store_shard_slot_of(const struct store_shard *sh, struct hash128 id);
/* Appends the series' key (store_series_key). */
void store_shard_key(const struct store_shard *sh, const struct store_series *series,
                     struct buf *out);
/* Slots of the series of `tenant` that satisfy the matchers, appended to `out`. */
typedef VEC(uint32_t) store_slot_list;
void store_shard_match(const struct store_shard *sh, struct slice tenant,
                       const struct store_matcher *matchers, size_t count, store_slot_list *out);
/* Drops series without samples and without one since `idle_before_s`; returns how many. */
size_t store_shard_evict(struct store_shard *sh, uint32_t idle_before_s);

#endif
