/* Running TraceQL: searches to traces, metrics to a plan. */
#ifndef LANG_TRACEQL_RUN_H
#define LANG_TRACEQL_RUN_H

#include "lang/traceql/traceql.h"
#include "lang/traceql/value.h"
#include "query/query.h"
#include "store/events.h"

/* Whom a query asks, and what it may use. */
struct traceql_env {
    struct store_event_source *source;
    struct slice tenant;
    struct store_event_limits limits;
    struct task_pool *pool; /* NULL: the calling thread alone */
};

struct traceql_search {
    int64_t start_ns, end_ns; /* both included: where a span that is looked for starts */
    size_t limit;             /* traces */
    size_t spans;             /* of a spanset; the rest is only counted */
    int64_t min_ns, max_ns;   /* duration of the trace; 0 = any */
};

struct traceql_attribute {
    struct slice name;
    struct traceql_value value;
};

struct traceql_span {
    struct slice id; /* 8 bytes */
    struct slice name;
    int64_t start_ns, duration_ns;
    const struct traceql_attribute *attributes; /* what the query mentions and the span has */
    size_t attribute_count;
};

struct traceql_found_set {
    struct traceql_span *spans;
    size_t span_count, matched;
    const struct traceql_attribute *attributes; /* avg(duration), by(name) */
    size_t attribute_count;
};

struct traceql_service {
    struct slice name;
    uint32_t spans, errors;
};

struct traceql_found {
    char id[16];
    struct slice root_service, root_name; /* ptr NULL: the root is not there */
    int64_t start_ns, duration_ns;
    struct traceql_found_set *sets;
    size_t set_count;
    struct traceql_service *services; /* sorted by name */
    size_t service_count;
};

struct traceql_stats {
    uint64_t traces, spans, bytes;
    /* Of a search: pieces of the store in its range, and how many are done with. */
    uint64_t pieces, pieces_done;
};

struct traceql_result {
    struct traceql_found *traces; /* newest first, by start and id */
    size_t count;
    struct traceql_stats stats;
};

/* The newest traces that match, those with the newest span found first. Everything of *out is in
 * `arena`. ERR_INVALID for a metrics query; the errors of a scan (store/events.h). Blocks. */
int traceql_search_run(struct traceql_query *q, const struct traceql_search *search,
                       const struct traceql_env *env, struct arena *arena,
                       struct traceql_result *out, struct diag *diag);

/* The same bit by bit, for those who show what was found so far. The query, search, env and arena
 * outlive it; all calls on one thread at a time. */
struct traceql_searching;
int traceql_search_open(struct traceql_query *q, const struct traceql_search *search,
                        const struct traceql_env *env, struct arena *arena,
                        struct traceql_searching **out, struct diag *diag);
/* Looks at so many traces more. *out (in the arena) has those found since the last call, in the
 * order in which they were found, and the statistics so far; *out_done: that was all. */
int traceql_search_step(struct traceql_searching *s, size_t traces, struct traceql_result *out,
                        bool *out_done, struct diag *diag);
void traceql_search_close(struct traceql_searching *s); /* NULL is fine */

/* The clauses that spans of a query's filter meet, for listing tags and values of them; in the
 * query's arena. More spans may meet them than the query has. */
void traceql_clauses(const struct traceql_query *q, const struct store_event_clause **out,
                     size_t *out_count);
/* What the store knows a tag by: ".http.method", "span:name", "resource.service.name", "name".
 * False when it is none or cannot be listed. *out_kind is the kind of an intrinsic, else NIL. */
bool traceql_tag_field(struct slice tag, struct arena *arena, struct store_event_field *out,
                       enum traceql_kind *out_kind);

/* --- metrics --- */

struct traceql_exemplar {
    size_t series; /* of the answer's: traceql_finish */
    int64_t ts_ns;
    double value;
    char trace_id[16];
    /* Until then: of the function's series, but for a name and a quantile. */
    struct data_labels labels;
    const struct traceql_metric *function;
};

struct traceql_exemplars {
    size_t max; /* wanted at most; 0 = none */
    struct traceql_exemplar *items;
    size_t count;
};

/* Lowers a metrics query to a plan over these steps: each stands for the time since the one before,
 * (T - step, T]; of an instant query, for `range_ns` until it. The plan refers to the query and
 * env; its counts are added to *stats, exemplars to *exemplars (may be NULL). */
int traceql_plan(struct traceql_query *q, const struct query_steps *steps, int64_t range_ns,
                 const struct traceql_env *env, struct arena *arena, struct query_plan **out,
                 struct traceql_stats *stats, struct traceql_exemplars *exemplars,
                 struct diag *diag);
/* Makes of what such a plan gave the answer: series that have points, each with a label at least;
 * exemplars by time, with their series and a value on its scale. step_ns: how long a step is. What
 * is new is in `arena`; ERR_NOMEM. Values of labels carry their type: see traceql_label_value. */
int traceql_finish(const struct traceql_query *q, int64_t step_ns, struct query_result *r,
                   struct traceql_exemplars *exemplars, struct arena *arena, struct diag *diag);
/* The least range that is worth asking for by itself: parts of the steps, one after the other, give
 * what all of them give at once, and shorter ones look at much of their surroundings again.
 * INT64_MAX: the query has to have all of its steps. *out_zeros: series that came in some parts are
 * 0 at the steps of the others. */
int64_t traceql_range_min_ns(struct traceql_query *q, bool *out_zeros);
/* The names of labels that series are grouped by, in the order of the query; false beyond the last.
 * Series may have fewer of them, and others behind: labels themselves are sorted. */
bool traceql_group_name(const struct traceql_query *q, size_t i, struct slice *out);
/* What a label of a series stands for. */
struct traceql_value traceql_label_value(struct slice text);

#endif
