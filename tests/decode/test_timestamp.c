#include "decode/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "text/duration.h"

#define NOW (INT64_C(1704164645) * NS_PER_SEC) /* 2024-01-02T03:04:05Z */

static void test_lines(void **state)
{
    static const struct {
        const char *line, *time; /* "": none */
    } rows[] = {
        {"2024-01-02T03:04:05.678Z INFO up", "2024-01-02T03:04:05.678Z"},
        {"2024-01-02 03:04:05,678 [main] INFO up", "2024-01-02T01:04:05.678Z"},
        {"[2024-01-02 03:04:05 +0100] up", "2024-01-02T02:04:05Z"},
        {"ERROR 2024-01-02 03:04:05Z up", "2024-01-02T03:04:05Z"},
        {"2009/11/10 23:00:00 up", "2009-11-10T21:00:00Z"},
        {"2009/11/10 23:00:00.25 [error] 7#7: up", "2009-11-10T21:00:00.25Z"},
        {"127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 2326",
         "2000-10-10T20:55:36Z"},
        {"Jan  1 03:04:05 web app[1]: up", "2024-01-01T01:04:05Z"},
        {"Dec 31 23:59:59 web app[1]: up", "2023-12-31T21:59:59Z"},
        {"[Wed Oct 11 14:32:52.123 2000] [error] up", "2000-10-11T12:32:52.123Z"},
        {"I0102 02:04:05.250000       1 main.go:1] up", "2024-01-02T00:04:05.25Z"},
        {"ts=2024-01-02T03:04:05Z level=info", "2024-01-02T03:04:05Z"},
        {"level=info ts=1704164645.5 msg=x", "2024-01-02T03:04:05.5Z"},
        {"time=\"2024-01-02T03:04:05+02:00\" level=info", "2024-01-02T01:04:05Z"},
        {"1704164645 up", "2024-01-02T03:04:05Z"},
        {"1704164645123 up", "2024-01-02T03:04:05.123Z"},
        {"[1704164645] up", "2024-01-02T03:04:05Z"},
        {"order 1704164645 shipped", ""},
        {"phone 1704164645123", ""},
        {"2024-01-02 a day alone", ""},
        {"2024-13-02T03:04:05Z", ""},
        {"192.168.100.200:8080 up", ""},
        {"a1704164645-5", ""},
        {"", ""},
        {"    at com.example.Main.main(Main.java:14)", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ns = 0;
        struct buf out = {0};
        if (decode_timestamp_of_line(slice_cstr(rows[i].line), NOW, 7200, &ns))
            text_time_print(ns, &out);
        if (strcmp(buf_cstr(&out), rows[i].time) != 0)
            fail_msg("\"%s\": \"%s\", not \"%s\"", rows[i].line, buf_cstr(&out), rows[i].time);
        buf_deinit(&out);
    }
}

static void test_numbers(void **state)
{
    int64_t ns;
    (void)state;
    assert_true(decode_timestamp_of_number(1704164645, 1704164645, &ns));
    assert_int_equal(ns, NOW);
    assert_true(decode_timestamp_of_number(1704164645.25, 0, &ns));
    assert_int_equal(ns, NOW + NS_PER_SEC / 4);
    assert_true(decode_timestamp_of_number(1704164645000.0, INT64_C(1704164645000), &ns));
    assert_int_equal(ns, NOW);
    assert_true(decode_timestamp_of_number(1704164645000000.0, INT64_C(1704164645000000), &ns));
    assert_int_equal(ns, NOW);
    assert_true(decode_timestamp_of_number((double)NOW, NOW + 1, &ns));
    assert_int_equal(ns, NOW + 1);
    assert_false(decode_timestamp_of_number(-1, -1, &ns));
    assert_false(decode_timestamp_of_number(1e300, 0, &ns));
    assert_false(decode_timestamp_of_number(9.9e10, INT64_C(99000000000), &ns));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines),
                                       cmocka_unit_test(test_numbers)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
