/* Functions that change each series by itself. */
#include <stdlib.h>
#include <string.h>

#include "lang/graphite/graphite_priv.h"

static double safe_pow(double a, double b)
{
    double r = isnan(a) || isnan(b) || (a == 0 && b < 0) ? GRAPHITE__NULL : pow(a, b);
    return isinf(r) && !isinf(a) ? GRAPHITE__NULL : r;
}

typedef double (*math_fn)(double v, double a, double step_s);

static double absolute(double v, double a, double step_s)
{
    (void)a, (void)step_s;
    return fabs(v);
}

static double exponent(double v, double a, double step_s)
{
    (void)a, (void)step_s;
    return exp(v);
}

static double inverse(double v, double a, double step_s)
{
    (void)a, (void)step_s;
    return v == 0 ? GRAPHITE__NULL : 1 / v;
}

static double root(double v, double a, double step_s)
{
    (void)a, (void)step_s;
    return v < 0 ? GRAPHITE__NULL : sqrt(v);
}

static double logit(double v, double a, double step_s)
{
    (void)a, (void)step_s;
    return v <= 0 || v >= 1 ? GRAPHITE__NULL : log(v / (1 - v));
}

static double sigmoid(double v, double a, double step_s)
{
    (void)a, (void)step_s;
    return 1 / (1 + exp(-v));
}

static double scaled(double v, double a, double step_s)
{
    (void)step_s;
    return v * a;
}

static double added(double v, double a, double step_s)
{
    (void)step_s;
    return v + a;
}

static double power(double v, double a, double step_s)
{
    (void)step_s;
    return safe_pow(v, a);
}

static double at_most(double v, double a, double step_s)
{
    (void)step_s;
    return v > a ? GRAPHITE__NULL : v;
}

static double at_least(double v, double a, double step_s)
{
    (void)step_s;
    return v < a ? GRAPHITE__NULL : v;
}

static double logarithm_of(double v, double a, double step_s)
{
    (void)step_s;
    return v <= 0 ? GRAPHITE__NULL : a == 10 ? log10(v) : log(v) / log(a);
}

static double rounded(double v, double a, double step_s)
{
    (void)step_s;
    return query_slots_round(v, (int)a);
}

static double to_seconds(double v, double a, double step_s)
{
    return query_slots_round(v * (a / step_s), 6);
}

static double a_second(double v, double a, double step_s)
{
    (void)a;
    return query_slots_round(v / step_s, 6);
}

static int calculate(struct graphite_run *x, const struct graphite_list *l, math_fn math, double a)
{
    const struct query_each each = {.op = QUERY_EACH_MATH, .math = math, .a = a};
    return graphite__each(x, l, &each, 1);
}

/* f(series) */
GRAPHITE__HANDLER(pointwise)
{
    static const struct {
        math_fn math; /* NULL: is there a value? */
        const char *tag;
    } rows[] = {{absolute, "1"},  {exponent, "e"},      {inverse, "1"}, {root, "1"},
                {logit, "logit"}, {sigmoid, "sigmoid"}, {NULL, "1"}};
    *out = c->arg[0];
    math_fn math = rows[c->fn->detail].math;
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        graphite__tag(c->x, s, c->fn->name, slice_cstr(rows[c->fn->detail].tag));
        graphite__rename(c->x, s, "%s(%.*s)", c->fn->name, SLICE_FMT(s->name));
        for (size_t k = 0; k < s->count && !math; k++)
            s->values[k] = !isnan(s->values[k]);
    }
    return math ? calculate(c->x, &out->list, math, 0) : c->x->err;
}

/* f(series, number): detail is the place in the table. */
GRAPHITE__HANDLER(with_number)
{
    static const struct {
        math_fn math;
        const char *before; /* the number in the name */
        bool whole, tags;
    } rows[] = {{scaled, "", false, true},    {added, "", true, true},
                {added, "", false, true},     {power, "", false, true},
                {at_most, " ", false, false}, {at_least, " ", false, false}};
    double n = c->arg[1].number;
    char number[64];
    *out = c->arg[0];
    if (rows[c->fn->detail].whole)
        snprintf(number, sizeof(number), "%lld", (long long)CLAMP(n, -9e18, 9e18));
    else
        snprintf(number, sizeof(number), "%g", n);
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        if (rows[c->fn->detail].tags)
            graphite__tag(c->x, s, c->fn->name, graphite__str(c->x, &c->arg[1]));
        graphite__rename(c->x, s, "%s(%.*s,%s%s)", c->fn->name, SLICE_FMT(s->name),
                         rows[c->fn->detail].before, number);
    }
    return calculate(c->x, &out->list, rows[c->fn->detail].math, n);
}

