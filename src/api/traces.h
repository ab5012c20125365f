/* What the doors that give traces back have in common. */
#ifndef API_TRACES_H
#define API_TRACES_H

#include "api/job.h"
#include "api/plain.h"
#include "store/events.h"

/* 1 to 32 hexadecimal digits into 16 bytes; short ones have zeros in front. */
bool api__trace_id_read(struct slice text, char *out);
/* A job over the spans of the request's tenant, answered already (plain text, and NULL) when there
 * can be none. */
struct api_job *api__traces_job(struct api_call *call, void (*work)(struct api_job *job));
struct store_event_limits api__traces_limits(struct api_job *job);
/* Whole traces with all that is known of their spans (store_event_ops.traces). */
int api__traces_load(struct api_job *job, const struct slice *ids, size_t count,
                     struct store_event_chunk *out, struct diag *diag);
/* Their spans in a range, and some hours around it. */
int api__traces_load_in(struct api_job *job, const struct slice *ids, size_t count,
                        int64_t start_ns, int64_t end_ns, struct store_event_chunk *out,
                        struct diag *diag);
/* The values of an intrinsic of a chunk with all fields, one a row, or NULL when none has it. */
const struct data_value *api__traces_column(const struct store_event_chunk *c, uint32_t intrinsic);
/* The key of the resource attribute that a stream's label is. */
struct slice api__trace_resource_key(struct slice label);

/* Ids (16 bytes) of the newest traces that a TraceQL filter finds, at most `limit`; newest first.
 * In the job's arena. */
int api__traces_find(struct api_job *job, struct slice traceql, int64_t start_ns, int64_t end_ns,
                     size_t limit, struct slice **out_ids, size_t *out_count, struct diag *diag);
/* Where the trace that begins at `first` ends. */
size_t api__trace_end(const struct store_event_chunk *c, size_t first);
/* Distinct values of a field of the spans that meet a TraceQL filter ("" = all), sorted, as texts.
 */
int api__traces_values(struct api_job *job, struct slice traceql, const char *field,
                       int64_t start_ns, int64_t end_ns, struct slice **out, size_t *out_count,
                       struct diag *diag);
/* Appends a TraceQL string literal. */
void api__traceql_quote(struct slice s, struct buf *out);
/* Appends ` && field = "value"`; nothing for an empty value and for "all", which both UIs send for
 * any. */
void api__traceql_and_equal(struct buf *out, const char *field, struct slice value);
/* Appends `.name`, quoted as the language wants it. */
void api__traceql_attribute(struct slice name, struct buf *out);

/* Appends `.key = "value"`, and as another possibility the number or boolean that it reads as. */
void api__traceql_equal(struct slice key, struct slice value, struct buf *out);
/* Appends JSON strings with commas between. */
void api__put_texts(const struct slice *texts, size_t count, struct buf *out);

/* Calls between services: a span of one with a child of another, in traces of the range. */
struct api__dependency {
    struct slice parent, child;
    uint64_t calls, errors;
};
/* Appends `{"parent":"a","child":"b"`; the rest is the door's. */
void api__put_dependency(const struct api__dependency *d, struct buf *out);
int api__traces_dependencies(struct api_job *job, int64_t start_ns, int64_t end_ns,
                             struct api__dependency **out, size_t *out_count, struct diag *diag);

#endif
