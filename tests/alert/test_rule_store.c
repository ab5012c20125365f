/* Rule groups given over HTTP: putting, listing, deleting, loading, and a machine that goes off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alert/rule_store.h"
#include "base/log.h"
#include "os/sim.h"

static const struct alert_rules_options options = {0};

static struct alert_rule_place at(const char *tenant, const char *name_space, const char *group)
{
    return (struct alert_rule_place){.language = &alert_logql,
                                     .tenant = slice_cstr(tenant),
                                     .name_space = slice_cstr(name_space),
                                     .group = slice_cstr(group)};
}

static int put(struct alert_rule_store *s, struct alert_rule_place place, const char *text,
               struct diag *diag)
{
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *group = NULL;
    assert_int_equal(text_yaml_parse(slice_cstr(text), arena, &group, diag), 0);
    int err = alert_rule_store_put(s, &place, group, &options, 2000, diag);
    arena_free(arena);
    return err;
}

static int put_count(struct alert_rule_store *s, const char *tenant, const char *name_space,
                     const char *group, int minutes)
{
    struct buf text = {0};
    struct diag diag;
    diag_init(&diag);
    buf_printf(
        &text,
        "name: %s\nrules:\n- record: lines\n  expr: 'sum(count_over_time({a=\"b\"}[%dm]))'\n",
        group, minutes);
    int err = put(s, at(tenant, name_space, ""), buf_cstr(&text), &diag);
    buf_deinit(&text);
    return err;
}

/* The listing of a place, or "" when there is nothing. */
static void list(struct alert_rule_store *s, struct alert_rule_place place, struct buf *out)
{
    buf_clear(out);
    int err = alert_rule_store_list(s, &place, out, NULL);
    assert_true(err == 0 || err == ERR_NOT_FOUND);
    assert_int_equal(err == ERR_NOT_FOUND, out->len == 0);
}

static void expect(struct alert_rule_store *s, struct alert_rule_place place, const char *words,
                   bool there)
{
    struct buf text = {0};
    list(s, place, &text);
    if ((slice_find(buf_slice(&text), slice_cstr(words)) >= 0) != there)
        fail_msg("%s is %s in:\n%s", words, there ? "not" : "still", buf_cstr(&text));
    buf_deinit(&text);
}

static void test_put_list_delete(void **state)
{
    (void)state;
    struct os_sim *sim = os_sim_new(1);
    struct alert_rule_store *s = alert_rule_store_new(os_sim_os(sim), "d/rules");
    struct alert_rule_place place;
    struct alert_rules *rules;
    struct diag diag;
    diag_init(&diag);
    expect(s, at("t", "", ""), "name", false);
    assert_int_equal(put_count(s, "t", "a/b.. ", "one", 5), 0);
    assert_int_equal(put_count(s, "t", "a/b.. ", "two", 6), 0);
    assert_int_equal(put_count(s, "t", "c", "one", 7), 0);
    assert_int_equal(put_count(s, "u", "c", "one", 8), 0);
    expect(s, at("t", "", ""), "[5m]", true);
    expect(s, at("t", "", ""), "[7m]", true);
    expect(s, at("t", "", ""), "[8m]", false);
    expect(s, at("t", "a/b.. ", ""), "\"a/b.. \":", true);
    expect(s, at("t", "a/b.. ", "two"), "[6m]", true);
    expect(s, at("t", "a/b.. ", "two"), "[5m]", false);
    assert_int_equal(put_count(s, "t", "a/b.. ", "one", 9), 0); /* in its place */
    expect(s, at("t", "", ""), "[5m]", false);

    assert_int_equal(alert_rule_store_load(s, &options, &rules, &diag), 0);
    assert_int_equal(rules->group_count, 4);
    for (size_t i = 0; i < rules->group_count; i++) {
        const struct alert_group_def *g = &rules->groups[i];
        assert_ptr_equal(g->language, &alert_logql);
        assert_true(slice_eq_cstr(g->file, slice_eq_cstr(g->tenant, "u") ? "c" : "a/b.. ") ||
                    slice_eq_cstr(g->file, "c"));
        assert_int_equal(g->rule_count, 1);
    }
    alert_rules_free(rules);

    place = at("t", "a/b.. ", "three");
    assert_int_equal(alert_rule_store_delete(s, &place, &diag), ERR_NOT_FOUND);
    assert_string_equal(diag.msg, "group does not exist: \"three\" in namespace \"a/b.. \"");
    place.group = SLICE("one");
    assert_int_equal(alert_rule_store_delete(s, &place, NULL), 0);
    expect(s, at("t", "a/b.. ", ""), "[9m]", false);
    expect(s, at("t", "a/b.. ", ""), "[6m]", true);
    place.group = SLICE("two");
    assert_int_equal(alert_rule_store_delete(s, &place, NULL), 0);
    expect(s, at("t", "a/b.. ", ""), "name", false);
    place = at("t", "c", "");
    assert_int_equal(alert_rule_store_delete(s, &place, NULL), 0);
    assert_int_equal(alert_rule_store_delete(s, &place, NULL), ERR_NOT_FOUND);
    expect(s, at("t", "", ""), "name", false);
    expect(s, at("u", "", ""), "[8m]", true);
    alert_rule_store_free(s);
    os_sim_free(sim);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name_space, *text, *words;
        int err;
    } cases[] = {
        {"n", "[]", "a rule group is a YAML map with name and rules", ERR_INVALID},
        {"n", "rules: []", "Groupname must not be empty", ERR_INVALID},
        {"n", "name: g\nrules:\n- record: r\n  expr: '{a=\"b\"}'",
         "4:9: group \"g\", rule 1, \"r\": could not parse expression: the expression gives log "
         "lines; a rule needs numbers, such as sum(count_over_time({a=\"b\"} [5m]))",
         ERR_INVALID},
        {"n", "name: g\nrules:\n- record: r\n  expr: rate(x[5m])", "could not parse expression",
         ERR_INVALID},
        {"n", "name: g\nrulez: []", "rulez", ERR_INVALID},
        {"", "name: g", "a namespace has 1 to 80 bytes", ERR_INVALID},
    };
    struct os_sim *sim = os_sim_new(1);
    struct alert_rule_store *s = alert_rule_store_new(os_sim_os(sim), "d/rules");
    struct diag diag;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        diag_init(&diag);
        assert_int_equal(put(s, at("t", cases[i].name_space, ""), cases[i].text, &diag),
                         cases[i].err);
        if (!strstr(diag.msg, cases[i].words))
            fail_msg("%s: %s", cases[i].text, diag.msg);
    }
    expect(s, at("t", "", ""), "name", false);
    /* The namespace is bounded; what is in it stays. */
    int err = 0, n = 0;
    for (; !err && n < 100; n++) {
        char name[16];
        snprintf(name, sizeof(name), "g%d", n);
        err = put_count(s, "t", "n", name, 5);
    }
    assert_int_equal(err, ERR_TOO_LARGE);
    assert_true(n > 5);
    expect(s, at("t", "n", ""), "g5", true);
    alert_rule_store_free(s);
    os_sim_free(sim);
}

