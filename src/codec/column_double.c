/* Columns of doubles: as decimal integers where that is exact bit for bit (most measurements are
 * short decimals), the odd ones aside; real doubles split into a few left halves and packed right
 * ones (as ALP_rd does), or as they are. */
#include "base/mem.h"
#include "codec/bytes.h"
#include "codec/column.h"
#include "codec/column_priv.h"
#include "codec/decimal.h"

#define STACK_VALUES 1024
#define LEFTS_MAX    8
#define RIGHT_MIN    48
#define RIGHT_MAX    60

enum { DOUBLE_DECIMAL, DOUBLE_BITS, DOUBLE_SPLIT };

/* The number of decimals the most demanding value needs, as long as most values follow; -1 when too
 * many do not. */
static int decimals_of(const double *values, size_t count)
{
    int decimals = 0;
    size_t misfits = 0, allowed = 8 + count / 16;
    for (size_t i = 0; i < count; i++) {
        int d = decimals;
        int64_t m;
        while (d <= CODEC_DECIMALS_MAX && !codec_decimal_from(values[i], d, &m))
            d++;
        if (d <= CODEC_DECIMALS_MAX)
            decimals = d;
        else if (++misfits > allowed)
            return -1;
    }
    return misfits < count ? decimals : -1;
}

static void put_exceptions(const double *values, const uint32_t *at, size_t count, struct buf *out)
{
    uint32_t before = 0;
    codec_append_varint(out, count);
    for (size_t i = 0; i < count; i++) {
        codec_append_varint(out, at[i] - before);
        codec_append64(out, codec_double_bits(values[at[i]]));
        before = at[i];
    }
}

/* False, and nothing written, when it does not pay. */
static bool encode_decimal(const double *values, size_t count, int64_t *ints, uint32_t *odd,
                           struct buf *out)
{
    int decimals = decimals_of(values, count);
    size_t exceptions = 0;
    int64_t last = 0;
    if (decimals < 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (codec_decimal_from(values[i], decimals, &ints[i])) {
            last = ints[i];
        } else {
            ints[i] = last; /* keeps the column smooth */
            odd[exceptions++] = (uint32_t)i;
        }
    }
    /* More decimals than a value needs can cost it its exactness. */
    if (exceptions > 8 + count / 8)
        return false;
    /* What is odd at the front takes after the first that is not. */
    size_t first = 0;
    while (first < exceptions && odd[first] == first)
        first++;
    for (size_t i = 0; i < first && first < count; i++)
        ints[i] = ints[first];
    buf_append_char(out, DOUBLE_DECIMAL);
    buf_append_char(out, (char)decimals);
    codec_ints_encode(ints, count, out);
    put_exceptions(values, odd, exceptions, out);
    return true;
}

struct lefts {
    uint16_t value[LEFTS_MAX];
    size_t count, misses; /* misses among the values looked at */
};

/* The most frequent left halves of about 128 values. */
static void find_lefts(const double *values, size_t count, unsigned right, struct lefts *out)
{
    struct {
        uint16_t value;
        uint16_t seen;
    } all[128];
    size_t n = 0, step = MAX(count / 128, (size_t)1), looked = 0;
    for (size_t i = 0; i < count && looked < 128; i += step, looked++) {
        uint16_t left = (uint16_t)(codec_double_bits(values[i]) >> right);
        size_t k = 0;
        while (k < n && all[k].value != left)
            k++;
        if (k == n) {
            all[n].value = left;
            all[n++].seen = 0;
        }
        all[k].seen++;
    }
    *out = (struct lefts){.misses = looked};
    while (out->count < LEFTS_MAX) {
        size_t best = n;
        for (size_t k = 0; k < n; k++) {
            if (all[k].seen && (best == n || all[k].seen > all[best].seen))
                best = k;
        }
        if (best == n)
            break;
        out->value[out->count++] = all[best].value;
        out->misses -= all[best].seen;
        all[best].seen = 0;
    }
}

