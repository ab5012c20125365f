/* How fast OTLP bodies become batches: items a second of one core's CPU time, for requests as SDKs
 * send them (512 spans with 10 attributes each, one in eight with an event; 512 log records with 6;
 * 512 points of counters with 5), in protobuf and JSON.
 *
 *     build/bench/bench_otlp                      the table
 *     build/bench/bench_otlp spans protobuf 1000  that many bodies, each other items, to standard
 *                                                 output: a length of 4 bytes, then the body
 *
 * bench/run_otlp sends those to a server. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/hex.h"
#include "codec/pb.h"
#include "decode/otlp/otlp.h"
#include "kit.h"

#define ITEMS  512
#define ROUNDS 400

/* --- one body in either encoding --- */

struct body {
    struct buf out;
    bool json;
    int first; /* number of the first item */
    int64_t time_ns;
};

static void put_text(struct body *b, uint32_t field, const char *name, const char *text)
{
    if (b->json)
        buf_printf(&b->out, "\"%s\":\"%s\",", name, text);
    else
        codec_pb_put_bytes(&b->out, field, slice_cstr(text));
}

static void put_fixed(struct body *b, uint32_t field, const char *name, int64_t v)
{
    if (b->json) {
        buf_printf(&b->out, "\"%s\":\"%lld\",", name, (long long)v);
    } else {
        codec_pb_put_key(&b->out, field, CODEC_PB_FIXED64);
        codec_append64(&b->out, (uint64_t)v);
    }
}

static void put_number(struct body *b, uint32_t field, const char *name, int64_t v)
{
    if (b->json)
        buf_printf(&b->out, "\"%s\":%lld,", name, (long long)v);
    else
        codec_pb_put_varint(&b->out, field, (uint64_t)v);
}

static void put_id(struct body *b, uint32_t field, const char *name, uint64_t v, size_t size)
{
    uint64_t id[2] = {v * UINT64_C(0x9e3779b97f4a7c15) + 1, v + 1};
    struct slice bytes = slice_make(id, size);
    if (b->json) {
        buf_printf(&b->out, "\"%s\":\"", name);
        codec_append_hex(&b->out, bytes);
        buf_append_cstr(&b->out, "\",");
    } else {
        codec_pb_put_bytes(&b->out, field, bytes);
    }
}

/* Begins a message; `many`: an item of an array. */
static size_t begin(struct body *b, uint32_t field, const char *name)
{
    if (!b->json)
        return codec_pb_begin(&b->out, field);
    if (name)
        buf_printf(&b->out, "\"%s\":", name);
    buf_append_char(&b->out, '{');
    return 0;
}

static void close_json(struct body *b, char with)
{
    if (b->out.len && b->out.ptr[b->out.len - 1] == ',')
        b->out.len--;
    buf_append_char(&b->out, with);
    buf_append_char(&b->out, ',');
}

static void end(struct body *b, size_t mark)
{
    if (b->json)
        close_json(b, '}');
    else
        codec_pb_end(&b->out, mark);
}

static void begin_list(struct body *b, const char *name)
{
    if (b->json)
        buf_printf(&b->out, "\"%s\":[", name);
}

static void end_list(struct body *b)
{
    if (b->json)
        close_json(b, ']');
}

static void put_attribute(struct body *b, uint32_t field, const char *key, const char *text,
                          int64_t number)
{
    size_t a = begin(b, field, NULL);
    put_text(b, 1, "key", key);
    size_t v = begin(b, 2, "value");
    if (text)
        put_text(b, 1, "stringValue", text);
    else
        put_number(b, 3, "intValue", number);
    end(b, v);
    end(b, a);
}

static void put_resource(struct body *b)
{
    static const char *const attributes[][2] = {
        {"service.name", "checkout"},
        {"service.namespace", "shop"},
        {"service.instance.id", "627cc493-f310-47de-96bd-71410b7dec09"},
        {"service.version", "2.14.3"},
        {"host.name", "ip-10-24-7-31.eu-central-1.compute.internal"},
        {"k8s.pod.name", "checkout-5d9f7c6b8-x2x9q"},
        {"telemetry.sdk.language", "dotnet"},
        {"telemetry.sdk.version", "1.12.0"}};
    size_t r = begin(b, 1, "resource");
    begin_list(b, "attributes");
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
        put_attribute(b, 1, attributes[i][0], attributes[i][1], 0);
    end_list(b);
    end(b, r);
}

static void put_scope(struct body *b)
{
    size_t s = begin(b, 1, "scope");
    put_text(b, 1, "name", "Microsoft.AspNetCore");
    put_text(b, 2, "version", "9.0.4");
    end(b, s);
}

