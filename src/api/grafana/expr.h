/* Server-side expressions: Grafana's math, reduce, resample, threshold and classic conditions over
 * the answers of other queries. Specification:
 * grafana.com/docs/grafana/latest/panels-visualizations/query-transform-data/expression-queries/ */
#ifndef API_GRAFANA_EXPR_H
#define API_GRAFANA_EXPR_H

#include "api/grafana/frames.h"
#include "codec/json_dom.h"

struct grafana_expr_env {
    struct arena *arena; /* of the answer; may be used up */
    int64_t from_ns, to_ns;
    int64_t values_max; /* of one answer; 0 = no limit (limits.query.samples) */
    const _Atomic bool *cancelled;
    /* The answer of another query, computed when it is not yet; errors have their words. */
    int (*input)(void *ctx, struct slice ref_id, const struct grafana_answer **out,
                 struct diag *diag);
    void *ctx;
};

/* The query names no data source but the expressions themselves (__expr__, or -100). */
bool grafana__is_expr(struct slice uid, struct slice type);
/* ERR_INVALID with words, ERR_NOMEM, ERR_CANCELLED, or an error of an input. */
int grafana__expr_run(const struct grafana_expr_env *env, const struct codec_json *query,
                      struct grafana_answer *out, struct diag *diag);

/* expr_math.c: "$A * 2 + abs(${B C})". */
int grafana__math_run(const struct grafana_expr_env *env, struct slice text,
                      struct grafana_answer *out, struct diag *diag);

#endif
