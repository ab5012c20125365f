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

size_t graphite__non_null(const double *values, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += !isnan(values[i]);
    return n;
}

/* The values that are there; by mem_free. */
static double *present(const double *values, size_t count, size_t *out_count)
{
    double *v = mem_alloc((count + 1) * sizeof(*v));
    memcpy(v, values, count * sizeof(*v));
    *out_count = query_slots_present(v, count);
    return v;
}

static double median(const double *values, size_t count)
{
    size_t n;
    double *v = present(values, count, &n), m = query_slots_median(v, n);
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

static double total(enum graphite_agg agg, const double *values, size_t count)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        bool there = !isnan(values[i]);
        sum += there ? values[i] : 0;
        n += there;
    }
    switch (agg) {
    case GRAPHITE_COUNT: return (double)n;
    case GRAPHITE_AVG_ZERO: return count ? sum / (double)count : GRAPHITE__NULL;
    case GRAPHITE_AVERAGE: return n ? sum / (double)n : GRAPHITE__NULL;
    default: return n ? sum : GRAPHITE__NULL;
    }
}

static double extreme(enum graphite_agg agg, const double *values, size_t count)
{
    size_t first = 0;
    while (first < count && isnan(values[first]))
        first++;
    double most = first < count ? values[first] : GRAPHITE__NULL;
    if (agg == GRAPHITE_MIN) {
        for (size_t i = first + 1; i < count; i++)
            most = values[i] < most ? values[i] : most;
    } else {
        for (size_t i = first + 1; i < count; i++)
            most = values[i] > most ? values[i] : most;
    }
    return most;
}

