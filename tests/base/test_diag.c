#include "base/diag.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void the_first_error_stays(void **state)
{
    (void)state;
    struct diag d;
    diag_init(&d);
    assert_int_equal(diag_set_at(&d, ERR_INVALID, 3, 7, "bad key %s", "x"), ERR_INVALID);
    assert_int_equal(diag_set(&d, ERR_IO, "later"), ERR_IO);
    diag_set_file(&d, "pharos.yml");
    char out[256];
    assert_string_equal(diag_str(&d, out, sizeof(out)), "pharos.yml:3:7: bad key x");
    diag_wrap(&d, "reading %s", "limits");
    assert_string_equal(d.msg, "reading limits: bad key x");
    assert_int_equal(d.code, ERR_INVALID);
}

static void nobody_listening_is_fine(void **state)
{
    (void)state;
    assert_int_equal(diag_set(NULL, ERR_LIMIT, "x"), ERR_LIMIT);
}

static void a_small_output_is_cut(void **state)
{
    (void)state;
    struct diag d;
    diag_init(&d);
    diag_set_range(&d, ERR_INVALID, 2, 5, "unexpected word");
    assert_true(d.has_range);
    char out[8];
    assert_int_equal(strlen(diag_str(&d, out, sizeof(out))), 7);
}

static void system_errors_have_codes(void **state)
{
    (void)state;
    assert_int_equal(err_from_errno(ENOSPC), ERR_NOSPACE);
    assert_int_equal(err_from_errno(EIO), ERR_IO);
    assert_string_equal(err_name(ERR_NOSPACE), "no_space");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_error_stays),
        cmocka_unit_test(nobody_listening_is_fine),
        cmocka_unit_test(a_small_output_is_cut),
        cmocka_unit_test(system_errors_have_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
