/* What OpenMetrics 1.0 demands beyond the single line. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "decode/prom_text_priv.h"

/* --- seen --- */

void decode__seen_clear(struct decode__seen *s)
{
    s->used = 0;
    if (++s->round == 0 && s->marks) {
        memset(s->marks, 0, s->slot_count * sizeof(*s->marks));
        s->round = 1;
    }
}

void decode__seen_deinit(struct decode__seen *s)
{
    mem_free(s->slots);
    mem_free(s->marks);
    *s = (struct decode__seen){0};
}

static bool seen_put(struct decode__seen *s, uint64_t hash)
{
    size_t mask = s->slot_count - 1, i = hash_u64(hash) & mask;
    for (; s->marks[i] == s->round; i = (i + 1) & mask) {
        if (s->slots[i] == hash)
            return false;
    }
    s->slots[i] = hash;
    s->marks[i] = s->round;
    s->used++;
    return true;
}

bool decode__seen_add(struct decode__seen *s, uint64_t hash)
{
    if (!s->round)
        s->round = 1;
    if (s->used * 2 >= s->slot_count) {
        struct decode__seen old = *s;
        s->slot_count = old.slot_count ? old.slot_count * 2 : 64;
        s->slots = mem_alloc(s->slot_count * sizeof(*s->slots));
        s->marks = mem_calloc(s->slot_count, sizeof(*s->marks));
        s->used = 0;
        for (size_t i = 0; i < old.slot_count; i++) {
            if (old.marks[i] == old.round)
                seen_put(s, old.slots[i]);
        }
        mem_free(old.slots);
        mem_free(old.marks);
    }
    return seen_put(s, hash);
}

/* --- families --- */

const char *const *decode__type_suffixes(enum data_metric_type type)
{
    static const char *const counter[] = {"_total", "_created", NULL};
    static const char *const summary[] = {"", "_count", "_sum", "_created", NULL};
    static const char *const histogram[] = {"_count", "_sum", "_bucket", "_created", NULL};
    static const char *const gauge_histogram[] = {"_gcount", "_gsum", "_bucket", NULL};
    static const char *const info[] = {"_info", NULL};
    static const char *const plain[] = {"", NULL};
    switch (type) {
    case DATA_METRIC_COUNTER: return counter;
    case DATA_METRIC_SUMMARY: return summary;
    case DATA_METRIC_HISTOGRAM: return histogram;
    case DATA_METRIC_GAUGE_HISTOGRAM: return gauge_histogram;
    case DATA_METRIC_INFO: return info;
    default: return plain;
    }
}

void decode__checker_begin(struct decode__checker *c)
{
    struct buf name = c->f.name, unit = c->f.unit;
    struct decode__seen groups = c->f.groups;
    buf_clear(&name);
    buf_clear(&unit);
    decode__seen_clear(&groups);
    c->f = (struct decode__family){.name = name, .unit = unit, .groups = groups};
    if (c->names)
        map_free(c->names);
    c->names = map_new();
}

void decode__checker_deinit(struct decode__checker *c)
{
    buf_deinit(&c->f.name);
    buf_deinit(&c->f.unit);
    decode__seen_deinit(&c->f.groups);
    map_free(c->names);
}

#define FAMILY(f) SLICE_FMT(buf_slice(&(f)->name))

static int end_histogram(struct decode__family *f, struct diag *diag)
{
    if (!f->in_histogram)
        return 0;
    f->in_histogram = false;
    if (!f->has_bucket || !(isinf(f->bound) && f->bound > 0))
        return diag_set(diag, ERR_INVALID, "histogram %.*s has no bucket le=\"+Inf\"", FAMILY(f));
    if (f->has_count && f->count != f->bucket_value)
        return diag_set(diag, ERR_INVALID,
                        "histogram %.*s: the count %g differs from the +Inf bucket's %g", FAMILY(f),
                        f->count, f->bucket_value);
    if ((f->has_sum || f->has_gsum) && !f->has_count)
        return diag_set(diag, ERR_INVALID, "histogram %.*s has a sum, but no count", FAMILY(f));
    if (f->has_count && !f->has_sum && !f->has_gsum)
        return diag_set(diag, ERR_INVALID, "histogram %.*s has a count, but no sum", FAMILY(f));
    if (f->negative_buckets && f->has_sum)
        return diag_set(diag, ERR_INVALID,
                        "histogram %.*s has buckets below zero: it must have no _sum", FAMILY(f));
    if (!f->negative_buckets && f->negative_gsum)
        return diag_set(diag, ERR_INVALID,
                        "histogram %.*s has a negative _gsum, but no bucket below zero", FAMILY(f));
    return 0;
}

static int claim_name(struct decode__checker *c, struct slice family, const char *suffix,
                      struct diag *diag)
{
    char name[512];
    size_t len = strlen(suffix);
    if (family.len + len > sizeof(name))
        return diag_set(diag, ERR_INVALID, "the metric name is longer than %zu bytes",
                        sizeof(name) - len);
    memcpy(name, family.ptr, family.len);
    memcpy(name + family.len, suffix, len);
    bool added;
    map_put(c->names, slice_make(name, family.len + len), &added);
    if (!added)
        return diag_set(diag, ERR_INVALID, "the name %.*s%s belongs to an earlier metric already",
                        SLICE_FMT(family), suffix);
    return 0;
}

