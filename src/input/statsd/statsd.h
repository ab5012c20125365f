/* The StatsD daemon: lines over UDP, TCP and Unix sockets, added up and every interval handed to
 * the sink. See docs/statsd.md for what becomes of a name; table.h for how receiving and flushing
 * meet. */
#ifndef INPUT_STATSD_STATSD_H
#define INPUT_STATSD_STATSD_H

#include "codec/json_write.h"
#include "input/input.h"

enum input_statsd_parser { INPUT_STATSD_STRICT, INPUT_STATSD_NODE };
enum input_statsd_delete {
    INPUT_STATSD_DELETE_AUTO,
    INPUT_STATSD_DELETE_ON,
    INPUT_STATSD_DELETE_OFF
};
enum input_statsd_view { INPUT_STATSD_AS_LABELS, INPUT_STATSD_AS_PATHS, INPUT_STATSD_VIEWS };
enum input_statsd_names { INPUT_STATSD_LABELS, INPUT_STATSD_GRAPHITE, INPUT_STATSD_BOTH };

/* Where samples of one name and interval go in the Graphite namespaces. */
struct input_statsd_config {
    const char *listen;                      /* "127.0.0.1:8125", UDP and TCP; "" or "off": none */
    const char *admin_listen;                /* the admin port; "" or "off": none */
    const char *unix_datagram, *unix_stream; /* paths; "": none */
    int parser;                              /* enum input_statsd_parser */
    int names;                               /* enum input_statsd_names */
    int gauge_sign; /* 0: +n and -n change a gauge, 1: they are its value */
    int64_t flush_interval_ns;
    int64_t expire_ns; /* idle names are forgotten after this; 0 = never */
    int64_t names_max, line_bytes_max, memory_max;
    int64_t idle_timeout_ns;      /* of connections; 0 = never */
    int64_t receive_buffer_bytes; /* of each UDP socket */
    const char *percentiles;      /* "90", "50, 99, -10": of the Graphite namespaces */
    const char *repeat_to;        /* "host:port, ...": packets go on to these; "": none */
    const char *mapping_file;     /* of statsd_exporter; "": none */
    bool legacy_namespace;        /* stats.X and stats_counts.X, as the Node daemon does */
    bool delete_idle;             /* idle names are left out at once instead of repeated */
    /* Of the Graphite namespaces, each an enum input_statsd_delete. */
    int delete_counters, delete_timers, delete_sets, delete_gauges;
    int64_t gauges_max_ttl;    /* flushes a deleted gauge is shown after its last sample */
    bool flush_counts;         /* the interval's sum of counters beside its rate */
    bool sanitize;             /* the Node parser washes names as they come */
    const char *timer_metrics; /* "count, upper_percent"; "": all */
    const struct text_yaml *histogram, *overrides; /* read by input_statsd_new; NULL: none */
    int64_t key_flush_interval_ns;                 /* the busiest names go into a log; 0 = never */
    int64_t key_flush_percent;
    const char *key_flush_log; /* a file; "": standard output */
    /* Packets go on to one of these daemons, by name, and nothing is added up here:
     * "host:port:adminport, ..."; "": no proxy. */
    const char *proxy_nodes;
    int64_t proxy_check_interval_ns;
    /* Who else gets what a flush makes of a view (enum input_statsd_view), whether or not it is
     * stored; NULL: nobody. Called by the flush. */
    void (*forward)(void *ctx, int view, const struct data_metric_batch *batch);
    bool (*forward_wants)(void *ctx, int view);
    void *forward_ctx;
    const char *global_prefix, *prefix_counter, *prefix_timer, *prefix_gauge, *prefix_set,
        *global_suffix, *prefix_stats;
};

struct input_statsd;

/* Reads the mapping file and checks the settings; nothing listens yet. Strings are copied. */
int input_statsd_new(const struct input_env *env, const struct input_statsd_config *config,
                     struct input_statsd **out, struct diag *diag);
/* Listens and begins to flush. ERR_EXISTS names the holder of a port that is taken. */
int input_statsd_start(struct input_statsd *s, struct diag *diag);
/* Reads the mapping file again; on an error the old one stays. */
int input_statsd_reload(struct input_statsd *s, const struct input_statsd_config *config,
                        struct diag *diag);
/* Takes what has arrived, flushes a last time, frees. Not from a loop thread. NULL is fine. */
void input_statsd_stop(struct input_statsd *s);
/* Where it listens, or 0. */
uint16_t input_statsd_port(const struct input_statsd *s);
uint16_t input_statsd_admin_port(const struct input_statsd *s);
/* Flushes now instead of at the next interval; blocks. For tests and the admin port. */
void input_statsd_flush(struct input_statsd *s, int64_t ts_ns);
/* Hands lines over as if they had been received, on any thread. For tests and benchmarks. */
void input_statsd_feed(struct input_statsd *s, size_t shard, struct slice packet, const char *peer);
/* What the API shows: names, rates, refusals with examples, listeners. Any thread. */
void input_statsd_look(struct input_statsd *s, struct codec_json_writer *w);
/* One command line of the admin port; false: the connection shall end. Any thread. */
bool input_statsd_command(struct input_statsd *s, struct slice line, struct buf *out);

#endif
