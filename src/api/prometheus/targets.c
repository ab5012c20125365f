/* What is scraped: targets, their metadata, pools and relabelling. */
#include <stdlib.h>

#include "api/job.h"
#include "api/params.h"
#include "api/prometheus/door_priv.h"
#include "api/prometheus/encode.h"
#include "base/map.h"
#include "codec/json_read.h"
#include "lang/promql/promql.h"

struct targets {
    struct codec_json_writer *w;
    struct slice pool;
    bool dropped;
};

static void put_target(void *arg, const struct api_target *t)
{
    struct targets *ts = arg;
    if (t->dropped != ts->dropped || (ts->pool.len && !slice_eq(t->scrape_pool, ts->pool)))
        return;
    struct codec_json_writer *w = ts->w;
    codec_json_begin_object(w);
    api__put_labels(w, "discoveredLabels", t->discovered);
    if (t->dropped) {
        codec_json_put_string(w, "scrapePool", t->scrape_pool);
    } else {
        api__put_labels(w, "labels", t->labels);
        codec_json_put_string(w, "scrapePool", t->scrape_pool);
        codec_json_put_string(w, "scrapeUrl", t->scrape_url);
        codec_json_put_string(w, "globalUrl", t->global_url.len ? t->global_url : t->scrape_url);
        codec_json_put_string(w, "lastError", t->last_error);
        api__put_time(w, "lastScrape", t->last_scrape_ns);
        codec_json_key(w, SLICE("lastScrapeDuration"));
        codec_json_double(w, (double)t->last_duration_ns / 1e9);
        codec_json_put_string(w, "health", t->health);
        api__put_duration(w, "scrapeInterval", t->interval_ns);
        api__put_duration(w, "scrapeTimeout", t->timeout_ns);
    }
    codec_json_end_object(w);
}

static void put_dropped_count(void *arg, const struct api_pool *p)
{
    codec_json_key(arg, p->name);
    codec_json_int(arg, (int64_t)p->dropped);
}

void api__prom_targets(struct api_call *call)
{
    struct api_host *host = call->api->host;
    struct slice state = net_request_param(call->req, "state");
    struct buf out = {0};
    struct codec_json_writer w;
    struct targets ts = {.w = &w, .pool = net_request_param(call->req, "scrapePool")};
    bool any = !state.len || slice_eq_nocase(state, SLICE("any"));
    bool active = any || slice_eq_nocase(state, SLICE("active"));
    bool dropped = any || slice_eq_nocase(state, SLICE("dropped"));
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
    if (dropped) {
        codec_json_begin_object(&w);
        host->scrape_pools(host->ctx, put_dropped_count, &w);
        codec_json_end_object(&w);
    } else {
        codec_json_null(&w);
    }
    codec_json_end_object(&w);
    api__respond(call->req, &w);
}

/* --- targets/metadata --- */

struct target_metadata {
    struct codec_json_writer w;
    struct store_matcher *matchers;
    size_t matcher_count;
    struct slice metric;
    int64_t limit, done; /* limit < 0: none */
};

static void put_target_metadata(void *arg, const struct api_target_metadata *m)
{
    struct target_metadata *tm = arg;
    if (tm->limit >= 0 && tm->done >= tm->limit)
        return;
    for (size_t i = 0; i < tm->matcher_count; i++) {
        struct slice v = data_labels_get(m->target, tm->matchers[i].name);
        if (!store_matcher_matches(&tm->matchers[i], v.ptr ? v : SLICE("")))
            return;
    }
    tm->done++;
    codec_json_begin_object(&tm->w);
    api__put_labels(&tm->w, "target", m->target);
    if (!tm->metric.len)
        codec_json_put_string(&tm->w, "metric", m->metadata.metric);
    api__put_text(&tm->w, "type", data_metric_type_name(m->metadata.type));
    codec_json_put_string(&tm->w, "help", m->metadata.help);
    codec_json_put_string(&tm->w, "unit", m->metadata.unit);
    codec_json_end_object(&tm->w);
}

