#include "codec/column.h"

#include <math.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/assert.h"
#include "base/mem.h"
#include "codec/bytes.h"

#define GROUP        128
#define DECIMALS_MAX 14
#define GCD_FLAG     0x10

enum { MODE_CONST, MODE_OFFSET, MODE_DELTA, MODE_DOD };
enum { DOUBLE_DECIMAL, DOUBLE_BITS };

static const double pow10_exact[DECIMALS_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6, 1e7,
                                                     1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14};

static uint64_t gcd_of(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

static unsigned width_of(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* Least and greatest of a group. */
static void range_of(const int64_t *v, size_t count, int64_t *out_min, int64_t *out_max)
{
    int64_t min = v[0], max = v[0];
    for (size_t i = 1; i < count; i++) {
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
    }
    *out_min = min;
    *out_max = max;
}

static size_t varint_size(uint64_t v)
{
    return v ? (width_of(v) + 6) / 7 : 1;
}

static size_t packed_size(const int64_t *v, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i += GROUP) {
        size_t n = MIN(count - i, (size_t)GROUP);
        int64_t min, max;
        range_of(v + i, n, &min, &max);
        total += 1 + varint_size(codec_zigzag(min)) +
                 (width_of((uint64_t)max - (uint64_t)min) * n + 7) / 8;
    }
    return total;
}

static void pack(const int64_t *v, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i += GROUP) {
        size_t n = MIN(count - i, (size_t)GROUP);
        int64_t min, max;
        range_of(v + i, n, &min, &max);
        unsigned width = width_of((uint64_t)max - (uint64_t)min);
        buf_append_char(out, (char)width);
        codec_append_varint(out, codec_zigzag(min));
        size_t bytes = (width * n + 7) / 8;
        char *at = buf_reserve(out, bytes + 16);
        unsigned __int128 acc = 0;
        unsigned bits = 0;
        for (size_t k = 0; k < n; k++) {
            acc |= (unsigned __int128)((uint64_t)v[i + k] - (uint64_t)min) << bits;
            bits += width;
            while (bits >= 8) {
                *at++ = (char)acc;
                acc >>= 8;
                bits -= 8;
            }
        }
        if (bits)
            *at++ = (char)acc;
        out->len += bytes;
    }
}

static int unpack(struct slice *in, int64_t *v, size_t count)
{
    for (size_t i = 0; i < count; i += GROUP) {
        size_t n = MIN(count - i, (size_t)GROUP);
        uint64_t zz;
        if (!in->len)
            return ERR_CORRUPT;
        unsigned width = (unsigned char)in->ptr[0];
        *in = slice_from(*in, 1);
        if (width > 64 || !codec_take_varint(in, &zz))
            return ERR_CORRUPT;
        uint64_t min = (uint64_t)codec_unzigzag(zz);
        size_t bytes = (width * n + 7) / 8;
        if (bytes > in->len)
            return ERR_CORRUPT;
        if (!width) {
            for (size_t k = 0; k < n; k++)
                v[i + k] = (int64_t)min;
        } else {
            const char *p = in->ptr;
            uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
            /* Whole words while they end within the column. */
            size_t k = 0, bit = 0, whole = width <= 56 && bytes >= 8 ? (bytes - 8) * 8 + 7 : 0;
            for (; k < n && bit <= whole && whole; k++, bit += width)
                v[i + k] = (int64_t)(min + ((codec_load64(p + (bit >> 3)) >> (bit & 7)) & mask));
            for (; k < n; k++, bit += width) {
                /* Near the end: byte by byte, never past it. */
                size_t byte = bit >> 3;
                unsigned __int128 acc = 0;
                for (size_t b = byte; b < bytes && b < byte + 9; b++)
                    acc |= (unsigned __int128)(unsigned char)p[b] << (8 * (b - byte));
                v[i + k] = (int64_t)(min + ((uint64_t)(acc >> (bit & 7)) & mask));
            }
        }
        *in = slice_from(*in, bytes);
    }
    return 0;
}

