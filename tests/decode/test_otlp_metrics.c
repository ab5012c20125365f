/* Metrics of OTLP as series: every kind of point, from JSON (rewritten as protobuf) and from
 * protobuf written here. */
#include "decode/otlp/otlp.h"

#include <setjmp.h>

#include <cmocka.h>

#include "codec/pb.h"

struct fixture {
    struct decode_otlp_scratch *scratch;
    struct data_metric_batch *batch;
    struct decode_otlp_translation translation;
    struct decode_otlp_result result;
    struct diag diag;
    struct buf text;
};

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    f->scratch = decode_otlp_scratch_new();
    f->batch = data_metric_batch_new(SLICE("default"));
    decode_otlp_translation_defaults(&f->translation);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    decode_otlp_scratch_free(f->scratch);
    data_metric_batch_free(f->batch);
    buf_deinit(&f->text);
    mem_free(f);
    return 0;
}

/* series value @ms [start=ms] [delta], a line each, without target_info. */
static void print_batch(struct fixture *f)
{
    struct arena *arena = arena_new(0, NULL);
    const struct data_metric_batch *b = f->batch;
    buf_clear(&f->text);
    for (size_t i = 0; i < b->sample_ts.len; i++) {
        struct data_labels l;
        struct slice key = b->series.items[b->sample_series.items[i]].key;
        assert_int_equal(data_labels_decode(key, arena, &l), 0);
        data_labels_print(l, &f->text);
        const struct data_histogram *h =
            b->sample_histogram.len ? b->sample_histogram.items[i] : NULL;
        if (data_is_stale(b->sample_value.items[i])) {
            buf_append_cstr(&f->text, " stale");
        } else if (h) {
            buf_printf(&f->text, " h%d c=%g s=%g z=%g/%g", h->schema, h->count, h->sum,
                       h->zero_count, h->zero_threshold);
            for (size_t s = 0; s < h->positive_span_count; s++)
                buf_printf(&f->text, " %d:%u", h->positive_spans[s].offset,
                           h->positive_spans[s].length);
            for (size_t k = 0; k < h->positive_count; k++)
                buf_printf(&f->text, " %g", h->positive[k]);
            for (size_t s = 0; s < h->negative_span_count; s++)
                buf_printf(&f->text, " -%d:%u", h->negative_spans[s].offset,
                           h->negative_spans[s].length);
            for (size_t k = 0; k < h->negative_count; k++)
                buf_printf(&f->text, " -%g", h->negative[k]);
            for (size_t k = 0; k < h->custom_bound_count; k++)
                buf_printf(&f->text, " <%g", h->custom_bounds[k]);
        } else {
            buf_printf(&f->text, " %g", b->sample_value.items[i]);
        }
        buf_printf(&f->text, " @%lld", (long long)(b->sample_ts.items[i] / NS_PER_MS));
        if (b->sample_start.len && b->sample_start.items[i])
            buf_printf(&f->text, " start=%lld", (long long)(b->sample_start.items[i] / NS_PER_MS));
        if (b->sample_delta.len && b->sample_delta.items[i])
            buf_append_cstr(&f->text, " delta");
        buf_append_char(&f->text, '\n');
    }
    arena_free(arena);
}

static int decode(struct fixture *f, const char *json)
{
    diag_init(&f->diag);
    data_metric_batch_reset(f->batch);
    int err = decode_otlp_metrics(DECODE_OTLP_JSON, slice_cstr(json), &f->translation, f->scratch,
                                  f->batch, &f->result, &f->diag);
    print_batch(f);
    return err;
}

/* One metric of a resource with the attributes given. */
static void decode_metric(struct fixture *f, const char *resource, const char *metric)
{
    struct buf json = {0};
    buf_printf(&json,
               "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[%s]},\"scopeMetrics\":[{"
               "\"scope\":{\"name\":\"lib\",\"version\":\"1\",\"attributes\":[{\"key\":\"s.a\","
               "\"value\":{\"intValue\":\"7\"}}]},\"metrics\":[%s]}]}]}",
               resource, metric);
    int err = decode(f, buf_cstr(&json));
    if (err)
        fail_msg("%s", f->diag.msg);
    buf_deinit(&json);
}

