/* The event store alone, without sockets and decoding: log lines, or spans, through
 * store_append_events in batches of 1,000, durably acknowledged, on the real disk; then what
 * queries ask.
 *
 *   bench_events [json|text|plain|logfmt|syslog|stacks|ids|spans] [rows] [dir]      defaults: json
 * 4000000 /tmp/bench_events bench_events json 0 dir           asks what is there; with -rows it is
 * left there
 *
 * json: application logs of about 300 bytes with two random ids, a latency and a user in each line;
 *  text: access logs of about 230 bytes; plain: json without the ids; logfmt: of a Go server;
 * syslog: as sshd, cron and the kernel write; stacks: Java's exceptions and the lines between them;
 * ids: json, and every line in a stream of its own. 40 streams, 10 million rows a day. Prints CPU
 * and wall time a row, bytes on disk a row and as a share of the text, and the time and CPU of
 * queries. Ends by itself and removes its directory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "append.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/hex.h"
#include "kit.h"
#include "os/os.h"
#include "os/pool.h"
#include "store/events.h"

#define BATCH   1000
#define STREAMS 40
#define STEP_NS (86400 * NS_PER_SEC / 10000000)

static const char *const services[] = {"checkout", "cart", "payment", "shipping", "frontend"};
static const char *const messages[] = {
    "order accepted and queued for fulfilment", "cache miss, loading from the primary database",
    "payment authorised by the provider", "retrying the request after a transient failure",
    "session refreshed for returning customer"};
static const char *const paths[] = {
    "/", "/api/v1/cart", "/api/v1/orders", "/static/app.js", "/healthz", "/api/v1/products/search"};
static char needle[40];

static void hex(char *out, size_t bytes)
{
    uint64_t r[2] = {bench_rnd(), bench_rnd()};
    codec_hex_to_text(slice_make(r, bytes), out);
    out[bytes * 2] = '\0';
}

static enum data_event_level level_of(uint64_t r)
{
    return r % 100 < 80   ? DATA_LEVEL_INFO
           : r % 100 < 95 ? DATA_LEVEL_DEBUG
           : r % 100 < 99 ? DATA_LEVEL_WARN
                          : DATA_LEVEL_ERROR;
}

static size_t json_line(char *out, int64_t ts, enum data_event_level level, size_t n)
{
    char trace[40], span[20];
    hex(trace, 16);
    hex(span, 8);
    if (n == 777777)
        snprintf(needle, sizeof(needle), "%s", trace);
    uint64_t r = bench_rnd();
    time_t s = (time_t)(ts / NS_PER_SEC);
    struct tm tm;
    gmtime_r(&s, &tm);
    return (size_t)sprintf(
        out,
        "{\"ts\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\",\"level\":\"%s\",\"service\":\"%s\","
        "\"pod\":\"%s-7c9f%u\",\"trace_id\":\"%s\",\"span_id\":\"%s\",\"user_id\":%u,"
        "\"latency_ms\":%u.%02u,\"msg\":\"%s\"}",
        tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
        (int)(ts % NS_PER_SEC / 1000), data_event_level_name(level).ptr, services[r % 5],
        services[r % 5], (unsigned)(r >> 8) % 8, trace, span, (unsigned)(r >> 16) % 100000,
        (unsigned)(r >> 32) % 400, (unsigned)(r >> 48) % 100, messages[(r >> 20) % 5]);
}

static size_t text_line(char *out, int64_t ts, size_t n)
{
    uint64_t r = bench_rnd();
    time_t s = (time_t)(ts / NS_PER_SEC);
    struct tm tm;
    char when[40];
    gmtime_r(&s, &tm);
    strftime(when, sizeof(when), "%d/%b/%Y:%H:%M:%S +0000", &tm);
    if (n == 777777)
        snprintf(needle, sizeof(needle), "\"GET /needle-in-a-haystack ");
    return (size_t)sprintf(
        out,
        "10.%u.%u.%u - - [%s] \"GET %s HTTP/1.1\" %u %u \"https://shop.example/%s\" "
        "\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%u.0.0.0 "
        "Safari/537.36\" %u.%03u",
        (unsigned)r % 4, (unsigned)(r >> 8) % 16, (unsigned)(r >> 16) % 256, when,
        n == 777777 ? "/needle-in-a-haystack" : paths[(r >> 24) % 6], (r >> 32) % 50 ? 200u : 404u,
        (unsigned)(r >> 34) % 9000, services[(r >> 50) % 5], 100 + (unsigned)(r >> 53) % 20,
        (unsigned)(r >> 58) % 3, (unsigned)(r >> 40) % 1000);
}

static size_t plain_line(char *out, int64_t ts, enum data_event_level level)
{
    uint64_t r = bench_rnd();
    time_t s = (time_t)(ts / NS_PER_SEC);
    struct tm tm;
    gmtime_r(&s, &tm);
    return (size_t)sprintf(
        out,
        "{\"ts\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\",\"level\":\"%s\",\"service\":\"%s\","
        "\"pod\":\"%s-7c9f%u\",\"user_id\":%u,\"method\":\"GET\",\"path\":\"%s\",\"status\":%u,"
        "\"latency_ms\":%u.%02u,\"msg\":\"%s\"}",
        tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
        (int)(ts % NS_PER_SEC / 1000000), data_event_level_name(level).ptr, services[r % 5],
        services[r % 5], (unsigned)(r >> 8) % 8, (unsigned)(r >> 16) % 100000, paths[(r >> 24) % 6],
        (r >> 34) % 50 ? 200u : 500u, (unsigned)(r >> 32) % 400, (unsigned)(r >> 48) % 100,
        messages[(r >> 20) % 5]);
}

static size_t logfmt_line(char *out, int64_t ts, enum data_event_level level)
{
    uint64_t r = bench_rnd();
    time_t s = (time_t)(ts / NS_PER_SEC);
    struct tm tm;
    gmtime_r(&s, &tm);
    return (size_t)sprintf(
        out,
        "time=%04d-%02d-%02dT%02d:%02d:%02d.%09dZ level=%s caller=%s.go:%u msg=\"%s\" method=GET "
        "path=%s status=%u duration=%u.%06ums bytes=%u remote=10.2.%u.%u:%u",
        tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
        (int)(ts % NS_PER_SEC), data_event_level_name(level).ptr, services[r % 5],
        10 + (unsigned)(r >> 8) % 30 * 7, messages[(r >> 20) % 5], paths[(r >> 24) % 6],
        (r >> 34) % 50 ? 200u : 500u, (unsigned)(r >> 32) % 40, (unsigned)(r >> 40) % 1000000,
        (unsigned)(r >> 16) % 20000, (unsigned)(r >> 44) % 16, (unsigned)(r >> 52) % 256,
        1024 + (unsigned)(r >> 28) % 60000);
}

static size_t syslog_line(char *out, int64_t ts)
{
    static const char *const users[] = {"root", "deploy", "backup", "alice", "postgres"};
    uint64_t r = bench_rnd();
    time_t s = (time_t)(ts / NS_PER_SEC);
    struct tm tm;
    char when[40];
    gmtime_r(&s, &tm);
    strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm);
    switch (r % 4) {
    case 0:
        return (size_t)sprintf(
            out, "%s web-%u sshd[%u]: Accepted publickey for %s from 10.3.%u.%u port %u ssh2", when,
            (unsigned)(r >> 8) % 12, 300 + (unsigned)(r >> 16) % 30000, users[(r >> 24) % 5],
            (unsigned)(r >> 28) % 4, (unsigned)(r >> 32) % 256, 1024 + (unsigned)(r >> 40) % 60000);
    case 1:
        return (size_t)sprintf(
            out, "%s web-%u sshd[%u]: pam_unix(sshd:session): session closed for user %s", when,
            (unsigned)(r >> 8) % 12, 300 + (unsigned)(r >> 16) % 30000, users[(r >> 24) % 5]);
    case 2:
        return (size_t)sprintf(
            out, "%s web-%u CRON[%u]: (%s) CMD (/usr/local/bin/job-%u >/dev/null 2>&1)", when,
            (unsigned)(r >> 8) % 12, 300 + (unsigned)(r >> 16) % 30000, users[(r >> 24) % 5],
            (unsigned)(r >> 32) % 9);
    default:
        return (size_t)sprintf(out,
                               "%s web-%u kernel: [%u.%06u] TCP: request_sock_TCP: Possible SYN "
                               "flooding on port %u. Sending cookies.",
                               when, (unsigned)(r >> 8) % 12, (unsigned)(ts / NS_PER_SEC % 1000000),
                               (unsigned)(ts % NS_PER_SEC / 1000), 80 + (unsigned)(r >> 40) % 3);
    }
}

static size_t stack_line(char *out, int64_t ts)
{
    static const char *const errors[] = {
        "java.lang.NullPointerException: Cannot invoke \"Order.getId()\"",
        "java.net.SocketTimeoutException: Read timed out after",
        "java.sql.SQLException: deadlock, waited", "com.shop.NotFound: no such order"};
    uint64_t r = bench_rnd();
    time_t s = (time_t)(ts / NS_PER_SEC);
    struct tm tm;
    char when[40];
    gmtime_r(&s, &tm);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    size_t len = (size_t)sprintf(
        out, "%s,%03d %s [worker-%u] com.shop.%s - %s %u", when, (int)(ts % NS_PER_SEC / 1000000),
        r % 3 ? "INFO" : "ERROR", (unsigned)(r >> 8) % 16, services[(r >> 12) % 5],
        r % 3 ? messages[(r >> 16) % 5] : errors[(r >> 16) % 4], (unsigned)(r >> 20) % 5000);
    for (unsigned i = 0; r % 3 == 0 && i < 6 + (r >> 18) % 4; i++)
        len += (size_t)sprintf(out + len, "\n\tat com.shop.%s.Service.call%u(Service.java:%u)",
                               services[(r >> 24) % 5], i, 20 + i * 31 + (unsigned)(r >> 28) % 3);
    return len;
}

static size_t one_line(const char *kind, char *out, int64_t ts, enum data_event_level level,
                       size_t n)
{
    if (strcmp(kind, "text") == 0)
        return text_line(out, ts, n);
    if (strcmp(kind, "plain") == 0)
        return plain_line(out, ts, level);
    if (strcmp(kind, "logfmt") == 0)
        return logfmt_line(out, ts, level);
    if (strcmp(kind, "syslog") == 0)
        return syslog_line(out, ts);
    if (strcmp(kind, "stacks") == 0)
        return stack_line(out, ts);
    return json_line(out, ts, level, n);
}

static char trace_now[16];

/* Traces of about a dozen spans, ten attributes. */
static void put_span(struct data_event_batch *b, size_t n, const uint32_t *f)
{
    static char span_now[8], root[8];
    uint64_t r = bench_rnd(), id = bench_rnd();
    if (n % 12 == 0) {
        uint64_t t[2] = {bench_rnd(), bench_rnd()};
        memcpy(trace_now, t, 16);
        memcpy(root, &id, 8);
    } else {
        data_event_put(
            b, DATA_EVENT_PARENT_ID,
            data_value_bytes(data_event_batch_copy(b, slice_make(r % 3 ? root : span_now, 8))));
    }
    memcpy(span_now, &id, 8);
    if (n == 777777)
        memcpy(needle, trace_now, 16);
    data_event_put(b, DATA_EVENT_TRACE_ID,
                   data_value_bytes(data_event_batch_copy(b, slice_make(trace_now, 16))));
    data_event_put(b, DATA_EVENT_SPAN_ID,
                   data_value_bytes(data_event_batch_copy(b, slice_make(span_now, 8))));
    data_event_put(b, DATA_EVENT_NAME, data_value_string(slice_cstr(paths[(r >> 8) % 6])));
    data_event_put(b, DATA_EVENT_KIND, data_value_int(1 + (int64_t)(r >> 12) % 4));
    data_event_put(b, DATA_EVENT_STATUS, data_value_int((r >> 16) % 50 ? 0 : 2));
    data_event_put(b, DATA_EVENT_DURATION, data_value_int(1000 + (int64_t)(r >> 20) % 4000000));
    data_event_put(b, f[0], data_value_int((r >> 44) % 50 ? 200 : 500));
    data_event_put(b, f[1], data_value_string(slice_cstr(paths[(r >> 8) % 6])));
    data_event_put(b, f[2], data_value_string(SLICE("GET")));
    data_event_put(b, f[3], data_value_string(slice_cstr(services[(r >> 50) % 5])));
    data_event_put(b, f[4], data_value_int((int64_t)(r >> 30) % 100000));
}

