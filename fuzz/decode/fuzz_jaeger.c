/* Jaeger's spans to an OTLP request, and that to a batch. First byte: the encoding. */
#include "decode/jaeger/jaeger.h"
#include "otlp_events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decode_otlp_result result;
    struct buf request = {0};
    struct diag diag;
    if (!size)
        return 0;
    diag_init(&diag);
    int err = decode_jaeger_spans((enum decode_jaeger_encoding)(data[0] % 5),
                                  slice_make(data + 1, size - 1), &request, &diag);
    base_assert(err == 0 || diag.code);
    base_assert(!err || !request.len);
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
    return 0;
}
