#include "codec/base64.h"

#include "base/err.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void codec_base64_append(struct buf *out, struct slice in, enum codec_base64_style style)
{
    const char *letters = style == CODEC_BASE64_URL ? url : standard;
    const unsigned char *p = (const unsigned char *)in.ptr;
    char *at = buf_reserve(out, in.len / 3 * 4 + 4), *begin = at;
    size_t i = 0;
    for (; in.len - i >= 3; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
        *at++ = letters[v >> 18];
        *at++ = letters[v >> 12 & 63];
        *at++ = letters[v >> 6 & 63];
        *at++ = letters[v & 63];
    }
    if (i < in.len) {
        bool two = in.len - i == 2;
        uint32_t v = (uint32_t)p[i] << 16 | (two ? (uint32_t)p[i + 1] << 8 : 0);
        *at++ = letters[v >> 18];
        *at++ = letters[v >> 12 & 63];
        if (two)
            *at++ = letters[v >> 6 & 63];
        for (int pad = two ? 1 : 2; style == CODEC_BASE64_STANDARD && pad; pad--)
            *at++ = '=';
    }
    out->len += (size_t)(at - begin);
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int codec_base64_decode(struct slice in, struct buf *out)
{
    size_t padding = 0;
    if (in.len % 4 == 0) {
        while (padding < 2 && in.len && in.ptr[in.len - 1] == '=') {
            in.len--;
            padding++;
        }
    }
    if (in.len % 4 == 1)
        return ERR_INVALID;
    char *at = buf_reserve(out, in.len / 4 * 3 + 3), *begin = at;
    uint32_t bits = 0;
    for (size_t i = 0; i < in.len; i++) {
        int v = value_of(in.ptr[i]);
        if (v < 0)
            return ERR_INVALID;
        bits = bits << 6 | (uint32_t)v;
        if (i % 4 == 3) {
            *at++ = (char)(bits >> 16);
            *at++ = (char)(bits >> 8);
            *at++ = (char)bits;
        }
    }
    if (in.len % 4 >= 2) {
        bits <<= in.len % 4 == 2 ? 12 : 6;
        *at++ = (char)(bits >> 16);
        if (in.len % 4 == 3)
            *at++ = (char)(bits >> 8);
    }
    out->len += (size_t)(at - begin);
    return 0;
}