static int end_family(struct decode__checker *c, struct diag *diag)
{
    struct decode__family *f = &c->f;
    if (!f->any)
        return 0;
    f->any = false;
    int err = end_histogram(f, diag);
    if (err)
        return err;
    struct slice name = buf_slice(&f->name), unit = buf_slice(&f->unit);
    const char *const *suffixes = decode__type_suffixes(f->type);
    bool bare = false;
    for (size_t i = 0; !err && suffixes[i]; i++) {
        err = claim_name(c, name, suffixes[i], diag);
        bare = bare || !suffixes[i][0];
    }
    if (!err && !bare)
        err = claim_name(c, name, "", diag);
    if (err || !unit.len)
        return err;
    if (!slice_ends_with(name, unit) || name.len <= unit.len ||
        name.ptr[name.len - unit.len - 1] != '_')
        return diag_set(diag, ERR_INVALID, "metric %.*s must end in its unit, _%.*s",
                        SLICE_FMT(name), SLICE_FMT(unit));
    if (f->type == DATA_METRIC_INFO || f->type == DATA_METRIC_STATESET)
        return diag_set(diag, ERR_INVALID, "%s %.*s cannot have a unit",
                        data_metric_type_name(f->type), SLICE_FMT(name));
    return 0;
}

static void begin_family(struct decode__checker *c, struct slice name)
{
    struct decode__family *f = &c->f;
    struct buf keep_name = f->name, keep_unit = f->unit;
    struct decode__seen groups = f->groups;
    buf_clear(&keep_name);
    buf_append_slice(&keep_name, name);
    buf_clear(&keep_unit);
    decode__seen_clear(&groups);
    *f = (struct decode__family){
        .name = keep_name, .unit = keep_unit, .groups = groups, .any = true};
}

int decode__checker_metadata(struct decode__checker *c, enum decode_text_kind kind,
                             struct slice family, enum data_metric_type type, struct slice text,
                             struct diag *diag)
{
    struct decode__family *f = &c->f;
    if (f->any && slice_eq(buf_slice(&f->name), family)) {
        if (f->has_samples)
            return diag_set(diag, ERR_INVALID, "metadata of %.*s must stand before its samples",
                            SLICE_FMT(family));
    } else {
        int err = end_family(c, diag);
        if (err)
            return err;
        begin_family(c, family);
    }
    bool *has = kind == DECODE_TEXT_TYPE   ? &f->has_type
                : kind == DECODE_TEXT_HELP ? &f->has_help
                                           : &f->has_unit;
    if (*has)
        return diag_set(diag, ERR_INVALID, "%.*s has a second %s line", SLICE_FMT(family),
                        kind == DECODE_TEXT_TYPE   ? "TYPE"
                        : kind == DECODE_TEXT_HELP ? "HELP"
                                                   : "UNIT");
    *has = true;
    if (kind == DECODE_TEXT_TYPE)
        f->type = type;
    else if (kind == DECODE_TEXT_UNIT)
        buf_append_slice(&f->unit, text);
    return 0;
}

static bool is_allowed(const struct decode__family *f, struct slice metric, const char **suffix)
{
    struct slice name = buf_slice(&f->name);
    if (!slice_starts_with(metric, name))
        return false;
    struct slice rest = slice_from(metric, name.len);
    const char *const *s = decode__type_suffixes(f->type);
    for (size_t i = 0; s[i]; i++) {
        if (slice_eq_cstr(rest, s[i])) {
            *suffix = s[i];
            return true;
        }
    }
    return false;
}

static bool is_whole(double v)
{
    return isinf(v) || floor(v) == v;
}

static int check_histogram(struct decode__family *f, const struct decode_text_item *item,
                           const char *suffix, double ts_sec, struct diag *diag)
{
    const struct decode_text_series *s = item->series;
    if (!f->in_histogram || f->histogram != item->group || f->histogram_has_ts != item->has_ts ||
        (item->has_ts && f->histogram_ts != ts_sec)) {
        int err = end_histogram(f, diag);
        if (err)
            return err;
        f->in_histogram = true;
        f->histogram = item->group;
        f->histogram_has_ts = item->has_ts;
        f->histogram_ts = ts_sec;
        f->has_bucket = f->negative_buckets = f->has_sum = f->has_gsum = f->negative_gsum =
            f->has_count = false;
        f->bucket_value = 0;
    }
    if (strcmp(suffix, "_bucket") == 0) {
        f->negative_buckets = f->negative_buckets || s->bound < 0;
        if (f->has_bucket && s->bound <= f->bound)
            return diag_set(diag, ERR_INVALID, "bucket le=\"%g\" comes behind le=\"%g\"", s->bound,
                            f->bound);
        if (item->value < f->bucket_value)
            return diag_set(diag, ERR_INVALID,
                            "bucket le=\"%g\" holds %g, fewer than the bucket below it (%g)",
                            s->bound, item->value, f->bucket_value);
        f->has_bucket = true;
        f->bound = s->bound;
        f->bucket_value = item->value;
    } else if (strcmp(suffix, "_count") == 0 || strcmp(suffix, "_gcount") == 0) {
        f->has_count = true;
        f->count = item->value;
    } else if (strcmp(suffix, "_sum") == 0) {
        f->has_sum = true;
    } else if (strcmp(suffix, "_gsum") == 0) {
        f->has_gsum = true;
        f->negative_gsum = f->negative_gsum || item->value < 0;
    }
    return 0;
}

