/* Doubles as decimal integers, where that is exact bit for bit: 12.34 is 1234 with two decimals.
 * Division, not multiplication, gives them back, so that whatever was printed with that many
 * decimals comes through. Header only. */
#ifndef CODEC_DECIMAL_H
#define CODEC_DECIMAL_H

#include <math.h>

#include "codec/bytes.h"

#define CODEC_DECIMALS_MAX 14

static const double codec_decimal_powers[CODEC_DECIMALS_MAX + 1] = {
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14};

static inline double codec_decimal_value(int64_t m, int decimals)
{
    return (double)m / codec_decimal_powers[decimals];
}

/* False when `decimals` decimals do not give v back: NaN, infinities and -0 never do. */
static inline bool codec_decimal_from(double v, int decimals, int64_t *out)
{
    double scaled = v * codec_decimal_powers[decimals];
    if (!(fabs(scaled) < 4611686018427387904.0))
        return false;
    *out = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
    return codec_double_bits(codec_decimal_value(*out, decimals)) == codec_double_bits(v);
}

#endif
