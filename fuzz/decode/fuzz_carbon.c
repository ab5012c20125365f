/* What carbon's ports read. The first byte chooses: lines, a pickle, protobuf. */
#include <stdlib.h>

#include "decode/carbon/carbon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decode_carbon d = {.now_ns = 1700000000 * NS_PER_SEC};
    if (!size)
        return 0;
    struct data_metric_batch *batch = data_metric_batch_new(SLICE("default"));
    struct slice rest = slice_make(data + 1, size - 1);
    if (data[0] == 'l') {
        size_t taken = decode_carbon_lines(&d, rest, false, batch);
        if (taken > rest.len)
            abort();
        if (decode_carbon_lines(&d, slice_from(rest, taken), true, batch) != rest.len - taken)
            abort();
    } else if (data[0] == 'p') {
        (void)decode_carbon_pickle(&d, rest, batch);
    } else {
        (void)decode_carbon_protobuf(&d, rest, batch);
    }
    if (batch->sample_ts.len != d.points)
        abort();
    for (size_t i = 0; i < batch->sample_series.len; i++) {
        if (batch->sample_series.items[i] >= batch->series.len)
            abort();
    }
    data_metric_batch_free(batch);
    decode_carbon_deinit(&d);
    return 0;
}
