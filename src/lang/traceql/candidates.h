/* Traces that may have what is looked for, newest first, each once, with all their spans. */
#ifndef LANG_TRACEQL_CANDIDATES_H
#define LANG_TRACEQL_CANDIDATES_H

#include "base/map.h"
#include "lang/traceql/eval.h"
#include "lang/traceql/run.h"

struct traceql_candidates {
    const struct traceql_env *env;
    struct traceql_query *query;
    struct traceql_reads reads;
    struct store_event_scan scan, load;
    struct store_event_cursor *cursor;
    struct store_event_chunk found, traces;
    size_t next_found, next_row;
    struct map *seen; /* ids of traces; charged */
    int64_t charged;
    VEC(char) ids;
    VEC(struct slice) batch;
    struct traceql_rows rows;
    struct traceql_trace trace;
    struct traceql_stats *stats;
    struct diag *diag;
    bool at_end;
    size_t batch_max;
};

/* Begins with the spans in [start, end] that meet the pipeline's conditions. Close in any case. */
int traceql__candidates_open(struct traceql_candidates *c, struct traceql_query *q,
                             const struct traceql_pipeline *p, const struct traceql_reads *reads,
                             const struct traceql_env *env, int64_t start_ns, int64_t end_ns,
                             size_t batch_max, struct traceql_stats *stats, struct diag *diag);
/* The next trace: c->rows and c->trace, good until the next call; *out false at the end. */
int traceql__candidates_next(struct traceql_candidates *c, bool *out);
/* So far. */
void traceql__candidates_stats(const struct traceql_candidates *c, struct traceql_stats *out);
/* Adds what it cost to *stats. */
void traceql__candidates_close(struct traceql_candidates *c);
/* Charges the query's memory until the close; false when there is none left. */
bool traceql__charge(struct traceql_candidates *c, int64_t bytes);

#endif
