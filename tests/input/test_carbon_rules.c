/* Carbon's rule files: what they say, what is wrong with them, and aggregation over time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "input/carbon/aggregate.h"
#include "os/sim.h"

static void put_file(struct os *os, const char *path, const char *text)
{
    struct os_file *f;
    assert_int_equal(os->ops->open(os, path, OS_WRITE | OS_CREATE, &f, NULL), 0);
    assert_int_equal(os->ops->write_at(f, 0, text, strlen(text), NULL), 0);
    os->ops->close(f);
}

static int load(const char *kind, const char *text, struct input_carbon_rules **out,
                struct diag *diag)
{
    struct os_sim *sim = os_sim_new(1);
    struct os *os = os_sim_os(sim);
    struct input_carbon_files files = {"", "", "", "", true};
    const char **to = strcmp(kind, "blacklist") == 0   ? &files.blacklist
                      : strcmp(kind, "whitelist") == 0 ? &files.whitelist
                      : strcmp(kind, "rewrite") == 0   ? &files.rewrite
                                                       : &files.aggregation;
    *to = "rules.conf";
    put_file(os, "rules.conf", text);
    int err = input_carbon_rules_load(os, &files, out, diag);
    os_sim_free(sim);
    return err;
}

static struct input_carbon_rules *rules(const char *kind, const char *text)
{
    struct input_carbon_rules *r;
    struct diag d;
    diag_init(&d);
    if (load(kind, text, &r, &d))
        fail_msg("%s", d.msg);
    return r;
}

static void lists(void **state)
{
    struct input_carbon_rules *r = rules("blacklist", "# no\n\n^secret\\.\n\\.tmp$\n");
    assert_int_equal(input_carbon_rules_listed(r, SLICE("secret.a")), INPUT_CARBON_BLACKLISTED);
    assert_int_equal(input_carbon_rules_listed(r, SLICE("a.tmp")), INPUT_CARBON_BLACKLISTED);
    assert_int_equal(input_carbon_rules_listed(r, SLICE("a.secret.b")), INPUT_CARBON_LISTED);
    input_carbon_rules_unref(r);
    r = rules("whitelist", "^good\\.\n");
    assert_int_equal(input_carbon_rules_listed(r, SLICE("good.a")), INPUT_CARBON_LISTED);
    assert_int_equal(input_carbon_rules_listed(r, SLICE("bad.a")), INPUT_CARBON_NOT_WHITELISTED);
    input_carbon_rules_unref(r);
    assert_null(rules("whitelist", "# nothing\n"));
    (void)state;
}

static void rewriting(void **state)
{
    struct input_carbon_rules *r = rules(
        "rewrite", "[post]\n_sum$ =\n_avg$ =\n[pre]\n^collectd\\.([a-z\\d]+)\\. = \\1.system.\n"
                   "x(?P<n>\\d)y = \\g<n>\\g<n>\n\\$ = $$\n");
    static const struct {
        bool post;
        const char *name, *expected;
    } cases[] = {
        {false, "collectd.prod.cpu", "prod.system.cpu"},
        {false, "a.x1y.x2y", "a.11.22"},
        {false, "collectd.x1y.b", "11.system.b"},
        {false, "a$b", "a$$b"},
        {false, "a_sum", "a_sum"},
        {true, "a_sum", "a"},
        {true, "same", "same"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf a = {0}, b = {0};
        struct slice got =
            input_carbon_rules_rewrite(r, cases[i].post, slice_cstr(cases[i].name), &a, &b);
        if (!slice_eq_cstr(got, cases[i].expected))
            fail_msg("%s: %.*s, not %s", cases[i].name, SLICE_FMT(got), cases[i].expected);
        buf_deinit(&a);
        buf_deinit(&b);
    }
    input_carbon_rules_unref(r);
    (void)state;
}

static void note(void *ctx, const struct carbon_aggregate *a)
{
    buf_printf(ctx, "%.*s/%lld/%d ", SLICE_FMT(a->name), (long long)a->frequency_s, (int)a->method);
}

static void aggregation_names(void **state)
{
    struct input_carbon_rules *r = rules(
        "aggregation",
        "<env>.applications.<app>.all.requests (60) = sum <env>.applications.<app>.*.requests\n"
        "all.<<rest>> (10) = avg *.web<n>.<<rest>>\n"
        "p.<x> (5) = p95 q*.<x>\n");
    static const struct {
        const char *name, *expected;
    } cases[] = {
        {"prod.applications.shop.www1.requests", "prod.applications.shop.all.requests/60/0 "},
        {"prod.applications.shop.www1.x.requests", ""},
        {"eu.web3.cpu.load", "all.cpu.load/10/1 "},
        {"queue.len", "p.len/5/5 "},
        {"queue.len.x", ""},
        {"a.queue.len", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b = {0};
        input_carbon_rules_aggregates(r, slice_cstr(cases[i].name), note, &b);
        assert_string_equal(buf_cstr(&b), cases[i].expected);
        buf_deinit(&b);
    }
    input_carbon_rules_unref(r);
    (void)state;
}

static void bad_files(void **state)
{
    static const struct {
        const char *kind, *text, *words;
        unsigned line;
    } cases[] = {
        {"blacklist", "ok\n(\n", "error parsing regexp", 2},
        {"rewrite", "a = b\n", "section [pre] or [post]", 1},
        {"rewrite", "[pre]\na\n", "expression = replacement", 2},
        {"rewrite", "[other]\n", "[pre] or [post]", 1},
        {"rewrite", "[pre]\n( = b\n", "error parsing regexp", 2},
        {"aggregation", "a (60) = sum\n", "output (seconds) = method input", 1},
        {"aggregation", "a 60 = sum b\n", "output (seconds)", 1},
        {"aggregation", "a (0) = sum b\n", "output (seconds)", 1},
        {"aggregation", "\na (60) = median b\n", "method median", 2},
        {"aggregation", "a (60) = sum <b-c>.x\n", "error parsing regexp", 1},
        {"aggregation", "a\n", "output (seconds)", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct input_carbon_rules *r;
        struct diag d;
        diag_init(&d);
        assert_int_not_equal(load(cases[i].kind, cases[i].text, &r, &d), 0);
        if (!strstr(d.msg, cases[i].words) || d.line != cases[i].line ||
            strcmp(d.file, "rules.conf") != 0)
            fail_msg("%s: %s:%u: %s", cases[i].text, d.file, d.line, d.msg);
    }
    (void)state;
}

static void print(void *ctx, struct slice name, int64_t ts_s, double value)
{
    buf_printf(ctx, "%.*s %lld %g;", SLICE_FMT(name), (long long)ts_s, value);
}

static void over_time(void **state)
{
    struct carbon_aggregator *a = carbon_aggregator_new(3, 5);
    struct carbon_aggregate sum = {SLICE("s"), 10, CARBON_SUM, 0},
                            p = {SLICE("p"), 10, CARBON_PERCENTILE, .5},
                            more = {SLICE("m"), 10, CARBON_MAX, 0},
                            beyond = {SLICE("n"), 10, CARBON_MIN, 0};
    struct buf b = {0};
    for (int i = 0; i < 4; i++)
        assert_true(
            carbon_aggregator_add(a, &sum, 1000, 1000 + 3 * i, i + 1)); /* 1000 1003 1006 1009 */
    assert_true(carbon_aggregator_add(a, &sum, 1000, 1010, 100));
    for (int i = 0; i < 5; i++)
        assert_true(carbon_aggregator_add(a, &p, 1000, 1000, i == 4 ? 100 : i));
    assert_false(carbon_aggregator_add(a, &p, 1000, 1000, 5)); /* a sixth value */
    assert_true(carbon_aggregator_add(a, &more, 1000, 1000, 5));
    assert_false(carbon_aggregator_add(a, &beyond, 1000, 1000, 5)); /* a fourth name */
    carbon_aggregator_flush(a, 1009, false, print, &b);
    assert_string_equal(buf_cstr(&b), "");
    carbon_aggregator_flush(a, 1010, false, print, &b);
    assert_string_equal(buf_cstr(&b), "s 1000 10;s 1010 100;p 1000 2;m 1000 5;");
    /* Only what got more is computed again, whole. */
    buf_clear(&b);
    assert_true(carbon_aggregator_add(a, &sum, 1011, 1009, 5));
    carbon_aggregator_flush(a, 1020, false, print, &b);
    assert_string_equal(buf_cstr(&b), "s 1000 15;");
    /* What is five intervals old is forgotten, and so are names. */
    buf_clear(&b);
    carbon_aggregator_flush(a, 1100, false, print, &b);
    assert_string_equal(buf_cstr(&b), "");
    assert_true(carbon_aggregator_add(a, &beyond, 1100, 1100, 5));
    for (int i = 0; i < 5; i++)
        assert_true(carbon_aggregator_add(a, &p, 1100, 1100, i));
    carbon_aggregator_flush(a, 1100, true, print, &b);
    assert_string_equal(buf_cstr(&b), "n 1100 5;p 1100 2;");
    carbon_aggregator_free(a);
    buf_deinit(&b);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(rewriting),
        cmocka_unit_test(aggregation_names),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(over_time),
    };
    return cmocka_run_group_tests_name("carbon rules", tests, NULL, NULL);
}
