/* Logs and spans of OTLP as rows: streams, sets, typed values, ids and times. */
#include "decode/otlp/otlp.h"

#include <setjmp.h>

#include <cmocka.h>

#include "codec/hex.h"
#include "codec/pb.h"
#include "decode/otlp/stream.h"

#define RECEIVED_NS (INT64_C(99) * NS_PER_SEC)

struct fixture {
    struct decode_otlp_scratch *scratch;
    struct data_event_batch *logs, *spans;
    struct decode_otlp_result result;
    struct diag diag;
    struct buf text;
};

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    f->scratch = decode_otlp_scratch_new();
    f->logs = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    f->spans = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    decode_otlp_scratch_free(f->scratch);
    data_event_batch_free(f->logs);
    data_event_batch_free(f->spans);
    buf_deinit(&f->text);
    mem_free(f);
    return 0;
}

/* " name=value"; bytes in hex, text in quotes, JSON after a colon. */
static void print_attr(const struct data_event_batch *b, const struct data_event_attr *a,
                       struct buf *out)
{
    const struct data_event_field *field = &b->fields.items[a->field];
    buf_printf(out, " %.*s", SLICE_FMT(field->name));
    switch (a->value.kind) {
    case DATA_VALUE_STRING: buf_printf(out, "=\"%.*s\"", SLICE_FMT(a->value.text)); break;
    case DATA_VALUE_JSON: buf_printf(out, ":%.*s", SLICE_FMT(a->value.text)); break;
    case DATA_VALUE_BYTES:
        buf_append_cstr(out, "=x");
        codec_append_hex(out, a->value.text);
        break;
    case DATA_VALUE_DOUBLE: buf_printf(out, "=%gd", a->value.d); break;
    case DATA_VALUE_BOOL: buf_printf(out, "=%s", a->value.i ? "true" : "false"); break;
    default: buf_printf(out, "=%lld", (long long)a->value.i); break;
    }
    if (field->scope != DATA_SCOPE_INTRINSIC)
        assert_true(a->field >= DATA_EVENT_INTRINSIC_COUNT);
    else
        assert_int_equal(a->value.kind, data_event_intrinsic_kind(a->field));
}

static void print_set(const struct data_event_batch *b, const char *name, uint32_t set,
                      enum data_event_scope scope, struct buf *out)
{
    const struct data_event_set *s = &b->sets.items[set];
    buf_printf(out, "\n  %s", name);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct data_event_attr *a = &b->attrs.items[s->first + i];
        assert_true(a->field < DATA_EVENT_INTRINSIC_COUNT ||
                    b->fields.items[a->field].scope == scope);
        print_attr(b, a, out);
    }
}

static void print_batch(struct fixture *f, const struct data_event_batch *b)
{
    struct arena *arena = arena_new(0, NULL);
    buf_clear(&f->text);
    for (size_t i = 0; i < b->rows.len; i++) {
        const struct data_event_row *row = &b->rows.items[i];
        struct data_labels labels;
        assert_int_equal(data_labels_decode(b->streams.items[row->stream].key, arena, &labels), 0);
        data_labels_print(labels, &f->text);
        buf_printf(&f->text, " @%lld", (long long)row->ts_ns);
        for (uint32_t k = 0; k < row->count; k++)
            print_attr(b, &b->attrs.items[row->first + k], &f->text);
        print_set(b, "resource", row->resource, DATA_SCOPE_RESOURCE, &f->text);
        print_set(b, "scope", row->scope, DATA_SCOPE_SCOPE, &f->text);
        for (uint32_t k = 0; k < row->child_count; k++) {
            const struct data_event_child *c = &b->children.items[row->first_child + k];
            if (c->kind == DATA_CHILD_EVENT) {
                buf_printf(&f->text, "\n  event \"%.*s\" @%lld", SLICE_FMT(c->name),
                           (long long)c->ts_ns);
            } else {
                buf_append_cstr(&f->text, "\n  link ");
                codec_append_hex(&f->text, c->trace_id);
                buf_append_char(&f->text, '/');
                codec_append_hex(&f->text, c->span_id);
                buf_printf(&f->text, " \"%.*s\" %x", SLICE_FMT(c->trace_state), c->flags);
            }
            buf_printf(&f->text, " -%u", c->dropped);
            for (uint32_t n = 0; n < c->count; n++)
                print_attr(b, &b->child_attrs.items[c->first + n], &f->text);
        }
        buf_append_char(&f->text, '\n');
    }
    arena_free(arena);
}

