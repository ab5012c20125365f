/* The manifest: what the store consists of. One small file, replaced as a whole (write, sync,
 * rename, sync of the directory), so that every change is atomic. docs/formats/manifest.md gives
 * the bytes. */
#ifndef STORE_MANIFEST_H
#define STORE_MANIFEST_H

#include "base/buf.h"
#include "base/vec.h"
#include "store/part.h"

struct store_manifest {
    uint64_t edit;          /* number of this version */
    uint64_t wal_low_water; /* oldest segment of the log that is still needed */
    uint64_t next_id;       /* of parts */
    VEC(struct store_part_info) parts;
    struct buf metadata; /* packed by its owner */
};

void store_manifest_free(struct store_manifest *m);
/* Reads <dir>/MANIFEST; an empty one when there is none. ERR_CORRUPT when it does not check. */
int store_manifest_load(struct os *os, const char *dir, struct store_manifest *out,
                        struct diag *diag);
/* Writes it durably, counting `edit` up. On error the old one stays in force. */
int store_manifest_save(struct os *os, const char *dir, struct store_manifest *m,
                        struct diag *diag);

#endif
