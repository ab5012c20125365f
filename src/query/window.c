/* Kernels over one window of samples. */
#include <math.h>
#include <stdlib.h>

#include "query/window.h"

#include "base/mem.h"

bool query__begins_anew(const int64_t *ts, const int64_t *start, size_t i, bool *overlaps)
{
    int64_t now = start[i], before = start[i - 1];
    if (!now || now >= ts[i])
        return false; /* unknown, or nonsense */
    if (now > ts[i - 1])
        return true;
    if (now < ts[i - 1] && now != before && overlaps)
        *overlaps = true;
    /* Where the sample before ends a new one begins: deltas. Not so when the sample before says
     * that it knows nothing of its own start. */
    return now == ts[i - 1] && before && before < ts[i - 1];
}

static bool is_reset(const struct query_window *w, size_t i)
{
    bool anew = w->start && query__begins_anew(w->ts, w->start, i, w->overlaps);
    return anew || w->v[i] < w->v[i - 1];
}

/* The increase with counter resets taken out, or the plain difference. */
static double raw_change(const struct query_window *w, bool counter)
{
    double change = w->v[w->count - 1] - w->v[0];
    for (size_t i = 1; counter && i < w->count; i++) {
        if (is_reset(w, i))
            change += w->v[i - 1];
    }
    return change;
}

int64_t query__began_within(const int64_t *ts, const int64_t *start, int64_t start_ns)
{
    return start && start[0] > start_ns && start[0] < ts[0] ? start[0] : 0;
}

double query__extrapolation(const struct query_extrapolation *of, double first, double change)
{
    size_t last = of->count - 1;
    double to_start = query__seconds(of->ts[0] - of->start_ns);
    double to_end = query__seconds(of->end_ns - of->ts[last]);
    double sampled = query__seconds(of->ts[last] - of->ts[0]);
    double average = last ? sampled / (double)last : 0, threshold = average * 1.1;
    if (to_start >= threshold)
        to_start = average / 2;
    if (of->counter && change > 0 && first >= 0) {
        double to_zero = sampled * (first / change);
        if (to_zero < to_start)
            to_start = to_zero;
    }
    if (to_end >= threshold)
        to_end = average / 2;
    if (of->began_ns) {
        sampled = query__seconds(of->ts[last] - of->began_ns);
        to_start = 0;
    }
    return (sampled + to_start + to_end) / sampled;
}

static bool extrapolated(const struct query_window *w, bool counter, bool per_second, double *out)
{
    const struct query_extrapolation of = {
        .ts = w->ts,
        .count = w->count,
        .start_ns = w->start_ns,
        .end_ns = w->end_ns,
        .counter = counter,
        .began_ns = counter ? query__began_within(w->ts, w->start, w->start_ns) : 0};
    if (w->count < 2 && !of.began_ns)
        return false;
    double change = raw_change(w, counter);
    if (of.began_ns) /* adding nothing would lose the sign of a zero */
        change += w->v[0];
    double factor = query__extrapolation(&of, w->v[0], change);
    if (per_second)
        factor /= query__seconds(w->end_ns - w->start_ns);
    *out = change * factor;
    return true;
}

bool query__rate(const struct query_window *w, double *out)
{
    return extrapolated(w, true, true, out);
}

bool query__increase(const struct query_window *w, double *out)
{
    return extrapolated(w, true, false, out);
}

bool query__delta(const struct query_window *w, double *out)
{
    return extrapolated(w, false, false, out);
}

static bool last_two(const struct query_window *w, bool rate, double *out)
{
    if (w->count < 2)
        return false;
    double last = w->v[w->count - 1], before = w->v[w->count - 2];
    int64_t apart = w->ts[w->count - 1] - w->ts[w->count - 2];
    if (apart == 0)
        return false;
    *out = rate && is_reset(w, w->count - 1) ? last : last - before;
    if (rate)
        *out /= query__seconds(apart);
    return true;
}

