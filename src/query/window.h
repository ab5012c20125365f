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

#endif
