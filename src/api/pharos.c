/* Pharos' own API: what the status page shows. */
#include "alert/group.h"
#include "api/job.h"
#include "api/otlp/http.h"
#include "base/counter.h"

static void put_text(struct codec_json_writer *w, const char *key, const char *value)
{
    codec_json_put_string(w, key, slice_cstr(value ? value : ""));
}

static void put_door(void *arg, const struct api_door_status *d)
{
    static const char *const states[] = {"open", "off", "failed"};
    struct codec_json_writer *w = arg;
    codec_json_begin_object(w);
    put_text(w, "name", d->name);
    put_text(w, "listen", d->listen);
    put_text(w, "state", states[d->state]);
    put_text(w, "detail", d->detail);
    put_text(w, "prefix", d->prefix);
    put_text(w, "speaks", d->speaks);
    codec_json_end_object(w);
}

static void put_limit(void *arg, const struct api_limit_status *l)
{
    struct codec_json_writer *w = arg;
    codec_json_begin_object(w);
    put_text(w, "name", l->name);
    codec_json_put_int(w, "value", l->value);
    if (l->used >= 0)
        codec_json_put_int(w, "used", l->used);
    put_text(w, "unit", l->unit);
    put_text(w, "help", l->help);
    codec_json_end_object(w);
}

struct ingest {
    int64_t samples, lines, spans;
    struct codec_json_writer *refused;  /* by the store's rules */
    struct codec_json_writer *refusals; /* by any input, as their counters are called */
};

static struct slice reason_of(const struct counter *c)
{
    struct slice reason = slice_cstr(c->labels ? c->labels : "");
    ptrdiff_t at = slice_find(reason, SLICE("reason=\""));
    if (at < 0)
        return slice_first(reason, 0);
    reason = slice_from(reason, (size_t)at + 8);
    ptrdiff_t end = slice_find_char(reason, '"');
    return slice_first(reason, end < 0 ? 0 : (size_t)end);
}

/* What an input did not take. The store's own counters repeat what `ingest` counts. */
static bool is_refusal(struct slice name)
{
    return slice_find(name, SLICE("_refused_")) >= 0 &&
           !slice_starts_with(name, SLICE("pharos_store_"));
}

static void read_counter(const struct counter *c, void *ctx)
{
    struct ingest *in = ctx;
    struct slice name = slice_cstr(c->name);
    int64_t total = counter_get(c);
    if (slice_eq_cstr(name, "pharos_ingest_samples_total"))
        in->samples += total;
    else if (slice_eq_cstr(name, "pharos_ingest_log_lines_total"))
        in->lines += total;
    else if (slice_eq_cstr(name, "pharos_ingest_spans_total"))
        in->spans += total;
    if (!is_refusal(name))
        return;
    if (slice_eq_cstr(name, "pharos_ingest_refused_samples_total")) {
        codec_json_begin_object(in->refused);
        codec_json_put_string(in->refused, "reason", reason_of(c));
        codec_json_put_int(in->refused, "total", total);
        codec_json_end_object(in->refused);
    }
    codec_json_begin_object(in->refusals);
    codec_json_put_string(in->refusals, "counter", name);
    put_text(in->refusals, "help", c->help);
    codec_json_put_string(in->refusals, "reason", reason_of(c));
    codec_json_put_int(in->refusals, "total", total);
    codec_json_end_object(in->refusals);
}

static void status_work(struct api_job *job)
{
    struct api_host *host = job->api->host;
    struct codec_json_writer w, refused, refusals;
    struct buf refused_json = {0}, refusals_json = {0};
    struct ingest ingest = {.refused = &refused, .refusals = &refusals};
    int64_t now_ns = host->now_ns(host->ctx);
    struct store_source_stats stats = {0};
    struct diag health;
    diag_init(&health);
    job->api->source->ops->stats(job->api->source, &stats);
    codec_json_init(&w, &job->out);
    codec_json_begin_object(&w);
    put_text(&w, "version", host->version);
    codec_json_put_int(&w, "started_at", host->started_ns / NS_PER_SEC);
    codec_json_put_int(&w, "uptime_s", (now_ns - host->started_ns) / NS_PER_SEC);
    put_text(&w, "hostname", host->hostname);
    put_text(&w, "data_dir", host->data_dir);
    codec_json_key(&w, SLICE("doors"));
    codec_json_begin_array(&w);
    host->doors(host->ctx, put_door, &w);
    codec_json_end_array(&w);
    codec_json_key(&w, SLICE("limits"));
    codec_json_begin_array(&w);
    host->limits(host->ctx, put_limit, &w);
    codec_json_end_array(&w);
    codec_json_init(&refused, &refused_json);
    codec_json_init(&refusals, &refusals_json);
    codec_json_begin_array(&refused);
    codec_json_begin_array(&refusals);
    counter_each(read_counter, &ingest);
    codec_json_end_array(&refused);
    codec_json_end_array(&refusals);
    codec_json_key(&w, SLICE("ingest"));
    codec_json_begin_object(&w);
    codec_json_put_int(&w, "samples_total", ingest.samples);
    codec_json_put_int(&w, "log_lines_total", ingest.lines);
    codec_json_put_int(&w, "spans_total", ingest.spans);
    codec_json_key(&w, SLICE("refused"));
    codec_json_raw(&w, buf_slice(&refused_json));
    codec_json_key(&w, SLICE("refusals"));
    codec_json_raw(&w, buf_slice(&refusals_json));
    int err = host->health(host->ctx, &health);
    codec_json_put_bool(&w, "accepting", err == 0);
    if (err)
        put_text(&w, "problem", health.msg);
    codec_json_end_object(&w);
    codec_json_key(&w, SLICE("store"));
    codec_json_begin_object(&w);
    codec_json_put_int(&w, "series", (int64_t)stats.series);
    codec_json_put_int(&w, "parts", (int64_t)stats.parts);
    codec_json_put_int(&w, "samples", (int64_t)stats.samples);
    codec_json_put_int(&w, "disk_bytes", (int64_t)stats.disk_bytes);
    codec_json_put_int(&w, "wal_bytes", (int64_t)stats.wal_bytes);
    codec_json_put_int(&w, "memory_bytes", (int64_t)stats.memory_bytes);
    if (stats.t_min_ns <= stats.t_max_ns)
        codec_json_put_int(&w, "oldest_ns", stats.t_min_ns);
    codec_json_end_object(&w);
    codec_json_end_object(&w);
    buf_deinit(&refused_json);
    buf_deinit(&refusals_json);
}

