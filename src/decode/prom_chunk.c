#include "decode/prom_chunk.h"

#include <math.h>

#include "base/mem.h"
#include "codec/bytes.h"
#include "data/histogram_math.h"
#include "data/metric_batch.h"

static int64_t to_ms(int64_t ts_ns)
{
    return ts_ns / NS_PER_MS - (ts_ns % NS_PER_MS < 0);
}

/* --- bits, the most significant first --- */

struct bits {
    struct buf *out;
    unsigned free; /* unused low bits of the last byte */
};

static void put_bits(struct bits *b, uint64_t v, unsigned count)
{
    while (count) {
        if (!b->free) {
            buf_append_char(b->out, 0);
            b->free = 8;
        }
        unsigned n = MIN(count, b->free);
        uint64_t part = v >> (count - n) & ((1u << n) - 1);
        b->out->ptr[b->out->len - 1] |= (char)(part << (b->free - n));
        b->free -= n;
        count -= n;
    }
}

static void put_varint(struct bits *b, uint64_t v)
{
    char text[CODEC_VARINT_MAX];
    size_t n = (size_t)(codec_put_varint(text, v) - text);
    for (size_t i = 0; i < n; i++)
        put_bits(b, (unsigned char)text[i], 8);
}

/* Whether `bits` bits hold v, in the format's own range: one more above than below zero. */
static bool fits(int64_t v, unsigned bits)
{
    int64_t half = INT64_C(1) << (bits - 1);
    return v >= 1 - half && v <= half;
}

/* Variable length: the k-th class has k ones, a zero, and so many bits. */
static const unsigned varbit_bits[] = {0, 3, 6, 9, 12, 18, 25, 56, 64};

static void put_varbit_class(struct bits *b, unsigned k, uint64_t v)
{
    put_bits(b, k == 8 ? 0xff : (1u << (k + 1)) - 2, k == 8 ? 8 : k + 1);
    put_bits(b, v, varbit_bits[k]);
}

static void put_varbit_int(struct bits *b, int64_t v)
{
    unsigned k = 0;
    while (k < 8 && !(k ? fits(v, varbit_bits[k]) : v == 0))
        k++;
    put_varbit_class(b, k, (uint64_t)v);
}

static void put_varbit_uint(struct bits *b, uint64_t v)
{
    unsigned k = 0;
    while (k < 8 && v >> varbit_bits[k])
        k++;
    put_varbit_class(b, k, v);
}

/* --- values by exclusive or with the one before --- */

struct xor_state {
    double value;
    unsigned leading, trailing;
    bool window; /* leading and trailing are set */
};

static void put_xor(struct bits *b, struct xor_state *x, double v)
{
    uint64_t delta = codec_double_bits(v) ^ codec_double_bits(x->value);
    x->value = v;
    if (!delta) {
        put_bits(b, 0, 1);
        return;
    }
    put_bits(b, 1, 1);
    unsigned leading = MIN((unsigned)__builtin_clzll(delta), 31u);
    unsigned trailing = (unsigned)__builtin_ctzll(delta);
    if (x->window && leading >= x->leading && trailing >= x->trailing) {
        put_bits(b, 0, 1);
    } else {
        *x = (struct xor_state){v, leading, trailing, true};
        put_bits(b, 1, 1);
        put_bits(b, leading, 5);
        put_bits(b, (64 - leading - trailing) & 63, 6); /* 64 is written as 0 */
    }
    put_bits(b, delta >> x->trailing, 64 - x->leading - x->trailing);
}

static void put_count(struct buf *out, size_t at, size_t count)
{
    out->ptr[at] = (char)(count >> 8);
    out->ptr[at + 1] = (char)count;
}

static void put_dod(struct bits *b, int64_t dod)
{
    if (!dod)
        put_bits(b, 0, 1);
    else if (fits(dod, 14))
        put_bits(b, 2, 2), put_bits(b, (uint64_t)dod, 14);
    else if (fits(dod, 17))
        put_bits(b, 6, 3), put_bits(b, (uint64_t)dod, 17);
    else if (fits(dod, 20))
        put_bits(b, 14, 4), put_bits(b, (uint64_t)dod, 20);
    else
        put_bits(b, 15, 4), put_bits(b, (uint64_t)dod, 64);
}

