/* What the files of this room share. */
#ifndef API_API_PRIV_H
#define API_API_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/api.h"
#include "api/router.h"
#include "pipe/kit.h"
#include "query/cache.h"

struct api_job;
struct api__otlp_kit;
struct graphite_index;
struct api__loki_deletion;
struct elastic_ids;

struct api {
    struct store_source *source;
    struct store_event_source *spans;
    struct store_event_source *logs; /* may be NULL */
    struct pipe_sink *sink;
    struct task_pool *pool;
    struct store_catalog *catalog; /* may be NULL */
    struct api_host *host;
    struct pipe_kits *write_kits, *loki_kits, *elastic_kits, *elastic_metric_kits;
    struct elastic_ids *elastic_ids;
    struct budget queries_memory;
    struct query_cache *cache;       /* answers of range queries */
    struct graphite_index *graphite; /* the tree of paths */
    _Atomic bool ready, stopping;

    pthread_mutex_t lock; /* of everything below */
    struct api_limits limits;
    struct api_auth *auth;
    struct api_job *jobs;                   /* all that live */
    struct api_job *waiting, **waiting_end; /* gated jobs in order */
    int64_t running, waiting_count;
    struct api_otlp_settings *otlp;
    struct graphite_schemas *graphite_schemas; /* may be NULL */
    struct api__otlp_kit *otlp_kits;           /* idle ones */
    struct pipe_delta *delta;
    struct api__loki_deletion *loki_deletions; /* newest first */
    uint64_t loki_deletion_id;
    int64_t loki_tails;
    pthread_cond_t loki_no_tails; /* there is none any more */
};

struct api_limits api__limits(struct api *api);

/* Prometheus' error envelope. `err` picks type and status: bad_data 400, execution 422, canceled
 * 499, timeout 503, internal 500, not_found 404. */
enum api_error {
    API_BAD_DATA,
    API_EXECUTION,
    API_CANCELED,
    API_TIMEOUT,
    API_INTERNAL,
    API_NOT_FOUND,
    API_UNAVAILABLE
};
int api__error_status(enum api_error type);
/* Appends {"status":"error",...}. */
void api__error_json(enum api_error type, struct slice msg, struct buf *out);
void api__respond_error(struct net_request *req, enum api_error type, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The kind of error that a failed read or query is. */
enum api_error api__error_of(int err);

/* `{"status":"success","data":` ... `}` around what is written between; for small answers. */
void api__begin(struct codec_json_writer *w, struct buf *out);
void api__respond(struct net_request *req, struct codec_json_writer *w);

/* key and value as Prometheus' Go spells them: NULL is "", time 0 its zero time. */
void api__put_text(struct codec_json_writer *w, const char *key, const char *value);
void api__put_time(struct codec_json_writer *w, const char *key, int64_t ts_ns);
void api__put_labels(struct codec_json_writer *w, const char *key, struct data_labels labels);
void api__put_duration(struct codec_json_writer *w, const char *key, int64_t ns);

/* Pages and plain answers of the main door. */
void api__ui(struct api_call *call);
void api__respond_json(struct net_request *req, int status, struct slice body);

#define API__DEFAULT_TENANT "default" /* whose data it is that names nobody */
/* X-Scope-OrgID, or "default"; ptr NULL when it is no good: then 400 was answered. */
struct slice api__tenant(struct net_request *req);
/* Same without an answer: false when it is no good. */
bool api__tenant_read(struct net_request *req, struct slice *out);
bool api__tenant_is_good(struct slice id);
#define API__TENANT_RULE                                                                           \
    "X-Scope-OrgID: a tenant has 1 to 150 of the characters a-z A-Z 0-9 ! - _ . * ' ( )"

/* Who asks, with a NUL: a user's or token's name, "admin" when nobody has to say. */
void api__login(struct api_call *call, char *out, size_t out_size);
/* An HTTP door by its name, NULL when there is none; and a request to one of its paths, which are
 * percent-encoded and live as long as the request. */
const struct api_door *api__door(struct slice name);
void api__dispatch_door(struct api *api, const struct api_door *door, struct slice path,
                        struct net_request *req);

/* A page of another site made the browser send this: RFC 6454's Origin, or Fetch Metadata. What is
 * no browser sends neither. */
bool api__is_cross_site(struct net_request *req);

extern const struct api_route api__pharos_routes[];
extern const size_t api__pharos_route_count;

/* pharos.c */
void api__pharos_explain(struct api_call *call);
/* query_multi.c */
void api__pharos_query(struct api_call *call);
void api__pharos_languages(struct api_call *call);
void api__pharos_status(struct api_call *call);

/* ops.c */
void api__healthy(struct api_call *call);
void api__ready(struct api_call *call);
void api__metrics(struct api_call *call);
void api__reload(struct api_call *call);
void api__quit(struct api_call *call);

#endif
