/* A body in the protobuf exposition format; first byte: what becomes of histograms. */
#include <math.h>

#include "base/assert.h"
#include "decode/prom_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read(struct decode_text *p, struct slice body)
{
    struct decode_text_item item;
    struct diag diag;
    int got;
    diag_init(&diag);
    decode_text_begin(p, DECODE_TEXT_PROTOBUF, false, body);
    while ((got = decode_text_next(p, &item, &diag)) == 1) {
        if (item.kind != DECODE_TEXT_SAMPLE && item.kind != DECODE_TEXT_EXEMPLAR)
            continue;
        base_assert(item.series && item.series->metric.ptr);
        base_assert(!item.histogram || data_histogram_check(item.histogram, NULL) == 0);
        base_assert(item.kind == DECODE_TEXT_SAMPLE || item.has_exemplar);
    }
    base_assert(got == 0 || diag.code == got);
    base_assert(decode_text_next(p, &item, &diag) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct decode_text_cache *cache = decode_text_cache_new(NULL, NULL);
    struct decode_text *p = decode_text_new(cache);
    struct decode_text_histograms histograms = {
        .native = data[0] & 1, .custom = data[0] & 2, .classic_too = data[0] & 4};
    struct slice body = slice_make(data + 1, size - 1);
    struct data_metric_batch *batch = data_metric_batch_new(SLICE("default"));
    struct diag diag;
    diag_init(&diag);
    decode_text_set_histograms(p, &histograms);
    read(p, body);
    read(p, body); /* with a filled cache */
    (void)!decode_text_body(DECODE_TEXT_PROTOBUF, body, 1, batch, &diag);
    base_assert(batch->sample_value.len == batch->sample_ts.len);
    data_metric_batch_free(batch);
    decode_text_free(p);
    decode_text_cache_free(cache);
    return 0;
}
