/* LogQL over the event store, and what Loki's push costs to decode.
 *
 *   bench_logql [rows] [dir] [query...]      defaults: 2000000 /tmp/bench_logql, those below
 *
 * The lines are JSON of about 300 bytes in 40 streams. First a push of 1,000 lines is decoded again
 * and again, as JSON and as protobuf; then the rows go through the store into parts, and queries
 * are asked of these, on one thread: CPU time of each, and how much text (unpacked) that is a
 * second. Ends by itself and removes its directory.
 *
 * With 0 rows what is in the directory is asked, as `bench_events json -40000000 DIR` leaves it, in
 * ranges of whole minutes, first with nothing of it in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "append.h"
#include "base/log.h"
#include "codec/compress.h"
#include "codec/pb.h"
#include "decode/loki/push.h"
#include "kit.h"
#include "lang/logql/run.h"
#include "os/os.h"
#include "os/pool.h"
#include "store/events.h"

#define BATCH   1000
#define STREAMS 40
#define STEP_NS (86400 * NS_PER_SEC / 10000000)

static const char *const services[] = {"checkout", "cart", "payment", "shipping", "frontend"};
static const char *const levels[] = {"info", "info", "info", "debug", "warn", "error"};
static const char *const messages[] = {
    "order accepted and queued for fulfilment", "cache miss, loading from the primary database",
    "payment authorised by the provider", "retrying the request after a transient failure",
    "session refreshed for returning customer"};

static size_t json_line(char *out, size_t n)
{
    uint64_t r = bench_rnd(), a = bench_rnd(), b = bench_rnd();
    return (size_t)sprintf(
        out,
        "{\"ts\":\"2026-01-02T03:04:05.%06dZ\",\"level\":\"%s\",\"service\":\"%s\","
        "\"pod\":\"%s-7c9f%u\",\"trace_id\":\"%016llx%016llx\",\"user_id\":%u,"
        "\"status\":%u,\"latency_ms\":%u.%02u,\"msg\":\"%s%s\"}",
        (int)(n % 1000000), levels[r % 6], services[r % 5], services[r % 5], (unsigned)(r >> 8) % 8,
        (unsigned long long)a, (unsigned long long)b, (unsigned)(r >> 16) % 100000,
        (r >> 24) % 50 ? 200u : 500u, (unsigned)(r >> 32) % 400, (unsigned)(r >> 48) % 100,
        messages[(r >> 20) % 5], n == 777777 ? " needle-in-a-haystack" : "");
}

/* --- decoding --- */

static void time_decode(const char *what, const char *type, struct slice body, size_t lines,
                        size_t text)
{
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    const struct decode_loki_request req = {.content_type = slice_cstr(type), .body = body};
    struct decode_loki_result r;
    struct buf scratch = {0};
    double best = 1e9;
    for (int i = 0; i < 200; i++) {
        double begin = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
        if (decode_loki_push(&req, &scratch, b, &r, NULL) || r.lines != lines)
            exit(1);
        double took = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - begin;
        best = took < best ? took : best;
        data_event_batch_reset(b);
    }
    printf("%-60s %8.0f k lines/s/core  %7.0f MB/s of lines\n", what, (double)lines / best / 1e3,
           (double)text / best / 1e6);
    buf_deinit(&scratch);
    data_event_batch_free(b);
}

static void bench_decode(void)
{
    struct buf json = {0}, plain = {0}, packed = {0};
    size_t text = 0;
    char line[1000];
    buf_append_cstr(&json,
                    "{\"streams\":[{\"stream\":{\"app\":\"shop\",\"pod\":\"a\"},\"values\":[");
    size_t stream = codec_pb_begin(&plain, 1);
    codec_pb_put_bytes(&plain, 1, SLICE("{app=\"shop\", pod=\"a\"}"));
    for (int i = 0; i < BATCH; i++) {
        size_t len = json_line(line, (size_t)i);
        text += len;
        buf_printf(&json, "%s[\"17000000000000%05d\",\"", i ? "," : "", i);
        for (size_t k = 0; k < len; k++) {
            if (line[k] == '"')
                buf_append_char(&json, '\\');
            buf_append_char(&json, line[k]);
        }
        buf_append_cstr(&json, "\"]");
        size_t entry = codec_pb_begin(&plain, 2), ts = codec_pb_begin(&plain, 1);
        codec_pb_put_varint(&plain, 1, 1700000000);
        codec_pb_put_varint(&plain, 2, (uint64_t)i);
        codec_pb_end(&plain, ts);
        codec_pb_put_bytes(&plain, 2, slice_make(line, len));
        codec_pb_end(&plain, entry);
    }
    buf_append_cstr(&json, "]}]}");
    codec_pb_end(&plain, stream);
    codec_compress(CODEC_SNAPPY, 0, buf_slice(&plain), &packed);
    time_decode("decode a push: JSON", "application/json", buf_slice(&json), BATCH, text);
    time_decode("decode a push: protobuf, snappy", "application/x-protobuf", buf_slice(&packed),
                BATCH, text);
    buf_deinit(&json);
    buf_deinit(&plain);
    buf_deinit(&packed);
}

