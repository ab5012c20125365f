/* What operators and their machines ask: health, readiness, counters, reload. */
#include <stdio.h>

#include "api/job.h"

void api__healthy(struct api_call *call)
{
    net_respond_text(call->req, 200, call->door ? "Prometheus Server is Healthy.\n" : "healthy\n");
}

void api__ready(struct api_call *call)
{
    if (call->api->ready && !call->api->stopping) {
        net_respond_text(call->req, 200, call->door ? "Prometheus Server is Ready.\n" : "ready\n");
        return;
    }
    struct api_host *host = call->api->host;
    struct diag diag;
    char text[1000] = "Service Unavailable\n";
    diag_init(&diag);
    if (!call->api->stopping && host->health && host->health(host->ctx, &diag))
        snprintf(text, sizeof(text), "Service Unavailable: %s\n", diag.msg);
    net_respond_text(call->req, 503, "%s", text);
}

static void metrics_work(struct api_job *job)
{
    job->content_type = "text/plain; version=0.0.4; charset=utf-8";
    job->api->host->metrics(job->api->host->ctx, &job->out);
}

void api__metrics(struct api_call *call)
{
    api_job_start(api_job_new(call, metrics_work), false);
}

static void reload_work(struct api_job *job)
{
    struct diag diag;
    char text[1200];
    diag_init(&diag);
    job->content_type = "text/plain; charset=utf-8";
    if (job->api->host->reload(job->api->host->ctx, &diag)) {
        job->status = 500;
        buf_printf(&job->out, "failed to reload config: %s\n", diag_str(&diag, text, sizeof(text)));
    }
}

void api__reload(struct api_call *call)
{
    api_job_start(api_job_new(call, reload_work), false);
}

/* Ending the process is for whoever started it. */
void api__quit(struct api_call *call)
{
    net_respond_text(call->req, 403, "Lifecycle API is not enabled.\n");
}
