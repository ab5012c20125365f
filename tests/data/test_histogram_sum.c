/* Sums of native histograms, and whether a counter fell, do not depend on how the same buckets are
 * written down: with or without empty ones among them, in long spans or short ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../random.h"
#include "data/histogram_math.h"

#define BUCKETS 16
#define ROUNDS  3000

/* Counts of the buckets `begin` to begin + BUCKETS of both sides; 0 where there is none. */
struct dense {
    int32_t begin;
    double counts[2][BUCKETS];
    double zero, sum;
};

static void grow(struct dense *d)
{
    for (int side = 0; side < 2; side++) {
        for (int i = 0; i < BUCKETS; i++) {
            if (rnd() % 3 == 0)
                d->counts[side][i] += (double)(rnd() % 100) / 7;
        }
    }
    d->zero += (double)(rnd() % 3);
    d->sum += (double)(rnd() % 1000) / 3;
}

/* Written down with some of the empty buckets, in spans that may be cut. */
static const struct data_histogram *write_down(struct arena *arena, const struct dense *d,
                                               bool custom)
{
    static double bounds[BUCKETS + 8];
    struct data_histogram *h = ARENA_NEW(arena, struct data_histogram);
    for (int i = 0; i < BUCKETS + 8; i++)
        bounds[i] = i;
    *h = (struct data_histogram){.schema = custom ? DATA_HISTOGRAM_SCHEMA_CUSTOM : 1,
                                 .zero_threshold = custom ? 0 : 0x1p-10,
                                 .zero_count = custom ? 0 : d->zero,
                                 .sum = d->sum,
                                 .custom_bounds = custom ? bounds : NULL,
                                 .custom_bound_count = custom ? BUCKETS + 8 : 0};
    h->count = h->zero_count;
    for (int side = 0; side < (custom ? 1 : 2); side++) {
        struct data_histogram_span *spans = ARENA_ARRAY(arena, struct data_histogram_span, BUCKETS);
        double *counts = ARENA_ARRAY(arena, double, BUCKETS);
        uint32_t n = 0, span_count = 0;
        int32_t next = 0;
        for (int i = 0; i < BUCKETS; i++) {
            double v = d->counts[side][i];
            int32_t index = d->begin + i;
            h->count += v;
            if (v == 0 && rnd() % 2)
                continue;
            if (!n || index != next || rnd() % 4 == 0)
                spans[span_count++] = (struct data_histogram_span){index - next, 0};
            spans[span_count - 1].length++;
            counts[n++] = v;
            next = index + 1;
        }
        if (side) {
            h->negative_spans = spans;
            h->negative_span_count = span_count;
            h->negative = counts;
            h->negative_count = n;
        } else {
            h->positive_spans = spans;
            h->positive_span_count = span_count;
            h->positive = counts;
            h->positive_count = n;
        }
    }
    return h;
}

static void sums_do_not_depend_on_spans(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct arena *arena = arena_new(0, NULL);
        struct data_histogram_sum a = {0}, b = {0};
        bool custom = rnd() % 3 == 0;
        for (int i = 0; i < 6; i++) {
            struct dense d = {.begin = (int32_t)(rnd() % 4) + (custom ? 0 : -2)};
            double sign = i && rnd() % 3 == 0 ? -1 : 1;
            grow(&d);
            assert_int_equal(data_histogram_sum_add(&a, write_down(arena, &d, custom), sign, NULL),
                             0);
            assert_int_equal(data_histogram_sum_add(&b, write_down(arena, &d, custom), sign, NULL),
                             0);
        }
        assert_true(data_histogram_identical(data_histogram_sum_finish(&a, arena),
                                             data_histogram_sum_finish(&b, arena)));
        data_histogram_sum_free(&a);
        data_histogram_sum_free(&b);
        arena_free(arena);
    }
}

static void a_fall_is_found_in_any_span(void **state)
{
    (void)state;
    int resets = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct arena *arena = arena_new(0, NULL);
        bool custom = rnd() % 3 == 0, fell = false;
        struct dense before = {.begin = custom ? 1 : -2}, now;
        grow(&before);
        now = before;
        grow(&now);
        grow(&now);
        if (rnd() % 3 == 0) { /* one bucket falls, the others may make up for it */
            int side = custom ? 0 : (int)(rnd() % 2), i = (int)(rnd() % BUCKETS);
            fell = before.counts[side][i] > 0;
            now.counts[side][i] = before.counts[side][i] / 2;
        }
        assert_int_equal(data_histogram_is_reset(write_down(arena, &now, custom),
                                                 write_down(arena, &before, custom)),
                         fell);
        resets += fell;
        arena_free(arena);
    }
    assert_true(resets > ROUNDS / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums_do_not_depend_on_spans),
                                       cmocka_unit_test(a_fall_is_found_in_any_span)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
