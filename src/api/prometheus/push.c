/* The Pushgateway's paths: pushing and deleting groups of metrics, and listing them.
 * Specification: github.com/prometheus/pushgateway, README. */
#include "api/job.h"
#include "api/prometheus/door_priv.h"
#include "codec/base64.h"
#include "codec/utf8.h"
#include "net/url.h"

/* --- the grouping key in the path: /metrics/job/<JOB>{/<LABEL>/<VALUE>} --- */

/* One segment, decoded; ptr NULL when it is not properly encoded. */
static struct slice decode_value(struct slice raw, bool base64, struct arena *arena)
{
    struct slice text;
    struct buf bytes = {0};
    if (net_url_decode(raw, false, arena, &text, NULL))
        return (struct slice){NULL, 0};
    if (!base64)
        return text;
    while (text.len &&
           text.ptr[text.len - 1] == '=') /* "=" alone is how an empty value is written */
        text.len--;
    int err = codec_base64_decode(text, &bytes);
    struct slice value = err ? (struct slice){NULL, 0} : arena_slice(arena, buf_slice(&bytes));
    buf_deinit(&bytes);
    return value;
}

/* ERR_INVALID with words for the client. `path` is what follows /metrics/. */
static int read_grouping(struct slice path, struct arena *arena, struct data_labels_builder *b,
                         struct data_labels *out, struct diag *diag)
{
    struct slice rest = path, name, value, text;
    if (slice_ends_with(rest, SLICE("/")))
        rest.len--;
    for (bool first = true; rest.ptr && slice_split(&rest, '/', &name); first = false) {
        if (net_url_decode(name, false, arena, &text, NULL))
            return diag_set(diag, ERR_INVALID, "the path is not properly percent-encoded");
        bool base64 = slice_ends_with(text, SLICE("@base64"));
        if (base64)
            text.len -= 7;
        if (!rest.ptr || !slice_split(&rest, '/', &value))
            return diag_set(diag, ERR_INVALID, "odd number of components in label string \"%.*s\"",
                            SLICE_FMT(path));
        value = decode_value(value, base64, arena);
        if (!value.ptr || !codec_utf8_valid(value))
            return diag_set(diag, ERR_INVALID,
                            base64 ? "the value of label \"%.*s\" is no base64 of UTF-8"
                                   : "the value of label \"%.*s\" is not properly encoded",
                            SLICE_FMT(text));
        if (first && !value.len)
            return diag_set(diag, ERR_INVALID, "job name is required, but was empty");
        if (!text.len || !codec_utf8_valid(text) || slice_starts_with(text, SLICE("__")))
            return diag_set(diag, ERR_INVALID, "improper label name \"%.*s\"", SLICE_FMT(text));
        if (!first && data_labels_builder_get(b, text).ptr)
            return diag_set(diag, ERR_INVALID, "label \"%.*s\" is given twice", SLICE_FMT(text));
        data_labels_builder_set(b, text, value);
    }
    int err = data_labels_builder_finish(b, out, diag);
    *out = data_labels_copy(arena, *out);
    return err;
}

/* --- pushing --- */

static void push_failed(struct api_job *job, int status, const char *text)
{
    job->status = status;
    job->content_type = "text/plain; charset=utf-8";
    buf_append_cstr(&job->out, text);
    buf_append_char(&job->out, '\n');
}

static void push_work(struct api_job *job)
{
    struct api_push_request *req = job->state;
    struct api_host *host = job->api->host;
    struct diag diag;
    char text[1200];
    diag_init(&diag);
    req->body = net_request_body(job->req);
    int err = host->push(host->ctx, req, &diag);
    if (err)
        push_failed(job, err == ERR_INVALID ? 400 : 500, diag_str(&diag, text, sizeof(text)));
    else
        job->status = req->action == API_PUSH_DELETE ? 202 : 200;
    job->content_type = "text/plain; charset=utf-8";
}

