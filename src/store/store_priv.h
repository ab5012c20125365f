/* Inside of the engine: head, parts, maintenance. For the store room's own files. */
#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include <pthread.h>

#include "base/counter.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"
#include "os/os.h"
#include "store/manifest.h"
#include "store/part.h"
#include "store/run.h"
#include "store/store.h"
#include "store/wal.h"

#define STORE__SEAL_SAMPLES 120 /* samples in the open run before it becomes a block */

/* Samples of a series that are not in a part yet. */
struct store__pending {
    VEC(struct slice) blocks; /* owned, oldest first */
    struct store_run run;     /* behind the blocks; histograms owned */
    size_t samples;
    int64_t t_min, t_max;
};

struct store__series {
    struct hash128 id;
    struct slice key;          /* tenant and labels; owned */
    struct data_labels labels; /* into key; items owned */
    struct slice tenant;
    uint32_t ref;           /* in the log */
    uint64_t wal_segment;   /* where its definition was logged last */
    int64_t last_append_ns; /* by the clock */
    struct store__pending now, flushing;
};

typedef VEC(struct store__series *) store__series_list;

/* Every value of one label name. */
struct store__name_index {
    struct map *values; /* value -> store__series_list * */
};

struct store__shard {
    pthread_mutex_t lock;
    struct store__series **table; /* by id; power of two */
    size_t table_size;
    store__series_list series;
    struct map *names;     /* label name -> struct store__name_index * */
    size_t samples, bytes; /* pending */
    bool has_tenants;      /* a series of another tenant than "default" was here */
};

typedef VEC(struct store_part *) store__part_list;

struct store {
    struct store_config config; /* strings owned */
    struct os *os;
    struct task_pool *pool;
    struct os_file *lock_file;
    struct store_wal *wal;
    struct store_source source;

    size_t shard_count;
    struct store__shard *shards;
    _Atomic uint32_t next_ref;
    _Atomic size_t series_count;

    pthread_mutex_t parts_lock; /* guards parts and metadata */
    store__part_list parts;     /* by day, then order */
    struct map *metadata;       /* tenant \0 metric -> struct store_metadata *, owned */

    pthread_mutex_t maintain_lock;  /* one round at a time */
    struct store_manifest manifest; /* under maintain_lock */
    int64_t last_flush_ns, last_merge_ns;
    bool flush_failed;

    pthread_mutex_t space_lock;
    int64_t space_checked_ns;
    struct diag space; /* code when ingest is stopped */

    pthread_t thread;
    pthread_mutex_t thread_lock;
    pthread_cond_t thread_cond;
    bool has_thread, stopping, flush_wanted;
};

extern struct counter store__counters[];
enum store__counter {
    STORE__APPENDED,
    STORE__REFUSED_INVALID,
    STORE__REFUSED_TOO_OLD,
    STORE__REFUSED_TOO_NEW,
    STORE__REFUSED_SERIES_LIMIT,
    STORE__REFUSED_LABEL_LIMIT,
    STORE__FLUSHES,
    STORE__MERGES,
    STORE__EXPIRED,
    STORE__QUARANTINED,
    STORE__SERIES,
    STORE__PARTS,
    STORE__DISK_BYTES,
    STORE__COUNTER_COUNT
};

/* head.c; the shard's lock is held by the caller */
struct store__shard *store__shard_of(struct store *s, struct hash128 id);
struct hash128 store__series_id(struct slice tenant, struct hash128 labels_id);
struct store__series *store__head_find(struct store__shard *shard, struct hash128 id);
/* NULL when the labels key is no canonical key. */
struct store__series *store__head_add(struct store *s, struct store__shard *shard,
                                      struct hash128 id, struct slice tenant,
                                      struct slice labels_key);
void store__head_push(struct store__shard *shard, struct store__series *series, int64_t ts,
                      double value, struct slice histogram);
/* Series of `tenant` that satisfy the matchers, appended to `out`. */
void store__head_match(struct store__shard *shard, struct slice tenant,
                       const struct store_matcher *matchers, size_t count, store__series_list *out);
/* Drops series that hold nothing and had no sample since `idle_before_ns`. */
void store__head_evict(struct store *s, struct store__shard *shard, int64_t idle_before_ns);
void store__head_free(struct store *s);
void store__pending_clear(struct store__pending *p);
/* Appends all of it, oldest first. */
int store__pending_read(const struct store__pending *p, struct store_run *out);

/* append.c */
int store__replay(enum store_wal_type type, uint64_t segment, struct slice payload, void *store);
void store__replay_end(void);

/* maintain.c */
int store__load_parts(struct store *s, struct diag *diag);
void store__maintain_loop(struct store *s);
void store__part_path(const struct store *s, uint64_t id, char *out, size_t out_size);
/* References to all parts, oldest first. */
store__part_list store__pin_parts(struct store *s);
void store__unpin_parts(store__part_list *parts);
/* Takes a damaged part out of service and keeps its file aside. */
void store__quarantine(struct store *s, struct store_part *part);

/* select.c */
extern const struct store_source_ops store__source_ops;

#endif
