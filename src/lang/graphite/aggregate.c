/* Many values to one: aggregation functions, consolidation, percentiles, and rows of series. */
#include <stdlib.h>
#include <string.h>

#include "lang/graphite/graphite_priv.h"

static const char *const agg_names[GRAPHITE_AGG_COUNT] = {
    [GRAPHITE_AVERAGE] = "average", [GRAPHITE_AVG_ZERO] = "avg_zero", [GRAPHITE_MEDIAN] = "median",
    [GRAPHITE_SUM] = "sum",         [GRAPHITE_MIN] = "min",           [GRAPHITE_MAX] = "max",
    [GRAPHITE_DIFF] = "diff",       [GRAPHITE_STDDEV] = "stddev",     [GRAPHITE_COUNT] = "count",
    [GRAPHITE_RANGE] = "range",     [GRAPHITE_MULTIPLY] = "multiply", [GRAPHITE_LAST] = "last",
    [GRAPHITE_FIRST] = "first",     [GRAPHITE_ABSMAX] = "absmax",     [GRAPHITE_ABSMIN] = "absmin"};

const char *graphite_agg_name(enum graphite_agg agg)
{
    return agg_names[agg];
}

bool graphite_agg_parse(struct slice name, enum graphite_agg *out)
{
    static const struct {
        const char *name;
        enum graphite_agg agg;
    } aliases[] = {{"avg", GRAPHITE_AVERAGE},
                   {"rangeOf", GRAPHITE_RANGE},
                   {"total", GRAPHITE_SUM},
                   {"current", GRAPHITE_LAST}};
    for (int i = 0; i < GRAPHITE_AGG_COUNT; i++) {
        if (slice_eq_cstr(name, agg_names[i])) {
            *out = (enum graphite_agg)i;
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
        if (slice_eq_cstr(name, aliases[i].name)) {
            *out = aliases[i].agg;
            return true;
        }
    }
    return false;
}

int graphite__agg(struct graphite_run *x, struct slice name, enum graphite_agg *out)
{
    struct slice bare = name;
    if (slice_ends_with(name, SLICE("Series")))
        bare.len -= 6;
    if (graphite_agg_parse(bare, out) && *out < GRAPHITE_FIRST)
        return 0;
    return graphite__fail(x, "Unsupported aggregation function: %.*s",
                          SLICE_FMT(slice_first(name, 60)));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

size_t graphite__non_null(const double *values, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += !isnan(values[i]);
    return n;
}

/* The values that are there, sorted; by mem_free. */
static double *sorted(const double *values, size_t count, size_t *out_count)
{
    double *v = mem_alloc((count + 1) * sizeof(*v));
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isnan(values[i]))
            v[n++] = values[i];
    }
    if (n)
        qsort(v, n, sizeof(*v), by_value);
    *out_count = n;
    return v;
}

static double median(const double *values, size_t count)
{
    size_t n;
    double *v = sorted(values, count, &n);
    double m = !n ? GRAPHITE__NULL : n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
    mem_free(v);
    return m;
}

static double deviation(const double *values, size_t count, double mean, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isnan(values[i]))
            sum += (values[i] - mean) * (values[i] - mean);
    }
    return sqrt(sum / (double)n);
}

static double last_of(const double *values, size_t count)
{
    while (count && isnan(values[count - 1]))
        count--;
    return count ? values[count - 1] : GRAPHITE__NULL;
}

static double first_of(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isnan(values[i]))
            return values[i];
    }
    return GRAPHITE__NULL;
}

double graphite_aggregate(enum graphite_agg agg, const double *values, size_t count)
{
    double sum = 0, lo = INFINITY, hi = -INFINITY, product = 1, abs_lo = 0, abs_hi = 0;
    size_t n = 0;
    switch (agg) {
    case GRAPHITE_MEDIAN: return median(values, count);
    case GRAPHITE_LAST: return last_of(values, count);
    case GRAPHITE_FIRST: return first_of(values, count);
    default: break;
    }
    for (size_t i = 0; i < count; i++) {
        double v = values[i];
        if (isnan(v))
            continue;
        if (!n || fabs(v) > fabs(abs_hi))
            abs_hi = v;
        if (!n || fabs(v) < fabs(abs_lo))
            abs_lo = v;
        n++;
        sum += v;
        lo = v < lo ? v : lo;
        hi = v > hi ? v : hi;
        product *= v;
    }
    if (agg == GRAPHITE_COUNT)
        return (double)n;
    if (agg == GRAPHITE_AVG_ZERO)
        return count ? sum / (double)count : GRAPHITE__NULL;
    if (!n)
        return GRAPHITE__NULL;
    switch (agg) {
    case GRAPHITE_AVERAGE: return sum / (double)n;
    case GRAPHITE_SUM: return sum;
    case GRAPHITE_MIN: return lo;
    case GRAPHITE_MAX: return hi;
    case GRAPHITE_DIFF: return 2 * first_of(values, count) - sum;
    case GRAPHITE_STDDEV: return deviation(values, count, sum / (double)n, n);
    case GRAPHITE_RANGE: return hi - lo;
    case GRAPHITE_MULTIPLY: return n == count ? product : GRAPHITE__NULL;
    case GRAPHITE_ABSMAX: return abs_hi;
    case GRAPHITE_ABSMIN: return abs_lo;
    default: return GRAPHITE__NULL;
    }
}

