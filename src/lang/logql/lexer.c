#include "lang/logql/lexer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "codec/number.h"
#include "codec/utf8.h"
#include "lang/logql/units.h"
#include "text/duration.h"
#include "text/go_string.h"

void logql_place(struct slice text, size_t at, uint32_t *line, uint32_t *col)
{
    *line = *col = 1;
    for (size_t i = 0; i < at && i < text.len; i++) {
        *col += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
        if (text.ptr[i] == '\n') {
            ++*line;
            *col = 1;
        }
    }
}

int logql_fail(struct slice text, struct diag *diag, size_t at, const char *fmt, ...)
{
    char msg[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    if (diag && !diag->code) {
        diag_set_range(diag, ERR_INVALID, MIN(at, text.len), MIN(at + 1, text.len), "%s", msg);
        logql_place(text, at, &diag->line, &diag->col);
    }
    return ERR_INVALID;
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char peek(const struct logql_lexer *l, size_t ahead)
{
    return l->at + ahead < l->text.len ? l->text.ptr[l->at + ahead] : '\0';
}

static void skip_space(struct logql_lexer *l)
{
    for (; l->at < l->text.len; l->at++) {
        char c = l->text.ptr[l->at];
        if (c == '#') {
            while (l->at + 1 < l->text.len && l->text.ptr[l->at + 1] != '\n')
                l->at++;
        } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            return;
        }
    }
}

/* How far from `from` on the characters are digits, points, or of `units`. */
static size_t run_end(const struct logql_lexer *l, size_t from, const char *units)
{
    size_t i = from;
    for (; i < l->text.len; i++) {
        char c = l->text.ptr[i];
        /* The micro sign and the Greek mu are two bytes. */
        bool mu = units[0] == 'n' && i + 1 < l->text.len &&
                  (slice_starts_with(slice_from(l->text, i), SLICE("\xc2\xb5")) ||
                   slice_starts_with(slice_from(l->text, i), SLICE("\xce\xbc")));
        if (mu)
            i++;
        else if (!is_digit(c) && c != '.' && (!c || !strchr(units, c)))
            break;
    }
    return i;
}

static struct slice cut(const struct logql_lexer *l, size_t begin, size_t end)
{
    return slice_make(l->text.ptr + begin, end - begin);
}

static bool try_duration(struct logql_lexer *l, struct logql_token *t, size_t from)
{
    size_t end = run_end(l, from, "numshdwy");
    struct slice s = cut(l, t->begin, end);
    if (end == from || !logql_duration_literal(s, &t->ns))
        return false;
    t->kind = LOGQL_T_DURATION;
    t->text = s;
    l->at = t->end = end;
    return true;
}

static bool try_bytes(struct logql_lexer *l, struct logql_token *t, size_t from)
{
    size_t end = run_end(l, from, "BiKkMGTPE");
    struct slice s = cut(l, t->begin, end);
    if (end == from || !logql_bytes_parse(s, &t->number))
        return false;
    t->kind = LOGQL_T_BYTES;
    t->text = s;
    l->at = t->end = end;
    return true;
}

static int lex_number(struct logql_lexer *l, struct logql_token *t)
{
    bool hex = peek(l, 0) == '0' && (peek(l, 1) | 32) == 'x';
    bool other = peek(l, 0) == '0' && ((peek(l, 1) | 32) == 'b' || (peek(l, 1) | 32) == 'o') &&
                 is_digit(peek(l, 2));
    if (hex || other)
        l->at += 2;
    for (;;) {
        char c = peek(l, 0), exp = hex ? 'p' : 'e';
        if ((c | 32) == exp && (is_digit(peek(l, 1)) || ((peek(l, 1) == '+' || peek(l, 1) == '-') &&
                                                         is_digit(peek(l, 2))))) {
            l->at += 2;
            while (is_digit(peek(l, 0)))
                l->at++;
            break;
        }
        if (!is_digit(c) && c != '.' && !(hex && (c | 32) >= 'a' && (c | 32) <= 'f'))
            break;
        l->at++;
    }
    t->end = l->at;
    if (!hex && !other && (try_duration(l, t, l->at) || try_bytes(l, t, l->at)))
        return 0;
    t->kind = LOGQL_T_NUMBER;
    t->text = cut(l, t->begin, t->end);
    /* Go reads hexadecimal floats only with an exponent. */
    bool plain_hex = hex && slice_find_char(t->text, 'p') < 0 && slice_find_char(t->text, 'P') < 0;
    if (plain_hex || other || !codec_text_to_double(t->text, &t->number, NULL))
        return logql_fail(l->text, l->diag, t->begin,
                          "unable to parse literal as a float: strconv.ParseFloat: parsing "
                          "\"%.*s\": invalid syntax",
                          SLICE_FMT(t->text));
    return 0;
}

static int lex_string(struct logql_lexer *l, struct logql_token *t)
{
    char quote = peek(l, 0);
    struct buf out = {0};
    t->kind = LOGQL_T_STRING;
    for (l->at++;; l->at++) {
        char c = peek(l, 0);
        if (l->at >= l->text.len || (quote == '"' && c == '\n'))
            return logql_fail(l->text, l->diag, t->begin, "literal not terminated");
        if (c == '\\' && quote == '"')
            l->at++;
        else if (c == quote)
            break;
    }
    t->end = ++l->at;
    struct slice literal = cut(l, t->begin, t->end);
    if (quote == '`' || slice_find_char(literal, '\\') < 0) {
        t->text = slice_make(literal.ptr + 1, literal.len - 2);
        return 0;
    }
    int err = text_go_unquote(literal, &out);
    t->text = arena_slice(l->arena, buf_slice(&out));
    buf_deinit(&out);
    return err ? logql_fail(l->text, l->diag, t->begin, "invalid char escape") : 0;
}

/* [5m] */
static int lex_range(struct logql_lexer *l, struct logql_token *t)
{
    size_t begin = ++l->at;
    while (l->at < l->text.len && l->text.ptr[l->at] != ']')
        l->at++;
    if (l->at == l->text.len)
        return logql_fail(l->text, l->diag, t->begin, "missing closing ']' in duration");
    struct slice s = slice_trim(cut(l, begin, l->at));
    t->kind = LOGQL_T_RANGE;
    t->end = ++l->at;
    t->text = cut(l, t->begin, t->end);
    if (!s.len)
        return logql_fail(l->text, l->diag, t->begin, "empty duration string");
    if (text_duration_parse(s, &t->ns) || t->ns <= 0)
        return logql_fail(l->text, l->diag, t->begin, "not a valid duration string: \"%.*s\"",
                          SLICE_FMT(slice_first(s, 60)));
    return 0;
}

int logql_lex(struct logql_lexer *l, struct logql_token *t)
{
    static const char *const twos[] = {"|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<="};
    static const char ones[] = "+-*/%^=<>(){},.|";
    skip_space(l);
    *t = (struct logql_token){.begin = l->at, .end = l->at};
    if (l->at >= l->text.len)
        return 0;
    char c = peek(l, 0);
    if (is_digit(c) || (c == '.' && is_digit(peek(l, 1))))
        return lex_number(l, t);
    if (c == '"' || c == '`')
        return lex_string(l, t);
    if (c == '[')
        return lex_range(l, t);
    if (is_alpha(c)) {
        while (is_alpha(peek(l, 0)) || is_digit(peek(l, 0)))
            l->at++;
        t->kind = LOGQL_T_IDENT;
        t->end = l->at;
        t->text = cut(l, t->begin, t->end);
        return 0;
    }
    if (c == '-' && is_digit(peek(l, 1)) && try_duration(l, t, l->at + 1))
        return 0;
    if (c == '-' && peek(l, 1) == '-' && is_alpha(peek(l, 2))) {
        l->at += 2;
        while (is_alpha(peek(l, 0)) || peek(l, 0) == '-')
            l->at++;
        t->kind = LOGQL_T_FLAG;
        t->end = l->at;
        t->text = cut(l, t->begin + 2, t->end);
        return 0;
    }
    t->kind = LOGQL_T_OP;
    for (size_t i = 0; i < ARRAY_LEN(twos); i++) {
        if (slice_starts_with(slice_from(l->text, l->at), slice_cstr(twos[i]))) {
            t->text = cut(l, l->at, l->at + 2);
            t->end = l->at += 2;
            return 0;
        }
    }
    if (!c || !strchr(ones, c))
        return logql_fail(l->text, l->diag, l->at, "syntax error: unexpected character '%c'",
                          c >= ' ' && c < 127 ? c : '?');
    t->text = cut(l, l->at, l->at + 1);
    t->end = ++l->at;
    return 0;
}