static int check_value(const struct decode__family *f, const struct decode_text_item *item,
                       const char *suffix, struct diag *diag)
{
    double v = item->value;
    bool histogram = f->type == DATA_METRIC_HISTOGRAM || f->type == DATA_METRIC_GAUGE_HISTOGRAM;
    const char *type = data_metric_type_name(f->type);
    bool bucket = strcmp(suffix, "_bucket") == 0;
    bool count = strcmp(suffix, "_count") == 0 || strcmp(suffix, "_gcount") == 0;
    if (histogram && bucket) {
        const struct decode_text_series *s = item->series;
        if (!s->has_bound || isnan(s->bound) ||
            (isinf(s->bound) && s->bound > 0 && !s->canonical_inf))
            return diag_set(diag, ERR_INVALID, "a bucket needs a label le with a number or +Inf");
    }
    if ((bucket || count) && !isnan(v) && !is_whole(v))
        return diag_set(diag, ERR_INVALID, "a %s must be a whole number, not %g",
                        bucket ? "bucket" : "count", v);
    if (f->type == DATA_METRIC_SUMMARY && !suffix[0]) {
        double q = item->series->bound;
        if (!item->series->has_bound || !(q >= 0 && q <= 1))
            return diag_set(diag, ERR_INVALID, "a summary needs a label quantile between 0 and 1");
        if (v < 0)
            return diag_set(diag, ERR_INVALID, "a quantile cannot be negative");
    }
    if (f->type == DATA_METRIC_STATESET) {
        if (!data_labels_get(item->series->labels, buf_slice(&f->name)).ptr)
            return diag_set(diag, ERR_INVALID, "a stateset needs a label %.*s", FAMILY(f));
        if (v != 0 && v != 1)
            return diag_set(diag, ERR_INVALID, "a stateset's value is 0 or 1, not %g", v);
    }
    if (f->type == DATA_METRIC_INFO && v != 1)
        return diag_set(diag, ERR_INVALID, "an info's value is 1, not %g", v);
    bool counts = bucket || count || strcmp(suffix, "_total") == 0 || strcmp(suffix, "_sum") == 0;
    if ((counts || strcmp(suffix, "_gsum") == 0) && isnan(v))
        return diag_set(diag, ERR_INVALID, "%s%s cannot be NaN", type, suffix);
    if (counts && v < 0)
        return diag_set(diag, ERR_INVALID, "%s%s cannot be negative", type, suffix);
    if (item->has_exemplar && !(histogram && bucket) && strcmp(suffix, "_total") != 0)
        return diag_set(diag, ERR_INVALID,
                        "only buckets of histograms and totals of counters may have an exemplar");
    return 0;
}

int decode__checker_sample(struct decode__checker *c, const struct decode_text_item *item,
                           double ts_sec, struct diag *diag)
{
    struct decode__family *f = &c->f;
    const struct decode_text_series *s = item->series;
    const char *suffix = "";
    if (!f->any || !is_allowed(f, s->metric, &suffix)) {
        int err = end_family(c, diag);
        if (err)
            return err;
        begin_family(c, s->metric);
        suffix = "";
    }
    f->has_samples = true;
    int err = check_value(f, item, suffix, diag);
    if (err)
        return err;
    /* The series of one info cannot be told from its groups. */
    uint64_t group = f->type == DATA_METRIC_INFO ? 1 : item->group;
    if (f->in_group && f->group == group) {
        if (f->group_has_ts != item->has_ts)
            return diag_set(diag, ERR_INVALID,
                            "samples of one metric have timestamps all or not at all");
        if (item->has_ts && f->group_ts > ts_sec && f->type != DATA_METRIC_INFO)
            return diag_set(diag, ERR_INVALID, "timestamps of one metric must not go back");
    } else if (!decode__seen_add(&f->groups, group)) {
        return diag_set(diag, ERR_INVALID, "samples of one metric must stand together");
    }
    f->in_group = true;
    f->group = group;
    f->group_has_ts = item->has_ts;
    f->group_ts = ts_sec;
    if (f->type == DATA_METRIC_HISTOGRAM || f->type == DATA_METRIC_GAUGE_HISTOGRAM)
        return check_histogram(f, item, suffix, ts_sec, diag);
    return 0;
}

int decode__checker_end(struct decode__checker *c, struct diag *diag)
{
    return end_family(c, diag);
}