static void input_work(struct api_job *job, bool (*look)(void *ctx, struct codec_json_writer *w))
{
    struct codec_json_writer w;
    codec_json_init(&w, &job->out);
    if (!look(job->api->host->ctx, &w)) {
        codec_json_begin_object(&w);
        codec_json_put_bool(&w, "receiving", false);
        codec_json_end_object(&w);
    }
}

static void outputs_work(struct api_job *job)
{
    struct api_host *host = job->api->host;
    struct codec_json_writer w;
    codec_json_init(&w, &job->out);
    host->outputs(host->ctx, &w);
}

static void statsd_work(struct api_job *job)
{
    input_work(job, job->api->host->statsd);
}

static void carbon_work(struct api_job *job)
{
    input_work(job, job->api->host->carbon);
}

/* What the alerts page and the badge in its menu show beside the rules themselves. */
struct alerts_summary {
    int64_t rules, recording, failing, firing, pending;
};

static void add_group(void *arg, const struct alert_group *g)
{
    struct alerts_summary *s = arg;
    for (size_t i = 0; i < g->def->rule_count; i++) {
        const struct alert_rule_state *state = &g->states[i];
        struct map_entry *entry;
        s->rules++;
        s->failing += state->health == ALERT_HEALTH_ERR;
        if (!g->def->rules[i].is_alert) {
            s->recording++;
            continue;
        }
        for (size_t pos = 0; (entry = map_next(state->active, &pos));) {
            const struct alert_active *a = entry->value.ptr;
            s->firing += !a->resolved_ns && a->state == ALERT_FIRING;
            s->pending += !a->resolved_ns && a->state == ALERT_PENDING;
        }
    }
}

static void put_peer(void *arg, const struct alert_peer *peer)
{
    struct codec_json_writer *w = arg;
    codec_json_begin_object(w);
    codec_json_put_string(w, "url", peer->url);
    put_text(w, "state",
             peer->dropped ? "dropped"
             : peer->error ? "refusing"
                           : (peer->taken_ns ? "taking" : "unknown"));
    if (peer->answered_ns)
        codec_json_put_int(w, "answered_ms", peer->answered_ns / NS_PER_MS);
    if (peer->taken_ns)
        codec_json_put_int(w, "taken_ms", peer->taken_ns / NS_PER_MS);
    if (peer->error)
        put_text(w, "error", peer->error);
    codec_json_end_object(w);
}

static void alerts_work(struct api_job *job)
{
    struct api_host *host = job->api->host;
    struct codec_json_writer w;
    struct alerts_summary s = {0};
    host->rule_groups(host->ctx, add_group, &s);
    codec_json_init(&w, &job->out);
    codec_json_begin_object(&w);
    codec_json_put_int(&w, "rules", s.rules);
    codec_json_put_int(&w, "recording", s.recording);
    codec_json_put_int(&w, "failing", s.failing);
    codec_json_put_int(&w, "firing", s.firing);
    codec_json_put_int(&w, "pending", s.pending);
    codec_json_key(&w, SLICE("alertmanagers"));
    codec_json_begin_array(&w);
    host->alertmanagers(host->ctx, put_peer, &w);
    codec_json_end_array(&w);
    codec_json_end_object(&w);
}

static void api__pharos_alerts(struct api_call *call)
{
    api_job_start(api_job_new(call, alerts_work), false);
}

static void api__pharos_statsd(struct api_call *call)
{
    api_job_start(api_job_new(call, statsd_work), false);
}

static void api__pharos_outputs(struct api_call *call)
{
    api_job_start(api_job_new(call, outputs_work), false);
}

static void api__pharos_graphite(struct api_call *call)
{
    api_job_start(api_job_new(call, carbon_work), false);
}

void api__pharos_status(struct api_call *call)
{
    api_job_start(api_job_new(call, status_work), false);
}

const struct api_route api__pharos_routes[] = {
    {API_GET, "/api/pharos/v1/status", api__pharos_status},
    {API_GET, "/api/pharos/v1/alerts", api__pharos_alerts},
    {API_GET, "/api/pharos/v1/statsd", api__pharos_statsd},
    {API_GET, "/api/pharos/v1/outputs", api__pharos_outputs},
    {API_GET, "/api/pharos/v1/graphite", api__pharos_graphite},
    {API_GET | API_POST, "/api/pharos/v1/explain", api__pharos_explain},
    {API_GET, "/api/pharos/v1/traces/:id", api__otlp_trace},
    {API_POST, "/api/pharos/v1/query", api__pharos_query},
    {API_GET, "/api/pharos/v1/query/languages", api__pharos_languages},
    {API_GET, "/-/healthy", api__healthy},
    {API_GET, "/-/ready", api__ready},
    {API_POST | API_PUT, "/-/reload", api__reload},
    {API_GET, "/metrics", api__metrics},
};
const size_t api__pharos_route_count = ARRAY_LEN(api__pharos_routes);
