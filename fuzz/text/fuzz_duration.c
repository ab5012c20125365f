/* Durations, sizes and times; what a duration prints reads back the same. */
#include <stdlib.h>

#include "text/duration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice s = slice_make(data, size);
    int64_t v, back;
    struct buf out = {0};
    if (!text_duration_parse(s, &v)) {
        text_duration_print(v, &out);
        if (text_duration_parse(buf_slice(&out), &back) || back != v)
            abort();
    }
    text_size_parse(s, &v);
    buf_clear(&out);
    if (!text_time_parse(s, &v))
        text_time_print(v, &out);
    buf_deinit(&out);
    return 0;
}
