#include "pipe/delta.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#define S NS_PER_SEC

/* A store of one sample a series, in the test's hands. */
struct fixture {
    struct pipe_delta *delta;
    struct data_metric_batch *batch;
    struct pipe_delta_result result;
    struct pipe_delta_last stored; /* what is found of any series */
    size_t asked, series_asked;
    int64_t from_ns, to_ns;
    int err;
};

static int find(void *ctx, struct slice tenant, const struct data_batch_series *const *series,
                size_t count, int64_t t_min_ns, int64_t t_max_ns, struct arena *arena,
                struct pipe_delta_last *out)
{
    struct fixture *f = ctx;
    assert_true(slice_eq_cstr(tenant, "default") || slice_eq_cstr(tenant, "other"));
    assert_non_null(arena);
    assert_non_null(series[0]->key.ptr);
    f->asked++;
    f->series_asked += count;
    f->from_ns = t_min_ns;
    f->to_ns = t_max_ns;
    for (size_t i = 0; i < count; i++)
        out[i] = f->stored;
    return f->err;
}

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    struct pipe_delta_config config = {
        .series_max = 3, .idle_ns = 3600 * S, .find = find, .ctx = f};
    f->delta = pipe_delta_new(&config);
    f->batch = data_metric_batch_new(SLICE("default"));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pipe_delta_free(f->delta);
    data_metric_batch_free(f->batch);
    pipe_delta_result_free(&f->result);
    mem_free(f);
    return 0;
}

static uint32_t series(struct fixture *f, const char *name)
{
    struct data_label l = {SLICE("__name__"), slice_cstr(name)};
    return data_metric_batch_add_series(f->batch, (struct data_labels){&l, 1});
}

static void add(struct fixture *f, uint32_t s, int64_t ts_s, double value, int64_t start_s)
{
    data_metric_batch_add_sample(f->batch, s, ts_s * S, value);
    data_metric_batch_set_start(f->batch, start_s * S);
    data_metric_batch_set_delta(f->batch, true);
}

static void begin(struct fixture *f)
{
    data_metric_batch_reset(f->batch);
    pipe_delta_result_free(&f->result);
    memset(&f->result, 0, sizeof(f->result));
}

static void apply(struct fixture *f, int64_t now_s)
{
    pipe_delta_apply(f->delta, f->batch, now_s * S, &f->result);
    assert_int_equal(f->batch->sample_delta.len, 0);
    assert_int_equal(f->batch->sample_value.len, f->batch->sample_ts.len);
    assert_int_equal(f->batch->sample_series.len, f->batch->sample_ts.len);
}

/* One delta of series "a"; gives the cumulative value, or NaN when it was refused. */
static double one(struct fixture *f, int64_t ts_s, double value)
{
    begin(f);
    add(f, series(f, "a"), ts_s, value, ts_s - 10);
    apply(f, ts_s);
    return f->batch->sample_ts.len ? f->batch->sample_value.items[0] : __builtin_nan("");
}

static void sums_and_gaps(void **state)
{
    struct fixture *f = *state;
    assert_true(one(f, 100, 3) == 3);
    assert_int_equal(f->asked, 1);
    assert_int_equal(f->from_ns, (100 - 3600) * S);
    assert_int_equal(f->to_ns, (100 + 3600) * S);
    assert_true(one(f, 110, 4) == 7);
    assert_int_equal(f->batch->sample_start.items[0], 90 * S); /* of the first delta */
    assert_true(one(f, 500, 1) == 8);
    assert_int_equal(f->asked, 1);
}