void codec_ints_encode(const int64_t *values, size_t count, struct buf *out)
{
    base_assert(count <= CODEC_COLUMN_MAX);
    if (!count)
        return;
    int64_t min, max;
    range_of(values, count, &min, &max);
    if (min == max) {
        buf_append_char(out, MODE_CONST);
        codec_append_varint(out, codec_zigzag(min));
        return;
    }
    int64_t small[3 * 256], *work = count <= 256 ? small : mem_alloc(3 * count * sizeof(*work));
    int64_t *w = work, *delta = work + count, *dod = work + 2 * count;
    /* Differences to the first value; they wrap for values that are further apart than 63 bits. */
    uint64_t divisor = 0;
    bool fits = !__builtin_sub_overflow(max, min, &w[0]);
    for (size_t i = 0; fits && i < count && divisor != 1; i++) {
        int64_t d = values[i] - values[0];
        divisor = gcd_of(divisor, d < 0 ? (uint64_t)-d : (uint64_t)d);
    }
    if (!fits || !divisor)
        divisor = 1;
    for (size_t i = 0; i < count; i++) {
        int64_t d = (int64_t)((uint64_t)values[i] - (uint64_t)values[0]);
        w[i] = divisor == 1 ? d : d / (int64_t)divisor;
    }
    for (size_t i = 1; i < count; i++)
        delta[i - 1] = (int64_t)((uint64_t)w[i] - (uint64_t)w[i - 1]);
    for (size_t i = 1; i + 1 < count; i++)
        dod[i - 1] = (int64_t)((uint64_t)delta[i] - (uint64_t)delta[i - 1]);
    size_t offset_size = packed_size(w, count), delta_size = packed_size(delta, count - 1);
    size_t dod_size =
        count > 2 ? packed_size(dod, count - 2) + varint_size(codec_zigzag(delta[0])) : SIZE_MAX;
    int mode = offset_size <= delta_size && offset_size <= dod_size ? MODE_OFFSET
               : delta_size <= dod_size                             ? MODE_DELTA
                                                                    : MODE_DOD;
    buf_append_char(out, (char)(mode | (divisor > 1 ? GCD_FLAG : 0)));
    if (divisor > 1)
        codec_append_varint(out, divisor);
    codec_append_varint(out, codec_zigzag(values[0]));
    if (mode == MODE_OFFSET) {
        pack(w, count, out);
    } else if (mode == MODE_DELTA) {
        pack(delta, count - 1, out);
    } else {
        codec_append_varint(out, codec_zigzag(delta[0]));
        pack(dod, count - 2, out);
    }
    if (work != small)
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
    if (head == MODE_CONST) {
        if (!codec_take_varint(in, &zz))
            return ERR_CORRUPT;
        for (size_t i = 0; i < count; i++)
            values[i] = codec_unzigzag(zz);
        return 0;
    }
    if ((head & GCD_FLAG) && !codec_take_varint(in, &divisor))
        return ERR_CORRUPT;
    if (!codec_take_varint(in, &zz))
        return ERR_CORRUPT;
    uint64_t first = (uint64_t)codec_unzigzag(zz);
    switch (head & ~(unsigned)GCD_FLAG) {
    case MODE_OFFSET:
        if (unpack(in, values, count))
            return ERR_CORRUPT;
        for (size_t i = 0; i < count; i++)
            values[i] = (int64_t)(first + (uint64_t)values[i] * divisor);
        return 0;
    case MODE_DELTA: {
        if (unpack(in, values + 1, count - 1))
            return ERR_CORRUPT;
        uint64_t v = first;
        values[0] = (int64_t)v;
        for (size_t i = 1; i < count; i++)
            values[i] = (int64_t)(v += (uint64_t)values[i] * divisor);
        return 0;
    }
    case MODE_DOD: {
        if (count < 3 || !codec_take_varint(in, &zz) || unpack(in, values + 2, count - 2))
            return ERR_CORRUPT;
        uint64_t d = (uint64_t)codec_unzigzag(zz), v = first;
        values[0] = (int64_t)v;
        values[1] = (int64_t)(v += d * divisor);
        for (size_t i = 2; i < count; i++) {
            d += (uint64_t)values[i];
            values[i] = (int64_t)(v += d * divisor);
        }
        return 0;
    }
    default: return ERR_CORRUPT;
    }
}

/* v as an integer with `decimals` decimals, when that gives v back bit for bit. */
static inline bool as_decimal(double v, int decimals, int64_t *out)
{
    double scaled = v * pow10_exact[decimals];
    if (!(fabs(scaled) < 9007199254740992.0))
        return false;
    *out = (int64_t)nearbyint(scaled);
    double back = (double)*out / pow10_exact[decimals]; /* through the integer: it has no -0 */
    return codec_double_bits(back) == codec_double_bits(v);
}

