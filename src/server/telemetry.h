/* Pharos about itself: its counters, its process, its store; as text for /metrics and, every
 * interval, as series job="pharos" in its own store. */
#ifndef SERVER_TELEMETRY_H
#define SERVER_TELEMETRY_H

#include "base/buf.h"
#include "pipe/sink.h"
#include "store/source.h"

struct server_telemetry;

struct server_telemetry_config {
    struct store_source *source;
    struct pipe_sink *sink;
    int64_t interval_ns;
    const char *instance, *version, *revision; /* outlive it */
    int64_t started_ns;
    const _Atomic bool *reload_ok;
    const _Atomic int64_t *reload_ns;
    int64_t (*now_ns)(void *ctx);
    void *now_ctx;
};

struct server_telemetry *server_telemetry_new(const struct server_telemetry_config *config);
/* A thread of its own stores a round every interval, the first at once. */
void server_telemetry_start(struct server_telemetry *t);
/* Stops the thread and frees. */
void server_telemetry_free(struct server_telemetry *t);
/* Prometheus text format 0.0.4. Thread-safe. */
void server_telemetry_print(struct server_telemetry *t, struct buf *out);
/* One round into a batch. */
void server_telemetry_collect(struct server_telemetry *t, struct data_metric_batch *batch,
                              bool with_metadata, int64_t now_ns);

#endif
