/* First byte: bit 0 JSON, bit 1 names as they are, bit 2 custom buckets, bit 3 everything promoted.
 * Whatever comes, columns stay aligned and keys canonical. */
#include "base/assert.h"
#include "decode/otlp/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decode_otlp_translation t;
    struct decode_otlp_result result;
    struct decode_otlp_answer answer;
    struct diag diag;
    if (!size)
        return 0;
    decode_otlp_translation_defaults(&t);
    t.escape = !(data[0] & 2);
    t.convert_histograms_to_nhcb = data[0] & 4;
    t.promote_all_resource_attributes = t.promote_scope_metadata = data[0] & 8;
    enum decode_otlp_encoding encoding = data[0] & 1 ? DECODE_OTLP_JSON : DECODE_OTLP_PROTOBUF;
    struct decode_otlp_scratch *scratch = decode_otlp_scratch_new();
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    diag_init(&diag);
    int err = decode_otlp_metrics(encoding, slice_make(data + 1, size - 1), &t, scratch, b, &result,
                                  &diag);
    base_assert(err == 0 || diag.code);
    base_assert(result.refused <= result.items);
    base_assert(!result.refused == !result.first_refusal.code);
    if (!err) {
        struct arena *arena = arena_new(0, NULL);
        struct data_labels l;
        size_t n = b->sample_ts.len;
        base_assert(b->sample_value.len == n && b->sample_series.len == n);
        base_assert(!b->sample_histogram.len || b->sample_histogram.len == n);
        base_assert(!b->sample_start.len || b->sample_start.len == n);
        base_assert(!b->sample_delta.len || b->sample_delta.len == n);
        for (size_t i = 0; i < b->series.len; i++) {
            base_assert(data_labels_decode(b->series.items[i].key, arena, &l) == 0);
            base_assert(data_labels_get(l, SLICE("__name__")).len);
        }
        for (size_t i = 0; i < b->sample_histogram.len; i++) {
            if (b->sample_histogram.items[i])
                base_assert(data_histogram_check(b->sample_histogram.items[i], &diag) == 0);
        }
        arena_free(arena);
    }
    decode_otlp_answer(DECODE_OTLP_METRICS, encoding, err, &diag, &result,
                       &(struct decode_otlp_stored){0}, &answer);
    base_assert(answer.http_status == (err ? 400 : 200));
    decode_otlp_answer_deinit(&answer);
    data_metric_batch_free(b);
    decode_otlp_scratch_free(scratch);
    return 0;
}