static int decode(struct fixture *f, bool is_logs, const char *json)
{
    struct data_event_batch *b = is_logs ? f->logs : f->spans;
    diag_init(&f->diag);
    data_event_batch_reset(b);
    int err = is_logs ? decode_otlp_logs(DECODE_OTLP_JSON, slice_cstr(json), RECEIVED_NS,
                                         f->scratch, b, &f->result, &f->diag)
                      : decode_otlp_spans(DECODE_OTLP_JSON, slice_cstr(json), f->scratch, b,
                                          &f->result, &f->diag);
    print_batch(f, b);
    return err;
}

static void decode_logs(struct fixture *f, const char *resource, const char *records)
{
    struct buf json = {0};
    buf_printf(&json,
               "{\"resourceLogs\":[{\"resource\":{%s},\"scopeLogs\":[{\"logRecords\":[%s]}]}]}",
               resource, records);
    if (decode(f, true, buf_cstr(&json)))
        fail_msg("%s", f->diag.msg);
    buf_deinit(&json);
}

static void decode_spans(struct fixture *f, const char *spans)
{
    struct buf json = {0};
    buf_printf(&json, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[%s]}]}]}", spans);
    if (decode(f, false, buf_cstr(&json)))
        fail_msg("%s", f->diag.msg);
    buf_deinit(&json);
}

static void assert_text(struct fixture *f, const char *want)
{
    assert_string_equal(buf_cstr(&f->text), want);
}

#define STR(k, v) "{\"key\":\"" k "\",\"value\":{\"stringValue\":\"" v "\"}}"
#define INT(k, v) "{\"key\":\"" k "\",\"value\":{\"intValue\":\"" v "\"}}"
#define IDS       "\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"EEE19B7EC3C1B174\""

static void whole_log_record(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        decode(
            f, true,
            "{\"resourceLogs\":[{\"schemaUrl\":\"r.url\",\"resource\":{"
            "\"droppedAttributesCount\":2,\"attributes\":[" STR("service.name", "shop") "," STR(
                "k8s.pod.name",
                "p-1") "," STR("host.name",
                               "h") "," INT("process.pid",
                                            "42") "]},\"scopeLogs\":[{\"schemaUrl\":\"s.url\","
                                                  "\"scope\":{"
                                                  "\"name\":\"lib\",\"version\":\"1.0\","
                                                  "\"attributes\":["
                                                  "{\"key\":\"s.a\",\"value\":{\"boolValue\":true}}"
                                                  "],"
                                                  "\"droppedAttributesCount\":3},\"logRecords\":[{"
                                                  "\"timeUnixNano\":\"1000000001\","
                                                  "\"observedTimeUnixNano\":"
                                                  "\"1000000002\",\"severityNumber\":10,"
                                                  "\"severityText\":"
                                                  "\"Information\",\"body\":{\"stringValue\":"
                                                  "\"hello\"},"
                                                  "\"flags\":1,\"eventName\":\"ev\","
                                                  "\"droppedAttributesCount\":4," IDS
                                                  ",\"attributes\":["
                                                  "{\"key\":\"d\",\"value\":{\"doubleValue\":0.5}},"
                                                  "{\"key\":\"y\",\"value\":{\"bytesValue\":"
                                                  "\"AQI\"}},"
                                                  "{\"key\":\"e\"},{\"key\":\"l\",\"value\":{"
                                                  "\"arrayValue\":{"
                                                  "\"values\":[{\"intValue\":1},{\"bytesValue\":"
                                                  "\"AQI=\"}]}}}"
                                                  "]}]}]}]}"),
        0);
    assert_text(f, "{k8s_pod_name=\"p-1\", service_name=\"shop\"} @1000000001 line=\"hello\" "
                   "level=\"info\" severity_number=10 severity_text=\"Information\" "
                   "observed_time=1000000002 event_name=\"ev\" "
                   "trace_id=x5b8efff798038103d269b633813fc60c span_id=xeee19b7ec3c1b174 flags=1 "
                   "dropped_attributes_count=4 d=0.5d y=x0102 e:null l:[1,\"AQI=\"]\n"
                   "  resource host.name=\"h\" process.pid=42 resource_schema_url=\"r.url\" "
                   "resource_dropped_attributes_count=2\n"
                   "  scope s.a=true scope_name=\"lib\" scope_version=\"1.0\" "
                   "scope_schema_url=\"s.url\" scope_dropped_attributes_count=3\n");
    assert_int_equal(f->result.items, 1);
}

