/* status/self_metrics: what /metrics shows, as the JSON of io.prometheus.client.MetricFamily. */
#include <math.h>

#include "api/job.h"
#include "api/prometheus/door_priv.h"
#include "decode/prom_text.h"
#include "text/regex.h"

struct self_state {
    struct text_regex *names; /* NULL: all */
};

/* Protobuf's JSON has no numbers for these. */
static void put_double(struct codec_json_writer *w, const char *key, double v)
{
    codec_json_key(w, slice_cstr(key));
    if (isfinite(v))
        codec_json_double(w, v);
    else
        codec_json_string(w, isnan(v) ? SLICE("NaN")
                             : v > 0  ? SLICE("Infinity")
                                      : SLICE("-Infinity"));
}

static void put_metric(struct codec_json_writer *w, const struct decode_text_item *item,
                       enum data_metric_type type)
{
    codec_json_begin_object(w);
    if (item->series->labels.count > 1) {
        codec_json_key(w, SLICE("label"));
        codec_json_begin_array(w);
        for (size_t i = 0; i < item->series->labels.count; i++) {
            struct data_label l = item->series->labels.items[i];
            if (slice_eq_cstr(l.name, DATA_METRIC_NAME))
                continue;
            codec_json_begin_object(w);
            codec_json_put_string(w, "name", l.name);
            codec_json_put_string(w, "value", l.value);
            codec_json_end_object(w);
        }
        codec_json_end_array(w);
    }
    codec_json_key(w, type == DATA_METRIC_COUNTER ? SLICE("counter")
                      : type == DATA_METRIC_GAUGE ? SLICE("gauge")
                                                  : SLICE("untyped"));
    codec_json_begin_object(w);
    put_double(w, "value", item->value);
    codec_json_end_object(w);
    codec_json_end_object(w);
}

/* The families of a page in text, one by one; our own counters and gauges come as such a page. */
struct families {
    struct codec_json_writer w;
    const struct text_regex *names;
    struct buf name, help;
    enum data_metric_type type;
    bool open;
};

static void end_family(struct families *f)
{
    if (!f->open)
        return;
    codec_json_end_array(&f->w);
    codec_json_end_object(&f->w);
    f->open = false;
}

static void begin_family(struct families *f)
{
    codec_json_begin_object(&f->w);
    codec_json_put_string(&f->w, "name", buf_slice(&f->name));
    if (f->help.len)
        codec_json_put_string(&f->w, "help", buf_slice(&f->help));
    codec_json_put_string(&f->w, "type",
                          f->type == DATA_METRIC_COUNTER ? SLICE("COUNTER")
                          : f->type == DATA_METRIC_GAUGE ? SLICE("GAUGE")
                                                         : SLICE("UNTYPED"));
    codec_json_key(&f->w, SLICE("metric"));
    codec_json_begin_array(&f->w);
    f->open = true;
}

static void take_item(struct families *f, const struct decode_text_item *item)
{
    bool sample = item->kind == DECODE_TEXT_SAMPLE;
    struct slice name = sample ? item->series->metric : item->family;
    if (!slice_eq(name, buf_slice(&f->name))) {
        end_family(f);
        buf_clear(&f->name);
        buf_clear(&f->help);
        buf_append_slice(&f->name, name);
        f->type = DATA_METRIC_UNKNOWN;
    }
    if (item->kind == DECODE_TEXT_TYPE)
        f->type = item->type;
    else if (item->kind == DECODE_TEXT_HELP)
        buf_append_slice(&f->help, item->text);
    if (!sample || (f->names && !text_regex_match(f->names, name)))
        return;
    if (!f->open)
        begin_family(f);
    put_metric(&f->w, item, f->type);
}

static void work(struct api_job *job)
{
    struct self_state *st = job->state;
    struct decode_text_cache *cache = decode_text_cache_new(NULL, NULL);
    struct decode_text *p = decode_text_new(cache);
    struct families f = {.names = st->names};
    struct decode_text_item item;
    struct buf page = {0};
    struct diag diag;
    int got;
    diag_init(&diag);
    job->api->host->metrics(job->api->host->ctx, &page);
    api__begin(&f.w, &job->out);
    codec_json_begin_array(&f.w);
    decode_text_begin(p, DECODE_TEXT_PLAIN, false, buf_slice(&page));
    while ((got = decode_text_next(p, &item, &diag)) == 1)
        take_item(&f, &item);
    end_family(&f);
    codec_json_end_array(&f.w);
    codec_json_end_object(&f.w);
    if (got)
        api_job_error(job, API_INTERNAL, "error gathering self metrics: %s", diag.msg);
    buf_deinit(&page);
    buf_deinit(&f.name);
    buf_deinit(&f.help);
    decode_text_free(p);
    decode_text_cache_free(cache);
}

static void cleanup(struct api_job *job)
{
    struct self_state *st = job->state;
    text_regex_free(st->names);
}

void api__prom_status_self_metrics(struct api_call *call)
{
    struct self_state *st = ARENA_NEW(net_request_arena(call->req), struct self_state);
    struct slice pattern = net_request_param(call->req, "metric_name_pattern");
    struct diag diag;
    diag_init(&diag);
    if (pattern.len && text_regex_compile(pattern, TEXT_REGEX_ANCHORED, &st->names, &diag)) {
        api__respond_error(call->req, API_BAD_DATA, "invalid metric_name_pattern: %s", diag.msg);
        return;
    }
    struct api_job *job = api_job_new(call, work);
    job->state = st;
    job->cleanup = cleanup;
    api_job_start(job, false);
}
