/* pharos query: asks a running server over HTTP and prints a table. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lang/logql/logql.h"
#include "lang/traceql/traceql.h"
#include "net/http_client.h"
#include "net/url.h"
#include "server/commands.h"
#include "server/query_print.h"
#include "text/duration.h"

enum shape { SHAPE_PROMETHEUS, SHAPE_LOKI, SHAPE_TEMPO, SHAPE_GRAPHITE };

/* A language, and the door that is asked. */
static const struct language {
    const char *name, *base; /* below the main door */
    enum shape shape;
    void (*print)(const struct codec_json *root);
} languages[] = {{"promql", "/prometheus", SHAPE_PROMETHEUS, server_print_prometheus},
                 {"logql", "/loki", SHAPE_LOKI, server_print_prometheus},
                 {"traceql", "/tempo", SHAPE_TEMPO, server_print_tempo},
                 {"graphite", "/graphite", SHAPE_GRAPHITE, server_print_graphite}};

struct args {
    const char *query, *lang, *start, *end, *time, *step, *limit, *url, *user, *token;
    const struct language *language;
    bool json;
};

static void print_help(void)
{
    printf(
        "Usage: pharos query [options] QUERY\n\n"
        "Asks a running server and prints a table: at one moment, or over a time when --start "
        "is given.\n\n"
        "  --lang promql     language of the query: promql; logql for log lines, traceql for\n"
        "                    traces, and what is counted of them; graphite for render's targets\n"
        "  --time T          the moment; default now\n"
        "  --start T         begin; times are RFC 3339, seconds since 1970, or like -1h\n"
        "  --end T           end; default now\n"
        "  --step D          distance of points (30s); default a 250th of the time\n"
        "  --limit N         log lines (100) or traces (20) at most, newest first\n"
        "  --url URL         a server's Prometheus (Loki, Tempo, Graphite) API; default\n"
        "                    $PHAROS_URL or http://127.0.0.1:3000/prometheus (/loki, ...)\n"
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
    for (size_t i = 0; i < ARRAY_LEN(languages); i++) {
        if (strcmp(a->lang ? a->lang : "promql", languages[i].name) == 0)
            a->language = &languages[i];
    }
    if (!a->language) {
        fprintf(stderr,
                "pharos query: --lang %s is not built yet; promql, logql, traceql and graphite "
                "are\n",
                a->lang);
        return SERVER_EXIT_USAGE;
    }
    if (a->limit && a->language->shape != SHAPE_LOKI && a->language->shape != SHAPE_TEMPO) {
        fprintf(stderr, "pharos query: --limit is for --lang logql and traceql\n");
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

/* Lines and traces have no value at one moment: without --start the last hour is asked for. */
static bool wants_rows(const struct args *a)
{
    struct arena *arena = arena_new(0, NULL);
    struct logql_expr *expr;
    struct traceql_query *traceql;
    bool rows = false;
    if (a->language->shape == SHAPE_LOKI &&
        !logql_parse(slice_cstr(a->query), arena, &expr, NULL)) {
        rows = logql_is_log(expr);
        logql_expr_free(expr);
    }
    if (a->language->shape == SHAPE_TEMPO) {
        rows = true; /* also what does not parse: search says why */
        if (!traceql_parse(slice_cstr(a->query), arena, &traceql, NULL)) {
            rows = !traceql_is_metrics(traceql);
            traceql_query_free(traceql);
        }
    }
    arena_free(arena);
    return rows;
}

/* What the door calls a query and its two ends, and the endpoint. */
struct endpoint {
    const char *query, *start, *end, *path;
};

static struct endpoint endpoint_of(const struct args *a, bool rows, bool range)
{
    switch (a->language->shape) {
    case SHAPE_LOKI:
        return (struct endpoint){"query", "start", "end",
                                 rows || range ? "/loki/api/v1/query_range" : "/loki/api/v1/query"};
    case SHAPE_TEMPO:
        return (struct endpoint){"q", "start", "end",
                                 rows    ? "/api/search"
                                 : range ? "/api/metrics/query_range"
                                         : "/api/metrics/query"};
    case SHAPE_GRAPHITE: return (struct endpoint){"target", "from", "until", "/render"};
    default:
        return (struct endpoint){"query", "start", "end",
                                 range ? "/api/v1/query_range" : "/api/v1/query"};
    }
}

static bool build_form(const struct args *a, struct buf *form, struct endpoint *out)
{
    int64_t now_ns = (int64_t)time(NULL) * NS_PER_SEC, start = 0, end = now_ns, at;
    bool rows = wants_rows(a), graphite = a->language->shape == SHAPE_GRAPHITE;
    *out = endpoint_of(a, rows, a->start != NULL);
    add(form, out->query, slice_cstr(a->query));
    if (graphite)
        add(form, "format", SLICE("json"));
    if (a->limit)
        add(form, "limit", slice_cstr(a->limit));
    if (!a->start && (a->end || a->step)) {
        fprintf(stderr, "pharos query: --end and --step need --start\n");
        return false;
    }
    if (!a->start && a->language->shape == SHAPE_TEMPO && rows) {
        add_seconds(form, out->start, now_ns - 3600 * NS_PER_SEC);
        add_seconds(form, out->end, now_ns + NS_PER_SEC);
    } else if (!a->start && a->time && !rows && !graphite) {
        if (!parse_time("--time", a->time, now_ns, &at))
            return false;
        add_seconds(form, a->language->shape == SHAPE_TEMPO ? "end" : "time", at);
    }
    if (!a->start)
        return true;
    if (!parse_time("--start", a->start, now_ns, &start) ||
        (a->end && !parse_time("--end", a->end, now_ns, &end)))
        return false;
    if (graphite) { /* whole seconds */
        struct buf text = {0};
        buf_printf(&text, "%lld", (long long)(start / NS_PER_SEC));
        add(form, out->start, buf_slice(&text));
        buf_clear(&text);
        buf_printf(&text, "%lld", (long long)(end / NS_PER_SEC));
        add(form, out->end, buf_slice(&text));
        buf_deinit(&text);
        return true;
    }
    add_seconds(form, out->start, start);
    add_seconds(form, out->end, end);
    if (a->step)
        add(form, "step", slice_cstr(a->step));
    else if (!rows || a->language->shape == SHAPE_LOKI)
        add_seconds(form, "step", MAX((end - start) / 250 / NS_PER_SEC, 1) * NS_PER_SEC);
    return true;
}

static int ask(const struct args *a)
{
    struct arena *arena = arena_new(0, NULL);
    struct buf form = {0}, url = {0};
    struct net_client_response resp = {0};
    struct diag diag;
    struct endpoint to;
    int status = SERVER_EXIT_USAGE;
    const char *base = a->url ? a->url : getenv("PHAROS_URL");
    diag_init(&diag);
    if (!build_form(a, &form, &to))
        goto out;
    status = SERVER_EXIT_FAIL;
    buf_printf(&url, "%s%s", base ? base : "http://127.0.0.1:3000", base ? "" : a->language->base);
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    buf_append_cstr(&url, to.path);
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
    if (a->language->shape != SHAPE_PROMETHEUS && resp.status != 200) {
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
    a->language->print(&root);
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