void decode_chunk_put_floats(const int64_t *ts_ns, const double *value, size_t count,
                             struct buf *out)
{
    struct bits b = {.out = out};
    struct xor_state x = {.value = value[0]};
    int64_t ts = to_ms(ts_ns[0]), delta = 0;
    size_t head = out->len;
    buf_append(out, "\0\0", 2);
    put_count(out, head, count);
    put_varint(&b, codec_zigzag(ts));
    put_bits(&b, codec_double_bits(value[0]), 64);
    for (size_t i = 1; i < count; i++) {
        int64_t next = to_ms(ts_ns[i]), d = next - ts;
        if (i == 1)
            put_varint(&b, (uint64_t)d);
        else
            put_dod(&b, d - delta);
        put_xor(&b, &x, value[i]);
        delta = d;
        ts = next;
    }
}

/* --- histograms --- */

static void put_spans(struct bits *b, const struct data_histogram_span *spans, uint32_t count)
{
    put_varbit_uint(b, count);
    for (uint32_t i = 0; i < count; i++) {
        put_varbit_uint(b, spans[i].length);
        put_varbit_int(b, spans[i].offset);
    }
}

/* One byte for 0 and the usual powers of two. */
static void put_zero_threshold(struct bits *b, double v)
{
    int exponent;
    if (v == 0) {
        put_bits(b, 0, 8);
    } else if (frexp(v, &exponent) == 0.5 && exponent >= -242 && exponent <= 11) {
        put_bits(b, (uint64_t)(exponent + 243), 8);
    } else {
        put_bits(b, 255, 8);
        put_bits(b, codec_double_bits(v), 64);
    }
}

/* Thousandths up to 33,554.430 as a number, anything else as it is. */
static void put_bound(struct bits *b, double v)
{
    double thousandths = v * 1000;
    if (thousandths >= 0 && thousandths <= 33554430 && round(thousandths) / 1000 == v) {
        put_varbit_uint(b, (uint64_t)round(thousandths) + 1);
    } else {
        put_bits(b, 0, 1);
        put_bits(b, codec_double_bits(v), 64);
    }
}

static void put_layout(struct bits *b, const struct data_histogram *h)
{
    put_zero_threshold(b, h->zero_threshold);
    put_varbit_int(b, h->schema);
    put_spans(b, h->positive_spans, h->positive_span_count);
    put_spans(b, h->negative_spans, h->negative_span_count);
    if (h->schema != DATA_HISTOGRAM_SCHEMA_CUSTOM)
        return;
    put_varbit_uint(b, h->custom_bound_count);
    for (uint32_t i = 0; i < h->custom_bound_count; i++)
        put_bound(b, h->custom_bounds[i]);
}

static bool same_spans(const struct data_histogram_span *a, uint32_t a_count,
                       const struct data_histogram_span *b, uint32_t b_count)
{
    return a_count == b_count && (!a_count || memcmp(a, b, a_count * sizeof(*a)) == 0);
}

static bool goes_on(const struct data_histogram *a, const struct data_histogram *b)
{
    bool gauge = b->reset_hint == DATA_RESET_GAUGE;
    return !a->is_stale && !b->is_stale && a->is_integer == b->is_integer &&
           gauge == (a->reset_hint == DATA_RESET_GAUGE) && b->reset_hint != DATA_RESET_YES &&
           a->schema == b->schema && a->zero_threshold == b->zero_threshold &&
           same_spans(a->positive_spans, a->positive_span_count, b->positive_spans,
                      b->positive_span_count) &&
           same_spans(a->negative_spans, a->negative_span_count, b->negative_spans,
                      b->negative_span_count) &&
           a->custom_bound_count == b->custom_bound_count &&
           (!a->custom_bound_count ||
            memcmp(a->custom_bounds, b->custom_bounds,
                   a->custom_bound_count * sizeof(*a->custom_bounds)) == 0) &&
           (gauge || !data_histogram_is_reset(b, a));
}

/* A number's value, step, and what is written: the change of the step. */
struct stepped {
    int64_t value, step;
};

