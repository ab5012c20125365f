/* Graphite's door: its table, and what all of it shares. */
#include <stdio.h>

#include "api/graphite/door_priv.h"
#include "codec/number.h"
#include "text/go_time.h"

#define BOTH (API_GET | API_POST)

static const struct api_route graphite_routes[] = {
    {BOTH, "/render", graphite_api__render},
    {BOTH, "/render/", graphite_api__render},
    {BOTH, "/metrics", graphite_api__find},
    {BOTH, "/metrics/", graphite_api__find},
    {BOTH, "/metrics/find", graphite_api__find},
    {BOTH, "/metrics/find/", graphite_api__find},
    {BOTH, "/metrics/expand", graphite_api__expand},
    {BOTH, "/metrics/expand/", graphite_api__expand},
    {BOTH, "/metrics/index.json", graphite_api__index_json},
    {API_GET, "/version", graphite_api__version},
    {API_GET, "/version/", graphite_api__version},
    {API_GET, "/functions", graphite_api__functions},
    {API_GET, "/functions/", graphite_api__functions},
    {API_GET, "/functions/:name", graphite_api__function},
    {API_GET, "/tags", graphite_api__tags},
    {API_GET, "/tags/", graphite_api__tags},
    {BOTH, "/tags/findSeries", graphite_api__find_series},
    {API_POST, "/tags/tagSeries", graphite_api__tag_series},
    {API_POST, "/tags/tagMultiSeries", graphite_api__tag_multi_series},
    {API_POST, "/tags/delSeries", graphite_api__del_series},
    {BOTH, "/tags/autoComplete/tags", graphite_api__complete_tags},
    {BOTH, "/tags/autoComplete/values", graphite_api__complete_values},
    {API_GET, "/tags/:tag", graphite_api__tag},
    {API_POST, "/events", graphite_api__events_add},
    {API_POST, "/events/", graphite_api__events_add},
    {BOTH, "/events/get_data", graphite_api__events_data},
    {API_GET, "/events/:id", graphite_api__event},
    {API_GET, "/events/:id/", graphite_api__event},
};

void graphite_api__refuse(struct net_request *req, int status, const char *message)
{
    net_respond_text(req, status, "%s\n", message);
}

const struct api_door api_door_graphite = {
    .name = "graphite",
    .routes = graphite_routes,
    .route_count = ARRAY_LEN(graphite_routes),
    .refuse = graphite_api__refuse,
};

void graphite_api__job_fail(struct api_job *job, int err, const struct diag *diag)
{
    job->status = err == ERR_CANCELLED                           ? 499
                  : err == ERR_TIMEOUT || err == ERR_AGAIN       ? 503
                  : err == ERR_NOMEM || err == ERR_LIMIT         ? 422
                  : err == ERR_INVALID || err == ERR_UNSUPPORTED ? 400
                  : err == ERR_NOT_FOUND                         ? 404
                                                                 : 500;
    job->content_type = "text/plain; charset=utf-8";
    buf_clear(&job->out);
    job->produce = NULL;
    buf_printf(&job->out, err == ERR_INVALID ? "Invalid parameters (%s)\n" : "%s\n", diag->msg);
}

struct api_job *graphite_api__job_new(struct api_call *call, void (*work)(struct api_job *job))
{
    struct slice tenant;
    if (!api__tenant_read(call->req, &tenant)) {
        graphite_api__refuse(call->req, 400, API__TENANT_RULE);
        return NULL;
    }
    struct api_job *job = api_job_new(call, work);
    if (!job)
        return NULL;
    job->tenant = tenant;
    return job;
}

bool graphite_api__index(struct api_job *job)
{
    struct diag diag;
    diag_init(&diag);
    int err = graphite_index_refresh(job->api->graphite, job->api->source, job->tenant,
                                     &job->cancelled, &diag);
    if (err)
        graphite_api__job_fail(job, err, &diag);
    return !err;
}

