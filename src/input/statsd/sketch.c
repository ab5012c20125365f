#include "input/statsd/sketch.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define GAP_MAX 2 /* empty buckets cheaper than a new span */

void statsd__sketch_init(struct statsd_sketch *s, int32_t schema)
{
    *s = (struct statsd_sketch){.schema = schema};
}

void statsd__sketch_deinit(struct statsd_sketch *s)
{
    mem_free(s->positive.counts);
    mem_free(s->negative.counts);
    *s = (struct statsd_sketch){0};
}

void statsd__sketch_clear(struct statsd_sketch *s)
{
    s->zero = s->count = s->sum = 0;
    s->positive.len = s->negative.len = 0;
}

static int32_t shift_index(int32_t index, int32_t by)
{
    /* Rounds up: bucket i of the finer schema lies in ceil(i / 2^by) of the coarser one. */
    return (int32_t) - ((-(int64_t)index) >> by);
}

static void coarsen_side(struct statsd_sketch_side *side, int32_t by)
{
    if (!side->len)
        return;
    int32_t first = shift_index(side->first, by);
    uint32_t len = 0;
    for (uint32_t i = 0; i < side->len; i++) {
        uint32_t to = (uint32_t)(shift_index(side->first + (int32_t)i, by) - first);
        double n = side->counts[i];
        while (len <= to)
            side->counts[len++] = 0;
        side->counts[to] += n;
    }
    side->first = first;
    side->len = len;
}

static void coarsen(struct statsd_sketch *s, int32_t by)
{
    coarsen_side(&s->positive, by);
    coarsen_side(&s->negative, by);
    s->schema -= by;
}

/* Makes room for the indexes [lo, hi], in the schema that then holds. False: too many, coarsen. */
static bool side_cover(struct statsd_sketch_side *side, int32_t lo, int32_t hi)
{
    int64_t first = side->len ? MIN(side->first, lo) : lo;
    int64_t last = side->len ? MAX((int64_t)side->first + side->len - 1, hi) : hi;
    int64_t len = last - first + 1;
    if (len > STATSD_SKETCH_BUCKETS)
        return false;
    if (len > side->cap) {
        uint32_t cap = side->cap ? side->cap : 8;
        while (cap < len)
            cap *= 2;
        side->counts = mem_realloc(side->counts, cap * sizeof(double));
        side->cap = cap;
    }
    uint32_t shift = side->len ? (uint32_t)(side->first - first) : 0;
    if (shift)
        memmove(side->counts + shift, side->counts, side->len * sizeof(double));
    for (uint32_t i = 0; i < shift; i++)
        side->counts[i] = 0;
    for (uint32_t i = side->len + shift; i < len; i++)
        side->counts[i] = 0;
    side->first = (int32_t)first;
    side->len = (uint32_t)len;
    return true;
}

/* Of the bucket (base^(i-1), base^i] that holds v > 0. */
static int32_t index_of(double v, int32_t schema)
{
    int exp;
    double frac = frexp(v, &exp); /* [0.5, 1) */
    if (schema <= 0) {
        if (frac == 0.5)
            exp--;
        return shift_index(exp, -schema);
    }
    if (frac == 0.5)
        return (exp - 1) * (1 << schema);
    int32_t parts = 1 << schema;
    int32_t i = (int32_t)ceil((log2(frac) + 1) * parts);
    return (exp - 1) * parts + CLAMP(i, 1, parts);
}

void statsd__sketch_add(struct statsd_sketch *s, double value, double weight)
{
    s->count += weight;
    s->sum += value * weight;
    if (fabs(value) < 1e-128) {
        s->zero += weight;
        return;
    }
    struct statsd_sketch_side *side = value > 0 ? &s->positive : &s->negative;
    int32_t index = index_of(fabs(value), s->schema);
    while (!side_cover(side, index, index)) {
        coarsen(s, 1);
        index = index_of(fabs(value), s->schema);
    }
    side->counts[index - side->first] += weight;
}

static void merge_side(struct statsd_sketch *s, bool positive, const struct statsd_sketch *from)
{
    const struct statsd_sketch_side *src = positive ? &from->positive : &from->negative;
    struct statsd_sketch_side *side = positive ? &s->positive : &s->negative;
    if (!src->len)
        return;
    int32_t last = src->first + (int32_t)src->len - 1, by = from->schema - s->schema;
    while (!side_cover(side, shift_index(src->first, by), shift_index(last, by))) {
        coarsen(s, 1);
        by++;
    }
    for (uint32_t i = 0; i < src->len; i++)
        side->counts[shift_index(src->first + (int32_t)i, by) - side->first] += src->counts[i];
}

void statsd__sketch_merge(struct statsd_sketch *s, const struct statsd_sketch *from)
{
    if (s->schema > from->schema)
        coarsen(s, s->schema - from->schema);
    s->zero += from->zero;
    s->count += from->count;
    s->sum += from->sum;
    merge_side(s, true, from);
    merge_side(s, false, from);
}

static void put_side(const struct statsd_sketch_side *side, struct arena *arena,
                     struct data_histogram_span **out_spans, uint32_t *out_span_count,
                     double **out_counts, uint32_t *out_count)
{
    struct data_histogram_span *spans =
        ARENA_ARRAY(arena, struct data_histogram_span, side->len + 1);
    double *counts = ARENA_ARRAY(arena, double, side->len + 1);
    uint32_t span_count = 0, count = 0, gap = 0;
    for (uint32_t i = 0; i < side->len; i++) {
        if (side->counts[i] == 0) {
            gap++;
            continue;
        }
        if (!span_count || gap > GAP_MAX) {
            spans[span_count].offset = span_count ? (int32_t)gap : side->first + (int32_t)gap;
            spans[span_count++].length = 0;
        } else {
            for (uint32_t k = 0; k < gap; k++, count++)
                spans[span_count - 1].length++;
        }
        gap = 0;
        counts[count++] = side->counts[i];
        spans[span_count - 1].length++;
    }
    *out_spans = spans;
    *out_span_count = span_count;
    *out_counts = counts;
    *out_count = count;
}

struct data_histogram *statsd__sketch_histogram(const struct statsd_sketch *s, struct arena *arena)
{
    struct data_histogram *h = ARENA_NEW(arena, struct data_histogram);
    h->schema = s->schema;
    h->zero_threshold = 1e-128;
    h->zero_count = s->zero;
    h->count = s->count;
    h->sum = s->sum;
    put_side(&s->positive, arena, &h->positive_spans, &h->positive_span_count, &h->positive,
             &h->positive_count);
    put_side(&s->negative, arena, &h->negative_spans, &h->negative_span_count, &h->negative,
             &h->negative_count);
    h->is_integer = s->count == floor(s->count) && s->count < 9e15;
    for (uint32_t i = 0; h->is_integer && i < h->positive_count; i++)
        h->is_integer = h->positive[i] == floor(h->positive[i]);
    for (uint32_t i = 0; h->is_integer && i < h->negative_count; i++)
        h->is_integer = h->negative[i] == floor(h->negative[i]);
    return h;
}

size_t statsd__sketch_bytes(const struct statsd_sketch *s)
{
    return sizeof(*s) + (s->positive.cap + s->negative.cap) * sizeof(double);
}
