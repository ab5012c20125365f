#include "pipe/span_metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/map.h"
#include "data/histogram_math.h"

#define S NS_PER_SEC

/* A store that remembers the last sample of every series, and how its first one was. */
struct seen {
    double first, last;
    int64_t first_ns, last_ns, start_ns;
    struct data_histogram *histogram;
    size_t samples;
};

struct fixture {
    struct pipe_sink sink; /* first */
    struct pipe_span_metrics_config config;
    struct pipe_span_metrics *metrics;
    struct data_event_batch *batch;
    struct map *series; /* "tenant/labels" */
    struct arena *arena;
    size_t exemplars, metadata, acks, passed;
    char exemplar[64];
    double exemplar_value;
    int64_t now_ns;
    int fail;         /* what the next spans are answered */
    int refuse_every; /* rows refused by the store; 0: none */
};

static int64_t now(void *ctx)
{
    return ((struct fixture *)ctx)->now_ns;
}

static void take_metrics(struct pipe_sink *sink, const struct data_metric_batch *b, pipe_ack_fn ack,
                         void *ctx)
{
    struct fixture *f = (struct fixture *)sink;
    assert_null(ack);
    assert_null(ctx);
    for (size_t i = 0; i < b->sample_ts.len; i++) {
        struct data_labels labels;
        struct buf name = {0};
        struct slice key = b->series.items[b->sample_series.items[i]].key;
        assert_int_equal(data_labels_decode(key, f->arena, &labels), 0);
        buf_printf(&name, "%.*s/", SLICE_FMT(b->tenant));
        data_labels_print(labels, &name);
        struct map_entry *e = map_put(f->series, buf_slice(&name), NULL);
        if (!e->value.ptr)
            e->value.ptr = ARENA_NEW(f->arena, struct seen);
        struct seen *s = e->value.ptr;
        const struct data_histogram *h =
            b->sample_histogram.len ? b->sample_histogram.items[i] : NULL;
        if (!s->samples++) {
            s->first = b->sample_value.items[i];
            s->first_ns = b->sample_ts.items[i];
        }
        assert_true(b->sample_ts.items[i] >= s->last_ns);
        s->last = b->sample_value.items[i];
        s->last_ns = b->sample_ts.items[i];
        s->start_ns = b->sample_start.len ? b->sample_start.items[i] : 0;
        if (h) {
            assert_int_equal(data_histogram_check(h, NULL), 0);
            s->histogram = data_histogram_copy(f->arena, h);
        }
        buf_deinit(&name);
    }
    for (size_t i = 0; i < b->exemplars.len; i++) {
        struct slice id = data_labels_get(b->exemplars.items[i].labels, SLICE("trace_id"));
        snprintf(f->exemplar, sizeof(f->exemplar), "%.*s", SLICE_FMT(id));
        f->exemplar_value = b->exemplars.items[i].value;
        f->exemplars++;
    }
    f->metadata += b->metadata.len;
}

static void take_spans(struct pipe_sink *sink, const struct data_event_batch *b, pipe_ack_fn ack,
                       void *ctx)
{
    struct fixture *f = (struct fixture *)sink;
    struct pipe_result result = {.spans_accepted = b->rows.len};
    assert_non_null(b->row_refusals);
    for (size_t i = 0; i < b->rows.len; i++)
        b->row_refusals[i] = f->refuse_every && i % (size_t)f->refuse_every == 0;
    ack(ctx, f->fail, f->fail ? NULL : &result);
}

static void take_logs(struct pipe_sink *sink, const struct data_event_batch *b, pipe_ack_fn ack,
                      void *ctx)
{
    (void)b;
    (void)ack;
    (void)ctx;
    ((struct fixture *)sink)->passed++;
}

static void on_ack(void *ctx, int err, const struct pipe_result *result)
{
    struct fixture *f = ctx;
    assert_int_equal(err, f->fail);
    assert_true(err ? !result : result->spans_accepted == f->batch->rows.len);
    f->acks++;
}

static void begin(struct fixture *f)
{
    pipe_span_metrics_free(f->metrics);
    assert_int_equal(pipe_span_metrics_check(&f->config, NULL), 0);
    f->metrics = pipe_span_metrics_new(&f->config, &f->sink);
}

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    f->sink = (struct pipe_sink){take_metrics, take_logs, take_spans};
    f->config = (struct pipe_span_metrics_config){.calls = true,
                                                  .graph = true,
                                                  .peer_attributes = "peer.service,db.system",
                                                  .series_max = 100000,
                                                  .idle_ns = 900 * S,
                                                  .wait_ns = 10 * S,
                                                  .edges_max = 10000,
                                                  .now_ns = now,
                                                  .ctx = f};
    f->now_ns = 1000 * S;
    f->series = map_new();
    f->arena = arena_new(0, NULL);
    f->batch = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
    begin(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pipe_span_metrics_free(f->metrics);
    data_event_batch_free(f->batch);
    map_free(f->series);
    arena_free(f->arena);
    mem_free(f);
    return 0;
}

