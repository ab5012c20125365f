#include "codec/json_read.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "codec/json_dom.h"
#include "codec/json_write.h"

static void walks_in_order(void **state)
{
    (void)state;
    struct arena *a = arena_new(0, NULL);
    struct diag d;
    diag_init(&d);
    struct codec_json_reader r =
        codec_json_reader(SLICE("{\"name\":\"a\\u0041\\n\", \"skipped\":{\"x\":[1,{\"y\":\"\\\"\"},"
                                "[]],\"z\":null}, \"v\" : [1, -2.5, \"3\" , \"NaN\",\"-Infinity\"],"
                                "\"t\":true,\"last\":[[],{}]}"),
                          a, &d);
    struct slice key, name = {NULL, 0};
    double v[5];
    size_t count = 0;
    bool t = false;
    assert_true(codec_json_read_object(&r));
    while (codec_json_next_key(&r, &key)) {
        if (slice_eq_cstr(key, "name")) {
            codec_json_read_string(&r, &name);
        } else if (slice_eq_cstr(key, "t")) {
            codec_json_read_bool(&r, &t);
        } else if (slice_eq_cstr(key, "v")) {
            codec_json_read_array(&r);
            while (codec_json_next_item(&r))
                codec_json_read_double(&r, &v[count++]);
        }
    }
    assert_int_equal(codec_json_read_end(&r), 0);
    assert_true(slice_eq_cstr(name, "aA\n"));
    assert_true(t && count == 5 && v[0] == 1 && v[1] == -2.5 && v[2] == 3 && isnan(v[3]) &&
                v[4] == -INFINITY);
    arena_free(a);
}

static void integers_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
        int64_t v;
    } rows[] = {
        {"9223372036854775807", 0, INT64_MAX},
        {"\"-9223372036854775808\"", 0, INT64_MIN},
        {"9223372036854775808", ERR_INVALID, 0},
        {"1e3", 0, 1000},
        {"\"2.0\"", 0, 2},
        {"1.5", ERR_INVALID, 0},
        {"\"\"", ERR_INVALID, 0},
        {"\"x\"", ERR_INVALID, 0},
        {"true", ERR_INVALID, 0},
        {"1e300", ERR_INVALID, 0},
        {"-0", 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct codec_json_reader r = codec_json_reader(slice_cstr(rows[i].text), NULL, NULL);
        int64_t v = 0;
        codec_json_read_int(&r, &v);
        if (codec_json_read_end(&r) != rows[i].err || (!rows[i].err && v != rows[i].v))
            fail_msg("%s gives %lld", rows[i].text, (long long)v);
    }
    struct codec_json_reader r = codec_json_reader(SLICE("\"18446744073709551615\""), NULL, NULL);
    uint64_t u = 0;
    assert_true(codec_json_read_uint(&r, &u) && u == UINT64_MAX);
    r = codec_json_reader(SLICE("-1"), NULL, NULL);
    assert_false(codec_json_read_uint(&r, &u));
}

static void invalid_utf8_as_told(void **state)
{
    (void)state;
    struct slice text = SLICE("\"0123456789abcdef\xff\xc3\xa4\\n\xed\xa0\x80\""), s;
    struct arena *a = arena_new(0, NULL);
    struct codec_json_reader r = codec_json_reader(text, a, NULL);
    assert_false(codec_json_read_string(&r, &s));
    assert_int_equal(r.err, ERR_INVALID);
    r = codec_json_reader(text, a, NULL);
    r.utf8 = CODEC_JSON_UTF8_REPLACE;
    assert_true(codec_json_read_string(&r, &s));
    assert_true(slice_eq_cstr(s, "0123456789abcdef\xef\xbf\xbd\xc3\xa4\n\xef\xbf\xbd\xef\xbf\xbd"
                                 "\xef\xbf\xbd"));
    r = codec_json_reader(text, a, NULL);
    r.utf8 = CODEC_JSON_UTF8_KEEP;
    assert_true(codec_json_read_string(&r, &s));
    assert_true(slice_eq_cstr(s, "0123456789abcdef\xff\xc3\xa4\n\xed\xa0\x80"));
    arena_free(a);
}

