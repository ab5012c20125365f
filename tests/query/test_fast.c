/* The fast ways of execution against the plain one, bit for bit, on random series and queries; by
 * one thread and by several (which is what the thread sanitizer is for). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../random.h"
#include "answers.h"
#include "base/mem.h"
#include "lang/promql/promql.h"
#include "os/pool.h"
#include "query/grid.h"
#include "query/simd.h"
#include "store/memory.h"

#define START_NS (INT64_C(1700000000) * NS_PER_SEC)
#define ROUNDS   60 /* sets of series */
#define ASKED    12 /* queries of each */

static double unit(void)
{
    return (double)(rnd() >> 11) / 9007199254740992.0;
}

enum shape { INTEGERS, DECIMALS, NOISE, COUNTER, STEADY, ODD, SHAPES };

static double next_value(enum shape shape, double before)
{
    static const double odd[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0, 1e300, -1e300, 1.7e308, 5};
    switch (shape) {
    case INTEGERS: return floor(unit() * 1000) - 500;
    case DECIMALS: return floor(unit() * 10000) / 100;
    case NOISE: return (unit() - 0.5) * pow(10, floor(unit() * 20) - 10);
    case COUNTER: return unit() < 0.05 ? floor(unit() * 3) : before + floor(unit() * 10) / 4;
    case STEADY: return before + 1;
    default: return unit() < 0.5 ? odd[rnd() % ARRAY_LEN(odd)] : unit();
    }
}

static void fill(struct store_memory *m)
{
    static const char *const names[] = {"a_total", "b", "c_bucket"};
    int targets = 1 + (int)(rnd() % 4), count = (int)(rnd() % 300);
    for (int t = 0; t < targets; t++) {
        bool regular = rnd() % 3, gaps = rnd() % 2;
        int64_t phase = (int64_t)(rnd() % 15000) * NS_PER_MS;
        int64_t *ts = mem_calloc((size_t)count + 1, sizeof(*ts));
        for (int i = 0; i < count; i++)
            ts[i] = START_NS + phase + (int64_t)i * 15 * NS_PER_SEC +
                    (regular ? 0 : (int64_t)(rnd() % 2000) * NS_PER_MS + (int64_t)(rnd() % 2));
        for (int s = 0; s < 12; s++) {
            char target[8], number[8], le[16];
            snprintf(target, sizeof(target), "t%d", t);
            snprintf(number, sizeof(number), "%d", s % 4);
            snprintf(le, sizeof(le), s % 4 == 3 ? "+Inf" : "%d", s % 4);
            const struct data_label labels[] = {{SLICE("__name__"), slice_cstr(names[s / 4])},
                                                {SLICE("le"), slice_cstr(le)},
                                                {SLICE("n"), slice_cstr(number)},
                                                {SLICE("t"), slice_cstr(target)}};
            enum shape shape = (enum shape)(rnd() % SHAPES);
            double v = 0;
            bool stale = rnd() % 4 == 0, other_gaps = gaps && rnd() % 2;
            for (int i = 0; i < count; i++) {
                v = next_value(shape, v);
                if ((gaps && i / 7 % 5 == 2) || (other_gaps && i / 3 % 4 == 1))
                    continue;
                store_memory_add(m, (struct data_labels){labels, 4}, ts[i],
                                 stale && rnd() % 16 == 0 ? data_stale_nan() : v, NULL);
            }
        }
        mem_free(ts);
    }
}

static const char *const functions[] = {"rate",
                                        "increase",
                                        "delta",
                                        "irate",
                                        "idelta",
                                        "changes",
                                        "resets",
                                        "sum_over_time",
                                        "avg_over_time",
                                        "min_over_time",
                                        "max_over_time",
                                        "count_over_time",
                                        "last_over_time",
                                        "first_over_time",
                                        "present_over_time",
                                        "stddev_over_time",
                                        "deriv",
                                        "ts_of_max_over_time"};
static const char *const aggregates[] = {"sum", "avg", "count", "min", "max", "group", "stddev"};
static const char *const by[] = {"", "by (t) ", "by (n, __name__) ", "without (n) ",
                                 "by (nothing) "};
static const char *const selectors[] = {"a_total",        "b",         "c_bucket",
                                        "{t=~\"t[01]\"}", "{n=\"1\"}", "a_total{n!=\"2\"}"};
static const char *const modifiers[] = {"", "", "", " offset 3m", " @ 1700001000", " offset -2m"};

#define ANY(list) list[rnd() % ARRAY_LEN(list)]

