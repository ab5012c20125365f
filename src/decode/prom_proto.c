/* The protobuf exposition format: MetricFamily messages of io.prometheus.client, each behind its
 * length. Read family by family and metric by metric into the items of the text parser, so that
 * whoever scrapes sees one kind of body. Field numbers: prometheus/client_model, metrics.proto. */
#include <math.h>

#include "codec/number.h"
#include "codec/pb.h"
#include "decode/prom_text_priv.h"

enum { PB_COUNTER, PB_GAUGE, PB_SUMMARY, PB_UNTYPED, PB_HISTOGRAM, PB_GAUGE_HISTOGRAM };

static const enum data_metric_type types[] = {
    [PB_COUNTER] = DATA_METRIC_COUNTER,     [PB_GAUGE] = DATA_METRIC_GAUGE,
    [PB_SUMMARY] = DATA_METRIC_SUMMARY,     [PB_UNTYPED] = DATA_METRIC_UNKNOWN,
    [PB_HISTOGRAM] = DATA_METRIC_HISTOGRAM, [PB_GAUGE_HISTOGRAM] = DATA_METRIC_GAUGE_HISTOGRAM};

void decode__proto_begin(struct decode__proto *p, struct slice body)
{
    p->body = p->rest = body;
    p->stage = DECODE__PROTO_NEXT_FAMILY;
    p->pending.len = p->next = 0;
    if (!p->arena)
        p->arena = arena_new(0, NULL);
}

void decode__proto_deinit(struct decode__proto *p)
{
    arena_free(p->arena);
    vec_free(&p->pending);
    data_labels_builder_deinit(&p->exemplar);
    buf_deinit(&p->labels);
    buf_deinit(&p->raw);
}

static int damaged(const struct decode__proto *p, const char *at, struct diag *diag)
{
    return diag_set(diag, ERR_INVALID, "the protobuf exposition is damaged at byte %zu",
                    (size_t)(at - p->body.ptr));
}

static int64_t take_time(struct slice message)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    int64_t seconds = 0, nanos = 0, ns;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_VARINT)
            seconds = (int64_t)f.num;
        else if (f.number == 2 && f.wire == CODEC_PB_VARINT)
            nanos = (int64_t)f.num;
    }
    if (__builtin_mul_overflow(seconds, NS_PER_SEC, &ns) || __builtin_add_overflow(ns, nanos, &ns))
        return seconds < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

/* --- label sets as text, which is what the series cache is keyed by --- */

void decode__put_quoted(struct slice s, struct buf *out)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\n') {
            buf_append_cstr(out, "\\n");
        } else {
            if (c == '"' || c == '\\')
                buf_append_char(out, '\\');
            buf_append_char(out, c);
        }
    }
    buf_append_char(out, '"');
}

static bool take_pair(struct slice message, struct slice *name, struct slice *value)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    *name = *value = SLICE("");
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            *name = f.bytes;
        else if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            *value = f.bytes;
    }
    return !r.failed;
}

static bool add_label(struct decode__proto *p, struct slice message)
{
    struct slice name, value;
    if (!take_pair(message, &name, &value))
        return false;
    buf_append_char(&p->labels, ',');
    decode__put_quoted(name, &p->labels);
    buf_append_char(&p->labels, '=');
    decode__put_quoted(value, &p->labels);
    return true;
}

static void make_raw(struct decode__proto *p, const struct decode__proto_sample *s)
{
    struct buf *raw = &p->raw;
    buf_clear(raw);
    buf_append_cstr(raw, "{");
    decode__put_quoted(p->name, raw);
    if (s->suffix[0]) {
        raw->len--; /* into the quotes */
        buf_append_cstr(raw, s->suffix);
        buf_append_char(raw, '"');
    }
    buf_append_slice(raw, buf_slice(&p->labels));
    if (s->bound_name) {
        buf_printf(raw, ",%s=\"", s->bound_name);
        codec_append_double(raw, s->bound, CODEC_DOUBLE_GENERAL);
        buf_append_char(raw, '"');
    }
    buf_append_char(raw, '}');
}

/* --- the values of a metric --- */

static struct decode__proto_sample *add(struct decode__proto *p, const char *suffix, double value)
{
    struct decode__proto_sample s = {.suffix = suffix, .value = value};
    vec_push(&p->pending, s);
    return &p->pending.items[p->pending.len - 1];
}

