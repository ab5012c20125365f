#include "decode/jaeger/jaeger.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/pb.h"
#include "decode/otlp/encode.h"

/* --- a writer of Thrift, from its documents --- */

struct writer {
    struct buf out;
    bool compact;
    int last;
};

enum type { T_BOOL, T_I32, T_I64, T_DOUBLE, T_STRING, T_LIST, T_STRUCT, T_MAP };

static unsigned code(const struct writer *w, enum type t)
{
    static const unsigned binary[] = {2, 8, 10, 4, 11, 15, 12, 13},
                          compact[] = {1, 5, 6, 7, 8, 9, 12, 11};
    return w->compact ? compact[t] : binary[t];
}

static void big(struct writer *w, uint64_t v, int bytes)
{
    while (bytes--)
        buf_append_char(&w->out, (char)(v >> 8 * bytes));
}

static void number(struct writer *w, enum type t, int64_t v)
{
    if (w->compact)
        codec_append_varint(&w->out, codec_zigzag(v));
    else
        big(w, (uint64_t)v, t == T_I64 ? 8 : 4);
}

static void head(struct writer *w, int id, unsigned type)
{
    if (!w->compact) {
        big(w, type, 1);
        big(w, (uint64_t)id, 2);
    } else if (id > w->last && id - w->last < 16) {
        big(w, (uint64_t)(id - w->last) << 4 | type, 1);
    } else {
        big(w, type, 1);
        codec_append_varint(&w->out, codec_zigzag(id));
    }
    w->last = id;
}

static void i64(struct writer *w, int id, int64_t v)
{
    head(w, id, code(w, T_I64));
    number(w, T_I64, v);
}

static void i32(struct writer *w, int id, int64_t v)
{
    head(w, id, code(w, T_I32));
    number(w, T_I32, v);
}

static void boolean(struct writer *w, int id, bool v)
{
    head(w, id, w->compact && !v ? 2 : code(w, T_BOOL));
    if (!w->compact)
        big(w, v, 1);
}

static void real(struct writer *w, int id, double v)
{
    head(w, id, code(w, T_DOUBLE));
    uint64_t bits = codec_double_bits(v);
    big(w, w->compact ? __builtin_bswap64(bits) : bits, 8);
}

static void text(struct writer *w, const char *s)
{
    if (w->compact)
        codec_append_varint(&w->out, strlen(s));
    else
        big(w, strlen(s), 4);
    buf_append_cstr(&w->out, s);
}

static void string(struct writer *w, int id, const char *s)
{
    head(w, id, code(w, T_STRING));
    text(w, s);
}

static int open(struct writer *w)
{
    int last = w->last;
    w->last = 0;
    return last;
}

static void close(struct writer *w, int last)
{
    big(w, 0, 1);
    w->last = last;
}

static void list(struct writer *w, int id, size_t count)
{
    head(w, id, code(w, T_LIST));
    if (w->compact && count < 15)
        big(w, count << 4 | code(w, T_STRUCT), 1);
    else if (w->compact)
        big(w, 15 << 4 | code(w, T_STRUCT), 1), codec_append_varint(&w->out, count);
    else
        big(w, code(w, T_STRUCT), 1), big(w, count, 4);
}

static void tag(struct writer *w, const char *key, const char *value)
{
    int last = open(w);
    string(w, 1, key);
    i32(w, 2, 0);
    string(w, 3, value);
    close(w, last);
}

