/* What the files of this folder share. */
#ifndef INPUT_STATSD_STATSD_PRIV_H
#define INPUT_STATSD_STATSD_PRIV_H

#include "base/counter.h"
#include "base/map.h"
#include "codec/utf8.h"
#include "data/event_batch.h"
#include "input/senders.h"
#include "input/statsd/identity.h"
#include "input/statsd/index.h"
#include "input/statsd/mapping.h"
#include "input/statsd/options.h"
#include "input/statsd/proxy.h"
#include "input/statsd/repeat.h"
#include "input/statsd/statsd.h"
#include "input/statsd/table.h"
#include "net/stream.h"
#include "net/udp.h"

#define STATSD_BATCH_SAMPLES 20000

/* A timer shown as several series: quantiles or buckets, then _sum and _count. */
struct statsd_parts {
    struct slice *keys; /* canonical label keys; owned */
    double *counts;     /* of the buckets, not cumulated */
    double sum, count;
    struct statsd_sketch *ring; /* of a summary: observations by age */
    size_t ring_len, ring_at;
    int64_t ring_turned_ns;
};

/* A series of the labels view, and what it has counted so far. */
struct statsd_series {
    uint8_t kind; /* enum statsd_kind; timers are one family */
    bool is_dead; /* out of the map; goes with its last entry */
    bool is_new, is_deleted;
    bool is_flushed; /* has samples without a time of their own: repeated every flush */
    uint32_t refs;   /* entries */
    uint32_t key_len;
    int64_t seen_ns, last_ts_ns;
    double value; /* counters: total; gauges */
    double debt;  /* counters: what decrements took away and increments have not made up for */
    struct statsd_rule *rule; /* of the mapping file, or NULL */
    union {
        struct statsd_sketch *sketch;     /* native histograms: since the start */
        struct statsd_distinct *distinct; /* sets: of this interval */
    };
    struct statsd_parts *parts; /* timers shown as summary or classic histogram */
    char key_bytes[];           /* canonical label key */
};

static inline struct slice statsd__series_key(const struct statsd_series *s)
{
    return (struct slice){s->key_bytes, s->key_len};
}

/* A path of the Graphite view. */
struct statsd_path {
    struct slice key; /* "a.b;tag=value"; in path_map's */
    uint8_t kind;
    bool is_dead, is_touched, is_deleted;
    uint32_t refs;
    uint32_t idle; /* flushes since the last sample */
    const struct statsd_options *options;
    int64_t seen_ns;
    double value; /* counters: of this interval; gauges: current */
    struct statsd_values *values;
    struct statsd_distinct *distinct;
};

/* Both in the order of their first sight. */
typedef VEC(struct statsd_series *) statsd_series_list;
typedef VEC(struct statsd_path *) statsd_path_list;

struct input_statsd {
    struct input_env env;
    struct input_statsd_config config; /* strings in `arena` */
    struct arena *arena;
    struct statsd_option_set *options;
    struct input_senders *udp_senders, *tcp_senders;
    struct statsd_proxy *proxy; /* NULL: names are added up here */
    struct map *key_counts;     /* samples of names since key_flushed_ns; NULL: not counted */
    int64_t key_flushed_ns;
    struct statsd_limits limits;
    struct statsd_shard *shards; /* one a loop */
    struct statsd_parser *parsers;
    size_t shard_count;
    struct net_udp *udp, *unix_udp;
    struct statsd_repeat *repeat; /* NULL: to nobody */
    struct net_stream_server *tcp, *unix_tcp, *admin;
    int64_t started_ns;
    _Atomic int64_t last_message_ns, bad_lines, packets;
    _Atomic bool is_down; /* what `health` answers */

    pthread_mutex_t lock; /* of the flush and everything below */
    struct statsd_mapping *mapping;
    struct statsd_index families;     /* name -> type under it, and above 8 bits how many series */
    struct statsd_index series_index; /* label key -> struct statsd_series */
    statsd_series_list series;
    struct map *path_map; /* kind and path -> struct statsd_path */
    statsd_path_list paths;
    struct data_metric_batch *batches[INPUT_STATSD_VIEWS], *batch; /* that of the view at work */
    bool wants[INPUT_STATSD_VIEWS]; /* as of this flush: somebody stores or gets it */
    int64_t last_flush_ns, flush_took_ns, flushes, conflicts;
    int64_t path_bad_lines, path_packets, path_lines; /* as of the last flush */