static void order(void **state)
{
    struct fixture *f = *state;
    assert_true(one(f, 100, 3) == 3);
    /* Repeated, and older: refused, and nothing is added. */
    assert_true(one(f, 100, 3) != 3);
    assert_int_equal(f->result.refused[PIPE_DELTA_OUT_OF_ORDER], 1);
    assert_non_null(strstr(f->result.first_refusal.msg, "out_of_order"));
    assert_non_null(strstr(f->result.first_refusal.msg, "(100000 ms, last 100000 ms): a"));
    (void)one(f, 50, 3);
    assert_int_equal(f->result.refused[PIPE_DELTA_OUT_OF_ORDER], 1);
    assert_true(one(f, 120, 1) == 4);
    /* In a batch the good ones stay, with all their columns. */
    begin(f);
    uint32_t a = series(f, "a"), b = series(f, "b");
    data_metric_batch_add_sample(f->batch, b, 1 * S, 77);
    add(f, a, 110, 1, 100);
    add(f, a, 130, 2, 120);
    struct data_histogram h = {.is_integer = true, .count = 2, .zero_count = 2};
    data_metric_batch_add_histogram(f->batch, b, 2 * S, &h);
    add(f, a, 125, 2, 120);
    apply(f, 130);
    assert_int_equal(f->batch->sample_ts.len, 3);
    assert_int_equal(pipe_delta_refused(&f->result), 2);
    assert_true(f->batch->sample_value.items[0] == 77);
    assert_true(f->batch->sample_value.items[1] == 6);
    assert_int_equal(f->batch->sample_start.items[1], 90 * S);
    assert_int_equal(f->batch->sample_histogram.len, 3);
    assert_null(f->batch->sample_histogram.items[1]);
    assert_true(f->batch->sample_histogram.items[2]->count == 2);
}

static void goes_on_from_the_store(void **state)
{
    struct fixture *f = *state;
    f->stored = (struct pipe_delta_last){
        .is_found = true, .ts_ns = 90 * S, .start_ns = 10 * S, .value = 40};
    assert_true(one(f, 100, 2) == 42);
    assert_int_equal(f->batch->sample_start.items[0], 10 * S);
    /* Another tenant's is another series; older than what is stored. */
    begin(f);
    add(f, series(f, "a"), 80, 1, 70);
    struct slice own = f->batch->tenant;
    f->batch->tenant = SLICE("other");
    apply(f, 100);
    f->batch->tenant = own;
    assert_int_equal(f->result.refused[PIPE_DELTA_OUT_OF_ORDER], 1);
    /* A stale marker begins anew. */
    f->stored.value = data_stale_nan();
    begin(f);
    add(f, series(f, "c"), 100, 5, 90);
    apply(f, 100);
    assert_true(f->batch->sample_value.items[0] == 5);
}

static void failed_find_begins_anew(void **state)
{
    struct fixture *f = *state;
    f->stored = (struct pipe_delta_last){.is_found = true, .ts_ns = 90 * S, .value = 40};
    f->err = ERR_IO;
    assert_true(one(f, 100, 2) == 2);
}

static void forgetting(void **state)
{
    struct fixture *f = *state;
    assert_true(one(f, 100, 3) == 3);
    assert_true(one(f, 110, 3) == 6);
    pipe_delta_forget(f->delta, &f->result);
    assert_int_equal(pipe_delta_count(f->delta), 0);
    /* The store has what was acknowledged: the first one. The repetition is taken. */
    f->stored = (struct pipe_delta_last){.is_found = true, .ts_ns = 100 * S, .value = 3};
    assert_true(one(f, 110, 3) == 6);
    /* Idle for longer than an hour: found again. */
    f->stored = (struct pipe_delta_last){.is_found = true, .ts_ns = 110 * S, .value = 6};
    size_t asked = f->asked;
    begin(f);
    add(f, series(f, "b"), 5000, 1, 4990);
    f->stored.is_found = false;
    apply(f, 5000);
    assert_int_equal(pipe_delta_count(f->delta), 1);
    f->stored.is_found = true;
    assert_true(one(f, 5000, 1) == 7);
    assert_int_equal(f->asked, asked + 2);
}

static void series_limit(void **state)
{
    struct fixture *f = *state;
    begin(f);
    for (int i = 0; i < 5; i++) {
        char name[] = {'s', (char)('0' + i), 0};
        add(f, series(f, name), 100, 1, 90);
    }
    apply(f, 100);
    assert_int_equal(f->series_asked, 5);
    assert_int_equal(f->result.refused[PIPE_DELTA_SERIES_LIMIT], 2);
    assert_non_null(strstr(f->result.first_refusal.msg, "limits.otlp.delta_series"));
    assert_int_equal(f->batch->sample_ts.len, 3);
    assert_int_equal(pipe_delta_count(f->delta), 3);
}

