/* First byte: bit 0 JSON. */
#include "otlp_events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decode_otlp_result result;
    struct diag diag;
    if (!size)
        return 0;
    enum decode_otlp_encoding encoding = data[0] & 1 ? DECODE_OTLP_JSON : DECODE_OTLP_PROTOBUF;
    struct decode_otlp_scratch *scratch = decode_otlp_scratch_new();
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
    diag_init(&diag);
    int err =
        decode_otlp_spans(encoding, slice_make(data + 1, size - 1), scratch, b, &result, &diag);
    base_assert(err == 0 || diag.code);
    base_assert(err || result.refused + b->rows.len == result.items);
    if (!err)
        check_events(b);
    data_event_batch_free(b);
    decode_otlp_scratch_free(scratch);
    return 0;
}
