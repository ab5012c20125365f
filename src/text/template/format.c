/* Values as text: Go's fmt. */
#include <math.h>
#include <stdio.h>

#include "codec/number.h"
#include "codec/utf8.h"
#include "text/template/template_priv.h"

#define WIDTH_MAX 10000

struct spec {
    bool minus, plus, sharp, space, zero, has_width, has_precision;
    size_t width, precision;
};

static bool printable(uint32_t code)
{
    return code >= 0x20 && code != 0x7f && !(code >= 0x80 && code < 0xa0) && code != 0xad &&
           code != 0x2028 && code != 0x2029 && code != 0xfeff && !(code >= 0xe000 && code < 0xf900);
}

static void quote(struct slice s, char mark, bool ascii, struct buf *out)
{
    static const char plain[] = "\a\b\f\n\r\t\v", letters[] = "abfnrtv";
    buf_append_char(out, mark);
    for (size_t i = 0; i < s.len;) {
        uint32_t code;
        size_t n = codec_utf8_decode(slice_from(s, i), &code);
        const char *at = n ? memchr(plain, (int)code, sizeof(plain) - 1) : NULL;
        if (!n) {
            buf_printf(out, "\\x%02x", (unsigned)(unsigned char)s.ptr[i]);
            n = 1;
        } else if (code == (uint32_t)mark || code == '\\') {
            buf_append_char(out, '\\');
            buf_append_char(out, (char)code);
        } else if (code < 0x80 && at) {
            buf_append_char(out, '\\');
            buf_append_char(out, letters[at - plain]);
        } else if (printable(code) && (!ascii || code < 0x80)) {
            buf_append(out, s.ptr + i, n);
        } else if (code < ' ' || code == 0x7f) {
            buf_printf(out, "\\x%02x", (unsigned)code);
        } else if (code < 0x10000) {
            buf_printf(out, "\\u%04x", (unsigned)code);
        } else {
            buf_printf(out, "\\U%08x", (unsigned)code);
        }
        i += n;
    }
    buf_append_char(out, mark);
}

void text__template_quote(struct slice s, struct buf *out)
{
    quote(s, '"', false, out);
}

static size_t runes(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; n++) {
        uint32_t code;
        size_t len = codec_utf8_decode(slice_from(s, i), &code);
        i += len ? len : 1;
    }
    return n;
}

static void fill(struct buf *out, size_t count, char c)
{
    for (size_t i = 0; i < count; i++)
        buf_append_char(out, c);
}

static void pad(const struct spec *f, struct slice s, struct buf *out)
{
    size_t width = runes(s), missing = f->has_width && f->width > width ? f->width - width : 0;
    if (!f->minus)
        fill(out, missing, f->zero ? '0' : ' ');
    buf_append_slice(out, s);
    if (f->minus)
        fill(out, missing, ' ');
}

/* A number with its sign first: zeros go between. */
static void pad_number(const struct spec *f, struct slice s, struct buf *out)
{
    if (f->zero && !f->minus && f->has_width && s.len && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
        struct spec rest = *f;
        rest.width = f->width ? f->width - 1 : 0;
        buf_append_char(out, s.ptr[0]);
        pad(&rest, slice_from(s, 1), out);
        return;
    }
    pad(f, s, out);
}

static void print_string(const struct spec *f, struct slice s, char verb, struct buf *out)
{
    struct buf text = {0};
    struct spec plain = *f;
    if (f->has_precision && verb != 'x' && verb != 'X') {
        size_t n = 0, i = 0;
        for (; i < s.len && n < f->precision; n++) {
            uint32_t code;
            size_t len = codec_utf8_decode(slice_from(s, i), &code);
            i += len ? len : 1;
        }
        s = slice_first(s, i);
    }
    if (verb == 'q' && f->sharp && slice_find_char(s, '`') < 0) {
        buf_append_char(&text, '`');
        buf_append_slice(&text, s);
        buf_append_char(&text, '`');
    } else if (verb == 'q') {
        quote(s, '"', f->plus, &text);
    } else if (verb == 'x' || verb == 'X') {
        if (f->has_precision)
            s = slice_first(s, f->precision);
        for (size_t i = 0; i < s.len; i++)
            buf_printf(&text, verb == 'x' ? "%s%s%02x" : "%s%s%02X", f->space && i ? " " : "",
                       f->sharp && (!i || f->space) ? (verb == 'x' ? "0x" : "0X") : "",
                       (unsigned)(unsigned char)s.ptr[i]);
    } else {
        buf_append_slice(&text, s);
    }
    pad(&plain, buf_slice(&text), out);
    buf_deinit(&text);
}

