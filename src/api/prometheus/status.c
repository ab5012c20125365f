/* The Prometheus door about itself: status and features. */
#include <stdio.h>
#include <unistd.h>

#include "api/job.h"
#include "api/prometheus/door_priv.h"
#include "text/duration.h"

/* In MiB of the log, where Prometheus counts segments. */
void api__prom_status_walreplay(struct api_call *call)
{
    struct api_host *host = call->api->host;
    uint64_t done = 0, total = 0;
    struct buf out = {0};
    struct codec_json_writer w;
    host->load_progress(host->ctx, &done, &total);
    api__begin(&w, &out);
    codec_json_begin_object(&w);
    codec_json_put_int(&w, "min", 0);
    codec_json_put_int(&w, "max", (int64_t)(total >> 20));
    codec_json_put_int(&w, "current", (int64_t)(done >> 20));
    codec_json_end_object(&w);
    api__respond(call->req, &w);
}

/* --- status --- */

void api__prom_status_config(struct api_call *call)
{
    struct api_host *host = call->api->host;
    struct buf yaml = {0}, out = {0};
    struct codec_json_writer w;
    host->config_yaml(host->ctx, &yaml);
    api__begin(&w, &out);
    codec_json_begin_object(&w);
    codec_json_put_string(&w, "yaml", buf_slice(&yaml));
    codec_json_end_object(&w);
    buf_deinit(&yaml);
    api__respond(call->req, &w);
}

static void put_flag(void *arg, const char *key, struct slice value)
{
    codec_json_put_string(arg, key, value);
}

/* The settings that tools look for under the names of Prometheus' own flags. */
static void put_prometheus_flags(struct api *api, struct codec_json_writer *w)
{
    struct api_limits l = api__limits(api);
    struct api_host *host = api->host;
    char number[32];
    api__put_text(w, "storage.tsdb.path", host->data_dir);
    if (host->retention_ns == INT64_MAX)
        api__put_text(w, "storage.tsdb.retention.time", "0s");
    else
        api__put_duration(w, "storage.tsdb.retention.time", host->retention_ns);
    api__put_duration(w, "query.lookback-delta", l.lookback_ns);
    api__put_duration(w, "query.timeout", l.query_timeout_ns);
    snprintf(number, sizeof(number), "%lld", (long long)l.query_concurrency);
    api__put_text(w, "query.max-concurrency", number);
    snprintf(number, sizeof(number), "%lld", (long long)l.query_samples);
    api__put_text(w, "query.max-samples", number);
    api__put_text(w, "web.enable-admin-api", l.admin_api ? "true" : "false");
    api__put_text(w, "web.enable-lifecycle", "true");
    api__put_text(w, "web.enable-remote-write-receiver", "true");
    api__put_text(w, "web.cors.origin", ".*");
    api__put_text(w, "enable-feature",
                  l.promql_delayed_name_removal ? "promql-delayed-name-removal" : "");
}

void api__prom_status_flags(struct api_call *call)
{
    struct api_host *host = call->api->host;
    struct buf out = {0};
    struct codec_json_writer w;
    api__begin(&w, &out);
    codec_json_begin_object(&w);
    put_prometheus_flags(call->api, &w);
    host->flags(host->ctx, put_flag, &w);
    codec_json_end_object(&w);
    api__respond(call->req, &w);
}

void api__prom_status_runtimeinfo(struct api_call *call)
{
    struct api_host *host = call->api->host;
    struct buf out = {0};
    struct codec_json_writer w;
    api__begin(&w, &out);
    codec_json_begin_object(&w);
    api__put_time(&w, "startTime", host->started_ns);
    api__put_text(&w, "CWD", host->cwd);
    api__put_text(&w, "hostname", host->hostname);
    api__put_time(&w, "serverTime", host->now_ns(host->ctx));
    codec_json_put_bool(&w, "reloadConfigSuccess", host->reload_ok);
    api__put_time(&w, "lastConfigTime", host->reload_ns);
    codec_json_put_int(&w, "corruptionCount", 0);
    codec_json_put_int(&w, "goroutineCount", (int64_t)call->api->pool->width);
    codec_json_put_int(&w, "GOMAXPROCS", (int64_t)sysconf(_SC_NPROCESSORS_ONLN));
    codec_json_put_int(&w, "GOMEMLIMIT", INT64_MAX);
    api__put_text(&w, "GOGC", "");
    api__put_text(&w, "GODEBUG", "");
    if (host->retention_ns == INT64_MAX)
        api__put_text(&w, "storageRetention", "forever");
    else
        api__put_duration(&w, "storageRetention", host->retention_ns);
    codec_json_end_object(&w);
    api__respond(call->req, &w);
}

static void put_build(struct codec_json_writer *w, const struct api_host *host)
{
    codec_json_begin_object(w);
    /* Clients pick features by this version: it is that of the Prometheus API spoken here. */
    api__put_text(w, "version", "3.14.0");
    api__put_text(w, "revision", host->revision);
    api__put_text(w, "branch", "pharos");
    api__put_text(w, "buildUser", "");
    api__put_text(w, "buildDate", host->build_date);
    api__put_text(w, "goVersion", "");
    api__put_text(w, "pharosVersion", host->version);
    codec_json_end_object(w);
}

void api__prom_status_buildinfo(struct api_call *call)
{
    struct buf out = {0};
    struct codec_json_writer w;
    api__begin(&w, &out);
    put_build(&w, call->api->host);
    api__respond(call->req, &w);
}

/* The same without the envelope. */
void api__prom_version(struct api_call *call)
{
    struct buf out = {0};
    struct codec_json_writer w;
    codec_json_init(&w, &out);
    put_build(&w, call->api->host);
    api__respond_json(call->req, 200, buf_slice(&out));
    buf_deinit(&out);
}
