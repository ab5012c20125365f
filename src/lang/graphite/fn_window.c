/* Functions that look at other times than those shown: moving windows, forecasts, shifts. They
 * evaluate their first argument again over the window they need. */
#include <stdlib.h>
#include <string.h>

#include "lang/graphite/graphite_priv.h"

static int64_t largest_step(const struct graphite_list *l)
{
    int64_t step = 1;
    for (size_t i = 0; i < l->len; i++)
        step = MAX(step, l->items[i]->step);
    return step;
}

/* A window as points ("5") or as an interval ("5min"): seconds, and whether it is an interval. */
static int window_of(struct graphite__call *c, int64_t *seconds, bool *interval)
{
    const struct graphite__value *v = &c->arg[1];
    *interval = v->kind == GRAPHITE__STRING;
    if (*interval) {
        if (graphite__interval(c->x, v->text, seconds))
            return c->x->err;
        *seconds = llabs(*seconds);
    } else {
        *seconds = largest_step(&c->arg[0].list) * (int64_t)CLAMP(v->number, -1e9, 1e9);
    }
    if (*seconds <= 0)
        return graphite__fail(c->x, "%s: the window must be larger than 0", c->fn->name);
    return 0;
}

/* The first argument from some time before the window on. */
static int preview_of(struct graphite__call *c, int64_t seconds, struct graphite_list *out)
{
    struct graphite_run *x = c->x;
    if (c->ahead_s && c->ahead_s == seconds) {
        *out = c->arg[0].list;
        return x->err;
    }
    return graphite__again(c, x->window.start_s - seconds, x->window.end_s, out);
}

static double any_aggregate(double agg, const double *v, size_t count)
{
    return graphite_aggregate((enum graphite_agg)agg, v, count);
}

static struct query_each window_each(enum graphite_agg agg)
{
    struct query_each e = {.op = QUERY_EACH_WINDOW, .a = agg, .other = any_aggregate};
    switch (agg) {
    case GRAPHITE_SUM: e.over = QUERY_OVER_SUM; break;
    case GRAPHITE_AVERAGE: e.over = QUERY_OVER_AVG; break;
    case GRAPHITE_MIN: e.over = QUERY_OVER_MIN; break;
    case GRAPHITE_MAX: e.over = QUERY_OVER_MAX; break;
    case GRAPHITE_RANGE: e.over = QUERY_OVER_RANGE; break;
    case GRAPHITE_COUNT: e.over = QUERY_OVER_COUNT; break;
    case GRAPHITE_MEDIAN: e.over = QUERY_OVER_MEDIAN; break;
    default: e.over = QUERY_OVER_OTHER; break;
    }
    return e;
}

