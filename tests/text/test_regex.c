#include "text/regex.h"

#include <setjmp.h>

#include <cmocka.h>

static struct text_regex *must(const char *pattern, unsigned flags)
{
    struct text_regex *re = NULL;
    struct diag d;
    diag_init(&d);
    if (text_regex_compile(slice_cstr(pattern), flags, &re, &d))
        fail_msg("%s: %s", pattern, d.msg);
    return re;
}

static void anchored_as_matchers_are(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *yes, *no;
    } rows[] = {{"a|b", "b", "ab"},
                {"foo.*", "foo\nbar", "xfoo"},
                {"(?i)abc", "ABC", "ABCD"},
                {".*", "", NULL},
                {".+", "x", ""},
                {"(a|b)c", "bc", "c"},
                {"[[:alpha:]]+", "abc", "a1"},
                {"\\d{2,3}", "123", "1234"},
                {"a$", "a", "a\n"},
                {"\\pL+", "\xc3\xa4", "1"},
                {"x*?", "xx", "y"},
                {"(?P<n>a)b", "ab", "a"},
                {"a\\.b", "a.b", "axb"},
                {"a?", "", "b"},
                {"\\Qa.b\\E", "a.b", "axb"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct text_regex *re = must(rows[i].pattern, TEXT_REGEX_ANCHORED);
        if (!text_regex_match(re, slice_cstr(rows[i].yes)))
            fail_msg("%s should match %s", rows[i].pattern, rows[i].yes);
        if (rows[i].no && text_regex_match(re, slice_cstr(rows[i].no)))
            fail_msg("%s should not match %s", rows[i].pattern, rows[i].no);
        text_regex_free(re);
    }
}

static void what_re2_lacks_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"(",
                                      ")",
                                      "a(b",
                                      "[a",
                                      "a**",
                                      "*a",
                                      "+",
                                      "(?=a)",
                                      "(?!a)",
                                      "(?<=a)b",
                                      "(?>a)",
                                      "a++",
                                      "(a)\\1",
                                      "a{1001}",
                                      "(?<n",
                                      "\\",
                                      "\\C",
                                      "(?R)",
                                      "(?P=n)",
                                      "\\G",
                                      "\\k<a>",
                                      "(?#c)",
                                      "a{2}{3}",
                                      "x\\8",
                                      "(a{1000}){1000}",
                                      "(x(a{2}b){20}|c){26}",
                                      "(?:(a{9}){9}){13}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct text_regex *re;
        struct diag d;
        diag_init(&d);
        if (!text_regex_compile(slice_cstr(bad[i]), 0, &re, &d))
            fail_msg("took %s", bad[i]);
        assert_true(slice_starts_with(slice_cstr(d.msg), SLICE("error parsing regexp: ")));
    }
    struct text_regex *re;
    struct diag d;
    diag_init(&d);
    text_regex_compile(SLICE("a**"), 0, &re, &d);
    assert_string_equal(d.msg, "error parsing regexp: invalid nested repetition operator: `**`");
}

static void effort_is_bounded(void **state)
{
    (void)state;
    struct text_regex *re = must("(a+)+[bc]", TEXT_REGEX_ANCHORED);
    struct buf text = {0};
    for (int i = 0; i < 60; i++)
        buf_append_char(&text, 'a');
    uint64_t before = text_regex_overruns();
    assert_false(text_regex_match(re, SLICE("ad")));
    assert_int_equal(text_regex_overruns(), before);
    assert_false(text_regex_match(re, buf_slice(&text)));
    assert_int_equal(text_regex_overruns(), before + 1);
    /* Less effort is spent from the next match on, and the message says how much. */
    struct diag diag;
    diag_init(&diag);
    assert_int_equal(text_regex_check(before + 1, "it", &diag), 0);
    text_regex_set_effort(5);
    assert_false(text_regex_match(re, SLICE("aaaaaaad")));
    assert_int_equal(text_regex_check(before + 1, "it", &diag), ERR_LIMIT);
    assert_non_null(strstr(diag.msg, "it takes more than 5 steps back on one text"));
    text_regex_set_effort(TEXT_REGEX_EFFORT);
    assert_false(text_regex_match(re, SLICE("aaaaaaad")));
    assert_int_equal(text_regex_overruns(), before + 2);
    before++;
    text_regex_free(re);
    /* Long, but no trouble for RE2: a larger stack is found. */
    re = must("(a|b)*c", TEXT_REGEX_ANCHORED);
    while (text.len < 16384)
        buf_append_char(&text, 'a');
    buf_append_char(&text, 'c');
    assert_true(text_regex_match(re, buf_slice(&text)));
    assert_int_equal(text_regex_overruns(), before + 1);
    buf_deinit(&text);
    text_regex_free(re);
}