bool query__irate(const struct query_window *w, double *out)
{
    return last_two(w, true, out);
}

bool query__idelta(const struct query_window *w, double *out)
{
    return last_two(w, false, out);
}

bool query__changes(const struct query_window *w, double *out)
{
    size_t n = 0;
    for (size_t i = 1; i < w->count; i++)
        n += w->v[i] != w->v[i - 1] && !(isnan(w->v[i]) && isnan(w->v[i - 1]));
    *out = (double)n;
    return true;
}

bool query__resets(const struct query_window *w, double *out)
{
    size_t n = 0;
    for (size_t i = 1; i < w->count; i++)
        n += is_reset(w, i);
    *out = (double)n;
    return true;
}

/* Least squares through the samples, times counted in seconds from `origin_ns`. */
static void fit(const struct query_window *w, int64_t origin_ns, double *slope, double *intercept)
{
    struct data_kahan sx = {0}, sy = {0}, sxy = {0}, sxx = {0};
    double n = 0, first = w->v[0];
    bool constant = true;
    for (size_t i = 0; i < w->count; i++) {
        constant = constant && w->v[i] == first;
        double px = (double)(w->ts[i] - origin_ns) / 1e9;
        if ((w->ts[i] - origin_ns) % NS_PER_MS == 0)
            px = (double)((w->ts[i] - origin_ns) / NS_PER_MS) / 1e3;
        n++;
        data_kahan_add(&sx, px);
        data_kahan_add(&sy, w->v[i]);
        data_kahan_add(&sxy, px * w->v[i]);
        data_kahan_add(&sxx, px * px);
    }
    if (constant) {
        if (isinf(first)) {
            *slope = *intercept = NAN;
            return;
        }
        *slope = 0;
        *intercept = first;
        return;
    }
    double x = sx.sum + sx.c, y = sy.sum + sy.c, xy = sxy.sum + sxy.c, xx = sxx.sum + sxx.c;
    double cov = xy - x * y / n, var = xx - x * x / n;
    *slope = cov / var;
    *intercept = y / n - *slope * x / n;
}

bool query__deriv(const struct query_window *w, double *out)
{
    double intercept;
    if (w->count < 2)
        return false;
    fit(w, w->ts[0], out, &intercept);
    return true;
}

bool query__predict_linear(const struct query_window *w, double *out)
{
    double slope, intercept;
    if (w->count < 2)
        return false;
    fit(w, w->step_ns, &slope, &intercept);
    *out = slope * w->param[0] + intercept;
    return true;
}

bool query__smooth(const struct query_window *w, double *out)
{
    double sf = w->param[0], tf = w->param[1];
    if (w->count < 2)
        return false;
    double s0 = 0, s1 = w->v[0], b = w->v[1] - w->v[0];
    for (size_t i = 1; i < w->count; i++) {
        double x = sf * w->v[i];
        if (i > 1)
            b = tf * (s1 - s0) + (1 - tf) * b;
        double y = (1 - sf) * (s1 + b);
        s0 = s1;
        s1 = x + y;
    }
    *out = s1;
    return true;
}

bool query__sum_over(const struct query_window *w, double *out)
{
    struct data_kahan k = {0};
    for (size_t i = 0; i < w->count; i++)
        data_kahan_add(&k, w->v[i]);
    *out = isinf(k.sum) ? k.sum : k.sum + k.c;
    return true;
}

