/* ExportMetricsServiceRequest: resources, scopes, metrics, numbers, target_info. Histograms and
 * summaries are in metrics_histogram.c. */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/hex.h"
#include "codec/utf8.h"
#include "decode/otlp/metrics_priv.h"

/* Samples of target_info that one resource of a request may get. */
#define TARGET_INFO_MAX 1000
/* What the keys of a request's series may take: enough whatever real ones hold. */
#define KEY_BYTES_MIN    ((size_t)64 << 20)
#define KEY_BYTES_FACTOR 8
/* OpenMetrics: an exemplar's labels together. */
#define EXEMPLAR_RUNES_MAX 128

static const char in_request[] = "ExportMetricsServiceRequest", in_resource[] = "ResourceMetrics",
                  in_scope[] = "ScopeMetrics", in_metric[] = "Metric",
                  in_data[] = "a metric's data", in_point[] = "NumberDataPoint",
                  in_attribute[] = "an attribute";

void decode__otlp_metric_state_free(struct decode__otlp_metric_state *st)
{
    if (!st)
        return;
    vec_free(&st->resource_labels);
    vec_free(&st->base);
    vec_free(&st->attributes);
    vec_free(&st->labels);
    buf_deinit(&st->family);
    map_free(st->described);
    vec_free(&st->exemplars);
    vec_free(&st->exemplar_labels);
    for (int i = 0; i < 2; i++) {
        vec_free(&st->counts[i]);
        vec_free(&st->spans[i]);
        vec_free(&st->buckets[i]);
    }
    vec_free(&st->bounds);
    vec_free(&st->bound_series);
    mem_free(st);
}

/* --- resource and scope --- */

static int take_attribute(struct decode__otlp_metrics *m, const struct codec_pb_field *f,
                          decode__otlp_attributes *to)
{
    struct decode__otlp_attribute a;
    if (f->wire != CODEC_PB_BYTES || decode__otlp_read_attribute(f->bytes, &a))
        return decode__otlp_damaged_at(&m->w, f->bytes, in_attribute);
    vec_push(to, a);
    return 0;
}

int decode__otlp_take_attribute(struct decode__otlp_metrics *m, const struct codec_pb_field *f)
{
    return take_attribute(m, f, &m->w.scratch->point);
}

static const struct decode__otlp_value *find_attribute(const decode__otlp_attributes *l,
                                                       const char *key)
{
    for (size_t i = 0; i < l->len; i++) {
        if (slice_eq_cstr(l->items[i].key, key))
            return &l->items[i].value;
    }
    return NULL;
}

/* Adds to a sorted list; a weak label never replaces one, a strong one always does. */
#define SET_BASE(list, name_, value_, weak_)                                                       \
    do {                                                                                           \
        size_t at_ = 0;                                                                            \
        int c_ = 1;                                                                                \
        while (at_ < (list)->len && (c_ = slice_cmp((list)->items[at_].label.name, (name_))) < 0)  \
            at_++;                                                                                 \
        bool have_ = at_ < (list)->len && c_ == 0;                                                 \
        struct decode__otlp_base_label new_ = {{(name_), (value_)}, (weak_)};                      \
        if (have_ && !(weak_)) {                                                                   \
            (list)->items[at_] = new_;                                                             \
        } else if (!have_) {                                                                       \
            vec_push((list), new_);                                                                \
            memmove(&(list)->items[at_ + 1], &(list)->items[at_],                                  \
                    ((list)->len - 1 - at_) * sizeof(new_));                                       \
            (list)->items[at_] = new_;                                                             \
        }                                                                                          \
    } while (0)

static bool has_key(const struct slice *keys, size_t count, struct slice key)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(keys[i], key))
            return true;
    }
    return false;
}

static bool is_promoted(const struct decode_otlp_translation *t, struct slice key)
{
    return t->promote_all_resource_attributes ? !has_key(t->ignore, t->ignore_count, key)
                                              : has_key(t->promote, t->promote_count, key);
}

/* What every point of the resource gets. Attributes that make no label are left out here: they are
 * not the point's fault. */