GRAPHITE__HANDLER(scale_to_seconds)
{
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        graphite__tag(c->x, s, "scaleToSeconds", graphite__str(c->x, &c->arg[1]));
        graphite__rename(c->x, s, "scaleToSeconds(%.*s,%lld)", SLICE_FMT(s->name),
                         (long long)c->arg[1].number);
    }
    return calculate(c->x, &out->list, to_seconds, c->arg[1].number);
}

GRAPHITE__HANDLER(logarithm)
{
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        graphite__tag(c->x, s, "log", graphite__str(c->x, &c->arg[1]));
        graphite__rename(c->x, s, "log(%.*s, %.*s)", SLICE_FMT(s->name),
                         SLICE_FMT(graphite__str(c->x, &c->arg[1])));
    }
    return calculate(c->x, &out->list, logarithm_of, c->arg[1].number);
}

GRAPHITE__HANDLER(offset_to_zero)
{
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        double low = graphite_aggregate(GRAPHITE_MIN, s->values, s->count);
        struct graphite__value v = {.kind = isnan(low) ? GRAPHITE__NONE : GRAPHITE__FLOAT,
                                    .number = low};
        graphite__tag(c->x, s, "offsetToZero", graphite__str(c->x, &v));
        graphite__rename(c->x, s, "offsetToZero(%.*s)", SLICE_FMT(s->name));
        for (size_t k = 0; k < s->count; k++)
            s->values[k] -= low;
    }
    return c->x->err;
}

GRAPHITE__HANDLER(min_max)
{
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        double low = graphite_aggregate(GRAPHITE_MIN, s->values, s->count);
        double high = graphite_aggregate(GRAPHITE_MAX, s->values, s->count);
        graphite__rename(c->x, s, "minMax(%.*s)", SLICE_FMT(s->name));
        for (size_t k = 0; k < s->count; k++) {
            if (!isnan(s->values[k]))
                s->values[k] = high == low ? 0 : (s->values[k] - low) / (high - low);
        }
    }
    return c->x->err;
}

GRAPHITE__HANDLER(round_values)
{
    bool given = c->arg[1].kind != GRAPHITE__NONE && c->arg[1].text.ptr;
    int places = (int)CLAMP(c->arg[1].number, -300, 300);
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        graphite__tag(c->x, s, "round", arena_printf(c->x->arena, "%d", places));
        if (given)
            graphite__rename(c->x, s, "round(%.*s,%d)", SLICE_FMT(s->name), places);
        else
            graphite__rename(c->x, s, "round(%.*s)", SLICE_FMT(s->name));
    }
    return calculate(c->x, &out->list, rounded, places);
}

/* --- differences and sums --- */

GRAPHITE__HANDLER(derivative)
{
    static const struct query_each each = {.op = QUERY_EACH_DIFFERENCE};
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        graphite__tag(c->x, s, "derivative", SLICE("1"));
        graphite__rename(c->x, s, "derivative(%.*s)", SLICE_FMT(s->name));
    }
    return graphite__each(c->x, &out->list, &each, 1);
}

/* nonNegativeDerivative; with detail 1 perSecond. */
GRAPHITE__HANDLER(non_negative)
{
    const struct query_each each[] = {
        {.op = QUERY_EACH_GAIN,
         .a = c->arg[1].kind == GRAPHITE__NONE ? GRAPHITE__NULL : c->arg[1].number,
         .b = c->arg[2].kind == GRAPHITE__NONE ? GRAPHITE__NULL : c->arg[2].number},
        {.op = QUERY_EACH_MATH, .math = a_second}};
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        graphite__tag(c->x, s, c->fn->name, SLICE("1"));
        graphite__rename(c->x, s, "%s(%.*s)", c->fn->name, SLICE_FMT(s->name));
    }
    return graphite__each(c->x, &out->list, each, c->fn->detail ? 2 : 1);
}

