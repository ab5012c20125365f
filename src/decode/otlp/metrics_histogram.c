/* Points of histograms, exponential histograms and summaries. */
#include <math.h>

#include "codec/number.h"
#include "decode/otlp/metrics_priv.h"

#define ZERO_THRESHOLD_DEFAULT 1e-128
#define SCHEMA_MAX             8
#define SCHEMA_MIN             (-4)
/* Empty buckets between two full ones are written out up to here; longer gaps begin a span. */
#define GAP_MAX 2

static const char in_histogram[] = "HistogramDataPoint",
                  in_exponential[] = "ExponentialHistogramDataPoint",
                  in_summary[] = "SummaryDataPoint";

enum { NEGATIVE, POSITIVE };

/* Repeated fixed64 and doubles come packed or one by one. */
#define TAKE_FIXED(vec, f, as)                                                                     \
    ({                                                                                             \
        bool ok_ = true;                                                                           \
        if ((f)->wire == CODEC_PB_FIXED64) {                                                       \
            uint64_t v_ = (f)->num;                                                                \
            vec_push((vec), as(&v_));                                                              \
        } else if ((f)->wire == CODEC_PB_BYTES && (f)->bytes.len % 8 == 0) {                       \
            for (size_t i_ = 0; i_ < (f)->bytes.len; i_ += 8)                                      \
                vec_push((vec), as((f)->bytes.ptr + i_));                                          \
        } else {                                                                                   \
            ok_ = false;                                                                           \
        }                                                                                          \
        ok_;                                                                                       \
    })

/* The fields that both histograms share the numbers of: start, time, count, sum. */
static bool take_common(struct decode__otlp_point *p, const struct codec_pb_field *f)
{
    switch (f->number) {
    case 2: p->start = f->num; break;
    case 3: p->time = f->num; break;
    case 4: p->count = f->num; break;
    case 5:
        p->sum = codec_pb_double(f);
        p->has_sum = true;
        break;
    default: return false;
    }
    return true;
}

static bool refuse(struct decode__otlp_metrics *m, const char *what)
{
    return decode__otlp_refuse(&m->w, DECODE_OTLP_BAD_HISTOGRAM, 1, "metric \"%.*s\": %s",
                               SLICE_FMT(slice_first(m->name, 200)), what);
}

/* --- buckets to spans --- */

static void put_bucket(struct decode__otlp_metric_state *st, int side, int64_t *next_index,
                       bool *started, int64_t index, double count)
{
    int64_t gap = index - *next_index;
    if (!*started || gap > GAP_MAX) {
        /* The first span's offset is the index itself. */
        vec_push(&st->spans[side], ((struct data_histogram_span){(int32_t)gap, 0}));
    } else {
        for (; gap; gap--) {
            vec_push(&st->buckets[side], 0);
            st->spans[side].items[st->spans[side].len - 1].length++;
        }
    }
    vec_push(&st->buckets[side], count);
    st->spans[side].items[st->spans[side].len - 1].length++;
    *started = true;
    *next_index = index + 1;
}

/* counts[side] as spans and buckets: bucket i has the index (i + offset) >> shift, plus `add`. */
static bool build_side(struct decode__otlp_metric_state *st, int side, int64_t offset,
                       unsigned shift, int64_t add)
{
    int64_t next_index = 0, index = 0;
    double count = 0;
    bool started = false;
    vec_clear(&st->spans[side]);
    vec_clear(&st->buckets[side]);
    for (size_t i = 0; i < st->counts[side].len; i++) {
        int64_t at = ((offset + (int64_t)i) >> shift) + add;
        if (!st->counts[side].items[i])
            continue;
        if (count && at != index) {
            put_bucket(st, side, &next_index, &started, index, count);
            count = 0;
        }
        if (at < INT32_MIN || at > INT32_MAX)
            return false;
        index = at;
        count += (double)st->counts[side].items[i];
    }
    if (count)
        put_bucket(st, side, &next_index, &started, index, count);
    return true;
}

