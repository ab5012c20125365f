/* StatsD's parsers, line by line, and what becomes of lines: fed to the daemon without sockets,
 * flushed into a sink that keeps what it gets. */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "data/histogram_math.h"
#include "input/statsd/statsd_priv.h"
#include "text/regex.h"

/* --- the parsers: what they saw as text --- */

static const char kind_letters[STATSD_KIND_COUNT] = {'c', 'g', 't', 'h', 'd', 's'};

static enum statsd_reason print_sample(void *ctx, const struct statsd_sample *s)
{
    struct buf *out = ctx;
    buf_printf(out, "%s%.*s%.*s %c ", out->len ? "; " : "", SLICE_FMT(s->name), SLICE_FMT(s->tail),
               kind_letters[s->kind]);
    if (s->kind == STATSD_SET)
        buf_printf(out, "%.*s", SLICE_FMT(s->text));
    else
        buf_printf(out, "%s%g", s->is_delta ? "by " : "", s->value);
    if (s->weight != 1)
        buf_printf(out, " x%g", s->weight);
    if (s->ts_ns)
        buf_printf(out, " at %lld", (long long)(s->ts_ns / NS_PER_SEC));
    return STATSD_OK;
}

static enum statsd_reason print_event(void *ctx, struct slice line)
{
    buf_printf(ctx, "event %zu", line.len);
    return STATSD_OK;
}

static void print_refused(void *ctx, enum statsd_reason reason, struct slice line)
{
    struct buf *out = ctx;
    (void)line;
    buf_printf(out, "%s!%s", out->len ? "; " : "", statsd_reason_name(reason));
}

struct row {
    const char *line, *want;
};

static void check_rows(const struct row *rows, size_t count, bool is_node, bool absolute)
{
    for (size_t i = 0; i < count; i++) {
        struct buf out = {0};
        struct statsd_parser p = {.is_node = is_node,
                                  .gauges_absolute = absolute,
                                  .on_sample = print_sample,
                                  .on_event = print_event,
                                  .on_refused = print_refused,
                                  .ctx = &out};
        statsd_parse(&p, slice_cstr(rows[i].line));
        if (strcmp(buf_cstr(&out), rows[i].want) != 0)
            fail_msg("\"%s\" gave \"%s\", not \"%s\"", rows[i].line, buf_cstr(&out), rows[i].want);
        buf_deinit(&out);
        buf_deinit(&p.scratch);
    }
}

static void strict_lines(void **state)
{
    static const struct row rows[] = {
        {"a:1|c", "a c 1"},
        {"a:1|c\n", "a c 1"},
        {"a:1|c\r\nb:2|c\n\n", "a c 1; b c 2"},
        {"a.b-c:-1.5|c", "a.b-c c -1.5"},
        {"a:1e3|c", "a c 1000"},
        {"a:1|C", "a c 1"},
        {"a:1|m", "a c 1"},
        {"a:1|c|@0.1", "a c 1 x10"},
        {"a:1|c|@0", "a c 1"},
        {"a:1|c|@2", "a c 1"},
        {"a:5|ms|@0.5", "a t 5 x2"},
        {"a:5|h", "a h 5"},
        {"a:5|d", "a d 5"},
        {"a:7|kv", "a g 7"},
        {"a:7|g", "a g 7"},
        {"a:+7|g", "a g by 7"},
        {"a:-7|g", "a g by -7"},
        {"a:=-7|g", "a g -7"},
        {"a:x y|s", "a s x y"},
        {"a:x:y|s", "a s x:y"},
        /* several of a type, several of a name */
        {"a:1:2:3|d", "a d 1; a d 2; a d 3"},
        {"a:1::3|ms", "a t 1; a t 3"},
        {"a:1|c:2|c", "a c 1; a c 2"},
        {"a:1|c|@0.5:200|ms", "a c 1 x2; a t 200"},
        {"a:1|c:2|c|#k:v", "a|#k:v c 1; a|#k:v c 2"},
        {"a:1|c:x|c", "a c 1; !bad_value"},
        /* sections in any order */
        {"a:1|c|#k:v,b", "a|#k:v,b c 1"},
        {"a:1|c|#k:v|@0.5", "a|#k:v c 1 x2"},
        {"a:1|c|@0.5|#k:v|c:abc", "a|#k:v|c:abc c 1 x2"},
        {"a:1|c|#k:v|@0.5|c:abc", "a|#k:v|c:abc c 1 x2"},
        {"a:1|g|T1656581400|#k:v", "a|#k:v g 1 at 1656581400"},
        {"a:1|c|#k:v|e:it-false,cn-x|card:low", "a|#k:v|e:it-false,cn-x c 1"},
        {"a:1|c|#k:v|new:thing", "a|#k:v c 1"},
        {"a,k=v:1|c", "a,k=v c 1"},
        {"a#k=v:1|c", "a#k=v c 1"},
        {"a[k=v]:1|c", "a[k=v] c 1"},
        {"_e{5,4}:Title|Text", "event 18"},
        {"_sc|svc|0", "event 9"},
        /* refusals */
        {"a", "!no_value"},
        {"a:", "!no_value"},
        {"a:|c", "!no_value"},
        {"a:::|c", "!no_value"},
        {":1|c", "!no_name"},
        {"a:1", "!no_type"},
        {"a:1|", "!no_type"},
        {"a:1|x", "!bad_type"},
        {"a:1|MS", "!bad_type"},
        {"a:x|c", "!bad_value"},
        {"a:0x10|c", "!bad_value"},
        {"a:NaN|c", "!bad_value"},
        {"a:Infinity|c", "!bad_value"},
        {"a:inf|g", "!bad_value"},
        {"a:1e999|g", "!bad_value"},
        {"a:-|g", "!bad_value"},
        {"a:.|g", "!bad_value"},
        {"a: 1|c", "!bad_value"},
        {"a:|s", "!no_value"},
        {"a:-5|ms", "!negative_time"},
        {"a:1|c|@x", "!bad_rate"},
        {"a:1|c|", "!empty_section"},
        {"a:1|c||#k:v", "!empty_section"},
        {"a:1|c|Tx", "!bad_timestamp"},
        {"a:1|ms|T1656581400", "!bad_timestamp"},
        {"a:1|c|T0", "!bad_timestamp"},
    };
    static const struct row absolute[] = {{"a:-7|g", "a g -7"}, {"a:+7|g", "a g 7"}};
    (void)state;
    check_rows(rows, ARRAY_LEN(rows), false, false);
    check_rows(absolute, ARRAY_LEN(absolute), false, true);
}

