/* What the files of this room share. */
#ifndef OUTPUT_OUTPUT_PRIV_H
#define OUTPUT_OUTPUT_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/counter.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "discovery/client.h"
#include "net/http_client.h"
#include "output/output.h"
#include "output/spool.h"
#include "pipe/relabel.h"

/* --- settings.c --- */
enum output__type {
    OUTPUT__GRAPHITE,
    OUTPUT__INFLUXDB,
    OUTPUT__REMOTE_WRITE,
    OUTPUT__OTLP,
    OUTPUT__DOGSTATSD,
    OUTPUT__CONSOLE,
};
enum output__transport {
    OUTPUT__HTTP,
    OUTPUT__GRPC,
    OUTPUT__TCP,
    OUTPUT__UDP,
    OUTPUT__STDOUT,
};

enum output__from {
    OUTPUT__FROM_ALL,
    OUTPUT__FROM_STATSD,
    OUTPUT__FROM_CARBON,
    OUTPUT__FROM_LOGS,
    OUTPUT__FROM_TRACES
};

struct output__settings {
    const char *name;     /* the key in `outputs:` */
    const char *identity; /* all of it as text: what a change is */
    int type;             /* enum output__type */
    const char *url;
    enum output__transport transport;
    const char *address; /* "host:port", of TCP and UDP */
    const char *post_to; /* of HTTP and gRPC: the whole URL */
    int from;            /* enum output__from */
    int names;           /* 0 by type, 1 labels, 2 graphite */
    int protocol;        /* graphite: 0 plaintext, 1 pickle */
    int version;         /* remote_write: 0 = 1.0, 1 = 2.0 */
    const char *prefix;
    const char *database, *retention_policy, *org, *bucket;
    const char *username, *password, *password_file, *token, *token_file, *tenant;
    const char *ca_file, *cert_file, *key_file;
    bool insecure_skip_verify, compress;
    bool exemplars, native_histograms; /* they go too */
    const struct text_yaml *headers_node, *labels_node, *relabel_node, *http_node;
    const struct discovery_http *http; /* http_config; NULL: the settings above */
    struct net_client_header *headers;
    size_t header_count;
    struct data_labels labels; /* added to what is sent, where it has no such label */
    struct pipe_relabel relabel;
    int64_t queue_bytes, disk_bytes, retry_for_ns, timeout_ns, batch_samples, packet_bytes;
};

struct output_config {
    struct arena *arena;
    _Atomic int refs; /* its holder's and those of targets */
    struct output__settings *items;
    size_t count;
};

/* --- rows.c: a batch row by row --- */
struct output__row {
    struct data_labels labels; /* with __name__ */
    struct slice name;
    bool is_refused; /* relabelling could not be done: it is counted and goes nowhere */
    enum data_metric_type type;
    int64_t ts_ns;
    int64_t start_ns; /* 0 = not given */
    double value;
    const struct data_histogram *histogram; /* NULL: a number */
    /* Those of the series that came with the batch, with its first sample. */
    const struct data_batch_exemplar *const *exemplars;
    size_t exemplar_count;
};

/* What families are known to be. Thread-safe. */
struct output__types;
struct output__types *output__types_new(void);
void output__types_free(struct output__types *t);
void output__types_learn(struct output__types *t, const struct data_metric_batch *batch);
/* A histogram's or summary's _count, _sum and _bucket are counters. */
enum data_metric_type output__type_of(struct output__types *t, struct slice name);

struct output__format;
/* Every sample of the batch; native histograms as _count, _sum and _bucket rows unless the format
 * has them itself. */
void output__rows(const struct output__settings *settings, const struct output__format *format,
                  struct output__types *types, const struct data_metric_batch *batch,
                  void (*each)(void *ctx, const struct output__row *row), void *ctx);

/* --- formats --- */
struct output__format {
    bool histograms; /* native ones have a form of their own */
    bool stale;      /* staleness markers as well */
    bool exemplars;
    bool lines;       /* a payload is lines, to be cut into datagrams between them */
    size_t bytes_max; /* of a payload before it is closed; 0 = 1 MiB */
    const char *content_type, *content_encoding;
    void *(*create)(const struct output__settings *settings);
    void (*destroy)(void *state);
    void (*begin)(void *state, struct buf *out); /* a payload; may be NULL */
    /* False: the row has no form here (NaN, a name that nothing is left of). */
    bool (*row)(void *state, const struct output__row *row, struct buf *out);
    void (*end)(void *state, struct buf *out); /* may be NULL */
};
const struct output__format *output__format_of(const struct output__settings *settings);
extern const struct output__format output__graphite, output__pickle, output__console,
    output__influx, output__dogstatsd, output__remote_write_1, output__remote_write_2, output__otlp,
    output__otlp_grpc;

/* Rows of a batch of logs or spans from `first` on, as one export request: as many as fit; returns
 * how many. */
size_t output__otlp_events(const struct output__settings *settings,
                           const struct data_event_batch *batch, size_t first, size_t bytes_max,
                           struct buf *out);

