#include "lang/promql/lexer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "codec/number.h"
#include "codec/utf8.h"
#include "text/duration.h"
#include "text/go_string.h"

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
    while (l->at < l->text.len) {
        char c = l->text.ptr[l->at];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            l->at++;
        } else if (c == '#' && !l->durations) {
            while (l->at < l->text.len && !strchr("\r\n", l->text.ptr[l->at]))
                l->at++;
        } else {
            return;
        }
    }
}

/* One of `set` is taken. */
static bool accept(struct promql_lexer *l, const char *set)
{
    if (l->at >= l->text.len || !l->text.ptr[l->at] || !strchr(set, l->text.ptr[l->at]))
        return false;
    l->at++;
    return true;
}

static bool is_one(const struct promql_lexer *l, const char *set)
{
    return l->at < l->text.len && l->text.ptr[l->at] && strchr(set, l->text.ptr[l->at]);
}

/* The character at `at` in single quotes, as Go shows one. */
static const char *quoted(const struct promql_lexer *l, size_t at, char *out, size_t size)
{
    static const char special[] = "\a\b\f\n\r\t\v\\'", names[] = "abfnrtv\\'";
    uint32_t code = 0;
    char c = at < l->text.len ? l->text.ptr[at] : '\0';
    size_t n = at < l->text.len ? codec_utf8_decode(slice_from(l->text, at), &code) : 0;
    const char *known = c ? strchr(special, c) : NULL;
    if (!n)
        snprintf(out, size, "'\xef\xbf\xbd'"); /* also what Go shows of the end */
    else if (known)
        snprintf(out, size, "'\\%c'", names[known - special]);
    else if (code < ' ' || code == 0x7f)
        snprintf(out, size, "'\\x%02x'", code);
    else
        snprintf(out, size, "'%.*s'", (int)n, l->text.ptr + at);
    return out;
}

/* Ends the text: "<message> 'c'" and where the word began. */
static int refuse(struct promql_lexer *l, size_t begin, const char *message, size_t at,
                  const char *then)
{
    char c[16];
    return promql_fail(l->text, l->diag, begin, l->text.len, "%s %s%s", message,
                       quoted(l, at, c, sizeof(c)), then);
}

/* The extent of a number: decimal, hexadecimal, with exponent and underscores. False when it is
 * none; l->at is then behind what spoils it, which the message shows. */
static bool scan_number(struct promql_lexer *l)
{
    size_t begin = l->at;
    const char *digits = "0123456789";
    bool dot = false, exponent = false;
    if (accept(l, "0") && accept(l, "xX")) {
        accept(l, "_");
        digits = "0123456789abcdefABCDEF";
    }
    bool hex = digits[10];
    accept(l, ".");
    accept(l, digits);
    while (is_one(l, digits) || is_one(l, "._eE")) {
        if ((is_one(l, ".") && dot) || (is_one(l, "eE") && exponent && !hex)) {
            l->at++;
            return false;
        }
        if (accept(l, ".")) {
            dot = true;
            if (accept(l, "_.") || hex)
                return false;
        } else if (!hex && accept(l, "eE")) {
            exponent = true;
            accept(l, "+-");
            if (accept(l, "._eE") || l->at >= l->text.len)
                return false;
        } else if (accept(l, "_")) {
            if (accept(l, "._eE") || l->at >= l->text.len)
                return false;
        } else {
            while (accept(l, digits))
                ;
        }
    }
    return l->at > begin && !is_alpha(peek(l, 0)) && !is_digit(peek(l, 0));
}

/* Behind the first digits of a duration; its units are looked at later. */
static bool scan_duration(struct promql_lexer *l)
{
    static const char digits[] = "0123456789";
    if (!accept(l, "smhdwy"))
        return false;
    accept(l, "s");
    while (accept(l, digits)) {
        while (accept(l, digits))
            ;
        if (!accept(l, "smhdw"))
            return false;
        accept(l, "s");
    }
    if (!is_alpha(peek(l, 0)) && !is_digit(peek(l, 0)))
        return true;
    l->at++;
    return false;
}

static const char *const units[] = {"ms", "s", "m", "h", "d", "w", "y"};

