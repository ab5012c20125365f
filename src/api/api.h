/* The doors' HTTP endpoints over one store: the Prometheus API, Pharos' own, and the embedded UI.
 *
 * Handlers run on loop threads and only parse and answer; what takes time is a job on the worker
 * pool (api/job.h). What this room cannot know (doors, configuration, scrape targets, counters) it
 * asks its host, the `server` room, through `struct api_host`. */
#ifndef API_API_H
#define API_API_H

#include "alert/notify.h"
#include "alert/rule_store.h"
#include "base/budget.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/task.h"
#include "codec/json_write.h"
#include "net/grpc.h"
#include "net/http_server.h"
#include "pipe/relabel.h"
#include "pipe/sink.h"
#include "store/catalog.h"
#include "store/events.h"
#include "store/source.h"

struct api;
struct api_auth;
struct api_otlp_settings;
struct api__grpc_rest; /* api/grpc_rest.h */
struct graphite_schemas;
struct alert_group;     /* alert/group.h */
struct store_part_view; /* store/store.h */

/* What Elasticsearch's door makes of documents with metricset.name. */
enum api_elastic_metrics { API_ELASTIC_SERIES, API_ELASTIC_LINES, API_ELASTIC_BOTH };

/* May change while running (api_set_limits). */
struct api_limits {
    int64_t query_samples;        /* samples one query may load; 0 = unlimited */
    int64_t query_series;         /* series one selector may touch; 0 = unlimited */
    int64_t query_points;         /* steps of one range query, less one; 0 = unlimited */
    int64_t query_memory_bytes;   /* of one query */
    int64_t queries_memory_bytes; /* of all queries together */
    int64_t query_cache_bytes;    /* of kept answers of range queries; 0 = none are kept */
    int64_t query_timeout_ns;
    int64_t query_concurrency; /* queries running at once; more wait */
    int64_t query_queue;       /* queries waiting; more are refused with 503 */
    int64_t query_nesting;     /* levels of a PromQL expression; 0 = 200 */
    int64_t lookback_ns;
    bool promql_experimental, promql_delayed_name_removal;
    bool admin_api;         /* prometheus.admin_api */
    int64_t log_entries;    /* lines of one answer; 0 = unlimited */
    int64_t log_scan_rows;  /* lines one query may look at; 0 = unlimited */
    int64_t log_scan_bytes; /* as stored, that one may read; 0 = unlimited */
    int64_t log_tails;      /* live tails at once; 0 = unlimited */
    int elastic_metrics;    /* enum api_elastic_metrics */
    /* From the start on: running sums of delta temporality, and when an idle one is forgotten. */
    int64_t delta_series, delta_idle_ns;
};

enum api_door_state { API_DOOR_OPEN, API_DOOR_OFF, API_DOOR_FAILED };

struct api_door_status {
    const char *name, *listen, *detail, *prefix, *speaks;
    enum api_door_state state;
};

struct api_limit_status {
    const char *name, *unit, *help;
    int64_t value, used; /* used < 0: not known */
};

struct api_target {
    struct data_labels discovered, labels;
    struct slice scrape_pool, scrape_url, global_url, last_error, health; /* up, down, unknown */
    int64_t last_scrape_ns, last_duration_ns, interval_ns, timeout_ns;
    bool dropped;
};

struct api_pool {
    struct slice name;
    size_t dropped; /* targets that relabelling dropped */
};

struct api_target_metadata {
    struct data_labels target; /* labels of the target that says so */
    struct data_batch_metadata metadata;
};

/* --- the Pushgateway's paths --- */
enum api_push_action { API_PUSH_REPLACE, API_PUSH_MERGE, API_PUSH_DELETE };

struct api_push_request {
    enum api_push_action action;
    struct slice tenant;
    struct data_labels grouping;
    struct slice content_type, body;
};

struct api_push_series {
    struct data_labels labels;
    double value;
    const struct data_histogram *histogram; /* NULL: a float */
};

struct api_push_family {
    struct slice name, help;
    enum data_metric_type type;
    const struct api_push_series *series;
    size_t series_count;
};

struct api_push_group {
    struct data_labels labels;
    int64_t pushed_ns, failed_ns; /* 0 = never */
    const struct api_push_family *families;
    size_t family_count;
};

