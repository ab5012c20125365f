/* The Prometheus door's endpoints about itself: metadata, targets, status, and what is empty until
 * alerting is built. */
#include <stdio.h>
#include <unistd.h>

#include "api/job.h"
#include "api/params.h"
#include "api/prom_encode.h"
#include "base/map.h"
#include "text/duration.h"

static void put_text(struct codec_json_writer *w, const char *key, const char *value)
{
    codec_json_put_string(w, key, slice_cstr(value ? value : ""));
}

/* Zero times print as Go's zero time. */
static void put_time(struct codec_json_writer *w, const char *key, int64_t ts_ns)
{
    struct buf b = {0};
    if (ts_ns)
        text_time_print(ts_ns, &b);
    else
        buf_append_cstr(&b, "0001-01-01T00:00:00Z");
    codec_json_put_string(w, key, buf_slice(&b));
    buf_deinit(&b);
}

static void put_labels(struct codec_json_writer *w, const char *key, struct data_labels labels)
{
    struct buf b = {0};
    api_encode_labels(labels, &b);
    codec_json_key(w, slice_cstr(key));
    codec_json_raw(w, buf_slice(&b));
    buf_deinit(&b);
}

static void put_duration(struct codec_json_writer *w, const char *key, int64_t ns)
{
    struct buf b = {0};
    text_duration_print(ns, &b);
    codec_json_put_string(w, key, buf_slice(&b));
    buf_deinit(&b);
}

/* --- metadata --- */

struct metadata_state {
    struct slice metric;
    size_t limit, limit_per_metric;
};