bool query__avg_over(const struct query_window *w, double *out)
{
    /* A sum while it does not overflow; from then on a running mean. */
    struct data_kahan sum = {0};
    size_t i = 0;
    for (; i < w->count; i++) {
        struct data_kahan next = sum;
        data_kahan_add(&next, w->v[i]);
        if (i && isinf(next.sum) && !isinf(w->v[i]))
            break;
        sum = next;
        if (i && isinf(sum.sum))
            break;
    }
    if (i == w->count || isinf(sum.sum)) {
        if (i < w->count) {
            for (i++; i < w->count; i++)
                sum.sum += w->v[i];
            *out = sum.sum;
            return true;
        }
        double n = (double)w->count;
        *out = isinf(sum.sum) ? sum.sum : sum.sum / n + sum.c / n;
        return true;
    }
    struct data_kahan mean = {sum.sum / (double)i, sum.c / (double)i};
    for (; i < w->count; i++) {
        double n = (double)(i + 1), q = (n - 1) / n;
        mean.sum *= q;
        mean.c *= q;
        data_kahan_add(&mean, w->v[i] / n);
    }
    *out = isinf(mean.sum) ? mean.sum : mean.sum + mean.c;
    return true;
}

bool query__count_over(const struct query_window *w, double *out)
{
    *out = (double)w->count;
    return true;
}

bool query__min_over(const struct query_window *w, double *out)
{
    double m = w->v[0];
    for (size_t i = 1; i < w->count; i++) {
        if (w->v[i] < m || isnan(m))
            m = w->v[i];
    }
    *out = m;
    return true;
}

bool query__max_over(const struct query_window *w, double *out)
{
    double m = w->v[0];
    for (size_t i = 1; i < w->count; i++) {
        if (w->v[i] > m || isnan(m))
            m = w->v[i];
    }
    *out = m;
    return true;
}

static double variance(const struct query_window *w)
{
    double n = 0;
    struct data_kahan mean = {0}, aux = {0};
    for (size_t i = 0; i < w->count; i++) {
        n++;
        double delta = w->v[i] - (mean.sum + mean.c);
        data_kahan_add(&mean, delta / n);
        data_kahan_add(&aux, delta * (w->v[i] - (mean.sum + mean.c)));
    }
    return (aux.sum + aux.c) / n;
}

bool query__stddev_over(const struct query_window *w, double *out)
{
    *out = sqrt(variance(w));
    return true;
}

bool query__stdvar_over(const struct query_window *w, double *out)
{
    *out = variance(w);
    return true;
}

bool query__last_over(const struct query_window *w, double *out)
{
    *out = w->v[w->count - 1];
    return true;
}

bool query__first_over(const struct query_window *w, double *out)
{
    *out = w->v[0];
    return true;
}

bool query__present_over(const struct query_window *w, double *out)
{
    (void)w;
    *out = 1;
    return true;
}

bool query__quantile_over(const struct query_window *w, double *out)
{
    double *copy = mem_dup(w->v, w->count * sizeof(*copy));
    *out = query__quantile(w->param[0], copy, w->count);
    mem_free(copy);
    return true;
}

bool query__mad_over(const struct query_window *w, double *out)
{
    double *copy = mem_dup(w->v, w->count * sizeof(*copy));
    double median = query__quantile(0.5, copy, w->count);
    bool nan = false;
    for (size_t i = 0; i < w->count; i++) {
        nan |= isnan(w->v[i]);
        copy[i] = fabs(w->v[i] - median);
    }
    *out = nan ? NAN : query__quantile(0.5, copy, w->count);
    mem_free(copy);
    return true;
}

bool query__ts_of_first(const struct query_window *w, double *out)
{
    *out = query__seconds(w->ts[0]);
    return true;
}

bool query__ts_of_last(const struct query_window *w, double *out)
{
    *out = query__seconds(w->ts[w->count - 1]);
    return true;
}

static bool ts_of_extreme(const struct query_window *w, bool max, double *out)
{
    size_t best = 0;
    for (size_t i = 1; i < w->count; i++) {
        if (isnan(w->v[best]) || (max ? w->v[i] >= w->v[best] : w->v[i] <= w->v[best]))
            best = i;
    }
    *out = query__seconds(w->ts[best]);
    return true;
}

bool query__ts_of_min(const struct query_window *w, double *out)
{
    return ts_of_extreme(w, false, out);
}

bool query__ts_of_max(const struct query_window *w, double *out)
{
    return ts_of_extreme(w, true, out);
}
