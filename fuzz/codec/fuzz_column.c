/* Columns: any bytes decode or do not; what decodes encodes and decodes to the same. */
#include <stdlib.h>

#include "codec/column.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static double values[512], again[512];
    if (size < 2)
        return 0;
    size_t count = 1 + (data[0] | (size_t)(data[1] & 1) << 8);
    struct slice in = slice_make(data + 2, size - 2);
    if (codec_doubles_decode(&in, values, count))
        return 0;
    struct buf out = {0};
    codec_doubles_encode(values, count, &out);
    in = buf_slice(&out);
    if (codec_doubles_decode(&in, again, count) || in.len ||
        memcmp(values, again, count * sizeof(values[0])) != 0)
        abort();
    buf_deinit(&out);
    return 0;
}
