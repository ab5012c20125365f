/* Words of TraceQL. */
#ifndef LANG_TRACEQL_LEXER_H
#define LANG_TRACEQL_LEXER_H

#include "lang/traceql/ast.h"

enum traceql_token_kind {
    TRACEQL_T_EOF,
    TRACEQL_T_IDENT,     /* names, keywords, scoped intrinsics (span:duration) */
    TRACEQL_T_ATTRIBUTE, /* scope, parent, text: the name */
    TRACEQL_T_VALUE,     /* a string, number or duration */
    TRACEQL_T_OP         /* text */
};

struct traceql_token {
    enum traceql_token_kind kind;
    size_t begin, end;
    struct slice text;
    struct traceql_value value;
    enum traceql_scope scope;
    bool parent;
};

struct traceql_lexer {
    struct slice text;
    size_t at;
    struct arena *arena;
    struct diag *diag;
};

/* ERR_INVALID with its place when the text holds none. */
int traceql__lex(struct traceql_lexer *l, struct traceql_token *out);
/* Records the message at byte `at`, with line and column (in characters). */
int traceql__fail(struct slice text, struct diag *diag, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