/* Rank n/100 * (count + 1) among the values that are there, the next whole one unless
 * interpolated. */
double graphite__percentile(struct graphite_run *x, const double *values, size_t count, double n,
                            bool interpolate)
{
    size_t len;
    double *v = sorted(values, count, &len), out = GRAPHITE__NULL;
    (void)x;
    if (len) {
        double rank_f = n / 100 * (double)(len + 1);
        double fraction = rank_f - floor(rank_f);
        int64_t rank = (int64_t)rank_f + (!interpolate && fraction > 0);
        rank = CLAMP(rank, 0, (int64_t)len + 1);
        if (rank == 0)
            out = v[0];
        else if (rank - 1 == (int64_t)len)
            out = v[len - 1];
        else
            out = v[rank - 1];
        if (interpolate && rank < (int64_t)len)
            out += fraction * (v[rank] - out);
    }
    mem_free(v);
    return out;
}

bool graphite__xff(size_t non_null, double total, double xff)
{
    return non_null && total > 0 && (double)non_null / total >= (isnan(xff) ? 0 : xff);
}

/* --- consolidation --- */

static double consolidate_one(const struct graphite_series *s, const double *values, size_t count,
                              size_t per_point)
{
    size_t n = graphite__non_null(values, count);
    if (!graphite__xff(n, (double)per_point, s->xff))
        return GRAPHITE__NULL;
    return graphite_aggregate(s->consolidation, values, count);
}

int graphite__consolidated(struct graphite_run *x, const struct graphite_series *s, size_t n,
                           double **out, size_t *out_count)
{
    *out = s->values;
    *out_count = s->count;
    if (n <= 1)
        return 0;
    double *v = graphite__values(x, (s->count + n - 1) / n);
    if (!v)
        return x->err;
    *out_count = graphite_consolidated(s, n, v);
    *out = v;
    return 0;
}

size_t graphite_consolidated(const struct graphite_series *s, size_t n, double *out)
{
    size_t count = (s->count + n - 1) / n;
    for (size_t i = 0; i < count; i++)
        out[i] = n == 1 ? s->values[i]
                        : consolidate_one(s, s->values + i * n, MIN(n, s->count - i * n), n);
    return count;
}

void graphite_consolidate(struct graphite_series *s, int64_t start_s, int64_t end_s, int64_t points,
                          struct arena *arena)
{
    double have = (double)(end_s - start_s) / (double)s->step;
    size_t per, lose = 0, count;
    if (points == 1) {
        per = s->count;
    } else {
        if (!((double)points < have))
            return;
        per = (size_t)ceil(have / (double)points);
        int64_t seconds = (int64_t)per * s->step;
        /* The bands stay where they are from call to call: the start is moved to the next one. */
        int64_t nudge = seconds + s->start % s->step - s->start % seconds;
        lose = (size_t)(nudge / s->step);
        lose = MIN(lose ? lose - 1 : 0, s->count);
        s->start += nudge;
    }
    if (!per)
        return;
    count = (s->count - lose + per - 1) / per;
    double *v = arena_alloc(arena, (count + 1) * sizeof(*v));
    if (!v)
        return;
    for (size_t i = 0; i < count; i++) {
        size_t at = lose + i * per;
        v[i] = consolidate_one(s, s->values + at, MIN(per, s->count - at), per);
    }
    s->values = v;
    s->count = count;
    s->step *= (int64_t)per;
}

/* --- rows --- */

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

int graphite__normalize(struct graphite_run *x, const struct graphite_list *l,
                        struct graphite__rows *out)
{
    memset(out, 0, sizeof(*out));
    out->list = l;
    out->step = 1;
    out->columns = arena_calloc(x->arena, l->len + 1, sizeof(*out->columns));
    for (size_t i = 0; i < l->len; i++) {
        const struct graphite_series *s = l->items[i];
        int64_t g = gcd(out->step, s->step);
        if (out->step / g > INT32_MAX / s->step)
            return graphite__fail(x, "the series' steps have no common multiple that fits");
        out->step = out->step / g * s->step;
        out->start = i ? MIN(out->start, s->start) : s->start;
        out->end = i ? MAX(out->end, s->end) : s->end;
    }
    out->end -= (out->end - out->start) % out->step;
    size_t *lens = arena_calloc(x->arena, l->len + 1, sizeof(*lens));
    for (size_t i = 0; i < l->len; i++) {
        const struct graphite_series *s = l->items[i];
        if (graphite__consolidated(x, s, (size_t)(out->step / s->step), &out->columns[i], &lens[i]))
            return x->err;
        out->count = MAX(out->count, lens[i]);
    }
    for (size_t i = 0; i < l->len; i++) {
        if (lens[i] == out->count)
            continue;
        double *v = graphite__values(x, out->count);
        if (!v)
            return x->err;
        memcpy(v, out->columns[i], lens[i] * sizeof(*v));
        out->columns[i] = v;
    }
    return 0;
}