/* What the Node daemon was seen to do with each. */
static void node_lines(void **state)
{
    static const struct row rows[] = {
        {"a:1|c", "a c 1"},
        {"a:1|c:2|c", "a c 1; a c 2"},
        {"m:1|c:200|ms", "m c 1; m t 200"},
        {"m:1:2:3|c", "!bad_line; !bad_line; m c 3"},
        {"a|c", "!bad_line"},
        {"a", "!bad_line"},
        {"a:", "!bad_line"},
        {"a:|c", "!bad_line"},
        {"a:1", "!bad_line"},
        {"a:1|", "a c 1"},
        {"a:0x10|c", "a c 16"},
        {"a:1e3|c", "a c 1000"},
        {"a:Infinity|c", "a c inf"},
        {"a: 5 |c", "a c 5"},
        {"a:NaN|c", "!bad_line"},
        {"a:abc|c", "!bad_line"},
        {"a:1|h", "a c 1"},
        {"a:1|MS", "a c 1"},
        {"a:1|c|@0.1", "a c 1 x10"},
        {"a:1|c|@0", "a c 1 xinf"},
        {"a:1|c|@2", "a c 1 x0.5"},
        {"a:1|c|@1e-1", "a c 1"},
        {"a:1|c|@-1", "!bad_line"},
        {"a:1|c|@x", "!bad_line"},
        {"a:-5|ms", "!bad_line"},
        {"a:0|ms", "a t 0"},
        {"g:-4|g", "g g by -4"},
        {"s:anything|s", "s s anything"},
        {"s:|s", "s s 0"},
        {":1|c", " c 1"},
        {"a b/c\xc3\xa9:1|c", "a_b-c c 1"},
        {"u:1|c|#u:http://x/y", "u;u=http--x-y c 1"},
        {"x:1|c|#env:prod|c:abc", "x;env=prodcabc c 1"},
        {"x:1|c|T1656581400", "!bad_line"},
        {"tag.f,env=prod:1|c", "tag.fenv=prod c 1"},
        {"x:1|c|#a,b:c", "x;a;b=c c 1"},
        {"x:1|c|#", "x c 1"},
        {"x:1|c|#a|#b", "x;a c 1"},
        {"x:1|c\r\n", "x c 1"},
    };
    (void)state;
    check_rows(rows, ARRAY_LEN(rows), true, false);
}

/* --- the daemon --- */

struct stored {
    struct pipe_sink sink;
    struct buf text; /* "name{labels} value@seconds\n" in the order of arrival */
    double histogram_count, histogram_sum, median;
    struct buf logs;
};

static void keep_metrics(struct pipe_sink *sink, const struct data_metric_batch *b, pipe_ack_fn ack,
                         void *ctx)
{
    struct stored *s = (struct stored *)sink;
    (void)ack;
    (void)ctx;
    for (size_t i = 0; i < b->sample_ts.len; i++) {
        struct data_labels labels;
        struct arena *arena = arena_new(0, NULL);
        const struct data_histogram *h =
            b->sample_histogram.len ? b->sample_histogram.items[i] : NULL;
        assert_int_equal(
            data_labels_decode(b->series.items[b->sample_series.items[i]].key, arena, &labels), 0);
        data_labels_print(labels, &s->text);
        if (h) {
            data_histogram_bucket_list scratch = {0};
            bool skew = false;
            struct diag d;
            diag_init(&d);
            if (data_histogram_check(h, &d))
                fail_msg("%s", d.msg);
            s->histogram_count = h->count;
            s->histogram_sum = h->sum;
            s->median = data_histogram_quantile(h, 0.5, &scratch, &skew);
            vec_free(&scratch);
            buf_printf(&s->text, " histogram");
        } else if (data_is_stale(b->sample_value.items[i])) {
            buf_printf(&s->text, " stale");
        } else {
            buf_printf(&s->text, " %.10g", b->sample_value.items[i]);
        }
        buf_printf(&s->text, "@%g\n", (double)b->sample_ts.items[i] / 1e9);
        arena_free(arena);
    }
}