/* movingWindow, and movingAverage and the like by their detail. */
GRAPHITE__HANDLER(moving)
{
    struct graphite_run *x = c->x;
    struct graphite_list preview = {0};
    int64_t seconds;
    bool interval, named = c->fn->detail < 0;
    enum graphite_agg agg = (enum graphite_agg)c->fn->detail;
    struct slice func = slice_cstr(named ? "" : graphite_agg_name(agg));
    const struct graphite__value *xff = &c->arg[named ? 3 : 2];
    char title[40];
    out->kind = GRAPHITE__LIST;
    if (!c->arg[0].list.len)
        return 0;
    if (named && graphite__agg(x, func = c->arg[2].text, &agg))
        return x->err;
    snprintf(title, sizeof(title), "moving%.*s", SLICE_FMT(slice_first(func, 30)));
    title[6] = title[6] >= 'a' && title[6] <= 'z' ? (char)(title[6] - 32) : title[6];
    if (window_of(c, &seconds, &interval))
        return x->err;
    if (preview_of(c, seconds, &preview))
        return x->err;
    struct query_each each = window_each(agg);
    each.slots = interval ? 0 : (size_t)c->arg[1].number;
    each.range_s = seconds;
    each.least_share = xff->kind == GRAPHITE__NONE ? GRAPHITE__NULL : xff->number;
    graphite__each(x, &preview, &each, 1);
    if (x->trace && preview.len) {
        /* Those slots are there for this window only. */
        x->trace->lead_s += seconds;
        x->trace->lead += (size_t)(seconds / preview.items[0]->step);
        const struct query_each blank = {.op = QUERY_EACH_BLANK, .slots = x->trace->lead};
        graphite__each(x, &preview, &blank, 1);
    }
    for (size_t i = 0; i < preview.len && !x->err; i++) {
        struct graphite_series *s = preview.items[i];
        /* As many points as the preview is longer, whatever a coarser step makes of it. */
        size_t first = MIN((size_t)(seconds / s->step), s->count);
        graphite__tag(x, s, title, graphite__str(x, &c->arg[1]));
        if (interval)
            graphite__rename(x, s, "%s(%.*s,\"%.*s\")", title, SLICE_FMT(s->name),
                             SLICE_FMT(c->arg[1].text));
        else
            graphite__rename(x, s, "%s(%.*s,%lld)", title, SLICE_FMT(s->name),
                             (long long)c->arg[1].number);
        s->values += first;
        s->count -= first;
        s->start += (int64_t)first * s->step;
    }
    out->list = preview;
    return x->err;
}

static double round6(double v)
{
    return isfinite(v) && fabs(v) < 1e9 ? nearbyint(v * 1e6) / 1e6 : v;
}

GRAPHITE__HANDLER(exponential)
{
    struct graphite_run *x = c->x;
    struct graphite_list preview = {0};
    int64_t seconds;
    bool interval;
    out->kind = GRAPHITE__LIST;
    if (!c->arg[0].list.len || window_of(c, &seconds, &interval))
        return x->err;
    double k = 2 / ((interval ? (double)seconds : c->arg[1].number) + 1);
    if (preview_of(c, seconds, &preview))
        return x->err;
    for (size_t i = 0; i < preview.len && !x->err; i++) {
        struct graphite_series *s = preview.items[i];
        size_t n = MIN(interval ? (size_t)(seconds / s->step) : (size_t)c->arg[1].number, s->count);
        struct slice name = interval
                                ? graphite__text(x, "exponentialMovingAverage(%.*s,\"%.*s\")",
                                                 SLICE_FMT(s->name), SLICE_FMT(c->arg[1].text))
                                : graphite__text(x, "exponentialMovingAverage(%.*s,%lld)",
                                                 SLICE_FMT(s->name), (long long)c->arg[1].number);
        graphite__tag(x, s, "exponentialMovingAverage", graphite__str(x, &c->arg[1]));
        struct graphite_series *r =
            graphite__copy(x, s, name, s->start + seconds, s->end, s->step, s->count - n + 1);
        double ema = graphite_aggregate(GRAPHITE_AVERAGE, s->values, n);
        if (isnan(ema))
            ema = 0;
        if (r)
            r->values[0] = round6(ema);
        for (size_t j = n; r && j < s->count; j++) {
            if (isnan(s->values[j]))
                continue;
            ema = k * s->values[j] + (1 - k) * ema;
            r->values[j - n + 1] = round6(ema);
        }
        graphite__push(x, &out->list, r);
    }
    return x->err;
}

