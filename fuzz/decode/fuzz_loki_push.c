/* Loki's push: any bytes give rows or an error. The first byte picks the form; protobuf comes
 * without snappy, which has a target of its own. */
#include "codec/compress.h"
#include "decode/loki/push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    bool json = data[0] == 'j';
    struct slice body = slice_make(data + 1, size - 1);
    struct buf packed = {0}, scratch = {0};
    if (!json) {
        codec_compress(CODEC_SNAPPY, 0, body, &packed);
        body = buf_slice(&packed);
    }
    const struct decode_loki_request req = {.content_type = json ? SLICE("application/json")
                                                                 : SLICE("application/x-protobuf"),
                                            .body = body,
                                            .inflated_bytes_max = 1 << 20};
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    struct decode_loki_result r;
    struct diag d;
    diag_init(&d);
    if (!decode_loki_push(&req, &scratch, b, &r, &d) && r.lines != b->rows.len)
        __builtin_trap();
    data_event_batch_free(b);
    buf_deinit(&packed);
    buf_deinit(&scratch);
    return 0;
}
