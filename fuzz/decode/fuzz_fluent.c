/* Fluentd's forward messages: any bytes that are a whole value are an error or rows, never more
 * than were counted. */
#include "codec/msgpack.h"
#include "decode/fluent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    struct decode_fluent d = {.now_ns = 1, .unpacked_bytes_max = 65536};
    struct slice in = slice_make(data, size);
    size_t len;
    while (in.len && !codec_msgpack_length(in, &len)) {
        size_t before = b->rows.len;
        if (!len || len > in.len)
            __builtin_trap();
        (void)!decode_fluent_message(&d, slice_first(in, len), b, NULL);
        if (b->rows.len - before != d.rows)
            __builtin_trap();
        in = slice_from(in, len);
    }
    decode_fluent_deinit(&d);
    data_event_batch_free(b);
    return 0;
}
