/* What each format makes of a batch, and what settings are refused. The receivers' own view of it
 * is in tests/e2e/test_outputs.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/compress.h"
#include "codec/pb.h"
#include "output/output_priv.h"

#define TS_NS (INT64_C(1700000000) * NS_PER_SEC)

static struct output_config *parse(const char *yaml, struct diag *diag)
{
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *root = NULL;
    struct output_config *config = NULL;
    diag_init(diag);
    assert_int_equal(text_yaml_parse(slice_cstr(yaml), arena, &root, diag), 0);
    (void)!output_config_parse(root, &config, diag);
    arena_free(arena);
    return config;
}

struct encoding {
    const struct output__format *format;
    void *state;
    struct buf out;
    size_t rows, refused;
};

static void add(void *ctx, const struct output__row *row)
{
    struct encoding *e = ctx;
    if (!e->rows++ && e->format->begin)
        e->format->begin(e->state, &e->out);
    e->refused += !e->format->row(e->state, row, &e->out);
}

/* The batch through the output of that configuration, as text with a NUL behind it. */
static char *encode(const char *yaml, const struct data_metric_batch *batch, size_t *out_len,
                    size_t *out_refused)
{
    struct diag diag;
    struct output_config *config = parse(yaml, &diag);
    if (!config)
        fail_msg("%s", diag.msg);
    struct output__types *types = output__types_new();
    struct encoding e = {.format = output__format_of(&config->items[0])};
    if (e.format->create)
        e.state = e.format->create(&config->items[0]);
    output__types_learn(types, batch);
    output__rows(&config->items[0], e.format, types, batch, add, &e);
    if (e.rows && e.format->end)
        e.format->end(e.state, &e.out);
    if (e.format->destroy)
        e.format->destroy(e.state);
    output__types_free(types);
    output_config_free(config);
    if (out_refused)
        *out_refused = e.refused;
    buf_cstr(&e.out);
    size_t len;
    char *text = buf_take(&e.out, &len);
    if (out_len)
        *out_len = len;
    return text;
}

static void expect(const char *yaml, const struct data_metric_batch *batch, const char *want)
{
    char *text = encode(yaml, batch, NULL, NULL);
    assert_string_equal(text, want);
    mem_free(text);
}

static uint32_t add_series(struct data_metric_batch *b, const char *name, const char *label,
                           const char *value)
{
    struct data_labels_builder builder = {0};
    struct data_labels set;
    data_labels_builder_set(&builder, SLICE(DATA_METRIC_NAME), slice_cstr(name));
    if (label)
        data_labels_builder_set(&builder, slice_cstr(label), slice_cstr(value));
    assert_int_equal(data_labels_builder_finish(&builder, &set, NULL), 0);
    uint32_t at = data_metric_batch_add_series(b, set);
    data_labels_builder_deinit(&builder);
    return at;
}

static struct data_metric_batch *one(const char *name, const char *label, const char *value,
                                     double v)
{
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    data_metric_batch_add_sample(b, add_series(b, name, label, value), TS_NS, v);
    return b;
}

/* 2 in (1, 2], 1 in (4, 8], 1 at zero. */
static struct data_metric_batch *with_histogram(void)
{
    static struct data_histogram_span spans[] = {{1, 1}, {1, 1}};
    static double counts[] = {2, 1};
    struct data_histogram h = {.is_integer = true,
                               .zero_threshold = 0.001,
                               .zero_count = 1,
                               .count = 4,
                               .sum = 10.5,
                               .positive_spans = spans,
                               .positive_span_count = 2,
                               .positive = counts,
                               .positive_count = 2};
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    data_metric_batch_add_histogram(b, add_series(b, "lat", "a", "b"), TS_NS, &h);
    return b;
}

static void test_graphite(void **state)
{
    (void)state;
    struct data_metric_batch *b = one("a b", "tag", "x;y z", 1.5);
    expect("g: {type: graphite, url: \"h:2003\"}", b, "a_b;tag=x_y_z 1.5 1700000000\n");
    expect("g: {type: graphite, url: \"h:2003\", prefix: p., labels: {host: me, tag: no}}", b,
           "p.a_b;host=me;tag=x_y_z 1.5 1700000000\n");
    data_metric_batch_free(b);
    b = with_histogram();
    expect("g: {type: graphite, url: \"h:2003\"}", b,
           "lat_bucket;a=b;le=0.001 1 1700000000\nlat_bucket;a=b;le=2 3 1700000000\n"
           "lat_bucket;a=b;le=8 4 1700000000\nlat_bucket;a=b;le=+Inf 4 1700000000\n"
           "lat_sum;a=b 10.5 1700000000\nlat_count;a=b 4 1700000000\n");
    data_metric_batch_free(b);
}

