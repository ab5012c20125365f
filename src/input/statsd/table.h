/* Where samples are added up: a table a loop thread, so that receiving takes no turns with other
 * threads. An entry is a name as it was sent (with its tags) and a type; it holds two slots, one
 * being filled, one being read by the flush, which swaps them under the shard's lock. What a name
 * means (labels, Graphite path) is found out once, by the flush. */
#ifndef INPUT_STATSD_TABLE_H
#define INPUT_STATSD_TABLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/vec.h"
#include "input/statsd/distinct.h"
#include "input/statsd/line.h"
#include "input/statsd/sketch.h"

/* Values of a timer in one interval. */
struct statsd_values {
    VEC(double) values;
    VEC(double) weights;          /* empty while all are 1, else as long as values */
    struct statsd_sketch *sketch; /* what was folded in because there were many; NULL: nothing */
    double count;                 /* sum of weights */
};

struct statsd_slot {
    double value;     /* counters: sum; gauges: what is set, or the sum of changes */
    int64_t stamp_ns; /* gauges: when it was set (monotonic); 0 = only changed */
    union {
        struct statsd_values *values; /* timers; kept over flushes */
        struct statsd_distinct *set;  /* sets; kept too */
    };
    uint32_t samples;
    bool is_touched;
    bool only_timed; /* all samples so far had a time of their own */
};

struct statsd_entry {
    uint16_t name_len, tail_len; /* limits.statsd.line_size is below 64 KiB */
    uint8_t kind;
    bool is_deleted;       /* from the admin port: about to go */
    bool is_found;         /* by a flush */
    uint8_t refused;       /* enum statsd_reason: what the mapping file makes of it; 0 = taken */
    uint32_t last_samples; /* the flush's: in the last interval that had any */
    uint32_t seen_flush;   /* the flush's: number of the last one that found a sample, wrapping */
    /* The flush's: what it stands for. NULL: not resolved yet, or not wanted. */
    struct statsd_series *series;
    struct statsd_path *path;
    struct statsd_slot slots[2];
    char key[]; /* name, then tail */
};

static inline struct slice statsd_entry_name(const struct statsd_entry *e)
{
    return (struct slice){e->key, e->name_len};
}

static inline struct slice statsd_entry_tail(const struct statsd_entry *e)
{
    return (struct slice){e->key + e->name_len, e->tail_len};
}

/* A sample with a time of its own is not added up. */
struct statsd_timed {
    struct statsd_entry *entry;
    int64_t ts_ns;
    double value;
};
typedef VEC(struct statsd_timed) statsd_timed_list;
typedef VEC(struct statsd_entry *) statsd_entry_list;

#define STATSD_EXAMPLE_BYTES 200

/* The last line refused for a reason. */
struct statsd_refusal {
    int64_t count;
    int64_t ts_ns;
    char peer[64];
    char line[STATSD_EXAMPLE_BYTES + 1];
    size_t line_len; /* as received; more than the example holds is cut */
};

/* Shared by all shards. */
struct statsd_limits {
    size_t names_max, name_bytes_max;
    int64_t memory_max;       /* of values and set members that wait for a flush */
    _Atomic bool keep_values; /* for exact percentiles; else many are folded into a sketch */
    bool is_node;             /* names are the Node daemon's */
    bool is_washed;           /* and sanitised already: no checks */
    _Atomic size_t names;
    _Atomic int64_t memory;
};

#define STATSD_TALLIES 64

/* Packets of one address since they were last handed over to the table of senders. */
struct statsd_tally {
    uint8_t len; /* of the address: 4 or 16; 0 = free */
    uint8_t address[16];
    int64_t samples, refused, last_ns;
};

#define STATSD_AHEAD 16

/* A sample that waits for its turn: memory is slow, and answers several questions at once in the
 * time of one. */
struct statsd_waiting {
    uint64_t hash;
    struct statsd_entry *entry; /* probably */
    double value;
    const char *line, *tail; /* the name is what the line begins with */
    uint32_t line_len, name_len, tail_len;
    enum statsd_kind kind;
};

struct statsd_shard {
    pthread_mutex_t lock;                        /* of everything below */
    struct statsd_tally tallies[STATSD_TALLIES]; /* of datagrams, by their address' hash */
    struct statsd_limits *limits;
    struct {
        uint64_t hash;
        struct statsd_entry *entry;
    } * cells;
    size_t cap, count;
    unsigned epoch; /* the slots being filled: 0 or 1 */
    statsd_entry_list touched[2];
    statsd_timed_list timed[2];
    int64_t now_ns; /* monotonic, of the batch at work */
    int64_t wall_ns;
    struct statsd_refusal refusals[STATSD_REASON_COUNT];
    int64_t by_kind[STATSD_KIND_COUNT];
    struct statsd_waiting waiting[STATSD_AHEAD];
    size_t waiting_count;
};

void statsd__shard_init(struct statsd_shard *s, struct statsd_limits *limits);
void statsd__shard_deinit(struct statsd_shard *s);
/* A parser's on_sample: ctx is the shard, whose lock is held. */
enum statsd_reason statsd__shard_add(void *ctx, const struct statsd_sample *sample);
/* The same for a sample that is a whole line, of weight 1, without a time or a sign, whose texts
 * stay where they are until statsd__shard_settle, which has to be called when STATSD_AHEAD of them
 * wait, before statsd__shard_add, and before the texts go. */
static inline bool statsd__shard_waits(const struct statsd_shard *s)
{
    return s->waiting_count > 0;
}
void statsd__shard_add_soon(struct statsd_shard *s, const struct statsd_sample *sample,
                            struct slice line);
void statsd__shard_settle(struct statsd_shard *s,
                          void (*refused)(void *ctx, enum statsd_reason reason, struct slice line),
                          void *ctx);
/* Counts a refusal and keeps the line as example. Lock held. */
void statsd__shard_refuse(struct statsd_shard *s, enum statsd_reason reason, struct slice line,
                          const char *peer, int64_t ts_ns);
/* Takes an entry out and frees it. Lock held; it must not be touched in either slot. */
void statsd__shard_remove(struct statsd_shard *s, struct statsd_entry *e);
/* Empties a slot for its next use; big memory is given back. */
void statsd__slot_reset(struct statsd_limits *limits, enum statsd_kind kind,
                        struct statsd_slot *slot);
/* Every value times `scale`, with how often it was; what was folded as the middle of its bucket. */
void statsd__values_each(const struct statsd_values *v, double scale,
                         void (*each)(void *ctx, double value, double weight), void *ctx);
/* All of a slot's values as a sketch added to `out`, each times `scale`. */
void statsd__values_sketch(const struct statsd_values *v, double scale, struct statsd_sketch *out);

#endif