GRAPHITE__HANDLER(integral)
{
    static const struct query_each each = {.op = QUERY_EACH_RUNNING_SUM};
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        graphite__tag(c->x, s, "integral", SLICE("1"));
        graphite__rename(c->x, s, "integral(%.*s)", SLICE_FMT(s->name));
    }
    return graphite__each(c->x, &out->list, &each, 1);
}

GRAPHITE__HANDLER(integral_by_interval)
{
    struct graphite_run *x = c->x;
    int64_t interval;
    *out = c->arg[0];
    if (graphite__interval(x, c->arg[1].text, &interval))
        return x->err;
    interval = llabs(interval);
    if (!interval)
        return graphite__fail(x, "integralByInterval: the interval is 0");
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        double sum = 0;
        graphite__tag(x, s, "integralByInterval", c->arg[1].text);
        graphite__rename(x, s, "integralByInterval(%.*s,'%.*s')", SLICE_FMT(s->name),
                         SLICE_FMT(c->arg[1].text));
        for (size_t k = 0; k < s->count; k++) {
            int64_t at = s->start + (int64_t)k * s->step - x->window.start_s;
            if (graphite__floor_div(at, interval) != graphite__floor_div(at - s->step, interval))
                sum = 0;
            if (!isnan(s->values[k]))
                sum += s->values[k];
            s->values[k] = sum;
        }
    }
    return x->err;
}

GRAPHITE__HANDLER(delay)
{
    int64_t n = (int64_t)c->arg[1].number;
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        int64_t count = (int64_t)s->count, by = CLAMP(n, -count, count);
        graphite__tag(c->x, s, "delay", graphite__str(c->x, &c->arg[1]));
        graphite__rename(c->x, s, "delay(%.*s,%lld)", SLICE_FMT(s->name), (long long)n);
        if (by >= 0)
            memmove(s->values + by, s->values, (size_t)(count - by) * sizeof(double));
        else
            memmove(s->values, s->values - by, (size_t)(count + by) * sizeof(double));
        for (int64_t k = 0; k < llabs(by); k++)
            s->values[by >= 0 ? k : count - 1 - k] = GRAPHITE__NULL;
    }
    return c->x->err;
}

/* --- gaps --- */

/* keepLastValue; with detail 1 interpolate. */
GRAPHITE__HANDLER(fill_gaps)
{
    const struct query_each each = {.op = c->fn->detail ? QUERY_EACH_INTERPOLATE : QUERY_EACH_KEEP,
                                    .a = c->arg[1].number};
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        graphite__rename(c->x, s, "%s(%.*s)", c->fn->name, SLICE_FMT(s->name));
    }
    return graphite__each(c->x, &out->list, &each, 1);
}

GRAPHITE__HANDLER(transform_null)
{
    double preset = c->arg[1].number;
    const struct graphite_list *ref = &c->arg[2].list;
    bool has_ref = c->arg[2].kind == GRAPHITE__LIST && ref->len;
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        graphite__tag(c->x, s, "transformNull", graphite__str(c->x, &c->arg[1]));
        if (has_ref)
            graphite__tag(c->x, s, "referenceSeries", SLICE("1"));
        graphite__rename(c->x, s, "transformNull(%.*s,%g%s)", SLICE_FMT(s->name), preset,
                         has_ref ? ",referenceSeries" : "");
        for (size_t k = 0; k < s->count; k++) {
            bool fill = !has_ref;
            for (size_t r = 0; has_ref && r < ref->len && !fill; r++)
                fill = k < ref->items[r]->count && !isnan(ref->items[r]->values[k]);
            if (isnan(s->values[k]) && fill)
                s->values[k] = preset;
        }
    }
    return c->x->err;
}

GRAPHITE__HANDLER(changed)
{
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        double before = GRAPHITE__NULL;
        graphite__rename(c->x, s, "changed(%.*s)", SLICE_FMT(s->name));
        for (size_t k = 0; k < s->count; k++) {
            double v = s->values[k];
            bool differs = !isnan(before) && !isnan(v) && v != before;
            s->values[k] = differs;
            if (isnan(before) || differs)
                before = v;
        }
    }
    return c->x->err;
}

/* Regular gaps, as series have that are stored finer than they are sent: every nth point is there
 * and nothing between. The step becomes n times as long. */
