#include "api/elastic/ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct elastic_ids_key key(const char *tenant, const char *index, const char *id)
{
    return (struct elastic_ids_key){slice_cstr(tenant), slice_cstr(index), slice_cstr(id)};
}

/* Claimed and stored. */
static enum elastic_ids_answer take(struct elastic_ids *ids, struct elastic_ids_key k,
                                    const char *content, bool again)
{
    enum elastic_ids_answer answer = elastic_ids_claim(ids, ids, k, slice_cstr(content), again);
    if (answer == ELASTIC_IDS_NEW)
        elastic_ids_settle(ids, k, true);
    return answer;
}

static void test_claims(void **state)
{
    struct elastic_ids *ids = elastic_ids_new(1000);
    (void)state;
    assert_int_equal(take(ids, key("t", "i", "1"), "a", false), ELASTIC_IDS_NEW);
    assert_int_equal(take(ids, key("t", "i", "1"), "a", false), ELASTIC_IDS_KNOWN);
    assert_int_equal(take(ids, key("t", "i", "1"), "b", false), ELASTIC_IDS_KNOWN);
    assert_int_equal(take(ids, key("u", "i", "1"), "a", false), ELASTIC_IDS_NEW);
    assert_int_equal(take(ids, key("t", "j", "1"), "a", false), ELASTIC_IDS_NEW);
    assert_int_equal(take(ids, key("t", "i1", ""), "a", false), ELASTIC_IDS_NEW);
    /* With other content it replaces; the last one counts. */
    assert_int_equal(take(ids, key("t", "i", "1"), "a", true), ELASTIC_IDS_KNOWN);
    assert_int_equal(take(ids, key("t", "i", "1"), "b", true), ELASTIC_IDS_NEW);
    assert_int_equal(take(ids, key("t", "i", "1"), "b", true), ELASTIC_IDS_KNOWN);
    assert_int_equal(take(ids, key("t", "i", "1"), "a", true), ELASTIC_IDS_NEW);
    elastic_ids_free(ids);
}

/* While one is being stored nobody else learns that it is. */
static void test_two_owners(void **state)
{
    struct elastic_ids *ids = elastic_ids_new(1000);
    struct elastic_ids_key k = key("t", "i", "1");
    int one, two;
    (void)state;
    assert_int_equal(elastic_ids_claim(ids, &one, k, SLICE("a"), false), ELASTIC_IDS_NEW);
    assert_int_equal(elastic_ids_claim(ids, &one, k, SLICE("a"), false), ELASTIC_IDS_KNOWN);
    assert_int_equal(elastic_ids_claim(ids, &two, k, SLICE("a"), false), ELASTIC_IDS_BUSY);
    assert_int_equal(elastic_ids_claim(ids, &two, k, SLICE("b"), true), ELASTIC_IDS_BUSY);
    elastic_ids_settle(ids, k, false);
    elastic_ids_settle(ids, key("t", "i", "never there"), false);
    assert_int_equal(elastic_ids_claim(ids, &two, k, SLICE("a"), false), ELASTIC_IDS_NEW);
    assert_int_equal(elastic_ids_claim(ids, &two, k, SLICE("b"), true), ELASTIC_IDS_NEW);
    elastic_ids_settle(ids, k, true);
    assert_int_equal(elastic_ids_claim(ids, &one, k, SLICE("b"), false), ELASTIC_IDS_BUSY);
    elastic_ids_settle(ids, k, true);
    assert_int_equal(elastic_ids_claim(ids, &one, k, SLICE("b"), true), ELASTIC_IDS_KNOWN);
    assert_int_equal(elastic_ids_claim(ids, &one, k, SLICE("c"), true), ELASTIC_IDS_NEW);
    elastic_ids_free(ids); /* with a claim left */
}

static enum elastic_ids_answer take_number(struct elastic_ids *ids, size_t i)
{
    char id[24];
    snprintf(id, sizeof(id), "%zu", i);
    return take(ids, key("t", "index", id), "", false);
}

/* The last half of the limit is always known, and never more than the limit. */
static void test_bounded(void **state)
{
    struct elastic_ids *ids = elastic_ids_new(4000);
    size_t known = 0;
    (void)state;
    for (size_t i = 0; i < 50000; i++) {
        assert_int_equal(take_number(ids, i), ELASTIC_IDS_NEW);
        assert_int_equal(take_number(ids, i), ELASTIC_IDS_KNOWN);
        if (i >= 1999)
            assert_int_equal(take_number(ids, i - 1999), ELASTIC_IDS_KNOWN);
    }
    for (size_t i = 0; i < 46000; i++)
        known += take_number(ids, i) == ELASTIC_IDS_KNOWN;
    assert_true(known < 100); /* what the last claims themselves brought back */
    elastic_ids_free(ids);
    elastic_ids_free(NULL);
}

static void test_restored(void **state)
{
    struct elastic_ids *ids = elastic_ids_new(1000);
    struct elastic_ids_key k = key("t", "i", "1");
    (void)state;
    assert_true(elastic_ids_needs_restore(ids, SLICE("t")));
    assert_true(elastic_ids_begin_restore(ids, SLICE("t")));
    elastic_ids_restore(ids, k, 7, SLICE("newest"));
    elastic_ids_restore(ids, k, 6, SLICE("older"));
    elastic_ids_end_restore(ids, SLICE("t"));
    assert_false(elastic_ids_needs_restore(ids, SLICE("t")));
    assert_false(elastic_ids_begin_restore(ids, SLICE("t")));
    assert_true(elastic_ids_needs_restore(ids, SLICE("u")));
    assert_true(elastic_ids_may_be_restored(ids, k));
    assert_false(elastic_ids_may_be_restored(ids, key("t", "i", "2")));
    assert_true(elastic_ids_is_restored(ids, k, 7, SLICE("newest")));
    assert_false(elastic_ids_is_restored(ids, k, 8, SLICE("newest")));
    assert_false(elastic_ids_is_restored(ids, k, 7, SLICE("another")));
    assert_int_equal(take(ids, k, "a", false), ELASTIC_IDS_NEW);
    elastic_ids_free(ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims), cmocka_unit_test(test_two_owners),
        cmocka_unit_test(test_bounded), cmocka_unit_test(test_restored)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