enum { INTERNAL = 1, SERVER, CLIENT, PRODUCER, CONSUMER };

/* A span of trace 1; ids are small numbers, parent 0 is none. */
static void span(struct fixture *f, const char *service, unsigned id, unsigned parent, int kind,
                 int64_t start_ns, int64_t duration_ns)
{
    struct data_event_batch *b = f->batch;
    struct data_label label = {SLICE("service_name"), slice_cstr(service)};
    char trace_id[16] = {[15] = 1}, span_id[8] = {[7] = (char)id},
         parent_id[8] = {[7] = (char)parent};
    uint32_t stream = data_event_batch_add_stream(b, (struct data_labels){&label, 1});
    uint32_t row = data_event_batch_add_row(b, stream, start_ns);
    b->rows.items[row].resource = b->rows.items[row].scope = DATA_EVENT_NONE;
    data_event_put(b, DATA_EVENT_TRACE_ID,
                   data_value_bytes(data_event_batch_copy(b, slice_make(trace_id, 16))));
    data_event_put(b, DATA_EVENT_SPAN_ID,
                   data_value_bytes(data_event_batch_copy(b, slice_make(span_id, 8))));
    if (parent)
        data_event_put(b, DATA_EVENT_PARENT_ID,
                       data_value_bytes(data_event_batch_copy(b, slice_make(parent_id, 8))));
    data_event_put(b, DATA_EVENT_NAME, data_value_string(SLICE("op")));
    data_event_put(b, DATA_EVENT_KIND, data_value_int(kind));
    data_event_put(b, DATA_EVENT_DURATION, data_value_int(duration_ns));
}

static void attribute(struct fixture *f, const char *name, struct data_value v)
{
    data_event_put(f->batch,
                   data_event_batch_field(f->batch, DATA_SCOPE_ATTRIBUTE, slice_cstr(name)), v);
}

static void text(struct fixture *f, const char *name, const char *value)
{
    attribute(f, name, data_value_string(slice_cstr(value)));
}

static void send(struct fixture *f)
{
    struct pipe_sink *sink = pipe_span_metrics_sink(f->metrics);
    sink->spans(sink, f->batch, on_ack, f);
    data_event_batch_reset(f->batch);
}

static void write_at(struct fixture *f, int64_t now_ns)
{
    f->now_ns = now_ns;
    pipe_span_metrics_write(f->metrics);
}

static const struct seen *find(struct fixture *f, const char *name)
{
    struct map_entry *e = map_get(f->series, slice_cstr(name));
    return e ? e->value.ptr : NULL;
}

static void expect(struct fixture *f, const char *name, double value)
{
    const struct seen *s = find(f, name);
    if (!s) {
        for (size_t pos = 0; (pos < 1000);) {
            struct map_entry *e = map_next(f->series, &pos);
            if (!e)
                break;
            print_message("%s\n", e->key.ptr);
        }
        fail_msg("no series %s", name);
        return;
    }
    if (!(fabs(s->last - value) <= 1e-12 * fabs(value) ||
          (data_is_stale(s->last) && data_is_stale(value))))
        fail_msg("%s is %g, not %g", name, s->last, value);
}

#define OP(service, kind, status)                                                                  \
    "service=\"" service "\", span_kind=\"SPAN_KIND_" kind "\", span_name=\"op\", "                \
    "status_code=\"STATUS_CODE_" status "\"}"