GRAPHITE__HANDLER(compress_gaps)
{
    struct graphite_run *x = c->x;
    out->kind = GRAPHITE__LIST;
    for (size_t i = 0; i < c->arg[0].list.len && !x->err; i++) {
        struct graphite_series *s = c->arg[0].list.items[i];
        size_t first = s->count, second = s->count, n;
        for (size_t k = 0; k < s->count && second == s->count; k++) {
            if (isnan(s->values[k]))
                continue;
            if (first == s->count)
                first = k;
            else
                second = k;
        }
        n = second < s->count ? second - first : 1;
        bool regular = n > 1;
        for (size_t k = 0; k < s->count && regular; k++)
            regular = isnan(s->values[k]) || k % n == first % n;
        if (!regular) {
            graphite__push(x, &out->list, s);
            continue;
        }
        size_t from = first % n, count = (s->count - from + n - 1) / n;
        struct slice name = graphite__text(x, "compressPeriodicGaps(%.*s)", SLICE_FMT(s->name));
        struct graphite_series *r = graphite__copy(x, s, name, s->start + (int64_t)from * s->step,
                                                   s->end, s->step * (int64_t)n, count);
        for (size_t k = 0; r && k < count; k++)
            r->values[k] = s->values[from + k * n];
        graphite__push(x, &out->list, r);
    }
    return x->err;
}

/* --- buckets --- */

static int summarize_one(struct graphite_run *x, struct graphite_series *s, enum graphite_agg agg,
                         int64_t interval, int64_t start, int64_t end, struct slice name,
                         struct graphite_list *out)
{
    size_t count = (size_t)((end - start + interval - 1) / interval), at = 0;
    struct graphite_series *r = graphite__copy(x, s, name, start, end, interval, count);
    for (size_t b = 0; r && b < count; b++) {
        int64_t from = start + (int64_t)b * interval;
        while (at < s->count && s->start + (int64_t)at * s->step < from)
            at++;
        size_t begin = at;
        while (at < s->count && s->start + (int64_t)at * s->step < from + interval)
            at++;
        size_t n = graphite__non_null(s->values + begin, at - begin);
        if (graphite__xff(n, (double)interval / (double)s->step, s->xff))
            r->values[b] = graphite_aggregate(agg, s->values + begin, at - begin);
    }
    graphite__push(x, out, r);
    return x->err;
}

static int interval_of(struct graphite__call *c, int64_t *out)
{
    if (graphite__interval(c->x, c->arg[1].text, out))
        return c->x->err;
    if (*out <= 0)
        return graphite__fail(c->x, "%s: the interval must be longer than 0", c->fn->name);
    return 0;
}

GRAPHITE__HANDLER(summarize)
{
    struct graphite_run *x = c->x;
    int64_t interval;
    enum graphite_agg agg;
    bool from = c->arg[3].number != 0;
    out->kind = GRAPHITE__LIST;
    if (interval_of(c, &interval) || graphite__agg(x, c->arg[2].text, &agg))
        return x->err;
    for (size_t i = 0; i < c->arg[0].list.len && !x->err; i++) {
        struct graphite_series *s = c->arg[0].list.items[i];
        int64_t start = s->start, end = s->end;
        if (!from) {
            start -= start % interval;
            end = end - end % interval + interval;
        } else {
            end = start + (end - start + interval - 1) / interval * interval;
        }
        graphite__tag(x, s, "summarize", c->arg[1].text);
        graphite__tag(x, s, "summarizeFunction", c->arg[2].text);
        struct slice name = graphite__text(x, "summarize(%.*s, \"%.*s\", \"%.*s\"%s)",
                                           SLICE_FMT(s->name), SLICE_FMT(c->arg[1].text),
                                           SLICE_FMT(c->arg[2].text), from ? ", true" : "");
        summarize_one(x, s, agg, interval, start, end, name, &out->list);
    }
    return x->err;
}

/* The start of the unit that `t` lies in; weeks may name their first day (weeks1 = Monday). */
static bool align(struct slice unit, int64_t t, const struct text_zone *zone, int64_t *out)
{
    int64_t seconds = graphite__unit(unit), local = t + text_zone_at(zone, t).offset_s, year;
    int64_t days = graphite__floor_div(local, 86400);
    int month, day;
    graphite__date(days, &year, &month, &day);
    if (seconds == 365 * 86400) {
        local = graphite__days(year, 1, 1) * 86400;
    } else if (seconds == 30 * 86400) {
        local = graphite__days(year, month, 1) * 86400;
    } else if (seconds == 7 * 86400) {
        char last = unit.ptr[unit.len - 1];
        int64_t first = last >= '1' && last <= '7' ? last - '0' : 1;
        int64_t weekday = ((days + 3) % 7 + 7) % 7 + 1;
        local = (days - (weekday - first + 7) % 7) * 86400;
    } else if (seconds) {
        local = graphite__floor_div(local, seconds) * seconds;
    }
    *out = text_zone_to_utc(zone, local);
    return seconds != 0;
}