static void keep_logs(struct pipe_sink *sink, const struct data_event_batch *b, pipe_ack_fn ack,
                      void *ctx)
{
    struct stored *s = (struct stored *)sink;
    (void)ack;
    (void)ctx;
    for (size_t i = 0; i < b->rows.len; i++) {
        const struct data_event_row *row = &b->rows.items[i];
        for (uint32_t k = row->first; k < row->first + row->count; k++) {
            const struct data_event_attr *a = &b->attrs.items[k];
            buf_printf(&s->logs, "%.*s=%.*s;", SLICE_FMT(b->fields.items[a->field].name),
                       SLICE_FMT(a->value.text));
        }
        buf_append_char(&s->logs, '\n');
    }
}

static struct input_statsd_config plain_config(void)
{
    return (struct input_statsd_config){.flush_interval_ns = 10 * NS_PER_SEC,
                                        .flush_counts = true,
                                        .sanitize = true,
                                        .expire_ns = 300 * NS_PER_SEC,
                                        .names_max = 1000,
                                        .line_bytes_max = 4096,
                                        .memory_max = 1 << 26,
                                        .percentiles = "90",
                                        .legacy_namespace = true,
                                        .global_prefix = "stats",
                                        .prefix_counter = "counters",
                                        .prefix_timer = "timers",
                                        .prefix_gauge = "gauges",
                                        .prefix_set = "sets",
                                        .prefix_stats = "statsd"};
}

static struct stored store = {.sink = {.metrics = keep_metrics, .logs = keep_logs}};

static struct input_statsd *open_with(const struct input_statsd_config *config)
{
    struct input_env env = {.os = os_real(), .sink = &store.sink};
    struct input_statsd *s;
    struct diag d;
    diag_init(&d);
    if (input_statsd_new(&env, config, &s, &d))
        fail_msg("%s", d.msg);
    return s;
}

static void feed(struct input_statsd *s, const char *lines)
{
    input_statsd_feed(s, 0, slice_cstr(lines), "test");
}

static int lines_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Flushes at `seconds` and compares what arrived, in any order. */
static void expect(struct input_statsd *s, int64_t seconds, const char *want)
{
    char *lines[200], *more;
    size_t n = 0;
    struct buf sorted = {0};
    buf_clear(&store.text);
    input_statsd_flush(s, seconds * NS_PER_SEC);
    buf_cstr(&store.text);
    if (store.text.len) {
        for (char *line = strtok_r(store.text.ptr, "\n", &more); line && n < ARRAY_LEN(lines);
             line = strtok_r(NULL, "\n", &more))
            lines[n++] = line;
    }
    qsort(lines, n, sizeof(*lines), lines_cmp);
    for (size_t i = 0; i < n; i++)
        buf_printf(&sorted, "%s\n", lines[i]);
    if (strcmp(buf_cstr(&sorted), want) != 0)
        fail_msg("got:\n%s\nnot:\n%s", buf_cstr(&sorted), want);
    buf_deinit(&sorted);
    buf_clear(&store.text);
}

static void close_it(struct input_statsd *s)
{
    input_statsd_stop(s);
    buf_deinit(&store.text);
    buf_deinit(&store.logs);
}

static void labels_add_up(void **state)
{
    struct input_statsd_config c = plain_config();
    struct input_statsd *s = open_with(&c);
    (void)state;
    feed(s, "web.hits:1|c|#env:prod,up\nweb.hits:2|c|@0.5|#up,env:prod\n");
    feed(s, "q-len:10|g\nq-len:-3|g\nusers:a|s\nusers:b|s\nusers:a|s\n2xx:1|c\n");
    /* A counter begins at nothing, one interval earlier; order of tags means nothing. */
    expect(
        s, 1000,
        "_2xx 0@990\n_2xx 1@1000\nq_len 7@1000\nusers 2@1000\n"
        "web_hits{env=\"prod\", up=\"true\"} 0@990\nweb_hits{env=\"prod\", up=\"true\"} 5@1000\n");
    feed(s, "web.hits:-2|c|#env:prod,up\nq-len:+1|g\n");
    expect(s, 1010,
           "_2xx 1@1010\nq_len 8@1010\nusers 0@1010\n"
           "web_hits{env=\"prod\", up=\"true\"} 5@1010\n");
    /* What a decrement took away is made up for first. */
    feed(s, "web.hits:3|c|#env:prod,up\n");
    expect(s, 1020,
           "_2xx 1@1020\nq_len 8@1020\nusers 0@1020\n"
           "web_hits{env=\"prod\", up=\"true\"} 6@1020\n");
    expect(s, 1310,
           "_2xx stale@1310\nq_len stale@1310\nusers stale@1310\n"
           "web_hits{env=\"prod\", up=\"true\"} 6@1310\n");
    close_it(s);
}

static void timers_are_histograms(void **state)
{
    struct input_statsd_config c = plain_config();
    struct input_statsd *s = open_with(&c);
    (void)state;
    for (int i = 1; i <= 1000; i++) {
        char line[64];
        snprintf(line, sizeof(line), "t:%d|ms\n", i);
        feed(s, line);
    }
    expect(s, 1000, "t histogram@1000\nt histogram@990\n");
    assert_true(store.histogram_count == 1000);
    assert_true(fabs(store.histogram_sum - 500.5) < 1e-6);
    assert_true(fabs(store.median - 0.5) < 0.5 * 0.045);
    feed(s, "t:5000|ms|@0.1\n");
    expect(s, 1010, "t histogram@1010\n");
    assert_true(store.histogram_count == 1010);
    /* The same name with another type is kept apart. */
    feed(s, "t:1|c\n");
    expect(s, 1020, "t histogram@1020\nt_total 0@1010\nt_total 1@1020\n");
    close_it(s);
}

