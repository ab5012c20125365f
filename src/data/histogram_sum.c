/* Histograms of different layouts added up. Both sides are lists of (index, count) while it lasts;
 * a sum is brought to spans in the end. */
#include <math.h>

#include "base/mem.h"
#include "data/histogram_math.h"

/* The buckets of one side of a histogram, one after the other. */
struct cursor {
    const struct data_histogram_span *spans;
    const double *counts;
    uint32_t span_count, count;
    uint32_t span, in_span, at; /* what comes next */
    int64_t index;              /* of the bucket given last */
};

static struct cursor side_of(const struct data_histogram *h, bool negative)
{
    return negative ? (struct cursor){.spans = h->negative_spans,
                                      .counts = h->negative,
                                      .span_count = h->negative_span_count,
                                      .count = h->negative_count,
                                      .index = -1}
                    : (struct cursor){.spans = h->positive_spans,
                                      .counts = h->positive,
                                      .span_count = h->positive_span_count,
                                      .count = h->positive_count,
                                      .index = -1};
}

static bool next_bucket(struct cursor *c, double *out)
{
    while (c->span < c->span_count && c->in_span == c->spans[c->span].length) {
        if (!c->in_span)
            c->index += c->spans[c->span].offset; /* an empty span moves on, too */
        c->span++;
        c->in_span = 0;
    }
    if (c->span == c->span_count || c->at == c->count)
        return false;
    c->index += 1 + (c->in_span ? 0 : c->spans[c->span].offset);
    c->in_span++;
    *out = c->counts[c->at++];
    return true;
}

static void take_side(data_histogram_side *out, struct cursor from)
{
    double count;
    vec_clear(out);
    vec_reserve(out, from.count);
    while (next_bucket(&from, &count))
        vec_push(out, ((struct data_histogram_item){from.index, {count, 0}}));
}

void data_histogram_sum_start(struct data_histogram_sum *s, const struct data_histogram *h)
{
    s->started = true;
    s->schema = h->schema;
    s->reset_hint = h->reset_hint;
    s->zero_threshold = h->zero_threshold;
    s->zero_count = (struct data_kahan){h->zero_count, 0};
    s->count = (struct data_kahan){h->count, 0};
    s->sum = (struct data_kahan){h->sum, 0};
    take_side(&s->positive, side_of(h, false));
    take_side(&s->negative, side_of(h, true));
    vec_clear(&s->custom_bounds);
    for (uint32_t i = 0; i < h->custom_bound_count; i++)
        vec_push(&s->custom_bounds, h->custom_bounds[i]);
}

void data_histogram_sum_free(struct data_histogram_sum *s)
{
    vec_free(&s->positive);
    vec_free(&s->negative);
    vec_free(&s->custom_bounds);
    *s = (struct data_histogram_sum){0};
}

size_t data_histogram_sum_bytes(const struct data_histogram_sum *s)
{
    return (s->positive.cap + s->negative.cap) * sizeof(*s->positive.items) +
           s->custom_bounds.cap * sizeof(*s->custom_bounds.items);
}

static void merge_counts(struct data_kahan *to, const struct data_kahan *from, double sign)
{
    data_kahan_add(to, sign * from->sum);
    to->c += sign * from->c;
}

/* Lists in order of index; `from` is consumed. */
static void merge_side(data_histogram_side *to, const data_histogram_side *from, double sign)
{
    data_histogram_side all = {0};
    size_t i = 0, k = 0;
    if (!from->len)
        return;
    vec_reserve(&all, to->len + from->len);
    while (i < to->len || k < from->len) {
        if (k == from->len || (i < to->len && to->items[i].index < from->items[k].index)) {
            vec_push(&all, to->items[i++]);
        } else if (i == to->len || from->items[k].index < to->items[i].index) {
            struct data_histogram_item one = from->items[k++];
            one.count.sum *= sign;
            one.count.c *= sign;
            vec_push(&all, one);
        } else {
            struct data_histogram_item one = to->items[i++];
            merge_counts(&one.count, &from->items[k++].count, sign);
            vec_push(&all, one);
        }
    }
    vec_free(to);
    to->items = all.items;
    to->len = all.len;
    to->cap = all.cap;
}

