/* Elasticsearch's bulk bodies: actions, documents to rows, what is refused; times as loggers write
 * them. What a body gives is printed item by item and row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decode/elastic/bulk.h"
#include "decode/timestamp.h"

static void put_row(const struct data_event_batch *b, const struct data_event_row *row,
                    struct buf *out)
{
    struct data_labels labels;
    assert_int_equal(data_labels_decode(b->streams.items[row->stream].key, b->arena, &labels), 0);
    buf_append_cstr(out, "{");
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

static void check(const char *body, const char *expected)
{
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    struct arena *arena = arena_new(0, NULL);
    const struct decode_elastic_request req = {
        .body = slice_cstr(body), .received_ns = 77, .seed = 1, .arena = arena};
    struct decode_elastic_result r;
    struct buf out = {0};
    struct diag d;
    diag_init(&d);
    if (decode_elastic_bulk(&req, b, &r, &d))
        buf_printf(&out, "error: %s", d.msg);
    for (size_t i = 0; i < r.items.len; i++) {
        const struct decode_elastic_item *item = &r.items.items[i];
        buf_printf(&out, "%s%s %.*s ", i ? "\n" : "", decode_elastic_action_name(item->action),
                   SLICE_FMT(item->index));
        if (item->status == 201)
            put_row(b, &b->rows.items[item->row], &out);
        else
            buf_printf(&out, "%d %.*s", item->status, SLICE_FMT(item->reason));
    }
    assert_string_equal(buf_cstr(&out), expected);
    vec_free(&r.items);
    buf_deinit(&out);
    arena_free(arena);
    data_event_batch_free(b);
}

#define A "{\"create\":{\"_index\":\"i\"}}\n"

static void documents(void **state)
{
    (void)state;
    check(
        A
        "{\"@timestamp\":\"1970-01-01T00:00:01.5Z\",\"message\":\"m\",\"log\":{\"level\":\"WARN\"},"
        "\"service\":{\"name\":\"s\"},\"host\":{\"name\":\"h\",\"ip\":[\"1.2.3.4\"]},\"n\":1,\"d\":"
        "1.5,"
        "\"b\":true,\"z\":null,\"big\":123456789012345678901}\n",
        "create i {host_name=h,index=i,service_name=s} 1500000000 line=m level=warn "
        "log.level=WARN host.ip=[\"1.2.3.4\"] n=1 d=1.5 b=true big=123456789012345678901");
    /* milliseconds, as a number and as text; an older field for the time; none */
    check(A "{\"@timestamp\":5,\"message\":\"m\"}\n" A
            "{\"@timestamp\":\"6\",\"msg\":\"error n\"}\n" A
            "{\"timestamp\":\"1970-01-01 00:00:02\",\"log\":\"o\"}\n" A
            "{\"timestamp\":\"x\",\"message\":\"p\"}\n",
          "create i {index=i,service_name=i} 5000000 line=m level=unknown\n"
          "create i {index=i,service_name=i} 6000000 line=error n level=error\n"
          "create i {index=i,service_name=i} 2000000000 line=o level=unknown\n"
          "create i {index=i,service_name=i} 77 line=p level=unknown timestamp=x");
    /* the best text is the line, the others stay; without one the document is */
    check(A "{\"log\":\"a\",\"event\":{\"original\":\"b\"},\"message\":\"c\",\"app\":\"x\"}\n" A
            " {\"a\":{\"b\":1}} \n",
          "create i {index=i,service_name=x} 77 line=c level=unknown log=a event.original=b app=x\n"
          "create i {index=i,service_name=i} 77 line={\"a\":{\"b\":1}} level=unknown a.b=1");
    /* ids, Kubernetes, dates at the end of an index, ids given */
    check("{\"index\":{\"_index\":\"logstash-2024.01.02\",\"_id\":5}}\n"
          "{\"message\":\"m\",\"trace.id\":\"0102030405060708090a0b0c0d0e0f10\",\"span\":{\"id\":"
          "\"0102030405060708\"},\"kubernetes\":{\"pod\":{\"name\":\"p\"},\"container\":{\"name\":"
          "\"c\"}}}\n",
          "index logstash-2024.01.02 {index=logstash,k8s_container_name=c,k8s_pod_name=p,"
          "service_name=c} 77 line=m level=unknown trace_id=AQIDBAUGBwgJCgsMDQ4PEA== "
          "span_id=AQIDBAUGBwg= _id=5 kubernetes.pod.name=p kubernetes.container.name=c");
    check("{\"index\":{\"_index\":\"2024.01.02\"}}\n{\"message\":\"\"}\n"
          "{\"index\":{\"_index\":\"a-b-7\"}}\n{\"message\":\"\"}\n",
          "index 2024.01.02 {index=2024.01.02,service_name=2024.01.02} 77 line= level=unknown\n"
          "index a-b-7 {index=a-b-7,service_name=a-b-7} 77 line= level=unknown");
}

