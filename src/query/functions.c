/* The table of functions. */
#include "query/functions.h"

#include <math.h>

#include "query/calls.h"
#include "query/window.h"

#define S QUERY_TYPE_SCALAR
#define V QUERY_TYPE_VECTOR
#define M QUERY_TYPE_MATRIX
#define T QUERY_TYPE_STRING

static double sgn(double v)
{
    return v < 0 ? -1 : v > 0 ? 1 : v;
}

static double to_rad(double v)
{
    return v * M_PI / 180;
}

static double to_deg(double v)
{
    return v * 180 / M_PI;
}

#define MATH(fn_name, fn)                                                                          \
    {                                                                                              \
        .name = fn_name, .returns = V, .args = {V}, .arg_count = 1, .math = fn                     \
    }
#define WINDOW(fn_name, fn, with)                                                                  \
    {                                                                                              \
        .name = fn_name, .returns = V, .args = {M}, .arg_count = 1, .window = fn, .mixed = with    \
    }
#define COUNTER(fn_name, fn, with)                                                                 \
    {                                                                                              \
        .name = fn_name, .returns = V, .args = {M}, .arg_count = 1, .window = fn, .mixed = with,   \
        .counter = true                                                                            \
    }
#define MATH_OF_HISTOGRAM(fn_name, fn)                                                             \
    {                                                                                              \
        .name = fn_name, .returns = V, .args = {V}, .arg_count = 1, .call = fn                     \
    }
#define DATE(fn_name, fn)                                                                          \
    {                                                                                              \
        .name = fn_name, .returns = V, .args = {V}, .arg_count = 0, .variadic = 1, .call = fn      \
    }

