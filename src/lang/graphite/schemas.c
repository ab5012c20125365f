/* storage-schemas.conf and storage-aggregation.conf: which steps a path has. Carbon applies them
 * when a metric is created; here they say at which step a series is shown for a window that reaches
 * so far back, so that a change of them holds for old data too: the store keeps every point for as
 * long as retention.metrics says (a compressed point takes a tenth of whisper's twelve bytes, so
 * coarser copies would save little), and coarser archives are made of them when they are read. */
#include <stdlib.h>
#include <string.h>

#include "codec/number.h"
#include "lang/graphite/graphite_priv.h"
#include "text/regex.h"

struct archive {
    int64_t step_s, keep_s;
};

struct schema {
    struct text_regex *pattern;
    VEC(struct archive) archives;
};

struct aggregation {
    struct text_regex *pattern;
    enum graphite_agg agg;
    double xff;
};

struct graphite_schemas {
    _Atomic int refs;
    VEC(struct schema) schemas;
    VEC(struct aggregation) aggregations;
};

struct graphite_schemas *graphite_schemas_ref(struct graphite_schemas *s)
{
    if (s)
        atomic_fetch_add(&s->refs, 1);
    return s;
}

void graphite_schemas_unref(struct graphite_schemas *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    for (size_t i = 0; i < s->schemas.len; i++) {
        text_regex_free(s->schemas.items[i].pattern);
        vec_free(&s->schemas.items[i].archives);
    }
    for (size_t i = 0; i < s->aggregations.len; i++)
        text_regex_free(s->aggregations.items[i].pattern);
    vec_free(&s->schemas);
    vec_free(&s->aggregations);
    mem_free(s);
}

/* "60", "10s", "6h": a number and whether it has a unit. */
static bool amount(struct slice s, int64_t *out, bool *unit)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
        n++;
    if (!n || !codec_text_to_int(slice_first(s, n), out))
        return false;
    *unit = n < s.len;
    if (!*unit)
        return *out > 0;
    struct slice u = slice_from(s, n);
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"seconds", 1},  {"minutes", 60},      {"hours", 3600},
                 {"days", 86400}, {"weeks", 7 * 86400}, {"years", 365 * 86400}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (slice_starts_with(slice_cstr(units[i].name), u)) {
            *out *= units[i].seconds;
            return *out > 0;
        }
    }
    return false;
}

static int retentions(struct slice text, struct schema *out, struct diag *diag)
{
    struct slice part;
    while (slice_split(&text, ',', &part)) {
        struct archive a;
        struct slice both = slice_trim(part), step;
        bool has_unit, ignored;
        if (!slice_split(&both, ':', &step) || !both.ptr ||
            !amount(slice_trim(step), &a.step_s, &ignored) ||
            !amount(slice_trim(both), &a.keep_s, &has_unit))
            return diag_set(diag, ERR_INVALID,
                            "retentions: \"%.*s\" is no step:time, as in 10s:6h or 60:1440",
                            SLICE_FMT(part));
        if (!has_unit)
            a.keep_s *= a.step_s;
        if (out->archives.len) {
            struct archive *b = &out->archives.items[out->archives.len - 1];
            if (a.step_s <= b->step_s || a.step_s % b->step_s || a.keep_s <= b->keep_s)
                return diag_set(diag, ERR_INVALID,
                                "retentions: %.*s: its step must be a multiple of the one before, "
                                "and it must reach further back",
                                SLICE_FMT(part));
        }
        if (out->archives.len == GRAPHITE_ARCHIVES_MAX)
            return diag_set(diag, ERR_INVALID, "retentions: more than %d archives",
                            GRAPHITE_ARCHIVES_MAX);
        vec_push(&out->archives, a);
    }
    return 0;
}

static int key_value(struct graphite_schemas *s, bool aggregation, struct slice key,
                     struct slice value, struct diag *diag)
{
    if (slice_eq(key, SLICE("pattern"))) {
        struct text_regex **to = aggregation
                                     ? &s->aggregations.items[s->aggregations.len - 1].pattern
                                     : &s->schemas.items[s->schemas.len - 1].pattern;
        text_regex_free(*to);
        *to = NULL;
        return text_regex_compile(value, 0, to, diag);
    }
    if (!aggregation && slice_eq(key, SLICE("retentions")))
        return retentions(value, &s->schemas.items[s->schemas.len - 1], diag);
    if (aggregation) {
        struct aggregation *a = &s->aggregations.items[s->aggregations.len - 1];
        if (slice_eq_nocase(key, SLICE("xFilesFactor"))) {
            if (!codec_text_to_double(value, &a->xff, NULL) || !(a->xff >= 0 && a->xff <= 1))
                return diag_set(diag, ERR_INVALID, "xFilesFactor: 0 to 1 is expected, not %.*s",
                                SLICE_FMT(value));
        } else if (slice_eq_nocase(key, SLICE("aggregationMethod"))) {
            if (!graphite_agg_parse(value, &a->agg))
                return diag_set(diag, ERR_INVALID,
                                "aggregationMethod: average, sum, last, max, min, avg_zero, absmax "
                                "or absmin is expected, not %.*s",
                                SLICE_FMT(value));
        }
    }
    return 0;
}

