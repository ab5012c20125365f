#include "data/labels.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

static struct data_labels finish(struct data_labels_builder *b)
{
    struct data_labels l;
    assert_int_equal(data_labels_builder_finish(b, &l, NULL), 0);
    return l;
}

static void sorts_and_drops_empties(void **state)
{
    (void)state;
    struct data_labels_builder b = {0};
    data_labels_builder_set(&b, SLICE("job"), SLICE("a"));
    data_labels_builder_set(&b, SLICE("__name__"), SLICE("up"));
    data_labels_builder_set(&b, SLICE("gone"), SLICE("x"));
    data_labels_builder_set(&b, SLICE("gone"), SLICE(""));
    data_labels_builder_set(&b, SLICE("job"), SLICE("b"));
    struct data_labels l = finish(&b);
    assert_int_equal(l.count, 2);
    assert_true(slice_eq_cstr(l.items[0].name, "__name__"));
    assert_true(slice_eq_cstr(data_labels_get(l, SLICE("job")), "b"));
    assert_null(data_labels_get(l, SLICE("gone")).ptr);
    data_labels_builder_add(&b, SLICE("job"), SLICE("c"));
    struct diag d;
    diag_init(&d);
    assert_int_equal(data_labels_builder_finish(&b, &l, &d), ERR_INVALID);
    assert_string_equal(d.msg, "label \"job\" is given twice");
    data_labels_builder_deinit(&b);
}

static void keys_are_canonical(void **state)
{
    (void)state;
    struct data_labels_builder b = {0};
    char long_value[300];
    memset(long_value, 'v', sizeof(long_value));
    data_labels_builder_set(&b, SLICE("a"), slice_make(long_value, sizeof(long_value)));
    data_labels_builder_set(&b, SLICE("zü"), SLICE("\xe2\x82\xac"));
    struct data_labels l = finish(&b), back;
    struct buf key = {0};
    data_labels_encode(l, &key);
    struct arena *arena = arena_new(0, NULL);
    assert_int_equal(data_labels_decode(buf_slice(&key), arena, &back), 0);
    assert_true(data_labels_eq(l, back));
    struct data_labels copy = data_labels_copy(arena, back);
    assert_true(data_labels_eq(copy, l));
    /* Every cut of a key is refused, but for the cut behind a whole label. */
    for (size_t n = 1; n < key.len; n++) {
        int err = data_labels_decode(slice_first(buf_slice(&key), n), arena, &back);
        if (err == 0)
            assert_int_equal(back.count, 1);
        else
            assert_int_equal(err, ERR_CORRUPT);
    }
    assert_int_equal(data_labels_decode(SLICE("\x01"
                                              "b"
                                              "\x01"
                                              "x"
                                              "\x01"
                                              "a"
                                              "\x01"
                                              "x"),
                                        arena, &back),
                     ERR_CORRUPT);
    assert_int_equal(data_labels_decode(SLICE("\x01"
                                              "a"
                                              "\x00"),
                                        arena, &back),
                     ERR_CORRUPT);
    assert_int_equal(data_labels_decode(SLICE("\x81\x00"
                                              "a"
                                              "\x01"
                                              "x"),
                                        arena, &back),
                     ERR_CORRUPT);
    arena_free(arena);
    buf_deinit(&key);
    data_labels_builder_deinit(&b);
}

static void prints_as_promql_does(void **state)
{
    (void)state;
    struct data_labels_builder b = {0};
    struct buf out = {0};
    data_labels_print(finish(&b), &out);
    assert_string_equal(buf_cstr(&out), "{}");
    data_labels_builder_set(&b, SLICE("__name__"), SLICE("up"));
    buf_clear(&out);
    data_labels_print(finish(&b), &out);
    assert_string_equal(buf_cstr(&out), "up");
    data_labels_builder_set(&b, SLICE("a.b"), SLICE("x\"\\\n"));
    data_labels_builder_set(&b, SLICE("job"), SLICE("j"));
    buf_clear(&out);
    data_labels_print(finish(&b), &out);
    assert_string_equal(buf_cstr(&out), "up{\"a.b\"=\"x\\\"\\\\\\n\", job=\"j\"}");
    data_labels_builder_set(&b, SLICE("__name__"), SLICE("a metric"));
    buf_clear(&out);
    data_labels_print(finish(&b), &out);
    assert_true(slice_starts_with(buf_slice(&out), SLICE("{\"a metric\", \"a.b\"=")));
    buf_deinit(&out);
    data_labels_builder_deinit(&b);
}

static void orders_as_prometheus_does(void **state)
{
    (void)state;
    struct data_label ab[] = {{SLICE("a"), SLICE("1")}, {SLICE("b"), SLICE("1")}};
    struct data_label ac[] = {{SLICE("a"), SLICE("1")}, {SLICE("c"), SLICE("0")}};
    struct data_labels one = {ab, 1}, two = {ab, 2}, other = {ac, 2};
    assert_true(data_labels_cmp(one, two) < 0);
    assert_true(data_labels_cmp(two, other) < 0);
    assert_true(data_labels_cmp(other, one) > 0);
    assert_int_equal(data_labels_cmp(two, two), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorts_and_drops_empties),
        cmocka_unit_test(keys_are_canonical),
        cmocka_unit_test(prints_as_promql_does),
        cmocka_unit_test(orders_as_prometheus_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
