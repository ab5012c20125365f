/* The plain way, one series and one step after the other: for series with histograms, and what the
 * fast way is tested against. */
#include "query/plain.h"

#include "base/mem.h"
#include "data/histogram_math.h"
#include "query/extended.h"
#include "query/window.h"

#define STOP_EVERY ((size_t)1 << 20) /* samples in windows */

/* Hints of histograms that have none, from what came before. */
static void find_resets(struct query_exec *x, struct store_samples *s)
{
    for (size_t i = s->count; s->histogram && i-- > 1;) {
        const struct data_histogram *h = s->histogram[i], *before = s->histogram[i - 1];
        if (!h || !before || h->reset_hint != DATA_RESET_UNKNOWN || h->is_stale)
            continue;
        struct data_histogram *own = arena_dup(x->arena, h, sizeof(*own));
        if (!own)
            return; /* the next allocation says so */
        own->reset_hint = data_histogram_is_reset(h, before) ? DATA_RESET_YES : DATA_RESET_NO;
        s->histogram[i] = own;
    }
}

/* How many samples the row shows. */
static size_t plain_instant(struct query_exec *x, const struct query_node *n,
                            const struct store_samples *samples, struct query_row *row)
{
    const struct query_selector *sel = &n->selector;
    size_t at = 0, distinct = sel->has_at ? 1 : x->step_count, found = 0, copied = SIZE_MAX;
    const struct data_histogram *copy = NULL;
    if (samples->histogram)
        row->histogram = ARENA_ARRAY(x->arena, const struct data_histogram *, x->step_count);
    for (size_t s = 0; s < distinct; s++) {
        int64_t t = query__time_at(x, sel, s);
        while (at < samples->count && samples->ts[at] <= t)
            at++;
        if (!at || samples->ts[at - 1] <= query__minus(t, sel->lookback_ns))
            continue;
        size_t k = at - 1;
        const struct data_histogram *h = samples->histogram ? samples->histogram[k] : NULL;
        if (h ? h->is_stale || data_is_stale(h->sum) : data_is_stale(samples->value[k]))
            continue;
        row->has[s] = 1;
        row->value[s] = sel->timestamps  ? query__seconds(samples->ts[k])
                        : !sel->starts   ? samples->value[k]
                        : samples->start ? query__seconds(samples->start[k])
                                         : 0;
        if (h && !sel->timestamps && !sel->starts && row->histogram) {
            if (k != copied)
                copy = data_histogram_copy(x->arena, h);
            row->histogram[s] = copy;
            copied = k;
        }
        found++;
    }
    for (size_t s = 1; sel->has_at && row->has[0] && s < x->step_count; s++) {
        row->has[s] = 1;
        row->value[s] = row->value[0];
        if (row->histogram)
            row->histogram[s] = row->histogram[0];
    }
    return found;
}

/* Samples of one series without staleness markers; how many of them are histograms. */
static size_t clean(struct store_samples *s, size_t *out_histograms)
{
    size_t kept = 0;
    *out_histograms = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct data_histogram *h = s->histogram ? s->histogram[i] : NULL;
        if (h ? h->is_stale || data_is_stale(h->sum) : data_is_stale(s->value[i]))
            continue;
        if (s->histogram)
            s->histogram[kept] = h;
        *out_histograms += h != NULL;
        if (s->start)
            s->start[kept] = s->start[i];
        s->ts[kept] = s->ts[i];
        s->value[kept++] = s->value[i];
    }
    return kept;
}

/* Runs the function over all windows of one run of samples. */
static void plain_window(struct query_exec *x, const struct query_node *n,
                         const struct query_samples *run, const struct query_grid *params,
                         struct query_row *row)
{
    const int64_t *ts = run->ts;
    size_t count = run->count;
    bool overlaps = false;
    const struct query_selector *sel = &n->selector;
    bool varies =
        params && params[0].count; /* a pinned window may still meet a new parameter each step */
    size_t begin = 0, end = 0, work = 0, distinct = sel->has_at && !varies ? 1 : x->step_count;
    for (size_t s = 0; s < distinct; s++) {
        int64_t t = query__time_at(x, sel, s), start = query__minus(t, n->range_ns);
        while (end < count && ts[end] <= t)
            end++;
        while (begin < end && ts[begin] <= start)
            begin++;
        if (begin == end)
            continue;
        struct query_window w = {.ts = ts + begin,
                                 .v = run->v + begin,
                                 .count = end - begin,
                                 .start_ns = start,
                                 .end_ns = t,
                                 .step_ns = query__step_ns(x, s),
                                 .start = run->start ? run->start + begin : NULL,
                                 .overlaps = &overlaps};
        for (size_t p = 0; p < 2 && params && params[p].count; p++)
            w.param[p] = params[p].rows[0].value[s];
        row->has[s] = n->function->window(&w, &row->value[s]);
        work += w.count;
        if (work > STOP_EVERY) {
            if (query__should_stop(x->env))
                break; /* the caller finds out himself */
            work = 0;
        }
    }
    for (size_t s = 1; distinct == 1 && row->has[0] && s < x->step_count; s++) {
        row->has[s] = 1;
        row->value[s] = row->value[0];
    }
    if (overlaps)
        query__tell_overlap(x, n, run->metric);
}

