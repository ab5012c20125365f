#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void splits_like_a_list(void **state)
{
    (void)state;
    struct slice rest = SLICE("a,,b"), part;
    assert_true(slice_split(&rest, ',', &part) && slice_eq_cstr(part, "a"));
    assert_true(slice_split(&rest, ',', &part) && part.len == 0);
    assert_true(slice_split(&rest, ',', &part) && slice_eq_cstr(part, "b"));
    assert_false(slice_split(&rest, ',', &part));
}

static void orders_by_bytes_then_length(void **state)
{
    (void)state;
    assert_true(slice_cmp(SLICE("a"), SLICE("ab")) < 0);
    assert_true(slice_cmp(SLICE("b"), SLICE("ab")) > 0);
    assert_true(slice_cmp(SLICE("\x80"), SLICE("a")) > 0);
    assert_int_equal(slice_cmp(SLICE(""), (struct slice){NULL, 0}), 0);
}

static void finds_and_trims(void **state)
{
    (void)state;
    assert_int_equal(slice_find(SLICE("hello"), SLICE("lo")), 3);
    assert_int_equal(slice_find(SLICE("hello"), SLICE("x")), -1);
    assert_int_equal(slice_find(SLICE(""), SLICE("")), 0);
    assert_true(slice_eq_cstr(slice_trim(SLICE(" \t x y\r\n")), "x y"));
    assert_true(slice_eq_nocase(SLICE("Content-Type"), SLICE("content-tYPE")));
    assert_false(slice_eq_nocase(SLICE("a"), SLICE("ab")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_like_a_list),
        cmocka_unit_test(orders_by_bytes_then_length),
        cmocka_unit_test(finds_and_trims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