static void print_integer(const struct spec *f, int64_t v, char verb, struct buf *out)
{
    char digits[70];
    size_t at = sizeof(digits);
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    unsigned base = verb == 'b' ? 2 : verb == 'o' || verb == 'O' ? 8 : (verb | 32) == 'x' ? 16 : 10;
    const char *alphabet = verb == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    struct buf text = {0};
    struct spec plain = *f;
    do {
        digits[--at] = alphabet[u % base];
        u /= base;
    } while (u);
    size_t len = sizeof(digits) - at;
    if (f->has_precision && !f->precision && !v) {
        plain.zero = false;
        pad(&plain, SLICE(""), out);
        return;
    }
    if (v < 0)
        buf_append_char(&text, '-');
    else if (f->plus)
        buf_append_char(&text, '+');
    else if (f->space)
        buf_append_char(&text, ' ');
    if (f->sharp && base == 16)
        buf_append_cstr(&text, verb == 'X' ? "0X" : "0x");
    if (f->sharp && base == 8)
        buf_append_char(&text, '0');
    if (f->sharp && base == 2)
        buf_append_cstr(&text, "0b");
    if (verb == 'O')
        buf_append_cstr(&text, "0o");
    if (f->has_precision) {
        plain.zero = false;
        fill(&text, f->precision > len ? f->precision - len : 0, '0');
    }
    buf_append(&text, digits + at, len);
    pad_number(&plain, buf_slice(&text), out);
    buf_deinit(&text);
}

static void print_float(const struct spec *f, double v, char verb, struct buf *out)
{
    struct buf text = {0};
    struct spec plain = *f;
    if (isnan(v) || isinf(v)) {
        buf_append_cstr(&text, isnan(v) ? (f->plus ? "+NaN" : "NaN")
                               : v < 0  ? "-Inf"
                                        : (f->plus || verb != 'v' ? "+Inf" : "+Inf"));
        plain.zero = false;
    } else {
        if (f->plus && !signbit(v))
            buf_append_char(&text, '+');
        else if (f->space && !signbit(v))
            buf_append_char(&text, ' ');
        if (verb == 'v' || ((verb | 32) == 'g' && !f->has_precision)) {
            size_t at = text.len;
            codec_append_double(&text, v, CODEC_DOUBLE_GENERAL);
            for (size_t i = at; verb == 'G' && i < text.len; i++) {
                if (text.ptr[i] == 'e')
                    text.ptr[i] = 'E';
            }
        } else {
            char format[8] = {'%', '.', '*', verb == 'F' ? 'f' : verb, 0};
            int precision = f->has_precision ? (int)f->precision : 6;
            buf_printf(&text, format, precision, v);
        }
    }
    pad_number(&plain, buf_slice(&text), out);
    buf_deinit(&text);
}

static void bad_verb(const struct text_template_value *v, char verb, struct buf *out)
{
    buf_printf(out, "%%!%c(", verb);
    if (v->kind == TEXT_TEMPLATE_NIL) {
        buf_append_cstr(out, "<nil>");
    } else {
        buf_printf(out, "%s=", text_template_type_name(v));
        text_template_print(v, out);
    }
    buf_append_char(out, ')');
}

static void print_verb(const struct spec *f, const struct text_template_value *v, char verb,
                       struct buf *out);