#define ATTR(k, v) "{\"key\":\"" k "\",\"value\":{\"stringValue\":\"" v "\"}}"
#define SERVICE                                                                                    \
    ATTR("service.name", "shop")                                                                   \
    "," ATTR("service.namespace", "eu") "," ATTR("service.instance.id", "i-1")

static void assert_text(struct fixture *f, const char *want)
{
    assert_string_equal(buf_cstr(&f->text), want);
}

static void sums_and_gauges(void **state)
{
    struct fixture *f = *state;
    decode_metric(f, SERVICE,
                  "{\"name\":\"http.requests\",\"unit\":\"{request}\",\"description\":\"All.\","
                  "\"sum\":{\"dataPoints\":[{\"attributes\":[" ATTR("http.route", "/a") "," ATTR(
                      "Zone", "z") "],\"startTimeUnixNano\":\"1000000000\",\"timeUnixNano\":"
                                   "\"2000999999\",\"asInt\":\"5\"}],\"aggregationTemporality\":2,"
                                   "\"isMonotonic\":true}}");
    assert_text(f, "http_requests_total{Zone=\"z\", http_route=\"/a\", instance=\"i-1\", "
                   "job=\"eu/shop\"} 5 @2000 start=1000\n");
    assert_int_equal(f->result.items, 1);
    assert_int_equal(f->batch->metadata.len, 1);
    assert_int_equal(f->batch->metadata.items[0].type, DATA_METRIC_COUNTER);
    assert_true(slice_eq_cstr(f->batch->metadata.items[0].metric, "http_requests_total"));
    assert_true(slice_eq_cstr(f->batch->metadata.items[0].help, "All."));
    /* A gauge has no start; a number instead of a string; NaN and Infinity as words. */
    decode_metric(f, SERVICE,
                  "{\"name\":\"temp\",\"unit\":\"Cel\",\"gauge\":{\"dataPoints\":["
                  "{\"startTimeUnixNano\":1,\"timeUnixNano\":3000000000,\"asDouble\":\"Infinity\"},"
                  "{\"timeUnixNano\":\"4000000000\",\"asDouble\":1.5},"
                  "{\"timeUnixNano\":\"5000000000\",\"flags\":1}]}}");
    assert_text(f, "temp_celsius{instance=\"i-1\", job=\"eu/shop\"} inf @3000\n"
                   "temp_celsius{instance=\"i-1\", job=\"eu/shop\"} 1.5 @4000\n"
                   "temp_celsius{instance=\"i-1\", job=\"eu/shop\"} stale @5000\n");
    assert_true(slice_eq_cstr(f->batch->metadata.items[0].unit, "celsius"));
    /* Falls and rises: a gauge, without _total. Delta is marked. */
    decode_metric(f, "",
                  "{\"name\":\"queue\",\"sum\":{\"aggregationTemporality\":1,\"dataPoints\":["
                  "{\"startTimeUnixNano\":\"1000000000\",\"timeUnixNano\":\"2000000000\","
                  "\"asInt\":\"-3\"}]}}");
    assert_text(f, "queue -3 @2000 start=1000 delta\n");
    assert_int_equal(f->batch->metadata.items[0].type, DATA_METRIC_GAUGE);
}