/* What RE2 counts: repeats in each other multiply, those beside each other do not. */
static void repeats_may_multiply_to_a_thousand(void **state)
{
    (void)state;
    static const char *const good[] = {
        "a{1000}",    "(a{500}){2}",      "(a{1000})(b{1000})", "((a{2}b){20}|c){25}",
        "(a{1000})*", "(a{1000})b{1000}", "a{10}x{1000}",       "{a}{3"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        text_regex_free(must(good[i], TEXT_REGEX_ANCHORED));
}

/* What a variable with very many values becomes. */
static void many_literals(void **state)
{
    (void)state;
    struct buf pattern = {0};
    for (int i = 0; i < 20000; i++)
        buf_printf(&pattern, "%swt-%d", i ? "|" : "(", i);
    buf_append_char(&pattern, ')');
    struct text_regex *re = must(buf_cstr(&pattern), TEXT_REGEX_ANCHORED);
    assert_true(text_regex_match(re, SLICE("wt-19999")));
    assert_false(text_regex_match(re, SLICE("wt-20000")));
    struct slice groups[3];
    assert_int_equal(text_regex_group_count(re), 2);
    assert_true(text_regex_groups(re, SLICE("wt-7"), groups, 3));
    assert_true(slice_eq_cstr(groups[0], "wt-7") && slice_eq_cstr(groups[1], "wt-7"));
    assert_null(groups[2].ptr);
    assert_int_equal(text_regex_group_name(re, 1).len, 0);
    struct buf out = {0};
    text_regex_expand(re, SLICE("$1-$x"), groups, 2, &out);
    assert_string_equal(buf_cstr(&out), "wt-7-");
    buf_deinit(&out);
    buf_deinit(&pattern);
    text_regex_free(re);
}

static void expands_groups(void **state)
{
    (void)state;
    struct text_regex *re = must("(?P<host>[^:]+):(\\d+)(x)?", TEXT_REGEX_ANCHORED);
    struct slice groups[4];
    assert_int_equal(text_regex_group_count(re), 4);
    assert_true(text_regex_groups(re, SLICE("box:9100"), groups, 4));
    assert_null(groups[3].ptr);
    struct buf out = {0};
    text_regex_expand(re, SLICE("$host/${2}/$1x/${1}x/$$/$3/${nope}/$9/$"), groups, 4, &out);
    assert_string_equal(buf_cstr(&out), "box/9100//boxx/$////$");
    assert_false(text_regex_groups(re, SLICE("box"), groups, 4));
    buf_deinit(&out);
    text_regex_free(re);
}

static void replaces_as_go_does(void **state)
{
    static const struct {
        const char *pattern, *text, *template, *want;
    } rows[] = {{"(a)b", "xabyab", "$1-", "xa-ya-"},
                {"x*", "axb", "-", "-a-b-"},
                {"^a", "aab", "x", "xab"},
                {"a|", "aba", "z", "zbz"},
                {"", "\xc3\xa9!", "-", "-\xc3\xa9-!-"},
                {"q", "abc", "-", "abc"},
                {"b$", "abb", "", "ab"},
                {"x", "", "y", ""}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct text_regex *re;
        struct buf out = {0};
        assert_int_equal(text_regex_compile(slice_cstr(rows[i].pattern), 0, &re, NULL), 0);
        text_regex_replace_all(re, slice_cstr(rows[i].text), slice_cstr(rows[i].template), 1000,
                               &out);
        assert_string_equal(buf_cstr(&out), rows[i].want);
        text_regex_free(re);
        buf_deinit(&out);
    }
}

static void tells_an_index_what_it_needs(void **state)
{
    (void)state;
    const struct slice *words;
    struct text_regex *re = must("(?:a|b\\.c|)", TEXT_REGEX_ANCHORED);
    assert_int_equal(text_regex_literals(re, &words), 3);
    assert_true(slice_eq_cstr(words[1], "b.c"));
    assert_true(text_regex_match(re, SLICE("")) && text_regex_match(re, SLICE("b.c")) &&
                !text_regex_match(re, SLICE("bxc")));
    text_regex_free(re);
    re = must("node_cpu.*", TEXT_REGEX_ANCHORED);
    assert_int_equal(text_regex_literals(re, &words), 0);
    assert_true(slice_eq_cstr(text_regex_prefix(re), "node_cpu"));
    text_regex_free(re);
    re = must("abc?", TEXT_REGEX_ANCHORED);
    assert_true(slice_eq_cstr(text_regex_prefix(re), "ab"));
    text_regex_free(re);
    re = must("a|b.*", TEXT_REGEX_ANCHORED);
    assert_int_equal(text_regex_literals(re, &words), 0);
    assert_int_equal(text_regex_prefix(re).len, 0);
    assert_true(text_regex_match(re, SLICE("bxx")));
    text_regex_free(re);
    re = must("(a|b)(c|d)", TEXT_REGEX_ANCHORED);
    assert_int_equal(text_regex_literals(re, &words), 0);
    assert_true(text_regex_match(re, SLICE("ad")));
    text_regex_free(re);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anchored_as_matchers_are),
        cmocka_unit_test(what_re2_lacks_is_refused),
        cmocka_unit_test(effort_is_bounded),
        cmocka_unit_test(repeats_may_multiply_to_a_thousand),
        cmocka_unit_test(many_literals),
        cmocka_unit_test(expands_groups),
        cmocka_unit_test(replaces_as_go_does),
        cmocka_unit_test(tells_an_index_what_it_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