static void put_span(struct body *b, int i)
{
    char text[64];
    size_t s = begin(b, 2, NULL);
    put_id(b, 1, "traceId", (uint64_t)i / 8, 16);
    put_id(b, 2, "spanId", (uint64_t)i, 8);
    if (i % 8)
        put_id(b, 4, "parentSpanId", (uint64_t)i / 8 * 8, 8);
    put_text(b, 5, "name", i % 3 ? "GET /api/v1/cart/{id}" : "SELECT orders");
    put_number(b, 6, "kind", i % 3 ? 2 : 3);
    put_fixed(b, 7, "startTimeUnixNano", b->time_ns + i * 1000);
    put_fixed(b, 8, "endTimeUnixNano", b->time_ns + i * 1000 + 1234567 + i * 77);
    begin_list(b, "attributes");
    put_attribute(b, 9, "http.request.method", "GET", 0);
    put_attribute(b, 9, "http.response.status_code", NULL, i % 50 ? 200 : 503);
    put_attribute(b, 9, "http.route", "/api/v1/cart/{id}", 0);
    snprintf(text, sizeof(text), "/api/v1/cart/%d", i * 7919);
    put_attribute(b, 9, "url.path", text, 0);
    put_attribute(b, 9, "url.scheme", "https", 0);
    put_attribute(b, 9, "server.address", "shop.example.com", 0);
    put_attribute(b, 9, "server.port", NULL, 8443);
    put_attribute(b, 9, "network.protocol.version", "1.1", 0);
    put_attribute(b, 9, "user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)", 0);
    snprintf(text, sizeof(text), "user-%d", i * 31 % 1000);
    put_attribute(b, 9, "enduser.id", text, 0);
    end_list(b);
    if (i % 8 == 0) {
        begin_list(b, "events");
        size_t e = begin(b, 11, NULL);
        put_fixed(b, 1, "timeUnixNano", b->time_ns + i * 1000 + 500);
        put_text(b, 2, "name", "cache.miss");
        begin_list(b, "attributes");
        put_attribute(b, 3, "cache.key", text, 0);
        end_list(b);
        end(b, e);
        end_list(b);
    }
    size_t status = begin(b, 15, "status");
    put_number(b, 3, "code", i % 50 ? 0 : 2);
    end(b, status);
    end(b, s);
}

static void put_log(struct body *b, int i)
{
    char text[200];
    size_t l = begin(b, 2, NULL);
    put_fixed(b, 1, "timeUnixNano", b->time_ns + i * 1000);
    put_fixed(b, 11, "observedTimeUnixNano", b->time_ns + i * 1000 + 100);
    put_number(b, 2, "severityNumber", i % 20 ? 9 : 17);
    put_text(b, 3, "severityText", i % 20 ? "Information" : "Error");
    size_t body = begin(b, 5, "body");
    snprintf(text, sizeof(text),
             "Order %d of user %d priced at %d.%02d EUR was handed to the shipping service",
             i * 7919, i * 31 % 1000, i % 500, i % 100);
    put_text(b, 1, "stringValue", text);
    end(b, body);
    begin_list(b, "attributes");
    put_attribute(b, 6, "{OriginalFormat}", "Order {id} of user {user} priced at {price}", 0);
    put_attribute(b, 6, "id", NULL, i * 7919);
    snprintf(text, sizeof(text), "user-%d", i * 31 % 1000);
    put_attribute(b, 6, "user", text, 0);
    put_attribute(b, 6, "EventId", NULL, 1042);
    put_attribute(b, 6, "ConnectionId", "0HN4V6C2S1QJK", 0);
    put_attribute(b, 6, "RequestPath", "/api/v1/orders", 0);
    end_list(b);
    put_id(b, 9, "traceId", (uint64_t)i / 4, 16);
    put_id(b, 10, "spanId", (uint64_t)i, 8);
    end(b, l);
}

/* Counters of 64 points each. */
static void put_metrics(struct body *b)
{
    for (int i = 0; i < ITEMS; i += 64) {
        char text[64];
        size_t m = begin(b, 2, NULL);
        snprintf(text, sizeof(text), "http.server.request.count%d", i);
        put_text(b, 1, "name", text);
        put_text(b, 3, "unit", "{request}");
        size_t sum = begin(b, 7, "sum");
        put_number(b, 2, "aggregationTemporality", 2);
        put_number(b, 3, "isMonotonic", 1);
        if (b->json) /* a boolean there */
            b->out.len -= 2, buf_append_cstr(&b->out, "true,");
        begin_list(b, "dataPoints");
        for (int k = 0; k < 64; k++) {
            size_t p = begin(b, 1, NULL);
            put_fixed(b, 2, "startTimeUnixNano", b->time_ns - NS_PER_SEC * 60);
            put_fixed(b, 3, "timeUnixNano", b->time_ns);
            put_fixed(b, 6, "asInt", i * 64 + k);
            begin_list(b, "attributes");
            snprintf(text, sizeof(text), "/api/v1/route-%d", k);
            put_attribute(b, 7, "http.route", text, 0);
            put_attribute(b, 7, "http.request.method", k % 2 ? "GET" : "POST", 0);
            put_attribute(b, 7, "http.response.status_code", NULL, 200);
            put_attribute(b, 7, "network.protocol.version", "1.1", 0);
            put_attribute(b, 7, "url.scheme", "https", 0);
            end_list(b);
            end(b, p);
        }
        end_list(b);
        end(b, sum);
        end(b, m);
    }
}

