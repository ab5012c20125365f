/* Answers of range queries, kept step by step. A dashboard asks the same thing every few seconds,
 * one step further on: what is behind is taken from here, what is new is computed.
 *
 * A step is as good as computed anew while nothing changed at or before the latest time that it
 * looked at, which the source tells (store/source.h: changed_from): late samples take away the
 * steps they reach, deleting takes away everything. Answers are the same bit for bit with and
 * without. */
#ifndef QUERY_CACHE_H
#define QUERY_CACHE_H

#include "query/query.h"

struct query_cache;

/* bytes_max 0: nothing is kept. Thread-safe from here on. */
struct query_cache *query_cache_new(size_t bytes_max);
void query_cache_free(struct query_cache *c); /* NULL is fine */
void query_cache_resize(struct query_cache *c, size_t bytes_max);
size_t query_cache_bytes(struct query_cache *c);

/* A query as text, and how to make a plan of it over any steps. The plan lives in `arena`. */
struct query_cached {
    struct slice key; /* all that the answer depends on but the data and the steps */
    int (*plan)(void *ctx, const struct query_steps *steps, struct arena *arena,
                struct query_plan **out, struct diag *diag);
    void *ctx;
};
/* query_run of such a query. stats of the result are those of what had to be computed. */
int query_cache_run(struct query_cache *c, const struct query_cached *q,
                    const struct query_steps *steps, const struct query_env *env,
                    struct arena *arena, struct query_result *out, struct diag *diag);

#endif