struct generator {
    enum data_event_table table;
    const char *kind;
    bool ids;
    size_t n;
    int64_t ts;
    uint64_t text_bytes;
};

static struct data_event_batch *generate(struct generator *g)
{
    struct data_event_batch *b = data_event_batch_new(g->table, SLICE("default"));
    uint32_t streams[STREAMS], f[5];
    static const char *const names[] = {"http.status_code", "http.route", "http.method",
                                        "peer.service", "user.id"};
    for (int i = 0; i < 5; i++)
        f[i] = data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, slice_cstr(names[i]));
    for (uint32_t i = 0; i < STREAMS; i++) {
        char pod[32];
        snprintf(pod, sizeof(pod), "%s-%u", services[i % 5], i);
        struct data_label l[] = {{SLICE("namespace"), SLICE("shop")},
                                 {SLICE("pod"), slice_cstr(pod)},
                                 {SLICE("service_name"), slice_cstr(services[i % 5])}};
        streams[i] = data_event_batch_add_stream(b, (struct data_labels){l, 3});
    }
    for (int i = 0; i < BATCH; i++, g->n++) {
        char line[2000];
        g->ts += (int64_t)(bench_rnd() % (2 * STEP_NS));
        uint32_t stream = streams[bench_rnd() % STREAMS];
        if (g->ids) {
            char id[40];
            hex(id, 16);
            struct data_label l[] = {{SLICE("namespace"), SLICE("shop")},
                                     {SLICE("request_id"), slice_cstr(id)}};
            stream = data_event_batch_add_stream(b, (struct data_labels){l, 2});
        }
        data_event_batch_add_row(b, stream, g->ts);
        if (g->table == DATA_EVENT_SPANS) {
            put_span(b, g->n, f);
            continue;
        }
        enum data_event_level level = level_of(bench_rnd());
        size_t len = one_line(g->kind, line, g->ts, level, g->n);
        data_event_put(b, DATA_EVENT_LINE,
                       data_value_string(data_event_batch_copy(b, slice_make(line, len))));
        data_event_put(b, DATA_EVENT_LEVEL, data_value_string(data_event_level_name(level)));
        g->text_bytes += len;
    }
    return b;
}

