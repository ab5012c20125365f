#include "decode/zipkin.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/pb.h"
#include "decode/otlp/encode.h"

/* What becomes of a body, as OTLP/JSON; "error: words" when nothing does. */
static void check(enum decode_zipkin_encoding encoding, struct slice body, const char *expected)
{
    struct buf out = {0}, json = {0};
    struct arena *arena = arena_new(0, NULL);
    struct diag diag;
    diag_init(&diag);
    char *exact = mem_dup(body.ptr, body.len);
    if (decode_zipkin_spans(encoding, slice_make(exact, body.len), arena, &out, &diag)) {
        buf_printf(&json, "error: %s", diag.msg);
        assert_int_equal(diag.code, ERR_INVALID);
        assert_int_equal(out.len, 0);
    } else {
        assert_int_equal(decode_otlp_print_json(DECODE_OTLP_TRACES, buf_slice(&out), &json), 0);
    }
    if (!slice_eq_cstr(buf_slice(&json), expected))
        fail_msg("%.*s\nbecame %s\nnot    %s", SLICE_FMT(body), buf_cstr(&json), expected);
    mem_free(exact);
    arena_free(arena);
    buf_deinit(&out);
    buf_deinit(&json);
}

#define JSON(encoding, text, expected) check(encoding, SLICE(text), expected)
#define RESOURCE(service)                                                                          \
    "{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"         \
    "\"" service "\"}}]},\"scopeSpans\":[{\"spans\":["
#define ID16             "\"traceId\":\"00000000000000000000000000000001\","
#define ATTR(k, kind, v) "{\"key\":\"" k "\",\"value\":{\"" kind "\":" v "}}"

static void test_version_2(void **state)
{
    (void)state;
    JSON(DECODE_ZIPKIN_JSON, "[]", "{}");
    JSON(
        DECODE_ZIPKIN_JSON,
        "[{\"traceId\":\"1\",\"id\":\"2\",\"parentId\":\"3\",\"name\":\"get\",\"kind\":\"CLIENT\","
        "\"timestamp\":5,\"duration\":7,\"localEndpoint\":{\"serviceName\":\"shop\",\"ipv4\":"
        "\"10.0.0.1\",\"port\":80},\"remoteEndpoint\":{\"serviceName\":\"db\",\"ipv6\":\"::1\"},"
        "\"tags\":{\"a\":\"b\",\"error\":\"no\"},\"annotations\":[{\"timestamp\":6,\"value\":\"x\"}"
        "],"
        "\"debug\":true,\"shared\":true,\"unknown\":[{}]}]",
        "{\"resourceSpans\":[" RESOURCE(
            "shop") "{" ID16 "\"spanId\":\"0000000000000002\",\"parentSpanId\":"
                    "\"0000000000000003\",\"name\":\"get\","
                    "\"kind\":3,\"startTimeUnixNano\":\"5000\",\"endTimeUnixNano\":\"12000\","
                    "\"attributes\":[" ATTR("a", "stringValue", "\"b\"") "," ATTR("error", "stringValue", "\"no\"") "," ATTR(
                        "network.local.address", "stringValue",
                        "\"10.0.0.1\"") "," ATTR("peer.service", "stringValue",
                                                 "\"db\"") "," ATTR("network.peer.address",
                                                                    "stringValue",
                                                                    "\"::1\"") "," ATTR("network."
                                                                                        "local."
                                                                                        "port",
                                                                                        "intValue",
                                                                                        "\"80\"") "," ATTR("zipkin.shared",
                                                                                                           "boolValue",
                                                                                                           "true") "," ATTR("zipkin.debug",
                                                                                                                            "boolValue",
                                                                                                                            "true") "],\"events\":[{\"timeUnixNano\":\"6000\",\"name\":\"x\"}],"
                                                                                                                                    "\"status\":{\"message\":\"no\",\"code\":2}}]}]}]}");
    /* Spans of one service lie together; ids that are none are left out, for the span to be
     * refused. */
    JSON(
        DECODE_ZIPKIN_JSON,
        "[{\"traceId\":\"1\",\"id\":\"2\",\"localEndpoint\":{\"serviceName\":\"a\"}},"
        "{\"traceId\":\"xyz\",\"id\":\"\",\"localEndpoint\":{\"serviceName\":\"b\"}},"
        "{\"traceId\":\"1\",\"id\":\"4\",\"name\":null,\"localEndpoint\":{\"serviceName\":\"a\"}}]",
        "{\"resourceSpans\":[" RESOURCE(
            "a") "{" ID16 "\"spanId\":\"0000000000000002\",\"name\":\"\",\"kind\":0,"
                 "\"startTimeUnixNano\":\"0\","
                 "\"endTimeUnixNano\":\"0\"},{" ID16
                 "\"spanId\":\"0000000000000004\",\"name\":\"\",\"kind\":0,"
                 "\"startTimeUnixNano\":\"0\",\"endTimeUnixNano\":\"0\"}]}]}," RESOURCE(
                     "b") "{\"name\":\"\",\"kind\":0,\"startTimeUnixNano\":\"0\","
                          "\"endTimeUnixNano\":\"0\"}]}]}]}");
}

