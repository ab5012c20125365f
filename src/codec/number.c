#include "codec/number.h"

#include <math.h>
#include <stdlib.h>

#include "codec/bytes.h"
#include "codec/number_priv.h"

#define SIGNIFICAND_BITS 52
#define HIDDEN_BIT       (UINT64_C(1) << SIGNIFICAND_BITS)
#define EXPONENT_BIAS    1075 /* with the significand read as an integer */

typedef unsigned __int128 u128;

/* --- printing --- */

/* floor(log2(10^e)) and floor(log10(2^e)) for the exponents of doubles. */
static inline int floor_log2_pow10(int e)
{
    return (e * 1741647) >> 19;
}

/* 10^e to 128 bits, rounded up: the printing algorithm needs an upper bound. */
static inline void pow10_up(int e, uint64_t *hi, uint64_t *lo)
{
    const uint64_t *p = codec__pow10[e - CODEC__POW10_MIN];
    bool exact = e >= 0 && e <= 55;
    *lo = p[1] + !exact;
    *hi = p[0] + (!exact && *lo == 0);
}

static inline uint64_t round_to_odd(uint64_t hi, uint64_t lo, uint64_t c)
{
    u128 x = (u128)lo * c;
    u128 y = (u128)hi * c + (uint64_t)(x >> 64);
    return (uint64_t)(y >> 64) | ((uint64_t)y > 1);
}

/* Names follow the paper: c * 2^q is the value, [cbl, cbr] the interval that rounds to it, times 4.
 */
static void shortest(uint64_t bits, uint64_t *out_digits, int *out_exp10)
{
    uint64_t fraction = bits & (HIDDEN_BIT - 1);
    int exponent = (int)(bits >> SIGNIFICAND_BITS) & 0x7ff;
    uint64_t c = exponent ? fraction | HIDDEN_BIT : fraction;
    int q = exponent ? exponent - EXPONENT_BIAS : 1 - EXPONENT_BIAS;
    if (exponent && q <= 0 && q > -(SIGNIFICAND_BITS + 1) && (c & ((UINT64_C(1) << -q) - 1)) == 0) {
        *out_digits = c >> -q;
        *out_exp10 = 0;
        return;
    }
    bool closer_below = fraction == 0 && exponent > 1;
    bool even = (c & 1) == 0;
    uint64_t cb = 4 * c, cbl = cb - 2 + closer_below, cbr = cb + 2;
    int k = (q * 1262611 - (closer_below ? 524031 : 0)) >> 22;
    int h = q + floor_log2_pow10(-k) + 1;
    uint64_t hi, lo;
    pow10_up(-k, &hi, &lo);
    uint64_t vbl = round_to_odd(hi, lo, cbl << h);
    uint64_t vb = round_to_odd(hi, lo, cb << h);
    uint64_t vbr = round_to_odd(hi, lo, cbr << h);
    uint64_t lower = vbl + !even, upper = vbr - !even;
    uint64_t s = vb / 4;
    if (s >= 10) {
        uint64_t sp = s / 10;
        bool up_inside = lower <= 40 * sp, wp_inside = 40 * sp + 40 <= upper;
        if (up_inside != wp_inside) {
            *out_digits = sp + wp_inside;
            *out_exp10 = k + 1;
            return;
        }
    }
    bool u_inside = lower <= 4 * s, w_inside = 4 * s + 4 <= upper;
    *out_exp10 = k;
    if (u_inside != w_inside) {
        *out_digits = s + w_inside;
        return;
    }
    uint64_t mid = 4 * s + 2;
    *out_digits = s + (vb > mid || (vb == mid && (s & 1)));
}

void codec_double_digits(double v, uint64_t *out_digits, int *out_exp10)
{
    uint64_t digits;
    int exp10;
    shortest(codec_double_bits(v) & ~(UINT64_C(1) << 63), &digits, &exp10);
    while (digits % 10 == 0 && digits) {
        digits /= 10;
        exp10++;
    }
    *out_digits = digits;
    *out_exp10 = exp10;
}

static const char two_digits[201] = "00010203040506070809101112131415161718192021222324252627282930"
                                    "313233343536373839404142434445464748"
                                    "49505152535455565758596061626364656667686970717273747576777879"
                                    "80818283848586878889909192939495969798"
                                    "99";

