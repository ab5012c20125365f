/* /api/ds/query: queries as Grafana's panels and scripts send them, in every language that Pharos
 * has a door for, and expressions over their answers; answered as data frames. */
#include <math.h>
#include <stdio.h>

#include "api/grafana/ds_query.h"
#include "api/grafana/ds_take.h"
#include "api/time_ref.h"
#include "api/traces.h"
#include "text/duration.h"

#define QUERIES_MAX     200
#define POINTS_MAX      11000
#define INTERVAL_MS     15000
#define SCRAPE_INTERVAL (15 * NS_PER_SEC)

/* A query of the request. Of one that is asked as range and instant there are two answers. */
struct node {
    const struct codec_json *query;
    struct slice ref_id;
    enum { NODE_NEW, NODE_RUNNING, NODE_DONE } state;
    struct grafana_answer answers[2];
    size_t answer_count;
    int err;
    enum api_error kind;
    struct diag diag;
};

struct request {
    struct grafana *g;
    struct grafana_target range; /* its from and to */
    struct node *nodes;
    size_t count;
    struct budget memory; /* of the answers */
    struct arena *arena;
};

/* --- variables that Grafana's server fills --- */

static void put_duration(int64_t ns, struct buf *out)
{
    if (ns % NS_PER_SEC)
        buf_printf(out, "%lldms", (long long)(ns / NS_PER_MS));
    else
        buf_printf(out, "%llds", (long long)(ns / NS_PER_SEC));
}

static void put_variable(struct slice name, const struct grafana_target *t, struct buf *out)
{
    int64_t range_ns = t->to_ns - t->from_ns;
    int64_t rate_ns = MAX(t->step_ns + SCRAPE_INTERVAL, 4 * SCRAPE_INTERVAL);
    if (slice_eq_cstr(name, "__interval") || slice_eq_cstr(name, "__auto"))
        put_duration(t->step_ns, out);
    else if (slice_eq_cstr(name, "__interval_ms"))
        buf_printf(out, "%lld", (long long)(t->step_ns / NS_PER_MS));
    else if (slice_eq_cstr(name, "__rate_interval"))
        put_duration(rate_ns, out);
    else if (slice_eq_cstr(name, "__rate_interval_ms"))
        buf_printf(out, "%lld", (long long)(rate_ns / NS_PER_MS));
    else if (slice_eq_cstr(name, "__range"))
        buf_printf(out, "%llds", (long long)(range_ns / NS_PER_SEC));
    else if (slice_eq_cstr(name, "__range_s"))
        buf_printf(out, "%lld", (long long)(range_ns / NS_PER_SEC));
    else if (slice_eq_cstr(name, "__range_ms"))
        buf_printf(out, "%lld", (long long)(range_ns / NS_PER_MS));
    else
        buf_printf(out, "$%.*s", SLICE_FMT(name));
}

static void fill_variables(struct slice text, const struct grafana_target *t, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        size_t begin = i + 1, n = 0;
        if (text.ptr[i] != '$') {
            buf_append_char(out, text.ptr[i]);
            continue;
        }
        bool braces = begin < text.len && text.ptr[begin] == '{';
        begin += braces;
        while (begin + n < text.len && (text.ptr[begin + n] == '_' ||
                                        (text.ptr[begin + n] >= 'a' && text.ptr[begin + n] <= 'z')))
            n++;
        struct slice name = slice_make(text.ptr + begin, n);
        bool closed = !braces || (begin + n < text.len && text.ptr[begin + n] == '}');
        if (!closed || !slice_starts_with(name, SLICE("__"))) {
            buf_append_char(out, '$');
            continue;
        }
        put_variable(name, t, out);
        i = begin + n + braces - 1;
    }
}

/* --- queries --- */

static int64_t monotonic(void *ctx)
{
    (void)ctx;
    return api__monotonic_ns();
}