struct slice graphite__paths(struct graphite_run *x, const struct graphite_list *l)
{
    struct buf b = {0};
    VEC(struct slice) seen = {0};
    for (size_t i = 0; i < l->len; i++) {
        struct slice p = l->items[i]->path;
        bool known = false;
        for (size_t k = seen.len; k-- > 0 && !known;)
            known = slice_eq(seen.items[k], p);
        if (known)
            continue;
        vec_push(&seen, p);
        if (b.len)
            buf_append_char(&b, ',');
        buf_append_slice(&b, p);
    }
    struct slice s = graphite__text(x, "%.*s", SLICE_FMT(buf_slice(&b)));
    vec_free(&seen);
    buf_deinit(&b);
    return s;
}

/* Sums and the like go column by column, which is what the memory likes. */
static bool by_columns(const struct graphite__rows *r, enum graphite_agg agg, double *out,
                       uint32_t *counts)
{
    if (agg != GRAPHITE_SUM && agg != GRAPHITE_AVERAGE && agg != GRAPHITE_MIN &&
        agg != GRAPHITE_MAX && agg != GRAPHITE_AVG_ZERO && agg != GRAPHITE_COUNT)
        return false;
    for (size_t i = 0; i < r->count; i++)
        out[i] = agg == GRAPHITE_MIN ? INFINITY : agg == GRAPHITE_MAX ? -INFINITY : 0;
    for (size_t k = 0; k < r->list->len; k++) {
        const double *v = r->columns[k];
        for (size_t i = 0; i < r->count; i++) {
            bool there = !isnan(v[i]);
            double value = there ? v[i] : 0;
            counts[i] += there;
            if (agg == GRAPHITE_MIN)
                out[i] = there && value < out[i] ? value : out[i];
            else if (agg == GRAPHITE_MAX)
                out[i] = there && value > out[i] ? value : out[i];
            else
                out[i] += value;
        }
    }
    for (size_t i = 0; i < r->count; i++) {
        if (agg == GRAPHITE_AVERAGE)
            out[i] /= (double)counts[i];
        else if (agg == GRAPHITE_AVG_ZERO)
            out[i] /= (double)r->list->len;
        else if (agg == GRAPHITE_COUNT)
            out[i] = (double)counts[i];
    }
    return true;
}

void graphite__aggregated(struct graphite_run *x, struct graphite_series *s, struct slice title,
                          struct slice function, double xff)
{
    if (!graphite__tag_of(s, SLICE("name")).len)
        graphite__tag(x, s, "name", title);
    graphite__tag(x, s, "aggregatedBy", arena_slice(x->arena, function));
    if (!isnan(xff))
        s->xff = xff;
}

int graphite__aggregate(struct graphite_run *x, const struct graphite_list *l,
                        enum graphite_agg agg, struct slice name, double xff,
                        struct graphite_list *out)
{
    struct graphite__rows r;
    if (!l->len || graphite__normalize(x, l, &r))
        return x->err;
    if (isnan(xff))
        xff = x->xff;
    struct slice title =
        graphite__text(x, "%.*sSeries(%.*s)", SLICE_FMT(name), SLICE_FMT(graphite__paths(x, l)));
    struct graphite_series *s = graphite__series(x, title, r.start, r.end, r.step, NULL, r.count);
    uint32_t *counts = arena_calloc(x->arena, r.count + 1, sizeof(*counts));
    if (!s)
        return x->err;
    if (by_columns(&r, agg, s->values, counts)) {
        for (size_t i = 0; i < r.count; i++) {
            if (!graphite__xff(counts[i], (double)l->len, xff))
                s->values[i] = GRAPHITE__NULL;
        }
    } else {
        double *row = arena_alloc(x->arena, (l->len + 1) * sizeof(*row));
        for (size_t i = 0; i < r.count; i++) {
            for (size_t k = 0; k < l->len; k++)
                row[k] = r.columns[k][i];
            if (graphite__xff(graphite__non_null(row, l->len), (double)l->len, xff))
                s->values[i] = graphite_aggregate(agg, row, l->len);
        }
    }
    /* Only the tags that all have, with the same value. */
    s->tag_count = 0;
    for (size_t t = 0; t < l->items[0]->tag_count; t++) {
        const struct graphite_tag *tag = &l->items[0]->tags[t];
        bool common = true;
        for (size_t i = 1; i < l->len && common; i++)
            common = slice_eq(graphite__tag_of(l->items[i], tag->name), tag->value);
        if (common)
            graphite__tag(x, s, tag->name.ptr, tag->value);
    }
    graphite__aggregated(x, s, title, name, xff);
    graphite__push(x, out, s);
    return x->err;
}