static void fill_sides(const struct decode__otlp_metric_state *st, struct data_histogram *h)
{
    h->negative_spans = st->spans[NEGATIVE].items;
    h->negative_span_count = (uint32_t)st->spans[NEGATIVE].len;
    h->negative = st->buckets[NEGATIVE].items;
    h->negative_count = (uint32_t)st->buckets[NEGATIVE].len;
    h->positive_spans = st->spans[POSITIVE].items;
    h->positive_span_count = (uint32_t)st->spans[POSITIVE].len;
    h->positive = st->buckets[POSITIVE].items;
    h->positive_count = (uint32_t)st->buckets[POSITIVE].len;
}

/* Checks and adds a native histogram with its exemplars, under the labels that are made already. */
static void add_native(struct decode__otlp_metrics *m, const struct decode__otlp_point *p,
                       const struct data_histogram *h)
{
    struct diag why;
    diag_init(&why);
    if (data_histogram_check(h, &why)) {
        refuse(m, why.msg);
        return;
    }
    uint32_t series = decode__otlp_series(m, SLICE(""), SLICE(""));
    data_metric_batch_add_histogram(m->batch, series, p->time_ns, h);
    if (!h->is_stale) {
        if (p->start_ns)
            data_metric_batch_set_start(m->batch, p->start_ns);
        if (m->is_delta)
            data_metric_batch_set_delta(m->batch, true);
    }
    for (size_t i = 0; i < m->st->exemplars.len; i++) {
        double value;
        int64_t ts_ns;
        struct data_labels labels;
        if (decode__otlp_exemplar(m, m->st->exemplars.items[i], p->time_ns, &value, &ts_ns,
                                  &labels))
            data_metric_batch_add_exemplar(m->batch, series, ts_ns, value, labels);
    }
}

static struct data_histogram stale_histogram(int32_t schema)
{
    return (struct data_histogram){
        .schema = schema, .is_integer = true, .is_stale = true, .sum = data_stale_nan()};
}

/* --- explicit bounds --- */

static bool check_explicit(struct decode__otlp_metrics *m, const struct decode__otlp_point *p)
{
    struct decode__otlp_metric_state *st = m->st;
    size_t counts = st->counts[POSITIVE].len, bounds = st->bounds.len;
    double total = 0;
    bool stale = decode__otlp_is_stale(p); /* its counts say nothing */
    if (bounds > DECODE_OTLP_BUCKETS)
        return decode__otlp_refuse(&m->w, DECODE_OTLP_TOO_MANY, 1,
                                   "metric \"%.*s\": a histogram has %zu buckets, more than %d",
                                   SLICE_FMT(slice_first(m->name, 200)), bounds + 1,
                                   DECODE_OTLP_BUCKETS);
    if (!stale && (counts ? counts != bounds + 1 : bounds))
        return refuse(m, "a histogram has not one bucket more than it has explicitBounds");
    for (size_t i = 0; i < bounds; i++) {
        if (isnan(st->bounds.items[i]) || (i && st->bounds.items[i] <= st->bounds.items[i - 1]))
            return refuse(m, "a histogram's explicitBounds do not ascend");
    }
    for (size_t i = 0; i < counts && !stale; i++)
        total += (double)st->counts[POSITIVE].items[i];
    if (counts && total > (double)p->count)
        return refuse(m, "a histogram's buckets count more than its count");
    /* A bound of +Inf is the last bucket's anyway. */
    if (bounds && isinf(st->bounds.items[bounds - 1]) && st->bounds.items[bounds - 1] > 0) {
        if (stale)
            vec_clear(&st->counts[POSITIVE]);
        while (st->counts[POSITIVE].len <= bounds)
            vec_push(&st->counts[POSITIVE], 0);
        st->counts[POSITIVE].items[bounds - 1] += st->counts[POSITIVE].items[bounds];
        st->counts[POSITIVE].len--;
        st->bounds.len--;
    }
    return true;
}

