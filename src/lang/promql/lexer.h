/* Words of PromQL. */
#ifndef LANG_PROMQL_LEXER_H
#define LANG_PROMQL_LEXER_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/slice.h"

enum promql_token_kind {
    PROMQL_T_EOF,
    PROMQL_T_NUMBER, /* number holds it; durations in seconds */
    PROMQL_T_STRING, /* text: unquoted, in the arena */
    PROMQL_T_IDENT,  /* names and keywords */
    PROMQL_T_OP,     /* text: one of + - * / % ^ == != < <= > >= = =~ !~ ( ) { } [ ] , : @ */
};

struct promql_token {
    enum promql_token_kind kind;
    size_t begin, end;
    struct slice text;
    double number;
    bool is_duration;
    int64_t duration_ns;
};

struct promql_lexer {
    struct slice text;
    size_t at;
    struct arena *arena;
    struct diag *diag;
    unsigned braces, brackets, parens; /* open ones */
};

/* The next token; an error with its place when the text holds none. */
int promql_lex(struct promql_lexer *l, struct promql_token *out);
/* Records "message" at [begin, end) with line and column. */
int promql_fail(struct slice text, struct diag *diag, size_t begin, size_t end, const char *fmt,
                ...) __attribute__((format(printf, 5, 6)));
void promql_place(struct slice text, size_t at, uint32_t *line, uint32_t *col);

#endif