/* The same with a side of a histogram. As a rule it has no bucket that the sum has not. */
static void add_side(data_histogram_side *to, struct cursor from, double sign)
{
    struct cursor look = from;
    double count;
    size_t i = 0;
    bool known = true;
    while (known && next_bucket(&look, &count)) {
        while (i < to->len && to->items[i].index < look.index)
            i++;
        known = i < to->len && to->items[i].index == look.index;
    }
    if (!known) {
        data_histogram_side other = {0};
        take_side(&other, from);
        merge_side(to, &other, sign);
        vec_free(&other);
        return;
    }
    for (i = 0; next_bucket(&from, &count);) {
        while (to->items[i].index < from.index)
            i++;
        merge_counts(&to->items[i].count, &(struct data_kahan){count, 0}, sign);
    }
}

static void append_or_merge(data_histogram_side *side, size_t *kept, int64_t index,
                            struct data_kahan count)
{
    if (*kept && side->items[*kept - 1].index == index)
        merge_counts(&side->items[*kept - 1].count, &count, 1);
    else
        side->items[(*kept)++] = (struct data_histogram_item){index, count};
}

static void coarsen_side(data_histogram_side *side, int shift)
{
    size_t kept = 0;
    for (size_t i = 0; i < side->len; i++)
        append_or_merge(side, &kept, ((side->items[i].index - 1) >> shift) + 1,
                        side->items[i].count);
    side->len = kept;
}

static void coarsen(struct data_histogram_sum *s, int32_t schema)
{
    if (schema >= s->schema)
        return;
    coarsen_side(&s->positive, s->schema - schema);
    coarsen_side(&s->negative, s->schema - schema);
    s->schema = schema;
}

static double bound_of(const struct data_histogram_sum *s, int64_t index)
{
    const struct data_histogram h = {.schema = s->schema};
    return data_histogram_bound(&h, index);
}

/* What the zero bucket holds when it reaches to *threshold, which moves outwards when it would cut
 * a populated bucket. */
static struct data_kahan zero_count_at(const struct data_histogram_sum *s, double *threshold)
{
    if (*threshold == s->zero_threshold)
        return s->zero_count;
    for (;;) {
        struct data_kahan count = s->zero_count;
        bool moved = false;
        for (int side = 0; side < 2 && !moved; side++) {
            const data_histogram_side *items = side ? &s->negative : &s->positive;
            for (size_t i = 0; i < items->len; i++) {
                const struct data_histogram_item *item = &items->items[i];
                double low = bound_of(s, item->index - 1), high = bound_of(s, item->index);
                if (low >= *threshold)
                    break;
                merge_counts(&count, &item->count, 1);
                if (high > *threshold) {
                    if (item->count.sum != 0) {
                        *threshold = high;
                        moved = side; /* what the other side holds below it must be counted too */
                    }
                    break;
                }
            }
        }
        if (!moved)
            return count;
    }
}

static void drop_below(const struct data_histogram_sum *s, data_histogram_side *side,
                       double threshold)
{
    size_t kept = 0;
    for (size_t i = 0; i < side->len; i++) {
        if (bound_of(s, side->items[i].index - 1) >= threshold)
            side->items[kept++] = side->items[i];
    }
    side->len = kept;
}

static void widen_zero(struct data_histogram_sum *s, double *threshold)
{
    s->zero_count = zero_count_at(s, threshold);
    s->zero_threshold = *threshold;
    drop_below(s, &s->positive, *threshold);
    drop_below(s, &s->negative, *threshold);
}

static void reconcile_zero(struct data_histogram_sum *a, struct data_histogram_sum *b)
{
    while (a->zero_threshold != b->zero_threshold) {
        double wide = MAX(a->zero_threshold, b->zero_threshold);
        widen_zero(a->zero_threshold < b->zero_threshold ? a : b, &wide);
    }
}

static bool same_bounds(const struct data_histogram_sum *a, const struct data_histogram_sum *b)
{
    if (a->custom_bounds.len != b->custom_bounds.len)
        return false;
    for (size_t i = 0; i < a->custom_bounds.len; i++) {
        if (a->custom_bounds.items[i] != b->custom_bounds.items[i])
            return false;
    }
    return true;
}