static bool take_simple(struct decode__proto *p, struct slice message)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    double value = 0;
    struct slice exemplar = {NULL, 0};
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_FIXED64)
            value = codec_pb_double(&f);
        else if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            exemplar = f.bytes; /* counters only have field 2 and 3 */
        else if (f.number == 3 && f.wire == CODEC_PB_BYTES)
            p->start_ns = take_time(f.bytes);
    }
    add(p, "", value)->exemplar = exemplar;
    return !r.failed;
}

static bool take_summary(struct decode__proto *p, struct slice message)
{
    struct codec_pb_reader r = codec_pb_reader(message), q;
    struct codec_pb_field f, g;
    double count = 0, sum = 0;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_VARINT) {
            count = (double)f.num;
        } else if (f.number == 2 && f.wire == CODEC_PB_FIXED64) {
            sum = codec_pb_double(&f);
        } else if (f.number == 3 && f.wire == CODEC_PB_BYTES) {
            double quantile = 0, value = 0;
            for (q = codec_pb_reader(f.bytes); codec_pb_next(&q, &g);) {
                if (g.number == 1 && g.wire == CODEC_PB_FIXED64)
                    quantile = codec_pb_double(&g);
                else if (g.number == 2 && g.wire == CODEC_PB_FIXED64)
                    value = codec_pb_double(&g);
            }
            if (q.failed)
                return false;
            struct decode__proto_sample *s = add(p, "", value);
            s->bound_name = "quantile";
            s->bound = quantile;
        } else if (f.number == 4 && f.wire == CODEC_PB_BYTES) {
            p->start_ns = take_time(f.bytes);
        }
    }
    add(p, "_sum", sum);
    add(p, "_count", count);
    return !r.failed;
}

struct bucket {
    double bound, count;
    struct slice exemplar;
};

struct side {
    VEC(struct data_histogram_span) spans;
    VEC(double) counts;
    int64_t last; /* of the deltas */
};

struct histogram {
    double count, sum, count_float, zero_threshold, zero_count, zero_count_float;
    int32_t schema;
    bool any_span;
    struct side sides[2]; /* negative, positive */
    VEC(struct bucket) buckets;
    VEC(struct slice) exemplars;
};

static bool take_span(struct histogram *h, struct side *side, struct slice message)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct data_histogram_span span = {0};
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_VARINT)
            span.offset = (int32_t)codec_pb_sint(&f);
        else if (f.number == 2 && f.wire == CODEC_PB_VARINT)
            span.length = (uint32_t)f.num;
    }
    h->any_span = true;
    if (span.offset || span.length) /* the empty one marks a native histogram without buckets */
        vec_push(&side->spans, span);
    return !r.failed;
}

static void add_delta(struct side *side, uint64_t zigzag)
{
    side->last = (int64_t)((uint64_t)side->last + (uint64_t)codec_unzigzag(zigzag));
    vec_push(&side->counts, (double)side->last);
}

/* Deltas (number % 3 == 1 of 10, 13) or counts, packed or one by one. */
static bool take_counts(struct side *side, bool deltas, const struct codec_pb_field *f)
{
    struct slice rest = f->bytes;
    uint64_t v;
    if (f->wire == CODEC_PB_VARINT && deltas) {
        add_delta(side, f->num);
    } else if (f->wire == CODEC_PB_FIXED64 && !deltas) {
        vec_push(&side->counts, codec_pb_double(f));
    } else if (f->wire == CODEC_PB_BYTES && deltas) {
        while (rest.len) {
            if (!codec_take_varint(&rest, &v))
                return false;
            add_delta(side, v);
        }
    } else if (f->wire == CODEC_PB_BYTES) {
        for (; rest.len >= 8; rest = slice_from(rest, 8))
            vec_push(&side->counts, codec_load_double(rest.ptr));
        return !rest.len;
    }
    return true;
}

static bool take_bucket(struct histogram *h, struct slice message)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct bucket b = {0};
    double floats = 0;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_VARINT)
            b.count = (double)f.num;
        else if (f.number == 2 && f.wire == CODEC_PB_FIXED64)
            b.bound = codec_pb_double(&f);
        else if (f.number == 3 && f.wire == CODEC_PB_BYTES)
            b.exemplar = f.bytes;
        else if (f.number == 4 && f.wire == CODEC_PB_FIXED64)
            floats = codec_pb_double(&f);
    }
    if (floats > 0)
        b.count = floats;
    vec_push(&h->buckets, b);
    return !r.failed;
}

