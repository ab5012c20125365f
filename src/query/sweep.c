#include "query/sweep.h"

#include <math.h>

#include "base/mem.h"
#include "data/metric_batch.h"
#include "query/window.h"

#define STOP_EVERY   ((size_t)1 << 20) /* samples in windows */
#define SUMS_AT_ONCE ((size_t)256)

static const struct {
    query_window_fn window;
    enum query__kernel kernel;
    const char *name;
} kernels[] = {
    {query__rate, QUERY__RATE, "rate"},
    {query__increase, QUERY__RATE, "rate"},
    {query__delta, QUERY__DELTA, "delta"},
    {query__irate, QUERY__IRATE, "last two"},
    {query__idelta, QUERY__IDELTA, "last two"},
    {query__last_over, QUERY__LAST, "pick"},
    {query__first_over, QUERY__FIRST, "pick"},
    {query__count_over, QUERY__COUNT, "count"},
    {query__present_over, QUERY__PRESENT, "present"},
    {query__changes, QUERY__CHANGES, "prefix"},
    {query__resets, QUERY__RESETS, "prefix"},
    {query__sum_over, QUERY__SUM, "sums"},
    {query__avg_over, QUERY__AVG, "sums"},
    {query__min_over, QUERY__MIN, "extremes of blocks"},
    {query__max_over, QUERY__MAX, "extremes of blocks"},
};

const char *query__kernel_name(query_window_fn window)
{
    for (size_t i = 0; i < ARRAY_LEN(kernels); i++) {
        if (kernels[i].window == window)
            return kernels[i].name;
    }
    return NULL;
}

void query__sweep_init(struct query__sweep *w, query_window_fn window,
                       const struct query__windows *windows)
{
    *w = (struct query__sweep){.window = window, .simd = query__simd()};
    w->kernel = window ? QUERY__EACH_WINDOW : QUERY__LAST;
    for (size_t i = 0; i < ARRAY_LEN(kernels); i++) {
        if (kernels[i].window == window)
            w->kernel = kernels[i].kernel;
    }
    w->spans.windows = *windows;
}

void query__sweep_free(struct query__sweep *w)
{
    query__spans_free(&w->spans);
    mem_free(w->scratch);
    mem_free(w->clean_ts);
    mem_free(w->clean_v);
}

static double *scratch(struct query__sweep *w, size_t len)
{
    if (len > w->scratch_len) {
        mem_free(w->scratch);
        w->scratch = mem_alloc(len * sizeof(double));
        w->scratch_len = len;
    }
    return w->scratch;
}

/* What is known of the values of a row. */
struct query__facts {
    bool ordinary, may_drop;
};

/* Adds to each window's change what its counter had when it began anew, in the order it did. */
static void mend_resets(const struct query__span *p, const double *v, const uint32_t *drop,
                        size_t drops, double *out)
{
    size_t from = p->lo, to = p->lo; /* the windows that hold a drop and the sample before */
    for (size_t d = 0; d < drops; d++) {
        uint32_t i = drop[d];
        while (from < p->hi && p->last[from] < i)
            from++;
        while (to < p->hi && p->first[to] < i)
            to++;
        for (size_t s = from; s < to; s++)
            out[s] += v[i - 1];
    }
}

/* The part of a span between two steps, in which windows move evenly or do not. */
static struct query__bounds part_of(const struct query__span *p, size_t from, size_t to)
{
    return (struct query__bounds){.first = p->first + from,
                                  .last = p->last + from,
                                  .n = to - from,
                                  .stride = from == p->even_lo && to == p->even_hi ? p->stride : 0};
}

/* No counter of the row began within its window: what it has at first is too much for its rise. */
static bool all_began_before(const struct query__span *p, const double *v)
{
    double first = v[p->first[p->lo]], rise = v[p->last[p->hi - 1]] - first;
    return first >= 0 && p->least_sampled * first > p->most_to_start * (1 + 1e-9) * rise;
}