static void target_info(void **state)
{
    struct fixture *f = *state;
    const char *gauge = "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":"
                        "\"1000000000\",\"asInt\":1},{\"timeUnixNano\":\"301000000000\","
                        "\"asInt\":1}]}}";
    decode_metric(f, SERVICE "," ATTR("host.name", "h"), gauge);
    assert_text(f, "g{instance=\"i-1\", job=\"eu/shop\"} 1 @1000\n"
                   "g{instance=\"i-1\", job=\"eu/shop\"} 1 @301000\n"
                   "target_info{host_name=\"h\", instance=\"i-1\", job=\"eu/shop\"} 1 @1000\n"
                   "target_info{host_name=\"h\", instance=\"i-1\", job=\"eu/shop\"} 1 @151000\n"
                   "target_info{host_name=\"h\", instance=\"i-1\", job=\"eu/shop\"} 1 @301000\n");
    /* Nothing to say, or nobody to say it of. */
    decode_metric(f, SERVICE, gauge);
    assert_null(strstr(buf_cstr(&f->text), "target_info"));
    decode_metric(f, ATTR("host.name", "h"), gauge);
    assert_null(strstr(buf_cstr(&f->text), "target_info"));
    f->translation.keep_identifying_resource_attributes = true;
    decode_metric(f, SERVICE "," ATTR("host.name", "h"), gauge);
    assert_non_null(strstr(buf_cstr(&f->text),
                           "target_info{host_name=\"h\", instance=\"i-1\", job=\"eu/shop\", "
                           "service_instance_id=\"i-1\", service_name=\"shop\", "
                           "service_namespace=\"eu\"} 1 @1000\n"));
}

static void promotion_and_scope(void **state)
{
    struct fixture *f = *state;
    const struct slice keys[] = {SLICE("host.name"), SLICE("a.b")};
    const char *gauge = "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"attributes\":[" ATTR(
        "a.b", "own") "," ATTR("job", "mine") "],\"timeUnixNano\":\"1000000000\",\"asInt\":1}]}}";
    f->translation.promote = keys;
    f->translation.promote_count = 2;
    f->translation.promote_scope_metadata = true;
    decode_metric(f, SERVICE "," ATTR("host.name", "h") "," ATTR("a.b", "resource's"), gauge);
    assert_non_null(strstr(buf_cstr(&f->text),
                           "g{a_b=\"own\", host_name=\"h\", instance=\"i-1\", job=\"eu/shop\", "
                           "otel_scope_name=\"lib\", otel_scope_s_a=\"7\", "
                           "otel_scope_version=\"1\"} 1 @1000\n"));
    assert_non_null(strstr(buf_cstr(&f->text),
                           "target_info{a_b=\"resource's\", host_name=\"h\", instance=\"i-1\", "
                           "job=\"eu/shop\"} 1 @1000\n"));
    const struct slice ignored[] = {SLICE("a.b")};
    f->translation.promote_count = 0;
    f->translation.promote_scope_metadata = false;
    f->translation.promote_all_resource_attributes = true;
    f->translation.ignore = ignored;
    f->translation.ignore_count = 1;
    decode_metric(f, ATTR("host.name", "h") "," ATTR("a.b", "x"),
                  "{\"name\":\"g\",\"gauge\":{"
                  "\"dataPoints\":[{\"timeUnixNano\":\"1000000000\",\"asInt\":1}]}}");
    assert_text(f, "g{host_name=\"h\"} 1 @1000\n");
}

static void attribute_values(void **state)
{
    struct fixture *f = *state;
    decode_metric(
        f, "",
        "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"attributes\":["
        "{\"key\":\"b\",\"value\":{\"boolValue\":true}},"
        "{\"key\":\"i\",\"value\":{\"intValue\":\"-7\"}},"
        "{\"key\":\"d\",\"value\":{\"doubleValue\":0.5}},"
        "{\"key\":\"n\",\"value\":{\"doubleValue\":\"NaN\"}},"
        "{\"key\":\"y\",\"value\":{\"bytesValue\":\"AQI=\"}},"
        "{\"key\":\"e\",\"value\":{}},{\"key\":\"__name__\",\"value\":{\"stringValue\":\"no\"}},"
        "{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":1},{\"stringValue\":"
        "\"x\"},{}]}}},"
        "{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{"
        "\"boolValue\":false}}]}}},"
        "{\"key\":\"x.y\",\"value\":{\"stringValue\":\"dot\"}},"
        "{\"key\":\"x_y\",\"value\":{\"stringValue\":\"line\"}},"
        "{\"key\":\"x-y\",\"value\":{\"stringValue\":\"dash\"}}"
        "],\"timeUnixNano\":\"1000000000\",\"asInt\":1}]}}");
    assert_text(f,
                "g{b=\"true\", d=\"0.5\", i=\"-7\", l=\"[1,\\\"x\\\",null]\", "
                "m=\"{\\\"k\\\":false}\", n=\"NaN\", x_y=\"dash;dot;line\", y=\"AQI=\"} 1 @1000\n");
}

