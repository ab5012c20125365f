/* All functions: their names, groups and parameters as graphite-web describes them.
 *
 * A parameter is "name:type", with ! when it is required, * when it may be given several times (the
 * last one), and "=default". Types are those of graphite-web's /functions. */
#include <string.h>

#include "codec/number.h"
#include "lang/graphite/graphite_priv.h"

#define SL     "seriesList:seriesList!"
#define SLS    "seriesLists:seriesList!*"
#define PAIR   "seriesListFirstPos:seriesList! seriesListSecondPos:seriesList!"
#define SL_N   SL " n:float!"
#define SL_NI  SL " n:integer!"
#define HW     "bootstrapInterval:interval=7d seasonality:interval=1d"
#define MOVING SL " windowSize:intOrInterval! xFilesFactor:float"

/* clang-format off */
static const struct graphite__function functions[] = {
#define COMBINE(n, p, h, f, d, a) {n, "Combine", p, h, graphite__fn_##f, d, a}
    COMBINE("aggregate", SL " func:aggFunc! xFilesFactor:float", "Aggregates series with the function named.", aggregate, 0, false),
    COMBINE("aggregateSeriesLists", PAIR " func:aggFunc! xFilesFactor:float", "Aggregates two lists pair by pair.", aggregate_lists, -1, false),
    COMBINE("aggregateWithWildcards", SL " func:aggFunc! position:node*", "Groups by the name without the nodes given, and aggregates each group.", with_wildcards, -1, false),
    COMBINE("applyByNode", SL " nodeNum:node! templateFunction:string! newName:string", "Evaluates a template for each distinct beginning of the names; % stands for it.", apply_by_node, 0, false),
    COMBINE("asPercent", SL " total:any nodes:nodeOrTag*", "Percentages of a total: of all series, a number, a series, or by nodes.", as_percent, 0, true),
    COMBINE("averageSeries", SLS, "Average of all series.", aggregate_all, GRAPHITE_AVERAGE, true),
    COMBINE("averageSeriesWithWildcards", SL " position:node*", "Averages by the name without the nodes given.", with_wildcards, GRAPHITE_AVERAGE, true),
    COMBINE("avg", SLS, "Short for averageSeries.", aggregate_all, GRAPHITE_AVERAGE, true),
    COMBINE("countSeries", "seriesLists:seriesList*", "How many series there are.", count_series, 0, true),
    COMBINE("diffSeries", SLS, "The first series less all others.", aggregate_all, GRAPHITE_DIFF, true),
    COMBINE("diffSeriesLists", PAIR, "Differences of two lists pair by pair.", aggregate_lists, GRAPHITE_DIFF, true),
    COMBINE("divideSeries", "dividendSeriesList:seriesList! divisorSeries:seriesList!", "Each series by one other.", divide_series, 0, false),
    COMBINE("divideSeriesLists", "dividendSeriesList:seriesList! divisorSeriesList:seriesList!", "Two lists pair by pair.", divide_lists, 0, false),
    COMBINE("group", "seriesLists:seriesList*", "Several lists as one.", group, 0, false),
    COMBINE("groupByNode", SL " nodeNum:nodeOrTag! callback:aggOrSeriesFunc=average", "Groups by a node of the name or a tag, and aggregates each group.", group_by_node, 0, false),
    COMBINE("groupByNodes", SL " callback:aggOrSeriesFunc! nodes:nodeOrTag*", "Groups by several nodes or tags.", group_by_nodes, 0, false),
    COMBINE("groupByTags", SL " callback:aggOrSeriesFunc! tags:tag!*", "Groups by tags.", group_by_tags, 0, false),
    COMBINE("map", SL " mapNodes:nodeOrTag!*", "Short for mapSeries.", map_series, 0, false),
    COMBINE("mapSeries", SL " mapNodes:nodeOrTag!*", "Lists of series by nodes, for reduceSeries.", map_series, 0, false),
    COMBINE("maxSeries", SLS, "Largest value at each time.", aggregate_all, GRAPHITE_MAX, true),
    COMBINE("minSeries", SLS, "Smallest value at each time.", aggregate_all, GRAPHITE_MIN, true),
    COMBINE("multiplySeries", SLS, "Product of all series.", aggregate_all, GRAPHITE_MULTIPLY, true),
    COMBINE("multiplySeriesLists", PAIR, "Products of two lists pair by pair.", aggregate_lists, GRAPHITE_MULTIPLY, true),
    COMBINE("multiplySeriesWithWildcards", SL " position:node*", "Multiplies by the name without the nodes given.", with_wildcards, GRAPHITE_MULTIPLY, true),
    COMBINE("pct", SL " total:any nodes:nodeOrTag*", "Short for asPercent.", as_percent, 0, true),
    COMBINE("percentileOfSeries", SL " n:float! interpolate:boolean=false", "A percentile over all series at each time.", percentile_of_series, 0, false),
    COMBINE("powSeries", SLS, "The first to the power of the second, and so on.", pow_series, 0, true),
    COMBINE("rangeOfSeries", SLS, "Largest less smallest value at each time.", aggregate_all, GRAPHITE_RANGE, true),
    COMBINE("reduce", "seriesLists:seriesLists! reduceFunction:string! reduceNode:node! reduceMatchers:string!*", "Short for reduceSeries.", reduce_series, 0, false),
    COMBINE("reduceSeries", "seriesLists:seriesLists! reduceFunction:string! reduceNode:node! reduceMatchers:string!*", "Calls a function with the series of each list whose node matches.", reduce_series, 0, false),
    COMBINE("stddevSeries", SLS, "Standard deviation at each time.", aggregate_all, GRAPHITE_STDDEV, true),
    COMBINE("sum", SLS, "Short for sumSeries.", aggregate_all, GRAPHITE_SUM, true),
    COMBINE("sumSeries", SLS, "Sum of all series.", aggregate_all, GRAPHITE_SUM, true),
    COMBINE("sumSeriesLists", PAIR, "Sums of two lists pair by pair.", aggregate_lists, GRAPHITE_SUM, true),
    COMBINE("sumSeriesWithWildcards", SL " position:node*", "Sums by the name without the nodes given.", with_wildcards, GRAPHITE_SUM, true),
    COMBINE("weightedAverage", "seriesListAvg:seriesList! seriesListWeight:seriesList! nodes:nodeOrTag*", "Average of averages by their weights.", weighted_average, 0, false),

#define TRANSFORM(n, p, h, f, d) {n, "Transform", p, h, graphite__fn_##f, d, false}
    TRANSFORM("absolute", SL, "Absolute values.", pointwise, 0),
    TRANSFORM("add", SL " constant:float!", "Adds a number.", with_number, 1),
    TRANSFORM("compressPeriodicGaps", SL, "Takes out regular gaps by a longer step.", compress_gaps, 0),
    TRANSFORM("delay", SL " steps:integer!", "Shifts by a number of steps.", delay, 0),
    TRANSFORM("derivative", SL, "Difference from point to point.", derivative, 0),
    TRANSFORM("exp", SL, "e to the power of the value.", pointwise, 1),
    TRANSFORM("hitcount", SL " intervalString:interval! alignToInterval:boolean=false", "Hits an interval, of values that are hits a second.", hitcount, 0),
    TRANSFORM("integral", SL, "Running sum.", integral, 0),
    TRANSFORM("integralByInterval", SL " intervalUnit:string!", "Running sum that begins anew each interval.", integral_by_interval, 0),
    TRANSFORM("interpolate", SL " limit:intOrInf=inf", "Fills gaps with straight lines.", fill_gaps, 1),
    TRANSFORM("invert", SL, "1 divided by the value.", pointwise, 2),
    TRANSFORM("isNonNull", SL, "1 where there is a value, else 0.", pointwise, 6),
    TRANSFORM("keepLastValue", SL " limit:intOrInf=inf", "Fills gaps with the last value.", fill_gaps, 0),
    TRANSFORM("log", SL " base:integer=10", "Logarithm.", logarithm, 0),
    TRANSFORM("logit", SL, "log(x / (1 - x)).", pointwise, 4),
    TRANSFORM("minMax", SL, "Scales to 0 to 1.", min_max, 0),
    TRANSFORM("nonNegativeDerivative", SL " maxValue:float minValue:float", "Difference from point to point of a counter that may begin anew.", non_negative, 0),
    TRANSFORM("offset", SL " factor:float!", "Adds a number.", with_number, 2),
    TRANSFORM("offsetToZero", SL, "Subtracts the smallest value.", offset_to_zero, 0),
    TRANSFORM("perSecond", SL " maxValue:float minValue:float", "Rate of a counter a second.", non_negative, 1),
    TRANSFORM("pow", SL " factor:float!", "The value to a power.", with_number, 3),
    TRANSFORM("round", SL " precision:integer", "Rounds to decimal places.", round_values, 0),
    TRANSFORM("scale", SL " factor:float!", "Multiplies by a number.", with_number, 0),
    TRANSFORM("scaleToSeconds", SL " seconds:float!", "Values a step as values per so many seconds.", scale_to_seconds, 0),
    TRANSFORM("sigmoid", SL, "1 / (1 + exp(-x)).", pointwise, 5),
    TRANSFORM("sin", "name:string! amplitude:integer=1 step:integer=60", "Short for sinFunction.", synthetic, 2),
    TRANSFORM("sinFunction", "name:string! amplitude:integer=1 step:integer=60", "The sine of the time.", synthetic, 2),
    TRANSFORM("smartSummarize", SL " intervalString:interval! func:aggFunc=sum alignTo:string", "Buckets from the start, or from the start of a unit of time.", smart_summarize, 0),
    TRANSFORM("squareRoot", SL, "Square root.", pointwise, 3),
    TRANSFORM("summarize", SL " intervalString:interval! func:aggFunc=sum alignToFrom:boolean=false", "Buckets of time.", summarize, 0),
    TRANSFORM("time", "name:string! step:integer=60", "Short for timeFunction.", synthetic, 1),
    TRANSFORM("timeFunction", "name:string! step:integer=60", "The time as its own value.", synthetic, 1),
    TRANSFORM("timeShift", SL " timeShift:interval! resetEnd:boolean=true alignDst:boolean=false", "The series of another time.", time_shift, 0),
    TRANSFORM("timeSlice", SL " startSliceAt:date! endSliceAt:date=now", "Nothing outside of a time.", time_slice, 0),
    TRANSFORM("timeStack", SL " timeShiftUnit:interval=1d timeShiftStart:integer=0 timeShiftEnd:integer=7", "The series of several other times.", time_stack, 0),
    TRANSFORM("transformNull", SL " default:float=0 referenceSeries:seriesList", "Fills gaps with a number.", transform_null, 0),

#define CALCULATE(n, p, h, f, d) {n, "Calculate", p, h, graphite__fn_##f, d, false}
    CALCULATE("aggregateLine", SL " func:aggFunc=average keepStep:boolean=false", "A straight line of an aggregate.", aggregate_line, 0),
    CALCULATE("exponentialMovingAverage", SL " windowSize:intOrInterval!", "Moving average in which what is past fades.", exponential, 0),
    CALCULATE("holtWintersAberration", SL " delta:integer=3 " HW, "How far outside of the forecast's bands.", aberration, 0),
    CALCULATE("holtWintersConfidenceArea", SL " delta:integer=3 " HW, "The area between the bands.", confidence_area, 0),
    CALCULATE("holtWintersConfidenceBands", SL " delta:integer=3 " HW, "Forecast plus and less deviations.", confidence_bands, 0),
    CALCULATE("holtWintersForecast", SL " " HW, "Forecast by the season before.", forecast, 0),
    CALCULATE("identity", "name:string!", "The time as its own value, each minute.", synthetic, 0),
    CALCULATE("linearRegression", SL " startSourceAt:date endSourceAt:date", "Straight line through the values of a time.", linear_regression, 0),
    CALCULATE("movingAverage", MOVING, "Average of a window that moves.", moving, GRAPHITE_AVERAGE),
    CALCULATE("movingMax", MOVING, "Largest value of a window that moves.", moving, GRAPHITE_MAX),
    CALCULATE("movingMedian", MOVING, "Median of a window that moves.", moving, GRAPHITE_MEDIAN),
    CALCULATE("movingMin", MOVING, "Smallest value of a window that moves.", moving, GRAPHITE_MIN),
    CALCULATE("movingSum", MOVING, "Sum of a window that moves.", moving, GRAPHITE_SUM),
    CALCULATE("movingWindow", SL " windowSize:intOrInterval! func:aggFunc=average xFilesFactor:float", "An aggregate of a window that moves.", moving, -1),
    CALCULATE("nPercentile", SL_N, "Straight line of a percentile.", n_percentile, 0),
    CALCULATE("stdev", SL " points:integer! windowTolerance:float=0.1", "Standard deviation of a window that moves.", stdev, 0),

#define FILTER(n, p, h, f, d) {n, "Filter Series", p, h, graphite__fn_##f, d, false}
    FILTER("averageAbove", SL_N, "Series with an average above n.", above_below, GRAPHITE_AVERAGE),
    FILTER("averageBelow", SL_N, "Series with an average of at most n.", above_below, 100 + GRAPHITE_AVERAGE),
    FILTER("averageOutsidePercentile", SL_N, "Series whose average is outside of a range of percentiles.", average_outside, 0),
    FILTER("currentAbove", SL_N, "Series with a last value above n.", above_below, GRAPHITE_LAST),
    FILTER("currentBelow", SL_N, "Series with a last value of at most n.", above_below, 100 + GRAPHITE_LAST),
    FILTER("exclude", SL " pattern:string!", "Series whose name does not match.", grep, 1),
    FILTER("filterSeries", SL " func:aggFunc! operator:string! threshold:float!", "Series whose aggregate compares so.", filter_series, 0),
    FILTER("grep", SL " pattern:string!", "Series whose name matches.", grep, 0),
    FILTER("highest", SL " n:integer=1 func:aggFunc=average", "The n series with the highest aggregate.", extreme, 1),
    FILTER("highestAverage", SL_NI, "The n series with the highest average.", extreme_of, GRAPHITE_AVERAGE),
    FILTER("highestCurrent", SL_NI, "The n series with the highest last value.", extreme_of, GRAPHITE_LAST),
    FILTER("highestMax", SL_NI, "The n series with the highest value.", extreme_of, GRAPHITE_MAX),
    FILTER("limit", SL_NI, "The first n series.", limit, 0),
    FILTER("lowest", SL " n:integer=1 func:aggFunc=average", "The n series with the lowest aggregate.", extreme, 0),
    FILTER("lowestAverage", SL_NI, "The n series with the lowest average.", extreme_of, 100 + GRAPHITE_AVERAGE),
    FILTER("lowestCurrent", SL_NI, "The n series with the lowest last value.", extreme_of, 100 + GRAPHITE_LAST),
    FILTER("maximumAbove", SL_N, "Series with a maximum above n.", above_below, GRAPHITE_MAX),
    FILTER("maximumBelow", SL_N, "Series with a maximum of at most n.", above_below, 100 + GRAPHITE_MAX),
    FILTER("minimumAbove", SL_N, "Series with a minimum above n.", above_below, GRAPHITE_MIN),
    FILTER("minimumBelow", SL_N, "Series with a minimum of at most n.", above_below, 100 + GRAPHITE_MIN),
    FILTER("mostDeviant", SL_NI, "The n series that deviate most from their average.", most_deviant, 0),
    FILTER("removeBetweenPercentile", SL_N, "Series that are ever outside of a range of percentiles.", remove_between, 0),
    FILTER("removeEmptySeries", SL " xFilesFactor:float", "Series that have values.", remove_empty, 0),
    FILTER("unique", SLS, "Each name once.", unique, 0),
    FILTER("useSeriesAbove", SL " value:float! search:string! replace:string!", "Other series for those whose maximum is above.", use_series_above, 0),

#define DATA(n, f, d) {n, "Filter Data", SL_N, "Takes out values beyond n.", graphite__fn_##f, d, false}
    DATA("removeAbovePercentile", remove_percentile, 0),
    DATA("removeAboveValue", with_number, 4),
    DATA("removeBelowPercentile", remove_percentile, 1),
    DATA("removeBelowValue", with_number, 5),

#define SORTING(n, p, h, f, d) {n, "Sorting", p, h, graphite__fn_##f, d, false}
    SORTING("sortBy", SL " func:aggFunc=average reverse:boolean=false", "By an aggregate.", sort_by, 0),
    SORTING("sortByMaxima", SL, "By the largest value, highest first.", sort_down, GRAPHITE_MAX),
    SORTING("sortByMinima", SL, "By the smallest value, lowest first.", sort_by_minima, 0),
    SORTING("sortByName", SL " natural:boolean=false reverse:boolean=false", "By name.", sort_by_name, 0),
    SORTING("sortByTotal", SL, "By the sum, highest first.", sort_down, GRAPHITE_SUM),

#define ALIAS(n, p, h, f, d) {n, "Alias", p, h, graphite__fn_##f, d, false}
    ALIAS("alias", SL " newName:string!", "A name of one's own.", alias, 0),
    ALIAS("aliasByMetric", SL, "The last node of the name.", substr, 1),
    ALIAS("aliasByNode", SL " nodes:nodeOrTag!*", "Nodes of the name, or tags.", alias_by_node, 0),
    ALIAS("aliasByTags", SL " tags:nodeOrTag!*", "Tags, or nodes of the name.", alias_by_node, 0),
    ALIAS("aliasQuery", SL " search:string! replace:string! newName:string!", "The last value of another query.", alias_query, 0),
    ALIAS("aliasSub", SL " search:string! replace:string!", "Replaces a regular expression.", alias_sub, 0),
    ALIAS("legendValue", SL " valuesTypes:string*", "Adds aggregates to the name.", legend_value, 0),
    ALIAS("lower", SL " pos:integer*", "Small letters.", letters, 1),
    ALIAS("upper", SL " pos:integer*", "Capital letters.", letters, 0),

#define GRAPH(n, p, h, f, d) {n, "Graph", p, h, graphite__fn_##f, d, false}
    GRAPH("alpha", SL " alpha:float!", "Transparency of the line.", look, 0),
    GRAPH("areaBetween", SL, "Fills between two series.", area_between, 0),
    GRAPH("color", SL " theColor:string!", "Color of the line.", look, 1),
    GRAPH("dashed", SL " dashLength:integer=5", "Dashes.", look, 2),
    GRAPH("drawAsInfinite", SL, "Vertical lines where the value is not 0.", look, 3),
    GRAPH("lineWidth", SL " width:float!", "Width of the line.", look, 4),
    GRAPH("secondYAxis", SL, "Drawn by the axis at the right.", look, 5),
    GRAPH("stacked", "seriesLists:seriesList! stackName:string=__DEFAULT__", "One upon the other.", stacked, 0),
    GRAPH("threshold", "value:float! label:string color:string", "A straight line with a name and color.", threshold, 0),
    GRAPH("verticalLine", "ts:date! label:string color:string", "A vertical line at a time.", vertical_line, 0),

#define SPECIAL(n, p, h, f, d) {n, "Special", p, h, graphite__fn_##f, d, false}
    SPECIAL("cactiStyle", SL " system:string units:string", "Current, largest and smallest value in the name.", cacti_style, 0),
    SPECIAL("changed", SL, "1 where the value changes, else 0.", changed, 0),
    SPECIAL("consolidateBy", SL " consolidationFunc:string!", "How points become one when there are more than the answer may have.", consolidate_by, 0),
    SPECIAL("constantLine", "value:float!", "A straight line.", constant_line, 0),
    SPECIAL("cumulative", SL, "Points become one by their sum.", consolidate_by, 1),
    SPECIAL("events", "tags:string!*", "How many events there were.", events, 0),
    SPECIAL("fallbackSeries", SL " fallback:seriesList!", "Other series when there are none.", fallback, 0),
    SPECIAL("randomWalk", "name:string! step:integer=60", "Short for randomWalkFunction.", synthetic, 3),
    SPECIAL("randomWalkFunction", "name:string! step:integer=60", "A random walk from 0.", synthetic, 3),
    SPECIAL("seriesByTag", "tagExpressions:string!*", "Series by their tags.", series_by_tag, 0),
    SPECIAL("setXFilesFactor", SL " xFilesFactor:float!", "Which share of values must be there.", set_xff, 0),
    SPECIAL("substr", SL " start:node=0 stop:node=0", "A range of nodes of the name.", substr, 0),
    SPECIAL("xFilesFactor", SL " xFilesFactor:float!", "Short for setXFilesFactor.", set_xff, 0),
};
/* clang-format on */

