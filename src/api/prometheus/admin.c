/* admin/tsdb: deleting and snapshots, behind the setting prometheus.admin_api as Prometheus has it
 * behind
 * --web.enable-admin-api. */
#include "api/job.h"
#include "api/params.h"
#include "api/prometheus/door_priv.h"
#include "lang/promql/promql.h"

struct matcher_set {
    struct store_matcher *items;
    size_t count;
};

struct admin_state {
    struct matcher_set *sets;
    size_t set_count;
    int64_t t_min_ns, t_max_ns;
};

static bool is_enabled(struct api_call *call)
{
    struct api_limits l = api__limits(call->api);
    if (l.admin_api)
        return true;
    api__respond_error(call->req, API_UNAVAILABLE,
                       "admin APIs disabled; the setting prometheus.admin_api opens them");
    return false;
}

static void free_matchers(struct admin_state *st)
{
    for (size_t i = 0; i < st->set_count; i++)
        promql_matchers_free(st->sets[i].items, st->sets[i].count);
}

static void delete_cleanup(struct api_job *job)
{
    free_matchers(job->state);
}

static void delete_work(struct api_job *job)
{
    struct admin_state *st = job->state;
    struct api_host *host = job->api->host;
    struct diag diag;
    diag_init(&diag);
    for (size_t i = 0; i < st->set_count; i++) {
        struct store_select_req req = {.tenant = job->tenant,
                                       .t_min_ns = st->t_min_ns,
                                       .t_max_ns = st->t_max_ns,
                                       .matchers = st->sets[i].items,
                                       .matcher_count = st->sets[i].count};
        int err = host->delete_metrics(host->ctx, &req, &diag);
        if (err) {
            api_job_error(job, err == ERR_LIMIT ? API_EXECUTION : API_INTERNAL, "%s", diag.msg);
            return;
        }
    }
    job->status = 204;
}

/* ERR_INVALID with words for the answer. */
static int read_matchers(struct net_request *req, struct admin_state *st, struct buf *error)
{
    struct arena *arena = net_request_arena(req);
    size_t count = 0;
    struct diag diag;
    diag_init(&diag);
    while (net_request_param_at(req, "match[]", count).ptr)
        count++;
    if (!count) {
        buf_append_cstr(error, "no match[] parameter provided");
        return ERR_INVALID;
    }
    if (api_param_time(req, "start", false, API_TIME_MIN_NS, &st->t_min_ns, &diag) ||
        api_param_time(req, "end", false, API_TIME_MAX_NS, &st->t_max_ns, &diag)) {
        buf_append_cstr(error, diag.msg);
        return ERR_INVALID;
    }
    st->sets = ARENA_ARRAY(arena, struct matcher_set, count);
    for (size_t i = 0; i < count; i++) {
        struct matcher_set *set = &st->sets[i];
        if (promql_parse_selector(net_request_param_at(req, "match[]", i), arena, &set->items,
                                  &set->count, &diag)) {
            buf_append_cstr(error, "invalid parameter \"match[]\": ");
            promql_error_text(&diag, error);
            return ERR_INVALID;
        }
        st->set_count++;
    }
    return 0;
}

void api__prom_admin_delete(struct api_call *call)
{
    struct admin_state *st = ARENA_NEW(net_request_arena(call->req), struct admin_state);
    struct slice tenant = api__tenant(call->req);
    struct buf error = {0};
    if (!tenant.ptr || !is_enabled(call))
        return;
    if (read_matchers(call->req, st, &error)) {
        free_matchers(st);
        api__respond_error(call->req, API_BAD_DATA, "%s", buf_cstr(&error));
        buf_deinit(&error);
        return;
    }
    struct api_job *job = api_job_new(call, delete_work);
    job->tenant = tenant;
    job->state = st;
    job->cleanup = delete_cleanup;
    api_job_start(job, false);
}

/* Deleting rewrites the parts at once, so that there is never a tombstone to clean. */
void api__prom_admin_clean(struct api_call *call)
{
    if (is_enabled(call))
        net_respond(call->req, 204, NULL, SLICE(""));
}

struct snapshot_state {
    bool skip_head;
};

static void snapshot_work(struct api_job *job)
{
    const struct snapshot_state *st = job->state;
    struct api_host *host = job->api->host;
    struct diag diag;
    char name[64];
    diag_init(&diag);
    if (host->snapshot(host->ctx, !st->skip_head, name, sizeof(name), &diag))
        api_job_error(job, API_INTERNAL, "create snapshot: %s", diag.msg);
    else
        buf_printf(&job->out, "{\"status\":\"success\",\"data\":{\"name\":\"%s\"}}", name);
}

/* Below <data>/snapshots, as Prometheus names and places it. */
void api__prom_admin_snapshot(struct api_call *call)
{
    struct snapshot_state *st = ARENA_NEW(net_request_arena(call->req), struct snapshot_state);
    struct slice skip = net_request_param(call->req, "skip_head");
    struct diag diag;
    diag_init(&diag);
    if (!is_enabled(call))
        return;
    if (skip.len && api_param_bool(call->req, "skip_head", &st->skip_head, &diag)) {
        api__respond_error(call->req, API_BAD_DATA, "%s", diag.msg);
        return;
    }
    struct api_job *job = api_job_new(call, snapshot_work);
    job->state = st;
    api_job_start(job, false);
}
