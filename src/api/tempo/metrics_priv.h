/* A query of metrics on its way: shared by the answer that comes whole and the one that comes in
 * parts. */
#ifndef API_TEMPO_METRICS_PRIV_H
#define API_TEMPO_METRICS_PRIV_H

#include "api/tempo/door_priv.h"
#include "base/map.h"

struct tempo__part {
    int64_t first_ns, count; /* steps */
};

/* A series that came in some of the parts: bit i is that of parts[i]. */
struct tempo__part_series {
    struct data_labels labels;
    uint64_t parts;
};

/* Parts of a range, from its end to its beginning. */
struct tempo__stream {
    int64_t left_ns, window_ns; /* the step that is next; how long the next part is */
    bool zeros;                 /* traceql_range_min_ns */
    VEC(struct tempo__part) parts;
    VEC(struct tempo__part_series) series;
    struct map *ids; /* labels -> index of `series` */
};

struct tempo__metrics {
    struct slice query;
    int64_t start_ns, end_ns, step_ns, exemplars_max;
    bool instant, explain;
    struct traceql_query *parsed;
    struct traceql_env env;
    struct traceql_stats stats;
    struct traceql_exemplars exemplars;
    struct query_result result;
    size_t at;
    struct tempo__stream stream;
};

/* The answer of these steps into st->result, in `arena`; or the plan into job->out. */
int tempo__metrics_eval(struct api_job *job, const struct query_steps *steps, struct arena *arena,
                        struct diag *diag);

void tempo__stream_open(struct tempo__metrics *st);
/* One message for each call. */
bool tempo__stream_produce(struct api_job *job);
void tempo__stream_free(struct tempo__stream *s);

void tempo__put_number(double v, struct buf *out);
/* [{"key":"a","value":{...}}]: those that the query groups by as it names them, then others. */
void tempo__put_labels(const struct traceql_query *q, struct data_labels labels, struct buf *out);
/* {"timestampMs":"1","value":2},... */
void tempo__put_samples(const struct query_series *s, struct buf *out);
/* ,"exemplars":[...] of one series, or nothing. */
void tempo__put_exemplars(const struct traceql_exemplars *all, size_t series, struct buf *out);

#endif