static void raw_values_and_places(void **state)
{
    (void)state;
    struct diag d;
    struct slice key, raw;
    char text[256];
    diag_init(&d);
    struct codec_json_reader r =
        codec_json_reader(SLICE("{\"a\": {\"b\":[1, 2]} ,\n\"c\":12x}"), NULL, &d);
    codec_json_read_object(&r);
    assert_true(codec_json_next_key(&r, &key));
    assert_true(codec_json_read_raw(&r, &raw));
    assert_true(slice_eq_cstr(raw, "{\"b\":[1, 2]}"));
    assert_true(codec_json_next_key(&r, &key));
    assert_false(codec_json_next_key(&r, &key));
    assert_string_equal(diag_str(&d, text, sizeof(text)), "2:7: JSON: ',' or '}' is expected");
    /* sticky */
    assert_false(codec_json_read_raw(&r, &raw) || codec_json_next_item(&r) ||
                 codec_json_read_object(&r));
    assert_int_equal(codec_json_read_end(&r), ERR_INVALID);
    r = codec_json_reader(SLICE("[[[1]]]"), NULL, NULL);
    r.depth_max = 2;
    assert_false(codec_json_skip(&r));
    diag_init(&d);
    r = codec_json_reader(SLICE("[7]"), NULL, &d);
    codec_json_read_array(&r);
    codec_json_next_item(&r);
    assert_false(codec_json_read_string(&r, &raw));
    assert_string_equal(diag_str(&d, text, sizeof(text)), "1:2: JSON: a string is expected");
    static const char *const bad[] = {"",
                                      "[",
                                      "{",
                                      "[1",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "[1,]",
                                      "{,}",
                                      "[,1]",
                                      "{\"a\":}",
                                      "tru",
                                      "nulL",
                                      "\"",
                                      "\"\\",
                                      "\"\\u1",
                                      "-",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "01",
                                      "+1",
                                      "[1 2]",
                                      "{1:2}",
                                      "]",
                                      "[1}",
                                      "{]",
                                      "\"\t\"",
                                      "1 1",
                                      "[\"a]",
                                      ("\xef\xbb\xbf"
                                       "1"),
                                      "[1]]",
                                      "NaN",
                                      "'a'",
                                      "{\"a\":1,}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        r = codec_json_reader(slice_cstr(bad[i]), NULL, NULL);
        if (!codec_json_read_end(&r))
            fail_msg("took %s", bad[i]);
    }
}

static void write_random(struct codec_json_writer *w, uint64_t *seed, unsigned depth)
{
    uint64_t x = *seed = hash_u64(*seed + 1);
    switch (depth > 6 ? x % 4 : x % 6) {
    case 0: codec_json_null(w); break;
    case 1: codec_json_int(w, (int64_t)(x >> (x & 63))); break;
    case 2: codec_json_double(w, (double)(int64_t)x / 1024); break;
    case 3: {
        char s[40];
        size_t n = x >> 8 & 31;
        for (size_t i = 0; i < n; i++)
            s[i] = (char)(hash_u64(x + i) & 0x7f);
        codec_json_string(w, slice_make(s, n));
        break;
    }
    case 4:
        codec_json_begin_array(w);
        for (int n = (int)(x >> 8 & 7); n > 0; n--)
            write_random(w, seed, depth + 1);
        codec_json_end_array(w);
        break;
    default:
        codec_json_begin_object(w);
        for (int n = (int)(x >> 8 & 7); n > 0; n--) {
            codec_json_key(w, n & 1 ? SLICE("key \xc3\xa4 \\ \"") : SLICE("plain"));
            write_random(w, seed, depth + 1);
        }
        codec_json_end_object(w);
    }
}

static void write_tree(struct codec_json_writer *w, const struct codec_json *v)
{
    switch (v->kind) {
    case CODEC_JSON_NULL: codec_json_null(w); break;
    case CODEC_JSON_BOOL: codec_json_bool(w, v->boolean); break;
    case CODEC_JSON_NUMBER: codec_json_raw(w, v->text); break;
    case CODEC_JSON_STRING: codec_json_string(w, v->text); break;
    case CODEC_JSON_ARRAY:
        codec_json_begin_array(w);
        for (size_t i = 0; i < v->count; i++)
            write_tree(w, &v->items[i]);
        codec_json_end_array(w);
        break;
    case CODEC_JSON_OBJECT:
        codec_json_begin_object(w);
        for (size_t i = 0; i < v->count; i++) {
            codec_json_key(w, v->keys[i]);
            write_tree(w, &v->items[i]);
        }
        codec_json_end_object(w);
    }
}

static void reads_what_it_wrote(void **state)
{
    (void)state;
    struct buf text = {0}, again = {0};
    struct codec_json_writer w;
    for (uint64_t i = 0; i < 3000; i++) {
        uint64_t seed = i;
        struct arena *a = arena_new(0, NULL);
        struct codec_json doc;
        buf_clear(&text);
        buf_clear(&again);
        codec_json_init(&w, &text);
        write_random(&w, &seed, 0);
        assert_int_equal(codec_json_parse(buf_slice(&text), a, &doc, NULL), 0);
        codec_json_init(&w, &again);
        write_tree(&w, &doc);
        assert_string_equal(buf_cstr(&text), buf_cstr(&again));
        struct codec_json_reader r = codec_json_reader(buf_slice(&text), NULL, NULL);
        assert_int_equal(codec_json_read_end(&r), 0);
        /* No proper beginning of a list or map is a document. */
        if (text.ptr[0] == '[' || text.ptr[0] == '{') {
            r = codec_json_reader(slice_first(buf_slice(&text), seed % text.len), NULL, NULL);
            assert_int_equal(codec_json_read_end(&r), ERR_INVALID);
        }
        arena_free(a);
    }
    buf_deinit(&text);
    buf_deinit(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_in_order),       cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(invalid_utf8_as_told), cmocka_unit_test(raw_values_and_places),
        cmocka_unit_test(reads_what_it_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