static int parse(struct graphite_schemas *s, struct slice text, bool aggregation, const char *file,
                 struct diag *diag)
{
    struct slice line;
    uint32_t number = 0;
    bool inside = false;
    while (slice_split(&text, '\n', &line)) {
        number++;
        line = slice_trim(line);
        if (!line.len || line.ptr[0] == '#' || line.ptr[0] == ';')
            continue;
        ptrdiff_t eq = slice_find_char(line, '=');
        int err = 0;
        if (line.ptr[0] == '[') {
            inside = true;
            if (aggregation)
                vec_push(&s->aggregations,
                         ((struct aggregation){.agg = GRAPHITE_AVERAGE, .xff = .5}));
            else
                (void)vec_add(&s->schemas);
        } else if (eq < 0 || !inside) {
            err = diag_set(diag, ERR_INVALID, "a [section] or key = value is expected");
        } else {
            err = key_value(s, aggregation, slice_trim(slice_first(line, (size_t)eq)),
                            slice_trim(slice_from(line, (size_t)eq + 1)), diag);
        }
        if (err) {
            if (diag) {
                diag_set_file(diag, file);
                diag->line = number;
            }
            return err;
        }
    }
    return 0;
}

int graphite_schemas_parse(struct slice schemas, const char *schemas_file, struct slice aggregation,
                           const char *aggregation_file, struct graphite_schemas **out,
                           struct diag *diag)
{
    struct graphite_schemas *s = mem_calloc(1, sizeof(*s));
    s->refs = 1;
    int err = parse(s, schemas, false, schemas_file, diag);
    if (!err)
        err = parse(s, aggregation, true, aggregation_file, diag);
    for (size_t i = 0; i < s->schemas.len && !err; i++) {
        if (!s->schemas.items[i].pattern || !s->schemas.items[i].archives.len) {
            err = diag_set(diag, ERR_INVALID, "section %zu needs pattern and retentions", i + 1);
            diag_set_file(diag, schemas_file);
        }
    }
    if (err) {
        graphite_schemas_unref(s);
        s = NULL;
    }
    *out = s;
    return err;
}

bool graphite_schemas_find(const struct graphite_schemas *s, struct slice path, int64_t age_s,
                           struct graphite_rollup *out)
{
    for (size_t i = 0; i < s->schemas.len; i++) {
        const struct schema *c = &s->schemas.items[i];
        if (!text_regex_match(c->pattern, path))
            continue;
        *out = (struct graphite_rollup){.keep_s = c->archives.items[c->archives.len - 1].keep_s,
                                        .agg = GRAPHITE_AVERAGE,
                                        .xff = .5};
        do
            out->step_s[out->count] = c->archives.items[out->count].step_s;
        while (c->archives.items[out->count++].keep_s < age_s && out->count < c->archives.len);
        for (size_t k = 0; k < s->aggregations.len; k++) {
            const struct aggregation *g = &s->aggregations.items[k];
            if (g->pattern && text_regex_match(g->pattern, path)) {
                out->agg = g->agg;
                out->xff = g->xff;
                break;
            }
        }
        return true;
    }
    return false;
}

int64_t graphite_schemas_step_max(const struct graphite_schemas *s)
{
    int64_t most = 0;
    for (size_t i = 0; s && i < s->schemas.len; i++)
        most = MAX(most,
                   s->schemas.items[i].archives.items[s->schemas.items[i].archives.len - 1].step_s);
    return most;
}

int64_t graphite_schemas_keep_max(const struct graphite_schemas *s)
{
    int64_t most = 0;
    for (size_t i = 0; s && i < s->schemas.len; i++)
        most = MAX(most,
                   s->schemas.items[i].archives.items[s->schemas.items[i].archives.len - 1].keep_s);
    return most;
}
