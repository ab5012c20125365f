/* From a request to a piece of work and its answer. */
#include <stdarg.h>
#include <stdlib.h>

#include "api/grafana/grafana_priv.h"

/* What a handler hands to the pool; in the request's arena. */
struct started {
    struct api_call *call;
    grafana_work work;
    char login[200];
};

static bool is_change(enum net_method m)
{
    return m == NET_POST || m == NET_PUT || m == NET_PATCH || m == NET_DELETE;
}

static bool is_json(struct slice type)
{
    struct slice name, rest = type;
    if (!slice_split(&rest, ';', &name))
        return false;
    name = slice_trim(name);
    return slice_eq_nocase(name, SLICE("application/json")) ||
           slice_eq_nocase(name, SLICE("application/merge-patch+json")) ||
           slice_eq_nocase(name, SLICE("application/graphql-response+json"));
}

/* False when it answered. */
static bool parse_body(struct grafana *g)
{
    g->text = net_request_body(g->req);
    if (!slice_trim(g->text).len)
        return true;
    if (!is_json(net_request_header(g->req, "content-type"))) {
        bool patch = net_request_method(g->req) == NET_PATCH &&
                     slice_starts_with(net_request_path(g->req), SLICE("/apis"));
        grafana__fail(g, 415, NULL, "a body is expected as Content-Type: %s here, this is %.*s",
                      patch ? "application/merge-patch+json" : "application/json",
                      SLICE_FMT(net_request_header(g->req, "content-type")));
        return false;
    }
    g->body = ARENA_NEW(g->arena, struct codec_json);
    int err = g->body ? codec_json_parse(g->text, g->arena, g->body, &g->diag) : ERR_NOMEM;
    if (err == ERR_NOMEM)
        grafana__fail(g, 413, NULL, "the body takes more memory than limits.query.memory allows");
    else if (err)
        grafana__fail(g, 400, NULL, "bad request data: line %u, column %u: %s", g->diag.line,
                      g->diag.col, g->diag.msg);
    return !err;
}

static void run(struct api_job *job)
{
    struct started *s = job->state;
    struct grafana g = {.job = job,
                        .call = s->call,
                        .req = s->call->req,
                        .arena = job->arena,
                        .catalog = job->api->catalog,
                        .login = slice_cstr(s->login)};
    diag_init(&g.diag);
    codec_json_init(&g.w, &job->out);
    if (!g.catalog) {
        grafana__fail(&g, 503, NULL,
                      "the catalogue could not be opened at the start; the log says why");
        return;
    }
    if (is_change(net_request_method(g.req)) && !parse_body(&g))
        return;
    s->work(&g);
}

static void start(struct api_call *call, grafana_work work, struct slice tenant)
{
    struct started *s = ARENA_NEW(net_request_arena(call->req), struct started);
    s->call = call;
    s->work = work;
    api__login(call, s->login, sizeof(s->login));
    struct api_job *job = api_job_new(call, run);
    job->state = s;
    net_response_header(call->req, "Cache-Control", SLICE("no-store"));
    net_response_header(call->req, "X-Content-Type-Options", SLICE("nosniff"));
    job->tenant = tenant;
    api_job_start(job, tenant.ptr != NULL);
}

void grafana__start(struct api_call *call, grafana_work work)
{
    start(call, work, (struct slice){0});
}

void grafana__start_query(struct api_call *call, grafana_work work, struct slice tenant)
{
    start(call, work, tenant);
}

/* Below /apis errors have Kubernetes' form. */
static void put_status(struct grafana *g, int http_status, struct slice message,
                       const char *given_reason)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {400, "BadRequest"},           {403, "Forbidden"},         {404, "NotFound"},
        {405, "MethodNotAllowed"},     {409, "Conflict"},          {413, "RequestEntityTooLarge"},
        {415, "UnsupportedMediaType"}, {503, "ServiceUnavailable"}};
    const char *reason = given_reason ? given_reason : "InternalError";
    for (size_t i = 0; i < ARRAY_LEN(reasons) && !given_reason; i++) {
        if (reasons[i].status == http_status)
            reason = reasons[i].reason;
    }
    codec_json_put_string(&g->w, "kind", SLICE("Status"));
    codec_json_put_string(&g->w, "apiVersion", SLICE("v1"));
    codec_json_key(&g->w, SLICE("metadata"));
    codec_json_begin_object(&g->w);
    codec_json_end_object(&g->w);
    codec_json_put_string(&g->w, "status", SLICE("Failure"));
    codec_json_put_string(&g->w, "message", message);
    codec_json_put_string(&g->w, "reason", slice_cstr(reason));
    codec_json_put_int(&g->w, "code", http_status);
}