/* The buckets of s over `bounds`, which are some of its own. */
static void rebucket(struct data_histogram_sum *s, const double *bounds, size_t count)
{
    size_t kept = 0, target = 0;
    for (size_t i = 0; i < s->positive.len; i++) {
        struct data_histogram_item item = s->positive.items[i];
        double upper = (size_t)item.index < s->custom_bounds.len
                           ? s->custom_bounds.items[item.index]
                           : INFINITY;
        while (target < count && bounds[target] < upper)
            target++;
        append_or_merge(&s->positive, &kept, (int64_t)target, item.count);
    }
    s->positive.len = kept;
    vec_clear(&s->custom_bounds);
    for (size_t i = 0; i < count; i++)
        vec_push(&s->custom_bounds, bounds[i]);
}

static void reconcile_bounds(struct data_histogram_sum *a, struct data_histogram_sum *b)
{
    VEC(double) common = {0};
    for (size_t i = 0, k = 0; i < a->custom_bounds.len && k < b->custom_bounds.len;) {
        double p = a->custom_bounds.items[i], q = b->custom_bounds.items[k];
        if (p == q)
            vec_push(&common, p);
        i += p <= q;
        k += q <= p;
    }
    rebucket(a, common.items, common.len);
    rebucket(b, common.items, common.len);
    vec_free(&common);
}

/* Brings two to one layout; true when custom bounds had to be given up. */
static bool align(struct data_histogram_sum *a, struct data_histogram_sum *b)
{
    if (a->schema == DATA_HISTOGRAM_SCHEMA_CUSTOM) {
        if (same_bounds(a, b))
            return false;
        reconcile_bounds(a, b);
        return true;
    }
    reconcile_zero(a, b);
    coarsen(a, b->schema);
    coarsen(b, a->schema);
    return false;
}

static uint8_t hint_of(uint8_t a, uint8_t b, unsigned *flags)
{
    if (a == b)
        return a;
    if (a == DATA_RESET_GAUGE || b == DATA_RESET_GAUGE)
        return DATA_RESET_GAUGE;
    if (a != DATA_RESET_UNKNOWN && b != DATA_RESET_UNKNOWN)
        *flags |= DATA_HISTOGRAM_RESETS_COLLIDE;
    return DATA_RESET_UNKNOWN;
}

/* Whether h has the sum's buckets as they are. */
static bool is_aligned(const struct data_histogram_sum *s, const struct data_histogram *h)
{
    if (s->schema != h->schema)
        return false;
    if (!data_histogram_is_custom(h))
        return s->zero_threshold == h->zero_threshold;
    bool same = s->custom_bounds.len == h->custom_bound_count;
    for (size_t i = 0; same && i < h->custom_bound_count; i++)
        same = s->custom_bounds.items[i] == h->custom_bounds[i];
    return same;
}

int data_histogram_sum_add(struct data_histogram_sum *s, const struct data_histogram *h,
                           double sign, unsigned *flags)
{
    unsigned none;
    flags = flags ? flags : (none = 0, &none);
    if (!s->started) {
        data_histogram_sum_start(s, h);
        if (sign != 1)
            data_histogram_sum_scale(s, sign);
        return 0;
    }
    if ((s->schema == DATA_HISTOGRAM_SCHEMA_CUSTOM) != data_histogram_is_custom(h))
        return ERR_INVALID;
    s->reset_hint = hint_of(s->reset_hint, h->reset_hint, flags);
    if (is_aligned(s, h)) {
        merge_counts(&s->zero_count, &(struct data_kahan){h->zero_count, 0}, sign);
        merge_counts(&s->count, &(struct data_kahan){h->count, 0}, sign);
        merge_counts(&s->sum, &(struct data_kahan){h->sum, 0}, sign);
        add_side(&s->positive, side_of(h, false), sign);
        add_side(&s->negative, side_of(h, true), sign);
        return 0;
    }
    struct data_histogram_sum other = {0};
    data_histogram_sum_start(&other, h);
    if (align(s, &other))
        *flags |= DATA_HISTOGRAM_RECONCILED;
    merge_counts(&s->zero_count, &other.zero_count, sign);
    merge_counts(&s->count, &other.count, sign);
    merge_counts(&s->sum, &other.sum, sign);
    merge_side(&s->positive, &other.positive, sign);
    merge_side(&s->negative, &other.negative, sign);
    data_histogram_sum_free(&other);
    return 0;
}

