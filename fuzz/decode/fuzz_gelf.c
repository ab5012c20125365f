/* GELF: any bytes as a chunk and as a message, which is an error or one row. */
#include "decode/gelf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    struct decode_gelf d = {.now_ns = 1, .unpacked_bytes_max = 65536};
    struct decode_gelf_chunk chunk;
    struct slice in = slice_make(data, size);
    if (!decode_gelf_chunk(in, &chunk)) {
        if (chunk.number >= chunk.count || chunk.bytes.len + 12 != size)
            __builtin_trap();
        in = chunk.bytes;
    }
    int err = decode_gelf_message(&d, in, b, NULL);
    if (b->rows.len != (err ? 0 : 1))
        __builtin_trap();
    decode_gelf_deinit(&d);
    data_event_batch_free(b);
    return 0;
}
