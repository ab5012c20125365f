#include "codec/json_dom.h"
#include "codec/json_write.h"
#include "codec/pb.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void writes_as_go_does(void **state)
{
    (void)state;
    struct buf out = {0};
    struct codec_json_writer w;
    codec_json_init(&w, &out);
    codec_json_begin_object(&w);
    codec_json_put_string(&w, "s", SLICE("a\"\\\n\t\x01<&>\xe2\x80\xa8\xff\xc3\xa4"));
    codec_json_key(&w, SLICE("list"));
    codec_json_begin_array(&w);
    codec_json_int(&w, -5);
    codec_json_double(&w, 0.5);
    codec_json_double(&w, NAN);
    codec_json_bool(&w, true);
    codec_json_begin_object(&w);
    codec_json_end_object(&w);
    codec_json_end_array(&w);
    codec_json_put_int(&w, "n", 7);
    codec_json_end_object(&w);
    assert_string_equal(buf_cstr(&out),
                        "{\"s\":\"a\\\"\\\\\\n\\t\\u0001<&>\\u2028\\ufffd\xc3\xa4\",\"list\":[-5,0."
                        "5,null,true,{}],\"n\":7}");
    buf_deinit(&out);
}

static void reads_documents(void **state)
{
    (void)state;
    struct arena *a = arena_new(0, NULL);
    struct codec_json doc;
    assert_int_equal(codec_json_parse(SLICE(" {\"a\": [1, -2.5e3, \"x\\u00e4\\ud83d\\ude00\\n\"], "
                                            "\"b\": {\"c\": null}, \"a\": true} "),
                                      a, &doc, NULL),
                     0);
    assert_int_equal(doc.count, 3);
    assert_true(codec_json_get(&doc, "a")->boolean);
    assert_int_equal(doc.items[0].kind, CODEC_JSON_ARRAY);
    assert_true(doc.items[0].items[1].number == -2500);
    assert_true(slice_eq_cstr(doc.items[0].items[2].text, "x\xc3\xa4\xf0\x9f\x98\x80\n"));
    assert_int_equal(codec_json_get(codec_json_get(&doc, "b"), "c")->kind, CODEC_JSON_NULL);
    assert_null(codec_json_get(&doc, "zzz"));
    arena_free(a);
}

static void refuses_with_a_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "1:1: JSON: a value is expected, but the text ends"},
        {"{\"a\" 1}", "1:6: JSON: ':' is expected behind a key"},
        {"[1,\n 2,]", "2:4: JSON: a value is expected"},
        {"[01]", "1:2: JSON: not a number"},
        {"[1.]", "1:2: JSON: not a number"},
        {"\"a\nb\"", "1:3: JSON: a control character inside a string must be escaped"},
        {"\"\\x\"", "1:2: JSON: an unknown escape in a string"},
        {"\"abc", "1:2: JSON: a string is not closed"},
        {"\"abc\\", "1:2: JSON: a string is not closed"},
        {"{} x", "1:4: JSON: the text goes on behind the value"},
        {"\"\xff\"", "1:2: JSON: a string holds bytes that are no UTF-8"},
        {"nul", "1:1: JSON: a value is expected"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new(0, NULL);
        struct codec_json doc;
        struct diag d;
        char text[256];
        diag_init(&d);
        assert_int_equal(codec_json_parse(slice_cstr(rows[i].text), a, &doc, &d), ERR_INVALID);
        assert_string_equal(diag_str(&d, text, sizeof(text)), rows[i].message);
        arena_free(a);
    }
    struct buf deep = {0};
    for (int i = 0; i < 100000; i++)
        buf_append_char(&deep, '[');
    struct arena *a = arena_new(0, NULL);
    struct codec_json doc;
    assert_int_equal(codec_json_parse(buf_slice(&deep), a, &doc, NULL), ERR_INVALID);
    arena_free(a);
    buf_deinit(&deep);
}

static void protobuf_round_trip(void **state)
{
    (void)state;
    struct buf b = {0};
    char long_text[300] = {0};
    codec_pb_put_varint(&b, 1, UINT64_MAX);
    size_t outer = codec_pb_begin(&b, 2);
    codec_pb_put_double(&b, 3, 2.5);
    size_t inner = codec_pb_begin(&b, 4);
    codec_pb_put_bytes(&b, 5, slice_make(long_text, sizeof(long_text)));
    codec_pb_end(&b, inner);
    codec_pb_end(&b, outer);
    struct codec_pb_reader r = codec_pb_reader(buf_slice(&b)), in, in2;
    struct codec_pb_field f;
    assert_true(codec_pb_next(&r, &f) && f.number == 1 && f.num == UINT64_MAX);
    assert_true(codec_pb_next(&r, &f) && f.number == 2 && f.wire == CODEC_PB_BYTES);
    in = codec_pb_reader(f.bytes);
    assert_true(codec_pb_next(&in, &f) && f.number == 3 && codec_pb_double(&f) == 2.5);
    assert_true(codec_pb_next(&in, &f) && f.number == 4);
    in2 = codec_pb_reader(f.bytes);
    assert_true(codec_pb_next(&in2, &f) && f.number == 5 && f.bytes.len == 300);
    assert_false(codec_pb_next(&in2, &f) || codec_pb_next(&in, &f) || codec_pb_next(&r, &f));
    assert_false(r.failed || in.failed || in2.failed);
    r = codec_pb_reader(slice_first(buf_slice(&b), b.len - 1));
    while (codec_pb_next(&r, &f)) {
    }
    assert_true(r.failed);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_as_go_does),
        cmocka_unit_test(reads_documents),
        cmocka_unit_test(refuses_with_a_place),
        cmocka_unit_test(protobuf_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