GRAPHITE__HANDLER(stdev)
{
    struct graphite_run *x = c->x;
    size_t points = (size_t)CLAMP(c->arg[1].number, 0, 1e9);
    double tolerance = c->arg[2].number;
    out->kind = GRAPHITE__LIST;
    if (!points)
        return graphite__fail(x, "stdev: the window must have at least one point");
    for (size_t i = 0; i < c->arg[0].list.len && !x->err; i++) {
        struct graphite_series *s = c->arg[0].list.items[i];
        double sum = 0, squares = 0;
        size_t valid = 0;
        graphite__tag(x, s, "stdev", graphite__str(x, &c->arg[1]));
        struct graphite_series *r =
            graphite__like(x, s, graphite__text(x, "stdev(%.*s,%zu)", SLICE_FMT(s->name), points));
        for (size_t k = 0; r && k < s->count; k++) {
            double v = s->values[k], gone = k >= points ? s->values[k - points] : GRAPHITE__NULL;
            if (!isnan(gone)) {
                valid--;
                sum -= gone;
                squares -= gone * gone;
            }
            if (!isnan(v)) {
                valid++;
                sum += v;
                squares += v * v;
            }
            double d = (double)valid * squares - sum * sum;
            if (valid && (double)valid / (double)points >= tolerance && d >= 0)
                r->values[k] = sqrt(d) / (double)valid;
        }
        graphite__push(x, &out->list, r);
    }
    return x->err;
}

/* --- Holt-Winters --- */

struct analysis {
    double *predictions, *deviations;
};

/* Additive triple smoothing: alpha and gamma .1, beta .0035. */
static int analyse(struct graphite_run *x, const struct graphite_series *s, int64_t seasonality,
                   struct analysis *out)
{
    const double alpha = .1, gamma = .1, beta = .0035;
    size_t season = (size_t)MAX(seasonality / s->step, 1), n = s->count;
    double *seasonal = graphite__values(x, n), next = GRAPHITE__NULL, next_season;
    double last_intercept = GRAPHITE__NULL, last_slope = 0;
    out->predictions = graphite__values(x, n);
    out->deviations = graphite__values(x, n);
    if (x->err)
        return x->err;
    for (size_t i = 0; i < n; i++) {
        double actual = s->values[i];
        if (isnan(actual)) {
            seasonal[i] = out->deviations[i] = 0;
            out->predictions[i] = next;
            last_intercept = next = GRAPHITE__NULL;
            last_slope = 0;
            continue;
        }
        double prediction = i ? next : actual;
        double intercept_was = isnan(last_intercept) ? actual : last_intercept;
        double slope_was = last_slope;
        double season_was = i >= season ? seasonal[i - season] : 0;
        double deviation_was = i >= season ? out->deviations[i - season] : 0;
        /* With a season of one point the next one's is this one's, which is not known yet. */
        next_season = season > 1 && i + 1 >= season ? seasonal[i + 1 - season] : 0;
        double intercept =
            alpha * (actual - season_was) + (1 - alpha) * (intercept_was + slope_was);
        double slope = beta * (intercept - intercept_was) + (1 - beta) * slope_was;
        seasonal[i] = gamma * (actual - intercept) + (1 - gamma) * season_was;
        next = intercept + slope + next_season;
        double expected = isnan(prediction) ? 0 : prediction;
        out->deviations[i] = gamma * fabs(actual - expected) + (1 - gamma) * deviation_was;
        out->predictions[i] = prediction;
        last_intercept = intercept;
        last_slope = slope;
    }
    return 0;
}

struct season {
    int64_t bootstrap, length;
};

static int season_of(struct graphite__call *c, size_t at, struct season *out)
{
    struct graphite_run *x = c->x;
    if (graphite__interval(x, c->arg[at].text, &out->bootstrap) ||
        graphite__interval(x, c->arg[at + 1].text, &out->length))
        return x->err;
    if (out->bootstrap < 0 || out->length <= 0)
        return graphite__fail(x, "%s: intervals must be longer than 0", c->fn->name);
    return 0;
}

