/* The messages of OTLP as JSON names them, for both directions of JSON. */
#include "decode/otlp/schema.h"

static const struct codec_proto_enum_name temporalities[] = {
    {"AGGREGATION_TEMPORALITY_UNSPECIFIED", 0},
    {"AGGREGATION_TEMPORALITY_DELTA", 1},
    {"AGGREGATION_TEMPORALITY_CUMULATIVE", 2},
    {NULL, 0}};
static const struct codec_proto_enum_name span_kinds[] = {{"SPAN_KIND_UNSPECIFIED", 0},
                                                          {"SPAN_KIND_INTERNAL", 1},
                                                          {"SPAN_KIND_SERVER", 2},
                                                          {"SPAN_KIND_CLIENT", 3},
                                                          {"SPAN_KIND_PRODUCER", 4},
                                                          {"SPAN_KIND_CONSUMER", 5},
                                                          {NULL, 0}};
static const struct codec_proto_enum_name status_codes[] = {
    {"STATUS_CODE_UNSET", 0}, {"STATUS_CODE_OK", 1}, {"STATUS_CODE_ERROR", 2}, {NULL, 0}};
static const struct codec_proto_enum_name severities[] = {
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
static const struct codec_proto_message any_value;
CODEC_PROTO_DEFINE(key_value, CODEC_PROTO_ONE("key", 1, STRING), CODEC_PROTO_SUB("value", 2, any_value));
CODEC_PROTO_DEFINE(array_value, CODEC_PROTO_SUBS("values", 1, any_value));
CODEC_PROTO_DEFINE(kvlist_value, CODEC_PROTO_SUBS("values", 1, key_value));
static const struct codec_proto_field any_value_fields[] = {
    CODEC_PROTO_ONE("stringValue", 1, STRING), CODEC_PROTO_ONE("boolValue", 2, BOOL), CODEC_PROTO_ONE("intValue", 3, INT),
    CODEC_PROTO_ONE("doubleValue", 4, DOUBLE), CODEC_PROTO_SUB("arrayValue", 5, array_value),
    CODEC_PROTO_SUB("kvlistValue", 6, kvlist_value), CODEC_PROTO_ONE("bytesValue", 7, BASE64), CODEC_PROTO_END};
static const struct codec_proto_message any_value = {any_value_fields};

CODEC_PROTO_DEFINE(resource, CODEC_PROTO_SUBS("attributes", 1, key_value), CODEC_PROTO_ONE("droppedAttributesCount", 2, UINT));
CODEC_PROTO_DEFINE(scope, CODEC_PROTO_ONE("name", 1, STRING), CODEC_PROTO_ONE("version", 2, STRING), CODEC_PROTO_SUBS("attributes", 3, key_value),
       CODEC_PROTO_ONE("droppedAttributesCount", 4, UINT));

CODEC_PROTO_DEFINE(exemplar, CODEC_PROTO_ONE("timeUnixNano", 2, FIXED64), CODEC_PROTO_ONE("asDouble", 3, DOUBLE),
       CODEC_PROTO_ONE("spanId", 4, HEX), CODEC_PROTO_ONE("traceId", 5, HEX), CODEC_PROTO_ONE("asInt", 6, SFIXED64),
       CODEC_PROTO_SUBS("filteredAttributes", 7, key_value));
CODEC_PROTO_DEFINE(number_point, CODEC_PROTO_SUBS("attributes", 7, key_value), CODEC_PROTO_ONE("startTimeUnixNano", 2, FIXED64),
       CODEC_PROTO_ONE("timeUnixNano", 3, FIXED64), CODEC_PROTO_ONE("asDouble", 4, DOUBLE), CODEC_PROTO_ONE("asInt", 6, SFIXED64),
       CODEC_PROTO_SUBS("exemplars", 5, exemplar), CODEC_PROTO_ONE("flags", 8, UINT));
CODEC_PROTO_DEFINE(histogram_point, CODEC_PROTO_SUBS("attributes", 9, key_value), CODEC_PROTO_ONE("startTimeUnixNano", 2, FIXED64),
       CODEC_PROTO_ONE("timeUnixNano", 3, FIXED64), CODEC_PROTO_ONE("count", 4, FIXED64), CODEC_PROTO_ONE("sum", 5, DOUBLE),
       CODEC_PROTO_MANY("bucketCounts", 6, FIXED64), CODEC_PROTO_MANY("explicitBounds", 7, DOUBLE),
       CODEC_PROTO_SUBS("exemplars", 8, exemplar), CODEC_PROTO_ONE("flags", 10, UINT), CODEC_PROTO_ONE("min", 11, DOUBLE),
       CODEC_PROTO_ONE("max", 12, DOUBLE));
CODEC_PROTO_DEFINE(exponential_buckets, CODEC_PROTO_ONE("offset", 1, SINT), CODEC_PROTO_MANY("bucketCounts", 2, UINT));
CODEC_PROTO_DEFINE(exponential_point, CODEC_PROTO_SUBS("attributes", 1, key_value), CODEC_PROTO_ONE("startTimeUnixNano", 2, FIXED64),
       CODEC_PROTO_ONE("timeUnixNano", 3, FIXED64), CODEC_PROTO_ONE("count", 4, FIXED64), CODEC_PROTO_ONE("sum", 5, DOUBLE),
       CODEC_PROTO_ONE("scale", 6, SINT), CODEC_PROTO_ONE("zeroCount", 7, FIXED64), CODEC_PROTO_SUB("positive", 8, exponential_buckets),
       CODEC_PROTO_SUB("negative", 9, exponential_buckets), CODEC_PROTO_ONE("flags", 10, UINT),
       CODEC_PROTO_SUBS("exemplars", 11, exemplar), CODEC_PROTO_ONE("min", 12, DOUBLE), CODEC_PROTO_ONE("max", 13, DOUBLE),
       CODEC_PROTO_ONE("zeroThreshold", 14, DOUBLE));
CODEC_PROTO_DEFINE(quantile_value, CODEC_PROTO_ONE("quantile", 1, DOUBLE), CODEC_PROTO_ONE("value", 2, DOUBLE));
CODEC_PROTO_DEFINE(summary_point, CODEC_PROTO_SUBS("attributes", 7, key_value), CODEC_PROTO_ONE("startTimeUnixNano", 2, FIXED64),
       CODEC_PROTO_ONE("timeUnixNano", 3, FIXED64), CODEC_PROTO_ONE("count", 4, FIXED64), CODEC_PROTO_ONE("sum", 5, DOUBLE),
       CODEC_PROTO_SUBS("quantileValues", 6, quantile_value), CODEC_PROTO_ONE("flags", 8, UINT));
CODEC_PROTO_DEFINE(gauge, CODEC_PROTO_SUBS("dataPoints", 1, number_point));
CODEC_PROTO_DEFINE(sum, CODEC_PROTO_SUBS("dataPoints", 1, number_point), CODEC_PROTO_CHOICE("aggregationTemporality", 2, temporalities),
       CODEC_PROTO_ONE("isMonotonic", 3, BOOL));
CODEC_PROTO_DEFINE(histogram, CODEC_PROTO_SUBS("dataPoints", 1, histogram_point),
       CODEC_PROTO_CHOICE("aggregationTemporality", 2, temporalities));
CODEC_PROTO_DEFINE(exponential_histogram, CODEC_PROTO_SUBS("dataPoints", 1, exponential_point),
       CODEC_PROTO_CHOICE("aggregationTemporality", 2, temporalities));
CODEC_PROTO_DEFINE(summary, CODEC_PROTO_SUBS("dataPoints", 1, summary_point));
CODEC_PROTO_DEFINE(metric, CODEC_PROTO_ONE("name", 1, STRING), CODEC_PROTO_ONE("description", 2, STRING), CODEC_PROTO_ONE("unit", 3, STRING),
       CODEC_PROTO_SUB("gauge", 5, gauge), CODEC_PROTO_SUB("sum", 7, sum), CODEC_PROTO_SUB("histogram", 9, histogram),
       CODEC_PROTO_SUB("exponentialHistogram", 10, exponential_histogram), CODEC_PROTO_SUB("summary", 11, summary),
       CODEC_PROTO_SUBS("metadata", 12, key_value));
CODEC_PROTO_DEFINE(scope_metrics, CODEC_PROTO_SUB("scope", 1, scope), CODEC_PROTO_SUBS("metrics", 2, metric), CODEC_PROTO_ONE("schemaUrl", 3, STRING));
CODEC_PROTO_DEFINE(resource_metrics, CODEC_PROTO_SUB("resource", 1, resource), CODEC_PROTO_SUBS("scopeMetrics", 2, scope_metrics),
       CODEC_PROTO_ONE("schemaUrl", 3, STRING));

CODEC_PROTO_DEFINE(log_record, CODEC_PROTO_ONE("timeUnixNano", 1, FIXED64), CODEC_PROTO_ONE("observedTimeUnixNano", 11, FIXED64),
       CODEC_PROTO_CHOICE("severityNumber", 2, severities), CODEC_PROTO_ONE("severityText", 3, STRING),
       CODEC_PROTO_SUB("body", 5, any_value), CODEC_PROTO_SUBS("attributes", 6, key_value),
       CODEC_PROTO_ONE("droppedAttributesCount", 7, UINT), CODEC_PROTO_ONE("flags", 8, FIXED32), CODEC_PROTO_ONE("traceId", 9, HEX),
       CODEC_PROTO_ONE("spanId", 10, HEX), CODEC_PROTO_ONE("eventName", 12, STRING));
CODEC_PROTO_DEFINE(scope_logs, CODEC_PROTO_SUB("scope", 1, scope), CODEC_PROTO_SUBS("logRecords", 2, log_record),
       CODEC_PROTO_ONE("schemaUrl", 3, STRING));
CODEC_PROTO_DEFINE(resource_logs, CODEC_PROTO_SUB("resource", 1, resource), CODEC_PROTO_SUBS("scopeLogs", 2, scope_logs),
       CODEC_PROTO_ONE("schemaUrl", 3, STRING));

CODEC_PROTO_DEFINE(span_event, CODEC_PROTO_ONE("timeUnixNano", 1, FIXED64), CODEC_PROTO_ONE("name", 2, STRING),
       CODEC_PROTO_SUBS("attributes", 3, key_value), CODEC_PROTO_ONE("droppedAttributesCount", 4, UINT));
CODEC_PROTO_DEFINE(span_link, CODEC_PROTO_ONE("traceId", 1, HEX), CODEC_PROTO_ONE("spanId", 2, HEX), CODEC_PROTO_ONE("traceState", 3, STRING),
       CODEC_PROTO_SUBS("attributes", 4, key_value), CODEC_PROTO_ONE("droppedAttributesCount", 5, UINT),
       CODEC_PROTO_ONE("flags", 6, FIXED32));
CODEC_PROTO_DEFINE(status, CODEC_PROTO_ONE("message", 2, STRING), CODEC_PROTO_CHOICE("code", 3, status_codes));
CODEC_PROTO_DEFINE(span, CODEC_PROTO_ONE("traceId", 1, HEX), CODEC_PROTO_ONE("spanId", 2, HEX), CODEC_PROTO_ONE("traceState", 3, STRING),
       CODEC_PROTO_ONE("parentSpanId", 4, HEX), CODEC_PROTO_ONE("flags", 16, FIXED32), CODEC_PROTO_ONE("name", 5, STRING),
       CODEC_PROTO_CHOICE("kind", 6, span_kinds), CODEC_PROTO_ONE("startTimeUnixNano", 7, FIXED64),
       CODEC_PROTO_ONE("endTimeUnixNano", 8, FIXED64), CODEC_PROTO_SUBS("attributes", 9, key_value),
       CODEC_PROTO_ONE("droppedAttributesCount", 10, UINT), CODEC_PROTO_SUBS("events", 11, span_event),
       CODEC_PROTO_ONE("droppedEventsCount", 12, UINT), CODEC_PROTO_SUBS("links", 13, span_link),
       CODEC_PROTO_ONE("droppedLinksCount", 14, UINT), CODEC_PROTO_SUB("status", 15, status));
CODEC_PROTO_DEFINE(scope_spans, CODEC_PROTO_SUB("scope", 1, scope), CODEC_PROTO_SUBS("spans", 2, span), CODEC_PROTO_ONE("schemaUrl", 3, STRING));
CODEC_PROTO_DEFINE(resource_spans, CODEC_PROTO_SUB("resource", 1, resource), CODEC_PROTO_SUBS("scopeSpans", 2, scope_spans),
       CODEC_PROTO_ONE("schemaUrl", 3, STRING));

CODEC_PROTO_DEFINE(metrics_request, CODEC_PROTO_SUBS("resourceMetrics", 1, resource_metrics));
CODEC_PROTO_DEFINE(logs_request, CODEC_PROTO_SUBS("resourceLogs", 1, resource_logs));
CODEC_PROTO_DEFINE(traces_request, CODEC_PROTO_SUBS("resourceSpans", 1, resource_spans));
/* clang-format on */

const struct codec_proto_message *decode__otlp_request_message(enum decode_otlp_signal signal)
{
    static const struct codec_proto_message *const requests[] = {
        [DECODE_OTLP_METRICS] = &metrics_request,
        [DECODE_OTLP_LOGS] = &logs_request,
        [DECODE_OTLP_TRACES] = &traces_request};
    return requests[signal];
}
