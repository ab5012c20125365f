/* Expressions over the answers of other queries, as Grafana evaluates them on its server: math,
 * reduce, resample, threshold and classic conditions. What comes in are sets of series and numbers,
 * whatever language they are from, by the name (refId) of their query.
 *
 * Specification:
 * grafana.com/docs/grafana/latest/panels-visualizations/query-transform-data/expression-queries/
 *
 * All of a set lies in an arena, which may be charged: allocating may fail. No call keeps state
 * beyond its arguments; any thread. */
#ifndef LANG_EXPR_EXPR_H
#define LANG_EXPR_EXPR_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/diag.h"
#include "codec/json_dom.h"
#include "data/labels.h"

/* Numbers over time, oldest first, or one number. A value that is not there (null) is the staleness
 * marker (expr_null); NaN and infinities are themselves. */
struct expr_series {
    struct data_labels labels;
    struct slice name; /* that is shown, ptr NULL = made from the labels */
    size_t count;
    bool single;    /* one value: a number and no series to an expression */
    int64_t *ts_ns; /* NULL: of no time, as reduce gives it */
    double *value;
};

/* What one query or expression has come to. */
struct expr_set {
    bool is_numbers; /* false: log lines, traces; nothing to compute with */
    bool is_scalar;  /* one number without labels, as written in an expression */
    bool no_data;    /* there is none, and nothing was computed from any */
    struct expr_series *series;
    size_t count, cap;
};

double expr_null(void);
bool expr_is_null(double v);
/* A series with room for `count` values (and times unless `single`, which is one value), its labels
 * copied; NULL when memory is used up. Its count is `count`. */
struct expr_series *expr_set_add(struct expr_set *s, struct arena *arena, struct data_labels labels,
                                 size_t count, bool single);
/* All are numbers rather than series; true of none. */
bool expr_set_is_single(const struct expr_set *s);

struct expr_env {
    struct arena *arena;           /* of the answer; may be used up */
    int64_t from_ns, to_ns;        /* what resample fills */
    int64_t values_max;            /* of one answer; 0 = no limit (limits.query.samples) */
    const _Atomic bool *cancelled; /* NULL: never */
    int64_t deadline_ns;           /* of now_ns(); 0 = none */
    int64_t (*now_ns)(void);
    /* The answer of another query; errors have their words. */
    int (*input)(void *ctx, struct slice ref_id, const struct expr_set **out, struct diag *diag);
    void *ctx;
};

/* `query` is Grafana's model of it: type, expression, reducer, settings, window, conditions.
 * ERR_INVALID with words, ERR_LIMIT, ERR_NOMEM, ERR_CANCELLED, ERR_TIMEOUT, or an error of an
 * input. */
int expr_run(const struct expr_env *env, const struct codec_json *query, struct expr_set *out,
             struct diag *diag);
/* Calls `each` with the name of every query that the expression is made of, some more than once. Of
 * one that is wrong it names what it can: what is wrong is for expr_run to say. */
void expr_each_input(const struct codec_json *query, void (*each)(void *ctx, struct slice ref_id),
                     void *ctx);

#endif
