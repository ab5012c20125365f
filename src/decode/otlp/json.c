/* OTLP/JSON rewritten as protobuf, driven by a table of the messages. The rules that differ from
 * protobuf's own JSON mapping: trace and span ids are hexadecimal, enums are numbers. More lenient
 * than the specification asks for: snake_case keys and the names of enum values are known too, and
 * null is the same as nothing. */
#include "codec/base64.h"
#include "codec/hex.h"
#include "codec/json_read.h"
#include "decode/otlp/otlp_priv.h"

enum kind {
    MESSAGE,
    STRING,
    HEX,    /* bytes as hexadecimal digits */
    BASE64, /* bytes */
    BOOL,
    INT,  /* int64, int32 */
    UINT, /* uint64, uint32 */
    SINT, /* zigzag */
    FIXED64,
    SFIXED64,
    FIXED32,
    DOUBLE,
    ENUM
};

struct message;
struct enum_name {
    const char *name;
    uint32_t value;
};

struct field {
    const char *name; /* lowerCamelCase */
    uint32_t number;
    enum kind kind;
    bool repeated; /* an array; numbers are written packed */
    const struct message *message;
    const struct enum_name *names; /* of an enum's values, ends with NULL */
};

struct message {
    const struct field *fields; /* ends with a NULL name */
};

#define ONE(n, number, kind)                                                                       \
    {                                                                                              \
        n, number, kind, false, NULL, NULL                                                         \
    }
#define MANY(n, number, kind)                                                                      \
    {                                                                                              \
        n, number, kind, true, NULL, NULL                                                          \
    }
#define SUB(n, number, sub)                                                                        \
    {                                                                                              \
        n, number, MESSAGE, false, &sub, NULL                                                      \
    }
#define SUBS(n, number, sub)                                                                       \
    {                                                                                              \
        n, number, MESSAGE, true, &sub, NULL                                                       \
    }
#define CHOICE(n, number, ns)                                                                      \
    {                                                                                              \
        n, number, ENUM, false, NULL, ns                                                           \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, 0, MESSAGE, false, NULL, NULL                                                        \
    }
