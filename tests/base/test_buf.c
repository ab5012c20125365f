#include "base/buf.h"
#include "base/mem.h"

#include <setjmp.h>

#include <cmocka.h>

static void grows_and_prints(void **state)
{
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i);
    buf_append_char(&b, '!');
    assert_true(slice_starts_with(buf_slice(&b), SLICE("0,1,2,3,")));
    assert_true(slice_ends_with(buf_slice(&b), SLICE("998,999,!")));
    struct buf long_line = {0};
    buf_printf(&long_line, "%500d", 1);
    assert_int_equal(long_line.len, 500);
    assert_int_equal(buf_cstr(&long_line)[500], 0);
    buf_deinit(&long_line);
    buf_deinit(&b);
}

static void consume_moves_the_rest(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_append_cstr(&b, "hello world");
    buf_consume(&b, 6);
    assert_true(slice_eq_cstr(buf_slice(&b), "world"));
    buf_consume(&b, 5);
    assert_int_equal(b.len, 0);
    buf_append_cstr(&b, "again");
    size_t len;
    char *p = buf_take(&b, &len);
    assert_int_equal(len, 5);
    assert_null(b.ptr);
    mem_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_prints),
        cmocka_unit_test(consume_moves_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