static int run_target(struct request *r, const struct api_language *lang,
                      const struct grafana_target *t, size_t limit, struct grafana_answer *out,
                      enum api_error *kind, struct diag *diag)
{
    struct api_job *job = r->g->job;
    struct grafana_taker taker;
    struct buf nothing = {0}, executed = {0};
    struct budget memory;
    budget_init(&memory, &job->api->queries_memory, job->limits.query_memory_bytes,
                "limits.query.memory");
    struct api_query q = {
        .api = job->api,
        .tenant = job->tenant,
        .text = t->text,
        .from_ns = t->from_ns,
        .to_ns = t->to_ns,
        .limit = limit,
        .limits = job->limits,
        .arena = arena_new(0, &memory),
        .plan_arena = arena_new(4096, NULL),
        .taker = &taker.face,
        .steps = {.start_ns = t->to_ns, .end_ns = t->to_ns, .instant = t->instant}};
    q.env = (struct query_env){.source = job->api->source,
                               .tenant = job->tenant,
                               .pool = job->api->pool,
                               .memory = &memory,
                               .samples_max = (size_t)job->limits.query_samples,
                               .series_max = (size_t)job->limits.query_series,
                               .cancelled = &job->cancelled,
                               .deadline_ns = job->deadline_ns,
                               .now_ns = monotonic};
    if (!t->instant) {
        q.steps.step_ns = t->step_ns;
        q.steps.start_ns = t->from_ns / t->step_ns * t->step_ns;
        q.steps.end_ns = t->to_ns / t->step_ns * t->step_ns;
    }
    buf_printf(&executed, "Expr: %.*s\nStep: ", SLICE_FMT(t->text));
    put_duration(t->step_ns, &executed);
    *out = (struct grafana_answer){.ref_id = t->ref_id,
                                   .is_instant = t->instant,
                                   .interval_ns = t->step_ns,
                                   .executed = arena_slice(r->g->arena, buf_slice(&executed))};
    grafana__taker_init(&taker, t, r->arena, out);
    int err = lang->run(&q, &nothing, diag);
    *kind = q.has_error ? q.error : api__error_of(err);
    buf_deinit(&nothing);
    buf_deinit(&executed);
    arena_free(q.arena);
    arena_free(q.plan_arena);
    budget_drain(&memory);
    return err;
}

/* intervalMs of the query or of the whole, else by the points that are wanted. */
static int64_t step_of(const struct codec_json *v, const struct codec_json *whole,
                       const struct grafana_target *range)
{
    int64_t range_ns = range->to_ns - range->from_ns, min_ns;
    int64_t points = grafana__int(v, "maxDataPoints", grafana__int(whole, "maxDataPoints", 0));
    int64_t ms = grafana__int(v, "intervalMs", grafana__int(whole, "intervalMs", 0));
    int64_t step_ns = ms > 0 && ms < INT64_MAX / NS_PER_MS ? ms * NS_PER_MS
                      : points > 0                         ? range_ns / points
                                                           : INTERVAL_MS * NS_PER_MS;
    struct slice interval = grafana__string(v, "interval");
    if (interval.len && !text_duration_parse(interval, &min_ns))
        step_ns = MAX(step_ns, min_ns);
    step_ns = MAX(step_ns, range_ns / (POINTS_MAX - 1));
    return MAX(step_ns / NS_PER_MS, 1) * NS_PER_MS;
}

/* The language of a data source; NULL when Pharos has none for it. */
static const struct api_language *language_of(const struct grafana_source *s)
{
    return slice_eq_cstr(slice_cstr(s->type), "prometheus") ? &api_language_promql
           : slice_eq_cstr(slice_cstr(s->type), "loki")     ? &api_language_logql
           : slice_eq_cstr(slice_cstr(s->type), "tempo")    ? &api_language_traceql
           : slice_eq_cstr(slice_cstr(s->type), "graphite") ? &api_language_graphite
                                                            : NULL;
}

static void source_of(const struct codec_json *v, struct slice *uid, struct slice *type)
{
    const struct codec_json *ds = codec_json_get(v, "datasource");
    *uid = ds && ds->kind == CODEC_JSON_OBJECT   ? grafana__string(ds, "uid")
           : ds && ds->kind == CODEC_JSON_STRING ? ds->text
                                                 : SLICE("");
    *type = ds && ds->kind == CODEC_JSON_OBJECT ? grafana__string(ds, "type") : SLICE("");
    if (!uid->len)
        *uid = grafana__string(v, "datasourceUid"); /* of alert rules */
}

/* Under which key each data source has its text. */
static struct slice text_of(const struct codec_json *v)
{
    static const char *const keys[] = {"expr", "query", "targetFull", "target"};
    struct slice text = SLICE("");
    for (size_t i = 0; i < ARRAY_LEN(keys) && !text.len; i++)
        text = grafana__string(v, keys[i]);
    return text;
}

/* The data source asks for a trace by its id as such, or writes it in place of TraceQL. */
static bool is_trace_id(struct slice type, struct slice text)
{
    char id[16];
    return slice_eq_cstr(type, "traceId") || slice_eq_cstr(type, "traceID") ||
           api__trace_id_read(slice_trim(text), id);
}

