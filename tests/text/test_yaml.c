#include "text/conf.h"
#include "text/duration.h"
#include "text/yaml.h"

#include <setjmp.h>

#include <cmocka.h>

static void reads_trees_with_places(void **state)
{
    (void)state;
    struct arena *a = arena_new(0, NULL);
    struct text_yaml *doc;
    assert_int_equal(
        text_yaml_parse(
            SLICE("base: &b\n  x: 1\n  y: 'two'\nuse:\n  <<: *b\n  y: 3\nlist: [a, ~, \"\"]\n"), a,
            &doc, NULL),
        0);
    const struct text_yaml *use = text_yaml_get(doc, "use");
    assert_true(slice_eq_cstr(text_yaml_get(use, "x")->value, "1"));
    assert_true(slice_eq_cstr(text_yaml_get(use, "y")->value, "3"));
    assert_int_equal(text_yaml_get(use, "y")->line, 6);
    const struct text_yaml *list = text_yaml_get(doc, "list");
    assert_true(text_yaml_is_null(list->items[1]));
    assert_false(text_yaml_is_null(list->items[2]));
    assert_int_equal(text_yaml_parse(SLICE("# nothing\n"), a, &doc, NULL), 0);
    assert_null(doc);
    arena_free(a);
}

static void expect_error(const char *text, const char *message)
{
    struct arena *a = arena_new(0, NULL);
    struct text_yaml *doc;
    struct diag d;
    char out[512];
    diag_init(&d);
    assert_int_equal(text_yaml_parse(slice_cstr(text), a, &doc, &d), ERR_INVALID);
    assert_string_equal(diag_str(&d, out, sizeof(out)), message);
    arena_free(a);
}

