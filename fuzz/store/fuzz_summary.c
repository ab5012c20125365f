/* Summaries of blocks: any bytes decode or do not; what decodes is told the same way again. */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/summary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store_summary_chain in_chain = {0}, out_chain = {0};
    struct buf out = {0};
    if (size < 2)
        return 0;
    uint32_t count = 1 + (data[0] | (uint32_t)(data[1] & 3) << 8);
    struct slice in = slice_make(data + 2, size - 2);
    struct store_summary s, again;
    while (in.len && !store_summary_decode(&in_chain, &in, count, &s)) {
        struct store_summary_chain before = out_chain;
        size_t begin = out.len;
        store_summary_encode(&out_chain, &s, &out);
        struct slice told = slice_from(buf_slice(&out), begin);
        if (store_summary_decode(&before, &told, count, &again) || told.len ||
            again.knows != s.knows || again.drops != s.drops || again.changes != s.changes)
            abort();
    }
    buf_deinit(&out);
    return 0;
}
