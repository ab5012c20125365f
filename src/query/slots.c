#include "query/slots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/kahan.h"

static double *room(struct query_slots_scratch *s, size_t count)
{
    if (count > s->cap) {
        mem_free(s->v);
        s->v = mem_alloc(count * sizeof(*s->v));
        s->cap = count;
    }
    return s->v;
}

void query_slots_scratch_free(struct query_slots_scratch *s)
{
    mem_free(s->v);
    *s = (struct query_slots_scratch){0};
}

double query_slots_round(double v, int places)
{
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6, 1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14};
    char text[400];
    if (!isfinite(v))
        return v;
    if (places < 0) {
        double p = pow(10, -places);
        return nearbyint(v / p) * p;
    }
    if (places > 17)
        return v;
    /* Whole numbers and powers of ten are exact here, so that their quotient is the nearest to the
     * decimal; only what the product says of halves is not certain. */
    if ((size_t)places < ARRAY_LEN(powers) && fabs(v) * powers[places] < 1e12) {
        double scaled = v * powers[places], whole = nearbyint(scaled);
        if (fabs(fabs(scaled - whole) - .5) > 1e-3)
            return copysign(fabs(whole) / powers[places], v);
    }
    snprintf(text, sizeof(text), "%.*f", places, v);
    return strtod(text, NULL);
}

/* --- each row --- */

static void math(const struct query_each *e, double step_s, double *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isnan(v[i]))
            v[i] = e->math(v[i], e->a, step_s);
    }
}

static void difference(double *v, size_t count)
{
    for (size_t i = count; i-- > 1;)
        v[i] -= v[i - 1];
    if (count)
        v[0] = NAN;
}

/* A value out of bounds is none, and nothing is told from it. */
static void gain(const struct query_each *e, double *v, size_t count)
{
    double most = e->a, least = e->b, before = NAN;
    for (size_t i = 0; i < count; i++) {
        double now = v[i], was = before;
        bool outside = now > most || now < least;
        before = outside ? NAN : now;
        v[i] = outside ? NAN : now - was;
        if (!(now < was) || outside)
            continue;
        if (!isnan(most))
            v[i] = most + 1 + now - was - (isnan(least) ? 0 : least);
        else
            v[i] = now - least; /* none when it is not known */
    }
}

static void running_sum(double *v, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isnan(v[i]))
            v[i] = sum += v[i];
    }
}

static void fill(const struct query_each *e, double *v, size_t count)
{
    bool line = e->op == QUERY_EACH_INTERPOLATE;
    double last = NAN;
    for (size_t i = 0, gap = 0; i <= count; i++) {
        bool end = i == count;
        if (!end && isnan(v[i])) {
            gap++;
            continue;
        }
        bool fills = gap && (double)gap <= e->a && !isnan(last) && !(end && line);
        for (size_t g = 0; fills && g < gap; g++)
            v[i - gap + g] =
                line ? last + (double)(g + 1) * (v[i] - last) / (double)(gap + 1) : last;
        gap = 0;
        if (!end)
            last = v[i];
    }
}

/* --- moving windows: that of slot k is [k + 1 - n, k], less what lies before the first --- */

struct window {
    const struct query_each *each;
    const double *v; /* what there was */
    double *out;
    size_t count, n;
};

static bool enough(const struct window *w, size_t there)
{
    return there && (double)there / (double)w->n >= w->each->least_share;
}

/* A sum that values join and leave. What is left of it is exact to the last digits as long as
 * nothing that was in it since it was begun was far greater. */
struct running {
    struct data_kahan sum;
    double most; /* of the values' magnitudes */
    size_t there;
};

#define FAR_GREATER 1e12

static void join(struct running *r, double v)
{
    data_kahan_add(&r->sum, v);
    r->most = MAX(r->most, fabs(v));
    r->there++;
}

static void sum_anew(struct running *r, const double *v, size_t count)
{
    *r = (struct running){0};
    for (size_t i = 0; i < count; i++) {
        if (!isnan(v[i]))
            join(r, v[i]);
    }
}

