#include "query/extended.h"

#include "base/mem.h"
#include "data/histogram_math.h"
#include "query/window.h"

/* A sample at an edge or within a window: a float, or a histogram. */
struct point {
    double v;
    const struct data_histogram *h;
};

/* What a window consists of: its edges, and [begin, end) of the run between them. */
struct edges {
    struct point left, right;
    bool right_is_reset; /* between the last sample within and the right edge, interpolated */
    bool left_made, right_made; /* interpolated: the samples next to them are their continuation */
    size_t begin, end;
};

struct extended {
    struct query_exec *x;
    const struct query_node *n;
    const struct query_samples *run;
    struct query_mixed_window words; /* for annotations */
    bool counter;
    struct arena *arena; /* of one window */
};

static struct point point_at(const struct extended *e, size_t i)
{
    return (struct point){e->run->v[i], e->run->h ? e->run->h[i] : NULL};
}

static bool is_reset(struct point now, struct point before)
{
    return now.h ? data_histogram_is_reset(now.h, before.h) : now.v < before.v;
}

/* Between two samples of one kind at `t`; across a counter's reset it rises from zero. False when
 * the histograms' layouts do not meet. */
static bool between(const struct extended *e, size_t i, int64_t t, bool counter, struct point *out)
{
    struct point a = point_at(e, i), b = point_at(e, i + 1);
    double part = (double)(t - e->run->ts[i]) / (double)(e->run->ts[i + 1] - e->run->ts[i]);
    if (a.h && data_histogram_is_custom(a.h) != data_histogram_is_custom(b.h))
        return false;
    bool reset = counter && is_reset(b, a);
    *out = (struct point){reset ? b.v * part : a.v + (b.v - a.v) * part, NULL};
    if (!a.h)
        return true;
    struct data_histogram_sum sum = {0};
    data_histogram_sum_start(&sum, b.h);
    bool meets = reset || !data_histogram_sum_add(&sum, a.h, -1, NULL);
    if (meets) {
        data_histogram_sum_scale(&sum, part);
        if (!reset)
            data_histogram_sum_add(&sum, a.h, 1, NULL);
        sum.reset_hint = b.h->reset_hint == DATA_RESET_GAUGE && a.h->reset_hint == DATA_RESET_GAUGE
                             ? DATA_RESET_GAUGE
                             : DATA_RESET_UNKNOWN;
        out->h = data_histogram_sum_finish(&sum, e->arena);
    }
    data_histogram_sum_free(&sum);
    return meets;
}

static bool one_kind(const struct extended *e, size_t begin, size_t end)
{
    size_t histograms = 0;
    for (size_t i = begin; i < end && e->run->h; i++)
        histograms += e->run->h[i] != NULL;
    if (histograms && histograms < end - begin)
        query__tell_mixed(&e->words);
    return !histograms || histograms == end - begin;
}

static bool one_layout(const struct extended *e, size_t begin, size_t end)
{
    for (size_t i = begin + 1; i < end && e->run->h && e->run->h[begin]; i++) {
        if (data_histogram_is_custom(e->run->h[i]) != data_histogram_is_custom(e->run->h[begin])) {
            query__tell_incompatible(&e->words);
            return false;
        }
    }
    return true;
}

/* Finds the edges of the window (start, end]; false when it yields nothing. `first` is the first
 * sample behind start. */