static bool read_histogram(struct decode__proto *p, struct slice message, struct histogram *h)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    bool ok = true;
    while (ok && codec_pb_next(&r, &f)) {
        bool varint = f.wire == CODEC_PB_VARINT, fixed = f.wire == CODEC_PB_FIXED64;
        bool bytes = f.wire == CODEC_PB_BYTES;
        switch (f.number) {
        case 1: h->count = varint ? (double)f.num : h->count; break;
        case 2: h->sum = fixed ? codec_pb_double(&f) : h->sum; break;
        case 3: ok = !bytes || take_bucket(h, f.bytes); break;
        case 4: h->count_float = fixed ? codec_pb_double(&f) : 0; break;
        case 5: h->schema = varint ? (int32_t)codec_pb_sint(&f) : 0; break;
        case 6: h->zero_threshold = fixed ? codec_pb_double(&f) : 0; break;
        case 7: h->zero_count = varint ? (double)f.num : 0; break;
        case 8: h->zero_count_float = fixed ? codec_pb_double(&f) : 0; break;
        case 9:
        case 12: ok = !bytes || take_span(h, &h->sides[f.number == 12], f.bytes); break;
        case 10:
        case 13: ok = take_counts(&h->sides[f.number == 13], true, &f); break;
        case 11:
        case 14: ok = take_counts(&h->sides[f.number == 14], false, &f); break;
        case 15: p->start_ns = bytes ? take_time(f.bytes) : 0; break;
        case 16:
            if (bytes)
                vec_push(&h->exemplars, f.bytes);
            break;
        default: break;
        }
    }
    return ok && !r.failed;
}

static void add_native(struct decode__proto *p, const struct data_histogram *made,
                       const struct histogram *h)
{
    struct decode__proto_sample *s = add(p, "", 0);
    s->histogram = made;
    if (h->exemplars.len)
        s->exemplar = h->exemplars.items[0];
    for (size_t i = 1; i < h->exemplars.len; i++) {
        s = add(p, "", 0);
        s->exemplar = h->exemplars.items[i];
        s->only_exemplar = true;
    }
    for (size_t i = 0; i < h->buckets.len && !h->exemplars.len; i++) {
        if (!h->buckets.items[i].exemplar.ptr)
            continue;
        s = add(p, "", 0);
        s->exemplar = h->buckets.items[i].exemplar;
        s->only_exemplar = true;
    }
}

static int make_native(struct decode__proto *p, struct histogram *h, struct diag *diag)
{
    bool floats = h->count_float > 0 || h->zero_count_float > 0;
    struct side *n = &h->sides[0], *s = &h->sides[1];
    struct data_histogram made = {.schema = h->schema,
                                  .reset_hint = p->type == PB_GAUGE_HISTOGRAM ? DATA_RESET_GAUGE
                                                                              : DATA_RESET_UNKNOWN,
                                  .is_integer = !floats,
                                  .zero_threshold = h->zero_threshold,
                                  .zero_count = floats ? h->zero_count_float : h->zero_count,
                                  .count = floats ? h->count_float : h->count,
                                  .sum = h->sum,
                                  .negative_spans = n->spans.items,
                                  .negative_span_count = (uint32_t)n->spans.len,
                                  .negative = n->counts.items,
                                  .negative_count = (uint32_t)n->counts.len,
                                  .positive_spans = s->spans.items,
                                  .positive_span_count = (uint32_t)s->spans.len,
                                  .positive = s->counts.items,
                                  .positive_count = (uint32_t)s->counts.len};
    struct diag why;
    diag_init(&why);
    const struct data_histogram *kept = NULL;
    if (made.schema > 8)
        kept = data_histogram_reduce(p->arena, &made, 8, &why);
    else if (!data_histogram_check(&made, &why))
        kept = data_histogram_copy(p->arena, &made);
    if (!kept)
        return diag_set(diag, ERR_INVALID, "histogram %.*s: %s", SLICE_FMT(p->name), why.msg);
    add_native(p, kept, h);
    return 0;
}

/* A classic histogram as a native one with custom buckets. */
static int make_custom(struct decode__proto *p, struct histogram *h, struct diag *diag)
{
    double count = h->count_float > 0 ? h->count_float : h->count, last = 0;
    VEC(double) bounds = {0}, counts = {0};
    struct diag why;
    diag_init(&why);
    for (size_t i = 0; i < h->buckets.len; i++) {
        const struct bucket *b = &h->buckets.items[i];
        if (isinf(b->bound) && b->bound > 0)
            break;
        vec_push(&bounds, b->bound);
        vec_push(&counts, b->count - last);
        last = b->count;
    }
    vec_push(&counts, count - last);
    struct data_histogram_span span = {0, (uint32_t)counts.len};
    struct data_histogram made = {.schema = DATA_HISTOGRAM_SCHEMA_CUSTOM,
                                  .reset_hint = p->type == PB_GAUGE_HISTOGRAM ? DATA_RESET_GAUGE
                                                                              : DATA_RESET_UNKNOWN,
                                  .is_integer = h->count_float <= 0,
                                  .count = count,
                                  .sum = h->sum,
                                  .positive_spans = &span,
                                  .positive_span_count = 1,
                                  .positive = counts.items,
                                  .positive_count = (uint32_t)counts.len,
                                  .custom_bounds = bounds.items,
                                  .custom_bound_count = (uint32_t)bounds.len};
    int err = data_histogram_check(&made, &why);
    if (err)
        err = diag_set(diag, ERR_INVALID, "histogram %.*s: %s", SLICE_FMT(p->name), why.msg);
    else
        add_native(p, data_histogram_copy(p->arena, &made), h);
    vec_free(&bounds);
    vec_free(&counts);
    return err;
}

