/* What happens to spans on their way into the store: those that are sent again are passed over
 * (pipe/repeats.h), the others are counted (pipe/span_metrics.h), and a thread stores what was
 * counted every interval. */
#ifndef SERVER_SPAN_METRICS_H
#define SERVER_SPAN_METRICS_H

#include "pipe/span_metrics.h"
#include "server/config.h"

struct server_span_metrics;
/* `next` and the clock outlive it. */
struct server_span_metrics *server_span_metrics_new(const struct server_config *config,
                                                    struct pipe_sink *next,
                                                    int64_t (*now_ns)(void *ctx), void *ctx);
/* Where spans go in. */
struct pipe_sink *server_span_metrics_sink(struct server_span_metrics *m);
/* From now on what is counted is stored. NULL is fine, here and below. */
void server_span_metrics_start(struct server_span_metrics *m);
/* Stores what was counted last; spans may still come, but count no more. */
void server_span_metrics_stop(struct server_span_metrics *m);
void server_span_metrics_free(struct server_span_metrics *m);

#endif
