#include "lang/promql/lexer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "codec/number.h"
#include "codec/utf8.h"
#include "text/duration.h"

void promql_place(struct slice text, size_t at, uint32_t *line, uint32_t *col)
{
    *line = *col = 1;
    for (size_t i = 0; i < at && i < text.len; i++) {
        ++*col;
        if (text.ptr[i] == '\n') {
            ++*line;
            *col = 1;
        }
    }
}

int promql_fail(struct slice text, struct diag *diag, size_t begin, size_t end, const char *fmt,
                ...)
{
    char msg[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    if (diag && !diag->code) {
        diag_set_range(diag, ERR_INVALID, begin, end, "%s", msg);
        promql_place(text, begin, &diag->line, &diag->col);
    }
    return ERR_INVALID;
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char peek(const struct promql_lexer *l, size_t ahead)
{
    return l->at + ahead < l->text.len ? l->text.ptr[l->at + ahead] : '\0';
}

static void skip_space(struct promql_lexer *l)
{
    for (;;) {
        char c = peek(l, 0);
        if (l->at < l->text.len && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
            l->at++;
        } else if (c == '#') {
            while (l->at < l->text.len && l->text.ptr[l->at] != '\n')
                l->at++;
        } else {
            return;
        }
    }
}

/* Numbers (decimal, hexadecimal, with exponent and underscores) and durations. */
static int lex_number(struct promql_lexer *l, struct promql_token *t)
{
    size_t begin = l->at;
    char text[128];
    size_t len = 0;
    bool hex = peek(l, 0) == '0' && (peek(l, 1) | 32) == 'x';
    if (hex)
        l->at += 2;
    while (l->at < l->text.len) {
        char c = peek(l, 0);
        bool exponent = !hex && (c | 32) == 'e' &&
                        (is_digit(peek(l, 1)) ||
                         ((peek(l, 1) == '+' || peek(l, 1) == '-') && is_digit(peek(l, 2))));
        if (exponent) {
            l->at += 2;
            while (is_digit(peek(l, 0)))
                l->at++;
            break;
        }
        if (is_digit(c) || c == '.' || c == '_' || (hex && ((c | 32) >= 'a' && (c | 32) <= 'f')))
            l->at++;
        else
            break;
    }
    /* A letter goes on: a duration, if it is one. */
    size_t number_end = l->at;
    while (is_alpha(peek(l, 0)) || is_digit(peek(l, 0)))
        l->at++;
    struct slice all = slice_make(l->text.ptr + begin, l->at - begin);
    t->kind = PROMQL_T_NUMBER;
    t->end = l->at;
    if (l->at > number_end) {
        if (text_duration_parse(all, &t->duration_ns)) {
            /* Prometheus shows what it had read: no further than the first that is no unit. */
            if (!strchr("smhdwy", l->text.ptr[number_end]))
                all.len = number_end - begin;
            return promql_fail(l->text, l->diag, begin, l->at,
                               "bad number or duration syntax: \"%.*s\"",
                               SLICE_FMT(slice_make(all.ptr, MIN(all.len, (size_t)60))));
        }
        t->is_duration = true;
        t->number = (double)(t->duration_ns / NS_PER_MS) / 1000;
        return 0;
    }
    for (size_t i = 0; i < all.len && len < sizeof(text) - 1; i++) {
        if (all.ptr[i] != '_')
            text[len++] = all.ptr[i];
    }
    uint64_t integer = 0;
    bool ok;
    if (hex) {
        ok = len > 2 && len <= 18;
        for (size_t i = 2; i < len; i++) {
            char c = text[i];
            integer = integer << 4 | (uint64_t)(is_digit(c) ? c - '0' : (c | 32) - 'a' + 10);
        }
        t->number = (double)integer;
    } else {
        ok = codec_text_to_double(slice_make(text, len), &t->number, NULL);
        if (ok && !isfinite(t->number))
            return promql_fail(l->text, l->diag, begin, l->at,
                               "error parsing number: strconv.ParseFloat: parsing \"%.*s\": value "
                               "out of range",
                               SLICE_FMT(slice_make(all.ptr, MIN(all.len, (size_t)60))));
        /* A leading zero is octal in Go: 011 is 9. */
        if (ok && len > 1 && text[0] == '0' && strspn(text, "01234567") == len) {
            for (size_t i = 1; i < len; i++)
                integer = integer * 8 + (uint64_t)(text[i] - '0');
            t->number = (double)integer;
        }
    }
    return ok ? 0
              : promql_fail(l->text, l->diag, begin, l->at,
                            "bad number or duration syntax: \"%.*s\"",
                            SLICE_FMT(slice_make(all.ptr, MIN(all.len, (size_t)60))));
}

static int hex_value(char c)
{
    return is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static int lex_string(struct promql_lexer *l, struct promql_token *t)
{
    char quote = l->text.ptr[l->at];
    size_t begin = l->at++;
    struct buf out = {0};
    int err = 0;
    for (;;) {
        if (l->at >= l->text.len || (quote != '`' && l->text.ptr[l->at] == '\n')) {
            err = promql_fail(l->text, l->diag, begin, l->at,
                              quote == '`' ? "unterminated raw string"
                                           : "unterminated quoted string");
            break;
        }
        char c = l->text.ptr[l->at++];
        if (c == quote)
            break;
        if (c != '\\' || quote == '`') {
            buf_append_char(&out, c);
            continue;
        }
        char e = peek(l, 0);
        size_t escape = l->at - 1;
        l->at++;
        static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
        const char *simple = e ? strchr(from, e) : NULL;
        if (simple && !((e == '\'' || e == '"') && e != quote)) {
            buf_append_char(&out, to[simple - from]);
            continue;
        }
        size_t digits = e == 'x' ? 2 : e == 'u' ? 4 : e == 'U' ? 8 : e >= '0' && e <= '7' ? 3 : 0;
        uint32_t code = 0;
        bool ok = digits > 0;
        if (digits == 3)
            l->at--;
        for (size_t i = 0; i < digits && ok; i++) {
            int v = hex_value(peek(l, 0));
            ok = v >= 0 && (digits != 3 || v < 8);
            code = digits == 3 ? code * 8 + (uint32_t)v : code << 4 | (uint32_t)v;
            l->at += ok;
        }
        if (!ok || (digits > 3 && code > 0x10ffff)) {
            err = promql_fail(l->text, l->diag, escape, MIN(l->at, l->text.len),
                              "unknown escape sequence U+%04X '%c'", (unsigned)(unsigned char)e, e);
            break;
        }
        if (digits <= 3) {
            buf_append_char(&out, (char)code);
        } else {
            char utf8[4];
            buf_append(&out, utf8, codec_utf8_encode(code, utf8));
        }
    }
    t->kind = PROMQL_T_STRING;
    t->end = l->at;
    t->text = arena_slice(l->arena, buf_slice(&out));
    buf_deinit(&out);
    return err;
}

int promql_lex(struct promql_lexer *l, struct promql_token *t)
{
    static const char *const twos[] = {"==", "!=", "<=", ">=", "=~", "!~", "</", ">/"};
    static const char ones[] = "+-*/%^=<>(){}[],:@";
    skip_space(l);
    *t = (struct promql_token){.begin = l->at, .end = l->at};
    if (l->at >= l->text.len) {
        const char *open = l->braces     ? "unexpected end of input inside braces"
                           : l->parens   ? "unclosed left parenthesis"
                           : l->brackets ? "unclosed left bracket"
                                         : NULL;
        return open ? promql_fail(l->text, l->diag, l->at, l->at, "%s", open) : 0;
    }
    char c = peek(l, 0);
    if (is_digit(c) || (c == '.' && is_digit(peek(l, 1))))
        return lex_number(l, t);
    if (c == '"' || c == '\'' || c == '`')
        return lex_string(l, t);
    if (is_alpha(c) || (c == ':' && !l->brackets)) {
        size_t begin = l->at;
        while (is_alpha(peek(l, 0)) || is_digit(peek(l, 0)) ||
               (peek(l, 0) == ':' && !l->brackets && !l->braces))
            l->at++;
        t->text = slice_make(l->text.ptr + begin, l->at - begin);
        t->end = l->at;
        t->kind = PROMQL_T_IDENT;
        return 0;
    }
    t->kind = PROMQL_T_OP;
    for (size_t i = 0; i < ARRAY_LEN(twos); i++) {
        if (slice_starts_with(slice_from(l->text, l->at), slice_cstr(twos[i]))) {
            t->text = slice_make(l->text.ptr + l->at, 2);
            t->end = l->at += 2;
            return 0;
        }
    }
    if (!strchr(ones, c) || !c) {
        uint32_t code = 0;
        size_t n = codec_utf8_decode(slice_from(l->text, l->at), &code);
        if (c == '!')
            return promql_fail(l->text, l->diag, l->at, l->at + 1,
                               "unexpected character after '!': '%c'",
                               peek(l, 1) ? peek(l, 1) : ' ');
        return promql_fail(l->text, l->diag, l->at, l->at + MAX(n, (size_t)1),
                           "unexpected character: '%.*s'", (int)MAX(n, (size_t)1),
                           l->text.ptr + l->at);
    }
    l->braces += c == '{';
    l->braces -= c == '}' && l->braces;
    l->parens += c == '(';
    l->parens -= c == ')' && l->parens;
    l->brackets += c == '[';
    l->brackets -= c == ']' && l->brackets;
    t->text = slice_make(l->text.ptr + l->at, 1);
    t->end = ++l->at;
    return 0;
}
