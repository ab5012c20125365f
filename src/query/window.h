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

/* A window whose change is to be stretched to its edges. */
struct query_extrapolation {
    const int64_t *ts;
    size_t count;
    int64_t start_ns, end_ns;
    bool counter;
    int64_t began_ns; /* query__began_within, 0 for none */
};
/* By what to multiply the change between the first and the last sample, as Prometheus has it: at
 * most half an average interval is added where samples stop short of an edge, and for counters
 * (that began at `first` and rose by `change`) nothing from before they were zero. */
double query__extrapolation(const struct query_extrapolation *of, double first, double change);
/* When the counter began to count, if that is known to lie between the window's start and its first
 * sample; else 0. `start` may be NULL. */
int64_t query__began_within(const int64_t *ts, const int64_t *start, int64_t start_ns);
/* Whether sample i >= 1 counts from anew by its start timestamp. *overlaps (may be NULL) is set
 * when it claims to have begun before the sample in front of it. */
bool query__begins_anew(const int64_t *ts, const int64_t *start, size_t i, bool *overlaps);
/* Annotation for such overlaps. */
void query__tell_overlap(struct query_exec *x, const struct query_node *n, struct slice metric);

#endif
