/* Numbers to text and back, exactly. Doubles print in their shortest form that reads back the same
 * (Schubfach, R. Giulietti 2020), spelled as Go's strconv does, which is how Prometheus prints;
 * reading is correctly rounded (Clinger's fast path, Eisel-Lemire, the C library for the rest). */
#ifndef CODEC_NUMBER_H
#define CODEC_NUMBER_H

#include "base/buf.h"
#include "base/slice.h"

/* Longest text of codec_double_to_text in plain form is 1 + 309 digits, or 0. + 324 digits. */
#define CODEC_DOUBLE_TEXT_MAX 344
#define CODEC_INT_TEXT_MAX    21

enum codec_double_style {
    CODEC_DOUBLE_PLAIN,   /* FormatFloat(v, 'f', -1, 64): sample values of the HTTP API */
    CODEC_DOUBLE_GENERAL, /* FormatFloat(v, 'g', -1, 64): exponents below 1e-4 and from 1e6: le
                             labels, expositions */
    CODEC_DOUBLE_JSON, /* encoding/json: exponents below 1e-6 and from 1e21, "e-7" instead of "e-07"
                        */
};

/* Both write without NUL and return the length. Infinities are +Inf and -Inf, any NaN is NaN. */
size_t codec_double_to_text(double v, enum codec_double_style style, char *out);
size_t codec_int_to_text(int64_t v, char *out);
size_t codec_uint_to_text(uint64_t v, char *out);
void codec_append_double(struct buf *b, double v, enum codec_double_style style);
void codec_append_int(struct buf *b, int64_t v);

/* The whole text must be the number. Accepts decimal with optional sign and exponent, hexadecimal
 * floats (0x1p-2), and inf, infinity, nan in any case with a sign, as Go's ParseFloat without
 * underscores. Overflow gives an infinity and false in *out_in_range (may be NULL). */
bool codec_text_to_double(struct slice text, double *out, bool *out_in_range);
/* Decimal, optional sign; false on overflow or anything else. */
bool codec_text_to_int(struct slice text, int64_t *out);
bool codec_text_to_uint(struct slice text, uint64_t *out);

/* The shortest decimal digits of a finite v != 0: v = ±digits * 10^exp10. digits has no trailing
 * zero. */
void codec_double_digits(double v, uint64_t *out_digits, int *out_exp10);

#endif