static void moving_sum(const struct window *w)
{
    const double *v = w->v;
    bool average = w->each->over == QUERY_OVER_AVG;
    struct running r = {0};
    for (size_t k = 0; k < w->count; k++) {
        bool leaves = k >= w->n && !isnan(v[k - w->n]);
        if (leaves) {
            data_kahan_add(&r.sum, -v[k - w->n]);
            r.there--;
        }
        if (!isnan(v[k]))
            join(&r, v[k]);
        /* Nor does an infinity go as it came. */
        double left = fabs(r.sum.sum);
        if (leaves && !(r.most < FAR_GREATER * left && left < INFINITY) && r.most > 0) {
            size_t begin = k + 1 - w->n;
            sum_anew(&r, v + begin, w->n);
        }
        double total = data_kahan_value(&r.sum);
        w->out[k] = !enough(w, r.there) ? NAN : average ? total / (double)r.there : total;
    }
}

static void moving_count(const struct window *w)
{
    size_t there = 0;
    for (size_t k = 0; k < w->count; k++) {
        there += !isnan(w->v[k]);
        there -= k >= w->n && !isnan(w->v[k - w->n]);
        w->out[k] = enough(w, there) ? (double)there : NAN;
    }
}

/* Values of the window none of which is behind a later one that is further: the first is the
 * extreme. */
struct queue {
    uint32_t *at;
    size_t head, tail;
    bool max;
};

static void enqueue(struct queue *q, const double *v, size_t k, size_t n)
{
    while (q->head < q->tail && q->at[q->head] + n <= k)
        q->head++;
    if (isnan(v[k]))
        return;
    while (q->head < q->tail &&
           (q->max ? v[q->at[q->tail - 1]] < v[k] : v[q->at[q->tail - 1]] > v[k]))
        q->tail--;
    q->at[q->tail++] = (uint32_t)k;
}

static void moving_extremes(const struct window *w, struct query_slots_scratch *scratch)
{
    uint32_t *at = (uint32_t *)(void *)(scratch->v + w->count);
    bool range = w->each->over == QUERY_OVER_RANGE;
    struct queue first = {.at = at, .max = w->each->over != QUERY_OVER_MIN};
    struct queue second = {.at = at + w->count};
    size_t there = 0;
    for (size_t k = 0; k < w->count; k++) {
        there += !isnan(w->v[k]);
        there -= k >= w->n && !isnan(w->v[k - w->n]);
        enqueue(&first, w->v, k, w->n);
        if (range)
            enqueue(&second, w->v, k, w->n);
        if (!enough(w, there))
            w->out[k] = NAN;
        else
            w->out[k] = w->v[first.at[first.head]] - (range ? w->v[second.at[second.head]] : 0);
    }
}

/* Where a value is, or would go, in an ordered list. */
static size_t place_of(const double *sorted, size_t len, double v)
{
    size_t lo = 0;
    while (len > 0) {
        size_t half = len / 2;
        bool right = sorted[lo + half] < v;
        lo = right ? lo + half + 1 : lo;
        len = right ? len - half - 1 : half;
    }
    return lo;
}

static void moving_median(const struct window *w, struct query_slots_scratch *scratch)
{
    double *sorted = scratch->v + w->count;
    size_t len = 0;
    for (size_t k = 0; k < w->count; k++) {
        double goes = k >= w->n ? w->v[k - w->n] : NAN, comes = w->v[k];
        /* One that goes and one that comes: only what lies between them moves. */
        if (!isnan(goes)) {
            size_t at = place_of(sorted, len, goes);
            memmove(sorted + at, sorted + at + 1, (--len - at) * sizeof(*sorted));
        }
        if (!isnan(comes)) {
            size_t at = place_of(sorted, len, comes);
            memmove(sorted + at + 1, sorted + at, (len++ - at) * sizeof(*sorted));
            sorted[at] = comes;
        }
        if (!enough(w, len))
            w->out[k] = NAN;
        else
            w->out[k] = len % 2 ? sorted[len / 2] : (sorted[len / 2 - 1] + sorted[len / 2]) / 2;
    }
}

static void moving_other(const struct window *w)
{
    size_t there = 0;
    for (size_t k = 0; k < w->count; k++) {
        size_t begin = k + 1 > w->n ? k + 1 - w->n : 0;
        there += !isnan(w->v[k]);
        there -= k >= w->n && !isnan(w->v[k - w->n]);
        w->out[k] =
            enough(w, there) ? w->each->other(w->each->a, w->v + begin, k + 1 - begin) : NAN;
    }
}

