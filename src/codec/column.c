/* Columns of integers: constant, offsets, deltas or deltas of deltas, whichever is smallest, with
 * the common divisor taken out. */
#include "codec/column.h"

#include "base/assert.h"
#include "base/mem.h"
#include "codec/bytes.h"
#include "codec/column_priv.h"

#define STACK_VALUES 1024

static uint64_t gcd_of(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

/* The divisor of all differences to the first value; 1 when two lie further apart than 63 bits. */
static uint64_t divisor_of(const int64_t *v, size_t count)
{
    uint64_t divisor = 0;
    for (size_t i = 1; i < count && divisor != 1; i++) {
        int64_t d;
        if (__builtin_sub_overflow(v[i], v[0], &d) || d == INT64_MIN)
            return 1;
        uint64_t far = d < 0 ? (uint64_t)-d : (uint64_t)d;
        if (far && (!divisor || far % divisor))
            divisor = gcd_of(far, divisor);
    }
    return divisor ? divisor : 1;
}

/* Bytes of the column when packed, judged by every other miniblock of a long one. */
static size_t packed_size(const int64_t *v, size_t count)
{
    size_t step = count > 2 * CODEC__MINIBLOCK ? 2 * CODEC__MINIBLOCK : CODEC__MINIBLOCK, size = 0;
    for (size_t i = 0; i < count; i += step) {
        struct codec__plan plan;
        codec__miniblock_plan(v + i, MIN(count - i, (size_t)CODEC__MINIBLOCK), &plan);
        size += plan.size;
    }
    return step > CODEC__MINIBLOCK ? 2 * size : size;
}

static void pack(const int64_t *v, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i += CODEC__MINIBLOCK) {
        struct codec__plan plan;
        size_t n = MIN(count - i, (size_t)CODEC__MINIBLOCK);
        codec__miniblock_plan(v + i, n, &plan);
        codec__miniblock_encode(v + i, n, &plan, out);
    }
}

static int unpack(struct slice *in, int64_t *v, size_t count)
{
    for (size_t i = 0; i < count; i += CODEC__MINIBLOCK) {
        int err = codec__miniblock_decode(in, v + i, MIN(count - i, (size_t)CODEC__MINIBLOCK));
        if (err)
            return err;
    }
    return 0;
}

static bool all_equal(const int64_t *v, size_t count)
{
    size_t i = 1;
    while (i < count && v[i] == v[0])
        i++;
    return i >= count;
}

void codec_ints_encode(const int64_t *values, size_t count, struct buf *out)
{
    base_assert(count <= CODEC_COLUMN_MAX);
    if (!count)
        return;
    if (all_equal(values, count)) {
        buf_append_char(out, CODEC__MODE_CONST);
        codec_append_varint(out, codec_zigzag(values[0]));
        return;
    }
    int64_t few[3 * STACK_VALUES],
        *work = count <= STACK_VALUES ? few : mem_alloc(3 * count * sizeof(*work));
    int64_t *w = work, *delta = work + count, *dod = work + 2 * count;
    uint64_t divisor = divisor_of(values, count);
    for (size_t i = 0; i < count; i++)
        w[i] = (int64_t)((uint64_t)values[i] - (uint64_t)values[0]);
    for (size_t i = 0; divisor > 1 && i < count; i++)
        w[i] /= (int64_t)divisor;
    for (size_t i = 1; i < count; i++)
        delta[i - 1] = (int64_t)((uint64_t)w[i] - (uint64_t)w[i - 1]);
    for (size_t i = 1; i + 1 < count; i++)
        dod[i - 1] = (int64_t)((uint64_t)delta[i] - (uint64_t)delta[i - 1]);
    size_t offset_size = packed_size(w, count), delta_size = packed_size(delta, count - 1);
    size_t dod_size =
        count > 2 ? packed_size(dod, count - 2) + codec__width(codec_zigzag(delta[0])) / 7 + 1
                  : SIZE_MAX;
    int mode = offset_size <= delta_size && offset_size <= dod_size ? CODEC__MODE_OFFSET
               : delta_size <= dod_size                             ? CODEC__MODE_DELTA
                                                                    : CODEC__MODE_DOD;
    buf_append_char(out, (char)(mode | (divisor > 1 ? CODEC__FLAG_DIVISOR : 0)));
    if (divisor > 1)
        codec_append_varint(out, divisor);
    codec_append_varint(out, codec_zigzag(values[0]));
    if (mode == CODEC__MODE_OFFSET) {
        pack(w, count, out);
    } else if (mode == CODEC__MODE_DELTA) {
        pack(delta, count - 1, out);
    } else {
        codec_append_varint(out, codec_zigzag(delta[0]));
        pack(dod, count - 2, out);
    }
    if (work != few)
        mem_free(work);
}