GRAPHITE__HANDLER(forecast)
{
    struct graphite_run *x = c->x;
    struct season season;
    struct graphite_list preview = {0};
    out->kind = GRAPHITE__LIST;
    if (season_of(c, 1, &season) || preview_of(c, season.bootstrap, &preview))
        return x->err;
    for (size_t i = 0; i < preview.len && !x->err; i++) {
        struct graphite_series *s = preview.items[i];
        struct analysis a;
        size_t skip = MIN((size_t)(season.bootstrap / s->step), s->count);
        if (analyse(x, s, season.length, &a))
            return x->err;
        graphite__tag(x, s, "holtWintersForecast", SLICE("1"));
        graphite__tag(x, s, "holtWintersDeviation", SLICE("1"));
        struct graphite_series *r =
            graphite__copy(x, s, graphite__text(x, "holtWintersForecast(%.*s)", SLICE_FMT(s->name)),
                           s->start + season.bootstrap, s->end, s->step, s->count - skip);
        if (r)
            memcpy(r->values, a.predictions + skip, r->count * sizeof(double));
        graphite__push(x, &out->list, r);
    }
    return x->err;
}

/* Lower and upper band of each series, in this order. */
static int bands(struct graphite__call *c, struct graphite_list *out)
{
    struct graphite_run *x = c->x;
    struct season season;
    struct graphite_list preview = {0};
    if (season_of(c, 2, &season) || preview_of(c, season.bootstrap, &preview))
        return x->err;
    for (size_t i = 0; i < preview.len && !x->err; i++) {
        struct graphite_series *s = preview.items[i];
        struct analysis a;
        size_t skip = MIN((size_t)(season.bootstrap / s->step), s->count);
        if (analyse(x, s, season.length, &a))
            return x->err;
        for (int upper = 0; upper < 2; upper++) {
            const char *which = upper ? "holtWintersConfidenceUpper" : "holtWintersConfidenceLower";
            struct graphite_series *r =
                graphite__copy(x, s, graphite__text(x, "%s(%.*s)", which, SLICE_FMT(s->name)),
                               s->start + season.bootstrap, s->end, s->step, s->count - skip);
            if (!r)
                return x->err;
            r->path = s->path;
            graphite__tag(x, r, "holtWintersForecast", SLICE("1"));
            graphite__tag(x, r, "holtWintersDeviation", SLICE("1"));
            graphite__tag(x, r, "holtWintersConfidenceUpper", SLICE("1"));
            graphite__tag(x, r, "holtWintersConfidenceLower", SLICE("1"));
            for (size_t k = 0; k < r->count; k++)
                r->values[k] = a.predictions[skip + k] +
                               (upper ? 1 : -1) * c->arg[1].number * a.deviations[skip + k];
            graphite__push(x, out, r);
        }
    }
    return x->err;
}

GRAPHITE__HANDLER(confidence_bands)
{
    out->kind = GRAPHITE__LIST;
    return bands(c, &out->list);
}

GRAPHITE__HANDLER(confidence_area)
{
    out->kind = GRAPHITE__LIST;
    if (bands(c, &out->list))
        return c->x->err;
    if (out->list.len != 2)
        return graphite__fail(c->x, "holtWintersConfidenceArea series argument must reference "
                                    "*exactly* 1 series");
    struct graphite_series *lower = out->list.items[0], *upper = out->list.items[1];
    struct slice name =
        graphite__text(c->x, "holtWintersConfidenceArea(%.*s)", SLICE_FMT(upper->path));
    graphite__look(c->x, lower)->stacked = true;
    lower->look->invisible = true;
    graphite__look(c->x, upper)->stacked = true;
    for (size_t i = 0; i < 2; i++) {
        struct graphite_series *s = out->list.items[i];
        graphite__tag(c->x, s, "holtWintersConfidenceArea", SLICE("1"));
        s->name = s->path = name;
    }
    return c->x->err;
}