/* A data source of Grafana's provisioning files. */
struct api_source_alias {
    char *name, *uid, *type; /* uid: "" = none was said */
    bool is_default;
};

/* The type whose door answers for data sources of this type: itself, or what a plugin of it speaks;
 * NULL: none. */
const char *api_source_type(struct slice type);

/* What the server tells the endpoints. All thread-safe; slices are valid during the callback. */
struct api_host {
    void *ctx;
    void (*doors)(void *ctx, void (*each)(void *arg, const struct api_door_status *d), void *arg);
    void (*limits)(void *ctx, void (*each)(void *arg, const struct api_limit_status *l), void *arg);
    /* The configuration in force, secrets masked, as YAML. */
    void (*config_yaml)(void *ctx, struct buf *out);
    /* key and value of every setting, secrets masked. */
    void (*flags)(void *ctx, void (*each)(void *arg, const char *key, struct slice value),
                  void *arg);
    void (*targets)(void *ctx, void (*each)(void *arg, const struct api_target *t), void *arg);
    void (*scrape_pools)(void *ctx, void (*each)(void *arg, const struct api_pool *p), void *arg);
    /* What the targets being scraped say about their metrics; metric.len 0 = all. */
    void (*target_metadata)(void *ctx, struct slice metric,
                            void (*each)(void *arg, const struct api_target_metadata *m),
                            void *arg);
    /* The relabelling of a pool's targets, rule by rule; ERR_NOT_FOUND. */
    int (*relabel_rules)(void *ctx, struct slice pool,
                         void (*each)(void *arg, const struct pipe_relabel_rule *rule), void *arg);
    /* The pool's entry of scrape_configs, secrets masked; ERR_NOT_FOUND. */
    int (*pool_yaml)(void *ctx, struct slice pool, struct buf *out);
    /* What is known of StatsD's names and refusals, as one JSON object; false: not received. */
    bool (*statsd)(void *ctx, struct codec_json_writer *w);
    /* The outputs as an array, into a writer. */
    void (*outputs)(void *ctx, struct codec_json_writer *w);
    bool (*carbon)(void *ctx, struct codec_json_writer *w); /* the same of carbon's ports */
    /* global.external_labels, in `arena`. */
    struct data_labels (*external_labels)(void *ctx, struct arena *arena);
    /* Groups of rules by file and name; their state stands still during the callback. */
    void (*rule_groups)(void *ctx, void (*each)(void *arg, const struct alert_group *g), void *arg);
    /* Rule groups given over HTTP (alert/rule_store.h), in force when they return; block. */
    int (*rule_list)(void *ctx, const struct alert_rule_place *place, struct buf *out,
                     struct diag *diag);
    int (*rule_put)(void *ctx, const struct alert_rule_place *place, const struct text_yaml *group,
                    struct diag *diag);
    int (*rule_delete)(void *ctx, const struct alert_rule_place *place, struct diag *diag);
    /* Alertmanagers in use, and those that relabelling dropped. */
    void (*alertmanagers)(void *ctx, alert_peer_fn each, void *arg);
    /* Changes a group of pushed metrics; blocks. ERR_INVALID: the push is bad. */
    int (*push)(void *ctx, const struct api_push_request *req, struct diag *diag);
    int (*push_wipe)(void *ctx, struct slice tenant, struct diag *diag);
    void (*push_groups)(void *ctx, struct slice tenant,
                        void (*each)(void *arg, const struct api_push_group *g), void *arg);
    /* store_delete_metrics of the store; blocks. */
    int (*delete_metrics)(void *ctx, const struct store_select_req *req, struct diag *diag);
    /* store_delete_events of the store's log lines; blocks. May be NULL. */
    int (*delete_logs)(void *ctx, const struct store_event_scan *what, uint64_t *out_rows,
                       struct diag *diag);
    /* store_parts of the store. */
    size_t (*parts)(void *ctx, struct arena *arena, struct store_part_view **out);
    /* store_snapshot of the store; blocks. */
    int (*snapshot)(void *ctx, bool with_head, char *out_name, size_t out_size, struct diag *diag);
    /* A dashboard is about to be saved (before NULL: new) or deleted (after NULL), as
     * store_dashboard_hook; may be NULL. */
    int (*dashboard_changes)(void *ctx, const struct store_dashboard *before,
                             struct store_dashboard *after, struct diag *diag);
    /* Other names of Pharos' doors as data sources; they live as long as the host. May be NULL. */
    size_t (*source_aliases)(void *ctx, const struct api_source_alias **out);
    /* Text exposition of the counters about Pharos itself. */
    void (*metrics)(void *ctx, struct buf *out);
    /* Reads the configuration again; blocks. */
    int (*reload)(void *ctx, struct diag *diag);
    /* How many bytes of the log are read at the start; both 0 before that is known. */
    void (*load_progress)(void *ctx, uint64_t *out_done, uint64_t *out_total);
    /* 0, or why the store takes nothing at the moment. */
    int (*health)(void *ctx, struct diag *diag);
    int64_t (*now_ns)(void *ctx);
    int64_t started_ns, retention_ns;
    const char *version, *revision, *build_date, *hostname, *data_dir, *cwd;
    _Atomic bool reload_ok;
    _Atomic int64_t reload_ns, reload_failed_ns;
};

