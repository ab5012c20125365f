/* Inside of the event engine: a table's head, parts and upkeep. */
#ifndef STORE_EVENT_EVENTS_PRIV_H
#define STORE_EVENT_EVENTS_PRIV_H

#include <pthread.h>

#include "base/counter.h"
#include "store/event/block.h"
#include "store/event/part.h"
#include "store/events.h"
#include "store/store_priv.h"

typedef VEC(struct store_event_block *) store__event_block_list;
typedef VEC(struct store_event_part *) store__event_part_list;

/* A shard of the head on cache lines of its own. */
struct store__event_shard {
    pthread_mutex_t lock;
    store__event_block_list blocks; /* under lock; in the order of their positions */
} __attribute__((aligned(64)));

/* One table. */
struct store__events {
    struct store_event_source source;
    struct store *s;
    enum data_event_table table;
    struct store_streams streams;
    _Atomic uint64_t position;
    _Atomic size_t head_bytes, head_rows; /* set aside or not */
    _Atomic uint32_t next_shard;
    size_t shard_count;
    struct store__event_shard *shards;

    /* What readers see is one step from head to part: taken before shards' locks. */
    pthread_mutex_t view_lock;
    store__event_block_list flushing; /* set aside */
    store__event_block_list recent;   /* in parts already, kept for those who tail */
    size_t recent_bytes;
    store__event_part_list parts; /* by day, then order */

    int64_t last_flush_ns; /* under the engine's lock */
    bool flush_failed;
};

struct store__event_engine {
    struct store__events tables[DATA_EVENT_TABLE_COUNT];
    pthread_mutex_t lock; /* one round of upkeep at a time; taken before maintain_lock */
    int64_t last_expire_ns;
    pthread_t thread;
    bool has_thread;
};

enum store__event_counter {
    STORE__EVENT_APPENDED,
    STORE__EVENT_REFUSED, /* + reason */
    STORE__EVENT_FLUSHES = STORE__EVENT_REFUSED + STORE_REFUSED_COUNT,
    STORE__EVENT_FLUSH_NS,
    STORE__EVENT_MERGES,
    STORE__EVENT_MERGE_NS,
    STORE__EVENT_EXPIRED,
    STORE__EVENT_DELETED,
    STORE__EVENT_QUARANTINED,
    STORE__EVENT_HEAD_BYTES,
    STORE__EVENT_STREAMS,
    STORE__EVENT_PARTS,
    STORE__EVENT_DISK_BYTES,
    STORE__EVENT_COUNTER_COUNT
};
void store__event_count(enum data_event_table table, enum store__event_counter what, int64_t n);
void store__event_gauge(enum data_event_table table, enum store__event_counter what, int64_t v);
int64_t store__event_counted(enum data_event_table table, enum store__event_counter what);

/* What one query sees. */
struct store__event_view {
    store__event_block_list blocks; /* by position */
    store__event_part_list parts;   /* by day, then order */
};
void store__event_blocks_free(store__event_block_list *list);
/* With `recent` the blocks kept for tailing too, and no parts. */
void store__event_view_take(struct store__events *e, int64_t t_min, int64_t t_max, bool recent,
                            struct store__event_view *out);
void store__event_view_free(struct store__event_view *v);
/* notes.c: brings packed notes up to date with those of the blocks. */
void store__event_notes_fold(const store__event_block_list *blocks, struct buf *packed);
/* Of all there is, without taking it. */
void store__event_source_stats(struct store__events *e, struct store_event_source_stats *out);

/* upkeep.c */
void store__event_part_path(const struct store *s, uint64_t id, char *out, size_t out_size);
/* One step from a set of parts to another: the manifest first, then what readers see. `fresh` are
 * taken over; `gone` are removed when their last reader lets go; with `flushed` what was set aside
 * leaves the head and the log is not needed before `low_water`. */
int store__event_replace(struct store__events *e, store__event_part_list *fresh,
                         const store__event_part_list *gone, bool flushed, uint64_t low_water,
                         struct diag *diag);
void store__event_quarantine(struct store__events *e, struct store_event_part *p);
store__event_part_list store__event_pin(struct store__events *e);
void store__event_unpin(store__event_part_list *parts);
uint64_t store__event_next_id(struct store *s);

/* flush.c, merge.c; the engine's lock is held */
int store__event_flush(struct store__events *e, struct diag *diag);
int store__event_merge_once(struct store__events *e, bool *out_did, struct diag *diag);

/* Which groups of a part change, and what stays of one: keep[row]. */
typedef bool (*store_touches_fn)(void *ctx, struct store_event_part *p, size_t group);
typedef int (*store_keep_fn)(void *ctx, const struct store_group *g, bool *keep);
struct store__event_output;
/* Writes the union of `in` (neighbours of one day, oldest first) in their place. Without `touches`
 * small groups are put together; with it groups it does not touch are copied, and of the others
 * stays what `keep` says. */
int store__event_rewrite(struct store__event_output *o, const store__event_part_list *in,
                         store_touches_fn touches, store_keep_fn keep, void *ctx,
                         struct diag *diag);

/* output.c: parts being written */
struct store__event_output {
    struct store__events *e;
    uint64_t order;
    uint32_t level;
    int zstd_level;
    struct store_event_writer *writer; /* of the part begun last, or NULL */
    struct store_event_part_info info;
    store__event_part_list fresh;
};
int store__event_output_begin(struct store__event_output *o, int64_t day,
                              const struct store_part_stream *streams, size_t stream_count,
                              struct diag *diag);
/* Finishes the file and opens it; `err` != 0 discards it. */
int store__event_output_end(struct store__event_output *o, int err, struct diag *diag);
/* Makes the files' names durable; on error all that was written is discarded. */
int store__event_output_finish(struct store__event_output *o, int err, struct diag *diag);

#define STORE__GROUP_RAW_MAX ((size_t)8 << 20)

/* A row on its way into a group. */
struct store__event_ref {
    int64_t ts;
    uint32_t stream;      /* ordinal in the part */
    uint32_t source, row; /* ascending = arrival */
    uint32_t bytes;       /* about */
};
/* Puts the rows in the order of the part and says where groups end (in `ends`). For spans, `keys`
 * has the ids of each row; else it is NULL. */
struct store__span_key;
typedef VEC(size_t) store__end_list;
void store__event_arrange(struct store__event_ref *refs, size_t count, struct store__span_key *keys,
                          store__end_list *ends);

/* span_order.c */
struct store__span_key {
    char trace[16], span[8], parent[8];
    bool has_parent;
    uint8_t kind; /* for telling repeated spans; traces.c */
    int64_t ts;
    uint32_t at; /* whose key this is */
};
/* Sorts by trace (those that begin earlier first), within one depth first, children by start.
 * descendants and depth, by the new order, may be NULL. */
void store__spans_sort(struct store__span_key *keys, size_t count, uint32_t *descendants,
                       uint32_t *depth);

/* For store.c and its like */
struct store__event_engine *store__events_new(struct store *s);
void store__events_free(struct store__event_engine *engine);
int store__events_load_parts(struct store *s, struct diag *diag);
int store__events_start(struct store *s, struct diag *diag);
void store__events_stop(struct store *s);
/* ERR_CORRUPT for a damaged record. */
int store__events_replay(struct store *s, enum data_event_table table, struct slice payload);
/* The round of store_maintain. */
int store__events_maintain(struct store *s, bool force, struct diag *diag);
/* All of both tables into parts. */
int store__events_flush_all(struct store *s, struct diag *diag);
uint64_t store__events_disk_bytes(struct store *s);

extern const struct store_event_ops store__event_ops;

#endif