static void test_calls(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++)
        span(f, "shop", 1, 9, INTERNAL, 0, (int64_t)(i + 1) * 3 * NS_PER_MS);
    span(f, "shop", 2, 9, INTERNAL, 0, 20 * S);
    data_event_put(f->batch, DATA_EVENT_STATUS, data_value_int(2));
    send(f);
    assert_int_equal(f->acks, 1);
    write_at(f, 1015 * S);
    expect(f, "default/traces_spanmetrics_calls_total{" OP("shop", "INTERNAL", "UNSET"), 3);
    expect(f, "default/traces_spanmetrics_calls_total{" OP("shop", "INTERNAL", "ERROR"), 1);
    expect(f, "default/traces_spanmetrics_latency_count{" OP("shop", "INTERNAL", "UNSET"), 3);
    expect(f, "default/traces_spanmetrics_latency_sum{" OP("shop", "INTERNAL", "UNSET"), 0.018);
    expect(
        f,
        "default/traces_spanmetrics_latency_bucket{le=\"0.004\", " OP("shop", "INTERNAL", "UNSET"),
        1);
    expect(
        f,
        "default/traces_spanmetrics_latency_bucket{le=\"0.008\", " OP("shop", "INTERNAL", "UNSET"),
        2);
    expect(
        f,
        "default/traces_spanmetrics_latency_bucket{le=\"16.384\", " OP("shop", "INTERNAL", "ERROR"),
        0);
    expect(
        f,
        "default/traces_spanmetrics_latency_bucket{le=\"+Inf\", " OP("shop", "INTERNAL", "ERROR"),
        1);
    const struct seen *s =
        find(f, "default/traces_spanmetrics_calls_total{" OP("shop", "INTERNAL", "UNSET"));
    /* It began with 0 just before its first span, so that this counts. */
    assert_true(s->first == 0);
    assert_int_equal(s->first_ns, 1000 * S - NS_PER_MS);
    assert_int_equal(s->start_ns, s->first_ns);
    assert_int_equal(s->samples, 2);
    assert_int_equal(s->last_ns, 1015 * S);
    assert_int_equal(f->exemplars, 3); /* two of the first row, one of the other */
    assert_string_equal(f->exemplar, "00000000000000000000000000000001");
    assert_int_equal(f->metadata, 3);
    /* Again: no more zeros, no more exemplars, no metadata. */
    write_at(f, 1030 * S);
    assert_int_equal(s->samples, 3);
    assert_int_equal(f->exemplars, 3);
    assert_int_equal(f->metadata, 3);
    /* Size: what the fields take in protobuf. */
    s = find(f, "default/traces_spanmetrics_size_total{" OP("shop", "INTERNAL", "ERROR"));
    assert_true(s->last >= 18 + 10 + 10 + 18 + 4 + 2 + 2);
    assert_true(s->last < 80);
}

static void test_idle_rows_end(void **state)
{
    struct fixture *f = *state;
    const char *name = "default/traces_spanmetrics_calls_total{" OP("shop", "INTERNAL", "UNSET");
    span(f, "shop", 1, 9, INTERNAL, 0, NS_PER_MS);
    send(f);
    write_at(f, 1001 * S);
    write_at(f, 1900 * S);
    expect(f, name, 1);
    write_at(f, 1901 * S);
    expect(f, name, data_stale_nan());
    write_at(f, 1950 * S);
    assert_int_equal(find(f, name)->last_ns, 1901 * S);
    /* Back again: from zero. */
    span(f, "shop", 1, 9, INTERNAL, 0, NS_PER_MS);
    send(f);
    write_at(f, 1960 * S);
    expect(f, name, 1);
    assert_int_equal(find(f, name)->start_ns, 1950 * S - NS_PER_MS);
}

static void test_refused_and_failed(void **state)
{
    struct fixture *f = *state;
    const char *name = "default/traces_spanmetrics_calls_total{" OP("shop", "INTERNAL", "UNSET");
    f->refuse_every = 2;
    for (int i = 0; i < 5; i++)
        span(f, "shop", 1, 9, INTERNAL, 0, NS_PER_MS);
    send(f);
    write_at(f, 1001 * S);
    expect(f, name, 2);
    f->fail = ERR_NOSPACE; /* will be sent again */
    span(f, "shop", 1, 9, INTERNAL, 0, NS_PER_MS);
    send(f);
    write_at(f, 1002 * S);
    expect(f, name, 2);
    assert_int_equal(f->acks, 2);
    struct pipe_sink *sink = pipe_span_metrics_sink(f->metrics);
    sink->logs(sink, f->batch, NULL, NULL);
    assert_int_equal(f->passed, 1);
}

