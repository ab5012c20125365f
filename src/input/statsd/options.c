#include "input/statsd/options.h"

#include <math.h>

#include "codec/number.h"
#include "text/glob.h"

/* The histogram of names that hold some text: the first that fits decides. */
struct histogram {
    struct slice part;
    struct statsd_bin *bins;
    size_t bin_count;
};

struct override {
    struct slice match;
    bool has_bins;
    struct statsd_options options;
};

struct statsd_option_set {
    struct override *overrides; /* the last one is for all others */
    size_t override_count;
    struct histogram *histograms; /* the last one has no bins */
    size_t histogram_count;
    struct statsd_options *all; /* override by histogram */
};

/* A list in YAML, or text with commas. */
static int each_item(const struct text_yaml *node, struct arena *arena, struct slice **out,
                     size_t *out_count, struct diag *diag)
{
    size_t max = 1;
    *out_count = 0;
    if (node->kind == TEXT_YAML_LIST) {
        *out = ARENA_ARRAY(arena, struct slice, node->count + 1);
        for (size_t i = 0; i < node->count; i++) {
            if (node->items[i]->kind != TEXT_YAML_SCALAR)
                return text_yaml_error(node->items[i], diag, ERR_INVALID,
                                       "a single value is expected");
            (*out)[(*out_count)++] = arena_slice(arena, node->items[i]->value);
        }
        return 0;
    }
    if (node->kind != TEXT_YAML_SCALAR)
        return text_yaml_error(node, diag, ERR_INVALID, "a list is expected");
    struct slice rest = node->value, item;
    for (size_t i = 0; i < rest.len; i++)
        max += rest.ptr[i] == ',';
    *out = ARENA_ARRAY(arena, struct slice, max);
    while (rest.len && slice_split(&rest, ',', &item)) {
        if (slice_trim(item).len)
            (*out)[(*out_count)++] = arena_slice(arena, slice_trim(item));
    }
    return 0;
}

static int read_percentiles(const struct text_yaml *node, struct arena *arena,
                            struct statsd_options *o, struct diag *diag)
{
    struct slice *items;
    size_t count;
    int err = each_item(node, arena, &items, &count, diag);
    if (err)
        return err;
    o->percentiles = ARENA_ARRAY(arena, double, count + 1);
    o->percentile_count = 0;
    for (size_t i = 0; i < count; i++) {
        double p;
        if (!codec_text_to_double(items[i], &p, NULL) || !(fabs(p) > 0 && fabs(p) <= 100))
            return text_yaml_error(node, diag, ERR_INVALID,
                                   "\"%.*s\" is no percentile: numbers from -100 to 100 without 0 "
                                   "are expected, separated by commas, as in 90, 99.9, -10",
                                   SLICE_FMT(items[i]));
        o->percentiles[o->percentile_count++] = p;
    }
    return 0;
}

/* "bin_0_1": the first point of the number, as JavaScript prints it, becomes '_'. */
static struct slice bin_name(double bound, struct arena *arena)
{
    char text[CODEC_DOUBLE_TEXT_MAX];
    if (isinf(bound))
        return SLICE("bin_inf");
    size_t n = codec_double_to_text(bound, CODEC_DOUBLE_JSON, text);
    char *point = memchr(text, '.', n);
    if (point)
        *point = '_';
    return arena_printf(arena, "bin_%.*s", (int)n, text);
}

static int read_bins(const struct text_yaml *node, struct arena *arena, struct statsd_bin **out,
                     size_t *out_count, struct diag *diag)
{
    struct slice *items;
    size_t count;
    int err = each_item(node, arena, &items, &count, diag);
    if (err)
        return err;
    *out = ARENA_ARRAY(arena, struct statsd_bin, count + 1);
    *out_count = count;
    for (size_t i = 0; i < count; i++) {
        double v = INFINITY;
        if (!slice_eq(items[i], SLICE("inf")) &&
            (!codec_text_to_double(items[i], &v, NULL) || isnan(v)))
            return text_yaml_error(node, diag, ERR_INVALID,
                                   "\"%.*s\" is no upper bound of a bin: numbers are expected, "
                                   "ascending, and inf as the last",
                                   SLICE_FMT(items[i]));
        if (i && !(v > (*out)[i - 1].bound))
            return text_yaml_error(node, diag, ERR_INVALID, "bounds of bins ascend");
        (*out)[i] = (struct statsd_bin){v, bin_name(v, arena)};
    }
    return 0;
}