struct graphite_schemas *graphite_api__schemas(struct api *api)
{
    pthread_mutex_lock(&api->lock);
    struct graphite_schemas *s = graphite_schemas_ref(api->graphite_schemas);
    pthread_mutex_unlock(&api->lock);
    return s;
}

void api_set_graphite(struct api *api, struct graphite_schemas *schemas)
{
    pthread_mutex_lock(&api->lock);
    struct graphite_schemas *old = api->graphite_schemas;
    api->graphite_schemas = schemas;
    pthread_mutex_unlock(&api->lock);
    graphite_schemas_unref(old);
}

struct slice *graphite_api__params(struct net_request *req, const char *name, size_t *out_count)
{
    char with_brackets[40];
    VEC(struct slice) all = {0};
    struct slice one;
    snprintf(with_brackets, sizeof(with_brackets), "%s[]", name);
    const char *const names[] = {name, with_brackets};
    for (size_t k = 0; k < ARRAY_LEN(names) && !all.len; k++) {
        for (size_t i = 0; (one = net_request_param_at(req, names[k], i)).ptr; i++)
            vec_push(&all, one);
    }
    *out_count = all.len;
    struct slice *out = arena_dup(net_request_arena(req), all.items, all.len * sizeof(*out));
    vec_free(&all);
    return out;
}

bool graphite_api__param_flag(struct net_request *req, const char *name)
{
    int64_t v;
    return codec_text_to_int(net_request_param(req, name), &v) && v != 0;
}

int graphite_api__param_time(struct net_request *req, const char *name, int64_t now_s,
                             const struct text_zone *zone, int64_t fallback, int64_t *out,
                             struct diag *diag)
{
    struct slice text = net_request_param(req, name);
    *out = fallback;
    if (!text.len || slice_eq(text, SLICE("-1")))
        return 0;
    return graphite_time_parse(text, now_s, zone, out, diag);
}

int64_t graphite_api__now_s(struct api *api)
{
    return api->host->now_ns(api->host->ctx) / NS_PER_SEC;
}

void graphite_api__jsonp(struct api_job *job, struct slice callback)
{
    struct buf b = {0};
    if (!callback.len)
        return;
    for (size_t i = 0; i < callback.len; i++) { /* a name, and no script of somebody else */
        char c = callback.ptr[i];
        if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' ||
              c == '.' || c == '$' || c == '[' || c == ']'))
            return;
    }
    buf_append_slice(&b, callback);
    buf_append_char(&b, '(');
    buf_append_slice(&b, buf_slice(&job->out));
    buf_append_char(&b, ')');
    buf_deinit(&job->out);
    job->out = b;
    job->content_type = "text/javascript";
}

void graphite_api__version(struct api_call *call)
{
    net_respond(call->req, 200, "text/plain; charset=utf-8", SLICE("1.1.10\n"));
}

static void respond(struct api_call *call, struct buf *out)
{
    net_respond(call->req, 200, "application/json", buf_slice(out));
    buf_deinit(out);
}

void graphite_api__functions(struct api_call *call)
{
    struct buf out = {0};
    struct codec_json_writer w;
    struct slice grouped = net_request_param(call->req, "grouped");
    struct slice type = net_request_param(call->req, "type");
    codec_json_init(&w, &out);
    if (slice_eq(type, SLICE("pie"))) {
        codec_json_begin_object(&w);
        codec_json_end_object(&w);
    } else {
        graphite_functions_json(
            &w, slice_eq(grouped, SLICE("1")) || slice_eq_nocase(grouped, SLICE("true")),
            net_request_param(call->req, "group"));
    }
    respond(call, &out);
}

void graphite_api__function(struct api_call *call)
{
    struct buf out = {0};
    struct codec_json_writer w;
    codec_json_init(&w, &out);
    if (graphite_function_json(&w, call->args[0])) {
        respond(call, &out);
        return;
    }
    buf_deinit(&out);
    net_respond_text(call->req, 404, "{\"error\":\"Function not found\"}");
}