static void rates(struct query__sweep *w, struct query__span *p, const int64_t *ts, const double *v,
                  size_t count, const struct query__facts *facts, double *out)
{
    const struct query__windows *windows = &w->spans.windows;
    const size_t cuts[] = {p->lo, p->even_lo, p->even_hi, p->hi};
    uint32_t *drop = (uint32_t *)(void *)scratch(w, count);
    bool delta = w->kernel == QUERY__DELTA;
    query__span_extrapolation(&w->spans, p, ts);
    if (p->lo == p->hi)
        return;
    size_t drops = !delta && facts->may_drop ? w->simd->drops(v, count, drop) : 0;
    bool fresh = !drops, plain = delta || (fresh && facts->ordinary && all_began_before(p, v));
    for (size_t i = 0; i < 3; i++) {
        struct query__bounds b = part_of(p, cuts[i], cuts[i + 1]);
        if (plain)
            w->simd->scaled(v, &b, p->factor + cuts[i], i == 1 && p->one_factor, out + cuts[i]);
        else if (!fresh)
            w->simd->change(v, &b, out + cuts[i]);
    }
    if (plain)
        return;
    mend_resets(p, v, drop, drops, out);
    for (size_t i = 0; i < 3; i++) {
        struct query__bounds b = part_of(p, cuts[i], cuts[i + 1]);
        const struct query__stretch e = {
            .sampled = p->sampled + cuts[i],
            .to_start = p->to_start + cuts[i],
            .to_end = p->to_end + cuts[i],
            .factor = p->factor + cuts[i],
            .range_s = windows->per_second ? query__seconds(windows->range_ns) : 0};
        w->simd->counter(v, &b, &e, fresh, out + cuts[i]);
    }
}

static void last_two(struct query__sweep *w, struct query__span *p, const int64_t *ts,
                     const double *v, double *out)
{
    bool rate = w->kernel == QUERY__IRATE;
    query__span_apart(&w->spans, p, ts);
    for (size_t s = p->lo; s < p->hi; s++) {
        uint32_t at = p->last[s];
        double last = v[at], before = v[at ? at - 1 : 0];
        double change = rate && last < before ? last : last - before;
        out[s] = rate ? change / p->apart[s] : change;
    }
}

static void from_prefix(struct query__sweep *w, const struct query__span *p, const double *v,
                        size_t count, double *out)
{
    uint32_t *before = (uint32_t *)(void *)scratch(w, count), n = 0;
    before[0] = 0;
    for (size_t i = 1; i < count; i++) {
        if (w->kernel == QUERY__RESETS)
            n += v[i] < v[i - 1];
        else
            n += v[i] != v[i - 1] && !(isnan(v[i]) && isnan(v[i - 1]));
        before[i] = n;
    }
    for (size_t s = p->lo; s < p->hi; s++)
        out[s] = (double)(before[p->last[s]] - before[p->first[s]]);
}

/* Now and then in long rows: who asked for one finds out himself. */
static bool should_stop(const struct query__sweep *w, size_t *work)
{
    if (*work < STOP_EVERY)
        return false;
    *work = 0;
    return w->env && query__should_stop(w->env);
}

/* One window by the function itself. */
static bool by_itself(const struct query__sweep *w, const struct query__span *p, const int64_t *ts,
                      const double *v, size_t s, double *out)
{
    const struct query__windows *windows = &w->spans.windows;
    int64_t t = windows->first_ns + (int64_t)s * windows->step_ns;
    struct query_window one = {.ts = ts + p->first[s],
                               .v = v + p->first[s],
                               .count = p->last[s] - p->first[s] + 1,
                               .start_ns = t - windows->range_ns,
                               .end_ns = t,
                               .step_ns = w->eval_ns + (int64_t)s * windows->step_ns};
    for (int k = 0; k < 2; k++)
        one.param[k] = w->param[k] ? w->param[k][s] : 0;
    return w->window(&one, out);
}

