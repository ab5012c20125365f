/* Decompression in steps, for files too large to hold: gzip, zstd, xz and bzip2. Several members or
 * frames in a row are one text. One thread at a time. */
#ifndef CODEC_UNPACK_H
#define CODEC_UNPACK_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

enum codec_archive {
    CODEC_ARCHIVE_NONE,
    CODEC_ARCHIVE_GZIP,
    CODEC_ARCHIVE_ZSTD,
    CODEC_ARCHIVE_XZ,
    CODEC_ARCHIVE_BZIP2
};

/* By the first bytes (six are enough). */
enum codec_archive codec_archive_of(struct slice begin);

struct codec_unpack;

/* memory_max: what the decompressor itself may take (windows of xz and zstd). */
struct codec_unpack *codec_unpack_new(enum codec_archive kind, size_t memory_max);
/* Takes bytes off the front of *in and appends up to out_max bytes to `out`. Goes on until *in is
 * empty or out_max are written. ERR_INVALID: damaged; ERR_NOMEM: it wants more memory. */
int codec_unpack_push(struct codec_unpack *u, struct slice *in, size_t out_max, struct buf *out,
                      struct diag *diag);
/* Everything pushed so far ends where a member or frame does: nothing is cut off. */
bool codec_unpack_is_whole(const struct codec_unpack *u);
void codec_unpack_free(struct codec_unpack *u); /* NULL is fine */

#endif
