#include "api/rule_config.h"

#include "api/plain.h"

static void list_work(struct api_job *job)
{
    struct alert_rule_place *place = job->state;
    struct api_host *host = job->api->host;
    struct diag diag;
    diag_init(&diag);
    int err = host->rule_list(host->ctx, place, &job->out, &diag);
    job->content_type = "application/yaml";
    if (err)
        api__plain_job_fail(job, err, &diag);
}

static void put_accepted(struct api_job *job)
{
    job->status = 202;
    buf_append_cstr(&job->out,
                    "{\"status\":\"success\",\"data\":null,\"errorType\":\"\",\"error\":\"\"}");
}

struct put_request {
    struct alert_rule_place place;
    struct slice text;
};

static void put_work(struct api_job *job)
{
    struct put_request *r = job->state;
    struct api_host *host = job->api->host;
    struct text_yaml *group = NULL;
    struct diag diag;
    diag_init(&diag);
    int err = text_yaml_parse(r->text, job->call_arena, &group, &diag);
    if (err)
        api__plain_job_error(job, 400, "the body is no YAML: %u:%u: %s", diag.line, diag.col,
                             diag.msg);
    else if ((err = host->rule_put(host->ctx, &r->place, group, &diag)))
        api__plain_job_fail(job, err, &diag);
    else
        put_accepted(job);
}

static void delete_work(struct api_job *job)
{
    struct alert_rule_place *place = job->state;
    struct api_host *host = job->api->host;
    struct diag diag;
    diag_init(&diag);
    int err = host->rule_delete(host->ctx, place, &diag);
    if (err)
        api__plain_job_fail(job, err, &diag);
    else
        put_accepted(job);
}

/* False when it answered: the tenant is no good. */
static bool place_of(const struct api_call *call, const struct alert_language *language,
                     struct alert_rule_place *out)
{
    *out = (struct alert_rule_place){.language = language,
                                     .tenant = api__tenant(call->req),
                                     .name_space = call->arg_count > 0 ? call->args[0] : SLICE(""),
                                     .group = call->arg_count > 1 ? call->args[1] : SLICE("")};
    return out->tenant.ptr != NULL;
}

static void start(struct api_call *call, void (*work)(struct api_job *job), void *state)
{
    struct api_job *job = api_job_new(call, work);
    if (!job)
        return;
    job->state = state;
    api_job_start(job, false);
}

static bool refuse_cross_site(struct api_call *call)
{
    if (!api__is_cross_site(call->req))
        return false;
    api__plain_error(call->req, 403,
                     "a page of another site may not change rules (Origin or Sec-Fetch-Site)");
    return true;
}

void api__rule_config_list(struct api_call *call, const struct alert_language *language)
{
    struct alert_rule_place *place =
        ARENA_NEW(net_request_arena(call->req), struct alert_rule_place);
    if (place_of(call, language, place))
        start(call, list_work, place);
}

void api__rule_config_put(struct api_call *call, const struct alert_language *language)
{
    struct put_request *r = ARENA_NEW(net_request_arena(call->req), struct put_request);
    if (refuse_cross_site(call))
        return;
    r->text = net_request_body(call->req);
    if (place_of(call, language, &r->place))
        start(call, put_work, r);
}

void api__rule_config_delete(struct api_call *call, const struct alert_language *language)
{
    struct alert_rule_place *place =
        ARENA_NEW(net_request_arena(call->req), struct alert_rule_place);
    if (refuse_cross_site(call))
        return;
    if (place_of(call, language, place))
        start(call, delete_work, place);
}