static void sums(struct query__sweep *w, const struct query__span *p, const int64_t *ts,
                 const double *v, size_t count, unsigned look, double max, double *out)
{
    size_t lo = p->lo, n = p->hi - lo;
    if (!(look & (QUERY__HAS_FRACTION | QUERY__HAS_NAN)) &&
        max * (double)count < 9007199254740992.0) {
        /* Integers, and no sum of them is rounded: differences of prefixes are the sums. */
        double *prefix = scratch(w, count + 1), sum = 0;
        prefix[0] = 0;
        for (size_t i = 0; i < count; i++)
            prefix[i + 1] = sum += v[i];
        for (size_t s = lo; s < p->hi; s++) {
            out[s] = prefix[p->last[s] + 1] - prefix[p->first[s]];
            if (w->kernel == QUERY__AVG)
                out[s] /= (double)(p->last[s] - p->first[s] + 1);
        }
        return;
    }
    double *c = scratch(w, n);
    for (size_t at = 0, work = 0; at < n; at += SUMS_AT_ONCE) {
        size_t now = MIN(n - at, SUMS_AT_ONCE), from = lo + at;
        w->simd->window_sums(v, p->first + from, p->last + from, now, out + from, c + at);
        work += now * (p->last[from] - p->first[from] + 1);
        if (should_stop(w, &work))
            break;
    }
    for (size_t s = lo; s < p->hi; s++) {
        double length = (double)(p->last[s] - p->first[s] + 1);
        if (!isfinite(out[s]))
            by_itself(w, p, ts, v, s, &out[s]);
        else if (w->kernel == QUERY__AVG)
            out[s] = out[s] / length + c[s - lo] / length;
        else
            out[s] += c[s - lo];
    }
}

static inline double further(double a, double b, bool max)
{
    return max ? (a > b ? a : b) : (a < b ? a : b);
}

/* Blocks of about half a window: the extreme from each sample back to its block's begin and on to
 * its end; a window is a few of these. NaN and -0, where the order of samples shows, are left to
 * the plain way. */
static void extremes(struct query__sweep *w, const struct query__span *p, const double *v,
                     size_t count, bool max, double *out)
{
    size_t middle = (p->lo + p->hi) / 2;
    size_t block = MAX((size_t)(p->last[middle] - p->first[middle] + 1) / 2, (size_t)4);
    double *back = scratch(w, 2 * count), *on = back + count;
    for (size_t begin = 0; begin < count; begin += block) {
        size_t end = MIN(begin + block, count);
        back[begin] = v[begin];
        for (size_t i = begin + 1; i < end; i++)
            back[i] = further(v[i], back[i - 1], max);
        on[end - 1] = v[end - 1];
        for (size_t i = end - 1; i-- > begin;)
            on[i] = further(v[i], on[i + 1], max);
    }
    size_t first_block = 0, first_end = block; /* the block of the window's first sample */
    for (size_t s = p->lo; s < p->hi; s++) {
        size_t a = p->first[s], b = p->last[s];
        while (a >= first_end) {
            first_block = first_end;
            first_end += block;
        }
        double m;
        if (b < first_end) {
            m = a == first_block ? back[b] : v[a];
            for (size_t i = a + 1; i <= b && a != first_block; i++)
                m = further(v[i], m, max);
        } else {
            m = on[a];
            size_t begin = first_end;
            for (; begin + block <= b; begin += block)
                m = further(on[begin], m, max);
            m = further(back[b], m, max);
        }
        out[s] = m;
    }
}