static void encode_split(const double *values, size_t count, uint64_t *codes, uint32_t *odd,
                         struct buf *out)
{
    struct lefts best = {0};
    unsigned right = 0;
    size_t best_cost = SIZE_MAX, exceptions = 0;
    for (unsigned r = RIGHT_MIN; r <= RIGHT_MAX; r += 2) {
        struct lefts lefts;
        find_lefts(values, count, r, &lefts);
        size_t looked = MIN((count + MAX(count / 128, (size_t)1) - 1) / MAX(count / 128, (size_t)1),
                            (size_t)128);
        size_t cost = (r + codec__width(lefts.count - 1)) * looked + lefts.misses * 24;
        if (cost < best_cost) {
            best_cost = cost;
            best = lefts;
            right = r;
        }
    }
    buf_append_char(out, DOUBLE_SPLIT);
    buf_append_char(out, (char)right);
    buf_append_char(out, (char)best.count);
    for (size_t i = 0; i < best.count; i++) {
        codec_store16(buf_reserve(out, 2), best.value[i]);
        out->len += 2;
    }
    for (size_t i = 0; i < count; i++) {
        uint16_t left = (uint16_t)(codec_double_bits(values[i]) >> right);
        size_t k = 0;
        while (k < best.count && best.value[k] != left)
            k++;
        if (k == best.count) {
            odd[exceptions++] = (uint32_t)i;
            k = 0;
        }
        codes[i] = k;
    }
    codec__bits_pack(codes, count, codec__width(best.count - 1), out);
    for (size_t i = 0; i < count; i++)
        codes[i] = codec_double_bits(values[i]) & ((UINT64_C(1) << right) - 1);
    codec__bits_pack(codes, count, right, out);
    codec_append_varint(out, exceptions);
    uint32_t before = 0;
    for (size_t i = 0; i < exceptions; i++) {
        codec_append_varint(out, odd[i] - before);
        codec_store16(buf_reserve(out, 2), (uint16_t)(codec_double_bits(values[odd[i]]) >> right));
        out->len += 2;
        before = odd[i];
    }
}

void codec_doubles_encode(const double *values, size_t count, struct buf *out)
{
    if (!count)
        return;
    int64_t few_ints[STACK_VALUES], *ints = few_ints;
    uint32_t few_odd[STACK_VALUES], *odd = few_odd;
    if (count > STACK_VALUES) {
        ints = mem_alloc(count * sizeof(*ints));
        odd = mem_alloc(count * sizeof(*odd));
    }
    if (!encode_decimal(values, count, ints, odd, out)) {
        size_t begin = out->len;
        memcpy(ints, values, count * sizeof(*ints));
        buf_append_char(out, DOUBLE_BITS);
        codec_ints_encode(ints, count, out);
        if (out->len - begin > 32) {
            struct buf split = {0};
            encode_split(values, count, (uint64_t *)ints, odd, &split);
            if (split.len < out->len - begin) {
                out->len = begin;
                buf_append_slice(out, buf_slice(&split));
            }
            buf_deinit(&split);
        }
    }
    if (ints != few_ints) {
        mem_free(ints);
        mem_free(odd);
    }
}

/* Position of the next exception: gaps are counted from the one before. */
static bool take_position(struct slice *in, size_t count, uint64_t *at)
{
    uint64_t gap;
    if (!codec_take_varint(in, &gap) || gap >= count)
        return false;
    *at += gap;
    return *at < count;
}

/* Integers to doubles in place, each divided by the divisor. */
static void to_doubles(int64_t *v, size_t count, double divisor)
{
    for (size_t i = 0; i < count; i++) {
        double d = (double)v[i] / divisor;
        memcpy(&v[i], &d, sizeof(d));
    }
}

