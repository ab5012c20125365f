#include "lang/traceql/lexer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "codec/number.h"
#include "text/go_string.h"

int traceql__fail(struct slice text, struct diag *diag, size_t at, const char *fmt, ...)
{
    char msg[512];
    uint32_t line = 1, col = 1;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < at && i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            col = 1;
        } else if (((unsigned char)text.ptr[i] & 0xc0) != 0x80) {
            col++;
        }
    }
    return diag_set_at(diag, ERR_INVALID, line, col, "%s", msg);
}

static char at(const struct traceql_lexer *l, size_t i)
{
    return i < l->text.len ? l->text.ptr[i] : 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_ident(char c)
{
    return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_attribute_char(char c)
{
    return c && !is_space(c) && !strchr("{}()=~!<>&|^,", c);
}

/* Blanks and comments. */
static int skip(struct traceql_lexer *l)
{
    for (;;) {
        size_t i = l->at;
        while (is_space(at(l, l->at)))
            l->at++;
        if (at(l, l->at) == '/' && at(l, l->at + 1) == '/') {
            while (l->at < l->text.len && l->text.ptr[l->at] != '\n')
                l->at++;
        } else if (at(l, l->at) == '/' && at(l, l->at + 1) == '*') {
            ptrdiff_t end = slice_find(slice_from(l->text, l->at + 2), SLICE("*/"));
            if (end < 0)
                return traceql__fail(l->text, l->diag, l->at, "comment not terminated");
            l->at += (size_t)end + 4;
        } else if (l->at == i) {
            return 0;
        }
    }
}

/* The name behind the dot: runs of characters, and parts in quotes. */
static int read_attribute(struct traceql_lexer *l, struct traceql_token *out)
{
    struct buf name = {0};
    size_t begin = l->at;
    while (is_attribute_char(at(l, l->at))) {
        if (at(l, l->at) != '"') {
            buf_append_char(&name, l->text.ptr[l->at++]);
            continue;
        }
        size_t quote = l->at++;
        for (; at(l, l->at) != '"'; l->at++) {
            if (l->at >= l->text.len) {
                buf_deinit(&name);
                return traceql__fail(l->text, l->diag, quote,
                                     "syntax error: unexpected EOF, expecting \"");
            }
            if (at(l, l->at) == '\\') {
                l->at++;
                if (at(l, l->at) != '"' && at(l, l->at) != '\\') {
                    buf_deinit(&name);
                    return traceql__fail(l->text, l->diag, l->at,
                                         "syntax error: invalid escape sequence");
                }
            }
            buf_append_char(&name, at(l, l->at));
        }
        l->at++;
    }
    out->kind = TRACEQL_T_ATTRIBUTE;
    out->text = arena_slice(l->arena, buf_slice(&name));
    buf_deinit(&name);
    if (!out->text.len)
        return traceql__fail(l->text, l->diag, begin,
                             "syntax error: unexpected END_ATTRIBUTE, expecting IDENTIFIER");
    return 0;
}

static bool take(struct traceql_lexer *l, const char *word)
{
    if (!slice_starts_with(slice_from(l->text, l->at), slice_cstr(word)))
        return false;
    l->at += strlen(word);
    return true;
}

/* "1.5": its whole part, and its fraction as so many of `scale`. As Go does it: to the ns. */
static size_t read_decimal(struct slice s, int64_t *out_whole, int64_t *out_part, double *out_scale)
{
    size_t n = 0, digits = 0;
    *out_whole = *out_part = 0;
    *out_scale = 1;
    for (; n < s.len && is_digit(s.ptr[n]); n++, digits++) {
        if (__builtin_mul_overflow(*out_whole, 10, out_whole) ||
            __builtin_add_overflow(*out_whole, s.ptr[n] - '0', out_whole))
            return 0;
    }
    if (n < s.len && s.ptr[n] == '.') {
        for (n++; n < s.len && is_digit(s.ptr[n]); n++, digits++) {
            if (*out_part > INT64_MAX / 10 - 10)
                continue; /* digits too fine to matter */
            *out_part = *out_part * 10 + (s.ptr[n] - '0');
            *out_scale *= 10;
        }
    }
    return digits ? n : 0;
}

bool traceql_duration_parse(struct slice s, int64_t *out_ns)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ns", 1},
                 {"us", 1000},
                 {"\xc2\xb5s", 1000},
                 {"\xce\xbcs", 1000},
                 {"ms", NS_PER_MS},
                 {"s", NS_PER_SEC},
                 {"m", 60 * NS_PER_SEC},
                 {"h", 3600 * NS_PER_SEC},
                 {"d", 24 * 3600 * NS_PER_SEC},
                 {"w", 7 * 24 * 3600 * NS_PER_SEC},
                 {"y", 365 * 24 * 3600 * NS_PER_SEC}};
    int64_t total = 0;
    if (!s.len)
        return false;
    while (s.len) {
        int64_t whole, part;
        double scale;
        size_t u, n = read_decimal(s, &whole, &part, &scale);
        if (!n)
            return false;
        s = slice_from(s, n);
        for (u = 0; u < ARRAY_LEN(units); u++) {
            if (slice_starts_with(s, slice_cstr(units[u].name)))
                break;
        }
        if (u == ARRAY_LEN(units))
            return false;
        s = slice_from(s, strlen(units[u].name));
        part = (int64_t)((double)part * ((double)units[u].ns / scale));
        if (__builtin_mul_overflow(whole, units[u].ns, &whole) ||
            __builtin_add_overflow(whole, part, &whole) ||
            __builtin_add_overflow(total, whole, &total))
            return false;
    }
    *out_ns = total;
    return true;
}

