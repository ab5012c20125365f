/* The syntax tree, for the files of this language. Made by the parser, never changed afterwards. */
#ifndef LANG_LOGQL_AST_H
#define LANG_LOGQL_AST_H

#include "base/vec.h"
#include "lang/logql/logql.h"
#include "query/plan.h"
#include "text/regex.h"

enum logql_kind {
    LOGQL_LOG, /* a selector with its pipeline */
    LOGQL_RANGE,
    LOGQL_AGGREGATE,
    LOGQL_BINARY,
    LOGQL_NUMBER,
    LOGQL_VECTOR,
    LOGQL_LABEL_REPLACE
};

enum logql_line_op {
    LOGQL_CONTAINS,
    LOGQL_NOT_CONTAINS,
    LOGQL_MATCHES,
    LOGQL_NOT_MATCHES,
    LOGQL_PATTERN,
    LOGQL_NOT_PATTERN
};

/* One alternative of a line filter. */
struct logql_needle {
    struct slice text;
    bool is_ip;
    struct text_regex *regex;
};

enum logql_stage_kind {
    LOGQL_STAGE_LINE, /* line filter */
    LOGQL_STAGE_JSON,
    LOGQL_STAGE_LOGFMT,
    LOGQL_STAGE_REGEXP,
    LOGQL_STAGE_PATTERN,
    LOGQL_STAGE_UNPACK,
    LOGQL_STAGE_LABEL_FILTER,
    LOGQL_STAGE_LINE_FORMAT,
    LOGQL_STAGE_LABEL_FORMAT,
    LOGQL_STAGE_DECOLORIZE,
    LOGQL_STAGE_DROP,
    LOGQL_STAGE_KEEP
};

enum logql_filter_kind {
    LOGQL_FILTER_STRING,
    LOGQL_FILTER_NUMBER,
    LOGQL_FILTER_DURATION,
    LOGQL_FILTER_BYTES,
    LOGQL_FILTER_IP,
    LOGQL_FILTER_AND,
    LOGQL_FILTER_OR
};

enum logql_compare { LOGQL_EQ, LOGQL_NE, LOGQL_LT, LOGQL_LE, LOGQL_GT, LOGQL_GE };

struct logql_filter {
    enum logql_filter_kind kind;
    struct slice name;
    struct store_matcher matcher; /* STRING */
    enum logql_compare compare;   /* the numbers and IP */
    double number;                /* NUMBER, BYTES; DURATION in ns */
    struct slice text;            /* of the value: IP, and as durations and sizes were written */
    bool comma;                   /* AND written as a comma or a space */
    struct logql_filter *left, *right;
};

/* json a="x.y", logfmt a="b", label_format a=b and a="{{.b}}", drop a, keep a="b". */
struct logql_pair {
    struct slice name, value;
    bool rename;                  /* label_format a=b */
    bool has_matcher;             /* drop and keep */
    struct store_matcher matcher; /* of it */
};

struct logql_stage {
    enum logql_stage_kind kind;
    struct logql_stage *next;
    size_t begin, end; /* in the text */

    enum logql_line_op line_op;
    struct logql_needle *needles;
    size_t needle_count;

    struct slice text; /* REGEXP, PATTERN, LINE_FORMAT */
    struct text_regex *regex;
    struct slice *groups; /* REGEXP: the name of each group, empty for those without */
    size_t group_count;
    bool strict, keep_empty;  /* LOGFMT */
    struct logql_pair *pairs; /* JSON, LOGFMT, LABEL_FORMAT, DROP, KEEP */
    size_t pair_count;
    struct logql_filter *filter;
};

enum logql_range_op {
    LOGQL_RATE,
    LOGQL_RATE_COUNTER,
    LOGQL_COUNT,
    LOGQL_BYTES_RATE,
    LOGQL_BYTES,
    LOGQL_AVG,
    LOGQL_SUM,
    LOGQL_MIN,
    LOGQL_MAX,
    LOGQL_STDVAR,
    LOGQL_STDDEV,
    LOGQL_QUANTILE,
    LOGQL_FIRST,
    LOGQL_LAST,
    LOGQL_ABSENT,
    LOGQL_RANGE_OP_COUNT
};
extern const char *const logql__range_names[LOGQL_RANGE_OP_COUNT];

enum logql_convert { LOGQL_CONVERT_NUMBER, LOGQL_CONVERT_DURATION, LOGQL_CONVERT_BYTES };

struct logql_unwrap {
    struct slice name;
    enum logql_convert convert;
    struct slice convert_name;   /* as it was written: duration, duration_seconds, bytes */
    struct logql_stage *filters; /* label filters behind it */
};

struct logql_expr {
    enum logql_kind kind;
    size_t begin, end; /* in the text */
    uint32_t line, col;
    unsigned depth;

    /* LOG */
    struct store_matcher *matchers;
    size_t matcher_count;
    struct logql_stage *stages;

    /* RANGE: args[0] is the log expression */
    enum logql_range_op range_op;
    int64_t range_ns, offset_ns;
    bool has_offset;
    struct logql_unwrap *unwrap;

    /* AGGREGATE, and RANGE of some kinds */
    const struct logql_aggregate *aggregate;
    bool has_param, has_grouping, without;
    double param; /* k of topk, phi of quantile_over_time */
    struct slice param_text;
    struct slice *grouping;
    size_t grouping_count;

    /* BINARY */
    enum query_binary_op op;
    bool return_bool, on, has_matching, has_group;
    enum query_cardinality cardinality;
    struct slice *matching, *include;
    size_t matching_count, include_count;

    double number; /* NUMBER, VECTOR */

    /* LABEL_REPLACE */
    struct slice dst, replacement, src, regex;

    struct logql_expr *args[2];
    /* The root alone: everything compiled that lies outside of the arena. */
    struct text_regex **regexes;
    size_t regex_count;
    struct slice text;
};

struct logql_aggregate {
    const char *name;
    int query; /* enum query_aggregate, or -1: sort and the like, calls of functions */
    const char *function;
    bool takes_param;
};
extern const struct logql_aggregate logql__aggregates[];

const char *logql__operator_name(enum query_binary_op op);
const char *logql__line_op_name(enum logql_line_op op);
const char *logql__compare_name(enum logql_compare op);
const char *logql__match_name(enum store_match_op op);

/* One stage, label filter or grouping as it is printed. */
void logql__print_stage(const struct logql_stage *stage, struct buf *out);
void logql__print_filter(const struct logql_filter *filter, struct buf *out);

#endif
