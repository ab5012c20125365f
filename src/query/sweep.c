#include "query/sweep.h"

#include <math.h>

#include "base/mem.h"
#include "data/metric_batch.h"
#include "query/window.h"

#define STOP_EVERY   ((size_t)1 << 20) /* samples in windows */
#define SUMS_AT_ONCE ((size_t)256)
#define EXACT        9007199254740992.0 /* sums of integers up to here are not rounded */

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
    mem_free(w->clean_place);
    vec_free(&w->clean_summaries);
}

unsigned query__sweep_wants(const struct query__sweep *w)
{
    switch (w->kernel) {
    case QUERY__LAST:
    case QUERY__FIRST:
    case QUERY__COUNT:
    case QUERY__PRESENT:
    case QUERY__DELTA:
    case QUERY__CHANGES:
    case QUERY__RESETS:
    case QUERY__MIN:
    case QUERY__MAX: return STORE_KNOWS_ENDS;
    case QUERY__RATE: return STORE_KNOWS_ENDS | STORE_KNOWS_RESETS;
    case QUERY__SUM:
    case QUERY__AVG: return STORE_KNOWS_ENDS | STORE_KNOWS_SUM;
    case QUERY__IRATE:
    case QUERY__IDELTA:
    case QUERY__EACH_WINDOW: break;
    }
    return STORE_KNOWS_ALL;
}

/* No sum of any of the samples is rounded. */
static bool sums_are_exact(const struct query__sweep *w, const struct store_samples *s)
{
    double max = 0, all = (double)s->place[s->count - 1] - (double)s->place[0] + 1;
    for (size_t i = 0; i < s->count; i++) {
        if (w->no_nans ? isnan(s->value[i]) : data_is_stale(s->value[i]))
            continue;
        if (!(s->value[i] - trunc(s->value[i]) == 0))
            return false;
        max = fmax(max, fabs(s->value[i]));
    }
    for (size_t i = 0; i < s->summary_count; i++)
        max = fmax(max, fmax(fabs(s->summaries[i].min), fabs(s->summaries[i].max)));
    return max * all < EXACT;
}

