/* Scraping against an HTTP server in this process, with a clock moved by hand. */
#include "input/scrape/scrape.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/map.h"
#include "net/http_server.h"

/* --- a sink that keeps what it gets as text --- */

struct keeper {
    struct pipe_sink sink;
    pthread_mutex_t lock;
    struct map *last;     /* series text -> value text */
    struct buf exemplars; /* one a line */
    struct buf metadata;
    size_t samples;
    struct map *times; /* series text -> ts in ms */
};

static void keep(struct pipe_sink *sink, const struct data_metric_batch *b, pipe_ack_fn ack,
                 void *ctx)
{
    struct keeper *k = BASE_CONTAINER_OF(sink, struct keeper, sink);
    struct arena *arena = arena_new(0, NULL);
    struct buf text = {0};
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < b->sample_ts.len; i++) {
        struct data_labels l;
        char value[64];
        assert_int_equal(
            data_labels_decode(b->series.items[b->sample_series.items[i]].key, arena, &l), 0);
        buf_clear(&text);
        data_labels_print(l, &text);
        double v = b->sample_value.items[i];
        snprintf(value, sizeof(value), data_is_stale(v) ? "stale" : "%g", v);
        struct map_entry *e = map_put(k->last, buf_slice(&text), NULL);
        mem_free(e->value.ptr);
        e->value.ptr = mem_strdup(value);
        map_put(k->times, buf_slice(&text), NULL)->value.u64 =
            (uint64_t)(b->sample_ts.items[i] / NS_PER_MS);
        k->samples++;
    }
    for (size_t i = 0; i < b->exemplars.len; i++) {
        data_labels_print(b->exemplars.items[i].labels, &k->exemplars);
        buf_printf(&k->exemplars, " %g\n", b->exemplars.items[i].value);
    }
    for (size_t i = 0; i < b->metadata.len; i++)
        buf_printf(&k->metadata, "%.*s %s %.*s\n", SLICE_FMT(b->metadata.items[i].metric),
                   data_metric_type_name(b->metadata.items[i].type),
                   SLICE_FMT(b->metadata.items[i].help));
    pthread_mutex_unlock(&k->lock);
    buf_deinit(&text);
    arena_free(arena);
    struct pipe_result result = {.samples_accepted = b->sample_ts.len};
    if (ack)
        ack(ctx, 0, &result);
}

/* --- a server whose pages the test sets --- */

struct page {
    int status;
    const char *type;
    char body[4096];
};

struct fixture {
    struct net_loops *loops;
    struct net_http_server *server;
    uint16_t port;
    pthread_mutex_t lock;
    struct page page[3]; /* /a, /b, /sd */
    char seen_headers[2048];
    struct keeper keeper;
    struct input_scrape *scrape;
    char dir[64];
    int64_t now_ms;
};

static void handle(struct net_request *req, void *ctx)
{
    struct fixture *f = ctx;
    struct slice path = net_request_path(req);
    size_t i = slice_eq_cstr(path, "/a") ? 0 : slice_eq_cstr(path, "/b") ? 1 : 2;
    pthread_mutex_lock(&f->lock);
    snprintf(f->seen_headers, sizeof(f->seen_headers), "%.*s|%.*s|%.*s|%.*s",
             SLICE_FMT(net_request_query(req)), SLICE_FMT(net_request_header(req, "authorization")),
             SLICE_FMT(net_request_header(req, "x-prometheus-scrape-timeout-seconds")),
             SLICE_FMT(net_request_header(req, "accept")));
    struct page *p = &f->page[i];
    net_respond(req, p->status ? p->status : 200, p->type ? p->type : "text/plain; version=0.0.4",
                slice_cstr(p->body));
    pthread_mutex_unlock(&f->lock);
}

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    struct diag diag;
    diag_init(&diag);
    pthread_mutex_init(&f->lock, NULL);
    pthread_mutex_init(&f->keeper.lock, NULL);
    f->keeper.sink.metrics = keep;
    f->keeper.last = map_new();
    f->keeper.times = map_new();
    assert_int_equal(net_loops_start(2, &f->loops, &diag), 0);
    struct net_http_config config = {
        .name = "test", .listen = "127.0.0.1:0", .handler = handle, .ctx = f};
    assert_int_equal(net_http_server_start(f->loops, &config, &f->server, &diag), 0);
    f->port = net_http_server_port(f->server);
    snprintf(f->dir, sizeof(f->dir), "/tmp/pharos-scrape-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    struct input_env env = {.loops = f->loops, .os = os_real(), .sink = &f->keeper.sink};
    assert_int_equal(input_scrape_new(&env, &f->scrape, &diag), 0);
    input_scrape_set_manual(f->scrape);
    f->now_ms = 1000000;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[128];
    input_scrape_stop(f->scrape);
    net_http_server_stop(f->server, NS_PER_SEC);
    net_loops_stop(f->loops, NS_PER_SEC);
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(f->keeper.last, &pos));)
        mem_free(e->value.ptr);
    map_free(f->keeper.last);
    map_free(f->keeper.times);
    buf_deinit(&f->keeper.exemplars);
    buf_deinit(&f->keeper.metadata);
    snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    mem_free(f);
    return 0;
}

