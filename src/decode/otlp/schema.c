/* The messages of OTLP as JSON names them, for both directions of JSON. */
#include "decode/otlp/schema.h"

/* clang-format off */
#define KIND(k)               DECODE__OTLP_JSON_##k
#define ONE(n, number, k)     {n, number, KIND(k), false, NULL, NULL}
#define MANY(n, number, k)    {n, number, KIND(k), true, NULL, NULL}
#define SUB(n, number, sub)   {n, number, KIND(MESSAGE), false, &sub, NULL}
#define SUBS(n, number, sub)  {n, number, KIND(MESSAGE), true, &sub, NULL}
#define CHOICE(n, number, ns) {n, number, KIND(ENUM), false, NULL, ns}
#define END                   {NULL, 0, KIND(MESSAGE), false, NULL, NULL}
/* clang-format on */
#define DEFINE(name, ...)                                                                          \
    static const struct decode__otlp_field name##_fields[] = {__VA_ARGS__, END};                   \
    static const struct decode__otlp_message name = {name##_fields}

static const struct decode__otlp_enum_name temporalities[] = {
    {"AGGREGATION_TEMPORALITY_UNSPECIFIED", 0},
    {"AGGREGATION_TEMPORALITY_DELTA", 1},
    {"AGGREGATION_TEMPORALITY_CUMULATIVE", 2},
    {NULL, 0}};
static const struct decode__otlp_enum_name span_kinds[] = {{"SPAN_KIND_UNSPECIFIED", 0},
                                                           {"SPAN_KIND_INTERNAL", 1},
                                                           {"SPAN_KIND_SERVER", 2},
                                                           {"SPAN_KIND_CLIENT", 3},
                                                           {"SPAN_KIND_PRODUCER", 4},
                                                           {"SPAN_KIND_CONSUMER", 5},
                                                           {NULL, 0}};
static const struct decode__otlp_enum_name status_codes[] = {
    {"STATUS_CODE_UNSET", 0}, {"STATUS_CODE_OK", 1}, {"STATUS_CODE_ERROR", 2}, {NULL, 0}};
static const struct decode__otlp_enum_name severities[] = {
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
static const struct decode__otlp_message any_value;
DEFINE(key_value, ONE("key", 1, STRING), SUB("value", 2, any_value));
DEFINE(array_value, SUBS("values", 1, any_value));
DEFINE(kvlist_value, SUBS("values", 1, key_value));
static const struct decode__otlp_field any_value_fields[] = {
    ONE("stringValue", 1, STRING), ONE("boolValue", 2, BOOL), ONE("intValue", 3, INT),
    ONE("doubleValue", 4, DOUBLE), SUB("arrayValue", 5, array_value),
    SUB("kvlistValue", 6, kvlist_value), ONE("bytesValue", 7, BASE64), END};
static const struct decode__otlp_message any_value = {any_value_fields};

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

const struct decode__otlp_message *decode__otlp_request_message(enum decode_otlp_signal signal)
{
    static const struct decode__otlp_message *const requests[] = {
        [DECODE_OTLP_METRICS] = &metrics_request,
        [DECODE_OTLP_LOGS] = &logs_request,
        [DECODE_OTLP_TRACES] = &traces_request};
    return requests[signal];
}