/* Nor other NaNs where they are not wanted. */
static size_t without_stale(struct query__sweep *w, const int64_t *ts, const double *v,
                            size_t count)
{
    if (count > w->clean_cap) {
        mem_free(w->clean_ts);
        mem_free(w->clean_v);
        w->clean_ts = mem_alloc(count * sizeof(*ts));
        w->clean_v = mem_alloc(count * sizeof(*v));
        w->clean_cap = count;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        w->clean_ts[kept] = ts[i];
        w->clean_v[kept] = v[i];
        kept += w->no_nans ? !isnan(v[i]) : !data_is_stale(v[i]);
    }
    return kept;
}

size_t query__sweep_row(struct query__sweep *w, const struct query__column *column,
                        struct query__row *row)
{
    const int64_t *ts = column->ts;
    const double *v = column->v;
    size_t count = column->count, steps = w->spans.windows.steps;
    struct hash128 id = column->times_id;
    double max, *out = row->value;
    bool sums_up = w->kernel == QUERY__SUM || w->kernel == QUERY__AVG;
    bool looks = !column->ordinary || sums_up;
    unsigned look = looks ? w->simd->look(v, count, &max) : 0;
    if ((look & (w->no_nans ? QUERY__HAS_NAN : QUERY__HAS_STALE)) && w->window) {
        count = without_stale(w, ts, v, count);
        if (!count)
            return 0;
        ts = w->clean_ts;
        v = w->clean_v;
        id = (struct hash128){0};
        look = w->simd->look(v, count, &max);
    }
    struct query__span *p = query__span_of(&w->spans, ts, count, id);
    bool two = false;
    row->lo = p->lo;
    row->hi = p->hi;
    switch (w->kernel) {
    case QUERY__LAST: w->simd->pick(v, p->last + p->lo, p->hi - p->lo, out + p->lo); break;
    case QUERY__FIRST: w->simd->pick(v, p->first + p->lo, p->hi - p->lo, out + p->lo); break;
    case QUERY__COUNT:
        for (size_t s = p->lo; s < p->hi; s++)
            out[s] = (double)(p->last[s] - p->first[s] + 1);
        break;
    case QUERY__PRESENT:
        for (size_t s = p->lo; s < p->hi; s++)
            out[s] = 1;
        break;
    case QUERY__RATE:
    case QUERY__DELTA:
        rates(w, p, ts, v, count,
              &(struct query__facts){.ordinary = column->ordinary,
                                     .may_drop = !looks || (look & QUERY__HAS_DROP)},
              out);
        two = true;
        break;
    case QUERY__IRATE:
    case QUERY__IDELTA:
        last_two(w, p, ts, v, out);
        two = true;
        break;
    case QUERY__CHANGES:
    case QUERY__RESETS: from_prefix(w, p, v, count, out); break;
    case QUERY__SUM:
    case QUERY__AVG: sums(w, p, ts, v, count, look, max, out); break;
    case QUERY__MIN:
    case QUERY__MAX:
        if (!(look & (QUERY__HAS_NAN | QUERY__HAS_MINUS_ZERO))) {
            extremes(w, p, v, count, w->kernel == QUERY__MAX, out);
            break;
        }
        __attribute__((fallthrough));
    case QUERY__EACH_WINDOW:
        row->all = true;
        memcpy(row->has, p->any, steps);
        for (size_t s = p->lo, work = 0; s < p->hi; s++) {
            row->has[s] = p->any[s] && by_itself(w, p, ts, v, s, &out[s]);
            row->all = row->all && row->has[s];
            work += p->last[s] - p->first[s] + 1;
            if (should_stop(w, &work))
                break;
        }
        return count;
    }
    if (two) {
        row->lo = p->two_lo;
        row->hi = p->two_hi;
    }
    row->all = two ? p->two_all : p->any_all;
    memcpy(row->has, two ? p->two : p->any, steps);
    if (!w->window && (look & QUERY__HAS_STALE)) {
        for (size_t s = p->lo; s < p->hi; s++)
            row->has[s] = row->has[s] && !data_is_stale(out[s]);
        row->all = false;
    }
    return count;
}
