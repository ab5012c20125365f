#include "data/metric_batch.h"

#include <math.h>
#include <setjmp.h>

#include <cmocka.h>

static void columns_stay_aligned(void **state)
{
    (void)state;
    struct data_metric_batch *b = data_metric_batch_new(SLICE("t1"));
    struct data_label l[] = {{SLICE("__name__"), SLICE("m")}};
    uint32_t s = data_metric_batch_add_series(b, (struct data_labels){l, 1});
    data_metric_batch_add_sample(b, s, 10, 1.5);
    double buckets[] = {1, 2};
    struct data_histogram_span span = {.offset = 0, .length = 2};
    struct data_histogram h = {.schema = 1,
                               .count = 3,
                               .sum = 9,
                               .positive = buckets,
                               .positive_count = 2,
                               .positive_spans = &span,
                               .positive_span_count = 1};
    data_metric_batch_add_histogram(b, s, 20, &h);
    data_metric_batch_set_start(b, 5);
    data_metric_batch_add_sample(b, s, 30, 2.5);
    assert_int_equal(b->sample_ts.len, 3);
    assert_int_equal(b->sample_histogram.len, 3);
    assert_int_equal(b->sample_start.len, 3);
    assert_null(b->sample_histogram.items[0]);
    assert_null(b->sample_histogram.items[2]);
    assert_ptr_not_equal(b->sample_histogram.items[1], &h);
    assert_true(data_histogram_identical(b->sample_histogram.items[1], &h));
    assert_int_equal(b->sample_start.items[1], 5);
    assert_int_equal(b->sample_start.items[2], 0);
    data_metric_batch_reset(b);
    s = data_metric_batch_add_series(b, (struct data_labels){l, 1});
    data_metric_batch_add_sample(b, s, 1, 1);
    assert_int_equal(b->sample_histogram.len, 0);
    assert_true(hash128_eq(b->series.items[0].id, data_labels_key_hash(b->series.items[0].key)));
    data_metric_batch_free(b);
}

static void staleness_is_one_nan(void **state)
{
    (void)state;
    assert_true(data_is_stale(data_stale_nan()));
    assert_false(data_is_stale(NAN));
    assert_false(data_is_stale(0));
}

static void bad_histograms_are_refused(void **state)
{
    (void)state;
    double buckets[] = {1, -2};
    struct data_histogram_span span = {.offset = 0, .length = 3};
    struct data_histogram h = {.schema = 1,
                               .positive = buckets,
                               .positive_count = 2,
                               .positive_spans = &span,
                               .positive_span_count = 1};
    assert_int_equal(data_histogram_check(&h, NULL), ERR_INVALID);
    span.length = 2;
    assert_int_equal(data_histogram_check(&h, NULL), ERR_INVALID);
    h.reset_hint = DATA_RESET_GAUGE;
    assert_int_equal(data_histogram_check(&h, NULL), 0);
    h.schema = 9;
    assert_int_equal(data_histogram_check(&h, NULL), ERR_INVALID);
    double bounds[] = {2, 1};
    h.schema = DATA_HISTOGRAM_SCHEMA_CUSTOM;
    h.custom_bounds = bounds;
    h.custom_bound_count = 2;
    struct diag d;
    diag_init(&d);
    assert_int_equal(data_histogram_check(&h, &d), ERR_INVALID);
    assert_string_equal(d.msg,
                        "native histogram: custom bounds must ascend, but 2 is followed by 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_stay_aligned),
        cmocka_unit_test(staleness_is_one_nan),
        cmocka_unit_test(bad_histograms_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
