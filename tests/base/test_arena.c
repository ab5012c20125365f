#include "base/arena.h"
#include "base/budget.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void items_keep_their_bytes(void **state)
{
    (void)state;
    struct arena *a = arena_new(64, NULL);
    char *items[200];
    for (int i = 0; i < 200; i++) {
        items[i] = arena_alloc(a, (size_t)i + 1);
        assert_int_equal((uintptr_t)items[i] % 16, 0);
        memset(items[i], i, (size_t)i + 1);
    }
    for (int i = 0; i < 200; i++)
        for (int j = 0; j <= i; j++)
            assert_int_equal((unsigned char)items[i][j], i);
    arena_free(a);
}

static void a_budget_bounds_it(void **state)
{
    (void)state;
    struct budget all, one;
    budget_init(&all, NULL, 10000, "limits.all");
    budget_init(&one, &all, 4096, "limits.one");
    struct arena *a = arena_new(1024, &one);
    assert_non_null(arena_alloc(a, 1000));
    assert_null(arena_alloc(a, 8000));
    assert_int_equal(one.used, 1024);
    assert_int_equal(all.used, 1024);
    arena_free(a);
    assert_int_equal(one.used, 0);
    assert_int_equal(all.used, 0);
}

static void overflowing_sizes_are_refused(void **state)
{
    (void)state;
    struct arena *a = arena_new(0, NULL);
    assert_null(arena_calloc(a, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(a, SIZE_MAX - 3));
    arena_free(a);
}

static void reset_keeps_one_block(void **state)
{
    (void)state;
    struct arena *a = arena_new(128, NULL);
    for (int i = 0; i < 100; i++)
        arena_alloc(a, 100);
    size_t before = arena_size(a);
    arena_reset(a);
    assert_true(arena_size(a) < before);
    struct slice s = arena_printf(a, "%s-%0300d", "x", 7);
    assert_int_equal(s.len, 302);
    assert_int_equal(s.ptr[s.len], 0);
    arena_free(a);
}

static void joined_arenas_live_and_end_together(void **state)
{
    (void)state;
    struct budget one, other;
    budget_init(&one, NULL, 5000, "limits.one");
    budget_init(&other, NULL, 0, NULL);
    struct arena *a = arena_new(1024, &one), *empty = arena_new(0, NULL),
                 *b = arena_new(1024, &other);
    char *first = arena_strdup(a, "first"), *second = arena_strdup(b, "second");
    assert_true(arena_join(a, b));
    assert_int_equal(one.used, 2048);
    assert_int_equal(other.used, 0);
    assert_int_equal(arena_size(a), 2048);
    /* What a was filling is filled on. */
    assert_ptr_equal(arena_alloc(a, 16), first + 16);
    assert_true(arena_join(empty, a));
    assert_int_equal(one.used, 0);
    assert_string_equal(first, "first");
    assert_string_equal(second, "second");
    assert_ptr_equal(arena_alloc(empty, 16), first + 32);

    struct arena *full = arena_new(1024, &one), *large = arena_new(8192, &other);
    char *third = arena_strdup(large, "third");
    assert_false(arena_join(full, large));
    assert_int_equal(one.used, 0);
    assert_int_equal(other.used, 8192);
    assert_string_equal(third, "third");
    arena_free(full);
    arena_free(large);
    arena_free(empty);
    assert_int_equal(other.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_keep_their_bytes),
        cmocka_unit_test(a_budget_bounds_it),
        cmocka_unit_test(overflowing_sizes_are_refused),
        cmocka_unit_test(reset_keeps_one_block),
        cmocka_unit_test(joined_arenas_live_and_end_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
