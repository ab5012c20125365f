/* Every key of the configuration. Order is that of the reference. */
#include "base/log.h"
#include "server/config.h"

#define AT(member) offsetof(struct server_config, member)
#define DOOR_AT(id, member)                                                                        \
    (offsetof(struct server_config, doors) + (id) * sizeof(struct server_door_config) +            \
     offsetof(struct server_door_config, member))

static const char *const on_off[] = {"on", "off", NULL};
static const char *const off_on[] = {"off", "on", NULL};
static const char *const durabilities[] = {"group", "os", NULL};
static const char *const elastic_metrics[] = {"series", "lines", "both", NULL};
static const char *const statsd_parsers[] = {"strict", "node", NULL};
static const char *const statsd_names[] = {"labels", "graphite", "both", NULL};
static const char *const statsd_deletes[] = {"auto", "on", "off", NULL};
static const char *const statsd_gauge_signs[] = {"delta", "absolute", NULL};
static const char *const span_names[] = {"tempo", "otel", "both", NULL};
static const char *const span_histograms[] = {"classic", "native", "both", NULL};
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

/* clang-format off */
#define OPEN_DOOR(id, key, address)                                                                \
    {key ".listen", TEXT_CONF_STRING, DOOR_AT(id, listen), address, 0, 0, NULL,                     \
     "address as host:port, or off; another address than loopback demands auth.* or insecure",     \
     false, false},                                                                                \
    {key ".insecure", TEXT_CONF_BOOL, DOOR_AT(id, insecure), "false", 0, 0, NULL,                   \
     "this door asks nobody for a password, whatever its address", true, false},                   \
    {key ".tls.cert_file", TEXT_CONF_STRING, DOOR_AT(id, tls_cert_file), "", 0, 0, NULL,            \
     "certificate chain in PEM; with key_file the door speaks TLS only. Read again on reload",     \
     false, false},                                                                                \
    {key ".tls.key_file", TEXT_CONF_STRING, DOOR_AT(id, tls_key_file), "", 0, 0, NULL,              \
     "private key in PEM", false, false},                                                          \
    {key ".tls.client_ca_file", TEXT_CONF_STRING, DOOR_AT(id, tls_client_ca_file), "", 0, 0, NULL,  \
     "clients must show a certificate signed by one of these", false, false}
#define RAW_DOOR(id, key, address)                                                                 \
    {key ".listen", TEXT_CONF_STRING, DOOR_AT(id, listen), address, 0, 0, NULL,                     \
     "address as host:port, for TCP (and UDP where the protocol has it), or off; another address than loopback demands insecure", \
     false, false},                                                                                \
    {key ".insecure", TEXT_CONF_BOOL, DOOR_AT(id, insecure), "false", 0, 0, NULL,                   \
     "the door may be reached from other machines: its protocol knows no passwords", true, false}
#define PLANNED_DOOR(id, name)                                                                     \
    {"doors." name ".listen", TEXT_CONF_STRING, DOOR_AT(id, listen), "", 0, 0, NULL,                \
     "not built yet; stays closed", false, false}

