#include "pipe/span_metrics.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/counter.h"
#include "base/mem.h"
#include "pipe/span_fields_priv.h"
#include "pipe/span_graph_priv.h"
#include "pipe/span_info_priv.h"
#include "pipe/tally_priv.h"

#define METADATA_EVERY 40 /* writings */

/* The values of a row of calls; dimensions follow. */
enum { SERVICE, SPAN_NAME, SPAN_KIND, STATUS, STATUS_MESSAGE, JOB, INSTANCE, FIXED_VALUES };
enum { COUNT_CALLS, COUNT_BYTES };
enum { TEMPO, OTEL };

static const double tempo_bounds[] = {0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128,
                                      0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384};
static const double otel_bounds[] = {2,   4,   6,    8,    10,   50,   100,   200,
                                     400, 800, 1000, 1400, 2000, 5000, 10000, 15000};

static struct counter counts[PIPE__SPAN_COUNTS] = {
    [PIPE__SPAN_PAIRED] = {.name = "pharos_service_graph_calls_total",
                           .help = "Calls between services found in spans, by how they were known.",
                           .labels = "by=\"both_sides\""},
    [PIPE__SPAN_VIRTUAL] = {.name = "pharos_service_graph_calls_total",
                            .help =
                                "Calls between services found in spans, by how they were known.",
                            .labels = "by=\"virtual_node\""},
    [PIPE__SPAN_EXPIRED] = {.name = "pharos_service_graph_dropped_spans_total",
                            .help = "Spans of calls that were left alone, by reason.",
                            .labels = "reason=\"expired\""},
    [PIPE__SPAN_EVICTED] = {.name = "pharos_service_graph_dropped_spans_total",
                            .help = "Spans of calls that were left alone, by reason.",
                            .labels = "reason=\"edges_limit\""},
    [PIPE__SPAN_OVERFLOW] = {.name = "pharos_span_metrics_overflow_total",
                             .help = "Spans and calls beyond limits.span_metrics.series, by "
                                     "whether they were counted as overflow at least.",
                             .labels = "counted=\"yes\""},
    [PIPE__SPAN_LOST] = {.name = "pharos_span_metrics_overflow_total",
                         .help = "Spans and calls beyond limits.span_metrics.series, by "
                                 "whether they were counted as overflow at least.",
                         .labels = "counted=\"no\""},
    [PIPE__SPAN_FILTERED] = {.name = "pharos_span_metrics_filtered_total",
                             .help = "Spans that span_metrics.include and its like leave out."},
};

void pipe__span_count(enum pipe__span_count what)
{
    counter_add(&counts[what], 1);
}

struct pipe_span_metrics {
    struct pipe_sink sink; /* first */
    struct pipe_sink *next;
    struct pipe_span_metrics_config config;
    struct pipe__span_names *names;
    struct budget series;
    struct slice label_names[2][FIXED_VALUES + PIPE_SPAN_DIMENSIONS];
    struct pipe__tally *calls;    /* NULL: off */
    struct pipe__span_info *info; /* NULL: off */
    struct pipe__span_graph *graph;
    unsigned round;
};

int pipe_span_metrics_check(const struct pipe_span_metrics_config *config, struct diag *diag)
{
    struct pipe__span_names *names = NULL;
    int err = pipe__span_names_new(config, &names, diag);
    pipe__span_names_free(names);
    return err;
}

