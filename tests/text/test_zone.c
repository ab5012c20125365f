#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "text/zone.h"

static struct text_zone *load(const char *name)
{
    struct text_zone *z;
    struct diag d;
    diag_init(&d);
    if (text_zone_load(slice_cstr(name), &z, &d))
        fail_msg("%s", d.msg);
    return z;
}

static void offsets(void **state)
{
    static const struct {
        const char *zone;
        int64_t utc;
        int offset;
        bool dst;
        const char *name;
    } cases[] = {
        {"", 1700000000, 0, false, "UTC"},
        {"+05:30", 1700000000, 19800, false, "+05:30"},
        {"Europe/Berlin", 1711846799, 3600, false, "CET"}, /* 2024-03-31 00:59:59 */
        {"Europe/Berlin", 1711846800, 7200, true, "CEST"},
        {"Europe/Berlin", 1729990799, 7200, true, "CEST"},
        {"Europe/Berlin", 1729990800, 3600, false, "CET"},
        {"America/New_York", 1720000000, -14400, true, "EDT"},
        {"Asia/Kathmandu", 1720000000, 20700, false, "+0545"},
        {"Europe/Berlin", -4000000000, 3208, false, "LMT"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text_zone *z = load(cases[i].zone);
        struct text_zone_local l = text_zone_at(z, cases[i].utc);
        assert_int_equal(l.offset_s, cases[i].offset);
        assert_int_equal(l.is_dst, cases[i].dst);
        assert_string_equal(l.name, cases[i].name);
        text_zone_free(z);
    }
    (void)state;
}

/* pytz's localize() says the same. */
static void local_times(void **state)
{
    static const struct {
        const char *zone;
        int64_t local, utc;
    } cases[] = {
        {"Europe/Berlin", 1720008000, 1720000800},
        {"Europe/Berlin", 1729992600, 1729985400}, /* 01:30 on the 27th of October */
        {"Europe/Berlin", 1729996200, 1729992600}, /* 02:30 twice: the second one, CET */
        {"Europe/Berlin", 1711852200, 1711848600}, /* 02:30 that never was */
        {"America/New_York", 1704110400, 1704128400},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text_zone *z = load(cases[i].zone);
        if (text_zone_to_utc(z, cases[i].local) != cases[i].utc)
            fail_msg("%s %lld: %lld, not %lld", cases[i].zone, (long long)cases[i].local,
                     (long long)text_zone_to_utc(z, cases[i].local), (long long)cases[i].utc);
        text_zone_free(z);
    }
    assert_int_equal(text_zone_to_utc(NULL, 5), 5);
    (void)state;
}

static void bad_names(void **state)
{
    static const char *const names[] = {"Nowhere", "../../etc/passwd", "/etc/passwd", "Europe",
                                        "-x"};
    struct text_zone *z;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct diag d;
        diag_init(&d);
        assert_int_equal(text_zone_load(slice_cstr(names[i]), &z, &d), ERR_INVALID);
        assert_non_null(strstr(d.msg, "unknown time zone"));
    }
    (void)state;
}

/* Any byte of a file may be anything. */
static void damaged(void **state)
{
    struct buf b = {0};
    FILE *f = fopen("/usr/share/zoneinfo/Europe/Berlin", "r");
    assert_non_null(f);
    size_t n = fread(buf_reserve(&b, 65536), 1, 65536, f);
    fclose(f);
    for (size_t i = 0; i < n * 4; i++) {
        struct text_zone *z = NULL;
        char was = b.ptr[i % n];
        b.ptr[i % n] = (char)(i * 37 + i / n);
        if (!text_zone_parse(slice_make(b.ptr, i < n ? i : n), &z)) {
            for (int64_t t = -4000000000; t < 4000000000; t += 700000000)
                (void)text_zone_to_utc(z, t);
        }
        text_zone_free(z);
        b.ptr[i % n] = was;
    }
    buf_deinit(&b);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets),
        cmocka_unit_test(local_times),
        cmocka_unit_test(bad_names),
        cmocka_unit_test(damaged),
    };
    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
