/* Prometheus' remote write, both protocols; a payload is compressed with snappy when it is closed.
 * Specifications: prometheus.io/docs/specs/prw/remote_write_spec (prometheus.WriteRequest) and
 * remote_write_spec_2_0 (io.prometheus.write.v2.Request). */
#include "codec/compress.h"
#include "codec/pb.h"
#include "data/histogram_prom.h"
#include "output/output_priv.h"

struct writer {
    struct buf body;        /* of version 1; the time series of version 2 */
    struct map *symbols;    /* version 2: text -> number */
    struct buf symbol_text; /* their fields, in order */
    struct buf refs;
};

static void *writer_new(const struct output__settings *settings)
{
    struct writer *w = mem_calloc(1, sizeof(*w));
    (void)settings;
    w->symbols = map_new();
    return w;
}

static void writer_free(void *state)
{
    struct writer *w = state;
    buf_deinit(&w->body);
    buf_deinit(&w->symbol_text);
    buf_deinit(&w->refs);
    map_free(w->symbols);
    mem_free(w);
}

static void put_sample(struct buf *b, const struct output__row *row)
{
    size_t mark = codec_pb_begin(b, 2);
    codec_pb_put_double(b, 1, row->value);
    codec_pb_put_varint(b, 2, (uint64_t)(row->ts_ns / NS_PER_MS));
    codec_pb_end(b, mark);
}

static void put_label(struct buf *b, const struct data_label *l)
{
    size_t mark = codec_pb_begin(b, 1);
    codec_pb_put_bytes(b, 1, l->name);
    codec_pb_put_bytes(b, 2, l->value);
    codec_pb_end(b, mark);
}

/* One without a time has that of its sample. */
static int64_t exemplar_ts(const struct output__row *row, const struct data_batch_exemplar *e)
{
    return e->ts_ns ? e->ts_ns : row->ts_ns;
}

/* How large the payload is gets visible in `out` at its end only: the buffer counts instead. */
static bool put_row_1(void *state, const struct output__row *row, struct buf *out)
{
    struct writer *w = state;
    (void)out;
    size_t series = codec_pb_begin(&w->body, 1);
    for (size_t i = 0; i < row->labels.count; i++)
        put_label(&w->body, &row->labels.items[i]);
    if (row->histogram)
        data_histogram_put_prom(&w->body, 4, row->histogram, row->ts_ns / NS_PER_MS);
    else
        put_sample(&w->body, row);
    for (size_t i = 0; i < row->exemplar_count; i++) {
        const struct data_batch_exemplar *e = row->exemplars[i];
        size_t mark = codec_pb_begin(&w->body, 3);
        for (size_t k = 0; k < e->labels.count; k++)
            put_label(&w->body, &e->labels.items[k]);
        codec_pb_put_double(&w->body, 2, e->value);
        codec_pb_put_varint(&w->body, 3, (uint64_t)(exemplar_ts(row, e) / NS_PER_MS));
        codec_pb_end(&w->body, mark);
    }
    codec_pb_end(&w->body, series);
    return true;
}

static void end_1(void *state, struct buf *out)
{
    struct writer *w = state;
    codec_compress(CODEC_SNAPPY, 0, buf_slice(&w->body), out);
    buf_clear(&w->body);
}

static uint64_t symbol(struct writer *w, struct slice text)
{
    bool added;
    struct map_entry *e = map_put(w->symbols, text, &added);
    if (added) {
        e->value.u64 = map_count(w->symbols) - 1;
        codec_pb_put_bytes(&w->symbol_text, 4, text);
    }
    return e->value.u64;
}

static void find_refs(struct writer *w, struct data_labels labels)
{
    buf_clear(&w->refs);
    for (size_t i = 0; i < labels.count; i++) {
        codec_append_varint(&w->refs, symbol(w, labels.items[i].name));
        codec_append_varint(&w->refs, symbol(w, labels.items[i].value));
    }
}

static void begin_2(void *state, struct buf *out)
{
    struct writer *w = state;
    (void)out;
    symbol(w, SLICE("")); /* number 0 is the empty text */
}

static bool put_row_2(void *state, const struct output__row *row, struct buf *out)
{
    static const uint8_t types[DATA_METRIC_TYPE_COUNT] = {
        [DATA_METRIC_COUNTER] = 1,         [DATA_METRIC_GAUGE] = 2,   [DATA_METRIC_HISTOGRAM] = 3,
        [DATA_METRIC_GAUGE_HISTOGRAM] = 4, [DATA_METRIC_SUMMARY] = 5, [DATA_METRIC_INFO] = 6,
        [DATA_METRIC_STATESET] = 7};
    struct writer *w = state;
    (void)out;
    find_refs(w, row->labels);
    size_t series = codec_pb_begin(&w->body, 5);
    codec_pb_put_bytes(&w->body, 1, buf_slice(&w->refs));
    if (row->histogram)
        data_histogram_put_prom(&w->body, 3, row->histogram, row->ts_ns / NS_PER_MS);
    else
        put_sample(&w->body, row);
    for (size_t i = 0; i < row->exemplar_count; i++) {
        const struct data_batch_exemplar *e = row->exemplars[i];
        find_refs(w, e->labels);
        size_t one = codec_pb_begin(&w->body, 4);
        codec_pb_put_bytes(&w->body, 1, buf_slice(&w->refs));
        codec_pb_put_double(&w->body, 2, e->value);
        codec_pb_put_varint(&w->body, 3, (uint64_t)(exemplar_ts(row, e) / NS_PER_MS));
        codec_pb_end(&w->body, one);
    }
    size_t mark = codec_pb_begin(&w->body, 5);
    codec_pb_put_varint(&w->body, 1, types[row->type]);
    codec_pb_end(&w->body, mark);
    codec_pb_end(&w->body, series);
    return true;
}

static void end_2(void *state, struct buf *out)
{
    struct writer *w = state;
    buf_append_slice(&w->symbol_text, buf_slice(&w->body));
    codec_compress(CODEC_SNAPPY, 0, buf_slice(&w->symbol_text), out);
    buf_clear(&w->body);
    buf_clear(&w->symbol_text);
    map_clear(w->symbols);
}

const struct output__format output__remote_write_1 = {.histograms = true,
                                                      .stale = true,
                                                      .exemplars = true,
                                                      .content_type = "application/x-protobuf",
                                                      .content_encoding = "snappy",
                                                      .create = writer_new,
                                                      .destroy = writer_free,
                                                      .row = put_row_1,
                                                      .end = end_1};
const struct output__format output__remote_write_2 = {
    .histograms = true,
    .stale = true,
    .exemplars = true,
    .content_type = "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    .content_encoding = "snappy",
    .create = writer_new,
    .destroy = writer_free,
    .begin = begin_2,
    .row = put_row_2,
    .end = end_2};