static void resource_labels(struct decode__otlp_metrics *m)
{
    struct decode__otlp_metric_state *st = m->st;
    const decode__otlp_attributes *l = &m->w.scratch->resource;
    const struct decode_otlp_translation *t = m->translation;
    struct slice name, value, space;
    vec_clear(&st->resource_labels);
    for (size_t i = 0; i < l->len && st->resource_labels.len < DECODE_OTLP_LABELS &&
                       (t->promote_all_resource_attributes || t->promote_count);
         i++) {
        if (is_promoted(t, l->items[i].key) && decode__otlp_label_name(m, l->items[i].key, &name) &&
            !decode__otlp_text(&m->w, &l->items[i].value, &value) && value.len)
            SET_BASE(&st->resource_labels, name, value, true);
    }
    const struct decode__otlp_value *v = find_attribute(l, "service.name");
    if (v && !decode__otlp_text(&m->w, v, &value)) {
        const struct decode__otlp_value *ns = find_attribute(l, "service.namespace");
        if (ns && !decode__otlp_text(&m->w, ns, &space))
            value =
                arena_printf(m->w.scratch->arena, "%.*s/%.*s", SLICE_FMT(space), SLICE_FMT(value));
        SET_BASE(&st->resource_labels, SLICE("job"), value, false);
    }
    v = find_attribute(l, "service.instance.id");
    if (v && !decode__otlp_text(&m->w, v, &value))
        SET_BASE(&st->resource_labels, SLICE("instance"), value, false);
}

static void scope_labels(struct decode__otlp_metrics *m, struct slice name, struct slice version,
                         struct slice schema_url)
{
    struct decode__otlp_metric_state *st = m->st;
    const decode__otlp_attributes *l = &m->w.scratch->scope;
    vec_clear(&st->base);
    if (m->translation->promote_scope_metadata && name.len) {
        for (size_t i = 0; i < l->len && st->base.len < DECODE_OTLP_LABELS; i++) {
            struct slice label, value,
                key = arena_printf(m->w.scratch->arena, "otel_scope_%.*s",
                                   SLICE_FMT(l->items[i].key));
            if (decode__otlp_label_name(m, key, &label) &&
                !decode__otlp_text(&m->w, &l->items[i].value, &value))
                SET_BASE(&st->base, label, value, false);
        }
        SET_BASE(&st->base, SLICE("otel_scope_name"), decode__otlp_utf8(&m->w, name), false);
        SET_BASE(&st->base, SLICE("otel_scope_version"), decode__otlp_utf8(&m->w, version), false);
        SET_BASE(&st->base, SLICE("otel_scope_schema_url"), decode__otlp_utf8(&m->w, schema_url),
                 false);
    }
    /* Promoted attributes give way to the scope's, job and instance to nothing. */
    for (size_t i = 0; i < st->resource_labels.len; i++) {
        struct decode__otlp_base_label b = st->resource_labels.items[i];
        SET_BASE(&st->base, b.label.name, b.label.value, b.weak);
    }
}

static void describe(struct decode__otlp_metrics *m, enum data_metric_type type, struct slice unit,
                     struct slice help)
{
    struct buf *text = &m->w.scratch->text;
    bool added;
    if (!m->st->described)
        m->st->described = map_new();
    map_put(m->st->described, buf_slice(&m->st->family), &added);
    if (!added)
        return;
    buf_clear(text);
    decode_otlp_unit_name(m->translation, decode__otlp_utf8(&m->w, unit), text);
    data_metric_batch_add_metadata(m->batch, buf_slice(&m->st->family), type, buf_slice(text),
                                   decode__otlp_utf8(&m->w, help));
}

static bool is_identifying(struct slice key)
{
    return slice_eq_cstr(key, "service.name") || slice_eq_cstr(key, "service.namespace") ||
           slice_eq_cstr(key, "service.instance.id");
}