const struct graphite__function *graphite__function_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (slice_eq_cstr(name, functions[i].name))
            return &functions[i];
    }
    return NULL;
}

bool graphite__param_next(struct slice *rest, struct graphite__param *out)
{
    struct slice word, name;
    memset(out, 0, sizeof(*out));
    if (!rest->len || !slice_split(rest, ' ', &word))
        return false;
    slice_split(&word, ':', &name);
    out->name = name;
    ptrdiff_t eq = slice_find_char(word, '=');
    if (eq >= 0) {
        out->preset = slice_from(word, (size_t)eq + 1);
        word = slice_first(word, (size_t)eq);
    }
    for (; word.len && strchr("!*", word.ptr[word.len - 1]); word.len--) {
        out->multiple |= word.ptr[word.len - 1] == '*';
        out->required |= word.ptr[word.len - 1] == '!';
    }
    out->type = word;
    return true;
}

/* --- /functions --- */

static void put_aggregations(struct codec_json_writer *w, bool functions_too)
{
    static const char *const aliases[] = {"avg", "current", "rangeOf", "total"};
    codec_json_key(w, SLICE("options"));
    codec_json_begin_array(w);
    for (int i = 0; i < GRAPHITE_FIRST; i++)
        codec_json_string(w, slice_cstr(graphite_agg_name((enum graphite_agg)i)));
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
        codec_json_string(w, slice_cstr(aliases[i]));
    for (size_t i = 0; functions_too && i < ARRAY_LEN(functions); i++) {
        if (functions[i].aggregator)
            codec_json_string(w, slice_cstr(functions[i].name));
    }
    codec_json_end_array(w);
}

