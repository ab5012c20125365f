/* Syslog: any bytes in frames, each message a row; no frame goes beyond the bytes. */
#include "decode/syslog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    struct decode_syslog d = {.received_ns = INT64_C(1704067200000000000), .peer = SLICE("h")};
    struct slice bytes = slice_make(data, size), message;
    size_t taken, rows = 0;
    while (bytes.len) {
        enum decode_syslog_frame f = decode_syslog_frame(bytes, true, 4096, &message, &taken);
        if (f == DECODE_SYSLOG_MORE || !taken || (f == DECODE_SYSLOG_WHOLE && taken > bytes.len))
            __builtin_trap();
        if (f == DECODE_SYSLOG_WHOLE)
            rows += decode_syslog_message(&d, message, b);
        bytes = slice_from(bytes, taken);
    }
    if (rows != b->rows.len)
        __builtin_trap();
    decode_syslog_deinit(&d);
    data_event_batch_free(b);
    return 0;
}