/* $A stands for the server's address, $D for the folder. */
static void apply(struct fixture *f, const char *yaml)
{
    struct buf text = {0};
    for (const char *c = yaml; *c; c++) {
        if (c[0] == '$' && c[1] == 'A') {
            buf_printf(&text, "127.0.0.1:%u", f->port);
            c++;
        } else if (c[0] == '$' && c[1] == 'D') {
            buf_append_cstr(&text, f->dir);
            c++;
        } else {
            buf_append_char(&text, *c);
        }
    }
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *root;
    struct diag diag;
    char full[1200];
    diag_init(&diag);
    assert_int_equal(text_yaml_parse(buf_slice(&text), arena, &root, &diag), 0);
    struct input_scrape_source source = {.global = text_yaml_get(root, "global"),
                                         .scrape_configs = text_yaml_get(root, "scrape_configs")};
    struct input_scrape_config *config;
    if (input_scrape_config_parse(&source, &config, &diag))
        fail_msg("%s", diag_str(&diag, full, sizeof(full)));
    input_scrape_apply(f->scrape, config);
    buf_deinit(&text);
    arena_free(arena);
}

static void page(struct fixture *f, size_t i, int status, const char *type, const char *body)
{
    pthread_mutex_lock(&f->lock);
    f->page[i].status = status;
    f->page[i].type = type;
    snprintf(f->page[i].body, sizeof(f->page[i].body), "%s", body);
    pthread_mutex_unlock(&f->lock);
}

static void scrape(struct fixture *f)
{
    f->now_ms += 15000;
    input_scrape_run_once(f->scrape, f->now_ms * NS_PER_MS);
}

/* The last value of a series; $I stands for instance="...". */
static const char *last(struct fixture *f, const char *series)
{
    struct buf text = {0};
    for (const char *c = series; *c; c++) {
        if (c[0] == '$' && c[1] == 'I') {
            buf_printf(&text, "instance=\"127.0.0.1:%u\"", f->port);
            c++;
        } else {
            buf_append_char(&text, *c);
        }
    }
    struct map_entry *e = map_get(f->keeper.last, buf_slice(&text));
    buf_deinit(&text);
    return e ? e->value.ptr : "none";
}

