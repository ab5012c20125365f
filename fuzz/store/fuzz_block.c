/* Blocks of samples and packed histograms: any bytes decode or do not. */
#include "store/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store_run run = {0};
    struct arena *arena = arena_new(0, NULL);
    struct data_histogram *h;
    unsigned facts;
    struct slice bytes = slice_make(data, size);
    if (!store_block_decode(bytes, &run, &facts)) {
        for (size_t i = 0; run.hist && i < run.len; i++) {
            if (run.hist[i].ptr)
                store_histogram_decode(run.hist[i], arena, &h);
        }
    }
    store_histogram_decode(bytes, arena, &h);
    store_run_free(&run);
    arena_free(arena);
    return 0;
}
