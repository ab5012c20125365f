/* What the kinds of expressions share. */
#ifndef LANG_EXPR_EXPR_PRIV_H
#define LANG_EXPR_EXPR_PRIV_H

#include "lang/expr/expr.h"

/* A kind of expression. */
int expr__math(const struct expr_env *env, const struct codec_json *query, struct expr_set *out,
               struct diag *diag);
int expr__reduce(const struct expr_env *env, const struct codec_json *query, struct expr_set *out,
                 struct diag *diag);
int expr__resample(const struct expr_env *env, const struct codec_json *query, struct expr_set *out,
                   struct diag *diag);
int expr__threshold(const struct expr_env *env, const struct codec_json *query,
                    struct expr_set *out, struct diag *diag);
int expr__classic(const struct expr_env *env, const struct codec_json *query, struct expr_set *out,
                  struct diag *diag);

/* Names the queries of a math text, as far as it can be read. */
void expr__math_inputs(struct slice text, void (*each)(void *ctx, struct slice ref_id), void *ctx);

/* "A" of "A", "$A" or "${A}". */
struct slice expr__ref(struct slice name);
/* The input of that name, which has to be numbers. */
int expr__input(const struct expr_env *env, struct slice name, const struct expr_set **out,
                struct diag *diag);
/* The n-th condition names its query thus; empty when it names none. */
struct slice expr__condition_ref(const struct codec_json *condition);

enum expr_reducer {
    EXPR_SUM,
    EXPR_MEAN,
    EXPR_MIN,
    EXPR_MAX,
    EXPR_COUNT,
    EXPR_LAST,
    EXPR_MEDIAN,
    EXPR_DIFF,
    EXPR_DIFF_ABS,
    EXPR_PERCENT_DIFF,
    EXPR_PERCENT_DIFF_ABS,
    EXPR_COUNT_NON_NULL
};
/* ERR_INVALID with words when there is none of that name. */
int expr__reducer_find(struct slice name, enum expr_reducer *out, struct diag *diag);
/* Of the values of a series that are finite; *any is false when there are none. False when memory
 * is used up. */
bool expr__reduce_finite(enum expr_reducer how, const struct expr_series *s, struct arena *arena,
                         double *out, bool *any);

/* A string member, "" when there is none. */
struct slice expr__string(const struct codec_json *v, const char *key);
int expr__no_memory(struct diag *diag);
/* An error when nobody waits for the answer any more. */
int expr__check(const struct expr_env *env, struct diag *diag);
int expr__too_many(const struct expr_env *env, struct diag *diag);

#endif
