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

static void find_as_the_library_does(void **state)
{
    (void)state;
    char text[200], needle[50];
    unsigned r = 1;
    for (int round = 0; round < 20000; round++) {
        size_t len = (r = r * 1103515245 + 12345) >> 16 & 127, n = (r >> 8 & 63) % sizeof(needle);
        unsigned letters = 1 + (r >> 24 & 3);
        for (size_t i = 0; i < len; i++)
            text[i] = (char)('a' + ((r = r * 1103515245 + 12345) >> 16) % letters);
        for (size_t i = 0; i < n; i++)
            needle[i] = (char)('a' + ((r = r * 1103515245 + 12345) >> 16) % letters);
        const char *p = memmem(text, len, needle, n);
        assert_int_equal(slice_find(slice_make(text, len), slice_make(needle, n)),
                         p ? p - text : -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_as_the_library_does),
        cmocka_unit_test(splits_like_a_list),
        cmocka_unit_test(orders_by_bytes_then_length),
        cmocka_unit_test(finds_and_trims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
