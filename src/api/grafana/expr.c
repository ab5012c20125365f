/* Expressions but for math: what makes numbers of series, series of other steps, and verdicts. */
#include "api/grafana/expr.h"

#include <math.h>
#include <stdlib.h>

#include "api/grafana/grafana_priv.h"
#include "text/duration.h"

bool grafana__is_expr(struct slice uid, struct slice type)
{
    return slice_eq_cstr(uid, "__expr__") || slice_eq_cstr(uid, "-100") ||
           slice_eq_cstr(type, "__expr__");
}

static int no_memory(struct diag *diag)
{
    return diag_set(diag, ERR_NOMEM, "the expression takes more than limits.query.memory");
}

/* "A", "$A" or "${A}". */
static int input_of(const struct grafana_expr_env *env, struct slice name,
                    const struct grafana_answer **out, struct diag *diag)
{
    name = slice_trim(name);
    if (slice_starts_with(name, SLICE("${")) && slice_ends_with(name, SLICE("}")))
        name = slice_make(name.ptr + 2, name.len - 3);
    else if (slice_starts_with(name, SLICE("$")))
        name = slice_from(name, 1);
    if (!name.len)
        return diag_set(diag, ERR_INVALID,
                        "no variable specified to reference: \"expression\" "
                        "names a query, like \"A\"");
    int err = env->input(env->ctx, name, out, diag);
    if (!err && !(*out)->is_numbers)
        err = diag_set(diag, ERR_INVALID,
                       "query %.*s gives no numbers, which an expression computes with",
                       SLICE_FMT(name));
    return err;
}

/* --- reducing --- */

enum reducer {
    SUM,
    MEAN,
    MIN_,
    MAX_,
    COUNT,
    LAST,
    MEDIAN,
    DIFF,
    DIFF_ABS,
    PERCENT_DIFF,
    PERCENT_DIFF_ABS,
    COUNT_NON_NULL,
    REDUCERS
};

static const char *const reducer_names[REDUCERS] = {"sum",
                                                    "mean",
                                                    "min",
                                                    "max",
                                                    "count",
                                                    "last",
                                                    "median",
                                                    "diff",
                                                    "diff_abs",
                                                    "percent_diff",
                                                    "percent_diff_abs",
                                                    "count_non_null"};