static int run_query(struct request *r, struct node *n, const struct grafana_source *source)
{
    const struct codec_json *v = n->query;
    const struct api_language *lang = language_of(source);
    struct slice text = text_of(v), type = grafana__string(v, "queryType");
    bool instant = grafana__bool(v, "instant", slice_eq_cstr(type, "instant"));
    bool wants_range = grafana__bool(v, "range", !instant);
    int64_t limit = grafana__int(v, "maxLines", grafana__int(v, "limit", 0));
    int err = 0;
    if (!lang)
        return diag_set(&n->diag, ERR_UNSUPPORTED,
                        "data source type %s is not answered here; ask its own door, /%s",
                        source->type, source->door);
    if (!text.len)
        return diag_set(&n->diag, ERR_INVALID,
                        "the query has no text: \"expr\" (Prometheus, Loki), \"query\" (Tempo) "
                        "or \"target\" (Graphite)");
    if (lang == &api_language_traceql && is_trace_id(type, text)) {
        err = grafana__trace_run(r->g->job, n->ref_id, slice_trim(text), r->arena,
                                 &n->answers[n->answer_count++], &n->diag);
        n->kind = err == ERR_INVALID ? API_BAD_DATA : api__error_of(err);
        return err;
    }
    for (int pass = 0; pass < 2 && !err; pass++) {
        struct grafana_target t = {.ref_id = n->ref_id,
                                   .legend = grafana__string(v, "legendFormat"),
                                   .from_ns = r->range.from_ns,
                                   .to_ns = r->range.to_ns,
                                   .step_ns = step_of(v, r->g->body, &r->range),
                                   .instant = pass == 1};
        struct buf filled = {0};
        if (pass ? !instant : !wants_range)
            continue;
        fill_variables(text, &t, &filled);
        t.text = arena_slice(r->g->arena, buf_slice(&filled));
        buf_deinit(&filled);
        err = run_target(r, lang, &t, limit > 0 ? (size_t)limit : 0, &n->answers[n->answer_count++],
                         &n->kind, &n->diag);
    }
    return err;
}

/* --- expressions over queries --- */

static int run_node(struct request *r, struct node *n);

static int input(void *ctx, struct slice ref_id, const struct expr_set **out, struct diag *diag)
{
    struct request *r = ctx;
    for (size_t i = 0; i < r->count; i++) {
        struct node *n = &r->nodes[i];
        if (!slice_eq(n->ref_id, ref_id))
            continue;
        if (n->state == NODE_RUNNING)
            return diag_set(diag, ERR_INVALID,
                            "expression %.*s refers to itself, perhaps by way of others",
                            SLICE_FMT(ref_id));
        int err = run_node(r, n);
        if (err)
            return diag_set(diag, err, "did not execute: query %.*s failed: %s", SLICE_FMT(ref_id),
                            n->diag.code ? n->diag.msg : err_name(err));
        *out = &n->answers[0].set;
        return 0;
    }
    return diag_set(diag, ERR_INVALID, "there is no query %.*s, which an expression refers to",
                    SLICE_FMT(ref_id));
}

/* The query names no data source but the expressions themselves. */
static bool is_expression(struct slice uid, struct slice type)
{
    return slice_eq_cstr(uid, "__expr__") || slice_eq_cstr(uid, "-100") ||
           slice_eq_cstr(type, "__expr__");
}

static int run_expression(struct request *r, struct node *n)
{
    struct api_job *job = r->g->job;
    const struct expr_env env = {.arena = r->arena,
                                 .from_ns = r->range.from_ns,
                                 .to_ns = r->range.to_ns,
                                 .values_max = job->limits.query_samples,
                                 .cancelled = &job->cancelled,
                                 .deadline_ns = job->deadline_ns,
                                 .now_ns = api__monotonic_ns,
                                 .input = input,
                                 .ctx = r};
    int err = expr_run(&env, n->query, &n->answers[0].set, &n->diag);
    n->answers[0].ref_id = n->ref_id;
    n->answers[0].is_instant = expr_set_is_single(&n->answers[0].set);
    n->answer_count = 1;
    n->kind = err == ERR_INVALID ? API_BAD_DATA : api__error_of(err);
    return err;
}

static int run_node(struct request *r, struct node *n)
{
    struct slice uid, type;
    if (n->state == NODE_DONE)
        return n->err;
    n->state = NODE_RUNNING;
    n->kind = API_BAD_DATA;
    diag_init(&n->diag);
    source_of(n->query, &uid, &type);
    n->err = is_expression(uid, type)
                 ? run_expression(r, n)
                 : run_query(r, n, grafana__source(r->g->job->api->host, uid, type));
    if (n->err == ERR_UNSUPPORTED || n->err == ERR_NOT_FOUND)
        n->kind = API_NOT_FOUND;
    n->state = NODE_DONE;
    return n->err;
}