void codec_doubles_encode(const double *values, size_t count, struct buf *out)
{
    if (!count)
        return;
    int64_t small[256], *ints = count <= 256 ? small : mem_alloc(count * sizeof(*ints));
    /* The number of decimals that the most demanding value needs, as long as most values follow. */
    int decimals = 0;
    size_t misfits = 0;
    for (size_t i = 0; i < count; i++) {
        int d = decimals;
        int64_t m;
        while (d <= DECIMALS_MAX && !as_decimal(values[i], d, &m))
            d++;
        if (d > DECIMALS_MAX)
            misfits++;
        else
            decimals = d;
        if (misfits > 8 + count / 16)
            break;
    }
    size_t exceptions = 0;
    int64_t last = 0;
    bool decimal = misfits <= 8 + count / 16 && misfits < count;
    for (size_t i = 0; decimal && i < count; i++) {
        if (as_decimal(values[i], decimals, &ints[i]))
            last = ints[i];
        else
            ints[i] = last, exceptions++; /* keeps the column smooth */
    }
    if (decimal && exceptions <= 8 + count / 8) {
        buf_append_char(out, DOUBLE_DECIMAL);
        buf_append_char(out, (char)decimals);
        codec_ints_encode(ints, count, out);
        codec_append_varint(out, exceptions);
        size_t before = 0;
        for (size_t i = 0; exceptions && i < count; i++) {
            int64_t m;
            if (as_decimal(values[i], decimals, &m))
                continue;
            codec_append_varint(out, i - before);
            before = i;
            codec_append64(out, codec_double_bits(values[i]));
        }
    } else {
        buf_append_char(out, DOUBLE_BITS);
        for (size_t i = 0; i < count; i++)
            ints[i] = (int64_t)codec_double_bits(values[i]);
        codec_ints_encode(ints, count, out);
    }
    if (ints != small)
        mem_free(ints);
}

/* Integers to doubles in place, each divided by the divisor. */
static void to_doubles(int64_t *v, size_t count, double divisor)
{
    for (size_t i = 0; i < count; i++) {
        double d = (double)v[i] / divisor;
        memcpy(&v[i], &d, sizeof(d));
    }
}

#if defined(__x86_64__)

/* The same four at a time: below 2^51, an integer added to the bits of 1.5 * 2^52 is that plus the
 * integer. */
__attribute__((target("avx2"))) static void to_doubles_avx2(int64_t *v, size_t count,
                                                            double divisor)
{
    const __m256i magic = _mm256_castpd_si256(_mm256_set1_pd(6755399441055744.0)),
                  half = _mm256_set1_epi64x(INT64_C(1) << 51),
                  beyond = _mm256_set1_epi64x(-(INT64_C(1) << 52));
    const __m256d by = _mm256_set1_pd(divisor);
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(v + i));
        if (!_mm256_testz_si256(_mm256_add_epi64(x, half), beyond)) {
            to_doubles(v + i, 4, divisor);
            continue;
        }
        __m256d d = _mm256_sub_pd(_mm256_castsi256_pd(_mm256_add_epi64(x, magic)),
                                  _mm256_castsi256_pd(magic));
        if (divisor != 1)
            d = _mm256_div_pd(d, by);
        _mm256_storeu_pd((double *)(void *)(v + i), d);
    }
    to_doubles(v + i, count - i, divisor);
}

#endif

int codec_doubles_decode(struct slice *in, double *values, size_t count)
{
    if (!count)
        return 0;
    if (!in->len)
        return ERR_CORRUPT;
    char kind = in->ptr[0];
    *in = slice_from(*in, 1);
    /* An int64 and a double have the same size: the integers are turned in place. */
    int64_t *ints = (int64_t *)(void *)values;
    if (kind == DOUBLE_BITS)
        return codec_ints_decode(in, ints, count);
    if (kind != DOUBLE_DECIMAL || !in->len || (unsigned char)in->ptr[0] > DECIMALS_MAX)
        return ERR_CORRUPT;
    double divisor = pow10_exact[(unsigned char)in->ptr[0]];
    *in = slice_from(*in, 1);
    int err = codec_ints_decode(in, ints, count);
    if (err)
        return err;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        to_doubles_avx2(ints, count, divisor);
    else
#endif
        to_doubles(ints, count, divisor);
    uint64_t exceptions, at = 0, gap;
    if (!codec_take_varint(in, &exceptions) || exceptions > count)
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < exceptions; i++) {
        if (!codec_take_varint(in, &gap) || gap >= count || (at += gap) >= count || in->len < 8)
            return ERR_CORRUPT;
        values[at] = codec_load_double(in->ptr);
        *in = slice_from(*in, 8);
    }
    return 0;
}
