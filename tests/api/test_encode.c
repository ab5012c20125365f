/* Numbers, times, labels and histograms against what Prometheus prints. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/prometheus/encode.h"

static void check_value(double v, const char *expected)
{
    struct buf b = {0};
    api_encode_value(v, &b);
    assert_string_equal(buf_cstr(&b), expected);
    buf_deinit(&b);
}

static void values(void **state)
{
    (void)state;
    check_value(0, "\"0\"");
    check_value(-0.0, "\"-0\"");
    check_value(1, "\"1\"");
    check_value(1.5, "\"1.5\"");
    check_value(123456789, "\"123456789\"");
    check_value(1e20, "\"100000000000000000000\"");
    check_value(1e21, "\"1e+21\"");
    check_value(-1.25e22, "\"-1.25e+22\"");
    check_value(0.000001, "\"0.000001\"");
    check_value(9.9e-7, "\"9.9e-07\"");
    check_value(1e-7, "\"1e-07\"");
    check_value(5e-324, "\"5e-324\"");
    check_value(1.7976931348623157e308, "\"1.7976931348623157e+308\"");
    check_value(NAN, "\"NaN\"");
    check_value(INFINITY, "\"+Inf\"");
    check_value(-INFINITY, "\"-Inf\"");
}

static void check_time(int64_t ns, const char *expected)
{
    struct buf b = {0};
    api_encode_time(ns, &b);
    assert_string_equal(buf_cstr(&b), expected);
    buf_deinit(&b);
}

static void times(void **state)
{
    (void)state;
    check_time(0, "0");
    check_time(12300 * NS_PER_MS, "12.300");
    check_time(1700000000 * NS_PER_SEC, "1700000000");
    check_time(1700000000 * NS_PER_SEC + 5 * NS_PER_MS + 999, "1700000000.005");
    check_time(-1500 * NS_PER_MS, "-1.500");
    check_time(-1, "-0.001");
}

static void labels(void **state)
{
    struct data_label items[] = {{SLICE("__name__"), SLICE("up")},
                                 {SLICE("path"), SLICE("C:\\x\n\"<&>")}};
    struct buf b = {0};
    (void)state;
    api_encode_labels((struct data_labels){NULL, 0}, &b);
    assert_string_equal(buf_cstr(&b), "{}");
    buf_clear(&b);
    api_encode_labels((struct data_labels){items, 2}, &b);
    assert_string_equal(buf_cstr(&b), "{\"__name__\":\"up\",\"path\":\"C:\\\\x\\n\\\"<&>\"}");
    buf_deinit(&b);
}

static void check_histogram(const struct data_histogram *h, const char *expected)
{
    struct buf b = {0};
    api_encode_histogram(h, &b);
    assert_string_equal(buf_cstr(&b), expected);
    buf_deinit(&b);
}

static void histograms(void **state)
{
    struct data_histogram_span one[] = {{0, 2}, {1, 1}};
    double positive[] = {1, 2, 3}, negative[] = {4, 0, 5};
    double bounds[] = {1, 2.5}, custom[] = {1, 2, 3};
    struct data_histogram_span three[] = {{0, 3}};
    (void)state;
    struct data_histogram empty = {0};
    check_histogram(&empty, "{\"count\":\"0\",\"sum\":\"0\"}");
    struct data_histogram h = {.schema = 0,
                               .zero_threshold = 0.001,
                               .zero_count = 7,
                               .count = 22,
                               .sum = 18.4,
                               .positive_spans = one,
                               .positive_span_count = 2,
                               .positive = positive,
                               .positive_count = 3,
                               .negative_spans = one,
                               .negative_span_count = 2,
                               .negative = negative,
                               .negative_count = 3};
    check_histogram(&h, "{\"count\":\"22\",\"sum\":\"18.4\",\"buckets\":["
                        "[1,\"-8\",\"-4\",\"5\"],[1,\"-1\",\"-0.5\",\"4\"],"
                        "[3,\"-0.001\",\"0.001\",\"7\"],"
                        "[0,\"0.5\",\"1\",\"1\"],[0,\"1\",\"2\",\"2\"],[0,\"4\",\"8\",\"3\"]]}");
    struct data_histogram c = {.schema = DATA_HISTOGRAM_SCHEMA_CUSTOM,
                               .count = 6,
                               .sum = 10,
                               .positive_spans = three,
                               .positive_span_count = 1,
                               .positive = custom,
                               .positive_count = 3,
                               .custom_bounds = bounds,
                               .custom_bound_count = 2};
    check_histogram(&c, "{\"count\":\"6\",\"sum\":\"10\",\"buckets\":["
                        "[3,\"-Inf\",\"1\",\"1\"],[0,\"1\",\"2.5\",\"2\"],"
                        "[0,\"2.5\",\"+Inf\",\"3\"]]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(times),
                                       cmocka_unit_test(labels), cmocka_unit_test(histograms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
