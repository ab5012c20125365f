/* Loki's push: both forms of JSON and protobuf, what is refused, levels. What a body gives is
 * printed row by row: "{labels} ts [level] line name=value ...". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/compress.h"
#include "codec/pb.h"
#include "decode/level.h"
#include "decode/loki/push.h"

static void put_row(const struct data_event_batch *b, size_t i, struct buf *out)
{
    const struct data_event_row *row = &b->rows.items[i];
    struct data_labels labels;
    assert_int_equal(data_labels_decode(b->streams.items[row->stream].key, b->arena, &labels), 0);
    buf_append_cstr(out, i ? "\n{" : "{");
    for (size_t k = 0; k < labels.count; k++)
        buf_printf(out, "%s%.*s=%.*s", k ? "," : "", SLICE_FMT(labels.items[k].name),
                   SLICE_FMT(labels.items[k].value));
    buf_printf(out, "} %lld", (long long)row->ts_ns);
    for (uint32_t k = 0; k < row->count; k++) {
        const struct data_event_attr *a = &b->attrs.items[row->first + k];
        const char *intrinsic =
            a->field < DATA_EVENT_INTRINSIC_COUNT ? data_event_intrinsic_name(a->field) : NULL;
        struct slice name = intrinsic ? slice_cstr(intrinsic) : b->fields.items[a->field].name;
        buf_printf(out, " %.*s=", SLICE_FMT(name));
        data_value_print(a->value, out);
    }
}

static void check(const char *content_type, struct slice body, const char *expected)
{
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    const struct decode_loki_request req = {.content_type = slice_cstr(content_type), .body = body};
    struct decode_loki_result r;
    struct buf out = {0}, scratch = {0};
    struct diag d;
    diag_init(&d);
    if (decode_loki_push(&req, &scratch, b, &r, &d)) {
        buf_printf(&out, "error: %s", d.msg);
    } else {
        for (size_t i = 0; i < b->rows.len; i++)
            put_row(b, i, &out);
        if (r.refused_lines || r.first_refusal.code)
            buf_printf(&out, "%srefused %zu: %s", out.len ? "\n" : "", r.refused_lines,
                       r.first_refusal.msg);
        assert_int_equal(r.lines, b->rows.len);
    }
    assert_string_equal(buf_cstr(&out), expected);
    buf_deinit(&out);
    buf_deinit(&scratch);
    data_event_batch_free(b);
}

static void check_json(const char *body, const char *expected)
{
    check("application/json; charset=utf-8", slice_cstr(body), expected);
}

static void json(void **state)
{
    (void)state;
    check_json(
        "{\"streams\":[{\"stream\":{\"app\":\"x\",\"b\":\"\"},\"values\":[[\"1\",\"a "
        "\\\"b\\\"\"],[\"2\",\"c\",{\"user.id\":\"u\",\"level\":\"WARN\"}],[\"3\",\"d\",{}]]}]}",
        "{app=x,service_name=x} 1 line=a \"b\" level=unknown\n"
        "{app=x,service_name=x} 2 line=c user.id=u level=WARN level=warn\n"
        "{app=x,service_name=x} 3 line=d level=unknown");
    /* values before their labels; two streams; extra keys */
    check_json(
        "{\"x\":1,\"streams\":[{\"values\":[[\"1\",\"error here\"]],\"stream\":{\"job\":\"j\"}}"
        ",{\"stream\":{\"a\":\"1\",\"service_name\":\"s\"},\"values\":[[\"2\",\"l\"]],\"y\":[]}]}",
        "{job=j,service_name=j} 1 line=error here level=error\n"
        "{a=1,service_name=s} 2 line=l level=unknown");
    check_json(
        "{\"streams\":[{\"labels\":\"{a=\\\"b\\\", c=\\\"d\\\\\\\"e\\\"}\",\"entries\":[{\"ts\":"
        "\"1970-01-01T00:00:01.5Z\",\"line\":\"l\"}]}]}",
        "{a=b,c=d\"e,service_name=unknown_service} 1500000000 line=l level=unknown");
    /* ids and the level are fields of their own */
    check_json(
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"l\",{\"trace_id\":"
        "\"0102030405060708090a0b0c0d0e0f10\",\"span_id\":\"0102030405060708\","
        "\"detected_level\":\"debug\"}],[\"2\",\"l\",{\"trace_id\":\"ABC\",\"detected_level\":"
        "\"odd\"}]]}]}",
        "{a=b,service_name=unknown_service} 1 line=l "
        "trace_id=AQIDBAUGBwgJCgsMDQ4PEA== span_id=AQIDBAUGBwg= level=debug\n"
        "{a=b,service_name=unknown_service} 2 line=l trace_id=ABC detected_level=odd "
        "level=unknown");
    /* what comes twice in a row is there once */
    check_json(
        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"l\"],[\"1\",\"l\"],[\"1\","
        "\"m\"],[\"1\",\"l\",{\"k\":\"v\"}]]}]}",
        "{a=b,service_name=unknown_service} 1 line=l level=unknown\n"
        "{a=b,service_name=unknown_service} 1 line=m level=unknown\n"
        "{a=b,service_name=unknown_service} 1 line=l k=v level=unknown");
    check_json("{\"streams\":[]}", "");
    check_json("{\"streams\":null}", "");
}