static void put_texts(struct codec_json_writer *w, const char *key, const char *const *texts,
                      size_t count)
{
    codec_json_key(w, slice_cstr(key));
    codec_json_begin_array(w);
    for (size_t i = 0; i < count; i++)
        codec_json_string(w, slice_cstr(texts[i]));
    codec_json_end_array(w);
}

static void put_param(struct codec_json_writer *w, const struct graphite__param *p)
{
    static const char *const windows[] = {"5",    "7",     "10",    "1min",
                                          "5min", "10min", "30min", "1hour"};
    static const char *const intervals[] = {"10min", "1h", "1d"};
    static const char *const operators[] = {"!=", "<", "<=", "=", ">", ">="};
    static const char *const ways[] = {"average", "avg", "avg_zero", "first",
                                       "last",    "max", "min",      "sum"};
    static const char *const systems[] = {"binary", "si"};
    double d;
    codec_json_begin_object(w);
    codec_json_put_string(w, "name", p->name);
    codec_json_put_string(w, "type", p->type);
    if (p->required)
        codec_json_put_bool(w, "required", true);
    if (p->multiple)
        codec_json_put_bool(w, "multiple", true);
    if (p->preset.ptr) {
        /* An infinity is a text: JSON has no such number, and clients stumbled over Infinity. */
        codec_json_key(w, SLICE("default"));
        if (slice_eq(p->type, SLICE("boolean")))
            codec_json_bool(w, slice_eq(p->preset, SLICE("true")));
        else if (codec_text_to_double(p->preset, &d, NULL) && isfinite(d))
            codec_json_raw(w, p->preset);
        else
            codec_json_string(w, p->preset);
    }
    if (slice_eq(p->type, SLICE("aggFunc")) || slice_eq(p->type, SLICE("aggOrSeriesFunc")))
        put_aggregations(w, slice_eq(p->type, SLICE("aggOrSeriesFunc")));
    else if (slice_eq(p->name, SLICE("operator")))
        put_texts(w, "options", operators, ARRAY_LEN(operators));
    else if (slice_eq(p->name, SLICE("consolidationFunc")))
        put_texts(w, "options", ways, ARRAY_LEN(ways));
    else if (slice_eq(p->name, SLICE("system")))
        put_texts(w, "options", systems, ARRAY_LEN(systems));
    if (slice_eq(p->type, SLICE("intOrInterval")))
        put_texts(w, "suggestions", windows, ARRAY_LEN(windows));
    else if (slice_eq(p->name, SLICE("intervalString")))
        put_texts(w, "suggestions", intervals, ARRAY_LEN(intervals));
    codec_json_end_object(w);
}