GRAPHITE__HANDLER(aberration)
{
    struct graphite_run *x = c->x;
    struct graphite_list both = {0};
    out->kind = GRAPHITE__LIST;
    if (bands(c, &both))
        return x->err;
    for (size_t i = 0; i < c->arg[0].list.len && !x->err; i++) {
        struct graphite_series *s = c->arg[0].list.items[i], *lower = NULL, *upper = NULL;
        struct slice wanted =
            graphite__text(x, "holtWintersConfidenceLower(%.*s)", SLICE_FMT(s->name));
        for (size_t k = 0; k + 1 < both.len; k += 2) {
            if (slice_eq(both.items[k]->name, wanted)) {
                lower = both.items[k];
                upper = both.items[k + 1];
            }
        }
        struct graphite_series *r = graphite__like(
            x, s, graphite__text(x, "holtWintersAberration(%.*s)", SLICE_FMT(s->name)));
        if (!r)
            return x->err;
        graphite__tag(x, r, "holtWintersAberration", SLICE("1"));
        for (size_t k = 0; k < s->count; k++) {
            double v = s->values[k];
            double hi = upper && k < upper->count ? upper->values[k] : GRAPHITE__NULL;
            double lo = lower && k < lower->count ? lower->values[k] : GRAPHITE__NULL;
            r->values[k] = v > hi ? v - hi : v < lo ? v - lo : 0;
        }
        graphite__push(x, &out->list, r);
    }
    return x->err;
}

/* --- regression --- */

GRAPHITE__HANDLER(linear_regression)
{
    struct graphite_run *x = c->x;
    struct graphite_list sources = {0};
    int64_t from = x->window.start_s, until = x->window.end_s;
    out->kind = GRAPHITE__LIST;
    for (int i = 0; i < 2; i++) {
        if (c->arg[1 + i].kind == GRAPHITE__STRING &&
            (x->err = graphite_time_parse(c->arg[1 + i].text, x->req->now_s, x->req->zone,
                                          i ? &until : &from, x->diag)))
            return x->err;
    }
    if (graphite__again(c, from, until, &sources))
        return x->err;
    for (size_t i = 0; i < MIN(sources.len, c->arg[0].list.len) && !x->err; i++) {
        struct graphite_series *source = sources.items[i], *s = c->arg[0].list.items[i];
        double n = 0, si = 0, sv = 0, sii = 0, siv = 0;
        for (size_t k = 0; k < source->count; k++) {
            double v = source->values[k], at = (double)k;
            if (isnan(v))
                continue;
            n++, si += at, sv += v, sii += at * at, siv += at * v;
        }
        double d = n * sii - si * si;
        graphite__tag(x, s, "linearRegressions",
                      graphite__text(x, "%lld, %lld", (long long)from, (long long)until));
        if (d == 0)
            continue;
        double factor = (n * siv - si * sv) / d / (double)source->step;
        double offset = (sii * sv - siv * si) / d - factor * (double)source->start;
        struct graphite_series *r =
            graphite__like(x, s,
                           graphite__text(x, "linearRegression(%.*s, %lld, %lld)",
                                          SLICE_FMT(s->name), (long long)from, (long long)until));
        for (size_t k = 0; r && k < r->count; k++)
            r->values[k] = offset + (double)(s->start + (int64_t)k * s->step) * factor;
        graphite__push(x, &out->list, r);
    }
    return x->err;
}

/* --- shifts --- */

/* "1d" goes back as "-1d" does. */
static int shift_of(struct graphite__call *c, struct slice *text, int64_t *delta)
{
    struct graphite_run *x = c->x;
    *text = c->arg[1].text;
    if (text->len && text->ptr[0] >= '0' && text->ptr[0] <= '9')
        *text = graphite__text(x, "-%.*s", SLICE_FMT(*text));
    return graphite__interval(x, *text, delta);
}

/* alignDST: an hour when the one window is wholly within daylight saving and the other wholly out
 * of it; else the picture would be torn. */
static int64_t dst_between(const struct graphite_run *x, int64_t delta)
{
    const struct text_zone *z = x->req->zone;
    const struct graphite__window *w = &x->window;
    bool begin = text_zone_at(z, w->start_s).is_dst, end = text_zone_at(z, w->end_s).is_dst;
    bool own_begin = text_zone_at(z, w->start_s + delta).is_dst;
    bool own_end = text_zone_at(z, w->end_s + delta).is_dst;
    if (begin != end || own_begin != own_end || begin == own_begin)
        return 0;
    return begin ? 3600 : -3600;
}

