#include "store/summary.h"

#include <math.h>

#include "codec/bytes.h"
#include "codec/decimal.h"

#define NUMBERS_MAX (4 + STORE_SUMMARY_DROPS)
#define EXACT       9007199254740992.0 /* integers up to here are doubles, and so are their sums */

enum {
    THERE = 1,       /* else nothing follows */
    BITS = 2,        /* numbers are doubles as they are, else decimal integers */
    INTEGERS = 4,    /* all values are; with decimals there are none to be told */
    EQUAL = 8,       /* all values are the first */
    RISING = 16,     /* or equal: the first is the least, the last the greatest */
    SUM = 32,        /* is told */
    BEFORE = 64,     /* the values before drops are told */
    ALL_CHANGE = 128 /* each value differs from the one before */
};

static bool is_ordinary(double v)
{
    uint64_t bits = codec_double_bits(v);
    return (bits & UINT64_C(0x7ff0000000000000)) != UINT64_C(0x7ff0000000000000) &&
           bits != UINT64_C(1) << 63;
}

/* What follows from the first value when all are the same. */
static void make_equal(double v, size_t count, struct store_summary *out)
{
    out->first = out->last = out->min = out->max = v;
    out->knows = STORE_KNOWS_ENDS | STORE_KNOWS_RESETS;
    if (v != trunc(v))
        return;
    out->knows |= STORE_KNOWS_INTEGERS;
    if (fabs(v) * (double)count < EXACT) {
        out->knows |= STORE_KNOWS_SUM;
        out->sum = v * (double)count;
    }
}

void store_summary_make(const double *v, size_t count, struct store_summary *out)
{
    uint32_t at = out->at, changes = 0, drops = 0;
    *out = (struct store_summary){.at = at, .count = (uint32_t)count};
    size_t same = 1;
    uint64_t bits = codec_double_bits(v[0]);
    while (same < count && codec_double_bits(v[same]) == bits)
        same++;
    if (!is_ordinary(v[0]))
        return;
    if (same == count) {
        make_equal(v[0], count, out);
        return;
    }
    double min = v[0], max = v[0], sum = v[0], zero = 0;
    bool odd = false, fraction = v[0] != trunc(v[0]);
    for (size_t i = 1; i < count; i++) {
        double x = v[i], before = v[i - 1];
        zero += x - x; /* NaN from the first that is not finite */
        odd |= codec_double_bits(x) == UINT64_C(1) << 63;
        fraction |= x != trunc(x);
        changes += x != before;
        drops += x < before;
        min = x < min ? x : min;
        max = x > max ? x : max;
        sum += x;
    }
    if (odd || zero != 0)
        return;
    out->knows = STORE_KNOWS_ENDS;
    out->first = v[0];
    out->last = v[count - 1];
    out->min = min;
    out->max = max;
    out->changes = changes;
    out->drops = drops;
    if (!fraction) {
        out->knows |= STORE_KNOWS_INTEGERS;
        /* Counters are not summed up, and it would be the longest number of theirs. */
        if (drops && fmax(fabs(min), fabs(max)) * (double)count < EXACT) {
            out->knows |= STORE_KNOWS_SUM;
            out->sum = sum;
        }
    }
    if (drops > STORE_SUMMARY_DROPS)
        return;
    out->knows |= STORE_KNOWS_RESETS;
    for (size_t i = 1, n = 0; n < drops; i++) {
        if (v[i] < v[i - 1])
            out->before[n++] = v[i - 1];
    }
}

/* The least decimals that all numbers have exactly; -1: none. Their integers to m. */
static int decimals_of(const double *numbers, size_t count, int64_t *m)
{
    int decimals = 0;
    for (size_t i = 0; i < count && decimals <= CODEC_DECIMALS_MAX;) {
        if (codec_decimal_from(numbers[i], decimals, &m[i])) {
            i++;
        } else {
            decimals++;
            i = 0;
        }
    }
    return decimals <= CODEC_DECIMALS_MAX ? decimals : -1;
}

/* In the order they are told in. */
static size_t numbers_of(const struct store_summary *s, unsigned flags, double *out)
{
    size_t n = 0;
    out[n++] = s->first;
    if (flags & EQUAL)
        return n;
    out[n++] = s->last;
    if (!(flags & RISING)) {
        out[n++] = s->min;
        out[n++] = s->max;
    }
    for (uint32_t i = 0; flags & BEFORE && i < s->drops; i++)
        out[n++] = s->before[i];
    return n;
}

/* Least, greatest and what was before drops lie on one side of another number. */
static int64_t distance(const int64_t *m, size_t i)
{
    return i == 1 ? m[1] - m[0] : i == 2 ? m[0] - m[2] : i == 3 ? m[3] - m[0] : m[3] - m[i];
}

static int64_t from_distance(const int64_t *m, size_t i, uint64_t d)
{
    uint64_t of = (uint64_t)m[i > 3 ? 3 : 0];
    return (int64_t)(i == 2 || i > 3 ? of - d : of + d);
}

static void put_numbers(struct store_summary_chain *c, const double *numbers, size_t count,
                        unsigned flags, const int64_t *m, int decimals, struct buf *out)
{
    for (size_t i = 0; flags & BITS && i < count; i++)
        codec_append64(out, codec_double_bits(numbers[i]));
    if (flags & BITS)
        return;
    if (!(flags & INTEGERS))
        buf_append_char(out, (char)decimals);
    codec_append_varint(out, codec_zigzag(m[0] - (decimals == c->decimals ? c->last : 0)));
    for (size_t i = 1; i < count; i++) {
        int64_t d = distance(m, i);
        codec_append_varint(out, i == 1 ? codec_zigzag(d) : (uint64_t)d);
    }
    c->last = m[count > 1];
    c->decimals = decimals;
}