bool query__sweep_serves(const struct query__sweep *w, struct store_samples *s)
{
    if (!s->summary_count)
        return true;
    if (w->kernel == QUERY__SUM || w->kernel == QUERY__AVG)
        return sums_are_exact(w, s);
    for (size_t i = 0; i < s->summary_count; i++) {
        const struct store_summary *one = &s->summaries[i];
        if (w->kernel == QUERY__MIN)
            s->value[one->at] = s->value[one->at + 1] = one->min;
        else if (w->kernel == QUERY__MAX)
            s->value[one->at] = s->value[one->at + 1] = one->max;
    }
    return true;
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

/* Where a counter began anew, and what it had before. */
struct drops {
    uint32_t *at;
    double *before;
    size_t count;
};

static struct drops find_drops(struct query__sweep *w, const struct query__column *c,
                               const double *v, size_t count)
{
    size_t most = count, next = 0;
    for (size_t i = 0; i < c->summary_count; i++)
        most += c->summaries[i].drops;
    struct drops d = {.before = scratch(w, 2 * most)};
    d.at = (uint32_t *)(void *)(d.before + most);
    size_t found = w->simd->drops(v, count, d.at);
    if (!c->summary_count) {
        for (size_t i = 0; i < found; i++)
            d.before[i] = v[d.at[i] - 1];
        d.count = found;
        return d;
    }
    /* Those of a summary lie between its ends, whose values say nothing. */
    uint32_t *seen = d.at + most;
    memcpy(seen, d.at, found * sizeof(*seen));
    for (size_t i = 0; i <= c->summary_count; i++) {
        const struct store_summary *s = i < c->summary_count ? &c->summaries[i] : NULL;
        for (; next < found && (!s || seen[next] <= s->at); next++) {
            d.at[d.count] = seen[next];
            d.before[d.count++] = v[seen[next] - 1];
        }
        next += s && next < found && seen[next] == s->at + 1;
        for (uint32_t k = 0; s && k < s->drops; k++) {
            d.at[d.count] = (uint32_t)s->at + 1;
            d.before[d.count++] = s->before[k];
        }
    }
    return d;
}

/* Adds to each window's change what its counter had when it began anew, in the order it did. */
static void mend_resets(const struct query__span *p, const struct drops *drops, double *out)
{
    size_t from = p->lo, to = p->lo; /* the windows that hold a drop and the sample before */
    for (size_t d = 0; d < drops->count; d++) {
        uint32_t i = drops->at[d];
        while (from < p->hi && p->last[from] < i)
            from++;
        while (to < p->hi && p->first[to] < i)
            to++;
        for (size_t s = from; s < to; s++)
            out[s] += drops->before[d];
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

static void rates(struct query__sweep *w, struct query__span *p, const struct query__column *c,
                  const int64_t *ts, const double *v, size_t count, bool may_drop, double *out)
{
    const struct query__windows *windows = &w->spans.windows;
    const size_t cuts[] = {p->lo, p->even_lo, p->even_hi, p->hi};
    struct drops drops = {0};
    bool delta = w->kernel == QUERY__DELTA;
    query__span_extrapolation(&w->spans, p, ts, c->place);
    if (p->lo == p->hi)
        return;
    for (size_t i = 0; i < c->summary_count; i++)
        may_drop = may_drop || c->summaries[i].drops;
    if (!delta && may_drop)
        drops = find_drops(w, c, v, count);
    bool fresh = !drops.count, plain = delta || (fresh && c->ordinary && all_began_before(p, v));
    for (size_t i = 0; i < 3; i++) {
        struct query__bounds b = part_of(p, cuts[i], cuts[i + 1]);
        if (plain)
            w->simd->scaled(v, &b, p->factor + cuts[i], i == 1 && p->one_factor, out + cuts[i]);
        else if (!fresh)
            w->simd->change(v, &b, out + cuts[i]);
    }
    if (plain)
        return;
    mend_resets(p, &drops, out);
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

static void from_prefix(struct query__sweep *w, const struct query__span *p,
                        const struct query__column *c, const double *v, size_t count, double *out)
{
    uint32_t *before = (uint32_t *)(void *)scratch(w, count), n = 0;
    bool resets = w->kernel == QUERY__RESETS;
    size_t i = 1;
    before[0] = 0;
    for (size_t k = 0; k <= c->summary_count; k++) {
        const struct store_summary *s = k < c->summary_count ? &c->summaries[k] : NULL;
        for (size_t end = s ? s->at + 1 : count; i < end; i++) {
            if (resets)
                n += v[i] < v[i - 1];
            else
                n += v[i] != v[i - 1] && !(isnan(v[i]) && isnan(v[i - 1]));
            before[i] = n;
        }
        if (s)
            before[i++] = n += resets ? s->drops : s->changes;
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

/* Samples of a window, those that are left out too. */
static double length_of(const struct query__span *p, const uint32_t *place, size_t s)
{
    uint32_t a = p->first[s], b = p->last[s];
    return (double)((place ? place[b] - place[a] : b - a) + 1);
}

/* Of integers, no sum of which is rounded: differences of prefixes are the sums. */
static void exact_sums(struct query__sweep *w, const struct query__span *p,
                       const struct query__column *c, const double *v, size_t count, double *out)
{
    double *prefix = scratch(w, count + 1), sum = 0;
    size_t i = 0;
    prefix[0] = 0;
    for (size_t k = 0; k <= c->summary_count; k++) {
        const struct store_summary *s = k < c->summary_count ? &c->summaries[k] : NULL;
        for (size_t end = s ? s->at + 1 : count; i < end; i++)
            prefix[i + 1] = sum += v[i];
        if (s) {
            sum += s->sum - s->first;
            prefix[++i] = sum;
        }
    }
    for (size_t s = p->lo; s < p->hi; s++) {
        out[s] = prefix[p->last[s] + 1] - prefix[p->first[s]];
        if (w->kernel == QUERY__AVG)
            out[s] /= length_of(p, c->place, s);
    }
}

static void sums(struct query__sweep *w, const struct query__span *p,
                 const struct query__column *column, const int64_t *ts, const double *v,
                 size_t count, unsigned look, double max, double *out)
{
    size_t lo = p->lo, n = p->hi - lo;
    if (column->summary_count ||
        (!(look & (QUERY__HAS_FRACTION | QUERY__HAS_NAN)) && max * (double)count < EXACT)) {
        exact_sums(w, p, column, v, count, out);
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
        double length = length_of(p, NULL, s);
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

/* Nor other NaNs where they are not wanted. Fills *out; what it points to is the sweep's. */
static void without_stale(struct query__sweep *w, const struct query__column *c,
                          struct query__column *out)
{
    size_t kept = 0, next = 0;
    uint32_t place = 0;
    if (c->count > w->clean_cap) {
        w->clean_ts = mem_realloc(w->clean_ts, c->count * sizeof(*c->ts));
        w->clean_v = mem_realloc(w->clean_v, c->count * sizeof(*c->v));
        w->clean_place = mem_realloc(w->clean_place, c->count * sizeof(*c->place));
        w->clean_cap = c->count;
    }
    vec_clear(&w->clean_summaries);
    for (size_t i = 0; i < c->count; i++) {
        if (w->no_nans ? isnan(c->v[i]) : data_is_stale(c->v[i]))
            continue;
        if (next < c->summary_count && c->summaries[next].at == i) {
            vec_push(&w->clean_summaries, c->summaries[next]);
            w->clean_summaries.items[next].at = kept;
        } else if (next < c->summary_count && c->summaries[next].at + 1 == i) {
            place += c->summaries[next++].count - 2;
        }
        w->clean_ts[kept] = c->ts[i];
        w->clean_v[kept] = c->v[i];
        w->clean_place[kept++] = place++;
    }
    *out = (struct query__column){.ts = w->clean_ts,
                                  .v = w->clean_v,
                                  .count = kept,
                                  .summaries = w->clean_summaries.items,
                                  .summary_count = w->clean_summaries.len,
                                  .place = c->summary_count ? w->clean_place : NULL};
    /* Where samples are left out, their number belongs to what tells columns apart. */
    if (out->place) {
        struct hash128 a = hash128(out->ts, kept * sizeof(*out->ts)),
                       b = hash128(out->place, kept * sizeof(*out->place));
        out->times_id = (struct hash128){a.hi ^ b.lo, a.lo ^ b.hi};
    }
}

size_t query__sweep_row(struct query__sweep *w, const struct query__column *column,
                        struct query__row *row)
{
    const int64_t *ts = column->ts;
    const double *v = column->v;
    size_t count = column->count, steps = w->spans.windows.steps;
    struct query__column clean;
    double max, *out = row->value;
    bool sums_up = w->kernel == QUERY__SUM || w->kernel == QUERY__AVG;
    bool looks = !column->ordinary || sums_up;
    unsigned look = looks ? w->simd->look(v, count, &max) : 0;
    if ((look & (w->no_nans ? QUERY__HAS_NAN : QUERY__HAS_STALE)) && w->window) {
        without_stale(w, column, &clean);
        column = &clean;
        count = column->count;
        if (!count)
            return 0;
        ts = column->ts;
        v = column->v;
        looks = true;
        look = w->simd->look(v, count, &max);
    }
    struct query__span *p = query__span_of(&w->spans, ts, count, column->times_id);
    size_t all = column->place ? column->place[count - 1] - column->place[0] + (size_t)1 : count;
    bool two = false;
    row->lo = p->lo;
    row->hi = p->hi;
    switch (w->kernel) {
    case QUERY__LAST: w->simd->pick(v, p->last + p->lo, p->hi - p->lo, out + p->lo); break;
    case QUERY__FIRST: w->simd->pick(v, p->first + p->lo, p->hi - p->lo, out + p->lo); break;
    case QUERY__COUNT:
        for (size_t s = p->lo; s < p->hi; s++)
            out[s] = length_of(p, column->place, s);
        break;
    case QUERY__PRESENT:
        for (size_t s = p->lo; s < p->hi; s++)
            out[s] = 1;
        break;
    case QUERY__RATE:
    case QUERY__DELTA:
        rates(w, p, column, ts, v, count, !looks || (look & QUERY__HAS_DROP), out);
        two = true;
        break;
    case QUERY__IRATE:
    case QUERY__IDELTA:
        last_two(w, p, ts, v, out);
        two = true;
        break;
    case QUERY__CHANGES:
    case QUERY__RESETS: from_prefix(w, p, column, v, count, out); break;
    case QUERY__SUM:
    case QUERY__AVG: sums(w, p, column, ts, v, count, look, max, out); break;
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
        return all;
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
    return all;
}
