#include "codec/json_read.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/assert.h"
#include "codec/number.h"
#include "codec/utf8.h"

static bool fail_code(struct codec_json_reader *r, int code, const char *at, const char *what)
{
    if (r->err)
        return false;
    r->err = code;
    if (!r->diag)
        return false;
    uint32_t line = 1, col = 1;
    for (const char *c = r->begin; c < at; c++) {
        col++;
        if (*c == '\n') {
            line++;
            col = 1;
        }
    }
    diag_set_at(r->diag, code, line, col, "JSON: %s", what);
    return false;
}

static bool fail(struct codec_json_reader *r, const char *at, const char *what)
{
    return fail_code(r, ERR_INVALID, at, what);
}

int codec_json_read_error(struct codec_json_reader *r, int code, const char *fmt, ...)
{
    char what[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    fail_code(r, code, r->p, what);
    return r->err;
}

struct codec_json_reader codec_json_reader(struct slice text, struct arena *arena,
                                           struct diag *diag)
{
    const char *p = text.ptr ? text.ptr : "";
    return (struct codec_json_reader){.begin = p,
                                      .p = p,
                                      .end = p + text.len,
                                      .arena = arena,
                                      .diag = diag,
                                      .depth_max = CODEC_JSON_READ_DEPTH,
                                      .due = true};
}

static inline void skip_space(struct codec_json_reader *r)
{
    const char *p = r->p;
    while (p < r->end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    r->p = p;
}

/* 1 + the kind that a value beginning so has; 0: none does. */
static const uint8_t kinds[256] = {
    ['{'] = CODEC_JSON_OBJECT + 1, ['['] = CODEC_JSON_ARRAY + 1,  ['"'] = CODEC_JSON_STRING + 1,
    ['t'] = CODEC_JSON_BOOL + 1,   ['f'] = CODEC_JSON_BOOL + 1,   ['n'] = CODEC_JSON_NULL + 1,
    ['-'] = CODEC_JSON_NUMBER + 1, ['0'] = CODEC_JSON_NUMBER + 1, ['1'] = CODEC_JSON_NUMBER + 1,
    ['2'] = CODEC_JSON_NUMBER + 1, ['3'] = CODEC_JSON_NUMBER + 1, ['4'] = CODEC_JSON_NUMBER + 1,
    ['5'] = CODEC_JSON_NUMBER + 1, ['6'] = CODEC_JSON_NUMBER + 1, ['7'] = CODEC_JSON_NUMBER + 1,
    ['8'] = CODEC_JSON_NUMBER + 1, ['9'] = CODEC_JSON_NUMBER + 1};

static inline bool peek(struct codec_json_reader *r, enum codec_json_kind *out)
{
    if (r->err)
        return false;
    skip_space(r);
    unsigned kind = r->p < r->end ? kinds[(unsigned char)*r->p] : 0;
    *out = (enum codec_json_kind)(kind - 1);
    if (BASE_LIKELY(kind))
        return true;
    return fail(r, r->p,
                r->p < r->end ? "a value is expected" : "a value is expected, but the text ends");
}

bool codec_json_peek(struct codec_json_reader *r, enum codec_json_kind *out)
{
    return peek(r, out);
}

/* Positions at a value of that kind, or fails. */
static inline bool expect(struct codec_json_reader *r, enum codec_json_kind want)
{
    static const char *const wrong[] = {"null is expected",     "true or false is expected",
                                        "a number is expected", "a string is expected",
                                        "an array is expected", "an object is expected"};
    enum codec_json_kind kind;
    return peek(r, &kind) && (kind == want || fail(r, r->p, wrong[want]));
}

static bool enter(struct codec_json_reader *r, enum codec_json_kind kind)
{
    if (!expect(r, kind))
        return false;
    if (r->depth >= r->depth_max || r->depth >= CODEC_JSON_READ_DEPTH) {
        char what[64];
        snprintf(what, sizeof(what), "nested too deeply (%u levels at most)", r->depth_max);
        return fail(r, r->p, what);
    }
    r->p++;
    r->has_item[++r->depth] = false;
    r->due = false;
    return true;
}

bool codec_json_read_object(struct codec_json_reader *r)
{
    return enter(r, CODEC_JSON_OBJECT);
}

bool codec_json_read_array(struct codec_json_reader *r)
{
    return enter(r, CODEC_JSON_ARRAY);
}

/* Steps over the comma to the next key or item; false at the end of the innermost value. */
static inline bool advance(struct codec_json_reader *r, char close)
{
    if (r->due && !codec_json_skip(r))
        return false;
    if (r->err)
        return false;
    base_assert(r->depth);
    skip_space(r);
    if (r->p < r->end && *r->p == close) {
        r->p++;
        r->depth--;
        return false;
    }
    if (r->has_item[r->depth]) {
        if (r->p >= r->end || *r->p != ',')
            return fail(r, r->p,
                        close == '}' ? "',' or '}' is expected" : "',' or ']' is expected");
        r->p++;
        skip_space(r);
    }
    r->has_item[r->depth] = true;
    return true;
}

/* The first byte at or behind p that is a quote, a backslash or a control character; *high is set
 * when bytes above 0x7f lie before it. */
static inline const char *scan_string(const char *p, const char *end, bool *high)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'),
                  control = _mm_set1_epi8(0x1f);
    while (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i stop =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)),
                         _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
        unsigned mask = (unsigned)_mm_movemask_epi8(stop), top = (unsigned)_mm_movemask_epi8(v);
        if (mask) {
            unsigned n = (unsigned)__builtin_ctz(mask);
            *high |= (top & ((1u << n) - 1)) != 0;
            return p + n;
        }
        *high |= top != 0;
        p += 16;
    }
