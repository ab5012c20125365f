#include "data/event_batch.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

static void rows_sets_and_children(void **state)
{
    (void)state;
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_SPANS, SLICE("t1"));
    for (int round = 0; round < 2; round++) {
        struct data_label l[] = {{SLICE("service_name"), SLICE("api")}};
        uint32_t s = data_event_batch_add_stream(b, (struct data_labels){l, 1});
        uint32_t host = data_event_batch_field(b, DATA_SCOPE_RESOURCE, SLICE("host.name"));
        uint32_t set = data_event_batch_add_set(b);
        data_event_put(b, host, data_value_string(SLICE("h1")));
        uint32_t row = data_event_batch_add_row(b, s, 17);
        b->rows.items[row].resource = set;
        data_event_put(b, DATA_EVENT_NAME, data_value_string(SLICE("GET /")));
        struct data_event_child e = {.kind = DATA_CHILD_EVENT, .ts_ns = 18, .name = SLICE("ex")};
        data_event_batch_add_child(b, &e);
        data_event_child_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("type")),
                             data_value_string(SLICE("E")));
        data_event_put(b, DATA_EVENT_DURATION, data_value_int(5));
        data_event_put(b, DATA_EVENT_DURATION, data_value_int(6));
        data_event_put(b, DATA_EVENT_STATUS, (struct data_value){0});
        assert_int_equal(b->sets.items[set].count, 1);
        assert_int_equal(b->rows.items[row].count, 3);
        assert_int_equal(b->rows.items[row].child_count, 1);
        assert_int_equal(b->children.items[0].count, 1);
        assert_int_equal(data_event_get(b, row, DATA_EVENT_DURATION).i, 6);
        assert_int_equal(data_event_get(b, row, DATA_EVENT_STATUS).kind, DATA_VALUE_NULL);
        assert_true(
            hash128_eq(b->streams.items[s].id, data_labels_key_hash(b->streams.items[s].key)));
        data_event_batch_reset(b);
        assert_int_equal(b->rows.len + b->attrs.len + b->child_attrs.len, 0);
    }
    data_event_batch_free(b);
}

static void fields_are_interned_by_scope_and_name(void **state)
{
    (void)state;
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    char name[16];
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 500; i++) {
            snprintf(name, sizeof(name), "f.%u", i);
            assert_int_equal(data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, slice_cstr(name)),
                             DATA_EVENT_INTRINSIC_COUNT + i);
        }
    }
    assert_int_equal(data_event_batch_field(b, DATA_SCOPE_SCOPE, SLICE("f.1")),
                     DATA_EVENT_INTRINSIC_COUNT + 500);
    data_event_batch_free(b);
}

static void levels(void **state)
{
    (void)state;
    assert_int_equal(data_event_level_guess(SLICE("WARNING")), DATA_LEVEL_WARN);
    assert_int_equal(data_event_level_guess(SLICE("Err")), DATA_LEVEL_ERROR);
    assert_int_equal(data_event_level_guess(SLICE("crit")), DATA_LEVEL_UNKNOWN);
    assert_int_equal(data_event_level_parse(SLICE("warning")), DATA_LEVEL_UNKNOWN);
    for (int i = 0; i < DATA_LEVEL_COUNT; i++)
        assert_int_equal(data_event_level_parse(data_event_level_name((enum data_event_level)i)),
                         i);
    assert_int_equal(data_event_level_of_severity(9), DATA_LEVEL_INFO);
    assert_int_equal(data_event_level_of_severity(24), DATA_LEVEL_FATAL);
    assert_int_equal(data_event_level_of_severity(25), DATA_LEVEL_UNKNOWN);
}

static void spellings(void **state)
{
    (void)state;
    static const struct {
        const char *stored, *asked;
        bool matches;
    } cases[] = {
        {"service.name", "service_name", true},
        {"service_name", "service.name", true},
        {"service.name", "service.name", true},
        {"a.b", "a-b", false},
        {"a.b", "a_bc", false},
        {"a.bc", "a_b", false},
        {"5xx", "_5xx", true},
        {"n\xc3\xa4me", "n_me", true},
        {"n\xc3\xa4me", "n__me", false},
        {"", "", true},
    };
    struct buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice stored = slice_cstr(cases[i].stored), asked = slice_cstr(cases[i].asked);
        assert_int_equal(data_event_name_matches(stored, asked), cases[i].matches);
        buf_clear(&b);
        data_event_name_sanitize(stored, &b);
        assert_true(data_event_name_matches(stored, buf_slice(&b)));
    }
    buf_deinit(&b);
}

static void values_as_text_and_numbers(void **state)
{
    (void)state;
    static const struct {
        struct data_value value;
        const char *text;
    } cases[] = {
        {{.kind = DATA_VALUE_INT, .i = INT64_MIN}, "-9223372036854775808"},
        {{.kind = DATA_VALUE_DOUBLE, .d = 1e20}, "100000000000000000000"},
        {{.kind = DATA_VALUE_BOOL, .i = 1}, "true"},
        {{.kind = DATA_VALUE_BYTES, .text = SLICE_INIT("\x01\x02")}, "AQI="},
        {{.kind = DATA_VALUE_JSON, .text = SLICE_INIT("[1, 2]")}, "[1, 2]"},
        {{.kind = DATA_VALUE_NULL}, ""},
    };
    struct buf b = {0};
    double d;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&b);
        data_value_print(cases[i].value, &b);
        assert_string_equal(buf_cstr(&b), cases[i].text);
    }
    buf_deinit(&b);
    assert_false(data_value_number(data_value_string(SLICE("12")), false, &d));
    assert_true(data_value_number(data_value_string(SLICE("1.5e3")), true, &d) && d == 1500);
    assert_false(data_value_number(data_value_string(SLICE("12ms")), true, &d));
    assert_false(data_value_number(data_value_bool(true), true, &d));
    assert_true(data_value_eq(data_value_double(NAN), data_value_double(NAN)));
    assert_false(data_value_eq(data_value_double(0.0), data_value_double(-0.0)));
    assert_false(data_value_eq(data_value_string(SLICE("a")), data_value_bytes(SLICE("a"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_sets_and_children),
        cmocka_unit_test(fields_are_interned_by_scope_and_name),
        cmocka_unit_test(levels),
        cmocka_unit_test(spellings),
        cmocka_unit_test(values_as_text_and_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