static void metadata_work(struct api_job *job)
{
    struct metadata_state *st = job->state;
    struct store_source *src = job->api->source;
    struct store_metadata *rows = NULL;
    struct codec_json_writer w;
    struct diag diag;
    size_t count = 0, metrics = 0;
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
        if (st->limit && metrics++ >= st->limit)
            break;
        codec_json_key(&w, rows[i].metric);
        codec_json_begin_array(&w);
        for (size_t k = 0; k < n && !(st->limit_per_metric && k >= st->limit_per_metric); k++) {
            codec_json_begin_object(&w);
            put_text(&w, "type", data_metric_type_name(rows[i + k].type));
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
    if (api_param_limit(call->req, "limit", &st->limit, &diag) ||
        api_param_limit(call->req, "limit_per_metric", &st->limit_per_metric, &diag)) {
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

/* --- targets --- */

struct targets {
    struct codec_json_writer *w;
    struct slice pool;
    bool dropped;
    struct map *dropped_counts;
};

static void put_target(void *arg, const struct api_target *t)
{
    struct targets *ts = arg;
    if (t->dropped != ts->dropped || (ts->pool.len && !slice_eq(t->scrape_pool, ts->pool)))
        return;
    struct codec_json_writer *w = ts->w;
    codec_json_begin_object(w);
    put_labels(w, "discoveredLabels", t->discovered);
    if (t->dropped) {
        codec_json_put_string(w, "scrapePool", t->scrape_pool);
    } else {
        put_labels(w, "labels", t->labels);
        codec_json_put_string(w, "scrapePool", t->scrape_pool);
        codec_json_put_string(w, "scrapeUrl", t->scrape_url);
        codec_json_put_string(w, "globalUrl", t->global_url.len ? t->global_url : t->scrape_url);
        codec_json_put_string(w, "lastError", t->last_error);
        put_time(w, "lastScrape", t->last_scrape_ns);
        codec_json_key(w, SLICE("lastScrapeDuration"));
        codec_json_double(w, (double)t->last_duration_ns / 1e9);
        codec_json_put_string(w, "health", t->health);
        put_duration(w, "scrapeInterval", t->interval_ns);
        put_duration(w, "scrapeTimeout", t->timeout_ns);
    }
    codec_json_end_object(w);
}

static void count_dropped(void *arg, const struct api_target *t)
{
    struct targets *ts = arg;
    struct map_entry *e = map_put(ts->dropped_counts, t->scrape_pool, NULL);
    e->value.u64 += t->dropped;
}

void api__prom_targets(struct api_call *call)
{
    struct api_host *host = call->api->host;
    struct slice state = net_request_param(call->req, "state");
    struct buf out = {0};
    struct codec_json_writer w;
    struct targets ts = {.w = &w, .pool = net_request_param(call->req, "scrapePool")};
    bool active = !slice_eq_cstr(state, "dropped"), dropped = !slice_eq_cstr(state, "active");
    if (state.len && !slice_eq_cstr(state, "any") && active && dropped) {
        api__respond_error(call->req, API_BAD_DATA,
                           "invalid parameter \"state\": \"%.*s\" is none of active, dropped, any",
                           SLICE_FMT(state));
        return;
    }
    api__begin(&w, &out);
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("activeTargets"));
    codec_json_begin_array(&w);
    if (active)
        host->targets(host->ctx, put_target, &ts);
    codec_json_end_array(&w);
    codec_json_key(&w, SLICE("droppedTargets"));
    codec_json_begin_array(&w);
    ts.dropped = true;
    if (dropped)
        host->targets(host->ctx, put_target, &ts);
    codec_json_end_array(&w);
    codec_json_key(&w, SLICE("droppedTargetCounts"));
    codec_json_begin_object(&w);
    if (dropped) {
        size_t pos = 0;
        ts.dropped_counts = map_new();
        host->targets(host->ctx, count_dropped, &ts);
        for (struct map_entry *e; (e = map_next(ts.dropped_counts, &pos));)
            codec_json_put_int(&w, e->key.ptr, (int64_t)e->value.u64);
        map_free(ts.dropped_counts);
    }
    codec_json_end_object(&w);
    codec_json_end_object(&w);
    api__respond(call->req, &w);
}

/* Metadata is kept by metric, not by target: each active target is listed with what the store
 * knows of the asked metric. */
struct target_metadata {
    struct codec_json_writer *w;
    const struct store_metadata *rows;
    size_t count, limit, done;
    bool name_metric;
};

static void put_target_metadata(void *arg, const struct api_target *t)
{
    struct target_metadata *tm = arg;
    if (t->dropped)
        return;
    for (size_t i = 0; i < tm->count && !(tm->limit && tm->done >= tm->limit); i++, tm->done++) {
        codec_json_begin_object(tm->w);
        put_labels(tm->w, "target", t->labels);
        if (tm->name_metric)
            codec_json_put_string(tm->w, "metric", tm->rows[i].metric);
        put_text(tm->w, "type", data_metric_type_name(tm->rows[i].type));
        codec_json_put_string(tm->w, "help", tm->rows[i].help);
        codec_json_put_string(tm->w, "unit", tm->rows[i].unit);
        codec_json_end_object(tm->w);
    }
}

static void target_metadata_work(struct api_job *job)
{
    struct metadata_state *st = job->state;
    struct store_source *src = job->api->source;
    struct store_metadata *rows = NULL;
    struct codec_json_writer w;
    struct diag diag;
    size_t count = 0;
    diag_init(&diag);
    int err = src->ops->metadata(src, job->tenant, st->metric, job->arena, &rows, &count, &diag);
    if (err) {
        api_job_fail(job, err, &diag);
        return;
    }
    struct target_metadata tm = {
        .w = &w, .rows = rows, .count = count, .limit = st->limit, .name_metric = !st->metric.ptr};
    api__begin(&w, &job->out);
    codec_json_begin_array(&w);
    job->api->host->targets(job->api->host->ctx, put_target_metadata, &tm);
    codec_json_end_array(&w);
    codec_json_end_object(&w);
}

void api__prom_targets_metadata(struct api_call *call)
{
    struct metadata_state *st = ARENA_NEW(net_request_arena(call->req), struct metadata_state);
    struct slice tenant = api__tenant(call->req);
    struct diag diag;
    diag_init(&diag);
    if (!tenant.ptr)
        return;
    if (api_param_limit(call->req, "limit", &st->limit, &diag)) {
        api__respond_error(call->req, API_BAD_DATA, "%s", diag.msg);
        return;
    }
    st->metric = net_request_param(call->req, "metric");
    if (!st->metric.len)
        st->metric = (struct slice){NULL, 0};
    struct api_job *job = api_job_new(call, target_metadata_work);
    job->tenant = tenant;
    job->state = st;
    api_job_start(job, false);
}

static void add_pool(void *arg, const struct api_target *t)
{
    map_put(arg, t->scrape_pool, NULL);
}

void api__prom_scrape_pools(struct api_call *call)
{
    struct api_host *host = call->api->host;
    struct map *pools = map_new();
    struct buf out = {0};
    struct codec_json_writer w;
    size_t pos = 0;
    host->targets(host->ctx, add_pool, pools);
    api__begin(&w, &out);
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("scrapePools"));
    codec_json_begin_array(&w);
    for (struct map_entry *e; (e = map_next(pools, &pos));)
        codec_json_string(&w, e->key);
    codec_json_end_array(&w);
    codec_json_end_object(&w);
    map_free(pools);
    api__respond(call->req, &w);
}

/* --- nothing there yet, in Prometheus' shapes --- */

static void respond_raw(struct api_call *call, const char *data)
{
    struct buf out = {0};
    buf_printf(&out, "{\"status\":\"success\",\"data\":%s}", data);
    api__respond_json(call->req, 200, buf_slice(&out));
    buf_deinit(&out);
}

void api__prom_rules(struct api_call *call)
{
    respond_raw(call, "{\"groups\":[]}");
}

void api__prom_alerts(struct api_call *call)
{
    respond_raw(call, "{\"alerts\":[]}");
}

void api__prom_alertmanagers(struct api_call *call)
{
    respond_raw(call, "{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}");
}

void api__prom_notifications(struct api_call *call)
{
    respond_raw(call, "[]");
}

void api__prom_features(struct api_call *call)
{
    respond_raw(call, "{\"api\":{\"remote_write_receiver\":true,\"query_stats\":true}}");
}

void api__prom_status_walreplay(struct api_call *call)
{
    respond_raw(call, "{\"min\":0,\"max\":0,\"current\":0}");
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

void api__prom_status_flags(struct api_call *call)
{
    struct api_host *host = call->api->host;
    struct buf out = {0};
    struct codec_json_writer w;
    api__begin(&w, &out);
    codec_json_begin_object(&w);
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
    put_time(&w, "startTime", host->started_ns);
    put_text(&w, "CWD", host->cwd);
    put_text(&w, "hostname", host->hostname);
    put_time(&w, "serverTime", host->now_ns(host->ctx));
    codec_json_put_bool(&w, "reloadConfigSuccess", host->reload_ok);
    put_time(&w, "lastConfigTime", host->reload_ns);
    codec_json_put_int(&w, "corruptionCount", 0);
    codec_json_put_int(&w, "goroutineCount", (int64_t)call->api->pool->width);
    codec_json_put_int(&w, "GOMAXPROCS", (int64_t)sysconf(_SC_NPROCESSORS_ONLN));
    codec_json_put_int(&w, "GOMEMLIMIT", INT64_MAX);
    put_text(&w, "GOGC", "");
    put_text(&w, "GODEBUG", "");
    if (host->retention_ns == INT64_MAX)
        put_text(&w, "storageRetention", "forever");
    else
        put_duration(&w, "storageRetention", host->retention_ns);
    codec_json_end_object(&w);
    api__respond(call->req, &w);
}

void api__prom_status_buildinfo(struct api_call *call)
{
    struct api_host *host = call->api->host;
    struct buf out = {0};
    struct codec_json_writer w;
    api__begin(&w, &out);
    codec_json_begin_object(&w);
    /* Clients pick features by this version: it is that of the Prometheus API spoken here. */
    put_text(&w, "version", "3.5.0");
    put_text(&w, "revision", host->revision);
    put_text(&w, "branch", "pharos");
    put_text(&w, "buildUser", "");
    put_text(&w, "buildDate", host->build_date);
    put_text(&w, "goVersion", "");
    put_text(&w, "pharosVersion", host->version);
    codec_json_end_object(&w);
    api__respond(call->req, &w);
}
