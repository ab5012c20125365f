#include "pipe/kit.h"

#include <setjmp.h>

#include <cmocka.h>

struct decoder {
    int used;
    char *owned;
};
static int deinits;

static void deinit(void *decoder)
{
    struct decoder *d = decoder;
    mem_free(d->owned);
    deinits++;
}

static void test_reuse(void **state)
{
    struct pipe_kits *kits = pipe_kits_new(PIPE_KIT_LOGS, sizeof(struct decoder), deinit);
    char tenant[] = "shop";
    (void)state;
    deinits = 0;
    struct pipe_kit *kit = pipe_kit_take(kits, slice_cstr(tenant));
    struct decoder *d = kit->decoder;
    assert_int_equal(d->used, 0);
    assert_null(kit->metrics);
    d->used = 1;
    d->owned = mem_strdup("x");
    assert_true(slice_eq_cstr(kit->events->tenant, "shop"));
    struct data_label label = {SLICE("app"), SLICE("a")};
    uint32_t stream = data_event_batch_add_stream(kit->events, (struct data_labels){&label, 1});
    data_event_batch_add_row(kit->events, stream, 1);
    pipe_kit_give(kits, kit);
    memset(tenant, 'x', sizeof(tenant) - 1); /* nobody looks at it any more */

    struct pipe_kit *again = pipe_kit_take(kits, SLICE(""));
    assert_ptr_equal(again, kit);
    assert_int_equal(again->events->rows.len, 0);
    assert_int_equal(((struct decoder *)again->decoder)->used, 1);
    assert_true(slice_eq_cstr(again->events->tenant, "default"));
    struct pipe_kit *second = pipe_kit_take(kits, SLICE(""));
    assert_ptr_not_equal(second, again);
    pipe_kit_give(kits, second);
    pipe_kit_give(kits, again);
    assert_int_equal(deinits, 0);
    pipe_kits_free(kits);
    assert_int_equal(deinits, 2);
}

static void test_large_is_freed(void **state)
{
    struct pipe_kits *kits = pipe_kits_new(PIPE_KIT_METRICS, sizeof(struct decoder), deinit);
    (void)state;
    deinits = 0;
    struct pipe_kit *kit = pipe_kit_take(kits, SLICE("tenant"));
    assert_null(kit->events);
    buf_reserve(&kit->scratch, (size_t)9 << 20);
    pipe_kit_give(kits, kit);
    assert_int_equal(deinits, 1);
    pipe_kits_free(kits);
    pipe_kits_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reuse),
                                       cmocka_unit_test(test_large_is_freed)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
