/* Spans in the event store, and what is asked of them.
 *
 *   bench_traces [spans] [dir]      defaults: 50000000 /tmp/bench_traces
 *   bench_traces 0 dir              asks what is there; bench_traces -spans dir leaves it there
 *   bench_traces spans dir events   spans with events and links: exceptions (one span in fifty)
 * with type, message and stack trace, links (one in a hundred)
 *
 * Traces of 1 to 2,000 spans (half of all spans in traces of fewer than fifty) over 40 streams and
 * one day, eleven fields a span, appended in batches of 1,000, durably, and merged. Then, with the
 * store opened anew and its files out of the page cache: a trace by id; TraceQL searches over one
 * hour out of the middle. Prints wall and CPU time, how often the disk was waited for, what was
 * read. Ends by itself and removes its directory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "append.h"
#include "base/log.h"
#include "base/mem.h"
#include "kit.h"
#include "lang/traceql/run.h"
#include "os/os.h"
#include "os/pool.h"

#define BATCH   1000
#define STREAMS 40
#define DAY_NS  (86400 * NS_PER_SEC)

static const char *const services[] = {"checkout", "cart", "payment", "shipping", "frontend"};
static const char *const paths[] = {
    "/", "/api/v1/cart", "/api/v1/orders", "/static/app.js", "/healthz", "/api/v1/products/search"};
enum { STATUS_CODE, ROUTE, METHOD, PEER, USER, SESSION, FIELDS };
static const char *const names[] = {"http.status_code", "http.route", "http.method",
                                    "peer.service",     "user.id",    "session.id"};

/* A trace being made: of each span an id, and the parent is one of the last few. */
struct maker {
    char trace[16], spans[8][8];
    size_t left, made;
    int64_t ts;
};

static size_t trace_size(void)
{
    uint64_t r = bench_rnd() % 1000;
    return r < 600   ? 1 + bench_rnd() % 8
           : r < 900 ? 10 + bench_rnd() % 30
           : r < 995 ? 50 + bench_rnd() % 150
                     : 500 + bench_rnd() % 1500;
}

static bool with_events;

static void put_children(struct data_event_batch *b, uint64_t r, int64_t ts)
{
    static const char *const types[] = {"java.io.IOException", "java.lang.NullPointerException",
                                        "org.postgresql.util.PSQLException", "TimeoutError"};
    if ((r >> 20) % 50 == 0) {
        struct data_event_child e = {.kind = DATA_CHILD_EVENT,
                                     .ts_ns = ts + 1000 + (int64_t)(r % 900000),
                                     .name = SLICE("exception")};
        uint64_t id = bench_rnd() % 1000000;
        const char *type = id < 4 ? "RareError" : types[id % 4];
        data_event_batch_add_child(b, &e);
        data_event_child_put(
            b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("exception.type")),
            data_value_string(slice_cstr(type)));
        data_event_child_put(
            b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("exception.message")),
            data_value_string(
                arena_printf(b->arena, "order %llu could not be read", (unsigned long long)id)));
        data_event_child_put(
            b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("exception.stacktrace")),
            data_value_string(arena_printf(
                b->arena,
                "%s: order %llu could not be read\n\tat shop.Orders.read(Orders.java:%llu)\n"
                "\tat shop.Cart.load(Cart.java:88)\n\tat shop.Http.handle(Http.java:%llu)\n"
                "\tat java.base/java.lang.Thread.run(Thread.java:833)",
                type, (unsigned long long)id, (unsigned long long)(id % 40),
                (unsigned long long)(id % 90))));
    }
    if ((r >> 26) % 100 == 0) {
        uint64_t id[3] = {bench_rnd(), bench_rnd(), bench_rnd()};
        struct data_event_child l = {.kind = DATA_CHILD_LINK,
                                     .trace_id = data_event_batch_copy(b, slice_make(id, 16)),
                                     .span_id = data_event_batch_copy(b, slice_make(id + 2, 8))};
        data_event_batch_add_child(b, &l);
    }
}