static void first_scrape(void **state)
{
    struct fixture *f = *state;
    page(f, 0, 200, NULL, "# HELP a An a.\n# TYPE a counter\na{x=\"1\"} 5\nb 7 123000\n");
    apply(f, "scrape_configs: [{job_name: j, metrics_path: /a, params: {m: [x, y], n: ['1 2']}, "
             "scrape_timeout: 5s, authorization: {credentials: secret}, static_configs: "
             "[{targets: [$A], labels: {env: e}}]}]");
    scrape(f);
    assert_string_equal(last(f, "a{env=\"e\", $I, job=\"j\", x=\"1\"}"), "5");
    assert_string_equal(last(f, "b{env=\"e\", $I, job=\"j\"}"), "7");
    assert_string_equal(last(f, "up{env=\"e\", $I, job=\"j\"}"), "1");
    assert_string_equal(last(f, "scrape_samples_scraped{env=\"e\", $I, job=\"j\"}"), "2");
    assert_string_equal(last(f, "scrape_samples_post_metric_relabeling{env=\"e\", $I, job=\"j\"}"),
                        "2");
    assert_string_equal(last(f, "scrape_series_added{env=\"e\", $I, job=\"j\"}"), "2");
    assert_string_not_equal(last(f, "scrape_duration_seconds{env=\"e\", $I, job=\"j\"}"), "none");
    assert_string_equal(last(f, "scrape_timeout_seconds{env=\"e\", $I, job=\"j\"}"), "none");
    assert_string_equal(f->seen_headers,
                        "m=x&m=y&n=1%202|Bearer secret|5|"
                        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                        "application/openmetrics-text;version=0.0.1;q=0.5,"
                        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
                        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2");
    assert_string_equal(buf_cstr(&f->keeper.metadata), "a counter An a.\n");
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(f->keeper.times, &pos));)
        assert_int_equal(e->value.u64, slice_starts_with(e->key, SLICE("b{")) ? 123000 : f->now_ms);
    scrape(f);
    assert_string_equal(last(f, "scrape_series_added{env=\"e\", $I, job=\"j\"}"), "0");
    /* Unchanged metadata does not travel again. */
    assert_string_equal(buf_cstr(&f->keeper.metadata), "a counter An a.\n");
    struct arena *arena = arena_new(0, NULL);
    struct input_scrape_view view;
    input_scrape_look(f->scrape, arena, &view);
    assert_int_equal(view.target_count, 1);
    assert_int_equal(view.targets[0].health, INPUT_SCRAPE_UP);
    assert_int_equal(view.targets[0].last_scrape_ns, f->now_ms * NS_PER_MS);
    assert_int_equal(view.targets[0].last_samples, 2);
    assert_true(slice_eq_cstr(view.targets[0].last_error, ""));
    assert_true(
        slice_eq_cstr(data_labels_get(view.targets[0].discovered, SLICE("__scheme__")), "http"));
    struct input_scrape_metadata_view *metadata;
    size_t count;
    input_scrape_look_metadata(f->scrape, SLICE("a"), arena, &metadata, &count);
    assert_int_equal(count, 1);
    assert_true(slice_eq_cstr(metadata[0].metadata.help, "An a."));
    arena_free(arena);
}

static void staleness(void **state)
{
    struct fixture *f = *state;
    page(f, 0, 200, NULL, "a 1\nb 2\nown 3 1000\n");
    apply(f,
          "scrape_configs: [{job_name: j, metrics_path: /a, static_configs: [{targets: [$A]}]}]");
    scrape(f);
    page(f, 0, 200, NULL, "a 1\n");
    scrape(f); /* b is gone; own has its own clock */
    assert_string_equal(last(f, "a{$I, job=\"j\"}"), "1");
    assert_string_equal(last(f, "b{$I, job=\"j\"}"), "stale");
    assert_string_equal(last(f, "own{$I, job=\"j\"}"), "3");
    page(f, 0, 200, NULL, "a 1\nb 4\n");
    scrape(f);
    assert_string_equal(last(f, "b{$I, job=\"j\"}"), "4");
    page(f, 0, 500, NULL, "");
    scrape(f); /* a failed scrape ends all of them */
    assert_string_equal(last(f, "a{$I, job=\"j\"}"), "stale");
    assert_string_equal(last(f, "b{$I, job=\"j\"}"), "stale");
    assert_string_equal(last(f, "up{$I, job=\"j\"}"), "0");
    assert_string_equal(last(f, "scrape_samples_scraped{$I, job=\"j\"}"), "0");
    size_t before = f->keeper.samples;
    scrape(f); /* and says so once */
    assert_int_equal(f->keeper.samples - before, 5);
    page(f, 0, 200, NULL, "a 9\nb 9\n");
    scrape(f);
    assert_string_equal(last(f, "a{$I, job=\"j\"}"), "9");
    page(f, 0, 200, NULL, "a 10\nb 1x\n");
    scrape(f); /* a parse error is a failed scrape: nothing of it is kept */
    assert_string_equal(last(f, "a{$I, job=\"j\"}"), "stale");
    assert_string_equal(last(f, "b{$I, job=\"j\"}"), "stale");
    page(f, 0, 200, NULL, "a 11\n");
    scrape(f);
    apply(f, "scrape_configs: []"); /* the target is gone */
    scrape(f);
    assert_string_equal(last(f, "a{$I, job=\"j\"}"), "stale");
    assert_string_equal(last(f, "up{$I, job=\"j\"}"), "stale");
}

