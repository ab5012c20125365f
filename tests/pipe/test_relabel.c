#include "pipe/relabel.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "pipe/md5.h"

/* Labels as "a=1,b=2" in, rules as YAML, the outcome as text ("dropped" or the set). */
static const struct {
    const char *labels, *rules, *want;
} cases[] = {
    {"a=foo,b=bar",
     "- {source_labels: [a], regex: f(.*), target_label: d, replacement: 'ch${1}-ch${1}'}",
     "{a=\"foo\", b=\"bar\", d=\"choo-choo\"}"},
    {"a=foo,b=bar",
     "- {source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: a, replacement: 'b${1}${2}m'}\n"
     "- {source_labels: [c, a], regex: '(b).*b(.*)ba(.*)', target_label: d, replacement: "
     "'$1$2$2$3'}",
     "{a=\"boobam\", b=\"bar\"}"},
    {"a=foo", "- {source_labels: [a], regex: .*o.*, action: drop}", "dropped"},
    {"a=foo", "- {source_labels: [a], regex: no-match, action: drop}", "{a=\"foo\"}"},
    {"a=foo", "- {source_labels: [a], regex: f|o, action: drop}", "{a=\"foo\"}"},
    {"a=foo", "- {source_labels: [a], regex: no-match, action: keep}", "dropped"},
    {"a=foo", "- {source_labels: [a], regex: f.*, action: keep}", "{a=\"foo\"}"},
    {"a=foo", "- {source_labels: [a], regex: no-match, target_label: b, replacement: bar}",
     "{a=\"foo\"}"},
    {"a=foo", "- {source_labels: [a], regex: f, target_label: b, replacement: bar}", "{a=\"foo\"}"},
    {"a=foo", "- {target_label: b, replacement: bar}", "{a=\"foo\", b=\"bar\"}"},
    {"a=foo", "- {source_labels: [a], target_label: a, replacement: ''}", "{}"},
    {"a=foo", "- {source_labels: [a], target_label: b}", "{a=\"foo\", b=\"foo\"}"},
    {"a=some-name-value",
     "- {source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${1}', replacement: "
     "'${2}'}",
     "{a=\"some-name-value\", name=\"value\"}"},
    {"a=some-name-value",
     "- {source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${3}', replacement: "
     "'${1}'}",
     "{a=\"some-name-value\"}"},
    {"a=foo,b=bar,c=baz",
     "- {source_labels: [c], target_label: d, separator: ';', action: hashmod, modulus: 1000}",
     "{a=\"foo\", b=\"bar\", c=\"baz\", d=\"976\"}"},
    {"a=foo\nbar,b=1", "- {source_labels: [a], target_label: c, action: hashmod, modulus: 1000}",
     "{a=\"foo\\nbar\", b=\"1\", c=\"734\"}"},
    {"a=foo,b1=bar,b2=baz", "- {action: labelmap, regex: '(b.*)', replacement: 'bar_${1}'}",
     "{a=\"foo\", b1=\"bar\", b2=\"baz\", bar_b1=\"bar\", bar_b2=\"baz\"}"},
    {"a=foo,__meta_my_bar=aaa,__meta_my_baz=bbb,__meta_other=ccc",
     "- {action: labelmap, regex: '__meta_(my.*)'}",
     "{__meta_my_bar=\"aaa\", __meta_my_baz=\"bbb\", __meta_other=\"ccc\", a=\"foo\", "
     "my_bar=\"aaa\", "
     "my_baz=\"bbb\"}"},
    {"a=foo,b1=bar,b2=baz", "- {regex: 'b.*', action: labeldrop}", "{a=\"foo\"}"},
    {"a=foo,b1=bar,b2=baz", "- {regex: 'b.*', action: labelkeep}", "{b1=\"bar\", b2=\"baz\"}"},
    {"foo=bAr123Foo",
     "- {source_labels: [foo], action: uppercase, target_label: foo_uppercase}\n"
     "- {source_labels: [foo], action: LowerCase, target_label: foo_lowercase}",
     "{foo=\"bAr123Foo\", foo_lowercase=\"bar123foo\", foo_uppercase=\"BAR123FOO\"}"},
    {"foo=stra\xc3\x9f\xc3\xa9", "- {source_labels: [foo], action: uppercase, target_label: foo}",
     "{foo=\"STRA\xc3\x9f\xc3\x89\"}"},
    {"__tmp_port=1234,__port1=1234,__port2=5678",
     "- {source_labels: [__tmp_port], action: keepequal, target_label: __port1}",
     "{__port1=\"1234\", __port2=\"5678\", __tmp_port=\"1234\"}"},
    {"__tmp_port=1234,__port1=1234,__port2=5678",
     "- {source_labels: [__tmp_port], action: dropequal, target_label: __port1}", "dropped"},
    {"__tmp_port=1234,__port1=1234,__port2=5678",
     "- {source_labels: [__tmp_port], action: keepequal, target_label: __port2}", "dropped"},
    {"a=line1\nline2",
     "- {source_labels: [a], regex: 'line1.*line2', target_label: b, replacement: x}",
     "{a=\"line1\\nline2\", b=\"x\"}"},
    {"__address__=h:9100",
     "- {source_labels: [__address__], regex: '([^:]+)(?::\\d+)?', target_label: host}",
     "{__address__=\"h:9100\", host=\"h\"}"},
    {"a=1,b=2", "- {source_labels: [a, b], separator: '', target_label: c}",
     "{a=\"1\", b=\"2\", c=\"12\"}"},
};

