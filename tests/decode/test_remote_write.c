#include "decode/remote_write.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/compress.h"
#include "codec/pb.h"

struct fixture {
    struct buf msg, scratch;
    struct data_metric_batch *batch;
    struct decode_write_result result;
    struct diag diag;
};

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    f->batch = data_metric_batch_new(SLICE("default"));
    diag_init(&f->diag);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    buf_deinit(&f->msg);
    buf_deinit(&f->scratch);
    data_metric_batch_free(f->batch);
    mem_free(f);
    return 0;
}

static void put_label(struct buf *b, uint32_t field, const char *name, const char *value)
{
    size_t m = codec_pb_begin(b, field);
    codec_pb_put_bytes(b, 1, slice_cstr(name));
    codec_pb_put_bytes(b, 2, slice_cstr(value));
    codec_pb_end(b, m);
}

static void put_sample(struct buf *b, double v, int64_t ts_ms)
{
    size_t m = codec_pb_begin(b, 2);
    codec_pb_put_double(b, 1, v);
    codec_pb_put_varint(b, 2, (uint64_t)ts_ms);
    codec_pb_end(b, m);
}

static void assert_series(const struct fixture *f, size_t i, const char *want)
{
    struct arena *arena = arena_new(0, NULL);
    struct data_labels l;
    struct buf text = {0};
    assert_true(i < f->batch->series.len);
    assert_int_equal(data_labels_decode(f->batch->series.items[i].key, arena, &l), 0);
    assert_true(hash128_eq(f->batch->series.items[i].id,
                           data_labels_key_hash(f->batch->series.items[i].key)));
    data_labels_print(l, &text);
    assert_string_equal(buf_cstr(&text), want);
    buf_deinit(&text);
    arena_free(arena);
}

/* Labels unsorted, one empty, samples before the labels of the second series. */
static void v1_reads_series(void **state)
{
    struct fixture *f = *state;
    struct buf *b = &f->msg;
    size_t m = codec_pb_begin(b, 1);
    put_label(b, 1, "job", "a");
    put_label(b, 1, "__name__", "up");
    put_label(b, 1, "gone", "");
    put_sample(b, 1.5, 1000);
    put_sample(b, -2, 2000);
    codec_pb_end(b, m);
    m = codec_pb_begin(b, 1);
    put_sample(b, 7, -5);
    put_label(b, 1, "__name__", "z\xc3\xbc");
    codec_pb_end(b, m);
    m = codec_pb_begin(b, 3);
    codec_pb_put_varint(b, 1, 1);
    codec_pb_put_bytes(b, 2, SLICE("up"));
    codec_pb_put_bytes(b, 4, SLICE("Is it up?"));
    codec_pb_end(b, m);
    assert_int_equal(decode_remote_write_v1(buf_slice(b), f->batch, &f->result, &f->diag), 0);
    assert_int_equal(f->result.series, 2);
    assert_int_equal(f->result.samples, 3);
    assert_int_equal(f->result.metadata, 1);
    assert_int_equal(f->result.refused_series, 0);
    assert_series(f, 0, "up{job=\"a\"}");
    assert_series(f, 1, "{\"z\xc3\xbc\"}");
    assert_int_equal(f->batch->sample_ts.items[1], 2 * NS_PER_SEC);
    assert_int_equal(f->batch->sample_ts.items[2], -5 * NS_PER_MS);
    assert_true(f->batch->sample_value.items[1] == -2);
    assert_int_equal(f->batch->metadata.items[0].type, DATA_METRIC_COUNTER);
    assert_true(slice_eq_cstr(f->batch->metadata.items[0].help, "Is it up?"));
}

