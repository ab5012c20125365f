#include "text/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_match(void **state)
{
    static const struct {
        const char *glob, *path;
        bool matches;
    } rows[] = {
        {"/var/log/syslog", "/var/log/syslog", true},
        {"/var/log/syslog", "/var/log/syslog.1", false},
        {"/var/log/*.log", "/var/log/a.log", true},
        {"/var/log/*.log", "/var/log/.log", true},
        {"/var/log/*.log", "/var/log/a/b.log", false},
        {"/var/log/*", "/var/log/", true},
        {"/var/**/*.log", "/var/a.log", true},
        {"/var/**/*.log", "/var/a/b/c.log", true},
        {"/var/**/*.log", "/opt/a.log", false},
        {"/var/**/x/*.log", "/var/a/x/b/x/c.log", true},
        {"/var/**", "/var/a/b", true},
        {"/var/**", "/var", false},
        {"**/a", "a", true},
        {"**/a", "x/y/a", true},
        {"/a?c", "/abc", true},
        {"/a?c", "/a/c", false},
        {"/a[bx-z]c", "/ayc", true},
        {"/a[bx-z]c", "/aac", false},
        {"/a[!b]c", "/axc", true},
        {"/a[!b]c", "/abc", false},
        {"/a[!b]c", "/a/c", false},
        {"/[]]", "/]", true},
        {"/a.{log,txt}", "/a.txt", true},
        {"/a.{log,txt}", "/a.md", false},
        {"/{a,b{c,d}}e", "/bde", true},
        {"/{a,b{c,d}}e", "/be", false},
        {"/x{,.1}", "/x", true},
        {"/x{,.1}", "/x.1", true},
        {"/a\\*b", "/a*b", true},
        {"/a\\*b", "/axb", false},
        {"/*a*a*a*a*b", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(text_glob_check(slice_cstr(rows[i].glob), NULL), 0);
        if (text_glob_match(slice_cstr(rows[i].glob), slice_cstr(rows[i].path)) != rows[i].matches)
            fail_msg("%s and %s", rows[i].glob, rows[i].path);
    }
}

static void test_below(void **state)
{
    static const struct {
        const char *glob, *dir;
        bool may;
    } rows[] = {
        {"/var/log/*.log", "/var/log", true},
        {"/var/log/*.log", "/var", true},
        {"/var/log/*.log", "/", true},
        {"/var/log/*.log", "/va", false},
        {"/var/log/*.log", "/var/log/a", false},
        {"/var/*/x.log", "/var/a", true},
        {"/var/*/x.log", "/var/a/b", false},
        {"/var/**/x.log", "/var/a/b/c", true},
        {"/{a,b}/x", "/b", true},
        {"/{a,b}/x", "/c", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (text_glob_may_match_below(slice_cstr(rows[i].glob), slice_cstr(rows[i].dir)) !=
            rows[i].may)
            fail_msg("%s below %s", rows[i].glob, rows[i].dir);
    }
}

static void test_base(void **state)
{
    (void)state;
    assert_true(slice_eq_cstr(text_glob_base(SLICE("/var/log/*.log")), "/var/log"));
    assert_true(slice_eq_cstr(text_glob_base(SLICE("/*")), "/"));
    assert_true(slice_eq_cstr(text_glob_base(SLICE("*.log")), ""));
    assert_true(slice_eq_cstr(text_glob_base(SLICE("/var/a{b,c}/x")), "/var"));
    assert_true(slice_eq_cstr(text_glob_base(SLICE("/var/a.log")), "/var"));
}

static void test_check(void **state)
{
    static const struct {
        const char *glob, *says;
    } rows[] = {{"", "empty"},
                {"/a[bc", "no ]"},
                {"/a{b,c", "no }"},
                {"/a**", "whole directories"},
                {"/a/**b/c", "whole directories"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct diag diag;
        diag_init(&diag);
        assert_int_equal(text_glob_check(slice_cstr(rows[i].glob), &diag), ERR_INVALID);
        assert_non_null(strstr(diag.msg, rows[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_match), cmocka_unit_test(test_below),
                                       cmocka_unit_test(test_base), cmocka_unit_test(test_check)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
