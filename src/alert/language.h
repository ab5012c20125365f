/* The languages that rules are written in. A language parses an expression, prints it, and lowers
 * it to a plan; all else of a rule is the same for every one. */
#ifndef ALERT_LANGUAGE_H
#define ALERT_LANGUAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "lang/promql/promql.h"
#include "query/query.h"

struct alert_env;

struct alert_language {
    const char *name;
    /* *out is the tree; it may refer to `arena`, which cannot be used up. The diag's message says
     * all, with the place in the language's own words. */
    int (*parse)(struct slice text, const struct promql_options *promql, struct arena *arena,
                 void **out, struct diag *diag);
    void (*print)(const void *tree, struct buf *out);
    void (*free)(void *tree); /* NULL is fine */
    /* The matchers of every selector of series in the tree; NULL: it reads none. */
    void (*each_selector)(const void *tree,
                          void (*each)(void *ctx, const struct store_matcher *matchers,
                                       size_t count),
                          void *ctx);
    /* The plan, and in *query what the language asks; both may refer to `tree`, `env` and `arena`.
     * `memory` is the budget of the query, may be NULL. */
    int (*plan)(const void *tree, const struct alert_env *env, const struct query_env *query,
                const struct query_steps *steps, struct arena *arena, struct query_plan **out,
                struct diag *diag);
};

extern const struct alert_language alert_promql, alert_logql;

/* NULL when there is no language of that name. */
const struct alert_language *alert_language_find(struct slice name);

#endif
