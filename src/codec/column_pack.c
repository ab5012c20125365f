/* Bit packing. A full miniblock of up to 32 bits a value lies in eight lanes of 32-bit words, value
 * i in lane i % 8, so that eight values are unpacked by the same shifts: the loops below become
 * vector instructions of whatever width the machine has, with the same bytes for all. */
#include "base/types.h"
#include "codec/bytes.h"
#include "codec/column_priv.h"

#define LANES 8
#define ROWS  (CODEC__MINIBLOCK / LANES)

static size_t varint_size(uint64_t v)
{
    return v ? (codec__width(v) + 6) / 7 : 1;
}

/* Rarely more than a handful of samples decide where the middle lies. */
static int64_t middle(const int64_t *v, size_t count)
{
    int64_t s[9];
    size_t n = MIN(count, ARRAY_LEN(s)), step = count / n;
    for (size_t i = 0; i < n; i++) {
        int64_t x = v[i * step];
        size_t at = i;
        for (; at && s[at - 1] > x; at--)
            s[at] = s[at - 1];
        s[at] = x;
    }
    return s[n / 2];
}

/* Distances from the middle by their width, on each side: dropping the widest class again and again
 * and patching it in instead gives every layout worth looking at. */
void codec__miniblock_plan(const int64_t *v, size_t count, struct codec__plan *out)
{
    int64_t min = v[0], max = v[0];
    for (size_t i = 1; i < count; i++) {
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
    }
    uint64_t range = (uint64_t)max - (uint64_t)min;
    unsigned width = codec__width(range);
    *out =
        (struct codec__plan){.lo = min,
                             .width = width,
                             .size = 1 + varint_size(codec_zigzag(min)) + (width * count + 7) / 8};
    if (width <= 1 || count < 8)
        return;
    uint16_t counts[2][65] = {{0}};
    uint64_t extent[2][65];
    int64_t base = middle(v, count);
    for (size_t i = 0; i < count; i++) {
        int side = v[i] < base;
        uint64_t far = side ? (uint64_t)base - (uint64_t)v[i] : (uint64_t)v[i] - (uint64_t)base;
        unsigned k = codec__width(far);
        extent[side][k] = counts[side][k]++ && extent[side][k] > far ? extent[side][k] : far;
    }
    int top[2] = {64, 64};
    size_t patch_bytes = 1;
    unsigned patches = 0;
    for (;;) {
        for (int side = 0; side < 2; side++) {
            while (top[side] >= 0 && !counts[side][top[side]])
                top[side]--;
        }
        uint64_t up = top[0] >= 0 ? extent[0][top[0]] : 0,
                 down = top[1] >= 0 ? extent[1][top[1]] : 0;
        int64_t lo = (int64_t)((uint64_t)base - down);
        width = codec__width(up + down);
        size_t size = 1 + varint_size(codec_zigzag(lo)) + (width * count + 7) / 8 +
                      (patches ? patch_bytes : 0);
        if (size < out->size)
            *out = (struct codec__plan){.lo = lo, .width = width, .patches = patches, .size = size};
        int side = top[1] > top[0];
        if (top[side] <= 0)
            return;
        patches += counts[side][top[side]];
        patch_bytes += counts[side][top[side]] * (1 + ((size_t)top[side] + 8) / 7);
        if (patches >= 256 || patch_bytes >= out->size)
            return;
        top[side]--;
    }
}

void codec__bits_pack(const uint64_t *v, size_t count, unsigned width, struct buf *out)
{
    size_t bytes = (width * count + 7) / 8;
    char *at = buf_reserve(out, bytes + 16);
    unsigned __int128 acc = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < count && width; i++) {
        acc |= (unsigned __int128)v[i] << bits;
        bits += width;
        while (bits >= 32) {
            codec_store32(at, (uint32_t)acc);
            at += 4;
            acc >>= 32;
            bits -= 32;
        }
    }
    for (; bits; bits -= MIN(bits, 8u)) {
        *at++ = (char)acc;
        acc >>= 8;
    }
    out->len += bytes;
}

void codec__bits_unpack(const char *in, size_t count, unsigned width, uint64_t *out)
{
    size_t bytes = (width * count + 7) / 8, i = 0;
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    if (!width) {
        memset(out, 0, count * sizeof(*out));
        return;
    }
    if (width <= 56) {
        /* As long as eight bytes can be loaded at once. */
        for (size_t bit = 0; i < count && (bit >> 3) + 8 <= bytes; i++, bit += width)
            out[i] = codec_load64(in + (bit >> 3)) >> (bit & 7) & mask;
    }
    for (; i < count; i++) {
        size_t bit = i * width, byte = bit >> 3;
        unsigned __int128 acc = 0;
        for (size_t b = byte; b < bytes && b < byte + 9; b++)
            acc |= (unsigned __int128)(unsigned char)in[b] << (8 * (b - byte));
        out[i] = (uint64_t)(acc >> (bit & 7)) & mask;
    }
}

static void lanes_pack(const uint32_t *v, unsigned width, uint32_t *words)
{
    memset(words, 0, (size_t)width * LANES * sizeof(*words));
    for (unsigned row = 0; row < ROWS && width; row++) {
        unsigned bit = row * width, shift = bit & 31;
        uint32_t *to = words + (size_t)(bit >> 5) * LANES;
        const uint32_t *from = v + (size_t)row * LANES;
        for (unsigned lane = 0; lane < LANES; lane++)
            to[lane] |= from[lane] << shift;
        if (shift + width > 32) {
            for (unsigned lane = 0; lane < LANES; lane++)
                to[LANES + lane] |= from[lane] >> (32 - shift);
        }
    }
}