static void dialects_meet(void **state)
{
    struct input_statsd_config c = plain_config();
    struct input_statsd *s = open_with(&c);
    (void)state;
    feed(s, "a:1|c|#k:v\na,k=v:1|c\na#k=v:1|c\na[k=v]:1|c\n");
    feed(s, "b:1|c|#k:x,k:y|c:ci-abc|e:it-false,cn-web,pu-12\n");
    feed(s, "mixed,k=v:1|c|#a:b\n\xff:1|c\n");
    expect(s, 1000,
           "a{k=\"v\"} 0@990\na{k=\"v\"} 4@1000\n"
           "b{container_id=\"abc\", container_name=\"web\", k=\"x,y\", pod_uid=\"12\"} 0@990\n"
           "b{container_id=\"abc\", container_name=\"web\", k=\"x,y\", pod_uid=\"12\"} 1@1000\n");
    assert_int_equal(s->shards[0].refusals[STATSD_MIXED_TAGS].count, 1);
    assert_int_equal(s->shards[0].refusals[STATSD_BAD_NAME].count, 1);
    assert_string_equal(s->shards[0].refusals[STATSD_MIXED_TAGS].line, "mixed,k=v:1|c|#a:b");
    close_it(s);
}

static void times_of_their_own(void **state)
{
    struct input_statsd_config c = plain_config();
    struct input_statsd *s = open_with(&c);
    (void)state;
    feed(s, "g:5|g|T500\ng:6|g|T600\nc:2|c|T500\nc:3|c|T600\n");
    expect(s, 1000, "c 0@490\nc 2@500\nc 5@600\ng 5@500\ng 6@600\n");
    feed(s, "c:1|c|T550\n"); /* between what is stored already: counted now */
    expect(s, 1010, "c 6@1010\n");
    close_it(s);
}

static void limits_hold(void **state)
{
    struct input_statsd_config c = plain_config();
    c.names_max = 2;
    c.memory_max = 1 << 16;
    c.names = INPUT_STATSD_BOTH; /* keeps every value of a timer */
    struct input_statsd *s = open_with(&c);
    (void)state;
    feed(s, "a:1|c\nb:1|ms\nc:1|c\na:1|c\n");
    assert_int_equal(s->shards[0].refusals[STATSD_NAME_LIMIT].count, 1);
    for (int i = 0; i < 20000; i++)
        feed(s, "b:1|ms\n");
    assert_true(s->shards[0].refusals[STATSD_MEMORY].count > 0);
    assert_true(s->limits.memory <= 2 << 16);
    input_statsd_flush(s, 1000 * NS_PER_SEC);
    feed(s, "b:1|ms\n");
    assert_true(s->limits.memory < 4096);
    /* Names leave when nobody sends them, and make room. */
    input_statsd_flush(s, 1010 * NS_PER_SEC);
    for (int64_t t = 1020; t < 1500; t += 10)
        input_statsd_flush(s, t * NS_PER_SEC);
    assert_int_equal(s->limits.names, 0);
    assert_int_equal(s->series.len + s->paths.len, 0);
    feed(s, "c:1|c\n");
    assert_int_equal(s->shards[0].refusals[STATSD_NAME_LIMIT].count, 1);
    close_it(s);
}

static void node_namespaces(void **state)
{
    struct input_statsd_config c = plain_config();
    c.names = INPUT_STATSD_GRAPHITE;
    c.parser = INPUT_STATSD_NODE;
    c.percentiles = "80, -20";
    struct input_statsd *s = open_with(&c);
    (void)state;
    feed(s, "c:10|c\ng:5|g\ng:-2|g\ns:x|s\nt:100|ms:200|ms:300|ms\n");
    expect(
        s, 1000,
        "{\"stats.c\"} 1@1000\n{\"stats.gauges.g\"} 3@1000\n{\"stats.sets.s.count\"} 1@1000\n"
        "{\"stats.statsd.bad_lines_seen\"} 0@1000\n{\"stats.statsd.metrics_received\"} 0.5@1000\n"
        "{\"stats.statsd.packets_received\"} 0.1@1000\n"
        "{\"stats.timers.t.count\"} 3@1000\n{\"stats.timers.t.count_80\"} 2@1000\n"
        "{\"stats.timers.t.count_ps\"} 0.3@1000\n{\"stats.timers.t.count_top20\"} 1@1000\n"
        "{\"stats.timers.t.lower\"} 100@1000\n{\"stats.timers.t.lower_top20\"} 300@1000\n"
        "{\"stats.timers.t.mean\"} 200@1000\n{\"stats.timers.t.mean_80\"} 150@1000\n"
        "{\"stats.timers.t.mean_top20\"} 300@1000\n{\"stats.timers.t.median\"} 200@1000\n"
        "{\"stats.timers.t.std\"} 81.64965809@1000\n{\"stats.timers.t.sum\"} 600@1000\n"
        "{\"stats.timers.t.sum_80\"} 300@1000\n{\"stats.timers.t.sum_squares\"} 140000@1000\n"
        "{\"stats.timers.t.sum_squares_80\"} 50000@1000\n"
        "{\"stats.timers.t.sum_squares_top20\"} 90000@1000\n"
        "{\"stats.timers.t.sum_top20\"} 300@1000\n{\"stats.timers.t.upper\"} 300@1000\n"
        "{\"stats.timers.t.upper_80\"} 200@1000\n{\"stats_counts.c\"} 10@1000\n"
        "{\"stats_counts.statsd.bad_lines_seen\"} 0@1000\n"
        "{\"stats_counts.statsd.metrics_received\"} 5@1000\n"
        "{\"stats_counts.statsd.packets_received\"} 1@1000\n{\"statsd.numStats\"} 7@1000\n");
    close_it(s);
}

