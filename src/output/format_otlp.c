/* OTLP: ExportMetricsServiceRequest (opentelemetry-proto 1.x, metrics.proto). Rows of one name and
 * type in a row share a Metric. Counters are cumulative sums, native histograms exponential ones.
 */
#include <math.h>

#include "codec/pb.h"
#include "output/output_priv.h"

enum { GAUGE = 5, SUM = 7, HISTOGRAM = 9, EXPONENTIAL = 10 };
#define NO_RECORDED_VALUE 1
#define CUMULATIVE        2

struct exporter {
    bool grpc;
    size_t resource, scope, metric, data; /* marks of what is open; metric 0: none */
    uint32_t kind;
    struct buf name;
};

static void *otlp_new(const struct output__settings *settings)
{
    struct exporter *x = mem_calloc(1, sizeof(*x));
    x->grpc = settings->transport == OUTPUT__GRPC;
    return x;
}

static void otlp_free(void *state)
{
    struct exporter *x = state;
    buf_deinit(&x->name);
    mem_free(x);
}

static void put_fixed64(struct buf *b, uint32_t number, uint64_t v)
{
    codec_pb_put_key(b, number, CODEC_PB_FIXED64);
    codec_append64(b, v);
}

static void otlp_begin(void *state, struct buf *out)
{
    struct exporter *x = state;
    if (x->grpc)
        buf_append(out, "\0\0\0\0\0", 5); /* not compressed; its length comes in the end */
    x->resource = codec_pb_begin(out, 1);
    x->scope = codec_pb_begin(out, 2);
    size_t scope = codec_pb_begin(out, 1);
    codec_pb_put_bytes(out, 1, SLICE("pharos"));
    codec_pb_end(out, scope);
    x->metric = 0;
}

static void close_metric(struct exporter *x, struct buf *out)
{
    if (!x->metric)
        return;
    if (x->kind != GAUGE)
        codec_pb_put_varint(out, 2, CUMULATIVE);
    if (x->kind == SUM)
        codec_pb_put_varint(out, 3, 1); /* monotonic */
    codec_pb_end(out, x->data);
    codec_pb_end(out, x->metric);
    x->metric = 0;
}

static void open_metric(struct exporter *x, const struct output__row *row, uint32_t kind,
                        struct buf *out)
{
    if (x->metric && x->kind == kind && slice_eq(buf_slice(&x->name), row->name))
        return;
    close_metric(x, out);
    x->kind = kind;
    buf_clear(&x->name);
    buf_append_slice(&x->name, row->name);
    x->metric = codec_pb_begin(out, 2);
    codec_pb_put_bytes(out, 1, row->name);
    x->data = codec_pb_begin(out, kind);
}

static void put_attributes(const struct output__row *row, uint32_t number, struct buf *out)
{
    for (size_t i = 0; i < row->labels.count; i++) {
        struct data_label l = row->labels.items[i];
        if (slice_eq(l.name, SLICE(DATA_METRIC_NAME)))
            continue;
        size_t pair = codec_pb_begin(out, number);
        codec_pb_put_bytes(out, 1, l.name);
        size_t value = codec_pb_begin(out, 2);
        codec_pb_put_bytes(out, 1, l.value);
        codec_pb_end(out, value);
        codec_pb_end(out, pair);
    }
}

static void put_times(const struct output__row *row, struct buf *out)
{
    if (row->start_ns)
        put_fixed64(out, 2, (uint64_t)row->start_ns);
    put_fixed64(out, 3, (uint64_t)row->ts_ns);
}

static void put_number(const struct output__row *row, struct buf *out)
{
    size_t point = codec_pb_begin(out, 1);
    put_attributes(row, 7, out);
    put_times(row, out);
    if (data_is_stale(row->value))
        codec_pb_put_varint(out, 8, NO_RECORDED_VALUE);
    else
        codec_pb_put_double(out, 4, row->value);
    codec_pb_end(out, point);
}

static uint64_t whole(double count)
{
    return count > 0 && count < 9e18 ? (uint64_t)llround(count) : 0;
}