static void put_span(struct data_event_batch *b, struct maker *m, const uint32_t *streams,
                     const uint32_t *f, int64_t step_ns)
{
    uint64_t r = bench_rnd(), id = bench_rnd();
    if (!m->left) {
        uint64_t t[2] = {bench_rnd(), bench_rnd()};
        memcpy(m->trace, t, 16);
        m->left = trace_size();
        m->made = 0;
    }
    m->left--;
    m->ts += (int64_t)(bench_rnd() % (uint64_t)(2 * step_ns));
    data_event_batch_add_row(b, streams[r % STREAMS], m->ts);
    if (m->made)
        data_event_put(b, DATA_EVENT_PARENT_ID,
                       data_value_bytes(data_event_batch_copy(
                           b, slice_make(m->spans[(r >> 8) % MIN(m->made, (size_t)8)], 8))));
    memcpy(m->spans[m->made++ % 8], &id, 8);
    data_event_put(b, DATA_EVENT_TRACE_ID,
                   data_value_bytes(data_event_batch_copy(b, slice_make(m->trace, 16))));
    data_event_put(b, DATA_EVENT_SPAN_ID,
                   data_value_bytes(data_event_batch_copy(b, slice_make(&id, 8))));
    const char *path = paths[(r >> 12) % 6];
    data_event_put(b, DATA_EVENT_NAME, data_value_string(slice_cstr(path)));
    data_event_put(b, DATA_EVENT_KIND, data_value_int(1 + (int64_t)(r >> 16) % 4));
    data_event_put(b, DATA_EVENT_STATUS, data_value_int((r >> 20) % 50 ? 0 : 2));
    data_event_put(b, DATA_EVENT_DURATION, data_value_int(1000 + (int64_t)(r >> 24) % 4000000));
    data_event_put(b, f[STATUS_CODE], data_value_int((r >> 44) % 50 ? 200 : 500));
    data_event_put(b, f[ROUTE], data_value_string(slice_cstr(path)));
    data_event_put(b, f[METHOD], data_value_string(SLICE("GET")));
    data_event_put(b, f[PEER], data_value_string(slice_cstr(services[(r >> 50) % 5])));
    data_event_put(b, f[USER], data_value_int((int64_t)(r >> 30) % 100000));
    if (r % 10 == 0)
        data_event_put(b, f[SESSION],
                       data_value_string(arena_printf(
                           b->arena, "session-%llu", (unsigned long long)(bench_rnd() % 1000000))));
    if (with_events)
        put_children(b, r, m->ts);
}

static struct store *st;
static struct store_event_source *src;
static struct task_pool *pool;

static void open_store(const char *dir)
{
    struct store_config config;
    struct diag d;
    diag_init(&d);
    store_config_init(&config);
    config.dir = dir;
    config.retention_spans_ns = INT64_MAX;
    config.future_ns = INT64_MAX;
    if (store_open(&config, os_real(), pool, &st, &d)) {
        fprintf(stderr, "%s\n", d.msg);
        exit(1);
    }
    src = store_events(st, DATA_EVENT_SPANS);
}

static void fill(size_t count, int64_t begin_ns)
{
    struct maker m = {.ts = begin_ns};
    int64_t step_ns = DAY_NS / (int64_t)count * 999 / 1000;
    double made = 0, cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
    struct diag d;
    diag_init(&d);
    for (size_t n = 0; n < count;) {
        double begin = bench_clock_s(CLOCK_THREAD_CPUTIME_ID);
        struct data_event_batch *b = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
        uint32_t streams[STREAMS], f[FIELDS];
        for (int i = 0; i < FIELDS; i++)
            f[i] = data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, slice_cstr(names[i]));
        for (uint32_t i = 0; i < STREAMS; i++) {
            char pod[32];
            snprintf(pod, sizeof(pod), "%s-%u", services[i % 5], i);
            struct data_label l[] = {{SLICE("pod"), slice_cstr(pod)},
                                     {SLICE("service.name"), slice_cstr(services[i % 5])}};
            streams[i] = data_event_batch_add_stream(b, (struct data_labels){l, 2});
        }
        for (int i = 0; i < BATCH; i++, n++) {
            put_span(b, &m, streams, f, step_ns);
        }
        made += bench_clock_s(CLOCK_THREAD_CPUTIME_ID) - begin;
        bench_append(st, src, b);
    }
    bench_append_wait();
    if (store_maintain(st, true, &d)) {
        fprintf(stderr, "%s\n", d.msg);
        exit(1);
    }
    struct store_event_source_stats stats;
    src->ops->stats(src, &stats);
    cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu - made;
    printf("%zu spans: %.0f k spans/s/core durable and in parts; %.1f bytes a span, %llu parts\n",
           count, (double)count / cpu / 1e3, (double)stats.disk_bytes / (double)count,
           (unsigned long long)stats.parts);
}

/* The first trace behind a time. */
static void some_trace(int64_t ts_ns, char *out)
{
    struct store_event_field id = STORE_EVENT_INTRINSIC(DATA_EVENT_TRACE_ID);
    struct store_event_scan scan = {
        .select = {.tenant = SLICE("default"), .t_min_ns = ts_ns, .t_max_ns = INT64_MAX},
        .order = STORE_EVENT_OLDEST_FIRST,
        .fields = &id,
        .field_count = 1,
        .limit = 1};
    struct store_event_cursor *c;
    struct store_event_chunk chunk = {0};
    if (src->ops->scan(src, &scan, &c, NULL) || src->ops->next(c, &chunk, NULL) || !chunk.count)
        exit(1);
    memcpy(out, chunk.columns[0].values[0].text.ptr, 16);
    src->ops->close(c);
    store_event_chunk_free(&chunk);
}