int codec_ints_decode(struct slice *in, int64_t *values, size_t count)
{
    uint64_t zz, divisor = 1;
    if (count > CODEC_COLUMN_MAX)
        return ERR_CORRUPT;
    if (!count)
        return 0;
    if (!in->len)
        return ERR_CORRUPT;
    unsigned head = (unsigned char)in->ptr[0];
    *in = slice_from(*in, 1);
    if (head == CODEC__MODE_CONST) {
        if (!codec_take_varint(in, &zz))
            return ERR_CORRUPT;
        int64_t v = codec_unzigzag(zz);
        for (size_t i = 0; i < count; i++)
            values[i] = v;
        return 0;
    }
    if (head & ~(unsigned)(CODEC__MODE_MASK | CODEC__FLAG_DIVISOR))
        return ERR_CORRUPT;
    if ((head & CODEC__FLAG_DIVISOR) && !codec_take_varint(in, &divisor))
        return ERR_CORRUPT;
    if (!codec_take_varint(in, &zz))
        return ERR_CORRUPT;
    uint64_t v = (uint64_t)codec_unzigzag(zz);
    switch (head & CODEC__MODE_MASK) {
    case CODEC__MODE_OFFSET:
        if (unpack(in, values, count))
            return ERR_CORRUPT;
        for (size_t i = 0; i < count; i++)
            values[i] = (int64_t)(v + (uint64_t)values[i] * divisor);
        return 0;
    case CODEC__MODE_DELTA:
        if (unpack(in, values + 1, count - 1))
            return ERR_CORRUPT;
        values[0] = (int64_t)v;
        for (size_t i = 1; i < count; i++)
            values[i] = (int64_t)(v += (uint64_t)values[i] * divisor);
        return 0;
    case CODEC__MODE_DOD: {
        if (count < 3 || !codec_take_varint(in, &zz) || unpack(in, values + 2, count - 2))
            return ERR_CORRUPT;
        uint64_t d = (uint64_t)codec_unzigzag(zz) * divisor;
        values[0] = (int64_t)v;
        values[1] = (int64_t)(v += d);
        for (size_t i = 2; i < count; i++) {
            d += (uint64_t)values[i] * divisor;
            values[i] = (int64_t)(v += d);
        }
        return 0;
    }
    default: return ERR_CORRUPT;
    }
}

int codec_ints_skip(struct slice *in, size_t count)
{
    uint64_t v;
    if (count > CODEC_COLUMN_MAX)
        return ERR_CORRUPT;
    if (!count)
        return 0;
    if (!in->len)
        return ERR_CORRUPT;
    unsigned head = (unsigned char)in->ptr[0], mode = head & CODEC__MODE_MASK;
    *in = slice_from(*in, 1);
    if (head == CODEC__MODE_CONST)
        return codec_take_varint(in, &v) ? 0 : ERR_CORRUPT;
    if (head & ~(unsigned)(CODEC__MODE_MASK | CODEC__FLAG_DIVISOR) ||
        ((head & CODEC__FLAG_DIVISOR) && !codec_take_varint(in, &v)) || !codec_take_varint(in, &v))
        return ERR_CORRUPT;
    size_t packed = mode == CODEC__MODE_OFFSET ? count : count - 1;
    if (mode == CODEC__MODE_DOD) {
        if (count < 3 || !codec_take_varint(in, &v))
            return ERR_CORRUPT;
        packed = count - 2;
    } else if (mode != CODEC__MODE_OFFSET && mode != CODEC__MODE_DELTA) {
        return ERR_CORRUPT;
    }
    for (size_t i = 0; i < packed; i += CODEC__MINIBLOCK) {
        if (codec__miniblock_skip(in, MIN(packed - i, (size_t)CODEC__MINIBLOCK)))
            return ERR_CORRUPT;
    }
    return 0;
}
