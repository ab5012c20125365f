/* Hash map from byte strings to pointers or integers. Open addressing, stored hashes, insertion
 * order kept by map_next. Not thread-safe. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/slice.h"
#include "base/types.h"

union map_value {
    void *ptr;
    uint64_t u64;
};

struct map_entry {
    struct slice key; /* owned by the map, NUL-terminated */
    union map_value value;
};

struct map;

struct map *map_new(void);
void map_free(struct map *m); /* values are the caller's; NULL is fine */
size_t map_count(const struct map *m);
/* The entry, or NULL. Valid until the next insert or remove. */
struct map_entry *map_get(const struct map *m, struct slice key);
/* The entry of `key`, added with a zero value when new; *out_added (may be NULL) says which. */
struct map_entry *map_put(struct map *m, struct slice key, bool *out_added);
/* True when the key was there. */
bool map_remove(struct map *m, struct slice key);
void map_clear(struct map *m);
/* Iterates in insertion order: start with *pos = 0; NULL at the end. */
struct map_entry *map_next(const struct map *m, size_t *pos);

#endif