static int read_metrics(const struct text_yaml *node, struct arena *arena, struct statsd_options *o,
                        struct diag *diag)
{
    static const char *const known[] = {"count",
                                        "mean",
                                        "upper",
                                        "lower",
                                        "sum",
                                        "sum_squares",
                                        "std",
                                        "count_ps",
                                        "median",
                                        "histogram",
                                        "count_percent",
                                        "mean_percent",
                                        "upper_percent",
                                        "lower_percent",
                                        "sum_percent",
                                        "sum_squares_percent",
                                        NULL};
    int err = each_item(node, arena, &o->metrics, &o->metric_count, diag);
    for (size_t i = 0; !err && i < o->metric_count; i++) {
        bool is_known = slice_ends_with(o->metrics[i], SLICE("_percent")); /* "upper_99_percent" */
        for (size_t k = 0; known[k] && !is_known; k++)
            is_known = slice_eq_cstr(o->metrics[i], known[k]);
        if (!is_known)
            err =
                text_yaml_error(node, diag, ERR_INVALID,
                                "\"%.*s\" is no statistic of a timer: count, mean, upper_percent, "
                                "histogram and the like are",
                                SLICE_FMT(o->metrics[i]));
    }
    return err;
}

/* Settings that are text, read as if they stood in a file. */
static int from_text(const char *key, const char *text, struct arena *arena,
                     int (*read)(const struct text_yaml *, struct arena *, struct statsd_options *,
                                 struct diag *),
                     struct statsd_options *o, struct diag *diag)
{
    struct text_yaml node = {.kind = TEXT_YAML_SCALAR, .value = slice_cstr(text)};
    int err = read(&node, arena, o, diag);
    if (err) {
        diag_wrap(diag, "%s", key);
        if (diag)
            diag->line = diag->col = 0;
    }
    return err;
}

static int read_defaults(const struct input_statsd_config *c, struct arena *arena,
                         struct statsd_options *o, struct diag *diag)
{
    const int how[STATSD_KIND_COUNT] = {[STATSD_COUNTER] = c->delete_counters,
                                        [STATSD_GAUGE] = c->delete_gauges,
                                        [STATSD_TIMER] = c->delete_timers,
                                        [STATSD_SET] = c->delete_sets};
    for (int k = 0; k < STATSD_KIND_COUNT; k++)
        o->delete_idle[k] =
            how[k] == INPUT_STATSD_DELETE_AUTO ? c->delete_idle : how[k] == INPUT_STATSD_DELETE_ON;
    o->gauge_flushes = MAX(c->gauges_max_ttl, 1);
    o->expire_ns = c->expire_ns;
    int err = from_text("statsd.percentiles", c->percentiles ? c->percentiles : "", arena,
                        read_percentiles, o, diag);
    return err ? err
               : from_text("statsd.timer_metrics", c->timer_metrics ? c->timer_metrics : "", arena,
                           read_metrics, o, diag);
}

static int read_override(const struct text_yaml *map, struct arena *arena, struct override *o,
                         struct diag *diag)
{
    static const char *const keys[] = {"match",       "percentiles",    "timer_metrics", "bins",
                                       "delete_idle", "gauges_max_ttl", "expire",        NULL};
    const struct text_yaml *n;
    struct diag why;
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, diag, ERR_INVALID,
                               "a map is expected, as in {match: api.*, percentiles: [50, 99]}");
    int err = text_yaml_check_keys(map, "an override", keys, diag);
    if (err)
        return err;
    n = text_yaml_get(map, "match");
    if (!n || n->kind != TEXT_YAML_SCALAR)
        return text_yaml_error(map, diag, ERR_INVALID, "match is missing: a name with * and ?");
    diag_init(&why);
    if (text_glob_check(n->value, &why))
        return text_yaml_error(n, diag, ERR_INVALID, "match: %s", why.msg);
    o->match = arena_slice(arena, n->value);
    if ((n = text_yaml_get(map, "percentiles")))
        err = read_percentiles(n, arena, &o->options, diag);
    if (!err && (n = text_yaml_get(map, "timer_metrics")))
        err = read_metrics(n, arena, &o->options, diag);
    if (!err && (n = text_yaml_get(map, "bins"))) {
        o->has_bins = true;
        err = read_bins(n, arena, &o->options.bins, &o->options.bin_count, diag);
    }
    if (!err && (n = text_yaml_get(map, "delete_idle"))) {
        bool on = false;
        err = text_yaml_bool(n, &on, diag);
        for (int k = 0; k < STATSD_KIND_COUNT; k++)
            o->options.delete_idle[k] = on;
    }
    if (!err && (n = text_yaml_get(map, "gauges_max_ttl")))
        err = text_yaml_int(n, 1, INT32_MAX, &o->options.gauge_flushes, diag);
    if (!err && (n = text_yaml_get(map, "expire")))
        err = text_yaml_duration(n, &o->options.expire_ns, diag);
    return err;
}