    struct net_loop *timer_loop;
    struct net_timer *timer;
    pthread_mutex_t timer_lock;
    pthread_cond_t timer_idle;
    bool stopping, flushing, timer_gone;
    int64_t
        due_ns; /* of the last flush by the timer; the flushing task reads it without the lock */
};

/* --- labels.c: names as Prometheus' labels --- */
void statsd__labels_resolve(struct input_statsd *s, struct statsd_shard *shard,
                            struct statsd_entry *e);
void statsd__labels_merge(struct input_statsd *s, struct statsd_entry *e,
                          const struct statsd_slot *slot, int64_t ts_ns);
void statsd__labels_timed(struct input_statsd *s, const struct statsd_timed *t);
void statsd__labels_emit(struct input_statsd *s, int64_t ts_ns);
void statsd__series_free(struct statsd_series *series);
void statsd__series_unref(struct statsd_series *series);
/* For series_index. */
bool statsd__series_is(uint64_t value, struct slice key);
/* Ends a series: a staleness marker, and out of the map. */
void statsd__series_end(struct input_statsd *s, struct statsd_series *series, int64_t ts_ns);

/* --- paths.c: names as Graphite paths, the Node daemon's namespaces --- */
void statsd__paths_resolve(struct input_statsd *s, struct statsd_entry *e);
void statsd__paths_merge(struct input_statsd *s, struct statsd_entry *e,
                         const struct statsd_slot *slot, int64_t ts_ns);
void statsd__paths_timed(struct input_statsd *s, const struct statsd_timed *t);
void statsd__paths_emit(struct input_statsd *s, int64_t ts_ns);
void statsd__path_free(struct statsd_path *path);
/* Ends a path: out of the map. */
void statsd__path_end(struct input_statsd *s, struct statsd_path *path);
void statsd__path_unref(struct statsd_path *path);

/* --- flush.c --- */
/* Somebody stores it, or gets it. */
bool statsd__wants(const struct input_statsd *s, enum input_statsd_view view);
/* What is emitted from here on belongs to this view. */
void statsd__view(struct input_statsd *s, enum input_statsd_view view);
/* Forgets an entry: takes it out of its table and lets go of what it stands for. Both locks held.
 */
void statsd__entry_forget(struct statsd_shard *shard, struct statsd_entry *e);
/* Names are looked at anew when their next sample comes; s->lock held. */
void statsd__forget_names(struct input_statsd *s);
/* All series and paths; no entry stands for any of them any more. */
void statsd__views_free(struct input_statsd *s);
void statsd__flush(struct input_statsd *s, int64_t ts_ns);
void statsd__emit(struct input_statsd *s, struct slice label_key, int64_t ts_ns, double value);
/* Sends the batch when it is full: what is put in next stays together. */
void statsd__batch_room(struct input_statsd *s);
void statsd__batch_send(struct input_statsd *s);

/* --- timing.c: statistics of a timer's values, as the Node daemon has them --- */
/* `values` is sorted; calls `each` with "upper_90" and the like, in its order. */
void statsd__timing(double *values, size_t count, double weight, double interval_s,
                    const struct statsd_options *options,
                    void (*each)(void *ctx, struct slice name, double value), void *ctx);

/* --- events.c: DogStatsD's events and service checks --- */
/* Adds a row, or says why not. */
enum statsd_reason statsd__event(struct slice line, int64_t now_ns, struct data_event_batch *batch);

/* --- key_flush.c: the busiest names into a log, as the Node daemon's keyFlush --- */
void statsd__key_flush_count(struct input_statsd *s, const struct statsd_entry *e,
                             uint32_t samples);
/* Writes when it is time; the flush's end. */
void statsd__key_flush_write(struct input_statsd *s, int64_t ts_ns);
void statsd__key_flush_free(struct input_statsd *s);

/* --- tally.c: who sends how much --- */
/* A datagram's; the shard's lock held. */
/* Counts lines of one reason, and keeps this one as its example. The shard's lock held. */
void statsd__refuse(struct input_statsd *s, struct statsd_shard *shard, enum statsd_reason reason,
                    struct slice line, const char *peer, int64_t count);
void statsd__tally(struct input_statsd *s, struct statsd_shard *shard, const struct sockaddr *from,
                   int64_t samples, int64_t refused);
/* Hands over what a shard has; its lock held. */
void statsd__tally_flush(struct input_statsd *s, struct statsd_shard *shard);

/* --- admin.c --- */
int statsd__admin_start(struct input_statsd *s, struct diag *diag);

#endif