void store_summary_encode(struct store_summary_chain *c, const struct store_summary *s,
                          struct buf *out)
{
    double numbers[NUMBERS_MAX];
    int64_t m[NUMBERS_MAX];
    if (!s->knows) {
        buf_append_char(out, 0);
        return;
    }
    unsigned flags = THERE | (s->knows & STORE_KNOWS_INTEGERS ? INTEGERS : 0);
    if (!s->changes)
        flags |= EQUAL;
    else if (s->changes == s->count - 1)
        flags |= ALL_CHANGE;
    if (!s->drops)
        flags |= RISING;
    else if (s->knows & STORE_KNOWS_RESETS)
        flags |= BEFORE;
    if (s->drops && s->knows & STORE_KNOWS_SUM)
        flags |= SUM;
    size_t count = numbers_of(s, flags, numbers);
    int decimals = decimals_of(numbers, count, m);
    if (decimals < 0 || (decimals && flags & INTEGERS))
        flags |= BITS;
    buf_append_char(out, (char)flags);
    if (!(flags & (EQUAL | ALL_CHANGE)))
        codec_append_varint(out, s->changes);
    if (!(flags & RISING))
        codec_append_varint(out, s->drops);
    put_numbers(c, numbers, count, flags, m, decimals, out);
    if (flags & SUM)
        codec_append_varint(out, codec_zigzag((int64_t)(s->sum - s->first * (double)s->count)));
}

static int take_numbers(struct store_summary_chain *c, struct slice *in, unsigned flags,
                        size_t count, double *out)
{
    int64_t m[NUMBERS_MAX];
    uint64_t d;
    int decimals = 0;
    if (flags & BITS) {
        if (in->len < 8 * count)
            return ERR_CORRUPT;
        for (size_t i = 0; i < count; i++) {
            out[i] = codec_load_double(in->ptr + 8 * i);
            if (!is_ordinary(out[i]))
                return ERR_CORRUPT;
        }
        *in = slice_from(*in, 8 * count);
        return 0;
    }
    if (!(flags & INTEGERS)) {
        if (!in->len || (decimals = (unsigned char)in->ptr[0]) > CODEC_DECIMALS_MAX)
            return ERR_CORRUPT;
        *in = slice_from(*in, 1);
    }
    for (size_t i = 0; i < count; i++) {
        if (!codec_take_varint(in, &d))
            return ERR_CORRUPT;
        if (i == 0)
            m[0] = codec_unzigzag(d) + (decimals == c->decimals ? c->last : 0);
        else
            m[i] = from_distance(m, i, i == 1 ? (uint64_t)codec_unzigzag(d) : d);
        out[i] = codec_decimal_value(m[i], decimals);
    }
    c->last = m[count > 1];
    c->decimals = decimals;
    return 0;
}

/* How often values change and drop; what contradicts itself is damaged. */
static int take_counts(struct slice *in, unsigned flags, struct store_summary *s)
{
    uint64_t changes = flags & EQUAL ? 0 : s->count - 1, drops = 0;
    if (!(flags & (EQUAL | ALL_CHANGE)) && !codec_take_varint(in, &changes))
        return ERR_CORRUPT;
    if (!(flags & RISING) && !codec_take_varint(in, &drops))
        return ERR_CORRUPT;
    if (changes >= s->count || drops > changes || !changes != !!(flags & EQUAL) ||
        !drops != !!(flags & RISING) || (flags & BEFORE && drops > STORE_SUMMARY_DROPS))
        return ERR_CORRUPT;
    s->changes = (uint32_t)changes;
    s->drops = (uint32_t)drops;
    return 0;
}

int store_summary_decode(struct store_summary_chain *c, struct slice *in, uint32_t count,
                         struct store_summary *out)
{
    double numbers[NUMBERS_MAX];
    uint64_t sum;
    *out = (struct store_summary){.count = count};
    if (!in->len || !count)
        return ERR_CORRUPT;
    unsigned flags = (unsigned char)in->ptr[0];
    *in = slice_from(*in, 1);
    if (!flags)
        return 0;
    if (!(flags & THERE) || (flags & EQUAL && flags & (SUM | BEFORE | ALL_CHANGE)) ||
        (flags & RISING && flags & (SUM | BEFORE)) || (flags & SUM && !(flags & INTEGERS)))
        return ERR_CORRUPT;
    int err = take_counts(in, flags, out);
    size_t n = flags & EQUAL ? 1 : flags & RISING ? 2 : 4 + (flags & BEFORE ? out->drops : 0);
    if (!err)
        err = take_numbers(c, in, flags, n, numbers);
    if (err || (flags & SUM && !codec_take_varint(in, &sum)))
        return ERR_CORRUPT;
    if (flags & EQUAL) {
        make_equal(numbers[0], count, out);
        return 0;
    }
    out->knows = STORE_KNOWS_ENDS | (flags & INTEGERS ? STORE_KNOWS_INTEGERS : 0) |
                 (flags & (RISING | BEFORE) ? STORE_KNOWS_RESETS : 0);
    out->first = numbers[0];
    out->last = numbers[1];
    out->min = flags & RISING ? numbers[0] : numbers[2];
    out->max = flags & RISING ? numbers[1] : numbers[3];
    for (size_t i = 4; i < n; i++)
        out->before[i - 4] = numbers[i];
    if (!(flags & SUM))
        return 0;
    out->knows |= STORE_KNOWS_SUM;
    out->sum = out->first * (double)count + (double)codec_unzigzag(sum);
    return fabs(out->sum) < EXACT && fabs(out->first) * (double)count < EXACT ? 0 : ERR_CORRUPT;
}