static const char histogram[] =
    "{\"name\":\"lat\",\"unit\":\"s\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{"
    "\"startTimeUnixNano\":\"1000000000\",\"timeUnixNano\":\"2000000000\",\"count\":\"6\",\"sum\":"
    "9.5,\"bucketCounts\":[\"1\",2,\"3\"],\"explicitBounds\":[0.5,10],\"min\":0,\"max\":11,"
    "\"exemplars\":[{\"timeUnixNano\":\"1500000000\",\"asDouble\":7,\"traceId\":"
    "\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"eee19b7ec3c1b173\",\"filteredAttributes\":["
    "{\"key\":\"user\",\"value\":{\"stringValue\":\"u\"}}]},{\"asInt\":\"99\"}]}]}}";

static void explicit_histograms(void **state)
{
    struct fixture *f = *state;
    decode_metric(f, "", histogram);
    assert_text(f, "lat_seconds_sum 9.5 @2000 start=1000\n"
                   "lat_seconds_count 6 @2000 start=1000\n"
                   "lat_seconds_bucket{le=\"0.5\"} 1 @2000 start=1000\n"
                   "lat_seconds_bucket{le=\"10\"} 3 @2000 start=1000\n"
                   "lat_seconds_bucket{le=\"+Inf\"} 6 @2000 start=1000\n");
    assert_int_equal(f->batch->exemplars.len, 2);
    const struct data_batch_exemplar *e = f->batch->exemplars.items;
    assert_int_equal(e[0].series, 3);
    assert_int_equal(e[0].ts_ns, 1500 * NS_PER_MS);
    struct buf labels = {0};
    data_labels_print(e[0].labels, &labels);
    assert_string_equal(buf_cstr(&labels),
                        "{span_id=\"eee19b7ec3c1b173\", "
                        "trace_id=\"5b8efff798038103d269b633813fc60c\", user=\"u\"}");
    buf_deinit(&labels);
    assert_int_equal(e[1].series, 4);
    assert_int_equal(e[1].ts_ns, 2000 * NS_PER_MS);
    f->translation.convert_histograms_to_nhcb = true;
    decode_metric(f, "", histogram);
    assert_text(f, "lat_seconds h-53 c=6 s=9.5 z=0/0 0:3 1 2 3 <0.5 <10 @2000 start=1000\n");
    assert_int_equal(f->batch->exemplars.len, 2);
    /* Without buckets. */
    decode_metric(f, "",
                  "{\"name\":\"n\",\"histogram\":{\"aggregationTemporality\":1,"
                  "\"dataPoints\":[{\"timeUnixNano\":\"2000000000\",\"count\":\"6\"}]}}");
    assert_text(f, "n h-53 c=6 s=0 z=0/0 0:1 6 @2000 delta\n");
    f->translation.convert_histograms_to_nhcb = false;
    decode_metric(f, "",
                  "{\"name\":\"n\",\"histogram\":{\"aggregationTemporality\":1,"
                  "\"dataPoints\":[{\"timeUnixNano\":\"2000000000\",\"count\":\"6\"},"
                  "{\"timeUnixNano\":\"3000000000\",\"flags\":1,\"explicitBounds\":[1]}]}}");
    assert_text(f, "n_count 6 @2000 delta\nn_bucket{le=\"+Inf\"} 6 @2000 delta\n"
                   "n_sum stale @3000\nn_count stale @3000\nn_bucket{le=\"1\"} stale @3000\n"
                   "n_bucket{le=\"+Inf\"} stale @3000\n");
}