/* --- queries --- */

static struct store *st;
static struct store_event_source *src;
static int64_t begin_ns, end_ns;
static uint64_t text_bytes;

static void fill(size_t rows)
{
    int64_t ts = begin_ns;
    for (size_t n = 0; n < rows;) {
        struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
        uint32_t streams[STREAMS];
        for (uint32_t i = 0; i < STREAMS; i++) {
            char pod[32];
            snprintf(pod, sizeof(pod), "%s-%u", services[i % 5], i);
            struct data_label l[] = {{SLICE("namespace"), SLICE("shop")},
                                     {SLICE("pod"), slice_cstr(pod)},
                                     {SLICE("service_name"), slice_cstr(services[i % 5])}};
            streams[i] = data_event_batch_add_stream(b, (struct data_labels){l, 3});
        }
        for (int i = 0; i < BATCH; i++, n++) {
            char line[1000];
            size_t len = json_line(line, n);
            ts += (int64_t)(bench_rnd() % (2 * STEP_NS));
            data_event_batch_add_row(b, streams[bench_rnd() % STREAMS], ts);
            data_event_put(b, DATA_EVENT_LINE,
                           data_value_string(data_event_batch_copy(b, slice_make(line, len))));
            data_event_put(b, DATA_EVENT_LEVEL,
                           data_value_string(slice_cstr(levels[bench_rnd() % 6])));
            text_bytes += len;
        }
        bench_append(st, src, b);
    }
    bench_append_wait();
    end_ns = ts + 1;
}

static int64_t step_ns; /* 0: a hundredth of the range */

static void ask(const char *text)
{
    struct arena *arena = arena_new(0, NULL);
    const struct logql_env env = {.source = src, .tenant = SLICE("default")};
    struct logql_expr *expr;
    struct logql_stats stats = {0};
    struct diag d;
    size_t found = 0;
    diag_init(&d);
    double cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID), wall = bench_clock_s(CLOCK_MONOTONIC);
    int err = logql_parse(slice_cstr(text), arena, &expr, &d);
    if (!err && logql_is_log(expr)) {
        const struct logql_select select = {.start_ns = begin_ns, .end_ns = end_ns, .limit = 1000};
        struct logql_streams lines;
        err = logql_select_run(expr, &select, &env, arena, &lines, &d);
        found = err ? 0 : lines.entry_count;
        stats = lines.stats;
    } else if (!err) {
        int64_t step = step_ns ? step_ns : (end_ns - begin_ns) / 100 + 1;
        const struct query_steps steps = {
            .start_ns = begin_ns + step, .end_ns = end_ns, .step_ns = step};
        const struct query_env qenv = {.tenant = SLICE("default"), .series_max = 1000000};
        struct query_plan *plan;
        struct query_result r = {0};
        err = logql_plan(expr, &steps, &env, arena, &plan, &stats, &d);
        if (!err)
            err = query_run(plan, &qenv, arena, &r, &d);
        found = r.series_count;
    }
    cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = bench_clock_s(CLOCK_MONOTONIC) - wall;
    if (err) {
        fprintf(stderr, "%s: %s\n", text, d.msg);
        exit(1);
    }
    printf("%-90s %6zu  %8.1f ms CPU %8.1f wall  %6.2f GB/s  %llu of %llu groups\n", text, found,
           cpu * 1e3, wall * 1e3, (double)text_bytes / cpu / 1e9,
           (unsigned long long)stats.scan.groups_opened, (unsigned long long)stats.scan.groups);
    logql_expr_free(expr);
    arena_free(arena);
}

