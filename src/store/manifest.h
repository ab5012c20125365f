/* The manifest: what the store consists of. One small file, replaced as a whole (write, sync,
 * rename, sync of the directory), so that every change is atomic. docs/formats/manifest.md gives
 * the bytes. */
#ifndef STORE_MANIFEST_H
#define STORE_MANIFEST_H

#include "base/buf.h"
#include "base/vec.h"
#include "store/event/part.h"
#include "store/part.h"

struct store_manifest {
    uint64_t edit;          /* number of this version */
    uint64_t wal_low_water; /* records of metrics in segments of the log below are in parts */
    uint64_t event_low_water[DATA_EVENT_TABLE_COUNT]; /* the same for events */
    uint64_t next_id;                                 /* of parts */
    VEC(struct store_part_info) parts;
    VEC(struct store_event_part_info) events;
    struct buf metadata; /* packed by its owner */
    struct buf notes;    /* the same: event/notes.c */
};

void store_manifest_free(struct store_manifest *m);
void store_manifest_copy(const struct store_manifest *from, struct store_manifest *to);
/* The oldest segment of the log that somebody still needs. */
uint64_t store_manifest_low_water(const struct store_manifest *m);
/* What is appended from now on must come behind everybody's. */
uint64_t store_manifest_high_water(const struct store_manifest *m);
/* Reads <dir>/MANIFEST, from its second copy when the first does not check (reported by log and
 * counter). ERR_NOT_FOUND when there is none; ERR_CORRUPT when neither copy checks. */
int store_manifest_load(struct os *os, const char *dir, struct store_manifest *out,
                        struct diag *diag);
/* Writes it durably, counting `edit` up. After an error either the old or the new one is in force
 * at the next start: what one of them names must stay. */
int store_manifest_save(struct os *os, const char *dir, struct store_manifest *m,
                        struct diag *diag);

#endif