/* Custom buckets: the same bounds in one native histogram. */
static void add_custom(struct decode__otlp_metrics *m, const struct decode__otlp_point *p)
{
    struct decode__otlp_metric_state *st = m->st;
    struct data_histogram h = {.schema = DATA_HISTOGRAM_SCHEMA_CUSTOM, .is_integer = true};
    if (decode__otlp_is_stale(p)) {
        h = stale_histogram(DATA_HISTOGRAM_SCHEMA_CUSTOM);
        h.custom_bounds = st->bounds.items;
        h.custom_bound_count = (uint32_t)st->bounds.len;
        add_native(m, p, &h);
        return;
    }
    if (!st->counts[POSITIVE].len)
        vec_push(&st->counts[POSITIVE], p->count); /* without buckets all lie in the last one */
    vec_clear(&st->counts[NEGATIVE]);
    (void)build_side(st, NEGATIVE, 0, 0, 0);
    (void)build_side(st, POSITIVE, 0, 0, 0);
    fill_sides(st, &h);
    h.custom_bounds = st->bounds.items;
    h.custom_bound_count = (uint32_t)st->bounds.len;
    h.count = (double)p->count;
    h.sum = p->has_sum ? p->sum : 0;
    add_native(m, p, &h);
}

static void add_classic_exemplars(struct decode__otlp_metrics *m,
                                  const struct decode__otlp_point *p)
{
    struct decode__otlp_metric_state *st = m->st;
    for (size_t i = 0; i < st->exemplars.len; i++) {
        double value;
        int64_t ts_ns;
        struct data_labels labels;
        if (!decode__otlp_exemplar(m, st->exemplars.items[i], p->time_ns, &value, &ts_ns, &labels))
            continue;
        size_t at = 0; /* the last one is +Inf's */
        while (at < st->bounds.len && value > st->bounds.items[at])
            at++;
        data_metric_batch_add_exemplar(m->batch, st->bound_series.items[at], ts_ns, value, labels);
    }
}

static void add_classic(struct decode__otlp_metrics *m, const struct decode__otlp_point *p)
{
    struct decode__otlp_metric_state *st = m->st;
    char text[CODEC_DOUBLE_TEXT_MAX];
    double cumulative = 0;
    if (p->has_sum)
        decode__otlp_sample(m, p, decode__otlp_series(m, SLICE("_sum"), SLICE("")), p->sum);
    decode__otlp_sample(m, p, decode__otlp_series(m, SLICE("_count"), SLICE("")), (double)p->count);
    vec_clear(&st->bound_series);
    for (size_t i = 0; i < st->bounds.len; i++) {
        struct slice le =
            slice_make(text, codec_double_to_text(st->bounds.items[i], CODEC_DOUBLE_PLAIN, text));
        cumulative += (double)st->counts[POSITIVE].items[i];
        vec_push(&st->bound_series, decode__otlp_series(m, SLICE("_bucket"), le));
        decode__otlp_sample(m, p, st->bound_series.items[i], cumulative);
    }
    vec_push(&st->bound_series, decode__otlp_series(m, SLICE("_bucket"), SLICE("+Inf")));
    decode__otlp_sample(m, p, st->bound_series.items[st->bounds.len], (double)p->count);
    add_classic_exemplars(m, p);
}