static const struct query_function functions[] = {
    MATH("abs", fabs),
    {.name = "absent", .returns = V, .args = {V}, .arg_count = 1, .call = query__absent},
    {.name = "absent_over_time", .returns = V, .args = {M}, .arg_count = 1, .call = query__absent},
    MATH("acos", acos),
    MATH("acosh", acosh),
    MATH("asin", asin),
    MATH("asinh", asinh),
    MATH("atan", atan),
    MATH("atanh", atanh),
    WINDOW("avg_over_time", query__avg_over, query__avg_over_mixed),
    MATH("ceil", ceil),
    {.name = "changes",
     .returns = V,
     .args = {M},
     .arg_count = 1,
     .window = query__changes,
     .mixed = query__changes_mixed,
     .anchored = true},
    {.name = "clamp", .returns = V, .args = {V, S, S}, .arg_count = 3, .call = query__clamp},
    {.name = "clamp_max", .returns = V, .args = {V, S}, .arg_count = 2, .call = query__clamp_max},
    {.name = "clamp_min", .returns = V, .args = {V, S}, .arg_count = 2, .call = query__clamp_min},
    MATH("cos", cos),
    MATH("cosh", cosh),
    WINDOW("count_over_time", query__count_over, query__count_over_mixed),
    DATE("day_of_month", query__day_of_month),
    DATE("day_of_week", query__day_of_week),
    DATE("day_of_year", query__day_of_year),
    DATE("days_in_month", query__days_in_month),
    MATH("deg", to_deg),
    {.name = "delta",
     .returns = V,
     .args = {M},
     .arg_count = 1,
     .window = query__delta,
     .mixed = query__delta_mixed,
     .anchored = true,
     .smoothed = true},
    WINDOW("deriv", query__deriv, NULL),
    {.name = "double_exponential_smoothing",
     .returns = V,
     .args = {M, S, S},
     .arg_count = 3,
     .window = query__smooth,
     .experimental = true},
    {.name = "end", .returns = S, .arg_count = 0, .call = query__end, .experimental = true},
    MATH("exp", exp),
    {.name = "first_over_time",
     .returns = V,
     .args = {M},
     .arg_count = 1,
     .window = query__first_over,
     .mixed = query__first_over_mixed,
     .keeps_name = true,
     .experimental = true},
    MATH("floor", floor),
    MATH_OF_HISTOGRAM("histogram_avg", query__histogram_avg),
    MATH_OF_HISTOGRAM("histogram_count", query__histogram_count),
    {.name = "histogram_fraction",
     .returns = V,
     .args = {S, S, V},
     .arg_count = 3,
     .call = query__histogram_fraction},
    {.name = "histogram_quantile",
     .returns = V,
     .args = {S, V},
     .arg_count = 2,
     .call = query__histogram_quantile},
    {.name = "histogram_quantiles",
     .returns = V,
     .args = {V, T, S, S},
     .arg_count = 3,
     .variadic = 9,
     .call = query__histogram_quantiles,
     .experimental = true},
    MATH_OF_HISTOGRAM("histogram_stddev", query__histogram_stddev),
    MATH_OF_HISTOGRAM("histogram_stdvar", query__histogram_stdvar),
    MATH_OF_HISTOGRAM("histogram_sum", query__histogram_sum),
    DATE("hour", query__hour),
    WINDOW("idelta", query__idelta, query__idelta_mixed),
    {.name = "increase",
     .returns = V,
     .args = {M},
     .arg_count = 1,
     .window = query__increase,
     .mixed = query__increase_mixed,
     .counter = true,
     .anchored = true,
     .smoothed = true},
    COUNTER("irate", query__irate, query__irate_mixed),
    {.name = "label_join",
     .returns = V,
     .args = {V, T, T, T},
     .arg_count = 3,
     .variadic = -1,
     .call = query__label_join,
     .keeps_name = true},
    {.name = "label_replace",
     .returns = V,
     .args = {V, T, T, T, T},
     .arg_count = 5,
     .call = query__label_replace,
     .keeps_name = true},
    {.name = "last_over_time",
     .returns = V,
     .args = {M},
     .arg_count = 1,
     .window = query__last_over,
     .mixed = query__last_over_mixed,
     .keeps_name = true},
    MATH("ln", log),
    MATH("log10", log10),
    MATH("log2", log2),
    {.name = "mad_over_time",
     .returns = V,
     .args = {M},
     .arg_count = 1,
     .window = query__mad_over,
     .experimental = true},
    {.name = "max_of",
     .returns = S,
     .args = {S, S},
     .arg_count = 2,
     .variadic = -1,
     .call = query__max_of,
     .experimental = true},
    WINDOW("max_over_time", query__max_over, NULL),
    {.name = "min_of",
     .returns = S,
     .args = {S, S},
     .arg_count = 2,
     .variadic = -1,
     .call = query__min_of,
     .experimental = true},
    WINDOW("min_over_time", query__min_over, NULL),
    DATE("minute", query__minute),
    DATE("month", query__month),
    {.name = "pi", .returns = S, .arg_count = 0, .call = query__pi},
    {.name = "predict_linear",
     .returns = V,
     .args = {M, S},
     .arg_count = 2,
     .window = query__predict_linear},
    WINDOW("present_over_time", query__present_over, query__present_over_mixed),
    {.name = "quantile_over_time",
     .returns = V,
     .args = {S, M},
     .arg_count = 2,
     .window = query__quantile_over},
    MATH("rad", to_rad),
    {.name = "range", .returns = S, .arg_count = 0, .call = query__range, .experimental = true},
    {.name = "rate",
     .returns = V,
     .args = {M},
     .arg_count = 1,
     .window = query__rate,
     .mixed = query__rate_mixed,
     .counter = true,
     .anchored = true,
     .smoothed = true},
    {.name = "resets",
     .returns = V,
     .args = {M},
     .arg_count = 1,
     .window = query__resets,
     .mixed = query__resets_mixed,
     .anchored = true},
    {.name = "round",
     .returns = V,
     .args = {V, S},
     .arg_count = 1,
     .variadic = 1,
     .call = query__round},
    {.name = "scalar", .returns = S, .args = {V}, .arg_count = 1, .call = query__scalar},
    MATH("sgn", sgn),
    MATH("sin", sin),
    MATH("sinh", sinh),
    {.name = "sort",
     .returns = V,
     .args = {V},
     .arg_count = 1,
     .call = query__sort,
     .keeps_name = true},
    {.name = "sort_by_label",
     .returns = V,
     .args = {V, T},
     .arg_count = 1,
     .variadic = -1,
     .call = query__sort_by_label,
     .keeps_name = true,
     .experimental = true},
    {.name = "sort_by_label_desc",
     .returns = V,
     .args = {V, T},
     .arg_count = 1,
     .variadic = -1,
     .call = query__sort_by_label_desc,
     .keeps_name = true,
     .experimental = true},
    {.name = "sort_desc",
     .returns = V,
     .args = {V},
     .arg_count = 1,
     .call = query__sort_desc,
     .keeps_name = true},
    MATH("sqrt", sqrt),
    {.name = "start", .returns = S, .arg_count = 0, .call = query__start, .experimental = true},
    WINDOW("stddev_over_time", query__stddev_over, NULL),
    WINDOW("stdvar_over_time", query__stdvar_over, NULL),
    {.name = "step", .returns = S, .arg_count = 0, .call = query__step, .experimental = true},
    WINDOW("sum_over_time", query__sum_over, query__sum_over_mixed),
    MATH("tan", tan),
    MATH("tanh", tanh),
    {.name = "time", .returns = S, .arg_count = 0, .call = query__time},
    {.name = "timestamp", .returns = V, .args = {V}, .arg_count = 1, .call = query__timestamp},
    {.name = "ts_of_first_over_time",
     .returns = V,
     .args = {M},
     .arg_count = 1,
     .window = query__ts_of_first,
     .mixed = query__ts_of_first_mixed,
     .experimental = true},
    {.name = "ts_of_last_over_time",
     .returns = V,
     .args = {M},
     .arg_count = 1,
     .window = query__ts_of_last,
     .mixed = query__ts_of_last_mixed,
     .experimental = true},
    {.name = "ts_of_max_over_time",
     .returns = V,
     .args = {M},
     .arg_count = 1,
     .window = query__ts_of_max,
     .experimental = true},
    {.name = "ts_of_min_over_time",
     .returns = V,
     .args = {M},
     .arg_count = 1,
     .window = query__ts_of_min,
     .experimental = true},
    {.name = "vector", .returns = V, .args = {S}, .arg_count = 1, .call = query__vector},
    DATE("year", query__year),
};

const struct query_function *query_function_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (slice_eq_cstr(name, functions[i].name))
            return &functions[i];
    }
    return NULL;
}

const struct query_function *query_function_at(size_t i)
{
    return i < ARRAY_LEN(functions) ? &functions[i] : NULL;
}
