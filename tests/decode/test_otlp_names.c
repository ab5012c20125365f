/* Names of metrics, units and labels under every strategy of Prometheus 3. */
#include "decode/otlp/translation.h"

#include <setjmp.h>

#include <cmocka.h>

static struct decode_otlp_translation with(bool escape, bool suffixes)
{
    struct decode_otlp_translation t;
    decode_otlp_translation_defaults(&t);
    t.escape = escape;
    t.suffixes = suffixes;
    return t;
}

static void assert_name(const struct decode_otlp_translation *t, const char *name, const char *unit,
                        enum decode_otlp_metric_kind kind, const char *want)
{
    struct buf out = {0};
    bool ok = decode_otlp_metric_name(t, slice_cstr(name), slice_cstr(unit), kind, &out);
    assert_int_equal(ok, want != NULL);
    assert_string_equal(buf_cstr(&out), want ? want : "");
    buf_deinit(&out);
}

static void names_with_suffixes(void **state)
{
    (void)state;
    struct decode_otlp_translation t = with(true, true);
    const int other = DECODE_OTLP_KIND_OTHER, gauge = DECODE_OTLP_KIND_GAUGE,
              counter = DECODE_OTLP_KIND_COUNTER;
    static const struct {
        const char *name, *unit;
        int kind;
        const char *want;
    } cases[] = {
        {"http.server.request.duration", "s", 0, "http_server_request_duration_seconds"},
        {"system.disk.io", "By", 2, "system_disk_io_bytes_total"},
        {"system.disk.io_bytes", "By", 2, "system_disk_io_bytes_total"},
        {"requests.total.count", "1", 2, "requests_count_total"},
        {"requests", "{request}", 2, "requests_total"},
        {"rate", "{request}/s", 1, "rate_per_second"},
        {"speed", "km/h", 1, "speed_km_per_hour"},
        {"speed", "m/s", 1, "speed_meters_per_second"},
        {"broken.metric.speed", "km/h", 1, "broken_metric_speed_km_per_hour"},
        {"hits.ratio", "1", 1, "hits_ratio"},
        {"ratio.of.hits", "1", 1, "of_hits_ratio"},
        {"updown", "1", 0, "updown"},
        {"1st.metric", "", 0, "_1st_metric"},
        {"a..b__c", "", 0, "a_b_c"},
        {"metric.percent", "%", 1, "metric_percent"},
        {"metric", "%", 1, "metric_percent"},
        {"foo bar", "w/\xe2\x86\x92", 0, "foo_bar_w"},
        {"m", "1000/{n}", 0, "m_1000"},
        {"unsupported.metric.temperature",
         "\xc2\xb0"
         "F",
         1, "unsupported_metric_temperature_F"},
        {"unsupported.metric.redundant",
         "__test $/\xc2\xb0"
         "C",
         0, "unsupported_metric_redundant_test_per_C"},
        {"a:b", "", 0, "a:b"},
        {"\xe3\x83\xa1", "", 0, NULL},
        {"", "s", 0, NULL},
        {"...", "", 0, NULL},
    };
    assert_int_equal(other, 0);
    assert_int_equal(gauge, 1);
    assert_int_equal(counter, 2);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_name(&t, cases[i].name, cases[i].unit, (enum decode_otlp_metric_kind)cases[i].kind,
                    cases[i].want);
}

static void names_of_other_strategies(void **state)
{
    (void)state;
    struct decode_otlp_translation t = with(true, false);
    assert_name(&t, "http.requests", "s", DECODE_OTLP_KIND_COUNTER, "http_requests");
    assert_name(&t, "a__b.c", "", DECODE_OTLP_KIND_COUNTER, "a__b_c");
    assert_name(&t, "0abc", "", DECODE_OTLP_KIND_OTHER, "_0abc");
    assert_name(&t, ".a.", "", DECODE_OTLP_KIND_OTHER, "a");
    assert_name(&t, "_", "", DECODE_OTLP_KIND_OTHER, "_");
    assert_name(&t, ".", "", DECODE_OTLP_KIND_OTHER, NULL);
    t = with(false, true);
    assert_name(&t, "http.requests", "s", DECODE_OTLP_KIND_COUNTER, "http.requests_seconds_total");
    assert_name(&t, "http.requests_total", "", DECODE_OTLP_KIND_COUNTER, "http.requests_total");
    assert_name(&t, "http.requests.seconds", "s", DECODE_OTLP_KIND_OTHER, "http.requests.seconds");
    assert_name(&t, "speed", "m/s", DECODE_OTLP_KIND_OTHER, "speed_meters_per_second");
    assert_name(&t, "hits", "1", DECODE_OTLP_KIND_GAUGE, "hits_ratio");
    t = with(false, false);
    assert_name(&t, "http.requests", "s", DECODE_OTLP_KIND_COUNTER, "http.requests");
    assert_name(&t, "", "s", DECODE_OTLP_KIND_COUNTER, NULL);
}