struct api_config {
    struct store_source *source;
    struct store_event_source *spans;
    struct store_event_source *logs; /* may be NULL */
    struct pipe_sink *sink;
    struct task_pool *pool;
    struct store_catalog *catalog; /* NULL: could not be opened; outlives the api */
    struct api_host *host;         /* outlives the api */
    struct api_limits limits;
};

struct api *api_new(const struct api_config *config);
/* New requests see the new limits; running queries keep theirs. Thread-safe. */
void api_set_limits(struct api *api, const struct api_limits *limits);
/* Takes ownership; NULL = nobody has to authenticate. Thread-safe. */
void api_set_auth(struct api *api, struct api_auth *auth);
/* Takes the reference (api/otlp/settings.h). Thread-safe. */
void api_set_otlp(struct api *api, struct api_otlp_settings *settings);
/* Retention rules of Graphite's paths (lang/graphite), NULL = none; takes the reference.
 * Thread-safe. */
void api_set_graphite(struct api *api, struct graphite_schemas *schemas);
/* Until true, data endpoints answer 503. Thread-safe. */
void api_set_ready(struct api *api, bool ready);
/* Queries running now, and the bytes that all of them hold. Thread-safe. */
int64_t api_queries_running(struct api *api);
int64_t api_queries_memory(struct api *api);
/* What all queries together are charged to (limits.query.memory_total), for those that are run by
 * somebody else. Lives as long as the api. */
struct budget *api_queries_budget(struct api *api);
/* Of the answers that are kept. Thread-safe. */
int64_t api_query_cache_bytes(struct api *api);
/* Cancels running queries; new ones are refused. For the drain at the end. */
void api_cancel_all(struct api *api);
/* After all servers stopped. */
void api_free(struct api *api);

/* --- doors --- */
/* An HTTP door as the server mounts it. */
struct api_door {
    const char *name;
    const struct api_route *routes;
    size_t route_count;
    const struct net_grpc_method *grpc; /* gRPC methods; their ctx is the struct api_mount */
    size_t grpc_count;
    const struct api__grpc_rest *rest; /* those of them that endpoints answer */
    size_t rest_count;
    bool cors; /* answers cross-origin requests as Prometheus does */
    /* Its paths begin with /NAME/api/v1/ themselves: the main door takes them without the prefix.
     */
    bool paths_say_name;
    /* May set headers of whatever the door answers to any request; may be NULL. */
    void (*prepare)(struct api *api, struct net_request *req);
    /* How the door words an error; NULL: as Prometheus does (or plain text for 401). */
    void (*refuse)(struct net_request *req, int status, const char *message);
};
extern const struct api_door api_door_prometheus;
extern const struct api_door api_door_otlp;
extern const struct api_door api_door_loki;
extern const struct api_door api_door_graphite;
extern const struct api_door api_door_elastic;
extern const struct api_door api_door_tempo;
extern const struct api_door api_door_jaeger;
extern const struct api_door api_door_zipkin;

/* One listener: `door` at the root of its own port, or the main door (NULL), which has the UI,
 * Pharos' own API and every HTTP door under its prefix. Lives as long as its server. */
struct api_mount {
    struct api *api;
    const struct api_door *door;
    _Atomic bool insecure; /* no authentication even when users are configured */
};
/* The handler for net_http_config; ctx is a struct api_mount. */
void api_handle(struct net_request *req, void *ctx);

#endif
