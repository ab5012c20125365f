/* Quantiles, fractions, variance and trimming, by interpolation inside of buckets. */
#include <math.h>
#include <string.h>

#include "data/histogram_math.h"

typedef struct data_histogram_bucket bucket;

/* A zero bucket reaches to the side where there are other buckets only. */
static void clip_zero(const struct data_histogram *h, bucket *b)
{
    if (!h->negative_count && h->positive_count)
        b->lower = 0;
    else if (!h->positive_count && h->negative_count)
        b->upper = 0;
}

/* Linear in custom and zero buckets, exponential elsewhere. */
static bool is_linear(const struct data_histogram *h, const bucket *b)
{
    return data_histogram_is_custom(h) || (b->lower <= 0 && b->upper >= 0);
}

double data_histogram_quantile(const struct data_histogram *h, double phi,
                               data_histogram_bucket_list *scratch, bool *out_nan_skew)
{
    if (isnan(phi))
        return NAN;
    if (phi < 0)
        return -INFINITY;
    if (phi > 1)
        return INFINITY;
    if (h->count == 0)
        return NAN;
    /* Observations of NaN are in no bucket: they count as the largest, so walk from below. */
    bool forward = isnan(h->sum) || phi < 0.5;
    double rank = forward ? phi * h->count : (1 - phi) * h->count, count = 0;
    bucket b = {0};
    data_histogram_buckets(h, scratch);
    for (size_t i = 0; i < scratch->len; i++) {
        bucket at = scratch->items[forward ? i : scratch->len - 1 - i];
        if (at.count == 0)
            continue;
        b = at;
        count += b.count;
        if (count >= rank)
            break;
    }
    if (!data_histogram_is_custom(h) && b.lower < 0 && b.upper > 0) {
        clip_zero(h, &b);
    } else if (data_histogram_is_custom(h)) {
        if (b.lower == -INFINITY) {
            if (b.upper <= 0)
                return b.upper;
            b.lower = 0;
        } else if (b.upper == INFINITY) {
            return b.lower;
        }
    }
    count = fmin(count, h->count);
    *out_nan_skew |= isnan(h->sum);
    if (count < rank)
        return isnan(h->sum) ? NAN : forward ? b.upper : b.lower;
    rank = forward ? rank - (count - b.count) : count - rank;
    double part = rank / b.count;
    if (is_linear(h, &b))
        return b.lower + (b.upper - b.lower) * part;
    double low = log2(fabs(b.lower)), high = log2(fabs(b.upper));
    if (b.lower > 0)
        return exp2(low + (high - low) * part);
    return -exp2(high + (low - high) * (1 - part));
}

/* How much of a bucket lies below v, which is inside of it. */
static double part_below(const struct data_histogram *h, const bucket *b, double v)
{
    if (is_linear(h, b))
        return b->lower == -INFINITY ? 1 : (v - b->lower) / (b->upper - b->lower);
    double low = log2(fabs(b->lower)), high = log2(fabs(b->upper)), at = log2(fabs(v));
    return v > 0 ? (at - low) / (high - low) : 1 - (at - high) / (low - high);
}

double data_histogram_fraction(const struct data_histogram *h, double lower, double upper,
                               data_histogram_bucket_list *scratch)
{
    if (h->count == 0 || isnan(lower) || isnan(upper))
        return NAN;
    if (lower >= upper)
        return 0;
    data_histogram_buckets(h, scratch);
    double total = h->count;
    if (isnan(h->sum)) {
        total = 0;
        for (size_t i = 0; i < scratch->len; i++)
            total += scratch->items[i].count;
    }
    const double limit[2] = {lower, upper};
    double rank = 0, found[2] = {0};
    bool set[2] = {false, false};
    for (size_t i = 0; i < scratch->len && !(set[0] && set[1]); i++) {
        bucket b = scratch->items[i];
        if (b.lower <= 0 && b.upper >= 0)
            clip_zero(h, &b);
        for (int k = 0; k < 2; k++) {
            if (!set[k] && b.lower >= limit[k]) {
                found[k] = rank;
                set[k] = true;
            } else if (!set[k] && b.upper > limit[k]) {
                found[k] = rank + b.count * part_below(h, &b, limit[k]);
                set[k] = true;
            }
        }
        rank += b.count;
    }
    for (int k = 0; k < 2; k++) {
        if (!set[k] || found[k] > total)
            found[k] = total;
    }
    return (found[1] - found[0]) / h->count;
}

