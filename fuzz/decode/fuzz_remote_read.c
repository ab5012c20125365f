/* A remote-read request: first byte 0 = the bytes as they are, else wrapped into snappy. */
#include "base/assert.h"
#include "codec/compress.h"
#include "decode/remote_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decode_read_request request;
    struct arena *arena = arena_new(0, NULL);
    struct buf body = {0};
    struct diag diag;
    if (!size)
        goto out;
    diag_init(&diag);
    if (data[0])
        codec_compress(CODEC_SNAPPY, 0, slice_make(data + 1, size - 1), &body);
    else
        buf_append(&body, data + 1, size - 1);
    int err = decode_remote_read(buf_slice(&body), 1 << 20, arena, &request, &diag);
    base_assert(!err || diag.code);
    for (size_t i = 0; !err && i < request.query_count; i++) {
        for (size_t k = 0; k < request.queries[i].matcher_count; k++)
            base_assert(request.queries[i].matchers[k].type <= DECODE_READ_NRE);
    }
out:
    buf_deinit(&body);
    arena_free(arena);
    return 0;
}