GRAPHITE__HANDLER(smart_summarize)
{
    struct graphite_run *x = c->x;
    struct graphite_list list = c->arg[0].list;
    int64_t interval, start;
    enum graphite_agg agg;
    out->kind = GRAPHITE__LIST;
    if (interval_of(c, &interval) || graphite__agg(x, c->arg[2].text, &agg))
        return x->err;
    struct slice unit = c->arg[3].text;
    if (c->arg[3].kind == GRAPHITE__STRING && !slice_eq_nocase(unit, SLICE("true")) &&
        !slice_eq_nocase(unit, SLICE("false"))) {
        if (!unit.len || !align(unit, x->window.start_s, x->req->zone, &start))
            return graphite__fail(x,
                                  "Invalid \"string\" value specified for function "
                                  "\"smartSummarize\" parameter \"alignTo\": %.*s",
                                  SLICE_FMT(slice_first(unit, 60)));
        if (graphite__again(c, start, x->window.end_s, &list))
            return x->err;
    }
    for (size_t i = 0; i < list.len && !x->err; i++) {
        struct graphite_series *s = list.items[i];
        int64_t end = s->start + (s->end - s->start + interval - 1) / interval * interval;
        graphite__tag(x, s, "smartSummarize", c->arg[1].text);
        graphite__tag(x, s, "smartSummarizeFunction", c->arg[2].text);
        struct slice name =
            graphite__text(x, "smartSummarize(%.*s, \"%.*s\", \"%.*s\")", SLICE_FMT(s->name),
                           SLICE_FMT(c->arg[1].text), SLICE_FMT(c->arg[2].text));
        summarize_one(x, s, agg, interval, s->start, end, name, &out->list);
    }
    return x->err;
}

GRAPHITE__HANDLER(hitcount)
{
    struct graphite_run *x = c->x;
    struct graphite_list list = c->arg[0].list;
    int64_t interval, start;
    bool aligned = c->arg[2].number != 0;
    out->kind = GRAPHITE__LIST;
    if (interval_of(c, &interval))
        return x->err;
    if (aligned) {
        const char *unit = interval >= 86400 ? "d" : interval >= 3600 ? "h" : "min";
        start = x->window.start_s;
        if (interval >= 60)
            align(slice_cstr(unit), start, x->req->zone, &start);
        if (graphite__again(c, start, x->window.end_s, &list))
            return x->err;
        for (size_t i = 0; i < list.len; i++) {
            struct graphite_series *s = list.items[i];
            s->end = s->start + (s->end - s->start) / interval * interval + interval;
        }
    }
    for (size_t i = 0; i < list.len && !x->err; i++) {
        struct graphite_series *s = list.items[i];
        size_t count = (size_t)((s->end - s->start + interval - 1) / interval);
        int64_t first = s->end - (int64_t)count * interval;
        graphite__tag(x, s, "hitcount", c->arg[1].text);
        struct slice name = graphite__text(x, "hitcount(%.*s, \"%.*s\"%s)", SLICE_FMT(s->name),
                                           SLICE_FMT(c->arg[1].text), aligned ? ", true" : "");
        struct graphite_series *r = graphite__copy(x, s, name, first, s->end, interval, count);
        for (size_t k = 0; r && k < s->count; k++) {
            int64_t from = s->start + (int64_t)k * s->step, to = from + s->step;
            if (isnan(s->values[k]))
                continue;
            for (int64_t b = graphite__floor_div(from - first, interval);
                 b < (int64_t)count && first + b * interval < to; b++) {
                int64_t lo = MAX(from, first + b * interval);
                int64_t hi = MIN(to, first + (b + 1) * interval);
                if (b < 0 || hi <= lo)
                    continue;
                r->values[b] =
                    (isnan(r->values[b]) ? 0 : r->values[b]) + s->values[k] * (double)(hi - lo);
            }
        }
        graphite__push(x, &out->list, r);
    }
    return x->err;
}