/* What is wrong with the text of a duration. */
static void explain_duration(struct slice text, struct promql_token *t)
{
    int last = ARRAY_LEN(units);
    for (size_t i = 0; i < text.len;) {
        while (i < text.len && is_digit(text.ptr[i]))
            i++;
        size_t begin = i;
        while (i < text.len && !is_digit(text.ptr[i]))
            i++;
        struct slice unit = slice_make(text.ptr + begin, i - begin);
        int k = ARRAY_LEN(units) - 1;
        while (k >= 0 && !slice_eq_cstr(unit, units[k]))
            k--;
        if (k < 0) {
            t->wrong = "unknown unit";
            t->unit = unit;
            return;
        }
        if (k >= last) {
            t->wrong = "not a valid duration string:";
            return;
        }
        last = k;
    }
    t->wrong = "duration out of range";
}

static int lex_number(struct promql_lexer *l, struct promql_token *t)
{
    size_t begin = l->at;
    bool plain = scan_number(l);
    if (!plain && !scan_duration(l))
        return promql_fail(l->text, l->diag, begin, l->text.len,
                           "bad number or duration syntax: \"%.*s\"",
                           (int)MIN(l->at - begin, (size_t)300), l->text.ptr + begin);
    struct slice all = slice_make(l->text.ptr + begin, l->at - begin);
    t->kind = PROMQL_T_NUMBER;
    t->end = l->at;
    t->is_duration = !plain;
    if (!plain) {
        if (text_duration_parse(all, &t->duration_ns))
            explain_duration(all, t);
        t->number = (double)(t->duration_ns / NS_PER_MS) / 1000;
        return 0;
    }
    struct buf text = {0}; /* without underscores */
    for (size_t i = 0; i < all.len; i++) {
        if (all.ptr[i] != '_')
            buf_append_char(&text, all.ptr[i]);
    }
    uint64_t integer = 0;
    bool ok;
    if (text.len > 1 && (text.ptr[1] | 32) == 'x') {
        ok = text.len > 2 && text.len <= 18;
        for (size_t i = 2; i < text.len; i++) {
            char c = text.ptr[i];
            integer = integer << 4 | (uint64_t)(is_digit(c) ? c - '0' : (c | 32) - 'a' + 10);
        }
        t->number = (double)integer;
    } else {
        ok = codec_text_to_double(buf_slice(&text), &t->number, NULL);
        if (ok && !isfinite(t->number)) {
            ok = false;
            t->wrong = "value out of range";
        } else if (ok && text.len > 1 && text.ptr[0] == '0' &&
                   strspn(buf_cstr(&text), "01234567") == text.len) {
            /* A leading zero is octal in Go: 011 is 9. */
            for (size_t i = 1; i < text.len; i++)
                integer = integer * 8 + (uint64_t)(text.ptr[i] - '0');
            t->number = (double)integer;
        }
    }
    if (!ok && !t->wrong)
        t->wrong = "invalid syntax";
    buf_deinit(&text);
    return 0;
}

