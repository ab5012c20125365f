/* OTLP/JSON to protobuf and back: what goes in comes out, for every field of every signal. */
#include "decode/otlp/encode.h"

#include <setjmp.h>

#include <cmocka.h>

#include "codec/pb.h"
#include "decode/otlp/otlp_priv.h"

static void round_trip(enum decode_otlp_signal signal, const char *json)
{
    struct arena *arena = arena_new(0, NULL);
    struct buf message = {0}, out = {0};
    struct diag diag;
    diag_init(&diag);
    if (decode__otlp_json(signal, slice_cstr(json), arena, &message, &diag))
        fail_msg("%s", diag.msg);
    assert_int_equal(decode_otlp_print_json(signal, buf_slice(&message), &out), 0);
    assert_string_equal(buf_cstr(&out), json);
    buf_deinit(&message);
    buf_deinit(&out);
    arena_free(arena);
}

#define ATTRS                                                                                      \
    "[{\"key\":\"a\",\"value\":{\"stringValue\":\"x\\n\"}},{\"key\":\"b\",\"value\":{"             \
    "\"boolValue\":"                                                                               \
    "false}},{\"key\":\"c\",\"value\":{\"intValue\":\"-9223372036854775808\"}},{\"key\":\"d\","    \
    "\"value\":{\"doubleValue\":\"NaN\"}},{\"key\":\"e\",\"value\":{\"arrayValue\":{\"values\":[{" \
    "\"doubleValue\":0.5},{}]}}},{\"key\":\"f\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":" \
    "\"g\",\"value\":{\"bytesValue\":\"AQI=\"}}]}}}]"
#define SCOPE "\"scope\":{\"name\":\"n\",\"version\":\"v\",\"attributes\":" ATTRS "}"

static void every_signal(void **state)
{
    (void)state;
    round_trip(DECODE_OTLP_TRACES, "{}");
    round_trip(DECODE_OTLP_TRACES,
               "{\"resourceSpans\":[{\"resource\":{\"attributes\":" ATTRS
               ",\"droppedAttributesCount\":1},"
               "\"scopeSpans\":[{" SCOPE ",\"spans\":[{\"traceId\":\"000102\",\"spanId\":\"ff\","
               "\"traceState\":\"t\",\"parentSpanId\":\"0a\",\"flags\":4294967295,\"name\":\"n\","
               "\"kind\":3,"
               "\"startTimeUnixNano\":\"18446744073709551615\",\"endTimeUnixNano\":\"1\","
               "\"attributes\":" ATTRS
               ",\"droppedAttributesCount\":1,\"events\":[{\"timeUnixNano\":\"5\",\"name\":\"e\","
               "\"attributes\":" ATTRS
               ",\"droppedAttributesCount\":2}],\"droppedEventsCount\":3,\"links\":"
               "[{\"traceId\":\"01\",\"spanId\":\"02\",\"traceState\":\"s\",\"attributes\":" ATTRS
               ",\"droppedAttributesCount\":1,\"flags\":2}],\"droppedLinksCount\":9,\"status\":{"
               "\"message\":"
               "\"m\",\"code\":2}}],\"schemaUrl\":\"u\"}],\"schemaUrl\":\"u\"}]}");
    round_trip(
        DECODE_OTLP_LOGS,
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"1\","
        "\"observedTimeUnixNano\":\"2\",\"severityNumber\":9,\"severityText\":\"I\",\"body\":{"
        "\"kvlistValue\":{}},\"attributes\":" ATTRS
        ",\"droppedAttributesCount\":1,\"flags\":1,\"traceId\":\"aa\",\"spanId\":\"bb\","
        "\"eventName\":\"e\"}]}]}]}");
    round_trip(
        DECODE_OTLP_METRICS,
        "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"n\",\"description\":"
        "\"d\","
        "\"unit\":\"s\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"1\",\"asInt\":\"-5\","
        "\"exemplars\":[{\"timeUnixNano\":\"1\",\"asDouble\":\"-Infinity\",\"spanId\":\"01\","
        "\"traceId\":\"02\"}],\"flags\":1}]}},{\"name\":\"h\",\"histogram\":{\"dataPoints\":[{"
        "\"count\":\"2\",\"sum\":0.1,\"bucketCounts\":[\"1\",\"18446744073709551615\"],"
        "\"explicitBounds\":[0.5]}],\"aggregationTemporality\":2}},{\"name\":\"e\","
        "\"exponentialHistogram\":{\"dataPoints\":[{\"scale\":-3,\"zeroCount\":\"1\",\"positive\":{"
        "\"offset\":-7,\"bucketCounts\":[\"1\",\"300\"]},\"zeroThreshold\":0.25}]}},{\"name\":"
        "\"s\","
        "\"summary\":{\"dataPoints\":[{\"quantileValues\":[{\"quantile\":0.5,\"value\":2}]}]}},{"
        "\"name\":\"c\",\"sum\":{\"dataPoints\":[{\"asDouble\":1e+300}],\"aggregationTemporality\":"
        "1,"
        "\"isMonotonic\":true}}]}]}]}");
}

static void damaged(void **state)
{
    (void)state;
    struct buf out = {0};
    buf_append_cstr(&out, "kept");
    assert_int_equal(decode_otlp_print_json(DECODE_OTLP_LOGS, SLICE("\x0a\x05\x01"), &out),
                     ERR_INVALID);
    assert_string_equal(buf_cstr(&out), "kept");
    /* A field of another wire type. */
    assert_int_equal(decode_otlp_print_json(DECODE_OTLP_LOGS, SLICE("\x08\x05"), &out),
                     ERR_INVALID);
    buf_deinit(&out);
}

/* A value of a row as an attribute, read back. */
static void attributes(void **state)
{
    (void)state;
    static const struct {
        struct data_value value;
        const char *want;
    } cases[] = {
        {{.kind = DATA_VALUE_STRING, .text = SLICE_INIT("s")}, "s"},
        {{.kind = DATA_VALUE_INT, .i = -3}, "-3"},
        {{.kind = DATA_VALUE_DOUBLE, .d = 2.5}, "2.5"},
        {{.kind = DATA_VALUE_BOOL, .i = 1}, "true"},
        {{.kind = DATA_VALUE_BYTES, .text = SLICE_INIT("\1\2")}, "AQI="},
        {{.kind = DATA_VALUE_JSON, .text = SLICE_INIT("[1,2.5,\"x\",null,{\"k\":true}]")},
         "[1,2.5,\"x\",null,{\"k\":true}]"},
        {{.kind = DATA_VALUE_JSON, .text = SLICE_INIT("null")}, ""},
        {{.kind = DATA_VALUE_JSON, .text = SLICE_INIT("{broken")}, "{broken"},
        {{.kind = DATA_VALUE_NULL}, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = {0}, text = {0};
        struct decode__otlp_attribute a;
        decode_otlp_put_attribute(&out, 9, SLICE("key"), cases[i].value);
        struct codec_pb_reader r = codec_pb_reader(buf_slice(&out));
        struct codec_pb_field f;
        assert_true(codec_pb_next(&r, &f));
        assert_int_equal(f.number, 9);
        assert_int_equal(decode__otlp_read_attribute(f.bytes, &a), 0);
        assert_true(slice_eq_cstr(a.key, "key"));
        assert_int_equal(decode__otlp_value_text(&a.value, &text), 0);
        assert_string_equal(buf_cstr(&text), cases[i].want);
        buf_deinit(&out);
        buf_deinit(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_signal),
        cmocka_unit_test(damaged),
        cmocka_unit_test(attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
