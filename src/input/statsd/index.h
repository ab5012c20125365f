/* A table from 64-bit hashes to numbers or pointers, 16 bytes a cell: for what there are millions
 * of. Whoever uses it says what equal means; without that the hash is all. */
#ifndef INPUT_STATSD_INDEX_H
#define INPUT_STATSD_INDEX_H

#include "base/slice.h"

struct statsd_index_cell {
    uint64_t hash; /* never 0: that is a free cell */
    uint64_t value;
};

/* Zero it before use; free `cells` in the end. */
struct statsd_index {
    struct statsd_index_cell *cells;
    size_t cap, count;
    bool (*is)(uint64_t value, struct slice key); /* NULL: equal hashes are equal keys */
};

uint64_t statsd__index_hash(struct slice key);
/* Valid until the next insert or removal; NULL when it is not there. */
struct statsd_index_cell *statsd__index_get(const struct statsd_index *x, uint64_t hash,
                                            struct slice key);
/* The same, added with value 0 when it is new; the caller sets it before the next call. */
struct statsd_index_cell *statsd__index_put(struct statsd_index *x, uint64_t hash,
                                            struct slice key);
void statsd__index_remove(struct statsd_index *x, struct statsd_index_cell *cell);

#endif