static void streams(void **state)
{
    struct fixture *f = *state;
    const char *record = "{\"timeUnixNano\":\"1\",\"body\":{\"stringValue\":\"x\"}}";
    decode_logs(f, "", record);
    assert_non_null(strstr(buf_cstr(&f->text), "{service_name=\"unknown_service\"} @1"));
    decode_logs(f, "\"attributes\":[" STR("k8s.job.name", "j") "," STR("container.name", "c") "]",
                record);
    assert_non_null(strstr(buf_cstr(&f->text), "{container_name=\"c\", k8s_job_name=\"j\", "
                                               "service_name=\"c\"} @1"));
    decode_logs(f, "\"attributes\":[" STR("service.name", "") "," INT("service.namespace", "7") "]",
                record);
    assert_non_null(strstr(buf_cstr(&f->text),
                           "{service_name=\"unknown_service\", service_namespace=\"7\"} @1"));
    assert_true(slice_eq_cstr(decode_otlp_stream_label(SLICE("cloud.region")), "cloud_region"));
    assert_null(decode_otlp_stream_label(SLICE("host.name")).ptr);
}

static void bodies(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *body, *want;
    } cases[] = {
        {"{\"stringValue\":\"\"}", "line=\"\" level"},
        {"{}", "line=\"\" body_kind=0"},
        {"{\"intValue\":\"-5\"}", "line=\"-5\" body_kind=2"},
        {"{\"doubleValue\":\"-Infinity\"}", "line=\"-Infinity\" body_kind=3"},
        {"{\"boolValue\":false}", "line=\"false\" body_kind=4"},
        {"{\"bytesValue\":\"/+8=\"}", "line=\"/+8=\" body_kind=5"},
        {"{\"kvlistValue\":{\"values\":[{\"key\":\"a\\\"\",\"value\":{\"kvlistValue\":{\"values\":["
         "]}"
         "}},{\"key\":\"n\",\"value\":{\"doubleValue\":\"NaN\"}}]}}",
         "line=\"{\"a\\\"\":{},\"n\":\"NaN\"}\" body_kind=6"},
        {"{\"arrayValue\":{}}", "line=\"[]\" body_kind=6"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf record = {0};
        buf_printf(&record, "{\"timeUnixNano\":\"1\",\"body\":%s}", cases[i].body);
        decode_logs(f, "", buf_cstr(&record));
        if (!strstr(buf_cstr(&f->text), cases[i].want))
            fail_msg("%s: %s", cases[i].want, buf_cstr(&f->text));
        buf_deinit(&record);
    }
}

static void times_and_levels(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *fields, *want;
    } cases[] = {
        {"\"observedTimeUnixNano\":\"7\"",
         "@7 line=\"\" body_kind=0 level=\"unknown\" observed_time=7"},
        {"\"severityText\":\"WARN\"", "@99000000000 line=\"\" body_kind=0 level=\"warn\""},
        {"\"severityNumber\":17,\"severityText\":\"odd\"", "level=\"error\" severity_number=17"},
        {"\"severityNumber\":9,\"attributes\":[" STR("Level", "dbg") "]", "level=\"debug\""},
        {"\"severityNumber\":9,\"attributes\":[" STR("level", "odd") "]", "level=\"unknown\""},
        {"\"body\":{\"stringValue\":\"an error happened\"}", "level=\"error\""},
        {"\"severityNumber\":24", "level=\"fatal\""},
        {"\"severityNumber\":\"SEVERITY_NUMBER_TRACE2\"", "level=\"trace\" severity_number=2"},
        {"\"severityNumber\":99", "level=\"unknown\" severity_number=99"},
        /* Ids that are none. */
        {"\"traceId\":\"00000000000000000000000000000000\",\"spanId\":\"\"", "level=\"unknown\"\n"},
        {"\"traceId\":\"0102\"", "level=\"unknown\"\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf record = {0};
        buf_printf(&record, "{%s}", cases[i].fields);
        decode_logs(f, "", buf_cstr(&record));
        if (!strstr(buf_cstr(&f->text), cases[i].want))
            fail_msg("%s: %s", cases[i].want, buf_cstr(&f->text));
        buf_deinit(&record);
    }
}

