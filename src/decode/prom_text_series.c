/* Series texts to label sets, once each. */
#include <math.h>

#include "base/hash.h"
#include "codec/number.h"
#include "codec/utf8.h"
#include "decode/prom_text_priv.h"

struct decode_text_cache *
decode_text_cache_new(void (*drop)(struct decode_text_series *s, void *ctx), void *ctx)
{
    struct decode_text_cache *c = mem_calloc(1, sizeof(*c));
    c->map = map_new();
    c->drop = drop;
    c->ctx = ctx;
    return c;
}

static void drop_series(struct decode_text_cache *c, struct decode_text_series *s)
{
    if (c->drop)
        c->drop(s, c->ctx);
    mem_free(s);
}

void decode_text_cache_free(struct decode_text_cache *c)
{
    if (!c)
        return;
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(c->map, &pos));)
        drop_series(c, e->value.ptr);
    map_free(c->map);
    data_labels_builder_deinit(&c->builder);
    buf_deinit(&c->text);
    mem_free(c);
}

size_t decode_text_cache_count(const struct decode_text_cache *c)
{
    return map_count(c->map);
}

uint64_t decode_text_cache_generation(const struct decode_text_cache *c)
{
    return c->generation;
}

void decode_text_cache_sweep(struct decode_text_cache *c, uint64_t generation)
{
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(c->map, &pos));) {
        struct decode_text_series *s = e->value.ptr;
        if (s->seen >= generation)
            continue;
        map_remove(c->map, e->key);
        drop_series(c, s);
    }
}

struct decode_text_series *decode_text_cache_next(const struct decode_text_cache *c, size_t *pos)
{
    struct map_entry *e = map_next(c->map, pos);
    return e ? e->value.ptr : NULL;
}

/* --- lexing --- */

size_t decode__name_len(struct slice s, bool metric)
{
    size_t n = 0;
    while (n < s.len) {
        char c = s.ptr[n];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                  (metric && c == ':') || (n && c >= '0' && c <= '9');
        if (!ok)
            break;
        n++;
    }
    return n;
}

/* Behind the closing quote of a string that begins at s[0] == '"', or 0. */
static size_t string_end(struct slice s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '"')
            return i + 1;
        else if (s.ptr[i] == '\n')
            return 0;
    }
    return 0;
}

size_t decode__labels_end(struct slice s)
{
    size_t i = 1;
    while (i < s.len) {
        char c = s.ptr[i];
        if (c == '}')
            return i + 1;
        if (c == '\n')
            return 0;
        if (c == '"') {
            size_t n = string_end(slice_from(s, i));
            if (!n)
                return 0;
            i += n;
        } else {
            i++;
        }
    }
    return 0;
}

/* \n, \" and \\ stand for themselves; any other backslash is only a backslash. */
static struct slice unescape(struct slice s, struct buf *text)
{
    if (slice_find_char(s, '\\') < 0)
        return s;
    char *begin = text->ptr + text->len, *at = begin;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\\' && i + 1 < s.len) {
            char d = s.ptr[i + 1];
            if (d == 'n' || d == '"' || d == '\\') {
                *at++ = d == 'n' ? '\n' : d;
                i++;
                continue;
            }
        }
        *at++ = c;
    }
    text->len += (size_t)(at - begin);
    return slice_make(begin, (size_t)(at - begin));
}

static size_t skip_blanks(struct slice s, size_t i, enum decode_text_format format)
{
    while (format == DECODE_TEXT_PLAIN && i < s.len && (s.ptr[i] == ' ' || s.ptr[i] == '\t'))
        i++;
    return i;
}

int decode__labels(enum decode_text_format format, struct slice s, struct data_labels_builder *b,
                   struct buf *text, struct slice *metric, size_t *at, struct diag *diag)
{
    size_t i = skip_blanks(s, 1, format);
    bool first = true;
    for (;;) {
        *at = i;
        /* Text 0.0.4 allows a comma before the closing brace, OpenMetrics does not. */
        if (s.ptr[i] == '}' && (first || format == DECODE_TEXT_PLAIN))
            break;
        struct slice name;
        bool quoted = s.ptr[i] == '"';
        if (quoted) {
            size_t n = string_end(slice_from(s, i));
            name = unescape(slice_make(s.ptr + i + 1, n - 2), text);
            i += n;
        } else {
            name = slice_make(s.ptr + i, decode__name_len(slice_from(s, i), false));
            if (!name.len)
                return diag_set(diag, ERR_INVALID, "a label name is expected, not '%c'", s.ptr[i]);
            i += name.len;
        }
        i = skip_blanks(s, i, format);
        if (quoted && (s.ptr[i] == ',' || s.ptr[i] == '}')) {
            if (!metric || metric->ptr)
                return diag_set(diag, ERR_INVALID,
                                "\"%.*s\" is a second metric name, or a label without a value",
                                SLICE_FMT(name));
            if (!name.len)
                return diag_set(diag, ERR_INVALID, "the metric name is empty");
            *metric = name;
        } else {
            *at = i;
            if (s.ptr[i] != '=')
                return diag_set(diag, ERR_INVALID, "= is expected behind label \"%.*s\", not '%c'",
                                SLICE_FMT(name), s.ptr[i]);
            i = skip_blanks(s, i + 1, format);
            *at = i;
            if (s.ptr[i] != '"')
                return diag_set(diag, ERR_INVALID,
                                "the value of label \"%.*s\" must stand in double quotes",
                                SLICE_FMT(name));
            size_t n = string_end(slice_from(s, i));
            if (!n)
                return diag_set(diag, ERR_INVALID, "the value of label \"%.*s\" does not end",
                                SLICE_FMT(name));
            if (!name.len)
                return diag_set(diag, ERR_INVALID, "a label has an empty name");
            data_labels_builder_add(b, name, unescape(slice_make(s.ptr + i + 1, n - 2), text));
            i += n;
        }
        first = false;
        i = skip_blanks(s, i, format);
        *at = i;
        if (s.ptr[i] == '}')
            break;
        if (s.ptr[i] != ',')
            return diag_set(diag, ERR_INVALID, "a comma or } is expected, not '%c'", s.ptr[i]);
        i = skip_blanks(s, i + 1, format);
    }
    return 0;
}

