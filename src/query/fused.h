/* An aggregation right over a selector: rows are added to their group's as they come out of the
 * scan and are never kept. Memory goes with groups and steps, not with series. */
#ifndef QUERY_FUSED_H
#define QUERY_FUSED_H

#include "query/grid.h"

/* Whether the operator and what it is over are of that kind. */
bool query__can_fuse(const struct query_node *n, bool delayed_name_removal);
/* `param`: topk's and bottomk's, one a step. Other aggregations of the plan over the same selector
 * are made in the same go and found when their turn comes. *out_done is false when there is
 * something among the series (histograms, sums that overflow) that takes the general way; *out is
 * empty then. */
int query__eval_fused(struct query_exec *x, const struct query_node *n, const double *param,
                      struct query_grid *out, bool *out_done);

#endif
