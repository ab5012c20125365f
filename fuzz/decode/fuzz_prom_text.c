/* First byte: text 0.0.4 or OpenMetrics, strict or not, classic histograms as native ones, and
 * both. Whatever comes ends, in items or in an error with a place; what is accepted has canonical
 * keys. */
#include "base/assert.h"
#include "decode/prom_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    enum decode_text_format format = data[0] & 1 ? DECODE_TEXT_OPENMETRICS : DECODE_TEXT_PLAIN;
    /* A copy without a byte to spare, so that reading beyond the end is seen. */
    char *body = mem_dup(data + 1, size - 1);
    struct decode_text_cache *cache = decode_text_cache_new(NULL, NULL);
    struct decode_text *p = decode_text_new(cache);
    struct decode_text_item item;
    struct diag diag;
    bool custom = data[0] & 4;
    decode_text_set_histograms(
        p, &(struct decode_text_histograms){.custom = custom, .classic_too = data[0] & 8});
    for (int round = 0; round < 2; round++) { /* the second time from the cache */
        int got;
        diag_init(&diag);
        decode_text_begin(p, format, data[0] & 2, slice_make(body, size - 1));
        while ((got = decode_text_next(p, &item, &diag)) == 1)
            base_assert(item.kind != DECODE_TEXT_SAMPLE || item.series->metric.len);
        base_assert(got == 0 || custom || (diag.line && diag.col));
    }
    decode_text_free(p);
    decode_text_cache_free(cache);
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    if (decode_text_body(format, slice_make(body, size - 1), 1, b, NULL) == 0) {
        struct arena *arena = arena_new(0, NULL);
        struct data_labels l;
        for (size_t i = 0; i < b->series.len; i++)
            base_assert(data_labels_decode(b->series.items[i].key, arena, &l) == 0);
        arena_free(arena);
    }
    data_metric_batch_free(b);
    mem_free(body);
    return 0;
}
