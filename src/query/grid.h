/* A grid: series by steps. What every operator yields and takes. In the arena of the run. */
#ifndef QUERY_GRID_H
#define QUERY_GRID_H

#include "data/kahan.h"
#include "query/plan.h"

struct query_row {
    struct data_labels labels;
    double *value;                           /* one a step */
    uint8_t *has;                            /* 1 where there is a value or a histogram */
    const struct data_histogram **histogram; /* NULL when all are floats */
    bool drop_name; /* the metric name goes at the end (delayed name removal) */
};

struct query_grid {
    struct query_row *rows;
    size_t count, cap;
    struct arena *columns; /* of rows and their columns; NULL: the run's, as the answer's have it */
    struct slice text;     /* of a string argument */
};

/* What was made ahead of its turn, beside something else. */
struct query_made {
    const struct query_node *node;
    struct query_grid grid;
    uint64_t samples, series; /* that it would have read */
};

struct query_exec {
    const struct query_plan *plan;
    const struct query_env *env;
    struct arena *arena;
    struct diag *diag;
    struct query_steps steps; /* of the grid being evaluated (a subquery has its own) */
    size_t step_count;
    VEC(struct slice) warnings, infos;
    struct query_stats stats;
    uint64_t samples_held;
    bool starved; /* memory was used up where nobody could say so: labels are missing */
    VEC(struct query_made) made;
    VEC(struct query__shared_rows *) shared;  /* taken from others of the request */
    VEC(struct store_selection *) selections; /* rows' labels point into them; freed at the end */
};

int64_t query__step_ns(const struct query_exec *x, size_t step);
/* A new row with no values; NULL when memory is used up (the diag says so). */
struct query_row *query__add_row(struct query_exec *x, struct query_grid *g,
                                 struct data_labels labels);
/* Makes room for so many more at once, where their number is known. */
int query__expect_rows(struct query_exec *x, struct query_grid *g, size_t count);
/* The same with columns that are there already, in the arena. */
struct query_row *query__put_row(struct query_exec *x, struct query_grid *g,
                                 struct data_labels labels, double *value, uint8_t *has);
/* A row of a scalar: a value at every step. */
double *query__add_scalar(struct query_exec *x, struct query_grid *g);
/* Adds "PromQL warning: text (line:col)" once. */
void query__warn(struct query_exec *x, const struct query_node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void query__info(struct query_exec *x, const struct query_node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds a whole text once. */
void query__note(struct query_exec *x, bool warning, struct slice text);
int query__no_memory(struct query_exec *x);
/* Puts a value or a histogram (which is not copied) at a step. */
void query__put_float(struct query_row *row, size_t step, double v);
int query__put_histogram(struct query_exec *x, struct query_row *row, size_t step,
                         const struct data_histogram *h);
static inline bool query__is_float(const struct query_row *r, size_t step)
{
    return r->has[step] && !(r->histogram && r->histogram[step]);
}
static inline const struct data_histogram *query__histogram_at(const struct query_row *r,
                                                               size_t step)
{
    return r->has[step] && r->histogram ? r->histogram[step] : NULL;
}
/* Cancelled, late or over the sample limit: an error with words, else 0. */
int query__check(struct query_exec *x);
int query__count_samples(struct query_exec *x, size_t samples);
/* The same as query__check without words, from any thread. */
bool query__should_stop(const struct query_env *env);
/* Memory that is not of the arena goes on the query's account until it is given back. */
int query__charge(struct query_exec *x, uint64_t bytes);
void query__give_back(struct query_exec *x, uint64_t bytes);
/* Says that a counter's function got something that does not look like one. */
void query__counter_hint(struct query_exec *x, const struct query_node *n,
                         struct data_labels labels);

/* Evaluates a node on the steps in force. out->columns is the caller's. */
int query__eval(struct query_exec *x, const struct query_node *n, struct query_grid *out);
/* The same for an operand, whose rows and columns last until query__grid_free: what a query holds
 * at a time is what one operator takes and gives, however deep they lie in each other. Labels and
 * histograms stay until the run ends. */
int query__eval_operand(struct query_exec *x, const struct query_node *n, struct query_grid *out);
void query__grid_free(struct query_grid *g);
/* Forgets the rows. */
void query__grid_clear(struct query_grid *g);
/* The rows of `from`, an operand, become those of `out`, which has none; or join them. No column is
 * copied. */
int query__grid_move(struct query_exec *x, struct query_grid *out, struct query_grid *from);
int query__grid_append(struct query_exec *x, struct query_grid *out, struct query_grid *from);
/* Where a grid's columns lie. */
struct arena *query__columns(const struct query_exec *x, const struct query_grid *g);
int query__eval_instant(struct query_exec *x, const struct query_node *n, struct query_grid *out);
int query__eval_window(struct query_exec *x, const struct query_node *n, struct query_grid *out);
int query__eval_aggregate(struct query_exec *x, const struct query_node *n, struct query_grid *out);
int query__eval_binary(struct query_exec *x, const struct query_node *n, struct query_grid *out);
int query__raw_samples(struct query_exec *x, const struct query_node *n, struct query_result *out);

/* Labels without __name__, or without/with only the given names. In the arena. */
struct data_labels query__drop_name(struct query_exec *x, struct data_labels labels);
struct data_labels query__keep_labels(struct query_exec *x, struct data_labels labels,
                                      const struct slice *names, size_t count);
struct data_labels query__remove_labels(struct query_exec *x, struct data_labels labels,
                                        const struct slice *names, size_t count, bool and_name);
/* A 128-bit signature of a label set. */
struct hash128 query__labels_id(struct data_labels labels, struct buf *scratch);
/* Rows with the same labels become one when their values never meet; otherwise the error Prometheus
 * gives. */
int query__merge_same(struct query_exec *x, struct query_grid *g);
/* A label's name must be UTF-8 and not empty; `where` (may be NULL) goes into the message. */
int query__check_label_name(struct query_exec *x, struct slice name, const char *where);
/* phi-quantile of n values (reordered); NaN sorts smallest. */
double query__quantile(double phi, double *values, size_t n);
/* Warns when a quantile asked for at some step is not between 0 and 1. */
void query__check_quantile(struct query_exec *x, const struct query_node *at, const double *phi);
/* Seconds of a duration or time, as exact as milliseconds are. */
double query__seconds(int64_t ns);

#endif
