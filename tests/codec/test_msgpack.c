#include "codec/msgpack.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"

#define TAKE(bytes) take(slice_make("" bytes, sizeof(bytes) - 1))

/* The only value in `s`; every cut is not enough. */
static struct codec_msgpack take(struct slice s)
{
    struct codec_msgpack v;
    size_t len;
    for (size_t i = 0; i < s.len; i++) {
        char *exact = mem_dup(s.ptr, i ? i : 1); /* so that a read past the end is seen */
        struct slice cut = slice_make(exact, i);
        assert_int_equal(codec_msgpack_length(cut, &len), ERR_AGAIN);
        mem_free(exact);
    }
    assert_int_equal(codec_msgpack_length(s, &len), 0);
    assert_int_equal(len, s.len);
    assert_int_equal(codec_msgpack_take(&s, &v), 0);
    return v;
}

static void scalars(void **state)
{
    (void)state;
    assert_int_equal(TAKE("\xc0").kind, CODEC_MSGPACK_NIL);
    assert_true(TAKE("\xc3").boolean);
    assert_false(TAKE("\xc2").boolean);
    assert_int_equal(TAKE("\x7f").i, 127);
    assert_int_equal(TAKE("\xe0").i, -32);
    assert_int_equal(TAKE("\xcc\xff").i, 255);
    assert_int_equal(TAKE("\xcd\xff\xfe").i, 65534);
    assert_int_equal(TAKE("\xce\xff\xff\xff\xff").i, 4294967295);
    assert_int_equal(TAKE("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff").i, INT64_MAX);
    struct codec_msgpack v = TAKE("\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
    assert_int_equal(v.kind, CODEC_MSGPACK_UINT);
    assert_true(v.u == UINT64_MAX);
    assert_int_equal(TAKE("\xd0\x80").i, -128);
    assert_int_equal(TAKE("\xd1\xff\xfe").i, -2);
    assert_int_equal(TAKE("\xd2\x80\x00\x00\x00").i, INT32_MIN);
    assert_true(TAKE("\xd3\x80\x00\x00\x00\x00\x00\x00\x00").i == INT64_MIN);
    assert_true(TAKE("\xca\x3f\xc0\x00\x00").d == 1.5);
    assert_true(TAKE("\xcb\xbf\xf8\x00\x00\x00\x00\x00\x00").d == -1.5);
    assert_true(slice_eq_cstr(TAKE("\xa3"
                                   "abc")
                                  .text,
                              "abc"));
    assert_true(slice_eq_cstr(TAKE("\xd9\x01"
                                   "a")
                                  .text,
                              "a"));
    assert_true(slice_eq_cstr(TAKE("\xda\x00\x01"
                                   "a")
                                  .text,
                              "a"));
    assert_true(slice_eq_cstr(TAKE("\xdb\x00\x00\x00\x00").text, ""));
    assert_int_equal(TAKE("\xc4\x01"
                          "a")
                         .kind,
                     CODEC_MSGPACK_BINARY);
    v = TAKE("\xd7\x00"
             "12345678");
    assert_int_equal(v.kind, CODEC_MSGPACK_EXT);
    assert_int_equal(v.ext, 0);
    assert_int_equal(v.text.len, 8);
    v = TAKE("\xc7\x02\xff"
             "ab");
    assert_int_equal(v.ext, -1);
    assert_int_equal(v.text.len, 2);
    struct slice bad = SLICE("\xc1");
    assert_int_equal(codec_msgpack_take(&bad, &v), ERR_INVALID);
}

static void containers(void **state)
{
    size_t len;
    (void)state;
    assert_int_equal(TAKE("\x92\x01\x82\xa1"
                          "a\x01\xa1"
                          "b\x90")
                         .count,
                     2);
    assert_int_equal(TAKE("\xdc\x00\x01\xc0").count, 1);
    assert_int_equal(TAKE("\xdf\x00\x00\x00\x01\xc0\xc0").count, 1);
    /* a count that nothing can hold is not enough, and costs nothing */
    assert_int_equal(codec_msgpack_length(SLICE("\xdd\xff\xff\xff\xff\xc0"), &len), ERR_AGAIN);
    assert_int_equal(codec_msgpack_length(SLICE("\x92\x01\xc1"), &len), ERR_INVALID);
}

static void writing(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 31, 32, 255, 256, 70000};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct buf out = {0};
        struct codec_msgpack v;
        char *text = mem_calloc(1, sizes[i] + 1);
        codec_msgpack_put_string(&out, slice_make(text, sizes[i]));
        codec_msgpack_put_array(&out, (uint32_t)sizes[i]);
        codec_msgpack_put_map(&out, (uint32_t)sizes[i]);
        codec_msgpack_put_bool(&out, i & 1);
        struct slice in = buf_slice(&out);
        assert_int_equal(codec_msgpack_take(&in, &v), 0);
        assert_int_equal(v.text.len, sizes[i]);
        assert_int_equal(codec_msgpack_take(&in, &v), 0);
        assert_int_equal(v.kind, CODEC_MSGPACK_ARRAY);
        assert_int_equal(v.count, sizes[i]);
        assert_int_equal(codec_msgpack_take(&in, &v), 0);
        assert_int_equal(v.kind, CODEC_MSGPACK_MAP);
        assert_int_equal(v.count, sizes[i]);
        assert_int_equal(codec_msgpack_take(&in, &v), 0);
        assert_int_equal(v.boolean, i & 1);
        assert_int_equal(in.len, 0);
        buf_deinit(&out);
        mem_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scalars), cmocka_unit_test(containers),
                                       cmocka_unit_test(writing)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