static int hex_value(char c)
{
    return is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Behind a backslash: appends what is meant. Returns the message, or NULL. */
static const char *lex_escape(struct promql_lexer *l, char quote, struct buf *out, size_t *where)
{
    static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
    if (l->at >= l->text.len)
        return "escape sequence not terminated";
    char e = l->text.ptr[l->at];
    *where = l->at;
    const char *simple = e ? strchr(from, e) : NULL;
    if (simple || e == quote) {
        l->at++;
        buf_append_char(out, simple ? to[simple - from] : e);
        return NULL;
    }
    size_t digits = e == 'x' ? 2 : e == 'u' ? 4 : e == 'U' ? 8 : e >= '0' && e <= '7' ? 3 : 0;
    if (!digits)
        return "unknown escape sequence";
    uint32_t code = 0, base = digits == 3 ? 8 : 16;
    l->at += digits != 3;
    for (size_t i = 0; i < digits; i++, l->at++) {
        int v = hex_value(peek(l, 0));
        *where = l->at;
        if (l->at >= l->text.len)
            return "escape sequence not terminated";
        if (v < 0 || (uint32_t)v >= base)
            return "illegal character";
        code = code * base + (uint32_t)v;
    }
    if (code > (digits <= 3 ? 255 : 0x10ffff) || (code >= 0xd800 && code < 0xe000))
        return "escape sequence is an invalid Unicode code point";
    char utf8[4];
    if (digits <= 3)
        buf_append_char(out, (char)code);
    else
        buf_append(out, utf8, codec_utf8_encode(code, utf8));
    return NULL;
}

static int lex_string(struct promql_lexer *l, struct promql_token *t)
{
    char quote = l->text.ptr[l->at];
    size_t begin = l->at++, where = 0;
    struct buf out = {0};
    const char *wrong = NULL;
    while (!wrong) {
        if (l->at >= l->text.len || (quote != '`' && l->text.ptr[l->at] == '\n')) {
            wrong = quote == '`' ? "unterminated raw string" : "unterminated quoted string";
            break;
        }
        if (l->text.ptr[l->at] == quote) {
            l->at++;
            break;
        }
        if (l->text.ptr[l->at] == '\\' && quote != '`') {
            l->at++;
            wrong = lex_escape(l, quote, &out, &where);
            continue;
        }
        uint32_t code = 0;
        size_t n = codec_utf8_decode(slice_from(l->text, l->at), &code);
        if (!n || code == 0xfffd) {
            wrong = "invalid UTF-8 rune";
            break;
        }
        buf_append(&out, l->text.ptr + l->at, n);
        l->at += n;
    }
    t->kind = PROMQL_T_STRING;
    t->end = l->at;
    t->text = arena_slice(l->arena, buf_slice(&out));
    buf_deinit(&out);
    if (!wrong)
        return 0;
    bool shown = strcmp(wrong, "illegal character") == 0;
    if (!shown && strcmp(wrong, "unknown escape sequence") != 0)
        return promql_fail(l->text, l->diag, begin, l->text.len, "%s", wrong);
    uint32_t code = 0;
    char c[16];
    if (!codec_utf8_decode(slice_from(l->text, where), &code))
        code = 0xfffd;
    return promql_fail(l->text, l->diag, begin, l->text.len, "%s U+%04X %s%s", wrong, code,
                       quoted(l, where, c, sizeof(c)), shown ? " in escape sequence" : "");
}

static const struct {
    const char *text;
    enum promql_word word;
} words[] = {
    {"and", PROMQL_W_OPERATOR},
    {"or", PROMQL_W_OPERATOR},
    {"unless", PROMQL_W_OPERATOR},
    {"atan2", PROMQL_W_OPERATOR},
    {"sum", PROMQL_W_AGGREGATE},
    {"avg", PROMQL_W_AGGREGATE},
    {"count", PROMQL_W_AGGREGATE},
    {"min", PROMQL_W_AGGREGATE},
    {"max", PROMQL_W_AGGREGATE},
    {"group", PROMQL_W_AGGREGATE},
    {"stddev", PROMQL_W_AGGREGATE},
    {"stdvar", PROMQL_W_AGGREGATE},
    {"topk", PROMQL_W_AGGREGATE},
    {"bottomk", PROMQL_W_AGGREGATE},
    {"quantile", PROMQL_W_AGGREGATE},
    {"count_values", PROMQL_W_AGGREGATE},
    {"limitk", PROMQL_W_AGGREGATE},
    {"limit_ratio", PROMQL_W_AGGREGATE},
    {"offset", PROMQL_W_KEYWORD},
    {"smoothed", PROMQL_W_KEYWORD},
    {"anchored", PROMQL_W_KEYWORD},
    {"by", PROMQL_W_KEYWORD},
    {"without", PROMQL_W_KEYWORD},
    {"on", PROMQL_W_KEYWORD},
    {"ignoring", PROMQL_W_KEYWORD},
    {"group_left", PROMQL_W_KEYWORD},
    {"group_right", PROMQL_W_KEYWORD},
    {"bool", PROMQL_W_KEYWORD},
    {"fill", PROMQL_W_KEYWORD},
    {"fill_left", PROMQL_W_KEYWORD},
    {"fill_right", PROMQL_W_KEYWORD},
    {"start", PROMQL_W_CALL},
    {"end", PROMQL_W_CALL},
    {"step", PROMQL_W_CALL},
    {"range", PROMQL_W_CALL},
    {"max_of", PROMQL_W_CALL},
    {"min_of", PROMQL_W_CALL},
    {"inf", PROMQL_W_NUMBER},
    {"nan", PROMQL_W_NUMBER},
};

static enum promql_word classify(const struct promql_lexer *l, struct slice text)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!slice_eq_nocase(text, slice_cstr(words[i].text)))
            continue;
        /* Metrics may have the names of the modifiers that came late: the parenthesis tells. */
        if (slice_starts_with(slice_cstr(words[i].text), SLICE("fill"))) {
            size_t at = l->at;
            while (at < l->text.len && strchr(" \t\r\n", l->text.ptr[at]))
                at++;
            if (at >= l->text.len || l->text.ptr[at] != '(')
                return PROMQL_W_NAME;
        }
        return words[i].word;
    }
    return memchr(text.ptr, ':', text.len) ? PROMQL_W_METRIC : PROMQL_W_NAME;
}