static void test_what_has_no_form_is_counted(void **state)
{
    const double values[] = {NAN, INFINITY, -INFINITY};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        static const char *const outputs[] = {"g: {type: graphite, url: \"h:2003\"}",
                                              "g: {type: influxdb, url: \"udp://h:1\"}",
                                              "g: {type: dogstatsd, url: \"h:1\"}"};
        struct data_metric_batch *b = one("a", NULL, NULL, values[i]);
        for (size_t k = 0; k < ARRAY_LEN(outputs); k++) {
            size_t refused;
            char *text = encode(outputs[k], b, NULL, &refused);
            assert_string_equal(text, "");
            assert_int_equal(refused, 1);
            mem_free(text);
        }
        data_metric_batch_free(b);
    }
    struct data_metric_batch *b = one("a", NULL, NULL, data_stale_nan());
    expect("g: {type: graphite, url: \"h:2003\"}", b, "");
    data_metric_batch_free(b);
}

static void test_pickle(void **state)
{
    static const char want[] = "\0\0\0\x21\x80\x02](X\x01\0\0\0a\x8a\x08\x00\xf1\x53\x65\0\0\0\0G"
                               "\x3f\xf8\0\0\0\0\0\0\x86\x86"
                               "e.";
    size_t len;
    (void)state;
    struct data_metric_batch *b = one("a", NULL, NULL, 1.5);
    char *text = encode("g: {type: graphite, url: \"h:2004\", protocol: pickle}", b, &len, NULL);
    assert_int_equal(len, sizeof(want) - 1);
    assert_memory_equal(text, want, len);
    mem_free(text);
    data_metric_batch_free(b);
}

static void test_influx(void **state)
{
    (void)state;
    struct data_metric_batch *b = one("a b,c", "t =", "x,y=\n\\", 2);
    expect("i: {type: influxdb, url: \"http://h\"}", b,
           "a\\ b\\,c,t\\ \\==x\\,y\\=\\  value=2 1700000000000000000\n");
    data_metric_batch_free(b);
    b = with_histogram();
    expect("i: {type: influxdb, url: \"http://h\"}", b,
           "lat,a=b count=4,sum=10.5,0.001=1,2=3,8=4,+Inf=4 1700000000000000000\n");
    data_metric_batch_free(b);
}

static void test_dogstatsd(void **state)
{
    (void)state;
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    uint32_t at = add_series(b, "hits", "a:b", "x|y,z");
    data_metric_batch_add_metadata(b, SLICE("hits"), DATA_METRIC_COUNTER, SLICE(""), SLICE(""));
    data_metric_batch_add_sample(b, at, TS_NS, 0);
    data_metric_batch_add_sample(b, at, TS_NS + 1, 3);
    data_metric_batch_add_sample(b, at, TS_NS + 2, 3);
    data_metric_batch_add_sample(b, at, TS_NS + 3, 2); /* began anew */
    data_metric_batch_add_sample(b, add_series(b, "q", NULL, NULL), TS_NS, 7);
    expect("d: {type: dogstatsd, url: \"h:8125\"}", b,
           "hits:3|c|#a_b:x_y_z\nhits:2|c|#a_b:x_y_z\nq:7|g\n");
    data_metric_batch_free(b);
    b = with_histogram();
    expect("d: {type: dogstatsd, url: \"h:8125\"}", b,
           "lat:0|d|#a:b\nlat:1.4142135623730951|d|@0.5|#a:b\nlat:5.656854249492381|d|#a:b\n");
    data_metric_batch_free(b);
}

/* The first field of that number, or what is left of `in` when there is none. */
static struct slice dig(struct slice in, uint32_t number)
{
    struct codec_pb_reader r = codec_pb_reader(in);
    struct codec_pb_field f;
    while (codec_pb_next(&r, &f)) {
        if (f.number == number && f.wire == CODEC_PB_BYTES)
            return f.bytes;
    }
    fail_msg("no field %u", number);
    return in;
}

