#include "api/prometheus/encode.h"

#include <math.h>

#include "codec/json_write.h"
#include "data/histogram_math.h"

void api_encode_time(int64_t ts_ns, struct buf *out)
{
    int64_t ms = ts_ns / NS_PER_MS - (ts_ns % NS_PER_MS < 0);
    if (ms < 0) {
        buf_append_char(out, '-');
        ms = -ms;
    }
    codec_append_int(out, ms / 1000);
    if (ms % 1000)
        buf_printf(out, ".%03d", (int)(ms % 1000));
}

void api_encode_value(double v, struct buf *out)
{
    double a = fabs(v);
    bool exponent = a != 0 && (a < 1e-6 || a >= 1e21);
    buf_append_char(out, '"');
    codec_append_double(out, v, exponent ? CODEC_DOUBLE_GENERAL : CODEC_DOUBLE_PLAIN);
    buf_append_char(out, '"');
}

void api_encode_labels(struct data_labels labels, struct buf *out)
{
    buf_append_char(out, '{');
    for (size_t i = 0; i < labels.count; i++) {
        if (i)
            buf_append_char(out, ',');
        codec_json_append_string(out, labels.items[i].name);
        buf_append_char(out, ':');
        codec_json_append_string(out, labels.items[i].value);
    }
    buf_append_char(out, '}');
}

struct encode {
    struct buf *out;
    bool any;
};

static void put_bucket(struct encode *e, int rule, double low, double high, double count)
{
    if (count == 0)
        return;
    buf_append_cstr(e->out, e->any ? ",[" : ",\"buckets\":[[");
    e->any = true;
    buf_append_char(e->out, (char)('0' + rule));
    buf_append_char(e->out, ',');
    api_encode_value(low, e->out);
    buf_append_char(e->out, ',');
    api_encode_value(high, e->out);
    buf_append_char(e->out, ',');
    api_encode_value(count, e->out);
    buf_append_char(e->out, ']');
}

static void put_positive(struct encode *e, const struct data_histogram *h)
{
    bool custom = h->schema == DATA_HISTOGRAM_SCHEMA_CUSTOM;
    int32_t index = 0;
    uint32_t k = 0;
    for (uint32_t s = 0; s < h->positive_span_count; s++) {
        index += h->positive_spans[s].offset;
        for (uint32_t i = 0; i < h->positive_spans[s].length && k < h->positive_count;
             i++, k++, index++) {
            double low = data_histogram_bound(h, index - 1);
            if (!custom && low < h->zero_threshold)
                low = h->zero_threshold;
            put_bucket(e, custom && index == 0 ? 3 : 0, low, data_histogram_bound(h, index),
                       h->positive[k]);
        }
    }
}

static void put_negative(struct encode *e, const struct data_histogram *h)
{
    int32_t index = 0;
    uint32_t k = 0;
    for (uint32_t s = 0; s < h->negative_span_count; s++) {
        index += h->negative_spans[s].offset + (int32_t)h->negative_spans[s].length;
        k += h->negative_spans[s].length;
    }
    if (k != h->negative_count)
        return;
    /* From the largest magnitude to the smallest. */
    for (uint32_t s = h->negative_span_count; s-- > 0;) {
        for (uint32_t i = h->negative_spans[s].length; i-- > 0;) {
            index--;
            k--;
            double high = -data_histogram_bound(h, index - 1);
            if (high > -h->zero_threshold)
                high = -h->zero_threshold;
            put_bucket(e, 1, -data_histogram_bound(h, index), high, h->negative[k]);
        }
        index -= h->negative_spans[s].offset;
    }
}

void api_encode_histogram(const struct data_histogram *h, struct buf *out)
{
    struct encode e = {.out = out};
    buf_append_cstr(out, "{\"count\":");
    api_encode_value(h->count, out);
    buf_append_cstr(out, ",\"sum\":");
    api_encode_value(h->sum, out);
    put_negative(&e, h);
    if (h->zero_count > 0)
        put_bucket(&e, 3, -h->zero_threshold, h->zero_threshold, h->zero_count);
    put_positive(&e, h);
    buf_append_cstr(out, e.any ? "]}" : "}");
}