/* Every kind of tag, logs, references, and fields nobody knows. */
static void batch(struct writer *w)
{
    int span, at, outer;
    list(w, 2, 1);
    span = open(w);
    i64(w, 1, 0x0102030405060708);
    i64(w, 2, 0x1112131415161718);
    i64(w, 3, 0x2122232425262728);
    i64(w, 4, 0x3132333435363738);
    string(w, 5, "get");
    list(w, 6, 2);
    at = open(w); /* the parent again */
    i32(w, 1, 0);
    i64(w, 2, 0x0102030405060708);
    i64(w, 3, 0x1112131415161718);
    i64(w, 4, 0x3132333435363738);
    close(w, at);
    at = open(w);
    i32(w, 1, 1);
    i64(w, 2, 1);
    i64(w, 3, 0);
    i64(w, 4, 2);
    close(w, at);
    i32(w, 7, 1);
    i64(w, 8, 1700000000000001);
    i64(w, 9, 1500);
    list(w, 10, 9);
    tag(w, "span.kind", "server");
    tag(w, "s", "x");
    at = open(w);
    string(w, 1, "d");
    i32(w, 2, 1);
    real(w, 4, -2.5);
    close(w, at);
    at = open(w);
    string(w, 1, "b");
    i32(w, 2, 2);
    boolean(w, 5, true);
    close(w, at);
    at = open(w);
    string(w, 1, "i");
    i32(w, 2, 3);
    i64(w, 6, -7);
    close(w, at);
    at = open(w);
    string(w, 1, "y");
    i32(w, 2, 4);
    string(w, 7, "\x01\xff");
    close(w, at);
    at = open(w);
    string(w, 1, "error");
    i32(w, 2, 2);
    boolean(w, 5, true);
    close(w, at);
    tag(w, "otel.status_description", "oh");
    tag(w, "otel.scope.name", "lib");
    list(w, 11, 1);
    at = open(w);
    i64(w, 1, 1700000000000002);
    list(w, 2, 2);
    tag(w, "event", "retry");
    tag(w, "why", "slow");
    close(w, at);
    /* Unknown: a map, a struct within a struct, a boolean. */
    head(w, 40, code(w, T_MAP));
    if (w->compact)
        codec_append_varint(&w->out, 1), big(w, code(w, T_STRING) << 4 | code(w, T_I64), 1);
    else
        big(w, code(w, T_STRING), 1), big(w, code(w, T_I64), 1), big(w, 1, 4);
    text(w, "k");
    number(w, T_I64, 5);
    head(w, 41, code(w, T_STRUCT));
    outer = open(w);
    head(w, 1, code(w, T_STRUCT));
    at = open(w);
    boolean(w, 1, false);
    close(w, at);
    close(w, outer);
    boolean(w, 42, true);
    close(w, span);
    i64(w, 3, 9); /* seqNo */
    /* The process may come last. */
    head(w, 1, code(w, T_STRUCT));
    at = open(w);
    string(w, 1, "shop");
    list(w, 2, 1);
    tag(w, "hostname", "h1");
    close(w, at);
    close(w, 0);
}

static void call(struct writer *w, const char *name)
{
    if (w->compact) {
        big(w, 0x82, 1);
        big(w, 4 << 5 | 1, 1);
        codec_append_varint(&w->out, 77);
        text(w, name);
    } else {
        big(w, 0x80010004, 4);
        text(w, name);
        big(w, 77, 4);
    }
    head(w, 1, code(w, T_STRUCT));
    w->last = 0;
    batch(w);
    big(w, 0, 1);
}

#define EXPECTED                                                                                   \
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":["                                          \
    "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}},"                             \
    "{\"key\":\"hostname\",\"value\":{\"stringValue\":\"h1\"}}]},"                                 \
    "\"scopeSpans\":[{\"scope\":{\"name\":\"lib\",\"version\":\"\"},\"spans\":[{"                  \
    "\"traceId\":\"11121314151617180102030405060708\",\"spanId\":\"2122232425262728\","            \
    "\"parentSpanId\":\"3132333435363738\",\"flags\":1,\"name\":\"get\",\"kind\":2,"               \
    "\"startTimeUnixNano\":\"1700000000000001000\",\"endTimeUnixNano\":\"1700000000001501000\","   \
    "\"attributes\":[{\"key\":\"s\",\"value\":{\"stringValue\":\"x\"}},"                           \
    "{\"key\":\"d\",\"value\":{\"doubleValue\":-2.5}},"                                            \
    "{\"key\":\"b\",\"value\":{\"boolValue\":true}},"                                              \
    "{\"key\":\"i\",\"value\":{\"intValue\":\"-7\"}},"                                             \
    "{\"key\":\"y\",\"value\":{\"bytesValue\":\"Af8=\"}}],"                                        \
    "\"events\":[{\"timeUnixNano\":\"1700000000000002000\",\"name\":\"retry\","                    \
    "\"attributes\":[{\"key\":\"why\",\"value\":{\"stringValue\":\"slow\"}}]}],"                   \
    "\"links\":[{\"traceId\":\"00000000000000000000000000000001\","                                \
    "\"spanId\":\"0000000000000002\","                                                             \
    "\"attributes\":[{\"key\":\"opentracing.ref_type\","                                           \
    "\"value\":{\"stringValue\":\"follows_from\"}}]}],"                                            \
    "\"status\":{\"message\":\"oh\",\"code\":2}}]}]}]}"