static void make_classic(struct decode__proto *p, const struct histogram *h)
{
    double count = h->count_float > 0 ? h->count_float : h->count;
    bool infinite = false;
    struct decode__proto_sample *s;
    for (size_t i = 0; i < h->buckets.len; i++) {
        const struct bucket *b = &h->buckets.items[i];
        infinite |= isinf(b->bound) && b->bound > 0;
        s = add(p, "_bucket", b->count);
        s->bound_name = "le";
        s->bound = b->bound;
        s->exemplar = b->exemplar;
    }
    if (!infinite) {
        s = add(p, "_bucket", count);
        s->bound_name = "le";
        s->bound = INFINITY;
    }
    add(p, "_sum", h->sum);
    add(p, "_count", count);
}

static int take_histogram(struct decode__proto *p, struct slice message, struct diag *diag)
{
    struct histogram h = {0};
    int err = 0;
    if (!read_histogram(p, message, &h)) {
        err = damaged(p, message.ptr, diag);
        goto out;
    }
    bool is_native =
        h.any_span || h.zero_threshold > 0 || h.zero_count > 0 || h.zero_count_float > 0;
    bool native = is_native && p->options.native;
    bool custom = !native && p->options.custom && h.buckets.len;
    if (native)
        err = make_native(p, &h, diag);
    else if (custom)
        err = make_custom(p, &h, diag);
    if (!err && ((!native && !custom) || (p->options.classic_too && h.buckets.len)))
        make_classic(p, &h);
out:
    for (int i = 0; i < 2; i++) {
        vec_free(&h.sides[i].spans);
        vec_free(&h.sides[i].counts);
    }
    vec_free(&h.buckets);
    vec_free(&h.exemplars);
    return err;
}

static int take_metric(struct decode__proto *p, struct slice message, struct diag *diag)
{
    /* The field that holds the value, by type. */
    static const uint32_t fields[] = {
        [PB_COUNTER] = 3, [PB_GAUGE] = 2,     [PB_SUMMARY] = 4,
        [PB_UNTYPED] = 5, [PB_HISTOGRAM] = 7, [PB_GAUGE_HISTOGRAM] = 7};
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    int err = 0;
    bool ok = true, any = false;
    p->pending.len = p->next = 0;
    p->start_ns = 0;
    p->has_ts = false;
    buf_clear(&p->labels);
    arena_reset(p->arena);
    while (!err && ok && codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES) {
            ok = add_label(p, f.bytes);
        } else if (f.number == 6 && f.wire == CODEC_PB_VARINT) {
            p->has_ts = f.num != 0;
            if (__builtin_mul_overflow((int64_t)f.num, NS_PER_MS, &p->ts_ns))
                p->ts_ns = (int64_t)f.num < 0 ? INT64_MIN : INT64_MAX;
        } else if (f.number == fields[p->type] && f.wire == CODEC_PB_BYTES && !any) {
            any = true;
            if (p->type == PB_SUMMARY)
                ok = take_summary(p, f.bytes);
            else if (p->type == PB_HISTOGRAM || p->type == PB_GAUGE_HISTOGRAM)
                err = take_histogram(p, f.bytes, diag);
            else
                ok = take_simple(p, f.bytes);
        }
    }
    if (!err && (!ok || r.failed))
        err = damaged(p, message.ptr, diag);
    return err;
}

/* --- items --- */

