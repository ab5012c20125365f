#include "text/go_string.h"

#include "base/err.h"
#include "codec/hex.h"
#include "codec/utf8.h"

/* What stands behind a backslash; returns how many bytes it took, 0 when it is no escape. */
static size_t unescape(struct slice s, char quote, struct buf *out)
{
    static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
    if (!s.len)
        return 0;
    char e = s.ptr[0];
    const char *simple = e ? strchr(from, e) : NULL;
    if (simple || e == quote) {
        buf_append_char(out, simple ? to[simple - from] : e);
        return 1;
    }
    bool octal = e >= '0' && e <= '7';
    size_t digits = e == 'x' ? 2 : e == 'u' ? 4 : e == 'U' ? 8 : octal ? 3 : 0, first = !octal;
    uint32_t code = 0;
    if (!digits || s.len < first + digits)
        return 0;
    for (size_t i = first; i < first + digits; i++) {
        int v = codec_hex_value(s.ptr[i]);
        if (v < 0 || (octal && v > 7))
            return 0;
        code = octal ? code * 8 + (uint32_t)v : code << 4 | (uint32_t)v;
    }
    if (digits <= 3) {
        if (code > 255)
            return 0;
        buf_append_char(out, (char)code);
    } else {
        char utf8[4];
        if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            return 0;
        buf_append(out, utf8, codec_utf8_encode(code, utf8));
    }
    return first + digits;
}

int text_go_unquote(struct slice l, struct buf *out)
{
    char quote = l.len ? l.ptr[0] : '\0';
    if (l.len < 2 || l.ptr[l.len - 1] != quote || (quote != '"' && quote != '\'' && quote != '`'))
        return ERR_INVALID;
    struct slice s = slice_make(l.ptr + 1, l.len - 2);
    for (size_t i = 0; i < s.len;) {
        char c = s.ptr[i++];
        if (c == quote || (quote != '`' && c == '\n'))
            return ERR_INVALID;
        if (quote == '`' && c == '\r')
            continue; /* Go leaves them out of raw strings */
        if (c != '\\' || quote == '`') {
            buf_append_char(out, c);
            continue;
        }
        size_t n = unescape(slice_from(s, i), quote, out);
        if (!n)
            return ERR_INVALID;
        i += n;
    }
    return 0;
}

void text_go_quote(struct slice s, struct buf *out)
{
    static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
    buf_append_char(out, '"');
    for (size_t i = 0; i < s.len;) {
        unsigned char c = (unsigned char)s.ptr[i];
        const char *simple = c ? strchr(from, (char)c) : NULL;
        if (simple) {
            buf_append_char(out, '\\');
            buf_append_char(out, to[simple - from]);
            i++;
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(out, "\\x%02x", c);
            i++;
        } else if (c < 0x80) {
            buf_append_char(out, (char)c);
            i++;
        } else {
            uint32_t code;
            size_t n = codec_utf8_decode(slice_from(s, i), &code);
            if (!n)
                buf_printf(out, "\\x%02x", c);
            else if (code < 0xa0 || code == 0xfeff || (code >= 0x2028 && code <= 0x2029))
                buf_printf(out, "\\u%04x", code);
            else
                buf_append(out, s.ptr + i, n);
            i += n ? n : 1;
        }
    }
    buf_append_char(out, '"');
}
