#include "text/js_data.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "base/vec.h"
#include "codec/number.h"
#include "codec/utf8.h"

#define DEPTH_MAX 64

struct js {
    const char *begin, *at, *end;
    struct arena *arena;
    struct diag *diag;
    unsigned depth;
    struct buf scratch;
};

static void place(const struct js *p, const char *where, uint32_t *line, uint32_t *col)
{
    *line = 1;
    const char *start = p->begin;
    for (const char *c = p->begin; c < where; c++) {
        if (*c == '\n') {
            ++*line;
            start = c + 1;
        }
    }
    *col = (uint32_t)(where - start) + 1;
}

static int fail(struct js *p, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(struct js *p, const char *where, const char *fmt, ...)
{
    uint32_t line, col;
    va_list ap;
    place(p, where, &line, &col);
    buf_clear(&p->scratch);
    va_start(ap, fmt);
    buf_vprintf(&p->scratch, fmt, ap);
    va_end(ap);
    return diag_set_at(p->diag, ERR_INVALID, line, col, "%s", buf_cstr(&p->scratch));
}

static bool looking_at(const struct js *p, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(p->end - p->at) >= n && memcmp(p->at, word, n) == 0;
}

/* White space and comments. */
static int skip(struct js *p)
{
    for (;;) {
        while (p->at < p->end && (isspace((unsigned char)*p->at) || looking_at(p, "\xef\xbb\xbf")))
            p->at += looking_at(p, "\xef\xbb\xbf") ? 3 : 1;
        if (looking_at(p, "//")) {
            while (p->at < p->end && *p->at != '\n')
                p->at++;
        } else if (looking_at(p, "/*")) {
            const char *start = p->at;
            p->at += 2;
            while (p->at < p->end && !looking_at(p, "*/"))
                p->at++;
            if (p->at == p->end)
                return fail(p, start, "this comment has no end");
            p->at += 2;
        } else {
            return 0;
        }
    }
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static struct slice word_at(const struct js *p)
{
    const char *c = p->at;
    while (c < p->end && is_word(*c))
        c++;
    return slice_make(p->at, (size_t)(c - p->at));
}

static bool hex_digits(struct js *p, size_t count, uint32_t *out)
{
    uint32_t v = 0;
    for (size_t i = 0; i < count; i++, p->at++) {
        if (p->at == p->end || !isxdigit((unsigned char)*p->at))
            return false;
        v = v * 16 +
            (uint32_t)(isdigit((unsigned char)*p->at) ? *p->at - '0' : tolower(*p->at) - 'a' + 10);
    }
    *out = v;
    return true;
}

static void put_code_point(struct buf *out, uint32_t c)
{
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        c = 0xfffd;
    if (c < 0x80) {
        buf_append_char(out, (char)c);
    } else if (c < 0x800) {
        buf_append_char(out, (char)(0xc0 | c >> 6));
        buf_append_char(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_append_char(out, (char)(0xe0 | c >> 12));
        buf_append_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_append_char(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_append_char(out, (char)(0xf0 | c >> 18));
        buf_append_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_append_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_append_char(out, (char)(0x80 | (c & 0x3f)));
    }
}

/* "u" was read: uXXXX, a pair of surrogates, or u{X...}. */
static bool unicode(struct js *p, struct buf *out)
{
    uint32_t c, low;
    if (p->at < p->end && *p->at == '{') {
        c = 0;
        for (p->at++; p->at < p->end && *p->at != '}';) {
            uint32_t digit;
            if (!hex_digits(p, 1, &digit) || (c = c * 16 + digit) > 0x10ffff)
                return false;
        }
        if (p->at++ == p->end)
            return false;
    } else {
        if (!hex_digits(p, 4, &c))
            return false;
        if (c >= 0xd800 && c < 0xdc00 && looking_at(p, "\\u")) {
            const char *back = p->at;
            p->at += 2;
            if (hex_digits(p, 4, &low) && low >= 0xdc00 && low < 0xe000)
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            else
                p->at = back;
        }
    }
    put_code_point(out, c);
    return true;
}

static int read_escape(struct js *p, struct buf *out)
{
    static const char from[] = "nrtbfv0", to[] = "\n\r\t\b\f\v\0";
    const char *start = p->at - 1;
    if (p->at == p->end)
        return fail(p, start, "this text has no end");
    char c = *p->at++;
    const char *known = c ? strchr(from, c) : NULL;
    uint32_t code;
    if (c == 'x' || c == 'u') {
        bool fine = c == 'u' ? unicode(p, out) : hex_digits(p, 2, &code);
        if (!fine)
            return fail(p, start, "\\%c takes hexadecimal digits", c);
        if (c == 'x')
            put_code_point(out, code);
    } else if (c == '\r') { /* a line that goes on */
        p->at += looking_at(p, "\n");
    } else if (c != '\n') {
        buf_append_char(out, known ? to[known - from] : c);
    }
    return 0;
}

static int read_string(struct js *p, struct slice *out)
{
    const char *start = p->at, quote = *p->at++;
    struct buf text = {0};
    int err = 0;
    while (!err) {
        if (p->at == p->end || (quote != '`' && (*p->at == '\n' || *p->at == '\r'))) {
            err = fail(p, start, "this text has no end");
        } else if (*p->at == quote) {
            p->at++;
            break;
        } else if (quote == '`' && looking_at(p, "${")) {
            err = fail(p, p->at, "text that has to be computed cannot be read");
        } else if (*p->at == '\\') {
            p->at++;
            err = read_escape(p, &text);
        } else {
            buf_append_char(&text, *p->at++);
        }
    }
    *out = arena_slice(p->arena, text.len ? buf_slice(&text) : SLICE(""));
    buf_deinit(&text);
    return err;
}

/* Decimal, 0x, 0o and 0b, with _ between digits. */
static int read_number(struct js *p, bool negative, struct slice *out)
{
    const char *start = p->at;
    char text[CODEC_DOUBLE_TEXT_MAX + 1];
    double v;
    struct buf digits = {0};
    while (p->at < p->end &&
           (is_word(*p->at) || *p->at == '.' ||
            ((*p->at == '-' || *p->at == '+') && (p->at[-1] == 'e' || p->at[-1] == 'E') &&
             !looking_at(&(struct js){.at = start, .end = p->end}, "0x"))))
        p->at++;
    struct slice whole = slice_make(start, (size_t)(p->at - start));
    for (size_t i = 0; i < whole.len; i++) {
        if (whole.ptr[i] != '_')
            buf_append_char(&digits, whole.ptr[i]);
    }
    const char *ended = buf_cstr(&digits); /* may move them */
    struct slice s = buf_slice(&digits);
    bool fine;
    if (s.len > 2 && s.ptr[0] == '0' && strchr("xXoObB", s.ptr[1])) {
        int base = tolower(s.ptr[1]) == 'x' ? 16 : tolower(s.ptr[1]) == 'o' ? 8 : 2;
        char *stop;
        unsigned long long n = strtoull(ended + 2, &stop, base);
        fine = isxdigit((unsigned char)s.ptr[2]) && !*stop && n < (1ull << 53);
        v = (double)n;
    } else {
        fine = s.len && (isdigit((unsigned char)s.ptr[0]) || s.ptr[0] == '.') &&
               codec_text_to_double(s, &v, NULL) && isfinite(v);
    }
    buf_deinit(&digits);
    if (!fine)
        return fail(p, start, "\"%.*s\" is no number", SLICE_FMT(whole));
    *out = arena_slice(p->arena, slice_make(text, codec_double_to_text(negative ? -v : v,
                                                                       CODEC_DOUBLE_PLAIN, text)));
    return 0;
}

static int read_value(struct js *p, struct text_yaml **out);

static struct text_yaml *new_node(struct js *p, enum text_yaml_kind kind)
{
    struct text_yaml *node = ARENA_NEW(p->arena, struct text_yaml);
    node->kind = kind;
    place(p, p->at, &node->line, &node->col);
    return node;
}

typedef VEC(struct text_yaml *) node_list;

static void keep(struct js *p, node_list *list, struct text_yaml ***out)
{
    *out = list->len ? arena_dup(p->arena, list->items, list->len * sizeof(*list->items)) : NULL;
    vec_free(list);
}

static int read_list(struct js *p, struct text_yaml *node)
{
    node_list items = {0};
    int err = 0;
    p->at++;
    for (;;) {
        struct text_yaml *item;
        if ((err = skip(p)))
            break;
        if (p->at < p->end && *p->at == ']') {
            p->at++;
            break;
        }
        if ((err = read_value(p, &item)))
            break;
        vec_push(&items, item);
        if ((err = skip(p)))
            break;
        if (p->at < p->end && *p->at == ',') {
            p->at++;
        } else if (p->at == p->end || *p->at != ']') {
            err = fail(p, p->at, "a comma or ] is expected");
            break;
        }
    }
    node->count = items.len;
    keep(p, &items, &node->items);
    return err;
}

static int read_key(struct js *p, struct text_yaml **out)
{
    struct text_yaml *key = *out = new_node(p, TEXT_YAML_SCALAR);
    if (p->at < p->end && (*p->at == '"' || *p->at == '\''))
        return read_string(p, &key->value);
    if (p->at < p->end && isdigit((unsigned char)*p->at))
        return read_number(p, false, &key->value);
    key->value = word_at(p);
    if (!key->value.len)
        return fail(p, p->at,
                    looking_at(p, "...") || looking_at(p, "[")
                        ? "keys that have to be computed cannot be read"
                        : "a key is expected, as in port: 8125");
    key->value = arena_slice(p->arena, key->value);
    p->at += key->value.len;
    return 0;
}

static int read_pair(struct js *p, node_list *keys, node_list *items)
{
    struct text_yaml *key, *value;
    int err = read_key(p, &key);
    if (!err)
        err = skip(p);
    if (!err && (p->at == p->end || *p->at != ':'))
        err = fail(p, p->at, "a colon is expected behind the key \"%.*s\"", SLICE_FMT(key->value));
    if (err)
        return err;
    p->at++;
    if ((err = skip(p)) || (err = read_value(p, &value)))
        return err;
    for (size_t i = 0; i < keys->len; i++) {
        if (slice_eq(keys->items[i]->value, key->value)) {
            keys->items[i] = key;
            items->items[i] = value;
            return 0;
        }
    }
    vec_push(keys, key);
    vec_push(items, value);
    return 0;
}

static int read_object(struct js *p, struct text_yaml *node)
{
    node_list keys = {0}, items = {0};
    int err = 0;
    p->at++;
    for (;;) {
        if ((err = skip(p)))
            break;
        if (p->at < p->end && *p->at == '}') {
            p->at++;
            break;
        }
        if ((err = read_pair(p, &keys, &items)) || (err = skip(p)))
            break;
        if (p->at < p->end && *p->at == ',') {
            p->at++;
        } else if (p->at == p->end || *p->at != '}') {
            err = fail(p, p->at, "a comma or } is expected");
            break;
        }
    }
    node->count = keys.len;
    keep(p, &keys, &node->keys);
    keep(p, &items, &node->items);
    return err;
}

/* What may stand behind a value; anything else would change it. */
static int check_behind(struct js *p)
{
    int err = skip(p);
    if (err || p->at == p->end || strchr(",]});:", *p->at))
        return err;
    if (isspace((unsigned char)*p->at) || *p->at == '"' || *p->at == '\'' || is_word(*p->at))
        return fail(p, p->at, "a comma is missing before this");
    return fail(p, p->at, "values that have to be computed cannot be read: write down the result");
}

static int read_word(struct js *p, struct text_yaml *node)
{
    static const char *const words[] = {"true", "false", "null"};
    struct slice word = word_at(p);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (slice_eq_cstr(word, words[i])) {
            node->value = arena_slice(p->arena, word);
            p->at += word.len;
            return 0;
        }
    }
    if (slice_eq_cstr(word, "undefined")) {
        node->value = SLICE("null");
        p->at += word.len;
        return 0;
    }
    if (!word.len)
        return fail(p, p->at, p->at == p->end ? "the file ends too early" : "a value is expected");
    return fail(p, p->at,
                "\"%.*s\" has to be computed, which Pharos does not do: write down its value",
                SLICE_FMT(word));
}

static int read_value(struct js *p, struct text_yaml **out)
{
    int err;
    char c = p->at < p->end ? *p->at : 0;
    struct text_yaml *node = *out = new_node(p, c == '{'   ? TEXT_YAML_MAP
                                                : c == '[' ? TEXT_YAML_LIST
                                                           : TEXT_YAML_SCALAR);
    if (++p->depth > DEPTH_MAX)
        return fail(p, p->at, "more than %d levels", DEPTH_MAX);
    if (c == '{') {
        err = read_object(p, node);
    } else if (c == '[') {
        err = read_list(p, node);
    } else if (c == '(') {
        p->at++;
        err = skip(p);
        if (!err)
            err = read_value(p, out);
        if (!err)
            err = skip(p);
        if (!err && (p->at == p->end || *p->at != ')'))
            err = fail(p, p->at, "a closing parenthesis is missing");
        p->at += !err;
    } else if (c == '"' || c == '\'' || c == '`') {
        node->quoted = true;
        err = read_string(p, &node->value);
    } else if (isdigit((unsigned char)c) || c == '.' || c == '-' || c == '+') {
        p->at += c == '-' || c == '+';
        if (c == '-' || c == '+')
            err = skip(p);
        else
            err = 0;
        if (!err)
            err = read_number(p, c == '-', &node->value);
    } else {
        err = read_word(p, node);
    }
    p->depth--;
    return err ? err : check_behind(p);
}

int text_js_parse(struct slice text, struct arena *arena, struct text_yaml **out, struct diag *diag)
{
    static const char *const heads[] = {"module.exports", "exports", "config"};
    struct js p = {.begin = text.ptr,
                   .at = text.ptr,
                   .end = text.ptr + text.len,
                   .arena = arena,
                   .diag = diag};
    *out = NULL;
    int err = skip(&p);
    for (size_t i = 0; !err && i < ARRAY_LEN(heads); i++) {
        if (!looking_at(&p, heads[i]))
            continue;
        p.at += strlen(heads[i]);
        err = skip(&p);
        if (!err && (p.at == p.end || *p.at != '='))
            err = fail(&p, p.at, "= is expected here");
        if (!err) {
            p.at++;
            err = skip(&p);
        }
        break;
    }
    if (!err)
        err = read_value(&p, out);
    if (!err)
        err = skip(&p);
    while (!err && p.at < p.end && *p.at == ';') {
        p.at++;
        err = skip(&p);
    }
    if (!err && p.at < p.end)
        err = fail(&p, p.at, "the value ends before this");
    buf_deinit(&p.scratch);
    return err;
}