static void test_dimensions_and_names(void **state)
{
    struct fixture *f = *state;
    f->config.dimensions = "http.method, code,service,missing";
    f->config.names = PIPE_SPAN_NAMES_BOTH;
    f->config.graph = false;
    begin(f);
    span(f, "shop", 1, 9, SERVER, 0, 7 * NS_PER_MS);
    text(f, "http.method", "GET");
    text(f, "service", "own");
    attribute(f, "code", data_value_int(200));
    send(f);
    write_at(f, 1001 * S);
    expect(f,
           "default/traces_spanmetrics_calls_total{__service=\"own\", code=\"200\", "
           "http_method=\"GET\", " OP("shop", "SERVER", "UNSET"),
           1);
    expect(f,
           "default/traces_span_metrics_calls_total{__service=\"own\", code=\"200\", "
           "http_method=\"GET\", "
           "service_name=\"shop\", span_kind=\"SPAN_KIND_SERVER\", span_name=\"op\", "
           "status_code=\"STATUS_CODE_UNSET\"}",
           1);
    expect(f,
           "default/traces_span_metrics_duration_milliseconds_bucket{__service=\"own\", "
           "code=\"200\", http_method=\"GET\", le=\"8\", "
           "service_name=\"shop\", span_kind=\"SPAN_KIND_SERVER\", span_name=\"op\", "
           "status_code=\"STATUS_CODE_UNSET\"}",
           1);
    expect(f,
           "default/traces_span_metrics_duration_milliseconds_sum{__service=\"own\", code=\"200\", "
           "http_method=\"GET\", "
           "service_name=\"shop\", span_kind=\"SPAN_KIND_SERVER\", span_name=\"op\", "
           "status_code=\"STATUS_CODE_UNSET\"}",
           7);
    /* What cannot be configured says which setting it is. */
    struct diag diag;
    diag_init(&diag);
    f->config.dimensions = "a,b,c,d,e,f,g,h,i,j,k,l,m";
    assert_int_equal(pipe_span_metrics_check(&f->config, &diag), ERR_INVALID);
    assert_string_equal(diag.msg, "span_metrics.dimensions: more than 12 attributes");
    diag_init(&diag);
    f->config.dimensions = "a.b,a_b";
    assert_int_equal(pipe_span_metrics_check(&f->config, &diag), ERR_INVALID);
    assert_string_equal(diag.msg, "span_metrics.dimensions: two attributes become the label a_b");
}

static void test_intrinsics_and_mappings(void **state)
{
    struct fixture *f = *state;
    f->config.dimensions = "http.method";
    f->config.mappings = "rpc = rpc.service+rpc.method, space=service.namespace + none";
    f->config.intrinsics = "service, status_message";
    f->config.graph = false;
    begin(f);
    for (unsigned i = 0; i < 2; i++) {
        span(f, "shop", 1 + i, 9, i ? CLIENT : SERVER, 0, NS_PER_MS);
        data_event_put(f->batch, DATA_EVENT_STATUS_MESSAGE, data_value_string(SLICE("gone")));
        text(f, "rpc.service", "Orders");
        text(f, "rpc.method", "Get");
        text(f, "service.namespace", "eu");
    }
    span(f, "shop", 3, 9, CLIENT, 0, NS_PER_MS);
    text(f, "rpc.method", "Get");
    send(f);
    write_at(f, 1001 * S);
    /* What is no label tells no rows apart. */
    expect(f,
           "default/traces_spanmetrics_calls_total{rpc=\"Orders/Get\", service=\"shop\", "
           "space=\"eu\", status_message=\"gone\"}",
           2);
    expect(f, "default/traces_spanmetrics_calls_total{rpc=\"Get\", service=\"shop\"}", 1);
    static const struct {
        const char *mappings, *intrinsics, *msg;
    } bad[] = {
        {"a", NULL, "span_metrics.dimension_mappings: \"a\" should be label=attribute+attribute"},
        {"a=", NULL, "span_metrics.dimension_mappings: \"a=\" should be label=attribute+attribute"},
        {"a=b+c+d+e+f", NULL,
         "span_metrics.dimension_mappings: \"a=b+c+d+e+f\" should have one to 4 attributes"},
        {"http_method=a", NULL,
         "span_metrics.dimension_mappings: the label http_method is there already"},
        {"", "kind",
         "span_metrics.intrinsic_dimensions: \"kind\" is none of service, span_name, span_kind, "
         "status_code, status_message"}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct diag diag;
        diag_init(&diag);
        f->config.mappings = bad[i].mappings;
        f->config.intrinsics = bad[i].intrinsics;
        assert_int_equal(pipe_span_metrics_check(&f->config, &diag), ERR_INVALID);
        assert_string_equal(diag.msg, bad[i].msg);
    }
}