#endif
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\' || c < 0x20)
            break;
        *high |= c >= 0x80;
    }
    return p;
}

static bool hex4(const char *p, uint32_t *out)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                            : 16;
        if (d == 16)
            return false;
        v = v << 4 | d;
    }
    *out = v;
    return true;
}

/* Takes the escape at r->p (on the backslash), writing at most four bytes; *n says how many. */
static bool read_escape(struct codec_json_reader *r, char *out, size_t *n)
{
    const char *at = r->p;
    if (r->end - at < 2) {
        r->p = r->end;
        return true; /* the missing quote is what the caller reports */
    }
    r->p += 2;
    *n = 1;
    switch (at[1]) {
    case '"': *out = '"'; return true;
    case '\\': *out = '\\'; return true;
    case '/': *out = '/'; return true;
    case 'b': *out = '\b'; return true;
    case 'f': *out = '\f'; return true;
    case 'n': *out = '\n'; return true;
    case 'r': *out = '\r'; return true;
    case 't': *out = '\t'; return true;
    case 'u': break;
    default: return fail(r, at, "an unknown escape in a string");
    }
    uint32_t code, low;
    if (r->end - r->p < 4 || !hex4(r->p, &code))
        return fail(r, at, "\\u takes four hexadecimal digits");
    r->p += 4;
    if (code >= 0xd800 && code < 0xdc00 && r->end - r->p >= 6 && r->p[0] == '\\' &&
        r->p[1] == 'u' && hex4(r->p + 2, &low) && low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        r->p += 6;
    } else if (code >= 0xd800 && code < 0xe000) {
        code = 0xfffd; /* half a pair, as Go reads it */
    }
    *n = codec_utf8_encode(code, out);
    return true;
}

static bool no_memory(struct codec_json_reader *r)
{
    return fail_code(r, ERR_NOMEM, r->p, "no memory left for a string");
}

static bool replace_invalid(struct codec_json_reader *r, struct slice *s)
{
    char *out = r->arena ? arena_alloc(r->arena, s->len * 3) : NULL;
    size_t len = 0;
    uint32_t code;
    if (!out)
        return no_memory(r);
    for (size_t i = 0; i < s->len;) {
        size_t n = codec_utf8_decode(slice_from(*s, i), &code);
        memcpy(out + len, n ? s->ptr + i : "\xef\xbf\xbd", n ? n : 3);
        len += n ? n : 3;
        i += n ? n : 1;
    }
    *s = slice_make(out, len);
    return true;
}