static struct pipe__tally *new_calls(struct pipe_span_metrics *m)
{
    static const struct slice fixed[2][FIXED_VALUES] = {
        {SLICE_INIT("service"), SLICE_INIT("span_name"), SLICE_INIT("span_kind"),
         SLICE_INIT("status_code"), SLICE_INIT("status_message"), SLICE_INIT("job"),
         SLICE_INIT("instance")},
        {SLICE_INIT("service_name"), SLICE_INIT("span_name"), SLICE_INIT("span_kind"),
         SLICE_INIT("status_code"), SLICE_INIT("status_message"), SLICE_INIT("job"),
         SLICE_INIT("instance")}};
    const struct pipe_span_metrics_config *config = &m->config;
    bool tempo = config->names != PIPE_SPAN_NAMES_OTEL,
         otel = config->names != PIPE_SPAN_NAMES_TEMPO;
    size_t dimensions = m->names->dimension_count;
    struct pipe__tally_config c = {
        .label_count = FIXED_VALUES + dimensions,
        .overflow_label = {SLICE("metric_overflow"), SLICE("otel_metric_overflow")},
        .counter_count = 2,
        .classic = config->histograms != PIPE_SPAN_NATIVE,
        .native = config->histograms != PIPE_SPAN_CLASSIC,
        .series = &m->series,
        .idle_ns = config->idle_ns};
    for (size_t set = 0; set < 2; set++) {
        memcpy(m->label_names[set], fixed[set], sizeof(fixed[set]));
        for (size_t i = 0; i < dimensions; i++)
            m->label_names[set][FIXED_VALUES + i] = m->names->dimension_labels[i];
        c.label_names[set] = m->label_names[set];
    }
    struct pipe__tally_output *out = c.outputs;
    if (tempo) {
        uint8_t h = (uint8_t)c.histogram_count++;
        c.histograms[h].bounds = tempo_bounds;
        c.histograms[h].bound_count = ARRAY_LEN(tempo_bounds);
        *out++ = (struct pipe__tally_output){SLICE("traces_spanmetrics_calls_total"),
                                             SLICE(""),
                                             SLICE("Spans, by service, name, kind and status."),
                                             PIPE__TALLY_COUNTER,
                                             COUNT_CALLS,
                                             TEMPO};
        *out++ = (struct pipe__tally_output){SLICE("traces_spanmetrics_latency"),
                                             SLICE(""),
                                             SLICE("How long spans took, in seconds."),
                                             PIPE__TALLY_HISTOGRAM,
                                             h,
                                             TEMPO};
        *out++ = (struct pipe__tally_output){SLICE("traces_spanmetrics_size_total"),
                                             SLICE(""),
                                             SLICE("Bytes of spans, as OTLP in protobuf."),
                                             PIPE__TALLY_COUNTER,
                                             COUNT_BYTES,
                                             TEMPO};
    }
    if (otel) {
        uint8_t h = (uint8_t)c.histogram_count++;
        c.histograms[h].bounds = otel_bounds;
        c.histograms[h].bound_count = ARRAY_LEN(otel_bounds);
        *out++ = (struct pipe__tally_output){SLICE("traces_span_metrics_calls_total"),
                                             SLICE(""),
                                             SLICE("Spans, by service, name, kind and status."),
                                             PIPE__TALLY_COUNTER,
                                             COUNT_CALLS,
                                             OTEL};
        *out++ = (struct pipe__tally_output){SLICE("traces_span_metrics_duration_milliseconds"),
                                             SLICE("milliseconds"),
                                             SLICE("How long spans took."),
                                             PIPE__TALLY_HISTOGRAM,
                                             h,
                                             OTEL};
    }
    c.output_count = (size_t)(out - c.outputs);
    return pipe__tally_new(&c);
}

/* --- counting --- */

static const struct slice kind_names[] = {
    SLICE_INIT("SPAN_KIND_UNSPECIFIED"), SLICE_INIT("SPAN_KIND_INTERNAL"),
    SLICE_INIT("SPAN_KIND_SERVER"),      SLICE_INIT("SPAN_KIND_CLIENT"),
    SLICE_INIT("SPAN_KIND_PRODUCER"),    SLICE_INIT("SPAN_KIND_CONSUMER")};
static const struct slice status_names[] = {
    SLICE_INIT("STATUS_CODE_UNSET"), SLICE_INIT("STATUS_CODE_OK"), SLICE_INIT("STATUS_CODE_ERROR")};