/* The resource's attributes as an info series, as long as its points last. */
static void target_info(struct decode__otlp_metrics *m)
{
    struct decode__otlp_metric_state *st = m->st;
    decode__otlp_attributes *resource = &m->w.scratch->resource, *point = &m->w.scratch->point;
    bool keep = m->translation->keep_identifying_resource_attributes, describing = false;
    if (m->time_max_ns == INT64_MIN)
        return;
    vec_clear(point);
    for (size_t i = 0; i < resource->len; i++) {
        bool identifying = is_identifying(resource->items[i].key);
        struct slice name;
        describing |= !identifying;
        /* One that makes no label is left out, not the whole series. */
        if ((keep || !identifying) && decode__otlp_label_name(m, resource->items[i].key, &name))
            vec_push(point, resource->items[i]);
    }
    bool has_identity = false;
    vec_clear(&st->base);
    for (size_t i = 0; i < st->resource_labels.len; i++) {
        struct decode__otlp_base_label b = st->resource_labels.items[i];
        if (!b.weak) {
            vec_push(&st->base, b);
            has_identity |= b.label.value.len != 0;
        }
    }
    buf_clear(&st->family);
    buf_append_cstr(&st->family, "target_info");
    m->name = buf_slice(&st->family);
    if (!describing || !has_identity)
        return;
    /* Not counted as a point of the request when an attribute of the resource is no good. */
    struct decode_otlp_result before = *m->w.out;
    if (!decode__otlp_labels(m, NULL) || !decode__otlp_has_room(m, 1)) {
        *m->w.out = before;
        return;
    }
    describe(m, DATA_METRIC_GAUGE, SLICE(""), SLICE("Target metadata"));
    uint32_t series = decode__otlp_series(m, SLICE(""), SLICE(""));
    int64_t step = m->translation->target_info_interval_ns, from = m->time_min_ns;
    if (step > 0) {
        if ((m->time_max_ns - from) / step >= TARGET_INFO_MAX)
            from = m->time_max_ns - step * (TARGET_INFO_MAX - 1);
        for (int64_t t = from; t < m->time_max_ns; t += step)
            data_metric_batch_add_sample(m->batch, series, t, 1);
    }
    data_metric_batch_add_sample(m->batch, series, m->time_max_ns, 1);
}

/* --- points --- */

static int64_t to_ms(uint64_t ns)
{
    return ns > INT64_MAX ? -1 : (int64_t)ns / NS_PER_MS * NS_PER_MS;
}

bool decode__otlp_times(struct decode__otlp_metrics *m, struct decode__otlp_point *p)
{
    m->has_sample = false;
    p->time_ns = to_ms(p->time);
    p->start_ns = m->has_start ? to_ms(p->start) : 0;
    if (p->time_ns <= 0)
        return decode__otlp_refuse(&m->w, DECODE_OTLP_BAD_TIME, 1, "metric \"%.*s\": %s",
                                   SLICE_FMT(slice_first(m->name, 200)),
                                   p->time ? "a point's timeUnixNano is beyond the year 2261"
                                           : "a point has no timeUnixNano");
    if (p->start_ns < 0 || p->start_ns > p->time_ns)
        p->start_ns = 0;
    m->time_min_ns = MIN(m->time_min_ns, p->time_ns);
    m->time_max_ns = MAX(m->time_max_ns, p->time_ns);
    return true;
}

void decode__otlp_sample(struct decode__otlp_metrics *m, const struct decode__otlp_point *p,
                         uint32_t series, double value)
{
    bool stale = decode__otlp_is_stale(p);
    data_metric_batch_add_sample(m->batch, series, p->time_ns, stale ? data_stale_nan() : value);
    if (stale)
        return;
    if (p->start_ns)
        data_metric_batch_set_start(m->batch, p->start_ns);
    if (m->is_delta)
        data_metric_batch_set_delta(m->batch, !m->has_sample);
    m->has_sample = true;
}

static size_t runes(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += (s.ptr[i] & 0xc0) != 0x80;
    return n;
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct data_label *)a)->name, ((const struct data_label *)b)->name);
}

static void add_id(struct decode__otlp_metrics *m, const char *name, struct slice id, size_t size)
{
    bool zero = true;
    for (size_t i = 0; i < id.len; i++)
        zero &= !id.ptr[i];
    if (id.len != size || zero)
        return;
    char *text = arena_alloc(m->w.scratch->arena, 2 * size);
    codec_hex_to_text(id, text);
    vec_push(&m->st->exemplar_labels,
             ((struct data_label){slice_cstr(name), slice_make(text, 2 * size)}));
}

