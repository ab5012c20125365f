#include "api/otlp/export.h"

#include "api/otlp/settings.h"
#include "base/counter.h"
#include "base/mem.h"
#include "codec/compress.h"

#define KIT_BYTES_KEPT     ((size_t)8 << 20)
#define INFLATED_BYTES_MAX ((size_t)256 << 20)

#define REQUESTS(signal, result)                                                                   \
    {                                                                                              \
        .name = "pharos_otlp_requests_total", .help = "OTLP export requests answered.",            \
        .labels = "signal=\"" signal "\",result=\"" result "\""                                    \
    }
enum { COUNT_OK, COUNT_PARTIAL, COUNT_REFUSED, COUNT_FAILED, COUNT_RESULTS };
static struct counter requests[3 * COUNT_RESULTS] = {
    REQUESTS("metrics", "ok"),     REQUESTS("metrics", "partial"), REQUESTS("metrics", "refused"),
    REQUESTS("metrics", "failed"), REQUESTS("logs", "ok"),         REQUESTS("logs", "partial"),
    REQUESTS("logs", "refused"),   REQUESTS("logs", "failed"),     REQUESTS("traces", "ok"),
    REQUESTS("traces", "partial"), REQUESTS("traces", "refused"),  REQUESTS("traces", "failed")};

#define REFUSED(reason)                                                                            \
    {                                                                                              \
        .name = "pharos_otlp_refused_total",                                                       \
        .help = "Data points, log records and spans of OTLP that broke a rule, by reason.",        \
        .labels = "reason=\"" reason "\""                                                          \
    }
static struct counter refused[DECODE_OTLP_REFUSED_COUNT] = {
    [DECODE_OTLP_BAD_NAME] = REFUSED("invalid_name"),
    [DECODE_OTLP_BAD_TIME] = REFUSED("invalid_timestamp"),
    [DECODE_OTLP_BAD_ATTRIBUTE] = REFUSED("invalid_attribute"),
    [DECODE_OTLP_BAD_TEMPORALITY] = REFUSED("invalid_temporality"),
    [DECODE_OTLP_NO_VALUE] = REFUSED("no_value"),
    [DECODE_OTLP_BAD_HISTOGRAM] = REFUSED("invalid_histogram"),
    [DECODE_OTLP_BAD_ID] = REFUSED("invalid_id"),
    [DECODE_OTLP_TOO_DEEP] = REFUSED("too_deep"),
    [DECODE_OTLP_TOO_MANY] = REFUSED("too_many"),
    [DECODE_OTLP_TOO_LARGE] = REFUSED("too_large"),
};
static struct counter repaired = {
    .name = "pharos_otlp_repaired_texts_total",
    .help = "Strings of OTLP that were no UTF-8 and had their bytes replaced."};
static struct counter clamped = {
    .name = "pharos_otlp_clamped_durations_total",
    .help = "Spans that ended before they started and were kept with duration 0."};

#define UNORDERED(reason)                                                                          \
    {                                                                                              \
        .name = "pharos_otlp_refused_delta_samples_total",                                         \
        .help = "Samples of delta temporality that could not be added up, by reason.",             \
        .labels = "reason=\"" reason "\""                                                          \
    }
static struct counter unordered[PIPE_DELTA_REFUSED_COUNT] = {
    [PIPE_DELTA_OUT_OF_ORDER] = UNORDERED("out_of_order"),
    [PIPE_DELTA_SERIES_LIMIT] = UNORDERED("series_limit"),
    [PIPE_DELTA_MIXED] = UNORDERED("mixed_histograms"),
};

/* Memory for decoding, kept from request to request. */
struct api__otlp_kit {
    struct api__otlp_kit *next;
    struct decode_otlp_scratch *scratch;
    struct buf inflated;
    struct data_metric_batch *metrics;
    struct data_event_batch *logs, *spans;
    struct slice tenants[3]; /* the batches' own; a request puts its own there meanwhile */
};

