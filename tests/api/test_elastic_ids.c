#include "api/elastic/ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static bool claim(struct elastic_ids *ids, size_t i)
{
    char id[24];
    int len = snprintf(id, sizeof(id), "%zu", i);
    return elastic_ids_claim(ids, SLICE("t"), SLICE("index"), slice_make(id, (size_t)len));
}

static void test_claims(void **state)
{
    struct elastic_ids *ids = elastic_ids_new(1000);
    (void)state;
    assert_true(elastic_ids_claim(ids, SLICE("t"), SLICE("i"), SLICE("1")));
    assert_false(elastic_ids_claim(ids, SLICE("t"), SLICE("i"), SLICE("1")));
    assert_true(elastic_ids_claim(ids, SLICE("u"), SLICE("i"), SLICE("1")));
    assert_true(elastic_ids_claim(ids, SLICE("t"), SLICE("j"), SLICE("1")));
    assert_true(elastic_ids_claim(ids, SLICE("t"), SLICE("i1"), SLICE("")));
    elastic_ids_release(ids, SLICE("t"), SLICE("i"), SLICE("1"));
    elastic_ids_release(ids, SLICE("t"), SLICE("i"), SLICE("never there"));
    assert_true(elastic_ids_claim(ids, SLICE("t"), SLICE("i"), SLICE("1")));
    assert_false(elastic_ids_claim(ids, SLICE("u"), SLICE("i"), SLICE("1")));
    elastic_ids_free(ids);
}

/* The last half of the limit is always known, and never more than the limit. */
static void test_bounded(void **state)
{
    struct elastic_ids *ids = elastic_ids_new(4000);
    size_t known = 0;
    (void)state;
    for (size_t i = 0; i < 50000; i++) {
        assert_true(claim(ids, i));
        assert_false(claim(ids, i));
        if (i >= 1999)
            assert_false(claim(ids, i - 1999));
    }
    for (size_t i = 0; i < 46000; i++)
        known += !claim(ids, i);
    assert_true(known < 100); /* what the last claims themselves brought back */
    elastic_ids_free(ids);
    elastic_ids_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_claims),
                                       cmocka_unit_test(test_bounded)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
