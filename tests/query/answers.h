/* Answers to PromQL queries, and whether two ways of answering give the same one, bit for bit. */
#ifndef TESTS_QUERY_ANSWERS_H
#define TESTS_QUERY_ANSWERS_H

#include "lang/promql/promql.h"
#include "query/query.h"

struct answer {
    const char *text; /* its owner's */
    struct query_steps steps;
    struct arena *arena;
    struct promql_expr *expr;
    struct query_plan *plan;
    struct query_result result;
    struct diag diag;
    int err; /* of running */
};

/* A query that cannot be parsed or planned fails the test. The functions follow one another. */
void answer_parse(struct answer *a, const char *text);
void answer_plan(struct answer *a, const struct query_steps *steps);
void answer_run(struct answer *a, const struct query_env *env);
void answer_free(struct answer *a);
/* All of the three. */
void answer_ask(struct answer *a, const char *text, const struct query_steps *steps,
                const struct query_env *env);

/* The same bits, or both are NaN. */
bool same_value(double a, double b);

enum {
    ANSWER_SAMPLES = 1,  /* as many samples are read, of as many series */
    ANSWER_NAN_BITS = 2, /* a NaN is the same one, too */
    ANSWER_MAY_FAIL = 4, /* both, with the same error */
    ANSWER_MAY_MISS = 8, /* series may be missing, those that are there are the same */
};
/* Fails the test when they are not the same, in what `also` says too. Gives the number of points.
 */
size_t answer_compare(const struct answer *want, const struct answer *got, unsigned also);

/* The query answered the plain way, the fast one, and by the threads of `pool`: all the same, in
 * what `also` says too. Gives the number of points compared. */
size_t answer_three_ways(const char *text, const struct query_steps *steps,
                         struct store_source *source, struct task_pool *pool, unsigned also);

#endif
