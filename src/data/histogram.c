#include "data/histogram.h"

#include <math.h>
#include <string.h>

struct data_histogram *data_histogram_copy(struct arena *arena, const struct data_histogram *h)
{
    struct data_histogram *c = arena_dup(arena, h, sizeof(*h));
    if (!c)
        return NULL;
    c->positive_spans =
        arena_dup(arena, h->positive_spans, h->positive_span_count * sizeof(*h->positive_spans));
    c->negative_spans =
        arena_dup(arena, h->negative_spans, h->negative_span_count * sizeof(*h->negative_spans));
    c->positive = arena_dup(arena, h->positive, h->positive_count * sizeof(double));
    c->negative = arena_dup(arena, h->negative, h->negative_count * sizeof(double));
    c->custom_bounds = arena_dup(arena, h->custom_bounds, h->custom_bound_count * sizeof(double));
    if (!c->positive_spans || !c->negative_spans || !c->positive || !c->negative ||
        !c->custom_bounds)
        return NULL;
    return c;
}

static int check_side(const char *side, const struct data_histogram_span *spans,
                      uint32_t span_count, const double *buckets, uint32_t bucket_count, bool gauge,
                      struct diag *diag)
{
    uint64_t covered = 0;
    for (uint32_t i = 0; i < span_count; i++) {
        if (i && spans[i].offset < 0)
            return diag_set(diag, ERR_INVALID,
                            "native histogram: %s span %u has a negative offset %d", side, i + 1,
                            spans[i].offset);
        covered += spans[i].length;
    }
    if (covered != bucket_count)
        return diag_set(diag, ERR_INVALID,
                        "native histogram: %s spans cover %llu buckets, but %u are given", side,
                        (unsigned long long)covered, bucket_count);
    for (uint32_t i = 0; !gauge && i < bucket_count; i++) {
        if (buckets[i] < 0)
            return diag_set(diag, ERR_INVALID,
                            "native histogram: %s bucket %u has a negative count %g", side, i + 1,
                            buckets[i]);
    }
    return 0;
}

int data_histogram_check(const struct data_histogram *h, struct diag *diag)
{
    bool gauge = h->reset_hint == DATA_RESET_GAUGE;
    if (h->schema == DATA_HISTOGRAM_SCHEMA_CUSTOM) {
        for (uint32_t i = 1; i < h->custom_bound_count; i++) {
            if (!(h->custom_bounds[i - 1] < h->custom_bounds[i]))
                return diag_set(
                    diag, ERR_INVALID,
                    "native histogram: custom bounds must ascend, but %g is followed by %g",
                    h->custom_bounds[i - 1], h->custom_bounds[i]);
        }
        if (h->negative_count || h->zero_count != 0 || h->zero_threshold != 0)
            return diag_set(
                diag, ERR_INVALID,
                "native histogram: custom buckets have no zero bucket and no negative side");
        if (h->positive_count > h->custom_bound_count + 1)
            return diag_set(
                diag, ERR_INVALID,
                "native histogram: %u custom bounds allow at most %u buckets, %u are given",
                h->custom_bound_count, h->custom_bound_count + 1, h->positive_count);
    } else if (h->schema < -4 || h->schema > 8) {
        return diag_set(
            diag, ERR_INVALID,
            "native histogram: schema %d is not between -4 and 8, nor -53 (custom bounds)",
            h->schema);
    } else if (h->custom_bound_count) {
        return diag_set(diag, ERR_INVALID, "native histogram: schema %d takes no custom bounds",
                        h->schema);
    }
    int err = check_side("positive", h->positive_spans, h->positive_span_count, h->positive,
                         h->positive_count, gauge, diag);
    if (!err)
        err = check_side("negative", h->negative_spans, h->negative_span_count, h->negative,
                         h->negative_count, gauge, diag);
    if (err)
        return err;
    if (!gauge && (h->zero_count < 0 || h->count < 0))
        return diag_set(diag, ERR_INVALID, "native histogram: negative count");
    if (h->is_integer && !h->is_stale) {
        /* With a sum of NaN some observations are NaN: they are in no bucket. */
        double inside = h->zero_count;
        for (uint32_t i = 0; i < h->positive_count; i++)
            inside += h->positive[i];
        for (uint32_t i = 0; i < h->negative_count; i++)
            inside += h->negative[i];
        if (isnan(h->sum) ? inside > h->count : inside != h->count)
            return diag_set(diag, ERR_INVALID,
                            "native histogram: the buckets hold %.0f observations, but the count "
                            "is %.0f",
                            inside, h->count);
    }
    return 0;
}

