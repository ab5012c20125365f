#include "server/query_print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "codec/number.h"
#include "text/duration.h"

static void print_labels(const struct codec_json *metric, struct buf *out)
{
    struct slice name = codec_json_get_string(metric, "__name__");
    bool any = false;
    buf_append_slice(out, name);
    for (size_t i = 0; metric && i < metric->count; i++) {
        if (slice_eq_cstr(metric->keys[i], "__name__"))
            continue;
        buf_printf(out, "%s%.*s=\"%.*s\"", any ? ", " : "{", SLICE_FMT(metric->keys[i]),
                   SLICE_FMT(metric->items[i].text));
        any = true;
    }
    if (any || !name.len)
        buf_append_cstr(out, any ? "}" : "{}");
}

static void print_time(const struct codec_json *t)
{
    struct buf b = {0};
    int64_t ns = t ? (int64_t)llround(t->number * 1e3) * NS_PER_MS : 0;
    text_time_print(ns, &b);
    printf("%s", buf_cstr(&b));
    buf_deinit(&b);
}

static void print_histogram(const struct codec_json *h)
{
    printf("count %.*s sum %.*s", SLICE_FMT(codec_json_get_string(h, "count")),
           SLICE_FMT(codec_json_get_string(h, "sum")));
}

static void print_point(const struct codec_json *pair, bool histogram)
{
    if (!pair || pair->count != 2)
        return;
    print_time(&pair->items[0]);
    printf("  ");
    if (histogram)
        print_histogram(&pair->items[1]);
    else
        printf("%.*s", SLICE_FMT(pair->items[1].text));
    printf("\n");
}

struct line {
    int64_t ts_ns;
    const struct codec_json *stream;
    struct slice text;
};

static int newest_first(const void *a, const void *b)
{
    int64_t x = ((const struct line *)a)->ts_ns, y = ((const struct line *)b)->ts_ns;
    return (x < y) - (x > y);
}

/* Lines of all streams by time. */
static void print_lines(const struct codec_json *result)
{
    size_t count = 0, n = 0;
    for (size_t i = 0; i < result->count; i++) {
        const struct codec_json *values = codec_json_get(&result->items[i], "values");
        count += values ? values->count : 0;
    }
    struct line *lines = calloc(count + 1, sizeof(*lines));
    for (size_t i = 0; lines && i < result->count; i++) {
        const struct codec_json *values = codec_json_get(&result->items[i], "values");
        for (size_t k = 0; values && k < values->count; k++) {
            const struct codec_json *v = &values->items[k];
            struct line *line = &lines[n];
            if (v->count < 2 || !codec_text_to_int(v->items[0].text, &line->ts_ns))
                continue;
            line->stream = codec_json_get(&result->items[i], "stream");
            line->text = v->items[1].text;
            n++;
        }
    }
    if (n)
        qsort(lines, n, sizeof(*lines), newest_first);
    for (size_t i = 0; i < n; i++) {
        struct buf text = {0};
        text_time_print(lines[i].ts_ns, &text);
        buf_append_char(&text, ' ');
        print_labels(lines[i].stream, &text);
        printf("%s %.*s\n", buf_cstr(&text), SLICE_FMT(lines[i].text));
        buf_deinit(&text);
    }
    if (!n)
        fprintf(stderr, "(no lines)\n");
    free(lines);
}

static void print_table(const struct codec_json *data)
{
    struct slice type = codec_json_get_string(data, "resultType");
    const struct codec_json *result = codec_json_get(data, "result");
    if (result && slice_eq_cstr(type, "streams")) {
        print_lines(result);
        return;
    }
    if (slice_eq_cstr(type, "scalar") || slice_eq_cstr(type, "string")) {
        if (result && result->count == 2)
            printf("%.*s\n", SLICE_FMT(result->items[1].text));
        return;
    }
    if (!result || !result->count) {
        fprintf(stderr, "(no series)\n");
        return;
    }
    size_t width = 0;
    struct buf *names = calloc(result->count, sizeof(*names));
    for (size_t i = 0; i < result->count && names; i++) {
        print_labels(codec_json_get(&result->items[i], "metric"), &names[i]);
        width = MAX(width, MIN(names[i].len, 100));
    }
    for (size_t i = 0; i < result->count && names; i++) {
        const struct codec_json *row = &result->items[i];
        const struct codec_json *value = codec_json_get(row, "value");
        const struct codec_json *histogram = codec_json_get(row, "histogram");
        if (value || histogram) {
            printf("%-*s  ", (int)width, buf_cstr(&names[i]));
            if (value && value->count == 2)
                printf("%.*s\n", SLICE_FMT(value->items[1].text));
            else if (histogram && histogram->count == 2) {
                print_histogram(&histogram->items[1]);
                printf("\n");
            }
        } else {
            const struct codec_json *lists[] = {codec_json_get(row, "values"),
                                                codec_json_get(row, "histograms")};
            printf("%s\n", buf_cstr(&names[i]));
            for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
                for (size_t k = 0; lists[l] && k < lists[l]->count; k++) {
                    printf("  ");
                    print_point(&lists[l]->items[k], l == 1);
                }
            }
        }
        buf_deinit(&names[i]);
    }
    free(names);
}