static void scale_one(struct data_kahan *k, double factor)
{
    k->sum *= factor;
    k->c = isfinite(k->sum) ? k->c * factor : 0;
}

void data_histogram_sum_scale(struct data_histogram_sum *s, double factor)
{
    scale_one(&s->zero_count, factor);
    scale_one(&s->count, factor);
    scale_one(&s->sum, factor);
    for (size_t i = 0; i < s->positive.len; i++)
        scale_one(&s->positive.items[i].count, factor);
    for (size_t i = 0; i < s->negative.len; i++)
        scale_one(&s->negative.items[i].count, factor);
    if (factor < 0)
        s->reset_hint = DATA_RESET_GAUGE;
}

void data_histogram_sum_divide(struct data_histogram_sum *s, double divisor)
{
    struct data_kahan *totals[] = {&s->zero_count, &s->count, &s->sum};
    for (size_t i = 0; i < ARRAY_LEN(totals); i++)
        *totals[i] = (struct data_kahan){data_kahan_value(totals[i]) / divisor, 0};
    if (divisor == 0) {
        vec_clear(&s->positive);
        vec_clear(&s->negative);
    }
    for (size_t i = 0; i < s->positive.len; i++)
        s->positive.items[i].count =
            (struct data_kahan){data_kahan_value(&s->positive.items[i].count) / divisor, 0};
    for (size_t i = 0; i < s->negative.len; i++)
        s->negative.items[i].count =
            (struct data_kahan){data_kahan_value(&s->negative.items[i].count) / divisor, 0};
    if (divisor < 0)
        s->reset_hint = DATA_RESET_GAUGE;
}

static bool finish_side(const data_histogram_side *side, struct arena *arena,
                        struct data_histogram_span **out_spans, uint32_t *out_span_count,
                        double **out_counts, uint32_t *out_count)
{
    struct data_histogram_span *spans = arena_alloc(arena, (side->len + 1) * sizeof(*spans));
    double *counts = arena_alloc(arena, (side->len + 1) * sizeof(*counts));
    uint32_t n = 0, span_count = 0;
    int64_t next = 0;
    if (!spans || !counts)
        return false;
    for (size_t i = 0; i < side->len; i++) {
        double v = data_kahan_value(&side->items[i].count);
        int64_t index = side->items[i].index;
        if (v == 0)
            continue;
        if (!n || index != next)
            spans[span_count++] = (struct data_histogram_span){(int32_t)(index - next), 0};
        spans[span_count - 1].length++;
        counts[n++] = v;
        next = index + 1;
    }
    *out_spans = spans;
    *out_span_count = span_count;
    *out_counts = counts;
    *out_count = n;
    return true;
}

struct data_histogram *data_histogram_sum_finish(const struct data_histogram_sum *s,
                                                 struct arena *arena)
{
    struct data_histogram *h = ARENA_NEW(arena, struct data_histogram);
    if (!h)
        return NULL;
    h->schema = s->schema;
    h->reset_hint = s->reset_hint;
    h->zero_threshold = s->zero_threshold;
    h->zero_count = data_kahan_value(&s->zero_count);
    h->count = data_kahan_value(&s->count);
    h->sum = data_kahan_value(&s->sum);
    h->custom_bound_count = (uint32_t)s->custom_bounds.len;
    h->custom_bounds =
        arena_dup(arena, s->custom_bounds.items, s->custom_bounds.len * sizeof(double));
    if (!h->custom_bounds ||
        !finish_side(&s->positive, arena, &h->positive_spans, &h->positive_span_count, &h->positive,
                     &h->positive_count) ||
        !finish_side(&s->negative, arena, &h->negative_spans, &h->negative_span_count, &h->negative,
                     &h->negative_count))
        return NULL;
    return h;
}

/* --- comparing --- */

