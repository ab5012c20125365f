/* Operators between vectors whose series come and go: at each step, a range query finds what an
 * instant query finds there, and an error if that does; on random series and operators. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "../random.h"
#include "answers.h"
#include "data/labels.h"
#include "data/metric_batch.h"
#include "store/memory.h"

#define START_NS (INT64_C(1700000000) * NS_PER_SEC)
#define STEP_NS  (60 * NS_PER_SEC)
#define STEPS    24
#define ROUNDS   40 /* sets of series */
#define ASKED    25 /* queries of each */

/* Series of a group and a number, whose label `is` changes from time to time; now and then there
 * are two of them for a while, which some operators refuse. */
static void fill(struct store_memory *m)
{
    static const char *const names[] = {"a", "b"};
    bool strict = rnd() % 2;
    for (int s = 0; s < 12; s++) {
        char group[8], number[8];
        snprintf(group, sizeof(group), "%d", s / 2 % 2);
        snprintf(number, sizeof(number), "%d", s / 4);
        uint64_t is = 0, gap = rnd() % 3;
        bool was[2] = {false, false};
        for (int i = 0; i < STEPS; i++) {
            is = rnd() % 6 ? is : 1 - is;
            gap = gap ? gap - 1 : rnd() % 12 ? 0 : rnd() % 5;
            for (uint64_t k = 0; k < 2; k++) {
                bool there = !gap && (k == is || (!strict && rnd() % 40 == 0));
                const struct data_label labels[] = {{SLICE("__name__"), slice_cstr(names[s % 2])},
                                                    {SLICE("g"), slice_cstr(group)},
                                                    {SLICE("is"), k ? SLICE("one") : SLICE("zero")},
                                                    {SLICE("n"), slice_cstr(number)}};
                if (there || was[k])
                    store_memory_add(m, (struct data_labels){labels, 4}, START_NS + i * STEP_NS,
                                     there ? (double)(rnd() % 4) : data_stale_nan(), NULL);
                was[k] = there;
            }
        }
    }
}

static const char *const arithmetic[] = {"+", "-", "*", "/", "==", "> bool", "<="};
static const char *const sets[] = {"and", "or", "unless"};
static const char *const one[] = {"",        "ignoring (is) ", "on (g, n) ", "on (g, n, is) ",
                                  "on (n) ", "on () "};
static const char *const many[] = {
    "on (g, n) group_left () ",    "ignoring (is) group_left (is) ", "on (n) group_left (is, g) ",
    "on (g, n) group_right (is) ", "ignoring (is) group_right () ",  "on (g) group_left () ",
    "on (n) group_right (other) "};
static const char *const fills[] = {"", "", "fill (7) ", "fill_left (1) ", "fill_right (2) "};
static const char *const vectors[] = {"a",        "b",         "(b > 1)", "sum by (g, n) (b)",
                                      "(a == 2)", "a{g=\"0\"}"};

#define ANY(list) list[rnd() % ARRAY_LEN(list)]

static void ask(char *out, size_t size)
{
    const char *left = ANY(vectors), *right = ANY(vectors);
    if (rnd() % 4 == 0)
        snprintf(out, size, "%s %s %s%s", left, ANY(sets), ANY(one), right);
    else
        snprintf(out, size, "%s %s %s%s%s", left, ANY(arithmetic), rnd() % 2 ? ANY(one) : ANY(many),
                 ANY(fills), right);
}

static const struct query_series *find(const struct answer *a, struct data_labels labels)
{
    for (size_t i = 0; i < a->result.series_count; i++) {
        if (data_labels_cmp(a->result.series[i].labels, labels) == 0)
            return &a->result.series[i];
    }
    return NULL;
}

/* Number of points; those of `at` must be among those of `range`. */
static size_t find_all(const struct answer *at, const struct answer *range)
{
    for (size_t i = 0; i < at->result.series_count; i++) {
        struct query_point p = query_point_at(&at->result.series[i], 0);
        const struct query_series *s = find(range, at->result.series[i].labels);
        size_t k = 0;
        while (s && k < s->count && query_point_at(s, k).ts_ns != p.ts_ns)
            k++;
        if (!s || k == s->count || !same_value(query_point_at(s, k).value, p.value))
            fail_msg("%s: another value at %lld", at->text, (long long)p.ts_ns);
    }
    return at->result.series_count;
}

static void a_range_is_its_instants(void **state)
{
    (void)state;
    struct store_memory *m = store_memory_new();
    const struct query_env env = {.source = store_memory_face(m), .tenant = SLICE("default")};
    size_t refused = 0, found = 0;
    for (int round = 0; round < ROUNDS; round++) {
        store_memory_clear(m);
        fill(m);
        for (int i = 0; i < ASKED; i++) {
            struct answer range, at;
            char text[300];
            size_t points = 0, got = 0;
            int step = 0;
            ask(text, sizeof(text));
            answer_ask(&range, text,
                       &(struct query_steps){.start_ns = START_NS,
                                             .end_ns = START_NS + (STEPS - 1) * STEP_NS,
                                             .step_ns = STEP_NS},
                       &env);
            for (; step < STEPS; step++) {
                int64_t t = START_NS + step * STEP_NS;
                answer_ask(&at, text,
                           &(struct query_steps){
                               .start_ns = t, .end_ns = t, .step_ns = STEP_NS, .instant = true},
                           &env);
                int err = at.err;
                if (!err && !range.err)
                    got += find_all(&at, &range);
                answer_free(&at);
                if (err)
                    break;
            }
            assert_int_equal(range.err != 0, step < STEPS);
            for (size_t k = 0; !range.err && k < range.result.series_count; k++)
                points += range.result.series[k].count;
            assert_int_equal(points, got);
            refused += range.err != 0;
            found += points > 0;
            answer_free(&range);
        }
    }
    print_message("# %zu with points, %zu refused\n", found, refused);
    assert_true(found > ROUNDS * ASKED / 4 && refused > ROUNDS * ASKED / 10);
    store_memory_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_range_is_its_instants)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