size_t codec_uint_to_text(uint64_t v, char *out)
{
    char tmp[CODEC_INT_TEXT_MAX];
    size_t at = sizeof(tmp);
    while (v >= 100) {
        at -= 2;
        memcpy(tmp + at, two_digits + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10) {
        at -= 2;
        memcpy(tmp + at, two_digits + v * 2, 2);
    } else {
        tmp[--at] = (char)('0' + v);
    }
    memcpy(out, tmp + at, sizeof(tmp) - at);
    return sizeof(tmp) - at;
}

size_t codec_int_to_text(int64_t v, char *out)
{
    if (v >= 0)
        return codec_uint_to_text((uint64_t)v, out);
    *out = '-';
    return 1 + codec_uint_to_text(0 - (uint64_t)v, out + 1);
}

static char *put_zeros(char *at, int n)
{
    for (; n > 0; n--)
        *at++ = '0';
    return at;
}

size_t codec_double_to_text(double v, enum codec_double_style style, char *out)
{
    char *at = out;
    if (isnan(v)) {
        memcpy(at, "NaN", 3);
        return 3;
    }
    if (isinf(v)) {
        memcpy(at, v > 0 ? "+Inf" : "-Inf", 4);
        return 4;
    }
    if (signbit(v))
        *at++ = '-';
    if (v == 0) {
        *at++ = '0';
        return (size_t)(at - out);
    }
    uint64_t digits;
    int exp10;
    codec_double_digits(v, &digits, &exp10);
    char text[24];
    int count = (int)codec_uint_to_text(digits, text);
    int point = count + exp10; /* digits before the decimal point */
    bool exponent = style == CODEC_DOUBLE_GENERAL ? point - 1 < -4 || point - 1 >= 6
                    : style == CODEC_DOUBLE_JSON  ? point - 1 < -6 || point - 1 >= 21
                                                  : false;
    if (exponent) {
        int e = point - 1;
        *at++ = text[0];
        if (count > 1) {
            *at++ = '.';
            memcpy(at, text + 1, (size_t)count - 1);
            at += count - 1;
        }
        *at++ = 'e';
        *at++ = e < 0 ? '-' : '+';
        if (e < 0)
            e = -e;
        if (e < 10 && style == CODEC_DOUBLE_GENERAL)
            *at++ = '0';
        at += codec_uint_to_text((uint64_t)e, at);
    } else if (point <= 0) {
        *at++ = '0';
        *at++ = '.';
        at = put_zeros(at, -point);
        memcpy(at, text, (size_t)count);
        at += count;
    } else if (point >= count) {
        memcpy(at, text, (size_t)count);
        at = put_zeros(at + count, point - count);
    } else {
        memcpy(at, text, (size_t)point);
        at[point] = '.';
        memcpy(at + point + 1, text + point, (size_t)(count - point));
        at += count + 1;
    }
    return (size_t)(at - out);
}

void codec_append_double(struct buf *b, double v, enum codec_double_style style)
{
    b->len += codec_double_to_text(v, style, buf_reserve(b, CODEC_DOUBLE_TEXT_MAX));
}

void codec_append_int(struct buf *b, int64_t v)
{
    b->len += codec_int_to_text(v, buf_reserve(b, CODEC_INT_TEXT_MAX));
}

/* --- reading --- */

bool codec_text_to_uint(struct slice text, uint64_t *out)
{
    uint64_t v = 0;
    if (!text.len)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned d = (unsigned char)text.ptr[i] - '0';
        if (d > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, d, &v))
            return false;
    }
    *out = v;
    return true;
}

