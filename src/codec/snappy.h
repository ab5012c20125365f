/* Snappy block format (google/snappy, format_description.txt): our own coder, because the library
 * is C++ and brings its runtime along. Used through codec/compress.h. */
#ifndef CODEC_SNAPPY_H
#define CODEC_SNAPPY_H

#include "base/buf.h"
#include "base/diag.h"

void codec_snappy_compress(struct slice in, struct buf *out);
/* ERR_TOO_LARGE when the stated length is beyond out_max, ERR_INVALID when the bytes are damaged.
 */
int codec_snappy_decompress(struct slice in, size_t out_max, struct buf *out, struct diag *diag);

#endif