/* --- target.c: the queue --- */
enum output__drop {
    OUTPUT__DROP_FULL,    /* queue_full */
    OUTPUT__DROP_OLD,     /* too_old */
    OUTPUT__DROP_REFUSED, /* refused */
    OUTPUT__DROP_NO_FORM, /* not_representable */
    OUTPUT__DROP_STOPPED, /* stopped */
    OUTPUT__DROP_LOST,    /* not_delivered */
    OUTPUT__DROP_DAMAGED, /* damaged_on_disk */
    OUTPUT__DROP_COUNT
};

enum {
    OUTPUT__COUNT_SENT,
    OUTPUT__COUNT_BYTES,
    OUTPUT__COUNT_REQUESTS,
    OUTPUT__COUNT_FAILED,
    OUTPUT__COUNT_WAITING,
    OUTPUT__COUNT_WAITING_BYTES,
    OUTPUT__COUNT_DISK_BYTES,
    OUTPUT__COUNTERS
};

struct output__payload {
    struct output__payload *next;
    int64_t made_ns; /* wall clock */
    size_t samples;
    struct slice bytes; /* owned; ptr NULL: only on the disk */
    struct output__place place;
    bool pinned; /* being written or read: whoever takes it out marks it gone instead of freeing it
                  */
    bool gone;
};

struct output__target;

/* Sends one payload: exactly one output__target_done follows, on the target's loop, also after
 * `close`. All on the loop. */
struct output__sender {
    void *(*open)(struct output__target *t);
    void (*send)(void *state, const struct output__payload *p);
    void (*close)(void *state);
};
extern const struct output__sender output__send_http, output__send_tcp, output__send_pool;

enum output__outcome {
    OUTPUT__SENT,
    OUTPUT__TRY_AGAIN,
    OUTPUT__REFUSED, /* it would be refused again */
    OUTPUT__LOST,    /* sent, and some of it did not arrive */
};

struct output__target {
    const struct output__settings *settings;
    struct output_config *config; /* that the settings live in; shared */
    const struct output__format *format;
    const struct output__sender *sender;
    const struct output_env *env;
    struct net_loop *loop;

    pthread_mutex_t encode_lock; /* of the next three */
    void *format_state;
    struct buf building;
    size_t building_samples;

    pthread_mutex_t lock; /* of everything below but what is the loop's */
    pthread_cond_t changed;
    struct output__payload *head, **tail; /* head may be on its way */
    size_t waiting;                       /* payloads */
    int64_t bytes, samples;               /* in memory; of all */
    int64_t disk_bytes;                   /* of payloads that are on the disk */
    bool ending, tidy_due;
    void (*pump)(void *arg); /* posted when the first one was read */
    bool working;            /* a task of the pool is at the spool */
    bool spool_failed;       /* said in the log */
    char spool_error[300];   /* why */
    bool in_flight, stopping, gone;
    bool failing;  /* the last try has to be done again */
    bool troubled; /* nor was it complete; said in the log */
    int64_t last_sent_ns, last_failed_ns;
    char last_error[300];

    struct output__spool *spool; /* NULL: nothing waits on the disk */

    /* the loop's */
    void *sender_state;
    struct net_timer *timer, *tick;
    int64_t pause_ns;
    bool closing, closed;

    char labels[160], drop_labels[OUTPUT__DROP_COUNT][200];
    char loss_labels[OUTPUT__SPOOL_LOSSES][200];
    struct counter counters[OUTPUT__COUNTERS + OUTPUT__DROP_COUNT];
    struct counter losses[OUTPUT__SPOOL_LOSSES]; /* segments */
};

struct output__target *output__target_new(const struct output_env *env,
                                          struct output_config *config,
                                          const struct output__settings *settings);
/* Encodes and queues. Any thread. */
void output__target_take(struct output__target *t, struct output__types *types,
                         const struct data_metric_batch *batch);
/* The same of log lines or spans. */
void output__target_take_events(struct output__target *t, const struct data_event_batch *batch);
/* The sender's word on the payload it was given. Loop thread. `more`: of a failure the pause in ns
 * that the peer asks for, or 0; of a loss the number of samples. */
void output__target_done(struct output__target *t, enum output__outcome outcome, const char *why,
                         int64_t more);
/* Begins to end: what waits is still tried, without pauses for long. */
void output__target_stop_begin(struct output__target *t);
/* Waits until it is empty, or a try failed, or the (monotonic) time has come; then frees. */
void output__target_stop_end(struct output__target *t, int64_t deadline_ns);
void output__target_look(struct output__target *t, struct codec_json_writer *w);

/* --- queue.c: what waits, in memory and on the disk --- */
/* Opens the part on the disk. Before anything else. */
void output__queue_open(struct output__target *t);
/* Puts a payload at the end. Any thread. */
void output__queue_push(struct output__target *t, struct slice bytes, size_t samples,
                        int64_t made_ns);
/* The next payload to be sent, in memory, or NULL: there is none, or it is being read, and `pump`
 * is posted when it is there. t->lock held. */
struct output__payload *output__queue_first(struct output__target *t, void (*pump)(void *arg));
/* The first one is done. t->lock held. */
void output__queue_pop(struct output__target *t);
/* Once a second, on the loop: what has waited for long goes to the disk. */
void output__queue_tick(struct output__target *t);
/* Keeps what waits on the disk and frees everything; false: some of it is lost, *out_samples. */
bool output__queue_close(struct output__target *t, int64_t *out_samples);
void output__drop(struct output__target *t, enum output__drop why, size_t samples);

#endif
