/* Zipkin's spans to an OTLP request, and that to a batch. First byte: the encoding. */
#include "decode/zipkin.h"
#include "otlp_events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decode_otlp_result result;
    struct buf request = {0};
    struct diag diag;
    if (!size)
        return 0;
    struct arena *arena = arena_new(0, NULL);
    diag_init(&diag);
    int err = decode_zipkin_spans((enum decode_zipkin_encoding)(data[0] % 3),
                                  slice_make(data + 1, size - 1), arena, &request, &diag);
    base_assert(err == 0 || diag.code);
    if (!err) {
        struct decode_otlp_scratch *scratch = decode_otlp_scratch_new();
        struct data_event_batch *b = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
        base_assert(!decode_otlp_spans(DECODE_OTLP_PROTOBUF, buf_slice(&request), scratch, b,
                                       &result, &diag));
        check_events(b);
        data_event_batch_free(b);
        decode_otlp_scratch_free(scratch);
    }
    buf_deinit(&request);
    arena_free(arena);
    return 0;
}