static void print_notes(const struct codec_json *root, const char *key, const char *what)
{
    const struct codec_json *list = codec_json_get(root, key);
    for (size_t i = 0; list && i < list->count; i++)
        fprintf(stderr, "%s: %.*s\n", what, SLICE_FMT(list->items[i].text));
}

void server_print_prometheus(const struct codec_json *root)
{
    print_notes(root, "warnings", "warning");
    print_notes(root, "infos", "info");
    print_table(codec_json_get(root, "data"));
}

/* --- Tempo --- */

static int64_t whole(const struct codec_json *object, const char *key)
{
    const struct codec_json *v = codec_json_get(object, key);
    int64_t n = 0;
    if (v && !codec_text_to_int(v->text, &n))
        n = 0;
    return n;
}

static void print_traces(const struct codec_json *traces)
{
    for (size_t i = 0; i < traces->count; i++) {
        const struct codec_json *t = &traces->items[i], *sets = codec_json_get(t, "spanSets");
        int64_t matched = 0;
        struct buf time = {0};
        for (size_t k = 0; sets && k < sets->count; k++)
            matched += whole(&sets->items[k], "matched");
        text_time_print(whole(t, "startTimeUnixNano"), &time);
        printf("%-30s  %32.*s  %6lld ms  %4lld spans  %.*s: %.*s\n", buf_cstr(&time),
               SLICE_FMT(codec_json_get_string(t, "traceID")), (long long)whole(t, "durationMs"),
               (long long)matched, SLICE_FMT(codec_json_get_string(t, "rootServiceName")),
               SLICE_FMT(codec_json_get_string(t, "rootTraceName")));
        buf_deinit(&time);
    }
    if (!traces->count)
        fprintf(stderr, "(no traces)\n");
}

/* [{"key":"a","value":{"stringValue":"x"}}] as {a="x"}. */
static void print_attributes(const struct codec_json *labels)
{
    printf("{");
    for (size_t i = 0; labels && i < labels->count; i++) {
        const struct codec_json *value = codec_json_get(&labels->items[i], "value");
        printf("%s%.*s=\"%.*s\"", i ? ", " : "",
               SLICE_FMT(codec_json_get_string(&labels->items[i], "key")),
               SLICE_FMT(value && value->count ? value->items[0].text : SLICE("")));
    }
    printf("}");
}

static void print_metrics(const struct codec_json *series)
{
    for (size_t i = 0; i < series->count; i++) {
        const struct codec_json *s = &series->items[i], *value = codec_json_get(s, "value"),
                                *samples = codec_json_get(s, "samples");
        print_attributes(codec_json_get(s, "labels"));
        if (value)
            printf("  %.*s", SLICE_FMT(value->text));
        printf("\n");
        for (size_t k = 0; samples && k < samples->count; k++) {
            const struct codec_json *v = codec_json_get(&samples->items[k], "value");
            struct buf time = {0};
            text_time_print(whole(&samples->items[k], "timestampMs") * NS_PER_MS, &time);
            printf("  %s  %.*s\n", buf_cstr(&time), SLICE_FMT(v ? v->text : SLICE("")));
            buf_deinit(&time);
        }
    }
    if (!series->count)
        fprintf(stderr, "(no series)\n");
}

void server_print_tempo(const struct codec_json *root)
{
    const struct codec_json *traces = codec_json_get(root, "traces"),
                            *series = codec_json_get(root, "series");
    if (traces)
        print_traces(traces);
    else if (series)
        print_metrics(series);
}

/* --- Graphite --- */

void server_print_graphite(const struct codec_json *root)
{
    for (size_t i = 0; i < root->count; i++) {
        const struct codec_json *points = codec_json_get(&root->items[i], "datapoints");
        printf("%.*s\n", SLICE_FMT(codec_json_get_string(&root->items[i], "target")));
        for (size_t k = 0; points && k < points->count; k++) {
            const struct codec_json *p = &points->items[k];
            if (p->count != 2 || p->items[0].kind == CODEC_JSON_NULL)
                continue;
            printf("  ");
            print_time(&p->items[1]);
            printf("  %.*s\n", SLICE_FMT(p->items[0].text));
        }
    }
    if (!root->count)
        fprintf(stderr, "(no series)\n");
}