static bool find_edges(const struct extended *e, size_t first, int64_t start, int64_t end,
                       struct edges *out)
{
    const struct query_samples *run = e->run;
    bool smoothed = e->n->selector.smoothed, anchor = first > 0;
    size_t last = first; /* behind the last sample within */
    while (last < run->count && run->ts[last] <= end)
        last++;
    bool inside = last > first, later = smoothed && last < run->count;
    if (!inside && !(smoothed && anchor && later))
        return false;
    later = later && !(inside && run->ts[last - 1] == end) && (inside || anchor);
    size_t from = anchor ? first - 1 : first, to = later ? last + 1 : last;
    if (!one_kind(e, from, to) || !one_layout(e, from, to))
        return false;
    *out = (struct edges){.begin = first, .end = last};
    out->left_made = smoothed && anchor && run->ts[first - 1] < start && first < run->count;
    out->right_made = later;
    if (!anchor) {
        out->left = point_at(e, first);
        out->begin = first + 1;
    } else if (!out->left_made) {
        out->left = point_at(e, first - 1);
    } else if (!between(e, first - 1, start, e->counter, &out->left)) {
        query__tell_incompatible(&e->words);
        return false;
    }
    if (!out->right_made) {
        out->right = point_at(e, last - 1);
        out->end = MAX(out->begin, last - 1);
        return true;
    }
    if (!between(e, last - 1, end, e->counter, &out->right)) {
        query__tell_incompatible(&e->words);
        return false;
    }
    out->right_is_reset =
        inside && e->counter && is_reset(point_at(e, last), point_at(e, last - 1));
    return true;
}

/* What a counter lost by resets within the window, as indexes of the samples before them. */
static double float_change(const struct extended *e, const struct edges *w)
{
    double change = w->right.v - w->left.v, before = w->left.v;
    if (!e->counter)
        return change;
    for (size_t i = w->begin; i < w->end; i++) {
        double v = e->run->v[i];
        if (v < before && !(w->left_made && i == w->begin))
            change += before;
        before = v;
    }
    if (w->right_made ? w->right_is_reset : w->right.v < before)
        change += before;
    return change;
}

static void check_hints(const struct extended *e, const struct edges *w)
{
    bool gauge = false, other = w->left.h->reset_hint != DATA_RESET_GAUGE ||
                                w->right.h->reset_hint != DATA_RESET_GAUGE;
    for (size_t i = w->begin; i < w->end; i++)
        gauge |= e->run->h[i]->reset_hint == DATA_RESET_GAUGE;
    gauge |=
        w->left.h->reset_hint == DATA_RESET_GAUGE || w->right.h->reset_hint == DATA_RESET_GAUGE;
    if (e->counter && gauge)
        query__tell_not(&e->words, "counter");
    if (!e->counter && other)
        query__tell_not(&e->words, "gauge");
}

static int histogram_change(const struct extended *e, const struct edges *w, double divisor,
                            struct query_row *row, size_t step)
{
    struct data_histogram_sum sum = {0};
    const struct data_histogram *before = w->left.h;
    check_hints(e, w);
    data_histogram_sum_start(&sum, w->right.h);
    data_histogram_sum_add(&sum, w->left.h, -1, NULL);
    for (size_t i = w->begin; i < w->end && e->counter; i++) {
        const struct data_histogram *h = e->run->h[i];
        if (!(w->left_made && i == w->begin) && data_histogram_is_reset(h, before))
            data_histogram_sum_add(&sum, before, 1, NULL);
        before = h;
    }
    /* The right edge may be the left one: one sample in all. */
    if (e->counter &&
        (w->right_made ? w->right_is_reset
                       : w->right.h != before && data_histogram_is_reset(w->right.h, before)))
        data_histogram_sum_add(&sum, before, 1, NULL);
    data_histogram_sum_divide(&sum, divisor);
    sum.reset_hint = DATA_RESET_GAUGE;
    int err = query__put_histogram(e->x, row, step, data_histogram_sum_finish(&sum, e->x->arena));
    data_histogram_sum_free(&sum);
    return err;
}

static int change_window(const struct extended *e, size_t first, int64_t start, int64_t end,
                         struct query_row *row, size_t step)
{
    struct edges w;
    bool per_second = e->n->function->window == query__rate;
    double divisor = per_second ? query__seconds(end - start) : 1;
    if (!find_edges(e, first, start, end, &w))
        return 0;
    if (w.left.h)
        return histogram_change(e, &w, divisor, row, step);
    query__put_float(row, step, float_change(e, &w) / divisor);
    return 0;
}