static void target_metadata_work(struct api_job *job)
{
    struct target_metadata *tm = job->state;
    struct api_host *host = job->api->host;
    api__begin(&tm->w, &job->out);
    codec_json_begin_array(&tm->w);
    host->target_metadata(host->ctx, tm->metric, put_target_metadata, tm);
    codec_json_end_array(&tm->w);
    codec_json_end_object(&tm->w);
}

static void target_metadata_cleanup(struct api_job *job)
{
    struct target_metadata *tm = job->state;
    promql_matchers_free(tm->matchers, tm->matcher_count);
}

void api__prom_targets_metadata(struct api_call *call)
{
    struct net_request *req = call->req;
    struct target_metadata *tm = ARENA_NEW(net_request_arena(req), struct target_metadata);
    struct slice match = net_request_param(req, "match_target");
    struct diag diag;
    diag_init(&diag);
    if (api_param_count(req, "limit", &tm->limit, &diag)) {
        api__respond_error(req, API_BAD_DATA, "%s", diag.msg);
        return;
    }
    if (match.len && promql_parse_selector(match, net_request_arena(req), &tm->matchers,
                                           &tm->matcher_count, &diag)) {
        struct buf text = {0};
        promql_error_text(&diag, &text);
        api__respond_error(req, API_BAD_DATA, "invalid parameter \"match_target\": %s",
                           buf_cstr(&text));
        buf_deinit(&text);
        return;
    }
    tm->metric = net_request_param(req, "metric");
    struct api_job *job = api_job_new(call, target_metadata_work);
    job->state = tm;
    job->cleanup = target_metadata_cleanup;
    api_job_start(job, false);
}

/* --- scrape_pools --- */

struct pools {
    VEC(struct slice) names;
    struct arena *arena;
};

static void add_pool(void *arg, const struct api_pool *p)
{
    struct pools *pools = arg;
    vec_push(&pools->names, arena_slice(pools->arena, p->name));
}

static int compare_names(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

void api__prom_scrape_pools(struct api_call *call)
{
    struct api_host *host = call->api->host;
    struct pools pools = {.arena = net_request_arena(call->req)};
    struct buf out = {0};
    struct codec_json_writer w;
    host->scrape_pools(host->ctx, add_pool, &pools);
    if (pools.names.len)
        qsort(pools.names.items, pools.names.len, sizeof(*pools.names.items), compare_names);
    api__begin(&w, &out);
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("scrapePools"));
    codec_json_begin_array(&w);
    for (size_t i = 0; i < pools.names.len; i++)
        codec_json_string(&w, pools.names.items[i]);
    codec_json_end_array(&w);
    codec_json_end_object(&w);
    vec_free(&pools.names);
    api__respond(call->req, &w);
}

void api__prom_scrape_pools_config(struct api_call *call)
{
    struct api_host *host = call->api->host;
    struct slice pool = net_request_param(call->req, "scrapePool");
    struct buf yaml = {0}, out = {0};
    struct codec_json_writer w;
    if (!pool.len) {
        api__respond_error(call->req, API_BAD_DATA, "no scrapePool parameter provided");
        return;
    }
    if (host->pool_yaml(host->ctx, pool, &yaml)) {
        api__respond_error(call->req, API_BAD_DATA,
                           "error retrieving scrape config: scrape pool not found: \"%.*s\"",
                           SLICE_FMT(pool));
        return;
    }
    api__begin(&w, &out);
    codec_json_begin_object(&w);
    codec_json_put_string(&w, "yaml", buf_slice(&yaml));
    codec_json_end_object(&w);
    buf_deinit(&yaml);
    api__respond(call->req, &w);
}

/* --- targets/relabel_steps: what each rule makes of a label set --- */

struct relabel_steps {
    struct codec_json_writer w;
    struct data_labels_builder labels;
    struct arena *arena;
    struct diag failed; /* ends the steps */
    bool keep;
};

