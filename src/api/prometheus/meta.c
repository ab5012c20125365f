/* Metadata of metrics. */
#include "api/job.h"
#include "api/params.h"
#include "api/prometheus/door_priv.h"

struct metadata_state {
    struct slice metric;
    int64_t limit, limit_per_metric;
};

static void metadata_work(struct api_job *job)
{
    struct metadata_state *st = job->state;
    struct store_source *src = job->api->source;
    struct store_metadata *rows = NULL;
    struct codec_json_writer w;
    struct diag diag;
    size_t count = 0;
    int64_t metrics = 0;
    diag_init(&diag);
    int err = src->ops->metadata(src, job->tenant, st->metric, job->arena, &rows, &count, &diag);
    if (err) {
        api_job_fail(job, err, &diag);
        return;
    }
    api__begin(&w, &job->out);
    codec_json_begin_object(&w);
    for (size_t i = 0; i < count;) {
        size_t n = 1;
        while (i + n < count && slice_eq(rows[i].metric, rows[i + n].metric))
            n++;
        if (st->limit >= 0 && metrics++ >= st->limit)
            break;
        codec_json_key(&w, rows[i].metric);
        codec_json_begin_array(&w);
        for (size_t k = 0;
             k < n && !(st->limit_per_metric > 0 && (int64_t)k >= st->limit_per_metric); k++) {
            codec_json_begin_object(&w);
            api__put_text(&w, "type", data_metric_type_name(rows[i + k].type));
            codec_json_put_string(&w, "help", rows[i + k].help);
            codec_json_put_string(&w, "unit", rows[i + k].unit);
            codec_json_end_object(&w);
        }
        codec_json_end_array(&w);
        i += n;
    }
    codec_json_end_object(&w);
    codec_json_end_object(&w);
}

void api__prom_metadata(struct api_call *call)
{
    struct metadata_state *st = ARENA_NEW(net_request_arena(call->req), struct metadata_state);
    struct slice tenant = api__tenant(call->req);
    struct diag diag;
    diag_init(&diag);
    if (!tenant.ptr)
        return;
    if (api_param_count(call->req, "limit", &st->limit, &diag) ||
        api_param_count(call->req, "limit_per_metric", &st->limit_per_metric, &diag)) {
        api__respond_error(call->req, API_BAD_DATA, "%s", diag.msg);
        return;
    }
    st->metric = net_request_param(call->req, "metric");
    if (!st->metric.len)
        st->metric = (struct slice){NULL, 0};
    struct api_job *job = api_job_new(call, metadata_work);
    job->tenant = tenant;
    job->state = st;
    api_job_start(job, false);
}