double graphite_aggregate(enum graphite_agg agg, const double *values, size_t count)
{
    double sum = 0, lo = INFINITY, hi = -INFINITY, product = 1, abs_lo = 0, abs_hi = 0;
    size_t n = 0;
    switch (agg) {
    case GRAPHITE_SUM:
    case GRAPHITE_AVERAGE:
    case GRAPHITE_AVG_ZERO:
    case GRAPHITE_COUNT: return total(agg, values, count);
    case GRAPHITE_MIN:
    case GRAPHITE_MAX: return extreme(agg, values, count);
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
    if (!n)
        return GRAPHITE__NULL;
    switch (agg) {
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
double graphite__percentile_at(double *v, size_t count, double n, bool interpolate)
{
    size_t len = query_slots_present(v, count);
    if (!len)
        return GRAPHITE__NULL;
    double rank_f = n / 100 * (double)(len + 1), fraction = rank_f - floor(rank_f);
    int64_t rank = (int64_t)rank_f + (!interpolate && fraction > 0);
    rank = CLAMP(rank, 0, (int64_t)len + 1);
    size_t at = (size_t)CLAMP(rank - 1, 0, (int64_t)len - 1);
    query_slots_select(v, len, at);
    if (!interpolate || rank >= (int64_t)len)
        return v[at];
    double next = rank ? v[at + 1] : v[at];
    for (size_t i = at + 2; i < len && rank; i++)
        next = v[i] < next ? v[i] : next;
    return v[at] + fraction * (next - v[at]);
}

double graphite__percentile(const double *values, size_t count, double n, bool interpolate)
{
    size_t len;
    double *v = present(values, count, &len);
    double p = graphite__percentile_at(v, len, n, interpolate);
    mem_free(v);
    return p;
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
    struct map *seen = map_new();
    struct slice last = {NULL, 0};
    for (size_t i = 0; i < l->len; i++) {
        struct slice p = l->items[i]->path;
        bool added;
        if (last.ptr && slice_eq(p, last)) /* as those of one path all have */
            continue;
        last = p;
        map_put(seen, p, &added);
        if (!added)
            continue;
        if (b.len)
            buf_append_char(&b, ',');
        buf_append_slice(&b, p);
    }
    struct slice s = graphite__text(x, "%.*s", SLICE_FMT(buf_slice(&b)));
    map_free(seen);
    buf_deinit(&b);
    return s;
}

/* One series of many. Sums and the like go row by row over a part of the slots, which is what the
 * memory likes; what depends on all values of a slot takes them together. */
struct uniting {
    const struct graphite__rows *rows;
    enum graphite_agg agg;
    double xff;
    double *out, *beside; /* what is beside it of deviations and ranges */
    uint32_t *counts;
};

static void add_row(const struct uniting *u, const double *v, size_t from, size_t to)
{
    double *out = u->out;
    for (size_t i = from; i < to; i++) {
        bool there = !isnan(v[i]);
        double value = there ? v[i] : 0;
        u->counts[i] += there;
        switch (u->agg) {
        case GRAPHITE_MIN: out[i] = there && value < out[i] ? value : out[i]; break;
        case GRAPHITE_RANGE:
            u->beside[i] = there && value < u->beside[i] ? value : u->beside[i];
            __attribute__((fallthrough));
        case GRAPHITE_MAX: out[i] = there && value > out[i] ? value : out[i]; break;
        default: out[i] += value; break;
        }
    }
}

static void add_squares(const struct uniting *u, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        u->beside[i] = u->out[i] / (double)u->counts[i]; /* the mean */
        u->out[i] = 0;
    }
    for (size_t k = 0; k < u->rows->list->len; k++) {
        const double *v = u->rows->columns[k];
        for (size_t i = from; i < to; i++) {
            double apart = v[i] - u->beside[i];
            u->out[i] += isnan(v[i]) ? 0 : apart * apart;
        }
    }
}

static void unite_rows(void *ctx, size_t from, size_t to, struct query_slots_scratch *scratch)
{
    const struct uniting *u = ctx;
    size_t series = u->rows->list->len;
    (void)scratch;
    for (size_t i = from; i < to; i++) {
        u->out[i] = u->agg == GRAPHITE_MIN                               ? INFINITY
                    : u->agg == GRAPHITE_MAX || u->agg == GRAPHITE_RANGE ? -INFINITY
                                                                         : 0;
        u->beside[i] = INFINITY;
    }
    for (size_t k = 0; k < series; k++)
        add_row(u, u->rows->columns[k], from, to);
    if (u->agg == GRAPHITE_STDDEV)
        add_squares(u, from, to);
    for (size_t i = from; i < to; i++) {
        double n = (double)u->counts[i];
        if (u->agg == GRAPHITE_AVERAGE)
            u->out[i] /= n;
        else if (u->agg == GRAPHITE_AVG_ZERO)
            u->out[i] /= (double)series;
        else if (u->agg == GRAPHITE_COUNT)
            u->out[i] = n;
        else if (u->agg == GRAPHITE_RANGE)
            u->out[i] -= u->beside[i];
        else if (u->agg == GRAPHITE_STDDEV)
            u->out[i] = sqrt(u->out[i] / n);
        if (!graphite__xff(u->counts[i], (double)series, u->xff))
            u->out[i] = GRAPHITE__NULL;
    }
}

static void unite_slot(void *ctx, size_t slot, double *v)
{
    const struct uniting *u = ctx;
    size_t series = u->rows->list->len, there = graphite__non_null(v, series);
    if (!graphite__xff(there, (double)series, u->xff))
        return;
    u->out[slot] = u->agg == GRAPHITE_MEDIAN ? query_slots_median(v, query_slots_present(v, series))
                                             : graphite_aggregate(u->agg, v, series);
}

bool graphite__adds_up(enum graphite_agg agg)
{
    switch (agg) {
    case GRAPHITE_SUM:
    case GRAPHITE_AVERAGE:
    case GRAPHITE_AVG_ZERO:
    case GRAPHITE_MIN:
    case GRAPHITE_MAX:
    case GRAPHITE_COUNT:
    case GRAPHITE_RANGE: return true;
    default: return false;
    }
}

static int unite(struct graphite_run *x, struct uniting *u)
{
    size_t count = u->rows->count;
    if (!graphite__adds_up(u->agg) && u->agg != GRAPHITE_STDDEV)
        return graphite__across(x, u->rows, unite_slot, u);
    u->counts = arena_calloc(x->arena, count + 1, sizeof(*u->counts));
    u->beside = graphite__column(x, count);
    return u->beside ? graphite__share(x, count, graphite__slots_each(x, count), unite_rows, u)
                     : x->err;
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

void graphite__common_tags(struct graphite_run *x, const struct graphite_list *l,
                           struct graphite_series *s)
{
    s->tag_count = 0;
    for (size_t t = 0; t < l->items[0]->tag_count; t++) {
        const struct graphite_tag *tag = &l->items[0]->tags[t];
        bool common = true;
        for (size_t i = 1; i < l->len && common; i++)
            common = slice_eq(graphite__tag_of(l->items[i], tag->name), tag->value);
        if (common)
            graphite__tag(x, s, tag->name.ptr, tag->value);
    }
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
    struct uniting u = {.rows = &r, .agg = agg, .xff = xff, .out = s ? s->values : NULL};
    if (!s || unite(x, &u))
        return x->err;
    graphite__common_tags(x, l, s);
    graphite__aggregated(x, s, title, name, xff);
    graphite__push(x, out, s);
    return x->err;
}