static void moving(const struct query_each *e, int64_t step_s, double *v, size_t count,
                   struct query_slots_scratch *scratch)
{
    size_t n = e->slots ? e->slots : (size_t)MAX(e->range_s / step_s, 1);
    double *was = room(scratch, 2 * count + 1);
    memcpy(was, v, count * sizeof(*v));
    const struct window w = {.each = e, .v = was, .out = v, .count = count, .n = n};
    switch (e->over) {
    case QUERY_OVER_SUM:
    case QUERY_OVER_AVG: moving_sum(&w); break;
    case QUERY_OVER_MIN:
    case QUERY_OVER_MAX:
    case QUERY_OVER_RANGE: moving_extremes(&w, scratch); break;
    case QUERY_OVER_COUNT: moving_count(&w); break;
    case QUERY_OVER_MEDIAN: moving_median(&w, scratch); break;
    case QUERY_OVER_OTHER: moving_other(&w); break;
    }
}

void query_each_row(const struct query_each *e, int64_t step_s, double *v, size_t count,
                    struct query_slots_scratch *scratch)
{
    switch (e->op) {
    case QUERY_EACH_MATH: math(e, (double)step_s, v, count); break;
    case QUERY_EACH_DIFFERENCE: difference(v, count); break;
    case QUERY_EACH_GAIN: gain(e, v, count); break;
    case QUERY_EACH_RUNNING_SUM: running_sum(v, count); break;
    case QUERY_EACH_KEEP:
    case QUERY_EACH_INTERPOLATE: fill(e, v, count); break;
    case QUERY_EACH_BLANK:
        for (size_t i = 0; i < MIN(e->slots, count); i++)
            v[i] = NAN;
        break;
    case QUERY_EACH_WINDOW: moving(e, step_s, v, count, scratch); break;
    }
}

/* --- many rows --- */

#define AT_ONCE ((size_t)8) /* slots: a row's values at them lie side by side */

void query_slots_across(const double *const *row, size_t rows, size_t from, size_t to,
                        void (*at)(void *ctx, size_t slot, double *v), void *ctx,
                        struct query_slots_scratch *scratch)
{
    double *v = room(scratch, AT_ONCE * rows + 1);
    for (size_t slot = from; slot < to; slot += AT_ONCE) {
        size_t n = MIN(to - slot, AT_ONCE);
        for (size_t k = 0; k < rows; k++) {
            for (size_t i = 0; i < n; i++)
                v[i * rows + k] = row[k][slot + i];
        }
        for (size_t i = 0; i < n; i++)
            at(ctx, slot + i, v + i * rows);
    }
}

size_t query_slots_present(double *v, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        v[n] = v[i];
        n += !isnan(v[i]);
    }
    return n;
}

static void swap(double *v, size_t a, size_t b)
{
    double was = v[a];
    v[a] = v[b];
    v[b] = was;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A quicksort that follows one side only. */
void query_slots_select(double *v, size_t n, size_t at)
{
    size_t lo = 0, hi = n;
    for (size_t rounds = 0; hi - lo > 16; rounds++) {
        if (rounds > 60) /* made to be slow */
            break;
        size_t mid = lo + (hi - lo) / 2;
        if (v[mid] < v[lo])
            swap(v, mid, lo);
        if (v[hi - 1] < v[lo])
            swap(v, hi - 1, lo);
        if (v[hi - 1] < v[mid])
            swap(v, hi - 1, mid);
        double pivot = v[mid];
        size_t i = lo, j = hi - 1;
        for (;;) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i >= j)
                break;
            swap(v, i++, j--);
        }
        /* [lo, i) is at most the pivot, [j + 1, hi) at least. */
        if (at <= j)
            hi = j + 1;
        else
            lo = MAX(i, j + 1);
    }
    if (hi - lo > 16) {
        qsort(v + lo, hi - lo, sizeof(*v), by_value);
        return;
    }
    for (size_t i = lo + 1; i < hi; i++) {
        double one = v[i];
        size_t k = i;
        for (; k > lo && v[k - 1] > one; k--)
            v[k] = v[k - 1];
        v[k] = one;
    }
}

double query_slots_median(double *v, size_t count)
{
    if (!count)
        return NAN;
    query_slots_select(v, count, count / 2);
    if (count % 2)
        return v[count / 2];
    double below = v[0];
    for (size_t i = 1; i < count / 2; i++)
        below = v[i] > below ? v[i] : below;
    return (below + v[count / 2]) / 2;
}
