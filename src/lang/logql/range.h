/* Aggregations over ranges of a log, as a plan's source of rows. */
#ifndef LANG_LOGQL_RANGE_H
#define LANG_LOGQL_RANGE_H

#include "lang/logql/rows.h"
#include "lang/logql/run.h"

/* By which labels lines are counted together: NULL names and `without` = each label set alone. */
struct logql_grouping {
    bool without;
    const struct slice *names;
    size_t count;
};

struct logql_range {
    struct query_rows rows; /* first */
    const struct logql_expr *expr;
    const struct logql_env *env;
    const struct logql_pipeline *pipeline;
    struct logql_grouping grouping;
    struct logql_stats *stats;
};

int logql__range_eval(const struct query_rows *rows, struct query_exec *x, struct query_grid *out);
void logql__range_explain(const struct query_rows *rows, struct buf *out);

#endif