static void push(struct api_call *call, enum api_push_action action)
{
    struct net_request *req = call->req;
    struct arena *arena = net_request_arena(req);
    struct api_push_request *push = ARENA_NEW(arena, struct api_push_request);
    struct data_labels_builder b = {0};
    struct diag diag;
    diag_init(&diag);
    push->action = action;
    push->tenant = api__tenant(req);
    if (!push->tenant.ptr)
        return;
    if (!call->api->ready) {
        net_response_header(req, "Retry-After", SLICE("1"));
        net_respond_text(req, 503, "Service Unavailable\n");
        return;
    }
    push->content_type = net_request_header(req, "content-type");
    if (!push->content_type.ptr)
        push->content_type = SLICE("");
    struct slice path = slice_from(call->path, sizeof("/metrics/") - 1);
    int err = read_grouping(path, arena, &b, &push->grouping, &diag);
    data_labels_builder_deinit(&b);
    if (err) {
        net_respond_text(req, 400, "%s\n", diag.msg);
        return;
    }
    struct api_job *job = api_job_new(call, push_work);
    job->state = push;
    job->tenant = push->tenant;
    api_job_start(job, false);
}

void api__push_put(struct api_call *call)
{
    push(call, API_PUSH_REPLACE);
}

void api__push_post(struct api_call *call)
{
    push(call, API_PUSH_MERGE);
}

void api__push_delete(struct api_call *call)
{
    push(call, API_PUSH_DELETE);
}

static void wipe_work(struct api_job *job)
{
    struct api_host *host = job->api->host;
    struct diag diag;
    diag_init(&diag);
    if (host->push_wipe(host->ctx, job->tenant, &diag))
        push_failed(job, 500, diag.msg);
    else
        job->status = 202;
    job->content_type = "text/plain; charset=utf-8";
}

void api__push_wipe(struct api_call *call)
{
    struct slice tenant = api__tenant(call->req);
    if (!tenant.ptr)
        return;
    if (!api__limits(call->api).admin_api) {
        net_respond_text(call->req, 404,
                         "the admin API is closed; the setting prometheus.admin_api opens it\n");
        return;
    }
    struct api_job *job = api_job_new(call, wipe_work);
    job->tenant = tenant;
    api_job_start(job, false);
}

/* --- /api/v1/metrics: what is pushed, group by group --- */

static void put_number(struct codec_json_writer *w, struct slice key, double v)
{
    char text[CODEC_DOUBLE_TEXT_MAX];
    codec_json_key(w, key);
    codec_json_string(w, slice_make(text, codec_double_to_text(v, CODEC_DOUBLE_GENERAL, text)));
}

static bool has_parts(enum data_metric_type type)
{
    return type == DATA_METRIC_HISTOGRAM || type == DATA_METRIC_GAUGE_HISTOGRAM ||
           type == DATA_METRIC_SUMMARY;
}

/* The labels that one histogram's or summary's series share. */
static bool is_shared(const struct api_push_family *f, struct slice name)
{
    return !slice_eq_cstr(name, DATA_METRIC_NAME) &&
           !(has_parts(f->type) && (slice_eq_cstr(name, "le") || slice_eq_cstr(name, "quantile")));
}

static bool same_metric(const struct api_push_family *f, struct data_labels a, struct data_labels b)
{
    size_t i = 0, k = 0;
    for (;;) {
        while (i < a.count && !is_shared(f, a.items[i].name))
            i++;
        while (k < b.count && !is_shared(f, b.items[k].name))
            k++;
        if (i == a.count || k == b.count)
            return i == a.count && k == b.count;
        if (!slice_eq(a.items[i].name, b.items[k].name) ||
            !slice_eq(a.items[i].value, b.items[k].value))
            return false;
        i++;
        k++;
    }
}

static void put_shared_labels(struct codec_json_writer *w, const struct api_push_family *f,
                              struct data_labels l)
{
    codec_json_key(w, SLICE("labels"));
    codec_json_begin_object(w);
    if (!data_labels_get(l, SLICE("instance")).ptr)
        api__put_text(w, "instance", ""); /* a gateway keeps scrapers from filling it in */
    for (size_t i = 0; i < l.count; i++) {
        if (is_shared(f, l.items[i].name)) {
            codec_json_key(w, l.items[i].name);
            codec_json_string(w, l.items[i].value);
        }
    }
    codec_json_end_object(w);
}