static void units(void **state)
{
    (void)state;
    struct decode_otlp_translation t = with(true, true);
    static const char *const cases[][2] = {
        {"s", "seconds"}, {"By/s", "bytes_per_second"}, {"1", ""}, {"{request}", ""},
        {"%", "percent"}, {"{x}/s", "per_second"},      {"", ""},  {"weird unit", "weird_unit"},
        {"_x_", "x"},     {"s/{x}", "seconds"},         {"w", "w"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = {0};
        decode_otlp_unit_name(&t, slice_cstr(cases[i][0]), &out);
        assert_string_equal(buf_cstr(&out), cases[i][1]);
        buf_deinit(&out);
    }
}

static void assert_label(const struct decode_otlp_translation *t, const char *key, const char *want)
{
    struct buf out = {0};
    assert_int_equal(decode_otlp_label_name(t, slice_cstr(key), &out), want != NULL);
    assert_string_equal(buf_cstr(&out), want ? want : "");
    if (decode_otlp_label_is_plain(t, slice_cstr(key)))
        assert_string_equal(buf_cstr(&out), key);
    buf_deinit(&out);
}

static void labels(void **state)
{
    (void)state;
    struct decode_otlp_translation t = with(true, true);
    assert_label(&t, "http.method", "http_method");
    assert_label(&t, "plain_one", "plain_one");
    assert_label(&t, "a..b", "a__b");
    assert_label(&t, "1st", "key_1st");
    assert_label(&t, "_private", "key_private");
    assert_label(&t, "__reserved__", "__reserved__");
    assert_label(&t, "\xc3\xa4\xc3\xb6x", "__x"); /* one underscore a character, not a byte */
    assert_label(&t, "...", NULL);
    assert_label(&t, "", NULL);
    t.label_name_preserve_multiple_underscores = false;
    assert_label(&t, "a..b__c", "a_b_c");
    assert_label(&t, "__a..b__", "__a_b__");
    t.label_name_underscore_sanitization = false;
    assert_label(&t, "_private", "_private");
    t = with(false, true);
    assert_label(&t, "http.method", "http.method");
    assert_label(&t, "", NULL);
}

static int parse(const char *yaml, struct arena *arena, struct decode_otlp_translation *out,
                 struct diag *diag)
{
    struct text_yaml *root;
    diag_init(diag);
    assert_int_equal(text_yaml_parse(slice_cstr(yaml), arena, &root, diag), 0);
    return decode_otlp_translation_parse(root, arena, out, diag);
}

static void configuration(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0, NULL);
    struct decode_otlp_translation t;
    struct diag diag;
    assert_int_equal(parse("translation_strategy: NoUTF8EscapingWithSuffixes\n"
                           "promote_resource_attributes: [a.b, c]\n"
                           "keep_identifying_resource_attributes: true\n"
                           "convert_histograms_to_nhcb: true\n",
                           arena, &t, &diag),
                     0);
    assert_false(t.escape);
    assert_true(t.suffixes && t.keep_identifying_resource_attributes &&
                t.convert_histograms_to_nhcb && !t.promote_scope_metadata);
    assert_int_equal(t.promote_count, 2);
    assert_true(slice_eq_cstr(t.promote[0], "a.b"));
    assert_int_equal(parse("", arena, &t, &diag), 0);
    assert_true(t.escape && t.suffixes && !t.promote_count);
    static const char *const bad[][2] = {
        {"translation_strategy: Nope", "unsupported OTLP translation strategy"},
        {"promote_resource_attributes: [a, a]", "twice"},
        {"promote_resource_attributes: ['']", "empty"},
        {"promote_resource_attributes: x", "list"},
        {"ignore_resource_attributes: [x]", "promote_all_resource_attributes"},
        {"promote_all_resource_attributes: true\npromote_resource_attributes: [x]", "together"},
        {"translation_strategi: x", "translation_strategy"},
        {"[1]", "map"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(parse(bad[i][0], arena, &t, &diag), ERR_INVALID);
        assert_non_null(strstr(diag.msg, bad[i][1]));
        assert_true(diag.line > 0);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_with_suffixes),
        cmocka_unit_test(names_of_other_strategies),
        cmocka_unit_test(units),
        cmocka_unit_test(labels),
        cmocka_unit_test(configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