static void check(enum decode_jaeger_encoding encoding, struct slice body, const char *expected)
{
    struct buf out = {0}, json = {0};
    struct diag diag;
    diag_init(&diag);
    int err = decode_jaeger_spans(encoding, body, &out, &diag);
    if (err)
        fail_msg("%s", diag.msg);
    assert_int_equal(decode_otlp_print_json(DECODE_OTLP_TRACES, buf_slice(&out), &json), 0);
    assert_string_equal(buf_cstr(&json), expected);
    buf_deinit(&out);
    buf_deinit(&json);
}

static void test_batches(void **state)
{
    (void)state;
    for (int compact = 0; compact < 2; compact++) {
        struct writer w = {.compact = compact};
        batch(&w);
        check(compact ? DECODE_JAEGER_BATCH_COMPACT : DECODE_JAEGER_BATCH_BINARY, buf_slice(&w.out),
              EXPECTED);
        /* Cut anywhere it is an error, and nothing is appended. */
        for (size_t len = 0; len < w.out.len; len++) {
            struct buf out = {0};
            struct diag diag;
            diag_init(&diag);
            buf_append_cstr(&out, "before");
            char *exact = mem_dup(w.out.ptr, len); /* reads beyond are seen by ASan */
            assert_int_equal(decode_jaeger_spans(compact ? DECODE_JAEGER_BATCH_COMPACT
                                                         : DECODE_JAEGER_BATCH_BINARY,
                                                 slice_make(exact, len), &out, &diag),
                             ERR_INVALID);
            assert_non_null(strstr(diag.msg, "damaged at byte"));
            assert_int_equal(out.len, 6);
            mem_free(exact);
            buf_deinit(&out);
        }
        buf_deinit(&w.out);
    }
}

static void test_calls(void **state)
{
    (void)state;
    for (int compact = 0; compact < 2; compact++) {
        enum decode_jaeger_encoding encoding =
            compact ? DECODE_JAEGER_AGENT_COMPACT : DECODE_JAEGER_AGENT_BINARY;
        struct writer w = {.compact = compact}, other = {.compact = compact};
        struct buf out = {0};
        struct diag diag;
        diag_init(&diag);
        call(&w, "emitBatch");
        check(encoding, buf_slice(&w.out), EXPECTED);
        call(&other, "emitZipkinBatch");
        assert_int_equal(decode_jaeger_spans(encoding, buf_slice(&other.out), &out, &diag),
                         ERR_UNSUPPORTED);
        assert_string_equal(diag.msg, "the call \"emitZipkinBatch\" is not taken, emitBatch is");
        assert_int_equal(out.len, 0);
        /* One protocol is not the other. */
        assert_int_not_equal(
            decode_jaeger_spans(compact ? DECODE_JAEGER_AGENT_BINARY : DECODE_JAEGER_AGENT_COMPACT,
                                buf_slice(&w.out), &out, NULL),
            0);
        buf_deinit(&w.out);
        buf_deinit(&other.out);
        buf_deinit(&out);
    }
}

