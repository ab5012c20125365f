/* Columns of decimals straight to doubles, for AVX2: a miniblock at a time is unpacked, summed up
 * and divided while it is in registers. The same bits as the plain way in column_double.c gives. */
#include "codec/column_priv.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "codec/bytes.h"
#include "codec/decimal.h"

#define FAST __attribute__((target("avx2,fma")))

bool codec__fast(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

/* A miniblock's values less its base: 32 bits each, or 64 where that is not enough. */
struct mini {
    int64_t lo;
    bool wide;
    uint32_t narrow[CODEC__MINIBLOCK + 8];
    int64_t wider[CODEC__MINIBLOCK + 4];
};

/* The lanes of column_pack.c, eight values at a time. */
FAST static inline __attribute__((always_inline)) void
row_unpack(const char *in, unsigned row, unsigned width, __m256i keep, uint32_t *out)
{
    unsigned bit = row * width, shift = bit & 31;
    const __m256i *from = (const __m256i *)(const void *)in + (bit >> 5);
    __m256i x = _mm256_srli_epi32(_mm256_loadu_si256(from), (int)shift);
    if (shift + width > 32)
        x = _mm256_or_si256(x, _mm256_slli_epi32(_mm256_loadu_si256(from + 1), (int)(32 - shift)));
    _mm256_storeu_si256((__m256i *)(void *)out + row, _mm256_and_si256(x, keep));
}

#define ROWS_4(n)                                                                                  \
    row_unpack(in, (n), width, keep, out), row_unpack(in, (n) + 1, width, keep, out),              \
        row_unpack(in, (n) + 2, width, keep, out), row_unpack(in, (n) + 3, width, keep, out)

/* Every width has its own straight code. */
FAST static inline __attribute__((always_inline)) void lanes_of(const char *in, unsigned width,
                                                                uint32_t *out)
{
    const __m256i keep =
        _mm256_set1_epi32((int)(width == 32 ? UINT32_MAX : (UINT32_C(1) << width) - 1));
    ROWS_4(0), ROWS_4(4), ROWS_4(8), ROWS_4(12);
    ROWS_4(16), ROWS_4(20), ROWS_4(24), ROWS_4(28);
}

#define CASE(w)                                                                                    \
    case w:                                                                                        \
        lanes_of(in, w, out);                                                                      \
        break;
#define CASES_4(w) CASE(w) CASE((w) + 1) CASE((w) + 2) CASE((w) + 3)

FAST static void lanes_unpack(const char *in, unsigned width, uint32_t *out)
{
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

/* Eight values take `width` whole bytes, so that all eights are cut alike. width is 1 to 25. */
FAST static void bits_unpack(const char *in, size_t count, unsigned width, uint32_t *out)
{
    size_t bytes = (width * count + 7) / 8, i = 0, half = width / 2, at = 0;
    uint32_t mask = (UINT32_C(1) << width) - 1;
    /* Of each value its bit in the eight, its byte in its half of them, and the four from there. */
    const __m256i bit = _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                                           _mm256_set1_epi32((int)width)),
                  byte = _mm256_sub_epi32(
                      _mm256_srli_epi32(bit, 3),
                      _mm256_setr_epi32(0, 0, 0, 0, (int)half, (int)half, (int)half, (int)half)),
                  pick = _mm256_add_epi32(_mm256_mullo_epi32(byte, _mm256_set1_epi32(0x01010101)),
                                          _mm256_set1_epi32(0x03020100)),
                  shift = _mm256_and_si256(bit, _mm256_set1_epi32(7)),
                  keep = _mm256_set1_epi32((int)mask);
    for (; i + 8 <= count && at + half + 16 <= bytes; i += 8, at += width) {
        __m256i x = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(in + at))),
            _mm_loadu_si128((const __m128i *)(const void *)(in + at + half)), 1);
        x = _mm256_and_si256(_mm256_srlv_epi32(_mm256_shuffle_epi8(x, pick), shift), keep);
        _mm256_storeu_si256((__m256i *)(void *)(out + i), x);
    }
    for (; i < count; i++) {
        size_t from = i * width >> 3;
        uint64_t acc = 0;
        memcpy(&acc, in + from, MIN(bytes - from, (size_t)8));
        out[i] = (uint32_t)(acc >> (i * width & 7)) & mask;
    }
}

