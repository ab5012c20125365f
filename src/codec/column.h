/* Columns of integers and doubles, packed tightly and losslessly (docs/formats/part.md gives the
 * bytes).
 *
 * Integers: the best of constant, offset, delta and delta-of-delta, common divisor taken out, then
 * bit-packed in groups of 256 at the width each group needs. Doubles: as decimal integers with one
 * exponent where that is exact bit for bit, exceptions aside, otherwise their raw bits. */
#ifndef CODEC_COLUMN_H
#define CODEC_COLUMN_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

#define CODEC_COLUMN_MAX 65536 /* values in one column */

/* Appends `count` values. */
void codec_ints_encode(const int64_t *values, size_t count, struct buf *out);
void codec_doubles_encode(const double *values, size_t count, struct buf *out);

/* Cuts one column of exactly `count` values off the front of *in. ERR_CORRUPT when it is none; any
 * bytes are safe. */
int codec_ints_decode(struct slice *in, int64_t *values, size_t count);
/* The same without unpacking them. */
int codec_ints_skip(struct slice *in, size_t count);
int codec_doubles_decode(struct slice *in, double *values, size_t count);
/* What the form of a column tells of its values. */
enum codec_doubles_fact {
    CODEC_DOUBLES_ORDINARY = 1, /* none is NaN, infinite or -0 */
    CODEC_DOUBLES_INTEGERS = 2, /* all are integers */
};
/* The same; *facts is what is known. */
int codec_doubles_decode_facts(struct slice *in, double *values, size_t count, unsigned *facts);

#endif
