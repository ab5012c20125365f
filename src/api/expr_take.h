/* Answers of Pharos' languages as the sets that expressions compute with. */
#ifndef API_EXPR_TAKE_H
#define API_EXPR_TAKE_H

#include "api/query_multi.h"
#include "lang/expr/expr.h"

/* Copies all series into `out`, all of it in `arena`; native histograms are no values. Series of an
 * instant that have one value are single, with its time. ERR_NOMEM when the arena's budget is used
 * up. Any thread. */
int api_expr_take(const struct api_query *q, const struct query_result *r, struct arena *arena,
                  struct expr_set *out, struct diag *diag);
/* The same of Graphite's series, with the names they are shown by; of an instant, the last value of
 * each. */
int api_expr_take_targets(const struct api_query *q, const struct graphite_list *list,
                          struct arena *arena, struct expr_set *out, struct diag *diag);

#endif