GRAPHITE__HANDLER(time_shift)
{
    struct graphite_run *x = c->x;
    struct graphite_list shifted = {0};
    struct slice text;
    int64_t delta;
    out->kind = GRAPHITE__LIST;
    if (!c->arg[0].list.len || shift_of(c, &text, &delta))
        return x->err;
    const struct graphite_series *first = c->arg[0].list.items[0];
    int64_t start = first->start, end = first->end;
    int64_t dst = c->arg[3].number != 0 ? dst_between(x, delta) : 0;
    if (graphite__again(c, x->window.start_s + delta + dst, x->window.end_s + delta + dst,
                        &shifted))
        return x->err;
    for (size_t i = 0; i < shifted.len && !x->err; i++) {
        struct graphite_series *s = shifted.items[i];
        graphite__tag(x, s, "timeShift", text);
        s->name =
            graphite__text(x, "timeShift(%.*s, \"%.*s\")", SLICE_FMT(s->name), SLICE_FMT(text));
        s->end = c->arg[2].number != 0 ? end : s->end - s->start + start;
        s->start = start;
        graphite__push(x, &out->list, s);
    }
    return x->err;
}

GRAPHITE__HANDLER(time_stack)
{
    struct graphite_run *x = c->x;
    struct slice text;
    int64_t delta;
    out->kind = GRAPHITE__LIST;
    if (!c->arg[0].list.len || shift_of(c, &text, &delta))
        return x->err;
    const struct graphite_series *first = c->arg[0].list.items[0];
    int64_t start = first->start, end = first->end;
    int64_t from = (int64_t)CLAMP(c->arg[2].number, -1e6, 1e6);
    int64_t to = (int64_t)CLAMP(c->arg[3].number, -1e6, 1e6);
    if (to - from > 1000)
        return graphite__fail(x, "timeStack: more than 1000 times");
    for (int64_t n = from; n < to && !x->err; n++) {
        struct graphite_list shifted = {0};
        if (graphite__again(c, x->window.start_s + n * delta, x->window.end_s + n * delta,
                            &shifted))
            return x->err;
        for (size_t i = 0; i < shifted.len; i++) {
            struct graphite_series *s = shifted.items[i];
            graphite__tag(x, s, "timeShiftUnit", text);
            graphite__tag(x, s, "timeShift", arena_printf(x->arena, "%lld", (long long)n));
            graphite__rename(x, s, "timeShift(%.*s, %.*s, %lld)", SLICE_FMT(s->name),
                             SLICE_FMT(text), (long long)n);
            s->start = start;
            s->end = end;
            graphite__push(x, &out->list, s);
        }
    }
    return x->err;
}

GRAPHITE__HANDLER(time_slice)
{
    struct graphite_run *x = c->x;
    int64_t from, to;
    *out = c->arg[0];
    if ((x->err =
             graphite_time_parse(c->arg[1].text, x->req->now_s, x->req->zone, &from, x->diag)) ||
        (x->err = graphite_time_parse(c->arg[2].text, x->req->now_s, x->req->zone, &to, x->diag)))
        return x->err;
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        graphite__tag(x, s, "timeSliceStart", arena_printf(x->arena, "%lld", (long long)from));
        graphite__tag(x, s, "timeSliceEnd", arena_printf(x->arena, "%lld", (long long)to));
        s->name = graphite__text(x, "timeSlice(%.*s, %lld, %lld)", SLICE_FMT(s->name),
                                 (long long)from, (long long)to);
        for (size_t k = 0; k < s->count; k++) {
            int64_t at = x->window.start_s + (int64_t)k * s->step;
            if (at < from || at > to)
                s->values[k] = GRAPHITE__NULL;
        }
    }
    return x->err;
}
