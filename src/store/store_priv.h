/* Inside of the engine: head, parts, maintenance. For the store room's own files. */
#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include <pthread.h>

#include "base/counter.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"
#include "os/os.h"
#include "store/head.h"
#include "store/manifest.h"
#include "store/part.h"
#include "store/run.h"
#include "store/store.h"
#include "store/wal.h"

/* A shard on cache lines of its own. */
struct store__shard {
    pthread_mutex_t lock;
    struct store_shard head; /* under lock */
} __attribute__((aligned(64)));

typedef VEC(struct store_part *) store__part_list;

struct store__change {
    uint64_t number;
    int64_t from_ns;
};
struct store__changes {
    pthread_mutex_t lock;
    uint64_t number, forgotten;
    VEC(struct store__change) notes;
};

/* Places of series in the order they were taken; the number of the first one ever is 1. */
struct store__arrivals {
    pthread_mutex_t lock;
    uint64_t number, losses;
    VEC(uint64_t) places; /* shard << 32 | slot; the last ones */
};

struct store {
    struct store_config config; /* strings owned */
    struct os *os;
    struct task_pool *pool;
    struct os_file *lock_file;
    struct store_wal *wal;
    struct store_source source;

    struct store__event_engine *events; /* event/events_priv.h */

    size_t shard_count;
    struct store__shard *shards;
    _Atomic uint32_t next_ref;
    _Atomic size_t series_count;

    _Atomic bool loaded;
    _Atomic uint64_t load_done, load_total; /* bytes of the log */

    struct store__changes changes;   /* changes.c */
    struct store__arrivals arrivals; /* arrivals.c */

    pthread_mutex_t parts_lock; /* guards parts and metadata */
    store__part_list parts;     /* by day, then order */
    struct map *metadata;       /* tenant \0 metric -> private to metadata.c */

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
    STORE__EXEMPLARS,
    STORE__EXEMPLARS_REFUSED,
    STORE__EXEMPLARS_DROPPED,
    STORE__FLUSHES,
    STORE__FLUSH_BYTES,
    STORE__FLUSH_NS,
    STORE__MERGES,
    STORE__MERGE_BYTES,
    STORE__MERGE_NS,
    STORE__EXPIRED,
    STORE__QUARANTINED,
    STORE__SERIES,
    STORE__PARTS,
    STORE__DISK_BYTES,
    STORE__COUNTER_COUNT
};

static inline size_t store__shard_index(const struct store *s, struct hash128 id)
{
    /* The high half's share of the range: no division. */
    return (size_t)(((unsigned __int128)id.hi * s->shard_count) >> 64);
}

static inline struct hash128 store__series_id(struct slice tenant, struct hash128 labels_id)
{
    if (!slice_eq_cstr(tenant, "default"))
        labels_id.lo ^= hash64(tenant.ptr, tenant.len, 1);
    return labels_id;
}

/* store.c */
/* 0, or ERR_AGAIN with words. */
int store__check_loaded(const struct store *s, struct diag *diag);

/* append.c */
/* NULL when the key's labels do not decode. The shard's lock is held. */
struct store_series *store__register(struct store *s, struct store__shard *shard, struct hash128 id,
                                     struct slice tenant, struct slice labels_key);

/* log_record.c: what the log holds of the head */
struct store__record {
    struct buf defs, rows;
    size_t def_count, row_count;
    int64_t last_ts;
    uint32_t last_ref;
};
void store__record_row(struct store__record *rec, const struct store_series *series, int64_t ts,
                       double value, struct slice histogram, int64_t start);
/* Once a segment. */
void store__record_define(struct store__record *rec, const struct store_shard *sh,
                          struct store_series *series, uint64_t segment);
void store__record_frame(const struct store__record *rec, struct buf *out);
void store__record_exemplar(struct buf *out, const struct store_shard *sh,
                            const struct store_series *series, int64_t ts, double value,
                            struct slice labels_key);
int store__replay(enum store_wal_type type, uint64_t segment, struct slice payload, void *store);
void store__replay_end(void);

