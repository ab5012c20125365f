/* The kernels over one window (query/window.c), for the table of functions. */
#ifndef QUERY_WINDOW_H
#define QUERY_WINDOW_H

#include "query/functions.h"

bool query__rate(const struct query_window *w, double *out);
bool query__increase(const struct query_window *w, double *out);
bool query__delta(const struct query_window *w, double *out);
bool query__irate(const struct query_window *w, double *out);
bool query__idelta(const struct query_window *w, double *out);
bool query__changes(const struct query_window *w, double *out);
bool query__resets(const struct query_window *w, double *out);
bool query__deriv(const struct query_window *w, double *out);
bool query__predict_linear(const struct query_window *w, double *out);
bool query__smooth(const struct query_window *w, double *out);
bool query__sum_over(const struct query_window *w, double *out);
bool query__avg_over(const struct query_window *w, double *out);
bool query__count_over(const struct query_window *w, double *out);
bool query__min_over(const struct query_window *w, double *out);
bool query__max_over(const struct query_window *w, double *out);
bool query__stddev_over(const struct query_window *w, double *out);
bool query__stdvar_over(const struct query_window *w, double *out);
bool query__last_over(const struct query_window *w, double *out);
bool query__first_over(const struct query_window *w, double *out);
bool query__present_over(const struct query_window *w, double *out);
bool query__quantile_over(const struct query_window *w, double *out);
bool query__mad_over(const struct query_window *w, double *out);
bool query__ts_of_first(const struct query_window *w, double *out);
bool query__ts_of_last(const struct query_window *w, double *out);
bool query__ts_of_min(const struct query_window *w, double *out);
bool query__ts_of_max(const struct query_window *w, double *out);

/* Where a window holds histograms (query/window_histogram.c). */
int query__rate_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step);
int query__increase_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step);
int query__delta_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step);
int query__irate_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step);
int query__idelta_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step);
int query__changes_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step);
int query__resets_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step);
int query__count_over_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step);
int query__present_over_mixed(const struct query_mixed_window *w, struct query_row *row,
                              size_t step);
int query__ts_of_first_mixed(const struct query_mixed_window *w, struct query_row *row,
                             size_t step);
int query__ts_of_last_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step);
int query__last_over_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step);
int query__first_over_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step);
int query__sum_over_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step);
int query__avg_over_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step);

/* Annotations about a window: floats among histograms; exponential among custom buckets; a metric
 * that is not of the `type` ("counter", "gauge") its function wants. */
void query__tell_mixed(const struct query_mixed_window *w);
void query__tell_incompatible(const struct query_mixed_window *w);
void query__tell_not(const struct query_mixed_window *w, const char *type);

/* By how much a change between the first and the last sample is stretched to reach over the window
 * as Prometheus has it: at most half an average interval where samples stop short of an edge, and
 * for counters (that began at `first` and rose by `change`) never beyond where they were zero. */
double query__extrapolation(const int64_t *ts, size_t count, int64_t start_ns, int64_t end_ns,
                            bool counter, double first, double change);

#endif