static void put_stepped(struct bits *b, struct stepped *s, int64_t v)
{
    int64_t step = (int64_t)((uint64_t)v - (uint64_t)s->value);
    put_varbit_int(b, (int64_t)((uint64_t)step - (uint64_t)s->step));
    *s = (struct stepped){v, step};
}

/* Integer buckets are differences to the bucket before. */
static int64_t bucket_delta(const double *counts, uint32_t i)
{
    return (int64_t)counts[i] - (i ? (int64_t)counts[i - 1] : 0);
}

static void put_integers(struct bits *b, const int64_t *ts_ns,
                         const struct data_histogram *const *h, size_t count)
{
    uint32_t buckets = h[0]->positive_count + h[0]->negative_count;
    struct stepped *state = mem_calloc(buckets + 3u, sizeof(*state));
    struct stepped *ts = &state[buckets], *total = ts + 1, *zero = ts + 2;
    struct xor_state sum = {.value = h[0]->sum};
    ts->value = to_ms(ts_ns[0]);
    total->value = (int64_t)h[0]->count;
    zero->value = (int64_t)h[0]->zero_count;
    put_varbit_int(b, ts->value);
    put_varbit_uint(b, (uint64_t)h[0]->count);
    put_varbit_uint(b, (uint64_t)h[0]->zero_count);
    put_bits(b, codec_double_bits(h[0]->sum), 64);
    for (size_t i = 0; i < count; i++) {
        if (i) {
            put_stepped(b, ts, to_ms(ts_ns[i]));
            put_stepped(b, total, (int64_t)h[i]->count);
            put_stepped(b, zero, (int64_t)h[i]->zero_count);
            put_xor(b, &sum, h[i]->sum);
        }
        for (uint32_t k = 0; k < buckets; k++) {
            bool positive = k < h[i]->positive_count;
            int64_t v = positive ? bucket_delta(h[i]->positive, k)
                                 : bucket_delta(h[i]->negative, k - h[i]->positive_count);
            if (i) {
                put_stepped(b, &state[k], v);
            } else {
                put_varbit_int(b, v);
                state[k].value = v;
            }
        }
    }
    mem_free(state);
}

static void put_doubles(struct bits *b, const int64_t *ts_ns, const struct data_histogram *const *h,
                        size_t count)
{
    uint32_t buckets = h[0]->positive_count + h[0]->negative_count;
    struct xor_state *state = mem_calloc(buckets + 3u, sizeof(*state));
    struct xor_state *total = &state[buckets], *zero = total + 1, *sum = total + 2;
    struct stepped ts = {.value = to_ms(ts_ns[0])};
    put_varbit_int(b, ts.value);
    for (size_t i = 0; i < count; i++) {
        const struct {
            struct xor_state *state;
            double value;
        } heads[] = {{total, h[i]->count}, {zero, h[i]->zero_count}, {sum, h[i]->sum}};
        if (i)
            put_stepped(b, &ts, to_ms(ts_ns[i]));
        for (uint32_t k = 0; k < 3 + buckets; k++) {
            uint32_t n = k - 3;
            struct xor_state *x = k < 3 ? heads[k].state : &state[n];
            double v = k < 3                      ? heads[k].value
                       : n < h[i]->positive_count ? h[i]->positive[n]
                                                  : h[i]->negative[n - h[i]->positive_count];
            if (i) {
                put_xor(b, x, v);
            } else {
                put_bits(b, codec_double_bits(v), 64);
                x->value = v;
            }
        }
    }
    mem_free(state);
}

/* What is known of a counter reset between a chunk and what came before. */
static int reset_header(const struct data_histogram *first, const struct data_histogram *previous)
{
    if (first->reset_hint == DATA_RESET_GAUGE)
        return 0xc0;
    if (first->reset_hint == DATA_RESET_YES)
        return 0x80;
    bool comparable = previous && !previous->is_stale && !data_is_stale(first->sum) &&
                      previous->reset_hint != DATA_RESET_GAUGE;
    return comparable && data_histogram_is_reset(first, previous) ? 0x80 : 0;
}