static void refusals(void **state)
{
    (void)state;
    /* the rest of the batch is kept */
    check_json(
        "{\"streams\":[{\"stream\":{},\"values\":[[\"1\",\"l\"],[\"2\",\"l\"]]},{\"stream\":{"
        "\"a\":\"b\"},\"values\":[[\"3\",\"m\"]]}]}",
        "{a=b,service_name=unknown_service} 3 line=m level=unknown\n"
        "refused 2: error at least one label pair is required per stream");
    check_json("{\"streams\":[{\"stream\":{\"a\":\"b\",\"a\":\"c\"},\"values\":[[\"1\",\"l\"]]}]}",
               "refused 1: stream has duplicate label name: label \"a\" is given twice");
    check_json("{\"streams\":[{\"labels\":\"{a=b}\",\"entries\":[{\"ts\":\"1970-01-01T00:00:01Z\","
               "\"line\":\"l\"}]}]}",
               "refused 1: error parsing labels '{a=b}': {name=\"value\", ...} is expected");
    check_json("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[1,\"l\"]]}]}",
               "error: JSON: a timestamp is to be a string of nanoseconds since 1970");
    check_json("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"x\",\"l\"]]}]}",
               "error: JSON: \"x\" is no timestamp: nanoseconds since 1970 are expected");
    check_json("{\"streams\":[{\"stream\":{\"a\":1},\"values\":[]}]}",
               "error: JSON: the value of label \"a\" is to be a string");
    check_json("{\"streams\":[", "error: JSON: a value is expected, but the text ends");
    check("application/x-protobuf", SLICE("\x03zzz"), "error: snappy: damaged at byte 1");
}

static void put_entry(struct buf *b, uint64_t s, uint64_t ns, const char *line, const char *name,
                      const char *value)
{
    size_t entry = codec_pb_begin(b, 2), time = codec_pb_begin(b, 1);
    codec_pb_put_varint(b, 1, s);
    codec_pb_put_varint(b, 2, ns);
    codec_pb_end(b, time);
    codec_pb_put_bytes(b, 2, slice_cstr(line));
    if (name) {
        size_t pair = codec_pb_begin(b, 3);
        codec_pb_put_bytes(b, 1, slice_cstr(name));
        codec_pb_put_bytes(b, 2, slice_cstr(value));
        codec_pb_end(b, pair);
    }
    codec_pb_end(b, entry);
}

static void protobuf(void **state)
{
    (void)state;
    struct buf plain = {0}, packed = {0};
    size_t stream = codec_pb_begin(&plain, 1);
    codec_pb_put_bytes(&plain, 1, SLICE("{ job = \"j\", level=\"err\" }"));
    put_entry(&plain, 1, 5, "one", NULL, NULL);
    put_entry(&plain, 2, 0, "two", "k", "v");
    codec_pb_put_varint(&plain, 3, 77); /* hash */
    codec_pb_end(&plain, stream);
    stream = codec_pb_begin(&plain, 1);
    codec_pb_put_bytes(&plain, 1, SLICE("{}"));
    put_entry(&plain, 3, 0, "three", NULL, NULL);
    codec_pb_end(&plain, stream);
    codec_compress(CODEC_SNAPPY, 0, buf_slice(&plain), &packed);
    check("application/x-protobuf", buf_slice(&packed),
          "{job=j,level=err,service_name=j} 1000000005 line=one level=error\n"
          "{job=j,level=err,service_name=j} 2000000000 line=two k=v level=error\n"
          "refused 1: error at least one label pair is required per stream");
    /* cut off at every byte: an error or fewer rows, never more */
    for (size_t cut = 0; cut < plain.len; cut++) {
        struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
        struct decode_loki_result r;
        struct buf scratch = {0};
        struct diag d;
        diag_init(&d);
        buf_clear(&packed);
        codec_compress(CODEC_SNAPPY, 0, slice_first(buf_slice(&plain), cut), &packed);
        const struct decode_loki_request req = {.body = buf_slice(&packed)};
        if (!decode_loki_push(&req, &scratch, b, &r, &d))
            assert_true(r.lines <= 2);
        buf_deinit(&scratch);
        data_event_batch_free(b);
    }
    buf_deinit(&plain);
    buf_deinit(&packed);
}

static void levels(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum data_event_level level;
    } cases[] = {{"{\"level\":\"info\",\"msg\":\"an error\"}", DATA_LEVEL_INFO},
                 {"{\"a\":1, \"Level\" : \"WARNING\"}", DATA_LEVEL_WARN},
                 {"{\"o\":{\"severity\":\"ERR\"}}", DATA_LEVEL_ERROR},
                 {"{\"msg\":\"level\",\"x\":\"\\\"level\\\":\"}", DATA_LEVEL_UNKNOWN},
                 {"ts=1 level=debug msg=\"error\"", DATA_LEVEL_DEBUG},
                 {"lvl=\"trc\" a=b", DATA_LEVEL_TRACE},
                 {"sublevel=info x=1 fatal", DATA_LEVEL_INFO},
                 {"2024-01-02 [CRITICAL] disk", DATA_LEVEL_CRITICAL},
                 {"I am informed", DATA_LEVEL_UNKNOWN},
                 {"no_error error_x xerror 1error", DATA_LEVEL_UNKNOWN},
                 {"evel=info", DATA_LEVEL_INFO}, /* a word of its own */
                 {"level=", DATA_LEVEL_UNKNOWN},
                 {"", DATA_LEVEL_UNKNOWN}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum data_event_level level = decode_level_of_line(slice_cstr(cases[i].line));
        if (level != cases[i].level)
            fail_msg("%s: %d", cases[i].line, (int)level);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(json), cmocka_unit_test(refusals),
                                       cmocka_unit_test(protobuf), cmocka_unit_test(levels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