static int begin_family(struct decode__proto *p, struct diag *diag)
{
    uint64_t len;
    const char *at = p->rest.ptr;
    if (!codec_take_varint(&p->rest, &len) || len > p->rest.len)
        return damaged(p, at, diag);
    p->family = codec_pb_reader(slice_first(p->rest, (size_t)len));
    p->rest = slice_from(p->rest, (size_t)len);
    p->name = p->help = p->unit = (struct slice){NULL, 0};
    p->type = PB_COUNTER;
    struct codec_pb_reader r = p->family;
    struct codec_pb_field f;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            p->name = f.bytes;
        else if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            p->help = f.bytes;
        else if (f.number == 3 && f.wire == CODEC_PB_VARINT && f.num < ARRAY_LEN(types))
            p->type = (int)f.num;
        else if (f.number == 3 && f.wire == CODEC_PB_VARINT)
            return diag_set(diag, ERR_INVALID, "metric type %llu is unknown",
                            (unsigned long long)f.num);
        else if (f.number == 5 && f.wire == CODEC_PB_BYTES)
            p->unit = f.bytes;
    }
    if (r.failed)
        return damaged(p, at, diag);
    if (!p->name.len)
        return diag_set(diag, ERR_INVALID, "a metric family at byte %zu has no name",
                        (size_t)(at - p->body.ptr));
    return 0;
}

static int fill_exemplar(struct decode__proto *p, struct slice message,
                         struct decode_text_item *out, struct diag *diag)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct slice name, value;
    bool ok = true;
    data_labels_builder_reset(&p->exemplar);
    out->has_exemplar = true;
    out->exemplar_value = 0;
    out->exemplar_has_ts = false;
    while (ok && codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES) {
            ok = take_pair(f.bytes, &name, &value);
            data_labels_builder_add(&p->exemplar, name, value);
        } else if (f.number == 2 && f.wire == CODEC_PB_FIXED64) {
            out->exemplar_value = codec_pb_double(&f);
        } else if (f.number == 3 && f.wire == CODEC_PB_BYTES) {
            out->exemplar_has_ts = true;
            out->exemplar_ts_ns = take_time(f.bytes);
        }
    }
    if (!ok || r.failed)
        return damaged(p, message.ptr, diag);
    return data_labels_builder_finish(&p->exemplar, &out->exemplar_labels, diag);
}

static int emit_sample(struct decode__proto *p, struct decode_text_cache *cache,
                       struct decode_text_item *out, struct diag *diag)
{
    const struct decode__proto_sample *s = &p->pending.items[p->next++];
    size_t at;
    *out = (struct decode_text_item){.kind = s->only_exemplar ? DECODE_TEXT_EXEMPLAR
                                                              : DECODE_TEXT_SAMPLE,
                                     .value = s->value,
                                     .histogram = s->histogram,
                                     .has_ts = p->has_ts,
                                     .ts_ns = p->ts_ns,
                                     .start_ns = p->start_ns};
    make_raw(p, s);
    int err = decode__series(cache, DECODE_TEXT_PLAIN, buf_slice(&p->raw), types[p->type],
                             &out->series, &at, diag);
    if (!err && s->exemplar.ptr)
        err = fill_exemplar(p, s->exemplar, out, diag);
    if (err)
        return err;
    out->group = out->series->group;
    return 1;
}

static int emit_metadata(struct decode__proto *p, enum decode_text_kind kind, struct slice text,
                         struct decode_text_item *out)
{
    *out = (struct decode_text_item){
        .kind = kind, .family = p->name, .type = types[p->type], .text = text};
    return 1;
}

int decode__proto_next(struct decode__proto *p, struct decode_text_cache *cache,
                       struct decode_text_item *out, struct diag *diag)
{
    struct codec_pb_field f;
    for (;;) {
        int err = 0;
        switch (p->stage) {
        case DECODE__PROTO_NEXT_FAMILY:
            if (!p->rest.len)
                return 0;
            if ((err = begin_family(p, diag)))
                return err;
            p->stage = DECODE__PROTO_HELP;
            return emit_metadata(p, DECODE_TEXT_TYPE, SLICE(""), out);
        case DECODE__PROTO_HELP:
            p->stage = DECODE__PROTO_UNIT;
            if (p->help.ptr)
                return emit_metadata(p, DECODE_TEXT_HELP, p->help, out);
            break;
        case DECODE__PROTO_UNIT:
            p->stage = DECODE__PROTO_METRICS;
            if (p->unit.len)
                return emit_metadata(p, DECODE_TEXT_UNIT, p->unit, out);
            break;
        case DECODE__PROTO_METRICS:
            if (p->next < p->pending.len)
                return emit_sample(p, cache, out, diag);
            if (!codec_pb_next(&p->family, &f))
                p->stage = DECODE__PROTO_NEXT_FAMILY;
            else if (f.number == 4 && f.wire == CODEC_PB_BYTES &&
                     (err = take_metric(p, f.bytes, diag)))
                return err;
            break;
        }
    }
}