FAST static int take_patches(struct slice *in, struct mini *m, size_t count)
{
    const unsigned char *at;
    size_t patches;
    uint64_t zz;
    if (codec__patches_take_places(in, &at, &patches))
        return ERR_CORRUPT;
    for (size_t i = 0; i < patches; i++) {
        if (at[i] >= count || !codec_take_varint(in, &zz))
            return ERR_CORRUPT;
        int64_t far = codec_unzigzag(zz);
        if (!m->wide && (uint64_t)far > UINT32_MAX) {
            for (size_t k = 0; k < count; k++)
                m->wider[k] = m->narrow[k];
            m->wide = true;
        }
        if (m->wide)
            m->wider[at[i]] = far;
        else
            m->narrow[at[i]] = (uint32_t)far;
    }
    return 0;
}

FAST static int take_mini(struct slice *in, struct mini *m, size_t count)
{
    struct codec__miniblock_head head;
    if (codec__miniblock_take_head(in, count, &head))
        return ERR_CORRUPT;
    m->lo = head.lo;
    m->wide = false;
    if (!head.width) {
        memset(m->narrow, 0, count * sizeof(*m->narrow));
    } else if (count == CODEC__MINIBLOCK && head.width <= 32) {
        lanes_unpack(in->ptr, head.width, m->narrow);
    } else if (head.width <= 25) {
        bits_unpack(in->ptr, count, head.width, m->narrow);
    } else {
        m->wide = true;
        codec__bits_unpack(in->ptr, count, head.width, (uint64_t *)m->wider);
    }
    *in = slice_from(*in, head.bytes);
    return head.patched ? take_patches(in, m, count) : 0;
}

/* How a column's integers come about, and where they have got to. */
struct course {
    bool delta, dod;
    uint64_t divisor;
    int64_t value, step; /* the last value and difference; without delta the first value */
    int decimals;
};

/* The sums of each with all before it. */
FAST static inline __m256i sums(__m256i x)
{
    x = _mm256_add_epi64(x, _mm256_slli_si256(x, 8));
    __m256i low = _mm256_permute4x64_epi64(x, 0x50);
    return _mm256_add_epi64(x, _mm256_blend_epi32(_mm256_setzero_si256(), low, 0xf0));
}

/* Four times four values at most are written behind `count`'s end: into `out`, which has the room.
 * False when a value is too large for the way it is converted: nothing is to be kept then. */
FAST static inline __attribute__((always_inline)) bool convert(const struct mini *m, size_t count,
                                                               struct course *c, double *out,
                                                               bool wide, bool delta, bool dod,
                                                               bool multiply, bool divide)
{
    const double power = codec_decimal_powers[c->decimals];
    /* What is divided has at most 52 bits and the power 47: its quotient lies further from the
     * middle between two doubles than this product, with the reciprocal to twice the precision, is
     * off. */
    const double high = 1 / power, low = __builtin_fma(-power, high, 1.0) / power;
    const __m256d yh = _mm256_set1_pd(high), yl = _mm256_set1_pd(low);
    const __m256i magic = _mm256_castpd_si256(_mm256_set1_pd(6755399441055744.0)),
                  half = _mm256_set1_epi64x(INT64_C(1) << 51),
                  beyond = _mm256_set1_epi64x(-(INT64_C(1) << 52)),
                  by = _mm256_set1_epi64x((int64_t)c->divisor),
                  lo = _mm256_set1_epi64x((int64_t)((uint64_t)m->lo * c->divisor));
    __m256i value = _mm256_set1_epi64x(c->value), step = _mm256_set1_epi64x(c->step),
            range = _mm256_setzero_si256();
    for (size_t i = 0; i < count; i += 4) {
        __m256i x = wide ? _mm256_loadu_si256((const __m256i *)(const void *)(m->wider + i))
                         : _mm256_cvtepu32_epi64(
                               _mm_loadu_si128((const __m128i *)(const void *)(m->narrow + i)));
        if (multiply)
            x = _mm256_mul_epu32(x, by);
        x = _mm256_add_epi64(x, lo);
        if (dod) {
            __m256i p = sums(x);
            x = _mm256_add_epi64(p, step);
            step = _mm256_add_epi64(step, _mm256_permute4x64_epi64(p, 0xff));
        }
        if (delta) {
            __m256i p = sums(x);
            x = _mm256_add_epi64(p, value);
            value = _mm256_add_epi64(value, _mm256_permute4x64_epi64(p, 0xff));
        } else {
            x = _mm256_add_epi64(x, value);
        }
        range = _mm256_or_si256(range, _mm256_add_epi64(x, half));
        __m256d d = _mm256_sub_pd(_mm256_castsi256_pd(_mm256_add_epi64(x, magic)),
                                  _mm256_castsi256_pd(magic));
        if (divide)
            d = _mm256_fmadd_pd(d, yh, _mm256_mul_pd(d, yl));
        _mm256_storeu_pd(out + i, d);
    }
    c->value = _mm_cvtsi128_si64(_mm256_castsi256_si128(value));
    c->step = _mm_cvtsi128_si64(_mm256_castsi256_si128(step));
    return _mm256_testz_si256(range, beyond);
}