bool decode__otlp_exemplar(struct decode__otlp_metrics *m, struct slice message, int64_t time_ns,
                           double *out_value, int64_t *out_ts_ns, struct data_labels *out_labels)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct decode__otlp_attribute a;
    struct slice trace_id = {0}, span_id = {0};
    bool has_value = false;
    __typeof__(m->st->exemplar_labels) *labels = &m->st->exemplar_labels;
    size_t length = 0;
    vec_clear(labels);
    *out_ts_ns = 0;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 2 && f.wire == CODEC_PB_FIXED64) {
            *out_ts_ns = MAX(to_ms(f.num), 0);
        } else if (f.number == 3 && f.wire == CODEC_PB_FIXED64) {
            *out_value = codec_pb_double(&f);
            has_value = true;
        } else if (f.number == 6 && f.wire == CODEC_PB_FIXED64) {
            *out_value = (double)(int64_t)f.num;
            has_value = true;
        } else if (f.number == 4 && f.wire == CODEC_PB_BYTES) {
            span_id = f.bytes;
        } else if (f.number == 5 && f.wire == CODEC_PB_BYTES) {
            trace_id = f.bytes;
        }
    }
    if (r.failed || !has_value)
        return false;
    if (!*out_ts_ns)
        *out_ts_ns = time_ns;
    add_id(m, "trace_id", trace_id, 16);
    add_id(m, "span_id", span_id, 8);
    for (size_t i = 0; i < labels->len; i++)
        length += runes(labels->items[i].name) + runes(labels->items[i].value);
    size_t ids = labels->len;
    r = codec_pb_reader(message);
    while (codec_pb_next(&r, &f)) {
        struct data_label label;
        if (f.number != 7 || f.wire != CODEC_PB_BYTES || decode__otlp_read_attribute(f.bytes, &a) ||
            !a.key.len || decode__otlp_text(&m->w, &a.value, &label.value) || !label.value.len)
            continue;
        label.name = decode__otlp_utf8(&m->w, a.key);
        length += runes(label.name) + runes(label.value);
        vec_push(labels, label);
    }
    /* The attributes go together or not at all; the ids always do. */
    if (length > EXEMPLAR_RUNES_MAX)
        labels->len = ids;
    if (labels->len)
        qsort(labels->items, labels->len, sizeof(*labels->items), by_name);
    size_t kept = 0;
    for (size_t i = 0; i < labels->len; i++) {
        if (!kept || !slice_eq(labels->items[kept - 1].name, labels->items[i].name))
            labels->items[kept++] = labels->items[i];
    }
    *out_labels = (struct data_labels){labels->items, kept};
    return true;
}

static int number_point(struct decode__otlp_metrics *m, struct slice message)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct decode__otlp_point p = {0};
    vec_clear(&m->w.scratch->point);
    vec_clear(&m->st->exemplars);
    while (codec_pb_next(&r, &f)) {
        enum codec_pb_wire want = f.number == 5 || f.number == 7 ? CODEC_PB_BYTES
                                  : f.number == 8                ? CODEC_PB_VARINT
                                                                 : CODEC_PB_FIXED64;
        if (f.number < 2 || f.number > 8)
            continue;
        if (f.wire != want)
            return decode__otlp_damaged(&m->w, &r, in_point);
        switch (f.number) {
        case 2: p.start = f.num; break;
        case 3: p.time = f.num; break;
        case 4:
            p.value = codec_pb_double(&f);
            p.has_value = true;
            break;
        case 5: vec_push(&m->st->exemplars, f.bytes); break;
        case 6:
            p.value = (double)(int64_t)f.num;
            p.has_value = true;
            break;
        case 7: {
            int err = decode__otlp_take_attribute(m, &f);
            if (err)
                return err;
            break;
        }
        case 8: p.flags = (uint32_t)f.num; break;
        default: break;
        }
    }
    if (r.failed)
        return decode__otlp_damaged(&m->w, &r, in_point);
    if (!decode__otlp_times(m, &p))
        return 0;
    if (!p.has_value && !decode__otlp_is_stale(&p)) {
        decode__otlp_refuse(&m->w, DECODE_OTLP_NO_VALUE, 1, "metric \"%.*s\": a point has no value",
                            SLICE_FMT(slice_first(m->name, 200)));
        return 0;
    }
    if (!decode__otlp_labels(m, NULL) || !decode__otlp_has_room(m, 1))
        return 0;
    uint32_t series = decode__otlp_series(m, SLICE(""), SLICE(""));
    decode__otlp_sample(m, &p, series, p.value);
    for (size_t i = 0; i < m->st->exemplars.len; i++) {
        double value;
        int64_t ts_ns;
        struct data_labels labels;
        if (decode__otlp_exemplar(m, m->st->exemplars.items[i], p.time_ns, &value, &ts_ns, &labels))
            data_metric_batch_add_exemplar(m->batch, series, ts_ns, value, labels);
    }
    return 0;
}

/* --- metrics --- */

enum { GAUGE = 5, SUM = 7, HISTOGRAM = 9, EXPONENTIAL = 10, SUMMARY = 11 };
enum { UNSPECIFIED, DELTA, CUMULATIVE };

