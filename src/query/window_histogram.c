/* Windows that hold histograms. */
#include <math.h>

#include "data/histogram_math.h"
#include "query/aggregate_histogram.h"
#include "query/window.h"

/* What a message is about, with the metric's name when there is one. */
#define FOR_METRIC "%s%.*s%s"
#define METRIC(w)                                                                                  \
    (w)->metric.len ? " for metric name \"" : "", SLICE_FMT((w)->metric),                          \
        (w)->metric.len ? "\"" : ""

static const struct query_node *place(const struct query_mixed_window *w)
{
    return w->n->arg_count ? w->n->args[0] : w->n;
}

void query__tell_mixed(const struct query_mixed_window *w)
{
    query__warn(w->x, place(w), "encountered a mix of histograms and floats" FOR_METRIC, METRIC(w));
}

static bool is_mixed(const struct query_mixed_window *w)
{
    if (w->histograms == w->count)
        return false;
    query__tell_mixed(w);
    return true;
}

void query__tell_incompatible(const struct query_mixed_window *w)
{
    query__warn(w->x, place(w),
                "vector contains a mix of histograms with exponential and custom buckets "
                "schemas" FOR_METRIC,
                METRIC(w));
}

void query__tell_not(const struct query_mixed_window *w, const char *type)
{
    query__warn(w->x, place(w), "this native histogram metric is not a %s%s%.*s%s", type,
                w->metric.len ? ": \"" : "", SLICE_FMT(w->metric), w->metric.len ? "\"" : "");
}

static void tell(const struct query_mixed_window *w, unsigned flags, const char *operation)
{
    if (flags & DATA_HISTOGRAM_RECONCILED)
        query__info(w->x, place(w), "mismatched custom buckets were reconciled during %s",
                    operation);
}

static bool is_gauge(const struct data_histogram *h)
{
    return h->reset_hint == DATA_RESET_GAUGE;
}

static int put_sum(const struct query_mixed_window *w, const struct data_histogram_sum *sum,
                   struct query_row *row, size_t step)
{
    return query__put_histogram(w->x, row, step, data_histogram_sum_finish(sum, w->x->arena));
}

/* --- rate, increase, delta --- */

static bool begins_anew(const struct query_mixed_window *w, size_t i)
{
    bool overlaps = false, anew = w->start && query__begins_anew(w->ts, w->start, i, &overlaps);
    if (overlaps)
        query__tell_overlap(w->x, w->n, w->metric);
    return anew;
}

/* Of i >= 1, and the histogram before it. */
static bool falls(const struct query_mixed_window *w, size_t i)
{
    if (!w->resets)
        return data_histogram_is_reset(w->h[i], w->h[i - 1]);
    if (!w->resets[i])
        w->resets[i] = data_histogram_is_reset(w->h[i], w->h[i - 1]) ? 2 : 1;
    return w->resets[i] == 2;
}

static bool is_reset(const struct query_mixed_window *w, size_t i,
                     const struct data_histogram *before)
{
    bool anew = begins_anew(w, i);
    return anew || (before == w->h[i - 1] ? falls(w, i) : data_histogram_is_reset(w->h[i], before));
}

/* A layout without observations: what a counter was before it began. */
static struct data_histogram nothing_like(const struct data_histogram *h)
{
    return (struct data_histogram){.schema = h->schema,
                                   .zero_threshold = h->zero_threshold,
                                   .custom_bounds = h->custom_bounds,
                                   .custom_bound_count = h->custom_bound_count};
}

/* The change over the window with resets taken out; false when there is none. `began`: it began at
 * zero within the window. */
static bool change_of(const struct query_mixed_window *w, bool counter, bool began,
                      struct data_histogram_sum *sum)
{
    const struct data_histogram *first = w->h[0], *last = w->h[w->count - 1], *prev = first;
    struct data_histogram nothing;
    unsigned flags = 0;
    if (counter && (is_gauge(first) || is_gauge(last)))
        query__tell_not(w, "counter");
    if (counter && !began && is_reset(w, 1, first)) {
        nothing = nothing_like(w->h[1]);
        prev = &nothing;
    }
    for (size_t i = 0; i < w->count; i++) {
        const struct data_histogram *h = i ? w->h[i] : prev;
        if (counter && i && i + 1 < w->count && is_gauge(h))
            query__tell_not(w, "counter");
        if ((counter || i == 0) && data_histogram_is_custom(h) != data_histogram_is_custom(last)) {
            query__tell_incompatible(w);
            return false;
        }
    }
    data_histogram_sum_start(sum, last);
    if (!began && data_histogram_sum_add(sum, prev, -1, &flags)) {
        query__tell_incompatible(w);
        return false;
    }
    tell(w, flags, "subtraction");
    flags = 0;
    for (size_t i = 1; counter && i < w->count; i++) {
        if (is_reset(w, i, prev))
            data_histogram_sum_add(sum, prev, 1, &flags);
        prev = w->h[i];
    }
    tell(w, flags, "addition");
    if (!counter && (!is_gauge(first) || !is_gauge(last)))
        query__tell_not(w, "gauge");
    sum->reset_hint = DATA_RESET_GAUGE;
    return true;
}

