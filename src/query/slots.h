/* Kernels over rows of evenly spaced slots in which NaN is no value: what each row becomes where a
 * slot depends on others of its row (differences, running sums, filled gaps, moving windows), and
 * what many rows have at a slot. Pure: any thread. */
#ifndef QUERY_SLOTS_H
#define QUERY_SLOTS_H

#include "base/types.h"

enum query_each_op {
    QUERY_EACH_MATH,        /* math(v, a, step) of each value that is there */
    QUERY_EACH_DIFFERENCE,  /* from the slot before; none where either has none */
    QUERY_EACH_GAIN,        /* the same of a counter, which begins anew at `b` beyond `a` */
    QUERY_EACH_RUNNING_SUM, /* from the first slot on; none stays none */
    QUERY_EACH_KEEP,        /* gaps of at most `a` slots get the value before them */
    QUERY_EACH_INTERPOLATE, /* or lie on the line between the values around */
    QUERY_EACH_BLANK,       /* none in the first `slots` */
    QUERY_EACH_WINDOW       /* an aggregate of the slots that end with each */
};

enum query_over {
    QUERY_OVER_SUM, /* compensated, when values come and when they go */
    QUERY_OVER_AVG,
    QUERY_OVER_MIN,
    QUERY_OVER_MAX,
    QUERY_OVER_RANGE, /* the largest less the smallest */
    QUERY_OVER_COUNT,
    QUERY_OVER_MEDIAN,
    QUERY_OVER_OTHER /* of each window anew, by `other` */
};

/* What is done to each row. */
struct query_each {
    enum query_each_op op;
    double (*math)(double v, double a, double step_s); /* NaN: none comes of it */
    double a, b; /* GAIN: its largest and smallest value, NaN = not known */

    /* WINDOW */
    enum query_over over;
    size_t slots;       /* how many; 0: as many as are in (BLANK: none) */
    int64_t range_s;    /* this; at least one */
    double least_share; /* of its slots must have a value, and one at any rate */
    double (*other)(double a, const double *v, size_t count);
};

/* Memory of one thread; zero at first. */
struct query_slots_scratch {
    double *v;
    size_t cap;
};

/* v[i] is that of slot i, `step_s` seconds after the one before. In place. */
void query_each_row(const struct query_each *each, int64_t step_s, double *v, size_t count,
                    struct query_slots_scratch *scratch);

/* For each slot in [from, to) what all rows have there, in the order of rows and with what is none:
 * `at` may reorder `v`, which has `rows` values. */
void query_slots_across(const double *const *row, size_t rows, size_t from, size_t to,
                        void (*at)(void *ctx, size_t slot, double *v), void *ctx,
                        struct query_slots_scratch *scratch);

/* The values that are there come first, in their order; returns how many. */
size_t query_slots_present(double *v, size_t count);
/* Reorders so that v[at] is what sorting would put there, nothing before it greater and nothing
 * behind it less. No NaN; at < count. */
void query_slots_select(double *v, size_t count, size_t at);
/* The middle value, or half the sum of both; NaN of none. Reorders. No NaN. */
double query_slots_median(double *v, size_t count);

/* Rounded to `places` behind the point as decimal digits are, half to even: what printing and
 * reading it again gives. */
double query_slots_round(double v, int places);

void query_slots_scratch_free(struct query_slots_scratch *scratch);

#endif
