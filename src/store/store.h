/* The store: one directory, one engine. Appends go to a sharded head in memory and a write-ahead
 * log with group commit; heads are flushed to immutable parts; parts are merged, expire, and are
 * listed in a manifest. An acknowledged append survives kill -9 and power loss. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/diag.h"
#include "base/task.h"
#include "data/metric_batch.h"
#include "store/source.h"

struct os;
struct store;

enum store_durability {
    STORE_DURABILITY_GROUP, /* acknowledged after the fdatasync of its group (default) */
    STORE_DURABILITY_OS,    /* after write(2): survives kill -9, loses up to 1 s on power loss */
};

struct store_config {
    const char *dir;
    enum store_durability durability;
    int64_t retention_ns;       /* of metrics; INT64_MAX = forever (accepts any timestamp) */
    int64_t retention_logs_ns;  /* of log lines; INT64_MAX = forever */
    int64_t retention_spans_ns; /* of spans */
    int64_t retention_bytes;    /* 0 = unlimited: the oldest partitions go first */
    int64_t future_ns;          /* how far ahead of the clock a sample may be; default 10 min */
    size_t series_max;          /* active series; default 5,000,000 */
    size_t exemplars_max;       /* in memory, not yet in parts; default 100,000; 0 = none kept */
    size_t label_count_max;     /* default 64 */
    size_t label_bytes_max;     /* of one name or value; default 16 KiB */
    int64_t flush_interval_ns;  /* head -> part; default 10 min */
    size_t head_bytes_max;      /* flush earlier beyond this; default 512 MiB */
    /* Of events */
    size_t streams_max;          /* with rows in memory; default 1,000,000 */
    size_t line_bytes_max;       /* default 256 KiB */
    size_t field_count_max;      /* of a row; default 512 */
    size_t field_bytes_max;      /* of one value; default 256 KiB */
    size_t event_head_bytes_max; /* of a table in memory: flush beyond; default 128 MiB */
    size_t wal_bytes_max;        /* everything is flushed when the log is larger; default 1 GiB */
    int64_t disk_reserve_bytes;  /* ingest stops when less is free; default 256 MiB or 1 % */
    size_t shard_count;          /* 0 = by cores */
    bool background; /* false in tests: flush, merge and retention only by store_maintain */
};

/* Sets the defaults. */
void store_config_init(struct store_config *config);
/* In two steps: a store that is new answers every read, append and round of maintenance with
 * ERR_AGAIN until it is loaded, so that others can be told of it meanwhile. `os` and `pool` outlive
 * the store. */
struct store *store_new(const struct store_config *config, struct os *os, struct task_pool *pool);
/* Opens or creates the directory, replays the log. After an error only store_close. */
int store_load(struct store *s, struct diag *diag);
/* How far loading has come, in bytes of the log; both 0 before it knows. Thread-safe. */
void store_load_progress(const struct store *s, uint64_t *out_done, uint64_t *out_total);
/* Both; NULL in *out after an error. */
int store_open(const struct store_config *config, struct os *os, struct task_pool *pool,
               struct store **out, struct diag *diag);
/* Flushes, syncs, frees. */
void store_close(struct store *s);

/* Why a sample, log line or span was refused; the order and names are those of pipe_refusal. */
enum store_refusal {
    STORE_REFUSED_INVALID,
    STORE_REFUSED_TOO_OLD,
    STORE_REFUSED_TOO_NEW,
    STORE_REFUSED_SERIES_LIMIT,
    STORE_REFUSED_LABEL_LIMIT,
    STORE_REFUSED_STREAM_LIMIT,
    STORE_REFUSED_LINE_SIZE,
    STORE_REFUSED_FIELD_LIMIT,
    STORE_REFUSED_COUNT
};

struct store_append_result {
    size_t samples_accepted, histograms_accepted, exemplars_accepted, metadata_accepted;
    size_t rows_accepted; /* log lines or spans */
    size_t refused[STORE_REFUSED_COUNT];
    struct diag first_refusal;
};

/* Takes the batch's content before it returns; what can be accepted is visible to reads at once.
 * `ack` is called exactly once from the log's thread when it is durable or failed (ERR_IO;
 * ERR_NOSPACE), or, with err != 0, before this returns. `ack` may be NULL. Same timestamp twice:
 * the later append wins. Any order of arrival within retention. Thread-safe. */
void store_append_metrics(struct store *s, const struct data_metric_batch *batch,
                          void (*ack)(void *ctx, int err, const struct store_append_result *result),
                          void *ctx);

/* For stores without background work: writes and syncs the log on the caller's thread and calls the
 * acknowledgements that were waiting. Returns the first error. */
int store_sync(struct store *s);

/* The local source; lives as long as the store. */
struct store_source *store_metrics(struct store *s);

/* A part on disk, of all tenants. */
struct store_part_view {
    uint64_t id;
    uint32_t level; /* 0: as it was flushed, else how often it was merged */
    int64_t t_min_ns, t_max_ns;
    uint64_t series, samples, bytes;
};
/* The parts of metrics, by their first sample, in `arena`; thread-safe. */
size_t store_parts(struct store *s, struct arena *arena, struct store_part_view **out);

/* Deletes samples and exemplars of the matching series in [t_min, t_max]: flushes, then writes the
 * parts that have any anew without them, one by one; each is gone from answers and from the disk
 * when its turn is over. What is appended meanwhile stays. Blocks. After an error some may be left:
 * it can be called again. */
int store_delete_metrics(struct store *s, const struct store_select_req *req, struct diag *diag);

/* One round of whatever is due (flush, merge, retention, log release) at the time of the os's
 * clock. With `force` everything is flushed. For tests and shutdown; `background` does the same by
 * itself. */
int store_maintain(struct store *s, bool force, struct diag *diag);

/* A consistent copy of everything acknowledged before the call (without what is only in memory and
 * in the log unless `with_head`), as <dir>/snapshots/<name>: links, so that it takes room only when
 * parts are merged or expire. *out_name (64 bytes are enough) is the time and a random number. To
 * restore, copy it to where the data is to be. */
int store_snapshot(struct store *s, bool with_head, char *out_name, size_t out_size,
                   struct diag *diag);
/* The same with files of somebody else in it: `add` puts them into the snapshot's directory, before
 * it is one that a store would open. An error of it undoes everything; what it made it removes. */
int store_snapshot_with(struct store *s, bool with_head,
                        int (*add)(void *ctx, const char *dir, struct diag *diag), void *ctx,
                        char *out_name, size_t out_size, struct diag *diag);

/* 0, or why appends are refused at the moment (ERR_NOSPACE, ERR_IO) with words. Thread-safe. */
int store_health(struct store *s, struct diag *diag);

#endif