size_t decode_chunk_put_histograms(const int64_t *ts_ns, const struct data_histogram *const *h,
                                   size_t count, const struct data_histogram *previous,
                                   enum decode_chunk_encoding *out_encoding, struct buf *out)
{
    /* A marker has no buckets, whatever the layout around it. */
    struct data_histogram marker = {.sum = h[0]->sum, .is_integer = h[0]->is_integer};
    const struct data_histogram *first = h[0]->is_stale ? &marker : h[0];
    const struct data_histogram *const *from = h[0]->is_stale ? &first : h;
    struct bits b = {.out = out};
    size_t taken = 1, head = out->len;
    while (taken < MIN(count, (size_t)DECODE_CHUNK_SAMPLES) && goes_on(h[taken - 1], h[taken]))
        taken++;
    buf_append(out, "\0\0\0", 3);
    put_count(out, head, taken);
    out->ptr[head + 2] = (char)reset_header(first, previous);
    put_layout(&b, first);
    if (first->is_integer)
        put_integers(&b, ts_ns, from, taken);
    else
        put_doubles(&b, ts_ns, from, taken);
    *out_encoding = first->is_integer ? DECODE_CHUNK_HISTOGRAM : DECODE_CHUNK_FLOAT_HISTOGRAM;
    return taken;
}

/* --- reading floats --- */

struct bit_reader {
    struct slice in;
    size_t at; /* in bits */
    bool failed;
};

static uint64_t take_bits(struct bit_reader *r, unsigned count)
{
    uint64_t v = 0;
    if (r->failed || count > r->in.len * 8 - r->at) {
        r->failed = true;
        return 0;
    }
    for (unsigned i = 0; i < count; i++, r->at++)
        v = v << 1 | ((unsigned char)r->in.ptr[r->at / 8] >> (7 - r->at % 8) & 1);
    return v;
}

static uint64_t take_varint(struct bit_reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint64_t c = take_bits(r, 8);
        v |= (c & 0x7f) << shift;
        if (!(c & 0x80))
            return v;
    }
    r->failed = true;
    return 0;
}

static int64_t take_dod(struct bit_reader *r)
{
    static const unsigned widths[] = {0, 14, 17, 20, 64};
    unsigned k = 0;
    while (k < 4 && take_bits(r, 1))
        k++;
    uint64_t v = take_bits(r, widths[k]);
    if (k && k < 4 && v > UINT64_C(1) << (widths[k] - 1))
        v -= UINT64_C(1) << widths[k];
    return (int64_t)v;
}

static void take_xor(struct bit_reader *r, struct xor_state *x)
{
    if (!take_bits(r, 1))
        return;
    if (take_bits(r, 1)) {
        unsigned leading = (unsigned)take_bits(r, 5), used = (unsigned)take_bits(r, 6);
        used = used ? used : 64;
        if (leading + used > 64) {
            r->failed = true;
            return;
        }
        x->leading = leading;
        x->trailing = 64 - leading - used;
        x->window = true;
    } else if (!x->window) {
        r->failed = true;
        return;
    }
    uint64_t v = take_bits(r, 64 - x->leading - x->trailing) << x->trailing;
    x->value = codec_bits_double(codec_double_bits(x->value) ^ v);
}

int decode_chunk_read_floats(struct slice chunk,
                             void (*each)(void *ctx, int64_t ts_ms, double value), void *ctx,
                             struct diag *diag)
{
    struct bit_reader r = {.in = chunk};
    struct xor_state x = {0};
    uint64_t count = take_bits(&r, 16), ts = 0, delta = 0;
    for (uint64_t i = 0; i < count && !r.failed; i++) {
        if (i == 0) {
            ts = (uint64_t)codec_unzigzag(take_varint(&r));
            x.value = codec_bits_double(take_bits(&r, 64));
        } else {
            delta = i == 1 ? take_varint(&r) : delta + (uint64_t)take_dod(&r);
            ts += delta;
            take_xor(&r, &x);
        }
        if (!r.failed)
            each(ctx, (int64_t)ts, x.value);
    }
    return r.failed ? diag_set(diag, ERR_CORRUPT,
                               "an XOR chunk ends early or contradicts itself "
                               "at bit %zu of %zu",
                               r.at, chunk.len * 8)
                    : 0;
}
