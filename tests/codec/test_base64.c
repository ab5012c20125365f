#include "codec/base64.h"

#include <setjmp.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/hash.h"
#include "codec/hex.h"

static void rfc_4648_examples(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *coded, *url;
    } rows[] = {{"", "", ""},
                {"f", "Zg==", "Zg"},
                {"fo", "Zm8=", "Zm8"},
                {"foo", "Zm9v", "Zm9v"},
                {"foob", "Zm9vYg==", "Zm9vYg"},
                {"fooba", "Zm9vYmE=", "Zm9vYmE"},
                {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
                {"\xff\xfe\xfb", "//77", "__77"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = {0};
        codec_base64_append(&b, slice_cstr(rows[i].plain), CODEC_BASE64_STANDARD);
        assert_string_equal(buf_cstr(&b), rows[i].coded);
        buf_clear(&b);
        codec_base64_append(&b, slice_cstr(rows[i].plain), CODEC_BASE64_URL);
        assert_string_equal(buf_cstr(&b), rows[i].url);
        buf_clear(&b);
        assert_int_equal(codec_base64_decode(slice_cstr(rows[i].coded), &b), 0);
        assert_int_equal(codec_base64_decode(slice_cstr(rows[i].url), &b), 0);
        assert_int_equal(b.len, 2 * strlen(rows[i].plain));
        assert_memory_equal(b.ptr, rows[i].plain, strlen(rows[i].plain));
        buf_deinit(&b);
    }
}

static void refuses_the_rest(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Z", "Zg=", "Zm9vY", "Zg=a", "Z===", "====", "Zm 9", "Zm9v\n", "Zm9v=", "\xff\xff\xff\xff"};
    struct buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (codec_base64_decode(slice_cstr(bad[i]), &b) != ERR_INVALID || b.len)
            fail_msg("took %s", bad[i]);
    }
    buf_deinit(&b);
}

static void hexadecimal_both_ways(void **state)
{
    (void)state;
    struct buf b = {0};
    unsigned char id[4];
    codec_append_hex(&b, SLICE("\x00\x7f\xab\xff"));
    assert_string_equal(buf_cstr(&b), "007fabff");
    assert_true(codec_text_to_bytes(SLICE("007FabFF"), id, 4));
    assert_memory_equal(id, "\x00\x7f\xab\xff", 4);
    assert_false(codec_text_to_bytes(SLICE("007fabf"), id, 4));
    assert_false(codec_text_to_bytes(SLICE("007fabfg"), id, 4));
    assert_false(codec_text_to_bytes(SLICE("007fab@f"), id, 4));
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_4648_examples),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(hexadecimal_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
