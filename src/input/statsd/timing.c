/* Timer statistics as the Node daemon defines them (lib/process_metrics.js of statsd 0.9): sums are
 * of the values that were sent, `count` says how many events they stood for. */
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "input/statsd/statsd_priv.h"

struct out {
    const struct statsd_options *options;
    void (*each)(void *ctx, struct slice name, double value);
    void *ctx;
};

/* "90", "top10", "99_9": of a threshold, as it stands in names. */
static void threshold_name(double p, char *out, size_t size)
{
    char text[CODEC_DOUBLE_TEXT_MAX + 1];
    size_t n = codec_double_to_text(fabs(p), CODEC_DOUBLE_JSON, text);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '.')
            text[i] = '_';
    }
    text[n] = 0;
    snprintf(out, size, "%s%s", p < 0 ? "top" : "", text);
}

static void put(const struct out *o, const char *stat, const char *threshold, double v)
{
    char name[CODEC_DOUBLE_TEXT_MAX + 32];
    int n = snprintf(name, sizeof(name), threshold ? "%s_%s" : "%s", stat, threshold);
    struct slice whole = slice_make(name, MIN((size_t)n, sizeof(name) - 1));
    if (statsd__options_want(o->options, whole))
        o->each(o->ctx, whole, v);
}

/* How many values are in each bin; those above the last bound are in none. */
static void put_bins(const struct out *o, const double *values, size_t count)
{
    size_t at = 0;
    for (size_t k = 0; k < o->options->bin_count; k++) {
        const struct statsd_bin *bin = &o->options->bins[k];
        char name[CODEC_DOUBLE_TEXT_MAX + 16];
        size_t before = at;
        while (at < count && (isinf(bin->bound) || values[at] < bin->bound))
            at++;
        snprintf(name, sizeof(name), "histogram.%.*s", SLICE_FMT(bin->name));
        put(o, name, NULL, (double)(at - before));
    }
}

void statsd__timing(double *values, size_t count, double weight, double interval_s,
                    const struct statsd_options *options,
                    void (*each)(void *ctx, struct slice name, double value), void *ctx)
{
    struct out o = {options, each, ctx};
    if (!count) {
        put(&o, "count", NULL, 0);
        put(&o, "count_ps", NULL, 0);
        return;
    }
    double sum = 0, squares = 0, deviations = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
        squares += values[i] * values[i];
    }
    double mean = sum / (double)count;
    for (size_t k = 0; k < options->percentile_count; k++) {
        double p = options->percentiles[k], part = 0, part_squares = 0;
        size_t n = count, from = 0;
        char name[CODEC_DOUBLE_TEXT_MAX + 8];
        if (count > 1) {
            n = (size_t)floor(fabs(p) / 100 * (double)count + 0.5); /* Math.round */
            if (!n)
                continue;
            n = MIN(n, count);
            from = p > 0 ? 0 : count - n;
        }
        for (size_t i = from; i < from + n; i++) {
            part += values[i];
            part_squares += values[i] * values[i];
        }
        threshold_name(p, name, sizeof(name));
        put(&o, "count", name, (double)n);
        put(&o, "mean", name, part / (double)n);
        put(&o, p > 0 ? "upper" : "lower", name, p > 0 ? values[from + n - 1] : values[from]);
        put(&o, "sum", name, part);
        put(&o, "sum_squares", name, part_squares);
    }
    for (size_t i = 0; i < count; i++)
        deviations += (values[i] - mean) * (values[i] - mean);
    size_t mid = count / 2;
    put(&o, "std", NULL, sqrt(deviations / (double)count));
    put(&o, "upper", NULL, values[count - 1]);
    put(&o, "lower", NULL, values[0]);
    put(&o, "count", NULL, weight);
    put(&o, "count_ps", NULL, weight / interval_s);
    put(&o, "sum", NULL, sum);
    put(&o, "sum_squares", NULL, squares);
    put(&o, "mean", NULL, mean);
    put(&o, "median", NULL, count % 2 ? values[mid] : (values[mid - 1] + values[mid]) / 2);
    put_bins(&o, values, count);
}