static void exponential_histograms(void **state)
{
    struct fixture *f = *state;
#define EXPONENTIAL(fields)                                                                        \
    "{\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{"     \
    "\"timeUnixNano\":\"2000000000\"," fields "}]}}"
    decode_metric(f, "",
                  EXPONENTIAL("\"count\":\"10\",\"sum\":3,\"scale\":3,\"zeroCount\":1,"
                              "\"zeroThreshold\":0.25,\"positive\":{\"offset\":-2,\"bucketCounts\":"
                              "[1,0,2,0,0,0,3]},\"negative\":{\"offset\":5,\"bucketCounts\":[3]}"));
    assert_text(f, "e h3 c=10 s=3 z=1/0.25 -1:3 3:1 1 0 2 3 -6:1 -3 @2000\n");
    /* Scale 20 comes down to 8: (offset + i) >> 12. */
    decode_metric(f, "",
                  EXPONENTIAL("\"count\":\"6\",\"scale\":20,\"positive\":{\"offset\":4095,"
                              "\"bucketCounts\":[\"1\",\"2\",\"3\"]}"));
    assert_text(f, "e h8 c=6 s=0 z=0/1e-128 1:2 1 5 @2000\n");
    decode_metric(f, "",
                  EXPONENTIAL("\"count\":\"2\",\"scale\":-4,\"positive\":{\"offset\":-1,"
                              "\"bucketCounts\":[2]}"));
    assert_text(f, "e h-4 c=2 s=0 z=0/1e-128 0:1 2 @2000\n");
    decode_metric(f, "", EXPONENTIAL("\"flags\":1"));
    assert_text(f, "e stale @2000\n");
    decode_metric(f, "", EXPONENTIAL("\"count\":\"2\",\"scale\":-5"));
    assert_text(f, "");
    assert_int_equal(f->result.refused_by[DECODE_OTLP_BAD_HISTOGRAM], 1);
    assert_non_null(strstr(f->result.first_refusal.msg, "scale is below -4"));
    decode_metric(f, "",
                  EXPONENTIAL("\"count\":\"1\",\"positive\":{\"offset\":2147483647,"
                              "\"bucketCounts\":[0,1]}"));
    assert_int_equal(f->result.refused_by[DECODE_OTLP_BAD_HISTOGRAM], 1);
}

static void summaries(void **state)
{
    struct fixture *f = *state;
    decode_metric(f, "",
                  "{\"name\":\"s\",\"summary\":{\"dataPoints\":[{\"timeUnixNano\":\"2000000000\","
                  "\"count\":\"4\",\"sum\":8,\"quantileValues\":[{\"quantile\":0.5,\"value\":2},"
                  "{\"quantile\":1,\"value\":3}]}]}}");
    assert_text(f, "s_sum 8 @2000\ns_count 4 @2000\ns{quantile=\"0.5\"} 2 @2000\n"
                   "s{quantile=\"1\"} 3 @2000\n");
    assert_int_equal(f->batch->metadata.items[0].type, DATA_METRIC_SUMMARY);
}

