/* Tails give back what was pushed, bit for bit, whatever the values, times and starts. */
#include "store/tail.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "data/metric_batch.h"

static uint64_t seed;

static uint64_t rnd(void)
{
    seed += UINT64_C(0x9e3779b97f4a7c15);
    return hash_u64(seed);
}

static double next_value(int shape, double before)
{
    static const double odd[] = {0.0, -0.0, NAN, INFINITY, 1e300, 5e-324, 9007199254740993.0, 0.1};
    switch (shape) {
    case 0: return before;
    case 1: return before + (double)(rnd() % 100);
    case 2: return (double)((int64_t)(rnd() % 20000) - 10000) / 100;
    case 3: return (double)(rnd() >> 11) / 9007199254740992.0;
    case 4: return rnd() % 3 ? before : odd[rnd() % ARRAY_LEN(odd)];
    case 5: return rnd() % 5 ? (double)(rnd() % 10) / 10 : data_stale_nan();
    default: return (double)(rnd() % 1000) * pow(10, (double)(rnd() % 24) - 12);
    }
}

static void compare(const struct store_tail *t, const struct store_run *want)
{
    struct store_run got = {0};
    unsigned facts = 0;
    assert_int_equal(store_tail_read(t, &got, &facts), 0);
    assert_int_equal(got.len, want->len);
    assert_int_equal(store_tail_samples(t), want->len);
    int64_t least = INT64_MAX, most = INT64_MIN;
    bool sorted = true;
    for (size_t i = 0; i < want->len; i++) {
        assert_int_equal(got.ts[i], want->ts[i]);
        struct slice h = got.hist ? got.hist[i] : (struct slice){NULL, 0};
        assert_true(slice_eq(h, want->hist ? want->hist[i] : (struct slice){NULL, 0}));
        if (!h.ptr)
            assert_memory_equal(&got.value[i], &want->value[i], sizeof(double));
        assert_int_equal(got.start ? got.start[i] : 0, want->start ? want->start[i] : 0);
        sorted = sorted && (!i || want->ts[i] > want->ts[i - 1]);
        least = MIN(least, want->ts[i]);
        most = MAX(most, want->ts[i]);
    }
    assert_int_equal(t->t_min, least);
    assert_true(store_tail_t_max(t) >= most);
    if (sorted && !want->hist)
        assert_int_equal(store_tail_t_max(t), most);
    store_run_free(&got);
}

/* A copy for a range has all of the range, in the same order. */
static void compare_range(const struct store_tail *t, const struct store_run *want,
                          struct arena *arena)
{
    struct store_run got = {0};
    unsigned facts = 0;
    int64_t a = want->ts[rnd() % want->len], b = want->ts[rnd() % want->len], from = MIN(a, b),
            to = MAX(a, b);
    size_t at = 0;
    assert_int_equal(store_tail_read(store_tail_copy(t, from, to, arena), &got, &facts), 0);
    assert_true(got.len <= want->len);
    for (size_t i = 0; i < want->len; i++) {
        if (want->ts[i] < from || want->ts[i] > to)
            continue;
        while (at < got.len && (got.ts[at] < from || got.ts[at] > to))
            at++;
        assert_true(at < got.len);
        assert_int_equal(got.ts[at++], want->ts[i]);
    }
    store_run_free(&got);
}

static void all_comes_back(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 600; round++) {
        seed = round * 1000003;
        struct store_tail *t = NULL, *later = NULL;
        struct store_run want = {0};
        struct arena *arena = arena_new(0, NULL);
        int shape = (int)(rnd() % 7);
        bool orderly = rnd() % 2, starts = rnd() % 3 == 0, histograms = rnd() % 4 == 0;
        int64_t ts = rnd() % 8 ? INT64_C(1700000000) * NS_PER_SEC : -5 * NS_PER_SEC, start = 0;
        double v = 0;
        size_t count = 1 + rnd() % 700, cut = rnd() % 2 ? rnd() % count : count, bytes = 0;
        for (size_t i = 0; i < count; i++) {
            static const char packed[] = "any bytes will do for a packed histogram";
            struct slice h = {NULL, 0};
            ts += orderly ? 15 * NS_PER_SEC + (int64_t)(rnd() % 5) * NS_PER_MS
                          : (int64_t)(rnd() % 100000) * NS_PER_MS + (int64_t)(rnd() % 3) -
                                20 * NS_PER_SEC;
            if (rnd() % 500 == 0)
                ts -= (int64_t)(rnd() % (UINT64_C(200) * 365 * 86400)) * NS_PER_SEC / 2;
            if (starts && rnd() % 10 == 0)
                start = rnd() % 3 ? ts - (int64_t)(rnd() % 1000) : 0;
            if (histograms && rnd() % 4 == 0)
                h = slice_make(packed, rnd() % sizeof(packed));
            v = next_value(rnd() % 50 ? shape : (int)(rnd() % 7), v);
            bytes += store_tail_push(i < cut ? &t : &later, ts, v, h, start);
            store_run_push(&want, ts, h.ptr ? 0 : v, h, start);
        }
        t = store_tail_join(t, later);
        compare(t, &want);
        compare(store_tail_copy(t, INT64_MIN, INT64_MAX, arena), &want);
        compare_range(t, &want, arena);
        assert_true(bytes >= sizeof(*t));
        store_tail_free(t);
        store_run_free(&want);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_comes_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
