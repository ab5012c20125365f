/* One export request of OTLP, whatever brought it: bytes to a batch to the sink, and the answer. */
#ifndef API_OTLP_EXPORT_H
#define API_OTLP_EXPORT_H

#include "api/api_priv.h"
#include "decode/otlp/otlp.h"
#include "pipe/delta.h"

struct api__otlp_kit;

struct api__otlp_export {
    struct api *api;
    enum decode_otlp_signal signal;
    enum decode_otlp_encoding encoding;
    bool is_snappy;    /* the body is in snappy's block format still */
    struct slice body; /* both live until done */
    struct slice tenant;
    /* Called once, on any thread, with the answer; it frees that. */
    void (*done)(struct api__otlp_export *x);
    struct decode_otlp_answer answer;

    /* Private. */
    struct decode_otlp_result result;
    struct pipe_delta_result delta;
    struct diag diag;
    int decode_err;
};

/* Decodes in the call (so large bodies belong on a worker) and hands the batch to the sink; `done`
 * is called when it is durable or refused, maybe before this returns. */
void api__otlp_export(struct api__otlp_export *x);
/* Bodies up to here are decoded on the loop thread. */
#define API__OTLP_INLINE_BYTES ((size_t)128 << 10)

/* Running sums over the api's store. */
struct pipe_delta *api__otlp_delta_new(struct api *api, const struct api_limits *limits);
/* The settings in force; give them back with api_otlp_settings_free. */
struct api_otlp_settings *api__otlp_settings(struct api *api);
/* Registers the counters; frees what the api object keeps. */
void api__otlp_init(struct api *api, const struct api_limits *limits);
void api__otlp_free(struct api *api);

#endif
