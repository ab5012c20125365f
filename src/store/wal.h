/* The write-ahead log: what is appended is durable once its group was synced. docs/formats/wal.md
 * gives the bytes.
 *
 * Appenders copy their record into a staging buffer under a short lock; one writer (a thread, or
 * the caller of store_wal_flush in tests) writes everything staged in one go, syncs, and then tells
 * the waiters. Groups form by themselves: all that arrives while the last sync runs is the next
 * group. */
#ifndef STORE_WAL_H
#define STORE_WAL_H

#include "base/diag.h"
#include "base/slice.h"
#include "os/os.h"

struct store_wal;

enum store_wal_type {
    STORE_WAL_SAMPLES_1 = 1,
    STORE_WAL_METADATA = 2,
    STORE_WAL_SAMPLES = 3,
    STORE_WAL_EXEMPLARS = 4,
    STORE_WAL_LOGS = 5,
    STORE_WAL_SPANS = 6
};

struct store_wal_config {
    const char *dir; /* exists */
    bool sync;       /* false: acknowledged after write(2), synced once a second */
    bool thread;     /* false: only store_wal_flush writes */
    _Atomic uint64_t *replay_done, *replay_total; /* bytes; may be NULL, else kept during opening */
    uint64_t first; /* appends go to a segment with this number or a later one */
    size_t
        staged_max; /* bytes not yet written; appenders wait (or get ERR_LIMIT without a thread) */
};

struct store_wal_replay {
    size_t records, segments;
    size_t torn_bytes;       /* appends cut off by a crash: never durable, never acknowledged */
    size_t corrupt_segments; /* damaged where they were durable; what could be read was, the file is
                                kept aside as <segment>.wal.corrupt */
    size_t corrupt_bytes;
};

/* Reads every record of every segment from `low_water` on, oldest first, through fn, then starts a
 * new segment behind them. Segments below low_water are removed. Damage is no error: it is counted
 * in `replay` and by pharos_store_wal_damaged_*, logged, and the rest is delivered. fn returns 0,
 * ERR_CORRUPT for a record it cannot read (counted as damage too), or another error, which ends the
 * opening. */
int store_wal_open(struct os *os, const struct store_wal_config *config, uint64_t low_water,
                   int (*fn)(enum store_wal_type type, uint64_t segment, struct slice payload,
                             void *ctx),
                   void *ctx, struct store_wal **out, struct store_wal_replay *replay,
                   struct diag *diag);
/* Writes what is staged, syncs, stops. */
void store_wal_close(struct store_wal *wal);

/* Stages one record in segment `expected`; `done` (may be NULL) is called once it is durable, or
 * failed with ERR_IO or ERR_NOSPACE; from the writer. With nothing done and `done` not called:
 * ERR_AGAIN when that segment is not the current one any more, ERR_TOO_LARGE for a payload beyond
 * 256 MiB, ERR_LIMIT when too much is staged and no thread is there to wait for. Thread-safe. */
int store_wal_append(struct store_wal *wal, uint64_t expected, enum store_wal_type type,
                     struct slice payload, void (*done)(void *ctx, int err), void *ctx);
/* The number of the segment that the next append goes to. */
uint64_t store_wal_segment(struct store_wal *wal);
/* Appends from now on go to a new segment; returns its number. The caller keeps appenders out. */
uint64_t store_wal_rotate(struct store_wal *wal);
/* Removes segments below `segment`: their content lives in parts now. */
void store_wal_release(struct store_wal *wal, uint64_t segment);
/* Writes and syncs what is staged, on the caller's thread; with nothing staged, tries whether a log
 * that failed can be written again. For logs without a thread. */
int store_wal_flush(struct store_wal *wal);
/* Bytes of all segments. */
uint64_t store_wal_bytes(struct store_wal *wal);
/* 0, or the error that keeps the log from being written now (it is tried again every second). */
int store_wal_health(struct store_wal *wal, struct diag *diag);

#endif