const struct text_conf_field server_config_fields[] = {
    {"data", TEXT_CONF_STRING, AT(data), "data", 0, 0, NULL, "directory of everything that is stored", false, false},
    OPEN_DOOR(SERVER_DOOR_MAIN, "main", "127.0.0.1:3000"),
    {"doors.all", TEXT_CONF_CHOICE, AT(doors_all), "on", 0, 0, on_off, "off: only the main door listens; the others answer under their prefix there", false, false},
    OPEN_DOOR(SERVER_DOOR_PROMETHEUS, "doors.prometheus", "127.0.0.1:9090"),
    PLANNED_DOOR(SERVER_DOOR_ALERTMANAGER, "alertmanager"),
    OPEN_DOOR(SERVER_DOOR_LOKI, "doors.loki", "127.0.0.1:3100"),
    OPEN_DOOR(SERVER_DOOR_TEMPO, "doors.tempo", "127.0.0.1:3200"),
    OPEN_DOOR(SERVER_DOOR_OTLP, "doors.otlp", "127.0.0.1:4318"),
    {"doors.otlp.cors_origins", TEXT_CONF_STRING, AT(otlp_cors_origins), "", 0, 0, NULL, "origins whose pages may send OTLP from a browser, comma-separated: https://shop.example, https://*.example or *; none by default", true, false},
    {"doors.otlp.cors_headers", TEXT_CONF_STRING, AT(otlp_cors_headers), "", 0, 0, NULL, "headers that they may send, comma-separated; empty: whatever they ask for", true, false},
    OPEN_DOOR(SERVER_DOOR_OTLP_GRPC, "doors.otlp_grpc", "127.0.0.1:4317"),
    OPEN_DOOR(SERVER_DOOR_JAEGER, "doors.jaeger", "127.0.0.1:16686"),
    OPEN_DOOR(SERVER_DOOR_JAEGER_GRPC, "doors.jaeger_grpc", "127.0.0.1:16685"),
    OPEN_DOOR(SERVER_DOOR_JAEGER_COLLECTOR, "doors.jaeger_collector", "127.0.0.1:14268"),
    OPEN_DOOR(SERVER_DOOR_JAEGER_COLLECTOR_GRPC, "doors.jaeger_collector_grpc", "127.0.0.1:14250"),
    RAW_DOOR(SERVER_DOOR_JAEGER_COMPACT, "doors.jaeger_compact", "127.0.0.1:6831"),
    RAW_DOOR(SERVER_DOOR_JAEGER_BINARY, "doors.jaeger_binary", "127.0.0.1:6832"),
    OPEN_DOOR(SERVER_DOOR_ZIPKIN, "doors.zipkin", "127.0.0.1:9411"),
    PLANNED_DOOR(SERVER_DOOR_INFLUXDB, "influxdb"),
    RAW_DOOR(SERVER_DOOR_STATSD, "doors.statsd", "127.0.0.1:8125"),
    RAW_DOOR(SERVER_DOOR_GRAPHITE, "doors.graphite", "127.0.0.1:2003"),
    RAW_DOOR(SERVER_DOOR_GRAPHITE_PICKLE, "doors.graphite_pickle", "127.0.0.1:2004"),
    RAW_DOOR(SERVER_DOOR_GRAPHITE_PROTOBUF, "doors.graphite_protobuf", "off"),
    OPEN_DOOR(SERVER_DOOR_GRAPHITE_HTTP, "doors.graphite_http", "127.0.0.1:8080"),
    OPEN_DOOR(SERVER_DOOR_ELASTIC, "doors.elastic", "127.0.0.1:9200"),
    RAW_DOOR(SERVER_DOOR_SYSLOG, "doors.syslog", "127.0.0.1:1514"),
    {"doors.syslog.tls.cert_file", TEXT_CONF_STRING, DOOR_AT(SERVER_DOOR_SYSLOG, tls_cert_file), "", 0, 0, NULL, "certificate chain in PEM; with key_file TCP speaks TLS only, UDP goes on as it is", false, false},
    {"doors.syslog.tls.key_file", TEXT_CONF_STRING, DOOR_AT(SERVER_DOOR_SYSLOG, tls_key_file), "", 0, 0, NULL, "private key in PEM", false, false},
    {"doors.syslog.tls.client_ca_file", TEXT_CONF_STRING, DOOR_AT(SERVER_DOOR_SYSLOG, tls_client_ca_file), "", 0, 0, NULL, "clients must show a certificate signed by one of these", false, false},
    RAW_DOOR(SERVER_DOOR_GELF, "doors.gelf", "127.0.0.1:12201"),
    {"doors.gelf.tls.cert_file", TEXT_CONF_STRING, DOOR_AT(SERVER_DOOR_GELF, tls_cert_file), "", 0, 0, NULL, "certificate chain in PEM; with key_file TCP speaks TLS only", false, false},
    {"doors.gelf.tls.key_file", TEXT_CONF_STRING, DOOR_AT(SERVER_DOOR_GELF, tls_key_file), "", 0, 0, NULL, "private key in PEM", false, false},
    {"doors.gelf.tls.client_ca_file", TEXT_CONF_STRING, DOOR_AT(SERVER_DOOR_GELF, tls_client_ca_file), "", 0, 0, NULL, "clients must show a certificate signed by one of these", false, false},
    RAW_DOOR(SERVER_DOOR_FORWARD, "doors.forward", "127.0.0.1:24224"),
    {"doors.forward.tls.cert_file", TEXT_CONF_STRING, DOOR_AT(SERVER_DOOR_FORWARD, tls_cert_file), "", 0, 0, NULL, "certificate chain in PEM; with key_file TCP speaks TLS only", false, false},
    {"doors.forward.tls.key_file", TEXT_CONF_STRING, DOOR_AT(SERVER_DOOR_FORWARD, tls_key_file), "", 0, 0, NULL, "private key in PEM", false, false},
    {"doors.forward.tls.client_ca_file", TEXT_CONF_STRING, DOOR_AT(SERVER_DOOR_FORWARD, tls_client_ca_file), "", 0, 0, NULL, "clients must show a certificate signed by one of these", false, false},
    RAW_DOOR(SERVER_DOOR_LUMBERJACK, "doors.lumberjack", "127.0.0.1:5044"),
    {"doors.lumberjack.tls.cert_file", TEXT_CONF_STRING, DOOR_AT(SERVER_DOOR_LUMBERJACK, tls_cert_file), "", 0, 0, NULL, "certificate chain in PEM; with key_file TCP speaks TLS only", false, false},
    {"doors.lumberjack.tls.key_file", TEXT_CONF_STRING, DOOR_AT(SERVER_DOOR_LUMBERJACK, tls_key_file), "", 0, 0, NULL, "private key in PEM", false, false},
    {"doors.lumberjack.tls.client_ca_file", TEXT_CONF_STRING, DOOR_AT(SERVER_DOOR_LUMBERJACK, tls_client_ca_file), "", 0, 0, NULL, "clients must show a certificate signed by one of these", false, false},
    {"syslog.zone", TEXT_CONF_STRING, AT(syslog_zone), "local", 0, 0, NULL, "the zone of syslog times that name none (RFC 3164): local, UTC or an offset like +02:00", false, false},
    {"graphite.blacklist_file", TEXT_CONF_STRING, AT(graphite_blacklist_file), "", 0, 0, NULL, "carbon's blacklist.conf: names that one of its regular expressions matches are refused", true, false},
    {"graphite.whitelist_file", TEXT_CONF_STRING, AT(graphite_whitelist_file), "", 0, 0, NULL, "carbon's whitelist.conf: names that none of them matches are refused", true, false},
    {"graphite.rewrite_rules_file", TEXT_CONF_STRING, AT(graphite_rewrite_file), "", 0, 0, NULL, "carbon's rewrite-rules.conf: changes names before and after aggregation", true, false},
    {"graphite.aggregation_rules_file", TEXT_CONF_STRING, AT(graphite_aggregation_rules_file), "", 0, 0, NULL, "carbon's aggregation-rules.conf: points of several names become one", true, false},
    {"graphite.relay_rules_file", TEXT_CONF_STRING, AT(graphite_relay_file), "", 0, 0, NULL, "carbon's relay-rules.conf: which of what comes in through carbon's ports goes on to which other carbon daemons, as pickles; everything is stored here too", true, false},
    {"graphite.forward_all", TEXT_CONF_BOOL, AT(graphite_forward_all), "true", 0, 0, NULL, "with aggregation rules: what comes in is stored too, and not only what they make (FORWARD_ALL)", true, false},
    {"graphite.schemas_file", TEXT_CONF_STRING, AT(graphite_schemas_file), "", 0, 0, NULL, "carbon's storage-schemas.conf: the steps of paths and how far back they are shown; none: the steps are those of the data", true, false},
    {"graphite.aggregation_file", TEXT_CONF_STRING, AT(graphite_aggregation_file), "", 0, 0, NULL, "carbon's storage-aggregation.conf: how finer points become coarser ones", true, false},

    {"forward.shared_key", TEXT_CONF_STRING, AT(forward_shared_key), "", 0, 0, NULL, "senders of Fluentd's forward protocol prove that they know it; none: nobody is asked", false, true},
    {"inputs.journal", TEXT_CONF_NODE, AT(journal), NULL, 0, 0, NULL, "systemd's journal: true, or a map of directory, units, max_age, labels. docs/logs-in.md has them", true, false},
    {"inputs.files", TEXT_CONF_NODE, AT(log_files), NULL, 0, 0, NULL, "log files to follow: a list of globs with how to read them. docs/logs-in.md has the keys", true, false},
    {"files.watch", TEXT_CONF_BOOL, AT(files_watch), "true", 0, 0, NULL, "let the kernel tell of changes to log files (inotify); off: they are polled, as network file systems need it", false, false},
    {"files.poll_interval", TEXT_CONF_DURATION, AT(files_poll_ns), "1s", 10 * NS_PER_MS, 3600 * NS_PER_SEC, NULL, "how often log files are looked at that the kernel does not tell of", false, false},
    {"files.scan_interval", TEXT_CONF_DURATION, AT(files_scan_ns), "10s", 100 * NS_PER_MS, 3600 * NS_PER_SEC, NULL, "how often the globs of inputs.files are looked through, beside what the kernel tells", false, false},

    {"auth.users", TEXT_CONF_NODE, AT(auth_users), NULL, 0, 0, NULL, "users for HTTP basic authentication: a map of name to password hash (`pharos password` makes one), or to `{hash_file: path}`. Once there is a user or a token, every HTTP door asks", true, true},
    {"auth.tokens", TEXT_CONF_NODE, AT(auth_tokens), NULL, 0, 0, NULL, "bearer tokens: a map of name to token, or to `{file: path}`; at least 16 characters", true, true},

    {"retention.metrics", TEXT_CONF_DURATION, AT(retention_metrics_ns), "90d", NS_PER_SEC * 3600, INT64_MAX, NULL, "samples older than this are dropped, and refused when they arrive; `forever` keeps and takes everything", false, false},
    {"retention.logs", TEXT_CONF_DURATION, AT(retention_logs_ns), "30d", NS_PER_SEC * 3600, INT64_MAX, NULL, "log lines older than this are dropped, and refused when they arrive; `forever` keeps and takes everything", false, false},
    {"retention.traces", TEXT_CONF_DURATION, AT(retention_traces_ns), "14d", NS_PER_SEC * 3600, INT64_MAX, NULL, "the same for spans", false, false},
    {"retention.size", TEXT_CONF_SIZE, AT(retention_bytes), "0", 0, 0, NULL, "the oldest days go when the store is larger; 0 = no limit", false, false},

    {"store.durability", TEXT_CONF_CHOICE, AT(durability), "group", 0, 0, durabilities, "when a write is acknowledged: `group` after it is on the disk (survives power loss), `os` after the kernel has it (survives kill -9)", false, false},
    {"store.flush_interval", TEXT_CONF_DURATION, AT(flush_interval_ns), "10m", NS_PER_SEC, 24 * 3600 * NS_PER_SEC, NULL, "how often memory is written out as a part", false, false},
    {"store.head_memory", TEXT_CONF_SIZE, AT(head_bytes_max), "512MiB", 1 << 20, INT64_MAX, NULL, "memory is written out earlier beyond this", false, false},
    {"store.event_memory", TEXT_CONF_SIZE, AT(event_head_bytes_max), "128MiB", 1 << 20, INT64_MAX, NULL, "log lines, and spans, in memory are written out earlier beyond this", false, false},
    {"store.log_size", TEXT_CONF_SIZE, AT(wal_bytes_max), "1GiB", 1 << 20, INT64_MAX, NULL, "everything in memory is written out when the write-ahead log is larger", false, false},
    {"store.disk_reserve", TEXT_CONF_SIZE, AT(disk_reserve_bytes), "256MiB", 0, 0, NULL, "writes are refused with 503 while less is free; reads go on, and writes again when there is space", false, false},

    {"limits.series", TEXT_CONF_INT, AT(series_max), "5000000", 1, INT64_MAX, NULL, "active series; samples of new ones beyond are refused, the others go on", false, false},
    {"limits.streams", TEXT_CONF_INT, AT(streams_max), "1000000", 1, INT64_MAX, NULL, "streams with log lines, or spans, in memory; rows of new ones beyond are refused, the others go on", false, false},
    {"limits.line_size", TEXT_CONF_SIZE, AT(line_bytes_max), "256KiB", 1, 64 << 20, NULL, "longer log lines are refused", false, false},
    {"limits.fields", TEXT_CONF_INT, AT(field_count_max), "512", 1, 100000, NULL, "fields of a log line or span; rows with more are refused", false, false},
    {"limits.field_size", TEXT_CONF_SIZE, AT(field_bytes_max), "256KiB", 1, 64 << 20, NULL, "rows with a longer field value are refused", false, false},
    {"limits.gelf.message_size", TEXT_CONF_SIZE, AT(gelf_message_bytes), "2MiB", 1024, 1 << 30, NULL, "of a GELF message, also when decompressed; larger ones are refused", false, false},
    {"limits.gelf.chunk_memory", TEXT_CONF_SIZE, AT(gelf_chunk_memory), "64MiB", 65536, INT64_MAX, NULL, "GELF messages whose chunks have not all come; the oldest give way", false, false},
    {"limits.forward.message_size", TEXT_CONF_SIZE, AT(forward_message_bytes), "32MiB", 1024, 1 << 30, NULL, "of a message of Fluentd's forward protocol, also when decompressed; a larger one ends its connection", false, false},
    {"limits.lumberjack.frame_size", TEXT_CONF_SIZE, AT(lumberjack_frame_bytes), "32MiB", 1024, 1 << 30, NULL, "of a frame of Lumberjack, also when decompressed; a larger one ends its connection", false, false},
    {"limits.files.open", TEXT_CONF_INT, AT(files_open), "512", 4, 1000000, NULL, "log files open at once; those read longest ago are closed and opened again", false, false},
    {"limits.files.count", TEXT_CONF_INT, AT(files_count), "100000", 1, 10000000, NULL, "log files followed; more are not read", false, false},
    {"limits.exemplars", TEXT_CONF_INT, AT(exemplars_max), "100000", 0, INT64_MAX, NULL, "exemplars in memory before they are written out; the oldest give way; 0 = keep none", false, false},
    {"limits.label_count", TEXT_CONF_INT, AT(label_count_max), "64", 1, 1000, NULL, "labels of one series", false, false},
    {"limits.label_bytes", TEXT_CONF_SIZE, AT(label_bytes_max), "16KiB", 16, 1 << 20, NULL, "bytes of one label name or value", false, false},
    {"limits.regex_effort", TEXT_CONF_INT, AT(regex_effort), "1000000", 1000, 1000000000, NULL, "steps back that matching one text with a regular expression may take; a query, scrape or template that needs more ends with an error", true, false},
    {"limits.future", TEXT_CONF_DURATION, AT(future_ns), "10m", 0, INT64_MAX, NULL, "how far ahead of this machine's clock a sample may be", false, false},
    {"limits.dashboards.bytes", TEXT_CONF_SIZE, AT(dashboard_bytes_max), "8MiB", 1024, 1 << 30, NULL, "of one dashboard, snapshot or annotation; larger ones are answered 413", true, false},
    {"limits.statsd.names", TEXT_CONF_INT, AT(statsd.names_max), "1000000", 1, INT64_MAX, NULL, "names with their tags and type; samples of new ones beyond are refused, the others go on", false, false},
    {"limits.statsd.line_size", TEXT_CONF_SIZE, AT(statsd.line_bytes_max), "4KiB", 16, 65535, NULL, "of a name with its tags; longer ones are refused", false, false},
    {"limits.statsd.idle_timeout", TEXT_CONF_DURATION, AT(statsd.idle_timeout_ns), "1d", 0, INT64_MAX, NULL, "a TCP or Unix connection without a byte for this long is closed; 0: never", false, false},
    {"limits.statsd.memory", TEXT_CONF_SIZE, AT(statsd.memory_max), "256MiB", 1 << 16, INT64_MAX, NULL, "values of timers and members of sets that wait for a flush; more are refused", false, false},
    {"limits.repeated_spans", TEXT_CONF_INT, AT(repeated_spans), "1000000", 0, 100000000, NULL, "spans remembered, so that one that is sent again unchanged is neither stored nor counted twice; 0 = none", false, false},
    {"limits.span_metrics.series", TEXT_CONF_INT, AT(span_metrics.series_max), "500000", 1, INT64_MAX, NULL, "series made from spans, service graph included; what new ones would count is counted in one series with the label metric_overflow", false, false},
    {"limits.service_graph.edges", TEXT_CONF_INT, AT(span_metrics.edges_max), "100000", 1, INT64_MAX, NULL, "calls of which only one side's span is there; the oldest give way", false, false},
    {"limits.graphite.idle_timeout", TEXT_CONF_DURATION, AT(graphite_idle_timeout_ns), "1d", 0, INT64_MAX, NULL, "a connection of carbon's ports without a byte for this long is closed; 0: never", false, false},
    {"limits.graphite.aggregates", TEXT_CONF_INT, AT(graphite_aggregates), "100000", 1, INT64_MAX, NULL, "names that carbon's aggregation rules make at a time; points for more are left out of aggregation, and counted", false, false},
    {"limits.otlp.delta_series", TEXT_CONF_INT, AT(delta_series), "1000000", 1, INT64_MAX, NULL, "series of delta temporality whose running sums are in memory; new ones beyond are refused", false, false},
    {"limits.otlp.delta_idle", TEXT_CONF_DURATION, AT(delta_idle_ns), "1h", NS_PER_SEC, 30 * 24 * 3600 * NS_PER_SEC, NULL, "a running sum that nothing is added to for this long leaves memory; also how far back one is looked for in the store", false, false},
    {"limits.logs.entries", TEXT_CONF_INT, AT(log_entries), "100000", 0, INT64_MAX, NULL, "lines that one log query may ask for; 0 = no limit", true, false},
    {"limits.logs.scan_rows", TEXT_CONF_INT, AT(log_scan_rows), "0", 0, INT64_MAX, NULL, "lines that one log query may look at; 0 = no limit but its time and memory", true, false},
    {"limits.logs.scan_bytes", TEXT_CONF_SIZE, AT(log_scan_bytes), "0", 0, INT64_MAX, NULL, "bytes, as stored, that one log query may read; 0 = no limit but its time and memory", true, false},
    {"limits.logs.tails", TEXT_CONF_INT, AT(log_tails), "100", 0, INT64_MAX, NULL, "live tails at once; more are answered 429; 0 = no limit", true, false},
    {"limits.http.header_bytes", TEXT_CONF_SIZE, AT(http_header_bytes), "64KiB", 1024, 16 << 20, NULL, "request line and headers; more is answered 431", false, false},
    {"limits.http.body_bytes", TEXT_CONF_SIZE, AT(http_body_bytes), "64MiB", 1024, INT64_MAX, NULL, "a request's body as sent; more is answered 413", false, false},
    {"limits.http.inflated_bytes", TEXT_CONF_SIZE, AT(http_inflated_bytes), "256MiB", 1024, INT64_MAX, NULL, "a request's body decompressed; more is answered 413", false, false},
    {"limits.http.body_memory", TEXT_CONF_SIZE, AT(http_body_memory), "1GiB", 1 << 20, INT64_MAX, NULL, "all bodies in memory together; more is answered 503", false, false},
    {"limits.http.connections", TEXT_CONF_INT, AT(http_connections), "20000", 1, INT64_MAX, NULL, "connections of one door; more are answered 503", false, false},
    {"limits.http.streams", TEXT_CONF_INT, AT(http_streams), "250", 1, INT32_MAX, NULL, "requests of one HTTP/2 connection at once; more are refused, to be sent again", false, false},
    {"limits.http.idle_timeout", TEXT_CONF_DURATION, AT(http_idle_timeout_ns), "2m", NS_PER_SEC, INT64_MAX, NULL, "how long a connection may rest between requests", false, false},
    {"limits.query.samples", TEXT_CONF_INT, AT(query_samples), "50000000", 0, 0, NULL, "samples one query may hold at once; 0 = no limit", true, false},
    {"limits.query.series", TEXT_CONF_INT, AT(query_series), "1000000", 0, 0, NULL, "series one selector may touch; 0 = no limit", true, false},
    {"limits.query.points", TEXT_CONF_INT, AT(query_points), "11000", 0, 0, NULL, "steps of one range query, as Prometheus has it; 0 = no limit", true, false},
    {"limits.query.memory", TEXT_CONF_SIZE, AT(query_memory), "512MiB", 1 << 20, INT64_MAX, NULL, "memory of one query", true, false},
    {"limits.query.memory_total", TEXT_CONF_SIZE, AT(query_memory_total), "2GiB", 1 << 20, INT64_MAX, NULL, "memory of all queries together", false, false},
    {"limits.query.cache", TEXT_CONF_SIZE, AT(query_cache), "64MiB", 0, INT64_MAX, NULL, "answers of range queries kept to be gone on with; 0 = none", true, false},
    {"limits.query.timeout", TEXT_CONF_DURATION, AT(query_timeout_ns), "2m", NS_PER_MS, INT64_MAX, NULL, "a query that takes longer ends; clients may ask for less", true, false},
    {"limits.query.concurrency", TEXT_CONF_INT, AT(query_concurrency), "20", 1, 10000, NULL, "queries running at once; more wait", true, false},
    {"limits.query.nesting", TEXT_CONF_INT, AT(query_nesting), "200", 10, 300, NULL, "levels of a PromQL expression; five times as many operators may stand in one chain", true, false},
    {"limits.query.queue", TEXT_CONF_INT, AT(query_queue), "1000", 0, 1000000, NULL, "queries waiting; more are answered 503", true, false},

    {"limits.alerts", TEXT_CONF_INT, AT(alerts_max), "100000", 0, 0, NULL, "alerts of one rule at a time; a rule with more fails; 0 = no limit", true, false},
    {"limits.rules.namespace", TEXT_CONF_SIZE, AT(rule_namespace_bytes), "4MiB", 1024, INT64_MAX, NULL, "rule groups of one namespace, of those given over HTTP", true, false},

    {"elastic.metrics", TEXT_CONF_CHOICE, AT(elastic_metrics), "series", 0, 0, elastic_metrics, "what Beats' documents of measurements (metricset.name) become: `series`, log `lines`, or `both`", true, false},
    {"promql.experimental", TEXT_CONF_CHOICE, AT(promql_experimental), "off", 0, 0, off_on, "functions and modifiers that Prometheus calls experimental", true, false},
    {"promql.delayed_name_removal", TEXT_CONF_CHOICE, AT(promql_delayed_name_removal), "off", 0, 0, off_on, "Prometheus' feature flag promql-delayed-name-removal", true, false},
    {"promql.lookback", TEXT_CONF_DURATION, AT(lookback_ns), "5m", NS_PER_MS, INT64_MAX, NULL, "how far back a sample still counts as current", true, false},

    {"dashboards.path", TEXT_CONF_STRING, AT(dashboards_path), "", 0, 0, NULL, "a folder of dashboards as JSON files; its subfolders are folders, changes appear within seconds", false, false},
    {"dashboards.write", TEXT_CONF_CHOICE, AT(dashboards_write), "on", 0, 0, on_off, "what is saved or deleted in the UI is written to dashboards.path; off: its dashboards are read-only", false, false},
    {"dashboards.folder", TEXT_CONF_STRING, AT(dashboards_folder), "", 0, 0, NULL, "title of the folder that dashboards.path is shown as; none: the root", false, false},
    {"dashboards.provisioning", TEXT_CONF_STRING, AT(dashboards_provisioning), "", 0, 0, NULL, "Grafana's provisioning folder: the providers of its dashboards/*.yaml are followed", false, false},
    {"dashboards.shipped", TEXT_CONF_CHOICE, AT(dashboards_shipped), "on", 0, 0, on_off, "the dashboards that come with Pharos, each once its metrics exist", false, false},
    {"dashboards.versions", TEXT_CONF_INT, AT(dashboard_versions), "20", 1, 10000, NULL, "versions kept of each dashboard", true, false},

    {"host.collect", TEXT_CONF_CHOICE, AT(host_collect), "on", 0, 0, on_off, "watch this machine's CPU, memory, disks, network and processes", false, false},
    {"host.interval", TEXT_CONF_DURATION, AT(host_interval_ns), "10s", NS_PER_SEC, 3600 * NS_PER_SEC, NULL, "how often", true, false},
    {"telemetry.interval", TEXT_CONF_DURATION, AT(telemetry_interval_ns), "15s", NS_PER_SEC, 3600 * NS_PER_SEC, NULL, "how often Pharos stores its own counters (job=\"pharos\")", false, false},

    {"prometheus.config_file", TEXT_CONF_STRING, AT(prometheus_config_file), "", 0, 0, NULL, "a prometheus.yml whose scrape_configs are used", true, false},
    {"prometheus.admin_api", TEXT_CONF_CHOICE, AT(prometheus_admin_api), "off", 0, 0, off_on, "the endpoints of /api/v1/admin/tsdb that delete data, as Prometheus' --web.enable-admin-api", true, false},
    {"prometheus.push_interval", TEXT_CONF_DURATION, AT(push_interval_ns), "15s", NS_PER_SEC, 3600 * NS_PER_SEC, NULL, "how often metrics pushed to the Pushgateway's paths (/metrics/job/...) are stored again, until they are deleted", true, false},
    {"global", TEXT_CONF_NODE, AT(global), NULL, 0, 0, NULL, "Prometheus' section global, for scrape_configs below", true, false},
    {"scrape_configs", TEXT_CONF_NODE, AT(scrape_configs), NULL, 0, 0, NULL, "what to scrape, as in prometheus.yml", true, false},

    {"otlp", TEXT_CONF_NODE, AT(otlp), NULL, 0, 0, NULL, "how OpenTelemetry's metrics are named, as Prometheus' section otlp; without it that of prometheus.config_file holds. docs/otlp.md has the keys", true, false},
    {"rule_files", TEXT_CONF_NODE, AT(rule_files), NULL, 0, 0, NULL, "files of recording and alerting rules, as in prometheus.yml: a list of paths, relative ones from this file, a `*` in the last part", true, false},
    {"log_rule_files", TEXT_CONF_NODE, AT(log_rule_files), NULL, 0, 0, NULL, "files of rules whose expressions are LogQL, as Loki's ruler reads them: a list of paths, relative ones from this file, a `*` in the last part", true, false},
    {"alerting", TEXT_CONF_NODE, AT(alerting), NULL, 0, 0, NULL, "Prometheus' section alerting: the Alertmanagers that alerts are posted to", true, false},
    {"rules.external_url", TEXT_CONF_STRING, AT(rules_external_url), "", 0, 0, NULL, "where people reach the Prometheus door, for links in alerts; empty = http://127.0.0.1:PORT of it", true, false},
    {"rules.resend_delay", TEXT_CONF_DURATION, AT(rules_resend_delay_ns), "1m", 0, INT64_MAX, NULL, "a firing alert is told again after this, as Prometheus' --rules.alert.resend-delay", true, false},
    {"rules.for_outage_tolerance", TEXT_CONF_DURATION, AT(rules_outage_tolerance_ns), "1h", 0, INT64_MAX, NULL, "after an outage up to this long alerts go on where they were, as Prometheus' --rules.alert.for-outage-tolerance", false, false},
    {"rules.for_grace_period", TEXT_CONF_DURATION, AT(rules_grace_period_ns), "10m", 0, INT64_MAX, NULL, "a restored alert waits at least this long before it fires; rules with a shorter `for` are not restored, as Prometheus' --rules.alert.for-grace-period", false, false},
    {"rules.concurrency", TEXT_CONF_INT, AT(rules_concurrency), "4", 1, 1024, NULL, "rules of one group that are evaluated beside each other, as far as none reads what another writes; 1 = one after the other; as Prometheus' --rules.max-concurrent-evals, for each group", true, false},
    {"rules.notification_queue", TEXT_CONF_INT, AT(rules_notification_queue), "10000", 1, 10000000, NULL, "alerts waiting to be posted; the oldest give way", true, false},
    {"rules.notification_memory", TEXT_CONF_SIZE, AT(rules_notification_memory), "64MiB", 65536, INT64_MAX, NULL, "memory of the alerts waiting to be posted; the oldest give way", true, false},

    {"outputs", TEXT_CONF_NODE, AT(outputs), NULL, 0, 0, NULL, "other systems that get metrics as well: a name for each, below it type, url and more (docs/outputs.md)", true, false},
    {"statsd.config_file", TEXT_CONF_STRING, AT(statsd_config_file), "", 0, 0, NULL, "a config.js of the Node daemon or its proxy whose settings hold where nothing else is said; plain data, nothing is run", false, false},
    {"statsd.parser", TEXT_CONF_CHOICE, AT(statsd.parser), "strict", 0, 0, statsd_parsers, "strict refuses what no dialect defines; node takes what the Node daemon takes, oddities included", false, false},
    {"statsd.names", TEXT_CONF_CHOICE, AT(statsd.names), "labels", 0, 0, statsd_names, "how StatsD's metrics are stored: labels (Prometheus series that add up), graphite (the Node daemon's namespaces, an interval at a time), or both", false, false},
    {"statsd.flush_interval", TEXT_CONF_DURATION, AT(statsd.flush_interval_ns), "10s", 10 * NS_PER_MS, 3600 * NS_PER_SEC, NULL, "how long samples are added up before they are stored", false, false},
    {"statsd.expire", TEXT_CONF_DURATION, AT(statsd.expire_ns), "5m", 0, INT64_MAX, NULL, "a name that nobody sends for this long ends; 0 = never, as with the Node daemon", false, false},
    {"statsd.delete_idle", TEXT_CONF_BOOL, AT(statsd.delete_idle), "false", 0, 0, NULL, "graphite names: what got nothing in an interval is left out at once instead of repeated (deleteIdleStats)", false, false},
    {"statsd.delete_counters", TEXT_CONF_CHOICE, AT(statsd.delete_counters), "auto", 0, 0, statsd_deletes, "the same for counters alone; auto: as delete_idle says (deleteCounters)", false, false},
    {"statsd.delete_timers", TEXT_CONF_CHOICE, AT(statsd.delete_timers), "auto", 0, 0, statsd_deletes, "for timers (deleteTimers)", false, false},
    {"statsd.delete_sets", TEXT_CONF_CHOICE, AT(statsd.delete_sets), "auto", 0, 0, statsd_deletes, "for sets (deleteSets)", false, false},
    {"statsd.delete_gauges", TEXT_CONF_CHOICE, AT(statsd.delete_gauges), "auto", 0, 0, statsd_deletes, "for gauges (deleteGauges)", false, false},
    {"statsd.gauges_max_ttl", TEXT_CONF_INT, AT(statsd.gauges_max_ttl), "1", 1, INT32_MAX, NULL, "flushes a gauge that is deleted when idle is shown from its last sample on (gaugesMaxTTL)", false, false},
    {"statsd.gauge_sign", TEXT_CONF_CHOICE, AT(statsd.gauge_sign), "delta", 0, 0, statsd_gauge_signs, "what +n and -n do to a gauge: change it, or (absolute, as DogStatsD's agent) be its value; =-n is always a value", false, false},
    {"statsd.percentiles", TEXT_CONF_STRING, AT(statsd.percentiles), "90", 0, 0, NULL, "graphite names: of timers, comma-separated; negative ones from the top (percentThreshold)", false, false},
    {"statsd.timer_metrics", TEXT_CONF_STRING, AT(statsd.timer_metrics), "", 0, 0, NULL, "graphite names: which statistics of timers, comma-separated, as in count, median, upper_percent, histogram; empty: all (calculatedTimerMetrics)", false, false},
    {"statsd.histogram", TEXT_CONF_NODE, AT(statsd.histogram), NULL, 0, 0, NULL, "graphite names: bins of timers, a list of {metric: part of the name, bins: [1, 10, inf]}; the first that fits (histogram)", false, false},
    {"statsd.overrides", TEXT_CONF_NODE, AT(statsd.overrides), NULL, 0, 0, NULL, "graphite names: a list of {match: api.*} with percentiles, timer_metrics, bins, delete_idle, gauges_max_ttl or expire of its own; the first that fits", false, false},
    {"statsd.flush_counts", TEXT_CONF_BOOL, AT(statsd.flush_counts), "true", 0, 0, NULL, "graphite names: the sum of an interval beside the rate of counters (flush_counts)", false, false},
    {"statsd.sanitize", TEXT_CONF_BOOL, AT(statsd.sanitize), "true", 0, 0, NULL, "statsd.parser node: names lose what is not [a-zA-Z0-9_.;=-] as they come, not only in Graphite's names (keyNameSanitize)", false, false},
    {"statsd.key_flush.interval", TEXT_CONF_DURATION, AT(statsd.key_flush_interval_ns), "0", 0, INT64_MAX, NULL, "how often the busiest names are logged; 0 = never (keyFlush)", false, false},
    {"statsd.key_flush.percent", TEXT_CONF_INT, AT(statsd.key_flush_percent), "100", 1, 100, NULL, "of all names, the busiest", false, false},
    {"statsd.key_flush.log", TEXT_CONF_STRING, AT(statsd.key_flush_log), "", 0, 0, NULL, "a file they are appended to; empty: standard output", false, false},
    {"statsd.proxy.nodes", TEXT_CONF_STRING, AT(statsd.proxy_nodes), "", 0, 0, NULL, "StatsD daemons, host:port:adminport, comma-separated: each name goes on to one of them, chosen as the Node daemon's proxy does, and nothing is added up here", false, false},
    {"statsd.proxy.check_interval", TEXT_CONF_DURATION, AT(statsd.proxy_check_interval_ns), "10s", 10 * NS_PER_MS, 3600 * NS_PER_SEC, NULL, "how often their admin ports are asked for their health", false, false},
    {"statsd.mapping_file", TEXT_CONF_STRING, AT(statsd.mapping_file), "", 0, 0, NULL, "a mapping file of statsd_exporter, for labels", true, false},
    {"statsd.repeat_to", TEXT_CONF_STRING, AT(statsd.repeat_to), "", 0, 0, NULL, "other StatsD daemons that get every packet as well: host:port over UDP, tcp://host:port, comma-separated (the Node daemon's repeater)", false, false},
    {"statsd.unix_datagram", TEXT_CONF_STRING, AT(statsd.unix_datagram), "", 0, 0, NULL, "path of a Unix datagram socket to receive on as well, as DogStatsD's agent has one", false, false},
    {"statsd.unix_stream", TEXT_CONF_STRING, AT(statsd.unix_stream), "", 0, 0, NULL, "path of a Unix stream socket to receive on as well", false, false},
    {"statsd.admin.listen", TEXT_CONF_STRING, AT(statsd.admin_listen), "127.0.0.1:8126", 0, 0, NULL, "the admin port (stats, counters, delcounters, health, ...) as host:port on loopback, or off; closed when doors.statsd is", false, false},
    {"statsd.receive_buffer", TEXT_CONF_SIZE, AT(statsd.receive_buffer_bytes), "8MiB", 4096, 1 << 30, NULL, "of each UDP socket in the kernel; more than net.core.rmem_max needs CAP_NET_ADMIN", false, false},
    {"statsd.legacy_namespace", TEXT_CONF_BOOL, AT(statsd.legacy_namespace), "true", 0, 0, NULL, "graphite names: stats.X and stats_counts.X for counters, as the Node daemon does by default; else stats.counters.X.rate and .count", false, false},
    {"statsd.global_prefix", TEXT_CONF_STRING, AT(statsd.global_prefix), "stats", 0, 0, NULL, "graphite names without legacy_namespace: what all begin with (globalPrefix)", false, false},
    {"statsd.prefix_counter", TEXT_CONF_STRING, AT(statsd.prefix_counter), "counters", 0, 0, NULL, "then, for counters (prefixCounter)", false, false},
    {"statsd.prefix_timer", TEXT_CONF_STRING, AT(statsd.prefix_timer), "timers", 0, 0, NULL, "for timers (prefixTimer)", false, false},
    {"statsd.prefix_gauge", TEXT_CONF_STRING, AT(statsd.prefix_gauge), "gauges", 0, 0, NULL, "for gauges (prefixGauge)", false, false},
    {"statsd.prefix_set", TEXT_CONF_STRING, AT(statsd.prefix_set), "sets", 0, 0, NULL, "for sets (prefixSet)", false, false},
    {"statsd.global_suffix", TEXT_CONF_STRING, AT(statsd.global_suffix), "", 0, 0, NULL, "graphite names: what all end with (globalSuffix)", false, false},
    {"statsd.prefix_stats", TEXT_CONF_STRING, AT(statsd.prefix_stats), "statsd", 0, 0, NULL, "graphite names: of the daemon's own figures (prefixStats)", false, false},

    {"span_metrics.enabled", TEXT_CONF_BOOL, AT(span_metrics.calls), "true", 0, 0, NULL, "make metrics of calls, errors and latencies from spans", false, false},
    {"span_metrics.names", TEXT_CONF_CHOICE, AT(span_metrics.names), "tempo", 0, 0, span_names, "what they are called: as Tempo's metrics generator does (traces_spanmetrics_calls_total, ...), as the OpenTelemetry Collector's connector (traces_span_metrics_calls_total, ...), or both", false, false},
    {"span_metrics.histograms", TEXT_CONF_CHOICE, AT(span_metrics.histograms), "classic", 0, 0, span_histograms, "how latencies are stored, those of the service graph too: classic buckets, native histograms, or both", false, false},
    {"span_metrics.dimensions", TEXT_CONF_STRING, AT(span_metrics.dimensions), "", 0, 0, NULL, "attributes of the resource or the span that become labels as well, comma-separated", false, false},
    {"span_metrics.intrinsic_dimensions", TEXT_CONF_STRING, AT(span_metrics.intrinsics), "service,span_name,span_kind,status_code", 0, 0, NULL, "which of service, span_name, span_kind, status_code and status_message are labels, comma-separated", false, false},
    {"span_metrics.dimension_mappings", TEXT_CONF_STRING, AT(span_metrics.mappings), "", 0, 0, NULL, "labels made of several attributes, as label=attribute+attribute, comma-separated; a slash joins the values that are there", false, false},
    {"span_metrics.include", TEXT_CONF_STRING, AT(span_metrics.include), "", 0, 0, NULL, "only spans that meet all of these conditions are counted as calls: kind, status, name, span.<attribute>, resource.<attribute> or an attribute of either, then =value or =~expression; comma-separated", false, false},
    {"span_metrics.include_any", TEXT_CONF_STRING, AT(span_metrics.include_any), "", 0, 0, NULL, "only spans that meet one of these conditions are counted as calls; with several sets, separated by semicolons, one of each", false, false},
    {"span_metrics.exclude", TEXT_CONF_STRING, AT(span_metrics.exclude), "", 0, 0, NULL, "spans that meet all of these conditions are not counted as calls; of several sets, separated by semicolons, all of one", false, false},
    {"span_metrics.sampling_attribute", TEXT_CONF_STRING, AT(span_metrics.sampling_attribute), "", 0, 0, NULL, "attribute of the span or resource with the ratio (above 0, up to 1) that spans were sampled by: each counts as often as it stands for others", false, false},
    {"span_metrics.tracestate", TEXT_CONF_BOOL, AT(span_metrics.tracestate), "true", 0, 0, NULL, "count sampled spans as often as the threshold in their trace state (ot=th:...) says", false, false},
    {"span_metrics.target_info", TEXT_CONF_BOOL, AT(span_metrics.target_info), "false", 0, 0, NULL, "traces_target_info with the attributes of each resource, and labels job and instance on the metrics of calls", false, false},
    {"span_metrics.interval", TEXT_CONF_DURATION, AT(span_metrics_interval_ns), "15s", 100 * NS_PER_MS, 3600 * NS_PER_SEC, NULL, "how often what was counted is stored, the service graph too", false, false},
    {"span_metrics.idle", TEXT_CONF_DURATION, AT(span_metrics.idle_ns), "15m", NS_PER_SEC, INT64_MAX, NULL, "series that no span adds to for this long end", false, false},
    {"service_graph.enabled", TEXT_CONF_BOOL, AT(span_metrics.graph), "true", 0, 0, NULL, "make metrics of calls between services (traces_service_graph_request_total, ...)", false, false},
    {"service_graph.dimensions", TEXT_CONF_STRING, AT(span_metrics.graph_dimensions), "", 0, 0, NULL, "attributes of both sides that become labels client_<name> and server_<name>, comma-separated", false, false},
    {"service_graph.peer_attributes", TEXT_CONF_STRING, AT(span_metrics.peer_attributes), "peer.service,db.name,db.system,db.system.name", 0, 0, NULL, "attributes that name whom a client calls when no span of that comes, comma-separated, the first one counts", false, false},
    {"service_graph.wait", TEXT_CONF_DURATION, AT(span_metrics.wait_ns), "10s", NS_PER_MS, 3600 * NS_PER_SEC, NULL, "how long the span of one side of a call waits for that of the other", false, false},

    {"log.level", TEXT_CONF_CHOICE, AT(log_level), "info", 0, 0, levels, "lines below this are not written", true, false},
    {"threads.loops", TEXT_CONF_INT, AT(threads_loops), "0", 0, 1024, NULL, "event-loop threads; 0 = one a core", false, false},
    {"threads.workers", TEXT_CONF_INT, AT(threads_workers), "0", 0, 1024, NULL, "worker threads for queries and merges; 0 = one a core, and two at least; rules have threads of their own", false, false},
};
/* clang-format on */
const size_t server_config_field_count = ARRAY_LEN(server_config_fields);