static void histograms(void **state)
{
    struct fixture *f = *state;
    struct data_histogram_span span = {1, 2};
    double counts[] = {1, 2};
    struct data_histogram h = {.schema = 3,
                               .is_integer = true,
                               .count = 3,
                               .sum = 10,
                               .positive_spans = &span,
                               .positive_span_count = 1,
                               .positive = counts,
                               .positive_count = 2};
    for (int i = 0; i < 2; i++) {
        begin(f);
        data_metric_batch_add_histogram(f->batch, series(f, "h"), (100 + i) * S, &h);
        data_metric_batch_set_delta(f->batch, true);
        apply(f, 100);
    }
    const struct data_histogram *sum = f->batch->sample_histogram.items[0];
    assert_true(sum->count == 6 && sum->sum == 20 && sum->is_integer && sum->positive[1] == 4);
    assert_true(f->batch->sample_value.items[0] == 20);
    /* A coarser one makes the sum coarse. */
    h.schema = 2;
    begin(f);
    data_metric_batch_add_histogram(f->batch, series(f, "h"), 103 * S, &h);
    data_metric_batch_set_delta(f->batch, true);
    apply(f, 100);
    sum = f->batch->sample_histogram.items[0];
    assert_true(sum->schema == 2 && sum->count == 9);
    struct diag why;
    diag_init(&why);
    assert_int_equal(data_histogram_check(sum, &why), 0);
    /* Custom buckets cannot be added to it. */
    double bounds[] = {5};
    struct data_histogram_span all = {0, 2};
    h.schema = DATA_HISTOGRAM_SCHEMA_CUSTOM;
    h.positive_spans = &all;
    h.custom_bounds = bounds;
    h.custom_bound_count = 1;
    begin(f);
    data_metric_batch_add_histogram(f->batch, series(f, "h"), 104 * S, &h);
    data_metric_batch_set_delta(f->batch, true);
    apply(f, 100);
    assert_int_equal(f->result.refused[PIPE_DELTA_MIXED], 1);
    assert_int_equal(f->batch->sample_ts.len, 0);
    /* From the store. */
    f->stored = (struct pipe_delta_last){.is_found = true, .ts_ns = 90 * S, .histogram = &h};
    begin(f);
    data_metric_batch_add_histogram(f->batch, series(f, "k"), 100 * S, &h);
    data_metric_batch_set_delta(f->batch, true);
    apply(f, 100);
    sum = f->batch->sample_histogram.items[0];
    assert_true(sum->count == 6 && sum->is_integer && sum->custom_bound_count == 1);
}

/* Thousands of series, added and forgotten in between: every sum stays its own. */
static void many(void **state)
{
    struct fixture *f = *state;
    struct pipe_delta_config config = {.series_max = 10000, .idle_ns = 3600 * S};
    struct pipe_delta *d = pipe_delta_new(&config);
    for (int round = 1; round <= 3; round++) {
        begin(f);
        for (int i = 0; i < 2000; i++) {
            char name[16];
            snprintf(name, sizeof(name), "s%d", i);
            add(f, series(f, name), 100 + round, i, 90);
        }
        pipe_delta_apply(d, f->batch, 100 * S, &f->result);
        for (int i = 0; i < 2000; i++)
            assert_true(f->batch->sample_value.items[i] == (double)i * round);
    }
    struct pipe_delta_result half = {0};
    for (size_t i = 0; i < f->result.touched.len; i += 2)
        vec_push(&half.touched, f->result.touched.items[i]);
    pipe_delta_forget(d, &half);
    assert_int_equal(pipe_delta_count(d), 1000);
    begin(f);
    for (int i = 0; i < 2000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "s%d", i);
        add(f, series(f, name), 200, i, 90);
    }
    pipe_delta_apply(d, f->batch, 100 * S, &f->result);
    for (int i = 0; i < 2000; i++)
        assert_true(f->batch->sample_value.items[i] == (double)i * (i % 2 ? 4 : 1));
    pipe_delta_result_free(&half);
    pipe_delta_free(d);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(sums_and_gaps),
        TEST(order),
        TEST(goes_on_from_the_store),
        TEST(failed_find_begins_anew),
        TEST(forgetting),
        TEST(series_limit),
        TEST(histograms),
        TEST(many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