/* The string whose opening quote stands at r->p. With `out` NULL it is checked and skipped. */
static bool take_string(struct codec_json_reader *r, struct slice *out)
{
    const char *begin = ++r->p;
    bool high = false;
    const char *stop = scan_string(begin, r->end, &high);
    struct slice s = slice_make(begin, (size_t)(stop - begin));
    if (stop < r->end && *stop == '\\') {
        /* An unescaped string is never longer than its source. */
        const char *close = stop;
        bool ignored = false;
        while (out && close < r->end && *close != '"') {
            close += *close == '\\' && close + 1 < r->end ? 2 : 1;
            close = scan_string(close, r->end, &ignored);
        }
        char *text = NULL, small[4];
        if (out) {
            text = r->arena ? arena_alloc(r->arena, (size_t)(close - begin) + 1) : NULL;
            if (!text)
                return no_memory(r);
            memcpy(text, begin, s.len);
        }
        size_t len = s.len;
        while (stop < r->end && *stop == '\\') {
            size_t n = 0;
            r->p = stop;
            if (!read_escape(r, text ? text + len : small, &n))
                return false;
            len += n;
            stop = scan_string(r->p, r->end, &high);
            if (text)
                memcpy(text + len, r->p, (size_t)(stop - r->p));
            len += (size_t)(stop - r->p);
        }
        s = text ? slice_make(text, len) : slice_make(begin, (size_t)(stop - begin));
    }
    if (stop >= r->end)
        return fail(r, begin, "a string is not closed");
    if (*stop != '"')
        return fail(r, stop, "a control character inside a string must be escaped");
    r->p = stop + 1;
    if (high && r->utf8 != CODEC_JSON_UTF8_KEEP && !codec_utf8_valid(s)) {
        if (r->utf8 == CODEC_JSON_UTF8_REFUSE)
            return fail(r, begin, "a string holds bytes that are no UTF-8");
        if (out && !replace_invalid(r, &s))
            return false;
    }
    if (out)
        *out = s;
    return true;
}

bool codec_json_next_key(struct codec_json_reader *r, struct slice *key)
{
    if (!advance(r, '}'))
        return false;
    if (r->p >= r->end || *r->p != '"')
        return fail(r, r->p, "a key in double quotes is expected");
    if (!take_string(r, key))
        return false;
    skip_space(r);
    if (r->p >= r->end || *r->p != ':')
        return fail(r, r->p, "':' is expected behind a key");
    r->p++;
    r->due = true;
    return true;
}

bool codec_json_next_item(struct codec_json_reader *r)
{
    return advance(r, ']') && (r->due = true);
}

bool codec_json_read_string(struct codec_json_reader *r, struct slice *out)
{
    if (!expect(r, CODEC_JSON_STRING) || !take_string(r, out))
        return false;
    r->due = false;
    return true;
}

static bool take_word(struct codec_json_reader *r, struct slice word)
{
    if ((size_t)(r->end - r->p) < word.len || memcmp(r->p, word.ptr, word.len) != 0)
        return fail(r, r->p, "a value is expected");
    r->p += word.len;
    r->due = false;
    return true;
}

bool codec_json_read_bool(struct codec_json_reader *r, bool *out)
{
    if (!expect(r, CODEC_JSON_BOOL))
        return false;
    bool v = *r->p == 't';
    if (!take_word(r, v ? SLICE("true") : SLICE("false")))
        return false;
    *out = v;
    return true;
}

bool codec_json_read_null(struct codec_json_reader *r)
{
    enum codec_json_kind kind;
    return peek(r, &kind) && kind == CODEC_JSON_NULL && take_word(r, SLICE("null"));
}

static inline const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* RFC 8259: no plus, no leading zeros, digits on both sides of a point. */
static bool take_number(struct codec_json_reader *r, struct slice *out)
{
    const char *begin = r->p, *end = r->end, *p = begin, *first;
    p += p < end && *p == '-';
    first = p;
    p = skip_digits(p, end);
    bool bad = p == first || (*first == '0' && p - first > 1);
    if (p < end && *p == '.') {
        first = ++p;
        p = skip_digits(p, end);
        bad |= p == first;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        first = p;
        p = skip_digits(p, end);
        bad |= p == first;
    }
    if (bad)
        return fail(r, begin, "not a number");
    *out = slice_make(begin, (size_t)(p - begin));
    r->p = p;
    r->due = false;
    return true;
}

bool codec_json_read_number_text(struct codec_json_reader *r, struct slice *out)
{
    return expect(r, CODEC_JSON_NUMBER) && take_number(r, out);
}