/* The bad point goes, the good one stays. */
static void refusals(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum decode_otlp_refusal reason;
        const char *metric;
    } cases[] = {
        {DECODE_OTLP_BAD_TIME, "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"asInt\":1}]}}"},
        {DECODE_OTLP_BAD_TIME, "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"asInt\":1,"
                               "\"timeUnixNano\":\"18446744073709551615\"}]}}"},
        {DECODE_OTLP_NO_VALUE,
         "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":1000000}]}}"},
        {DECODE_OTLP_BAD_NAME, "{\"name\":\"\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":"
                               "1000000,\"asInt\":1}]}}"},
        {DECODE_OTLP_BAD_TEMPORALITY, "{\"name\":\"g\",\"sum\":{\"dataPoints\":[{\"timeUnixNano\":"
                                      "1000000,\"asInt\":1}]}}"},
        {DECODE_OTLP_BAD_ATTRIBUTE,
         "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":1000000,\"asInt\":1,"
         "\"attributes\":[{\"value\":{\"intValue\":1}}]}]}}"},
        {DECODE_OTLP_BAD_HISTOGRAM,
         "{\"name\":\"h\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{"
         "\"timeUnixNano\":1000000,\"count\":1,\"bucketCounts\":[1],\"explicitBounds\":[1]}]}}"},
        {DECODE_OTLP_BAD_HISTOGRAM,
         "{\"name\":\"h\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{"
         "\"timeUnixNano\":1000000,\"count\":3,\"bucketCounts\":[1,1,1],\"explicitBounds\":[2,1]}]"
         "}}"},
        {DECODE_OTLP_BAD_HISTOGRAM,
         "{\"name\":\"h\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{"
         "\"timeUnixNano\":1000000,\"count\":1,\"bucketCounts\":[1,1],\"explicitBounds\":[2]}]}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf two = {0};
        buf_printf(&two,
                   "%s,{\"name\":\"good\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":"
                   "\"2000000000\",\"asInt\":1}]}}",
                   cases[i].metric);
        decode_metric(f, "", buf_cstr(&two));
        assert_text(f, "good 1 @2000\n");
        assert_int_equal(f->result.items, 2);
        assert_int_equal(f->result.refused, 1);
        assert_int_equal(f->result.refused_by[cases[i].reason], 1);
        assert_int_equal(f->result.first_refusal.code, ERR_INVALID);
        buf_deinit(&two);
    }
}

/* What a small request could grow to is bounded. */
static void bombs(void **state)
{
    struct fixture *f = *state;
    struct buf json = {0};
    buf_append_cstr(&json,
                    "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"2000000000\","
                    "\"asInt\":1,\"attributes\":[");
    for (int i = 0; i <= DECODE_OTLP_LABELS; i++)
        buf_printf(&json, "%s{\"key\":\"a.%d\",\"value\":{\"boolValue\":true}}", i ? "," : "", i);
    buf_append_cstr(&json, "]}]}}");
    decode_metric(f, "", buf_cstr(&json));
    assert_int_equal(f->result.refused_by[DECODE_OTLP_TOO_MANY], 1);
    buf_clear(&json);
    buf_append_cstr(&json, "{\"name\":\"h\",\"histogram\":{\"aggregationTemporality\":2,"
                           "\"dataPoints\":[{\"timeUnixNano\":\"2000000000\",\"explicitBounds\":[");
    for (int i = 0; i <= DECODE_OTLP_BUCKETS; i++)
        buf_printf(&json, "%s%d", i ? "," : "", i);
    buf_append_cstr(&json, "]}]}}");
    decode_metric(f, "", buf_cstr(&json));
    assert_int_equal(f->result.refused_by[DECODE_OTLP_TOO_MANY], 1);
    /* A long name of the service, repeated by every point. */
    buf_clear(&json);
    buf_append_cstr(&json, "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":"
                           "\"service.name\",\"value\":{\"stringValue\":\"");
    memset(buf_reserve(&json, 1 << 20), 'x', 1 << 20);
    json.len += 1 << 20;
    buf_append_cstr(&json, "\"}}]},\"scopeMetrics\":[{\"metrics\":[{\"name\":\"g\",\"gauge\":{"
                           "\"dataPoints\":[");
    for (int i = 0; i < 100; i++)
        buf_printf(&json, "%s{\"timeUnixNano\":\"2000000000\",\"asInt\":%d}", i ? "," : "", i);
    buf_append_cstr(&json, "]}}]}]}]}");
    assert_int_equal(decode(f, buf_cstr(&json)), 0);
    assert_in_range(f->result.refused_by[DECODE_OTLP_TOO_LARGE], 20, 40);
    assert_int_equal(f->batch->series.len, 100 - f->result.refused);
    buf_deinit(&json);
}