/* The same one by one. */
static void convert_slowly(const struct mini *m, size_t count, struct course *c, double *out)
{
    uint64_t value = (uint64_t)c->value, step = (uint64_t)c->step;
    for (size_t i = 0; i < count; i++) {
        uint64_t x =
            ((m->wide ? (uint64_t)m->wider[i] : m->narrow[i]) + (uint64_t)m->lo) * c->divisor;
        if (c->dod)
            x = step += x;
        int64_t v = (int64_t)(value + x);
        if (c->delta)
            value = (uint64_t)v;
        out[i] = codec_decimal_value(v, c->decimals);
    }
    c->value = (int64_t)value;
    c->step = (int64_t)step;
}

/* What `convert` reads behind the end counts nothing. */
static void pad(struct mini *m, size_t count)
{
    for (size_t i = count; i % 4; i++)
        m->narrow[i] = 0;
    for (size_t i = count; i % 4; i++)
        m->wider[i] = 0;
}

FAST static void put_mini(struct mini *m, size_t count, struct course *c, double *out)
{
    double last[CODEC__MINIBLOCK + 4], *to = count % 4 ? last : out;
    struct course begin = *c;
    bool done = false;
    if (m->wide ? c->divisor == 1 : c->divisor <= UINT32_MAX) {
        pad(m, count);
        bool multiply = c->divisor != 1, divide = c->decimals > 0;
        if (m->wide)
            done = c->dod     ? convert(m, count, c, to, true, true, true, false, divide)
                   : c->delta ? convert(m, count, c, to, true, true, false, false, divide)
                              : convert(m, count, c, to, true, false, false, false, divide);
        else if (c->dod)
            done = convert(m, count, c, to, false, true, true, multiply, divide);
        else if (!c->delta)
            done = convert(m, count, c, to, false, false, false, multiply, divide);
        else if (multiply)
            done = convert(m, count, c, to, false, true, false, true, divide);
        else
            done = divide ? convert(m, count, c, to, false, true, false, false, true)
                          : convert(m, count, c, to, false, true, false, false, false);
    }
    if (!done) {
        *c = begin;
        convert_slowly(m, count, c, out);
    } else if (to == last) {
        memcpy(out, last, count * sizeof(*out));
    }
}

int codec__decimals_decode_fast(struct slice *in, double *values, size_t count, int decimals)
{
    struct mini m;
    struct course c = {.divisor = 1, .decimals = decimals};
    uint64_t zz;
    if (!in->len)
        return ERR_CORRUPT;
    unsigned head = (unsigned char)in->ptr[0], mode = head & CODEC__MODE_MASK;
    *in = slice_from(*in, 1);
    if (head & ~(unsigned)(CODEC__MODE_MASK | CODEC__FLAG_DIVISOR) || mode > CODEC__MODE_DOD ||
        (mode == CODEC__MODE_CONST && head != CODEC__MODE_CONST) ||
        ((head & CODEC__FLAG_DIVISOR) && !codec_take_varint(in, &c.divisor)) ||
        !codec_take_varint(in, &zz))
        return ERR_CORRUPT;
    c.value = codec_unzigzag(zz);
    if (mode == CODEC__MODE_CONST) {
        double v = codec_decimal_value(c.value, decimals);
        for (size_t i = 0; i < count; i++)
            values[i] = v;
        return 0;
    }
    c.delta = mode != CODEC__MODE_OFFSET;
    c.dod = mode == CODEC__MODE_DOD;
    size_t at = 0;
    if (c.delta)
        values[at++] = codec_decimal_value(c.value, decimals);
    if (c.dod) {
        if (count < 3 || !codec_take_varint(in, &zz))
            return ERR_CORRUPT;
        c.step = (int64_t)((uint64_t)codec_unzigzag(zz) * c.divisor);
        c.value = (int64_t)((uint64_t)c.value + (uint64_t)c.step);
        values[at++] = codec_decimal_value(c.value, decimals);
    }
    while (at < count) {
        size_t n = MIN(count - at, (size_t)CODEC__MINIBLOCK);
        if (take_mini(in, &m, n))
            return ERR_CORRUPT;
        put_mini(&m, n, &c, values + at);
        at += n;
    }
    return 0;
}

#else

bool codec__fast(void)
{
    return false;
}

int codec__decimals_decode_fast(struct slice *in, double *values, size_t count, int decimals)
{
    (void)in, (void)values, (void)count, (void)decimals;
    return ERR_CORRUPT;
}

#endif