/* The text of a number, or of a string in its place. */
static bool number_or_string(struct codec_json_reader *r, struct slice *out, bool *quoted,
                             const char **at)
{
    enum codec_json_kind kind;
    if (!codec_json_peek(r, &kind))
        return false;
    *at = r->p;
    *quoted = kind == CODEC_JSON_STRING;
    return *quoted ? codec_json_read_string(r, out) : codec_json_read_number_text(r, out);
}

bool codec_json_read_double(struct codec_json_reader *r, double *out)
{
    struct slice text;
    bool quoted;
    bool in_range = true;
    const char *at;
    if (!number_or_string(r, &text, &quoted, &at))
        return false;
    if (quoted && slice_eq_cstr(text, "NaN"))
        *out = NAN;
    else if (quoted && slice_eq_cstr(text, "Infinity"))
        *out = INFINITY;
    else if (quoted && slice_eq_cstr(text, "-Infinity"))
        *out = -INFINITY;
    else if (!codec_text_to_double(text, out, &in_range) || !in_range)
        return fail(r, at, in_range ? "a number is expected" : "the number is too large");
    return true;
}

bool codec_json_read_int(struct codec_json_reader *r, int64_t *out)
{
    struct slice text;
    bool quoted;
    const char *at;
    double v;
    if (!number_or_string(r, &text, &quoted, &at))
        return false;
    if (codec_text_to_int(text, out))
        return true;
    /* 1e3 and 2.0 count, as far as a double is exact. */
    if (!codec_text_to_double(text, &v, NULL) || v != trunc(v) || !(fabs(v) <= 0x1p53))
        return fail(r, at, "a whole number of 64 bits is expected");
    *out = (int64_t)v;
    return true;
}

bool codec_json_read_uint(struct codec_json_reader *r, uint64_t *out)
{
    struct slice text;
    bool quoted;
    const char *at;
    double v;
    if (!number_or_string(r, &text, &quoted, &at))
        return false;
    if (codec_text_to_uint(text, out))
        return true;
    if (!codec_text_to_double(text, &v, NULL) || !(v >= 0 && v <= 0x1p53) || v != trunc(v))
        return fail(r, at, "a whole number of 64 bits, not below zero, is expected");
    *out = (uint64_t)v;
    return true;
}

/* Keys and values are checked by the same code that reads them; nesting is counted, not recursed
 * into. */
bool codec_json_skip(struct codec_json_reader *r)
{
    unsigned base = r->depth;
    bool object[CODEC_JSON_READ_DEPTH + 1];
    enum codec_json_kind kind;
    struct slice ignored;
    bool flag;
    do {
        if (!codec_json_peek(r, &kind))
            return false;
        switch (kind) {
        case CODEC_JSON_OBJECT:
        case CODEC_JSON_ARRAY:
            if (!enter(r, kind))
                return false;
            object[r->depth] = kind == CODEC_JSON_OBJECT;
            break;
        case CODEC_JSON_STRING:
            if (!take_string(r, NULL))
                return false;
            r->due = false;
            break;
        case CODEC_JSON_NUMBER:
            if (!take_number(r, &ignored))
                return false;
            break;
        case CODEC_JSON_BOOL:
            if (!codec_json_read_bool(r, &flag))
                return false;
            break;
        case CODEC_JSON_NULL:
            if (!codec_json_read_null(r))
                return false;
            break;
        }
        /* On to the next value, leaving what ends here. */
        while (r->depth > base) {
            unsigned depth = r->depth;
            if (object[depth] ? codec_json_next_key(r, NULL) : codec_json_next_item(r))
                break;
            if (r->err)
                return false;
        }
    } while (r->depth > base);
    r->due = false;
    return true;
}

bool codec_json_read_raw(struct codec_json_reader *r, struct slice *out)
{
    if (r->err)
        return false;
    skip_space(r);
    const char *begin = r->p;
    if (!codec_json_skip(r))
        return false;
    *out = slice_make(begin, (size_t)(r->p - begin));
    return true;
}

int codec_json_read_end(struct codec_json_reader *r)
{
    if (!r->err && r->due)
        codec_json_skip(r);
    if (!r->err) {
        base_assert(!r->depth);
        skip_space(r);
        if (r->p < r->end)
            fail(r, r->p, "the text goes on behind the value");
    }
    return r->err;
}
