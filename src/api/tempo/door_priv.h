/* What the files of Tempo's door share. Errors are plain text, as Tempo's are. */
#ifndef API_TEMPO_DOOR_PRIV_H
#define API_TEMPO_DOOR_PRIV_H

#include "api/grpc_rest.h"
#include "api/traces.h"
#include "lang/traceql/run.h"

/* --- parameters (params.c). Each gives 0, or ERR_INVALID with words for the answer. --- */

/* Seconds (ten digits or fewer, or with a fraction), ns, or RFC 3339. Absent: `fallback`. */
int tempo__param_time(struct net_request *req, const char *name, int64_t fallback_ns,
                      int64_t *out_ns, struct diag *diag);
/* start and end; without them all times there are. */
int tempo__param_range(struct net_request *req, int64_t *out_start_ns, int64_t *out_end_ns,
                       struct diag *diag);
/* A duration as Go writes it, or seconds. */
int tempo__param_duration(struct net_request *req, const char *name, int64_t fallback_ns,
                          int64_t *out_ns, struct diag *diag);
/* 1 to `most`. */
int tempo__param_count(struct net_request *req, const char *name, int64_t fallback, int64_t most,
                       int64_t *out, struct diag *diag);

void tempo__env(struct api_job *job, struct traceql_env *out);
/* The words of a query that could not be parsed, with status 400. */
void tempo__parse_error(struct api_job *job, const struct diag *diag);
/* {"stringValue":"x"} */
void tempo__put_value(struct traceql_value v, struct buf *out);
/* [{"key":"a","value":{...}}] */
void tempo__put_attributes(const struct traceql_attribute *items, size_t count, struct buf *out);
/* "metrics":{...} */
void tempo__put_stats(const struct traceql_stats *stats, struct buf *out);

/* Answers that are told bit by bit, as protobuf. */
extern const struct codec_proto_message *const tempo__search_answer;
extern const struct codec_proto_message *const tempo__range_answer;
/* One message of such a stream out of its JSON, at the end of `out`. */
void tempo__put_message(struct slice json, const struct codec_proto_message *answer,
                        struct buf *out);
/* A stream tells what it has so often, if it can. */
#define TEMPO__TELL_NS (250 * NS_PER_MS)
/* A found trace as search gives it: {"traceID":...}. */
void tempo__put_trace(const struct traceql_found *t, struct buf *out);

/* --- endpoints --- */
void tempo__trace(struct api_call *call);
void tempo__trace_v2(struct api_call *call);
void tempo__search(struct api_call *call);
void tempo__tags(struct api_call *call);
void tempo__tags_v2(struct api_call *call);
void tempo__tag_values(struct api_call *call);
void tempo__tag_values_v2(struct api_call *call);
void tempo__query_range(struct api_call *call);
void tempo__query(struct api_call *call);
void tempo__explain(struct api_call *call);

/* Methods of gRPC, and the endpoints that answer them. */
#define TEMPO__GRPC_COUNT 7
extern const struct net_grpc_method tempo__grpc[TEMPO__GRPC_COUNT];
extern const struct api__grpc_rest tempo__rest[TEMPO__GRPC_COUNT];

#endif
