/* Miniblocks: up to 256 integers around a common base, bit-packed, outliers patched in. */
#ifndef CODEC_COLUMN_PRIV_H
#define CODEC_COLUMN_PRIV_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

#define CODEC__MINIBLOCK 256

static inline unsigned codec__width(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
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

/* `count` values of `width` bits (0 to 64), least bit first: ceil(count * width / 8) bytes. */
void codec__bits_pack(const uint64_t *v, size_t count, unsigned width, struct buf *out);
/* The same bytes, which have to be there. */
void codec__bits_unpack(const char *in, size_t count, unsigned width, uint64_t *out);

#endif