static void test_damaged_json(void **state)
{
    static const char *const bodies[] = {"",
                                         "{",
                                         "[{]",
                                         "[{\"traceId\":5}]",
                                         "[{\"tags\":[]}]",
                                         "[{\"annotations\":{}}]",
                                         "[{\"timestamp\":\"x\"}]",
                                         "[1]",
                                         "[{\"localEndpoint\":5}]",
                                         "[]x"};
    (void)state;
    for (int e = 0; e < 2; e++) {
        enum decode_zipkin_encoding encoding = e ? DECODE_ZIPKIN_JSON_V1 : DECODE_ZIPKIN_JSON;
        for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
            struct buf out = {0};
            struct arena *arena = arena_new(0, NULL);
            struct diag diag;
            diag_init(&diag);
            /* What version 1 does not know it passes over. */
            if (e && (strstr(bodies[i], "tags") || strstr(bodies[i], "localEndpoint"))) {
                arena_free(arena);
                continue;
            }
            if (!decode_zipkin_spans(encoding, slice_cstr(bodies[i]), arena, &out, &diag))
                fail_msg("%s was taken", bodies[i]);
            assert_int_equal(out.len, 0);
            assert_true(diag.line > 0);
            arena_free(arena);
            buf_deinit(&out);
        }
    }
}

#define NOTE(us, value, service)                                                                   \
    "{\"timestamp\":" #us ",\"value\":\"" value "\",\"endpoint\":{\"serviceName\":\"" service "\"" \
    "}}"

/* Both sides of a call in one span: two come of it. */
static void test_version_1_both_sides(void **state)
{
    (void)state;
    JSON(
        DECODE_ZIPKIN_JSON_V1,
        "[{\"traceId\":\"1\",\"id\":\"2\",\"name\":\"get\",\"timestamp\":10,\"duration\":50,"
        "\"annotations\":[" NOTE(10, "cs", "shop") "," NOTE(20, "sr", "db") "," NOTE(
            25, "wait",
            "db") "," NOTE(12, "mine",
                           "shop") "," NOTE(50, "ss",
                                            "db") "," NOTE(60, "cr",
                                                           "shop") "],\"binaryAnnotations\":[{"
                                                                   "\"key\":\"sa\",\"value\":true,"
                                                                   "\"endpoint\":{\"serviceName\":"
                                                                   "\"db\"}},"
                                                                   "{\"key\":\"ca\",\"value\":true,"
                                                                   "\"endpoint\":{\"ipv4\":\"10.0."
                                                                   "0.9\"}},"
                                                                   "{\"key\":\"rows\",\"value\":5,"
                                                                   "\"endpoint\":{\"serviceName\":"
                                                                   "\"db\"}},"
                                                                   "{\"key\":\"path\",\"value\":\"/"
                                                                   "\"}]}]",
        "{\"resourceSpans\":[" RESOURCE(
            "shop") "{" ID16 "\"spanId\":\"0000000000000002\",\"name\":\"get\",\"kind\":3,"
                    "\"startTimeUnixNano\":\"10000\","
                    "\"endTimeUnixNano\":\"60000\",\"attributes\":[" ATTR("path", "stringValue", "\"/\"") "," ATTR(
                        "peer.service", "stringValue",
                        "\"db\"") "],\"events\":[{\"timeUnixNano\":\"12000\",\"name\":\"mine\"}]}]}"
                                  "]}," RESOURCE(
                                      "db") "{" ID16 "\"spanId\":\"0000000000000002\","
                                            "\"name\":\"get\",\"kind\":2,"
                                            "\"startTimeUnixNano\":\"20000\","
                                            "\"endTimeUnixNano\":\"50000\","
                                            "\"attributes\":[" ATTR("rows", "stringValue", "\"5\"") "," ATTR(
                                                "network.peer.address", "stringValue",
                                                "\"10.0.0.9\"") "," ATTR("zipkin.shared",
                                                                         "boolValue",
                                                                         "true") "],"
                                                                                 "\"even"
                                                                                 "ts\":["
                                                                                 "{\"tim"
                                                                                 "eUnixN"
                                                                                 "ano\":"
                                                                                 "\"2500"
                                                                                 "0\","
                                                                                 "\"name"
                                                                                 "\":"
                                                                                 "\"wait"
                                                                                 "\"}]}]"
                                                                                 "}]}]"
                                                                                 "}");
}

