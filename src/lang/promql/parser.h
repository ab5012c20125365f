/* What the files of the parser share. A function takes its words from `now` on and leaves it at the
 * first one that is not its own; 0, or ERR_INVALID with place and words in the diag. */
#ifndef LANG_PROMQL_PARSER_H
#define LANG_PROMQL_PARSER_H

#include "base/mem.h"
#include "lang/promql/ast.h"
#include "lang/promql/lexer.h"

#define PROMQL__OPERATORS 18

/* Where a word that does not fit is: "unexpected ... in <in>, expected <expected>"; both may be "".
 */
struct promql_context {
    const char *in, *expected;
};

struct promql_parser {
    struct promql_lexer lex;
    struct promql_token now; /* not yet taken */
    size_t last_end;         /* of the token taken last */
    const struct promql_options *options;
    struct arena *arena;
    struct diag *diag;
    unsigned depth, depth_max;
    struct promql_context context;
    VEC(struct text_regex *) regexes; /* freed when the parse fails */
};

struct promql_operator {
    const char *text;
    enum query_binary_op op;
    int precedence;
};
extern const struct promql_operator promql__operators[PROMQL__OPERATORS];

int promql__fail_at(struct promql_parser *p, size_t begin, size_t end, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* "unexpected ... in <context>", at the word in hand. */
int promql__unexpected(struct promql_parser *p);
/* The context from here on. Put the one it returns back at the end of what it is for. */
struct promql_context promql__enter(struct promql_parser *p, const char *in, const char *expected);
int promql__too_deep(struct promql_parser *p);
int promql__advance(struct promql_parser *p);
bool promql__is_op(const struct promql_parser *p, const char *op);
bool promql__is_word(const struct promql_parser *p, const char *word);
/* Takes the operator, which must be there. */
int promql__expect_op(struct promql_parser *p, const char *op);
/* A number or duration in hand (also inf and nan). */
bool promql__is_number(const struct promql_parser *p);
/* Takes it. */
int promql__take_number(struct promql_parser *p, double *out, bool *out_is_duration);
/* What comes behind the word in hand is one of these; nothing is taken. The list ends with NULL. */
bool promql__followed_by(struct promql_parser *p, const char *const *ops);
/* The operator in hand, or -1. */
int promql__find_operator(const struct promql_parser *p);

struct promql_expr *promql__new_expr(struct promql_parser *p, enum promql_kind kind,
                                     enum query_type type, size_t begin);
void promql__set_args(struct promql_parser *p, struct promql_expr *e, struct promql_expr **args,
                      size_t count);
int promql__add_matcher(struct promql_parser *p, struct promql_expr *e, enum store_match_op op,
                        struct slice name, struct slice value, size_t begin);

/* The word in hand may begin an expression. */
bool promql__starts_expr(const struct promql_parser *p);
int promql__parse_expr(struct promql_parser *p, int min_precedence, struct promql_expr **out);
/* Where offset and @ of an expression go: the selector itself, also inside of a range; or NULL. */
struct promql_expr *promql__timed(struct promql_expr *e);
int promql__parse_postfix(struct promql_parser *p, struct promql_expr **io);
/* (a, b, "c"): labels to group by or to match on. */
int promql__parse_names(struct promql_parser *p, struct slice **out, size_t *out_count);
/* The aggregation of that name, or -1. */
int promql__find_aggregate(struct slice name);
int promql__parse_aggregate(struct promql_parser *p, int which, struct promql_expr **out);
int promql__parse_call(struct promql_parser *p, struct promql_expr **out);
/* Types and whatever else can be told of a tree that is whole. As in Prometheus it is done when all
 * has been read: an error of syntax goes before one of types. */
int promql__check(struct promql_parser *p, struct promql_expr *e);

#endif