static void print_items(const struct spec *f, const struct text_template_value *v, char verb,
                        struct buf *out)
{
    if (v->type && v->type->print) {
        pad(f, slice_cstr(v->type->print), out);
        return;
    }
    if (v->kind == TEXT_TEMPLATE_LIST) {
        buf_append_char(out, '[');
        for (size_t i = 0; i < v->count; i++) {
            if (i)
                buf_append_char(out, ' ');
            print_verb(f, &v->items[i], verb, out);
        }
        buf_append_char(out, ']');
        return;
    }
    bool is_struct = v->type && v->type->is_struct;
    struct arena *arena = arena_new(0, NULL);
    const struct text_template_pair *pairs = is_struct ? v->pairs : text__template_sorted(v, arena);
    buf_append_cstr(out, is_struct ? "{" : "map[");
    for (size_t i = 0; i < v->count && !(v->type && v->type->get); i++) {
        if (i)
            buf_append_char(out, ' ');
        if (!is_struct) {
            struct text_template_value key = text_template_string(pairs[i].key);
            print_verb(f, &key, verb, out);
            buf_append_char(out, ':');
        }
        print_verb(f, pairs[i].value, verb, out);
    }
    buf_append_char(out, is_struct ? '}' : ']');
    arena_free(arena);
}

static void print_verb(const struct spec *f, const struct text_template_value *v, char verb,
                       struct buf *out)
{
    if (verb == 'T') {
        pad(f, slice_cstr(v->kind ? text_template_type_name(v) : "<nil>"), out);
        return;
    }
    switch (v->kind) {
    case TEXT_TEMPLATE_NIL:
        if (verb == 'v')
            pad(f, SLICE("<nil>"), out);
        else
            bad_verb(v, verb, out);
        return;
    case TEXT_TEMPLATE_BOOL:
        if (verb == 'v' || verb == 't')
            pad(f, slice_cstr(v->boolean ? "true" : "false"), out);
        else
            bad_verb(v, verb, out);
        return;
    case TEXT_TEMPLATE_INT: {
        char utf8[8];
        uint32_t code = v->integer < 0 || v->integer > 0x10ffff ? 0xfffd : (uint32_t)v->integer;
        if (strchr("vdboOxX", verb)) {
            print_integer(f, v->integer, verb, out);
        } else if (verb == 'c') {
            pad(f, slice_make(utf8, codec_utf8_encode(code, utf8)), out);
        } else if (verb == 'q') {
            struct buf text = {0};
            quote(slice_make(utf8, codec_utf8_encode(code, utf8)), '\'', f->plus, &text);
            pad(f, buf_slice(&text), out);
            buf_deinit(&text);
        } else if (verb == 'U') {
            char text[24];
            snprintf(text, sizeof(text), "U+%04llX", (unsigned long long)v->integer);
            pad(f, slice_cstr(text), out);
        } else {
            bad_verb(v, verb, out);
        }
        return;
    }
    case TEXT_TEMPLATE_FLOAT:
        if (strchr("veEfFgG", verb))
            print_float(f, v->number, verb, out);
        else
            bad_verb(v, verb, out);
        return;
    case TEXT_TEMPLATE_STRING:
        if (strchr("vsqxX", verb))
            print_string(f, v->string, verb, out);
        else
            bad_verb(v, verb, out);
        return;
    case TEXT_TEMPLATE_LIST:
    case TEXT_TEMPLATE_MAP: print_items(f, v, verb, out); return;
    }
}

void text_template_print(const struct text_template_value *v, struct buf *out)
{
    static const struct spec plain = {0};
    if (v->kind == TEXT_TEMPLATE_NIL)
        buf_append_cstr(out, "<no value>");
    else if (v->kind == TEXT_TEMPLATE_STRING)
        buf_append_slice(out, v->string);
    else
        print_verb(&plain, v, 'v', out);
}

/* Digits at *i; false when there is none. */
static bool read_number(struct slice format, size_t *i, size_t *out)
{
    size_t begin = *i, v = 0;
    while (*i < format.len && format.ptr[*i] >= '0' && format.ptr[*i] <= '9') {
        v = v * 10 + (size_t)(format.ptr[*i] - '0');
        if (v > WIDTH_MAX)
            v = WIDTH_MAX;
        (*i)++;
    }
    *out = v;
    return *i > begin;
}

struct arguments {
    const struct text_template_value *items;
    size_t count, at;
    bool reordered, bad_index;
};

