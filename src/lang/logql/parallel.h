/* Lines of a scan in order, with the stages run on all threads: pieces of the log are read side by
 * side, newest (or oldest) first, a few at a time, and lines are given on as soon as none of the
 * pieces left can have one before them. The lines and their order are those of reading row by row.
 */
#ifndef LANG_LOGQL_PARALLEL_H
#define LANG_LOGQL_PARALLEL_H

#include "lang/logql/rows.h"
#include "lang/logql/run.h"

/* A line that passed the pipeline. */
struct logql_kept {
    int64_t ts_ns;
    struct slice line;
    const struct logql_label *labels; /* by name */
    size_t label_count;
    /* Its place among others. */
    struct hash128 stream;
    size_t morsel, row;
};

struct logql_parallel {
    const struct logql_env *env; /* with a pool */
    const struct logql_pipeline *pipeline;
    const struct store_event_scan *scan;
    uint64_t limit; /* lines that will be taken at most; 0 = all */
    /* Called in order, by the caller's thread. */
    int (*take)(void *ctx, const struct logql_kept *kept, bool *out_enough);
    void *ctx;
};
/* The errors of a scan, and of `take`. */
int logql__read_parallel(const struct logql_parallel *p, struct store_event_stats *stats,
                         struct diag *diag);

#endif
