/* The syntax tree, for the files of this language. Made by the parser, never changed afterwards. */
#ifndef LANG_TRACEQL_AST_H
#define LANG_TRACEQL_AST_H

#include "base/vec.h"
#include "lang/traceql/traceql.h"
#include "lang/traceql/value.h"

enum traceql_scope {
    TRACEQL_SCOPE_NONE, /* .name: of the span, then of the resource */
    TRACEQL_SCOPE_SPAN,
    TRACEQL_SCOPE_RESOURCE,
    TRACEQL_SCOPE_EVENT,
    TRACEQL_SCOPE_LINK,
    TRACEQL_SCOPE_INSTRUMENTATION,
    TRACEQL_SCOPE_COUNT
};

enum traceql_intrinsic {
    TRACEQL_NO_INTRINSIC,
    TRACEQL_I_DURATION,
    TRACEQL_I_NAME,
    TRACEQL_I_STATUS,
    TRACEQL_I_STATUS_MESSAGE,
    TRACEQL_I_KIND,
    TRACEQL_I_SPAN_ID,
    TRACEQL_I_PARENT_ID,
    TRACEQL_I_TRACE_ID,
    TRACEQL_I_SCOPE_NAME,
    TRACEQL_I_SCOPE_VERSION,
    /* of events and links */
    TRACEQL_I_EVENT_NAME,
    TRACEQL_I_EVENT_SINCE_START,
    TRACEQL_I_LINK_TRACE,
    TRACEQL_I_LINK_SPAN,
    /* what takes the whole trace */
    TRACEQL_I_ROOT_NAME,
    TRACEQL_I_ROOT_SERVICE,
    TRACEQL_I_TRACE_DURATION,
    TRACEQL_I_NESTED_LEFT,
    TRACEQL_I_NESTED_RIGHT,
    TRACEQL_I_NESTED_PARENT,
    TRACEQL_I_CHILD_COUNT,
    TRACEQL_I_PARENT,
    TRACEQL_INTRINSIC_COUNT
};

struct traceql_intrinsic_info {
    enum traceql_intrinsic id;
    const char *name;   /* "duration"; NULL when it has only the scoped one */
    const char *scoped; /* "span:duration", or NULL */
    enum traceql_kind kind;
};
extern const struct traceql_intrinsic_info traceql__intrinsics[];
extern const size_t traceql__intrinsic_count;
const struct traceql_intrinsic_info *traceql__intrinsic_find(struct slice name);
const struct traceql_intrinsic_info *traceql__intrinsic_get(enum traceql_intrinsic id);

/* A field that a query mentions; each once, by its number. */
struct traceql_field {
    enum traceql_scope scope;
    enum traceql_intrinsic intrinsic;
    bool parent;       /* of the parent span */
    struct slice name; /* of an attribute; of an intrinsic as it was written first */
    struct slice text; /* as the language writes it */
    size_t source;     /* index of what is read for it (plan.h); SIZE_MAX: nothing */
};

enum traceql_expr_kind { TRACEQL_EXPR_VALUE, TRACEQL_EXPR_FIELD, TRACEQL_EXPR_OP };

struct traceql_expr {
    enum traceql_expr_kind kind;
    size_t begin, end; /* in the text */
    struct traceql_value value;
    size_t field;
    enum traceql_op op;
    enum traceql_kind type;     /* of an OP; NIL: only known when it runs */
    bool has_field;             /* an OP has one below */
    unsigned height;            /* of OPs, this one included */
    struct traceql_expr *a, *b; /* b NULL for ! and - */
    struct text_regex *regex;   /* of b, when it is a literal */
    bool literal_nil;           /* = nil, != nil */
};

enum traceql_aggregate_op {
    TRACEQL_AGG_COUNT,
    TRACEQL_AGG_MIN,
    TRACEQL_AGG_MAX,
    TRACEQL_AGG_AVG,
    TRACEQL_AGG_SUM
};

struct traceql_pipeline;