double data_histogram_variance(const struct data_histogram *h, data_histogram_bucket_list *scratch)
{
    double mean = h->sum / h->count;
    struct data_kahan variance = {0};
    data_histogram_buckets(h, scratch);
    for (size_t i = 0; i < scratch->len; i++) {
        const bucket *b = &scratch->items[i];
        if (b->count == 0)
            continue;
        double middle = sqrt(b->upper * b->lower);
        if (data_histogram_is_custom(h))
            middle = (b->upper + b->lower) / 2;
        else if (b->lower <= 0 && b->upper >= 0)
            middle = 0;
        else if (b->upper < 0)
            middle = -middle;
        data_kahan_add(&variance, b->count * (middle - mean) * (middle - mean));
    }
    return (variance.sum + variance.c) / h->count;
}

/* --- trimming --- */

struct trim {
    const struct data_histogram *h;
    double cutoff;
    bool keep_upper;
    bool changed;
    double count, sum;
};

static double middle_of(const struct trim *t, const bucket *b)
{
    if (b->lower == -INFINITY)
        return b->upper;
    if (b->upper == INFINITY)
        return b->lower;
    if (is_linear(t->h, b))
        return (b->lower + b->upper) / 2;
    double m = sqrt(fabs(b->lower)) * sqrt(fabs(b->upper));
    return b->lower < 0 ? -m : m;
}

/* What stays of a bucket; counted into the totals. */
static double trim_bucket(struct trim *t, bucket b, bool is_zero)
{
    double x = t->cutoff;
    bool endless = b.lower == -INFINITY || b.upper == INFINITY;
    if (is_zero)
        clip_zero(t->h, &b);
    /* The first custom bucket holds what is not negative, unless its bound or the cutoff is. */
    if (b.lower == -INFINITY && b.upper != INFINITY && b.upper > 0 && (x >= 0 || !t->keep_upper)) {
        b.lower = 0;
        endless = false;
    }
    bool whole = t->keep_upper ? b.lower >= x : b.upper <= x;
    bool none = t->keep_upper ? b.upper <= x : b.lower >= x;
    double kept = b.count;
    if (t->keep_upper ? x == -INFINITY : x == INFINITY) {
        whole = true;
    } else if (none && !whole) {
        kept = 0;
    } else if (!whole && endless) {
        /* Nothing can be said about the middle: one end keeps all, at the cutoff. */
        bool keeps = t->keep_upper ? b.upper == INFINITY && b.lower != -INFINITY
                                   : b.lower == -INFINITY && b.upper != INFINITY;
        kept = keeps ? b.count : 0;
        b.lower = b.upper = x;
        t->changed = t->changed || b.count != 0;
    } else if (!whole) {
        double below = part_below(t->h, &b, x);
        kept = b.count * (t->keep_upper ? 1 - below : below);
        *(t->keep_upper ? &b.lower : &b.upper) = x;
        if (is_zero) { /* linear even when the part does not touch zero */
            t->sum += kept * (b.lower + b.upper) / 2;
            t->count += kept;
            t->changed = t->changed || b.count != 0;
            return kept;
        }
    }
    t->changed = t->changed || kept != b.count;
    t->count += kept;
    if (kept != 0)
        t->sum += kept * middle_of(t, &b);
    return kept;
}

const struct data_histogram *data_histogram_trim(struct arena *arena,
                                                 const struct data_histogram *h, double cutoff,
                                                 bool keep_upper)
{
    struct trim t = {.h = h, .cutoff = cutoff, .keep_upper = keep_upper};
    struct data_histogram *c = data_histogram_copy(arena, h);
    if (!c)
        return NULL;
    int64_t index = 0;
    uint32_t k = 0;
    for (uint32_t s = 0; s < c->negative_span_count; s++) {
        index += c->negative_spans[s].offset;
        for (uint32_t i = 0; i < c->negative_spans[s].length; i++, index++, k++)
            c->negative[k] =
                trim_bucket(&t,
                            (bucket){-data_histogram_bound(h, index),
                                     -data_histogram_bound(h, index - 1), h->negative[k]},
                            false);
    }
    if (!data_histogram_is_custom(h) && h->zero_count != 0)
        c->zero_count =
            trim_bucket(&t, (bucket){-h->zero_threshold, h->zero_threshold, h->zero_count}, true);
    index = k = 0;
    for (uint32_t s = 0; s < c->positive_span_count; s++) {
        index += c->positive_spans[s].offset;
        for (uint32_t i = 0; i < c->positive_spans[s].length; i++, index++, k++)
            c->positive[k] = trim_bucket(&t,
                                         (bucket){data_histogram_bound(h, index - 1),
                                                  data_histogram_bound(h, index), h->positive[k]},
                                         false);
    }
    if (!t.changed)
        return h;
    c->is_integer = false;
    c->count = t.count;
    c->sum = t.sum;
    return c;
}