#define DEFINE(name, ...)                                                                          \
    static const struct field name##_fields[] = {__VA_ARGS__, END};                                \
    static const struct message name = {name##_fields}

static const struct enum_name temporalities[] = {{"AGGREGATION_TEMPORALITY_UNSPECIFIED", 0},
                                                 {"AGGREGATION_TEMPORALITY_DELTA", 1},
                                                 {"AGGREGATION_TEMPORALITY_CUMULATIVE", 2},
                                                 {NULL, 0}};
static const struct enum_name span_kinds[] = {{"SPAN_KIND_UNSPECIFIED", 0},
                                              {"SPAN_KIND_INTERNAL", 1},
                                              {"SPAN_KIND_SERVER", 2},
                                              {"SPAN_KIND_CLIENT", 3},
                                              {"SPAN_KIND_PRODUCER", 4},
                                              {"SPAN_KIND_CONSUMER", 5},
                                              {NULL, 0}};
static const struct enum_name status_codes[] = {
    {"STATUS_CODE_UNSET", 0}, {"STATUS_CODE_OK", 1}, {"STATUS_CODE_ERROR", 2}, {NULL, 0}};
static const struct enum_name severities[] = {
    {"SEVERITY_NUMBER_UNSPECIFIED", 0}, {"SEVERITY_NUMBER_TRACE", 1},
    {"SEVERITY_NUMBER_TRACE2", 2},      {"SEVERITY_NUMBER_TRACE3", 3},
    {"SEVERITY_NUMBER_TRACE4", 4},      {"SEVERITY_NUMBER_DEBUG", 5},
    {"SEVERITY_NUMBER_DEBUG2", 6},      {"SEVERITY_NUMBER_DEBUG3", 7},
    {"SEVERITY_NUMBER_DEBUG4", 8},      {"SEVERITY_NUMBER_INFO", 9},
    {"SEVERITY_NUMBER_INFO2", 10},      {"SEVERITY_NUMBER_INFO3", 11},
    {"SEVERITY_NUMBER_INFO4", 12},      {"SEVERITY_NUMBER_WARN", 13},
    {"SEVERITY_NUMBER_WARN2", 14},      {"SEVERITY_NUMBER_WARN3", 15},
    {"SEVERITY_NUMBER_WARN4", 16},      {"SEVERITY_NUMBER_ERROR", 17},
    {"SEVERITY_NUMBER_ERROR2", 18},     {"SEVERITY_NUMBER_ERROR3", 19},
    {"SEVERITY_NUMBER_ERROR4", 20},     {"SEVERITY_NUMBER_FATAL", 21},
    {"SEVERITY_NUMBER_FATAL2", 22},     {"SEVERITY_NUMBER_FATAL3", 23},
    {"SEVERITY_NUMBER_FATAL4", 24},     {NULL, 0}};

/* clang-format off */
static const struct message any_value;
DEFINE(key_value, ONE("key", 1, STRING), SUB("value", 2, any_value));
DEFINE(array_value, SUBS("values", 1, any_value));
DEFINE(kvlist_value, SUBS("values", 1, key_value));
static const struct field any_value_fields[] = {
    ONE("stringValue", 1, STRING), ONE("boolValue", 2, BOOL), ONE("intValue", 3, INT),
    ONE("doubleValue", 4, DOUBLE), SUB("arrayValue", 5, array_value),
    SUB("kvlistValue", 6, kvlist_value), ONE("bytesValue", 7, BASE64), END};
static const struct message any_value = {any_value_fields};

DEFINE(resource, SUBS("attributes", 1, key_value), ONE("droppedAttributesCount", 2, UINT));
DEFINE(scope, ONE("name", 1, STRING), ONE("version", 2, STRING), SUBS("attributes", 3, key_value),
       ONE("droppedAttributesCount", 4, UINT));

DEFINE(exemplar, ONE("timeUnixNano", 2, FIXED64), ONE("asDouble", 3, DOUBLE),
       ONE("spanId", 4, HEX), ONE("traceId", 5, HEX), ONE("asInt", 6, SFIXED64),
       SUBS("filteredAttributes", 7, key_value));
DEFINE(number_point, SUBS("attributes", 7, key_value), ONE("startTimeUnixNano", 2, FIXED64),
       ONE("timeUnixNano", 3, FIXED64), ONE("asDouble", 4, DOUBLE), ONE("asInt", 6, SFIXED64),
       SUBS("exemplars", 5, exemplar), ONE("flags", 8, UINT));
DEFINE(histogram_point, SUBS("attributes", 9, key_value), ONE("startTimeUnixNano", 2, FIXED64),
       ONE("timeUnixNano", 3, FIXED64), ONE("count", 4, FIXED64), ONE("sum", 5, DOUBLE),
       MANY("bucketCounts", 6, FIXED64), MANY("explicitBounds", 7, DOUBLE),
       SUBS("exemplars", 8, exemplar), ONE("flags", 10, UINT), ONE("min", 11, DOUBLE),
       ONE("max", 12, DOUBLE));
DEFINE(exponential_buckets, ONE("offset", 1, SINT), MANY("bucketCounts", 2, UINT));
DEFINE(exponential_point, SUBS("attributes", 1, key_value), ONE("startTimeUnixNano", 2, FIXED64),
       ONE("timeUnixNano", 3, FIXED64), ONE("count", 4, FIXED64), ONE("sum", 5, DOUBLE),
       ONE("scale", 6, SINT), ONE("zeroCount", 7, FIXED64), SUB("positive", 8, exponential_buckets),
       SUB("negative", 9, exponential_buckets), ONE("flags", 10, UINT),
       SUBS("exemplars", 11, exemplar), ONE("min", 12, DOUBLE), ONE("max", 13, DOUBLE),
       ONE("zeroThreshold", 14, DOUBLE));
DEFINE(quantile_value, ONE("quantile", 1, DOUBLE), ONE("value", 2, DOUBLE));
DEFINE(summary_point, SUBS("attributes", 7, key_value), ONE("startTimeUnixNano", 2, FIXED64),
       ONE("timeUnixNano", 3, FIXED64), ONE("count", 4, FIXED64), ONE("sum", 5, DOUBLE),
       SUBS("quantileValues", 6, quantile_value), ONE("flags", 8, UINT));
DEFINE(gauge, SUBS("dataPoints", 1, number_point));
DEFINE(sum, SUBS("dataPoints", 1, number_point), CHOICE("aggregationTemporality", 2, temporalities),
       ONE("isMonotonic", 3, BOOL));
DEFINE(histogram, SUBS("dataPoints", 1, histogram_point),
       CHOICE("aggregationTemporality", 2, temporalities));
DEFINE(exponential_histogram, SUBS("dataPoints", 1, exponential_point),
       CHOICE("aggregationTemporality", 2, temporalities));
DEFINE(summary, SUBS("dataPoints", 1, summary_point));
DEFINE(metric, ONE("name", 1, STRING), ONE("description", 2, STRING), ONE("unit", 3, STRING),
       SUB("gauge", 5, gauge), SUB("sum", 7, sum), SUB("histogram", 9, histogram),
       SUB("exponentialHistogram", 10, exponential_histogram), SUB("summary", 11, summary),
       SUBS("metadata", 12, key_value));
DEFINE(scope_metrics, SUB("scope", 1, scope), SUBS("metrics", 2, metric), ONE("schemaUrl", 3, STRING));
DEFINE(resource_metrics, SUB("resource", 1, resource), SUBS("scopeMetrics", 2, scope_metrics),
       ONE("schemaUrl", 3, STRING));

DEFINE(log_record, ONE("timeUnixNano", 1, FIXED64), ONE("observedTimeUnixNano", 11, FIXED64),
       CHOICE("severityNumber", 2, severities), ONE("severityText", 3, STRING),
       SUB("body", 5, any_value), SUBS("attributes", 6, key_value),
       ONE("droppedAttributesCount", 7, UINT), ONE("flags", 8, FIXED32), ONE("traceId", 9, HEX),
       ONE("spanId", 10, HEX), ONE("eventName", 12, STRING));
DEFINE(scope_logs, SUB("scope", 1, scope), SUBS("logRecords", 2, log_record),
       ONE("schemaUrl", 3, STRING));
DEFINE(resource_logs, SUB("resource", 1, resource), SUBS("scopeLogs", 2, scope_logs),
       ONE("schemaUrl", 3, STRING));

DEFINE(span_event, ONE("timeUnixNano", 1, FIXED64), ONE("name", 2, STRING),
       SUBS("attributes", 3, key_value), ONE("droppedAttributesCount", 4, UINT));
DEFINE(span_link, ONE("traceId", 1, HEX), ONE("spanId", 2, HEX), ONE("traceState", 3, STRING),
       SUBS("attributes", 4, key_value), ONE("droppedAttributesCount", 5, UINT),
       ONE("flags", 6, FIXED32));
DEFINE(status, ONE("message", 2, STRING), CHOICE("code", 3, status_codes));
DEFINE(span, ONE("traceId", 1, HEX), ONE("spanId", 2, HEX), ONE("traceState", 3, STRING),
       ONE("parentSpanId", 4, HEX), ONE("flags", 16, FIXED32), ONE("name", 5, STRING),
       CHOICE("kind", 6, span_kinds), ONE("startTimeUnixNano", 7, FIXED64),
       ONE("endTimeUnixNano", 8, FIXED64), SUBS("attributes", 9, key_value),
       ONE("droppedAttributesCount", 10, UINT), SUBS("events", 11, span_event),
       ONE("droppedEventsCount", 12, UINT), SUBS("links", 13, span_link),
       ONE("droppedLinksCount", 14, UINT), SUB("status", 15, status));
DEFINE(scope_spans, SUB("scope", 1, scope), SUBS("spans", 2, span), ONE("schemaUrl", 3, STRING));
DEFINE(resource_spans, SUB("resource", 1, resource), SUBS("scopeSpans", 2, scope_spans),
       ONE("schemaUrl", 3, STRING));

DEFINE(metrics_request, SUBS("resourceMetrics", 1, resource_metrics));
DEFINE(logs_request, SUBS("resourceLogs", 1, resource_logs));
DEFINE(traces_request, SUBS("resourceSpans", 1, resource_spans));
/* clang-format on */

static const struct message *const requests[] = {[DECODE_OTLP_METRICS] = &metrics_request,
                                                 [DECODE_OTLP_LOGS] = &logs_request,
                                                 [DECODE_OTLP_TRACES] = &traces_request};

struct rewrite {
    struct codec_json_reader r;
    struct buf *out;
    struct buf bytes;
};

/* traceId, and trace_id for it. */
static bool is_name(struct slice key, const char *name)
{
    size_t i = 0;
    for (; i < key.len && *name; i++, name++) {
        if (key.ptr[i] == *name)
            continue;
        if (key.ptr[i] != '_' || i + 1 >= key.len || (key.ptr[i + 1] & ~32) != *name)
            return false;
        i++;
    }
    return i == key.len && !*name;
}

/* Senders write fields in the table's order, more or less: the search goes on from the last hit. */
static const struct field *find_field(const struct message *m, struct slice key, size_t *hint)
{
    const struct field *f = m->fields;
    for (size_t i = *hint; f[i].name; i++) {
        if (is_name(key, f[i].name)) {
            *hint = i + 1;
            return &f[i];
        }
    }
    for (size_t i = 0; i < *hint; i++) {
        if (is_name(key, f[i].name)) {
            *hint = i + 1;
            return &f[i];
        }
    }
    return NULL;
}

static void take_hex(struct rewrite *w, const struct field *f)
{
    struct slice s;
    if (!codec_json_read_string(&w->r, &s))
        return;
    size_t n = s.len / 2;
    codec_pb_put_key(w->out, f->number, CODEC_PB_BYTES);
    codec_append_varint(w->out, n);
    if (!codec_text_to_bytes(s, buf_reserve(w->out, n), n)) {
        codec_json_read_error(&w->r, ERR_INVALID, "%s takes hexadecimal digits, not \"%.*s\"",
                              f->name, SLICE_FMT(slice_first(s, 100)));
        return;
    }
    w->out->len += n;
}

static void take_base64(struct rewrite *w, const struct field *f)
{
    struct slice s;
    if (!codec_json_read_string(&w->r, &s))
        return;
    buf_clear(&w->bytes);
    if (codec_base64_decode(s, &w->bytes))
        codec_json_read_error(&w->r, ERR_INVALID, "%s takes base64, not \"%.*s\"", f->name,
                              SLICE_FMT(slice_first(s, 100)));
    else
        codec_pb_put_bytes(w->out, f->number, buf_slice(&w->bytes));
}

static void take_enum(struct rewrite *w, const struct field *f)
{
    enum codec_json_kind kind;
    int64_t v = 0;
    struct slice s;
    if (!codec_json_peek(&w->r, &kind))
        return;
    if (kind != CODEC_JSON_STRING) {
        if (codec_json_read_int(&w->r, &v))
            codec_pb_put_varint(w->out, f->number, (uint64_t)v);
        return;
    }
    if (!codec_json_read_string(&w->r, &s))
        return;
    for (const struct enum_name *n = f->names; n->name; n++) {
        if (slice_eq_cstr(s, n->name)) {
            codec_pb_put_varint(w->out, f->number, n->value);
            return;
        }
    }
    codec_json_read_error(&w->r, ERR_INVALID, "%s takes a number, not \"%.*s\"", f->name,
                          SLICE_FMT(slice_first(s, 100)));
}

/* A number without its key; false at an error. */
static bool take_number(struct rewrite *w, const struct field *f)
{
    int64_t i;
    uint64_t u;
    double d;
    bool b;
    switch (f->kind) {
    case BOOL:
        if (codec_json_read_bool(&w->r, &b))
            codec_append_varint(w->out, b);
        break;
    case INT:
        if (codec_json_read_int(&w->r, &i))
            codec_append_varint(w->out, (uint64_t)i);
        break;
    case UINT:
        if (codec_json_read_uint(&w->r, &u))
            codec_append_varint(w->out, u);
        break;
    case SINT:
        if (codec_json_read_int(&w->r, &i))
            codec_append_varint(w->out, codec_zigzag(i));
        break;
    case FIXED64:
        if (codec_json_read_uint(&w->r, &u))
            codec_append64(w->out, u);
        break;
    case SFIXED64:
        if (codec_json_read_int(&w->r, &i))
            codec_append64(w->out, (uint64_t)i);
        break;
    case FIXED32:
        if (codec_json_read_uint(&w->r, &u)) {
            uint32_t v = (uint32_t)u;
            buf_append(w->out, &v, sizeof(v));
        }
        break;
    case DOUBLE:
        if (codec_json_read_double(&w->r, &d))
            codec_append64(w->out, codec_double_bits(d));
        break;
    default: break;
    }
    return !w->r.err;
}

static enum codec_pb_wire wire_of(enum kind kind)
{
    switch (kind) {
    case FIXED64:
    case SFIXED64:
    case DOUBLE: return CODEC_PB_FIXED64;
    case FIXED32: return CODEC_PB_FIXED32;
    case BOOL:
    case INT:
    case UINT:
    case SINT: return CODEC_PB_VARINT;
    default: return CODEC_PB_BYTES;
    }
}

static void take_message(struct rewrite *w, const struct message *m);

static void take_one(struct rewrite *w, const struct field *f)
{
    struct slice s;
    if (codec_json_read_null(&w->r))
        return;
    switch (f->kind) {
    case MESSAGE: {
        size_t mark = codec_pb_begin(w->out, f->number);
        take_message(w, f->message);
        codec_pb_end(w->out, mark);
        return;
    }
    case STRING:
        if (codec_json_read_string(&w->r, &s))
            codec_pb_put_bytes(w->out, f->number, s);
        return;
    case HEX: take_hex(w, f); return;
    case BASE64: take_base64(w, f); return;
    case ENUM: take_enum(w, f); return;
    default:
        codec_pb_put_key(w->out, f->number, wire_of(f->kind));
        (void)take_number(w, f);
        return;
    }
}

static void take_field(struct rewrite *w, const struct field *f)
{
    if (!f->repeated) {
        take_one(w, f);
        return;
    }
    if (codec_json_read_null(&w->r) || !codec_json_read_array(&w->r))
        return;
    if (f->kind == MESSAGE) {
        while (codec_json_next_item(&w->r))
            take_one(w, f);
        return;
    }
    size_t mark = codec_pb_begin(w->out, f->number);
    while (codec_json_next_item(&w->r) && take_number(w, f))
        ;
    codec_pb_end(w->out, mark);
}

static void take_message(struct rewrite *w, const struct message *m)
{
    struct slice key;
    size_t hint = 0;
    if (!codec_json_read_object(&w->r))
        return;
    while (codec_json_next_key(&w->r, &key)) {
        const struct field *f = find_field(m, key, &hint);
        if (f)
            take_field(w, f);
    }
}

int decode__otlp_json(enum decode_otlp_signal signal, struct slice text, struct arena *arena,
                      struct buf *out, struct diag *diag)
{
    struct rewrite w = {.r = codec_json_reader(text, arena, diag), .out = out};
    w.r.utf8 = CODEC_JSON_UTF8_KEEP; /* repaired and counted with protobuf's */
    take_message(&w, requests[signal]);
    int err = codec_json_read_end(&w.r);
    if (err && diag)
        diag_wrap(diag, "OTLP/JSON");
    buf_deinit(&w.bytes);
    return err;
}
