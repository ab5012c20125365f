/* Every compression: any bytes end in output within the limit or in an error. */
#include <stdlib.h>

#include "codec/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = {0};
    if (!size)
        return 0;
    enum codec_compression kind = (enum codec_compression)(data[0] % CODEC_COMPRESSION_COUNT);
    if (codec_decompress(kind, slice_make(data + 1, size - 1), 100000, &out, NULL) == 0 &&
        out.len > 100000)
        abort();
    buf_deinit(&out);
    return 0;
}