static void refuses_with_a_place(void **state)
{
    (void)state;
    expect_error("a: 1\nb: 2\na: 3\n", "3:1: key \"a\" is given twice; first in line 1");
    expect_error("a: *x\n", "1:4: YAML: alias *x has no anchor &x before it");
    expect_error("a: 1\n---\nb: 2\n", "2:1: YAML: one document a file, a second one begins here");
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *doc;
    assert_int_equal(text_yaml_parse(SLICE("a: [1, 2\nb: 3\n"), arena, &doc, NULL), ERR_INVALID);
    /* Nine levels of nine: a small file that would expand to hundreds of millions of values. */
    struct buf bomb = {0};
    buf_append_cstr(&bomb, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 9; i++) {
        buf_printf(&bomb, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            buf_printf(&bomb, "%s*a%d", k ? "," : "", i - 1);
        buf_append_cstr(&bomb, "]\n");
    }
    assert_int_equal(text_yaml_parse(buf_slice(&bomb), arena, &doc, NULL), ERR_INVALID);
    buf_clear(&bomb);
    for (int i = 0; i < 10000; i++)
        buf_append_char(&bomb, '[');
    assert_int_equal(text_yaml_parse(buf_slice(&bomb), arena, &doc, NULL), ERR_INVALID);
    buf_deinit(&bomb);
    arena_free(arena);
}

struct settings {
    bool flag;
    int64_t count, wait_ns, size;
    const char *name;
    int mode;
    const struct text_yaml *jobs;
};

static const char *const modes[] = {"slow", "fast", NULL};
static const struct text_conf_field fields[] = {
    {.key = "flag",
     .type = TEXT_CONF_BOOL,
     .offset = offsetof(struct settings, flag),
     .default_text = "false",
     .help = "h"},
    {.key = "limits.count",
     .type = TEXT_CONF_INT,
     .offset = offsetof(struct settings, count),
     .default_text = "5",
     .min = 1,
     .max = 10,
     .help = "h"},
    {.key = "limits.wait",
     .type = TEXT_CONF_DURATION,
     .offset = offsetof(struct settings, wait_ns),
     .default_text = "1m",
     .min = 0,
     .max = INT64_MAX,
     .help = "h"},
    {.key = "limits.size",
     .type = TEXT_CONF_SIZE,
     .offset = offsetof(struct settings, size),
     .default_text = "1KiB",
     .help = "h"},
    {.key = "name",
     .type = TEXT_CONF_STRING,
     .offset = offsetof(struct settings, name),
     .default_text = "x",
     .help = "h"},
    {.key = "mode",
     .type = TEXT_CONF_CHOICE,
     .offset = offsetof(struct settings, mode),
     .default_text = "slow",
     .choices = modes,
     .help = "h"},
    {.key = "jobs", .type = TEXT_CONF_NODE, .offset = offsetof(struct settings, jobs), .help = "h"},
};

static void settings_come_from_file_flags_and_environment(void **state)
{
    (void)state;
    struct arena *a = arena_new(0, NULL);
    struct settings s;
    struct text_yaml *doc;
    text_conf_defaults(fields, ARRAY_LEN(fields), &s, a);
    assert_int_equal(s.wait_ns, 60 * NS_PER_SEC);
    assert_int_equal(
        text_yaml_parse(SLICE("limits:\n  wait: forever\n  size: 2MiB\nmode: fast\njobs: [1,2]\n"),
                        a, &doc, NULL),
        0);
    assert_int_equal(text_conf_apply_yaml(fields, ARRAY_LEN(fields), &s, doc, a, NULL), 0);
    char home[] = "HOME=/", count[] = "PHAROS_LIMITS_COUNT=7", bin[] = "PHAROS_BIN=x";
    char *const env[] = {home, count, bin, NULL};
    const char *const ignored[] = {"BIN", NULL};
    assert_int_equal(
        text_conf_apply_env(fields, ARRAY_LEN(fields), &s, "PHAROS_", env, ignored, a, NULL), 0);
    assert_int_equal(text_conf_apply_set(fields, ARRAY_LEN(fields), &s, SLICE("name=a=b"), a, NULL),
                     0);
    assert_true(s.wait_ns == INT64_MAX && s.size == 2 << 20 && s.mode == 1 && s.count == 7 &&
                s.jobs->count == 2);
    assert_string_equal(s.name, "a=b");
    arena_free(a);
}

static void bad_settings_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"limits:\n  cuont: 3\n",
         "2:3: unknown key \"limits.cuont\"; did you mean \"limits.count\"?"},
        {"limits:\n  count: 11\n", "2:10: limits.count: 11 is not between 1 and 10"},
        {"limits:\n  count: many\n",
         "2:10: limits.count: a whole number is expected, not \"many\""},
        {"limits: 3\n", "1:9: limits takes a map of settings"},
        {"flag: maybe\n", "1:7: flag: true or false is expected, not \"maybe\""},
        {"mode: medium\n", "1:7: mode: \"medium\" is none of slow, fast"},
        {"limits: {wait: 5}\n",
         "1:16: limits.wait: a duration like 15s or 1h30m is expected, not \"5\""},
        {"limits: {size: big}\n", "1:16: limits.size: a size like 512MiB is expected, not \"big\""},
        {"name: [a]\n", "1:7: name: text is expected, a list is given"},
        {"- a\n", "1:1: a configuration is a map of settings"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new(0, NULL);
        struct settings s;
        struct text_yaml *doc;
        struct diag d;
        char out[512];
        diag_init(&d);
        text_conf_defaults(fields, ARRAY_LEN(fields), &s, a);
        assert_int_equal(text_yaml_parse(slice_cstr(rows[i].text), a, &doc, NULL), 0);
        assert_int_equal(text_conf_apply_yaml(fields, ARRAY_LEN(fields), &s, doc, a, &d),
                         ERR_INVALID);
        assert_string_equal(diag_str(&d, out, sizeof(out)), rows[i].message);
        arena_free(a);
    }
}

