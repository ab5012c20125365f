/* Metrics from spans: calls, errors and latencies of every operation, and of every pair of services
 * that call each other, counted as spans go by and stored as ordinary series.
 *
 * It is a sink before another one: spans that the other one takes are counted, each as often as it
 * is taken; log lines and samples pass. Names and rules are those of Tempo's metrics generator
 * (span-metrics and service-graphs processors) or of the OpenTelemetry Collector's span metrics
 * connector, or both:
 *
 *     traces_spanmetrics_calls_total, _latency (seconds), _size_total
 *         {service, span_name, span_kind, status_code, dimensions...}
 *     traces_span_metrics_calls_total, _duration_milliseconds
 *         {service_name, span_name, span_kind, status_code, dimensions...}
 *     traces_service_graph_request_total, _request_failed_total, _request_server_seconds,
 *     _request_client_seconds, _request_messaging_system_seconds
 *         {client, server, connection_type, client_<dimension>, server_<dimension>...}
 *     traces_target_info {job, instance, resource attributes}
 *
 * Samples carry the time of writing: however late a span comes, it counts now. */
#ifndef PIPE_SPAN_METRICS_H
#define PIPE_SPAN_METRICS_H

#include "base/diag.h"
#include "pipe/sink.h"

enum pipe_span_names { PIPE_SPAN_NAMES_TEMPO, PIPE_SPAN_NAMES_OTEL, PIPE_SPAN_NAMES_BOTH };
enum pipe_span_histograms { PIPE_SPAN_CLASSIC, PIPE_SPAN_NATIVE, PIPE_SPAN_CLASSIC_AND_NATIVE };

struct pipe_span_metrics_config {
    bool calls, graph;          /* what is counted */
    enum pipe_span_names names; /* of calls */
    enum pipe_span_histograms histograms;
    /* Attributes of resource or span, comma-separated, that become labels. */
    const char *dimensions, *graph_dimensions;
    /* "label=attribute+attribute,...": labels of several attributes, joined by a slash. */
    const char *mappings;
    /* Which of service, span_name, span_kind, status_code, status_message are labels of calls;
     * NULL: all but the last. */
    const char *intrinsics;
    /* Which spans are counted as calls (span_filter_priv.h); NULL or empty: all. */
    const char *include, *include_any, *exclude;
    /* An attribute with the ratio (0 to 1] that spans were sampled by; NULL or empty: none. */
    const char *sampling_attribute;
    bool tracestate; /* count a span as often as the threshold in its trace state says */
    /* Attributes that name what a client calls when that sends no spans, first one that is there.
     */
    const char *peer_attributes;
    bool target_info;   /* traces_target_info, and labels job and instance of calls */
    int64_t series_max; /* of all metrics; what is beyond is counted as overflow */
    int64_t idle_ns;    /* a series whose row nothing is added to for this long ends */
    int64_t wait_ns;    /* how long one side of a call waits for the other */
    int64_t edges_max;  /* sides waiting; the oldest give way */
    int64_t (*now_ns)(void *ctx);
    void *ctx;
};

/* The names above are right: lists parse, no more than PIPE_SPAN_DIMENSIONS each. */
#define PIPE_SPAN_DIMENSIONS 12 /* mappings counted in */
int pipe_span_metrics_check(const struct pipe_span_metrics_config *config, struct diag *diag);

struct pipe_span_metrics;
/* `next` outlives it. The configuration has been checked; its strings are copied. */
struct pipe_span_metrics *pipe_span_metrics_new(const struct pipe_span_metrics_config *config,
                                                struct pipe_sink *next);
/* Where spans (and everything else) go in. Thread-safe. */
struct pipe_sink *pipe_span_metrics_sink(struct pipe_span_metrics *m);
/* Stores what was counted until now in `next`. One thread at a time; not from a loop's thread. */
void pipe_span_metrics_write(struct pipe_span_metrics *m);
/* No call to its sink is running or will come. What was not written is lost. */
void pipe_span_metrics_free(struct pipe_span_metrics *m); /* NULL is fine */

#endif