static void count_span(struct pipe_span_metrics *m, const struct pipe__span_fields *f,
                       int64_t now_ns)
{
    const struct slice own[PIPE__SPAN_INTRINSICS] = {[SERVICE] = f->service,
                                                     [SPAN_NAME] = f->name,
                                                     [SPAN_KIND] = kind_names[f->kind],
                                                     [STATUS] = status_names[f->status],
                                                     [STATUS_MESSAGE] = f->status_message};
    struct slice values[FIXED_VALUES + PIPE_SPAN_DIMENSIONS] = {0};
    bool overflow;
    for (size_t i = 0; i < PIPE__SPAN_INTRINSICS; i++) {
        if (m->names->intrinsics >> i & 1)
            values[i] = own[i];
    }
    if (m->config.target_info) {
        values[JOB] = f->job;
        values[INSTANCE] = f->instance;
    }
    for (size_t i = 0; i < m->names->dimension_count; i++)
        values[FIXED_VALUES + i] = f->dimensions[i];
    struct pipe__tally_row *row = pipe__tally_lock(m->calls, f->tenant, values, now_ns, &overflow);
    if (overflow)
        pipe__span_count(row ? PIPE__SPAN_OVERFLOW : PIPE__SPAN_LOST);
    if (!row)
        return;
    struct pipe__tally_exemplar from = {f->trace_id, f->span_id, now_ns};
    size_t histogram = 0;
    pipe__tally_add(row, COUNT_CALLS, f->weight);
    pipe__tally_add(row, COUNT_BYTES, (double)f->size * f->weight);
    if (m->config.names != PIPE_SPAN_NAMES_OTEL)
        pipe__tally_observe(m->calls, row, histogram++, (double)f->duration_ns / 1e9, f->weight,
                            &from);
    if (m->config.names != PIPE_SPAN_NAMES_TEMPO)
        pipe__tally_observe(m->calls, row, histogram, (double)f->duration_ns / 1e6, f->weight,
                            &from);
    pipe__tally_unlock(m->calls, row);
}

static void take_side(struct pipe_span_metrics *m, const struct pipe__span_fields *f,
                      int64_t now_ns)
{
    bool is_client = f->kind == 3 || f->kind == 4;
    struct pipe__span_side side = {.tenant = f->tenant,
                                   .is_client = is_client,
                                   .is_messaging = f->kind >= 4,
                                   .failed = f->status == 2,
                                   .trace_id = f->trace_id,
                                   .span_id = f->span_id,
                                   .call_id = is_client || f->is_shared ? f->span_id : f->parent_id,
                                   .start_ns = f->start_ns,
                                   .duration_ns = f->duration_ns,
                                   .weight = f->weight,
                                   .service = f->service,
                                   .peer = f->peer,
                                   .database = f->database,
                                   .dimensions = f->graph_dimensions};
    pipe__span_graph_take(m->graph, &side, now_ns);
}

static void count_batch(struct pipe_span_metrics *m, const struct data_event_batch *batch,
                        const uint8_t *refusals)
{
    int64_t now_ns = m->config.now_ns(m->config.ctx);
    struct pipe__span_walk *walk = pipe__span_walk_new(m->names, batch);
    struct pipe__span_fields f;
    for (size_t i = 0; i < batch->rows.len; i++) {
        bool new_resource;
        if (refusals[i] || !pipe__span_walk_read(walk, i, &f, &new_resource))
            continue;
        if (m->calls && pipe__span_filter_passes(m->names->filter, &f))
            count_span(m, &f, now_ns);
        else if (m->calls)
            pipe__span_count(PIPE__SPAN_FILTERED);
        if (m->graph && f.kind >= 2)
            take_side(m, &f, now_ns);
        if (m->info && new_resource && f.job.len)
            pipe__span_info_take(m->info, f.tenant, pipe__span_walk_target(walk, &f), now_ns);
    }
    pipe__span_walk_free(walk);
}

/* --- the sink --- */

/* The acknowledgement waits until the spans are counted: their texts live no longer. */
struct held {
    pipe_ack_fn ack;
    void *ctx;
    _Atomic int parties; /* the store, and the counting */
    bool has_result;
    int err;
    struct pipe_result result;
};

static void let_go(struct held *h)
{
    if (atomic_fetch_sub(&h->parties, 1) != 1)
        return;
    if (h->ack)
        h->ack(h->ctx, h->err, h->has_result ? &h->result : NULL);
    mem_free(h);
}

