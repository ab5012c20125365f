#include "text/template/lex.h"

#include <stdarg.h>
#include <stdio.h>

#include "codec/utf8.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Letters beyond ASCII count as letters. */
static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           ((unsigned char)c & 0x80);
}

static struct token token_make(const struct lexer *l, enum token_kind kind, size_t begin,
                               bool space)
{
    return (struct token){.kind = kind,
                          .space_before = space,
                          .begin = begin,
                          .end = l->at,
                          .text = slice_make(l->text.ptr + begin, l->at - begin)};
}

static struct token lex_error(struct lexer *l, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static struct token lex_error(struct lexer *l, size_t at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(l->message, sizeof(l->message), fmt, ap);
    va_end(ap);
    return (struct token){
        .kind = TOKEN_ERROR, .begin = at, .end = at, .text = slice_cstr(l->message)};
}

static char peek(const struct lexer *l, size_t ahead)
{
    return l->at + ahead < l->text.len ? l->text.ptr[l->at + ahead] : 0;
}

static bool has(const struct lexer *l, const char *what)
{
    return slice_starts_with(slice_from(l->text, l->at), slice_cstr(what));
}

/* -}} with white space before it. */
static bool at_right_trim(const struct lexer *l)
{
    return has(l, "-}}") && l->at && is_space(l->text.ptr[l->at - 1]);
}

/* Text up to the next {{; the white space that a {{- takes away is left out. */
static struct token lex_text(struct lexer *l)
{
    size_t begin = l->at, end;
    ptrdiff_t left = slice_find(slice_from(l->text, l->at), SLICE("{{"));
    end = left < 0 ? l->text.len : l->at + (size_t)left;
    l->at = end;
    if (l->trim_next) {
        while (begin < end && is_space(l->text.ptr[begin]))
            begin++;
        l->trim_next = false;
    }
    if (left >= 0 && peek(l, 2) == '-' && is_space(peek(l, 3))) {
        while (end > begin && is_space(l->text.ptr[end - 1]))
            end--;
    }
    struct token t = {.kind = TOKEN_TEXT, .begin = begin, .end = end};
    t.text = slice_make(l->text.ptr + begin, end - begin);
    return t;
}

/* At {{/ or {{- /: over the comment and its }}. False when it is none; *out is set on errors. */
static bool lex_comment(struct lexer *l, bool *failed, struct token *out)
{
    size_t begin = l->at, at = l->at + 2;
    if (peek(l, 2) == '-' && is_space(peek(l, 3)))
        at += 2;
    if (!slice_starts_with(slice_from(l->text, at), SLICE("/*")))
        return false;
    ptrdiff_t close = slice_find(slice_from(l->text, at + 2), SLICE("*/"));
    if (close < 0) {
        *failed = true;
        *out = lex_error(l, begin, "unclosed comment");
        return true;
    }
    l->at = at + 2 + (size_t)close + 2;
    if (has(l, "}}")) {
        l->at += 2;
    } else if (is_space(peek(l, 0)) &&
               slice_starts_with(slice_from(l->text, l->at + 1), SLICE("-}}"))) {
        l->at += 4;
        l->trim_next = true;
    } else {
        *failed = true;
        *out = lex_error(l, begin, "comment ends before closing delimiter");
    }
    return true;
}

static struct token lex_outside(struct lexer *l)
{
    for (;;) {
        struct token failure = {0};
        bool failed = false;
        struct token t = lex_text(l);
        if (t.text.len)
            return t;
        if (l->at >= l->text.len)
            return token_make(l, TOKEN_EOF, l->at, false);
        if (lex_comment(l, &failed, &failure)) {
            if (failed)
                return failure;
            continue;
        }
        size_t begin = l->at;
        l->at += 2;
        if (peek(l, 0) == '-' && is_space(peek(l, 1)))
            l->at += 2;
        l->inside = true;
        l->parens = 0;
        return token_make(l, TOKEN_LEFT, begin, false);
    }
}

static bool at_terminator(const struct lexer *l)
{
    char c = peek(l, 0);
    if (l->at >= l->text.len || is_space(c))
        return true;
    return c == '.' || c == ',' || c == '|' || c == ':' || c == ')' || c == '(' || c == '=' ||
           has(l, "}}");
}

static struct token bad_character(struct lexer *l)
{
    uint32_t code = 0;
    size_t n = codec_utf8_decode(slice_from(l->text, l->at), &code);
    return lex_error(l, l->at, "bad character U+%04X '%.*s'", (unsigned)code, (int)(n ? n : 1),
                     l->text.ptr + l->at);
}

static struct token lex_quoted(struct lexer *l, char quote, bool space)
{
    size_t begin = l->at++;
    for (;;) {
        char c = peek(l, 0);
        if (l->at >= l->text.len || (c == '\n' && quote != '`'))
            return lex_error(l, begin, "%s",
                             quote == '"'   ? "unterminated quoted string"
                             : quote == '`' ? "unterminated raw quoted string"
                                            : "unterminated character constant");
        if (c == '\\' && quote != '`' && l->at + 1 < l->text.len && peek(l, 1) != '\n') {
            l->at += 2;
            continue;
        }
        l->at++;
        if (c == quote)
            break;
    }
    return token_make(l,
                      quote == '"'   ? TOKEN_STRING
                      : quote == '`' ? TOKEN_RAW
                                     : TOKEN_CHAR,
                      begin, space);
}

static struct token lex_number(struct lexer *l, bool space)
{
    static const char decimal[] = "0123456789_", hex[] = "0123456789abcdefABCDEF_";
    size_t begin = l->at;
    const char *digits = decimal;
    if (peek(l, 0) == '+' || peek(l, 0) == '-')
        l->at++;
    if (peek(l, 0) == '0' && strchr("xXoObB", peek(l, 1) ? peek(l, 1) : ' ')) {
        digits = (peek(l, 1) | 32) == 'x' ? hex : decimal;
        l->at += 2;
    }
    while (peek(l, 0) && strchr(digits, peek(l, 0)))
        l->at++;
    if (peek(l, 0) == '.') {
        l->at++;
        while (peek(l, 0) && strchr(digits, peek(l, 0)))
            l->at++;
    }
    if ((digits == decimal && (peek(l, 0) | 32) == 'e') ||
        (digits == hex && (peek(l, 0) | 32) == 'p')) {
        l->at++;
        if (peek(l, 0) == '+' || peek(l, 0) == '-')
            l->at++;
        while (is_digit(peek(l, 0)) || peek(l, 0) == '_')
            l->at++;
    }
    if (is_alnum(peek(l, 0))) {
        l->at++;
        return lex_error(l, begin, "bad number syntax: \"%.*s\"", (int)(l->at - begin),
                         l->text.ptr + begin);
    }
    return token_make(l, TOKEN_NUMBER, begin, space);
}

static struct token lex_word(struct lexer *l, bool space)
{
    static const char *const keywords[] = {"block", "break", "continue", "define",   "else", "end",
                                           "if",    "nil",   "range",    "template", "with"};
    size_t begin = l->at;
    while (is_alnum(peek(l, 0)))
        l->at++;
    if (!at_terminator(l))
        return bad_character(l);
    struct token t = token_make(l, TOKEN_IDENT, begin, space);
    if (slice_eq_cstr(t.text, "true") || slice_eq_cstr(t.text, "false"))
        t.kind = TOKEN_BOOL;
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
        if (slice_eq_cstr(t.text, keywords[i]))
            t.kind = TOKEN_KEYWORD;
    }
    return t;
}