void api__otlp_init(struct api *api, const struct api_limits *limits)
{
    counter_register(requests, ARRAY_LEN(requests));
    counter_register(refused, ARRAY_LEN(refused));
    counter_register(&repaired, 1);
    counter_register(&clamped, 1);
    counter_register(unordered, ARRAY_LEN(unordered));
    api->delta = api__otlp_delta_new(api, limits);
    api->otlp = api_otlp_settings_new();
}

static struct api__otlp_kit *kit_take(struct api *api)
{
    pthread_mutex_lock(&api->lock);
    struct api__otlp_kit *kit = api->otlp_kits;
    if (kit)
        api->otlp_kits = kit->next;
    pthread_mutex_unlock(&api->lock);
    if (!kit) {
        kit = mem_calloc(1, sizeof(*kit));
        kit->scratch = decode_otlp_scratch_new();
        kit->metrics = data_metric_batch_new(SLICE("default"));
        kit->logs = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
        kit->spans = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
        kit->tenants[0] = kit->metrics->tenant;
        kit->tenants[1] = kit->logs->tenant;
        kit->tenants[2] = kit->spans->tenant;
    }
    return kit;
}

static void kit_free(struct api__otlp_kit *kit)
{
    decode_otlp_scratch_free(kit->scratch);
    buf_deinit(&kit->inflated);
    data_metric_batch_free(kit->metrics);
    data_event_batch_free(kit->logs);
    data_event_batch_free(kit->spans);
    mem_free(kit);
}

static size_t kit_size(const struct api__otlp_kit *kit)
{
    return decode_otlp_scratch_size(kit->scratch) + kit->inflated.cap +
           arena_size(kit->metrics->arena) + arena_size(kit->logs->arena) +
           arena_size(kit->spans->arena) +
           (kit->logs->attrs.cap + kit->spans->attrs.cap) * sizeof(*kit->logs->attrs.items);
}

static void kit_give(struct api *api, struct api__otlp_kit *kit, enum decode_otlp_signal signal)
{
    kit->metrics->tenant = kit->tenants[0];
    kit->logs->tenant = kit->tenants[1];
    kit->spans->tenant = kit->tenants[2];
    if (kit_size(kit) > KIT_BYTES_KEPT) {
        kit_free(kit);
        return;
    }
    switch (signal) {
    case DECODE_OTLP_METRICS: data_metric_batch_reset(kit->metrics); break;
    case DECODE_OTLP_LOGS: data_event_batch_reset(kit->logs); break;
    case DECODE_OTLP_TRACES: data_event_batch_reset(kit->spans); break;
    }
    pthread_mutex_lock(&api->lock);
    kit->next = api->otlp_kits;
    api->otlp_kits = kit;
    pthread_mutex_unlock(&api->lock);
}

void api__otlp_free(struct api *api)
{
    for (struct api__otlp_kit *kit = api->otlp_kits, *next; kit; kit = next) {
        next = kit->next;
        kit_free(kit);
    }
    api_otlp_settings_free(api->otlp);
    pipe_delta_free(api->delta);
}

struct api_otlp_settings *api__otlp_settings(struct api *api)
{
    pthread_mutex_lock(&api->lock);
    struct api_otlp_settings *s = api_otlp_settings_hold(api->otlp);
    pthread_mutex_unlock(&api->lock);
    return s;
}

void api_set_otlp(struct api *api, struct api_otlp_settings *settings)
{
    pthread_mutex_lock(&api->lock);
    struct api_otlp_settings *old = api->otlp;
    api->otlp = settings;
    pthread_mutex_unlock(&api->lock);
    api_otlp_settings_free(old);
}

