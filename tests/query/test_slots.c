/* Kernels over rows of slots against the same said plainly, over rows from a seed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "query/slots.h"

static uint64_t seed;

static uint64_t dice(void)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return seed >> 33;
}

enum { WHOLE, FRACTIONS, FEW, COUNTER, WILD, KINDS };

static void fill(double *v, size_t count, int kind)
{
    double counter = 0;
    for (size_t i = 0; i < count; i++) {
        counter = dice() % 40 ? counter + (double)(dice() % 100) : 0;
        switch (kind) {
        case WHOLE: v[i] = (double)(dice() % 1000) - 500; break;
        case FRACTIONS: v[i] = (double)dice() / 1e5 - 7000; break;
        case FEW: v[i] = dice() % 10 ? NAN : (double)(dice() % 5); break;
        case COUNTER: v[i] = counter; break;
        default: {
            const double odd[] = {INFINITY, -INFINITY, 1e300, -1e300, 1e-300, 0, -0.0, 1e17};
            v[i] = dice() % 12 ? (double)dice() / 1e6 : odd[dice() % 8];
        }
        }
        if (dice() % 8 == 0)
            v[i] = NAN;
    }
}

/* Equal, or as near as the sums of terms as large as `scale` may be. */
static void assert_near(double is, double wanted, double scale)
{
    if (is == wanted || (isnan(is) && isnan(wanted)))
        return;
    if (!(fabs(is - wanted) <= 1e-12 * scale))
        fail_msg("%.17g instead of %.17g", is, wanted);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double plain_over(enum query_over over, const double *v, size_t count, double *scale)
{
    double sorted[400], lo = INFINITY, hi = -INFINITY;
    long double sum = 0;
    size_t n = 0;
    *scale = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(v[i]))
            continue;
        sorted[n++] = v[i];
        sum += v[i];
        lo = v[i] < lo ? v[i] : lo;
        hi = v[i] > hi ? v[i] : hi;
        *scale += isinf(v[i]) ? 0 : fabs(v[i]);
    }
    qsort(sorted, n, sizeof(*sorted), by_value);
    switch (over) {
    case QUERY_OVER_SUM: return (double)sum;
    case QUERY_OVER_AVG: return (double)(sum / (long double)n);
    case QUERY_OVER_MIN: return lo;
    case QUERY_OVER_MAX: return hi;
    case QUERY_OVER_RANGE: return hi - lo;
    case QUERY_OVER_COUNT: return (double)n;
    default:
        if (!n)
            return NAN;
        return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
    }
}

static double first_of(double a, const double *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isnan(v[i]))
            return v[i] + a;
    }
    return NAN;
}

static void windows_are_what_each_says_by_itself(void **state)
{
    struct query_slots_scratch scratch = {0};
    double v[400], out[400];
    seed = 11;
    for (int round = 0; round < 2000; round++) {
        size_t count = dice() % 400, n = 1 + dice() % (round % 2 ? 12 : 300);
        struct query_each e = {.op = QUERY_EACH_WINDOW,
                               .over = (enum query_over)(dice() % (QUERY_OVER_OTHER + 1)),
                               .a = .5,
                               .other = first_of,
                               .least_share = (double)(dice() % 3) / 3};
        bool by_time = dice() % 2;
        e.slots = by_time ? 0 : n;
        e.range_s = by_time ? (int64_t)n * 20 + 7 : 0;
        fill(v, count, round % KINDS);
        memcpy(out, v, sizeof(v));
        query_each_row(&e, 20, out, count, &scratch);
        for (size_t k = 0; k < count; k++) {
            size_t begin = k + 1 > n ? k + 1 - n : 0, there = 0;
            double scale, wanted = NAN;
            for (size_t i = begin; i <= k; i++)
                there += !isnan(v[i]);
            if (there && (double)there / (double)n >= e.least_share)
                wanted = e.over == QUERY_OVER_OTHER
                             ? first_of(.5, v + begin, k + 1 - begin)
                             : plain_over(e.over, v + begin, k + 1 - begin, &scale);
            if (e.over != QUERY_OVER_SUM && e.over != QUERY_OVER_AVG)
                assert_near(out[k], wanted, 0);
            else if (fabs(wanted) <
                     1e290) /* sums of the largest doubles have no order-free value */
                assert_near(out[k], wanted, scale);
        }
    }
    query_slots_scratch_free(&scratch);
    (void)state;
}

static void infinities_leave_a_window(void **state)
{
    struct query_slots_scratch scratch = {0};
    const struct query_each e = {.op = QUERY_EACH_WINDOW, .over = QUERY_OVER_SUM, .slots = 2};
    double v[] = {1, INFINITY, 2, 3, -INFINITY, INFINITY, 4, 1e308, 1e308, 5, 6};
    query_each_row(&e, 1, v, ARRAY_LEN(v), &scratch);
    const double wanted[] = {1,        INFINITY, INFINITY, 5,     -INFINITY, NAN,
                             INFINITY, 1e308,    INFINITY, 1e308, 11};
    for (size_t i = 0; i < ARRAY_LEN(v); i++)
        assert_near(v[i], wanted[i], 1e308 * (v[i] > 1e307));
    query_slots_scratch_free(&scratch);
    (void)state;
}