/* One bad series among good ones: only it is refused, with the reason. */
static void v1_refuses_single_series(void **state)
{
    struct fixture *f = *state;
    struct buf *b = &f->msg;
    const char *bad[][4] = {{"job", "x", "", ""},
                            {"__name__", "m", "", "v"},
                            {"__name__", "m", "__name__", "n"},
                            {"__name__", "m", "a", "\xff"}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        size_t m = codec_pb_begin(b, 1);
        put_label(b, 1, bad[i][0], bad[i][1]);
        if (i)
            put_label(b, 1, bad[i][2], bad[i][3]);
        put_sample(b, 1, 1);
        put_sample(b, 1, 2);
        codec_pb_end(b, m);
        m = codec_pb_begin(b, 1);
        put_label(b, 1, "__name__", "good");
        put_sample(b, 1, 1);
        codec_pb_end(b, m);
    }
    assert_int_equal(decode_remote_write_v1(buf_slice(b), f->batch, &f->result, &f->diag), 0);
    assert_int_equal(f->result.samples, 4);
    assert_int_equal(f->batch->sample_ts.len, 4);
    assert_int_equal(f->result.refused_series, 4);
    assert_int_equal(f->result.refused_samples, 8);
    assert_int_equal(f->result.refused[DECODE_WRITE_NO_NAME], 1);
    assert_int_equal(f->result.refused[DECODE_WRITE_BAD_LABEL], 2);
    assert_int_equal(f->result.refused[DECODE_WRITE_DUP_LABEL], 1);
    assert_string_equal(f->result.first_refusal.msg, "no label __name__: series {job=\"x\"}");
}