/* . or $ and a name behind it. */
static struct token lex_field(struct lexer *l, bool space)
{
    size_t begin = l->at;
    bool variable = peek(l, 0) == '$';
    l->at++;
    if (at_terminator(l) || (!is_alnum(peek(l, 0)) && !variable)) {
        if (!at_terminator(l))
            return bad_character(l);
        return token_make(l, variable ? TOKEN_VARIABLE : TOKEN_DOT, begin, space);
    }
    while (is_alnum(peek(l, 0)))
        l->at++;
    if (!at_terminator(l))
        return bad_character(l);
    return token_make(l, variable ? TOKEN_VARIABLE : TOKEN_FIELD, begin, space);
}

static struct token lex_inside(struct lexer *l)
{
    size_t begin = l->at;
    bool space = false;
    while (l->at < l->text.len && is_space(peek(l, 0))) {
        l->at++;
        space = true;
    }
    if (has(l, "}}") || at_right_trim(l)) {
        size_t at = l->at;
        if (l->parens)
            return lex_error(l, begin, "unclosed left paren");
        l->trim_next = peek(l, 0) == '-';
        l->at += l->trim_next ? 3 : 2;
        l->inside = false;
        return token_make(l, TOKEN_RIGHT, at, space);
    }
    if (l->at >= l->text.len)
        return lex_error(l, begin, "unclosed action");
    char c = peek(l, 0);
    begin = l->at;
    if (c == '"' || c == '`' || c == '\'')
        return lex_quoted(l, c, space);
    if (c == '$' || (c == '.' && !is_digit(peek(l, 1))))
        return lex_field(l, space);
    if (is_digit(c) || c == '.' || ((c == '+' || c == '-')))
        return lex_number(l, space);
    if (is_alnum(c))
        return lex_word(l, space);
    l->at++;
    switch (c) {
    case '=': return token_make(l, TOKEN_ASSIGN, begin, space);
    case ':':
        if (peek(l, 0) != '=')
            return lex_error(l, begin, "expected :=");
        l->at++;
        return token_make(l, TOKEN_DECLARE, begin, space);
    case '|': return token_make(l, TOKEN_PIPE, begin, space);
    case ',': return token_make(l, TOKEN_COMMA, begin, space);
    case '(': l->parens++; return token_make(l, TOKEN_LPAREN, begin, space);
    case ')':
        if (--l->parens < 0)
            return lex_error(l, begin, "unexpected right paren");
        return token_make(l, TOKEN_RPAREN, begin, space);
    default:
        l->at--;
        return lex_error(l, begin, "unrecognized character in action: U+%04X '%c'",
                         (unsigned)(unsigned char)c, c >= ' ' && c < 127 ? c : '?');
    }
}

struct token text__template_next(struct lexer *l)
{
    return l->inside ? lex_inside(l) : lex_outside(l);
}