static void whole_span(void **state)
{
    struct fixture *f = *state;
    decode_spans(
        f,
        "{" IDS ",\"parentSpanId\":\"eee19b7ec3c1b173\",\"traceState\":\"a=b\",\"flags\":769,"
        "\"name\":\"GET /\",\"kind\":2,\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":"
        "\"1500\",\"attributes\":[" INT(
            "http.status",
            "200") "],\"droppedAttributesCount\":1,"
                   "\"events\":[{\"timeUnixNano\":\"1100\",\"name\":\"exception\",\"attributes\":"
                   "[" STR("exception.type",
                           "E") "],\"droppedAttributesCount\":5},{\"timeUnixNano\":\"1200\","
                                "\"name\":\"second\"}],\"droppedEventsCount\":2,\"links\":[{"
                                "\"traceId\":\"00000000000000000000000000000001\",\"spanId\":"
                                "\"0000000000000002\",\"traceState\":\"c=d\",\"flags\":1,"
                                "\"attributes\":[" STR(
                                    "why", "batch") "]}],"
                                                    "\"droppedLinksCount\":3,\"status\":{\"code\":"
                                                    "2,\"message\":"
                                                    "\"broken\"}}");
    assert_text(f, "{service_name=\"unknown_service\"} @1000 "
                   "trace_id=x5b8efff798038103d269b633813fc60c span_id=xeee19b7ec3c1b174 "
                   "parent_id=xeee19b7ec3c1b173 name=\"GET /\" kind=2 status=2 "
                   "status_message=\"broken\" duration=500 trace_state=\"a=b\" flags=769 "
                   "dropped_attributes_count=1 dropped_events_count=2 dropped_links_count=3 "
                   "http.status=200\n"
                   "  resource\n"
                   "  scope\n"
                   "  event \"exception\" @1100 -5 exception.type=\"E\"\n"
                   "  event \"second\" @1200 -0\n"
                   "  link 00000000000000000000000000000001/0000000000000002 \"c=d\" 1 -0 "
                   "why=\"batch\"\n");
}

static void span_times(void **state)
{
    struct fixture *f = *state;
    decode_spans(f, "{" IDS ",\"startTimeUnixNano\":\"9\",\"endTimeUnixNano\":\"5\"},"
                    "{" IDS ",\"startTimeUnixNano\":\"9\"},{" IDS ",\"endTimeUnixNano\":\"5\"}");
    assert_int_equal(f->result.refused, 0);
    assert_int_equal(f->result.clamped_durations, 1);
    assert_int_equal(f->spans->rows.len, 3);
    assert_int_equal(f->spans->rows.items[0].ts_ns, 9);
    assert_int_equal(data_event_get(f->spans, 0, DATA_EVENT_DURATION).kind, DATA_VALUE_INT);
    assert_int_equal(data_event_get(f->spans, 0, DATA_EVENT_DURATION).i, 0);
    assert_int_equal(data_event_get(f->spans, 1, DATA_EVENT_DURATION).kind, DATA_VALUE_NULL);
    assert_int_equal(f->spans->rows.items[2].ts_ns, 5);
}

/* The bad record goes, the good one stays, and nothing of the bad one is in the batch. */
static void refusals(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum decode_otlp_refusal reason;
        const char *span;
    } spans[] = {
        {DECODE_OTLP_BAD_ID, "{\"spanId\":\"eee19b7ec3c1b174\",\"startTimeUnixNano\":\"1\"}"},
        {DECODE_OTLP_BAD_ID, "{\"traceId\":\"5b8efff798038103\",\"spanId\":\"eee19b7ec3c1b174\","
                             "\"startTimeUnixNano\":\"1\"}"},
        {DECODE_OTLP_BAD_ID, "{\"traceId\":\"00000000000000000000000000000000\",\"spanId\":"
                             "\"eee19b7ec3c1b174\",\"startTimeUnixNano\":\"1\"}"},
        {DECODE_OTLP_BAD_ID, "{\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":"
                             "\"0000000000000000\",\"startTimeUnixNano\":\"1\"}"},
        {DECODE_OTLP_BAD_ID, "{" IDS ",\"parentSpanId\":\"01\",\"startTimeUnixNano\":\"1\"}"},
        {DECODE_OTLP_BAD_ID,
         "{" IDS ",\"startTimeUnixNano\":\"1\",\"links\":[{\"traceId\":\"01\"}]}"},
        {DECODE_OTLP_BAD_TIME, "{" IDS "}"},
        {DECODE_OTLP_BAD_TIME, "{" IDS ",\"startTimeUnixNano\":\"9300000000000000000\"}"},
        {DECODE_OTLP_BAD_ATTRIBUTE, "{" IDS ",\"startTimeUnixNano\":\"1\",\"attributes\":[{"
                                    "\"value\":{\"intValue\":1}}]}"},
        {DECODE_OTLP_BAD_ATTRIBUTE, "{" IDS ",\"startTimeUnixNano\":\"1\",\"events\":[{"
                                    "\"attributes\":[{}]}]}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
        struct buf two = {0};
        buf_printf(&two, "%s,{" IDS ",\"name\":\"good\",\"startTimeUnixNano\":\"1\"}",
                   spans[i].span);
        decode_spans(f, buf_cstr(&two));
        assert_int_equal(f->spans->rows.len, 1);
        assert_int_equal(f->spans->children.len, 0);
        assert_int_equal(f->result.items, 2);
        assert_int_equal(f->result.refused, 1);
        assert_int_equal(f->result.refused_by[spans[i].reason], 1);
        buf_deinit(&two);
    }
    decode_logs(f, "", "{\"timeUnixNano\":\"9300000000000000000\"},{\"attributes\":[{}]},{}");
    assert_int_equal(f->logs->rows.len, 1);
    assert_int_equal(f->result.refused_by[DECODE_OTLP_BAD_TIME], 1);
    assert_int_equal(f->result.refused_by[DECODE_OTLP_BAD_ATTRIBUTE], 1);
}