static void test_version_1_one_side(void **state)
{
    (void)state;
    /* A server that joined: its times are those of its annotations. */
    JSON(DECODE_ZIPKIN_JSON_V1,
         "[{\"traceId\":\"1\",\"id\":\"2\",\"parentId\":\"3\",\"name\":\"get\",\"annotations\":"
         "[" NOTE(20, "sr", "db") "," NOTE(50, "ss", "db") "]}]",
         "{\"resourceSpans\":[" RESOURCE(
             "db") "{" ID16 "\"spanId\":\"0000000000000002\",\"parentSpanId\":\"0000000000000003\","
                   "\"name\":\"get\","
                   "\"kind\":2,\"startTimeUnixNano\":\"20000\",\"endTimeUnixNano\":\"50000\","
                   "\"attributes\":[" ATTR("zipkin.shared", "boolValue", "true") "]}]}]}]}");
    /* A message; a span that is local; one that only says whom it called. */
    JSON(DECODE_ZIPKIN_JSON_V1,
         "[{\"traceId\":\"1\",\"id\":\"2\",\"name\":\"m\",\"annotations\":[" NOTE(
             20, "mr", "w") "],\"binaryAnnotations\":[{\"key\":\"ma\",\"value\":true,\"endpoint\":{"
                            "\"serviceName\":\"mq\"}}]},"
                            "{\"traceId\":\"1\",\"id\":\"5\",\"name\":\"l\",\"timestamp\":7,"
                            "\"duration\":2,\"debug\":true,"
                            "\"binaryAnnotations\":[{\"key\":\"lc\",\"value\":\"job\",\"endpoint\":"
                            "{\"serviceName\":\"w\"}}]}]",
         "{\"resourceSpans\":[" RESOURCE(
             "w") "{" ID16 "\"spanId\":\"0000000000000002\",\"name\":\"m\",\"kind\":5,"
                  "\"startTimeUnixNano\":\"20000\","
                  "\"endTimeUnixNano\":\"20000\",\"attributes\":[" ATTR(
                      "peer.service", "stringValue",
                      "\"mq\"") "]},{" ID16
                                "\"spanId\":\"0000000000000005\",\"name\":\"l\",\"kind\":0,"
                                "\"startTimeUnixNano\":\"7000\",\"endTimeUnixNano\":\"9000\","
                                "\"attributes\":[" ATTR("lc", "stringValue", "\"job\"") "," ATTR(
                                    "zipkin.debug", "boolValue", "true") "]}]}]}]}");
}

static void test_protobuf(void **state)
{
    struct buf out = {0};
    (void)state;
    size_t m = codec_pb_begin(&out, 1), e;
    codec_pb_put_bytes(&out, 1, SLICE("\0\0\0\0\0\0\0\1"));
    codec_pb_put_bytes(&out, 3, SLICE("\0\0\0\0\0\0\0\2"));
    codec_pb_put_varint(&out, 4, 1); /* CLIENT */
    codec_pb_put_bytes(&out, 5, SLICE("get"));
    codec_pb_put_key(&out, 6, CODEC_PB_FIXED64);
    codec_append64(&out, 5);
    codec_pb_put_varint(&out, 7, 7);
    e = codec_pb_begin(&out, 8);
    codec_pb_put_bytes(&out, 1, SLICE("shop"));
    codec_pb_end(&out, e);
    e = codec_pb_begin(&out, 9);
    codec_pb_put_bytes(&out, 3, SLICE("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"));
    codec_pb_end(&out, e);
    codec_pb_end(&out, m);
    check(DECODE_ZIPKIN_PROTOBUF, buf_slice(&out),
          "{\"resourceSpans\":[" RESOURCE(
              "shop") "{" ID16 "\"spanId\":\"0000000000000002\",\"name\":\"get\",\"kind\":3,"
                      "\"startTimeUnixNano\":\"5000\","
                      "\"endTimeUnixNano\":\"12000\",\"attributes\":[" ATTR(
                          "network.peer.address", "stringValue",
                          "\"2001:db8:0:0:0:0:0:1\"") "]}]}]}]}");
    for (size_t len = 1; len < out.len; len++) {
        struct buf request = {0};
        struct arena *arena = arena_new(0, NULL);
        char *exact = mem_dup(out.ptr, len);
        assert_int_equal(decode_zipkin_spans(DECODE_ZIPKIN_PROTOBUF, slice_make(exact, len), arena,
                                             &request, NULL),
                         ERR_INVALID);
        assert_int_equal(request.len, 0);
        mem_free(exact);
        arena_free(arena);
        buf_deinit(&request);
    }
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_2),
        cmocka_unit_test(test_damaged_json),
        cmocka_unit_test(test_version_1_both_sides),
        cmocka_unit_test(test_version_1_one_side),
        cmocka_unit_test(test_protobuf),
    };
    return cmocka_run_group_tests_name("zipkin", tests, NULL, NULL);
}