static int read_number(struct traceql_lexer *l, struct traceql_token *out)
{
    size_t begin = l->at, end;
    double d;
    int64_t i;
    out->kind = TRACEQL_T_VALUE;
    while (is_digit(at(l, l->at)) || (at(l, l->at) == '.' && is_digit(at(l, l->at + 1))))
        l->at++;
    end = l->at;
    while (at(l, end) && (is_digit(at(l, end)) || strchr("nsumhdwy.", at(l, end)) ||
                          (unsigned char)at(l, end) >= 0x80))
        end++;
    struct slice number = slice_make(l->text.ptr + begin, l->at - begin);
    if (end > l->at && traceql_duration_parse(slice_make(l->text.ptr + begin, end - begin), &i)) {
        l->at = end;
        out->value = traceql__int(TRACEQL_DURATION, i);
        return 0;
    }
    if ((at(l, l->at) | 32) == 'e') {
        size_t e = l->at + 1;
        if (at(l, e) == '+' || at(l, e) == '-')
            e++;
        if (is_digit(at(l, e))) {
            while (is_digit(at(l, e)))
                e++;
            l->at = e;
            number = slice_make(l->text.ptr + begin, e - begin);
        }
    }
    if (slice_find_char(number, '.') < 0 && slice_find_char(number, 'e') < 0 &&
        slice_find_char(number, 'E') < 0) {
        /* The smallest number is only one behind its sign. */
        if (slice_eq_cstr(number, "9223372036854775808"))
            out->value = traceql__int(TRACEQL_INT, INT64_MIN);
        else if (codec_text_to_int(number, &i))
            out->value = traceql__int(TRACEQL_INT, i);
        else
            return traceql__fail(l->text, l->diag, begin, "%.*s is out of range",
                                 SLICE_FMT(number));
        return 0;
    }
    if (!codec_text_to_double(number, &d, NULL) || !isfinite(d))
        return traceql__fail(l->text, l->diag, begin, "%.*s is no number", SLICE_FMT(number));
    out->value = (struct traceql_value){.kind = TRACEQL_FLOAT, .d = d};
    return 0;
}

static int read_string(struct traceql_lexer *l, struct traceql_token *out)
{
    size_t begin = l->at;
    char quote = l->text.ptr[l->at++];
    while (l->at < l->text.len && l->text.ptr[l->at] != quote) {
        if (quote == '"' && l->text.ptr[l->at] == '\\')
            l->at++;
        l->at++;
    }
    if (l->at >= l->text.len)
        return traceql__fail(l->text, l->diag, begin, "literal not terminated");
    l->at++;
    struct buf value = {0};
    int err = text_go_unquote(slice_make(l->text.ptr + begin, l->at - begin), &value);
    if (err)
        traceql__fail(l->text, l->diag, begin, "invalid syntax");
    out->kind = TRACEQL_T_VALUE;
    out->value = traceql__text(arena_slice(l->arena, buf_slice(&value)));
    buf_deinit(&value);
    return err;
}

static int read_word(struct traceql_lexer *l, struct traceql_token *out)
{
    static const struct {
        const char *word;
        enum traceql_scope scope;
    } scopes[] = {{"span.", TRACEQL_SCOPE_SPAN},
                  {"resource.", TRACEQL_SCOPE_RESOURCE},
                  {"event.", TRACEQL_SCOPE_EVENT},
                  {"link.", TRACEQL_SCOPE_LINK},
                  {"instrumentation.", TRACEQL_SCOPE_INSTRUMENTATION}};
    out->parent = take(l, "parent.");
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        if ((!out->parent || i < 2) && take(l, scopes[i].word)) {
            out->scope = scopes[i].scope;
            return read_attribute(l, out);
        }
    }
    if (out->parent)
        return read_attribute(l, out);
    while (is_ident(at(l, l->at)))
        l->at++;
    if (at(l, l->at) == ':' && is_ident(at(l, l->at + 1))) {
        l->at++;
        while (is_ident(at(l, l->at)))
            l->at++;
    }
    out->kind = TRACEQL_T_IDENT;
    out->text = slice_make(l->text.ptr + out->begin, l->at - out->begin);
    return 0;
}

int traceql__lex(struct traceql_lexer *l, struct traceql_token *out)
{
    static const char *const ops[] = {"!>>", "!<<", "&>>", "&<<", "&&", "||", "!=", "=~", "!~",
                                      ">=",  "<=",  ">>",  "<<",  "!>", "!<", "&>", "&<", "&~",
                                      "{",   "}",   "(",   ")",   ",",  "=",  ">",  "<",  "+",
                                      "-",   "*",   "/",   "%",   "^",  "!",  "|",  "~"};
    memset(out, 0, sizeof(*out));
    int err = skip(l);
    if (err)
        return err;
    out->begin = l->at;
    char c = at(l, l->at);
    if (l->at >= l->text.len) {
        out->end = l->at;
        return 0;
    }
    if (c == '.' && !is_digit(at(l, l->at + 1))) {
        l->at++;
        err = read_attribute(l, out);
    } else if (is_digit(c) || c == '.') {
        err = read_number(l, out);
    } else if (c == '"' || c == '`') {
        err = read_string(l, out);
    } else if (is_ident(c)) {
        err = read_word(l, out);
    } else {
        size_t i = 0;
        while (i < ARRAY_LEN(ops) && !take(l, ops[i]))
            i++;
        if (i == ARRAY_LEN(ops))
            return traceql__fail(l->text, l->diag, l->at, "syntax error: unexpected '%c'", c);
        out->kind = TRACEQL_T_OP;
        out->text = slice_cstr(ops[i]);
    }
    out->end = l->at;
    return err;
}