static void put_function(struct codec_json_writer *w, const struct graphite__function *f)
{
    struct slice rest = slice_cstr(f->params);
    struct graphite__param p;
    struct buf text = {0};
    codec_json_begin_object(w);
    codec_json_put_string(w, "name", slice_cstr(f->name));
    buf_printf(&text, "%s(", f->name);
    for (bool first = true; graphite__param_next(&rest, &p); first = false) {
        buf_printf(&text, "%s%s%.*s", first ? "" : ", ", p.multiple ? "*" : "", SLICE_FMT(p.name));
        if (p.preset.ptr)
            buf_printf(&text, "=%.*s", SLICE_FMT(p.preset));
    }
    buf_append_char(&text, ')');
    codec_json_put_string(w, "function", buf_slice(&text));
    codec_json_put_string(w, "description", slice_cstr(f->help));
    codec_json_put_string(w, "module", SLICE("graphite.render.functions"));
    codec_json_put_string(w, "group", slice_cstr(f->group));
    codec_json_key(w, SLICE("params"));
    codec_json_begin_array(w);
    rest = slice_cstr(f->params);
    while (graphite__param_next(&rest, &p))
        put_param(w, &p);
    codec_json_end_array(w);
    codec_json_end_object(w);
    buf_deinit(&text);
}

static void put_group(struct codec_json_writer *w, struct slice group)
{
    codec_json_begin_object(w);
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (group.len && !slice_eq_cstr(group, functions[i].group))
            continue;
        codec_json_key(w, slice_cstr(functions[i].name));
        put_function(w, &functions[i]);
    }
    codec_json_end_object(w);
}

void graphite_functions_json(struct codec_json_writer *w, bool grouped, struct slice group)
{
    static const char *const groups[] = {"Combine",       "Transform",   "Calculate",
                                         "Filter Series", "Filter Data", "Sorting",
                                         "Alias",         "Graph",       "Special"};
    if (!grouped) {
        put_group(w, group);
        return;
    }
    codec_json_begin_object(w);
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if (group.len && !slice_eq_cstr(group, groups[i]))
            continue;
        codec_json_key(w, slice_cstr(groups[i]));
        put_group(w, slice_cstr(groups[i]));
    }
    codec_json_end_object(w);
}

bool graphite_function_json(struct codec_json_writer *w, struct slice name)
{
    const struct graphite__function *f = graphite__function_find(name);
    if (f)
        put_function(w, f);
    return f != NULL;
}