static void ask(char *out, size_t size)
{
    char inner[256], range[32];
    snprintf(range, sizeof(range), "[%ds]", 1 + (int)(rnd() % 600));
    if (rnd() % 3 == 0)
        snprintf(inner, sizeof(inner), "%s%s", ANY(selectors), ANY(modifiers));
    else if (rnd() % 8 == 0)
        snprintf(inner, sizeof(inner), "quantile_over_time(0.3, %s%s%s)", ANY(selectors), range,
                 ANY(modifiers));
    else
        snprintf(inner, sizeof(inner), "%s(%s%s%s)", ANY(functions), ANY(selectors), range,
                 ANY(modifiers));
    switch (rnd() % 10) {
    case 0: snprintf(out, size, "%s", inner); break;
    case 1:
        snprintf(out, size, "%s %s(%s, %s)", rnd() % 2 ? "topk" : "bottomk", ANY(by),
                 rnd() % 4 ? "2" : "time() % 7 - 1", inner);
        break;
    case 8:
        snprintf(out, size, "sum by (t) (%s) + on (t) group_right %s by (t, n) (%s)", inner,
                 ANY(aggregates), inner);
        break;
    case 9:
        snprintf(out, size, "sum(bottomk by (n) (%d, %s)) + sum(%s)", (int)(rnd() % 200), inner,
                 inner);
        break;
    case 2: snprintf(out, size, "%s(%s[20m:1m])", ANY(functions), inner); break;
    case 3: snprintf(out, size, "%s %s(%s > 1)", ANY(aggregates), ANY(by), inner); break;
    case 4: snprintf(out, size, "histogram_quantile(0.9, sum by (le) (%s))", inner); break;
    default: snprintf(out, size, "%s %s(%s)", ANY(aggregates), ANY(by), inner); break;
    }
}

static void fast_is_plain(void **state)
{
    (void)state;
    struct store_memory *m = store_memory_new();
    struct store_source *source = store_memory_face(m);
    struct task_pool *pool = os_pool_new(4);
    for (int round = 0; round < ROUNDS; round++) {
        store_memory_clear(m);
        fill(m);
        for (int i = 0; i < ASKED; i++) {
            char text[600];
            struct query_steps steps = {
                .start_ns = START_NS + ((int64_t)(rnd() % 1000) - 300) * NS_PER_SEC,
                .step_ns = (1 + (int64_t)(rnd() % 120)) * NS_PER_SEC / (1 + (int64_t)(rnd() % 3))};
            steps.end_ns = steps.start_ns + steps.step_ns * (int64_t)(rnd() % 90);
            ask(text, sizeof(text));
            answer_three_ways(text, &steps, source, pool, ANSWER_SAMPLES | ANSWER_MAY_FAIL);
        }
    }
    os_pool_free(pool);
    store_memory_free(m);
}

/* Each loop for this processor against the same in plain C. */
static void simd_is_plain(void **state)
{
    (void)state;
    const struct query__simd *p = &query__simd_plain, *q = query__simd();
    enum { MOST = 200 };
    double v[MOST], a[MOST], b[MOST], c[MOST], d[MOST], sampled[MOST], start[MOST];
    uint32_t first[MOST], last[MOST];
    for (int round = 0; round < 2000; round++) {
        size_t n = 1 + rnd() % MOST;
        enum shape shape = (enum shape)(rnd() % SHAPES);
        double max_a, max_b, at = 0;
        for (size_t i = 0; i < n; i++) {
            v[i] = at = next_value(shape, at);
            sampled[i] = 1 + unit() * 300;
            start[i] = unit() * 15;
            first[i] = (uint32_t)(rnd() % n);
            last[i] = first[i] + (uint32_t)(rnd() % (n - first[i]));
        }
        unsigned found = p->look(v, n, &max_a);
        assert_int_equal(found, q->look(v, n, &max_b));
        if (!(found & QUERY__HAS_NAN))
            assert_true(same_value(max_a, max_b));
        p->pick(v, last, n, a);
        q->pick(v, last, n, b);
        assert_memory_equal(a, b, n * sizeof(*a));
        uint32_t drops[2][MOST];
        size_t dropped = p->drops(v, n, drops[0]);
        assert_int_equal(dropped, q->drops(v, n, drops[1]));
        assert_memory_equal(drops[0], drops[1], dropped * sizeof(drops[0][0]));
        struct query__bounds bounds = {.first = first, .last = last, .n = n};
        uint32_t even_first[MOST], even_last[MOST], stride = 1 + (uint32_t)(rnd() % 3);
        struct query__bounds even = {.first = even_first, .last = even_last, .stride = stride};
        for (uint32_t width = (uint32_t)(rnd() % 9); even.n * stride + width < n; even.n++) {
            even_first[even.n] = (uint32_t)even.n * stride;
            even_last[even.n] = even_first[even.n] + width;
        }
        for (int kind = 0; kind < 2; kind++) {
            const struct query__bounds *of = kind ? &even : &bounds;
            p->change(v, of, a);
            q->change(v, of, b);
            for (size_t i = 0; i < of->n; i++)
                assert_true(same_value(a[i], b[i]));
            for (int fresh = 0; fresh < 2; fresh++) {
                struct query__stretch e = {.sampled = sampled,
                                           .to_start = start,
                                           .to_end = start,
                                           .factor = sampled,
                                           .range_s = rnd() % 2 ? 300.0 : 0};
                p->counter(v, of, &e, fresh, a);
                q->counter(v, of, &e, fresh, b);
                for (size_t i = 0; i < of->n; i++)
                    assert_true(same_value(a[i], b[i]));
                p->scaled(v, of, sampled, fresh, a);
                q->scaled(v, of, sampled, fresh, b);
                for (size_t i = 0; i < of->n; i++)
                    assert_true(same_value(a[i], b[i]));
            }
        }
        p->window_sums(v, first, last, n, a, c);
        q->window_sums(v, first, last, n, b, d);
        for (size_t i = 0; i < n; i++)
            assert_true(same_value(a[i], b[i]) && same_value(c[i], d[i]));
        for (size_t i = 0; i < n; i++) {
            a[i] = b[i] = next_value(shape, at);
            c[i] = d[i] = 0;
        }
        p->least(v, n, a);
        q->least(v, n, b);
        for (size_t i = 0; i < n; i++)
            assert_true(same_value(a[i], b[i]));
        p->most(sampled, n, a);
        q->most(sampled, n, b);
        p->add(v, n, a, c);
        q->add(v, n, b, d);
        for (size_t i = 0; i < n; i++)
            assert_true(same_value(a[i], b[i]) && same_value(c[i], d[i]));
    }
}