static bool side_fell(const data_histogram_side *now, const data_histogram_side *before)
{
    size_t i = 0;
    for (size_t k = 0; k < before->len; k++) {
        double was = before->items[k].count.sum;
        while (i < now->len && now->items[i].index < before->items[k].index)
            i++;
        double is = i < now->len && now->items[i].index == before->items[k].index
                        ? now->items[i].count.sum
                        : 0;
        if (is < was)
            return true;
    }
    return false;
}

/* The same of two histograms with the same buckets, without looking which of them count. */
static bool none_fell(const struct data_histogram *h, const struct data_histogram *previous)
{
    if (h->schema != previous->schema || h->zero_threshold != previous->zero_threshold ||
        h->zero_count < previous->zero_count ||
        h->custom_bound_count != previous->custom_bound_count)
        return false;
    for (uint32_t i = 0; i < h->custom_bound_count; i++) {
        if (h->custom_bounds[i] != previous->custom_bounds[i])
            return false;
    }
    for (int negative = 0; negative < 2; negative++) {
        struct cursor now = side_of(h, negative), before = side_of(previous, negative);
        double is = 0, was;
        bool there = next_bucket(&now, &is);
        while (next_bucket(&before, &was)) {
            while (there && now.index < before.index)
                there = next_bucket(&now, &is);
            if ((there && now.index == before.index ? is : 0) < was)
                return false;
        }
    }
    return true;
}

bool data_histogram_is_reset(const struct data_histogram *h, const struct data_histogram *previous)
{
    if (h->reset_hint == DATA_RESET_YES)
        return true;
    if (h->reset_hint == DATA_RESET_NO)
        return false;
    if (h->count < previous->count ||
        data_histogram_is_custom(h) != data_histogram_is_custom(previous))
        return true;
    if (!data_histogram_is_custom(h) &&
        (h->schema > previous->schema || h->zero_threshold < previous->zero_threshold))
        return true;
    if (none_fell(h, previous))
        return false;
    struct data_histogram_sum now = {0}, before = {0};
    data_histogram_sum_start(&now, h);
    data_histogram_sum_start(&before, previous);
    bool reset = false;
    if (data_histogram_is_custom(h)) {
        align(&now, &before);
    } else {
        double threshold = h->zero_threshold;
        struct data_kahan zero = zero_count_at(&before, &threshold);
        reset = threshold != h->zero_threshold || h->zero_count < zero.sum;
        if (!reset)
            widen_zero(&before, &threshold);
        coarsen(&before, h->schema);
    }
    reset = reset || side_fell(&now.positive, &before.positive) ||
            side_fell(&now.negative, &before.negative);
    data_histogram_sum_free(&now);
    data_histogram_sum_free(&before);
    return reset;
}

static size_t next_filled(const data_histogram_side *s, size_t i)
{
    while (i < s->len && s->items[i].count.sum == 0)
        i++;
    return i;
}

static bool sides_equal(const data_histogram_side *a, const data_histogram_side *b)
{
    size_t i = 0, k = 0;
    for (;; i++, k++) {
        i = next_filled(a, i);
        k = next_filled(b, k);
        if (i == a->len || k == b->len)
            return i == a->len && k == b->len;
        if (a->items[i].index != b->items[k].index ||
            a->items[i].count.sum != b->items[k].count.sum)
            return false;
    }
}

static bool bits_equal(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0 || a == b;
}

bool data_histogram_equal(const struct data_histogram *a, const struct data_histogram *b)
{
    if (a->schema != b->schema || !bits_equal(a->sum, b->sum) || !bits_equal(a->count, b->count) ||
        (!data_histogram_is_custom(a) &&
         (!bits_equal(a->zero_count, b->zero_count) || a->zero_threshold != b->zero_threshold)))
        return false;
    struct data_histogram_sum p = {0}, q = {0};
    data_histogram_sum_start(&p, a);
    data_histogram_sum_start(&q, b);
    bool same = same_bounds(&p, &q) && sides_equal(&p.positive, &q.positive) &&
                sides_equal(&p.negative, &q.negative);
    data_histogram_sum_free(&p);
    data_histogram_sum_free(&q);
    return same;
}