/* An exemplar's label without a value is no label; one without a name is an error of its own. */
static void v1_exemplars(void **state)
{
    struct fixture *f = *state;
    struct buf *b = &f->msg;
    size_t m = codec_pb_begin(b, 1);
    put_label(b, 1, "__name__", "m");
    put_sample(b, 1, 1000);
    static const char *const rows[][4] = {
        {"z", "1", "a", "2"}, {"only", NULL, "b", "3"}, {"", "x", "c", "4"}, {"d", "1", "d", "2"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t e = codec_pb_begin(b, 3);
        for (int k = 0; k < 4; k += 2) {
            size_t l = codec_pb_begin(b, 1);
            codec_pb_put_bytes(b, 1, slice_cstr(rows[i][k]));
            if (rows[i][k + 1])
                codec_pb_put_bytes(b, 2, slice_cstr(rows[i][k + 1]));
            codec_pb_end(b, l);
        }
        codec_pb_put_double(b, 2, (double)i);
        codec_pb_end(b, e);
    }
    codec_pb_end(b, m);
    assert_int_equal(decode_remote_write_v1(buf_slice(b), f->batch, &f->result, NULL), 0);
    assert_int_equal(f->result.exemplars, 2);
    assert_int_equal(f->result.refused_exemplars, 2);
    assert_true(slice_eq_cstr(f->batch->exemplars.items[0].labels.items[0].name, "a"));
    assert_int_equal(f->batch->exemplars.items[1].labels.count, 1);
    assert_int_equal(f->result.refused[DECODE_WRITE_BAD_LABEL], 2);
}

/* Long labels, labels behind samples, bytes that are no ASCII: every way through gives one key. */
static void v1_spellings_agree(void **state)
{
    struct fixture *f = *state;
    char long_value[400];
    memset(long_value, 'v', sizeof(long_value) - 1);
    long_value[sizeof(long_value) - 1] = '\0';
    static const char *const order[3][4] = {
        {"__name__", "a", "b", "c"}, {"c", "b", "a", "__name__"}, {"a", "__name__", "c", "b"}};
    for (int i = 0; i < 3; i++) {
        size_t m = codec_pb_begin(&f->msg, 1);
        for (int k = 0; k < 4; k++) {
            const char *n = order[i][k];
            if (i == 2 && k == 2)
                put_sample(&f->msg, -1.5, 1790000000000);
            put_label(&f->msg, 1, n,
                      n[0] == '_'   ? "metric"
                      : n[0] == 'a' ? "\xc3\xa4"
                      : n[0] == 'b' ? long_value
                                    : "c");
        }
        if (i != 2)
            put_sample(&f->msg, -1.5, 1790000000000);
        codec_pb_end(&f->msg, m);
    }
    assert_int_equal(decode_remote_write_v1(buf_slice(&f->msg), f->batch, &f->result, NULL), 0);
    assert_int_equal(f->result.samples, 3);
    for (int i = 1; i < 3; i++)
        assert_true(slice_eq(f->batch->series.items[0].key, f->batch->series.items[i].key));
}

static void v1_refuses_times_out_of_range(void **state)
{
    struct fixture *f = *state;
    size_t m = codec_pb_begin(&f->msg, 1);
    put_label(&f->msg, 1, "__name__", "m");
    put_sample(&f->msg, 1, INT64_MAX / 1000);
    put_sample(&f->msg, 1, 5);
    codec_pb_end(&f->msg, m);
    assert_int_equal(decode_remote_write_v1(buf_slice(&f->msg), f->batch, &f->result, NULL), 0);
    assert_int_equal(f->result.samples, 1);
    assert_int_equal(f->result.refused_samples, 1);
    assert_int_equal(f->result.refused[DECODE_WRITE_BAD_TIME], 1);
}

/* Every cut of a good message either is an error with an offset, or a shorter good message. */
static void damage_is_told_with_its_place(void **state)
{
    struct fixture *f = *state;
    struct buf *b = &f->msg;
    size_t first = 0;
    for (int i = 0; i < 2; i++) {
        size_t m = codec_pb_begin(b, 1);
        put_label(b, 1, "__name__", "m");
        put_sample(b, 1, 1);
        codec_pb_end(b, m);
        if (!i)
            first = b->len;
    }
    for (size_t n = 1; n < b->len; n++) {
        data_metric_batch_reset(f->batch);
        diag_init(&f->diag);
        int err =
            decode_remote_write_v1(slice_first(buf_slice(b), n), f->batch, &f->result, &f->diag);
        if (n == first) {
            assert_int_equal(err, 0);
            continue;
        }
        assert_int_equal(err, ERR_INVALID);
        assert_true(f->diag.has_range && f->diag.begin <= n);
    }
    /* A wrong wire type is damage too. */
    buf_clear(b);
    codec_pb_put_varint(b, 1, 7);
    assert_int_equal(decode_remote_write_v1(buf_slice(b), f->batch, &f->result, NULL), ERR_INVALID);
}

static void put_histogram(struct buf *b, uint32_t field, int schema, uint64_t count)
{
    size_t m = codec_pb_begin(b, field);
    codec_pb_put_varint(b, 1, count);
    codec_pb_put_double(b, 3, 12.5);
    codec_pb_put_varint(b, 4, codec_zigzag(schema));
    codec_pb_put_double(b, 5, 0.001);
    codec_pb_put_varint(b, 6, 2);
    size_t s = codec_pb_begin(b, 11);
    codec_pb_put_varint(b, 1, codec_zigzag(1));
    codec_pb_put_varint(b, 2, 3);
    codec_pb_end(b, s);
    s = codec_pb_begin(b, 12); /* 1, 3, 2 */
    codec_append_varint(b, codec_zigzag(1));
    codec_append_varint(b, codec_zigzag(2));
    codec_append_varint(b, codec_zigzag(-1));
    codec_pb_end(b, s);
    codec_pb_put_varint(b, 14, 2);
    codec_pb_put_varint(b, 15, 1000);
    codec_pb_end(b, m);
}

static void native_histograms(void **state)
{
    struct fixture *f = *state;
    struct buf *b = &f->msg;
    size_t m = codec_pb_begin(b, 1);
    put_label(b, 1, "__name__", "h");
    put_histogram(b, 4, 3, 8);
    put_histogram(b, 4, 3, 9);  /* its buckets hold 8 */
    put_histogram(b, 4, 9, 8);  /* finer than stored */
    put_histogram(b, 4, 60, 8); /* no schema */
    codec_pb_end(b, m);
    assert_int_equal(decode_remote_write_v1(buf_slice(b), f->batch, &f->result, &f->diag), 0);
    assert_int_equal(f->result.histograms, 2);
    assert_int_equal(f->result.refused_histograms, 2);
    assert_non_null(strstr(f->result.first_refusal.msg, "hold 8 observations, but the count is 9"));
    const struct data_histogram *h = f->batch->sample_histogram.items[0];
    assert_true(h->is_integer);
    assert_int_equal(h->reset_hint, DATA_RESET_NO);
    assert_int_equal(h->positive_count, 3);
    assert_true(h->positive[0] == 1 && h->positive[1] == 3 && h->positive[2] == 2);
    h = f->batch->sample_histogram.items[1];
    assert_int_equal(h->schema, 8);
    /* Buckets 1, 2, 3 of schema 9 are 1, 1, 2 of schema 8. */
    assert_int_equal(h->positive_count, 2);
    assert_true(h->positive[0] == 4 && h->positive[1] == 2);
}

static void put_refs(struct buf *b, uint32_t field, const uint32_t *refs, size_t n)
{
    size_t m = codec_pb_begin(b, field);
    for (size_t i = 0; i < n; i++)
        codec_append_varint(b, refs[i]);
    codec_pb_end(b, m);
}

static void v2_reads_and_refuses(void **state)
{
    struct fixture *f = *state;
    struct buf *b = &f->msg;
    static const char *const symbols[] = {"",        "__name__", "lat_bucket", "le",    "+Inf",
                                          "help me", "seconds",  "trace_id",   "abc123"};
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++)
        codec_pb_put_bytes(b, 4, slice_cstr(symbols[i]));
    size_t m = codec_pb_begin(b, 5);
    put_refs(b, 1, (uint32_t[]){1, 2, 3, 4}, 4);
    size_t s = codec_pb_begin(b, 2);
    codec_pb_put_double(b, 1, 4);
    codec_pb_put_varint(b, 2, 3000);
    codec_pb_put_varint(b, 3, 1000);
    codec_pb_end(b, s);
    s = codec_pb_begin(b, 4);
    put_refs(b, 1, (uint32_t[]){7, 8}, 2);
    codec_pb_put_double(b, 2, 0.5);
    codec_pb_put_varint(b, 3, 2000);
    codec_pb_end(b, s);
    s = codec_pb_begin(b, 5);
    codec_pb_put_varint(b, 1, 3);
    codec_pb_put_varint(b, 3, 5);
    codec_pb_put_varint(b, 4, 6);
    codec_pb_end(b, s);
    codec_pb_end(b, m);
    m = codec_pb_begin(b, 5); /* a reference beyond the table */
    put_refs(b, 1, (uint32_t[]){1, 99}, 2);
    put_sample(b, 1, 1);
    codec_pb_end(b, m);
    m = codec_pb_begin(b, 5); /* half a pair */
    put_refs(b, 1, (uint32_t[]){1, 2, 3}, 3);
    put_sample(b, 1, 1);
    codec_pb_end(b, m);
    m = codec_pb_begin(b, 5); /* neither samples nor histograms */
    put_refs(b, 1, (uint32_t[]){1, 2}, 2);
    codec_pb_end(b, m);
    m = codec_pb_begin(b, 5); /* both */
    put_refs(b, 1, (uint32_t[]){1, 2}, 2);
    put_sample(b, 1, 1);
    put_histogram(b, 3, 3, 8);
    codec_pb_end(b, m);
    assert_int_equal(decode_remote_write_v2(buf_slice(b), f->batch, &f->result, &f->diag), 0);
    assert_int_equal(f->result.samples, 1);
    assert_int_equal(f->result.exemplars, 1);
    assert_series(f, 0, "lat_bucket{le=\"+Inf\"}");
    assert_int_equal(f->batch->sample_start.items[0], NS_PER_SEC);
    assert_true(slice_eq_cstr(f->batch->exemplars.items[0].labels.items[0].value, "abc123"));
    assert_int_equal(f->batch->exemplars.items[0].ts_ns, 2 * NS_PER_SEC);
    assert_int_equal(f->batch->metadata.len, 1);
    assert_true(slice_eq_cstr(f->batch->metadata.items[0].metric, "lat"));
    assert_true(slice_eq_cstr(f->batch->metadata.items[0].unit, "seconds"));
    assert_int_equal(f->result.refused_series, 4);
    assert_int_equal(f->result.refused_samples, 3);
    assert_int_equal(f->result.refused_histograms, 1);
    assert_int_equal(f->result.refused[DECODE_WRITE_BAD_REF], 2);
    assert_int_equal(f->result.refused[DECODE_WRITE_EMPTY], 1);
    assert_int_equal(f->result.refused[DECODE_WRITE_MIXED], 1);
}