static void put_rule(struct codec_json_writer *w, const struct pipe_relabel_rule *rule)
{
    codec_json_key(w, SLICE("rule"));
    codec_json_begin_object(w);
    if (rule->source_label_count) {
        codec_json_key(w, SLICE("source_labels"));
        codec_json_begin_array(w);
        for (size_t i = 0; i < rule->source_label_count; i++)
            codec_json_string(w, rule->source_labels[i]);
        codec_json_end_array(w);
    }
    if (rule->separator.len)
        codec_json_put_string(w, "separator", rule->separator);
    if (rule->regex_text.len)
        codec_json_put_string(w, "regex", rule->regex_text);
    if (rule->modulus)
        codec_json_put_int(w, "modulus", (int64_t)rule->modulus);
    if (rule->target_label.len)
        codec_json_put_string(w, "target_label", rule->target_label);
    if (rule->replacement.len)
        codec_json_put_string(w, "replacement", rule->replacement);
    api__put_text(w, "action", pipe_relabel_action_name(rule->action));
    codec_json_end_object(w);
}

static void put_step(void *arg, const struct pipe_relabel_rule *rule)
{
    struct relabel_steps *rs = arg;
    struct data_labels labels = {0};
    enum pipe_relabel_verdict v = PIPE_RELABEL_DROPPED;
    if (rs->failed.code)
        return;
    if (rs->keep)
        v = pipe_relabel_apply_rule(rule, &rs->labels, rs->arena, &rs->failed);
    rs->keep = v == PIPE_RELABEL_KEPT;
    if (rs->keep)
        (void)!data_labels_builder_finish(&rs->labels, &labels, NULL);
    codec_json_begin_object(&rs->w);
    put_rule(&rs->w, rule);
    api__put_labels(&rs->w, "output", labels);
    codec_json_put_bool(&rs->w, "keep", rs->keep);
    codec_json_end_object(&rs->w);
}

/* {"name":"value",...}; ERR_INVALID for anything else. */
static int read_labels(struct slice json, struct relabel_steps *rs, struct diag *diag)
{
    struct codec_json_reader r = codec_json_reader(json, rs->arena, diag);
    struct data_labels labels;
    struct slice name, value;
    codec_json_read_object(&r);
    while (codec_json_next_key(&r, &name)) {
        if (codec_json_read_string(&r, &value))
            data_labels_builder_set(&rs->labels, name, value);
    }
    int err = codec_json_read_end(&r);
    return err ? err : data_labels_builder_finish(&rs->labels, &labels, diag);
}

void api__prom_targets_relabel_steps(struct api_call *call)
{
    struct api_host *host = call->api->host;
    struct net_request *req = call->req;
    struct slice pool = net_request_param(req, "scrapePool");
    struct slice json = net_request_param(req, "labels");
    struct relabel_steps rs = {.arena = net_request_arena(req), .keep = true};
    struct buf out = {0};
    struct diag diag;
    diag_init(&diag);
    diag_init(&rs.failed);
    if (!pool.len || !json.len) {
        api__respond_error(req, API_BAD_DATA, "no %s parameter provided",
                           pool.len ? "labels" : "scrapePool");
        return;
    }
    if (read_labels(json, &rs, &diag)) {
        api__respond_error(req, API_BAD_DATA, "error parsing labels: %s", diag.msg);
        goto out;
    }
    api__begin(&rs.w, &out);
    codec_json_begin_object(&rs.w);
    codec_json_key(&rs.w, SLICE("steps"));
    codec_json_begin_array(&rs.w);
    if (host->relabel_rules(host->ctx, pool, put_step, &rs)) {
        api__respond_error(req, API_BAD_DATA,
                           "error retrieving scrape config: scrape pool not found: \"%.*s\"",
                           SLICE_FMT(pool));
        buf_deinit(&out);
        goto out;
    }
    if (rs.failed.code) {
        api__respond_error(req, API_EXECUTION, "%s", rs.failed.msg);
        buf_deinit(&out);
        goto out;
    }
    codec_json_end_array(&rs.w);
    codec_json_end_object(&rs.w);
    api__respond(req, &rs.w);
out:
    data_labels_builder_deinit(&rs.labels);
}
