/* What the files of the parser share. A function takes its words from `now` on and leaves it at the
 * first one that is not its own; 0, or ERR_INVALID with place and words in the diag. */
#ifndef LANG_LOGQL_PARSER_H
#define LANG_LOGQL_PARSER_H

#include "lang/logql/ast.h"
#include "lang/logql/lexer.h"

#define LOGQL__DEPTH_MAX 200

struct logql_parser {
    struct logql_lexer lex;
    struct logql_token now; /* not yet taken */
    struct arena *arena;
    struct diag *diag;
    unsigned depth;
    VEC(struct text_regex *) regexes; /* freed when the parse fails */
};

int logql__advance(struct logql_parser *p);
bool logql__is_op(const struct logql_parser *p, const char *op);
bool logql__is_word(const struct logql_parser *p, const char *word);
/* The word behind the one in hand; nothing is taken. EOF when there is none. */
struct logql_token logql__peek(const struct logql_parser *p);
bool logql__peek_op(const struct logql_parser *p, const char *op);
/* "syntax error: unexpected X, expecting `expected`" at the word in hand; expected may be NULL. */
int logql__unexpected(struct logql_parser *p, const char *expected);
/* An error of the whole query, without a place. */
int logql__fail(struct logql_parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int logql__expect_op(struct logql_parser *p, const char *op, const char *expected);
int logql__expect_string(struct logql_parser *p, struct slice *out, const char *expected);
/* A label's name: an identifier, dotted ones and quoted ones too; in its underscore spelling. */
int logql__parse_name(struct logql_parser *p, struct slice *out);
bool logql__at_name(const struct logql_parser *p);
/* A number with an optional sign. */
int logql__parse_number(struct logql_parser *p, double *out, struct slice *text);
int logql__compile(struct logql_parser *p, struct slice pattern, unsigned flags,
                   struct text_regex **out, struct diag *diag);
/* What stands behind a label's name in a selector: =, !=, =~ or !~ and a string. */
int logql__parse_matcher_value(struct logql_parser *p, struct slice name,
                               struct store_matcher *out);
/* Whether the word in hand begins a stage: a line filter or a pipe. */
bool logql__at_stage(const struct logql_parser *p);
/* One stage, linked behind **tail. */
int logql__parse_stage(struct logql_parser *p, struct logql_stage ***tail);
int logql__parse_filter(struct logql_parser *p, int min_precedence, struct logql_filter **out);
/* One level deeper; an error when that is too deep. */
int logql__enter(struct logql_parser *p);

#endif
