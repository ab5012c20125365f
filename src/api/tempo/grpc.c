/* tempopb.StreamingQuerier over the endpoints of HTTP: what Grafana asks when streaming is on. A
 * search tells what it found as it goes on, series over a range come from their end to their
 * beginning; other answers come whole. What is long comes in several messages that add up. */
#include "api/tempo/door_priv.h"

static const struct api__grpc_param search_params[] = {{1, API__GRPC_LOGFMT, "tags", NULL},
                                                       {2, API__GRPC_MS, "minDuration", NULL},
                                                       {3, API__GRPC_MS, "maxDuration", NULL},
                                                       {4, API__GRPC_NUMBER, "limit", NULL},
                                                       {5, API__GRPC_NUMBER, "start", NULL},
                                                       {6, API__GRPC_NUMBER, "end", NULL},
                                                       {8, API__GRPC_TEXT, "q", NULL},
                                                       {9, API__GRPC_NUMBER, "spss", NULL},
                                                       {0}};
static const struct api__grpc_param tags_params[] = {
    {1, API__GRPC_TEXT, "scope", NULL},   {2, API__GRPC_TEXT, "q", NULL},
    {3, API__GRPC_NUMBER, "start", NULL}, {4, API__GRPC_NUMBER, "end", NULL},
    {5, API__GRPC_NUMBER, "limit", NULL}, {0}};
static const struct api__grpc_param values_params[] = {
    {1, API__GRPC_TEXT, "/", NULL},       {2, API__GRPC_TEXT, "q", NULL},
    {4, API__GRPC_NUMBER, "start", NULL}, {5, API__GRPC_NUMBER, "end", NULL},
    {6, API__GRPC_NUMBER, "limit", NULL}, {0}};
static const struct api__grpc_param range_params[] = {{1, API__GRPC_TEXT, "q", NULL},
                                                      {2, API__GRPC_NUMBER, "start", NULL},
                                                      {3, API__GRPC_NUMBER, "end", NULL},
                                                      {4, API__GRPC_NS, "step", NULL},
                                                      {16, API__GRPC_NUMBER, "exemplars", NULL},
                                                      {0}};
static const struct api__grpc_param instant_params[] = {{1, API__GRPC_TEXT, "q", NULL},
                                                        {2, API__GRPC_NUMBER, "start", NULL},
                                                        {3, API__GRPC_NUMBER, "end", NULL},
                                                        {0}};

static const struct codec_proto_message any_value;
CODEC_PROTO_DEFINE(array_value, CODEC_PROTO_SUBS("values", 1, any_value));
static const struct codec_proto_field any_value_fields[] = {
    CODEC_PROTO_ONE("stringValue", 1, STRING),     CODEC_PROTO_ONE("boolValue", 2, BOOL),
    CODEC_PROTO_ONE("intValue", 3, INT),           CODEC_PROTO_ONE("doubleValue", 4, DOUBLE),
    CODEC_PROTO_SUB("arrayValue", 5, array_value), CODEC_PROTO_END};
static const struct codec_proto_message any_value = {any_value_fields};
CODEC_PROTO_DEFINE(key_value, CODEC_PROTO_ONE("key", 1, STRING),
                   CODEC_PROTO_SUB("value", 2, any_value));

CODEC_PROTO_DEFINE(stats, CODEC_PROTO_ONE("inspectedTraces", 1, UINT),
                   CODEC_PROTO_ONE("inspectedBytes", 2, UINT),
                   CODEC_PROTO_ONE("completedJobs", 4, UINT), CODEC_PROTO_ONE("totalJobs", 5, UINT),
                   CODEC_PROTO_ONE("inspectedSpans", 7, UINT));
CODEC_PROTO_DEFINE(span, CODEC_PROTO_ONE("spanID", 1, STRING), CODEC_PROTO_ONE("name", 2, STRING),
                   CODEC_PROTO_ONE("startTimeUnixNano", 3, UINT),
                   CODEC_PROTO_ONE("durationNanos", 4, UINT),
                   CODEC_PROTO_SUBS("attributes", 5, key_value));
CODEC_PROTO_DEFINE(span_set, CODEC_PROTO_SUBS("spans", 1, span),
                   CODEC_PROTO_ONE("matched", 2, UINT),
                   CODEC_PROTO_SUBS("attributes", 3, key_value));
CODEC_PROTO_DEFINE(service_stats, CODEC_PROTO_ONE("spanCount", 1, UINT),
                   CODEC_PROTO_ONE("errorCount", 2, UINT));
