/* Functions of whole grids, for the table of functions. */
#ifndef QUERY_CALLS_H
#define QUERY_CALLS_H

#include "query/functions.h"

#define QUERY__CALL(name)                                                                          \
    int name(struct query_exec *x, const struct query_node *n, struct query_grid *args,            \
             struct query_grid *out)

QUERY__CALL(query__time);
QUERY__CALL(query__pi);
QUERY__CALL(query__start);
QUERY__CALL(query__end);
QUERY__CALL(query__range);
QUERY__CALL(query__step);
QUERY__CALL(query__vector);
QUERY__CALL(query__scalar);
QUERY__CALL(query__clamp);
QUERY__CALL(query__clamp_min);
QUERY__CALL(query__clamp_max);
QUERY__CALL(query__round);
QUERY__CALL(query__timestamp);
QUERY__CALL(query__start_timestamp);
QUERY__CALL(query__absent);
QUERY__CALL(query__sort);
QUERY__CALL(query__sort_desc);
QUERY__CALL(query__sort_by_label);
QUERY__CALL(query__sort_by_label_desc);
QUERY__CALL(query__label_replace);
QUERY__CALL(query__label_join);
QUERY__CALL(query__day_of_month);
QUERY__CALL(query__day_of_week);
QUERY__CALL(query__day_of_year);
QUERY__CALL(query__days_in_month);
QUERY__CALL(query__hour);
QUERY__CALL(query__minute);
QUERY__CALL(query__month);
QUERY__CALL(query__year);
QUERY__CALL(query__histogram_quantile);
QUERY__CALL(query__histogram_quantiles);
QUERY__CALL(query__histogram_fraction);
QUERY__CALL(query__histogram_count);
QUERY__CALL(query__histogram_sum);
QUERY__CALL(query__histogram_avg);
QUERY__CALL(query__histogram_stddev);
QUERY__CALL(query__histogram_stdvar);
QUERY__CALL(query__min_of);
QUERY__CALL(query__max_of);
QUERY__CALL(query__info_labels);

#endif