struct metric {
    struct slice name, description, unit, data;
    uint32_t kind;
    uint64_t temporality;
    bool is_monotonic, is_typed_unknown;
    size_t points;
};

/* "prometheus.type": "unknown" says that a gauge is none. */
static void read_metric_metadata(struct metric *metric, struct slice message)
{
    struct decode__otlp_attribute a;
    if (!decode__otlp_read_attribute(message, &a) && slice_eq_cstr(a.key, "prometheus.type"))
        metric->is_typed_unknown =
            a.value.kind == DECODE__OTLP_STRING && slice_eq_cstr(a.value.bytes, "unknown");
}

static int read_metric(struct decode__otlp_metrics *m, struct slice message, struct metric *out)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    *out = (struct metric){0};
    while (codec_pb_next(&r, &f)) {
        if (f.number > 12)
            continue;
        if (f.wire != CODEC_PB_BYTES)
            return decode__otlp_damaged(&m->w, &r, in_metric);
        switch (f.number) {
        case 1: out->name = f.bytes; break;
        case 2: out->description = f.bytes; break;
        case 3: out->unit = f.bytes; break;
        case GAUGE:
        case SUM:
        case HISTOGRAM:
        case EXPONENTIAL:
        case SUMMARY:
            out->kind = f.number;
            out->data = f.bytes;
            break;
        case 12: read_metric_metadata(out, f.bytes); break;
        default: break;
        }
    }
    if (r.failed)
        return decode__otlp_damaged(&m->w, &r, in_metric);
    r = codec_pb_reader(out->data);
    while (codec_pb_next(&r, &f)) {
        if (f.number > 3)
            continue;
        if (f.wire != (f.number == 1 ? CODEC_PB_BYTES : CODEC_PB_VARINT))
            return decode__otlp_damaged(&m->w, &r, in_data);
        if (f.number == 1)
            out->points++;
        else if (f.number == 2)
            out->temporality = f.num;
        else
            out->is_monotonic = f.num != 0;
    }
    return r.failed ? decode__otlp_damaged(&m->w, &r, in_data) : 0;
}

static enum data_metric_type type_of(const struct metric *metric)
{
    switch (metric->kind) {
    case GAUGE: return metric->is_typed_unknown ? DATA_METRIC_UNKNOWN : DATA_METRIC_GAUGE;
    case SUM: return metric->is_monotonic ? DATA_METRIC_COUNTER : DATA_METRIC_GAUGE;
    case HISTOGRAM:
    case EXPONENTIAL: return DATA_METRIC_HISTOGRAM;
    default: return DATA_METRIC_SUMMARY;
    }
}

static int take_point(struct decode__otlp_metrics *m, uint32_t kind, struct slice message)
{
    switch (kind) {
    case GAUGE:
    case SUM: return number_point(m, message);
    case HISTOGRAM: return decode__otlp_histogram_point(m, message);
    case EXPONENTIAL: return decode__otlp_exponential_point(m, message);
    default: return decode__otlp_summary_point(m, message);
    }
}

static int take_metric(struct decode__otlp_metrics *m, struct slice message)
{
    struct metric metric;
    int err = read_metric(m, message, &metric);
    if (err)
        return err;
    enum decode_otlp_metric_kind kind = metric.kind == SUM && metric.is_monotonic
                                            ? DECODE_OTLP_KIND_COUNTER
                                        : metric.kind == GAUGE ? DECODE_OTLP_KIND_GAUGE
                                                               : DECODE_OTLP_KIND_OTHER;
    m->name = metric.name;
    m->w.out->items += metric.points;
    buf_clear(&m->st->family);
    if (!decode_otlp_metric_name(m->translation, decode__otlp_utf8(&m->w, metric.name),
                                 decode__otlp_utf8(&m->w, metric.unit), kind, &m->st->family)) {
        decode__otlp_refuse(&m->w, DECODE_OTLP_BAD_NAME, metric.points,
                            "the metric name \"%.*s\" holds nothing a name can be made of",
                            SLICE_FMT(slice_first(metric.name, 200)));
        return 0;
    }
    if (!metric.kind || !metric.points)
        return 0;
    bool has_temporality = metric.kind != GAUGE && metric.kind != SUMMARY;
    if (has_temporality && metric.temporality != DELTA && metric.temporality != CUMULATIVE) {
        decode__otlp_refuse(
            &m->w, DECODE_OTLP_BAD_TEMPORALITY, metric.points,
            "metric \"%.*s\": aggregationTemporality is %llu, neither delta (1) nor "
            "cumulative (2)",
            SLICE_FMT(slice_first(metric.name, 200)), (unsigned long long)metric.temporality);
        return 0;
    }
    m->has_start = metric.kind != GAUGE;
    m->is_delta = has_temporality && metric.temporality == DELTA;
    describe(m, type_of(&metric), metric.unit, metric.description);
    struct codec_pb_reader r = codec_pb_reader(metric.data);
    struct codec_pb_field f;
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number == 1)
            err = take_point(m, metric.kind, f.bytes);
    }
    return err;
}

