/* What is written for a scraper: the choice of a format, and histograms in each of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/exposition.h"

static void check_format(const char *accept, enum api_exposition_format format, bool text_1,
                         enum api_escaping escaping)
{
    struct api_exposition e;
    api_exposition_negotiate(slice_cstr(accept), &e);
    assert_int_equal(e.format, format);
    assert_int_equal(e.text_1, text_1);
    assert_int_equal(e.escaping, escaping);
}

static void negotiation(void **state)
{
    (void)state;
    check_format("", API_EXPOSITION_TEXT, false, API_ESCAPE_UNDERSCORES);
    check_format("*/*", API_EXPOSITION_TEXT, false, API_ESCAPE_UNDERSCORES);
    check_format("application/json", API_EXPOSITION_TEXT, false, API_ESCAPE_UNDERSCORES);
    check_format("text/plain;version=1.0.0;escaping=allow-utf-8", API_EXPOSITION_TEXT, true,
                 API_ESCAPE_ALLOW_UTF8);
    check_format("text/plain;version=9", API_EXPOSITION_TEXT, false, API_ESCAPE_UNDERSCORES);
    /* What Prometheus 3 sends. */
    check_format("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                 "application/openmetrics-text;version=0.0.1;q=0.5,"
                 "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
                 "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                 API_EXPOSITION_OPENMETRICS, true, API_ESCAPE_ALLOW_UTF8);
    check_format("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
                 "encoding=delimited;q=0.7, text/plain;version=0.0.4;q=0.3",
                 API_EXPOSITION_PROTOBUF, false, API_ESCAPE_UNDERSCORES);
    check_format("application/vnd.google.protobuf;proto=other;encoding=delimited;q=0.7",
                 API_EXPOSITION_TEXT, false, API_ESCAPE_UNDERSCORES);
    check_format("text/plain;q=0.3 , application/openmetrics-text ; q=0.4",
                 API_EXPOSITION_OPENMETRICS, false, API_ESCAPE_UNDERSCORES);
}

static struct data_histogram_span spans[] = {{0, 1}, {1, 2}};
static double counts[] = {1, 2, 4}, bounds[] = {0.5, 1, 2.5};
static const struct data_histogram custom = {.schema = DATA_HISTOGRAM_SCHEMA_CUSTOM,
                                             .count = 7,
                                             .sum = 10.5,
                                             .positive_spans = spans,
                                             .positive_span_count = 2,
                                             .positive = counts,
                                             .positive_count = 3,
                                             .custom_bounds = bounds,
                                             .custom_bound_count = 3};
static const struct data_label labels[] = {{SLICE_INIT("a"), SLICE_INIT("x")},
                                           {SLICE_INIT("instance"), SLICE_INIT("")}};

static void check_custom(const char *accept, const char *expected)
{
    struct api_exposition e;
    struct buf out = {0};
    struct data_histogram exponential = custom;
    struct api_exposition_sample s = {.name = SLICE("h"),
                                      .labels = labels,
                                      .label_count = 2,
                                      .ts_ns = 12345 * NS_PER_MS,
                                      .histogram = &custom};
    api_exposition_negotiate(slice_cstr(accept), &e);
    api_exposition_put(&e, &s, &out);
    exponential.schema = 1; /* has no text */
    s.histogram = &exponential;
    api_exposition_put(&e, &s, &out);
    s.histogram = NULL; /* the same name as a float: a family of its own */
    s.value = 3;
    api_exposition_put(&e, &s, &out);
    api_exposition_end(&e, &out);
    assert_string_equal(buf_cstr(&out), expected);
    api_exposition_deinit(&e);
    buf_deinit(&out);
}

static void custom_buckets_become_classic(void **state)
{
    (void)state;
    check_custom("text/plain", "# TYPE h histogram\n"
                               "h_bucket{a=\"x\",instance=\"\",le=\"0.5\"} 1 12345\n"
                               "h_bucket{a=\"x\",instance=\"\",le=\"1\"} 1 12345\n"
                               "h_bucket{a=\"x\",instance=\"\",le=\"2.5\"} 3 12345\n"
                               "h_bucket{a=\"x\",instance=\"\",le=\"+Inf\"} 7 12345\n"
                               "h_sum{a=\"x\",instance=\"\"} 10.5 12345\n"
                               "h_count{a=\"x\",instance=\"\"} 7 12345\n"
                               "# TYPE h untyped\n"
                               "h{a=\"x\",instance=\"\"} 3 12345\n");
    check_custom("application/openmetrics-text",
                 "# TYPE h histogram\n"
                 "h_bucket{a=\"x\",instance=\"\",le=\"0.5\"} 1.0 12.345\n"
                 "h_bucket{a=\"x\",instance=\"\",le=\"1.0\"} 1.0 12.345\n"
                 "h_bucket{a=\"x\",instance=\"\",le=\"2.5\"} 3.0 12.345\n"
                 "h_bucket{a=\"x\",instance=\"\",le=\"+Inf\"} 7.0 12.345\n"
                 "h_sum{a=\"x\",instance=\"\"} 10.5 12.345\n"
                 "h_count{a=\"x\",instance=\"\"} 7.0 12.345\n"
                 "# TYPE h unknown\n"
                 "h{a=\"x\",instance=\"\"} 3.0 12.345\n"
                 "# EOF\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(negotiation),
                                       cmocka_unit_test(custom_buckets_become_classic)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
