/* Functions by name: what they take, and what computes them. */
#ifndef QUERY_FUNCTIONS_H
#define QUERY_FUNCTIONS_H

#include "query/grid.h"

enum query_type { QUERY_TYPE_SCALAR, QUERY_TYPE_VECTOR, QUERY_TYPE_MATRIX, QUERY_TYPE_STRING };

struct query_exec;

/* The samples of one window: sorted, staleness markers left out. [begin, end) of the run's arrays.
 */
struct query_window {
    const int64_t *ts;
    const double *v;
    size_t count;
    int64_t start_ns, end_ns; /* (start, end] */
    int64_t step_ns;          /* the evaluation time (before offset) */
    double param[2];          /* scalar parameters at this step */
    const int64_t *start;     /* start timestamps, 0 = unknown; NULL when there are none */
    bool *overlaps;           /* set when start timestamps contradict each other; may be NULL */
};

/* The samples of one series, staleness markers left out. */
struct query_samples {
    const int64_t *ts;
    const double *v;
    const struct data_histogram *const *h; /* NULL when all are floats */
    const int64_t *start;                  /* start timestamps; NULL when there are none */
    size_t count;
    struct slice metric;
};

/* A window that holds histograms, and maybe floats between them. */
struct query_mixed_window {
    struct query_exec *x;
    const struct query_node *n;
    const int64_t *ts;
    const double *v;                       /* where there is no histogram */
    const struct data_histogram *const *h; /* NULL for a float */
    size_t count, histograms;              /* of all samples; of histograms among them */
    int64_t start_ns, end_ns;              /* (start, end] */
    const int64_t *start;                  /* start timestamps; NULL when there are none */
    /* What windows of a series found out: whether a histogram is a reset of the one before it. */
    uint8_t *resets; /* 0: not known yet, 1: no, 2: yes; NULL: nobody keeps it */
    struct slice metric;
};

typedef bool (*query_window_fn)(const struct query_window *w, double *out);
/* Puts what comes out, if anything, at the row's step. */
typedef int (*query_mixed_fn)(const struct query_mixed_window *w, struct query_row *row,
                              size_t step);
typedef double (*query_math_fn)(double v);

struct query_function {
    const char *name;
    enum query_type returns;
    enum query_type args[6];
    int arg_count; /* given in args */
    int variadic;  /* optional or repeated ones behind: 0 exact, n up to n more, -1 any number */
    bool experimental;
    bool keeps_name;
    query_window_fn window; /* range functions */
    query_mixed_fn mixed;   /* the same where there are histograms; NULL: they are left out */
    query_math_fn math;     /* element-wise functions of one vector */
    /* Everything else: fills *out from the evaluated arguments. */
    int (*call)(struct query_exec *x, const struct query_node *n, struct query_grid *args,
                struct query_grid *out);
    bool joins_info;         /* evaluates its second argument, a selector, by itself */
    bool starts;             /* looks at start timestamps */
    bool counter;            /* wants a counter: others get a hint */
    bool anchored, smoothed; /* takes a selector so modified */
};

/* NULL when there is none. */
const struct query_function *query_function_find(struct slice name);
/* The i-th of all, or NULL at the end; for completion and tests. */
const struct query_function *query_function_at(size_t i);

#endif