static int lex_word(struct promql_lexer *l, struct promql_token *t)
{
    size_t begin = l->at;
    while (is_alpha(peek(l, 0)) || is_digit(peek(l, 0)) || (peek(l, 0) == ':' && !l->braces))
        l->at++;
    t->text = slice_make(l->text.ptr + begin, l->at - begin);
    t->end = l->at;
    t->kind = PROMQL_T_IDENT;
    if (!l->braces)
        t->word = classify(l, t->text);
    return 0;
}

static int take_op(struct promql_lexer *l, struct promql_token *t, size_t len)
{
    t->kind = PROMQL_T_OP;
    t->text = slice_make(l->text.ptr + l->at, len);
    t->end = l->at += len;
    return 0;
}

static bool lex_in(const char *const *list, size_t count, struct promql_lexer *l,
                   struct promql_token *t)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_starts_with(slice_from(l->text, l->at), slice_cstr(list[i]))) {
            take_op(l, t, strlen(list[i]));
            return true;
        }
    }
    return false;
}

static int lex_braces(struct promql_lexer *l, struct promql_token *t)
{
    static const char *const ops[] = {"=~", "!~", "!=", "=", ",", "}"};
    if (l->at >= l->text.len)
        return promql_fail(l->text, l->diag, l->at, l->at, "unexpected end of input inside braces");
    char c = peek(l, 0);
    if (is_alpha(c))
        return lex_word(l, t);
    if (lex_in(ops, ARRAY_LEN(ops), l, t)) {
        l->braces = c != '}';
        return 0;
    }
    return refuse(l, l->at,
                  c == '!'   ? "unexpected character after '!' inside braces:"
                  : c == '{' ? "unexpected left brace"
                             : "unexpected character inside braces:",
                  c == '!' ? l->at + 1 : l->at, "");
}

/* step, range, max_of and min_of: nothing else has letters inside of brackets. */
static bool lex_duration_word(struct promql_lexer *l, struct promql_token *t)
{
    static const char *const names[] = {"step", "range", "max_of", "min_of"};
    size_t n = 0;
    while (is_alpha(peek(l, n)))
        n++;
    struct slice word = slice_make(l->text.ptr + l->at, n);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!slice_eq_nocase(word, slice_cstr(names[i])))
            continue;
        t->kind = PROMQL_T_IDENT;
        t->word = PROMQL_W_CALL;
        t->text = word;
        t->end = l->at += n;
        return true;
    }
    return false;
}

static int lex_duration(struct promql_lexer *l, struct promql_token *t)
{
    static const char *const ops[] = {"+", "-", "*", "/", "%", "^", ",", "(", ")", "]", ":"};
    size_t begin = l->at;
    if (l->at >= l->text.len)
        return promql_fail(l->text, l->diag, l->at, l->at,
                           "unexpected end of input in duration expression");
    char c = peek(l, 0);
    if (is_digit(c) || (c == '.' && is_digit(peek(l, 1)))) {
        l->had_number = true;
        l->durations = false;
        return lex_number(l, t);
    }
    if (is_alpha(c) && lex_duration_word(l, t))
        return 0;
    if (!lex_in(ops, ARRAY_LEN(ops), l, t))
        return refuse(l, begin, "unexpected character in duration expression:", begin, "");
    l->parens += (c == '(') - (c == ')');
    if (l->parens < 0)
        return refuse(l, l->at, "unexpected right parenthesis", begin, "");
    if (c == ':' && (!l->had_number || l->had_colon))
        return promql_fail(l->text, l->diag, l->at, l->text.len, "%s",
                           l->had_number
                               ? "unexpected repeated colon in duration expression"
                               : "unexpected colon before duration in duration expression");
    l->had_colon |= c == ':';
    if (c == ']')
        l->brackets = l->durations = false;
    return 0;
}

