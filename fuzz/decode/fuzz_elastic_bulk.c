/* Elasticsearch's bulk: any bytes give items or an error, and a row for each item taken. */
#include "decode/elastic/bulk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0, NULL);
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    const struct decode_elastic_request req = {
        .body = slice_make(data, size), .received_ns = 1, .arena = arena};
    struct decode_elastic_result r;
    struct diag d;
    size_t taken = 0;
    diag_init(&d);
    if (!decode_elastic_bulk(&req, b, &r, &d)) {
        for (size_t i = 0; i < r.items.len; i++)
            taken += r.items.items[i].status == 201;
        if (taken != b->rows.len)
            __builtin_trap();
    }
    vec_free(&r.items);
    data_event_batch_free(b);
    arena_free(arena);
    return 0;
}
