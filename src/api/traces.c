#include "api/traces.h"

#include "codec/hex.h"
#include "decode/otlp/stream.h"

#define AROUND_NS (6 * 3600 * NS_PER_SEC) /* a trace may begin before and end behind a range */

bool api__trace_id_read(struct slice text, char *out)
{
    char full[32];
    if (!text.len || text.len > sizeof(full))
        return false;
    memset(full, '0', sizeof(full));
    memcpy(full + sizeof(full) - text.len, text.ptr, text.len);
    return codec_text_to_bytes(slice_make(full, sizeof(full)), out, 16);
}

struct api_job *api__traces_job(struct api_call *call, void (*work)(struct api_job *job))
{
    struct slice tenant;
    if (!api__tenant_read(call->req, &tenant)) {
        api__plain_error(call->req, 400, "%s", API__TENANT_RULE);
        return NULL;
    }
    struct api_job *job = api_job_new(call, work);
    if (job)
        job->tenant = tenant;
    return job;
}

struct store_event_limits api__traces_limits(struct api_job *job)
{
    return (struct store_event_limits){.memory = &job->memory,
                                       .deadline_ns = job->deadline_ns,
                                       .deadline_setting = "limits.query.timeout",
                                       .cancelled = &job->cancelled};
}

static int64_t away(int64_t ts_ns, int64_t by_ns)
{
    int64_t out;
    return __builtin_add_overflow(ts_ns, by_ns, &out) ? ts_ns : out;
}

int api__traces_load_in(struct api_job *job, const struct slice *ids, size_t count,
                        int64_t start_ns, int64_t end_ns, struct store_event_chunk *out,
                        struct diag *diag)
{
    struct store_event_source *src = job->api->spans;
    const struct store_event_scan req = {.select = {.tenant = job->tenant,
                                                    .t_min_ns = away(start_ns, -AROUND_NS),
                                                    .t_max_ns = away(end_ns, AROUND_NS),
                                                    .limits = api__traces_limits(job)},
                                         .all_fields = true,
                                         .children = true,
                                         .pool = job->api->pool};
    return src->ops->traces(src, ids, count, &req, out, diag);
}

int api__traces_load(struct api_job *job, const struct slice *ids, size_t count,
                     struct store_event_chunk *out, struct diag *diag)
{
    return api__traces_load_in(job, ids, count, INT64_MIN, INT64_MAX, out, diag);
}

const struct data_value *api__traces_column(const struct store_event_chunk *c, uint32_t intrinsic)
{
    for (size_t i = 0; i < c->column_count; i++) {
        if (c->columns[i].scope == DATA_SCOPE_INTRINSIC && c->columns[i].intrinsic == intrinsic)
            return c->columns[i].values;
    }
    return NULL;
}

struct slice api__trace_resource_key(struct slice label)
{
    return decode_otlp_stream_attribute(label);
}