/* The series [0, n) of `s` are one metric. */
static void put_metric(struct codec_json_writer *w, const struct api_push_family *f,
                       const struct api_push_series *s, size_t n)
{
    bool summary = f->type == DATA_METRIC_SUMMARY;
    codec_json_begin_object(w);
    put_shared_labels(w, f, s[0].labels);
    if (!has_parts(f->type)) {
        put_number(w, SLICE("value"), s[0].value);
        codec_json_end_object(w);
        return;
    }
    codec_json_key(w, summary ? SLICE("quantiles") : SLICE("buckets"));
    codec_json_begin_object(w);
    for (size_t i = 0; i < n; i++) {
        struct slice bound =
            data_labels_get(s[i].labels, summary ? SLICE("quantile") : SLICE("le"));
        if (bound.ptr)
            put_number(w, bound, s[i].value);
    }
    codec_json_end_object(w);
    for (size_t i = 0; i < n; i++) {
        struct slice name = data_labels_get(s[i].labels, SLICE(DATA_METRIC_NAME));
        if (s[i].histogram) {
            put_number(w, SLICE("count"), s[i].histogram->count);
            put_number(w, SLICE("sum"), s[i].histogram->sum);
            break;
        }
        if (slice_ends_with(name, SLICE("_count")))
            put_number(w, SLICE("count"), s[i].value);
        else if (slice_ends_with(name, SLICE("_sum")))
            put_number(w, SLICE("sum"), s[i].value);
    }
    codec_json_end_object(w);
}

static void put_family(struct codec_json_writer *w, const struct api_push_family *f,
                       int64_t pushed_ns)
{
    static const char *const types[DATA_METRIC_TYPE_COUNT] = {[DATA_METRIC_COUNTER] = "COUNTER",
                                                              [DATA_METRIC_GAUGE] = "GAUGE",
                                                              [DATA_METRIC_HISTOGRAM] = "HISTOGRAM",
                                                              [DATA_METRIC_GAUGE_HISTOGRAM] =
                                                                  "GAUGE_HISTOGRAM",
                                                              [DATA_METRIC_SUMMARY] = "SUMMARY"};
    codec_json_key(w, f->name);
    codec_json_begin_object(w);
    api__put_time(w, "time_stamp", pushed_ns);
    api__put_text(w, "type", types[f->type] ? types[f->type] : "UNTYPED");
    codec_json_put_string(w, "help", f->help);
    codec_json_key(w, SLICE("metrics"));
    codec_json_begin_array(w);
    for (size_t i = 0, n; i < f->series_count; i += n) {
        n = 1;
        while (has_parts(f->type) && i + n < f->series_count &&
               same_metric(f, f->series[i].labels, f->series[i + n].labels))
            n++;
        put_metric(w, f, &f->series[i], n);
    }
    codec_json_end_array(w);
    codec_json_end_object(w);
}

static void put_group_time(struct codec_json_writer *w, const struct api_push_group *g,
                           const char *name, const char *help, int64_t ns)
{
    struct api_push_series series = {.labels = g->labels, .value = (double)ns / 1e9};
    struct api_push_family f = {.name = slice_cstr(name),
                                .help = slice_cstr(help),
                                .type = DATA_METRIC_GAUGE,
                                .series = &series,
                                .series_count = 1};
    put_family(w, &f, g->pushed_ns);
}

static void put_group(void *arg, const struct api_push_group *g)
{
    struct codec_json_writer *w = arg;
    codec_json_begin_object(w);
    api__put_labels(w, "labels", g->labels);
    codec_json_put_bool(w, "last_push_successful", g->pushed_ns > g->failed_ns);
    put_group_time(w, g, "push_time_seconds",
                   "Last Unix time when changing this group in the Pushgateway succeeded.",
                   g->pushed_ns);
    put_group_time(w, g, "push_failure_time_seconds",
                   "Last Unix time when changing this group in the Pushgateway failed.",
                   g->failed_ns);
    for (size_t i = 0; i < g->family_count; i++)
        put_family(w, &g->families[i], g->pushed_ns);
    codec_json_end_object(w);
}

static void list_work(struct api_job *job)
{
    struct api_host *host = job->api->host;
    struct codec_json_writer w;
    api__begin(&w, &job->out);
    codec_json_begin_array(&w);
    host->push_groups(host->ctx, job->tenant, put_group, &w);
    codec_json_end_array(&w);
    codec_json_end_object(&w);
}

void api__push_list(struct api_call *call)
{
    struct slice tenant = api__tenant(call->req);
    if (!tenant.ptr)
        return;
    struct api_job *job = api_job_new(call, list_work);
    job->tenant = tenant;
    api_job_start(job, false);
}