/* Nested as deep as allowed, and one deeper. JSON's own limit on depth is further away. */
static void nesting(void **state)
{
    struct fixture *f = *state;
    for (int depth = DECODE_OTLP_DEPTH; depth <= DECODE_OTLP_DEPTH + 1; depth++) {
        struct buf b = {0};
        size_t resource = codec_pb_begin(&b, 1), scope = codec_pb_begin(&b, 2),
               record = codec_pb_begin(&b, 2);
        size_t marks[2 * (DECODE_OTLP_DEPTH + 2)], n = 0;
        marks[n++] = codec_pb_begin(&b, 5);
        for (int i = 0; i < depth; i++) {
            marks[n++] = codec_pb_begin(&b, 5);
            if (i + 1 < depth)
                marks[n++] = codec_pb_begin(&b, 1);
        }
        while (n)
            codec_pb_end(&b, marks[--n]);
        codec_pb_end(&b, record);
        codec_pb_end(&b, scope);
        codec_pb_end(&b, resource);
        data_event_batch_reset(f->logs);
        assert_int_equal(decode_otlp_logs(DECODE_OTLP_PROTOBUF, buf_slice(&b), RECEIVED_NS,
                                          f->scratch, f->logs, &f->result, NULL),
                         0);
        assert_int_equal(f->result.refused_by[DECODE_OTLP_TOO_DEEP], depth > DECODE_OTLP_DEPTH);
        assert_int_equal(f->logs->rows.len, depth <= DECODE_OTLP_DEPTH);
        buf_deinit(&b);
    }
}

/* Cut off anywhere, a request is damaged as a whole. */
static void damage(void **state)
{
    struct fixture *f = *state;
    struct buf b = {0};
    size_t resource = codec_pb_begin(&b, 1), scope = codec_pb_begin(&b, 2),
           span = codec_pb_begin(&b, 2);
    codec_pb_put_bytes(&b, 1, SLICE("0123456789abcdef"));
    codec_pb_put_bytes(&b, 2, SLICE("01234567"));
    codec_pb_put_key(&b, 7, CODEC_PB_FIXED64);
    codec_append64(&b, 5);
    size_t event = codec_pb_begin(&b, 11);
    codec_pb_put_bytes(&b, 2, SLICE("e\xff"));
    codec_pb_end(&b, event);
    size_t status = codec_pb_begin(&b, 15);
    codec_pb_put_varint(&b, 3, 1);
    codec_pb_end(&b, status);
    codec_pb_end(&b, span);
    codec_pb_end(&b, scope);
    codec_pb_end(&b, resource);
    for (size_t n = 0; n <= b.len; n++) {
        data_event_batch_reset(f->spans);
        diag_init(&f->diag);
        int err = decode_otlp_spans(DECODE_OTLP_PROTOBUF, slice_make(b.ptr, n), f->scratch,
                                    f->spans, &f->result, &f->diag);
        assert_int_equal(err, n && n < b.len ? ERR_INVALID : 0);
        assert_int_equal(f->spans->rows.len, n == b.len);
    }
    assert_true(f->result.repaired_texts > 0);
    assert_true(slice_eq_cstr(f->spans->children.items[0].name, "e\xef\xbf\xbd"));
    buf_deinit(&b);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(whole_log_record), TEST(streams),    TEST(bodies),
        TEST(times_and_levels), TEST(whole_span), TEST(span_times),
        TEST(refusals),         TEST(nesting),    TEST(damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
