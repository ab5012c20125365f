/* Words of a template: text, and what stands between {{ and }}. */
#ifndef TEXT_TEMPLATE_LEX_H
#define TEXT_TEMPLATE_LEX_H

#include "text/template/template_priv.h"

enum token_kind {
    TOKEN_ERROR,
    TOKEN_EOF,
    TOKEN_TEXT,
    TOKEN_LEFT,  /* {{ */
    TOKEN_RIGHT, /* }} */
    TOKEN_LPAREN,
    TOKEN_RPAREN,
    TOKEN_PIPE,
    TOKEN_DECLARE, /* := */
    TOKEN_ASSIGN,
    TOKEN_COMMA,
    TOKEN_BOOL,
    TOKEN_CHAR,
    TOKEN_STRING,
    TOKEN_RAW,
    TOKEN_NUMBER,
    TOKEN_DOT,
    TOKEN_FIELD,
    TOKEN_VARIABLE,
    TOKEN_IDENT,
    TOKEN_KEYWORD
};

struct token {
    enum token_kind kind;
    bool space_before;
    size_t begin, end;
    struct slice text; /* as written; of an error its message */
};

struct lexer {
    struct slice text;
    size_t at;
    bool inside;    /* between {{ and }} */
    bool trim_next; /* the text that follows loses its leading white space */
    int parens;
    char message[160];
};

struct token text__template_next(struct lexer *l);

#endif
