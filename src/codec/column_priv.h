/* Miniblocks: up to 256 integers around a common base, bit-packed, outliers patched in. */
#ifndef CODEC_COLUMN_PRIV_H
#define CODEC_COLUMN_PRIV_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"
#include "codec/bytes.h"

#define CODEC__MINIBLOCK 256

enum {
    CODEC__MODE_CONST,
    CODEC__MODE_OFFSET,
    CODEC__MODE_DELTA,
    CODEC__MODE_DOD,
    CODEC__MODE_MASK = 0x0f,
    CODEC__FLAG_DIVISOR = 0x10,

    CODEC__PATCHED = 0x80, /* of a miniblock's first byte */
    CODEC__WIDTH_MASK = 0x7f,
};

static inline unsigned codec__width(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* What stands before a miniblock's packed values, which lie at the front of the input then. */
struct codec__miniblock_head {
    int64_t lo;     /* added to each value */
    unsigned width; /* bits of each, 0 to 64 */
    bool patched;   /* patches follow the values */
    size_t bytes;   /* of the values: they are there */
};

static inline int codec__miniblock_take_head(struct slice *in, size_t count,
                                             struct codec__miniblock_head *out)
{
    uint64_t zz;
    if (!in->len)
        return ERR_CORRUPT;
    unsigned head = (unsigned char)in->ptr[0];
    *in = slice_from(*in, 1);
    out->width = head & CODEC__WIDTH_MASK;
    out->patched = (head & CODEC__PATCHED) != 0;
    if (out->width > 64 || !codec_take_varint(in, &zz))
        return ERR_CORRUPT;
    out->lo = codec_unzigzag(zz);
    out->bytes = (out->width * count + 7) / 8;
    return out->bytes > in->len ? ERR_CORRUPT : 0;
}

/* The places that patches are for, which lie in front of them. */
static inline int codec__patches_take_places(struct slice *in, const unsigned char **out_places,
                                             size_t *out_count)
{
    if (!in->len)
        return ERR_CORRUPT;
    *out_count = (size_t)(unsigned char)in->ptr[0] + 1;
    *out_places = (const unsigned char *)in->ptr + 1;
    if (in->len < 1 + *out_count)
        return ERR_CORRUPT;
    *in = slice_from(*in, 1 + *out_count);
    return 0;
}

/* How a miniblock is laid out best. */
struct codec__plan {
    int64_t lo;
    unsigned width;
    unsigned patches;
    size_t size; /* bytes, about */
};

/* count is 1 to CODEC__MINIBLOCK. */
void codec__miniblock_plan(const int64_t *v, size_t count, struct codec__plan *out);
void codec__miniblock_encode(const int64_t *v, size_t count, const struct codec__plan *plan,
                             struct buf *out);
int codec__miniblock_decode(struct slice *in, int64_t *v, size_t count);
int codec__miniblock_skip(struct slice *in, size_t count);

/* `count` values of `width` bits (0 to 64), least bit first: ceil(count * width / 8) bytes. */
void codec__bits_pack(const uint64_t *v, size_t count, unsigned width, struct buf *out);
/* The same bytes, which have to be there. */
void codec__bits_unpack(const char *in, size_t count, unsigned width, uint64_t *out);

/* A full miniblock of 1 to 32 bits a value: 32 * width bytes. */
void codec__lanes_unpack(const char *in, unsigned width, uint32_t *out);

/* Whether codec__decimals_decode_fast may be called. */
bool codec__fast(void);
/* A column of integers as doubles, each divided by 10^decimals. */
int codec__decimals_decode_fast(struct slice *in, double *values, size_t count, int decimals);

#endif