int decode__otlp_histogram_point(struct decode__otlp_metrics *m, struct slice message)
{
    struct decode__otlp_metric_state *st = m->st;
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct decode__otlp_point p = {0};
    bool custom = m->translation->convert_histograms_to_nhcb;
    vec_clear(&m->w.scratch->point);
    vec_clear(&st->exemplars);
    vec_clear(&st->counts[POSITIVE]);
    vec_clear(&st->bounds);
    while (codec_pb_next(&r, &f)) {
        bool ok = true;
        int err = 0;
        switch (f.number) {
        case 2:
        case 3:
        case 4:
        case 5: ok = f.wire == CODEC_PB_FIXED64 && take_common(&p, &f); break;
        case 6: ok = TAKE_FIXED(&st->counts[POSITIVE], &f, codec_load64); break;
        case 7: ok = TAKE_FIXED(&st->bounds, &f, codec_load_double); break;
        case 8:
            ok = f.wire == CODEC_PB_BYTES;
            vec_push(&st->exemplars, f.bytes);
            break;
        case 9: err = decode__otlp_take_attribute(m, &f); break;
        case 10:
            ok = f.wire == CODEC_PB_VARINT;
            p.flags = (uint32_t)f.num;
            break;
        default: break; /* min and max have no place in Prometheus' model */
        }
        if (err)
            return err;
        if (!ok)
            return decode__otlp_damaged(&m->w, &r, in_histogram);
    }
    if (r.failed)
        return decode__otlp_damaged(&m->w, &r, in_histogram);
    if (!decode__otlp_times(m, &p) || !check_explicit(m, &p) ||
        !decode__otlp_labels(m, custom ? NULL : "le") ||
        !decode__otlp_has_room(m, custom ? 1 : st->bounds.len + 3))
        return 0;
    if (decode__otlp_is_stale(&p)) {
        /* Whatever it says about buckets: counts do not matter, bounds name the series. */
        while (st->counts[POSITIVE].len <= st->bounds.len)
            vec_push(&st->counts[POSITIVE], 0);
        p.has_sum = true;
    }
    if (custom)
        add_custom(m, &p);
    else
        add_classic(m, &p);
    return 0;
}

/* --- exponential --- */

static bool take_buckets(struct decode__otlp_metric_state *st, int side, struct slice message,
                         int64_t *offset)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_VARINT) {
            *offset = (int32_t)codec_pb_sint(&f);
        } else if (f.number == 2 && f.wire == CODEC_PB_VARINT) {
            vec_push(&st->counts[side], f.num);
        } else if (f.number == 2 && f.wire == CODEC_PB_BYTES) {
            struct slice rest = f.bytes;
            uint64_t v;
            while (rest.len) {
                if (!codec_take_varint(&rest, &v))
                    return false;
                vec_push(&st->counts[side], v);
            }
        } else if (f.number <= 2) {
            return false;
        }
    }
    return !r.failed;
}

int decode__otlp_exponential_point(struct decode__otlp_metrics *m, struct slice message)
{
    struct decode__otlp_metric_state *st = m->st;
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct decode__otlp_point p = {0};
    struct data_histogram h = {.is_integer = true};
    int64_t scale = 0, offsets[2] = {0};
    vec_clear(&m->w.scratch->point);
    vec_clear(&st->exemplars);
    for (int i = 0; i < 2; i++)
        vec_clear(&st->counts[i]);
    while (codec_pb_next(&r, &f)) {
        bool ok = true;
        int err = 0;
        switch (f.number) {
        case 1: err = decode__otlp_take_attribute(m, &f); break;
        case 2:
        case 3:
        case 4:
        case 5: ok = f.wire == CODEC_PB_FIXED64 && take_common(&p, &f); break;
        case 6:
            ok = f.wire == CODEC_PB_VARINT;
            scale = (int32_t)codec_pb_sint(&f);
            break;
        case 7:
            ok = f.wire == CODEC_PB_FIXED64;
            h.zero_count = (double)f.num;
            break;
        case 8:
        case 9: {
            int side = f.number == 8 ? POSITIVE : NEGATIVE;
            ok = f.wire == CODEC_PB_BYTES && take_buckets(st, side, f.bytes, &offsets[side]);
            break;
        }
        case 10:
            ok = f.wire == CODEC_PB_VARINT;
            p.flags = (uint32_t)f.num;
            break;
        case 11:
            ok = f.wire == CODEC_PB_BYTES;
            vec_push(&st->exemplars, f.bytes);
            break;
        case 14:
            ok = f.wire == CODEC_PB_FIXED64;
            h.zero_threshold = codec_pb_double(&f);
            break;
        default: break;
        }
        if (err)
            return err;
        if (!ok)
            return decode__otlp_damaged(&m->w, &r, in_exponential);
    }
    if (r.failed)
        return decode__otlp_damaged(&m->w, &r, in_exponential);
    if (!decode__otlp_times(m, &p))
        return 0;
    if (decode__otlp_is_stale(&p)) {
        h = stale_histogram(0);
        if (decode__otlp_labels(m, NULL) && decode__otlp_has_room(m, 1))
            add_native(m, &p, &h);
        return 0;
    }
    if (scale < SCHEMA_MIN) {
        refuse(m, "an exponential histogram's scale is below -4, the coarsest a native histogram "
                  "can have");
        return 0;
    }
    /* Beyond 62 every bucket but one is the same. */
    unsigned shift = scale > SCHEMA_MAX ? (unsigned)MIN(scale - SCHEMA_MAX, (int64_t)62) : 0;
    h.schema = (int32_t)MIN(scale, (int64_t)SCHEMA_MAX);
    for (int i = 0; i < 2; i++) {
        /* OpenTelemetry numbers buckets by their lower bound, Prometheus by the upper one. */
        if (!build_side(st, i, offsets[i], shift, 1)) {
            refuse(m, "an exponential histogram's bucket offset is out of range");
            return 0;
        }
    }
    fill_sides(st, &h);
    if (!(h.zero_threshold > 0))
        h.zero_threshold = ZERO_THRESHOLD_DEFAULT;
    h.count = (double)p.count;
    h.sum = p.has_sum ? p.sum : 0;
    if (decode__otlp_labels(m, NULL) && decode__otlp_has_room(m, 1))
        add_native(m, &p, &h);
    return 0;
}