/* Which of five spans are counted. */
static void test_filter(void **state)
{
    static const struct {
        const char *include, *include_any, *exclude, *passes;
    } cases[] = {{"", "", "", "12345"},
                 {"kind=SPAN_KIND_SERVER", "", "", "13"},
                 {"kind=server", "", "", "13"},
                 {"kind=~server|client", "", "", "124" /* and */ "3"},
                 {"kind=server,span.http.route=/a", "", "", "1"},
                 {"", "kind=client,span.http.route=/b", "", "234"},
                 {"", "kind=client,kind=server;http.route=~/.*", "", "1234"},
                 {"", "", "http.route=/a", "345"},
                 {"", "", "kind=client,http.route=/a;name=op,kind=internal", "134"},
                 {"resource.http.route=/a", "", "", ""},
                 {"status=error", "", "", "5"},
                 {"name=o", "", "", ""},
                 {"name=~o.", "", "resource.service.name=shop", ""}};
    struct fixture *f = *state;
    f->config.dimensions = "id";
    f->config.graph = false;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        f->config.include = cases[i].include;
        f->config.include_any = cases[i].include_any;
        f->config.exclude = cases[i].exclude;
        begin(f);
        map_free(f->series);
        f->series = map_new();
        for (unsigned n = 1; n <= 5; n++) {
            static const int kinds[] = {SERVER, CLIENT, SERVER, CLIENT, INTERNAL};
            static const char *const routes[] = {"/a", "/a", "/b", "/b", NULL};
            span(f, "shop", n, 9, kinds[n - 1], 0, NS_PER_MS);
            attribute(f, "id", data_value_int(n));
            if (routes[n - 1])
                text(f, "http.route", routes[n - 1]);
            if (n == 5)
                data_event_put(f->batch, DATA_EVENT_STATUS, data_value_int(2));
        }
        send(f);
        write_at(f, f->now_ns + S);
        for (unsigned n = 1; n <= 5; n++) {
            char name[200];
            static const char *const kinds[] = {"SERVER", "CLIENT", "SERVER", "CLIENT", "INTERNAL"};
            snprintf(
                name, sizeof(name),
                "default/traces_spanmetrics_calls_total{id=\"%u\", service=\"shop\", "
                "span_kind=\"SPAN_KIND_%s\", span_name=\"op\", status_code=\"STATUS_CODE_%s\"}",
                n, kinds[n - 1], n == 5 ? "ERROR" : "UNSET");
            bool wanted = strchr(cases[i].passes, (int)('0' + n)) != NULL;
            if ((find(f, name) != NULL) != wanted)
                fail_msg("case %zu: span %u", i, n);
        }
    }
    struct diag diag;
    diag_init(&diag);
    f->config.include = "kind";
    assert_int_equal(pipe_span_metrics_check(&f->config, &diag), ERR_INVALID);
    assert_string_equal(diag.msg,
                        "span_metrics.include: \"kind\" should be name=value or name=~expression");
    diag_init(&diag);
    f->config.include = "";
    f->config.exclude = "a=~(";
    assert_int_equal(pipe_span_metrics_check(&f->config, &diag), ERR_INVALID);
}

/* Spans that stand for others. */
static void test_sampled(void **state)
{
    struct fixture *f = *state;
    f->config.sampling_attribute = "sample.ratio";
    f->config.tracestate = true;
    f->config.histograms = PIPE_SPAN_CLASSIC_AND_NATIVE;
    begin(f);
    static const struct {
        const char *service, *state;
        double ratio, calls;
    } cases[] = {{"none", NULL, 0, 1},
                 {"ratio", NULL, 0.25, 4},
                 {"th", "x=y, ot=rv:1;th:8", 0, 2},
                 {"both", "ot=th:c", 0.5, 4},
                 {"always", "ot=th:0", 0.5, 1},
                 {"bad", "ot=th:xyz", 0.5, 2},
                 {"long", "ot=th:123456789abcdef0", 0, 1},
                 {"third", NULL, 0.4, 2.5}};
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        span(f, cases[i].service, 1 + i, 9, INTERNAL, 0, 10 * NS_PER_MS);
        if (cases[i].state)
            data_event_put(f->batch, DATA_EVENT_TRACE_STATE,
                           data_value_string(slice_cstr(cases[i].state)));
        if (cases[i].ratio > 0)
            attribute(f, "sample.ratio", data_value_double(cases[i].ratio));
    }
    send(f);
    span(f, "third", 100, 9, INTERNAL, 0, 10 * NS_PER_MS);
    attribute(f, "sample.ratio", data_value_double(0.4));
    span(f, "a", 101, 0, CLIENT, 0, 20 * NS_PER_MS);
    data_event_put(f->batch, DATA_EVENT_TRACE_STATE, data_value_string(SLICE("ot=th:8")));
    span(f, "b", 102, 101, SERVER, 0, 10 * NS_PER_MS);
    data_event_put(f->batch, DATA_EVENT_TRACE_STATE, data_value_string(SLICE("ot=th:8")));
    send(f);
    write_at(f, 1001 * S);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        char name[200];
        double calls = cases[i].calls * (i + 1 == ARRAY_LEN(cases) ? 2 : 1);
        static const char *const names[] = {"calls_total", "latency_count"};
        for (size_t k = 0; k < ARRAY_LEN(names); k++) {
            snprintf(name, sizeof(name),
                     "default/traces_spanmetrics_%s{service=\"%s\", "
                     "span_kind=\"SPAN_KIND_INTERNAL\", span_name=\"op\", "
                     "status_code=\"STATUS_CODE_UNSET\"}",
                     names[k], cases[i].service);
            expect(f, name, calls);
        }
    }
    expect(f, "default/traces_spanmetrics_latency_sum{" OP("th", "INTERNAL", "UNSET"), 0.02);
    /* Whole ones: 2.5 and 2.5 are 2 and 3. */
    const struct seen *s =
        find(f, "default/traces_spanmetrics_latency{" OP("third", "INTERNAL", "UNSET"));
    assert_true(s && s->histogram && s->histogram->count == 5 && s->histogram->positive[0] == 5);
    expect(f, "default/traces_service_graph_request_total{client=\"a\", server=\"b\"}", 2);
    expect(f,
           "default/traces_service_graph_request_server_seconds_count{client=\"a\", server=\"b\"}",
           2);
}