/* A number that a spanset has. */
struct traceql_scalar {
    enum { TRACEQL_SCALAR_VALUE, TRACEQL_SCALAR_AGGREGATE, TRACEQL_SCALAR_OP } kind;
    size_t begin, end;
    struct traceql_value value;
    enum traceql_aggregate_op aggregate;
    const struct traceql_expr *expr;         /* of the aggregate; NULL for count() */
    const struct traceql_pipeline *pipeline; /* (... | aggregate): of these spans of the trace */
    enum traceql_op op;
    struct traceql_scalar *a, *b;
};

enum traceql_set_kind { TRACEQL_SET_FILTER, TRACEQL_SET_OP, TRACEQL_SET_PIPELINE };

struct traceql_set {
    enum traceql_set_kind kind;
    const struct traceql_expr *expr; /* FILTER; NULL = all */
    enum traceql_op op;
    struct traceql_set *a, *b;
    const struct traceql_pipeline *pipeline;
};

enum traceql_stage_kind {
    TRACEQL_STAGE_SET,
    TRACEQL_STAGE_SCALAR, /* a comparison of scalars */
    TRACEQL_STAGE_BY,
    TRACEQL_STAGE_COALESCE,
    TRACEQL_STAGE_SELECT
};

struct traceql_stage {
    enum traceql_stage_kind kind;
    const struct traceql_set *set;
    const struct traceql_scalar *scalar;
    const struct traceql_expr **exprs; /* BY, SELECT */
    size_t expr_count;
};

struct traceql_pipeline {
    const struct traceql_stage *stages;
    size_t count;
};

enum traceql_metric_op {
    TRACEQL_RATE,
    TRACEQL_COUNT_OVER_TIME,
    TRACEQL_MIN_OVER_TIME,
    TRACEQL_MAX_OVER_TIME,
    TRACEQL_AVG_OVER_TIME,
    TRACEQL_SUM_OVER_TIME,
    TRACEQL_QUANTILE_OVER_TIME,
    TRACEQL_HISTOGRAM_OVER_TIME,
    TRACEQL_COMPARE,
    TRACEQL_METRIC_OP_COUNT
};
extern const char *const traceql__metric_names[TRACEQL_METRIC_OP_COUNT];

/* What a metrics query is made of: a function over spans, what is done with series, arithmetic. */
enum traceql_metric_kind {
    TRACEQL_METRIC_FUNCTION,
    TRACEQL_METRIC_TOPK,
    TRACEQL_METRIC_BOTTOMK,
    TRACEQL_METRIC_OP,
    TRACEQL_METRIC_NUMBER
};

struct traceql_metric {
    enum traceql_metric_kind kind;
    size_t begin, end;
    /* FUNCTION */
    enum traceql_metric_op function;
    const struct traceql_pipeline *pipeline;
    const struct traceql_expr *expr; /* what is measured, or compare's selection */
    const struct traceql_expr **by;
    size_t by_count;
    double *quantiles;
    size_t quantile_count;
    int64_t top, compare_start_ns, compare_end_ns;
    /* OP: arithmetic, or a comparison that drops points; the rest: a alone */
    enum traceql_op op;
    struct traceql_metric *a, *b;
    double number; /* NUMBER; k */
};

struct traceql_hint {
    struct slice name;
    struct traceql_value value;
};

struct traceql_query {
    struct slice text;
    struct arena *arena;
    const struct traceql_pipeline *pipeline; /* a search, else */
    struct traceql_metric *metric;
    const struct traceql_hint *hints;
    size_t hint_count;
    VEC(struct traceql_field) fields;
    VEC(struct text_regex *) regexes;
};

void traceql__print_expr(const struct traceql_query *q, const struct traceql_expr *e,
                         struct buf *out);
void traceql__print_scalar(const struct traceql_query *q, const struct traceql_scalar *s,
                           struct buf *out);
void traceql__print_pipeline(const struct traceql_query *q, const struct traceql_pipeline *p,
                             struct buf *out);

#endif