static void durations_sizes_and_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
        const char *printed;
    } good[] = {{"0", 0, "0s"},
                {"1h30m", 5400 * NS_PER_SEC, "1h30m"},
                {"15ms", 15 * NS_PER_MS, "15ms"},
                {"2d", 172800 * NS_PER_SEC, "2d"},
                {"1w", 604800 * NS_PER_SEC, "1w"},
                {"90s", 90 * NS_PER_SEC, "1m30s"},
                {"1y", 31536000 * NS_PER_SEC, "1y"}};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int64_t ns;
        struct buf out = {0};
        assert_int_equal(text_duration_parse(slice_cstr(good[i].text), &ns), 0);
        assert_int_equal(ns, good[i].ns);
        text_duration_print(ns, &out);
        assert_string_equal(buf_cstr(&out), good[i].printed);
        buf_deinit(&out);
    }
    static const char *const bad[] = {"",    "1",    "s",   "1m1h",         "1s1s",
                                      "-1s", "1.5h", "1 s", "999999999999y"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t ns;
        assert_int_equal(text_duration_parse(slice_cstr(bad[i]), &ns), ERR_INVALID);
    }
    int64_t v;
    assert_true(!text_size_parse(SLICE("1.5KiB"), &v) && v == 1536);
    assert_true(!text_size_parse(SLICE("2GB"), &v) && v == 2000000000);
    assert_true(text_size_parse(SLICE("1 parsec"), &v) && text_size_parse(SLICE(""), &v));
    static const struct {
        const char *text;
        int64_t ns;
    } times[] = {{"1970-01-01T00:00:01Z", NS_PER_SEC},
                 {"2024-02-29T12:00:00.5+01:00", 1709204400500000000},
                 {"1700000000.123", 1700000000123000000},
                 {"1969-12-31T23:59:59.25Z", -750000000},
                 {"-1.5", -1500000000},
                 {"1e3", 1000 * NS_PER_SEC}};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        assert_int_equal(text_time_parse(slice_cstr(times[i].text), &v), 0);
        assert_int_equal(v, times[i].ns);
    }
    static const char *const bad_times[] = {
        "",    "now",  "2023-02-29T00:00:00Z", "2024-01-01", "2024-01-01T24:00:00Z", "0x10", "inf",
        "nan", "1e300"};
    for (size_t i = 0; i < ARRAY_LEN(bad_times); i++)
        assert_int_equal(text_time_parse(slice_cstr(bad_times[i]), &v), ERR_INVALID);
    struct buf out = {0};
    text_time_print(1709204400500000000, &out);
    text_time_print(-750000000, &out);
    assert_string_equal(buf_cstr(&out), "2024-02-29T11:00:00.5Z1969-12-31T23:59:59.25Z");
    buf_deinit(&out);
}

static bool same_tree(const struct text_yaml *a, const struct text_yaml *b)
{
    if (a->kind != b->kind || a->count != b->count || !slice_eq(a->value, b->value))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!same_tree(a->items[i], b->items[i]) ||
            (a->kind == TEXT_YAML_MAP && !same_tree(a->keys[i], b->keys[i])))
            return false;
    }
    return true;
}

static void printed(void **state)
{
    (void)state;
    static const char doc[] = "a: {b: [1, 'two # 2', {c: d, \"e: f\": [x]}, [y, [z]], []], g: {}}\n"
                              "empty:\nquoted: \"tab\\there \\\"q\\\"\"\nblock: |\n  l1\n  l2\n"
                              "url: http://u:p@host/x?y=z@w\n'': none\n";
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *tree, *again;
    struct buf out = {0};
    assert_int_equal(text_yaml_parse(slice_cstr(doc), arena, &tree, NULL), 0);
    text_yaml_print(tree, 0, false, &out);
    assert_int_equal(text_yaml_parse(arena_slice(arena, buf_slice(&out)), arena, &again, NULL), 0);
    /* null is written out */
    assert_true(text_yaml_is_null(text_yaml_get(again, "empty")));
    tree->items[1]->value = again->items[1]->value;
    assert_true(same_tree(tree, again));

    static const char secrets[] =
        "j:\n- url: http://u:p@host/x\n  basic_auth: {username: u, password: "
        "p}\n  http_headers: {X: {secrets: [a, b], values: [c]}}\n";
    assert_int_equal(text_yaml_parse(slice_cstr(secrets), arena, &tree, NULL), 0);
    buf_clear(&out);
    text_yaml_print(tree, 0, true, &out);
    assert_string_equal(buf_cstr(&out), "j:\n"
                                        "- url: http://u:xxxxx@host/x\n"
                                        "  basic_auth:\n"
                                        "    username: u\n"
                                        "    password: <secret>\n"
                                        "  http_headers:\n"
                                        "    X:\n"
                                        "      secrets:\n"
                                        "      - <secret>\n"
                                        "      - <secret>\n"
                                        "      values:\n"
                                        "      - c\n");
    buf_deinit(&out);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printed),
        cmocka_unit_test(reads_trees_with_places),
        cmocka_unit_test(refuses_with_a_place),
        cmocka_unit_test(settings_come_from_file_flags_and_environment),
        cmocka_unit_test(bad_settings_are_explained),
        cmocka_unit_test(durations_sizes_and_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
