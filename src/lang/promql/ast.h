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

struct promql_expr {
    enum promql_kind kind;
    enum query_type type;
    size_t begin, end; /* in the text */
    uint32_t line, col;

    double number;
    bool is_duration; /* the number was written as one: 5m */
    struct slice string;

    /* SELECTOR, and the selector of a MATRIX (in args[0]) */
    struct slice name; /* as written in front of the braces; also among the matchers */
    struct store_matcher *matchers;
    size_t matcher_count;

    /* MATRIX, SUBQUERY */
    int64_t range_ns, step_ns;
    bool has_step;

    /* SELECTOR, SUBQUERY */
    bool has_offset;
    int64_t offset_ns;
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

/* "instant vector", "range vector", ... as messages have it. */
const char *promql__type_name(enum query_type type);

#endif