static int lex_statement(struct promql_lexer *l, struct promql_token *t)
{
    static const char *const ops[] = {"==", "!=", "<=", "</", "<", ">=", ">/", ">",
                                      "=",  "+",  "-",  "*",  "/", "%",  "^",  "(",
                                      ")",  "{",  "}",  "[",  "]", ",",  "@"};
    size_t begin = l->at;
    if (l->at >= l->text.len) {
        const char *open = l->parens     ? "unclosed left parenthesis"
                           : l->brackets ? "unclosed left bracket"
                                         : NULL;
        return open ? promql_fail(l->text, l->diag, l->at, l->at, "%s", open) : 0;
    }
    char c = peek(l, 0);
    if (is_digit(c) || (c == '.' && is_digit(peek(l, 1))))
        return lex_number(l, t);
    if (is_alpha(c) || c == ':') {
        if (!l->brackets)
            return lex_word(l, t);
        if (c == ':' && l->had_colon)
            return refuse(l, begin, "unexpected colon", begin, "");
        if (c == ':') {
            l->had_colon = true;
            return take_op(l, t, 1);
        }
        return lex_duration_word(l, t)
                   ? 0
                   : refuse(l, begin, "unexpected character:", begin, ", expected ':'");
    }
    if (c == '=' && peek(l, 1) == '~')
        return refuse(l, begin, "unexpected character after '=':", begin + 1, "");
    if (c == '!' && peek(l, 1) != '=')
        return refuse(l, begin, "unexpected character after '!':", begin + 1, "");
    if ((c == '[' && l->brackets) || (c == ']' && !l->brackets))
        return refuse(l, begin, c == '[' ? "unexpected left bracket" : "unexpected right bracket",
                      begin, "");
    if (c == '}' || !lex_in(ops, ARRAY_LEN(ops), l, t))
        return refuse(l, begin, "unexpected character:", begin, "");
    l->braces = c == '{';
    l->parens += (c == '(') - (c == ')');
    if (l->parens < 0)
        return refuse(l, l->at, "unexpected right parenthesis", begin, "");
    if (c == '[') {
        l->brackets = l->durations = true;
        l->had_colon = false;
    } else if (c == ']') {
        l->brackets = false;
    }
    return 0;
}

int promql_lex(struct promql_lexer *l, struct promql_token *t)
{
    skip_space(l);
    *t = (struct promql_token){.begin = l->at, .end = l->at};
    char c = peek(l, 0);
    if (!l->durations && (c == '"' || c == '\'' || c == '`'))
        return lex_string(l, t);
    return l->durations ? lex_duration(l, t) : l->braces ? lex_braces(l, t) : lex_statement(l, t);
}

void promql_describe(const struct promql_lexer *l, const struct promql_token *t, struct buf *out)
{
    struct slice raw = slice_make(l->text.ptr + t->begin, t->end - t->begin);
    bool number =
        t->kind == PROMQL_T_NUMBER || (t->kind == PROMQL_T_IDENT && t->word == PROMQL_W_NUMBER);
    if (t->kind == PROMQL_T_EOF) {
        buf_append_cstr(out, "end of input");
        return;
    }
    if (t->kind == PROMQL_T_OP) {
        bool op = slice_eq_cstr(raw, "==") || (strchr("+-*/%^<>!@", raw.ptr[0]) != NULL) ||
                  slice_eq_cstr(raw, "=~");
        buf_printf(out, op ? "<op:%.*s>" : "\"%.*s\"", SLICE_FMT(raw));
        return;
    }
    if (t->kind == PROMQL_T_IDENT && !number) {
        static const char *const forms[] = {[PROMQL_W_NAME] = "identifier \"%.*s\"",
                                            [PROMQL_W_METRIC] = "metric identifier \"%.*s\"",
                                            [PROMQL_W_AGGREGATE] = "<aggr:%.*s>",
                                            [PROMQL_W_KEYWORD] = "<%.*s>",
                                            [PROMQL_W_OPERATOR] = "<op:%.*s>",
                                            [PROMQL_W_CALL] = "\"%.*s\""};
        buf_printf(out, forms[t->word], SLICE_FMT(slice_first(raw, 300)));
        return;
    }
    buf_append_cstr(out, t->kind == PROMQL_T_STRING ? "string "
                         : t->is_duration           ? "duration "
                                                    : "number ");
    size_t cut = 0; /* behind ten characters */
    for (int i = 0; i < 10 && cut < raw.len; i++) {
        uint32_t code;
        cut += MAX(codec_utf8_decode(slice_from(raw, cut), &code), (size_t)1);
    }
    text_go_quote(slice_first(raw, cut), out);
    if (raw.len > 10)
        buf_append_cstr(out, "...");
}
