/* What the files of Loki's door share. */
#ifndef API_LOKI_DOOR_PRIV_H
#define API_LOKI_DOOR_PRIV_H

#include "api/job.h"
#include "api/plain.h"
#include "lang/logql/run.h"

/* --- parameters (params.c). Each gives 0, or ERR_INVALID with words for the answer. --- */

/* Loki's times: seconds with a fraction, ten digits or fewer as seconds, more as nanoseconds, or
 * RFC 3339. Absent: `fallback`. */
int loki__param_time(struct net_request *req, const char *name, int64_t fallback_ns,
                     int64_t *out_ns, struct diag *diag);
/* start and end; without them the last `since_ns`. end must not be before start. */
int loki__param_range(struct api_call *call, int64_t since_ns, int64_t *out_start_ns,
                      int64_t *out_end_ns, struct diag *diag);
/* A duration of Go or Prometheus, or seconds as a number. */
int loki__param_duration(struct net_request *req, const char *name, int64_t fallback_ns,
                         int64_t *out_ns, struct diag *diag);
int loki__param_count(struct net_request *req, const char *name, int64_t fallback, int64_t *out,
                      struct diag *diag);
/* Whether an answer of what was read is wanted when a limit is reached: partial_response, or the
 * header X-Pharos-Partial-Response for clients that can set no parameter. */
int loki__param_partial(struct net_request *req, bool *out, struct diag *diag);

/* --- answers (answer.c): errors are plain text (api/plain.h) --- */
/* The words of a query that could not be parsed, with status 400. */
void loki__job_parse_error(struct api_job *job, const struct diag *diag);

/* {"a":"b"} and so on; append. */
void loki__put_labels(const struct logql_label *labels, size_t count, struct buf *out);
/* A stream begun, up to its list of lines; `legacy`: as before 1.0. */
void loki__put_stream(struct data_labels labels, bool legacy, struct buf *out);
/* ["<ns>","line"]; `flagged`: with its labels by category behind; `legacy`:
 * {"ts":"2024-01-02T03:04:05Z","line":"..."}. */
void loki__put_entry(const struct logql_entry *e, bool legacy, bool flagged, struct buf *out);
/* X-Loki-Response-Encoding-Flags: categorize-labels. */
bool loki__wants_categories(struct net_request *req);
/* "summary" and the rest of an answer's statistics, as an object. */
void loki__put_stats(const struct logql_stats *stats, int64_t run_ns, int64_t wait_ns,
                     struct buf *out);

/* The log lines of the request's tenant, or of its several (a|b); false when it answered. */
bool loki__source_read(struct api_call *call, struct arena *arena,
                       struct store_event_source **out_source, struct slice *out_tenant);
/* A job for a query over log lines, answered already (and NULL) when there can be none. */
struct api_job *loki__job_new(struct api_call *call, void (*work)(struct api_job *job));
/* The log store's face for a job's queries. */
void loki__env(struct api_job *job, struct logql_env *out);
/* With an env of a query that may end in a part of its answer: reading ends at three quarters of
 * the time that is left, so that there is some to put the answer together. */
void loki__allow_partial(struct logql_env *env, struct logql_partial *partial);
/* Until when that may be done: what was read in time is not lost because it takes longer. */
int64_t loki__partial_deadline_ns(int64_t deadline_ns);
/* "warnings":["..."] into an object begun. With `cut` only. */
void loki__put_warning(struct codec_json_writer *w, const struct logql_partial *partial);
struct store_event_limits loki__limits(struct api_job *job);

/* What most endpoints besides the queries take: a selector (or a query whose selectors count), and
 * a range. Lives in the request's arena. */
struct loki__scope {
    struct slice query;
    int64_t start_ns, end_ns;
    struct logql_expr *expr; /* parsed by loki__scope_select; NULL for no query */
    bool protobuf, legacy;   /* the answer's form; kept by loki__scope_read */
    void *more;              /* of the endpoint */
};
/* Reads query, start and end; false when it answered. */
bool loki__scope_read(struct api_call *call, int64_t since_ns, struct loki__scope *out);
/* Parses the query into the job's arena and gives what it selects; false when the job failed. */
bool loki__scope_select(struct api_job *job, struct loki__scope *s, bool required,
                        struct store_event_select *out);
/* api_job.cleanup for jobs whose state begins with a scope. */
void loki__scope_cleanup(struct api_job *job);

/* Name in the underscore spelling, in the arena. */
struct slice loki__label_name(struct arena *arena, struct slice name);

/* --- endpoints --- */
void loki__push(struct api_call *call);
void loki__query(struct api_call *call);
void loki__query_range(struct api_call *call);
void loki__explain(struct api_call *call);
void loki__query_legacy(struct api_call *call);
void loki__labels(struct api_call *call);
void loki__labels_legacy(struct api_call *call);
void loki__label_values_legacy(struct api_call *call);
void loki__label_values(struct api_call *call);
void loki__series(struct api_call *call);
void loki__index_stats(struct api_call *call);
void loki__index_shards(struct api_call *call);
void loki__volume(struct api_call *call);
void loki__volume_range(struct api_call *call);
void loki__detected_labels(struct api_call *call);
void loki__detected_fields(struct api_call *call);
void loki__detected_field_values(struct api_call *call);
void loki__patterns(struct api_call *call);
void loki__tail(struct api_call *call);
void loki__tail_legacy(struct api_call *call);
void loki__delete_add(struct api_call *call);
void loki__delete_list(struct api_call *call);
void loki__delete_cancel(struct api_call *call);
void loki__format_query(struct api_call *call);
void loki__buildinfo(struct api_call *call);
void loki__drilldown_limits(struct api_call *call);
void loki__ready(struct api_call *call);
void loki__config(struct api_call *call);
void loki__rules(struct api_call *call);
void loki__alerts(struct api_call *call);
void loki__rule_list(struct api_call *call);
void loki__rule_put(struct api_call *call);
void loki__rule_delete(struct api_call *call);

/* Registers the counters; frees what the api object keeps. */
void loki__init(struct api *api);
void loki__free(struct api *api);
/* With api->stopping set, while loops and workers still run: waits for the tails to end. */
void loki__tails_stop(struct api *api);
void loki__deletions_free(struct api *api);

#endif