/* What a counter gained, said one case after the other. */
static double plain_gain(double v, double *before, double max, double min)
{
    double was = *before;
    if ((!isnan(max) && v > max) || (!isnan(min) && v < min)) {
        *before = NAN;
        return NAN;
    }
    *before = v;
    if (isnan(was) || isnan(v))
        return NAN;
    if (v >= was)
        return v - was;
    if (!isnan(max))
        return max + 1 + v - was - (isnan(min) ? 0 : min);
    return isnan(min) ? (double)NAN : v - min;
}

static double doubled(double v, double a, double step_s)
{
    return v == 3 ? (double)NAN : v * a / step_s;
}

static void rows_change_as_said(void **state)
{
    struct query_slots_scratch scratch = {0};
    double v[400], out[400];
    seed = 12;
    for (int round = 0; round < 2000; round++) {
        size_t count = dice() % 400;
        struct query_each e = {.op = (enum query_each_op)(dice() % QUERY_EACH_WINDOW),
                               .math = doubled,
                               .a = dice() % 2 ? (double)(dice() % 900) : (double)NAN,
                               .slots = dice() % 6,
                               .b = dice() % 2 ? (double)(dice() % 50) : (double)NAN};
        if (e.op != QUERY_EACH_GAIN)
            e.a = (double)(dice() % 4);
        fill(v, count, round % KINDS);
        memcpy(out, v, sizeof(v));
        query_each_row(&e, 20, out, count, &scratch);
        double before = NAN, sum = 0;
        for (size_t i = 0; i < count; i++) {
            double wanted = v[i];
            size_t last = i, next = i;
            switch (e.op) {
            case QUERY_EACH_MATH: wanted = isnan(v[i]) ? v[i] : doubled(v[i], e.a, 20); break;
            case QUERY_EACH_BLANK: wanted = i < e.slots ? (double)NAN : v[i]; break;
            case QUERY_EACH_DIFFERENCE: wanted = i ? v[i] - v[i - 1] : (double)NAN; break;
            case QUERY_EACH_GAIN: wanted = plain_gain(v[i], &before, e.a, e.b); break;
            case QUERY_EACH_RUNNING_SUM: wanted = isnan(v[i]) ? v[i] : (sum += v[i]); break;
            default:
                if (!isnan(v[i]))
                    break;
                while (last && isnan(v[last]))
                    last--;
                while (next < count && isnan(v[next]))
                    next++;
                if (isnan(v[last]) || (double)(next - last - 1) > e.a)
                    break;
                if (e.op == QUERY_EACH_KEEP)
                    wanted = v[last];
                else if (next < count)
                    wanted =
                        v[last] + (double)(i - last) * (v[next] - v[last]) / (double)(next - last);
            }
            assert_near(out[i], wanted, 0);
        }
    }
    query_slots_scratch_free(&scratch);
    (void)state;
}

struct seen {
    const double *const *row;
    size_t rows, slots;
    bool *met;
};

static void meet(void *ctx, size_t slot, double *v)
{
    struct seen *s = ctx;
    double scale;
    assert_false(s->met[slot]);
    s->met[slot] = true;
    for (size_t k = 0; k < s->rows; k++)
        assert_near(v[k], s->row[k][slot], 0);
    double sorted[64], wanted = plain_over(QUERY_OVER_MEDIAN, v, s->rows, &scale);
    size_t n = query_slots_present(v, s->rows);
    memcpy(sorted, v, n * sizeof(*v));
    qsort(sorted, n, sizeof(*sorted), by_value);
    assert_near(query_slots_median(v, n), wanted, 0);
    for (size_t at = 0; at < n; at++) {
        query_slots_select(v, n, at);
        assert_near(v[at], sorted[at], 0);
    }
}

static void slots_are_met_with_what_all_rows_have(void **state)
{
    struct query_slots_scratch scratch = {0};
    static double v[64][40];
    const double *row[64];
    seed = 13;
    for (int round = 0; round < 200; round++) {
        size_t rows = 1 + dice() % 64, slots = dice() % 40, from = slots ? dice() % slots : 0;
        bool met[40] = {false};
        for (size_t k = 0; k < rows; k++) {
            fill(v[k], slots, (int)(dice() % KINDS));
            row[k] = v[k];
        }
        struct seen s = {row, rows, slots, met};
        query_slots_across(row, rows, from, slots, meet, &s, &scratch);
        for (size_t i = 0; i < slots; i++)
            assert_int_equal(met[i], i >= from);
    }
    query_slots_scratch_free(&scratch);
    (void)state;
}

static void rounds_as_printing_does(void **state)
{
    char text[400];
    seed = 14;
    for (int i = 0; i < 200000; i++) {
        int places = (int)(dice() % 20);
        double v = ((double)dice() - 1e9) / pow(10, (double)(dice() % 12));
        if (i % 3 == 0)
            v = ((double)(dice() % 20001) - 10000) / 2000; /* halves among them */
        if (i % 50 == 0)
            v *= 1e12;
        snprintf(text, sizeof(text), "%.*f", places, v);
        double wanted = places > 17 ? v : strtod(text, NULL), is = query_slots_round(v, places);
        if (memcmp(&is, &wanted, sizeof(is)) != 0)
            fail_msg("%.17g to %d places: %.17g instead of %.17g", v, places, is, wanted);
    }
    assert_true(query_slots_round(1250, -2) == 1200);
    assert_true(isinf(query_slots_round(INFINITY, 3)));
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_what_each_says_by_itself),
        cmocka_unit_test(infinities_leave_a_window),
        cmocka_unit_test(rows_change_as_said),
        cmocka_unit_test(slots_are_met_with_what_all_rows_have),
        cmocka_unit_test(rounds_as_printing_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