static struct store *st;
static struct store_event_source *src;

static void query(const char *what, const struct store_event_scan *scan, bool ordered,
                  uint64_t text_bytes)
{
    struct store_event_cursor *c;
    struct store_event_chunk chunk = {0};
    struct store_event_stats stats;
    struct diag d;
    diag_init(&d);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    double wall = bench_clock_s(CLOCK_MONOTONIC), cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
    size_t rows = 0;
    if (src->ops->scan(src, scan, &c, &d))
        exit(1);
    if (ordered) {
        do {
            if (src->ops->next(c, &chunk, &d))
                exit(1);
            rows += chunk.count;
        } while (chunk.count && !(scan->limit && rows >= scan->limit));
    } else {
        for (size_t i = 0; i < src->ops->morsel_count(c); i++) {
            if (src->ops->morsel_read(c, i, &chunk, &d))
                exit(1);
            rows += chunk.count;
        }
    }
    wall = bench_clock_s(CLOCK_MONOTONIC) - wall;
    cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    getrusage(RUSAGE_SELF, &after);
    src->ops->cursor_stats(c, &stats);
    src->ops->close(c);
    store_event_chunk_free(&chunk);
    printf("%-34s %8zu rows  %8.1f ms wall %8.1f ms CPU  %llu of %llu groups opened", what, rows,
           wall * 1e3, cpu * 1e3, (unsigned long long)stats.groups_opened,
           (unsigned long long)stats.groups);
    if (text_bytes)
        printf("  %.2f GB/s of text", (double)text_bytes / cpu / 1e9);
    if (after.ru_inblock > before.ru_inblock)
        printf("  %.1f MB read, %ld times waited for",
               (double)(after.ru_inblock - before.ru_inblock) * 512 / 1e6,
               after.ru_majflt - before.ru_majflt);
    printf("\n");
}

