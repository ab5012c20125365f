/* The configuration: one table of keys (config_schema.c) that drives the YAML file, --set, the
 * environment, messages, --help and docs/configuration.md. A loaded configuration is immutable; a
 * reload makes a new one. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "api/auth.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/vec.h"
#include "input/statsd/statsd.h"
#include "pipe/span_metrics.h"
#include "server/doors.h"
#include "text/conf.h"

struct server_door_config {
    const char *listen; /* "host:port", "off", or "" where the door is not built */
    bool insecure;      /* other addresses than loopback without authentication */
    const char *tls_cert_file, *tls_key_file, *tls_client_ca_file;
};

struct server_config {
    struct arena *arena; /* owned: all strings */
    struct text_yaml *root;
    struct slice text; /* of the file */
    const char *file;  /* NULL: none */

    const char *data;
    struct server_door_config doors[SERVER_DOOR_COUNT];
    bool main_listen_set; /* the main port was chosen by the user */
    int doors_all;        /* 0 on, 1 off */
    const char *graphite_blacklist_file, *graphite_whitelist_file, *graphite_rewrite_file,
        *graphite_aggregation_rules_file, *graphite_relay_file; /* "" = none */
    bool graphite_forward_all;
    int64_t graphite_aggregates, graphite_idle_timeout_ns;

    int64_t retention_metrics_ns, retention_logs_ns, retention_traces_ns, retention_bytes;
    int64_t streams_max, line_bytes_max, field_count_max, field_bytes_max;
    int64_t event_head_bytes_max, wal_bytes_max;
    int durability;
    int64_t flush_interval_ns, head_bytes_max, disk_reserve_bytes;

    int64_t series_max, exemplars_max, label_count_max, label_bytes_max, future_ns;
    int64_t http_header_bytes, http_body_bytes, http_inflated_bytes, http_body_memory,
        http_connections, http_streams, http_idle_timeout_ns;
    int64_t query_samples, query_series, query_memory, query_memory_total, query_points,
        query_cache, query_timeout_ns, query_concurrency, query_queue, query_nesting;
    int64_t regex_effort;
    int64_t log_entries, log_scan_rows, log_scan_bytes, log_tails;

    int promql_experimental, promql_delayed_name_removal;
    int elastic_metrics;
    int64_t lookback_ns;

    int64_t dashboard_bytes_max, dashboard_versions;
    const char *dashboards_path, *dashboards_folder, *dashboards_provisioning; /* "" = none */
    int dashboards_write, dashboards_shipped;                                  /* 0 on, 1 off */

    int host_collect; /* 0 on, 1 off */
    int64_t host_interval_ns;
    int64_t telemetry_interval_ns;
    const struct text_yaml *otlp;
    const char *otlp_cors_origins, *otlp_cors_headers;
    int64_t delta_series, delta_idle_ns;
    const struct text_yaml *outputs;
    const struct text_yaml *scrape_configs, *global, *rule_files, *log_rule_files, *alerting;
    const char *rules_external_url;
    int64_t rules_resend_delay_ns, rules_outage_tolerance_ns, rules_grace_period_ns,
        rules_notification_queue, rules_notification_memory, alerts_max, rule_namespace_bytes,
        rules_concurrency;
    const char *prometheus_config_file;
    int prometheus_admin_api; /* 0 off, 1 on */
    int64_t push_interval_ns;

    const char *statsd_config_file;    /* of the Node daemon; "": none */
    struct input_statsd_config statsd; /* but for `listen`: doors.statsd.listen */

    const char *syslog_zone;

    struct pipe_span_metrics_config span_metrics; /* but for its clock */
    int64_t span_metrics_interval_ns;
    int64_t repeated_spans;
    const char *graphite_schemas_file, *graphite_aggregation_file; /* "" = none */
    int64_t gelf_message_bytes, gelf_chunk_memory, forward_message_bytes, lumberjack_frame_bytes;
    const char *forward_shared_key; /* "" = nobody is asked */

    const struct text_yaml *log_files, *journal;
    int64_t files_open, files_count, files_poll_ns, files_scan_ns;
    bool files_watch;

    int log_level;
    int64_t threads_loops, threads_workers;
    const struct text_yaml *auth_users, *auth_tokens;

    /* What loading noticed that is no error, one a line with its place. */
    VEC(char *) warnings;
};

/* Where settings come from, last one wins: defaults, file, environment, --set. */
struct server_config_source {
    const char *file;        /* NULL: none */
    const char *data;        /* --data, NULL: none */
    const char *const *sets; /* key=value */
    size_t set_count;
    char *const *environment; /* NULL-terminated; NULL = none */
};

/* Reads and checks everything. On error *out is NULL and diag has file, line, what is wrong and
 * what would be right. */
int server_config_load(const struct server_config_source *source, struct server_config **out,
                       struct diag *diag);
/* Same from text in memory (tests, `pharos check`); `name` is for messages. */
int server_config_parse(const char *name, struct slice text,
                        const struct server_config_source *source, struct server_config **out,
                        struct diag *diag);
void server_config_free(struct server_config *config); /* NULL is fine */

/* The auth settings as the doors use them; *out is NULL when nobody is configured. Reads token
 * files. */
int server_config_auth(const struct server_config *config, struct api_auth **out,
                       struct diag *diag);

/* Keys whose value differs and that only take effect after a restart, comma-separated into `out`.
 */
void server_config_restart_keys(const struct server_config *before,
                                const struct server_config *after, struct buf *out);
/* "key: value" lines of every setting in force, secrets masked. */
void server_config_each(const struct server_config *config,
                        void (*each)(void *arg, const char *key, struct slice value), void *arg);
/* The same as YAML, with the file's nodes (scrape_configs) as they were written, secrets masked. */
void server_config_print_yaml(const struct server_config *config, struct buf *out);
/* docs/configuration.md. */
void server_config_print_reference(struct buf *out);
void server_config_print_help(struct buf *out);

/* Whole small file into the arena. */
int server_read_file(const char *path, size_t max, struct arena *arena, struct slice *out,
                     struct diag *diag);

/* The table. */
extern const struct text_conf_field server_config_fields[];
extern const size_t server_config_field_count;

#endif