/* Dense counts from the first bucket on; ours are (base^(i-1), base^i], theirs (base^i, ...]. */
static void put_side(uint32_t number, const struct data_histogram_span *spans, uint32_t span_count,
                     const double *counts, struct buf *out)
{
    if (!span_count)
        return;
    size_t side = codec_pb_begin(out, number);
    codec_pb_put_varint(out, 1, codec_zigzag(spans[0].offset - 1));
    size_t list = codec_pb_begin(out, 2);
    for (uint32_t i = 0, at = 0; i < span_count; i++) {
        for (int32_t gap = 0; i && gap < spans[i].offset; gap++)
            codec_append_varint(out, 0);
        for (uint32_t k = 0; k < spans[i].length; k++)
            codec_append_varint(out, whole(counts[at++]));
    }
    codec_pb_end(out, list);
    codec_pb_end(out, side);
}

static void put_exponential(const struct output__row *row, struct buf *out)
{
    const struct data_histogram *h = row->histogram;
    size_t point = codec_pb_begin(out, 1);
    put_attributes(row, 1, out);
    put_times(row, out);
    if (h->is_stale) {
        codec_pb_put_varint(out, 10, NO_RECORDED_VALUE);
    } else {
        put_fixed64(out, 4, whole(h->count));
        codec_pb_put_double(out, 5, h->sum);
        codec_pb_put_varint(out, 6, codec_zigzag(h->schema));
        put_fixed64(out, 7, whole(h->zero_count));
        put_side(8, h->positive_spans, h->positive_span_count, h->positive, out);
        put_side(9, h->negative_spans, h->negative_span_count, h->negative, out);
        codec_pb_put_double(out, 14, h->zero_threshold);
    }
    codec_pb_end(out, point);
}

/* Custom buckets are an ordinary histogram: a count for each bound, and one for what is above. */
static void put_explicit(const struct output__row *row, struct buf *out)
{
    const struct data_histogram *h = row->histogram;
    size_t point = codec_pb_begin(out, 1), n = (size_t)h->custom_bound_count + 1;
    double *counts = mem_calloc(n, sizeof(*counts));
    int64_t at = 0;
    for (uint32_t i = 0, k = 0; i < h->positive_span_count; i++) {
        at += h->positive_spans[i].offset;
        for (uint32_t j = 0; j < h->positive_spans[i].length; j++, at++, k++) {
            if (at >= 0 && (size_t)at < n)
                counts[at] = h->positive[k];
        }
    }
    put_attributes(row, 9, out);
    put_times(row, out);
    put_fixed64(out, 4, whole(h->count));
    codec_pb_put_double(out, 5, h->sum);
    size_t list = codec_pb_begin(out, 6);
    for (size_t i = 0; i < n; i++)
        codec_append64(out, whole(counts[i]));
    codec_pb_end(out, list);
    list = codec_pb_begin(out, 7);
    for (size_t i = 0; i + 1 < n; i++)
        codec_append64(out, codec_double_bits(h->custom_bounds[i]));
    codec_pb_end(out, list);
    codec_pb_end(out, point);
    mem_free(counts);
}

static bool put_row(void *state, const struct output__row *row, struct buf *out)
{
    struct exporter *x = state;
    if (!row->histogram) {
        open_metric(x, row, row->type == DATA_METRIC_COUNTER ? SUM : GAUGE, out);
        put_number(row, out);
    } else if (row->histogram->schema == DATA_HISTOGRAM_SCHEMA_CUSTOM) {
        open_metric(x, row, HISTOGRAM, out);
        put_explicit(row, out);
    } else {
        open_metric(x, row, EXPONENTIAL, out);
        put_exponential(row, out);
    }
    return true;
}

static void otlp_end(void *state, struct buf *out)
{
    struct exporter *x = state;
    close_metric(x, out);
    codec_pb_end(out, x->scope);
    codec_pb_end(out, x->resource);
    for (int i = 0; x->grpc && i < 4; i++)
        out->ptr[1 + i] = (char)((out->len - 5) >> (24 - 8 * i));
}

const struct output__format output__otlp = {.histograms = true,
                                            .stale = true,
                                            .content_type = "application/x-protobuf",
                                            .content_encoding = "gzip",
                                            .create = otlp_new,
                                            .destroy = otlp_free,
                                            .begin = otlp_begin,
                                            .row = put_row,
                                            .end = otlp_end};
const struct output__format output__otlp_grpc = {.histograms = true,
                                                 .stale = true,
                                                 .content_type = "application/grpc",
                                                 .create = otlp_new,
                                                 .destroy = otlp_free,
                                                 .begin = otlp_begin,
                                                 .row = put_row,
                                                 .end = otlp_end};
