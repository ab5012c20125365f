/* Many queries in one request (POST /api/pharos/v1/query): each in its language, with its own
 * range, step and budget; answers go out as they are done. A language is a row of `api_languages`.
 * Expressions among them compute with the answers of others. */
#ifndef API_QUERY_MULTI_H
#define API_QUERY_MULTI_H

#include "api/job.h"
#include "query/query.h"

struct api_query;
struct graphite_list;
struct logql_streams;
struct traceql_result;

/* Who takes an answer in another shape than columns: what a language would write is handed over, to
 * be read during the call. All of them may fail with words. */
struct api_query_taker {
    int (*numbers)(struct api_query_taker *t, const struct api_query *q,
                   const struct query_result *r, struct diag *diag);
    int (*lines)(struct api_query_taker *t, const struct api_query *q,
                 const struct logql_streams *r, struct diag *diag);
    int (*traces)(struct api_query_taker *t, const struct api_query *q,
                  const struct traceql_result *r, struct diag *diag);
    int (*targets)(struct api_query_taker *t, const struct api_query *q,
                   const struct graphite_list *r, struct diag *diag);
};

/* One query on its way through a language. Everything it needs lives in `arena`. */
struct api_query {
    struct api *api;
    struct slice tenant, text;
    struct query_steps steps;
    int64_t from_ns, to_ns; /* as asked for */
    size_t limit;           /* series (or rows) of the answer; 0 = all */
    bool explain;           /* no answer but the plan */
    bool exemplars;
    bool stats;
    bool partial; /* a limit on reading ends in an answer of what was read, with a warning */
    struct api_limits limits;
    struct arena *arena;      /* charged to the query's memory: allocating may fail */
    struct arena *plan_arena; /* of tree and plan, which are as large as the text; never fails */
    struct query_env env;     /* budgets, cancelling, deadline; the source is that of metrics */
    /* Set by the language: what kind of error its code means; starts as what api__error_of says. */
    enum api_error error;
    bool has_error;
    struct query_stats used;       /* for "stats" */
    struct api_query_taker *taker; /* NULL: the answer is columns */
    /* Sees numbers and targets besides, before they are written as columns; may be NULL. */
    struct api_query_taker *watcher;
};

struct api_language {
    const char *name, *door; /* whose query language it is */
    /* Appends members of the answer's JSON object, each with a comma before it. Any thread of the
     * pool; blocks. An error has its words in diag and leaves `out` as it likes. */
    int (*run)(struct api_query *q, struct buf *out, struct diag *diag);
    /* Announces to q->env.shared what the query will read; may be NULL. Errors are for `run`. */
    void (*expect)(struct api_query *q);
};

extern const struct api_language api_language_promql;
extern const struct api_language api_language_logql;
extern const struct api_language api_language_traceql;
extern const struct api_language api_language_graphite;
/* NULL when there is none of that name. */
const struct api_language *api_language_find(struct slice name);
size_t api_language_count(void);
const struct api_language *api_language_at(size_t i);

/* Appends kind, grid, series, warnings and so on of a result, as columns over one shared grid:
 * `,"kind":"matrix","grid":{...},"series":[...]`. ERR_NOMEM when the text outgrows the query's
 * memory. */
int api_put_columns(struct api_query *q, const struct query_result *r, struct buf *out,
                    struct diag *diag);
/* A number, or "NaN", "+Inf", "-Inf" as text. */
void api_put_number(double v, struct buf *out);

#endif