/* --- summaries --- */

int decode__otlp_summary_point(struct decode__otlp_metrics *m, struct slice message)
{
    struct decode__otlp_metric_state *st = m->st;
    struct codec_pb_reader r = codec_pb_reader(message), q;
    struct codec_pb_field f, g;
    struct decode__otlp_point p = {0};
    vec_clear(&m->w.scratch->point);
    vec_clear(&st->exemplars);
    while (codec_pb_next(&r, &f)) {
        bool ok = true;
        int err = 0;
        switch (f.number) {
        case 2:
        case 3:
        case 4:
        case 5: ok = f.wire == CODEC_PB_FIXED64 && take_common(&p, &f); break;
        case 6:
            ok = f.wire == CODEC_PB_BYTES;
            vec_push(&st->exemplars, f.bytes); /* quantiles, for later */
            break;
        case 7: err = decode__otlp_take_attribute(m, &f); break;
        case 8:
            ok = f.wire == CODEC_PB_VARINT;
            p.flags = (uint32_t)f.num;
            break;
        default: break;
        }
        if (err)
            return err;
        if (!ok)
            return decode__otlp_damaged(&m->w, &r, in_summary);
    }
    if (r.failed)
        return decode__otlp_damaged(&m->w, &r, in_summary);
    if (!decode__otlp_times(m, &p) || !decode__otlp_labels(m, "quantile") ||
        !decode__otlp_has_room(m, st->exemplars.len + 2))
        return 0;
    decode__otlp_sample(m, &p, decode__otlp_series(m, SLICE("_sum"), SLICE("")), p.sum);
    decode__otlp_sample(m, &p, decode__otlp_series(m, SLICE("_count"), SLICE("")), (double)p.count);
    for (size_t i = 0; i < st->exemplars.len; i++) {
        double quantile = 0, value = 0;
        char text[CODEC_DOUBLE_TEXT_MAX];
        q = codec_pb_reader(st->exemplars.items[i]);
        while (codec_pb_next(&q, &g)) {
            if (g.number > 2)
                continue;
            if (g.wire != CODEC_PB_FIXED64)
                return decode__otlp_damaged(&m->w, &q, in_summary);
            *(g.number == 1 ? &quantile : &value) = codec_pb_double(&g);
        }
        if (q.failed)
            return decode__otlp_damaged(&m->w, &q, in_summary);
        struct slice label =
            slice_make(text, codec_double_to_text(quantile, CODEC_DOUBLE_PLAIN, text));
        decode__otlp_sample(m, &p, decode__otlp_series(m, SLICE(""), label), value);
    }
    return 0;
}