static void new_namespace_with_tags(void **state)
{
    struct input_statsd_config c = plain_config();
    c.names = INPUT_STATSD_GRAPHITE;
    c.legacy_namespace = false;
    c.global_suffix = "host1";
    c.delete_idle = true;
    struct input_statsd *s = open_with(&c);
    (void)state;
    feed(s, "c:10|c|#env:prod\n");
    buf_clear(&store.text);
    input_statsd_flush(s, 1000 * NS_PER_SEC);
    assert_non_null(strstr(buf_cstr(&store.text),
                           "{\"stats.counters.c.rate.host1\", env=\"prod\"} 1@1000\n"
                           "{\"stats.counters.c.count.host1\", env=\"prod\"} 10@1000\n"));
    buf_clear(&store.text);
    input_statsd_flush(s, 1010 * NS_PER_SEC);
    assert_null(strstr(buf_cstr(&store.text), "stats.counters.c."));
    close_it(s);
}

static void events_are_logs(void **state)
{
    struct input_statsd_config c = plain_config();
    struct input_statsd *s = open_with(&c);
    (void)state;
    feed(s, "_e{5,13}:Title|Text|pipe\\nnl|d:1656581400|h:h|k:key|p:low|s:src|t:error|#env:test,x\n"
            "_sc|svc|2|d:1656581400|h:h|#env:test|m:a|b\\nc\n"
            "_e{9,4}:Title|Text\n_e{0,1}:|x\n_sc|svc|7\n");
    assert_string_equal(buf_cstr(&store.logs),
                        "line=Title: Text|pipe\nnl;level=error;title=Title;text=Text|pipe\nnl;"
                        "host=h;aggregation_key=key;priority=low;source_type=src;alert_type=error;"
                        "env=test;x=true;\n"
                        "line=svc is critical: a|b\nc;level=critical;check=svc;status=critical;"
                        "message=a|b\nc;host=h;env=test;\n");
    assert_int_equal(s->shards[0].refusals[STATSD_BAD_EVENT].count, 2);
    assert_int_equal(s->shards[0].refusals[STATSD_BAD_CHECK].count, 1);
    close_it(s);
}

static void sets_beyond_counting(void **state)
{
    struct statsd_distinct d = {0}, e = {0};
    (void)state;
    for (int i = 0; i < 50000; i++) {
        char text[16];
        int n = snprintf(text, sizeof(text), "%d", i);
        statsd__distinct_add(i % 2 ? &d : &e, slice_make(text, (size_t)n));
        statsd__distinct_add(&d, slice_make(text, (size_t)n));
        if (i == 999)
            assert_true(statsd__distinct_count(&d) == 1000);
    }
    statsd__distinct_merge(&d, &e);
    assert_true(fabs(statsd__distinct_count(&d) - 50000) < 50000 * 0.03);
    statsd__distinct_deinit(&d);
    statsd__distinct_deinit(&e);
}

/* --- threads --- */

static _Atomic int64_t flushed; /* what the series a grew to */

static void keep_last(struct pipe_sink *sink, const struct data_metric_batch *b, pipe_ack_fn ack,
                      void *ctx)
{
    (void)sink;
    (void)ack;
    (void)ctx;
    for (size_t i = 0; i < b->sample_ts.len; i++) {
        struct slice key = b->series.items[b->sample_series.items[i]].key;
        if (slice_ends_with(key, SLICE("hits")) && !data_is_stale(b->sample_value.items[i]))
            flushed = (int64_t)b->sample_value.items[i];
    }
}

struct sender {
    pthread_t thread;
    struct input_statsd *s;
};

#define ROUNDS 2000

static void *send_lines(void *arg)
{
    struct sender *sender = arg;
    for (int i = 0; i < ROUNDS; i++) {
        char lines[200];
        snprintf(lines, sizeof(lines), "hits:1|c\nt%d:5|ms\ng:+1|g\ns:%d|s\nold%d:1|c\nbad\n",
                 i % 7, i, i);
        feed(sender->s, lines);
    }
    return NULL;
}

