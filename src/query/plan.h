/* The plan: one tree of operators for every language. Nodes are made by a language in an arena and
 * never change afterwards; the state of a run is elsewhere, so that a plan can run many times.
 *
 * Every node yields a grid: rows (series with labels), each with one value a step or none. A row's
 * positions are byte ranges in the query's text, for messages. */
#ifndef QUERY_PLAN_H
#define QUERY_PLAN_H

#include "query/query.h"
#include "query/slots.h"

enum query_op {
    QUERY_NUMBER, /* the same number at every step */
    QUERY_TEXT,
    QUERY_INSTANT, /* newest sample of each series within the lookback */
    QUERY_WINDOW,  /* a function over the samples of a window: of a selector or of an inner grid */
    QUERY_CALL,    /* a function of grids, step by step */
    QUERY_AGGREGATE,
    QUERY_BINARY,
    QUERY_ROWS, /* what a language brings along: a range aggregation of a log */
};

#define QUERY_NO_GROUP    UINT32_MAX
#define QUERY_GROUP_LABEL "group"

/* For a language whose groups, or whose right to a plan, show only in the series themselves: what
 * it is told of a selector's, and says about them. Lives as long as the plan. */
struct query_view {
    /* Before any series is read: fills group_of, `count` long, which stays until the run ends. The
     * calling thread. */
    int (*selected)(struct query_view *v, const struct store_source_ops *ops,
                    const struct store_selection *selection, size_t count, struct diag *diag);
    /* False: samples at these times are not what the plan was made for, and the run ends with
     * ERR_AGAIN. Any thread; equal times are not always asked about again. */
    bool (*times)(const struct query_view *v, const int64_t *ts, size_t count);
    const uint32_t *group_of; /* below group_count; QUERY_NO_GROUP: the series is left out */
    uint32_t group_count;
    const uint32_t *least; /* of each group's series must have a value at a step; NULL: one */
};

/* What a selector asks for. `offset_ns` and `at` say when: T = (at or the step) - offset. */
struct query_selector {
    const struct store_matcher *matchers;
    size_t matcher_count;
    int64_t offset_ns;
    bool has_at;
    int64_t at_ns;
    int64_t lookback_ns;
    bool timestamps;         /* the samples' own times instead of their values */
    bool starts;             /* the samples' start timestamps instead of their values */
    bool anchored;           /* windows begin with the last sample before them */
    bool smoothed;           /* values at the edges are interpolated from the samples around */
    bool find_resets;        /* histograms whose hint is unknown are compared with the one before */
    bool no_nans;            /* samples that are not a number are passed over, as markers are */
    struct query_view *view; /* may be NULL; histograms end the run with ERR_AGAIN then */
};

enum query_binary_op {
    QUERY_ADD,
    QUERY_SUB,
    QUERY_MUL,
    QUERY_DIV,
    QUERY_MOD,
    QUERY_POW,
    QUERY_ATAN2,
    QUERY_EQ,
    QUERY_NE,
    QUERY_LT,
    QUERY_LE,
    QUERY_GT,
    QUERY_GE,
    QUERY_TRIM_UPPER, /* of histograms: what is at most the cutoff stays */
    QUERY_TRIM_LOWER, /* what is at least the cutoff stays */
    QUERY_AND,
    QUERY_OR,
    QUERY_UNLESS,
    QUERY_DIV_OR_NAN /* by zero is not a number, as LogQL has it */
};

enum query_cardinality {
    QUERY_ONE_TO_ONE,
    QUERY_MANY_TO_ONE,
    QUERY_ONE_TO_MANY,
    QUERY_MANY_TO_MANY
};

enum query_aggregate {
    QUERY_SUM,
    QUERY_AVG,
    QUERY_COUNT,
    QUERY_MIN,
    QUERY_MAX,
    QUERY_GROUP,
    QUERY_STDDEV,
    QUERY_STDVAR,
    QUERY_TOPK,
    QUERY_BOTTOMK,
    QUERY_COUNT_VALUES,
    QUERY_QUANTILE,
    QUERY_LIMITK,
    QUERY_LIMIT_RATIO
};

struct query_function; /* query/functions.h */
struct query_exec;
struct query_grid;

/* A source of rows for QUERY_ROWS. Lives as long as the plan; any thread. */
struct query_rows {
    /* Adds rows at the steps in force (query/grid.h). */
    int (*eval)(const struct query_rows *rows, struct query_exec *x, struct query_grid *out);
    void (*explain)(const struct query_rows *rows, struct buf *out);
};

struct query_node {
    enum query_op op;
    size_t pos_begin, pos_end; /* in the text */
    uint32_t line, col;        /* of pos_begin */
    bool is_scalar;            /* one row without labels, a value at every step */
    struct query_node *const *args;
    size_t arg_count;

    double number;
    struct slice text;
    struct query_selector selector; /* INSTANT, and WINDOW over a selector */
    const struct query_function *function;

    const struct query_rows *rows; /* ROWS */

    /* WINDOW */
    int64_t range_ns;
    bool subquery; /* args[0] is the inner expression, evaluated every inner_step_ns */
    int64_t inner_step_ns;
    struct query_steps inner; /* of the subquery: filled when the plan is made */
    /* What is done to each row as soon as it is made, under an aggregation by the view; steps are
     * whole seconds then. */
    const struct query_each *each;
    size_t each_count;

    /* AGGREGATE: args[0] the vector, args[1] the parameter if any */
    enum query_aggregate aggregate;
    bool without;
    const struct slice *grouping;
    size_t grouping_count;
    /* Groups are those of the selector's view: a row's only label is QUERY_GROUP_LABEL, the number.
     * Sum, avg, count, min and max; ERR_AGAIN where there is no fast way. */
    bool by_view;

    /* BINARY */
    enum query_binary_op binary;
    bool return_bool;
    enum query_cardinality cardinality;
    bool on;
    const struct slice *matching, *include;
    size_t matching_count, include_count;
    bool has_fill_left, has_fill_right;
    double fill_left, fill_right;
};

struct query_plan {
    struct query_node *root;
    struct query_steps steps;
    enum query_kind kind; /* of an instant query's answer */
    bool delayed_name_removal;
    /* A bare range selector, as instant queries may ask for: its samples as they are. */
    bool raw_samples;
};

#endif