/* output.c: what flush and merge write */
struct store__day_writer {
    int64_t day;
    uint64_t id;
    struct store_part_writer *writer;
};
struct store__output {
    struct store *s;
    const struct store_pairs *pairs;
    VEC(struct store__day_writer) days;
    int64_t day_from, day_to; /* what lies before is left out, what lies from day_to on too */
    int64_t next_day;         /* the least of those from day_to on; INT64_MAX = none */
    uint64_t order;
    uint32_t level;
};
int64_t store__day_of(int64_t ts);
/* A series' sorted samples and exemplars, cut by day. */
int store__output_series(struct store__output *o, const uint32_t *ordinals, size_t count,
                         const struct store_run *run, const struct store_part_exemplar *exemplars,
                         size_t exemplar_count, struct diag *diag);
/* Finishes all files and opens them, appending to *out; on error what *out holds is discarded. */
int store__output_finish(struct store__output *o, int err, store__part_list *out,
                         struct diag *diag);
/* Sorts by time and leaves out what is there twice. */
size_t store__exemplars_sort(struct store_part_exemplar *e, size_t count);
/* One sorted list of the labels of several; map[i][k] is the place of list i's k-th. */
struct store__label_list {
    const struct data_label *labels;
    size_t count;
};
void store__pairs_union(const struct store__label_list *lists, size_t count,
                        struct store_pairs *out, uint32_t **map);

/* changes.c: whatever is to be read from this time on may be other than before. After the change
 * can be seen, before it is acknowledged. */
void store__changed(struct store *s, int64_t from_ns);
uint64_t store__source_changes(struct store_source *src);
int64_t store__source_changed_from(struct store_source *src, uint64_t since);

/* arrivals.c */
void store__arrived(struct store *s, const struct store__shard *shard, uint32_t slot);
/* Series left the head: places may be used again. */
void store__arrivals_forget(struct store *s);
/* Series may be gone from the store. */
void store__arrivals_lost(struct store *s);
int store__source_arrivals(struct store_source *src, struct slice tenant,
                           struct store_arrivals_cursor *cursor,
                           void (*each)(void *ctx, struct data_labels labels), void *ctx);

/* flush.c, merge.c; maintain_lock is held */
int store__flush(struct store *s, struct diag *diag);
int store__merge_once(struct store *s, bool *out_did, struct diag *diag);

/* maintain.c */
int store__load_parts(struct store *s, struct diag *diag);
void store__maintain_loop(struct store *s);
void store__part_path(const struct store *s, uint64_t id, char *out, size_t out_size);
/* References to all parts, oldest first. */
store__part_list store__pin_parts(struct store *s);
void store__unpin_parts(store__part_list *parts);
/* One step from a set of parts to another: the manifest first, then what readers see. `fresh` are
 * taken over; `gone` are removed when their last reader lets go. */
int store__replace_parts(struct store *s, store__part_list *fresh, store__part_list *gone,
                         uint64_t wal_low_water, struct diag *diag);
/* Lets go of parts whose manifest could not be saved. Their files stay: the new manifest may have
 * reached the disk although saving it failed. The next start removes what nobody names. */
void store__let_go(store__part_list *parts);
/* Takes a damaged part out of service and keeps its file aside. */
void store__quarantine(struct store *s, struct store_part *part);

/* metadata.c */
/* `done` is called once unless an error is returned. */
int store__metadata_append(struct store *s, const struct data_metric_batch *b,
                           void (*done)(void *ctx, int err), void *ctx);
/* A record of the log or what the manifest holds (segment UINT64_MAX); false when it is damaged. */
bool store__metadata_replay(struct store *s, uint64_t segment, struct slice in);
/* Replaces *out. */
void store__metadata_pack(struct store *s, struct buf *out);
void store__metadata_free(struct store *s);
int store__list_metadata(struct store_source *src, struct slice tenant, struct slice metric,
                         struct arena *arena, struct store_metadata **out, size_t *out_count,
                         struct diag *diag);

/* select.c, list.c */
extern const struct store_source_ops store__source_ops;
int store__list_names(struct store_source *src, const struct store_select_req *req, size_t limit,
                      struct arena *arena, struct slice **out, size_t *out_count, bool *out_cut,
                      struct diag *diag);
int store__list_values(struct store_source *src, struct slice name,
                       const struct store_select_req *req, size_t limit, struct arena *arena,
                       struct slice **out, size_t *out_count, bool *out_cut, struct diag *diag);
int store__list_exemplars(struct store_source *src, const struct store_select_req *req,
                          struct arena *arena, struct store_exemplar **out, size_t *out_count,
                          struct diag *diag);

#endif