/* Nothing is lost between two intervals, whoever looks or deletes meanwhile. */
static void received_while_flushing(void **state)
{
    struct pipe_sink sink = {.metrics = keep_last};
    struct input_env env = {.os = os_real(), .sink = &sink};
    struct input_statsd_config c = plain_config();
    struct sender senders[3];
    struct input_statsd *s;
    struct buf out = {0};
    int64_t now = 1000;
    (void)state;
    c.expire_ns = 20 * NS_PER_SEC;
    c.names_max = 100000;
    assert_int_equal(input_statsd_new(&env, &c, &s, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
        senders[i].s = s;
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_lines, &senders[i]), 0);
    }
    for (int i = 0; i < 50; i++, now += 10) {
        struct codec_json_writer w;
        input_statsd_flush(s, now * NS_PER_SEC);
        feed(s, "hits:0|c\n"); /* so that it never expires */
        buf_clear(&out);
        codec_json_init(&w, &out);
        input_statsd_look(s, &w);
        input_statsd_command(s, SLICE("counters"), &out);
        input_statsd_command(s, SLICE("deltimers t1 t2"), &out);
    }
    for (size_t i = 0; i < ARRAY_LEN(senders); i++)
        pthread_join(senders[i].thread, NULL);
    feed(s, "hits:0|c\n");
    input_statsd_flush(s, now * NS_PER_SEC);
    assert_int_equal(flushed, ROUNDS * (int64_t)ARRAY_LEN(senders));
    buf_deinit(&out);
    input_statsd_stop(s);
}

/* --- the flush's timer --- */

static int64_t timer_began_ns, timer_flushes[64];
static atomic_size_t timer_flush_count;

/* Goes at nine tenths of the speed of the timers, which are early then, again and again. */
static int64_t slow_wall_ns(struct os *os)
{
    (void)os;
    struct os *real = os_real();
    int64_t past = real->ops->monotonic_ns(real) - timer_began_ns;
    return 1000 * NS_PER_SEC + past - past / 10;
}

static void keep_flush_time(struct pipe_sink *sink, const struct data_metric_batch *b,
                            pipe_ack_fn ack, void *ctx)
{
    (void)sink;
    (void)ack;
    (void)ctx;
    size_t at = atomic_load(&timer_flush_count);
    if (!b->sample_ts.len || at == ARRAY_LEN(timer_flushes))
        return;
    timer_flushes[at] = b->sample_ts.items[0];
    atomic_store(&timer_flush_count, at + 1);
}

/* A second flush of the same moment would replace what the first one stored. */
static void timer_flushes_no_moment_twice(void **state)
{
    struct os *real = os_real();
    struct os_ops ops = *real->ops;
    struct os slow = {.ops = &ops};
    struct pipe_sink sink = {.metrics = keep_flush_time};
    struct input_env env = {.os = &slow, .sink = &sink, .pool = task_pool_inline()};
    struct input_statsd_config c = plain_config();
    struct input_statsd *s;
    (void)state;
    ops.now_ns = slow_wall_ns;
    timer_began_ns = real->ops->monotonic_ns(real);
    c.flush_interval_ns = 20 * NS_PER_MS;
    c.unix_datagram = c.unix_stream = "";
    c.listen = c.admin_listen = "off";
    assert_int_equal(net_loops_start(1, &env.loops, NULL), 0);
    assert_int_equal(input_statsd_new(&env, &c, &s, NULL), 0);
    feed(s, "hits:1|c\n");
    assert_int_equal(input_statsd_start(s, NULL), 0);
    while (atomic_load(&timer_flush_count) < 20)
        sched_yield();
    size_t count = atomic_load(&timer_flush_count); /* stopping flushes between two intervals */
    input_statsd_stop(s);
    net_loops_stop(env.loops, 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(timer_flushes[i] % c.flush_interval_ns, 0);
        if (i)
            assert_true(timer_flushes[i] > timer_flushes[i - 1]);
    }
}

/* --- the admin port --- */

static void ask(struct input_statsd *s, const char *command, const char *want)
{
    struct buf out = {0};
    assert_true(input_statsd_command(s, slice_cstr(command), &out));
    if (strcmp(buf_cstr(&out), want) != 0)
        fail_msg("%s answered\n%s\nnot\n%s", command, buf_cstr(&out), want);
    buf_deinit(&out);
}

static void admin_commands(void **state)
{
    struct input_statsd_config c = plain_config();
    c.names = INPUT_STATSD_BOTH;
    struct input_statsd *s = open_with(&c);
    struct buf out = {0};
    (void)state;
    ask(s, "gauges\n", "{}\nEND\n\n");
    feed(s, "a.b:3|c\na.c:4|c\nx:1|c\ng:5|g\ng:+1|g\nt:1|ms\nt:2.5|ms\nbad\n");
    ask(s, "gauges", "{ g: 6 }\nEND\n\n");
    ask(s, "timers\r\n", "{ t: [ 1, 2.5 ] }\nEND\n\n");
    ask(s, "counters",
        "{\n  'a.b': 3,\n  'a.c': 4,\n  'statsd.bad_lines_seen': 1,\n"
        "  'statsd.metrics_received': 8,\n  'statsd.packets_received': 1,\n  x: 1\n}\nEND\n\n");
    input_statsd_flush(s, 1000 * NS_PER_SEC);
    feed(s, "a.b:1|c\ng:-2|g\n");
    ask(s, "gauges", "{ g: 4 }\nEND\n\n");
    ask(s, "timers", "{ t: [] }\nEND\n\n");
    ask(s, "delcounters a.* x nothing",
        "deleted: a.b\ndeleted: a.c\ndeleted: x\n"
        "metric nothing not found\nEND\n\n");
    ask(s, "deltimers t", "deleted: t\nEND\n\n");
    ask(s, "timers", "{}\nEND\n\n");
    assert_int_equal(s->limits.names, 1);
    buf_clear(&store.text);
    input_statsd_flush(s, 1010 * NS_PER_SEC);
    assert_null(strstr(buf_cstr(&store.text), "a_b"));
    assert_non_null(strstr(buf_cstr(&store.text), "g 4@1010"));
    ask(s, "health", "health: up\n");
    ask(s, "health down", "health: down\n");
    ask(s, "health UP", "health: up\n");
    ask(s, "nonsense", "ERROR\n");
    ask(s, "", "ERROR\n");
    assert_true(input_statsd_command(s, SLICE("stats"), &out));
    assert_non_null(strstr(buf_cstr(&out), "messages.bad_lines_seen: 1\nEND\n\n"));
    assert_false(input_statsd_command(s, SLICE("quit"), &out));
    buf_deinit(&out);
    close_it(s);
}