void query__tell_overlap(struct query_exec *x, const struct query_node *n, struct slice metric)
{
    query__warn(x, n->args[0],
                "sample has start time that overlaps with previous sample timestamp%s%.*s%s",
                metric.len ? " for metric \"" : "", SLICE_FMT(metric), metric.len ? "\"" : "");
}

/* One window that holds a histogram; a function that knows none sees the floats alone. */
static int mixed_window(const struct query_mixed_window *w, struct query_window *floats,
                        struct query_row *row, size_t step)
{
    const struct query_function *f = w->n->function;
    if (f->mixed)
        return f->mixed(w, row, step);
    if (w->histograms == w->count)
        return 0;
    int64_t *ts = mem_alloc(w->count * sizeof(*ts));
    double *v = mem_alloc(w->count * sizeof(*v)), out;
    size_t count = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (!w->h[i]) {
            ts[count] = w->ts[i];
            v[count++] = w->v[i];
        }
    }
    query__info(w->x, w->n->args[0],
                "ignored histograms in a range containing both floats and histograms%s%.*s%s",
                w->metric.len ? " for metric name \"" : "", SLICE_FMT(w->metric),
                w->metric.len ? "\"" : "");
    floats->ts = ts;
    floats->v = v;
    floats->count = count;
    if (f->window(floats, &out))
        query__put_float(row, step, out);
    mem_free(ts);
    mem_free(v);
    return 0;
}

/* The same for a run that holds histograms. */
static int mixed_windows(struct query_exec *x, const struct query_node *n,
                         const struct query_samples *run, const struct query_grid *params,
                         struct query_row *row)
{
    const int64_t *ts = run->ts;
    const double *v = run->v;
    const struct data_histogram *const *h = run->h;
    size_t count = run->count;
    size_t begin = 0, end = 0, histograms = 0, work = 0;
    uint8_t *resets = mem_calloc(count, 1);
    int err = 0;
    for (size_t s = 0; s < x->step_count && !err; s++) {
        int64_t t = query__time_at(x, &n->selector, s), start = query__minus(t, n->range_ns);
        for (; end < count && ts[end] <= t; end++)
            histograms += h[end] != NULL;
        for (; begin < end && ts[begin] <= start; begin++)
            histograms -= h[begin] != NULL;
        if (begin == end)
            continue;
        struct query_window w = {.ts = ts + begin,
                                 .v = v + begin,
                                 .count = end - begin,
                                 .start_ns = start,
                                 .end_ns = t,
                                 .step_ns = query__step_ns(x, s),
                                 .start = run->start ? run->start + begin : NULL};
        for (size_t p = 0; p < 2 && params && params[p].count; p++)
            w.param[p] = params[p].rows[0].value[s];
        double out;
        if (histograms) {
            const struct query_mixed_window mixed = {.x = x,
                                                     .n = n,
                                                     .ts = w.ts,
                                                     .v = w.v,
                                                     .h = h + begin,
                                                     .count = w.count,
                                                     .histograms = histograms,
                                                     .start_ns = start,
                                                     .end_ns = t,
                                                     .start = w.start,
                                                     .resets = resets + begin,
                                                     .metric = run->metric};
            err = mixed_window(&mixed, &w, row, s);
            work += w.count * 64; /* buckets */
            if (!err && work > STOP_EVERY) {
                err = query__check(x);
                work = 0;
            }
        } else if (n->function->window(&w, &out)) {
            query__put_float(row, s, out);
        }
    }
    mem_free(resets);
    return err;
}

int query__plain_windows(struct query_exec *x, const struct query_node *n,
                         const struct query_samples *run, const struct query_grid *params,
                         struct query_row *row)
{
    if (run->h)
        return mixed_windows(x, n, run, params, row);
    plain_window(x, n, run, params, row);
    return 0;
}

int query__plain_row(struct query_exec *x, const struct query_node *n,
                     const struct query_grid *params, struct store_samples *samples,
                     struct query_row *row, size_t *out_count)
{
    bool extended = n->selector.anchored || n->selector.smoothed;
    size_t histograms = 0;
    *out_count = 0;
    if (n->op == QUERY_WINDOW || extended)
        samples->count = clean(samples, &histograms);
    if (!samples->count)
        return 0;
    if (n->selector.find_resets)
        find_resets(x, samples);
    if (n->op == QUERY_INSTANT && !extended) {
        *out_count = plain_instant(x, n, samples, row);
        return 0;
    }
    const struct query_samples run = {.ts = samples->ts,
                                      .v = samples->value,
                                      .h = histograms ? samples->histogram : NULL,
                                      .start = samples->start,
                                      .count = samples->count,
                                      .metric =
                                          data_labels_get(row->labels, SLICE(DATA_METRIC_NAME))};
    if (n->op == QUERY_INSTANT)
        return query__smoothed_instant(x, n, &run, row, out_count);
    *out_count = samples->count;
    return extended ? query__sweep_extended(x, n, &run, row)
                    : query__plain_windows(x, n, &run, params, row);
}
