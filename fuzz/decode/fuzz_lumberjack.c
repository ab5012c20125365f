/* Lumberjack: any bytes as frames; a frame never takes more than there is. */
#include "decode/lumberjack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    struct decode_lumberjack d = {
        .now_ns = 1, .unpacked_bytes_max = 65536, .event_bytes_max = 65536};
    struct slice in = slice_make(data, size);
    size_t taken;
    bool full;
    while (in.len && !decode_lumberjack_frame(&d, in, b, &taken, &full, NULL)) {
        if (!taken || taken > in.len)
            __builtin_trap();
        in = slice_from(in, taken);
    }
    if (b->rows.len != d.rows)
        __builtin_trap();
    decode_lumberjack_deinit(&d);
    data_event_batch_free(b);
    return 0;
}