static int parse(const char *text, struct arena *arena, struct pipe_relabel *r, struct diag *diag)
{
    struct text_yaml *root;
    diag_init(diag);
    assert_int_equal(text_yaml_parse(slice_cstr(text), arena, &root, diag), 0);
    return pipe_relabel_parse(root, arena, r, diag);
}

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena = arena_new(0, NULL);
        struct pipe_relabel r;
        struct diag diag;
        if (parse(cases[i].rules, arena, &r, &diag))
            fail_msg("case %zu: %s", i, diag.msg);
        struct data_labels_builder b = {0};
        struct slice rest = slice_cstr(cases[i].labels), pair, name;
        while (slice_split(&rest, ',', &pair)) {
            slice_split(&pair, '=', &name);
            data_labels_builder_set(&b, name, pair);
        }
        struct buf text = {0};
        if (pipe_relabel_apply(&r, &b, arena, NULL) == PIPE_RELABEL_KEPT) {
            struct data_labels l;
            assert_int_equal(data_labels_builder_finish(&b, &l, NULL), 0);
            data_labels_print(l, &text);
        } else {
            buf_append_cstr(&text, "dropped");
        }
        if (strcmp(buf_cstr(&text), cases[i].want) != 0)
            print_error("case %zu (%s)\n", i, cases[i].rules);
        assert_string_equal(buf_cstr(&text), cases[i].want);
        buf_deinit(&text);
        data_labels_builder_deinit(&b);
        pipe_relabel_deinit(&r);
        arena_free(arena);
    }
}

/* Nobody knows whether such a set is to be kept. */
static void refuses_what_takes_too_long(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "- {action: keep, source_labels: [a], regex: '(x+x+)+[yz]'}",
        "- {action: drop, source_labels: [a], regex: '(x+x+)+[yz]'}",
        "- {source_labels: [a], regex: '(x+x+)+[yz]', target_label: b}",
        "- {action: labeldrop, regex: '(x+x+)+[yz]'}",
        "- {action: labelmap, regex: '(x+x+)+[yz]'}",
    };
    struct slice xs = SLICE("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct arena *arena = arena_new(0, NULL);
        struct pipe_relabel r;
        struct diag diag;
        struct data_labels_builder b = {0};
        assert_int_equal(parse(rules[i], arena, &r, &diag), 0);
        diag_init(&diag);
        data_labels_builder_set(&b, SLICE("a"), xs);
        data_labels_builder_set(&b, xs, SLICE("v"));
        assert_int_equal(pipe_relabel_apply(&r, &b, arena, &diag), PIPE_RELABEL_REFUSED);
        assert_int_equal(diag.code, ERR_LIMIT);
        assert_string_equal(
            diag.msg,
            "the regular expression \"(x+x+)+[yz]\" of a relabelling rule takes more than "
            "1000000 steps back on one text (limits.regex_effort): nested repetitions "
            "like (x+x+)+ do, and one without says the same");
        data_labels_builder_deinit(&b);
        pipe_relabel_deinit(&r);
        arena_free(arena);
    }
}

static const struct {
    const char *rules, *want;
} bad[] = {
    {"- {action: keeep}", "1:12: unknown relabel action \"keeep\"; did you mean \"keep\"?"},
    {"- {action: hashmod, target_label: a}",
     "1:3: relabel configuration for hashmod requires non-zero modulus"},
    {"- {action: replace}",
     "1:3: relabel configuration for replace action requires 'target_label' value"},
    {"- {action: lowercase, target_label: a, replacement: b}",
     "1:53: 'replacement' can not be set for lowercase action"},
    {"- {action: keepequal, target_label: a, regex: b}",
     "1:3: keepequal action requires only 'source_labels' and 'target_label', and no other fields"},
    {"- {action: labeldrop, source_labels: [a]}",
     "1:3: labeldrop action requires only 'regex', and no other fields"},
    {"- {target_label: a, regexp: b}", NULL},
    {"- {target_label: a, regex: '('}", NULL},
    {"- {target_label: a, regex: '(?=a)'}", NULL},
    {"{a: b}", "1:1: a list of relabelling rules is expected"},
};

static void refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct arena *arena = arena_new(0, NULL);
        struct pipe_relabel r;
        struct diag diag;
        char text[1200];
        assert_int_not_equal(parse(bad[i].rules, arena, &r, &diag), 0);
        assert_true(diag.line > 0);
        if (bad[i].want)
            assert_string_equal(diag_str(&diag, text, sizeof(text)), bad[i].want);
        arena_free(arena);
    }
}

static void md5_is_md5(void **state)
{
    (void)state;
    static const char *const known[][2] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        unsigned char sum[16];
        char hex[33];
        pipe_md5(slice_cstr(known[i][0]), sum);
        for (int k = 0; k < 16; k++)
            snprintf(hex + 2 * k, 3, "%02x", sum[k]);
        assert_string_equal(hex, known[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(refuses_what_takes_too_long),
        cmocka_unit_test(refusals),
        cmocka_unit_test(md5_is_md5),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