bool codec_text_to_int(struct slice text, int64_t *out)
{
    bool negative = text.len && text.ptr[0] == '-';
    if (text.len && (negative || text.ptr[0] == '+'))
        text = slice_from(text, 1);
    uint64_t v;
    if (!codec_text_to_uint(text, &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* D. Lemire, "Number parsing at a gigabyte per second" (2021): mantissa * 10^exp10 correctly
 * rounded, or false when 128 bits do not decide. */
static bool eisel_lemire(uint64_t mantissa, int exp10, double *out)
{
    if (exp10 < CODEC__POW10_MIN || exp10 > CODEC__POW10_MAX)
        return false;
    int zeros = __builtin_clzll(mantissa);
    uint64_t m = mantissa << zeros;
    uint64_t exp2 = (uint64_t)(((217706 * exp10) >> 16) + 64 + 1023) - (uint64_t)zeros;
    const uint64_t *p = codec__pow10[exp10 - CODEC__POW10_MIN];
    u128 x = (u128)m * p[0];
    uint64_t hi = (uint64_t)(x >> 64), lo = (uint64_t)x;
    if ((hi & 0x1ff) == 0x1ff && lo + m < m) {
        u128 y = (u128)m * p[1];
        uint64_t y_hi = (uint64_t)(y >> 64), y_lo = (uint64_t)y;
        uint64_t merged_hi = hi, merged_lo = lo + y_hi;
        if (merged_lo < lo)
            merged_hi++;
        if ((merged_hi & 0x1ff) == 0x1ff && merged_lo + 1 == 0 && y_lo + m < m)
            return false;
        hi = merged_hi;
        lo = merged_lo;
    }
    uint64_t msb = hi >> 63;
    uint64_t result = hi >> (msb + 9);
    exp2 -= 1 ^ msb;
    if (lo == 0 && (hi & 0x1ff) == 0 && (result & 3) == 1)
        return false; /* halfway between two doubles as far as 128 bits tell */
    result += result & 1;
    result >>= 1;
    if (result >> 53) {
        result >>= 1;
        exp2++;
    }
    if (exp2 - 1 >= 0x7ff - 1)
        return false; /* subnormal, zero or infinite: left to the slow path */
    *out = codec_bits_double(exp2 << SIGNIFICAND_BITS | (result & (HIDDEN_BIT - 1)));
    return true;
}

static bool slow(struct slice text, double *out, bool *in_range)
{
    char small[128], *copy = text.len < sizeof(small) ? small : malloc(text.len + 1);
    if (!copy)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *end;
    *out = strtod(copy, &end);
    bool ok = end == copy + text.len;
    if (copy != small)
        free(copy);
    if (isinf(*out))
        *in_range = false;
    return ok;
}

static bool is_word(struct slice s, double *out)
{
    if (slice_eq_nocase(s, SLICE("inf")) || slice_eq_nocase(s, SLICE("infinity"))) {
        *out = INFINITY;
        return true;
    }
    if (slice_eq_nocase(s, SLICE("nan"))) {
        /* The quiet NaN that Go gives, bit for bit. */
        *out = codec_bits_double(UINT64_C(0x7ff8000000000001));
        return true;
    }
    return false;
}

/* Hexadecimal needs the 'p' exponent in Go; C's reader takes it without, so it is asked for here.
 */
static bool is_hex_float(struct slice s)
{
    size_t i = 2, digits = 0;
    bool point = false;
    for (; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '.' && !point)
            point = true;
        else if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            digits++;
        else
            break;
    }
    if (!digits || i >= s.len || (s.ptr[i] | 32) != 'p')
        return false;
    i++;
    if (i < s.len && (s.ptr[i] == '+' || s.ptr[i] == '-'))
        i++;
    size_t first = i;
    while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9')
        i++;
    return i == s.len && i > first;
}

bool codec_text_to_double(struct slice text, double *out, bool *out_in_range)
{
    static const double small_pow10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                         1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                         1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    bool in_range = true;
    const char *p = text.ptr, *end = p + text.len;
    if (out_in_range)
        *out_in_range = true;
    if (p == end)
        return false;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    if (p == end)
        return false;
    if (*p > '9') {
        if (!is_word(slice_make(p, (size_t)(end - p)), out))
            return false;
        if (negative && !isnan(*out))
            *out = -*out;
        return true;
    }
    if (end - p > 2 && p[0] == '0' && (p[1] | 32) == 'x') {
        if (!is_hex_float(slice_make(p, (size_t)(end - p))))
            return false;
        bool ok = slow(text, out, &in_range);
        if (out_in_range)
            *out_in_range = in_range;
        return ok;
    }
    uint64_t mantissa = 0;
    int digits = 0, dropped = 0, exp10 = 0;
    bool any = false, point = false, inexact = false;
    for (; p < end; p++) {
        unsigned d = (unsigned char)*p - '0';
        if (d <= 9) {
            any = true;
            if (digits < 19) {
                mantissa = mantissa * 10 + d;
                digits += mantissa != 0;
                exp10 -= point;
            } else {
                inexact |= d != 0;
                dropped += !point;
            }
        } else if (*p == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    if (!any)
        return false;
    exp10 += dropped;
    if (p < end) {
        if ((*p | 32) != 'e')
            return false;
        p++;
        bool exp_negative = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        if (p == end)
            return false;
        int e = 0;
        for (; p < end; p++) {
            unsigned d = (unsigned char)*p - '0';
            if (d > 9)
                return false;
            if (e < 100000)
                e = e * 10 + (int)d;
        }
        exp10 += exp_negative ? -e : e;
    }
    double v;
    if (!mantissa) {
        v = 0;
    } else if (!inexact && mantissa < HIDDEN_BIT * 2 && exp10 >= -22 && exp10 <= 22) {
        v = exp10 < 0 ? (double)mantissa / small_pow10[-exp10]
                      : (double)mantissa * small_pow10[exp10];
    } else {
        double above;
        bool ok = eisel_lemire(mantissa, exp10, &v) &&
                  (!inexact || (eisel_lemire(mantissa + 1, exp10, &above) && above == v));
        if (!ok) {
            ok = slow(text, out, &in_range);
            if (out_in_range)
                *out_in_range = in_range;
            return ok;
        }
    }
    *out = negative ? -v : v;
    return true;
}
