/* Running a plan: what goes in beside it, and what comes out. */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/budget.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/task.h"
#include "base/vec.h"
#include "store/source.h"

struct query_plan; /* made by a language (lang/); immutable; lives in the arena it was made in */

/* The steps a query is evaluated at: start, start + step, ... up to end. An instant query has
 * start == end. */
struct query_steps {
    int64_t start_ns, end_ns, step_ns;
    bool instant;
};

/* What a query may use, and whom it asks. Zero limits are none. */
struct query_env {
    struct store_source *source;
    struct slice tenant;
    struct task_pool *pool;        /* NULL: the calling thread alone */
    struct budget *memory;         /* limits.query.memory; may be NULL */
    size_t samples_max;            /* limits.query.samples: loaded by one query */
    size_t series_max;             /* limits.query.series: of one selector */
    const _Atomic bool *cancelled; /* may be NULL */
    int64_t deadline_ns;           /* by now_ns; 0 = none (limits.query.timeout) */
    int64_t (*now_ns)(void *ctx);  /* monotonic; may be NULL when there is no deadline */
    void *now_ctx;
    struct query_shared *shared; /* of the request's queries; may be NULL */
    bool plain; /* step by step, without the fast ways: what these are tested against */
};

enum query_kind { QUERY_SCALAR, QUERY_STRING, QUERY_VECTOR, QUERY_MATRIX };

struct query_point {
    int64_t ts_ns;
    double value;
    const struct data_histogram *histogram; /* NULL for a float */
};

/* A series of an answer: columns, as they were computed. query_point_at reads them. */
struct query_series {
    struct data_labels labels;
    size_t count; /* of points, by time; one for a vector */
    /* A value and maybe a histogram a place; `histogram` NULL: all are floats. */
    const double *value;
    const struct data_histogram *const *histogram;
    const uint32_t *at; /* the place of each point; NULL: they are without gaps */
    /* The time of a place: start + place * step, or ts[place] when that is not NULL. */
    int64_t start_ns, step_ns;
    const int64_t *ts;
};

static inline struct query_point query_point_at(const struct query_series *s, size_t i)
{
    size_t place = s->at ? s->at[i] : i;
    return (struct query_point){.ts_ns = s->ts ? s->ts[place]
                                               : s->start_ns + (int64_t)place * s->step_ns,
                                .value = s->value[place],
                                .histogram = s->histogram ? s->histogram[place] : NULL};
}

struct query_stats {
    uint64_t samples_read, series_selected, peak_samples;
};

struct query_result {
    enum query_kind kind;
    struct slice string;         /* QUERY_STRING */
    struct query_point scalar;   /* QUERY_SCALAR of an instant query */
    struct query_series *series; /* matrix: sorted by labels */
    size_t series_count;
    struct slice *warnings, *infos; /* complete texts ("PromQL warning: ...") */
    size_t warning_count, info_count;
    struct query_stats stats;
};

/* Everything of *out is in `arena`. Errors: ERR_INVALID (the query's own fault while running:
 * duplicate series and the like), ERR_LIMIT, ERR_NOMEM (a budget; the setting is named),
 * ERR_TIMEOUT, ERR_CANCELLED, ERR_CORRUPT, ERR_IO. Any thread; blocks until done. */
int query_run(const struct query_plan *plan, const struct query_env *env, struct arena *arena,
              struct query_result *out, struct diag *diag);

/* What queries of one request have in common: each selector with its function that several of them
 * ask for over the same steps is selected and read once, by all threads that want it. Rows are kept
 * from the first that asks to the last, in at most `bytes_max` of memory; beyond that, and when
 * reading fails, each query reads for itself. Before the queries run, every plan is announced.
 * Thread-safe. The queries' source, tenant and series_max are the same; they end before it. */
struct query_shared *query_shared_new(struct store_source *source, struct budget *parent,
                                      int64_t bytes_max);
void query_shared_expect(struct query_shared *s, const struct query_plan *plan);
void query_shared_free(struct query_shared *s); /* NULL is fine */

/* The plan as an indented tree of operators. */
void query_explain(const struct query_plan *plan, struct buf *out);

#endif
