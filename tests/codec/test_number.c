#include "codec/number.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "codec/bytes.h"

static const char *print(double v, enum codec_double_style style)
{
    static char out[CODEC_DOUBLE_TEXT_MAX + 1];
    out[codec_double_to_text(v, style, out)] = '\0';
    return out;
}

static void prints_as_go_does(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *plain, *general, *json;
    } rows[] = {
        {0, "0", "0", "0"},
        {-0.0, "-0", "-0", "-0"},
        {1, "1", "1", "1"},
        {100000, "100000", "100000", "100000"},
        {1000000, "1000000", "1e+06", "1000000"},
        {123456789, "123456789", "1.23456789e+08", "123456789"},
        {0.1, "0.1", "0.1", "0.1"},
        {0.0001, "0.0001", "0.0001", "0.0001"},
        {0.00001, "0.00001", "1e-05", "0.00001"},
        {1e-7, "0.0000001", "1e-07", "1e-7"},
        {1e21, "1000000000000000000000", "1e+21", "1e+21"},
        {1.5e300, NULL, "1.5e+300", "1.5e+300"},
        {5e-324, NULL, "5e-324", "5e-324"},
        {1.7976931348623157e308, NULL, "1.7976931348623157e+308", "1.7976931348623157e+308"},
        {0.30000000000000004, "0.30000000000000004", "0.30000000000000004", "0.30000000000000004"},
        {-2.5, "-2.5", "-2.5", "-2.5"},
        {9007199254740992, "9007199254740992", "9.007199254740992e+15", "9007199254740992"},
        {INFINITY, "+Inf", "+Inf", "+Inf"},
        {-INFINITY, "-Inf", "-Inf", "-Inf"},
        {NAN, "NaN", "NaN", "NaN"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].plain)
            assert_string_equal(print(rows[i].v, CODEC_DOUBLE_PLAIN), rows[i].plain);
        assert_string_equal(print(rows[i].v, CODEC_DOUBLE_GENERAL), rows[i].general);
        assert_string_equal(print(rows[i].v, CODEC_DOUBLE_JSON), rows[i].json);
    }
}

/* Against the C library: the text reads back the same, no shorter one does, and it is what the
 * library prints with that many digits unless that does not read back (powers of two). */
static void shortest_and_exact(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 200000; i++) {
        uint64_t bits = i < 5000 ? i : i < 7000 ? (i - 5000) << 52 : hash_u64(i);
        double v = codec_bits_double(bits);
        if (!isfinite(v) || v == 0)
            continue;
        const char *text = print(v, CODEC_DOUBLE_GENERAL);
        assert_true(strtod(text, NULL) == v);
        uint64_t digits;
        int exp10;
        codec_double_digits(v, &digits, &exp10);
        char reference[40], ours[40];
        int count = snprintf(ours, sizeof(ours), "%llu", (unsigned long long)digits);
        if (count > 1) {
            snprintf(reference, sizeof(reference), "%.*e", count - 2, v);
            assert_true(strtod(reference, NULL) != v);
        }
        double back;
        assert_true(codec_text_to_double(slice_cstr(text), &back, NULL));
        assert_true(codec_double_bits(back) == bits);
    }
}

static void reads_correctly_rounded(void **state)
{
    (void)state;
    static const char *const fixed[] = {"1",
                                        "-1.5",
                                        "+3",
                                        "0.1",
                                        "1e22",
                                        "1e23",
                                        "123456789012345678901234567890",
                                        "2.2250738585072011e-308",
                                        "2.2250738585072014e-308",
                                        "4.9e-324",
                                        "2.4703282292062327e-324",
                                        "1.7976931348623159e308",
                                        "1e400",
                                        "1e-400",
                                        "9007199254740993",
                                        "9007199254740992.9999999999999999999999",
                                        "0.000000000000000000000001",
                                        "8.5e-01",
                                        "1.",
                                        ".5",
                                        "0e999999999",
                                        "6.02214076e23",
                                        "1.00000000000000011102230246251565404236316680908203125",
                                        "1.00000000000000011102230246251565404236316680908203124",
                                        "0x1p-2",
                                        "0X1.8P+1"};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        double v;
        if (!codec_text_to_double(slice_cstr(fixed[i]), &v, NULL))
            fail_msg("refused %s", fixed[i]);
        assert_true(codec_double_bits(v) == codec_double_bits(strtod(fixed[i], NULL)));
    }
    char text[64];
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t r = hash_u64(i * 3 + 1), q = hash_u64(r);
        snprintf(text, sizeof(text), "%llu.%llue%d", (unsigned long long)(r >> (q & 63)),
                 (unsigned long long)(q >> (r & 63)), (int)(hash_u64(q) % 680) - 340);
        double v;
        assert_true(codec_text_to_double(slice_cstr(text), &v, NULL));
        if (codec_double_bits(v) != codec_double_bits(strtod(text, NULL)))
            fail_msg("%s gives %.17g, not %.17g", text, v, strtod(text, NULL));
    }
    double v;
    bool in_range;
    assert_true(codec_text_to_double(SLICE("-1e999"), &v, &in_range));
    assert_false(in_range);
    assert_true(isinf(v) && v < 0);
    assert_true(codec_text_to_double(SLICE("-Infinity"), &v, NULL) && isinf(v) && v < 0);
    assert_true(codec_text_to_double(SLICE("nAn"), &v, NULL));
    assert_int_equal(codec_double_bits(v), UINT64_C(0x7ff8000000000001));
}

static void refuses_what_is_no_number(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "-",   "+",     ".",     "e5",  "1e",  "1e+",
                                      "1x",   " 1",  "1 ",    "1_000", "0x",  "0x1", "0x1p",
                                      "infi", "--1", "1.2.3", "0b1",   "nanx"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        double v;
        if (codec_text_to_double(slice_cstr(bad[i]), &v, NULL))
            fail_msg("took \"%s\" as %g", bad[i], v);
    }
    int64_t n;
    assert_true(codec_text_to_int(SLICE("-9223372036854775808"), &n) && n == INT64_MIN);
    assert_false(codec_text_to_int(SLICE("9223372036854775808"), &n));
    assert_false(codec_text_to_int(SLICE("1a"), &n));
    assert_false(codec_text_to_int(SLICE(""), &n));
    uint64_t u;
    assert_true(codec_text_to_uint(SLICE("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(codec_text_to_uint(SLICE("18446744073709551616"), &u));
}

static void integers_print(void **state)
{
    (void)state;
    static const int64_t values[] = {0, 1, -1, 9, 10, 99, 100, 12345, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char ours[32], reference[32];
        ours[codec_int_to_text(values[i], ours)] = '\0';
        snprintf(reference, sizeof(reference), "%lld", (long long)values[i]);
        assert_string_equal(ours, reference);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_as_go_does),       cmocka_unit_test(shortest_and_exact),
        cmocka_unit_test(reads_correctly_rounded), cmocka_unit_test(refuses_what_is_no_number),
        cmocka_unit_test(integers_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