static int find_reducer(struct slice name, struct diag *diag)
{
    if (slice_eq_cstr(name, "avg"))
        return MEAN;
    for (int i = 0; i < REDUCERS; i++) {
        if (slice_eq_cstr(name, reducer_names[i]))
            return i;
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
static double reduce_good(enum reducer how, const double *v, size_t count, struct arena *arena)
{
    double sum = 0, min = v[0], max = v[0], first = v[0], last = v[count - 1];
    for (size_t i = 0; i < count; i++) {
        sum += v[i];
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
    }
    switch (how) {
    case SUM: return sum;
    case MEAN: return sum / (double)count;
    case MIN_: return min;
    case MAX_: return max;
    case LAST: return last;
    case MEDIAN: return median_of(v, count, arena);
    case DIFF: return last - first;
    case DIFF_ABS: return fabs(last - first);
    case PERCENT_DIFF: return (last - first) / fabs(first) * 100;
    case PERCENT_DIFF_ABS: return fabs((last - first) / first * 100);
    default: return (double)count;
    }
}

/* What strict mode makes of values among which one is none, or of none at all. */
static double reduce_bad(enum reducer how, const double *v, size_t count)
{
    if (how == COUNT)
        return (double)count;
    if (how == LAST && count)
        return v[count - 1];
    return how == SUM && !count ? 0 : NAN;
}

enum mode { STRICT, DROP, REPLACE };

/* Leaves out or replaces what is no number; false when memory is used up. */
static bool clean(const struct grafana_series *s, enum mode mode, double with, struct arena *arena,
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

static int run_reduce(const struct grafana_expr_env *env, const struct codec_json *query,
                      struct grafana_answer *out, struct diag *diag)
{
    const struct codec_json *settings = codec_json_get(query, "settings");
    const struct codec_json *with = codec_json_get(settings, "replaceWithValue");
    struct slice mode_name = grafana__string(settings, "mode");
    enum mode mode = slice_eq_cstr(mode_name, "dropNN")      ? DROP
                     : slice_eq_cstr(mode_name, "replaceNN") ? REPLACE
                                                             : STRICT;
    const struct grafana_answer *in;
    int how = find_reducer(grafana__string(query, "reducer"), diag);
    if (how < 0)
        return how;
    if (mode == STRICT && mode_name.len && !slice_eq_cstr(mode_name, "strict"))
        return diag_set(diag, ERR_INVALID, "mode is \"\", dropNN or replaceNN, not %.*s",
                        SLICE_FMT(mode_name));
    if (mode == REPLACE && (!with || with->kind != CODEC_JSON_NUMBER))
        return diag_set(diag, ERR_INVALID,
                        "setting replaceWithValue must be specified when mode is replaceNN");
    int err = input_of(env, grafana__string(query, "expression"), &in, diag);
    out->no_data = !err && in->no_data;
    for (size_t i = 0; !err && i < in->count; i++) {
        const struct grafana_series *s = &in->series[i];
        struct grafana_series *r = grafana__add_series(out, env->arena, s->labels, 1, true);
        double *v;
        size_t count;
        bool good;
        if (!r || !clean(s, mode, with ? with->number : 0, env->arena, &v, &count, &good))
            return no_memory(diag);
        r->value[0] = good ? reduce_good((enum reducer)how, v, count, env->arena)
                           : reduce_bad((enum reducer)how, v, count);
        if (mode == DROP && isnan(r->value[0]))
            r->value[0] = grafana__null();
    }
    return err;
}

/* --- resampling --- */

struct resample {
    int64_t every_ns, from_ns, to_ns;
    enum reducer down;
    enum { PAD, BACKFILL, FILL_NA } up;
};

static double value_at(const struct resample *how, const struct grafana_series *s, size_t begin,
                       size_t end, double last, struct arena *arena)
{
    if (begin == end && how->up == FILL_NA)
        return grafana__null();
    if (begin == end)
        return how->up == PAD ? last : end < s->count ? s->value[end] : grafana__null();
    for (size_t i = begin; i < end && how->down != LAST; i++) {
        if (isnan(s->value[i]))
            return NAN;
    }
    return reduce_good(how->down, s->value + begin, end - begin, arena);
}

static int resample_one(const struct resample *how, const struct grafana_series *s,
                        const struct grafana_expr_env *env, struct grafana_answer *out,
                        struct diag *diag)
{
    int64_t steps = (how->to_ns - how->from_ns) / how->every_ns;
    size_t at = 0, begin;
    double last = grafana__null();
    struct grafana_series *r =
        grafana__add_series(out, env->arena, s->labels, (size_t)steps + 1, false);
    if (!r)
        return no_memory(diag);
    for (int64_t i = 0; i <= steps; i++) {
        r->ts_ns[i] = how->from_ns + i * how->every_ns;
        begin = at;
        while (at < s->count && s->ts_ns[at] <= r->ts_ns[i])
            last = s->value[at++];
        r->value[i] = value_at(how, s, begin, at, last, env->arena);
    }
    return 0;
}

static int run_resample(const struct grafana_expr_env *env, const struct codec_json *query,
                        struct grafana_answer *out, struct diag *diag)
{
    struct slice window = grafana__string(query, "window"),
                 up = grafana__string(query, "upsampler");
    struct resample how = {.from_ns = env->from_ns, .to_ns = env->to_ns};
    const struct grafana_answer *in;
    int down = find_reducer(grafana__string(query, "downsampler"), diag);
    if (down < 0)
        return down;
    how.down = (enum reducer)down;
    if (down != SUM && down != MEAN && down != MIN_ && down != MAX_ && down != LAST)
        return diag_set(diag, ERR_INVALID,
                        "downsampler is one of sum, mean, min, max and last, not \"%s\"",
                        reducer_names[down]);
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
    int err = input_of(env, grafana__string(query, "expression"), &in, diag);
    out->no_data = !err && in->no_data;
    if (!err && env->values_max &&
        (how.to_ns - how.from_ns) / how.every_ns + 1 >
            env->values_max / MAX((int64_t)in->count, (int64_t)1))
        return diag_set(diag, ERR_LIMIT,
                        "the expression makes more values than limits.query.samples (%lld) allows",
                        (long long)env->values_max);
    for (size_t i = 0; !err && i < in->count; i++)
        err = !in->series[i].single ? resample_one(&how, &in->series[i], env, out, diag)
                                    : diag_set(diag, ERR_INVALID,
                                               "can only resample series over time, and query "
                                               "%.*s gives single numbers",
                                               SLICE_FMT(in->ref_id));
    return err;
}

/* --- thresholds --- */

struct evaluator {
    struct slice type;
    double params[2];
};

static const struct {
    const char *name;
    size_t params;
} evaluator_kinds[] = {{"gt", 1},
                       {"lt", 1},
                       {"gte", 1},
                       {"lte", 1},
                       {"eq", 1},
                       {"ne", 1},
                       {"within_range", 2},
                       {"outside_range", 2},
                       {"within_range_included", 2},
                       {"outside_range_included", 2},
                       {"no_value", 0}};

static int read_evaluator(const struct codec_json *v, struct evaluator *out, struct diag *diag)
{
    const struct codec_json *params = codec_json_get(v, "params");
    size_t needed = SIZE_MAX;
    *out = (struct evaluator){.type = grafana__string(v, "type")};
    for (size_t i = 0; i < ARRAY_LEN(evaluator_kinds); i++) {
        if (slice_eq_cstr(out->type, evaluator_kinds[i].name))
            needed = evaluator_kinds[i].params;
    }
    if (needed == SIZE_MAX)
        return diag_set(diag, ERR_INVALID,
                        "evaluator type \"%.*s\" is not known; gt, lt, gte, lte, eq, ne, "
                        "within_range, outside_range and no_value are",
                        SLICE_FMT(out->type));
    for (size_t i = 0; i < needed; i++) {
        if (!params || params->kind != CODEC_JSON_ARRAY || params->count <= i ||
            params->items[i].kind != CODEC_JSON_NUMBER)
            return diag_set(diag, ERR_INVALID, "evaluator %.*s needs %zu numbers as params",
                            SLICE_FMT(out->type), needed);
        out->params[i] = params->items[i].number;
    }
    return 0;
}

static bool holds(const struct evaluator *e, double v)
{
    double a = e->params[0], b = e->params[1], low = fmin(a, b), high = fmax(a, b);
    if (slice_eq_cstr(e->type, "gt"))
        return v > a;
    if (slice_eq_cstr(e->type, "lt"))
        return v < a;
    if (slice_eq_cstr(e->type, "gte"))
        return v >= a;
    if (slice_eq_cstr(e->type, "lte"))
        return v <= a;
    if (slice_eq_cstr(e->type, "eq"))
        return v == a;
    if (slice_eq_cstr(e->type, "ne"))
        return v != a;
    if (slice_eq_cstr(e->type, "within_range"))
        return v > low && v < high;
    if (slice_eq_cstr(e->type, "outside_range"))
        return v < low || v > high;
    if (slice_eq_cstr(e->type, "within_range_included"))
        return v >= low && v <= high;
    return slice_eq_cstr(e->type, "outside_range_included") && (v <= low || v >= high);
}

static int run_threshold(const struct grafana_expr_env *env, const struct codec_json *query,
                         struct grafana_answer *out, struct diag *diag)
{
    const struct codec_json *list = codec_json_get(query, "conditions");
    const struct grafana_answer *in;
    struct evaluator e;
    if (!list || list->kind != CODEC_JSON_ARRAY || list->count != 1)
        return diag_set(diag, ERR_INVALID, "threshold expression requires exactly one condition");
    int err = read_evaluator(codec_json_get(&list->items[0], "evaluator"), &e, diag);
    if (!err)
        err = input_of(env, grafana__string(query, "expression"), &in, diag);
    out->no_data = !err && in->no_data;
    for (size_t i = 0; !err && i < in->count; i++) {
        const struct grafana_series *s = &in->series[i];
        struct grafana_series *r =
            grafana__add_series(out, env->arena, s->labels, s->count, s->single);
        if (!r)
            return no_memory(diag);
        for (size_t k = 0; k < s->count; k++) {
            if (!s->single)
                r->ts_ns[k] = s->ts_ns[k];
            r->value[k] = isnan(s->value[k]) ? s->value[k] : holds(&e, s->value[k]);
        }
    }
    return err;
}

/* --- classic conditions --- */

/* Whether the condition is met, and whether there was anything to look at. */
static int run_condition(const struct grafana_expr_env *env, const struct codec_json *v, bool *met,
                         bool *none, struct diag *diag)
{
    const struct codec_json *names = codec_json_get(codec_json_get(v, "query"), "params");
    struct slice ref = names && names->kind == CODEC_JSON_ARRAY && names->count &&
                               names->items[0].kind == CODEC_JSON_STRING
                           ? names->items[0].text
                           : SLICE("");
    const struct grafana_answer *in;
    struct evaluator e;
    int how = find_reducer(grafana__string(codec_json_get(v, "reducer"), "type"), diag);
    int err = how < 0 ? how : read_evaluator(codec_json_get(v, "evaluator"), &e, diag);
    if (!err)
        err = input_of(env, ref, &in, diag);
    *met = false;
    *none = true;
    for (size_t i = 0; !err && i < in->count; i++) {
        double *values;
        size_t count;
        bool good;
        if (!clean(&in->series[i], DROP, 0, env->arena, &values, &count, &good))
            return no_memory(diag);
        *none &= !good;
        if (good)
            *met |= holds(&e, reduce_good((enum reducer)how, values, count, env->arena));
    }
    if (!err && slice_eq_cstr(e.type, "no_value")) {
        *met = *none;
        *none = false;
    }
    return err;
}

static int run_classic(const struct grafana_expr_env *env, const struct codec_json *query,
                       struct grafana_answer *out, struct diag *diag)
{
    const struct codec_json *list = codec_json_get(query, "conditions");
    bool all_met = false, all_none = true;
    if (!list || list->kind != CODEC_JSON_ARRAY || !list->count)
        return diag_set(diag, ERR_INVALID, "classic conditions need a list of conditions");
    for (size_t i = 0; i < list->count; i++) {
        struct slice op = grafana__string(codec_json_get(&list->items[i], "operator"), "type");
        bool met, none, is_or = slice_eq_cstr(op, "or");
        int err = run_condition(env, &list->items[i], &met, &none, diag);
        if (err)
            return err;
        all_met = !i ? met : is_or ? all_met || met : all_met && met;
        all_none = !i ? none : is_or ? all_none || none : all_none && none;
    }
    struct grafana_series *r =
        grafana__add_series(out, env->arena, (struct data_labels){0}, 1, true);
    if (!r)
        return no_memory(diag);
    r->value[0] = all_met ? 1 : all_none ? grafana__null() : 0;
    return 0;
}

int grafana__expr_run(const struct grafana_expr_env *env, const struct codec_json *query,
                      struct grafana_answer *out, struct diag *diag)
{
    static const struct {
        const char *type;
        int (*run)(const struct grafana_expr_env *env, const struct codec_json *query,
                   struct grafana_answer *out, struct diag *diag);
    } kinds[] = {{"reduce", run_reduce},
                 {"resample", run_resample},
                 {"threshold", run_threshold},
                 {"classic_conditions", run_classic}};
    struct slice type = grafana__string(query, "type");
    int err = ERR_NOT_FOUND;
    *out = (struct grafana_answer){.is_numbers = true};
    if (slice_eq_cstr(type, "math"))
        err = grafana__math_run(env, grafana__string(query, "expression"), out, diag);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (slice_eq_cstr(type, kinds[i].type))
            err = kinds[i].run(env, query, out, diag);
    }
    if (err == ERR_NOT_FOUND && diag && !diag->code)
        err = diag_set(diag, ERR_INVALID,
                       "expression type \"%.*s\" is not known here; math, reduce, resample, "
                       "threshold and classic_conditions are",
                       SLICE_FMT(type));
    out->is_instant = true;
    for (size_t i = 0; i < out->count; i++)
        out->is_instant &= out->series[i].single;
    return err;
}