static void make(struct body *b, enum decode_otlp_signal signal, bool json)
{
    static const char *const names[][3] = {
        [DECODE_OTLP_METRICS] = {"resourceMetrics", "scopeMetrics", "metrics"},
        [DECODE_OTLP_LOGS] = {"resourceLogs", "scopeLogs", "logRecords"},
        [DECODE_OTLP_TRACES] = {"resourceSpans", "scopeSpans", "spans"}};
    b->json = json;
    buf_clear(&b->out);
    if (json)
        buf_append_char(&b->out, '{');
    begin_list(b, names[signal][0]);
    size_t resource = begin(b, 1, NULL);
    put_resource(b);
    begin_list(b, names[signal][1]);
    size_t scope = begin(b, 2, NULL);
    put_scope(b);
    begin_list(b, names[signal][2]);
    if (signal == DECODE_OTLP_METRICS)
        put_metrics(b);
    for (int i = 0; i < ITEMS && signal != DECODE_OTLP_METRICS; i++)
        (signal == DECODE_OTLP_LOGS ? put_log : put_span)(b, b->first + i);
    end_list(b);
    end(b, scope);
    end_list(b);
    end(b, resource);
    end_list(b);
    if (json) {
        close_json(b, '}');
        b->out.len--;
    }
}

/* --- measuring --- */

static const char *const signal_names[] = {
    [DECODE_OTLP_METRICS] = "metrics", [DECODE_OTLP_LOGS] = "logs", [DECODE_OTLP_TRACES] = "spans"};

static int run(enum decode_otlp_signal signal, const struct body *b)
{
    struct decode_otlp_scratch *scratch = decode_otlp_scratch_new();
    struct data_metric_batch *metrics = data_metric_batch_new(SLICE("default"));
    struct data_event_batch *logs = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    struct data_event_batch *spans = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
    enum decode_otlp_encoding encoding = b->json ? DECODE_OTLP_JSON : DECODE_OTLP_PROTOBUF;
    struct slice body = buf_slice(&b->out);
    struct decode_otlp_translation translation;
    struct decode_otlp_result result;
    struct diag diag;
    double best = INFINITY;
    int err = 0;
    diag_init(&diag);
    decode_otlp_translation_defaults(&translation);
    for (int i = 0; i < ROUNDS && !err; i++) {
        double from = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
        switch (signal) {
        case DECODE_OTLP_METRICS:
            data_metric_batch_reset(metrics);
            err =
                decode_otlp_metrics(encoding, body, &translation, scratch, metrics, &result, &diag);
            break;
        case DECODE_OTLP_LOGS:
            data_event_batch_reset(logs);
            err = decode_otlp_logs(encoding, body, 1, scratch, logs, &result, &diag);
            break;
        case DECODE_OTLP_TRACES:
            data_event_batch_reset(spans);
            err = decode_otlp_spans(encoding, body, scratch, spans, &result, &diag);
            break;
        }
        best = MIN(best, bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - from);
    }
    if (err || result.items != ITEMS || result.refused) {
        fprintf(stderr, "%s: %zu items, %zu refused: %s\n", signal_names[signal], result.items,
                result.refused, diag.msg);
        return 1;
    }
    printf("%-8s %-9s %7.0f ns an item  %6.2f M items/s  %5.0f MB/s  (%zu bytes an item)\n",
           signal_names[signal], b->json ? "JSON" : "protobuf", best * 1e9 / ITEMS,
           ITEMS / best / 1e6, (double)body.len / best / 1e6, body.len / ITEMS);
    data_metric_batch_free(metrics);
    data_event_batch_free(logs);
    data_event_batch_free(spans);
    decode_otlp_scratch_free(scratch);
    return 0;
}

/* Bodies for a load generator, an hour ago and on. */
static void write_bodies(struct body *b, enum decode_otlp_signal signal, bool json, int count)
{
    b->time_ns = ((int64_t)time(NULL) - 3600) * NS_PER_SEC;
    for (int i = 0; i < count; i++) {
        b->first = i * ITEMS;
        b->time_ns += NS_PER_SEC / 2;
        make(b, signal, json);
        uint32_t len = (uint32_t)b->out.len;
        fwrite(&len, 1, sizeof(len), stdout);
        fwrite(b->out.ptr, 1, b->out.len, stdout);
    }
}

int main(int argc, char **argv)
{
    struct body b = {.time_ns = INT64_C(1790000000000000000)};
    int status = 0;
    for (int s = 0; s < 3; s++) {
        for (int json = 0; json < 2; json++) {
            if (argc == 4) {
                if (strcmp(argv[1], signal_names[s]) == 0 && json == (strcmp(argv[2], "json") == 0))
                    write_bodies(&b, (enum decode_otlp_signal)s, json, atoi(argv[3]));
                continue;
            }
            make(&b, (enum decode_otlp_signal)s, json);
            status |= run((enum decode_otlp_signal)s, &b);
        }
    }
    buf_deinit(&b.out);
    return status;
}