static int decode_decimal(struct slice *in, double *values, size_t count, unsigned *facts)
{
    if (!in->len || (unsigned char)in->ptr[0] > CODEC_DECIMALS_MAX)
        return ERR_CORRUPT;
    int decimals = (unsigned char)in->ptr[0];
    *in = slice_from(*in, 1);
    if (codec__fast()) {
        if (codec__decimals_decode_fast(in, values, count, decimals))
            return ERR_CORRUPT;
    } else {
        /* An int64 and a double have the same size: the integers are turned in place. */
        int64_t *ints = (int64_t *)(void *)values;
        if (codec_ints_decode(in, ints, count))
            return ERR_CORRUPT;
        to_doubles(ints, count, codec_decimal_powers[decimals]);
    }
    uint64_t exceptions, at = 0;
    if (!codec_take_varint(in, &exceptions) || exceptions > count)
        return ERR_CORRUPT;
    if (!exceptions)
        *facts = CODEC_DOUBLES_ORDINARY | (decimals ? 0 : CODEC_DOUBLES_INTEGERS);
    for (uint64_t i = 0; i < exceptions; i++) {
        if (!take_position(in, count, &at) || in->len < 8)
            return ERR_CORRUPT;
        values[at] = codec_load_double(in->ptr);
        *in = slice_from(*in, 8);
    }
    return 0;
}

static int decode_split(struct slice *in, double *values, size_t count)
{
    if (in->len < 2)
        return ERR_CORRUPT;
    unsigned right = (unsigned char)in->ptr[0], lefts = (unsigned char)in->ptr[1];
    if (right < RIGHT_MIN || right > RIGHT_MAX || !lefts || lefts > LEFTS_MAX ||
        in->len < 2 + 2 * lefts)
        return ERR_CORRUPT;
    uint64_t left[LEFTS_MAX] = {0}, *bits = (uint64_t *)(void *)values;
    for (unsigned i = 0; i < lefts; i++)
        left[i] = (uint64_t)codec_load16(in->ptr + 2 + 2 * i) << right;
    *in = slice_from(*in, 2 + 2 * lefts);
    unsigned width = codec__width(lefts - 1);
    size_t code_bytes = (width * count + 7) / 8, right_bytes = (right * count + 7) / 8;
    if (in->len < code_bytes + right_bytes)
        return ERR_CORRUPT;
    codec__bits_unpack(in->ptr + code_bytes, count, right, bits);
    for (size_t i = 0; i < count; i++) {
        size_t bit = i * width, byte = bit >> 3;
        unsigned code = 0;
        if (width) {
            code = (unsigned char)in->ptr[byte];
            if (byte + 1 < code_bytes)
                code |= (unsigned)(unsigned char)in->ptr[byte + 1] << 8;
            code = code >> (bit & 7) & ((1u << width) - 1);
        }
        bits[i] |= left[code];
    }
    *in = slice_from(*in, code_bytes + right_bytes);
    uint64_t exceptions, at = 0;
    if (!codec_take_varint(in, &exceptions) || exceptions > count)
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < exceptions; i++) {
        if (!take_position(in, count, &at) || in->len < 2)
            return ERR_CORRUPT;
        bits[at] = (bits[at] & ((UINT64_C(1) << right) - 1)) | (uint64_t)codec_load16(in->ptr)
                                                                   << right;
        *in = slice_from(*in, 2);
    }
    return 0;
}

int codec_doubles_decode(struct slice *in, double *values, size_t count)
{
    unsigned facts;
    return codec_doubles_decode_facts(in, values, count, &facts);
}

int codec_doubles_decode_facts(struct slice *in, double *values, size_t count, unsigned *facts)
{
    *facts = 0;
    if (count > CODEC_COLUMN_MAX)
        return ERR_CORRUPT;
    if (!count)
        return 0;
    if (!in->len)
        return ERR_CORRUPT;
    char kind = in->ptr[0];
    *in = slice_from(*in, 1);
    switch (kind) {
    case DOUBLE_DECIMAL: return decode_decimal(in, values, count, facts);
    case DOUBLE_BITS: return codec_ints_decode(in, (int64_t *)(void *)values, count);
    case DOUBLE_SPLIT: return decode_split(in, values, count);
    default: return ERR_CORRUPT;
    }
}
