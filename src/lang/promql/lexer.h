/* Words of PromQL. */
#ifndef LANG_PROMQL_LEXER_H
#define LANG_PROMQL_LEXER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

enum promql_token_kind {
    PROMQL_T_EOF,
    PROMQL_T_NUMBER, /* number holds it; durations in seconds */
    PROMQL_T_STRING, /* text: unquoted, in the arena */
    PROMQL_T_IDENT,  /* names and keywords */
    PROMQL_T_OP,     /* text: one of + - * / % ^ == != < <= > >= = =~ !~ ( ) { } [ ] , : @ */
};

/* What a name is besides: inside of braces they are all just names. */
enum promql_word {
    PROMQL_W_NAME,
    PROMQL_W_METRIC,    /* has a colon: no label, no function */
    PROMQL_W_AGGREGATE, /* sum, topk, ... */
    PROMQL_W_KEYWORD,   /* by, on, offset, bool, ... */
    PROMQL_W_OPERATOR,  /* and, or, unless, atan2 */
    PROMQL_W_CALL,   /* start, end, step, range, max_of, min_of: what is called where no function is
                      */
    PROMQL_W_NUMBER, /* inf, nan */
};

struct promql_token {
    enum promql_token_kind kind;
    enum promql_word word; /* IDENT */
    size_t begin, end;
    struct slice text;
    double number;
    bool is_duration;
    int64_t duration_ns;
    const char *wrong; /* a number or duration that is read as one, and is none: why */
    struct slice unit; /* that is meant by `wrong`, or empty */
};

struct promql_lexer {
    struct slice text;
    size_t at;
    struct arena *arena;
    struct diag *diag;
    int parens;      /* open ones */
    bool braces;     /* inside of them */
    bool brackets;   /* inside of them */
    bool durations;  /* inside of brackets, and nothing but a duration can come */
    bool had_number; /* inside of the brackets */
    bool had_colon;  /* likewise */
};

/* The next token; an error with its place when the text holds none. What a word may be depends on
 * the brackets around it, as in Prometheus. */
int promql_lex(struct promql_lexer *l, struct promql_token *out);
/* Records "message" at [begin, end) with line and column. */
int promql_fail(struct slice text, struct diag *diag, size_t begin, size_t end, const char *fmt,
                ...) __attribute__((format(printf, 5, 6)));
/* How messages name the token: identifier "x", <by>, <op:+>, end of input. */
void promql_describe(const struct promql_lexer *l, const struct promql_token *t, struct buf *out);
void promql_place(struct slice text, size_t at, uint32_t *line, uint32_t *col);

#endif
