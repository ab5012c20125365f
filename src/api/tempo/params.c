#include "api/tempo/door_priv.h"
#include "codec/json_write.h"
#include "codec/number.h"
#include "lang/traceql/traceql.h"
#include "text/duration.h"

int tempo__param_time(struct net_request *req, const char *name, int64_t fallback_ns,
                      int64_t *out_ns, struct diag *diag)
{
    struct slice text = net_request_param(req, name);
    *out_ns = fallback_ns;
    if (!text.len)
        return 0;
    if (codec_text_to_int(text, out_ns)) {
        if (text.len <= 10 && __builtin_mul_overflow(*out_ns, NS_PER_SEC, out_ns))
            *out_ns = INT64_MAX;
        return 0;
    }
    if (text_time_parse(text, out_ns))
        return diag_set(diag, ERR_INVALID,
                        "invalid %s: \"%.*s\" is neither seconds nor ns since 1970 nor RFC 3339",
                        name, SLICE_FMT(slice_first(text, 60)));
    return 0;
}

int tempo__param_range(struct net_request *req, int64_t *out_start_ns, int64_t *out_end_ns,
                       struct diag *diag)
{
    int err = tempo__param_time(req, "start", INT64_MIN, out_start_ns, diag);
    if (!err)
        err = tempo__param_time(req, "end", INT64_MAX, out_end_ns, diag);
    if (err)
        return err;
    /* 0 and 0 are what clients send for "whenever". */
    if (!*out_start_ns && !*out_end_ns)
        *out_end_ns = INT64_MAX;
    if (*out_end_ns < *out_start_ns)
        return diag_set(diag, ERR_INVALID,
                        "invalid range: end has to be after start (start and end are times in "
                        "seconds since 1970)");
    /* The whole second that `end` names belongs to it. */
    if (*out_end_ns <= INT64_MAX - NS_PER_SEC && *out_end_ns % NS_PER_SEC == 0)
        *out_end_ns += NS_PER_SEC - 1;
    return 0;
}

int tempo__param_duration(struct net_request *req, const char *name, int64_t fallback_ns,
                          int64_t *out_ns, struct diag *diag)
{
    struct slice text = net_request_param(req, name);
    double seconds;
    *out_ns = fallback_ns;
    if (!text.len)
        return 0;
    if (codec_text_to_double(text, &seconds, NULL)) {
        *out_ns = (int64_t)(seconds * 1e9);
        if (seconds >= 0 && seconds < 9.2e9)
            return 0;
    } else if (traceql_duration_parse(text, out_ns)) {
        return 0;
    }
    return diag_set(diag, ERR_INVALID,
                    "invalid %s: \"%.*s\" is no duration; \"1.5s\" or \"100ms\" would be one", name,
                    SLICE_FMT(slice_first(text, 60)));
}

int tempo__param_count(struct net_request *req, const char *name, int64_t fallback, int64_t most,
                       int64_t *out, struct diag *diag)
{
    struct slice text = net_request_param(req, name);
    *out = fallback;
    if (!text.len)
        return 0;
    if (!codec_text_to_int(text, out) || *out < 1)
        return diag_set(diag, ERR_INVALID, "invalid %s: must be a positive number", name);
    if (*out > most)
        return diag_set(diag, ERR_INVALID, "invalid %s: %lld is more than %lld", name,
                        (long long)*out, (long long)most);
    return 0;
}

void tempo__env(struct api_job *job, struct traceql_env *out)
{
    *out = (struct traceql_env){.source = job->api->spans,
                                .tenant = job->tenant,
                                .limits = api__traces_limits(job),
                                .pool = job->api->pool};
}

void tempo__parse_error(struct api_job *job, const struct diag *diag)
{
    struct buf text = {0};
    traceql_error_text(diag, &text);
    api__plain_job_error(job, 400, "%s", buf_cstr(&text));
    buf_deinit(&text);
}

void tempo__put_value(struct traceql_value v, struct buf *out)
{
    struct buf text = {0};
    switch (v.kind) {
    case TRACEQL_INT: buf_printf(out, "{\"intValue\":\"%lld\"}", (long long)v.i); return;
    case TRACEQL_BOOL:
        buf_append_cstr(out, v.i ? "{\"boolValue\":true}" : "{\"boolValue\":false}");
        return;
    case TRACEQL_FLOAT:
        buf_append_cstr(out, "{\"doubleValue\":");
        if (v.d - v.d == 0)
            codec_append_double(out, v.d, CODEC_DOUBLE_JSON);
        else
            buf_append_cstr(out, v.d != v.d ? "\"NaN\""
                                 : v.d > 0  ? "\"Infinity\""
                                            : "\"-Infinity\"");
        buf_append_char(out, '}');
        return;
    case TRACEQL_LIST:
        buf_append_cstr(out, "{\"arrayValue\":{\"values\":[");
        for (size_t i = 0; i < v.list.count; i++) {
            buf_append_cstr(out, i ? "," : "");
            tempo__put_value(v.list.items[i], out);
        }
        buf_append_cstr(out, "]}}");
        return;
    default: break;
    }
    traceql_value_text(v, &text);
    buf_append_cstr(out, "{\"stringValue\":");
    codec_json_append_string(out, buf_slice(&text));
    buf_append_char(out, '}');
    buf_deinit(&text);
}

void tempo__put_attributes(const struct traceql_attribute *items, size_t count, struct buf *out)
{
    buf_append_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        buf_append_cstr(out, i ? ",{\"key\":" : "{\"key\":");
        codec_json_append_string(out, items[i].name);
        buf_append_cstr(out, ",\"value\":");
        tempo__put_value(items[i].value, out);
        buf_append_char(out, '}');
    }
    buf_append_char(out, ']');
}

void tempo__put_stats(const struct traceql_stats *stats, struct buf *out)
{
    buf_append_cstr(out, "\"metrics\":{");
    if (stats->traces)
        buf_printf(out, "\"inspectedTraces\":%u,", (unsigned)MIN(stats->traces, UINT32_MAX));
    if (stats->bytes)
        buf_printf(out, "\"inspectedBytes\":\"%llu\",", (unsigned long long)stats->bytes);
    if (stats->spans)
        buf_printf(out, "\"inspectedSpans\":\"%llu\",", (unsigned long long)stats->spans);
    /* Without pieces there is one: what is in memory. */
    bool done = stats->pieces == stats->pieces_done;
    buf_printf(out, "\"completedJobs\":%llu,\"totalJobs\":%llu}",
               (unsigned long long)(done ? MAX(stats->pieces, 1) : stats->pieces_done),
               (unsigned long long)MAX(stats->pieces, 1));
}