/* --- statsd_exporter's mapping file --- */

static struct input_statsd *open_mapped(const char *yaml)
{
    struct input_statsd_config c = plain_config();
    struct input_statsd *s = open_with(&c);
    struct diag d;
    diag_init(&d);
    statsd__mapping_free(s->mapping);
    if (statsd__mapping_parse(slice_cstr(yaml), &s->mapping, &d))
        fail_msg("%s", d.msg);
    return s;
}

static void globs_and_regexes(void **state)
{
    struct input_statsd *s = open_mapped("mappings:\n"
                                         "- match: test.dispatcher.*.*.*\n"
                                         "  name: dispatcher_events_total\n"
                                         "  labels:\n"
                                         "    processor: $1\n"
                                         "    action: ${2}\n"
                                         "    job: test_$3\n"
                                         "- match: '*.signup.*.*'\n"
                                         "  name: signup_events_${3}\n"
                                         "  labels: {provider: $2, job: '${1}_server'}\n"
                                         "  honor_labels: true\n"
                                         "- match: only.gauge\n"
                                         "  match_metric_type: gauge\n"
                                         "  name: the_gauge\n"
                                         "  scale: 0.5\n"
                                         "- match: unwanted.*\n"
                                         "  action: drop\n"
                                         "- match: 'http\\.(\\d+)\\.(.*)'\n"
                                         "  match_type: regex\n"
                                         "  name: http_$2\n"
                                         "  labels: {code: $1}\n");
    (void)state;
    feed(s, "test.dispatcher.FooProcessor.send.ok:1|c\nfoo.signup.fb.fail:1|c|#job:mine\n"
            "only.gauge:10|g\nonly.gauge:1|c\nunwanted.x:1|c\nhttp.404.a.b:2|c\n"
            "test.dispatcher..send.ok:1|c\n");
    expect(s, 1000,
           "dispatcher_events_total{action=\"send\", job=\"test_ok\", processor=\"FooProcessor\"} "
           "0@990\n"
           "dispatcher_events_total{action=\"send\", job=\"test_ok\", processor=\"FooProcessor\"} "
           "1@1000\n"
           "http_a_b{code=\"404\"} 0@990\nhttp_a_b{code=\"404\"} 2@1000\n"
           "only_gauge 0@990\nonly_gauge 1@1000\n"
           "signup_events_fail{job=\"mine\", provider=\"fb\"} 0@990\n"
           "signup_events_fail{job=\"mine\", provider=\"fb\"} 1@1000\n"
           "test_dispatcher__send_ok 0@990\ntest_dispatcher__send_ok 1@1000\n"
           "the_gauge 5@1000\n");
    feed(s, "unwanted.x:1|c\n");
    assert_int_equal(s->shards[0].refusals[STATSD_DROPPED].count, 1);
    close_it(s);
}