static void test_overflow(void **state)
{
    struct fixture *f = *state;
    f->config.series_max = 19 * 2; /* two rows of calls, total, size and latency */
    f->config.graph = false;
    begin(f);
    for (int i = 0; i < 5; i++) {
        char service[] = "s0";
        service[1] = (char)('0' + i);
        span(f, service, 1, 9, INTERNAL, 0, NS_PER_MS);
        /* The texts of a batch live as long as it. */
        send(f);
    }
    write_at(f, 1001 * S);
    expect(f, "default/traces_spanmetrics_calls_total{" OP("s0", "INTERNAL", "UNSET"), 1);
    expect(f, "default/traces_spanmetrics_calls_total{" OP("s1", "INTERNAL", "UNSET"), 1);
    assert_null(find(f, "default/traces_spanmetrics_calls_total{" OP("s2", "INTERNAL", "UNSET")));
    expect(f, "default/traces_spanmetrics_calls_total{metric_overflow=\"true\"}", 3);
    /* When old ones end there is room again. */
    write_at(f, 3000 * S);
    span(f, "s4", 1, 9, INTERNAL, 0, NS_PER_MS);
    send(f);
    write_at(f, 3001 * S);
    expect(f, "default/traces_spanmetrics_calls_total{" OP("s4", "INTERNAL", "UNSET"), 1);
}

static void test_native(void **state)
{
    struct fixture *f = *state;
    f->config.histograms = PIPE_SPAN_NATIVE;
    f->config.graph = false;
    begin(f);
    double sum = 0;
    /* From a nanosecond to three hours: more than fits eight buckets an octave. */
    for (int64_t ns = 1; ns < 10000 * S; ns = ns * 5 / 4 + 1, sum++)
        span(f, "shop", 1, 9, INTERNAL, 0, ns);
    span(f, "shop", 1, 9, INTERNAL, 0, 0);
    send(f);
    write_at(f, 1001 * S);
    const struct seen *s =
        find(f, "default/traces_spanmetrics_latency{" OP("shop", "INTERNAL", "UNSET"));
    assert_non_null(s);
    assert_non_null(s->histogram);
    const struct data_histogram *h = s->histogram;
    assert_true(h->count == sum + 1);
    assert_int_equal(h->schema, 1); /* 44 octaves: two buckets each */
    double total = h->zero_count;
    data_histogram_bucket_list buckets = {0};
    for (uint32_t i = 0; i < h->positive_count; i++)
        total += h->positive[i];
    assert_true(total == h->count);
    double half = data_histogram_quantile(h, 0.5, &buckets, &(bool){false});
    assert_true(half > 1e-3 && half < 1e-1);
    vec_free(&buckets);
    assert_null(
        find(f, "default/traces_spanmetrics_latency_count{" OP("shop", "INTERNAL", "UNSET")));
}

#define EDGE(client, type, server) "client=\"" client "\"" type ", server=\"" server "\"}"
#define TOTAL                      "default/traces_service_graph_request_total{"