/* Since then: time, how often the disk was waited for, and what was read. */
struct spent {
    double wall, cpu;
    struct rusage usage;
};
static struct spent spent_now(void)
{
    struct spent s = {
        bench_clock_s(CLOCK_MONOTONIC), bench_clock_s(CLOCK_PROCESS_CPUTIME_ID), {{0}}};
    getrusage(RUSAGE_SELF, &s.usage);
    return s;
}
static void print_spent(const struct spent *begin, int times)
{
    struct spent s = spent_now();
    printf(" %8.1f ms wall %8.1f ms CPU", (s.wall - begin->wall) * 1e3 / times,
           (s.cpu - begin->cpu) * 1e3 / times);
    if (s.usage.ru_inblock > begin->usage.ru_inblock)
        printf(" %5ld waits %6ld KiB read", s.usage.ru_majflt - begin->usage.ru_majflt,
               (s.usage.ru_inblock - begin->usage.ru_inblock) / 2);
    printf("\n");
}

static void trace_by_id(const char *what, const char *id, int times)
{
    struct store_event_scan scan = {
        .select = {.tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX},
        .all_fields = true,
        .children = true,
        .pool = pool};
    struct slice ids = slice_make(id, 16);
    struct store_event_chunk chunk = {0};
    struct diag d;
    diag_init(&d);
    struct spent begin = spent_now();
    for (int i = 0; i < times; i++) {
        if (src->ops->traces(src, &ids, 1, &scan, &chunk, &d)) {
            fprintf(stderr, "%s\n", d.msg);
            exit(1);
        }
    }
    printf("%-75s %7zu spans ", what, chunk.count);
    print_spent(&begin, times);
    store_event_chunk_free(&chunk);
}

static void search(const char *text, int64_t begin_ns)
{
    const struct traceql_search what = {
        .start_ns = begin_ns, .end_ns = begin_ns + 3600 * NS_PER_SEC, .limit = 20, .spans = 3};
    const struct traceql_env env = {.source = src, .tenant = SLICE("default"), .pool = pool};
    struct arena *arena = arena_new(0, NULL);
    struct traceql_query *q;
    struct traceql_result r;
    struct diag d;
    diag_init(&d);
    struct spent begin = spent_now();
    if (traceql_parse(slice_cstr(text), arena, &q, &d) ||
        traceql_search_run(q, &what, &env, arena, &r, &d)) {
        fprintf(stderr, "%s: %s\n", text, d.msg);
        exit(1);
    }
    printf("%-75s %7zu traces", text, r.count);
    print_spent(&begin, 1);
    traceql_query_free(q);
    arena_free(arena);
}

int main(int argc, char **argv)
{
    long given = argc > 1 ? strtol(argv[1], NULL, 10) : 50000000;
    size_t count = (size_t)labs(given);
    const char *dir = argc > 2 ? argv[2] : "/tmp/bench_traces";
    with_events = argc > 3;
    static const char *const queries[] = {
        "{ span.http.status_code >= 500 }",
        "{ span.user.id = 77777 }",
        "{ span.session.id = \"session-777\" }",
        "{ resource.service.name = \"cart\" && duration > 3990us }",
        "{ span.http.status_code = 599 }",
        "{ name = \"/api/v1/orders\" } >> { status = error }",
        "{ name = \"/healthz\" } > { span.user.id = 77777 }",
        "{ span.user.id = 77777 } >> { span.user.id = 77778 }",
        "{ status = error } | count() > 20",
        "{ event.exception.type = \"RareError\" }",
        "{ event.exception.type = \"no such error\" }",
        "{ event:name = \"exception\" && event.exception.message =~ \".*77777 .*\" }",
        "{ link:traceID = \"0123456789abcdef0123456789abcdef\" }",
    };
    char command[600];
    int64_t begin_ns = (int64_t)time(NULL) / 86400 * DAY_NS;
    log_set_level(LOG_LEVEL_WARN);
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    if (count && system(command))
        return 1;
    pool = os_pool_new(0);
    open_store(dir);
    if (count)
        fill(count - count % BATCH, begin_ns);
    struct store_event_source_stats stats;
    src->ops->stats(src, &stats);
    begin_ns = stats.t_min_ns;
    char wanted[3][16];
    for (int i = 0; i < 3; i++)
        some_trace(begin_ns + (1 + 11 * i) * 3600 * NS_PER_SEC, wanted[i]);
    store_close(st);
    for (int round = 0; round < 3; round++) {
        bench_evict(dir);
        open_store(dir);
        trace_by_id("trace by id, cold", wanted[round], 1);
        trace_by_id("the same, warm", wanted[round], 20);
        if (round < 2)
            store_close(st);
    }
    for (int round = 0; round < 2; round++) {
        printf("an hour out of the middle%s\n", round ? ", again" : ", cold");
        for (size_t i = 0; i < ARRAY_LEN(queries); i++)
            search(queries[i], begin_ns + 12 * 3600 * NS_PER_SEC);
    }
    store_close(st);
    os_pool_free(pool);
    return given > 0 && system(command) != 0;
}
