#include "codec/utf8.h"

#include "codec/bytes.h"

size_t codec_utf8_decode(struct slice s, uint32_t *out)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    if (!s.len)
        return 0;
    if (p[0] < 0x80) {
        *out = p[0];
        return 1;
    }
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || s.len < len)
        return 0;
    uint32_t code = p[0] & (0x7f >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    if ((len == 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) ||
        (len == 4 && (code < 0x10000 || code > 0x10ffff)))
        return 0;
    *out = code;
    return len;
}

bool codec_utf8_valid(struct slice s)
{
    size_t i = 0;
    while (i < s.len) {
        if (i + 8 <= s.len && !(codec_load64(s.ptr + i) & UINT64_C(0x8080808080808080))) {
            i += 8;
            continue;
        }
        uint32_t code;
        size_t n = codec_utf8_decode(slice_from(s, i), &code);
        if (!n)
            return false;
        i += n;
    }
    return true;
}

size_t codec_utf8_encode(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

void codec_utf8_repair(struct slice s, struct buf *out)
{
    uint32_t code;
    for (size_t at = 0; at < s.len;) {
        size_t n = codec_utf8_decode(slice_from(s, at), &code);
        if (n)
            buf_append(out, s.ptr + at, n);
        else
            buf_append(out, "\xef\xbf\xbd", 3);
        at += n ? n : 1;
    }
}