static int extrapolated(const struct query_mixed_window *w, bool counter, bool per_second,
                        struct query_row *row, size_t step)
{
    struct data_histogram_sum sum = {0};
    const struct query_extrapolation of = {
        .ts = w->ts,
        .count = w->count,
        .start_ns = w->start_ns,
        .end_ns = w->end_ns,
        .counter = counter,
        .began_ns = counter ? query__began_within(w->ts, w->start, w->start_ns) : 0};
    int err = 0;
    if (is_mixed(w) || (w->count < 2 && !of.began_ns))
        return 0;
    if (change_of(w, counter, of.began_ns != 0, &sum)) {
        double factor = query__extrapolation(&of, w->h[0]->count, data_kahan_value(&sum.count));
        if (per_second)
            factor /= query__seconds(w->end_ns - w->start_ns);
        data_histogram_sum_scale(&sum, factor);
        err = put_sum(w, &sum, row, step);
    }
    data_histogram_sum_free(&sum);
    return err;
}

int query__rate_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step)
{
    return extrapolated(w, true, true, row, step);
}

int query__increase_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step)
{
    return extrapolated(w, true, false, row, step);
}

int query__delta_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step)
{
    return extrapolated(w, false, false, row, step);
}

static int last_two(const struct query_mixed_window *w, bool rate, struct query_row *row,
                    size_t step)
{
    if (w->count < 2)
        return 0;
    const struct data_histogram *last = w->h[w->count - 1], *before = w->h[w->count - 2];
    int64_t apart = w->ts[w->count - 1] - w->ts[w->count - 2];
    if (!last && !before) {
        const struct query_window floats = {.ts = w->ts + w->count - 2,
                                            .v = w->v + w->count - 2,
                                            .start = w->start ? w->start + w->count - 2 : NULL,
                                            .count = 2,
                                            .start_ns = w->start_ns,
                                            .end_ns = w->end_ns};
        double v;
        if ((rate ? query__irate : query__idelta)(&floats, &v))
            query__put_float(row, step, v);
        return 0;
    }
    if (!last || !before) {
        query__tell_mixed(w);
        return 0;
    }
    if (rate && (is_gauge(last) || is_gauge(before)))
        query__tell_not(w, "counter");
    if (!rate && (!is_gauge(last) || !is_gauge(before)))
        query__tell_not(w, "gauge");
    struct data_histogram_sum sum = {0};
    unsigned flags = 0;
    int err = 0;
    data_histogram_sum_start(&sum, last);
    if ((!rate || !is_reset(w, w->count - 1, before)) &&
        data_histogram_sum_add(&sum, before, -1, &flags)) {
        query__tell_incompatible(w);
    } else {
        tell(w, flags, "subtraction");
        sum.reset_hint = DATA_RESET_GAUGE;
        if (rate)
            data_histogram_sum_divide(&sum, query__seconds(apart));
        err = put_sum(w, &sum, row, step);
    }
    data_histogram_sum_free(&sum);
    return err;
}

int query__irate_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step)
{
    return last_two(w, true, row, step);
}

int query__idelta_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step)
{
    return last_two(w, false, row, step);
}

/* --- counting --- */

int query__changes_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step)
{
    size_t n = 0;
    for (size_t i = 1; i < w->count; i++) {
        const struct data_histogram *a = w->h[i - 1], *b = w->h[i];
        if (a && b)
            n += !data_histogram_equal(a, b);
        else if (a || b)
            n++;
        else
            n += w->v[i] != w->v[i - 1] && !(isnan(w->v[i]) && isnan(w->v[i - 1]));
    }
    query__put_float(row, step, (double)n);
    return 0;
}

int query__resets_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step)
{
    size_t n = 0;
    for (size_t i = 1; i < w->count; i++) {
        const struct data_histogram *a = w->h[i - 1], *b = w->h[i];
        n += begins_anew(w, i) || (a && b ? falls(w, i) : a || b ? true : w->v[i] < w->v[i - 1]);
    }
    query__put_float(row, step, (double)n);
    return 0;
}

int query__count_over_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step)
{
    query__put_float(row, step, (double)w->count);
    return 0;
}

int query__present_over_mixed(const struct query_mixed_window *w, struct query_row *row,
                              size_t step)
{
    (void)w;
    query__put_float(row, step, 1);
    return 0;
}

int query__ts_of_first_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step)
{
    query__put_float(row, step, query__seconds(w->ts[0]));
    return 0;
}

int query__ts_of_last_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step)
{
    query__put_float(row, step, query__seconds(w->ts[w->count - 1]));
    return 0;
}

/* --- picking and adding --- */

static int pick(const struct query_mixed_window *w, size_t i, struct query_row *row, size_t step)
{
    if (!w->h[i]) {
        query__put_float(row, step, w->v[i]);
        return 0;
    }
    return query__put_histogram(w->x, row, step, data_histogram_copy(w->x->arena, w->h[i]));
}

int query__last_over_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step)
{
    return pick(w, w->count - 1, row, step);
}

int query__first_over_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step)
{
    return pick(w, 0, row, step);
}

static int total(const struct query_mixed_window *w, bool average, struct query_row *row,
                 size_t step)
{
    struct query_histogram_total t = {0};
    int err = 0;
    if (is_mixed(w))
        return 0;
    for (size_t i = 0; i < w->count; i++)
        query__total_add(&t, w->h[i]);
    query__total_tell(&t, w->x, place(w));
    if (t.incompatible)
        query__tell_incompatible(w);
    else
        err = query__put_histogram(w->x, row, step, query__total_finish(&t, average, w->x->arena));
    query__total_free(&t);
    return err;
}

int query__sum_over_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step)
{
    return total(w, false, row, step);
}

int query__avg_over_mixed(const struct query_mixed_window *w, struct query_row *row, size_t step)
{
    return total(w, true, row, step);
}