static void json_rules(void **state)
{
    struct fixture *f = *state;
    /* snake_case, unknown fields, enums by name, null, an empty request. */
    assert_int_equal(decode(f, "{\"resource_metrics\":[{\"later\":[1,{}],\"scope_metrics\":[{"
                               "\"scope\":null,\"metrics\":[{\"name\":\"n\",\"sum\":{"
                               "\"aggregationTemporality\":\"AGGREGATION_TEMPORALITY_DELTA\","
                               "\"isMonotonic\":true,\"data_points\":[{\"time_unix_nano\":\"1000000"
                               "\",\"asInt\":\"2\",\"attributes\":null}]}}]}]}]}"),
                     0);
    assert_text(f, "n_total 2 @1 delta\n");
    assert_int_equal(decode(f, "{}"), 0);
    assert_int_equal(f->result.items, 0);
    static const char *const bad[] = {
        "",
        "[]",
        "{\"resourceMetrics\":{}}",
        "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":1}]}]}]}",
        "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"sum\":{"
        "\"aggregationTemporality\":\"DELTA\"}}]}]}]}",
        "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{\"dataPoints\":[{"
        "\"asInt\":\"x\"}]}}]}]}]}",
        "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{\"dataPoints\":[{"
        "\"exemplars\":[{\"traceId\":\"W47/95gDgQPSabYzgT/GDA==\"}]}]}}]}]}]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(decode(f, bad[i]), ERR_INVALID);
        assert_non_null(strstr(f->diag.msg, "OTLP/JSON"));
    }
}

/* Fields in any order and repeated, unknown ones, text that is no UTF-8, damage. */
static void protobuf_rules(void **state)
{
    struct fixture *f = *state;
    struct buf b = {0};
    size_t resource = codec_pb_begin(&b, 1);
    codec_pb_put_varint(&b, 900, 3);
    size_t scope = codec_pb_begin(&b, 2), metric = codec_pb_begin(&b, 2);
    size_t gauge = codec_pb_begin(&b, 5), point = codec_pb_begin(&b, 1);
    size_t attribute = codec_pb_begin(&b, 7);
    size_t value = codec_pb_begin(&b, 2);
    codec_pb_put_bytes(&b, 1,
                       SLICE("a\xff"
                             "b"));
    codec_pb_end(&b, value);
    codec_pb_put_bytes(&b, 1, SLICE("k"));
    codec_pb_end(&b, attribute);
    codec_pb_put_key(&b, 6, CODEC_PB_FIXED64);
    codec_append64(&b, (uint64_t)-9);
    codec_pb_put_key(&b, 3, CODEC_PB_FIXED64);
    codec_append64(&b, 5 * NS_PER_SEC);
    codec_pb_end(&b, point);
    codec_pb_end(&b, gauge);
    codec_pb_put_bytes(&b, 1, SLICE("late.name"));
    codec_pb_end(&b, metric);
    codec_pb_end(&b, scope);
    size_t res = codec_pb_begin(&b, 1), attr = codec_pb_begin(&b, 1);
    codec_pb_put_bytes(&b, 1, SLICE("service.name"));
    value = codec_pb_begin(&b, 2);
    codec_pb_put_bytes(&b, 1, SLICE("late"));
    codec_pb_end(&b, value);
    codec_pb_end(&b, attr);
    codec_pb_end(&b, res);
    codec_pb_end(&b, resource);
    diag_init(&f->diag);
    assert_int_equal(decode_otlp_metrics(DECODE_OTLP_PROTOBUF, buf_slice(&b), &f->translation,
                                         f->scratch, f->batch, &f->result, &f->diag),
                     0);
    print_batch(f);
    assert_text(f, "late_name{job=\"late\", k=\"a\xef\xbf\xbd"
                   "b\"} -9 @5000\n");
    assert_int_equal(f->result.repaired_texts, 1);
    /* Cut anywhere it is damage, never a crash or half a request taken for whole. */
    for (size_t n = 1; n < b.len; n++) {
        data_metric_batch_reset(f->batch);
        diag_init(&f->diag);
        assert_int_equal(decode_otlp_metrics(DECODE_OTLP_PROTOBUF, slice_make(b.ptr, n),
                                             &f->translation, f->scratch, f->batch, &f->result,
                                             &f->diag),
                         ERR_INVALID);
        assert_non_null(strstr(f->diag.msg, "damaged protobuf"));
    }
    buf_deinit(&b);
}