static void honor_labels_and_timestamps(void **state)
{
    struct fixture *f = *state;
    page(f, 0, 200, NULL, "a{job=\"mine\",exported_job=\"e\"} 1 5000\n");
    apply(f, "scrape_configs:\n"
             "- {job_name: j, metrics_path: /a, honor_timestamps: false, static_configs: "
             "[{targets: [$A]}]}\n"
             "- {job_name: h, metrics_path: /a, honor_labels: true, static_configs: [{targets: "
             "[$A], labels: {z: '1'}}]}\n");
    scrape(f);
    const char *renamed = "a{exported_exported_job=\"mine\", exported_job=\"e\", $I, job=\"j\"}";
    assert_string_equal(last(f, renamed), "1");
    assert_string_equal(last(f, "a{exported_job=\"e\", $I, job=\"mine\", z=\"1\"}"), "1");
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(f->keeper.times, &pos));) {
        if (slice_starts_with(e->key, SLICE("a{exported_exported")))
            assert_int_equal(e->value.u64, f->now_ms);
        else if (slice_starts_with(e->key, SLICE("a{")))
            assert_int_equal(e->value.u64, 5000);
    }
}

static const char *error_of(struct fixture *f, struct arena *arena)
{
    struct input_scrape_view view;
    input_scrape_look(f->scrape, arena, &view);
    assert_true(view.target_count > 0);
    return view.targets[0].last_error.ptr;
}

static void limits(void **state)
{
    struct fixture *f = *state;
    static const char *const rows[][3] = {
        {"sample_limit: 2", "3 samples after metric relabelling, sample_limit is 2", "3"},
        {"body_size_limit: 10B", "the body is larger than body_size_limit (10 bytes)", "0"},
        {"label_limit: 3", "long_name has 4 labels, label_limit is 3", "3"},
        {"label_name_length_limit: 10",
         "label name \"label_with_a_name\" of long_name is 17 bytes long, label_name_length_limit "
         "is 10",
         "3"},
        {"label_value_length_limit: 16",
         "the value of label \"label_with_a_name\" of long_name is 17 bytes long, "
         "label_value_length_limit is 16",
         "3"},
    };
    page(f, 0, 200, NULL, "a 1\nb 2\nlong_name{label_with_a_name=\"value_of_17_bytes\"} 1\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *arena = arena_new(0, NULL);
        char yaml[512];
        snprintf(yaml, sizeof(yaml),
                 "scrape_configs: [{job_name: j, metrics_path: /a, %s, static_configs: [{targets: "
                 "[$A]}], relabel_configs: [{target_label: instance, replacement: i}]}]",
                 rows[i][0]);
        apply(f, yaml);
        scrape(f);
        assert_string_equal(error_of(f, arena), rows[i][1]);
        assert_string_equal(last(f, "up{instance=\"i\", job=\"j\"}"), "0");
        assert_string_equal(last(f, "scrape_samples_scraped{instance=\"i\", job=\"j\"}"),
                            rows[i][2]);
        assert_string_equal(last(f, "a{instance=\"i\", job=\"j\"}"), "none");
        arena_free(arena);
    }
    apply(f, "scrape_configs: [{job_name: t, metrics_path: /a, target_limit: 1, static_configs: "
             "[{targets: [$A], labels: {n: '1'}}, {targets: [$A], labels: {n: '2'}}]}]");
    scrape(f);
    assert_string_equal(last(f, "up{$I, job=\"t\", n=\"1\"}"), "1");
    assert_string_equal(last(f, "up{$I, job=\"t\", n=\"2\"}"), "0");
}

