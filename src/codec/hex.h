/* Bytes as hexadecimal text: trace and span ids, checksums. Header only. */
#ifndef CODEC_HEX_H
#define CODEC_HEX_H

#include "base/buf.h"
#include "base/slice.h"

/* 0-15, or -1. */
static inline int codec_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Writes 2 * in.len characters, lower case, without NUL. */
static inline void codec_hex_to_text(struct slice in, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < in.len; i++) {
        *out++ = digits[(unsigned char)in.ptr[i] >> 4];
        *out++ = digits[(unsigned char)in.ptr[i] & 15];
    }
}

static inline void codec_append_hex(struct buf *b, struct slice in)
{
    codec_hex_to_text(in, buf_reserve(b, in.len * 2));
    b->len += in.len * 2;
}

/* Exactly 2 * out_len digits of either case into out; false for anything else. */
static inline bool codec_text_to_bytes(struct slice text, void *out, size_t out_len)
{
    unsigned char *to = (unsigned char *)out;
    if (text.len != out_len * 2)
        return false;
    for (size_t i = 0; i < out_len; i++) {
        int high = codec_hex_value(text.ptr[2 * i]), low = codec_hex_value(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

#endif
