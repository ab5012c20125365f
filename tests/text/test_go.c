/* What Go's packages strconv and time make of texts, and patterns of log lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text/go_string.h"
#include "text/go_time.h"
#include "text/log_pattern.h"

static void unquotes(void **state)
{
    (void)state;
    static const struct {
        const char *literal, *value; /* NULL: none */
    } cases[] = {{"\"a\\\"b\\n\\t\\\\\"", "a\"b\n\t\\"},
                 {"\"\\x41\\101\\u00e4\\U0001F600\"", "AA\xc3\xa4\xf0\x9f\x98\x80"},
                 {"`a\\n\r\"`", "a\\n\""},
                 {"'it\\'s \"'", "it's \""},
                 {"\"a", NULL},
                 {"\"\\q\"", NULL},
                 {"\"\\'\"", NULL},
                 {"\"\\x4\"", NULL},
                 {"\"\\400\"", NULL},
                 {"\"\\ud800\"", NULL},
                 {"\"a\nb\"", NULL},
                 {"\"a\"b\"", NULL},
                 {"a", NULL},
                 {"\"", NULL},
                 {"", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = {0};
        int err = text_go_unquote(slice_cstr(cases[i].literal), &out);
        assert_int_equal(err != 0, cases[i].value == NULL);
        if (!err)
            assert_string_equal(buf_cstr(&out), cases[i].value);
        buf_deinit(&out);
    }
}

static void quotes(void **state)
{
    (void)state;
    struct buf out = {0};
    text_go_quote(SLICE("a\"\\\n\x01\x7f\xc3\xa4\xff\xe2\x80\xa8"), &out);
    assert_string_equal(buf_cstr(&out), "\"a\\\"\\\\\\n\\x01\\x7f\xc3\xa4\\xff\\u2028\"");
    buf_deinit(&out);
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *layout, *text;
        int64_t s;
        int ns;
        int32_t offset_s;
    } cases[] = {
        {"2006-01-02T15:04:05Z07:00", "2024-02-29T12:30:45Z", 1709209845, 0, 0},
        {"2006-01-02T15:04:05Z07:00", "2024-02-29T14:30:45+02:00", 1709209845, 0, 7200},
        {"2006-01-02T15:04:05.000Z07:00", "2024-02-29T12:30:45.120Z", 1709209845, 120000000, 0},
        {"2006-01-02 15:04:05.999999999 -0700 MST", "2024-02-29 12:30:45.5 +0000 UTC", 1709209845,
         500000000, 0},
        {"Mon, 02 Jan 2006 15:04:05 -0700", "Thu, 29 Feb 2024 07:30:45 -0500", 1709209845, 0,
         -18000},
        {"January 2, 2006 3:04:05 PM", "February 29, 2024 12:30:45 PM", 1709209845, 0, 0},
        {"02/Jan/06:15:04:05", "29/Feb/24:12:30:45", 1709209845, 0, 0},
        {"2006-002", "2024-060", 1709164800, 0, 0},
        {"Jan _2 15:04 2006", "Feb  9 12:30 2024", 1707481800, 0, 0},
        {"2006-01-02", "1969-12-31", -86400, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text_go_time t;
        struct buf out = {0};
        struct diag d;
        diag_init(&d);
        if (text_go_time_parse(slice_cstr(cases[i].layout), slice_cstr(cases[i].text), 0, &t, &d))
            fail_msg("%s", d.msg);
        assert_int_equal(t.ns, cases[i].s * NS_PER_SEC + cases[i].ns);
        assert_int_equal(t.offset_s, cases[i].offset_s);
        text_go_time_format(t, slice_cstr(cases[i].layout), &out);
        assert_string_equal(buf_cstr(&out), cases[i].text);
        buf_deinit(&out);
    }
    static const char *const bad[][2] = {{"2006-01-02", "2024-02-30"},
                                         {"2006-01-02", "2024-13-01"},
                                         {"2006-01-02", "2024-1-1"},
                                         {"15:04", "24:00"},
                                         {"15:04", "12:00 "},
                                         {"Jan", "Foo"},
                                         {"Z07:00", "+2"},
                                         {"2006", "9999"}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct text_go_time t;
        assert_int_not_equal(
            text_go_time_parse(slice_cstr(bad[i][0]), slice_cstr(bad[i][1]), 0, &t, NULL), 0);
    }
    int32_t offset;
    assert_true(text_go_zone_parse(SLICE("-0730"), &offset));
    assert_int_equal(offset, -27000);
    assert_true(text_go_zone_parse(SLICE("UTC"), &offset));
    assert_int_equal(offset, 0);
    assert_false(text_go_zone_parse(SLICE("Europe/Berlin"), &offset));
}

static void patterns(void **state)
{
    (void)state;
    struct text_log_patterns *p = text_log_patterns_new(3);
    struct buf out = {0};
    assert_int_equal(text_log_patterns_add(p, SLICE("user alice logged in from 10.0.0.1")), 0);
    assert_int_equal(text_log_patterns_add(p, SLICE("user bob logged in from 10.0.0.2")), 0);
    assert_int_equal(text_log_patterns_add(p, SLICE("GET /a took 12 ms")), 1);
    assert_int_equal(text_log_patterns_add(p, SLICE("GET /b took 7 ms")), 1);
    assert_int_equal(text_log_patterns_add(p, SLICE("POST done at once")), 2);
    assert_int_equal(text_log_patterns_add(p, SLICE("one too many here")), SIZE_MAX);
    text_log_patterns_free(p);

    p = text_log_patterns_new(100);
    assert_int_equal(text_log_patterns_add(p, SLICE("request done path=/a status=200 took 12 ms")),
                     0);
    assert_int_equal(text_log_patterns_add(p, SLICE("request done path=/b status=500 took 7 ms")),
                     0);
    assert_int_equal(text_log_patterns_add(p, SLICE("request done path=/b status=500 took 7 s")),
                     0);
    assert_int_equal(text_log_patterns_add(p, SLICE("request done, path=/b, status=5")), 1);
    assert_int_equal(text_log_patterns_add(p, SLICE("too short")), SIZE_MAX);
    assert_int_equal(text_log_patterns_add(p, SLICE("two  spaces are not mined at all")), SIZE_MAX);
    assert_int_equal(text_log_patterns_count(p), 2);
    text_log_patterns_print(p, 0, &out);
    assert_string_equal(buf_cstr(&out), "request done path=<_> status=<_> took <_>");
    text_log_patterns_free(p);

    /* More numbers than words: its own lines belong to it. */
    p = text_log_patterns_new(100);
    for (int i = 0; i < 50; i++) {
        buf_clear(&out);
        buf_printf(&out, "GET /orders/%d 200 in %dms from 10.0.0.%d at 12:00:%d", i, i * 7, i, i);
        assert_int_equal(text_log_patterns_add(p, buf_slice(&out)), 0);
        buf_clear(&out);
        buf_printf(&out, "%d %d %d 10.0.0.%d", i, i + 1, i + 2, i);
        assert_int_equal(text_log_patterns_add(p, buf_slice(&out)), SIZE_MAX);
    }
    assert_int_equal(text_log_patterns_add(p, SLICE("GET /orders/1 201 out 7ms to 2 by 3")), 1);
    text_log_patterns_free(p);
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(unquotes), cmocka_unit_test(quotes),
                                       cmocka_unit_test(times), cmocka_unit_test(patterns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
