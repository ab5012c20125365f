/* Running LogQL: log queries to streams of lines, metric queries to a plan. */
#ifndef LANG_LOGQL_RUN_H
#define LANG_LOGQL_RUN_H

#include "lang/logql/line.h"
#include "lang/logql/logql.h"
#include "lang/logql/partial.h"
#include "query/query.h"
#include "store/events.h"

/* Whom a query asks, and what it may use. */
struct logql_env {
    struct store_event_source *source;
    struct slice tenant;
    struct task_pool *pool; /* NULL: the calling thread alone */
    struct store_event_limits limits;
    int64_t now_ns; /* the wall clock, for templates */
    /* NULL: a limit that is reached is an error; else there is an answer of what was read. */
    struct logql_partial *partial;
};

struct logql_select {
    int64_t start_ns, end_ns; /* [start, end) */
    bool forward;             /* oldest first; else newest */
    uint64_t limit;           /* lines; 0 = no limit */
    int64_t interval_ns;      /* at most a line in so long a time; 0 = all */
    bool categorize;          /* streams are told apart by their own labels only */
    uint64_t after_position;  /* for tailing: store_event_scan.after_position */
};

struct logql_entry {
    int64_t ts_ns;
    struct slice line;
    /* Sorted by name; with `categorize` those that are not the stream's. */
    const struct logql_label *labels;
    size_t label_count;
};

struct logql_stream {
    struct data_labels labels;
    struct logql_entry *entries; /* in the order asked for */
    size_t count;
};

struct logql_stats {
    struct store_event_stats scan;
    uint64_t lines_returned;
};

struct logql_streams {
    struct logql_stream *streams; /* sorted by labels */
    size_t count, entry_count;
    struct logql_stats stats;
};

/* A log expression's lines. Everything of *out is in `arena`. ERR_INVALID: a template or path is
 * none; the errors of a scan (store/events.h). Blocks. */
int logql_select_run(const struct logql_expr *expr, const struct logql_select *select,
                     const struct logql_env *env, struct arena *arena, struct logql_streams *out,
                     struct diag *diag);

/* Appends what a log expression's scan is: the predicates and fields of the store, the stages left.
 */
int logql_select_explain(const struct logql_expr *expr, struct arena *arena, struct buf *out,
                         struct diag *diag);

/* Lowers a metric expression to a plan over these steps, which refers to expr and env. The plan's
 * statistics of scans are added to *stats. */
int logql_plan(const struct logql_expr *expr, const struct query_steps *steps,
               const struct logql_env *env, struct arena *arena, struct query_plan **out,
               struct logql_stats *stats, struct diag *diag);
/* The rows of an instant answer are in an order that was asked for (sort, sort_desc). */
bool logql_is_sorted(const struct logql_expr *expr);

#endif
