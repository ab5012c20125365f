#include "input/statsd/mapping.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/types.h"
#include "codec/number.h"
#include "input/statsd/identity.h"
#include "text/regex.h"
#include "text/yaml.h"

#define CAPTURES_MAX 64
#define LIST_MAX     1000

enum metric_class { CLASS_ANY, CLASS_COUNTER, CLASS_GAUGE, CLASS_OBSERVER };

struct mapping {
    struct statsd_rule *rule;
    struct slice match;
    struct text_regex *regex; /* NULL: a glob */
    struct slice *segments;   /* of a glob; "*" for any */
    size_t segment_count;
    enum metric_class class;
    struct slice name; /* template */
    struct data_label *labels;
    size_t label_count;
};

struct statsd_mapping {
    struct arena *arena; /* texts of the file and everything read from it */
    struct statsd_rule *unmatched;
    struct mapping *items;
    size_t count;
    bool specific_first; /* glob_disable_ordering */
};

/* --- rules --- */

void statsd__rule_ref(struct statsd_rule *rule)
{
    rule->refs++;
}

void statsd__rule_unref(struct statsd_rule *rule)
{
    if (!rule || --rule->refs)
        return;
    mem_free(rule->quantiles);
    mem_free(rule->buckets);
    mem_free((void *)(uintptr_t)rule->help.ptr);
    mem_free(rule);
}

static double *copy_doubles(const double *from, size_t count)
{
    return count ? mem_dup(from, count * sizeof(*from)) : NULL;
}

static struct statsd_rule *rule_new(const struct statsd_rule *like)
{
    struct statsd_rule *r = mem_calloc(1, sizeof(*r));
    *r = *like;
    r->refs = 1;
    r->quantiles = copy_doubles(like->quantiles, like->quantile_count);
    r->buckets = copy_doubles(like->buckets, like->bucket_count);
    r->help = (struct slice){0};
    return r;
}

/* --- reading --- */