static void test_pairs(void **state)
{
    struct fixture *f = *state;
    f->config.graph_dimensions = "zone";
    begin(f);
    span(f, "shop", 1, 9, CLIENT, 0, 500 * NS_PER_MS);
    text(f, "zone", "a");
    send(f);
    span(f, "stock", 2, 1, SERVER, 0, 300 * NS_PER_MS); /* in another request */
    text(f, "zone", "b");
    data_event_put(f->batch, DATA_EVENT_STATUS, data_value_int(2));
    /* The other order, by a message. */
    span(f, "mailer", 4, 3, CONSUMER, 5 * S, S);
    span(f, "shop", 3, 9, PRODUCER, 0, 2 * S);
    send(f);
    write_at(f, 1001 * S);
    expect(f, TOTAL "client=\"shop\", client_zone=\"a\", server=\"stock\", server_zone=\"b\"}", 1);
    expect(f,
           "default/traces_service_graph_request_failed_total{client=\"shop\", client_zone=\"a\", "
           "server=\"stock\", server_zone=\"b\"}",
           1);
    expect(f,
           "default/traces_service_graph_request_server_seconds_bucket{client=\"shop\", "
           "client_zone=\"a\", le=\"0.4\", server=\"stock\", server_zone=\"b\"}",
           1);
    expect(f,
           "default/traces_service_graph_request_client_seconds_bucket{client=\"shop\", "
           "client_zone=\"a\", le=\"0.4\", server=\"stock\", server_zone=\"b\"}",
           0);
    expect(f, TOTAL EDGE("shop", ", connection_type=\"messaging_system\"", "mailer"), 1);
    expect(f,
           "default/traces_service_graph_request_messaging_system_seconds_sum{" EDGE(
               "shop", ", connection_type=\"messaging_system\"", "mailer"),
           3);
    assert_null(find(
        f, "default/traces_service_graph_request_messaging_system_seconds_sum{client=\"shop\", "
           "client_zone=\"a\", server=\"stock\", server_zone=\"b\"}"));
}

static void test_alone(void **state)
{
    struct fixture *f = *state;
    span(f, "shop", 1, 0, SERVER, 0, S); /* begins its trace */
    span(f, "shop", 2, 1, CLIENT, 0, S);
    text(f, "db.system", "postgresql");
    span(f, "shop", 3, 1, CLIENT, 0, S);
    text(f, "db.system", "postgresql");
    text(f, "network.peer.address", "10.0.0.1");
    attribute(f, "network.peer.port", data_value_int(5432));
    span(f, "shop", 4, 1, CLIENT, 0, S);
    text(f, "peer.service", "stripe");
    span(f, "shop", 5, 1, CLIENT, 0, S);  /* to nobody knows where */
    span(f, "shop", 6, 77, SERVER, 0, S); /* from whom nobody knows */
    send(f);
    write_at(f, 1009 * S);
    expect(f, TOTAL EDGE("user", ", connection_type=\"virtual_node\"", "shop"), 1);
    expect(f, TOTAL EDGE("shop", ", connection_type=\"database\"", "postgresql"), 1);
    expect(f, TOTAL EDGE("shop", ", connection_type=\"database\"", "10.0.0.1:5432"), 1);
    assert_null(find(f, TOTAL EDGE("shop", ", connection_type=\"virtual_node\"", "stripe")));
    write_at(f, 1011 * S);
    expect(f, TOTAL EDGE("shop", ", connection_type=\"virtual_node\"", "stripe"), 1);
    /* Too late. */
    span(f, "stripe", 7, 4, SERVER, 0, S);
    send(f);
    write_at(f, 1012 * S);
    assert_null(find(f, TOTAL EDGE("shop", "", "stripe")));
}

static void test_shared_span(void **state)
{
    struct fixture *f = *state;
    span(f, "shop", 1, 9, CLIENT, 0, S);
    span(f, "stock", 1, 9, SERVER, 0, S);
    attribute(f, "zipkin.shared", data_value_bool(true));
    send(f);
    write_at(f, 1001 * S);
    expect(f, TOTAL EDGE("shop", "", "stock"), 1);
}

static void test_edges_limit(void **state)
{
    struct fixture *f = *state;
    f->config.edges_max = 16; /* one a shard */
    begin(f);
    for (unsigned i = 1; i < 100; i++) {
        span(f, "shop", i, 120, CLIENT, 0, S);
        text(f, "peer.service", "stripe");
    }
    send(f);
    write_at(f, 1001 * S); /* their wait was cut short, but they count */
    const struct seen *s =
        find(f, TOTAL EDGE("shop", ", connection_type=\"virtual_node\"", "stripe"));
    assert_non_null(s);
    assert_true(s->last >= 83 && s->last < 99);
    write_at(f, 1011 * S);
    assert_true(s->last == 99);
}