/* OpenMetrics' float: "1" -> "1.0"; false when it is no number. */
static bool canonical_float(struct slice s, double *v, char *out, size_t *len)
{
    if (!codec_text_to_double(s, v, NULL))
        return false;
    *len = codec_double_to_text(*v, CODEC_DOUBLE_GENERAL, out);
    bool plain = !isnan(*v) && !isinf(*v);
    for (size_t i = 0; i < *len && plain; i++)
        plain = out[i] != '.' && out[i] != 'e';
    if (plain) {
        memcpy(out + *len, ".0", 2);
        *len += 2;
    }
    return true;
}

/* The label that tells the buckets or quantiles of one metric apart. */
static struct slice bound_label(enum data_metric_type type)
{
    switch (type) {
    case DATA_METRIC_HISTOGRAM:
    case DATA_METRIC_GAUGE_HISTOGRAM: return SLICE("le");
    case DATA_METRIC_SUMMARY: return SLICE("quantile");
    default: return (struct slice){NULL, 0};
    }
}

static struct decode_text_series *make_series(struct slice raw, struct data_labels labels,
                                              enum data_metric_type type)
{
    size_t bytes = 0;
    struct slice bound = bound_label(type);
    char number[CODEC_DOUBLE_TEXT_MAX + 4];
    size_t number_len = 0;
    for (size_t i = 0; i < labels.count; i++)
        bytes += labels.items[i].name.len + labels.items[i].value.len;
    struct decode_text_series *s =
        mem_alloc(sizeof(*s) + labels.count * sizeof(struct data_label) + bytes + sizeof(number));
    memset(s, 0, sizeof(*s));
    struct data_label *items = (struct data_label *)(void *)(s + 1);
    char *at = (char *)(items + labels.count);
    uint64_t group = 1469598103934665603u;
    s->bound = NAN;
    for (size_t i = 0; i < labels.count; i++) {
        struct data_label l = labels.items[i];
        bool is_bound = bound.ptr && slice_eq(l.name, bound);
        if (is_bound) {
            s->canonical_inf = slice_eq_cstr(l.value, "+Inf");
            s->has_bound = canonical_float(l.value, &s->bound, number, &number_len);
            if (s->has_bound)
                l.value = slice_make(number, number_len);
        }
        items[i].name = slice_make(at, l.name.len);
        memcpy(at, l.name.ptr, l.name.len);
        at += l.name.len;
        items[i].value = slice_make(at, l.value.len);
        memcpy(at, l.value.ptr, l.value.len);
        at += l.value.len;
        if (slice_eq_cstr(l.name, DATA_METRIC_NAME))
            s->metric = items[i].value;
        else if (!is_bound)
            group = hash64(items[i].value.ptr, items[i].value.len,
                           hash64(items[i].name.ptr, items[i].name.len, group));
    }
    s->raw = raw;
    s->group = group ? group : 1;
    s->labels = (struct data_labels){items, labels.count};
    s->type = type;
    return s;
}

int decode__series(struct decode_text_cache *cache, enum decode_text_format format,
                   struct slice raw, enum data_metric_type type, struct decode_text_series **out,
                   size_t *at, struct diag *diag)
{
    struct map_entry *e = map_get(cache->map, raw);
    if (e) {
        struct decode_text_series *s = e->value.ptr;
        /* Only for some types a label's value depends on the type. */
        if (bound_label(s->type).ptr == bound_label(type).ptr) {
            s->seen = cache->generation;
            *out = s;
            return 0;
        }
    }
    struct data_labels_builder *b = &cache->builder;
    data_labels_builder_reset(b);
    buf_clear(&cache->text);
    buf_reserve(&cache->text, raw.len + 1);
    *at = 0;
    if (!codec_utf8_valid(raw))
        return diag_set(diag, ERR_INVALID, "the series is not valid UTF-8");
    size_t name_len = decode__name_len(raw, true), brace = skip_blanks(raw, name_len, format);
    struct slice metric = {name_len ? raw.ptr : NULL, name_len};
    if (brace < raw.len) {
        int err =
            decode__labels(format, slice_from(raw, brace), b, &cache->text, &metric, at, diag);
        *at += brace;
        if (err)
            return err;
    }
    *at = 0;
    if (!metric.ptr)
        return diag_set(diag, ERR_INVALID, "the series has no metric name");
    data_labels_builder_add(b, SLICE(DATA_METRIC_NAME), metric);
    struct data_labels labels;
    int err = data_labels_builder_finish(b, &labels, diag);
    if (err)
        return err;
    struct decode_text_series *s = make_series(raw, labels, type);
    s->seen = cache->generation;
    if (e) { /* another type now: it is another series */
        drop_series(cache, e->value.ptr);
    } else {
        e = map_put(cache->map, raw, NULL);
    }
    s->raw = e->key;
    e->value.ptr = s;
    *out = s;
    return 0;
}
