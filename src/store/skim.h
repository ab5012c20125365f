/* Which blocks of a series a read decodes, and which it only needs to know the summary of. */
#ifndef STORE_SKIM_H
#define STORE_SKIM_H

#include "store/selection_priv.h"

enum store__skim {
    STORE__DECODE,
    STORE__SUMMARISE, /* no window begins or ends within it */
    STORE__LEAVE_OUT  /* no window meets it */
};

struct store__skimmed {
    struct store_part_block block;
    struct store_part *part;
    uint32_t part_index; /* in the selection */
    enum store__skim how;
    size_t count; /* samples it gives: all, two or none */
};

struct store__skim_list {
    VEC(struct store__skimmed) blocks;
    store_summary_list summaries; /* of those that are summarised, in order; `at` is set */
    VEC(uint64_t) key;            /* the same for series whose samples have the same times */
    store_part_block_list found;  /* scratch */
    store_summary_list known;
};

/* Of all windows, what an interval of samples from first to last is to them. */
enum store__skim store__skim_interval(const struct store_windows *w, int64_t first_ns,
                                      int64_t last_ns);

/* Lists the blocks with samples in [t_min, t_max]; without windows all are decoded. False when a
 * part contradicts itself. */
bool store__skim(struct store_selection *sel, const struct store__selected *one, int64_t t_min,
                 int64_t t_max, const struct store_windows *windows, unsigned wants,
                 struct store__skim_list *out);
void store__skim_free(struct store__skim_list *list);

#endif
