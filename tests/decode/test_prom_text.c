#include "decode/prom_text.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

static struct data_metric_batch *parse(enum decode_text_format format, const char *body)
{
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    struct diag d;
    diag_init(&d);
    int err = decode_text_body(format, slice_cstr(body), 5000, b, &d);
    if (err)
        print_error("%u:%u: %s\n", d.line, d.col, d.msg);
    assert_int_equal(err, 0);
    return b;
}

static void assert_refused(enum decode_text_format format, const char *body, const char *want)
{
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    struct diag d;
    char text[1200];
    diag_init(&d);
    assert_int_equal(decode_text_body(format, slice_cstr(body), 0, b, &d), ERR_INVALID);
    assert_string_equal(diag_str(&d, text, sizeof(text)), want);
    data_metric_batch_free(b);
}

static void assert_series(const struct data_metric_batch *b, size_t i, const char *want)
{
    struct arena *arena = arena_new(0, NULL);
    struct data_labels l;
    struct buf text = {0};
    assert_true(i < b->series.len);
    assert_int_equal(data_labels_decode(b->series.items[i].key, arena, &l), 0);
    data_labels_print(l, &text);
    assert_string_equal(buf_cstr(&text), want);
    buf_deinit(&text);
    arena_free(arena);
}

static void plain_text(void **state)
{
    (void)state;
    struct data_metric_batch *b =
        parse(DECODE_TEXT_PLAIN, "# HELP a  A\\\\b\\nc\n"
                                 "#TYPE is a comment here\n"
                                 "# any comment\n"
                                 "\n"
                                 "# TYPE a untyped\n"
                                 "a 1\n"
                                 "  a{b=\"c\"} 2 123\n"
                                 "\ta { x = \"y\\n\\\"z\\q\" , } +Inf -5 \n"
                                 "{\"my.metric\",\"l.b\"=\"v\",c=\"\"} NaN\n"
                                 "# TYPE h histogram\n"
                                 "h_bucket{le=\"1\"} 3\n"
                                 "h_bucket{le=\"+Inf\"} 3\n"
                                 "# TYPE s summary\n"
                                 "s{quantile=\"0\"} 1e3");
    assert_int_equal(b->series.len, 7);
    assert_series(b, 0, "a");
    assert_series(b, 1, "a{b=\"c\"}");
    assert_series(b, 2, "a{x=\"y\\n\\\"z\\\\q\"}");
    assert_series(b, 3, "{\"my.metric\", \"l.b\"=\"v\"}");
    assert_series(b, 4, "h_bucket{le=\"1.0\"}");
    assert_series(b, 5, "h_bucket{le=\"+Inf\"}");
    assert_series(b, 6, "s{quantile=\"0.0\"}");
    assert_int_equal(b->sample_ts.items[0], 5000);
    assert_int_equal(b->sample_ts.items[1], 123 * NS_PER_MS);
    assert_int_equal(b->sample_ts.items[2], -5 * NS_PER_MS);
    assert_true(isinf(b->sample_value.items[2]));
    assert_true(isnan(b->sample_value.items[3]));
    assert_true(b->sample_value.items[6] == 1000);
    assert_true(slice_eq_cstr(b->metadata.items[0].help, "A\\b\nc"));
    assert_int_equal(b->metadata.len, 3);
    data_metric_batch_free(b);
}

static void plain_text_refusals(void **state)
{
    (void)state;
    assert_refused(DECODE_TEXT_PLAIN, "a 1\nb{x=\"1} 2\n",
                   "2:2: the labels do not end on this line");
    assert_refused(DECODE_TEXT_PLAIN, "a{x=1} 2\n",
                   "1:5: the value of label \"x\" must stand in double quotes");
    assert_refused(DECODE_TEXT_PLAIN, "a 0x1p4\n", "1:3: the value is no number");
    assert_refused(DECODE_TEXT_PLAIN, "a 1_0\n", "1:3: the value is no number");
    assert_refused(DECODE_TEXT_PLAIN, "a 1 1.5\n", "1:5: the timestamp must be whole milliseconds");
    assert_refused(DECODE_TEXT_PLAIN, "a 1 1 1\n", "1:7: the line should end here");
    assert_refused(DECODE_TEXT_PLAIN, "a\n",
                   "1:2: a space and the value are expected behind the series");
    assert_refused(DECODE_TEXT_PLAIN, "a{b=\"1\",b=\"2\"} 1\n", "1:1: label \"b\" is given twice");
    assert_refused(DECODE_TEXT_PLAIN, "{b=\"1\"} 1\n", "1:1: the series has no metric name");
    assert_refused(DECODE_TEXT_PLAIN, "a{b=\"\xff\"} 1\n", "1:1: the series is not valid UTF-8");
    assert_refused(DECODE_TEXT_PLAIN, "# TYPE a meh\n",
                   "1:10: unknown metric type; known are counter, gauge, histogram, summary, "
                   "unknown (untyped), gaugehistogram, info, stateset");
    assert_refused(DECODE_TEXT_PLAIN, "-a 1\n", "1:1: a metric name is expected");
}

