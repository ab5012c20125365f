#include "codec/json_dom.h"

#include "base/vec.h"
#include "codec/number.h"
#include "codec/utf8.h"

#define DEPTH_MAX 128

struct parser {
    const char *begin, *p, *end;
    struct arena *arena;
    struct diag *diag;
    unsigned depth;
};

static int fail(struct parser *s, const char *at, const char *what)
{
    uint32_t line = 1, col = 1;
    for (const char *c = s->begin; c < at; c++) {
        col++;
        if (*c == '\n') {
            line++;
            col = 1;
        }
    }
    return diag_set_at(s->diag, ERR_INVALID, line, col, "JSON: %s", what);
}

static void skip_space(struct parser *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static int hex4(const char *p, uint32_t *out)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                            : 16;
        if (d == 16)
            return -1;
        v = v << 4 | d;
    }
    *out = v;
    return 0;
}

/* Behind the opening quote. */
static int parse_string(struct parser *s, struct slice *out)
{
    const char *begin = s->p;
    while (s->p < s->end && *s->p != '"' && *s->p != '\\' && (unsigned char)*s->p >= 0x20)
        s->p++;
    if (s->p < s->end && *s->p == '"') {
        *out = slice_make(begin, (size_t)(s->p++ - begin));
        return codec_utf8_valid(*out) ? 0
                                      : fail(s, begin, "a string holds bytes that are no UTF-8");
    }
    /* An escaped string is never longer than its source. */
    const char *close = s->p;
    while (close < s->end && *close != '"')
        close += *close == '\\' && close + 1 < s->end ? 2 : 1;
    char *text = arena_alloc(s->arena, (size_t)(close - begin) + 1);
    if (!text)
        return diag_set(s->diag, ERR_NOMEM, "JSON: no memory left for a string");
    size_t len = (size_t)(s->p - begin);
    memcpy(text, begin, len);
    while (s->p < s->end && *s->p != '"') {
        unsigned char c = (unsigned char)*s->p;
        if (c < 0x20)
            return fail(s, s->p, "a control character inside a string must be escaped");
        if (c != '\\') {
            text[len++] = *s->p++;
            continue;
        }
        const char *at = s->p;
        if (s->end - s->p < 2)
            break;
        s->p += 2;
        switch (at[1]) {
        case '"': text[len++] = '"'; break;
        case '\\': text[len++] = '\\'; break;
        case '/': text[len++] = '/'; break;
        case 'b': text[len++] = '\b'; break;
        case 'f': text[len++] = '\f'; break;
        case 'n': text[len++] = '\n'; break;
        case 'r': text[len++] = '\r'; break;
        case 't': text[len++] = '\t'; break;
        case 'u': {
            uint32_t code, low;
            if (s->end - s->p < 4 || hex4(s->p, &code))
                return fail(s, at, "\\u takes four hexadecimal digits");
            s->p += 4;
            if (code >= 0xd800 && code < 0xdc00 && s->end - s->p >= 6 && s->p[0] == '\\' &&
                s->p[1] == 'u' && !hex4(s->p + 2, &low) && low >= 0xdc00 && low < 0xe000) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                s->p += 6;
            } else if (code >= 0xd800 && code < 0xe000) {
                code = 0xfffd; /* half a pair, as Go reads it */
            }
            len += codec_utf8_encode(code, text + len);
            break;
        }
        default: return fail(s, at, "an unknown escape in a string");
        }
    }
    if (s->p >= s->end || *s->p != '"')
        return fail(s, begin, "a string is not closed");
    s->p++;
    *out = slice_make(text, len);
    return codec_utf8_valid(*out) ? 0 : fail(s, begin, "a string holds bytes that are no UTF-8");
}

static int parse_value(struct parser *s, struct codec_json *out);