static void answers(void **state)
{
    struct fixture *f = *state;
    struct decode_otlp_answer a;
    struct decode_otlp_stored stored = {0};
    decode_metric(f, "", "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"asInt\":1}]}}");
    decode_otlp_answer(DECODE_OTLP_METRICS, DECODE_OTLP_JSON, 0, NULL, &f->result, &stored, &a);
    assert_int_equal(a.http_status, 200);
    assert_int_equal(a.grpc_status, 0);
    assert_string_equal(
        buf_cstr(&a.body),
        "{\"partialSuccess\":{\"rejectedDataPoints\":\"1\",\"errorMessage\":\"1 of 1 data points "
        "refused (invalid_timestamp 1); the rest is stored. First: invalid_timestamp: metric "
        "\\\"g\\\": a point has no timeUnixNano\"}}");
    decode_otlp_answer_deinit(&a);
    memset(&f->result, 0, sizeof(f->result));
    decode_otlp_answer(DECODE_OTLP_METRICS, DECODE_OTLP_JSON, 0, NULL, &f->result, &stored, &a);
    assert_string_equal(buf_cstr(&a.body), "{}");
    decode_otlp_answer_deinit(&a);
    decode_otlp_answer(DECODE_OTLP_TRACES, DECODE_OTLP_PROTOBUF, 0, NULL, &f->result, &stored, &a);
    assert_int_equal(a.body.len, 0);
    decode_otlp_answer_deinit(&a);
    stored.err = ERR_NOSPACE;
    decode_otlp_answer(DECODE_OTLP_LOGS, DECODE_OTLP_JSON, 0, NULL, &f->result, &stored, &a);
    assert_int_equal(a.http_status, 503);
    assert_int_equal(a.grpc_status, 14);
    assert_int_equal(a.retry_after_s, 5);
    assert_non_null(strstr(buf_cstr(&a.body), "\"retryDelay\":\"5s\""));
    decode_otlp_answer_deinit(&a);
    diag_init(&f->diag);
    diag_set(&f->diag, ERR_INVALID, "broken");
    decode_otlp_answer(DECODE_OTLP_LOGS, DECODE_OTLP_PROTOBUF, ERR_INVALID, &f->diag, &f->result,
                       NULL, &a);
    assert_int_equal(a.http_status, 400);
    assert_int_equal(a.grpc_status, 3);
    assert_memory_equal(a.body.ptr,
                        "\x08\x03\x12\x06"
                        "broken",
                        a.body.len);
    decode_otlp_answer_deinit(&a);
}

static void content_types(void **state)
{
    (void)state;
    enum decode_otlp_encoding e;
    assert_int_equal(decode_otlp_content_type(SLICE("application/x-protobuf"), &e, NULL), 0);
    assert_int_equal(e, DECODE_OTLP_PROTOBUF);
    assert_int_equal(decode_otlp_content_type(SLICE("Application/JSON; charset=utf-8"), &e, NULL),
                     0);
    assert_int_equal(e, DECODE_OTLP_JSON);
    assert_int_equal(decode_otlp_content_type(SLICE("text/plain"), &e, NULL), ERR_UNSUPPORTED);
    assert_int_equal(decode_otlp_content_type(SLICE(""), &e, NULL), ERR_UNSUPPORTED);
    assert_int_equal(decode_otlp_content_type((struct slice){NULL, 0}, &e, NULL), ERR_UNSUPPORTED);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(sums_and_gauges),
        TEST(target_info),
        TEST(promotion_and_scope),
        TEST(attribute_values),
        TEST(explicit_histograms),
        TEST(exponential_histograms),
        TEST(summaries),
        TEST(refusals),
        TEST(bombs),
        TEST(json_rules),
        TEST(protobuf_rules),
        TEST(answers),
        TEST(content_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
