/* What makes numbers of series, and series of other steps. */
#include <math.h>
#include <stdlib.h>

#include "lang/expr/expr_priv.h"
#include "text/duration.h"

/* --- reducing --- */

int expr__reducer_find(struct slice name, enum expr_reducer *out, struct diag *diag)
{
    static const struct {
        const char *name;
        enum expr_reducer reducer;
    } reducers[] = {{"sum", EXPR_SUM},
                    {"mean", EXPR_MEAN},
                    {"avg", EXPR_MEAN},
                    {"min", EXPR_MIN},
                    {"max", EXPR_MAX},
                    {"count", EXPR_COUNT},
                    {"last", EXPR_LAST},
                    {"median", EXPR_MEDIAN},
                    {"diff", EXPR_DIFF},
                    {"diff_abs", EXPR_DIFF_ABS},
                    {"percent_diff", EXPR_PERCENT_DIFF},
                    {"percent_diff_abs", EXPR_PERCENT_DIFF_ABS},
                    {"count_non_null", EXPR_COUNT_NON_NULL}};
    for (size_t i = 0; i < ARRAY_LEN(reducers); i++) {
        if (!slice_eq_cstr(name, reducers[i].name))
            continue;
        *out = reducers[i].reducer;
        return 0;
    }
    return diag_set(diag, ERR_INVALID,
                    "reduction %.*s not supported; sum, mean, min, max, count, last and median are",
                    SLICE_FMT(name));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(const double *v, size_t count, struct arena *arena)
{
    double *sorted = arena_dup(arena, v, count * sizeof(*v));
    if (!sorted)
        return NAN;
    qsort(sorted, count, sizeof(*sorted), by_value);
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

/* Of values that are all there and no NaN, at least one. */
static double reduce_good(enum expr_reducer how, const double *v, size_t count, struct arena *arena)
{
    double sum = 0, min = v[0], max = v[0], first = v[0], last = v[count - 1];
    for (size_t i = 0; i < count; i++) {
        sum += v[i];
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
    }
    switch (how) {
    case EXPR_SUM: return sum;
    case EXPR_MEAN: return sum / (double)count;
    case EXPR_MIN: return min;
    case EXPR_MAX: return max;
    case EXPR_LAST: return last;
    case EXPR_MEDIAN: return median_of(v, count, arena);
    case EXPR_DIFF: return last - first;
    case EXPR_DIFF_ABS: return fabs(last - first);
    case EXPR_PERCENT_DIFF: return (last - first) / fabs(first) * 100;
    case EXPR_PERCENT_DIFF_ABS: return fabs((last - first) / first * 100);
    default: return (double)count;
    }
}

/* What strict mode makes of values among which one is none, or of none at all. */
static double reduce_bad(enum expr_reducer how, const double *v, size_t count)
{
    if (how == EXPR_COUNT)
        return (double)count;
    if (how == EXPR_LAST && count)
        return v[count - 1];
    return how == EXPR_SUM && !count ? 0 : NAN;
}

enum mode { STRICT, DROP, REPLACE };

/* Leaves out or replaces what is no number; false when memory is used up. */
static bool clean(const struct expr_series *s, enum mode mode, double with, struct arena *arena,
                  double **out, size_t *out_count, bool *out_good)
{
    double *v = ARENA_ARRAY(arena, double, s->count + 1);
    size_t n = 0;
    *out_good = true;
    for (size_t i = 0; v && i < s->count; i++) {
        bool number = isfinite(s->value[i]);
        if (mode == DROP && !number)
            continue;
        v[n++] = number || mode == STRICT ? s->value[i] : with;
        *out_good &= mode != STRICT || !isnan(s->value[i]);
    }
    *out = v;
    *out_count = n;
    *out_good &= n > 0;
    return v != NULL;
}

bool expr__reduce_finite(enum expr_reducer how, const struct expr_series *s, struct arena *arena,
                         double *out, bool *any)
{
    double *values;
    size_t count;
    if (!clean(s, DROP, 0, arena, &values, &count, any))
        return false;
    *out = *any ? reduce_good(how, values, count, arena) : NAN;
    return true;
}

int expr__reduce(const struct expr_env *env, const struct codec_json *query, struct expr_set *out,
                 struct diag *diag)
{
    const struct codec_json *settings = codec_json_get(query, "settings");
    const struct codec_json *with = codec_json_get(settings, "replaceWithValue");
    struct slice mode_name = expr__string(settings, "mode");
    enum mode mode = slice_eq_cstr(mode_name, "dropNN")      ? DROP
                     : slice_eq_cstr(mode_name, "replaceNN") ? REPLACE
                                                             : STRICT;
    const struct expr_set *in;
    enum expr_reducer how;
    int err = expr__reducer_find(expr__string(query, "reducer"), &how, diag);
    if (err)
        return err;
    if (mode == STRICT && mode_name.len && !slice_eq_cstr(mode_name, "strict"))
        return diag_set(diag, ERR_INVALID, "mode is \"\", dropNN or replaceNN, not %.*s",
                        SLICE_FMT(mode_name));
    if (mode == REPLACE && (!with || with->kind != CODEC_JSON_NUMBER))
        return diag_set(diag, ERR_INVALID,
                        "setting replaceWithValue must be specified when mode is replaceNN");
    err = expr__input(env, expr__string(query, "expression"), &in, diag);
    out->no_data = !err && in->no_data;
    for (size_t i = 0; !err && i < in->count; i++) {
        const struct expr_series *s = &in->series[i];
        struct expr_series *r = expr_set_add(out, env->arena, s->labels, 1, true);
        double *v;
        size_t count;
        bool good;
        if (!r || !clean(s, mode, with ? with->number : 0, env->arena, &v, &count, &good))
            return expr__no_memory(diag);
        if (s->single) /* nothing to reduce, whatever the reducer */
            r->value[0] = count ? v[0] : expr_null();
        else if (good)
            r->value[0] = reduce_good(how, v, count, env->arena);
        else
            r->value[0] = reduce_bad(how, v, count);
        if (mode == DROP && isnan(r->value[0]))
            r->value[0] = expr_null();
    }
    return err;
}

/* --- resampling --- */

struct resample {
    int64_t every_ns, from_ns, to_ns;
    enum expr_reducer down;
    enum { PAD, BACKFILL, FILL_NA } up;
};

static double value_at(const struct resample *how, const struct expr_series *s, size_t begin,
                       size_t end, double last, struct arena *arena)
{
    if (begin == end && how->up == FILL_NA)
        return expr_null();
    if (begin == end)
        return how->up == PAD ? last : end < s->count ? s->value[end] : expr_null();
    for (size_t i = begin; i < end && how->down != EXPR_LAST; i++) {
        if (isnan(s->value[i]))
            return NAN;
    }
    return reduce_good(how->down, s->value + begin, end - begin, arena);
}

static int resample_one(const struct resample *how, const struct expr_series *s,
                        const struct expr_env *env, struct expr_set *out, struct diag *diag)
{
    int64_t steps = (how->to_ns - how->from_ns) / how->every_ns;
    size_t at = 0, begin;
    double last = expr_null();
    struct expr_series *r = expr_set_add(out, env->arena, s->labels, (size_t)steps + 1, false);
    if (!r)
        return expr__no_memory(diag);
    for (int64_t i = 0; i <= steps; i++) {
        r->ts_ns[i] = how->from_ns + i * how->every_ns;
        begin = at;
        while (at < s->count && s->ts_ns[at] <= r->ts_ns[i])
            last = s->value[at++];
        r->value[i] = value_at(how, s, begin, at, last, env->arena);
    }
    return 0;
}

int expr__resample(const struct expr_env *env, const struct codec_json *query, struct expr_set *out,
                   struct diag *diag)
{
    struct slice window = expr__string(query, "window"), up = expr__string(query, "upsampler");
    struct resample how = {.from_ns = env->from_ns, .to_ns = env->to_ns};
    const struct expr_set *in;
    struct slice down = expr__string(query, "downsampler"), of = expr__string(query, "expression");
    int err = expr__reducer_find(down, &how.down, diag);
    if (err)
        return err;
    if (how.down != EXPR_SUM && how.down != EXPR_MEAN && how.down != EXPR_MIN &&
        how.down != EXPR_MAX && how.down != EXPR_LAST)
        return diag_set(diag, ERR_INVALID,
                        "downsampler is one of sum, mean, min, max and last, not \"%.*s\"",
                        SLICE_FMT(down));
    if (text_duration_parse(window, &how.every_ns) || how.every_ns <= 0)
        return diag_set(diag, ERR_INVALID, "window is a duration like 10s, not \"%.*s\"",
                        SLICE_FMT(window));
    if (!slice_eq_cstr(up, "pad") && !slice_eq_cstr(up, "backfilling") &&
        !slice_eq_cstr(up, "fillna"))
        return diag_set(diag, ERR_INVALID,
                        "upsampler is one of pad, backfilling and fillna, not \"%.*s\"",
                        SLICE_FMT(up));
    how.up = slice_eq_cstr(up, "pad") ? PAD : slice_eq_cstr(up, "fillna") ? FILL_NA : BACKFILL;
    if (how.to_ns - how.from_ns < how.every_ns)
        return diag_set(diag, ERR_INVALID,
                        "the series cannot be sampled further; the time range is shorter than the "
                        "interval");
    err = expr__input(env, of, &in, diag);
    out->no_data = !err && in->no_data;
    if (!err && env->values_max &&
        (how.to_ns - how.from_ns) / how.every_ns + 1 >
            env->values_max / MAX((int64_t)in->count, (int64_t)1))
        return expr__too_many(env, diag);
    for (size_t i = 0; !err && i < in->count; i++)
        err = !in->series[i].single ? resample_one(&how, &in->series[i], env, out, diag)
                                    : diag_set(diag, ERR_INVALID,
                                               "can only resample series over time, and query "
                                               "%.*s gives single numbers",
                                               SLICE_FMT(expr__ref(of)));
    return err;
}
