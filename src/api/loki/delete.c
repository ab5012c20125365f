/* Deleting lines: done when it is answered. What was deleted is listed until the next start. */
#include <stdio.h>

#include "api/loki/door_priv.h"
#include "base/mem.h"
#include "lang/logql/pipeline.h"

#define KEPT_MAX 1000 /* of the list */

struct api__loki_deletion {
    struct api__loki_deletion *next;
    uint64_t id;
    char *tenant, *query;
    int64_t start_ns, end_ns, created_ns;
    uint64_t rows;
};

struct delete_state {
    struct slice query;
    int64_t start_ns, end_ns;
    struct logql_expr *expr;
};

static void cleanup(struct api_job *job)
{
    struct delete_state *st = job->state;
    logql_expr_free(st->expr);
    st->expr = NULL;
}

static char *copy(struct slice s)
{
    char *p = mem_alloc(s.len + 1);
    if (s.len)
        memcpy(p, s.ptr, s.len);
    p[s.len] = '\0';
    return p;
}

static void deletion_free(struct api__loki_deletion *d)
{
    mem_free(d->tenant);
    mem_free(d->query);
    mem_free(d);
}

static void remember(struct api_job *job, uint64_t rows)
{
    const struct delete_state *st = job->state;
    struct api *api = job->api;
    struct api__loki_deletion *d = mem_calloc(1, sizeof(*d));
    d->tenant = copy(job->tenant);
    d->query = copy(st->query);
    d->start_ns = st->start_ns;
    d->end_ns = st->end_ns;
    d->created_ns = api->host->now_ns(api->host->ctx);
    d->rows = rows;
    pthread_mutex_lock(&api->lock);
    d->id = ++api->loki_deletion_id;
    d->next = api->loki_deletions;
    api->loki_deletions = d;
    size_t n = 0;
    for (struct api__loki_deletion **p = &api->loki_deletions; *p; p = &(*p)->next) {
        if (++n == KEPT_MAX) {
            for (struct api__loki_deletion *o = (*p)->next, *next; o; o = next) {
                next = o->next;
                deletion_free(o);
            }
            (*p)->next = NULL;
        }
    }
    pthread_mutex_unlock(&api->lock);
}

void loki__deletions_free(struct api *api)
{
    for (struct api__loki_deletion *d = api->loki_deletions, *next; d; d = next) {
        next = d->next;
        deletion_free(d);
    }
    api->loki_deletions = NULL;
}

static void delete_work(struct api_job *job)
{
    struct delete_state *st = job->state;
    const struct logql_pipeline_options options = {.counts = true};
    struct api_host *host = job->api->host;
    struct logql_pipeline *pipeline;
    uint64_t rows = 0;
    struct diag diag;
    diag_init(&diag);
    if (logql_parse(st->query, job->call_arena, &st->expr, &diag)) {
        loki__job_parse_error(job, &diag);
        return;
    }
    if (!logql_is_log(st->expr)) {
        api__plain_job_error(job, 400,
                             "unsupported query expression: a selector is expected, maybe "
                             "with line and label filters");
        return;
    }
    int err = logql_pipeline_new(st->expr, NULL, &options, job->call_arena, &pipeline, &diag);
    if (!err && pipeline->step_count)
        err = diag_set(&diag, ERR_UNSUPPORTED,
                       "unsupported query expression: only line filters and comparisons of labels "
                       "with strings can say what is deleted");
    if (err) {
        api__plain_job_fail(job, err, &diag);
        return;
    }
    struct store_event_scan what = {.select = {.tenant = job->tenant,
                                               .t_min_ns = st->start_ns,
                                               .t_max_ns = st->end_ns,
                                               .limits = loki__limits(job)},
                                    .clauses = pipeline->clauses,
                                    .clause_count = pipeline->clause_count};
    what.select.limits.scan_rows_max = 0;
    what.select.limits.deadline_ns = 0;
    what.select.matchers = logql_matchers(st->expr, &what.select.matcher_count);
    err = host->delete_logs ? host->delete_logs(host->ctx, &what, &rows, &diag) : ERR_UNSUPPORTED;
    if (err) {
        api__plain_job_fail(job, err, &diag);
        return;
    }
    remember(job, rows);
    job->status = 204;
}