static void test_otlp(void **state)
{
    (void)state;
    struct data_metric_batch *b = with_histogram();
    size_t len;
    char *bytes = encode("o: {type: otlp, url: \"grpc://h:4317\"}", b, &len, NULL);
    assert_int_equal((unsigned char)bytes[4], len - 5); /* gRPC's prefix */
    struct slice metric = dig(dig(dig(slice_make(bytes + 5, len - 5), 1), 2), 2);
    assert_true(slice_eq(dig(metric, 1), SLICE("lat")));
    struct slice point = dig(dig(metric, 10), 1), positive = dig(point, 8);
    /* Buckets from (1, 2] on: offset 0, with the empty one between. */
    assert_true(slice_eq(dig(positive, 2), SLICE("\2\0\1")));
    mem_free(bytes);
    data_metric_batch_free(b);
}

static void test_remote_write(void **state)
{
    static const char *const outputs[] = {
        "r: {type: remote_write, url: \"http://h\"}",
        "r: {type: remote_write, version: '2.0', url: \"http://h\"}"};
    (void)state;
    struct data_metric_batch *b = one("up", "job", "x", data_stale_nan());
    for (size_t i = 0; i < ARRAY_LEN(outputs); i++) {
        size_t len;
        struct buf raw = {0};
        char *bytes = encode(outputs[i], b, &len, NULL);
        assert_int_equal(codec_decompress(CODEC_SNAPPY, slice_make(bytes, len), 4096, &raw, NULL),
                         0);
        struct slice series = dig(buf_slice(&raw), i ? 5 : 1), sample = dig(series, 2);
        struct codec_pb_reader r = codec_pb_reader(sample);
        struct codec_pb_field f;
        assert_true(codec_pb_next(&r, &f));
        assert_true(f.num == DATA_STALE_NAN_BITS);
        if (i)
            assert_true(slice_eq(dig(series, 1), SLICE("\1\2\3\4")));
        else
            assert_true(slice_eq(dig(dig(series, 1), 1), SLICE(DATA_METRIC_NAME)));
        buf_deinit(&raw);
        mem_free(bytes);
    }
    data_metric_batch_free(b);
}

static void test_relabelling(void **state)
{
    (void)state;
    struct data_metric_batch *b = one("a", "job", "x", 1);
    data_metric_batch_add_sample(b, add_series(b, "b", "job", "y"), TS_NS, 2);
    expect("c: {type: console, relabel_configs: [{source_labels: [job], regex: x, action: drop}]}",
           b, "b{job=\"y\"} 2 1700000000000\n");
    expect("c: {type: console, relabel_configs: [{regex: job, action: labeldrop}]}", b,
           "a 1 1700000000000\nb 2 1700000000000\n");
    data_metric_batch_free(b);
}

static void test_settings(void **state)
{
    static const struct {
        const char *yaml, *words;
    } bad[] = {
        {"[1]", "outputs is a map"},
        {"a: 5", "a map of settings is expected"},
        {"a: {url: x}", "\"a\" is no kind of output"},
        {"graphite: {url: \"http://x\"}", "tcp://host:2003"},
        {"graphite: {url: \"udp://x:1\", protocol: pickle}", "tcp://host:2003"},
        {"graphite: {url: \"tcp://x\"}", "url"},
        {"dogstatsd: {url: \"tcp://x:1\"}", "udp://host:8125"},
        {"console: {url: x}", "console takes no url"},
        {"otlp: {url: \"x:1\"}", "http:// or https://"},
        {"otlp: {url: \"http://x\", headers: [1]}", "headers is a map"},
        {"otlp: {url: \"http://x\", labels: {a: [1]}}", "text is expected"},
        {"otlp: {url: \"http://x\", batch: 0}", "batch"},
        {"remote_write: {url: \"http://x\", relabel_configs: 1}", "outputs.remote_write"},
    };
    struct diag diag;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_null(parse(bad[i].yaml, &diag));
        if (!strstr(diag.msg, bad[i].words))
            fail_msg("%s: %s", bad[i].yaml, diag.msg);
        assert_true(diag.line > 0);
    }
    struct output_config *c = parse("influxdb: {url: \"https://h/x/\", database: a b}", &diag);
    assert_string_equal(c->items[0].post_to, "https://h/x/write?precision=ns&db=a%20b");
    output_config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graphite),     cmocka_unit_test(test_what_has_no_form_is_counted),
        cmocka_unit_test(test_pickle),       cmocka_unit_test(test_influx),
        cmocka_unit_test(test_dogstatsd),    cmocka_unit_test(test_otlp),
        cmocka_unit_test(test_remote_write), cmocka_unit_test(test_relabelling),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
