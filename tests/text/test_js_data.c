/* JavaScript values as plain data: what is read, and what is refused where. */
#include "text/js_data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A tree on one line: strings in quotes, the rest bare. */
static void print(const struct text_yaml *n, struct buf *out)
{
    if (n->kind == TEXT_YAML_SCALAR) {
        buf_printf(out, n->quoted ? "'%.*s'" : "%.*s", SLICE_FMT(n->value));
        return;
    }
    buf_append_char(out, n->kind == TEXT_YAML_MAP ? '{' : '[');
    for (size_t i = 0; i < n->count; i++) {
        if (i)
            buf_append_char(out, ' ');
        if (n->kind == TEXT_YAML_MAP)
            buf_printf(out, "%.*s:", SLICE_FMT(n->keys[i]->value));
        print(n->items[i], out);
    }
    buf_append_char(out, n->kind == TEXT_YAML_MAP ? '}' : ']');
}

static void test_values(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"{}", "{}"},
        {"[]", "[]"},
        {" { a : 1 , 'b c' : \"x\" , } ", "{a:1 b c:'x'}"},
        {"{graphitePort: 2003\n, graphiteHost: \"graphite.example.com\"\n, port: 8125\n, backends: "
         "[ \"./backends/graphite\" ]\n}",
         "{graphitePort:2003 graphiteHost:'graphite.example.com' port:8125 "
         "backends:['./backends/graphite']}"},
        {"/* head */ { // line\n a: /* in */ 1 }", "{a:1}"},
        {"module.exports = { a: 1 };", "{a:1}"},
        {"({a: (1)})", "{a:1}"},
        {"{a: -10, b: +2, c: - 3, d: 0x10, e: 0b101, f: 0o17, g: 1e3, h: .5, i: 1_000, j: 2.50}",
         "{a:-10 b:2 c:-3 d:16 e:5 f:15 g:1000 h:0.5 i:1000 j:2.5}"},
        {"{a: true, b: false, c: null, d: undefined}", "{a:true b:false c:null d:null}"},
        {"['a\\n\\t\\'\\x41\\u00e9\\u{1F600}\\ud83d\\ude00\\q', `b`, 'c\\\nd']",
         "['a\n\t'A\xc3\xa9\xf0\x9f\x98\x80\xf0\x9f\x98\x80q' 'b' 'cd']"},
        {"{a: 1, a: 2}", "{a:2}"},
        {"{1: 2, $x_: 3, \xc3\xa9: 4}", "{1:2 $x_:3 \xc3\xa9:4}"},
        {"\xef\xbb\xbf{a: [1, [2, {b: 3}]]}", "{a:[1 [2 {b:3}]]}"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *arena = arena_new(0, NULL);
        struct text_yaml *root;
        struct buf out = {0};
        struct diag d;
        diag_init(&d);
        if (text_js_parse(slice_cstr(rows[i].in), arena, &root, &d))
            fail_msg("%s: %s", rows[i].in, d.msg);
        print(root, &out);
        assert_string_equal(buf_cstr(&out), rows[i].out);
        buf_deinit(&out);
        arena_free(arena);
    }
}

static void test_refusals(void **state)
{
    static const struct {
        const char *in;
        uint32_t line, col;
        const char *words;
    } rows[] = {
        {"", 1, 1, "ends too early"},
        {"{", 1, 2, "a key is expected"},
        {"{a: 1 b: 2}", 1, 7, "a comma is missing"},
        {"{\n  a: 60 * 1000\n}", 2, 9, "computed"},
        {"{a: require('os').hostname()}", 1, 5, "\"require\" has to be computed"},
        {"{a: process.env.X}", 1, 5, "\"process\" has to be computed"},
        {"{a: 'x' + 'y'}", 1, 9, "computed"},
        {"{a: 'x'.length}", 1, 8, "computed"},
        {"{a: `x${1}`}", 1, 7, "computed"},
        {"{[a]: 1}", 1, 2, "computed"},
        {"{...a}", 1, 2, "computed"},
        {"{a: NaN}", 1, 5, "computed"},
        {"{a: Infinity}", 1, 5, "computed"},
        {"{a: 12ab}", 1, 5, "no number"},
        {"{a: 0x}", 1, 5, "no number"},
        {"{a: 1e999}", 1, 5, "no number"},
        {"{a: 'x\n'}", 1, 5, "no end"},
        {"{a: \"x", 1, 5, "no end"},
        {"{a: 1} /* x", 1, 8, "no end"},
        {"{a 1}", 1, 4, "a colon is expected"},
        {"{a: 1} {b: 2}", 1, 8, ""},
        {"{a: '\\xg'}", 1, 6, "hexadecimal"},
        {"module.exports {a: 1}", 1, 16, "= is expected"},
        {"var x = 1", 1, 1, "\"var\" has to be computed"},
        {"{a: (1}", 1, 7, "parenthesis"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *arena = arena_new(0, NULL);
        struct text_yaml *root;
        struct diag d;
        diag_init(&d);
        assert_int_equal(text_js_parse(slice_cstr(rows[i].in), arena, &root, &d), ERR_INVALID);
        if (!strstr(d.msg, rows[i].words) || d.line != rows[i].line || d.col != rows[i].col)
            fail_msg("%s: %u:%u: %s", rows[i].in, d.line, d.col, d.msg);
        arena_free(arena);
    }
    char deep[300];
    memset(deep, '[', sizeof(deep));
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *root;
    struct diag d;
    diag_init(&d);
    assert_int_equal(text_js_parse(slice_make(deep, sizeof(deep)), arena, &root, &d), ERR_INVALID);
    assert_non_null(strstr(d.msg, "levels"));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
