/* The best few of many rows at each step (topk, bottomk), as the rows come by: none is kept. */
#ifndef QUERY_RANK_H
#define QUERY_RANK_H

#include "query/grid.h"

#define QUERY__RANK_MOST 128 /* of a step; more are sorted as a whole */

struct query__ranked {
    double value;
    uint32_t row; /* what it was added as */
};

struct query__rank {
    bool top;
    size_t steps, most;
    const uint32_t *take;       /* how many, one a step */
    uint32_t *count;            /* how many there are yet, one a step */
    double *limit;              /* the last of those taken when there are enough, else NaN */
    struct query__ranked *best; /* `most` a step, best first */
};

/* How many members each step takes; false when it is too many for this way. In the arena; *out NULL
 * without memory. */
bool query__rank_takes(struct query_exec *x, const double *param, uint32_t **out, size_t *out_most);
/* False without memory. */
bool query__rank_init(struct query_exec *x, bool top, const uint32_t *take, size_t most,
                      struct query__rank *out);
/* A row's floats at the steps in [lo, hi) where `has` tells, or everywhere when that is NULL. Of
 * equal values those of rows added earlier are better; NaN is worse than any number. */
void query__rank_add(struct query__rank *r, uint32_t row, const double *value, const uint8_t *has,
                     size_t lo, size_t hi);
/* Labels and the like of a row that was added. */
typedef struct data_labels (*query__rank_head_fn)(struct query_exec *x, void *ctx, uint32_t row,
                                                  bool *out_drop_name);
/* Appends the rows that are taken at any step, in the order they were added, or by rank for an
 * instant query. */
int query__rank_finish(struct query_exec *x, const struct query__rank *r, query__rank_head_fn head,
                       void *ctx, struct query_grid *out);

#endif