static int decode(struct fixture *f, const char *type, const char *encoding, struct slice body)
{
    struct decode_write_request req = {
        .content_type = slice_cstr(type), .content_encoding = slice_cstr(encoding), .body = body};
    diag_init(&f->diag);
    data_metric_batch_reset(f->batch);
    return decode_remote_write(&req, &f->scratch, f->batch, &f->result, &f->diag);
}

static void negotiation_and_answers(void **state)
{
    struct fixture *f = *state;
    struct decode_write_answer a;
    struct buf packed = {0};
    size_t m = codec_pb_begin(&f->msg, 1);
    put_label(&f->msg, 1, "__name__", "m");
    put_sample(&f->msg, 1, 1);
    codec_pb_end(&f->msg, m);
    codec_compress(CODEC_SNAPPY, 0, buf_slice(&f->msg), &packed);
    struct slice body = buf_slice(&packed), plain = buf_slice(&f->msg);

    assert_int_equal(decode(f, "", "", body), 0);
    assert_int_equal(f->result.samples, 1);
    assert_int_equal(decode(f, "application/x-protobuf", "zstd", plain), 0);
    assert_int_equal(
        decode(f, "application/x-protobuf;proto=prometheus.WriteRequest", "snappy", body), 0);
    struct decode_write_stored stored = {.samples = 1};
    decode_write_answer(0, &f->diag, &f->result, &stored, &a);
    assert_int_equal(a.status, 204);
    assert_int_equal(a.header_count, 0);
    assert_string_equal(a.body, "");

    /* A 1.0 body under 2.0's name holds none of its fields: an empty request, and it is written. */
    assert_int_equal(decode(f, "application/x-protobuf; proto=\"io.prometheus.write.v2.Request\"",
                            "snappy", body),
                     0);
    assert_int_equal(f->result.version, DECODE_WRITE_V2);
    stored.samples = 0;
    decode_write_answer(0, &f->diag, &f->result, &stored, &a);
    assert_int_equal(a.status, 204);
    assert_int_equal(a.header_count, 3);
    assert_string_equal(a.headers[0].name, "X-Prometheus-Remote-Write-Samples-Written");
    assert_string_equal(a.headers[0].value, "0");

    int err = decode(f, "application/json", "", body);
    assert_int_equal(err, ERR_UNSUPPORTED);
    decode_write_answer(err, &f->diag, &f->result, NULL, &a);
    assert_int_equal(a.status, 415);
    err = decode(f, "application/x-protobuf;proto=other.Thing", "", body);
    assert_int_equal(err, ERR_UNSUPPORTED);
    err = decode(f, "application/x-protobuf", "br", body);
    assert_int_equal(err, ERR_UNSUPPORTED);
    err = decode(f, "application/x-protobuf", "snappy", plain);
    decode_write_answer(err, &f->diag, &f->result, NULL, &a);
    assert_int_equal(a.status, 400);

    assert_int_equal(decode(f, "", "", body), 0);
    stored = (struct decode_write_stored){.err = ERR_NOSPACE, .first_refusal = "the disk is full"};
    decode_write_answer(0, NULL, &f->result, &stored, &a);
    assert_int_equal(a.status, 503);
    assert_string_equal(a.body, "the disk is full\n");
    stored = (struct decode_write_stored){.err = ERR_IO};
    decode_write_answer(0, NULL, &f->result, &stored, &a);
    assert_int_equal(a.status, 500);
    stored = (struct decode_write_stored){.refused = 1, .first_refusal = "too old: m"};
    decode_write_answer(0, NULL, &f->result, &stored, &a);
    assert_int_equal(a.status, 400);
    assert_string_equal(a.body,
                        "remote write: 1 of 1 samples, histograms and exemplars refused (by "
                        "the store 1); the rest is written. First: too old: m\n");
    buf_deinit(&packed);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(v1_reads_series),
        T(v1_exemplars),
        T(v1_spellings_agree),
        T(v1_refuses_single_series),
        T(v1_refuses_times_out_of_range),
        T(damage_is_told_with_its_place),
        T(native_histograms),
        T(v2_reads_and_refuses),
        T(negotiation_and_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