static int read_choice(const struct text_yaml *node, const char *what, const char *const *choices,
                       int *out, struct diag *diag)
{
    struct slice s;
    int err = text_yaml_string(node, &s, diag);
    if (err)
        return err;
    for (int i = 0; choices[i]; i++) {
        if (slice_eq_cstr(s, choices[i])) {
            *out = i;
            return 0;
        }
    }
    struct buf list = {0};
    for (int i = 0; choices[i]; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", choices[i]);
    err = text_yaml_error(node, diag, ERR_INVALID, "%s: \"%.*s\" is none of %s", what, SLICE_FMT(s),
                          buf_cstr(&list));
    buf_deinit(&list);
    return err;
}

static int read_number(const struct text_yaml *node, const char *what, double *out,
                       struct diag *diag)
{
    struct slice s;
    int err = text_yaml_string(node, &s, diag);
    if (!err && (!codec_text_to_double(s, out, NULL) || isnan(*out)))
        err = text_yaml_error(node, diag, ERR_INVALID, "%s: \"%.*s\" is no number", what,
                              SLICE_FMT(s));
    return err;
}

/* A list of numbers, or of maps of which `key` is the number. */
static int read_numbers(const struct text_yaml *node, const char *what, const char *key,
                        double **out, size_t *out_count, struct diag *diag)
{
    if (text_yaml_is_null(node))
        return 0;
    if (node->kind != TEXT_YAML_LIST || node->count > LIST_MAX)
        return text_yaml_error(node, diag, ERR_INVALID, "%s: a list of at most %d is expected",
                               what, LIST_MAX);
    double *numbers = mem_calloc(node->count + 1, sizeof(*numbers));
    for (size_t i = 0; i < node->count; i++) {
        const struct text_yaml *item = node->items[i];
        const struct text_yaml *at = key ? text_yaml_get(item, key) : item;
        int err = at ? read_number(at, what, &numbers[i], diag)
                     : text_yaml_error(item, diag, ERR_INVALID, "%s: %s: is expected", what, key);
        if (err) {
            mem_free(numbers);
            return err;
        }
    }
    mem_free(*out);
    *out = numbers;
    *out_count = node->count;
    return 0;
}

static int read_quantiles(const struct text_yaml *node, struct statsd_rule *r, struct diag *diag)
{
    int err = read_numbers(node, "quantiles", "quantile", &r->quantiles, &r->quantile_count, diag);
    for (size_t i = 0; !err && i < r->quantile_count; i++) {
        if (!(r->quantiles[i] >= 0 && r->quantiles[i] <= 1))
            err = text_yaml_error(node, diag, ERR_INVALID, "quantiles: %g is not between 0 and 1",
                                  r->quantiles[i]);
    }
    return err;
}

static int read_buckets(const struct text_yaml *node, struct statsd_rule *r, struct diag *diag)
{
    int err = read_numbers(node, "buckets", NULL, &r->buckets, &r->bucket_count, diag);
    for (size_t i = 1; !err && i < r->bucket_count; i++) {
        if (!(r->buckets[i] > r->buckets[i - 1]))
            err = text_yaml_error(node, diag, ERR_INVALID, "buckets: %g does not follow on %g",
                                  r->buckets[i], r->buckets[i - 1]);
    }
    if (!err && r->bucket_count && isinf(r->buckets[r->bucket_count - 1]))
        r->bucket_count--; /* +Inf is there anyway */
    return err;
}

static int read_summary(const struct text_yaml *node, struct statsd_rule *r, struct diag *diag)
{
    static const char *const keys[] = {"quantiles", "max_age", "age_buckets", "buf_cap", NULL};
    const struct text_yaml *n;
    int64_t age_buckets;
    int err;
    if (text_yaml_is_null(node))
        return 0;
    if ((err = text_yaml_check_keys(node, "summary_options", keys, diag)) ||
        (err = read_quantiles(text_yaml_get(node, "quantiles"), r, diag)))
        return err;
    if ((n = text_yaml_get(node, "max_age"))) {
        if ((err = text_yaml_duration(n, &r->max_age_ns, diag)))
            return err;
        if (r->max_age_ns < NS_PER_SEC)
            return text_yaml_error(n, diag, ERR_INVALID, "max_age: at least 1s is expected");
    }
    if ((n = text_yaml_get(node, "age_buckets"))) {
        if ((err = text_yaml_int(n, 1, 100, &age_buckets, diag)))
            return err;
        r->age_buckets = (size_t)age_buckets;
    }
    return 0;
}

static int read_histogram(const struct text_yaml *node, struct statsd_rule *r, bool *out_native,
                          struct diag *diag)
{
    static const char *const keys[] = {"buckets", "native_histogram_bucket_factor",
                                       "native_histogram_max_buckets", NULL};
    int err;
    if (text_yaml_is_null(node))
        return 0;
    if ((err = text_yaml_check_keys(node, "histogram_options", keys, diag)))
        return err;
    *out_native = !text_yaml_is_null(text_yaml_get(node, keys[1])) ||
                  !text_yaml_is_null(text_yaml_get(node, keys[2]));
    return read_buckets(text_yaml_get(node, "buckets"), r, diag);
}

/* What defaults and mappings have in common. */
static int read_rule(const struct text_yaml *node, struct statsd_rule *r, int *match_type,
                     struct diag *diag)
{
    static const char *const observers[] = {"summary", "histogram", NULL};
    static const char *const match_types[] = {"glob", "regex", NULL};
    const struct text_yaml *n = text_yaml_get(node, "observer_type");
    int err = 0, observer = -1;
    bool native = false;
    n = n ? n : text_yaml_get(node, "timer_type");
    if (n && (err = read_choice(n, "observer_type", observers, &observer, diag)))
        return err;
    if ((n = text_yaml_get(node, "match_type")) &&
        (err = read_choice(n, "match_type", match_types, match_type, diag)))
        return err;
    if ((n = text_yaml_get(node, "ttl")) && (err = text_yaml_duration(n, &r->ttl_ns, diag)))
        return err;
    if ((err = read_quantiles(text_yaml_get(node, "quantiles"), r, diag)) ||
        (err = read_buckets(text_yaml_get(node, "buckets"), r, diag)) ||
        (err = read_summary(text_yaml_get(node, "summary_options"), r, diag)) ||
        (err = read_histogram(text_yaml_get(node, "histogram_options"), r, &native, diag)))
        return err;
    if (observer == 0)
        r->observer = STATSD_OBSERVER_SUMMARY;
    else if (observer == 1)
        r->observer = native ? STATSD_OBSERVER_NATIVE : STATSD_OBSERVER_HISTOGRAM;
    return 0;
}

static bool is_name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

/* [a-zA-Z_][a-zA-Z0-9_]*, `templates`: with $1 and ${1} in it. */
static bool is_name(struct slice s, bool templates)
{
    for (size_t i = 0; i < s.len; i++) {
        if (templates && s.ptr[i] == '$' && i + 1 < s.len) {
            bool braces = s.ptr[i + 1] == '{';
            size_t at = i + 1 + braces, from = at;
            while (at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9')
                at++;
            if (at == from || (braces && (at == s.len || s.ptr[at] != '}')))
                return false;
            i = braces ? at : at - 1;
        } else if (!is_name_char(s.ptr[i], i == 0)) {
            return false;
        }
    }
    return s.len > 0;
}

static bool is_segment(struct slice s)
{
    if (slice_eq(s, SLICE("*")))
        return true;
    for (size_t i = 0; i < s.len; i++) {
        bool dash = s.ptr[i] == '-' && i > 0 && i + 1 < s.len && s.ptr[i - 1] != '-';
        if (!dash && !is_name_char(s.ptr[i], i == 0))
            return false;
    }
    return s.len > 0;
}

static int read_match(struct statsd_mapping *m, const struct text_yaml *node, bool is_regex,
                      struct mapping *to, struct diag *diag)
{
    struct slice rest, part;
    int err = text_yaml_string(node, &to->match, diag);
    if (err)
        return err;
    to->match = arena_slice(m->arena, to->match);
    if (is_regex) {
        struct diag why;
        diag_init(&why);
        if (text_regex_compile(to->match, 0, &to->regex, &why))
            return text_yaml_error(node, diag, ERR_INVALID, "match: %s", why.msg);
        return 0;
    }
    for (size_t i = 0; i < to->match.len; i++)
        to->segment_count += to->match.ptr[i] == '.';
    to->segments = ARENA_ARRAY(m->arena, struct slice, ++to->segment_count);
    rest = to->match;
    for (size_t i = 0; slice_split(&rest, '.', &part); i++) {
        if (!is_segment(part))
            return text_yaml_error(node, diag, ERR_INVALID,
                                   "match: \"%.*s\" is no glob: names or * between dots are "
                                   "expected, or match_type: regex",
                                   SLICE_FMT(to->match));
        to->segments[i] = part;
    }
    return 0;
}

static int read_labels(struct statsd_mapping *m, const struct text_yaml *node, struct mapping *to,
                       struct diag *diag)
{
    if (text_yaml_is_null(node))
        return 0;
    if (node->kind != TEXT_YAML_MAP)
        return text_yaml_error(node, diag, ERR_INVALID, "labels: a map is expected");
    to->labels = ARENA_ARRAY(m->arena, struct data_label, node->count + 1);
    for (size_t i = 0; i < node->count; i++) {
        struct slice name = node->keys[i]->value, value;
        if (!is_name(name, false) || slice_starts_with(name, SLICE("__")))
            return text_yaml_error(node->keys[i], diag, ERR_INVALID,
                                   "labels: \"%.*s\" is no label name", SLICE_FMT(name));
        int err = text_yaml_string(node->items[i], &value, diag);
        if (err)
            return err;
        to->labels[i] =
            (struct data_label){arena_slice(m->arena, name), arena_slice(m->arena, value)};
        to->label_count++;
    }
    return 0;
}

static int read_mapping(struct statsd_mapping *m, const struct text_yaml *node,
                        const struct statsd_rule *defaults, int match_type, struct mapping *to,
                        struct diag *diag)
{
    static const char *const keys[] = {"match",
                                       "match_type",
                                       "name",
                                       "labels",
                                       "honor_labels",
                                       "timer_type",
                                       "help",
                                       "action",
                                       "match_metric_type",
                                       "observer_type",
                                       "ttl",
                                       "scale",
                                       "buckets",
                                       "quantiles",
                                       "summary_options",
                                       "histogram_options",
                                       NULL};
    static const char *const classes[] = {"", "counter", "gauge", "observer", "timer", NULL};
    static const char *const actions[] = {"map", "drop", NULL};
    const struct text_yaml *n;
    int err = text_yaml_check_keys(node, "a mapping", keys, diag), choice = 0;
    if (err)
        return err;
    struct statsd_rule *r = to->rule = rule_new(defaults);
    if ((err = read_rule(node, r, &match_type, diag)))
        return err;
    if (!(n = text_yaml_get(node, "match")))
        return text_yaml_error(node, diag, ERR_INVALID, "match: is expected");
    if ((err = read_match(m, n, match_type == 1, to, diag)))
        return err;
    if ((n = text_yaml_get(node, "action")) &&
        (err = read_choice(n, "action", actions, &choice, diag)))
        return err;
    r->is_drop = choice == 1;
    if ((n = text_yaml_get(node, "name"))) {
        if ((err = text_yaml_string(n, &to->name, diag)))
            return err;
        if (!is_name(to->name, true))
            return text_yaml_error(n, diag, ERR_INVALID, "name: \"%.*s\" is no metric name",
                                   SLICE_FMT(to->name));
        to->name = arena_slice(m->arena, to->name);
    } else if (!r->is_drop) {
        return text_yaml_error(node, diag, ERR_INVALID, "name: is expected, or action: drop");
    }
    choice = 0;
    if ((n = text_yaml_get(node, "match_metric_type")) &&
        (err = read_choice(n, "match_metric_type", classes, &choice, diag)))
        return err;
    to->class = choice == 4 ? CLASS_OBSERVER : (enum metric_class)choice;
    if ((n = text_yaml_get(node, "honor_labels")) &&
        (err = text_yaml_bool(n, &r->honor_labels, diag)))
        return err;
    if ((n = text_yaml_get(node, "scale")) && (err = read_number(n, "scale", &r->scale, diag)))
        return err;
    if ((n = text_yaml_get(node, "help"))) {
        struct slice help;
        if ((err = text_yaml_string(n, &help, diag)))
            return err;
        r->help = slice_make(mem_dup(help.ptr, help.len), help.len);
    }
    return read_labels(m, text_yaml_get(node, "labels"), to, diag);
}

static int read_file(struct statsd_mapping *m, const struct text_yaml *root, struct diag *diag)
{
    static const char *const top[] = {"defaults", "mappings", NULL};
    static const char *const keys[] = {"observer_type",
                                       "timer_type",
                                       "match_type",
                                       "glob_disable_ordering",
                                       "ttl",
                                       "summary_options",
                                       "histogram_options",
                                       "buckets",
                                       "quantiles",
                                       NULL};
    const struct text_yaml *defaults = text_yaml_get(root, "defaults"), *n, *list;
    int match_type = 0, err;
    if (!root || root->kind != TEXT_YAML_MAP)
        return diag_set(diag, ERR_INVALID, "a map with mappings: is expected");
    if ((err = text_yaml_check_keys(root, "the mapping file", top, diag)))
        return err;
    m->unmatched->observer = STATSD_OBSERVER_SUMMARY;
    if (!text_yaml_is_null(defaults)) {
        if ((err = text_yaml_check_keys(defaults, "defaults", keys, diag)) ||
            (err = read_rule(defaults, m->unmatched, &match_type, diag)))
            return err;
        if ((n = text_yaml_get(defaults, "glob_disable_ordering")) &&
            (err = text_yaml_bool(n, &m->specific_first, diag)))
            return err;
    }
    list = text_yaml_get(root, "mappings");
    if (text_yaml_is_null(list))
        return 0;
    if (list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, diag, ERR_INVALID, "mappings: a list is expected");
    m->items = ARENA_ARRAY(m->arena, struct mapping, list->count + 1);
    for (size_t i = 0; i < list->count; i++) {
        m->count++; /* what was begun is freed */
        if ((err = read_mapping(m, list->items[i], m->unmatched, match_type, &m->items[i], diag)))
            return err;
    }
    return 0;
}

int statsd__mapping_parse(struct slice text, struct statsd_mapping **out, struct diag *diag)
{
    static double quantiles[] = {0.5, 0.9, 0.99};
    static double buckets[] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
    const struct statsd_rule plain = {.scale = 1,
                                      .quantiles = quantiles,
                                      .quantile_count = ARRAY_LEN(quantiles),
                                      .buckets = buckets,
                                      .bucket_count = ARRAY_LEN(buckets),
                                      .max_age_ns = 600 * NS_PER_SEC,
                                      .age_buckets = 5};
    struct statsd_mapping *m = mem_calloc(1, sizeof(*m));
    struct text_yaml *root = NULL;
    int err = 0;
    m->arena = arena_new(0, NULL);
    m->unmatched = rule_new(&plain);
    if (text.len)
        err = text_yaml_parse(text, m->arena, &root, diag);
    if (!err && text.len)
        err = read_file(m, root, diag);
    if (err) {
        statsd__mapping_free(m);
        m = NULL;
    }
    *out = m;
    return err;
}

void statsd__mapping_free(struct statsd_mapping *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->count; i++) {
        text_regex_free(m->items[i].regex);
        statsd__rule_unref(m->items[i].rule);
    }
    statsd__rule_unref(m->unmatched);
    arena_free(m->arena);
    mem_free(m);
}

size_t statsd__mapping_count(const struct statsd_mapping *m)
{
    return m->count;
}

/* --- matching --- */

static bool class_fits(enum metric_class class, enum statsd_kind kind)
{
    switch (class) {
    case CLASS_COUNTER: return kind == STATSD_COUNTER;
    case CLASS_GAUGE: return kind == STATSD_GAUGE || kind == STATSD_SET;
    case CLASS_OBSERVER: return statsd_kind_is_timer(kind);
    default: return true;
    }
}

/* The parts of the name where the glob has stars. */
static bool glob_matches(const struct mapping *it, const struct slice *parts, size_t count,
                         struct slice *captures, size_t *out_count)
{
    size_t n = 0;
    if (it->segment_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        bool star = slice_eq(it->segments[i], SLICE("*"));
        if (star ? !parts[i].len : !slice_eq(it->segments[i], parts[i]))
            return false;
        if (star && n < CAPTURES_MAX)
            captures[n++] = parts[i];
    }
    *out_count = n;
    return true;
}

/* Less general: a name where the other has the first star that differs. */
static bool is_more_specific(const struct mapping *a, const struct mapping *b)
{
    for (size_t i = 0; i < a->segment_count; i++) {
        bool x = slice_eq(a->segments[i], SLICE("*")), y = slice_eq(b->segments[i], SLICE("*"));
        if (x != y)
            return y;
    }
    return false;
}

/* $1 and ${1} of a glob; others are nothing. */
static void expand_glob(struct slice template, const struct slice *captures, size_t count,
                        struct buf *out)
{
    for (size_t i = 0; i < template.len; i++) {
        bool braces = template.ptr[i] == '$' && i + 1 < template.len && template.ptr[i + 1] == '{';
        size_t at = i + 1 + braces, from = at, number = 0;
        while (template.ptr[i] == '$' && at < template.len && template.ptr[at] >= '0' &&
               template.ptr[at] <= '9' && number < CAPTURES_MAX * 10)
            number = number * 10 + (size_t)(template.ptr[at++] - '0');
        if (at == from || (braces && (at == template.len || template.ptr[at] != '}'))) {
            buf_append_char(out, template.ptr[i]);
            continue;
        }
        if (number >= 1 && number <= count)
            buf_append_slice(out, captures[number - 1]);
        i = braces ? at : at - 1;
    }
}

static struct slice expand(const struct mapping *it, struct slice template,
                           const struct slice *captures, size_t count, bool is_name_template,
                           struct arena *arena)
{
    struct buf text = {0}, name = {0};
    if (it->regex)
        text_regex_expand(it->regex, template, captures, count, &text);
    else
        expand_glob(template, captures, count, &text);
    if (is_name_template)
        statsd__escape(buf_slice(&text), &name);
    struct slice out = arena_slice(arena, buf_slice(is_name_template ? &name : &text));
    buf_deinit(&text);
    buf_deinit(&name);
    return out;
}

static void fill(const struct mapping *it, const struct slice *captures, size_t count,
                 struct arena *arena, struct statsd_mapped *out)
{
    struct data_label *labels = ARENA_ARRAY(arena, struct data_label, it->label_count + 1);
    it->rule->matched++;
    out->rule = it->rule;
    out->is_matched = true;
    if (it->rule->is_drop)
        return;
    out->name = expand(it, it->name, captures, count, true, arena);
    for (size_t i = 0; i < it->label_count; i++)
        labels[i] = (struct data_label){
            it->labels[i].name, expand(it, it->labels[i].value, captures, count, false, arena)};
    out->labels = labels;
    out->label_count = it->label_count;
}

void statsd__mapping_match(const struct statsd_mapping *m, struct slice name, enum statsd_kind kind,
                           struct arena *arena, struct statsd_mapped *out)
{
    struct slice captures[CAPTURES_MAX], rest = name, part;
    const struct mapping *best = NULL;
    size_t count = 1, n;
    *out = (struct statsd_mapped){.rule = m->unmatched};
    if (!m->count)
        return;
    for (size_t i = 0; i < name.len; i++)
        count += name.ptr[i] == '.';
    struct slice *parts = ARENA_ARRAY(arena, struct slice, count);
    for (size_t i = 0; slice_split(&rest, '.', &part); i++)
        parts[i] = part;
    for (size_t i = 0; i < m->count && !(best && !m->specific_first); i++) {
        const struct mapping *it = &m->items[i];
        if (!it->regex && class_fits(it->class, kind) &&
            glob_matches(it, parts, count, captures, &n) && (!best || is_more_specific(it, best)))
            best = it;
    }
    if (best) {
        glob_matches(best, parts, count, captures, &n);
        fill(best, captures, n, arena, out);
        return;
    }
    uint64_t overruns = text_regex_overruns();
    for (size_t i = 0; i < m->count && !out->overran; i++) {
        const struct mapping *it = &m->items[i];
        if (it->regex && class_fits(it->class, kind) &&
            text_regex_groups(it->regex, name, captures, CAPTURES_MAX)) {
            fill(it, captures, MIN(text_regex_group_count(it->regex), (size_t)CAPTURES_MAX), arena,
                 out);
            return;
        }
        out->overran = text_regex_overruns() != overruns;
    }
}