static void relabelling(void **state)
{
    struct fixture *f = *state;
    page(f, 1, 200, NULL, "keep_me{a=\"1\"} 1\ndrop_me 2\n");
    apply(f, "scrape_configs:\n"
             "- job_name: j\n"
             "  metrics_path: /wrong\n"
             "  keep_dropped_targets: 1\n"
             "  static_configs: [{targets: [$A, 'gone:1', 'gone:2']}]\n"
             "  relabel_configs:\n"
             "  - {source_labels: [__address__], regex: gone.*, action: drop}\n"
             "  - {target_label: __metrics_path__, replacement: /b}\n"
             "  - {target_label: __param_q, replacement: v}\n"
             "  metric_relabel_configs:\n"
             "  - {source_labels: [__name__], regex: drop_me, action: drop}\n"
             "  - {source_labels: [a], target_label: b}\n");
    scrape(f);
    assert_string_equal(last(f, "keep_me{a=\"1\", b=\"1\", $I, job=\"j\"}"), "1");
    assert_string_equal(last(f, "drop_me{$I, job=\"j\"}"), "none");
    assert_string_equal(last(f, "scrape_samples_scraped{$I, job=\"j\"}"), "2");
    assert_string_equal(last(f, "scrape_samples_post_metric_relabeling{$I, job=\"j\"}"), "1");
    assert_true(strncmp(f->seen_headers, "q=v|", 4) == 0);
    struct arena *arena = arena_new(0, NULL);
    struct input_scrape_view view;
    input_scrape_look(f->scrape, arena, &view);
    assert_int_equal(view.dropped_count, 1);
    assert_int_equal(view.pools[0].dropped, 2);
    arena_free(arena);
}

static void openmetrics_and_content_types(void **state)
{
    struct fixture *f = *state;
    struct arena *arena = arena_new(0, NULL);
    page(f, 0, 200, "application/openmetrics-text; version=1.0.0",
         "# TYPE a counter\na_total 1 # {trace_id=\"t\"} 0.5\n# EOF\n");
    apply(f,
          "scrape_configs: [{job_name: j, metrics_path: /a, static_configs: [{targets: [$A]}]}]");
    scrape(f);
    assert_string_equal(last(f, "a_total{$I, job=\"j\"}"), "1");
    assert_string_equal(buf_cstr(&f->keeper.exemplars), "{trace_id=\"t\"} 0.5\n");
    page(f, 0, 200, "application/openmetrics-text; version=1.0.0", "# TYPE a counter\na_total 1\n");
    scrape(f);
    assert_string_equal(error_of(f, arena), "3:1: the body ends without # EOF");
    page(f, 0, 200, "text/html", "a_total 2\n");
    scrape(f);
    assert_string_equal(error_of(f, arena), "Content-Type \"text/html\" is no exposition format, "
                                            "and fallback_scrape_protocol is not set");
    apply(f, "scrape_configs: [{job_name: j, metrics_path: /a, fallback_scrape_protocol: "
             "PrometheusText0.0.4, static_configs: [{targets: [$A]}]}]");
    scrape(f);
    assert_string_equal(last(f, "a_total{$I, job=\"j\"}"), "2");
    arena_free(arena);
}

static void write_file(struct fixture *f, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (const char *c = text; *c; c++) {
        if (c[0] == '$' && c[1] == 'A') {
            fprintf(file, "127.0.0.1:%u", f->port);
            c++;
        } else {
            fputc(*c, file);
        }
    }
    fclose(file);
}

static void file_discovery(void **state)
{
    struct fixture *f = *state;
    page(f, 0, 200, NULL, "a 1\n");
    write_file(f, "one.json", "[{\"targets\": [\"$A\"], \"labels\": {\"n\": \"1\"}}]");
    apply(f, "scrape_configs: [{job_name: j, metrics_path: /a, file_sd_configs: [{files: "
             "['$D/*.json', '$D/two.yml']}]}]");
    scrape(f);
    assert_string_equal(last(f, "a{$I, job=\"j\", n=\"1\"}"), "1");
    write_file(f, "two.yml", "- targets: ['$A']\n  labels: {n: '22'}\n");
    scrape(f);
    assert_string_equal(last(f, "a{$I, job=\"j\", n=\"22\"}"), "1");
    write_file(f, "one.json", "[{\"targets\": [\"$A\"]"); /* broken: the old targets stay */
    page(f, 0, 200, NULL, "a 2\n");
    scrape(f);
    assert_string_equal(last(f, "a{$I, job=\"j\", n=\"1\"}"), "2");
    char path[256];
    snprintf(path, sizeof(path), "%s/one.json", f->dir);
    assert_int_equal(unlink(path), 0);
    scrape(f);
    assert_string_equal(last(f, "a{$I, job=\"j\", n=\"1\"}"), "stale");
    assert_string_equal(last(f, "a{$I, job=\"j\", n=\"22\"}"), "2");
    struct arena *arena = arena_new(0, NULL);
    struct input_scrape_view view;
    input_scrape_look(f->scrape, arena, &view);
    snprintf(path, sizeof(path), "%s/two.yml", f->dir);
    assert_true(
        slice_eq_cstr(data_labels_get(view.targets[0].discovered, SLICE("__meta_filepath")), path));
    arena_free(arena);
}

