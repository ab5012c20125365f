/* What a selection holds: made by select.c, read by read.c. */
#ifndef STORE_SELECTION_PRIV_H
#define STORE_SELECTION_PRIV_H

#include "store/store_priv.h"

struct store__part_ref {
    uint32_t part;
    struct store_part_rows rows;
};

struct store__selected {
    struct hash128 id;
    struct data_labels labels;     /* strings in the arena or a pinned part */
    struct store__part_ref *parts; /* oldest first */
    uint32_t part_count, part_cap;
    const struct store_tail *head[2]; /* copies in the arena: flushing, then now */
};

/* In the table: a series' number in `found` + 1, and enough of its id to tell most others without
 * looking at them. */
struct store__place {
    uint32_t number, tag;
};

struct store_selection {
    struct store *store;
    uint64_t number; /* no other selection has it */
    struct arena *arena;
    store__part_list parts;
    struct store__place *table; /* by id; power of two */
    size_t table_size;
    /* In the order they were met; as they are given out. */
    VEC(struct store__selected *) found, series;
    struct budget *memory;
    int64_t charged;
};

int store__selection_read(struct store_selection *sel, size_t i, int64_t t_min, int64_t t_max,
                          struct store_samples *out, struct diag *diag);

#endif