static int parse_items(struct parser *s, struct codec_json *out, char close)
{
    VEC(struct codec_json) items = {0};
    VEC(struct slice) keys = {0};
    bool object = close == '}';
    int err = 0;
    out->kind = object ? CODEC_JSON_OBJECT : CODEC_JSON_ARRAY;
    if (++s->depth > DEPTH_MAX) {
        err = fail(s, s->p, "nested too deeply (128 levels at most)");
        goto out;
    }
    skip_space(s);
    if (s->p < s->end && *s->p == close) {
        s->p++;
        goto out;
    }
    for (;;) {
        struct codec_json item;
        struct slice key;
        skip_space(s);
        if (object) {
            if (s->p >= s->end || *s->p++ != '"') {
                err = fail(s, s->p, "a key in double quotes is expected");
                goto out;
            }
            if ((err = parse_string(s, &key)))
                goto out;
            skip_space(s);
            if (s->p >= s->end || *s->p++ != ':') {
                err = fail(s, s->p, "':' is expected behind a key");
                goto out;
            }
            vec_push(&keys, key);
        }
        if ((err = parse_value(s, &item)))
            goto out;
        vec_push(&items, item);
        skip_space(s);
        if (s->p < s->end && *s->p == ',') {
            s->p++;
            continue;
        }
        if (s->p < s->end && *s->p == close) {
            s->p++;
            break;
        }
        err = fail(s, s->p, object ? "',' or '}' is expected" : "',' or ']' is expected");
        goto out;
    }
    out->count = items.len;
    out->items = arena_dup(s->arena, items.items, items.len * sizeof(*items.items));
    if (object)
        out->keys = arena_dup(s->arena, keys.items, keys.len * sizeof(*keys.items));
    if (!out->items || (object && !out->keys))
        err = diag_set(s->diag, ERR_NOMEM, "JSON: no memory left");
out:
    s->depth--;
    vec_free(&items);
    vec_free(&keys);
    return err;
}

/* RFC 8259 number: no leading zeros or plus, digits on both sides of a point. */
static int parse_number(struct parser *s, struct codec_json *out)
{
    const char *begin = s->p;
    if (s->p < s->end && *s->p == '-')
        s->p++;
    const char *first = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    bool bad = s->p == first || (*first == '0' && s->p - first > 1);
    if (s->p < s->end && *s->p == '.') {
        const char *digits = ++s->p;
        while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
            s->p++;
        bad |= s->p == digits;
    }
    if (s->p < s->end && (*s->p | 32) == 'e') {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        const char *digits = s->p;
        while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
            s->p++;
        bad |= s->p == digits;
    }
    out->kind = CODEC_JSON_NUMBER;
    out->text = slice_make(begin, (size_t)(s->p - begin));
    if (bad || !codec_text_to_double(out->text, &out->number, NULL))
        return fail(s, begin, "not a number");
    return 0;
}

static bool take_word(struct parser *s, struct slice word)
{
    if (!slice_starts_with(slice_make(s->p, (size_t)(s->end - s->p)), word))
        return false;
    s->p += word.len;
    return true;
}

static int parse_value(struct parser *s, struct codec_json *out)
{
    memset(out, 0, sizeof(*out));
    skip_space(s);
    if (s->p >= s->end)
        return fail(s, s->p, "a value is expected, but the text ends");
    switch (*s->p) {
    case '{': s->p++; return parse_items(s, out, '}');
    case '[': s->p++; return parse_items(s, out, ']');
    case '"':
        s->p++;
        out->kind = CODEC_JSON_STRING;
        return parse_string(s, &out->text);
    case 't':
    case 'f':
        out->kind = CODEC_JSON_BOOL;
        out->boolean = *s->p == 't';
        return take_word(s, out->boolean ? SLICE("true") : SLICE("false"))
                   ? 0
                   : fail(s, s->p, "a value is expected");
    case 'n': return take_word(s, SLICE("null")) ? 0 : fail(s, s->p, "a value is expected");
    default:
        if (*s->p == '-' || (*s->p >= '0' && *s->p <= '9'))
            return parse_number(s, out);
        return fail(s, s->p, "a value is expected");
    }
}

int codec_json_parse(struct slice text, struct arena *arena, struct codec_json *out,
                     struct diag *diag)
{
    struct parser s = {
        .begin = text.ptr, .p = text.ptr, .end = text.ptr + text.len, .arena = arena, .diag = diag};
    int err = parse_value(&s, out);
    if (err)
        return err;
    skip_space(&s);
    if (s.p < s.end)
        return fail(&s, s.p, "the text goes on behind the value");
    return 0;
}

const struct codec_json *codec_json_get(const struct codec_json *v, const char *key)
{
    if (!v || v->kind != CODEC_JSON_OBJECT)
        return NULL;
    for (size_t i = v->count; i-- > 0;) {
        if (slice_eq_cstr(v->keys[i], key))
            return &v->items[i];
    }
    return NULL;
}

struct slice codec_json_get_string(const struct codec_json *v, const char *key)
{
    const struct codec_json *found = codec_json_get(v, key);
    return found && found->kind == CODEC_JSON_STRING ? found->text : (struct slice){NULL, 0};
}
