#include "codec/snappy.h"

#include "codec/bytes.h"

#define BLOCK_BYTES ((size_t)65536) /* offsets within a block fit 16 bits */
#define HASH_BITS   14
#define MATCH_MIN   4
#define LENGTH_MAX  UINT32_MAX

enum { TAG_LITERAL, TAG_COPY1, TAG_COPY2, TAG_COPY4 };

int codec_snappy_decompress(struct slice in, size_t out_max, struct buf *out, struct diag *diag)
{
    uint64_t length;
    struct slice rest = in;
    if (!codec_take_varint(&rest, &length) || length > LENGTH_MAX)
        return diag_set_range(diag, ERR_INVALID, 0, MIN(in.len, (size_t)5),
                              "snappy: no valid length at the start");
    if (length > out_max)
        return diag_set(diag, ERR_TOO_LARGE,
                        "snappy: %llu bytes when decompressed, %zu are allowed",
                        (unsigned long long)length, out_max);
    /* A copy yields at most 64 bytes from 2, so a length beyond that ratio is a lie: no allocation.
     */
    if (length > (uint64_t)rest.len * 64)
        return diag_set(diag, ERR_INVALID, "snappy: %zu bytes cannot hold the stated %llu",
                        rest.len, (unsigned long long)length);
    /* 16 spare bytes let short copies be done in one move. */
    char *begin = buf_reserve(out, (size_t)length + 16);
    char *at = begin, *end = begin + length;
    const unsigned char *p = (const unsigned char *)rest.ptr, *stop = p + rest.len;
    while (p < stop) {
        const unsigned char *tag_at = p;
        unsigned tag = *p++;
        size_t len, offset;
        if ((tag & 3) == TAG_LITERAL) {
            len = (tag >> 2) + 1;
            if (len > 60) {
                size_t extra = len - 60;
                if ((size_t)(stop - p) < extra)
                    goto damaged;
                len = 0;
                for (size_t i = 0; i < extra; i++)
                    len |= (size_t)p[i] << (8 * i);
                len++;
                p += extra;
            }
            if (len > (size_t)(stop - p) || len > (size_t)(end - at))
                goto damaged;
            if (len <= 16 && stop - p >= 16)
                memcpy(at, p, 16);
            else
                memcpy(at, p, len);
            at += len;
            p += len;
            continue;
        }
        if ((tag & 3) == TAG_COPY1) {
            if (stop - p < 1)
                goto damaged;
            len = ((tag >> 2) & 7) + 4;
            offset = (size_t)(tag >> 5) << 8 | p[0];
            p += 1;
        } else if ((tag & 3) == TAG_COPY2) {
            if (stop - p < 2)
                goto damaged;
            len = (tag >> 2) + 1;
            offset = codec_load16(p);
            p += 2;
        } else {
            if (stop - p < 4)
                goto damaged;
            len = (tag >> 2) + 1;
            offset = codec_load32(p);
            p += 4;
        }
        if (!offset || offset > (size_t)(at - begin) || len > (size_t)(end - at))
            goto damaged;
        const char *from = at - offset;
        if (offset >= 16 && len <= 16) {
            memcpy(at, from, 16);
            at += len;
        } else if (offset >= len) {
            memcpy(at, from, len);
            at += len;
        } else {
            /* The copy overlaps itself: the pattern repeats. */
            while (len--)
                *at++ = *from++;
        }
        continue;
    damaged:
        return diag_set_range(diag, ERR_INVALID, (size_t)(tag_at - (const unsigned char *)in.ptr),
                              (size_t)(tag_at - (const unsigned char *)in.ptr) + 1,
                              "snappy: damaged at byte %zu",
                              (size_t)(tag_at - (const unsigned char *)in.ptr));
    }
    if (at != end)
        return diag_set(diag, ERR_INVALID, "snappy: ends after %zu of %llu bytes",
                        (size_t)(at - begin), (unsigned long long)length);
    out->len += (size_t)length;
    return 0;
}

static char *put_literal(char *at, const char *from, size_t len)
{
    size_t n = len - 1;
    if (n < 60) {
        *at++ = (char)(n << 2);
    } else {
        char *tag = at++;
        unsigned bytes = 0;
        for (; n; n >>= 8, bytes++)
            *at++ = (char)n;
        *tag = (char)((59 + bytes) << 2);
    }
    memcpy(at, from, len);
    return at + len;
}

static char *put_copy(char *at, size_t offset, size_t len)
{
    while (len >= 68) {
        *at++ = (char)(63 << 2 | TAG_COPY2);
        codec_store16(at, (uint16_t)offset);
        at += 2;
        len -= 64;
    }
    if (len > 64) {
        *at++ = (char)(59 << 2 | TAG_COPY2);
        codec_store16(at, (uint16_t)offset);
        at += 2;
        len -= 60;
    }
    if (len >= 12 || offset >= 2048) {
        *at++ = (char)((len - 1) << 2 | TAG_COPY2);
        codec_store16(at, (uint16_t)offset);
        return at + 2;
    }
    *at++ = (char)((offset >> 8) << 5 | (len - 4) << 2 | TAG_COPY1);
    *at++ = (char)offset;
    return at;
}

static inline uint32_t hash4(uint32_t v)
{
    return v * 0x1e35a7bdu >> (32 - HASH_BITS);
}

static char *compress_block(const char *in, size_t len, char *at)
{
    uint16_t table[1 << HASH_BITS];
    const char *literal = in, *p = in, *end = in + len;
    if (len >= 16) {
        const char *last = end - 8;
        memset(table, 0, sizeof(table));
        size_t misses = 32;
        p++;
        while (p < last) {
            uint32_t word = codec_load32(p);
            uint32_t h = hash4(word);
            const char *candidate = in + table[h];
            table[h] = (uint16_t)(p - in);
            if (candidate >= p || codec_load32(candidate) != word) {
                p += misses++ >> 5; /* what does not compress is walked faster and faster */
                continue;
            }
            misses = 32;
            size_t match = MATCH_MIN;
            while (p + match < end && p[match] == candidate[match])
                match++;
            if (p > literal)
                at = put_literal(at, literal, (size_t)(p - literal));
            at = put_copy(at, (size_t)(p - candidate), match);
            p += match;
            literal = p;
            if (p < last)
                table[hash4(codec_load32(p - 1))] = (uint16_t)(p - 1 - in);
        }
    }
    if (end > literal)
        at = put_literal(at, literal, (size_t)(end - literal));
    return at;
}

void codec_snappy_compress(struct slice in, struct buf *out)
{
    char *begin = buf_reserve(out, 32 + in.len + in.len / 6), *at = begin;
    at = codec_put_varint(at, in.len);
    for (size_t i = 0; i < in.len; i += BLOCK_BYTES)
        at = compress_block(in.ptr + i, MIN(BLOCK_BYTES, in.len - i), at);
    out->len += (size_t)(at - begin);
}
