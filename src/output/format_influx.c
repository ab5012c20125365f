/* InfluxDB's line protocol: measurement = name, tags = labels, the value as field `value`; a
 * histogram as one line with count, sum and the cumulated count of each upper bound, as Telegraf
 * writes Prometheus' histograms.
 * Specification: docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol */
#include <math.h>

#include "data/histogram_math.h"
#include "output/output_priv.h"

/* A backslash before `special`; what would end the line becomes a space, a backslash at the end (it
 * would take the separator with it) gets lost. */
static void put_escaped(struct slice s, const char *special, struct buf *out)
{
    while (s.len && s.ptr[s.len - 1] == '\\')
        s.len--;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\n' || c == '\r' || c == '\0')
            c = ' ';
        if (strchr(special, c))
            buf_append_char(out, '\\');
        buf_append_char(out, c);
    }
}

static void put_field(const char *name, double v, bool first, struct buf *out)
{
    if (!isfinite(v))
        return;
    if (!first)
        buf_append_char(out, ',');
    buf_append_cstr(out, name);
    buf_append_char(out, '=');
    codec_append_double(out, v, CODEC_DOUBLE_JSON);
}

static void put_histogram(const struct data_histogram *h, data_histogram_bucket_list *buckets,
                          struct buf *out)
{
    double below = 0;
    char bound[CODEC_DOUBLE_TEXT_MAX + 1];
    put_field("count", h->count, true, out);
    put_field("sum", h->sum, false, out);
    data_histogram_buckets(h, buckets);
    for (size_t i = 0; i < buckets->len && !isinf(buckets->items[i].upper); i++) {
        below += buckets->items[i].count;
        bound[codec_double_to_text(buckets->items[i].upper, CODEC_DOUBLE_GENERAL, bound)] = 0;
        put_field(bound, below, false, out);
    }
    put_field("+Inf", h->count, false, out);
}

static bool put_row(void *state, const struct output__row *row, struct buf *out)
{
    if (row->histogram ? row->histogram->is_stale : !isfinite(row->value))
        return false;
    put_escaped(row->name, ", ", out);
    for (size_t i = 0; i < row->labels.count; i++) {
        struct data_label l = row->labels.items[i];
        if (slice_eq(l.name, SLICE(DATA_METRIC_NAME)))
            continue;
        buf_append_char(out, ',');
        put_escaped(l.name, ",= ", out);
        buf_append_char(out, '=');
        size_t before = out->len;
        put_escaped(l.value, ",= ", out);
        if (out->len == before)
            buf_append_char(out, '_'); /* nothing but backslashes */
    }
    buf_append_char(out, ' ');
    if (row->histogram)
        put_histogram(row->histogram, state, out);
    else
        put_field("value", row->value, true, out);
    buf_append_char(out, ' ');
    codec_append_int(out, row->ts_ns);
    buf_append_char(out, '\n');
    return true;
}

static void *influx_new(const struct output__settings *settings)
{
    (void)settings;
    return mem_calloc(1, sizeof(data_histogram_bucket_list));
}

static void influx_free(void *state)
{
    data_histogram_bucket_list *buckets = state;
    vec_free(buckets);
    mem_free(buckets);
}

const struct output__format output__influx = {.histograms = true,
                                              .lines = true,
                                              .content_type = "text/plain; charset=utf-8",
                                              .content_encoding = "gzip",
                                              .create = influx_new,
                                              .destroy = influx_free,
                                              .row = put_row};
