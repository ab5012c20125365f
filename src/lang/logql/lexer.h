/* Words of LogQL. */
#ifndef LANG_LOGQL_LEXER_H
#define LANG_LOGQL_LEXER_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/slice.h"

enum logql_token_kind {
    LOGQL_T_EOF,
    LOGQL_T_IDENT,    /* names and keywords */
    LOGQL_T_STRING,   /* text: its value, in the arena */
    LOGQL_T_NUMBER,   /* number */
    LOGQL_T_DURATION, /* ns */
    LOGQL_T_BYTES,    /* number */
    LOGQL_T_RANGE,    /* [5m]: ns */
    LOGQL_T_FLAG,     /* --strict: text without the dashes */
    LOGQL_T_OP
};

struct logql_token {
    enum logql_token_kind kind;
    size_t begin, end;
    struct slice text; /* as it was written; STRING: the value */
    double number;
    int64_t ns;
};

struct logql_lexer {
    struct slice text;
    size_t at;
    struct arena *arena;
    struct diag *diag;
};

/* The next token; ERR_INVALID with its place when the text holds none. */
int logql_lex(struct logql_lexer *l, struct logql_token *out);
/* Records "message" at byte `at` with line and column (in characters). */
int logql_fail(struct slice text, struct diag *diag, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void logql_place(struct slice text, size_t at, uint32_t *line, uint32_t *col);

#endif
