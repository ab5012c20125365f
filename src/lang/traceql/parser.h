/* What the files of the parser share. A function takes its words from `now` on and leaves it at the
 * first one that is not its own; 0, or ERR_INVALID with place and words in the diag. */
#ifndef LANG_TRACEQL_PARSER_H
#define LANG_TRACEQL_PARSER_H

#include "lang/traceql/lexer.h"

#define TRACEQL__DEPTH_MAX  200
#define TRACEQL__HEIGHT_MAX 1000

struct traceql_parser {
    struct traceql_lexer lex;
    struct traceql_token now; /* not yet taken */
    struct arena *arena;
    struct traceql_query *query;
    struct diag *diag;
    unsigned depth;
    unsigned operators; /* between sets, scalars and series */
};

int traceql__advance(struct traceql_parser *p);
bool traceql__is_op(const struct traceql_parser *p, const char *op);
bool traceql__is_word(const struct traceql_parser *p, const char *word);
/* "syntax error: unexpected X, expecting `expected`" at the word in hand; expected may be NULL. */
int traceql__unexpected(struct traceql_parser *p, const char *expected);
int traceql__expect(struct traceql_parser *p, const char *op);
int traceql__enter(struct traceql_parser *p);
/* The precedence of an operator, 1-6 (&& and || alike, comparisons and structure alike), or 0. */
int traceql__precedence(const struct traceql_token *t);
/* Of what is written in braces and as arguments. */
int traceql__parse_expr(struct traceql_parser *p, struct traceql_expr **out);
/* One or several with commas between, up to ")". With `fields` nothing but fields. */
int traceql__parse_list(struct traceql_parser *p, bool fields, const struct traceql_expr ***out,
                        size_t *out_count);
/* A number that may have a sign. */
int traceql__parse_number(struct traceql_parser *p, struct traceql_value *out);
/* NIL stands for what is only known when it runs. */
enum traceql_kind traceql__type_of(const struct traceql_query *q, const struct traceql_expr *e);
bool traceql__has_field(const struct traceql_expr *e);
/* Whether these go together: the message is about `what`. */
int traceql__check_types(struct traceql_parser *p, enum traceql_op op, enum traceql_kind a,
                         enum traceql_kind b, size_t begin, size_t end);

#endif
