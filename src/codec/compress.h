/* Compression: whole buffers both ways, and streams for responses.
 *
 * gzip (RFC 1952), deflate (zlib wrapping, RFC 1950; raw deflate is tolerated when reading), zstd
 * (RFC 8878), snappy (block format, as Prometheus and Loki use it), lz4 (block with our length
 * prefix, for our own files only). */
#ifndef CODEC_COMPRESS_H
#define CODEC_COMPRESS_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

enum codec_compression {
    CODEC_IDENTITY,
    CODEC_GZIP,
    CODEC_DEFLATE,
    CODEC_ZSTD,
    CODEC_SNAPPY,
    CODEC_LZ4,
    CODEC_COMPRESSION_COUNT
};

/* Appends the compressed form. level 0 = the format's default. Never fails. */
void codec_compress(enum codec_compression kind, int level, struct slice in, struct buf *out);

/* Appends the original. Output beyond out_max ends it with ERR_TOO_LARGE before more than that is
 * held; truncated, damaged or trailing bytes are ERR_INVALID. Several gzip members or zstd frames
 * in a row are fine. `out` may hold partial output after an error. */
int codec_decompress(enum codec_compression kind, struct slice in, size_t out_max, struct buf *out,
                     struct diag *diag);

/* One zstd frame into exactly out_len bytes, for our own files; false when it does not give them.
 */
bool codec_zstd_decompress(struct slice in, char *out, size_t out_len);

/* Streaming compression, gzip, deflate and zstd only. One thread at a time. */
struct codec_stream;
struct codec_stream *codec_stream_new(enum codec_compression kind, int level);
/* Appends what is ready to `out`; `flush` makes everything given so far readable at the other end.
 */
void codec_stream_push(struct codec_stream *s, struct slice in, bool flush, bool end,
                       struct buf *out);
void codec_stream_free(struct codec_stream *s); /* NULL is fine */

#endif