CODEC_PROTO_DEFINE(trace, CODEC_PROTO_ONE("traceID", 1, STRING),
                   CODEC_PROTO_ONE("rootServiceName", 2, STRING),
                   CODEC_PROTO_ONE("rootTraceName", 3, STRING),
                   CODEC_PROTO_ONE("startTimeUnixNano", 4, UINT),
                   CODEC_PROTO_ONE("durationMs", 5, UINT), CODEC_PROTO_SUB("spanSet", 6, span_set),
                   CODEC_PROTO_SUBS("spanSets", 7, span_set),
                   CODEC_PROTO_MAP("serviceStats", 8, service_stats));
CODEC_PROTO_DEFINE(search, CODEC_PROTO_SUBS("traces", 1, trace),
                   CODEC_PROTO_SUB("metrics", 2, stats));
CODEC_PROTO_DEFINE(tag_names, CODEC_PROTO_MANY("tagNames", 1, STRING));
CODEC_PROTO_DEFINE(scope, CODEC_PROTO_ONE("name", 1, STRING), CODEC_PROTO_MANY("tags", 2, STRING));
CODEC_PROTO_DEFINE(scopes, CODEC_PROTO_SUBS("scopes", 1, scope));
CODEC_PROTO_DEFINE(tag_values, CODEC_PROTO_MANY("tagValues", 1, STRING));
CODEC_PROTO_DEFINE(tag_value, CODEC_PROTO_ONE("type", 1, STRING),
                   CODEC_PROTO_ONE("value", 2, STRING));
CODEC_PROTO_DEFINE(tag_values_v2, CODEC_PROTO_SUBS("tagValues", 1, tag_value));
CODEC_PROTO_DEFINE(sample, CODEC_PROTO_ONE("value", 1, DOUBLE),
                   CODEC_PROTO_ONE("timestampMs", 2, INT));
CODEC_PROTO_DEFINE(exemplar, CODEC_PROTO_SUBS("labels", 1, key_value),
                   CODEC_PROTO_ONE("value", 2, DOUBLE), CODEC_PROTO_ONE("timestampMs", 3, INT));
CODEC_PROTO_DEFINE(series, CODEC_PROTO_SUBS("labels", 1, key_value),
                   CODEC_PROTO_SUBS("samples", 2, sample),
                   CODEC_PROTO_SUBS("exemplars", 4, exemplar));
CODEC_PROTO_DEFINE(query_range, CODEC_PROTO_SUBS("series", 1, series),
                   CODEC_PROTO_SUB("metrics", 2, stats));
CODEC_PROTO_DEFINE(instant_series, CODEC_PROTO_SUBS("labels", 1, key_value),
                   CODEC_PROTO_ONE("value", 2, DOUBLE));
CODEC_PROTO_DEFINE(query_instant, CODEC_PROTO_SUBS("series", 1, instant_series),
                   CODEC_PROTO_SUB("metrics", 2, stats));

const struct codec_proto_message *const tempo__search_answer = &search;
const struct codec_proto_message *const tempo__range_answer = &query_range;

void tempo__put_message(struct slice json, const struct codec_proto_message *answer,
                        struct buf *out)
{
    struct arena *arena = arena_new(0, NULL);
    struct codec_json_reader in = codec_json_reader(json, arena, NULL);
    in.utf8 = CODEC_JSON_UTF8_REPLACE;
    codec_proto_from_json(answer, &in, out);
    arena_free(arena);
}

#define QUERIER "/tempopb.StreamingQuerier/"
const struct api__grpc_rest tempo__rest[TEMPO__GRPC_COUNT] = {
    {QUERIER "Search", tempo__search, search_params, NULL, true},
    {QUERIER "SearchTags", tempo__tags, tags_params, &tag_names, true},
    {QUERIER "SearchTagsV2", tempo__tags_v2, tags_params, &scopes, true},
    {QUERIER "SearchTagValues", tempo__tag_values, values_params, &tag_values, true},
    {QUERIER "SearchTagValuesV2", tempo__tag_values_v2, values_params, &tag_values_v2, true},
    {QUERIER "MetricsQueryRange", tempo__query_range, range_params, NULL, true},
    {QUERIER "MetricsQueryInstant", tempo__query, instant_params, &query_instant, true},
};

const struct net_grpc_method tempo__grpc[TEMPO__GRPC_COUNT] = {
    {QUERIER "Search", api__grpc_rest},
    {QUERIER "SearchTags", api__grpc_rest},
    {QUERIER "SearchTagsV2", api__grpc_rest},
    {QUERIER "SearchTagValues", api__grpc_rest},
    {QUERIER "SearchTagValuesV2", api__grpc_rest},
    {QUERIER "MetricsQueryRange", api__grpc_rest},
    {QUERIER "MetricsQueryInstant", api__grpc_rest},
};