static void http_discovery(void **state)
{
    struct fixture *f = *state;
    char body[256];
    page(f, 0, 200, NULL, "a 1\n");
    snprintf(body, sizeof(body), "[{\"targets\": [\"127.0.0.1:%u\"], \"labels\": {\"n\": \"1\"}}]",
             f->port);
    page(f, 2, 200, "application/json; charset=utf-8", body);
    const char *yaml = "scrape_configs: [{job_name: j, metrics_path: /a, http_sd_configs: [{url: "
                       "'http://$A/sd'}]}]";
    apply(f, yaml);
    scrape(f);
    assert_string_equal(last(f, "a{$I, job=\"j\", n=\"1\"}"), "1");
    page(f, 2, 500, NULL, "");
    page(f, 0, 200, NULL, "a 2\n");
    scrape(f); /* the server fails: its old answer stays */
    assert_string_equal(last(f, "a{$I, job=\"j\", n=\"1\"}"), "2");
    page(f, 2, 200, "application/json", "[]");
    scrape(f);
    assert_string_equal(last(f, "a{$I, job=\"j\", n=\"1\"}"), "stale");
}

/* A reload keeps what did not change: no series is new, none ends. */
static void reload_keeps_targets(void **state)
{
    struct fixture *f = *state;
    page(f, 0, 200, NULL, "a 1\n");
    const char *one =
        "scrape_configs: [{job_name: j, metrics_path: /a, static_configs: [{targets: [$A]}]}]";
    apply(f, one);
    scrape(f);
    assert_string_equal(last(f, "scrape_series_added{$I, job=\"j\"}"), "1");
    apply(f, "scrape_configs: [{job_name: k, metrics_path: /a, static_configs: [{targets: [$A]}]}, "
             "{job_name: j, metrics_path: /a, static_configs: [{targets: [$A, $A]}]}]");
    scrape(f);
    assert_string_equal(last(f, "scrape_series_added{$I, job=\"j\"}"), "0");
    assert_string_equal(last(f, "scrape_series_added{$I, job=\"k\"}"), "1");
    apply(f, one);
    scrape(f);
    assert_string_equal(last(f, "a{$I, job=\"j\"}"), "1");
    assert_string_equal(last(f, "a{$I, job=\"k\"}"), "stale");
    /* Other settings, the same labels: a new target, but the series go on. */
    size_t before = f->keeper.samples;
    apply(f, "scrape_configs: [{job_name: j, metrics_path: /a, honor_labels: true, static_configs: "
             "[{targets: [$A]}]}]");
    scrape(f);
    assert_int_equal(f->keeper.samples - before, 6);
    assert_string_equal(last(f, "a{$I, job=\"j\"}"), "1");
}

static void extra_metrics(void **state)
{
    struct fixture *f = *state;
    page(f, 0, 200, NULL, "a 1\n");
    apply(f,
          "global: {extra_scrape_metrics: true}\nscrape_configs: [{job_name: j, metrics_path: /a, "
          "sample_limit: 10, static_configs: [{targets: [$A]}]}]");
    scrape(f);
    assert_string_equal(last(f, "scrape_timeout_seconds{$I, job=\"j\"}"), "10");
    assert_string_equal(last(f, "scrape_sample_limit{$I, job=\"j\"}"), "10");
    assert_string_equal(last(f, "scrape_body_size_bytes{$I, job=\"j\"}"), "4");
}

static void nobody_listens(void **state)
{
    struct fixture *f = *state;
    apply(f, "scrape_configs: [{job_name: j, static_configs: [{targets: ['127.0.0.1:1']}]}]");
    scrape(f);
    assert_string_equal(last(f, "up{instance=\"127.0.0.1:1\", job=\"j\"}"), "0");
    struct arena *arena = arena_new(0, NULL);
    assert_non_null(strstr(error_of(f, arena), "http://127.0.0.1:1/metrics"));
    arena_free(arena);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(first_scrape),   T(staleness),      T(honor_labels_and_timestamps),
        T(limits),         T(relabelling),    T(openmetrics_and_content_types),
        T(file_discovery), T(http_discovery), T(reload_keeps_targets),
        T(extra_metrics),  T(nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
