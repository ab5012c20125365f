/* First byte: 1.0 or 2.0, plain or snappy. Whatever comes, columns stay aligned and keys canonical.
 */
#include "base/assert.h"
#include "decode/remote_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct decode_write_request req = {
        .content_type = data[0] & 1
                            ? SLICE("application/x-protobuf;proto=io.prometheus.write.v2.Request")
                            : SLICE(""),
        .content_encoding = data[0] & 2 ? SLICE("snappy") : SLICE("identity"),
        .body = slice_make(data + 1, size - 1),
        .inflated_bytes_max = 1 << 20};
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    struct buf scratch = {0};
    struct decode_write_result result;
    struct decode_write_answer answer;
    struct diag diag;
    diag_init(&diag);
    int err = decode_remote_write(&req, &scratch, b, &result, &diag);
    base_assert(err == 0 || diag.code);
    if (!err) {
        struct arena *arena = arena_new(0, NULL);
        struct data_labels l;
        base_assert(b->sample_ts.len == result.samples + result.histograms);
        base_assert(b->sample_value.len == b->sample_ts.len);
        base_assert(!b->sample_histogram.len || b->sample_histogram.len == b->sample_ts.len);
        for (size_t i = 0; i < b->series.len; i++)
            base_assert(data_labels_decode(b->series.items[i].key, arena, &l) == 0);
        arena_free(arena);
    }
    struct decode_write_stored stored = {.samples = result.samples};
    decode_write_answer(err, &diag, &result, &stored, &answer);
    base_assert(answer.status >= 200 && answer.status < 600);
    buf_deinit(&scratch);
    data_metric_batch_free(b);
    return 0;
}