/* One bad file does not keep the others from working. */
static void test_damage(void **state)
{
    (void)state;
    struct os_sim *sim = os_sim_new(1);
    struct alert_rule_store *s = alert_rule_store_new(os_sim_os(sim), "d/rules");
    struct alert_rules *rules;
    assert_int_equal(put_count(s, "t", "good", "g", 5), 0);
    assert_int_equal(put_count(s, "t", "bad", "g", 5), 0);
    assert_true(os_sim_flip(sim, "d/rules/logql/t/bad.yml", 0, 0));
    assert_int_equal(alert_rule_store_load(s, &options, &rules, NULL), 0);
    assert_int_equal(rules->group_count, 1);
    assert_true(slice_eq_cstr(rules->groups[0].file, "good"));
    alert_rules_free(rules);
    alert_rule_store_free(s);
    os_sim_free(sim);
}

/* The machine goes off at each change of the disk in turn: afterwards the old rules are there, or
 * the new ones. */
static void test_crash(void **state)
{
    (void)state;
    bool ended = false;
    size_t crashes = 0;
    for (uint64_t k = 1; !ended; k++) {
        for (uint64_t seed = 1; seed <= 20; seed++) {
            struct os_sim *sim = os_sim_new(seed);
            struct alert_rule_store *s = alert_rule_store_new(os_sim_os(sim), "d/rules");
            struct alert_rule_place place = at("t", "n", "old");
            struct buf text = {0};
            assert_int_equal(put_count(s, "t", "n", "old", 5), 0);
            assert_int_equal(put_count(s, "t", "n", "kept", 6), 0);
            os_sim_crash_at(sim, k);
            int added = put_count(s, "t", "n", "new", 7);
            int deleted = added ? added : alert_rule_store_delete(s, &place, NULL);
            ended = !os_sim_is_off(sim);
            crashes += !ended;
            if (!ended)
                os_sim_restart(sim);
            list(s, at("t", "n", ""), &text);
            struct slice now = buf_slice(&text);
            bool has_new = slice_find(now, SLICE("[7m]")) >= 0,
                 has_old = slice_find(now, SLICE("[5m]")) >= 0;
            assert_true(slice_find(now, SLICE("[6m]")) >= 0);
            assert_true(added || has_new); /* what was acknowledged is there */
            assert_true(deleted || !has_old);
            assert_true(has_old || has_new);
            buf_deinit(&text);
            alert_rule_store_free(s);
            os_sim_free(sim);
        }
    }
    assert_true(crashes > 100);
}

/* A full disk refuses the new group and leaves the old ones, and takes the group when there is
 * room. */
static void test_full_disk(void **state)
{
    (void)state;
    struct os_sim *sim = os_sim_new(1);
    struct alert_rule_store *s = alert_rule_store_new(os_sim_os(sim), "d/rules");
    assert_int_equal(put_count(s, "t", "n", "old", 5), 0);
    os_sim_set_capacity(sim, 64);
    assert_int_equal(put_count(s, "t", "n", "new", 7), ERR_NOSPACE);
    expect(s, at("t", "n", ""), "[5m]", true);
    expect(s, at("t", "n", ""), "[7m]", false);
    os_sim_set_capacity(sim, 0);
    assert_int_equal(put_count(s, "t", "n", "new", 7), 0);
    expect(s, at("t", "n", ""), "[7m]", true);
    alert_rule_store_free(s);
    os_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_list_delete), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_damage),          cmocka_unit_test(test_crash),
        cmocka_unit_test(test_full_disk),
    };
    log_set_level(LOG_LEVEL_COUNT);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