void grafana__fail(struct grafana *g, int http_status, const char *status, const char *fmt, ...)
{
    struct buf msg = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&msg, fmt, ap);
    va_end(ap);
    buf_clear(&g->job->out);
    codec_json_init(&g->w, &g->job->out);
    g->job->status = http_status;
    codec_json_begin_object(&g->w);
    if (slice_starts_with(net_request_path(g->req), SLICE("/apis"))) {
        put_status(g, http_status, buf_slice(&msg), status);
    } else {
        codec_json_put_string(&g->w, "message", buf_slice(&msg));
        if (status)
            codec_json_put_string(&g->w, "status", slice_cstr(status));
    }
    codec_json_end_object(&g->w);
    buf_deinit(&msg);
}

void grafana__fail_err(struct grafana *g, int err)
{
    const char *words = g->diag.code ? g->diag.msg : err_name(err);
    switch (err) {
    case ERR_CONFLICT: grafana__fail(g, 412, "version-mismatch", "%s", words); break;
    case ERR_EXISTS: grafana__fail(g, 412, "name-exists", "%s", words); break;
    case ERR_NOT_FOUND: grafana__fail(g, 404, "not-found", "%s", words); break;
    case ERR_INVALID: grafana__fail(g, 400, NULL, "%s", words); break;
    case ERR_DENIED: grafana__fail(g, 400, NULL, "%s", words); break;
    case ERR_TOO_LARGE: grafana__fail(g, 413, NULL, "%s", words); break;
    case ERR_LIMIT: grafana__fail(g, 403, NULL, "%s", words); break;
    case ERR_NOSPACE: grafana__fail(g, 507, NULL, "%s", words); break;
    default: grafana__fail(g, 500, NULL, "%s", words); break;
    }
}

void grafana__message(struct grafana *g, const char *fmt, ...)
{
    struct buf msg = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&msg, fmt, ap);
    va_end(ap);
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "message", buf_slice(&msg));
    codec_json_end_object(&g->w);
    buf_deinit(&msg);
}

/* --- reading --- */

struct slice grafana__param(struct grafana *g, const char *name)
{
    struct slice v = net_request_param(g->req, name);
    return v.ptr ? v : SLICE("");
}

static bool parse_int(struct slice s, int64_t *out)
{
    char text[24], *end;
    if (!s.len || s.len >= sizeof(text))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = 0;
    long long v = strtoll(text, &end, 10);
    *out = v;
    return !*end;
}

int64_t grafana__param_int(struct grafana *g, const char *name, int64_t fallback)
{
    int64_t v;
    return parse_int(grafana__param(g, name), &v) ? v : fallback;
}

struct slice grafana__arg(struct grafana *g, size_t i)
{
    return i < g->call->arg_count ? g->call->args[i] : SLICE("");
}

struct slice grafana__string(const struct codec_json *v, const char *key)
{
    struct slice s = codec_json_get_string(v, key);
    return s.ptr ? s : SLICE("");
}

int64_t grafana__int(const struct codec_json *v, const char *key, int64_t fallback)
{
    const struct codec_json *n = codec_json_get(v, key);
    int64_t out;
    if (!n || (n->kind != CODEC_JSON_NUMBER && n->kind != CODEC_JSON_STRING))
        return fallback;
    if (parse_int(n->text, &out))
        return out;
    /* 1.7e12 and the like */
    if (n->kind == CODEC_JSON_NUMBER && n->number > -9e18 && n->number < 9e18)
        return (int64_t)n->number;
    return fallback;
}

bool grafana__bool(const struct codec_json *v, const char *key, bool fallback)
{
    const struct codec_json *b = codec_json_get(v, key);
    return b && b->kind == CODEC_JSON_BOOL ? b->boolean : fallback;
}

struct slice *grafana__strings(struct grafana *g, const struct codec_json *v, const char *key,
                               size_t *out_count)
{
    const struct codec_json *list = codec_json_get(v, key);
    size_t count = list && list->kind == CODEC_JSON_ARRAY ? list->count : 0;
    struct slice *out = ARENA_ARRAY(g->arena, struct slice, count + 1);
    *out_count = 0;
    for (size_t i = 0; out && i < count; i++) {
        if (list->items[i].kind == CODEC_JSON_STRING)
            out[(*out_count)++] = list->items[i].text;
    }
    return out;
}

struct slice grafana__folder_uid(struct slice uid)
{
    return slice_eq_cstr(uid, "general") ? SLICE("") : uid;
}

/* --- writing --- */

void grafana__put_time(struct grafana *g, const char *key, int64_t ns)
{
    api__put_time(&g->w, key, ns);
}

void grafana__put_ms(struct grafana *g, const char *key, int64_t ns)
{
    codec_json_put_int(&g->w, key, ns / NS_PER_MS);
}

void grafana__put_tags(struct grafana *g, const char *key, const struct slice *tags, size_t count)
{
    codec_json_key(&g->w, slice_cstr(key));
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < count; i++)
        codec_json_string(&g->w, tags[i]);
    codec_json_end_array(&g->w);
}