static void an_expression_that_takes_too_long_is_no_mismatch(void **state)
{
    struct input_statsd *s = open_mapped("mappings:\n"
                                         "- {match: '(x+x+)+[yz]', match_type: regex, name: slow}\n"
                                         "- {match: '.*', match_type: regex, name: any}\n");
    (void)state;
    text_regex_set_effort(1000);
    feed(s, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx:1|g\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx:2|g\n"
            "fine:3|g\n");
    expect(s, 1000, "any 3@1000\n");
    feed(s, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx:3|g\n");
    expect(s, 1010, "any 3@1010\n");
    text_regex_set_effort(TEXT_REGEX_EFFORT);
    const struct statsd_refusal *r = &s->shards[0].refusals[STATSD_MAPPING];
    assert_int_equal(r->count, 3);
    assert_string_equal(r->line, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx:3|g");
    close_it(s);
}

static void the_most_specific_wins_when_asked(void **state)
{
    static const char mappings[] = "mappings:\n"
                                   "- {match: a.*.*, name: wide}\n"
                                   "- {match: a.b.*, name: narrow}\n";
    struct buf yaml = {0};
    (void)state;
    struct input_statsd *s = open_mapped(mappings);
    feed(s, "a.b.c:1|g\n");
    expect(s, 1000, "wide 1@1000\n");
    close_it(s);
    buf_printf(&yaml, "defaults: {glob_disable_ordering: true}\n%s", mappings);
    s = open_mapped(buf_cstr(&yaml));
    feed(s, "a.b.c:1|g\n");
    expect(s, 1000, "narrow 1@1000\n");
    close_it(s);
    buf_deinit(&yaml);
}

static void observers(void **state)
{
    struct input_statsd *s =
        open_mapped("defaults:\n"
                    "  observer_type: histogram\n"
                    "  histogram_options: {buckets: [0.1, 1]}\n"
                    "mappings:\n"
                    "- match: s.*\n"
                    "  name: s_$1\n"
                    "  observer_type: summary\n"
                    "  ttl: 20s\n"
                    "  summary_options:\n"
                    "    quantiles: [{quantile: 0.5, error: 0.05}]\n"
                    "    max_age: 5s\n"
                    "- match: n.*\n"
                    "  name: n_$1\n"
                    "  observer_type: histogram\n"
                    "  histogram_options: {native_histogram_bucket_factor: 1.1}\n");
    (void)state;
    feed(s, "h:50|ms\nh:100|ms\nh:500|ms\nh:5000|ms\n");
    expect(s, 1000,
           "h_bucket{le=\"+Inf\"} 0@990\nh_bucket{le=\"+Inf\"} 4@1000\n"
           "h_bucket{le=\"0.1\"} 0@990\nh_bucket{le=\"0.1\"} 2@1000\n"
           "h_bucket{le=\"1\"} 0@990\nh_bucket{le=\"1\"} 3@1000\n"
           "h_count 0@990\nh_count 4@1000\nh_sum 0@990\nh_sum 5.65@1000\n");
    feed(s, "s.x:8|h\nn.x:1|d\n");
    buf_clear(&store.text);
    input_statsd_flush(s, 1010 * NS_PER_SEC);
    assert_non_null(strstr(buf_cstr(&store.text), "n_x histogram@1010\n"));
    assert_non_null(strstr(buf_cstr(&store.text), "s_x_sum 8@1010\n"));
    const char *median = strstr(buf_cstr(&store.text), "s_x{quantile=\"0.5\"} ");
    assert_non_null(median);
    assert_true(fabs(strtod(strchr(median, '}') + 1, NULL) - 8) < 0.2);
    /* Observations older than max_age are no part of a quantile; its ttl ends the series. */
    buf_clear(&store.text);
    input_statsd_flush(s, 1020 * NS_PER_SEC);
    assert_non_null(strstr(buf_cstr(&store.text), "s_x{quantile=\"0.5\"} nan@1020\n"));
    buf_clear(&store.text);
    input_statsd_flush(s, 1030 * NS_PER_SEC);
    assert_non_null(strstr(buf_cstr(&store.text), "s_x_count stale@1030\n"));
    close_it(s);
}

static void bad_mappings(void **state)
{
    static const struct {
        const char *yaml, *want;
    } rows[] = {
        {"mappings:\n- match: a.*\n", "name: is expected, or action: drop"},
        {"mappings:\n- name: x\n", "match: is expected"},
        {"mappings:\n- {match: a.b*, name: x}\n", "match: \"a.b*\" is no glob"},
        {"mappings:\n- {match: '(', match_type: regex, name: x}\n", "match: error parsing regexp"},
        {"mappings:\n- {match: a.*, name: 'x-y'}\n", "name: \"x-y\" is no metric name"},
        {"mappings:\n- {match: a.*, name: 'x_$'}\n", "is no metric name"},
        {"mappings:\n- {match: a.*, name: x, labels: {a-b: c}}\n", "\"a-b\" is no label name"},
        {"mappings:\n- {match: a.*, name: x, action: burn}\n", "\"burn\" is none of map, drop"},
        {"mappings:\n- {match: a.*, name: x, buckets: [2, 1]}\n", "1 does not follow on 2"},
        {"mappings:\n- {match: a.*, name: x, ttl: soon}\n", "soon"},
        {"mappings:\n- {match: a.*, name: x, matches: y}\n", "matches"},
        {"mappings: 5\n", "a list is expected"},
        {"- a\n", "a map with mappings: is expected"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct statsd_mapping *m;
        struct diag d;
        diag_init(&d);
        assert_int_equal(statsd__mapping_parse(slice_cstr(rows[i].yaml), &m, &d), ERR_INVALID);
        assert_null(m);
        if (!strstr(d.msg, rows[i].want))
            fail_msg("row %zu: %s", i, d.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_lines),
        cmocka_unit_test(node_lines),
        cmocka_unit_test(labels_add_up),
        cmocka_unit_test(timers_are_histograms),
        cmocka_unit_test(dialects_meet),
        cmocka_unit_test(times_of_their_own),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(node_namespaces),
        cmocka_unit_test(new_namespace_with_tags),
        cmocka_unit_test(events_are_logs),
        cmocka_unit_test(sets_beyond_counting),
        cmocka_unit_test(received_while_flushing),
        cmocka_unit_test(timer_flushes_no_moment_twice),
        cmocka_unit_test(admin_commands),
        cmocka_unit_test(globs_and_regexes),
        cmocka_unit_test(an_expression_that_takes_too_long_is_no_mismatch),
        cmocka_unit_test(the_most_specific_wins_when_asked),
        cmocka_unit_test(observers),
        cmocka_unit_test(bad_mappings),
    };
    return cmocka_run_group_tests_name("input/statsd", tests, NULL, NULL);
}