static int by_value(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return isnan(p) || isnan(q) ? isnan(q) - isnan(p) : (p > q) - (p < q);
}

/* Against sorting: NaN comes first. */
static void quantiles_are_of_the_sorted(void **state)
{
    (void)state;
    enum { MOST = 400 };
    static double v[MOST], sorted[MOST];
    for (int round = 0; round < 5000; round++) {
        size_t n = 1 + rnd() % (rnd() % 4 ? 40 : MOST);
        enum shape shape = (enum shape)(rnd() % SHAPES);
        double at = 0, phi = rnd() % 8 ? unit() : (double)(rnd() % 5) / 4;
        for (size_t i = 0; i < n; i++)
            v[i] = at = next_value(shape, at);
        memcpy(sorted, v, n * sizeof(*v));
        qsort(sorted, n, sizeof(*sorted), by_value);
        double rank = phi * ((double)n - 1), weight = rank - floor(rank);
        double low = sorted[(size_t)rank], high = sorted[MIN((size_t)rank + 1, n - 1)];
        double want = low * (1 - weight) + high * weight, got = query__quantile(phi, v, n);
        if (!same_value(want, got) && !(want == 0 && got == 0))
            fail_msg("%zu values, %g: %.17g instead of %.17g", n, phi, got, want);
    }
}

/* An answer is the columns that were computed, not a copy of them: a large one takes nine bytes a
 * point, thirteen in series with gaps, less than a kibibyte a series, and a block of the arena. */
static void answers_are_not_there_twice(void **state)
{
    (void)state;
    enum { ROWS = 300, STEPS = 400 };
    struct store_memory *m = store_memory_new();
    for (int n = 0; n < ROWS; n++) {
        char number[16];
        snprintf(number, sizeof(number), "%d", n);
        const struct data_label labels[] = {{SLICE("__name__"), SLICE("m")},
                                            {SLICE("n"), slice_cstr(number)}};
        for (int i = 0; i < STEPS; i++) {
            if (n % 2 && i == STEPS / 2)
                i += 30; /* the lookback ends meanwhile */
            store_memory_add(m, (struct data_labels){labels, 2},
                             START_NS + (int64_t)i * 15 * NS_PER_SEC, i, NULL);
        }
    }
    const struct promql_options options = {.experimental = true};
    const struct query_steps steps = {.start_ns = START_NS,
                                      .end_ns = START_NS + (STEPS - 1) * 15 * NS_PER_SEC,
                                      .step_ns = 15 * NS_PER_SEC};
    struct budget memory;
    struct query_plan *plan;
    struct promql_expr *expr;
    struct query_result result;
    struct diag diag;
    diag_init(&diag);
    budget_init(&memory, NULL, INT64_C(13) * ROWS * STEPS + ROWS * 1024 + (1 << 20),
                "limits.query.memory");
    struct arena *plans = arena_new(0, NULL), *arena = arena_new(0, &memory);
    const struct query_env env = {
        .source = store_memory_face(m), .tenant = SLICE("default"), .memory = &memory};
    assert_int_equal(promql_parse(SLICE("m"), &options, plans, &expr, &diag), 0);
    assert_int_equal(promql_plan(expr, &steps, &options, plans, &plan, &diag), 0);
    if (query_run(plan, &env, arena, &result, &diag))
        fail_msg("%s", diag.msg);
    print_message("# peak %ld points %d per %g\n", (long)memory.peak, ROWS * STEPS,
                  (double)memory.peak / ROWS / STEPS);
    assert_int_equal(result.series_count, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        const struct query_series *one = &result.series[i];
        bool gap = one->count < STEPS;
        assert_int_equal(one->count, gap ? STEPS - 11 : STEPS);
        for (size_t k = 0; k < one->count; k++) {
            struct query_point at = query_point_at(one, k);
            int64_t step = (at.ts_ns - START_NS) / (15 * NS_PER_SEC);
            assert_true(at.value <= (double)step && at.value >= (double)step - 20);
            assert_true(gap || (size_t)step == k);
        }
    }
    promql_expr_free(expr);
    arena_free(arena);
    arena_free(plans);
    budget_drain(&memory);
    store_memory_free(m);
}

