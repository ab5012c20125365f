/* The part of a queue that is on the disk: payloads in segments, in the order they came in.
 *
 *     <dir>/<name>/<number>.seg   "PHOUT002" hash of the settings (16 bytes), then for each
 * payload: length u32, samples u32, made ns i64, CRC-32C u32, bytes <dir>/<name>/position segment
 * u64, offset u64, CRC-32C u32: what lies before is done; twice, 512 bytes apart, written in turn:
 * the later one counts
 *
 * Little endian; the CRC is of the 16 bytes before it and the payload. What is appended is durable
 * after the next sync. A segment none of whose payloads is wanted any more is removed; a crash
 * brings back at most what was done since the position was last saved. From where a segment is cut
 * off or damaged its rest is left out, and the segment counted by the reason. */
#ifndef OUTPUT_SPOOL_H
#define OUTPUT_SPOOL_H

#include "base/buf.h"
#include "base/diag.h"
#include "os/os.h"

struct output__spool;

/* Where a payload lies; segment 0: nowhere. */
struct output__place {
    uint64_t segment, offset;
    uint32_t len; /* of the payload */
};

#define OUTPUT__SPOOL_SEGMENT_BYTES ((uint64_t)16 << 20)

/* Why the rest of a segment, or all of it, is not there. */
enum output__spool_loss {
    OUTPUT__SPOOL_CUT_OFF,        /* its last payload is not whole: a crash, or a full disk */
    OUTPUT__SPOOL_DAMAGED,        /* a checksum is wrong */
    OUTPUT__SPOOL_OTHER_SETTINGS, /* made for others (identity) */
    OUTPUT__SPOOL_UNREADABLE,
    OUTPUT__SPOOL_LOSSES
};

/* Opens what is there, if anything: `each` gets every payload that is not done, oldest first;
 * losses[] (not NULL) is increased for each segment that is lost in part. Nothing is written before
 * the first append. */
struct output__spool *output__spool_open(struct os *os, const char *dir, const char *name,
                                         const char *identity,
                                         void (*each)(void *ctx, struct output__place at,
                                                      size_t samples, int64_t made_ns),
                                         void *ctx, size_t losses[OUTPUT__SPOOL_LOSSES]);
void output__spool_close(struct output__spool *s); /* NULL is fine; files stay */

/* These four by one thread at a time. After an error what was appended since the last sync counts
 * as not there; the next append goes to a new segment. */
int output__spool_append(struct output__spool *s, struct slice bytes, size_t samples,
                         int64_t made_ns, struct output__place *out, struct diag *diag);
int output__spool_sync(struct output__spool *s, struct diag *diag);
/* Removes segments without wanted payloads, and saves the position: that of the first one that is
 * not done, NULL when there is none on the disk. */
int output__spool_tidy(struct output__spool *s, const struct output__place *first,
                       struct diag *diag);
/* ERR_CORRUPT when it is damaged. Any thread. */
int output__spool_read(struct output__spool *s, struct output__place at, struct buf *out,
                       struct diag *diag);
/* The payload is not wanted any more. Any thread. */
void output__spool_release(struct output__spool *s, struct output__place at);

#endif
