/* Elasticsearch's bulk: any bytes give items or an error, and rows or samples for each item taken;
 * with measurements as rows, as samples, and as both. */
#include "decode/elastic/bulk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const uint8_t *data, size_t size, bool series, bool rows)
{
    struct arena *arena = arena_new(0, NULL);
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    struct data_metric_batch *metrics = data_metric_batch_new(SLICE("default"));
    const struct decode_elastic_request req = {.body = slice_make(data, size),
                                               .received_ns = 1,
                                               .arena = arena,
                                               .metrics = series ? metrics : NULL,
                                               .metric_rows = rows};
    struct decode_elastic_result r;
    struct diag d;
    size_t taken = 0, samples = 0;
    diag_init(&d);
    if (!decode_elastic_bulk(&req, b, &r, &d)) {
        for (size_t i = 0; i < r.items.len; i++) {
            if (r.items.items[i].status == 201) {
                taken += r.items.items[i].has_row;
                samples += r.items.items[i].samples;
                if (!r.items.items[i].has_row && !r.items.items[i].samples)
                    __builtin_trap();
            }
        }
        if (taken > b->rows.len || samples > metrics->sample_ts.len ||
            (rows && series && taken != b->rows.len))
            __builtin_trap();
    }
    vec_free(&r.items);
    data_event_batch_free(b);
    data_metric_batch_free(metrics);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run(data, size, false, false);
    run(data, size, true, false);
    run(data, size, true, true);
    return 0;
}