static void openmetrics(void **state)
{
    (void)state;
    struct data_metric_batch *b = parse(
        DECODE_TEXT_OPENMETRICS, "# TYPE req counter\n"
                                 "# UNIT req \n"
                                 "# HELP req requests \\\"made\\\"\n"
                                 "req_total{code=\"200\"} 5 1.5 # {trace_id=\"x\\\"y\"} 0.25 1.25\n"
                                 "req_created{code=\"200\"} 1000.125 1.5\n"
                                 "req_total{code=\"500\"} 1\n"
                                 "# TYPE lat histogram\n"
                                 "lat_bucket{le=\"0.5\"} 1\n"
                                 "lat_bucket{le=\"+Inf\"} 2\n"
                                 "lat_count 2\n"
                                 "lat_sum 1.5\n"
                                 "lat_created 7\n"
                                 "# EOF\n");
    assert_series(b, 0, "req_total{code=\"200\"}");
    assert_int_equal(b->sample_ts.items[0], 1500 * NS_PER_MS);
    assert_int_equal(b->exemplars.len, 1);
    assert_true(slice_eq_cstr(b->exemplars.items[0].labels.items[0].value, "x\"y"));
    assert_int_equal(b->exemplars.items[0].ts_ns, 1250 * NS_PER_MS);
    assert_true(slice_eq_cstr(b->metadata.items[0].help, "requests \"made\""));
    assert_int_equal(b->sample_start.len, b->sample_ts.len);
    assert_int_equal(b->sample_start.items[0], INT64_C(1000125) * NS_PER_MS);
    assert_int_equal(b->sample_start.items[2], 0); /* another counter */
    for (size_t i = 3; i < 7; i++)
        assert_int_equal(b->sample_start.items[i], 7 * NS_PER_SEC);
    data_metric_batch_free(b);
    assert_refused(DECODE_TEXT_OPENMETRICS, "a 1\n", "2:1: the body ends without # EOF");
    assert_refused(DECODE_TEXT_OPENMETRICS, "# TYPE a counter\na_total -1\n# EOF\n",
                   "2:1: counter_total cannot be negative");
}

/* The second body finds its series in the cache; what left it is swept. */
static void cache_outlives_bodies(void **state)
{
    (void)state;
    struct decode_text_cache *cache = decode_text_cache_new(NULL, NULL);
    struct decode_text *p = decode_text_new(cache);
    struct decode_text_item item;
    struct decode_text_series *first[2];
    struct slice one = SLICE("a{x=\"1\"} 1\nb 2\n"), two = SLICE("b 3\n");
    decode_text_begin(p, DECODE_TEXT_PLAIN, false, one);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(decode_text_next(p, &item, NULL), 1);
        first[i] = item.series;
    }
    assert_int_equal(decode_text_next(p, &item, NULL), 0);
    decode_text_begin(p, DECODE_TEXT_PLAIN, false, two);
    assert_int_equal(decode_text_next(p, &item, NULL), 1);
    assert_ptr_equal(item.series, first[1]);
    assert_true(item.value == 3);
    assert_int_equal(decode_text_next(p, &item, NULL), 0);
    assert_int_equal(decode_text_cache_count(cache), 2);
    decode_text_cache_sweep(cache, decode_text_cache_generation(cache));
    assert_int_equal(decode_text_cache_count(cache), 1);
    decode_text_free(p);
    decode_text_cache_free(cache);
}

static void negotiation(void **state)
{
    (void)state;
    enum decode_text_format f;
    assert_int_equal(
        decode_text_negotiate(SLICE("text/plain; version=0.0.4; charset=utf-8"), NULL, &f, NULL),
        0);
    assert_int_equal(f, DECODE_TEXT_PLAIN);
    assert_int_equal(
        decode_text_negotiate(SLICE("application/openmetrics-text; version=1.0.0"), NULL, &f, NULL),
        0);
    assert_int_equal(f, DECODE_TEXT_OPENMETRICS);
    assert_int_equal(decode_text_negotiate(SLICE(""), NULL, &f, NULL), ERR_UNSUPPORTED);
    assert_int_equal(decode_text_negotiate(SLICE("text/html"), NULL, &f, NULL), ERR_UNSUPPORTED);
    assert_int_equal(decode_text_negotiate(SLICE("text/html"), "PrometheusText0.0.4", &f, NULL), 0);
    assert_int_equal(f, DECODE_TEXT_PLAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text),  cmocka_unit_test(plain_text_refusals),
        cmocka_unit_test(openmetrics), cmocka_unit_test(cache_outlives_bodies),
        cmocka_unit_test(negotiation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