/* Bucket index `from` in a schema `shift` steps coarser: upper bounds stay inclusive. */
static int64_t coarser_index(int64_t from, int shift)
{
    return ((from - 1) >> shift) + 1;
}

static bool reduce_side(struct arena *arena, const struct data_histogram_span *spans,
                        uint32_t span_count, const double *buckets, uint32_t bucket_count,
                        int shift, struct data_histogram_span **out_spans, uint32_t *out_span_count,
                        double **out_buckets, uint32_t *out_bucket_count)
{
    struct data_histogram_span *to = arena_alloc(arena, (bucket_count + 1) * sizeof(*to));
    double *counts = arena_alloc(arena, (bucket_count + 1) * sizeof(*counts));
    if (!to || !counts)
        return false;
    uint32_t n = 0, spans_out = 0, at = 0;
    int64_t index = 0, last = 0;
    for (uint32_t s = 0; s < span_count; s++) {
        index += spans[s].offset;
        for (uint32_t k = 0; k < spans[s].length && at < bucket_count; k++, index++, at++) {
            int64_t wide = coarser_index(index, shift);
            if (n && wide == last) {
                counts[n - 1] += buckets[at];
                continue;
            }
            if (n && wide == last + 1) {
                to[spans_out - 1].length++;
            } else {
                to[spans_out] = (struct data_histogram_span){
                    .offset = (int32_t)(n ? wide - last - 1 : wide), .length = 1};
                spans_out++;
            }
            counts[n++] = buckets[at];
            last = wide;
        }
    }
    *out_spans = to;
    *out_span_count = spans_out;
    *out_buckets = counts;
    *out_bucket_count = n;
    return true;
}

struct data_histogram *data_histogram_reduce(struct arena *arena, const struct data_histogram *h,
                                             int32_t schema, struct diag *diag)
{
    if (h->schema < schema || h->schema > 52 || schema < -4 || schema > 8) {
        diag_set(diag, ERR_INVALID, "native histogram: schema %d cannot be reduced to %d",
                 h->schema, schema);
        return NULL;
    }
    if (check_side("positive", h->positive_spans, h->positive_span_count, h->positive,
                   h->positive_count, true, diag) ||
        check_side("negative", h->negative_spans, h->negative_span_count, h->negative,
                   h->negative_count, true, diag))
        return NULL;
    struct data_histogram *c = arena_dup(arena, h, sizeof(*h));
    int shift = h->schema - schema;
    if (!c ||
        !reduce_side(arena, h->positive_spans, h->positive_span_count, h->positive,
                     h->positive_count, shift, &c->positive_spans, &c->positive_span_count,
                     &c->positive, &c->positive_count) ||
        !reduce_side(arena, h->negative_spans, h->negative_span_count, h->negative,
                     h->negative_count, shift, &c->negative_spans, &c->negative_span_count,
                     &c->negative, &c->negative_count)) {
        diag_set(diag, ERR_NOMEM, "native histogram: no memory");
        return NULL;
    }
    c->schema = schema;
    return data_histogram_check(c, diag) ? NULL : c;
}

static bool bits_eq(const double *a, const double *b, size_t n)
{
    return n == 0 || memcmp(a, b, n * sizeof(double)) == 0;
}

bool data_histogram_identical(const struct data_histogram *a, const struct data_histogram *b)
{
    return a->schema == b->schema && a->reset_hint == b->reset_hint &&
           a->is_integer == b->is_integer && a->is_stale == b->is_stale &&
           a->positive_span_count == b->positive_span_count &&
           a->negative_span_count == b->negative_span_count &&
           a->positive_count == b->positive_count && a->negative_count == b->negative_count &&
           a->custom_bound_count == b->custom_bound_count &&
           bits_eq(&a->zero_threshold, &b->zero_threshold, 1) &&
           bits_eq(&a->zero_count, &b->zero_count, 1) && bits_eq(&a->count, &b->count, 1) &&
           bits_eq(&a->sum, &b->sum, 1) &&
           (!a->positive_span_count ||
            memcmp(a->positive_spans, b->positive_spans,
                   a->positive_span_count * sizeof(*a->positive_spans)) == 0) &&
           (!a->negative_span_count ||
            memcmp(a->negative_spans, b->negative_spans,
                   a->negative_span_count * sizeof(*a->negative_spans)) == 0) &&
           bits_eq(a->positive, b->positive, a->positive_count) &&
           bits_eq(a->negative, b->negative, a->negative_count) &&
           bits_eq(a->custom_bounds, b->custom_bounds, a->custom_bound_count);
}