static int take_scope(struct decode__otlp_metrics *m, struct slice message)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f, g;
    struct slice name = {0}, version = {0}, schema_url = {0};
    int err = 0;
    vec_clear(&m->w.scratch->scope);
    while (codec_pb_next(&r, &f)) {
        if (f.number > 3)
            continue;
        if (f.wire != CODEC_PB_BYTES)
            return decode__otlp_damaged(&m->w, &r, in_scope);
        if (f.number == 3)
            schema_url = f.bytes;
        if (f.number != 1)
            continue;
        struct codec_pb_reader s = codec_pb_reader(f.bytes);
        while (codec_pb_next(&s, &g)) {
            if (g.number > 3)
                continue;
            if (g.wire != CODEC_PB_BYTES)
                return decode__otlp_damaged(&m->w, &s, in_scope);
            if (g.number == 1)
                name = g.bytes;
            else if (g.number == 2)
                version = g.bytes;
            else if ((err = take_attribute(m, &g, &m->w.scratch->scope)))
                return err;
        }
        if (s.failed)
            return decode__otlp_damaged(&m->w, &s, in_scope);
    }
    if (r.failed)
        return decode__otlp_damaged(&m->w, &r, in_scope);
    scope_labels(m, name, version, schema_url);
    r = codec_pb_reader(message);
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number == 2)
            err = take_metric(m, f.bytes);
    }
    return err;
}

static int take_resource(struct decode__otlp_metrics *m, struct slice message)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f, g;
    int err = 0;
    vec_clear(&m->w.scratch->resource);
    while (codec_pb_next(&r, &f)) {
        if (f.number > 3)
            continue;
        if (f.wire != CODEC_PB_BYTES)
            return decode__otlp_damaged(&m->w, &r, in_resource);
        if (f.number != 1)
            continue;
        struct codec_pb_reader s = codec_pb_reader(f.bytes);
        while (codec_pb_next(&s, &g)) {
            if (g.number == 1 && (err = take_attribute(m, &g, &m->w.scratch->resource)))
                return err;
        }
        if (s.failed)
            return decode__otlp_damaged(&m->w, &s, in_resource);
    }
    if (r.failed)
        return decode__otlp_damaged(&m->w, &r, in_resource);
    resource_labels(m);
    m->time_min_ns = INT64_MAX;
    m->time_max_ns = INT64_MIN;
    r = codec_pb_reader(message);
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number == 2)
            err = take_scope(m, f.bytes);
    }
    if (!err)
        target_info(m);
    return err;
}

int decode_otlp_metrics(enum decode_otlp_encoding encoding, struct slice body,
                        const struct decode_otlp_translation *translation,
                        struct decode_otlp_scratch *scratch, struct data_metric_batch *batch,
                        struct decode_otlp_result *out, struct diag *diag)
{
    struct slice message;
    int err = decode__otlp_begin(DECODE_OTLP_METRICS, encoding, body, scratch, out, &message, diag);
    if (err)
        return err;
    if (!scratch->metric)
        scratch->metric = mem_calloc(1, sizeof(*scratch->metric));
    struct decode__otlp_metrics m = {
        .w = {.body = message, .scratch = scratch, .out = out, .diag = diag},
        .translation = translation,
        .st = scratch->metric,
        .batch = batch,
        .key_bytes_max = KEY_BYTES_MIN + KEY_BYTES_FACTOR * body.len};
    memset(m.st->names, 0, sizeof(m.st->names));
    if (m.st->described)
        map_clear(m.st->described);
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number != 1)
            continue;
        err = f.wire == CODEC_PB_BYTES ? take_resource(&m, f.bytes)
                                       : decode__otlp_damaged(&m.w, &r, in_request);
    }
    if (!err && r.failed)
        err = decode__otlp_damaged(&m.w, &r, in_request);
    return err;
}
