/* Little-endian loads and stores at any address, varints (LEB128) and zigzag. Header only. */
#ifndef CODEC_BYTES_H
#define CODEC_BYTES_H

#include <string.h>

#include "base/buf.h"
#include "base/slice.h"
#include "base/types.h"

static inline uint16_t codec_load16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return v; /* every machine Pharos runs on is little endian (checked in codec/compress.c) */
}

static inline uint32_t codec_load32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t codec_load64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline double codec_load_double(const void *p)
{
    double v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void codec_store16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void codec_store32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void codec_store64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline uint64_t codec_double_bits(double v)
{
    return codec_load64(&v);
}

static inline double codec_bits_double(uint64_t bits)
{
    return codec_load_double(&bits);
}

static inline uint64_t codec_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t codec_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

#define CODEC_VARINT_MAX 10 /* bytes of the longest varint */

/* Writes at `at` (room for CODEC_VARINT_MAX); returns the byte behind. */
static inline char *codec_put_varint(char *at, uint64_t v)
{
    while (v >= 0x80) {
        *at++ = (char)(v | 0x80);
        v >>= 7;
    }
    *at++ = (char)v;
    return at;
}

static inline void codec_append_varint(struct buf *b, uint64_t v)
{
    char *begin = buf_reserve(b, CODEC_VARINT_MAX);
    b->len += (size_t)(codec_put_varint(begin, v) - begin);
}

static inline void codec_append64(struct buf *b, uint64_t v)
{
    codec_store64(buf_reserve(b, 8), v);
    b->len += 8;
}

static inline void codec_append32(struct buf *b, uint32_t v)
{
    codec_store32(buf_reserve(b, 4), v);
    b->len += 4;
}

/* Cuts a varint off the front; false when it is cut off or longer than ten bytes. */
static inline bool codec_take_varint(struct slice *s, uint64_t *out)
{
    if (BASE_LIKELY(s->len && !(s->ptr[0] & 0x80))) {
        *out = (unsigned char)s->ptr[0];
        s->ptr++;
        s->len--;
        return true;
    }
    uint64_t v = 0;
    size_t n = s->len < CODEC_VARINT_MAX ? s->len : CODEC_VARINT_MAX;
    for (size_t i = 0; i < n; i++) {
        uint64_t c = (unsigned char)s->ptr[i];
        v |= (c & 0x7f) << (7 * i);
        if (!(c & 0x80)) {
            if (i == 9 && c > 1)
                return false;
            s->ptr += i + 1;
            s->len -= i + 1;
            *out = v;
            return true;
        }
    }
    return false;
}

/* Cuts a varint length and so many bytes off the front; false when there are fewer. */
static inline bool codec_take_text(struct slice *s, struct slice *out)
{
    uint64_t len;
    if (!codec_take_varint(s, &len) || len > s->len)
        return false;
    *out = slice_first(*s, (size_t)len);
    *s = slice_from(*s, (size_t)len);
    return true;
}

#endif