/* However deep operators lie in each other, only the operands of one and what it makes of them are
 * there at a time. */
static void operands_go_when_they_are_used_up(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double columns; /* of a row, at most at a time; labels and parts of blocks are among them */
    } deep[] = {
        {"abs(ceil(floor(sqrt(exp(ln(abs(ceil(floor(sqrt(m))))))))))", 1.5},
        {"-(-(-(-(-(-(-(-(-(m + 1) * 2) - 3) / 4) + 5) * 6) - 7) / 8) + 9)", 1.5},
        {"sort(label_replace(sort(clamp(label_replace(m * m + m, \"a\", \"$1\", \"n\", \"(.*)\"), "
         "1, "
         "100) + 0), \"b\", \"$1\", \"n\", \"(.*)\"))",
         2.8},
        {"((m + m) + (m + m)) + ((m + m) + (m + m))", 5.5},
        {"max_over_time((m + m + m + m + m)[400m:20m])", 2},
        {"quantile(0.5, abs(m + m * m / 2 - m)) + on () group_right () (m + m + m)", 4},
        {"m / m", 2.6},
        {"m / on (n) group_left () m", 2.6},
        {"m * on (n) group_right () (m + 1)", 2.6},
        {"m and m", 2.6},
        {"m unless (m < 1)", 2.6},
        {"(m < 1) or m", 2.6},
    };
    enum { ROWS = 400, STEPS = 500 };
    struct store_memory *m = store_memory_new();
    for (int n = 0; n < ROWS; n++) {
        char number[16];
        snprintf(number, sizeof(number), "%d", n);
        const struct data_label labels[] = {{SLICE("__name__"), SLICE("m")},
                                            {SLICE("n"), slice_cstr(number)}};
        for (int i = 0; i < STEPS; i++)
            store_memory_add(m, (struct data_labels){labels, 2},
                             START_NS + (int64_t)i * 60 * NS_PER_SEC, i, NULL);
    }
    const struct promql_options options = {.experimental = true};
    const struct query_steps steps = {.start_ns = START_NS,
                                      .end_ns = START_NS + (STEPS - 1) * 60 * NS_PER_SEC,
                                      .step_ns = 60 * NS_PER_SEC};
    for (size_t i = 0; i < ARRAY_LEN(deep); i++) {
        struct budget memory;
        struct query_plan *plan;
        struct promql_expr *expr;
        struct query_result result;
        struct diag diag;
        diag_init(&diag);
        budget_init(&memory, NULL, 0, "limits.query.memory");
        struct arena *plans = arena_new(0, NULL), *arena = arena_new(0, &memory);
        const struct query_env env = {
            .source = store_memory_face(m), .tenant = SLICE("default"), .memory = &memory};
        assert_int_equal(promql_parse(slice_cstr(deep[i].text), &options, plans, &expr, &diag), 0);
        assert_int_equal(promql_plan(expr, &steps, &options, plans, &plan, &diag), 0);
        if (query_run(plan, &env, arena, &result, &diag))
            fail_msg("%s: %s", deep[i].text, diag.msg);
        assert_int_equal(result.series_count, ROWS);
        /* One operand becomes the result in place, or the other one's columns do. */
        double columns = (double)memory.peak / (9.0 * ROWS * STEPS);
        print_message("# %zu: %.1f columns a row\n", i, columns);
        assert_true(columns <= deep[i].columns);
        promql_expr_free(expr);
        arena_free(arena);
        arena_free(plans);
        budget_drain(&memory);
    }
    store_memory_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simd_is_plain), cmocka_unit_test(quantiles_are_of_the_sorted),
        cmocka_unit_test(answers_are_not_there_twice),
        cmocka_unit_test(operands_go_when_they_are_used_up), cmocka_unit_test(fast_is_plain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
