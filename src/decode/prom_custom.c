/* Classic histograms of the text formats as native ones with custom buckets: the lines of one
 * histogram are gathered, and one sample comes out when they end. */
#include <math.h>

#include "decode/prom_text_priv.h"

void decode__custom_begin(struct decode__custom *c)
{
    if (!c->arena)
        c->arena = arena_new(0, NULL);
    c->open = c->held = false;
    c->exemplars.len = c->exemplar = 0;
}

void decode__custom_deinit(struct decode__custom *c)
{
    arena_free(c->arena);
    vec_free(&c->bounds);
    vec_free(&c->counts);
    vec_free(&c->exemplars);
    buf_deinit(&c->family);
    buf_deinit(&c->raw);
}

/* The histogram's name when the item is one of its lines, else ptr NULL. */
static struct slice family_of(const struct decode_text_item *item)
{
    static const struct slice suffixes[] = {SLICE_INIT("_bucket"), SLICE_INIT("_sum"),
                                            SLICE_INIT("_count"), SLICE_INIT("_gsum"),
                                            SLICE_INIT("_gcount")};
    enum data_metric_type type =
        item->kind == DECODE_TEXT_SAMPLE ? item->series->type : DATA_METRIC_UNKNOWN;
    if (type != DATA_METRIC_HISTOGRAM && type != DATA_METRIC_GAUGE_HISTOGRAM)
        return (struct slice){NULL, 0};
    struct slice metric = item->series->metric;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (slice_ends_with(metric, suffixes[i]))
            return slice_first(metric, metric.len - suffixes[i].len);
    }
    return (struct slice){NULL, 0};
}

static void begin(struct decode__custom *c, const struct decode_text_item *item,
                  struct slice family)
{
    arena_reset(c->arena);
    buf_clear(&c->family);
    buf_append_slice(&c->family, family);
    c->bounds.len = c->counts.len = c->exemplars.len = c->exemplar = 0;
    c->open = true;
    c->group = item->series->group;
    c->type = item->series->type;
    c->sum = c->count = NAN;
    c->start_ns = 0;
    c->has_ts = item->has_ts;
    c->ts_ns = item->ts_ns;
    /* Its series: the same labels without le, under the family's name. */
    buf_clear(&c->raw);
    buf_append_char(&c->raw, '{');
    decode__put_quoted(family, &c->raw);
    for (size_t i = 0; i < item->series->labels.count; i++) {
        struct data_label l = item->series->labels.items[i];
        if (slice_eq_cstr(l.name, DATA_METRIC_NAME) || slice_eq_cstr(l.name, "le"))
            continue;
        buf_append_char(&c->raw, ',');
        decode__put_quoted(l.name, &c->raw);
        buf_append_char(&c->raw, '=');
        decode__put_quoted(l.value, &c->raw);
    }
    buf_append_char(&c->raw, '}');
}

static void take(struct decode__custom *c, const struct decode_text_item *item)
{
    const struct decode_text_series *s = item->series;
    if (s->has_bound) {
        if (isinf(s->bound) && s->bound > 0) {
            c->count = item->value;
        } else {
            vec_push(&c->bounds, s->bound);
            vec_push(&c->counts, item->value);
        }
    } else if (slice_ends_with(s->metric, SLICE("sum"))) {
        c->sum = item->value;
    } else if (isnan(c->count)) {
        c->count = item->value;
    }
    if (item->has_exemplar) {
        struct decode__custom_exemplar e = {item->exemplar_value, item->exemplar_ts_ns,
                                            item->exemplar_has_ts,
                                            data_labels_copy(c->arena, item->exemplar_labels)};
        vec_push(&c->exemplars, e);
    }
}

static void put_exemplar(const struct decode__custom_exemplar *e, struct decode_text_item *out)
{
    out->has_exemplar = true;
    out->exemplar_value = e->value;
    out->exemplar_has_ts = e->has_ts;
    out->exemplar_ts_ns = e->ts_ns;
    out->exemplar_labels = e->labels;
}