/* What was filled before: by level and by label, all of it, and an id that is in one line. */
static void ask_directory(char **given, int given_count)
{
    static const char *const queries[] = {
        "sum by (detected_level) (count_over_time({namespace=\"shop\"}[1m]))",
        "sum by (service_name) (count_over_time({namespace=\"shop\"}[1m]))",
        "sum by (service_name, detected_level) (rate({namespace=\"shop\"}[1m]))",
        "sum by (service_name) (bytes_over_time({namespace=\"shop\"}[1m]))",
        "sum(count_over_time({namespace=\"shop\"} |= \"zq\" [1m]))",
        "sum by (user_id) (count_over_time({namespace=\"shop\"} | json | user_id=\"77777\" [1m]))",
    };
    struct store_event_source_stats stats;
    char id[100], by_field[100];
    src->ops->stats(src, &stats);
    begin_ns = stats.t_min_ns / (60 * NS_PER_SEC) * (60 * NS_PER_SEC);
    end_ns = (stats.t_max_ns / (60 * NS_PER_SEC) + 1) * (60 * NS_PER_SEC);
    text_bytes = stats.raw_bytes;
    step_ns = 60 * NS_PER_SEC;
    printf("%llu lines, %.2f GB in %llu parts\n", (unsigned long long)stats.rows,
           (double)text_bytes / 1e9, (unsigned long long)stats.parts);
    /* Neither is there. */
    snprintf(id, sizeof(id), "{namespace=\"shop\"} |= \"%016llx%016llx\"",
             (unsigned long long)bench_rnd(), (unsigned long long)bench_rnd());
    snprintf(by_field, sizeof(by_field), "{namespace=\"shop\"} | trace_id=\"%016llx%016llx\"",
             (unsigned long long)bench_rnd(), (unsigned long long)bench_rnd());
    for (int i = 0; i < given_count; i++)
        ask(given[i]);
    for (int warm = 0; warm < 2 && !given_count; warm++) {
        ask(id);
        ask(by_field);
        for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++)
            ask(queries[i]);
    }
}

int main(int argc, char **argv)
{
    size_t rows = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000000;
    const char *dir = argc > 2 ? argv[2] : "/tmp/bench_logql";
    static const char *const queries[] = {
        "{namespace=\"shop\"}",
        "{namespace=\"shop\"} |= \"needle-in-a-haystack\"",
        "{namespace=\"shop\"} |= \"zq\"",
        "sum(count_over_time({namespace=\"shop\"} |= \"zq\" [5m]))",
        "sum(count_over_time({namespace=\"shop\"} |= \"a\" [5m]))",
        "sum(count_over_time({namespace=\"shop\"} |~ \"fail[a-z]+e\" [5m]))",
        "sum(count_over_time({namespace=\"shop\"}[5m]))",
        "sum by (detected_level) (count_over_time({namespace=\"shop\"}[5m]))",
        "sum by (service_name) (rate({namespace=\"shop\"} | detected_level=\"error\" [5m]))",
        "sum by (pod) (bytes_over_time({namespace=\"shop\"}[5m]))",
        "sum by (status) (count_over_time({namespace=\"shop\"} | json [5m]))",
        "sum by (status) (count_over_time({namespace=\"shop\"} |= \"retrying\" | json [5m]))",
        "sum by (s) (count_over_time({namespace=\"shop\"} | json s=\"status\" [5m]))",
        "{namespace=\"shop\"} | json | status=500 and latency_ms > 399",
        ("quantile_over_time(0.99, {namespace=\"shop\"} | json | unwrap latency_ms [5m]) by "
         "(service)"),
        "sum(count_over_time({namespace=\"shop\"} | pattern `<_>\"status\":<s>,<_>` | s=500 [5m]))",
        "topk(5, sum by (user_id) (count_over_time({namespace=\"shop\"} | json [5m])))",
    };
    struct store_config config;
    struct diag d;
    char command[600];
    diag_init(&d);
    log_set_level(LOG_LEVEL_WARN);
    if (rows)
        bench_decode();
    else
        bench_evict(dir);
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    if (rows && system(command))
        return 1;
    store_config_init(&config);
    config.dir = dir;
    config.retention_logs_ns = INT64_MAX;
    config.future_ns = INT64_MAX;
    begin_ns = (int64_t)time(NULL) / 86400 * 86400 * NS_PER_SEC;
    struct task_pool *pool = os_pool_new(0);
    if (store_open(&config, os_real(), pool, &st, &d)) {
        fprintf(stderr, "%s\n", d.msg);
        return 1;
    }
    src = store_events(st, DATA_EVENT_LOGS);
    if (!rows) {
        ask_directory(argv + 3, argc - 3);
        store_close(st);
        os_pool_free(pool);
        return 0;
    }
    fill(rows);
    if (store_maintain(st, true, &d)) {
        fprintf(stderr, "%s\n", d.msg);
        return 1;
    }
    printf(
        "%zu lines, %.2f GB; queries on one thread: answer's lines or series, CPU, text a second\n",
        rows, (double)text_bytes / 1e9);
    for (int i = 3; i < argc; i++)
        ask(argv[i]);
    for (size_t i = 0; i < sizeof(queries) / sizeof(*queries) && argc < 4; i++)
        ask(queries[i]);
    store_close(st);
    os_pool_free(pool);
    return system(command) != 0;
}