void loki__delete_add(struct api_call *call)
{
    struct delete_state *st = ARENA_NEW(net_request_arena(call->req), struct delete_state);
    int64_t now_ns = call->api->host->now_ns(call->api->host->ctx);
    struct api_job *job;
    struct diag diag;
    diag_init(&diag);
    if (api__is_cross_site(call->req)) {
        api__plain_error(call->req, 403,
                         "a page of another site may not delete (Origin or Sec-Fetch-Site)");
        return;
    }
    st->query = net_request_param(call->req, "query");
    if (!st->query.len || !net_request_param(call->req, "start").len) {
        api__plain_error(call->req, 400, "%s not set", st->query.len ? "start time" : "query");
        return;
    }
    if (loki__param_time(call->req, "start", 0, &st->start_ns, &diag) ||
        loki__param_time(call->req, "end", now_ns, &st->end_ns, &diag)) {
        api__plain_error(call->req, 400, "%s", diag.msg);
        return;
    }
    if (st->end_ns < st->start_ns) {
        api__plain_error(call->req, 400, "start time can't be greater than end time");
        return;
    }
    struct slice tenant;
    if (!api__tenant_read(call->req, &tenant)) {
        api__plain_error(call->req, 400, "%s; lines of one tenant are deleted at a time",
                         API__TENANT_RULE);
        return;
    }
    if (!(job = loki__job_new(call, delete_work)))
        return;
    job->state = st;
    job->cleanup = cleanup;
    api_job_start(job, false);
}

void loki__delete_list(struct api_call *call)
{
    struct api *api = call->api;
    struct slice tenant;
    struct buf out = {0};
    struct codec_json_writer w;
    if (!api__tenant_read(call->req, &tenant)) {
        api__plain_error(call->req, 400, "%s", API__TENANT_RULE);
        return;
    }
    codec_json_init(&w, &out);
    codec_json_begin_array(&w);
    pthread_mutex_lock(&api->lock);
    for (const struct api__loki_deletion *d = api->loki_deletions; d; d = d->next) {
        char id[24];
        if (!slice_eq_cstr(tenant, d->tenant))
            continue;
        snprintf(id, sizeof(id), "%016llx", (unsigned long long)d->id);
        codec_json_begin_object(&w);
        api__put_text(&w, "request_id", id);
        codec_json_key(&w, SLICE("start_time"));
        codec_json_double(&w, (double)(d->start_ns / NS_PER_MS) / 1000);
        codec_json_key(&w, SLICE("end_time"));
        codec_json_double(&w, (double)(d->end_ns / NS_PER_MS) / 1000);
        api__put_text(&w, "query", d->query);
        api__put_text(&w, "status", "processed");
        codec_json_key(&w, SLICE("created_at"));
        codec_json_double(&w, (double)(d->created_ns / NS_PER_MS) / 1000);
        codec_json_put_int(&w, "deleted_lines", (int64_t)d->rows);
        codec_json_end_object(&w);
    }
    pthread_mutex_unlock(&api->lock);
    codec_json_end_array(&w);
    api__respond_json(call->req, 200, buf_slice(&out));
    buf_deinit(&out);
}

void loki__delete_cancel(struct api_call *call)
{
    struct api *api = call->api;
    struct slice tenant, asked = net_request_param(call->req, "request_id");
    bool known = false;
    if (!api__tenant_read(call->req, &tenant)) {
        api__plain_error(call->req, 400, "%s", API__TENANT_RULE);
        return;
    }
    if (!asked.len) {
        api__plain_error(call->req, 400, "request_id not set");
        return;
    }
    pthread_mutex_lock(&api->lock);
    for (const struct api__loki_deletion *d = api->loki_deletions; d; d = d->next) {
        char id[24];
        snprintf(id, sizeof(id), "%016llx", (unsigned long long)d->id);
        known |= slice_eq_cstr(asked, id) && slice_eq_cstr(tenant, d->tenant);
    }
    pthread_mutex_unlock(&api->lock);
    if (!known) {
        api__plain_error(call->req, 404, "could not find delete request with given id");
        return;
    }
    api__plain_error(call->req, 400,
                     "deletion of request past the deadline of 0s since its creation is not "
                     "allowed: what it names is gone already");
}