static void test_hostile(void **state)
{
    /* A list of two thousand million structs; structs in structs without an end; no bytes. */
    static const struct {
        enum decode_jaeger_encoding encoding;
        struct slice body;
    } rows[] = {
        {DECODE_JAEGER_BATCH_BINARY, SLICE_INIT("\x0f\0\x02\x0c\x7f\xff\xff\xff")},
        {DECODE_JAEGER_BATCH_COMPACT, SLICE_INIT("\x29\xfc\xff\xff\xff\xff\x07")},
        {DECODE_JAEGER_BATCH_BINARY, SLICE_INIT("\x0b\0\x09\xff\xff\xff\xff")},
        {DECODE_JAEGER_BATCH_BINARY, SLICE_INIT("\x01\0\x01")}, /* no such type */
        {DECODE_JAEGER_BATCH_COMPACT, SLICE_INIT("\x1e")},
        {DECODE_JAEGER_AGENT_COMPACT, SLICE_INIT("\x83\x21\x01")},
        {DECODE_JAEGER_AGENT_BINARY, SLICE_INIT("")},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = {0};
        assert_int_equal(decode_jaeger_spans(rows[i].encoding, rows[i].body, &out, NULL),
                         ERR_INVALID);
        assert_int_equal(out.len, 0);
        buf_deinit(&out);
    }
    struct buf deep = {0}, out = {0};
    for (int i = 0; i < 100000; i++)
        buf_append(&deep, "\x0c\0\x09", 3);
    assert_int_equal(decode_jaeger_spans(DECODE_JAEGER_BATCH_BINARY, buf_slice(&deep), &out, NULL),
                     ERR_INVALID);
    buf_deinit(&deep);
    buf_deinit(&out);
}

/* --- protobuf --- */

static void put_tag(struct buf *out, uint32_t field, const char *key, const char *value)
{
    size_t m = codec_pb_begin(out, field);
    codec_pb_put_bytes(out, 1, slice_cstr(key));
    codec_pb_put_bytes(out, 3, slice_cstr(value));
    codec_pb_end(out, m);
}

static void put_time(struct buf *out, uint32_t field, uint64_t seconds, uint64_t nanos)
{
    size_t m = codec_pb_begin(out, field);
    codec_pb_put_varint(out, 1, seconds);
    codec_pb_put_varint(out, 2, nanos);
    codec_pb_end(out, m);
}

static void put_process(struct buf *out, uint32_t field, const char *service)
{
    size_t m = codec_pb_begin(out, field);
    codec_pb_put_bytes(out, 1, slice_cstr(service));
    put_tag(out, 2, "hostname", "h1");
    codec_pb_end(out, m);
}

static void put_span(struct buf *out, const char *trace_id, size_t id_len, const char *process)
{
    size_t m = codec_pb_begin(out, 1), r;
    codec_pb_put_bytes(out, 1, slice_make(trace_id, id_len));
    codec_pb_put_bytes(out, 2, SLICE("\x21\x22\x23\x24\x25\x26\x27\x28"));
    codec_pb_put_bytes(out, 3, SLICE("get"));
    r = codec_pb_begin(out, 4); /* no parent but by this */
    codec_pb_put_bytes(out, 1, slice_make(trace_id, id_len));
    codec_pb_put_bytes(out, 2, SLICE("\x31\x32\x33\x34\x35\x36\x37\x38"));
    codec_pb_end(out, r);
    r = codec_pb_begin(out, 4);
    codec_pb_put_bytes(out, 1, SLICE("\0\0\0\0\0\0\0\1"));
    codec_pb_put_bytes(out, 2, SLICE("\0\0\0\0\0\0\0\2"));
    codec_pb_put_varint(out, 3, 1);
    codec_pb_end(out, r);
    codec_pb_put_varint(out, 5, 1);
    put_time(out, 6, 1700000000, 1000);
    put_time(out, 7, 0, 1500000);
    put_tag(out, 8, "span.kind", "server");
    put_tag(out, 8, "s", "x");
    r = codec_pb_begin(out, 8);
    codec_pb_put_bytes(out, 1, SLICE("d"));
    codec_pb_put_varint(out, 2, 3);
    codec_pb_put_double(out, 6, -2.5);
    codec_pb_end(out, r);
    r = codec_pb_begin(out, 8);
    codec_pb_put_bytes(out, 1, SLICE("b"));
    codec_pb_put_varint(out, 2, 1);
    codec_pb_put_varint(out, 4, 1);
    codec_pb_end(out, r);
    r = codec_pb_begin(out, 8);
    codec_pb_put_bytes(out, 1, SLICE("i"));
    codec_pb_put_varint(out, 2, 2);
    codec_pb_put_varint(out, 5, (uint64_t)-7);
    codec_pb_end(out, r);
    r = codec_pb_begin(out, 8);
    codec_pb_put_bytes(out, 1, SLICE("y"));
    codec_pb_put_varint(out, 2, 4);
    codec_pb_put_bytes(out, 7, SLICE("\x01\xff"));
    codec_pb_end(out, r);
    put_tag(out, 8, "error", "true");
    put_tag(out, 8, "otel.status_description", "oh");
    put_tag(out, 8, "otel.scope.name", "lib");
    r = codec_pb_begin(out, 9);
    put_time(out, 1, 1700000000, 2000);
    put_tag(out, 2, "event", "retry");
    put_tag(out, 2, "why", "slow");
    codec_pb_end(out, r);
    if (process)
        put_process(out, 10, process);
    codec_pb_end(out, m);
}