static void on_ack(void *ctx, int err, const struct pipe_result *result)
{
    struct held *h = ctx;
    h->err = err;
    h->has_result = result != NULL;
    if (result)
        h->result = *result;
    let_go(h);
}

static void take_spans(struct pipe_sink *sink, const struct data_event_batch *batch,
                       pipe_ack_fn ack, void *ctx)
{
    struct pipe_span_metrics *m = (struct pipe_span_metrics *)sink;
    struct held *h = mem_alloc(sizeof(*h));
    struct data_event_batch copy = *batch; /* for row_refusals alone */
    uint8_t *refusals = NULL;
    h->ack = ack;
    h->ctx = ctx;
    h->err = 0;
    atomic_init(&h->parties, 2);
    if (!copy.row_refusals)
        copy.row_refusals = refusals = mem_calloc(batch->rows.len + 1, 1);
    m->next->spans(m->next, &copy, on_ack, h);
    /* What failed as a whole is sent again: it counts then. */
    if (atomic_load(&h->parties) == 2 || !h->err)
        count_batch(m, batch, copy.row_refusals);
    mem_free(refusals);
    let_go(h);
}

static void pass_logs(struct pipe_sink *sink, const struct data_event_batch *batch, pipe_ack_fn ack,
                      void *ctx)
{
    struct pipe_span_metrics *m = (struct pipe_span_metrics *)sink;
    m->next->logs(m->next, batch, ack, ctx);
}

static int pass_notes(struct pipe_sink *sink, struct slice prefix, struct arena *arena,
                      struct data_event_note **out, size_t *out_count)
{
    struct pipe_sink *next = ((struct pipe_span_metrics *)sink)->next;
    *out_count = 0;
    return next->notes ? next->notes(next, prefix, arena, out, out_count) : 0;
}

static void pass_metrics(struct pipe_sink *sink, const struct data_metric_batch *batch,
                         pipe_ack_fn ack, void *ctx)
{
    struct pipe_span_metrics *m = (struct pipe_span_metrics *)sink;
    m->next->metrics(m->next, batch, ack, ctx);
}

struct pipe_span_metrics *pipe_span_metrics_new(const struct pipe_span_metrics_config *config,
                                                struct pipe_sink *next)
{
    struct pipe_span_metrics *m = mem_calloc(1, sizeof(*m));
    counter_register(counts, ARRAY_LEN(counts));
    m->sink = (struct pipe_sink){pass_metrics, pass_logs, take_spans, pass_notes};
    m->next = next;
    m->config = *config;
    (void)pipe__span_names_new(config, &m->names, NULL);
    budget_init(&m->series, NULL, config->series_max, "limits.span_metrics.series");
    if (config->calls)
        m->calls = new_calls(m);
    if (config->calls && config->target_info)
        m->info = pipe__span_info_new(&m->series, config->idle_ns);
    if (config->graph)
        m->graph = pipe__span_graph_new(config, m->names->graph_labels,
                                        m->names->graph_dimension_count, &m->series);
    return m;
}

struct pipe_sink *pipe_span_metrics_sink(struct pipe_span_metrics *m)
{
    return &m->sink;
}

void pipe_span_metrics_write(struct pipe_span_metrics *m)
{
    bool with_metadata = m->round++ % METADATA_EVERY == 0;
    int64_t now_ns = m->config.now_ns(m->config.ctx);
    if (m->calls)
        pipe__tally_write(m->calls, m->next, now_ns, with_metadata);
    if (m->info)
        pipe__span_info_write(m->info, m->next, now_ns, with_metadata);
    if (m->graph)
        pipe__span_graph_write(m->graph, m->next, now_ns, with_metadata);
}

void pipe_span_metrics_free(struct pipe_span_metrics *m)
{
    if (!m)
        return;
    pipe__span_graph_free(m->graph);
    pipe__span_info_free(m->info);
    pipe__tally_free(m->calls);
    pipe__span_names_free(m->names);
    mem_free(m);
}
