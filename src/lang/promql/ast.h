/* The syntax tree of an expression, for the files of this language. */
#ifndef LANG_PROMQL_AST_H
#define LANG_PROMQL_AST_H

#include "lang/promql/promql.h"
#include "query/functions.h"

enum promql_kind {
    PROMQL_NUMBER,
    PROMQL_STRING,
    PROMQL_SELECTOR,
    PROMQL_MATRIX,
    PROMQL_SUBQUERY,
    PROMQL_CALL,
    PROMQL_AGGREGATE,
    PROMQL_BINARY,
    PROMQL_UNARY,
    PROMQL_PAREN
};

enum promql_at { PROMQL_AT_NONE, PROMQL_AT_TIME, PROMQL_AT_START, PROMQL_AT_END };

enum promql_duration_op {
    PROMQL_D_NUMBER,
    PROMQL_D_STEP,  /* of the query */
    PROMQL_D_RANGE, /* its end - its start */
    PROMQL_D_MIN,
    PROMQL_D_MAX,
    PROMQL_D_NEGATE,
    PROMQL_D_PLUS,
    PROMQL_D_PAREN,
    PROMQL_D_ADD,
    PROMQL_D_SUB,
    PROMQL_D_MUL,
    PROMQL_D_DIV,
    PROMQL_D_MOD,
    PROMQL_D_POW
};

/* A duration, which may be calculated: 5m, 300, 2 * step(). */
struct promql_duration {
    enum promql_duration_op op;
    double seconds; /* NUMBER */
    bool is_duration;
    struct promql_duration *left, *right;
    size_t begin, end; /* in the text */
};

struct promql_expr {
    enum promql_kind kind;
    enum query_type type;
    size_t begin, end; /* in the text */
    uint32_t line, col;
    unsigned depth; /* of the tree below */

    double number;
    bool is_duration; /* the number was written as one: 5m */
    struct slice string;

    /* SELECTOR, and the selector of a MATRIX (in args[0]) */
    struct slice name; /* of the metric, when written as one; also among the matchers */
    bool name_inside;  /* of the braces, in quotes; else it is in front, and the first matcher */
    struct store_matcher *matchers;
    size_t matcher_count;
    size_t implied_count; /* of them, the last ones, which were not written */

    /* MATRIX, SUBQUERY */
    struct promql_duration *range, *step; /* step: NULL when not given */

    /* SELECTOR, SUBQUERY */
    struct promql_duration *offset; /* NULL when not given */
    bool anchored, smoothed;        /* SELECTOR, and of a MATRIX */
    enum promql_at at;
    int64_t at_ns;

    struct promql_expr **args; /* operands, arguments; AGGREGATE: the vector, then the parameter */
    size_t arg_count;

    const struct query_function *function;
    enum query_aggregate aggregate;
    bool without, has_grouping;
    struct slice *grouping;
    size_t grouping_count;

    enum query_binary_op op;
    bool negative; /* UNARY */
    bool return_bool, on, has_matching, has_group;
    enum query_cardinality cardinality;
    struct slice *matching, *include;
    size_t matching_count, include_count;
    bool has_fill_left, has_fill_right;
    double fill_left, fill_right;
};

/* Whether it depends on the steps of the query. */
bool promql__duration_varies(const struct promql_duration *d);
/* Its value; steps may be NULL when it does not vary. ERR_INVALID: divided by zero, out of range.
 */
int promql__duration_value(const struct promql_duration *d, const struct query_steps *steps,
                           int64_t *out_ns, struct diag *diag);
/* A number or duration, maybe with a sign: nothing that is calculated. */
bool promql__duration_is_plain(const struct promql_duration *d);
const char *promql__duration_op_name(enum promql_duration_op op);
void promql__duration_print(const struct promql_duration *d, struct buf *out);

/* What info() looks up when it is given no selector. */
extern const struct store_matcher promql__target_info;

const char *promql__operator_name(enum query_binary_op op);
const char *promql__aggregate_name(enum query_aggregate aggregate);
const char *promql__match_name(enum store_match_op op);
/* "instant vector", "range vector", ... as messages have it. */
const char *promql__type_name(enum query_type type);

#endif
