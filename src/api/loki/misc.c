/* What is small: format_query, buildinfo, drilldown-limits, readiness, configuration. */
#include "api/loki/door_priv.h"

struct format_state {
    struct slice text;
};

static void format_work(struct api_job *job)
{
    struct format_state *st = job->state;
    struct logql_expr *expr;
    struct codec_json_writer w;
    struct buf text = {0};
    struct diag diag;
    diag_init(&diag);
    if (logql_parse(st->text, job->call_arena, &expr, &diag)) {
        logql_error_text(&diag, &text);
        job->status = 400;
        codec_json_init(&w, &job->out);
        codec_json_begin_object(&w);
        codec_json_put_string(&w, "status", SLICE("invalid-query"));
        codec_json_put_string(&w, "error", buf_slice(&text));
        codec_json_end_object(&w);
    } else {
        logql_format(expr, &text);
        logql_expr_free(expr);
        api__begin(&w, &job->out);
        codec_json_string(&w, buf_slice(&text));
        codec_json_end_object(&w);
    }
    buf_deinit(&text);
}

void loki__format_query(struct api_call *call)
{
    struct format_state *st = ARENA_NEW(net_request_arena(call->req), struct format_state);
    st->text = net_request_param(call->req, "query");
    if (!st->text.ptr)
        st->text = SLICE("");
    struct api_job *job = api_job_new(call, format_work);
    if (!job)
        return;
    job->state = st;
    api_job_start(job, false);
}

void loki__buildinfo(struct api_call *call)
{
    const struct api_host *host = call->api->host;
    struct buf out = {0};
    struct codec_json_writer w;
    /* The version is that of the API spoken: clients choose by it what they ask for. */
    codec_json_init(&w, &out);
    codec_json_begin_object(&w);
    api__put_text(&w, "version", "3.7.0");
    api__put_text(&w, "revision", host->revision);
    api__put_text(&w, "branch", "HEAD");
    api__put_text(&w, "buildUser", "pharos");
    api__put_text(&w, "buildDate", host->build_date);
    api__put_text(&w, "goVersion", "");
    codec_json_end_object(&w);
    api__respond_json(call->req, 200, buf_slice(&out));
    buf_deinit(&out);
}

static void put_limits(struct api_call *call, struct codec_json_writer *w)
{
    struct api_limits l = api__limits(call->api);
    codec_json_begin_object(w);
    codec_json_put_bool(w, "discover_log_levels", true);
    codec_json_key(w, SLICE("discover_service_name"));
    codec_json_begin_array(w);
    static const char *const names[] = {"service",
                                        "app",
                                        "application",
                                        "app_name",
                                        "name",
                                        "app_kubernetes_io_name",
                                        "container",
                                        "container_name",
                                        "k8s_container_name",
                                        "component",
                                        "workload",
                                        "job",
                                        "k8s_job_name"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        codec_json_string(w, slice_cstr(names[i]));
    codec_json_end_array(w);
    codec_json_key(w, SLICE("log_level_fields"));
    codec_json_begin_array(w);
    static const char *const levels[] = {"level",    "LEVEL",    "Level", "log.level", "severity",
                                         "SEVERITY", "Severity", "lvl",   "LVL",       "Lvl"};
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        codec_json_string(w, slice_cstr(levels[i]));
    codec_json_end_array(w);
    codec_json_put_int(w, "max_entries_limit_per_query", l.log_entries);
    codec_json_put_bool(w, "max_line_size_truncate", false);
    api__put_text(w, "max_query_bytes_read", "0B");
    api__put_text(w, "max_query_length", "0s");
    api__put_text(w, "max_query_lookback", "0s");
    api__put_text(w, "max_query_range", "0s");
    codec_json_put_int(w, "max_query_series", l.query_series);
    codec_json_put_bool(w, "metric_aggregation_enabled", false);
    codec_json_put_bool(w, "pattern_persistence_enabled", false);
    api__put_duration(w, "query_timeout", l.query_timeout_ns);
    api__put_text(w, "retention_period", "0s");
    codec_json_put_bool(w, "volume_enabled", true);
    codec_json_put_int(w, "volume_max_series", 100000);
    codec_json_end_object(w);
}

void loki__drilldown_limits(struct api_call *call)
{
    struct buf out = {0};
    struct codec_json_writer w;
    codec_json_init(&w, &out);
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("limits"));
    put_limits(call, &w);
    codec_json_put_bool(&w, "pattern_ingester_enabled", true);
    api__put_text(&w, "version", "3.7.0");
    codec_json_end_object(&w);
    api__respond_json(call->req, 200, buf_slice(&out));
    buf_deinit(&out);
}

void loki__ready(struct api_call *call)
{
    struct api *api = call->api;
    if (api->ready && !api->stopping)
        net_respond_text(call->req, 200, "ready\n");
    else
        net_respond_text(call->req, 503, "Pharos is not ready yet\n");
}

static void config_work(struct api_job *job)
{
    job->content_type = "text/plain; charset=utf-8";
    job->api->host->config_yaml(job->api->host->ctx, &job->out);
}

void loki__config(struct api_call *call)
{
    api_job_start(api_job_new(call, config_work), false);
}