static struct store_event_scan everything(void)
{
    return (struct store_event_scan){
        .select = {.tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX}};
}

static void contains(const char *what, const char *text, size_t limit, uint64_t bytes)
{
    struct store_event_predicate p = {.op = STORE_EVENT_CONTAINS,
                                      .field = STORE_EVENT_INTRINSIC(DATA_EVENT_LINE),
                                      .value = data_value_string(slice_cstr(text))};
    struct store_event_clause clause = {&p, 1};
    struct store_event_field line = p.field;
    struct store_event_scan s = everything();
    s.clauses = &clause;
    s.clause_count = 1;
    s.limit = limit;
    if (limit) {
        s.fields = &line;
        s.field_count = 1;
    }
    query(what, &s, limit > 0, bytes);
}

static void counts(void)
{
    struct arena *arena = arena_new(0, NULL);
    struct store_event_scan s = everything();
    struct store_event_counts out;
    double cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
    for (int by_stream = 0; by_stream < 2; by_stream++) {
        src->ops->counts(src, &s.select, 60 * NS_PER_SEC, by_stream, true, arena, &out, NULL);
        printf("%-34s %8zu counts %7.1f ms CPU\n",
               by_stream ? "count by stream, level and minute" : "count by level and minute",
               out.count, (bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3);
        cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
    }
    arena_free(arena);
}

/* A trace id out of the middle, when the rows were not made just now. */
static void find_needle(void)
{
    struct store_event_source_stats stats;
    struct store_event_field line = STORE_EVENT_INTRINSIC(DATA_EVENT_LINE);
    struct store_event_scan s = everything();
    struct store_event_cursor *c;
    struct store_event_chunk chunk = {0};
    src->ops->stats(src, &stats);
    s.select.t_min_ns = stats.t_min_ns / 2 + stats.t_max_ns / 2;
    s.order = STORE_EVENT_OLDEST_FIRST;
    s.limit = s.field_count = 1;
    s.fields = &line;
    if (src->ops->scan(src, &s, &c, NULL) || src->ops->next(c, &chunk, NULL) || !chunk.count)
        exit(1);
    struct slice text = chunk.columns[0].values[0].text, key = SLICE("\"trace_id\":\"");
    ptrdiff_t at = slice_find(text, key);
    if (at >= 0)
        snprintf(needle, sizeof(needle), "%.32s", text.ptr + at + key.len);
    src->ops->close(c);
    store_event_chunk_free(&chunk);
}

/* One stream of very many, by the label that tells it apart; and all of them, of which one row is
 * taken. */
static void ask_streams(void)
{
    struct store_event_source_stats stats;
    struct store_event_scan s = everything();
    struct store_event_cursor *c;
    struct store_event_chunk chunk = {0};
    char id[40] = "";
    src->ops->stats(src, &stats);
    s.select.t_min_ns = stats.t_min_ns / 2 + stats.t_max_ns / 2;
    s.order = STORE_EVENT_OLDEST_FIRST;
    s.limit = 1;
    if (src->ops->scan(src, &s, &c, NULL) || src->ops->next(c, &chunk, NULL) || !chunk.count)
        exit(1);
    struct slice v = data_labels_get(chunk.streams[chunk.stream[0]].labels, SLICE("request_id"));
    snprintf(id, sizeof(id), "%.*s", SLICE_FMT(v));
    src->ops->close(c);
    store_event_chunk_free(&chunk);
    struct store_matcher m = {STORE_MATCH_EQ, SLICE("request_id"), slice_cstr(id), NULL};
    s = everything();
    s.select.matchers = &m;
    s.select.matcher_count = 1;
    query("one stream of all", &s, true, 0);
    m = (struct store_matcher){STORE_MATCH_EQ, SLICE("request_id"), SLICE("none"), NULL};
    query("a stream that is not there", &s, true, 0);
    m = (struct store_matcher){STORE_MATCH_EQ, SLICE("namespace"), SLICE("shop"), NULL};
    s.limit = 1;
    query("all streams, the newest row", &s, true, 0);
}

static void ask_logs(const struct generator *g)
{
    if (g->ids) {
        ask_streams();
        return;
    }
    contains("needle, cold", needle[0] ? needle : "no-needle-in-here", 100, 0);
    contains("needle, warm", needle[0] ? needle : "no-needle-in-here", 100, 0);
    contains("rare text, all scanned", "zq", 0, g->text_bytes);
    contains("frequent text, all counted", "a", 0, g->text_bytes);
    contains("newest 1,000 with frequent text", "a", 1000, 0);
    struct store_event_field fields[] = {STORE_EVENT_INTRINSIC(DATA_EVENT_LINE),
                                         STORE_EVENT_INTRINSIC(DATA_EVENT_LEVEL)};
    struct store_event_scan s = everything();
    s.limit = 1000;
    s.fields = fields;
    s.field_count = 2;
    query("newest 1,000", &s, true, 0);
    struct store_matcher m = {STORE_MATCH_EQ, SLICE("pod"), SLICE("cart-1"), NULL};
    s.select.matchers = &m;
    s.select.matcher_count = 1;
    query("newest 1,000 of one stream", &s, true, 0);
    s.limit = 0;
    s.field_count = 1;
    query("one stream whole, with lines", &s, false, 0);
    struct store_event_predicate p = {.op = STORE_EVENT_EQ,
                                      .field = STORE_EVENT_INTRINSIC(DATA_EVENT_LEVEL),
                                      .value = data_value_string(SLICE("error"))};
    struct store_event_clause clause = {&p, 1};
    s = everything();
    s.clauses = &clause;
    s.clause_count = 1;
    query("level = error, counted", &s, false, 0);
    counts();
}

static void ask_spans(void)
{
    struct store_event_chunk chunk = {0};
    struct store_event_scan s = everything();
    struct slice id = slice_make(needle, 16);
    struct diag d;
    diag_init(&d);
    s.all_fields = true;
    for (int i = 0; i < 2; i++) {
        double cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
        if (src->ops->traces(src, &id, 1, &s, &chunk, &d))
            exit(1);
        printf("%-34s %8zu spans %8.2f ms CPU\n", "trace by id", chunk.count,
               (bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3);
    }
    store_event_chunk_free(&chunk);
    s.all_fields = false;
    struct store_event_predicate p = {
        .op = STORE_EVENT_GE,
        .field = {.scopes = STORE_SCOPES_FIELDS, .name = SLICE("http.status_code")},
        .value = data_value_int(500)};
    struct store_event_clause clause = {&p, 1};
    s.clauses = &clause;
    s.clause_count = 1;
    query("http.status_code >= 500, counted", &s, false, 0);
    p = (struct store_event_predicate){.op = STORE_EVENT_GT,
                                       .field = STORE_EVENT_INTRINSIC(DATA_EVENT_DURATION),
                                       .value = data_value_int(3990000)};
    query("duration > 3.99 ms, counted", &s, false, 0);
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "json";
    long given = argc > 2 ? strtol(argv[2], NULL, 10) : 4000000;
    size_t rows = (size_t)labs(given);
    const char *dir = argc > 3 ? argv[3] : "/tmp/bench_events";
    struct store_config config;
    struct diag d;
    char command[600];
    struct generator g = {.table = strcmp(kind, "spans") ? DATA_EVENT_LOGS : DATA_EVENT_SPANS,
                          .kind = kind,
                          .ids = strcmp(kind, "ids") == 0};
    diag_init(&d);
    log_set_level(LOG_LEVEL_WARN);
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    if (rows && system(command))
        return 1;
    store_config_init(&config);
    config.dir = dir;
    config.retention_logs_ns = config.retention_spans_ns = INT64_MAX;
    config.future_ns = INT64_MAX;
    g.ts = (int64_t)time(NULL) / 86400 * 86400 * NS_PER_SEC;
    struct task_pool *pool = os_pool_new(0);
    if (store_open(&config, os_real(), pool, &st, &d)) {
        fprintf(stderr, "%s\n", d.msg);
        return 1;
    }
    src = store_events(st, g.table);
    double wall = bench_clock_s(CLOCK_MONOTONIC), cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID),
           made = 0, made_wall = 0;
    while (g.n < rows) {
        double begin = bench_clock_s(CLOCK_THREAD_CPUTIME_ID),
               begin_wall = bench_clock_s(CLOCK_MONOTONIC);
        struct data_event_batch *b = generate(&g);
        made += bench_clock_s(CLOCK_THREAD_CPUTIME_ID) - begin;
        made_wall += bench_clock_s(CLOCK_MONOTONIC) - begin_wall;
        bench_append(st, src, b);
    }
    bench_append_wait();
    double acked = bench_clock_s(CLOCK_MONOTONIC) - wall - made_wall;
    if (store_maintain(st, true, &d)) {
        fprintf(stderr, "%s\n", d.msg);
        return 1;
    }
    wall = bench_clock_s(CLOCK_MONOTONIC) - wall - made_wall;
    cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu - made;
    struct store_event_source_stats stats;
    src->ops->stats(src, &stats);
    double n = (double)g.n;
    printf(
        "%s: %zu rows, acknowledged in %.2f s, in parts after %.2f s; %.2f us CPU a row in all = "
        "%.0f k rows/s/core\n",
        kind, g.n, acked, wall, cpu / n * 1e6, n / cpu / 1e3);
    printf("disk: %.1f bytes a row", (double)stats.disk_bytes / n);
    if (g.text_bytes)
        printf(" of %.1f = %.1f %%", (double)g.text_bytes / n,
               100.0 * (double)stats.disk_bytes / (double)g.text_bytes);
    printf(", %llu parts\n", (unsigned long long)stats.parts);
    if (!rows) {
        n = (double)stats.rows;
        g.text_bytes = stats.raw_bytes;
        find_needle();
    }
    /* Nothing of it in memory, as after a start of the machine. */
    store_close(st);
    bench_evict(dir);
    if (store_open(&config, os_real(), pool, &st, &d)) {
        fprintf(stderr, "%s\n", d.msg);
        return 1;
    }
    src = store_events(st, g.table);
    if (g.table == DATA_EVENT_LOGS)
        ask_logs(&g);
    else
        ask_spans();
    store_close(st);
    os_pool_free(pool);
    return given > 0 && system(command) != 0;
}