static int read_overrides(const struct text_yaml *list, struct arena *arena,
                          const struct statsd_options *defaults, struct statsd_option_set *set,
                          struct diag *diag)
{
    size_t count = text_yaml_is_null(list) ? 0 : list->count;
    if (count && list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, diag, ERR_INVALID, "statsd.overrides is a list");
    set->overrides = ARENA_ARRAY(arena, struct override, count + 1);
    for (size_t i = 0; i <= count; i++) {
        struct override *o = &set->overrides[set->override_count++];
        o->options = *defaults;
        int err = i < count ? read_override(list->items[i], arena, o, diag) : 0;
        if (err) {
            diag_wrap(diag, "statsd.overrides");
            return err;
        }
    }
    return 0;
}

static int read_histograms(const struct text_yaml *list, struct arena *arena,
                           struct statsd_option_set *set, struct diag *diag)
{
    static const char *const keys[] = {"metric", "bins", NULL};
    size_t count = text_yaml_is_null(list) ? 0 : list->count;
    int err = 0;
    if (count && list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, diag, ERR_INVALID,
                               "statsd.histogram is a list of {metric: text, bins: [...]}");
    set->histograms = ARENA_ARRAY(arena, struct histogram, count + 1);
    set->histogram_count = count + 1;
    for (size_t i = 0; i < count && !err; i++) {
        const struct text_yaml *map = list->items[i], *part = text_yaml_get(map, "metric"),
                               *bins = text_yaml_get(map, "bins");
        struct histogram *h = &set->histograms[i];
        if (map->kind != TEXT_YAML_MAP || !part || part->kind != TEXT_YAML_SCALAR || !bins)
            err = text_yaml_error(map, diag, ERR_INVALID,
                                  "{metric: text, bins: [1, 10, inf]} is expected");
        if (!err)
            err = text_yaml_check_keys(map, "a histogram", keys, diag);
        if (!err)
            err = read_bins(bins, arena, &h->bins, &h->bin_count, diag);
        if (!err)
            h->part = arena_slice(arena, part->value);
        if (err)
            diag_wrap(diag, "statsd.histogram");
    }
    return err;
}

int statsd__options_new(const struct input_statsd_config *config, struct arena *arena,
                        struct statsd_option_set **out, struct diag *diag)
{
    struct statsd_option_set *set = ARENA_NEW(arena, struct statsd_option_set);
    struct statsd_options defaults = {0};
    *out = NULL;
    int err = read_defaults(config, arena, &defaults, diag);
    if (!err)
        err = read_overrides(config->overrides, arena, &defaults, set, diag);
    if (!err)
        err = read_histograms(config->histogram, arena, set, diag);
    if (err)
        return err;
    set->all =
        ARENA_ARRAY(arena, struct statsd_options, set->override_count * set->histogram_count);
    for (size_t i = 0; i < set->override_count; i++) {
        for (size_t k = 0; k < set->histogram_count; k++) {
            struct statsd_options *o = &set->all[i * set->histogram_count + k];
            *o = set->overrides[i].options;
            if (!set->overrides[i].has_bins) {
                o->bins = set->histograms[k].bins;
                o->bin_count = set->histograms[k].bin_count;
            }
        }
    }
    *out = set;
    return 0;
}

const struct statsd_options *statsd__options_of(const struct statsd_option_set *set,
                                                struct slice path)
{
    ptrdiff_t tags = slice_find_char(path, ';');
    struct slice name = tags < 0 ? path : slice_first(path, (size_t)tags);
    size_t i = 0, k = 0;
    while (i + 1 < set->override_count && !text_glob_match(set->overrides[i].match, name))
        i++;
    while (k + 1 < set->histogram_count && slice_find(path, set->histograms[k].part) < 0)
        k++;
    return &set->all[i * set->histogram_count + k];
}

/* Its regular expression is /_(top)?\d+$/: of "count_99_9" the end is "_9", so that is filtered as
 * "count_99_percent" there. */
bool statsd__options_want(const struct statsd_options *o, struct slice stat)
{
    if (!o->metric_count)
        return true;
    if (slice_starts_with(stat, SLICE("histogram.")))
        stat = SLICE("histogram");
    struct slice base = stat;
    while (base.len && base.ptr[base.len - 1] >= '0' && base.ptr[base.len - 1] <= '9')
        base.len--;
    bool is_percent = base.len < stat.len;
    if (slice_ends_with(base, SLICE("_top")))
        base.len -= 3;
    is_percent = is_percent && slice_ends_with(base, SLICE("_"));
    for (size_t i = 0; i < o->metric_count; i++) {
        struct slice want = o->metrics[i];
        if (is_percent ? want.len == base.len + 7 && slice_starts_with(want, base) &&
                             slice_ends_with(want, SLICE("percent"))
                       : slice_eq(want, stat))
            return true;
    }
    return false;
}
