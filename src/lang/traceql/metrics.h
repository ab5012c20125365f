/* Functions over spans, as a plan's source of rows. */
#ifndef LANG_TRACEQL_METRICS_H
#define LANG_TRACEQL_METRICS_H

#include <pthread.h>

#include "base/map.h"
#include "lang/traceql/candidates.h"
#include "query/grid.h"

struct traceql_metrics {
    struct query_rows rows; /* first */
    struct traceql_query *query;
    const struct traceql_metric *metric;
    const struct traceql_env *env;
    int64_t range_ns; /* of an instant query */
    struct traceql_stats *stats;
    struct traceql_exemplars *exemplars; /* may be NULL */
    size_t functions;                    /* of the query: each has its share of exemplars */
};

struct traceql_series {
    struct data_labels labels;
    double *count, *value;    /* one a step; NULL where the function does not need it */
    double bucket;            /* of a histogram: its upper bound */
    struct data_labels group; /* of a histogram: labels without the bucket */
    size_t exemplar_step;     /* + 1: where the last one was taken */
};

/* What one thread has. */
struct traceql_worker {
    struct traceql_worker *next;
    struct traceql_run *run;
    struct store_event_chunk chunk;
    struct arena *arena;   /* series; charged */
    struct arena *scratch; /* of a chunk */
    struct map *ids;       /* what tells series apart -> index; charged, as the lists below */
    int64_t charged;
    VEC(struct traceql_series) all;
    VEC(struct traceql_exemplar) exemplars;
    VEC(size_t) exemplar_series;
    struct buf key;
    struct traceql_value *values; /* of the group in hand */
};

struct traceql_run {
    const struct traceql_metrics *m;
    struct query_exec *x;
    int64_t first_ns, step_ns; /* step i is (first + (i - 1) * step, first + i * step] */
    size_t steps;
    struct traceql_reads reads;
    const struct store_event_field_info
        *fields; /* compare(): those of all spans, behind the reads */
    size_t field_count;
    struct store_event_cursor *cursor;

    pthread_mutex_t lock; /* of all below */
    struct traceql_worker *idle;
    struct diag failed;
    _Atomic bool stop;
    _Atomic size_t series_count;
};

/* The step a time counts for; false when there is none. */
bool traceql__step_of(const struct traceql_run *r, int64_t ts_ns, size_t *out);
/* The series of w->key, made when it is new (*out_added); NULL: out of memory, or too many. */
struct traceql_series *traceql__series(struct traceql_worker *w, bool *out_added);
/* The text of a label for a value: its type and then itself. */
struct slice traceql__label_text(struct traceql_value v, struct arena *arena);
/* Appends the value so that equal ones are equal bytes. */
void traceql__key_put(struct traceql_value v, struct buf *out);
int traceql__no_room(struct traceql_worker *w);

/* compare(): what a span adds, and which series go out. */
int traceql__compare_add(struct traceql_worker *w, const struct traceql_rows *rows, size_t row,
                         size_t step);
void traceql__compare_cut(struct traceql_worker *w);

int traceql__metrics_eval(const struct query_rows *rows, struct query_exec *x,
                          struct query_grid *out);
void traceql__metrics_explain(const struct query_rows *rows, struct buf *out);
/* Filters alone, over what a span has by itself: it need not be looked at within its trace. */
bool traceql__is_plain(const struct traceql_metric *m, const struct traceql_reads *reads);

#endif
