/* pharos query: asks a running server over HTTP and prints a table. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "codec/json_dom.h"
#include "codec/number.h"
#include "lang/logql/logql.h"
#include "net/http_client.h"
#include "net/url.h"
#include "server/commands.h"
#include "text/duration.h"

struct args {
    const char *query, *lang, *start, *end, *time, *step, *limit, *url, *user, *token;
    bool json, logql;
};

static void print_help(void)
{
    printf("Usage: pharos query [options] QUERY\n\n"
           "Asks a running server and prints a table: at one moment, or over a time when --start "
           "is given.\n\n"
           "  --lang promql     language of the query: promql, or logql for log lines and what is\n"
           "                    counted of them\n"
           "  --time T          the moment; default now\n"
           "  --start T         begin; times are RFC 3339, seconds since 1970, or like -1h\n"
           "  --end T           end; default now\n"
           "  --step D          distance of points (30s); default a 250th of the time\n"
           "  --limit N         log lines at most, newest first; default 100\n"
           "  --url URL         a server's Prometheus (or Loki) API; default $PHAROS_URL or\n"
           "                    http://127.0.0.1:3000/prometheus (/loki)\n"
           "  --user NAME:PASS  basic authentication\n"
           "  --token TOKEN     bearer token\n"
           "  --json            the server's answer as it is\n");
}

static int parse(int argc, char **argv, struct args *a)
{
    int bad = 0;
    for (int i = 1; i < argc && !bad; i++) {
        const char *v;
        struct {
            const char *name, **to;
        } options[] = {{"--lang", &a->lang}, {"--start", &a->start}, {"--end", &a->end},
                       {"--time", &a->time}, {"--step", &a->step},   {"--limit", &a->limit},
                       {"--url", &a->url},   {"--user", &a->user},   {"--token", &a->token}};
        bool known = false;
        for (size_t k = 0; k < ARRAY_LEN(options) && !known && !bad; k++) {
            if ((v = server_arg_value(argc, argv, &i, options[k].name, &bad))) {
                *options[k].to = v;
                known = true;
            }
        }
        if (known || bad)
            continue;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return SERVER_EXIT_OK;
        }
        if (strcmp(argv[i], "--json") == 0) {
            a->json = true;
        } else if (strcmp(argv[i], "--") == 0 && i + 1 < argc && !a->query) {
            a->query = argv[++i];
        } else if (argv[i][0] == '-' && argv[i][1] == '-') {
            fprintf(stderr, "pharos query: unknown option %s; `pharos query --help` lists them\n",
                    argv[i]);
            bad = 1;
        } else if (a->query) {
            fprintf(stderr,
                    "pharos query: one query at a time; put it in quotes (\"%s\" is the "
                    "second)\n",
                    argv[i]);
            bad = 1;
        } else {
            a->query = argv[i];
        }
    }
    if (bad)
        return SERVER_EXIT_USAGE;
    if (!a->query) {
        fprintf(stderr, "pharos query: a query is needed, for example: pharos query 'up'\n");
        return SERVER_EXIT_USAGE;
    }
    a->logql = a->lang && strcmp(a->lang, "logql") == 0;
    if (a->lang && !a->logql && strcmp(a->lang, "promql") != 0) {
        fprintf(stderr, "pharos query: --lang %s is not built yet; promql and logql are\n",
                a->lang);
        return SERVER_EXIT_USAGE;
    }
    if (a->limit && !a->logql) {
        fprintf(stderr, "pharos query: --limit is for --lang logql\n");
        return SERVER_EXIT_USAGE;
    }
    if (a->time && (a->start || a->end || a->step)) {
        fprintf(stderr, "pharos query: --time is for one moment, --start, --end and --step for a "
                        "range: not both\n");
        return SERVER_EXIT_USAGE;
    }
    return -1;
}

/* T, or -1h before now. */
static bool parse_time(const char *name, const char *text, int64_t now_ns, int64_t *out)
{
    int64_t ago;
    if (text[0] == '-' && !text_duration_parse(slice_cstr(text + 1), &ago)) {
        *out = now_ns - ago;
        return true;
    }
    if (strcmp(text, "now") == 0) {
        *out = now_ns;
        return true;
    }
    if (!text_time_parse(slice_cstr(text), out))
        return true;
    fprintf(stderr, "pharos query: %s %s is no time; RFC 3339, seconds since 1970, or like -1h\n",
            name, text);
    return false;
}

static void add(struct buf *form, const char *name, struct slice value)
{
    if (form->len)
        buf_append_char(form, '&');
    buf_printf(form, "%s=", name);
    net_url_encode(value, form);
}

static void add_seconds(struct buf *form, const char *name, int64_t ns)
{
    char text[40];
    snprintf(text, sizeof(text), "%.3f", (double)ns / 1e9);
    add(form, name, slice_cstr(text));
}

