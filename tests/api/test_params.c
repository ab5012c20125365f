/* Names as Prometheus' paths carry them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/params.h"

static void unescapes_names(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"job", "job"},
        {"U__", ""},
        {"U__http_2e_status_3a_sum", "http.status:sum"},
        {"U__label__with__underscores", "label_with_underscores"},
        {"U___a5_b", "\xc2\xa5"
                     "b"},
        {"U__caf_e9_", "caf\xc3\xa9"},
        {"U__bad_2e", "U__bad_2e"},
        {"U__bad_zz_", "U__bad_zz_"},
        {"U__bad_d800_", "U__bad_d800_"},
        {"U__bad_110000_", "U__bad_110000_"},
        {"U__end_", "U__end_"},
        {"u__http_2e_x", "u__http_2e_x"},
    };
    struct arena *arena = arena_new(0, NULL);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice got = api_unescape_name(slice_cstr(rows[i].in), arena);
        if (!slice_eq_cstr(got, rows[i].out))
            fail_msg("%s: %.*s, not %s", rows[i].in, SLICE_FMT(got), rows[i].out);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(unescapes_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
