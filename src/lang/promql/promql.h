/* PromQL: text to plan. Syntax, types and messages are those of Prometheus 3. */
#ifndef LANG_PROMQL_PROMQL_H
#define LANG_PROMQL_PROMQL_H

#include "query/query.h"

struct promql_expr; /* a parsed and checked expression, in an arena */

struct promql_options {
    bool experimental; /* experimental functions and modifiers are allowed */
    bool delayed_name_removal;
    bool empty_selectors; /* a selector need not have a matcher that refuses the empty text */
    bool selector_only;   /* without modifiers, and nothing around it */
    unsigned nesting;     /* levels of an expression; 0 = 200 (limits.query.nesting) */
    int64_t lookback_ns;  /* 0 = 5 m */
};

/* Parses and checks. The diag gets ERR_INVALID, a byte range, line and column, and the message
 * alone
 * ("unexpected ..."); promql_error_text gives it in Prometheus' full form. */
int promql_parse(struct slice text, const struct promql_options *options, struct arena *arena,
                 struct promql_expr **out, struct diag *diag);
/* Appends "1:5: parse error: unexpected ...". */
void promql_error_text(const struct diag *diag, struct buf *out);

/* "scalar", "vector", "matrix" or "string". */
const char *promql_type(const struct promql_expr *expr);
/* The selectors in the expression, for series and match[] parameters: a text that is one selector
 * gives its matchers (compiled, in the arena). ERR_INVALID when it is no plain selector. Matchers
 * that take the empty text are fine: who must not read everything checks that. */
int promql_parse_selector(struct slice text, struct arena *arena, struct store_matcher **out,
                          size_t *out_count, struct diag *diag);
/* Calls `each` with the matchers of every selector in the expression, in the order of the text, and
 * with what info() looks up when it is not told. They live as long as the expression. */
void promql_each_selector(const struct promql_expr *expr,
                          void (*each)(void *ctx, const struct store_matcher *matchers,
                                       size_t count),
                          void *ctx);
/* Appends an expression that gives how many samples this one looks at, at each step, as Prometheus
 * counts them (its stats: a window's samples at every step, those of what is evaluated inside of a
 * subquery not). Histograms count as one. False and nothing appended when it looks at none. The
 * text nests as deep as this one, and a few dozen levels more. */
bool promql_count_samples(const struct promql_expr *expr, struct buf *out);
/* Compiled regular expressions live outside of the arena: free them when done with the matchers. */
void promql_matchers_free(struct store_matcher *matchers, size_t count);
void promql_expr_free(struct promql_expr *expr); /* NULL is fine */

/* The expression as Prometheus prints it, on one line. */
void promql_print(const struct promql_expr *expr, struct buf *out);
/* The same broken into indented lines where it is longer than 100 bytes, as /api/v1/format_query.
 */
void promql_format(const struct promql_expr *expr, struct buf *out);
/* The syntax tree as JSON, as the data of /api/v1/parse_query. */
void promql_ast_json(const struct promql_expr *expr, struct buf *out);

/* Lowers to a plan over these steps. ERR_INVALID when a range query's expression is neither scalar
 * nor vector. The plan refers to the expression: keep it until the plan has run. */
int promql_plan(const struct promql_expr *expr, const struct query_steps *steps,
                const struct promql_options *options, struct arena *arena, struct query_plan **out,
                struct diag *diag);

#endif