#define TRACE_ID "\x11\x12\x13\x14\x15\x16\x17\x18\x01\x02\x03\x04\x05\x06\x07\x08"

static void test_protobuf(void **state)
{
    struct buf out = {0}, request = {0};
    (void)state;
    size_t m = codec_pb_begin(&out, 1);
    put_span(&out, TRACE_ID, 16, NULL);
    put_process(&out, 2, "shop");
    codec_pb_end(&out, m);
    check(DECODE_JAEGER_PROTOBUF, buf_slice(&out), EXPECTED);
    for (size_t len = 1; len < out.len; len++) {
        char *exact = mem_dup(out.ptr, len);
        assert_int_equal(
            decode_jaeger_spans(DECODE_JAEGER_PROTOBUF, slice_make(exact, len), &request, NULL),
            ERR_INVALID);
        assert_int_equal(request.len, 0);
        mem_free(exact);
    }
    buf_deinit(&out);
    buf_deinit(&request);
}

/* Spans with processes of their own; an id of another length is left out, for the span to be
 * refused alone. */
static void test_own_process_and_bad_id(void **state)
{
    struct buf out = {0}, request = {0};
    struct decode_otlp_scratch *scratch = decode_otlp_scratch_new();
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
    struct decode_otlp_result result;
    struct data_labels labels;
    (void)state;
    memset(&result, 0, sizeof(result));
    size_t m = codec_pb_begin(&out, 1);
    put_span(&out, TRACE_ID, 16, "shop");
    put_span(&out, TRACE_ID, 16, "shop");
    put_span(&out, TRACE_ID, 8, "stock");
    put_span(&out, TRACE_ID, 5, "stock");
    codec_pb_end(&out, m);
    assert_int_equal(decode_jaeger_spans(DECODE_JAEGER_PROTOBUF, buf_slice(&out), &request, NULL),
                     0);
    assert_int_equal(
        decode_otlp_spans(DECODE_OTLP_PROTOBUF, buf_slice(&request), scratch, b, &result, NULL), 0);
    assert_int_equal(result.items, 4);
    assert_int_equal(result.refused_by[DECODE_OTLP_BAD_ID], 1);
    assert_int_equal(b->rows.len, 3);
    assert_int_equal(b->streams.len, 2);
    assert_int_equal(data_labels_decode(b->streams.items[1].key, b->arena, &labels), 0);
    assert_true(slice_eq_cstr(data_labels_get(labels, SLICE("service_name")), "stock"));
    struct data_value id = data_event_get(b, 2, DATA_EVENT_TRACE_ID);
    assert_memory_equal(id.text.ptr, "\0\0\0\0\0\0\0\0\x11\x12\x13\x14\x15\x16\x17\x18", 16);
    data_event_batch_free(b);
    decode_otlp_scratch_free(scratch);
    buf_deinit(&out);
    buf_deinit(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_protobuf),
        cmocka_unit_test(test_own_process_and_bad_id),
    };
    return cmocka_run_group_tests_name("jaeger", tests, NULL, NULL);
}