/* The sample of what was gathered. */
static int finish(struct decode__custom *c, struct decode_text_cache *cache,
                  struct decode_text_item *out, struct diag *diag)
{
    bool whole = c->count == floor(c->count);
    double *counts = ARENA_ARRAY(c->arena, double, c->counts.len + 1), last = 0;
    struct diag why;
    size_t at;
    diag_init(&why);
    c->open = false;
    for (size_t i = 0; i < c->counts.len; i++) {
        counts[i] = c->counts.items[i] - last;
        last = c->counts.items[i];
        whole &= last == floor(last);
    }
    counts[c->counts.len] = c->count - last;
    struct data_histogram_span *span = ARENA_NEW(c->arena, struct data_histogram_span);
    struct data_histogram *h = ARENA_NEW(c->arena, struct data_histogram);
    span->length = (uint32_t)c->counts.len + 1;
    *h = (struct data_histogram){.schema = DATA_HISTOGRAM_SCHEMA_CUSTOM,
                                 .reset_hint = c->type == DATA_METRIC_GAUGE_HISTOGRAM
                                                   ? DATA_RESET_GAUGE
                                                   : DATA_RESET_UNKNOWN,
                                 .is_integer = whole,
                                 .count = c->count,
                                 .sum = isnan(c->sum) ? 0 : c->sum,
                                 .positive_spans = span,
                                 .positive_span_count = 1,
                                 .positive = counts,
                                 .positive_count = span->length,
                                 .custom_bounds = c->bounds.items,
                                 .custom_bound_count = (uint32_t)c->bounds.len};
    *out = (struct decode_text_item){.kind = DECODE_TEXT_SAMPLE,
                                     .histogram = h,
                                     .has_ts = c->has_ts,
                                     .ts_ns = c->ts_ns,
                                     .start_ns = c->start_ns};
    int err = data_histogram_check(h, &why);
    if (!err)
        err = decode__series(cache, DECODE_TEXT_PLAIN, buf_slice(&c->raw), DATA_METRIC_UNKNOWN,
                             &out->series, &at, &why);
    if (err)
        return diag_set(diag, ERR_INVALID, "histogram %.*s cannot be one with custom buckets: %s",
                        SLICE_FMT(buf_slice(&c->family)), why.msg);
    out->group = out->series->group;
    c->series = out->series;
    if (c->exemplars.len)
        put_exemplar(&c->exemplars.items[c->exemplar++], out);
    return 1;
}

int decode__custom_next(struct decode__custom *c, bool classic_too,
                        int (*next)(struct decode_text *p, struct decode_text_item *out,
                                    struct diag *diag),
                        struct decode_text *p, struct decode_text_cache *cache,
                        struct decode_text_item *out, struct diag *diag)
{
    for (;;) {
        if (!c->open && c->exemplar < c->exemplars.len) {
            *out = (struct decode_text_item){.kind = DECODE_TEXT_EXEMPLAR, .series = c->series};
            out->group = c->series->group;
            put_exemplar(&c->exemplars.items[c->exemplar++], out);
            return 1;
        }
        int got = 1;
        if (c->held)
            *out = c->item;
        else
            got = next(p, out, diag);
        c->held = false;
        if (got < 0)
            return got;
        struct slice family = got ? family_of(out) : (struct slice){NULL, 0};
        bool goes_on = c->open && family.ptr && out->series->group == c->group &&
                       slice_eq(family, buf_slice(&c->family)) && out->has_ts == c->has_ts &&
                       (!out->has_ts || out->ts_ns == c->ts_ns);
        if (c->open && !goes_on && !(got && out->is_created)) {
            c->held = got == 1;
            c->item = *out;
            return finish(c, cache, out, diag);
        }
        if (c->open && got && out->is_created && fabs(out->value) < 9e9)
            c->start_ns = (int64_t)llround(out->value * 1e3) * NS_PER_MS;
        if (!got || !family.ptr)
            return got;
        if (!c->open)
            begin(c, out, family);
        take(c, out);
        if (classic_too)
            return 1;
    }
}