/* --- the answer --- */

static void put_node(const struct node *n, struct buf *out)
{
    if (n->err) {
        buf_append_cstr(out, "{\"error\":");
        codec_json_append_string(out, slice_cstr(n->diag.code ? n->diag.msg : err_name(n->err)));
        buf_printf(out, ",\"errorSource\":\"downstream\",\"status\":%d,\"frames\":[]}",
                   api__error_status(n->kind));
        return;
    }
    buf_append_cstr(out, "{\"status\":200,\"frames\":[");
    for (size_t i = 0; i < n->answer_count; i++) {
        struct buf frames = {0};
        grafana__put_answer(&n->answers[i], &frames);
        if (frames.len && out->ptr[out->len - 1] != '[')
            buf_append_char(out, ',');
        buf_append_slice(out, buf_slice(&frames));
        buf_deinit(&frames);
    }
    buf_append_cstr(out, "]}");
}

static void run_all(struct request *r)
{
    struct buf *out = &r->g->job->out;
    bool bad = false, first = true;
    buf_append_cstr(out, "{\"results\":{");
    for (size_t i = 0; i < r->count; i++) {
        struct node *n = &r->nodes[i];
        if (grafana__bool(n->query, "hide", false))
            continue;
        bad |= run_node(r, n) != 0;
        buf_append_cstr(out, first ? "" : ",");
        first = false;
        codec_json_append_string(out, n->ref_id);
        buf_append_char(out, ':');
        put_node(n, out);
    }
    buf_append_cstr(out, "}}");
    r->g->job->status = bad ? 400 : 200; /* as Grafana: some failed */
}

static int read_range(const struct codec_json *body, int64_t now_ns, struct grafana_target *out,
                      struct diag *diag)
{
    static const char *const keys[] = {"from", "to"};
    int64_t *const to[] = {&out->from_ns, &out->to_ns};
    *out = (struct grafana_target){.from_ns = now_ns - 3600 * NS_PER_SEC, .to_ns = now_ns};
    for (int i = 0; i < 2; i++) {
        const struct codec_json *v = codec_json_get(body, keys[i]);
        if (!v || v->kind == CODEC_JSON_NULL)
            continue;
        if ((v->kind != CODEC_JSON_STRING && v->kind != CODEC_JSON_NUMBER) ||
            api_time_ref(v->text, now_ns, i == 1, to[i]))
            return diag_set(diag, ERR_INVALID,
                            "\"%s\" is milliseconds since 1970, or text as \"now-1h\"", keys[i]);
    }
    return out->to_ns < out->from_ns ? diag_set(diag, ERR_INVALID, "\"to\" is before \"from\"") : 0;
}

void grafana__answer_queries(struct grafana *g, const struct codec_json *queries,
                             const struct codec_json *times)
{
    struct api_job *job = g->job;
    struct api_host *host = job->api->host;
    struct request r = {.g = g};
    if (!queries || queries->kind != CODEC_JSON_ARRAY || !queries->count) {
        grafana__fail(g, 400, NULL, "no queries found");
        return;
    }
    if (queries->count > QUERIES_MAX) {
        grafana__fail(g, 400, NULL, "there are %zu queries, %d may be", queries->count,
                      QUERIES_MAX);
        return;
    }
    int err = read_range(times, host->now_ns(host->ctx), &r.range, &g->diag);
    r.nodes = ARENA_ARRAY(g->arena, struct node, queries->count);
    if (!err && !r.nodes)
        err = diag_set(&g->diag, ERR_NOMEM, "the queries take more than limits.query.memory");
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    for (size_t i = 0; i < queries->count; i++) {
        struct slice ref = grafana__string(&queries->items[i], "refId");
        r.nodes[r.count++] =
            (struct node){.query = &queries->items[i], .ref_id = ref.len ? ref : SLICE("A")};
    }
    budget_init(&r.memory, &job->api->queries_memory, job->limits.query_memory_bytes,
                "limits.query.memory");
    r.arena = arena_new(0, &r.memory);
    run_all(&r);
    arena_free(r.arena);
    budget_drain(&r.memory);
}

static void ds_query(struct grafana *g)
{
    grafana__answer_queries(g, codec_json_get(g->body, "queries"), g->body);
}

void grafana__ds_query(struct api_call *call)
{
    struct slice tenant = api__tenant(call->req);
    if (tenant.ptr)
        grafana__start_query(call, ds_query, tenant);
}