static void test_tenants_are_apart(void **state)
{
    struct fixture *f = *state;
    struct data_event_batch *other = data_event_batch_new(DATA_EVENT_SPANS, SLICE("other")),
                            *mine = f->batch;
    span(f, "shop", 1, 9, CLIENT, 0, S);
    send(f);
    f->batch = other;
    span(f, "stock", 2, 1, SERVER, 0, S);
    send(f);
    f->batch = mine;
    data_event_batch_free(other);
    write_at(f, 1001 * S);
    expect(f, "default/traces_spanmetrics_calls_total{" OP("shop", "CLIENT", "UNSET"), 1);
    expect(f, "other/traces_spanmetrics_calls_total{" OP("stock", "SERVER", "UNSET"), 1);
    assert_null(find(f, TOTAL EDGE("shop", "", "stock")));
}

static void test_target_info(void **state)
{
    struct fixture *f = *state;
    f->config.target_info = true;
    begin(f);
    struct data_event_batch *b = f->batch;
    struct data_label labels[] = {{SLICE("k8s_pod_name"), SLICE("p1")},
                                  {SLICE("service_instance_id"), SLICE("i1")},
                                  {SLICE("service_name"), SLICE("shop")},
                                  {SLICE("service_namespace"), SLICE("web")}};
    uint32_t set = data_event_batch_add_set(b);
    data_event_put(b, data_event_batch_field(b, DATA_SCOPE_RESOURCE, SLICE("host.name")),
                   data_value_string(SLICE("h1")));
    span(f, "x", 1, 9, INTERNAL, 0, S);
    b->rows.items[0].resource = set;
    b->rows.items[0].stream = data_event_batch_add_stream(b, (struct data_labels){labels, 4});
    send(f);
    write_at(f, 1001 * S);
    expect(f,
           "default/traces_target_info{host_name=\"h1\", instance=\"i1\", job=\"web/shop\", "
           "k8s_pod_name=\"p1\"}",
           1);
    expect(f,
           "default/traces_spanmetrics_calls_total{instance=\"i1\", job=\"web/shop\", " OP(
               "shop", "INTERNAL", "UNSET"),
           1);
    write_at(f, 2000 * S);
    expect(f,
           "default/traces_target_info{host_name=\"h1\", instance=\"i1\", job=\"web/shop\", "
           "k8s_pod_name=\"p1\"}",
           data_stale_nan());
}

static void test_many_rows(void **state)
{
    struct fixture *f = *state;
    f->config.graph = false;
    f->config.dimensions = "n";
    begin(f);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            span(f, "shop", 1, 9, INTERNAL, 0, NS_PER_MS);
            attribute(f, "n", data_value_int(i));
        }
        send(f);
    }
    write_at(f, 1001 * S);
    for (int i = 0; i < 1000; i++) {
        char name[200];
        snprintf(
            name, sizeof(name),
            "default/traces_spanmetrics_calls_total{n=\"%d\", " OP("shop", "INTERNAL", "UNSET"), i);
        expect(f, name, 3);
    }
    /* Half of them end, the others are found all the same. */
    f->now_ns = 1500 * S;
    for (int i = 0; i < 1000; i += 2) {
        span(f, "shop", 1, 9, INTERNAL, 0, NS_PER_MS);
        attribute(f, "n", data_value_int(i));
    }
    send(f);
    write_at(f, 2000 * S);
    for (int i = 0; i < 1000; i += 2) {
        span(f, "shop", 1, 9, INTERNAL, 0, NS_PER_MS);
        attribute(f, "n", data_value_int(i));
    }
    send(f);
    write_at(f, 2001 * S);
    for (int i = 0; i < 1000; i++) {
        char name[200];
        snprintf(
            name, sizeof(name),
            "default/traces_spanmetrics_calls_total{n=\"%d\", " OP("shop", "INTERNAL", "UNSET"), i);
        expect(f, name, i % 2 ? data_stale_nan() : 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_idle_rows_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_and_failed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dimensions_and_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_intrinsics_and_mappings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_filter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sampled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_overflow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_native, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pairs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shared_span, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_edges_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tenants_are_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_target_info, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_rows, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("span_metrics", tests, NULL, NULL);
}