/* [n] before a verb or a *. */
static void read_index(struct slice format, size_t *i, struct arguments *a)
{
    size_t n;
    if (*i >= format.len || format.ptr[*i] != '[')
        return;
    (*i)++;
    a->reordered = true;
    bool ok = read_number(format, i, &n);
    while (*i < format.len && format.ptr[*i] != ']') {
        ok = false;
        (*i)++;
    }
    if (*i < format.len)
        (*i)++;
    if (!ok || !n || n > a->count)
        a->bad_index = true;
    else
        a->at = n - 1;
}

/* A width or precision from the arguments. */
static bool star(struct arguments *a, int64_t *out)
{
    if (a->at >= a->count)
        return false;
    const struct text_template_value *v = &a->items[a->at++];
    *out = v->integer;
    return v->kind == TEXT_TEMPLATE_INT && v->integer <= WIDTH_MAX && v->integer >= -WIDTH_MAX;
}

static void read_spec(struct slice format, size_t *i, struct spec *f, struct arguments *a,
                      struct buf *out)
{
    for (; *i < format.len; (*i)++) {
        char c = format.ptr[*i];
        if (c == '#')
            f->sharp = true;
        else if (c == '0')
            f->zero = true;
        else if (c == '+')
            f->plus = true;
        else if (c == '-')
            f->minus = true;
        else if (c == ' ')
            f->space = true;
        else
            break;
    }
    read_index(format, i, a);
    if (*i < format.len && format.ptr[*i] == '*') {
        int64_t width = 0;
        (*i)++;
        if (star(a, &width)) {
            f->has_width = true;
            f->minus |= width < 0;
            f->width = (size_t)(width < 0 ? -width : width);
        } else {
            buf_append_cstr(out, "%!(BADWIDTH)");
        }
    } else {
        f->has_width = read_number(format, i, &f->width);
    }
    if (f->minus)
        f->zero = false;
    if (*i < format.len && format.ptr[*i] == '.') {
        (*i)++;
        read_index(format, i, a);
        f->has_precision = true;
        if (*i < format.len && format.ptr[*i] == '*') {
            int64_t precision = 0;
            (*i)++;
            f->has_precision = star(a, &precision) && precision >= 0;
            f->precision = (size_t)(precision < 0 ? 0 : precision);
            if (!f->has_precision)
                buf_append_cstr(out, "%!(BADPREC)");
        } else {
            (void)read_number(format, i, &f->precision);
        }
    }
    read_index(format, i, a);
}

void text_template_printf(struct slice format, const struct text_template_value *args, size_t count,
                          struct buf *out)
{
    struct arguments a = {.items = args, .count = count};
    for (size_t i = 0; i < format.len;) {
        struct spec f = {0};
        if (format.ptr[i] != '%') {
            buf_append_char(out, format.ptr[i++]);
            continue;
        }
        i++;
        a.bad_index = false;
        read_spec(format, &i, &f, &a, out);
        if (i >= format.len) {
            buf_append_cstr(out, "%!(NOVERB)");
            break;
        }
        uint32_t code;
        size_t n = codec_utf8_decode(slice_from(format, i), &code);
        struct slice verb = slice_make(format.ptr + i, n ? n : 1);
        i += verb.len;
        if (verb.ptr[0] == '%')
            buf_append_char(out, '%');
        else if (a.bad_index)
            buf_printf(out, "%%!%.*s(BADINDEX)", SLICE_FMT(verb));
        else if (a.at >= count)
            buf_printf(out, "%%!%.*s(MISSING)", SLICE_FMT(verb));
        else if (verb.len > 1 || !verb.ptr[0])
            bad_verb(&args[a.at++], '?', out);
        else
            print_verb(&f, &args[a.at++], verb.ptr[0], out);
    }
    if (a.reordered || a.at >= count)
        return;
    buf_append_cstr(out, "%!(EXTRA ");
    for (; a.at < count; a.at++) {
        const struct text_template_value *v = &args[a.at];
        if (v->kind == TEXT_TEMPLATE_NIL) {
            buf_append_cstr(out, "<nil>");
        } else {
            buf_printf(out, "%s=", text_template_type_name(v));
            text_template_print(v, out);
        }
        buf_append_cstr(out, a.at + 1 < count ? ", " : "");
    }
    buf_append_char(out, ')');
}