static void finish(struct api__otlp_export *x, struct decode_otlp_stored *stored)
{
    struct decode_otlp_answer *a = &x->answer;
    stored->unordered = x->delta.refused_points;
    if (x->delta.first_refusal.code)
        stored->first_refusal = x->delta.first_refusal.msg;
    for (size_t i = 0; i < PIPE_DELTA_REFUSED_COUNT; i++) {
        if (x->delta.refused[i])
            counter_add(&unordered[i], (int64_t)x->delta.refused[i]);
    }
    if (stored->err && x->delta.touched.len)
        pipe_delta_forget(x->api->delta, &x->delta);
    pipe_delta_result_free(&x->delta);
    decode_otlp_answer(x->signal, x->encoding, x->decode_err, &x->diag, &x->result, stored, a);
    int result = a->http_status >= 500 || a->http_status == 429              ? COUNT_FAILED
                 : a->http_status >= 400                                     ? COUNT_REFUSED
                 : x->result.refused || stored->refused || stored->unordered ? COUNT_PARTIAL
                                                                             : COUNT_OK;
    counter_add(&requests[(int)x->signal * COUNT_RESULTS + result], 1);
    for (size_t i = 0; i < DECODE_OTLP_REFUSED_COUNT; i++) {
        if (x->result.refused_by[i])
            counter_add(&refused[i], (int64_t)x->result.refused_by[i]);
    }
    if (x->result.repaired_texts)
        counter_add(&repaired, (int64_t)x->result.repaired_texts);
    if (x->result.clamped_durations)
        counter_add(&clamped, (int64_t)x->result.clamped_durations);
    x->done(x);
}

static void on_ack(void *ctx, int err, const struct pipe_result *result)
{
    struct api__otlp_export *x = ctx;
    struct decode_otlp_stored stored = {.err = err};
    if (result) {
        stored.refused = pipe_result_refused(result);
        stored.first_refusal = result->first_refusal.msg;
    }
    finish(x, &stored);
}

/* What the sink is to take; false when there is nothing. */
static bool decode(struct api__otlp_export *x, struct api__otlp_kit *kit)
{
    struct slice body = x->body;
    if (x->is_snappy) {
        buf_clear(&kit->inflated);
        x->decode_err =
            codec_decompress(CODEC_SNAPPY, x->body, INFLATED_BYTES_MAX, &kit->inflated, &x->diag);
        body = buf_slice(&kit->inflated);
    }
    if (x->decode_err)
        return false;
    switch (x->signal) {
    case DECODE_OTLP_METRICS: {
        struct api_otlp_settings *settings = api__otlp_settings(x->api);
        x->decode_err = decode_otlp_metrics(x->encoding, body, &settings->translation, kit->scratch,
                                            kit->metrics, &x->result, &x->diag);
        api_otlp_settings_free(settings);
        if (!x->decode_err)
            pipe_delta_apply(x->api->delta, kit->metrics, x->api->host->now_ns(x->api->host->ctx),
                             &x->delta);
        return !x->decode_err && (kit->metrics->sample_ts.len || kit->metrics->metadata.len);
    }
    case DECODE_OTLP_LOGS:
        x->decode_err = decode_otlp_logs(x->encoding, body, x->api->host->now_ns(x->api->host->ctx),
                                         kit->scratch, kit->logs, &x->result, &x->diag);
        return !x->decode_err && kit->logs->rows.len;
    case DECODE_OTLP_TRACES:
        x->decode_err =
            decode_otlp_spans(x->encoding, body, kit->scratch, kit->spans, &x->result, &x->diag);
        return !x->decode_err && kit->spans->rows.len;
    }
    return false;
}

/* x may be gone after this. */
static void store(struct api__otlp_export *x, struct api__otlp_kit *kit)
{
    struct pipe_sink *sink = x->api->sink;
    switch (x->signal) {
    case DECODE_OTLP_METRICS: sink->metrics(sink, kit->metrics, on_ack, x); break;
    case DECODE_OTLP_LOGS: sink->logs(sink, kit->logs, on_ack, x); break;
    case DECODE_OTLP_TRACES: sink->spans(sink, kit->spans, on_ack, x); break;
    }
}

void api__otlp_export(struct api__otlp_export *x)
{
    struct api *api = x->api;
    enum decode_otlp_signal signal = x->signal;
    struct api__otlp_kit *kit = kit_take(api);
    kit->metrics->tenant = kit->logs->tenant = kit->spans->tenant = x->tenant;
    memset(&x->result, 0, sizeof(x->result));
    memset(&x->delta, 0, sizeof(x->delta));
    diag_init(&x->diag);
    x->decode_err = 0;
    if (decode(x, kit))
        store(x, kit);
    else
        finish(x, &(struct decode_otlp_stored){0}); /* nothing is soon stored */
    kit_give(api, kit, signal);
}