/* changes and resets: the samples within, behind the last one before them. */
static int count_window(const struct extended *e, size_t first, int64_t start, int64_t end,
                        struct query_row *row, size_t step)
{
    size_t from = first ? first - 1 : first, to = first, histograms = 0;
    while (to < e->run->count && e->run->ts[to] <= end)
        to++;
    if (to == first)
        return 0;
    for (size_t i = from; i < to && e->run->h; i++)
        histograms += e->run->h[i] != NULL;
    if (histograms) {
        struct query_mixed_window w = e->words;
        w.ts = e->run->ts + from;
        w.v = e->run->v + from;
        w.h = e->run->h + from;
        w.count = to - from;
        w.histograms = histograms;
        w.start_ns = start;
        w.end_ns = end;
        return e->n->function->mixed(&w, row, step);
    }
    const struct query_window w = {.ts = e->run->ts + from,
                                   .v = e->run->v + from,
                                   .count = to - from,
                                   .start_ns = start,
                                   .end_ns = end};
    double out;
    if (e->n->function->window(&w, &out))
        query__put_float(row, step, out);
    return 0;
}

int query__sweep_extended(struct query_exec *x, const struct query_node *n,
                          const struct query_samples *run, struct query_row *row)
{
    struct extended e = {.x = x,
                         .n = n,
                         .run = run,
                         .words = {.x = x, .n = n, .metric = run->metric},
                         .counter = n->function->counter,
                         .arena = arena_new(0, NULL)};
    size_t first = 0;
    int err = 0;
    for (size_t s = 0; s < x->step_count && !err; s++) {
        int64_t end = query__time_at(x, &n->selector, s), start = end - n->range_ns;
        while (first < run->count && run->ts[first] <= start)
            first++;
        /* What lies further back than the lookback is not seen. */
        size_t hidden = 0;
        if (first && run->ts[first - 1] <= start - n->selector.lookback_ns)
            hidden = first;
        struct query_samples seen = *run;
        seen.ts += hidden;
        seen.v += hidden;
        seen.h = seen.h ? seen.h + hidden : NULL;
        seen.count -= hidden;
        while (seen.count && seen.ts[seen.count - 1] > end + n->selector.lookback_ns)
            seen.count--;
        e.run = &seen;
        err = n->function->smoothed ? change_window(&e, first - hidden, start, end, row, s)
                                    : count_window(&e, first - hidden, start, end, row, s);
        arena_reset(e.arena);
    }
    arena_free(e.arena);
    return err;
}

int query__smoothed_instant(struct query_exec *x, const struct query_node *n,
                            const struct query_samples *run, struct query_row *row,
                            size_t *out_found)
{
    struct extended e = {.x = x,
                         .n = n,
                         .run = run,
                         .words = {.x = x, .n = n, .metric = run->metric},
                         .arena = x->arena};
    int64_t lookback = n->selector.lookback_ns;
    size_t next = 0; /* the first sample behind the moment */
    int err = 0;
    *out_found = 0;
    for (size_t s = 0; s < x->step_count && !err; s++) {
        int64_t t = query__time_at(x, &n->selector, s);
        while (next < run->count && run->ts[next] <= t)
            next++;
        size_t from = next, to = next;
        while (from && run->ts[from - 1] > t - lookback)
            from--;
        while (to < run->count && run->ts[to] <= t + lookback)
            to++;
        struct point p;
        if (from == next || !one_kind(&e, from, to))
            continue;
        bool exact = run->ts[next - 1] == t || to == next;
        p = point_at(&e, next - 1);
        if (!exact) {
            bool gauge = p.h && p.h->reset_hint == DATA_RESET_GAUGE;
            if (!between(&e, next - 1, t, p.h && !gauge, &p)) {
                query__tell_incompatible(&e.words);
                continue;
            }
        }
        ++*out_found;
        if (!p.h)
            query__put_float(row, s, p.v);
        else
            err = query__put_histogram(x, row, s, exact ? data_histogram_copy(x->arena, p.h) : p.h);
    }
    return err;
}