static inline __attribute__((always_inline)) void row_unpack(const uint32_t *words, unsigned row,
                                                             unsigned width, uint32_t *out)
{
    unsigned bit = row * width, shift = bit & 31;
    uint32_t mask = width == 32 ? UINT32_MAX : (UINT32_C(1) << width) - 1;
    const uint32_t *from = words + (size_t)(bit >> 5) * LANES;
    uint32_t *to = out + (size_t)row * LANES;
    if (shift + width > 32) {
        for (unsigned lane = 0; lane < LANES; lane++)
            to[lane] = (from[lane] >> shift | from[LANES + lane] << (32 - shift)) & mask;
    } else {
        for (unsigned lane = 0; lane < LANES; lane++)
            to[lane] = from[lane] >> shift & mask;
    }
}

#define ROWS_8(n)                                                                                  \
    row_unpack(words, (n), width, out), row_unpack(words, (n) + 1, width, out),                    \
        row_unpack(words, (n) + 2, width, out), row_unpack(words, (n) + 3, width, out),            \
        row_unpack(words, (n) + 4, width, out), row_unpack(words, (n) + 5, width, out),            \
        row_unpack(words, (n) + 6, width, out), row_unpack(words, (n) + 7, width, out)

/* Every width has its own straight code. */
static inline __attribute__((always_inline)) void lanes_unpack_width(const uint32_t *words,
                                                                     unsigned width, uint32_t *out)
{
    ROWS_8(0);
    ROWS_8(8);
    ROWS_8(16);
    ROWS_8(24);
}

#define CASE(w)                                                                                    \
    case w:                                                                                        \
        lanes_unpack_width(words, w, out);                                                         \
        break;
#define CASES_4(w) CASE(w) CASE((w) + 1) CASE((w) + 2) CASE((w) + 3)

void codec__lanes_unpack(const char *in, unsigned width, uint32_t *out)
{
    uint32_t words[CODEC__MINIBLOCK];
    memcpy(words, in, (size_t)width * LANES * sizeof(*words));
    switch (width) {
        CASES_4(1)
        CASES_4(5)
        CASES_4(9)
        CASES_4(13)
        CASES_4(17)
        CASES_4(21)
        CASES_4(25)
        CASES_4(29)
    default: break;
    }
}

void codec__miniblock_encode(const int64_t *v, size_t count, const struct codec__plan *plan,
                             struct buf *out)
{
    uint64_t off[CODEC__MINIBLOCK];
    unsigned char patched[CODEC__MINIBLOCK];
    size_t patches = 0;
    unsigned width = plan->width;
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    for (size_t i = 0; i < count; i++) {
        off[i] = (uint64_t)v[i] - (uint64_t)plan->lo;
        if (off[i] > mask) {
            patched[patches++] = (unsigned char)i;
            off[i] = 0;
        }
    }
    buf_append_char(out, (char)(width | (patches ? CODEC__PATCHED : 0)));
    codec_append_varint(out, codec_zigzag(plan->lo));
    if (count == CODEC__MINIBLOCK && width <= 32) {
        uint32_t narrow[CODEC__MINIBLOCK], words[CODEC__MINIBLOCK];
        for (size_t i = 0; i < CODEC__MINIBLOCK; i++)
            narrow[i] = (uint32_t)off[i];
        lanes_pack(narrow, width, words);
        buf_append(out, words, (size_t)width * LANES * sizeof(*words));
    } else {
        codec__bits_pack(off, count, width, out);
    }
    if (!patches)
        return;
    buf_append_char(out, (char)(patches - 1));
    buf_append(out, patched, patches);
    for (size_t i = 0; i < patches; i++)
        codec_append_varint(out,
                            codec_zigzag((int64_t)((uint64_t)v[patched[i]] - (uint64_t)plan->lo)));
}

int codec__miniblock_decode(struct slice *in, int64_t *v, size_t count)
{
    struct codec__miniblock_head head;
    const unsigned char *at;
    size_t patches;
    uint64_t zz;
    if (codec__miniblock_take_head(in, count, &head))
        return ERR_CORRUPT;
    uint64_t lo = (uint64_t)head.lo;
    if (!head.width) {
        for (size_t i = 0; i < count; i++)
            v[i] = head.lo;
    } else if (count == CODEC__MINIBLOCK && head.width <= 32) {
        uint32_t narrow[CODEC__MINIBLOCK];
        codec__lanes_unpack(in->ptr, head.width, narrow);
        for (size_t i = 0; i < CODEC__MINIBLOCK; i++)
            v[i] = (int64_t)(lo + narrow[i]);
    } else {
        codec__bits_unpack(in->ptr, count, head.width, (uint64_t *)v);
        for (size_t i = 0; i < count; i++)
            v[i] = (int64_t)(lo + (uint64_t)v[i]);
    }
    *in = slice_from(*in, head.bytes);
    if (!head.patched)
        return 0;
    if (codec__patches_take_places(in, &at, &patches))
        return ERR_CORRUPT;
    for (size_t i = 0; i < patches; i++) {
        if (at[i] >= count || !codec_take_varint(in, &zz))
            return ERR_CORRUPT;
        v[at[i]] = (int64_t)(lo + (uint64_t)codec_unzigzag(zz));
    }
    return 0;
}

int codec__miniblock_skip(struct slice *in, size_t count)
{
    struct codec__miniblock_head head;
    const unsigned char *at;
    size_t patches;
    uint64_t zz;
    if (codec__miniblock_take_head(in, count, &head))
        return ERR_CORRUPT;
    *in = slice_from(*in, head.bytes);
    if (!head.patched)
        return 0;
    if (codec__patches_take_places(in, &at, &patches))
        return ERR_CORRUPT;
    for (size_t i = 0; i < patches; i++) {
        if (at[i] >= count || !codec_take_varint(in, &zz))
            return ERR_CORRUPT;
    }
    return 0;
}