/* Lines have no value at one moment: without --start the last hour is asked for. */
static bool wants_lines(const struct args *a)
{
    struct arena *arena = arena_new(0, NULL);
    struct logql_expr *expr;
    bool lines = a->logql && !logql_parse(slice_cstr(a->query), arena, &expr, NULL);
    if (lines) {
        lines = logql_is_log(expr);
        logql_expr_free(expr);
    }
    arena_free(arena);
    return lines;
}

static bool build_form(const struct args *a, struct buf *form, bool *range)
{
    int64_t now_ns = (int64_t)time(NULL) * NS_PER_SEC, start = 0, end = now_ns, at;
    *range = a->start != NULL;
    add(form, "query", slice_cstr(a->query));
    if (a->limit)
        add(form, "limit", slice_cstr(a->limit));
    if (!a->start && wants_lines(a)) {
        *range = true;
        return true;
    }
    if (!a->start) {
        if (a->end || a->step) {
            fprintf(stderr, "pharos query: --end and --step need --start\n");
            return false;
        }
        if (a->time) {
            if (!parse_time("--time", a->time, now_ns, &at))
                return false;
            add_seconds(form, "time", at);
        }
        return true;
    }
    if (!parse_time("--start", a->start, now_ns, &start) ||
        (a->end && !parse_time("--end", a->end, now_ns, &end)))
        return false;
    add_seconds(form, "start", start);
    add_seconds(form, "end", end);
    if (a->step)
        add(form, "step", slice_cstr(a->step));
    else
        add_seconds(form, "step", MAX((end - start) / 250 / NS_PER_SEC, 1) * NS_PER_SEC);
    return true;
}

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

static int ask(const struct args *a)
{
    struct arena *arena = arena_new(0, NULL);
    struct buf form = {0}, url = {0};
    struct net_client_response resp = {0};
    struct diag diag;
    bool range;
    int status = SERVER_EXIT_USAGE;
    const char *base = a->url ? a->url : getenv("PHAROS_URL");
    diag_init(&diag);
    if (!build_form(a, &form, &range))
        goto out;
    status = SERVER_EXIT_FAIL;
    buf_append_cstr(&url, base       ? base
                          : a->logql ? "http://127.0.0.1:3000/loki"
                                     : "http://127.0.0.1:3000/prometheus");
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    buf_append_cstr(&url, a->logql ? "/loki" : "");
    buf_append_cstr(&url, range ? "/api/v1/query_range" : "/api/v1/query");
    struct net_client_header headers[] = {
        {SLICE("Content-Type"), SLICE("application/x-www-form-urlencoded")}};
    struct net_client_request req = {.method = "POST",
                                     .url = buf_cstr(&url),
                                     .headers = headers,
                                     .header_count = 1,
                                     .body = buf_slice(&form),
                                     .bearer_token = a->token,
                                     .accept_compressed = true,
                                     .timeout_ns = 600 * NS_PER_SEC,
                                     .response_bytes_max = (size_t)1 << 30};
    if (a->user) {
        struct slice rest = slice_cstr(a->user), name;
        slice_split(&rest, ':', &name);
        req.username = arena_slice(arena, name).ptr;
        req.password = rest.ptr ? rest.ptr : "";
    }
    if (net_client_fetch(&req, arena, &resp, &diag)) {
        fprintf(stderr, "pharos query: %s: %s%s\n", buf_cstr(&url), diag.msg,
                base ? "" : "; is `pharos serve` running? --url names another server");
        goto out;
    }
    struct codec_json root;
    if (a->json && resp.status == 200) {
        printf("%.*s\n", SLICE_FMT(resp.body));
        status = SERVER_EXIT_OK;
        goto out;
    }
    if (a->logql && resp.status != 200) {
        fprintf(stderr, "pharos query: %.*s\n", SLICE_FMT(slice_trim(resp.body)));
        goto out;
    }
    if (codec_json_parse(resp.body, arena, &root, &diag)) {
        fprintf(stderr, "pharos query: %s answered %d: %.*s\n", buf_cstr(&url), resp.status,
                SLICE_FMT(slice_first(resp.body, 500)));
        goto out;
    }
    if (resp.status != 200) {
        fprintf(stderr, "pharos query: %.*s: %.*s\n",
                SLICE_FMT(codec_json_get_string(&root, "errorType")),
                SLICE_FMT(codec_json_get_string(&root, "error")));
        goto out;
    }
    print_notes(&root, "warnings", "warning");
    print_notes(&root, "infos", "info");
    print_table(codec_json_get(&root, "data"));
    status = SERVER_EXIT_OK;
out:
    buf_deinit(&form);
    buf_deinit(&url);
    arena_free(arena);
    return status;
}

int server_cmd_query(int argc, char **argv)
{
    struct args a = {0};
    int status = parse(argc, argv, &a);
    return status >= 0 ? status : ask(&a);
}