static void refusals(void **state)
{
    (void)state;
    check(A "[1]\n" A "{\"message\":\"m\"}\n" A "\n",
          "create i 400 JSON: an object is expected\n"
          "create i {index=i,service_name=i} 77 line=m level=unknown\n"
          "create i 400 JSON: a value is expected, but the text ends");
    check(
        A "{\"@timestamp\":true}\n" A "{\"@timestamp\":\"2024-13-01\"}\n" A
          "{\"@timestamp\":9223372036854775807}\n",
        "create i 400 failed to parse field [@timestamp] of type [date]: '' is neither ISO 8601 "
        "nor "
        "milliseconds since 1970\n"
        "create i 400 failed to parse field [@timestamp] of type [date]: '2024-13-01' is neither "
        "ISO "
        "8601 nor milliseconds since 1970\n"
        "create i 400 failed to parse field [@timestamp] of type [date]: '9223372036854775807' is "
        "neither ISO 8601 nor milliseconds since 1970");
    check("{\"index\":{}}\n{}\n{\"index\":{\"_index\":\"a b\"}}\n{}\n",
          "index  400 an index is missing: name it in the path or as _index of the action\n"
          "index a b 400 invalid index name: it must not contain spaces or any of \\ / * ? \" < > "
          "| , #");
    check("{\"delete\":{\"_index\":\"i\",\"_id\":\"1\"}}\n" A "{\"message\":\"m\"}",
          "delete i 400 Pharos stores events, which are not deleted one by one: they go with "
          "retention.logs, or by a selector through /loki/api/v1/delete\n"
          "create i {index=i,service_name=i} 77 line=m level=unknown");
    check("", "error: request body is required");
    check("\n\n", "error: request body is required");
    check("{\"index\":{}}", "error: the last action, on line [1], has no source behind it");
    check(
        "{\"index\":{},\"create\":{}}\n{}\n",
        "error: Malformed action/metadata line [1]: one of [create, delete, index, update] with an "
        "object is expected: JSON: a second action on one line");
    check(
        "{\"noop\":{}}\n{}\n",
        "error: Malformed action/metadata line [1]: one of [create, delete, index, update] with an "
        "object is expected, found noop");
}

static void timestamps(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
        size_t len;
    } rows[] = {
        {"1970-01-01", 0, 10},
        {"1970-01-01T", 0, 11},
        {"1970-01-01T00:00", 0, 16},
        {"1970-01-01 00:00:01,250 x", 1250000000, 23},
        {"1970-01-01T00:00:00.1234567899Z", 123456789, 31},
        {"1970-01-01T02:00:00+02:00", 0, 25},
        {"1970-01-01T02:00:00+0200", 0, 24},
        {"1970-01-01T02:00:00 +02", 0, 23},
        {"1969-12-31T23:59:59Z", -1000000000, 20},
        {"1972-06-30T23:59:60Z", 78796800000000000, 20},
        {"2024-02-29T12:00:00Z", 1709208000000000000, 20},
        {"2000-03-01", 951868800000000000, 10},
    };
    static const char *const bad[] = {"",
                                      "1970",
                                      "1970-01-32",
                                      "2023-02-29",
                                      "1970-01-01T25:00:00Z",
                                      "1970-01-01T00:61",
                                      "9999-01-01T00:00:00Z",
                                      "19x0-01-01",
                                      "1970-01-01T00:00:00+99:00"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ns = -1;
        size_t len = 0;
        assert_int_equal(decode_timestamp_iso(slice_cstr(rows[i].text), &ns, &len), 0);
        assert_int_equal(ns, rows[i].ns);
        assert_int_equal(len, rows[i].len);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t ns;
        size_t len;
        assert_int_not_equal(decode_timestamp_iso(slice_cstr(bad[i]), &ns, &len), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents),
        cmocka_unit_test(refusals),
        cmocka_unit_test(timestamps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
